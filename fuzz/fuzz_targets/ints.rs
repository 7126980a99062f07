//! Columns of integers: any bytes are read without a panic; a column that was written comes back.
#![no_main]

use asofdb_format::ints::{self, Ints};
use asofdb_format::wire::Reader;
use asofdb_fuzz::columns::moment;
use asofdb_fuzz::heap;
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

/// Read in place, whatever the count.
fn read(bytes: &[u8], count: usize) {
    let mut reader = Reader::new(bytes);
    if let Ok(column) = Ints::decode(&mut reader, count) {
        column.iter().take(300).for_each(drop);
        assert!(column.partition_above(0) <= count && column.len() == count);
        let _ = (column.get(count), column.get(usize::MAX));
        assert_eq!(column.is_empty(), count == 0);
    }
}

/// The caller bounds the count of integers that are kept.
fn read_all(bytes: &[u8], count: usize) {
    let all = heap::bounded(bytes.len() + 8 * count, 4, || {
        ints::decode_all(&mut Reader::new(bytes), count)
    });
    let column = Ints::decode(&mut Reader::new(bytes), count);
    assert_eq!(all, column.map(|column| column.iter().collect()));
    let most = u64::from(u32::MAX) << 8;
    assert_eq!(ints::check_count(count as u64, most, 0), Ok(count));
    assert!(ints::check_count(count as u64 + 1, count as u64, 0).is_err());
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&count, rest)) = bytes.split_first() else { return };
    for count in [usize::from(count), usize::from(count) << 16, usize::MAX] {
        heap::bounded(rest.len(), 1, || read(rest, count));
    }
    read_all(rest, usize::from(count));
    let _ = written(&mut Unstructured::new(bytes));
});
