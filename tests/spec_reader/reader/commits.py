"""The commits of a chunk, in each of their forms (SPEC 4.10).

Each column has a `Commits`, which gives the commit of one of its revisions. The revision's event
time is needed only where the table's timeline tells commits.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from .damage import Damaged
from .ints import Ints, firsts, read_ints, read_lines, read_lists
from .timeline import Timeline
from .wire import Cursor

ONE_LIST_OF_COMMITS, PLACES = 4, 8
FORM_OF_COMMITS = BY_TIMELINE = ONE_LIST_OF_COMMITS | PLACES


class Commits(Protocol):
    def commit(self, index: int, event_time: int) -> int: ...


@dataclass(frozen=True)
class OwnCommits:
    """In one list for all columns, or in the column's own beside the others."""

    commits: Ints

    def commit(self, index: int, event_time: int) -> int:
        return self.commits.moment(index)


@dataclass(frozen=True)
class PlacedCommits:
    """Places in a list of all commits of the chunk."""

    file: str
    place: int
    listed: Ints
    places: Ints

    def commit(self, index: int, event_time: int) -> int:
        place = self.places[index]
        if place >= len(self.listed):
            raise Damaged(self.file, self.place, "a place that is not in the commits")
        return self.listed.moment(place)


@dataclass(frozen=True)
class TimelineCommits:
    """What the timeline tells of the event time, but for the revisions that are listed."""

    timeline: Timeline
    # The places of those that are listed, among the revisions of all columns, and their commits.
    places: Ints
    listed: Ints
    # The place of the column's first revision.
    first: int

    def commit(self, index: int, event_time: int) -> int:
        place = self.first + index
        at = bisect_left(self.places, place)
        if at < len(self.places) and self.places[at] == place:
            return self.listed.moment(at)
        return self.timeline.commit(event_time)


def read_commits(
    cursor: Cursor, counts: Sequence[int], flags: int, timeline: Timeline | None
) -> tuple[str, Sequence[Commits]]:
    """The commits of each column, and how their form is called."""
    form, revisions, place = flags & FORM_OF_COMMITS, sum(counts), cursor.place
    if form == BY_TIMELINE:
        if timeline is None:
            raise cursor.damaged("a chunk goes by a timeline, and the table has none")
        places, listed = read_exceptions(cursor, revisions)
        name = "with some listed" if len(listed) else "with none listed"
        return f"by the timeline {name}", [
            TimelineCommits(timeline, places, listed, first) for first, _ in firsts(counts)
        ]
    if form == PLACES:
        listed = read_listed(cursor, revisions)
        lines = read_lines(cursor, counts)
        return "by places", [PlacedCommits(cursor.file, place, listed, line) for line in lines]
    is_one = form == ONE_LIST_OF_COMMITS
    lists = [OwnCommits(own) for own in read_lists(cursor, counts, is_one)]
    return "in one list" if is_one else "side by side", lists


def read_listed(cursor: Cursor, revisions: int) -> Ints:
    """The commits of the chunk, each once."""
    count = cursor.varint()
    if not 1 <= count <= revisions:
        raise cursor.damaged(f"a chunk of {revisions} revisions with {count} commits")
    listed = read_ints(cursor, count)
    if any(listed.moment(i) >= listed.moment(i + 1) for i in range(count - 1)):
        raise cursor.damaged("the commits of a chunk do not ascend")
    return listed


def read_exceptions(cursor: Cursor, revisions: int) -> tuple[Ints, Ints]:
    """The places of revisions that have another commit than the timeline tells, and theirs."""
    count = cursor.varint()
    if count > revisions:
        raise cursor.damaged(f"a chunk of {revisions} revisions lists {count} of them")
    places = read_ints(cursor, count)
    if any(places[i] >= places[i + 1] for i in range(count - 1)):
        raise cursor.damaged("the places of listed revisions do not ascend")
    if count and places[count - 1] >= revisions:
        raise cursor.damaged("a revision is listed that there is not")
    return places, read_ints(cursor, count)
