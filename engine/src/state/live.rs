//! The state that reads pin, and the one way to change it.
//!
//! A [`State`] is immutable but for its first memtable, which grows, and how much of it is
//! [`Visible`]. The [`Keeper`] swaps it: under its lock edits are made durable in the manifest,
//! applied to the durable picture, and a new state takes the place of the old one. A reader pins a
//! state with one load and reads all of it at the newest commit that is visible in it.
//!
//! Locks, in the order in which they may be taken: compaction, flush, commit (see
//! [`write`](crate::write)), keeper, then the small ones (snapshots, commit spans, a memtable's aside).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use asofdb_format::edit::Edit;
use asofdb_format::header::FileKind;
use asofdb_format::ids::{Commit, EventTime, FileNumber, StoreId};
use bytes::Bytes;

use crate::files::blocks::Blocks;
use crate::files::log::{FrameFile, FrameWriter};
use crate::files::names;
use crate::files::table::Table;
use crate::metrics::Monitor;
use crate::state::arrangement::Arrangement;
use crate::state::beginning::{self, Begun, Home};
use crate::state::catalog::Catalog;
use crate::state::commits::CommitSpans;
use crate::state::durable::Durable;
use crate::state::erasing::Erasing;
use crate::state::labels::Labels;
use crate::state::lagging::LaggingClock;
use crate::state::manifest;
use crate::state::memtable::{Mark, Memtable};
use crate::state::snapshots::Registry;
use crate::state::taken::Taken;
use crate::state::tally::TablesTally;
use crate::state::visible::Visible;
use crate::sync::{ArcSwap, Mutex, OnceLock, Shared};
use crate::types::error::{Error, Result};
use crate::types::events::HorizonRisen;
use crate::types::options::Options;
use crate::world::pace::Pace;

/// All that a read needs, at a moment.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) visible: Arc<Visible>,
    /// The one that takes batches first, then the older ones.
    pub(crate) memtables: Vec<Arc<Memtable>>,
    pub(crate) tables: Arc<Arrangement>,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) taken: Arc<Taken>,
    pub(crate) sources: Arc<Labels>,
    pub(crate) lost: Arc<[(Commit, Commit)]>,
    pub(crate) marks: Arc<BTreeMap<String, Mark>>,
    pub(crate) monitor: Arc<Monitor>,
    /// What the tables keep of what reads decompressed.
    pub(crate) blocks: Arc<Blocks>,
    /// What the tables hold of each feature, put together when it is first asked for. Readers may
    /// meet here, and whoever comes first does it; no read of values rests on it.
    pub(crate) tally: Arc<std::sync::OnceLock<TablesTally>>,
}

impl State {
    /// The newest commit that may be seen.
    #[inline]
    pub(crate) fn visible(&self) -> Commit {
        self.visible.get()
    }

    /// Lets readers see a commit, of which all is put in.
    pub(crate) fn publish(&self, commit: Commit) {
        self.visible.publish(commit);
    }

    /// Parts from the state that it was cloned from, whose readers are shown no more commits than
    /// now. The caller holds the commit lock.
    pub(crate) fn part_at(&mut self, commit: Commit) {
        self.visible = Arc::new(Visible::new(commit));
    }

    /// The newest value of a mark of progress.
    pub(crate) fn mark(&self, name: &str) -> Option<Bytes> {
        let newest = |memtable: &Arc<Memtable>| {
            memtable.aside().marks.get(name).map(|mark| mark.value.clone())
        };
        let flushed = || self.marks.get(name).map(|mark| mark.value.clone());
        self.memtables.iter().find_map(newest).or_else(flushed)
    }

    /// What the tables hold of each feature.
    pub(crate) fn tally(&self) -> &TablesTally {
        self.tally.get_or_init(|| TablesTally::of(self.tables.all().map(|table| &**table)))
    }

    /// Takes tables in and out.
    pub(crate) fn replace_tables(&mut self, out: &[FileNumber], new: &[Shared<Table>]) {
        let goes = |table: &&Shared<Table>| out.contains(&table.entry.number);
        let gone = self.tables.all().filter(goes);
        gone.for_each(|table| table.pin().count_in(&self.monitor.pinned));
        self.tables = Arc::new(self.tables.replaced(out, new));
        self.tally = Arc::default();
    }
}

/// Keeps the state, in memory and on the disk.
#[derive(Debug)]
pub(crate) struct Keeper {
    pub(crate) dir: PathBuf,
    pub(crate) store: StoreId,
    pub(crate) options: Options,
    pub(crate) monitor: Arc<Monitor>,
    pub(crate) snapshots: Arc<Registry>,
    pub(crate) commits: Mutex<CommitSpans>,
    pub(crate) lagging: LaggingClock,
    pub(crate) pace: Pace,
    pub(crate) erasing: Erasing,
    live: ArcSwap<State>,
    kept: Mutex<Kept>,
    poison: OnceLock<Error>,
    ended: AtomicBool,
}

/// What the keeper's lock guards.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) durable: Durable,
    manifest: Manifest,
    /// The log that was begun with the manifest, if that was not at the opening.
    log: Option<Arc<FrameWriter>>,
    whole_len: u64,
    closed: bool,
}

/// Where edits go.
#[derive(Debug)]
pub(crate) enum Manifest {
    /// Nowhere: the store is open read-only.
    None,
    /// To a new manifest, once there are any.
    Found(Found),
    /// To this one.
    Begun(Box<FrameWriter>),
}

/// A store as a clean close left it: nothing is written before there is something to write.
#[derive(Debug)]
pub(crate) struct Found {
    /// The manifest, which is whole and durable.
    pub(crate) manifest: FileNumber,
    /// Short logs, oldest first, of which the batches are in the memtable that takes batches: they go
    /// to its log first, so that many short openings do not leave many logs.
    pub(crate) copied: Vec<FrameFile>,
}

impl Manifest {
    fn begun(&self) -> Option<&FrameWriter> {
        if let Self::Begun(manifest) = self { Some(manifest) } else { None }
    }

    fn number(&self) -> Option<FileNumber> {
        match self {
            Self::None => None,
            Self::Found(found) => Some(found.manifest),
            Self::Begun(manifest) => Some(manifest.number()),
        }
    }
}

impl Keeper {
    pub(crate) fn new(
        dir: &Path,
        store: StoreId,
        options: Options,
        state: State,
        durable: Durable,
        manifest: Manifest,
    ) -> Self {
        let whole_len = manifest.begun().map_or(0, FrameWriter::len);
        let lagging = LaggingClock::new(options.clock_lag);
        // What the clock says now is what its first jump will be held against, and what it said when
        // the newest batch was written is what this opening is held against.
        let newest = state.visible();
        if newest.0 > 0 {
            lagging.opened(&*options.world.clock, EventTime(newest.0));
        }
        lagging.read(&*options.world.clock);
        Self {
            dir: dir.to_path_buf(),
            store,
            snapshots: Arc::new(Registry::default()),
            commits: Mutex::new(durable.commits.clone()),
            lagging,
            pace: Pace::default(),
            erasing: Erasing::default(),
            options,
            monitor: Arc::clone(&state.monitor),
            live: ArcSwap::from_pointee(state),
            kept: Mutex::new(Kept { durable, manifest, log: None, whole_len, closed: false }),
            poison: OnceLock::new(),
            ended: AtomicBool::new(false),
        }
    }

    /// No call is answered from here on.
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Release);
    }

    /// Whether calls are answered.
    ///
    /// # Errors
    /// [`Error::Closed`].
    #[inline]
    pub(crate) fn check_open(&self) -> Result<()> {
        if self.ended.load(Ordering::Acquire) { Err(Error::Closed) } else { Ok(()) }
    }

    /// Looks at the state now: no count is raised for it that other threads raise, too.
    #[inline]
    pub(crate) fn glance<T>(&self, at: impl FnOnce(&State) -> T) -> T {
        at(&self.live.load())
    }

    /// Nothing is changed from here on.
    pub(crate) fn close(&self) {
        self.kept.lock().closed = true;
    }

    /// The state now.
    #[inline]
    pub(crate) fn state(&self) -> Shared<State> {
        self.live.load_full()
    }

    /// The clock now.
    pub(crate) fn now(&self) -> EventTime {
        self.options.world.clock.now()
    }

    /// Why writes are refused, if they are.
    pub(crate) fn check_writable(&self) -> Result<()> {
        if self.options.read_only {
            return Err(Error::ReadOnly);
        }
        self.poison.get().map_or(Ok(()), |error| Err(error.clone()))
    }

    /// From a failed write on, writes are refused: what is on the disk is no longer known.
    pub(crate) fn poison(&self, error: Error) -> Error {
        if let Error::Io { op, source, path } = &error {
            let reason = format!("{}: {source}", path.display());
            let _ = self.poison.set(Error::Poisoned { op, reason });
        }
        error
    }

    /// A number for a new file.
    pub(crate) fn next_file(&self) -> FileNumber {
        self.kept.lock().durable.draw()
    }

    /// Looks at the durable picture.
    pub(crate) fn look<T>(&self, at: impl FnOnce(&Durable) -> T) -> T {
        at(&self.kept.lock().durable)
    }

    /// The manifest and how much of it is durable, for a log to tell; `None` if nothing was
    /// written to it.
    pub(crate) fn manifest_synced(&self) -> Option<Edit> {
        let kept = self.kept.lock();
        let manifest = kept.manifest.begun()?;
        Some(Edit::ManifestSynced(manifest.number(), manifest.durable()))
    }

    /// Makes edits durable and then changes the state, both or neither: `edits` tells them when
    /// nobody else can change anything.
    pub(crate) fn change(
        &self,
        edits: impl FnOnce(&Durable) -> Result<Vec<Edit>>,
        change: impl FnOnce(&mut State, &Durable),
    ) -> Result<()> {
        let mut kept = self.kept.lock();
        let kept = &mut *kept;
        // Asked under the lock: who waited for it may have waited for a failure.
        self.check_writable()?;
        if kept.closed {
            return Err(Error::Closed);
        }
        let mut edits = edits(&kept.durable)?;
        if !edits.is_empty() {
            self.begin(kept)?;
            edits.push(Edit::NextFile(kept.durable.next_file));
            let mut durable = kept.durable.clone();
            for edit in &edits {
                durable.apply(edit).map_err(|what| {
                    let manifest = kept.manifest.begun().map_or(self.dir.as_path(), |m| m.path());
                    Error::corrupt(manifest, 0, format!("the next edit needs {what}"))
                })?;
            }
            let manifest = kept.manifest.begun().ok_or(Error::ReadOnly)?;
            manifest::append(manifest, durable.newest, durable.ceiling, &edits)
                .map_err(|error| self.poison(error))?;
            self.note_risen(&kept.durable, &durable);
            kept.durable = durable;
        }
        let mut state = State::clone(&self.live.load());
        change(&mut state, &kept.durable);
        self.live.store(Shared::new(state));
        let least = self.options.manifest_bytes;
        if kept.manifest.begun().is_some_and(|m| m.len() > (4 * kept.whole_len).max(least)) {
            // The change is done; a failure here only ends writing.
            let _ = self.rotate_manifest(kept);
        }
        Ok(())
    }

    /// Notes which horizons have risen, to be told when no lock is held.
    fn note_risen(&self, old: &Durable, new: &Durable) {
        for (old, new) in old.catalog.all().zip(new.catalog.all()) {
            let (before, after) = (old.recorded.horizon, new.recorded.horizon);
            if before < after
                && let Some(horizon) = after
            {
                self.monitor.note_risen(HorizonRisen {
                    feature: new.definition.name.clone(),
                    schema: new.definition.schema,
                    before,
                    horizon,
                    commit: self.live.load().visible(),
                });
            }
        }
    }

    /// The manifest's number; `None` if the store is open read-only.
    pub(crate) fn manifest(&self) -> Option<FileNumber> {
        self.kept.lock().manifest.number()
    }

    /// Begins a new manifest, which tells nothing of what is gone.
    pub(crate) fn renew_manifest(&self) -> Result<()> {
        let mut kept = self.kept.lock();
        self.check_writable()?;
        if kept.closed {
            return Err(Error::Closed);
        }
        self.begin(&mut kept)?;
        self.rotate_manifest(&mut kept)
    }

    /// The log of the memtable that takes batches, which is begun if it is not yet. The caller holds
    /// the commit lock, and has no log.
    pub(crate) fn begun_log(&self) -> Result<Arc<FrameWriter>> {
        let mut kept = self.kept.lock();
        self.check_writable()?;
        if kept.closed {
            return Err(Error::Closed);
        }
        self.begin(&mut kept)?;
        kept.log.clone().ok_or(Error::ReadOnly)
    }

    /// The log that was begun since the opening, if one was.
    pub(crate) fn log_if_begun(&self) -> Option<Arc<FrameWriter>> {
        self.kept.lock().log.clone()
    }

    fn home(&self) -> Home<'_> {
        let disk = &*self.options.world.disk;
        Home { disk, dir: &self.dir, store: self.store, clock: &self.options.world.clock }
    }

    /// Begins a log and a manifest if the store is still as it was found.
    fn begin(&self, kept: &mut Kept) -> Result<()> {
        let Manifest::Found(found) = &kept.manifest else { return Ok(()) };
        let number = self.live.load().memtables.first().ok_or(Error::Closed)?.log;
        let copied: Vec<_> = found.copied.iter().map(|file| file.header.number).collect();
        let mut durable = kept.durable.clone();
        let begun = beginning::begin(self.home(), number, &copied, &mut durable, |log, _| {
            found.copied.iter().try_for_each(|file| log.append_batches(file))
        });
        let Begun { log, manifest } = begun.map_err(|error| self.poison(error))?;
        let gone = copied.into_iter().map(|number| (FileKind::Log, number));
        for (kind, number) in gone.chain([(FileKind::Manifest, found.manifest)]) {
            // Left over at the worst: the next open removes what the manifest does not name.
            let _ = self.options.world.disk.remove(&names::numbered(&self.dir, kind, number));
        }
        kept.whole_len = manifest.len();
        kept.durable = durable;
        kept.manifest = Manifest::Begun(Box::new(manifest));
        kept.log = Some(Arc::new(log));
        Ok(())
    }

    /// Writes the picture into a new manifest and removes the old one.
    fn rotate_manifest(&self, kept: &mut Kept) -> Result<()> {
        let Home { disk, dir, store, clock } = self.home();
        let number = kept.durable.draw();
        let writer = manifest::create(disk, dir, store, number, clock.now().0, &kept.durable)
            .map_err(|error| self.poison(error))?;
        kept.whole_len = writer.len();
        let old = std::mem::replace(&mut kept.manifest, Manifest::Begun(Box::new(writer)));
        if let Some(old) = old.begun() {
            // Left over at the worst: the next open removes what CURRENT does not name.
            let _ = disk.remove(old.path());
        }
        Ok(())
    }
}
