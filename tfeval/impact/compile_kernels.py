"""Compile every loop ahead, so that no user waits: `python -m tfeval.impact.compile_kernels`.

Machine code is kept beside the modules, or in the user's cache where that place cannot be written
to. A loop that has changed since is compiled again when it is first used.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tfeval.impact.matching.match import match
from tfeval.impact.study.covariates import LARGE
from tfeval.impact.study.study import Study, study

#: Settings of `match` that between them run every loop.
RUNS: tuple[dict[str, Any], ...] = (
    {},
    {"order": "closest", "calipers": {"age": 1.0}},
    {"replace": True},
    {"method": "optimal"},
    {"method": "full"},
    {"method": "kernel", "kernel": "epanechnikov"},
    {"method": "kernel", "kernel": "gaussian"},
    {"method": "mahalanobis"},
    {"method": "mahalanobis", "caliper": None, "replace": True},
    {"method": "mahalanobis", "order": "closest"},
)


def simulated_study(size: int = LARGE, *, within: bool = True) -> Study:
    """Return a study of units without meaning, as large as the loops need to be compiled."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"age": rng.normal(size=size), "visits": rng.poisson(2.0, size)})
    frame["treated"] = rng.random(size) < 0.2 + 0.1 * (frame["age"] > 0)
    frame["area"], frame["unit"] = rng.integers(0, 5, size), np.arange(size)
    frame["family"] = frame["unit"] // 2
    roles: dict[str, Any] = {}
    if within:
        roles = {"strata": "area", "family": "family", "unit": "unit"}
    return study(frame, covariates=["age", "visits"], cluster="area", **roles)


def compile_all() -> None:
    """Run every loop once on a study that is large enough."""
    # Scores are sorted arm by arm, so one study's smaller arm must be large enough by itself.
    match(simulated_study(4 * LARGE, within=False))
    held = simulated_study()
    for settings in RUNS:
        match(held, **settings)


if __name__ == "__main__":
    compile_all()
