//! The labels of sources and their numbers, each found by the other.

use std::collections::BTreeMap;
use std::sync::Arc;

use asofdb_format::ids::SourceId;

/// All sources that batches named so far. A label has one number for ever.
#[derive(Clone, Debug, Default)]
pub(crate) struct Labels {
    labels: BTreeMap<SourceId, Arc<str>>,
    ids: BTreeMap<Arc<str>, SourceId>,
}

impl Labels {
    pub(crate) fn of(labels: &BTreeMap<SourceId, Arc<str>>) -> Self {
        let ids = labels.iter().map(|(id, label)| (Arc::clone(label), *id)).collect();
        Self { labels: labels.clone(), ids }
    }

    /// The label of a source; `None` for those of batches that named none.
    pub(crate) fn label(&self, id: SourceId) -> Option<&Arc<str>> {
        self.labels.get(&id)
    }

    /// The source that has a label.
    pub(crate) fn id_of(&self, label: &str) -> Option<(SourceId, &Arc<str>)> {
        self.ids.get_key_value(label).map(|(label, id)| (*id, label))
    }

    /// The number that a new label gets.
    pub(crate) fn next_id(&self) -> SourceId {
        SourceId(self.labels.keys().next_back().map_or(1, |id| id.0 + 1))
    }

    /// The same with one more.
    pub(crate) fn with(&self, id: SourceId, label: &Arc<str>) -> Self {
        let mut more = self.clone();
        more.labels.insert(id, Arc::clone(label));
        more.ids.insert(Arc::clone(label), id);
        more
    }

    /// Numbers and labels, ascending by number.
    pub(crate) fn each(&self) -> impl Iterator<Item = (SourceId, &Arc<str>)> {
        self.labels.iter().map(|(id, label)| (*id, label))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_label_that_is_known_gets_another_number() {
        let mut sources = Labels::default();
        for (id, label) in [(1, "nightly"), (2, "backfill"), (3, "nightly@2")] {
            assert_eq!((sources.next_id(), sources.id_of(label)), (SourceId(id), None));
            sources = sources.with(SourceId(id), &Arc::from(label));
            let again = Labels::of(&sources.labels);
            for sources in [&sources, &again] {
                assert_eq!(sources.id_of(label).map(|(id, _)| id), Some(SourceId(id)));
                assert_eq!(sources.label(SourceId(id)).map(|label| &**label), Some(label));
            }
        }
        assert!(sources.each().map(|(id, _)| id.0).eq(1..=3));
    }
}
