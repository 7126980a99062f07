"""The directory of a table: from a hash to the heads of its rows (SPEC 4.8)."""

from dataclasses import dataclass

from .wire import Cursor

FIXED_LEN, ROW_LEN = 32, 8


@dataclass(frozen=True)
class Row:
    """An entry: half a hash, the place of a head in the heads section, and the bucket it is in."""

    low_hash: int
    head: int
    bucket: int


@dataclass(frozen=True)
class Directory:
    place: int
    min_hash: int
    shift: int
    buckets: int
    rows: list[Row]

    def bucket_of(self, entity_hash: int) -> int | None:
        """The bucket that a hash falls into; None if no row of the table can have it."""
        if entity_hash < self.min_hash:
            return None
        bucket = (entity_hash - self.min_hash) >> self.shift
        return bucket if bucket < self.buckets else None


def read_directory(cursor: Cursor) -> Directory:
    place = cursor.place
    min_hash, shift = cursor.u64(), cursor.u8()
    if shift > 63:
        raise cursor.damaged("a shift above 63")
    cursor.zeros(7, "bytes 9 to 15 of the directory")
    row_count, bucket_count = cursor.u64(), cursor.u64()
    if row_count >> 32 or bucket_count < 1:
        raise cursor.damaged(f"a directory of {row_count} rows in {bucket_count} buckets")
    if FIXED_LEN + 4 * (bucket_count + 1) + ROW_LEN * row_count != len(cursor.data):
        raise cursor.damaged("a directory of another length than its rows and buckets need")
    starts_at = cursor.at
    starts = cursor.u32s(bucket_count + 1)
    falls = any(starts[i] > starts[i + 1] for i in range(bucket_count))
    if starts[0] != 0 or starts[-1] != row_count or falls:
        cursor.at = starts_at
        raise cursor.damaged("the buckets do not ascend from 0 to the number of rows")
    words = cursor.u64s(row_count)
    rows = [
        Row(words[row] >> 32, words[row] & 0xFFFF_FFFF, bucket)
        for bucket in range(bucket_count)
        for row in range(starts[bucket], starts[bucket + 1])
    ]
    return Directory(place, min_hash, shift, bucket_count, rows)
