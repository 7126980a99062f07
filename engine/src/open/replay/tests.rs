//! Logs that are replayed in many ways, against their entries put in one by one.
#![expect(clippy::indexing_slicing, reason = "a test fails by panicking")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use asofdb_format::batch::{BatchHead, EntryEncoder, EntryValue};
use asofdb_format::catalog::{Definition, Terms};
use asofdb_format::edit::Edit;
use asofdb_format::hash::EraseKey;
use asofdb_format::header::{FileKind, Header};
use asofdb_format::ids::{EventTime, FileNumber, KnownTime, StoreId};
use asofdb_format::revision::Revision;
use asofdb_format::value::Kind;
use bytes::Bytes;

use super::*;
use crate::files::log::FrameWriter;
use crate::world::disk::Disk;
use crate::world::scheduler::{Manual, Threads, Work, Worker};
use crate::world::sim::SimDisk;

/// Numbers that look random, the same for a seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        (self.0 >> 33) % limit
    }
}

/// Does jobs one after another, as for so many cores.
#[derive(Debug)]
struct Cores(usize);

impl Scheduler for Cores {
    fn start(&self, name: &str, work: Arc<dyn Work>) -> Box<dyn Worker> {
        Manual::new().start(name, work)
    }

    fn runs_by_itself(&self) -> bool {
        false
    }

    fn run_all(&self, jobs: Vec<Box<dyn FnOnce() + Send + '_>>) {
        // Which comes first must not matter.
        jobs.into_iter().rev().for_each(|job| job());
    }

    fn parallelism(&self) -> usize {
        self.0
    }
}

const DIR: &str = "/store";
const LOG: FileNumber = FileNumber(1);
const STORE: StoreId = StoreId([7; 16]);
const FEATURES: [ValueType; 4] = [ValueType::I64, ValueType::Text, ValueType::F64, ValueType::I64];

fn picture() -> Durable {
    let mut durable = Durable::new(EraseKey([1; 16]));
    for (id, value_type) in (1..).zip(FEATURES) {
        let (id, name) = (FeatureId(id), format!("f:{id}"));
        let definition = Definition { id, name, schema: 1, value_type, terms: Terms::default() };
        durable.apply(&Edit::Define(Commit(i64::from(id.0)), definition)).unwrap();
    }
    for (id, label) in [(1, "job"), (2, "model")] {
        durable.apply(&Edit::Source(SourceId(id), label.to_owned())).unwrap();
    }
    durable.apply(&Edit::RevertSource(Commit(60), SourceId(1))).unwrap();
    durable.apply(&Edit::RevertCommits(Commit(61), vec![Commit(15), Commit(16)])).unwrap();
    durable
}

/// A log of random batches; `broken`: the batch that has an entry of a feature that is not there.
fn log(random: &mut Random, broken: Option<i64>) -> FrameFile {
    let disk = SimDisk::new();
    disk.create_dir_all(Path::new(DIR)).unwrap();
    let header = Header::new(FileKind::Log, STORE, LOG, 0);
    let writer = FrameWriter::create(&disk, Path::new(DIR), &header).unwrap();
    let names: Vec<Vec<u8>> = (1..40usize).map(|n| vec![b'e'; n % 13 + 1]).collect();
    for commit in 10..110i64 {
        let mut entries = EntryEncoder::default();
        let most = [3, 40, 400][narrow(random.below(20) / 9)];
        for _ in 0..random.below(most) {
            let id = 1 + random.below(4);
            let value = match random.below(5) {
                0 => EntryValue::None,
                _ if id == 2 => {
                    EntryValue::Raw([b"".as_slice(), b"x", b"text"][narrow(random.below(3))])
                }
                _ => EntryValue::Bits(random.below(1 << 40)),
            };
            let late = if random.below(9) == 0 { 60 } else { 2 };
            let event_time = EventTime(commit - random.below(late).cast_signed());
            let known_time = (random.below(3) == 0).then_some(KnownTime(commit - 1));
            let kind = if value == EntryValue::None { Kind::Null } else { Kind::Value };
            let number = u32::try_from(if broken == Some(commit) { 9 } else { id }).unwrap();
            let mut entity = names[narrow(random.below(39))].clone();
            entity[0] = b'a' + u8::try_from(random.below(3)).unwrap();
            entries.push(&Entry {
                entity: &entity,
                feature: FeatureId(number),
                event_time,
                known_time,
                kind,
                value,
            });
        }
        let source = [None, Some((SourceId(1), "job")), Some((SourceId(2), "model"))];
        let source = source[narrow(random.below(3))].map(|(id, label)| (id, label.to_owned()));
        let name = format!("m{}", random.below(3));
        let marks = vec![(name, Bytes::from(commit.to_string()))];
        let head = BatchHead { source, marks, entries: entries.entries() }.encode();
        let parts = [head.as_slice(), entries.as_bytes()];
        writer.append(FrameKind::Batch, Commit(commit), Commit(1_000), &parts).unwrap();
    }
    FrameFile::read(&disk, Path::new(DIR), FileKind::Log, LOG, STORE).unwrap()
}

/// All that a memtable holds, in a form that can be compared.
type Held = (Vec<(Bytes, Vec<(FeatureId, Vec<Revision>)>)>, String, u64);

fn held(memtable: &Memtable, durable: &Durable) -> Held {
    let entities = memtable.entities();
    let all = entities.iter().map(|node| (node.entity(), node.revisions(Vec::new))).collect();
    let aside = format!("{:?} {:?}", memtable.aside(), durable.commits);
    (all, aside, memtable.revisions())
}

fn one_by_one(file: &FrameFile) -> Held {
    let (mut durable, memtable) = (picture(), Memtable::new(LOG, 1 << 12));
    for frame in file.frames() {
        let mut batch = Batch::begin(&frame, file, &memtable, &mut durable).unwrap();
        let mut times = Vec::new();
        while let Some(entry) = batch.next(&durable.catalog).unwrap() {
            let put = Incoming::of(&entry, batch.commit, batch.source);
            times.push(entry.event_time.0);
            let mut aside = memtable.aside();
            let value_type = FEATURES[put.feature.0 as usize - 1];
            let tally = aside.tallies.entry(put.feature).or_insert_with(|| Tally::new(value_type));
            tally.count(&put.order, put.kind, put.value);
            if batch.touches {
                aside.touches.entry((batch.source, put.feature)).or_insert(batch.commit);
            }
            drop(aside);
            let mut inserter = memtable.inserter();
            inserter.put(entry.entity, put);
            inserter.end();
        }
        if let Some(step) = Step::of(batch.commit, &mut times) {
            memtable.add_step(&mut memtable.aside(), step);
        }
    }
    durable.commits.add_all(&memtable.aside().commits);
    held(&memtable, &durable)
}

fn grains() -> [Grain; 4] {
    let grain = |round, part, piece, most_parts| Grain { round, part, piece, most_parts };
    [grain(1 << 20, 1, 1, 64), grain(50, 4, 7, 8), grain(333, 100, 50, 4), GRAIN]
}

#[test]
fn a_replay_puts_revisions_in_another_order_than_the_log() {
    let (mut logs, mut revisions) = (0, 0);
    for seed in 0..6 {
        let file = log(&mut Random(seed), None);
        let expected = one_by_one(&file);
        let schedulers: [&dyn Scheduler; 4] = [&Cores(1), &Cores(2), &Cores(5), &Threads];
        for (scheduler, grain) in schedulers.iter().flat_map(|s| grains().map(|grain| (s, grain))) {
            let (mut durable, memtable) = (picture(), Memtable::new(LOG, 1 << 12));
            replay_by(grain, *scheduler, &memtable, &file, &mut durable).unwrap();
            let found = held(&memtable, &durable);
            assert!(found == expected, "seed {seed}, {grain:?}, {scheduler:?}");
            logs += 1;
        }
        revisions += expected.2;
    }
    println!("{logs} replays of 6 logs with {revisions} revisions");
}

#[test]
fn a_fault_is_hidden_by_how_a_replay_is_parted_or_told_of_another_batch() {
    for broken in [10, 57, 109] {
        // Most batches have entries; an empty one cannot be broken.
        let seed = (0..).find(|seed| {
            let frames = log(&mut Random(*seed), None);
            let batch = frames.frames().nth(usize::try_from(broken - 10).unwrap()).unwrap();
            BatchReader::decode(batch.payload).unwrap().head.entries > 0
        });
        let file = log(&mut Random(seed.unwrap()), Some(broken));
        let fault = |grain, cores| {
            let (mut durable, memtable) = (picture(), Memtable::new(LOG, 1 << 12));
            replay_by(grain, &Cores(cores), &memtable, &file, &mut durable).unwrap_err().to_string()
        };
        let expected = fault(GRAIN, 1);
        let all = [1, 2, 5].into_iter().flat_map(|cores| grains().map(|grain| (cores, grain)));
        for (cores, grain) in all {
            assert_eq!(fault(grain, cores), expected, "{cores} cores, {grain:?}");
        }
        println!("{expected}");
    }
}
