"""A study from a Parquet file is the study of its frame, and reads nothing else."""

import numpy as np
import pandas as pd
import pytest

import tfeval as tf
from tfeval.errors import DataError, ParameterError
from tfeval.impact.study.study import ROWS, read_columns


@pytest.fixture
def frame():
    rng = np.random.default_rng(1)
    size = 400
    frame = pd.DataFrame(
        {
            "age": np.where(rng.random(size) < 0.1, np.nan, rng.normal(size=size)),
            "visits": rng.poisson(2.0, size),
            "single": rng.normal(size=size).astype("float32"),
            "tenure": pd.Categorical(rng.choice(["own", "rent"], size)),
            "region": rng.choice(["north", "south", "east"], size),
            "lone": rng.random(size) < 0.5,
            "debts": pd.array(rng.integers(0, 9, size), dtype="Int64"),
            "treated": (rng.random(size) < 0.4).astype("int8"),
            "area": rng.integers(0, 9, size),
            "outcome": rng.normal(size=size),
        },
        index=pd.Index(np.arange(size) + 1000, name="unit"),
    )
    frame.loc[frame.index[:20], "debts"] = pd.NA
    return frame


COVARIATES = ["age", "visits", "single", "tenure", "region", "lone", "debts"]


def test_columns_come_back_as_they_were(frame, tmp_path):
    path = tmp_path / "families.parquet"
    frame.attrs["timing"] = {"age": "before"}
    frame.to_parquet(path)
    names = ["treated", *COVARIATES]
    read = read_columns(path, names)
    pd.testing.assert_frame_equal(read, frame[names])
    assert read.attrs == frame.attrs


@pytest.mark.parametrize(
    "index",
    [
        pd.RangeIndex(6, 1206, 3),
        pd.MultiIndex.from_product([range(20), range(20)], names=["area", None]),
    ],
)
def test_the_index_comes_back(frame, tmp_path, index):
    frame = frame.drop(columns="area").set_axis(index)
    frame.to_parquet(tmp_path / "families.parquet")
    pd.testing.assert_index_equal(read_columns(tmp_path / "families.parquet", ["age"]).index, index)


def test_files_in_many_pieces_and_without_pandas(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    values = np.random.default_rng(2).normal(size=ROWS + 1000)
    held = pa.table({"x": pa.array(values, mask=values > 3), "n": np.arange(len(values))})
    pq.write_table(held, tmp_path / "plain.parquet", row_group_size=50_000)
    read = read_columns(tmp_path / "plain.parquet", ["n", "x"])
    np.testing.assert_array_equal(read["x"], np.where(values > 3, np.nan, values))
    assert read["n"].tolist() == list(range(len(values)))
    assert read.index.equals(pd.RangeIndex(len(values)))


def test_the_design_is_that_of_the_frame(frame, tmp_path):
    path = tmp_path / "families.parquet"
    frame.to_parquet(path)
    roles = {"covariates": COVARIATES, "cluster": "area", "strata": "area"}
    ours, theirs = (tf.match(tf.study(records, **roles)) for records in (path, frame))
    np.testing.assert_array_equal(ours.pairs, theirs.pairs)
    outcomes = pd.read_parquet(path, columns=["outcome"])
    pd.testing.assert_frame_equal(
        tf.estimate(ours, outcomes).to_frame(), tf.estimate(theirs, frame[["outcome"]]).to_frame()
    )


def test_the_outcome_is_never_read(frame, tmp_path):
    path = tmp_path / "families.parquet"
    frame.to_parquet(path, compression=None)
    held = path.read_bytes()
    values = frame["outcome"].to_numpy().tobytes()
    at = held.index(values[:64])
    # Every byte of the outcome is spoilt: who reads it gets other numbers, or none.
    path.write_bytes(held[:at] + bytes(len(values)) + held[at + len(values) :])
    assert (pd.read_parquet(path)["outcome"] == 0).all()
    assert tf.study(str(path), covariates=["age", "visits"]).size == len(frame)


def test_mistakes_are_told(frame, tmp_path):
    path = tmp_path / "families.parquet"
    frame.attrs["timing"] = {"visits": "after"}
    frame.to_parquet(path)
    with pytest.raises(ParameterError, match=r"families\.parquet has no column agee\. .*age\?"):
        tf.study(path, covariates=["agee"])
    with pytest.raises(ParameterError, match="measured after the index date"):
        tf.study(path, covariates=["age", "visits"])
    with pytest.raises(ParameterError, match="months goes with a cohort"):
        tf.study(path, covariates=["age"], months=12)
    with pytest.raises(DataError, match="There is no file"):
        tf.study(tmp_path / "absent.parquet", covariates=["age"])
    other = tmp_path / "families.csv"
    frame.to_csv(other)
    with pytest.raises(DataError, match=r"is not a Parquet file\. Read it"):
        tf.study(other, covariates=["age"])
