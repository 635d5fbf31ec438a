"""Balance against cobalt's numbers, brute force and closed forms, and that it says what fails."""

from __future__ import annotations

import json
import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.text import Text

import tfeval as tf
from tests.impact.golden import weights as golden_weights
from tfeval.display.figures import SMALL
from tfeval.display.tables import hidden_parts
from tfeval.errors import DataError, ParameterError
from tfeval.impact.balance.balance import prognostic_scores
from tfeval.impact.balance.measures import Arms, compare, compare_levels, ks_distances, moments
from tfeval.impact.balance.rows import COLUMNS
from tfeval.impact.design.design import Design
from tfeval.impact.study.study import study

GOLDEN = Path(__file__).parents[1] / "golden"
COVARIATES = ["age", "educ", "race", "married", "nodegree", "re74", "re75"]
NAMES = {"distance": "propensity score", "prop.score": "propensity score"}
MEASURES = {"M.1": "mean_treated", "M.0": "mean_comparison", "Diff": "smd",
            "V.Ratio": "variance_ratio", "KS": "ks"}  # fmt: skip
NUMBERS = [name for name in COLUMNS if name not in ("covariate", "source", "kind", "hidden")]


@cache
def read(name):
    return pd.read_csv(GOLDEN / f"{name}.csv")


def weighed(frame, weights, covariates, treated="treated", estimand="ATT", **more):
    made = study(frame, treated=treated, covariates=covariates, weight=more.pop("sampling", None))
    held = np.asarray(weights, dtype=float)
    fate = (held == 0).astype("int8")
    target = made.treated.astype(float)
    return Design(made, "A design by hand", estimand, held, fate, {}, target=target, **more)


def lalonde_score():
    from statsmodels.api import Logit, add_constant

    data = read("lalonde_data")
    x = pd.get_dummies(data[COVARIATES], columns=["race"], drop_first=True, dtype=float)
    scaled = (x - x.mean()) / x.std()
    return Logit(data["treat"], add_constant(scaled)).fit(disp=0, tol=1e-12).predict()


def lalonde(case):
    data = read("lalonde_data")
    held = weights_of("lalonde", case, data["id"])
    score = lalonde_score() if case.startswith("lalonde_ipw") else held["distance"].to_numpy()
    score = None if np.isnan(score).any() else score
    return weighed(data, held["weight"], COVARIATES, treated="treat", score=score)


def clustered(case):
    data = read("clustered_data")
    held = weights_of("clustered", case, data["id"])
    sampling = "sw" if "_sw" in case else None
    weights = held["weight"] * (data["sw"] if sampling else 1)
    estimand = next((each for each in ("ATE", "ATC", "ATO") if f"_{each.lower()}" in case), "ATT")
    score = held["distance"].to_numpy()
    score = None if np.isnan(score).any() else score
    covariates = ["x1", "x2", "x3", "b1", "group", *(["region"] if "exact_region" in case else [])]
    return weighed(data, weights, covariates, treated="treat", estimand=estimand,
                   sampling=sampling, score=score)  # fmt: skip


def weights_of(name, case, ids):
    return golden_weights(name)[case].reindex(ids).reset_index()


def golden_cases():
    rows = pd.concat([read("lalonde"), read("clustered")])
    return rows.loc[rows["quantity"].str.startswith("bal."), "case"].unique().tolist()


@pytest.mark.parametrize("case", golden_cases())
def test_every_number_of_cobalt_is_reproduced(case):
    name = case.split("_", maxsplit=1)[0]
    made = {"lalonde": lalonde, "clustered": clustered}[name](case)
    found = made.balance().to_frame().set_index("covariate")
    golden = read(name).query("case == @case and quantity.str.startswith('bal.')")
    assert len(golden) >= 60
    for quantity, value in zip(golden["quantity"], golden["value"], strict=True):
        measure, when, label = re.fullmatch(r"bal\.(.+)\.(Un|Adj)\[(.+)\]", quantity).groups()
        row = NAMES.get(label, re.sub("^(race|group)_", r"\1: ", label))
        column = f"{MEASURES[measure]}_{'before' if when == 'Un' else 'after'}"
        assert found.loc[row, column] == pytest.approx(value, rel=1e-6, abs=1e-6), quantity


def brute_ks(treated, comparison, pair):
    points = np.union1d(treated, comparison)
    return max(
        abs(pair[0][treated <= point].sum() - pair[1][comparison <= point].sum())
        for point in points
    )


@given(st.integers(0, 2**32 - 1), st.sampled_from(["normal", "tails", "counts", "spike", "ties"]))
def test_the_ks_distance_is_the_largest_gap(seed, kind):
    rng = np.random.default_rng(seed)
    n, m = rng.integers(1, 150, size=2)
    draw = {
        "normal": lambda size: rng.normal(size=size),
        "tails": lambda size: rng.standard_cauchy(size) ** 3,
        "counts": lambda size: rng.poisson(3, size).astype(float),
        "spike": lambda size: np.where(rng.random(size) < 0.7, 0.0, rng.lognormal(5, 2, size)),
        "ties": lambda size: rng.choice([0.1, 1e-9, -1e6, 5.5], size),
    }[kind]
    treated, comparison = draw(n), draw(m)
    pairs = []
    for _ in range(2):
        held = rng.random(n) * (rng.random(n) < 0.8) + 1e-3, rng.random(m) + 1e-3
        pairs.append(tuple(part / part.sum() for part in held))
    found = ks_distances(treated, comparison, pairs)
    assert found == pytest.approx([brute_ks(treated, comparison, pair) for pair in pairs])


def test_the_ks_distance_is_scipy_s_at_a_size_where_bins_are_skipped():
    from scipy.stats import ks_2samp

    rng = np.random.default_rng(1)
    treated, comparison = rng.normal(size=30_000), rng.normal(0.02, 1.01, size=50_000)
    even = np.full(30_000, 1 / 30_000), np.full(50_000, 1 / 50_000)
    expected = ks_2samp(treated, comparison).statistic
    assert ks_distances(treated, comparison, [even])[0] == pytest.approx(expected, abs=1e-12)


def test_a_gap_in_the_very_tails_is_found():
    shared = np.linspace(1, 2, 996) ** 3
    for far, near in ((-10.0, -5.0), (1e9, 1e4)):
        treated, comparison = np.r_[shared, [far] * 4], np.r_[shared, [near] * 4]
        even = (np.full(1000, 1e-3),) * 2
        assert ks_distances(treated, comparison, [even]) == pytest.approx([0.004])


def test_moments_are_those_of_repeated_rows():
    values = np.array([1.0, 4.0, 9.0]) + 1e9
    mean, variance = moments(values, np.array([2.0, 1.0, 1.0]) / 4)
    repeated = np.array([1.0, 1.0, 4.0, 9.0])
    assert mean - 1e9 == pytest.approx(repeated.mean())
    # The weighted form: 1 less the sum of squared weights, not n - 1.
    assert variance == pytest.approx(repeated.var() / (1 - 6 / 16))


@pytest.fixture
def people():
    rng = np.random.default_rng(5)
    n = 600
    treated = rng.random(n) < 0.3
    return pd.DataFrame(
        {
            "treated": treated,
            "age": rng.normal(35, 9, n) + 4 * treated,
            "arrears": np.where(rng.random(n) < 0.5, 0, rng.lognormal(5, 1, n)),
            "children": rng.integers(0, 5, n),
            "alone": rng.random(n) < 0.4,
            "region": rng.choice(["north", "east", "west"], n, p=[0.5, 0.3, 0.2]),
            "weight": rng.random(n) + 0.5,
        },
        index=[f"f{number}" for number in range(n)],
    )


ALL = ["age", "arrears", "children", "alone", "region"]


def some_weights(people):
    rng = np.random.default_rng(6)
    return np.where(people["treated"], 1.0, rng.random(len(people)) * (rng.random(len(people)) < 1))


def test_rows_are_every_covariate_and_level_with_fixed_columns(people):
    people["income"] = np.where(people["age"] > 40, np.nan, people["age"] * 2)
    score = np.linspace(0.1, 0.9, len(people))
    design = weighed(people, some_weights(people), [*ALL, "income"], score=score)
    frame = design.balance(squares=True).to_frame()
    assert tuple(frame.columns) == COLUMNS
    assert frame["covariate"].tolist() == [
        "age", "age squared", "arrears", "arrears squared", "children", "children squared",
        "alone", "region: east", "region: north", "region: west", "income", "income squared",
        "income: missing", "propensity score",
    ]  # fmt: skip
    assert frame["kind"].tolist() == [
        "number", "square", "number", "square", "number", "square", "binary",
        "level", "level", "level", "number", "square", "missing", "score",
    ]  # fmt: skip
    shares = frame["kind"].isin(["binary", "level", "missing"])
    assert frame.loc[shares, ["variance_ratio_before", "variance_ratio_after"]].isna().all(None)
    assert frame[frame["kind"] == "level"]["mean_treated_after"].sum() == pytest.approx(1)


def test_a_missing_value_is_compared_by_its_indicator_and_not_by_the_mean_that_fills_it(people):
    people["income"] = np.where(people["alone"], np.nan, people["age"])
    frame = weighed(people, np.ones(len(people)), ["income", "alone"]).balance().to_frame()
    frame = frame.set_index("covariate")
    known = people[~people["alone"]]
    treated, other = (known.loc[known["treated"] == arm, "age"] for arm in (True, False))
    expected = (treated.mean() - other.mean()) / treated.std()
    assert frame.loc["income", "smd_before"] == pytest.approx(expected)
    indicator = frame.loc["income: missing", NUMBERS].astype(float)
    assert np.allclose(indicator, frame.loc["alone", NUMBERS].astype(float), equal_nan=True)


@pytest.mark.parametrize("estimand", ["ATT", "ATC", "ATE", "ATO"])
def test_the_denominator_is_of_the_population_unless_told(people, estimand):
    design = weighed(people, some_weights(people), ["age"], estimand=estimand, sampling="weight")
    spread = {}
    for who, arm in (("treated", people["treated"]), ("comparison", ~people["treated"])):
        values, held = people.loc[arm, "age"], people.loc[arm, "weight"]
        share = held / held.sum()
        mean = (share * values).sum()
        spread[who] = (share * (values - mean) ** 2).sum() / (1 - (share**2).sum())
    spread["pooled"] = (spread["treated"] + spread["comparison"]) / 2
    default = {"ATT": "treated", "ATC": "comparison"}.get(estimand, "pooled")
    assert design.balance().to_frame()["sd"][0] == pytest.approx(np.sqrt(spread[default]))
    for who, variance in spread.items():
        told = design.balance(denominator=who)
        assert told.to_frame()["sd"][0] == pytest.approx(np.sqrt(variance))
        assert {"treated": "of the treated", "comparison": "of the comparison",
                "pooled": "pooled"}[who] in repr(told)  # fmt: skip
    with pytest.raises(ParameterError, match="denominator is"):
        design.balance(denominator="control")


def test_sampling_weights_count_before_as_after(people):
    weights = people["weight"].to_numpy()
    frame = weighed(people, weights, ALL, sampling="weight").balance().to_frame()
    before = frame[[name for name in NUMBERS if name.endswith("before")]].to_numpy()
    after = frame[[name for name in NUMBERS if name.endswith("after")]].to_numpy()
    assert np.allclose(before, after, equal_nan=True)
    bare = weighed(people, weights, ALL).balance().to_frame()
    assert not np.allclose(frame["smd_before"], bare["smd_before"])
    assert np.allclose(frame["mean_treated_after"], bare["mean_treated_after"])


def numbers(design):
    frame = design.balance(squares=False).to_frame().set_index("covariate")
    return frame[NUMBERS].astype(float)


def test_the_order_of_rows_and_the_size_of_weights_change_nothing(people):
    weights = some_weights(people)
    first = numbers(weighed(people, weights, ALL))
    order = np.random.default_rng(0).permutation(len(people))
    again = numbers(weighed(people.iloc[order], weights[order], ALL))
    larger = numbers(weighed(people, weights * np.where(people["treated"], 7, 0.01), ALL))
    assert np.allclose(first, again, equal_nan=True)
    assert np.allclose(first, larger, equal_nan=True)


def test_another_unit_or_zero_changes_no_standardised_number(people):
    weights = some_weights(people)
    scaled = people.assign(age=1e7 - 0.01 * people["age"], arrears=people["arrears"] * 1e6 + 3,
                           alone=5 - 2.0 * people["alone"])  # fmt: skip
    first, again = (numbers(weighed(each, weights, ALL)) for each in (people, scaled))
    sign = np.array([-1, 1, 1, -1, 1, 1, 1])
    for when in ("before", "after"):
        assert np.allclose(first[f"smd_{when}"], sign * again[f"smd_{when}"], atol=1e-6)
        for name in (f"ks_{when}", f"variance_ratio_{when}"):
            assert np.allclose(first[name], again[name], equal_nan=True, atol=1e-6)


def test_other_names_for_levels_change_names_only(people):
    weights = some_weights(people)
    renamed = people.assign(region=people["region"].map({"north": "A", "east": "Z", "west": "M"}))
    first, again = (numbers(weighed(each, weights, ALL)) for each in (people, renamed))
    pairs = {"north": "A", "east": "Z", "west": "M"}
    for old, new in pairs.items():
        expected = first.loc[f"region: {old}"]
        assert np.allclose(again.loc[f"region: {new}"], expected, equal_nan=True)


def test_swapping_the_arms_turns_the_differences_around(people):
    swapped = people.assign(treated=~people["treated"])
    even = np.ones(len(people))
    first = weighed(people, even, ALL).balance(denominator="pooled").to_frame()
    again = weighed(swapped, even, ALL).balance(denominator="pooled").to_frame()
    assert np.allclose(first["smd_before"], -again["smd_before"])
    assert np.allclose(first["ks_before"], again["ks_before"])
    product = (first["variance_ratio_before"] * again["variance_ratio_before"]).dropna()
    assert len(product) == 3 and np.allclose(product, 1)


def test_levels_are_as_columns_of_their_own(people):
    arms = Arms(people["treated"].to_numpy(), people["weight"].to_numpy(), some_weights(people))
    codes = people["region"].astype("category").cat.codes.to_numpy()
    for code, found in enumerate(compare_levels(codes, [0, 1, 2], arms)):
        expected = compare(codes == code, arms)
        for one, other in zip(found, expected, strict=True):
            assert np.allclose(one, other, equal_nan=True)


def test_a_covariate_constant_in_an_arm_is_compared_by_the_spread_of_all(people):
    treated = people["treated"].to_numpy()
    people["same"] = np.where(treated, 7.1, people["age"])
    people["flag"] = treated | people["alone"].to_numpy()
    people["apart"] = treated * 0.3
    design = weighed(people, np.ones(len(people)), ["same", "flag", "apart"])
    found = design.balance()
    frame = found.to_frame().set_index("covariate")
    assert frame.loc["same", "sd"] == pytest.approx(people["same"].std())
    assert frame.loc["same", "variance_ratio_after"] == 0
    share = people["flag"].mean()
    assert frame.loc["flag", "sd"] == pytest.approx(np.sqrt(share * (1 - share)))
    assert np.isfinite(frame["smd_after"]).all() and frame.loc["apart", "ks_after"] == 1
    assert found.verdict().word == "not_balanced"
    assert {"same", "flag", "apart"} <= set(found.verdict().covariates)


def test_a_single_treated_unit_has_no_spread_and_no_verdict_of_balance():
    frame = pd.DataFrame({"treated": [1] + [0] * 30, "age": np.arange(31.0)})
    found = weighed(frame, np.ones(31), ["age"]).balance()
    assert np.isnan(found.to_frame()["variance_ratio_after"][0])
    assert found.verdict().word == "not_balanced"
    assert "hidden" in repr(found)


def test_the_verdict_follows_its_thresholds(people):
    treated = people["treated"].to_numpy()
    twin = pd.concat([people[treated], people[treated].assign(treated=False)], ignore_index=True)
    alike = weighed(twin, np.ones(len(twin)), ALL).balance()
    assert alike.verdict().word == "balanced" and alike.verdict().failing.empty
    spread = np.sqrt(twin.loc[twin["treated"], "age"].var())
    words = []
    for shift in (0.05, 0.2, 0.3):
        moved = twin.assign(age=twin["age"] + shift * spread * twin["treated"])
        found = weighed(moved, np.ones(len(twin)), ["age"]).balance(thresholds={"ks": 1})
        assert found.to_frame()["smd_after"][0] == pytest.approx(shift)
        words.append(found.verdict().word)
    assert words == ["balanced", "partly", "not_balanced"]
    stricter = weighed(moved, np.ones(len(twin)), ["age"]).balance(thresholds={"smd_limit": 0.4})
    assert stricter.verdict().word == "partly" and "0.4" in str(stricter.verdict())


def test_a_spread_a_tail_few_effective_units_and_many_dropped_are_named(people):
    treated = people["treated"].to_numpy()
    twin = pd.concat([people[treated], people[treated].assign(treated=False)], ignore_index=True)
    age = twin["age"] - twin["age"].mean()
    wide = twin.assign(age=np.where(twin["treated"], 2 * age, age))
    failing = weighed(wide, np.ones(len(wide)), ["age"]).balance().verdict().failing
    assert set(failing["measure"]) == {"variance_ratio", "ks"}
    weights = np.ones(len(twin))
    weights[len(twin) // 2] = 1e6
    lone = weighed(twin, weights, ["age"]).balance().verdict()
    assert "ess_comparison" in set(lone.failing["measure"])
    assert "few comparison units" in str(lone)
    weights = np.where(twin["treated"] & (np.arange(len(twin)) % 5 == 0), 0.0, 1.0)
    dropped = weighed(twin, weights, ["age"]).balance()
    assert dropped.dropped == pytest.approx(0.2, abs=0.01)
    assert "the treated are left out" in str(dropped.verdict())
    assert weighed(twin, weights, ["age"], estimand="ATO").balance().dropped == 0
    assert weighed(twin, weights, ["age"], estimand="ATC").balance().dropped == 0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"smdd": 0.1}, "Did you mean smd"),
        ({"smd": -1}, "at least 0"),
        ({"smd": 0.3}, "above smd_limit"),
        ({"variance_ratio": 0.5}, "upper end"),
    ],
)
def test_thresholds_that_make_no_sense_are_refused(people, given, message):
    with pytest.raises(ParameterError, match=message):
        weighed(people, some_weights(people), ["age"]).balance(thresholds=given)


class Roles(HTMLParser):
    """Collects the roles and the order of what a page holds."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found.append(dict(attrs).get("role") or tag)


def test_failure_is_announced_before_the_table_in_words(people):
    bundle = tf.balance(lalonde("lalonde_nn_1to1"))._repr_mimebundle_()
    parser = Roles()
    parser.feed(bundle["text/html"])
    assert parser.found[0] == "alert" and "table" in parser.found
    assert "WARNING: NOT BALANCED" in bundle["text/html"].split("<table>")[0]
    lines = bundle["text/plain"].splitlines()
    assert set(lines[0]) == {"!"} and "WARNING: NOT BALANCED" in lines[1]
    assert "race: black" in bundle["text/plain"].split("Balance before and after")[0]
    twin = pd.concat([people[people["treated"]]] * 2, ignore_index=True)
    twin["treated"] = np.arange(len(twin)) < len(twin) / 2
    calm = weighed(twin, np.ones(len(twin)), ALL).balance()._repr_mimebundle_()
    assert "WARNING" not in str(calm) and "role=" not in calm["text/html"]
    assert calm["text/plain"].startswith("Balanced (A design by hand).")


@given(st.lists(st.lists(st.integers(0, 60), min_size=2, max_size=2), min_size=1, max_size=8))
def test_no_hidden_part_can_be_worked_out_as_small(parts):
    counts = np.array(parts)
    hidden = hidden_parts(counts)
    assert hidden[(counts < 10).any(axis=1)].all()
    if hidden.any() and not hidden.all():
        assert (counts[hidden].sum(axis=0) >= 10).all()
    if not (counts < 10).any():
        assert not hidden.any()


def rare(people):
    people["seldom"] = np.arange(len(people)) % 200 == 0
    people["place"] = np.where(people["seldom"], "islet", people["region"])
    return weighed(people, some_weights(people), ["age", "seldom", "place"])


def test_small_numbers_stay_in_on_displays_and_not_in_the_frame(people):
    found = rare(people).balance()
    frame = found.to_frame().set_index("covariate")
    assert frame["hidden"].to_dict()["seldom"] and not frame["hidden"]["age"]
    levels = frame[frame["source"] == "place"]
    assert levels["hidden"].sum() == 2, "one hidden level alone would be 1 less the others"
    assert np.isfinite(frame["mean_treated_before"]).all()
    for row in found.summary().rows:
        name, cells = row[0].text, [cell.text for cell in row[1:]]
        if frame["hidden"][name]:
            assert cells.count("hidden") >= 4
            assert not any(re.fullmatch(r"-?[\d,.]+", cell) for cell in cells)
    drawn = found.plot().data.set_index("label")
    assert drawn.loc[frame.index[frame["hidden"]]].isna().all(None)
    assert drawn.index[-3:].tolist() == frame.index[frame["hidden"]].tolist()
    shares = rare(people).distribution("place").data
    assert set(shares.loc[shares["share"].isna(), "label"]) == {
        name.removeprefix("place: ") for name in levels.index[levels["hidden"]]
    }


def test_an_overlap_plot_draws_the_weighted_shares_of_bars_of_ten_or_more(people):
    score = np.random.default_rng(3).beta(2, 5, len(people))
    weights = some_weights(people)
    design = weighed(people, weights, ["age"], score=score)
    data = design.overlap().data
    low, high = data["low"].min(), data["high"].max()
    for when, held in (("before", np.ones(len(people))), ("after", weights)):
        for arm, mask in (("treated", people["treated"]), ("comparison", ~people["treated"])):
            part = data[(data["when"] == when) & (data["arm"] == arm)]
            inside = np.clip(score, low, high - 1e-9)
            for row in part.itertuples():
                here = mask & (inside >= row.low - 1e-12) & (inside < row.high - 1e-12)
                expected = held[here].sum() / held[mask].sum()
                if np.isnan(row.share):
                    continue
                assert (here & (held > 0)).sum() >= 10
                assert row.share == pytest.approx(expected, abs=6e-4)
    with pytest.raises(ParameterError, match="no propensity score"):
        weighed(people, weights, ["age"]).overlap()


def test_charts_of_every_kind_of_covariate_have_words_and_json(people):
    people["income"] = np.where(people["age"] > 40, np.nan, people["age"] * 2)
    design = weighed(people, some_weights(people), [*ALL, "income"],
                     score=np.linspace(0.1, 0.9, len(people)))  # fmt: skip
    charts = [design.balance().plot(), design.overlap()]
    charts += [design.distribution(name) for name in [*ALL, "income", "region: east"]]
    for chart in charts:
        assert chart.png()[:4] == b"\x89PNG"
        texts = [text for text in chart.figure.findobj(Text) if text.get_text()]
        sizes = [text.get_fontsize() for text in texts]
        assert min(sizes) >= SMALL
        json.dumps(chart.content(), allow_nan=False)
    assert charts[0].png() == design.balance().plot().png()
    with pytest.raises(ParameterError, match="Did you mean region"):
        design.distribution("regions")


def test_a_prognostic_score_is_least_squares_on_the_comparison_units(people):
    from statsmodels.api import WLS, add_constant

    rng = np.random.default_rng(8)
    outcome = people["age"] * 2 + people["arrears"] / 50 + rng.normal(size=len(people))
    outcome[people["treated"]] += 1000  # an effect must not leak into the score
    design = weighed(people, some_weights(people), ALL, sampling="weight")
    frame = pd.DataFrame({"debts": outcome, "later": outcome.where(people["children"] > 0)})
    found = prognostic_scores(design.study, frame)
    x = add_constant(design.study.covariates.matrix)
    for name, values in frame.items():
        use = ~people["treated"] & values.notna()
        fitted = WLS(values[use], x[use], weights=people.loc[use, "weight"]).fit()
        assert np.allclose(found[f"prognostic score: {name}"], x @ fitted.params.to_numpy())
    rows = design.balance(prognosis=frame).to_frame().set_index("covariate")
    score = found["prognostic score: debts"]
    series = design.balance(prognosis=pd.Series(score, people.index, name="debts")).to_frame()
    again = series.set_index("covariate").loc["prognostic score: debts", NUMBERS].astype(float)
    expected = rows.loc["prognostic score: debts", NUMBERS].astype(float)
    assert np.allclose(again, expected, equal_nan=True)
    turned = design.balance(prognosis=frame.iloc[::-1]).to_frame().set_index("covariate")
    assert np.allclose(turned[NUMBERS].astype(float), rows[NUMBERS].astype(float), equal_nan=True)


def test_a_prognosis_that_does_not_fit_is_refused(people):
    design = weighed(people, some_weights(people), ["age"])
    with pytest.raises(DataError, match="lack fewer than 10 of the study's 600"):
        design.balance(prognosis=people[["arrears"]].iloc[5:])
    with pytest.raises(DataError, match="Give numbers"):
        design.balance(prognosis=people[["region"]])
    with pytest.raises(DataError, match="missing or infinite"):
        design.balance(prognosis=people["arrears"].where(people["arrears"] > 0))
    with pytest.raises(DataError, match="too few comparison units"):
        design.balance(prognosis=people[["arrears"]].where(people["treated"], np.nan))
    with pytest.raises(ParameterError, match="a frame of outcomes"):
        design.balance(prognosis=[1, 2])


def test_nothing_given_is_changed_and_nothing_kept_can_be(people):
    before = people.copy()
    design = weighed(people, some_weights(people), ALL)
    weights = design.weights.copy()
    found = design.balance(squares=True, prognosis=people[["arrears"]])
    found.to_frame()["smd_after"] = 0.0
    pd.testing.assert_frame_equal(people, before)
    assert np.array_equal(weights, design.weights)
    assert found.to_frame()["smd_after"].abs().max() > 0
    assert not hasattr(found, "prognosis")
