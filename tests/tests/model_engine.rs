//! Random programs on the engine and on the model at once: every answer and every refusal must be the same.
//!
//! Each seed runs under options drawn from it, so that data lies in memory, in many small tables, in one, or is merged
//! a few tables at a time. ASOFDB_SEEDS says how many programs (default 600), ASOFDB_FIRST_SEED which is the first:
//!
//!     ASOFDB_FIRST_SEED=77 ASOFDB_SEEDS=1 cargo test -p asofdb-tests --test model_engine -- --nocapture
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use asofdb::{Options, ReadMode, Span};
use asofdb_tests::engine::Engine;
use asofdb_tests::generate::{Rng, Settings};
use asofdb_tests::replay::Mode;
use asofdb_tests::shrink::check_seed;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn options(rng: &mut Rng) -> Options {
    let options = Options::new()
        .memtable_bytes(*rng.pick(&[1, 2_000, 1 << 20]).unwrap())
        .table_bytes(*rng.pick(&[1, 500, 1 << 20]).unwrap())
        .max_recent_tables(*rng.pick(&[2, 3, 8, usize::MAX]).unwrap())
        .max_sealed_memtables(*rng.pick(&[1, 2, 100]).unwrap())
        .read_mode(*rng.pick(&[ReadMode::Map, ReadMode::Pread]).unwrap());
    // Programs of this test never step the clock back, so relying on it at once changes no answer.
    if rng.percent(70) { options.clock_lag(Span::ZERO) } else { options }
}

#[test]
fn no_program_tells_the_engine_from_the_model() {
    let (first, seeds) = (number("ASOFDB_FIRST_SEED", 1), number("ASOFDB_SEEDS", 600));
    let mut cells = 0;
    for seed in first..first + seeds {
        let mut rng = Rng::new(seed);
        let options = options(&mut rng);
        let modes = [
            Mode::AsWritten,
            Mode::CompactAfterEveryStep,
            Mode::FlushAfterEveryStep,
            Mode::InMemory,
        ];
        let mode = *rng.pick(&modes).unwrap();
        let steps = rng.percent(60);
        let mut make = || -> Box<dyn asofdb_tests::replay::Subject> {
            let engine = Engine::new(options.clone()).unwrap();
            Box::new(if steps { engine.stepped_at_random(seed) } else { engine })
        };
        match check_seed(seed, Settings::default(), mode, &mut make) {
            Ok(compared) => cells += compared,
            Err(failure) => panic!(
                "{failure}\n{options:?}\nreplay: ASOFDB_FIRST_SEED={seed} ASOFDB_SEEDS=1 \
                 cargo test -p asofdb-tests --test model_engine"
            ),
        }
    }
    println!("{seeds} programs from seed {first}, {cells} cells, no difference");
}
