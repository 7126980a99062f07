//! What a store has to do to be measured: take batches, settle, answer rows and points, join, close.
//!
//! Everybody is asked the same: the answer of a row is in the caller's cells when the call returns,
//! each request sees all earlier writes, and a join gives one row for each row of its spine, in the
//! spine's order.

use std::path::Path;

use crate::Outcome;

/// One value of one feature of one entity, with the time at which it became true.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Record {
    /// When it became true.
    pub time: i64,
    /// The value.
    pub value: f64,
    /// The number of the entity.
    pub entity: u32,
    /// The number of the feature.
    pub feature: u16,
}

/// A text in place of a number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextRecord {
    /// When it became true.
    pub time: i64,
    /// The number of the entity.
    pub entity: u32,
    /// The number of the feature.
    pub feature: u16,
    /// The text.
    pub text: String,
}

/// An answer: a value and its event time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cell {
    /// When it became true; the least number: there is no value.
    pub time: i64,
    /// The value.
    pub value: f64,
}

impl Cell {
    /// There is no value.
    pub const MISSING: Self = Self { time: i64::MIN, value: 0.0 };
}

/// A sum that tells cells from others, whatever their places.
pub fn checksum(cells: &[Cell]) -> u64 {
    cells.iter().enumerate().fold(0u64, |sum, (place, cell)| {
        let cell = cell.time.cast_unsigned() ^ cell.value.to_bits().rotate_left(17);
        sum.wrapping_add(cell.wrapping_mul(2 * place as u64 + 0x9e37_79b9_7f4a_7c15))
    })
}

/// Texts with their event times, newest first, in room that is used again.
#[derive(Clone, Debug, Default)]
pub struct Texts {
    times: Vec<i64>,
    bytes: Vec<u8>,
}

impl Texts {
    /// Forgets them.
    pub fn clear(&mut self) {
        self.times.clear();
        self.bytes.clear();
    }

    /// How many there are.
    #[allow(dead_code, reason = "who asks depends on the peers that are built in")]
    pub const fn len(&self) -> usize {
        self.times.len()
    }

    /// Adds one.
    pub fn push(&mut self, time: i64, text: &[u8]) {
        self.times.push(time);
        self.bytes.extend_from_slice(text);
    }

    /// The event time of the newest one.
    pub fn newest(&self) -> Option<i64> {
        self.times.first().copied()
    }

    /// Whether there is this one alone.
    pub fn is_one(&self, time: i64, text: &[u8]) -> bool {
        self.times == [time] && self.bytes == text
    }

    /// A sum that tells them from others.
    pub fn checksum(&self) -> u64 {
        let times = self.times.iter().map(|time| time.cast_unsigned());
        let words = self
            .bytes
            .chunks(8)
            .map(|some| some.iter().fold(0, |word: u64, byte| word << 8 | u64::from(*byte)));
        times.chain(words).fold(self.times.len() as u64, |sum, word| {
            (sum ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
        })
    }
}

/// One row of the spine of a join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpineRow {
    /// The number of the entity.
    pub entity: u32,
    /// The moment that is asked about.
    pub t: i64,
}

/// How a batch is written.
#[allow(dead_code, reason = "which fields are read depends on the peers that are built in")]
#[derive(Clone, Copy, Debug, Default)]
pub struct Write {
    /// Records may be older than what is there: a table of newest versions has to look first.
    pub may_be_late: bool,
    /// The batch is on the disk when it is acknowledged.
    pub synced: bool,
}

/// What a store is opened for.
#[allow(dead_code, reason = "which fields are read depends on the peers that are built in")]
#[derive(Clone, Copy, Debug, Default)]
pub struct Setup {
    /// How many features there are.
    pub features: u16,
    /// About how many records it will hold.
    pub records: u64,
    /// Batches will be synced.
    pub synced: bool,
    /// Values are texts.
    pub text: bool,
    /// What is written stays in the log: memtables are so large that none is flushed.
    pub stays_in_log: bool,
}

/// A store that is measured.
pub trait Peer: Sync {
    /// Writes a batch.
    fn write(&self, batch: &[Record], how: Write) -> Outcome<()>;
    /// Ends all work in the background, with everything on the disk.
    fn settle(&self) -> Outcome<()>;
    /// Begins to read, for one thread.
    fn reader(&self) -> Outcome<Box<dyn Reader + '_>>;
    /// Joins a spine with all features. The plan is one of [`Reader::plans`].
    fn join(&self, spine: &[SpineRow], threads: usize, plan: usize) -> Outcome<Box<dyn Joined>>;
    /// Writes texts.
    fn write_text(&self, _batch: &[TextRecord]) -> Outcome<()> {
        Err("holds no texts".into())
    }
    /// The text as of a moment.
    fn text(&self, _entity: u32, _feature: u16, _t: i64) -> Outcome<Option<String>> {
        Err("holds no texts".into())
    }
    /// How many sources lookups have visited, and how many lookups there were, where that is told.
    fn visits(&self) -> Option<(f64, f64)> {
        None
    }
    /// Bytes of the log that holds what is in memory, where that is told.
    fn log_bytes(&self) -> Option<u64> {
        None
    }
    /// Whether what it holds is in files, to be opened again.
    fn is_kept(&self) -> bool {
        true
    }
    /// Closes the store as one that is done with it does.
    fn close(self: Box<Self>) -> Outcome<()>;
}

/// Reads of one thread.
pub trait Reader {
    /// The ways in which it can answer a row; the fastest of them is measured.
    fn plans(&self) -> &'static [&'static str] {
        &["-"]
    }
    /// Answers rows in one of these ways from now on.
    fn set_plan(&mut self, _plan: usize) {}
    /// The newest versions of the first features of an entity, one a cell.
    fn latest_row(&mut self, entity: u32, cells: &mut [Cell]) -> Outcome<()>;
    /// As [`Reader::latest_row`], as of a moment.
    fn as_of_row(&mut self, entity: u32, t: i64, cells: &mut [Cell]) -> Outcome<()>;
    /// The newest version of a feature.
    fn latest_point(&mut self, entity: u32, feature: u16) -> Outcome<Cell>;
    /// The version of a feature as of a moment.
    fn as_of_point(&mut self, entity: u32, feature: u16, t: i64) -> Outcome<Cell>;
    /// The newest texts of a feature of an entity as of a moment, newest first and at most so many, into
    /// room that is empty.
    fn last_texts(
        &mut self,
        _series: (u32, u16),
        _t: i64,
        _most: usize,
        _out: &mut Texts,
    ) -> Outcome<()> {
        Err("holds no texts".into())
    }
    /// The newest text of a feature, into room that is empty.
    fn latest_text(&mut self, entity: u32, feature: u16, out: &mut Texts) -> Outcome<()> {
        self.last_texts((entity, feature), i64::MAX, 1, out)
    }
    /// The newest versions of the first features of many entities, one after another.
    fn latest_rows(&mut self, entities: &[u32], width: usize, cells: &mut [Cell]) -> Outcome<()> {
        for (entity, cells) in entities.iter().zip(cells.chunks_mut(width)) {
            self.latest_row(*entity, cells)?;
        }
        Ok(())
    }
}

/// What a join gave.
pub trait Joined {
    /// A cell of it.
    fn cell(&self, row: usize, feature: usize) -> Cell;
}

/// On which side of the comparison somebody stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The store that this is all about.
    Ours,
    /// An engine that a user would pick instead.
    Peer,
    /// What memory alone could do.
    Floor,
}

/// How to open a store in a directory, which it finds empty or as it left it.
pub type Open = fn(&Path, Setup) -> Outcome<Box<dyn Peer>>;

/// Somebody who takes part.
#[derive(Clone, Copy)]
pub struct Entrant {
    /// Its name.
    pub name: &'static str,
    /// Its side.
    pub role: Role,
    /// How it is opened.
    pub open: Open,
}

/// Rows of cells, one after another.
pub struct Cells {
    /// How many there are in a row.
    pub width: usize,
    /// All of them.
    pub cells: Vec<Cell>,
}

impl Joined for Cells {
    fn cell(&self, row: usize, feature: usize) -> Cell {
        self.cells[row * self.width + feature]
    }
}

/// Answers the rows of one entity, whose times rise: a row of cells for each time.
pub type JoinEntity<'a> = Box<dyn FnMut(u32, &[i64], &mut [Cell]) -> Outcome<()> + 'a>;

/// Joins as somebody does who knows the store: the spine is sorted by entity and time first, each
/// entity is visited once, and the entities are split over the threads.
pub fn join_by_entity<'a, F>(
    spine: &[SpineRow],
    width: usize,
    threads: usize,
    begin: F,
) -> Outcome<Box<dyn Joined>>
where
    F: Fn() -> Outcome<JoinEntity<'a>> + Sync,
{
    let mut order: Vec<usize> = (0..spine.len()).collect();
    let key = |row: &usize| (spine[*row].entity, spine[*row].t);
    if !order.is_sorted_by_key(key) {
        order.sort_unstable_by_key(key);
    }
    let mut cells = vec![Cell::MISSING; spine.len() * width];
    let visit = |order: &[usize], put: &mut dyn FnMut(usize, usize, &[Cell])| -> Outcome<()> {
        let mut join = begin()?;
        let (mut times, mut found, mut place) = (Vec::new(), Vec::new(), 0);
        for rows in order.chunk_by(|a, b| spine[*a].entity == spine[*b].entity) {
            times.clear();
            times.extend(rows.iter().map(|row| spine[*row].t));
            found.clear();
            found.resize(rows.len() * width, Cell::MISSING);
            join(spine[rows[0]].entity, &times, &mut found)?;
            for (row, found) in rows.iter().zip(found.chunks(width)) {
                put(place, *row, found);
                place += 1;
            }
        }
        Ok(())
    };
    if threads == 1 {
        visit(&order, &mut |_, row, found| {
            cells[row * width..(row + 1) * width].copy_from_slice(found);
        })?;
        return Ok(Box::new(Cells { width, cells }));
    }
    let mut parts = Vec::new();
    let mut rest = &order[..];
    for left in (1..=threads).rev() {
        let mut at = rest.len() / left;
        while at > 0 && at < rest.len() && spine[rest[at]].entity == spine[rest[at - 1]].entity {
            at += 1;
        }
        let (part, later) = rest.split_at(at);
        parts.push(part);
        rest = later;
    }
    std::thread::scope(|scope| -> Outcome<()> {
        let work = parts.iter().map(|part| {
            scope.spawn(|| -> Result<Vec<Cell>, String> {
                let mut own = vec![Cell::MISSING; part.len() * width];
                visit(part, &mut |place, _, found| {
                    own[place * width..(place + 1) * width].copy_from_slice(found);
                })
                .map_err(|error| error.to_string())?;
                Ok(own)
            })
        });
        let work: Vec<_> = work.collect();
        for (work, part) in work.into_iter().zip(&parts) {
            let own = work.join().map_err(|_| "a joining thread panicked")??;
            for (row, found) in part.iter().zip(own.chunks(width)) {
                cells[row * width..(row + 1) * width].copy_from_slice(found);
            }
        }
        Ok(())
    })?;
    Ok(Box::new(Cells { width, cells }))
}
