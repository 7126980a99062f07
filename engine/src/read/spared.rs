//! Whether a read sees every revision of a row.
//!
//! Mostly the table tells: it holds nothing that came after the read's commit, or of which a revert takes
//! anything. Of a table that holds something of a reverted source most rows do not, and sources are cheap to
//! look through: four bytes a feature in a head, and mostly one number for all of a chunk.

use asofdb_format::chunk::Chunk;
use asofdb_format::head::Head;
use asofdb_format::wire::Malformed;

use crate::files::table::HeadRow;
use crate::read::resolve::View;
use crate::types::error::Result;

/// Whether the read surely sees every revision of a row, older versions included if they are asked about:
/// only then is anything read of them.
#[inline]
pub(crate) fn sees_row(
    view: &View<'_>,
    row: &HeadRow<'_>,
    head: &Head<'_>,
    are_older_asked: bool,
) -> Result<bool> {
    if !view.sees_all_below(&row.table.top_order()) {
        return Ok(false);
    }
    if view.taken.reverts.is_empty() || view.is_spared(row.table) {
        return Ok(true);
    }
    sees_each(view, row, head, are_older_asked)
}

/// The same where reverts take something of the table.
#[inline(never)]
fn sees_each(
    view: &View<'_>,
    row: &HeadRow<'_>,
    head: &Head<'_>,
    are_older_asked: bool,
) -> Result<bool> {
    // Beside one another they are mostly of one source.
    let mut spared = None;
    for place in 0..head.len() {
        let source = head.source(place);
        if spared != Some(source) {
            if view.taken.may_take(source) {
                if !view.sees(&row.order(head, place)?, || source) {
                    return Ok(false);
                }
                continue;
            }
            spared = Some(source);
        }
    }
    if !are_older_asked {
        return Ok(true);
    }
    let Some(bytes) = row.chunk(head)? else { return Ok(true) };
    let malformed = |fault: Malformed| row.table.corrupt(bytes.start, &fault);
    let chunk = Chunk::decode(&bytes.bytes).map_err(malformed)?;
    let orders = chunk.orders(row.table.timeline()?).map_err(malformed)?;
    Ok(!orders.has_any_of(|source| view.taken.may_take(source)))
}
