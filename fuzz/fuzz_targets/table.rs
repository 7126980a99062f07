//! Tables: a table that was written has its checksums and comes back; any bytes in the place of
//! its sections, or of all of it, are read without a panic.
#![no_main]

use asofdb_format::pages;
use asofdb_format::table::{FOOTER_LEN, Footer};
use asofdb_fuzz::heap;
use asofdb_fuzz::tables::{layout_of, read, rows, write};
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;

fn written(u: &mut Unstructured<'_>) -> Result<()> {
    let rows = rows(u)?;
    let (mut bytes, finished) = write(&rows);
    let layout = layout_of(&bytes).unwrap();
    assert_eq!(layout.identity, finished.identity);
    let sums = layout.checksums.start as usize..layout.checksums.end() as usize;
    assert!(layout.sums_are_whole(&bytes[sums.clone()]));
    for page in 0..pages::page_count(layout.covered()) {
        let (start, end) = pages::page_range(page, layout.covered());
        let page_bytes = &bytes[start as usize..end as usize];
        assert!(pages::page_is_whole(&bytes[sums.clone()], page, page_bytes));
    }
    assert_eq!(read(&bytes, &layout), Some(rows));
    for _ in 0..u.int_in_range(1..=9)? {
        let at = u.int_in_range(0..=layout.covered() as usize - 1)?;
        bytes[at] = u.arbitrary()?;
    }
    let _ = read(&bytes, &layout);
    Ok(())
}

fuzz_target!(|bytes: &[u8]| {
    // A map of a few sections for each entry of their table.
    let layout = heap::bounded(bytes.len(), 64, || layout_of(bytes));
    if let Some(layout) = layout {
        let _ = read(bytes, &layout);
    }
    // A table of sections without its checksum is never looked at; here one is, with its checksum.
    if let Some((tail, sections)) = bytes.split_first_chunk::<FOOTER_LEN>() {
        let mut file = sections.to_vec();
        let mut footer = tail.to_vec();
        footer[0..8].copy_from_slice(&0u64.to_le_bytes());
        footer[8..12].copy_from_slice(&(sections.len() as u32).to_le_bytes());
        footer[12..16].copy_from_slice(&crc32fast::hash(sections).to_le_bytes());
        let identity = crc32fast::hash(&footer[..20]);
        footer[20..24].copy_from_slice(&identity.to_le_bytes());
        footer[24..32].copy_from_slice(b"asofdbT\n");
        file.extend_from_slice(&footer);
        let footer = Footer::decode(&footer, file.len() as u64).unwrap();
        let _ = heap::bounded(sections.len(), 64, || footer.layout(sections));
    }
    let _ = written(&mut Unstructured::new(bytes));
});
