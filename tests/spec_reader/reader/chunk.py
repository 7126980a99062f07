"""The chunk of a row: its older revisions, a column for each feature (SPEC 4.10)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .batch import VALUE
from .catalog import Feature, misfit
from .damage import Damaged
from .head import ID_WIDTHS, Revision
from .ints import Ints, read_ints
from .values import Column, Piece, read_column
from .wire import Cursor, signed

MAX_COLUMN = 16_777_216
EARLIER_TIMES, EARLIER_COMMITS, OWN_KNOWN_TIMES, HAS_SOURCES, HAS_KINDS = 1, 2, 4, 8, 16


@dataclass(frozen=True)
class ChunkColumn:
    """The older revisions of one feature."""

    place: int
    feature: int
    count: int
    times: Ints
    places: Ints
    # Whether the list is this column's own, so that a later column may refer to it.
    owns_times: bool
    owns_places: bool
    known: Ints | None
    sources: Ints | None
    kinds: Ints | None
    values: Column


@dataclass(frozen=True)
class Chunk:
    file: str
    commits: Ints
    columns: list[ChunkColumn]

    def revisions(self, column: ChunkColumn, feature: Feature) -> Iterator[Revision]:
        """The revisions of a column, ascending."""
        before: Revision | None = None
        for i in range(column.count):
            place = column.places[i]
            if place >= len(self.commits):
                raise Damaged(self.file, column.place, "a place that is not in the commits")
            commit = self.commits.moment(place)
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
    if id_width not in ID_WIDTHS or end_width not in ID_WIDTHS:
        raise cursor.damaged("a chunk with widths that there are not")
    column_count = cursor.count()
    commit_count = cursor.varint()
    if commit_count > MAX_COLUMN:
        raise cursor.damaged(f"a chunk of {commit_count} commits")
    commits = read_ints(cursor, commit_count)
    if any(commits.moment(i) >= commits.moment(i + 1) for i in range(commit_count - 1)):
        raise cursor.damaged("the commits of a chunk do not ascend")
    ids = [cursor.fixed(id_width) for _ in range(column_count)]
    ends = [cursor.fixed(end_width) for _ in range(column_count)]
    if any(ids[i] >= ids[i + 1] for i in range(column_count - 1)):
        raise cursor.damaged("the features of a chunk do not ascend")
    columns: list[ChunkColumn] = []
    first_body = cursor.at
    for number, end in zip(ids, ends, strict=True):
        length = first_body + end - cursor.at
        if length < 0:
            raise cursor.damaged("the bodies of a chunk do not ascend")
        feature = features.get(number)
        if feature is None:
            raise cursor.damaged(f"a chunk has feature {number}, and the metadata has not")
        columns.append(read_body(cursor.sub(length), number, feature, columns, heap))
    cursor.end("a chunk")
    return Chunk(cursor.file, commits, columns)


def read_body(
    cursor: Cursor, number: int, feature: Feature, earlier: list[ChunkColumn], heap: Piece
) -> ChunkColumn:
    place = cursor.place
    count = cursor.varint()
    if not 1 <= count <= MAX_COLUMN:
        raise cursor.damaged(f"a column of {count} revisions")
    flags = cursor.u8()
    if flags > 31:
        raise cursor.damaged(f"a column with flags {flags:#x}")
    if flags & EARLIER_TIMES:
        times = earlier_column(cursor, count, earlier, owns="owns_times").times
    else:
        times = read_ints(cursor, count)
    if flags & EARLIER_COMMITS:
        places = earlier_column(cursor, count, earlier, owns="owns_places").places
    else:
        places = read_ints(cursor, count)
    known = read_ints(cursor, count) if flags & OWN_KNOWN_TIMES else None
    sources = read_ints(cursor, count) if flags & HAS_SOURCES else None
    kinds = read_ints(cursor, count) if flags & HAS_KINDS else None
    values = read_column(cursor, count, feature.type, heap)
    return ChunkColumn(
        place=place,
        feature=number,
        count=count,
        times=times,
        places=places,
        owns_times=not flags & EARLIER_TIMES,
        owns_places=not flags & EARLIER_COMMITS,
        known=known,
        sources=sources,
        kinds=kinds,
        values=values,
    )


def earlier_column(
    cursor: Cursor, count: int, earlier: list[ChunkColumn], owns: str
) -> ChunkColumn:
    """The earlier column whose list is referred to."""
    index = cursor.varint()
    if index >= len(earlier):
        raise cursor.damaged(f"column {index} is not an earlier one")
    column = earlier[index]
    if column.count != count or not getattr(column, owns):
        raise cursor.damaged(f"column {index} has no such list of its own")
    return column
