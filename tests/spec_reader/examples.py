"""The bytes of SPEC's examples in parts, what they say, and how tests read them with other parts."""

import struct

from reader.catalog import (
    BOOL,
    BYTES,
    F32,
    F64,
    I64,
    TEXT,
    VECTOR,
    Feature,
    Stored,
    ValueType,
)
from reader.chunk import read_chunk
from reader.directory import Directory, read_directory
from reader.head import Head, Revision, read_head
from reader.hints import Hint, read_hints
from reader.layout import (
    CHECKSUMS,
    DIRECTORY,
    FAR,
    HEADS,
    HINTS,
    HISTORY,
    MAGIC,
    METADATA,
    PAGE_LEN,
    Section,
)
from reader.timeline import Timeline, read_timeline
from reader.values import Piece
from reader.wire import Cursor, crc32


def piece(digits: str) -> Cursor:
    return Cursor("example", bytes.fromhex(digits))


NO_BYTES = Piece("example", b"", 0)
LOG_HEADER = (
    "61 73 6f 66 64 62 4c 0a 01 00 00 00 00 00 00 00 00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d"
    "0e 0f 07 00 00 00 00 00 00 00 00 40 1e 18 24 0a 06 00 23 5a 04 40 00 00 00 00"
)
LOG_FRAME = (
    "88 5d ff 71 69 e0 c0 54 28 00 00 00 01 00 00 00 00 40 1e 18 24 0a 06 00 38 00 00 00 00 00"
    "00 00 40 82 2d 18 24 0a 06 00 01 03 6a 6f 62 01 01 6d 02 31 37 03 00 02 75 31 01 c8 01 2a"
    "00 00 00 00 00 00 00 0d 01 13 0a 10 02 75 32 02 14 02 68 69"
)
CHUNK = {
    "widths": "11",
    "flags": "55",
    "columns": "02",
    "counts": "00 04",
    "ids": "01 02",
    "ends": "06 0a",
    "times": "81 02 14 0a 02",
    "kinds": "01 00 08",
    "first": "01 81 02 0e 02 02",
    "second": "04 00 02 78",
    "commits": "01 d0 0f 02",
    "known": "81 02 00 02 08",
}
# The example of numbers side by side.
NUMBERS = {
    "widths": "00",
    "flags": "85",
    "columns": "03",
    "counts": "00 04",
    "ids": "01",
    "ends": "",
    "times": "81 02 14 0a 02",
    "kinds": "",
    "codes": "00 02",
    "bases": "87 02 0e 02 80 18 19",
    "rests": "81 02 00 02 26",
    "commits": "01 d0 0f 02",
}
# The example of some lists of event times.
SOME_LISTS = {
    "widths": "00",
    "flags": "83",
    "columns": "03",
    "counts": "01 02 03",
    "ids": "01",
    "ends": "",
    "lists": "02",
    "list_ends": "01 04 02",
    "numbers": "01 00 04",
    "times": "82 02 14 05 18",
    "kinds": "",
    "codes": "00 02",
    "bases": "87 02 0e 02 80 18 19",
    "rests": "81 02 00 02 06",
    "commits": "00 d0 0f",
}
# The example of a chunk by a timeline, and that of the timeline.
BY_TIMELINE = {
    "widths": "11",
    "flags": "0d",
    "columns": "01",
    "counts": "00 10",
    "ids": "01",
    "ends": "03",
    "times": "84 02 14 02 10 32 54 d6",
    "values": "01 00 0e",
    "listed": "01",
    "places": "00 04",
    "commits": "00 da 0f",
}
TIMELINE = {"count": "03", "times": "83 02 14 05 50 01", "commits": "03 d0 0f c8 01"}
HEAD = {
    "lengths": "02 00 01 00",
    "widths": "11 00",
    "form": "00",
    "zero": "00",
    "chunk": "24 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00",
    "far": "00 00 00 00 00 00 00 00",
    "greatest": "1e 00 00 00 00 00 00 00 ea 03 00 00 00 00 00 00",
    "entity": "75 31",
    "ids": "01 02",
    "times": "00 0a",
    "commits": "",
    "slots": "0b 00 00 00 00 00 00 00 00 00 00 00 80 00 00 00",
    "near": "79 7a",
}
# The example of a head of numbers.
NUMBER_HEAD = {
    "lengths": "02 00 01 00",
    "widths": "01 00",
    "form": "12",
    "zero": "00",
    "chunk": "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00",
    "far": "00 00 00 00 00 00 00 00",
    "greatest": "1e 00 00 00 00 00 00 00 ea 03 00 00 00 00 00 00",
    "entity": "75 31",
    "ids": "01 02",
    # Its times, commits, known times, sources and kinds, as far as they take bytes.
    "lists": "",
    "codes": "",
    "numbers": "fa 00 00 00 19 00 00 00",
}
DIRECTORY_OF_ONE = {
    "least": "73 04 f8 6d d0 42 48 13",
    "shift": "00",
    "zeros": "00 00 00 00 00 00 00",
    "rows": "01 00 00 00 00 00 00 00",
    "buckets": "01 00 00 00 00 00 00 00",
    "starts": "00 00 00 00 01 00 00 00",
    "row": "00 00 00 00 73 04 f8 6d",
}
HINTS_OF_THREE = "01 00 00 00 00 00 00 00 7f 00 00 00"
# What a table tells of the rows that are the examples of a head and of a chunk.
METADATA_OF_ONE = {
    "counts": "01 06",
    "hashes": "73 04 f8 6d d0 42 48 13 73 04 f8 6d d0 42 48 13",
    "moments": "14 3c d4 0f d0 0f d4 0f",
    "features": "02",
    "first": "01 61 01 01 02 00 03 00 00 00 14 3c",
    "least and greatest of the first": "01 07 00 00 00 00 00 00 00 0b 00 00 00 00 00 00 00",
    "bounds of the first": "00 00 00",
    "second": "01 62 02 01 05 00 03 01 00 00 14 28 00",
    "bounds of the second": "00 00 00",
    "sources": "00",
}
FEATURES = {
    1: Feature("a", 1, ValueType(I64)),
    2: Feature("b", 1, ValueType(TEXT)),
    3: Feature("c", 1, ValueType(I64)),
}
NUMBER_FEATURES = {
    **{number: Feature(f"i{number}", 1, ValueType(I64)) for number in (1, 2, 3)},
    4: Feature("d", 1, ValueType(F64)),
    5: Feature("e", 1, ValueType(F32)),
    6: Feature("f", 1, ValueType(BOOL)),
    7: Feature("g", 1, ValueType(TEXT)),
}
# Numbers of the example of a head of numbers are f64; beside them is a feature of each type.
HEAD_FEATURES = {
    **{number: Feature(f"d{number}", 1, ValueType(F64)) for number in (1, 2)},
    3: Feature("i", 1, ValueType(I64)),
    5: Feature("e", 1, ValueType(F32)),
    6: Feature("f", 1, ValueType(BOOL)),
    7: Feature("g", 1, ValueType(TEXT)),
    8: Feature("h", 1, ValueType(BYTES)),
    9: Feature("v", 1, ValueType(VECTOR, 1)),
}
# Feature, event time, known time, commit, kind, source and value.
Older = tuple[int, int, int, int, int, int, Stored | None]
# The revisions of the examples of a head, of a chunk, of numbers side by side, and of some lists of
# event times.
NEWEST: list[Older] = [(1, 30, 1002, 1002, 0, 0, 11), (2, 20, 1002, 1002, 0, 0, b"yz")]
OLDER: list[Older] = [
    (1, 10, 1000, 1000, 0, 0, 7),
    (1, 20, 1001, 1001, 0, 0, 9),
    (2, 10, 1000, 1000, 0, 0, b"x"),
    (2, 20, 999, 1001, 1, 0, None),
]
OLDER_NUMBERS: list[Older] = [
    (1, 10, 1000, 1000, 0, 0, 7),
    (1, 20, 1001, 1001, 0, 0, 9),
    (2, 10, 1000, 1000, 0, 0, 107),
    (2, 20, 1001, 1001, 0, 0, 105),
    (3, 10, 1000, 1000, 0, 0, 207),
    (3, 20, 1001, 1001, 0, 0, 209),
]
OLDER_SOME_LISTS: list[Older] = [
    (1, 10, 1000, 1000, 0, 0, 7),
    (1, 20, 1000, 1000, 0, 0, 9),
    (2, 10, 1000, 1000, 0, 0, 107),
    (2, 20, 1000, 1000, 0, 0, 105),
    (3, 15, 1000, 1000, 0, 0, 207),
]

# Event times and commits of the example of a chunk by a timeline.
OLDER_BY_TIMELINE: list[Older] = [
    (1, time, commit, commit, 0, 0, 7)
    for time, commit in [
        *((10, 1000), (12, 1000), (14, 1005), (16, 1000)),
        *((18, 1000), (20, 1001), (22, 1001), (36, 1007)),
    ]
]


def older_revisions(**changed: str) -> list[Older]:
    """The revisions of the example of a chunk, with other bytes in some of its places."""
    return revisions_of({**CHUNK, **changed}, FEATURES)


def older_numbers(**changed: str) -> list[Older]:
    """Those of the example of numbers side by side."""
    return revisions_of({**NUMBERS, **changed}, NUMBER_FEATURES)


def older_some_lists(**changed: str) -> list[Older]:
    """Those of the example of some lists of event times."""
    return revisions_of({**SOME_LISTS, **changed}, NUMBER_FEATURES)


def older_by_timeline(**changed: str) -> list[Older]:
    """Those of the example of a chunk by a timeline."""
    return revisions_of({**BY_TIMELINE, **changed}, FEATURES, timeline())


def timeline(**changed: str) -> Timeline:
    """The example of a timeline, with other bytes in some of its places."""
    return read_timeline(piece(" ".join({**TIMELINE, **changed}.values())))


def newest(timeline: Timeline | None = None, **changed: str) -> list[Older]:
    """The revisions of the example of a head."""
    parts = {**HEAD, **changed}
    head = read_head(piece(" ".join(parts.values())), FEATURES, NO_BYTES, timeline)
    return [plain(revision) for revision in head.revisions]


def number_head(**changed: str) -> Head:
    """The example of a head of numbers. It takes up all of the bytes, or is damaged."""
    cursor = piece(" ".join({**NUMBER_HEAD, **changed}.values()))
    head = read_head(cursor, HEAD_FEATURES, NO_BYTES, None)
    cursor.end("a head")
    assert head.length == len(cursor.data)
    return head


def directory(**changed: str) -> Directory:
    """The example of a directory."""
    return read_directory(piece(" ".join({**DIRECTORY_OF_ONE, **changed}.values())))


def hints(rows: int, digits: str) -> list[Hint]:
    """The hints of so many rows."""
    return read_hints(piece(digits), rows)


def varint(number: int) -> bytes:
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + varint(rest) if rest else bytes([low])


def sections(head: dict[str, str] | None = None, history: str | None = None) -> dict[int, str]:
    """Those of a table of one row, the examples of a head, of a chunk and of a directory.

    The head may have other parts, and the history other bytes.
    """
    return {
        HISTORY: " ".join(CHUNK.values()) if history is None else history,
        FAR: "",
        HEADS: " ".join({**HEAD, **(head or {})}.values()),
        DIRECTORY: " ".join(DIRECTORY_OF_ONE.values()),
        METADATA: " ".join(METADATA_OF_ONE.values()),
    }


def table_file(
    parts: dict[int, str],
    also: tuple[Section, ...] = (),
    moved: dict[int, tuple[int, int]] | None = None,
    ignorable: tuple[int, ...] = (HINTS,),
    is_listed_backwards: bool = False,
) -> bytes:
    """A whole table, with its sections in an order and its checksums behind them.

    Other sections may be listed, too, and of some another start and length, by so many bytes.
    """
    header = bytearray(bytes.fromhex(LOG_HEADER))
    header[6:7] = b"T"
    header[48:52] = crc32(bytes(header[:48])).to_bytes(4, "little")
    data = bytes(header)
    listed: list[Section] = []
    for tag, digits in parts.items():
        start, length = (moved or {}).get(tag, (0, 0))
        content = bytes.fromhex(digits)
        listed.append(Section(tag, len(data) + start, len(content) + length))
        data += content
    pages = [data[at : at + PAGE_LEN] for at in range(0, len(data), PAGE_LEN)]
    checksums = b"".join(crc32(page).to_bytes(4, "little") for page in pages)
    listed += [Section(CHECKSUMS, len(data), len(checksums)), *also]
    data += checksums
    if is_listed_backwards:
        listed.reverse()
    numbers = [len(listed)]
    for section in listed:
        numbers += [section.tag, section.tag in ignorable, section.start, section.length]
    table = b"".join(varint(number) for number in numbers)
    footer = struct.pack("<QIII", len(data), len(table), crc32(table), crc32(checksums))
    return data + table + footer + crc32(footer).to_bytes(4, "little") + MAGIC


def revisions_of(
    parts: dict[str, str], features: dict[int, Feature], timeline: Timeline | None = None
) -> list[Older]:
    chunk = read_chunk(piece(" ".join(parts.values())), features, NO_BYTES, timeline)
    return [
        plain(r)
        for column in chunk.columns
        for r in chunk.revisions(column, features[column.feature])
    ]


def plain(revision: Revision) -> Older:
    return (
        revision.feature,
        revision.event_time,
        revision.known_time,
        revision.commit,
        revision.kind,
        revision.source,
        revision.value.value if revision.value else None,
    )
