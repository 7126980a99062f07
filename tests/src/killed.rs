//! What a process does to a store until it is killed, and what must be there afterwards.
//!
//! Invariants:
//! - a number fixes an operation: with a seed which one it is, and of a batch all that is in it;
//! - an operation that was done stays done, for the kernel has what a killed process wrote; one that was
//!   begun is done or not, whole, and stays what it was found to be;
//! - nothing else is there.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use asofdb::{
    Batch, Durability, Error, EventTime, FeatureSpec, InvalidArgument, Options, Read, Revert, Span,
    Store, Value, ValueType,
};

use crate::generate::Rng;

const BEGIN: i64 = 1_700_000_000_000_000;
const ENTITIES: [&str; 4] = ["ant", "bee", "cat", "dog"];
const FEATURES: [&str; 3] = ["v:number", "v:text", "v:more"];

/// Opens the store, its memtables and tables so small that all of its work is under way at any time.
pub fn open(dir: &Path) -> asofdb::Result<Store> {
    let options = Options::new()
        .max_ahead(None)
        .memtable_bytes(20_000)
        .max_sealed_memtables(2)
        .table_bytes(10_000)
        .max_recent_tables(3)
        .manifest_bytes(4_000)
        .commit_lease(Span::from_micros(500).unwrap_or(Span::ZERO))
        .clock_lag(Span::ZERO);
    let store = Store::open(dir, options)?;
    for feature in FEATURES {
        let value_type = if feature == "v:number" { ValueType::I64 } else { ValueType::Text };
        store.define(FeatureSpec::new(feature, value_type))?;
    }
    Ok(store)
}

/// One operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Did {
    /// A batch, buffered or synced.
    Write(i64, bool),
    /// An erase of an entity.
    Erase(i64, usize),
    /// A revert of the source of some numbers before this one.
    Revert(i64),
    /// A flush.
    Flush(i64),
    /// A merge of everything.
    Compact(i64),
}

impl Did {
    /// The operation of a number.
    pub fn draw(number: i64, seed: u64) -> Did {
        let mut rng = Rng::new(seed ^ number.unsigned_abs() << 20);
        match rng.between(0, 99) {
            0..=1 => Did::Erase(number, usize::try_from(rng.between(0, 3)).unwrap_or(0)),
            2..=3 => Did::Revert(number),
            4..=6 => Did::Flush(number),
            7 => Did::Compact(number),
            _ => Did::Write(number, rng.percent(15)),
        }
    }

    /// Its number.
    pub fn number(self) -> i64 {
        match self {
            Did::Write(number, _)
            | Did::Erase(number, _)
            | Did::Revert(number)
            | Did::Flush(number)
            | Did::Compact(number) => number,
        }
    }

    /// Does it.
    pub fn run(self, store: &Store) -> asofdb::Result<()> {
        match self {
            Did::Write(number, synced) => {
                let mut batch = Batch::new();
                batch.source(source(number));
                for entity in entities(number) {
                    for feature in FEATURES {
                        batch.put(
                            ENTITIES.get(entity).unwrap_or(&"ant"),
                            feature,
                            time(number),
                            value(number, feature),
                        );
                    }
                }
                let durability = if synced { Durability::Synced } else { Durability::Buffered };
                store.write(batch, durability).map(drop)
            }
            Did::Erase(_, entity) => store.erase(ENTITIES.get(entity).unwrap_or(&"ant")).map(drop),
            Did::Revert(number) => match store.revert(Revert::source(source(number))) {
                Err(Error::InvalidArgument(InvalidArgument::NothingToRevert { .. })) => Ok(()),
                reverted => reverted.map(drop),
            },
            Did::Flush(_) => store.flush(),
            Did::Compact(_) => store.compact(),
        }
    }
}

/// Five batches after one another share a source.
fn source(number: i64) -> String {
    format!("job-{}", number / 5)
}

/// Every batch has an event time of its own, late ones among them.
fn time(number: i64) -> EventTime {
    EventTime(BEGIN + number * 7_919 % 1_000_003)
}

fn entities(number: i64) -> Vec<usize> {
    (0..ENTITIES.len()).filter(|entity| (number >> entity) & 1 == 0 || *entity == 0).collect()
}

fn value(number: i64, feature: &str) -> Value {
    if feature == "v:number" {
        return Value::I64(number);
    }
    let length = usize::try_from(number * 37 % 300).unwrap_or(0);
    Value::from(format!("{feature} {number} {}", "x".repeat(length)))
}

impl fmt::Display for Did {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Did::Write(number, synced) => write!(out, "write {number} {}", u8::from(*synced)),
            Did::Erase(number, entity) => write!(out, "erase {number} {entity}"),
            Did::Revert(number) => write!(out, "revert {number} 0"),
            Did::Flush(number) => write!(out, "flush {number} 0"),
            Did::Compact(number) => write!(out, "compact {number} 0"),
        }
    }
}

impl FromStr for Did {
    type Err = String;

    fn from_str(text: &str) -> Result<Did, String> {
        let words: Vec<&str> = text.split(' ').collect();
        let [what, number, more] = words.as_slice() else { return Err(text.to_owned()) };
        let number = number.parse().map_err(|_| text.to_owned())?;
        let more: usize = more.parse().map_err(|_| text.to_owned())?;
        match *what {
            "write" => Ok(Did::Write(number, more == 1)),
            "erase" => Ok(Did::Erase(number, more)),
            "revert" => Ok(Did::Revert(number)),
            "flush" => Ok(Did::Flush(number)),
            "compact" => Ok(Did::Compact(number)),
            _ => Err(text.to_owned()),
        }
    }
}

/// What must be in the store.
#[derive(Clone, Debug, Default)]
pub struct Books {
    /// The entities that each batch still shows.
    batches: BTreeMap<i64, BTreeSet<usize>>,
    /// The number of the next operation.
    pub next: i64,
}

impl Books {
    /// An operation was done.
    pub fn done(&mut self, did: Did) {
        self.next = self.next.max(did.number() + 1);
        match did {
            Did::Write(number, _) => {
                self.batches.insert(number, entities(number).into_iter().collect());
            }
            Did::Erase(_, entity) => {
                for shown in self.batches.values_mut() {
                    shown.remove(&entity);
                }
            }
            Did::Revert(number) => {
                self.batches.retain(|batch, _| batch / 5 != number / 5);
            }
            Did::Flush(_) | Did::Compact(_) => {}
        }
    }

    /// Holds a store against the books; `begun` is what may have been done. Returns how many versions
    /// were compared.
    pub fn check(&mut self, store: &Store, begun: Option<Did>) -> Result<usize, String> {
        let found = all(store).map_err(|error| error.to_string())?;
        let mut with = self.clone();
        if let Some(begun) = begun {
            with.done(begun);
        }
        let compared = found.len();
        match (found == self.versions(), found == with.versions()) {
            // It left nothing behind that tells: the number is used up all the same.
            (true, _) => self.next = with.next,
            (false, true) => *self = with,
            (false, false) => {
                let expected = self.versions();
                let lost: Vec<_> = expected.keys().filter(|key| !found.contains_key(key)).collect();
                let more: Vec<_> = found.keys().filter(|key| !expected.contains_key(key)).collect();
                return Err(format!("begun: {begun:?}; lost: {lost:?}; not expected: {more:?}"));
            }
        }
        Ok(compared)
    }

    /// Every version that must be there.
    fn versions(&self) -> BTreeMap<(usize, &'static str, i64), Value> {
        let mut versions = BTreeMap::new();
        for (number, shown) in &self.batches {
            for entity in shown {
                for feature in FEATURES {
                    versions.insert((*entity, feature, time(*number).0), value(*number, feature));
                }
            }
        }
        versions
    }
}

/// Every version of a store.
fn all(store: &Store) -> asofdb::Result<BTreeMap<(usize, &'static str, i64), Value>> {
    let mut found = BTreeMap::new();
    for (place, entity) in ENTITIES.iter().enumerate() {
        for feature in FEATURES {
            let ends = (EventTime::MIN, EventTime::MAX);
            let versions = store.range(entity, feature, ends.0, ends.1, &Read::latest())?;
            for answer in &versions.answers {
                if let (Some(at), Some(value)) = (answer.event_time(), answer.value()) {
                    found.insert((place, feature, at.0), value.clone());
                }
            }
        }
    }
    Ok(found)
}
