//! RocksDB: one column family of all versions, and beside it, if that is asked for, one of the
//! newest versions, written in the same batch.
//!
//! Set up as for feature data: a prefix of entity and feature with a bloom filter, blocks of 8 KiB
//! with a restart at every eighth key, LZ4 above ZSTD at the bottom, a HyperClock cache of 1 GiB,
//! indexes and filters in memory, four memtables of 64 MiB, batches sorted by key. The log is
//! written and not synced, unless a batch asks for it. Iterators are kept and refreshed.

use std::path::Path;

use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamily, ColumnFamilyDescriptor, DB, DBCompressionType,
    DBRawIterator, DataBlockIndexType, FlushOptions, Options, ReadOptions, SliceTransform,
    WaitForCompactOptions, WriteBatch, WriteOptions,
};

use crate::Outcome;
use crate::peers::history::{self, Cursor};
use crate::peers::key::{self, SERIES};
use crate::peers::peer::{
    Cell, JoinEntity, Joined, Peer, Reader, Record, Setup, SpineRow, TextRecord, Texts, Write,
    join_by_entity,
};

struct Rocks {
    db: DB,
    has_latest: bool,
    features: u16,
}

/// Opens one of a single column family.
pub fn open(dir: &Path, setup: Setup) -> Outcome<Box<dyn Peer>> {
    open_with(dir, setup, false)
}

/// Opens one with a column family of the newest versions.
pub fn open_with_latest(dir: &Path, setup: Setup) -> Outcome<Box<dyn Peer>> {
    open_with(dir, setup, true)
}

fn open_with(dir: &Path, setup: Setup, has_latest: bool) -> Outcome<Box<dyn Peer>> {
    let cache = Cache::new_hyper_clock_cache(1 << 30, 8 << 10);
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    options.set_max_background_jobs(2);
    options.set_max_subcompactions(2);
    // Whatever is sorted goes in by its neighbour, which concurrent inserts cannot do.
    options.set_allow_concurrent_memtable_write(false);
    let mut families = vec![ColumnFamilyDescriptor::new("default", family(&cache, setup, false))];
    if has_latest {
        families.push(ColumnFamilyDescriptor::new("latest", family(&cache, setup, true)));
    }
    let db = DB::open_cf_descriptors(&options, dir, families)?;
    Ok(Box::new(Rocks { db, has_latest, features: setup.features }))
}

fn family(cache: &Cache, setup: Setup, is_latest: bool) -> Options {
    let mut blocks = BlockBasedOptions::default();
    blocks.set_block_cache(cache);
    blocks.set_format_version(6);
    blocks.set_bloom_filter(10.0, false);
    blocks.set_whole_key_filtering(is_latest);
    if is_latest {
        blocks.set_block_size(4 << 10);
        blocks.set_data_block_index_type(DataBlockIndexType::BinaryAndHash);
    } else {
        blocks.set_block_size(8 << 10);
        blocks.set_block_restart_interval(8);
    }
    let mut options = Options::default();
    options.set_block_based_table_factory(&blocks);
    if !is_latest {
        options.set_prefix_extractor(SliceTransform::create_fixed_prefix(SERIES));
        options.set_memtable_prefix_bloom_ratio(0.1);
    }
    options.set_compression_type(DBCompressionType::Lz4);
    options.set_bottommost_compression_type(DBCompressionType::Zstd);
    options.set_write_buffer_size(if setup.stays_in_log { 1 << 30 } else { 64 << 20 });
    options.set_max_write_buffer_number(4);
    options.set_level_compaction_dynamic_level_bytes(true);
    options
}

fn write_options(synced: bool) -> WriteOptions {
    let mut options = WriteOptions::default();
    options.set_sync(synced);
    options.set_memtable_insert_hint_per_batch(true);
    options
}

impl Rocks {
    fn latest(&self) -> Outcome<&ColumnFamily> {
        self.db.cf_handle("latest").ok_or_else(|| "no newest versions".into())
    }

    fn cursor(&self) -> RocksCursor<'_> {
        let mut by_prefix = ReadOptions::default();
        by_prefix.set_prefix_same_as_start(true);
        let mut by_all = ReadOptions::default();
        by_all.set_total_order_seek(true);
        RocksCursor {
            series: self.db.raw_iterator_opt(by_prefix),
            all: self.db.raw_iterator_opt(by_all),
            in_series: false,
        }
    }
}

impl Peer for Rocks {
    fn write(&self, batch: &[Record], how: Write) -> Outcome<()> {
        let mut sorted = batch.to_vec();
        sorted.sort_unstable_by_key(|r| (r.entity, r.feature, std::cmp::Reverse(r.time)));
        let mut writes = WriteBatch::default();
        for record in &sorted {
            let key = key::version(record.entity, record.feature, record.time);
            writes.put(key, record.value.to_bits().to_be_bytes());
        }
        if self.has_latest {
            let latest = self.latest()?;
            sorted.dedup_by_key(|record| (record.entity, record.feature));
            let keys: Vec<_> = sorted.iter().map(|r| key::series(r.entity, r.feature)).collect();
            let there = if how.may_be_late {
                self.db.batched_multi_get_cf(latest, &keys, true)
            } else {
                Vec::new()
            };
            let mut there = there.into_iter();
            for (record, key) in sorted.iter().zip(&keys) {
                let found = there.next().transpose()?.flatten();
                if found.is_none_or(|found| key::time_of(&found) <= record.time) {
                    writes.put_cf(latest, key, key::pair(record.time, record.value));
                }
            }
        }
        Ok(self.db.write_opt(writes, &write_options(how.synced))?)
    }

    fn settle(&self) -> Outcome<()> {
        let mut options = FlushOptions::default();
        options.set_wait(true);
        self.db.flush_opt(&options)?;
        if self.has_latest {
            self.db.flush_cf_opt(self.latest()?, &options)?;
        }
        Ok(self.db.wait_for_compact(&WaitForCompactOptions::default())?)
    }

    fn reader(&self) -> Outcome<Box<dyn Reader + '_>> {
        let latest = if self.has_latest {
            let mut by_all = ReadOptions::default();
            by_all.set_total_order_seek(true);
            Some((self.latest()?, self.db.raw_iterator_cf_opt(self.latest()?, by_all)))
        } else {
            None
        };
        Ok(Box::new(RocksReader { db: &self.db, cursor: self.cursor(), latest, plan: 0 }))
    }

    fn join(&self, spine: &[SpineRow], threads: usize, plan: usize) -> Outcome<Box<dyn Joined>> {
        let width = usize::from(self.features);
        join_by_entity(spine, width, threads, || {
            let mut cursor = self.cursor();
            let joining: JoinEntity<'_> = Box::new(move |entity, times, cells| {
                history::rows(&mut cursor, plan, entity, times, width, cells)
            });
            Ok(joining)
        })
    }

    fn write_text(&self, batch: &[TextRecord]) -> Outcome<()> {
        let mut writes = WriteBatch::default();
        for record in batch {
            let key = key::version(record.entity, record.feature, record.time);
            writes.put(key, &record.text);
            if self.has_latest {
                let mut data = key::descending(record.time).to_vec();
                data.extend_from_slice(record.text.as_bytes());
                writes.put_cf(self.latest()?, &key[..SERIES], data);
            }
        }
        Ok(self.db.write_opt(writes, &write_options(false))?)
    }

    fn text(&self, entity: u32, feature: u16, t: i64) -> Outcome<Option<String>> {
        let mut cursor = self.cursor();
        let key = key::version(entity, feature, t);
        cursor.seek(&key, true)?;
        let found = cursor.pair().filter(|(found, _)| found.starts_with(&key[..SERIES]));
        Ok(found.map(|(_, text)| String::from_utf8_lossy(text).into_owned()))
    }

    fn close(self: Box<Self>) -> Outcome<()> {
        self.db.cancel_all_background_work(true);
        Ok(())
    }
}

/// Two iterators over all versions: one that may stop at the end of a feature, which lets filters
/// help, and one that may not.
struct RocksCursor<'d> {
    series: DBRawIterator<'d>,
    all: DBRawIterator<'d>,
    in_series: bool,
}

impl Cursor for RocksCursor<'_> {
    fn renew(&mut self) -> Outcome<()> {
        self.series.refresh()?;
        Ok(self.all.refresh()?)
    }

    fn seek(&mut self, key: &[u8], one_series: bool) -> Outcome<()> {
        self.in_series = one_series;
        let iterator = if one_series { &mut self.series } else { &mut self.all };
        iterator.seek(key);
        Ok(iterator.status()?)
    }

    fn advance(&mut self) -> Outcome<()> {
        let iterator = if self.in_series { &mut self.series } else { &mut self.all };
        iterator.next();
        Ok(())
    }

    fn pair(&self) -> Option<(&[u8], &[u8])> {
        if self.in_series { self.series.item() } else { self.all.item() }
    }
}

struct RocksReader<'d> {
    db: &'d DB,
    cursor: RocksCursor<'d>,
    latest: Option<(&'d ColumnFamily, DBRawIterator<'d>)>,
    plan: usize,
}

impl RocksReader<'_> {
    /// Only the iterator that the plan uses is refreshed.
    fn renew(&mut self, plan: usize) -> Outcome<()> {
        let RocksCursor { series, all, .. } = &mut self.cursor;
        let iterator = if plan == history::SEEK { series } else { all };
        Ok(iterator.refresh()?)
    }
}

impl Reader for RocksReader<'_> {
    fn plans(&self) -> &'static [&'static str] {
        history::PLANS
    }

    fn set_plan(&mut self, plan: usize) {
        self.plan = plan;
    }

    fn latest_row(&mut self, entity: u32, cells: &mut [Cell]) -> Outcome<()> {
        let Some((_, iterator)) = &mut self.latest else {
            return self.as_of_row(entity, i64::MAX, cells);
        };
        cells.fill(Cell::MISSING);
        iterator.refresh()?;
        iterator.seek(key::series(entity, 0));
        for _ in 0..cells.len() {
            let Some((key, pair)) = iterator.item() else { break };
            match key::feature_of(key, entity).and_then(|feature| cells.get_mut(feature)) {
                Some(cell) => *cell = key::cell_of(pair),
                None => break,
            }
            iterator.next();
        }
        Ok(iterator.status()?)
    }

    fn as_of_row(&mut self, entity: u32, t: i64, cells: &mut [Cell]) -> Outcome<()> {
        self.renew(self.plan)?;
        let width = cells.len();
        history::rows(&mut self.cursor, self.plan, entity, &[t], width, cells)
    }

    fn latest_point(&mut self, entity: u32, feature: u16) -> Outcome<Cell> {
        let Some((latest, _)) = self.latest else {
            return self.as_of_point(entity, feature, i64::MAX);
        };
        let found = self.db.get_pinned_cf(latest, key::series(entity, feature))?;
        Ok(found.map_or(Cell::MISSING, |pair| key::cell_of(&pair)))
    }

    fn as_of_point(&mut self, entity: u32, feature: u16, t: i64) -> Outcome<Cell> {
        self.renew(history::SEEK)?;
        history::point(&mut self.cursor, entity, feature, t)
    }

    fn last_texts(
        &mut self,
        (entity, feature): (u32, u16),
        t: i64,
        most: usize,
        out: &mut Texts,
    ) -> Outcome<()> {
        self.renew(history::SEEK)?;
        history::last_texts(&mut self.cursor, (entity, feature), t, most, out)
    }
}
