//! Bad input: each with its error, its exit code, and nothing done.

use crate::lab::Lab;

const GOOD: &str = "k,t,x\na,2013-01-01,1.5\nb,2013-01-02,2.5\n";
const IMPORT: &str = "import store v.csv --entity k --time t";

fn lab(content: &str) -> Lab {
    let lab = Lab::new();
    lab.write("v.csv", content);
    lab
}

#[track_caller]
fn refused(content: &str, options: &str, error: &str) {
    let lab = lab(content);
    lab.fails(1, &format!("{IMPORT} {options}"), error);
    assert!(!lab.path("store").exists(), "a refused import makes no store");
}

#[test]
fn a_bad_row_stops_the_import_before_anything_is_written() {
    let hint = "; mend the row, or leave such rows out with --skip-bad";
    let time = "a time (RFC 3339, YYYY-MM-DD[ HH:MM:SS[.ffffff]], or an integer with --time-unit)";
    refused(
        "k,t,x\na,2013-01-01,1\nb,yesterday,2\n",
        "",
        &format!("error: v.csv, line 3, column t: expected {time}, found \"yesterday\"{hint}"),
    );
    refused(
        "k,t,x\na,,1\n",
        "",
        &format!("error: v.csv, line 2, column t: expected {time}, found null{hint}"),
    );
    refused(
        "k,t,x\n,2013-01-01,1\n",
        "",
        &format!("error: v.csv, line 2, column k: expected text or an integer, found null{hint}"),
    );
    refused(
        "k,t,x\na,2013-01-01,1\na,2013-01-01\n",
        "",
        &format!("error: v.csv, line 3: expected 3 fields as in the header, found 2{hint}"),
    );
    refused(
        "k,t,x\na,2013-01-01,\"1\n",
        "",
        &format!("error: v.csv, line 2: expected a closing quote before the end of the file{hint}"),
    );
    refused(
        "k,t,x\na,2013-01-01,abc\n",
        "--features x:f64",
        &format!("error: v.csv, line 2, column x: expected f64, found \"abc\"{hint}"),
    );
    refused(
        "k,t,x\na,2013-01-01,\"\"\n",
        "--features x:f64",
        &format!("error: v.csv, line 2, column x: expected f64, found an empty text{hint}"),
    );
    refused(
        "k,t,known,x\na,2013-01-01,2999-01-01,1\n",
        "--known known",
        &format!(
            "error: v.csv, line 2, column known: expected a known time that is not ahead of the \
             clock, found \"2999-01-01\"{hint}"
        ),
    );
}

#[test]
fn bytes_that_are_no_text_are_told() {
    let lab = Lab::new();
    lab.write("v.csv", b"k,t,x\na,2013-01-01,\xff\xfe\n");
    lab.fails(
        1,
        IMPORT,
        "error: v.csv, line 2, column x: expected text in UTF-8, found bytes that are not UTF-8 \
         (\"0xfffe\"); mend the row, or leave such rows out with --skip-bad",
    );
}

#[test]
fn a_number_out_of_range_is_taken_as_infinite() {
    let hint = "; mend the row, or leave such rows out with --skip-bad";
    for (number, value_type) in
        [("1e400", "f64"), ("-1e39", "f32"), ("99999999999999999999", "i64")]
    {
        let error = format!(
            "error: v.csv, line 3, column x: expected {value_type}, found \"{number}\"{hint}"
        );
        let content = format!("k,t,x\na,2013-01-01,1\na,2013-01-02,{number}\n");
        refused(&content, &format!("--features x:{value_type}"), &error);
    }
    let lab = lab("k,t,x\na,2013-01-01,inf\na,2013-01-02,1.5\n");
    lab.ok(IMPORT);
    assert!(lab.ok("as-of store 2013-01-01 a").contains("inf"));
    let error = "error: \"1e400\" is no value of v:x: expected f64";
    lab.fails(2, "put store a v:x=1e400 --at now", error);
    lab.ok("put store a v:x=-inf --at now");
    // Where no type is said, a number that no float holds is a text.
    lab.write("w.csv", "k,t,x\na,2013-01-01,1e400\n");
    lab.ok("import store w.csv --entity k --time t");
    assert!(lab.ok("latest store a w:x").contains("1e400"));
}

#[test]
fn times_in_a_wrong_unit_are_refused_with_the_likely_one() {
    refused(
        "k,t,x\na,1380000000,1\nb,1380000100,1\n",
        "",
        "error: v.csv, column t: the integers 1380000000 to 1380000100 taken as microseconds all \
         lie within 1970; they look like seconds: say --time-unit s",
    );
    refused(
        "k,t,x\na,1380000000000,1\n",
        "",
        "error: v.csv, column t: the integers 1380000000000 to 1380000000000 taken as \
         microseconds all lie within 1970; they look like milliseconds: say --time-unit ms",
    );
    refused(
        "k,t,x\na,20130131,1\n",
        "--time-unit s",
        "error: v.csv, column t: the integers 20130131 to 20130131 taken as seconds all lie \
         within 1970; no unit puts them later; write times as dates, such as 2013-01-31",
    );
    refused(
        "k,t,x\na,1380000000000000000,1\n",
        "",
        "error: v.csv, line 2, column t: expected a time at most a day ahead of the clock (it \
         looks like nanoseconds: say --time-unit ns), found \"1380000000000000000\"; mend the \
         row, or leave such rows out with --skip-bad",
    );
    let lab = lab("k,t,x\na,1380000000,1\n");
    lab.ok(&format!("{IMPORT} --time-unit s"));
    assert!(lab.ok("latest store a x --times").contains("2013-09-24T05:20:00Z"));
    lab.write("spine.csv", "k,t\na,1380000001\n");
    lab.fails(
        1,
        "join store spine.csv -o out.csv --entity k --time t",
        "error: spine.csv, column t: the integers 1380000001 to 1380000001 taken as microseconds \
         all lie within 1970; they look like seconds: say --time-unit s",
    );
    assert!(!lab.path("out.csv").exists());
    lab.fails(
        2,
        "as-of store 1380000001 a",
        "error: 1380000001 microseconds after 1970 began is 1970-01-01T00:23:00.000001Z; it looks \
         like seconds: say --time-unit s",
    );
}

#[test]
fn columns_and_files_that_are_not_there_are_named() {
    refused(GOOD, "--known seen", "error: v.csv has no column \"seen\"; its columns are k, t, x");
    refused(
        GOOD,
        "--features y",
        "error: v.csv has no column \"y\", which --features names; its columns are k, t, x",
    );
    refused(
        "k,t\na,2013-01-01\n",
        "",
        "error: v.csv has no column to import beside the entity and the times; its columns are k, t",
    );
    refused(
        GOOD,
        "--features x,y",
        "error: no file has a column or feature \"y\", which --features names",
    );
    refused("", "", "error: v.csv is empty: expected a header line with the columns' names");
    refused(
        "k,t,x,x\na,2013-01-01,1,2\n",
        "",
        "error: v.csv has more than one column \"x\"; give them different names",
    );
    let lab = lab(GOOD);
    lab.fails(
        1,
        "import store w.csv --entity k --time t",
        "error: cannot open w.csv: No such file or directory (os error 2)",
    );
    lab.write("w.parquet", "no Parquet");
    let done = lab.run("import store w.parquet --entity k --time t");
    assert!(done.err.starts_with("error: w.parquet cannot be read as Parquet: "), "{}", done.err);
    assert_eq!(done.code, 1);
}

#[test]
fn a_definition_that_conflicts_with_the_stores_names_both() {
    let lab = lab(GOOD);
    lab.ok(&format!("{IMPORT} --ttl 2h"));
    lab.write("w.csv", "k,t,x\na,2013-02-01,abc\n");
    let again = "import store w.csv --view v --entity k --time t";
    lab.fails(
        1,
        again,
        "error: w.csv, line 2, column x: expected f64, as v:x is defined in the store, found \
         \"abc\"; mend the row, or leave such rows out with --skip-bad",
    );
    lab.fails(
        1,
        &format!("{again} --features x:text"),
        "error: v:x is defined as f64, and --features says text; leave the type out, or give the \
         feature the new type with `asofdb evolve`",
    );
    lab.write("w.csv", "k,t,x\na,2013-02-01,3\n");
    lab.fails(
        1,
        &format!("{again} --ttl 3h"),
        "error: v:x is defined with ttl 2h, and this import says --ttl 3h; leave the option out, \
         or change the definition with `asofdb alter`",
    );
    lab.ok(again);
    assert_eq!(lab.json("latest store a")["features"]["v:x"]["status"], "expired");
    assert!(lab.ok("as-of store 2013-02-01 a").contains("3.0"));
}

/// A column that no feature can be called after stands behind one that could be defined.
#[test]
fn an_import_that_cannot_be_ended_defines_features() {
    refused(
        "k,t,x,y@1\na,2013-01-01,1.5,2\n",
        "",
        "error: \"v:y@1\" is no feature name: it has 1 to 255 bytes of UTF-8 and no '@' or control \
         character",
    );
    let lab = lab(GOOD);
    lab.fails(
        2,
        &format!("{IMPORT} --source ''"),
        "error: --source takes 1 to 255 bytes, and this has 0",
    );
    assert!(!lab.path("store").exists());
}

/// Marks of progress carry the view in their names, which have room for less than a feature's.
#[test]
fn a_view_that_features_can_have_is_too_long_for_an_import() {
    let lab = lab(GOOD);
    lab.ok(&format!("{IMPORT} --view {}", "w".repeat(250)));
}

#[test]
fn wrong_calls_exit_with_two() {
    let lab = lab(GOOD);
    lab.ok(IMPORT);
    lab.fails(
        2,
        "as-of store yesterday a",
        "error: \"yesterday\" is no time: expected now, or a time (RFC 3339, YYYY-MM-DD[ \
         HH:MM:SS[.ffffff]], or an integer with --time-unit)",
    );
    lab.fails(
        2,
        "put store a v:x --at now",
        "error: \"v:x\" is no FEATURE=VALUE: it has no = in it",
    );
    lab.fails(2, "put store a v:x=abc --at now", "error: \"abc\" is no value of v:x: expected f64");
    lab.fails(
        2,
        "import store v.dat --entity k --time t",
        "error: v.dat ends neither in .csv nor in .parquet: say which it is with --format",
    );
    lab.fails(
        2,
        "import store - --entity k --time t",
        "error: standard input has no name to take the view's from: say --view NAME",
    );
    lab.fails(
        2,
        "import store v.csv --entity k --time t --features x:f65",
        "error: \"f65\" in --features x:f65 is no type: the types are bool, i64, f32, f64, text, \
         bytes and vector(N)",
    );
    lab.fails(
        2,
        "import store v.csv --entity k --time t --long x",
        "error: --long takes two columns, the feature's name and the value: --long metric,reading",
    );
    for line in [
        "",
        "nonsense",
        "import store v.csv --entity k",
        "import store v.csv --entity k --time t --ttl 5",
        "define store v:y f65",
        "alter store v:x",
        "join store v.csv --entity k --time t",
        "put store a v:x=1",
    ] {
        let done = lab.run(line);
        assert_eq!(done.code, 2, "{line}: {}", done.err);
        assert!(!done.err.is_empty(), "{line}");
    }
}

#[test]
fn what_is_no_store_is_said_to_be_none_and_not_made_one() {
    let lab = lab(GOOD);
    for line in [
        "latest v e",
        "as-of v 2013-01-01 e",
        "scan v",
        "features v",
        "stats v",
        "put v e x=1 --at now",
        "erase v e",
        "compact v",
        "join v v.csv -o o.csv --entity k --time t",
    ] {
        let done = lab.run(line);
        assert_eq!(done.code, 1, "{line}: {}", done.err);
        assert!(done.err.contains("v is not an asofdb store"), "{line}: {}", done.err);
        assert!(!lab.path("v").exists(), "{line} made a store");
    }
}

#[test]
fn a_name_that_is_not_there_is_told_with_the_near_ones() {
    let lab = lab(GOOD);
    lab.ok(IMPORT);
    let done = lab.run("latest store a v:xx");
    assert_eq!(done.code, 1);
    assert_eq!(done.err, "error: there is no feature \"v:xx\"; did you mean \"v:x\"?\n");
}

#[test]
fn a_time_below_the_horizon_is_an_error_that_names_it() {
    let lab = lab(GOOD);
    lab.ok("define store h:x f64 --history 1d");
    lab.ok("put store a h:x=1 --at now");
    let done = lab.run("as-of store 2013-01-01 a h:x");
    assert_eq!(done.code, 1);
    assert!(done.err.starts_with("error: h:x keeps no history before 20"), "{}", done.err);
    assert!(done.err.contains("this asks about 2013-01-01T00:00:00Z"), "{}", done.err);
    let done = lab.run("join store v.csv -o out.csv --entity k --time t --features h:x");
    assert_eq!(done.code, 1);
    assert!(!lab.path("out.csv").exists(), "a failed join leaves no half file");
    lab.write("h.csv", "k,t,x\na,2013-01-01,1\n");
    let done = lab.run("import store h.csv --entity k --time t");
    assert_eq!(done.code, 0);
    assert!(
        done.err.starts_with("warning: h.csv: 1 row is older than the history that is kept"),
        "{}",
        done.err
    );
}

#[test]
fn a_failed_join_keeps_the_file_that_was_there() {
    let lab = lab(GOOD);
    lab.ok(IMPORT);
    lab.write("out.csv", "precious");
    lab.write("spine.csv", "k,t\na,2013-01-05\na,never\n");
    lab.fails(
        1,
        "join store spine.csv -o out.csv --entity k --time t",
        "error: spine.csv, line 3, column t: expected a time (RFC 3339, YYYY-MM-DD[ \
         HH:MM:SS[.ffffff]], or an integer with --time-unit), found \"never\"; mend the row",
    );
    assert_eq!(lab.read("out.csv"), "precious");
}
