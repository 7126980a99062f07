//! What people and machines are told of a store whose clock stands still, word for word.

use std::cell::RefCell;
use std::io::{self, Write};
use std::path::Path;
use std::rc::Rc;

use asofdb::world::sim::SimWorld;
use asofdb::{Batch, Durability, EventTime, FeatureSpec, Options, Store, ValueType};

use super::*;

const HOUR: i64 = 3_600_000_000;
const NOW: i64 = 1_700_000_000_000_000;

/// A stream that can be read afterwards.
#[derive(Clone, Default)]
struct Page(Rc<RefCell<Vec<u8>>>);

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Old, expired, null and deleted values, some of the future, and some in a log.
fn store() -> Store {
    let sim = SimWorld::new(EventTime(NOW));
    let store = Store::open("/store", Options::new().world(sim.world())).unwrap();
    let ttl = Span::from_hours(6);
    store.define(FeatureSpec::new("weather:temp", ValueType::F64).ttl(ttl)).unwrap();
    store.define(FeatureSpec::new("weather:report", ValueType::Text)).unwrap();
    store.define(FeatureSpec::new("weather:never", ValueType::I64)).unwrap();
    let mut batch = Batch::new();
    for airport in 0..50 {
        let at = EventTime(NOW - airport * HOUR / 5);
        let name = format!("airport-{airport}");
        match airport % 10 {
            3 => batch.put_null(&name, "weather:temp", at),
            7 => batch.delete(&name, "weather:temp", at),
            _ => {
                let tenths = i32::try_from(airport).unwrap();
                batch.put(&name, "weather:temp", at, f64::from(tenths) / 10.0)
            }
        };
        batch.put(&name, "weather:report", EventTime(NOW - 90 * HOUR), "calm");
    }
    store.write(batch, Durability::Synced).unwrap();
    store.flush().unwrap();
    store.evolve("weather:report", ValueType::Bytes).unwrap();
    let mut batch = Batch::new();
    batch.put("airport-7", "weather:temp", EventTime(NOW - 1), -4.5);
    for hour in 1..12 {
        batch.put("airport-8", "weather:report", EventTime(NOW + hour * HOUR), vec![1]);
    }
    store.write(batch, Durability::Synced).unwrap();
    store
}

fn golden(name: &str, found: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tool/golden");
    let path = folder.join(name);
    if std::env::var_os("ASOF_REWRITE").is_some() {
        std::fs::write(&path, found).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(found, expected, "{} (ASOF_REWRITE=1 writes it anew)", path.display());
}

#[test]
fn a_report_reads_otherwise_than_it_did() {
    let store = store();
    let mut said = String::new();
    for report in [store.freshness().unwrap(), store.freshness_exact().unwrap()] {
        let page = Page::default();
        let mut console = Console::to(false, page.clone(), Page::default());
        print(&report, &store.future_dated(FUTURE_ROWS + 1).unwrap(), &mut console).unwrap();
        let json = report_json(&report, &store.future_dated(2).unwrap());
        console.line(serde_json::to_string_pretty(&json).unwrap()).unwrap();
        console.flush().unwrap();
        said.push_str(std::str::from_utf8(&page.0.borrow()).unwrap());
    }
    golden("freshness.txt", &said);
}

#[test]
fn a_limit_that_is_none_is_taken_for_one() {
    assert_eq!(limit("v:f=2h").unwrap(), ("v:f".to_owned(), Span::from_hours(2)));
    assert_eq!(limit("v:a=b@1=90s").unwrap(), ("v:a=b@1".to_owned(), Span::from_secs(90)));
    for text in ["v:f", "=2h", "v:f=", "v:f=forever", "v:f=-2h", "v:f=2"] {
        assert!(limit(text).is_err(), "{text}");
    }
}
