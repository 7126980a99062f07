#!/usr/bin/env python3
"""Makes stores of many shapes with the program, for `check.py` to compare.

    python3 tests/spec_reader/random_stores.py --asofdb PROGRAM --seed N --count K DIR

The stores are DIR/store-N, DIR/store-N+1 and so on: each has a seed of its own, which is printed
and gives the same commands again. What the program refuses, such as a revert below the horizon,
is counted and is no error; a store in which everything was refused is one.
"""

import argparse
import csv
import os
import random
import shutil
import struct
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable

TYPES = ("bool", "i64", "f32", "f64", "text", "bytes", "vector(1)", "vector(3)", "vector(40)")
TIMES = ("--ttl", "--history", "--forget-after")
DURATIONS = ("90s", "2h", "7d", "400d", "4000d", "forever")
SECOND = 1_000_000
DAY = 86_400 * SECOND
START = 1_577_836_800 * SECOND
WORDS = ("a", "the", "München", "\N{SNOWMAN}", "id=7", "0", "x" * 40, "line", "\\|", "🙂", "'")


class Maker:
    """The making of one store: what was defined so far, and the commands run on it."""

    def __init__(self, program: str, directory: str, seed: int) -> None:
        self.program = program
        self.random = random.Random(seed)
        self.store = os.path.join(directory, f"store-{seed}")
        self.scratch = os.path.join(directory, f"import-{seed}.csv")
        self.features: dict[str, str] = {}
        self.sources: list[str] = []
        # How many feeds there were, and the moment that the last one came to.
        self.feeds = 0
        self.fed = START + 2000 * DAY
        # How often there were several views of the same entities.
        self.several = 0
        self.entities = self.some_entities()
        # Many views hold numbers alone, whose chunks are written in a form of their own.
        self.types = TYPES[:4] if self.random.random() < 0.35 else TYPES
        self.done: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        shutil.rmtree(self.store, ignore_errors=True)

    def run(self, command: str, *arguments: str) -> bool:
        full = [self.program, command, self.store, *arguments]
        result = subprocess.run(full, capture_output=True, check=False)
        if result.returncode not in (0, 1, 2):
            raise SystemExit(f"ended with {result.returncode}: {full}\n{result.stderr.decode()}")
        (self.refused if result.returncode else self.done)[command] += 1
        return result.returncode == 0

    def some_entities(self) -> list[str]:
        pick = self.random
        count = pick.choice((1, 3, 20, 200, 1500))
        shape = pick.choice(("{}", "user-{}", "a much longer entity with spaces {}", "ü{}🙂", "{:08}"))
        return [shape.format(number) for number in range(count)]

    def entity(self) -> str:
        # Few entities get most of the writes, so some have long histories.
        return self.entities[int(len(self.entities) * self.random.random() ** 3)]

    def moment(self) -> int:
        pick = self.random
        return pick.choice(
            (
                START + pick.randrange(2000) * DAY,
                START + pick.randrange(2000 * DAY),
                START + pick.randrange(30) * 60 * SECOND,
                -pick.randrange(10**15),
                START,
            )
        )

    def number(self, wide: bool) -> float:
        pick = self.random
        return pick.choice(
            (
                round(pick.uniform(-100, 100), pick.randrange(4)),
                pick.uniform(-1, 1),
                float(pick.randrange(-50, 50)),
                pick.choice((0.0, -0.0, float("inf"), float("-inf"), float("nan"), 1e-30, 0.1)),
                struct.unpack("<d" if wide else "<f", pick.randbytes(8 if wide else 4))[0],
            )
        )

    def text(self) -> str:
        pick = self.random
        length = pick.choice((0, 1, 1, 3, 12, 80, 700)) if pick.random() < 0.9 else 9000
        return " ".join(pick.choice(WORDS) for _ in range(length))

    def value(self, type_name: str) -> str:
        """A value as the command line and CSV files write it."""
        pick = self.random
        if type_name == "bool":
            return pick.choice(("true", "false"))
        if type_name == "i64":
            return str(
                pick.choice(
                    (
                        pick.randrange(-5, 6),
                        pick.randrange(10**6) * 100,
                        pick.randrange(-(2**63), 2**63),
                        pick.choice((-(2**63), 2**63 - 1)),
                    )
                )
            )
        if type_name in ("f32", "f64"):
            return repr(self.number(type_name == "f64"))
        if type_name == "text":
            return self.text()
        if type_name == "bytes":
            return pick.randbytes(pick.choice((0, 1, 8, 65, 600, 40_000))).hex()
        dimension = int(type_name[len("vector(") : -1])
        return str([round(pick.gauss(0, 1), 3) for _ in range(dimension)])

    def few_digits(self, type_name: str) -> str:
        """A number that fits in four bytes, as heads hold it where all of theirs do."""
        pick = self.random
        if type_name == "i64":
            return str(pick.randrange(-(10**6), 10**6))
        if type_name in ("f32", "f64"):
            return repr(round(pick.uniform(-1000, 1000), pick.randrange(3)))
        return self.value(type_name)

    def define(self) -> None:
        pick = self.random
        type_name = pick.choice(self.types)
        name = f"{pick.choice(('v', 'view'))}:{pick.choice(('f', 'ü', 'long_name'))}{pick.randrange(40)}"
        options = self.spans(0.4)
        if pick.random() < 0.5:
            options += ["--describe", self.text()[:300]]
        if name not in self.features and self.run("define", name, type_name, *options):
            self.features[name] = type_name

    def spans(self, likely: float) -> list[str]:
        """Options for how long values stay. The last of them needs the first."""
        pick = self.random
        options: list[str] = []
        for name in TIMES:
            if pick.random() < likely and (name != TIMES[2] or TIMES[0] in options):
                options += [name, pick.choice(DURATIONS)]
        return options

    def put(self) -> None:
        pick = self.random
        names = pick.sample(sorted(self.features), min(len(self.features), pick.randrange(1, 6)))
        values = [
            f"{name}={self.value(self.features[name]) if pick.random() < 0.85 else ''}"
            for name in names
        ]
        at = self.moment()
        known: list[str] = []
        if pick.random() < 0.3:
            known = [f"--known={at + pick.randrange(-DAY, DAY)}"]
        self.run("put", f"--at={at}", *known, "--", self.entity(), *values)

    def delete(self) -> None:
        pick = self.random
        names = pick.sample(sorted(self.features), min(len(self.features), pick.randrange(3)))
        at = "now" if pick.random() < 0.3 else str(self.moment())
        self.run("delete", f"--at={at}", "--", self.entity(), *names)

    def alter(self) -> None:
        options = self.spans(0.5)
        if self.random.random() < 0.3 or not options:
            options += ["--describe", self.text()[:100]]
        self.run("alter", self.random.choice(sorted(self.features)), *options)

    def evolve(self) -> None:
        name, type_name = self.random.choice(sorted(self.features)), self.random.choice(self.types)
        if self.run("evolve", name, type_name):
            self.features[name] = type_name

    def erase(self) -> None:
        entities = {self.entity() for _ in range(self.random.randrange(1, 3))}
        self.run("erase", "--", *sorted(entities))

    def revert(self) -> None:
        if self.sources:
            self.run("revert", "--source", self.random.choice(self.sources))

    def compact(self) -> None:
        self.run("compact")

    def load(self) -> None:
        """An import of a CSV file: into features that are there, or into a new view."""
        pick = self.random
        options: list[str] = []
        if pick.random() < 0.6:
            view = pick.choice(sorted({name.split(":")[0] for name in self.features}))
            columns = {
                name.split(":")[1]: type_name
                for name, type_name in sorted(self.features.items())
                if name.startswith(view + ":") and pick.random() < 0.7
            }
        else:
            view = f"new{len(self.done)}{len(self.features)}"
            columns = {f"c{i}": pick.choice(self.types) for i in range(pick.randrange(1, 8))}
            if pick.random() < 0.1:
                # More features than one byte can number.
                columns = {f"wide{i}": pick.choice(self.types[:5]) for i in range(300)}
            if pick.random() < 0.3:
                options += ["--ttl", pick.choice(DURATIONS)]
            if pick.random() < 0.3:
                options += ["--history", pick.choice(DURATIONS)]
        if not columns:
            return
        rows = pick.choice((1, 20, 300, 3000)) if len(columns) < 100 else 20
        regular = pick.choice((0, 0, 1, 60, 3600))
        with_known = pick.random() < 0.3
        self.write_csv(columns, rows, regular, with_known)
        features = ",".join(f"{name}:{type_name}" for name, type_name in columns.items())
        options += ["--view", view, "--entity", "entity", "--time", "time", "--features", features]
        if with_known:
            options += ["--known", "known"]
        if pick.random() < 0.3:
            options += ["--nulls", "skip"]
        if pick.random() < 0.6:
            source = f"source {pick.randrange(5)}"
            options += ["--source", source]
            self.sources.append(source)
        if self.run("import", self.scratch, *options):
            new = {f"{view}:{name}": type_name for name, type_name in columns.items()}
            self.features = new | self.features

    def feed(self) -> None:
        """Small batches one after another in the order of event time, and then a merge.

        Some entities have late rows among theirs and some have not: so there are commits that
        event times tell, alone and with exceptions. A row need not have all features, so the
        newest of an entity are of several batches. Most feeds hold numbers of few digits alone, of
        one type or of several, so there are heads of each form of numbers.
        """
        pick = self.random
        self.feeds += 1
        view = f"feed{self.feeds}"
        types = pick.choice((("i64",), ("f32",), ("f64",), TYPES[:4], self.types, self.types))
        columns = {f"c{i}": pick.choice(types) for i in range(pick.randrange(2, 6))}
        features = ",".join(f"{name}:{type_name}" for name, type_name in columns.items())
        count = pick.randrange(4, 9)
        own = [f"{view}-{number}" for number in range(count)]
        entities = own if pick.random() < 0.7 else [self.entity() for _ in own]
        options = ["--view", view, "--entity", "entity", "--time", "time", "--features", features]
        options += ["--nulls", "skip"]
        empty = pick.choice((0.0, 0.2, 0.5))
        step, late = pick.choice((1, 60, 3600)) * SECOND, pick.choice((0.1, 0.3))
        for _ in range(pick.randrange(8, 20)):
            self.fed += count * step
            rows: list[list[str | int]] = []
            for number, entity in enumerate(entities):
                at = self.fed + number * pick.choice((0, step))
                if number % 2 and pick.random() < late:
                    at -= pick.randrange(1, 40) * count * step
                cells = [
                    ""
                    if pick.random() < empty
                    else self.cell(of, True)
                    if types is self.types
                    else self.few_digits(of)
                    for of in columns.values()
                ]
                rows.append([entity, at, *cells])
            self.write_rows(["entity", "time", *columns], rows)
            if self.run("import", self.scratch, *options):
                new = {f"{view}:{name}": type_name for name, type_name in columns.items()}
                self.features = new | self.features
        self.compact()

    def views(self) -> None:
        """Several views of the same entities, and then a merge.

        The features of a view come together and those of another at other moments, so the columns
        of a chunk have a few lists of event times among them. Mostly all are numbers of one type,
        which lie side by side.
        """
        pick = self.random
        self.several += 1
        types = pick.choice((("i64",), ("f32",), ("f64",), ("f64",), TYPES[:4], self.types))
        entities = [f"several{self.several}-{number}" for number in range(pick.randrange(2, 6))]
        with_known = pick.random() < 0.3
        empty = pick.choice((0.0, 0.0, 0.1))
        made: list[tuple[str, dict[str, str]]] = []
        for number in range(pick.randrange(2, 4)):
            columns = {f"c{i}": pick.choice(types) for i in range(pick.randrange(2, 5))}
            made.append((f"several{self.several}of{number}", columns))
        # Twice of each view, so that not all revisions have the same commit.
        for view, columns in made * 2:
            features = ",".join(f"{name}:{type_name}" for name, type_name in columns.items())
            options = ["--view", view, "--entity", "entity", "--time", "time"]
            options += ["--features", features, *(["--known", "known"] if with_known else [])]
            rows: list[list[str | int]] = []
            for entity in entities:
                for _ in range(pick.randrange(3, 12)):
                    at = START + pick.randrange(2000 * DAY)
                    known = [at + pick.randrange(3600 * SECOND)] if with_known else []
                    cells = [
                        ""
                        if pick.random() < empty
                        else self.few_digits(of)
                        if of in TYPES[:4]
                        else self.cell(of, True)
                        for of in columns.values()
                    ]
                    rows.append([entity, at, *known, *cells])
            titles = ["entity", "time", *(["known"] if with_known else []), *columns]
            self.write_rows(titles, rows)
            if self.run("import", self.scratch, *options):
                new = {f"{view}:{name}": type_name for name, type_name in columns.items()}
                self.features = new | self.features
        self.compact()

    def write_rows(self, titles: list[str], rows: Iterable[list[str | int]]) -> None:
        with open(self.scratch, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(titles)
            writer.writerows(rows)

    def write_csv(
        self, columns: dict[str, str], rows: int, regular: int, with_known: bool
    ) -> None:
        pick = self.random
        empty = pick.choice((0.0, 0.1, 0.7))
        steady = {name: self.value(columns[name]) for name in columns if pick.random() < 0.3}
        zeros = {name for name in columns if columns[name] in ("f32", "f64") and pick.random() < 0.2}
        start = START + pick.randrange(1000) * DAY
        written: list[list[str | int]] = []
        for row in range(rows):
            at = start + row * regular * SECOND if regular else self.moment()
            known = [at + pick.randrange(3600 * SECOND)] if with_known else []
            cells = [
                ""
                if pick.random() < empty
                else pick.choice(("0.0", "-0.0"))
                if name in zeros
                else steady.get(name) or self.cell(columns[name], rows > 300)
                for name in columns
            ]
            written.append([self.entity(), at, *known, *cells])
        self.write_rows(["entity", "time", *(["known"] if with_known else []), *columns], written)

    def cell(self, type_name: str, is_short: bool) -> str:
        """A value of a cell; of a file with many rows one that is not too long."""
        value = self.value(type_name)
        while is_short and len(value) > 500:
            value = self.value(type_name)
        return value

    def make(self) -> None:
        pick = self.random
        steps: list[tuple[int, Callable[[], None]]] = [
            (3, self.define),
            (12, self.put),
            (4, self.delete),
            (2, self.alter),
            (1, self.evolve),
            (1, self.erase),
            (2, self.revert),
            (3, self.compact),
            (8, self.load),
            (1, self.feed),
            (1, self.views),
        ]
        while len(self.features) < 3:
            self.define()
        for _ in range(pick.randrange(5, 40)):
            weights = [weight for weight, _ in steps]
            pick.choices([step for _, step in steps], weights)[0]()
        if not self.feeds:
            self.feed()
        if not self.several:
            self.views()
        if pick.random() < 0.5:
            self.compact()
        if os.path.exists(self.scratch):
            os.remove(self.scratch)


def told(counts: Counter[str]) -> str:
    return ", ".join(f"{command} {count}" for command, count in sorted(counts.items())) or "none"


def main() -> int:
    parser = argparse.ArgumentParser(description="Makes stores of many shapes.")
    parser.add_argument("--asofdb", required=True, help="the program")
    parser.add_argument("--seed", type=int, required=True, help="of the first store")
    parser.add_argument("--count", type=int, required=True, help="how many stores")
    parser.add_argument("directory", metavar="DIR")
    arguments = parser.parse_args()
    os.makedirs(arguments.directory, exist_ok=True)
    for seed in range(arguments.seed, arguments.seed + arguments.count):
        maker = Maker(arguments.asofdb, arguments.directory, seed)
        maker.make()
        print(f"seed {seed}: done {told(maker.done)}; refused {told(maker.refused)}", flush=True)
        if not maker.done:
            print(f"{maker.store}: every command was refused")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
