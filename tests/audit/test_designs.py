"""Designs are shared by studies that are the same in every number, and by no others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tfeval.audit.designs import design_of, designs_shared
from tfeval.impact.propensity import propensity
from tfeval.impact.specification import DESIGNS
from tfeval.impact.study.study import study


def people(change=None):
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({"age": rng.normal(size=300), "kind": rng.choice(["a", "b"], 300)})
    frame["area"], frame["treated"] = rng.integers(0, 9, 300), rng.random(300) < 0.3
    frame["unit"] = [f"unit {number}" for number in range(300)]
    return frame if change is None else change(frame)


def as_study(frame):
    return study(frame, covariates=["age", "kind"], cluster="area", unit="unit")


@pytest.fixture
def times(monkeypatch):
    """Count the designs made, by all who made one."""
    made = []
    row = DESIGNS["nearest"]
    count = replace(row, make=lambda *given: made.append(1) or row.make(*given))
    monkeypatch.setitem(DESIGNS, "nearest", count)
    return made


CHANGES = {
    "age": lambda frame: frame.assign(age=frame["age"].where(frame.index != 7, 9.0)),
    "kind": lambda frame: frame.assign(kind=frame["kind"].replace({"a": "c"})),
    "treated": lambda frame: frame.assign(treated=frame["treated"] ^ (frame.index == 3)),
    "area": lambda frame: frame.assign(area=frame["area"].replace({1: 2})),
    "unit": lambda frame: frame.assign(unit=frame["unit"].to_numpy()[::-1]),
}


@pytest.mark.parametrize("what", CHANGES)
def test_only_the_same_study_has_the_same_design(times, what):
    with designs_shared():
        first, verdict = design_of(as_study(people()), "nearest")
        again, same = design_of(as_study(people()), "nearest")
        assert len(times) == 1 and verdict == same
        other = as_study(people(CHANGES[what]))
        changed = design_of(other, "nearest")[0]
        assert len(times) == 2 and changed.study is other
    alone = DESIGNS["nearest"].make(as_study(people()), 0.2)
    assert np.array_equal(first.weights, alone.weights)
    assert np.array_equal(again.weights, alone.weights)
    design_of(as_study(people()), "nearest")
    assert len(times) == 4  # outside, each makes its own


def test_one_study_s_designs_share_its_score_and_another_s_do_not():
    one, other = as_study(people()), as_study(people(CHANGES["age"]))
    with propensity.fits_shared():
        scores = [DESIGNS[name].make(one, 0.2).score for name in ("nearest", "overlap")]
        assert scores[0] is scores[1]
        weighed = replace(one, weight=np.where(np.arange(300) < 9, 2.0, 1.0))
        for different in (other, weighed):
            fresh = propensity.fit_propensity(different).score
            assert not np.array_equal(fresh, scores[0])
    assert np.array_equal(propensity.fit_propensity(one).score, scores[0])
    assert propensity.fit_propensity(one).score is not scores[0]
