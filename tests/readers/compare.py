"""Reads every table of the demo's lake, of one whose columns widened after a year, and of one whose objects stay in
columns, with pyarrow, pandas, polars and DuckDB, with no option for files of different schemas: all have to see the same.

compare.py PATH_OF_FLOWLAKE. Compared are row counts, column names, types, sums of decimals and integers,
and the first and last of timestamps and dates; the row counts of the top tables also with the JSON itself.
"""

import datetime
import decimal
import http.server
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading

import duckdb
import numpy
import pandas
import polars
import pyarrow.dataset

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOP_TABLES = {
    "purchasing/purchase_requisitions": ("purchasing.json", "purchaseRequisitions"),
    "purchasing/purchase_orders": ("purchasing.json", "purchaseOrders"),
    "e-sourcing/events": ("e-sourcing.json", "events"),
}

# The name that each library has for a type, as one name of ours.
ARROW_TYPES = {"large_string": "string", "timestamp[us, tz=UTC]": "timestamp", "date32[day]": "date", "double": "float64"}
POLARS_TYPES = {"String": "string", "Datetime(time_unit='us', time_zone='UTC')": "timestamp", "Date": "date",
                "Int64": "int64", "Float64": "float64", "Boolean": "bool"}
DUCKDB_TYPES = {"VARCHAR": "string", "TIMESTAMP WITH TIME ZONE": "timestamp", "DATE": "date", "BIGINT": "int64",
                "DOUBLE": "float64", "BOOLEAN": "bool"}


def arrow_type(data_type):
    text = str(data_type)
    if text.startswith("large_list<"):
        return f"list<{arrow_type(data_type.value_type)}>"
    if text.startswith("struct<"):
        return struct((field.name, arrow_type(field.type)) for field in data_type)
    if text.startswith("decimal128("):
        return f"decimal({data_type.precision},{data_type.scale})"
    return ARROW_TYPES.get(text, text)


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


def struct(fields):
    return f"struct<{', '.join(f'{name}: {data_type}' for name, data_type in fields)}>"


def facts(values):
    """What has to be equal about the non-null values of a column: how many, and their sum or their ends."""
    values = [value for value in values if value is not None and value is not pandas.NaT and value == value]
    if not values:
        return (0,)
    if isinstance(values[0], (list, dict)):
        return tuple(sorted(json.dumps(value, default=str, sort_keys=True) for value in values))
    if isinstance(values[0], (decimal.Decimal, int)) and not isinstance(values[0], bool):
        return (len(values), decimal.Decimal(sum(values)))
    if isinstance(values[0], datetime.datetime):
        instants = [round(value.timestamp() * 1_000_000) for value in values]
        return (len(values), min(instants), max(instants))
    return (len(values), str(min(values)), str(max(values)))


def with_pyarrow(path):
    table = pyarrow.dataset.dataset(path, format="parquet", partitioning="hive").to_table()
    types = {field.name: arrow_type(field.type) for field in table.schema}
    return table.num_rows, types, {name: facts(table[name].to_pylist()) for name in sorted(types)}


def with_pandas(path):
    frame = pandas.read_parquet(path)
    return len(frame), None, {name: facts([plain(value) for value in frame[name]]) for name in sorted(frame)}


def plain(value):
    """A value without numpy's arrays and numbers, which pandas has in lists."""
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, numpy.ndarray):
        return [plain(item) for item in value]
    return value.item() if isinstance(value, numpy.generic) and not isinstance(value, numpy.datetime64) else value


def with_polars(path):
    frame = polars.read_parquet(path)
    types = {name: polars_type(data_type) for name, data_type in frame.schema.items()}
    return frame.height, types, {name: facts(frame[name].to_list()) for name in sorted(types)}


def with_duckdb(path):
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    relation = connection.sql(f"from read_parquet('{path}/**/*.parquet', hive_partitioning = true, hive_types_autocast = false)")
    types = {name: duckdb_type(data_type) for name, data_type in zip(relation.columns, relation.types)}
    rows = relation.fetchall()
    columns = {name: facts([row[position] for row in rows]) for position, name in enumerate(relation.columns)}
    return len(rows), types, dict(sorted(columns.items()))


def compare(path):
    expected = with_pyarrow(path)
    for reader in (with_pandas, with_polars, with_duckdb):
        count, types, columns = reader(path)
        assert count == expected[0], f"{reader.__name__}: {count} rows, pyarrow has {expected[0]}"
        assert types in (None, expected[1]), f"{reader.__name__}: {types}, pyarrow has {expected[1]}"
        different = {name: (columns.get(name), value) for name, value in expected[2].items() if columns.get(name) != value}
        assert not different, f"{reader.__name__}: {different}"
        assert columns.keys() == expected[2].keys(), f"{reader.__name__}: {columns.keys() ^ expected[2].keys()}"
    return expected[0]


DEFINITION = """version = 1
name = "{name}"
[source]
path = "/export"
base_url = "http://127.0.0.1:{port}"
[destination]
url = "lake/{name}"
[[tables]]
name = "t"
primary_key = ["id"]
write_disposition = "append"
partition_by = ["month(at)"]
nested = "{nested}"
schema_contract = {{ data_type = "evolve" }}
"""


def year_of_integers_that_widen(flowlake, directory):
    """Twelve months of integers, and then a night on which each column has a value of another type."""
    months = [{"id": month, "at": f"2025-{month:02}-15", "money": month * 100, "share": month, "code": month, "tags": month,
               "lines": [{"n": month}]} for month in range(1, 13)]
    widened = {"id": 13, "at": "2026-01-15", "money": "MONEY", "share": 0.25, "code": "A1", "tags": [1, 2], "lines": [{"n": 0.5}]}
    exports = [json.dumps([month]) for month in months]
    # Digits that a float of this language would lose.
    exports.append(json.dumps([widened]).replace('"MONEY"', "1300.0000000000000001"))
    types = load(flowlake, directory, "widening", "tables", exports)
    expected = {"money": "decimal(38,16)", "share": "float64", "code": "string", "tags": "list<int64>"}
    assert {name: types[name] for name in expected} == expected, types


def objects_that_stay_in_columns(flowlake, directory):
    """Six months of objects in which keys come and go, and a price that becomes an object."""
    months = [{"id": month, "at": f"2025-{month:02}-15", "price": month, "supplier": {"name": "Acme", f"k{month % 3}": month},
               "lines": [{"n": line, "amount": line * 1.25, "tags": ["a"] * line} for line in range(month % 3)]}
              for month in range(1, 7)]
    objects = {"id": 7, "at": "2025-07-15", "price": {"value": 7, "currency": "EUR"}, "lines": {"n": 7, "due": "2025-08-01"},
               "supplier": None, "matrix": [[1], [2, 3], []]}
    exports = [json.dumps([record]) for record in [*months, objects]]
    types = load(flowlake, directory, "nested", "columns", exports)
    expected = {"price": "struct<value: int64, currency: string>",
                "lines": "list<struct<n: int64, amount: float64, tags: list<string>, due: date>>",
                "supplier": "struct<name: string, k1: int64, k2: int64, k0: int64>", "matrix": "list<list<int64>>"}
    assert {name: types[name] for name in expected} == expected, types


def load(flowlake, directory, name, nested, exports):
    """Appends the exports, one after the other, to a table; returns the types of its columns."""

    class Export(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = exports[0].encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Export)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    definition = DEFINITION.format(port=server.server_port, name=name, nested=nested)
    pathlib.Path(directory, f"{name}.toml").write_text(definition)
    environment = {**os.environ, "PROCUREMENTFLOW_API_KEY": "pf_key_that_nobody_checks"}
    while exports:
        subprocess.run([flowlake, "run", f"{name}.toml"], cwd=directory, env=environment, check=True, stdout=subprocess.DEVNULL)
        exports.pop(0)
    server.shutdown()
    return with_pyarrow(str(pathlib.Path(directory, "lake", name, "t")))[1]


def main():
    flowlake = pathlib.Path(sys.argv[1]).resolve()
    passed = failed = 0
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run([flowlake, "demo"], cwd=directory, check=True, stdout=subprocess.DEVNULL)
        year_of_integers_that_widen(flowlake, directory)
        objects_that_stay_in_columns(flowlake, directory)
        lake = pathlib.Path(directory, "lake")
        for table in sorted(path for path in lake.glob("*/*") if path.name != "_flowlake"):
            name = str(table.relative_to(lake))
            try:
                rows = compare(str(table))
                if name in TOP_TABLES:
                    file, key = TOP_TABLES[name]
                    records = len(json.loads((ROOT / "data" / file).read_text())[key])
                    assert rows == records, f"{rows} rows, the export has {records} records"
                passed += 1
                print(f"{name}: {rows} rows, the same in all four")
            except AssertionError as error:
                failed += 1
                print(f"{name}: {error}")
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


main()
