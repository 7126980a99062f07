//! Spans: the calls that take long have one, reads have none, and none names what may be secret.
//!
//! Alone in its process: whether a span is wanted is remembered for the process, and threads of
//! other tests would have a say in it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use asofdb::world::sim::SimWorld;
use asofdb::{
    Batch, Durability, EventTime, FeatureSpec, Options, Read, Revert, Span, Store, ValueType,
};
use parking_lot::Mutex;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// The clock of the simulated world.
const NOW: i64 = 1_700_000_000_000_000;

/// Writes down the names of spans and the messages of events, each with its fields.
#[derive(Clone, Default)]
struct Traced {
    lines: Arc<Mutex<Vec<String>>>,
    next: Arc<AtomicU64>,
}

struct Line<'l>(&'l mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }
}

impl Subscriber for Traced {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut line = format!("span {}", span.metadata().name());
        span.record(&mut Line(&mut line));
        self.lines.lock().push(line);
        Id::from_u64(self.next.fetch_add(1, Ordering::Relaxed) + 1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut line = format!("event {}", event.metadata().level());
        event.record(&mut Line(&mut line));
        self.lines.lock().push(line);
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[test]
fn a_span_is_missing_or_tells_what_was_to_be_forgotten() {
    let sim = SimWorld::new(EventTime(NOW));
    let traced = Traced::default();
    let spans = |traced: &Traced| {
        let lines = std::mem::take(&mut *traced.lines.lock());
        println!("{lines:#?}");
        assert!(
            !lines.iter().any(|line| line.contains("ant") || line.contains("bee")),
            "{lines:?}"
        );
        let names =
            lines.into_iter().filter_map(|line| Some(line.strip_prefix("span ")?.to_owned()));
        names.map(|name| name.split(' ').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    tracing::subscriber::with_default(traced.clone(), || {
        let options = Options::new().world(sim.world()).clock_lag(Span::ZERO);
        let store = Store::open("/db", options).unwrap();
        assert_eq!(spans(&traced), ["open"]);
        store.define(FeatureSpec::new("v:f", ValueType::I64)).unwrap();
        let mut batch = Batch::new();
        batch.source("job").put("ant", "v:f", EventTime(1), 1i64);
        store.write(batch, Durability::Buffered).unwrap();
        let all = store.select_all();
        store.latest("ant", "v:f").unwrap();
        store.read_row("bee", &all, &Read::latest()).unwrap();
        store.last_n("ant", "v:f", 2, &Read::latest()).unwrap();
        assert_eq!(store.scan(&all, &Read::latest(), b"").unwrap().count(), 1);
        assert_eq!(spans(&traced), Vec::<String>::new(), "reads and writes have none");
        store.flush().unwrap();
        assert_eq!(spans(&traced), ["rotate", "flush"]);
        store.revert(Revert::source("job")).unwrap();
        assert_eq!(spans(&traced), ["revert"]);
        store.erase("ant").unwrap();
        assert_eq!(spans(&traced), ["erase"]);
        let mut batch = Batch::new();
        batch.put("bee", "v:f", EventTime(3), 3i64);
        store.write(batch, Durability::Buffered).unwrap();
        store.compact().unwrap();
        assert_eq!(spans(&traced), ["rotate", "flush", "compaction"]);
    });
}
