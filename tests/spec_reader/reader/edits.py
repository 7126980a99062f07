"""The payload of a manifest's frame: edits, each a tag and its content (SPEC 4.6)."""

from collections.abc import Callable
from dataclasses import dataclass

from .catalog import (
    Bounds,
    Definition,
    Terms,
    read_bounds,
    read_definition,
    read_terms,
)
from .damage import NewerFormat
from .frames import Frame
from .wire import MAX_I64, Cursor


@dataclass(frozen=True)
class Store:
    erase_key: bytes


@dataclass(frozen=True)
class Past:
    run: int
    first_moment: int
    last_moment: int
    superseded: int
    made: int


@dataclass(frozen=True)
class AddTable:
    number: int
    length: int
    identity: int
    level: int
    past: Past | None
    min_hash: int
    max_hash: int
    rows: int
    revisions: int
    min_event_time: int
    max_event_time: int
    max_known_time: int
    min_commit: int
    max_commit: int


@dataclass(frozen=True)
class RemoveTable:
    number: int


@dataclass(frozen=True)
class AddLog:
    number: int


@dataclass(frozen=True)
class SealLog:
    number: int
    length: int


@dataclass(frozen=True)
class RemoveLog:
    number: int


@dataclass(frozen=True)
class NextFile:
    number: int


@dataclass(frozen=True)
class Clock:
    newest: int
    ceiling: int


@dataclass(frozen=True)
class Commits:
    spans: list[tuple[int, int]]


@dataclass(frozen=True)
class Lost:
    first: int
    last: int


@dataclass(frozen=True)
class Define:
    commit: int
    definition: Definition


@dataclass(frozen=True)
class Alter:
    commit: int
    feature: int
    terms: Terms
    bounds: Bounds


@dataclass(frozen=True)
class Retire:
    commit: int
    name: str


@dataclass(frozen=True)
class RecordBounds:
    feature: int
    bounds: Bounds


@dataclass(frozen=True)
class Erase:
    commit: int
    name: bytes


@dataclass(frozen=True)
class RevertSource:
    commit: int
    source: int


@dataclass(frozen=True)
class RevertCommits:
    commit: int
    commits: list[int]


@dataclass(frozen=True)
class Source:
    id: int
    label: str


@dataclass(frozen=True)
class Touch:
    source: int
    feature: int
    commit: int


@dataclass(frozen=True)
class Mark:
    commit: int
    source: int
    name: str
    value: bytes


@dataclass(frozen=True)
class LogSynced:
    number: int
    length: int


@dataclass(frozen=True)
class ManifestSynced:
    number: int
    length: int


@dataclass(frozen=True)
class ErasesDone:
    commit: int


Edit = (
    Store | AddTable | RemoveTable | AddLog | SealLog | RemoveLog | NextFile | Clock | Commits
    | Lost | Define | Alter | Retire | RecordBounds | Erase | RevertSource | RevertCommits
    | Source | Touch | Mark | LogSynced | ManifestSynced | ErasesDone
)  # fmt: skip


def read_past(cursor: Cursor) -> Past:
    return Past(
        run=cursor.varint(),
        first_moment=cursor.zigzag(),
        last_moment=cursor.zigzag(),
        superseded=cursor.zigzag(),
        made=cursor.zigzag(),
    )


def read_add_table(cursor: Cursor) -> AddTable:
    return AddTable(
        number=cursor.varint(),
        length=cursor.varint(),
        identity=cursor.u32(),
        level=(level := cursor.u8()),
        past=read_past(cursor) if level == 2 else None,
        min_hash=cursor.u64(),
        max_hash=cursor.u64(),
        rows=cursor.varint(),
        revisions=cursor.varint(),
        min_event_time=cursor.zigzag(),
        max_event_time=cursor.zigzag(),
        max_known_time=cursor.zigzag(),
        min_commit=cursor.zigzag(),
        max_commit=cursor.zigzag(),
    )


def read_span_of_commits(cursor: Cursor) -> tuple[int, int]:
    place = cursor.at
    first, length = cursor.zigzag(), cursor.varint()
    if first + length > MAX_I64:
        cursor.at = place
        raise cursor.damaged("a span of commits ends above the greatest commit there can be")
    return first, first + length


READERS: dict[int, Callable[[Cursor], Edit]] = {
    2: lambda c: Store(c.take(16)),
    4: read_add_table,
    6: lambda c: RemoveTable(c.varint()),
    8: lambda c: AddLog(c.varint()),
    10: lambda c: SealLog(c.varint(), c.varint()),
    12: lambda c: RemoveLog(c.varint()),
    14: lambda c: NextFile(c.varint()),
    16: lambda c: Clock(c.zigzag(), c.zigzag()),
    18: lambda c: Commits([read_span_of_commits(c) for _ in range(c.count())]),
    20: lambda c: Lost(c.zigzag(), c.zigzag()),
    22: lambda c: Define(c.zigzag(), read_definition(c)),
    24: lambda c: Alter(c.zigzag(), c.id(), read_terms(c), read_bounds(c)),
    26: lambda c: Retire(c.zigzag(), c.text()),
    28: lambda c: RecordBounds(c.id(), read_bounds(c)),
    30: lambda c: Erase(c.zigzag(), c.take(16)),
    32: lambda c: RevertSource(c.zigzag(), c.id()),
    34: lambda c: RevertCommits(c.zigzag(), [c.zigzag() for _ in range(c.count())]),
    36: lambda c: Source(c.id(), c.text()),
    38: lambda c: Touch(c.id(), c.id(), c.zigzag()),
    40: lambda c: Mark(c.zigzag(), c.id(), c.text(), c.bytes()),
    42: lambda c: LogSynced(c.varint(), c.varint()),
    44: lambda c: ManifestSynced(c.varint(), c.varint()),
    45: lambda c: ErasesDone(c.zigzag()),
}


def read_edits(file: str, frame: Frame) -> list[Edit]:
    """The edits of a frame. An odd tag that is not known is passed over."""
    cursor = Cursor(file, frame.payload, frame.payload_offset)
    edits: list[Edit] = []
    while cursor.left:
        place = cursor.place
        tag = cursor.varint()
        content = cursor.sub(cursor.varint())
        read = READERS.get(tag)
        if read is not None:
            edits.append(read(content))
            content.end("an edit")
        elif tag % 2 == 0:
            raise NewerFormat(file, place, f"an edit with tag {tag}")
    return edits
