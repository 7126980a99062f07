//! What is still to come by the clock alone: values that pass their TTL, records that fall below
//! their horizon.
//!
//! From metadata: the records of a feature in a table are taken to be spread evenly over its event
//! times.

use crate::output::{count, plural};
use crate::report::svg::{Digits, Plot, TimeAxis, WIDTH, moment_text};
use crate::view::{FeatureView, View};

const BUCKETS: usize = 48;
const LEFT: f64 = 70.0;
const RIGHT: f64 = WIDTH - 10.0;
const HEIGHT: f64 = 130.0;

/// Records by the moment at which something happens to them.
pub struct Coming {
    /// Records to which it has happened.
    pub past: u64,
    /// Records to which it never does.
    pub never: u64,
    /// From now to the last of the others.
    until: i64,
    /// So many records in each part of that time.
    buckets: [f64; BUCKETS],
    /// Records to which it is still to happen.
    pub coming: u64,
}

/// When values pass their TTL.
pub fn ttl(view: &View) -> Coming {
    coming(view, |feature| feature.ttl.map(asofdb::Span::micros))
}

/// When records fall below the horizon of their feature.
pub fn horizon(view: &View) -> Coming {
    coming(view, |feature| feature.history.map(asofdb::Span::micros))
}

fn coming(view: &View, after: impl Fn(&FeatureView) -> Option<i64>) -> Coming {
    let now = view.now;
    let mut coming = Coming { past: 0, never: 0, until: now, buckets: [0.0; BUCKETS], coming: 0 };
    // First, last and count of each stretch.
    let mut stretches = Vec::new();
    for feature in &view.features {
        let Some(after) = after(feature) else {
            coming.never += feature.records();
            continue;
        };
        for span in &feature.spans {
            let from = span.oldest.saturating_add(after);
            let to = span.newest.saturating_add(after);
            coming.until = coming.until.max(to);
            stretches.push((from, to, span.records));
        }
    }
    let width = (coming.until as f64 - now as f64).max(1.0) / BUCKETS as f64;
    for (from, to, records) in stretches {
        let length = (to as f64 - from as f64).max(1.0);
        let share = |left: f64, right: f64| {
            let (left, right) = (left.max(from as f64), right.min(from as f64 + length));
            (right - left).max(0.0) / length * records as f64
        };
        let mut to_come = 0.0;
        for (bucket, held) in coming.buckets.iter_mut().enumerate() {
            let left = now as f64 + bucket as f64 * width;
            // The last one has what lies at its very end.
            let right = if bucket + 1 == BUCKETS { f64::MAX } else { left + width };
            let part = if to <= now { 0.0 } else { share(left, right) };
            *held += part;
            to_come += part;
        }
        let to_come = whole(to_come).min(records);
        coming.coming += to_come;
        coming.past += records - to_come;
    }
    coming
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an estimate between nothing and a count of records"
)]
fn whole(estimate: f64) -> u64 {
    estimate.max(0.0).round() as u64
}

impl Coming {
    /// What it amounts to, in words.
    pub fn words(&self, what: &str) -> String {
        format!(
            "About {} {what}; {} already did, {} never do.",
            plural(self.coming, "record"),
            count(self.past),
            count(self.never)
        )
    }

    /// The plot; `None` if nothing is to come.
    pub fn plot(&self, now: i64, title: &str, colour: &str) -> Option<String> {
        if self.coming == 0 {
            return None;
        }
        let axis = TimeAxis::new((now, self.until), (LEFT, RIGHT));
        let most = self.buckets.iter().copied().fold(1.0, f64::max);
        let mut plot = Plot::new(title);
        let top = 14.0;
        let bottom = top + HEIGHT;
        axis.draw(&mut plot, top, bottom);
        let pitch = (RIGHT - LEFT) / BUCKETS as f64;
        let width = (self.until as f64 - now as f64) / BUCKETS as f64;
        for (bucket, records) in self.buckets.iter().enumerate() {
            if *records <= 0.0 {
                continue;
            }
            let height = (records / most * HEIGHT).max(1.0);
            let x = LEFT + bucket as f64 * pitch;
            let from = now.saturating_add_unsigned(whole(bucket as f64 * width));
            let told = format!(
                "about {} from {} on",
                plural(whole(*records), "record"),
                moment_text(from, Digits::Minutes)
            );
            plot.area((x + 0.5, bottom - height), (pitch - 1.0, height), colour, &told);
        }
        plot.text((LEFT - 8.0, top + 6.0), "end", "soft", &count(whole(most)));
        plot.text((LEFT - 8.0, bottom), "end", "soft", "0");
        Some(plot.finish())
    }
}
