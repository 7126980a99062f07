//! A store to interleave in: the engine's own parts, opened on a disk that loom watches, at a
//! clock that stands still unless a model moves it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use asofdb_format::ids::{Commit, EventTime, Span};
use asofdb_format::value::ValueType;

use super::disk::WatchedDisk;
use crate::open;
use crate::read::how::Read;
use crate::read::plan::Plan;
use crate::read::row::read_row;
use crate::read::selection::Selection;
use crate::shape::flush::flush_one;
use crate::state::live::Keeper;
use crate::types::answer::Stamp;
use crate::types::error::Result;
use crate::types::options::{Options, ReadMode};
use crate::types::spec::{FeatureSpec, Terms};
use crate::world::World;
use crate::world::clock::Clock;
use crate::world::scheduler::Manual;
use crate::write::batch::{Batch, Durability};
use crate::write::commit::Committer;
use crate::write::definitions;

/// What the clock says at first.
pub(super) const NOW: EventTime = EventTime(1_000_000);

/// The entities that batches write.
pub(super) const ENTITIES: [&str; 2] = ["ant", "bee"];

/// The feature that batches write.
pub(super) const FEATURE: &str = "v:f";

/// A clock that goes so far with every look at it.
#[derive(Debug)]
pub(super) struct Hands {
    now: AtomicI64,
    stride: AtomicI64,
}

impl Default for Hands {
    fn default() -> Self {
        Self { now: AtomicI64::new(NOW.0), stride: AtomicI64::new(0) }
    }
}

impl Hands {
    pub(super) fn advance(&self, micros: i64) {
        self.now.fetch_add(micros, Ordering::Relaxed);
    }

    pub(super) fn tick(&self, micros: i64) {
        self.stride.store(micros, Ordering::Relaxed);
    }
}

impl Clock for Hands {
    fn now(&self) -> EventTime {
        let stride = self.stride.load(Ordering::Relaxed);
        EventTime(self.now.fetch_add(stride, Ordering::Relaxed))
    }

    fn running(&self) -> Span {
        Span::ZERO
    }
}

/// A store's parts.
#[derive(Debug)]
pub(super) struct Lab {
    pub(super) disk: Arc<WatchedDisk>,
    pub(super) clock: Arc<Hands>,
    pub(super) keeper: Arc<Keeper>,
    pub(super) committer: Committer,
    pub(super) selection: Selection,
}

/// What a read found: when, and the number of each entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) stamp: Stamp,
    pub(super) numbers: [Option<i64>; 2],
}

impl Lab {
    /// A new store with one feature of these terms.
    pub(super) fn new(terms: Terms) -> Arc<Self> {
        let (disk, clock) = (Arc::new(WatchedDisk::new()), Arc::new(Hands::default()));
        let world = World {
            disk: Arc::<WatchedDisk>::clone(&disk),
            clock: Arc::<Hands>::clone(&clock),
            scheduler: Arc::new(Manual::new()),
        };
        let options = Options::new()
            .memtable_bytes(0)
            .clock_lag(Span::ZERO)
            .identity(Some([7; 32]))
            .read_mode(ReadMode::Map)
            .world(world);
        let opened = open::open(Path::new("/store"), options).unwrap();
        let (keeper, committer) = (opened.keeper, opened.committer);
        let mut spec = FeatureSpec::new(FEATURE, ValueType::I64);
        spec.terms = terms;
        let feature = definitions::define(&keeper, &committer, spec).unwrap();
        let selection = Selection::new(keeper.store, vec![feature]);
        Arc::new(Self { disk, clock, keeper, committer, selection })
    }

    /// Moves what was written into a table.
    pub(super) fn flush(&self) {
        self.committer.rotate(0).unwrap();
        assert!(flush_one(&self.keeper).unwrap());
    }

    /// Writes one number for every entity.
    pub(super) fn write(&self, number: i64, at: EventTime) -> Commit {
        self.write_as(number, at, Durability::Buffered, None).unwrap()
    }

    pub(super) fn write_as(
        &self,
        number: i64,
        at: EventTime,
        durability: Durability,
        source: Option<&str>,
    ) -> Result<Commit> {
        let mut batch = Batch::new();
        for entity in ENTITIES {
            batch.put(entity, FEATURE, at, number);
        }
        if let Some(source) = source {
            batch.source(source);
        }
        self.committer.write(&batch, durability)
    }

    /// Reads every entity.
    pub(super) fn read(&self, read: &Read) -> Result<Seen> {
        let plan = Plan::new(&self.keeper, &self.selection, read)?;
        self.read_at(&plan)
    }

    pub(super) fn read_at(&self, plan: &Plan) -> Result<Seen> {
        let mut numbers = [None; 2];
        for (entity, number) in ENTITIES.iter().zip(&mut numbers) {
            *number = read_row(plan, entity.as_bytes())?.answers[0].as_i64();
        }
        Ok(Seen { stamp: plan.stamp, numbers })
    }
}
