//! seq-n: events of users, and the last 10, 50 or 200 of one as of a moment; after each three reads one
//! more event comes.
//!
//! Users have 50 to 1,000 events of about 120 bytes, those who are asked for often by Zipf 1.1. Each
//! request sees all earlier events.

use std::path::Path;
use std::time::Instant;

use crate::Outcome;
use crate::data::{HOUR, mix};
use crate::peers::Args;
use crate::peers::dataset::{Zipf, below};
use crate::peers::ingest::{BATCH, open};
use crate::peers::peer::{Peer, Role, Setup, TextRecord, Texts};
use crate::peers::report::{Figure, Line, Report, Target};
use crate::peers::timing::{Times, nanos};

/// Users at full size.
const USERS: f64 = 5_000.0;

const START: i64 = 1_700_000_000_000_000 / HOUR * HOUR;

/// How many events are asked for.
const LAST: [usize; 3] = [10, 50, 200];

/// The events of a user before anything is read.
fn events(user: u32) -> u32 {
    50 + below(mix(u64::from(user) ^ 0x5e9), 951)
}

fn time(user: u32, number: u32) -> i64 {
    let drawn = mix(u64::from(user) << 32 | u64::from(number));
    START + i64::from(number) * HOUR + below(drawn, 3_000_000).cast_signed() as i64
}

/// An event as it is logged: names and numbers, about 120 bytes.
fn event(user: u32, number: u32) -> TextRecord {
    let drawn = mix(u64::from(user) << 20 ^ u64::from(number));
    let kind = ["view", "click", "purchase", "share"][(drawn % 4) as usize];
    let (item, shop) = (drawn >> 8 & 0xff_ffff, drawn >> 40 & 0xfff);
    let cents = mix(drawn) % 100_000;
    let text = format!(
        r#"{{"event":"{kind}","item":{item},"shop":{shop},"cents":{cents},"session":"{drawn:016x}","device":"app","position":{}}}"#,
        drawn % 50
    );
    TextRecord { time: time(user, number), entity: user, feature: 0, text }
}

/// What is done, one thing after another.
enum Step {
    /// So many last events as of the moment of an event.
    Read { user: u32, up_to: u32, last: usize },
    /// The next event of a user.
    Write(TextRecord),
}

/// Steps from drawn users, and what the reads have to find.
fn steps(count: usize, users: u32, zipf: &Zipf) -> (Vec<Step>, u64) {
    let mut events: Vec<u32> = (0..users).map(events).collect();
    let mut expected = 0u64;
    let mut found = Texts::default();
    let step = |n: usize| {
        let drawn = mix(n as u64 ^ 0x5e90);
        let user = zipf.draw(drawn);
        let known = &mut events[user as usize];
        if n % 4 == 3 {
            *known += 1;
            return Step::Write(event(user, *known - 1));
        }
        // One in two asks about now, the others about a moment in the last half.
        let back = if drawn & 1 == 0 { 0 } else { below(mix(drawn), *known / 2) };
        let (up_to, last) = (*known - 1 - back, LAST[n % 4]);
        found.clear();
        for number in (0..=up_to).rev().take(last) {
            let TextRecord { time, text, .. } = event(user, number);
            found.push(time, text.as_bytes());
        }
        expected = expected.wrapping_add(found.checksum());
        Step::Read { user, up_to, last }
    };
    let steps = (0..count).map(step).collect();
    (steps, expected)
}

/// What one took: its reads by how many events they ask for, its writes, and all seconds.
struct Took {
    reads: [Times; 3],
    writes: Times,
    seconds: f64,
}

fn take(peer: &dyn Peer, steps: &[Step], expected: u64) -> Outcome<Took> {
    let mut took = Took { reads: Default::default(), writes: Times::default(), seconds: 0.0 };
    let mut reader = peer.reader()?;
    let (mut found, mut sum) = (Texts::default(), 0u64);
    for step in steps {
        let begun = Instant::now();
        match step {
            Step::Write(record) => {
                peer.write_text(std::slice::from_ref(record))?;
                took.writes.push(begun);
                took.seconds += begun.elapsed().as_secs_f64();
            }
            Step::Read { user, up_to, last } => {
                found.clear();
                reader.last_texts((*user, 0), time(*user, *up_to), *last, &mut found)?;
                let times = LAST.iter().zip(&mut took.reads).find(|(some, _)| *some == last);
                times.into_iter().for_each(|(_, times)| times.push(begun));
                took.seconds += begun.elapsed().as_secs_f64();
                sum = sum.wrapping_add(found.checksum());
            }
        }
    }
    if sum != expected { Err("last events are wrong".into()) } else { Ok(took) }
}

/// Loads the events into all that hold texts, and lets each take the same steps.
pub fn run(args: &Args, dir: &Path, report: &mut Report) -> Outcome<()> {
    if !args.wants("seq-n") {
        return Ok(());
    }
    #[expect(clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "a share")]
    let users = ((USERS * args.scale) as u32).max(10);
    let mut records: Vec<TextRecord> = (0..users)
        .flat_map(|user| (0..events(user)).map(move |number| event(user, number)))
        .collect();
    records.sort_unstable_by_key(|record| record.time);
    let zipf = Zipf::new(users, 1.1);
    let (steps, expected) = steps(args.asks * 2, users, &zipf);
    let setup =
        Setup { features: 1, records: records.len() as u64, text: true, ..Setup::default() };
    let mut lines: Vec<Vec<Figure>> = vec![Vec::new(); 5];
    for entrant in args.entrants().into_iter().filter(|entrant| entrant.role != Role::Floor) {
        let peer = open(&entrant, &dir.join("seq"), setup)?;
        for batch in records.chunks(BATCH) {
            peer.write_text(batch)?;
        }
        peer.settle()?;
        let took =
            take(&*peer, &steps, expected).map_err(|error| format!("{}: {error}", entrant.name))?;
        peer.close()?;
        let Took { reads, writes, seconds } = took;
        for (line, mut times) in lines.iter_mut().zip(reads.into_iter().chain([writes])) {
            let [p50, p99] = [0.5, 0.99].map(|share| times.at(share));
            let text = format!("{} / {}", nanos(p50), nanos(p99));
            line.push(Figure { name: entrant.name, role: entrant.role, figure: p50, text });
        }
        let figure = steps.len() as f64 / seconds / 1e3;
        let text = format!("{figure:.1} k/s");
        lines[4].push(Figure { name: entrant.name, role: entrant.role, figure, text });
    }
    let reads = LAST.map(|last| format!("seq-n: the last {last} events of a user as of a moment"));
    let writes = ["seq-n: one more event, by itself".to_owned()];
    let all = ["seq-n: three reads and a write, steps".to_owned()];
    for (title, figures) in reads.into_iter().chain(writes).chain(all).zip(lines) {
        let more = title.ends_with("steps");
        let target = if more { Target::NoneButMore } else { Target::None };
        report.add(Line { figures, ..Line::new(title, target) });
    }
    Ok(())
}
