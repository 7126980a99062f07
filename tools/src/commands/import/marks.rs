//! Marks of progress: how far an import came, committed with the batches themselves.

use std::hash::Hasher as _;
use std::time::Duration;

use asofdb::Store;
use serde_json::json;
use siphasher::sip128::{Hasher128 as _, SipHasher13};

use super::ImportArgs;
use crate::error::Result;
use crate::tabular::source::Source;

/// How much time may pass before a batch is made durable.
pub const SYNC_EVERY: Duration = Duration::from_secs(1);

/// How far an import came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The number of the last row written: its line in a CSV file, its place in a Parquet file.
    pub through: u64,
    /// How many rows were written.
    pub rows: u64,
    /// Whether the file was written to its end.
    pub done: bool,
}

impl Progress {
    /// What a mark says; `None` if there is none.
    pub fn read(store: &Store, name: &str) -> Option<Self> {
        let mark: serde_json::Value = serde_json::from_slice(&store.mark(name)?).ok()?;
        Some(Self {
            through: mark.get("through")?.as_u64()?,
            rows: mark.get("rows")?.as_u64()?,
            done: mark.get("done")?.as_bool()?,
        })
    }

    /// The mark that says it.
    pub fn to_bytes(self) -> Vec<u8> {
        let Self { through, rows, done } = self;
        json!({ "through": through, "rows": rows, "done": done }).to_string().into_bytes()
    }
}

/// The name of the mark of one file imported one way: the same for the same content and the same
/// question, wherever the file lies and whatever it is called.
pub fn name(source: &Source, view: &str, args: &ImportArgs) -> Result<String> {
    let content = source.fingerprint()?;
    let question = json!([
        content.length,
        format!("{:032x}", content.hash),
        view,
        args.entity,
        args.time,
        args.known,
        args.features,
        args.long,
        args.nulls == super::Nulls::Store,
        args.null,
        args.source,
        args.unit.time_unit.as_str(),
        source.format == crate::tabular::Format::Csv,
    ]);
    let mut hasher = SipHasher13::new();
    hasher.write(question.to_string().as_bytes());
    Ok(format!("import:{:032x}", hasher.finish128().as_u128()))
}

/// The longest view that the name of a mark has room for.
const MAX_VIEW_IN_NAME: usize = 200;

/// The name of the mark that tells when a view was last imported without known times.
pub fn plain_import(view: &str) -> String {
    if view.len() <= MAX_VIEW_IN_NAME {
        return format!("plain-import:{view}");
    }
    let mut hasher = SipHasher13::new();
    hasher.write(view.as_bytes());
    format!("plain-import:{:032x}", hasher.finish128().as_u128())
}

/// When a view was last imported without known times, in microseconds.
pub fn last_plain_import(store: &Store, view: &str) -> Option<i64> {
    let mark = store.mark(&plain_import(view))?;
    std::str::from_utf8(&mark).ok()?.parse().ok()
}
