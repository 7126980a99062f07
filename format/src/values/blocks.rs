//! Long values in compressed blocks of the entity's heap.
//!
//! ```text
//! values of the column  | 0  1  2  3 | 4  5 | 6  7  8 |     firsts 0, 4, 6
//! heap                  | frame      | frame| frame   |     block ends
//! ```
//!
//! The bytes of a column are cut into blocks of whole values; each block is one zstd frame.

use std::cell::RefCell;
use std::ops::Range;

use bytes::Bytes;

use super::{BLOCK_LEN, InBlock, Place, between, signed};
use crate::ints::Ints;
use crate::value::MAX_VALUE_LEN;
use crate::wire::{Decoded, Malformed};

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

thread_local! {
    /// What zstd works with, some 100 KiB that need not be made for each block.
    static ZSTD: RefCell<Option<zstd::bulk::Decompressor<'static>>> = const { RefCell::new(None) };
}
