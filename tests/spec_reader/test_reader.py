#!/usr/bin/env python3
"""Tests of the second reader: the golden stores, damage of every byte, and its commands.

    ASOFDB=PATH_TO_PROGRAM python3 tests/spec_reader/test_reader.py

The tests that need the program are skipped if ASOFDB is not set. By default one byte of five is
damaged; SPEC_READER_FULL=1 damages them all.
"""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import unittest
from collections import Counter
from collections.abc import Callable
from functools import cache

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import check  # noqa: E402
from reader.catalog import Names  # noqa: E402
from reader.damage import Damaged  # noqa: E402
from reader.frames import Frame, Torn, read_frames  # noqa: E402
from reader.header import read_header  # noqa: E402
from reader.show import Record, show_file  # noqa: E402
from reader.store import names_beside, read_file  # noqa: E402
from reader.verify import verify_store  # noqa: E402

FIXTURES = os.path.join(HERE, "..", "fixtures", "v1")
STORES = sorted(os.listdir(FIXTURES))
# A small golden file of each kind.
SMALL = {
    "current": ("log", "CURRENT"),
    "log": ("log", "LOG-000001"),
    "manifest": ("log", "MANIFEST-000002"),
    "table": ("recent", "TABLE-000004"),
    "table with hints": ("timeline", "TABLE-000011"),
}
PROGRAM = os.environ.get("ASOFDB")
STRIDE = 1 if os.environ.get("SPEC_READER_FULL") else 5
needs_program = unittest.skipUnless(PROGRAM, "ASOFDB does not name the program to compare with")


def fixture(kind: str) -> str:
    store, name = SMALL[kind]
    return os.path.join(FIXTURES, store, name)


class Golden(unittest.TestCase):
    def test_a_golden_store_is_damaged(self) -> None:
        for store in STORES:
            self.assertEqual(verify_store(os.path.join(FIXTURES, store)), [])

    @needs_program
    def test_the_golden_stores_are_read_otherwise_than_by_the_program(self) -> None:
        counts = check.Counts()
        for store in STORES:
            path = os.path.join(FIXTURES, store)
            check.compare(str(PROGRAM), path, counts)
            check.compare_verdicts(str(PROGRAM), path, counts)
        print(f"\n{counts}")
        self.assertEqual((counts.stores, counts.differences), (len(STORES), 0))
        self.assertGreater(counts.records, 1000)


def read(path: str, data: bytes, names: Names) -> tuple[list[Record], Damaged | None]:
    """The records of a file without its own, whose length may differ; and why no more came."""
    records: list[Record] = []
    try:
        for record in show_file(path, data, names):
            records.append(record)
    except Damaged as damage:
        return records[1:], damage
    return records[1:], None


@cache
def undamaged(path: str) -> tuple[bytes, Names, list[Record]]:
    """A golden file, what is to be known of its features, and its records."""
    golden = read_file(path)
    names = names_beside(os.path.dirname(path))
    records, damage = read(path, golden, names)
    assert damage is None
    return golden, names, records


class Damage(unittest.TestCase):
    """What damage of one file does. What is read must be as before, up to an error or a torn end.

    A torn end is only believed behind what had been durable. Of the golden log and manifest that is
    the greatest synced mark that a frame tells.
    """

    def outcome(self, kind: str, data: bytes, first_bad: int) -> str:
        """What a damaged copy gives: `first_bad` is the first byte that is not as it was."""
        path = fixture(kind)
        golden, names, expected = undamaged(path)
        found, damage = read(path, data, names)
        if damage:
            self.assertEqual(damage.file, path)
            self.assertLessEqual(damage.offset, max(len(data), len(golden)))
            return "typed error"
        if found == expected:
            return "same records"
        self.assertIn(kind, ("log", "manifest"), f"silent damage at byte {first_bad}")
        frames = list(read_frames(path, golden, read_header(path, golden)))
        durable = max(frame.synced for frame in frames if isinstance(frame, Frame))
        if found and found[-1]["what"] == "torn":
            self.assertEqual(found[:-1], expected[: len(found) - 1])
            self.assertGreaterEqual(found[-1]["offset"], durable if len(data) == len(golden) else 0)
            return "torn end"
        self.assertEqual(found, expected[: len(found)])
        self.assertLess(len(data), len(golden))
        ends = [frame.offset for frame in frames if not isinstance(frame, Torn)]
        self.assertIn(len(data), ends, "records are missing without a torn end")
        return "cut between two frames"

    def test_a_flipped_byte_goes_unseen(self) -> None:
        for kind in SMALL:
            golden = read_file(fixture(kind))
            counts: Counter[str] = Counter()
            places = range(0, len(golden), STRIDE)
            for at in places:
                data = bytearray(golden)
                data[at] ^= 1 << at % 8
                counts[self.outcome(kind, bytes(data), at)] += 1
            print(f"\n{kind}: {counts.total()} flips, stride {STRIDE}: {dict(counts)}")
            self.assertEqual(counts.total(), len(places))
            self.assertGreater(counts["typed error"], counts.total() // 2)

    def test_a_cut_file_goes_unseen(self) -> None:
        for kind in SMALL:
            golden = read_file(fixture(kind))
            counts: Counter[str] = Counter()
            lengths = range(0, len(golden), STRIDE)
            for length in lengths:
                counts[self.outcome(kind, golden[:length], length)] += 1
            print(f"\n{kind}: {counts.total()} lengths, stride {STRIDE}: {dict(counts)}")
            self.assertEqual(counts.total(), len(lengths))
            self.assertGreater(counts["typed error"], 0)

    def test_a_sealed_log_that_was_cut_goes_unseen(self) -> None:
        store, name = SMALL["log"]
        golden = read_file(fixture("log"))
        frames = read_frames(name, golden, read_header(name, golden))
        ends = [frame.offset for frame in frames]
        with tempfile.TemporaryDirectory() as directory:
            copy = os.path.join(directory, "store")
            shutil.copytree(os.path.join(FIXTURES, store), copy)
            lengths = sorted({*ends, *range(0, len(golden), 97)})
            for length in lengths:
                with open(os.path.join(copy, name), "wb") as file:
                    file.write(golden[:length])
                (fault,) = verify_store(copy)
                self.assertEqual(os.path.basename(fault.file), name)
        print(f"\nsealed log: {len(lengths)} lengths")

    def compare(self, seed: int, damage: Callable[[random.Random, bytes], bytes]) -> None:
        """Both readers dump a directory of damaged copies, all of one kind."""
        pick = random.Random(seed)
        for kind, name in (
            ("log", "LOG"),
            ("manifest", "MANIFEST"),
            ("table", "TABLE"),
            ("table with hints", "TABLE"),
        ):
            golden = read_file(fixture(kind))
            with tempfile.TemporaryDirectory() as directory:
                for number in range(1, 61):
                    with open(os.path.join(directory, f"{name}-{number:06}"), "wb") as file:
                        file.write(damage(pick, golden))
                counts = check.Counts()
                check.compare(str(PROGRAM), directory, counts)
            print(f"\n{kind}, seed {seed}: {counts}")
            self.assertEqual(counts.differences, 0)
            self.assertGreater(counts.records, 100)

    @needs_program
    def test_a_flipped_byte_is_judged_otherwise_than_by_the_program(self) -> None:
        def flip(pick: random.Random, golden: bytes) -> bytes:
            data = bytearray(golden)
            data[pick.randrange(len(data))] ^= pick.randrange(1, 256)
            return bytes(data)

        self.compare(1, flip)

    @needs_program
    def test_a_cut_file_is_judged_otherwise_than_by_the_program(self) -> None:
        self.compare(2, lambda pick, golden: golden[: pick.randrange(len(golden))])


class Commands(unittest.TestCase):
    def test_the_command_ends_otherwise_than_with_an_error_for_damage(self) -> None:
        command = [sys.executable, os.path.join(HERE, "dump.py")]
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "CURRENT")
            data = bytearray(read_file(fixture("current")))
            data[20] ^= 1
            with open(path, "wb") as file:
                file.write(data)
            done = subprocess.run([*command, directory], capture_output=True, check=False)
            self.assertEqual(done.returncode, 1)
            (line,) = done.stdout.splitlines()
            self.assertEqual(json.loads(line)["what"], "fault")
            self.assertIn(f"{path} is damaged at byte", done.stderr.decode())
            done = subprocess.run([*command, path + "x"], capture_output=True, check=False)
            self.assertEqual((done.returncode, done.stdout), (1, b""))


if __name__ == "__main__":
    unittest.main()
