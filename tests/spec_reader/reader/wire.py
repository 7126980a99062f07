"""The small things that all files are made of (SPEC 4.1): integers, varints, bytes, CRC-32.

A `Cursor` walks over a piece of a file and knows where in the file it is, so that every complaint
names the place. Nothing is sliced or counted before it is known to lie within the piece.
"""

import struct
import zlib

from .damage import Damaged

MASK_64 = (1 << 64) - 1
MIN_I64, MAX_I64 = -(1 << 63), (1 << 63) - 1


def crc32(data: bytes, seed: int = 0) -> int:
    """The IEEE CRC-32 of the bytes, going on from a seed."""
    return zlib.crc32(data, seed)


def signed(number: int) -> int:
    """The low 64 bits of a number as two's complement."""
    number &= MASK_64
    return number - (1 << 64) if number >> 63 else number


class Cursor:
    """A place that moves over `data`, the bytes of `file` from the file's byte `base` on."""

    def __init__(self, file: str, data: bytes, base: int = 0) -> None:
        self.file = file
        self.data = data
        self.base = base
        self.at = 0

    @property
    def place(self) -> int:
        """Where in the file the cursor stands."""
        return self.base + self.at

    @property
    def left(self) -> int:
        """How many bytes are left of the piece."""
        return len(self.data) - self.at

    def damaged(self, reason: str) -> Damaged:
        """The error that names this file and the cursor's place."""
        return Damaged(self.file, self.place, reason)

    def take(self, length: int) -> bytes:
        if length > self.left:
            raise self.damaged(f"{length} bytes were expected, {self.left} are left")
        taken = self.data[self.at : self.at + length]
        self.at += length
        return taken

    def sub(self, length: int) -> "Cursor":
        """A cursor of its own over the next bytes, which this one passes over."""
        base = self.place
        return Cursor(self.file, self.take(length), base)

    def end(self, what: str) -> None:
        """Nothing may be left."""
        if self.left:
            raise self.damaged(f"{what} goes on for {self.left} bytes behind its end")

    def u8(self) -> int:
        return self.take(1)[0]

    def u16(self) -> int:
        return int.from_bytes(self.take(2), "little")

    def u32(self) -> int:
        return int.from_bytes(self.take(4), "little")

    def u64(self) -> int:
        return int.from_bytes(self.take(8), "little")

    def i64(self) -> int:
        return signed(self.u64())

    def fixed(self, width: int) -> int:
        """An unsigned integer of so many bytes; of no bytes it is zero."""
        return int.from_bytes(self.take(width), "little")

    def varint(self) -> int:
        start = self.at
        number = 0
        for index in range(10):
            byte = self.u8()
            number |= (byte & 0x7F) << (7 * index)
            if byte < 0x80:
                if byte == 0 and index > 0:
                    self.at = start
                    raise self.damaged("a varint ends with a byte of zero")
                if number > MASK_64:
                    self.at = start
                    raise self.damaged("a varint does not fit in 64 bits")
                return number
        self.at = start
        raise self.damaged("a varint is longer than 10 bytes")

    def id(self) -> int:
        """The number of a feature or of a source."""
        start = self.at
        number = self.varint()
        if number >> 32:
            self.at = start
            raise self.damaged("an id of 2^32 or more")
        return number

    def zigzag(self) -> int:
        number = self.varint()
        return (number >> 1) ^ -(number & 1)

    def count(self) -> int:
        """How many things follow, each of at least one byte."""
        start = self.at
        number = self.varint()
        if number > self.left:
            self.at = start
            raise self.damaged(f"a count of {number}, and {self.left} bytes are left")
        return number

    def bytes(self) -> bytes:
        return self.take(self.varint())

    def text(self) -> str:
        start = self.at
        raw = self.bytes()
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            self.at = start
            raise self.damaged("a text is not UTF-8") from None

    def zeros(self, length: int, what: str) -> None:
        start = self.at
        if any(self.take(length)):
            self.at = start
            raise self.damaged(f"{what} must be zero")

    def u32s(self, count: int) -> tuple[int, ...]:
        return struct.unpack(f"<{count}I", self.take(4 * count))

    def u64s(self, count: int) -> tuple[int, ...]:
        return struct.unpack(f"<{count}Q", self.take(8 * count))
