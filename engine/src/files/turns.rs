//! Turns at the syncs of a file: who makes the next one, and who waits for it.
//!
//! A sync serves all who wait when it begins. Each of them waits at a place of its own and is woken
//! once, when it is served; of those who came meanwhile one is called to make the next sync.
//!
//! Writers that shared a sync mostly come again at once. If the first of them made a sync alone, the
//! others would wait for two. So the first waits for as many as there were before, for at most half
//! of what a sync takes, and whoever comes last makes the sync. If they do not come, that is not
//! tried again for some syncs, and for more of them the more often it fails. A writer that is alone
//! waits for nobody.

use std::sync::Arc;
use std::time::Duration;

use asofdb_format::ids::Span;

use crate::metrics::{micros, since};
use crate::sync::{Condvar, Mutex};
use crate::types::error::Result;
use crate::world::clock::Clock;

/// Waiting for others costs more than it saves where a sync takes less than this.
const LONG: Duration = Duration::from_micros(50);

/// For how many syncs nobody waits for others who did not come, at least and at most; the sync for
/// which they were late is one of them.
const MIN_REST: u32 = 2;
const MAX_REST: u32 = 64;

/// Who waits for a sync of a file.
#[derive(Debug)]
pub(super) struct Turns {
    waiting: Vec<Arc<Place>>,
    is_syncing: bool,
    /// Somebody waits who keeps others from coming.
    presses: bool,
    /// How many shared the last sync, or came while it was under way.
    together: usize,
    /// What a sync takes; zero while that is not known.
    usual: Duration,
    /// For how many more syncs nobody waits for others.
    rest: u32,
    /// How long the next such rest is.
    next_rest: u32,
    clock: Option<Arc<dyn Clock>>,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// To make a sync.
    Sync,
    /// To wait to be served, and to look again if that takes longer.
    Gather(Duration),
    /// To wait to be served, or called to make a sync.
    Wait,
}

impl Turns {
    /// Without a clock nobody waits for others.
    pub(super) const fn new(clock: Option<Arc<dyn Clock>>) -> Self {
        Self {
            waiting: Vec::new(),
            is_syncing: false,
            presses: false,
            together: 1,
            usual: Duration::ZERO,
            rest: 0,
            next_rest: MIN_REST,
            clock,
        }
    }

    /// Waits from now on; who presses holds a lock, and others may not come before it is served.
    pub(super) fn join(&mut self, presses: bool) -> (Arc<Place>, Turn) {
        let place = Arc::new(Place { said: Mutex::default(), called: Condvar::new() });
        self.waiting.push(Arc::clone(&place));
        self.presses |= presses;
        let turn = match self.next() {
            _ if self.is_syncing => Turn::Wait,
            Turn::Gather(_) if self.waiting.len() > 1 => Turn::Wait,
            turn => turn,
        };
        (place, turn)
    }

    /// What whoever waited does next: not all were there in time, or it was called.
    pub(super) fn again(&mut self, place: &Arc<Place>, is_late: bool) -> Turn {
        // A sync that others began meanwhile serves it.
        if !self.waiting.iter().any(|waiting| Arc::ptr_eq(waiting, place)) {
            return Turn::Wait;
        }
        if is_late {
            self.rest = self.next_rest;
            self.next_rest = (self.next_rest * 2).min(MAX_REST);
        }
        self.next()
    }

    /// What the one does who is to make the next sync.
    fn next(&self) -> Turn {
        let all = self.waiting.len() >= self.together;
        if all || self.presses || self.rest > 0 || self.usual < LONG {
            return Turn::Sync;
        }
        Turn::Gather(self.usual / 2)
    }

    /// A sync begins for all who wait.
    pub(super) fn begin(&mut self) -> Syncing {
        self.is_syncing = true;
        self.presses = false;
        if self.rest > 0 {
            self.rest -= 1;
        } else if self.together > 1 && self.waiting.len() >= self.together {
            self.next_rest = (self.next_rest / 2).max(MIN_REST);
        }
        let begun = self.clock.as_ref().map(|clock| (Arc::clone(clock), clock.running()));
        Syncing { served: std::mem::take(&mut self.waiting), begun }
    }

    /// A sync is over; after one that failed there is no other, and all are told so.
    pub(super) fn end(&mut self, syncing: &mut Syncing, failed: bool) -> Option<Arc<Place>> {
        self.is_syncing = false;
        self.together = syncing.served.len() + self.waiting.len();
        if let Some((clock, begun)) = &syncing.begun {
            let took = Duration::from_micros(micros(since(&**clock, *begun)));
            // One that took very long says little of the next.
            let known = self.usual > Duration::ZERO;
            self.usual = if known { (self.usual * 7 + took.min(self.usual * 4)) / 8 } else { took };
        }
        if failed {
            syncing.served.append(&mut self.waiting);
        }
        self.waiting.first().cloned()
    }
}

/// A sync that is under way.
#[derive(Debug)]
pub(super) struct Syncing {
    /// Who waits for it.
    pub(super) served: Vec<Arc<Place>>,
    begun: Option<(Arc<dyn Clock>, Span)>,
}

/// Where one waits.
#[derive(Debug)]
pub(super) struct Place {
    said: Mutex<Said>,
    called: Condvar,
}

/// What is said to one who waits.
#[derive(Debug, Default)]
pub(super) enum Said {
    /// Nothing for as long as it was to wait.
    #[default]
    Nothing,
    /// The next sync is its own to make, if no other has begun one.
    Sync,
    /// A sync is over.
    Served(Result<()>),
}

impl Place {
    /// Waits until something is said, for so long at most.
    pub(super) fn wait(&self, limit: Option<Duration>) -> Said {
        let mut said = self.said.lock();
        if let (Some(limit), Said::Nothing) = (limit, &*said) {
            self.called.wait_for(&mut said, limit);
        }
        while limit.is_none() && matches!(*said, Said::Nothing) {
            self.called.wait(&mut said);
        }
        std::mem::take(&mut *said)
    }

    /// Calls to make the next sync, unless one that others made has served it.
    pub(super) fn call(&self) {
        let mut said = self.said.lock();
        if matches!(*said, Said::Nothing) {
            *said = Said::Sync;
        }
        drop(said);
        self.called.notify_one();
    }

    /// Tells how the sync ended.
    pub(super) fn serve(&self, result: Result<()>) {
        *self.said.lock() = Said::Served(result);
        self.called.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use asofdb_format::ids::EventTime;

    use super::*;

    /// Every sync takes so many microseconds.
    #[derive(Debug, Default)]
    struct Syncs {
        take: i64,
        now: AtomicI64,
    }

    impl Clock for Syncs {
        fn now(&self) -> EventTime {
            EventTime(0)
        }

        fn running(&self) -> Span {
            Span::from_micros(self.now.fetch_add(self.take, Ordering::Relaxed)).unwrap()
        }
    }

    fn turns(take: i64) -> Turns {
        Turns::new(Some(Arc::new(Syncs { take, now: AtomicI64::new(0) })))
    }

    /// Those who wait share a sync, while which so many others come; who is called then.
    fn sync(turns: &mut Turns, others: usize) -> Option<Arc<Place>> {
        let mut syncing = turns.begin();
        for _ in 0..others {
            assert_eq!(turns.join(false).1, Turn::Wait, "a sync is under way");
        }
        turns.end(&mut syncing, false)
    }

    #[test]
    fn a_writer_that_is_alone_waits_for_others() {
        let mut turns = turns(400);
        for _ in 0..10 {
            assert_eq!(turns.join(false).1, Turn::Sync);
            assert!(sync(&mut turns, 0).is_none());
        }
    }

    #[test]
    fn the_first_who_comes_again_leaves_the_others_to_the_sync_after() {
        let mut turns = turns(400);
        assert_eq!(turns.join(false).1, Turn::Sync);
        let called = sync(&mut turns, 2).unwrap();
        assert_eq!(turns.again(&called, false), Turn::Gather(Duration::from_micros(200)));
        assert_eq!(turns.join(false).1, Turn::Sync, "all three are there");
        assert!(sync(&mut turns, 0).is_none());
        assert_eq!(turns.join(false).1, Turn::Gather(Duration::from_micros(200)));
        assert_eq!(turns.join(false).1, Turn::Wait, "one looks out for all");
        assert_eq!(turns.join(true).1, Turn::Sync, "nobody may come before it is served");
    }

    #[test]
    fn writers_wait_at_every_sync_for_one_who_does_not_come() {
        let mut turns = turns(400);
        let mut waited = 0;
        for _ in 0..1_000 {
            let (place, turn) = turns.join(false);
            if turn == Turn::Gather(Duration::from_micros(200)) {
                waited += 1;
                assert_eq!(turns.again(&place, true), Turn::Sync, "it has waited long enough");
            }
            // The other comes while the sync is under way.
            let called = sync(&mut turns, 1).unwrap();
            if turns.again(&called, false) != Turn::Sync {
                waited += 1;
                assert_eq!(turns.again(&called, true), Turn::Sync, "it has waited long enough");
            }
            assert!(sync(&mut turns, 0).is_none());
            turns.together = 2;
        }
        assert!(waited < 50, "{waited} times");
    }

    #[test]
    fn waiting_for_others_takes_longer_than_a_sync() {
        let mut turns = turns(20);
        assert_eq!(turns.join(false).1, Turn::Sync);
        let called = sync(&mut turns, 1).unwrap();
        assert_eq!(turns.again(&called, false), Turn::Sync);
    }
}
