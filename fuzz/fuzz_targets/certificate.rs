//! Certificates of erases: any bytes are read without a panic, with the checksum that they have and
//! with the right one; each certificate has one form, in which no changed byte goes unseen.
#![no_main]

use asofdb_format::certificate::ErasureCertificate;
use asofdb_fuzz::{certificates, heap};
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;

fn read(bytes: &[u8]) {
    // A word of a line may have no bytes and takes a slice, in a list that grows.
    let read = heap::bounded(bytes.len(), 64, || ErasureCertificate::decode(bytes));
    if let Ok(certificate) = read {
        assert_eq!(certificate.encode().as_bytes(), bytes, "it has one form");
        assert!(certificate.erased.is_sorted_by(|a, b| a.entity < b.entity));
        assert!(certificate.files.is_sorted_by(|a, b| a.number < b.number));
    }
}

fn written(u: &mut Unstructured<'_>) -> Result<()> {
    let certificate = certificates::certificate(u)?;
    let mut bytes = certificate.encode().into_bytes();
    assert_eq!(ErasureCertificate::decode(&bytes), Ok(certificate));
    assert_eq!(certificates::mended(&bytes), bytes);
    let at = u.int_in_range(0..=bytes.len() - 1)?;
    bytes[at] ^= u.int_in_range(1..=255u8)?;
    assert!(ErasureCertificate::decode(&bytes).is_err(), "byte {at}");
    Ok(())
}

fuzz_target!(|bytes: &[u8]| {
    read(bytes);
    read(&certificates::mended(bytes));
    let _ = written(&mut Unstructured::new(bytes));
});
