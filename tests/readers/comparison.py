"""Compares what engines read. An engine is a function from the path of a table to the types of its columns, by name, or
None where it has none to compare, the values of its columns, and the number of what it cannot do by itself, or None. It
is given no option.

The columns of the files have to be the same. For directories engines have columns of their own, with types that they
guess, or none: so these are only counted.
"""

import datetime
import decimal
import sys
import tempfile

import pyarrow
import pyarrow.dataset
import pyarrow.types

import lakes

# The name that Arrow has for a type, as one name of ours.
ARROW_TYPES = {"large_string": "string", "string_view": "string", "timestamp[us, tz=UTC]": "timestamp", "date32[day]": "date",
               "double": "float64"}


def arrow_type(data_type):
    if pyarrow.types.is_list(data_type) or pyarrow.types.is_large_list(data_type):
        return f"list<{arrow_type(data_type.value_type)}>"
    if pyarrow.types.is_struct(data_type):
        return struct((field.name, arrow_type(field.type)) for field in data_type)
    if pyarrow.types.is_decimal(data_type):
        return f"decimal({data_type.precision},{data_type.scale})"
    return ARROW_TYPES.get(str(data_type), str(data_type))


def struct(fields):
    return f"struct<{', '.join(f'{name}: {data_type}' for name, data_type in fields)}>"


def arrow_columns(table):
    types = {field.name: arrow_type(field.type) for field in table.schema}
    return types, {name: table[name].to_pylist() for name in types}, None


def with_pyarrow(path):
    return arrow_columns(pyarrow.dataset.dataset(path, format="parquet").to_table())


def comparable(value):
    """A value as all engines have it."""
    if isinstance(value, dict):
        return {name: comparable(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [comparable(item) for item in value]
    if isinstance(value, datetime.datetime):
        return round(value.timestamp() * 1_000_000)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return None if value != value else value


def without_empty(value):
    """A value for an engine that has no null lists and objects."""
    if isinstance(value, dict):
        value = {name: without_empty(item) for name, item in value.items()}
        return value if any(item is not None for item in value.values()) else None
    if isinstance(value, list):
        return [without_empty(item) for item in value] or None
    return value


def facts(values, form=lambda value: value):
    """What has to be equal about a column: all of its values, in any order."""
    return sorted(repr(form(comparable(value))) for value in values)


def sums_by_value(columns):
    sums = {}
    for value, amount in zip(columns["v"], columns["amount"]):
        sums[comparable(value)] = sums.get(comparable(value), 0) + amount
    return sums


def expected_sums(name, sums):
    """The sums of the JSON, by the values that a column of the type has."""
    forms = {
        "decimal(18,2)": decimal.Decimal,
        "date": datetime.date.fromisoformat,
        "timestamp": lambda text: comparable(datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))),
    }
    _, column_type, _ = lakes.PARTITIONED[name.split("/")[0]]
    form = forms.get(column_type, lambda value: value)
    return {None if value is None else form(value): amount for value, amount in sums.items()}


def check_itself(name, expected, sums):
    """Checks what pyarrow reads, with which the others are compared, against the JSON."""
    types, columns, _ = expected
    if name in lakes.TOP_TABLES:
        records = lakes.records_of(name)
        assert len(columns["id"]) == records, f"{len(columns['id'])} rows, the export has {records} records"
    for column, data_type in lakes.TYPES.get(name, {}).items():
        assert types[column] == data_type, f"{column} is {types[column]} instead of {data_type}"
    if name in sums:
        expected, actual = expected_sums(name, sums[name]), sums_by_value(columns)
        assert actual == expected, f"{actual}, the export has {expected}"


def check(engine, path, expected, forms):
    """Compares an engine with what is expected; returns the number of what it cannot do by itself."""
    types, columns, limit = engine(path)
    form = forms.get(limit, lambda value: value)
    for column, values in expected[1].items():
        assert column in columns, f"no column {column}"
        assert len(columns[column]) == len(values), f"{len(columns[column])} rows instead of {len(values)}"
        if types is not None:
            assert types[column] == expected[0][column], f"{column} is {types[column]} instead of {expected[0][column]}"
        seen, right = facts(columns[column], form), facts(values, form)
        assert seen == right, f"{column}: {set(seen) ^ set(right)}"
    return limit


def run(engines, limits, forms):
    """Compares all engines on all tables and prints a table of it. `limits` says what an engine cannot do by itself, and
    `forms` which values are compared then."""
    passed, failures = 0, []
    with tempfile.TemporaryDirectory() as directory:
        tables, sums = lakes.make(sys.argv[1], directory)
        print("".ljust(34), *(name.ljust(11) for name in engines))
        for name, path in tables.items():
            expected = with_pyarrow(path)
            cells = []
            try:
                check_itself(name, expected, sums)
            except AssertionError as error:
                failures.append(f"{name}: {error}")
            for engine, read in engines.items():
                try:
                    limit = check(read, path, expected, forms)
                    cells.append("same" if limit is None else f"same ({limit})")
                    passed += 1
                except Exception as error:  # what an engine cannot read is what this is about
                    cells.append("DIFFERENT")
                    failures.append(f"{name}, {engine}: {type(error).__name__}: {str(error)[:400]}")
            print(name.ljust(34), *(cell.ljust(11) for cell in cells))
    for number, text in limits.items():
        print(f"({number}) {text}")
    for failure in failures:
        print(failure)
    print(f"{passed} passed, {len(failures)} failed")
    sys.exit(1 if failures or not passed else 0)
