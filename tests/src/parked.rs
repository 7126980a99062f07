//! Background work that stands still at an operation of the disk while others go on.
//!
//! The work runs on a thread of its own, but one thread at a time moves: whoever lets the work go
//! on waits until it stands still again or has ended. So the interleaving is chosen by the caller
//! alone, and the same choices give the same run.
//!
//! Invariants:
//! - it stands still only at tables and at logs that it removes, where the engine holds no lock
//!   that a read or a write needs;
//! - a work that is dropped goes on to its end first.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use asofdb::world::World;
use asofdb::world::sim::SimWorld;

use crate::hook_disk::hooked;

thread_local! {
    /// The channels of the work that this thread does, if it does any.
    static STOPS: RefCell<Option<Stops>> = const { RefCell::new(None) };
}

struct Stops {
    here: Sender<String>,
    go_on: Receiver<()>,
}

/// Work that was begun and has not ended.
#[derive(Debug)]
pub struct Parked {
    go_on: Option<Sender<()>>,
    here: Receiver<String>,
    thread: Option<JoinHandle<()>>,
}

/// The world of a simulation in which parked work stands still.
pub fn world(sim: &SimWorld) -> World {
    hooked(sim, |operation, path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let is_table = name.contains("TABLE");
        if is_table || (operation == "remove" && name.contains("LOG")) {
            stand_still(operation, name);
        }
    })
}

fn stand_still(operation: &str, name: &str) {
    STOPS.with_borrow(|stops| {
        let Some(stops) = stops else { return };
        // Once nobody listens any more, the work goes on to its end.
        if stops.here.send(format!("{operation} {name}")).is_ok() {
            let _ = stops.go_on.recv();
        }
    });
}

impl Parked {
    /// Begins one step of the background work of this name (see [`world`]); `None` if it ended
    /// without standing still, which is what a step with nothing to do does.
    #[expect(clippy::disallowed_methods, reason = "the thread moves only while this one waits")]
    pub fn begin(sim: &SimWorld, name: &'static str) -> Option<Parked> {
        let (here, stops_at) = channel();
        let (go_on, told) = channel();
        let scheduler = Arc::clone(&sim.scheduler);
        let thread = std::thread::spawn(move || {
            STOPS.set(Some(Stops { here, go_on: told }));
            scheduler.step_named(name);
            STOPS.set(None);
        });
        let mut parked = Parked { go_on: Some(go_on), here: stops_at, thread: Some(thread) };
        parked.wait().is_some().then_some(parked)
    }

    fn wait(&mut self) -> Option<String> {
        self.here.recv().ok()
    }

    /// Lets it go on to its next stop; `None` if it ended.
    pub fn go_on(&mut self) -> Option<String> {
        if let Some(go_on) = &self.go_on {
            let _ = go_on.send(());
        }
        self.wait()
    }

    /// Lets it go on to its end.
    pub fn finish(self) {}
}

impl Drop for Parked {
    fn drop(&mut self) {
        // A closed channel stops nobody; messages already on their way are thrown away.
        drop(self.go_on.take());
        while self.wait().is_some() {}
        if let Some(thread) = self.thread.take() {
            let failed = thread.join().is_err();
            // A panic of the work is a failure of the test, unless that panics already.
            assert!(!failed || std::thread::panicking(), "background work panicked");
        }
    }
}
