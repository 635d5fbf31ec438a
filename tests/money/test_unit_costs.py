"""Unit costs: worked by hand from the database, refused without a source."""

from __future__ import annotations

import pandas as pd
import pytest

from tfeval.errors import DataError, ParameterError, SourceError
from tfeval.money.prices import price_years
from tfeval.money.unit_costs import (
    CASHABILITY,
    PAYERS,
    SPREAD,
    check_unit_costs,
    not_monetised,
    unit_costs,
)
from tfeval.programme.outcomes import cohort_outcomes
from tfeval.programme.published import figure, published


def amount(outcome: str, component: str, price_year: int) -> float:
    """Return one unit cost in pounds."""
    rows = unit_costs(price_year, [outcome]).set_index("component")
    return rows.loc[component, "amount"]


def table() -> pd.DataFrame:
    """Return the table of unit costs, without headlines."""
    rows = published("unit_costs")
    return rows[rows["figure"] == "unit_cost"].reset_index(drop=True)


def test_every_measure_of_the_cohort_has_a_cost_or_a_reason():
    costed = set(unit_costs(2014)["outcome"])
    reasons = dict(not_monetised().itertuples(index=False))
    names = {row.name for row in cohort_outcomes() if row.counted}
    assert names == (costed & names) | set(reasons)
    assert not costed & set(reasons)
    assert all(reasons.values())


def test_costs_are_in_the_units_of_the_cohort():
    counted = {row.name: row.unit for row in cohort_outcomes()}
    per = unit_costs(2014).groupby("outcome")["per"].unique()
    for outcome, units in per.items():
        assert len(units) == 1
        unit = counted.get(outcome)
        if unit == "person-days":
            assert units[0] == "person-day"
        elif unit == "half days":
            assert units[0] == "half day"
        elif unit is not None:
            assert "day" not in units[0]


@pytest.mark.parametrize(
    ("outcome", "component", "price_year", "pounds"),
    [
        ("looked_after", "placement and support", 2013, 51_080 / 365),
        ("looked_after", "placement and support", 2024, 51_080 / 365 * 100 / 73.0337),
        ("in_need", "case management", 2008, 1_416 / 182.5),
        ("protection_plan", "case management", 2023, 6_000 / 365),
        ("out_of_work", "benefit payments", 2012, 7_500 / 365),
        ("jobseekers_allowance", "benefit payments", 2012, 9_234 / 365),
        ("employment", "health", 2012, -566 / 365),
        ("custody", "prison", 2013, 33_785 * 15.5 / 12 / 2),
        ("offences", "courts and legal aid", 2010, 81.12),
        ("offences", "police", 2010, 609 - 21.2 - 81.12 - 108.03 - 58.3 - 112.42),
        ("asb_incidents", "police and partners", 2002, 500),
        ("domestic_abuse", "housing", 2008, 110),
        ("sessions_unauthorised", "alternative education", 2005, 706 / 50),
        ("permanent_exclusions", "alternative education", 2005, 7_181),
        ("emergency_admissions", "inpatient episode", 2013, 1_542),
        ("ae_attendances", "attendance", 2011, 125),
    ],
)
def test_amounts_worked_by_hand(outcome, component, price_year, pounds):
    assert amount(outcome, component, price_year) == pytest.approx(pounds, rel=1e-6)


def test_components_add_up_to_the_headlines():
    rows = published("unit_costs")
    heads = rows[rows["figure"] == "unit_cost_total"].set_index("outcome")["value"]
    sums = rows[rows["figure"] == "unit_cost"].groupby("outcome")["value"].sum()
    gaps = heads - sums.reindex(heads.index)
    assert len(gaps) == 6
    assert (gaps.abs() < 0.5).all()
    by_hand = 1171 + 581 + 415 + 193 + 110
    assert sums["domestic_abuse"] == by_hand == 2470


def test_the_length_of_custody_is_the_published_one():
    length = figure("unit_costs", "average_custodial_sentence")
    row = table().set_index("outcome").loc["custody"]
    assert length.value == 15.5
    assert row["times"] / row["divided_by"] == pytest.approx(length.value / 2 / 12)


def test_the_allowance_alone_is_the_low_end_of_a_claim():
    rows = table().set_index(["outcome", "component"])
    alone = 72.40 * 365 / 7 * 71.5454 / 74.0662
    for outcome in ("out_of_work", "jobseekers_allowance", "employment"):
        assert rows.loc[(outcome, "benefit payments"), "low"] == pytest.approx(alone)


def test_ranges_hold_the_amount_and_assumed_ones_follow_the_grade():
    for year in (2002, 2014, 2025):
        rows = unit_costs(year)
        assert (rows["low"] <= rows["amount"]).all()
        assert (rows["amount"] <= rows["high"]).all()
        assert (rows["low"] < rows["high"]).all()
    rows = table()
    assumed = rows[rows["range_basis"].str.startswith("assumed:")]
    assert len(assumed)
    for _, row in assumed.iterrows():
        assert row["high"] == pytest.approx(row["value"] * (1 + SPREAD[row["grade"]]))
        assert row["low"] == pytest.approx(row["value"] * (1 - SPREAD[row["grade"]]))


def test_only_work_is_a_gain():
    rows = unit_costs(2014)
    assert set(rows.loc[rows["amount"] < 0, "outcome"]) == {"employment"}


def test_later_prices_are_never_lower():
    last = None
    for year in price_years():
        now = unit_costs(year)["amount"].abs()
        assert last is None or (now >= last - 1e-9).all()
        last = now


def test_who_pays_and_what_is_only_moved():
    rows = unit_costs(2014)
    assert set(rows["payer"]) <= set(PAYERS)
    assert set(rows["cashability"]) <= set(CASHABILITY)
    assert set(rows.loc[rows["transfer"] == "yes", "payer"]) == {"DWP"}
    assert set(rows["layer"]) == {"fiscal"}
    assert (rows["price_year"] == 2014).all()


def test_every_row_has_a_source_that_was_read():
    rows = unit_costs(2014)
    assert (rows["status"] == "read").all()
    assert (rows["source_title"].str.len() > 0).all()
    codes = rows.loc[rows["code"] != "", "code"]
    assert codes.str.match(r"(SS|E&E|E&S|CR|HE)\d+(\.\d+)+$").all()


def test_a_row_without_a_source_is_refused():
    own = table()
    own.loc[0, "url"] = " "
    with pytest.raises(SourceError, match=r"no source in 1 rows \(looked_after\): give title"):
        unit_costs(2014, table=own)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("payer", "the taxpayer", "column payer: none of DWP, MoJ"),
        ("layer", "", "column layer: none of fiscal, economic, social in 1 rows"),
        ("grade", "D", "column grade: none of A, B, C in 1 rows"),
        ("cashability", "maybe", "column cashability"),
        ("per", "", "column per: empty in 1 rows"),
        ("low", 99_999.0, "not around the value in 1 rows"),
        ("divided_by", 0.0, "no conversion in 1 rows"),
        ("times", 0.0, "no conversion in 1 rows"),
    ],
)
def test_a_broken_row_is_refused(column, value, message):
    own = table()
    own.loc[0, column] = value
    with pytest.raises(DataError, match=message):
        check_unit_costs(own)


def test_numbers_that_are_none_are_refused():
    own = table()
    own.loc[0, "low"] = float("nan")
    with pytest.raises(DataError, match="column low: not a number in 1 rows"):
        unit_costs(2014, table=own)
    with pytest.raises(DataError, match="column value: not a number"):
        unit_costs(2014, table=table().astype({"value": str}))


def test_a_missing_column_and_a_repeated_row_are_refused():
    with pytest.raises(DataError, match="column payer is missing: add it"):
        check_unit_costs(table().drop(columns="payer"))
    with pytest.raises(DataError, match="repeated outcome and component in 2 rows"):
        check_unit_costs(pd.concat([table(), table().head(2)]))


def test_own_unit_costs_can_replace_the_table():
    own = table().head(1).assign(value=36_500.0, price_year="2024-25")
    rows = unit_costs(2024, table=own)
    assert rows["amount"].tolist() == pytest.approx([100.0])
    recalled = pd.concat([own, own.assign(status="recalled", component="more")])
    assert len(unit_costs(2024, table=recalled)) == 1


def test_what_has_no_unit_cost_says_why():
    with pytest.raises(ParameterError, match="No sourced cost of a fixed exclusion"):
        unit_costs(2014, ["fixed_exclusions"])
    with pytest.raises(ParameterError, match="Did you mean looked_after"):
        unit_costs(2014, ["lookedafter"])
    with pytest.raises(ParameterError, match="no deflator for 1999"):
        unit_costs(1999)
