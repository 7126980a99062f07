//! Steps and outcomes as JSON, both ways. The fields are those of the conformance programs.
//!
//! Invariants:
//! - parsing takes every field of an object or refuses it;
//! - entities and values other than `i64` are written as text, so programs hold only such as are UTF-8.

use serde_json::{Map, Value as Json, json};

use super::Step;
use crate::answer::{Answer, Kind, Outcome, Refusal, Value};
use crate::question::{Crash, Definition, Options, Put, Question, Read, Reader};

/// The fields of one JSON object, taken out one by one.
pub(super) struct Fields(Map<String, Json>);

impl Fields {
    /// Takes the object apart.
    pub(super) fn of(json: Json) -> Result<Fields, String> {
        match json {
            Json::Object(map) => Ok(Fields(map)),
            other => Err(format!("not an object: {other}")),
        }
    }

    /// The field, unless it is absent or null.
    pub(super) fn take(&mut self, name: &str) -> Option<Json> {
        self.0.shift_remove(name).filter(|json| !json.is_null())
    }

    fn time(&mut self, name: &str) -> Result<Option<i64>, String> {
        match self.take(name) {
            None => Ok(None),
            Some(json) => json.as_i64().map(Some).ok_or(format!("{name} is no i64: {json}")),
        }
    }

    fn needed_time(&mut self, name: &str) -> Result<i64, String> {
        self.time(name)?.ok_or(format!("no {name}"))
    }

    fn text(&mut self, name: &str) -> Result<Option<String>, String> {
        match self.take(name) {
            None => Ok(None),
            Some(Json::String(text)) => Ok(Some(text)),
            Some(json) => Err(format!("{name} is no text: {json}")),
        }
    }

    fn flag(&mut self, name: &str) -> bool {
        self.take(name).is_some_and(|flag| flag == Json::Bool(true))
    }

    fn needed_text(&mut self, name: &str) -> Result<String, String> {
        self.text(name)?.ok_or(format!("no {name}"))
    }

    /// Checks that no field is left.
    pub(super) fn end(self) -> Result<(), String> {
        match self.0.iter().find(|(_, json)| !json.is_null()) {
            None => Ok(()),
            Some((name, json)) => Err(format!("unknown field {name}: {json}")),
        }
    }
}

/// Reads one step and the outcome that it must have.
pub(super) fn parse_step(json: Json) -> Result<(Step, Outcome), String> {
    let mut fields = Fields::of(json)?;
    let expect = fields.take("expect");
    let op = fields.needed_text("op")?;
    let step = match op.as_str() {
        "clock" => Step::Clock(fields.needed_time("now")?),
        "define" => Step::Define(fields.needed_text("feature")?, parse_definition(&mut fields)?),
        "alter" => Step::Alter(fields.needed_text("feature")?, parse_definition(&mut fields)?),
        "evolve" => Step::Evolve(fields.needed_text("feature")?, parse_definition(&mut fields)?),
        "retire" => Step::Retire(fields.needed_text("feature")?),
        "write" => {
            let Some(Json::Array(list)) = fields.take("puts") else { return Err("no puts".into()) };
            let puts = list.into_iter().map(parse_put).collect::<Result<_, _>>()?;
            Step::Write { puts, source: fields.text("source")?, synced: fields.flag("synced") }
        }
        "sync" => Step::Sync,
        "flush" => Step::Flush,
        "compact" => Step::Compact,
        "reopen" => Step::Reopen,
        "snapshot" => Step::Snapshot(fields.needed_text("name")?),
        "release" => Step::Release(fields.needed_text("name")?),
        "stamp" => Step::Stamp(fields.needed_text("name")?),
        "erase" => Step::Erase(fields.needed_text("entity")?.into_bytes()),
        "revert" => match fields.take("batches") {
            Some(Json::Array(list)) => Step::RevertBatches(parse_places(&list)?),
            _ => Step::Revert(fields.needed_text("source")?),
        },
        "crash" => Step::Crash(parse_crash(&mut fields)?),
        _ => Step::Read(parse_read(&op, &mut fields)?),
    };
    fields.end()?;
    let outcome = match expect {
        Some(expect) => parse_outcome(expect)?,
        None if matches!(step, Step::Read(_)) => return Err("a read without its answer".into()),
        None => Outcome::Done,
    };
    Ok((step, outcome))
}

fn parse_places(list: &[Json]) -> Result<Vec<usize>, String> {
    let place = |json: &Json| json.as_u64().and_then(|place| usize::try_from(place).ok());
    let places = list.iter().map(|json| place(json).ok_or(format!("no place: {json}")));
    places.collect()
}

fn parse_crash(fields: &mut Fields) -> Result<Crash, String> {
    let by = fields.needed_text("by")?;
    let mut number = |name: &str| {
        let json = fields.take(name).and_then(|json| json.as_u64());
        json.ok_or(format!("no {name}"))
    };
    let percent = |number: u64| u8::try_from(number).map_err(|error| error.to_string());
    match by.as_str() {
        "kill" => Ok(Crash::Kill),
        "power cut" => Ok(Crash::PowerCut {
            names: percent(number("names")?)?,
            data: percent(number("data")?)?,
            seed: number("seed")?,
        }),
        other => Err(format!("unknown crash {other}")),
    }
}

fn parse_definition(fields: &mut Fields) -> Result<Definition, String> {
    Ok(Definition {
        value_type: fields.needed_text("type")?,
        ttl: fields.time("ttl")?,
        history: fields.time("history")?,
        forget_after: fields.time("forget_after")?,
    })
}

fn parse_value(json: Json) -> Result<Value, String> {
    match json {
        Json::String(text) => Ok(Value::Other(text.into_bytes())),
        json => json.as_i64().map(Value::I64).ok_or(format!("no value: {json}")),
    }
}

fn parse_put(json: Json) -> Result<Put, String> {
    let mut fields = Fields::of(json)?;
    let kind = match fields.needed_text("kind")?.as_str() {
        "value" => Kind::Value(parse_value(fields.take("value").ok_or("no value")?)?),
        "null" => Kind::Null,
        "deleted" => Kind::Deleted,
        other => return Err(format!("unknown kind {other}")),
    };
    let put = Put {
        entity: fields.needed_text("entity")?.into_bytes(),
        feature: fields.needed_text("feature")?,
        e: fields.needed_time("e")?,
        known: fields.time("known")?,
        kind,
    };
    fields.end()?;
    Ok(put)
}

fn parse_read(op: &str, fields: &mut Fields) -> Result<Read, String> {
    let question = match op {
        "latest" | "at" => Question::Latest,
        "as_of" => Question::AsOf(fields.needed_time("t")?),
        "range" => {
            Question::Range { from: fields.needed_time("from")?, to: fields.needed_time("to")? }
        }
        "last_n" => {
            let n = usize::try_from(fields.needed_time("n")?).map_err(|error| error.to_string())?;
            Question::LastN { t: fields.needed_time("t")?, n }
        }
        other => return Err(format!("unknown operation {other}")),
    };
    let reader = match (fields.text("snapshot")?, fields.text("stamp")?) {
        (None, None) => Reader::Newest,
        (Some(name), None) => Reader::Snapshot(name),
        (None, Some(name)) => Reader::Stamp(name),
        (Some(_), Some(_)) => return Err("both snapshot and stamp".into()),
    };
    if op == "at" && !matches!(reader, Reader::Stamp(_)) {
        return Err("at without stamp".into());
    }
    let options = Options {
        known_at: fields.time("known_at")?,
        before: fields.flag("before"),
        delay: fields.time("delay")?,
        max_age: fields.time("max_age")?,
        reader,
    };
    let entity = fields.needed_text("entity")?.into_bytes();
    Ok(Read { entity, feature: fields.needed_text("feature")?, question, options })
}

fn parse_outcome(json: Json) -> Result<Outcome, String> {
    let json = match json {
        Json::Array(list) => {
            let answers = list.into_iter().map(|item| parse_answer(Fields::of(item)?));
            return Ok(Outcome::Versions(answers.collect::<Result<_, _>>()?));
        }
        other => other,
    };
    let mut fields = Fields::of(json)?;
    if let Some(commit) = fields.time("survived")? {
        fields.end()?;
        return Ok(Outcome::Survived(commit));
    }
    let Some(name) = fields.text("error")? else { return Ok(Outcome::Cell(parse_answer(fields)?)) };
    fields.end()?;
    let refusal = Refusal::ALL.into_iter().find(|refusal| refusal.name() == name);
    refusal.map(Outcome::Refused).ok_or(format!("unknown error {name}"))
}

fn parse_answer(mut fields: Fields) -> Result<Answer, String> {
    let answer = match fields.needed_text("answer")?.as_str() {
        "value" => Answer::Value {
            e: fields.needed_time("e")?,
            known: fields.needed_time("known")?,
            value: parse_value(fields.take("value").ok_or("no value")?)?,
        },
        "null" => Answer::Null { e: fields.needed_time("e")?, known: fields.needed_time("known")? },
        "deleted" => Answer::Deleted { e: fields.needed_time("e")? },
        "expired" => Answer::Expired { e: fields.needed_time("e")? },
        "missing" => Answer::Missing,
        other => return Err(format!("unknown answer {other}")),
    };
    fields.end()?;
    Ok(answer)
}

fn text_of(bytes: &[u8]) -> Json {
    String::from_utf8_lossy(bytes).into()
}

fn print_value(value: &Value) -> Json {
    match value {
        Value::I64(number) => json!(number),
        Value::Other(bytes) => text_of(bytes),
    }
}

/// Prints one step and its outcome.
pub(super) fn print_step(step: &Step, outcome: &Outcome) -> Json {
    let mut fields = Map::new();
    print_step_fields(step, &mut fields);
    let expect = match outcome {
        Outcome::Done => None,
        Outcome::Cell(answer) => Some(print_answer(answer)),
        Outcome::Versions(answers) => Some(answers.iter().map(print_answer).collect()),
        Outcome::Refused(refusal) => Some(json!({"error": refusal.name()})),
        Outcome::Survived(commit) => Some(json!({"survived": commit})),
        Outcome::Failed(reason) => Some(json!({"error": reason})),
    };
    fields.extend(expect.map(|expect| ("expect".to_owned(), expect)));
    Json::Object(fields)
}

/// Prints one step without its outcome, `op` first.
pub(super) fn print_step_fields(step: &Step, fields: &mut Map<String, Json>) {
    let mut set = |name: &str, json: Json| {
        fields.insert(name.to_owned(), json);
    };
    match step {
        Step::Clock(now) => {
            set("op", json!("clock"));
            set("now", json!(now));
        }
        Step::Define(feature, definition)
        | Step::Alter(feature, definition)
        | Step::Evolve(feature, definition) => {
            set(
                "op",
                json!(match step {
                    Step::Define(..) => "define",
                    Step::Alter(..) => "alter",
                    _ => "evolve",
                }),
            );
            set("feature", json!(feature));
            set("type", json!(definition.value_type));
            set("ttl", json!(definition.ttl));
            set("history", json!(definition.history));
            set("forget_after", json!(definition.forget_after));
        }
        Step::Write { puts, source, synced } => {
            set("op", json!("write"));
            set("puts", puts.iter().map(print_put).collect());
            set("source", json!(source));
            if *synced {
                set("synced", json!(true));
            }
        }
        Step::Sync => set("op", json!("sync")),
        Step::Crash(Crash::Kill) => {
            set("op", json!("crash"));
            set("by", json!("kill"));
        }
        Step::Crash(Crash::PowerCut { names, data, seed }) => {
            set("op", json!("crash"));
            set("by", json!("power cut"));
            set("names", json!(names));
            set("data", json!(data));
            set("seed", json!(seed));
        }
        Step::Flush => set("op", json!("flush")),
        Step::Compact => set("op", json!("compact")),
        Step::Reopen => set("op", json!("reopen")),
        Step::Retire(feature) => {
            set("op", json!("retire"));
            set("feature", json!(feature));
        }
        Step::Snapshot(name) | Step::Release(name) | Step::Stamp(name) => {
            set(
                "op",
                json!(match step {
                    Step::Snapshot(_) => "snapshot",
                    Step::Release(_) => "release",
                    _ => "stamp",
                }),
            );
            set("name", json!(name));
        }
        Step::Erase(entity) => {
            set("op", json!("erase"));
            set("entity", text_of(entity));
        }
        Step::Revert(source) => {
            set("op", json!("revert"));
            set("source", json!(source));
        }
        Step::RevertBatches(places) => {
            set("op", json!("revert"));
            set("batches", json!(places));
        }
        Step::Read(read) => print_read(read, fields),
    }
}

fn print_put(put: &Put) -> Json {
    let mut fields = Map::new();
    let mut set = |name: &str, json: Json| {
        fields.insert(name.to_owned(), json);
    };
    set("entity", text_of(&put.entity));
    set("feature", json!(put.feature));
    set("e", json!(put.e));
    if let Some(known) = put.known {
        set("known", json!(known));
    }
    match &put.kind {
        Kind::Value(value) => {
            set("kind", json!("value"));
            set("value", print_value(value));
        }
        Kind::Null => set("kind", json!("null")),
        Kind::Deleted => set("kind", json!("deleted")),
    }
    Json::Object(fields)
}

fn print_read(read: &Read, fields: &mut Map<String, Json>) {
    let mut set = |name: &str, json: Json| {
        if !json.is_null() {
            fields.insert(name.to_owned(), json);
        }
    };
    let options = &read.options;
    set(
        "op",
        json!(match (&read.question, &options.reader) {
            (Question::Latest, Reader::Stamp(_)) => "at",
            (Question::Latest, _) => "latest",
            (Question::AsOf(_), _) => "as_of",
            (Question::Range { .. }, _) => "range",
            (Question::LastN { .. }, _) => "last_n",
        }),
    );
    set("entity", text_of(&read.entity));
    set("feature", json!(read.feature));
    match read.question {
        Question::Latest => {}
        Question::AsOf(t) => set("t", json!(t)),
        Question::Range { from, to } => {
            set("from", json!(from));
            set("to", json!(to));
        }
        Question::LastN { t, n } => {
            set("t", json!(t));
            set("n", json!(n));
        }
    }
    match &options.reader {
        Reader::Newest => {}
        Reader::Snapshot(name) => set("snapshot", json!(name)),
        Reader::Stamp(name) => set("stamp", json!(name)),
    }
    set("known_at", json!(options.known_at));
    set("before", if options.before { json!(true) } else { Json::Null });
    set("delay", json!(options.delay));
    set("max_age", json!(options.max_age));
}

fn print_answer(answer: &Answer) -> Json {
    match answer {
        Answer::Value { e, known, value } => {
            json!({"answer": "value", "e": e, "known": known, "value": print_value(value)})
        }
        Answer::Null { e, known } => json!({"answer": "null", "e": e, "known": known}),
        Answer::Deleted { e } => json!({"answer": "deleted", "e": e}),
        Answer::Expired { e } => json!({"answer": "expired", "e": e}),
        Answer::Missing => json!({"answer": "missing"}),
    }
}
