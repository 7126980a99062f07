"""The chunk of a row: its older revisions, a column for each feature (SPEC 4.10).

The lists of all columns lie side by side: event times and kinds before the values, and behind them
what tells who may see a revision. Values lie in a body for each column, or are numbers and lie side
by side, too. A `ChunkColumn` has its own part of each.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from .batch import VALUE
from .catalog import Feature, ValueType, misfit
from .damage import Damaged
from .head import ID_WIDTHS, Revision
from .ints import Ints, read_ints, read_lines, read_parts
from .values import (
    MAX_EXPONENT,
    NUMBER_FORMS,
    WHOLE_NUMBERS,
    Column,
    Piece,
    fits,
    number_column,
    read_column,
)
from .wire import Cursor, signed

MAX_REVISIONS = 16_777_216
ONE_LIST_OF_TIMES, OWN_TIMES, ONE_LIST_OF_COMMITS, PLACES = 1, 2, 4, 8
TIMES, COMMITS = ONE_LIST_OF_TIMES | OWN_TIMES, ONE_LIST_OF_COMMITS | PLACES
OWN_KNOWN_TIMES, HAS_SOURCES, HAS_KINDS, NUMBERS = 16, 32, 64, 128

# How many chunks were read, by whether their numbers lie side by side.
SEEN = {False: 0, True: 0}


@dataclass(frozen=True)
class Body:
    """The values of a column and the event times of its revisions, wherever they lie."""

    # Where the body begins, or the numbers of all columns.
    place: int
    times: Ints
    # Whether the times lie in the body itself, so that a later column may refer to them.
    owns_times: bool
    values: Column


@dataclass(frozen=True)
class ChunkColumn:
    """The older revisions of one feature."""

    place: int
    feature: int
    count: int
    times: Ints
    # Where the chunk lists its commits, the places among them.
    commits: Ints
    known: Ints | None
    sources: Ints | None
    kinds: Ints | None
    values: Column


@dataclass(frozen=True)
class Chunk:
    file: str
    # The commits of which columns tell the places; None if they tell the commits themselves.
    listed: Ints | None
    columns: list[ChunkColumn]

    def commit(self, column: ChunkColumn, index: int) -> int:
        if self.listed is None:
            return column.commits.moment(index)
        place = column.commits[index]
        if place >= len(self.listed):
            raise Damaged(self.file, column.place, "a place that is not in the commits")
        return self.listed.moment(place)

    def revisions(self, column: ChunkColumn, feature: Feature) -> Iterator[Revision]:
        """The revisions of a column, ascending."""
        before: Revision | None = None
        for i in range(column.count):
            commit = self.commit(column, i)
            known = signed(commit - column.known[i]) if column.known else commit
            source = column.sources[i] if column.sources else 0
            kind = column.kinds[i] if column.kinds else VALUE
            if kind > 3 or known > commit or source >> 32:
                raise Damaged(self.file, column.place, f"no such revision: number {i}")
            value = column.values.value(i) if kind == VALUE else None
            reason = misfit(feature.type, value.value) if value else None
            if reason:
                raise Damaged(self.file, column.place, reason)
            time = column.times.moment(i)
            revision = Revision(column.feature, time, known, commit, kind, source, value)
            if before and before.order >= revision.order:
                raise Damaged(self.file, column.place, "revisions of a column do not ascend")
            before = revision
            yield revision


def read_chunk(cursor: Cursor, features: Mapping[int, Feature], heap: Piece) -> Chunk:
    """A chunk that takes up the whole of the cursor's piece."""
    widths = cursor.u8()
    id_width, end_width = widths & 15, widths >> 4
    flags = cursor.u8()
    own_and_numbers = OWN_TIMES | NUMBERS
    if any(flags & both == both for both in (TIMES, COMMITS, own_and_numbers)):
        raise cursor.damaged(f"a chunk with flags {flags:#x}")
    end_widths = (0,) if flags & NUMBERS else ID_WIDTHS
    if id_width not in ID_WIDTHS or end_width not in end_widths:
        raise cursor.damaged("a chunk with widths that there are not")
    counts = read_counts(cursor, bool(flags & (ONE_LIST_OF_TIMES | ONE_LIST_OF_COMMITS)))
    ids = [cursor.fixed(id_width) for _ in counts]
    ends = [] if flags & NUMBERS else [cursor.fixed(end_width) for _ in counts]
    if any(ids[i] >= ids[i + 1] for i in range(len(ids) - 1)):
        raise cursor.damaged("the features of a chunk do not ascend")
    for number in ids:
        if number not in features:
            raise cursor.damaged(f"a chunk has feature {number}, and the metadata has not")
    types = [features[number].type for number in ids]
    times: list[Ints] | None = None
    if not flags & OWN_TIMES:
        times = read_lists(cursor, counts, bool(flags & ONE_LIST_OF_TIMES))
    kinds = read_parts(cursor, counts) if flags & HAS_KINDS else None
    if flags & NUMBERS:
        assert times is not None
        bodies = read_numbers(cursor, counts, times, types)
    else:
        bodies = read_bodies(cursor, counts, ends, times, types, heap)
    listed = read_listed(cursor, sum(counts)) if flags & PLACES else None
    commits = read_lists(cursor, counts, bool(flags & ONE_LIST_OF_COMMITS))
    known = read_parts(cursor, counts) if flags & OWN_KNOWN_TIMES else None
    sources = read_parts(cursor, counts) if flags & HAS_SOURCES else None
    cursor.end("a chunk")
    SEEN[bool(flags & NUMBERS)] += 1
    columns = [
        ChunkColumn(
            place=body.place,
            feature=ids[i],
            count=counts[i],
            times=body.times,
            commits=commits[i],
            known=known[i] if known else None,
            sources=sources[i] if sources else None,
            kinds=kinds[i] if kinds else None,
            values=body.values,
        )
        for i, body in enumerate(bodies)
    ]
    return Chunk(cursor.file, listed, columns)


def read_counts(cursor: Cursor, has_one_list: bool) -> list[int]:
    """How many revisions each column has. Where a list is that of all, they are a constant."""
    # Each column takes bytes for its id, so there are not more than bytes are left.
    columns = cursor.count()
    if columns == 0:
        raise cursor.damaged("a chunk without columns")
    counts = read_ints(cursor, columns)
    # One after another: the numbers of a few bytes can be very many.
    total = 0
    for count in counts:
        total += count
        if count < 1 or total > MAX_REVISIONS:
            raise cursor.damaged("a column of no revisions or of too many")
    if has_one_list and not counts.is_constant:
        raise cursor.damaged("one list for columns whose numbers of revisions are no constant")
    return list(counts)


def read_lists(cursor: Cursor, counts: Sequence[int], is_one: bool) -> list[Ints]:
    """The list of each column: one for all of them, or side by side."""
    if is_one:
        return [read_ints(cursor, counts[0])] * len(counts)
    return read_lines(cursor, counts)


def read_listed(cursor: Cursor, revisions: int) -> Ints:
    """The commits of the chunk, each once."""
    count = cursor.varint()
    if not 1 <= count <= revisions:
        raise cursor.damaged(f"a chunk of {revisions} revisions with {count} commits")
    listed = read_ints(cursor, count)
    if any(listed.moment(i) >= listed.moment(i + 1) for i in range(count - 1)):
        raise cursor.damaged("the commits of a chunk do not ascend")
    return listed


def read_bodies(
    cursor: Cursor,
    counts: Sequence[int],
    ends: Sequence[int],
    times: Sequence[Ints] | None,
    types: Sequence[ValueType],
    heap: Piece,
) -> list[Body]:
    """The bodies one behind another, as far as their ends tell."""
    bodies: list[Body] = []
    first_body = cursor.at
    for i, end in enumerate(ends):
        length = first_body + end - cursor.at
        if length < 0:
            raise cursor.damaged("the bodies of a chunk do not ascend")
        known = times[i] if times else None
        bodies.append(read_body(cursor.sub(length), counts[i], known, bodies, types[i], heap))
    return bodies


def read_body(
    cursor: Cursor,
    count: int,
    times: Ints | None,
    earlier: Sequence[Body],
    value_type: ValueType,
    heap: Piece,
) -> Body:
    """A body. The event times are read from it if they are not known."""
    place = cursor.place
    owns_times = False
    if times is None:
        reference = cursor.varint()
        owns_times = reference == 0
        if owns_times:
            times = read_ints(cursor, count)
        else:
            times = earlier_times(cursor, reference - 1, count, earlier)
    return Body(place, times, owns_times, read_column(cursor, count, value_type, heap))


def read_numbers(
    cursor: Cursor, counts: Sequence[int], times: Sequence[Ints], types: Sequence[ValueType]
) -> list[Body]:
    """The numbers of all columns side by side: each is its column's base and a rest together."""
    place, start = cursor.place, cursor.at
    codes = read_ints(cursor, len(counts))
    bases = read_ints(cursor, len(counts))
    rests = read_lines(cursor, counts)
    bodies = []
    for i, code in enumerate(codes):
        form, exponent = code & 15, code >> 4
        greatest = 0 if form == WHOLE_NUMBERS else MAX_EXPONENT
        if form not in NUMBER_FORMS or exponent > greatest:
            cursor.at = start
            raise cursor.damaged(f"numbers side by side with the code {code:#x}")
        if not fits(form, types[i]):
            cursor.at = start
            raise cursor.damaged(f"numbers of form {form} for a feature of type {types[i]}")
        values = number_column(form, exponent, rests[i].above(bases[i]))
        bodies.append(Body(place, times[i], False, values))
    return bodies


def earlier_times(cursor: Cursor, index: int, count: int, earlier: Sequence[Body]) -> Ints:
    """The event times of the earlier column that is referred to."""
    if index >= len(earlier):
        raise cursor.damaged(f"column {index} is not an earlier one")
    body = earlier[index]
    if len(body.times) != count or not body.owns_times:
        raise cursor.damaged(f"column {index} has no such list of its own")
    return body.times
