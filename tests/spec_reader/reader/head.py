"""The head of a row: the newest revision of each of its features (SPEC 4.9)."""

from collections.abc import Mapping
from dataclasses import dataclass

from .batch import MAX_ENTITY_LEN, VALUE
from .catalog import Feature, misfit
from .values import Piece, Placed
from .wire import Cursor, signed

OWN_KNOWN_TIMES, HAS_SOURCES, HAS_KINDS = 1, 2, 4
IS_FAR = 1 << 63
ID_WIDTHS = (1, 2, 4)


@dataclass(frozen=True)
class Revision:
    """One write of a version, as a table holds it."""

    feature: int
    event_time: int
    known_time: int
    commit: int
    kind: int
    source: int
    value: Placed | None

    @property
    def order(self) -> tuple[int, int, int]:
        return self.event_time, self.known_time, self.commit


@dataclass(frozen=True)
class Head:
    place: int
    entity: bytes
    chunk_len: int
    heap_len: int
    history_start: int
    revisions: list[Revision]
    # How many bytes the head takes, its near bytes included.
    length: int


def read_head(cursor: Cursor, features: Mapping[int, Feature], far: Piece) -> Head:
    """The head at the cursor. What it takes of the bytes behind its slots are its near bytes."""
    place, start = cursor.place, cursor.at
    entity_len, count = cursor.u16(), cursor.u16() + 1
    widths, commits_and_flags = cursor.u8(), cursor.u8()
    id_width, time_width = widths & 15, widths >> 4
    commit_width, flags = commits_and_flags & 15, commits_and_flags >> 4
    if id_width not in ID_WIDTHS or time_width > 8 or commit_width > 8 or flags > 7:
        cursor.at = start
        raise cursor.damaged("a head with widths or flags that there are not")
    cursor.zeros(2, "bytes 6 and 7 of a head")
    chunk_len, heap_len = cursor.u32(), cursor.u32()
    history_start, far_start = cursor.u64(), cursor.u64()
    max_event_time, max_commit = cursor.i64(), cursor.i64()
    if not 1 <= entity_len <= MAX_ENTITY_LEN:
        cursor.at = start
        raise cursor.damaged("an entity of no bytes")
    if heap_len and not chunk_len:
        cursor.at = start
        raise cursor.damaged("a heap without a chunk")
    entity = cursor.take(entity_len)
    ids = [cursor.fixed(id_width) for _ in range(count)]
    times = [signed(max_event_time - cursor.fixed(time_width)) for _ in range(count)]
    commits = [signed(max_commit - cursor.fixed(commit_width)) for _ in range(count)]
    known = [
        signed(commit - cursor.u64()) if flags & OWN_KNOWN_TIMES else commit for commit in commits
    ]
    sources = [cursor.u32() if flags & HAS_SOURCES else 0 for _ in range(count)]
    kinds = [cursor.u8() if flags & HAS_KINDS else VALUE for _ in range(count)]
    slots = cursor.u64s(count)
    if any(ids[i] >= ids[i + 1] for i in range(count - 1)):
        raise cursor.damaged("the features of a head do not ascend")
    if max(times) != max_event_time or max(commits) != max_commit:
        raise cursor.damaged("a head tells another greatest time or commit than it has")
    heads = Piece(cursor.file, cursor.data, cursor.base)
    near_start, near_len = cursor.at, 0
    revisions = []
    for i in range(count):
        value = None
        feature = features.get(ids[i])
        if feature is None:
            raise cursor.damaged(f"a head has feature {ids[i]}, and the metadata has not")
        if kinds[i] > 3 or known[i] > commits[i]:
            raise cursor.damaged("a revision of no kind, or known later than its commit")
        if kinds[i] == VALUE:
            if feature.type.is_number:
                value = Placed(slots[i])
            else:
                if slots[i] & IS_FAR:
                    value, _ = read_slot(cursor, slots[i], far, far_start)
                else:
                    value, end = read_slot(cursor, slots[i], heads, near_start)
                    near_len = max(near_len, end - near_start)
            reason = misfit(feature.type, value.value)
            if reason:
                raise cursor.damaged(reason)
        elif slots[i]:
            raise cursor.damaged("the slot of a revision without a value is not zero")
        revisions.append(
            Revision(ids[i], times[i], known[i], commits[i], kinds[i], sources[i], value)
        )
    cursor.take(near_len)
    return Head(place, entity, chunk_len, heap_len, history_start, revisions, cursor.at - start)


def read_slot(cursor: Cursor, slot: int, piece: Piece, origin: int) -> tuple[Placed, int]:
    """The bytes that a slot tells of, counted from an origin, and where in the piece they end."""
    start, length = origin + (slot & ((1 << 38) - 1)), slot >> 38 & ((1 << 25) - 1)
    end = start + length
    if end > len(piece.data):
        raise cursor.damaged("a slot tells of bytes behind the end of their section")
    return Placed(piece.data[start:end], piece.base + start), end
