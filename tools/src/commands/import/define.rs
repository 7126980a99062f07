//! The features of a view in the store: found as they are, or defined as the files say.

use asofdb::{Feature, FeatureSpec, Span, Store, ValueType};

use super::layout::{View, ViewFeature};
use crate::durations::{self, Duration};
use crate::error::{Error, Result};
use crate::output::{Console, count, plural};

/// What the import says of its features besides their types.
#[derive(Clone, Copy)]
pub struct Terms {
    /// How long a value is fresh.
    pub ttl: Option<Duration>,
    /// How far back can be asked about.
    pub history: Option<Duration>,
}

/// Whether all that is missing can be defined, so that nothing is unless all of it is. Without a
/// store all of it is missing.
pub fn check(store: Option<&Store>, view: &View, terms: Terms) -> Result<()> {
    for feature in &view.features {
        match store.and_then(|store| store.feature(&feature.name).ok()) {
            Some(defined) => {
                agree(&defined, "ttl", defined.terms.ttl, terms.ttl)?;
                agree(&defined, "history", defined.terms.history, terms.history)?;
            }
            None => spec(feature, value_type(feature).unwrap_or(ValueType::Text), terms).check()?,
        }
    }
    Ok(())
}

/// Defines what is missing.
pub fn define(store: &Store, view: &mut View, terms: Terms, console: &mut Console) -> Result<()> {
    for feature in &mut view.features {
        let defined = match store.feature(&feature.name) {
            Ok(defined) => defined,
            Err(_) => {
                warn_of_odd(feature, console)?;
                feature.inferred = feature.seen.value_type().filter(|_| feature.wanted.is_none());
                if value_type(feature).is_none() {
                    console.warn(format!(
                        "column {} has no value in any row, so {} becomes text; say --features \
                         {}:TYPE if it is to be another type",
                        feature.column, feature.name, feature.column
                    ))?;
                }
                let value_type = value_type(feature).unwrap_or(ValueType::Text);
                store.define(spec(feature, value_type, terms))?
            }
        };
        feature.stored = Some((defined.id, defined.value_type));
        feature.history = defined.terms.history;
    }
    Ok(())
}

/// Tells of a column that a few cells keep from being one of numbers.
fn warn_of_odd(feature: &ViewFeature, console: &mut Console) -> Result<()> {
    let is_text = value_type(feature) == Some(ValueType::Text);
    let Some((first, texts, numbers)) = feature.odd.few().filter(|_| is_text) else {
        return Ok(());
    };
    console.warn(format!(
        "{first}; {} among {}, so {} becomes text; say --null TOKEN if such a cell means null, or \
         --features {}:f64 if it is a bad row",
        match texts {
            1 => "it is the only one".to_owned(),
            texts => format!("it is the first of {}", count(texts)),
        },
        plural(numbers, "number"),
        feature.name,
        feature.column
    ))
}

/// The type of a feature that is new; `None` if nothing tells it.
fn value_type(feature: &ViewFeature) -> Option<ValueType> {
    feature.wanted.or(feature.seen.value_type())
}

fn spec(feature: &ViewFeature, value_type: ValueType, terms: Terms) -> FeatureSpec {
    let mut spec = FeatureSpec::new(&feature.name, value_type);
    spec.terms.ttl = terms.ttl.and_then(|ttl| ttl.0);
    spec.terms.history = terms.history.and_then(|history| history.0);
    spec
}

/// An error if the import says of a feature what its definition does not.
fn agree(
    feature: &Feature,
    what: &str,
    defined: Option<Span>,
    said: Option<Duration>,
) -> Result<()> {
    match said {
        Some(said) if said.0 != defined => Err(Error::Failed(format!(
            "{} is defined with {what} {}, and this import says --{what} {}; leave the option out, \
             or change the definition with `asofdb alter`",
            feature.name,
            durations::format(defined),
            durations::format(said.0)
        ))),
        _ => Ok(()),
    }
}
