//! What does not depend on the entity, found out once and kept from read to read.
//!
//! It holds as long as the catalog stays what it is: the features' numbers, types and terms. Terms that
//! move with the clock (of features with a history), that depend on snapshots (of features whose TTL was
//! altered), and reads that stand elsewhere than at the newest commit are found out anew for each call.

use std::sync::Arc;

use asofdb_format::ids::{Commit, EventTime, Span};

use crate::read::asked::Asked;
use crate::read::how::{Moment, Read, Stand};
use crate::read::plan::{Plan, shifted};
use crate::read::selection::Selection;
use crate::state::catalog::Catalog;
use crate::state::live::State;
use crate::types::answer::Stamp;

/// What was found out about some features.
#[derive(Debug)]
pub(crate) struct Ready {
    asked: Asked,
    catalog: Arc<Catalog>,
    max_age: Option<Span>,
    /// It holds for readers that see less than this commit.
    until: Commit,
}

impl Ready {
    /// What will hold for later reads, too; `None` if nothing does.
    pub(crate) fn of(plan: &Plan, features: &Selection, read: &Read) -> Option<Self> {
        let catalog = &plan.state.catalog;
        let mut until = Commit::MAX;
        for (_, feature) in features.by_id() {
            let known = catalog.get(feature.id)?;
            if known.changes().len() > 1 || known.terms().history.is_some() {
                return None;
            }
            until = known.retired.map_or(until, |retired| until.min(retired));
        }
        let stays = plan.asks.iter().all(|ask| ask.horizon.is_none());
        let is_newest = matches!(read.stand, Stand::Newest);
        (stays && is_newest && moment(read, plan.stamp).is_some()).then(|| Self {
            asked: Asked::new(plan.asks.clone()),
            catalog: Arc::clone(catalog),
            max_age: read.max_age,
            until,
        })
    }

    /// What is asked, if it holds for this read: the moment is then set.
    #[inline]
    pub(crate) fn current(
        &mut self,
        state: &State,
        stamp: Stamp,
        read: &Read,
    ) -> Option<&mut Asked> {
        let holds = Arc::ptr_eq(&self.catalog, &state.catalog)
            && self.max_age == read.max_age
            && stamp.commit < self.until
            && matches!(read.stand, Stand::Newest);
        let t = moment(read, stamp).filter(|_| holds)?;
        self.asked.set_moment(t);
        Some(&mut self.asked)
    }
}

/// The moment of a read of features without a horizon; `None` if it lies before all time.
#[inline]
fn moment(read: &Read, stamp: Stamp) -> Option<EventTime> {
    let base = match read.moment {
        Moment::Now => stamp.now,
        Moment::AsOf(t) => t,
        Moment::Span(_, to) => return Some(to),
    };
    i64::try_from(shifted(base, read.delay, read.before)).ok().map(EventTime)
}
