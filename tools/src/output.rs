//! What commands say: tables for people, JSON for machines, warnings beside both.

use std::io::{self, Write};

use serde_json::Value as Json;

use crate::error::{Error, Result};

/// How wide a cell of a table grows before it is cut.
const MAX_CELL: usize = 60;

/// How many rows of a long table are looked at to tell the columns' widths.
const SAMPLE_ROWS: usize = 200;

/// Where a command says what it has to say.
pub struct Console {
    /// Whether machines read it.
    pub json: bool,
    out: Box<dyn Write>,
    warnings: Box<dyn Write>,
}

impl Console {
    /// The standard output, and the standard error for warnings.
    pub fn standard(json: bool) -> Self {
        let out = io::BufWriter::new(io::stdout());
        Self { json, out: Box::new(out), warnings: Box::new(io::stderr()) }
    }

    /// What is said goes to these.
    pub fn to(json: bool, out: impl Write + 'static, warnings: impl Write + 'static) -> Self {
        Self { json, out: Box::new(out), warnings: Box::new(warnings) }
    }

    /// One line.
    pub fn line(&mut self, line: impl AsRef<str>) -> Result<()> {
        writeln!(self.out, "{}", line.as_ref()).map_err(Error::output)
    }

    /// One JSON value on one line.
    pub fn json(&mut self, value: &Json) -> Result<()> {
        writeln!(self.out, "{value}").map_err(Error::output)
    }

    /// A line for people or a JSON value for machines.
    pub fn say(&mut self, line: impl AsRef<str>, value: &Json) -> Result<()> {
        if self.json { self.json(value) } else { self.line(line) }
    }

    /// Something that is no failure and that should not go unseen.
    pub fn warn(&mut self, text: impl AsRef<str>) -> Result<()> {
        self.flush()?;
        writeln!(self.warnings, "warning: {}", text.as_ref())
            .map_err(|error| Error::io("write to", "the standard error", error))
    }

    /// Writes out what is buffered.
    pub fn flush(&mut self) -> Result<()> {
        self.out.flush().map_err(Error::output)
    }
}

/// A table for people, row by row; it need not fit into memory.
pub struct Table {
    sample: Vec<Vec<String>>,
    widths: Option<Vec<usize>>,
}

impl Table {
    /// A table with these columns.
    pub fn new<S: Into<String>>(header: impl IntoIterator<Item = S>) -> Self {
        let header = header.into_iter().map(|name| clean(&name.into())).collect();
        Self { sample: vec![header], widths: None }
    }

    /// Adds a row.
    pub fn row(&mut self, console: &mut Console, cells: Vec<String>) -> Result<()> {
        let cells: Vec<String> = cells.iter().map(|cell| clean(cell)).collect();
        if let Some(widths) = &self.widths {
            return print(console, widths, &cells);
        }
        self.sample.push(cells);
        if self.sample.len() > SAMPLE_ROWS { self.finish(console) } else { Ok(()) }
    }

    /// Prints what is not printed yet.
    pub fn finish(&mut self, console: &mut Console) -> Result<()> {
        let sample = std::mem::take(&mut self.sample);
        let columns = sample.iter().map(Vec::len).max().unwrap_or_default();
        let widths = (0..columns)
            .map(|column| {
                let cells = sample.iter().filter_map(|row| row.get(column));
                cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
            })
            .collect::<Vec<_>>();
        sample.iter().try_for_each(|row| print(console, &widths, row))?;
        self.widths = Some(widths);
        Ok(())
    }
}

/// A cell on one line, without what would move a terminal's cursor, and not too long.
fn clean(cell: &str) -> String {
    let mut text = String::with_capacity(cell.len());
    for (index, symbol) in cell.chars().enumerate() {
        if index == MAX_CELL {
            text.push('…');
            break;
        }
        if symbol.is_control() { text.extend(symbol.escape_default()) } else { text.push(symbol) }
    }
    text
}

fn print(console: &mut Console, widths: &[usize], cells: &[String]) -> Result<()> {
    let mut line = String::new();
    for (cell, width) in cells.iter().zip(widths) {
        line.push_str(cell);
        let padding = width.saturating_sub(cell.chars().count()) + 2;
        line.extend(std::iter::repeat_n(' ', padding));
    }
    console.line(line.trim_end())
}

/// A number with commas between its thousands.
pub fn count(number: impl TryInto<u64>) -> String {
    let digits = number.try_into().unwrap_or_default().to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number and what it counts: `1 row`, `2,000 rows`.
pub fn plural(number: impl TryInto<u64>, noun: &str) -> String {
    let number = number.try_into().unwrap_or_default();
    format!("{} {noun}{}", count(number), if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        assert_eq!(count(0_u64), "0");
        assert_eq!(count(999_u64), "999");
        assert_eq!(count(1_000_u64), "1,000");
        assert_eq!(count(1_234_567_u64), "1,234,567");
        assert_eq!(plural(1_u64, "row"), "1 row");
        assert_eq!(plural(2_000_u64, "row"), "2,000 rows");
    }

    #[test]
    fn a_cell_cannot_move_the_cursor_or_break_the_table() {
        assert_eq!(clean("a\u{1b}[2J\nb"), "a\\u{1b}[2J\\nb");
        assert_eq!(clean(&"x".repeat(100)).chars().count(), MAX_CELL + 1);
    }
}
