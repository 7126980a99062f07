//! What a store is asked after its files were damaged, and what the undamaged one answers.
//!
//! Every cell is asked for in every way there is: alone, in a row, in a range, among the newest
//! versions, in a scan, in a join; as of each event time, one microsecond before and after it, and
//! now.

use asofdb::{
    Answer, Error, EventTime, Feature, JoinOptions, JoinedColumn, KnownTime, Read, Stamp, Status,
    Store, Value,
};
use bytes::Bytes;

/// One question.
#[derive(Clone, Debug)]
pub enum Question {
    /// All definitions.
    Features,
    /// All labels of sources.
    Sources,
    /// The newest value of a mark.
    Mark(&'static str),
    /// A feature of an entity.
    Cell(&'static str, String, Read),
    /// All features of an entity.
    Row(&'static str, Read),
    /// The versions between two moments.
    Range(&'static str, String, EventTime, EventTime),
    /// The newest versions.
    LastN(&'static str, String, usize, EventTime),
    /// All entities.
    Scan(Read),
    /// All entities at all times.
    Join(Vec<Option<(&'static str, EventTime)>>),
}

/// What is asked about.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// Entities: those that were written, erased, or never heard of.
    pub entities: Vec<&'static str>,
    /// Names of features, with and without schema numbers, retired and unknown ones too.
    pub features: Vec<&'static str>,
    /// The event times that were written.
    pub times: Vec<EventTime>,
    /// Names of marks.
    pub marks: Vec<&'static str>,
    /// Stamps that were read at.
    pub stamps: Vec<Stamp>,
}

impl About {
    /// All questions.
    pub fn questions(&self) -> Vec<Question> {
        let mut moments: Vec<EventTime> =
            self.times.iter().flat_map(|t| [-1, 0, 1].map(|by| EventTime(t.0 + by))).collect();
        moments.sort_unstable();
        moments.dedup();
        let mut all = vec![Question::Features, Question::Sources];
        all.extend(self.marks.iter().map(|name| Question::Mark(name)));
        let (Some(first), Some(last)) = (moments.first().copied(), moments.last().copied()) else {
            return all;
        };
        let middle = moments[moments.len() / 2];
        for entity in &self.entities {
            all.push(Question::Row(entity, Read::latest()));
            all.extend(self.stamps.iter().map(|stamp| Question::Row(entity, Read::at(*stamp))));
            all.extend(moments.iter().map(|t| Question::Row(entity, Read::as_of(*t))));
            let known = KnownTime(middle.0);
            all.push(Question::Row(entity, Read::as_of(last).known_at(known)));
            for feature in &self.features {
                let feature = || (*feature).to_owned();
                all.push(Question::Cell(entity, feature(), Read::latest()));
                all.push(Question::Cell(entity, feature(), Read::as_of(middle)));
                all.push(Question::Range(entity, feature(), first, last));
                all.push(Question::LastN(entity, feature(), 3, last));
            }
        }
        all.extend([Read::latest(), Read::as_of(middle)].map(Question::Scan));
        let spine = moments.iter().flat_map(|t| self.entities.iter().map(|e| Some((*e, *t))));
        all.push(Question::Join(spine.collect()));
        all
    }
}

/// One answer of a join.
type Joined = (Status, Option<Value>, Option<EventTime>);

/// What a question was answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// Definitions.
    Features(Vec<Feature>),
    /// Labels.
    Sources(Vec<String>),
    /// The value of a mark.
    Mark(Option<Bytes>),
    /// Answers, newest first or in the order of the features, and whether older ones may be gone.
    Answers(Vec<Answer>, bool),
    /// Rows of a scan.
    Rows(Vec<(Bytes, Vec<Answer>)>),
    /// Columns of a join.
    Columns(Vec<Vec<Joined>>),
    /// A refusal that is an answer: below the horizon, an unknown feature.
    Refused(String),
}

/// Whether an error is the store's answer and tells of no damage.
fn is_answer(error: &Error) -> bool {
    !matches!(
        error,
        Error::Corruption { .. } | Error::Io { .. } | Error::NewerFormat { .. } | Error::Closed
    )
}

impl Question {
    /// What the store answers.
    pub fn ask(&self, store: &Store) -> Result<Found, Error> {
        let mut rows = Vec::new();
        let found = self.try_ask(store, &mut rows);
        match found {
            Err(error) if is_answer(&error) => Ok(Found::Refused(error.to_string())),
            found => found,
        }
    }

    /// Whether the store answers this; the error if it does not answer at all. What a scan gave
    /// before its error must be right too.
    pub fn agrees(&self, store: &Store, right: &Found) -> Result<bool, Error> {
        let mut rows = Vec::new();
        match (self.try_ask(store, &mut rows), right) {
            (Err(error), _) if is_answer(&error) => Ok(*right == Found::Refused(error.to_string())),
            (Err(_), Found::Rows(right)) if !right.starts_with(&rows) => Ok(false),
            (found, _) => Ok(found? == *right),
        }
    }

    fn try_ask(&self, store: &Store, rows: &mut Vec<(Bytes, Vec<Answer>)>) -> Result<Found, Error> {
        Ok(match self {
            Question::Features => Found::Features(store.features()),
            Question::Sources => {
                Found::Sources(store.sources().iter().map(|label| label.to_string()).collect())
            }
            Question::Mark(name) => Found::Mark(store.mark(name)),
            Question::Cell(entity, feature, read) => {
                Found::Answers(vec![store.read(entity, feature, read)?.answer], false)
            }
            Question::Row(entity, read) => {
                Found::Answers(store.read_row(entity, &store.select_all(), read)?.answers, false)
            }
            Question::Range(entity, feature, from, to) => {
                let found = store.range(entity, feature, *from, *to, &Read::latest())?;
                Found::Answers(found.answers, found.stopped_at_horizon)
            }
            Question::LastN(entity, feature, n, t) => {
                let found = store.last_n(entity, feature, *n, &Read::as_of(*t))?;
                Found::Answers(found.answers, found.stopped_at_horizon)
            }
            Question::Scan(read) => {
                for row in store.scan(&store.select_all(), read, b"")? {
                    let (entity, row) = row?;
                    rows.push((entity, row.answers));
                }
                Found::Rows(std::mem::take(rows))
            }
            Question::Join(spine) => {
                // On this thread alone: its memory is counted.
                let options = JoinOptions::new().threads(1);
                let joined = store.joiner(&store.select_all(), options)?.join(spine)?;
                let cells = |column: &JoinedColumn| {
                    let cell = |row| {
                        let status = column.status()[row];
                        (status, column.value(row), column.event_time(row))
                    };
                    (0..joined.rows()).map(cell).collect()
                };
                Found::Columns(joined.columns().iter().map(cells).collect())
            }
        })
    }
}
