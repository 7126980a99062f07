//! A read made ready: the state pinned, the moment fixed, the horizons checked.

use asofdb_format::ids::{Commit, EventTime, FeatureId, KnownTime, Span};
use asofdb_format::value::ValueType;

use crate::read::how::{Moment, Read, Stand};
use crate::read::resolve::{Terms, View};
use crate::read::selection::Selection;
use crate::state::catalog::FeatureState;
use crate::state::live::{Keeper, State};
use crate::sync::Shared;
use crate::types::answer::Stamp;
use crate::types::error::{Error, InvalidArgument, Result};
use crate::types::spec::{Bounds, Feature};

/// A read that can go ahead.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) state: Shared<State>,
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
    pub(crate) state: Shared<State>,
    /// What the clock says: bounds are judged by it.
    clock: EventTime,
    /// What the read takes for now.
    now: EventTime,
    pub(crate) seen_from: Commit,
}

impl Pinned {
    pub(crate) fn new(keeper: &Keeper, stand: &Stand) -> Result<Self> {
        let state = keeper.state();
        let newest = state.visible();
        let clock = keeper.now();
        let (now, seen_from) = match stand {
            Stand::Newest => (clock, newest),
            Stand::Snapshot(snapshot) if snapshot.is_of(&keeper.snapshots) => {
                (clock, snapshot.commit())
            }
            Stand::Snapshot(_) => {
                let what = "this snapshot is of another opening of a store; take one of this";
                return Err(InvalidArgument::Other(what.to_owned()).into());
            }
            Stand::Stamp(stamp) => {
                let commit = stamp.commit;
                if state.lost.iter().any(|(first, last)| *first <= commit && commit <= *last) {
                    return Err(Error::LostCommit { commit });
                }
                if commit > newest {
                    return Err(InvalidArgument::FutureCommit { commit, newest }.into());
                }
                (stamp.now, commit)
            }
        };
        Ok(Self { state, clock, now, seen_from })
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
        let is_retired = known.retired.is_some_and(|retired| retired <= self.seen_from);
        if is_retired || known.since() > self.seen_from {
            return Err(unknown());
        }
        let (bounds, terms) = self.terms(keeper, known, max_age);
        Ok(Ask {
            place,
            feature: feature.id,
            value_type: feature.value_type,
            schema: feature.schema,
            t: EventTime::MIN,
            horizon: bounds.horizon,
            terms,
        })
    }

    /// The bounds of a feature, and what it is judged by.
    pub(crate) fn terms(
        &self,
        keeper: &Keeper,
        feature: &FeatureState,
        max_age: Option<Span>,
    ) -> (Bounds, Terms) {
        let bounds = feature.bounds(self.clock, oldest_if_needed(keeper, feature));
        let ttl = feature.terms_at(self.seen_from).ttl;
        let max_age = match (ttl, max_age) {
            (Some(ttl), Some(max_age)) => Some(ttl.min(max_age)),
            (ttl, max_age) => ttl.or(max_age),
        };
        (bounds, Terms { max_age, stale: bounds.stale, forgotten: bounds.forgotten })
    }
}

/// Only a feature whose TTL was altered has bounds that depend on snapshots.
fn oldest_if_needed(keeper: &Keeper, feature: &FeatureState) -> Option<Commit> {
    if feature.changes().len() > 1 { keeper.snapshots.oldest() } else { None }
}

impl Plan {
    /// Makes a read ready.
    pub(crate) fn new(keeper: &Keeper, features: &Selection, read: &Read) -> Result<Self> {
        let pinned = Pinned::new(keeper, &read.stand)?;
        Self::of(keeper, pinned, features, read)
    }

    /// Makes a read of a pinned state ready.
    pub(crate) fn of(
        keeper: &Keeper,
        pinned: Pinned,
        features: &Selection,
        read: &Read,
    ) -> Result<Self> {
        features.check_of(keeper)?;
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
        View::of(&self.state.taken, entity, self.stamp.commit, self.known_at)
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
    check_stamp(keeper, &read.stand, ask, feature)?;
    let horizon = ask.horizon.unwrap_or(EventTime::MIN);
    let shift = |base| shifted(base, read.delay, read.before);
    let (asked, t) = match read.moment {
        Moment::Now => {
            let t = shift(pinned.now.max(horizon));
            (t, t)
        }
        Moment::AsOf(t) => (shift(t), shift(t)),
        Moment::Span(from, to) => (i128::from(from.0), i128::from(to.0)),
    };
    let known_at = read.known_at.map(|known_at| i128::from(known_at.0));
    let is_below = |asked: &i128| ask.horizon.is_some() && *asked < i128::from(horizon.0);
    match Some(asked).filter(is_below).or(known_at.filter(is_below)) {
        Some(asked) => {
            let (feature, asked) = (feature.name.clone(), clamp(asked));
            Err(Error::BelowHorizon { feature, asked, horizon })
        }
        None => Ok(i64::try_from(t).ok().map(EventTime)),
    }
}

/// Refuses to stand at a stamp from below the horizon of a feature: what it saw may be gone.
pub(crate) fn check_stamp(
    keeper: &Keeper,
    stand: &Stand,
    ask: &Ask,
    feature: &Feature,
) -> Result<()> {
    let (Stand::Stamp(stamp), Some(horizon)) = (stand, ask.horizon) else { return Ok(()) };
    if stamp.now >= horizon && !keeper.commits.lock().any_between(stamp.commit, horizon.0) {
        return Ok(());
    }
    let asked = stamp.now.min(EventTime(stamp.commit.0)).0;
    Err(Error::BelowHorizon { feature: feature.name.clone(), asked, horizon })
}

/// A moment so much earlier, and one microsecond more if it is itself excluded.
pub(crate) fn shifted(base: EventTime, delay: Span, before: bool) -> i128 {
    i128::from(base.0) - i128::from(delay.micros()) - i128::from(before)
}

/// The nearest moment that can be written down.
pub(crate) fn clamp(t: i128) -> i64 {
    i64::try_from(t).unwrap_or(if t < 0 { i64::MIN } else { i64::MAX })
}
