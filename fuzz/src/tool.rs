//! The tool on files of any content: a file alone, or in the place of one in a small store, or as the
//! certificate of an erase that a store is held against.
//!
//! Nothing panics, hangs or takes more than [`MEMORY`]. Files may be given the checksums that they
//! should have, so that what stands behind a checksum is reached too.

mod mend;

use std::cell::RefCell;
use std::io::Write;
use std::path::Path;
use std::rc::Rc;

use asofdb_tools::{Cli, Console, Error};
use clap::Parser as _;

use crate::{certificates, heap};

/// What a command may take.
pub const MEMORY: usize = 64 << 20;

/// What a command may say: a few bytes can tell of millions of records.
const MAX_SAID: usize = 4 << 20;

/// What a command said.
#[derive(Clone, Debug, Default)]
pub struct Said(Rc<RefCell<Vec<u8>>>);

impl Said {
    /// All of it.
    pub fn bytes(&self) -> Vec<u8> {
        self.0.borrow().clone()
    }
}

impl Write for Said {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut said = self.0.borrow_mut();
        if said.len() + bytes.len() > MAX_SAID {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        said.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A command: what it said on its output, and how it ended.
pub fn run(words: &[&str]) -> (Vec<u8>, Result<(), Error>) {
    let words = std::iter::once("asofdb").chain(words.iter().copied());
    let said = Said::default();
    let result = match Cli::try_parse_from(words) {
        Err(error) => Err(Error::Usage(error.to_string())),
        Ok(cli) => {
            let mut console = Console::to(cli.json, said.clone(), Said::default());
            let result = cli.command.run(&mut console);
            result.and_then(|()| console.flush())
        }
    };
    if let Err(error) = &result {
        assert!(!error.to_string().is_empty(), "an error without a word: {error:?}");
    }
    (said.bytes(), result)
}

/// A directory of its own, in memory if the machine has one there.
pub fn folder() -> tempfile::TempDir {
    let shm = Path::new("/dev/shm");
    let made = if shm.is_dir() { tempfile::tempdir_in(shm) } else { tempfile::tempdir() };
    made.unwrap()
}

/// The bits of the first byte: JSON, checksums mended, alone or in a store; then the store, and
/// whether the file is a certificate beside it.
const JSON: u8 = 1;
const MENDED: u8 = 2;
const ALONE: u8 = 4;
const CERTIFICATE: u8 = 128;

/// How many commands a byte chooses from, beside those that are always played.
const COMMANDS: usize = 6;

/// Plays an input: a byte of choices, a byte that tells the file and one of the commands, the file.
pub fn play(bytes: &[u8]) {
    let Some(([choices, number], content)) = bytes.split_first_chunk::<2>() else { return };
    let index = usize::from(choices >> 3) % STORES.len();
    let store = &STORES[index];
    let certificate = certificates::of_store(store).encode().into_bytes();
    let is_certificate = choices & CERTIFICATE != 0;
    let (name, original) = match store[usize::from(*number) % store.len()] {
        _ if is_certificate => ("../certificate", certificate.as_slice()),
        file => file,
    };
    let content = match choices & MENDED {
        0 => Some(content.to_vec()),
        _ if is_certificate => Some(certificates::mended(content)),
        _ => mend::mended(name, original, content),
    };
    let Some(content) = content else { return };
    let folder = folder();
    let (dir, proof) = (folder.path().join("store"), folder.path().join("certificate"));
    std::fs::create_dir(&dir).unwrap();
    if choices & ALONE == 0 {
        for (name, bytes) in store.iter() {
            std::fs::write(dir.join(name), bytes).unwrap();
        }
    }
    let path = dir.join(name);
    std::fs::write(&proof, &certificate).unwrap();
    std::fs::write(&path, &content).unwrap();
    let [path, dir, proof] = [&path, &dir, &proof].map(|path| path.to_str().unwrap());
    let json = if choices & JSON == 0 { None } else { Some("--json") };
    let is_changed = content != original;
    let held_against: &[&str] = &["verify", dir, "--erased", proof];
    let others: [&[&str]; COMMANDS] = [
        &["dump", dir],
        &["dump", dir, "--entity", "entity-3"],
        &["features", dir],
        &["stats", dir],
        &["latest", dir, "entity-3"],
        held_against,
    ];
    let other = others[usize::from(number >> 3) % COMMANDS];
    let (of_file, of_proof) = ([&["dump", path], &["verify", dir], other], [held_against]);
    for command in if is_certificate { &of_proof[..] } else { &of_file[..] } {
        let words: Vec<&str> = command.iter().copied().chain(json).collect();
        let (said, result) = heap::at_most(MEMORY, || run(&words));
        let whole = !is_changed && choices & ALONE == 0;
        let fails = index == PENDING && command.contains(&"--erased");
        assert!(!whole || result.is_err() == fails, "{command:?} of a whole store: {result:?}");
        // Of an entity that is nowhere JSON has no line.
        let may_be_silent = json.is_some() && command.contains(&"--entity");
        assert!(may_be_silent || result.is_err() || !said.is_empty(), "{command:?} says nothing");
    }
}

type File = (&'static str, &'static [u8]);

macro_rules! store {
    ($folder:literal: $($name:literal)*) => {
        &[$(($name, include_bytes!(concat!("../../tests/fixtures/v1/", $folder, "/", $name)))),*]
    };
}

/// The stores that the tests keep, of every kind.
const STORES: [&[File]; 4] = [
    store!("log": "CURRENT" "LOG-000001" "MANIFEST-000002"),
    store!("recent": "CURRENT" "LOG-000009" "MANIFEST-000002" "TABLE-000004" "TABLE-000006"
        "TABLE-000008" "TABLE-000010"),
    store!("run": "CURRENT" "LOG-000014" "MANIFEST-000002" "TABLE-000016" "TABLE-000017"),
    store!("taken_back": "CURRENT" "LOG-000014" "MANIFEST-000002" "TABLE-000016" "TABLE-000017"),
];

/// The store that still holds what was erased: it is not as a certificate says.
const PENDING: usize = 3;

/// The certificates of these stores.
pub fn certificates() -> impl Iterator<Item = String> {
    STORES.iter().map(|store| certificates::of_store(store).encode())
}

/// Inputs that leave each file of each store as it is, alone and not, mended and not, and its
/// certificate.
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (index, store) in STORES.iter().enumerate() {
        let certificate = certificates::of_store(store).encode();
        for choices in [MENDED, JSON] {
            let choices = CERTIFICATE | choices | (index as u8) << 3;
            seeds.push([&[choices, 0], certificate.as_bytes()].concat());
        }
        for (number, (name, bytes)) in store.iter().enumerate() {
            // Of files alike one is enough.
            if index > 1 && *name == "CURRENT" || index != 0 && bytes.len() == 56 {
                continue;
            }
            for choices in [MENDED, ALONE | JSON] {
                // With each of the commands in turn.
                let command = (seeds.len() / 2 % COMMANDS) as u8;
                let file =
                    (0..8).find(|file| (command << 3 | file) as usize % store.len() == number);
                let number = command << 3 | file.unwrap_or(0);
                let mut seed = vec![choices | (index as u8) << 3, number];
                seed.extend_from_slice(bytes);
                seeds.push(seed);
            }
        }
    }
    seeds
}
