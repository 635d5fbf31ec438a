"""Missing covariates completed many times, and Rubin's rules: R's numbers, theory, known truth."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import stdtrit

import tfeval as tf
from tfeval.errors import DataError, ParameterError
from tfeval.impact.effects.columns import COLUMNS
from tfeval.impact.effects.effects import Effects
from tfeval.impact.imputation.draws import nearest
from tfeval.impact.imputation.pool import complete_freedom, freedom_of

GOLDEN = Path(__file__).parents[1] / "golden"
COVERAGE = Path(__file__).parents[1] / "coverage" / "imputation_coverage.csv"


def frame_of(size: int = 400, seed: int = 1) -> pd.DataFrame:
    """Return a frame with a missing number, count, category and yes or no, and an outcome."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=size)
    frame = pd.DataFrame({"z": z, "age": 40 + 5 * z + rng.normal(size=size)})
    frame["children"] = pd.array(rng.poisson(2, size), dtype="Int64")
    frame["tenure"] = pd.Categorical(np.where(z + rng.normal(size=size) > 0, "owns", "rents"))
    frame["work"] = pd.array(rng.random(size) < 0.5, dtype="boolean")
    frame["treated"] = (rng.random(size) < 1 / (1 + np.exp(-z))).astype(int)
    frame["y"] = frame["age"] / 5 + frame["treated"] * 0.5 + rng.normal(size=size)
    for name in ("age", "children", "tenure", "work"):
        frame.loc[rng.random(size) < 0.25, name] = pd.NA if name != "age" else np.nan
    frame.index = pd.Index(rng.permutation(size) + 1000)
    return frame


FRAME = frame_of()
NAMES = ["z", "age", "children", "tenure", "work"]


# Imputation


def test_only_missing_covariates_change_and_types_stay():
    before = FRAME.copy()
    several = tf.impute(FRAME, NAMES, imputations=3)
    pd.testing.assert_frame_equal(FRAME, before)
    assert len(several) == len(list(several)) == 3
    for one in several:
        assert one[NAMES].notna().all(axis=None)
        pd.testing.assert_index_equal(one.index, FRAME.index)
        assert one.dtypes.tolist() == FRAME.dtypes.tolist()
        for name in FRAME:
            known = FRAME[name].notna()
            pd.testing.assert_series_equal(one.loc[known, name], FRAME.loc[known, name])
            assert set(one[name]) == set(FRAME[name].dropna())


KINDS = {
    "text": np.array(["a", "b", "c"], dtype=object),
    "string": pd.array(["a", "b", "c"], dtype="string"),
    "true or false": np.array([True, False, True], dtype=object),
    "decimals": np.array([Decimal("1.5"), Decimal("2.5"), Decimal("9")], dtype=object),
    "whole numbers": pd.array([1, 2, 30], dtype="Int64"),
    "category of numbers": pd.Categorical([3, 1, 2]),
    "arrow text": pd.array(["a", "b", "c"], dtype="string[pyarrow]"),
    "arrow": pd.array([1.5, 2.5, 9.0], dtype="float64[pyarrow]"),
    "arrow, true or false": pd.array([True, False, True], dtype="bool[pyarrow]"),
    "single precision": np.array([1, 2, 3], dtype="float32"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_column_is_completed_with_what_occurs(kind):
    rng = np.random.default_rng(4)
    values = pd.Series(KINDS[kind])
    column = values.iloc[rng.integers(0, 3, 120)].reset_index(drop=True)
    column[rng.random(120) < 0.3] = None
    frame = pd.DataFrame({"v": column, "treated": np.arange(120) % 2, "z": rng.normal(size=120)})
    for one in tf.impute(frame, ["v", "z"], imputations=2):
        assert one["v"].notna().all()
        assert one["v"].dtype == frame["v"].dtype
        assert set(one["v"]) <= set(values)


def test_an_outcome_is_not_read_unless_it_is_named():
    several = tf.impute(FRAME, NAMES, imputations=2)
    spoilt = FRAME.assign(y=pd.Series([object()] * len(FRAME), index=FRAME.index))
    for one, other in zip(several, tf.impute(spoilt, NAMES, imputations=2), strict=True):
        pd.testing.assert_frame_equal(one[NAMES], other[NAMES])
    named = tf.impute(FRAME, NAMES, imputations=2, predictors="y")
    assert not named[0]["age"].equals(several[0]["age"])
    lost = FRAME.assign(y=FRAME["y"].where(FRAME["z"] > -1))
    helped = tf.impute(lost, NAMES, imputations=2, predictors=["y"])
    pd.testing.assert_series_equal(helped[1]["y"], lost["y"])
    assert "No outcome helped" in several.notes[0]
    assert "with the help of y" in named.notes[0]


def test_seeds_and_counts():
    five, two = (tf.impute(FRAME, NAMES, imputations=count, seed=3) for count in (5, 2))
    other = tf.impute(FRAME, NAMES, imputations=2, seed=4)
    for place in range(2):
        pd.testing.assert_frame_equal(five[place], two[place])
        assert not other[place]["age"].equals(two[place]["age"])
    assert not five[0]["age"].equals(five[1]["age"])
    pd.testing.assert_frame_equal(five[-1], five[4])
    with pytest.raises(IndexError):
        five[5]


def test_nothing_missing_gives_frames_that_are_all_alike():
    several = tf.impute(FRAME, ["z"], imputations=2)
    for one in several:
        pd.testing.assert_frame_equal(one, FRAME)
    assert "No covariate has missing values" in several.notes[0]


def test_each_arm_by_itself_takes_from_its_own():
    frame = FRAME.assign(age=FRAME["age"] + 1000 * FRAME["treated"])
    frame["tenure"] = (
        frame["tenure"]
        .astype(object)
        .where(frame["tenure"].isna(), frame["tenure"].astype(str) + frame["treated"].astype(str))
    )
    for one in tf.impute(frame, NAMES, imputations=3, within_arms=True):
        assert ((one["age"] > 500) == (one["treated"] == 1)).all()
        assert (one["tenure"].str[-1] == one["treated"].astype(str)).all()


def test_donors_are_the_nearest_and_ties_are_drawn_alike():
    rng = np.random.default_rng(1)
    held, wanted = rng.normal(size=60), rng.normal(size=500)
    drawn = nearest(held, wanted, rng)
    for row, want in zip(drawn, wanted, strict=True):
        assert row in np.argsort(np.abs(held - want))[:5]
    tied = nearest(np.repeat([0.0, 1.0], 40), np.zeros(40_000), rng)
    counts = np.bincount(tied, minlength=80)
    assert counts[40:].sum() == 0
    assert counts[:40].min() > 800  # each of 40 about 1,000 times
    assert set(nearest(np.array([1.0, 2.0]), np.zeros(50), rng)) == {0, 1}


@pytest.mark.slow(reason="coverage sampling: how often intervals over imputations hold the truth")
@pytest.mark.parametrize("kind", ["number", "category"])
def test_imputation_is_proper(kind):
    # With nothing to go by, the pooled mean of a third missing must vary as the mean of those
    # known does: imputation that took parameters as known would be some 15% to 30% short.
    size, kept, draws = 90, 45, 200
    variances, means = [], []
    for place in range(draws):
        rng = np.random.default_rng(place)
        values = rng.normal(size=size) if kind == "number" else (rng.random(size) < 0.4) * 1.0
        truth = 1.0 if kind == "number" else 0.24
        held = np.where(np.arange(size) < kept, values, np.nan)
        column = held if kind == "number" else pd.Series(held).map({0.0: "no", 1.0: "yes"})
        frame = pd.DataFrame({"v": column, "treated": rng.random(size) < 0.5})
        completed = [one["v"] if kind == "number" else (one["v"] == "yes") * 1.0
                     for one in tf.impute(frame, ["v"], imputations=10, seed=place)]  # fmt: skip
        means.append([one.mean() for one in completed])
        between = np.var(means[-1], ddof=1)
        variances.append(np.mean([one.var() / size for one in completed]) + 1.1 * between)
    assert np.mean(variances) == pytest.approx(truth / kept, rel=0.12)
    # The mean of ten imputations varies a little more than that of those known.
    assert np.var(np.mean(means, axis=1)) == pytest.approx(truth / kept, rel=0.25)


def test_relations_come_back_that_complete_cases_get_wrong():
    rng = np.random.default_rng(8)
    size = 6000
    z = rng.normal(size=size)
    age = z + rng.normal(size=size)
    levels = np.select([z + rng.logistic(size=size) > 1, z + rng.logistic(size=size) < -1],
                       ["high", "low"], "middle")  # fmt: skip
    frame = pd.DataFrame({"z": z, "age": age, "level": levels, "treated": rng.random(size) < 0.5})
    lost = frame.copy()
    lost.loc[rng.random(size) < 1 / (1 + np.exp(-0.7 * z)), "age"] = np.nan
    lost.loc[rng.random(size) < 1 / (1 + np.exp(-0.7 * z)), "level"] = None
    assert abs(lost["age"].mean() - age.mean()) > 0.2
    several = tf.impute(lost, ["z", "age", "level"], imputations=5)
    found = pd.DataFrame([
        {"mean": one["age"].mean(), "slope": np.polyfit(one["z"], one["age"], 1)[0],
         "error": np.std(one["age"] - one["z"]),
         **(one["level"] == "high").groupby(one["z"] > 0).mean().to_dict()}
        for one in several
    ]).mean()  # fmt: skip
    truth = (frame["level"] == "high").groupby(frame["z"] > 0).mean()
    assert found["mean"] == pytest.approx(age.mean(), abs=0.05)
    # A regression on what decides who is missing is right among those known: no better can be.
    known = lost["age"].notna()
    slope = np.polyfit(lost["z"][known], lost["age"][known], 1)[0]
    assert found["slope"] == pytest.approx(slope, abs=0.05)
    assert found["error"] == pytest.approx(1.0, abs=0.05)
    assert found[True] == pytest.approx(truth[True], abs=0.03)
    assert found[False] == pytest.approx(truth[False], abs=0.03)


def test_regressions_after_imputation_as_after_rs_mice():
    import statsmodels.formula.api as smf

    golden = pd.read_csv(GOLDEN / "imputation.csv").query("case == 'mice'")
    expected = golden.pivot_table(index="term", columns="quantity", values="value")
    rows = pd.read_csv(GOLDEN / "imputation_data.csv")
    names = ["wind", "temp", "ozone", "solar", "heat"]
    several = tf.impute(rows, names, treated="late", imputations=60, seed=2)
    for formula in ("ozone ~ wind + temp + solar + late", "wind ~ C(heat) + late"):
        fits = [smf.ols(formula, one).fit() for one in several]
        pooled = tf.pool_imputations(_as_effects(fit) for fit in fits).to_frame()
        for row in pooled.to_dict("records"):
            term = row["outcome"].replace("Intercept", "(Intercept)")
            term = term.replace("C(heat)[T.hot]", "heathot")
            there = expected.loc[f"{formula.split(' ', maxsplit=1)[0]} {term}"]
            apart = abs(row["estimate"] - there["estimate"]) / there["std_error"]
            assert apart < 0.2, (term, row["estimate"])
            assert row["std_error"] == pytest.approx(there["std_error"], rel=0.12), term


def _as_effects(fit) -> Effects:
    rows = pd.DataFrame({
        "outcome": fit.params.index, "estimate": fit.params.to_numpy(),
        "std_error": fit.bse.to_numpy(), "conf_low": fit.conf_int()[0].to_numpy(),
        "conf_high": fit.conf_int()[1].to_numpy(),
    })  # fmt: skip
    return Effects(rows, fit.cov_params().to_numpy())


@pytest.mark.filterwarnings("error")
def test_predictors_that_repeat_separate_or_do_not_vary():
    rng = np.random.default_rng(3)
    x = rng.normal(size=300)
    frame = pd.DataFrame({
        "x": x, "again": 3 * x, "large": 1e9 + x, "constant": 7.0,
        "sign": np.where(x > 0, "up", "down"), "treated": x > 0.5,
    })  # fmt: skip
    for name in ("again", "large", "constant", "sign"):
        frame.loc[rng.random(300) < 0.2, name] = None if name == "sign" else np.nan
    names = ["x", "again", "large", "constant", "sign"]
    for one in tf.impute(frame, names, imputations=2):
        assert one[names].notna().all(axis=None)
        assert (one["constant"] == 7).all()
        assert np.corrcoef(one["x"], one["again"])[0, 1] > 0.99
        assert ((one["sign"] == "up") == (one["x"] > 0)).mean() > 0.95


def test_the_summary_hides_small_numbers():
    frame = FRAME.assign(z=FRAME["z"].where(np.arange(len(FRAME)) > 3))
    several = tf.impute(frame, ["z", "age"], imputations=2)
    text = repr(several)
    assert "fewer than 10" in text
    assert "%" in text
    assert "text/html" in several._repr_mimebundle_()


def number(**columns) -> pd.DataFrame:
    return FRAME.assign(**columns)


EMPTY = FRAME["age"] * np.nan
WRONG = {
    "no frame": (lambda: tf.impute(None, NAMES), "takes a DataFrame"),
    "no covariates": (lambda: tf.impute(FRAME, []), "at least one covariate"),
    "an unknown covariate": (lambda: tf.impute(FRAME, ["aeg"]), "Did you mean age"),
    "an unknown setting": (lambda: tf.impute(FRAME, NAMES, imputation=3), "Did you mean imputa"),
    "an unknown predictor": (lambda: tf.impute(FRAME, ["age"], predictors="yy"), "no column yy"),
    "a covariate twice": (lambda: tf.impute(FRAME, ["age", "age"]), "named twice"),
    "a covariate that predicts": (
        lambda: tf.impute(FRAME, ["age"], predictors=["age"]),
        "named twice",
    ),
    "the treatment": (lambda: tf.impute(FRAME, ["treated"]), "cannot be a covariate"),
    "treatment missing": (
        lambda: tf.impute(number(treated=FRAME["treated"].where(FRAME["z"] < 2)), NAMES),
        "must be known",
    ),
    "one imputation": (lambda: tf.impute(FRAME, NAMES, imputations=1), "at least 2"),
    "no rounds": (lambda: tf.impute(FRAME, NAMES, iterations=0), "at least 1"),
    "a seed of text": (lambda: tf.impute(FRAME, NAMES, seed="a"), "seed is a whole number"),
    "always missing": (lambda: tf.impute(number(age=EMPTY), ["age"]), "fewer than 10 rows"),
    "known for few": (
        lambda: tf.impute(number(age=FRAME["age"].where(np.arange(len(FRAME)) < 9)), ["age"]),
        "age is known in fewer than 10 rows",
    ),
    "known for few of an arm": (
        lambda: tf.impute(number(age=EMPTY.where(FRAME["treated"] == 1, FRAME["z"])), ["age"],
                          within_arms=True),
        "within_arms=False",
    ),
    "infinite": (
        lambda: tf.impute(number(age=FRAME["age"].mask(FRAME["z"] > 2, np.inf)), ["age"]),
        "age is infinite in",
    ),
    "dates": (
        lambda: tf.impute(number(age=pd.Timestamp("2012-04-01")), ["age"]),
        "age holds datetime",
    ),
    "many levels": (
        lambda: tf.impute(number(age=FRAME.index.astype(str)), ["age"]),
        "too many for a category",
    ),
    "text and numbers": (
        lambda: tf.impute(number(age=["a", 1] * 200), ["age"]),
        "age holds mixed",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_mistake_gets_one_message(case):
    act, words = WRONG[case]
    with pytest.raises((ParameterError, DataError), match=words) as caught:
        act()
    assert "\n" not in str(caught.value)


def test_what_was_measured_afterwards_predicts_but_is_not_completed():
    frame = FRAME.copy()
    frame.attrs["timing"] = {"y": "after", "age": "before"}
    assert len(tf.impute(frame, ["age"], imputations=2, predictors="y")) == 2
    with pytest.raises(ParameterError, match="after the index date"):
        tf.impute(frame, ["age", "y"])


# Rubin's rules


def table(estimates, errors, freedom=np.inf, *, joint=None, level=0.95, **columns) -> Effects:
    estimates, errors = np.asarray(estimates, dtype=float), np.asarray(errors, dtype=float)
    width = stdtrit(freedom, 0.5 + level / 2) * errors
    rows = pd.DataFrame({
        "outcome": [f"o{place}" for place in range(len(estimates))], "estimate": estimates,
        "std_error": errors, "conf_low": estimates - width, "conf_high": estimates + width,
    }).assign(**columns)  # fmt: skip
    return Effects(rows, np.diag(errors**2) if joint is None else joint, level=level)


@pytest.mark.parametrize("case", ["nhanes", "airquality", "scalar"])
def test_pooling_as_rs_mice_does_it(case):
    golden = pd.read_csv(GOLDEN / "imputation.csv").query("case == @case")
    for _, some in golden.groupby("term"):
        given = dict(zip(some["quantity"], some["value"], strict=True))
        count = sum(name.startswith("estimate_") for name in given)
        tables = [
            table([given[f"estimate_{k}"]], [given[f"std_error_{k}"]], given["dfcom"])
            for k in range(1, count + 1)
        ]
        pooled = tf.pool_imputations(tables)
        row, facts = pooled.to_frame().iloc[0], pooled.settings["imputation"]
        assert row["estimate"] == pytest.approx(given["estimate"])
        assert row["std_error"] ** 2 == pytest.approx(given["t"])
        assert facts["freedom"][0] == pytest.approx(given["df"], rel=1e-6)
        assert facts["riv"][0] == pytest.approx(given["riv"])
        assert facts["fmi"][0] == pytest.approx(given["fmi"], rel=1e-6)
        if "lambda" in given:
            assert facts["share"][0] == pytest.approx(given["lambda"])
            assert row["conf_low"] == pytest.approx(given["2.5 %"], rel=1e-6)
            assert row["conf_high"] == pytest.approx(given["97.5 %"], rel=1e-6)
            assert row["p_value"] == pytest.approx(given["p.value"], rel=1e-6)


def test_the_joint_covariance_is_rubins():
    rng = np.random.default_rng(6)
    estimates = rng.normal(size=(7, 3))
    half = rng.normal(size=(7, 3, 3))
    joints = half @ half.transpose(0, 2, 1)
    tables = [table(one, np.sqrt(np.diag(joint)), joint=joint)
              for one, joint in zip(estimates, joints, strict=True)]  # fmt: skip
    pooled = tf.pool_imputations(tables)
    expected = joints.mean(axis=0) + (1 + 1 / 7) * np.cov(estimates.T)
    np.testing.assert_allclose(pooled.joint, expected)
    np.testing.assert_allclose(pooled.to_frame()["std_error"] ** 2, np.diag(expected))
    assert pooled.with_corrections("holm").to_frame()["p_adjusted"].notna().all()
    assert list(pooled.to_frame().columns) == list(COLUMNS)


def test_imputations_that_agree_pool_to_themselves():
    tables = [table([0.3, -1.7], [0.1, 0.4], 30) for _ in range(4)]
    pooled, one = tf.pool_imputations(tables), tables[0].to_frame()
    found = pooled.to_frame()
    np.testing.assert_allclose(found["std_error"], one["std_error"])
    assert pooled.settings["imputation"]["share"] == (0.0, 0.0)
    # Barnard and Rubin's degrees of freedom fall short of the complete data's even then.
    assert pooled.settings["imputation"]["freedom"][0] == pytest.approx(31 / 33 * 30)


def test_degrees_of_freedom_never_pass_those_of_the_complete_data_nor_rubins():
    share = np.linspace(0.01, 0.99, 50)
    for complete in (3.0, 20.0, 1e6, np.inf):
        found = freedom_of(share, 5, np.full(50, complete))
        assert (found <= np.minimum(complete, 4 / share**2)).all()
    assert freedom_of(share, 5, np.full(50, np.inf)) == pytest.approx(4 / share**2)


def test_complete_degrees_of_freedom_are_told_read_or_counted():
    told = table([1.0], [0.1], 12.0).frame.assign(freedom=7.5)
    read = table([1.0], [0.1], 12.0).frame.assign(freedom=np.nan)
    lopsided = read.assign(conf_low=0.5, clusters=31.0)
    unknown = lopsided.assign(clusters=np.nan)
    found = [complete_freedom([one, one], 0.95)[0] for one in (told, read, lopsided, unknown)]
    assert found == pytest.approx([7.5, 12.0, 30.0, np.inf])
    normal = table([1.0], [0.1]).frame.assign(freedom=np.nan)
    assert complete_freedom([normal], 0.95)[0] == np.inf
    assert complete_freedom([told, read], 0.95)[0] == 7.5


def test_the_relative_change_is_pooled_on_the_logarithms():
    rng = np.random.default_rng(2)
    logs, errors = rng.normal(-0.3, 0.05, 6), rng.uniform(0.08, 0.12, 6)
    tables = []
    for log, error in zip(logs, errors, strict=True):
        means = {"mean_treated": np.exp(log) * 0.4, "mean_comparison": 0.4}
        ends = np.expm1(log + np.array([-1, 1]) * stdtrit(np.inf, 0.975) * error)
        tables.append(table([np.exp(log) * 0.4 - 0.4], [0.04], relative=np.expm1(log),
                            relative_low=ends[0], relative_high=ends[1], **means))  # fmt: skip
    row = tf.pool_imputations(tables).to_frame().iloc[0]
    spread = np.sqrt((errors**2).mean() + (7 / 6) * logs.var(ddof=1))
    share = 7 / 6 * logs.var(ddof=1) / spread**2
    width = stdtrit(5 / share**2, 0.975) * spread
    assert np.log1p(row["relative_low"]) == pytest.approx(logs.mean() - width)
    assert np.log1p(row["relative_high"]) == pytest.approx(logs.mean() + width)
    assert row["relative"] == pytest.approx(row["estimate"] / row["mean_comparison"])


def test_an_effect_without_an_error_in_one_imputation_has_none_in_the_pool():
    whole = table([0.5, 1.0, -2.0], [0.1, 0.2, 0.3])
    status = ["estimated", "few clusters", "estimated"]
    part = table([0.5, 1.1, -2.1], [0.1, np.nan, 0.3], joint=np.diag([0.01, 0.0, 0.09]),
                 status=status)  # fmt: skip
    gone = table([0.5, 1.1, np.nan], [0.1, 0.2, np.nan], joint=np.diag([0.01, 0.04, np.nan]))
    found = tf.pool_imputations([whole, part, gone])
    rows = found.to_frame()
    assert rows["std_error"].isna().tolist() == [False, True, True]
    for name in ("conf_low", "conf_high", "p_value"):
        assert rows[name].isna().tolist() == [False, True, True]
    assert rows["estimate"].isna().tolist() == [False, False, True]
    assert np.isnan(found.joint[1:]).all()
    assert found.joint[0, 0] == pytest.approx(0.01)
    assert any("2 of 3 effects have no estimate or no error" in note for note in found.notes)
    if "status" in COLUMNS:
        assert rows["status"][1] == "few clusters"
    assert found.table().text()


def test_what_may_not_be_shown_in_one_imputation_may_not_be_shown_of_the_pool():
    shown = table([0.1], [0.05], n_treated=50, n_comparison=400)
    hidden = table([0.2], [0.05], n_treated=9, n_comparison=800)
    text = tf.pool_imputations([shown, hidden, shown]).table().text()
    assert "hidden" in text


def test_notes_say_how_much_was_missing_and_keep_warnings_once():
    first, second = table([0.1, 0.5], [0.1, 0.1]), table([0.5, 0.5], [0.1, 0.1])
    notes = ("12 groups are left out.", "Always."), ("9 groups are left out.", "Always.", "Rare.")
    tables = [Effects(one.frame, one.joint, notes=own) for one, own in
              zip((first, second), notes, strict=True)]  # fmt: skip
    found = tf.pool_imputations(tables)
    assert "Always." in found.notes
    assert "In at least one imputation: Rare." in found.notes
    assert "In at least one imputation: 12 groups are left out." in found.notes
    assert any(note.startswith("Fraction of missing information: at most") and "(o0)" in note
               for note in found.notes)  # fmt: skip


ONE = table([0.1, 0.2], [0.1, 0.1], population=["a", "b"])
REFUSED = {
    "none": ([], "0 table of effects, and at least 2"),
    "one": ([ONE], "1 table of effects, and at least 2"),
    "no effects": ([ONE, ONE.to_frame()], "takes tables of effects"),
    "levels": ([ONE, table([0.1, 0.2], [0.1, 0.1], level=0.9)], "different levels"),
    "fewer rows": ([ONE, ONE.select(population="a")], "table 2 has 1 effects, and table 1 has 2"),
    "another order": (
        [ONE, Effects(ONE.frame.iloc[::-1], ONE.joint)],
        "the same effects in another order",
    ),
    "another population": (
        [ONE, ONE, table([0.1, 0.2], [0.1, 0.1], population=["a", "c"])],
        "table 3 differs from table 1 in population: c and b",
    ),
    "another method": (
        [ONE, table([0.1, 0.2], [0.1, 0.1], population=["a", "b"], method="other")],
        "in method",
    ),
    "another horizon": (
        [ONE, table([0.1, 0.2], [0.1, 0.1], population=["a", "b"], months=12)],
        "in months",
    ),
    "a row twice": (
        [Effects(ONE.frame.assign(outcome="o", population="a"), ONE.joint)] * 2,
        "holds a row twice",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_tables_that_cannot_be_pooled_are_refused(case):
    tables, words = REFUSED[case]
    with pytest.raises(ParameterError, match=words) as caught:
        tf.pool_imputations(tables)
    assert "\n" not in str(caught.value)


def test_a_design_in_each_imputation_pools_to_one_table():
    several = tf.impute(FRAME, NAMES, imputations=4, predictors="y")
    each = []
    for one in several:
        made = tf.study(one, covariates=NAMES)
        assert not any(column.absent for column in made.covariates.columns)
        each.append(
            tf.estimate(tf.weight(made), one[["y", "z"]].assign(v=one["y"] ** 2)[["y", "v"]])
        )
    pooled = tf.pool_imputations(each)
    rows = pooled.to_frame()
    assert rows["outcome"].tolist() == ["y", "v"]
    assert rows["estimate"].to_numpy() == pytest.approx(
        np.mean([one.to_frame()["estimate"] for one in each], axis=0)
    )
    least = np.sqrt(np.mean([one.to_frame()["std_error"] ** 2 for one in each], axis=0))
    assert (rows["std_error"].to_numpy() > least).all()
    assert pooled.settings["imputation"]["count"] == 4
    assert "Pooled over 4 imputations" in repr(pooled)


def test_committed_coverage():
    rows = pd.read_csv(COVERAGE)
    assert (rows["replications"] >= 500).all()
    wide = rows.pivot_table(index="way", columns="setting", values=["coverage", "bias"])
    for setting in ("mcar", "mar"):
        assert 0.93 <= wide.loc["imputed with the outcome", ("coverage", setting)] <= 0.97
        assert abs(wide.loc["imputed with the outcome", ("bias", setting)]) < 0.03
        for way in ("missing indicator", "imputed without the outcome"):
            assert wide.loc[way, ("coverage", setting)] < 0.9
            assert wide.loc[way, ("bias", setting)] > 0.1
    assert wide.loc["complete cases", ("coverage", "mar")] < 0.8
    assert abs(wide.loc["complete cases", ("bias", "mar")]) > 0.15
