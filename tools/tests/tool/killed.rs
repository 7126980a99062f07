//! An import that is killed: run again it goes on where it stopped, and writes no row twice.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::lab::Lab;

const ROWS: u64 = 150_000;

fn bytes_in(dir: &Path) -> u64 {
    let Ok(entries) = dir.read_dir() else { return 0 };
    entries.flatten().filter_map(|entry| entry.metadata().ok()).map(|file| file.len()).sum()
}

#[test]
fn no_row_is_lost_or_written_twice_however_often_the_import_is_killed() {
    let lab = Lab::new();
    let rows: String = (0..ROWS)
        .map(|i| format!("e{},2013-01-01 00:00:{:02},{i},{}\n", i % 5_000, i / 5_000 % 60, i % 7))
        .collect();
    lab.write("v.csv", format!("k,t,x,y\n{rows}"));
    let import = "import store v.csv --entity k --time t";
    let mut kills = 0;
    let mut seen = 0;
    while kills < 3 {
        let mut child = lab.command(import).stdout(std::process::Stdio::null()).spawn().unwrap();
        let begun = Instant::now();
        let finished = loop {
            if child.try_wait().unwrap().is_some() {
                break true;
            }
            let grown = bytes_in(&lab.path("store")) > seen + 300_000;
            if grown || begun.elapsed() > Duration::from_secs(120) {
                child.kill().unwrap();
                child.wait().unwrap();
                break false;
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        seen = bytes_in(&lab.path("store"));
        if finished {
            break;
        }
        kills += 1;
    }
    assert!(kills > 0, "the import was over before it could be killed");
    let last = lab.json(import);
    let file = &last["files"][0];
    if file["already_imported"] == false {
        let before = file["rows_before"].as_u64().unwrap();
        assert!(before > 0, "nothing had been written when it was killed");
        assert_eq!(before + file["rows"].as_u64().unwrap(), ROWS);
    }
    assert_eq!(lab.records(), 2 * ROWS);

    lab.ok("import whole v.csv --view v --entity k --time t");
    let values = |store: &str| -> Vec<String> {
        let scan = lab.ok(&format!("scan {store}"));
        let mut lines: Vec<String> = scan
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        lines.sort();
        lines
    };
    assert_eq!(values("store"), values("whole"));
}
