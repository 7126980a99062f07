#!/usr/bin/env python3
"""Tests of the second reader: heads of numbers, hints, and where sections stand.

    python3 tests/spec_reader/test_rows.py
"""

import os
import struct
import sys
import unittest
from fractions import Fraction

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

from examples import (  # noqa: E402
    CHUNK,
    DIRECTORY_OF_ONE,
    HEAD,
    TIMELINE,
    directory,
    hints,
    newest,
    number_head,
    sections,
    table_file,
)
from reader.catalog import Stored  # noqa: E402
from reader.codes import CODES  # noqa: E402
from reader.damage import Damaged, NewerFormat  # noqa: E402
from reader.head import Revision  # noqa: E402
from reader.hints import NO_HINT, Hint, hint_to  # noqa: E402
from reader.layout import CHECKSUMS, HEADS, HINTS, METADATA, Section, read_layout  # noqa: E402
from reader.layout import TIMELINE as TIMELINE_TAG  # noqa: E402
from reader.table import read_table  # noqa: E402

LEAST, GREATEST = -(1 << 31), (1 << 31) - 1
# Kinds follow the ids where a head has the flag of them.
HAS_KINDS = "01 40"
# That of the example of a chunk.
HINT = "01 00 00 00"
ONE = {"lengths": "02 00 00 00", "ids": "03"}


def f64(value: float) -> int:
    return int.from_bytes(struct.pack("<d", value), "little")


def four(number: int) -> str:
    return (number & 0xFFFF_FFFF).to_bytes(4, "little").hex()


def eight(number: int) -> str:
    return number.to_bytes(8, "little").hex()


def values(revisions: list[Revision]) -> list[Stored | None]:
    return [revision.value.value if revision.value else None for revision in revisions]


class Numbers(unittest.TestCase):
    """What a code makes of four bytes, and what a head of numbers may not hold."""

    def bits(self, code: int, number: int) -> Stored | None:
        """Those of a number alone in a head, which are the same where the code is its own."""
        whole = values(number_head(**ONE, form=f"{code:02x}", numbers=four(number)).revisions)
        own = number_head(**ONE, form="01", codes=f"{code:02x}", numbers=four(number)).revisions
        self.assertEqual(values(own), whole)
        (only,) = whole
        return only

    def test_a_code_makes_other_bits(self) -> None:
        self.assertEqual(CODES, (16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 32, 48))
        for exponent in range(10):
            for mantissa in (0, 1, -1, 3, -7, 123_456_789, LEAST, LEAST + 1, GREATEST):
                with self.subTest(exponent=exponent, mantissa=mantissa):
                    # The nearest f64 without a division of two of them.
                    nearest = float(Fraction(mantissa, 10**exponent))
                    self.assertEqual(self.bits(16 + exponent, mantissa), f64(nearest))
        for number, bits in (
            *((0, 0), (1, 1), (GREATEST, 0x7FFF_FFFF)),
            *((-1, 0xFFFF_FFFF_FFFF_FFFF), (LEAST, 0xFFFF_FFFF_8000_0000)),
        ):
            self.assertEqual(self.bits(32, number), bits)
        for number in (0, 1, 1 << 31, (1 << 32) - 1):
            self.assertEqual(self.bits(48, number), number)
        # Zero is the positive one by any code.
        self.assertEqual({self.bits(code, 0) for code in CODES}, {0})

    def test_a_code_is_refused_for_a_type(self) -> None:
        # An i64 of the bits of 0.5, two f64 of small bits, an f32 of -1.0, a bool.
        head = number_head(
            lengths="02 00 04 00",
            ids="01 02 03 05 06",
            form="01",
            codes="20 30 11 30 10",
            numbers=f"{four(-1)} {four(3)} {four(5)} 000080bf {four(0)}",
        )
        found = [(1 << 64) - 1, 3, f64(0.5), 0xBF80_0000, 0]
        self.assertEqual(values(head.revisions), found)
        same = number_head(lengths="02 00 01 00", ids="05 06", form="30", numbers=four(1) * 2)
        self.assertEqual(values(same.revisions), [1, 1])

    def test_numbers_lie_elsewhere_beside_other_lists(self) -> None:
        # Behind an own commit, known time, source and kind of each lie the codes.
        head = number_head(
            widths="10 71",
            ids="01000000",
            entity="75 31",
            lists=f"000a 0100 {eight(2)} {eight(3)} 0500000006000000 00 01",
            form="01",
            codes="11 20",
            numbers=f"{four(25)} {four(0)}",
        )
        first, second = head.revisions
        self.assertEqual((first.event_time, second.event_time), (30, 20))
        self.assertEqual((first.commit, first.known_time, first.source), (1001, 999, 5))
        self.assertEqual((second.commit, second.known_time, second.source), (1002, 999, 6))
        self.assertEqual(values(head.revisions), [f64(2.5), None])

    def test_what_has_no_value_has_no_place_among_numbers(self) -> None:
        # Null, deleted, stub: of a number, of a text and of a vector.
        for form, codes in (*((f"{code:02x}", "") for code in CODES), ("01", "20 10 30 19")):
            head = number_head(
                lengths="02 00 03 00",
                widths=HAS_KINDS,
                ids="01 02 07 09",
                lists="00 01 02 03",
                form=form,
                codes=codes,
                numbers=f"{four(0)} {four(0)} {four(0)} {four(0)}",
            )
            self.assertEqual(values(head.revisions), [0, None, None, None])
            self.assertEqual([revision.kind for revision in head.revisions], [0, 1, 2, 3])

    def test_what_a_head_of_numbers_may_not_hold_is_taken(self) -> None:
        own = {"form": "01", "codes": "12 12"}
        zeros = f"{four(0)} {four(0)}"
        forms = (2, 15, 26, 31, 33, 47, 49, 64, 0x80 | 16, 255)
        refused: list[tuple[str, dict[str, str]]] = [
            *((f"of form {form}$", {"form": f"{form:02x}"}) for form in forms),
            *(
                (f"the code {code}$", {**own, "codes": codes})
                for code in (0, 1, *forms)
                for codes in (f"{code:02x} 12", f"12 {code:02x}")
            ),
            # Also where there is no value.
            (
                "the code 2$",
                {"widths": HAS_KINDS, "lists": "00 01", **own, "codes": "12 02", "numbers": zeros},
            ),
            ("must be zero", {"zero": "01"}),
            ("must be zero", {"zero": "80"}),
            ("must be zero", {**own, "zero": "12"}),
            ("a text in a head of numbers", {"ids": "01 07", "numbers": zeros}),
            ("a bytes in a head of numbers", {"ids": "01 08", "numbers": zeros}),
            ("a vector.1. in a head of numbers", {"ids": "01 09", "numbers": zeros}),
            ("a text in a head of numbers", {"ids": "01 07", **own, "numbers": zeros}),
            *(
                ("without a value", {"widths": HAS_KINDS, "lists": f"00 {kind:02x}", **parts})
                for kind in (1, 2, 3)
                for parts in ({}, own)
            ),
            ("without a value", {"widths": HAS_KINDS, "lists": "00 01", "ids": "01 07"}),
            ("no kind", {"widths": HAS_KINDS, "lists": "00 04"}),
            ("high half of an f32", {"ids": "01 05", "form": "20", "numbers": four(-1) * 2}),
            ("high half of an f32", {"ids": "01 05"}),
            ("neither 0 nor 1", {"ids": "01 06", "form": "30", "numbers": four(2) * 2}),
            ("neither 0 nor 1", {"ids": "01 06"}),
            ("are left", {"numbers": "fa 00 00 00 19 00 00"}),
            ("are left", {**own, "numbers": "12 12 12 12 12 12 12"}),
            # Nothing stands behind the numbers.
            ("goes on", {"numbers": "fa 00 00 00 19 00 00 00 00"}),
            ("goes on", {"codes": "12 12"}),
        ]
        for reason, parts in refused:
            with self.subTest(reason=reason, **parts), self.assertRaisesRegex(Damaged, reason):
                number_head(**parts)

    def test_a_slot_without_a_value_is_not_zero(self) -> None:
        text = HEAD["slots"][len("0b 00 00 00 00 00 00 00 ") :]
        found = newest(widths="11 40", commits="01 00", slots=f"{eight(0)} {text}")
        self.assertEqual([revision[-1] for revision in found], [None, b"yz"])
        for kinds in ("01 00", "00 01"):
            with self.assertRaisesRegex(Damaged, "without a value"):
                newest(widths="11 40", commits=kinds)


class Directories(unittest.TestCase):
    """The rows of a directory, each of eight bytes."""

    def test_the_rows_are_others(self) -> None:
        rows = directory(
            rows=eight(2),
            starts="00 00 00 00 02 00 00 00",
            row=f"{eight(7 << 32 | 5)} {eight(8 << 32 | 6)}",
        ).rows
        self.assertEqual([(row.low_hash, row.head) for row in rows], [(7, 5), (8, 6)])
        none = directory(rows=eight(0), starts="00 00 00 00 00 00 00 00", row="")
        self.assertEqual(none.rows, [])

    def test_a_directory_of_another_length_is_taken(self) -> None:
        row = DIRECTORY_OF_ONE["row"]
        for parts in (
            {"row": ""},
            {"row": row[: len("00 00 00 00 73 04 f8")]},
            {"row": f"{row} 00"},
            # Something of four bytes behind each row.
            {"row": f"{row} 01 00 00 00"},
            {"row": f"{row} {row}"},
            {"rows": eight(0)},
            {"rows": eight(2)},
            {"buckets": eight(2)},
            {"rows": eight((1 << 32) - 1)},
        ):
            with self.subTest(**parts), self.assertRaisesRegex(Damaged, "of another length"):
                directory(**parts)


class Hints(unittest.TestCase):
    """The hints to chunks, and the heads that tell the same."""

    def test_a_chunk_lies_in_other_lines(self) -> None:
        line, end = 64, 1 << 32
        for start, length, first, count in (
            *((0, 36, 0, 1), (0, 1, 0, 1), (0, 64, 0, 1), (0, 65, 0, 2), (63, 1, 0, 1)),
            *((63, 2, 0, 2), (64, 1, 1, 1), (65, 63, 1, 1), (65, 64, 1, 2), (63, 66, 0, 3)),
            # As many lines as can be told, and more.
            *((0, 62 * line, 0, 62), (0, 62 * line + 1, 0, 63), (0, 63 * line, 0, 63)),
            *((0, 63 * line + 1, 0, 63), (1, 63 * line, 0, 63), (7, end - 1, 0, 63)),
            # It begins as late as can be told, and later.
            *((end - 1, 1, (1 << 26) - 1, 1), (end - 1, 2, (1 << 26) - 1, 2)),
            *((end - line, 1, (1 << 26) - 1, 1), (end - 1, end - 1, (1 << 26) - 1, 63)),
            *((end, 1, 0, 0), (end + 64, 99, 0, 0), ((1 << 64) - 1, end - 1, 0, 0)),
            # There is no chunk, wherever it would begin.
            *((0, 0, 0, 0), (640, 0, 0, 0), (end, 0, 0, 0)),
        ):
            with self.subTest(start=start, length=length):
                self.assertEqual(hint_to(start, length), Hint(first, count))

    def test_the_hints_are_others(self) -> None:
        for digits, hint in (
            ("00 00 00 00", NO_HINT),
            ("3f 00 00 00", Hint(0, 63)),
            ("40 00 00 00", Hint(1, 0)),
            ("c3 ff ff ff", Hint((1 << 26) - 1, 3)),
        ):
            self.assertEqual(hints(1, digits), [hint])
        self.assertEqual(hints(0, ""), [])

    def test_hints_of_another_length_are_taken(self) -> None:
        for rows, digits in (
            *((0, "00"), (0, HINT), (1, ""), (1, "01 00 00"), (1, f"{HINT} 00")),
            *((1, f"{HINT} {HINT}"), (2, HINT), (3, f"{HINT} {HINT}"), ((1 << 32) - 1, HINT)),
        ):
            reason = f"bytes of hints for {rows} rows"
            with self.subTest(digits=digits), self.assertRaisesRegex(Damaged, reason):
                hints(rows, digits)
        for digits in ("", "01 00 00", f"{HINT} {HINT}"):
            data = table_file({**sections(), HINTS: digits})
            with self.subTest(digits=digits), self.assertRaisesRegex(Damaged, "for 1 rows"):
                read_table("example", data)

    def test_hints_that_the_head_contradicts_are_taken(self) -> None:
        for start, word in ((0, 1), (28, 1), (29, 2), (63, 2), (64, 64 | 1), (92, 64 | 1)):
            # The heap behind the chunk, which no column claims, has no part in it.
            history = "00" * start + " ".join(CHUNK.values()) + "00" * 99
            parts = sections({"chunk": f"{four(36)} {four(99)} {eight(start)}"}, history)
            table = read_table("example", table_file({**parts, HINTS: four(word)}))
            (row,) = table.rows
            assert row.chunk is not None
            self.assertEqual((row.chunk_place, len(row.chunk.columns)), (56 + start, 2))
            self.assertEqual(table.hints, [hint_to(start, 36)])
            for other in (0, word ^ 1, word ^ 3, word ^ 32, word ^ 64, word ^ 1 << 31):
                data = table_file({**parts, HINTS: four(other)})
                with (
                    self.subTest(start=start, hint=other),
                    self.assertRaisesRegex(Damaged, "a hint is .*, and its head tells"),
                ):
                    read_table("example", data)

    def test_a_hint_to_no_chunk_is_taken(self) -> None:
        # The place of a chunk that is not there means nothing, to the hint neither.
        for place in (0, 1, 64, (1 << 64) - 1):
            parts = sections({"chunk": f"{four(0)} {four(0)} {eight(place)}"})
            for word in (1, 64, 65, 1 << 31):
                data = table_file({**parts, HINTS: four(word)})
                with (
                    self.subTest(place=place, hint=word),
                    self.assertRaisesRegex(Damaged, "a hint is .*, and its head tells"),
                ):
                    read_table("example", data)
            # The hint of 0 is as it should be, and the metadata counts the chunk that is not there.
            with self.assertRaisesRegex(Damaged, "the metadata tells"):
                read_table("example", table_file({**parts, HINTS: four(0)}))

    def test_a_table_without_hints_is_refused(self) -> None:
        without = read_table("example", table_file(sections()))
        with_hints = read_table("example", table_file({**sections(), HINTS: HINT}))
        self.assertEqual((without.hints, with_hints.hints), (None, [Hint(0, 1)]))
        found = [[*row.revisions()] for table in (without, with_hints) for row in table.rows]
        self.assertEqual(len(found[0]), 6)
        self.assertEqual(found[0], found[1])


class Sections(unittest.TestCase):
    """Where the sections of a table stand, in what order they are listed, and what is refused."""

    def test_sections_that_are_listed_in_another_order_are_refused(self) -> None:
        parts = {**sections(), HINTS: HINT}
        listed = read_layout("example", table_file(parts)).sections
        self.assertEqual(list(listed), [*parts, CHECKSUMS])
        self.assertEqual(listed[HINTS].end, listed[CHECKSUMS].start)
        backwards = read_table("example", table_file(parts, is_listed_backwards=True))
        self.assertEqual(list(backwards.layout.sections), [CHECKSUMS, *reversed(parts)])
        self.assertEqual(backwards.layout.sections, listed)

    def test_a_section_of_no_name_is_not_passed_over(self) -> None:
        for parts in ({**sections(), 11: "00", HINTS: HINT}, {11: "", **sections(), HINTS: HINT}):
            table = read_table("example", table_file(parts, ignorable=(HINTS, 11)))
            self.assertNotIn(11, table.layout.sections)
            with self.assertRaises(NewerFormat):
                read_table("example", table_file(parts))

    def test_sections_in_another_order_are_taken(self) -> None:
        order = [*sections(), HINTS]
        parts = {**sections(), HINTS: HINT}
        for index in range(len(order) - 1):
            # One of them stands behind all of the others.
            other = [*order[:index], *order[index + 1 :], order[index]]
            data = table_file({tag: parts[tag] for tag in other})
            with self.subTest(order=other), self.assertRaisesRegex(Damaged, "of its order"):
                read_layout("example", data)

    def test_a_timeline_behind_hints_is_taken(self) -> None:
        steps = " ".join(TIMELINE.values())
        read_table("example", table_file({**sections(), TIMELINE_TAG: steps, HINTS: HINT}))
        data = table_file({**sections(), HINTS: HINT, TIMELINE_TAG: steps})
        with self.assertRaisesRegex(Damaged, "hints stands out of its order"):
            read_table("example", data)

    def test_sections_that_overlap_or_are_there_twice_are_taken(self) -> None:
        parts = {**sections(), HINTS: HINT}
        whole = read_layout("example", table_file(parts)).sections
        refused: list[tuple[str, bytes]] = [
            ("of its order", table_file(parts, moved={HINTS: (-1, 0)})),
            ("of its order", table_file(parts, moved={METADATA: (0, 1)})),
            ("of its order", table_file(parts, moved={HEADS: (-1, 1)})),
            ("behind the pages", table_file(parts, moved={HINTS: (0, 1)})),
            ("behind the pages", table_file(parts, moved={HINTS: (1, 0)})),
            ("is there twice", table_file(parts, also=(whole[HINTS],))),
            ("is there twice", table_file(parts, also=(whole[METADATA],))),
        ]
        # Of one that is passed over the end is looked at.
        for reason, start, length in (
            ("behind the pages", whole[CHECKSUMS].start, 1),
            ("outside of its place", 1 << 20, 0),
        ):
            data = table_file(parts, also=(Section(11, start, length),), ignorable=(HINTS, 11))
            refused.append((reason, data))
        empty = Section(11, whole[HINTS].start, 0)
        for passed in (empty, Section(11, 0, 9), Section(11, whole[METADATA].start, 1)):
            read_table("example", table_file(parts, also=(passed,), ignorable=(HINTS, 11)))
        twice = table_file(parts, also=(empty, empty), ignorable=(HINTS, 11))
        refused.append(("tag 11 is there twice", twice))
        for reason, data in refused:
            with self.subTest(reason=reason), self.assertRaisesRegex(Damaged, reason):
                read_table("example", data)


if __name__ == "__main__":
    unittest.main()
