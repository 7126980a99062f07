//! Random options of a store, over every one that may not change an answer.
//!
//! `max_ahead`, which refuses writes, is left out, and `clock_check`, by which threads of the background wake, for
//! here it has none. Both have tests of their own.
//!
//! Invariant: a seed gives the same options for ever.

use std::fmt;
use std::sync::Arc;

use asofdb::events::EventListener;
use asofdb::{Error, Options, ReadMode, Span};

use crate::engine::Engine;
use crate::generate::Rng;
use crate::replay::Mode;

/// Under what a program is run.
#[derive(Clone, Debug)]
pub struct Setting {
    /// What the store is opened with.
    pub options: Options,
    /// What is done between the program's steps.
    pub mode: Mode,
    /// Background work is drawn from this seed; none: it is done where the program says so.
    pub background: Option<u64>,
    /// Whether every cell is read through every door.
    pub every_door: bool,
    /// Whether copies of the store are read.
    pub copies: bool,
    /// Whether the program's clock jumps.
    pub clock_jumps: bool,
    /// Each step makes one of the calls that do the same, drawn from this seed; none: the plainest.
    pub calls: Option<u64>,
}

impl Setting {
    /// A setting drawn from a seed, for programs whose clock jumps or not.
    pub fn draw(rng: &mut Rng, clock_jumps: bool) -> Setting {
        let sealed = *rng.pick(&[1, 2, 100]).unwrap_or(&1);
        let options = Options::new()
            .memtable_bytes(*rng.pick(&[1, 2_000, 1 << 20]).unwrap_or(&1))
            .table_bytes(*rng.pick(&[1, 500, 1 << 20]).unwrap_or(&1))
            .max_recent_tables(*rng.pick(&[2, 3, 8, usize::MAX]).unwrap_or(&2))
            .present_depth(*rng.pick(&[0, 0, 3]).unwrap_or(&0))
            .merge_bytes_per_second(*rng.pick(&[None, Some(1)]).unwrap_or(&None))
            .max_sealed_memtables(sealed)
            .manifest_bytes(*rng.pick(&[1, 2_000, 1 << 20]).unwrap_or(&1))
            .read_mode(*rng.pick(&[ReadMode::Map, ReadMode::Pread]).unwrap_or(&ReadMode::Map))
            .commit_lease(*rng.pick(&LEASES).unwrap_or(&LONGEST_LEASE));
        let (slow, stop) = *rng.pick(&[(48, 96), (2, 4)]).unwrap_or(&(48, 96));
        let options = options.slow_recent_tables(slow).stop_recent_tables(stop);
        // A clock that jumps may be relied on only once a reading has stood for long.
        let at_once = !clock_jumps && rng.percent(70);
        let options = if at_once { options.clock_lag(Span::ZERO) } else { options };
        let modes = [
            Mode::AsWritten,
            Mode::AsWritten,
            Mode::CompactAfterEveryStep,
            Mode::FlushAfterEveryStep,
            Mode::InMemory,
        ];
        let (every_door, copies) = (rng.percent(30), rng.percent(10));
        let mode = *rng.pick(&modes).unwrap_or(&Mode::AsWritten);
        let background = rng.percent(70).then(|| rng.number());
        // Drawn already: seeds of old are to give what they gave.
        let at_once = background.is_some_and(|seed| seed % 2 == 0);
        let deadline = if at_once { Span::ZERO } else { Span::from_days(1) };
        let options = options.erase_deadline(deadline);
        let options = options.block_cache_bytes(match background.map(|seed| seed / 2 % 3) {
            Some(1) => 0,
            Some(2) => 32_000,
            _ => 8 << 20,
        });
        let calls = background.filter(|seed| seed / 6 % 2 == 0);
        let options =
            if calls.is_some() { options.listener(Some(Arc::new(Hears))) } else { options };
        Setting { options, mode, background, every_door, copies, clock_jumps, calls }
    }

    /// A new store under this setting.
    pub fn engine(&self, traced: bool) -> Result<Engine, Error> {
        let options = self.options.clone();
        let engine = if traced { Engine::traced(options)? } else { Engine::new(options)? };
        let engine = if self.every_door { engine.through_every_door() } else { engine };
        let engine = if self.copies { engine.read_from_copies() } else { engine };
        let engine = if self.clock_jumps { engine.telling_recorded() } else { engine };
        let engine = match self.calls {
            Some(seed) => engine.through_every_call(seed),
            None => engine,
        };
        Ok(match self.background {
            Some(seed) => engine.stepped_at_random(seed),
            None => engine,
        })
    }
}

/// Is told of everything, and does nothing.
#[derive(Debug)]
struct Hears;

impl EventListener for Hears {}

/// The longest commit lease that is drawn: after a crash commits start later by no more.
pub const LONGEST_LEASE: Span = Span::from_secs(1);

const LEASES: [Span; 3] = [LONGEST_LEASE, LONGEST_LEASE, Span::ZERO];

impl fmt::Display for Setting {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = &self.options;
        write!(
            out,
            "memtable_bytes {}, max_sealed_memtables {}, table_bytes {}, max_recent_tables {}, \
             present_depth {}, slow_recent_tables {}, stop_recent_tables {}, \
             merge_bytes_per_second {:?}, manifest_bytes {}, {:?}, clock_lag {}us, commit_lease {}us, \
             erase_deadline {}us, block_cache_bytes {}, {:?}",
            options.memtable_bytes,
            options.max_sealed_memtables,
            options.table_bytes,
            options.max_recent_tables,
            options.present_depth,
            options.slow_recent_tables,
            options.stop_recent_tables,
            options.merge_bytes_per_second,
            options.manifest_bytes,
            options.read_mode,
            options.clock_lag.micros(),
            options.commit_lease.micros(),
            options.erase_deadline.micros(),
            options.block_cache_bytes,
            self.mode,
        )?;
        if let Some(seed) = self.background {
            write!(out, ", background work drawn from {seed}")?;
        }
        if self.calls.is_some() {
            out.write_str(", by every call")?;
        }
        if self.copies {
            out.write_str(", copies are read")?;
        }
        if self.every_door { out.write_str(", every cell through every door") } else { Ok(()) }
    }
}
