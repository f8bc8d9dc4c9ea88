"""The tables that all engines read: those of the demo, one whose columns widened after a year, one whose objects stay in
columns, and tables with partitions of every kind.
"""

import decimal
import functools
import http.server
import json
import os
import pathlib
import subprocess
import threading

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOP_TABLES = {
    "purchasing/purchase_requisitions": ("purchasing.json", "purchaseRequisitions"),
    "purchasing/purchase_orders": ("purchasing.json", "purchaseOrders"),
    "e-sourcing/events": ("e-sourcing.json", "events"),
}

DEFINITION = """version = 1
name = "{name}"
[source]
path = "/export"
base_url = "http://127.0.0.1:{port}"
[destination]
url = "lake/{lake}"
format = "{format}"
{destination}
[[tables]]
name = "t"
primary_key = ["id"]
write_disposition = "append"
{settings}
"""
YEARS = 'partition_by = ["month(at)"]\nnested = "{}"\nschema_contract = {{ data_type = "evolve" }}'

# Texts that a reader could take for a number, a date, a boolean, null, a path or an escape.
CODES = ["0012", "12", "0700", "007", "00"]
TEXTS = [*CODES, "2A00", "", None, "Ökonomie å/b%c", "none", "empty", "text-none", "__HIVE_DEFAULT_PARTITION__", "null", "NULL", "NaN",
         "\\N", ".", "..", " ", "a b", "a+b", "100%", "a:b=c?d*e#f'g\"h\\i{j}[k]^l", "tab\tnul\0del\x7f", "~x", "true", "1e5",
         "2026-10-05", "Sent", "sent", "SENT", "é", "e\u0301", "日本", "a,b;c|d<e>&f$g!h@i`j"]
# The partition, the column whose values make it, and these.
PARTITIONED = {
    "codes": ("v", "string", CODES),
    "texts": ("v", "string", TEXTS),
    "booleans": ("v", "bool", [True, False, None]),
    "integers": ("v", "int64", [12, 7, -3, 700, None]),
    "decimals": ("v", "decimal(18,2)", ["1.50", "2.00", "10.25", "-0.05", None]),
    "dates": ("v", "date", ["2026-10-05", "2026-10-06", "1999-12-31", None]),
    "timestamps": ("v", "timestamp", ["2026-10-05T14:03:07Z", "2026-10-05T14:03:08.5Z", None]),
    "years": ("year(v)", "date", ["2026-10-05", "2025-10-06", None]),
    "months": ("month(v)", "date", ["2026-10-05", "2026-11-06", None]),
    "days": ("day(v)", "date", ["2026-10-05", "2026-10-06", None]),
    "hours": ("hour(v)", "timestamp", ["2026-10-05T14:03:07Z", "2026-10-05T15:03:08Z", None]),
}


def make(flowlake, directory, table_format="parquet"):
    """Loads all of them below a directory, in a format. Returns the paths of the tables by name, and for tables with partitions of a
    column `v` the sum of `amount` by its value."""
    flowlake = pathlib.Path(flowlake).resolve()
    subprocess.run([flowlake, "demo"], cwd=directory, check=True, stdout=subprocess.DEVNULL)
    if table_format != "parquet":
        for lake in ("purchasing", "e-sourcing"):
            command = [flowlake, "convert", f"lake/{lake}", "--to", table_format]
            subprocess.run(command, cwd=directory, check=True, stdout=subprocess.DEVNULL)
    load = functools.partial(load_export, flowlake, directory, table_format)
    year_of_integers_that_widen(load)
    objects_that_stay_in_columns(load)
    sums = {f"{name}/t": partitions_of_every_kind(load, name) for name in PARTITIONED}
    lake = pathlib.Path(directory, "lake")
    tables = sorted(path for path in lake.glob("*/*") if path.name != "_flowlake")
    return {str(table.relative_to(lake)): str(table) for table in tables}, sums


def records_of(name):
    """How many records an export of the demo has for a table."""
    file, key = TOP_TABLES[name]
    return len(json.loads((ROOT / "data" / file).read_text())[key])


def partitions_of_every_kind(load, name):
    partition, column_type, values = PARTITIONED[name]
    records = [{"id": number, "v": value, "amount": f"{number}.10", "lines": [{"n": number, "v": -number}]}
               for number, value in enumerate(values * 2, start=1)]
    settings = f'partition_by = ["{partition}"]\n[tables.columns]\nv = "{column_type}"\namount = "decimal(18,2)"'
    load(name, settings, [json.dumps(records)])
    sums = {}
    for record in records:
        sums[record["v"]] = sums.get(record["v"], 0) + decimal.Decimal(record["amount"])
    return sums


def year_of_integers_that_widen(load):
    """Twelve months of integers, and then a night on which each column has a value of another type."""
    months = [{"id": month, "at": f"2025-{month:02}-15", "money": month * 100, "share": month, "code": month, "tags": month,
               "lines": [{"n": month}]} for month in range(1, 13)]
    widened = {"id": 13, "at": "2026-01-15", "money": "MONEY", "share": 0.25, "code": "A1", "tags": [1, 2], "lines": [{"n": 0.5}]}
    exports = [json.dumps([month]) for month in months]
    # Digits that a float of this language would lose.
    exports.append(json.dumps([widened]).replace('"MONEY"', "1300.0000000000000001"))
    load("widening", YEARS.format("tables"), exports)


def objects_that_stay_in_columns(load):
    """Six months of objects in which keys come and go, and a price that becomes an object."""
    months = [{"id": month, "at": f"2025-{month:02}-15", "price": month, "supplier": {"name": "Acme", f"k{month % 3}": month},
               "lines": [{"n": line, "amount": line * 1.25, "tags": ["a"] * line} for line in range(month % 3)]}
              for month in range(1, 7)]
    objects = {"id": 7, "at": "2025-07-15", "price": {"value": 7, "currency": "EUR"}, "lines": {"n": 7, "due": "2025-08-01"},
               "supplier": None, "matrix": [[1], [2, 3], []]}
    load("nested", YEARS.format("columns"), [json.dumps([record]) for record in [*months, objects]])


# The types of columns that these two tables have in the end.
TYPES = {
    "widening/t": {"money": "decimal(38,16)", "share": "float64", "code": "string", "tags": "list<int64>"},
    "nested/t": {"price": "struct<value: int64, currency: string>",
                 "lines": "list<struct<n: int64, amount: float64, tags: list<string>, due: date>>",
                 "supplier": "struct<name: string, k1: int64, k2: int64, k0: int64>", "matrix": "list<list<int64>>"},
}


SHARED = {
    "acme": [{"id": 1, "at": "2026-10-05", "v": 1, "tags": ["a"], "supplier": {"name": "Acme"}, "lines": [{"n": 1}]}],
    "Ærø a/s": [{"id": 1, "at": "2026-11-05", "v": 7, "late": "2026-11-06", "supplier": {"name": "Ærø", "vat": 12}},
                {"id": 2, "at": "2026-11-05", "v": None, "lines": [{"n": 2, "tax": True}, {"n": 3}]}],
    "0042": [{"id": 3, "at": "2026-12-05", "other": 1.5}],
}


def make_shared(flowlake, directory):
    """Loads one table by three pipelines, of which each brings columns that the others do not have. Returns its path."""
    settings = 'partition_by = ["month(at)"]\nnested = "{}"\n[tables.columns]\nat = "date"\nlate = "date"\nother = "float64"'
    for name, nested in (("shared", "tables"), ("shared_objects", "columns")):
        for number, (organisation, records) in enumerate(SHARED.items()):
            destination = f'slice = {{ organisation = "{organisation}" }}'
            load_export(pathlib.Path(flowlake).resolve(), directory, "delta", f"{name}_{number}", settings.format(nested),
                        [json.dumps(records)], lake=name, destination=destination)
    return [pathlib.Path(directory, "lake", name, "t") for name in ("shared", "shared_objects")]


def load_export(flowlake, directory, table_format, name, settings, exports, lake=None, destination=""):
    """Appends the exports, one after the other, to a table."""

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
    definition = DEFINITION.format(port=server.server_port, name=name, format=table_format, settings=settings,
                                   lake=lake or name, destination=destination)
    pathlib.Path(directory, f"{name}.toml").write_text(definition)
    environment = {**os.environ, "PROCUREMENTFLOW_API_KEY": "pf_key_that_nobody_checks"}
    while exports:
        subprocess.run([flowlake, "run", f"{name}.toml"], cwd=directory, env=environment, check=True, stdout=subprocess.DEVNULL)
        exports.pop(0)
    server.shutdown()
