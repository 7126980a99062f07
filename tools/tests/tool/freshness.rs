//! The probe of a monitor: it exits with 3 for what is too old or not there, and with 0 for nothing
//! else.

use crate::lab::Lab;

/// A fresh feature and an old one, one that was deleted, one without any value, and one whose only
/// row of late is dated ahead.
fn aged() -> Lab {
    let lab = Lab::new();
    for name in ["v:fresh", "v:old", "v:gone", "v:never", "v:ahead", "w:old"] {
        lab.ok(&format!("define store {name} f64"));
    }
    lab.ok("put store a v:fresh=1 --at now");
    lab.ok("put store a v:old=1 v:ahead=1 w:old=1 --at '2013-01-01 10:00:00'");
    lab.ok("put store b v:gone=1 --at '2013-01-01 10:00:00'");
    lab.ok("delete store b v:gone --at '2013-01-01 11:00:00'");
    let soon = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let soon = soon.as_micros() + 3_600_000_000;
    lab.ok(&format!("put store a v:ahead=1 --at {soon}"));
    lab
}

/// The probe's exit code and what it names.
fn probe(lab: &Lab, limits: &str, more: &str) -> (i32, Vec<String>) {
    let done = lab.run(&format!("freshness store --max-age {limits} {more}"));
    assert!(done.out.contains("v:fresh"), "the report is printed whatever comes of it");
    let named = done.err.lines().map(|line| {
        let line = line.strip_prefix("error: ").unwrap();
        line.split(' ').next().unwrap().to_owned()
    });
    (done.code, named.collect())
}

#[test]
fn the_probe_passes_what_is_stale_or_missing() {
    let lab = aged();
    for flush in [false, true] {
        if flush {
            lab.ok("compact store");
        }
        for more in ["", "--exact", "--json", "--exact --json"] {
            let what = format!("{more}, flushed: {flush}");
            assert_eq!(probe(&lab, "v:fresh=1h", more), (0, vec![]), "{what}");
            let old = (3, vec!["v:old".to_owned()]);
            assert_eq!(probe(&lab, "v:fresh=1h,v:old=1h", more), old, "{what}");
            assert_eq!(probe(&lab, "v:old=1h,v:old=36500d", more), old, "{what}: the strictest");
            assert_eq!(probe(&lab, "v:old=36500d", more), (0, vec![]), "{what}");
            let never = (3, vec!["v:never".to_owned()]);
            assert_eq!(probe(&lab, "v:never=36500d", more), never, "{what}");
            // A row dated ahead does not make the others any younger.
            let ahead = (3, vec!["v:ahead".to_owned()]);
            assert_eq!(probe(&lab, "v:ahead=1h", more), ahead, "{what}");
            assert_eq!(probe(&lab, "v:ahead=36500d", more), (0, vec![]), "{what}");
            let all = probe(&lab, "v:never=1h,v:fresh=1h,v:old=1h", more);
            assert_eq!(all, (3, vec!["v:never".to_owned(), "v:old".to_owned()]), "{what}");
        }
        let gone = (3, vec!["v:gone".to_owned()]);
        assert_eq!(probe(&lab, "v:gone=36500d", "--exact"), gone);
    }
    let done = lab.run("freshness store --max-age v:old=1h");
    assert!(done.err.starts_with("error: v:old is "), "{}", done.err);
    let told = "(newest event 2013-01-01T10:00:00Z), and may be 1h old";
    assert!(done.err.contains(told), "{}", done.err);
}

#[test]
fn the_probe_passes_what_was_taken_back() {
    let lab = Lab::new();
    for name in ["v:fresh", "v:reverted", "v:erased", "v:deleted"] {
        lab.ok(&format!("define store {name} f64"));
    }
    lab.write("v.csv", "k,t,reverted\na,2013-01-01,1\n");
    lab.ok("import store v.csv --entity k --time t --source bad");
    lab.ok("put store a v:fresh=1 --at now");
    lab.ok("put store b v:erased=1 v:deleted=1 --at 2013-01-01");
    lab.ok("delete store b v:deleted --at 2013-01-02");
    for name in ["v:reverted", "v:erased"] {
        assert_eq!(probe(&lab, &format!("{name}=36500d"), ""), (0, vec![]), "{name}");
    }
    let gone = |name: &str| {
        let found = probe(&lab, &format!("v:fresh=1h,{name}=36500d"), "");
        assert_eq!(found, (3, vec![name.to_owned()]));
    };
    gone("v:deleted");
    lab.ok("erase store b");
    gone("v:erased");
    gone("v:deleted");
    lab.ok("revert store --source bad");
    gone("v:reverted");
    lab.ok("compact store");
    ["v:reverted", "v:erased", "v:deleted"].into_iter().for_each(gone);
}

#[test]
fn a_probe_that_cannot_ask_says_fresh() {
    let lab = aged();
    for (code, limits, error) in [
        (1, "v:nothing=1h", "v:nothing"),
        (1, "old=1h", "\"old\" may mean v:old or w:old; give the whole name"),
        (2, "v:old", "expected NAME=DURATION"),
        (2, "v:old=soon", "a duration is a number and its unit"),
        (2, "v:old=forever", "a duration is a number and its unit"),
    ] {
        let done = lab.run(&format!("freshness store --max-age {limits}"));
        assert_eq!((done.code, done.out.as_str()), (code, ""), "{limits}: {}", done.err);
        assert!(done.err.contains(error), "{limits}: {}", done.err);
    }
    assert_eq!(lab.run("freshness nowhere --max-age v:old=1h").code, 1);
}

#[test]
fn machines_are_told_less_than_people() {
    let lab = aged();
    let report = lab.json("freshness store --exact");
    assert_eq!(report["exact"], true);
    assert_eq!(report["features"].as_array().unwrap().len(), 6);
    let of = |name: &str| {
        let features = report["features"].as_array().unwrap();
        features.iter().find(|feature| feature["name"] == name).unwrap().clone()
    };
    assert_eq!(of("v:gone")["answers"]["deleted"], 1);
    assert_eq!(of("v:ahead")["future_dated"], 1);
    assert_eq!(of("v:old")["ages"]["p0"], of("v:old")["ages"]["p100"]);
    assert_eq!(of("v:never")["newest_event_time"], serde_json::Value::Null);
    let ahead = &report["future_dated"][0];
    assert_eq!((&ahead["entity"], &ahead["feature"]), (&"61".into(), &"v:ahead@1".into()));
    assert!(lab.ok("freshness store").contains("ahead: v:ahead@1 of a at "));
    assert!(lab.ok("freshness store --exact").contains("exact: of every entity"));
    assert_eq!(lab.json("freshness store")["exact"], false);
}
