//! Gives the bytes of a file the checksums that they should have.

use asofdb_format::frame::{FRAME_HEAD_LEN, MAX_PAYLOAD_LEN};
use asofdb_format::header::{HEADER_LEN, Header};
use asofdb_format::meta::TableMeta;
use asofdb_format::pages::PageSums;
use asofdb_format::table::{FOOTER_LEN, Footer, Layout};

/// The most records of a table that is looked at: each is a line of a dump, and a few bytes can
/// tell of millions.
const MAX_RECORDS: u64 = 20_000;

/// A file of this name with its checksums; `None` if it has no place for them. Its header is that
/// of the original, so that it is taken for the same file.
pub fn mended(name: &str, original: &[u8], content: &[u8]) -> Option<Vec<u8>> {
    if name == "CURRENT" {
        return header(content);
    }
    let mut bytes = original.get(..HEADER_LEN)?.to_vec();
    bytes.extend_from_slice(content.get(HEADER_LEN..)?);
    if name.starts_with("TABLE-") { table(bytes) } else { Some(frames(bytes)) }
}

fn crc(seed: u32, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(seed);
    hasher.update(bytes);
    hasher.finalize()
}

fn header(content: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = content.to_vec();
    let sum = crc(0, bytes.get(..48)?);
    bytes.get_mut(48..52)?.copy_from_slice(&sum.to_le_bytes());
    bytes.get_mut(52..56)?.fill(0);
    Some(bytes)
}

fn frames(mut bytes: Vec<u8>) -> Vec<u8> {
    let header = Header::decode(&bytes).unwrap();
    let mut name = header.store.0.to_vec();
    name.extend(header.number.0.to_le_bytes());
    let seed = crc(0, &name);
    let mut at = HEADER_LEN;
    while let Some(rest) = bytes.get_mut(at..).filter(|rest| rest.len() >= FRAME_HEAD_LEN) {
        let most = (rest.len() - FRAME_HEAD_LEN).min(MAX_PAYLOAD_LEN as usize);
        let told = u32::from_le_bytes([rest[8], rest[9], rest[10], rest[11]]) as usize;
        let len = told.min(most);
        rest[8..12].copy_from_slice(&(len as u32).to_le_bytes());
        let place = crc(seed, &(at as u64).to_le_bytes());
        let head_sum = crc(place, &rest[8..FRAME_HEAD_LEN]);
        let payload_sum = crc(head_sum, &rest[FRAME_HEAD_LEN..FRAME_HEAD_LEN + len]);
        rest[..4].copy_from_slice(&head_sum.to_le_bytes());
        rest[4..8].copy_from_slice(&payload_sum.to_le_bytes());
        at += FRAME_HEAD_LEN + len;
    }
    bytes
}

fn table(mut bytes: Vec<u8>) -> Option<Vec<u8>> {
    let footer_at = bytes.len().checked_sub(FOOTER_LEN)?;
    let start = u64::from_le_bytes(bytes.get(footer_at..footer_at + 8)?.try_into().ok()?);
    let start = usize::try_from(start).ok().filter(|start| *start < footer_at)?;
    let len = u32::try_from(footer_at - start).ok()?;
    bytes[footer_at + 8..footer_at + 12].copy_from_slice(&len.to_le_bytes());
    let sections_sum = crc(0, &bytes[start..footer_at]);
    bytes[footer_at + 12..footer_at + 16].copy_from_slice(&sections_sum.to_le_bytes());
    sign(&mut bytes, footer_at);
    let layout = layout(&bytes, start, footer_at)?;
    let mut sums = PageSums::default();
    sums.update(bytes.get(..usize::try_from(layout.covered()).ok()?)?);
    let sums = sums.finish();
    let (from, to) = (layout.checksums.start as usize, layout.checksums.end() as usize);
    let place = bytes.get_mut(from..to).filter(|place| place.len() == sums.len())?;
    place.copy_from_slice(&sums);
    bytes[footer_at + 16..footer_at + 20].copy_from_slice(&crc(0, &sums).to_le_bytes());
    sign(&mut bytes, footer_at);
    let meta = bytes.get(layout.meta.start as usize..layout.meta.end() as usize)?;
    // Metadata that cannot be read ends every reading of the table early.
    let records = TableMeta::decode(meta).map_or(0, |meta| meta.revisions);
    (records <= MAX_RECORDS).then_some(bytes)
}

/// Gives a footer its own checksum.
fn sign(bytes: &mut [u8], footer_at: usize) {
    let identity = crc(0, &bytes[footer_at..footer_at + 20]);
    bytes[footer_at + 20..footer_at + 24].copy_from_slice(&identity.to_le_bytes());
    bytes[footer_at + 24..].copy_from_slice(b"asofdbT\n");
}

fn layout(bytes: &[u8], start: usize, footer_at: usize) -> Option<Layout> {
    let footer = Footer::decode(&bytes[footer_at..], bytes.len() as u64).ok()?;
    footer.layout(&bytes[start..footer_at]).ok()
}
