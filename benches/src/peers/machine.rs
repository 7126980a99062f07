//! What the machine can do: without it the other figures say little.

use std::io::{Seek, Write};
use std::path::Path;
use std::time::Instant;

use crate::Outcome;
use crate::data::mix;
use crate::peers::memory::kilobytes;
use crate::peers::timing::{Times, nanos};

/// Measures memory and disk: a line each.
pub fn run(dir: &Path) -> Outcome<Vec<String>> {
    let (latency, huge) = chase();
    let (least, middle) = two_threads();
    let (growing, ready) = (sync_times(dir, false)?, sync_times(dir, true)?);
    Ok(vec![
        format!(
            "a load from 256 MiB of memory that waits for the one before: {}; {} MiB of them in huge pages",
            nanos(latency),
            huge >> 20
        ),
        format!("reading memory in order: {:.1} GB/s on one core", bandwidth()),
        format!("arithmetic by two threads: {middle:.1} × one thread's, at times {least:.1} ×"),
        format!("writing a file of 1 GiB and syncing it: {:.0} MB/s", write_file(dir)?),
        format!(
            "fdatasync after 4 KiB, p50: {} at the end of a growing file, {} within a written one",
            nanos(growing),
            nanos(ready)
        ),
    ])
}

/// Nanoseconds of a dependent load in 256 MiB, and how many bytes of them the system gave in huge
/// pages.
fn chase() -> (f64, u64) {
    let count = 64 << 20;
    // One cycle through all places: Sattolo's shuffle.
    let mut next: Vec<u32> = (0..count).collect();
    for place in (1..next.len()).rev() {
        let other = usize::try_from(mix(place as u64)).unwrap_or_default() % place;
        next.swap(place, other);
    }
    let (mut at, loads) = (0u32, 4_000_000);
    let begun = Instant::now();
    for _ in 0..loads {
        at = next[at as usize];
    }
    let took = begun.elapsed();
    std::hint::black_box(at);
    let huge = kilobytes("/proc/self/smaps_rollup", "AnonHugePages");
    drop(next);
    (took.as_nanos() as f64 / f64::from(loads), huge)
}

/// Gigabytes a second.
fn bandwidth() -> f64 {
    let words: Vec<u64> = (0..64 << 20).collect();
    let begun = Instant::now();
    let sum = words.iter().fold(0u64, |sum, word| sum.wrapping_add(*word));
    let took = begun.elapsed().as_secs_f64();
    std::hint::black_box(sum);
    (words.len() * 8) as f64 / took / 1e9
}

/// How much more arithmetic two threads do than one, at the least and mostly: two processors of a virtual
/// machine may be halves of one core, or be given less at times.
fn two_threads() -> (f64, f64) {
    let mut ratios: Vec<f64> = (0..60)
        .map(|_| {
            let begun = Instant::now();
            arithmetic();
            let alone = begun.elapsed();
            let begun = Instant::now();
            std::thread::scope(|scope| {
                scope.spawn(arithmetic);
                arithmetic();
            });
            2.0 * alone.as_secs_f64() / begun.elapsed().as_secs_f64()
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    (ratios[0], ratios[ratios.len() / 2])
}

/// Some milliseconds of a core that never waits: many sums, none of which needs another.
fn arithmetic() {
    let mut sums = [1u64; 32];
    for n in 0..1_000_000u64 {
        for sum in &mut sums {
            *sum = (*sum ^ n).wrapping_add(*sum >> 3);
        }
    }
    std::hint::black_box(sums);
}

/// Megabytes a second.
fn write_file(dir: &Path) -> Outcome<f64> {
    let path = dir.join("written");
    let part = vec![0xa5u8; 1 << 20];
    let begun = Instant::now();
    let mut file = std::fs::File::create(&path)?;
    for _ in 0..1024 {
        file.write_all(&part)?;
    }
    file.sync_data()?;
    let rate = (1u64 << 30) as f64 / begun.elapsed().as_secs_f64() / 1e6;
    std::fs::remove_file(&path)?;
    Ok(rate)
}

/// Nanoseconds of the middle one of many small synced writes.
fn sync_times(dir: &Path, is_written: bool) -> Outcome<f64> {
    let path = dir.join("synced");
    let mut file = std::fs::File::create(&path)?;
    if is_written {
        file.write_all(&vec![0; 16 << 20])?;
        file.sync_all()?;
        file.rewind()?;
    }
    let mut times = Times::default();
    for _ in 0..1_000 {
        file.write_all(&[7; 4096])?;
        let begun = Instant::now();
        file.sync_data()?;
        times.push(begun);
    }
    std::fs::remove_file(&path)?;
    Ok(times.at(0.5))
}
