//! Definitions are written like data: each change has a commit, and is durable when it returns.

use std::sync::Arc;

use asofdb_format::catalog::{Definition, Terms};
use asofdb_format::edit::Edit;
use asofdb_format::ids::{Commit, Span};
use asofdb_format::value::ValueType;

use crate::state::catalog::FeatureState;
use crate::state::durable::Durable;
use crate::state::live::{Keeper, State};
use crate::types::error::{InvalidArgument, Result};
use crate::types::spec::{Alter, Feature, FeatureSpec, check_terms, check_type};
use crate::write::commit::Committer;

/// The most features that a store may have, retired ones and older schemas included.
pub(crate) const MAX_FEATURES: usize = 65_536;

fn swap_catalog(state: &mut State, durable: &Durable) {
    state.catalog = Arc::new(durable.catalog.clone());
}

/// Defines a feature; nothing happens if it is already defined just so.
pub(crate) fn define(keeper: &Keeper, committer: &Committer, spec: FeatureSpec) -> Result<Feature> {
    spec.check()?;
    let mut order = committer.lock()?;
    let state = keeper.state();
    if let Ok(existing) = state.catalog.resolve(&spec.name, Commit::MAX) {
        let described = state.catalog.describe(existing);
        if described.value_type == spec.value_type && described.terms == spec.terms {
            return Ok(described);
        }
        let existing = in_words(existing);
        return Err(InvalidArgument::AlreadyDefined { name: spec.name, existing }.into());
    }
    let id = state.catalog.next_id();
    check_room(&state)?;
    let definition = Definition {
        id,
        schema: state.catalog.schemas(&spec.name) + 1,
        name: spec.name,
        value_type: spec.value_type,
        terms: spec.terms,
    };
    let edit = |commit, _: &Durable| Ok(vec![Edit::Define(commit, definition.clone())]);
    committer.change(&mut order, edit, swap_catalog)?;
    described(keeper, &definition.name)
}

/// Alters the terms of a feature. The bounds as they stand are recorded first, so that what was
/// given up stays given up.
pub(crate) fn alter(
    keeper: &Keeper,
    committer: &Committer,
    name: &str,
    change: Alter,
) -> Result<Feature> {
    let mut order = committer.lock()?;
    let state = keeper.state();
    let feature = state.catalog.resolve(name, Commit::MAX)?;
    let terms = changed(name, feature, change)?;
    let id = feature.definition.id;
    let edit = |commit, durable: &Durable| {
        let feature = durable.catalog.get(id).unwrap_or(feature);
        let stood = feature.bounds(keeper.now(), keeper.snapshots.oldest());
        Ok(vec![Edit::Alter(commit, id, terms.clone(), stood)])
    };
    committer.change(&mut order, edit, swap_catalog)?;
    described(keeper, name)
}

/// A feature's terms with a change.
fn changed(name: &str, feature: &FeatureState, change: Alter) -> Result<Terms> {
    let old = feature.terms().clone();
    let terms = Terms {
        ttl: change.ttl.unwrap_or(old.ttl),
        history: change.history.unwrap_or(old.history),
        forget_after: change.forget_after.unwrap_or(old.forget_after),
        description: change.description.unwrap_or(old.description),
        tags: change.tags.unwrap_or(old.tags),
    };
    check_terms(name, &terms)?;
    Ok(terms)
}

/// Gives a feature another type under the next schema number; the old one stays readable.
pub(crate) fn evolve(
    keeper: &Keeper,
    committer: &Committer,
    name: &str,
    value_type: ValueType,
    change: Alter,
) -> Result<Feature> {
    check_type(value_type)?;
    let mut order = committer.lock()?;
    let state = keeper.state();
    let feature = state.catalog.resolve(name, Commit::MAX)?;
    check_room(&state)?;
    let plain = feature.definition.name.clone();
    let definition = Definition {
        id: state.catalog.next_id(),
        schema: state.catalog.schemas(&plain) + 1,
        name: plain.clone(),
        value_type,
        terms: changed(name, feature, change)?,
    };
    let edit = |commit, _: &Durable| Ok(vec![Edit::Define(commit, definition.clone())]);
    committer.change(&mut order, edit, swap_catalog)?;
    described(keeper, &plain)
}

/// Retires a feature under all its schema numbers.
pub(crate) fn retire(keeper: &Keeper, committer: &Committer, name: &str) -> Result<()> {
    let mut order = committer.lock()?;
    let state = keeper.state();
    let plain = state.catalog.resolve(name, Commit::MAX)?.definition.name.clone();
    let edit = |commit, _: &Durable| Ok(vec![Edit::Retire(commit, plain.clone())]);
    committer.change(&mut order, edit, swap_catalog)?;
    Ok(())
}

fn described(keeper: &Keeper, name: &str) -> Result<Feature> {
    let state = keeper.state();
    let feature = state.catalog.resolve(name, Commit::MAX)?;
    Ok(state.catalog.describe(feature))
}

fn check_room(state: &State) -> Result<()> {
    if state.catalog.len() >= MAX_FEATURES {
        return Err(InvalidArgument::TooManyFeatures.into());
    }
    Ok(())
}

/// A span in the largest unit of which it is a whole number, as in `30d`.
fn length(span: Span) -> String {
    const UNITS: [(i64, &str); 6] = [
        (86_400_000_000, "d"),
        (3_600_000_000, "h"),
        (60_000_000, "m"),
        (1_000_000, "s"),
        (1_000, "ms"),
        (1, "us"),
    ];
    let micros = span.micros();
    let fits = |(unit, _): &&(i64, &str)| micros % unit == 0;
    let (unit, name) = UNITS.iter().find(fits).copied().unwrap_or((1, "us"));
    format!("{}{name}", micros / unit)
}

fn in_words(feature: &FeatureState) -> String {
    let terms = feature.terms();
    let span = |name: &str, span: Option<Span>| {
        span.map_or(String::new(), |span| format!(", {name} {}", length(span)))
    };
    format!(
        "{}{}{}{}",
        feature.definition.value_type,
        span("ttl", terms.ttl),
        span("history", terms.history),
        span("forget_after", terms.forget_after)
    )
}
