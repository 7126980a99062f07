//! What a join writes: the spine as it was, and the right cell in every place.

use crate::lab::Lab;

/// A store with one entity that has a number, a text and a null.
fn lab() -> Lab {
    let lab = Lab::new();
    lab.write(
        "v.csv",
        "k,t,n,s\na,2013-01-01,50,\"x,\"\"y\"\"\"\na,2013-01-02,0.1,\na,2013-01-03,,\"\"\n",
    );
    lab.ok("import store v.csv --entity k --time t");
    lab
}

#[test]
fn the_spine_stays_as_it_was_row_for_row_and_quote_for_quote() {
    let lab = lab();
    let spine = [
        "id,k,when,note",
        "007,a,2013-01-03T12:00:00Z,\"two\nlines\"",
        "7,a,2013-01-01,\"\"",
        "1e3,,2013-01-01,",
        "+1,a,,\"NA\"",
        "x,nobody,2013-01-02,\"say \"\"hi\"\"\"",
        "x,a,2013-01-01 23:59:59.999999,5\" pipe",
        "x,a,2012-12-31,plain",
    ];
    lab.write("spine.csv", spine.join("\r\n") + "\r\n");
    lab.ok("join store spine.csv -o out.csv --entity k --time when");
    let cells =
        ["n,s", ",\"\"", "50.0,\"x,\"\"y\"\"\"", ",", ",", ",", "50.0,\"x,\"\"y\"\"\"", ","];
    let expected: String =
        spine.iter().zip(cells).map(|(row, cells)| format!("{row},{cells}\n")).collect();
    assert_eq!(lab.read("out.csv"), expected);
}

#[test]
fn empty_cells_can_be_told_apart() {
    let lab = lab();
    lab.ok("delete store a v:n --at 2013-01-05");
    lab.write(
        "spine.csv",
        "k,t\na,2013-01-01\na,2013-01-03\na,2013-01-04\na,2013-01-05\nb,2013-01-01\n,2013-01-01\n",
    );
    lab.ok("join store spine.csv -o out.csv --entity k --time t --features v:n --max-age 12h \
            --status --times");
    assert_eq!(
        lab.read("out.csv"),
        "k,t,n,n__status,n__event_time\n\
         a,2013-01-01,50.0,value,2013-01-01T00:00:00Z\n\
         a,2013-01-03,,null,2013-01-03T00:00:00Z\n\
         a,2013-01-04,,expired,2013-01-03T00:00:00Z\n\
         a,2013-01-05,,deleted,2013-01-05T00:00:00Z\n\
         b,2013-01-01,,missing,\n\
         ,2013-01-01,,missing,\n"
    );
}

#[test]
fn a_rows_own_time_can_be_excluded() {
    let lab = lab();
    lab.write("spine.csv", "k,t\na,2013-01-02\n");
    let join = "join store spine.csv -o - --entity k --time t --features n";
    assert_eq!(lab.ok(join), "k,t,n\na,2013-01-02,0.1\n");
    assert_eq!(lab.ok(&format!("{join} --before")), "k,t,n\na,2013-01-02,50.0\n");
}

#[test]
fn names_that_would_clash_carry_their_view() {
    let lab = lab();
    lab.ok("define store w:n i64");
    lab.ok("define store w:k i64");
    lab.write("spine.csv", "k,t\na,2013-01-01\n");
    let header = |options: &str| {
        let out = lab.ok(&format!("join store spine.csv -o - --entity k --time t {options}"));
        out.lines().next().unwrap().to_owned()
    };
    assert_eq!(header(""), "k,t,v__n,s,w__k,w__n");
    assert_eq!(header("--features w:n,v:s"), "k,t,n,s");
    assert_eq!(header("--features v:s --full-names"), "k,t,v__s");
    lab.write("spine.csv", "k,t,v__n,n\na,2013-01-01,1,2\n");
    let done = lab.run("join store spine.csv -o - --entity k --time t --features v:n");
    assert_eq!(done.code, 1);
    assert!(done.err.contains("two columns \"v__n\""), "{}", done.err);
}

#[test]
fn what_was_known_at_the_rows_time_leaks_nothing_later() {
    let lab = Lab::new();
    lab.write("v.csv", "k,t,seen,x\na,2013-01-01 10:00:00,2013-01-01 12:00:00,1\n");
    lab.ok("import store v.csv --entity k --time t --known seen");
    lab.write(
        "spine.csv",
        "k,t\na,2013-01-01 11:00:00\na,2013-01-01 12:00:00\na,2013-01-01 12:30:00\n",
    );
    let column = |options: &str| -> Vec<String> {
        let out = lab.ok(&format!("join store spine.csv -o - --entity k --time t {options}"));
        out.lines().skip(1).map(|line| line.rsplit(',').next().unwrap().to_owned()).collect()
    };
    assert_eq!(column(""), ["1", "1", "1"]);
    assert_eq!(column("--known-at row"), ["", "1", "1"]);
    assert_eq!(column("--known-at row-30m"), ["", "", "1"]);
    assert_eq!(column("--known-at '2013-01-01 11:59:59'"), ["", "", ""]);
    assert_eq!(column("--known-at '2013-01-01 12:00:00'"), ["1", "1", "1"]);
    lab.fails(
        2,
        "join store spine.csv -o - --entity k --time t --known-at row-soon",
        "error: --known-at row-soon: a duration is a number and its unit, as 90s, 30m, 2h or 7d",
    );
}

#[test]
fn values_that_all_became_known_at_their_import_are_warned_of() {
    let lab = lab();
    lab.write("spine.csv", "k,t\na,2013-01-01\na,2999-01-01\n");
    let done = lab.run("join store spine.csv -o - --entity k --time t --features n --known-at row");
    assert_eq!(done.code, 0);
    assert_eq!(done.out, "k,t,n\na,2013-01-01,\na,2999-01-01,\n");
    assert!(
        done.err.starts_with(
            "warning: values of the view v were imported without --known, so they all became \
             known at the import (20"
        ) && done.err.ends_with("; 1 row asks what was known before that and cannot see them\n"),
        "{}",
        done.err
    );
}

#[test]
fn unknown_null_tokens_are_not_times() {
    let lab = lab();
    lab.write("spine.csv", "k,t\nNA,2013-01-01\na,NA\na,2013-01-01\n");
    let join = "join store spine.csv -o - --entity k --time t --features n";
    assert_eq!(lab.run(join).code, 1);
    assert_eq!(
        lab.ok(&format!("{join} --null NA")),
        "k,t,n\nNA,2013-01-01,\na,NA,\na,2013-01-01,50.0\n"
    );
}

#[test]
fn standard_input_and_output_are_files_like_others() {
    let lab = lab();
    lab.write("spine.csv", "k,t\na,2013-01-02\n");
    let join = "--entity k --time t --features n";
    let done = lab.run_with_input(&format!("join store - -o - {join}"), "spine.csv");
    assert_eq!(done.out, "k,t,n\na,2013-01-02,0.1\n");
    lab.ok(&format!("join store spine.csv -o out.parquet {join}"));
    let done = lab
        .run_with_input(&format!("join store - -o out.csv --format parquet {join}"), "out.parquet");
    assert_eq!(done.code, 0, "{}", done.err);
    assert_eq!(lab.read("out.csv"), "k,t,n,v__n\na,2013-01-02,0.1,0.1\n");
    let more = "--entity k --time t --features s";
    let done = lab
        .run_with_input(&format!("join store - -o out.csv --format parquet {more}"), "out.parquet");
    assert_eq!(done.code, 0, "{}", done.err);
    assert_eq!(lab.read("out.csv"), "k,t,n,s\na,2013-01-02,0.1,\n");
}

#[test]
fn a_spine_of_many_chunks_keeps_its_order() {
    let lab = lab();
    let spine: String = (0..150_000)
        .map(|i| match i % 3 {
            0 => format!("{i},a,2013-01-01\n"),
            1 => format!("{i},b,2013-01-01\n"),
            _ => format!("{i},a,2013-01-02\n"),
        })
        .collect();
    lab.write("spine.csv", format!("i,k,t\n{spine}"));
    let out = lab.ok("join store spine.csv -o - --entity k --time t --features n");
    let mut rows = 0;
    for (i, line) in out.lines().skip(1).enumerate() {
        let value = ["50.0", "", "0.1"][i % 3];
        assert!(
            line.starts_with(&format!("{i},")) && line.ends_with(&format!(",{value}")),
            "{line}"
        );
        rows += 1;
    }
    assert_eq!(rows, 150_000);
}
