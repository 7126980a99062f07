//! The locks, atomics and cells of the parts whose interleavings are tried out: the log, the
//! memtable, the live state, snapshots, commits and tables.
//!
//! Ordinary builds take the types of parking_lot, arc_swap, crossbeam and the standard library as
//! they are. Tests built with `--cfg loom` take stand-ins with the same calls, of which loom sees
//! every step: what `interleavings` drives is the engine, not a copy of it.

#[cfg(all(loom, test))]
mod watched;

#[cfg(not(all(loom, test)))]
mod plain {
    pub(crate) use std::sync::atomic::AtomicU64 as Word;
    pub(crate) use std::sync::atomic::{
        AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering, fence,
    };
    pub(crate) use std::sync::{Arc as Shared, OnceLock};

    pub(crate) use arc_swap::ArcSwap;
    pub(crate) use parking_lot::{Condvar, Mutex, MutexGuard};
}

#[cfg(not(all(loom, test)))]
pub(crate) use plain::*;
#[cfg(all(loom, test))]
pub(crate) use watched::*;
