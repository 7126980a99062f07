"""Frames of logs and manifests (SPEC 4.4), and how a torn end is told from rot.

A torn end is what a crash leaves of frames that were being written: the frames before it count.
Rot is damage to what had been durable, and is an error.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from .damage import Damaged
from .header import HEADER_LEN, Header
from .wire import Cursor, crc32

FRAME_HEAD_LEN = 40
MAX_PAYLOAD_LEN = 269_484_032
BATCH, EDIT = 1, 2

# Bytes 12 to 15 of any good frame head: a known kind and three zeros. The lookahead finds places
# that overlap.
KIND_AND_ZEROS = re.compile(rb"(?=[\x01\x02]\x00\x00\x00)")


@dataclass(frozen=True)
class Frame:
    offset: int
    kind: int
    commit: int
    synced: int
    ceiling: int
    payload: bytes

    @property
    def length(self) -> int:
        return FRAME_HEAD_LEN + len(self.payload)

    @property
    def payload_offset(self) -> int:
        return self.offset + FRAME_HEAD_LEN


@dataclass(frozen=True)
class FrameHead:
    head_sum: int
    payload_sum: int
    length: int
    kind: int
    commit: int
    synced: int
    ceiling: int


@dataclass(frozen=True)
class Torn:
    """The place from which on a file holds no more whole frames, and nothing durable."""

    offset: int
    length: int


def seed_of(header: Header) -> int:
    """What ties the frames of a file to it; each frame's place ties it to where it stands."""
    return crc32(header.store + header.number.to_bytes(8, "little"))


def good_head(file: str, data: bytes, at: int, seed: int) -> FrameHead | None:
    """The frame head at a place, if there is a good one."""
    if at + FRAME_HEAD_LEN > len(data):
        return None
    raw = data[at : at + FRAME_HEAD_LEN]
    cursor = Cursor(file, raw, at)
    head_sum, payload_sum, length = cursor.u32(), cursor.u32(), cursor.u32()
    kind, zeros = cursor.u8(), cursor.take(3)
    commit, synced, ceiling = cursor.i64(), cursor.u64(), cursor.i64()
    if kind not in (BATCH, EDIT) or any(zeros) or length > MAX_PAYLOAD_LEN:
        return None
    if head_sum != crc32(at.to_bytes(8, "little") + raw[8:], seed):
        return None
    return FrameHead(head_sum, payload_sum, length, kind, commit, synced, ceiling)


def whole_frame(file: str, data: bytes, at: int, seed: int) -> Frame | None:
    """The frame at a place, if there is a whole one."""
    head = good_head(file, data, at, seed)
    if head is None:
        return None
    start = at + FRAME_HEAD_LEN
    if start + head.length > len(data):
        return None
    payload = data[start : start + head.length]
    if head.payload_sum != crc32(payload, head.head_sum):
        return None
    return Frame(at, head.kind, head.commit, head.synced, head.ceiling, payload)


def latest_mark(file: str, data: bytes, start: int, seed: int) -> int:
    """The greatest synced mark of all good frame heads at any byte from `start` on; 0 without."""
    marks = [0]
    for match in KIND_AND_ZEROS.finditer(data, start + 12):
        head = good_head(file, data, match.start() - 12, seed)
        if head is not None:
            marks.append(head.synced)
    return max(marks)


def read_frames(file: str, data: bytes, header: Header) -> Iterator[Frame | Torn]:
    """The whole frames of a file in order, and at last the torn end if it has one."""
    seed = seed_of(header)
    at, durable = HEADER_LEN, 0
    while at < len(data):
        frame = whole_frame(file, data, at, seed)
        if frame is None:
            if durable > at or latest_mark(file, data, at, seed) > at:
                raise Damaged(file, at, "a frame that was durable is not whole")
            yield Torn(at, len(data) - at)
            return
        durable = max(durable, frame.synced)
        yield frame
        at += frame.length
    if durable > len(data):
        raise Damaged(file, len(data), f"the file was durable up to byte {durable}")
