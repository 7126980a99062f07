//! Small things: any bytes are read without a panic, in any order of forms; each has one form, so
//! that what was read is what is written.
#![no_main]

use asofdb_format::wire::{self, Decoded, Reader, Writer};
use asofdb_fuzz::heap;
use libfuzzer_sys::fuzz_target;

/// A varint by SPEC.md 4.1, read another way.
fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let len = bytes.iter().position(|byte| byte & 0x80 == 0)? + 1;
    let (last, sound) = (bytes[len - 1], len <= 10);
    if !sound || last == 0 && len > 1 || len == 10 && last > 1 {
        return None;
    }
    let digits = bytes[..len].iter().rev();
    Some((digits.fold(0, |value, byte| value << 7 | u64::from(byte & 0x7f)), len))
}

/// Reads one thing of a form; the same thing written.
fn one(form: u8, reader: &mut Reader<'_>, rest: &[u8]) -> Decoded<Vec<u8>> {
    let mut out = Vec::new();
    match form % 10 {
        0 => {
            let wanted = varint(rest);
            let before = reader.position();
            let found = reader.varint();
            assert_eq!(found.as_ref().ok().copied(), wanted.map(|(value, _)| value));
            out.put_varint(found?);
            assert_eq!(Some(reader.position() - before), wanted.map(|(_, len)| len));
        }
        1 => out.put_zigzag(reader.zigzag()?),
        2 => out.put_bytes(reader.bytes()?),
        3 => out.put_bytes(reader.text()?.as_bytes()),
        4 => out.push(reader.u8()?),
        5 => out.put_u16(reader.u16()?),
        6 => out.put_u32(reader.u32()?),
        7 => out.put_u64(reader.u64()?),
        8 => out.put_i64(reader.i64()?),
        _ => {
            let (count, left) = (reader.count()?, reader.left());
            assert!(count <= left);
            out.put_varint(count as u64);
        }
    }
    Ok(out)
}

fuzz_target!(|bytes: &[u8]| {
    let (forms, bytes) = bytes.split_at(bytes.len() / 3);
    let mut reader = Reader::new(bytes);
    for form in forms {
        let start = reader.position();
        // The bytes themselves, written into a vector that grows.
        let read = heap::bounded(bytes.len(), 4, || one(*form, &mut reader, &bytes[start..]));
        match read {
            Ok(written) => assert_eq!(written, bytes[start..reader.position()]),
            Err(fault) => assert!(fault.at <= bytes.len() as u64),
        }
        assert_eq!(reader.position() + reader.left(), bytes.len());
        assert_eq!(reader.rest(), &bytes[reader.position()..]);
        assert_eq!(reader.end().is_ok(), reader.left() == 0);
    }
    for (at, width) in forms.iter().zip(0..9usize) {
        let at = usize::from(*at);
        let eight: Vec<u8> = bytes.iter().skip(at).copied().chain([0; 8]).take(width).collect();
        let mut out = Vec::new();
        wire::put_uint(&mut out, wire::uint(bytes, at, width), width);
        assert_eq!(out, eight);
    }
});
