//! Reads of a history in a sorted key-value store, over a cursor: entity, feature and time are the
//! key, the newest version of a feature comes first.

use crate::Outcome;
use crate::peers::key::{self, SERIES};
use crate::peers::peer::{Cell, Texts};

/// A cursor over sorted pairs.
pub trait Cursor {
    /// Sees all that is committed by now.
    fn renew(&mut self) -> Outcome<()>;
    /// Goes to the first key from this one on. What is asked for there are keys of the same entity
    /// and feature only, if so told.
    fn seek(&mut self, key: &[u8], one_series: bool) -> Outcome<()>;
    /// Goes to the next key.
    fn advance(&mut self) -> Outcome<()>;
    /// The pair on which it stands.
    fn pair(&self) -> Option<(&[u8], &[u8])>;
}

/// The plan that seeks each feature.
pub const SEEK: usize = 0;

/// The plans of a row.
pub const PLANS: &[&str] = &["seek", "scan"];

/// One version: the newest that is not after a moment.
pub fn point(cursor: &mut impl Cursor, entity: u32, feature: u16, t: i64) -> Outcome<Cell> {
    let key = key::version(entity, feature, t);
    cursor.seek(&key, true)?;
    let found = cursor.pair().filter(|(found, _)| found.starts_with(&key[..SERIES]));
    Ok(found.map_or(Cell::MISSING, |(found, value)| Cell {
        time: key::time_of(&found[SERIES..]),
        value: key::value_of(value),
    }))
}

/// The newest texts of a feature of an entity as of a moment, at most so many.
pub fn last_texts(
    cursor: &mut impl Cursor,
    (entity, feature): (u32, u16),
    t: i64,
    most: usize,
    out: &mut Texts,
) -> Outcome<()> {
    let key = key::version(entity, feature, t);
    cursor.seek(&key, true)?;
    while let Some((found, text)) = cursor.pair()
        && found.starts_with(&key[..SERIES])
    {
        out.push(key::time_of(&found[SERIES..]), text);
        if out.len() == most {
            break;
        }
        cursor.advance()?;
    }
    Ok(())
}

/// Answers rows of one entity, whose times rise, by a plan.
pub fn rows(
    cursor: &mut impl Cursor,
    plan: usize,
    entity: u32,
    times: &[i64],
    width: usize,
    cells: &mut [Cell],
) -> Outcome<()> {
    if plan == SEEK {
        for (place, feature) in (0..width).zip(0..) {
            for (row, t) in times.iter().enumerate() {
                cells[row * width + place] = point(cursor, entity, feature, *t)?;
            }
        }
        return Ok(());
    }
    cells.fill(Cell::MISSING);
    cursor.seek(&key::version(entity, 0, i64::MAX), false)?;
    // Rows of the present feature that are not answered yet: the first ones.
    let (mut feature, mut left) = (usize::MAX, 0);
    while let Some((key, value)) = cursor.pair() {
        let Some(found) = key::feature_of(key, entity).filter(|found| *found < width) else {
            break;
        };
        if found != feature {
            (feature, left) = (found, times.len());
        }
        if left > 0 {
            let time = key::time_of(&key[SERIES..]);
            while left > 0 && times[left - 1] >= time {
                left -= 1;
                cells[left * width + feature] = Cell { time, value: key::value_of(value) };
            }
        }
        cursor.advance()?;
    }
    Ok(())
}
