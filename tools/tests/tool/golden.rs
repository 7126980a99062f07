//! Help texts and the demo, word for word.

use crate::lab::{Lab, golden};

const COMMANDS: [&str; 21] = [
    "import",
    "put",
    "delete",
    "latest",
    "as-of",
    "history",
    "scan",
    "join",
    "features",
    "define",
    "alter",
    "evolve",
    "retire",
    "erase",
    "revert",
    "stats",
    "report",
    "verify",
    "freshness",
    "compact",
    "demo",
];

#[test]
fn help_says_what_every_command_does_and_shows_examples() {
    let lab = Lab::new();
    golden("help/asofdb.txt", &lab.ok("--help"));
    for command in COMMANDS {
        let help = lab.ok(&format!("{command} --help"));
        assert!(help.contains("Examples:"), "{command} shows no example");
        golden(&format!("help/{command}.txt"), &help);
    }
}

/// The examples with files that are bundled run as they are written.
#[test]
fn an_example_of_a_help_text_fails() {
    let sample = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("sample");
    let lab = Lab::new();
    for name in ["weather.csv", "flights.csv"] {
        lab.write(name, std::fs::read(sample.join(name)).unwrap());
    }
    let mut run = 0;
    for help in ["--help", "import --help", "join --help"] {
        let help = lab.ok(help);
        let (_, examples) = help.split_once("Examples:\n").unwrap();
        for line in examples.replace("\\\n", "").lines() {
            let line = line.trim().strip_prefix("asofdb ").unwrap();
            if !line.contains(" < ") {
                let done = lab.run(line);
                assert_eq!(done.code, 0, "{line}: {}", done.err);
                run += 1;
            }
        }
    }
    assert_eq!(run, 8);
}

#[test]
fn the_demo_prints_the_same_every_time() {
    let lab = Lab::new();
    let out = lab.ok("demo");
    assert!(out.contains("55 of 59 flights would have been trained on a temperature"), "{out}");
    assert!(out.contains("3 of 59 flights would have been trained on the arrival delay"), "{out}");
    golden("demo.txt", &out);
    assert!(lab.path("").read_dir().unwrap().next().is_none(), "the demo leaves nothing behind");
}

#[test]
fn the_demo_keeps_its_files_where_it_is_told_and_only_there() {
    let lab = Lab::new();
    let out = lab.ok("demo kept");
    assert!(out.starts_with("The sample and the store are in kept."), "{out}");
    assert!(lab.read("kept/training.csv").starts_with("tailnum,"));
    lab.fails(1, "demo kept", "error: kept is not empty; the demo wants a new directory");
}

#[test]
fn the_demo_speaks_json_to_machines() {
    let lab = Lab::new();
    for line in lab.ok("demo --json").lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
}
