//! Small programs that once told the engine from the model, each with its story, under every mode.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use asofdb::{Options, Span};
use asofdb_tests::engine::Engine;
use asofdb_tests::program::Program;
use asofdb_tests::replay::{Mode, replay};

fn check(program: &str) {
    let program = Program::parse(program).unwrap();
    for mode in
        [Mode::AsWritten, Mode::InMemory, Mode::FlushAfterEveryStep, Mode::CompactAfterEveryStep]
    {
        let options = Options::new().clock_lag(Span::ZERO);
        let mut engine = Engine::new(options).unwrap().through_every_door();
        if let Err(difference) = replay(&program, &mut engine, mode) {
            panic!("{mode:?}: {difference}");
        }
    }
}

/// A batch wrote two features, one without a horizon. Once compaction had dropped what it wrote of the
/// other, a revert of its commit looked at what was stored alone, found nothing below a horizon and
/// went ahead; before the compaction it was refused.
#[test]
fn compaction_changes_whether_a_batch_can_be_reverted() {
    check(
        r#"{"seed":59,"steps":[
        {"op":"define","feature":"v:keeps","type":"i64"},
        {"op":"define","feature":"v:forgets","type":"i64","history":12000000},
        {"op":"clock","now":65000000},
        {"op":"write","puts":[
            {"entity":"a","feature":"v:forgets","e":72000000,"kind":"value","value":1},
            {"entity":"a","feature":"v:keeps","e":72000000,"kind":"value","value":2}]},
        {"op":"write","puts":[
            {"entity":"a","feature":"v:forgets","e":72000000,"kind":"value","value":3}]},
        {"op":"clock","now":86000000},
        {"op":"revert","batches":[0],"expect":{"error":"below_horizon"}},
        {"op":"latest","entity":"a","feature":"v:keeps",
            "expect":{"answer":"value","e":72000000,"known":65000000,"value":2}}]}"#,
    );
}
