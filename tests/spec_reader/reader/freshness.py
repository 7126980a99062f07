"""How new the features of a table are, told by a few event times of each (SPEC 4.15)."""

from dataclasses import dataclass

from .wire import MAX_I64, Cursor

POINTS = 33
SAMPLE = 16384
# Where the points lie among many entities.
THOUSANDTHS = (
    [0, 1, 2, 5, 10, 20, 30, 40, 50, 75, 100, 125, 150]
    + list(range(200, 951, 50))
    + [975, 990, 999, 1000]
)


@dataclass(frozen=True)
class FeatureFreshness:
    id: int
    max_known_time: int
    entities: int
    points: list[int]


@dataclass(frozen=True)
class Freshness:
    place: int
    features: list[FeatureFreshness]


def read_freshness(cursor: Cursor) -> Freshness:
    place = cursor.place
    features: list[FeatureFreshness] = []
    for _ in range(cursor.count()):
        number, known, entities = cursor.id(), cursor.zigzag(), cursor.varint()
        if features and features[-1].id >= number:
            raise cursor.damaged("the features of the freshness do not ascend")
        points: list[int] = []
        for _ in range(min(entities, POINTS)):
            point = points[-1] + cursor.varint() if points else cursor.zigzag()
            if point > MAX_I64:
                raise cursor.damaged("a point that is no moment")
            points.append(point)
        features.append(FeatureFreshness(number, known, entities, points))
    cursor.end("the freshness")
    return Freshness(place, features)


def points_of(times: list[int]) -> list[int]:
    """The points that stand for these event times, which come in the order of the rows."""
    step = 1
    while -(-len(times) // step) > SAMPLE:
        step *= 2
    kept = sorted(times[::step])
    if len(kept) <= POINTS:
        return kept
    points = [kept[part * (len(kept) - 1) // 1000] for part in THOUSANDTHS]
    points[0], points[-1] = min(times), max(times)
    return points
