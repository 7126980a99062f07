"""Stores and files as they lie on a disk (SPEC 4.2): which there are, and what they say."""

import os
import re
from collections.abc import Iterator

from .catalog import Names
from .damage import Damaged
from .header import read_header
from .manifest import read_manifest
from .show import Record, show_file

FILE_NAME = re.compile(r"(MANIFEST|LOG|TABLE)-(\d{6,})")
ORDER = ("CURRENT", "MANIFEST", "LOG", "TABLE")


def read_file(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        raise Damaged(path, 0, "the file is missing") from None


def sorted_names(directory: str) -> tuple[list[str], list[str]]:
    """The store's files in the order of their kinds and numbers, and then all other files."""
    ours: list[tuple[int, int, str]] = []
    strays: list[str] = []
    for name in sorted(os.listdir(directory)):
        match = FILE_NAME.fullmatch(name)
        if match:
            ours.append((ORDER.index(match[1]), int(match[2]), name))
        elif name == "CURRENT":
            ours.append((0, 0, name))
        elif name != "LOCK" and os.path.isfile(os.path.join(directory, name)):
            strays.append(name)
    return [name for _, _, name in sorted(ours)], strays


def names_beside(directory: str) -> Names:
    """What the manifest of a directory says of features; nothing if there is none to be read."""
    try:
        current = os.path.join(directory, "CURRENT")
        header = read_header(current, read_file(current))
        manifest = os.path.join(directory, f"MANIFEST-{header.number:06}")
        return read_manifest(manifest, read_file(manifest)).names
    except Damaged:
        return Names()


def dump_store(directory: str) -> Iterator[Record | Damaged]:
    """The records of all files. A damaged one gives its error, and the next file follows."""
    ours, strays = sorted_names(directory)
    if not ours:
        raise Damaged(directory, 0, "there is no file of a store")
    names = names_beside(directory)
    for name in ours:
        path = os.path.join(directory, name)
        try:
            yield from show_file(path, read_file(path), names)
        except Damaged as damage:
            yield damage
    for name in strays:
        path = os.path.join(directory, name)
        yield {"what": "stray", "path": path, "bytes": os.path.getsize(path)}


def dump_file(path: str) -> Iterator[Record | Damaged]:
    names = names_beside(os.path.dirname(path) or ".")
    yield from show_file(path, read_file(path), names)
