//! Features that were looked up once, to be read many times.

use std::sync::Arc;

use crate::types::spec::Feature;

/// Features in the order in which their answers come. A selection means the schemas it was made
/// with, whatever names come to mean later.
#[derive(Clone, Debug)]
pub struct Selection {
    features: Arc<[Feature]>,
    /// Places of the features, ascending by their numbers: the order in which files hold them.
    by_id: Arc<[usize]>,
}

impl Selection {
    pub(crate) fn new(features: Vec<Feature>) -> Self {
        let mut by_id: Vec<usize> = (0..features.len()).collect();
        by_id.sort_by_key(|place| features.get(*place).map(|feature| feature.id));
        Self { features: features.into(), by_id: by_id.into() }
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
