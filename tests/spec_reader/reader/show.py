"""The records of `asofdb dump --json` (SPEC 13): one JSON object for each thing that a file holds.

Moments are integers, numbers that JSON has no form for are texts, and bytes are hexadecimal digits.
"""

import math
import struct
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, ROUND_UP, Context, Decimal
from typing import Any

from .batch import KIND_NAMES, Batch, read_batch, read_log, read_note
from .catalog import BOOL, F32, F64, I64, TEXT, VECTOR, Bounds, Names, Stored, Terms, ValueType
from .edits import (
    AddLog,
    AddTable,
    Alter,
    Clock,
    Commits,
    Define,
    Edit,
    Erase,
    ErasesDone,
    LogSynced,
    Lost,
    ManifestSynced,
    Mark,
    Past,
    NextFile,
    RecordBounds,
    RemoveLog,
    RemoveTable,
    Retire,
    RevertCommits,
    RevertSource,
    SealLog,
    Source,
    Store,
    Touch,
)
from .frames import BATCH, Frame, Torn, read_frames
from .head import Revision
from .header import Header, read_header
from .layout import SECTION_NAMES
from .manifest import edits_of
from .metadata import Metadata
from .table import Table, read_table
from .wire import signed

Record = dict[str, Any]

# An f32 has less than 200 decimal digits.
EXACT = Context(prec=200)


def some(**fields: Any) -> Record:
    """The fields that are there."""
    return {name: value for name, value in fields.items() if value is not None}


def shown_f64(number: float) -> float | str:
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "inf" if number > 0 else "-inf"
    return number


def shown_f32(raw: bytes) -> float | str:
    """An f32 as the shortest decimal that gives it back; of two as near, the one from zero."""
    (number,) = struct.unpack("<f", raw)
    if not math.isfinite(number) or number == 0:
        return shown_f64(number)
    exact = Decimal(number)
    for digits in range(1, 9):
        last = Decimal(1).scaleb(exact.adjusted() - digits + 1)
        # At a power of two there is more room away from zero than towards it.
        for rounding in (ROUND_HALF_UP, ROUND_UP):
            short = float(exact.quantize(last, rounding, EXACT))
            if as_f32(short) == raw:
                return short
    return float(f"{number:.9g}")


def as_f32(number: float) -> bytes | None:
    try:
        return struct.pack("<f", number)
    except OverflowError:
        return None


def shown_value(value_type: ValueType | None, value: Stored) -> Any:
    """A value under its type; without a type its bits or bytes in hexadecimal."""
    if isinstance(value, int):
        if value_type is None:
            return f"{value:#018x}"
        raw = value.to_bytes(8, "little")
        if value_type.tag == BOOL:
            return bool(value)
        if value_type.tag == I64:
            return signed(value)
        if value_type.tag == F32:
            return shown_f32(raw[:4])
        assert value_type.tag == F64
        return shown_f64(struct.unpack("<d", raw)[0])
    if value_type is None:
        return value.hex()
    if value_type.tag == TEXT:
        return value.decode("utf-8")
    if value_type.tag == VECTOR:
        return [shown_f32(value[at : at + 4]) for at in range(0, len(value), 4)]
    return value.hex()


def show_file(path: str, data: bytes, names: Names) -> Iterator[Record]:
    """The records of any file. They come as they are read: an error may follow some of them."""
    header = read_header(path, data)
    yield show_header(path, data, header)
    if header.kind == "manifest":
        yield from show_manifest(path, data, header)
    elif header.kind == "log":
        yield from show_log(path, data, header, names)
    elif header.kind == "table":
        yield from show_table(read_table(path, data))


def show_header(path: str, data: bytes, header: Header) -> Record:
    number = {"manifest" if header.kind == "current" else "number": header.number}
    return {
        "what": "file",
        "path": path,
        "kind": header.kind,
        "bytes": len(data),
        "format": header.version,
        "store": header.store.hex(),
        **number,
        "made": header.made,
    }


def show_torn(torn: Torn) -> Record:
    return {"what": "torn", "offset": torn.offset, "bytes": torn.length}


def show_log(path: str, data: bytes, header: Header, names: Names) -> Iterator[Record]:
    for frame in read_log(path, data, header):
        if isinstance(frame, Torn):
            yield show_torn(frame)
        elif frame.kind != BATCH:
            yield show_edits(frame)
            yield from show_edit(read_note(path, frame))
        else:
            yield from show_batch(frame, read_batch(path, frame, names), names)


def show_edits(frame: Frame) -> Record:
    return {
        "what": "edits",
        "offset": frame.offset,
        "bytes": frame.length,
        "newest": frame.commit,
        "synced": frame.synced,
        "ceiling": frame.ceiling,
    }


def show_batch(frame: Frame, batch: Batch, names: Names) -> Iterator[Record]:
    yield {
        "what": "batch",
        "offset": frame.offset,
        "bytes": frame.length,
        "commit": frame.commit,
        "synced": frame.synced,
        "ceiling": frame.ceiling,
        "entries": len(batch.entries),
        **({"source_id": batch.source, "source": batch.label} if batch.source else {}),
    }
    for name, value in batch.marks:
        yield {"what": "mark", "name": name, "value": value.hex()}
    for entry in batch.entries:
        feature = names.features.get(entry.feature)
        value_type = feature.type if feature else None
        shown = {} if entry.value is None else {"value": shown_value(value_type, entry.value)}
        yield {
            "what": "entry",
            "entity": entry.entity.hex(),
            "feature": str(feature) if feature else f"#{entry.feature}",
            "event_time": entry.event_time,
            "known_time": entry.known_time,
            "kind": KIND_NAMES[entry.kind],
            **shown,
        }


def show_manifest(path: str, data: bytes, header: Header) -> Iterator[Record]:
    for frame in read_frames(path, data, header):
        if isinstance(frame, Torn):
            yield show_torn(frame)
        else:
            yield show_edits(frame)
            for edit in edits_of(path, frame):
                yield from show_edit(edit)


def show_past(past: Past | None) -> Record:
    if past is None:
        return {}
    return {
        "run": past.run,
        "first_moment": past.first_moment,
        "last_moment": past.last_moment,
        "superseded": past.superseded,
        "made": past.made,
    }


def show_edit(edit: Edit) -> Iterator[Record]:
    match edit:
        case Store():
            yield {"what": "store", "erase_key": "(not shown)"}
        case AddTable():
            yield {
                "what": "add_table",
                "number": edit.number,
                "bytes": edit.length,
                "identity": f"{edit.identity:08x}",
                "level": edit.level,
                "min_hash": f"{edit.min_hash:016x}",
                "max_hash": f"{edit.max_hash:016x}",
                "rows": edit.rows,
                "revisions": edit.revisions,
                **show_times(edit),
                **show_past(edit.past),
            }
        case RemoveTable(number=number):
            yield {"what": "remove_table", "number": number}
        case AddLog(number=number):
            yield {"what": "add_log", "number": number}
        case SealLog(number=number, length=length):
            yield {"what": "seal_log", "number": number, "bytes": length}
        case RemoveLog(number=number):
            yield {"what": "remove_log", "number": number}
        case NextFile(number=number):
            yield {"what": "next_file", "number": number}
        case Clock(newest=newest, ceiling=ceiling):
            yield {"what": "clock", "newest": newest, "ceiling": ceiling}
        case Commits(spans=spans):
            yield {"what": "commits", "spans": len(spans)}
            for first, last in spans:
                yield {"what": "span", "first": first, "last": last}
        case Lost(first=first, last=last):
            yield {"what": "lost", "first": first, "last": last}
        case Define(commit=commit, definition=definition):
            yield {
                "what": "define",
                "commit": commit,
                "id": definition.id,
                "name": definition.name,
                "schema": definition.schema,
                "type": str(definition.type),
                **show_terms(definition.terms),
            }
            yield from show_tags(definition.terms)
        case Alter(commit=commit, feature=feature, terms=terms, bounds=bounds):
            yield {
                "what": "alter",
                "commit": commit,
                "feature": feature,
                **show_terms(terms),
                **show_bounds(bounds),
            }
            yield from show_tags(terms)
        case Retire(commit=commit, name=name):
            yield {"what": "retire", "commit": commit, "name": name}
        case RecordBounds(feature=feature, bounds=bounds):
            yield {"what": "bounds", "feature": feature, **show_bounds(bounds)}
        case Erase(commit=commit, name=erased):
            yield {"what": "erase", "commit": commit, "keyed_hash": erased.hex()}
        case RevertSource(commit=commit, source=source):
            yield {"what": "revert_source", "commit": commit, "source": source}
        case RevertCommits(commit=commit, commits=commits):
            yield {"what": "revert_commits", "commit": commit, "batches": len(commits)}
            for reverted in commits:
                yield {"what": "of", "commit": reverted}
        case Source(id=number, label=label):
            yield {"what": "source", "id": number, "label": label}
        case Touch(source=source, feature=feature, commit=commit):
            yield {"what": "touch", "source": source, "feature": feature, "commit": commit}
        case LogSynced(number=number, length=length):
            yield {"what": "log_synced", "number": number, "bytes": length}
        case ManifestSynced(number=number, length=length):
            yield {"what": "manifest_synced", "number": number, "bytes": length}
        case ErasesDone(commit=commit):
            yield {"what": "erases_done", "commit": commit}
        case Mark(commit=commit, source=source, name=name, value=value):
            yield {
                "what": "mark",
                "commit": commit,
                **({"source": source} if source else {}),
                "name": name,
                "value": value.hex(),
            }


def show_terms(terms: Terms) -> Record:
    return some(
        ttl=terms.ttl,
        history=terms.history,
        forget_after=terms.forget_after,
        description=terms.description or None,
    )


def show_tags(terms: Terms) -> Iterator[Record]:
    for key, value in terms.tags:
        yield {"what": "tag", "key": key, "value": value}


def show_bounds(bounds: Bounds) -> Record:
    return some(horizon=bounds.horizon, stale=bounds.stale, forgotten=bounds.forgotten)


def show_times(told: AddTable | Metadata) -> Record:
    """What a manifest's entry and a table's own metadata both tell of times."""
    return {
        "min_event_time": told.min_event_time,
        "max_event_time": told.max_event_time,
        "max_known_time": told.max_known_time,
        "min_commit": told.min_commit,
        "max_commit": told.max_commit,
    }


def show_table(table: Table) -> Iterator[Record]:
    metadata = table.metadata
    for section in table.layout.sections.values():
        yield {
            "what": "section",
            "name": SECTION_NAMES[section.tag],
            "offset": section.start,
            "bytes": section.length,
        }
    yield {"what": "footer", "identity": f"{table.layout.identity:08x}"}
    yield {
        "what": "table",
        "rows": metadata.rows,
        "revisions": metadata.revisions,
        "min_hash": f"{metadata.min_hash:016x}",
        "max_hash": f"{metadata.max_hash:016x}",
        **show_times(metadata),
    }
    for meta in metadata.features:
        extremes = {}
        if meta.extremes:
            least, greatest = (shown_value(meta.type, bits) for bits in meta.extremes)
            extremes = {"min": least, "max": greatest}
        yield {
            "what": "feature",
            "id": meta.id,
            "name": str(meta.feature),
            "type": str(meta.type),
            "revisions": meta.revisions,
            "nulls": meta.nulls,
            "deletes": meta.deletes,
            "stubs": meta.stubs,
            "oldest": meta.min_event_time,
            "newest": meta.max_event_time,
            **extremes,
            **show_bounds(meta.bounds),
        }
    for number, label in metadata.sources.items():
        yield {"what": "source", "id": number, "label": label}
    for of in table.freshness.features if table.freshness else []:
        yield {
            "what": "freshness",
            "id": of.id,
            "known_time": of.max_known_time,
            "entities": of.entities,
            "event_times": of.points,
        }
    if table.timeline:
        for since, commit in zip(table.timeline.times, table.timeline.commits, strict=True):
            yield {"what": "step", "from": since, "commit": commit}
    for row in table.rows:
        head = row.head
        yield {
            "what": "entity",
            "entity": head.entity.hex(),
            "hash": f"{row.hash:016x}",
            "head": head.place,
            **some(chunk=row.chunk_place, heap=row.heap_place),
        }
        for is_head, revision in row.revisions():
            yield show_revision(revision, is_head, row.features, metadata.sources)


def show_revision(
    revision: Revision, is_head: bool, features: dict[int, Any], sources: dict[int, str]
) -> Record:
    feature = features[revision.feature]
    shown: Record = {}
    if revision.value is not None:
        shown = some(
            value=shown_value(feature.type, revision.value.value),
            value_offset=revision.value.place,
        )
    return {
        "what": "record",
        "feature": str(feature),
        "place": "head" if is_head else "history",
        "event_time": revision.event_time,
        "known_time": revision.known_time,
        "commit": revision.commit,
        "kind": KIND_NAMES[revision.kind],
        **shown,
        **some(source=sources.get(revision.source)),
    }
