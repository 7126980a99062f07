//! Checksums of pages: however the bytes came they are the same, each page has its own, and no
//! changed page has it; places of pages are within what is covered.
#![no_main]

use asofdb_format::pages::{self, PAGE_LEN, PageSums};
use asofdb_fuzz::heap;
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;

fn sums(parts: &[&[u8]]) -> Vec<u8> {
    let mut sums = PageSums::default();
    parts.iter().for_each(|part| sums.update(part));
    sums.finish()
}

fn check(u: &mut Unstructured<'_>) -> Result<()> {
    let (page, covered, len) = (u.arbitrary()?, u.arbitrary()?, u.int_in_range(0..=9_000)?);
    let (start, end) = pages::page_range(page, covered);
    assert!(start <= end && end <= covered && end - start <= PAGE_LEN);
    assert_eq!(start < end, page < pages::page_count(covered));
    let cut = u.int_in_range(0..=len)?;
    let mut bytes: Vec<u8> = u.arbitrary_iter()?.take(len).collect::<Result<_>>()?;
    bytes.resize(len, 0);
    let whole = sums(&[&bytes]);
    assert_eq!(sums(&[&bytes[..cut], &[], &bytes[cut..]]), whole);
    assert_eq!(whole.len() as u64, 4 * pages::page_count(len as u64));
    let Some(place) = cut.checked_sub(1) else { return Ok(()) };
    let page = place as u64 / PAGE_LEN;
    let (start, end) = pages::page_range(page, len as u64);
    let page_bytes = &mut bytes[start as usize..end as usize];
    assert!(pages::page_is_whole(&whole, page, page_bytes));
    assert!(!pages::page_is_whole(&whole, page, &page_bytes[1..]));
    page_bytes[place - start as usize] ^= 4;
    assert!(!pages::page_is_whole(&whole, page, page_bytes));
    Ok(())
}

fuzz_target!(|bytes: &[u8]| {
    if let Some((page, rest)) = bytes.split_first_chunk::<8>() {
        let page = u64::from_le_bytes(*page);
        let sums = heap::bounded(rest.len(), 1, || pages::page_is_whole(rest, page, rest));
        assert!(!sums || page < rest.len() as u64 / 4);
    }
    let _ = check(&mut Unstructured::new(bytes));
});
