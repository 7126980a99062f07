//! Lists of revisions that are used again: a merge fills and empties one for each feature of each
//! entity.

use asofdb_format::revision::Revision;

/// No more lists than this are kept, and none for more revisions.
const MOST: usize = 4_096;

/// Empty lists.
#[derive(Debug, Default)]
pub(crate) struct Spare(Vec<Vec<Revision>>);

impl Spare {
    /// An empty list.
    #[inline]
    pub(crate) fn take(&mut self) -> Vec<Revision> {
        self.0.pop().unwrap_or_default()
    }

    /// Takes a list back.
    #[inline]
    pub(crate) fn give(&mut self, mut list: Vec<Revision>) {
        if self.0.len() < MOST && list.capacity() <= MOST {
            list.clear();
            self.0.push(list);
        }
    }
}
