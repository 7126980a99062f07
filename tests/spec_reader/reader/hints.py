"""Hints to chunks: about where in a table the chunk of each row lies (SPEC 4.17).

The head of the row tells the same to the byte, and is what this reader goes by. So hints are read
only to be held against the heads.
"""

from dataclasses import dataclass

from .wire import Cursor

HINT_LEN = 4
LINE_LEN = 64
# The first line has the 26 bits above the number of lines.
BITS_OF_COUNT = 6
MAX_LINES = (1 << BITS_OF_COUNT) - 1
FIRST_UNTOLD_START = 1 << 32


@dataclass(frozen=True)
class Hint:
    """The lines of the history section that hold a byte of a chunk: the first, and how many."""

    first: int
    count: int


NO_HINT = Hint(0, 0)


def read_hints(cursor: Cursor, row_count: int) -> list[Hint]:
    """The hints of so many rows, in their order."""
    if HINT_LEN * row_count != len(cursor.data):
        raise cursor.damaged(f"{len(cursor.data)} bytes of hints for {row_count} rows")
    return [Hint(word >> BITS_OF_COUNT, word & MAX_LINES) for word in cursor.u32s(row_count)]


def hint_to(start: int, length: int) -> Hint:
    """The hint to a chunk, by the place in the history and the length that its head tells."""
    if not length or start >= FIRST_UNTOLD_START:
        return NO_HINT
    first, last = start // LINE_LEN, (start + length - 1) // LINE_LEN
    return Hint(first, min(last - first + 1, MAX_LINES))
