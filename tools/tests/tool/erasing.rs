//! Erasing from the command line, with a certificate and its verifying.

use std::fs;

use serde_json::json;

use crate::lab::Lab;

fn lab() -> Lab {
    let lab = Lab::new();
    lab.ok("define store v:name text");
    for entity in ["zuse", "yoko", "cleo"] {
        lab.ok(&format!("put store {entity} v:name=name-of-{entity} --at 2013-01-01"));
    }
    lab
}

/// Whether bytes stand in any file of the store.
fn stands(lab: &Lab, needle: &str) -> bool {
    let files = fs::read_dir(lab.path("store")).unwrap();
    let mut all = files.map(|entry| fs::read(entry.unwrap().path()).unwrap());
    all.any(|bytes| bytes.windows(needle.len()).any(|window| window == needle.as_bytes()))
}

#[test]
fn a_certified_erase_leaves_bytes_behind() {
    let lab = lab();
    assert!(stands(&lab, "name-of-zuse"));
    lab.write("leavers.txt", "zuse\r\nyoko\n\n");
    let out = lab.ok("erase store --from leavers.txt --certificate out.erased");
    assert!(out.starts_with("erased zuse\nerased yoko\nout.erased: "), "{out}");
    assert!(out.ends_with("; complete\n"), "{out}");
    for gone in ["name-of-zuse", "name-of-yoko", "zuse", "yoko"] {
        assert!(!stands(&lab, gone), "{gone} is still there");
    }
    assert!(stands(&lab, "name-of-cleo"));
    let certificate = lab.read("out.erased");
    assert!(!certificate.contains("zuse") && !certificate.contains("yoko"));
    let out = lab.ok("verify store --erased out.erased");
    assert!(
        out.contains("nothing of 2 entities from before the erase, 0 records from after it"),
        "{out}"
    );
    // New data is told apart, and certifying again takes none of it away.
    lab.ok("put store zuse v:name=another --at 2013-01-02");
    let json = lab.json("verify store --erased out.erased");
    assert_eq!(json["erased"]["clean"], true);
    let out = lab.json("erase store zuse --erased-before --certificate again.erased");
    assert_eq!(out["erased"], json!([{ "entity": "zuse" }]));
    assert_eq!(out["certificate"]["complete"], true);
    assert!(lab.ok("latest store zuse").contains("another"));
    lab.ok("verify store --erased again.erased");
}

#[test]
fn a_certificate_that_does_not_hold_is_passed() {
    let lab = lab();
    lab.ok("compact store");
    let tables: Vec<_> = fs::read_dir(lab.path("store"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().contains("TABLE-"))
        .collect();
    let [table] = tables.as_slice() else { panic!("{tables:?}") };
    let bytes = fs::read(table).unwrap();
    lab.ok("erase store zuse --certificate out.erased");
    fs::write(table, bytes).unwrap();
    let done = lab.run("verify store --erased out.erased");
    let name = table.file_name().unwrap().to_string_lossy().into_owned();
    assert_eq!(done.code, 1);
    assert!(
        done.err.contains(&name) && done.err.contains("rewritten, and it is here"),
        "{}",
        done.err
    );
    fs::remove_file(table).unwrap();
    lab.ok("verify store --erased out.erased");

    let text = lab.read("out.erased");
    lab.write("bad.erased", text.replacen("rewritten", "removed", 1));
    let done = lab.run("verify store --erased bad.erased");
    assert_eq!(done.code, 1);
    assert!(done.err.contains("bad.erased: this certificate is damaged"), "{}", done.err);
    lab.ok("define other v:name text");
    let done = lab.run("verify other --erased out.erased");
    assert_eq!(done.code, 1);
    assert!(done.err.contains("is another store"), "{}", done.err);
    lab.write("strange", "hello");
    let done = lab.run("verify store --erased strange");
    assert!(done.err.contains("this is no erasure certificate"), "{}", done.err);
}

#[test]
fn a_list_of_the_wrong_names_erases_nobody_in_silence() {
    let lab = lab();
    lab.write("leavers.txt", "\u{feff}zuse\nnobody\nzuse\n");
    let done = lab.run("erase store yoko yoko --from leavers.txt");
    assert_eq!(done.code, 0);
    let told = "erased yoko\nerased zuse\nerased nobody: nothing was stored of it\n";
    assert_eq!(done.out, told);
    assert_eq!(done.err, "warning: 1 of 3 had nothing stored: is the list right?\n");
    assert!(lab.ok("latest store zuse").contains("(missing)"));
    let done = lab.run("erase store cleo nobody --json");
    assert_eq!((done.code, done.err.lines().count()), (0, 1), "{}", done.err);
    let told: serde_json::Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!(
        (&told["erased"][0]["entity"], &told["erased"][0]["stored"]),
        (&json!("cleo"), &json!(true))
    );
    assert_eq!(told["erased"][1]["stored"], false);
}

/// Each of them has something that the newest values do not tell of.
#[test]
fn what_is_stored_aside_counts_as_nothing() {
    let lab = lab();
    lab.ok("define store w:x i64 --ttl 1h --history 1d");
    lab.ok("put store expired w:x=1 --at 2013-01-01");
    lab.ok("put store old w:x=1 --at 2013-01-01");
    lab.ok("evolve store w:x text");
    lab.ok("put store null v:name= --at 2013-01-01");
    lab.ok("put store deleted v:name=x --at 2013-01-01");
    lab.ok("delete store deleted v:name --at 2013-01-02");
    let soon = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    lab.ok(&format!("put store ahead v:name=x --at {}", soon.as_micros() + 3_600_000_000));
    lab.ok("erase store expired old null deleted ahead");
}

#[test]
fn a_call_that_cannot_be_is_begun() {
    let lab = lab();
    lab.write("out.erased", "something of mine");
    for (line, code, error) in [
        ("erase store zuse --certificate out.erased", 1, "out.erased is there already"),
        ("erase store zuse --certificate store/out.erased", 1, "lies in the store"),
        ("erase store zuse --erased-before --certificate o", 1, "zuse was never erased"),
        ("erase store zuse --erased-before", 2, "--certificate <OUT>"),
        ("erase store zuse --deadline 1d", 2, "--certificate <OUT>"),
        ("erase store", 2, "<ENTITY>"),
    ] {
        let done = lab.run(line);
        assert_eq!(done.code, code, "{line}: {}", done.err);
        assert!(done.err.contains(error), "{line}: {}", done.err);
    }
    assert_eq!(lab.read("out.erased"), "something of mine");
    assert!(lab.ok("latest store zuse").contains("name-of-zuse"));
}
