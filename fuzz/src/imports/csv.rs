//! Whether a CSV file that was imported reads back: it is read here once more, in another way.

use std::collections::BTreeMap;

use asofdb::{Answer, EventTime, Store, Value, ValueType};

/// A field, and whether it was quoted.
pub type Field = (Vec<u8>, bool);

/// The rows of a CSV file, by RFC 4180 and what the tool says of the rest: a quote within a field
/// that does not begin with one is a character, empty lines are none, lines end in LF, CRLF or CR.
/// A row that is broken is `None`, and so is what follows a quote that is never closed.
pub fn rows(file: &[u8]) -> Vec<Option<Vec<Field>>> {
    let mut rest = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file);
    let mut rows = Vec::new();
    while !rest.is_empty() {
        let mut row = Some(Vec::new());
        let is_empty = matches!(rest[0], b'\n' | b'\r');
        loop {
            let (field, quoted) = match rest.strip_prefix(b"\"") {
                None => {
                    let end = rest.iter().position(|byte| b",\n\r".contains(byte));
                    let end = end.unwrap_or(rest.len());
                    let field = rest[..end].to_vec();
                    rest = &rest[end..];
                    (field, false)
                }
                Some(mut inside) => {
                    let mut field = Vec::new();
                    loop {
                        let Some(end) = inside.iter().position(|byte| *byte == b'"') else {
                            rows.push(None);
                            return rows;
                        };
                        field.extend_from_slice(&inside[..end]);
                        inside = &inside[end + 1..];
                        match inside.strip_prefix(b"\"") {
                            Some(more) => inside = more,
                            None => break,
                        }
                        field.push(b'"');
                    }
                    rest = inside;
                    (field, true)
                }
            };
            if let Some(row) = &mut row {
                row.push((field, quoted));
            }
            match rest.first() {
                Some(b',') => rest = &rest[1..],
                None | Some(b'\n' | b'\r') => break,
                Some(_) => {
                    row = None;
                    // A broken row ends where its line ends.
                    let end = rest.iter().position(|byte| b"\n\r".contains(byte));
                    rest = &rest[end.unwrap_or(rest.len())..];
                    break;
                }
            }
        }
        rest = rest.strip_prefix(b"\r\n").or(rest.get(1..)).unwrap_or_default();
        if !is_empty {
            rows.push(row);
        }
    }
    rows
}

fn moment(text: &[u8], unit: &str) -> Option<i64> {
    let number: i64 = std::str::from_utf8(text).ok()?.trim().parse().ok()?;
    match unit {
        "s" => number.checked_mul(1_000_000),
        "ms" => number.checked_mul(1_000),
        "ns" => Some(number.div_euclid(1_000)),
        _ => Some(number),
    }
}

/// Whether a value is what a field says; of floats and vectors only that it is one.
fn is_field(value: &Value, field: &[u8]) -> bool {
    let text = || std::str::from_utf8(field).unwrap_or_default().trim();
    match value {
        Value::Bool(bit) => {
            let truth = text() == "1" || text().eq_ignore_ascii_case("true");
            *bit == truth
        }
        Value::I64(number) => text().parse() == Ok(*number),
        Value::F32(number) => text().parse().map(f32::to_bits) == Ok(number.to_bits()),
        Value::F64(number) => text().parse().map(f64::to_bits) == Ok(number.to_bits()),
        Value::Text(text) => text.as_bytes() == field,
        other => matches!(other.value_type(), ValueType::Bytes | ValueType::Vector(_)),
    }
}

/// How a file was imported.
pub struct Plain<'a> {
    /// What stands before the columns in the features' names.
    pub view: &'a str,
    /// The unit of times.
    pub unit: &'a str,
    /// What means null where there are no quotes.
    pub nulls: &'a [&'a str],
    /// Whether nulls were left out.
    pub skip_nulls: bool,
}

/// Holds each row against the store. Files with times that are no integers are left aside, and
/// those with bad rows.
pub fn reads_back(store: &Store, file: &[u8], plain: &Plain<'_>, imported: u64) {
    let mut all = rows(file).into_iter();
    let Some(Some(header)) = all.next() else { panic!("a file without a header was imported") };
    let place = |name: &[u8]| header.iter().position(|(field, _)| field == name).unwrap();
    let (entity, time) = (place(b"e"), place(b"t"));
    let mut last = BTreeMap::new();
    let mut count = 0u64;
    for row in all {
        let Some(row) = row.filter(|row| row.len() == header.len()) else { return };
        let Some(at) = moment(&row[time].0, plain.unit) else { return };
        last.insert((row[entity].0.clone(), at), row);
        count += 1;
    }
    if count != imported {
        return;
    }
    for feature in store.features() {
        let name = feature.name.strip_prefix(plain.view).unwrap();
        let column = place(name.as_bytes());
        for ((entity, at), row) in &last {
            let (field, quoted) = &row[column];
            let is_null = !quoted && plain.nulls.iter().any(|null| null.as_bytes() == field);
            if is_null && plain.skip_nulls {
                // An earlier row of the same moment may shine through.
                continue;
            }
            let reading = store.as_of(entity, &feature.name, EventTime(*at)).unwrap();
            let right = match &reading.answer {
                Answer::Null(_) => is_null,
                Answer::Value(value, _) => !is_null && is_field(value, field),
                _ => false,
            };
            assert!(right, "{entity:?} {} at {at}: {field:?}, {reading:?}", feature.name);
        }
    }
}
