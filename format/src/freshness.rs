//! How fresh a table's features are: a few event times stand for those of all its entities.
//!
//! ```text
//! varint   number of features; each, ascending by id:
//!     varint id
//!     zigzag greatest known time of its revisions
//!     varint number N of entities whose newest revision of it here is no delete
//!     if N > 0: zigzag the first point
//!               min(N, POINTS) - 1 varints, each what a point lies above the one before
//! ```
//!
//! The points are event times of those newest revisions, ascending: all of them if there are up to
//! [`POINTS`], else those at the ranks of [`rank`], so that the first is the least and the last
//! the greatest. They are finer at the old end, where ages are asked for. Above [`SAMPLE`]
//! entities ranks are those of every second, fourth and so on, so what a writer holds is bounded.

use crate::ids::{EventTime, FeatureId, KnownTime};
use crate::value::Kind;
use crate::wire::{Decoded, Reader, Writer, narrow, wide};

/// How many points a feature has at the most.
pub const POINTS: usize = 33;

/// From how many entities, at the most, a writer picks the points.
pub const SAMPLE: usize = 16_384;

/// Where the points lie among the entities, in thousandths.
const THOUSANDTHS: [u64; POINTS] = [
    0, 1, 2, 5, 10, 20, 30, 40, 50, 75, 100, 125, 150, 200, 250, 300, 350, 400, 450, 500, 550, 600,
    650, 700, 750, 800, 850, 900, 950, 975, 990, 999, 1000,
];

/// The rank of a point among `count` event times, ascending from 0; `None` if it has no such point.
#[must_use]
pub fn rank(point: usize, count: u64) -> Option<u64> {
    if count <= wide(POINTS) {
        return (wide(point) < count).then_some(wide(point));
    }
    let part = u128::from(*THOUSANDTHS.get(point)?) * u128::from(count - 1) / 1000;
    u64::try_from(part).ok()
}

/// How fresh a feature of a table is.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FeatureFreshness {
    /// The greatest known time of its revisions.
    pub newest_known: KnownTime,
    /// How many entities have a newest revision that is no delete.
    pub entities: u64,
    /// Event times of those revisions, ascending, at the ranks of [`rank`].
    pub points: Vec<EventTime>,
}

/// How fresh the features of a table are.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Freshness {
    /// Each feature that the table holds, ascending.
    pub features: Vec<(FeatureId, FeatureFreshness)>,
}

impl Freshness {
    /// A feature's, if the table holds it.
    #[must_use]
    pub fn get(&self, feature: FeatureId) -> Option<&FeatureFreshness> {
        let place = self.features.binary_search_by_key(&feature, |(id, _)| *id).ok()?;
        self.features.get(place).map(|(_, found)| found)
    }

    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.put_varint(wide(self.features.len()));
        for (id, feature) in &self.features {
            out.put_varint(u64::from(id.0));
            out.put_zigzag(feature.newest_known.0);
            out.put_varint(feature.entities);
            let mut before = None;
            for point in &feature.points {
                match before {
                    None => out.put_zigzag(point.0),
                    Some(before) => out.put_varint(point.0.wrapping_sub(before).cast_unsigned()),
                }
                before = Some(point.0);
            }
        }
        out
    }

    /// Reads the section of a table.
    pub fn decode(bytes: &[u8]) -> Decoded<Self> {
        let mut reader = Reader::new(bytes);
        let reader = &mut reader;
        let mut features: Vec<(FeatureId, FeatureFreshness)> = Vec::new();
        for _ in 0..reader.count()? {
            let fault = reader.fault("features that ascend");
            let id = FeatureId(reader.varint_u32()?);
            if features.last().is_some_and(|(last, _)| *last >= id) {
                return Err(fault);
            }
            let newest_known = KnownTime(reader.zigzag()?);
            let entities = reader.varint()?;
            let mut points = Vec::new();
            for _ in 0..narrow(entities).min(POINTS) {
                let fault = reader.fault("event times that can be written down");
                let point = match points.last() {
                    None => reader.zigzag()?,
                    Some(EventTime(before)) => {
                        i64::checked_add_unsigned(*before, reader.varint()?).ok_or(fault)?
                    }
                };
                points.push(EventTime(point));
            }
            features.push((id, FeatureFreshness { newest_known, entities, points }));
        }
        reader.end()?;
        Ok(Self { features })
    }
}

/// Gathers how fresh the features of a table are, entity by entity in the order of its rows.
#[derive(Clone, Debug, Default)]
pub struct Gauge {
    /// Ascending by feature.
    features: Vec<(FeatureId, Gathered)>,
    /// Where the feature is that is mostly asked for next.
    next: usize,
}

/// The place of a feature in an ascending list, where something new is put if there is nothing.
/// Features are mostly asked for one after another.
pub(crate) fn place_of<T>(
    list: &mut Vec<(FeatureId, T)>,
    next: &mut usize,
    feature: FeatureId,
    new: impl FnOnce() -> T,
) -> usize {
    let is_next = list.get(*next).is_some_and(|(id, _)| *id == feature);
    let found = if is_next { Ok(*next) } else { list.binary_search_by_key(&feature, |of| of.0) };
    let place = found.unwrap_or_else(|place| {
        list.insert(place, (feature, new()));
        place
    });
    *next = place + 1;
    place
}

/// What is gathered of a feature: of the entities that come, every `stride`-th is kept.
#[derive(Clone, Debug)]
struct Gathered {
    newest_known: KnownTime,
    entities: u64,
    least: EventTime,
    greatest: EventTime,
    stride: u64,
    kept: Vec<EventTime>,
}

impl Gauge {
    fn of(&mut self, feature: FeatureId) -> Option<&mut Gathered> {
        let place = place_of(&mut self.features, &mut self.next, feature, || Gathered {
            newest_known: KnownTime::MIN,
            entities: 0,
            least: EventTime::MAX,
            greatest: EventTime::MIN,
            stride: 1,
            kept: Vec::new(),
        });
        self.features.get_mut(place).map(|(_, of)| of)
    }

    /// Takes the greatest known time of some revisions.
    pub fn known(&mut self, feature: FeatureId, known: KnownTime) {
        if let Some(of) = self.of(feature) {
            of.newest_known = of.newest_known.max(known);
        }
    }

    /// Takes the newest revision of the next entity, of all its rows.
    pub fn newest(&mut self, feature: FeatureId, event_time: EventTime, kind: Kind) {
        let Some(of) = self.of(feature) else { return };
        if kind == Kind::Deleted {
            return;
        }
        of.least = of.least.min(event_time);
        of.greatest = of.greatest.max(event_time);
        if of.entities.is_multiple_of(of.stride) {
            if of.kept.len() == SAMPLE {
                let mut place = 0usize;
                of.kept.retain(|_| {
                    place += 1;
                    !place.is_multiple_of(2)
                });
                of.stride *= 2;
            }
            of.kept.push(event_time);
        }
        of.entities += 1;
    }

    /// What was gathered.
    #[must_use]
    pub fn finish(self) -> Freshness {
        let features = self.features.into_iter().map(|(id, of)| (id, of.finish()));
        Freshness { features: features.collect() }
    }
}

impl Gathered {
    fn finish(mut self) -> FeatureFreshness {
        self.kept.sort_unstable();
        let kept = wide(self.kept.len());
        let at = |rank: u64| self.kept.get(narrow(rank)).copied();
        let mut points: Vec<EventTime> =
            (0..POINTS).filter_map(|point| at(rank(point, kept)?)).collect();
        if self.stride > 1 {
            // What was passed over may hold the ends.
            if let Some(first) = points.first_mut() {
                *first = self.least;
            }
            if let Some(last) = points.last_mut() {
                *last = self.greatest;
            }
        }
        FeatureFreshness { newest_known: self.newest_known, entities: self.entities, points }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FEATURE: FeatureId = FeatureId(7);

    fn gauge_of(times: impl IntoIterator<Item = i64>) -> FeatureFreshness {
        let mut gauge = Gauge::default();
        for time in times {
            gauge.known(FEATURE, KnownTime(time));
            gauge.newest(FEATURE, EventTime(time), Kind::Value);
        }
        gauge.finish().get(FEATURE).cloned().unwrap()
    }

    fn read_back(of: &FeatureFreshness) {
        let all = Freshness {
            features: vec![(FeatureId(1), FeatureFreshness::default()), (FEATURE, of.clone())],
        };
        let bytes = all.encode();
        assert_eq!(Freshness::decode(&bytes), Ok(all));
        for len in 0..bytes.len() {
            assert!(Freshness::decode(&bytes[..len]).is_err(), "{len} of {} bytes", bytes.len());
        }
        let longer = [bytes.as_slice(), &[0]].concat();
        assert!(Freshness::decode(&longer).is_err(), "bytes behind the end");
    }

    #[test]
    fn points_are_not_those_of_the_sorted_event_times() {
        for count in [1u64, 2, 32, 33, 34, 35, 100, 1000, 16_384] {
            // A permutation, as 7919 is prime and divides no count.
            let of = gauge_of((0..count).map(|n| (n * 7919 % count) as i64 * 3 - 50));
            let wanted: Vec<EventTime> = (0..POINTS)
                .filter_map(|point| rank(point, count))
                .map(|rank| EventTime(rank as i64 * 3 - 50))
                .collect();
            assert_eq!(wanted.len() as u64, count.min(33));
            assert_eq!((of.entities, of.points.as_slice()), (count, wanted.as_slice()));
            read_back(&of);
        }
    }

    #[test]
    fn a_sample_of_many_entities_loses_the_ends_or_the_shape() {
        let count = 3 * SAMPLE as i64 + 5;
        let scattered = |n: i64| n * 7919 % count;
        let of = gauge_of((0..count).map(scattered));
        assert_eq!(of.entities, count as u64);
        assert_eq!((of.points[0], of.points[POINTS - 1]), (EventTime(0), EventTime(count - 1)));
        // Every fourth from the first on.
        let mut kept: Vec<i64> = (0..count).step_by(4).map(scattered).collect();
        kept.sort_unstable();
        for (point, found) in of.points.iter().enumerate().take(POINTS - 1).skip(1) {
            let rank = rank(point, kept.len() as u64).unwrap();
            assert_eq!(*found, EventTime(kept[rank as usize]), "point {point}");
        }
        read_back(&of);
    }

    #[test]
    fn a_delete_counts_as_an_entity() {
        let mut gauge = Gauge::default();
        gauge.newest(FEATURE, EventTime(5), Kind::Deleted);
        gauge.newest(FEATURE, EventTime(4), Kind::Stub);
        gauge.newest(FEATURE, EventTime(6), Kind::Null);
        let of = gauge.finish();
        assert_eq!(of.features[0].1.points, [EventTime(4), EventTime(6)]);
        assert_eq!(of.features[0].1.entities, 2);
    }

    #[test]
    fn the_ends_of_time_wrap() {
        let of = gauge_of([i64::MIN, i64::MAX, i64::MIN, 0]);
        assert_eq!(of.points.first(), Some(&EventTime::MIN));
        assert_eq!(of.points.last(), Some(&EventTime::MAX));
        read_back(&of);
        // One feature: id, known, N; the first point and what the next lies above it.
        let mut bytes = vec![1, 7, 0, 2];
        bytes.put_zigzag(i64::MAX);
        bytes.put_varint(1);
        assert!(Freshness::decode(&bytes).is_err(), "a point behind all time");
    }

    #[test]
    fn features_that_do_not_ascend_are_taken() {
        assert!(Freshness::decode(&[2, 7, 0, 0, 8, 0, 0]).is_ok());
        assert!(Freshness::decode(&[2, 7, 0, 0, 7, 0, 0]).is_err());
        assert!(Freshness::decode(&[2, 8, 0, 0, 7, 0, 0]).is_err());
    }
}
