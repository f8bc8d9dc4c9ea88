"""Reads every table as a Delta table with deltalake, polars, DuckDB and ClickHouse (chdb): all have to see the rows, names
and types that pyarrow sees in the same table as plain Parquet, at its last version and at every version before.

delta.py PATH_OF_FLOWLAKE
"""

import datetime
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import chdb
import deltalake
import duckdb
import duckdb_extension_delta
import polars
import pyarrow
import pyarrow.ipc

import lakes
from comparison import arrow_columns, check, facts, with_pyarrow, without_empty
from engines import clickhouse_type, duckdb_type, polars_type

# What an engine cannot do by itself, by the number that the table of results has.
LIMITS = {1: "ClickHouse has no null lists and objects: they are empty, or hold nulls"}


def with_deltalake(path, version=None):
    return arrow_columns(deltalake.DeltaTable(path, version=version).to_pyarrow_table())


def with_polars(path, version=None):
    frame = polars.read_delta(path, version=version)
    types = {name: polars_type(data_type) for name, data_type in frame.schema.items()}
    return types, {name: frame[name].to_list() for name in types}, None


def with_duckdb(path, version=None):
    at = "" if version is None else f", version => {version}"
    relation = DUCKDB.sql(f"FROM delta_scan('{path}'{at})")
    types = {name: duckdb_type(data_type) for name, data_type in zip(relation.columns, relation.types)}
    rows = relation.fetchall()
    return types, {name: [row[position] for row in rows] for position, name in enumerate(types)}, None


def with_clickhouse(path, version=None):
    table = f"deltaLakeLocal('{path}')"
    settings = "" if version is None else f" SETTINGS delta_lake_snapshot_version = {version}"
    lines = chdb.query(f"DESCRIBE {table}{settings}", "JSONEachRow").bytes().decode().splitlines()
    types = {column["name"]: clickhouse_type(" ".join(column["type"].split())) for column in map(json.loads, lines)}
    rows = pyarrow.ipc.open_file(chdb.query(f"SELECT * FROM {table}{settings}", "Arrow").bytes()).read_all()
    has_nested = any(data_type.startswith(("list<", "struct<")) for data_type in types.values())
    # It names no zone, and means UTC.
    types = {name: "timestamp" if data_type == "DateTime64(6)" else data_type for name, data_type in types.items()}
    return types, {name: [in_utc(value) for value in rows[name].to_pylist()] for name in types}, 1 if has_nested else None


def in_utc(value):
    return value.replace(tzinfo=datetime.timezone.utc) if isinstance(value, datetime.datetime) else value


def connected():
    """DuckDB with its extension, which comes as a package."""
    extension = next(pathlib.Path(duckdb_extension_delta.__file__).parent.rglob("delta.duckdb_extension"))
    connection = duckdb.connect()
    connection.sql(f"LOAD '{extension}'")
    return connection


DUCKDB = connected()
ENGINES = {"deltalake": with_deltalake, "polars": with_polars, "DuckDB": with_duckdb, "ClickHouse": with_clickhouse}


def directories_of(path):
    """The columns that only directories have."""
    return set(deltalake.DeltaTable(path).metadata().partition_columns)


def check_partitions(path):
    """The partition columns are texts that are never null or empty, and filters by them find what filters by hand find."""
    table = deltalake.DeltaTable(path).to_pyarrow_table()
    for column in directories_of(path):
        values = table[column].to_pylist()
        assert all(values), f"{column} is null or empty"
        for value in set(values):
            found = polars.scan_delta(path).filter(polars.col(column) == value).collect().height
            assert found == values.count(value), f"{column} = {value}: {found} rows instead of {values.count(value)}"


def compare(flowlake, directory):
    passed, failures = 0, []
    made = [pathlib.Path(directory, name) for name in ("parquet", "delta")]
    for each in made:
        each.mkdir()
    plain, _ = lakes.make(flowlake, made[0])
    tables, _ = lakes.make(flowlake, made[1], "delta")
    print("".ljust(34), *(name.ljust(11) for name in ENGINES))
    for name, path in tables.items():
        expected, cells = with_pyarrow(plain[name]), []
        directories = directories_of(path)
        expected = ({key: value for key, value in expected[0].items() if key not in directories},
                    {key: value for key, value in expected[1].items() if key not in directories and not key.startswith("_flowlake_run")
                     and not key.startswith("_flowlake_loaded")}, None)
        for engine, read in ENGINES.items():
            try:
                limit = check(read, path, expected, {1: without_empty})
                cells.append("same" if limit is None else f"same ({limit})")
                passed += 1
            except Exception as error:  # what an engine cannot read is what this is about
                cells.append("DIFFERENT")
                failures.append(f"{name}, {engine}: {type(error).__name__}: {str(error)[:400]}")
        try:
            check_partitions(path)
            check_versions(path)
            passed += 1
        except Exception as error:
            failures.append(f"{name}: {type(error).__name__}: {str(error)[:400]}")
        print(name.ljust(34), *(cell.ljust(11) for cell in cells))
    return passed, failures


def check_versions(path):
    """All engines see the same rows in every version."""
    for version in range(deltalake.DeltaTable(path).version() + 1):
        expected = with_deltalake(path, version)[1]
        for engine, read in ENGINES.items():
            _, columns, limit = read(path, version)
            form = without_empty if limit else lambda value: value
            for column, values in expected.items():
                assert facts(columns[column], form) == facts(values, form), f"version {version}, {engine}, {column}"


def check_after_vacuum(flowlake, directory, name):
    """All engines see the last version as before, when files of older versions are gone and there is a new checkpoint."""
    path = f"{directory}/lake/{name}/t"
    expected = with_deltalake(path)
    before = len(list(pathlib.Path(path).rglob("*.parquet")))
    definition = pathlib.Path(directory, f"{name}.toml")
    definition.write_text(definition.read_text().replace("[[tables]]", '[retention]\ntime_travel = "PT0S"\n[[tables]]'))
    environment = {**os.environ, "PROCUREMENTFLOW_API_KEY": "pf_key_that_nobody_checks"}
    subprocess.run([flowlake, "prune", definition], check=True, env=environment, stdout=subprocess.DEVNULL)
    assert len(list(pathlib.Path(path).rglob("*.parquet"))) < before, "nothing was vacuumed"
    for engine, read in ENGINES.items():
        _, columns, limit = read(path)
        form = without_empty if limit else lambda value: value
        for column, values in expected[1].items():
            assert facts(columns[column], form) == facts(values, form), f"{engine}, {column}"


def check_shared(flowlake, directory):
    """All engines see the rows of all pipelines that share a table, in every version, and which row is whose."""
    for path in map(str, lakes.make_shared(flowlake, directory)):
        types, columns, _ = with_deltalake(path)
        rows = sorted(zip(columns["organisation"], columns["id"], columns["v"], columns["late"], columns["other"]))
        expected = [(organisation, record["id"], record.get("v"), record.get("late") and datetime.date.fromisoformat(record["late"]),
                     record.get("other")) for organisation, records in lakes.SHARED.items() for record in records]
        assert rows == sorted(expected), rows
        assert types["late"] == "date" and types["other"] == "float64", types
        check_partitions(path)
        check_versions(path)


def refuse_other_writers(flowlake, path):
    """Others read, and are refused when they write, optimise or vacuum."""
    table = deltalake.DeltaTable(path)
    before = table.version()
    for what, write in {
        "append": lambda: deltalake.write_deltalake(path, table.to_pyarrow_table(), mode="append"),
        "delete": lambda: table.delete(),
        "optimise": lambda: table.optimize.compact(),
        "vacuum": lambda: table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False),
    }.items():
        try:
            write()
        except Exception as error:
            assert "flowlake" in str(error) or "nsupported" in str(error), f"{what}: {error}"
        else:
            raise AssertionError(f"{what} was not refused")
    assert deltalake.DeltaTable(path).version() == before
    lake = str(pathlib.Path(path).parent)
    subprocess.run([flowlake, "verify", lake], check=True, stdout=subprocess.DEVNULL)


def main():
    flowlake = pathlib.Path(sys.argv[1]).resolve()
    # ClickHouse reads what is below its working directory.
    os.chdir("/")
    with tempfile.TemporaryDirectory() as directory:
        passed, failures = compare(flowlake, directory)
        try:
            refuse_other_writers(flowlake, f"{directory}/delta/lake/widening/t")
            passed += 1
        except Exception as error:
            failures.append(f"other writers: {type(error).__name__}: {str(error)[:400]}")
        shared = pathlib.Path(directory, "several")
        shared.mkdir()
        try:
            check_shared(flowlake, shared)
            passed += 1
        except Exception as error:
            failures.append(f"shared tables: {type(error).__name__}: {str(error)[:400]}")
        for name in ("widening", "nested"):
            try:
                check_after_vacuum(flowlake, pathlib.Path(directory, "delta"), name)
                passed += 1
            except Exception as error:
                failures.append(f"{name} after vacuum: {type(error).__name__}: {str(error)[:400]}")
    for number, text in LIMITS.items():
        print(f"({number}) {text}")
    for failure in failures:
        print(failure)
    print(f"{passed} passed, {len(failures)} failed")
    sys.exit(1 if failures or not passed else 0)


main()
