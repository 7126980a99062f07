//! Verifying, dumping and searching the files of a store: nothing that is damaged goes unseen, and
//! nothing that is sound is called damaged.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "helpers of tests are no tests to the lints; golden texts are real files"
)]

mod dumps;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use asofdb::inspect::{self, FileKind, Found, Item, Place, Verified};
use asofdb::world::sim::{CrashPolicy, Fault, SimWorld};
use asofdb::{
    Alter, Batch, Durability, Error, EventTime, FeatureSpec, Kind, KnownTime, Options, Revert,
    Span, Store, Value, ValueType, Vector,
};

use crate::dumps::{golden, lines};

const START: i64 = 1_000_000_000;
const DIR: &str = "/store";

fn at(offset: i64) -> EventTime {
    EventTime(START + offset)
}

fn micros(micros: i64) -> Span {
    Span::from_micros(micros).unwrap()
}

fn options(sim: &SimWorld) -> Options {
    Options::new()
        .world(sim.world())
        .identity(Some([7; 32]))
        .clock_lag(Span::ZERO)
        .commit_lease(micros(50))
        .table_bytes(1500)
}

fn open(sim: &SimWorld) -> Store {
    Store::open(DIR, options(sim)).unwrap()
}

/// A step through the bytes of a file: so many times longer as ASOFDB_SPARSE says, where each place
/// takes long.
fn step(usual: usize) -> usize {
    let sparse = std::env::var("ASOFDB_SPARSE").ok().and_then(|text| text.parse::<usize>().ok());
    usual * sparse.unwrap_or(1)
}

fn define(store: &Store) {
    let all = [
        FeatureSpec::new("v:bool", ValueType::Bool),
        FeatureSpec::new("v:i64", ValueType::I64).describe("a count").tag("team", "risk"),
        FeatureSpec::new("v:f32", ValueType::F32),
        FeatureSpec::new("v:f64", ValueType::F64),
        FeatureSpec::new("v:text", ValueType::Text),
        FeatureSpec::new("v:bytes", ValueType::Bytes),
        FeatureSpec::new("v:vector", ValueType::Vector(2)),
        FeatureSpec::new("v:stale", ValueType::Text)
            .ttl(micros(100))
            .history(micros(1000))
            .forget_after(micros(500)),
        FeatureSpec::new("v:gone", ValueType::I64),
    ];
    all.into_iter().for_each(|spec| drop(store.define(spec).unwrap()));
}

fn write(store: &Store, batch: &mut Batch) {
    store.write(std::mem::take(batch), Durability::Buffered).unwrap();
}

/// Every kind of record, in logs, flushed tables and the run.
fn fill(sim: &SimWorld, store: &Store) {
    define(store);
    let mut batch = Batch::new();
    for (n, entity) in ["a", "bb", "ccc", "with space"].into_iter().enumerate() {
        let n = i64::try_from(n).unwrap();
        batch.source("job one").mark("progress", b"17");
        batch.put(entity, "v:bool", at(-9), true).put(entity, "v:i64", at(-9), n);
        batch.put(entity, "v:f32", at(-9), 0.5f32).put(entity, "v:f64", at(-9), 0.25);
        batch.put(entity, "v:text", at(-9), format!("text {n} ").repeat(60));
        batch.put(entity, "v:bytes", at(-9), vec![0u8, 255, 7]).known(KnownTime(START - 4));
        batch.put(entity, "v:vector", at(-9), Vector::from_slice(&[1.5, -2.0]));
        batch.put(entity, "v:stale", at(-9), "given up soon").put(entity, "v:gone", at(-9), 1i64);
        write(store, &mut batch);
        batch.put_null(entity, "v:bool", at(-5)).delete(entity, "v:i64", at(-5));
        batch.put(entity, "v:f64", at(-5), f64::NAN).put(entity, "v:f64", at(-7), -1e300);
        batch.put(entity, "v:text", at(-5), "x".repeat(100)).put(entity, "v:f32", at(-5), 1.5f32);
        batch.put(entity, "v:text", at(-4), format!("y{n} ").repeat(150));
        write(store, &mut batch);
        sim.clock.advance(micros(10));
    }
    sim.clock.advance(micros(1200));
    store.compact().unwrap();
    store.alter("v:f64", Alter::new().ttl(Some(micros(5000)))).unwrap();
    store.evolve("v:i64", ValueType::F64).unwrap();
    store.retire("v:gone").unwrap();
    batch.source("job two").put("a", "v:i64", at(0), 2.5).put("bb", "v:text", at(0), "");
    write(store, &mut batch);
    let bad =
        store.write(std::mem::take(batch.put("bb", "v:f64", at(1), 9.0)), Durability::Buffered);
    store.flush().unwrap();
    store.revert(Revert::commits([bad.unwrap()])).unwrap();
    batch.source("job three").put("erased", "v:text", at(2), "secret");
    write(store, &mut batch);
    store.erase("erased").unwrap();
    store.revert(Revert::source("job two")).unwrap();
    batch.put("a", "v:text", at(3), "in the log").put("d", "v:bool", at(3), false);
    write(store, &mut batch);
}

/// A store that was closed: all its logs are sealed.
fn closed() -> SimWorld {
    let sim = SimWorld::new(EventTime(START));
    let store = open(&sim);
    fill(&sim, &store);
    store.close().unwrap();
    sim
}

/// A store whose process was killed: a sealed log and one that may end torn.
fn killed() -> SimWorld {
    let sim = closed();
    let store = open(&sim);
    let mut batch = Batch::new();
    batch.put("a", "v:bool", at(5), true);
    store.write(std::mem::take(&mut batch), Durability::Synced).unwrap();
    batch.put("a", "v:bool", at(6), false).put("d", "v:vector", at(6), &[0.5f32, 0.0][..]);
    store.write(batch, Durability::Buffered).unwrap();
    sim.after_kill()
}

fn verify(sim: &SimWorld) -> Verified {
    inspect::verify(Path::new(DIR), &sim.world(), &mut |_, _| {}).unwrap()
}

fn paths(sim: &SimWorld) -> Vec<PathBuf> {
    let files = sim.disk.files().into_iter().map(|(path, _)| path);
    files.filter(|path| !path.ends_with("LOCK")).collect()
}

fn path_of(sim: &SimWorld, prefix: &str) -> PathBuf {
    let is = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with(prefix);
    paths(sim).into_iter().find(is).unwrap()
}

/// Whether a report tells that a file is damaged, or that it ends torn.
fn is_told(verified: &Verified, path: &Path) -> (bool, bool) {
    let file = verified.files.iter().find(|file| file.path == path);
    (file.is_some_and(|file| !file.faults.is_empty()), file.is_some_and(|file| file.torn.is_some()))
}

#[test]
fn a_sound_store_is_clean_whatever_it_went_through() {
    let sim = SimWorld::new(EventTime(START));
    let store = open(&sim);
    assert!(verify(&sim).is_clean(), "empty");
    fill(&sim, &store);
    let check = |sim: &SimWorld, when: &str| {
        let verified = verify(sim);
        assert!(verified.is_clean(), "{when}: {:#?}", verified.faults().collect::<Vec<_>>());
        assert_eq!(verified.strays, [], "{when}");
        verified
    };
    let verified = check(&sim, "open");
    assert_eq!(verified.features, 10);
    let tables = verified.files.iter().filter(|file| file.kind == FileKind::Table);
    assert!(tables.clone().count() >= 3, "a run of several tables and a recent one");
    let all = verified.files.iter().map(|file| file.bytes).sum::<u64>();
    assert_eq!(verified.bytes, all);
    store.close().unwrap();
    check(&sim, "closed");
    check(&killed(), "killed");
    let store = open(&sim);
    check(&sim, "open again");
    store.flush().unwrap();
    check(&sim, "flushed");
    store.compact().unwrap();
    check(&sim, "compacted");
    for seed in 0..20 {
        let cut = sim.after_power_cut(seed, CrashPolicy::default());
        let verified = verify(&cut);
        assert!(verified.is_clean(), "{:#?}", verified.faults().collect::<Vec<_>>());
        drop(Store::open(DIR, options(&cut)).unwrap());
        check(&cut, "after a power cut");
    }
}

#[test]
fn progress_ends_where_all_is_done() {
    let sim = closed();
    let mut told = Vec::new();
    let world = sim.world();
    let verified =
        inspect::verify(Path::new(DIR), &world, &mut |done, all| told.push((done, all))).unwrap();
    assert_eq!(told.last(), Some(&(verified.bytes, verified.bytes)));
    assert!(told.is_sorted());
    assert!(told.len() > verified.files.len());
}

#[test]
fn every_flipped_byte_of_a_closed_store_is_told() {
    let sim = closed();
    for path in paths(&sim) {
        let sound = sim.disk.read_file(&path).unwrap();
        let last = manifest_frames(&sim, &path).last().map_or(u64::MAX, |frame| frame.0);
        for byte in 0..sound.len() {
            let mut damaged = sound.clone();
            damaged[byte] ^= if byte % 2 == 0 { 1 } else { 0x80 };
            sim.disk.write_file(&path, &damaged).unwrap();
            let (fault, torn) = is_told(&verify(&sim), &path);
            // The last frame holds nothing but the mark that tells that those before it are whole.
            assert!(fault || torn && byte as u64 >= last, "{} byte {byte}", path.display());
        }
        sim.disk.write_file(&path, &sound).unwrap();
    }
    assert!(verify(&sim).is_clean());
}

/// Where the frames of a manifest begin, and how long they are; none of any other file.
fn manifest_frames(sim: &SimWorld, path: &Path) -> Vec<(u64, u64)> {
    let mut frames = Vec::new();
    if path.to_str().unwrap().contains("MANIFEST") {
        let mut add = |item: Item| {
            if let [(_, inspect::Field::Count(offset)), (_, inspect::Field::Count(bytes)), ..] =
                item.fields[..]
                && item.what == "edits"
            {
                frames.push((offset, bytes));
            }
        };
        inspect::dump_file(path, &sim.world(), &mut add).unwrap();
    }
    frames
}

#[test]
fn a_flipped_byte_of_the_newest_log_is_rot_or_a_torn_end() {
    let sim = killed();
    let path = paths(&sim).into_iter().filter(|path| path.to_str().unwrap().contains("LOG"));
    let path = path.max().unwrap();
    let sound = sim.disk.read_file(&path).unwrap();
    for byte in 0..sound.len() {
        let mut damaged = sound.clone();
        damaged[byte] ^= 2;
        sim.disk.write_file(&path, &damaged).unwrap();
        let (fault, torn) = is_told(&verify(&sim), &path);
        assert!(fault || torn, "byte {byte}");
    }
}

#[test]
fn every_truncated_file_is_told() {
    let sim = closed();
    for path in paths(&sim) {
        let sound = sim.disk.read_file(&path).unwrap();
        let frames = manifest_frames(&sim, &path);
        for len in (0..sound.len()).step_by(step(7)).chain([sound.len() - 1]) {
            sim.disk.write_file(&path, &sound[..len]).unwrap();
            let verified = verify(&sim);
            let (fault, torn) = is_told(&verified, &path);
            // A manifest that ends with an earlier edit is an old copy of itself: only files that
            // depend on what it lacks could tell.
            let old_copy = frames.iter().any(|frame| frame.0 == len as u64);
            assert!(fault || torn || old_copy, "{} at {len}", path.display());
        }
        let mut longer = sound.clone();
        longer.push(0);
        sim.disk.write_file(&path, &longer).unwrap();
        let (fault, torn) = is_told(&verify(&sim), &path);
        assert!(fault || torn && !frames.is_empty(), "{} and a byte", path.display());
        sim.disk.write_file(&path, &sound).unwrap();
    }
}

#[test]
fn a_missing_file_is_told_and_the_others_are_verified() {
    let sim = closed();
    for path in paths(&sim) {
        let sound = sim.disk.read_file(&path).unwrap();
        sim.disk.lose_file(&path).unwrap();
        let verified = verify(&sim);
        assert!(is_told(&verified, &path).0, "{}", path.display());
        let told = verified.files.iter().filter(|file| !file.faults.is_empty());
        assert_eq!(told.count(), 1, "{}", path.display());
        assert!(verified.records > 0);
        sim.disk.write_file(&path, &sound).unwrap();
    }
}

#[test]
fn swapped_and_foreign_files_are_told() {
    let sim = closed();
    for prefix in ["TABLE", "LOG"] {
        let mut of_kind = paths(&sim);
        of_kind.retain(|path| path.to_str().unwrap().contains(prefix));
        if prefix == "LOG" {
            // A log of another number, under the name of this one.
            let bytes = sim.disk.read_file(&of_kind[0]).unwrap();
            let mut other = bytes.clone();
            other[40] ^= 1;
            sim.disk.write_file(&of_kind[0], &other).unwrap();
            assert!(is_told(&verify(&sim), &of_kind[0]).0);
            sim.disk.write_file(&of_kind[0], &bytes).unwrap();
            continue;
        }
        let (a, b) = (&of_kind[0], &of_kind[1]);
        let (in_a, in_b) = (sim.disk.read_file(a).unwrap(), sim.disk.read_file(b).unwrap());
        sim.disk.write_file(a, &in_b).unwrap();
        sim.disk.write_file(b, &in_a).unwrap();
        let verified = verify(&sim);
        assert!(is_told(&verified, a).0 && is_told(&verified, b).0);
        sim.disk.write_file(a, &in_a).unwrap();
        sim.disk.write_file(b, &in_b).unwrap();
    }
    let other = SimWorld::new(EventTime(START));
    let store = Store::open(DIR, options(&other).identity(Some([8; 32]))).unwrap();
    fill(&other, &store);
    store.close().unwrap();
    for path in paths(&sim) {
        if path.ends_with("CURRENT") {
            continue;
        }
        let own = sim.disk.read_file(&path).unwrap();
        sim.disk.write_file(&path, &other.disk.read_file(&path).unwrap()).unwrap();
        assert!(is_told(&verify(&sim), &path).0, "{} of another store", path.display());
        sim.disk.write_file(&path, &own).unwrap();
    }
}

#[test]
fn an_old_copy_of_the_manifest_is_told_by_the_log_that_it_does_not_name() {
    let sim = closed();
    let (current, manifest) = (path_of(&sim, "CURRENT"), path_of(&sim, "MANIFEST"));
    let old = [current, manifest].map(|path| (sim.disk.read_file(&path).unwrap(), path));
    let store = open(&sim);
    let mut batch = Batch::new();
    batch.put("a", "v:bool", at(7), true);
    write(&store, &mut batch);
    store.close().unwrap();
    for (bytes, path) in &old {
        sim.disk.write_file(path, bytes).unwrap();
    }
    let verified = verify(&sim);
    assert!(is_told(&verified, &old[0].1).0, "{verified:#?}");
}

#[test]
fn what_is_no_store_is_an_error_and_strays_are_none() {
    let sim = SimWorld::new(EventTime(START));
    let verify_at = |dir: &str| inspect::verify(Path::new(dir), &sim.world(), &mut |_, _| {});
    assert!(matches!(verify_at("/nowhere"), Err(Error::NotAStore { .. })));
    sim.disk.write_file(Path::new("/other/file"), b"text").unwrap();
    assert!(matches!(verify_at("/other"), Err(Error::NotAStore { .. })));
    assert!(matches!(verify_at("/other/file"), Err(Error::NotAStore { .. })));
    let sim = closed();
    sim.disk.write_file(Path::new("/store/TABLE-000999"), b"half a table").unwrap();
    sim.disk.write_file(Path::new("/store/notes.txt"), b"text").unwrap();
    let verified = verify(&sim);
    assert!(verified.is_clean());
    let strays: Vec<_> = verified.strays.iter().map(|stray| stray.bytes).collect();
    assert_eq!(strays, [12, 4]);
}

#[test]
fn a_damaged_file_is_dumped_up_to_the_damage_and_the_others_whole() {
    let sim = closed();
    let whole = lines(|out| inspect::dump_store(Path::new(DIR), &sim.world(), out).unwrap());
    let path = path_of(&sim, "LOG");
    let mut damaged = sim.disk.read_file(&path).unwrap();
    let last = damaged.len() - 1;
    damaged[70] ^= 1;
    sim.disk.write_file(&path, &damaged).unwrap();
    let mut text = String::new();
    let dumped = inspect::dump_store(Path::new(DIR), &sim.world(), &mut |item| {
        writeln!(text, "{item}").unwrap();
    });
    // The log's one synced mark is behind its first frame or there is none: rot, or a torn end.
    let told = text.contains("  fault ") && dumped.is_err() || text.contains("  torn ");
    assert!(told && last > 70, "{text}");
    assert!(text.lines().count() < whole.lines().count());
    assert!(text.contains("kind=table"));
}

/// No damage makes a dump or a search panic or go on for ever.
#[test]
fn damage_makes_no_dump_and_no_search_panic() {
    let sim = killed();
    let world = sim.world();
    for path in paths(&sim) {
        let sound = sim.disk.read_file(&path).unwrap();
        for byte in (0..sound.len()).step_by(step(5)) {
            let mut damaged = sound.clone();
            damaged[byte] ^= 0xff;
            sim.disk.write_file(&path, &damaged).unwrap();
            drop(inspect::dump_file(&path, &world, &mut |_| {}));
            drop(inspect::dump_store(Path::new(DIR), &world, &mut |_| {}));
            drop(inspect::find_entity(Path::new(DIR), &world, b"a", &mut |_| {}));
        }
        sim.disk.write_file(&path, &sound).unwrap();
    }
}

fn find(sim: &SimWorld, entity: &str) -> Vec<Found> {
    let mut found = Vec::new();
    let searched =
        inspect::find_entity(Path::new(DIR), &sim.world(), entity.as_bytes(), &mut |f| {
            found.push(f);
        })
        .unwrap();
    assert_eq!(searched.records, found.len() as u64);
    assert!(searched.unread.is_empty(), "{:?}", searched.unread);
    found
}

#[test]
fn every_record_of_an_entity_is_found_where_it_lies() {
    let sim = killed();
    let found = find(&sim, "a");
    let mut text = String::new();
    found.iter().for_each(|found| writeln!(text, "{found}").unwrap());
    golden("find.txt", &text);
    let at_place = |place: Place| found.iter().filter(|found| found.place == place).count();
    assert_eq!(at_place(Place::Log), 3, "one in the sealed log, two in the newest");
    assert!(at_place(Place::Head) > 8 && at_place(Place::History) > 3);
    assert!(found.iter().all(|found| found.named && !found.erased));
    let stub = found.iter().find(|found| found.kind == Kind::Stub).unwrap();
    assert_eq!((&*stub.feature, &stub.value), ("v:stale@1", &None));
    let reverted: Vec<_> = found.iter().filter(|found| found.reverted).collect();
    assert_eq!(reverted.len(), 1);
    assert_eq!(reverted[0].value, Some(Value::F64(2.5)));
    assert_eq!(reverted[0].source.as_deref(), Some("job two"));
    let far = found.iter().find(|found| found.value_offset.is_some()).unwrap();
    assert_ne!(far.value_offset, Some(far.offset));
    assert_eq!(find(&sim, "nobody").len(), 0);
}

#[test]
fn what_was_erased_is_found_until_its_bytes_are_gone() {
    let sim = closed();
    let found = find(&sim, "erased");
    assert_eq!(found.len(), 1);
    assert!(found[0].erased);
    // A log that is left over still holds it after the flush.
    let log = path_of(&sim, "LOG");
    let bytes = sim.disk.read_file(&log).unwrap();
    let store = open(&sim);
    store.compact().unwrap();
    assert_eq!(find(&sim, "erased").len(), 0);
    sim.disk.write_file(&log, &bytes).unwrap();
    let found = find(&sim, "erased");
    assert_eq!(found.len(), 1);
    assert!(found[0].erased && !found[0].named);
}

/// A table with a byte changed and all its checksums made anew, as no accident leaves it.
fn resealed(sim: &SimWorld, path: &Path, byte: usize) -> Vec<u8> {
    let mut bytes = sim.disk.read_file(path).unwrap();
    let len = bytes.len();
    let sums_at = section(sim, path, "checksums").start;
    let sum = |bytes: &[u8]| {
        let mut sums = asofdb_format::pages::PageSums::default();
        sums.update(bytes);
        sums.finish()
    };
    bytes[byte] ^= 0x55;
    let sums = sum(&bytes[..sums_at]);
    bytes[sums_at..sums_at + sums.len()].copy_from_slice(&sums);
    bytes[len - 16..len - 12].copy_from_slice(&sum(&sums));
    let identity = sum(&bytes[len - 32..len - 12]);
    bytes[len - 12..len - 8].copy_from_slice(&identity);
    bytes
}

fn section(sim: &SimWorld, path: &Path, wanted: &str) -> std::ops::Range<usize> {
    let mut found = 0..0;
    inspect::dump_file(path, &sim.world(), &mut |item| {
        if let [(_, inspect::Field::Text(name)), (_, offset), (_, bytes)] = &item.fields[..]
            && name == wanted
            && let (inspect::Field::Count(offset), inspect::Field::Count(bytes)) = (offset, bytes)
        {
            let offset = usize::try_from(*offset).unwrap();
            found = offset..offset + usize::try_from(*bytes).unwrap();
        }
    })
    .unwrap();
    assert!(!found.is_empty());
    found
}

#[test]
fn what_no_checksum_tells_is_told_by_what_refers_to_it() {
    let sim = closed();
    let path = path_of(&sim, "TABLE");
    let sums_at = section(&sim, &path, "checksums").start;
    let sound = sim.disk.read_file(&path).unwrap();
    let manifest = path_of(&sim, "MANIFEST");
    let picture = sim.disk.read_file(&manifest).unwrap();
    let mut unseen = Vec::new();
    for byte in 0..sums_at {
        let damaged = resealed(&sim, &path, byte);
        sim.disk.write_file(&path, &damaged).unwrap();
        assert!(is_told(&verify(&sim), &path).0, "byte {byte}: the manifest knows the table");
        drop(inspect::dump_file(&path, &sim.world(), &mut |_| {}));
        find_anything(&sim);
        // Without its manifest only the table itself can tell.
        sim.disk.lose_file(&manifest).unwrap();
        if !is_told(&verify(&sim), &path).0 {
            unseen.push(byte);
        }
        sim.disk.write_file(&manifest, &picture).unwrap();
        sim.disk.write_file(&path, &sound).unwrap();
    }
    let of = |name: &str| {
        let section = section(&sim, &path, name);
        unseen.iter().filter(|byte| section.contains(byte)).count()
    };
    assert_eq!(of("directory"), 0);
    // Values and names may be any.
    assert!((unseen.len() - of("far")) * 3 < sums_at, "{} of {sums_at}", unseen.len());
}

/// Without its manifest a table of the run is verified by itself: a gap between heads, a slot that
/// holds something where there is no value, and a greatest commit that no revision has were all
/// passed over.
#[test]
fn what_no_lookup_looks_at_in_a_head_goes_unseen() {
    let sim = closed();
    let path = path_of(&sim, "TABLE");
    let heads = section(&sim, &path, "heads");
    let sound = sim.disk.read_file(&path).unwrap();
    sim.disk.lose_file(&path_of(&sim, "MANIFEST")).unwrap();
    assert!(!is_told(&verify(&sim), &path).0);
    // The zeros, the greatest event time and the greatest commit of the first head.
    for place in [6, 32, 40] {
        sim.disk.write_file(&path, &resealed(&sim, &path, heads.start + place)).unwrap();
        assert!(is_told(&verify(&sim), &path).0, "byte {place} of a head");
        sim.disk.write_file(&path, &sound).unwrap();
    }
    assert!(!is_told(&verify(&sim), &path).0);
}

fn find_anything(sim: &SimWorld) {
    drop(inspect::find_entity(Path::new(DIR), &sim.world(), b"a", &mut |_| {}));
}

#[test]
fn a_store_that_is_being_written_is_clean() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("store");
    let options = Options::new().memtable_bytes(1 << 16).max_recent_tables(2).table_bytes(1 << 14);
    let store = Store::open(&dir, options).unwrap();
    store.define(FeatureSpec::new("v:f", ValueType::I64)).unwrap();
    let world = asofdb::world::World::real();
    let ended = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..300i64 {
                let mut batch = Batch::new();
                for entity in 0..20 {
                    batch.put(format!("e{entity}"), "v:f", EventTime(n), n);
                }
                store.write(batch, Durability::Buffered).unwrap();
                if n % 10 == 0 {
                    store.define(FeatureSpec::new(format!("v:f{n}"), ValueType::I64)).unwrap();
                    store.flush().unwrap();
                }
            }
            ended.store(true, std::sync::atomic::Ordering::Release);
        });
        while !ended.load(std::sync::atomic::Ordering::Acquire) {
            let verified = inspect::verify(&dir, &world, &mut |_, _| {}).unwrap();
            assert!(verified.is_clean(), "{:#?}", verified.faults().collect::<Vec<_>>());
        }
    });
    store.close().unwrap();
    let verified = inspect::verify(&dir, &world, &mut |_, _| {}).unwrap();
    assert!(verified.is_clean() && verified.records == 6000, "{verified:#?}");
}

/// Stops a program at each of its operations: what is then found is what a crash may leave.
#[test]
fn no_crash_leaves_what_is_called_damaged() {
    let mut number = 0;
    loop {
        let sim = closed();
        let before = sim.disk.operations();
        sim.disk.fail_from(before + number, Fault::Error(std::io::ErrorKind::Other));
        let run = || -> asofdb::Result<()> {
            let store = Store::open(DIR, options(&sim))?;
            let mut batch = Batch::new();
            batch.source("job four").put("a", "v:bool", at(7), true);
            store.write(batch, Durability::Synced)?;
            store.define(FeatureSpec::new("v:more", ValueType::I64))?;
            store.flush()?;
            store.compact()?;
            store.close()
        };
        let ended = run();
        if sim.disk.faults_hit() == 0 {
            ended.unwrap();
            break;
        }
        for seed in 0..4 {
            let found = match seed {
                0 => sim.after_kill(),
                seed => sim.after_power_cut(seed, CrashPolicy::default()),
            };
            let verified = verify(&found);
            let faults: Vec<_> = verified.faults().collect();
            assert!(verified.is_clean(), "operation {number}, seed {seed}: {faults:#?}");
            let opened = Store::open(DIR, options(&found));
            assert!(opened.is_ok(), "operation {number}, seed {seed}: {:?}", opened.err());
        }
        number += 1;
    }
    assert!(number > 30);
}
