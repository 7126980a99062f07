"""Logs, and the payload of a log's frame: a batch of revisions (SPEC 4.5)."""

from collections.abc import Iterator
from dataclasses import dataclass

from .catalog import MAX_VALUE_LEN, Names, Stored, misfit
from .damage import Damaged
from .edits import ManifestSynced, read_edits
from .frames import BATCH, Frame, Torn, read_frames
from .header import Header
from .wire import Cursor, signed

MAX_ENTITY_LEN = 65_535
VALUE, NULL, DELETED, STUB = range(4)
KIND_NAMES = ("value", "null", "deleted", "stub")

SAME_ENTITY, KNOWN_TIME, HELD_AS_BYTES = 4, 8, 16


@dataclass(frozen=True)
class Entry:
    entity: bytes
    feature: int
    event_time: int
    known_time: int
    kind: int
    value: Stored | None


@dataclass(frozen=True)
class Batch:
    source: int
    label: str | None
    marks: list[tuple[str, bytes]]
    entries: list[Entry]


def read_log(file: str, data: bytes, header: Header) -> Iterator[Frame | Torn]:
    """The frames of a log: batches whose commits rise, notes among them, and at last the torn end."""
    before: int | None = None
    for frame in read_frames(file, data, header):
        if isinstance(frame, Frame) and frame.kind == BATCH:
            if before is not None and frame.commit <= before:
                raise Damaged(file, frame.offset, "the commits of a log do not rise")
            before = frame.commit
        yield frame


def read_note(file: str, frame: Frame) -> ManifestSynced:
    """What a frame of edits in a log tells of the manifest. It may tell nothing else."""
    match read_edits(file, frame):
        case [ManifestSynced() as note]:
            return note
    raise Damaged(file, frame.offset, "a log holds edits that are not a note")


def read_batch(file: str, frame: Frame, names: Names) -> Batch:
    """The batch of a frame. Values are held against the types of the features that are known."""
    cursor = Cursor(file, frame.payload, frame.payload_offset)
    source = cursor.id()
    label = cursor.text() if source else None
    marks = [(cursor.text(), cursor.bytes()) for _ in range(cursor.count())]
    entries: list[Entry] = []
    for _ in range(cursor.count()):
        entries.append(read_entry(cursor, entries[-1] if entries else None, frame.commit, names))
    cursor.end("a batch")
    return Batch(source, label, marks, entries)


def read_entry(cursor: Cursor, before: Entry | None, commit: int, names: Names) -> Entry:
    start = cursor.at
    flags = cursor.u8()
    kind = flags & 3
    as_bytes = bool(flags & HELD_AS_BYTES)
    same_entity = bool(flags & SAME_ENTITY)
    if flags > 31 or kind == STUB or (as_bytes and kind != VALUE) or (same_entity and not before):
        cursor.at = start
        raise cursor.damaged(f"an entry with flags {flags:#x}")
    entity = before.entity if before and same_entity else read_entity(cursor)
    feature = cursor.id()
    event_time = signed(cursor.zigzag() + (before.event_time if before else 0))
    known_time = signed(cursor.zigzag() + event_time) if flags & KNOWN_TIME else commit
    if known_time > commit:
        cursor.at = start
        raise cursor.damaged("a revision was known later than its commit")
    value = read_value(cursor, as_bytes) if kind == VALUE else None
    known_feature = names.features.get(feature)
    if value is not None and known_feature:
        reason = misfit(known_feature.type, value)
        if reason:
            cursor.at = start
            raise cursor.damaged(reason)
    return Entry(entity, feature, event_time, known_time, kind, value)


def read_entity(cursor: Cursor) -> bytes:
    start = cursor.at
    entity = cursor.bytes()
    if not 1 <= len(entity) <= MAX_ENTITY_LEN:
        cursor.at = start
        raise cursor.damaged(f"an entity of {len(entity)} bytes")
    return entity


def read_value(cursor: Cursor, as_bytes: bool) -> Stored:
    if not as_bytes:
        return cursor.u64()
    start = cursor.at
    value = cursor.bytes()
    if len(value) > MAX_VALUE_LEN:
        cursor.at = start
        raise cursor.damaged(f"a value of {len(value)} bytes")
    return value
