//! What packed bytes may become, told without unpacking them where that can be.

use std::io::{self, Read as _};

use super::PAGE_BYTES;

/// What one block of zstd gives at the most.
const ZSTD_BLOCK: u64 = 128 << 10;

/// At most what snappy makes of so many bytes: a copy of up to 64 of them takes three.
pub const fn snappy_most(bytes: usize) -> u64 {
    (bytes as u64).saturating_mul(64) / 3
}

/// At most what zstd makes of these bytes, by the heads of its blocks.
pub fn zstd_most(bytes: &[u8]) -> u64 {
    let mut rest = bytes;
    let mut most = 0_u64;
    while let Some(behind) = zstd_frame(rest, &mut most) {
        rest = behind;
    }
    most
}

/// Whether zstd makes no more than so many bytes of these: the library would take what comes. The
/// heads of blocks tell it of all but large pages, which are unpacked for it into nothing.
pub fn zstd_keeps_to(stated: u64, bytes: &[u8]) -> bool {
    if zstd_most(bytes) <= PAGE_BYTES {
        return true;
    }
    let Ok(decoder) = zstd::Decoder::new(bytes) else { return true };
    let made = io::copy(&mut decoder.take(stated.saturating_add(1)), &mut io::sink());
    made.map_or(true, |made| made <= stated)
}

/// Goes past a frame; `None` if there is none that is whole.
fn zstd_frame<'a>(bytes: &'a [u8], most: &mut u64) -> Option<&'a [u8]> {
    let (magic, rest) = bytes.split_first_chunk::<4>()?;
    let magic = u32::from_le_bytes(*magic);
    if magic & 0xffff_fff0 == 0x184d_2a50 {
        let (length, rest) = rest.split_first_chunk::<4>()?;
        return rest.get(usize::try_from(u32::from_le_bytes(*length)).ok()?..);
    }
    if magic != 0xfd2f_b528 {
        return None;
    }
    let (&head, rest) = rest.split_first()?;
    let is_single = head & 0x20 != 0;
    let dictionary = [0, 1, 2, 4].get(usize::from(head & 3))?;
    let size = [usize::from(is_single), 2, 4, 8];
    let length = usize::from(!is_single) + dictionary + size.get(usize::from(head >> 6))?;
    let mut rest = rest.get(length..)?;
    loop {
        let (block, behind) = rest.split_first_chunk::<3>()?;
        let block = u32::from_le_bytes([block[0], block[1], block[2], 0]);
        let size = u64::from(block >> 3);
        let (takes, gives) = match block >> 1 & 3 {
            0 => (size, size),
            1 => (1, size),
            _ => (size, ZSTD_BLOCK),
        };
        *most = most.saturating_add(gives.min(ZSTD_BLOCK));
        rest = behind.get(usize::try_from(takes).ok()?..)?;
        if block & 1 == 1 {
            break;
        }
    }
    rest.get(if head & 4 == 0 { 0 } else { 4 }..)
}

/// What stands behind numbers that are packed as deltas; `None` if these are more than `most`.
/// What is broken ends the bytes: the library refuses it before it takes any room.
pub fn behind_deltas(bytes: &[u8], most: u64) -> Option<&[u8]> {
    let mut rest = bytes;
    let mut head = [0_u64; 4];
    for number in &mut head {
        match number_of(rest) {
            Some((read, behind)) => (*number, rest) = (read, behind),
            None => return Some(&[]),
        }
    }
    let [block, minis, count, _] = head;
    if count > most {
        return None;
    }
    Some(behind_blocks(rest, block, minis, count).unwrap_or_default())
}

fn behind_blocks(bytes: &[u8], block: u64, minis: u64, count: u64) -> Option<&[u8]> {
    let mut rest = bytes;
    let each = block.checked_div(minis)?;
    let minis = usize::try_from(minis).ok()?;
    let mut left = count.saturating_sub(1);
    while left > 0 {
        let (_, behind) = number_of(rest)?;
        let (widths, behind) = behind.split_at_checked(minis)?;
        let mut length = 0_u64;
        for width in widths {
            if left > 0 {
                length = length.checked_add(u64::from(*width).checked_mul(each)? / 8)?;
                left = left.saturating_sub(each.max(1));
            }
        }
        rest = behind.get(usize::try_from(length).ok()?..)?;
    }
    Some(rest)
}

fn number_of(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0;
    for (index, byte) in bytes.iter().enumerate().take(10) {
        number |= u64::from(byte & 0x7f) << (7 * index);
        if *byte < 0x80 {
            return Some((number, bytes.get(index + 1..)?));
        }
    }
    None
}

/// The longest text of a dictionary: texts in a row, each with its length in four bytes before it.
pub fn longest_text(dictionary: &[u8]) -> u64 {
    let mut rest = dictionary;
    let mut longest = 0;
    while let Some((length, behind)) = rest.split_first_chunk::<4>() {
        let length = u32::from_le_bytes(*length);
        let Some(behind) = usize::try_from(length).ok().and_then(|length| behind.get(length..))
        else {
            break;
        };
        (longest, rest) = (longest.max(length), behind);
    }
    u64::from(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_zstd_makes_of_bytes_is_more_than_was_told() {
        let texts: [fn(u32) -> u8; 3] =
            [|_| 7, |at| at.to_le_bytes()[1], |at| at.wrapping_mul(at).to_le_bytes()[2]];
        for length in [0, 1, 100, 4096, 200_000, 1 << 20] {
            for byte in texts {
                let text: Vec<u8> = (0..length).map(byte).collect();
                let mut packed = zstd::encode_all(&text[..], 1).unwrap();
                let most = zstd_most(&packed);
                assert!(most >= u64::from(length), "{most} of {length}");
                packed.extend(packed.clone());
                assert_eq!(zstd_most(&packed), 2 * most);
            }
        }
        assert_eq!(zstd_most(b"no frame at all"), 0);
    }
    #[test]
    fn a_page_becomes_more_than_it_says() {
        let mut bomb = vec![0x28, 0xb5, 0x2f, 0xfd, 0, 0x38];
        let block = 128 << 10 << 3 | 1 << 1;
        for last in (0..2000).map(|index| u32::from(index == 1999)) {
            bomb.extend(&(block | last).to_le_bytes()[..3]);
            bomb.push(7);
        }
        assert_eq!(zstd_most(&bomb), 2000 * ZSTD_BLOCK);
        assert!(zstd_keeps_to(2000 * ZSTD_BLOCK, &bomb));
        assert!(!zstd_keeps_to(2000 * ZSTD_BLOCK - 1, &bomb));
    }
}
