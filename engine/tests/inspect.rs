//! Verifying, dumping and searching the files of a store: nothing that is damaged goes unseen, and
//! nothing that is sound is called damaged.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use asofdb::inspect::{self, FileKind, Found, Item, Place, Verified};
use asofdb::world::sim::{CrashPolicy, SimWorld};
use asofdb::{
    Alter, Batch, Durability, Error, EventTime, FeatureSpec, Kind, KnownTime, Options, Revert,
    Span, Store, Value, ValueType, Vector,
};

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
        let last = last_edit(&sim, &path);
        for byte in 0..sound.len() {
            let mut damaged = sound.clone();
            damaged[byte] ^= if byte % 2 == 0 { 1 } else { 0x80 };
            sim.disk.write_file(&path, &damaged).unwrap();
            let (fault, torn) = is_told(&verify(&sim), &path);
            // Of the newest edit nothing but itself tells that it had been whole: no later frame
            // has a synced mark behind it.
            assert!(fault || torn && byte as u64 >= last, "{} byte {byte}", path.display());
        }
        sim.disk.write_file(&path, &sound).unwrap();
    }
    assert!(verify(&sim).is_clean());
}

/// Where the last edit of a manifest begins; behind the end of any other file.
fn last_edit(sim: &SimWorld, path: &Path) -> u64 {
    let mut last = u64::MAX;
    if path.to_str().unwrap().contains("MANIFEST") {
        inspect::dump_file(path, &sim.world(), &mut |item| {
            if item.what == "edits" {
                let offset = item.fields.iter().find(|(name, _)| *name == "offset").unwrap();
                let inspect::Field::Count(offset) = offset.1 else { panic!("{item}") };
                last = offset;
            }
        })
        .unwrap();
    }
    last
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
        let last = last_edit(&sim, &path);
        for len in (0..sound.len()).step_by(7).chain([sound.len() - 1]) {
            sim.disk.write_file(&path, &sound[..len]).unwrap();
            let verified = verify(&sim);
            let (fault, torn) = is_told(&verified, &path);
            // A manifest that ends with an earlier edit is an old copy of itself: the files that it
            // names tell so, but for those edits that no file depends on.
            let elsewhere = !verified.is_clean() || len as u64 >= last;
            let named = path.to_str().unwrap().contains("MANIFEST") && elsewhere;
            assert!(fault || torn || named, "{} at {len}", path.display());
        }
        let mut longer = sound.clone();
        longer.push(0);
        sim.disk.write_file(&path, &longer).unwrap();
        let (fault, torn) = is_told(&verify(&sim), &path);
        assert!(fault || torn && last < u64::MAX, "{} and a byte", path.display());
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

fn golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("ASOFDB_REWRITE").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let wanted = std::fs::read_to_string(&path).unwrap();
    for (number, (wanted, found)) in wanted.lines().zip(text.lines()).enumerate() {
        assert_eq!(found, wanted, "{name}:{} (ASOFDB_REWRITE=1 rewrites it)", number + 1);
    }
    assert_eq!(text.lines().count(), wanted.lines().count(), "{name}");
}

fn lines(dump: impl FnOnce(&mut dyn FnMut(Item))) -> String {
    let mut text = String::new();
    dump(&mut |item| writeln!(text, "{item}").unwrap());
    text
}

#[test]
fn dumps_of_each_kind_of_file_are_as_they_were() {
    let sim = killed();
    for (prefix, name) in
        [("CURRENT", "current.txt"), ("MANIFEST", "manifest.txt"), ("TABLE", "table.txt")]
    {
        let path = path_of(&sim, prefix);
        let text = lines(|out| inspect::dump_file(&path, &sim.world(), out).unwrap());
        golden(name, &text);
    }
    let closed = closed();
    let manifest = path_of(&closed, "MANIFEST");
    golden(
        "manifest_with_edits.txt",
        &lines(|out| inspect::dump_file(&manifest, &closed.world(), out).unwrap()),
    );
    let log = path_of(&sim, "LOG");
    golden("log.txt", &lines(|out| inspect::dump_file(&log, &sim.world(), out).unwrap()));
    let whole = lines(|out| inspect::dump_store(Path::new(DIR), &sim.world(), out).unwrap());
    golden("store.txt", &whole);
}

#[test]
fn a_file_away_from_its_store_is_dumped_too() {
    let sim = killed();
    let away = |prefix: &str| {
        let path = path_of(&sim, prefix);
        let other = Path::new("/away").join(format!("copy of {prefix}"));
        sim.disk.write_file(&other, &sim.disk.read_file(&path).unwrap()).unwrap();
        let there = lines(|out| inspect::dump_file(&path, &sim.world(), out).unwrap());
        let here = lines(|out| inspect::dump_file(&other, &sim.world(), out).unwrap());
        let rest = |text: &str| text.split_once('\n').unwrap().1.to_owned();
        (rest(&there), rest(&here))
    };
    let (there, here) = away("TABLE");
    assert_eq!(there, here);
    let (there, here) = away("MANIFEST");
    assert_eq!(there, here);
    let (there, here) = away("LOG");
    assert!(there.contains("feature=v:text@1"));
    assert!(here.contains("feature=#5") && !here.contains("v:text"));
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
        for byte in (0..sound.len()).step_by(5) {
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
