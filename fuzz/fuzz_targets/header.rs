//! Headers of files: any bytes are read without a panic; a header that is taken is the one that is
//! written, but for what hangs on its checksum alone.
#![no_main]

use asofdb_format::header::{FileKind, HEADER_LEN, Header, HeaderFault};
use asofdb_format::ids::{FileNumber, StoreId};
use asofdb_fuzz::heap;
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;

fn written(u: &mut Unstructured<'_>) -> Result<()> {
    let kinds = [FileKind::Current, FileKind::Manifest, FileKind::Log, FileKind::Table];
    let kind = *u.choose(&kinds)?;
    let header =
        Header::new(kind, StoreId(u.arbitrary()?), FileNumber(u.arbitrary()?), u.arbitrary()?);
    let mut bytes = header.encode();
    assert_eq!(bytes.len(), HEADER_LEN);
    assert_eq!(Header::decode(&bytes), Ok(header));
    let at = u.int_in_range(0..=HEADER_LEN - 1)?;
    let bits = u.int_in_range(1..=255u8)?;
    bytes[at] ^= bits;
    let refused = Header::decode(&bytes);
    let foreign = refused == Err(HeaderFault::NotOurs);
    assert!(foreign == (at < 6) && refused.is_err(), "byte {at}: {refused:?}");
    Ok(())
}

/// The bytes with the checksum that they should have.
fn mended(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = bytes.get(..HEADER_LEN)?.to_vec();
    bytes[..6].copy_from_slice(b"asofdb");
    let sum = crc32fast::hash(&bytes[..HEADER_LEN - 8]);
    bytes[48..52].copy_from_slice(&sum.to_le_bytes());
    bytes[52..].fill(0);
    Some(bytes)
}

fn read(bytes: &[u8]) {
    match heap::bounded(bytes.len(), 1, || Header::decode(bytes)) {
        Ok(header) => {
            let again = Header { version: 1, ..header }.encode();
            // A reader takes whatever stands in bytes 7 and 12 to 15, and an older version.
            assert_eq!((&again[..7], &again[16..48]), (&bytes[..7], &bytes[16..48]));
        }
        Err(HeaderFault::Malformed(fault)) => assert!(fault.at <= bytes.len() as u64),
        Err(_) => {}
    }
}

fuzz_target!(|bytes: &[u8]| {
    read(bytes);
    if let Some(mended) = mended(bytes) {
        read(&mended);
    }
    let _ = written(&mut Unstructured::new(bytes));
});
