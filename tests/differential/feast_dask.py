"""Joins of generated sets, made with `asofdb` and with Feast's dask store, and compared cell for cell.

    SEED=1 tests/differential/run feast 20

`sets.py` draws the sets. `SEED=N tests/differential/run feast 1` replays one. Of each set Feast has a repository of its
own: the rows of features as Parquet, and over them a view for every age that a join asks for, as its TTL; that of 0
is Feast's word for any age. `get_historical_features` makes the joins; known at the row is its
`filter_by_created_timestamp`. A time as a number of microseconds is one more feature, so that cells tell of which row
they are.

What Feast does otherwise:
- It has no strict join. It is asked about a microsecond before each row's time, which is the same: that is as fine as
  times are.
- Rows of the spine of the same entity and time are one row in its answer. Each of them is compared with that one.
- It answers nothing for a row whose entity has features, but none in time. Such a row is compared as one of nulls.
Both are counted. No row is left out.

Feast tells nobody that it runs: its telemetry is off, and who looks up a host or connects to one is refused.
"""

import os
import sys
from datetime import timedelta


def refuse_network(event, args):
    if event in ("socket.getaddrinfo", "socket.connect", "socket.sendto"):
        raise PermissionError(f"{event} {args}: no network here")


sys.addaudithook(refuse_network)
os.environ["FEAST_USAGE"] = "False"

import dask
import feast
import pandas
import pyarrow
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, ValueType
from feast.types import Float64, Int64, String

import sets

CONFIG = """
project: differential
provider: local
registry: registry.db
offline_store:
    type: dask
online_store:
    type: sqlite
    path: online.db
entity_key_serialization_version: 3
"""
KEYS = ["entity", "event_timestamp"]
MICROSECOND = pandas.Timedelta(1, "us")


def view_of(age):
    return "any_age" if age is None else f"age_{age // MICROSECOND}"


def repository(folder, features):
    """A repository of Feast over the rows."""
    folder = folder / "feast"
    folder.mkdir()
    (folder / "feature_store.yaml").write_text(CONFIG)
    rows = features.assign(at=features["event_time"].astype("int64"))
    for column in ("event_time", "created"):
        rows[column] = rows[column].dt.tz_localize("UTC")
    rows.to_parquet(folder / "features.parquet", index=False)
    source = FileSource(
        path=str(folder / "features.parquet"), timestamp_field="event_time", created_timestamp_column="created"
    )
    entity = Entity(name="entity", join_keys=["entity"], value_type=ValueType.STRING)
    fields = {"entity": String, "amount": Float64, "count": Int64, "label": String, "at": Int64}
    views = [
        FeatureView(
            name=view_of(age),
            entities=[entity],
            ttl=timedelta(0) if age is None else age.to_pytimedelta(),
            schema=[Field(name=name, dtype=dtype) for name, dtype in fields.items()],
            source=source,
        )
        for age in {join.age for join in sets.JOINS}
    ]
    store = FeatureStore(repo_path=str(folder))
    store.apply([entity, *views])
    return store


def by_feast(store, spine, join, counts):
    """Feast's answer for every row of the spine."""
    assert join.age is None or not join.strict, "a microsecond earlier, the TTL would end elsewhere"
    at = spine["t"].dt.tz_localize("UTC")
    asked = spine.assign(event_timestamp=at - MICROSECOND if join.strict else at)
    found = store.get_historical_features(
        entity_df=asked[KEYS],
        features=[f"{view_of(join.age)}:{name}" for name in [*sets.FEATURES, "at"]],
        full_feature_names=False,
        filter_by_created_timestamp=join.by_known,
    ).to_df()
    found["event_timestamp"] = found["event_timestamp"].astype("datetime64[us, UTC]")
    joined = asked.merge(found, on=KEYS, how="left", validate="many_to_one", indicator="whose")
    if len(found) != (joined.drop_duplicates(KEYS)["whose"] == "both").sum():
        sys.exit(f"{join.words}: rows of Feast that nobody asked for")
    counts["twins"] += int(asked.duplicated(KEYS).sum())
    counts["unanswered"] += int((joined["whose"] == "left_only").sum())
    joined["event_time"] = pandas.to_datetime(joined["at"].astype("Int64"), unit="us")
    return joined


if __name__ == "__main__":
    counts = {"twins": 0, "unanswered": 0}

    def witnesses_of(folder, features, spine):
        store = repository(folder, features)
        return {"Feast": lambda join: by_feast(store, spine, join, counts)}

    def told():
        yield f"{counts['twins']} rows of the joins are another's twins, of which Feast answers one"
        yield f"{counts['unanswered']} rows are such that Feast has none for them, and asofdb no value either"

    versions = (f"Feast {feast.__version__}, its dask store, dask {dask.__version__}, pandas {pandas.__version__}, "
                f"pyarrow {pyarrow.__version__}")
    sets.main(__doc__, "feast ", versions, witnesses_of, told)
