"""DuckDB, given the bare array: its best case. It lies beside the object."""
import sys

import duckdb_tables

export, lake = sys.argv[1:]
array = export.replace("object.json", "array.json")
connection = duckdb_tables.connect(lake)
connection.execute(f"create temp table orders as select * from read_json('{array}', format = 'array')")
duckdb_tables.write(connection, lake)
