"""Data and reference numbers that tests of weights share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from tfeval.impact.study import Study, study

GOLDEN = Path(__file__).parents[1] / "golden"
LALONDE = ["age", "educ", "race", "married", "nodegree", "re74", "re75"]
CLUSTERED = ["x1", "x2", "x3", "b1", "group"]


def frame_of(name: str) -> pd.DataFrame:
    """Return the frame of a set of reference numbers."""
    return pd.read_csv(GOLDEN / f"{name}_data.csv")


def study_of(name: str, weight: str | None = None, frame: pd.DataFrame | None = None) -> Study:
    """Return the study that the reference numbers are of."""
    frame = frame_of(name) if frame is None else frame
    covariates = LALONDE if name == "lalonde" else CLUSTERED
    return study(frame, treated="treat", covariates=covariates, weight=weight, unit="id")


def numbers(name: str, case: str) -> pd.Series:
    """Return the reference numbers of a case, by quantity."""
    table = pd.read_csv(GOLDEN / f"{name}.csv")
    return table[table["case"] == case].set_index("quantity")["value"].astype(float)


def weights_of(name: str, case: str) -> pd.DataFrame:
    """Return the reference weights of a case, one row a unit in the frame's order."""
    table = pd.read_csv(GOLDEN / f"{name}_weights.csv")
    return table[table["case"] == case].reset_index(drop=True)


def simulated(
    size: int, count: int = 4, seed: int = 0, strength: float = 0.5
) -> tuple[pd.DataFrame, list[str]]:
    """Return a frame with a known logistic model of treatment, and its covariates' names."""
    rng = np.random.default_rng(seed)
    names = [f"x{place}" for place in range(count)]
    frame = pd.DataFrame(rng.normal(size=(size, count)), columns=names)
    truth = strength * np.cos(np.arange(count))
    score = 1 / (1 + np.exp(1.0 - frame.to_numpy() @ truth))
    frame["treated"] = (rng.random(size) < score).astype(int)
    frame["sw"] = rng.uniform(0.5, 3.0, size)
    frame["id"] = rng.permutation(size) + 10_000
    frame["family"] = frame["id"] // 3
    return frame, names
