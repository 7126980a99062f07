//! redb: one table whose keys and values have fixed widths, and one of texts. A cache of 1 GiB. A
//! commit is not durable unless its batch asks for it, but every 512th one, or pages would never be
//! freed: a process that is killed loses what came after that.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use redb::{Database, Durability, Range, ReadOnlyTable, ReadableDatabase, TableDefinition};

use crate::Outcome;
use crate::peers::history::{self, Cursor};
use crate::peers::key::{self, SERIES, VERSION};
use crate::peers::peer::{
    Cell, JoinEntity, Joined, Peer, Reader, Record, Setup, SpineRow, TextRecord, Texts, Write,
    join_by_entity,
};

type Key = &'static [u8; VERSION];

const HISTORY: TableDefinition<'_, Key, &[u8; 8]> = TableDefinition::new("history");

const TEXTS: TableDefinition<'_, Key, &[u8]> = TableDefinition::new("texts");

/// Commits between two that are durable.
const DURABLE: u64 = 512;

struct Redb {
    db: Database,
    features: u16,
    commits: AtomicU64,
}

/// Opens one.
pub fn open(dir: &Path, setup: Setup) -> Outcome<Box<dyn Peer>> {
    let db = Database::builder().set_cache_size(1 << 30).create(dir.join("redb"))?;
    let redb = Redb { db, features: setup.features, commits: AtomicU64::new(0) };
    redb.settle()?;
    Ok(Box::new(redb))
}

impl Redb {
    fn durability(&self, synced: bool) -> Durability {
        let commit = self.commits.fetch_add(1, Ordering::Relaxed);
        if synced || commit.is_multiple_of(DURABLE) {
            Durability::Immediate
        } else {
            Durability::None
        }
    }

    fn cursor(&self) -> Outcome<RedbCursor<'_>> {
        Ok(RedbCursor { db: &self.db, table: table(&self.db)?, range: None, at: None })
    }
}

fn table(db: &Database) -> Outcome<ReadOnlyTable<Key, &'static [u8; 8]>> {
    Ok(db.begin_read()?.open_table(HISTORY)?)
}

impl Peer for Redb {
    fn write(&self, batch: &[Record], how: Write) -> Outcome<()> {
        let mut sorted = batch.to_vec();
        sorted.sort_unstable_by_key(|r| (r.entity, r.feature, std::cmp::Reverse(r.time)));
        let mut txn = self.db.begin_write()?;
        txn.set_durability(self.durability(how.synced))?;
        let mut table = txn.open_table(HISTORY)?;
        for record in &sorted {
            let key = key::version(record.entity, record.feature, record.time);
            table.insert(&key, &record.value.to_bits().to_be_bytes())?;
        }
        drop(table);
        Ok(txn.commit()?)
    }

    fn settle(&self) -> Outcome<()> {
        let txn = self.db.begin_write()?;
        txn.open_table(HISTORY)?;
        txn.open_table(TEXTS)?;
        Ok(txn.commit()?)
    }

    fn reader(&self) -> Outcome<Box<dyn Reader + '_>> {
        Ok(Box::new(RedbReader { cursor: self.cursor()?, plan: 0 }))
    }

    fn join(&self, spine: &[SpineRow], threads: usize, plan: usize) -> Outcome<Box<dyn Joined>> {
        let width = usize::from(self.features);
        join_by_entity(spine, width, threads, || {
            let mut cursor = self.cursor()?;
            let joining: JoinEntity<'_> = Box::new(move |entity, times, cells| {
                history::rows(&mut cursor, plan, entity, times, width, cells)
            });
            Ok(joining)
        })
    }

    fn write_text(&self, batch: &[TextRecord]) -> Outcome<()> {
        let mut txn = self.db.begin_write()?;
        txn.set_durability(self.durability(false))?;
        let mut table = txn.open_table(TEXTS)?;
        for record in batch {
            let key = key::version(record.entity, record.feature, record.time);
            table.insert(&key, record.text.as_bytes())?;
        }
        drop(table);
        Ok(txn.commit()?)
    }

    fn text(&self, entity: u32, feature: u16, t: i64) -> Outcome<Option<String>> {
        let table = self.db.begin_read()?.open_table(TEXTS)?;
        let key = key::version(entity, feature, t);
        let Some(found) = table.range::<&[u8; VERSION]>(&key..)?.next() else { return Ok(None) };
        let (found, text) = found?;
        let is_it = found.value()[..SERIES] == key[..SERIES];
        Ok(is_it.then(|| String::from_utf8_lossy(text.value()).into_owned()))
    }

    fn close(self: Box<Self>) -> Outcome<()> {
        self.settle()
    }
}

/// A range that is open, and where in it one stands. Ranges cannot be used again.
struct RedbCursor<'d> {
    db: &'d Database,
    table: ReadOnlyTable<Key, &'static [u8; 8]>,
    range: Option<Range<'static, Key, &'static [u8; 8]>>,
    at: Option<([u8; VERSION], [u8; 8])>,
}

impl Cursor for RedbCursor<'_> {
    fn renew(&mut self) -> Outcome<()> {
        self.range = None;
        self.table = table(self.db)?;
        Ok(())
    }

    fn seek(&mut self, key: &[u8], one_series: bool) -> Outcome<()> {
        let (mut start, mut end) = ([0; VERSION], [0xff; VERSION]);
        start.copy_from_slice(key);
        let shared = if one_series { SERIES } else { 8 };
        end[..shared].copy_from_slice(&key[..shared]);
        self.range = Some(self.table.range::<&[u8; VERSION]>(&start..=&end)?);
        self.advance()
    }

    fn advance(&mut self) -> Outcome<()> {
        let next = self.range.as_mut().and_then(Iterator::next).transpose()?;
        self.at = next.map(|(key, value)| (*key.value(), *value.value()));
        Ok(())
    }

    fn pair(&self) -> Option<(&[u8], &[u8])> {
        self.at.as_ref().map(|(key, value)| (&key[..], &value[..]))
    }
}

struct RedbReader<'d> {
    cursor: RedbCursor<'d>,
    plan: usize,
}

impl Reader for RedbReader<'_> {
    fn plans(&self) -> &'static [&'static str] {
        history::PLANS
    }

    fn set_plan(&mut self, plan: usize) {
        self.plan = plan;
    }

    fn latest_row(&mut self, entity: u32, cells: &mut [Cell]) -> Outcome<()> {
        self.as_of_row(entity, i64::MAX, cells)
    }

    fn as_of_row(&mut self, entity: u32, t: i64, cells: &mut [Cell]) -> Outcome<()> {
        self.cursor.renew()?;
        let width = cells.len();
        history::rows(&mut self.cursor, self.plan, entity, &[t], width, cells)
    }

    fn latest_point(&mut self, entity: u32, feature: u16) -> Outcome<Cell> {
        self.as_of_point(entity, feature, i64::MAX)
    }

    fn as_of_point(&mut self, entity: u32, feature: u16, t: i64) -> Outcome<Cell> {
        self.cursor.renew()?;
        history::point(&mut self.cursor, entity, feature, t)
    }

    fn last_texts(
        &mut self,
        (entity, feature): (u32, u16),
        t: i64,
        most: usize,
        out: &mut Texts,
    ) -> Outcome<()> {
        let table = self.cursor.db.begin_read()?.open_table(TEXTS)?;
        let key = key::version(entity, feature, t);
        for pair in table.range::<&[u8; VERSION]>(&key..)?.take(most) {
            let (found, text) = pair?;
            let found = found.value();
            if found[..SERIES] != key[..SERIES] {
                break;
            }
            out.push(key::time_of(&found[SERIES..]), text.value());
        }
        Ok(())
    }
}
