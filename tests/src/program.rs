//! Programs: lists of steps with the outcome that each must have, as one line of JSON each.
//!
//! The form is that of the conformance programs. Beyond it there are the operations `evolve` (the fields of
//! `define`) and `retire` (`feature`); every read may carry the options of `as_of`, and `stamp`; and any step may
//! carry `expect`. A step other than a read that carries none must succeed. A `write` may be `synced`; `sync` has no fields; `revert` may name `batches`
//! in place of a source; `crash` is `by` a `kill` or a `power cut`, which leaves so many of a hundred
//! unsynced `names` and sectors of `data`, drawn from a `seed`; the machine is then down for two seconds.
//!
//! Invariants:
//! - what is printed by [`Program::to_json`] parses to the same program;
//! - a field that is not known is an error, so that no part of a program is silently left out.

mod json;

use std::fmt;

use serde_json::{Map, Value as Json, json};

use crate::answer::Outcome;
use crate::question::{Crash, Definition, Put, Read};
use json::{Fields, parse_step, print_step, print_step_fields};

/// One operation or read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Set the clock.
    Clock(i64),
    /// Define a feature.
    Define(String, Definition),
    /// Change a feature's definition.
    Alter(String, Definition),
    /// Give a feature its next schema.
    Evolve(String, Definition),
    /// End a feature.
    Retire(String),
    /// Write one batch.
    Write {
        /// Its puts, in order.
        puts: Vec<Put>,
        /// Its label.
        source: Option<String>,
        /// Whether it must outlive a power cut from here on.
        synced: bool,
    },
    /// Make everything written so far durable.
    Sync,
    /// Move the memtables into files.
    Flush,
    /// Compact as far as the rules allow.
    Compact,
    /// Close and open the store.
    Reopen,
    /// Leave the store without closing it, lose what the crash takes, and open it again.
    Crash(Crash),
    /// Hold a snapshot under this name.
    Snapshot(String),
    /// Let the snapshot go.
    Release(String),
    /// Remember a stamp under this name.
    Stamp(String),
    /// Erase an entity.
    Erase(Vec<u8>),
    /// Revert a source.
    Revert(String),
    /// Revert batches, by their places in the order of writing.
    RevertBatches(Vec<usize>),
    /// Read.
    Read(Read),
}

/// A list of steps, each with the outcome that it must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// The seed from which it was made.
    pub seed: u64,
    /// The steps and their outcomes.
    pub steps: Vec<(Step, Outcome)>,
}

impl Program {
    /// Reads every program of a text that holds one a line.
    pub fn parse_lines(text: &str) -> Result<Vec<Program>, String> {
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let parse =
            |(at, line)| Program::parse(line).map_err(|error| format!("line {}: {error}", at + 1));
        lines.map(parse).collect()
    }

    /// Reads one program.
    pub fn parse(line: &str) -> Result<Program, String> {
        let json: Json = serde_json::from_str(line).map_err(|error| error.to_string())?;
        let mut fields = Fields::of(json)?;
        let seed = fields.take("seed").and_then(|seed| seed.as_u64()).ok_or("no seed")?;
        let Some(Json::Array(list)) = fields.take("steps") else { return Err("no steps".into()) };
        let mut steps = Vec::new();
        for (at, json) in list.into_iter().enumerate() {
            steps.push(parse_step(json).map_err(|error| format!("step {at}: {error}"))?);
        }
        fields.end()?;
        Ok(Program { seed, steps })
    }

    /// Prints the program as one line.
    pub fn to_json(&self) -> String {
        let steps: Vec<Json> =
            self.steps.iter().map(|(step, outcome)| print_step(step, outcome)).collect();
        json!({"seed": self.seed, "steps": steps}).to_string()
    }
}

impl fmt::Display for Program {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "program of seed {}", self.seed)?;
        for (at, (step, outcome)) in self.steps.iter().enumerate() {
            writeln!(out, "{at:4}  {step}")?;
            if *outcome != Outcome::Done {
                writeln!(out, "        -> {outcome}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Step {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = Map::new();
        print_step_fields(self, &mut fields);
        let mut words = fields.into_iter();
        if let Some((_, Json::String(op))) = words.next() {
            out.write_str(&op)?;
        }
        for (name, json) in words {
            match json {
                Json::Array(list) => {
                    for item in list {
                        write!(out, "\n        {}", plain(&item))?;
                    }
                }
                json => write!(out, " {name}={}", plain(&json))?,
            }
        }
        Ok(())
    }
}

/// JSON without the marks that only a parser needs.
fn plain(json: &Json) -> String {
    json.to_string().replace(['"', '{', '}'], "").replace(',', ", ")
}
