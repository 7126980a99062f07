//! Metadata of tables: any bytes are read without a panic; what can be read comes back when
//! written again.
#![no_main]

use asofdb_format::meta::TableMeta;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(meta) = TableMeta::decode(bytes) {
        assert_eq!(TableMeta::decode(&meta.encode()), Ok(meta));
    }
});
