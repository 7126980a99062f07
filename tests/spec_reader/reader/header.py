"""The header with which every file but LOCK begins (SPEC 4.3)."""

from dataclasses import dataclass

from .damage import Damaged, NewerFormat
from .wire import Cursor, crc32

HEADER_LEN = 56
FORMAT_VERSION = 1
KINDS = {ord("C"): "current", ord("M"): "manifest", ord("L"): "log", ord("T"): "table"}


@dataclass(frozen=True)
class Header:
    kind: str
    version: int
    store: bytes
    number: int
    made: int


def read_header(file: str, data: bytes) -> Header:
    """The header of a file of any kind. The reasons to refuse come in SPEC's order."""
    if data[:6] != b"asofdb"[: len(data)]:
        raise Damaged(file, 0, "this is not a file of an asofdb store")
    if len(data) < HEADER_LEN:
        raise Damaged(file, len(data), "the file ends within its header")
    cursor = Cursor(file, data[:HEADER_LEN])
    cursor.take(6)
    kind = KINDS.get(cursor.u8())
    if kind is None:
        raise Damaged(file, 6, "no such kind of file")
    cursor.take(1)
    version = cursor.u32()
    cursor.take(4)
    store = cursor.take(16)
    number = cursor.u64()
    made = cursor.i64()
    if cursor.u32() != crc32(data[:48]):
        raise Damaged(file, 48, "the header does not have its checksum")
    cursor.zeros(4, "the last word of the header")
    if version > FORMAT_VERSION:
        raise NewerFormat(file, 8, f"format version {version} is newer than {FORMAT_VERSION}")
    return Header(kind, version, store, number, made)
