//! Chunks: any bytes are read without a panic; columns that were written come back.
#![no_main]

use asofdb_format::chunk::{self, ColumnInput};
use asofdb_fuzz::{chunk_columns, features, numbers};
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;

fn written(u: &mut Unstructured<'_>) -> Result<()> {
    let features = features(u)?;
    let columns: Vec<ColumnInput<'_>> = features
        .iter()
        .map(|(feature, revisions)| ColumnInput {
            feature: *feature,
            numbers: numbers(),
            revisions,
        })
        .collect();
    let (mut out, mut heap) = (Vec::new(), Vec::new());
    chunk::encode(&columns, &mut out, &mut heap);
    assert_eq!(chunk_columns(&out, &heap), Ok(features));
    Ok(())
}

fuzz_target!(|bytes: &[u8]| {
    let (chunk, heap) = bytes.split_at(bytes.len() / 2);
    let _ = chunk_columns(chunk, heap);
    let _ = chunk_columns(bytes, bytes);
    let _ = written(&mut Unstructured::new(bytes));
});
