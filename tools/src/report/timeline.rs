//! Levels and windows over time: a box for each table and memtable, from its oldest event time to
//! its newest.

use asofdb::Extent;

use crate::output::count;
use crate::picture::size;
use crate::report::svg::{Digits, Plot, TimeAxis, WIDTH, moment_text};
use crate::view::{View, level_name};

const LEFT: f64 = 150.0;
const RIGHT: f64 = WIDTH - 10.0;

/// A level is drawn no higher than this, however many tables it has.
const LEVEL_HEIGHT: f64 = 220.0;

/// One box.
struct Item {
    extent: Extent,
    told: String,
}

/// The plot; `None` if nothing is held.
pub fn plot(view: &View) -> Option<String> {
    let times = view.event_times()?;
    let axis = TimeAxis::new(times, (LEFT, RIGHT));
    let mut plot = Plot::new("tables by level and event time");
    let mut y = 16.0;
    let memtables = view.shape.memtables.iter().filter_map(|memtable| {
        let (records, bytes) = (count(memtable.records), size(memtable.memory_bytes));
        let told = format!("memtable of log {}: {records} records, {bytes}", memtable.log.0);
        Some(Item { extent: memtable.extent?, told })
    });
    let memtables: Vec<Item> = memtables.collect();
    if !memtables.is_empty() {
        y = group(&mut plot, axis, y, "memory", "mem", &memtables);
    }
    for (level, tables) in view.levels() {
        let items = tables.iter().map(|table| {
            let (records, bytes) = (count(table.records), size(table.bytes));
            let from = moment_text(table.extent.min_event_time.0, Digits::Seconds);
            let to = moment_text(table.extent.max_event_time.0, Digits::Seconds);
            let hashes = (table.extent.min_hash >> 48, table.extent.max_hash >> 48);
            let told = format!(
                "table {}: {records} records of {} entities, {bytes}, {from} to {to}, hashes {:04x} to {:04x}",
                table.number.0, count(table.entities), hashes.0, hashes.1
            );
            Item { extent: table.extent, told }
        });
        let items: Vec<Item> = items.collect();
        let colour = format!("l{}", level.min(5));
        y = group(&mut plot, axis, y, &level_name(level), &colour, &items);
    }
    axis.draw(&mut plot, 8.0, y);
    if (times.0..=times.1).contains(&view.now) {
        let x = axis.x(view.now);
        plot.line((x, 8.0), (x, y), "now");
    }
    Some(plot.finish())
}

/// Draws the boxes of a level; where it ends. Boxes that do not meet share a row.
fn group(
    plot: &mut Plot,
    axis: TimeAxis,
    top: f64,
    name: &str,
    colour: &str,
    items: &[Item],
) -> f64 {
    let mut order: Vec<&Item> = items.iter().collect();
    order.sort_by_key(|item| (item.extent.min_event_time, item.extent.max_event_time));
    let mut ends: Vec<f64> = Vec::new();
    let mut placed = Vec::with_capacity(items.len());
    for item in order {
        let x = axis.x(item.extent.min_event_time.0);
        let width = (axis.x(item.extent.max_event_time.0) - x).max(3.0);
        // What is not wide enough to be seen at the right edge is moved into the plot.
        let x = x.min(RIGHT - width);
        let row = ends.iter().position(|end| *end < x).unwrap_or(ends.len());
        match ends.get_mut(row) {
            Some(end) => *end = x + width,
            None => ends.push(x + width),
        }
        placed.push((item, x, width, row));
    }
    let rows = ends.len().max(1) as f64;
    let pitch = (LEVEL_HEIGHT / rows).min(18.0);
    let gap = if pitch > 4.0 { 2.0 } else { 0.2 * pitch };
    for (item, x, width, row) in placed {
        let y = top + row as f64 * pitch;
        plot.area((x, y), (width, pitch - gap), colour, &item.told);
    }
    let height = (rows * pitch).max(30.0);
    plot.text((0.0, top + 12.0), "start", "", name);
    let files = if colour == "mem" { "memtable" } else { "table" };
    plot.text(
        (0.0, top + 27.0),
        "start",
        "soft",
        &crate::output::plural(items.len() as u64, files),
    );
    let bottom = top + height + 6.0;
    plot.line((0.0, bottom), (RIGHT, bottom), "axis");
    bottom + 10.0
}
