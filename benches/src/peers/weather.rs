//! Real events: hourly weather at three airports, joined to flights, whose rows are repeated until
//! there are enough of them. Every row is held against the join that other systems computed.

use std::path::Path;
use std::time::Instant;

use asofdb::{
    Batch, Durability, EventTime, FeatureSpec, JoinOptions, Options, Status, Store, ValueType,
};

use crate::Outcome;
use crate::peers::Args;
use crate::peers::memory::Peak;
use crate::peers::peer::Role;
use crate::peers::report::{Figure, Line, Report, Target};
use crate::peers::timing::median;

/// Rows of the repeated spine.
const ROWS: f64 = 3_000_000.0;

/// Rows of a part.
const PART: usize = 65_536;

/// Microseconds since the epoch of a time such as `2013-01-01T06:00:00Z`.
fn micros(text: &str) -> Outcome<i64> {
    let number = |from: usize, to: usize| -> Outcome<i64> {
        Ok(text.get(from..to).ok_or("a time is too short")?.parse()?)
    };
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    // Days of a calendar whose year begins in March.
    let years = if month <= 2 { year - 1 } else { year };
    let in_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = years * 365 + years / 4 - years / 100 + years / 400 + in_year - 719_468;
    let seconds = number(11, 13)? * 3_600 + number(14, 16)? * 60 + number(17, 19)?;
    Ok((days * 86_400 + seconds) * 1_000_000)
}

fn number(text: &str) -> Outcome<Option<f64>> {
    if text.is_empty() { Ok(None) } else { Ok(Some(text.parse()?)) }
}

/// Loads the events, joins the repeated spine, checks every cell.
pub fn run(args: &Args, dir: &Path, report: &mut Report) -> Outcome<()> {
    if !args.wants("weather") {
        return Ok(());
    }
    let Some(set) = args.weather.as_deref().filter(|set| set.join("features.csv").exists()) else {
        println!("weather: left out, for --weather names no folder with its files");
        return Ok(());
    };
    let features = std::fs::read_to_string(set.join("features.csv"))?;
    let mut lines = features.lines();
    let names: Vec<&str> = lines.next().ok_or("no head")?.split(',').skip(2).collect();
    let store = Store::open(dir.join("weather"), Options::new())?;
    let ids: Vec<_> = names
        .iter()
        .map(|name| Ok(store.define(FeatureSpec::new(format!("w:{name}"), ValueType::F64))?.id))
        .collect::<Outcome<_>>()?;
    let mut batch = Batch::new();
    for line in lines {
        let fields: Vec<&str> = line.split(',').collect();
        let at = EventTime(micros(fields[1])?);
        for (id, field) in ids.iter().zip(&fields[2..]) {
            match number(field)? {
                Some(value) => batch.put_id(fields[0], *id, at, value),
                None => batch.put_null_id(fields[0], *id, at),
            };
        }
        if batch.len() >= 1_000 {
            store.write(std::mem::take(&mut batch), Durability::Buffered)?;
        }
    }
    store.write(batch, Durability::Buffered)?;
    store.compact()?;
    while store.step()? {}
    let spine = std::fs::read_to_string(set.join("spine.csv"))?;
    let asked = spine.lines().skip(1).map(|line| -> Outcome<_> {
        let (entity, t) = line.split_once(',').ok_or("a row without a time")?;
        Ok(Some((entity, EventTime(micros(t)?))))
    });
    let asked: Vec<_> = asked.collect::<Outcome<_>>()?;
    let expected = std::fs::read_to_string(set.join("expected-no-ttl.csv"))?;
    let expected: Vec<Vec<&str>> =
        expected.lines().skip(1).map(|line| line.split(',').collect()).collect();
    #[expect(clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "a share")]
    let rows = (ROWS * args.scale) as usize;
    let all: Vec<_> = asked.iter().copied().cycle().take(rows).collect();
    let selection =
        store.select(&names.iter().map(|name| format!("w:{name}")).collect::<Vec<_>>())?;
    for threads in [1, 2] {
        let mut seconds = Vec::new();
        let peak = Peak::begin();
        for round in 0..args.rounds.min(3) {
            let joiner = store.joiner(&selection, JoinOptions::new().threads(threads))?;
            let mut took = 0.0;
            for (n, part) in all.chunks(PART).enumerate() {
                let begun = Instant::now();
                let joined = joiner.join(part)?;
                took += begun.elapsed().as_secs_f64();
                if round == 0 {
                    check(&joined, n * PART, &expected)?;
                }
            }
            seconds.push(took);
        }
        let grown = peak.end();
        let seconds = median(seconds);
        let figure = (rows * names.len()) as f64 / seconds / 1e6;
        let text = format!("{figure:.1} M cells/s, {} MB more memory", grown >> 20);
        let title = format!("weather: {rows} rows × {} features, {threads} threads", names.len());
        let target = Target::Elsewhere("≥ Polars in benches/offline/joins.py");
        let mut line = Line::new(title, target);
        line.figures.push(Figure { name: "asofdb", role: Role::Ours, figure, text });
        report.add(line);
    }
    Ok(store.close()?)
}

fn check(joined: &asofdb::Joined, first: usize, expected: &[Vec<&str>]) -> Outcome<()> {
    for (place, column) in joined.columns().iter().enumerate() {
        for row in 0..joined.rows() {
            let line = &expected[(first + row) % expected.len()];
            let (value, matched) = (number(line[place])?, line[line.len() - 1]);
            let status = match (matched.is_empty(), value) {
                (true, _) => Status::Missing,
                (_, Some(_)) => Status::Value,
                (_, None) => Status::Null,
            };
            let found = column.value(row).and_then(|value| value.as_f64());
            if found != value || column.status()[row] != status {
                return Err(format!("row {}: {found:?}, not {line:?}", first + row).into());
            }
        }
    }
    Ok(())
}
