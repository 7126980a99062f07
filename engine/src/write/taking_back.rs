//! Erase and revert: both are edits with a commit of their own, durable when they return.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use asofdb_format::batch::MAX_ENTITY_LEN;
use asofdb_format::certificate::ErasureCertificate;
use asofdb_format::edit::Edit;
use asofdb_format::hash::ErasedEntity;
use asofdb_format::ids::{Commit, FeatureId, SourceId};
use asofdb_format::revision::Revision;
use asofdb_format::timeline::Timeline;
use bytes::Bytes;

use crate::shape::background::Background;
use crate::shape::erasing::Erases;
use crate::shape::merge::Merge;
use crate::state::durable::Durable;
use crate::state::live::{Keeper, State};
use crate::state::memtable::{Mark, Memtable};
use crate::sync::Shared;
use crate::types::error::{InvalidArgument, Result};
use crate::write::commit::Committer;

/// What a revert is to take away.
///
/// ```
/// use asofdb::{Batch, Durability, EventTime, FeatureSpec, Options, Revert, Store, ValueType};
/// # fn main() -> asofdb::Result<()> {
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = Store::open(dir.path().join("store"), Options::new())?;
/// store.define(FeatureSpec::new("customer:spend_30d", ValueType::F64))?;
/// let put = |job: &str, value: f64| {
///     let mut batch = Batch::new();
///     batch.source(job);
///     batch.put("customer-7", "customer:spend_30d", EventTime(1_700_000_000_000_000), value);
///     store.write(batch, Durability::Buffered)
/// };
/// put("job of Monday", 42.5)?;
/// put("job of Tuesday", 0.0)?;
/// assert_eq!(store.revert(Revert::source("job of Tuesday"))?.batches, 1);
/// assert_eq!(store.latest("customer-7", "customer:spend_30d")?.as_f64(), Some(42.5));
/// # store.close()
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Revert(What);

#[derive(Clone, Debug)]
enum What {
    Source(String),
    Commits(BTreeSet<Commit>),
}

impl Revert {
    /// All batches of a source so far.
    pub fn source(label: impl Into<String>) -> Self {
        Self(What::Source(label.into()))
    }

    /// These batches.
    pub fn commits(commits: impl IntoIterator<Item = Commit>) -> Self {
        Self(What::Commits(commits.into_iter().collect()))
    }
}

/// What a revert took away, or would.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reverted {
    /// The revert's own commit; `None` if nothing was done.
    pub commit: Option<Commit>,
    /// How many batches.
    pub batches: u64,
    /// How many of their records are still stored.
    pub records: u64,
    /// Of how many entities.
    pub entities: u64,
}

/// Erases entities: every read that begins later finds nothing of what was written before.
pub(crate) fn erase(keeper: &Keeper, committer: &Committer, entities: &[&[u8]]) -> Result<Commit> {
    let is_none = |entity: &&&[u8]| entity.is_empty() || entity.len() > MAX_ENTITY_LEN;
    if let Some(entity) = entities.iter().find(is_none) {
        return Err(InvalidArgument::EntityLength { len: entity.len() }.into());
    }
    // The entity is not told: who erases it wants it in no log of the program's either.
    let _span = tracing::info_span!(target: "asofdb", "erase").entered();
    if entities.is_empty() {
        return Err(InvalidArgument::Other("no entity is given to erase".to_owned()).into());
    }
    let names = named(keeper, entities);
    let mut order = committer.lock()?;
    let commit = committer.change(
        &mut order,
        |commit, _| Ok(names.keys().map(|erased| Edit::Erase(commit, *erased)).collect()),
        |state, durable| state.taken = Arc::new(durable.taken.clone()),
    )?;
    keeper.erasing.name(names);
    Ok(commit)
}

/// Does the work of the erases of entities, if it was not done before, and certifies it.
pub(crate) fn prove_erased(
    keeper: &Keeper,
    background: &Background,
    entities: &[&[u8]],
) -> Result<ErasureCertificate> {
    keeper.check_writable()?;
    let state = keeper.state();
    let mut asked = Erases::new();
    for (index, entity) in entities.iter().enumerate() {
        let erased = ErasedEntity::of(&state.taken.key, entity);
        let commit = state.taken.erased.get(&erased);
        asked.insert(erased, *commit.ok_or(InvalidArgument::NotErased { index })?);
    }
    // Or this very call would hold what is replaced.
    drop(state);
    keeper.erasing.name(named(keeper, entities));
    background.finish_erases(&asked)
}

fn named(keeper: &Keeper, entities: &[&[u8]]) -> BTreeMap<ErasedEntity, Bytes> {
    let key = keeper.state().taken.key;
    let named = entities
        .iter()
        .map(|entity| (ErasedEntity::of(&key, entity), Bytes::copy_from_slice(entity)));
    named.collect()
}

/// Takes batches away for all readers that begin later, or only tells what that would do.
pub(crate) fn revert(
    keeper: &Keeper,
    committer: &Committer,
    what: &Revert,
    dry_run: bool,
) -> Result<Reverted> {
    let _span = tracing::info_span!(target: "asofdb", "revert", ?what, dry_run).entered();
    let found = keeper.monitor.watched(Found::look(&keeper.state(), what))?;
    if let What::Commits(commits) = &what.0 {
        let missing: BTreeSet<Commit> = commits.difference(&found.batches).copied().collect();
        if !missing.is_empty() {
            return Err(nothing(&Revert(What::Commits(missing))).into());
        }
    }
    let mut reverted = Reverted {
        commit: None,
        batches: found.batches.len() as u64,
        records: found.records,
        entities: found.entities,
    };
    // Judged when no compaction can record a higher horizon any more.
    let check = |durable: &Durable| -> Result<()> {
        let touched = match found.source {
            Some(source) => touches(keeper, durable, source),
            None => found.may_have_touched(keeper, durable),
        };
        if touched.is_empty() && !has_marks(keeper, durable, found.source) {
            return Err(nothing(what).into());
        }
        check_horizons(keeper, durable, &touched)
    };
    if dry_run {
        keeper.look(check)?;
        return Ok(reverted);
    }
    let mut order = committer.lock()?;
    let edit = |commit, durable: &Durable| {
        check(durable)?;
        Ok(match (&what.0, found.source) {
            (What::Commits(_), _) => {
                vec![Edit::RevertCommits(commit, found.batches.iter().copied().collect())]
            }
            (What::Source(_), source) => {
                vec![Edit::RevertSource(commit, source.unwrap_or_default())]
            }
        })
    };
    let commit = committer.change(&mut order, edit, |state, durable| {
        state.taken = Arc::new(durable.taken.clone());
        state.marks = Arc::new(durable.marks.clone());
    })?;
    for memtable in &keeper.state().memtables {
        let mut aside = memtable.aside();
        aside.touches.retain(|(of, _), _| Some(*of) != found.source);
        aside.marks.retain(|_, mark| match &what.0 {
            What::Source(_) => Some(mark.source) != found.source,
            What::Commits(commits) => !commits.contains(&mark.commit),
        });
    }
    reverted.commit = Some(commit);
    Ok(reverted)
}

fn nothing(what: &Revert) -> InvalidArgument {
    let what = match &what.0 {
        What::Source(label) => format!("of source {label:?} is left to revert"),
        What::Commits(commits) => format!("of commits {commits:?} is left to revert"),
    };
    InvalidArgument::NothingToRevert { what }
}

/// The least commit, not yet taken away, in which a source wrote each feature, whether or not what
/// it wrote is still stored.
fn touches(keeper: &Keeper, durable: &Durable, source: SourceId) -> BTreeMap<FeatureId, Commit> {
    let mut all = BTreeMap::new();
    let mut add = |touches: &BTreeMap<(SourceId, FeatureId), Commit>| {
        for ((of, feature), commit) in touches {
            if *of == source {
                let least = all.entry(*feature).or_insert(*commit);
                *least = (*least).min(*commit);
            }
        }
    };
    for memtable in &keeper.state().memtables {
        add(&memtable.aside().touches);
    }
    add(&durable.touches);
    all
}

/// Whether a batch of a source has set marks that still stand.
fn has_marks(keeper: &Keeper, durable: &Durable, source: Option<SourceId>) -> bool {
    let of_source = |mark: &Mark| Some(mark.source) == source;
    let in_memory = |memtable: &Arc<Memtable>| memtable.aside().marks.values().any(of_source);
    durable.marks.values().any(of_source) || keeper.state().memtables.iter().any(in_memory)
}

/// What a horizon has passed may have replaced something that is gone.
fn check_horizons(
    keeper: &Keeper,
    durable: &Durable,
    touched: &BTreeMap<FeatureId, Commit>,
) -> Result<()> {
    let (now, oldest) = (keeper.now(), keeper.snapshots.oldest());
    for (feature, commit) in touched {
        let Some(feature) = durable.catalog.get(*feature) else { continue };
        if let Some(horizon) = feature.bounds(now, oldest).horizon
            && commit.0 <= horizon.0
        {
            let feature = feature.definition.name.clone();
            return Err(
                InvalidArgument::RevertBelowHorizon { commit: *commit, feature, horizon }.into()
            );
        }
    }
    Ok(())
}

/// What is stored of the batches that are to be taken away.
#[derive(Debug, Default)]
struct Found {
    source: Option<SourceId>,
    batches: BTreeSet<Commit>,
    /// The least of the commits that each source has among the batches.
    sources: BTreeMap<SourceId, Commit>,
    records: u64,
    entities: u64,
}

impl Found {
    /// The features that the batches may have written, each with the least commit that may have:
    /// all that their sources touched. What a batch wrote may be dropped in part, and the answer
    /// must not depend on that.
    fn may_have_touched(&self, keeper: &Keeper, durable: &Durable) -> BTreeMap<FeatureId, Commit> {
        let mut all: BTreeMap<FeatureId, Commit> = BTreeMap::new();
        for (source, commit) in &self.sources {
            for feature in touches(keeper, durable, *source).into_keys() {
                let least = all.entry(feature).or_insert(*commit);
                *least = (*least).min(*commit);
            }
        }
        all
    }

    fn look(state: &State, what: &Revert) -> Result<Self> {
        let mut found = Self::default();
        if let What::Source(label) = &what.0 {
            let (id, _) = state.sources.id_of(label).ok_or_else(|| nothing(what))?;
            found.source = Some(id);
        }
        let visible = state.visible();
        let wanted = |revision: &Revision| {
            let named = match &what.0 {
                What::Source(_) => Some(revision.source) == found.source,
                What::Commits(commits) => commits.contains(&revision.order.commit),
            };
            let (commit, source) = (revision.order.commit, revision.source);
            named && !state.taken.is_reverted(commit, source, visible)
        };
        let may_hold = |table: &&Shared<crate::files::table::Table>| match found.source {
            Some(source) => table.meta.sources.contains_key(&source),
            None => true,
        };
        let tables: Vec<_> = state.tables.all().filter(may_hold).cloned().collect();
        let memtables: Vec<_> = state.memtables.iter().map(|memtable| &**memtable).collect();
        let mut merge = Merge::new(&tables, &memtables, &Timeline::none())?;
        let mut batches = BTreeSet::new();
        let mut sources: BTreeMap<SourceId, Commit> = BTreeMap::new();
        let (mut records, mut entities) = (0, 0);
        while let Some(entity) = merge.next_entity()? {
            let before = records;
            let erased = state.taken.erase_of(&entity.entity);
            for (_, revisions) in &entity.features {
                for revision in revisions.iter().filter(|revision| wanted(revision)) {
                    let commit = revision.order.commit;
                    batches.insert(commit);
                    let least = sources.entry(revision.source).or_insert(commit);
                    *least = commit.min(*least);
                    if erased.is_none_or(|erase| commit >= erase) {
                        records += 1;
                    }
                }
            }
            entities += u64::from(records > before);
        }
        Ok(Self { batches, sources, records, entities, ..found })
    }
}
