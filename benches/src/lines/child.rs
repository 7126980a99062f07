//! The child whose reads are traced: makes what a store has in memory, reads between marks, holds each answer
//! against the generator, and tells what lies where.

use std::collections::BTreeSet;
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use asofdb::{
    Batch, Durability, EventTime, FeatureSpec, JoinOptions, Options, Read, Selection, Store,
    ValueType,
};

use crate::Outcome;
use crate::counted::{self, Size, as_asked, check};
use crate::data::{HOUR, Shape, mix};
use crate::lines::{JOINED, Kind, READS};

/// So many entities have versions in memory, where any have.
const IN_MEMORY: u64 = 250;
/// So many events each user has.
const EVENTS: u64 = 200;

/// What is touched where a read begins, and where it ends.
static BEGIN: AtomicU64 = AtomicU64::new(0);
static END: AtomicU64 = AtomicU64::new(0);

/// What the line begins with that tells where these are.
pub const MARKS: &str = "marks ";

fn mark(which: &AtomicU64) {
    std::hint::black_box(which).store(1, Ordering::SeqCst);
}

/// A child's work.
#[derive(clap::Args, Clone, Debug)]
pub struct ChildArgs {
    kind: Kind,
    store: PathBuf,
    /// Where it tells what lies where.
    #[arg(long)]
    places: PathBuf,
    #[command(flatten)]
    size: Size,
}

/// Reads what is asked, once for nobody and once between marks.
pub fn run(args: &ChildArgs) -> Outcome<()> {
    let at = |mark: &AtomicU64| std::ptr::from_ref(mark).addr();
    // In one piece, or the trace would stand between its parts.
    let told = format!("{MARKS}{:x} {:x}\n", at(&BEGIN), at(&END));
    std::io::stderr().write_all(told.as_bytes())?;
    let store = Store::open(&args.store, Options::new())?;
    let shape = args.size.shape();
    // Where events are kept there are no others.
    let names = if args.kind == Kind::LastTen { Vec::new() } else { counted::names(shape) };
    let (row, point) = (store.select(&names)?, store.select(names.get(..1).unwrap_or_default())?);
    let (mut places, as_loaded) = (Told::default(), |_| shape);
    // Each second feature has a newer version in memory.
    let newer =
        |feature: usize| Shape { versions: shape.versions + 1 - feature as u64 % 2, ..shape };
    match args.kind {
        Kind::LatestRow => rows(&store, &row, as_loaded, true, &mut places)?,
        Kind::LatestPoint => rows(&store, &point, as_loaded, true, &mut places)?,
        Kind::AsOfRow => rows(&store, &row, as_loaded, false, &mut places)?,
        Kind::AsOfPoint => rows(&store, &point, as_loaded, false, &mut places)?,
        Kind::JoinedRow => joins(&store, &row, shape)?,
        Kind::MemoryRow => {
            write_some(&store, shape, 0..2, 1)?;
            rows(&store, &row, |_| Shape { versions: 2, ..shape }, true, &mut places)?;
        }
        Kind::HalfInMemoryRow => {
            write_some(&store, shape, shape.versions..shape.versions + 1, 2)?;
            rows(&store, &row, newer, true, &mut places)?;
        }
        Kind::LastTen => events(&store, shape, &mut places)?,
    }
    places.add_maps(&args.store)?;
    std::fs::write(&args.places, places.0)?;
    store.close()?;
    Ok(())
}

/// What a child tells of where things lie.
#[derive(Default)]
struct Told(String);

impl Told {
    fn add(&mut self, bytes: Range<usize>, place: &str) {
        self.0.push_str(&format!("{} {} {place}\n", bytes.start, bytes.end));
    }

    /// What the caller gets.
    fn add_columns<T>(&mut self, column: &[T]) {
        let bytes = column.as_ptr_range();
        self.add(bytes.start.addr()..bytes.end.addr(), "columns");
    }

    /// All that is mapped into this process.
    fn add_maps(&mut self, store: &Path) -> Outcome<()> {
        let here = std::ptr::from_ref(self).addr();
        for line in std::fs::read_to_string("/proc/self/maps")?.lines() {
            let bytes = line.split_once(' ').and_then(|(bytes, _)| bytes.split_once('-'));
            let (start, end) = bytes.ok_or("a line of maps")?;
            let bytes = usize::from_str_radix(start, 16)?..usize::from_str_radix(end, 16)?;
            let place = match line.split_once('/') {
                _ if bytes.contains(&here) => "stack",
                Some((_, path)) if Path::new(&format!("/{path}")).starts_with(store) => "files",
                Some(_) => "program",
                None => "memory",
            };
            self.add(bytes, place);
        }
        Ok(())
    }
}

fn rows(
    store: &Store,
    selection: &Selection,
    shape: impl Fn(usize) -> Shape,
    is_latest: bool,
    places: &mut Told,
) -> Outcome<()> {
    let mut reader = store.reader(selection)?;
    for is_looked_at in [false, true] {
        for n in 0..READS {
            let ask = counted::ask(shape(1), n, n);
            let (key, read) = as_asked(shape(1), ask, is_latest);
            if is_looked_at {
                mark(&BEGIN);
            }
            let cells = reader.read(key, &read)?;
            mark(&END);
            let ask = if is_latest { (ask.0, i64::MAX) } else { ask };
            for feature in 0..selection.len() {
                let found = cells.at(0, feature).and_then(|cell| cell.as_f64());
                check(shape(feature), ask, feature, found)?;
            }
            if n == 0 && is_looked_at {
                places.add_columns(cells.statuses());
                places.add_columns(cells.event_times());
                places.add_columns(cells.bits());
            }
        }
    }
    Ok(())
}

/// What is joined stays until the end, so that no line is used again.
fn joins(store: &Store, row: &Selection, shape: Shape) -> Outcome<()> {
    let joiner = store.joiner(row, JoinOptions::new().threads(1))?;
    let mut kept = Vec::new();
    for (round, entities) in [JOINED, JOINED / 2, JOINED].into_iter().enumerate() {
        let asks: Vec<_> =
            (0..entities * 4).map(|n| counted::ask(shape, n % entities, n)).collect();
        let key = |(entity, t): &counted::Ask| Some((shape.entity(*entity), EventTime(*t)));
        let spine: Vec<_> = asks.iter().map(key).collect();
        if round > 0 {
            mark(&BEGIN);
        }
        let joined = joiner.join(&spine)?;
        mark(&END);
        for feature in 0..row.len() {
            let column = joined.column(feature).ok_or("a column is missing")?;
            for (at, ask) in asks.iter().enumerate() {
                let found = column.value(at).and_then(|value| value.as_f64());
                check(shape, *ask, feature, found)?;
            }
        }
        kept.push((joined, spine));
    }
    Ok(())
}

/// Writes versions of each feature, or each second one, of entities that will be asked for.
fn write_some(store: &Store, shape: Shape, versions: Range<u64>, step: usize) -> Outcome<()> {
    let names = counted::names(shape);
    let entities: BTreeSet<u64> = (0..IN_MEMORY).map(|n| counted::ask(shape, n, n).0).collect();
    for version in versions {
        let mut batch = Batch::new();
        for entity in &entities {
            let key = shape.entity(*entity);
            for (feature, name) in (0..shape.features).zip(&names).step_by(step) {
                let at = EventTime(shape.event_time(*entity, feature, version));
                batch.put(key, name, at, shape.value(*entity, feature, version));
            }
        }
        store.write(batch, Durability::Buffered)?;
    }
    Ok(())
}

/// When an event was, and its text.
fn event(shape: Shape, user: u64, number: u64) -> (i64, String) {
    let drawn = mix(user << 20 ^ number);
    let text =
        format!("view of item {} in shop {}, session {drawn:016x}", drawn % 1_000, drawn % 9);
    (shape.start + number.cast_signed() * HOUR, text)
}

/// Writes the events of all users into a table.
pub fn write_events(store: &Path, shape: Shape) -> Outcome<()> {
    let store = Store::open(store, Options::new())?;
    store.define(FeatureSpec::new("a:event", ValueType::Text))?;
    for number in 0..EVENTS {
        let mut batch = Batch::new();
        for user in 0..shape.entities {
            let (at, text) = event(shape, user, number);
            batch.put(shape.entity(user), "a:event", EventTime(at), text);
        }
        store.write(batch, Durability::Buffered)?;
    }
    store.compact()?;
    Ok(store.close()?)
}

fn events(store: &Store, shape: Shape, places: &mut Told) -> Outcome<()> {
    let mut reader = store.sequence_reader("a:event")?;
    for is_looked_at in [false, true] {
        for n in 0..READS {
            let (user, _) = counted::ask(shape, n, n);
            let key = shape.entity(user);
            if is_looked_at {
                mark(&BEGIN);
            }
            let found = reader.last_n(key, 10, &Read::latest())?;
            mark(&END);
            for (index, number) in (0..EVENTS).rev().take(10).enumerate() {
                let (at, text) = event(shape, user, number);
                if (found.event_times().get(index), found.as_text(index))
                    != (Some(&at), Some(&text))
                {
                    return Err(format!("user {user}, event {number}: {found:?}").into());
                }
            }
            places.add_columns(found.statuses());
            places.add_columns(found.event_times());
            places.add_columns(found.bits());
            let first = found.as_raw_bytes(0).unwrap_or_default().as_ptr().addr();
            let last = found.as_raw_bytes(9).unwrap_or_default().as_ptr_range().end.addr();
            places.add(first..last, "columns");
        }
    }
    Ok(())
}
