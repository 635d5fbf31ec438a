"""Errors for few units and few clusters: R's numbers, slow references, and the rules."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import tfeval as tf
from tests.impact.golden import numbers
from tests.impact.small_sample_cases import SUBSETS, subset
from tests.impact.small_sample_reference import cr_reference
from tfeval.impact.inference import rules

GOLDEN = numbers("small_sample")
METHODS = {"difference": {}, "covariance_adjusted": {}, "adjusted": {"fixed_covariates": True}}


@pytest.fixture(autouse=True)
def no_minimum(monkeypatch):
    """R gives an error however few there are: here the formulas are compared, not the rules."""
    for name in ("FEWEST_UNITS", "FEWEST_CLUSTERS", "FEWEST_CLUSTERS_CR3", "FEWEST_EVENTS"):
        monkeypatch.setattr(rules, name, 0)
    monkeypatch.setattr(rules, "RARE_EVENTS", 0)
    monkeypatch.setattr("tfeval.impact.means.least_squares.UNITS_PER_COEFFICIENT", 1)


def effect(name: str, method: str, weighted: bool, **asked) -> pd.Series:
    frame = subset(name)
    covariates, clusters = SUBSETS[name]
    made = tf.study(
        frame, treated="treat", covariates=list(covariates), cluster=list(clusters),
        weight="sw" if weighted else None, fewest=1,
    )  # fmt: skip
    design = tf.unweighted(made)
    return tf.estimate(
        design, frame["y"], method=method, **METHODS[method], **asked
    ).to_frame().iloc[0]  # fmt: skip


CASES = [
    (name, method, weighted)
    for name in SUBSETS
    for method in METHODS
    for weighted in (False, True)
    if f"{name}_{method}{'_sw' if weighted else ''}" in GOLDEN
    # R keeps a level that only one treated unit has, and drops its product with the treatment, so
    # that this unit moves the comparison's mean. Here each arm drops what does not vary in it.
    and (name, method) != ("lone_c", "adjusted")
]


def known(value: float | None) -> bool:
    return value is not None and bool(np.isfinite(value)) and value > 1e-8


@pytest.mark.parametrize(("name", "method", "weighted"), CASES)
def test_errors_and_freedom_are_those_of_clubsandwich_and_sandwich(name, method, weighted):
    held = GOLDEN[f"{name}_{method}{'_sw' if weighted else ''}"]
    compared = 0
    for kind in ("hc2", "hc3"):
        if not known(held.get(f"{kind}_se")):
            continue
        row = effect(name, method, weighted, errors=kind)
        assert row["estimate"] == pytest.approx(held["estimate"], rel=1e-7)
        assert row["std_error"] == pytest.approx(held[f"{kind}_se"], rel=1e-7)
        if not weighted and known(held.get("row_cr2_df")):
            theirs = held["row_cr2_df" if kind == "hc2" else "row_cr3_df"]
            assert row["freedom"] == pytest.approx(theirs, rel=1e-6)
        compared += 1
    for cluster in SUBSETS[name][1]:
        for kind in ("cr2", "cr3"):
            if not known(held.get(f"{cluster}_{kind}_se")):
                continue
            row = effect(name, method, weighted, errors=kind, cluster=cluster)
            assert row["std_error"] == pytest.approx(held[f"{cluster}_{kind}_se"], rel=1e-7)
            assert row["freedom"] == pytest.approx(held[f"{cluster}_{kind}_df"], rel=1e-6)
            assert row["clusters"] == held[f"{cluster}_clusters"]
            compared += 1
    assert compared


def test_cr2_at_the_target_of_a_sample_of_covariates_is_the_formula_written_out():
    # Without fixed covariates the treated's part is a mean of what they differ by from the
    # comparison's predictions; both arms' regressions share no coefficient.
    rng = np.random.default_rng(3)
    n = 90
    frame = pd.DataFrame({"x": rng.normal(size=n), "area": rng.integers(0, 9, n)})
    frame["treated"] = (rng.random(n) < 0.4).astype(int)
    frame["y"] = frame["x"] + rng.normal(size=n) + rng.normal(size=9)[frame["area"]]
    made = tf.study(frame, covariates=["x"], cluster="area")
    found = tf.estimate(tf.unweighted(made), frame["y"], errors="cr2").to_frame().iloc[0]
    arm = (frame["treated"] == 1).to_numpy()
    slope, level = np.polyfit(frame["x"][~arm], frame["y"][~arm], 1)
    gap = frame["y"] - level - slope * frame["x"]
    centre = frame.loc[arm, "x"].mean()
    x = np.column_stack([arm, ~arm, ~arm * (frame["x"] - centre)]).astype(float)
    y = np.where(arm, gap, frame["y"] - (level + slope * centre))
    own = cr_reference(
        x, y, np.ones(n), frame["area"].to_numpy(), np.array([1.0, -1.0, 0.0]), "CR2"
    )
    assert found["estimate"] == pytest.approx(own[0], rel=1e-9)
    assert found["std_error"] == pytest.approx(own[1], rel=1e-8)
    assert found["freedom"] == pytest.approx(own[2], rel=1e-8)
