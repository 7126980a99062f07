//! The operations of a program on a store, as a tape holds them.
//!
//! Times are told from the store's clock and from what is written, so that they meet: most bytes
//! give a time at which something changes.
//!
//! Invariant: what [`Op::write`] writes [`Op::read`] reads back.

use super::tape::Tape;

/// A time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    /// So many seconds and microseconds after the clock.
    FromNow(i16, i8),
    /// One that does not follow from the clock: see `steps`.
    Special(u8),
}

/// The micros that say that a special time follows.
const SPECIAL: i8 = i8::MIN;

/// A length of time in seconds and microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Length(pub u8, pub i8);

/// A definition: the number of its type, TTL, history, `forget_after`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Definition(pub u8, pub [Option<Length>; 3]);

/// What a put says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// A null.
    Null,
    /// A delete.
    Deleted,
    /// A value of a type that the feature may not have.
    Stray(u16),
    /// A value of the feature's type.
    Value(u16),
    /// A long value that compresses well, if the type has any.
    Long(u16),
    /// A long value that does not, if the type has any.
    Noise(u16),
}

/// One put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Put {
    /// The number of its entity.
    pub entity: u8,
    /// The number of its feature's name, with the schema.
    pub feature: u8,
    /// The event time.
    pub time: Time,
    /// The known time.
    pub known: Option<Time>,
    /// What it says.
    pub said: Said,
}

/// Where a read stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stand {
    /// At the newest commit.
    Newest,
    /// At a snapshot.
    Snapshot(u8),
    /// At a stamp.
    Stamp(u8),
}

/// Which versions a read asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// The one in force now.
    Latest,
    /// The one in force at a time.
    AsOf(Time),
    /// Those of a span.
    Range(Time, Time),
    /// The newest of those up to a time.
    LastN(Time, u8),
}

/// One read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read {
    /// The number of its entity.
    pub entity: u8,
    /// The number of its feature's name, with the schema.
    pub feature: u8,
    /// Which versions.
    pub question: Question,
    /// Only what was known at this time.
    pub known_at: Option<Time>,
    /// A microsecond earlier.
    pub before: bool,
    /// So much earlier.
    pub delay: Option<Length>,
    /// A limit of age.
    pub max_age: Option<Length>,
    /// Where it stands.
    pub stand: Stand,
}

/// Where in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// So many bytes from its start.
    Start(u16),
    /// So many bytes before its end.
    End(u16),
    /// So many 65,536ths of it.
    Part(u16),
}

/// One damage. Files are told by their place among the names of the directory, from the end if the
/// top bit is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// Up to four bytes beside one another are changed by these bits.
    Flip(u8, Place, u32),
    /// The file ends here.
    Truncate(u8, Place),
    /// The file is gone.
    Remove(u8),
    /// Two files have each other's content.
    Swap(u8, u8),
    /// So many bytes are this one.
    Fill(u8, Place, u8, u8),
    /// The power goes out; how much of what was not synced stays is drawn from this. Only of use
    /// as the first one, on a store that was not closed.
    PowerCut(u16),
}

/// A copy of the store's files is damaged and opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Episode {
    /// Bits: 1 the process is killed in place of a close, 2 the copy is opened read-only, 4 it may
    /// be made if it is missing, 8 its tables are read without a map, 16 it is compacted.
    pub how: u8,
    /// What is done to it.
    pub damages: Vec<Damage>,
}

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// The clock moves: by so many seconds and microseconds.
    Clock(u16, i8),
    /// Defines the feature of this name.
    Define(u8, Definition),
    /// Changes a feature's terms.
    Alter(u8, Definition),
    /// Gives a feature its next schema.
    Evolve(u8, Definition),
    /// Ends a feature.
    Retire(u8),
    /// Writes a batch under a source, 0: none.
    Write(u8, Vec<Put>),
    /// Makes what is written durable.
    Sync,
    /// Flushes.
    Flush,
    /// Compacts.
    Compact,
    /// So many steps of background work.
    Work(u8),
    /// Closes and opens.
    Reopen,
    /// Holds a snapshot under this number.
    Snapshot(u8),
    /// Lets it go.
    Release(u8),
    /// Remembers a stamp under this number.
    Stamp(u8),
    /// Erases an entity.
    Erase(u8),
    /// Reverts a source.
    Revert(u8),
    /// Reads.
    Read(Read),
    /// Reads everything.
    Sweep,
    /// Damages a copy.
    Damage(Episode),
}

impl Time {
    fn read(tape: &mut Tape<'_>) -> Self {
        match tape.signed() {
            SPECIAL => Self::Special(tape.byte()),
            micros => Self::FromNow(tape.signed_two(), micros),
        }
    }

    fn write(self, out: &mut Vec<u8>) {
        match self {
            Self::Special(which) => out.extend([SPECIAL.cast_unsigned(), which]),
            Self::FromNow(seconds, micros) => {
                out.push(micros.cast_unsigned());
                out.extend(seconds.to_le_bytes());
            }
        }
    }
}

impl Length {
    fn read(tape: &mut Tape<'_>) -> Self {
        Self(tape.byte(), tape.signed())
    }

    fn write(self, out: &mut Vec<u8>) {
        out.extend([self.0, self.1.cast_unsigned()]);
    }
}

fn flags<const N: usize>(bits: [bool; N]) -> u8 {
    bits.iter().enumerate().fold(0, |flags, (at, bit)| flags | u8::from(*bit) << at)
}

fn given<T>(flags: u8, bit: u8, read: impl FnOnce() -> T) -> Option<T> {
    (flags >> bit & 1 == 1).then(read)
}

impl Definition {
    fn read(tape: &mut Tape<'_>) -> Self {
        let flags = tape.byte();
        let lengths = [0, 1, 2].map(|bit| given(flags, bit, || Length::read(tape)));
        Self(flags >> 3, lengths)
    }

    fn write(self, out: &mut Vec<u8>) {
        out.push(flags(self.1.map(|length| length.is_some())) | self.0 << 3);
        self.1.into_iter().flatten().for_each(|length| length.write(out));
    }
}

impl Put {
    fn read(tape: &mut Tape<'_>) -> Self {
        let (entity, feature, what) = (tape.byte(), tape.byte(), tape.byte());
        let time = Time::read(tape);
        let known = given(what, 7, || Time::read(tape));
        let said = match what & 0x7f {
            0 => Said::Null,
            1 => Said::Deleted,
            2 => Said::Stray(tape.two()),
            3 => Said::Long(tape.two()),
            4 => Said::Noise(tape.two()),
            _ => Said::Value(tape.two()),
        };
        Self { entity, feature, time, known, said }
    }

    fn write(self, out: &mut Vec<u8>) {
        let (what, value) = match self.said {
            Said::Null => (0, None),
            Said::Deleted => (1, None),
            Said::Stray(value) => (2, Some(value)),
            Said::Long(value) => (3, Some(value)),
            Said::Noise(value) => (4, Some(value)),
            Said::Value(value) => (5, Some(value)),
        };
        out.extend([self.entity, self.feature, what | u8::from(self.known.is_some()) << 7]);
        self.time.write(out);
        self.known.into_iter().for_each(|known| known.write(out));
        value.into_iter().for_each(|value| out.extend(value.to_le_bytes()));
    }
}

impl Read {
    fn of(tape: &mut Tape<'_>) -> Self {
        let (entity, feature, what) = (tape.byte(), tape.byte(), tape.byte());
        let question = match what & 3 {
            0 => Question::Latest,
            1 => Question::AsOf(Time::read(tape)),
            2 => Question::Range(Time::read(tape), Time::read(tape)),
            _ => Question::LastN(Time::read(tape), tape.byte()),
        };
        let known_at = given(what, 2, || Time::read(tape));
        let delay = given(what, 4, || Length::read(tape));
        let max_age = given(what, 5, || Length::read(tape));
        let stand = match what >> 6 {
            2 => Stand::Snapshot(tape.byte()),
            3 => Stand::Stamp(tape.byte()),
            _ => Stand::Newest,
        };
        let before = what >> 3 & 1 == 1;
        Self { entity, feature, question, known_at, before, delay, max_age, stand }
    }

    fn write(self, out: &mut Vec<u8>) {
        let (question, times, n) = match self.question {
            Question::Latest => (0, [None, None], None),
            Question::AsOf(t) => (1, [Some(t), None], None),
            Question::Range(from, to) => (2, [Some(from), Some(to)], None),
            Question::LastN(t, n) => (3, [Some(t), None], Some(n)),
        };
        let (stand, held) = match self.stand {
            Stand::Newest => (0, None),
            Stand::Snapshot(which) => (2, Some(which)),
            Stand::Stamp(which) => (3, Some(which)),
        };
        let given =
            [self.known_at.is_some(), self.before, self.delay.is_some(), self.max_age.is_some()];
        out.extend([self.entity, self.feature, question | flags(given) << 2 | stand << 6]);
        times.into_iter().flatten().for_each(|time| time.write(out));
        out.extend(n);
        self.known_at.into_iter().for_each(|time| time.write(out));
        self.delay.into_iter().chain(self.max_age).for_each(|length| length.write(out));
        out.extend(held);
    }
}

impl Place {
    fn read(tape: &mut Tape<'_>) -> Self {
        match tape.byte() % 3 {
            0 => Self::Start(tape.two()),
            1 => Self::End(tape.two()),
            _ => Self::Part(tape.two()),
        }
    }

    fn write(self, out: &mut Vec<u8>) {
        let (kind, at) = match self {
            Self::Start(at) => (0, at),
            Self::End(at) => (1, at),
            Self::Part(at) => (2, at),
        };
        out.push(kind);
        out.extend(at.to_le_bytes());
    }
}

impl Damage {
    fn read(tape: &mut Tape<'_>) -> Self {
        match tape.byte() % 6 {
            0 => Self::Flip(tape.byte(), Place::read(tape), tape.four()),
            1 => Self::Truncate(tape.byte(), Place::read(tape)),
            2 => Self::Remove(tape.byte()),
            3 => Self::Swap(tape.byte(), tape.byte()),
            4 => Self::Fill(tape.byte(), Place::read(tape), tape.byte(), tape.byte()),
            _ => Self::PowerCut(tape.two()),
        }
    }

    fn write(self, out: &mut Vec<u8>) {
        match self {
            Self::Flip(file, place, bits) => {
                out.extend([0, file]);
                place.write(out);
                out.extend(bits.to_le_bytes());
            }
            Self::Truncate(file, place) => {
                out.extend([1, file]);
                place.write(out);
            }
            Self::Remove(file) => out.extend([2, file]),
            Self::Swap(one, two) => out.extend([3, one, two]),
            Self::Fill(file, place, len, byte) => {
                out.extend([4, file]);
                place.write(out);
                out.extend([len, byte]);
            }
            Self::PowerCut(seed) => {
                out.push(5);
                out.extend(seed.to_le_bytes());
            }
        }
    }
}

/// The most puts of a batch.
pub const MAX_PUTS: u8 = 8;

/// The most damages of an episode.
pub const MAX_DAMAGES: u8 = 3;

impl Op {
    /// The next operation of a tape.
    pub fn read(tape: &mut Tape<'_>) -> Self {
        match tape.byte() % 32 {
            0 | 19 => Self::Clock(tape.two(), tape.signed()),
            1 => Self::Define(tape.byte(), Definition::read(tape)),
            2 => Self::Alter(tape.byte(), Definition::read(tape)),
            3 => Self::Evolve(tape.byte(), Definition::read(tape)),
            4 => Self::Retire(tape.byte()),
            5 | 20..=23 => Self::Write(tape.byte(), tape.list(MAX_PUTS, Put::read)),
            6 => Self::Sync,
            7 => Self::Flush,
            8 => Self::Compact,
            9 => Self::Work(tape.byte()),
            10 => Self::Reopen,
            11 => Self::Snapshot(tape.byte()),
            12 => Self::Release(tape.byte()),
            13 => Self::Stamp(tape.byte()),
            14 => Self::Erase(tape.byte()),
            15 => Self::Revert(tape.byte()),
            16 | 24..=27 => Self::Read(Read::of(tape)),
            17 => Self::Sweep,
            _ => Self::Damage(Episode {
                how: tape.byte(),
                damages: tape.list(MAX_DAMAGES, Damage::read),
            }),
        }
    }

    /// Writes the operation to the end of a tape.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Clock(seconds, micros) => {
                out.push(0);
                out.extend(seconds.to_le_bytes());
                out.push(micros.cast_unsigned());
            }
            Self::Define(name, definition) => {
                out.extend([1, *name]);
                definition.write(out);
            }
            Self::Alter(name, definition) => {
                out.extend([2, *name]);
                definition.write(out);
            }
            Self::Evolve(name, definition) => {
                out.extend([3, *name]);
                definition.write(out);
            }
            Self::Retire(name) => out.extend([4, *name]),
            Self::Write(source, puts) => {
                out.extend([5, *source, count(puts.len())]);
                puts.iter().for_each(|put| put.write(out));
            }
            Self::Sync => out.push(6),
            Self::Flush => out.push(7),
            Self::Compact => out.push(8),
            Self::Work(steps) => out.extend([9, *steps]),
            Self::Reopen => out.push(10),
            Self::Snapshot(which) => out.extend([11, *which]),
            Self::Release(which) => out.extend([12, *which]),
            Self::Stamp(which) => out.extend([13, *which]),
            Self::Erase(entity) => out.extend([14, *entity]),
            Self::Revert(source) => out.extend([15, *source]),
            Self::Read(read) => {
                out.push(16);
                read.write(out);
            }
            Self::Sweep => out.push(17),
            Self::Damage(episode) => {
                out.extend([18, episode.how, count(episode.damages.len())]);
                episode.damages.iter().for_each(|damage| damage.write(out));
            }
        }
    }
}

fn count(len: usize) -> u8 {
    u8::try_from(len).unwrap_or(0)
}
