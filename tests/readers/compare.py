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

from comparison import arrow_columns, run, struct, with_pyarrow, without_empty

# The name that each library has for a type, as one name of ours.
POLARS_TYPES = {"String": "string", "Datetime(time_unit='us', time_zone='UTC')": "timestamp", "Date": "date",
                "Int64": "int64", "Float64": "float64", "Boolean": "bool"}
DUCKDB_TYPES = {"VARCHAR": "string", "TIMESTAMP WITH TIME ZONE": "timestamp", "DATE": "date", "BIGINT": "int64",
                "DOUBLE": "float64", "BOOLEAN": "bool"}
CLICKHOUSE_TYPES = {"String": "string", "DateTime64(6, 'UTC')": "timestamp", "Date32": "date", "Int64": "int64",
                    "Float64": "float64", "Bool": "bool"}
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


def polars_type(data_type):
    if isinstance(data_type, polars.List):
        return f"list<{polars_type(data_type.inner)}>"
    if isinstance(data_type, polars.Struct):
        return struct((field.name, polars_type(field.dtype)) for field in data_type.fields)
    if isinstance(data_type, polars.Decimal):
        return f"decimal({data_type.precision},{data_type.scale})"
    return POLARS_TYPES.get(str(data_type), str(data_type))


def with_polars(path):
    frame = polars.read_parquet(path)
    types = {name: polars_type(data_type) for name, data_type in frame.schema.items()}
    return types, {name: frame[name].to_list() for name in types}, None


def duckdb_type(data_type):
    if data_type.id == "list":
        return f"list<{duckdb_type(data_type.child)}>"
    if data_type.id == "struct":
        return struct((name, duckdb_type(child)) for name, child in data_type.children)
    text = str(data_type)
    if text.startswith("DECIMAL"):
        return text.lower()
    return DUCKDB_TYPES.get(text, text)


def with_duckdb(path):
    relation = duckdb.connect().sql(f"FROM '{path}/**/*.parquet'")
    types = {name: duckdb_type(data_type) for name, data_type in zip(relation.columns, relation.types)}
    rows = relation.fetchall()
    return types, {name: [row[position] for row in rows] for position, name in enumerate(types)}, None


def with_datafusion(path):
    return arrow_columns(datafusion.SessionContext().read_parquet(path).to_arrow_table())


def clickhouse_type(text):
    """`Array(Tuple(n Nullable(Int64), …))` as `list<struct<n: int64, …>>`."""
    outer, _, inner = text.partition("(")
    inner = inner.removesuffix(")")
    if outer in ("Nullable", "LowCardinality"):
        return clickhouse_type(inner)
    if outer == "Array":
        return f"list<{clickhouse_type(inner)}>"
    if outer == "Tuple":
        fields = (field.strip().partition(" ") for field in at_top_level(inner))
        return struct((name, clickhouse_type(data_type)) for name, _, data_type in fields)
    if outer == "Decimal":
        return f"decimal({inner.replace(' ', '')})"
    return CLICKHOUSE_TYPES.get(text, text)


def at_top_level(text):
    """The parts between commas that are in no parenthesis."""
    parts, depth = [""], 0
    for character in text:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


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
