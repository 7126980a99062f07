//! Events: each thing that happens is told once, to a listener that can do no harm.

use std::io::ErrorKind;
use std::sync::{Arc, OnceLock};

use asofdb::events::{
    BackgroundFailed, BackgroundWork, CompactionBegun, CompactionEnded, CorruptionFound,
    EventListener, FlushBegun, FlushEnded, HorizonRisen, StallBegun, StallEnded,
};
use asofdb::world::sim::{Fault, Operation, SimWorld};
use asofdb::{Alter, Error, EventTime, Options, Read, ReadMode, Span, Store};
use parking_lot::Mutex;

use crate::{NOW, open, options, put};

/// Keeps what it is told in words, and does what a test wants at each.
#[derive(Default)]
struct Heard {
    words: Mutex<Vec<String>>,
    then: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

impl std::fmt::Debug for Heard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Heard")
    }
}

impl Heard {
    fn hear(&self, words: String) {
        self.words.lock().push(words);
        if let Some(then) = self.then.get() {
            then();
        }
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.words.lock())
    }

    fn count(&self, of: &str) -> usize {
        self.words.lock().iter().filter(|words| words.starts_with(of)).count()
    }
}

impl EventListener for Heard {
    fn flush_begun(&self, event: &FlushBegun) {
        self.hear(format!("flush of {}", event.records));
    }
    fn flush_ended(&self, event: &FlushEnded) {
        self.hear(format!("flushed {} into {}", event.records, event.tables.len()));
    }
    fn compaction_begun(&self, event: &CompactionBegun) {
        self.hear(format!("compaction of {}", event.inputs.len()));
    }
    fn compaction_ended(&self, event: &CompactionEnded) {
        let levels: Vec<u8> = event.outputs.iter().map(|table| table.level).collect();
        let dropped = event.dropped_records;
        self.hear(format!("compacted {} into {levels:?}, {dropped} dropped", event.inputs.len()));
    }
    fn stall_begun(&self, event: &StallBegun) {
        let (memtables, tables) = (event.memtables, event.recent_tables);
        self.hear(format!("stall at {memtables} memtables, {tables} tables"));
    }
    fn stall_ended(&self, _: &StallEnded) {
        self.hear("stalled".to_owned());
    }
    fn corruption_found(&self, event: &CorruptionFound) {
        let name = event.file.file_name().unwrap().to_string_lossy().into_owned();
        self.hear(format!("damage in {name}"));
    }
    fn horizon_risen(&self, event: &HorizonRisen) {
        self.hear(format!("horizon of {} at {}", event.feature, event.horizon.0 - NOW));
    }
    fn background_failed(&self, event: &BackgroundFailed) {
        let work = if event.work == BackgroundWork::Flush { "flush" } else { "compaction" };
        self.hear(format!("failed {work}"));
    }
}

fn listened(sim: &SimWorld) -> (Arc<Heard>, Options) {
    let heard = Arc::new(Heard::default());
    let options = options(sim).listener(Some(Arc::clone(&heard) as Arc<dyn EventListener>));
    (heard, options)
}

#[test]
fn a_flush_or_a_compaction_is_told_otherwise_than_it_happened() {
    let sim = SimWorld::new(EventTime(NOW));
    let (heard, options) = listened(&sim);
    let store = open(options);
    put(&store, &["ant", "bee"], 1);
    assert_eq!(heard.take(), Vec::<String>::new(), "a write is no event");
    store.flush().unwrap();
    assert_eq!(heard.take(), ["flush of 2", "flushed 2 into 1"]);
    store.flush().unwrap();
    assert_eq!(heard.take(), Vec::<String>::new(), "there was nothing to flush");
    put(&store, &["ant"], 2);
    store.compact().unwrap();
    let told =
        ["flush of 1", "flushed 1 into 1", "compaction of 2", "compacted 2 into [1], 0 dropped"];
    assert_eq!(heard.take(), told);
}

#[test]
fn a_horizon_rises_unheard() {
    let sim = SimWorld::new(EventTime(NOW));
    let (heard, options) = listened(&sim);
    let store = open(options);
    put(&store, &["ant"], 1);
    store.alter("v:f", Alter::new().history(Some(Span::from_secs(5)))).unwrap();
    assert_eq!(heard.take(), Vec::<String>::new(), "an alter records what was in force before");
    store.alter("v:f", Alter::new().history(Some(Span::from_secs(4)))).unwrap();
    assert_eq!(heard.take(), ["horizon of v:f at -5000000"]);
    sim.clock.advance(Span::from_secs(1));
    store.flush().unwrap();
    let told = ["flush of 1", "horizon of v:f at -3000000", "flushed 1 into 1"];
    assert_eq!(heard.take(), told);
}

#[test]
fn a_failed_compaction_is_told_to_nobody() {
    let sim = SimWorld::new(EventTime(NOW));
    let (heard, options) = listened(&sim);
    let store = open(options.max_recent_tables(2));
    for n in 0..2 {
        put(&store, &["ant"], n);
        store.flush().unwrap();
    }
    heard.take();
    sim.disk.arm(|operation, path| {
        operation == Operation::Create && path.to_string_lossy().contains("TABLE")
    });
    sim.disk.fail_from(sim.disk.operations(), Fault::Error(ErrorKind::Other));
    assert!(sim.scheduler.step_named("asofdb-compact"));
    assert_eq!(heard.take(), ["compaction of 2", "failed compaction"]);
    let metrics = store.metrics();
    assert_eq!((metrics.background_failures, metrics.compactions.compactions), (1, 0));
    assert!(matches!(metrics.last_background_error, Some(Error::Io { op: "create", .. })));

    put(&store, &["ant"], 3);
    sim.disk.heal();
    assert!(sim.scheduler.step_named("asofdb-compact"));
    assert_eq!(store.metrics().compactions.compactions, 1, "it is tried again");
    let told = store.metrics().last_background_error;
    assert!(told.is_some(), "what went wrong stays told");
    store.close().unwrap();
    assert_eq!(heard.count("failed"), 0, "the end of the store is no failure");
}

#[test]
fn a_writer_waits_and_nobody_hears_of_it() {
    let sim = SimWorld::new(EventTime(NOW));
    let (heard, options) = listened(&sim);
    let store = open(options.memtable_bytes(1).max_sealed_memtables(1));
    let mut stalls = 0;
    for n in 0..5 {
        put(&store, &["ant"], n);
        stalls = store.metrics().stalls.stalls;
    }
    assert!(stalls > 0, "nobody had to wait");
    let stall = store.metrics().stalls;
    assert_eq!((stall.stalls, stall.micros.count()), (stalls, stalls));
    let stalls = usize::try_from(stalls).unwrap();
    assert_eq!((heard.count("stall at"), heard.count("stalled")), (stalls, stalls));
    println!("{stalls} stalls");
}

#[test]
fn damage_is_found_and_not_told_or_told_for_ever() {
    let sim = SimWorld::new(EventTime(NOW));
    let (heard, options) = listened(&sim);
    let options = options.read_mode(ReadMode::Pread);
    let store = open(options.clone());
    put(&store, &["ant"], 1);
    store.flush().unwrap();
    heard.take();
    let files = sim.disk.files();
    let table = files.iter().find(|(path, _)| path.to_string_lossy().contains("TABLE")).unwrap();
    let mut bytes = sim.disk.read_file(&table.0).unwrap();
    bytes.iter_mut().skip(64).take(200).for_each(|byte| *byte ^= 0xff);
    sim.disk.write_file(&table.0, &bytes).unwrap();
    let again = store.clone();
    let then = move || drop(again.latest("ant", "v:f"));
    assert!(heard.then.set(Box::new(then)).is_ok());
    let all = store.select_all();
    let is_damage =
        |outcome: Result<(), Error>| assert!(matches!(outcome, Err(Error::Corruption { .. })));
    let mut calls = 0;
    let mut told = |what: &str, outcome: Result<(), Error>| {
        is_damage(outcome);
        calls += 1;
        assert_eq!(heard.take().len(), 1, "{what}");
        // The listener's own reads meet it too; they are counted, and not told.
        assert_eq!(store.metrics().corruptions, 2 * calls, "{what}");
    };
    told("a point", store.latest("ant", "v:f").map(drop));
    told("a row", store.read_row("ant", &all, &Read::latest()).map(drop));
    told("versions", store.last_n("ant", "v:f", 3, &Read::latest()).map(drop));
    told(
        "a scan",
        store
            .scan(&all, &Read::latest(), b"")
            .and_then(|mut scan| scan.next().transpose().map(drop)),
    );
    let joiner = store.joiner(&all, asofdb::JoinOptions::new()).unwrap();
    told("a join", joiner.join(&[Some(("ant", EventTime(5)))]).map(drop));
    told(
        "a revert",
        store.revert(asofdb::Revert::commits([store.stats().newest_commit])).map(drop),
    );
    // One more event, which begins the compaction, comes before it.
    is_damage(store.compact());
    let told: Vec<String> = heard.take();
    assert_eq!(
        told.iter().filter(|words| words.starts_with("damage in TABLE")).count(),
        1,
        "{told:?}"
    );
}

#[test]
fn damage_that_keeps_a_store_from_opening_is_not_told() {
    let sim = SimWorld::new(EventTime(NOW));
    let (heard, options) = listened(&sim);
    let store = open(options.clone());
    put(&store, &["ant"], 1);
    store.close().unwrap();
    let files = sim.disk.files();
    let (manifest, _) =
        files.iter().find(|(path, _)| path.to_string_lossy().contains("MANIFEST")).unwrap();
    sim.disk.lose_file(manifest).unwrap();
    assert!(matches!(Store::open("/db", options), Err(Error::Corruption { .. })));
    assert_eq!(heard.take().len(), 1);
}

/// A listener may read, and ask for stats, shape and metrics, whatever it is told of and on whatever thread.
#[test]
fn a_listener_that_reads_waits_for_itself() {
    let dir = tempfile::tempdir().unwrap();
    let heard = Arc::new(Heard::default());
    let options = Options::new()
        .max_ahead(None)
        .memtable_bytes(2 << 10)
        .max_sealed_memtables(1)
        .max_recent_tables(2)
        .clock_lag(Span::ZERO)
        .listener(Some(Arc::clone(&heard) as Arc<dyn EventListener>));
    let store = Store::open(dir.path().join("store"), options).unwrap();
    store.define(asofdb::FeatureSpec::new("v:f", asofdb::ValueType::I64)).unwrap();
    let within: Arc<Mutex<Option<Store>>> = Arc::new(Mutex::new(Some(store.clone())));
    let mine = Arc::clone(&within);
    let then = move || {
        let Some(store) = mine.lock().clone() else { return };
        let all = store.select_all();
        assert!(store.latest("ant", "v:f").is_ok());
        assert!(store.scan(&all, &Read::latest(), b"").unwrap().all(|row| row.is_ok()));
        drop((store.stats(), store.metrics(), store.shape(), store.snapshot().unwrap()));
    };
    assert!(heard.then.set(Box::new(then)).is_ok());
    for n in 0..400 {
        put(&store, &["ant", &format!("e{n}")], n);
        if n % 100 == 0 {
            store.compact().unwrap();
            let history = Some(Span::from_secs(u32::try_from(n).unwrap() + 1));
            store.alter("v:f", Alter::new().history(history)).unwrap();
        }
    }
    store.compact().unwrap();
    let counts = ["flushed", "compacted", "horizon", "stall at"].map(|of| (of, heard.count(of)));
    println!("{counts:?}");
    assert!(counts[..3].iter().all(|(_, count)| *count > 0), "{counts:?}");
    let metrics = store.metrics();
    assert_eq!(metrics.listener_panics, 0, "a call failed");
    assert_eq!(metrics.flushes.flushes, heard.count("flushed") as u64);
    *within.lock() = None;
    store.close().unwrap();
}

#[test]
fn a_listener_that_panics_takes_the_store_down() {
    std::panic::set_hook(Box::new(|_| {}));
    let dir = tempfile::tempdir().unwrap();
    let heard = Arc::new(Heard::default());
    assert!(heard.then.set(Box::new(|| panic!("as the test wants it"))).is_ok());
    let options = Options::new()
        .max_ahead(None)
        .memtable_bytes(2 << 10)
        .max_recent_tables(2)
        .listener(Some(Arc::clone(&heard) as Arc<dyn EventListener>));
    let path = dir.path().join("store");
    let store = Store::open(&path, options).unwrap();
    store.define(asofdb::FeatureSpec::new("v:f", asofdb::ValueType::I64)).unwrap();
    for n in 0..300 {
        put(&store, &["ant", "bee"], n);
    }
    store.compact().unwrap();
    assert_eq!(store.as_of("ant", "v:f", EventTime(299)).unwrap().as_i64(), Some(299));
    let metrics = store.metrics();
    assert_eq!(metrics.listener_panics, heard.words.lock().len() as u64, "told again after each");
    assert!(metrics.flushes.flushes > 1 && metrics.compactions.compactions > 0);
    assert_eq!(metrics.background_failures, 0);
    store.close().unwrap();
    let store = Store::open(&path, Options::new()).unwrap();
    assert_eq!(store.stats().records, 600);
    println!("{} panics", metrics.listener_panics);
    drop(std::panic::take_hook());
}

#[test]
fn a_stall_for_tables_is_told_as_one_for_memtables() {
    let sim = SimWorld::new(EventTime(NOW));
    let (heard, options) = listened(&sim);
    let store = open(options.max_recent_tables(2).stop_recent_tables(3));
    for n in 0..3 {
        put(&store, &["ant"], n);
        store.flush().unwrap();
    }
    heard.take();
    put(&store, &["ant"], 3);
    assert_eq!(heard.take().first().map(String::as_str), Some("stall at 0 memtables, 3 tables"));
}
