"""Columns of integers (SPEC 4.11): packed bits behind a base, a slope and a scale.

A column may be far longer than its bytes: one of equal numbers takes two bytes. So the numbers are
worked out when they are asked for, and none are kept.
"""

from collections.abc import Iterator, Sequence

from .wire import MASK_64, Cursor, signed

HAS_SLOPE, HAS_SCALE = 128, 256
MAX_PACKED_WIDTH = 57


class Ints(Sequence[int]):
    """The numbers of a column, unsigned modulo 2^64."""

    def __init__(
        self, length: int, width: int, base: int, slope: int, scale: int, packed: bytes
    ) -> None:
        self.length = length
        self.width = width
        self.base = base
        self.slope = slope
        self.scale = scale
        self.packed = packed

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> int:  # type: ignore[override]
        if not 0 <= index < self.length:
            raise IndexError(index)
        first_bit = self.width * index
        last_byte = (first_bit + self.width + 7) // 8
        window = int.from_bytes(self.packed[first_bit // 8 : last_byte], "little")
        packed = window >> (first_bit % 8) & ((1 << self.width) - 1)
        return (self.base + self.scale * (self.slope * index + packed)) & MASK_64

    def __iter__(self) -> Iterator[int]:
        return (self[index] for index in range(self.length))

    def moment(self, index: int) -> int:
        """A number as two's complement: a moment or a mantissa."""
        return signed(self[index])


def read_ints(cursor: Cursor, count: int) -> Ints:
    """So many integers. None take no bytes at all."""
    if count == 0:
        return Ints(0, 0, 0, 0, 1, b"")
    start = cursor.at
    form = cursor.varint()
    width = form & 127
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
    return Ints(count, width, base, slope, scale, packed)
