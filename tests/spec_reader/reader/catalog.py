"""What is said of features in manifests and tables: types, terms, definitions, bounds
(SPEC 4.5, 4.6), and what bits and bytes mean under a type."""

from dataclasses import dataclass, field

from .wire import Cursor, signed

BOOL, I64, F32, F64, TEXT, BYTES, VECTOR = range(1, 8)
TYPE_NAMES = {BOOL: "bool", I64: "i64", F32: "f32", F64: "f64", TEXT: "text", BYTES: "bytes"}
NUMBERS = (BOOL, I64, F32, F64)

MAX_VALUE_LEN = 16_777_216
MAX_VECTOR_DIM = 4_194_304
MAX_SPAN = 1 << 63

# A revision's value as it lies in a file: the 64 bits of a number, or bytes.
Stored = int | bytes


@dataclass(frozen=True)
class ValueType:
    tag: int
    dimension: int = 0

    @property
    def is_number(self) -> bool:
        return self.tag in NUMBERS

    def __str__(self) -> str:
        return f"vector({self.dimension})" if self.tag == VECTOR else TYPE_NAMES[self.tag]


@dataclass(frozen=True)
class Terms:
    ttl: int | None
    history: int | None
    forget_after: int | None
    description: str
    tags: list[tuple[str, str]]


@dataclass(frozen=True)
class Definition:
    id: int
    name: str
    schema: int
    type: ValueType
    terms: Terms


@dataclass(frozen=True)
class Bounds:
    horizon: int | None
    stale: int | None
    forgotten: int | None


@dataclass(frozen=True)
class Feature:
    """What somebody must know of a feature to read its values."""

    name: str
    schema: int
    type: ValueType

    def __str__(self) -> str:
        return f"{self.name}@{self.schema}"


@dataclass
class Names:
    """The features and source labels by their numbers in files."""

    features: dict[int, Feature] = field(default_factory=dict)
    sources: dict[int, str] = field(default_factory=dict)


def read_type(cursor: Cursor) -> ValueType:
    place = cursor.at
    tag, dimension = cursor.u8(), cursor.varint()
    if tag == VECTOR and 1 <= dimension <= MAX_VECTOR_DIM:
        return ValueType(tag, dimension)
    if tag in TYPE_NAMES and dimension == 0:
        return ValueType(tag)
    cursor.at = place
    raise cursor.damaged(f"no such type: tag {tag}, dimension {dimension}")


def read_span(cursor: Cursor) -> int | None:
    place = cursor.at
    span = cursor.varint()
    if span > MAX_SPAN:
        cursor.at = place
        raise cursor.damaged("a span above 2^63 - 1 microseconds")
    return span - 1 if span else None


def read_terms(cursor: Cursor) -> Terms:
    ttl, history, forget_after = read_span(cursor), read_span(cursor), read_span(cursor)
    description = cursor.text()
    tags = [(cursor.text(), cursor.text()) for _ in range(cursor.count())]
    return Terms(ttl, history, forget_after, description, tags)


def read_definition(cursor: Cursor) -> Definition:
    number, name, schema = cursor.id(), cursor.text(), cursor.id()
    return Definition(number, name, schema, read_type(cursor), read_terms(cursor))


def read_bound(cursor: Cursor) -> int | None:
    place = cursor.at
    there = cursor.u8()
    if there > 1:
        cursor.at = place
        raise cursor.damaged("a bound begins with 0 or 1")
    return cursor.zigzag() if there else None


def read_bounds(cursor: Cursor) -> Bounds:
    return Bounds(read_bound(cursor), read_bound(cursor), read_bound(cursor))


def sortable(value_type: ValueType, bits: int) -> int | None:
    """An integer that orders the numbers of a type, the same for -0.0 and 0.0; None for NaN."""
    if value_type.tag == BOOL:
        return bits
    if value_type.tag == I64:
        return signed(bits)
    width, infinity = (32, 0x7F80_0000) if value_type.tag == F32 else (64, 0x7FF0 << 48)
    magnitude = bits & ((1 << (width - 1)) - 1)
    if magnitude > infinity:
        return None
    return -magnitude if bits >> (width - 1) else magnitude


def misfit(value_type: ValueType, value: Stored) -> str | None:
    """Why a value is not of a type; None if it is."""
    if isinstance(value, int):
        if not value_type.is_number:
            return f"a number for a feature of type {value_type}"
        if value_type.tag == BOOL and value > 1:
            return "a bool is neither 0 nor 1"
        if value_type.tag == F32 and value >> 32:
            return "the high half of an f32 is not zero"
        return None
    if value_type.is_number:
        return f"bytes for a feature of type {value_type}"
    if value_type.tag == VECTOR and len(value) != 4 * value_type.dimension:
        return f"{len(value)} bytes for a {value_type}"
    if value_type.tag == TEXT:
        try:
            value.decode("utf-8")
        except UnicodeDecodeError:
            return "a text is not UTF-8"
    return None
