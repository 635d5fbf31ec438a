"""R's numbers, as designs and outcomes; see tests/golden/README.md."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from tfeval.impact.design import Design
from tfeval.impact.study import Study, study

FOLDER = Path(__file__).parents[1] / "golden"
COVARIATES = ["age", "educ", "race", "married", "nodegree", "re74", "re75"]


@cache
def lalonde() -> pd.DataFrame:
    """Return the LaLonde data, with the row names as index."""
    return pd.read_csv(FOLDER / "lalonde_data.csv").set_index("id")


@cache
def lalonde_study() -> Study:
    return study(lalonde(), treated="treat", covariates=COVARIATES)


@cache
def numbers(name: str = "lalonde") -> dict[str, dict[str, float]]:
    """Return the golden numbers by case and quantity."""
    rows = pd.read_csv(FOLDER / f"{name}.csv")
    return {
        case: dict(zip(some["quantity"], some["value"], strict=True))
        for case, some in rows.groupby("case")
    }


@cache
def lalonde_design(case: str, estimand: str = "ATT") -> Design:
    """Return a design with R's own weights and sets."""
    rows = pd.read_csv(FOLDER / "lalonde_weights.csv")
    rows = rows[rows["case"] == case].set_index("id").loc[lalonde().index]
    weights = rows["weight"].to_numpy(dtype=float)
    made = lalonde_study()
    sets = pd.factorize(rows["subclass"])[0] if rows["subclass"].notna().any() else None
    target = made.treated * (weights > 0) if estimand == "ATT" else np.ones(made.size)
    return Design(
        study=made,
        method=case,
        estimand=estimand,
        weights=weights,
        fate=np.zeros(made.size, dtype=np.int8),
        settings={},
        target=target.astype(float),
        sets=sets,
        distance=rows["distance"].to_numpy(dtype=float),
    )
