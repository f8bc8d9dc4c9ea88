"""An upsert of 1 % of the rows of a table of 5,000,000 in 60 months, by flowlake and by deltalake, in turn.

merge.py PATH_OF_FLOWLAKE [ORDERS]. The changed rows lie in the last three months. flowlake is sent both exports over HTTP,
and decodes, checks and commits them; deltalake is given a table made in memory, and reads only the changes from disk.
Printed are the times of the merges, each from its start to its end, and the peak memory of its process.
"""

import http.server
import json
import os
import pathlib
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROUNDS = 3
STATUSES = ["draft", "approved", "sent", "received", "closed"]
DEFINITION = """version = 1
name = "orders"
landing = {{ keep = 0 }}
[source]
path = "/{export}"
base_url = "http://127.0.0.1:{port}"
[destination]
url = "{lake}"
[[tables]]
name = "orders"
records = "/orders"
primary_key = ["id"]
write_disposition = "merge"
partition_by = ["month(created_at)"]
[tables.columns]
total_amount = "decimal(18,2)"
"""
COLUMNS = ('orders: \'STRUCT(id VARCHAR, "createdAt" VARCHAR, status VARCHAR, "totalAmount" DECIMAL(18,2), currency VARCHAR, '
           "supplier VARCHAR, version BIGINT)[]'")
SELECT = """select id, "createdAt"::timestamptz as created_at, status, "totalAmount" as total_amount, currency, supplier, version,
    strftime("createdAt"::timestamptz, '%Y-%m') as created_at_month
    from (select unnest(orders, recursive := true) from read_json('{file}', maximum_object_size = 2000000000, columns = {{{columns}}}))"""


def order(number, version):
    year, month = 2021 + number % 60 // 12, number % 60 % 12 + 1
    created = f"{year}-{month:02}-{number % 28 + 1:02}T{number % 24:02}:00:00Z"
    return (f'{{"id":"PO-{number:08}","createdAt":"{created}","status":"{STATUSES[(number * 7 + version) % 5]}",'
            f'"totalAmount":{number * 37 % 100000}.{number % 100:02},"currency":"EUR","supplier":"Supplier {number % 997}","version":{version}}}')


def write_export(path, numbers, version):
    with open(path, "w") as file:
        file.write('{"orders":[')
        for position, number in enumerate(numbers):
            file.write("," * (position > 0) + order(number, version))
        file.write("]}")


def arrow_table(file):
    import duckdb
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    return connection.sql(SELECT.format(file=file, columns=COLUMNS)).to_arrow_table()


def deltalake(step, table, export):
    """One step in a process of its own, so that its memory is its own."""
    import deltalake as delta
    if step == "load":
        delta.write_deltalake(table, arrow_table(export), partition_by=["created_at_month"])
        return
    begun = time.time()
    changed = " or ".join(f"t.{name} != s.{name}" for name in ("created_at", "status", "total_amount", "currency", "supplier", "version"))
    merge = delta.DeltaTable(table).merge(arrow_table(export), predicate="t.id = s.id", source_alias="s", target_alias="t")
    done = merge.when_matched_update_all(predicate=changed).when_not_matched_insert_all().execute()
    assert done["num_target_rows_updated"] > 0
    print(f"{time.time() - begun:.3f}")


def measured(command, **options):
    """What a command prints, how long it takes, and its peak memory in MB."""
    begun = time.time()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, **options)
    printed = process.stdout.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, printed
    return printed, time.time() - begun, usage.ru_maxrss / 1024


def serve(directory):
    handler = type("Export", (http.server.SimpleHTTPRequestHandler,), {
        "__init__": lambda self, *args: http.server.SimpleHTTPRequestHandler.__init__(self, *args, directory=directory),
        "log_message": lambda *_: None})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


def main():
    flowlake, orders = pathlib.Path(sys.argv[1]).resolve(), int((sys.argv[2:] or ["5000000"])[0])
    environment = {**os.environ, "PROCUREMENTFLOW_API_KEY": "pf_key_that_nobody_checks"}
    with tempfile.TemporaryDirectory() as directory:
        place = lambda name: os.path.join(directory, name)
        write_export(place("all.json"), range(orders), 0)
        late = [number for number in range(orders) if number % 60 >= 57]
        write_export(place("changed.json"), sorted(random.Random(1).sample(late, orders // 100)), 1)
        port = serve(directory)
        for export in ("all", "changed"):
            text = DEFINITION.format(export=f"{export}.json", port=port, lake=place("lake"))
            pathlib.Path(place(f"{export}.toml")).write_text(text)
        run = lambda export: measured([flowlake, "run", place(f"{export}.toml"), "--json"], env=environment)
        step = lambda name, export: measured([sys.executable, __file__, "--deltalake", name, place("delta"), place(export)])
        _, seconds, memory = run("all")
        print(f"flowlake, first load of {orders:,} orders: {seconds:.2f} s, {memory:.0f} MB")
        step("load", "all.json")
        shutil.copytree(place("lake"), place("lake.old"))
        shutil.copytree(place("delta"), place("delta.old"))
        results = {"flowlake": [], "deltalake": []}
        for _ in range(ROUNDS):
            for name in ("lake", "delta"):
                shutil.rmtree(place(name))
                shutil.copytree(place(f"{name}.old"), place(name))
            report, seconds, memory = run("changed")
            [table] = json.loads(report)["tables"]
            assert (table["updated"], table["rows"]) == (orders // 100, orders), table
            results["flowlake"].append((seconds, memory))
            printed, _, memory = step("merge", "changed.json")
            results["deltalake"].append((float(printed), memory))
        for name, figures in results.items():
            seconds, memory = (statistics.median(column) for column in zip(*figures))
            print(f"{name}, merge of {orders // 100:,}: {seconds:.2f} s, {memory:.0f} MB")


if sys.argv[1] == "--deltalake":
    deltalake(*sys.argv[2:])
else:
    main()
