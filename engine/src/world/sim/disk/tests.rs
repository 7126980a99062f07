//! What a simulated disk loses, keeps and refuses.

use super::*;
use crate::world::disk::check;

fn path(name: &str) -> PathBuf {
    PathBuf::from(name)
}

/// A disk with a file `/f`, of which `synced` bytes and the name are durable and `dirty` are not.
fn disk_with_file(synced: &[u8], dirty: &[u8]) -> (SimDisk, Box<dyn FileWriter>) {
    let disk = SimDisk::new();
    let writer = disk.create(&path("/f")).unwrap();
    writer.append(synced).unwrap();
    writer.sync().unwrap();
    disk.sync_dir(&path("/")).unwrap();
    writer.append(dirty).unwrap();
    (disk, writer)
}

fn contents(disk: &SimDisk) -> Vec<(PathBuf, Vec<u8>)> {
    let files = disk.files().into_iter();
    files.map(|(path, _)| (path.clone(), disk.read_file(&path).unwrap())).collect()
}

#[test]
fn the_simulated_disk_keeps_the_contract_of_the_trait() {
    let disk = SimDisk::new();
    check::contract(&disk, Path::new("/"));
    let disk = SimDisk::new();
    disk.create_dir_all(Path::new("/some/where")).unwrap();
    check::contract(&disk, Path::new("/some/where"));
}

#[test]
fn two_writers_cannot_hold_the_lock() {
    check::two_writers_cannot_hold_the_lock(&SimDisk::new(), Path::new("/"));
}

#[test]
fn a_lock_does_not_outlive_a_crash() {
    let disk = SimDisk::new();
    let _held = disk.lock(&path("/LOCK")).unwrap().unwrap();
    assert!(disk.crash_clone_all().lock(&path("/LOCK")).unwrap().is_some());
    assert!(disk.lock(&path("/LOCK")).unwrap().is_none());
}

#[test]
fn a_name_that_was_not_synced_may_be_lost() {
    let disk = SimDisk::new();
    let writer = disk.create(&path("/f")).unwrap();
    writer.append(b"synced").unwrap();
    writer.sync().unwrap();
    assert!(!disk.is_durable(&path("/f")).unwrap());
    assert!(disk.crash_clone_strict().files().is_empty());
    let found = (0..100).filter(|seed| {
        let after = disk.crash_clone(*seed, CrashPolicy::default());
        contents(&after) == [(path("/f"), b"synced".to_vec())]
    });
    assert!((20..80).contains(&found.count()), "it is found whole or not at all");
    disk.sync_dir(&path("/")).unwrap();
    assert!(disk.is_durable(&path("/f")).unwrap());
    assert_eq!(disk.crash_clone_strict().read_file(&path("/f")).unwrap(), b"synced");
}

#[test]
fn a_directory_that_was_not_synced_is_lost_with_all_in_it() {
    let disk = SimDisk::new();
    disk.create_dir_all(&path("/d")).unwrap();
    disk.create(&path("/d/f")).unwrap().sync().unwrap();
    disk.sync_dir(&path("/d")).unwrap();
    assert!(disk.crash_clone_strict().files().is_empty());
    disk.sync_dir(&path("/")).unwrap();
    assert_eq!(disk.crash_clone_strict().files(), [(path("/d/f"), 0)]);
}

#[test]
fn a_name_that_was_synced_may_stand_for_an_empty_file() {
    let disk = SimDisk::new();
    disk.create(&path("/f")).unwrap().append(b"not synced").unwrap();
    disk.sync_dir(&path("/")).unwrap();
    assert_eq!(disk.crash_clone_strict().files(), [(path("/f"), 0)]);
}

#[test]
fn a_removed_file_may_come_back() {
    let (disk, _writer) = disk_with_file(b"kept", b"");
    disk.remove(&path("/f")).unwrap();
    assert_eq!(disk.crash_clone_strict().read_file(&path("/f")).unwrap(), b"kept");
    disk.sync_dir(&path("/")).unwrap();
    assert!(disk.crash_clone_strict().files().is_empty());
}

#[test]
fn a_rename_leaves_the_old_file_or_the_new_one() {
    let (disk, _old) = disk_with_file(b"old", b"");
    let new = disk.create(&path("/new")).unwrap();
    new.append(b"new").unwrap();
    new.sync().unwrap();
    disk.sync_dir(&path("/")).unwrap();
    disk.rename(&path("/new"), &path("/f")).unwrap();
    let (mut before, mut after) = (0, 0);
    for seed in 0..100 {
        let found = contents(&disk.crash_clone(seed, CrashPolicy::default()));
        if found == [(path("/f"), b"new".to_vec())] {
            after += 1;
        } else {
            let both = [(path("/f"), b"old".to_vec()), (path("/new"), b"new".to_vec())];
            assert_eq!(found, both, "seed {seed}");
            before += 1;
        }
    }
    assert!(before > 20 && after > 20);
}

#[test]
fn a_failed_sync_is_never_made_good_by_a_later_one() {
    let (disk, writer) = disk_with_file(b"kept", b"dirty");
    disk.fail_at(disk.operations(), Fault::Error(io::ErrorKind::Other));
    assert!(writer.sync().is_err());
    writer.sync().unwrap();
    assert!(!disk.is_durable(&path("/f")).unwrap());
    assert_eq!(disk.crash_clone_strict().read_file(&path("/f")).unwrap(), b"kept");
    writer.append(b"more").unwrap();
    writer.sync().unwrap();
    assert_eq!(disk.read_file(&path("/f")).unwrap(), b"keptdirtymore");
    let after = disk.crash_clone_strict().read_file(&path("/f")).unwrap();
    assert_eq!(after, b"kept\0\0\0\0\0more");
}

#[test]
fn a_failed_sync_of_a_directory_is_never_made_good_by_a_later_one() {
    let disk = SimDisk::new();
    disk.create(&path("/f")).unwrap();
    disk.fail_at(disk.operations(), Fault::NoSpace);
    assert!(disk.sync_dir(&path("/")).is_err());
    disk.sync_dir(&path("/")).unwrap();
    assert!(disk.crash_clone_strict().files().is_empty());
    let found =
        (0..100).filter(|s| !disk.crash_clone(*s, CrashPolicy::default()).files().is_empty());
    assert!((20..80).contains(&found.count()));
}

#[test]
fn a_kill_loses_nothing_and_makes_nothing_durable() {
    let (disk, writer) = disk_with_file(b"kept", b"dirty");
    disk.create(&path("/g")).unwrap();
    let killed = disk.crash_clone_all();
    assert_eq!(killed.read_file(&path("/f")).unwrap(), b"keptdirty");
    assert_eq!(killed.files().len(), 2);
    assert_eq!(contents(&killed.crash_clone_strict()), [(path("/f"), b"kept".to_vec())]);
    writer.append(b"!").unwrap();
    assert_eq!(killed.read_file(&path("/f")).unwrap(), b"keptdirty", "it is another disk");
    killed.truncate(&path("/f"), 9).unwrap();
    assert_eq!(contents(&killed.crash_clone_strict()), [(path("/f"), b"keptdirty".to_vec())]);
}

#[test]
fn a_power_cut_settles_what_it_left() {
    let (disk, _writer) = disk_with_file(b"kept", &[7; 9000]);
    disk.create(&path("/g")).unwrap();
    for seed in 0..20 {
        let once = disk.crash_clone(seed, CrashPolicy::default());
        let twice = once.crash_clone(seed + 1, CrashPolicy::default());
        assert_eq!(contents(&once), contents(&twice));
    }
}

#[test]
fn a_seed_means_the_same_crash() {
    let (disk, _writer) = disk_with_file(b"kept", &[7; 9000]);
    for n in 0..20 {
        disk.create(&path(&format!("/g{n}"))).unwrap().append(&[1; 3000]).unwrap();
    }
    let crash = |seed| contents(&disk.crash_clone(seed, CrashPolicy::default()));
    assert_eq!(crash(1), crash(1));
    assert_ne!(crash(1), crash(2));
    let mut rng = Rng::new(0);
    let drawn: BTreeSet<_> =
        (0..200).map(|_| format!("{:?}", CrashPolicy::draw(&mut rng))).collect();
    assert_eq!(drawn.len(), 25);
}

#[test]
fn a_full_disk_may_take_half_of_what_is_written() {
    let (disk, writer) = disk_with_file(b"kept", b"");
    disk.fail_at(disk.operations(), Fault::ShortWrite);
    let error = writer.append(b"12345678").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert_eq!(disk.read_file(&path("/f")).unwrap(), b"kept1234");
    disk.fail_at(disk.operations(), Fault::NoSpace);
    assert_eq!(writer.append(b"x").unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert_eq!(disk.read_file(&path("/f")).unwrap(), b"kept1234");
}

#[test]
fn an_operation_may_be_done_and_report_an_error_all_the_same() {
    let (disk, writer) = disk_with_file(b"kept", b"dirty");
    let fault = Fault::Applied(io::ErrorKind::TimedOut);
    disk.fail_from(disk.operations(), fault);
    assert!(writer.sync().is_err());
    assert_eq!(disk.crash_clone_strict().read_file(&path("/f")).unwrap(), b"keptdirty");
    assert!(disk.rename(&path("/f"), &path("/g")).is_err());
    assert!(disk.lock(&path("/LOCK")).is_err());
    disk.heal();
    assert_eq!(disk.list(&path("/")).unwrap(), ["LOCK", "g"]);
    assert!(disk.lock(&path("/LOCK")).unwrap().is_some());
}

/// Calls every operation once; which of them failed.
fn every_operation(disk: &SimDisk) -> Vec<bool> {
    let dir = path("/d");
    let (a, b) = (path("/d/a"), path("/d/b"));
    disk.write_file(&path("/d/there"), b"there").unwrap();
    let there = disk.open(&path("/d/there"));
    let created = disk.create(&a);
    let mut failed = vec![there.is_err(), created.is_err()];
    let writer = created.unwrap_or_else(|_| Box::new(disk.opened(a.clone(), Arc::default())));
    failed.push(writer.append(b"x").is_err());
    failed.push(writer.sync().is_err());
    failed.push(there.as_ref().is_ok_and(|there| there.len().is_err()));
    failed.push(there.is_ok_and(|there| there.read_at(0, &mut [0]).is_err()));
    failed.push(disk.create_dir_all(&dir).is_err());
    failed.push(disk.list(&dir).is_err());
    failed.push(disk.map(&path("/d/there"), 5).is_err());
    failed.push(disk.sync_dir(&dir).is_err());
    failed.push(disk.lock(&path("/d/LOCK")).is_err());
    disk.write_file(&b, b"bb").unwrap();
    failed.push(disk.truncate(&b, 1).is_err());
    failed.push(disk.rename(&b, &path("/d/c")).is_err());
    failed.push(disk.remove(&path("/d/there")).is_err());
    failed
}

#[test]
fn every_operation_can_be_made_to_fail_once() {
    let disk = SimDisk::new();
    assert_eq!(every_operation(&disk), [false; 14]);
    assert_eq!(disk.operations(), 14, "every operation has a number");
    for number in 0..14 {
        let disk = SimDisk::new();
        disk.fail_at(number, Fault::Error(io::ErrorKind::PermissionDenied));
        let failed = every_operation(&disk);
        assert_eq!(disk.faults_hit(), 1);
        assert_eq!(failed.iter().filter(|failed| **failed).count(), 1, "operation {number}");
    }
}

#[test]
fn a_device_that_is_gone_fails_everything_from_there_on() {
    let disk = SimDisk::new();
    disk.fail_from(0, Fault::Error(io::ErrorKind::NotConnected));
    assert_eq!(every_operation(&disk).iter().filter(|failed| **failed).count(), 12);
    assert_eq!(disk.faults_hit(), 12, "a file that was not opened was not read");
    disk.heal();
    disk.list(&path("/")).unwrap();
}

#[test]
fn faults_can_be_kept_to_some_operations_and_files() {
    let (disk, writer) = disk_with_file(b"", b"dirty");
    let count = disk.operations();
    disk.arm(|operation, path| operation == Operation::Sync && path.ends_with("f"));
    disk.fail_from(count, Fault::NoSpace);
    disk.start_trace();
    disk.create(&path("/g")).unwrap().sync().unwrap();
    writer.append(b"more").unwrap();
    assert!(writer.sync().is_err());
    let trace = disk.take_trace();
    let last = format!("{count} Sync /f: NoSpace");
    assert_eq!(trace, ["- Create /g", "- Sync /g", "- Append /f +4", &last]);
    disk.arm_all();
    assert!(disk.list(&path("/")).is_err());
}

#[test]
fn a_trace_names_both_ends_of_a_rename() {
    let (disk, _writer) = disk_with_file(b"", b"");
    let number = disk.operations();
    disk.start_trace();
    disk.rename(&path("/f"), &path("/g")).unwrap();
    assert_eq!(disk.take_trace(), [format!("{number} Rename /f to /g")]);
    assert!(disk.take_trace().is_empty());
}

#[test]
fn the_faults_of_a_disk_do_not_outlive_a_crash() {
    let disk = SimDisk::new();
    disk.fail_from(0, Fault::NoSpace);
    disk.crash_clone_all().list(&path("/")).unwrap();
    disk.crash_clone_strict().list(&path("/")).unwrap();
}

#[test]
fn a_file_can_be_damaged_and_lost_behind_the_back_of_its_readers() {
    let (disk, _writer) = disk_with_file(b"whole", b"");
    let (reader, map) = (disk.open(&path("/f")).unwrap(), disk.map(&path("/f"), 5).unwrap());
    disk.write_file(&path("/f"), b"rot").unwrap();
    assert_eq!((reader.len().unwrap(), &map[..]), (3, &b"whole"[..]));
    assert_eq!(disk.crash_clone_strict().read_file(&path("/f")).unwrap(), b"rot");
    disk.lose_file(&path("/f")).unwrap();
    assert!(disk.crash_clone_strict().files().is_empty());
    assert!(disk.lose_file(&path("/f")).is_err());
}

#[test]
fn a_simulated_disk_can_be_carried_to_the_real_one() {
    let disk = SimDisk::new();
    disk.write_file(&path("/d/e/f"), b"bytes").unwrap();
    disk.create_dir_all(&path("/empty")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    disk.copy_to_real(&dir.path().join("copy")).unwrap();
    let real = crate::world::disk::RealDisk;
    assert_eq!(real.map(&dir.path().join("copy/d/e/f"), 5).unwrap(), &b"bytes"[..]);
    assert!(real.list(&dir.path().join("copy/empty")).unwrap().is_empty());
}
