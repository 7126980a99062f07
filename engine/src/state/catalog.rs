//! Definitions, each change with its commit, and the bounds that follow from them.
//!
//! A name stands for its newest schema; `name@2` for the second. What a definition said at a
//! commit can always be told again, so that a stamp is judged by the TTL it was judged by then.

use std::collections::BTreeMap;
use std::sync::Arc;

use asofdb_format::batch::Entry;
use asofdb_format::catalog::{Bounds, Definition, Terms};
use asofdb_format::ids::{Commit, EventTime, FeatureId, Span};
use asofdb_format::value::Kind;

use crate::types::error::{Error, Result};
use crate::types::spec::Feature;

/// All features.
#[derive(Clone, Debug, Default)]
pub(crate) struct Catalog {
    /// The feature with number n stands at n - 1.
    features: Vec<Arc<FeatureState>>,
    by_name: BTreeMap<String, Vec<FeatureId>>,
}

/// One feature under one schema number.
#[derive(Clone, Debug)]
pub(crate) struct FeatureState {
    pub(crate) definition: Definition,
    /// The terms in force from each commit on, ascending; the first are the definition's own.
    changes: Vec<(Commit, Arc<Terms>)>,
    /// Bounds that were recorded, at an alter or for compaction.
    pub(crate) recorded: Bounds,
    pub(crate) retired: Option<Commit>,
}

impl Catalog {
    pub(crate) fn get(&self, id: FeatureId) -> Option<&Arc<FeatureState>> {
        self.features.get((id.0 as usize).checked_sub(1)?)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<FeatureState>> {
        self.features.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.features.len()
    }

    /// What is wrong with an entry of a log's batch.
    pub(crate) fn check(&self, entry: &Entry<'_>, commit: Commit) -> Result<(), &'static str> {
        if entry.known_time.is_some_and(|known| known.0 > commit.0) {
            return Err("nothing known only after its commit");
        }
        let feature = self.get(entry.feature).filter(|feature| feature.since() < commit);
        let feature = feature.ok_or("features that the catalog has, defined before the batch")?;
        if entry.kind == Kind::Value && !entry.value.is_of(feature.definition.value_type) {
            return Err("values of their features' types");
        }
        Ok(())
    }

    /// The number for the next feature.
    pub(crate) fn next_id(&self) -> FeatureId {
        FeatureId(u32::try_from(self.features.len() + 1).unwrap_or(u32::MAX))
    }

    /// How many schema numbers a name has had.
    pub(crate) fn schemas(&self, name: &str) -> u32 {
        let ids = self.by_name.get(name).map_or(0, Vec::len);
        u32::try_from(ids).unwrap_or(u32::MAX)
    }

    pub(crate) fn define(&mut self, commit: Commit, definition: Definition) {
        let terms = Arc::new(definition.terms.clone());
        self.by_name.entry(definition.name.clone()).or_default().push(definition.id);
        let state = FeatureState {
            changes: vec![(commit, terms)],
            recorded: Bounds::default(),
            retired: None,
            definition,
        };
        self.features.push(Arc::new(state));
    }

    fn change(&mut self, id: FeatureId, change: impl FnOnce(&mut FeatureState)) {
        let place = (id.0 as usize).wrapping_sub(1);
        if let Some(state) = self.features.get_mut(place) {
            change(Arc::make_mut(state));
        }
    }

    pub(crate) fn alter(&mut self, commit: Commit, id: FeatureId, terms: Terms, stood: Bounds) {
        self.change(id, |state| {
            state.changes.push((commit, Arc::new(terms)));
            state.recorded = state.recorded.max(stood);
        });
    }

    pub(crate) fn retire(&mut self, commit: Commit, name: &str) {
        for id in self.by_name.get(name).cloned().unwrap_or_default() {
            self.change(id, |state| {
                if state.since() < commit {
                    state.retired = state.retired.or(Some(commit));
                }
            });
        }
    }

    pub(crate) fn record(&mut self, id: FeatureId, bounds: Bounds) {
        self.change(id, |state| state.recorded = state.recorded.max(bounds));
    }

    /// The feature that a name means to a reader at a commit.
    pub(crate) fn resolve(&self, name: &str, seen_from: Commit) -> Result<&Arc<FeatureState>> {
        let (plain, schema) = match name.rsplit_once('@') {
            Some((plain, schema)) => (plain, schema.parse::<u32>().ok()),
            None => (name, None),
        };
        let unknown = || Error::UnknownFeature { name: name.to_owned(), near: self.near(name) };
        let visible = |state: &&Arc<FeatureState>| {
            state.since() <= seen_from && state.retired.is_none_or(|retired| retired > seen_from)
        };
        let ids = self.by_name.get(plain).ok_or_else(unknown)?;
        let mut states = ids.iter().filter_map(|id| self.get(*id)).filter(visible);
        let found = match schema {
            Some(schema) => states.find(|state| state.definition.schema == schema),
            None if name.contains('@') => None,
            None => states.next_back(),
        };
        found.ok_or_else(unknown)
    }

    /// Names that look like one, the nearest first.
    fn near(&self, name: &str) -> Vec<String> {
        let short = name.rsplit(':').next().unwrap_or(name);
        let mut near: Vec<(usize, &String)> = self
            .by_name
            .iter()
            .filter(|(_, ids)| ids.iter().any(|id| self.is_alive(*id)))
            .map(|(known, _)| {
                let tail = known.rsplit(':').next().unwrap_or(known);
                (distance(name, known).min(distance(short, tail) + 1), known)
            })
            .filter(|(distance, known)| *distance <= 1 + known.len() / 4)
            .collect();
        near.sort();
        near.into_iter().take(3).map(|(_, known)| known.clone()).collect()
    }

    fn is_alive(&self, id: FeatureId) -> bool {
        self.get(id).is_some_and(|state| state.retired.is_none())
    }

    /// The feature as its users see it.
    pub(crate) fn describe(&self, state: &FeatureState) -> Feature {
        Feature {
            id: state.definition.id,
            name: state.definition.name.clone(),
            schema: state.definition.schema,
            value_type: state.definition.value_type,
            terms: state.terms().clone(),
            since: state.changes.last().map_or(Commit::MIN, |change| change.0),
            newest: self.newest_of(state) == Some(state.definition.id),
            recorded: state.recorded,
        }
    }

    /// The newest schema of a feature's name that is not retired.
    pub(crate) fn newest_of(&self, state: &FeatureState) -> Option<FeatureId> {
        let ids = self.by_name.get(&state.definition.name)?;
        ids.iter().rev().find(|id| self.is_alive(**id)).copied()
    }

    /// The features that are not retired, by name and schema number.
    pub(crate) fn alive(&self) -> impl Iterator<Item = &Arc<FeatureState>> {
        self.by_name
            .values()
            .flatten()
            .filter_map(|id| self.get(*id))
            .filter(|state| state.retired.is_none())
    }
}

impl FeatureState {
    /// The commit that defined it.
    pub(crate) fn since(&self) -> Commit {
        self.changes.first().map_or(Commit::MAX, |change| change.0)
    }

    pub(crate) fn changes(&self) -> &[(Commit, Arc<Terms>)] {
        &self.changes
    }

    /// The newest terms.
    pub(crate) fn terms(&self) -> &Terms {
        self.changes.last().map_or(&self.definition.terms, |change| &change.1)
    }

    /// The terms that a reader at a commit sees.
    #[inline]
    pub(crate) fn terms_at(&self, seen_from: Commit) -> &Terms {
        match self.changes.as_slice() {
            [(_, only)] => only,
            changes => {
                let after = changes.partition_point(|(commit, _)| *commit <= seen_from);
                let change = after.checked_sub(1).and_then(|index| changes.get(index));
                change.map_or(&self.definition.terms, |change| &change.1)
            }
        }
    }

    /// The bounds at a reading of the clock, while snapshots from `oldest` on are held: the higher
    /// of what the clock gives and what was recorded.
    pub(crate) fn bounds(&self, now: EventTime, oldest: Option<Commit>) -> Bounds {
        let terms = self.terms();
        // A horizon before all time is none: it refuses not even what lies there.
        let by_clock = terms.history.and_then(|history| now.0.checked_sub(history.micros()));
        let by_clock = by_clock.map(EventTime);
        let horizon = by_clock.max(self.recorded.horizon);
        let Some(reach) = horizon else { return self.recorded };
        let since = oldest.map_or(reach.0, |oldest| reach.0.min(oldest.0));
        let Some(longest) = self.longest_ttl_since(since) else {
            return Bounds { horizon, ..self.recorded };
        };
        let forgotten = terms.forget_after.map(|after| reach.saturating_sub(after.max(longest)));
        let clocked = Bounds { horizon, stale: Some(reach.saturating_sub(longest)), forgotten };
        clocked.max(self.recorded)
    }

    /// The longest TTL in force after a moment; `None` if there was a time without one.
    fn longest_ttl_since(&self, moment: i64) -> Option<Span> {
        let ended_after = |index: usize| {
            self.changes.get(index + 1).is_none_or(|(successor, _)| successor.0 > moment)
        };
        self.changes
            .iter()
            .enumerate()
            .filter(|(index, _)| ended_after(*index))
            .map(|(_, (_, terms))| terms.ttl)
            .try_fold(Span::ZERO, |longest, ttl| Some(longest.max(ttl?)))
    }
}

/// How many characters differ between two names.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(255).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().take(255).enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, cb) in row.iter_mut().skip(1).zip(&b) {
            let cost = (diagonal + usize::from(ca != *cb)).min(left + 1).min(*cell + 1);
            diagonal = *cell;
            *cell = cost;
            left = cost;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_levenshtein() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("temp", "temp"), 0);
    }
}
