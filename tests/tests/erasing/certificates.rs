//! A certificate that is damaged, of another store, or of a store into which something was put
//! back, does not hold.

use std::path::{Path, PathBuf};

use asofdb::world::World;
use asofdb::world::disk::Disk as _;
use asofdb::world::sim::SimWorld;
use asofdb::{ErasureCertificate, Error, Fate, InvalidArgument, Store, inspect};

use crate::lab::{DIR, VICTIMS, check_certificate, new_world, small};
use crate::{files, filled};

fn faults(world: &World, certificate: &ErasureCertificate) -> Vec<String> {
    let verified = inspect::verify_erased(Path::new(DIR), world, certificate, &mut |_, _| {});
    verified.unwrap().faults.iter().map(ToString::to_string).collect()
}

/// A world in which a certificate was made, and what was there before.
fn certified() -> (SimWorld, ErasureCertificate, Vec<(PathBuf, Vec<u8>)>) {
    let sim = new_world();
    let store = filled(&sim, 23);
    let before = files(&sim);
    let certificate = store.erase_and_prove(&VICTIMS).unwrap();
    store.close().unwrap();
    check_certificate(Path::new(DIR), &sim.world(), &certificate);
    (sim, certificate, before)
}

#[test]
fn a_damaged_certificate_is_believed() {
    let (_, certificate, _) = certified();
    let text = certificate.encode().into_bytes();
    for at in 0..text.len() {
        let mut changed = text.clone();
        changed[at] ^= 1;
        assert!(ErasureCertificate::decode(&changed).is_err(), "byte {at}");
    }
    println!("{} bytes changed, each found", text.len());
}

#[test]
fn a_certificate_of_another_store_is_believed() {
    let (_, certificate, _) = certified();
    let other = new_world();
    let store = Store::open(DIR, small(other.world()).identity(Some([8; 32]))).unwrap();
    store.close().unwrap();
    let verified =
        inspect::verify_erased(Path::new(DIR), &other.world(), &certificate, &mut |_, _| {});
    let error = verified.unwrap_err();
    assert!(matches!(error, Error::InvalidArgument(InvalidArgument::Other(_))), "{error}");
}

#[test]
fn a_certificate_is_had_for_what_was_never_erased() {
    let sim = new_world();
    let store = filled(&sim, 5);
    store.erase(VICTIMS[0]).unwrap();
    let error = store.prove_erased(&VICTIMS).unwrap_err();
    let expected = InvalidArgument::NotErased { index: 1 };
    assert!(matches!(&error, Error::InvalidArgument(found) if *found == expected), "{error}");
    assert!(!error.to_string().contains(VICTIMS[1]), "an error tells of whom it was");
}

#[test]
fn what_is_put_back_is_not_found() {
    let (sim, certificate, before) = certified();
    let names_of = |fate: Fate| -> Vec<String> {
        let files = certificate.with_fate(fate);
        files
            .map(|file| format!("{}-{:06}", file.kind.as_str().to_uppercase(), file.number.0))
            .collect()
    };
    let gone: Vec<String> = [names_of(Fate::Rewritten), names_of(Fate::Removed)].concat();
    let mut put_back = 0;
    for (path, bytes) in &before {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !gone.contains(&name) {
            continue;
        }
        // Under its own name, and under that of a file that is newer than the certificate.
        let number = certificate.next_file.0 + 7;
        let (kind, _) = name.split_once('-').unwrap();
        let names = [name.clone(), format!("{kind}-{number:06}"), format!("{name}.bak")];
        for to in names.iter().filter(|to| kind != "MANIFEST" || **to == name) {
            let world = sim.after_kill();
            world.disk.write_file(&Path::new(DIR).join(to), bytes).unwrap();
            let faults = faults(&world.world(), &certificate);
            assert!(faults.iter().any(|fault| fault.contains(to)), "{name} as {to}: {faults:?}");
            put_back += 1;
        }
    }
    println!("{put_back} files put back, each found");
    assert!(put_back > 10);
    // A file that stays under the number that it has, with other content.
    let stays = names_of(Fate::Absent);
    let [first, .., second] = stays.as_slice() else { panic!("too few tables") };
    let world = sim.after_kill();
    let bytes = world.disk.read_file(&Path::new(DIR).join(second)).unwrap();
    world.disk.remove(&Path::new(DIR).join(first)).unwrap();
    world.disk.write_file(&Path::new(DIR).join(first), &bytes).unwrap();
    let faults = faults(&world.world(), &certificate);
    assert!(faults.iter().any(|fault| fault.contains(first)), "{faults:?}");
}

#[test]
fn a_store_from_before_the_erase_is_taken_for_the_erased_one() {
    let (_, certificate, before) = certified();
    let world = SimWorld::new(crate::lab::BEGIN);
    world.disk.create_dir_all(Path::new(DIR)).unwrap();
    for (path, bytes) in &before {
        world.disk.write_file(path, bytes).unwrap();
    }
    let faults = faults(&world.world(), &certificate);
    assert!(faults.iter().any(|fault| fault.contains("MANIFEST")), "{faults:?}");
}
