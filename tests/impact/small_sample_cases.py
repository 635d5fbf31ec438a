"""The subsets of the clustered data behind golden/small_sample.csv, and their regressions."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import pandas as pd

from tests.impact.golden import COVARIATES, data

METHODS = ("difference", "covariance_adjusted", "adjusted")
FULL = tuple(COVARIATES["clustered"])
# covariates, clusters
SUBSETS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "all": (FULL, ("area", "area2", "region", "row")),
    "areas6": (FULL, ("area", "area2", "row")),
    "one_of_12": (FULL, ("area", "area2")),
    "two_of_12": (FULL, ("area", "area2", "region")),
    "four_of_12": (FULL, ("area", "row")),
    "four_of_30": (FULL, ("area", "area2")),
    "two_of_5": (FULL, ("region", "area")),
    "five_treated": (("x1", "x2"), ("area", "area2", "region", "row")),
    "eight_each": (("x1",), ("area2", "region", "row")),
    "lone_c": (FULL, ("area", "row")),
    "b1_treated": (FULL, ("area", "area2", "row")),
    "b1_all": (FULL, ("area", "row")),
}


class Regression(NamedTuple):
    """A regression: columns (rows, columns), outcome, weights, and where treatment's column is."""

    x: np.ndarray
    y: np.ndarray
    weights: np.ndarray
    place: int

    @property
    def contrast(self) -> np.ndarray:
        """What picks the coefficient on treatment."""
        return np.eye(self.x.shape[1])[self.place]


def first(frame: pd.DataFrame, treated: int, others: int) -> pd.DataFrame:
    """Return the first rows of each arm, in order of the data."""
    arms = [frame[frame["treat"] == 1].head(treated), frame[frame["treat"] == 0].head(others)]
    return pd.concat(arms).sort_index()


@cache
def subset(name: str) -> pd.DataFrame:
    """Return the rows of a subset, with `treat` as it is there and `row` a cluster of one row."""
    frame = data("clustered").assign(row=np.arange(len(data("clustered"))))
    six = frame[frame["area"] <= 6]
    if "_of_12" in name or "_of_30" in name:
        treated, last = name.split("_of_")
        some = frame[frame["area"] <= int(last)]
        count = {"one": 1, "two": 2, "four": 4}[treated]
        return some.assign(treat=(some["area"] <= count).astype(int))
    if name == "two_of_5":
        return frame.assign(treat=(frame["region"] <= 2).astype(int))
    return {
        "all": frame,
        "areas6": six,
        "five_treated": first(frame, 5, 40),
        "eight_each": first(frame, 8, 8),
        "lone_c": six[(six["group"] != "c") | ((six["group"] == "c").cumsum() == 1)],
        "b1_treated": six[(six["treat"] == 0) | (six["b1"] == 1)],
        "b1_all": six[six["b1"] == 1],
    }[name]


def independent(x: np.ndarray) -> np.ndarray:
    """Return the columns that are no combination of earlier ones, which are those R keeps."""
    kept: list[int] = []
    for column in range(x.shape[1]):
        tried = x[:, [*kept, column]]
        size = np.linalg.norm(tried, axis=0)
        if size[-1] > 0 and np.linalg.matrix_rank(tried / size, tol=1e-9) == len(kept) + 1:
            kept.append(column)
    return x[:, kept]


def regression(name: str, method: str, *, weighted: bool) -> Regression:
    """Return the regression of a case: intercept, treatment, covariates, their products."""
    rows, (covariates, _) = subset(name), SUBSETS[name]
    treated = rows["treat"].to_numpy(dtype=float)
    weights = rows["sw"].to_numpy() if weighted else np.ones(len(rows))
    columns = {name: rows[name] for name in covariates if name != "group"}
    if "group" in covariates:
        columns |= {f"group{level}": rows["group"] == level for level in "bc"}
    values = np.column_stack([np.asarray(column, dtype=float) for column in columns.values()])
    values -= np.average(values, axis=0, weights=weights * treated)
    values[np.abs(values) < 1e-12] = 0
    parts = [np.ones((len(rows), 1)), treated[:, None]]
    if method != "difference":
        parts.append(values)
    if method == "adjusted":
        parts.append(values * treated[:, None])
    return Regression(independent(np.hstack(parts)), rows["y"].to_numpy(), weights, 1)
