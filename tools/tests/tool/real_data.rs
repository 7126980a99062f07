//! Real events with joins that independent tools agree on; skipped where the data is not present.

use std::path::{Path, PathBuf};

use crate::lab::Lab;

fn data() -> Option<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors()
        .map(|dir| dir.join("shared/data"))
        .find(|dir| dir.join("weather/features.csv").is_file())
}

fn rows(text: &str) -> Vec<Vec<&str>> {
    text.lines().map(|line| line.split(',').collect()).collect()
}

/// Counts the cells in which a join differs from what is expected.
#[track_caller]
fn same(lab: &Lab, set: &Path, features: &str, options: &str, expected: &str) {
    let spine = set.join("spine.csv");
    lab.ok(&format!(
        "join store {} -o out.csv --entity entity --time t --features {features} --times {options}",
        spine.display()
    ));
    let expected_text = std::fs::read_to_string(set.join(expected)).unwrap();
    let found_text = lab.read("out.csv");
    let (found, expected_rows) = (rows(&found_text), rows(&expected_text));
    assert_eq!(found.len(), expected_rows.len());
    let place = |name: &str| found[0].iter().position(|column| *column == name).unwrap();
    let (mut cells, mut differing) = (0, 0);
    for (column, name) in expected_rows[0].iter().enumerate() {
        let columns: Vec<usize> = match *name {
            "matched" => vec![place(&format!("{}__event_time", expected_rows[0][0]))],
            name => vec![place(name)],
        };
        for (found, expected) in found.iter().zip(&expected_rows).skip(1) {
            for &place in &columns {
                // An expired cell tells when its version became true; the expected join found none.
                let expired = *name == "matched" && expected[column].is_empty();
                cells += 1;
                differing += u32::from(found[place] != expected[column] && !expired);
            }
        }
    }
    assert!(cells > 80_000 || set.ends_with("weather"));
    assert_eq!(differing, 0, "{differing} of {cells} cells of {expected} with {options}");
}

const WEATHER: &str = "weather:temp,weather:dewp,weather:humid,weather:wind_dir,\
    weather:wind_speed,weather:wind_gust,weather:precip,weather:pressure,weather:visib";
const PLANES: &str = "planes:carrier,planes:flight,planes:origin,planes:dest,planes:distance,\
    planes:dep_delay,planes:arr_delay,planes:air_time";

#[test]
fn no_cell_of_the_real_joins_differs() {
    let Some(data) = data() else { return };
    let lab = Lab::new();
    let (weather, planes) = (data.join("weather"), data.join("planes"));
    let import = |set: &Path, view: &str, options: &str| {
        let file = set.join("features.csv");
        lab.ok(&format!(
            "import store {} --view {view} --entity entity --time event_time {options}",
            file.display()
        ));
    };
    import(&weather, "weather", "");
    import(&planes, "planes", "--known created_time");
    let check = || {
        same(&lab, &weather, WEATHER, "", "expected-no-ttl.csv");
        same(&lab, &weather, WEATHER, "--max-age 2h", "expected-ttl-2h.csv");
        same(&lab, &planes, PLANES, "", "expected-no-ttl.csv");
        same(&lab, &planes, PLANES, "--max-age 1d", "expected-ttl-1d.csv");
        same(&lab, &planes, PLANES, "--known-at row", "expected-known-at-row.csv");
    };
    check();
    lab.ok("compact store");
    check();
    for feature in WEATHER.split(',') {
        lab.ok(&format!("alter store {feature} --ttl 2h"));
    }
    same(&lab, &weather, WEATHER, "", "expected-ttl-2h.csv");
    lab.ok("compact store");
    same(&lab, &weather, WEATHER, "", "expected-ttl-2h.csv");
}
