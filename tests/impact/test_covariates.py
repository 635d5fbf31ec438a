"""Covariates read in blocks are the columns, however these stand in memory."""

import numpy as np
import pandas as pd
import pytest

from tfeval.impact.study.blocks import Reader, spread_rows, thinned
from tfeval.impact.study.covariates import Column, encoded

RNG = np.random.default_rng(1)
SIZE = 20_000
TOGETHER = pd.DataFrame({f"x{place}": RNG.normal(size=SIZE) for place in range(5)})


def mixed():
    frame = TOGETHER.copy()
    frame["x3"] = frame["x3"].where(frame["x3"] < 1)
    frame.insert(2, "count", RNG.integers(0, 9, SIZE))
    frame.insert(4, "tenure", pd.Categorical(RNG.choice(["own", "rent", "other"], SIZE)))
    frame["single"] = RNG.normal(size=SIZE).astype("float32")
    return frame


FRAMES = {
    "one block": TOGETHER,
    "another order": TOGETHER[["x3", "x0", "x1", "x4", "x2"]],
    "every other column": TOGETHER[["x0", "x2", "x4"]],
    "rows of a matrix": pd.DataFrame(RNG.normal(size=(SIZE, 3)), columns=["a", "b", "c"]),
    "every other row": TOGETHER.iloc[::2],
    "all kinds": mixed(),
    "columns of their own": pd.DataFrame(
        {name: TOGETHER[name].to_numpy().copy() for name in TOGETHER}, copy=False
    ),
}


def slowly(frame: pd.DataFrame) -> np.ndarray:
    columns = []
    for name in frame:
        if frame[name].dtype == "category":
            columns += [frame[name] == level for level in frame[name].cat.categories[1:]]
        else:
            columns.append(frame[name].fillna(frame[name].mean()))
            columns += [frame[name].isna()] if frame[name].isna().any() else []
    return np.column_stack(columns).astype(float)


@pytest.mark.parametrize("frame", FRAMES.values(), ids=list(FRAMES))
def test_blocks_are_the_columns(frame):
    held, expected = encoded(frame, frame.columns), slowly(frame)
    # The mean of the missing is summed in another order.
    np.testing.assert_allclose(held.rows(slice(None)), expected, rtol=1e-12)
    found = np.hstack([block.copy() for _, block in held.blocks(7_001)])
    np.testing.assert_array_equal(found, held.rows(slice(None)).T)
    np.testing.assert_array_equal(held.block(5, 11), held.rows(slice(5, 11)).T)


def test_columns_in_one_block_are_read_at_once():
    def singles(frame):
        pieces = encoded(frame, frame.columns)._pieces
        return [isinstance(piece, Column) for _, piece in pieces]

    assert singles(TOGETHER) == [False]
    assert singles(FRAMES["columns of their own"]) == [True] * 5
    assert singles(FRAMES["rows of a matrix"]) == [True] * 3


@pytest.mark.parametrize("frame", FRAMES.values(), ids=list(FRAMES))
def test_some_rows_and_a_shift(frame):
    held = encoded(frame, frame.columns)
    rows = spread_rows(held.size, 6_000)
    few, shift = thinned(held, rows), np.arange(held.count, dtype=float)
    read = Reader(few, shift, np.ones(1 + held.count))
    block = read.read(10, 20, read.room())
    np.testing.assert_array_equal(block[0], 1.0)
    np.testing.assert_array_equal(block[1:], held.rows(rows[10:20]).T - shift[:, None])
