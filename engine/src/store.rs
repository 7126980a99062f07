//! The door: every call of the library, each handed to the floor that does it.

use std::borrow::Borrow;
use std::path::Path;
use std::sync::Arc;

use asofdb_format::certificate::ErasureCertificate;
use asofdb_format::ids::{Commit, EventTime};
use bytes::Bytes;
use parking_lot::Mutex;

use crate::freshness::{self, FreshnessReport, FutureRow};
use crate::metrics::{Lookup, Metrics};
use crate::open;
use crate::read::history::Wanted;
use crate::read::how::{JoinOptions, Moment, Read, Stand};
use crate::read::join::Joiner;
use crate::read::plan::{Pinned, Plan};
use crate::read::reader::RowReader;
use crate::read::row::{read_as, read_row};
use crate::read::scan::Scan;
use crate::read::selection::Selection;
use crate::read::sequence::SequenceReader;
use crate::read::source::LastBlock;
use crate::read::versions::read_versions;
use crate::shape::background::{Background, Logs};
use crate::state::live::{Keeper, State};
use crate::state::room::{Room, room_for};
use crate::state::snapshots::Snapshot;
use crate::stats::{Shape, Stats};
use crate::types::answer::{Reading, Row, Stamp, Versions};
use crate::types::error::{Error, Result};
use crate::types::options::Options;
use crate::types::spec::{Alter, Feature, FeatureSpec, ValueType};
use crate::world::disk::FileLock;
use crate::write::batch::{Batch, Durability};
use crate::write::commit::Committer;
use crate::write::definitions;
use crate::write::taking_back::{self, Revert, Reverted};

/// A store of feature versions, open. Clones are the same store; any thread may use them.
///
/// ```
/// use asofdb::{Batch, Durability, EventTime, FeatureSpec, Options, Store, ValueType};
/// # fn main() -> asofdb::Result<()> {
/// # let dir = tempfile::tempdir().unwrap();
/// # let dir = dir.path().join("store");
/// let store = Store::open(&dir, Options::new())?;
/// store.define(FeatureSpec::new("customer:spend_30d", ValueType::F64))?;
/// let mut batch = Batch::new();
/// batch.put("customer-7", "customer:spend_30d", EventTime(1_700_000_000_000_000), 42.5);
/// store.write(batch, Durability::Synced)?;
/// assert_eq!(store.latest("customer-7", "customer:spend_30d")?.as_f64(), Some(42.5));
/// store.close()
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    keeper: Arc<Keeper>,
    committer: Arc<Committer>,
    background: Mutex<Option<Arc<Background>>>,
    lock: Mutex<Option<Box<dyn FileLock>>>,
}

impl Store {
    /// Opens the store in a directory, or makes one.
    ///
    /// # Errors
    /// [`Error::NotAStore`], [`Error::NewerFormat`], [`Error::Locked`] say what the directory is
    /// instead; [`Error::Corruption`] names the damaged file.
    pub fn open(dir: impl AsRef<Path>, options: Options) -> Result<Self> {
        let opened = open::open(dir.as_ref(), options)?;
        let committer = Arc::new(opened.committer);
        let logs = Arc::clone(&committer) as Arc<dyn Logs>;
        let background = Background::new(Arc::clone(&opened.keeper), logs);
        if !opened.keeper.options.read_only {
            background.start();
            background.notify();
        }
        Ok(Self(Arc::new(Inner {
            keeper: opened.keeper,
            committer,
            background: Mutex::new(Some(background)),
            lock: Mutex::new(opened.lock),
        })))
    }

    /// Closes the store for all its clones: what was written is durable, background work has
    /// ended, and another process may open it. Later calls that can fail are refused with
    /// [`Error::Closed`]; those that cannot go on telling of what the store was when it was closed.
    ///
    /// # Errors
    /// [`Error::Io`] if what was written could not be made durable.
    pub fn close(&self) -> Result<()> {
        self.0.close()
    }

    /// Where the store is.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.0.keeper.dir
    }

    /// What the store's clock says.
    #[must_use]
    pub fn now(&self) -> EventTime {
        self.0.keeper.now()
    }

    fn keeper(&self) -> Result<&Arc<Keeper>> {
        self.0.keeper.check_open()?;
        Ok(&self.0.keeper)
    }

    fn background(&self) -> Result<Arc<Background>> {
        self.0.background.lock().clone().ok_or(Error::Closed)
    }

    /// Defines a feature. The same definition again changes nothing.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::InvalidArgument) if the name or the terms cannot be, or the
    /// feature is defined otherwise.
    pub fn define(&self, spec: FeatureSpec) -> Result<Feature> {
        definitions::define(self.keeper()?, &self.0.committer, spec)
    }

    /// Changes a feature's TTL, history, `forget_after`, description or tags. It takes effect at once,
    /// for all that is stored; what was given up before stays given up.
    ///
    /// # Errors
    /// [`Error::UnknownFeature`], or an argument that cannot be.
    pub fn alter(&self, name: &str, change: Alter) -> Result<Feature> {
        let keeper = self.keeper()?;
        let altered = definitions::alter(keeper, &self.0.committer, name, change);
        keeper.monitor.tell_risen();
        altered
    }

    /// Gives a feature another type under its next schema number. The old schema stays readable
    /// as `name@1`, so that values of two types never mix.
    ///
    /// # Errors
    /// [`Error::UnknownFeature`], or a type that cannot be.
    pub fn evolve(&self, name: &str, value_type: ValueType) -> Result<Feature> {
        self.evolve_with(name, value_type, Alter::new())
    }

    /// As [`Store::evolve`], with other terms than the old schema has.
    ///
    /// # Errors
    /// As [`Store::evolve`].
    pub fn evolve_with(&self, name: &str, value_type: ValueType, change: Alter) -> Result<Feature> {
        definitions::evolve(self.keeper()?, &self.0.committer, name, value_type, change)
    }

    /// Retires a feature under all its schema numbers: its names mean nothing any more, except to
    /// snapshots and stamps from before.
    ///
    /// # Errors
    /// [`Error::UnknownFeature`].
    pub fn retire(&self, name: &str) -> Result<()> {
        definitions::retire(self.keeper()?, &self.0.committer, name)
    }

    /// The feature that a name means: `view:feature` its newest schema, `view:feature@1` its
    /// first.
    ///
    /// # Errors
    /// [`Error::UnknownFeature`], with names that look like it.
    pub fn feature(&self, name: &str) -> Result<Feature> {
        let state = self.keeper()?.state();
        let feature = state.catalog.resolve(name, state.visible())?;
        Ok(state.catalog.describe(feature))
    }

    /// All features that are not retired, every schema, by name and schema number.
    #[must_use]
    pub fn features(&self) -> Vec<Feature> {
        let state = self.0.keeper.state();
        state.catalog.alive().map(|feature| state.catalog.describe(feature)).collect()
    }

    /// Looks features up once, to read them many times.
    ///
    /// # Errors
    /// [`Error::UnknownFeature`] for the first name that means nothing.
    pub fn select<N: AsRef<str>>(&self, names: &[N]) -> Result<Selection> {
        self.select_as(names, &Read::latest())
    }

    /// The same, by what the names meant where a read stands: at its snapshot or stamp.
    ///
    /// # Errors
    /// As [`Store::select`], and as [`Store::read`] for the snapshot or stamp.
    pub fn select_as<N: AsRef<str>>(&self, names: &[N], read: &Read) -> Result<Selection> {
        let keeper = self.keeper()?;
        let pinned = Pinned::new(keeper, &read.stand)?;
        let catalog = &pinned.state.catalog;
        let resolve = |name: &N| catalog.resolve(name.as_ref(), pinned.seen_from);
        let features = names.iter().map(|name| Ok(catalog.describe(resolve(name)?)));
        Ok(Selection::new(keeper.store, features.collect::<Result<_>>()?))
    }

    /// The newest schema of every feature, by name.
    #[must_use]
    pub fn select_all(&self) -> Selection {
        let newest = self.features().into_iter().filter(|feature| feature.newest);
        Selection::new(self.0.keeper.store, newest.collect())
    }

    /// Writes a batch: all of it or nothing. Who wants to keep it passes a reference.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::InvalidArgument) or [`Error::UnknownFeature`] if the batch is invalid:
    /// nothing is written. [`Error::Io`] if the disk refuses: the batch may or may not be in the store, and
    /// writes are refused until it is opened again.
    pub fn write(&self, batch: impl Borrow<Batch>, durability: Durability) -> Result<Commit> {
        self.make_room(batch.borrow(), true)?;
        self.0.committer.write(batch.borrow(), durability)
    }

    /// As [`Store::write`], but where that would be slowed or wait, nothing is written.
    ///
    /// # Errors
    /// [`Error::Busy`] if there is no room now: the same batch may be written later. Else as
    /// [`Store::write`].
    pub fn try_write(&self, batch: impl Borrow<Batch>, durability: Durability) -> Result<Commit> {
        self.make_room(batch.borrow(), false)?;
        self.0.committer.write(batch.borrow(), durability)
    }

    /// Waits for room, if it may, and begins another memtable if the present one is full: before a
    /// batch is written, so that a failure here has written nothing.
    fn make_room(&self, batch: &Batch, may_wait: bool) -> Result<()> {
        let keeper = self.keeper()?;
        let options = &keeper.options;
        match room_for(&keeper.state(), options, batch.encoded_bytes()) {
            Room::Free => {}
            room if !may_wait => return Err(Error::Busy { why: room.to_string() }),
            Room::Little(length) => {
                keeper.check_writable()?;
                options.world.scheduler.pause(length);
                keeper.monitor.slowed(length);
            }
            Room::Memtables(_) | Room::Tables(_) => {
                keeper.check_writable()?;
                self.background()?.wait_for_room()?;
            }
        }
        let full = |state: &State| {
            state.memtables.first().is_some_and(|first| first.bytes() >= options.memtable_bytes)
        };
        if full(&keeper.state()) {
            keeper.check_writable()?;
            self.0.committer.rotate(options.memtable_bytes)?;
            self.background()?.notify();
        }
        Ok(())
    }

    /// Makes everything written so far durable.
    ///
    /// # Errors
    /// [`Error::Io`] if the disk refuses.
    pub fn sync(&self) -> Result<()> {
        self.keeper()?;
        self.0.committer.sync()
    }

    /// The newest value of a mark of progress; see [`Batch::mark`]. A revert of the batch that set
    /// it takes it away, so that the work it stands for can be done again.
    #[must_use]
    pub fn mark(&self, name: &str) -> Option<Bytes> {
        self.0.keeper.state().mark(name)
    }

    /// The newest value of a feature: [`Store::as_of`] now.
    ///
    /// # Errors
    /// [`Error::UnknownFeature`]; [`Error::Corruption`] or [`Error::Io`] if it cannot be read.
    pub fn latest(&self, entity: impl AsRef<[u8]>, feature: &str) -> Result<Reading> {
        self.read(entity, feature, &Read::latest())
    }

    /// A feature's value as of a moment, itself included.
    ///
    /// # Errors
    /// As [`Store::latest`]; [`Error::BelowHorizon`] if the feature keeps no such history.
    pub fn as_of(&self, entity: impl AsRef<[u8]>, feature: &str, t: EventTime) -> Result<Reading> {
        self.read(entity, feature, &Read::as_of(t))
    }

    /// A feature's value, as the read says.
    ///
    /// # Errors
    /// As [`Store::as_of`].
    pub fn read(&self, entity: impl AsRef<[u8]>, feature: &str, read: &Read) -> Result<Reading> {
        let plan = self.plan_one(feature, read)?;
        let row = read_as(Lookup::Point, &plan, entity.as_ref(), &mut LastBlock::default())?;
        let answer = row.answers.into_iter().next().unwrap_or(crate::Answer::Missing);
        Ok(Reading { answer, stamp: row.stamp })
    }

    /// Resolves a name as the read sees it, and makes the read ready.
    fn plan_one(&self, feature: &str, read: &Read) -> Result<Plan> {
        let keeper = self.keeper()?;
        let pinned = Pinned::new(keeper, &read.stand)?;
        let found = pinned.state.catalog.resolve(feature, pinned.seen_from)?;
        let selection = Selection::new(keeper.store, vec![pinned.state.catalog.describe(found)]);
        Plan::of(keeper, pinned, &selection, read)
    }

    /// Many features of one entity.
    ///
    /// # Errors
    /// As [`Store::as_of`]; a read below any feature's horizon fails as a whole.
    pub fn read_row(
        &self,
        entity: impl AsRef<[u8]>,
        features: &Selection,
        read: &Read,
    ) -> Result<Row> {
        read_row(&Plan::new(self.keeper()?, features, read)?, entity.as_ref())
    }

    /// A reader of these features that is used again and again: it looks them up once, and writes
    /// answers into columns that it uses again.
    ///
    /// ```
    /// use asofdb::{Batch, Durability, EventTime, FeatureSpec, Options, Read, Store, ValueType};
    /// # fn main() -> asofdb::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = Store::open(dir.path().join("store"), Options::new())?;
    /// store.define(FeatureSpec::new("customer:spend_30d", ValueType::F64))?;
    /// let mut batch = Batch::new();
    /// batch.put("customer-7", "customer:spend_30d", EventTime(1_700_000_000_000_000), 42.5);
    /// store.write(batch, Durability::Buffered)?;
    /// let mut reader = store.reader(&store.select(&["customer:spend_30d"])?)?;
    /// let cells = reader.read("customer-7", &Read::latest())?;
    /// assert_eq!(cells.at(0, 0).and_then(|cell| cell.as_f64()), Some(42.5));
    /// # store.close()
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Closed`]; [`InvalidArgument`](crate::InvalidArgument) for features of another store.
    pub fn reader(&self, features: &Selection) -> Result<RowReader> {
        let keeper = self.keeper()?;
        features.check_of(keeper)?;
        Ok(RowReader::new(keeper, features))
    }

    /// Many features of many entities, all at one moment and commit.
    ///
    /// # Errors
    /// As [`Store::read_row`].
    pub fn read_rows<E: AsRef<[u8]>>(
        &self,
        entities: &[E],
        features: &Selection,
        read: &Read,
    ) -> Result<Vec<Row>> {
        let plan = Plan::new(self.keeper()?, features, read)?;
        entities.iter().map(|entity| read_row(&plan, entity.as_ref())).collect()
    }

    /// The versions with event times from `from` to `to`, both included, newest first, each judged
    /// as of `to`. Of the read's options `known_at`, `max_age`, `snapshot` and `stamp` count.
    ///
    /// # Errors
    /// As [`Store::as_of`], for `from`.
    pub fn range(
        &self,
        entity: impl AsRef<[u8]>,
        feature: &str,
        from: EventTime,
        to: EventTime,
        read: &Read,
    ) -> Result<Versions> {
        let asked = Read { moment: Moment::Span(from, to), ..read.clone() };
        let plan = self.plan_one(feature, &asked)?;
        let ask = plan.asks.first().copied().ok_or(Error::Closed)?;
        let wanted = Wanted { from, most: usize::MAX, base: None };
        read_versions(&plan, &ask, entity.as_ref(), wanted)
    }

    /// The newest `n` versions as of the read's moment, newest first, each judged at it. They go
    /// back to the version in force at the horizon, and it is said when they stopped there.
    ///
    /// # Errors
    /// As [`Store::as_of`].
    pub fn last_n(
        &self,
        entity: impl AsRef<[u8]>,
        feature: &str,
        n: usize,
        read: &Read,
    ) -> Result<Versions> {
        let plan = self.plan_one(feature, read)?;
        let ask = plan.asks.first().copied().ok_or(Error::Closed)?;
        let wanted = Wanted { from: EventTime::MIN, most: n, base: ask.horizon };
        read_versions(&plan, &ask, entity.as_ref(), wanted)
    }

    /// A reader of a feature's versions that is used again and again: what [`Store::last_n`] and
    /// [`Store::range`] answer goes to columns that it uses again, and nothing is allocated for a version.
    /// The name is resolved once, now; `name@schema` names another schema. Known times, commits, sources
    /// and stale values are told by [`Store::last_n`].
    ///
    /// ```
    /// use asofdb::{Batch, Durability, EventTime, FeatureSpec, Options, Read, Store, ValueType};
    /// # fn main() -> asofdb::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = Store::open(dir.path().join("store"), Options::new())?;
    /// store.define(FeatureSpec::new("user:event", ValueType::Text))?;
    /// let mut batch = Batch::new();
    /// for (n, event) in (0..).zip(["view 17", "click 17", "purchase 17"]) {
    ///     batch.put("user-7", "user:event", EventTime(1_700_000_000_000_000 + n), event);
    /// }
    /// store.write(batch, Durability::Buffered)?;
    /// let mut reader = store.sequence_reader("user:event")?;
    /// let events = reader.last_n("user-7", 2, &Read::latest())?;
    /// assert_eq!((events.as_text(0), events.as_text(1)), (Some("purchase 17"), Some("click 17")));
    /// # store.close()
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::UnknownFeature`], [`Error::Closed`].
    pub fn sequence_reader(&self, feature: &str) -> Result<SequenceReader> {
        let keeper = self.keeper()?;
        let state = keeper.state();
        let found = state.catalog.resolve(feature, state.visible())?;
        Ok(SequenceReader::new(keeper, state.catalog.describe(found)))
    }

    /// All entities whose bytes begin with `prefix` and that have anything to answer, in the order
    /// of their hashes.
    ///
    /// # Errors
    /// As [`Store::read_row`].
    pub fn scan(&self, features: &Selection, read: &Read, prefix: &[u8]) -> Result<Scan> {
        Scan::new(Plan::new(self.keeper()?, features, read)?, prefix)
    }

    /// Begins a point-in-time join against features.
    ///
    /// # Errors
    /// As [`Store::read_row`], but for horizons, which each row of the spine is held against.
    pub fn joiner(&self, features: &Selection, options: JoinOptions) -> Result<Joiner> {
        Joiner::new(self.keeper()?, features, options)
    }

    /// Holds the newest commit, so that reads can go on being seen from it.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub fn snapshot(&self) -> Result<Snapshot> {
        let keeper = self.keeper()?;
        Ok(keeper.snapshots.hold(|| keeper.state().visible()))
    }

    /// The stamp of a read that begins now.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub fn stamp(&self) -> Result<Stamp> {
        Ok(Pinned::new(self.keeper()?, &Stand::Newest)?.stamp())
    }

    /// Erases an entity: [`Store::erase_all`] of one.
    ///
    /// # Errors
    /// As [`Store::erase_all`].
    pub fn erase(&self, entity: impl AsRef<[u8]>) -> Result<Commit> {
        self.erase_all(&[entity])
    }

    /// Erases entities, all with one commit: every read that begins later, whatever its stamp,
    /// finds nothing of what was written of them before. Their bytes go from the files by
    /// [`Options::erase_deadline`], or at once with [`Store::erase_and_prove`]. What is written of
    /// them afterwards is new data.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub fn erase_all<E: AsRef<[u8]>>(&self, entities: &[E]) -> Result<Commit> {
        let entities: Vec<&[u8]> = entities.iter().map(AsRef::as_ref).collect();
        let commit = taking_back::erase(self.keeper()?, &self.0.committer, &entities)?;
        self.background()?.notify_compaction();
        Ok(commit)
    }

    /// Erases entities and does all the work that makes their bytes go: see
    /// [`Store::prove_erased`].
    ///
    /// ```
    /// # use asofdb::{Batch, Durability, EventTime, FeatureSpec, Options, Store, ValueType};
    /// # fn main() -> asofdb::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = Store::open(dir.path().join("store"), Options::new())?;
    /// # store.define(FeatureSpec::new("customer:name", ValueType::Text))?;
    /// # let mut batch = Batch::new();
    /// # batch.put("customer-7", "customer:name", EventTime(0), "Ada");
    /// # store.write(batch, Durability::Synced)?;
    /// let certificate = store.erase_and_prove(&["customer-7"])?;
    /// assert!(certificate.is_complete());
    /// std::fs::write(dir.path().join("customer-7.erased"), certificate.encode()).unwrap();
    /// # store.close()
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Store::erase_all`], and as [`Store::prove_erased`] when the entities are erased already.
    pub fn erase_and_prove<E: AsRef<[u8]>>(&self, entities: &[E]) -> Result<ErasureCertificate> {
        self.erase_all(entities)?;
        self.prove_erased(entities)
    }

    /// Does what is left of the work of earlier erases, and certifies that no file of the store holds
    /// anything of these entities from before their erase.
    ///
    /// The certificate is pending, and names what pins the bytes, while readers of this process
    /// hold what was replaced: values that borrow from a file, joins, scans. Ask again when they
    /// have let go. [`inspect::verify_erased`](crate::inspect::verify_erased) holds a store
    /// against its certificate.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::InvalidArgument) for an entity that was never erased; as
    /// [`Store::flush`].
    pub fn prove_erased<E: AsRef<[u8]>>(&self, entities: &[E]) -> Result<ErasureCertificate> {
        let entities: Vec<&[u8]> = entities.iter().map(AsRef::as_ref).collect();
        taking_back::prove_erased(self.keeper()?, &*self.background()?, &entities)
    }

    /// Takes batches away for all reads that begin later and do not ask for an earlier commit. To find
    /// what they touched it reads the tables that may hold any of it: of a source those that name it, else
    /// all.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::InvalidArgument) if there is nothing to take away, or it lies
    /// below the horizon of a feature that it touches.
    pub fn revert(&self, what: Revert) -> Result<Reverted> {
        taking_back::revert(self.keeper()?, &self.0.committer, &what, false)
    }

    /// What [`Store::revert`] would do.
    ///
    /// # Errors
    /// As [`Store::revert`].
    pub fn revert_dry_run(&self, what: Revert) -> Result<Reverted> {
        taking_back::revert(self.keeper()?, &self.0.committer, &what, true)
    }

    /// Writes everything that is in memory into tables.
    ///
    /// # Errors
    /// [`Error::Io`] if the disk refuses.
    pub fn flush(&self) -> Result<()> {
        self.keeper()?.check_writable()?;
        self.0.committer.rotate(0)?;
        let background = self.background()?;
        while background.flush_step()? {}
        Ok(())
    }

    /// Flushes, and merges all tables, dropping all that may be dropped.
    ///
    /// # Errors
    /// As [`Store::flush`].
    pub fn compact(&self) -> Result<()> {
        self.flush()?;
        self.background()?.compact_all()
    }

    /// Does one step of the background work that is due; whether there was any. With the real
    /// scheduler that happens by itself.
    ///
    /// # Errors
    /// As [`Store::flush`].
    pub fn step(&self) -> Result<bool> {
        self.keeper()?.check_writable()?;
        let background = self.background()?;
        Ok(background.flush_step()? || background.compact_step()?)
    }

    /// Counts of what the store holds.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats::of(&self.0.keeper, self.0.committer.log_bytes())
    }

    /// How the store lies over its files: its memtables, logs and tables. Of tables it reads
    /// metadata alone; memtables it walks through, so it takes longer the larger they are.
    #[must_use]
    pub fn shape(&self) -> Shape {
        Shape::of(&self.0.keeper)
    }

    /// What the store has counted since it was opened, and what its levels hold now. It takes
    /// some microseconds and holds nobody up.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        crate::stats::metrics(&self.0.keeper)
    }

    /// How fresh the features are, from metadata alone: no row is read. It is an estimate, and
    /// [`FreshnessReport`] says what of. The first call after a flush or a merge puts together
    /// what the tables tell; others cost about as much as there are features.
    ///
    /// ```
    /// # use asofdb::{Batch, Durability, EventTime, FeatureSpec, Options, Store, ValueType};
    /// # fn main() -> asofdb::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = Store::open(dir.path().join("store"), Options::new())?;
    /// store.define(FeatureSpec::new("weather:temp", ValueType::F64))?;
    /// let mut batch = Batch::new();
    /// batch.put("JFK", "weather:temp", EventTime(1_700_000_000_000_000), 39.0);
    /// store.write(batch, Durability::Synced)?;
    /// let report = store.freshness()?;
    /// let newest = report.features.first().and_then(|feature| feature.newest_event_time);
    /// assert_eq!(newest, Some(EventTime(1_700_000_000_000_000)));
    /// # store.close()
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub fn freshness(&self) -> Result<FreshnessReport> {
        let keeper = self.keeper()?;
        Ok(freshness::estimate(keeper, &Pinned::new(keeper, &Stand::Newest)?))
    }

    /// How fresh the features are, exactly: what [`Store::latest`] would answer of every entity,
    /// counted. It reads the whole present, in memory bounded by the features and the memtables.
    ///
    /// # Errors
    /// As [`Store::read_row`].
    pub fn freshness_exact(&self) -> Result<FreshnessReport> {
        freshness::exact(self.keeper()?)
    }

    /// Up to `limit` versions that are dated after now, in the order of the entities' hashes. Only
    /// memtables and tables that hold any are looked at.
    ///
    /// # Errors
    /// As [`Store::read_row`].
    pub fn future_dated(&self, limit: usize) -> Result<Vec<FutureRow>> {
        freshness::future_rows(self.keeper()?, limit)
    }

    /// The labels of all sources so far.
    #[must_use]
    pub fn sources(&self) -> Vec<Arc<str>> {
        self.0.keeper.state().sources.each().map(|(_, label)| Arc::clone(label)).collect()
    }
}

impl Inner {
    fn close(&self) -> Result<()> {
        self.keeper.end();
        if let Some(background) = self.background.lock().take() {
            background.stop();
        }
        let closed = self.committer.close();
        self.keeper.close();
        drop(self.lock.lock().take());
        closed
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Who wants to know whether it worked calls `close`.
        let _ = self.close();
    }
}

#[cfg(test)]
mod tests;
