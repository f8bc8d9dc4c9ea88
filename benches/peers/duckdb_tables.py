"""The tables of the job in SQL, once a relation `orders` has the records."""
import os
import shutil

MONTH = """strftime("createdAt"::timestamp, '%Y-%m') as created_at_month"""
PARQUET = "(format parquet, compression zstd, partition_by (created_at_month))"


def connect(lake):
    import duckdb

    shutil.rmtree(lake, ignore_errors=True)
    os.makedirs(lake)
    connection = duckdb.connect()
    connection.execute("set preserve_insertion_order = false")
    return connection


def write(connection, lake):
    connection.execute(f"""copy (
        select * exclude (items, approvals, "createdAt", "updatedAt", requester, supplier, "customFields", "totalAmount"),
            "createdAt"::timestamp as created_at, "updatedAt"::timestamp as updated_at,
            requester.id as requester_id, requester.email as requester_email, requester.department as requester_department,
            supplier.id as supplier_id, supplier.name as supplier_name, supplier.country as supplier_country,
            supplier."vatNumber" as supplier_vat_number, "customFields"."costCenter" as cost_center,
            "totalAmount"::decimal(18, 2) as total_amount, {MONTH}
        from orders) to '{lake}/purchase_orders' {PARQUET}""")
    for child in ("items", "approvals"):
        connection.execute(f"""copy (
            select id as purchase_order_id, {MONTH}, unnest({child}, recursive := true)
            from orders) to '{lake}/{child}' {PARQUET}""")
