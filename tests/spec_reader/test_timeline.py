#!/usr/bin/env python3
"""Tests of the second reader: timelines, and the heads and chunks that go by one.

    python3 tests/spec_reader/test_timeline.py
"""

import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

from examples import (  # noqa: E402
    BY_TIMELINE,
    FEATURES,
    NEWEST,
    NUMBER_FEATURES,
    OLDER_BY_TIMELINE,
    Older,
    newest,
    older_by_timeline,
    revisions_of,
    timeline,
)
from reader.damage import Damaged  # noqa: E402
from reader.timeline import Timeline  # noqa: E402


class Heads(unittest.TestCase):
    """The forms of ids and commits that a head may have, and what it may not hold."""

    def test_another_form_of_ids_or_commits_holds_other_revisions(self) -> None:
        told = Timeline([-5, 0], [1001, 1002])
        for id_width, ids in ((0, "01000000"), (1, "01 02"), (2, "0100 0200")):
            for commit_width, commits in ((0, ""), (2, "0000 0000"), (15, "")):
                widths = f"{0x10 | id_width:02x} {commit_width:02x}"
                with self.subTest(widths=widths):
                    self.assertEqual(newest(told, widths=widths, ids=ids, commits=commits), NEWEST)
        # Event times 30 and 20; the known times are 3 and 4 before the commits.
        known = "0300000000000000 0400000000000000"
        found = newest(Timeline([1, 21], [998, 1002]), widths="11 1f", commits=known)
        expected = [(1, 30, 999, 1002, 0, 0, 11), (2, 20, 994, 998, 0, 0, b"yz")]
        self.assertEqual(found, expected)

    def test_what_a_head_may_not_hold_is_taken(self) -> None:
        refused: list[tuple[str, Timeline | None, dict[str, str]]] = [
            ("widths", None, {"widths": "13 00"}),
            ("widths", None, {"widths": "91 00"}),
            *(("widths", timeline(), {"widths": f"11 {width:02x}"}) for width in range(9, 15)),
            ("widths", None, {"widths": "11 80"}),
            ("the table has none", None, {"widths": "11 0f"}),
            ("another greatest", Timeline([0], [1001]), {"widths": "11 0f"}),
            ("another greatest", Timeline([0, 25], [1000, 1003]), {"widths": "11 0f"}),
            ("ids of features", None, {"ids": "02 01"}),
            ("ids of features", None, {"ids": "01 01"}),
            ("ends above them all", None, {"widths": "10 00", "ids": "ffffffff"}),
            ("has feature 4", None, {"widths": "10 00", "ids": "03000000"}),
            ("has feature 0", None, {"widths": "10 00", "ids": "00000000"}),
            ("must be zero", None, {"zero": "01"}),
        ]
        for reason, told, parts in refused:
            with self.subTest(reason=reason, **parts), self.assertRaisesRegex(Damaged, reason):
                newest(told, **parts)


class Timelines(unittest.TestCase):
    """What a timeline tells, chunks that go by one, and what neither may hold."""

    def test_a_timeline_tells_another_commit(self) -> None:
        least, greatest = -(1 << 63), (1 << 63) - 1
        told = Timeline([-20, -10, 7], [-3, 5, 6])
        for time, commit in (
            *((least, -3), (-21, -3), (-20, -3), (-11, -3), (-10, 5), (6, 5)),
            *((7, 6), (8, 6), (greatest, 6)),
        ):
            self.assertEqual(told.commit(time), commit)
        # Event times that are negative, and the ends of all time, ascend as moments do.
        ends = "40 00 00000000000000 80 ffffffffffffff 7f"
        read = timeline(count="02", times=ends, commits=ends)
        self.assertEqual((read.times, read.commits), ([least, greatest], [least, greatest]))
        self.assertEqual(timeline(count="01", times="00 01", commits="00 02"), Timeline([-1], [1]))

    def test_what_a_timeline_may_not_be_is_taken(self) -> None:
        steps = {"times": "80 01 00 02", "commits": "80 01 00 02"}
        greatest = timeline(count="80 80 10", **steps)
        self.assertEqual((len(greatest.times), greatest.commit(1 << 40)), (262_144, 262_143))
        refused: list[tuple[str, dict[str, str]]] = [
            ("of 0 steps", {"count": "00", "times": "", "commits": ""}),
            ("of 0 steps", {"count": "00"}),
            ("of 262145 steps", {"count": "81 80 10", **steps}),
            ("do not ascend", {"times": "00 14"}),
            ("do not ascend", {"commits": "00 14"}),
            ("do not ascend", {"times": "80 01 14 01"}),
            ("do not ascend", {"commits": "80 01 14 01"}),
            ("are left", {"commits": ""}),
            ("are left", {"commits": "03 d0 0f c8"}),
            ("goes on", {"commits": "03 d0 0f c8 01 00"}),
        ]
        for reason, parts in refused:
            with self.subTest(reason=reason, **parts), self.assertRaisesRegex(Damaged, reason):
                timeline(**parts)

    def test_another_form_of_a_list_holds_other_revisions(self) -> None:
        # Of a listed revision the timeline may tell the very commit, and all may be listed.
        for listed, places, commits in (
            ("02", "80 01 04 02", "03 d0 0f 05"),
            ("02", "02 00 08", "03 d0 0f 28"),
            ("08", "80 01 00 02", "04 d0 0f 00 05 10 71"),
        ):
            parts = {"listed": listed, "places": places, "commits": commits}
            with self.subTest(**parts):
                self.assertEqual(older_by_timeline(**parts), OLDER_BY_TIMELINE)
        # None is listed.
        found = older_by_timeline(listed="00", places="", commits="")
        told = [commit for _, _, _, commit, *_ in found]
        self.assertEqual(told, [1000] * 5 + [1001] * 2 + [1007])

    def test_places_begin_anew_with_a_column(self) -> None:
        # Columns of two and of three revisions, with known times, of which places 1 and 2 are
        # listed: the last of the first column, and the first of the second.
        found = revisions_of(
            {
                "widths": "00",
                "flags": "9c",
                "columns": "02",
                "counts": "01 04 02",
                "ids": "02",
                "times": "80 01 14 14",
                "codes": "00 02",
                "bases": "00 0e",
                "rests": "00 00",
                "listed": "02",
                "places": "80 01 02 02",
                "commits": "80 01 c8 0f 02",
                "known": "80 01 00 02",
            },
            NUMBER_FEATURES,
            timeline(),
        )
        expected: list[Older] = [
            (2, 10, 1000, 1000, 0, 0, 7),
            (2, 20, 995, 996, 0, 0, 7),
            (3, 10, 995, 997, 0, 0, 7),
            (3, 20, 998, 1001, 0, 0, 7),
            (3, 30, 997, 1001, 0, 0, 7),
        ]
        self.assertEqual(found, expected)

    def test_what_a_chunk_by_a_timeline_may_not_hold_is_taken(self) -> None:
        refused: list[tuple[str, dict[str, str]]] = [
            ("lists 9 of them", {"listed": "09", "places": "80 01 00 02"}),
            ("listed revisions do not ascend", {"listed": "02", "places": "00 04"}),
            ("listed revisions do not ascend", {"listed": "02", "places": "80 01 04 01"}),
            ("is listed that there is not", {"places": "00 10"}),
            ("is listed that there is not", {"places": "00 01"}),
            ("is listed that there is not", {"listed": "02", "places": "80 01 04 0c"}),
            ("are left", {"commits": ""}),
            ("goes on", {"listed": "00", "places": ""}),
            ("no constant", {"counts": "80 01 10 02"}),
            ("revisions of a column do not ascend", {"times": "00 14"}),
        ]
        for reason, parts in refused:
            with self.subTest(reason=reason, **parts), self.assertRaisesRegex(Damaged, reason):
                older_by_timeline(**parts)
        with self.assertRaisesRegex(Damaged, "the table has none"):
            revisions_of(BY_TIMELINE, FEATURES)


if __name__ == "__main__":
    unittest.main()
