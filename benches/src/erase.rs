//! Erases one entity of a large store, and proves it: how long that takes, how much is rewritten, and that nothing
//! of it is found in any byte of the directory.

use std::path::Path;
use std::time::Instant;

use asofdb::world::World;
use asofdb::{Fate, Options, Store, inspect};

use crate::Outcome;
use crate::data::{Shape, define, write_version};

/// Builds a store of a shape, half of it merged and the rest in flushed tables and a log.
fn build(dir: &Path, shape: Shape) -> Outcome<Store> {
    let store = Store::open(dir, Options::new())?;
    let ids = define(&store, shape)?;
    for version in 0..shape.versions {
        write_version(&store, &ids, shape, version, 1_000)?;
        if version == shape.versions / 2 {
            store.compact()?;
        }
    }
    store.sync()?;
    Ok(store)
}

/// Erases one entity of the middle, certifies it, verifies the certificate, and searches all files.
pub fn run(dir: &Path, shape: Shape) -> Outcome<()> {
    let begun = Instant::now();
    let store = build(dir, shape)?;
    let stats = store.stats();
    println!(
        "{} records of {} entities in {} tables of {} bytes and logs of {} bytes, built in {:.1} s",
        shape.records(),
        shape.entities,
        stats.tables,
        stats.table_bytes,
        stats.log_bytes,
        begun.elapsed().as_secs_f64()
    );
    let victim = shape.entity(shape.entities / 2);
    if count(dir, &victim)? == 0 {
        return Err("the search does not find what is there".into());
    }
    let begun = Instant::now();
    store.erase_all(&[victim])?;
    let hidden = begun.elapsed();
    let certificate = store.prove_erased(&[victim])?;
    let proved = begun.elapsed();
    let files = |fate| certificate.with_fate(fate).count();
    let rewritten: u64 = certificate.with_fate(Fate::Rewritten).map(|file| file.len).sum();
    println!(
        "hidden after {:.2} ms, certified after {:.3} s: {} tables of {rewritten} bytes rewritten, {} files \
         removed, {} looked through, {}",
        hidden.as_secs_f64() * 1e3,
        proved.as_secs_f64(),
        files(Fate::Rewritten),
        files(Fate::Removed),
        files(Fate::Absent),
        if certificate.is_complete() { "complete" } else { "pending" }
    );
    let begun = Instant::now();
    let verified = inspect::verify_erased(dir, &World::real(), &certificate, &mut |_, _| {})?;
    println!(
        "verified in {:.3} s: {} files, {} bytes, {} rows, {} faults",
        begun.elapsed().as_secs_f64(),
        verified.files,
        verified.bytes,
        verified.entities,
        verified.faults.len()
    );
    let found = count(dir, &victim)?;
    println!("its bytes are found {found} times in the files");
    // The names are known to nobody after an opening: every entity is hashed.
    let other = shape.entity(shape.entities / 3);
    store.erase_all(&[other])?;
    store.close()?;
    let store = Store::open(dir, Options::new())?;
    let begun = Instant::now();
    let certificate = store.prove_erased(&[victim])?;
    let again = begun.elapsed().as_secs_f64();
    let found = found + count(dir, &other)?;
    println!("after an opening another one, of unknown name, goes in {again:.3} s");
    store.close()?;
    let is_sound = found == 0 && verified.faults.is_empty() && certificate.is_complete();
    if is_sound { Ok(()) } else { Err("the entity is not gone".into()) }
}

/// How often some bytes stand in the files of a directory.
fn count(dir: &Path, needle: &[u8]) -> Outcome<usize> {
    let mut found = 0;
    for entry in std::fs::read_dir(dir)? {
        let bytes = match std::fs::read(entry?.path()) {
            // A merge in the background has taken it away: what it became holds no more.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            read => read?,
        };
        found += bytes.windows(needle.len()).filter(|window| *window == needle).count();
    }
    Ok(found)
}
