//! fjall: one keyspace of all versions. A cache of 1 GiB, memtables of 64 MiB, LZ4, two workers, and
//! no filters, which help no read that seeks. The journal is written with each batch and not
//! synced, unless a batch asks for it.

use std::path::Path;
use std::time::Duration;

use fjall::config::FilterPolicy;
use fjall::{Database, Iter, Keyspace, KeyspaceCreateOptions, PersistMode, UserKey, UserValue};

use crate::Outcome;
use crate::peers::history::{self, Cursor};
use crate::peers::key::{self, SERIES};
use crate::peers::peer::{
    Cell, JoinEntity, Joined, Peer, Reader, Record, Setup, SpineRow, TextRecord, Texts, Write,
    join_by_entity,
};

struct Fjall {
    db: Database,
    history: Keyspace,
    features: u16,
}

/// Opens one.
pub fn open(dir: &Path, setup: Setup) -> Outcome<Box<dyn Peer>> {
    let db = Database::builder(dir).cache_size(1 << 30).worker_threads(2).open()?;
    let memtable = if setup.stays_in_log { 1 << 30 } else { 64 << 20 };
    let options = || {
        KeyspaceCreateOptions::default()
            .max_memtable_size(memtable)
            .filter_policy(FilterPolicy::disabled())
    };
    let history = db.keyspace("history", options)?;
    Ok(Box::new(Fjall { db, history, features: setup.features }))
}

impl Fjall {
    fn cursor(&self) -> FjallCursor<'_> {
        FjallCursor { keyspace: &self.history, iterator: None, at: None }
    }
}

impl Peer for Fjall {
    fn write(&self, batch: &[Record], how: Write) -> Outcome<()> {
        let mut sorted = batch.to_vec();
        sorted.sort_unstable_by_key(|r| (r.entity, r.feature, std::cmp::Reverse(r.time)));
        let mode = if how.synced { PersistMode::SyncData } else { PersistMode::Buffer };
        let mut writes = self.db.batch().durability(Some(mode));
        for record in &sorted {
            let key = key::version(record.entity, record.feature, record.time);
            writes.insert(&self.history, key, record.value.to_bits().to_be_bytes());
        }
        Ok(writes.commit()?)
    }

    fn settle(&self) -> Outcome<()> {
        self.history.rotate_memtable_and_wait()?;
        // Nothing tells when all is at rest: it is when nothing has been under way for a while.
        let mut quiet = 0;
        while quiet < 20 {
            let busy = self.db.outstanding_flushes() + self.db.active_compactions();
            quiet = if busy == 0 { quiet + 1 } else { 0 };
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(self.db.persist(PersistMode::SyncAll)?)
    }

    fn reader(&self) -> Outcome<Box<dyn Reader + '_>> {
        Ok(Box::new(FjallReader { cursor: self.cursor(), plan: 0 }))
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
        let mut writes = self.db.batch();
        for record in batch {
            let key = key::version(record.entity, record.feature, record.time);
            writes.insert(&self.history, key, record.text.as_bytes());
        }
        Ok(writes.commit()?)
    }

    fn text(&self, entity: u32, feature: u16, t: i64) -> Outcome<Option<String>> {
        let mut cursor = self.cursor();
        cursor.seek(&key::version(entity, feature, t), true)?;
        Ok(cursor.pair().map(|(_, text)| String::from_utf8_lossy(text).into_owned()))
    }

    fn close(self: Box<Self>) -> Outcome<()> {
        Ok(self.db.persist(PersistMode::SyncAll)?)
    }
}

/// A range that is open, and where in it one stands. Ranges cannot be used again.
struct FjallCursor<'k> {
    keyspace: &'k Keyspace,
    iterator: Option<Iter>,
    at: Option<(UserKey, UserValue)>,
}

impl Cursor for FjallCursor<'_> {
    fn renew(&mut self) -> Outcome<()> {
        self.iterator = None;
        Ok(())
    }

    fn seek(&mut self, key: &[u8], one_series: bool) -> Outcome<()> {
        let mut end = [0xff; key::VERSION];
        let shared = if one_series { SERIES } else { 8 };
        end[..shared].copy_from_slice(&key[..shared]);
        self.iterator = Some(self.keyspace.range(key..=&end[..]));
        self.advance()
    }

    fn advance(&mut self) -> Outcome<()> {
        let next = self.iterator.as_mut().and_then(Iterator::next);
        self.at = next.map(fjall::Guard::into_inner).transpose()?;
        Ok(())
    }

    fn pair(&self) -> Option<(&[u8], &[u8])> {
        self.at.as_ref().map(|(key, value)| (&**key, &**value))
    }
}

struct FjallReader<'k> {
    cursor: FjallCursor<'k>,
    plan: usize,
}

impl Reader for FjallReader<'_> {
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
        self.cursor.renew()?;
        history::last_texts(&mut self.cursor, (entity, feature), t, most, out)
    }
}
