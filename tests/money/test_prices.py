"""Prices and discounting: against closed forms, hand arithmetic and the R package greenbook."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tfeval.errors import DataError, ParameterError
from tfeval.money.prices import (
    deflate,
    discount_factors,
    discount_rates,
    edition_of,
    editions,
    equivalent_annual,
    in_prices,
    present_value,
    price_years,
    proposals,
    year_number,
)
from tfeval.programme.published import published

GOLDEN = Path(__file__).parents[1] / "golden" / "greenbook.csv"
WHOLE = ["2003", "2022", "2026"]


def test_deflating_there_and_back_changes_nothing():
    for year in price_years():
        assert deflate(deflate(100.0, 2012, year), year, 2012) == pytest.approx(100.0)
    assert deflate(100.0, 2014, 2014) == 100.0
    assert deflate(74.0662, 2014, 2024) == pytest.approx(100.0)


def test_a_year_without_deflator_names_the_range():
    with pytest.raises(ParameterError, match="use a year from 2002 to 2025"):
        deflate(1.0, 1990, 2014)


def test_money_carries_its_price_year():
    money = pd.DataFrame({"amount": [100.0, 100.0], "price_year": ["2014-15", 2024]})
    there = in_prices(money, ["amount"], 2024)
    assert there["amount"].tolist() == pytest.approx([100 * 100 / 74.0662, 100.0])
    assert there["original_price_year"].tolist() == [2014, 2024]
    assert money["amount"].tolist() == [100.0, 100.0]
    back = in_prices(there, ["amount"], 2014)
    assert back["amount"].iloc[0] == pytest.approx(100.0)
    with pytest.raises(DataError, match="give the table a column price_year"):
        in_prices(money[["amount"]], ["amount"], 2024)


@pytest.mark.parametrize("label", ["2014", "2014-16", "2014/15", "14-15", ""])
def test_a_label_that_is_no_financial_year_is_refused(label):
    with pytest.raises(DataError, match="write it as 2014-15"):
        year_number(label)


def test_a_century_ends_in_a_financial_year_too():
    assert year_number("1999-00") == 1999


@pytest.mark.parametrize("edition", WHOLE)
def test_the_annuity_and_the_kink_at_year_31(edition):
    factors = discount_factors(80, edition)
    annuity = (1 - 1.035**-30) / 0.035
    assert factors[1:31].sum() == pytest.approx(annuity, rel=1e-12)
    assert factors[30] == pytest.approx(1.035**-30)
    assert factors[31] == pytest.approx(1.035**-30 / 1.03)
    assert factors[75] == pytest.approx(1.035**-30 * 1.03**-45)
    assert factors[76] == pytest.approx(1.035**-30 * 1.03**-45 / 1.025)


def test_the_annuity_beyond_the_kink_has_two_closed_forms_added():
    before = (1 - 1.035**-30) / 0.035
    after = 1.035**-30 * (1 - 1.03**-20) / 0.03
    assert discount_factors(50, "2026")[1:].sum() == pytest.approx(before + after, rel=1e-12)


@pytest.mark.parametrize("edition", [*WHOLE, "2018", "2026-review"])
def test_in_the_middle_of_the_year_is_half_a_year_later_and_years_are_a_year_apart(edition):
    rate = discount_rates(edition)["rate"].iloc[0]
    end = discount_factors(29, edition)
    mid = discount_factors(29, edition, timing="mid")
    # Money of year t comes at t + 1/2, that of year 0 too: once it was not discounted at all,
    # and lay half a year from that of year 1.
    assert mid == pytest.approx((1 + rate) ** -(np.arange(30) + 0.5), rel=1e-12)
    assert mid == pytest.approx(end / np.sqrt(1 + rate), rel=1e-12)
    assert mid[:-1] / mid[1:] == pytest.approx(np.full(29, 1 + rate), rel=1e-12)


def test_year_30_is_discounted_at_the_old_rate_and_then_half_a_year_at_the_new():
    mid = discount_factors(31, "2022", timing="mid")
    assert mid[29] == pytest.approx(1.035**-29.5)
    assert mid[30] == pytest.approx(1.035**-30 * 1.03**-0.5)
    assert mid[31] == pytest.approx(1.035**-30 * 1.03**-1.5)
    # Where the next band is not held the last rate goes on.
    assert discount_factors(30, "2026-review", timing="mid")[30] == pytest.approx(1.03**-30.5)
    with pytest.raises(ParameterError, match="no timing start"):
        discount_factors(3, "2022", timing="start")


@pytest.mark.parametrize("timing", ["end", "mid"])
def test_an_even_flow_is_near_the_integral_of_continuous_discounting(timing):
    # £1 a year, spread over each of 20 years: the integral of 1.035^-t from 0 to 20. Mid-year
    # factors are that to a hundredth of a percent; end-of-year ones half a year too high.
    whole = (1 - 1.035**-20) / np.log(1.035)
    found = discount_factors(19, "2022", timing=timing).sum()
    apart = 1.0 if timing == "mid" else 1.035**0.5
    assert found / apart == pytest.approx(whole, rel=1e-4)


def golden(call: str, schedule: str) -> pd.DataFrame:
    """Return the numbers that the R package gave for a call and a schedule."""
    rows = pd.read_csv(GOLDEN)
    rows = rows[(rows["call"] == call) & (rows["schedule"] == schedule)]
    assert len(rows)
    return rows


@pytest.mark.parametrize(
    ("edition", "kind", "schedule"),
    [
        ("2022", "standard", "standard"),
        ("2022", "health", "health"),
        ("2026", "standard", "standard"),
        ("2026", "health", "health"),
        ("2026", "sensitivity", "catastrophic"),
    ],
)
def test_factors_are_those_of_the_r_package(edition, kind, schedule):
    rows = golden("gb_discount_factor", schedule)
    factors = discount_factors(500, edition, kind)
    assert factors[rows["year"].to_numpy()] == pytest.approx(rows["value"].to_numpy(), rel=1e-12)


@pytest.mark.parametrize("schedule", ["standard", "health"])
def test_values_are_those_of_the_r_package(schedule):
    for _, row in golden("sum(gb_discount_factor(1:year))", schedule).iterrows():
        total = discount_factors(row["year"], "2022", schedule)[1:].sum()
        assert total == pytest.approx(row["value"], rel=1e-12)
    flows = [-100.0] + [30.0] * 5
    value = golden("gb_npv(c(-100, rep(30, 5)))", schedule)["value"].item()
    assert present_value(flows, "2022", schedule) == pytest.approx(value, rel=1e-12)
    annual = golden("gb_eanc(gb_npv(c(-100, rep(30, 5))))", schedule)["value"].item()
    assert equivalent_annual(value, 5, "2022", schedule) == pytest.approx(annual, rel=1e-12)


def test_a_value_across_the_kink_is_that_of_the_r_package():
    value = golden("gb_npv(c(-100, rep(3, 60)))", "standard")["value"].item()
    assert present_value([-100.0] + [3.0] * 60, "2022") == pytest.approx(value, rel=1e-12)
    annual = golden("gb_eanc(gb_npv(c(-100, rep(3, 60))))", "standard")["value"].item()
    assert equivalent_annual(value, 60, "2022") == pytest.approx(annual, rel=1e-12)


def test_health_is_discounted_less_and_2003_had_no_such_rate():
    assert discount_factors(10, "2022", "health")[10] == pytest.approx(1.015**-10)
    with pytest.raises(ParameterError, match="2003 has no health rate"):
        discount_rates("2003", "health")
    with pytest.raises(ParameterError, match="no Green Book edition 2023"):
        discount_rates("2023")


def test_the_review_is_a_proposal_and_says_so():
    assert editions() == ["2003", "2018", "2022", "2026"]
    assert proposals() == ["2026-review"]
    review = edition_of("2026-review")
    assert not review.in_force
    assert "not in force" in review.label
    assert not discount_rates("2026-review")["in_force"].any()
    assert discount_factors(10, "2026-review")[10] == pytest.approx(1.03**-10)
    with pytest.raises(ParameterError, match=r"not in force.* has no health rate"):
        discount_rates("2026-review", "health")


def test_one_edition_is_in_force():
    assert [name for name in editions() if edition_of(name).in_force] == ["2026"]
    assert edition_of("2022").label == "Green Book 2022"


@pytest.mark.parametrize("edition", ["2018", "2026-review"])
def test_years_of_which_no_rate_was_seen_are_refused(edition):
    assert len(discount_factors(30, edition)) == 31
    with pytest.raises(ParameterError, match="held for years 0 to 30 after the base year, not 31"):
        discount_factors(31, edition)


def test_recalled_rates_are_there_to_be_shown_and_never_used():
    held = published("discount_rates", unverified=True)
    recalled = held[held["status"] == "recalled"]
    assert set(recalled["edition"]) == {"2018"}
    assert edition_of("2018").kinds == ("standard",)


@pytest.mark.parametrize("years", [-1, 1001])
def test_years_outside_the_schedule_are_refused(years):
    with pytest.raises(ParameterError, match="years 0 to 1000"):
        discount_factors(years, "2022")


def test_a_schedule_leaves_no_year_out():
    for edition in editions():
        bands = discount_rates(edition)
        assert bands["from_year"].iloc[0] == 0
        assert (bands["from_year"].iloc[1:].to_numpy() == bands["to_year"].iloc[:-1] + 1).all()
        assert (np.diff(bands["rate"]) < 0).all()


@pytest.mark.parametrize("timing", ["end", "mid"])
def test_a_higher_rate_never_raises_a_later_value(timing):
    names = sorted([*editions(), *proposals()], key=lambda n: discount_rates(n)["rate"].iloc[0])
    # In the middle of year 30 half a year of the next band counts, which some do not hold.
    years = 30 if timing == "end" else 29
    ladder = [discount_factors(years, "2022", "health", timing)]
    ladder += [discount_factors(years, name, timing=timing) for name in names]
    for lower, higher in pairwise(ladder):
        assert (higher <= lower + 1e-15).all()
        assert (np.diff(higher) < 0).all()


def test_present_value_by_hand():
    assert present_value(np.array([0, 103.5, 0, 1.035**3]), "2022") == pytest.approx(101.0)
    for wrong in ([], 3.0, [[1.0, 2.0]]):
        with pytest.raises(ParameterError, match="one amount a year"):
            present_value(wrong, "2022")


def test_present_value_is_linear():
    rng = np.random.default_rng(3)
    one, two = rng.normal(size=(2, 40))
    both = present_value(2 * one - 3 * two, "2026")
    assert both == pytest.approx(2 * present_value(one, "2026") - 3 * present_value(two, "2026"))


def test_an_equivalent_annual_amount_has_the_same_present_value():
    for timing in ("end", "mid"):
        level = equivalent_annual(1000.0, 40, "2026", timing=timing)
        flows = [0.0] + [level] * 40
        assert present_value(flows, "2026", timing=timing) == pytest.approx(1000.0)
    with pytest.raises(ParameterError, match="at least 1 year"):
        equivalent_annual(1000.0, 0, "2026")
