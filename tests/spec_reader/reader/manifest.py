"""The state that the edits of a manifest add up to (SPEC 4.6): files, features, sources.

Only what a reader of files needs is kept. What an edit names must be there when it is applied:
that, and not the form of the edits, is what this module judges.
"""

from dataclasses import dataclass, field

from .catalog import Feature, Names
from .damage import Damaged
from .edits import (
    AddLog,
    AddTable,
    Alter,
    Clock,
    Commits,
    Define,
    Edit,
    LogSynced,
    Lost,
    ManifestSynced,
    Mark,
    NextFile,
    RecordBounds,
    RemoveLog,
    RemoveTable,
    Retire,
    SealLog,
    Source,
    Store,
    Touch,
    read_edits,
)
from .frames import EDIT, Frame, Torn, read_frames
from .header import read_header
from .wire import MIN_I64


@dataclass
class State:
    """What a manifest says in the end."""

    names: Names = field(default_factory=Names)
    # The commit of each feature's definition.
    defined: dict[int, int] = field(default_factory=dict)
    tables: dict[int, AddTable] = field(default_factory=dict)
    # The sealed length of each log; None for one that still takes batches.
    logs: dict[int, int | None] = field(default_factory=dict)
    # Up to where each log that is not sealed is known to be durable.
    durable: dict[int, int] = field(default_factory=dict)
    newest: int = MIN_I64
    ceiling: int = MIN_I64
    next_file: int = 0
    # Between which moments, ends included, the commits of tables lie.
    spans: list[tuple[int, int]] = field(default_factory=list)
    # Where the whole frames of the manifest end.
    end: int = 0
    has_store: bool = False
    has_clock: bool = False

    def apply(self, edit: Edit) -> str | None:
        """Takes an edit in. The answer is why it cannot be, if it cannot."""
        if not self.has_store and not isinstance(edit, Store):
            return "the first edit is not that of the store"
        match edit:
            case Store():
                if self.has_store:
                    return "a second edit of the store"
                self.has_store = True
            case AddTable(number=number):
                if not in_order(edit):
                    return f"the bounds of table {number} are not in order"
                if number in self.tables:
                    return f"table {number} is added twice"
                self.tables[number] = edit
            case RemoveTable(number=number):
                if self.tables.pop(number, None) is None:
                    return f"table {number} is not there"
            case AddLog(number=number):
                if number in self.logs:
                    return f"log {number} is added twice"
                self.logs[number] = None
            case SealLog(number=number, length=length):
                if number not in self.logs:
                    return f"log {number} is not there"
                self.logs[number] = length
                self.durable.pop(number, None)
            case LogSynced(number=number, length=length):
                if number not in self.logs:
                    return f"log {number} is not there"
                if self.logs[number] is None:
                    self.durable[number] = max(length, self.durable.get(number, 0))
            case ManifestSynced():
                return "a manifest holds what only the note of a log may tell"
            case RemoveLog(number=number):
                if number not in self.logs:
                    return f"log {number} is not there"
                del self.logs[number]
                self.durable.pop(number, None)
            case Clock(newest=newest, ceiling=ceiling):
                if newest > ceiling:
                    return "a newest commit above the ceiling"
                self.has_clock = True
                self.newest = max(self.newest, newest)
                self.ceiling = ceiling
            case NextFile(number=number):
                self.next_file = max(self.next_file, number)
            case Commits(spans=spans):
                self.spans += spans
            case Lost(first=first, last=last):
                if first > last:
                    return "lost commits end before they begin"
            case Define(commit=commit, definition=definition):
                if definition.id != len(self.names.features) + 1:
                    return f"feature {definition.id} is not the next one"
                self.defined[definition.id] = commit
                self.names.features[definition.id] = Feature(
                    definition.name, definition.schema, definition.type
                )
            case Alter(feature=feature) | RecordBounds(feature=feature):
                if feature not in self.names.features:
                    return f"feature {feature} is not there"
            case Retire(name=name):
                if all(feature.name != name for feature in self.names.features.values()):
                    return f"no feature has the name {name}"
            case Source(id=number, label=label):
                self.names.sources[number] = label
            case Touch(source=source, feature=feature):
                if not self.has_label(source) or feature not in self.names.features:
                    return f"source {source} or feature {feature} is not there"
            case Mark(source=source) if not self.has_label(source):
                return f"source {source} is not there"
        return None

    def has_label(self, source: int) -> bool:
        """Whether a source is known; 0 stands for none."""
        return source == 0 or source in self.names.sources

    def misdrawn(self, manifest: int) -> str | None:
        """What is wrong with what the manifest of this number says in the end."""
        if max([manifest, *self.tables, *self.logs]) >= self.next_file:
            return "a file with a number not below the next one"
        if any(self.logs[number] is None for number in sorted(self.logs)[:-1]):
            return "a log that is not sealed is not the newest one"
        return None


def in_order(table: AddTable) -> bool:
    return (
        table.level <= 2
        and (table.past is None or table.past.first_moment <= table.past.last_moment)
        and table.min_hash <= table.max_hash
        and table.min_event_time <= table.max_event_time
        and table.min_commit <= table.max_commit
        and table.rows <= table.revisions
    )


def edits_of(file: str, frame: Frame) -> list[Edit]:
    """The edits of a frame of a manifest."""
    if frame.kind != EDIT:
        raise Damaged(file, frame.offset, "a manifest holds a frame that is not of edits")
    return read_edits(file, frame)


def read_manifest(file: str, data: bytes) -> State:
    """The state of a whole manifest; a torn end is as if it was not there."""
    header = read_header(file, data)
    if header.kind != "manifest":
        raise Damaged(file, 6, f"a manifest was expected, and this is a {header.kind}")
    state = State()
    for frame in read_frames(file, data, header):
        if isinstance(frame, Torn):
            break
        if frame.synced > frame.offset:
            raise Damaged(file, frame.offset, "a synced mark above the frame's own place")
        for edit in edits_of(file, frame):
            reason = state.apply(edit)
            if reason:
                raise Damaged(file, frame.offset, reason)
        state.ceiling = max(state.ceiling, frame.ceiling)
        state.end = frame.offset + frame.length
    if not state.has_clock:
        raise Damaged(file, len(data), "a manifest without a clock")
    reason = state.misdrawn(header.number)
    if reason:
        raise Damaged(file, state.end, reason)
    return state
