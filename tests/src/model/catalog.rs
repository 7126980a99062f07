//! The model's catalog: what a feature's name means to a reader, and the three bounds of a column.
//!
//! A *column* is one schema of a feature. `define` makes the first, `evolve` the next.
//!
//! Invariants:
//! - a column's definitions are in the order of their commits, and there is at least one;
//! - recorded bounds only rise;
//! - the bounds of a read are the greater of the recorded ones and those that the clock gives.

use super::Model;
use crate::answer::Refusal;
use crate::question::Definition;

/// Times in the width in which no sum or difference of two times can overflow.
pub type Wide = i128;

/// The three bounds of a column. None is below every time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// H: reads of an earlier time are refused.
    pub horizon: Option<Wide>,
    /// S: an earlier version that is not deleted is expired.
    pub stale: Option<Wide>,
    /// B: an earlier revision does not exist.
    pub forgotten: Option<Wide>,
}

/// One schema of one feature.
#[derive(Clone, Debug)]
pub struct Column {
    /// The feature's plain name.
    pub name: String,
    /// The schema number, from 1.
    pub schema: u32,
    /// Every definition with its commit.
    pub definitions: Vec<(i64, Definition)>,
    /// The commit that retired the feature.
    pub retired: Option<i64>,
    /// The bounds that were recorded so far.
    pub recorded: Bounds,
}

impl Bounds {
    /// Whether a read of this time is refused.
    pub fn is_below(&self, t: Wide) -> bool {
        self.horizon.is_some_and(|horizon| t < horizon)
    }

    /// Whether this time or commit is no later than the horizon.
    pub fn is_at_or_below_horizon(&self, time: i64) -> bool {
        self.horizon.is_some_and(|horizon| Wide::from(time) <= horizon)
    }

    /// Whether a version of this event time is expired by the bound alone.
    pub fn is_stale(&self, e: i64) -> bool {
        self.stale.is_some_and(|stale| Wide::from(e) < stale)
    }

    /// Whether a revision of this event time does not exist any more.
    pub fn has_forgotten(&self, e: i64) -> bool {
        self.forgotten.is_some_and(|forgotten| Wide::from(e) < forgotten)
    }

    /// The greater of two, bound by bound.
    pub fn max(self, other: Bounds) -> Bounds {
        Bounds {
            horizon: self.horizon.max(other.horizon),
            stale: self.stale.max(other.stale),
            forgotten: self.forgotten.max(other.forgotten),
        }
    }
}

impl Column {
    /// The definition after every other.
    #[expect(clippy::indexing_slicing, reason = "a column has at least one definition")]
    pub fn newest_definition(&self) -> &Definition {
        &self.definitions[self.definitions.len() - 1].1
    }

    /// The longest TTL in force at any time since the given one. None: a value could stay fresh for ever.
    fn longest_ttl_since(&self, since: Wide) -> Option<Wide> {
        let mut longest = 0;
        for (place, (_, definition)) in self.definitions.iter().enumerate() {
            let successor = self.definitions.get(place + 1);
            if successor.is_some_and(|(commit, _)| Wide::from(*commit) <= since) {
                continue;
            }
            longest = longest.max(Wide::from(definition.ttl?));
        }
        Some(longest)
    }
}

impl Model {
    /// Defines a feature.
    pub fn define(&mut self, name: &str, definition: &Definition) -> Result<(), Refusal> {
        if self.resolve(name, self.last_commit()).is_ok() {
            return Err(Refusal::AlreadyDefined);
        }
        self.add_column(name, definition)
    }

    /// Changes the definition of a feature, but not its type. The bounds are recorded as they stand before.
    pub fn alter(&mut self, name: &str, definition: &Definition) -> Result<(), Refusal> {
        let (index, column) = self.resolve(name, self.last_commit())?;
        let same_type = column.newest_definition().value_type == definition.value_type;
        if !definition.is_sound() || !same_type {
            return Err(Refusal::InvalidDefinition);
        }
        self.record_bounds(index, self.bounds(index));
        let commit = self.commit();
        if let Some(column) = self.columns.get_mut(index) {
            column.definitions.push((commit, definition.clone()));
        }
        Ok(())
    }

    /// Gives a feature its next schema.
    pub fn evolve(&mut self, name: &str, definition: &Definition) -> Result<(), Refusal> {
        self.resolve(name, self.last_commit())?;
        self.add_column(name, definition)
    }

    /// Ends a feature with all its schemas.
    pub fn retire(&mut self, name: &str) -> Result<(), Refusal> {
        let (_, column) = self.resolve(name, self.last_commit())?;
        let name = column.name.clone();
        let commit = self.commit();
        let live = |column: &&mut Column| column.name == name && column.retired.is_none();
        for column in self.columns.iter_mut().filter(live) {
            column.retired = Some(commit);
        }
        Ok(())
    }

    fn add_column(&mut self, name: &str, definition: &Definition) -> Result<(), Refusal> {
        if !definition.is_sound() {
            return Err(Refusal::InvalidDefinition);
        }
        // A retired feature keeps its schema numbers, so `name@1` never means two things.
        let before = self.columns.iter().filter(|column| column.name == name);
        let schema = before.map(|column| column.schema).max().unwrap_or(0) + 1;
        let commit = self.commit();
        self.columns.push(Column {
            name: name.to_owned(),
            schema,
            definitions: vec![(commit, definition.clone())],
            retired: None,
            recorded: Bounds::default(),
        });
        Ok(())
    }

    /// What a name means to a reader at this commit: `name` the newest schema it sees, `name@2` the second.
    pub fn resolve(&self, name: &str, seen_commit: i64) -> Result<(usize, &Column), Refusal> {
        let numbered = name.rsplit_once('@').and_then(|(plain, number)| {
            number.parse::<u32>().ok().map(|number| (plain, Some(number)))
        });
        let (plain, schema) = numbered.unwrap_or((name, None));
        let means = |column: &Column| {
            column.name == plain
                && schema.is_none_or(|schema| column.schema == schema)
                && column.definitions.iter().any(|(commit, _)| *commit <= seen_commit)
                && column.retired.is_none_or(|retired| retired > seen_commit)
        };
        let columns = self.columns.iter().enumerate().filter(|(_, column)| means(column));
        columns.max_by_key(|(_, column)| column.schema).ok_or(Refusal::UnknownFeature)
    }

    /// The bounds of a column that a read of now applies.
    pub fn bounds(&self, column: usize) -> Bounds {
        self.bounds_at(column, self.now)
    }

    /// The bounds of a column if the clock said so.
    pub fn bounds_at(&self, column: usize, now: i64) -> Bounds {
        let Some(column) = self.columns.get(column) else { return Bounds::default() };
        let definition = column.newest_definition();
        let by_clock = definition.history.map(|history| Wide::from(now) - Wide::from(history));
        let Some(horizon) = column.recorded.horizon.max(by_clock) else { return column.recorded };

        let oldest_snapshot = self.snapshots.values().min().map(|commit| Wide::from(*commit));
        let since = oldest_snapshot.map_or(horizon, |snapshot| snapshot.min(horizon));
        let longest_ttl = column.longest_ttl_since(since);
        let stale = longest_ttl.map(|ttl| horizon - ttl);
        let forgotten = longest_ttl.and_then(|ttl| {
            definition.forget_after.map(|forget| horizon - ttl.max(Wide::from(forget)))
        });
        column.recorded.max(Bounds { horizon: Some(horizon), stale, forgotten })
    }

    /// Records bounds of a column, as an engine does before it drops anything for them. They only rise.
    pub fn record_bounds(&mut self, column: usize, bounds: Bounds) {
        if let Some(column) = self.columns.get_mut(column) {
            column.recorded = column.recorded.max(bounds);
        }
    }
}
