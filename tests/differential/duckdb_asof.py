"""Joins of generated sets, made with `asofdb`, DuckDB, pandas, and Feast's formula, and compared cell for cell.

    SEED=1 tests/differential/run 20

`sets.py` draws the sets. `SEED=N tests/differential/run 1` replays one.

The witnesses know nothing of asofdb: DuckDB's ASOF JOIN, pandas' merge_asof, and what Feast's dask store does, here in
plain pandas: merge on the entity, filter on the times, sort, drop duplicates but the last. `feast_dask.py` has Feast
itself.
"""

import duckdb
import pandas

import sets

NEVER = pandas.Timedelta(days=100_000)


def by_duckdb(features, spine, join):
    """DuckDB's ASOF JOIN. It takes one inequality, so what is known is told by a plain join."""
    sign = ">" if join.strict else ">="
    if join.by_known:
        match = f"""spine LEFT JOIN features
            ON spine.entity = features.entity AND t {sign} event_time AND created <= t
            QUALIFY row_number() OVER (PARTITION BY spine.id ORDER BY event_time DESC) = 1"""
    else:
        match = f"spine ASOF LEFT JOIN features ON spine.entity = features.entity AND t {sign} event_time"
    columns = ", ".join(f"features.{name}" for name in sets.CELLS)
    connection = duckdb.connect()
    connection.register("features", features)
    connection.register("spine", spine)
    joined = connection.sql(f"SELECT spine.id, t, {columns} FROM {match}").df()
    if join.age is not None:
        joined.loc[joined["t"] - joined["event_time"] > join.age, sets.CELLS] = None
    return joined


def by_pandas(features, spine, join):
    """pandas' merge_asof, which knows no created time."""
    if join.by_known:
        return None
    return pandas.merge_asof(
        spine.sort_values("t"),
        features.sort_values("event_time"),
        left_on="t",
        right_on="event_time",
        by="entity",
        tolerance=join.age,
        allow_exact_matches=not join.strict,
    )


def by_feast(features, spine, join):
    """Feast's dask store: merge, filter on the times, sort, drop duplicates but the last."""
    merged = spine.merge(features, on="entity", how="left")
    keep = (merged["event_time"] < merged["t"]) if join.strict else (merged["event_time"] <= merged["t"])
    keep &= merged["event_time"] >= merged["t"] - (NEVER if join.age is None else join.age)
    if join.by_known:
        keep &= merged["created"] <= merged["t"]
    found = merged[keep].sort_values("event_time", kind="stable").drop_duplicates("id", keep="last")
    return spine[["id"]].merge(found, on="id", how="left")


def witnesses_of(_folder, features, spine):
    return {
        "DuckDB": lambda join: by_duckdb(features, spine, join),
        "Feast's formula": lambda join: by_feast(features, spine, join),
        "pandas": lambda join: by_pandas(features, spine, join),
    }


if __name__ == "__main__":
    versions = f"DuckDB {duckdb.__version__}, pandas {pandas.__version__}"
    sets.main(__doc__, "", versions, witnesses_of)
