"""The hash of an entity, and the name of an erased one (SPEC 4.14)."""

from .wire import MASK_64

M1 = 0x9E3779B97F4A7C15
M2 = 0xBF58476D1CE4E5B9


def mix(x: int) -> int:
    x ^= x >> 32
    x = x * M1 & MASK_64
    x ^= x >> 29
    x = x * M2 & MASK_64
    return x ^ x >> 32


def entity_hash(entity: bytes) -> int:
    """What orders the rows of a table."""
    h = len(entity) * M1 & MASK_64
    for at in range(0, len(entity), 8):
        h = mix(h ^ int.from_bytes(entity[at : at + 8], "little"))
    return h


def erased_name(key: bytes, entity: bytes) -> bytes:
    """SipHash-2-4 of 128 bits, as the reference implementation gives it."""
    k0, k1 = int.from_bytes(key[:8], "little"), int.from_bytes(key[8:], "little")
    v = [
        k0 ^ 0x736F6D6570736575,
        k1 ^ 0x646F72616E646F6D ^ 0xEE,
        k0 ^ 0x6C7967656E657261,
        k1 ^ 0x7465646279746573,
    ]
    tail = len(entity) % 8
    whole = len(entity) - tail
    last = entity[whole:].ljust(7, b"\0") + bytes([len(entity) & 0xFF])
    for word in (entity[at : at + 8] for at in range(0, whole, 8)):
        compress(v, word)
    compress(v, last)
    v[2] ^= 0xEE
    first_half = finish(v)
    v[1] ^= 0xDD
    return first_half + finish(v)


def rotate(x: int, by: int) -> int:
    return (x << by | x >> (64 - by)) & MASK_64


def sip_round(v: list[int]) -> None:
    v[0] = v[0] + v[1] & MASK_64
    v[2] = v[2] + v[3] & MASK_64
    v[1] = rotate(v[1], 13) ^ v[0]
    v[3] = rotate(v[3], 16) ^ v[2]
    v[0] = rotate(v[0], 32)
    v[2] = v[2] + v[1] & MASK_64
    v[0] = v[0] + v[3] & MASK_64
    v[1] = rotate(v[1], 17) ^ v[2]
    v[3] = rotate(v[3], 21) ^ v[0]
    v[2] = rotate(v[2], 32)


def compress(v: list[int], word: bytes) -> None:
    number = int.from_bytes(word, "little")
    v[3] ^= number
    sip_round(v)
    sip_round(v)
    v[0] ^= number


def finish(v: list[int]) -> bytes:
    for _ in range(4):
        sip_round(v)
    return (v[0] ^ v[1] ^ v[2] ^ v[3]).to_bytes(8, "little")
