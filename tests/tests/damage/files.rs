//! Files are missing, stand under the names of others, or come from another store.

use std::path::PathBuf;

use asofdb_format::header::Header;

use crate::asked;
use crate::stores::{self, Lab};
use crate::tally::{Replay, Tally, file_name, kind_of};
use crate::trial::{Damage, MODES, Verdict};

/// Tries damage in all modes; the store must not open, or tell of it when it is read.
fn must_tell(lab: &Lab, damage: &Damage, what: &str, tally: &mut Tally) {
    let mut named: Vec<PathBuf> = damage.0.iter().map(|(path, _)| path.clone()).collect();
    let names: Vec<String> = named.iter().map(|path| file_name(path).to_owned()).collect();
    if let [(path, Some(bytes))] = &damage.0[..]
        && kind_of(path) == "CURRENT"
        && let Ok(header) = Header::decode(bytes)
    {
        // It is sound in itself; the manifest that it names is missing, or of another store.
        named.push(path.with_file_name(format!("MANIFEST-{:06}", header.number.0)));
    }
    let Some(turn) = tally.turn() else { return };
    let replay = format!(
        "DAMAGE_STORE={} DAMAGE_AT={turn} \
         cargo test -p asofdb-tests --test damage files -- --nocapture  # {what}: {names:?}",
        lab.name
    );
    let _replay = Replay(&replay);
    for mode in MODES {
        let trial = lab.try_damage(damage, mode, &named);
        tally.count(what, &trial);
        assert!(
            matches!(trial.verdict, Verdict::AtOpen | Verdict::AtRead),
            "{what}: {names:?}: {:?}",
            trial.verdict
        );
    }
}

#[test]
fn a_file_that_is_missing_or_another_changes_an_answer() {
    let labs = stores::small();
    for lab in &labs {
        if asked("DAMAGE_STORE").is_some_and(|asked| asked != lab.name) {
            continue;
        }
        let mut tally = Tally::default();
        let files: Vec<(&PathBuf, &Vec<u8>)> = lab.files.iter().collect();
        for (number, (path, bytes)) in files.iter().enumerate() {
            let gone = |path: &PathBuf| (path.clone(), None);
            must_tell(lab, &Damage(vec![gone(path)]), "missing", &mut tally);
            for (other, others) in &files[number + 1..] {
                let both = vec![gone(path), gone(other)];
                must_tell(lab, &Damage(both), "two missing", &mut tally);
                let put = |path: &PathBuf, bytes: &Vec<u8>| (path.clone(), Some(bytes.clone()));
                let swapped = vec![put(path, others), put(other, bytes)];
                must_tell(lab, &Damage(swapped), "swapped", &mut tally);
                must_tell(lab, &Damage(vec![put(path, others)]), "another's bytes", &mut tally);
                must_tell(lab, &Damage(vec![put(other, bytes)]), "another's bytes", &mut tally);
            }
            must_tell(lab, &Damage(vec![((*path).clone(), Some(Vec::new()))]), "empty", &mut tally);
            for stranger in labs.iter().filter(|stranger| stranger.name != lab.name) {
                if let Some(bytes) = stranger.files.get(*path) {
                    let put = vec![((*path).clone(), Some(bytes.clone()))];
                    must_tell(lab, &Damage(put), "of another store", &mut tally);
                }
            }
        }
        println!("{}, {} files:\n{tally}", lab.name, files.len());
    }
}
