//! The numbers of a head in four bytes each, where every one of them fits.
//!
//! A code tells how four bytes make the bits of a number:
//!
//! ```text
//! 16 + e   an i32 m: the f64 m / 10^e, e from 0 to 9
//! 32       an i32, as an i64
//! 48       a u32
//! ```
//!
//! Amounts, rates and counts mostly fit: a head is then half as long, and a read fetches fewer
//! lines of memory.

use crate::ids::FeatureId;
use crate::revision::{Payload, Revision};
use crate::values::{MAX_EXPONENT, decimal, f64_from, f64_mantissa, power_of_ten};

const DECIMAL: u8 = 16;
const SIGNED: u8 = 32;
const UNSIGNED: u8 = 48;

const LAST_DECIMAL: u8 = DECIMAL + MAX_EXPONENT;

/// Integers first: what is an integer is no decimal, and they are told apart at once.
const CODES: [u8; 12] = [SIGNED, UNSIGNED, 16, 17, 18, 19, 20, 21, 22, 23, 24, LAST_DECIMAL];

/// Numbers in four bytes each.
#[derive(Debug)]
pub(super) struct Narrow {
    /// One for all, or one each.
    pub(super) codes: Vec<u8>,
    pub(super) fours: Vec<[u8; 4]>,
}

impl Narrow {
    /// Those of a head's versions, with one code for all if there is such a code. `None`: one of
    /// them does not fit, or is no number.
    pub(super) fn of(newest: &[(FeatureId, &Revision)]) -> Option<Self> {
        let bits = newest.iter().map(|(_, revision)| match &revision.payload {
            Payload::Raw(_) => None,
            Payload::None => Some(0),
            Payload::Bits(bits) => Some(*bits),
        });
        let bits: Vec<u64> = bits.collect::<Option<_>>()?;
        for code in CODES {
            let fours = bits.iter().map(|bits| four(*bits, code));
            if let Some(fours) = fours.collect() {
                return Some(Self { codes: vec![code], fours });
            }
        }
        let each = |bits: &u64| CODES.iter().find_map(|code| Some((*code, four(*bits, *code)?)));
        let (codes, fours) = bits.iter().map(each).collect::<Option<_>>()?;
        Some(Self { codes, fours })
    }
}

/// Whether there is such a code.
pub(super) const fn is_code(code: u8) -> bool {
    matches!(code, DECIMAL..=LAST_DECIMAL | SIGNED | UNSIGNED)
}

/// The four bytes that have these bits by a code.
fn four(bits: u64, code: u8) -> Option<[u8; 4]> {
    /// The bits of an `f64` that are zero in the numbers next to zero, which are no decimals.
    const EXPONENT: u64 = 0x7ff << 52;
    match code {
        SIGNED => i32::try_from(bits.cast_signed()).ok().map(i32::to_le_bytes),
        UNSIGNED => u32::try_from(bits).ok().map(u32::to_le_bytes),
        _ if bits & EXPONENT == 0 && bits != 0 => None,
        _ => {
            let mantissa = f64_mantissa(bits, code.wrapping_sub(DECIMAL))?;
            i32::try_from(mantissa).ok().map(i32::to_le_bytes)
        }
    }
}

/// The bits of a number by its code; of a code that there is not, those of an unsigned one.
#[inline]
pub(super) fn bits(four: [u8; 4], code: u8) -> u64 {
    match code {
        DECIMAL..=LAST_DECIMAL => {
            f64_from(i64::from(i32::from_le_bytes(four)), code.wrapping_sub(DECIMAL))
        }
        SIGNED => i64::from(i32::from_le_bytes(four)).cast_unsigned(),
        _ => u64::from(u32::from_le_bytes(four)),
    }
}

/// The bits of numbers with one code, as many as there is room for: several at a time.
#[inline]
pub(super) fn bits_into(fours: &[[u8; 4]], code: u8, out: &mut [u64]) {
    let both = out.iter_mut().zip(fours);
    match code {
        DECIMAL..=LAST_DECIMAL => {
            let power = power_of_ten(code.wrapping_sub(DECIMAL));
            both.for_each(|(out, four)| {
                *out = decimal(i64::from(i32::from_le_bytes(*four)), power).to_bits();
            });
        }
        SIGNED => both.for_each(|(out, four)| *out = bits(*four, SIGNED)),
        _ => both.for_each(|(out, four)| *out = bits(*four, UNSIGNED)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ids::{Commit, EventTime, KnownTime, SourceId};
    use crate::revision::Order;
    use crate::value::Kind;

    fn narrow(all: &[u64]) -> Option<Narrow> {
        let order = Order { event_time: EventTime(0), known_time: KnownTime(0), commit: Commit(0) };
        let revision = |bits: &u64| Revision {
            order,
            kind: Kind::Value,
            source: SourceId::NONE,
            payload: Payload::Bits(*bits),
        };
        let revisions: Vec<Revision> = all.iter().map(revision).collect();
        let newest: Vec<_> = (0..).map(FeatureId).zip(&revisions).collect();
        Narrow::of(&newest)
    }

    /// Whether they fit, after a look that each comes back in both ways of reading.
    fn fits(all: &[u64]) -> bool {
        let Some(Narrow { codes, fours }) = narrow(all) else { return false };
        assert!(codes.iter().all(|code| is_code(*code)));
        for (index, number) in all.iter().enumerate() {
            let code = *codes.get(index).unwrap_or(&codes[0]);
            assert_eq!(bits(fours[index], code), *number, "{code}");
        }
        if let [code] = codes[..] {
            let mut out = vec![0; all.len()];
            bits_into(&fours, code, &mut out);
            assert_eq!(out, all);
        }
        true
    }

    #[test]
    fn a_number_at_the_end_of_its_code_comes_back_as_another() {
        let bits = f64::to_bits;
        for fit in [0, 1, 2_147_483_647, 4_294_967_295, (-2_147_483_648i64).cast_unsigned()] {
            assert!(fits(&[fit]), "{fit}");
        }
        for fit in [0.0, 1.0, -21_474_836.48, 2_147_483_647.0, 1e-9, 2.147_483_647, -0.01] {
            assert!(fits(&[bits(fit)]), "{fit}");
        }
        for wide in [-0.0, 2_147_483_648.0, 21_474_836.48, 1e-10, 0.1 + 0.2, f64::NAN, f64::MAX] {
            assert!(!fits(&[bits(wide)]), "{wide}");
        }
        for wide in [4_294_967_296, u64::MAX >> 1, 1 << 51, (-2_147_483_649i64).cast_unsigned()] {
            assert!(!fits(&[wide]), "{wide}");
        }
    }

    #[test]
    fn numbers_of_several_kinds_lose_their_codes() {
        let amounts = [2.5f64, 0.25, 0.0, 1e6].map(f64::to_bits);
        assert_eq!(narrow(&amounts).unwrap().codes, [18]);
        let mixed = [2.5f64.to_bits(), 7, u64::from(u32::MAX), 0, 0.125f64.to_bits()];
        assert_eq!(narrow(&mixed).unwrap().codes, [17, 32, 48, 32, 19]);
        assert!(fits(&amounts) && fits(&mixed));
        assert!(!fits(&[7, f64::NAN.to_bits()]));
    }

    proptest! {
        #[test]
        fn some_numbers_come_back_as_others(
            hundredths in prop::collection::vec(any::<i32>(), 1..30),
            any_bits in prop::collection::vec(any::<u64>(), 0..3),
            small in prop::collection::vec(any::<i16>(), 0..3),
        ) {
            let amounts = hundredths.iter().map(|m| (f64::from(*m) / 100.0).to_bits());
            let small = small.iter().map(|n| i64::from(*n).cast_unsigned());
            let all: Vec<u64> = amounts.chain(small).collect();
            prop_assert!(fits(&all));
            let _ = fits(&all.into_iter().chain(any_bits).collect::<Vec<_>>());
        }
    }
}
