"""What must hold of every design and estimate, whatever the data."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest

from tests.impact.simulated import simulated
from tfeval.impact.design.design import Design
from tfeval.impact.effects.estimate import estimate
from tfeval.impact.matching.match import match
from tfeval.impact.study.study import Study, study
from tfeval.impact.weighting.weight import weight

NAMES = ["x0", "x1", "x2", "x3"]
DESIGNS = {
    "nearest": match,
    "with replacement": lambda made: match(made, replace=True),
    "two to one": lambda made: match(made, ratio=2, order="smallest"),
    "within calipers": lambda made: match(made, calipers={"x1": 0.4}),
    "mahalanobis": lambda made: match(made, "mahalanobis", caliper=0.3),
    "optimal": lambda made: match(made, "optimal"),
    "full": lambda made: match(made, "full"),
    "subclass": lambda made: match(made, "subclass", number=4),
    "kernel": lambda made: match(made, "kernel", bandwidth=0.3),
    "radius": lambda made: match(made, "radius", bandwidth=0.3),
    "inverse propensity": weight,
    "cross-fitted": lambda made: weight(made, folds=4),
    "overlap": lambda made: weight(made, "overlap"),
    "entropy": lambda made: weight(made, "entropy"),
    "all units": lambda made: weight(made, "entropy", estimand="ATE"),
}
METHODS = ["difference", "adjusted", "doubly_robust", "covariance_adjusted"]


@cache
def people(seed: int = 0, size: int = 400) -> pd.DataFrame:
    frame, _ = simulated(size, seed=seed)
    rng = np.random.default_rng(seed + 100)
    frame["area"] = rng.integers(0, 12, size)
    frame["stratum"] = rng.choice(["east", "north", "west"], size)
    frame["y"] = frame[NAMES] @ [1.0, -0.5, 0.3, 0.0] + frame["treated"] + rng.normal(size=size)
    return frame.set_index("id", drop=False)


def of(frame: pd.DataFrame, **more) -> Study:
    roles = {"covariates": NAMES, "unit": "id", "cluster": "area", "weight": "sw", **more}
    return study(frame, **roles)


def effects_of(design: Design, y: pd.Series, method: str = "adjusted", **asked) -> np.ndarray:
    row = estimate(design, y, method=method, **asked).to_frame().iloc[0]
    return row[["estimate", "std_error", "conf_low", "conf_high"]].to_numpy(dtype=float)


@pytest.mark.parametrize("name", DESIGNS)
def test_the_order_of_rows_changes_no_effect(name):
    frame = people()
    mixed = frame.sample(frac=1.0, random_state=3)
    found = [
        [
            effects_of(DESIGNS[name](of(rows, strata="stratum")), frame["y"], each)
            for each in METHODS
        ]
        for rows in (frame, mixed)
    ]
    np.testing.assert_allclose(*found, rtol=1e-8)


@pytest.mark.parametrize("name", DESIGNS)
def test_other_names_of_areas_strata_and_units_change_no_effect(name):
    frame = people()
    other = frame.assign(
        area=frame["area"].map(lambda code: f"area {(7 * code) % 12}"),
        stratum=frame["stratum"].map({"east": "z", "north": "c", "west": "a"}),
    )
    designs = [DESIGNS[name](of(rows, strata="stratum")) for rows in (frame, other)]
    np.testing.assert_allclose(designs[0].weights, designs[1].weights, rtol=1e-9)
    found = [effects_of(design, frame["y"], "difference") for design in designs]
    np.testing.assert_allclose(*found, rtol=1e-8)
    if designs[0].folds is None:  # folds go by the identifiers
        renamed = frame.assign(id=100_000 - 3 * frame["id"])
        again = DESIGNS[name](of(renamed, strata="stratum"))
        np.testing.assert_allclose(again.weights, designs[0].weights, rtol=1e-9)


@pytest.mark.parametrize("name", DESIGNS)
def test_the_units_and_zeros_of_covariates_change_no_effect(name):
    frame = people()
    moved = frame.assign(x0=1e4 * frame["x0"] + 3e5, x1=-frame["x1"] / 50 + 2, x2=frame["x2"] - 9)
    found = [
        [effects_of(DESIGNS[name](of(rows)), frame["y"], each) for each in METHODS]
        for rows in (frame, moved)
    ]
    np.testing.assert_allclose(*found, rtol=1e-6)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", DESIGNS)
def test_a_shift_of_the_treated_moves_the_effect_and_one_of_all_does_not(name, method):
    frame = people()
    design, y = DESIGNS[name](of(frame)), frame["y"]
    plain = effects_of(design, y, method)
    one, both = (effects_of(design, y + 2.5 * arm, method) for arm in (frame["treated"], 1))
    np.testing.assert_allclose(one - plain, [2.5, 0.0, 2.5, 2.5], atol=1e-8)
    np.testing.assert_allclose(both - plain, 0.0, atol=1e-8)
    # In other units, or turned around.
    scaled = effects_of(design, -30.0 * y, method)
    np.testing.assert_allclose(
        scaled, np.array([-30, 30, -30, -30]) * plain[[0, 1, 3, 2]], rtol=1e-8
    )


@pytest.mark.parametrize("errors", ["bootstrap", "wild", "two_way"])
def test_other_errors_follow_shift_and_scale_too(errors):
    frame = people()
    made = of(frame, cluster=["area", "stratum"])
    asked = {"errors": errors, "draws": 99, "method": "difference"}
    if errors != "two_way":
        asked["cluster"] = "area"
    else:
        asked["cluster"] = ("area", "stratum")
    design = weight(made, "overlap")
    plain = effects_of(design, frame["y"], **asked)
    moved = effects_of(design, 10.0 * (frame["y"] + 2.5 * frame["treated"]), **asked)
    np.testing.assert_allclose(moved, 10.0 * (plain + np.array([2.5, 0.0, 2.5, 2.5])), rtol=1e-5)


@pytest.mark.parametrize("name", DESIGNS)
def test_sampling_weights_ten_times_as_large_change_no_effect(name):
    frame = people()
    larger = frame.assign(sw=10.0 * frame["sw"])
    found = [
        [effects_of(DESIGNS[name](of(rows)), frame["y"], each) for each in METHODS]
        for rows in (frame, larger)
    ]
    np.testing.assert_allclose(*found, rtol=1e-7)


#: Designs that depend on how many there are of each kind, not on who is who.
BY_SHARES = ["inverse propensity", "overlap", "entropy", "all units"]


@pytest.mark.parametrize("method", ["difference", "adjusted", "covariance_adjusted"])
@pytest.mark.parametrize("name", [*BY_SHARES, "subclass", "with replacement"])
def test_everybody_twice_is_the_same_effect_known_no_better(name, method):
    frame = people()
    twice = pd.concat([frame, frame.assign(id=frame["id"] + 10**6)]).assign(
        person=np.tile(frame["id"].to_numpy(), 2)
    )
    twice = twice.set_index("id", drop=False)
    once = DESIGNS[name](of(frame, weight=None))
    doubled = DESIGNS[name](of(twice, weight=None, cluster="person"))
    plain = effects_of(once, frame["y"], method, errors="robust")
    again = effects_of(doubled, twice["y"], method, errors="cluster", cluster="person")
    assert again[0] == pytest.approx(plain[0], rel=1e-7)
    if name not in BY_SHARES:
        return  # who is matched with whom counts there
    n, k = len(frame), {"difference": 2, "adjusted": 10, "covariance_adjusted": 6}[method]
    factor = np.sqrt(n / (n - 1) * (2 * n - 1) / (2 * n - k)) / np.sqrt(n / (n - k))
    assert again[1] == pytest.approx(factor * plain[1], rel=1e-7)
    # Taken for independent, twice as many know it better by the root of two.
    naive = effects_of(doubled, twice["y"], method, errors="robust")
    factor = np.sqrt(2 * n / (2 * n - k)) / np.sqrt(n / (n - k))
    assert naive[1] == pytest.approx(factor * plain[1] / np.sqrt(2), rel=1e-7)


@pytest.mark.parametrize("method", ["difference", "adjusted", "covariance_adjusted"])
@pytest.mark.parametrize("name", BY_SHARES)
def test_a_whole_sampling_weight_is_a_unit_so_many_times(name, method):
    frame = people().assign(sw=np.random.default_rng(2).integers(1, 4, 400))
    repeated = frame.loc[np.repeat(frame.index, frame["sw"])]
    repeated = repeated.assign(person=repeated["id"].to_numpy(), id=np.arange(len(repeated)))
    repeated = repeated.set_index("id", drop=False)
    weighted = effects_of(DESIGNS[name](of(frame)), frame["y"], method, errors="robust")
    by_hand = DESIGNS[name](of(repeated, weight=None, cluster="person"))
    found = effects_of(by_hand, repeated["y"], method, errors="cluster")
    assert found[0] == pytest.approx(weighted[0], rel=1e-8)
    n, m = len(frame), len(repeated)
    k = {"difference": 2, "adjusted": 10, "covariance_adjusted": 6}[method]
    factor = np.sqrt(n / (n - 1) * (m - 1) / (m - k)) / np.sqrt(n / (n - k))
    assert found[1] == pytest.approx(factor * weighted[1], rel=1e-7)


MATCHED = ["nearest", "two to one", "within calipers", "mahalanobis", "optimal", "full",
           "subclass", "with replacement"]  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", MATCHED)
def test_a_matched_design_keeps_its_promises(name, seed):
    frame = people(seed)
    made = of(frame, strata="stratum", family="family" if name in KEPT_APART else None)
    design = DESIGNS[name](made)
    treated, strata = made.treated, made.strata
    assert ((design.weights > 0) == (design.fate == 0)).all()
    if design.sets is not None:
        for one in range(design.sets.max() + 1):
            own = design.sets == one
            assert own[treated].any() and own[~treated].any()
            assert len(set(strata[own])) == 1
        assert ((design.sets >= 0) == (design.weights > 0)).all()
    if design.pairs is None:
        return
    rows, matches = design.pairs.T
    assert treated[rows].all() and not treated[matches].any()
    assert (strata[rows] == strata[matches]).all()
    if name in KEPT_APART:
        assert (made.family[rows] != made.family[matches]).all()
    assert np.unique(rows, return_counts=True)[1].max() <= (2 if name == "two to one" else 1)
    if name != "with replacement":
        assert len(np.unique(matches)) == len(matches)
    width = {"mahalanobis": 0.3}.get(name, 0.2) * design.distance.std(ddof=1)
    assert np.abs(design.distance[rows] - design.distance[matches]).max() <= width
    if name == "within calipers":
        x = made.covariates.column("x1")
        assert np.abs(x[rows] - x[matches]).max() <= 0.4 * x.std(ddof=1)


#: Methods that never match a family with itself.
KEPT_APART = ("nearest", "two to one", "within calipers", "mahalanobis", "with replacement")


@pytest.mark.parametrize("name", ["optimal", "full", "subclass"])
def test_sets_that_hold_a_family_in_both_arms_say_so(name):
    frame = people()
    frame = frame.assign(family=np.arange(len(frame)) // 2)
    made = of(frame, family="family")
    design = DESIGNS[name](made)
    both = pd.DataFrame({"set": design.sets, "family": made.family, "arm": made.treated})
    arms = both[both["set"] >= 0].groupby(["set", "family"])["arm"].nunique()
    said = [note for note in design.notes if "with their own family" in note]
    assert bool(said) == bool((arms == 2).any())
    alone = DESIGNS[name](of(frame.assign(family=frame["id"]), family="family"))
    assert not any("with their own family" in note for note in alone.notes)
