//! Writes data sets, spines and the right answers to files, for the programs in `benches/offline`.
//!
//! All numbers are little-endian, eight bytes each, in arrays without a head. Versions come by
//! entity, feature and time; answers by row of the spine and feature, a NaN where there is none.

use std::io::{BufWriter, Write};
use std::path::Path;

use crate::Outcome;
use crate::peers::dataset::{Data, Size};
use crate::peers::{A, D, deep, texts};

/// Rows of a spine.
const ROWS: f64 = 200_000.0;

/// Writes all of it.
pub fn run(dir: &Path, scale: f64) -> Outcome<()> {
    std::fs::create_dir_all(dir)?;
    let mut about = String::from("set,entities,features,versions,rows\n");
    for (name, size) in [("a", A), ("c", deep::C), ("d", D)] {
        let data = Data::new(size.scaled(scale));
        #[expect(clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "a share")]
        let rows = if name == "c" { 0 } else { (ROWS * scale) as usize };
        set(dir, name, &data, rows)?;
        let Size { entities, features, versions, .. } = data.size;
        about.push_str(&format!("{name},{entities},{features},{versions},{rows}\n"));
    }
    let texts = texts::records(scale);
    let mut file = BufWriter::new(std::fs::File::create(dir.join("b.tsv"))?);
    for record in texts {
        let (entity, feature, time) = (record.entity, record.feature, record.time);
        writeln!(file, "{entity}\t{feature}\t{time}\t{}", record.text)?;
    }
    file.flush()?;
    Ok(std::fs::write(dir.join("about.csv"), about)?)
}

fn set(dir: &Path, name: &str, data: &Data, rows: usize) -> Outcome<()> {
    let file = |what: &str| -> Outcome<BufWriter<std::fs::File>> {
        Ok(BufWriter::new(std::fs::File::create(dir.join(format!("{name}_{what}.bin")))?))
    };
    let (mut times, mut values) = (file("times")?, file("values")?);
    for entity in 0..data.size.entities {
        for feature in 0..data.size.features {
            for (time, value) in data.size.series(entity, feature) {
                times.write_all(&time.to_le_bytes())?;
                values.write_all(&value.to_le_bytes())?;
            }
        }
    }
    let (mut entities, mut moments, mut answers) =
        (file("spine_entities")?, file("spine_times")?, file("answers")?);
    for row in data.size.spine(rows, false) {
        entities.write_all(&u64::from(row.entity).to_le_bytes())?;
        moments.write_all(&row.t.to_le_bytes())?;
        for feature in 0..data.size.features {
            let cell = data.as_of(row.entity, feature, row.t);
            let value = if cell.time == i64::MIN { f64::NAN } else { cell.value };
            answers.write_all(&value.to_le_bytes())?;
        }
    }
    for mut file in [times, values, entities, moments, answers] {
        file.flush()?;
    }
    Ok(())
}
