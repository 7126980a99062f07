//! Which column of a file means what, and the parts of a row that are no feature.

use std::collections::{BTreeMap, BTreeSet};

use asofdb::{FeatureId, Span, Store, ValueType};

use crate::entity;
use crate::error::{BadRow, Error, Result};
use crate::infer::{Odd, Seen};
use crate::tabular::cell::Cell;
use crate::tabular::{Chunk, NullTokens, find_column, split_list};
use crate::times::{self, Time, Unit};

/// What the import was asked, the same for all files.
pub struct Rules {
    /// The columns that make up the entity.
    pub entity: Vec<String>,
    /// The column of the event time.
    pub time: String,
    /// The column of the known time.
    pub known: Option<String>,
    /// The columns of the feature's name and of the value, if rows have one value each.
    pub long: Option<[String; 2]>,
    /// What integers count as times.
    pub unit: Unit,
    /// What means null in a CSV file.
    pub null_tokens: NullTokens,
    /// Whether nulls are written.
    pub store_nulls: bool,
    /// Whether bad rows are left out.
    pub skip_bad: bool,
    /// The label of the batches.
    pub label: Option<String>,
    /// What the clock said when the import began.
    pub now: i64,
    /// How far ahead of the clock an event time may lie.
    pub max_ahead: Span,
}

/// The columns and types that `--features` names.
#[derive(Default)]
pub struct Explicit {
    named: Vec<(String, Option<ValueType>)>,
    found: BTreeSet<String>,
}

impl Explicit {
    /// Reads the option.
    pub fn parse(option: Option<&str>) -> Result<Self> {
        let Some(option) = option else { return Ok(Self::default()) };
        let named = split_list(option)?.into_iter().map(|item| match item.rsplit_once(':') {
            Some((name, word)) => match ValueType::parse(word) {
                Some(value_type) => Ok((name.to_owned(), Some(value_type))),
                None if word.contains(|symbol: char| !symbol.is_alphanumeric()) => Ok((item, None)),
                None => Err(Error::Usage(format!(
                    "{word:?} in --features {item} is no type: the types are bool, i64, f32, f64, \
                     text, bytes and vector(N)"
                ))),
            },
            None => Ok((item, None)),
        });
        Ok(Self { named: named.collect::<Result<_>>()?, found: BTreeSet::new() })
    }

    /// Whether a column is to be imported, and the type it is said to have.
    fn wants(&mut self, name: &str) -> Option<Option<ValueType>> {
        if self.named.is_empty() {
            return Some(None);
        }
        let (name, value_type) = self.named.iter().find(|(named, _)| named == name)?;
        self.found.insert(name.clone());
        Some(*value_type)
    }

    /// An error if a column that was named is none that a feature can be made of.
    pub fn check(&self, rules: &Rules) -> Result<()> {
        if rules.long.is_some() {
            return Ok(());
        }
        let is = |name: &String| match name {
            _ if *name == rules.time => Some("--time"),
            _ if rules.entity.contains(name) => Some("--entity"),
            _ if rules.known.as_ref() == Some(name) => Some("--known"),
            _ => None,
        };
        match self.named.iter().find_map(|(name, _)| is(name).map(|option| (name, option))) {
            Some((name, option)) => Err(Error::Usage(format!(
                "--features names {name:?}, which is the column of {option} and no feature; leave \
                 it out of --features"
            ))),
            None => Ok(()),
        }
    }

    /// Takes what a file of the view had when it was imported before: it is defined since then.
    pub fn had(&mut self, view: &str, store: &Store) {
        let is_defined = |name: &&String| store.feature(&format!("{view}:{name}")).is_ok();
        let defined = self.named.iter().map(|(name, _)| name).filter(is_defined);
        self.found.extend(defined.cloned());
    }

    /// What is wrong with a file that has nothing to import.
    pub fn nothing_of(&self, columns: &[String], file: &str) -> Error {
        let named: Vec<String> = self.named.iter().map(|(name, _)| format!("{name:?}")).collect();
        let without = match named.as_slice() {
            [] => "no column to import beside the entity and the times".to_owned(),
            [one] => format!("no column {one}, which --features names"),
            many => format!("none of the columns {}, which --features names", many.join(", ")),
        };
        Error::Failed(format!("{file} has {without}; its columns are {}", columns.join(", ")))
    }

    /// An error if a column that was named is in no file.
    pub fn all_found(&self) -> Result<()> {
        match self.named.iter().find(|(name, _)| !self.found.contains(name)) {
            Some((name, _)) => Err(Error::Failed(format!(
                "no file has a column or feature {name:?}, which --features names"
            ))),
            None => Ok(()),
        }
    }
}

/// A view and its features, gathered over all files of it.
pub struct View {
    /// Its name.
    pub name: String,
    /// Its features that the files have.
    pub features: Vec<ViewFeature>,
    by_column: BTreeMap<String, Option<usize>>,
}

/// One feature of a view.
pub struct ViewFeature {
    /// Its name in the store.
    pub name: String,
    /// Its name in the file.
    pub column: String,
    /// Its type, if it is known before the file is read.
    pub wanted: Option<ValueType>,
    /// Whether the type is the store's.
    pub defined: bool,
    /// What was seen of its cells.
    pub seen: Seen,
    /// Those of them that may be slips.
    pub odd: Odd,
    /// Its type, if the rows told it and nobody knows it yet.
    pub inferred: Option<ValueType>,
    /// Its number and type in the store; told once it is defined.
    pub stored: Option<(FeatureId, ValueType)>,
    /// How much history it keeps.
    pub history: Option<Span>,
}

impl View {
    /// Where the view of this name stands among the others.
    pub fn find_or_add(views: &mut Vec<Self>, name: String) -> usize {
        if let Some(index) = views.iter().position(|view| view.name == name) {
            return index;
        }
        views.push(Self { name, features: Vec::new(), by_column: BTreeMap::new() });
        views.len() - 1
    }

    /// The feature of a column, added if it is new; `None` if it is not to be imported.
    pub fn feature_of(
        &mut self,
        column: &str,
        explicit: &mut Explicit,
        store: Option<&Store>,
    ) -> Result<Option<usize>> {
        if let Some(index) = self.by_column.get(column) {
            return Ok(*index);
        }
        let mut added = None;
        if let Some(said) = explicit.wants(column) {
            let name = format!("{}:{column}", self.name);
            let defined = store.and_then(|store| store.feature(&name).ok());
            let defined = defined.map(|feature| feature.value_type);
            if let (Some(said), Some(defined)) = (said, defined)
                && said != defined
            {
                return Err(Error::Failed(format!(
                    "{name} is defined as {defined}, and --features says {said}; leave the type \
                     out, or give the feature the new type with `asofdb evolve`"
                )));
            }
            added = Some(self.features.len());
            self.features.push(ViewFeature {
                name,
                column: column.to_owned(),
                wanted: defined.or(said),
                defined: defined.is_some(),
                seen: Seen::default(),
                odd: Odd::default(),
                inferred: None,
                stored: None,
                history: None,
            });
        }
        self.by_column.insert(column.to_owned(), added);
        Ok(added)
    }

    /// The columns whose types the rows have told, each once.
    pub fn take_inferred(&mut self) -> Vec<(String, ValueType)> {
        let features = self.features.iter_mut();
        let inferred = features.filter_map(|feature| {
            feature.inferred.take().map(|value_type| (feature.column.clone(), value_type))
        });
        inferred.collect()
    }

    /// The feature of a column that was seen before.
    pub fn known_feature(&self, column: &str) -> Option<&ViewFeature> {
        self.features.get((*self.by_column.get(column)?)?)
    }
}

/// Where the features of a row are.
pub enum Values {
    /// Columns beside one another, each with its place among the view's features.
    Wide(Vec<(usize, usize)>),
    /// The columns of the feature's name and of its value.
    Long(usize, usize),
}

/// Where everything is in one file.
pub struct Layout {
    file: String,
    entity: Vec<usize>,
    time: usize,
    known: Option<usize>,
    /// Where the features are.
    pub values: Values,
}

impl Layout {
    /// Whether there is no place of a feature.
    pub fn is_empty(&self) -> bool {
        matches!(&self.values, Values::Wide(columns) if columns.is_empty())
    }

    /// Finds the columns of a file, and the features of its view.
    pub fn new(
        columns: &[String],
        file: &str,
        rules: &Rules,
        mut feature_of: impl FnMut(&str) -> Result<Option<usize>>,
    ) -> Result<Self> {
        let find = |name: &String| find_column(columns, name, file);
        let entity = rules.entity.iter().map(find).collect::<Result<Vec<_>>>()?;
        let time = find(&rules.time)?;
        let known = rules.known.as_ref().map(find).transpose()?;
        let values = match &rules.long {
            Some([feature, value]) => Values::Long(find(feature)?, find(value)?),
            None => {
                let mut wide = Vec::new();
                for (index, name) in columns.iter().enumerate() {
                    if entity.contains(&index) || index == time || known == Some(index) {
                        continue;
                    }
                    if let Some(feature) = feature_of(name)? {
                        find(name)?;
                        wide.push((index, feature));
                    }
                }
                Values::Wide(wide)
            }
        };
        Ok(Self { file: file.to_owned(), entity, time, known, values })
    }

    /// Writes a row's entity to `out`, and tells its event time and known time.
    pub fn head(
        &self,
        chunk: &Chunk,
        row: usize,
        rules: &Rules,
        out: &mut Vec<u8>,
    ) -> Result<Result<(Time, Option<Time>), BadRow>> {
        let mut parts = Vec::with_capacity(self.entity.len());
        let cells = self
            .entity
            .iter()
            .map(|&column| chunk.cell(row, column))
            .collect::<Result<Vec<_>>>()?;
        for (cell, name) in cells.iter().zip(&rules.entity) {
            match cell.entity_part() {
                Some(part) => parts.push(part),
                None => {
                    let bad =
                        chunk.bad_row(&self.file, row, name, "text or an integer", Some(cell));
                    return Ok(Err(bad));
                }
            }
        }
        entity::encode(parts.iter().map(AsRef::as_ref), out);
        if out.is_empty() || out.len() > entity::MAX_LEN {
            let found = Cell::Field(out);
            let column = rules.entity.join(",");
            let expected = "an entity of 1 to 65,535 bytes";
            return Ok(Err(chunk.bad_row(&self.file, row, &column, expected, Some(&found))));
        }
        let cell = chunk.cell(row, self.time)?;
        let Some(time) = cell.time(rules.unit) else {
            let bad = chunk.bad_row(&self.file, row, &rules.time, times::EXPECTED, Some(&cell));
            return Ok(Err(bad));
        };
        if time.micros > rules.now.saturating_add(rules.max_ahead.micros()) {
            let expected = format!("a time at most a day ahead of the clock{}", hint(time, rules));
            return Ok(Err(chunk.bad_row(&self.file, row, &rules.time, expected, Some(&cell))));
        }
        let Some((column, name)) = self.known.zip(rules.known.as_ref()) else {
            return Ok(Ok((time, None)));
        };
        let cell = chunk.cell(row, column)?;
        let known = cell.time(rules.unit);
        let expected = match known {
            Some(known) if known.micros <= rules.now => return Ok(Ok((time, Some(known)))),
            Some(known) => {
                format!("a known time that is not ahead of the clock{}", hint(known, rules))
            }
            None => times::EXPECTED.to_owned(),
        };
        Ok(Err(chunk.bad_row(&self.file, row, name, expected, Some(&cell))))
    }

    /// The name of the feature that a row of one value is about.
    pub fn feature_name(
        &self,
        chunk: &Chunk,
        row: usize,
        column: usize,
        rules: &Rules,
    ) -> Result<Result<String, BadRow>> {
        let cell = chunk.cell(row, column)?;
        let name = cell.entity_part().and_then(|name| String::from_utf8(name.into_owned()).ok());
        let long = rules.long.as_ref().map(|[feature, _]| feature.as_str());
        Ok(name.filter(|name| !name.is_empty()).ok_or_else(|| {
            let expected = "the name of a feature";
            chunk.bad_row(&self.file, row, long.unwrap_or_default(), expected, Some(&cell))
        }))
    }
}

/// Which unit an integer out of range is likely in.
fn hint(time: Time, rules: &Rules) -> String {
    let likely = time.integer.and_then(|number| Unit::likely(number, rules.now));
    match likely.filter(|unit| *unit != rules.unit) {
        Some(unit) => {
            format!(" (it looks like {}: say --time-unit {})", unit.name(), unit.as_str())
        }
        None => String::new(),
    }
}

/// What a feature's cell should have been, for messages.
pub fn expected_of(feature: &ViewFeature, value_type: ValueType) -> String {
    let expected = crate::values::expected(value_type);
    match feature.defined {
        true => format!("{expected}, as {} is defined in the store", feature.name),
        false => expected,
    }
}
