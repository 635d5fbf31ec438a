"""Event studies against R: fixest and clubSandwich; see tests/golden/README.md."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest

import tfeval as tf
from tests.impact.golden import FOLDER, numbers

POST, PRE = (2012, 2013, 2014), (2008, 2009, 2010)
CASES = {
    "whole": ("y", {}),
    "whole_by": ("y", {"by_time": ["x", "region"]}),
    "whole_weighted": ("y", {"by_time": ["x"], "weights": "w"}),
    "whole_clustered": ("y", {"by_time": ["x"], "weights": "w", "cluster": "region"}),
    "binary": ("y", {"dose": "treated"}),
    "gaps": ("gaps", {}),
    "gaps_by": ("gaps", {"by_time": ["x", "region"]}),
    "gaps_weighted": ("gaps", {"by_time": ["x"], "weights": "w"}),
    "gaps_clustered": ("gaps", {"by_time": ["x"], "weights": "w", "cluster": "region"}),
    "two_periods": ("gaps", {"dose": "treated", "post": [2012]}),
}


@cache
def panel():
    return tf.panel(
        pd.read_csv(FOLDER / "event_study_data.csv"), unit="unit", time="year",
        outcomes=["y", "gaps"], fixed=["dose", "x", "w", "region", "treated"],
    )  # fmt: skip


def fitted(case, small_sample="cr2"):
    outcome, settings = CASES[case]
    design = tf.event_study(
        **{"dose": "dose", "base": 2011, "post": POST, "small_sample": small_sample, **settings}
    )
    made = panel().during([2011, 2012]) if case == "two_periods" else panel()
    return design.fit(made, outcome)


@pytest.mark.parametrize("case", CASES)
def test_coefficients_errors_and_degrees_of_freedom_are_rs(case):
    known = numbers("event_study")[case]
    found, plain = fitted(case), fitted(case, "cr1")
    rows = found.coefficients.set_index("time").drop(index=2011)
    units = pd.Series(panel().units, panel().units)
    clustered = pd.Series(panel().column("region"), panel().units)
    codes = clustered if "cluster" in CASES[case][1] else units
    for time, row in rows.iterrows():
        assert row["estimate"] == pytest.approx(known[f"estimate_d{time}"], rel=1e-6)
        assert row["std_error"] == pytest.approx(known[f"cr2_d{time}"], rel=1e-6)
        assert row["freedom"] == pytest.approx(known[f"df_d{time}"], rel=1e-4)
        # With few clusters readers see no error of CR1; it is R's all the same.
        sums = plain.influence[time].groupby(codes.loc[plain.influence.index]).sum()
        error = np.sqrt((sums**2).sum())
        assert error == pytest.approx(known[f"cr1_d{time}"], rel=1e-6)
    assert len(rows) == sum(key.startswith("estimate_") for key in known)


@pytest.mark.parametrize("case", CASES)
def test_the_summary_and_the_joint_test_before_are_rs(case):
    known, found = numbers("event_study")[case], fitted(case)
    for name, key, close in [
        ("estimate", "summary", 1e-6), ("std_error", "summary_se", 1e-6),
        ("freedom", "summary_df", 1e-4), ("conf_low", "summary_low", 1e-4),
        ("conf_high", "summary_high", 1e-4),
    ]:  # fmt: skip
        assert getattr(found, name) == pytest.approx(known[key], rel=close), name
    if case == "two_periods":
        assert np.isnan(found.pre_trend.p_value)
    else:
        test = found.pre_trend
        assert test.restrictions == 3
        assert test.statistic == pytest.approx(known["htz_F"], rel=1e-4)
        assert test.freedom == pytest.approx(known["htz_df"], rel=1e-4)
        assert test.p_value == pytest.approx(known["htz_p"], rel=1e-4)
