//! Outputs in a place where something would be lost.

use std::collections::BTreeMap;
use std::fs;

use crate::lab::Lab;

/// A store with one value, and a spine.
fn lab() -> Lab {
    let lab = Lab::new();
    lab.ok("define store v:x i64");
    lab.ok("put store a v:x=1 --at 2013-01-01");
    lab.ok("compact store");
    lab.write("spine.csv", "k,t\na,2013-01-02\n");
    lab
}

/// The files of the store and what is in them.
fn files(lab: &Lab) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(lab.path("store")).unwrap().map(|entry| entry.unwrap());
    files
        .map(|file| {
            let name = file.file_name().into_string().unwrap();
            (name, fs::read(file.path()).unwrap())
        })
        .collect()
}

const JOIN: &str = "join store spine.csv --entity k --time t -o";

#[test]
fn an_output_destroys_what_the_command_reads() {
    let lab = lab();
    lab.fails(
        1,
        &format!("{JOIN} spine.csv"),
        "error: cannot write spine.csv: this command reads it, and it would be lost; give the \
         output another name",
    );
    fs::create_dir(lab.path("sub")).unwrap();
    lab.fails(
        1,
        &format!("{JOIN} sub/../spine.csv"),
        "error: cannot write sub/../spine.csv: it is spine.csv, which this command reads, and it \
         would be lost; give the output another name",
    );
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(lab.path("spine.csv"), lab.path("link.csv")).unwrap();
        fs::hard_link(lab.path("spine.csv"), lab.path("hard.csv")).unwrap();
        for name in ["link.csv", "hard.csv"] {
            let done = lab.run(&format!("{JOIN} {name}"));
            assert_eq!(done.code, 1, "{name}");
            assert!(done.err.contains("which this command reads"), "{name}: {}", done.err);
        }
        let done = lab.run_with_input("join store - --entity k --time t -o spine.csv", "spine.csv");
        assert_eq!(
            done.err,
            "error: cannot write spine.csv: it is the standard input, which this command reads, and it \
             would be lost; give the output another name\n"
        );
    }
    assert_eq!(lab.read("spine.csv"), "k,t\na,2013-01-02\n");
}

#[test]
fn an_output_destroys_a_store() {
    let lab = lab();
    lab.ok("define other v:x i64");
    let before = files(&lab);
    let table = before.keys().find(|name| name.starts_with("TABLE-")).unwrap();
    for name in ["CURRENT", "LOCK", table, "new.csv"] {
        for (line, more) in [
            (format!("{JOIN} store/{name}"), " --format csv"),
            (format!("report store -o store/{name}"), ""),
            (format!("report other -o store/{name}"), ""),
        ] {
            lab.fails(
                1,
                &format!("{line}{more}"),
                &format!(
                    "error: cannot write store/{name}: it lies in the store store, which keeps \
                     that directory for its own files; give the output a place elsewhere"
                ),
            );
        }
    }
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(lab.path("store/CURRENT"), lab.path("link.html")).unwrap();
        let done = lab.run("report store -o link.html");
        assert_eq!(done.code, 1, "{}", done.err);
    }
    // What is damaged is worth as much.
    fs::rename(lab.path("store/CURRENT"), lab.path("current")).unwrap();
    assert_eq!(lab.run(&format!("report other -o store/{table}")).code, 1);
    fs::rename(lab.path("current"), lab.path("store/CURRENT")).unwrap();
    assert_eq!(files(&lab), before);
}

#[test]
fn an_output_of_before_cannot_be_written_anew() {
    let lab = lab();
    // Other programs have files that are called so.
    for name in ["out.csv", "CURRENT"] {
        lab.write(name, "something of before");
        lab.ok(&format!("{JOIN} {name} --format csv"));
        assert_eq!(lab.read(name), "k,t,x\na,2013-01-02,1\n");
    }
    lab.ok("report store -o report.html");
    lab.ok("report store -o report.html");
    assert_eq!(lab.ok(&format!("{JOIN} -")), "k,t,x\na,2013-01-02,1\n");
}
