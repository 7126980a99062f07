"""Columns of values (SPEC 4.12): numbers, decimals, and bytes in place or in a heap's blocks.

A `Column` gives the value of a revision by its index, with the place in the file where its bytes
lie, or the block that holds them. A block is decompressed only when it is asked for, and only to
the length that the column tells.
"""

import struct
from dataclasses import dataclass
from typing import Protocol

import zstandard

from .catalog import F32, F64, Stored, ValueType
from .damage import Damaged
from .ints import Ints, read_ints
from .wire import Cursor

NONE, WHOLE_NUMBERS, DECIMAL_F64, DECIMAL_F32, IN_PLACE, SAME_BYTES, IN_BLOCKS = range(7)
NUMBER_FORMS = (WHOLE_NUMBERS, DECIMAL_F64, DECIMAL_F32)
MAX_EXPONENT = 9
MAX_BLOCK_LEN = 16_777_216


@dataclass(frozen=True)
class Placed:
    """A value, and where its bytes, or the block that holds them, begin in the file."""

    value: Stored
    place: int | None = None


@dataclass(frozen=True)
class Piece:
    """Bytes of a file."""

    file: str
    data: bytes
    base: int


def decimal(mantissa: int, exponent: int) -> float:
    """The f64 nearest to m / 10^x: one division of two f64."""
    return float(mantissa) / float(10**exponent)


class Column(Protocol):
    def value(self, index: int) -> Placed: ...


@dataclass(frozen=True)
class NoValues:
    """Form 0: every revision is without a value."""

    file: str
    place: int

    def value(self, index: int) -> Placed:
        raise Damaged(self.file, self.place, "a value in a column that has none")


@dataclass(frozen=True)
class Numbers:
    """Form 1: the bits themselves."""

    bits: Ints

    def value(self, index: int) -> Placed:
        return Placed(self.bits[index])


@dataclass(frozen=True)
class Decimals:
    """Forms 2 and 3: m / 10^x, as an f64 or rounded once more to an f32."""

    mantissas: Ints
    exponent: int
    narrow: bool

    def value(self, index: int) -> Placed:
        number = decimal(self.mantissas.moment(index), self.exponent)
        if self.narrow:
            return Placed(int.from_bytes(struct.pack("<f", number), "little"))
        return Placed(int.from_bytes(struct.pack("<d", number), "little"))


@dataclass(frozen=True)
class BytesInPlace:
    """Form 4: the bytes one after another, and where each ends."""

    ends: Ints
    content: Piece

    def value(self, index: int) -> Placed:
        start = self.ends[index - 1] if index else 0
        end = self.ends[index]
        return Placed(self.content.data[start:end], self.content.base + start)


@dataclass(frozen=True)
class SameBytes:
    """Form 5: all the same."""

    content: Piece

    def value(self, index: int) -> Placed:
        return Placed(self.content.data, self.content.base)


ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


def frame_length(data: bytes) -> int | None:
    """How long the zstd frame is that some bytes begin with (RFC 8878, 3.1.1), if there is one."""
    if not data.startswith(ZSTD_MAGIC):
        return None
    try:
        at = zstandard.frame_header_size(data)
        has_checksum = zstandard.get_frame_parameters(data).has_checksum
    except zstandard.ZstdError:
        return None
    is_last = False
    while not is_last:
        if at + 3 > len(data):
            return None
        head = int.from_bytes(data[at : at + 3], "little")
        is_last, is_run, size = bool(head & 1), head >> 1 & 3 == 1, head >> 3
        at += 3 + (1 if is_run else size)
    return at + (4 if has_checksum else 0)


class BytesInBlocks:
    """Form 6: in zstd frames in the heap behind the chunk."""

    def __init__(
        self, ends: Ints, firsts: Ints, heap_start: int, block_ends: Ints, heap: Piece
    ) -> None:
        self.ends = ends
        self.firsts = firsts
        self.heap_start = heap_start
        self.block_ends = block_ends
        self.heap = heap
        self.block = -1
        self.content = b""

    def end_before(self, index: int) -> int:
        return self.ends[index - 1] if index else 0

    def block_place(self, block: int) -> tuple[int, int]:
        """Where a block lies in the heap."""
        start = self.block_ends[block - 1] if block else self.heap_start
        return start, self.block_ends[block]

    def block_len(self, block: int) -> int:
        """How long a block is once it is decompressed."""
        is_last = block + 1 == len(self.firsts)
        behind = len(self.ends) if is_last else self.firsts[block + 1]
        return self.end_before(behind) - self.end_before(self.firsts[block])

    def value(self, index: int) -> Placed:
        block = max(self.block, 0)
        if self.firsts[block] > index:
            block = 0
        while block + 1 < len(self.firsts) and self.firsts[block + 1] <= index:
            block += 1
        if block != self.block:
            self.content = self.decompress(block)
            self.block = block
        origin = self.end_before(self.firsts[block])
        start, end = self.end_before(index) - origin, self.ends[index] - origin
        return Placed(self.content[start:end], self.heap.base + self.block_place(block)[0])

    def decompress(self, block: int) -> bytes:
        start, end = self.block_place(block)
        length = self.block_len(block)
        place = self.heap.base + start
        compressed = self.heap.data[start:end]
        if frame_length(compressed) != len(compressed):
            raise Damaged(self.heap.file, place, "a block is not one zstd frame")
        try:
            told = zstandard.get_frame_parameters(compressed)
            known = told.content_size not in (
                zstandard.CONTENTSIZE_UNKNOWN,
                zstandard.CONTENTSIZE_ERROR,
            )
            if told.dict_id or (known and told.content_size != length):
                raise Damaged(self.heap.file, place, "a block is not as long as its values")
            # One byte more than there should be: zero would mean no limit.
            content = zstandard.ZstdDecompressor().decompress(
                compressed, max_output_size=length + 1, allow_extra_data=False
            )
        except zstandard.ZstdError as error:
            raise Damaged(self.heap.file, place, f"a block is no zstd frame: {error}") from None
        if len(content) != length:
            raise Damaged(self.heap.file, place, "a block is not as long as its values")
        return content


def read_column(cursor: Cursor, count: int, value_type: ValueType, heap: Piece) -> Column:
    """The values of `count` revisions. The column ends where the cursor's piece ends."""
    start = cursor.at
    form = cursor.u8()
    if not fits(form, value_type):
        cursor.at = start
        raise cursor.damaged(f"values of form {form} for a feature of type {value_type}")
    column: Column
    if form == NONE:
        column = NoValues(cursor.file, cursor.place)
    elif form == WHOLE_NUMBERS:
        column = number_column(form, 0, read_ints(cursor, count))
    elif form in (DECIMAL_F64, DECIMAL_F32):
        exponent = cursor.u8()
        if exponent > MAX_EXPONENT:
            raise cursor.damaged(f"decimals with the exponent {exponent}")
        column = number_column(form, exponent, read_ints(cursor, count))
    elif form == IN_PLACE:
        ends = read_ints(cursor, count)
        total = check_ends(cursor, ends, 0, "ends of values")
        place = cursor.place
        column = BytesInPlace(ends, Piece(cursor.file, cursor.take(total), place))
    elif form == SAME_BYTES:
        raw = cursor.sub(cursor.varint())
        column = SameBytes(Piece(raw.file, raw.data, raw.base))
    else:
        column = read_blocks(cursor, count, heap)
    cursor.end("a column of values")
    return column


def number_column(form: int, exponent: int, whole: Ints) -> Column:
    """The numbers that whole numbers stand for in one of the forms 1 to 3."""
    if form == WHOLE_NUMBERS:
        return Numbers(whole)
    return Decimals(whole, exponent, form == DECIMAL_F32)


def fits(form: int, value_type: ValueType) -> bool:
    """Whether values of a type can be held in a form."""
    if form == NONE:
        return True
    if form == WHOLE_NUMBERS:
        return value_type.is_number
    if form == DECIMAL_F64:
        return value_type.tag == F64
    if form == DECIMAL_F32:
        return value_type.tag == F32
    return form in (IN_PLACE, SAME_BYTES, IN_BLOCKS) and not value_type.is_number


def check_ends(cursor: Cursor, ends: Ints, start: int, what: str) -> int:
    """Ends may not fall. The last of them is the answer."""
    before = start
    for end in ends:
        if end < before:
            raise cursor.damaged(f"{what} do not ascend")
        before = end
    return before


def read_blocks(cursor: Cursor, count: int, heap: Piece) -> BytesInBlocks:
    ends = read_ints(cursor, count)
    check_ends(cursor, ends, 0, "ends of values")
    blocks = cursor.varint()
    if not 1 <= blocks <= count:
        raise cursor.damaged(f"{blocks} blocks for {count} values")
    firsts = read_ints(cursor, blocks)
    if firsts[0] != 0 or any(firsts[i] >= firsts[i + 1] for i in range(blocks - 1)):
        raise cursor.damaged("the first values of blocks do not ascend from 0")
    if firsts[blocks - 1] >= count:
        raise cursor.damaged("a block begins behind the last value")
    heap_start = cursor.varint()
    block_ends = read_ints(cursor, blocks)
    if check_ends(cursor, block_ends, heap_start, "ends of blocks") > len(heap.data):
        raise cursor.damaged("a block ends behind its heap")
    column = BytesInBlocks(ends, firsts, heap_start, block_ends, heap)
    if any(column.block_len(block) > MAX_BLOCK_LEN for block in range(blocks)):
        raise cursor.damaged("a block is longer than 16 MiB")
    return column
