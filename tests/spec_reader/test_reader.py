#!/usr/bin/env python3
"""Tests of the second reader: SPEC's examples, the golden stores, and damage of every byte.

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

import zstandard

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import check  # noqa: E402
from reader.batch import read_batch  # noqa: E402
from reader.catalog import BYTES, I64, TEXT, Feature, Names, ValueType  # noqa: E402
from reader.chunk import read_chunk  # noqa: E402
from reader.damage import Damaged, NewerFormat  # noqa: E402
from reader.directory import read_directory  # noqa: E402
from reader.edits import Clock, NextFile, SealLog, read_edits  # noqa: E402
from reader.frames import EDIT, Frame, Torn, read_frames, seed_of  # noqa: E402
from reader.hashes import entity_hash, erased_name  # noqa: E402
from reader.head import read_head  # noqa: E402
from reader.header import Header, read_header  # noqa: E402
from reader.ints import read_ints  # noqa: E402
from reader.show import Record, show_file  # noqa: E402
from reader.store import names_beside, read_file  # noqa: E402
from reader.values import Piece, frame_length  # noqa: E402
from reader.verify import verify_store  # noqa: E402
from reader.wire import Cursor, crc32  # noqa: E402

FIXTURES = os.path.join(HERE, "..", "fixtures", "v1")
STORES = ("log", "recent", "run", "taken_back")
# A small golden file of each kind.
SMALL = {
    "current": ("log", "CURRENT"),
    "log": ("log", "LOG-000001"),
    "manifest": ("log", "MANIFEST-000002"),
    "table": ("recent", "TABLE-000004"),
}
PROGRAM = os.environ.get("ASOFDB")
STRIDE = 1 if os.environ.get("SPEC_READER_FULL") else 5
needs_program = unittest.skipUnless(PROGRAM, "ASOFDB does not name the program to compare with")


def fixture(kind: str) -> str:
    store, name = SMALL[kind]
    return os.path.join(FIXTURES, store, name)


def piece(digits: str) -> Cursor:
    return Cursor("example", bytes.fromhex(digits))


NO_BYTES = Piece("example", b"", 0)
LOG_HEADER = (
    "61 73 6f 66 64 62 4c 0a 01 00 00 00 00 00 00 00 00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d"
    "0e 0f 07 00 00 00 00 00 00 00 00 40 1e 18 24 0a 06 00 23 5a 04 40 00 00 00 00"
)
LOG_FRAME = (
    "88 5d ff 71 69 e0 c0 54 28 00 00 00 01 00 00 00 00 40 1e 18 24 0a 06 00 38 00 00 00 00 00"
    "00 00 40 82 2d 18 24 0a 06 00 01 03 6a 6f 62 01 01 6d 02 31 37 03 00 02 75 31 01 c8 01 2a"
    "00 00 00 00 00 00 00 0d 01 13 0a 10 02 75 32 02 14 02 68 69"
)
CHUNK = (
    "11 02 02 01 d0 0f 02 01 02 10 20 02 00 81 02 14 0a 02 01 00 02 01 81 02 0e 02 02 02 17 00"
    "00 81 02 00 02 02 01 00 02 04 00 02 78"
)
HEAD = (
    "02 00 01 00 11 00 00 00 2b 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"
    "00 00 1e 00 00 00 00 00 00 00 ea 03 00 00 00 00 00 00 75 31 01 02 00 0a 0b 00 00 00 00 00"
    "00 00 00 00 00 00 80 00 00 00 79 7a"
)


class Examples(unittest.TestCase):
    """Every example of SPEC.md, byte by byte."""

    def test_a_checksum_is_of_another_kind(self) -> None:
        self.assertEqual(crc32(b"123456789"), 0xCBF43926)

    def test_the_header_is_read_otherwise(self) -> None:
        store = bytes(range(16))
        expected = Header("log", 1, store, 7, 1_700_000_000_000_000)
        self.assertEqual(read_header("example", bytes.fromhex(LOG_HEADER)), expected)

    def test_the_frame_and_its_batch_are_read_otherwise(self) -> None:
        data = bytes.fromhex(LOG_HEADER + LOG_FRAME)
        header = read_header("example", data)
        self.assertEqual(seed_of(header), 0x06C1D65F)
        (frame,) = read_frames("example", data, header)
        assert isinstance(frame, Frame)
        self.assertEqual((frame.commit, frame.synced), (1_700_000_000_000_000, 56))
        self.assertEqual(frame.ceiling, 1_700_000_001_000_000)
        batch = read_batch("example", frame, Names())
        self.assertEqual((batch.source, batch.label, batch.marks), (1, "job", [("m", b"17")]))
        entries = [
            (entry.entity, entry.feature, entry.event_time, entry.known_time, entry.value)
            for entry in batch.entries
        ]
        self.assertEqual(
            entries,
            [
                (b"u1", 1, 100, frame.commit, 42),
                (b"u1", 1, 90, 95, None),
                (b"u2", 2, 100, frame.commit, b"hi"),
            ],
        )

    def test_the_edits_are_read_otherwise(self) -> None:
        payload = bytes.fromhex("0e 02 ac 02 10 02 01 7e 0a 02 07 38")
        edits = read_edits("example", Frame(56, EDIT, 0, 56, 0, payload))
        self.assertEqual(edits, [NextFile(300), Clock(-1, 63), SealLog(7, 56)])

    def test_the_directory_is_read_otherwise(self) -> None:
        directory = read_directory(
            piece(
                "73 04 f8 6d d0 42 48 13 00 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00 01 00 00"
                "00 00 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00 73 04 f8 6d"
            )
        )
        (row,) = directory.rows
        self.assertEqual(directory.bucket_of(entity_hash(b"u1")), row.bucket)
        self.assertEqual((row.head, row.low_hash), (0, entity_hash(b"u1") & 0xFFFF_FFFF))
        self.assertIsNone(directory.bucket_of(entity_hash(b"u1") + 1))

    def test_the_head_and_its_chunk_are_read_otherwise(self) -> None:
        features = {
            1: Feature("a", 1, ValueType(I64)),
            2: Feature("b", 1, ValueType(TEXT)),
        }
        head = read_head(piece(HEAD), features, NO_BYTES)
        self.assertEqual((head.entity, head.chunk_len, head.heap_len), (b"u1", 43, 0))
        newest = [
            (r.feature, r.event_time, r.known_time, r.commit, r.kind, r.value and r.value.value)
            for r in head.revisions
        ]
        self.assertEqual(newest, [(1, 30, 1002, 1002, 0, 11), (2, 20, 1002, 1002, 0, b"yz")])
        chunk = read_chunk(piece(CHUNK), features, NO_BYTES)
        older = [
            (r.feature, r.event_time, r.known_time, r.commit, r.kind, r.value and r.value.value)
            for column in chunk.columns
            for r in chunk.revisions(column, features[column.feature])
        ]
        self.assertEqual(
            older,
            [
                (1, 10, 1000, 1000, 0, 7),
                (1, 20, 1001, 1001, 0, 9),
                (2, 10, 1000, 1000, 0, b"x"),
                (2, 20, 999, 1001, 1, None),
            ],
        )

    def test_the_integers_are_read_otherwise(self) -> None:
        self.assertEqual(list(read_ints(piece("83 02 14 05 50 01"), 3)), [10, 20, 35])
        steps = read_ints(piece("80 03 d0 0f 02 0a"), 6)
        self.assertEqual(list(steps), [1000, 1010, 1020, 1030, 1040, 1050])

    def test_the_hashes_are_others(self) -> None:
        key = bytes(range(16))
        for entity, number, name in (
            (b"", 0, "a3817f04ba25a8e66df67214c7550293"),
            (b"a", 0xB4D7470440D7D08E, "0ea4f2fb02ad21d92d5fc91684f26426"),
            (b"customer-42", 0x76A1768385EEF379, "c24d4f49c078d78d7df5c5db45ecc63d"),
            (b"12345678", 0xAF48DDD296453B99, "86da31e21d1241e0e933a215f9e2faae"),
        ):
            self.assertEqual(entity_hash(entity), number)
            self.assertEqual(erased_name(key, entity).hex(), name)

    def test_a_block_of_several_frames_is_taken_for_one(self) -> None:
        frame = zstandard.ZstdCompressor().compress
        one, empty, skipped = frame(b"value" * 99), frame(b""), bytes.fromhex("502a4d1800000000")
        summed = zstandard.ZstdCompressor(write_checksum=True).compress(os.urandom(999))
        for whole in (one, empty, summed):
            self.assertEqual(frame_length(whole), len(whole))
            for behind in (one, empty, skipped, b"x"):
                self.assertNotEqual(frame_length(whole + behind), len(whole + behind))
            self.assertNotEqual(frame_length(skipped + whole), len(skipped + whole))
        self.assertIsNone(frame_length(skipped))

    def test_a_newer_format_is_taken_for_damage(self) -> None:
        with self.assertRaises(NewerFormat):
            read_edits("example", Frame(56, EDIT, 0, 56, 0, bytes([46, 0])))
        self.assertEqual(read_edits("example", Frame(56, EDIT, 0, 56, 0, bytes([41, 0]))), [])

    def test_a_long_column_of_few_bytes_is_laid_out_in_memory(self) -> None:
        column = read_ints(piece("00 14"), 16_777_216)
        self.assertEqual((len(column), column[16_777_215], len(column.packed)), (1 << 24, 10, 0))


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
        self.assertEqual((counts.stores, counts.differences), (4, 0))
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
        for kind, name in (("log", "LOG"), ("manifest", "MANIFEST"), ("table", "TABLE")):
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
