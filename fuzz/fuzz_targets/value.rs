//! Values: any bits, bytes and names are taken or refused without a panic; what is taken comes
//! back, every bit of it.
#![no_main]

use asofdb_format::revision::Payload;
use asofdb_format::value::{Kind, Text, Value, ValueType, Vector};
use asofdb_fuzz::{heap, records};
use bytes::Bytes;
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;

fn read(u: &mut Unstructured<'_>) -> Result<()> {
    let (tag, dim, bits) = (u.arbitrary()?, u.arbitrary()?, u.arbitrary()?);
    if let Some(kind) = Kind::from_tag(tag) {
        assert_eq!(kind.tag(), tag);
    }
    let Some(value_type) = ValueType::from_tag(tag % 9, dim) else { return Ok(()) };
    assert_eq!(value_type.tag(), tag % 9);
    if let Some(value) = Value::from_bits(value_type, bits) {
        assert_eq!((value.as_bits(), value.value_type()), (Some(bits), value_type));
    }
    let raw = Bytes::copy_from_slice(u.bytes(u.len())?);
    // A value holds the bytes themselves and copies none.
    let value = heap::bounded(0, 0, || Value::from_raw_bytes(value_type, raw.clone()));
    if let Some(value) = value {
        assert_eq!((value.as_raw_bytes(), value.value_type()), (Some(&raw), value_type));
    }
    assert_eq!(Text::from_utf8(raw.clone()).is_some(), std::str::from_utf8(&raw).is_ok());
    if let Some(vector) = Vector::from_le_bytes(raw.clone()) {
        let numbers: Vec<f32> = vector.iter().collect();
        assert_eq!(numbers.len(), vector.dim());
        assert_eq!(Vector::from_slice(&numbers).as_bytes(), &raw);
    }
    Ok(())
}

fn written(u: &mut Unstructured<'_>) -> Result<()> {
    let value = records::value(u)?;
    let value_type = value.value_type();
    let back = Payload::of(&value).to_value(value_type);
    // A vector without numbers has no type that a feature can have, and comes back all the same.
    assert_eq!(back, Some(value));
    let name = value_type.to_string();
    let parsed = ValueType::parse(&name);
    assert!(parsed == Some(value_type) || value_type.dim() == 0 && parsed.is_none(), "{name}");
    Ok(())
}

fuzz_target!(|bytes: &[u8]| {
    if let Some(value_type) = std::str::from_utf8(bytes).ok().and_then(ValueType::parse) {
        assert_eq!(ValueType::parse(&value_type.to_string()), Some(value_type));
    }
    let _ = read(&mut Unstructured::new(bytes));
    let _ = written(&mut Unstructured::new(bytes));
});
