"""The codes by which the four bytes of a number in a head make its bits (SPEC 4.9)."""

import struct

from .values import MAX_EXPONENT, decimal
from .wire import MASK_64

# The code of decimals has their exponent added to it.
DECIMAL, SIGNED, UNSIGNED = 16, 32, 48
CODES = (*range(DECIMAL, DECIMAL + MAX_EXPONENT + 1), SIGNED, UNSIGNED)


def number_bits(code: int, four: int) -> int:
    """The bits that one of the `CODES` makes of four bytes, which are given as a u32."""
    if code == UNSIGNED:
        return four
    whole = four - (1 << 32) if four >> 31 else four
    if code == SIGNED:
        return whole & MASK_64
    return int.from_bytes(struct.pack("<d", decimal(whole, code - DECIMAL)), "little")
