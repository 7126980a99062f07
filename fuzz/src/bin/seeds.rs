//! Makes the seeds of all targets, more than are kept: `fuzz/run seeds` picks those that reach
//! code that no other reaches.
//!
//! They come from the stores that the tests keep, from the tests' generator of programs, and from
//! small files written here. The same seeds come out each time.

use std::path::{Path, PathBuf};

use asofdb::world::sim::Rng;
use asofdb_format::directory::FIXED_LEN;
use asofdb_format::frame::{self, FrameHead, Seed};
use asofdb_format::head::Head;
use asofdb_format::header::{FileKind, HEADER_LEN, Header};
use asofdb_format::ids::{FileNumber, StoreId};
use asofdb_format::ints;
use asofdb_fuzz::store::op::{Damage, Definition, Episode, MAX_PUTS, Op, Place, Put, Said, Time};
use asofdb_fuzz::{imports, store, tables, tool};
use asofdb_tests::generate::{Settings, generate};
use asofdb_tests::program::Step;

/// Where the seeds go.
struct Seeds(PathBuf);

impl Seeds {
    fn add(&self, target: &str, bytes: &[u8]) {
        let folder = self.0.join(target);
        std::fs::create_dir_all(&folder).unwrap();
        let number = std::fs::read_dir(&folder).unwrap().count();
        std::fs::write(folder.join(format!("{number:04}")), bytes).unwrap();
    }
}

fn main() {
    let folder = std::env::args().nth(1).expect("a folder to write to");
    let seeds = Seeds(PathBuf::from(folder));
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/v1");
    for kind in ["log", "recent", "run", "taken_back"] {
        let mut paths: Vec<_> = std::fs::read_dir(fixtures.join(kind))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_none())
            .collect();
        paths.sort();
        for path in paths {
            of_file(&seeds, &std::fs::read(path).unwrap());
        }
    }
    small_things(&seeds);
    noise(&seeds);
    programs(&seeds);
    large_tables(&seeds);
    for text in tool::certificates() {
        seeds.add("certificate", text.as_bytes());
    }
    tool::seeds().iter().for_each(|seed| seeds.add("tool", seed));
    imports::seeds().iter().for_each(|seed| seeds.add("import", seed));
}

/// What the parts of a file are to the targets of their decoders.
fn of_file(seeds: &Seeds, bytes: &[u8]) {
    let Ok(header) = Header::decode(bytes) else { return };
    seeds.add("header", &bytes[..HEADER_LEN]);
    match header.kind {
        FileKind::Current => {}
        FileKind::Log | FileKind::Manifest => {
            // The target reads frames of this store and number.
            let seed = Seed::of(StoreId([1; 16]), FileNumber(2));
            let own = Seed::of(header.store, header.number);
            let (frames, _) = frame::decode_all(bytes, HEADER_LEN, own);
            let mut file = Vec::new();
            for frame in frames {
                let target = if header.kind == FileKind::Log { "batch" } else { "edit" };
                seeds.add(target, frame.payload);
                let synced = frame.head.synced.saturating_sub(HEADER_LEN as u64);
                frame::encode(
                    &FrameHead { synced, ..frame.head },
                    &[frame.payload],
                    seed,
                    file.len() as u64,
                    &mut file,
                );
            }
            seeds.add("frame", &file);
        }
        FileKind::Table => of_table(seeds, bytes),
    }
}

fn of_table(seeds: &Seeds, bytes: &[u8]) {
    seeds.add("table", bytes);
    seeds.add("pages", bytes);
    let layout = tables::layout_of(bytes).unwrap();
    let section = |start: u64, end: u64| &bytes[start as usize..end as usize];
    seeds.add("directory", section(layout.directory.start, layout.directory.end()));
    seeds.add("directory", &section(layout.directory.start, layout.directory.end())[FIXED_LEN..]);
    seeds.add("meta", section(layout.meta.start, layout.meta.end()));
    let heads = section(layout.heads.start, layout.heads.end());
    let history = section(layout.history.start, layout.history.end());
    seeds.add("head", heads);
    if let Ok(head) = Head::decode(heads) {
        let chunk = &history[..(head.history().chunk_len as usize).min(history.len())];
        seeds.add("chunk", chunk);
    }
    seeds.add("chunk", history);
}

fn small_things(seeds: &Seeds) {
    for name in ["bool", "i64", "f32", "f64", "text", "bytes", "vector(3)", "vector(0)"] {
        seeds.add("value", name.as_bytes());
    }
    for tag in 0..9u8 {
        let mut bytes = vec![tag, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0];
        bytes.extend_from_slice(&[0; 8]);
        seeds.add("value", &bytes);
    }
    let columns: [&[i64]; 5] =
        [&[7; 9], &[10, 20, 35], &[1000, 1010, 1020, 1030], &[i64::MIN, i64::MAX], &[-1, 3, 2]];
    for column in columns {
        let mut out = vec![column.len() as u8];
        ints::encode(column, &mut out);
        seeds.add("ints", &out);
        let mut form = vec![column.len() as u8, 1];
        form.extend_from_slice(&out[1..]);
        seeds.add("values", &form);
        form[1] = 2;
        form.insert(2, 3);
        seeds.add("values", &form);
    }
    seeds.add("values", &[3, 4, 1, 0, 4, b'x', b'y']);
    seeds.add("values", &[3, 5, 2, b'x', b'y']);
    seeds.add("values", &[0, 0]);
    seeds.add("values", &[4, 0]);
    let forms: Vec<u8> = (0..10).collect();
    let wire =
        [0x80, 1, 0x7e, 2, b'h', b'i', 3, 0xc3, 0xa9, b'z', 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
    seeds.add("wire", &[&forms[..], &wire, &[0xff; 9], &[1], &[0; 20]].concat());
}

/// What structured targets make of any bytes.
fn noise(seeds: &Seeds) {
    let mut rng = Rng::new(1);
    let targets = ["spec_roundtrip", "frame", "head", "chunk", "table", "ints", "values", "pages"];
    for target in targets.into_iter().chain(["directory", "value", "header", "wire", "certificate"])
    {
        for round in 0..24 {
            let len = 16 << (round % 6);
            // Small numbers choose more than large ones.
            let bytes: Vec<u8> = (0..len)
                .map(|_| {
                    let byte = rng.below(256) as u8;
                    if rng.percent(40) { byte & 7 } else { byte }
                })
                .collect();
            seeds.add(target, &bytes);
        }
    }
}

/// Programs of the tests' generator, with reads of everything and damage at some places.
fn programs(seeds: &Seeds) {
    for seed in 1..=40u64 {
        let mut rng = Rng::new(seed);
        let steps: Vec<Step> = generate(seed, Settings::default());
        // Short ones are mutated more often.
        let steps: Vec<Step> = steps.into_iter().filter(fits).take(24 + rng.index(50)).collect();
        let places = [rng.index(steps.len()), steps.len() - 1];
        let ops: Vec<Op> = (0..places.len()).map(|_| damage(&mut rng)).collect();
        let with = rng.percent(75);
        let more = |index: usize| -> Vec<Op> {
            let here = places.iter().zip(&ops).filter(|(place, _)| with && **place == index);
            here.map(|(_, op)| op.clone()).collect()
        };
        let choice = rng.below(256) as u8;
        seeds.add("store", &store::tape_of(choice, u8::from(seed % 7 == 0), &steps, more));
    }
}

fn fits(step: &Step) -> bool {
    !matches!(step, Step::Write { puts, .. } if puts.len() > usize::from(MAX_PUTS))
}

fn damage(rng: &mut Rng) -> Op {
    if rng.percent(15) {
        return Op::Sweep;
    }
    let mut damages = Vec::new();
    for _ in 0..1 + rng.index(2) {
        let file = rng.below(8) as u8 | if rng.percent(50) { 0x80 } else { 0 };
        let at = rng.below(65_536) as u16;
        let place = match rng.below(3) {
            0 => Place::Start(at % 200),
            1 => Place::End(at % 200),
            _ => Place::Part(at),
        };
        damages.push(match rng.below(8) {
            0 | 1 => Damage::Flip(file, place, 1 << rng.below(32)),
            2 | 3 => Damage::Truncate(file, place),
            4 => Damage::Remove(file),
            5 => Damage::Swap(file, rng.below(8) as u8),
            6 => Damage::Fill(file, place, rng.below(60) as u8, 0),
            _ => Damage::PowerCut(at),
        });
    }
    Op::Damage(Episode { how: rng.below(32) as u8, damages })
}

/// Programs with long values, so that tables have pages which an opening does not touch, and damage
/// in them.
fn large_tables(seeds: &Seeds) {
    for seed in 1..=16u64 {
        let mut rng = Rng::new(seed);
        let free = [None; 3];
        let mut ops = vec![
            Op::Define(0, Definition(1, free)),
            Op::Define(1, Definition(2, free)),
            Op::Define(2, Definition(0, free)),
        ];
        for batch in 0..4 + rng.index(4) {
            ops.push(Op::Clock(1, 0));
            let puts = (0..MAX_PUTS).map(|entity| {
                let number = rng.below(65_536) as u16;
                let said = match rng.below(4) {
                    0 => Said::Long(number),
                    1 => Said::Value(number),
                    _ => Said::Noise(number),
                };
                let (feature, back) = (rng.below(3) as u8, rng.below(9) as i16);
                let time = Time::FromNow(-back, 0);
                Put { entity, feature, time, known: None, said }
            });
            ops.push(Op::Write(0, puts.collect()));
            match batch % 3 {
                1 => ops.push(Op::Flush),
                2 => ops.push(Op::Compact),
                _ => {}
            }
        }
        ops.push(if rng.percent(50) { Op::Flush } else { Op::Compact });
        for _ in 0..2 {
            // The newest tables.
            let damages = (0..1 + rng.index(3)).map(|_| {
                let place = Place::Part(rng.below(65_536) as u16);
                Damage::Flip(0x80 | rng.below(2) as u8, place, 1 << rng.below(32))
            });
            let damages = damages.collect();
            ops.push(Op::Damage(Episode { how: rng.below(32) as u8 & !1, damages }));
        }
        // Tables of any length, and both ways of reading them.
        let choice = [0, 64, 32, 16][rng.index(4)];
        let mut tape = vec![choice, 0];
        ops.iter().for_each(|op| op.write(&mut tape));
        seeds.add("store", &tape);
    }
}
