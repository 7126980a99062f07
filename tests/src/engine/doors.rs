//! Reading a program's cells: through the library's plain read, or in every way that it has.
//!
//! Invariant: a way in that cannot be asked for a read is left out; one that can must agree with the
//! plain read, in answers and in refusals.

use asofdb::{
    Error, EventTime, JoinOptions, Joined, KnownTime, Read as EngineRead, Reading, Selection, Span,
    Status,
};

use super::Engine;
use super::convert::{answer, refused, span};
use crate::answer::{Answer, Outcome, Refusal};
use crate::question::{Question, Read, Reader};

impl Engine {
    /// The read in the engine's words.
    fn asked(&self, read: &Read) -> Result<EngineRead, Outcome> {
        let options = &read.options;
        let mut asked = match read.question {
            Question::AsOf(t) | Question::LastN { t, .. } => EngineRead::as_of(EventTime(t)),
            Question::Latest | Question::Range { .. } => EngineRead::latest(),
        };
        if let Some(known_at) = options.known_at {
            asked = asked.known_at(KnownTime(known_at));
        }
        if options.before {
            asked = asked.before();
        }
        if let Some(delay) = options.delay {
            asked = asked.delay(span(delay)?);
        }
        if let Some(max_age) = options.max_age {
            asked = asked.max_age(span(max_age)?);
        }
        match &options.reader {
            Reader::Newest => Ok(asked),
            Reader::Snapshot(name) => {
                let held = self.snapshots.get(name);
                Ok(asked.snapshot(held.ok_or(Outcome::Refused(Refusal::UnknownSnapshot))?))
            }
            Reader::Stamp(name) => {
                let stamp = self.stamps.get(name);
                Ok(asked.stamp(*stamp.ok_or(Outcome::Refused(Refusal::UnknownStamp))?))
            }
        }
    }

    pub(super) fn try_read(&self, read: &Read) -> Result<Outcome, Outcome> {
        let asked = self.asked(read)?;
        let (entity, feature) = (&read.entity, read.feature.as_str());
        let versions = match read.question {
            Question::Latest | Question::AsOf(_) => {
                let found = self.store.read(entity, feature, &asked);
                if self.all_doors {
                    self.check_other_doors(read, &asked, &found)?;
                }
                return Ok(Outcome::Cell(answer(&found.map_err(refused)?.answer)));
            }
            Question::Range { from, to } => {
                self.store.range(entity, feature, EventTime(from), EventTime(to), &asked)
            }
            Question::LastN { n, .. } => self.store.last_n(entity, feature, n, &asked),
        };
        let versions = versions.map_err(refused)?;
        Ok(Outcome::Versions(versions.answers.iter().map(answer).collect()))
    }

    /// Asks for one cell in all other ways.
    fn check_other_doors(
        &self,
        read: &Read,
        asked: &EngineRead,
        found: &Result<Reading, Error>,
    ) -> Result<(), Outcome> {
        let (entity, options) = (&read.entity, &read.options);
        let plain = cell(found.as_ref().map(|reading| answer(&reading.answer)));
        let same = |door: &str, other: Outcome| {
            let text = format!("a plain read says {plain}; {door} says {other}");
            if other == plain { Ok(()) } else { Err(Outcome::Failed(text)) }
        };
        if let (Ok(reading), Question::Latest) = (found, &read.question)
            && options.reader == Reader::Newest
        {
            let again = asked.clone().stamp(reading.stamp);
            let again = self.store.read(entity, &read.feature, &again);
            // While the clock stands below the horizon, a stamp of now is below it too.
            if !matches!(again, Err(Error::BelowHorizon { horizon, .. }) if reading.stamp.now < horizon)
            {
                same("its stamp", cell(again.as_ref().map(|again| answer(&again.answer))))?;
            }
        }
        if !options.before && options.delay.is_none() {
            let one = self.store.last_n(entity, &read.feature, 1, asked);
            let newest = |versions: &asofdb::Versions| versions.answers.first().map(answer);
            let one = one.as_ref().map(|one| newest(one).unwrap_or(Answer::Missing));
            same("last_n", cell(one))?;
        }
        // A selection means what its names mean now, which older readers may see otherwise.
        if options.reader != Reader::Newest {
            return Ok(());
        }
        let Ok(selection) = self.store.select(&[&read.feature]) else { return Ok(()) };
        let row = self.store.read_row(entity, &selection, asked);
        let first = |row: &asofdb::Row| row.answers.first().map(answer);
        let row = row.as_ref().map(|row| first(row).unwrap_or(Answer::Missing));
        same("read_row", cell(row))?;
        let rows = self.store.read_rows(&[b"nobody".as_slice(), entity], &selection, asked);
        let row = |rows: &Vec<asofdb::Row>| rows.get(1).and_then(first);
        let rows = rows.as_ref().map(|rows| row(rows).unwrap_or(Answer::Missing));
        same("read_rows", cell(rows))?;
        same("scan", self.scanned(entity, &selection, asked))?;
        if let Question::AsOf(t) = read.question {
            self.check_join(read, t, &selection, &plain)?;
        }
        Ok(())
    }

    /// The entity's cell as a scan of all entities with its bytes in front finds it.
    fn scanned(&self, entity: &[u8], selection: &Selection, asked: &EngineRead) -> Outcome {
        let scan = match self.store.scan(selection, asked, entity) {
            Ok(scan) => scan,
            Err(error) => return refused(error),
        };
        let mut found = Answer::Missing;
        for row in scan {
            match row {
                Ok((other, row)) if other == entity => {
                    found = row.answers.first().map(answer).unwrap_or(Answer::Missing);
                }
                Ok(_) => {}
                Err(error) => return refused(error),
            }
        }
        Outcome::Cell(found)
    }

    fn check_join(
        &self,
        read: &Read,
        t: i64,
        selection: &Selection,
        plain: &Outcome,
    ) -> Result<(), Outcome> {
        let options = &read.options;
        let mut join = JoinOptions::new();
        if options.before {
            join = join.before();
        }
        if let Some(delay) = options.delay {
            join = join.delay(span(delay)?);
        }
        if let Some(max_age) = options.max_age {
            join = join.max_age(span(max_age)?);
        }
        let mut ways = Vec::new();
        match options.known_at {
            None => ways.push(("join", join)),
            Some(k) => {
                ways.push(("join known at a moment", join.clone().known_at(KnownTime(k))));
                if let Some(lag) = t.checked_sub(k).and_then(Span::from_micros) {
                    ways.push(("join known at the row", join.known_at_row(lag)));
                }
            }
        }
        for (way, join) in ways {
            let at = EventTime(t);
            let spine = [None, Some((b"nobody".as_slice(), at)), Some((&read.entity, at))];
            let joined = self.store.joiner(selection, join).and_then(|join| join.join(&spine));
            let agrees = match (&joined, plain) {
                (Ok(joined), Outcome::Cell(plain)) => joined_is(joined, 2, plain),
                (Err(error), plain) => refused(error.clone()) == *plain,
                _ => false,
            };
            if !agrees {
                let text = format!("a plain read says {plain}; a {way} says {joined:?}");
                return Err(Outcome::Failed(text));
            }
        }
        Ok(())
    }
}

fn cell(found: Result<Answer, &Error>) -> Outcome {
    found.map_or_else(|error| refused(error.clone()), Outcome::Cell)
}

/// Whether a row of a join holds this answer, as far as a join tells it.
fn joined_is(joined: &Joined, row: usize, plain: &Answer) -> bool {
    let Some(column) = joined.column(0) else { return false };
    let (status, e) = match plain {
        Answer::Missing => (Status::Missing, None),
        Answer::Deleted { e } => (Status::Deleted, Some(*e)),
        Answer::Expired { e } => (Status::Expired, Some(*e)),
        Answer::Null { e, .. } => (Status::Null, Some(*e)),
        Answer::Value { e, .. } => (Status::Value, Some(*e)),
    };
    let value = column.value(row).map(super::convert::value);
    let same_value = match plain {
        Answer::Value { value: plain, .. } => value.as_ref() == Some(plain),
        _ => value.is_none(),
    };
    let event_time = column.event_time(row).map(|time| time.0);
    column.status().get(row) == Some(&status) && event_time == e && same_value
}
