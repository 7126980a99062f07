//! Timelines: any bytes are read without a panic; steps that were written come back, and tell of
//! each event time what a look at all of them tells.
#![no_main]

use asofdb_format::ids::{Commit, EventTime};
use asofdb_format::timeline::{MAX_STEPS, Step, Timeline};
use asofdb_fuzz::columns::{MOST, moment};
use asofdb_fuzz::heap;
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;

fn written(u: &mut Unstructured<'_>) -> Result<()> {
    let mut steps = Vec::new();
    for _ in 0..u.int_in_range(1..=40)? {
        steps.push(Step { commit: Commit(moment(u)?), from: EventTime(moment(u)?) });
    }
    let timeline = Timeline::of(steps, MOST);
    if timeline.is_empty() {
        return Ok(());
    }
    assert_eq!(Timeline::decode(&timeline.encode()).as_ref(), Ok(&timeline));
    check(&timeline, &[moment(u)?, moment(u)?]);
    let times = (EventTime(moment(u)?), EventTime(moment(u)?));
    let times = (times.0.min(times.1), times.0.max(times.1));
    let part = timeline.between(times.0, times.1);
    assert!(part.agrees(&timeline, times.0, times.1));
    for t in [times.0, times.1, EventTime(times.0.0.midpoint(times.1.0))] {
        assert_eq!(part.commit_of(t), timeline.commit_of(t));
    }
    Ok(())
}

fn check(timeline: &Timeline, times: &[i64]) {
    let steps: Vec<Step> = timeline.steps().collect();
    let near = steps.iter().take(MOST).flat_map(|step| {
        let time = step.from.0;
        [time, time.saturating_sub(1), time.saturating_add(1)]
    });
    for t in near.chain([i64::MIN, 0, i64::MAX]).chain(times.iter().copied()) {
        let up_to = steps.partition_point(|step| step.from.0 <= t).max(1);
        assert_eq!(timeline.commit_of(EventTime(t)), Some(steps[up_to - 1].commit));
    }
}

fuzz_target!(|bytes: &[u8]| {
    // What lies on a line takes no bytes: memory is bounded by the number of steps.
    let read = heap::bounded(bytes.len() + MAX_STEPS, 40, || Timeline::decode(bytes));
    if let Ok(timeline) = read {
        check(&timeline, &[]);
        let again = Timeline::decode(&timeline.encode());
        assert_eq!(again.as_ref(), Ok(&timeline));
    }
    let _ = written(&mut Unstructured::new(bytes));
});
