//! Tables whose checksums are right and whose freshness is a lie.

use std::path::Path;

use asofdb::inspect;
use asofdb::world::sim::SimWorld;
use asofdb::{Batch, EventTime, FeatureSpec, ValueType};
use asofdb_format::freshness::Freshness;
use asofdb_format::pages::PageSums;
use asofdb_format::table::{FOOTER_LEN, Footer};

use crate::{DIR, START, new_store, write};

/// Writes a table anew with another freshness, and with checksums that are right.
fn forge(sim: &SimWorld, change: impl FnOnce(&mut Freshness)) {
    let files = sim.disk.files();
    let (path, _) =
        files.into_iter().find(|(path, _)| path.to_string_lossy().contains("TABLE")).unwrap();
    let mut bytes = sim.disk.read_file(&path).unwrap();
    let footer_at = bytes.len() - FOOTER_LEN;
    let footer = Footer::decode(&bytes[footer_at..], bytes.len() as u64).unwrap();
    let at = |place: u64| usize::try_from(place).unwrap();
    let sections = at(footer.sections.start)..at(footer.sections.end());
    let layout = footer.layout(&bytes[sections]).unwrap();
    let section = layout.freshness.unwrap();
    let place = at(section.start)..at(section.end());
    let mut told = Freshness::decode(&bytes[place.clone()]).unwrap();
    change(&mut told);
    bytes[place].copy_from_slice(&told.encode());
    let mut sums = PageSums::default();
    sums.update(&bytes[..at(layout.covered())]);
    let sums = sums.finish();
    bytes[at(layout.checksums.start)..at(layout.checksums.end())].copy_from_slice(&sums);
    let sum = crc32(&sums);
    bytes[footer_at + 16..footer_at + 20].copy_from_slice(&sum.to_le_bytes());
    let identity = crc32(&bytes[footer_at..footer_at + 20]);
    bytes[footer_at + 20..footer_at + 24].copy_from_slice(&identity.to_le_bytes());
    sim.disk.write_file(&path, &bytes).unwrap();
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 }
        })
    })
}

#[test]
fn a_freshness_that_the_rows_do_not_bear_out_is_called_clean() {
    let lies: [fn(&mut Freshness); 4] = [
        |of| of.features[0].1.points[0].0 -= 1,
        |of| of.features[0].1.newest_known.0 += 1,
        |of| of.features[0].0.0 = 9,
        |_| {},
    ];
    for (place, lie) in lies.into_iter().enumerate() {
        let (sim, store) = new_store();
        store.define(FeatureSpec::new("v:f", ValueType::F64)).unwrap();
        let mut batch = Batch::new();
        for entity in 0..5 {
            for version in 0..3 {
                let at = EventTime(START - entity * 100 - version);
                batch.put(format!("e{entity}"), "v:f", at, 1.0);
            }
        }
        write(&store, batch);
        store.flush().unwrap();
        store.close().unwrap();
        forge(&sim, lie);
        // Without a manifest tables are held against themselves alone.
        for (path, _) in sim.disk.files() {
            if !path.to_string_lossy().contains("TABLE") {
                sim.world().disk.remove(&path).unwrap();
            }
        }
        let verified = inspect::verify(Path::new(DIR), &sim.world(), &mut |_, _| {}).unwrap();
        let told: Vec<String> = verified.faults().map(ToString::to_string).collect();
        let is_told = told.iter().any(|fault| fault.contains("event times and counts"));
        assert_eq!(is_told, place < 3, "lie {place}: {told:?}");
    }
}
