//! The numbers of all columns of a chunk, side by side: what a column costs beside its numbers is
//! three small integers, and a read finds a number without a look at another column.
//!
//! ```text
//! codes    ints of C forms of values | power of ten << 4
//! bases    ints of C integers
//! rests    lines of the C columns' integers, each less the base of its column; R in all
//! ```
//!
//! The integers are those that [`values`](crate::values) writes for numbers.

use crate::ints::{self, Ints};
use crate::lines::{self, Lists};
use crate::values::{NumberCode, NumberValues, Wholes};
use crate::wire::{Decoded, Malformed, Reader, wide};

/// The numbers of a chunk, read in place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Beside<'a> {
    codes: Ints<'a>,
    pub(super) bases: Ints<'a>,
    pub(super) rests: Ints<'a>,
}

impl<'a> Beside<'a> {
    #[inline(always)]
    pub(super) fn decode(
        reader: &mut Reader<'a>,
        columns: usize,
        revisions: usize,
    ) -> Decoded<Self> {
        Ok(Self {
            codes: Ints::decode(reader, columns)?,
            bases: Ints::decode(reader, columns)?,
            rests: Ints::decode(reader, revisions)?,
        })
    }

    /// The numbers of a column before which so many revisions lie.
    #[inline(always)]
    pub(super) fn column(&self, index: usize, before: usize) -> Decoded<NumberValues<'a>> {
        let code = Self::known(self.codes.get(index))?;
        Ok(NumberValues::beside(code, self.bases.get(index), before, self.rests))
    }

    /// The one code of all columns, if they have one and it is told without a look at each.
    #[inline(always)]
    pub(super) fn one_code(&self) -> Decoded<Option<NumberCode>> {
        self.codes.constant().map(Self::known).transpose()
    }

    #[inline(always)]
    fn known(code: i64) -> Decoded<NumberCode> {
        let fault = Malformed::new(0, "a form of numbers and a power of ten up to nine");
        NumberCode::of(code).ok_or(fault)
    }

    /// The code of a column, which all may share.
    #[inline(always)]
    pub(super) fn code(&self, one: Option<NumberCode>, index: usize) -> Decoded<NumberCode> {
        one.map_or_else(|| Self::known(self.codes.get(index)), Ok)
    }
}

/// How the numbers of several columns are written side by side.
#[derive(Debug)]
pub(super) struct Plan {
    codes: Vec<i64>,
    bases: Vec<i64>,
    rests: Vec<i64>,
    lines: lines::Plan,
}

impl Plan {
    /// The plan, if it takes at most about as much room as a column each.
    pub(super) fn of(columns: &[Wholes], counts: &[usize]) -> Option<Self> {
        if columns.len() < 2 {
            return None;
        }
        let bases: Vec<i64> =
            columns.iter().map(|c| c.wholes.iter().min().copied().unwrap_or_default()).collect();
        let mut rests = Vec::with_capacity(counts.iter().sum());
        for (column, base) in columns.iter().zip(&bases) {
            rests.extend(column.wholes.iter().map(|whole| whole.wrapping_sub(*base)));
        }
        let plan = |all: &[i64]| Lists { all, counts: &[all.len()] }.plan().bits(all.len());
        let codes: Vec<i64> = columns.iter().map(Wholes::code).collect();
        let lines = Lists { all: &rests, counts }.plan();
        let side = plan(&codes) + plan(&bases) + lines.bits(rests.len());
        // Form, power of ten, and where the body ends.
        const OWN: u64 = 24;
        // At first what each takes at least, which is mostly enough to know.
        let mut own = wide(columns.len()) * (OWN + lines::Plan::LEAST_BITS);
        // It is quicker to read, too, which is worth a little.
        let is_worth = |own: u64| side <= own + own / 32;
        for column in columns {
            if is_worth(own) {
                break;
            }
            own += plan(&column.wholes) - lines::Plan::LEAST_BITS;
        }
        is_worth(own).then_some(Self { codes, bases, rests, lines })
    }

    pub(super) fn write(&self, counts: &[usize], out: &mut Vec<u8>) {
        ints::encode(&self.codes, out);
        ints::encode(&self.bases, out);
        self.lines.write(Lists { all: &self.rests, counts }, out);
    }
}
