//! How the entity of several columns is written as one.
//!
//! The entity of one column is that column's text as it is. The entity of several is their texts
//! in order with `|` between them, where `\` stands before each `|` and `\` that is in a text:
//! `a|b` and `c` become `a\|b|c`. All commands share this, and it can be read back: no two lists
//! of texts are written alike.

/// The longest entity in bytes.
pub const MAX_LEN: usize = 65_535;

/// Writes the texts of an entity's columns as one entity.
pub fn encode<'a>(parts: impl ExactSizeIterator<Item = &'a [u8]>, out: &mut Vec<u8>) {
    let single = parts.len() == 1;
    out.clear();
    for (index, part) in parts.enumerate() {
        if index > 0 {
            out.push(b'|');
        }
        if single || !part.iter().any(|byte| matches!(byte, b'|' | b'\\')) {
            out.extend_from_slice(part);
            continue;
        }
        for &byte in part {
            if matches!(byte, b'|' | b'\\') {
                out.push(b'\\');
            }
            out.push(byte);
        }
    }
}

/// An entity as people read it: its text, or its bytes in hexadecimal if it is none.
pub fn show(entity: &[u8]) -> String {
    match std::str::from_utf8(entity) {
        Ok(text) => text.to_owned(),
        Err(_) => format!("0x{}", crate::values::hex(entity)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The other direction.
    fn decode(entity: &[u8]) -> Vec<Vec<u8>> {
        let mut parts = vec![Vec::new()];
        let mut bytes = entity.iter().copied();
        while let Some(byte) = bytes.next() {
            match byte {
                b'|' => parts.push(Vec::new()),
                b'\\' => parts.last_mut().unwrap().push(bytes.next().unwrap()),
                _ => parts.last_mut().unwrap().push(byte),
            }
        }
        parts
    }

    fn encoded(parts: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        encode(parts.iter().copied(), &mut out);
        out
    }

    #[test]
    fn one_column_is_taken_as_it_is() {
        assert_eq!(encoded(&[br"a|b\c"]), br"a|b\c");
    }

    #[test]
    fn several_columns_can_be_read_back() {
        let texts: [&[u8]; 8] = [b"", b"a", b"|", b"\\", b"a|b", b"\\|", b"|\\", b"a\\b|c"];
        for first in texts {
            for second in texts {
                for third in texts {
                    let parts = [first, second, third];
                    assert_eq!(decode(&encoded(&parts)), parts);
                }
            }
        }
        assert_eq!(encoded(&[b"a|b", b"c"]), br"a\|b|c");
    }
}
