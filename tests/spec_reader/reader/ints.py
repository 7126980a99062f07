"""Columns of integers (SPEC 4.11): packed bits behind a base, a slope and a scale.

A column may be far longer than its bytes: one of equal numbers takes two bytes. So the numbers are
worked out when they are asked for, and none are kept. Several lists may lie in one column: as parts
of it, or as lines, with which the slope begins anew.
"""

from collections.abc import Iterator, Sequence
from itertools import accumulate

from .wire import MASK_64, Cursor, signed

WIDTH, HAS_SLOPE, HAS_SCALE = 127, 128, 256
MAX_PACKED_WIDTH = 57


class Ints(Sequence[int]):
    """The numbers of a column, unsigned modulo 2^64."""

    def __init__(
        self,
        length: int,
        form: int,
        base: int,
        slope: int,
        scale: int,
        packed: bytes,
        packed_before: int = 0,
    ) -> None:
        self.length = length
        self.form = form
        self.width = form & WIDTH
        self.base = base
        self.slope = slope
        self.scale = scale
        self.packed = packed
        # How many packed numbers are those of lists before this one.
        self.packed_before = packed_before

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> int:  # type: ignore[override]
        if not 0 <= index < self.length:
            raise IndexError(index)
        first_bit = self.width * (self.packed_before + index)
        last_byte = (first_bit + self.width + 7) // 8
        window = int.from_bytes(self.packed[first_bit // 8 : last_byte], "little")
        packed = window >> (first_bit % 8) & ((1 << self.width) - 1)
        return (self.base + self.scale * (self.slope * index + packed)) & MASK_64

    def __iter__(self) -> Iterator[int]:
        return (self[index] for index in range(self.length))

    @property
    def is_constant(self) -> bool:
        """Whether it is written as one number, with width 0 and a slope of 0."""
        return self.width == 0 and self.slope == 0

    def moment(self, index: int) -> int:
        """A number as two's complement: a moment or a mantissa."""
        return signed(self[index])

    def line(self, first: int, length: int) -> "Ints":
        """The list whose packed numbers begin with number `first`, and its slope with 0."""
        return Ints(length, self.form, self.base, self.slope, self.scale, self.packed, first)

    def part(self, first: int, length: int) -> "Ints":
        """So many of these numbers, from number `first` on."""
        base = self.base + self.scale * self.slope * first
        return Ints(length, self.form, base, self.slope, self.scale, self.packed, first)

    def above(self, number: int) -> "Ints":
        """These numbers, each with another number added."""
        base, before = self.base + number, self.packed_before
        return Ints(self.length, self.form, base, self.slope, self.scale, self.packed, before)


def read_ints(cursor: Cursor, count: int) -> Ints:
    """So many integers. None take no bytes at all."""
    if count == 0:
        return Ints(0, 0, 0, 0, 1, b"")
    start = cursor.at
    form = cursor.varint()
    width = form & WIDTH
    if form > 511 or (width > MAX_PACKED_WIDTH and width != 64):
        cursor.at = start
        raise cursor.damaged(f"a column of integers with form {form}")
    base = cursor.zigzag()
    slope = cursor.zigzag() if form & HAS_SLOPE else 0
    scale = cursor.varint() if form & HAS_SCALE else 1
    if form & HAS_SCALE and scale < 2:
        cursor.at = start
        raise cursor.damaged("a column of integers with a scale below 2")
    packed = cursor.take((width * count + 7) // 8)
    return Ints(count, form, base, slope, scale, packed)


def read_lines(cursor: Cursor, counts: Sequence[int]) -> list[Ints]:
    """Lists of so many integers each, written with one head, the slope anew with each."""
    lines = read_ints(cursor, sum(counts))
    return [lines.line(first, count) for first, count in firsts(counts)]


def read_lists(cursor: Cursor, counts: Sequence[int], is_one: bool) -> list[Ints]:
    """The list of each column: one for all of them, or lines."""
    if is_one:
        return [read_ints(cursor, counts[0])] * len(counts)
    return read_lines(cursor, counts)


def read_parts(cursor: Cursor, counts: Sequence[int]) -> list[Ints]:
    """Lists of so many integers each, written as one column."""
    column = read_ints(cursor, sum(counts))
    return [column.part(first, count) for first, count in firsts(counts)]


def firsts(counts: Sequence[int]) -> Iterator[tuple[int, int]]:
    """With the length of each list, how many integers lie in those before it."""
    return zip(accumulate(counts, initial=0), counts, strict=False)
