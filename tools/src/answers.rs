//! Answers as cells of a table and as JSON: the same for every command that reads.

use asofdb::{Answer, Feature, Row, Stamp};
use serde_json::{Map, Value as Json, json};

use crate::entity;
use crate::error::Result;
use crate::output::{Console, Table};
use crate::times;
use crate::values;

/// What an answer says in one cell: the value, or which of the other four it is in brackets.
pub fn cell(answer: &Answer) -> String {
    match answer.value() {
        Some(value) => values::to_text(value).into_owned(),
        None => format!("({})", answer.status().as_str()),
    }
}

/// All that is told of an answer.
pub fn json(answer: &Answer) -> Json {
    let mut object = Map::new();
    object.insert("status".to_owned(), json!(answer.status().as_str()));
    object.insert("value".to_owned(), answer.value().map_or(Json::Null, values::to_json));
    if let Some(origin) = answer.origin() {
        object.insert("event_time".to_owned(), json!(times::format(origin.event_time.0)));
        object.insert("known_time".to_owned(), json!(times::format(origin.known_time.0)));
        object.insert("commit".to_owned(), json!(origin.commit.0));
        object.insert("schema".to_owned(), json!(origin.schema));
        object.insert("source".to_owned(), json!(origin.source.as_deref()));
    }
    Json::Object(object)
}

/// The moment of a read, which can be logged with what was made of it.
pub fn stamp_json(stamp: Stamp) -> Json {
    json!({ "now": times::format(stamp.now.0), "commit": stamp.commit.0 })
}

/// The entity under its name; one that is no text comes in hexadecimal under another name.
pub fn entity_json(object: &mut Map<String, Json>, entity: &[u8]) {
    match std::str::from_utf8(entity) {
        Ok(text) => object.insert("entity".to_owned(), json!(text)),
        Err(_) => object.insert("entity_hex".to_owned(), json!(values::hex(entity))),
    };
}

/// One entity's row as JSON.
pub fn row_json(entity: &[u8], features: &[Feature], row: &Row, as_of: Option<i64>) -> Json {
    let mut object = Map::new();
    entity_json(&mut object, entity);
    object.insert("as_of".to_owned(), json!(times::format(as_of.unwrap_or(row.stamp.now.0))));
    let answers = features.iter().zip(&row.answers);
    let answers = answers.map(|(feature, answer)| (shown_name(feature), json(answer)));
    object.insert("features".to_owned(), Json::Object(answers.collect()));
    object.insert("stamp".to_owned(), stamp_json(row.stamp));
    Json::Object(object)
}

/// The name by which a feature is shown: older schemas with their number.
pub fn shown_name(feature: &Feature) -> String {
    if feature.newest { feature.name.clone() } else { feature.versioned_name() }
}

/// Which columns a table of answers has beside the values.
#[derive(Clone, Copy, Debug, Default)]
pub struct Extra {
    /// When each version became true and known.
    pub times: bool,
    /// Which of the five answers it is.
    pub status: bool,
}

/// Prints one entity's row, a line a feature.
pub fn print_row(
    console: &mut Console,
    entity: &[u8],
    features: &[Feature],
    row: &Row,
    as_of: Option<i64>,
    extra: Extra,
) -> Result<()> {
    if console.json {
        return console.json(&row_json(entity, features, row, as_of));
    }
    let moment = as_of.map_or("now".to_owned(), times::format);
    console.line(format!("{} as of {moment}", entity::show(entity)))?;
    let mut header = vec!["feature", "value"];
    if extra.status {
        header.push("status");
    }
    if extra.times {
        header.extend(["event time", "known time"]);
    }
    let mut table = Table::new(header);
    for (feature, answer) in features.iter().zip(&row.answers) {
        let mut cells = vec![shown_name(feature), cell(answer)];
        if extra.status {
            cells.push(answer.status().as_str().to_owned());
        }
        if extra.times {
            let origin = answer.origin();
            cells.push(origin.map(|origin| times::format(origin.event_time.0)).unwrap_or_default());
            cells.push(origin.map(|origin| times::format(origin.known_time.0)).unwrap_or_default());
        }
        table.row(console, cells)?;
    }
    table.finish(console)
}
