//! Checksums of a table in pages, so that a read verifies only what it touches.
//!
//! ```text
//! page i is the bytes [i * 4096, (i + 1) * 4096) of the file, the last one up to the end of what
//! is covered; the checksums section has a u32 for each: the CRC-32 (IEEE) of the page
//! ```

use crate::wire::{Writer, narrow, uint};

/// How long a page is.
pub const PAGE_LEN: u64 = 4096;

/// Takes the bytes of a file as they are written and makes the checksums of its pages.
#[derive(Debug, Default)]
pub struct PageSums {
    current: crc32fast::Hasher,
    filled: usize,
    sums: Vec<u8>,
}

impl PageSums {
    /// Takes the next bytes.
    pub fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = narrow(PAGE_LEN) - self.filled;
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.current.update(now);
            self.filled += now.len();
            if self.filled == narrow(PAGE_LEN) {
                self.finish_page();
            }
            bytes = later;
        }
    }

    fn finish_page(&mut self) {
        self.sums.put_u32(std::mem::take(&mut self.current).finalize());
        self.filled = 0;
    }

    /// The checksums of all pages.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        if self.filled > 0 {
            self.finish_page();
        }
        self.sums
    }
}

/// How many pages cover so many bytes.
#[must_use]
pub const fn page_count(covered: u64) -> u64 {
    covered.div_ceil(PAGE_LEN)
}

/// Whether a page has the checksum that the section tells.
#[must_use]
pub fn page_is_whole(sums: &[u8], page: u64, bytes: &[u8]) -> bool {
    let at = narrow(page).saturating_mul(4);
    at.saturating_add(4) <= sums.len() && uint(sums, at, 4) == u64::from(crc32fast::hash(bytes))
}

/// Where a page lies, in a file of which so many bytes are covered.
#[must_use]
pub fn page_range(page: u64, covered: u64) -> (u64, u64) {
    let start = page.saturating_mul(PAGE_LEN).min(covered);
    (start, start.saturating_add(PAGE_LEN).min(covered))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::wide;

    #[test]
    fn sums_do_not_depend_on_how_the_bytes_came() {
        let bytes: Vec<u8> = (0..10_000u32).map(|n| (n % 251) as u8).collect();
        let mut whole = PageSums::default();
        whole.update(&bytes);
        let whole = whole.finish();
        let mut parts = PageSums::default();
        bytes.chunks(777).for_each(|part| parts.update(part));
        assert_eq!(parts.finish(), whole);
        assert_eq!(wide(whole.len()), 4 * page_count(wide(bytes.len())));
        for page in 0..3 {
            let (start, end) = page_range(page, wide(bytes.len()));
            assert!(page_is_whole(&whole, page, &bytes[narrow(start)..narrow(end)]));
            assert!(!page_is_whole(&whole, page, &bytes[narrow(start)..narrow(end) - 1]));
        }
        assert!(!page_is_whole(&whole, 3, &[]));
    }
}
