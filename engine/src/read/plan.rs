//! A read made ready: the state pinned, the moment fixed, the horizons checked.

use std::sync::Arc;

use asofdb_format::ids::{Commit, EventTime, FeatureId, KnownTime, Span};
use asofdb_format::value::ValueType;

use crate::read::how::{Moment, Read};
use crate::read::resolve::{Terms, View};
use crate::read::selection::Selection;
use crate::state::catalog::FeatureState;
use crate::state::live::{Keeper, State};
use crate::state::snapshots::Snapshot;
use crate::types::answer::Stamp;
use crate::types::error::{Error, InvalidArgument, Result};
use crate::types::spec::Feature;

/// A read that can go ahead.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) state: Arc<State>,
    pub(crate) stamp: Stamp,
    pub(crate) known_at: Option<KnownTime>,
    /// What is asked, ascending by feature.
    pub(crate) asks: Vec<Ask>,
}

/// What is asked of one feature.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask {
    /// Where the answer goes.
    pub(crate) place: usize,
    pub(crate) feature: FeatureId,
    pub(crate) value_type: ValueType,
    pub(crate) schema: u32,
    /// The moment: revisions up to it are considered.
    pub(crate) t: EventTime,
    /// H.
    pub(crate) horizon: Option<EventTime>,
    pub(crate) terms: Terms,
}

/// The state pinned, and from which commit it is seen.
#[derive(Debug)]
pub(crate) struct Pinned {
    pub(crate) state: Arc<State>,
    pub(crate) now: EventTime,
    pub(crate) seen_from: Commit,
}

impl Pinned {
    pub(crate) fn new(keeper: &Keeper, moment: Moment, from: Option<&Snapshot>) -> Result<Self> {
        let state = keeper.state();
        let newest = state.visible();
        let now = keeper.now();
        let seen_from = match (moment, from) {
            (Moment::At(_), Some(_)) => {
                let what =
                    "a read is either at a stamp or from a snapshot: a stamp tells its commit";
                return Err(InvalidArgument::Other(what.to_owned()).into());
            }
            (Moment::At(stamp), None) => {
                let lost =
                    |span: &(Commit, Commit)| span.0 <= stamp.commit && stamp.commit <= span.1;
                if state.lost.iter().any(lost) {
                    return Err(Error::LostCommit { commit: stamp.commit });
                }
                if stamp.commit > newest {
                    let commit = stamp.commit;
                    return Err(InvalidArgument::FutureCommit { commit, newest }.into());
                }
                stamp.commit
            }
            (_, Some(snapshot)) => {
                if !snapshot.is_of(&keeper.snapshots) {
                    let what = "this snapshot is of another opening of a store";
                    return Err(InvalidArgument::Other(what.to_owned()).into());
                }
                snapshot.commit()
            }
            (_, None) => newest,
        };
        Ok(Self { state, now, seen_from })
    }

    pub(crate) fn stamp(&self) -> Stamp {
        Stamp { now: self.now, commit: self.seen_from }
    }

    /// What is asked of a feature, but for the moment.
    pub(crate) fn ask(
        &self,
        keeper: &Keeper,
        (place, feature): (usize, &Feature),
        max_age: Option<Span>,
    ) -> Result<Ask> {
        let unknown = || Error::UnknownFeature { name: feature.versioned_name(), near: Vec::new() };
        let known = self.state.catalog.get(feature.id).ok_or_else(unknown)?;
        if known.retired.is_some_and(|retired| retired <= self.seen_from) {
            return Err(unknown());
        }
        let bounds = known.bounds(self.now, oldest_if_needed(keeper, known));
        let ttl = known.terms_at(self.seen_from).ttl;
        let max_age = match (ttl, max_age) {
            (Some(ttl), Some(max_age)) => Some(ttl.min(max_age)),
            (ttl, max_age) => ttl.or(max_age),
        };
        Ok(Ask {
            place,
            feature: feature.id,
            value_type: feature.value_type,
            schema: feature.schema,
            t: EventTime::MIN,
            horizon: bounds.horizon,
            terms: Terms { max_age, stale: bounds.stale, forgotten: bounds.forgotten },
        })
    }
}

/// Only a feature whose TTL was altered has bounds that depend on snapshots.
fn oldest_if_needed(keeper: &Keeper, feature: &FeatureState) -> Option<Commit> {
    if feature.changes().len() > 1 { keeper.snapshots.oldest() } else { None }
}

impl Plan {
    /// Makes a read ready.
    pub(crate) fn new(keeper: &Keeper, features: &Selection, read: &Read) -> Result<Self> {
        let pinned = Pinned::new(keeper, read.moment, read.from.as_ref())?;
        Self::of(keeper, pinned, features, read)
    }

    /// Makes a read of a pinned state ready.
    pub(crate) fn of(
        keeper: &Keeper,
        pinned: Pinned,
        features: &Selection,
        read: &Read,
    ) -> Result<Self> {
        let mut asks = Vec::with_capacity(features.len());
        // The first feature of the selection, not of the files, whose horizon the read is below.
        let mut below: Option<(usize, Error)> = None;
        for (place, feature) in features.by_id() {
            let mut ask = pinned.ask(keeper, (place, feature), read.max_age)?;
            match moment_of(keeper, &pinned, &ask, read, feature) {
                Ok(Some(t)) => ask.t = t,
                Ok(None) => ask.terms.forgotten = Some(EventTime::MAX),
                Err(error) if below.as_ref().is_none_or(|(first, _)| place < *first) => {
                    below = Some((place, error));
                }
                Err(_) => {}
            }
            asks.push(ask);
        }
        match below {
            Some((_, error)) => Err(error),
            None => Ok(Self {
                stamp: pinned.stamp(),
                state: pinned.state,
                known_at: read.known_at,
                asks,
            }),
        }
    }

    /// What the read sees of an entity.
    #[inline]
    pub(crate) fn view(&self, entity: &[u8]) -> View<'_> {
        let taken = &*self.state.taken;
        View {
            seen_from: self.stamp.commit,
            known_at: self.known_at,
            erased: taken.erase_of(entity),
            taken,
        }
    }
}

/// The moment that a feature is judged at; `None`: before all time.
fn moment_of(
    keeper: &Keeper,
    pinned: &Pinned,
    ask: &Ask,
    read: &Read,
    feature: &Feature,
) -> Result<Option<EventTime>> {
    let below =
        |asked: i64, horizon| Error::BelowHorizon { feature: feature.name.clone(), asked, horizon };
    let base = match read.moment {
        Moment::Now => pinned.now.max(ask.horizon.unwrap_or(EventTime::MIN)),
        Moment::AsOf(t) => t,
        Moment::At(stamp) => {
            if let Some(horizon) = ask.horizon
                && keeper.commits.lock().any_between(stamp.commit, horizon.0)
            {
                return Err(below(stamp.commit.0, horizon));
            }
            stamp.now
        }
    };
    let t = shifted(base, read.delay, read.before);
    if let Some(horizon) = ask.horizon {
        if t < i128::from(horizon.0) {
            return Err(below(clamp(t), horizon));
        }
        if let Some(known_at) = read.known_at
            && known_at.0 < horizon.0
        {
            return Err(below(known_at.0, horizon));
        }
    }
    Ok(i64::try_from(t).ok().map(EventTime))
}

/// A moment so much earlier, and one microsecond more if it is itself excluded.
pub(crate) fn shifted(base: EventTime, delay: Span, before: bool) -> i128 {
    i128::from(base.0) - i128::from(delay.micros()) - i128::from(before)
}

/// The nearest moment that can be written down.
pub(crate) fn clamp(t: i128) -> i64 {
    i64::try_from(t).unwrap_or(if t < 0 { i64::MIN } else { i64::MAX })
}
