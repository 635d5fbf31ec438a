"""R's numbers, as designs and outcomes; see tests/golden/README.md."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from tfeval.impact.design.design import Design
from tfeval.impact.study.study import Study, study

FOLDER = Path(__file__).parents[1] / "golden"
COVARIATES = {
    "lalonde": ["age", "educ", "race", "married", "nodegree", "re74", "re75"],
    "clustered": ["x1", "x2", "x3", "b1", "group"],
}

NSW_COVARIATES = ["age", "age2", "educ", "black", "hisp", "marr", "nodegree", "re74", "re75",
                  "none74", "none75"]  # fmt: skip


@cache
def data(name: str) -> pd.DataFrame:
    """Return the data of `lalonde` or `clustered`, with the row names as index."""
    return pd.read_csv(FOLDER / f"{name}_data.csv").set_index("id")


@cache
def study_of(name: str, *, weighted: bool = False, strata: str | None = None) -> Study:
    """Return the study of the golden data."""
    clusters = ["area", "area2"] if name == "clustered" else None
    return study(
        data(name),
        treated="treat",
        covariates=COVARIATES[name],
        cluster=clusters,
        strata=strata,
        weight="sw" if weighted else None,
    )


@cache
def numbers(name: str) -> dict[str, dict[str, float]]:
    """Return the golden numbers by case and quantity."""
    rows = pd.read_csv(FOLDER / f"{name}.csv")
    return {
        str(case): dict(zip(some["quantity"], some["value"], strict=True))
        for case, some in rows.groupby("case")
    }


@cache
def weights(name: str) -> dict[str, pd.DataFrame]:
    """Return R's weights, sets and distances by case, in order of the data."""
    rows = pd.read_csv(FOLDER / f"{name}_weights.csv.gz", low_memory=False)
    return {
        str(case): some.set_index("id").loc[data(name).index] for case, some in rows.groupby("case")
    }


def pairs(case: str) -> set[tuple[str, str]]:
    """Return R's pairs of a case."""
    rows = pd.read_csv(FOLDER / f"{case.split('_', maxsplit=1)[0]}_pairs.csv")
    rows = rows[rows["case"] == case]
    return set(zip(rows["treated_id"], rows["control_id"], strict=True))


@cache
def nsw_cps(*, experiment: bool = False) -> tuple[Study, pd.Series]:
    """Return the NSW's treated beside the CPS, or beside the experiment's own; and earnings."""
    rows = pd.read_csv(FOLDER / "nsw_cps.csv.gz")
    rows = rows.assign(
        age2=rows["age"] ** 2,
        none74=(rows["re74"] == 0).astype(int),
        none75=(rows["re75"] == 0).astype(int),
    )
    rows.index += 1
    other = "nsw" if experiment else "cps"
    rows = rows[(rows["treat"] == 1) | (rows["sample"] == other)]
    return study(rows, treated="treat", covariates=NSW_COVARIATES), rows["re78"]


def estimand(case: str) -> str:
    """Return the estimand that a case's name says."""
    if "unadjusted" in case:
        return "ATE"
    return next((name.upper() for name in ("ate", "atc", "ato") if f"_{name}" in case), "ATT")


@cache
def design_of(case: str) -> Design:
    """Return a design with R's own weights and sets."""
    name = case.split("_", maxsplit=1)[0]
    made = study_of(name, weighted="_sw" in case)
    if case.startswith("clustered_unadjusted"):
        given, sets, distance = np.ones(made.size), None, None
    else:
        rows = weights(name)[case]
        given = rows["weight"].to_numpy(dtype=float)
        sets = pd.factorize(rows["subclass"])[0] if rows["subclass"].notna().any() else None
        distance = rows["distance"].to_numpy(dtype=float)
    total = given * made.sampling
    matched = not any(word in case for word in ("ipw", "ebal", "unadjusted"))
    arms = {"ATT": made.treated, "ATC": ~made.treated}
    target = total if matched or "ato" in case else made.sampling
    return Design(
        study=made,
        method=case,
        estimand=estimand(case),
        weights=total,
        fate=np.zeros(made.size, dtype=np.int8),
        settings={},
        target=target * arms.get(estimand(case), 1.0),
        sets=sets,
        distance=distance,
    )
