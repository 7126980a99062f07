//! Latest rows of A while a writer runs at full speed, beside the same without the other.

use std::path::Path;
use std::time::Instant;

use crate::Outcome;
use crate::data::mix;
use crate::peers::beside::{self, Growing};
use crate::peers::dataset::{Ask, Data, below};
use crate::peers::peer::{Cell, Peer, Reader, Record, Write};
use crate::peers::report::Report;
use crate::peers::timing::Times;
use crate::peers::{Args, load_into};

/// A, and what is asked of it.
struct Rows<'d> {
    data: &'d Data,
    asks: Vec<Ask>,
}

fn value(entity: u32, feature: u16, time: i64) -> f64 {
    (mix(time.cast_unsigned() ^ u64::from(entity) << 20 ^ u64::from(feature)) >> 44) as f64 / 100.0
}

impl Growing for Rows<'_> {
    type Record = Record;
    type Room = Vec<Cell>;

    fn record(&self, n: u64, record: &mut Record) {
        let size = self.data.size;
        let entity = below(mix(n), size.entities);
        let feature = below(mix(n ^ 0xf), u32::from(size.features));
        let feature = u16::try_from(feature).unwrap_or_default();
        let time = size.span().1 + n.cast_signed();
        *record = Record { time, value: value(entity, feature, time), entity, feature };
    }

    fn write(&self, peer: &dyn Peer, batch: &[Record]) -> Outcome<()> {
        peer.write(batch, Write::default())
    }

    fn read(
        &self,
        reader: &mut dyn Reader,
        n: usize,
        cells: &mut Vec<Cell>,
        times: &mut Times,
    ) -> Outcome<()> {
        let (data, ask) = (self.data, self.asks[n % self.asks.len()]);
        cells.resize(usize::from(data.size.features), Cell::MISSING);
        let called = Instant::now();
        reader.latest_row(ask.entity, cells)?;
        times.push(called);
        for (feature, cell) in (0..).zip(cells) {
            let expected = if cell.time < data.size.span().1 {
                data.as_of(ask.entity, feature, i64::MAX)
            } else {
                Cell { time: cell.time, value: value(ask.entity, feature, cell.time) }
            };
            if *cell != expected {
                return Err(format!("{ask:?}: {cell:?}, not {expected:?}").into());
            }
        }
        Ok(())
    }
}

/// Loads A into a store of its own for each, and measures it.
pub fn run(args: &Args, dir: &Path, data: &Data, report: &mut Report) -> Outcome<()> {
    if !args.wants("mixed") {
        return Ok(());
    }
    let rows = Rows { data, asks: data.asks(args.asks, 21, None) };
    let load = |entrant, dir: &Path| {
        let (stores, _) = load_into(&[entrant], dir, data, 0, 1)?;
        Ok(stores.into_iter().next().ok_or("nothing is loaded")?.peer)
    };
    beside::run(args, "latest row of 20 (A)", &dir.join("mixed"), &rows, load, report)
}
