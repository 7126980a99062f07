//! Errors that do not tell what to do next, or tell the wrong thing.

use std::fs;

use crate::lab::Lab;

fn lab() -> Lab {
    let lab = Lab::new();
    lab.write("v.csv", "k,t,x\na,2013-01-01,1\n");
    lab.ok("import store v.csv --entity k --time t");
    lab
}

#[test]
fn a_misspelt_option_is_told_without_what_it_may_be() {
    let lab = lab();
    let import = "import new v.csv --entity k --time t";
    let join = "join store v.csv -o out.csv --entity k --time t";
    for (code, line, error) in [
        (
            1,
            format!("{import} --features spnd"),
            "v.csv has no column \"spnd\", which --features names; its columns are k, t, x",
        ),
        (
            1,
            format!("{import} --features spnd,y"),
            "v.csv has none of the columns \"spnd\", \"y\", which --features names; its columns \
             are k, t, x",
        ),
        (
            2,
            format!("{import} --features x,t"),
            "--features names \"t\", which is the column of --time and no feature; leave it out \
             of --features",
        ),
        (
            2,
            format!("{import} --features k"),
            "--features names \"k\", which is the column of --entity and no feature; leave it out \
             of --features",
        ),
        (
            2,
            format!("{import} --view ''"),
            "--view takes a name, and this one is empty; leave it out to name the view after each \
             file",
        ),
        (2, format!("{join} --features v:x,x"), "--features names v:x twice; name it once"),
        (
            2,
            format!("{join} --known-at rows"),
            "--known-at \"rows\" is no time: expected row, row-DUR as row-1h, now, or a time (RFC \
             3339, YYYY-MM-DD[ HH:MM:SS[.ffffff]], or an integer with --time-unit)",
        ),
    ] {
        lab.fails(code, &line, &format!("error: {error}"));
        assert!(!lab.path("new").exists() && !lab.path("out.csv").exists(), "{line}");
    }
    for line in
        ["history store a v:x --last -1", "history store a v:x --last x", "scan store --limit x"]
    {
        let done = lab.run(line);
        assert_eq!(done.code, 2, "{line}");
        assert!(done.err.contains("expected a whole number from 0 on"), "{line}: {}", done.err);
    }
}

#[test]
fn a_file_that_is_none_of_a_store_is_called_damaged() {
    let lab = lab();
    lab.fails(
        1,
        "dump nothing",
        "error: cannot open nothing: No such file or directory (os error 2)",
    );
    lab.write("empty", "");
    for name in ["v.csv", "empty", "store/LOCK"] {
        lab.fails(
            1,
            &format!("dump {name}"),
            &format!(
                "error: {name} is not an asofdb file: it does not begin as one; name a store, or \
                 a manifest, log or table of one"
            ),
        );
    }
    lab.ok("dump store/CURRENT");
    fs::copy(lab.path("store/CURRENT"), lab.path("copy")).unwrap();
    lab.ok("dump copy");
    lab.write("TABLE-000001", "what was a table once");
    let done = lab.run("dump TABLE-000001");
    assert!(done.err.contains("TABLE-000001 is damaged at byte 0"), "{}", done.err);
}

#[test]
fn who_verifies_is_told_to_verify() {
    let lab = lab();
    lab.ok("compact store");
    let tables = fs::read_dir(lab.path("store")).unwrap().map(|entry| entry.unwrap().path());
    let table = tables
        .into_iter()
        .find(|path| path.file_name().unwrap().to_string_lossy().starts_with("TABLE-"))
        .unwrap();
    let mut bytes = fs::read(&table).unwrap();
    bytes[70] ^= 1;
    fs::write(&table, bytes).unwrap();
    for line in ["verify store", "verify store --json"] {
        let done = lab.run(line);
        assert_eq!(done.code, 1);
        assert!(done.out.contains(" is damaged at byte "), "{}", done.out);
        assert!(!done.out.contains("asofdb verify"), "{}", done.out);
        assert!(done.err.ends_with("restore what is named from a copy\n"), "{}", done.err);
    }
}

#[test]
fn a_second_writer_is_not_told_who_is_the_first() {
    let lab = lab();
    let holder = fs::File::open(lab.path("store/LOCK")).unwrap();
    holder.try_lock().unwrap();
    let done = lab.run("put store a v:x=2 --at now");
    assert_eq!(done.code, 1);
    let told = "store/LOCK` tells which), or wait for it; commands that only read, such as latest, \
                as-of, scan and join, work meanwhile";
    for part in ["store is in use by another writer: end the process that holds /", told] {
        assert!(done.err.contains(part), "{}", done.err);
    }
    lab.ok("latest store a");
}
