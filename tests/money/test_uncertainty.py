"""Draws and acceptability, against closed forms and other routes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.integrate import quad

import tfeval as tf
from tests.money.appraised import (
    BENEFIT,
    CRIME,
    OUTCOMES,
    PLAIN,
    correlated,
    effects_of,
    price_list,
    whole,
)
from tfeval.errors import DataError, ParameterError
from tfeval.impact.effects.effects import Effects
from tfeval.money.appraisal import worst_case_error
from tfeval.money.decisions import value_of_information
from tfeval.money.drawing import cost_position, normal_draws
from tfeval.money.persistence import persistence_of, split_uniform

#: A day in work: £80 earned, of which between £10 and £70 is paid in tax.
DAY = price_list(
    ("employment", "earnings", 80.0, "participants", "no"),
    ("employment", "tax", 20.0, "HMRC", "yes"),
    times=-1.0,
).assign(low=[40.0, 10.0], high=[85.0, 70.0])
ALONE = {**PLAIN, "families": 1_000, "horizon": 1, "unit_cost_table": CRIME}


def only_the_effect(estimate=-0.2, error=0.15, cost=20_000, **asked):
    """Return an appraisal whose value is normal: £150,000 x (0.2 +- 0.15) less the cost."""
    effects = effects_of({"offences": estimate}, {"offences": error})
    return tf.appraise(effects, cost, **{**ALONE, **asked})


def test_draws_without_variance_are_the_estimate():
    flat = pd.concat([CRIME, BENEFIT])
    effects = effects_of({"offences": -0.2, "out_of_work": -5.0, "turned_around": 0.1})
    found = tf.appraise(effects, 20_000, **{**ALONE, "unit_cost_table": flat, "horizon": 4})
    drawn = found.uncertainty(draws=200)
    assert np.allclose(drawn.npv, found.npv, rtol=1e-12)
    assert np.allclose(drawn.benefit_cost_ratio, found.benefit_cost_ratio)
    assert (drawn.effects["turned_around"] == 0.1).all()
    assert drawn.interval() == pytest.approx((found.npv, found.npv))
    assert value_of_information(found, drawn, phase="one")["value"].abs().max() < 1e-6


def test_seeds_reproduce_and_differ():
    found = whole()
    one, same, other = (found.uncertainty(draws=500, seed=seed).npv for seed in (7, 7, 8))
    assert (one == same).all()
    assert (one != other).all()


def test_a_normal_value_has_a_normal_s_interval_and_probabilities():
    found = only_the_effect()
    drawn = found.uncertainty(draws=200_000)
    value = stats.norm(10_000, 150_000 * 0.15)
    assert drawn.interval() == pytest.approx(value.interval(0.95), abs=400)
    # At least x for each £1 of 20,000: benefit ~ N(30,000, 22,500).
    curve = drawn.acceptability([0.0, 0.5, 1.0, 2.0, 3.0])
    benefit = stats.norm(30_000, 22_500)
    expected = benefit.sf(np.array([0.0, 0.5, 1.0, 2.0, 3.0]) * 20_000)
    assert np.allclose(curve["probability"], expected, atol=0.004)
    assert drawn.probability() == pytest.approx(curve["probability"][2])
    # An offence less worth £50 more: 200,000 x effect less 20,000.
    more = drawn.acceptability([0.0, 50.0, 100.0], "offences")["probability"]
    worth = [stats.norm(0.2 * w - 20_000, 0.15 * w).sf(0) for w in (150e3, 200e3, 250e3)]
    assert np.allclose(more, worth, atol=0.004)


def test_willingness_to_pay_for_a_result_without_a_price():
    effects = effects_of(
        {"offences": 0.0, "turned_around": 0.05}, {"offences": 0.0, "turned_around": 0.03}
    )
    drawn = tf.appraise(effects, 20_000, **ALONE).uncertainty(draws=200_000)
    curve = drawn.acceptability([200.0, 400.0, 800.0], "turned_around")["probability"]
    worth = [stats.norm(1_000 * 0.05 * w - 20_000, 30 * w).sf(0) for w in (200.0, 400.0, 800.0)]
    assert np.allclose(curve, worth, atol=0.004)


def test_effects_are_drawn_with_their_covariance():
    effects = correlated(effects_of(OUTCOMES, 0.5))
    drawn = normal_draws(
        effects.frame["estimate"].to_numpy(), effects.joint, 200_000, np.random.default_rng(1)
    )
    spread = np.sqrt(np.diag(effects.joint))
    assert np.allclose(drawn.std(axis=0), spread, rtol=0.02)
    assert np.allclose(np.corrcoef(drawn.T), effects.correlation(), atol=0.01)


def test_a_singular_covariance_keeps_what_it_says():
    root = np.array([[1.0], [-2.0], [0.0]])
    drawn = normal_draws(np.zeros(3), root @ root.T, 100, np.random.default_rng(1))
    assert np.allclose(drawn[:, 1], -2 * drawn[:, 0])
    assert (drawn[:, 2] == 0).all()
    with pytest.raises(DataError, match="negative variance"):
        normal_draws(np.zeros(2), np.array([[1.0, 2.0], [2.0, 1.0]]), 10, np.random.default_rng(1))


RANGES = ((0.0, 1.0, 4.0), (-3.0, -1.0, 0.0), (2.0, 2.01, 5.0), (0.0, 0.5, 1.0))


@pytest.mark.parametrize(("low", "middle", "high"), RANGES)
def test_split_uniform_has_its_middle_as_mean_and_is_what_its_density_says(low, middle, high):
    share = np.linspace(0, 1, 1001)
    drawn = split_uniform(share, low, middle, high)
    assert (drawn[0], drawn[-1]) == (low, high)
    assert (np.diff(drawn) > 0).all()
    # The mean is the integral of the quantiles, and of x times the density.
    below = (high - middle) / (high - low)
    mean = quad(lambda at: float(split_uniform(np.array(at), low, middle, high)), 0, 1,
                points=[below])[0]  # fmt: skip
    assert mean == pytest.approx(middle, abs=1e-9)

    def density(at):
        return below / (middle - low) if at < middle else (1 - below) / (high - middle)

    assert quad(density, low, high, points=[middle])[0] == pytest.approx(1.0)
    assert quad(lambda at: at * density(at), low, high, points=[middle])[0] == pytest.approx(middle)
    for at in (0.1, 0.5, 0.9, below):
        end = float(split_uniform(np.array(at), low, middle, high))
        assert quad(density, low, end, points=[min(middle, end)])[0] == pytest.approx(at)


def test_split_uniform_is_certain_at_an_end_of_its_range():
    share = np.linspace(0, 1, 11)
    for low, middle, high in ((2.0, 2.0, 2.0), (0.0, 0.0, 1.0), (0.0, 1.0, 1.0)):
        assert (split_uniform(share, low, middle, high) == middle).all()
    # Ranges of several unit costs at once, one of them certain.
    both = split_uniform(np.array([[0.75, 0.75]]), *np.array([[0.0, 5.0], [1.0, 5.0], [4.0, 5.0]]))
    assert both.tolist() == [[1.0, 5.0]]


@pytest.mark.parametrize("given", [(0.5, 0.0, 1.0), (0.2, 0.0, 1.0), (0.9, 0.5, 1.0), 0.3, 0, 1])
def test_expected_powers_of_persistence_are_integrals(given):
    held = persistence_of(given)
    for power, found in enumerate(held.moments(12)):
        mean = quad(lambda at, n=power: float(held.quantile(np.array(at))) ** n, 0, 1, limit=200)[0]
        assert found == pytest.approx(mean, abs=1e-7)


@pytest.mark.parametrize("share", [0, 1])
def test_persistence_of_nothing_and_of_all_is_that_in_every_draw(share):
    # Nothing left once drew a mean of 0.17 left, for its range was a third of what it might be.
    flat = price_list(("offences", "police", 150.0, "MoJ", "no"))
    asked = {**PLAIN, "families": 1_000, "horizon": 3, "unit_cost_table": flat}
    for given in (share, (share, 0.0, 1.0), tf.Assumptions(persistence=share).lasting):
        found = tf.appraise(effects_of({"offences": -0.2}), 0, **{**asked, "persistence": given})
        # 30,000 a year: once, or three times.
        years = [30_000 / 1.035**year for year in range(3)]
        assert found.npv == pytest.approx(sum(years) if share else years[0])
        drawn = found.uncertainty(draws=200)
        assert drawn.npv == pytest.approx(np.full(200, found.npv))
        assert (drawn.drawn.powers[:, :, 1:] == share).all()


def test_costs_have_their_amount_as_mean_in_their_sum():
    model = whole().model
    share = np.linspace(0, 1, 101)
    low, middle, high = (float(model.cost(np.array([at]))[0]) for at in (-1.0, 0.0, 1.0))
    drawn = model.cost(cost_position(model, share))
    assert np.allclose(drawn, split_uniform(share, low, middle, high))
    assert (drawn[0], drawn[-1]) == pytest.approx((low, high))


LOPSIDED = price_list(
    ("offences", "police", 100.0, "Home Office/police", "no"),
    ("offences", "harm", 400.0, "victims", "no"),
    ("out_of_work", "benefit payments", 30.0, "DWP", "yes"),
).assign(low=[90.0, 100.0, 10.0], high=[600.0, 500.0, 31.0])


@pytest.mark.parametrize("account", ["fiscal", "social"])
@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"persistence": (0.2, 0.0, 1.0)},
        {"persistence": {"offences": (0.9, 0.1, 1.0), "": 0.4}, "horizon": 8},
        {"optimism_bias": {"B": 0.4}, "displacement": 0.3, "public_funds": 1.3},
    ],
)
def test_the_headline_is_the_mean_of_the_draws_however_lopsided_the_ranges(asked, account):
    rows = LOPSIDED.assign(own=[0.5, 1.0, 1.0], own_low=[0.0, 1.0, 1.0], overlaps="elsewhere")
    table = pd.concat([rows, DAY])
    costs = pd.DataFrame({"year": ["2012-13", "2013-14"], "amount": [4e4, 1e4], "low": [3e4, 0.0],
                          "high": [2e5, 5e4], "price_year": "2012-13"})  # fmt: skip
    effects = correlated(
        effects_of({"offences": -0.2, "out_of_work": -1.0, "employment": 2.0}, 0.8)
    )
    found = tf.appraise(effects, costs, families=1_000, unit_cost_table=table, perspective=account,
                        **{**PLAIN, "persistence": (0.6, 0.0, 1.0), **asked})  # fmt: skip
    drawn = found.uncertainty(draws=60_000)
    for name in ("benefits", "costs", "npv"):
        values = getattr(drawn, name)
        error = values.std() / np.sqrt(len(values))
        assert abs(values.mean() - getattr(found, name)) < 4 * error, name
    held = drawn.accounts().set_index("account").loc[account]
    assert held["npv"] == pytest.approx(found.npv)
    assert held["ratio"] == pytest.approx(found.benefits / found.costs)
    assert (held["npv_low"], held["npv_high"]) == drawn.interval()
    frame = drawn.to_frame().set_index("measure")["estimate"]
    assert frame["npv"] == pytest.approx(found.npv)


def test_accounts_come_from_the_same_draws_whichever_is_asked_for():
    both = [whole(perspective=name).uncertainty(draws=400) for name in ("social", "fiscal")]
    pd.testing.assert_frame_equal(both[0].accounts(), both[1].accounts())
    for drawn in both:
        rows = drawn.accounts().set_index("account").loc[drawn.model.account]
        assert rows["probability"] == drawn.probability()
        ratio = drawn.interval("benefit_cost_ratio")
        assert (rows["ratio_low"], rows["ratio_high"]) == pytest.approx(ratio)


def test_draws_of_years_and_payers_add_up():
    found = whole()
    drawn = found.uncertainty(draws=300)
    cells = drawn.by_year_payer()
    assert cells.shape == (300, len(found.model.years), len(found.model.payers))
    assert np.allclose(np.einsum("dyp,y->d", cells, found.model.discount), drawn.npv)
    by_payer = drawn.by_payer().set_index("payer")
    assert by_payer["net"].sum() == pytest.approx(found.npv)
    expected = found.by("payer").set_index("payer")["net"].reindex(by_payer.index, fill_value=0.0)
    assert by_payer["net"].to_numpy() == pytest.approx(expected.to_numpy(), abs=0.01)
    held = drawn.drawn
    assert (held.amount >= found.model.low - 1e-9).all()
    assert (held.amount <= found.model.high + 1e-9).all()


def test_unit_costs_of_one_outcome_move_together_whatever_their_grades():
    rows = [
        ("offences", "police", 100.0, "MoJ", "no"),
        ("offences", "harm", 400.0, "victims", "no"),
    ]
    table = price_list(*rows, spread=0.5).assign(made=["B", "C"])
    table = pd.concat([table, price_list(("employment", "pay", 80.0, "participants", "no"),
                                         ("employment", "tax", 20.0, "HMRC", "yes"),
                                         times=-1.0, spread=0.5, made="C")])  # fmt: skip
    effects = effects_of({"offences": -0.1, "employment": 1.0})
    found = tf.appraise(effects, 0, **{**ALONE, "unit_cost_table": table})
    for asked in (0.0, 0.5, 1.0):
        amount = found.uncertainty(draws=500, correlation=asked).drawn.amount
        for at in (0, 2):
            assert np.corrcoef(amount[:, at], amount[:, at + 1])[0, 1] == pytest.approx(1.0)
    # One grade, wholly correlated: a dear offence goes with well-paid work, which costs less than
    # nothing, by more.
    assert np.corrcoef(amount[:, 0], -amount[:, 2])[0, 1] == pytest.approx(1.0)


def test_unit_costs_of_one_grade_go_together_as_far_as_asked():
    table = pd.concat(
        [
            price_list((name, "all", 100.0, "MoJ", "no"), spread=0.5)
            for name in ("offences", "asb_incidents")
        ]
    )
    effects = effects_of({"offences": -0.1, "asb_incidents": -0.1})
    found = tf.appraise(effects, 0, **{**ALONE, "unit_cost_table": table})
    for asked in (0.0, 0.5, 1.0):
        amount = found.uncertainty(draws=50_000, correlation=asked).drawn.amount
        assert np.corrcoef(amount.T)[0, 1] == pytest.approx(asked, abs=0.03)


@pytest.mark.parametrize(
    ("asked", "spent"),
    [
        ({"perspective": "fiscal"}, 1e6),
        ({"optimism_bias": 0.25, "displacement": 0.2}, 1e6),
        ({"optimism_bias": 0.25, "displacement": 0.2}, 30.0),
    ],
)
def test_break_even_effects_give_a_value_of_nothing(asked, spent):
    # Appraised again: an effect that has to be a harm for the value to be nothing grows by the
    # bias, as all harms do. Where little was spent the others pay for it, and harms are asked for.
    asked = {"families": 1_000, "horizon": 2, **asked}
    effects = effects_of(OUTCOMES, 0.5)
    found = tf.appraise(effects, spent, **asked)
    rows = found.break_even().set_index("outcome")
    sides = set()
    for outcome in found.model.outcomes:
        for column, others in (("break_even", 0.0), ("given_others", 1.0)):
            effect = rows.loc[outcome, column]
            estimates = {name: value * others for name, value in OUTCOMES.items()}
            again = tf.appraise(effects_of(estimates | {outcome: effect}), spent, **asked)
            assert again.npv == pytest.approx(0.0, abs=0.01)
            sides.add(np.sign(effect * OUTCOMES[outcome]))
    assert sides == ({1.0, -1.0})


def test_nothing_breaks_even_that_is_worth_nothing():
    found = tf.appraise(
        effects_of({"out_of_work": -1.0}), 10, **{**ALONE, "unit_cost_table": BENEFIT}
    )
    assert found.break_even()["break_even"].isna().all()
    assert not found.break_even()["possible"].any()


def test_switching_values_turn_the_answer():
    found = only_the_effect(horizon=6, cost=40_000, persistence=0.2)
    rows = found.switching_values().set_index("parameter")["switches_at"]
    assert found.npv < 0
    again = only_the_effect(horizon=6, cost=40_000, persistence=float(rows["persistence"]))
    assert again.npv == pytest.approx(0.0, abs=0.01)
    times = float(rows["all effects"])
    again = only_the_effect(-0.2 * times, horizon=6, cost=40_000, persistence=0.2)
    assert again.npv == pytest.approx(0.0, abs=0.01)
    times = float(rows["programme costs"])
    again = only_the_effect(horizon=6, cost=40_000 * times, persistence=0.2)
    assert again.npv == pytest.approx(0.0, abs=0.01)


def test_one_way_ranges_hold_the_value_and_are_what_an_appraisal_says():
    found = whole()
    rows = found.one_way().set_index("parameter")
    held = (rows[["at_low", "at_high"]].min(axis=1) <= found.npv + 1e-6) & (
        rows[["at_low", "at_high"]].max(axis=1) >= found.npv - 1e-6
    )
    assert held.all()
    assert rows["swing"].is_monotonic_decreasing
    assert rows.loc["Persistence", "at_high"] == pytest.approx(whole(persistence=1.0).npv)
    assert rows.loc["Persistence", "at_low"] == pytest.approx(whole(persistence=0.0).npv)
    values = [whole(edition=edition).npv for edition in ("2026-review", "2026")]
    ends = rows.loc["Discounting", ["at_low", "at_high"]].to_list()
    assert ends == pytest.approx(sorted(values))


def test_no_correlation_exceeds_the_worst_case():
    rng = np.random.default_rng(3)
    for size in (2, 5, 15):
        weights, errors = rng.normal(size=size) * 100, rng.random(size)
        bound = worst_case_error(weights, errors)
        for _ in range(200):
            root = rng.normal(size=(size, rng.integers(1, size + 1)))
            held = root @ root.T
            scale = errors / np.sqrt(np.diag(held))
            own = held * np.outer(scale, scale)
            assert np.sqrt(weights @ own @ weights) <= bound * (1 + 1e-12)
        together = np.outer(errors * np.sign(weights), errors * np.sign(weights))
        assert np.sqrt(weights @ together @ weights) == pytest.approx(bound)


def test_worst_case_interval_is_wider_than_any_drawn_from_the_effects_alone():
    effects = correlated(effects_of({"offences": -0.2, "asb_incidents": -0.1}, 0.5))
    table = pd.concat([CRIME, price_list(("asb_incidents", "all", 80.0, "MoJ", "no"))])
    found = tf.appraise(effects, 20_000, **{**ALONE, "unit_cost_table": table})
    low, high = found.worst_case()
    drawn = found.uncertainty(draws=20_000).interval()
    assert low < drawn[0]
    assert high > drawn[1]
    # By hand: 1.959964 x (150,000 x 0.1 + 80,000 x 0.05) = 37,239.32 each side.
    assert high - found.npv == pytest.approx(37_239.32, abs=0.01)


def test_an_effect_without_an_error_is_not_valued_and_its_covariance_never_drawn():
    # An error that is not known was once refused in draws alone: the point passed for certain.
    rows = pd.DataFrame({"outcome": ["offences"], "months": 12, "estimate": [-0.2],
                         "std_error": [np.nan]})  # fmt: skip
    with pytest.raises(DataError, match="has an error to value it with"):
        tf.appraise(Effects(rows, np.array([[np.nan]])), 1_000, **ALONE)
    known = Effects(rows.assign(std_error=0.1), np.array([[np.nan]]))
    with pytest.raises(DataError, match="covariance is not known"):
        tf.appraise(known, 1_000, **ALONE).uncertainty()
    for mean, covariance in ((0.0, np.nan), (np.nan, 1.0)):
        with pytest.raises(DataError, match="not known"):
            normal_draws(np.array([mean]), np.array([[covariance]]), 3, np.random.default_rng(1))


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"draws": 5}, "draws lies between 100 and 1,000,000"),
        ({"correlation": 1.5}, "correlation lies between 0 and 1"),
        ({"level": 95}, "level lies between 0.5 and 0.999"),
    ],
)
def test_out_of_range_draws_are_refused(asked, message):
    with pytest.raises(ParameterError, match=message):
        only_the_effect().uncertainty(**asked)


def test_unknown_measures_and_outcomes_are_refused():
    drawn = only_the_effect().uncertainty(draws=100)
    with pytest.raises(ParameterError, match="no interval of profit"):
        drawn.interval("profit")
    with pytest.raises(ParameterError, match="no effect on custody"):
        drawn.acceptability([1.0], "custody")
    with pytest.raises(ParameterError, match="a row of amounts"):
        drawn.acceptability([])
