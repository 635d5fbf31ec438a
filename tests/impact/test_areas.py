"""Partial pooling, against metafor, bayesmeta, statsmodels, dense algebra and simulation."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.meta_analysis import combine_effects

from tests.impact.golden import numbers
from tfeval.display.figures import SMALL
from tfeval.errors import DataError, ParameterError
from tfeval.impact.effects.areas import pool_areas
from tfeval.impact.effects.pooling import (
    knapp_hartung,
    mixture_quantile,
    paule_mandel,
    posterior,
    reml,
    rotated,
    shrunken,
    typical_variance,
)

FOLDER = Path(__file__).parents[1] / "golden"
DATA = ("bcg", "schools", "alike")


@cache
def given(name: str) -> tuple[np.ndarray, np.ndarray]:
    rows = pd.read_csv(FOLDER / "pooling_data.csv")
    rows = rows[rows["case"] == name]
    return rows["y"].to_numpy(), rows["se"].to_numpy()


def golden(case: str) -> dict[str, float]:
    return numbers("pooling")[case]


def alike(se: np.ndarray, rho: float) -> np.ndarray:
    return np.outer(se, se) * (rho + (1 - rho) * np.eye(len(se)))


def names(count: int) -> list[str]:
    return [f"Area {at}" for at in range(count)]


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize(("case", "estimator"), [("reml", reml), ("pm", paule_mandel)])
def test_the_mean_and_tau_are_metafor_s(name, case, estimator):
    y, se = given(name)
    data, r = rotated(y, se**2), golden(f"{name}_{case}")
    tau2 = estimator(data)
    assert tau2 == pytest.approx(r["tau2"], rel=1e-6, abs=1e-9)
    mean, variance = data.mean(tau2)
    assert mean[0] == pytest.approx(r["beta"], rel=1e-6)
    assert variance[0] ** 0.5 == pytest.approx(r["se"], rel=1e-6)
    assert knapp_hartung(data, tau2, modified=False)[1] == pytest.approx(r["knha_se"], rel=1e-6)
    assert knapp_hartung(data, tau2)[1] == pytest.approx(max(r["knha_se"], r["se"]), rel=1e-6)
    assert data.q(0.0)[0] == pytest.approx(r["QE"], rel=1e-6)
    own = tau2 / (tau2 + typical_variance(data))
    assert 100 * own == pytest.approx(r["I2"], rel=1e-6, abs=1e-6)
    if tau2:
        blup = [r[f"blup{at}"] for at in range(1, len(y) + 1)]
        assert np.allclose(shrunken(data, np.array([tau2**0.5]))[0][0], blup, rtol=1e-6)


def test_the_published_numbers_of_the_vaccine_trials():
    # Viechtbauer (2010), Journal of Statistical Software 36(3), and metafor's manual.
    y, se = given("bcg")
    found = pool_areas(y, se, names(13))
    assert round(found.tau2, 4) == 0.3132 and round(found.mean, 4) == -0.7145
    assert round(found.q, 2) == 152.23 and round(100 * found.i_squared, 2) == 92.22
    r = golden("bcg_reml")
    assert [found.mean_low, found.mean_high] == pytest.approx([r["knha_ci.lb"], r["knha_ci.ub"]])
    assert pool_areas(y, se, names(13), estimator="paule_mandel").tau2 == pytest.approx(
        golden("bcg_pm")["tau2"]
    )


@pytest.mark.parametrize("name", ["bcg", "schools"])
def test_errors_that_go_together_are_metafor_s(name):
    y, se = given(name)
    data, r = rotated(y, alike(se, 0.3)), golden(f"{name}_joint")
    tau2 = reml(data)
    assert tau2 == pytest.approx(r["tau2"], rel=1e-5, abs=1e-3)
    mean, variance = data.mean(tau2)
    assert mean[0] == pytest.approx(r["beta"], rel=1e-5)
    assert variance[0] ** 0.5 == pytest.approx(r["se"], rel=1e-5)
    assert data.q(0.0)[0] == pytest.approx(r["QE"], rel=1e-6)


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("prior", ["half_cauchy", "half_normal", "flat"])
def test_areas_and_their_intervals_are_bayesmeta_s(name, prior):
    # bayesmeta replaces the integral by a mixture; it is good to a few thousandths of an error.
    y, se = given(name)
    r = golden(f"{name}_{prior}")
    found = pool_areas(y, se, names(len(y)), prior=prior)
    assert found.settings["prior_scale"] == pytest.approx(r["scale"], rel=1e-9)
    near = {"abs": 0.003 * r["scale"], "rel": 0}
    for column, what in (("pooled", "mean"), ("pooled_low", "lower"), ("pooled_high", "upper")):
        theirs = [r[f"area{at} {what}"] for at in range(1, len(y) + 1)]
        assert found.frame[column].tolist() == pytest.approx(theirs, **near)
    ours = [found.tau_posterior, found.tau_posterior_low, found.tau_posterior_high]
    assert ours == pytest.approx([r["tau median"], r["tau lower"], r["tau upper"]], **near)
    ends = [found.prediction_low, found.prediction_high]
    assert ends == pytest.approx([r["theta lower"], r["theta upper"]], **near)


@pytest.mark.parametrize("estimator", ["reml", "paule_mandel"])
@pytest.mark.parametrize("name", DATA)
def test_the_interval_of_tau_is_metafor_s_and_may_hold_no_difference(name, estimator):
    y, se = given(name)
    r = numbers("pooling_intervals")[f"{name}_{'pm' if estimator == 'paule_mandel' else estimator}"]
    for level in (0.95, 0.9, 0.8):
        found = pool_areas(y, se, names(len(y)), estimator=estimator, level=level)
        ends = [r[f"tau_{level * 100:.0f}_{end}"] for end in ("low", "high")]
        assert found.tau_low == pytest.approx(ends[0], rel=1e-6, abs=1e-9)
        if ends[1] > 0:
            assert found.tau_high == pytest.approx(ends[1], rel=1e-6)
        else:  # no tau fits: metafor says 0, we say that it is not known
            assert np.isnan(found.tau_high)
        # 0 is in the interval where Q does not refuse at half of what is beyond it.
        assert (found.tau_low == 0) == (found.q_p >= (1 - level) / 2)


def test_the_schools_are_those_of_the_textbook():
    # Bayesian Data Analysis, 3rd edition, table 5.3: 2.5%, median and 97.5% of school A, to the
    # error of its 200 draws.
    y, se = given("schools")
    data = rotated(y, se**2)
    known = posterior(data, "flat", 1.0)
    mean, variance = shrunken(data, known.tau)
    ends = [mixture_quantile(share, mean, variance, known.probability)[0]
            for share in (0.025, 0.5, 0.975)]  # fmt: skip
    assert ends == pytest.approx([-2, 10, 31], abs=1.0)


@pytest.mark.parametrize("name", DATA)
def test_paule_mandel_and_hartung_knapp_are_statsmodels(name):
    y, se = given(name)
    theirs = combine_effects(y, se**2, method_re="iterated", use_t=True, atol=1e-12)
    found = pool_areas(y, se, names(len(y)), estimator="paule_mandel")
    assert found.tau2 == pytest.approx(max(theirs.tau2, 0.0), rel=1e-5, abs=1e-5)
    if theirs.sd_eff_w_re_hksj >= theirs.sd_eff_w_re:
        assert [found.mean_low, found.mean_high] == pytest.approx(
            theirs.conf_int()[1 if theirs.tau2 <= 0 else 3], rel=1e-4
        )


@pytest.mark.parametrize("tau", [0.05, 1.0, 20.0])
def test_shrinking_is_the_dense_algebra(tau):
    rng = np.random.default_rng(1)
    y, root = rng.normal(size=6), rng.normal(size=(6, 9))
    v = root @ root.T / 9
    mean, variance = (part[0] for part in shrunken(rotated(y, v), np.array([tau])))
    # Henderson's equations for the areas' departures and the mean together, solved whole.
    precision, ones = np.linalg.inv(v), np.ones((6, 1))
    design = np.hstack([ones, np.eye(6)])
    equations = design.T @ precision @ design
    equations[1:, 1:] += np.eye(6) / tau**2
    inverse = np.linalg.inv(equations)
    assert np.allclose(mean, design @ inverse @ design.T @ precision @ y)
    assert np.allclose(variance, np.diag(design @ inverse @ design.T))


def test_a_diagonal_covariance_is_no_covariance_and_order_unit_and_origin_do_not_matter():
    y, se = given("schools")
    first = pool_areas(y, se, names(8))
    columns = ["pooled", "pooled_low", "pooled_high"]
    dense = pool_areas(y, se, names(8), np.diag(se**2))
    assert np.allclose(first.frame[columns], dense.frame[columns])
    turned = pool_areas(y[::-1], se[::-1], names(8)[::-1])
    assert np.allclose(first.frame[columns], turned.frame[columns][::-1])
    other = pool_areas(100 + 1000 * y, 1000 * se, names(8))
    assert np.allclose(100 + 1000 * first.frame[columns], other.frame[columns])
    assert other.tau_high == pytest.approx(1000 * first.tau_high)
    assert other.i_squared == pytest.approx(first.i_squared)


def test_areas_are_drawn_to_the_mean_more_the_less_they_tell():
    y, se = np.array([1.0, 1.0, -1.0, 0.0, 0.2]), np.array([0.1, 2.0, 0.5, 0.3, 0.4])
    found = pool_areas(y, se, names(5)).frame
    assert found["own_share"].rank(ascending=False).tolist() == [1, 5, 4, 2, 3]
    assert found["pooled"][0] > found["pooled"][1]
    assert ((found["pooled_high"] - found["pooled_low"]) < 2 * 1.96 * se * 1.1).all()


def test_ranks_are_wide_where_the_order_is_not_known():
    far = pool_areas(np.arange(5) * 10.0, np.full(5, 0.5), names(5)).frame
    assert far["rank"].tolist() == far["rank_low"].tolist() == [1, 2, 3, 4, 5]
    assert far["rank_high"].tolist() == [1, 2, 3, 4, 5]
    turned = pool_areas(np.arange(5) * 10.0, np.full(5, 0.5), names(5), better="higher").frame
    assert turned["rank"].tolist() == [5, 4, 3, 2, 1]
    near = pool_areas(np.arange(5) / 100, np.full(5, 0.5), names(5)).frame
    assert (near["rank_low"] == 1).all() and (near["rank_high"] == 5).all()


def test_intervals_of_areas_hold_the_truth_where_one_value_of_tau_does_not():
    rng = np.random.default_rng(6)
    held, plugged, tested = 0, 0, 0
    for _ in range(120):
        se = np.exp(rng.normal(0, 0.5, 8))
        truth = 1 + 0.7 * rng.normal(size=8)
        y = truth + se * rng.normal(size=8)
        data = rotated(y, se**2)
        known = posterior(data, "half_cauchy", typical_variance(data) ** 0.5)
        mean, variance = shrunken(data, known.tau)
        low, high = (
            mixture_quantile(share, mean, variance, known.probability) for share in (0.025, 0.975)
        )
        held += int(((low < truth) & (truth < high)).sum())
        mean, variance = shrunken(data, np.array([reml(data) ** 0.5]))
        plugged += int((np.abs(truth - mean[0]) < 1.96 * np.sqrt(variance[0])).sum())
        tested += 8
    assert 0.93 <= held / tested <= 0.98
    assert plugged / tested < 0.92


def small() -> pd.DataFrame:
    return pd.DataFrame({
        "name": ["Ashby", "Bexhill", "Corby", "Derwent"],
        "estimate": [-0.213, -0.371, 0.119, -0.054],
        "std_error": [0.1, 0.3, 0.2, 0.1], "n_treated": [800, 9, 90, 700],
        "n_comparison": [900, 40, 100, 651],
    })  # fmt: skip


def pooled(**settings):
    rows = small()
    return pool_areas(rows["estimate"], rows["std_error"], rows["name"],
                      n_treated=rows["n_treated"], n_comparison=rows["n_comparison"],
                      **settings)  # fmt: skip


def test_small_areas_are_hidden_and_still_count():
    found = pooled(label="Proven offences", simulated=True)
    row = next(row for row in found.table().rows if row[0].text == "Bexhill")
    assert [cell.text for cell in row] == [
        "Bexhill", "hidden", "hidden", "hidden", "fewer than 10", "40",
    ]  # fmt: skip
    text, html = repr(found), found._repr_mimebundle_()["text/html"]
    assert "−0.37" not in text + html and "fewer than 10 families" in text
    assert text.splitlines()[0] == "Proven offences by area, partly pooled"
    assert "Simulated records: not findings about the programme." in text
    chart = found.plot()
    assert "Bexhill" not in set(chart.data["label"]) and len(chart.data) == 3
    assert "1 too small to show" in chart.alt and chart.title.startswith("Simulated records")
    without = pool_areas(*(small().drop(1)[name] for name in ("estimate", "std_error", "name")))
    assert without.mean != pytest.approx(found.mean, rel=1e-6)
    assert "small areas are not hidden" in repr(without)
    with pytest.raises(ParameterError, match="no area Bexhill to name, or it is hidden"):
        found.plot(label=["Bexhill"])
    asked = pooled(hidden=[True, False, False, False])
    assert asked.frame["hidden"].tolist() == [True, True, False, False]
    with pytest.raises(DataError, match="too small to show"):
        pooled(hidden=[True] * 4).plot()


def test_a_chart_of_many_areas_names_all_and_marks_those_asked_for():
    rng = np.random.default_rng(2)
    found = pool_areas(rng.normal(size=60), np.full(60, 0.5), names(60))
    chart = found.plot(label=["Area 7"])
    axes = chart.figure.axes[0]
    assert len(axes.texts) == 60 and all(name.get_text() for name in axes.texts)
    assert [name.get_text() for name in axes.texts if name.get_weight() == "bold"] == ["Area 7"]
    assert chart.png() == found.plot(label=["Area 7"]).png()
    assert chart.data["value"].is_monotonic_increasing
    assert np.allclose(chart.data["value"], found.frame["pooled"].sort_values())
    sizes = [text.get_fontsize() for text in chart.figure.findobj(mpl.text.Text) if text.get_text()]
    assert min(sizes) >= SMALL


def test_areas_without_an_estimate_are_left_out_and_named():
    found = pool_areas([1.0, np.nan, 2.0, 0.5, 3.0], [1.0, 1.0, 0.0, 1.0, 1.0], list("abcde"),
                       n_treated=[50] * 5, n_comparison=[50] * 5,
                       hidden=[False, False, False, False, True])  # fmt: skip
    assert found.frame["name"].tolist() == ["a", "d", "e"]
    assert found.frame["hidden"].tolist() == [False, False, True]
    assert "left out: b, c." in repr(found)


@pytest.mark.parametrize(
    ("call", "fault", "message"),
    [
        (lambda: pool_areas([1.0], [1.0], ["a"]), DataError, "at least two areas"),
        (lambda: pool_areas([1.0, 2.0], [1.0], ["a", "b"]), DataError, "2 areas and 1 values"),
        (lambda: pool_areas([1.0, 2.0], [1.0, 1.0], ["a", "a"]), DataError, "stands twice"),
        (lambda: pool_areas([1, 2], [1, 1], ["a", "b"], np.eye(3)), DataError, "is 2 by 2"),
        (lambda: pool_areas([1, 2], [1, 1], ["a", "b"], np.ones((2, 2))), DataError, "positive"),
        (lambda: pool_areas([1, 2], [1, 1], ["a", "b"], prior="flat"), ParameterError, "three"),
        (lambda: pool_areas([1, 2], [1, 1], ["a", "b"], prior="cauchy"), ParameterError, "half_c"),
        (lambda: pool_areas([1, 2], [1, 1], ["a", "b"], estimator="dl"), ParameterError, "reml"),
        (lambda: pool_areas([1, 2], [1, 1], ["a", "b"], prior_scale=0), ParameterError, "above 0"),
        (lambda: pool_areas([1, 2], [1, 1], ["a", "b"], level=95), ParameterError, "between"),
    ],
)
def test_what_cannot_be_pooled_is_refused(call, fault, message):
    with pytest.raises(fault, match=message):
        call()
