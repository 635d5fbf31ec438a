"""From arrays of a simulation to Arrow columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa


def text(values: np.ndarray) -> pa.Array:
    """Return fixed-width bytes as an Arrow column of text."""
    width = values.dtype.itemsize
    offsets = np.arange(values.size + 1, dtype=np.int32) * np.int32(width)
    data = np.ascontiguousarray(values)
    return pa.StringArray.from_buffers(values.size, pa.py_buffer(offsets), pa.py_buffer(data))


def chosen(
    index: np.ndarray, values: pa.Array | Sequence[str], empty: np.ndarray | None = None
) -> pa.Array:
    """Return values picked by index, dictionary-encoded; null where `empty`."""
    codes = pa.array(index.astype(np.int32), mask=empty)
    words = values if isinstance(values, pa.Array) else pa.array(list(values), type=pa.string())
    return pa.DictionaryArray.from_arrays(codes, words)


def dates(day: np.ndarray, empty: np.ndarray | None = None) -> pa.Array:
    """Return days from 1970-01-01 as dates; null where `empty`."""
    return pa.array(day.astype(np.int32), mask=empty).view(pa.date32())


def whole(values: np.ndarray) -> pa.Array:
    """Return whole numbers as 32-bit integers."""
    return pa.array(values.astype(np.int32))


def numbers(count: int, block: int) -> pa.Array:
    """Return row numbers that no other block gives."""
    return pa.array(np.arange(count, dtype=np.int64) + (block << 24))
