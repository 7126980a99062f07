"""How many tables, heads and chunks were read, by what was told of them in which form.

A form that no store has is one of which nobody knows whether it is read right. So the comparison
with the program prints these counts, and fails where one of the `FORMS` is missing.
"""

from collections import Counter

FORMS = (
    "heads",
    "heads of slots",
    "heads of decimals",
    "heads of signed integers",
    "heads of unsigned integers",
    "heads of numbers with codes of their own",
    "heads with commits of their own",
    "heads by the timeline",
    "heads with ids in a run",
    "chunks",
    "chunks with numbers side by side",
    "chunks with numbers side by side and event times in some lists",
    "chunks with event times in one list",
    "chunks with event times side by side",
    "chunks with event times in bodies",
    "chunks with event times in some lists",
    "chunks with commits in one list",
    "chunks with commits side by side",
    "chunks with commits by places",
    "chunks with commits by the timeline with none listed",
    "chunks with commits by the timeline with some listed",
    "chunks with ids in a run",
    "tables with a timeline",
    "tables with hints",
    "tables without hints",
)
SEEN: Counter[str] = Counter()


def seen(form: str) -> None:
    assert form in FORMS, form
    SEEN[form] += 1
