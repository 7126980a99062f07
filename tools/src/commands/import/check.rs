//! The first pass over a file: the types of its columns, its bad rows, its span of time.

use asofdb::Store;

use super::MAX_LISTED;
use super::layout::{Explicit, Layout, Rules, Values, View, ViewFeature, expected_of};
use crate::error::{BadRow, Error, Result};
use crate::output::Console;
use crate::progress::Progress;
use crate::tabular::Chunk;
use crate::tabular::cell::Cell;
use crate::tabular::source::Source;
use crate::times::Column1970;
use crate::values;

/// The longest value in bytes.
const MAX_VALUE: usize = 16 << 20;

/// What the first pass found.
#[derive(Default)]
pub struct Checked {
    /// The first bad rows.
    pub bad: Vec<BadRow>,
    /// How many there are in all.
    pub bad_count: u64,
}

impl Checked {
    fn add(&mut self, bad: BadRow, rules: &Rules) -> Result<()> {
        if !rules.skip_bad {
            return Err(Error::Row(Box::new(bad), ", or leave such rows out with --skip-bad"));
        }
        self.bad_count += 1;
        if self.bad.len() < MAX_LISTED {
            self.bad.push(bad);
        }
        Ok(())
    }
}

/// Reads the whole file and writes nothing.
pub fn check(
    source: &Source,
    rules: &Rules,
    view: &mut View,
    explicit: &mut Explicit,
    store: Option<&Store>,
    console: &mut Console,
) -> Result<Checked> {
    let mut reader = source.read(&rules.null_tokens)?;
    let mut progress = Progress::new(format!("checking {}", source.name), reader.size);
    let layout = Layout::new(reader.columns(), &source.name, rules, |column| {
        view.feature_of(column, explicit, store)
    })?;
    if layout.is_empty() {
        return Err(explicit.nothing_of(reader.columns(), &source.name));
    }
    let mut checked = Checked::default();
    let (mut times, mut known_times) = (Column1970::default(), Column1970::default());
    let mut entity = Vec::new();
    let mut broken = Vec::new();
    while let Some(chunk) = reader.next_chunk(&mut broken)? {
        let mut bad_rows = std::mem::take(&mut broken);
        for row in 0..chunk.rows() {
            let found = match layout.head(&chunk, row, rules, &mut entity)? {
                Err(bad) => Some(bad),
                Ok((time, known)) => {
                    times.add(time);
                    known.into_iter().for_each(|known| known_times.add(known));
                    check_values(&chunk, row, &layout, rules, source, view, &mut |view, column| {
                        view.feature_of(column, explicit, store)
                    })?
                }
            };
            bad_rows.extend(found);
        }
        bad_rows.sort_by_key(|bad| bad.number);
        // A column of times in a wrong unit makes every row look bad, or none: tell the cause.
        for bad in bad_rows {
            checked.add(bad, rules)?;
        }
        progress.set(reader.position());
    }
    for bad in broken {
        checked.add(bad, rules)?;
    }
    for (column, seen) in [(Some(&rules.time), times), (rules.known.as_ref(), known_times)] {
        if let Some((column, refusal)) = column.zip(seen.refusal(rules.unit, rules.now)) {
            return Err(Error::Failed(format!("{}, column {column}: {refusal}", source.name)));
        }
    }
    drop(progress);
    console.flush()?;
    Ok(checked)
}

/// Looks at the values of a row; tells why it is bad, if it is.
fn check_values(
    chunk: &Chunk,
    row: usize,
    layout: &Layout,
    rules: &Rules,
    source: &Source,
    view: &mut View,
    feature_of: &mut dyn FnMut(&mut View, &str) -> Result<Option<usize>>,
) -> Result<Option<BadRow>> {
    let check = |view: &mut View, column: usize, feature: usize, name: Option<&str>| {
        let cell = chunk.cell(row, column)?;
        let Some(feature) = view.features.get_mut(feature) else { return Ok(None) };
        let expected = check_cell(&cell, feature);
        if feature.wanted.is_none() && expected.is_none() {
            let column = name.unwrap_or(&feature.column);
            let place = || chunk.bad_row(&source.name, row, column, "a number", Some(&cell));
            feature.odd.add(&cell, &feature.seen, place);
        }
        Ok(expected.map(|expected| {
            let column = name.unwrap_or(&feature.column);
            chunk.bad_row(&source.name, row, column, expected, Some(&cell))
        }))
    };
    match &layout.values {
        Values::Wide(columns) => {
            for &(column, feature) in columns {
                if let Some(bad) = check(view, column, feature, None)? {
                    return Ok(Some(bad));
                }
            }
            Ok(None)
        }
        Values::Long(name_column, value_column) => {
            let name = match layout.feature_name(chunk, row, *name_column, rules)? {
                Ok(name) => name,
                Err(bad) => return Ok(Some(bad)),
            };
            let Some(feature) = feature_of(view, &name)? else { return Ok(None) };
            let value = rules.long.as_ref().map(|[_, value]| value.as_str());
            check(view, *value_column, feature, value)
        }
    }
}

/// What was expected in place of this cell; `None` if it is right.
fn check_cell(cell: &Cell<'_>, feature: &mut ViewFeature) -> Option<String> {
    let length = match cell {
        Cell::Null => return None,
        Cell::Field(bytes) | Cell::Bytes(bytes) => bytes.len(),
        Cell::Text(text) => text.len(),
        _ => 0,
    };
    if length > MAX_VALUE {
        return Some("a value of at most 16 MiB".to_owned());
    }
    if let Some(value_type) = feature.wanted {
        let right = values::from_cell(cell, value_type).is_some();
        return (!right).then(|| expected_of(feature, value_type));
    }
    match cell {
        Cell::Field(bytes) if std::str::from_utf8(bytes).is_err() => {
            Some("text in UTF-8".to_owned())
        }
        Cell::TooLarge(_) => Some("i64, an integer of 64 bits with a sign".to_owned()),
        Cell::Floats(None) => Some("a vector without nulls".to_owned()),
        _ => {
            let before = feature.seen.clone();
            feature.seen.add(cell);
            let expected = match (cell, before.value_type()) {
                (Cell::Floats(_), Some(before)) if feature.seen.value_type() != Some(before) => {
                    Some(values::expected(before))
                }
                _ => None,
            };
            if expected.is_some() {
                feature.seen = before;
            }
            expected
        }
    }
}
