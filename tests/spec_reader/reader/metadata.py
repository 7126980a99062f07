"""The metadata of a table: what it holds, told without its rows (SPEC 4.13)."""

from dataclasses import dataclass

from .catalog import (
    Bounds,
    Feature,
    ValueType,
    misfit,
    read_bounds,
    read_type,
)
from .wire import Cursor


@dataclass(frozen=True)
class FeatureMeta:
    id: int
    name: str
    schema: int
    type: ValueType
    revisions: int
    nulls: int
    deletes: int
    stubs: int
    min_event_time: int
    max_event_time: int
    # The bits of the least and the greatest number; None if there is none.
    extremes: tuple[int, int] | None
    bounds: Bounds

    @property
    def feature(self) -> Feature:
        return Feature(self.name, self.schema, self.type)


@dataclass(frozen=True)
class Metadata:
    place: int
    rows: int
    revisions: int
    min_hash: int
    max_hash: int
    min_event_time: int
    max_event_time: int
    max_known_time: int
    min_commit: int
    max_commit: int
    features: list[FeatureMeta]
    sources: dict[int, str]


def read_metadata(cursor: Cursor) -> Metadata:
    place = cursor.place
    rows, revisions = cursor.varint(), cursor.varint()
    min_hash, max_hash = cursor.u64(), cursor.u64()
    min_event_time, max_event_time = cursor.zigzag(), cursor.zigzag()
    max_known_time, min_commit, max_commit = (cursor.zigzag() for _ in range(3))
    features = [read_feature_meta(cursor) for _ in range(cursor.count())]
    if any(features[i].id >= features[i + 1].id for i in range(len(features) - 1)):
        raise cursor.damaged("the features of the metadata do not ascend")
    sources: dict[int, str] = {}
    for _ in range(cursor.count()):
        number = cursor.id()
        if number in sources:
            raise cursor.damaged(f"source {number} is told twice")
        sources[number] = cursor.text()
    cursor.end("the metadata")
    return Metadata(
        place=place,
        rows=rows,
        revisions=revisions,
        min_hash=min_hash,
        max_hash=max_hash,
        min_event_time=min_event_time,
        max_event_time=max_event_time,
        max_known_time=max_known_time,
        min_commit=min_commit,
        max_commit=max_commit,
        features=features,
        sources=sources,
    )


def read_feature_meta(cursor: Cursor) -> FeatureMeta:
    name, number, schema = cursor.text(), cursor.id(), cursor.id()
    value_type = read_type(cursor)
    revisions, nulls, deletes, stubs = (cursor.varint() for _ in range(4))
    if nulls + deletes + stubs > revisions:
        raise cursor.damaged("more revisions without a value than revisions")
    min_event_time, max_event_time = cursor.zigzag(), cursor.zigzag()
    there = cursor.u8()
    if there > 1 or (there and not value_type.is_number):
        raise cursor.damaged("a least and a greatest number that there cannot be")
    extremes = (cursor.u64(), cursor.u64()) if there else None
    if extremes and any(misfit(value_type, bits) for bits in extremes):
        raise cursor.damaged("a least or greatest number that is not of the feature's type")
    bounds = read_bounds(cursor)
    return FeatureMeta(
        id=number,
        name=name,
        schema=schema,
        type=value_type,
        revisions=revisions,
        nulls=nulls,
        deletes=deletes,
        stubs=stubs,
        min_event_time=min_event_time,
        max_event_time=max_event_time,
        extremes=extremes,
        bounds=bounds,
    )
