"""The chunk of a row: its older revisions, a column for each feature (SPEC 4.10).

The lists of all columns lie side by side: event times and kinds before the values, and behind them
what tells who may see a revision. Values lie in a body for each column, or are numbers and lie side
by side, too. A `ChunkColumn` has its own part of each.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from .batch import VALUE
from .catalog import Feature, ValueType, misfit
from .commits import (
    FORM_OF_COMMITS,
    ONE_LIST_OF_COMMITS,
    Commits,
    read_commits,
)
from .damage import Damaged
from .forms import seen
from .head import ID_WIDTHS, RUN, Revision, read_ids
from .ints import Ints, read_ints, read_lines, read_parts
from .timeline import Timeline
from .times import FORM_OF_TIMES, ONE_LIST_OF_TIMES, OWN_TIMES, SOME_LISTS, read_times
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

MAX_FEATURES = 65_536
MAX_REVISIONS = 16_777_216
END_WIDTHS = (1, 2, 4)
OWN_KNOWN_TIMES, HAS_SOURCES, HAS_KINDS, NUMBERS = 16, 32, 64, 128


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
    commits: Commits
    known: Ints | None
    sources: Ints | None
    kinds: Ints | None
    values: Column


@dataclass(frozen=True)
class Chunk:
    file: str
    columns: list[ChunkColumn]

    def revisions(self, column: ChunkColumn, feature: Feature) -> Iterator[Revision]:
        """The revisions of a column, ascending."""
        before: Revision | None = None
        for i in range(column.count):
            time = column.times.moment(i)
            commit = column.commits.commit(i, time)
            known = signed(commit - column.known[i]) if column.known else commit
            source = column.sources[i] if column.sources else 0
            kind = column.kinds[i] if column.kinds else VALUE
            if kind > 3 or known > commit or source >> 32:
                raise Damaged(self.file, column.place, f"no such revision: number {i}")
            value = column.values.value(i) if kind == VALUE else None
            reason = misfit(feature.type, value.value) if value else None
            if reason:
                raise Damaged(self.file, column.place, reason)
            revision = Revision(column.feature, time, known, commit, kind, source, value)
            if before and before.order >= revision.order:
                raise Damaged(self.file, column.place, "revisions of a column do not ascend")
            before = revision
            yield revision


def read_chunk(
    cursor: Cursor, features: Mapping[int, Feature], heap: Piece, timeline: Timeline | None
) -> Chunk:
    """A chunk that takes up the whole of the cursor's piece."""
    widths = cursor.u8()
    id_width, end_width = widths & 15, widths >> 4
    flags = cursor.u8()
    if flags & FORM_OF_TIMES == OWN_TIMES and flags & NUMBERS:
        raise cursor.damaged(f"a chunk with flags {flags:#x}")
    end_widths = (0,) if flags & NUMBERS else END_WIDTHS
    if id_width not in ID_WIDTHS or end_width not in end_widths:
        raise cursor.damaged("a chunk with widths that there are not")
    one_list_of_times = flags & FORM_OF_TIMES == ONE_LIST_OF_TIMES
    one_list_of_commits = flags & FORM_OF_COMMITS == ONE_LIST_OF_COMMITS
    counts = read_counts(cursor, one_list_of_times or one_list_of_commits)
    first = cursor.id() if id_width == RUN else 0
    ids = read_ids(cursor, id_width, len(counts), first)
    ends = [] if flags & NUMBERS else [cursor.fixed(end_width) for _ in counts]
    for number in ids:
        if number not in features:
            raise cursor.damaged(f"a chunk has feature {number}, and the metadata has not")
    types = [features[number].type for number in ids]
    form_of_times, times = read_times(cursor, counts, flags)
    kinds = read_parts(cursor, counts) if flags & HAS_KINDS else None
    if flags & NUMBERS:
        assert times is not None
        bodies = read_numbers(cursor, counts, times, types)
    else:
        bodies = read_bodies(cursor, counts, ends, times, types, heap)
    form_of_commits, commits = read_commits(cursor, counts, flags, timeline)
    known = read_parts(cursor, counts) if flags & OWN_KNOWN_TIMES else None
    sources = read_parts(cursor, counts) if flags & HAS_SOURCES else None
    cursor.end("a chunk")
    seen("chunks")
    seen(f"chunks with event times {form_of_times}")
    seen(f"chunks with commits {form_of_commits}")
    if flags & NUMBERS:
        seen("chunks with numbers side by side")
        if flags & FORM_OF_TIMES == SOME_LISTS:
            seen("chunks with numbers side by side and event times in some lists")
    if id_width == RUN:
        seen("chunks with ids in a run")
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
    return Chunk(cursor.file, columns)


def read_counts(cursor: Cursor, has_one_list: bool) -> list[int]:
    """How many revisions each column has. Where a list is that of all, they are a constant."""
    # Columns may take no bytes of their own, so it is not the bytes that bound their number.
    columns = cursor.varint()
    if not 1 <= columns <= MAX_FEATURES:
        raise cursor.damaged(f"a chunk with {columns} columns")
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
