//! Edits: any bytes are read without a panic; what can be read comes back when written again.
#![no_main]

use asofdb_format::edit;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(edits) = edit::decode_all(bytes) {
        assert_eq!(edit::decode_all(&edit::encode_all(&edits)), Ok(edits));
    }
});
