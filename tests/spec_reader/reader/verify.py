"""Whether the files of a store fit together (SPEC 9.2, as an opening for reading checks them).

Dumping looks at each file by itself. Here the manifest that CURRENT names is held against the logs
and tables: they have to be there, be of this store, have the length and identity that the manifest
tells, and hold only features that it defines.
"""

import os
from bisect import bisect_right

from .batch import read_batch, read_log, read_note
from .damage import Damaged
from .edits import AddTable
from .frames import BATCH, Frame, Torn, read_frames
from .header import HEADER_LEN, Header, read_header
from .manifest import State, read_manifest
from .store import read_file, sorted_names
from .table import read_table
from .wire import MAX_I64, MIN_I64


def verify_store(directory: str) -> list[Damaged]:
    """What is wrong with a store, at most one thing of each file."""
    faults: list[Damaged] = []
    try:
        state, current = read_state(directory)
    except Damaged as damage:
        return [damage]
    newest_commit = MIN_I64
    for number, sealed in sorted(state.logs.items()):
        path = os.path.join(directory, f"LOG-{number:06}")
        try:
            commits = verify_log(path, number, sealed, state, current)
            if commits and commits[0] <= newest_commit:
                raise Damaged(path, 0, "a commit is not above those of the earlier logs")
            newest_commit = max([newest_commit, *commits])
        except Damaged as damage:
            faults.append(damage)
    for number, entry in sorted(state.tables.items()):
        path = os.path.join(directory, f"TABLE-{number:06}")
        try:
            verify_table(path, entry, state, current)
        except Damaged as damage:
            faults.append(damage)
    newest_commit = max(newest_commit, state.newest)
    faults += unnamed_logs(directory, state, current, newest_commit)
    return faults


def unnamed_logs(
    directory: str, state: State, current: Header, newest_commit: int
) -> list[Damaged]:
    """A log that the manifest does not name tells of nothing newer, or CURRENT is an old copy."""
    for name in sorted_names(directory)[0]:
        kind, _, digits = name.partition("-")
        if kind != "LOG" or int(digits) in state.logs:
            continue
        path = os.path.join(directory, name)
        data = read_file(path)
        try:
            header = read_header(path, data)
            check_header(path, header, "log", int(digits), current)
            frames = [f for f in read_frames(path, data, header) if isinstance(f, Frame)]
        except Damaged:
            # Left over from a crash, before anything in it counted.
            continue
        try:
            for frame in frames:
                if frame.kind != BATCH:
                    check_note(path, frame, state, current)
                elif frame.commit > newest_commit:
                    what = f"{name} is not named and holds newer batches"
                    raise Damaged(os.path.join(directory, "CURRENT"), 0, what)
        except Damaged as damage:
            return [damage]
    return []


def read_state(directory: str) -> tuple[State, Header]:
    path = os.path.join(directory, "CURRENT")
    data = read_file(path)
    current = read_header(path, data)
    if current.kind != "current":
        raise Damaged(path, 6, f"CURRENT was expected, and this is a {current.kind}")
    if len(data) != 56:
        raise Damaged(path, 56, "CURRENT goes on behind its header")
    manifest = os.path.join(directory, f"MANIFEST-{current.number:06}")
    data = read_file(manifest)
    check_header(manifest, read_header(manifest, data), "manifest", current.number, current)
    state = read_manifest(manifest, data)
    check_tables(manifest, state)
    return state, current


def check_header(path: str, header: Header, kind: str, number: int, current: Header) -> None:
    found, expected = (header.kind, header.store, header.number), (kind, current.store, number)
    if found != expected:
        raise Damaged(path, 0, f"another file: {found} is not {expected}")


def check_tables(manifest: str, state: State) -> None:
    """No two tables of level 1, or of one run of level 2, share a hash (SPEC 8, rule 6)."""

    def run_of(table: AddTable) -> int:
        return table.past.run if table.past else -1

    merged = sorted(
        (table for table in state.tables.values() if table.level > 0),
        key=lambda table: (run_of(table), table.min_hash),
    )
    for before, table in zip(merged, merged[1:], strict=False):
        if run_of(table) == run_of(before) and table.min_hash <= before.max_hash:
            raise Damaged(
                manifest, 0, f"tables {before.number} and {table.number} of one run share a hash"
            )


def verify_log(
    path: str, number: int, sealed: int | None, state: State, current: Header
) -> list[int]:
    """Checks a log. The answer is the commits of its batches."""
    commits: list[int] = []
    data = read_file(path)
    header = read_header(path, data)
    check_header(path, header, "log", number, current)
    if sealed is not None and len(data) != sealed:
        raise Damaged(path, min(sealed, len(data)), f"the log was sealed with {sealed} bytes")
    end = HEADER_LEN
    for frame in read_log(path, data, header):
        if isinstance(frame, Torn):
            if sealed is not None:
                raise Damaged(path, frame.offset, "a sealed log is not whole")
            break
        end = frame.offset + frame.length
        if frame.synced > frame.offset:
            raise Damaged(path, frame.offset, "a synced mark above the frame's own place")
        if frame.kind != BATCH:
            check_note(path, frame, state, current)
            continue
        commits.append(frame.commit)
        batch = read_batch(path, frame, state.names)
        if frame.ceiling < frame.commit:
            raise Damaged(path, frame.offset, "the ceiling is below the commit")
        if batch.source and batch.label is not None:
            label = state.names.sources.setdefault(batch.source, batch.label)
            if label != batch.label or not label:
                raise Damaged(path, frame.payload_offset, f"source {batch.source} is {label}")
        for entry in batch.entries:
            defined = state.defined.get(entry.feature)
            if defined is None or defined >= frame.commit:
                raise Damaged(
                    path, frame.payload_offset, f"feature {entry.feature} was not yet defined"
                )
    if end < state.durable.get(number, 0):
        raise Damaged(path, end, f"the log was durable up to byte {state.durable[number]}")
    return commits


def check_note(path: str, frame: Frame, state: State, current: Header) -> None:
    """A log may not tell of a newer or longer manifest than that of CURRENT."""
    note = read_note(path, frame)
    directory = os.path.dirname(path)
    told = f"manifest {note.number} was durable up to byte {note.length}, tells {path}"
    if note.number > current.number:
        raise Damaged(os.path.join(directory, "CURRENT"), 0, told)
    if note.number == current.number and note.length > state.end:
        manifest = os.path.join(directory, f"MANIFEST-{current.number:06}")
        raise Damaged(manifest, state.end, told)


def verify_table(path: str, entry: AddTable, state: State, current: Header) -> None:
    data = read_file(path)
    check_header(path, read_header(path, data), "table", entry.number, current)
    if len(data) != entry.length:
        raise Damaged(path, len(data), f"the table had {entry.length} bytes")
    table = read_table(path, data)
    if table.layout.identity != entry.identity:
        raise Damaged(path, len(data) - 32, "another table with the same number")
    metadata = table.metadata
    for name in (
        "rows",
        "revisions",
        "min_hash",
        "max_hash",
        "min_event_time",
        "max_event_time",
        "max_known_time",
        "min_commit",
        "max_commit",
    ):
        if getattr(metadata, name) != getattr(entry, name):
            raise Damaged(path, metadata.place, f"the manifest tells other {name}")
    for meta in metadata.features:
        if state.names.features.get(meta.id) != meta.feature:
            raise Damaged(path, metadata.place, f"the manifest defines {meta.id} otherwise")
    for number, label in metadata.sources.items():
        if state.names.sources.get(number) != label:
            raise Damaged(path, metadata.place, f"the manifest has another source {number}")
    spans = sorted(state.spans)
    for row in table.rows:
        for _, revision in row.revisions():
            at = bisect_right(spans, (revision.commit, MAX_I64)) - 1
            if at < 0 or spans[at][1] < revision.commit:
                raise Damaged(
                    path, row.head.place, f"the manifest knows of no commit {revision.commit}"
                )
