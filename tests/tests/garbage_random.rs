//! Random programs on a model that really drops what the garbage rule allows: no answer may change.
//!
//! At every flush and compaction the store's revisions are dealt at random over files, and each file is compacted by
//! itself, as an engine with any placement whatever might do. ASOFDB_SEEDS says how many programs.

use asofdb_tests::answer::Outcome;
use asofdb_tests::asked::asked;
use asofdb_tests::generate::{Rng, Settings};
use asofdb_tests::model::Model;
use asofdb_tests::question::{Crash, Definition, Put, Read};
use asofdb_tests::replay::{Mode, Subject};
use asofdb_tests::shrink::check_seed;

/// A model that drops.
struct Dropping {
    model: Model,
    rng: Rng,
}

impl Dropping {
    fn new() -> Dropping {
        Dropping { model: Model::new(), rng: Rng::new(1) }
    }

    fn drop_garbage(&mut self) {
        for column in 0..self.model.columns.len() {
            self.model.record_bounds(column, self.model.bounds(column));
        }
        let files = self.rng.between(1, 3);
        for _ in 0..files {
            let all = 0..self.model.revisions.len();
            let file: Vec<usize> = all.filter(|_| self.rng.percent(60)).collect();
            self.model = self.model.without(&self.model.garbage(&file));
        }
    }
}

impl Subject for Dropping {
    fn clock(&mut self, now: i64) -> Outcome {
        self.model.clock(now)
    }
    fn define(&mut self, feature: &str, definition: &Definition) -> Outcome {
        Subject::define(&mut self.model, feature, definition)
    }
    fn alter(&mut self, feature: &str, definition: &Definition) -> Outcome {
        Subject::alter(&mut self.model, feature, definition)
    }
    fn evolve(&mut self, feature: &str, definition: &Definition) -> Outcome {
        Subject::evolve(&mut self.model, feature, definition)
    }
    fn retire(&mut self, feature: &str) -> Outcome {
        Subject::retire(&mut self.model, feature)
    }
    fn write(&mut self, puts: &[Put], source: Option<&str>, synced: bool) -> Outcome {
        Subject::write(&mut self.model, puts, source, synced)
    }
    fn sync(&mut self) -> Outcome {
        Subject::sync(&mut self.model)
    }
    fn flush(&mut self) -> Outcome {
        self.drop_garbage();
        Outcome::Done
    }
    fn compact(&mut self) -> Outcome {
        self.drop_garbage();
        Outcome::Done
    }
    fn reopen(&mut self) -> Outcome {
        Subject::reopen(&mut self.model)
    }
    fn crash(&mut self, crash: Crash) -> Outcome {
        Subject::crash(&mut self.model, crash)
    }
    fn snapshot(&mut self, name: &str) -> Outcome {
        Subject::snapshot(&mut self.model, name)
    }
    fn release(&mut self, name: &str) -> Outcome {
        Subject::release(&mut self.model, name)
    }
    fn stamp(&mut self, name: &str) -> Outcome {
        Subject::stamp(&mut self.model, name)
    }
    fn erase(&mut self, entity: &[u8]) -> Outcome {
        Subject::erase(&mut self.model, entity)
    }
    fn revert(&mut self, source: &str) -> Outcome {
        Subject::revert(&mut self.model, source)
    }
    fn revert_batches(&mut self, places: &[usize]) -> Outcome {
        Subject::revert_batches(&mut self.model, places)
    }
    fn read(&mut self, read: &Read) -> Outcome {
        Subject::read(&mut self.model, read)
    }
}

#[test]
fn no_read_can_tell_what_was_dropped() {
    let first = asked("ASOFDB_FIRST_SEED").unwrap_or(0);
    let seeds = asked("ASOFDB_SEEDS").unwrap_or(2_000);
    let mut cells = 0;
    for seed in first..first + seeds {
        let mode = if seed % 2 == 0 { Mode::AsWritten } else { Mode::CompactAfterEveryStep };
        let compared =
            check_seed(seed, Settings::default(), mode, &mut || Box::new(Dropping::new()));
        match compared {
            Ok(compared) => cells += compared.cells,
            Err(difference) => panic!(
                "{difference}\nreplay: ASOFDB_FIRST_SEED={seed} ASOFDB_SEEDS=1 cargo test -p asofdb-tests \
                 --test garbage_random"
            ),
        }
    }
    println!("from seed {first}: {seeds} programs, {cells} cells");
}
