//! Stand-ins for locks, atomics and cells, of which loom sees every step.
//!
//! Each promises no more than what it stands for: a lock orders those who hold it, a cell orders
//! who fills it before who finds it full, a swap orders who stores before who loads. Loads of a
//! swapped pointer find the newest one and order nothing for later stores.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, PoisonError};

pub(crate) use loom::sync::Arc as Shared;
pub(crate) use loom::sync::atomic::{Ordering, fence};

/// Stands for an atomic. loom remembers only the last look at a value, so that a thread which looks
/// before it stores would hide the looks of others from it: here every look is a turn as well, which
/// orders nothing and of which loom tries all orders.
macro_rules! atomics {
    ($($name:ident: $type:ty,)*) => {
        $(#[derive(Debug)]
        pub(crate) struct $name {
            value: loom::sync::atomic::$name,
            turns: loom::sync::atomic::AtomicUsize,
        }

        #[allow(dead_code, reason = "each is used by some of them")]
        impl $name {
            pub(crate) fn new(value: $type) -> Self {
                let turns = loom::sync::atomic::AtomicUsize::new(0);
                Self { value: loom::sync::atomic::$name::new(value), turns }
            }

            fn turn(&self) -> &loom::sync::atomic::$name {
                self.turns.fetch_add(1, Ordering::Relaxed);
                &self.value
            }

            pub(crate) fn load(&self, order: Ordering) -> $type {
                self.turn().load(order)
            }

            pub(crate) fn store(&self, value: $type, order: Ordering) {
                self.turn().store(value, order);
            }
        })*
    };
}

macro_rules! numbers {
    ($($name:ident: $type:ty,)*) => {
        atomics! { $($name: $type,)* }

        $(#[allow(dead_code, reason = "each is used by some of them")]
        impl $name {
            pub(crate) fn fetch_add(&self, value: $type, order: Ordering) -> $type {
                self.turn().fetch_add(value, order)
            }

            pub(crate) fn fetch_min(&self, value: $type, order: Ordering) -> $type {
                self.turn().fetch_min(value, order)
            }

            pub(crate) fn compare_exchange(
                &self,
                current: $type,
                new: $type,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$type, $type> {
                self.turn().compare_exchange(current, new, success, failure)
            }

            pub(crate) fn fetch_max(&self, value: $type, order: Ordering) -> $type {
                self.turn().fetch_max(value, order)
            }
        })*
    };
}

atomics! { AtomicBool: bool, }
numbers! { AtomicI64: i64, AtomicU64: u64, AtomicUsize: usize, }

/// Stands for a word of an arena: an atomic whose links are turns. What is put in plain words takes
/// none: nobody may look at it before the link to it, or whoever does looks at a link behind it.
#[derive(Debug)]
pub(crate) struct Word {
    value: loom::sync::atomic::AtomicU64,
    turns: loom::sync::atomic::AtomicUsize,
}

impl Word {
    pub(crate) fn new(value: u64) -> Self {
        let turns = loom::sync::atomic::AtomicUsize::new(0);
        Self { value: loom::sync::atomic::AtomicU64::new(value), turns }
    }

    fn turn(&self, order: Ordering) -> &loom::sync::atomic::AtomicU64 {
        if order != Ordering::Relaxed {
            self.turns.fetch_add(1, Ordering::Relaxed);
        }
        &self.value
    }

    pub(crate) fn load(&self, order: Ordering) -> u64 {
        self.turn(order).load(order)
    }

    pub(crate) fn store(&self, value: u64, order: Ordering) {
        self.turn(order).store(value, order);
    }
}

/// Stands for a lock of parking_lot.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

/// Stands for the guard of such a lock; it is empty while its holder waits.
#[derive(Debug)]
pub(crate) struct MutexGuard<'a, T>(&'a Mutex<T>, Option<loom::sync::MutexGuard<'a, T>>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(loom::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        MutexGuard(self, Some(self.0.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.1.as_ref().unwrap()
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.1.as_mut().unwrap()
    }
}

/// Stands for a condition variable of parking_lot.
#[derive(Debug)]
pub(crate) struct Condvar(loom::sync::Condvar);

impl Condvar {
    pub(crate) fn new() -> Self {
        Self(loom::sync::Condvar::new())
    }

    pub(crate) fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        let held = guard.1.take().unwrap();
        guard.1 = Some(self.0.wait(held).unwrap_or_else(PoisonError::into_inner));
    }

    /// The time is up at any moment: after all that others may do before, or nothing of it.
    pub(crate) fn wait_for<T>(&self, guard: &mut MutexGuard<'_, T>, _: std::time::Duration) {
        drop(guard.1.take());
        *guard = guard.0.lock();
    }

    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }
}

/// Stands for a cell that is filled once. What is in it is found by who sees the flag; whoever is
/// not bound to see it may find the cell empty, so that no turns are needed to try both.
#[derive(Debug)]
pub(crate) struct OnceLock<T> {
    value: std::sync::OnceLock<T>,
    is_full: loom::sync::atomic::AtomicBool,
}

impl<T> OnceLock<T> {
    pub(crate) fn new() -> Self {
        Self {
            value: std::sync::OnceLock::new(),
            is_full: loom::sync::atomic::AtomicBool::new(false),
        }
    }

    pub(crate) fn get(&self) -> Option<&T> {
        self.is_full.load(Ordering::Acquire).then(|| self.value.get()).flatten()
    }

    pub(crate) fn set(&self, value: T) -> Result<(), T> {
        self.value.set(value)?;
        self.is_full.store(true, Ordering::Release);
        Ok(())
    }

    /// The cells that are filled so have one writer: two of them never meet here.
    pub(crate) fn get_or_init(&self, init: impl FnOnce() -> T) -> &T {
        if let Some(value) = self.get() {
            return value;
        }
        let value = self.value.get_or_init(init);
        self.is_full.store(true, Ordering::Release);
        value
    }
}

/// Stands for a pointer that is swapped. Who loads holds the slot until it has counted itself, so
/// that what a store replaces is let go of by the last of them.
#[derive(Debug)]
pub(crate) struct ArcSwap<T> {
    stores: loom::sync::atomic::AtomicUsize,
    slot: std::sync::Mutex<Arc<Shared<T>>>,
}

impl<T> ArcSwap<T> {
    pub(crate) fn from_pointee(value: T) -> Self {
        let slot = std::sync::Mutex::new(Arc::new(Shared::new(value)));
        Self { stores: loom::sync::atomic::AtomicUsize::new(0), slot }
    }

    pub(crate) fn load_full(&self) -> Shared<T> {
        self.stores.fetch_add(0, Ordering::Acquire);
        let slot = Arc::clone(&self.slot.lock().unwrap());
        Shared::clone(&slot)
    }

    pub(crate) fn load(&self) -> Shared<T> {
        self.load_full()
    }

    pub(crate) fn store(&self, value: Shared<T>) {
        self.stores.fetch_add(1, Ordering::AcqRel);
        let old = std::mem::replace(&mut *self.slot.lock().unwrap(), Arc::new(value));
        drop(old);
    }
}
