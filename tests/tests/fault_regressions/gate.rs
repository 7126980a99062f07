//! A gate at which a test stops a thread.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::{Arc, Condvar, Mutex};

/// A gate: a thread that comes waits until it is opened; others can wait until one came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gate(Arc<(Mutex<(bool, bool)>, Condvar)>);
impl Gate {
    pub(crate) fn pass(&self) {
        let mut s = self.0.0.lock().unwrap();
        s.0 = true;
        self.0.1.notify_all();
        while !s.1 {
            s = self.0.1.wait(s).unwrap();
        }
    }
    pub(crate) fn came(&self) {
        let mut s = self.0.0.lock().unwrap();
        while !s.0 {
            s = self.0.1.wait(s).unwrap();
        }
    }
    pub(crate) fn open(&self) {
        self.0.0.lock().unwrap().1 = true;
        self.0.1.notify_all();
    }
}
