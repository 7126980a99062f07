"""The event times of a chunk before its values, in each of their forms (SPEC 4.10).

Each column has a list of its own, has that of all columns, or has one of some lists. In the form in
which a column's body tells its event times nothing is told of them here.
"""

from collections.abc import Sequence

from .ints import Ints, read_ints, read_lists
from .wire import Cursor

ONE_LIST_OF_TIMES, OWN_TIMES = 1, 2
FORM_OF_TIMES = SOME_LISTS = ONE_LIST_OF_TIMES | OWN_TIMES


def read_times(
    cursor: Cursor, counts: Sequence[int], flags: int
) -> tuple[str, Sequence[Ints] | None]:
    """The event times of each column, if they are not in its body, and how their form is called."""
    form = flags & FORM_OF_TIMES
    if form == OWN_TIMES:
        return "in bodies", None
    if form == SOME_LISTS:
        return "in some lists", read_some_lists(cursor, counts)
    is_one = form == ONE_LIST_OF_TIMES
    return "in one list" if is_one else "side by side", read_lists(cursor, counts, is_one)


def read_some_lists(cursor: Cursor, counts: Sequence[int]) -> list[Ints]:
    """The list that each column has. There may be one that none has, and nothing is asked of it."""
    lists = cursor.varint()
    if not 1 <= lists <= len(counts):
        raise cursor.damaged(f"a chunk of {len(counts)} columns with {lists} lists of event times")
    ends = read_ints(cursor, lists)
    total, revisions = ends[lists - 1], sum(counts)
    if not 1 <= total <= revisions:
        raise cursor.damaged(f"{total} event times in lists, and {revisions} revisions")
    numbers = read_ints(cursor, len(counts))
    begins = []
    for number, count in zip(numbers, counts, strict=True):
        if number >= lists:
            raise cursor.damaged(f"a column has list {number} of {lists} lists of event times")
        begin, end = ends[number - 1] if number else 0, ends[number]
        if end - begin != count:
            raise cursor.damaged(f"a column of {count} revisions has a list from {begin} to {end}")
        if end > total:
            raise cursor.damaged(f"a list from {begin} to {end} of {total} event times")
        begins.append(begin)
    lines = read_ints(cursor, total)
    return [lines.line(begin, count) for begin, count in zip(begins, counts, strict=True)]
