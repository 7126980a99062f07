//! One page with the picture of a store: HTML with its style and its plots inside, which needs
//! neither a network nor scripts.

mod expiry;
mod features;
mod lookups;
mod svg;
mod timeline;

use std::fmt::Write as _;

use asofdb::Store;

use crate::output::{count, plural};
use crate::picture::size;
use crate::report::lookups::Lookups;
use crate::report::svg::escape;
use crate::times;
use crate::view::{View, level_name};

/// The page of a store, and what could not be read for it.
pub fn page(name: &str, store: &Store) -> asofdb::Result<(String, Option<String>)> {
    let view = View::of(store)?;
    // A damaged table is told and keeps nobody from the rest of the page.
    let (lookups, unread) = match lookups::measure(store) {
        Ok(lookups) => (lookups, None),
        Err(error) => (None, Some(error.to_string())),
    };
    Ok((write(name, &view, lookups.as_ref(), unread.as_deref()), unread))
}

fn write(name: &str, view: &View, lookups: Option<&Lookups>, unread: Option<&str>) -> String {
    let (name, now) = (escape(name), times::format(view.now));
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>asofdb: {name}</title>\n<style>\n{}</style>\n</head>\n<body>\n<h1>{name}</h1>\n\
         <p>An asofdb store, as it was at {now}.</p>\n",
        include_str!("report.css")
    );
    cards(&mut page, &summary(view));
    if let Some(unread) = unread {
        let _ = writeln!(page, "<p class=\"empty\">{}</p>", escape(unread));
    }
    let section =
        |page: &mut String, title: &str, told: &str, plot: Option<String>, without: &str| {
            let without = || format!("<p class=\"empty\">{}</p>\n", escape(without));
            let _ = writeln!(page, "<h2>{}</h2>\n<p>{}</p>", escape(title), escape(told));
            page.push_str(&plot.unwrap_or_else(without));
        };
    section(
        &mut page,
        "Levels and windows over time",
        "A box for each table, from its oldest event time to its newest. Level 0 has flushed \
         tables, level 1 the present, parted by the hash of the entity; those from level 2 on hold \
         the past.",
        timeline::plot(view),
        "Nothing is stored yet.",
    );
    section(
        &mut page,
        "Bytes by feature",
        "Estimates: the bytes of each table are shared out by the widths of its features' types; \
         a text counts as 32 bytes, whatever its length. Grey: in memory.",
        features::bytes(view),
        "No feature is defined yet.",
    );
    section(
        &mut page,
        "Freshness",
        "The age of the newest value of each feature, on a scale of orders of magnitude; the \
         dashed mark is its TTL.",
        features::ages(view),
        "No feature holds anything yet.",
    );
    let ttl = expiry::ttl(view);
    section(
        &mut page,
        "Expiry still to come",
        &ttl.words("pass their TTL some time from now on"),
        ttl.plot(view.now, "records that pass their TTL, over time", "b"),
        "No value is still to expire.",
    );
    let horizon = expiry::horizon(view);
    section(
        &mut page,
        "History still to go",
        &horizon.words("fall below the horizon of their feature some time from now on"),
        horizon.plot(view.now, "records that fall below their horizon, over time", "l2"),
        "No record is still to fall below a horizon.",
    );
    amplification(&mut page, view, lookups);
    page.push_str("</body>\n</html>\n");
    page
}

type Card = (&'static str, String);

fn cards(page: &mut String, cards: &[Card]) {
    page.push_str("<div class=\"cards\">\n");
    for (name, value) in cards {
        let (name, value) = (escape(name), escape(value));
        let _ = writeln!(page, "<div class=\"card\"><b>{value}</b><span>{name}</span></div>");
    }
    page.push_str("</div>\n");
}

fn summary(view: &View) -> Vec<Card> {
    let stats = &view.stats;
    vec![
        ("records", count(stats.records)),
        ("features", count(view.features.len() as u64)),
        ("in tables", size(stats.table_bytes)),
        ("tables", count(stats.tables)),
        ("in logs", size(stats.log_bytes)),
        ("sources", count(view.sources.len() as u64)),
        ("erases", count(stats.erases as u64)),
        ("reverts", count(stats.reverts as u64)),
    ]
}

fn amplification(page: &mut String, view: &View, lookups: Option<&Lookups>) {
    let _ = writeln!(
        page,
        "<h2>Amplification</h2>\n<p>Space: bytes of tables for each byte that is no garbage, \
         estimated from metadata. Reads: measured for this page. What a process writes is counted \
         while it has the store open, and told by its <code>Store::metrics</code>.</p>"
    );
    let (stats, metrics) = (&view.stats, &view.metrics);
    let ratio =
        |ratio: Option<f64>| ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}"));
    let in_tables = stats.records - stats.memtable_records;
    let a_record = (in_tables > 0).then(|| stats.table_bytes as f64 / in_tables as f64);
    let mut shown = vec![
        ("space amplification, about", ratio(metrics.space_amplification())),
        ("needed, about", size(metrics.estimated_live_bytes)),
        ("bytes a record in tables", ratio(a_record)),
    ];
    if let Some(Lookups { reads, .. }) = lookups.filter(|lookups| lookups.reads.lookups > 0) {
        let each = |all: u64| format!("{:.2}", all as f64 / reads.lookups as f64);
        let quantile = |q| reads.visited_per_lookup.quantile(q).unwrap_or_default().to_string();
        shown.extend([
            ("sources visited a lookup", each(reads.sources_visited)),
            ("of 99 in 100 lookups, at most", quantile(0.99)),
            ("passed over by bounds", each(reads.skipped_by_bound)),
            ("dismissed by directories", each(reads.skipped_by_filter)),
        ]);
    }
    cards(page, &shown);
    if let Some(Lookups { features, reads }) = lookups.filter(|lookups| lookups.reads.lookups > 0) {
        let (entities, of) = (plural(reads.lookups, "lookup"), plural(*features as u64, "feature"));
        let _ = writeln!(page, "<p>Of {entities}, each for the newest values of {of}.</p>");
    }
    if metrics.levels.is_empty() {
        return;
    }
    page.push_str(
        "<div class=\"wide\"><table>\n<tr><th>level</th><th>tables</th><th>bytes</th>\
         <th>records</th><th>bytes a record</th></tr>\n",
    );
    for (level, tables) in view.levels() {
        let bytes: u64 = tables.iter().map(|table| table.bytes).sum();
        let records: u64 = tables.iter().map(|table| table.records).sum();
        let _ = writeln!(
            page,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{:.2}</td></tr>",
            escape(&level_name(level)),
            count(tables.len() as u64),
            count(bytes),
            count(records),
            bytes as f64 / records.max(1) as f64
        );
    }
    page.push_str("</table></div>\n");
}

#[cfg(test)]
mod tests;
