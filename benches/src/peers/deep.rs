//! C: what the depth of a history costs the reads, beside a store of the newest versions alone.

use std::path::Path;

use crate::Outcome;
use crate::peers::dataset::{Data, Size};
use crate::peers::ingest::load;
use crate::peers::peer::{Record, Role, Setup, Write};
use crate::peers::reads::{self, Kind, Loaded};
use crate::peers::report::{Line, Report, Target};
use crate::peers::timing::middle;
use crate::peers::{Args, bytes, load_all, read_line};

/// Deep.
pub const C: Size = Size { entities: 1_000, features: 10, versions: 1_000, shared_times: false };

/// The lines of C.
pub fn run(args: &Args, dir: &Path, report: &mut Report) -> Outcome<()> {
    if !args.wants_any(&["deep", "asof-deep", "asof-point-deep", "bytes"]) {
        return Ok(());
    }
    let data = Data::new(C.scaled(args.scale));
    let (stores, loads) = load_all(args, &dir.join("c"), &data, 0)?;
    if args.wants("bytes") {
        report.add(bytes("bytes a record (C)", 5.9, "≤ 5.9", &data, &stores, &loads));
    }
    let asks = data.asks(args.asks * args.rounds, 3, None);
    if args.wants("deep") {
        beside_newest(args, dir, &data, &stores, report)?;
    }
    let lines = [
        ("asof-deep", "as-of row of 10, uniform (C)", Kind::AsOfRow, 0.2),
        ("asof-point-deep", "as-of point, uniform (C)", Kind::AsOfPoint, 0.5),
    ];
    for (_, title, kind, target) in lines.into_iter().filter(|line| args.wants(line.0)) {
        report.add(read_line(&stores, &data, title, kind, &asks, args.rounds, target)?);
    }
    stores.into_iter().try_for_each(|store| store.peer.close())
}

/// Latest rows of all, and of a store of ours that never had an older version.
fn beside_newest(
    args: &Args,
    dir: &Path,
    data: &Data,
    stores: &[Loaded],
    report: &mut Report,
) -> Outcome<()> {
    let title = "latest row of 10, uniform (C)";
    let asks = data.asks(args.asks * args.rounds, 4, None);
    report.add(read_line(stores, data, title, Kind::LatestRow, &asks, args.rounds, 1.0 / 6.0)?);
    let mut newest = Vec::new();
    for entity in 0..data.size.entities {
        for feature in 0..data.size.features {
            let cell = data.as_of(entity, feature, i64::MAX);
            newest.push(Record { time: cell.time, value: cell.value, entity, feature });
        }
    }
    newest.sort_unstable_by_key(|record| record.time);
    let setup = Setup { features: data.size.features, ..Setup::default() };
    let entrants = args.entrants();
    let ours = entrants.first().ok_or("nobody takes part")?;
    let flat = dir.join("newest");
    let mut shallow = [Loaded::open(*ours, &flat, setup)?];
    (shallow[0].name, shallow[0].role) = ("newest alone", Role::Peer);
    load(&*shallow[0].peer, &flat, &newest, Write::default())?;
    let mut rounds = Vec::new();
    for asks in asks.chunks(asks.len() / args.rounds) {
        let deep = reads::measure(&stores[..1], data, Kind::LatestRow, asks, 1)?;
        let alone = reads::measure(&shallow, data, Kind::LatestRow, asks, 1)?;
        rounds.push((deep[0].0, alone[0].0));
    }
    let (deep, alone): (Vec<_>, Vec<_>) = rounds.into_iter().unzip();
    let both = [(middle(&deep), ""), (middle(&alone), "")];
    let mut figures = reads::figures(&stores[..1], &both[..1]);
    figures.extend(reads::figures(&shallow, &both[1..]));
    let title = "latest row of 10 (C), beside a store of the newest versions alone";
    report.add(Line { figures, ..Line::new(title, Target::AtMost(1.2)) });
    shallow.into_iter().try_for_each(|store| store.peer.close())
}
