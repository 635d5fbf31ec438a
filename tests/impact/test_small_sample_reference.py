"""The slow references for small samples and few clusters, against R's numbers."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest

from tests.impact.golden import FOLDER, numbers
from tests.impact.small_sample_cases import METHODS, SUBSETS, regression, subset
from tests.impact.small_sample_reference import (
    cr_reference,
    hc_reference,
    q_profile_reference,
    welch_reference,
)

LONG = pytest.mark.slow(reason="a matrix of all units against all, for each way to correct it")
CASES = [
    pytest.param(name, method, weighted, marks=LONG if name == "all" else ())
    for name, method, weighted in product(SUBSETS, METHODS, (False, True))
]
CR = {"cr0": "CR0", "cr1": "CR1", "cr2": "CR2", "cr3": "CR3", "cr2_inverse": "CR2"}


def held_of(name, method, weighted):
    return numbers("small_sample")[f"{name}_{method}" + ("_sw" if weighted else "")]


def near(value):
    return pytest.approx(value, rel=1e-8, nan_ok=True)


def test_every_number_of_r_belongs_to_a_case():
    cases = {
        f"{name}_{method}{end}" for name, method, end in product(SUBSETS, METHODS, ("", "_sw"))
    }
    assert set(numbers("small_sample")) == cases
    missing = {
        (case, quantity)
        for case, held in numbers("small_sample").items()
        for quantity, value in held.items()
        if np.isnan(value)
    }
    # A row alone in its group has leverage 1; without its one treated cluster an arm is empty.
    assert {case.split("_of_")[0].split("_c_")[0] for case, _ in missing} == {"lone", "one", "two"}
    assert {quantity.split("_")[-2] for _, quantity in missing} == {"hc2", "hc3", "cr3"}


@pytest.mark.parametrize(("name", "method", "weighted"), CASES)
def test_robust_errors_are_those_of_r(name, method, weighted):
    held, fit = held_of(name, method, weighted), regression(name, method, weighted=weighted)
    rows = subset(name)
    assert (len(rows), rows["treat"].sum()) == (held["n"], held["n_treated"])
    assert fit.x.shape[1] == held["rank"]
    for kind in ("HC0", "HC1", "HC2", "HC3"):
        found = hc_reference(fit.x, fit.y, fit.weights, fit.contrast, kind)
        assert found.estimate == near(held["estimate"])
        assert found.std_error == near(held[f"{kind.lower()}_se"]), kind
        if kind == "HC2" and "estimatr_hc2_se" in held:
            assert found.std_error == near(held["estimatr_hc2_se"])
            assert found.df == held["estimatr_hc2_df"]


@pytest.mark.parametrize(("name", "method", "weighted"), CASES)
def test_clustered_errors_and_degrees_of_freedom_are_those_of_r(name, method, weighted):
    held, fit = held_of(name, method, weighted), regression(name, method, weighted=weighted)
    compared = 0
    for cluster, (lab, kind) in product(SUBSETS[name][1], CR.items()):
        stem = f"{cluster}_{lab}"
        if f"{stem}_se" not in held:
            assert (lab == "cr2_inverse") != weighted or cluster == "row"
            continue
        codes = subset(name)[cluster].to_numpy()
        assert len(np.unique(codes)) == held[f"{cluster}_clusters"]
        working = "inverse" if lab == "cr2_inverse" else "identity"
        found = cr_reference(fit.x, fit.y, fit.weights, codes, fit.contrast, kind, working=working)
        assert found.estimate == near(held["estimate"])
        assert found.std_error == near(held[f"{stem}_se"]), stem
        assert found.df == near(held[f"{stem}_df"]), stem
        if lab == "cr2" and f"{cluster}_estimatr_cr2_se" in held:
            assert found.std_error == near(held[f"{cluster}_estimatr_cr2_se"])
            assert found.df == near(held[f"{cluster}_estimatr_cr2_df"])
        compared += 1
    assert compared >= 2 * len(SUBSETS[name][1])


@pytest.mark.parametrize("name", SUBSETS)
def test_the_difference_of_means_has_welchs_degrees_of_freedom(name):
    rows, held = subset(name), held_of(name, "difference", False)
    found = welch_reference(rows["y"].to_numpy(), rows["treat"].to_numpy() == 1)
    assert found.estimate == near(held["estimate"])
    assert found.std_error == near(held["welch_se"])
    assert found.std_error == near(held["hc2_se"])
    assert found.df == near(held["welch_df"])


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_robust_errors_are_clustered_errors_of_one_row_each(method, weighted):
    # With weights HC2 takes variances to go as one over the weight; CR2 takes them as equal.
    fit = regression("five_treated", method, weighted=weighted)
    rows, given = np.arange(len(fit.y)), (fit.x, fit.y, fit.weights)
    hc = {kind: hc_reference(*given, fit.contrast, kind).std_error for kind in ("HC2", "HC3")}
    cr = {
        (kind, working): cr_reference(*given, rows, fit.contrast, kind, working=working).std_error
        for kind, working in product(("CR2", "CR3"), ("identity", "inverse"))
    }
    assert hc["HC2"] == near(cr["CR2", "inverse"])
    assert hc["HC3"] == near(cr["CR3", "identity"]) and cr["CR3", "inverse"] == near(hc["HC3"])
    assert (abs(hc["HC2"] / cr["CR2", "identity"] - 1) > 1e-3) == weighted


def test_neither_error_nor_degrees_of_freedom_tell_that_one_cluster_is_treated():
    # The treated cluster's residuals add to nothing, so how far clusters vary is seen in the
    # comparison arm only. Whoever reports such an error has to count treated clusters.
    fit = regression("one_of_12", "difference", weighted=False)
    codes = subset("one_of_12")["area"].to_numpy()
    found = cr_reference(fit.x, fit.y, fit.weights, codes, fit.contrast, "CR2")
    moved = fit.y + 100 * (codes == 1)
    other = cr_reference(fit.x, moved, fit.weights, codes, fit.contrast, "CR2")
    assert other.estimate == pytest.approx(found.estimate + 100)
    assert other.std_error == near(found.std_error)
    assert found.df > 9


@pytest.mark.parametrize("name", ["bcg", "schools", "alike"])
def test_intervals_of_the_spread_between_areas_are_those_of_r(name):
    rows = pd.read_csv(FOLDER / "pooling_data.csv").query("case == @name")
    given = rows["y"].to_numpy(), rows["se"].to_numpy()
    for held in (numbers("pooling_intervals")[f"{name}_{way}"] for way in ("reml", "pm")):
        for level in (80, 90, 95):
            low, high = q_profile_reference(*given, level / 100)
            if np.isnan(low):
                assert name == "alike"  # R says 0 to 0 where no value is compatible
                low = high = 0.0
            assert low == near(held[f"tau2_{level}_low"])
            assert high == near(held[f"tau2_{level}_high"])
