//! The names of a simulated disk, and which of them a power cut leaves.
//!
//! Invariants: every change of a name is one operation that survives a crash as a whole or not at
//! all, a rename too, across directories too. Operations on unrelated names survive in any
//! combination, whatever their order was; an operation takes with it those before it on the same
//! names, since a directory holds one state of a name and not a history. A name survives only
//! if the directories above it do.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::file::Content;

/// What a name stands for.
#[derive(Clone, Debug)]
pub enum Node {
    /// A directory. None is ever renamed or removed.
    Dir,
    /// A file, which lives on without a name while it is open.
    File(Arc<Mutex<Content>>),
}

/// All names of a disk, as they are now and as they are after a crash.
#[derive(Debug, Default)]
pub struct Names {
    now: BTreeMap<PathBuf, Node>,
    durable: BTreeMap<PathBuf, Node>,
    pending: Vec<Change>,
}

/// A change of names that is not durable.
#[derive(Clone, Debug)]
struct Change {
    /// The name that is taken away.
    from: Option<PathBuf>,
    /// The name that is given, in place of what it stood for before.
    to: Option<(PathBuf, Node)>,
    /// A sync of its directory failed: it will never be durable by a later one.
    doomed: bool,
}

impl Change {
    fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.from.iter().chain(self.to.iter().map(|(path, _)| path))
    }

    fn is_in(&self, dir: &Path) -> bool {
        self.paths().any(|path| path.parent() == Some(dir))
    }

    fn apply(&self, names: &mut BTreeMap<PathBuf, Node>) {
        if let Some(path) = &self.from {
            names.remove(path);
        }
        if let Some((path, node)) = &self.to {
            names.insert(path.clone(), node.clone());
        }
    }
}

/// The one way to write a path down: from the root, without dots.
pub fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::from("/");
    for part in path.components() {
        match part {
            Component::Normal(name) => plain.push(name),
            Component::ParentDir => {
                plain.pop();
            }
            Component::Prefix(_) | Component::RootDir | Component::CurDir => {}
        }
    }
    plain
}

impl Names {
    /// What a name stands for.
    pub fn get(&self, path: &Path) -> Option<&Node> {
        if path == Path::new("/") { Some(&Node::Dir) } else { self.now.get(path) }
    }

    /// All names below a directory, at any depth, in the order of their parts.
    pub fn below<'a>(&'a self, dir: &'a Path) -> impl Iterator<Item = (&'a Path, &'a Node)> {
        let range = self.now.range::<Path, _>((Bound::Excluded(dir), Bound::Unbounded));
        range
            .map(|(path, node)| (path.as_path(), node))
            .take_while(move |(p, _)| p.starts_with(dir))
    }

    /// Takes a name away, gives one, or both at once. It is not durable.
    pub fn change(&mut self, from: Option<PathBuf>, to: Option<(PathBuf, Node)>) {
        let change = Change { from, to, doomed: false };
        change.apply(&mut self.now);
        self.pending.push(change);
    }

    /// Gives a name in such a way that it survives, with the directories above it.
    pub fn place(&mut self, path: &Path, node: Node) {
        for dir in path.ancestors().skip(1).filter(|dir| dir.parent().is_some()) {
            self.now.entry(dir.to_owned()).or_insert(Node::Dir);
        }
        let paths: BTreeSet<_> = path.ancestors().map(Path::to_owned).collect();
        self.settle(|change| change.paths().any(|path| paths.contains(path)));
        self.now.insert(path.to_owned(), node);
        for path in paths {
            if let Some(node) = self.now.get(&path) {
                self.durable.insert(path, node.clone());
            }
        }
    }

    /// Takes a name away in such a way that it does not come back.
    pub fn displace(&mut self, path: &Path) {
        self.settle(|change| change.paths().any(|changed| changed == path));
        self.now.remove(path);
        self.durable.remove(path);
    }

    /// A sync of a directory that succeeds.
    pub fn sync(&mut self, dir: &Path) {
        self.settle(|change| !change.doomed && change.is_in(dir));
    }

    /// A sync of a directory that fails.
    pub fn fail_sync(&mut self, dir: &Path) {
        for change in self.pending.iter_mut().filter(|change| change.is_in(dir)) {
            change.doomed = true;
        }
    }

    /// Whether all names in a directory would be after a crash what they are now.
    pub fn is_durable(&self, dir: &Path) -> bool {
        !self.pending.iter().any(|change| change.is_in(dir))
    }

    /// The names after a crash that of the changes that are not durable leaves those that `keep`
    /// says, with what they need.
    pub fn after_power_cut(&self, mut keep: impl FnMut() -> bool) -> BTreeMap<PathBuf, Node> {
        let mut names = self.durable.clone();
        let kept = with_earlier(&self.pending, |_| keep());
        let changes = self.pending.iter().zip(kept).filter(|(_, kept)| *kept);
        changes.for_each(|(change, _)| change.apply(&mut names));
        let reached = |path: &Path| {
            let mut above = path.ancestors().skip(1).filter(|dir| dir.parent().is_some());
            above.all(|dir| matches!(names.get(dir), Some(Node::Dir)))
        };
        let lost: Vec<_> = names.keys().filter(|path| !reached(path)).cloned().collect();
        lost.iter().for_each(|path| drop(names.remove(path)));
        names
    }

    /// The same names, now and after a crash, for copies of the files.
    pub fn copy(&self) -> Self {
        let mut copies = BTreeMap::new();
        let mut copied = |node: &Node| match node {
            Node::Dir => Node::Dir,
            Node::File(file) => {
                let copy = copies.entry(Arc::as_ptr(file)).or_insert_with(|| {
                    let content = file.lock().clone();
                    Arc::new(Mutex::new(content))
                });
                Node::File(Arc::clone(copy))
            }
        };
        let mut all = |names: &BTreeMap<PathBuf, Node>| {
            names.iter().map(|(path, node)| (path.clone(), copied(node))).collect()
        };
        let (now, durable) = (all(&self.now), all(&self.durable));
        let pending = self.pending.iter().map(|change| Change {
            to: change.to.as_ref().map(|(path, node)| (path.clone(), copied(node))),
            ..change.clone()
        });
        Self { now, durable, pending: pending.collect() }
    }

    /// Makes the changes durable that are chosen, with what they need.
    fn settle(&mut self, chosen: impl FnMut(&Change) -> bool) {
        let settled = with_earlier(&self.pending, chosen);
        let changes = std::mem::take(&mut self.pending);
        for (change, settled) in changes.into_iter().zip(settled) {
            if settled {
                change.apply(&mut self.durable);
            } else {
                self.pending.push(change);
            }
        }
    }
}

/// Which changes are chosen, or come before a chosen one on a name of it.
fn with_earlier(changes: &[Change], mut chosen: impl FnMut(&Change) -> bool) -> Vec<bool> {
    let mut touched = BTreeSet::new();
    let mut which = Vec::with_capacity(changes.len());
    for change in changes.iter().rev() {
        // The choice is drawn for every change, so that a draw does not depend on the others.
        let wanted = chosen(change) | change.paths().any(|path| touched.contains(path));
        if wanted {
            touched.extend(change.paths());
        }
        which.push(wanted);
    }
    which.reverse();
    which
}

#[cfg(test)]
mod tests;
