"""Event studies: slow references, invariance, known truths, and assumptions that are broken."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import tfeval as tf
from tfeval.impact.panel import randomise as permuted
from tfeval.impact.panel import two_way

TIMES = np.arange(2008, 2014)
WINDOWS = {"base": 2010, "post": (2012, 2013)}


def drawn(units=16, gaps=0.0, seed=1, times=TIMES):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=units)
    fixed = pd.DataFrame(
        {"dose": rng.gamma(3, 1, units) + x, "x": x, "w": rng.uniform(0.5, 3, units),
         "region": rng.choice(list("abcde"), units), "treated": rng.random(units) < 0.5}
    )  # fmt: skip
    values = rng.normal(size=(units, len(times))).cumsum(axis=1)
    values[rng.random(values.shape) < gaps] = np.nan
    return tf.Panel(pd.Index([f"u{place}" for place in range(units)]), times, {"y": values}, fixed)


def design(dose="dose", **settings):
    return tf.event_study(dose, **{**WINDOWS, **settings})


# ------------------------------------------------------------------ a slow reference


def dummies(panel, base, by_time=(), dose="dose", weights=None):
    """Return every column of the regression, one row a cell, and where the dose's are."""
    values = panel.outcome("y")
    unit, time = np.nonzero(np.isfinite(values))
    others = [place for place in range(len(panel.times)) if panel.times[place] != base]
    columns = [(unit == own).astype(float) for own in np.unique(unit)]
    columns += [(time == place).astype(float) for place in others]
    for name in by_time:
        columns += [(time == place) * panel.column(name)[unit] for place in others]
    start = len(columns)
    columns += [(time == place) * panel.column(dose)[unit].astype(float) for place in others]
    known = np.ones(len(unit)) if weights is None else panel.column(weights)[unit]
    at = np.arange(start, start + len(others))
    return np.column_stack(columns), values[unit, time], known, unit, at


def slow(x, y, weights, clusters, at):
    """Return coefficients, CR2 covariance, and all pairs' P of Pustejovsky and Tipton (2018)."""
    inverse = np.linalg.pinv(x.T @ (x * weights[:, None]))
    hat = x @ inverse @ (x * weights[:, None]).T
    rest, residual = np.eye(len(y)) - hat, y - hat @ y
    variance, levers = 0, []
    for code in np.unique(clusters):
        own = clusters == code
        room, vectors = np.linalg.eigh(rest[own] @ rest[own].T)
        root = np.where(room > 1e-10, 1 / np.sqrt(np.maximum(room, 1e-10)), 0)
        lever = vectors * root @ vectors.T @ (x[own] * weights[own, None]) @ inverse[:, at]
        score = lever.T @ residual[own]
        variance = variance + np.outer(score, score)
        levers.append(rest[own].T @ lever)
    levers = np.stack(levers)
    pairs = np.einsum("gns,hnt->stgh", levers, levers)
    return (inverse @ x.T @ (weights * y))[at], variance, pairs


def satterthwaite(pairs, by):
    own = np.einsum("s,stgh,t->gh", by, pairs, by)
    return np.trace(own) ** 2 / (own**2).sum()


def hotelling(coefficients, variance, pairs, rows):
    """Return F, its second degrees of freedom (HTZ), from formulas of the paper's section 3."""
    pairs, count = pairs[np.ix_(rows, rows)], len(rows)
    values, vectors = np.linalg.eigh(np.einsum("stgg->st", pairs))
    root = vectors / np.sqrt(values) @ vectors.T
    pairs = np.einsum("su,uvgh,vt->stgh", root, pairs, root)
    total = sum((pairs[s, s] * pairs[t, t]).sum() + (pairs[s, t] * pairs[t, s]).sum()
                for s in range(count) for t in range(count))  # fmt: skip
    freedom = count * (count + 1) / total
    own = coefficients[rows]
    squared = own @ np.linalg.solve(variance[np.ix_(rows, rows)], own)
    return squared * (freedom - count + 1) / freedom / count, freedom - count + 1


@pytest.mark.parametrize("gaps", [0.0, 0.15])
@pytest.mark.parametrize(
    "settings",
    [{}, {"by_time": ["x"]}, {"weights": "w"}, {"by_time": ["x"], "weights": "w"},
     {"by_time": ["x"], "weights": "w", "cluster": "region"}, {"dose": "treated"}],
)  # fmt: skip
def test_all_is_as_a_regression_on_dummies_has_it(settings, gaps):
    panel = drawn(gaps=gaps)
    found = design(**settings).fit(panel, "y")
    given = {key: value for key, value in settings.items() if key != "cluster"}
    x, y, weights, unit, at = dummies(panel, 2010, **given)
    clusters = unit if "cluster" not in settings else panel.column("region")[unit]
    coefficients, variance, pairs = slow(x, y, weights, clusters, at)
    np.testing.assert_allclose(found.coefficients["estimate"].drop(2), coefficients, rtol=1e-9)
    np.testing.assert_allclose(found.covariance, variance, rtol=1e-7, atol=1e-12)
    post = np.array([0, 0, 0, 0.5, 0.5])
    assert found.estimate == pytest.approx(post @ coefficients)
    assert found.std_error == pytest.approx(np.sqrt(post @ variance @ post))
    assert found.freedom == pytest.approx(satterthwaite(pairs, post), rel=1e-8)
    statistic, freedom = hotelling(coefficients, variance, pairs, [0, 1])
    assert found.pre_trend.statistic == pytest.approx(statistic, rel=1e-8)
    assert found.pre_trend.freedom == pytest.approx(freedom, rel=1e-8)
    slope = np.array([-1.0, 0, 0, 0, 0]) / 2  # least squares over 2008, 2009 and the base's nought
    assert found.slope_before == pytest.approx(2.8 * np.sqrt(slope @ variance @ slope) * 2.5)
    assert found.cells + found.missing_cells == found.units * 6


@pytest.mark.parametrize("cluster", [None, "region"])
def test_many_different_units_give_the_same_by_another_sum(monkeypatch, cluster):
    panel = drawn(gaps=0.15)
    made = design(by_time=["x"], weights="w", cluster=cluster)
    pairwise = made.fit(panel, "y")
    monkeypatch.setattr(two_way, "_BY_PAIR", 0)
    summed = made.fit(panel, "y")
    assert summed.freedom == pytest.approx(pairwise.freedom, rel=1e-10)
    assert summed.pre_trend.freedom == pytest.approx(pairwise.pre_trend.freedom, rel=1e-10)


# ------------------------------------------------------------------ two periods


def test_two_periods_and_a_dose_of_0_or_1_are_difference_in_differences():
    panel = drawn(units=30).during([2010, 2011])
    found = design("treated", post=[2011]).fit(panel, "y")
    before, after = panel.outcome("y").T
    treated = panel.column("treated").astype(float)
    change = sm.OLS(after - before, sm.add_constant(treated)).fit(cov_type="HC2")
    assert found.estimate == pytest.approx(change.params[1], rel=1e-10)
    assert found.std_error == pytest.approx(change.bse[1], rel=1e-10)
    rows = np.column_stack([np.ones(60), np.tile(treated, 2), np.repeat([0, 1], 30)])
    pooled = sm.OLS(
        np.append(before, after), np.column_stack([rows, rows[:, 1] * rows[:, 2]])
    ).fit()
    assert found.estimate == pytest.approx(pooled.params[3], rel=1e-10)
    assert (found.treated, found.units, found.binary) == (treated.sum(), 30, True)
    assert found.dose_weights[["dose", "weight"]].to_numpy() == pytest.approx(np.ones((1, 2)))


def test_as_statsmodels_has_it_with_gaps_and_weights():
    panel = drawn(units=24, gaps=0.1)
    x, y, weights, _, at = dummies(panel, 2010, ["x"], weights="w")
    known = sm.WLS(y, x, weights=weights).fit().params[at]
    found = design(by_time=["x"], weights="w").fit(panel, "y")
    np.testing.assert_allclose(found.coefficients["estimate"].drop(2), known, rtol=1e-8)


# ------------------------------------------------------------------ invariance

SETTINGS = {"by_time": ["x", "region"], "weights": "w"}


def same(one, two, by=1.0):
    for name in ("estimate", "std_error"):
        np.testing.assert_allclose(
            two.coefficients[name] / by, one.coefficients[name], rtol=1e-7, atol=1e-10
        )
    assert two.freedom == pytest.approx(one.freedom, rel=1e-7)
    assert two.pre_trend.p_value == pytest.approx(one.pre_trend.p_value, rel=1e-6)


@pytest.mark.parametrize("gaps", [0.0, 0.1])
def test_order_labels_scale_and_effects_of_units_and_periods_change_nothing(gaps):
    panel = drawn(units=30, gaps=gaps)
    made = design(**SETTINGS)
    found = made.fit(panel, "y")
    rng = np.random.default_rng(2)
    order = rng.permutation(30)
    turned = replace(panel.take(order), units=pd.RangeIndex(30))
    same(found, made.fit(turned, "y"))
    values = panel.outcome("y")
    same(found, made.fit(replace(panel, outcomes={"y": values * 1e4}), "y"), by=1e4)
    moved = values + 100 * rng.normal(size=(30, 1)) + 100 * rng.normal(size=6)
    moved = moved + panel.column("x")[:, None] * 100 * rng.normal(size=6)
    same(found, made.fit(replace(panel, outcomes={"y": moved}), "y"))
    heavier = panel.fixed.assign(w=panel.fixed["w"] * 50, dose=panel.fixed["dose"] / 10 + 7)
    same(found, made.fit(replace(panel, fixed=heavier), "y"), by=10)


def test_text_by_period_is_dummies_and_columns_that_follow_from_others_do_nothing():
    panel = drawn(units=30, gaps=0.1)
    regions = pd.get_dummies(panel.fixed["region"], dtype=float)
    fixed = pd.concat([panel.fixed, regions], axis=1).assign(
        again=panel.fixed["x"] * 3 - 1, one=1.0
    )
    wide = replace(panel, fixed=fixed)
    known = design(by_time=["region", "x"]).fit(panel, "y")
    same(known, design(by_time=["one", "x", *"abcde", "again"]).fit(wide, "y"))


# ------------------------------------------------------------------ known truths


def worlds(count, *, units=40, effect=0.0, trend=0.0, alike=False, seed=3):
    """Draw panels in which errors wander and, unless units are alike, are larger with the dose."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        dose = rng.gamma(2, 1, units)
        values = rng.normal(size=(units, 6)).cumsum(axis=1)
        values *= 1.0 if alike else np.sqrt(1 + 2 * dose)[:, None]
        values += effect * np.outer(dose, TIMES > 2010) + trend * np.outer(dose, TIMES)
        yield tf.Panel(pd.RangeIndex(units), TIMES, {"y": values}, pd.DataFrame({"dose": dose}))


def test_a_known_effect_is_recovered_and_intervals_hold_it():
    made, plain = design(), design(small_sample="cr1")
    panels = list(worlds(300, effect=0.5))
    rows = [made.fit(panel, "y") for panel in panels]
    estimates = np.array([one.estimate for one in rows])
    assert abs(estimates.mean() - 0.5) < 3.3 * estimates.std() / np.sqrt(300)
    held = np.mean([one.conf_low < 0.5 < one.conf_high for one in rows])
    assert 0.908 < held < 0.992
    refused = np.mean([one.pre_trend.p_value < 0.05 for one in rows])
    assert 0.01 < refused < 0.092
    narrow = [plain.fit(panel, "y") for panel in panels]
    assert np.mean([one.conf_low < 0.5 < one.conf_high for one in narrow]) < held


def test_the_trend_that_would_have_been_seen_is_seen_four_times_in_five():
    made = design(pre=[2008, 2009], post=[2011, 2012, 2013])
    carried = np.mean([made.fit(panel, "y").slope_before for panel in worlds(60)])
    slope = carried / 2  # the middle of 2011 to 2013 lies two years after the base
    seen = []
    for panel in worlds(200, trend=slope, seed=4):
        one = made.fit(panel, "y").combine({2008: -0.5, 2010: 0.5})
        seen.append(abs(one.estimate) > 1.96 * one.std_error)
    assert 0.7 < np.mean(seen) < 0.9


def test_where_trends_follow_a_covariate_the_test_before_says_so_and_the_covariate_mends_it():
    rng = np.random.default_rng(5)
    naive, mended = [], []
    for _ in range(40):
        x = rng.normal(size=60)
        dose = x + rng.normal(size=60) / 2
        values = rng.normal(size=(60, 6)) + np.outer(x, TIMES - 2008)
        fixed = pd.DataFrame({"dose": dose, "x": x})
        panel = tf.Panel(pd.RangeIndex(60), TIMES, {"y": values}, fixed)
        naive.append(design().diagnostic(panel).iloc[0])
        mended.append(design(by_time=["x"]).diagnostic(panel).iloc[0])
    assert np.mean([one["p_value"] < 0.1 for one in naive]) > 0.95
    assert np.mean([one["p_value"] < 0.1 for one in mended]) < 0.25


# ------------------------------------------------------------------ own trends


@pytest.mark.parametrize("gaps", [0.0, 0.1])
def test_trends_of_units_change_nothing_once_they_are_taken_off(gaps):
    panel = drawn(units=30, gaps=gaps)
    made = design(trends=True, by_time=["x"])
    found = made.fit(panel, "y")
    slopes = np.random.default_rng(6).normal(size=(30, 1)) * 50
    bent = replace(panel, outcomes={"y": panel.outcome("y") + slopes * (TIMES - 2000)})
    same(found, made.fit(bent, "y"))
    assert found.pre_trend.restrictions == 1
    assert np.isnan(found.slope_before)


def test_own_trends_are_lines_of_the_periods_before_carried_on():
    panel = drawn(units=30)
    found = design(trends=True).fit(panel, "y")
    values, dose = panel.outcome("y"), panel.column("dose")
    slope = np.array([np.polyfit(TIMES[:3], own[:3], 1)[0] for own in values])
    for time in (2012, 2013):
        apart = values[:, time - 2008] - values[:, 2] - slope * (time - 2010)
        known = sm.OLS(apart, sm.add_constant(dose)).fit(cov_type="HC2")
        row = found.coefficients.set_index("time").loc[time]
        assert row["estimate"] == pytest.approx(known.params[1], rel=1e-9)
        assert row["std_error"] == pytest.approx(known.bse[1], rel=1e-9)
    before = found.coefficients.set_index("time")["estimate"].loc[[2008, 2009, 2010]]
    assert np.polyfit(TIMES[:3], before, 1)[0] == pytest.approx(0, abs=1e-12)


# ------------------------------------------------------------------ weights of doses


def test_the_slope_is_the_mean_of_slopes_between_doses_by_the_weights_shown():
    panel = drawn(units=25)
    found = design().fit(panel, "y")
    order = np.argsort(panel.column("dose"))
    dose = panel.column("dose")[order]
    change = (panel.outcome("y")[:, [4, 5]].mean(axis=1) - panel.outcome("y")[:, 2])[order]
    weights = found.dose_weights
    assert weights["weight"].sum() == pytest.approx(1)
    assert weights["weight"] @ (np.diff(change) / np.diff(dose)) == pytest.approx(found.estimate)
    # Callaway, Goodman-Bacon and Sant'Anna (2024): (E[D | D >= d] - E[D]) P(D >= d) / Var(D).
    for row in weights.itertuples():
        above = dose >= row.dose
        known = (dose[above].mean() - dose.mean()) * above.mean() / dose.var()
        assert row.density == pytest.approx(known)


# ------------------------------------------------------------------ permuted doses


@pytest.mark.parametrize("gaps", [0.0, 0.12])
@pytest.mark.parametrize("weights", [None, "w"])
def test_permuted_doses_are_whole_refits(gaps, weights):
    panel = drawn(units=25, gaps=gaps)
    made = design(by_time=["x"], weights=weights)
    prepared = made.prepared(panel, "y")
    summary = np.isin(prepared.dated, made.post) / 2
    rng = np.random.default_rng(7)
    doses = np.stack([rng.permutation(prepared.residual_dose()) for _ in range(4)])
    ways = [permuted._with_missing] + ([] if gaps else [permuted._whole])
    known = []
    for dose in doses:
        fixed = panel.fixed.iloc[prepared.units].assign(dose=dose)
        known.append(made.fit(replace(panel.take(prepared.units), fixed=fixed), "y").estimate)
    for way in ways:
        np.testing.assert_allclose(way(prepared, summary)(doses), known, rtol=1e-8)
    drawn_ = tf.randomise(made, panel, "y", within="region", draws=99, seed=3)
    assert drawn_.observed == pytest.approx(made.fit(panel, "y").estimate)
    far = (np.abs(drawn_.statistics) >= abs(drawn_.observed)).sum()
    assert drawn_.p_value == (1 + far) / 100


@pytest.mark.parametrize("gaps", [0.0, 0.1])
def test_permuted_doses_hang_on_no_order_name_or_level(gaps):
    panel, order = drawn(gaps=gaps), np.random.default_rng(5).permutation(16)
    levels = np.random.default_rng(6).normal(size=(16, 1)) * 9
    values = {"y": 4 - 2 * panel.outcome("y") + levels + np.arange(len(panel.times)) ** 2}
    fixed = panel.fixed.assign(region=panel.fixed["region"].map(ord).mul(-1))
    other = replace(panel, outcomes=values, fixed=fixed).take(order)
    one, same = (
        tf.randomise(design(), held, "y", within="region", draws=99) for held in (panel, other)
    )
    np.testing.assert_allclose(same.statistics, -2 * one.statistics)


@pytest.mark.parametrize(
    ("asked", "said"),
    [({"draws": 1.5}, "draws"), ({"seed": -1}, "seed"), ({"within": "dose"}, "has one unit"),
     ({"within": "region"}, "doses are alike"), ({"design": None}, "event_study")],
)  # fmt: skip
def test_doses_that_cannot_change_places_are_said(asked, said):
    panel = drawn()
    by_region = panel.fixed["region"].map(ord).astype(float)
    panel = replace(panel, fixed=panel.fixed.assign(level=by_region))
    given = {"design": design("level"), "panel": panel, "outcome": "y", "draws": 9} | asked
    with pytest.raises(tf.TfevalError, match=said):
        tf.randomise(**given)


def test_doses_stay_in_their_stratum():
    panel = drawn(units=8)
    fixed = panel.fixed.assign(pair=[0, 0, 1, 1, 2, 2, 3, 3])
    found = tf.randomise(design(), replace(panel, fixed=fixed), "y", within="pair", draws=600)
    assert len(np.unique(found.statistics.round(10))) == 2**4
    free = tf.randomise(design(), panel, "y", draws=600)
    assert len(np.unique(free.statistics.round(10))) > 500


@pytest.mark.parametrize("alike", [True, False])
def test_permuted_p_values_are_level_where_the_dose_does_nothing_to_units_alike(alike):
    """And too small where units with a high dose vary more, as the docstring says."""
    values = np.array([
        tf.randomise(design(), panel, "y", draws=99).p_value
        for panel in worlds(300, units=15, alike=alike)
    ])  # fmt: skip
    for level in (0.1, 0.5):
        level_held = (values <= level).mean() - level < 3.3 * np.sqrt(level * (1 - level) / 300)
        assert level_held == (alike or level > 0.1)


# ------------------------------------------------------------------ wild bootstrap


@pytest.mark.parametrize(("gaps", "cluster"), [(0.0, None), (0.15, None), (0.15, "region")])
def test_the_wild_bootstrap_is_a_refit_for_every_sign(gaps, cluster):
    panel = drawn(units=8 if cluster is None else 24, gaps=gaps, seed=8)
    made = design(weights="w", cluster=cluster)
    x, y, weights, unit, at = dummies(panel, 2010, weights="w")
    if cluster is not None:
        unit = pd.factorize(panel.column(cluster))[0][unit]
    inverse = np.linalg.pinv(x.T @ (x * weights[:, None]))
    by = np.zeros(x.shape[1])
    by[at[-2:]] = 0.5

    def t_value(outcome, null=0.0):
        fit = inverse @ x.T @ (weights * outcome)
        scores = weights * (outcome - x @ fit) * (x @ inverse @ by)
        return (by @ fit - null) / np.sqrt((np.bincount(unit, scores) ** 2).sum())

    def p_value(null):
        fit = inverse @ x.T @ (weights * y)
        held = fit - inverse @ by * (by @ fit - null) / (by @ inverse @ by)
        seen, bent = t_value(y, null), y - x @ held
        drawn_ = np.array([
            abs(t_value(x @ held + bent * np.array(signs)[unit], null))
            for signs in product((-1, 1), repeat=unit.max() + 1)
        ])  # fmt: skip
        tied = np.isclose(drawn_, abs(seen), rtol=1e-8)
        return ((drawn_ > abs(seen)) & ~tied).mean() + 0.5 * tied.mean()

    found = made.wild(panel, "y")
    assert found.p_value == pytest.approx(p_value(0.0), abs=1e-12)
    assert p_value(found.conf_low - 0.05) <= 0.05 <= p_value(found.conf_low + 0.05)
    assert p_value(found.conf_high + 0.05) <= 0.05 <= p_value(found.conf_high - 0.05)


# ------------------------------------------------------------------ effects, and what is left out


def test_estimate_takes_it_with_its_errors_and_joint_influence():
    panel = drawn(units=40, gaps=0.05)
    panel = replace(panel, outcomes={"y": panel.outcome("y"), "z": panel.outcome("y") ** 2},
                    simulated=True)  # fmt: skip
    for cluster in (None, "region"):
        made = design(by_time=["x"], cluster=cluster)
        assert isinstance(made, tf.AnyDesign)
        effects = tf.estimate(made, panel)
        frame = effects.to_frame().set_index("outcome")
        for name in ("y", "z"):
            found = made.fit(panel, name)
            for field in ("estimate", "std_error", "freedom", "conf_low", "p_value"):
                assert frame.loc[name, field] == getattr(found, field)
            sums = found.influence
            if cluster:
                sums = sums.groupby(panel.fixed.set_index(panel.units)["region"]).sum()
            np.testing.assert_allclose(sums.T @ sums, found.covariance, rtol=1e-10)
        np.testing.assert_allclose(np.diag(effects.joint), frame["std_error"] ** 2, rtol=1e-10)
        assert effects.simulated
        assert "one more unit of dose" in effects.table().text()
        assert effects.with_corrections("holm").to_frame()["p_adjusted"].notna().all()
    binary = tf.estimate(design("treated"), panel).to_frame()
    assert set(binary["estimand"]) == {"ATT"}
    assert binary["n_treated"][0] == panel.column("treated").sum()
    # Of 0s but for a few: as many units as have it in a period compared, and no others.
    rare, made = np.zeros_like(panel.outcome("y")), design("treated")
    on = np.flatnonzero(panel.column("treated") == 1)
    rare[on[:3], panel.place[made.base]] = 1.0
    rare[on[3], [place for time, place in panel.place.items() if made.window(time) == "pre"]] = 1
    rows = tf.estimate(made, replace(panel, outcomes={"y": rare})).to_frame()
    assert (rows["events_treated"][0], rows["events_comparison"][0]) == (3, 0)


def test_a_summary_without_a_level_is_that_of_the_others():
    panel = drawn(units=40, gaps=0.05)
    rows = tf.leave_out(design(by_time=["x"]), panel, "y", "region").set_index("left_out")
    assert list(rows.index) == list("abcde")
    kept = panel.take(panel.column("region") != "b")
    known = design(by_time=["x"]).fit(kept, "y")
    assert rows.loc["b", "estimate"] == known.estimate
    assert rows.loc["b", "units"] == len(kept.units)


def test_what_is_missing_is_left_out_and_counted():
    panel = drawn(units=20)
    values = panel.outcome("y").copy()
    values[0, 1:], values[1, 2] = np.nan, np.nan
    fixed = panel.fixed.copy()
    fixed.loc[2, "dose"], fixed.loc[3, "x"] = np.nan, np.nan
    holed = replace(panel, outcomes={"y": values}, fixed=fixed)
    found = design(by_time=["x"]).fit(holed, "y")
    assert (found.units, found.left_out, found.cells, found.missing_cells) == (17, 3, 101, 1)
    same(found, design(by_time=["x"]).fit(holed.take(np.r_[1, 4:20]), "y"))


def test_a_table_and_a_chart_show_every_period_and_hide_few_units():
    found = design(pre=[2009]).fit(replace(drawn(units=12, gaps=0.1), simulated=True), "y")
    shown = found.table().text()
    assert shown == repr(found)
    for words in ("Simulated records", "2010", "nought by design", "Mean after", "12 units over 6",
                  "units left out: fewer than 10", "four times in five"):  # fmt: skip
        assert words in shown
    chart = found.plot()
    assert len(chart.data) == 6
    assert "(simulated records)" in chart.title
    assert "of 1 periods before" in chart.alt
    assert "fewer than 10 units over 6" in design().fit(drawn(units=9), "y").table().text()


def test_windows_name_every_period():
    made = tf.event_study("dose", base=2010, pre=[2009, 2010], post=[2012])
    rows = made.fit(drawn(), "y").coefficients
    assert rows["window"].tolist() == ["earlier", "pre", "base", "partly", "post", "later"]
    base = rows.set_index("window").loc["base"]
    assert base["estimate"] == 0
    assert base[["std_error", "conf_low", "p_value"]].isna().all()


@pytest.mark.parametrize(
    ("settings", "kind", "said"),
    [
        ({"post": []}, tf.ParameterError, "post names no period"),
        ({"post": [2009]}, tf.ParameterError, "come after the base"),
        ({"pre": [2011]}, tf.ParameterError, "come before the base"),
        ({"small_sample": "cr3"}, tf.ParameterError, "cr2"),
        ({"post": [2030]}, tf.ParameterError, "no period 2030"),
        ({"dose": "doze"}, tf.ParameterError, "dose"),
        ({"by_time": ["dose"]}, tf.DataError, "follows from"),
        ({"dose": "region"}, tf.DataError, "must hold numbers"),
        ({"cluster": "nowhere"}, tf.DataError, "no nowhere to be clustered by"),
        ({"weights": "minus"}, tf.DataError, "2 units have a negative minus"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(settings, kind, said):
    panel = drawn()
    extra = {"nowhere": [None, *"a" * 15], "minus": [-1.0, -2.0, *[1.0] * 14]}
    panel = replace(panel, fixed=panel.fixed.assign(**extra))
    with pytest.raises(kind, match=said):
        design(**settings).fit(panel, "y")


def test_a_period_that_is_compared_needs_values_and_a_period_that_is_shown_does_not():
    panel = drawn()
    values = panel.outcome("y").copy()
    values[:, 3] = np.nan
    shown = design().fit(replace(panel, outcomes={"y": values}), "y")
    row = shown.coefficients.set_index("time").loc[2011]
    assert (row["window"], np.isnan(row["estimate"])) == ("partly", True)
    same_as = design().fit(panel.during([2008, 2009, 2010, 2012, 2013]), "y")
    assert shown.estimate == pytest.approx(same_as.estimate)
    values[:, 4] = np.nan
    with pytest.raises(tf.DataError, match="no value in 2012"):
        design().fit(replace(panel, outcomes={"y": values}), "y")
