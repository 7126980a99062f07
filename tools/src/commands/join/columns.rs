//! The columns of a join's output and their names.

use std::collections::BTreeMap;

use asofdb::Feature;

use super::JoinArgs;
use crate::error::{Error, Result};

/// What a column of the output holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// A column of the spine, by its place there.
    Spine(usize),
    /// A feature's values, by its place in the selection.
    Value(usize),
    /// Which of the five answers each is.
    Status(usize),
    /// When each value became true.
    EventTime(usize),
}

/// The columns of the output, in order.
pub struct Columns(pub Vec<(String, Content)>);

impl Columns {
    /// The spine's columns, then each feature's with what was asked beside it.
    pub fn new(features: &[Feature], spine: &[String], args: &JoinArgs) -> Result<Self> {
        let mut columns: Vec<(String, Content)> =
            spine.iter().cloned().enumerate().map(|(i, name)| (name, Content::Spine(i))).collect();
        let names = names(features, spine, args.full_names);
        for (index, name) in names.into_iter().enumerate() {
            let status = args.status.then(|| (format!("{name}__status"), Content::Status(index)));
            let time =
                args.times.then(|| (format!("{name}__event_time"), Content::EventTime(index)));
            columns.push((name, Content::Value(index)));
            columns.extend(status);
            columns.extend(time);
        }
        let mut seen = BTreeMap::new();
        for (name, content) in &columns {
            let both = seen.insert(name, content);
            if both.is_some() && !matches!(content, Content::Spine(_)) {
                return Err(Error::Failed(format!(
                    "the output would have two columns {name:?}; rename the spine's, or say \
                     --full-names"
                )));
            }
        }
        Ok(Self(columns))
    }
}

/// The features' names in the output: without the view where that is enough to tell them apart.
fn names(features: &[Feature], spine: &[String], full: bool) -> Vec<String> {
    let parts: Vec<(Option<&str>, String)> = features
        .iter()
        .map(|feature| {
            let (view, own) = match feature.name.split_once(':') {
                Some((view, own)) => (Some(view), own),
                None => (None, feature.name.as_str()),
            };
            let schema =
                if feature.newest { String::new() } else { format!("@{}", feature.schema) };
            (view, format!("{own}{schema}"))
        })
        .collect();
    let mut uses: BTreeMap<&str, usize> = BTreeMap::new();
    for name in spine.iter().map(String::as_str).chain(parts.iter().map(|(_, own)| own.as_str())) {
        *uses.entry(name).or_default() += 1;
    }
    parts
        .iter()
        .map(|(view, own)| match view {
            Some(view) if full || uses.get(own.as_str()).is_some_and(|uses| *uses > 1) => {
                format!("{view}__{own}")
            }
            _ => own.clone(),
        })
        .collect()
}
