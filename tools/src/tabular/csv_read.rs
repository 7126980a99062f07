//! Reading CSV (RFC 4180) as a stream of chunks of rows.
//!
//! What the format leaves open is decided so: lines end in LF, CRLF or CR; empty lines are
//! skipped; a quote inside a field that does not begin with one is a character like any other; a
//! byte order mark before the header is skipped. A field that was quoted is told from one that
//! was not, because an unquoted empty field is a null and `""` is an empty text. A row with too
//! many or too few fields is a bad row, and reading goes on after it.

use std::io::{self, BufRead};

use super::cell::Cell;
use super::{BYTE_ORDER_MARK, NullTokens};
use crate::error::{BadRow, Error, Result};

/// The longest row in bytes: a quote that is never closed must not take all memory.
const MAX_ROW: usize = 256 << 20;

/// How many bytes of fields a chunk holds at the most, one row aside.
const MAX_CHUNK: usize = 32 << 20;

/// Rows of a CSV file, field after field.
#[derive(Debug, Default)]
pub struct CsvChunk {
    width: usize,
    data: Vec<u8>,
    /// Where each field ends in `data`, and whether it was quoted.
    fields: Vec<(usize, bool)>,
    /// On which line each row begins.
    lines: Vec<u64>,
    nulls: NullTokens,
}

impl CsvChunk {
    /// How many rows it has.
    pub fn rows(&self) -> usize {
        self.lines.len()
    }

    /// On which line of the file a row begins.
    pub fn line(&self, row: usize) -> u64 {
        self.lines.get(row).copied().unwrap_or_default()
    }

    /// A field's bytes without its quotes, and whether it had any.
    pub fn field(&self, row: usize, column: usize) -> (&[u8], bool) {
        let index = row * self.width + column;
        let begin = index.checked_sub(1).and_then(|before| self.fields.get(before));
        let begin = begin.map_or(0, |&(end, _)| end);
        let Some(&(end, quoted)) = self.fields.get(index) else { return (&[], false) };
        (self.data.get(begin..end).unwrap_or_default(), quoted)
    }

    /// A field as a cell.
    pub fn cell(&self, row: usize, column: usize) -> Cell<'_> {
        let (bytes, quoted) = self.field(row, column);
        if !quoted && self.nulls.contains(bytes) { Cell::Null } else { Cell::Field(bytes) }
    }
}

/// What became of a row.
enum Outcome {
    Row,
    End,
    Broken { line: u64, expected: &'static str },
}

/// Reads rows one after the other.
struct Rows<R> {
    input: R,
    /// The line of the next byte.
    line: u64,
    after_cr: bool,
    read: u64,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    RowStart,
    FieldStart,
    Unquoted,
    Quoted,
    AfterQuote,
    Broken,
}

impl<R: BufRead> Rows<R> {
    /// Adds the fields of the next row, whose first line is told; empty lines are skipped.
    fn next(&mut self, chunk: &mut CsvChunk, first_line: &mut u64) -> io::Result<Outcome> {
        let mut state = State::RowStart;
        let begin = chunk.data.len();
        *first_line = self.line;
        loop {
            let buffer = self.input.fill_buf()?;
            if buffer.is_empty() {
                return Ok(self.end(state, chunk, *first_line));
            }
            let mut used = 0;
            for &byte in buffer {
                used += 1;
                let after_cr = std::mem::replace(&mut self.after_cr, false);
                if byte == b'\n' && after_cr && state != State::Quoted {
                    *first_line = self.line;
                    continue;
                }
                let ends_line = matches!(byte, b'\n' | b'\r') && state != State::Quoted;
                self.after_cr = ends_line && byte == b'\r';
                self.line += u64::from(ends_line || byte == b'\n');
                let before = state;
                state = step(state, byte, chunk);
                if ends_line && before == State::RowStart {
                    *first_line = self.line;
                } else if ends_line {
                    self.consume(used);
                    return Ok(outcome(before, *first_line));
                }
            }
            self.consume(used);
            if chunk.data.len() - begin > MAX_ROW {
                // Whether what follows is inside or outside quotes can no longer be known.
                while !self.input.fill_buf()?.is_empty() {
                    let rest = self.input.fill_buf()?.len();
                    self.consume(rest);
                }
                return Ok(Outcome::Broken {
                    line: *first_line,
                    expected: "a row of at most 256 MiB (is a quote never closed?)",
                });
            }
        }
    }

    fn consume(&mut self, bytes: usize) {
        self.input.consume(bytes);
        self.read += bytes as u64;
    }

    /// The file ended in this state.
    fn end(&self, state: State, chunk: &mut CsvChunk, line: u64) -> Outcome {
        match state {
            State::RowStart => Outcome::End,
            State::Quoted => {
                Outcome::Broken { line, expected: "a closing quote before the end of the file" }
            }
            _ => {
                step(state, b'\n', chunk);
                outcome(state, line)
            }
        }
    }
}

/// The state after a byte, whose field it adds to or ends.
fn step(state: State, byte: u8, chunk: &mut CsvChunk) -> State {
    let quoted = state == State::AfterQuote;
    match (state, byte) {
        (State::Quoted, b'"') => State::AfterQuote,
        (State::RowStart, b'\n' | b'\r') => State::RowStart,
        (State::Broken, _) => State::Broken,
        (State::FieldStart | State::Unquoted | State::AfterQuote, b'\n' | b'\r') => {
            chunk.fields.push((chunk.data.len(), quoted));
            State::RowStart
        }
        (State::RowStart | State::FieldStart | State::Unquoted | State::AfterQuote, b',') => {
            chunk.fields.push((chunk.data.len(), quoted));
            State::FieldStart
        }
        (State::RowStart | State::FieldStart, b'"') => State::Quoted,
        (State::AfterQuote, b'"') | (State::Quoted, _) => {
            chunk.data.push(byte);
            State::Quoted
        }
        (State::AfterQuote, _) => State::Broken,
        (State::RowStart | State::FieldStart | State::Unquoted, _) => {
            chunk.data.push(byte);
            State::Unquoted
        }
    }
}

/// What a row that ended in this state was.
fn outcome(state: State, line: u64) -> Outcome {
    match state {
        State::Broken => Outcome::Broken {
            line,
            expected: "a comma or the end of the line after a closing quote",
        },
        _ => Outcome::Row,
    }
}

/// A CSV file that is being read.
pub struct CsvReader<R> {
    rows: Rows<R>,
    file: String,
    columns: Vec<String>,
    nulls: NullTokens,
}

impl<R: BufRead> CsvReader<R> {
    /// Reads the header.
    pub fn new(input: R, file: &str, nulls: NullTokens) -> Result<Self> {
        let mut rows = Rows { input, line: 1, after_cr: false, read: 0 };
        let io = |error| Error::io("read", file, error);
        if rows.input.fill_buf().map_err(io)?.starts_with(BYTE_ORDER_MARK) {
            rows.input.consume(BYTE_ORDER_MARK.len());
        }
        let mut header = CsvChunk::default();
        match rows.next(&mut header, &mut 0).map_err(io)? {
            Outcome::Row => {}
            Outcome::End => {
                return Err(Error::Failed(format!(
                    "{file} is empty: expected a header line with the columns' names"
                )));
            }
            Outcome::Broken { line, expected } => {
                return Err(Error::Failed(format!(
                    "{file}, line {line}: expected {expected} in the header"
                )));
            }
        }
        header.width = header.fields.len();
        header.lines.push(1);
        let columns = (0..header.width)
            .map(|column| String::from_utf8(header.field(0, column).0.to_vec()))
            .collect::<Result<_, _>>()
            .map_err(|_| Error::Failed(format!("{file}: the header is not UTF-8")))?;
        Ok(Self { rows, file: file.to_owned(), columns, nulls })
    }

    /// The columns' names.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// How many bytes were read so far.
    pub fn position(&self) -> u64 {
        self.rows.read
    }

    /// The next rows, `None` at the end; rows that are broken go to `bad`.
    pub fn next_chunk(
        &mut self,
        max_rows: usize,
        bad: &mut Vec<BadRow>,
    ) -> Result<Option<CsvChunk>> {
        let width = self.columns.len();
        let mut chunk = CsvChunk { width, nulls: self.nulls.clone(), ..CsvChunk::default() };
        let mut ended = false;
        while chunk.rows() < max_rows && chunk.data.len() < MAX_CHUNK {
            let (data, fields) = (chunk.data.len(), chunk.fields.len());
            let mut line = 0;
            let outcome = self.rows.next(&mut chunk, &mut line);
            let found = chunk.fields.len() - fields;
            let (line, expected, found) =
                match outcome.map_err(|error| Error::io("read", &self.file, error))? {
                    Outcome::End => {
                        ended = true;
                        break;
                    }
                    Outcome::Row if found == width => {
                        chunk.lines.push(line);
                        continue;
                    }
                    Outcome::Row => {
                        let expected = format!("{width} fields as in the header");
                        (line, expected, Some(found.to_string()))
                    }
                    Outcome::Broken { line, expected } => (line, expected.to_owned(), None),
                };
            chunk.data.truncate(data);
            chunk.fields.truncate(fields);
            bad.push(BadRow {
                file: self.file.clone(),
                counted: "line",
                number: line,
                column: None,
                expected,
                found,
            });
        }
        Ok((chunk.rows() > 0 || !ended).then_some(chunk))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Fields = Vec<Vec<(String, bool)>>;

    /// All rows and bad rows of a text, read through a buffer of so many bytes.
    fn read(text: &str, buffer: usize) -> (Vec<String>, Fields, Vec<u64>, Vec<String>) {
        let input = io::BufReader::with_capacity(buffer, text.as_bytes());
        let mut reader = CsvReader::new(input, "x.csv", NullTokens::default()).unwrap();
        let (mut rows, mut lines, mut bad) = (Vec::new(), Vec::new(), Vec::new());
        while let Some(chunk) = reader.next_chunk(2, &mut bad).unwrap() {
            for row in 0..chunk.rows() {
                lines.push(chunk.line(row));
                rows.push(
                    (0..reader.columns().len())
                        .map(|column| {
                            let (bytes, quoted) = chunk.field(row, column);
                            (String::from_utf8(bytes.to_vec()).unwrap(), quoted)
                        })
                        .collect(),
                );
            }
        }
        let bad = bad.iter().map(ToString::to_string).collect();
        (reader.columns().to_vec(), rows, lines, bad)
    }

    fn field(text: &str, quoted: bool) -> (String, bool) {
        (text.to_owned(), quoted)
    }

    #[test]
    fn every_split_of_the_input_reads_alike() {
        let text = "\u{feff}a,b\r\n1,\"x \"\"y\"\"\r\nz\"\r\n\r\n,\"\"\n5\" pipe,ü\n\"q\",r";
        for buffer in 3..text.len() + 1 {
            let (columns, rows, lines, bad) = read(text, buffer);
            assert_eq!(columns, ["a", "b"]);
            assert_eq!(
                rows,
                [
                    vec![field("1", false), field("x \"y\"\r\nz", true)],
                    vec![field("", false), field("", true)],
                    vec![field("5\" pipe", false), field("ü", false)],
                    vec![field("q", true), field("r", false)],
                ]
            );
            assert_eq!(lines, [2, 5, 6, 7], "buffer of {buffer}");
            assert!(bad.is_empty(), "{bad:?}");
        }
    }

    #[test]
    fn a_broken_row_is_told_and_the_next_one_is_read() {
        let (_, rows, lines, bad) = read("a,b\n1\n2,3\n\"x\"y,4\n5,6,7\n8,9\n", 4);
        assert_eq!(rows.len(), 2);
        assert_eq!(lines, [3, 6]);
        assert_eq!(
            bad,
            [
                "x.csv, line 2: expected 2 fields as in the header, found 1",
                "x.csv, line 4: expected a comma or the end of the line after a closing quote",
                "x.csv, line 5: expected 2 fields as in the header, found 3",
            ]
        );
    }

    #[test]
    fn a_quote_that_is_never_closed_is_told_with_its_first_line() {
        let (_, rows, _, bad) = read("a,b\n1,2\n3,\"4\n5,6\n", 64);
        assert_eq!(rows.len(), 1);
        assert_eq!(bad, ["x.csv, line 3: expected a closing quote before the end of the file"]);
    }

    #[test]
    fn old_line_ends_count_as_lines() {
        let (_, rows, lines, _) = read("a,b\r1,2\r3,4", 2);
        assert_eq!(rows.len(), 2);
        assert_eq!(lines, [2, 3]);
    }

    #[test]
    fn an_unquoted_empty_field_is_null_and_a_quoted_one_is_text() {
        let mut nulls = NullTokens::default();
        nulls.add("NA");
        let text = "a,b,c,d\n,\"\",NA,\"NA\"\n";
        let mut reader = CsvReader::new(text.as_bytes(), "x.csv", nulls).unwrap();
        let chunk = reader.next_chunk(9, &mut Vec::new()).unwrap().unwrap();
        assert_eq!(chunk.cell(0, 0), Cell::Null);
        assert_eq!(chunk.cell(0, 1), Cell::Field(b""));
        assert_eq!(chunk.cell(0, 2), Cell::Null);
        assert_eq!(chunk.cell(0, 3), Cell::Field(b"NA"));
    }
}
