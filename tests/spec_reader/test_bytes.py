#!/usr/bin/env python3
"""Tests of the second reader: SPEC's examples, and the forms that a chunk may have.

    python3 tests/spec_reader/test_bytes.py
"""

import os
import struct
import sys
import unittest
from itertools import product

import zstandard

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

from examples import (  # noqa: E402
    BY_TIMELINE,
    CHUNK,
    FEATURES,
    HEAD,
    HINTS_OF_THREE,
    LOG_FRAME,
    LOG_HEADER,
    NEWEST,
    NO_BYTES,
    NUMBERS,
    OLDER,
    OLDER_BY_TIMELINE,
    OLDER_NUMBERS,
    OLDER_SOME_LISTS,
    Older,
    directory,
    hints,
    newest,
    number_head,
    older_by_timeline,
    older_numbers,
    older_revisions,
    older_some_lists,
    piece,
    plain,
    timeline,
)
from reader.batch import read_batch  # noqa: E402
from reader.catalog import Names  # noqa: E402
from reader.damage import Damaged, NewerFormat  # noqa: E402
from reader.edits import Clock, NextFile, SealLog, read_edits  # noqa: E402
from reader.frames import EDIT, Frame, read_frames, seed_of  # noqa: E402
from reader.hashes import entity_hash, erased_name  # noqa: E402
from reader.head import read_head  # noqa: E402
from reader.header import Header, read_header  # noqa: E402
from reader.hints import NO_HINT, Hint, hint_to  # noqa: E402
from reader.ints import read_ints, read_lines  # noqa: E402
from reader.values import frame_length  # noqa: E402
from reader.wire import crc32  # noqa: E402


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
        told = directory()
        (row,) = told.rows
        self.assertEqual(told.bucket_of(entity_hash(b"u1")), row.bucket)
        self.assertEqual((row.head, row.low_hash), (0, entity_hash(b"u1") & 0xFFFF_FFFF))
        self.assertIsNone(told.bucket_of(entity_hash(b"u1") + 1))

    def test_the_head_and_its_chunk_are_read_otherwise(self) -> None:
        head = read_head(piece(" ".join(HEAD.values())), FEATURES, NO_BYTES, None)
        self.assertEqual((head.entity, head.chunk_len, head.heap_len), (b"u1", 36, 0))
        self.assertEqual(newest(), NEWEST)
        self.assertEqual(older_revisions(), OLDER)

    def test_the_head_of_numbers_is_read_otherwise(self) -> None:
        head = number_head()
        self.assertEqual((head.entity, head.chunk_len, head.heap_len), (b"u1", 0, 0))
        self.assertEqual(
            [plain(revision) for revision in head.revisions],
            [
                (number, 30, 1002, 1002, 0, 0, int.from_bytes(struct.pack("<d", value), "little"))
                for number, value in ((1, 2.5), (2, 0.25))
            ],
        )

    def test_the_numbers_side_by_side_are_read_otherwise(self) -> None:
        self.assertEqual(older_numbers(), OLDER_NUMBERS)

    def test_the_some_lists_of_event_times_are_read_otherwise(self) -> None:
        self.assertEqual(older_some_lists(), OLDER_SOME_LISTS)

    def test_the_timeline_and_a_chunk_by_it_are_read_otherwise(self) -> None:
        told = timeline()
        self.assertEqual((told.times, told.commits), ([10, 20, 35], [1000, 1001, 1007]))
        self.assertEqual([told.commit(time) for time in (9, 19, 20)], [1000, 1000, 1001])
        self.assertEqual(older_by_timeline(), OLDER_BY_TIMELINE)

    def test_the_hints_are_read_otherwise(self) -> None:
        found = hints(3, HINTS_OF_THREE)
        self.assertEqual(found, [Hint(0, 1), NO_HINT, Hint(1, 63)])
        self.assertEqual(found, [hint_to(0, 36), hint_to(0, 0), hint_to(100, 5000)])

    def test_the_integers_are_read_otherwise(self) -> None:
        self.assertEqual(list(read_ints(piece("83 02 14 05 50 01"), 3)), [10, 20, 35])
        steps = read_ints(piece("80 03 d0 0f 02 0a"), 6)
        self.assertEqual(list(steps), [1000, 1010, 1020, 1030, 1040, 1050])

    def test_lines_are_read_otherwise(self) -> None:
        lines = read_lines(piece("82 01 14 14 a0 03"), [2, 3])
        self.assertEqual([list(line) for line in lines], [[10, 20], [12, 22, 33]])
        self.assertEqual(lines[1][1], 22)

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


class Chunks(unittest.TestCase):
    """The forms that the lists of a chunk may have, and what a chunk may not hold."""

    def test_another_form_of_a_list_holds_other_revisions(self) -> None:
        # The event times of both columns are 10, 20; own ones lie before the values of a column.
        values, texts = CHUNK["first"], CHUNK["second"]
        own = {"times": "", "first": f"00 81 02 14 0a 02 {values}"}
        times: list[tuple[int, dict[str, str]]] = [
            (1, {}),
            (0, {"times": "80 01 14 14"}),
            (2, {**own, "ends": "0c 11", "second": f"01 {texts}"}),
            (2, {**own, "ends": "0c 15", "second": f"00 80 01 14 14 {texts}"}),
            # Some lists: one that both have, one for each of them in either order, and one that
            # none has, of event times that descend.
            (3, {"times": f"01 00 04 00 00 {CHUNK['times']}"}),
            (3, {"times": "02 80 01 04 04 01 00 02 80 01 14 14"}),
            (3, {"times": "02 80 01 04 04 01 00 01 80 01 14 14"}),
            (3, {"times": "02 80 01 04 04 00 00 05 05 ed 32 00"}),
        ]
        # The commits of both columns are 1000, 1001.
        commits: list[tuple[int, str]] = [
            (4, CHUNK["commits"]),
            (0, "80 01 d0 0f 02"),
            (8, "02 01 d0 0f 02 80 01 00 02"),
            # A list of 999 to 1002, of which there are places 1, 2.
            (8, "04 80 01 ce 0f 02 80 01 02 02"),
        ]
        for (of_times, parts), (of_commits, listed) in product(times, commits):
            flags = f"{0x50 | of_times | of_commits:02x}"
            with self.subTest(flags=flags, listed=listed, **parts):
                self.assertEqual(older_revisions(flags=flags, commits=listed, **parts), OLDER)

    def test_lists_of_other_lengths_begin_elsewhere(self) -> None:
        # The slope begins anew with the times and commits of a column, and not with its sources.
        found = older_revisions(
            flags="20",
            counts="01 02 01",
            ends="06 09",
            times="82 01 14 14 20",
            kinds="",
            second="05 01 79",
            commits="80 01 d0 0f 02",
            known="",
            sources="80 01 0a 02",
        )
        first, second = (1, 10, 1000, 1000, 0, 5, 7), (1, 20, 1001, 1001, 0, 6, 9)
        self.assertEqual(found, [first, second, (2, 12, 1000, 1000, 0, 7, b"y")])

    def test_what_a_chunk_may_not_hold_is_taken(self) -> None:
        own = {"times": "", "first": f"00 {CHUNK['times']} {CHUNK['first']}"}
        side_by_side = {"times": "80 01 14 14", "commits": "80 01 d0 0f 02"}
        refused: list[tuple[str, dict[str, str]]] = [
            ("widths", {"widths": "13"}),
            ("widths", {"widths": "01"}),
            ("with 257 lists", {"flags": "57"}),
            ("the table has none", {"flags": "5d"}),
            ("widths", {"flags": "d5"}),
            ("with 0 columns", {"columns": "00", "counts": ""}),
            ("with 65537 columns", {"widths": "10", "columns": "81 80 04"}),
            ("an id of 2", {"widths": "10", "ids": "80 80 80 80 10"}),
            ("ends above them all", {"widths": "10", "ids": "ff ff ff ff 0f"}),
            ("has feature 4", {"widths": "10", "ids": "03"}),
            ("has feature 0", {"widths": "10", "ids": "00"}),
            ("revisions or of too many", {"counts": "01 00 02"}),
            ("revisions or of too many", {"counts": "00 82 80 80 10"}),
            ("no constant", {"flags": "51", "counts": "01 04 00", **side_by_side}),
            ("no constant", {"flags": "54", "counts": "01 04 00", **side_by_side}),
            ("no constant", {"counts": "80 01 04 02"}),
            ("ids of features", {"ids": "02 02"}),
            ("ids of features", {"ids": "02 01"}),
            ("has feature 9", {"ids": "01 09"}),
            ("bodies of a chunk", {"ends": "06 05"}),
            ("column of values goes on", {"ends": "06 0b"}),
            ("are left", {"ends": "06 09"}),
            ("column 1 is not", {"flags": "56", **own, "ends": "0c 0e", "second": "02 00"}),
            ("column 0 is not", {"flags": "56", "times": "", "ends": "02 07", "first": "01 00"}),
            # The column that is referred to has one revision more than the other.
            (
                "column 0 has no",
                {"flags": "42", **own, "counts": "01 02 01", "ends": "0c 11", "second": "01 00"},
            ),
            # Column 2 refers to column 1, and that to column 0.
            (
                "column 1 has no",
                {
                    "flags": "16",
                    "columns": "03",
                    "ids": "01 02 03",
                    "ends": "0c 0e 10",
                    **{**own, "kinds": "", "second": "01 00 02 00"},
                },
            ),
            ("with 0 commits", {"flags": "59", "commits": "00"}),
            ("with 5 commits", {"flags": "59", "commits": "05 80 01 d0 0f 02 80 01 00 02"}),
            ("commits of a chunk", {"flags": "59", "commits": "02 00 d0 0f 80 01 00 02"}),
            ("a place that", {"flags": "59", "commits": "02 01 d0 0f 02 80 01 02 02"}),
            ("no such revision", {"kinds": "03 00 00 08"}),
            ("no such revision", {"flags": "75", "sources": "00 80 80 80 80 20"}),
            ("no such revision", {"known": "00 01"}),
            ("do not ascend", {"times": "00 14"}),
            ("a chunk goes on", {"sources": "00"}),
        ]
        for reason, parts in refused:
            with self.subTest(reason=reason, **parts), self.assertRaisesRegex(Damaged, reason):
                older_revisions(**parts)

    def test_another_form_beside_numbers_side_by_side_holds_other_revisions(self) -> None:
        times = [
            *((1, NUMBERS["times"]), (0, "80 01 14 14")),
            # Columns 0 and 2 have list 1, column 1 has list 0.
            (3, "02 80 01 04 04 01 00 05 80 01 14 14"),
        ]
        commits = [
            (4, NUMBERS["commits"]),
            (0, "80 01 d0 0f 02"),
            (8, "02 01 d0 0f 02 80 01 00 02"),
        ]
        for (of_times, listed_times), (of_commits, listed) in product(times, commits):
            flags = f"{0x80 | of_times | of_commits:02x}"
            with self.subTest(flags=flags, commits=listed):
                found = older_numbers(flags=flags, times=listed_times, commits=listed)
                self.assertEqual(found, OLDER_NUMBERS)
        # Widths of 2 and 4 bytes for the ids, and bases and rests of other forms.
        for widths, ids in (
            ("01", "01 02 03"),
            ("02", "01 00 02 00 03 00"),
            ("04", "01000000 02000000 03000000"),
        ):
            self.assertEqual(older_numbers(widths=widths, ids=ids), OLDER_NUMBERS)
        bases, rests = "80 01 0e c8 01", "08 03 02 04 02 00 02 04"
        self.assertEqual(older_numbers(bases=bases, rests=rests), OLDER_NUMBERS)

    def test_numbers_of_columns_of_other_lengths_lie_elsewhere(self) -> None:
        # The slope begins anew with the rests of a column, and not with kinds or known times.
        found = older_numbers(
            flags="f0",
            counts="02 02 21",
            times="80 01 14 14",
            kinds="01 00 04",
            rests="82 01 06 0e e4 00",
            commits="80 01 d0 0f 02",
            known="80 01 00 02",
            sources="80 01 0a 02",
        )
        expected: list[Older] = [
            (1, 10, 1000, 1000, 0, 5, 7 + 3 + 0),
            (1, 20, 1000, 1001, 0, 6, 7 + 3 + 7 + 1),
            (2, 10, 998, 1000, 1, 7, None),
            (3, 10, 997, 1000, 0, 8, 207 + 3 + 3),
            (3, 20, 997, 1001, 0, 9, 207 + 3 + 7 + 0),
            (3, 30, 997, 1002, 0, 10, 207 + 3 + 14 + 0),
        ]
        self.assertEqual(found, expected)

    def test_numbers_of_several_types_are_others(self) -> None:
        def bits(layout: str, number: float) -> int:
            return int.from_bytes(struct.pack(layout, number), "little")

        # Form 1 of i64, form 2 with the exponent 2, form 3 with the exponent 1, form 1 of bool.
        found = older_numbers(
            columns="04",
            ids="03",
            codes="06 00 81 38 05",
            bases=f"40 00 {'ff' * 8} {'9c' + 'ff' * 7} {'05' + '00' * 7} {'00' * 8}",
            rests="08 01 00 03 00 fb 01 03 01 02",
        )
        self.assertEqual(
            [revision[-1] for revision in found],
            [
                *((1 << 64) - 2, 1),
                *(bits("<d", -1.01), bits("<d", 1.5)),
                *(bits("<f", 0.5), bits("<f", 0.7)),
                *(0, 1),
            ],
        )

    def test_what_numbers_side_by_side_may_not_be_is_taken(self) -> None:
        def ids(digits: str) -> dict[str, str]:
            return {"widths": "01", "ids": digits}

        refused: list[tuple[str, dict[str, str]]] = [
            ("widths", {"widths": "10"}),
            ("widths", {"widths": "11"}),
            ("widths", {"widths": "41"}),
            ("widths", {"widths": "03"}),
            ("flags", {"flags": "82", "times": ""}),
            ("flags", {"flags": "86", "times": ""}),
            ("with 257 lists", {"flags": "87"}),
            ("the table has none", {"flags": "8d"}),
            ("no constant", {"counts": "01 04 00"}),
            ("has feature 9", ids("01 02 09")),
            ("has feature 8", {"ids": "06", "codes": "00 00"}),
            # Forms 0, 4 and 15, an exponent for form 1, exponents of 10 and far more.
            ("code 0x0", {"codes": "00 00"}),
            ("code 0x4", {"codes": "00 08"}),
            ("code 0xf", {"codes": "00 1e"}),
            ("code 0x11", {"codes": "00 22"}),
            ("code 0xa2", {**ids("01 03 04"), "codes": "08 02 00 00 a1"}),
            ("code 0xa3", {**ids("01 03 05"), "codes": "08 02 00 00 a2"}),
            ("code 0x1002", {**ids("01 03 04"), "codes": "0d 02 00 00 00 04 40"}),
            ("code 0xf+1", {"codes": "00 1d"}),
            ("code 0x4", {"codes": "02 02 30"}),
            ("form 1 for a feature of type text", ids("01 02 07")),
            ("form 2 for a feature of type i64", {"codes": "02 02 10"}),
            ("form 2 for a feature of type f32", {**ids("01 02 05"), "codes": "02 02 10"}),
            ("form 3 for a feature of type f64", {**ids("01 02 04"), "codes": "02 02 20"}),
            ("neither 0 nor 1", ids("01 02 06")),
            ("high half of an f32", {**ids("01 02 05"), "bases": "81 01 00 ff ff ff ff 7f 04"}),
            ("a column of integers", {"codes": "3a 02"}),
            ("are left", {"commits": ""}),
            ("a chunk goes on", {"sources": "00"}),
        ]
        for reason, parts in refused:
            with self.subTest(reason=reason, **parts), self.assertRaisesRegex(Damaged, reason):
                older_numbers(**parts)


class SomeLists(unittest.TestCase):
    """Event times in some lists, of which each column has one, and what such a chunk may not hold."""

    def test_a_slope_begins_anew_with_a_column(self) -> None:
        # With a list it does, of which list 1 is that of columns 0 and 1.
        parts = {"list_ends": "80 01 02 04", "numbers": "01 00 03", "times": "82 01 08 0a 34"}
        found = [time for _, time, *_ in older_some_lists(**parts)]
        self.assertEqual(found, [4 + 1, 4 + 5 + 3, 4 + 1, 4 + 5 + 3, 4 + 0])

    def test_a_list_that_no_column_has_is_refused(self) -> None:
        for ends, numbers, times in (
            # The last, of 9; the first and the second, of times that descend.
            ("80 01 04 02", "01 00 04", "04 12 b1 06"),
            ("02 04 38", "02 00 25", "04 14 0a a0 05"),
            ("02 04 38", "02 00 20", "04 14 a0 0a 05"),
        ):
            parts = {"lists": "03", "list_ends": ends, "numbers": numbers, "times": times}
            with self.subTest(**parts):
                self.assertEqual(older_some_lists(**parts), OLDER_SOME_LISTS)

    def test_commits_of_some_lists_go_by_no_timeline(self) -> None:
        found = older_by_timeline(flags="0f", times=f"01 00 10 00 00 {BY_TIMELINE['times']}")
        self.assertEqual(found, OLDER_BY_TIMELINE)

    def test_what_some_lists_may_not_be_is_taken(self) -> None:
        refused: list[tuple[str, dict[str, str]]] = [
            ("flags", {"flags": "82"}),
            ("with 0 lists", {"lists": "00", "list_ends": ""}),
            ("with 4 lists", {"lists": "04"}),
            ("with 18446744073709551615 lists", {"lists": "ff ff ff ff ff ff ff ff ff 01"}),
            # Ends of 2 and 0, of 2 and 6, of 2^24 and of 2^64 - 1.
            ("0 event times in lists", {"list_ends": "02 00 02"}),
            ("6 event times in lists", {"list_ends": "03 00 32"}),
            ("16777216 event times in lists", {"list_ends": "00 80 80 80 10"}),
            ("18446744073709551615 event times in lists", {"list_ends": "00 01"}),
            # Ends of 2 and 2, of 3 and 4, of 1 and 3, of 2 and 1, and of 2^64 - 1 and 1, of which
            # all columns have the second list: it is one of 2 modulo 2^64.
            ("of 1 revisions has a list from 2 to 2", {"list_ends": "00 04"}),
            ("of 2 revisions has a list from 0 to 3", {"list_ends": "01 06 02"}),
            ("of 2 revisions has a list from 0 to 1", {"list_ends": "80 01 02 04"}),
            ("from 0 to 2 of 1 event times", {"list_ends": "01 02 01"}),
            ("from 18446744073709551615 to 1", {"list_ends": "02 01 08", "numbers": "00 02"}),
            # Of the last column list 2, of each list 2^64 - 1.
            ("has list 2 of 2", {"numbers": "02 00 20"}),
            ("has list 18446744073709551615 of 2", {"numbers": "00 01"}),
            # Of all columns the first list, or the second, or of each column the other one.
            ("of 1 revisions has a list from 0 to 2", {"numbers": "00 00"}),
            ("of 2 revisions has a list from 2 to 3", {"numbers": "00 02"}),
            ("of 2 revisions has a list from 2 to 3", {"numbers": "01 00 03"}),
            ("a column of integers", {"list_ends": "3a 02"}),
            ("a column of integers", {"numbers": "3a 02"}),
            ("a column of integers", {"times": "3a 02"}),
            ("are left", {"commits": ""}),
            ("a chunk goes on", {"sources": "00"}),
            ("no constant", {"flags": "87"}),
            ("revisions of a column do not ascend", {"times": "00 14"}),
        ]
        for reason, parts in refused:
            with self.subTest(reason=reason, **parts), self.assertRaisesRegex(Damaged, reason):
                older_some_lists(**parts)


if __name__ == "__main__":
    unittest.main()
