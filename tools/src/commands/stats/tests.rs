//! The picture, word for word, of a store that is the same every time: a simulated disk and clock.

use std::io::Write;
use std::sync::{Arc, Mutex};

use asofdb::world::sim::SimWorld;
use asofdb::{Batch, Durability, EventTime, FeatureSpec, Options, Store, ValueType};

use super::*;

const HOUR: i64 = 3_600_000_000;
const NOW: i64 = 1_700_000_000_000_000 / HOUR * HOUR;

#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn printed(store: &Store, json: bool) -> String {
    let page = Page::default();
    let mut console = Console::to(json, page.clone(), std::io::sink());
    let view = View::of(store).unwrap();
    if json { console.json(&view_json(&view)) } else { print(&view, &mut console) }.unwrap();
    console.flush().unwrap();
    let bytes = page.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

fn put(store: &Store, entities: std::ops::Range<u32>, hours: std::ops::Range<i64>) {
    let mut batch = Batch::new();
    batch.source("nightly-job");
    for entity in entities {
        for hour in hours.clone() {
            let at = EventTime(NOW + hour * HOUR);
            batch.put(format!("e{entity}"), "shop:visits", at, hour);
            batch.put(format!("e{entity}"), "shop:city", at, "Ulm");
        }
    }
    store.write(batch, Durability::Buffered).unwrap();
}

#[test]
fn the_picture_is_another_one() {
    let sim = SimWorld::new(EventTime(NOW));
    let options = Options::new()
        .world(sim.world())
        .identity(Some([7; 32]))
        .table_bytes(4 << 10)
        .max_recent_tables(usize::MAX);
    let store = Store::open("/store", options).unwrap();
    assert!(printed(&store, false).contains("level"), "an empty store has a picture too");
    store.define(FeatureSpec::new("shop:visits", ValueType::I64)).unwrap();
    store.define(FeatureSpec::new("shop:city", ValueType::Text)).unwrap();
    store.define(FeatureSpec::new("shop:unused", ValueType::Bool)).unwrap();
    put(&store, 0..200, -100..-40);
    store.compact().unwrap();
    put(&store, 0..20, -50..-30);
    store.flush().unwrap();
    put(&store, 0..200, -20..-10);
    store.flush().unwrap();
    put(&store, 0..3, -2..0);
    let golden =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tool/golden/stats.txt");
    let found = printed(&store, false);
    if std::env::var_os("ASOF_REWRITE").is_some() {
        std::fs::write(&golden, &found).unwrap();
    }
    let expected = std::fs::read_to_string(&golden).unwrap_or_default();
    assert_eq!(found, expected, "{} (ASOF_REWRITE=1 writes it anew)", golden.display());

    let json: Json = serde_json::from_str(&printed(&store, true)).unwrap();
    let sum = |list: &str, of: &str| -> u64 {
        json[list].as_array().unwrap().iter().map(|item| item[of].as_u64().unwrap()).sum()
    };
    let stats = store.stats();
    assert_eq!(sum("table_files", "bytes"), stats.table_bytes);
    assert_eq!(sum("levels", "bytes"), stats.table_bytes);
    assert_eq!(sum("levels", "tables"), stats.tables);
    assert_eq!(sum("features", "estimated_table_bytes"), stats.table_bytes);
    assert_eq!(sum("features", "estimated_memory_bytes"), stats.memtable_bytes);
    let records = sum("features", "records_in_tables") + sum("features", "records_in_memory");
    assert_eq!(records, stats.records);
}
