//! The bytes of a program: small numbers one after another, read and written alike.
//!
//! A tape never fails: past its end everything is zero. So each cut or mutated tape is a program.

/// Reads a tape from its front.
#[derive(Debug)]
pub struct Tape<'a>(&'a [u8]);

impl<'a> Tape<'a> {
    /// Reads these bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether nothing is left.
    pub fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// The next two bytes.
    pub fn two(&mut self) -> u16 {
        u16::from_le_bytes([self.byte(), self.byte()])
    }

    /// The next four bytes.
    pub fn four(&mut self) -> u32 {
        u32::from_le_bytes([self.byte(), self.byte(), self.byte(), self.byte()])
    }

    /// The next byte as a number with a sign.
    pub fn signed(&mut self) -> i8 {
        self.byte().cast_signed()
    }

    /// The next two bytes as a number with a sign.
    pub fn signed_two(&mut self) -> i16 {
        self.two().cast_signed()
    }

    /// As many things as a byte says, `most` at the most.
    pub fn list<T>(&mut self, most: u8, mut one: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let count = self.byte() % (most + 1);
        (0..count).map(|_| one(self)).collect()
    }
}
