"""Reads every table with pandas, pyarrow, polars, DuckDB, datafusion and ClickHouse (chdb), without any option: all have
to see the same rows, names and types.

compare.py PATH_OF_FLOWLAKE
"""

import json

import chdb
import datafusion
import duckdb
import numpy
import pandas
import polars
import pyarrow.ipc

from comparison import arrow_columns, run, with_pyarrow, without_empty
from engines import clickhouse_type, duckdb_type, polars_type

# What an engine cannot do by itself, by the number that the table of results has.
LIMITS = {
    1: "ClickHouse guesses the type of a directory's values from one file, and `SELECT *` fails at others, such as 2026-10-05 "
       "and none: the columns are named instead",
    2: "ClickHouse has no null lists and objects: they are empty, or hold nulls",
    3: "pandas has no null among numbers: it is NaN, and integers beside it are doubles",
}


def with_pandas(path):
    frame = pandas.read_parquet(path)
    columns = {name: [plain(value) for value in frame[name]] for name in frame}
    has_nan = any(data_type == float and frame[name].isna().any() for name, data_type in frame.dtypes.items())
    return None, columns, 3 if has_nan else None


def plain(value):
    """A value without the arrays, numbers and missing values that pandas has of its own."""
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, numpy.ndarray):
        return [plain(item) for item in value]
    if value is pandas.NaT or value is pandas.NA:
        return None
    return value.item() if isinstance(value, numpy.generic) and not isinstance(value, numpy.datetime64) else value


def with_polars(path):
    frame = polars.read_parquet(path)
    types = {name: polars_type(data_type) for name, data_type in frame.schema.items()}
    return types, {name: frame[name].to_list() for name in types}, None


def with_duckdb(path):
    relation = duckdb.connect().sql(f"FROM '{path}/**/*.parquet'")
    types = {name: duckdb_type(data_type) for name, data_type in zip(relation.columns, relation.types)}
    rows = relation.fetchall()
    return types, {name: [row[position] for row in rows] for position, name in enumerate(types)}, None


def with_datafusion(path):
    return arrow_columns(datafusion.SessionContext().read_parquet(path).to_arrow_table())


def with_clickhouse(path):
    table = f"file('{path}/**/*.parquet')"
    lines = chdb.query(f"DESCRIBE {table}", "JSONEachRow").bytes().decode().splitlines()
    types = {column["name"]: " ".join(column["type"].split()) for column in map(json.loads, lines)}
    directories = {name for name in types if name.endswith(("_partition", "_year", "_month", "_day", "_hour"))}
    limit = None
    try:
        content = chdb.query(f"SELECT * FROM {table}", "Arrow").bytes()
    except RuntimeError as error:
        if not any(f" {types[name]}" in str(error) for name in directories):
            raise
        limit = 1
        named = ", ".join(f"`{name}`" for name in types if name not in directories)
        content = chdb.query(f"SELECT {named} FROM {table}", "Arrow").bytes()
    rows = pyarrow.ipc.open_file(content).read_all()
    types = {name: clickhouse_type(data_type) for name, data_type in types.items()}
    if limit is None and any(data_type.startswith(("list<", "struct<")) for data_type in types.values()):
        limit = 2
    return types, {name: rows[name].to_pylist() for name in rows.column_names}, limit


run({"pyarrow": with_pyarrow, "pandas": with_pandas, "polars": with_polars, "DuckDB": with_duckdb, "datafusion": with_datafusion,
     "ClickHouse": with_clickhouse}, LIMITS, {2: without_empty})
