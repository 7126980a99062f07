//! The numeric data sets of the comparison, in arrays from which every answer can be told.
//!
//! Version `v` of a feature becomes true in the first twenty minutes of hour `v`, at a microsecond
//! of its own (A, C) or of its entity (D); values are random walks with two decimals. A perfect
//! model spends 30.2 bits on such a time and 7.7 on such a step.

use crate::data::{HOUR, mix};
use crate::peers::peer::{Cell, Record, SpineRow};

/// A third of an hour in microseconds: what times are scattered over.
const SCATTER: u64 = 1_200_000_000;

/// The first hour.
const START: i64 = 1_700_000_000_000_000 / HOUR * HOUR;

/// The shape of a data set.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// How many entities.
    pub entities: u32,
    /// How many features each has.
    pub features: u16,
    /// How many versions each feature has.
    pub versions: u32,
    /// Whether the features of an entity share their times.
    pub shared_times: bool,
}

impl Size {
    /// How many records there are.
    pub fn records(&self) -> u64 {
        u64::from(self.entities) * u64::from(self.features) * u64::from(self.versions)
    }

    /// With fewer entities.
    pub fn scaled(self, scale: f64) -> Self {
        #[expect(clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "a share")]
        let entities = (f64::from(self.entities) * scale).ceil() as u32;
        Self { entities: entities.max(10), ..self }
    }

    /// The first moment of the data, and the moment after it.
    pub fn span(&self) -> (i64, i64) {
        (START, START + i64::from(self.versions) * HOUR)
    }

    /// The versions of a feature of an entity, the oldest first: event time and value.
    pub fn series(self, entity: u32, feature: u16) -> impl Iterator<Item = (i64, f64)> {
        let of_entity = u64::from(entity) << 16;
        let series = mix(of_entity | u64::from(feature));
        let times = if self.shared_times { mix(of_entity | 0xffff) } else { mix(series) };
        let mut cents = i32::try_from(series % 100_000).unwrap_or_default();
        (0..u64::from(self.versions)).map(move |version| {
            let drawn = mix(times.wrapping_add(version)) % SCATTER;
            let step = mix(series ^ (version << 20) ^ 0xabcd) % 201;
            if version > 0 {
                cents += i32::try_from(step).unwrap_or_default() - 100;
            }
            let time = START + version.cast_signed() * HOUR + drawn.cast_signed();
            (time, f64::from(cents) / 100.0)
        })
    }

    /// The version of a feature as of a moment, drawn anew: no memory is held for it.
    pub fn as_of(self, entity: u32, feature: u16, t: i64) -> Cell {
        let found = self.series(entity, feature).take_while(|(time, _)| *time <= t).last();
        found.map_or(Cell::MISSING, |(time, value)| Cell { time, value })
    }

    /// The n-th of some random questions.
    pub fn ask(&self, n: usize, salt: u64, zipf: Option<&Zipf>) -> Ask {
        let (from, to) = self.span();
        let drawn = mix(mix(salt) ^ n as u64);
        let entity = match zipf {
            Some(zipf) => zipf.draw(mix(drawn ^ 1)),
            None => below(mix(drawn ^ 1), self.entities),
        };
        let feature = below(mix(drawn ^ 2), u32::from(self.features));
        let t = from + (mix(drawn ^ 3) % (to - from).unsigned_abs()).cast_signed();
        Ask { entity, feature: u16::try_from(feature).unwrap_or_default(), t }
    }

    /// The spine of a join: random rows, in no order or sorted by entity and time.
    pub fn spine(&self, rows: usize, sorted: bool) -> Vec<SpineRow> {
        let row = |ask: Ask| SpineRow { entity: ask.entity, t: ask.t };
        let mut spine: Vec<SpineRow> = (0..rows).map(|n| row(self.ask(n, 0x5b1e, None))).collect();
        if sorted {
            spine.sort_unstable_by_key(|row| (row.entity, row.t));
        }
        spine
    }

    /// How many bytes a record takes at least, on average: what a perfect model spends on times
    /// and steps, and on the first values.
    pub fn perfect_bytes(&self) -> f64 {
        let times = (SCATTER as f64).log2();
        let shared = if self.shared_times { f64::from(self.features) } else { 1.0 };
        let steps = (f64::from(self.versions) - 1.0) * 201f64.log2() + 100_000f64.log2();
        (times / shared + steps / f64::from(self.versions)) / 8.0
    }
}

/// A data set.
pub struct Data {
    /// Its shape.
    pub size: Size,
    times: Vec<i64>,
    values: Vec<f64>,
}

impl Data {
    /// Makes all of it.
    pub fn new(size: Size) -> Self {
        let count = usize::try_from(size.records()).unwrap_or_default();
        let mut data =
            Self { size, times: Vec::with_capacity(count), values: Vec::with_capacity(count) };
        for entity in 0..size.entities {
            for feature in 0..size.features {
                for (time, value) in size.series(entity, feature) {
                    data.times.push(time);
                    data.values.push(value);
                }
            }
        }
        data
    }

    fn first(&self, entity: u32, feature: u16) -> usize {
        (entity as usize * usize::from(self.size.features) + usize::from(feature))
            * self.size.versions as usize
    }

    /// All records in the order in which they arrive: the order of their event times, of which a
    /// share of a hundred comes one to five hours late.
    pub fn arrivals(&self, late: u64) -> Vec<Record> {
        let records = self.arrivals_after(|place, _| {
            let drawn = mix(place as u64 ^ 0x1a7e);
            let delay = HOUR + (mix(drawn) % (4 * HOUR.unsigned_abs())).cast_signed();
            if drawn % 100 < late { delay } else { 0 }
        });
        records.into_iter().map(|(_, record)| record).collect()
    }

    /// All records in the order in which they arrive, each so long after its event time as is told of
    /// its place and its time; with the moment of its arrival.
    pub fn arrivals_after(&self, delay: impl Fn(usize, i64) -> i64) -> Vec<(i64, Record)> {
        let mut records: Vec<(i64, Record)> = Vec::with_capacity(self.times.len());
        let mut place = 0;
        for entity in 0..self.size.entities {
            for feature in 0..self.size.features {
                for _ in 0..self.size.versions {
                    let (time, value) = (self.times[place], self.values[place]);
                    let arrival = time + delay(place, time);
                    records.push((arrival, Record { time, value, entity, feature }));
                    place += 1;
                }
            }
        }
        records.sort_unstable_by_key(|(arrival, record)| (*arrival, record.entity, record.feature));
        records
    }

    /// The place of a version among all.
    pub fn place(&self, entity: u32, feature: u16, time: i64) -> usize {
        let first = self.first(entity, feature);
        let times = &self.times[first..first + self.size.versions as usize];
        first + times.partition_point(|other| *other < time)
    }

    /// The newest version of a feature that is chosen by its place and its time.
    pub fn newest(&self, entity: u32, feature: u16, chosen: impl Fn(usize, i64) -> bool) -> Cell {
        let first = self.first(entity, feature);
        let mut places = (first..first + self.size.versions as usize).rev();
        let found = places.find(|place| chosen(*place, self.times[*place]));
        found.map_or(Cell::MISSING, |at| Cell { time: self.times[at], value: self.values[at] })
    }

    /// The version of a feature as of a moment.
    pub fn as_of(&self, entity: u32, feature: u16, t: i64) -> Cell {
        let first = self.first(entity, feature);
        let times = &self.times[first..first + self.size.versions as usize];
        match times.partition_point(|time| *time <= t) {
            0 => Cell::MISSING,
            after => {
                Cell { time: self.times[first + after - 1], value: self.values[first + after - 1] }
            }
        }
    }

    /// Random questions.
    pub fn asks(&self, count: usize, salt: u64, zipf: Option<&Zipf>) -> Vec<Ask> {
        (0..count).map(|n| self.size.ask(n, salt, zipf)).collect()
    }
}

/// A question: an entity, one of its features, a moment.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    /// The entity.
    pub entity: u32,
    /// The feature.
    pub feature: u16,
    /// The moment.
    pub t: i64,
}

/// A number below another, all of them as often.
pub fn below(drawn: u64, limit: u32) -> u32 {
    u32::try_from((u128::from(drawn) * u128::from(limit)) >> 64).unwrap_or_default()
}

/// A number drawn from the normal distribution about 0.
pub fn normal(drawn: u64) -> f64 {
    let even = |drawn: u64| ((drawn >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
    let angle = std::f64::consts::TAU * even(mix(drawn));
    (-2.0 * even(drawn).ln()).sqrt() * angle.cos()
}

/// Entities of which few are asked for often.
pub struct Zipf {
    /// What share of the draws goes to the first so many entities.
    shares: Vec<f64>,
}

impl Zipf {
    /// The n-th is drawn as often as 1 / n^exponent.
    pub fn new(entities: u32, exponent: f64) -> Self {
        let mut sum = 0.0;
        let mut shares: Vec<f64> = (1..=entities)
            .map(|rank| {
                sum += f64::from(rank).powf(-exponent);
                sum
            })
            .collect();
        shares.iter_mut().for_each(|share| *share /= sum);
        Self { shares }
    }

    /// Draws an entity. Those that are asked for often are not neighbours.
    pub fn draw(&self, drawn: u64) -> u32 {
        let at = (drawn >> 11) as f64 / (1u64 << 53) as f64;
        let rank = self.shares.partition_point(|share| *share < at).min(self.shares.len() - 1);
        below(mix(rank as u64 ^ 0x21bf), u32::try_from(self.shares.len()).unwrap_or_default())
    }
}
