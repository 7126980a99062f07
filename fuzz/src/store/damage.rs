//! Damage done to the files of a store on a simulated disk.

use std::path::{Path, PathBuf};

use asofdb::world::sim::{CrashPolicy, Rng, SimWorld};

use super::op::{Damage, Place};

/// The files of a store by name, with their bytes.
pub type Files = std::collections::BTreeMap<PathBuf, Vec<u8>>;

/// Where the store is.
pub const DIR: &str = "/store";

/// All files of the store.
pub fn files(sim: &SimWorld) -> Files {
    let all = sim.disk.files().into_iter();
    let own = all.filter(|(path, _)| path.starts_with(DIR));
    own.map(|(path, _)| (path.clone(), sim.disk.read_file(&path).unwrap())).collect()
}

/// The world after the damages.
pub fn damaged(mut sim: SimWorld, damages: &[Damage]) -> SimWorld {
    for (index, damage) in damages.iter().enumerate() {
        if let Damage::PowerCut(seed) = damage {
            // Behind another damage it would be no power cut: what was changed is durable.
            if index == 0 {
                let mut rng = Rng::new(u64::from(*seed));
                let policy = CrashPolicy::draw(&mut rng);
                sim = sim.after_power_cut(rng.next_u64(), policy);
            }
            continue;
        }
        apply(&sim, *damage);
    }
    sim
}

fn apply(sim: &SimWorld, damage: Damage) {
    let files: Vec<(PathBuf, Vec<u8>)> = files(sim).into_iter().collect();
    // Tables are the last ones by name: from the end they are told however many files there are.
    let file = |number: u8| {
        let at = usize::from(number & 0x7f) % files.len().max(1);
        if number & 0x80 == 0 { files.get(at) } else { files.iter().rev().nth(at) }
    };
    let write = |path: &Path, bytes: &[u8]| sim.disk.write_file(path, bytes).unwrap();
    match damage {
        Damage::Flip(number, place, bits) => {
            let Some((path, bytes)) = file(number) else { return };
            let mut bytes = bytes.clone();
            let at = position(place, bytes.len());
            for (byte, bits) in bytes.iter_mut().skip(at).zip(bits.to_le_bytes()) {
                *byte ^= bits;
            }
            write(path, &bytes);
        }
        Damage::Truncate(number, place) => {
            let Some((path, bytes)) = file(number) else { return };
            write(path, &bytes[..position(place, bytes.len())]);
        }
        Damage::Remove(number) => {
            if let Some((path, _)) = file(number) {
                sim.disk.lose_file(path).unwrap();
            }
        }
        Damage::Swap(one, two) => {
            if let (Some(one), Some(two)) = (file(one), file(two)) {
                write(&one.0, &two.1);
                write(&two.0, &one.1);
            }
        }
        Damage::Fill(number, place, len, byte) => {
            let Some((path, bytes)) = file(number) else { return };
            let mut bytes = bytes.clone();
            let at = position(place, bytes.len());
            bytes.iter_mut().skip(at).take(usize::from(len)).for_each(|old| *old = byte);
            write(path, &bytes);
        }
        Damage::PowerCut(_) => {}
    }
}

fn position(place: Place, len: usize) -> usize {
    let at = match place {
        Place::Start(at) => usize::from(at),
        Place::End(at) => len.saturating_sub(usize::from(at)),
        Place::Part(at) => len * usize::from(at) / 65_536,
    };
    at.min(len)
}
