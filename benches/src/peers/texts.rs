//! B: texts of about 1 KiB, which zstd makes about 2.8 times smaller: how many bytes they take.

use std::path::Path;

use crate::Outcome;
use crate::data::{HOUR, mix};
use crate::peers::Args;
use crate::peers::dataset::below;
use crate::peers::ingest::{BATCH, allocated, open};
use crate::peers::peer::{Role, Setup, TextRecord};
use crate::peers::report::{Figure, Line, Report, Target};

/// Entities, features, versions.
const SHAPE: (u32, u16, u32) = (10_000, 4, 5);

const START: i64 = 1_700_000_000_000_000 / HOUR * HOUR;

const WORDS: usize = 1_200;

/// Words that texts are made of: common ones come often.
pub fn words() -> Vec<String> {
    let letters = b"etaoinshrdlcumwfgypbvk";
    let word = |n: usize| {
        let drawn = mix(n as u64 ^ 0x70d5);
        let length = 3 + drawn % 7;
        let letter = |at| {
            let drawn = mix(drawn ^ at);
            let place = (drawn % 22).min(drawn >> 32 & 31);
            char::from(letters[usize::try_from(place).unwrap_or_default()])
        };
        (0..length).map(letter).collect()
    };
    (0..WORDS).map(word).collect()
}

/// The text of a version.
fn text(words: &[String], entity: u32, feature: u16, version: u32) -> String {
    let seed = mix(u64::from(entity) << 32 | u64::from(feature) << 16 | u64::from(version));
    let length = usize::try_from(900 + seed % 250).unwrap_or_default();
    text_of(words, format!("profile of customer {entity}, view {feature}:"), seed, length)
}

/// A text of words that begins so and has about so many bytes.
pub fn text_of(words: &[String], begun: String, seed: u64, length: usize) -> String {
    let (mut text, mut n) = (begun, seed);
    while text.len() < length {
        n = mix(n);
        let share = (n >> 11) as f64 / (1u64 << 53) as f64;
        #[expect(clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "a place")]
        let place = (share * share * WORDS as f64) as usize;
        text.push(' ');
        text.push_str(&words[place]);
    }
    text
}

fn time(entity: u32, feature: u16, version: u32) -> i64 {
    let drawn = mix(u64::from(entity) << 20 | u64::from(feature) << 8 | u64::from(version));
    START + i64::from(version) * HOUR + (drawn % 1_200_000_000).cast_signed()
}

fn entities(scale: f64) -> u32 {
    #[expect(clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "a share")]
    let entities = (f64::from(SHAPE.0) * scale) as u32;
    entities.max(10)
}

/// All texts in the order of their times.
pub fn records(scale: f64) -> Vec<TextRecord> {
    let words = words();
    let mut records = Vec::new();
    for entity in 0..entities(scale) {
        for feature in 0..SHAPE.1 {
            for version in 0..SHAPE.2 {
                let text = text(&words, entity, feature, version);
                let time = time(entity, feature, version);
                records.push(TextRecord { time, entity, feature, text });
            }
        }
    }
    records.sort_unstable_by_key(|record| record.time);
    records
}

/// Loads it into all that hold texts, and checks a sample of them.
pub fn run(args: &Args, dir: &Path, report: &mut Report) -> Outcome<()> {
    if !args.wants("bytes") {
        return Ok(());
    }
    let (_, features, versions) = SHAPE;
    let (words, records) = (words(), records(args.scale));
    let entities = entities(args.scale);
    let raw: usize = records.iter().map(|record| record.text.len()).sum();
    let count = records.len() as f64;
    let records_of = records.len() as u64;
    let setup = Setup { features, records: records_of, text: true, ..Setup::default() };
    let mut figures = Vec::new();
    for entrant in args.entrants().into_iter().filter(|entrant| entrant.role != Role::Floor) {
        let own = dir.join("b");
        let peer = open(&entrant, &own, setup)?;
        for batch in records.chunks(BATCH) {
            peer.write_text(batch)?;
        }
        peer.settle()?;
        let figure = allocated(&own.join(entrant.name))? as f64 / count;
        for n in 0..2_000 {
            let entity = below(mix(n), entities);
            let feature = u16::try_from(below(mix(n ^ 77), 4)).unwrap_or_default();
            let version = below(mix(n ^ 777), versions);
            let t = START + i64::from(version + 1) * HOUR - 1;
            let found = peer.text(entity, feature, t)?;
            if found != Some(self::text(&words, entity, feature, version)) {
                return Err(format!("{}: a text is wrong: {found:?}", entrant.name).into());
            }
        }
        peer.close()?;
        figures.push(Figure {
            name: entrant.name,
            role: entrant.role,
            figure,
            text: format!("{figure:.0}"),
        });
    }
    let title = format!("bytes a record (B); a text has {:.0}", raw as f64 / count);
    report.add(Line { figures, ..Line::new(title, Target::None) });
    Ok(())
}
