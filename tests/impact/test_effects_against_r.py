"""Estimates and standard errors, given R's own weights, against R's."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from tests.impact.golden import data, design_of, numbers, study_of
from tfeval.impact.design.design import Design, WeightModel
from tfeval.impact.effects.estimate import estimate
from tfeval.impact.inference.wild import p_value, regression_scores, signs
from tfeval.impact.matching.match import match
from tfeval.impact.means.influence import of_design
from tfeval.impact.weighting.weight import weight

METHODS = {
    "lm": {"method": "difference"},
    "lmcov": {"method": "covariance_adjusted"},
    "gcomp": {"method": "adjusted", "fixed_covariates": True},
    "logitgcomp": {
        "method": "adjusted",
        "fixed_covariates": True,
        "outcome_model": "logistic",
    },
}
ERRORS = {
    "hc1": {"errors": "robust"},
    "cl": {"errors": "pair"},
    "area": {"errors": "cluster", "cluster": "area"},
    "area2": {"errors": "cluster", "cluster": "area2"},
    "area_area2": {"errors": "two_way", "cluster": ("area", "area2")},
    "area_set": {"errors": "two_way", "cluster": ("area", "pair")},
}


def golden_fits() -> list[tuple[str, str, str, str, float, float]]:
    """Return (case, outcome, method, errors, estimate, standard error) of every R fit."""
    found = []
    for name in ("lalonde", "clustered"):
        for case, held in numbers(name).items():
            for outcome, method, error in product(("", "yb."), METHODS, ERRORS):
                for kind in ("att", "ate", "atc", "ato"):
                    stem = f"{outcome}{kind}_{method}"
                    one = held.get(f"{stem}_est", held.get(f"{stem}_{error}_est"))
                    other = held.get(f"{stem}_{error}_se")
                    if one is not None and other is not None:
                        column = {"": "re78" if name == "lalonde" else "y", "yb.": "yb"}[outcome]
                        found.append((case, column, method, error, one, other))
    return found


FITS = golden_fits()


def log_ratio_error(row) -> float:
    """Return the standard error of the logarithm of the ratio of two means, from its interval."""
    quantile = (row["conf_high"] - row["estimate"]) / row["std_error"]
    return (np.log1p(row["relative_high"]) - np.log1p(row["relative"])) / quantile


def test_there_are_fits_to_compare_with():
    assert len(FITS) > 1000
    assert {fit[3] for fit in FITS} == set(ERRORS)


@pytest.mark.parametrize("case", sorted({fit[0] for fit in FITS}))
def test_estimates_and_errors_are_those_of_r(case):
    name = case.split("_", maxsplit=1)[0]
    for _, column, method, error, one, other in (fit for fit in FITS if fit[0] == case):
        if error in ("cl", "area_set") and design_of(case).sets is None:
            continue
        effects = estimate(
            design_of(case), data(name)[column], stacked=False, **METHODS[method], **ERRORS[error]
        )
        row = effects.to_frame().iloc[0]
        assert row["estimate"] == pytest.approx(one, rel=1e-6), (column, method)
        assert row["std_error"] == pytest.approx(other, rel=1e-6), (column, method, error)
        if method == "logitgcomp":
            held = numbers(name)[case]
            stem = f"yb.{row['estimand'].lower()}_logitgcomp_lnrr"
            assert np.log1p(row["relative"]) == pytest.approx(held[f"{stem}_est"], rel=1e-6)
            theirs = held[f"{stem}_{error}_se"]
            assert log_ratio_error(row) == pytest.approx(theirs, rel=1e-6), (stem, error)


@pytest.mark.parametrize(
    ("method", "stem"), [("difference", "lm"), ("covariance_adjusted", "lmcov")]
)
def test_the_wild_bootstrap_is_that_of_all_draws(method, stem):
    design, held = design_of("clustered_unadjusted"), numbers("clustered")["clustered_unadjusted"]
    sample = of_design(
        design, data("clustered")[["y"]].to_numpy(), np.ones(design.study.size, bool), stacked=False
    )
    codes = design.study.cluster("area2")
    scores = regression_scores(sample, 0, codes, method)
    drawn = signs(len(scores.own), 999, np.random.default_rng(1))
    assert drawn.shape[1] == 4096
    for null in ("zero", "near"):
        stem_null = f"ate_{stem}_area2_wild_{null}"
        seen = (scores.effect - held[f"{stem_null}_null"]) / np.sqrt(np.sum(scores.own**2))
        assert abs(seen) == pytest.approx(abs(held[f"{stem_null}_t"]), rel=1e-9)
        p = p_value(scores, held[f"{stem_null}_null"], drawn)
        between = (held[f"{stem_null}_p_strict"] + held[f"{stem_null}_p_weak"]) / 2
        assert p == pytest.approx(between, abs=1e-12)


@pytest.mark.parametrize("case", ["aipw_lm", "aipw_lm_sw", "aipw_logit", "aipw_logit_sw"])
def test_augmented_weighting_is_that_of_r(case):
    # R's weights come from the same logit; the Hajek form is ours.
    held = numbers("clustered")[f"clustered_{case}"]
    weighted = "_sw" if case.endswith("_sw") else ""
    design = design_of(f"clustered_ipw_att{weighted}")
    model = "logistic" if "logit" in case else "linear"
    for prefix, column in (("", "y"), ("yb.", "yb")):
        if f"{prefix}att_hajek_est" not in held:
            continue
        effects = estimate(
            design, data("clustered")[column], method="doubly_robust", outcome_model=model,
            errors="robust", stacked=False,
        )  # fmt: skip
        row = effects.to_frame().iloc[0]
        assert row["estimate"] == pytest.approx(held[f"{prefix}att_hajek_est"], rel=1e-6)
        assert row["std_error"] == pytest.approx(held[f"{prefix}att_hajek_if_se"], rel=1e-6)


WITHIN = {
    "": ("robust", None),
    "_area": ("cluster", "area"),
    "_area_area2": ("two_way", ("area", "area2")),
}
RATES = {"mest": True, "hc0": False}
STACKED = {
    "clustered_ipw_att": ("inverse_propensity", "ATT"),
    "clustered_ipw_ate": ("inverse_propensity", "ATE"),
    "clustered_ipw_atc": ("inverse_propensity", "ATC"),
    "clustered_ipw_ato": ("overlap", "ATO"),
    "clustered_ebal_att": ("entropy", "ATT"),
}


def to_a_fixed_target(design: Design, total: float | None = None) -> Design:
    """Return entropy balancing whose errors take the target's means as known, as WeightIt 1.4.0.

    There the comparison units' weights have another total, too, which moves the errors beside
    common slopes.
    """
    x, treated = design.study.covariates.rows(slice(None)), design.study.treated
    own = np.where(treated, 0.0, design.weights)
    if total is not None:
        own *= total / own.sum()
        design = replace(design, weights=np.where(treated, design.weights, own))
    centre = own @ x / own.sum()
    information = (x - centre).T @ ((x - centre) * own[:, None])
    return replace(
        design, weight_model=WeightModel(-own, own, information, centre, intercept=False)
    )


@pytest.mark.parametrize("suffix", ["", "_sw"])
@pytest.mark.parametrize("case", STACKED)
def test_errors_that_count_the_estimation_of_weights_are_those_of_weightit(case, suffix):
    made = study_of("clustered", weighted=bool(suffix))
    method, kind = STACKED[case]
    design, held = weight(made, method, estimand=kind), numbers("clustered")[case + suffix]
    if method == "entropy":
        total = design_of(case + suffix).weights[~made.treated].sum()
        design = to_a_fixed_target(design, total)
    compared = set()
    for (name, asked), (error, (errors, cluster)), (column, prefix), (rate, stacked) in product(
        METHODS.items(), WITHIN.items(), {"y": "", "yb": "yb."}.items(), RATES.items()
    ):
        if "gcomp" in name and kind == "ATO":
            continue  # there the centre of the covariates is estimated too
        stem = f"{prefix}{kind.lower()}_{name}"
        if f"{stem}_wi_{rate}{error}_se" not in held:
            continue
        effects = estimate(
            design, data("clustered")[column], errors=errors, cluster=cluster, stacked=stacked,
            **asked,
        )  # fmt: skip
        row = effects.to_frame().iloc[0]
        n = np.count_nonzero(design.weights)
        k = {"lm": 2, "lmcov": 2 + made.covariates.count}.get(name, 2 + 2 * made.covariates.count)
        # WeightIt has no factor for the number of coefficients.
        factor = np.sqrt((n if errors == "robust" else n - 1) / (n - k))
        what = (name, rate, error, column)
        assert row["estimate"] == pytest.approx(held[f"{stem}_wi_est"], rel=1e-6)
        theirs = held[f"{stem}_wi_{rate}{error}_se"]
        assert row["std_error"] / factor == pytest.approx(theirs, rel=1e-6), what
        compared.add(what)
        if name == "logitgcomp":
            theirs = held[f"{stem}_lnrr_wi_{rate}{error}_se"]
            assert log_ratio_error(row) / factor == pytest.approx(theirs, rel=1e-6), what
    assert len(compared) == (24 if kind == "ATO" else 42)


@pytest.mark.parametrize("ratio", [1, 3])
def test_abadie_imbens_errors_are_those_of_matching(ratio):
    design = match(
        study_of("clustered"), replace=True, caliper=None, distance="probability", ratio=ratio
    )
    held = numbers("clustered")[f"clustered_Matching_ps_M{ratio}"]
    # Matching takes the score as known.
    asked = {"method": "difference", "errors": "abadie_imbens", "stacked": False}
    row = estimate(design, data("clustered")["y"], **asked).to_frame().iloc[0]
    assert row["estimate"] == pytest.approx(held["att_est"], rel=1e-6)
    assert row["std_error"] == pytest.approx(held["att_se_ai_vc1"], rel=1e-6)


@pytest.mark.parametrize("ratio", [1, 3])
def test_two_way_errors_of_stacked_pairs_are_those_of_r(ratio):
    design = match(
        study_of("clustered"), replace=True, caliper=None, distance="probability", ratio=ratio
    )
    held = numbers("clustered")["clustered_nn_repl" + (f"_k{ratio}" if ratio > 1 else "")]
    methods = {"lm": "difference", "lmcov": "covariance_adjusted"}
    errors = {"cl2": ("pair", "unit"), "area_set": ("area", "pair")}
    columns = {"": "y", "yb.": "yb"}
    for (stem, method), (error, clusters), (prefix, column) in product(
        methods.items(), errors.items(), columns.items()
    ):
        row = estimate(
            design, data("clustered")[column], method=method, errors="two_way", cluster=clusters
        ).to_frame().iloc[0]  # fmt: skip
        stem = f"{prefix}att_sets_{stem}"  # noqa: PLW2901
        assert row["estimate"] == pytest.approx(held[f"{stem}_est"], rel=1e-6)
        assert row["std_error"] == pytest.approx(held[f"{stem}_{error}_se"], rel=1e-6)
        assert row["n_comparison"] == len(np.unique(design.pairs[:, 1]))
