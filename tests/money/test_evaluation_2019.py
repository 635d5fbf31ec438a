"""Published evidence through the appraisal: by hand, in proportion, and beside what was printed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import tfeval as tf
from tfeval.errors import ParameterError
from tfeval.impact.effects.published import published_effects
from tfeval.money.additional import family_effects, people_in_family
from tfeval.money.claimed import break_even_deadweight, implied_costs_2019
from tfeval.money.evaluation_2019 import needed_2019, published_ratios, views

TWO = {"children": 2.0, "juveniles": 1.0, "adults": 1.0}
PURSE = tf.Assumptions(perspective="fiscal")


def of(**changed):
    """Return the scenario with something changed, in the account of the public purse."""
    return replace(PURSE, **changed)


def unit(outcome):
    """Return what one unit of an outcome costs in 2013-14."""
    return float(tf.unit_costs(2013, [outcome])["amount"].sum())


@pytest.fixture(scope="module")
def reference():
    return tf.appraise_2019()


def test_people_in_a_family_give_the_published_share_of_large_ones():
    children = people_in_family()["children"]
    # Of ten families six with one child, four with three: 18 children.
    assert children.low == pytest.approx((6 * 1 + 4 * 3) / 10)
    rng = np.random.default_rng(1)
    at_random = 1 + rng.poisson(children.value - 1, 400_000)
    assert (at_random >= 3).mean() == pytest.approx(0.40, abs=0.003)
    assert (rng.geometric(1 / children.high, 400_000) >= 3).mean() == pytest.approx(0.40, abs=0.003)
    assert children.sources
    assert "assumed" in people_in_family()["adults"].basis


def test_a_share_of_people_becomes_days_and_sentences_of_a_family():
    frame = family_effects(published_effects("2019"), TWO).to_frame().set_index("outcome")
    assert frame.loc["looked_after", "estimate"] == pytest.approx(-0.008 * 2 * 730)
    assert frame.loc["jobseekers_allowance", "estimate"] == pytest.approx(-0.012 * 730)
    assert frame.loc["custody_adults", "estimate"] == pytest.approx(-0.004)
    assert frame.loc["custody_juveniles", "estimate"] == pytest.approx(-0.003)
    assert (frame["estimate"] / frame["std_error"]).to_list() == pytest.approx([-1.959964] * 5)
    later = family_effects(published_effects("2019"), TWO, "month_19").to_frame()
    later = later.set_index("outcome")
    assert later.loc["looked_after", "estimate"] == pytest.approx(-0.008 * 2 * 182.5)
    assert later.loc["custody_adults", "estimate"] == pytest.approx(-0.004)
    assert later["months"].to_dict()["looked_after"] == 6


def test_looked_after_by_hand():
    """0.8 in a hundred of 800,000 children, every day of two years and of five."""
    others = ("custody_adults", "custody_juveniles", "conviction", "jobseekers_allowance")
    for share, years in ((0.0, 2), (1.0, 5)):
        held = of(price_year=2013, appraisal_years=years)
        found = tf.appraise_2019(held, people=TWO, without=others, persistence=share)
        counted = found.parts[0].lines.query("kind == 'benefit'")["undiscounted"].sum()
        days = 0.008 * 800_000 * years * 365
        assert counted == pytest.approx(days * unit("looked_after"))


def test_sentences_by_hand():
    """0.4 in a hundred of 400,000 adults, a sentence each."""
    others = ("looked_after", "custody_juveniles", "conviction", "jobseekers_allowance")
    held = of(price_year=2013, appraisal_years=2)
    found = tf.appraise_2019(held, people=TWO, without=others, persistence=0.0)
    counted = found.parts[0].lines.query("kind == 'benefit'")["undiscounted"].sum()
    assert counted == pytest.approx(0.004 * 400_000 * unit("custody"))


def test_parts_add_up_and_the_costs_count_once(reference):
    assert reference.by_outcome()["benefits"].sum() == pytest.approx(reference.benefits)
    assert reference.by_outcome()["per_pound"].sum() == pytest.approx(reference.benefit_cost_ratio)
    later = tf.appraise_2019(begins="month_19")
    assert len(later.parts) == 2
    assert later.costs == pytest.approx(reference.costs)
    assert later.by_outcome()["benefits"].sum() == pytest.approx(later.benefits)
    assert set(later.counted()["lag"]) == {0, 18}


def test_effects_that_began_later_are_worth_a_quarter_within_the_two_years():
    without = ("custody_adults", "custody_juveniles", "conviction")
    whole = tf.appraise_2019(without=without, persistence=0.0).parts[0].lines
    late = tf.appraise_2019(without=without, begins="month_19", persistence=0.0).parts[0].lines
    total, part = (rows.query("kind == 'benefit'")["undiscounted"].sum() for rows in (whole, late))
    assert part == pytest.approx(total / 4)


def test_benefits_are_in_proportion_to_people_and_grow_with_persistence(reference):
    double = {name: 2 * item.value for name, item in people_in_family().items()}
    assert tf.appraise_2019(people=double).benefits == pytest.approx(2 * reference.benefits)
    lasting = [reference.benefits_at(share) for share in (0.0, 0.5, 1.0)]
    assert lasting == sorted(lasting)
    assert lasting[1] == pytest.approx(tf.appraise_2019(persistence=0.5).benefits)
    assert lasting[2] == pytest.approx(tf.appraise_2019(persistence=1.0).benefits)


def test_the_interval_is_the_widest_that_significance_allows(reference):
    low, high = reference.ratio_interval()
    # Each effect is at most just significant; at worst all err together: from none to twice.
    assert low == pytest.approx(0.0, abs=1e-4)
    assert high == pytest.approx(2 * reference.benefit_cost_ratio, rel=1e-3)


def test_the_account_turns_one_thing_at_a_time(reference):
    rows = tf.account_2019()
    assert rows.loc[0, "total"] == pytest.approx(reference.benefit_cost_ratio)
    first = rows.loc[0, ["total", "central"]].to_numpy(dtype=float)
    by = {(row.turned, row.how[:4]): row.total for row in rows.itertuples()}
    assert by[("How long effects last", "none")] < first[0] < by[("How long effects last", "all ")]
    assert by[("When they began", "in m")] < first[0]
    assert rows.query("turned == 'Child protection plans'")["total"].iloc[0] < first[0]
    social = tf.appraise_2019(tf.Assumptions()).benefit_cost_ratio
    assert rows.query("turned == 'Whose account'")["total"].iloc[0] == pytest.approx(social)
    shares = (rows["total"] / rows["central"]).to_numpy(dtype=float)
    assert np.allclose(shares, shares[0])  # only the costs differ between the views


def test_what_would_be_needed_gives_the_published_ratio():
    needed = needed_2019().set_index("what")
    for view in ("total", "central"):
        share = float(needed.loc["Share of an effect left in each further year", view])
        if not np.isnan(share):
            found = tf.appraise_2019(of(costs=view), persistence=share)
            assert found.benefit_cost_ratio == pytest.approx(1.51, abs=0.001)
        else:
            ends = [tf.appraise_2019(of(costs=view), persistence=end).benefit_cost_ratio
                    for end in (0.0, 1.0)]  # fmt: skip
            assert not ends[0] <= 1.51 <= ends[1]
    times = float(needed.loc["People in a family, times those taken", "total"])
    people = {name: times * item.value for name, item in people_in_family().items()}
    assert tf.appraise_2019(people=people).benefit_cost_ratio == pytest.approx(1.51)


def test_published_ratios_imply_one_cost():
    assert published_ratios() == {"fiscal": 1.51, "economic": 2.28}
    costs = implied_costs_2019().set_index("measure")
    assert costs.loc["economic", "cost"] == pytest.approx(366 / 1.28)
    assert costs.loc["fiscal", "cost"] == pytest.approx(147 / 0.51)
    assert costs["low"].max() < costs["high"].min()


def test_the_2015_claim_by_hand_as_deadweight_goes_up():
    rows = (
        tf.claim_by_deadweight([0.0, 0.25, 1.0]).set_index(["claim", "cost_counted"]).sort_index()
    )
    whole = rows.loc[("National claim", "authority-contributed and central")]
    assert whole["npv"].round().tolist() == [152e6, 0.75 * 1.2e9 - 1.048e9, -1.048e9]
    report = rows.loc[("Report, a family", "authority-contributed and central")]
    assert report["ratio"].tolist() == pytest.approx([11_200 / 5_214, 8_400 / 5_214, 0.0])


def test_the_break_even_of_the_appraisal_is_that_of_the_closed_form():
    shares = tf.break_even_2015()
    assert break_even_deadweight()["deadweight"].to_list() == pytest.approx(
        (1 - shares["share"]).to_list()
    )
    for row in shares.itertuples():
        at = tf.appraise_claim(row.benefit, row.cost, max(0.0, 1 - row.share))
        assert at.npv == pytest.approx(0.0, abs=1e-6 * row.cost)


def test_a_claims_ratio_does_not_hang_on_prices_or_discounting():
    once = tf.Assumptions(appraisal_years=1)
    made = [
        tf.appraise_claim(11_200, 5_214, 0.3, assumptions=held)
        for held in (None, once, replace(once, green_book_edition="2003", timing="end"),
                     replace(once, base_year=2008))
    ]  # fmt: skip
    assert len({round(found.benefit_cost_ratio, 9) for found in made}) == 1
    assert made[1].costs > made[0].costs  # ten years' inflation, less three of discounting


@pytest.mark.parametrize("held", [tf.Assumptions(), tf.Assumptions(costs="marginal")])
def test_only_the_costs_differ_between_views_and_the_scenarios_stands_first(held):
    rows = tf.account_2019(held)
    assert list(rows.columns[2:]) == list(views(held))
    assert views(held)[0] == held.costs
    for view in views(held):
        ratio = tf.appraise_2019(of(costs=view)).benefit_cost_ratio
        assert rows.loc[0, view] == pytest.approx(ratio)


def test_a_cohort_is_a_year_s_families_and_its_costs():
    whole, one = tf.appraise_2019(PURSE), tf.appraise_2019(of(base_year=2015), cohort=2017)
    assert one.families == pytest.approx(whole.families / 5)
    spent = tf.programme_costs("two", "total", 2024)
    spent = spent[spent["year"] == "2017-18"]["amount"].sum()
    assert 0 < one.costs < spent  # discounted by two years
    with pytest.raises(ParameterError, match="joined in 2015 to 2019, not in 2014"):
        tf.appraise_2019(cohort=2014)


def test_mistakes_are_named():
    with pytest.raises(ParameterError, match="deadweight lies between 0 and 1"):
        tf.appraise_claim(11_200, 5_214, 40)
    with pytest.raises(ParameterError, match="no kids in a family"):
        family_effects(published_effects("2019"), {"kids": 2})
    with pytest.raises(ParameterError, match="number above 0"):
        family_effects(published_effects("2019"), {"children": 0})
    with pytest.raises(ParameterError, match="month_19"):
        family_effects(published_effects("2019"), begins="month19")
