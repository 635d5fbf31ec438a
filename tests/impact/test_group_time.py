"""Group-time effects: the paper's formulas, what must not matter, known truth, broken trends."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.stats import ttest_ind

import tfeval as tf
from tests.impact import group_time_reference as reference
from tfeval.impact.panel import group_logit

METHODS = ("doubly_robust", "regression", "inverse_weighting")
TIMES = np.arange(2011, 2017)
STARTS = (2013.0, 2014.0, 2016.0, np.nan)


def drawn(n=300, seed=1, *, starts=STARTS, times=TIMES, effect=1.0, trend=0.0):
    """Return a panel with parallel trends given x; `trend` adds one of their own to the treated."""
    rng = np.random.default_rng(seed)
    first = rng.choice(starts, n)
    x = rng.normal(size=n) + 0.3 * (first == starts[0])
    since = times - np.where(np.isnan(first), np.inf, first)[:, None]
    y = rng.normal(size=(n, 1)) + 0.3 * (times - 2011) + 0.2 * x[:, None] * (times - 2011)
    y = y + rng.normal(size=y.shape) + (since >= 0) * effect * (1 + np.maximum(since, 0) / 4)
    y += trend * (times - 2011) * np.isfinite(first)[:, None]
    fixed = pd.DataFrame({"first": first, "x": x, "area": rng.integers(0, 25, n),
                          "weight": rng.uniform(0.5, 2, n)})  # fmt: skip
    return tf.Panel(pd.RangeIndex(n), times, {"y": y}, fixed)


def numbers(effects):
    return effects.frame[["estimate", "std_error"]].to_numpy(dtype=float)


# ------------------------------------------------------------------ the paper's formulas


@pytest.mark.parametrize("method", METHODS)
def test_a_panels_effects_and_influences_are_the_formulas(method):
    panel = drawn(70, starts=(2012.0, np.nan), times=np.array([2011, 2012]))
    found = tf.group_time("first", covariates=["x"], method=method, weights="weight").fit(
        panel, "y"
    )
    x = np.column_stack([np.ones(70), panel.column("x")])
    treated = np.isfinite(panel.column("first")).astype(float)
    change, weight = np.diff(panel.outcome("y"))[:, 0], panel.column("weight")

    def effect(weight):
        return reference.panel_effect(x, change, treated, weight, method)

    assert found.frame["estimate"][0] == pytest.approx(effect(weight), abs=1e-10)
    np.testing.assert_allclose(
        found.influence[:, 0], reference.influence(effect, weight), atol=1e-8
    )


@pytest.mark.parametrize("method", METHODS)
def test_cross_sections_effects_and_influences_are_the_formulas(method):
    panel = drawn(120, starts=(2012.0, np.nan), times=np.array([2011, 2012]))
    after = np.arange(120) % 3 > 0
    y = panel.outcome("y").copy()
    y[after, 0], y[~after, 1] = np.nan, np.nan
    panel = tf.Panel(panel.units, panel.times, {"y": y}, panel.fixed)
    design = tf.group_time(
        "first", covariates=["x"], method=method, weights="weight", repeated=True
    )
    found = design.fit(panel, "y")
    x = np.column_stack([np.ones(120), panel.column("x")])
    treated = np.isfinite(panel.column("first")).astype(float)
    seen, weight = np.where(after, y[:, 1], y[:, 0]), panel.column("weight")

    def effect(weight):
        return reference.cross_effect(x, seen, (treated, after.astype(int)), weight, method)

    assert found.frame["estimate"][0] == pytest.approx(effect(weight), abs=1e-10)
    # The sign that R's DRDID has wrong: numerical derivatives tell.
    np.testing.assert_allclose(
        found.influence[:, 0], reference.influence(effect, weight), atol=1e-8
    )


@pytest.mark.parametrize("comparison", ["never_treated", "not_yet_treated"])
def test_every_group_time_is_its_own_two_by_two(comparison):
    panel = drawn(200)
    found = tf.group_time("first", covariates=["x"], comparison=comparison).fit(panel, "y")
    first, y = panel.column("first"), panel.outcome("y")
    x = np.column_stack([np.ones(200), panel.column("x")])
    for row in found.frame.itertuples():
        base = row.time - 1 if row.time < row.group else row.group - 1
        others = np.isnan(first)
        if comparison == "not_yet_treated":
            others |= first > max(row.time, base)
        some = (first == row.group) | (others & (first != row.group))
        effect = reference.panel_effect(
            x[some], (y[:, row.time - 2011] - y[:, base - 2011])[some],
            (first == row.group)[some].astype(float), np.ones(some.sum()), "doubly_robust",
        )  # fmt: skip
        assert row.estimate == pytest.approx(effect, abs=1e-9)
        assert row.n_treated + row.n_comparison == some.sum()


def test_one_group_and_two_periods_are_difference_in_differences():
    panel = drawn(400, starts=(2012.0, np.nan), times=np.array([2011, 2012]))
    found = tf.group_time("first").fit(panel, "y")
    treated = np.isfinite(panel.column("first")).astype(float)
    fit = sm.OLS(np.diff(panel.outcome("y"))[:, 0], sm.add_constant(treated)).fit(cov_type="HC0")
    assert numbers(found)[0] == pytest.approx([fit.params[1], fit.bse[1]], rel=1e-9)
    for kind in ("overall", "event", "group", "calendar"):
        assert numbers(found.aggregate(kind))[0] == pytest.approx(numbers(found)[0], rel=1e-9)
    # The same means, whoever was seen; their errors then know nothing of units' own levels.
    again = tf.group_time("first", repeated=True).fit(panel, "y")
    assert again.frame["estimate"][0] == pytest.approx(fit.params[1], rel=1e-9)


def test_an_average_counts_that_the_sizes_of_groups_are_estimated():
    panel = drawn(250, effect=3.0)
    average = tf.group_time("first", weights="weight").fit(panel, "y").aggregate("calendar")

    def effect(weight):
        fixed = panel.fixed.assign(weight=weight)
        moved = tf.Panel(panel.units, panel.times, panel.outcomes, fixed)
        made = tf.group_time("first", weights="weight", draws=99).fit(moved, "y")
        return made.aggregate("calendar").frame["estimate"].to_numpy(dtype=float)

    weight = panel.column("weight")
    for unit in (0, 100, 249):
        sides = [effect(weight * (1 + sign * 1e-5 * (np.arange(250) == unit)))
                 for sign in (1, -1)]  # fmt: skip
        np.testing.assert_allclose(average.influence[unit], (sides[0] - sides[1]) / 2e-5, atol=1e-8)


@pytest.mark.parametrize("repeated", [False, True])
@pytest.mark.parametrize("method", ["doubly_robust", "inverse_weighting"])
def test_many_units_are_fitted_as_few(monkeypatch, method, repeated):
    panel = drawn(2_000)
    design = tf.group_time("first", covariates=["x"], method=method, repeated=repeated)
    exact = design.fit(panel, "y")
    monkeypatch.setattr(group_logit, "MANY", 300)
    monkeypatch.setattr(group_logit, "FIRST_FIT", 150)
    quick = design.fit(panel, "y")
    np.testing.assert_allclose(quick.frame["estimate"], exact.frame["estimate"], atol=1e-8)
    np.testing.assert_allclose(quick.frame["std_error"], exact.frame["std_error"], rtol=1e-4)


@pytest.mark.parametrize("cluster", [None, "area"])
def test_one_group_without_covariates_is_welchs_test(cluster):
    rng, codes = np.random.default_rng(4), np.arange(120) // (10 if cluster else 1)
    y = rng.normal(size=(120, 4)) + rng.normal(size=(120, 4))[codes]
    first = np.where(np.arange(120) < 40, 2012.0, np.nan)
    fixed = pd.DataFrame({"first": first, "area": codes})
    panel = tf.Panel(pd.RangeIndex(120), np.arange(2010, 2014), {"y": y}, fixed)
    change = pd.Series(y[:, 2:].mean(axis=1) - y[:, 1]).groupby(codes).mean()
    treated = np.isfinite(first[:: 10 if cluster else 1])
    usual = ttest_ind(change[treated], change[~treated], equal_var=False)
    design = tf.group_time("first", cluster=cluster)
    whole = usual.confidence_interval()
    for row in (design.fit(panel, "y").average, tf.estimate(design, panel).to_frame().iloc[-1]):
        assert [row[name] for name in ("freedom", "conf_low", "conf_high")] == pytest.approx(
            [usual.df, whole.low, whole.high]
        )


def test_an_outcome_of_one_value_has_no_error():
    panel = drawn()
    same = tf.Panel(panel.units, TIMES, {"y": np.full((300, len(TIMES)), 0.7)}, panel.fixed)
    for repeated in (True, False):
        design = tf.group_time("first", covariates=["x"], repeated=repeated)
        assert set(design.fit(same, "y").frame["status"]) <= {"no_variation", "few_units"}


# ------------------------------------------------------------------ what must not matter


@pytest.mark.parametrize("repeated", [False, True])
def test_order_names_and_scales_do_not_matter(repeated):
    panel = drawn()
    design = tf.group_time("first", covariates=["x"], cluster="area", repeated=repeated)
    plain = design.fit(panel, "y")
    order = np.random.default_rng(2).permutation(300)
    other = panel.take(order)
    fixed = other.fixed.assign(x=10 - 3 * other.fixed["x"], area=other.fixed["area"] * 7 % 101)
    shifts = np.linspace(0, 9, 6) ** 2
    if not repeated:  # units' own levels cancel where their own changes are compared
        shifts = shifts + np.random.default_rng(3).normal(size=(300, 1)) * 5
    moved = tf.Panel(other.units.map(str), TIMES, {"y": 3 * other.outcome("y") + shifts}, fixed)
    found = design.fit(moved, "y")
    np.testing.assert_allclose(numbers(found), 3 * numbers(plain), rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(found.influence, 3 * plain.influence[order], atol=1e-9)
    assert found.pre_trend["statistic"] == pytest.approx(plain.pre_trend["statistic"], rel=1e-6)


# ------------------------------------------------------------------ known truth


def test_bands_hold_all_effects_and_trends_are_not_refused_where_they_are_parallel():
    design = tf.group_time("first", covariates=["x"], method="regression")
    truth = {event: (event >= 0) * (1 + max(event, 0) / 4) for event in range(-5, 4)}
    inside, points, refused, broken = [], [], [], []
    for seed in range(150):
        found = design.fit(drawn(200, seed), "y")
        frame = found.aggregate("event").frame
        known = frame["event"].map(truth).to_numpy(dtype=float)
        for kind, held in (("band", inside), ("conf", points)):
            low, high = (frame[f"{kind}_{end}"].to_numpy() for end in ("low", "high"))
            held.append(((low < known) & (known < high)).all())
        refused.append(found.pre_trend["p_value"] < 0.05)
        if seed < 20:
            crooked = design.fit(drawn(200, seed, trend=0.5), "y")
            broken.append(crooked.pre_trend["p_value"] < 0.05)
    assert 0.88 < np.mean(inside) <= 1.0  # 95%, three errors of 150 draws
    assert np.mean(points) < 0.85  # each at 95% does not hold all at 95%
    assert np.mean(refused) < 0.14
    assert np.mean(broken) > 0.9


# ------------------------------------------------------------------ what is missing


def test_who_is_seen_in_one_period_only_is_left_out_there_alone():
    panel = drawn()
    first = panel.column("first")
    y = panel.outcome("y").copy()
    lost = np.flatnonzero(first == 2013)[:5]
    y[lost, 5] = np.nan
    gaps = tf.Panel(panel.units, TIMES, {"y": y}, panel.fixed)
    design = tf.group_time("first", covariates=["x"])
    found = design.fit(gaps, "y").frame
    there = (found["group"] == 2013) & (found["time"] == 2016)
    assert found["n_left_out"].tolist() == [5 * at for at in there]
    whole = design.fit(panel, "y").frame
    others = [name for name in whole if not name.startswith("band")]  # which hold all at once
    pd.testing.assert_frame_equal(found[~there][others], whole[~there][others])
    without = design.fit(panel.take(np.delete(np.arange(300), lost)), "y").frame
    # To rounding: covariates are scaled by all units.
    assert found[there]["estimate"].iloc[0] == pytest.approx(without[there]["estimate"].iloc[0])
    assert found[there]["std_error"].iloc[0] == pytest.approx(without[there]["std_error"].iloc[0])


def test_what_cannot_be_estimated_says_why_and_harms_no_other():
    panel = drawn(400)
    fixed = panel.fixed.assign(
        twin=2 * panel.fixed["x"],
        apart=panel.fixed["x"] + 30 * (panel.fixed["first"] == 2013),
    )
    panel = tf.Panel(panel.units, TIMES, dict(panel.outcomes), fixed)
    plain = tf.group_time("first", covariates=["x"]).fit(panel, "y")
    assert set(plain.frame["status"]) == {"estimated"}
    twins = tf.group_time("first", covariates=["x", "twin"]).fit(panel, "y")
    assert set(twins.frame["status"]) == {"collinear"}
    assert twins.frame["estimate"].isna().all()
    assert twins.pre_trend["status"] == "none_before"
    assert set(twins.aggregate("event").frame["status"]) == {"collinear"}
    apart = tf.group_time("first", covariates=["apart"]).fit(panel, "y")
    told = apart.frame.groupby("group")["status"].unique()
    assert told[2013].tolist() == ["no_overlap"]
    assert told[2016].tolist() == ["estimated"]
    events = apart.aggregate("event")
    assert (events.frame["n_left_out"] > 0).any()
    assert set(events.frame["status"]) == {"estimated", "no_overlap"}  # three years on: 2013 alone
    missing = panel.outcome("y").copy()
    missing[np.isnan(panel.column("first")), -1] = np.nan
    gone = tf.Panel(panel.units, TIMES, {"y": missing}, fixed)
    last = tf.group_time("first").fit(gone, "y").frame.query("time == 2016")
    assert set(last["status"]) == {"no_comparison"}


def test_few_units_or_clusters_have_an_estimate_and_no_error():
    panel = drawn(400)
    first = panel.column("first").copy()
    first[np.flatnonzero(first == 2014)[8:]] = np.nan
    few = tf.Panel(panel.units, TIMES, dict(panel.outcomes), panel.fixed.assign(
        first=first, area=np.where(first == 2016, 1, panel.fixed["area"])))  # fmt: skip
    frame = tf.group_time("first", cluster="area").fit(few, "y").frame
    assert frame["estimate"].notna().all()
    told = frame.groupby("group")["status"].unique()
    assert told[2014].tolist() == ["few_units"]
    assert told[2016].tolist() == ["few_clusters"]
    known = frame["status"] == "estimated"
    assert frame["band_low"].notna().equals(known)
    still = tf.Panel(panel.units, TIMES, {"y": np.ones((400, 6))}, panel.fixed)
    assert set(tf.group_time("first").fit(still, "y").frame["status"]) == {"no_variation"}


def test_who_is_left_out_is_counted_and_small_counts_are_not_said():
    panel = drawn()
    first, x = panel.column("first").copy(), panel.column("x").copy()
    first[:20], x[50:53] = 2011, np.nan
    y = panel.outcome("y").copy()
    y[100:140] = np.nan
    panel = tf.Panel(panel.units, TIMES, {"y": y}, panel.fixed.assign(first=first, x=x))
    found = tf.group_time("first", covariates=["x"]).fit(panel, "y")
    assert found.notes == (
        "20 units left out: treated before any period to compare with.",
        "fewer than 10 units left out: a covariate is missing.",
        "40 units left out: the outcome is never seen.",
    )
    lost = [*range(20), *range(50, 53), *range(100, 140)]
    assert not found.influence[lost].any()
    assert tf.estimate(found.settings, panel).to_frame()["n_missing"].unique().tolist() == [43]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"method": "dr"}, "method 'dr' is unknown"),
        ({"anticipation": -1}, "number of periods"),
        ({"comparison": "never"}, "never_treated"),
        ({"draws": 9}, "at least 99"),
        ({"level": 95}, "level lies"),
        ({"clusters": "area"}, "Did you mean cluster"),
    ],
)
def test_a_wrong_setting_is_said(asked, said):
    with pytest.raises(tf.ParameterError, match=said):
        tf.group_time("first", **asked)


@pytest.mark.parametrize(
    ("change", "asked", "said"),
    [
        ({"first": 2013.5}, {}, "whole numbers"),
        ({"first": 2010.0}, {}, "No unit is untreated"),
        ({"first": np.nan}, {}, "No group has a period"),
        ({"first": 2012.0}, {}, "Fewer than two periods"),
        ({"x": "north"}, {"covariates": ["x"]}, "columns of 0 and 1"),
        ({"weight": -1.0}, {"weights": "weight"}, "300 weights"),
        ({"area": None}, {"cluster": "area"}, "in no cluster"),
    ],
)
def test_a_panel_that_cannot_serve_is_said(change, asked, said):
    panel = drawn()
    wrong = tf.Panel(panel.units, TIMES, dict(panel.outcomes), panel.fixed.assign(**change))
    with pytest.raises(tf.DataError, match=said):
        tf.group_time("first", **asked).fit(wrong, "y")


# ------------------------------------------------------------------ one of the designs


def test_it_is_a_design_whose_effects_lead_on():
    panel = drawn(400)
    panel = tf.Panel(
        panel.units, TIMES, {"y": panel.outcome("y"), "z": -panel.outcome("y")}, panel.fixed
    )
    design = tf.group_time("first", covariates=["x"], cluster="area", base="universal")
    assert isinstance(design, tf.AnyDesign)
    effects = tf.estimate(design, panel)
    frame = effects.to_frame()
    event = design.averages(panel, "y")
    np.testing.assert_allclose(
        numbers(event), numbers(design.fit(panel, "y").aggregate("event")), rtol=1e-12, atol=1e-15
    )
    own = frame[frame["outcome"] == "y"]
    assert own["event"].tolist()[:-1] == event.frame["event"].tolist()
    assert own["population"].iloc[-1] == "average"
    np.testing.assert_allclose(own["estimate"][:-1], event.frame["estimate"])
    for name in ("conf_low", "conf_high", "freedom"):
        np.testing.assert_allclose(own[name][:-1], event.frame[name])
    assert own["status"].tolist().count("reference") == 1
    assert own["estimate"].iloc[-1] == pytest.approx(event.average["estimate"])
    # The same outcome with its sign turned: perfectly correlated, so corrections see one test.
    rows = np.flatnonzero(frame["population"] == "average")
    assert effects.correlation()[tuple(rows)] == pytest.approx(-1)
    assert "those not treated yet did" in effects.notes[0]
    assert "2 periods after the first" in effects.table().text()
    told = design.diagnostic(panel)
    assert told.index.tolist() == ["y", "z"]
    assert told["statistic"].iloc[0] == pytest.approx(told["statistic"].iloc[1])
    with pytest.raises(tf.ParameterError, match="give the panel"):
        design.diagnostic()


def test_averages_of_averages_and_what_holds_no_trend_are_refused():
    found = tf.group_time("first").fit(drawn(), "y")
    groups = found.aggregate("group")
    with pytest.raises(tf.ParameterError, match="averages already"):
        groups.aggregate("event")
    with pytest.raises(tf.ParameterError, match="test those by event"):
        _ = groups.pre_trend
    assert found.average["estimate"] == pytest.approx(
        found.aggregate("overall").frame["estimate"][0]
    )
