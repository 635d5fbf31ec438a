"""What knowing more is worth: closed forms against nested draws, prices by hand, mixtures."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import tfeval as tf
from tests.money.appraised import CRIME, PLAIN, effects_of, price_list, whole
from tfeval.errors import DataError, ParameterError
from tfeval.impact.effects.effects import Effects
from tfeval.impact.effects.power import ClusteredDesign
from tfeval.money.designs import DesignAppraisals
from tfeval.money.information import expected_given, perfect_information

ALONE = {**PLAIN, "families": 1_000, "horizon": 1, "unit_cost_table": CRIME}
TWO = pd.concat([CRIME, price_list(("asb_incidents", "all", 80.0, "MoJ", "no"), spread=0.5)])
SD = {"offences": 3.0, "asb_incidents": 4.0}


def only_the_effect(estimate=-0.2, error=0.15, cost=20_000.0, **asked):
    """Return an appraisal whose value is normal: £150,000 x (0.2 +- 0.15) less the cost."""
    effects = effects_of({"offences": estimate}, {"offences": error})
    return tf.appraise(effects, cost, **{**ALONE, **asked})


def two_effects(rho=0.4, cost=60_000.0, **asked):
    """Return an appraisal of two effects that go together; unit costs and persistence unknown."""
    made = effects_of({"offences": -0.2, "asb_incidents": -0.3},
                      {"offences": 0.15, "asb_incidents": 0.2}, mean_comparison=[0.8, 1.2],
                      ess_comparison=500.0)  # fmt: skip
    together = rho * 0.15 * 0.2
    effects = Effects(made.frame, np.array([[0.0225, together], [together, 0.04]]))
    return tf.appraise(
        effects, cost,
        **{**ALONE, "unit_cost_table": TWO, "horizon": 3, "persistence": (0.5, 0.1, 0.9), **asked},
    )  # fmt: skip


def loss(mean, sd):
    """Return the unit normal loss times sd, by integration."""
    grid = np.linspace(mean - 12 * sd, mean + 12 * sd, 400_001)
    gain = np.maximum(grid, 0.0) - (grid if mean >= 0 else 0.0)
    return float(np.trapezoid(gain * stats.norm.pdf(grid, mean, sd), grid))


# ------------------------------------------------------------------ perfect information


@pytest.mark.parametrize("cost", [20_000, 60_000, 30_000])
def test_perfect_information_about_a_normal_value_is_its_unit_normal_loss(cost):
    found = only_the_effect(cost=cost)
    drawn = found.uncertainty(draws=400_000)
    known = loss(found.npv, 22_500)
    table = tf.value_of_information(found, drawn, phase="one").set_index("known")
    assert table.loc["everything", "value"] == pytest.approx(known, rel=0.02)
    # Nothing else is uncertain, so to know the effects is to know everything.
    effects, everything = table.loc[["effects", "everything"], "value"]
    assert effects == pytest.approx(everything, rel=1e-9)
    assert table.loc["unit costs", "value"] == pytest.approx(0.0, abs=1e-6)
    times = known / tf.evaluation_cost(found, "one").value
    assert table.loc["everything", "evaluations"] == pytest.approx(times, rel=0.02)


def test_expectations_given_one_group_match_regressions_of_the_draws():
    table = price_list(("offences", "police", 150.0, "MoJ", "no"), spread=0.6)
    found = only_the_effect(
        unit_cost_table=table, horizon=4, persistence=(0.5, 0.1, 0.9), cost=40_000
    )
    drawn = found.uncertainty(draws=100_000)
    known = expected_given(found.model, drawn.drawn)
    inputs = {
        "effects": drawn.drawn.effect[:, 0],
        "unit costs": drawn.drawn.amount[:, 0],
        "persistence": drawn.drawn.powers[:, 0, 1],
    }
    for name, given in inputs.items():
        curve = np.polynomial.Polynomial.fit(given, drawn.npv, deg=5)(given)
        assert np.corrcoef(curve, known[name])[0, 1] > 0.995
        assert perfect_information(curve) == pytest.approx(
            perfect_information(known[name]), abs=150
        )
    values = tf.value_of_information(found, drawn, phase="one").set_index("known")["value"]
    assert (values >= 0).all()
    assert (values.drop("everything") <= values["everything"] + 1e-9).all()


def test_the_monte_carlo_error_is_the_spread_over_seeds():
    found = two_effects()
    tables = [
        tf.value_of_information(found, found.uncertainty(600, seed), phase="one").set_index("known")
        for seed in range(80)
    ]
    values = pd.concat([one["value"] for one in tables], axis=1)
    errors = pd.concat([one["error"] for one in tables], axis=1)
    ratio = np.sqrt((errors.loc["everything"] ** 2).mean()) / values.loc["everything"].std()
    assert 0.75 < ratio < 1.33
    assert (errors.loc["programme costs"] == 0).all()  # they are known
    # What effects tell needs no draws; with doubt, which is no normal, it does.
    assert errors.loc["effects"].max() < 1e-6
    doubt = pd.DataFrame({"world": ["a", "a", "b", "b"], "weight": 1.0, "relative": [0.0, 0, 1, 1],
                          "outcome": ["offences", "asb_incidents"] * 2})  # fmt: skip
    doubted = tf.with_doubt(found, found.uncertainty(600), doubt)
    rows = tf.value_of_information(found, doubted, phase="one").set_index("known")
    assert rows.loc["effects", "error"] > 0


@pytest.mark.parametrize("seed", range(12))
def test_to_know_all_is_worth_no_less_than_a_part_and_a_study_no_more_than_its_effects(seed):
    rng = np.random.default_rng(seed)
    found = two_effects(rho=float(rng.uniform(-0.9, 0.9)), cost=float(rng.uniform(2e4, 1.2e5)))
    drawn = found.uncertainty(300, seed)
    rows = tf.value_of_information(found, drawn, phase="one").set_index("known")["value"]
    assert (rows >= 0).all()
    assert rows["everything"] == rows.max()
    worth = tf.value_of_study(found, drawn, phase="one", sd=SD, families=[0, 50, 1e3, 1e5, 1e9])
    values = worth.frame["value"].to_numpy()
    assert (np.diff(values) >= 0).all()
    assert values[0] == 0 < values[-1] <= worth.limit * (1 + 1e-9)
    assert worth.limit == pytest.approx(rows["effects"], rel=1e-9)


# ------------------------------------------------------------------ one price base, one base year


@pytest.mark.parametrize("price_year", [2012, 2024])
def test_the_evaluation_is_in_the_appraisal_s_prices_and_year(price_year):
    found = only_the_effect(price_year=price_year, base_year=2011)
    gdp = tf.published("deflators").query("figure == 'gdp_deflator_financial_year'")
    level = dict(zip(gdp["period"].str[:4].astype(int), gdp["value"], strict=True))
    paid = (335_000 + 100_000) * np.array([level[price_year] / level[year]
                                           for year in (2013, 2014, 2015)])  # fmt: skip
    cost = tf.evaluation_cost(found, "one")
    assert cost.value == pytest.approx(paid @ (1.035 ** -np.array([2.0, 3.0, 4.0])))
    assert cost.cash == 3 * 435_000
    assert cost.phase == "one"


def test_another_phase_takes_the_contract_that_was_seen_as_long_after_its_start():
    one = tf.evaluation_cost(only_the_effect(base_year=2012), "one")
    two = tf.evaluation_cost(only_the_effect(first_year=2015, base_year=2015), "two")
    assert two.phase == "one"
    assert two.value == pytest.approx(one.value)
    with pytest.raises(ParameterError, match="base year, 2020"):
        tf.evaluation_cost(only_the_effect(first_year=2020), "two")


def test_the_next_cohort_is_the_phase_that_follows():
    assert (tf.next_cohort("two").phase, tf.next_cohort("two").families) == (
        "supporting_families", 300_000)  # fmt: skip
    last = tf.next_cohort("supporting_families")
    assert (last.phase, last.families, last.years_later) == ("supporting_families", 300_000, 3)
    assert tf.next_cohort("one").sources[0].url.startswith("http")


# ------------------------------------------------------------------ the worth of a study


def nested(found, drawn, size, rows, *, outer=4_000, inner=8_000):
    """Return the worth of a study by brute force: weighted draws of everything for each data set.

    No conjugate formula: of each data set the posterior is the prior's draws, weighted by how
    likely they make it. The worth is the mean of what the choice made without the study loses.
    """
    rng = np.random.default_rng(5)
    error = np.array([SD[name] for name in found.model.outcomes]) * np.sqrt(2 / size)
    own = np.sqrt(np.diag(found.model.covariance))
    sampling = (found.model.covariance / np.outer(own, own) * np.outer(error, error))[
        np.ix_(rows, rows)
    ]
    held, mean = drawn.drawn.effect[:inner][:, rows], drawn.npv.mean()
    # These draws' mean is that of all: it decides, and would be the largest part of the chance.
    values = drawn.npv[:inner] - drawn.npv[:inner].mean() + mean
    true = drawn.drawn.effect[inner : inner + outer][:, rows]
    seen = true + rng.multivariate_normal(np.zeros(len(rows)), sampling, len(true))
    inverse, lost = np.linalg.inv(sampling), []
    for data in seen:
        gap = held - data
        likely = -0.5 * ((gap @ inverse) * gap).sum(axis=1)
        weight = np.exp(likely - likely.max())
        expected = float(weight @ values / weight.sum())
        lost.append(max(expected, 0.0) - expected * (mean >= 0))
    return float(np.mean(lost)), float(np.std(lost) / np.sqrt(len(lost)))


@pytest.mark.parametrize(
    ("size", "rows", "asked"),
    [
        (400, (0, 1), {}),
        (150, (0, 1), {"cost": 75_000.0}),
        (400, (1,), {}),
        # With an optimism bias value has a kink at 0, and the closed form is near.
        (400, (0, 1), {"optimism_bias": 0.3, "cost": 45_000.0}),
    ],
)
def test_the_closed_form_is_what_nested_draws_give(size, rows, asked):
    found = two_effects(**asked)
    drawn = found.uncertainty(draws=100_000)
    worth = tf.value_of_study(found, drawn, phase="one", families=[size], sd=SD)
    alone = worth.by_outcome.set_index("outcome")["value"]
    closed = worth.frame["value"].iloc[0] if len(rows) == 2 else alone["asb_incidents"]
    assert closed > 500  # pounds: there is something to find
    forced, chance = nested(found, drawn, size, rows)
    assert chance < 0.07 * closed
    assert forced == pytest.approx(closed, abs=3 * chance + 0.02 * closed)


def test_of_one_outcome_it_is_the_textbook_s():
    found = only_the_effect(error=0.15)
    drawn = found.uncertainty(draws=200_000)
    worth = tf.value_of_study(found, drawn, phase="one", families=[800], sd=SD, reference=400)
    before, chance = 0.15**2, 9.0 * 2 / 800
    spread = 150_000 * np.sqrt(before**2 / (before + chance))
    row = worth.frame.iloc[0]
    assert row["value"] == pytest.approx(loss(10_000, spread), rel=0.01)
    assert row["resolved"] == pytest.approx(before / (before + chance))
    # Phase two's 400,000 families, three years later, for 1,000 here; twice the families, twice
    # the cost.
    assert row["next_value"] == pytest.approx(row["value"] * 400 / 1.035**3)
    assert row["cost"] == pytest.approx(2 * tf.evaluation_cost(found, "one").value)
    assert row["net_benefit"] == pytest.approx(row["next_value"] - row["cost"])
    fewer = tf.value_of_study(found, drawn, phase="one", families=[800], sd=SD, reference=400,
                              next_families=4_000)  # fmt: skip
    assert fewer.frame["next_value"].iloc[0] == pytest.approx(row["next_value"] / 100)


@pytest.mark.parametrize("cost", [50_000.0, 75_000.0, 110_000.0])
def test_a_study_is_worth_no_more_than_knowing_and_more_the_larger(cost):
    found = two_effects(cost=cost)
    drawn = found.uncertainty(draws=100_000)
    sizes = [0, 1, 100, 1_000, 10_000, 10_000_000]
    worth = tf.value_of_study(found, drawn, phase="one", families=sizes, sd=SD)
    values = worth.frame["value"].to_numpy()
    assert values[0] == 0
    assert (np.diff(values) >= 0).all()
    assert (np.diff(values[1:]) > 0).all()
    assert values[-1] == pytest.approx(worth.limit, rel=1e-3)
    known = tf.value_of_information(found, drawn, phase="one").set_index("known")
    effects, everything = known.loc["effects"], known.loc["everything"]
    assert worth.limit == pytest.approx(effects["value"], abs=4 * effects["error"])
    assert effects["value"] <= everything["value"]
    alone = worth.by_outcome["value"].to_numpy()
    assert (alone <= worth.limit).all()
    assert worth.by_outcome["value"].is_monotonic_decreasing


def test_an_outcome_that_cannot_move_value_is_worth_nothing_alone():
    found = two_effects(rho=0.0, unit_cost_table=pd.concat([
        CRIME, price_list(("asb_incidents", "all", 0.0, "MoJ", "no"))]), cost=30_000.0)  # fmt: skip
    drawn = found.uncertainty(draws=2_000)
    worth = tf.value_of_study(found, drawn, phase="one", families=[500], sd=SD)
    alone = worth.by_outcome.set_index("outcome")
    assert alone.loc["asb_incidents", "resolved"] == pytest.approx(0.0, abs=1e-12)
    assert alone.loc["offences", "value"] == pytest.approx(worth.frame["value"].iloc[0])


def test_authorities_count_as_in_a_study_s_power():
    found = only_the_effect()
    drawn = found.uncertainty(draws=2_000)
    asked = {"clusters": 50, "icc": 0.05, "allocation": "between"}
    made = tf.value_of_study(found, drawn, phase="one", families=[500, 50_000], sd=SD,
                             reference=400, **asked)  # fmt: skip
    error = ClusteredDesign(np.array([500, 50_000]), np.array([500, 50_000]), **asked).std_error(3)
    before = 0.15**2
    assert made.frame["resolved"].to_numpy() == pytest.approx(before / (before + error**2))
    plain = tf.value_of_study(found, drawn, phase="one", families=[500, 50_000], sd=SD,
                              reference=400)  # fmt: skip
    assert (made.frame["value"] < plain.frame["value"]).all()


def test_best_is_where_the_next_pound_buys_no_more_and_none_where_none_pays():
    found = two_effects(cost=75_000.0)
    drawn = found.uncertainty(draws=20_000)
    sizes = [100, 1_000, 3_000, 10_000, 30_000, 1_000_000]
    worth = tf.value_of_study(found, drawn, phase="one", families=sizes, sd=SD)
    assert worth.best is not None
    assert worth.best["net_benefit"] == worth.frame["net_benefit"].max()
    assert 100 < worth.best["families"] < 1_000_000
    assert (worth.by_outcome["families"] == worth.best["families"]).all()
    few = tf.value_of_study(found, drawn, phase="one", families=sizes, sd=SD, next_families=10)
    assert few.best is None
    # A programme that costs a hundred times what it could bring: no study changes the answer.
    dear = two_effects(cost=10_000_000.0)
    none = tf.value_of_study(dear, dear.uncertainty(2_000), phase="one", families=[10_000], sd=SD)
    assert none.frame["value"].iloc[0] < 1e-6


def test_what_cannot_be_sized_is_said():
    found = two_effects()
    drawn = found.uncertainty(draws=500)
    with pytest.raises(DataError, match="sd_comparison is missing"):
        tf.value_of_study(found, drawn, phase="one")
    part = tf.value_of_study(found, drawn, phase="one", sd={"offences": 3.0})
    assert part.not_measured == ("asb_incidents",)
    assert part.by_outcome["outcome"].tolist() == ["offences"]
    with pytest.raises(DataError, match="give reference="):
        tf.value_of_study(only_the_effect(), only_the_effect().uncertainty(500), phase="one", sd=SD)
    with pytest.raises(ParameterError, match="none below 0"):
        tf.value_of_study(found, drawn, phase="one", sd=SD, families=[-1])


# ------------------------------------------------------------------ doubt about the comparison

WORLDS = pd.DataFrame({
    "world": ["right", "right", "flattered", "flattered"], "weight": [3.0, 3.0, 1.0, 1.0],
    "outcome": ["offences", "asb_incidents"] * 2, "relative": [0.0, 0.0, -0.3, 0.1],
})  # fmt: skip


def test_doubt_is_a_mixture_over_worlds_and_moves_effects_together():
    found = two_effects()
    drawn = found.uncertainty(draws=200_000)
    doubted = tf.with_doubt(found, drawn, WORLDS)
    # Errors of -0.3 x 0.8 and 0.1 x 1.2, in a quarter of the draws, taken off.
    off = np.array([-0.24, 0.12])
    assert doubted.model.estimate == pytest.approx(found.model.estimate - off / 4)
    joint = found.model.covariance + 3 / 16 * np.outer(off, off)
    assert doubted.model.covariance == pytest.approx(joint)
    assert doubted.drawn.effect.mean(axis=0) == pytest.approx(doubted.model.estimate, abs=0.002)
    assert np.cov(doubted.drawn.effect.T) == pytest.approx(joint, abs=0.001)
    assert doubted.effects["offences"].to_numpy() == pytest.approx(doubted.drawn.effect[:, 0])
    by_hand = found.model.value(doubted.drawn)
    assert doubted.npv == pytest.approx(by_hand)
    sides = [tf.with_doubt(found, drawn, WORLDS[WORLDS["world"] == name])
             for name in ("right", "flattered")]  # fmt: skip
    assert (sides[0].npv == drawn.npv).all()
    mixed = [0.75 * sides[0].probability(at) + 0.25 * sides[1].probability(at) for at in (1, 2)]
    assert [doubted.probability(at) for at in (1, 2)] == pytest.approx(mixed, abs=0.005)


def test_a_study_beyond_doubt_resolves_doubt_and_a_larger_one_of_the_kind_does_not():
    found = two_effects()
    doubted = tf.with_doubt(found, found.uncertainty(draws=20_000), WORLDS)
    asked = {"phase": "one", "families": [300, 10**9], "sd": SD}
    alike = tf.value_of_study(found, doubted, **asked)
    beyond = tf.value_of_study(found, doubted, unbiased=True, **asked)
    assert beyond.frame["resolved"].iloc[1] == pytest.approx(1.0, abs=1e-4)
    assert alike.frame["resolved"].iloc[1] < 0.95
    assert (beyond.frame["value"] > alike.frame["value"]).all()
    assert beyond.limit > alike.limit


@pytest.mark.parametrize(
    ("doubt", "message"),
    [
        (WORLDS.iloc[:3], "every world needs an error"),
        (WORLDS.assign(weight=[1.0, 2.0, 1.0, 1.0]), "one weight"),
        (WORLDS.assign(weight=0.0), "above 0"),
        (WORLDS.iloc[:0], "one weight"),
        (WORLDS.drop(columns="weight"), "weight missing"),
        (pd.concat([WORLDS, WORLDS.iloc[:1]]), "some rows twice"),
    ],
)
def test_a_doubt_that_is_none_is_refused(doubt, message):
    found = two_effects()
    with pytest.raises(DataError, match=message):
        tf.with_doubt(found, found.uncertainty(draws=200), doubt)


# ------------------------------------------------------------------ an average over designs


def designs_of(**values):
    means = [one.mean() for one in values.values()]
    frame = pd.DataFrame({"design": list(values), "npv": means})
    return DesignAppraisals(frame, {}, 0.9, npvs=values)


def test_an_average_is_the_mixture_of_the_designs_draws():
    rng = np.random.default_rng(1)
    one, two = rng.normal(-10, 5, 40_000), rng.normal(10, 2, 10_000)
    found = tf.average_designs(
        designs_of(one=one, two=two, three=np.full(50, 1e9)),
        {"mine": {"one": 3, "two": 1, "three": 0}, "one": {"one": 1, "two": 0, "three": 0}},
    )
    # The same by repeating draws: three of one for one of two.
    pooled = np.concatenate([np.repeat(one, 3), np.repeat(two, 4)])
    row = found.frame.iloc[0]
    assert row["npv"] == pytest.approx(pooled.mean())
    assert row[["low", "high"]].tolist() == pytest.approx(np.quantile(pooled, [0.05, 0.95]),
                                                          abs=0.05)  # fmt: skip
    assert row["probability"] == pytest.approx((pooled >= 0).mean())
    within = 0.75 * one.var() + 0.25 * two.var()
    assert row["between"] == pytest.approx(1 - within / pooled.var())
    assert row["designs"] == 2
    alone = found.frame.iloc[1]
    assert alone["between"] == 0
    assert alone["npv"] == pytest.approx(one.mean())
    assert found.weights["mine"].tolist() == [0.75, 0.25, 0.0]


@pytest.mark.parametrize("given", [{"one": 1}, {"one": 1, "two": 1, "three": 1},
                                   {"one": 0, "two": 0}, {"one": -1, "two": 2}])  # fmt: skip
def test_no_design_is_dropped_by_leaving_it_unnamed(given):
    held = designs_of(one=np.zeros(4), two=np.ones(4))
    with pytest.raises(ParameterError, match="weights"):
        tf.average_designs(held, {"mine": given})


def test_designs_keep_the_draws_that_their_intervals_are_of():
    found = whole()
    designs = tf.appraise_designs(
        {"one": found.effects}, tf.programme_costs("one", price_year=2024), families=1_000,
        draws=500,
    )  # fmt: skip
    row = designs.frame.iloc[0]
    assert np.quantile(designs.npvs["one"], [0.025, 0.975]) == pytest.approx(
        [row["low"], row["high"]]
    )
    # One design alone is averaged to its own value, and not to its draws'.
    alone = tf.average_designs(designs, {"alone": {"one": 1}}).frame.iloc[0]
    assert alone["npv"] == row["npv"] == pytest.approx(designs.appraisals["one"].npv)
