"""DuckDB, given the object as an API sends it."""
import sys

import duckdb_tables

export, lake = sys.argv[1:]
connection = duckdb_tables.connect(lake)
connection.execute(f"""create temp table orders as
    select o.* from (select unnest("purchaseOrders") as o
    from read_json('{export}', maximum_object_size = 2000000000))""")
duckdb_tables.write(connection, lake)
