//! The picture of the store that the manifest draws: every edit changes it, and it can be written
//! down again as edits.

use std::collections::BTreeMap;
use std::sync::Arc;

use asofdb_format::catalog::{Bounds, Terms};
use asofdb_format::edit::{Edit, TableEntry};
use asofdb_format::hash::EraseKey;
use asofdb_format::header::FileKind;
use asofdb_format::ids::{Commit, FeatureId, FileNumber, SourceId};

use crate::files::names;
use crate::state::catalog::Catalog;
use crate::state::commits::CommitSpans;
use crate::state::memtable::Mark;
use crate::state::taken::{Revert, Reverted, Taken};

/// What is durable of the store, its files' contents aside.
#[derive(Clone, Debug)]
pub(crate) struct Durable {
    pub(crate) tables: BTreeMap<FileNumber, TableEntry>,
    /// Logs, with their length once they are sealed.
    pub(crate) logs: BTreeMap<FileNumber, Option<u64>>,
    /// How far the log that takes batches was durable when the catalog changed last, or when logs
    /// were copied to it.
    pub(crate) log_synced: Option<(FileNumber, u64)>,
    pub(crate) next_file: FileNumber,
    pub(crate) newest: Commit,
    pub(crate) ceiling: Commit,
    pub(crate) commits: CommitSpans,
    pub(crate) lost: Vec<(Commit, Commit)>,
    pub(crate) catalog: Catalog,
    pub(crate) taken: Taken,
    pub(crate) sources: BTreeMap<SourceId, Arc<str>>,
    pub(crate) touches: BTreeMap<(SourceId, FeatureId), Commit>,
    pub(crate) marks: BTreeMap<String, Mark>,
    /// Whether the key is known that erased entities are named under: nothing comes before it.
    has_key: bool,
}

impl Durable {
    /// The picture of a store that has nothing yet.
    pub(crate) fn new(key: EraseKey) -> Self {
        Self { has_key: true, ..Self::undrawn(key) }
    }

    /// What a manifest begins to draw on.
    pub(crate) fn blank() -> Self {
        Self::undrawn(EraseKey([0; 16]))
    }

    fn undrawn(key: EraseKey) -> Self {
        Self {
            tables: BTreeMap::new(),
            logs: BTreeMap::new(),
            log_synced: None,
            next_file: FileNumber(1),
            newest: Commit::MIN,
            ceiling: Commit::MIN,
            commits: CommitSpans::default(),
            lost: Vec::new(),
            catalog: Catalog::default(),
            taken: Taken::new(key),
            sources: BTreeMap::new(),
            touches: BTreeMap::new(),
            marks: BTreeMap::new(),
            has_key: false,
        }
    }

    /// Changes the picture; what is wrong with the edit, if it fits no picture.
    pub(crate) fn apply(&mut self, edit: &Edit) -> Result<(), &'static str> {
        let is_key = matches!(edit, Edit::Store(_));
        if is_key == self.has_key {
            return Err("the key of the store, once and before all else");
        }
        match edit {
            Edit::Store(key) => {
                self.taken.key = *key;
                self.has_key = true;
            }
            Edit::AddTable(entry) => {
                if !is_in_order(entry) {
                    return Err("a table whose bounds are in order");
                }
                if self.tables.insert(entry.number, entry.clone()).is_some() {
                    return Err("a table that is not yet there");
                }
            }
            Edit::RemoveTable(number) => {
                self.tables.remove(number).ok_or("a table that is there")?;
            }
            Edit::AddLog(number) => {
                if self.logs.insert(*number, None).is_some() {
                    return Err("a log that is not yet there");
                }
            }
            Edit::SealLog(number, len) => {
                *self.logs.get_mut(number).ok_or("a log that is there")? = Some(*len);
            }
            Edit::RemoveLog(number) => {
                self.logs.remove(number).ok_or("a log that is there")?;
            }
            Edit::NextFile(number) if number.0 > names::MOST_FILES => {
                return Err("as many files as a store can have");
            }
            Edit::NextFile(number) => self.next_file = self.next_file.max(*number),
            Edit::Clock(newest, ceiling) => {
                if newest > ceiling {
                    return Err("no commit above the ceiling");
                }
                self.newest = self.newest.max(*newest);
                self.ceiling = *ceiling;
            }
            Edit::Commits(spans) => {
                spans.iter().for_each(|(first, last)| self.commits.add_span(*first, *last));
            }
            Edit::Lost(first, last) => {
                if first > last {
                    return Err("lost commits in order");
                }
                self.lost.push((*first, *last));
            }
            Edit::Define(commit, definition) => {
                if definition.id != self.catalog.next_id() {
                    return Err("the next feature number");
                }
                self.catalog.define(*commit, definition.clone());
                self.took(*commit);
            }
            Edit::Alter(commit, id, terms, bounds) => {
                self.named(*id)?;
                self.catalog.alter(*commit, *id, terms.clone(), *bounds);
                self.took(*commit);
            }
            Edit::Retire(commit, name) => {
                if self.catalog.schemas(name) == 0 {
                    return Err("the name of a feature that is defined");
                }
                self.catalog.retire(*commit, name);
                self.took(*commit);
            }
            Edit::Bounds(id, bounds) => {
                self.named(*id)?;
                self.catalog.record(*id, *bounds);
            }
            Edit::Erase(commit, entity) => {
                self.taken.erase(*entity, *commit);
                self.took(*commit);
            }
            Edit::ErasesDone(commit) => self.taken.done = self.taken.done.max(*commit),
            Edit::RevertSource(commit, source) => {
                let what = Reverted::Source(*source);
                self.taken.revert(Revert { commit: *commit, what });
                self.touches.retain(|(of, _), touched| of != source || *touched > *commit);
                self.marks.retain(|_, mark| mark.source != *source || mark.commit > *commit);
                self.took(*commit);
            }
            Edit::RevertCommits(commit, commits) => {
                let what = Reverted::Commits(commits.iter().copied().collect());
                self.marks.retain(|_, mark| !commits.contains(&mark.commit));
                self.taken.revert(Revert { commit: *commit, what });
                self.took(*commit);
            }
            Edit::Source(id, label) => {
                self.sources.insert(*id, Arc::from(label.as_str()));
            }
            Edit::Touch(source, feature, commit) => {
                self.labelled(*source)?;
                self.named(*feature)?;
                self.touch(*source, *feature, *commit);
            }
            Edit::Mark(commit, source, name, value) => {
                self.labelled(*source)?;
                let (commit, source, value) = (*commit, *source, value.clone());
                if !self.taken.is_reverted(commit, source, Commit::MAX) {
                    self.marks.insert(name.clone(), Mark { commit, source, value });
                }
            }
            Edit::LogSynced(number, len) => {
                self.logs.get(number).ok_or("a log that is there")?;
                self.log_synced = Some((*number, *len));
            }
            _ => return Err("an edit of a manifest"),
        }
        Ok(())
    }

    fn named(&self, feature: FeatureId) -> Result<(), &'static str> {
        self.catalog.get(feature).map(drop).ok_or("a feature that is defined")
    }

    fn labelled(&self, source: SourceId) -> Result<(), &'static str> {
        let known = source == SourceId::NONE || self.sources.contains_key(&source);
        if known { Ok(()) } else { Err("a source that has a label") }
    }

    /// What is wrong with the picture that a manifest of this number has drawn.
    pub(crate) fn check_drawn(&self, manifest: FileNumber) -> Result<(), &'static str> {
        let mut numbers = self.tables.keys().chain(self.logs.keys()).chain([&manifest]);
        if numbers.any(|number| *number >= self.next_file) {
            return Err("numbers of files below the next one");
        }
        if self.logs.values().rev().skip(1).any(Option::is_none) {
            return Err("only the newest log to be without its length");
        }
        Ok(())
    }

    /// A number for a new file.
    pub(crate) const fn draw(&mut self) -> FileNumber {
        let number = self.next_file;
        self.next_file = FileNumber(number.0 + 1);
        number
    }

    /// Commits that were lost, if the picture does not tell of them yet.
    pub(crate) fn untold_loss(&self) -> Option<(Commit, Commit)> {
        let lost = (Commit(self.newest.0.saturating_add(1)), self.ceiling);
        let is_told = |span: &(Commit, Commit)| span.0 <= lost.0 && lost.1 <= span.1;
        (self.newest < self.ceiling && !self.lost.iter().any(is_told)).then_some(lost)
    }

    /// Whether a log or table is newer than all that the picture tells of.
    pub(crate) fn is_newer(&self, (kind, number): (FileKind, FileNumber)) -> bool {
        matches!(kind, FileKind::Log | FileKind::Table) && number >= self.next_file
    }

    fn took(&mut self, commit: Commit) {
        self.newest = self.newest.max(commit);
        self.commits.add(commit);
    }

    fn touch(&mut self, source: SourceId, feature: FeatureId, commit: Commit) {
        // A batch that a revert already took away is no reason to refuse another revert.
        if self.taken.newest_revert_of(source).is_some_and(|revert| commit < revert) {
            return;
        }
        let least = self.touches.entry((source, feature)).or_insert(commit);
        *least = commit.min(*least);
    }

    /// The picture as edits: applied to an empty one they give it again.
    pub(crate) fn snapshot(&self) -> Vec<Edit> {
        let mut edits = vec![
            Edit::Store(self.taken.key),
            Edit::NextFile(self.next_file),
            Edit::Commits(self.commits.spans().to_vec()),
        ];
        edits.extend(self.sources.iter().map(|(id, label)| Edit::Source(*id, label.to_string())));
        for feature in self.catalog.all() {
            let mut definition = feature.definition.clone();
            for (index, (commit, terms)) in feature.changes().iter().enumerate() {
                if index == 0 {
                    definition.terms = Terms::clone(terms);
                    edits.push(Edit::Define(*commit, definition.clone()));
                } else {
                    let terms = Terms::clone(terms);
                    edits.push(Edit::Alter(*commit, definition.id, terms, Bounds::default()));
                }
            }
            edits.push(Edit::Bounds(definition.id, feature.recorded));
        }
        edits.extend(self.retires());
        edits
            .extend(self.taken.erased.iter().map(|(entity, commit)| Edit::Erase(*commit, *entity)));
        let done = Some(self.taken.done).filter(|done| *done > Commit::MIN);
        edits.extend(done.map(Edit::ErasesDone));
        edits.extend(self.taken.reverts.iter().map(|revert| match &revert.what {
            Reverted::Source(id) => Edit::RevertSource(revert.commit, *id),
            Reverted::Commits(commits) => {
                Edit::RevertCommits(revert.commit, commits.iter().copied().collect())
            }
        }));
        let touches = self.touches.iter();
        edits.extend(
            touches.map(|((source, feature), commit)| Edit::Touch(*source, *feature, *commit)),
        );
        edits.extend(self.lost.iter().map(|(first, last)| Edit::Lost(*first, *last)));
        edits.extend(self.marks.iter().map(|(name, mark)| mark_edit(name, mark)));
        edits.extend(self.tables.values().cloned().map(Edit::AddTable));
        for (number, sealed) in &self.logs {
            edits.push(Edit::AddLog(*number));
            edits.extend(sealed.map(|len| Edit::SealLog(*number, len)));
        }
        let synced = self.log_synced.filter(|(log, _)| self.logs.get(log) == Some(&None));
        edits.extend(synced.map(|(log, len)| Edit::LogSynced(log, len)));
        edits.push(Edit::Clock(self.newest, self.ceiling));
        edits
    }

    /// Each retirement once: it is of a name, whatever schemas it had then.
    fn retires(&self) -> Vec<Edit> {
        let mut all: Vec<(Commit, &str)> = self
            .catalog
            .all()
            .filter_map(|feature| Some((feature.retired?, feature.definition.name.as_str())))
            .collect();
        all.sort_unstable();
        all.dedup();
        all.into_iter().map(|(commit, name)| Edit::Retire(commit, name.to_owned())).collect()
    }
}

fn is_in_order(entry: &TableEntry) -> bool {
    entry.level.past().is_none_or(|past| past.window.0 <= past.window.1)
        && entry.min_hash <= entry.max_hash
        && entry.min_event_time <= entry.max_event_time
        && entry.min_commit <= entry.max_commit
        && entry.entities <= entry.revisions
}

/// A mark as an edit.
pub(crate) fn mark_edit(name: &str, mark: &Mark) -> Edit {
    Edit::Mark(mark.commit, mark.source, name.to_owned(), mark.value.clone())
}
