"""Reads every table with Spark, without any option, and compares it with what pyarrow reads.

spark.py PATH_OF_FLOWLAKE
"""

from pyspark.sql import SparkSession, types

from comparison import run, struct

SPARK_TYPES = {"bigint": "int64", "double": "float64", "boolean": "bool"}
SESSION = SparkSession.builder.master("local[2]").getOrCreate()
SESSION.sparkContext.setLogLevel("ERROR")


def spark_type(data_type):
    if isinstance(data_type, types.ArrayType):
        return f"list<{spark_type(data_type.elementType)}>"
    if isinstance(data_type, types.StructType):
        return struct((field.name, spark_type(field.dataType)) for field in data_type.fields)
    return SPARK_TYPES.get(data_type.simpleString(), data_type.simpleString())


def plain(value):
    if isinstance(value, types.Row):
        return {name: plain(item) for name, item in value.asDict().items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def with_spark(path):
    frame = SESSION.read.parquet(path)
    rows = frame.collect()
    columns = {name: [plain(row[name]) for row in rows] for name in frame.columns}
    return {field.name: spark_type(field.dataType) for field in frame.schema.fields}, columns, None


run({"Spark": with_spark}, {}, {})
