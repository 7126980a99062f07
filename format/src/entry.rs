//! What a manifest knows of a table without opening it: which file it is, where it stands, and the
//! bounds that let a read pass it over.

use crate::hash::EntityHash;
use crate::ids::{Commit, EventTime, FileNumber, KnownTime};
use crate::wire::{Decoded, Reader, Writer};

/// What a manifest knows of a table.
///
/// ```text
/// varint number | varint length | u32 identity
/// | u8 level: 0 recent, 1 present, 2 past and then: varint run, zigzag first moment of the window,
///   zigzag last moment of the window, zigzag superseded by, zigzag made at
/// | u64 least hash | u64 greatest hash | varint entities | varint revisions
/// | zigzag least event time | zigzag greatest event time | zigzag greatest known time
/// | zigzag least commit | zigzag greatest commit
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TableEntry {
    /// The file's number.
    pub number: FileNumber,
    /// The file's length in bytes.
    pub len: u64,
    /// The checksum of its footer, which every other checksum hangs on.
    pub identity: u32,
    /// Where it stands.
    pub level: Level,
    /// The least hash of its entities.
    pub min_hash: EntityHash,
    /// The greatest hash of its entities.
    pub max_hash: EntityHash,
    /// How many rows its directory has.
    pub entities: u64,
    /// How many revisions it holds.
    pub revisions: u64,
    /// The least event time.
    pub min_event_time: EventTime,
    /// The greatest event time.
    pub max_event_time: EventTime,
    /// The greatest known time.
    pub max_known_time: KnownTime,
    /// The least commit.
    pub min_commit: Commit,
    /// The greatest commit.
    pub max_commit: Commit,
}

/// Where a table stands among the tables of its store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Level {
    /// Flushed, and not yet merged into the present; such tables may overlap.
    Recent,
    /// No two tables of the present hold the same entity.
    Present,
    /// Versions that newer ones have superseded. No two tables of one run hold the same entity.
    Past(Past),
}

/// What is known of a table of the past.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Past {
    /// Tables of one run have the same number.
    pub run: u64,
    /// The first and the last moment of the window of time that the run stands for.
    pub window: (EventTime, EventTime),
    /// Each revision of the table has another after it in the order, of the same entity and
    /// feature, whose event time, known time and commit are all at or before this moment, and which
    /// nothing had taken away at `made`.
    pub superseded: EventTime,
    /// The newest commit when that was so.
    pub made: Commit,
}

impl Level {
    /// The number that stands for it: 0, 1 or 2.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Recent => 0,
            Self::Present => 1,
            Self::Past(_) => 2,
        }
    }

    /// What is known of it if it is of the past.
    #[must_use]
    pub const fn past(&self) -> Option<&Past> {
        match self {
            Self::Past(past) => Some(past),
            Self::Recent | Self::Present => None,
        }
    }

    fn encode(self, out: &mut Vec<u8>) {
        out.push(self.number());
        if let Self::Past(past) = self {
            out.put_varint(past.run);
            out.put_zigzag(past.window.0.0);
            out.put_zigzag(past.window.1.0);
            out.put_zigzag(past.superseded.0);
            out.put_zigzag(past.made.0);
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        let fault = reader.fault("a level of 0, 1 or 2");
        Ok(match reader.u8()? {
            0 => Self::Recent,
            1 => Self::Present,
            2 => Self::Past(Past {
                run: reader.varint()?,
                window: (EventTime(reader.zigzag()?), EventTime(reader.zigzag()?)),
                superseded: EventTime(reader.zigzag()?),
                made: Commit(reader.zigzag()?),
            }),
            _ => return Err(fault),
        })
    }
}

impl TableEntry {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.put_varint(self.number.0);
        out.put_varint(self.len);
        out.put_u32(self.identity);
        self.level.encode(out);
        out.put_u64(self.min_hash.0);
        out.put_u64(self.max_hash.0);
        out.put_varint(self.entities);
        out.put_varint(self.revisions);
        for moment in [
            self.min_event_time.0,
            self.max_event_time.0,
            self.max_known_time.0,
            self.min_commit.0,
            self.max_commit.0,
        ] {
            out.put_zigzag(moment);
        }
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        Ok(Self {
            number: FileNumber(reader.varint()?),
            len: reader.varint()?,
            identity: reader.u32()?,
            level: Level::decode(reader)?,
            min_hash: EntityHash(reader.u64()?),
            max_hash: EntityHash(reader.u64()?),
            entities: reader.varint()?,
            revisions: reader.varint()?,
            min_event_time: EventTime(reader.zigzag()?),
            max_event_time: EventTime(reader.zigzag()?),
            max_known_time: KnownTime(reader.zigzag()?),
            min_commit: Commit(reader.zigzag()?),
            max_commit: Commit(reader.zigzag()?),
        })
    }
}
