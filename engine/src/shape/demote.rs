//! Which versions leave the present for the past, and for which window of it.
//!
//! A version leaves once it is superseded: some newer revision of the entity and feature, which
//! nothing has taken away, has its event time, known time and commit all at or before the limit.
//! The least moment of which that is true is when the version was superseded. Who asks about that
//! moment or a later one, and sees its commit, is never answered by the version.
//!
//! Windows stand side by side and cover all time up to the limit; a version goes to the window that
//! its event time lies in.

use asofdb_format::ids::{Commit, EventTime, FeatureId};
use asofdb_format::revision::Revision;

use crate::files::scan::EntityRevisions;
use crate::state::taken::Taken;

/// A window of the past, and the run that is made for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) run: u64,
    pub(crate) first: EventTime,
    pub(crate) last: EventTime,
}

/// What goes to one window of one entity.
#[derive(Debug, Default)]
pub(crate) struct Demoted {
    pub(crate) features: Vec<(FeatureId, Vec<Revision>)>,
    /// When the last of it was superseded.
    pub(crate) superseded: EventTime,
}

/// Takes out of an entity what leaves the present: window by window of these, which ascend and
/// cover all time up to `limit`.
pub(crate) fn demote(
    entity: &mut EntityRevisions,
    limit: EventTime,
    windows: &[Window],
    taken: &Taken,
    erased: Option<Commit>,
) -> Vec<(usize, Demoted)> {
    let mut gone: Vec<(usize, Demoted)> = Vec::new();
    for (feature, revisions) in &mut entity.features {
        let moments = superseded_at(revisions, taken, erased);
        if !moments.iter().any(|moment| moment.is_some_and(|moment| moment <= limit)) {
            continue;
        }
        let mut moments = moments.into_iter();
        let leaves = |revision: &Revision, moment: Option<EventTime>| {
            let moment = moment.filter(|moment| *moment <= limit)?;
            let event_time = revision.order.event_time;
            let window = windows.partition_point(|window| window.last < event_time);
            (window < windows.len()).then_some((window, moment))
        };
        revisions.retain(|revision| {
            let Some((window, moment)) = leaves(revision, moments.next().flatten()) else {
                return true;
            };
            let place = gone.iter().position(|(other, _)| *other == window);
            let place = place.unwrap_or_else(|| {
                let nothing = Demoted { features: Vec::new(), superseded: EventTime::MIN };
                gone.push((window, nothing));
                gone.len() - 1
            });
            if let Some((_, demoted)) = gone.get_mut(place) {
                demoted.superseded = demoted.superseded.max(moment);
                match demoted.features.last_mut() {
                    Some((last, all)) if last == feature => all.push(revision.clone()),
                    _ => demoted.features.push((*feature, vec![revision.clone()])),
                }
            }
            false
        });
    }
    if !gone.is_empty() {
        entity.raw = None;
        entity.features.retain(|(_, revisions)| !revisions.is_empty());
    }
    gone
}

/// When each revision was superseded; `None`: by nothing yet.
fn superseded_at(
    revisions: &[Revision],
    taken: &Taken,
    erased: Option<Commit>,
) -> Vec<Option<EventTime>> {
    let mut moments = vec![None; revisions.len()];
    let mut least: Option<EventTime> = None;
    for (revision, moment) in revisions.iter().zip(&mut moments).rev() {
        *moment = least;
        let order = revision.order;
        let is_taken = erased.is_some_and(|erase| order.commit < erase)
            || taken.is_reverted(order.commit, revision.source, Commit::MAX);
        if !is_taken {
            let stands = order.event_time.0.max(order.known_time.0).max(order.commit.0);
            least = Some(EventTime(least.map_or(stands, |least| least.0.min(stands))));
        }
    }
    moments
}

#[cfg(test)]
mod tests {
    use asofdb_format::hash::{EntityHash, EraseKey};
    use asofdb_format::ids::{KnownTime, SourceId};
    use asofdb_format::revision::{Order, Payload};
    use asofdb_format::value::Kind;
    use bytes::Bytes;

    use super::*;
    use crate::state::taken::{Revert, Reverted};

    fn revision(event_time: i64, commit: i64, source: u32) -> Revision {
        Revision {
            order: Order {
                event_time: EventTime(event_time),
                known_time: KnownTime(commit),
                commit: Commit(commit),
            },
            kind: Kind::Value,
            source: SourceId(source),
            payload: Payload::Bits(0),
        }
    }

    fn entity(revisions: Vec<Revision>) -> EntityRevisions {
        EntityRevisions {
            hash: EntityHash::of(b"e"),
            entity: Bytes::from_static(b"e"),
            features: vec![(FeatureId(1), revisions)],
            raw: None,
        }
    }

    const ALL: Window = Window { run: 1, first: EventTime::MIN, last: EventTime(100) };

    #[test]
    fn a_version_leaves_before_every_reader_sees_what_superseded_it() {
        let taken = Taken::new(EraseKey([0; 16]));
        // The newer version has a later commit than event time: readers see it from there on.
        let revisions = || vec![revision(10, 11, 0), revision(20, 50, 0), revision(30, 31, 0)];
        let mut at_30 = entity(revisions());
        assert!(demote(&mut at_30, EventTime(30), &[ALL], &taken, None).is_empty());
        let mut at_31 = entity(revisions());
        let gone = demote(&mut at_31, EventTime(31), &[ALL], &taken, None);
        assert_eq!(gone.len(), 1);
        assert_eq!(gone[0].1.superseded, EventTime(31));
        assert_eq!(gone[0].1.features[0].1.len(), 2);
        assert_eq!(at_31.features[0].1, vec![revision(30, 31, 0)]);
    }

    #[test]
    fn a_version_is_superseded_by_one_that_was_taken_away() {
        let mut taken = Taken::new(EraseKey([0; 16]));
        taken.revert(Revert { commit: Commit(60), what: Reverted::Source(SourceId(7)) });
        let mut reverted = entity(vec![revision(10, 11, 0), revision(20, 21, 7)]);
        assert!(demote(&mut reverted, EventTime(100), &[ALL], &taken, None).is_empty());
        let mut erased = entity(vec![revision(10, 11, 0), revision(20, 21, 0)]);
        let erase = Some(Commit(22));
        assert!(demote(&mut erased, EventTime(100), &[ALL], &taken, erase).is_empty());
    }

    #[test]
    fn a_version_goes_to_another_window_than_that_of_its_event_time() {
        let taken = Taken::new(EraseKey([0; 16]));
        let older = Window { run: 1, first: EventTime::MIN, last: EventTime(19) };
        let newer = Window { run: 2, first: EventTime(20), last: EventTime(100) };
        let revisions = [10, 19, 20, 30, 40].map(|at| revision(at, at, 0));
        let mut all = entity(revisions.to_vec());
        let gone = demote(&mut all, EventTime(100), &[older, newer], &taken, None);
        let times = |n: usize| -> Vec<i64> {
            gone[n].1.features[0].1.iter().map(|r| r.order.event_time.0).collect()
        };
        assert_eq!((gone[0].0, times(0)), (0, vec![10, 19]));
        assert_eq!((gone[1].0, times(1)), (1, vec![20, 30]));
        assert_eq!(gone[0].1.superseded, EventTime(20));
    }
}
