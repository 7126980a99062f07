//! Writing CSV: fields are quoted where they must be, and where a text would read as a null or as the
//! mark that a file may begin with.

use std::io::{self, Write};

use super::{BYTE_ORDER_MARK, NullTokens};

/// Writes rows field by field.
pub struct CsvWriter<W> {
    out: W,
    nulls: NullTokens,
    first: bool,
}

impl<W: Write> CsvWriter<W> {
    /// Writes to `out`; texts that are one of `nulls` are quoted.
    pub fn new(out: W, nulls: NullTokens) -> Self {
        Self { out, nulls, first: true }
    }

    /// A field that is text.
    pub fn text(&mut self, text: &[u8]) -> io::Result<()> {
        let special = text.iter().any(|byte| matches!(byte, b',' | b'"' | b'\n' | b'\r'))
            || text.starts_with(BYTE_ORDER_MARK);
        self.field(text, special || self.nulls.contains(text))
    }

    /// A field as it is, in quotes if asked.
    pub fn field(&mut self, text: &[u8], quoted: bool) -> io::Result<()> {
        if !std::mem::take(&mut self.first) {
            self.out.write_all(b",")?;
        }
        if !quoted {
            return self.out.write_all(text);
        }
        self.out.write_all(b"\"")?;
        for (index, part) in text.split(|byte| *byte == b'"').enumerate() {
            if index > 0 {
                self.out.write_all(b"\"\"")?;
            }
            self.out.write_all(part)?;
        }
        self.out.write_all(b"\"")
    }

    /// A field without a value.
    pub fn null(&mut self) -> io::Result<()> {
        self.field(b"", false)
    }

    /// The end of a row.
    pub fn end_row(&mut self) -> io::Result<()> {
        self.first = true;
        self.out.write_all(b"\n")
    }

    /// Writes out what is buffered and gives back what is written to.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tabular::csv_read::CsvReader;

    #[test]
    fn a_name_is_read_as_another_one() {
        let names = ["\u{feff}a", "a,b", "a\"b", "\"", "\r", "", "NA", "\u{feff}"];
        for first in names {
            let mut nulls = NullTokens::default();
            nulls.add("NA");
            let mut writer = CsvWriter::new(Vec::new(), nulls.clone());
            [first, "x"].iter().for_each(|name| writer.text(name.as_bytes()).unwrap());
            writer.end_row().unwrap();
            let written = writer.finish().unwrap();
            let reader = CsvReader::new(written.as_slice(), "x.csv", nulls).unwrap();
            assert_eq!(reader.columns(), [first, "x"]);
        }
    }
}
