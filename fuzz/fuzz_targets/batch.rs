//! Batches: any bytes are read without a panic; what can be read comes back when written again.
#![no_main]

use asofdb_format::batch::{BatchReader, EntryEncoder};
use asofdb_format::wire::Decoded;
use asofdb_fuzz::heap;
use libfuzzer_sys::fuzz_target;

fn rewritten(bytes: &[u8]) -> Decoded<()> {
    // A mark takes two bytes at least, and a name, a value and their place in a list in memory.
    let mut reader = heap::bounded(bytes.len(), 96, || BatchReader::decode(bytes))?;
    let mut head = reader.head.clone();
    let mut encoder = EntryEncoder::default();
    let mut entries = Vec::new();
    while let Some(entry) = heap::bounded(0, 0, || reader.next_entry())? {
        encoder.push(&entry);
        entries.push(entry);
    }
    head.entries = encoder.entries();
    assert_eq!(head, reader.head);
    let mut again = head.encode();
    again.extend_from_slice(encoder.as_bytes());
    let mut reader = BatchReader::decode(&again)?;
    assert_eq!(reader.head, head);
    for entry in &entries {
        assert_eq!(reader.next_entry()?.as_ref(), Some(entry));
    }
    assert_eq!(reader.next_entry()?, None);
    Ok(())
}

fuzz_target!(|bytes: &[u8]| {
    let _ = rewritten(bytes);
});
