//! The features of a view in the store: found as they are, or defined as the files say.

use asofdb::{Feature, FeatureSpec, Span, Store, ValueType};

use super::layout::{View, ViewFeature};
use crate::durations::{self, Duration};
use crate::error::{Error, Result};
use crate::output::Console;

/// What the import says of its features besides their types.
#[derive(Clone, Copy)]
pub struct Terms {
    /// How long a value is fresh.
    pub ttl: Option<Duration>,
    /// How far back can be asked about.
    pub history: Option<Duration>,
}

/// Defines what is missing. Nothing is defined unless all of it can be.
pub fn define(store: &Store, view: &mut View, terms: Terms, console: &mut Console) -> Result<()> {
    for feature in &view.features {
        if let Ok(defined) = store.feature(&feature.name) {
            agree(&defined, "ttl", defined.terms.ttl, terms.ttl)?;
            agree(&defined, "history", defined.terms.history, terms.history)?;
        }
    }
    for feature in &mut view.features {
        let defined = match store.feature(&feature.name) {
            Ok(defined) => defined,
            Err(_) => store.define(spec(feature, terms, console)?)?,
        };
        feature.stored = Some((defined.id, defined.value_type));
        feature.history = defined.terms.history;
    }
    Ok(())
}

fn spec(feature: &ViewFeature, terms: Terms, console: &mut Console) -> Result<FeatureSpec> {
    let value_type = match feature.wanted.or(feature.seen.value_type()) {
        Some(value_type) => value_type,
        None => {
            console.warn(format!(
                "column {} has no value in any row, so {} becomes text; say --features {}:TYPE if \
                 it is to be another type",
                feature.column, feature.name, feature.column
            ))?;
            ValueType::Text
        }
    };
    let mut spec = FeatureSpec::new(&feature.name, value_type);
    spec.terms.ttl = terms.ttl.and_then(|ttl| ttl.0);
    spec.terms.history = terms.history.and_then(|history| history.0);
    Ok(spec)
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
