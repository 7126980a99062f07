//! pit-wide: 17,000 rows of a spine and 1,000 features in 10 views, whose features share their
//! times. Parts of the spine are joined one after another, and each is let go when it is checked, as
//! one does who writes the result to a file.

use std::path::Path;
use std::time::Instant;

use asofdb::{Batch, Durability, EventTime, FeatureSpec, JoinOptions, Options, Store, ValueType};

use crate::Outcome;
use crate::data::{HOUR, mix};
use crate::peers::Args;
use crate::peers::dataset::below;
use crate::peers::memory::Peak;
use crate::peers::peer::Role;
use crate::peers::report::{Figure, Line, Report, Target};

const VIEWS: u64 = 10;
const FEATURES: u64 = 100;
const VERSIONS: u64 = 6;
const START: i64 = 1_700_000_000_000_000 / HOUR * HOUR;

/// Rows of a part.
const PART: usize = 1_024;

fn time(entity: u32, view: u64, version: u64) -> i64 {
    let drawn = mix(u64::from(entity) << 16 | view << 8 | version) % 1_200_000_000;
    START + version.cast_signed() * HOUR + drawn.cast_signed()
}

fn value(entity: u32, view: u64, feature: u64, version: u64) -> f64 {
    let drawn = mix(u64::from(entity) << 32 | view << 24 | feature << 8 | version);
    (drawn % 100_000) as f64 / 100.0
}

/// Builds the store and joins.
pub fn run(args: &Args, dir: &Path, report: &mut Report) -> Outcome<()> {
    if !args.wants("wide") {
        return Ok(());
    }
    #[expect(clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "a share")]
    let (entities, rows) = ((1_700.0 * args.scale) as u32 + 1, (17_000.0 * args.scale) as usize);
    let store = Store::open(dir.join("wide"), Options::new())?;
    let mut ids = Vec::new();
    for view in 0..VIEWS {
        for feature in 0..FEATURES {
            let name = format!("view{view}:f{feature}");
            ids.push(store.define(FeatureSpec::new(name, ValueType::F64))?.id);
        }
    }
    for version in 0..VERSIONS {
        for view in 0..VIEWS {
            for entities in (0..entities).collect::<Vec<_>>().chunks(10) {
                let mut batch = Batch::new();
                for entity in entities {
                    let at = EventTime(time(*entity, view, version));
                    for feature in 0..FEATURES {
                        let id = ids[usize::try_from(view * FEATURES + feature)?];
                        let key = u64::from(*entity).to_be_bytes();
                        batch.put_id(key, id, at, value(*entity, view, feature, version));
                    }
                }
                store.write(batch, Durability::Buffered)?;
            }
        }
    }
    store.compact()?;
    while store.step()? {}
    let spine: Vec<(u32, i64)> = (0..rows as u64)
        .map(|n| {
            let t = START + (mix(n ^ 0x77) % (VERSIONS * HOUR.unsigned_abs())).cast_signed();
            (below(mix(n ^ 0x7), entities), t)
        })
        .collect();
    let selection = store.select_all();
    let mut seconds = Vec::new();
    let peak = Peak::begin();
    for _ in 0..args.rounds {
        let joiner = store.joiner(&selection, JoinOptions::new())?;
        let mut took = 0.0;
        for part in spine.chunks(PART) {
            let begun = Instant::now();
            let asked: Vec<_> = part
                .iter()
                .map(|(entity, t)| Some((u64::from(*entity).to_be_bytes(), EventTime(*t))))
                .collect();
            let joined = joiner.join(&asked)?;
            took += begun.elapsed().as_secs_f64();
            check(part, &joined, joiner.features())?;
        }
        seconds.push(took);
    }
    let grown = peak.end();
    let figure = crate::peers::timing::median(seconds);
    let cells = (rows as u64 * VIEWS * FEATURES) as f64 / figure / 1e6;
    let text = format!("{figure:.3} s ({cells:.1} M cells/s), {} MB more memory", grown >> 20);
    let title = format!("pit-wide: {rows} rows × 1,000 features in 10 views, all cores");
    let target = Target::Below(1.0, "under 1 s for 17,000 rows");
    let mut line = Line::new(title, target).of_share(args.scale);
    line.figures.push(Figure { name: "asofdb", role: Role::Ours, figure, text });
    line.also.push(("under 300 MB".to_owned(), grown < 300 << 20));
    report.add(line);
    Ok(store.close()?)
}

fn check(
    part: &[(u32, i64)],
    joined: &asofdb::Joined,
    features: &[asofdb::Feature],
) -> Outcome<()> {
    for (place, feature) in features.iter().enumerate() {
        let name = feature.name.trim_start_matches("view");
        let (view, number) = name.split_once(":f").ok_or("a name of another kind")?;
        let (view, number) = (view.parse()?, number.parse()?);
        let column = joined.column(place).ok_or("no column")?;
        for (row, (entity, t)) in part.iter().enumerate() {
            let version = (0..VERSIONS).rev().find(|version| time(*entity, view, *version) <= *t);
            let expected = version.map(|version| value(*entity, view, number, version));
            if column.value(row).and_then(|value| value.as_f64()) != expected {
                return Err(format!("{} of {entity} at {t} is not {expected:?}", name).into());
            }
        }
    }
    Ok(())
}
