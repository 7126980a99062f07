//! Features as their users define them.

use std::collections::BTreeMap;

pub use asofdb_format::catalog::{Bounds, Terms};
use asofdb_format::ids::{Commit, FeatureId, Span};
use asofdb_format::value::MAX_VECTOR_DIM;
pub use asofdb_format::value::ValueType;

use crate::types::error::{InvalidArgument, Result};

/// The most bytes that a feature's description and tags may have together.
const MAX_WORDS_LEN: usize = 64 << 10;

/// What a user says of a feature: its name, its type and how long what is written stays.
///
/// ```
/// use asofdb::{FeatureSpec, Span, ValueType};
/// let spend = FeatureSpec::new("customer:spend_30d", ValueType::F64)
///     .ttl(Span::from_hours(48))
///     .history(Span::from_days(400))
///     .describe("What the customer spent in the 30 days before");
/// assert_eq!(spend.name, "customer:spend_30d");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FeatureSpec {
    /// The name, usually `view:feature`; 1 to 255 bytes of UTF-8 without `@`.
    pub name: String,
    /// The type of its values.
    pub value_type: ValueType,
    /// How long it stays and what is said of it.
    pub terms: Terms,
}

impl FeatureSpec {
    /// A feature without TTL and with history kept for ever.
    #[must_use]
    pub fn new(name: impl Into<String>, value_type: ValueType) -> Self {
        Self { name: name.into(), value_type, terms: Terms::default() }
    }

    /// Whether any store would take it, if it has no feature of this name yet. Who defines several
    /// features checks all of them before the first.
    ///
    /// # Errors
    /// [`InvalidArgument`] if the name, the type or the terms cannot be.
    pub fn check(&self) -> Result<()> {
        check_name(&self.name)?;
        check_type(self.value_type)?;
        check_terms(&self.name, &self.terms)
    }

    /// Sets the TTL.
    #[must_use]
    pub fn ttl(mut self, ttl: Span) -> Self {
        self.terms.ttl = Some(ttl);
        self
    }

    /// Sets how much history is kept.
    #[must_use]
    pub fn history(mut self, history: Span) -> Self {
        self.terms.history = Some(history);
        self
    }

    /// Sets when even the marks of stale versions are forgotten; needs a TTL.
    #[must_use]
    pub fn forget_after(mut self, forget_after: Span) -> Self {
        self.terms.forget_after = Some(forget_after);
        self
    }

    /// Sets the description.
    #[must_use]
    pub fn describe(mut self, description: impl Into<String>) -> Self {
        self.terms.description = description.into();
        self
    }

    /// Adds a tag.
    #[must_use]
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.terms.tags.insert(key.into(), value.into());
        self
    }
}

/// A change of a definition: what is `None` stays as it is.
///
/// ```
/// use asofdb::{Alter, FeatureSpec, Options, Span, Store, ValueType};
/// # fn main() -> asofdb::Result<()> {
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = Store::open(dir.path().join("store"), Options::new())?;
/// store.define(FeatureSpec::new("customer:bio", ValueType::Text))?;
/// let altered = store.alter("customer:bio", Alter::new().ttl(Some(Span::from_days(30))))?;
/// assert_eq!(altered.terms.ttl, Some(Span::from_days(30)));
/// let evolved = store.evolve("customer:bio", ValueType::Vector(384))?;
/// assert_eq!((evolved.schema, evolved.versioned_name().as_str()), (2, "customer:bio@2"));
/// assert_eq!(store.feature("customer:bio@1")?.value_type, ValueType::Text);
/// # store.close()
/// # }
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Alter {
    /// The new TTL.
    pub ttl: Option<Option<Span>>,
    /// The new history.
    pub history: Option<Option<Span>>,
    /// The new `forget_after`.
    pub forget_after: Option<Option<Span>>,
    /// The new description.
    pub description: Option<String>,
    /// All the new tags.
    pub tags: Option<BTreeMap<String, String>>,
}

impl Alter {
    /// Changes nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the TTL, or takes it away.
    #[must_use]
    pub fn ttl(mut self, ttl: Option<Span>) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// Sets the history; `None` keeps it for ever from now on.
    #[must_use]
    pub fn history(mut self, history: Option<Span>) -> Self {
        self.history = Some(history);
        self
    }

    /// Sets `forget_after`, or takes it away.
    #[must_use]
    pub fn forget_after(mut self, forget_after: Option<Span>) -> Self {
        self.forget_after = Some(forget_after);
        self
    }

    /// Sets the description.
    #[must_use]
    pub fn describe(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// Replaces all tags.
    #[must_use]
    pub fn tags(mut self, tags: BTreeMap<String, String>) -> Self {
        self.tags = Some(tags);
        self
    }
}

/// A feature as the store knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Feature {
    /// Its stable number, one for each schema.
    pub id: FeatureId,
    /// Its name without the schema number.
    pub name: String,
    /// Its schema number, 1 for the first.
    pub schema: u32,
    /// The type of its values.
    pub value_type: ValueType,
    /// The terms in force.
    pub terms: Terms,
    /// When this definition was made or last altered.
    pub since: Commit,
    /// Whether it is the newest schema of its name, which the plain name means.
    pub newest: bool,
    /// The bounds that are recorded, for compaction or by an alter. A read applies the greater of
    /// these and what the clock gives.
    pub recorded: Bounds,
}

impl Feature {
    /// The name that means this schema whatever comes later: `view:feature@1`.
    #[must_use]
    pub fn versioned_name(&self) -> String {
        format!("{}@{}", self.name, self.schema)
    }
}

fn check_name(name: &str) -> Result<()> {
    let plain = !name.is_empty()
        && name.len() <= 255
        && !name.chars().any(|char| char == '@' || char.is_control());
    if plain { Ok(()) } else { Err(InvalidArgument::FeatureName { name: name.to_owned() }.into()) }
}

pub(crate) fn check_type(value_type: ValueType) -> Result<()> {
    match value_type {
        ValueType::Vector(dim) if dim == 0 || dim > MAX_VECTOR_DIM => {
            let what = format!("a vector has 1 to {MAX_VECTOR_DIM} numbers, not {dim}");
            Err(InvalidArgument::Other(what).into())
        }
        _ => Ok(()),
    }
}

pub(crate) fn check_terms(name: &str, terms: &Terms) -> Result<()> {
    let tags = terms.tags.iter().map(|(key, value)| key.len() + value.len() + 2);
    let words = terms.description.len() + tags.sum::<usize>();
    if words > MAX_WORDS_LEN {
        let what = format!(
            "{name}: description and tags have at most {MAX_WORDS_LEN} bytes together, not {words}"
        );
        return Err(InvalidArgument::Other(what).into());
    }
    if terms.forget_after.is_some() && terms.ttl.is_none() {
        return Err(InvalidArgument::ForgetWithoutTtl { name: name.to_owned() }.into());
    }
    Ok(())
}
