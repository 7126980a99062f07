//! Long values in compressed blocks of the entity's heap.
//!
//! ```text
//! values of the column  | 0  1  2  3 | 4  5 | 6  7  8 |     firsts 0, 4, 6
//! heap                  | frame      | frame| frame   |     block ends
//! ```
//!
//! The bytes of a column are cut into blocks of whole values; each block is one zstd frame. Who reads a
//! value decompresses its block, so blocks are short, unless the values are so much alike that short ones
//! take notably more room: texts of which each says what the one before said, but for a word. Columns of
//! many blocks are asked again and again, for what is written may change.

use std::cell::RefCell;
use std::ops::Range;

use bytes::Bytes;

use super::{BLOCK_LEN, COMPRESSION_LEVEL, InBlock, Place, SHORT_BLOCK_LEN, between, signed};
use crate::ints::Ints;
use crate::value::MAX_VALUE_LEN;
use crate::wire::{Decoded, Malformed, narrow};

/// Where the blocks of a column are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Blocks<'a> {
    pub(super) ends: Ints<'a>,
    pub(super) firsts: Ints<'a>,
    pub(super) heap_start: usize,
    pub(super) block_ends: Ints<'a>,
}

/// A block of a column: which values it holds, and where it lies.
#[derive(Clone, Debug)]
pub struct Block {
    values: Range<usize>,
    /// In all the column's bytes.
    bytes: Range<usize>,
    /// Compressed, in the heap.
    heap: Range<usize>,
}

impl Blocks<'_> {
    /// The block that holds a value.
    pub(super) fn of(&self, index: usize) -> Decoded<Block> {
        let block = self.firsts.partition_above(signed(index)).saturating_sub(1);
        let (start, end) = between(&self.block_ends, block, self.heap_start)?;
        let fault = Malformed::new(0, "the first value of a block");
        let bound = |at| usize::try_from(self.firsts.get(at)).map_err(|_| fault.clone());
        let first = bound(block)?;
        let next = if block + 1 < self.firsts.len() { bound(block + 1)? } else { self.ends.len() };
        if first > index || next <= index || next > self.ends.len() {
            return Err(fault);
        }
        let (origin, _) = between(&self.ends, first, 0)?;
        let (_, last) = between(&self.ends, next - 1, 0)?;
        if last < origin || last - origin > BLOCK_LEN.max(MAX_VALUE_LEN) {
            return Err(WITHIN_BLOCK);
        }
        Ok(Block { values: first..next, bytes: origin..last, heap: start..end })
    }
}

const WITHIN_BLOCK: Malformed = Malformed::new(0, "the ends of values within their block");

impl Block {
    /// Whether a value is one of its.
    #[inline]
    pub(super) fn holds(&self, index: usize) -> bool {
        self.values.contains(&index)
    }

    /// Where one of its values is.
    #[inline]
    pub(super) fn place(&self, blocks: &Blocks<'_>, index: usize) -> Decoded<Place> {
        let (from, to) = between(&blocks.ends, index, 0)?;
        if from < self.bytes.start || to > self.bytes.end {
            return Err(WITHIN_BLOCK);
        }
        Ok(Place::Block(InBlock {
            block_start: self.heap.start,
            block_end: self.heap.end,
            block_len: self.bytes.end - self.bytes.start,
            start: from - self.bytes.start,
            end: to - self.bytes.start,
        }))
    }
}

/// The values of one block from one down, for who has the block: where each lies in it.
#[derive(Clone, Debug)]
pub struct BackInBlock<'a> {
    ends: Ints<'a>,
    block: Block,
    /// Of those below this.
    below: usize,
    /// Where the next one ends in all the column's bytes.
    end: usize,
}

impl<'a> BackInBlock<'a> {
    pub(super) fn below(blocks: &Blocks<'a>, block: &Block, index: usize) -> Decoded<Self> {
        let (end, _) = between(&blocks.ends, index, 0)?;
        Ok(Self { ends: blocks.ends, block: block.clone(), below: index, end })
    }
}

impl Iterator for BackInBlock<'_> {
    type Item = Decoded<(usize, Range<usize>)>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let index = self.below.checked_sub(1).filter(|index| self.block.holds(*index))?;
        let from = match index.checked_sub(1) {
            Some(before) => narrow(self.ends.get(before).cast_unsigned()),
            None => 0,
        };
        let (to, bytes) = (self.end, &self.block.bytes);
        if from > to || from < bytes.start || to > bytes.end {
            self.below = 0;
            return Some(Err(WITHIN_BLOCK));
        }
        (self.below, self.end) = (index, from);
        Some(Ok((index, from - bytes.start..to - bytes.start)))
    }
}

/// What a zstd frame that holds data begins with.
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Decompresses a block of known length: one frame, which the library alone would not insist on.
pub fn decompress(block: &[u8], len: usize) -> Decoded<Bytes> {
    let fault = Malformed::new(0, "one zstd frame of the length that its index tells");
    let is_one = block.starts_with(&ZSTD_MAGIC)
        && zstd::zstd_safe::find_frame_compressed_size(block) == Ok(block.len());
    if !is_one {
        return Err(fault);
    }
    let bytes = ZSTD.with_borrow_mut(|kept| {
        if kept.is_none() {
            *kept = zstd::bulk::Decompressor::new().ok();
        }
        kept.as_mut().and_then(|zstd| zstd.decompress(block, len).ok())
    });
    bytes.filter(|bytes| bytes.len() == len).map(Bytes::from).ok_or(fault)
}

/// The blocks of a column as they are written.
#[derive(Debug, Default)]
pub(super) struct BlocksOut {
    /// The first value of each.
    pub(super) firsts: Vec<i64>,
    /// Where each ends in the heap.
    pub(super) ends: Vec<i64>,
}

impl BlocksOut {
    /// Adds the blocks of a column to a heap.
    pub(super) fn of(values: &[&[u8]], heap: &mut Vec<u8>) -> Self {
        let mut blocks = Self::default();
        let (mut short, mut compared) = (false, 0);
        for long in blocks_of(values, 0, BLOCK_LEN) {
            let upto = values.get(..long.end).unwrap_or_default();
            let part = upto.get(long.start..).unwrap_or_default();
            let mut from = long.start;
            if compared > 0 {
                compared -= 1;
            } else if part.len() > 1 && bytes_of(part) > 2 * SHORT_BLOCK_LEN {
                (short, compared) = (blocks.may_be_short(upto, &mut from, heap), COMPARED - 1);
            }
            let most = if short { SHORT_BLOCK_LEN } else { BLOCK_LEN };
            blocks_of(upto, from, most).for_each(|block| blocks.push(upto, block, heap));
        }
        blocks
    }

    /// Whether short blocks are hardly larger, which the first two of a long one tell. These are then
    /// written, and `from` is behind them.
    fn may_be_short(&mut self, values: &[&[u8]], from: &mut usize, heap: &mut Vec<u8>) -> bool {
        let (blocks, start) = (self.ends.len(), heap.len());
        let mut both = *from..*from;
        for block in blocks_of(values, *from, SHORT_BLOCK_LEN).take(2) {
            both.end = block.end;
            self.push(values, block, heap);
        }
        let as_one = values.get(both.clone()).unwrap_or_default().concat();
        let as_one = compress(&as_one).unwrap_or_default().len();
        if heap.len() - start <= as_one + as_one / WORTH {
            *from = both.end;
            return true;
        }
        self.firsts.truncate(blocks);
        self.ends.truncate(blocks);
        heap.truncate(start);
        false
    }

    fn push(&mut self, values: &[&[u8]], block: Range<usize>, heap: &mut Vec<u8>) {
        self.firsts.push(signed(block.start));
        let bytes = values.get(block).unwrap_or_default().concat();
        // Compressing memory to memory fails only for want of memory; an empty frame is then refused
        // by every reader, and the table is verified before it is published.
        heap.extend_from_slice(&compress(&bytes).unwrap_or_default());
        self.ends.push(signed(heap.len()));
    }
}

/// A share of one block by which it has to be smaller than two of half its length to be worth that. Of
/// four in place of one they are then larger by an eighth at the most, or little more.
const WORTH: usize = 12;

/// One in so many long blocks is compared.
const COMPARED: usize = 8;

fn bytes_of(values: &[&[u8]]) -> usize {
    values.iter().map(|value| value.len()).sum()
}

/// The values of each block from this value on: as many as have together no more than so many bytes, or
/// one, and those before it that have none.
fn blocks_of(values: &[&[u8]], from: usize, most: usize) -> impl Iterator<Item = Range<usize>> {
    let mut start = from;
    std::iter::from_fn(move || {
        let rest = values.get(start..).filter(|rest| !rest.is_empty())?;
        let mut bytes = 0usize;
        let fits = |value: &&&[u8]| {
            let is_first = bytes == 0;
            bytes = bytes.saturating_add(value.len());
            is_first || bytes <= most
        };
        let block = start..start + rest.iter().take_while(fits).count();
        start = block.end;
        Some(block)
    })
}

fn compress(block: &[u8]) -> Option<Vec<u8>> {
    if block.len() > BLOCK_LEN {
        // What that works with is large, and would stay.
        return zstd::bulk::compress(block, COMPRESSION_LEVEL).ok();
    }
    COMPRESSOR.with_borrow_mut(|kept| {
        if kept.is_none() {
            *kept = zstd::bulk::Compressor::new(COMPRESSION_LEVEL).ok();
        }
        kept.as_mut()?.compress(block).ok()
    })
}

thread_local! {
    /// What zstd works with, some 100 KiB that need not be made for each block.
    static ZSTD: RefCell<Option<zstd::bulk::Decompressor<'static>>> = const { RefCell::new(None) };
    /// The same for who writes blocks, some 530 KiB.
    static COMPRESSOR: RefCell<Option<zstd::bulk::Compressor<'static>>> =
        const { RefCell::new(None) };
}
