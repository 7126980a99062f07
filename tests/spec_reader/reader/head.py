"""The head of a row: the newest revision of each of its features (SPEC 4.9)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .batch import MAX_ENTITY_LEN, VALUE
from .catalog import Feature, misfit
from .codes import CODES, SIGNED, UNSIGNED, number_bits
from .forms import seen
from .timeline import Timeline
from .values import Piece, Placed
from .wire import Cursor, signed

OWN_KNOWN_TIMES, HAS_SOURCES, HAS_KINDS = 1, 2, 4
IS_FAR = 1 << 63
# The ids of a run take no bytes but for the first.
RUN = 0
ID_WIDTHS = (RUN, 1, 2, 4)
COMMIT_WIDTHS = range(9)
BY_TIMELINE = 15
# The forms of the values. Any other one is a code, that of all numbers.
SLOTS, OWN_CODES = 0, 1
FORMS_OF_VALUES = (SLOTS, OWN_CODES, *CODES)
NAMES_OF_FORMS = {
    SLOTS: "slots",
    OWN_CODES: "numbers with codes of their own",
    SIGNED: "signed integers",
    UNSIGNED: "unsigned integers",
}


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


def read_head(
    cursor: Cursor, features: Mapping[int, Feature], far: Piece, timeline: Timeline | None
) -> Head:
    """The head at the cursor. What it takes of the bytes behind its slots are its near bytes.

    Where it has numbers of four bytes in place of slots it ends with them.
    """
    place, start = cursor.place, cursor.at
    entity_len, count = cursor.u16(), cursor.u16() + 1
    widths, commits_and_flags, form = cursor.u8(), cursor.u8(), cursor.u8()
    id_width, time_width = widths & 15, widths >> 4
    commit_width, flags = commits_and_flags & 15, commits_and_flags >> 4
    by_timeline = commit_width == BY_TIMELINE
    has_commit_width = by_timeline or commit_width in COMMIT_WIDTHS
    if id_width not in ID_WIDTHS or time_width > 8 or not has_commit_width or flags > 7:
        cursor.at = start
        raise cursor.damaged("a head with widths or flags that there are not")
    if form not in FORMS_OF_VALUES:
        cursor.at = start
        raise cursor.damaged(f"a head with values of form {form}")
    if by_timeline and timeline is None:
        cursor.at = start
        raise cursor.damaged("a head goes by a timeline, and the table has none")
    cursor.zeros(1, "byte 7 of a head")
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
    first = cursor.u32() if id_width == RUN else 0
    ids = read_ids(cursor, id_width, count, first)
    times = [signed(max_event_time - cursor.fixed(time_width)) for _ in range(count)]
    if by_timeline and timeline:
        commits = [timeline.commit(time) for time in times]
    else:
        commits = [signed(max_commit - cursor.fixed(commit_width)) for _ in range(count)]
    known = [
        signed(commit - cursor.u64()) if flags & OWN_KNOWN_TIMES else commit for commit in commits
    ]
    sources = [cursor.u32() if flags & HAS_SOURCES else 0 for _ in range(count)]
    kinds = [cursor.u8() if flags & HAS_KINDS else VALUE for _ in range(count)]
    slots = read_slots(cursor, form, count)
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
            elif form != SLOTS:
                raise cursor.damaged(f"a {feature.type} in a head of numbers of four bytes")
            elif slots[i] & IS_FAR:
                value, _ = read_slot(cursor, slots[i], far, far_start)
            else:
                value, end = read_slot(cursor, slots[i], heads, near_start)
                near_len = max(near_len, end - near_start)
            reason = misfit(feature.type, value.value)
            if reason:
                raise cursor.damaged(reason)
        elif slots[i]:
            raise cursor.damaged("the slot or number of a revision without a value is not zero")
        revisions.append(
            Revision(ids[i], times[i], known[i], commits[i], kinds[i], sources[i], value)
        )
    cursor.take(near_len)
    seen("heads")
    seen(f"heads of {NAMES_OF_FORMS.get(form, 'decimals')}")
    seen("heads by the timeline" if by_timeline else "heads with commits of their own")
    if id_width == RUN:
        seen("heads with ids in a run")
    return Head(place, entity, chunk_len, heap_len, history_start, revisions, cursor.at - start)


def read_slots(cursor: Cursor, form: int, count: int) -> Sequence[int]:
    """The slots, or what those of numbers would be that stand in four bytes."""
    if form == SLOTS:
        return cursor.u64s(count)
    # That of a revision without a value has to be one, too.
    codes = cursor.take(count) if form == OWN_CODES else bytes([form]) * count
    for code in codes:
        if code not in CODES:
            raise cursor.damaged(f"a number by the code {code}")
    numbers = cursor.u32s(count)
    return [number_bits(code, four) for code, four in zip(codes, numbers, strict=True)]


def read_ids(cursor: Cursor, width: int, count: int, first: int) -> list[int]:
    """The ids of so many features, each of a width, or in a run that begins with the first."""
    if width == RUN:
        if (first + count - 1) >> 32:
            raise cursor.damaged("a run of ids that ends above them all")
        return list(range(first, first + count))
    ids = [cursor.fixed(width) for _ in range(count)]
    if any(ids[i] >= ids[i + 1] for i in range(count - 1)):
        raise cursor.damaged("ids of features do not ascend")
    return ids


def read_slot(cursor: Cursor, slot: int, piece: Piece, origin: int) -> tuple[Placed, int]:
    """The bytes that a slot tells of, counted from an origin, and where in the piece they end."""
    start, length = origin + (slot & ((1 << 38) - 1)), slot >> 38 & ((1 << 25) - 1)
    end = start + length
    if end > len(piece.data):
        raise cursor.damaged("a slot tells of bytes behind the end of their section")
    return Placed(piece.data[start:end], piece.base + start), end
