"""Generated sets, their joins as `asofdb` makes them, and the comparison of these with those of witnesses.

A set is drawn from a seed: rows of features, of which no two have the same entity and time (for such ties the witnesses
have no rule), and a spine in no order, with rows twice, with entities that nobody knows, and with times at the very
edges: a feature's own time and the TTL after it, and a microsecond beside.
"""

import argparse
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import pandas

BEGIN = 1_700_000_000_000_000
SECOND = 1_000_000
TTL = 90 * SECOND
FEATURES = ["amount", "count", "label"]
CELLS = [*FEATURES, "event_time"]
LABELS = ["", "plain", "with, comma", 'with "quotes"', "zwei\nZeilen", "ünïcode", "null", " space "]


class Join(NamedTuple):
    """What is asked of asofdb and of the witnesses."""

    words: str
    has_ttl: bool  # in the store
    options: list
    age: pandas.Timedelta | None
    strict: bool
    by_known: bool


AGE = pandas.Timedelta(TTL // SECOND, "s")
JOINS = [
    Join("any age", False, [], None, False, False),
    Join("max age", False, ["--max-age", "90s"], AGE, False, False),
    Join("TTL of the definition", True, [], AGE, False, False),
    Join("a tighter max age", True, ["--max-age", "60s"], pandas.Timedelta(60, "s"), False, False),
    Join("strict", False, ["--before"], None, True, False),
    Join("known at the row", False, ["--known-at", "row"], None, False, True),
    Join("known at the row, with a TTL", True, ["--known-at", "row"], AGE, False, True),
]


def draw(rng):
    """Rows of features and of a spine, with times as integers of microseconds."""
    entities = [f"e{number}" for number in range(rng.randint(1, 12))]
    # From close together to further apart than the TTL.
    length = rng.choice([600, 3_600, 36_000, 360_000])
    keys = set()
    for _ in range(rng.randint(20, 1_500)):
        keys.add((rng.choice(entities), BEGIN + rng.randint(0, length) * SECOND + rng.randint(-1, 1)))
    keys = sorted(keys)
    rng.shuffle(keys)
    nulls = rng.choice([0.0, 0.1, 0.6])

    def cell(draw_value):
        return None if rng.random() < nulls else draw_value()

    features = pandas.DataFrame(
        {
            "entity": [entity for entity, _ in keys],
            "event_time": [at for _, at in keys],
            "created": [at + rng.choice([0, 1, 60, 600, 6_000]) * rng.choice([1, SECOND]) for _, at in keys],
            "amount": pandas.array(
                [cell(lambda: rng.choice([rng.gauss(0, 1e6), 0.0, -0.5, 1e-9])) for _ in keys],
                dtype="Float64",
            ),
            "count": pandas.array([cell(lambda: rng.randint(-(2**40), 2**40)) for _ in keys], dtype="Int64"),
            "label": pandas.array([cell(lambda: rng.choice(LABELS)) for _ in keys], dtype="string"),
        }
    )
    rows = []
    for _ in range(rng.randint(1, 1_000)):
        entity, at = rng.choice(keys)
        edge = rng.choice([0, TTL, 60 * SECOND, rng.randint(-400, 400) * SECOND])
        row = (rng.choice([entity, entity, rng.choice(entities), "nobody"]), at + edge + rng.randint(-1, 1))
        rows += [row] * rng.choice([1, 1, 1, 2])
    rng.shuffle(rows)
    spine = pandas.DataFrame(rows, columns=["entity", "t"])
    spine.insert(0, "id", range(len(spine)))
    return features, spine


def with_times(frame):
    """A copy with timestamps in place of integers."""
    frame = frame.copy()
    for column in {"event_time", "created", "t"} & set(frame.columns):
        frame[column] = pandas.to_datetime(frame[column], unit="us").astype("datetime64[us]")
    return frame


def asofdb(tool, store, folder, options):
    """The join of the command-line tool."""
    out = folder / "joined.csv"
    run(tool, "join", store, folder / "spine.csv", "-o", out, "--entity", "entity", "--time", "t",
        "--features", ",".join(f"f:{name}" for name in FEATURES), "--times", "--status", *options)
    text = pandas.read_csv(out, dtype="string", keep_default_na=False)
    joined = pandas.DataFrame({"id": text["id"].astype("int64")})
    for name in FEATURES:
        has_value = text[f"{name}__status"] == "value"
        joined[name] = text[name].where(has_value)
    joined["amount"] = joined["amount"].astype("Float64")
    joined["count"] = joined["count"].astype("Int64")
    # A row's cells come from one row of features; a stale or missing one matches nothing.
    is_fresh = text["amount__status"].isin(["value", "null"])
    times = text["amount__event_time"].where(is_fresh)
    times = pandas.to_datetime(times, format="ISO8601", utc=True).dt.tz_localize(None)
    joined["event_time"] = times.astype("datetime64[us]")
    return joined


def differing(ours, theirs):
    """The rows in which two joins differ, and how many cells and values were compared."""
    ours, theirs = (
        joined.astype({"amount": "Float64", "count": "Int64", "label": "string", "event_time": "datetime64[us]"})
        .set_index("id")
        .sort_index()[CELLS]
        for joined in (ours, theirs)
    )
    if not ours.index.equals(theirs.index):
        return "not the same rows", 0, 0
    equal = (ours == theirs).fillna(False).astype(bool) | (ours.isna() & theirs.isna())
    bad = ~equal.all(axis=1)
    what = None
    if bad.any():
        both = {"asofdb": ours[bad].head(5), "the witness": theirs[bad].head(5)}
        what = pandas.concat(both, axis=1).to_string()
    return what, ours.size, int(ours.notna().to_numpy().sum())


def run(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")


def store_of(tool, folder, features, rng, ttl):
    """Imports the rows in parts, each known when it says."""
    store = folder / ("with-ttl" if ttl else "store")
    parts = rng.randint(1, 4)
    for part in range(parts):
        file = folder / f"features-{part}.csv"
        write(features.iloc[part::parts], file)
        run(tool, "import", store, file, "--view", "f", "--entity", "entity", "--time", "event_time", "--known", "created",
            "--features", "amount:f64,count:i64,label:text", *(["--ttl", "90s"] if ttl else []))
    if rng.random() < 0.5:
        run(tool, "compact", store)
    return store


def write(frame, file):
    """Writes CSV in which an empty text is quoted and a null is not."""
    def cell(value):
        if value is pandas.NA or value is None:
            return ""
        if isinstance(value, str):
            return '"' + value.replace('"', '""') + '"'
        return repr(float(value)) if isinstance(value, float) else str(value)

    lines = [",".join(frame.columns)]
    lines += [",".join(cell(value) for value in row) for row in frame.itertuples(index=False)]
    file.write_text("\n".join(lines) + "\n")


def check(tool, word, seed, witnesses_of, totals):
    """Compares every join of one set with every witness that can make it."""
    rng = random.Random(seed)
    features, spine = draw(rng)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        write(spine, folder / "spine.csv")
        stores = {ttl: store_of(tool, folder, features, rng, ttl) for ttl in (False, True)}
        features, spine = with_times(features), with_times(spine)
        witnesses = witnesses_of(folder, features, spine)
        for join in JOINS:
            ours = asofdb(tool, stores[join.has_ttl], folder, join.options)
            if ours["id"].tolist() != spine["id"].tolist():
                sys.exit(f"seed {seed}, {join.words}: the rows are not those of the spine, in its order")
            for witness, by_witness in witnesses.items():
                theirs = by_witness(join)
                if theirs is None:
                    continue
                what, cells, values = differing(ours, theirs)
                if what is not None:
                    sys.exit(f"asofdb and {witness} differ, seed {seed}, {join.words}:\n{what}\n"
                             f"replay: SEED={seed} tests/differential/run {word}1")
                joins_of, cells_of, values_of = totals.get((join.words, witness), (0, 0, 0))
                totals[join.words, witness] = (joins_of + 1, cells_of + cells, values_of + values)


def main(what, word, versions, witnesses_of, told=lambda: []):
    """A program that holds every set against witnesses. `word` is what `run` is told before the number of sets.

    `witnesses_of(folder, features, spine)` gives by name what makes a Join, or None where it cannot. `told()` gives
    lines to print with the counts.
    """
    parser = argparse.ArgumentParser(description=what.splitlines()[0])
    parser.add_argument("--tool", type=Path, default=Path("target/release/asofdb"))
    parser.add_argument("--seed", type=int, default=1, help="the seed of the first set")
    parser.add_argument("--sets", type=int, default=20, help="how many sets")
    args = parser.parse_args()
    totals = {}
    for seed in range(args.seed, args.seed + args.sets):
        check(args.tool.resolve(), word, seed, witnesses_of, totals)
    for (words, witness), (joins, cells, values) in totals.items():
        print(f"{words}, {witness}: {joins} joins, {cells} cells, {values} of them values")
    for line in told():
        print(line)
    joins, cells, values = (sum(counts) for counts in zip(*totals.values()))
    print(f"{versions}: {args.sets} sets from seed {args.seed}, {joins} joins, {cells} cells, {values} of them values, "
          "no difference")
