"""polars in Python, as a page of notebook would have it."""
import shutil
import sys

import polars as pl

export, lake = sys.argv[1:]
shutil.rmtree(lake, ignore_errors=True)
orders = pl.read_json(export).select(pl.col("purchaseOrders").explode()).unnest("purchaseOrders")
moments = [
    pl.col(name).str.to_datetime(time_unit="us", time_zone="UTC") for name in ("createdAt", "updatedAt")
]
orders = orders.with_columns(moments).with_columns(
    pl.col("createdAt").dt.strftime("%Y-%m").alias("created_at_month"),
    pl.col("totalAmount").cast(pl.Decimal(18, 2)),
)


def write(table, name):
    table.write_parquet(pl.PartitionBy(f"{lake}/{name}", key="created_at_month"), compression="zstd", mkdir=True)


write(
    orders.drop("items", "approvals").unnest("requester", "supplier", "customFields", separator="_"),
    "purchase_orders",
)
for child in ("items", "approvals"):
    rows = orders.select("created_at_month", pl.col("id").alias("purchase_order_id"), child)
    write(rows.explode(child).drop_nulls(child).unnest(child), child)
