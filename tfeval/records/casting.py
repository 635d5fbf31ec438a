"""Give columns the types of the schema, whatever they came as."""

from __future__ import annotations

import ibis

from tfeval.records.columns import Table


def typed(table: ibis.Table, definition: Table) -> ibis.Table:
    """Return the schema's columns of a table, in its order and with its types.

    A value that cannot be read as its type becomes null; `check_records` counts those.
    """
    columns = {}
    for name, column in definition.columns.items():
        if name in table.columns:
            columns[name] = cast(table[name], column.type)
    return table.select(**columns)


def cast(value: ibis.Value, wanted: str) -> ibis.Value:
    """Return a column as a type, null where it cannot be."""
    is_now = value.type()
    if wanted == "date" and is_now.is_timestamp():
        return value.date()
    if is_now.is_string() and wanted != "string":
        # An empty field is how CSV writes null.
        return value.strip().nullif("").try_cast(wanted)
    if is_now == ibis.dtype(wanted) or (is_now.is_integer() and wanted == "int64"):
        return value if is_now == ibis.dtype(wanted) else value.cast(wanted)
    return value.try_cast(wanted)
