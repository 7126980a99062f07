//! Metadata of tables and their freshness: any bytes are read without a panic; what can be read
//! comes back when written again.
#![no_main]

use asofdb_format::freshness::Freshness;
use asofdb_format::meta::TableMeta;
use asofdb_fuzz::heap;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // Of a map half may be empty.
    if let Ok(meta) = heap::bounded(bytes.len(), 48, || TableMeta::decode(bytes)) {
        assert_eq!(TableMeta::decode(&meta.encode()), Ok(meta));
    }
    // A feature takes three bytes and more, of which a list that grows holds half.
    if let Ok(freshness) = heap::bounded(bytes.len(), 48, || Freshness::decode(bytes)) {
        assert_eq!(freshness.encode(), bytes, "it has one form");
    }
});
