//! Columns of integers: any bytes are read without a panic; a column that was written comes back.
#![no_main]

use asofdb_format::ints::{self, Ints};
use asofdb_format::wire::Reader;
use asofdb_fuzz::moment;
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;

fn written(u: &mut Unstructured<'_>) -> Result<()> {
    let mut column = Vec::new();
    while !u.is_empty() && column.len() < 300 {
        column.push(moment(u)?);
    }
    let mut out = Vec::new();
    ints::encode(&column, &mut out);
    let len = out.len();
    out.push(0xff);
    let mut reader = Reader::new(&out);
    let found = Ints::decode(&mut reader, column.len()).unwrap();
    assert!(found.iter().eq(column.iter().copied()));
    assert_eq!(reader.position(), len);
    column.sort_unstable();
    out.clear();
    ints::encode(&column, &mut out);
    let found = Ints::decode(&mut Reader::new(&out), column.len()).unwrap();
    let limit = column.get(column.len() / 2).copied().unwrap_or_default();
    let expected = column.partition_point(|&number| number <= limit);
    assert_eq!(found.partition_above(limit), expected);
    Ok(())
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&count, rest)) = bytes.split_first() else { return };
    if let Ok(column) = Ints::decode(&mut Reader::new(rest), usize::from(count)) {
        column.iter().for_each(drop);
        let _ = (column.partition_above(0), column.get(usize::MAX));
    }
    let _ = written(&mut Unstructured::new(bytes));
});
