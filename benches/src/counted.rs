//! What the runs under valgrind have in common: the reads they ask for, the child that valgrind looks at,
//! and whether its answers are right.

use std::path::Path;
use std::process::Command;

use asofdb::{EventTime, Read};

use crate::Outcome;
use crate::data::{HOUR, Shape, mix};

/// How much there is to read.
#[derive(clap::Args, Clone, Copy, Debug)]
pub struct Size {
    /// How many entities of 20 features there are.
    #[arg(long, default_value_t = 2_500, value_parser = clap::value_parser!(u64).range(1..))]
    pub entities: u64,
    /// How many versions each feature has, at least two.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(2..))]
    versions: u64,
}

impl Size {
    pub fn shape(&self) -> Shape {
        let start = 1_700_000_000_000_000 / HOUR * HOUR;
        Shape { entities: self.entities, features: 20, versions: self.versions, start }
    }
}

/// The names of all features.
pub fn names(shape: Shape) -> Vec<String> {
    (0..shape.features).map(|n| format!("a:f{n}")).collect()
}

/// What is asked: an entity, and a moment.
pub type Ask = (u64, i64);

/// A drawn entity at a drawn moment at which all of its features have a version.
pub const fn ask(shape: Shape, entity: u64, moment: u64) -> Ask {
    let since = mix(moment ^ 3) % ((shape.versions - 1) * HOUR.unsigned_abs());
    (mix(entity ^ 7) % shape.entities, shape.start + HOUR + since.cast_signed())
}

/// The same as a store is asked it.
pub fn as_asked(shape: Shape, (entity, t): Ask, is_latest: bool) -> ([u8; 8], Read) {
    let read = if is_latest { Read::latest() } else { Read::as_of(EventTime(t)) };
    (shape.entity(entity), read)
}

/// This program under valgrind, about to do the child's part of a kind of read.
pub fn child(
    tool: &[String],
    (command, kind): (&str, &impl clap::ValueEnum),
    store: &Path,
    size: Size,
) -> Outcome<Command> {
    let name = kind.to_possible_value().ok_or("a kind without a name")?;
    let mut child = Command::new("valgrind");
    child.args(tool).arg(std::env::current_exe()?).arg(command).arg(name.get_name()).arg(store);
    child.arg(format!("--entities={}", size.entities)).arg(format!("--versions={}", size.versions));
    Ok(child)
}

/// Compares an answer with what the generator wrote.
pub fn check(shape: Shape, (entity, t): Ask, feature: usize, found: Option<f64>) -> Outcome<()> {
    let feature = feature as u64;
    let version = shape.version_at(entity, feature, t);
    let expected = version.map(|version| shape.value(entity, feature, version));
    if found == expected {
        return Ok(());
    }
    Err(format!("entity {entity}, feature {feature}, at {t}: {found:?}, not {expected:?}").into())
}
