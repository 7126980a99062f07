//! Opening stores, and finding what arguments name in them.

use std::ffi::OsStr;
use std::path::Path;

use asofdb::{Error as StoreError, EventTime, Feature, KnownTime, Options, Selection, Store};

use crate::error::{Error, Result};
use crate::times::{self, Unit};

/// Opens a store to read: another process may write it meanwhile.
pub fn open_to_read(dir: &Path) -> Result<Store> {
    Ok(Store::open(dir, Options::new().create(false).read_only(true))?)
}

/// Opens a store to write.
pub fn open_to_write(dir: &Path) -> Result<Store> {
    Ok(Store::open(dir, Options::new().create(false))?)
}

/// Opens a store to write, and makes it if there is none.
pub fn open_or_create(dir: &Path) -> Result<Store> {
    Ok(Store::open(dir, Options::new())?)
}

/// Whether there is nothing at all in the place of a store.
pub fn is_vacant(dir: &Path) -> bool {
    match dir.read_dir() {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}

/// The feature of this name. A name without its view means the one feature of any view that is
/// called so.
pub fn feature(store: &Store, name: &str) -> Result<Feature> {
    let unknown = match store.feature(name) {
        Ok(feature) => return Ok(feature),
        Err(error @ StoreError::UnknownFeature { .. }) if !name.contains(':') => error,
        Err(error) => return Err(error.into()),
    };
    let (plain, schema) = match name.split_once('@') {
        Some((plain, schema)) => (plain, Some(schema)),
        None => (name, None),
    };
    let called_so: Vec<Feature> = store
        .features()
        .into_iter()
        .filter(|feature| feature.newest)
        .filter(|feature| feature.name.split_once(':').is_some_and(|(_, own)| own == plain))
        .collect();
    match called_so.as_slice() {
        [] => Err(unknown.into()),
        [one] => match schema {
            None => Ok(one.clone()),
            Some(schema) => Ok(store.feature(&format!("{}@{schema}", one.name))?),
        },
        many => Err(Error::Failed(format!(
            "{name:?} may mean {}; give the whole name",
            many.iter().map(|feature| feature.name.as_str()).collect::<Vec<_>>().join(" or ")
        ))),
    }
}

/// The features of these names, or all if there are none.
pub fn select(store: &Store, names: &[String]) -> Result<Selection> {
    if names.is_empty() {
        let all = store.select_all();
        if all.is_empty() {
            return Err(Error::Failed(
                "the store has no features yet; `asofdb define` or `asofdb import` makes them"
                    .to_owned(),
            ));
        }
        return Ok(all);
    }
    let names = names
        .iter()
        .map(|name| feature(store, name).map(|feature| crate::answers::shown_name(&feature)))
        .collect::<Result<Vec<_>>>()?;
    Ok(store.select(&names)?)
}

/// An entity as bytes of the command line.
pub fn entity(argument: &OsStr) -> Vec<u8> {
    argument.as_encoded_bytes().to_vec()
}

/// A time of the command line, in microseconds; `now` means the store's clock.
pub fn moment(store: &Store, text: &str, unit: Unit) -> Result<i64> {
    let now = store.now().0;
    if text == "now" {
        return Ok(now);
    }
    let time = check_moment(text, unit)?;
    if let Some(number) = time.integer {
        let within_1970 = unit.micros(number).is_some_and(times::is_within_1970);
        let likely = times::Unit::likely(number, now).filter(|_| within_1970);
        if let Some(likely) = likely {
            return Err(Error::Usage(format!(
                "{number} {} after 1970 began is {}; it looks like {}: say --time-unit {}",
                unit.name(),
                times::format(time.micros),
                likely.name(),
                likely.as_str()
            )));
        }
    }
    Ok(time.micros)
}

/// A time of the command line.
fn check_moment(text: &str, unit: Unit) -> Result<times::Time> {
    times::parse(text, unit).ok_or_else(|| {
        Error::Usage(format!("{text:?} is no time: expected now, or {}", times::EXPECTED))
    })
}

/// A moment to read as of.
pub fn event_time(store: &Store, text: &str, unit: Unit) -> Result<EventTime> {
    moment(store, text, unit).map(EventTime)
}

/// A moment at which something was known.
pub fn known_time(store: &Store, text: &str, unit: Unit) -> Result<KnownTime> {
    moment(store, text, unit).map(KnownTime)
}
