"""Group-time effects as R's did and DRDID have them: tests/golden/make_group_time_golden.R."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import tfeval as tf
from tfeval.impact.panel.group_time_effects import critical_value

GOLDEN = Path(__file__).parents[1] / "golden"
METHODS = {"dr": "doubly_robust", "reg": "regression", "ipw": "inverse_weighting"}
ABOUT = ["first", "x1", "x2", "area", "weight"]


@cache
def expected():
    return pd.read_csv(GOLDEN / "group_time.csv.gz")


@cache
def data(kind):
    if kind == "cross":
        rows = pd.read_csv(GOLDEN / "group_time_cross.csv").rename(columns={"row": "unit"})
    else:
        wide = pd.read_csv(GOLDEN / "group_time_panel.csv")
        rows = wide.melt(["unit", *ABOUT], var_name="time", value_name="y")
        rows["time"] = rows["time"].str[1:].astype(int)
    if kind == "gaps":
        rows = rows[(rows["unit"] * 7 + rows["time"] * 3) % 11 != 0]
    return tf.panel(rows, unit="unit", time="time", outcomes=["y"], fixed=ABOUT)


def settings_of(case):
    kind, *words = case.split("-")
    panel = data(kind if kind in ("cross", "gaps") else "panel")
    asked = {"covariates": ("x1", "x2"), "repeated": kind in ("cross", "gaps")}
    if case in WITH_BANDS:
        asked["draws"] = 20_000
    if "none" in words:
        asked["covariates"] = ()
    asked["method"] = next((METHODS[word] for word in words if word in METHODS), "doubly_robust")
    if "universal" in words:
        asked["base"] = "universal"
    if "anticipation" in words:
        asked["anticipation"] = 1
    if "cluster" in words:
        asked["cluster"] = "area"
    if "weights" in words:
        asked["weights"] = "weight"
    if "nevertreated" in words or case.endswith("no-never-never") or "cluster-weights" in case:
        asked["comparison"] = "never_treated"
    if "no" in words:
        first = panel.column("first")
        panel = panel.take((first > 2011) & (first <= 2016))
    return panel, tf.group_time("first", **asked)


def by_signs(effects, draws=20_000):
    """Return the critical value as did draws it, unit by unit or cluster by cluster."""
    units, influence = effects.cells.units, effects.cells.influence
    codes = np.arange(len(units.places)) if units.clusters is None else units.clusters
    sums = np.stack([np.bincount(codes, weights=row) for row in influence], axis=1)
    signs = np.random.default_rng(1).integers(0, 2, (draws, len(sums))) * 2.0 - 1.0
    drawn = signs @ sums
    low, high = np.quantile(drawn, [0.25, 0.75], axis=0)
    return np.quantile(np.abs(drawn / ((high - low) / 1.3489795)).max(axis=1), 0.95)


CASES = [case for case in expected()["case"].unique() if "released" not in case]
#: R's width of a band is drawn: many draws of ours are set against it.
WITH_BANDS = set(expected().loc[expected()["of"].str.startswith("critical"), "case"])


@pytest.mark.parametrize("case", CASES)
def test_as_r_has_it(case):
    rows = expected()[expected()["case"] == case]
    panel, design = settings_of(case)
    effects = design.fit(panel, "y")
    made = {
        "group_time": effects, "overall": effects.aggregate("overall"),
        "event": effects.aggregate("event"), "group": effects.aggregate("group"),
        "calendar": effects.aggregate("calendar"),
        "balanced": effects.aggregate("event", balance_event=1),
        "limited": effects.aggregate("event", min_event=-1, max_event=1),
    }  # fmt: skip
    for of, part in rows.groupby("of"):
        if of == "pre_trend":
            if design.anticipation:
                continue  # R tests periods in which effects are anticipated too
            found = effects.pre_trend
            assert found["freedom"] == part["at"].iloc[0]
            assert found["statistic"] == pytest.approx(part["estimate"].iloc[0], rel=1e-6)
        elif of.startswith("critical"):
            own = made[of.removeprefix("critical_")]
            if not design.cluster:
                known = np.isfinite(own.frame["std_error"])
                some = own.covariance[np.ix_(known, known)]  # R's bands are by the normal
                normal = critical_value(some, design.level, draws=design.draws, seed=design.seed)
                assert normal == pytest.approx(part["std_error"].iloc[0], rel=0.015)
                assert normal < own.critical < 1.04 * normal
            # R's multipliers are 1 and -1: over 40 clusters the normal ones' band is wider.
            assert by_signs(own) == pytest.approx(part["estimate"].iloc[0], rel=0.015)
            assert own.critical > part["estimate"].iloc[0] - 0.03
        elif of.endswith("_average"):
            one = made[of.removesuffix("_average")].average
            assert one["estimate"] == pytest.approx(part["estimate"].iloc[0], abs=1e-6)
            assert one["std_error"] == pytest.approx(part["std_error"].iloc[0], rel=1e-4)
        else:
            frame = made[of].frame
            if of == "group_time":
                assert frame["group"].tolist() == part["group"].tolist()
            column = {"group": "group", "group_time": "time", "calendar": "time"}.get(of, "event")
            assert frame[column].tolist() == part["at"].tolist()
            np.testing.assert_allclose(frame["estimate"], part["estimate"], atol=1e-6)
            np.testing.assert_allclose(frame["std_error"], part["std_error"], rtol=1e-4)
