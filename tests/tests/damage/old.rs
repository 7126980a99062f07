//! Files as they were earlier in the life of the same store, in the place of those of today.
//!
//! If the newest log is that of today, it knows the manifest, and every mix of old files with it is
//! told. An old newest log is its own prefix: what it lacks is missing in silence, as far as no
//! change of the catalog came behind it. Old copies of the newest log and of the manifest together
//! are an old copy of the store, which nothing can tell from the store itself; they are not tried.

use std::path::PathBuf;

use asofdb::world::sim::Rng;

use crate::stores::{self, Files, Lab};
use crate::tail::newest_log;
use crate::tally::{Replay, Tally, file_name, kind_of};
use crate::trial::{Damage, MODES, Verdict};
use crate::{asked, is_full};

fn put_back(lab: &Lab, damage: &Damage, number: usize, what: &str, tally: &mut Tally) {
    let Some(turn) = tally.turn() else { return };
    let names: Vec<&str> = damage.0.iter().map(|(path, _)| file_name(path)).collect();
    let full = if is_full() { "ASOFDB_DAMAGE=full " } else { "" };
    let replay = format!(
        "{full}DAMAGE_STORE={} DAMAGE_AT={turn} \
         cargo test -p asofdb-tests --test damage old -- --nocapture  # {what}: {names:?}",
        lab.name
    );
    let _replay = Replay(&replay);
    // Who holds an old manifest misses files that were taken away since.
    let known = lab.files.keys().chain(lab.past.iter().flat_map(Files::keys));
    let named: Vec<PathBuf> = known.cloned().collect();
    let trial = lab.try_damage(damage, MODES[number % MODES.len()], &named);
    tally.count(what, &trial);
    if matches!(trial.verdict, Verdict::ByVerify | Verdict::TornEnd | Verdict::Unseen) {
        tally.harmless("the answers are right, or those of the prefix that is left");
    }
}

/// What a file was at each earlier point, if it was not what it is.
fn earlier(lab: &Lab) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all: Vec<(PathBuf, Vec<u8>)> = lab
        .past
        .iter()
        .flatten()
        .filter(|(path, bytes)| lab.files.get(*path) != Some(bytes))
        .map(|(path, bytes)| (path.clone(), bytes.clone()))
        .collect();
    all.sort();
    all.dedup();
    all
}

/// Files that are not all of a store's memory: the manifest or the newest log is that of today.
fn is_mix(lab: &Lab, files: &[(PathBuf, Option<Vec<u8>>)]) -> bool {
    let (newest, _) = newest_log(&lab.files).unwrap();
    let has = |of: &dyn Fn(&PathBuf) -> bool| files.iter().any(|(path, _)| of(path));
    !has(&|path| path == newest) || !has(&|path| kind_of(path) == "MANIFEST")
}

#[test]
fn a_file_of_an_earlier_day_changes_an_answer() {
    for lab in stores::small() {
        if asked("DAMAGE_STORE").is_some_and(|asked| asked != lab.name) {
            continue;
        }
        let mut tally = Tally::default();
        let earlier = earlier(&lab);
        for (number, (path, bytes)) in earlier.iter().enumerate() {
            let damage = Damage(vec![(path.clone(), Some(bytes.clone()))]);
            for shift in 0..if is_full() { MODES.len() } else { 2 } {
                put_back(
                    &lab,
                    &damage,
                    number + shift,
                    &format!("old {}", kind_of(path)),
                    &mut tally,
                );
            }
        }
        // Several files, each as it was at some time or other.
        let mut rng = Rng::new(1);
        for number in 0..if is_full() { 20_000 } else { 700 } {
            let one_day = rng.choose(&lab.past).unwrap();
            let several = rng.percent(50);
            let mut files: Vec<(PathBuf, Option<Vec<u8>>)> = Vec::new();
            for path in one_day.keys() {
                let day = if several { rng.choose(&lab.past).unwrap() } else { one_day };
                if let Some(bytes) = day.get(path)
                    && rng.percent(60)
                    && lab.files.get(path) != Some(bytes)
                {
                    files.push((path.clone(), Some(bytes.clone())));
                }
            }
            if !files.is_empty() && is_mix(&lab, &files) {
                put_back(&lab, &Damage(files), number, "several old files", &mut tally);
            }
        }
        println!("{}, {} old files:\n{tally}", lab.name, earlier.len());
    }
}
