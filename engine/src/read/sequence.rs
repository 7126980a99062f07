//! Versions into columns that the caller keeps: the door for sequences of events.
//!
//! What [`versions`](crate::read::versions) makes answers of goes into a [`Sequence`]: the bytes of a
//! text are copied from the block or the map where they lie, and nothing is allocated for a version.
//! Commits and known times are not looked at where one source holds all.

use std::sync::Arc;

use asofdb_format::ids::EventTime;
use asofdb_format::value::{Kind, ValueType};

use crate::metrics::{Lookup, Visits};
use crate::read::history::{Wanted, each_version};
use crate::read::how::{Moment, Read};
use crate::read::plan::{Ask, Plan};
use crate::read::ready::Ready;
use crate::read::resolve::View;
use crate::read::selection::Selection;
use crate::read::source::{Content, LastBlock};
use crate::state::live::{Keeper, State};
use crate::types::answer::{Stamp, Status};
use crate::types::error::{Error, Result};
use crate::types::sequence::Sequence;
use crate::types::spec::Feature;

/// Reads versions of one feature again and again; see
/// [`Store::sequence_reader`](crate::Store::sequence_reader).
///
/// It belongs to one thread at a time; every thread makes its own. Its columns keep the room of the
/// largest answer. While a reader exists, the state that the store had when it was closed stays in memory.
#[derive(Debug)]
pub struct SequenceReader {
    keeper: Arc<Keeper>,
    feature: Feature,
    selection: Selection,
    ready: Option<Ready>,
    found: Sequence,
}

impl SequenceReader {
    pub(crate) fn new(keeper: &Arc<Keeper>, feature: Feature) -> Self {
        let found = Sequence::new(feature.value_type);
        let selection = Selection::new(keeper.store, vec![feature.clone()]);
        Self { keeper: Arc::clone(keeper), feature, selection, ready: None, found }
    }

    /// The feature whose versions are read, in the schema that its name meant when the reader was made.
    #[must_use]
    pub const fn feature(&self) -> &Feature {
        &self.feature
    }

    /// The newest `n` versions, as [`Store::last_n`](crate::Store::last_n) answers them for this schema.
    ///
    /// # Errors
    /// As [`Store::as_of`](crate::Store::as_of).
    pub fn last_n(&mut self, entity: impl AsRef<[u8]>, n: usize, read: &Read) -> Result<&Sequence> {
        self.read(entity.as_ref(), read, |ask| Wanted {
            from: EventTime::MIN,
            most: n,
            base: ask.horizon,
        })
    }

    /// The versions of a span, both ends included, as [`Store::range`](crate::Store::range) answers
    /// them for this schema, with the same of the read's options.
    ///
    /// # Errors
    /// As [`Store::as_of`](crate::Store::as_of), for `from`.
    pub fn range(
        &mut self,
        entity: impl AsRef<[u8]>,
        from: EventTime,
        to: EventTime,
        read: &Read,
    ) -> Result<&Sequence> {
        let asked = Read { moment: Moment::Span(from, to), ..read.clone() };
        self.read(entity.as_ref(), &asked, |_| Wanted { from, most: usize::MAX, base: None })
    }

    fn read(
        &mut self,
        entity: &[u8],
        read: &Read,
        wanted: impl Fn(&Ask) -> Wanted,
    ) -> Result<&Sequence> {
        let Self { keeper, selection, ready, found, .. } = self;
        found.clear();
        keeper.check_open()?;
        let answered = keeper.glance(|state| {
            let stamp = Stamp { now: keeper.now(), commit: state.visible() };
            let ask = ready.as_mut()?.current(state, stamp, read)?.each().first()?;
            let view = View::of(&state.taken, entity, stamp.commit, read.known_at);
            Some(answer(state, (ask, &view), stamp, entity, wanted(ask), found))
        });
        match answered {
            Some(answered) => answered?,
            None => {
                let plan = Plan::new(keeper, selection, read)?;
                *ready = Ready::of(&plan, selection, read);
                let ask = plan.asks.first().ok_or(Error::Closed)?;
                let asked = (ask, &plan.view(entity));
                answer(&plan.state, asked, plan.stamp, entity, wanted(ask), found)?;
            }
        }
        Ok(found)
    }
}

fn answer(
    state: &State,
    (ask, view): (&Ask, &View<'_>),
    stamp: Stamp,
    entity: &[u8],
    wanted: Wanted,
    found: &mut Sequence,
) -> Result<()> {
    let (mut visits, mut last) = (Visits::new(), LastBlock::default());
    let answered = each_version(state, view, ask, entity, wanted, &mut visits, |run| {
        while let Some(version) = run.next()? {
            let content = version.content(ask.value_type)?;
            let status = put(ask, version.event_time(), &content, &mut last, found)?;
            // What is older than a value that is too old is so, too: nobody needs its bytes.
            if status == Status::Value {
                run.rest_of_block(&mut last, |event_time, raw| {
                    put_raw(ask, event_time, raw, found)
                })?;
            }
        }
        Ok(())
    });
    found.stopped_at_horizon = state.monitor.watched(answered)?;
    found.stamp = stamp;
    state.monitor.reads.count(Lookup::Versions, 1, &visits);
    Ok(())
}

/// Adds what a version answers that has a value of these bytes; `false`: they are none of its type.
#[inline]
fn put_raw(ask: &Ask, event_time: EventTime, raw: &[u8], found: &mut Sequence) -> bool {
    let status = ask.terms.judge(event_time, Kind::Value, ask.t);
    if status == Status::Value && found.push_raw(raw).is_none() {
        return false;
    }
    found.push(status, event_time, 0);
    true
}

/// Adds what a version answers, and tells which of the answers it is.
#[inline]
fn put(
    ask: &Ask,
    event_time: EventTime,
    content: &Content<'_>,
    last: &mut LastBlock,
    found: &mut Sequence,
) -> Result<Status> {
    let status = ask.terms.judge(event_time, content.kind, ask.t);
    if status != Status::Value {
        found.push(status, event_time, 0);
        return Ok(status);
    }
    let bits = match ask.value_type {
        ValueType::Text | ValueType::Bytes | ValueType::Vector(_) => {
            content.raw(last, |raw| found.push_raw(raw))?.map(|()| 0)
        }
        _ => content.value(ask.value_type, last)?.and_then(|value| value.as_bits()),
    };
    // There is none, whatever the kind says.
    let status = if bits.is_none() { Status::Expired } else { status };
    found.push(status, event_time, bits.unwrap_or(0));
    Ok(status)
}
