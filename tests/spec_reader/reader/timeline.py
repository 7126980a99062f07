"""The timeline of a table: which event times came with which commits (SPEC 4.16)."""

from bisect import bisect_right
from dataclasses import dataclass

from .ints import read_ints
from .wire import Cursor

MAX_STEPS = 262_144


@dataclass(frozen=True)
class Timeline:
    """Steps that ascend both ways. At each event time a commit begins."""

    times: list[int]
    commits: list[int]

    def commit(self, event_time: int) -> int:
        """That of the last step at or before an event time; before all of them the first."""
        return self.commits[max(bisect_right(self.times, event_time) - 1, 0)]


def read_timeline(cursor: Cursor) -> Timeline:
    start = cursor.at
    count = cursor.varint()
    if not 1 <= count <= MAX_STEPS:
        cursor.at = start
        raise cursor.damaged(f"a timeline of {count} steps")
    times, commits = read_ints(cursor, count), read_ints(cursor, count)
    cursor.end("a timeline")
    timeline = Timeline(
        [times.moment(i) for i in range(count)], [commits.moment(i) for i in range(count)]
    )
    for row in (timeline.times, timeline.commits):
        if any(row[i] >= row[i + 1] for i in range(count - 1)):
            cursor.at = start
            raise cursor.damaged("the steps of a timeline do not ascend")
    return timeline
