//! A file that was imported, as the spine of a join with the store that came of it.
//!
//! An output that appears has the rows of the spine, in order and with nothing changed in them, and a
//! cell for each feature; with an error nothing appears.

use std::path::Path;

use parquet::file::reader::{FileReader as _, SerializedFileReader};
use serde_json::Value as Json;

use super::{Asked, KNOWN, LONG, MEMORY, NULL_TOKEN, PARQUET, SKIP_BAD, SKIP_NULLS, csv, number};
use crate::heap;
use crate::tool::run;

/// The bits of the last byte, above those of the import.
pub const BESIDE: u8 = 16;
pub const KNOWN_AT: u8 = 32;
pub const TO_PARQUET: u8 = 64;
pub const BEFORE: u8 = 128;

/// Joins a file with a store beside it.
pub fn join(dir: &Path, spine: &Path, asked: &Asked<'_>) {
    let is = |bit: u8| asked.last & bit != 0;
    let folder = spine.parent().unwrap();
    let out = folder.join(if is(TO_PARQUET) { "out.parquet" } else { "out.csv" });
    let [store, file, output] = [dir, spine, &out].map(|path| path.to_str().unwrap());
    let mut words = vec!["join", store, file, "--output", output, "--json", "--time", "t"];
    words.extend(["--entity", asked.entity(), "--time-unit", asked.unit()]);
    let options: [(bool, &[&str]); 4] = [
        (is(BESIDE), &["--status", "--times"]),
        (is(KNOWN_AT), &["--known-at", "row"]),
        (is(BEFORE), &["--before"]),
        (asked.is(NULL_TOKEN), &["--null", "NA"]),
    ];
    words.extend(options.into_iter().filter(|option| option.0).flat_map(|option| option.1));
    let before = names(folder);
    let (said, result) = heap::at_most(MEMORY, || run(&words));
    let mut appeared = names(folder);
    appeared.retain(|name| !before.contains(name));
    if let Err(error) = result {
        assert!(said.is_empty() && appeared.is_empty(), "{error}: it was half done: {appeared:?}");
        return;
    }
    assert_eq!(appeared, [out.file_name().unwrap().to_str().unwrap()]);
    let told: Json = serde_json::from_slice(&said).unwrap();
    let (rows, features) = (number(&told, "rows"), number(&told, "features"));
    let cells = |status: &str| number(&told["cells"], status);
    let found = cells("value") + cells("null");
    let not_found = cells("missing") + cells("expired") + cells("deleted");
    assert_eq!(found + not_found, rows * features, "{told}");
    // Each row finds what was imported of it, unless it asks for what was before.
    let left_out = asked.is(SKIP_BAD) || asked.is(SKIP_NULLS) || asked.is(LONG);
    let sees_itself = !left_out && !asked.is(KNOWN) && !is(KNOWN_AT) && !is(BEFORE);
    assert!(!sees_itself || not_found == 0, "{told}");
    if is(TO_PARQUET) {
        let file = SerializedFileReader::new(std::fs::File::open(&out).unwrap()).unwrap();
        assert_eq!(u64::try_from(file.metadata().file_metadata().num_rows()), Ok(rows));
    } else if !asked.is(PARQUET) {
        let added = features * if is(BESIDE) { 3 } else { 1 };
        stand_beside(asked.file, &std::fs::read(&out).unwrap(), (rows, added));
    }
    std::fs::remove_file(out).unwrap();
}

/// Holds each row of a CSV output against that of its spine, and counts rows and added columns.
fn stand_beside(spine: &[u8], out: &[u8], (rows, added): (u64, u64)) {
    let (spine, out) = (csv::rows(spine), csv::rows(out));
    assert_eq!((out.len(), out.len() as u64), (spine.len(), rows + 1));
    for (index, (spine, out)) in spine.iter().zip(&out).enumerate() {
        let (Some(spine), Some(out)) = (spine, out) else { panic!("row {index} is broken") };
        assert_eq!(out.len() as u64, spine.len() as u64 + added, "row {index}");
        // Names of columns are in quotes only where they must be.
        let same = |(a, b): (&csv::Field, &csv::Field)| a.0 == b.0 && (index == 0 || a.1 == b.1);
        assert!(spine.iter().zip(out).all(same), "row {index}: {spine:?}, {out:?}");
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}
