//! What an import writes: types, nulls, order, progress.

use serde_json::{Value, json};

use crate::lab::Lab;

fn lab(content: &str) -> Lab {
    let lab = Lab::new();
    lab.write("v.csv", content);
    lab
}

fn types(lab: &Lab) -> Vec<String> {
    let list = lab.json("features store");
    list.as_array()
        .unwrap()
        .iter()
        .map(|feature| {
            format!("{} {}", feature["name"].as_str().unwrap(), feature["type"].as_str().unwrap())
        })
        .collect()
}

fn value(lab: &Lab, entity: &str, feature: &str) -> Value {
    lab.json(&format!("latest store '{entity}' {feature}"))["features"][feature].clone()
}

#[test]
fn types_come_from_the_whole_file() {
    let late_text = format!("{}a,2013-01-02,oops\n", "a,2013-01-01,1\n".repeat(70_000));
    let lab = lab(&format!("k,t,x\n{late_text}"));
    assert_eq!(lab.run("import store v.csv --entity k --time t").code, 0);
    assert_eq!(types(&lab), ["v:x text"]);
    assert_eq!(value(&lab, "a", "v:x")["value"], "oops");
}

#[test]
fn types_come_from_all_files_of_a_view() {
    let lab = Lab::new();
    lab.write("jan.csv", "k,t,x,y\na,2013-01-01,1,1\n");
    lab.write("feb.csv", "k,t,x,z\na,2013-02-01,1.5,007\n");
    lab.ok("import store jan.csv feb.csv --view v --entity k --time t");
    assert_eq!(types(&lab), ["v:x f64", "v:y i64", "v:z text"]);
    assert_eq!(value(&lab, "a", "v:x")["value"], json!(1.5));
    assert_eq!(value(&lab, "a", "v:y")["value"], json!(1));
    assert_eq!(value(&lab, "a", "v:z")["value"], "007");
}

#[test]
fn types_can_be_said() {
    let lab = lab("k,t,a,b,c,d\ne,2013-01-01,1,01ff,\"[1,2]\",0\n");
    let features = "'a:f32,b:bytes,c:vector(2),d:bool'";
    lab.ok(&format!("import store v.csv --entity k --time t --features {features}"));
    assert_eq!(types(&lab), ["v:a f32", "v:b bytes", "v:c vector(2)", "v:d bool"]);
    assert_eq!(value(&lab, "e", "v:a")["value"], json!(1.0));
    assert_eq!(value(&lab, "e", "v:b")["value"], "01ff");
    assert_eq!(value(&lab, "e", "v:c")["value"], json!([1.0, 2.0]));
    assert_eq!(value(&lab, "e", "v:d")["value"], json!(false));
}

#[test]
fn a_null_is_not_an_empty_text_and_not_an_absent_value() {
    let lab = lab("k,t,x\na,2013-01-01,old\na,2013-01-02,\nb,2013-01-02,\"\"\nc,2013-01-02,NA\n\
                   d,2013-01-02,\"NA\"\n");
    lab.ok("import store v.csv --entity k --time t --null NA");
    assert_eq!(value(&lab, "a", "v:x")["status"], "null");
    assert_eq!(value(&lab, "b", "v:x")["value"], "");
    assert_eq!(value(&lab, "c", "v:x")["status"], "null");
    assert_eq!(value(&lab, "d", "v:x")["value"], "NA");
    lab.ok("import other v.csv --entity k --time t --null NA --nulls skip");
    let row = lab.json("latest other a");
    assert_eq!(row["features"]["v:x"]["value"], "old");
    assert_eq!(lab.json("latest other c")["features"]["v:x"]["status"], "missing");
}

#[test]
fn of_equal_rows_the_one_known_last_wins_and_then_the_later_in_the_file() {
    // The last of each group is far away in the file, in another batch.
    let filler: String = (0..12_000).map(|i| format!("f{i},2013-01-01,2013-01-01,0\n")).collect();
    let lab = lab(&format!(
        "k,t,seen,x\n\
         a,2013-01-01,2013-01-03,1\na,2013-01-01,2013-01-02,2\n\
         b,2013-01-01,2013-01-02,1\nb,2013-01-01,2013-01-02,2\n\
         c,2013-01-01,2013-01-02,1\n{filler}\
         c,2013-01-01,2013-01-02,2\na,2013-01-01,2013-01-02,3\n"
    ));
    lab.ok("import store v.csv --entity k --time t --known seen");
    assert_eq!(value(&lab, "a", "v:x")["value"], json!(1));
    assert_eq!(value(&lab, "b", "v:x")["value"], json!(2));
    assert_eq!(value(&lab, "c", "v:x")["value"], json!(2));
    lab.ok("import plain v.csv --entity k --time t --features x");
    assert_eq!(lab.json("latest plain a")["features"]["v:x"]["value"], json!(3));
}

#[test]
fn the_entity_of_several_columns_can_be_told_from_any_other() {
    let lab = lab("a,b,t,x\nu|1,2,2013-01-01,1\nu,1|2,2013-01-01,2\n\\,|,2013-01-01,3\n");
    lab.ok("import store v.csv --entity a,b --time t");
    assert_eq!(value(&lab, r"u\|1|2", "v:x")["value"], json!(1));
    assert_eq!(value(&lab, r"u|1\|2", "v:x")["value"], json!(2));
    assert_eq!(value(&lab, r"\\|\|", "v:x")["value"], json!(3));
    lab.ok("join store v.csv -o out.csv --entity a,b --time t");
    assert_eq!(
        lab.read("out.csv"),
        "a,b,t,x,v__x\nu|1,2,2013-01-01,1,1\nu,1|2,2013-01-01,2,2\n\\,|,2013-01-01,3,3\n"
    );
}

#[test]
fn rows_of_one_value_each_become_features() {
    let lab = lab("k,t,metric,reading\na,2013-01-01,heat,1.5\na,2013-01-01,name,x\n\
                   a,2013-01-02,heat,\na,2013-01-01,other,1\n");
    let line = "import store v.csv --entity k --time t --long metric,reading";
    lab.ok(&format!("{line} --features heat,name"));
    assert_eq!(types(&lab), ["v:heat f64", "v:name text"]);
    assert_eq!(value(&lab, "a", "v:heat")["status"], "null");
    assert_eq!(value(&lab, "a", "v:name")["value"], "x");
    lab.fails(
        1,
        &format!("{line} --features heat,cold"),
        "error: no file has a column or feature \"cold\", which --features names",
    );
    lab.fails(
        1,
        "import new v.csv --entity k --time t --long metric,reading --features nothere",
        "error: no file has a column or feature \"nothere\", which --features names",
    );
    assert!(!lab.path("new").exists());
}

#[test]
fn a_feature_of_a_file_that_was_imported_before_is_missed() {
    let lab = Lab::new();
    lab.write("jan.csv", "k,t,x\na,2013-01-01,1\n");
    lab.write("feb.csv", "k,t,y\na,2013-02-01,2\n");
    let line = "import store jan.csv --view v --entity k --time t --features x";
    lab.ok(line);
    lab.ok(line);
    let both = "import both jan.csv feb.csv --view v --entity k --time t --features x,y";
    lab.ok(both);
    lab.write("feb.csv", "k,t,y\na,2013-02-01,3\n");
    lab.ok(both);
    assert_eq!(value(&lab, "a", "v:x")["value"], json!(1));
}

#[test]
fn types_are_told_by_nobody_or_told_wrong() {
    let lab = Lab::new();
    lab.write("jan.csv", "k,t,spend,city,n\na,2013-01-01,1,Rome,1\n");
    lab.write("feb.csv", "k,t,spend,city,n\na,2013-02-01,1.5,007,2\n");
    let line = "jan.csv feb.csv --view v --entity k --time t --features spend,city,n:i64";
    assert_eq!(
        lab.ok(&format!("import store {line}")),
        "jan.csv: 1 row with 3 records of 3 features of the view v\n\
         types told from the rows: spend f64, city text\n\
         feb.csv: 1 row with 3 records of 3 features of the view v\n"
    );
    let told = lab.json(&format!("import other {line}"));
    assert_eq!(told["files"][0]["inferred"], json!({ "spend": "f64", "city": "text" }));
    assert_eq!(told["files"][1]["inferred"], json!({}));
    let again = lab.ok(&format!("import store {line} --source again"));
    assert!(!again.contains("types told"), "the store told them: {again}");
}

#[test]
fn a_slip_makes_a_column_of_numbers_text_and_nobody_says_so() {
    let many = "a,2013-01-01,1.5,007\n".repeat(20);
    let lab = lab(&format!("k,t,x,zip\na,2013-01-01,n/a,008\n{many}a,2013-01-02,-,009\n"));
    let done = lab.run("import store v.csv --entity k --time t");
    assert_eq!(done.code, 0);
    assert_eq!(
        done.err,
        "warning: v.csv, line 2, column x: expected a number, found \"n/a\"; it is the first of 2 \
         among 20 numbers, so v:x becomes text; say --null TOKEN if such a cell means null, or \
         --features x:f64 if it is a bad row\n"
    );
    lab.ok("import null v.csv --entity k --time t --null n/a --null -");
    lab.write("w.csv", format!("k,t,x\na,2013-01-01,-\n{}", "a,2013-01-01,1\n".repeat(20)));
    let done = lab.run("import store w.csv --entity k --time t");
    assert!(done.err.contains("; it is the only one among 20 numbers"), "{}", done.err);
}

#[test]
fn bad_rows_that_are_left_out_are_counted_and_listed() {
    let lab =
        lab("k,t,x\na,2013-01-01,1\nb,never,2\nc,2013-01-01\n,2013-01-01,4\nd,2013-01-01,5\n");
    let out = lab.ok("import store v.csv --entity k --time t --skip-bad");
    assert_eq!(
        out,
        "v.csv: 2 rows with 2 records of 1 feature of the view v\n\
         types told from the rows: x i64\n\
         left out 3 bad rows:\n  \
         v.csv, line 3, column t: expected a time (RFC 3339, YYYY-MM-DD[ HH:MM:SS[.ffffff]], or an \
         integer with --time-unit), found \"never\"\n  \
         v.csv, line 4: expected 3 fields as in the header, found 2\n  \
         v.csv, line 5, column k: expected text or an integer, found null\n"
    );
    assert_eq!(lab.records(), 2);
    let done = lab.json("import other v.csv --entity k --time t --skip-bad");
    assert_eq!(done["files"][0]["skipped"], 3);
    assert_eq!(done["files"][0]["bad_rows"][0]["line"], 3);
    assert_eq!(done["files"][0]["bad_rows"][0]["column"], "t");
}

#[test]
fn no_file_is_written_if_a_later_one_is_bad() {
    let lab = Lab::new();
    lab.write("a.csv", "k,t,x\na,2013-01-01,1\n");
    lab.write("b.csv", "k,t,x\na,never,1\n");
    assert_eq!(lab.run("import store a.csv b.csv --entity k --time t").code, 1);
    assert!(!lab.path("store").exists());
}

#[test]
fn a_file_that_was_imported_is_not_imported_again() {
    let lab = lab("k,t,x\na,2013-01-01,1\n");
    let line = "import store v.csv --entity k --time t";
    lab.ok(line);
    let again = "v.csv: already imported, nothing to write (another --source label imports it \
                 again)\n";
    assert_eq!(lab.ok(line), again);
    std::fs::rename(lab.path("v.csv"), lab.path("w.csv")).unwrap();
    assert!(lab.ok("import store w.csv --view v --entity k --time t").contains("already imported"));
    assert_eq!(lab.records(), 1);
    lab.ok("import store w.csv --view v --entity k --time t --source again");
    assert_eq!(lab.records(), 2);
    lab.write("w.csv", "k,t,x\na,2013-01-01,2\n");
    lab.ok("import store w.csv --view v --entity k --time t");
    assert_eq!(lab.records(), 3);
}

#[test]
fn the_standard_input_is_read_like_a_file() {
    let lab = lab("k,t,x\na,2013-01-01,1.5\n");
    let line = "import store - --view v --entity k --time t";
    let done = lab.run_with_input(line, "v.csv");
    assert_eq!(
        done.out,
        "standard input: 1 row with 1 record of 1 feature of the view v\n\
         types told from the rows: x f64\n"
    );
    assert_eq!(value(&lab, "a", "v:x")["value"], json!(1.5));
    assert!(lab.ok("import store v.csv --entity k --time t").contains("already imported"));
}

#[test]
fn known_times_older_than_an_import_without_them_are_warned_of() {
    let lab = lab("k,t,seen,x\na,2013-01-01,2013-01-02,1\n");
    lab.ok("import store v.csv --entity k --time t --features x");
    let done = lab.run("import store v.csv --entity k --time t --known seen");
    assert_eq!(done.code, 0);
    assert!(
        done.err.starts_with("warning: v.csv: 1 row is known before 20")
            && done.err.contains("when an import without --known wrote this view"),
        "{}",
        done.err
    );
    assert_eq!(done.err.lines().count(), 1);
}

#[test]
fn a_column_without_any_value_is_warned_of() {
    let lab = lab("k,t,x,y\na,2013-01-01,1,\n");
    let done = lab.run("import store v.csv --entity k --time t");
    assert_eq!(
        done.err,
        "warning: column y has no value in any row, so v:y becomes text; say --features y:TYPE if \
         it is to be another type\n"
    );
    assert_eq!(value(&lab, "a", "v:y")["status"], "null");
}
