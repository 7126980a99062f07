//! One damaged store: it is verified, opened, asked everything, merged, and held against the rule.
//!
//! The rule: every answer is right, or an error of damage that names a damaged file; in the newest
//! log past what is told to be durable, a prefix of whole batches. All that in memory of at most
//! [`MEMORY_FACTOR`] times the length of the store and a bit ([`Lab::most_memory`]), and in hardly
//! more operations of the disk than the undamaged store needs.

use std::path::{Path, PathBuf};

use asofdb::world::sim::SimWorld;
use asofdb::{Error, ReadMode, Store, inspect};

use crate::questions::Found;
use crate::stores::{DIR, Files, Lab, options};
use crate::tail::Allowed;

/// How many times the length of a store its opening, reading and verifying may take, in memory.
pub const MEMORY_FACTOR: u64 = 4;

/// How many times the length of its logs comes on top of that: a memtable holds their revisions.
pub const LOG_MEMORY_FACTOR: u64 = 128;

/// What comes on top of that whatever the store's length.
pub const MEMORY_ALLOWANCE: u64 = 1 << 20;

/// How a store is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode {
    /// Whether it is only read.
    pub read_only: bool,
    /// How its tables are read.
    pub read: ReadMode,
}

/// All ways to open a store.
pub const MODES: [Mode; 4] = [
    Mode { read_only: false, read: ReadMode::Map },
    Mode { read_only: true, read: ReadMode::Pread },
    Mode { read_only: false, read: ReadMode::Pread },
    Mode { read_only: true, read: ReadMode::Map },
];

/// Files in the place of others; `None`: the file is missing.
#[derive(Clone, Debug, Default)]
pub struct Damage(pub Vec<(PathBuf, Option<Vec<u8>>)>);

/// Where damage showed first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The store did not open.
    AtOpen,
    /// It opened; answers failed or a merge did.
    AtRead,
    /// All answers were right; `verify` names a damaged file.
    ByVerify,
    /// All answers were right or those of a prefix, and `verify` told a torn end there.
    TornEnd,
    /// All answers were right and `verify` told nothing.
    Unseen,
}

/// What a trial came to.
#[derive(Clone, Debug)]
pub struct Trial {
    /// Where the damage showed.
    pub verdict: Verdict,
    /// The most bytes of memory at one time.
    pub memory: u64,
    /// How many operations of the disk there were.
    pub operations: u64,
    /// What is wrong, if anything is.
    pub wrong: Option<String>,
}

impl Lab {
    /// The world with a damaged disk.
    pub fn damaged(&self, damage: &Damage) -> SimWorld {
        let sim = self.sim.after_kill();
        for (path, bytes) in &damage.0 {
            match bytes {
                Some(bytes) => sim.disk.write_file(path, bytes).unwrap(),
                // It may be one that is only there in the past.
                None => drop(sim.disk.lose_file(path)),
            }
        }
        sim
    }

    /// How much memory the damaged store may take.
    fn most_memory(&self, damage: &Damage) -> u64 {
        let mut files: Files = self.files.clone();
        for (path, bytes) in &damage.0 {
            files.insert(path.clone(), bytes.clone().unwrap_or_default());
        }
        let of = |(path, bytes): (&PathBuf, &Vec<u8>)| {
            let is_log = path.to_string_lossy().contains("LOG-");
            let factor = MEMORY_FACTOR + if is_log { LOG_MEMORY_FACTOR } else { 0 };
            bytes.len() as u64 * factor
        };
        files.iter().map(of).sum::<u64>() + MEMORY_ALLOWANCE
    }

    /// What is right, or allowed, to answer.
    fn allowed(&self, damage: &Damage) -> Option<&[Found]> {
        let of_tail = self.tail.as_ref().and_then(|tail| {
            let (_, bytes) = damage.0.iter().find(|(path, _)| *path == tail.path)?;
            Some((tail, bytes.as_deref().unwrap_or_default()))
        });
        match of_tail.map(|(tail, bytes)| tail.allowed(bytes)) {
            Some(Allowed::Nothing) => None,
            Some(Allowed::Answers(state)) => Some(state),
            None => Some(&self.right),
        }
    }

    /// Tries a damaged store. `named` are the files of which an error may tell.
    pub fn try_damage(&self, damage: &Damage, mode: Mode, named: &[PathBuf]) -> Trial {
        let allowed = self.allowed(damage);
        let mut trial = None;
        let counted = allocation_counter::measure(|| {
            let sim = self.damaged(damage);
            let (verdict, wrong) = match run(self, &sim, mode, allowed, named) {
                Ok(verdict) => (verdict, None),
                Err(wrong) => (Verdict::Unseen, Some(wrong)),
            };
            let operations = sim.disk.operations();
            trial = Some(Trial { verdict, memory: 0, operations, wrong });
        });
        let mut trial = trial.unwrap();
        trial.memory = counted.bytes_max;
        let most = self.most_memory(damage);
        if trial.memory > most {
            let what = format!("{} bytes of memory, more than {most}", trial.memory);
            trial.wrong.get_or_insert(what);
        }
        let most = 4 * self.operations(mode) + 64;
        if trial.operations > most {
            let what = format!("{} operations of the disk, more than {most}", trial.operations);
            trial.wrong.get_or_insert(what);
        }
        trial
    }

    /// How many operations of the disk the undamaged store takes.
    fn operations(&self, mode: Mode) -> u64 {
        let place = MODES.iter().position(|other| *other == mode).unwrap();
        *self.sound_operations[place].get_or_init(|| {
            let sim = self.sim.after_kill();
            assert_eq!(run(self, &sim, mode, Some(&self.right), &[]), Ok(Verdict::Unseen));
            sim.disk.operations()
        })
    }
}

/// Whether an error is of damage and names one of the files.
fn check_error(error: &Error, named: &[PathBuf]) -> Result<(), String> {
    match error {
        Error::Corruption { file, .. } | Error::NewerFormat { file, .. }
            if named.contains(file) =>
        {
            Ok(())
        }
        other => Err(format!("an error that names no damaged file: {other}")),
    }
}

fn run(
    lab: &Lab,
    sim: &SimWorld,
    mode: Mode,
    allowed: Option<&[Found]>,
    named: &[PathBuf],
) -> Result<Verdict, String> {
    let verified = inspect::verify(Path::new(DIR), &sim.world(), &mut |_, _| {});
    let verified = verified.map_err(|error| format!("verify: {error}"))?;
    let names = |fault: &Error| check_error(fault, named).is_ok();
    let seen = verified.faults().any(names);
    let torn = verified.files.iter().any(|file| file.torn.is_some() && named.contains(&file.path));
    if let Some(fault) = verified.faults().find(|fault| !names(fault)).filter(|_| !seen) {
        return Err(format!("verify names no damaged file: {fault}"));
    }
    if mode == MODES[1] {
        // Who looks at a damaged store meets it too. What they tell is their own tests' matter.
        let world = sim.world();
        let dumped = inspect::dump_store(Path::new(DIR), &world, &mut |_| {});
        dumped.or_else(|error| check_error(&error, named))?;
        let found = inspect::find_entity(Path::new(DIR), &world, b"ant", &mut |_| {});
        found.map_err(|error| format!("find: {error}"))?;
    }
    let options = options(sim, lab.sizes).read_only(mode.read_only).read_mode(mode.read);
    let store = match Store::open(DIR, options.clone()) {
        Ok(store) => store,
        Err(error) => {
            check_error(&error, named)?;
            // Of a torn end nothing is told at the next open, so an error means damage.
            return if seen { Ok(Verdict::AtOpen) } else { Err(unseen(&error)) };
        }
    };
    let Some(right) = allowed else {
        return Err("the store opens, though what was durable is gone".to_owned());
    };
    let mut failed = ask_all(lab, &store, right, named)?;
    if !mode.read_only {
        match store.compact() {
            // A merge carries no damage into new tables: what it made answers as before.
            Ok(()) if ask_all(lab, &store, right, named)? && !failed => {
                return Err("answers fail only after a merge".to_owned());
            }
            Ok(()) => {}
            Err(error) => {
                check_error(&error, named)?;
                failed = true;
            }
        }
    }
    if !mode.read_only && !failed {
        // What was cut stays cut, and nothing more goes.
        store.close().map_err(|error| format!("close: {error}"))?;
        let again = Store::open(DIR, options).map_err(|error| format!("the next open: {error}"))?;
        if ask_all(lab, &again, right, named)? {
            return Err("answers fail only after the next open".to_owned());
        }
    }
    match (failed, seen, torn) {
        (true, true, _) => Ok(Verdict::AtRead),
        (true, false, _) => Err("answers fail, and verify tells nothing".to_owned()),
        (false, true, _) => Ok(Verdict::ByVerify),
        (false, false, true) => Ok(Verdict::TornEnd),
        (false, false, false) => Ok(Verdict::Unseen),
    }
}

fn unseen(error: &Error) -> String {
    format!("the store does not open, and verify tells nothing: {error}")
}

/// Asks everything; whether any answer failed.
fn ask_all(lab: &Lab, store: &Store, right: &[Found], named: &[PathBuf]) -> Result<bool, String> {
    let mut failed = false;
    for (question, right) in lab.questions.iter().zip(right) {
        match question.agrees(store, right) {
            Ok(true) => {}
            Ok(false) => {
                let given = question.ask(store);
                return Err(format!("a wrong answer to {question:?}:\n{given:?}\n{right:?}"));
            }
            Err(error) => {
                check_error(&error, named)?;
                failed = true;
            }
        }
    }
    Ok(failed)
}
