"""The names that polars, DuckDB and ClickHouse have for types, as names of ours."""

import polars

from comparison import struct

# The name that each library has for a type, as one name of ours.
POLARS_TYPES = {"String": "string", "Datetime(time_unit='us', time_zone='UTC')": "timestamp", "Date": "date",
                "Int64": "int64", "Float64": "float64", "Boolean": "bool"}
DUCKDB_TYPES = {"VARCHAR": "string", "TIMESTAMP WITH TIME ZONE": "timestamp", "DATE": "date", "BIGINT": "int64",
                "DOUBLE": "float64", "BOOLEAN": "bool"}
CLICKHOUSE_TYPES = {"String": "string", "DateTime64(6, 'UTC')": "timestamp", "Date32": "date", "Int64": "int64",
                    "Float64": "float64", "Bool": "bool"}


def polars_type(data_type):
    if isinstance(data_type, polars.List):
        return f"list<{polars_type(data_type.inner)}>"
    if isinstance(data_type, polars.Struct):
        return struct((field.name, polars_type(field.dtype)) for field in data_type.fields)
    if isinstance(data_type, polars.Decimal):
        return f"decimal({data_type.precision},{data_type.scale})"
    return POLARS_TYPES.get(str(data_type), str(data_type))


def duckdb_type(data_type):
    if data_type.id == "list":
        return f"list<{duckdb_type(data_type.child)}>"
    if data_type.id == "struct":
        return struct((name, duckdb_type(child)) for name, child in data_type.children)
    text = str(data_type)
    if text.startswith("DECIMAL"):
        return text.lower()
    return DUCKDB_TYPES.get(text, text)


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
