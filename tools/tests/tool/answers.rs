//! What reads print: the five answers are told apart, for people and for machines.

use serde_json::json;

use crate::lab::Lab;

/// A store with an entity whose features answer in all five ways as of noon.
fn five() -> Lab {
    let lab = Lab::new();
    for name in ["value", "null", "missing", "deleted"] {
        lab.ok(&format!("define store v:{name} f64"));
    }
    lab.ok("define store v:expired f64 --ttl 1h");
    lab.ok("put store e v:value=50 v:null= v:deleted=2 v:expired=3 --at '2013-01-01 10:00:00'");
    lab.ok("delete store e v:deleted --at '2013-01-01 11:00:00'");
    lab
}

#[test]
fn the_five_answers_are_told_apart() {
    let lab = five();
    assert_eq!(
        lab.ok("as-of store '2013-01-01 12:00:00' e --status"),
        "e as of 2013-01-01T12:00:00Z\n\
         feature    value      status\n\
         v:deleted  (deleted)  deleted\n\
         v:expired  (expired)  expired\n\
         v:missing  (missing)  missing\n\
         v:null     (null)     null\n\
         v:value    50.0       value\n"
    );
    let row = lab.json("as-of store '2013-01-01 12:00:00' e");
    assert_eq!(row["entity"], "e");
    assert_eq!(row["as_of"], "2013-01-01T12:00:00Z");
    for status in ["deleted", "expired", "missing", "null", "value"] {
        let answer = &row["features"][format!("v:{status}")];
        assert_eq!(answer["status"], status);
        let value = if status == "value" { json!(50.0) } else { json!(null) };
        assert_eq!(answer["value"], value, "{status}");
    }
    assert_eq!(row["features"]["v:expired"]["event_time"], "2013-01-01T10:00:00Z");
    assert_eq!(row["features"]["v:missing"].get("event_time"), None);
}

#[test]
fn no_answer_is_a_failure() {
    let lab = five();
    for feature in ["v:value", "v:null", "v:missing", "v:deleted", "v:expired"] {
        assert_eq!(lab.run(&format!("latest store e {feature}")).code, 0);
    }
    assert_eq!(lab.run("latest store nobody").code, 0);
}

#[test]
fn an_age_of_exactly_the_ttl_is_fresh() {
    let lab = five();
    assert!(lab.ok("as-of store 2013-01-01T11:00:00Z e v:expired").contains("3.0"));
    assert!(lab.ok("as-of store 2013-01-01T11:00:00.000001Z e v:expired").contains("(expired)"));
}

#[test]
fn what_became_known_later_is_not_known_earlier() {
    let lab = five();
    lab.ok("put store e v:value=7 --at '2013-01-01 09:00:00' --known '2013-01-05 00:00:00'");
    let at = "as-of store '2013-01-01 09:30:00' e v:value";
    assert!(lab.ok(at).contains("7.0"));
    assert!(lab.ok(&format!("{at} --known-at 2013-01-04")).contains("(missing)"));
    assert!(lab.ok(&format!("{at} --known-at 2013-01-05")).contains("7.0"));
    assert!(lab.ok(&format!("{at} --times")).contains("2013-01-05T00:00:00Z"));
}

#[test]
fn a_history_is_newest_first_and_bounded_on_both_sides() {
    let lab = Lab::new();
    lab.ok("define store v:x i64");
    for day in 1..=4 {
        lab.ok(&format!("put store e v:x={day} --at 2013-01-0{day} --known 2013-01-09"));
    }
    lab.ok("put store e v:x= --at 2013-01-05 --known 2013-01-09");
    assert_eq!(
        lab.ok("history store e v:x --from 2013-01-03"),
        "event time            value   known time            source\n\
         2013-01-05T00:00:00Z  (null)  2013-01-09T00:00:00Z\n\
         2013-01-04T00:00:00Z  4       2013-01-09T00:00:00Z\n\
         2013-01-03T00:00:00Z  3       2013-01-09T00:00:00Z\n"
    );
    let times = |line: &str| -> Vec<String> {
        let out = lab.ok(&format!("history store e v:x --json {line}"));
        out.lines()
            .map(|line| {
                let answer: serde_json::Value = serde_json::from_str(line).unwrap();
                answer["event_time"].as_str().unwrap()[..10].to_owned()
            })
            .collect()
    };
    assert_eq!(times("--last 2"), ["2013-01-05", "2013-01-04"]);
    assert_eq!(times("--to 2013-01-02").len(), 2);
    assert_eq!(times("--from 2013-01-02 --to 2013-01-04 --last 2"), ["2013-01-04", "2013-01-03"]);
}

#[test]
fn a_scan_finds_each_entity_once_as_of_its_time() {
    let lab = Lab::new();
    lab.ok("define store v:x i64");
    for entity in ["a|1", "a|2", "b|1"] {
        lab.ok(&format!("put store '{entity}' v:x=1 --at 2013-01-01"));
    }
    lab.ok("put store 'a|1' v:x=2 --at 2013-01-03");
    let scan = |line: &str| -> Vec<(String, String)> {
        let out = lab.ok(&format!("scan store --json {line}"));
        let mut rows: Vec<_> = out
            .lines()
            .map(|line| {
                let row: serde_json::Value = serde_json::from_str(line).unwrap();
                let value = row["features"]["v:x"]["value"].to_string();
                (row["entity"].as_str().unwrap().to_owned(), value)
            })
            .collect();
        rows.sort();
        rows
    };
    let row = |entity: &str, value: &str| (entity.to_owned(), value.to_owned());
    assert_eq!(scan(""), [row("a|1", "2"), row("a|2", "1"), row("b|1", "1")]);
    assert_eq!(scan("--prefix a --at 2013-01-02"), [row("a|1", "1"), row("a|2", "1")]);
    assert_eq!(scan("--limit 2").len(), 2);
    assert!(lab.ok("scan store --prefix b").starts_with("entity  v:x\nb|1     1\n"));
}

#[test]
fn features_can_be_called_without_their_view_while_that_is_clear() {
    let lab = Lab::new();
    lab.ok("define store v:x i64");
    lab.ok("put store e x=5 --at 2013-01-01");
    assert!(lab.ok("latest store e x").contains("v:x      5"));
    lab.ok("define store w:x i64");
    lab.fails(1, "latest store e x", "error: \"x\" may mean v:x or w:x; give the whole name");
}

#[test]
fn definitions_are_listed_as_they_were_given() {
    let lab = Lab::new();
    let line = "define store v:x f32 --ttl 48h --history 400d --forget-after 7d --describe Hello";
    assert_eq!(lab.ok(line), "v:x is f32, ttl 2d, history 400d, forget after 7d\n");
    assert_eq!(
        lab.ok("alter store v:x --ttl 90s"),
        "v:x is f32, ttl 90s, history 400d, forget after 7d\n"
    );
    let out = lab.ok("evolve store v:x 'vector(2)'");
    assert!(out.ends_with("the old values stay readable as v:x@1\n"), "{out}");
    let list = lab.json("features store");
    assert_eq!(list[0]["type"], "f32");
    assert_eq!(list[0]["ttl"], "90s");
    assert_eq!(list[0]["description"], "Hello");
    assert_eq!(list[0]["newest"], false);
    assert_eq!(list[1]["type"], "vector(2)");
    assert_eq!(list[1]["schema"], 2);
    assert!(lab.ok("features store").contains("1 (old)"));
}

#[test]
fn schemas_never_mix() {
    let lab = Lab::new();
    lab.ok("define store v:x f64");
    lab.ok("put store e v:x=1.5 --at 2013-01-01");
    lab.ok("evolve store v:x 'vector(2)'");
    assert!(lab.ok("latest store e v:x").contains("(missing)"));
    lab.ok("put store e v:x=[1,2.5] --at 2013-01-02");
    assert!(lab.ok("latest store e v:x").contains("[1.0, 2.5]"));
    assert!(lab.ok("latest store e v:x@1").contains("1.5"));
    assert_eq!(lab.json("latest store e v:x")["features"]["v:x"]["value"], json!([1.0, 2.5]));
}

#[test]
fn a_feature_that_is_retired_is_still_known_by_its_name() {
    let lab = Lab::new();
    lab.ok("define store v:x i64");
    lab.ok("put store e v:x=7 --at 2013-01-01");
    lab.ok("evolve store v:x text");
    assert_eq!(lab.ok("retire store x"), "retired v:x\n");
    for name in ["v:x", "v:x@1"] {
        assert!(lab.run(&format!("latest store e {name}")).err.contains("v:x"), "{name}");
    }
    assert_eq!(lab.run("retire store v:x").code, 1);
    lab.ok("define store v:x i64");
    assert!(lab.ok("latest store e v:x").contains("(missing)"));
}

#[test]
fn a_batch_cannot_be_undone_without_a_label() {
    let lab = Lab::new();
    lab.ok("define store v:x i64");
    lab.ok("put store e v:x=1 --at 2013-01-01");
    let bad = lab.json("put store e v:x=666 --at 2013-01-01")["commit"].as_i64().unwrap();
    let revert = format!("revert store --commit {bad}");
    assert_eq!(
        lab.ok(&format!("{revert} --dry-run")),
        "would take away 1 record in 1 batch of 1 entity\n"
    );
    assert!(lab.ok("latest store e v:x").contains("666"));
    assert_eq!(lab.ok(&revert), "took away 1 record in 1 batch of 1 entity\n");
    assert!(lab.ok("latest store e v:x").contains(" 1"));
    let again = lab.run(&revert);
    assert!(again.code == 1 && again.err.contains(&bad.to_string()), "{}", again.err);
    assert_eq!(lab.run("revert store").code, 2);
    assert_eq!(lab.run(&format!("{revert} --source bad")).code, 2);
}

#[test]
fn what_is_erased_is_never_seen_again() {
    let lab = five();
    assert_eq!(lab.ok("erase store e"), "erased e\n");
    let row = lab.json("as-of store '2013-01-01 12:00:00' e");
    for answer in row["features"].as_object().unwrap().values() {
        assert_eq!(answer["status"], "missing");
    }
    assert_eq!(lab.ok("scan store --json"), "");
}

#[test]
fn a_reverted_load_uncovers_what_it_had_replaced_and_can_be_loaded_again() {
    let lab = Lab::new();
    lab.write("v.csv", "k,t,x\na,2013-01-01,1\n");
    lab.ok("import store v.csv --entity k --time t --source good");
    lab.write("w.csv", "k,t,x\na,2013-01-01,666\nb,2013-01-01,666\n");
    let bad = "import store w.csv --view v --entity k --time t --source bad";
    lab.ok(bad);
    assert!(lab.ok("latest store a v:x").contains("666"));
    let dry = "would take away 2 records in 1 batch of 2 entities with the source \"bad\"\n";
    let files = || {
        let mut files: Vec<_> = std::fs::read_dir(lab.path("store"))
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| (entry.file_name(), entry.metadata().unwrap().len()))
            .collect();
        files.sort();
        files
    };
    let before = files();
    assert_eq!(lab.ok("revert store --source bad --dry-run"), dry);
    assert_eq!(files(), before, "a dry run has written");
    assert!(lab.ok("latest store a v:x").contains("666"));
    lab.ok("revert store --source bad");
    assert!(lab.ok("latest store a v:x").contains("v:x      1\n"));
    assert!(lab.ok("latest store b v:x").contains("(missing)"));
    let again = lab.run("revert store --source bad");
    assert_eq!(again.code, 1);
    assert!(lab.ok(bad).contains("2 rows with 2 records"));
}

#[test]
fn nothing_is_deleted_of_features_that_an_entity_never_had() {
    let lab = five();
    lab.ok("define store other:x i64");
    lab.ok("delete store e --at '2013-01-02'");
    assert!(lab.ok("latest store e other:x").contains("(missing)"));
    assert!(lab.ok("latest store e v:value").contains("(deleted)"));
    let out = lab.ok("delete store nobody --at 2013-01-02");
    assert_eq!(out, "nothing to delete: nobody has no values at 2013-01-02T00:00:00Z\n");
}

#[test]
fn compaction_changes_no_answer() {
    let lab = five();
    let before = lab.ok("as-of store '2013-01-01 12:00:00' e --times");
    lab.ok("compact store");
    assert_eq!(lab.ok("as-of store '2013-01-01 12:00:00' e --times"), before);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let lab = Lab::new();
    let rows: String = (0..20_000).map(|i| format!("e{i},2013-01-01,{i}\n")).collect();
    lab.write("v.csv", format!("k,t,x\n{rows}"));
    lab.ok("import store v.csv --entity k --time t");
    let mut child = lab
        .command("scan store")
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty());
}
