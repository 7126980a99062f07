"""Point-in-time joins by DuckDB, Polars and pandas, and sizes of Parquet files, over the data of
the runner.

    cargo run --release -p asofdb-benches -- peers --export target/offline
    python3 -m venv target/offline-venv
    target/offline-venv/bin/pip install -r benches/offline/requirements.txt
    target/offline-venv/bin/python benches/offline/joins.py target/offline [--weather FOLDER]

Each tool runs in a process of its own and starts from tables in its own memory; what it answers is
compared cell by cell with the runner's answers. Times are the best of three.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import time

import numpy as np

TOOLS = ["polars", "polars-sorted", "duckdb", "pandas"]
ROUNDS = 3
WEATHER_ROWS = 3_000_000


def about(folder):
    with open(os.path.join(folder, "about.csv")) as file:
        return {row["set"]: {k: int(v) for k, v in row.items() if k != "set"} for row in csv.DictReader(file)}


def load(folder, name, shape):
    """Times and values by entity, feature, version; the spine; the right answers."""
    read = lambda what, kind: np.fromfile(os.path.join(folder, f"{name}_{what}.bin"), dtype=kind)
    dims = (shape["entities"], shape["features"], shape["versions"])
    times, values = read("times", "<i8").reshape(dims), read("values", "<f8").reshape(dims)
    entities, moments = read("spine_entities", "<i8"), read("spine_times", "<i8")
    answers = read("answers", "<f8").reshape((shape["rows"], shape["features"]))
    return times, values, entities, moments, answers


def tables(times, values, shared):
    """What a tool gets: one table for each feature, or one for all if they share their times. All
    are sorted by time, as as-of joins of data frames ask for."""
    entities, features, versions = times.shape
    entity = np.repeat(np.arange(entities), versions)
    if shared:
        order = np.argsort(times[:, 0].ravel(), kind="stable")
        columns = {f"f{n}": values[:, n].ravel()[order] for n in range(features)}
        return [{"entity": entity[order], "time": times[:, 0].ravel()[order], **columns}]
    result = []
    for n in range(features):
        order = np.argsort(times[:, n].ravel(), kind="stable")
        result.append({"entity": entity[order], "time": times[:, n].ravel()[order], f"f{n}": values[:, n].ravel()[order]})
    return result


def high_water():
    with open("/proc/self/status") as file:
        fields = dict(line.split(":", 1) for line in file)
    return int(fields["VmHWM"].split()[0]) * 1024, int(fields["VmRSS"].split()[0]) * 1024


def reset_high_water():
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    except OSError:
        pass


def joiner(tool, spine, right):
    """A function that joins and gives the columns of the features, in the order of the spine."""
    if tool.startswith("polars"):
        import polars as pl

        left = pl.DataFrame({"entity": spine[0], "t": spine[1]}).with_row_index("row")
        frames = [pl.DataFrame(table).set_sorted("time") for table in right]
        known = tool == "polars-sorted"
        if known:
            # Told by hand that each entity's rows are in order, so that it need not look.
            frames = [frame.sort("entity", "time") for frame in frames]

        def join():
            out = left.sort("entity", "t") if known else left.sort("t")
            for frame in frames:
                out = out.join_asof(frame, left_on="t", right_on="time", by="entity", check_sortedness=not known).drop("time", strict=False)
            out = out.sort("row")
            return [out[name].to_numpy() for name in out.columns if name.startswith("f")]

        return join
    if tool == "duckdb":
        import duckdb
        import pyarrow as pa

        db = duckdb.connect()
        arrow = pa.table({"row": np.arange(len(spine[0])), "entity": spine[0], "t": spine[1]})
        db.execute("create table spine as select * from arrow")
        names = []
        for n, table in enumerate(right):
            arrow = pa.table(table)
            db.execute(f"create table r{n} as select * from arrow")
            names.append([name for name in table if name.startswith("f")])
        columns = ", ".join(f"r{n}.{name}" for n, those in enumerate(names) for name in those)
        joins = " ".join(f"asof left join r{n} on spine.entity = r{n}.entity and spine.t >= r{n}.time" for n in range(len(right)))
        query = f"select {columns} from spine {joins} order by row"

        def join():
            table = db.execute(query).fetch_arrow_table()
            return [column.to_numpy() for column in table.columns]

        return join
    import pandas as pd

    left = pd.DataFrame({"entity": spine[0], "t": spine[1]})
    frames = [pd.DataFrame(table) for table in right]

    def join():
        out = left.sort_values("t", kind="stable")
        for frame in frames:
            out = pd.merge_asof(out, frame, left_on="t", right_on="time", by="entity").drop(columns="time").set_axis(out.index)
        out = out.sort_index()
        return [out[name].to_numpy() for name in out.columns if name.startswith("f")]

    return join


def measure(join, answers):
    """Seconds of the best of some rounds, the memory it took at its peak beside what was there."""
    best, grown = None, 0
    for _ in range(ROUNDS):
        reset_high_water()
        before = high_water()[1]
        begun = time.perf_counter()
        columns = join()
        took = time.perf_counter() - begun
        best = took if best is None else min(best, took)
        grown = max(grown, high_water()[0] - before)
        for n, column in enumerate(columns):
            found = np.asarray(column, dtype="f8")
            if not np.array_equal(found, answers[:, n], equal_nan=True):
                raise SystemExit(f"column {n} is wrong")
        del columns
    return best, grown


def run(folder, name, tool, order):
    shape = about(folder)[name]
    times, values, entities, moments, answers = load(folder, name, shape)
    if order == "sorted":
        by = np.lexsort((moments, entities))
        entities, moments, answers = entities[by], moments[by], answers[by]
    join = joiner(tool, (entities, moments), tables(times, values, name == "d"))
    took, grown = measure(join, answers)
    return {"cells_per_s": answers.size / took, "seconds": took, "peak": grown, "process": high_water()[0]}


def run_weather(folder, tool):
    import pandas as pd

    events = pd.read_csv(os.path.join(folder, "features.csv"), parse_dates=["event_time"])
    spine = pd.read_csv(os.path.join(folder, "spine.csv"), parse_dates=["t"])
    expected = pd.read_csv(os.path.join(folder, "expected-no-ttl.csv")).drop(columns="matched")
    codes = {entity: n for n, entity in enumerate(sorted(events.entity.unique()))}
    again = -(-WEATHER_ROWS // len(spine))
    entities = np.tile(spine.entity.map(codes).to_numpy(), again)[:WEATHER_ROWS]
    moments = np.tile(spine.t.astype("int64").to_numpy(), again)[:WEATHER_ROWS]
    answers = np.tile(expected.to_numpy(dtype="f8"), (again, 1))[:WEATHER_ROWS]
    events = events.sort_values("event_time", kind="stable")
    columns = {f"f{n}": events[name].to_numpy(dtype="f8") for n, name in enumerate(expected.columns)}
    right = [{"entity": events.entity.map(codes).to_numpy(), "time": events.event_time.astype("int64").to_numpy(), **columns}]
    took, grown = measure(joiner(tool, (entities, moments), right), answers)
    return {"cells_per_s": answers.size / took, "seconds": took, "peak": grown, "process": high_water()[0]}


def parquet(folder):
    """Bytes a record of sorted Parquet files, by the encodings of their columns."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = os.path.join(folder, "size.parquet")

    def size(table, **options):
        pq.write_table(table, path, compression="zstd", **options)
        bytes_ = os.path.getsize(path)
        os.remove(path)
        return bytes_

    for name, shape in about(folder).items():
        dims = (shape["entities"], shape["features"], shape["versions"])
        times = np.fromfile(os.path.join(folder, f"{name}_times.bin"), dtype="<i8").reshape(dims)
        values = np.fromfile(os.path.join(folder, f"{name}_values.bin"), dtype="<f8").reshape(dims)
        count = times.size
        entity, feature, _ = np.indices(dims, dtype="u4")
        long = pa.table({"entity": entity.ravel(), "feature": feature.ravel().astype("u2"), "time": pa.array(times.ravel()).cast(pa.timestamp("us")), "value": values.ravel()})
        variants = {
            "default": {},
            "level 3, delta times": {"compression_level": 3, "use_dictionary": ["entity", "feature"], "column_encoding": {"time": "DELTA_BINARY_PACKED"}},
            "level 3, delta times, split values": {"compression_level": 3, "use_dictionary": ["entity", "feature"], "column_encoding": {"time": "DELTA_BINARY_PACKED", "value": "BYTE_STREAM_SPLIT"}},
            "level 3, dictionary values": {"compression_level": 3, "use_dictionary": ["entity", "feature", "value"], "column_encoding": {"time": "DELTA_BINARY_PACKED"}},
        }
        for variant, options in variants.items():
            print(f"parquet {name}, long, {variant}: {size(long, **options) / count:.2f} bytes a record", flush=True)
        del long
        if name == "d":
            wide = {"entity": entity[:, 0].ravel(), "time": pa.array(times[:, 0].ravel()).cast(pa.timestamp("us"))}
            wide |= {f"f{n}": values[:, n].ravel() for n in range(shape["features"])}
            print(f"parquet d, wide, default: {size(pa.table(wide)) / count:.2f} bytes a record", flush=True)
    texts = [line.rstrip("\n").split("\t") for line in open(os.path.join(folder, "b.tsv"))]
    texts.sort(key=lambda row: (int(row[0]), int(row[1]), int(row[2])))
    columns = list(zip(*texts))
    table = pa.table({"entity": np.array(columns[0], dtype="u4"), "feature": np.array(columns[1], dtype="u2"), "time": np.array(columns[2], dtype="i8"), "text": list(columns[3])})
    raw = sum(len(text) for text in columns[3]) / len(texts)
    for dictionary in (True, ["entity", "feature"]):
        found = size(table, compression_level=3, use_dictionary=dictionary) / len(texts)
        print(f"parquet b, level 3, dictionary {dictionary}: {found:.0f} bytes a record of {raw:.0f} ({raw / found:.2f} times smaller)", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--weather")
    parser.add_argument("--only", default="")
    parser.add_argument("--one", nargs="*", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        name, tool, order = args.one
        found = run_weather(args.weather, tool) if name == "weather" else run(args.folder, name, tool, order)
        print(json.dumps(found))
        return
    tools = args.only.split(",") if args.only else TOOLS
    work = [(name, order) for name in ("a", "d") for order in ("shuffled", "sorted")]
    work += [("weather", "-")] if args.weather else []
    for name, order in work:
        for tool in tools:
            command = [sys.executable, __file__, args.folder, "--one", name, tool, order]
            command += ["--weather", args.weather] if args.weather else []
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode != 0:
                print(f"{name} {order} {tool}: failed: {done.stderr.strip().splitlines()[-1:]}", flush=True)
                continue
            found = json.loads(done.stdout.strip().splitlines()[-1])
            print(
                f"{name} {order} {tool}: {found['cells_per_s'] / 1e6:.2f} M cells/s, {found['seconds']:.3f} s, "
                f"{found['peak'] >> 20} MiB more at the peak of {found['process'] >> 20} MiB",
                flush=True,
            )
    if not args.only or "parquet" in tools:
        parquet(args.folder)


if __name__ == "__main__":
    main()
