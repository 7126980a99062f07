//! Features that were looked up once, to be read many times.

use std::sync::Arc;

use asofdb_format::ids::StoreId;

use crate::state::live::Keeper;
use crate::types::error::{InvalidArgument, Result};
use crate::types::spec::Feature;

/// Features in the order in which their answers come. A selection means the schemas it was made
/// with, whatever names come to mean later. It may be used as long as there is the store that it was made
/// of, also after that is opened again; any other store refuses it.
#[derive(Clone, Debug)]
pub struct Selection {
    store: StoreId,
    features: Arc<[Feature]>,
    /// Places of the features, ascending by their numbers: the order in which files hold them.
    by_id: Arc<[usize]>,
}

impl Selection {
    pub(crate) fn new(store: StoreId, features: Vec<Feature>) -> Self {
        let mut by_id: Vec<usize> = (0..features.len()).collect();
        by_id.sort_by_key(|place| features.get(*place).map(|feature| feature.id));
        Self { store, features: features.into(), by_id: by_id.into() }
    }

    /// Features are known by number, which are others in another store.
    pub(crate) fn check_of(&self, keeper: &Keeper) -> Result<()> {
        if self.store == keeper.store {
            return Ok(());
        }
        let what = "this selection is of another store; make one of this with `Store::select`";
        Err(InvalidArgument::Other(what.to_owned()).into())
    }

    /// The features, in the order of the answers.
    #[must_use]
    pub fn features(&self) -> &[Feature] {
        &self.features
    }

    /// How many features there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.features.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.features.is_empty()
    }

    /// Places and features, ascending by number.
    pub(crate) fn by_id(&self) -> impl Iterator<Item = (usize, &Feature)> {
        self.by_id.iter().filter_map(|place| Some((*place, self.features.get(*place)?)))
    }
}
