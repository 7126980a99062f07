//! Edits: any bytes are read without a panic; what can be read comes back when written again.
#![no_main]

use asofdb_format::edit;
use asofdb_fuzz::heap;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // An edit takes three bytes at least, and as much memory as the largest one takes.
    if let Ok(edits) = heap::bounded(bytes.len(), 256, || edit::decode_all(bytes)) {
        assert_eq!(edit::decode_all(&edit::encode_all(&edits)), Ok(edits));
    }
});
