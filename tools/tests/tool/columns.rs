//! CSV to Parquet and back: no value changes, no null becomes a value, no type is lost.

use crate::lab::Lab;

const SPINE: &str = "i,f,b,s,k,t,e\n\
    1,0.1,true,007,a,2013-01-01T00:00:00Z,\n\
    -5,50.0,false,\"\",a,2013-01-02T00:00:00Z,\n\
    ,,,,a,2013-01-03T00:00:00Z,\n\
    9223372036854775807,1e300,true,\"a,\"\"b\"\"\",b,,\n";

fn lab() -> Lab {
    let lab = Lab::new();
    lab.write(
        "v.csv",
        "k,t,vi,vf,vb,vs,vv,vx\n\
         a,2013-01-01,1,0.1,true,\"\",\"[1.0, 2.5]\",00ff\n\
         a,2013-01-03,,,,,,\n",
    );
    lab.ok("import store v.csv --entity k --time t --features \
            'vi,vf:f32,vb,vs,vv:vector(2),vx:bytes'");
    lab.write("spine.csv", SPINE);
    lab
}

#[test]
fn every_cell_survives_the_way_to_parquet_and_back() {
    let lab = lab();
    let join = "--entity k --time t --status --times";
    lab.ok(&format!("join store spine.csv -o direct.csv {join}"));
    lab.ok(&format!("join store spine.csv -o there.parquet {join}"));
    // A join that adds one feature more writes all columns as they came from Parquet.
    lab.ok("define store w:z i64");
    lab.ok("join store there.parquet -o back.csv --entity k --time t --features w:z");
    let direct: String = lab
        .read("direct.csv")
        .lines()
        .enumerate()
        .map(|(i, line)| format!("{line}{}\n", if i == 0 { ",z" } else { "," }))
        .collect();
    assert_eq!(lab.read("back.csv"), direct);
    let header = direct.lines().next().unwrap();
    assert!(header.starts_with("i,f,b,s,k,t,e,vb,vb__status,vb__event_time,vf,"), "{header}");
    let first = direct.lines().nth(1).unwrap();
    assert!(first.contains(",0.1,value,") && first.contains(",00ff,value,"), "{first}");
    assert!(first.contains(",\"[1.0, 2.5]\",value,2013-01-01T00:00:00Z"), "{first}");
}

#[test]
fn an_import_of_parquet_gives_the_types_of_its_columns() {
    let lab = lab();
    lab.ok("join store spine.csv -o there.parquet --entity k --time t --times");
    lab.ok("define store w:z i64");
    lab.ok("join store there.parquet -o again.parquet --entity k --time t --features w:z");
    lab.write("warnings", "");
    let done = lab.run("import other again.parquet --view p --entity k --time t --skip-bad");
    assert_eq!(done.code, 0, "{}", done.err);
    assert!(
        done.out.contains("row 4, column t: expected a time") && done.out.contains("found null"),
        "{}",
        done.out
    );
    let list = lab.json("features other");
    let type_of = |name: &str| {
        let mut all = list.as_array().unwrap().iter();
        all.find(|feature| feature["name"] == format!("p:{name}")).unwrap()["type"].clone()
    };
    assert_eq!(type_of("i"), "i64");
    assert_eq!(type_of("f"), "f64");
    assert_eq!(type_of("b"), "bool");
    assert_eq!(type_of("s"), "text");
    assert_eq!(type_of("vf"), "f32");
    assert_eq!(type_of("vv"), "vector(2)");
    assert_eq!(type_of("vx"), "bytes");
    assert_eq!(type_of("vi__event_time"), "text");
    let row = lab.json("as-of other 2013-01-02 a");
    assert_eq!(row["features"]["p:s"]["value"], "");
    assert_eq!(row["features"]["p:f"]["value"], 50.0);
    assert_eq!(row["features"]["p:vx"]["value"], "00ff");
    let row = lab.json("as-of other 2013-01-03 a");
    assert_eq!(row["features"]["p:i"]["status"], "null");
    let parquet = lab.run("import csv there.parquet --view p --entity k --time t --features i");
    assert_eq!(parquet.code, 1);
    assert!(parquet.err.contains("there.parquet, row 4, column t: expected a time"), "{parquet:?}");
}

#[test]
fn the_form_of_a_file_comes_from_its_name_or_from_the_option() {
    let lab = lab();
    std::fs::rename(lab.path("spine.csv"), lab.path("spine.dat")).unwrap();
    lab.ok("join store spine.dat -o out.dat --format csv --entity k --time t --features vi");
    assert!(lab.read("out.dat").starts_with("i,f,b,s,k,t,e,vi\n"));
    lab.ok("join store spine.dat -o out.pq --format csv --entity k --time t --features vi");
    assert_eq!(&std::fs::read(lab.path("out.pq")).unwrap()[..4], b"PAR1");
}
