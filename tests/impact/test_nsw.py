"""The National Supported Work experiment: do comparisons with the CPS recover its effect?

After LaLonde (1986), American Economic Review 76, and Dehejia and Wahba (1999), JASA 94.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.impact.golden import FOLDER, numbers
from tfeval.impact.estimate import estimate
from tfeval.impact.match import match
from tfeval.impact.study import Study, study
from tfeval.impact.weight import weight

COVARIATES = ["age", "age2", "educ", "black", "hisp", "marr", "nodegree", "re74", "re75",
              "none74", "none75"]  # fmt: skip
DESIGNS = {
    "nearest": lambda made: match(made, "nearest"),
    "nearest with replacement": lambda made: match(made, "nearest", replace=True),
    "full": lambda made: match(made, "full"),
    "kernel": lambda made: match(made, "kernel"),
    "inverse propensity": lambda made: weight(made, "inverse_propensity"),
    "entropy": lambda made: weight(made, "entropy"),
}


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rows = pd.read_csv(FOLDER / "nsw_cps.csv.gz")
    return rows.assign(
        age2=rows["age"] ** 2,
        none74=(rows["re74"] == 0).astype(int),
        none75=(rows["re75"] == 0).astype(int),
    )


@pytest.fixture(scope="module")
def beside_cps(frame: pd.DataFrame) -> tuple[Study, pd.Series]:
    rows = frame[(frame["treat"] == 1) | (frame["sample"] == "cps")].reset_index(drop=True)
    return study(rows, treated="treat", covariates=COVARIATES), rows["re78"]


def test_the_experiments_own_effect(frame):
    nsw = frame[frame["sample"] == "nsw"].groupby("treat")["re78"].mean()
    assert nsw[1] - nsw[0] == pytest.approx(1794.3424, abs=1e-3)


@pytest.mark.parametrize("name", DESIGNS)
def test_a_comparison_with_the_cps_holds_the_experiments_effect(name, beside_cps):
    made, earnings = beside_cps
    naive = earnings[made.treated].mean() - earnings[~made.treated].mean()
    assert naive == pytest.approx(-8497.5, abs=1)  # what no design leaves at
    row = estimate(DESIGNS[name](made), earnings).to_frame().iloc[0]
    assert row["conf_low"] < 1794.34 < row["conf_high"]
    assert abs(row["estimate"] - 1794.34) < 1000


def test_weights_give_rs_effects(beside_cps):
    made, earnings = beside_cps
    for name, case in (("inverse_propensity", "nsw_cps_ipw_att"), ("entropy", "nsw_cps_ebal_att")):
        design = weight(made, name)
        found = estimate(design, earnings, method="difference").to_frame()["estimate"].item()
        assert found == pytest.approx(numbers("nsw_cps")[case]["att_lm_wi_est"], rel=1e-5)


def test_matching_keeps_whom_r_keeps(beside_cps):
    made, _ = beside_cps
    held = numbers("nsw_cps")["nsw_cps_nn_cal"]
    design = match(made, "nearest", distance="probability", caliper=0.2)
    assert design.kept(True) == held["n_matched_treated"]
    apart = np.abs(np.diff(design.distance[design.pairs], axis=1)).sum()
    assert apart == pytest.approx(held["sum_pair_distance"], rel=1e-6)
