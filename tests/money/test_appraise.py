"""Appraisals worked by hand, and what must hold of every one."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

import tfeval as tf
from tests.money.appraised import (
    BENEFIT,
    CRIME,
    OUTCOMES,
    PLAIN,
    effects_of,
    price_list,
    whole,
)
from tfeval.errors import DataError, ParameterError
from tfeval.money.account import GROUPS
from tfeval.money.persistence import profile, window_weights
from tfeval.programme.published import published


def test_a_year_s_effect_that_halves_each_year():
    # 0.2 offences fewer in each of 1,000 families: 200 in the first year, at £150 each.
    #   2012-13   200 x 150 = 30,000.00
    #   2013-14   100 x 150 = 15,000.00 / 1.035   = 14,492.75
    #   2014-15    50 x 150 =  7,500.00 / 1.035^2 =  7,001.33
    #                                               51,494.08, less 20,000.00 = 31,494.08
    found = tf.appraise(
        effects_of({"offences": -0.2}), 20_000, families=1_000, horizon=3,
        unit_cost_table=CRIME, **PLAIN,
    )  # fmt: skip
    assert round(found.benefits, 2) == 51_494.08
    assert round(found.npv, 2) == 31_494.08
    assert round(found.benefit_cost_ratio, 4) == 2.5747
    assert found.cost_per_family == 20.0
    assert found.payback_year == 2012
    payers = found.by("payer").set_index("payer")["benefits"].round(2)
    assert payers["Home Office/police"] == 34_329.39  # two thirds
    assert payers["MoJ"] == 17_164.69  # a third


def test_a_lag_a_window_of_18_months_and_two_years_of_joining():
    # 3 offences fewer over 18 months, from the seventh month on; 0.4 is left in each year after.
    # Since joining: year one 6 of 18 months, 1 fewer; year two 12 of 18, 2 fewer; year three
    # 12 of 18 x 0.4, 0.8 fewer. 10 families join in 2012-13, 20 in 2013-14; £100 an offence.
    #   2012-13   10 x 1                   = 10   ->  1,000 / 1.035^0.5   =   982.95
    #   2013-14   10 x 2   + 20 x 1        = 40   ->  4,000 / 1.035^1.5   = 3,798.83
    #   2014-15   10 x 0.8 + 20 x 2        = 48   ->  4,800 / 1.035^2.5   = 4,404.44
    #   2015-16              20 x 0.8      = 16   ->  1,600 / 1.035^3.5   = 1,418.50
    # The £12,000 are spent through 2012-13: 12,000 / 1.035^0.5 = 11,795.36.
    table = price_list(("offences", "police", 100.0, "Home Office/police", "no"))
    found = tf.appraise(
        effects_of({"offences": -3.0}, months=18), 12_000, families={"2012-13": 10, 2013: 20},
        horizon=3, lag=6, persistence=0.4, price_year=2012, edition="2022", timing="mid",
        unit_cost_table=table,
    )  # fmt: skip
    years = found.by("year").set_index("year")["benefits"].round(2)
    assert years.to_dict() == {2012: 982.95, 2013: 3798.83, 2014: 4404.44, 2015: 1418.50}
    assert round(found.costs, 2) == 11_795.36
    assert round(found.npv, 2) == -1_190.65
    assert found.payback_year is None


def test_a_benefit_payment_saved_is_participants_loss_too():
    # 10 days on benefit fewer in each of 100 families, at £30: DWP saves 30,000 in one year.
    asked = {**PLAIN, "families": 100, "horizon": 1, "unit_cost_table": BENEFIT}
    effects = effects_of({"out_of_work": -10.0})
    fiscal = tf.appraise(effects, 20_000, perspective="fiscal", **asked)
    social = tf.appraise(effects, 20_000, perspective="social", **asked)
    assert (fiscal.npv, social.npv) == (10_000.0, -20_000.0)
    assert social.fiscal_return == fiscal.fiscal_return == 1.5
    # Both accounts stand beside each other, whichever is asked for.
    pd.testing.assert_frame_equal(fiscal.accounts(), social.accounts())
    assert social.accounts()["npv"].tolist() == [10_000.0, -20_000.0]
    who = social.who().set_index("payer")
    assert who.loc["DWP", ["fiscal", "social"]].tolist() == [30_000.0, 30_000.0]
    assert who.loc["participants", ["fiscal", "social"]].tolist() == [0.0, -30_000.0]
    # To weigh losses alone would say nothing of those who gain: it is refused.
    with pytest.raises(ParameterError, match="no gain of theirs is in the account"):
        tf.appraise(effects, 20_000, relative_income=0.5, **asked)


#: A day in work: £80 earned, £20 of it paid in tax.
DAY = price_list(
    ("employment", "earnings", 80.0, "participants", "no"),
    ("employment", "tax", 20.0, "HMRC", "yes"),
    times=-1.0,
)


def test_days_in_work_by_hand():
    # 10 more days in work for each of 100 families, 1,000 days. The purse gains 20 a day, 20,000;
    # participants 80 less 20, 60,000; all together 80,000. The programme cost £50,000.
    asked = {**PLAIN, "families": 100, "horizon": 1, "unit_cost_table": DAY}
    effects = effects_of({"employment": 10.0})
    found = tf.appraise(effects, 50_000, **asked)
    assert found.accounts()["npv"].tolist() == [-30_000.0, 30_000.0]
    assert found.who().set_index("payer")["social"].to_dict() == {
        "participants": 60_000.0, "HMRC": 20_000.0,
    }  # fmt: skip
    # At half the median income a pound of theirs counts 0.5^-1.3 = 2.462289:
    #   60,000 x 2.462289 + 20,000 - 50,000 = 117,737.33
    weighted = tf.appraise(effects, 50_000, relative_income=0.5, **asked)
    assert round(weighted.npv, 2) == 117_737.33
    # A quarter of the work is others' lost; then a fifth of what is left is overstated:
    #   80,000 x 0.75 x 0.8 = 48,000
    fewer = tf.appraise(effects, 50_000, displacement=0.25, optimism_bias=0.2, **asked)
    assert fewer.npv == pytest.approx(-2_000.0)
    # A pound raised costs £1.20: tax counts 24,000, the programme 60,000.
    #   60,000 + 24,000 - 60,000 = 24,000
    dear = tf.appraise(effects, 50_000, public_funds=1.2, **asked)
    assert dear.accounts()["npv"].tolist() == pytest.approx([-30_000.0, 24_000.0])


def test_only_what_stops_being_spent_is_cashable():
    # 200 offences fewer, £100 of police and £50 of courts each, of which a tenth stops being
    # spent; and 1,000 days on benefit fewer, £30 each, all of it: 3,000 + 30,000, in both
    # accounts, for nobody else's account is cash.
    crime = CRIME.assign(cashable=0.1, cashable_high=0.2)
    table = pd.concat([crime, BENEFIT])
    found = tf.appraise(
        effects_of({"offences": -0.2, "out_of_work": -1.0}), 0, families=1_000, horizon=1,
        unit_cost_table=table, cashable_only=True, **PLAIN,
    )  # fmt: skip
    assert found.accounts()["benefits"].tolist() == pytest.approx([33_000.0, 33_000.0])


def test_optimism_bias_by_grade_is_that_of_the_worst_grade():
    # One of the two unit costs of an offence is of grade C: 30,000 x (1 - 0.4).
    table = CRIME.assign(made=["B", "C"])
    found = tf.appraise(
        effects_of({"offences": -0.2}), 0, families=1_000, horizon=1, unit_cost_table=table,
        optimism_bias={"B": 0.1, "C": 0.4}, **PLAIN,
    )  # fmt: skip
    assert found.npv == pytest.approx(18_000.0)


def test_the_expected_value_of_persistence_that_is_not_known():
    # £30,000 in the first year. What is left is 0.5, between 0 and 1: uniform, so that 1/2 is left
    # in the second year and 1/3 in the third, where 0.5 for certain leaves 1/4.
    asked = {"families": 1_000, "horizon": 3, "unit_cost_table": CRIME, **PLAIN}
    found = tf.appraise(effects_of({"offences": -0.2}), 0,
                        **{**asked, "persistence": (0.5, 0.0, 1.0)})  # fmt: skip
    assert found.npv == pytest.approx(30_000 * (1 + 1 / 2 / 1.035 + 1 / 3 / 1.035**2))
    # 0.2, between 0 and 1: below it with probability 0.8, where the mean is 0.1 and the mean
    # square 0.04 / 3; above it with 0.2, 0.6 and (1 - 0.008) / (3 x 0.8).
    square = 0.8 * 0.04 / 3 + 0.2 * 0.992 / 2.4
    found = tf.appraise(effects_of({"offences": -0.2}), 0,
                        **{**asked, "persistence": (0.2, 0.0, 1.0)})  # fmt: skip
    assert found.npv == pytest.approx(30_000 * (1 + 0.2 / 1.035 + square / 1.035**2))


def test_marginal_value_of_public_funds():
    # 100 families served for £60,000; £30,000 comes back, so the net cost is 30,000. Valued at
    # half its cost the support is worth 30,000 to them: 1.00 for each pound. The payments that
    # end are no loss at the margin.
    asked = {**PLAIN, "families": 100, "horizon": 1, "unit_cost_table": BENEFIT}
    effects = effects_of({"out_of_work": -10.0})
    found = tf.appraise(effects, 60_000, valued_share=0.5, **asked)
    assert found.marginal_value_of_public_funds == pytest.approx((1.0, 1.0))
    # What raising the pound costs others is no part of what families would pay for it.
    found = tf.appraise(effects, 60_000, valued_share=0.5, public_funds=1.5, **asked)
    assert found.marginal_value_of_public_funds == pytest.approx((1.0, 1.0))
    # Where nobody's gain is valued there is no value, and no 0.
    assert np.isnan(tf.appraise(effects, 60_000, **asked).marginal_value_of_public_funds).all()
    found = tf.appraise(effects, 20_000, valued_share=0.5, **asked)
    assert found.marginal_value_of_public_funds == (np.inf, np.inf)
    assert np.isnan(tf.marginal_value(-1.0, -1.0))


def test_earnings_count_for_nothing_at_the_least_and_in_full_at_the_most():
    # 1,000 days: 80,000 earned; £100,000 spent, 20,000 come back in tax: 80,000 net. At the most
    # 80,000 / 80,000. Displaced by a quarter: 60,000 over 100,000 less 15,000.
    asked = {**PLAIN, "families": 100, "horizon": 1, "unit_cost_table": DAY}
    effects = effects_of({"employment": 10.0})
    found = tf.appraise(effects, 100_000, **asked)
    assert found.willingness_to_pay == pytest.approx((0.0, 80_000.0))
    assert found.marginal_value_of_public_funds == pytest.approx((0.0, 1.0))
    for perspective in ("social", "fiscal"):
        fewer = tf.appraise(effects, 100_000, displacement=0.25, perspective=perspective, **asked)
        assert fewer.willingness_to_pay == pytest.approx((0.0, 60_000.0))
        assert fewer.marginal_value_of_public_funds[1] == pytest.approx(60 / 85)


def test_prices_are_put_into_one_year():
    rows = published("deflators")
    deflator = rows[rows["figure"] == "gdp_deflator_financial_year"].set_index("period")["value"]
    up = deflator["2024-25"] / deflator["2012-13"]
    asked = {"families": 1_000, "horizon": 1, "edition": "2022", "timing": "end",
             "unit_cost_table": CRIME}  # fmt: skip
    costs = pd.DataFrame({"year": ["2012-13"], "amount": [20_000.0], "price_year": ["2012-13"]})
    found = tf.appraise(effects_of({"offences": -0.2}), costs, price_year=2024, **asked)
    assert found.benefits == pytest.approx(30_000 * up, abs=0.005)
    assert found.costs == pytest.approx(20_000 * up, abs=0.005)


def test_claimed_and_additional_results():
    # 0.05 more families turned around among 1,000: 50 who would not have been, for £20,000.
    effects = effects_of({"offences": -0.2, "turned_around": 0.05})
    asked = {**PLAIN, "families": 1_000, "horizon": 1, "unit_cost_table": CRIME}
    found = tf.appraise(effects, 20_000, claims=800, result="turned_around", **asked)
    assert found.cost_per_claimed == 25.0
    assert found.additional_results == pytest.approx(50.0)
    assert found.cost_per_additional == pytest.approx(400.0)
    none = effects_of({"offences": -0.2, "turned_around": -0.01})
    assert tf.appraise(none, 1, result="turned_around", **asked).cost_per_additional == np.inf


def test_a_share_of_sessions_is_valued_only_if_converted():
    effects = effects_of({"unauthorised_absence": -0.02, "offences": -0.1})
    table = pd.concat([CRIME, price_list(("sessions_unauthorised", "a half day", 10.0, "DfE",
                                          "no"))])  # fmt: skip
    asked = {**PLAIN, "families": 100, "horizon": 1, "unit_cost_table": table}
    plain = tf.appraise(effects, 0, **asked)
    assert "half days" in plain.not_monetised().set_index("what").loc[
        "unauthorised_absence", "reason"
    ]  # fmt: skip
    # 0.02 of 380 sessions is 7.6 half days a family, 760 in all, £10 each; and 10 offences.
    held = {"unauthorised_absence": ("sessions_unauthorised", 380.0)}
    found = tf.appraise(effects, 0, convert=held, **asked)
    assert found.benefits == pytest.approx(7_600 + 1_500)


def test_two_effects_of_one_price_and_windows_of_two_lengths():
    # Custody of adults: 0.004 fewer sentences a family over 24 months; of children 0.003 fewer
    # over 12; 1,000 families, £30,000 a sentence, nothing lasts, no discounting within year one.
    #   adults 4 sentences, 2 a year:  60,000 + 60,000 / 1.035
    #   children 3 sentences:          90,000              -> 207,971.01
    both = effects_of({"adults": -0.004}, months=24).combine(effects_of({"children": -0.003}))
    table = price_list(("custody", "prison", 30_000.0, "MoJ", "no"))
    asked = {**PLAIN, "persistence": 0.0, "families": 1_000, "horizon": 3}
    found = tf.appraise(
        both, 0, unit_cost_table=table,
        convert={"adults": ("custody", 1.0), "children": ("custody", 1.0)}, **asked,
    )  # fmt: skip
    assert round(found.npv, 2) == 207_971.01
    assert set(found.lines["line"]) == {"adults", "children", "Programme"}
    assert found.uncertainty(draws=100).npv == pytest.approx(np.full(100, found.npv))


def test_persistence_by_outcome():
    effects = effects_of({"offences": -0.1, "asb_incidents": -0.1})
    table = pd.concat([CRIME, price_list(("asb_incidents", "all", 150.0, "MoJ", "no"))])
    asked = {**PLAIN, "families": 1_000, "horizon": 2, "unit_cost_table": table}
    found = tf.appraise(effects, 0, **{**asked, "persistence": {"offences": 1.0, "": 0.0}})
    # 15,000 of each in the first year; 15,000 / 1.035 of offences alone in the second.
    assert found.npv == pytest.approx(30_000 + 15_000 / 1.035)
    assert "0%, 100% of offences" in found.notes[1]


def test_profiles():
    assert profile(12, 4, 0, 0.5).tolist() == [1.0, 0.5, 0.25, 0.125]
    assert profile(6, 2, 0, 0.5).tolist() == [1.5, 0.75]  # half the first year at the old pace
    assert profile(24, 3, 12, 0.0).tolist() == [0.0, 0.5, 0.5]
    for months, horizon, lag in itertools.product((6, 12, 18, 24), (4, 7), (0, 5, 12)):
        assert window_weights(months, horizon, lag)[0].sum() == pytest.approx(1.0)
        forever = profile(months, horizon, lag, 1.0).sum()
        assert forever == pytest.approx((12 * horizon - lag) / months)


@pytest.mark.parametrize("perspective", ["social", "fiscal"])
@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"lag": 9, "horizon": 7, "persistence": 0.8, "timing": "end"},
        {"cashable_only": True},
        {"optimism_bias": 0.3, "displacement": 0.2},
        {"relative_income": 0.6, "horizon": 2, "public_funds": 1.2},
    ],
)
def test_everything_adds_up_however_it_is_cut(asked, perspective):
    found = whole(perspective=perspective, **asked)
    model = found.model
    assert model.value(model.point())[0] == pytest.approx(found.npv, rel=1e-12)
    for column in GROUPS:
        parts = found.by(column)
        assert parts["net"].sum() == pytest.approx(found.npv, rel=1e-12)
        assert parts["benefits"].sum() == pytest.approx(found.benefits, rel=1e-12)
        assert parts["costs"].sum() == pytest.approx(found.costs, rel=1e-12)
    cells = found.by("year", "payer").set_index(["year", "payer"])["undiscounted"]
    net = model.benefits(model.point())[0] - model.spent(np.zeros(1))[0]
    for (row, year), (column, payer) in itertools.product(
        enumerate(model.years), enumerate(model.payers)
    ):
        assert net[row, column] == pytest.approx(cells.get((year, payer), 0.0), abs=1e-3)


def test_every_line_is_its_factors():
    lines = whole(optimism_bias=0.2, relative_income=0.7).lines
    own = lines[lines["kind"] == "benefit"]
    quantity = own["effect"] * own["families"] * own["profile"] * own["scale"]
    assert np.allclose(own["quantity"], quantity)
    value = -own["quantity"] * own["unit_cost"] * own["factor"]
    assert np.allclose(own["undiscounted"], value)
    assert np.allclose(lines["present_value"], lines["undiscounted"] * lines["discount_factor"])


def test_a_higher_discount_rate_never_raises_a_later_benefit():
    by_rate = [
        whole(edition=edition, rate=rate).lines
        for edition, rate in (("2026-review", "standard"), ("2026", "sensitivity"),
                              ("2026", "standard"), ("2003", "standard"))
    ]  # fmt: skip
    for lower, higher in itertools.pairwise(by_rate):
        gain = (higher["kind"] == "benefit") & (higher["undiscounted"] > 0)
        later = gain & (higher["year"] > higher["year"].min())
        assert (higher["present_value"][later] <= lower["present_value"][later] + 1e-9).all()


@pytest.mark.parametrize(
    ("name", "values", "up"),
    [
        ("persistence", [0.0, 0.3, 0.6, 1.0], True),
        ("horizon", [1, 2, 5, 10], True),
        ("lag", [0, 6, 12, 30], False),
        ("optimism_bias", [0.0, 0.2, 0.6, 1.0], False),
    ],
)
def test_benefits_move_one_way(name, values, up):
    good = {outcome: -abs(value) for outcome, value in OUTCOMES.items()}
    good["employment"] *= -1
    worth = [
        tf.appraise(effects_of(good), 1e6, families=1_000, perspective="fiscal",
                    **{name: value}).benefits
        for value in values
    ]  # fmt: skip
    steps = np.diff(worth)
    assert (steps > 0).all() if up else (steps < 0).all()


def test_optimism_bias_makes_harms_larger():
    asked = {**PLAIN, "families": 1_000, "horizon": 1, "unit_cost_table": CRIME}
    harm = effects_of({"offences": 0.2})
    assert tf.appraise(harm, 0, optimism_bias=0.5, **asked).npv == pytest.approx(-45_000)


def test_pounds_are_not_counted_twice():
    # An offence less saves £100 of police time, £50 of courts and £400 of harm; an arrest less
    # £300 of police time, part of it the offence's. 10 offences and 20 arrests fewer: police
    # 6,000, not 7,000; courts 500; victims 4,000.
    table = pd.concat(
        [
            CRIME,
            price_list(
                ("offences", "harm", 400.0, "victims", "no"),
                ("arrest", "police", 300.0, "Home Office/police", "no"),
            ),
        ]
    )
    asked = {**PLAIN, "families": 100, "horizon": 1, "unit_cost_table": table}
    effects = effects_of({"offences": -0.1, "arrest": -0.2})
    with pytest.raises(DataError, match="measures of the same pounds"):
        tf.appraise(effects, 0, on_overlap="refuse", **asked)
    found = tf.appraise(effects, 0, **asked)
    assert found.accounts()["benefits"].tolist() == pytest.approx([6_500.0, 10_500.0])
    left = found.not_monetised().set_index("what")
    assert left.loc["offences: police", ["kind", "instead"]].tolist() == [
        "counted_elsewhere", "arrest",
    ]  # fmt: skip
    # Without so many arrests it is these that are part of the offences.
    fewer = tf.appraise(effects_of({"offences": -0.1, "arrest": -0.01}), 0, **asked)
    assert fewer.accounts()["benefits"].tolist() == pytest.approx([1_500.0, 5_500.0])
    assert fewer.model.outcomes == ("offences",)
    assert fewer.not_monetised().set_index("what").loc["arrest", "instead"] == "offences"
    # A harm is no part of a gain: 10 offences fewer, 20 arrests more.
    apart = tf.appraise(effects_of({"offences": -0.1, "arrest": 0.2}), 0, **asked)
    assert apart.accounts()["benefits"].tolist() == pytest.approx([-4_500.0, -500.0])


def test_the_share_that_is_another_s_is_left_out_whatever_else_is_valued():
    table = CRIME.assign(own=[0.6, 1.0], own_low=[0.2, 1.0], overlaps="police: held elsewhere")
    asked = {**PLAIN, "families": 1_000, "horizon": 1, "unit_cost_table": table}
    found = tf.appraise(effects_of({"offences": -0.2}), 0, **asked)
    # 200 offences at 60 + 50.
    assert found.npv == pytest.approx(22_000.0)
    left = found.not_monetised().set_index("what")
    assert left.loc["offences: police", "share"] == pytest.approx(0.4)
    assert found.model.low.tolist() == [20.0, 50.0]


def test_what_cannot_be_valued_is_listed_with_its_reason():
    effects = effects_of({"offences": -0.1, "fixed_exclusions": -0.2, "wellbeing": 0.1})
    found = tf.appraise(effects, 0, families=10).not_monetised().set_index("what")
    assert "No sourced cost" in found.loc["fixed_exclusions", "reason"]
    assert found.loc["wellbeing", "kind"] == "no_unit_cost"
    assert found.loc["wellbeing", "estimate"] == 0.1
    assert "Families' wellbeing, and health in life years" in found.index


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"horizon": 0}, "horizon lies between 1 and 60 years, not 0"),
        ({"horizon": 2.5}, "horizon is a whole number between 1 and 60"),
        ({"lag": -1}, "lag lies between 0 and 60 months, not -1"),
        ({"optimism_bias": 1.2}, "optimism_bias lies between 0 and 1"),
        ({"optimism_bias": {"D": 0.1}}, "There is no grade D"),
        ({"displacement": -0.1}, "displacement lies between 0 and 1"),
        ({"public_funds": 0.9}, "public_funds lies between 1 and 3"),
        ({"persistence": 1.5}, "between 0 and 1"),
        ({"persistence": (0.5, 0.6, 0.9)}, "share, low, high"),
        ({"price_year": 1990}, "price_year lies between 2002 and"),
        ({"edition": "2021"}, "There is no Green Book edition 2021"),
        ({"rate": "health"}, "There is no rate health"),
        ({"edition": "2018", "rate": "sensitivity"}, "has no sensitivity rate"),
        ({"timing": "start"}, "There is no timing start"),
        ({"perspective": "private"}, "There is no perspective private"),
        ({"on_overlap": "add"}, "There is no on_overlap add"),
        ({"families": 0}, "a number above 0"),
        ({"families": {2012: -5}}, "not below 0"),
        ({"relative_income": 5.0}, "relative_income lies between 0.1 and 2 of the median"),
        ({"claims": 0}, "claims lies between 1 and"),
        ({"months": 24}, "no effects over 24 months, only over 12"),
        ({"base_year": 2013}, "use 2012 or earlier"),
        ({"result": "turned_around"}, "There is no effect on turned_around"),
        ({"convert": {"offences": ("offences", 0)}}, "how many units"),
        ({"convert": {"offences": ("crimes", 1.0)}}, "no unit cost of crimes"),
    ],
)
def test_what_is_out_of_range_is_refused_with_the_range(asked, message):
    with pytest.raises(ParameterError, match=message):
        tf.appraise(effects_of({"offences": -0.1}), 1_000, **{"families": 100, **asked})


def test_other_mistakes_get_a_message():
    effects = effects_of({"offences": -0.1})
    both = effects.combine(effects_of({"offences": -0.1}, months=24))
    with pytest.raises(ParameterError, match="give months="):
        tf.appraise(both, 0, families=10)
    assert tf.appraise(both, 0, families=10, months=24).model.outcomes == ("offences",)
    with pytest.raises(ParameterError, match="None of these effects has a unit cost"):
        tf.appraise(effects_of({"fixed_exclusions": -0.1}), 0, families=10)
    with pytest.raises(DataError, match="lack price_year"):
        tf.appraise(effects, pd.DataFrame({"year": [2012], "amount": [1.0]}), families=10)
    rows = pd.DataFrame({"year": [2012], "amount": ["?"], "price_year": [2012]})
    with pytest.raises(DataError, match="not a number of pounds"):
        tf.appraise(effects, rows, families=10)
    with pytest.raises(ParameterError, match="not grouped by region"):
        tf.appraise(effects, 0, families=10).by("region")
