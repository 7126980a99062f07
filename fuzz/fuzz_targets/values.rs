//! Columns of values: any bytes are read without a panic; a column that was written comes back.
#![no_main]

use asofdb_format::revision::Payload;
use asofdb_format::values::{self, Numbers, Place, Values};
use asofdb_format::wire::Reader;
use asofdb_fuzz::columns::payload;
use asofdb_fuzz::heap;
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;

fn written(u: &mut Unstructured<'_>) -> Result<()> {
    let raw = u.arbitrary()?;
    let mut payloads = Vec::new();
    for _ in 0..u.int_in_range(1..=40)? {
        payloads.push(if u.ratio(1, 5)? { Payload::None } else { payload(u, raw)? });
    }
    let numbers = if u.arbitrary()? { Numbers::F64 } else { Numbers::Plain };
    let (mut out, mut heap) = (Vec::new(), vec![1; u.int_in_range(0..=3)?]);
    values::encode(&payloads.iter().collect::<Vec<_>>(), numbers, &mut out, &mut heap);
    let mut reader = Reader::new(&out);
    let column = Values::decode(&mut reader, payloads.len()).unwrap();
    assert_eq!(reader.left(), 0);
    let mut near = None;
    for (index, payload) in payloads.iter().enumerate() {
        let place = column.place(index).unwrap();
        assert_eq!(column.place_near(index, &mut near).unwrap(), place);
        match payload {
            Payload::None => {}
            Payload::Bits(bits) => assert_eq!(place, Place::Bits(*bits)),
            Payload::Raw(wanted) => match place {
                Place::InPlace { start, end } => assert_eq!(&out[start..end], wanted),
                Place::Block(at) => {
                    let block = &heap[at.block_start..at.block_end];
                    let block = values::decompress(block, at.block_len).unwrap();
                    assert_eq!(&block[at.start..at.end], wanted);
                }
                _ => unreachable!("bytes are somewhere"),
            },
        }
    }
    Ok(())
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&count, rest)) = bytes.split_first() else { return };
    // Blocks tell their length, 16 MiB at the most; zstd's own memory is not seen here.
    let bound = 1 + (16 << 20) / rest.len().max(1);
    heap::bounded(rest.len(), bound, || read(rest, count));
    let _ = written(&mut Unstructured::new(bytes));
});

fn read(rest: &[u8], count: u8) {
    if let Ok(column) = Values::decode(&mut Reader::new(rest), usize::from(count)) {
        for index in 0..usize::from(count) {
            if let Ok(Place::Block(at)) = column.place(index) {
                assert!(at.start <= at.end && at.end <= at.block_len);
                if let Some(block) = rest.get(at.block_start..at.block_end) {
                    let _ = values::decompress(block, at.block_len);
                }
            }
        }
    }
}
