//! The second pass over a file: its rows into the store, batch by batch, in the file's order.

use std::time::Duration;

use asofdb::{Batch, Durability, EventTime, FeatureId, KnownTime, Store, Value};

use super::check::Checked;
use super::layout::{Layout, Rules, Values, View, ViewFeature, expected_of};
use super::marks::{self, Progress};
use crate::error::{BadRow, Error, Result};
use crate::output::{Console, plural};
use crate::progress;
use crate::tabular::Chunk;
use crate::tabular::cell::Cell;
use crate::tabular::source::Source;
use crate::times;
use crate::values;

/// How many records a batch has, give or take those of one row.
const BATCH_RECORDS: usize = 10_000;

/// How large a batch of long values grows, give or take one row.
const BATCH_BYTES: usize = 64 << 20;

/// What was written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Loaded {
    /// Rows written now.
    pub rows: u64,
    /// Rows that an earlier run of the same import had written.
    pub rows_before: u64,
    /// Records written now.
    pub records: u64,
    /// Nulls among them.
    pub nulls: u64,
}

/// Rows that deserve a warning.
#[derive(Default)]
struct Doubtful {
    below_horizon: u64,
    known_too_early: u64,
}

impl Doubtful {
    fn add(
        &mut self,
        time: EventTime,
        known: Option<KnownTime>,
        horizon: Option<EventTime>,
        claimed: Option<i64>,
    ) {
        self.below_horizon += u64::from(horizon.is_some_and(|horizon| time < horizon));
        let too_early = claimed.zip(known).is_some_and(|(claimed, known)| known.0 < claimed);
        self.known_too_early += u64::from(too_early);
    }
}

/// One file on its way into the store.
struct Loading<'a> {
    store: &'a Store,
    mark: &'a str,
    rules: &'a Rules,
    view: &'a View,
    batch: Batch,
    progress: Progress,
    loaded: Loaded,
    synced: Duration,
}

/// Writes the file's rows; `None` if an earlier run had written them all.
pub fn load(
    store: &Store,
    source: &Source,
    mark: &str,
    rules: &Rules,
    view: &View,
    checked: &Checked,
    console: &mut Console,
) -> Result<Option<Loaded>> {
    let before = Progress::read(store, mark).unwrap_or_default();
    if before.done {
        return Ok(None);
    }
    let mut reader = source.read(&rules.null_tokens)?;
    let mut bar = progress::Progress::new(format!("importing {}", source.name), reader.size);
    let layout = Layout::new(reader.columns(), &source.name, rules, |column| {
        Ok(view.features.iter().position(|feature| feature.column == column))
    })?;
    let claimed = marks::last_plain_import(store, &view.name).filter(|_| rules.known.is_some());
    let horizon = view.features.iter().filter_map(|feature| feature.history).min();
    let horizon = horizon.map(|history| EventTime(store.now().0).saturating_sub(history));
    let mut doubtful = Doubtful::default();
    let mut loading = Loading {
        store,
        mark,
        rules,
        view,
        batch: Batch::new(),
        progress: before,
        loaded: Loaded { rows_before: before.rows, ..Loaded::default() },
        synced: Duration::ZERO,
    };
    let mut broken = Vec::new();
    let mut entity = Vec::new();
    let mut cells = Vec::new();
    while let Some(chunk) = reader.next_chunk(&mut broken)? {
        for row in 0..chunk.rows() {
            let number = chunk.number(row);
            if number <= before.through {
                continue;
            }
            let head = layout.head(&chunk, row, rules, &mut entity)?;
            let values = loading.values(&chunk, row, source, &layout, &mut cells)?;
            let (time, known) = match (head, values) {
                (Ok(head), Ok(())) => head,
                (Err(bad), _) | (_, Err(bad)) => {
                    skip(bad, checked)?;
                    continue;
                }
            };
            let (time, known) = (EventTime(time.micros), known.map(|at| KnownTime(at.micros)));
            doubtful.add(time, known, horizon, claimed);
            loading.add(&entity, time, known, &mut cells);
            loading.progress =
                Progress { through: number, rows: loading.progress.rows + 1, done: false };
            if loading.batch.len() >= BATCH_RECORDS || loading.batch.encoded_bytes() > BATCH_BYTES {
                loading.write(bar.elapsed())?;
            }
        }
        bar.set(reader.position());
    }
    loading.progress.done = true;
    loading.write(bar.elapsed())?;
    let loaded = loading.loaded;
    drop(bar);
    warn(&doubtful, source, horizon, claimed, console)?;
    Ok(Some(loaded))
}

/// The feature and value of each cell of a row.
type Cells = Vec<(FeatureId, Option<Value>)>;

impl Loading<'_> {
    /// Takes the values out of a row; tells why it is bad, if it is.
    fn values(
        &self,
        chunk: &Chunk,
        row: usize,
        source: &Source,
        layout: &Layout,
        out: &mut Cells,
    ) -> Result<Result<(), BadRow>> {
        out.clear();
        match &layout.values {
            Values::Wide(columns) => {
                for &(column, feature) in columns {
                    let Some(feature) = self.view.features.get(feature) else { continue };
                    let column = (column, feature.column.as_str());
                    if let Err(bad) = self.value(chunk, row, source, column, feature, out)? {
                        return Ok(Err(bad));
                    }
                }
                Ok(Ok(()))
            }
            Values::Long(name_column, value_column) => {
                let name = match layout.feature_name(chunk, row, *name_column, self.rules)? {
                    Ok(name) => name,
                    Err(bad) => return Ok(Err(bad)),
                };
                let Some(feature) = self.view.known_feature(&name) else { return Ok(Ok(())) };
                let called = self.rules.long.as_ref().map(|[_, value]| value.as_str());
                let column = (*value_column, called.unwrap_or_default());
                self.value(chunk, row, source, column, feature, out)
            }
        }
    }

    fn value(
        &self,
        chunk: &Chunk,
        row: usize,
        source: &Source,
        (column, called): (usize, &str),
        feature: &ViewFeature,
        out: &mut Cells,
    ) -> Result<Result<(), BadRow>> {
        let Some((id, value_type)) = feature.stored else { return Ok(Ok(())) };
        let cell = chunk.cell(row, column)?;
        if cell == Cell::Null {
            if self.rules.store_nulls {
                out.push((id, None));
            }
            return Ok(Ok(()));
        }
        let Some(value) = values::from_cell(&cell, value_type) else {
            let expected = expected_of(feature, value_type);
            return Ok(Err(chunk.bad_row(&source.name, row, called, expected, Some(&cell))));
        };
        out.push((id, Some(value)));
        Ok(Ok(()))
    }

    /// Adds a row to the batch.
    fn add(&mut self, entity: &[u8], at: EventTime, known: Option<KnownTime>, cells: &mut Cells) {
        self.loaded.rows += 1;
        self.loaded.records += cells.len() as u64;
        for (id, value) in cells.drain(..) {
            match value {
                Some(value) => self.batch.put_id(entity, id, at, value),
                None => {
                    self.loaded.nulls += 1;
                    self.batch.put_null_id(entity, id, at)
                }
            };
            if let Some(known) = known {
                self.batch.known(known);
            }
        }
    }

    /// Writes the batch, with the mark of how far it came.
    fn write(&mut self, elapsed: Duration) -> Result<()> {
        let mut batch = std::mem::take(&mut self.batch);
        if let Some(label) = &self.rules.label {
            batch.source(label.as_str());
        }
        batch.mark(self.mark, &self.progress.to_bytes());
        if self.rules.known.is_none() {
            let now = self.store.now().0.to_string();
            batch.mark(&marks::plain_import(&self.view.name), now.as_bytes());
        }
        let due = self.progress.done || elapsed.saturating_sub(self.synced) > marks::SYNC_EVERY;
        let durability = if due {
            self.synced = elapsed;
            Durability::Synced
        } else {
            Durability::Buffered
        };
        self.store.write(batch, durability)?;
        Ok(())
    }
}

/// A bad row was told in the first pass already; one that was not is news, and ends the import.
fn skip(bad: BadRow, checked: &Checked) -> Result<()> {
    if checked.bad_count > 0 {
        return Ok(());
    }
    Err(Error::Row(
        Box::new(bad),
        "; it was another when the file was checked, so leave the file alone",
    ))
}

fn warn(
    doubtful: &Doubtful,
    source: &Source,
    horizon: Option<EventTime>,
    claimed: Option<i64>,
    console: &mut Console,
) -> Result<()> {
    if let Some(horizon) = horizon.filter(|_| doubtful.below_horizon > 0) {
        console.warn(format!(
            "{}: {} older than the history that is kept, which begins at {}; as of their own \
             times they cannot be read",
            source.name,
            are(doubtful.below_horizon),
            times::format(horizon.0)
        ))?;
    }
    if let Some(claimed) = claimed.filter(|_| doubtful.known_too_early > 0) {
        console.warn(format!(
            "{}: {} known before {}, when an import without --known wrote this view; its values \
             claim to be known since then, and stand wherever both have the same entity and event \
             time",
            source.name,
            are(doubtful.known_too_early),
            times::format(claimed)
        ))?;
    }
    Ok(())
}

fn are(rows: u64) -> String {
    format!("{} {}", plural(rows, "row"), if rows == 1 { "is" } else { "are" })
}
