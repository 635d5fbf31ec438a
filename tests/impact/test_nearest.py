"""Nearest-neighbour matching: R's pairs, an obvious reference, and what must always hold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.impact.golden import data, design_of, numbers, pairs, study_of, weights
from tfeval.impact.matching.match import match
from tfeval.impact.matching.nearest import (
    Calipers,
    nearest_pairs,
    nearest_with_replacement,
    no_calipers,
)
from tfeval.impact.study import covariates
from tfeval.impact.study.study import study

LALONDE = {
    "lalonde_nn_1to1": {"caliper": None},
    "lalonde_nn_1to1_cal": {},
    "lalonde_nn_ratio2": {"caliper": None, "ratio": 2},
    "lalonde_nn_1to1_order_closest": {"caliper": None, "order": "closest"},
    "lalonde_nn_1to1_order_data": {"caliper": None, "order": "data"},
    "lalonde_nn_1to1_order_smallest": {"caliper": None, "order": "smallest"},
    "lalonde_nn_exact_race": {"caliper": None, "strata": "race"},
    "lalonde_nn_linlogit_cal": {"distance": "linear"},
}
CLUSTERED = {
    "nn_1to1": {"caliper": None},
    "nn_cal": {},
    "nn_cal_x1_std": {"calipers": {"x1": 0.25}},
    "nn_ratio2": {"caliper": None, "ratio": 2},
    "nn_ratio2_cal": {"caliper": 0.1, "ratio": 2},
    "nn_repl": {"caliper": None, "replace": True},
    "nn_repl_k3": {"caliper": None, "replace": True, "ratio": 3},
    "nn_repl_cal": {"caliper": 0.05, "replace": True},
    "nn_exact_region": {"caliper": None, "strata": "region"},
    "nn_exact_region_cal": {"caliper": 0.1, "strata": "region"},
    "nn_repl_exact_region": {"caliper": None, "replace": True, "strata": "region"},
    "nn_order_largest": {"caliper": None, "order": "largest"},
    "nn_order_smallest": {"caliper": None, "order": "smallest"},
    "nn_order_closest": {"caliper": None, "order": "closest"},
    "nn_order_data": {"caliper": None, "order": "data"},
    "nn_linlogit": {"caliper": None, "distance": "linear"},
    "nn_linlogit_cal": {"distance": "linear"},
    "nn_sw": {"caliper": None, "weighted": True},
    "nn_cal_sw": {"weighted": True},
    "nn_repl_sw": {"caliper": None, "replace": True, "weighted": True},
    "nn_discard_both": {"caliper": None, "support": "both"},
    "nn_atc_repl": {"caliper": None, "replace": True, "estimand": "ATC"},
}


def matched(name: str, asked: dict):
    """Match the golden data, as a user would."""
    asked = {"distance": "probability", **asked}
    made = study_of(name, weighted=asked.pop("weighted", False), strata=asked.pop("strata", None))
    return match(made, **asked)


@pytest.mark.parametrize("case", LALONDE)
def test_lalonde_matches_are_those_of_matchit(case):
    design = matched("lalonde", dict(LALONDE[case]))
    theirs = weights("lalonde")[case]
    assert design.weights == pytest.approx(theirs["weight"].to_numpy(), abs=1e-9)
    total = numbers("lalonde")[case]["sum_abs_pair_distance"]
    apart = np.abs(design.distance[design.pairs[:, 0]] - design.distance[design.pairs[:, 1]])
    assert apart.sum() == pytest.approx(total, rel=1e-6)


@pytest.mark.parametrize("case", CLUSTERED)
def test_clustered_pairs_and_weights_are_those_of_matchit(case):
    design = matched("clustered", dict(CLUSTERED[case]))
    names = data("clustered").index.to_numpy()
    ours = set(zip(*names[design.pairs].T, strict=True))
    assert ours == pairs(f"clustered_{case}")
    theirs = design_of(f"clustered_{case}").weights
    assert design.weights == pytest.approx(theirs, rel=1e-9)


def test_a_raw_caliper_is_in_the_covariates_own_units():
    made = study_of("clustered")
    width = numbers("clustered")["clustered_nn_cal_x1_raw"]
    design = match(
        made,
        distance="probability",
        caliper=width["caliper_value"],
        calipers={"x1": 0.3},
        caliper_unit="raw",
    )
    names = data("clustered").index.to_numpy()
    assert set(zip(*names[design.pairs].T, strict=True)) == pairs("clustered_nn_cal_x1_raw")


def obvious(score, treated, *, order, width, ratio, strata, families):
    """Match by looking at every comparison unit for each treated one."""
    free, found = set(np.flatnonzero(~treated)), []
    going = {"largest": -score, "smallest": score}[order]
    seekers = sorted(np.flatnonzero(treated), key=lambda at: (going[at], at))
    held = dict.fromkeys(seekers, 0)
    for turn in range(ratio):
        for seeker in seekers:
            if held[seeker] < turn:
                continue
            near = [
                (abs(score[other] - score[seeker]), other)
                for other in free
                if strata[other] == strata[seeker]
                and families[other] != families[seeker]
                and abs(score[other] - score[seeker]) <= width
            ]
            if near:
                chosen = min(near)[1]
                found.append((int(seeker), int(chosen)))
                held[seeker] += 1
                free.discard(chosen)
    return sorted(found)


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    size=st.integers(4, 40),
    order=st.sampled_from(["largest", "smallest"]),
    ratio=st.integers(1, 3),
    width=st.sampled_from([0.05, 0.3, np.inf]),
)
def test_pairs_are_those_of_the_obvious_search(seed, size, order, ratio, width):
    rng = np.random.default_rng(seed)
    score = rng.normal(size=size)
    treated = rng.random(size) < 0.4
    strata, families = rng.integers(0, 3, size), rng.integers(0, 2 * size, size)
    calipers = Calipers(width, np.empty((size, 0)), np.empty(0))
    found = nearest_pairs(
        score, treated, strata=strata, family=families, calipers=calipers, ratio=ratio, order=order
    )
    ours = sorted(zip(found.rows.tolist(), found.matches.tolist(), strict=True))
    assert ours == obvious(
        score, treated, order=order, width=width, ratio=ratio, strata=strata, families=families
    )


def test_compiled_loops_find_the_same_as_plain_ones(monkeypatch):
    rng = np.random.default_rng(3)
    size = covariates.LARGE + 500
    score, treated = rng.normal(size=size).round(3), rng.random(size) < 0.3
    near = Calipers(0.1, rng.normal(size=(size, 2)), np.array([0.5, 0.5]))
    asked = [
        {"calipers": calipers, "strata": strata, "ratio": ratio}
        for calipers in (no_calipers(size), near)
        for strata in (None, rng.integers(0, 40, size))
        for ratio in (1, 2)
    ]
    for kind in ("largest", "closest", "replace"):
        for given_ in asked:
            outcomes = []
            for limit in (covariates.LARGE, 10**9):
                monkeypatch.setattr(covariates, "LARGE", limit)
                found = (
                    nearest_with_replacement(score, treated, **given_)
                    if kind == "replace"
                    else nearest_pairs(score, treated, order=kind, **given_)
                )
                outcomes.append(found)
            assert np.array_equal(outcomes[0].rows, outcomes[1].rows)
            assert np.array_equal(outcomes[0].matches, outcomes[1].matches)
            assert np.array_equal(outcomes[0].unmatched, outcomes[1].unmatched)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), order=st.sampled_from(["largest", "random", "closest"]))
def test_the_order_of_rows_has_no_say_where_units_are_named(seed, order):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "unit": rng.permutation(120),
            "treated": rng.random(120) < 0.35,
            "age": rng.integers(0, 5, 120).astype(float),
            "area": rng.integers(0, 3, 120),
        }
    )
    mixed = frame.sample(frac=1.0, random_state=seed)
    found = []
    for rows in (frame, mixed):
        made = study(rows, covariates=["age"], unit="unit", strata="area")
        design = match(made, order=order, caliper=None)
        units = rows["unit"].to_numpy()
        found.append(sorted(zip(*units[design.pairs].T, strict=True)))
    assert found[0] == found[1]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), replace=st.booleans())
def test_what_must_always_hold(seed, replace):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"x": rng.normal(size=200), "z": rng.normal(size=200)})
    frame["treated"] = rng.random(200) < 1 / (1 + np.exp(1 - frame["x"]))
    design = match(
        study(frame, covariates=["x", "z"]), caliper=0.1, calipers={"z": 0.5}, replace=replace
    )
    rows, matches = design.pairs.T
    assert frame["treated"].to_numpy()[rows].all()
    assert not frame["treated"].to_numpy()[matches].any()
    width = 0.1 * np.std(design.distance, ddof=1)
    assert (np.abs(design.distance[rows] - design.distance[matches]) <= width).all()
    gap = np.abs(frame["z"].to_numpy()[rows] - frame["z"].to_numpy()[matches])
    assert (gap <= 0.5 * frame["z"].std()).all()
    if not replace:
        assert len(np.unique(matches)) == len(matches)
    assert (design.weights > 0).sum() == len(np.unique(np.concatenate([rows, matches])))
    assert (design.fate[design.weights > 0] == 0).all()
    assert (design.fate[design.weights == 0] > 0).all()


def test_relabelling_and_scale_change_nothing():
    frame = data("clustered").reset_index()
    other = frame.assign(
        x1=frame["x1"] * 1000 + 5, group=frame["group"].map({"a": "z", "b": "y", "c": "x"})
    )
    found = [
        match(study(rows, treated="treat", covariates=["x1", "x2", "group"], unit="id")).pairs
        for rows in (frame, other)
    ]
    assert np.array_equal(*found)


def test_a_block_shift_of_scores_leaves_pairs_within_blocks():
    rng = np.random.default_rng(5)
    score, treated = rng.normal(size=300), rng.random(300) < 0.3
    strata = rng.integers(0, 4, 300)
    first = nearest_pairs(score, treated, strata=strata)
    second = nearest_pairs(score + 100.0 * strata, treated, strata=strata)
    assert set(zip(first.rows, first.matches, strict=True)) == set(
        zip(second.rows, second.matches, strict=True)
    )


def test_duplicated_data_is_matched_twice_over():
    rng = np.random.default_rng(6)
    score, treated = rng.normal(size=200), rng.random(200) < 0.3
    once = nearest_with_replacement(score, treated)
    twice = nearest_with_replacement(np.tile(score, 2), np.tile(treated, 2))
    assert set(once.matches) == set(twice.matches % 200)
    assert twice.shares.sum() == 2 * once.shares.sum()


def test_a_family_in_both_arms_is_not_matched_to_itself():
    frame = pd.DataFrame(
        {"family": [1, 1, 2, 3], "treated": [1, 0, 0, 1], "x": [0.5, 0.5, 0.4, 0.45]}
    )
    made = study(frame, covariates=["x"], family="family")
    design = match(made, distance=frame["x"].to_numpy(), caliper=None)
    for treated, other in design.pairs:
        assert frame["family"][treated] != frame["family"][other]
