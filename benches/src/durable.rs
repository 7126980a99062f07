//! Small batches that are synced before they are acknowledged: by one writer, whose batch costs about
//! one sync, and by several, who share syncs.

use std::io::Write;
use std::path::Path;
use std::time::Instant;

use asofdb::{Batch, Durability, EventTime, Options, Read, Store};

use crate::Outcome;
use crate::data::{Shape, define};

/// How large a run is.
#[derive(clap::Args, Clone, Copy, Debug)]
pub struct Size {
    /// Records a batch, all of one entity.
    #[arg(long, default_value_t = 20)]
    records: u64,
    /// Batches of each writer.
    #[arg(long, default_value_t = 5_000)]
    batches: u64,
    /// How many writers there are in the end.
    #[arg(long, default_value_t = 8)]
    writers: u64,
}

/// Runs it and prints its figures.
pub fn run(dir: &Path, size: Size) -> Outcome<()> {
    std::fs::create_dir_all(dir)?;
    for is_written_before in [false, true] {
        println!(
            "{:.0} syncs/s of 700 bytes at the end of a file, {}",
            syncs(dir, size.batches, is_written_before)?,
            if is_written_before { "which had been written before" } else { "which grows" }
        );
    }
    let mut alone = 0.0;
    for writers in [1, size.writers] {
        let shape = Shape {
            entities: size.batches * writers,
            features: size.records,
            versions: 1,
            start: 1_700_000_000_000_000,
        };
        let dir = dir.join(format!("store-{writers}"));
        let store = Store::open(&dir, Options::new())?;
        let ids = define(&store, shape)?;
        let begun = Instant::now();
        std::thread::scope(|scope| {
            let write = |writer: u64| -> asofdb::Result<()> {
                for n in 0..size.batches {
                    let entity = writer * size.batches + n;
                    let mut batch = Batch::new();
                    for (feature, id) in (0..).zip(&ids) {
                        let at = EventTime(shape.event_time(entity, feature, 0));
                        let value = shape.value(entity, feature, 0);
                        batch.put_id(shape.entity(entity), *id, at, value);
                    }
                    store.write(batch, Durability::Synced)?;
                }
                Ok(())
            };
            let all: Vec<_> = (0..writers).map(|n| scope.spawn(move || write(n))).collect();
            for writer in all {
                writer.join().map_err(|_| "a writer panicked")??;
            }
            Outcome::Ok(())
        })?;
        #[expect(clippy::cast_precision_loss, reason = "a rate")]
        let rate = (size.batches * writers) as f64 / begun.elapsed().as_secs_f64();
        if writers == 1 {
            alone = rate;
        }
        println!(
            "{writers} writers: {rate:.0} batches/s of {} records, {:.1} times one",
            size.records,
            rate / alone
        );
        store.close()?;
        drop(store);
        verify(&dir, shape)?;
    }
    Ok(())
}

/// Opens a store and reads all of its one version.
fn verify(dir: &Path, shape: Shape) -> Outcome<()> {
    let store = Store::open(dir, Options::new())?;
    let names: Vec<String> = (0..shape.features).map(|n| format!("a:f{n}")).collect();
    let selection = store.select(&names)?;
    let mut reader = store.reader(&selection)?;
    for entity in 0..shape.entities {
        let cells = reader.read(shape.entity(entity), &Read::latest())?;
        for feature in 0..shape.features {
            let cell = cells.at(0, usize::try_from(feature)?).ok_or("a row without a cell")?;
            let found = (cell.as_f64(), cell.event_time());
            let told = shape.told(entity, feature, Some(0));
            if found != told {
                return Err(format!("{entity}, a:f{feature}: {found:?}, not {told:?}").into());
            }
        }
    }
    println!("{} records read after opening again, all right", shape.records());
    Ok(())
}

/// How many times a second a file takes a few hundred bytes more and is synced.
fn syncs(dir: &Path, count: u64, is_written_before: bool) -> Outcome<f64> {
    let bytes = [7u8; 700];
    let path = dir.join("file");
    if is_written_before {
        let mut file = std::fs::File::create(&path)?;
        file.write_all(&vec![1; bytes.len() * usize::try_from(count)?])?;
        file.sync_all()?;
    }
    let mut open = std::fs::OpenOptions::new();
    let mut file = open.write(true).create(true).truncate(!is_written_before).open(&path)?;
    let begun = Instant::now();
    for _ in 0..count {
        file.write_all(&bytes)?;
        file.sync_data()?;
    }
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    Ok(count as f64 / begun.elapsed().as_secs_f64())
}
