//! Searches all files of a store for what tells of the victims: raw bytes, what compressed blocks
//! hold wherever one begins, whether or not anything points to it, and what records say when they
//! are decoded.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use asofdb::inspect;
use asofdb::world::World;
use asofdb_format::hash::EntityHash;

use crate::lab::{VICTIMS, values};

/// How often something was found, by what it is and how it was found.
pub type Finds = BTreeMap<String, usize>;

/// What is looked for.
pub struct Needles {
    raw: Vec<(&'static str, Vec<u8>)>,
    said: Vec<(&'static str, String)>,
}

impl Needles {
    /// Of versions of the victims with this mark and these numbers.
    pub fn new(mark: &str, base: i64, versions: u64) -> Self {
        let mut raw = vec![("mark", mark.as_bytes().to_vec())];
        let mut said = vec![("mark", mark.to_owned())];
        for (index, _) in VICTIMS.iter().enumerate() {
            for n in 0..versions {
                let base = base + 50_000 * index as i64;
                for (feature, value) in values(mark, base, n) {
                    match (feature, value.as_bits()) {
                        ("p:count", Some(bits)) => {
                            raw.push(("i64", bits.to_le_bytes().to_vec()));
                            said.push(("i64", format!("value={}", bits.cast_signed())));
                        }
                        ("p:spend", Some(bits)) => {
                            raw.push(("f64", bits.to_le_bytes().to_vec()));
                            said.push(("f64", format!("value={:?}", f64::from_bits(bits))));
                        }
                        ("p:share", Some(bits)) => {
                            raw.push(("f32", bits.to_le_bytes().to_vec()));
                        }
                        ("p:vector", _) => {
                            raw.push(("vector", value.as_raw_bytes().unwrap().to_vec()));
                        }
                        _ => {}
                    }
                }
            }
        }
        Self { raw, said }
    }

    /// The entities themselves, and their hashes, which no key keeps from being guessed.
    pub fn of_entities(mut self) -> Self {
        for entity in VICTIMS {
            self.raw.push(("entity", entity.as_bytes().to_vec()));
            self.raw.push(("hash", EntityHash::of(entity.as_bytes()).0.to_le_bytes().to_vec()));
            self.said.push(("entity", entity.to_owned()));
        }
        self
    }
}

/// Searches files, which are all of a store's directory.
pub fn search(files: &[(PathBuf, Vec<u8>)], dir: &Path, world: &World, needles: &Needles) -> Finds {
    let mut finds = Finds::new();
    let mut blocks = 0;
    for (path, bytes) in files {
        let kind = path.file_name().unwrap().to_string_lossy();
        let kind = kind.split('-').next().unwrap().to_owned();
        for (what, count) in raw(bytes, needles) {
            *finds.entry(format!("{what} in {kind}")).or_default() += count;
        }
        for block in expand(bytes) {
            blocks += 1;
            for (what, count) in raw(&block, needles) {
                *finds.entry(format!("{what} in a block")).or_default() += count;
            }
        }
    }
    let mut records = 0;
    inspect::dump_store(dir, world, &mut |item| {
        records += 1;
        let line = item.to_string();
        for (what, said) in &needles.said {
            // A number ends where it ends.
            let ends = |rest: &str| !rest.starts_with(|next: char| next.is_ascii_digit());
            if line.match_indices(said).any(|(at, _)| ends(&line[at + said.len()..])) {
                *finds.entry(format!("{what} said")).or_default() += 1;
            }
        }
    })
    .unwrap();
    println!("{} files, {blocks} blocks, {records} items searched: {finds:?}", files.len());
    finds
}

fn raw(bytes: &[u8], needles: &Needles) -> Vec<(&'static str, usize)> {
    let mut first: Vec<Vec<&(&'static str, Vec<u8>)>> = vec![Vec::new(); 256];
    for needle in &needles.raw {
        first[usize::from(needle.1[0])].push(needle);
    }
    let mut found: BTreeMap<&str, usize> = BTreeMap::new();
    for (at, byte) in bytes.iter().enumerate() {
        for (what, needle) in &first[usize::from(*byte)] {
            if bytes[at..].starts_with(needle) {
                *found.entry(what).or_default() += 1;
            }
        }
    }
    found.into_iter().collect()
}

/// What every compressed block holds, at whatever place of the file one begins.
fn expand(bytes: &[u8]) -> Vec<Vec<u8>> {
    let magic = [0x28, 0xb5, 0x2f, 0xfd];
    let starts = bytes.windows(4).enumerate().filter(|(_, four)| *four == magic);
    starts
        .map(|(at, _)| {
            let mut block = Vec::new();
            let decoder = zstd::stream::read::Decoder::with_buffer(&bytes[at..]).unwrap();
            // Up to where it is no block any more.
            let _ = decoder.single_frame().take(16 << 20).read_to_end(&mut block);
            block
        })
        .collect()
}
