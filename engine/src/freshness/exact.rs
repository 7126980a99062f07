//! The exact report: every entity is asked what `latest` asks, and its answers are counted.
//!
//! Memory stays bounded by the features and the memtables: ages go into buckets.

use asofdb_format::ids::{EventTime, KnownTime};
use asofdb_format::meta::FeatureMeta;
use asofdb_format::value::Value;

use crate::freshness::ages::{AgeCounts, age};
use crate::freshness::future::FutureScan;
use crate::freshness::{Answers, FeatureFreshness, FreshnessReport, estimate, expiry, share};
use crate::metrics::Visits;
use crate::read::entities::Entities;
use crate::read::how::{Read, Stand};
use crate::read::plan::{Ask, Pinned, Plan};
use crate::read::row::best_of;
use crate::read::selection::Selection;
use crate::read::source::Found;
use crate::state::live::Keeper;
use crate::types::answer::Status;
use crate::types::error::Result;

/// What the newest versions answer.
pub(crate) fn exact(keeper: &Keeper) -> Result<FreshnessReport> {
    let pinned = Pinned::new(keeper, &Stand::Newest)?;
    let mut report = estimate(keeper, &pinned);
    report.exact = true;
    let catalog = &pinned.state.catalog;
    let features: Vec<_> = catalog.alive().map(|feature| catalog.describe(feature)).collect();
    let selection = Selection::new(keeper.store, features);
    let plan = Plan::of(keeper, pinned, &selection, &Read::latest())?;
    let mut counted: Vec<Counted> = plan.asks.iter().map(Counted::new).collect();
    let mut entities = Entities::new(&plan.state, b"", |_| true, |_| true)?;
    while let Some(entity) = entities.next_entity()? {
        let view = plan.view(&entity);
        let best = best_of(&plan.state, &entity, &plan.asks, &view, &mut Visits::new())?;
        for ((ask, counted), found) in plan.asks.iter().zip(&mut counted).zip(best) {
            if let Some(found) = found {
                counted.count(ask, &found);
            }
        }
    }
    let mut future = FutureScan::new(&plan)?;
    while let Some(found) = future.next_entity()? {
        for (place, _) in found.rows {
            if let Some(counted) = counted.get_mut(place) {
                counted.future_dated += 1;
            }
        }
    }
    for (ask, counted) in plan.asks.iter().zip(counted) {
        if let Some(feature) = report.features.get_mut(ask.place) {
            counted.tell(ask, feature);
        }
    }
    Ok(report)
}

/// What was counted of a feature.
struct Counted {
    answers: Answers,
    ages: AgeCounts,
    numbers: FeatureMeta,
    newest: Option<EventTime>,
    newest_known: Option<KnownTime>,
    /// The least event time of what is fresh.
    oldest_fresh: Option<EventTime>,
    future_dated: u64,
}

impl Counted {
    fn new(ask: &Ask) -> Self {
        Self {
            answers: Answers::default(),
            ages: AgeCounts::default(),
            numbers: FeatureMeta::new(String::new(), 0, ask.value_type, crate::Bounds::default()),
            newest: None,
            newest_known: None,
            oldest_fresh: None,
            future_dated: 0,
        }
    }

    /// Counts what the newest version of an entity answers.
    fn count(&mut self, ask: &Ask, found: &Found<'_>) {
        let event_time = found.order.event_time;
        if ask.terms.is_forgotten(event_time) {
            return;
        }
        match ask.terms.judge(event_time, found.content.kind, ask.t) {
            Status::Missing => return,
            Status::Deleted => {
                self.answers.deleted += 1;
                return;
            }
            Status::Expired => self.answers.expired += 1,
            fresh => {
                if fresh == Status::Null {
                    self.answers.nulls += 1;
                } else {
                    self.answers.values += 1;
                }
                if let Some(bits) = found.content.bits() {
                    self.numbers.count_number(bits);
                }
                let oldest = self.oldest_fresh.unwrap_or(event_time);
                self.oldest_fresh = Some(oldest.min(event_time));
            }
        }
        self.ages.add(age(ask.t.0, event_time.0));
        self.newest = self.newest.max(Some(event_time));
        self.newest_known = self.newest_known.max(Some(found.order.known_time));
    }

    /// Puts it in the place of what was estimated.
    fn tell(&self, ask: &Ask, feature: &mut FeatureFreshness) {
        let Answers { values, nulls, expired, .. } = self.answers;
        let entities = values + nulls + expired;
        let number = |bits| Value::from_bits(ask.value_type, bits);
        feature.entities = entities;
        feature.answers = Some(self.answers);
        feature.null_share = share(nulls, entities);
        feature.expired_share = share(expired, entities);
        feature.least = self.numbers.numbers.and_then(|(least, _)| number(least));
        feature.greatest = self.numbers.numbers.and_then(|(_, greatest)| number(greatest));
        feature.newest_event_time = self.newest;
        feature.newest_known_time = self.newest_known;
        feature.ages = self.ages.ages();
        let fresh = ask.terms.max_age.zip(self.oldest_fresh);
        feature.next_expiry = fresh.map(|(ttl, oldest)| expiry(oldest, ttl));
        feature.future_dated = self.future_dated;
    }
}
