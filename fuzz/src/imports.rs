//! The import of CSV and Parquet files of any content, with options that the input chooses.
//!
//! Nothing panics or takes more than [`MEMORY`]. An import that ends in an error has written no
//! row and defined nothing; one that does not has written what it says, which reads back, and done
//! again it writes nothing. The file is then the spine of a join.

mod csv;
mod joined;
mod parquet;

use std::path::Path;

use asofdb::world::World;
use asofdb::{Options, Store, inspect};
use serde_json::Value as Json;

use crate::heap;
use crate::tool::{folder, run};
use joined::{BEFORE, BESIDE, KNOWN_AT, TO_PARQUET};

/// What an import may take, the engine's memtables included.
pub const MEMORY: usize = 256 << 20;

/// The bits of the first byte.
const PARQUET: u8 = 1;
const KNOWN: u8 = 2;
const SKIP_BAD: u8 = 4;
const SKIP_NULLS: u8 = 8;
const LONG: u8 = 16;
const TWO_ENTITIES: u8 = 32;
const NULL_TOKEN: u8 = 64;
const TTL: u8 = 128;

const FEATURES: [Option<&str>; 8] = [
    None,
    None,
    Some("a"),
    Some("a:i64,b:text"),
    Some("a:f32,b:bool"),
    Some("a:bytes"),
    Some("a:vector(2),b:f64"),
    Some("a,a"),
];
const LABELS: [Option<&str>; 4] = [None, Some("job"), Some(""), Some("a\u{0}b")];
const UNITS: [&str; 4] = ["us", "ms", "s", "ns"];

/// What an input asks for.
struct Asked<'a> {
    flags: u8,
    more: u8,
    last: u8,
    file: &'a [u8],
}

impl<'a> Asked<'a> {
    fn new(bytes: &'a [u8]) -> Option<Self> {
        let ([flags, more, last], file) = bytes.split_first_chunk::<3>()?;
        Some(Self { flags: *flags, more: *more, last: *last, file })
    }

    fn is(&self, bit: u8) -> bool {
        self.flags & bit != 0
    }

    fn entity(&self) -> &'static str {
        if self.is(TWO_ENTITIES) { "e,f" } else { "e" }
    }

    fn unit(&self) -> &'static str {
        UNITS[usize::from(self.more >> 3 & 3)]
    }

    fn features(&self) -> Option<&'static str> {
        FEATURES[usize::from(self.more & 7)]
    }

    fn view(&self) -> String {
        match self.last & 3 {
            0 => "v".to_owned(),
            1 => String::new(),
            2 => "v@1".to_owned(),
            _ => "w".repeat(245),
        }
    }

    fn words<'w>(&self, store: &'w str, file: &'w str, view: &'w str) -> Vec<&'w str> {
        let mut words = vec!["import", store, file, "--json", "--time", "t"];
        words.extend(["--entity", self.entity()]);
        words.extend(["--view", view]);
        words.extend(["--time-unit", self.unit()]);
        let mut maybe = |asked: bool, option: &[&'static str]| {
            if asked {
                words.extend_from_slice(option);
            }
        };
        maybe(self.is(KNOWN), &["--known", "k"]);
        maybe(self.is(SKIP_BAD), &["--skip-bad"]);
        maybe(self.is(SKIP_NULLS), &["--nulls", "skip"]);
        maybe(self.is(LONG), &["--long", "n,v"]);
        maybe(self.is(NULL_TOKEN), &["--null", "NA"]);
        maybe(self.is(TTL), &["--ttl", "2h"]);
        if let Some(features) = self.features() {
            words.extend(["--features", features]);
        }
        if let Some(label) = LABELS[usize::from(self.last >> 2 & 3)] {
            words.extend(["--source", label]);
        }
        words
    }
}

/// Plays an input: three bytes of options, then the file.
pub fn play(bytes: &[u8]) {
    let Some(asked) = Asked::new(bytes) else { return };
    let folder = folder();
    let dir = folder.path().join("store");
    let file = folder.path().join(if asked.is(PARQUET) { "x.parquet" } else { "x.csv" });
    std::fs::write(&file, asked.file).unwrap();
    let view = asked.view();
    let words = asked.words(dir.to_str().unwrap(), file.to_str().unwrap(), &view);
    let (said, result) = heap::at_most(MEMORY, || run(&words));
    match result {
        Err(error) => {
            assert!(said.is_empty(), "{error}: it was half told");
            nothing_is_there(&dir, &error.to_string());
        }
        Ok(()) => {
            let told = outcome(&said);
            all_is_there(&dir, &told, &asked);
            let (said, result) = heap::at_most(MEMORY, || run(&words));
            result.unwrap();
            let again = outcome(&said);
            assert!(again["already_imported"] == true && again["rows"] == 0, "{again}");
            assert_eq!(records(&dir), number(&told, "records"), "it was imported twice");
            joined::join(&dir, &file, &asked);
        }
    }
}

fn outcome(said: &[u8]) -> Json {
    let said: Json = serde_json::from_slice(said).unwrap();
    said["files"][0].clone()
}

fn number(told: &Json, name: &str) -> u64 {
    told[name].as_u64().unwrap()
}

/// All records of a store, which must be whole.
fn records(dir: &Path) -> u64 {
    let verified = inspect::verify(dir, &World::real(), &mut |_, _| {}).unwrap();
    assert!(verified.is_clean(), "{:?}", verified.faults().next());
    verified.records
}

fn open(dir: &Path) -> Store {
    Store::open(dir, Options::new().read_only(true)).unwrap()
}

fn nothing_is_there(dir: &Path, error: &str) {
    if !dir.exists() {
        return;
    }
    let features = open(dir).features();
    assert!(features.is_empty(), "{error}, and {features:?} are defined");
    assert_eq!(records(dir), 0, "{error}");
}

fn all_is_there(dir: &Path, told: &Json, asked: &Asked<'_>) {
    let (rows, written) = (number(told, "rows"), number(told, "records"));
    assert_eq!(records(dir), written, "{told}");
    assert_eq!(told["already_imported"], false);
    assert!(number(told, "nulls") <= written);
    assert!(asked.is(SKIP_BAD) || number(told, "skipped") == 0, "{told}");
    let store = open(dir);
    let features = store.features().len() as u64;
    let per_row = if asked.is(LONG) { 1 } else { features };
    assert!(written <= rows * per_row, "{told}");
    // Rows of one value each may be of features that nobody asked for.
    let leaves_out = asked.is(SKIP_NULLS) || asked.is(LONG) && asked.features().is_some();
    assert!(leaves_out || written == rows * per_row, "{told}");
    let is_plain = asked.flags & (PARQUET | KNOWN | LONG | TWO_ENTITIES | TTL) == 0;
    if is_plain {
        let nulls = if asked.is(NULL_TOKEN) { &["", "NA"][..] } else { &[""] };
        let view = format!("{}:", asked.view());
        let plain =
            csv::Plain { view: &view, unit: asked.unit(), nulls, skip_nulls: asked.is(SKIP_NULLS) };
        csv::reads_back(&store, asked.file, &plain, rows);
    }
}

/// Files of each form, with options under which they are imported.
pub fn seeds() -> Vec<Vec<u8>> {
    let plain = "e,t,a,b\nx,1700000000000000,1,one\ny,1700000000000001,,\"two, \"\"2\"\"\"\n";
    let dates = "e,t,k,a,b\nx,2024-01-02,2024-01-03T00:00:00Z,1.5,true\n\
                 x,2024-01-02 03:04:05.678,2024-02-03T00:00:00+01:00,NA,\n";
    let long = "e,f,t,n,v\nx,1,1700000000,speed,3\nx,2,1700000001,name,fast\nx,2,17,,3\n";
    let odd = "\u{feff}e,t,a\r\n\"x\ny\",1700000000000,\"\"\r\n\r\nq,1700000000001,007\rz,2,3,4\n";
    let vectors = "e,t,a,b\nx,1,\"[1.0,2.5]\",0.1\ny,2,\"[-0.0,NaN]\",1e300\n";
    let typed = "e,t,a,b\nx,1,-5,word\nx,1,6,\ny,2,0,\"\"\n";
    let mut seeds = Vec::new();
    let texts: [([u8; 3], &str); 14] = [
        ([0, 0, 0], plain),
        ([SKIP_NULLS | TTL, 0, 4], plain),
        ([KNOWN | NULL_TOKEN, 0, 0], dates),
        ([LONG | TWO_ENTITIES | SKIP_BAD, 16, 4], long),
        ([SKIP_BAD, 8, 0], odd),
        ([0, 6, 0], vectors),
        ([0, 3, 0], typed),
        ([SKIP_BAD, 4, 0], typed),
        ([0, 2, 8], typed),
        ([0, 5, 3], "e,t,a\nx,1,00ff\n"),
        ([0, 0, BESIDE], plain),
        ([KNOWN | NULL_TOKEN, 0, BESIDE | KNOWN_AT | TO_PARQUET], dates),
        ([LONG | TWO_ENTITIES | SKIP_BAD, 16, BEFORE], long),
        ([SKIP_BAD, 8, BESIDE | BEFORE], odd),
    ];
    for (options, text) in texts {
        seeds.push([&options[..], text.as_bytes()].concat());
    }
    for (options, file) in parquet::files() {
        seeds.push([&options[..], &file].concat());
    }
    seeds
}
