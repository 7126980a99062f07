//! Damage of many bytes: bursts, holes of zeros, sectors in the place of others; sometimes in two
//! files, but never in both the manifest and the newest log, which vouch for one another.

use std::path::PathBuf;

use asofdb::world::sim::Rng;

use crate::harmless;
use crate::stores::{self, Lab};
use crate::tail::newest_log;
use crate::tally::{Replay, Tally, kind_of};
use crate::trial::{Damage, MODES, Verdict};
use crate::{asked, is_full};

const SECTOR: usize = 512;

/// Damages a store at random; which files were touched, and how in a word.
fn draw(lab: &Lab, rng: &mut Rng) -> (Damage, &'static str) {
    let paths: Vec<&PathBuf> = lab.files.keys().collect();
    // Long files are hit as often as short ones.
    let path = *rng.choose(&paths).unwrap();
    let mut bytes = lab.files[path].clone();
    let len = bytes.len();
    let what = *rng
        .choose(&["burst", "zeros", "ones", "sector", "other sector", "scattered", "moved"])
        .unwrap();
    let at = rng.index(len);
    let longest = *rng.choose(&[2, 8, 64, 1024, 8192]).unwrap();
    let end = len.min(at + 1 + rng.index(longest));
    match what {
        "burst" => {
            bytes[at..end].iter_mut().for_each(|byte| *byte = rng.next_u64().to_le_bytes()[0])
        }
        "zeros" => bytes[at..end].fill(0),
        "ones" => bytes[at..end].fill(0xff),
        "sector" | "other sector" => {
            let from = if what == "sector" { path } else { *rng.choose(&paths).unwrap() };
            let from = &lab.files[from];
            let sectors = |len: usize| len.div_ceil(SECTOR);
            let source = rng.index(sectors(from.len())) * SECTOR;
            let target = rng.index(sectors(len)) * SECTOR;
            let count = SECTOR.min(from.len() - source).min(len - target);
            bytes[target..target + count].copy_from_slice(&from[source..source + count]);
        }
        "scattered" => {
            for _ in 0..1 + rng.index(longest.min(100)) {
                bytes[rng.index(len)] ^= 1 << rng.index(8);
            }
        }
        // A part is missing in the middle, and what follows has moved up.
        _ => drop(bytes.drain(at..end)),
    }
    let mut damage = vec![(path.clone(), Some(bytes))];
    if rng.percent(20) {
        let other = *rng.choose(&paths).unwrap();
        let (newest, _) = newest_log(&lab.files).unwrap();
        let vouches = |path: &PathBuf| path == newest || kind_of(path) == "MANIFEST";
        if other != path && !(vouches(path) && vouches(other)) {
            let mut bytes = lab.files[other].clone();
            let at = rng.index(bytes.len());
            bytes[at] ^= 0x10;
            damage.push((other.clone(), Some(bytes)));
        }
    }
    (Damage(damage), what)
}

fn damage_at_random(lab: &Lab, trials: u64) {
    let mut tally = Tally::default();
    let first = 1;
    let seeds = match asked("DAMAGE_SEED").and_then(|seed| seed.parse::<u64>().ok()) {
        Some(seed) => seed..seed + 1,
        None => first..first + trials,
    };
    for seed in seeds {
        let replay = format!(
            "DAMAGE_STORE={} DAMAGE_SEED={seed} \
             cargo test -p asofdb-tests --test damage bursts -- --nocapture",
            lab.name
        );
        let _replay = Replay(&replay);
        let mut rng = Rng::new(seed);
        let (damage, what) = draw(lab, &mut rng);
        let changed = damage.0.iter().filter(|(path, bytes)| lab.files.get(path) != bytes.as_ref());
        let changed: Vec<PathBuf> = changed.map(|(path, _)| path.clone()).collect();
        if changed.is_empty() {
            continue;
        }
        let mode = *rng.choose(&MODES).unwrap();
        let trial = lab.try_damage(&damage, mode, &changed);
        tally.count(what, &trial);
        // What was taken away up to the end of a frame leaves no torn end.
        if matches!(trial.verdict, Verdict::TornEnd | Verdict::Unseen) {
            tally.harmless(harmless::why(lab, &damage));
        }
    }
    println!("{}:\n{tally}", lab.name);
}

#[test]
fn a_burst_of_damage_changes_an_answer() {
    let only = |lab: &Lab| asked("DAMAGE_STORE").is_none_or(|asked| asked == lab.name);
    let times = if is_full() { 50 } else { 1 };
    stores::small()
        .iter()
        .filter(|lab| only(lab))
        .for_each(|lab| damage_at_random(lab, 600 * times));
    let large = stores::large();
    if only(&large) {
        damage_at_random(&large, 150 * times);
    }
}
