//! What lints cannot say of the sources: every file begins with what it is, files stay short, unsafe stays in its
//! module, floors name only what stands below them, and nothing is left lying about.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// All Rust files below a folder.
fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            found.push(path);
        }
    }
}

fn sources() -> Vec<(PathBuf, String)> {
    let mut paths = Vec::new();
    for folder in ["format", "engine", "tools", "tests", "benches", "fuzz"] {
        rust_files(&root().join(folder), &mut paths);
    }
    assert!(paths.len() > 50, "the sources were not found");
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

fn fail_if_any(what: &str, faults: &[String]) {
    assert!(faults.is_empty(), "{what}:\n{}", faults.join("\n"));
}

#[test]
fn a_file_does_not_say_what_it_is() {
    let faults: Vec<String> = sources()
        .iter()
        .filter(|(_, text)| !text.starts_with("//!") && !text.starts_with("#!["))
        .map(|(path, _)| path.display().to_string())
        .collect();
    fail_if_any("these do not begin with //!", &faults);
}

#[test]
fn a_file_grows_past_one_idea() {
    let faults: Vec<String> = sources()
        .iter()
        .filter(|(_, text)| text.lines().count() > 700)
        .map(|(path, text)| format!("{}: {} lines", path.display(), text.lines().count()))
        .collect();
    fail_if_any("more than 700 lines", &faults);
}

#[test]
fn unsafe_leaves_its_module() {
    let word = concat!("uns", "afe ");
    let allowed = [
        "engine/src/read/lanes.rs",
        "engine/src/world/map.rs",
        "engine/src/world/large_pages.rs",
        "benches/src/peers/lmdb/raw.rs",
        "format/tests/table/doors.rs",
        "fuzz/src/lanes.rs",
    ];
    let faults: Vec<String> = sources()
        .iter()
        .filter(|(path, _)| !allowed.iter().any(|allowed| path.ends_with(allowed)))
        .flat_map(|(path, text)| {
            let lines = text.lines().enumerate();
            let code = lines.filter(|(_, line)| {
                let code = line.split("//").next().unwrap_or_default();
                code.contains(&format!("{word}{{"))
                    || code.contains(&format!("{word}impl"))
                    || code.contains(&format!("{word}fn"))
            });
            code.map(|(at, _)| format!("{}:{}", path.display(), at + 1)).collect::<Vec<_>>()
        })
        .collect();
    fail_if_any("unsafe outside of its module", &faults);
}

#[test]
fn something_is_left_lying_about() {
    let left = [
        concat!("to", "do!("),
        concat!("unimplemen", "ted!("),
        concat!("FIX", "ME"),
        concat!("TO", "DO"),
        concat!("db", "g!("),
    ];
    let faults: Vec<String> = sources()
        .iter()
        .flat_map(|(path, text)| {
            let lines = text.lines().enumerate();
            let bad = lines.filter(|(_, line)| left.iter().any(|word| line.contains(word)));
            bad.map(|(at, _)| format!("{}:{}", path.display(), at + 1)).collect::<Vec<_>>()
        })
        .collect();
    fail_if_any("left lying about", &faults);
}

/// The last part of each line of BUGS.md's tables is the test, or what `tests/mutate` breaks.
#[test]
fn a_bug_is_told_to_have_a_test_that_there_is_not() {
    let told = std::fs::read_to_string(root().join("tests/BUGS.md")).unwrap();
    let told = told.split("## Without a test").next().unwrap();
    let mutations = std::fs::read_to_string(root().join("tests/mutate")).unwrap();
    let sources = sources();
    let is_there = |named: &&str| match named.split_once("::") {
        Some((file, test)) => sources.iter().any(|(path, text)| {
            path.with_extension("").ends_with(file) && text.contains(&format!("fn {test}("))
        }),
        None => named.starts_with("fuzz/seeds/") && root().join(named).is_file(),
    };
    let is_row = |line: &&str| {
        line.starts_with("| ") && !line.starts_with("| what") && !line.starts_with("| ---")
    };
    let rows: Vec<&str> = told.lines().filter(is_row).collect();
    assert!(rows.len() > 100, "only {} bugs were found in the list", rows.len());
    let has_none = |row: &&&str| {
        let test = row.trim_end_matches(" |").rsplit(" | ").next().unwrap_or_default();
        let (named, mutation) = test.split_once("`tests/mutate`: ").unwrap_or((test, ""));
        let names: Vec<&str> = named.split('`').skip(1).step_by(2).collect();
        let is_broken = !mutation.is_empty() && mutations.contains(&format!("(\"{mutation}\""));
        !(names.iter().all(is_there) && (is_broken || mutation.is_empty() && !names.is_empty()))
    };
    let faults: Vec<String> = rows.iter().filter(has_none).map(|row| (*row).to_owned()).collect();
    fail_if_any("a test is named that is not there", &faults);
}

/// The floors of the engine from the ground up; who stands on one names only what stands below it, or beside it.
const FLOORS: [&str; 8] = ["types", "world", "metrics", "files", "state", "shape", "write", "read"];

/// What a floor may name although it stands above: the options hold the world they are to use.
const EXCEPTIONS: [(&str, &str); 1] = [("types/options.rs", "world")];

#[test]
fn a_floor_names_what_stands_above_it() {
    let engine = root().join("engine/src");
    let mut faults = Vec::new();
    for (height, floor) in FLOORS.iter().enumerate() {
        let mut paths = Vec::new();
        rust_files(&engine.join(floor), &mut paths);
        for path in paths {
            let text = std::fs::read_to_string(&path).unwrap();
            let mut above = FLOORS.iter().skip(height + 1).copied().collect::<Vec<_>>();
            above.extend(["store", "open", "stats", "freshness", "inspect"]);
            for name in above {
                let named = format!("crate::{name}::");
                let excepted =
                    EXCEPTIONS.iter().any(|(file, floor)| path.ends_with(file) && *floor == name);
                if text.contains(&named) && !excepted {
                    faults.push(format!("{} names {named}", path.display()));
                }
            }
        }
    }
    fail_if_any("a floor names what stands above it", &faults);
}
