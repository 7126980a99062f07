"""A whole table: its rows in order, each with its older revisions and its head (SPEC 4.7 to 4.17).

What the parts say of one another is held against one another: places, hashes, orders, counts.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from .batch import DELETED, NULL, STUB
from .catalog import Feature, sortable
from .chunk import Chunk, read_chunk
from .damage import Damaged
from .directory import Directory, read_directory
from .forms import seen
from .freshness import Freshness, points_of, read_freshness
from .hashes import entity_hash
from .head import Head, Revision, read_head
from .hints import HINT_LEN, Hint, hint_to, read_hints
from .layout import (
    DIRECTORY,
    FAR,
    FRESHNESS,
    HEADS,
    HINTS,
    HISTORY,
    METADATA,
    TIMELINE,
    Layout,
    read_layout,
)
from .metadata import FeatureMeta, Metadata, read_metadata
from .timeline import Timeline, read_timeline
from .values import Piece
from .wire import MASK_64, MAX_I64, MIN_I64, Cursor


@dataclass(frozen=True)
class TableRow:
    hash: int
    head: Head
    # Where the chunk and the heap begin in the file, if there are any.
    chunk_place: int | None
    heap_place: int | None
    chunk: Chunk | None
    features: dict[int, Feature]

    def revisions(self) -> Iterator[tuple[bool, Revision]]:
        """All revisions, feature by feature, ascending; with each whether it is the head's."""
        older = {column.feature: column for column in self.chunk.columns} if self.chunk else {}
        for newest in self.head.revisions:
            column = older.pop(newest.feature, None)
            if column and self.chunk:
                revision = None
                for revision in self.chunk.revisions(column, self.features[newest.feature]):
                    yield False, revision
                if revision and revision.order >= newest.order:
                    raise Damaged(self.chunk.file, column.place, "the head is not the newest")
            yield True, newest
        for column in older.values():
            assert self.chunk is not None
            raise Damaged(self.chunk.file, column.place, "the head has not this feature")


@dataclass(frozen=True)
class Table:
    layout: Layout
    metadata: Metadata
    freshness: Freshness | None
    timeline: Timeline | None
    directory: Directory
    # One for each row, if the table has any.
    hints: list[Hint] | None
    rows: list[TableRow]


def read_table(file: str, data: bytes) -> Table:
    layout = read_layout(file, data)
    metadata = read_metadata(layout.cursor(file, data, METADATA))
    freshness = None
    if FRESHNESS in layout.sections:
        freshness = read_freshness(layout.cursor(file, data, FRESHNESS))
    timeline = None
    if TIMELINE in layout.sections:
        timeline = read_timeline(layout.cursor(file, data, TIMELINE))
        seen("tables with a timeline")
    directory = read_directory(layout.cursor(file, data, DIRECTORY))
    hints = None
    if HINTS in layout.sections:
        hints = read_hints(layout.cursor(file, data, HINTS), len(directory.rows))
    seen("tables with hints" if hints is not None else "tables without hints")
    features = {meta.id: meta.feature for meta in metadata.features}
    heads = layout.cursor(file, data, HEADS)
    far_section, history = layout.sections[FAR], layout.sections[HISTORY]
    far = Piece(file, data[far_section.start : far_section.end], far_section.start)
    rows = []
    before: tuple[int, bytes] | None = None
    for row in directory.rows:
        if row.head > len(heads.data):
            raise Damaged(file, directory.place, "a row's head lies behind the heads")
        heads.at = row.head
        head = read_head(heads, features, far, timeline)
        number = entity_hash(head.entity)
        if number & 0xFFFF_FFFF != row.low_hash or directory.bucket_of(number) != row.bucket:
            raise Damaged(file, head.place, "an entity is not where its hash belongs")
        if before and before > (number, head.entity):
            raise Damaged(file, head.place, "rows do not ascend by hash and entity")
        before = number, head.entity
        chunk_place, heap_place, chunk = None, None, None
        if head.chunk_len:
            chunk_place = history.start + head.history_start
            heap_place = chunk_place + head.chunk_len
            if heap_place + head.heap_len > history.end:
                raise Damaged(file, head.place, "a chunk or a heap lies behind the history")
            heap = Piece(file, data[heap_place : heap_place + head.heap_len], heap_place)
            cursor = Cursor(file, data[chunk_place:heap_place], chunk_place)
            chunk = read_chunk(cursor, features, heap, timeline)
        row_heap = heap_place if head.heap_len else None
        rows.append(TableRow(number, head, chunk_place, row_heap, chunk, features))
    check_no_gaps(file, heads, [row.head for row in rows])
    check_directory(file, directory, rows)
    if hints is not None:
        check_hints(file, layout.sections[HINTS].start, hints, rows)
    table = Table(layout, metadata, freshness, timeline, directory, hints, rows)
    check_metadata(file, table)
    if freshness:
        check_freshness(file, freshness, rows)
    return table


def check_no_gaps(file: str, heads: Cursor, found: list[Head]) -> None:
    """Heads stand one after another."""
    end = heads.base
    for head in sorted(found, key=lambda head: head.place):
        if head.place != end:
            raise Damaged(file, head.place, f"a head was expected at byte {end}")
        end += head.length
    if end != heads.base + len(heads.data):
        raise Damaged(file, end, "the heads go on behind the last one")


def check_directory(file: str, directory: Directory, rows: list[TableRow]) -> None:
    """The first bucket begins at the least hash, and the last one holds the greatest."""
    least = rows[0].hash if rows else 0
    buckets = ((rows[-1].hash - least) >> directory.shift) + 1 if rows else 1
    if (directory.min_hash, directory.buckets) != (least, buckets):
        raise Damaged(file, directory.place, "the directory has other bounds than its rows")


def check_hints(file: str, place: int, hints: list[Hint], rows: list[TableRow]) -> None:
    """Hints tell what the heads do."""
    for index, (hint, row) in enumerate(zip(hints, rows, strict=True)):
        expected = hint_to(row.head.history_start, row.head.chunk_len)
        if hint != expected:
            reason = f"a hint is {hint}, and its head tells {expected}"
            raise Damaged(file, place + HINT_LEN * index, reason)


@dataclass
class Tally:
    """What is counted of one feature."""

    kinds: Counter[int] = field(default_factory=Counter)
    min_event_time: int = MAX_I64
    max_event_time: int = MIN_I64
    # The least and the greatest number, in an order of integers (see `sortable`).
    extremes: tuple[int, int] | None = None

    def add(self, revision: Revision, feature: Feature) -> None:
        self.kinds[revision.kind] += 1
        self.min_event_time = min(self.min_event_time, revision.event_time)
        self.max_event_time = max(self.max_event_time, revision.event_time)
        if revision.value and isinstance(revision.value.value, int):
            number = sortable(feature.type, revision.value.value)
            if number is not None:
                least, greatest = self.extremes or (number, number)
                self.extremes = min(least, number), max(greatest, number)


def check_metadata(file: str, table: Table) -> None:
    """Everything is counted as the metadata tells it."""
    metadata = table.metadata
    tallies: dict[int, Tally] = {}
    sources: set[int] = set()
    min_commit, max_commit, max_known_time = MAX_I64, MIN_I64, MIN_I64
    for row in table.rows:
        for _, revision in row.revisions():
            tally = tallies.setdefault(revision.feature, Tally())
            tally.add(revision, row.features[revision.feature])
            min_commit = min(min_commit, revision.commit)
            max_commit = max(max_commit, revision.commit)
            max_known_time = max(max_known_time, revision.known_time)
            if revision.source:
                sources.add(revision.source)
    told = (
        metadata.rows,
        metadata.revisions,
        metadata.min_hash,
        metadata.max_hash,
        metadata.min_event_time,
        metadata.max_event_time,
        metadata.max_known_time,
        metadata.min_commit,
        metadata.max_commit,
        sorted(metadata.sources),
        [meta.id for meta in metadata.features],
    )
    found = (
        len(table.rows),
        sum(tally.kinds.total() for tally in tallies.values()),
        table.rows[0].hash if table.rows else MASK_64,
        table.rows[-1].hash if table.rows else 0,
        min((tally.min_event_time for tally in tallies.values()), default=MAX_I64),
        max((tally.max_event_time for tally in tallies.values()), default=MIN_I64),
        max_known_time,
        min_commit,
        max_commit,
        sorted(sources),
        sorted(tallies),
    )
    if told != found:
        raise Damaged(file, metadata.place, f"the metadata tells {told}, and there is {found}")
    for meta in metadata.features:
        check_feature(file, metadata.place, meta, tallies[meta.id])


def check_freshness(file: str, freshness: Freshness, rows: list[TableRow]) -> None:
    """The points are those of the newest revision of each entity that is not deleted."""
    known: dict[int, int] = {}
    newest: dict[int, dict[bytes, Revision]] = {}
    for row in rows:
        for _, revision in row.revisions():
            number, entity = revision.feature, row.head.entity
            known[number] = max(known.get(number, MIN_I64), revision.known_time)
            found = newest.setdefault(number, {})
            if entity not in found or found[entity].order < revision.order:
                found[entity] = revision
    told = [(of.id, of.max_known_time, of.entities, of.points) for of in freshness.features]
    expected = []
    for number in sorted(newest):
        alive = [found for found in newest[number].values() if found.kind != DELETED]
        times = [found.event_time for found in alive]
        expected.append((number, known[number], len(times), points_of(times)))
    if told != expected:
        reason = f"the freshness tells {told}, and there is {expected}"
        raise Damaged(file, freshness.place, reason)


def check_feature(file: str, place: int, meta: FeatureMeta, tally: Tally) -> None:
    extremes = meta.extremes and tuple(sortable(meta.type, bits) for bits in meta.extremes)
    told = (
        (meta.revisions, meta.nulls, meta.deletes, meta.stubs),
        (meta.min_event_time, meta.max_event_time),
        extremes,
    )
    found = (
        (tally.kinds.total(), *(tally.kinds[kind] for kind in (NULL, DELETED, STUB))),
        (tally.min_event_time, tally.max_event_time),
        tally.extremes,
    )
    if told != found:
        reason = f"of feature {meta.id} the metadata tells {told}, and there is {found}"
        raise Damaged(file, place, reason)
