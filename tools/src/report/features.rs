//! Plots of features: the bytes that each takes, and how fresh each is.

use asofdb::FeatureFreshness;

use crate::durations;
use crate::output::{count, plural};
use crate::picture::size;
use crate::report::svg::{Plot, span_text};
use crate::view::{FeatureView, View};

/// More features than this share a bar, or are not drawn.
const MOST: usize = 40;

const LEFT: f64 = 260.0;
const BAR: f64 = 430.0;
const PITCH: f64 = 22.0;

/// A bar a feature, the greatest first; `None` if there are no features.
pub fn bytes(view: &View) -> Option<String> {
    let features = view.by_bytes();
    let of = |feature: &FeatureView| feature.table_bytes + feature.memory_bytes;
    let most = features.first().map(|feature| of(feature))?;
    let mut plot = Plot::new("bytes by feature");
    let mut y = 0.0;
    let mut row = |name: &str, table: u64, memory: u64, records: u64| {
        let scale = |bytes: u64| bytes as f64 / most.max(1) as f64 * BAR;
        let baseline = y + 14.0;
        plot.label((0.0, baseline), LEFT - 10.0, name);
        let (in_tables, in_memory) = (scale(table), scale(memory));
        if table > 0 {
            let told = format!("{name}: about {} in tables", size(table));
            plot.area((LEFT, y + 3.0), (in_tables.max(1.0), PITCH - 8.0), "l1", &told);
        }
        if memory > 0 {
            let told = format!("{name}: about {} in memory", size(memory));
            let at = (LEFT + in_tables, y + 3.0);
            plot.area(at, (in_memory.max(1.0), PITCH - 8.0), "mem", &told);
        }
        let text = format!("{} · {}", size(table + memory), plural(records, "record"));
        let x = LEFT + in_tables + in_memory + 8.0;
        plot.text((x, baseline), "start", "soft", &text);
        y += PITCH;
    };
    for feature in features.iter().take(MOST) {
        row(&feature.shown, feature.table_bytes, feature.memory_bytes, feature.records());
    }
    let rest = features.get(MOST..).unwrap_or_default();
    if !rest.is_empty() {
        let sum = |of: fn(&FeatureView) -> u64| rest.iter().map(|feature| of(feature)).sum::<u64>();
        let name = format!("{} more features", count(rest.len() as u64));
        // Together they may take more than the greatest of the others: then the bar ends there.
        let (table, memory) = (sum(|of| of.table_bytes), sum(|of| of.memory_bytes));
        row(
            &name,
            table.min(most),
            memory.min(most.saturating_sub(table)),
            sum(FeatureView::records),
        );
    }
    Some(plot.finish())
}

/// How fresh a feature is: as far as the newest event time of its records tells it.
pub struct Freshness {
    /// The feature's name.
    pub name: String,
    /// How old its newest value is.
    pub age: i64,
    /// Its TTL.
    pub ttl: Option<i64>,
}

/// The freshness of all features that hold anything, the stalest against its TTL first.
pub fn freshness(view: &View) -> Vec<Freshness> {
    let of = |feature: &FeatureFreshness| {
        let name = match feature.newest_schema {
            true => feature.name.clone(),
            false => format!("{}@{}", feature.name, feature.schema),
        };
        let age = view.now.saturating_sub(feature.newest_event_time?.0);
        Some(Freshness { name, age, ttl: feature.ttl.map(asofdb::Span::micros) })
    };
    let mut all: Vec<Freshness> = view.freshness.iter().filter_map(of).collect();
    all.sort_by(|a, b| {
        let key = |of: &Freshness| (of.ttl.is_some_and(|ttl| of.age > ttl), of.age);
        key(b).cmp(&key(a)).then_with(|| a.name.cmp(&b.name))
    });
    all
}

/// A bar a feature: its age on a scale of orders of magnitude, with a mark at its TTL; `None` if
/// nothing is held.
pub fn ages(view: &View) -> Option<String> {
    let all = freshness(view);
    let longest = all.iter().flat_map(|of| [of.age, of.ttl.unwrap_or(0)]).max()?;
    let scale = |micros: i64| {
        let seconds = |micros: i64| (micros.max(0) as f64 / 1e6 + 1.0).ln();
        seconds(micros) / seconds(longest.max(60_000_000)) * BAR
    };
    let mut plot = Plot::new("age of the newest value of each feature");
    let bottom = all.len().min(MOST) as f64 * PITCH + 4.0;
    let ticks = [
        (1_000_000, "1 s"),
        (60_000_000, "1 min"),
        (3_600_000_000, "1 h"),
        (86_400_000_000, "1 d"),
        (30 * 86_400_000_000, "30 d"),
        (365 * 86_400_000_000, "1 y"),
        (10 * 365 * 86_400_000_000, "10 y"),
        (100 * 365 * 86_400_000_000, "100 y"),
    ];
    for (micros, name) in ticks.iter().filter(|(micros, _)| *micros <= longest) {
        let x = LEFT + scale(*micros);
        plot.line((x, 0.0), (x, bottom), "axis");
        plot.text((x, bottom + 14.0), "middle", "soft", name);
    }
    for (row, of) in all.iter().take(MOST).enumerate() {
        let y = row as f64 * PITCH;
        let baseline = y + 14.0;
        plot.label((0.0, baseline), LEFT - 10.0, &of.name);
        let (colour, state) = match of.ttl {
            None => ("none", "no ttl".to_owned()),
            Some(ttl) => {
                let told = durations::format(asofdb::Span::from_micros(ttl));
                if of.age > ttl {
                    ("bad", format!("ttl {told}: all expired"))
                } else {
                    ("good", format!("ttl {told}: fresh"))
                }
            }
        };
        let age = if of.age < 0 {
            format!("{} ahead of the clock", span_text(of.age))
        } else {
            format!("{} old", span_text(of.age))
        };
        let text = format!("{age} · {state}");
        let told = format!("{}: {text}", of.name);
        plot.area((LEFT, y + 3.0), (scale(of.age).max(2.0), PITCH - 8.0), colour, &told);
        if let Some(ttl) = of.ttl {
            let x = LEFT + scale(ttl);
            plot.line((x, y), (x, y + PITCH - 2.0), "ttl");
        }
        plot.text((LEFT + BAR + 12.0, baseline), "start", "soft", &text);
    }
    if let Some(more) = all.len().checked_sub(MOST).filter(|more| *more > 0) {
        let text = format!("and {}", plural(more as u64, "fresher feature"));
        plot.text((0.0, bottom + 14.0), "start", "soft", &text);
    }
    plot.reach(bottom + 18.0);
    Some(plot.finish())
}
