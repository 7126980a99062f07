//! A naive count of all that was written: lists, and the rule read over them word by word.

use std::collections::{BTreeMap, BTreeSet};

use asofdb::Kind;

/// One write.
pub struct Written {
    pub entity: String,
    pub feature: &'static str,
    pub order: (i64, i64, i64),
    pub kind: Kind,
    pub number: Option<f64>,
    pub source: &'static str,
}

/// All that ever happened, and what it comes to.
#[derive(Default)]
pub struct Naive {
    pub all: Vec<Written>,
    pub erased: BTreeMap<String, i64>,
    pub reverted: Vec<(&'static str, i64)>,
    pub ttl: BTreeMap<&'static str, Option<i64>>,
}

/// What a report says of a feature, but for percentiles between the ends.
#[derive(Debug, PartialEq)]
pub struct Told {
    pub values: u64,
    pub nulls: u64,
    pub expired: u64,
    pub deleted: u64,
    pub newest: Option<i64>,
    pub known: Option<i64>,
    pub numbers: Option<(f64, f64)>,
    pub next_expiry: Option<i64>,
    pub future: BTreeSet<(String, i64)>,
}

impl Naive {
    fn stands(&self, written: &Written) -> bool {
        let commit = written.order.2;
        self.erased.get(&written.entity).is_none_or(|erase| commit >= *erase)
            && !self.reverted.iter().any(|(of, at)| *of == written.source && commit < *at)
    }

    /// The newest version of each entity that has one, and what it is now.
    fn present(&self, feature: &str, now: i64) -> Vec<&Written> {
        let mut newest: BTreeMap<&str, &Written> = BTreeMap::new();
        let stands = |written: &&Written| written.feature == feature && self.stands(written);
        for written in self.all.iter().filter(stands).filter(|written| written.order.0 <= now) {
            let held = newest.entry(&written.entity).or_insert(written);
            if held.order < written.order {
                *held = written;
            }
        }
        newest.into_values().collect()
    }

    pub fn told(&self, feature: &'static str, now: i64) -> Told {
        let ttl = self.ttl[feature];
        let mut told = Told {
            values: 0,
            nulls: 0,
            expired: 0,
            deleted: 0,
            newest: None,
            known: None,
            numbers: None,
            next_expiry: None,
            future: BTreeSet::new(),
        };
        for written in self.present(feature, now) {
            let (event_time, known, _) = written.order;
            if written.kind == Kind::Deleted {
                told.deleted += 1;
                continue;
            }
            told.newest = told.newest.max(Some(event_time));
            told.known = told.known.max(Some(known));
            if ttl.is_some_and(|ttl| now - event_time > ttl) {
                told.expired += 1;
                continue;
            }
            if let Some(ttl) = ttl {
                let expiry = event_time + ttl + 1;
                told.next_expiry = Some(told.next_expiry.unwrap_or(expiry).min(expiry));
            }
            if written.kind == Kind::Null {
                told.nulls += 1;
                continue;
            }
            told.values += 1;
            if let Some(number) = written.number {
                let (least, greatest) = told.numbers.unwrap_or((number, number));
                told.numbers = Some((least.min(number), greatest.max(number)));
            }
        }
        let ahead = self.all.iter().filter(|written| {
            written.feature == feature && written.order.0 > now && self.stands(written)
        });
        told.future = ahead.map(|written| (written.entity.clone(), written.order.0)).collect();
        told
    }

    /// The ages of the entities, ascending.
    pub fn ages(&self, feature: &str, now: i64) -> Vec<i64> {
        let alive = self.present(feature, now);
        let alive = alive.into_iter().filter(|written| written.kind != Kind::Deleted);
        let mut ages: Vec<i64> = alive.map(|written| now - written.order.0).collect();
        ages.sort_unstable();
        ages
    }
}
