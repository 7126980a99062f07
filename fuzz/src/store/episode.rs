//! A copy of a store's files is damaged, looked at, opened, read, compacted and opened again.

use std::path::{Path, PathBuf};

use asofdb::world::sim::SimWorld;
use asofdb::{Error, ReadMode, inspect};
use asofdb_tests::engine::Engine;
use asofdb_tests::model::Model;

use super::damage::{self, DIR, Files};
use super::op::Episode;
use super::sweep::{Blame, sweep};
use super::verdict::{self, Verdict};

const KILLED: u8 = 1;
const READ_ONLY: u8 = 2;
const CREATE: u8 = 4;
const PREAD: u8 = 8;
const COMPACTED: u8 = 16;

/// Does it. The store goes on undamaged.
pub fn play(engine: &mut Engine, model: &mut Model, episode: &Episode) {
    let is = |bit: u8| episode.how & bit != 0;
    let sim = if is(KILLED) {
        engine.sim().after_kill()
    } else {
        engine.close().unwrap();
        let sim = engine.sim().after_kill();
        engine.open().unwrap();
        model.reopen();
        sim
    };
    let before = damage::files(&sim);
    let sim = damage::damaged(sim, &episode.damages);
    let after = damage::files(&sim);
    let verdict = verdict::verdict(&before, &after);
    let changed = verdict::changed(&before, &after);
    look_inside(&sim, &before, &after, &verdict);

    let mut blame = Blame { files: changed, ..Blame::default() };
    let mut model = model.clone();
    model.reopen();
    match &verdict {
        Verdict::Refused => {}
        Verdict::Earlier => blame.any_answer = true,
        Verdict::Answers { lost, tables } => {
            blame.files.clone_from(tables);
            blame.lost.clone_from(lost);
            model.revisions.retain(|revision| !lost.contains(&revision.commit));
            model.batches.retain(|batch| !lost.contains(&batch.commit));
            model.commits.retain(|commit| !lost.contains(commit));
        }
    }
    let opened = engine.open_in(sim, |options| {
        let mode = if is(PREAD) { ReadMode::Pread } else { options.read_mode };
        options.read_only(is(READ_ONLY)).create(is(CREATE)).read_mode(mode)
    });
    match opened {
        Err(error) => blame.error(&error),
        Ok(opened) => {
            if verdict == Verdict::Refused {
                assert!(
                    is(CREATE) && is_unborn(&after),
                    "the damage of {:?} is not seen",
                    blame.files
                );
                return;
            }
            use_it(opened, &model, &blame, is(COMPACTED) && !is(READ_ONLY));
        }
    }
}

/// Whether there is nothing but what making a store leaves, so that one may be made.
fn is_unborn(files: &Files) -> bool {
    let is_more = |(path, bytes): (&PathBuf, &Vec<u8>)| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let has_frames = name.starts_with("LOG-") && bytes.len() > 56;
        name == "CURRENT" || name.starts_with("TABLE-") || has_frames
    };
    !files.iter().any(is_more)
}

/// Answers are right, or name the damage, also after a compaction, and after an opening that
/// follows it: damage is never written on as if it were data.
fn use_it(mut opened: Engine, model: &Model, blame: &Blame, compacted: bool) {
    sweep(&opened, model, blame);
    if compacted {
        match opened.store().compact() {
            Ok(()) => {}
            Err(error) => blame.error(&error),
        }
        sweep(&opened, model, blame);
    }
    if let Err(error) = opened.close().and_then(|()| opened.open()) {
        return blame.error(&error);
    }
    sweep(&opened, model, blame);
}

/// Verifies, dumps and searches the files without opening the store.
fn look_inside(sim: &SimWorld, before: &Files, after: &Files, verdict: &Verdict) {
    let (dir, world) = (Path::new(DIR), sim.world());
    match inspect::verify(dir, &world, &mut |_, _| {}) {
        Err(error) => assert!(matches!(error, Error::NotAStore { .. }), "{error}"),
        Ok(verified) => {
            let found = verified.faults().collect::<Vec<_>>();
            let seen = match verdict {
                Verdict::Refused => !found.is_empty(),
                Verdict::Answers { tables, .. } => found.is_empty() == tables.is_empty(),
                Verdict::Earlier => true,
            };
            let changed = verdict::changed(before, after);
            assert!(seen, "{verdict:?}: {changed:?} are damaged, and verify finds {found:?}");
        }
    }
    let dumped = inspect::dump_store(dir, &world, &mut |_| {});
    if before == after {
        dumped.unwrap();
    }
    let found = inspect::find_entity(dir, &world, b"a", &mut |_| {});
    assert!(found.is_ok() || matches!(found, Err(Error::NotAStore { .. })), "{found:?}");
}
