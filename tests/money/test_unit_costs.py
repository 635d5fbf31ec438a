"""Unit costs: worked by hand from the published figures, net of one another, with sources."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tfeval.errors import DataError, ParameterError, SourceError
from tfeval.money.prices import deflate, price_years
from tfeval.money.unit_costs import (
    PARTIES,
    PAYERS,
    PUBLIC,
    TAXPAYERS,
    check_registry,
    check_unit_costs,
    not_monetised,
    party_of,
    second_opinions,
    unit_costs,
)
from tfeval.programme.outcomes import OUTCOMES, cohort_outcomes, is_more_better
from tfeval.programme.published import figure, published

HARM = "victims' harm, property and lost output"


def amount(outcome: str, component: str, price_year: int) -> float:
    """Return one unit cost in pounds."""
    rows = unit_costs(price_year, [outcome]).set_index("component")
    return rows.loc[component, "amount"]


def table() -> pd.DataFrame:
    """Return the table of unit costs, without headlines and second opinions."""
    rows = published("unit_costs")
    return rows[rows["figure"] == "unit_cost"].reset_index(drop=True)


def row(outcome: str, component: str) -> pd.Series:
    """Return one row as it was published."""
    return table().set_index(["outcome", "component"]).loc[(outcome, component)]


def other(outcome: str, component: str, price_year: str) -> float:
    """Return what another source says, in its own prices."""
    rows = second_opinions(outcome)
    held = rows[(rows["component"] == component) & (rows["price_year"] == price_year)]
    assert len(held) == 1
    return float(held["value"].iloc[0])


def parts(outcome: str, name: str) -> dict[str, float]:
    """Return figures beside an outcome's costs: shares, lengths, counts."""
    rows = published("unit_costs")
    rows = rows[(rows["outcome"] == outcome) & (rows["figure"] == name)]
    return dict(zip(rows["component"], rows["value"], strict=True))


# --- what is in it --------------------------------------------------------------------------------


def test_every_measure_of_the_cohort_has_a_cost_or_a_reason():
    costed = set(unit_costs(2014)["outcome"])
    reasons = dict(not_monetised().itertuples(index=False))
    names = {row.name for row in cohort_outcomes() if row.counted}
    assert names == (costed & names) | set(reasons)
    assert not costed & set(reasons)
    assert all(reasons.values())
    check_registry(costed)
    with pytest.raises(DataError, match="custody_juvenile: no unit cost and no reason"):
        check_registry(costed - {"custody_juvenile"})


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


# --- amounts by hand ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "component", "price_year", "pounds"),
    [
        ("looked_after", "placement and support", 2013, 51_080 / 365 * 0.97),
        ("looked_after", "placement and support", 2024, 51_080 / 365 * 0.97 * 100 / 73.0337),
        ("in_need", "case management", 2008, 1_416 / 182.5),
        ("protection_plan", "case management", 2008, (2 * 1_416 + 585 + 511) / 365 * 0.64),
        ("out_of_work", "benefit payments", 2012, 7_500 / 365),
        ("out_of_work", "health", 2012, 1_132 / 365 * 0.75),
        ("jobseekers_allowance", "benefit payments", 2012, 9_234 / 365),
        ("employment", "earnings", 2013, -6.31 * 30 / 7),
        ("employment", "tax and national insurance", 2010, -1_039 / 365),
        ("custody", "prison", 2013, 33_785 * 15.5 / 12 / 2),
        ("custody_juvenile", "secure estate", 2013, 94_780 * (11.4 + 17.7) / 2 / 12 / 2),
        ("offences", "courts and legal aid", 2010, 81.12),
        ("offences", "police", 2010, 609 - 21.2 - 81.12 - 108.03 - 58.3 - 112.42),
        ("offences", "prison", 2010, 0.0),
        ("asb_incidents", "police and partners", 2003, 141),
        ("domestic_abuse", "housing", 2008, 110),
        ("domestic_abuse", "police", 2008, 415 * 0.75),
        ("sessions_unauthorised", "alternative education", 2005, 706 / 50 * 0.75),
        ("sessions_unauthorised", "later earnings", 2024, 750 / 4 / 2),
        ("permanent_exclusions", "alternative education", 2005, 7_181),
        ("emergency_admissions", "inpatient episode", 2013, 1_542 * (17.6 - 6) / (15 - 6)),
        ("ae_attendances", "attendance", 2011, 125),
    ],
)
def test_amounts_worked_by_hand(outcome, component, price_year, pounds):
    assert amount(outcome, component, price_year) == pytest.approx(pounds, rel=1e-6)


def test_components_add_up_to_the_headlines():
    rows = published("unit_costs")
    heads = rows[rows["figure"] == "unit_cost_total"].set_index("outcome")["value"]
    used = rows[(rows["figure"] == "unit_cost") & rows["payer"].isin(PUBLIC)]
    sums = used.groupby("outcome")["value"].sum()
    gaps = heads - sums.reindex(heads.index)
    assert len(gaps) == 6
    assert (gaps.abs() < 0.5).all()
    by_hand = 1171 + 581 + 415 + 193 + 110
    assert sums["domestic_abuse"] == by_hand == 2470


def net_of_public_services() -> dict[str, float]:
    """Return the total of each kind of offence less what public services pay, 2010-11 prices."""
    kinds = ("violence with injury", "common assault", "theft", "criminal damage")
    return {
        kind: deflate(other("offences", f"{kind}, all costs", "2003-04"), 2003, 2010)
        - other("offences", f"{kind}, public services", "2010-11")
        for kind in kinds
    }


def test_victims_harm_is_a_stated_mix_of_kinds_net_of_public_services():
    net = net_of_public_services()
    assert net["common assault"] == pytest.approx(1_440 * 68.8561 / 57.9885 - 455)
    share = {kind: value / 100 for kind, value in parts("offences", "share_of_offences").items()}
    assert share == {"violence": 0.24, "theft": 0.2, "criminal damage": 0.12, "drugs": 0.12}

    def mix(injury: float, thefts: float, rest: float) -> float:
        violence = injury * net["violence with injury"] + (1 - injury) * net["common assault"]
        named = share["violence"] * violence + share["theft"] * thefts * net["theft"]
        named += share["criminal damage"] * net["criminal damage"]
        return named + rest * (1 - sum(share.values())) * net["criminal damage"]

    harm = row("offences", HARM)
    assert harm["value"] == pytest.approx(mix(0.25, 1, 0))
    assert harm["low"] == pytest.approx(mix(0, 0.5, 0))
    assert harm["high"] == pytest.approx(mix(0.5, 1, 1))
    # No kind is worth less than what public services pay for it: nothing turned round.
    assert min(net.values()) > 0


def test_the_mix_of_serious_offences_lies_above_the_range():
    number = parts("offences", "prosecuted_for_indictable_offences")
    net = net_of_public_services() | {"fraud": 0.0}
    for kind in ("robbery", "burglary in a dwelling", "sexual offences"):
        total = deflate(other("offences", f"{kind}, all costs", "2003-04"), 2003, 2010)
        net[kind] = total - other("offences", f"{kind}, public services", "2010-11")
    mean = sum(number[kind] * net[kind] for kind in number) / sum(number.values())
    harm = row("offences", HARM)
    assert f"£{mean:,.0f}" in harm["range_basis"]
    assert mean > harm["high"]


def test_custody_has_lengths_that_were_published():
    length = figure("unit_costs", "average_custodial_sentence")
    adults = row("custody", "prison")
    assert length.value == 15.5
    assert adults["times"] / adults["divided_by"] == pytest.approx(length.value / 2 / 12)
    given = list(parts("custody_juvenile", "average_custodial_sentence_under_18").values())
    children = row("custody_juvenile", "secure estate")
    assert children["times"] / children["divided_by"] == pytest.approx(np.mean(given) / 2 / 12)


def test_the_secure_estate_is_an_average_over_its_kinds():
    shares = parts("custody_juvenile", "share_of_children_in_custody")
    assert sum(shares.values()) == pytest.approx(100)

    def mean(price_year: str) -> float:
        return sum(
            share / 100 * other("custody_juvenile", kind, price_year)
            for kind, share in shares.items()
        )

    assert mean("2012-13") == pytest.approx(0.76 * 65_000 + 0.148 * 178_000 + 0.092 * 212_000)
    held = row("custody_juvenile", "secure estate")
    first, last = deflate(mean("2012-13"), 2012, 2013), deflate(mean("2018-19"), 2018, 2013)
    assert held["value"] == pytest.approx(first, rel=0.03)
    assert held["value"] == pytest.approx(last, rel=0.03)
    assert held["low"] == pytest.approx(last * 11.4 / 14.55)
    assert held["high"] == pytest.approx(first * 17.7 / 14.55)


def test_children_in_custody_cost_more_than_twice_what_adults_do():
    assert amount("custody_juvenile", "secure estate", 2024) > 2 * amount("custody", "prison", 2024)


def test_an_admission_lies_between_one_episode_and_the_average_of_all_ages():
    held = row("emergency_admissions", "inpatient episode")
    counted = parts("emergency_admissions", "hospital_activity")
    days = counted["day cases"]
    ratio = (counted["finished consultant episodes"] - days) / (
        counted["finished admission episodes"] - days
    )
    assert held["times"] / held["divided_by"] == pytest.approx(ratio)
    assert held["low"] * ratio == pytest.approx(1_542)
    of_all = other("emergency_admissions", "admission", "2012-13")
    assert of_all == pytest.approx(12.5e9 / 5.3e6)
    assert held["high"] * ratio == pytest.approx(deflate(of_all, 2012, 2013))


def test_a_report_of_anti_social_behaviour_is_the_bill_over_the_reports():
    held = row("asb_incidents", "police and partners")
    reports = parts("asb_incidents", "reports_a_day")["reports a day"]
    assert held["value"] == pytest.approx(3.4e9 / reports / 365, abs=0.5)
    assert held["high"] == pytest.approx(3.4e9 / reports / 252, abs=0.5)
    assert held["low"] == pytest.approx(deflate(35, 2002, 2003))
    assert held["high"] < other("asb_incidents", "further action needed", "2002-03") == 500


def test_the_average_cost_of_care_is_told_twice_and_cases_are_no_range():
    held = row("looked_after", "placement and support")
    again = other("looked_after", "all services, average of councils", "2012-13")
    assert held["value"] == pytest.approx(deflate(again, 2012, 2013), rel=0.01)
    assert held["low"] == pytest.approx(deflate(40_000, 2012, 2013))
    assert held["high"] == pytest.approx(deflate(60_000, 2012, 2013))
    foster = other("looked_after", "foster care", "2013-14") * 52
    home = other("looked_after", "residential care", "2013-14") * 52
    assert foster < held["low"] < held["high"] < home


def test_low_pay_lies_between_part_time_and_the_lowest_tenth_of_full_time():
    held = row("employment", "earnings")
    hour = figure("unit_costs", "hourly_minimum_wage").value
    tenth = figure("unit_costs", "weekly_earnings_lowest_tenth").value
    assert held["value"] == pytest.approx(hour * 30 * 365 / 7)
    assert held["low"] == pytest.approx(hour * 16 * 365 / 7)
    assert held["high"] == pytest.approx(tenth * 365 / 7)
    assert held["high"] < other("employment", "median full-time earnings", "2013-14")


def test_the_allowance_alone_is_the_low_end_of_a_claim():
    alone = 72.40 * 365 / 7 * 71.5454 / 74.0662
    for outcome in ("out_of_work", "jobseekers_allowance"):
        assert row(outcome, "benefit payments")["low"] == pytest.approx(alone)


# --- nothing twice, nothing turned round ----------------------------------------------------------


def test_only_an_outcome_that_is_good_is_a_gain():
    for year in (2004, 2014, 2024):
        rows = unit_costs(year)
        good = rows["outcome"].map(is_more_better)
        assert set(rows.loc[good, "outcome"]) == {"employment"}
        assert (rows.loc[good, ["low", "amount", "high"]] <= 0).all().all()
        assert (rows.loc[~good, ["low", "amount", "high"]] >= 0).all().all()
        # Some of every harm is its own, however much other outcomes may hold of it.
        assert (rows[~good].groupby("outcome")["amount"].sum() > 0).all()


def test_each_partys_rows_are_wholly_its_own_and_say_why():
    rows = unit_costs(2024)
    own = rows[rows["party"] != TAXPAYERS]
    assert set(own["outcome"]) == {"offences", "employment", "sessions_unauthorised"}
    assert set(own["payer"]) == set(own["party"]) == {"victims", "participants"}
    assert (own["own"] == 1).all()
    assert own["overlaps"].str.startswith("none: ").all()
    assert (own["cashable_high"] == 0).all()
    assert (own["transfer"] == "no").all()
    for outcome, theirs in own.groupby("outcome"):
        public = rows[(rows["outcome"] == outcome) & (rows["party"] == TAXPAYERS)]
        assert len(public), outcome
        assert not set(public["component"]) & set(theirs["component"])


def test_transfers_are_public_money_and_leave_society_with_the_rest():
    rows = unit_costs(2024)
    moved = rows[rows["transfer"] == "yes"]
    assert set(moved["payer"]) == {"DWP", "HMRC"}
    assert (moved["cashable"] == 1).all()
    assert set(moved["outcome"]) == {"out_of_work", "jobseekers_allowance", "employment"}
    # A day in work: what the Exchequer takes is part of the earnings, so society gains these once.
    day = rows[rows["outcome"] == "employment"]
    society = day.loc[day["transfer"] == "no", "amount"].sum()
    assert society == pytest.approx(-6.31 * 30 / 7 * 100 / 73.0337)
    assert society < day.loc[day["transfer"] == "yes", "amount"].sum() < 0


def test_what_is_not_wholly_an_outcomes_own_names_the_others():
    rows = table()
    shared = rows[rows["own"] < 1]
    assert len(shared)
    for _, held in shared.iterrows():
        names = {name.strip() for name in held["overlaps"].split(":")[0].split(",")}
        assert names <= set(OUTCOMES) - {held["outcome"]}
    # At the most: a year in need is in a year on a plan, and in a year in care.
    plan = row("protection_plan", "case management")
    care = row("looked_after", "placement and support")
    assert plan["own_low"] == pytest.approx(1 - 2 * 1_416 / plan["value"], abs=0.005)
    need = deflate(2 * 1_416, 2008, 2013)
    assert care["own_low"] == pytest.approx(1 - need / care["value"], abs=0.005)
    assert row("offences", "prison")["own_high"] == 0


def test_an_association_enters_at_less_than_its_full_value():
    held = row("sessions_unauthorised", "later earnings")
    whole = other("sessions_unauthorised", "later earnings, all of the association", "2024-25")
    assert held["value"] == whole / 4
    assert (held["low"], held["high"], held["made"]) == (0, whole, "C")
    lifetime = second_opinions("permanent_exclusions")["value"]
    assert lifetime.min() > table().set_index("outcome").loc["permanent_exclusions", "value"].sum()


# --- judgements -----------------------------------------------------------------------------------


def test_ranges_are_around_the_mean_and_assumed_ones_follow_the_grade():
    for year in (2002, 2014, 2025):
        rows = unit_costs(year)
        assert (rows["low"] <= rows["amount"]).all()
        assert (rows["amount"] <= rows["high"]).all()
    rows = table()
    assert (rows["low"] < rows["value"]).all()
    assert (rows["value"] < rows["high"]).all()
    assumed = rows[rows["range_basis"].str.startswith("assumed:")]
    assert len(assumed)
    half = {"A": 0.10, "B": 0.25, "C": 0.50}  # of the value, by grade: data/README.md
    for _, held in assumed.iterrows():
        assert held["high"] == pytest.approx(held["value"] * (1 + half[held["made"]]))
        assert held["low"] == pytest.approx(held["value"] * (1 - half[held["made"]]))


def test_every_row_says_what_can_be_cashed_and_no_row_waits_for_another():
    rows = table()
    assert rows["note"].str.contains("ash").all()
    assert not rows["note"].str.contains("replaced").any()
    public = rows["payer"].isin(PUBLIC)
    assert (rows.loc[public, "cashable_high"] > 0).all()
    assert (rows["price_index"] == "gdp_deflator").all()


def test_two_sources_where_two_were_read():
    again = second_opinions()
    assert (again["status"] == "read").all()
    assert again["source_title"].nunique() > 20
    alone = set(table()["outcome"]) - set(again["outcome"])
    assert alone == {"in_need", "jobseekers_allowance", "arrest", "court_event"}
    assert second_opinions("arrest").empty


def test_who_pays():
    rows = unit_costs(2014)
    assert set(rows["payer"]) <= set(PAYERS)
    assert set(rows["party"]) <= {TAXPAYERS, *PARTIES}
    assert party_of("local authority") == TAXPAYERS
    assert party_of("victims") == "victims"
    assert (rows["price_year"] == 2014).all()


def test_the_grade_is_the_worse_of_how_it_was_made_and_how_it_reached_us():
    rows = unit_costs(2024).set_index(["outcome", "component"])
    care = rows.loc[("looked_after", "placement and support")]
    assert (care["made"], care["reached"], care["grade"]) == ("A", "second", "B")
    assert "A" not in set(rows["grade"])  # nothing was read where it was first published
    assert rows.loc[("offences", HARM), "grade"] == "C"


def test_later_prices_are_never_lower():
    last = None
    for year in price_years():
        now = unit_costs(year)["amount"].abs()
        assert last is None or (now >= last - 1e-9).all()
        last = now


def test_every_row_has_a_source_that_was_read():
    rows = unit_costs(2014)
    assert (rows["status"] == "read").all()
    assert (rows["source_title"].str.len() > 0).all()
    codes = rows.loc[rows["code"] != "", "code"]
    assert codes.str.match(r"(SS|E&E|E&S|CR|HE)\d+(\.\d+)+$").all()


# --- refusals -------------------------------------------------------------------------------------


def test_a_row_without_a_source_is_refused():
    own = table()
    own.loc[0, "url"] = " "
    with pytest.raises(SourceError, match=r"no source in 1 rows \(looked_after\): give title"):
        unit_costs(2014, table=own)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("payer", "the taxpayer", "column payer: none of DWP, MoJ"),
        ("made", "D", "column made: none of A, B, C in 1 rows"),
        ("reached", "", "column reached: none of first, second, third in 1 rows"),
        ("priced", "total", "column priced: none of average, marginal in 1 rows"),
        ("transfer", "maybe", "column transfer"),
        ("per", "", "column per: empty in 1 rows"),
        ("low", 99_999.0, "not around the value in 1 rows"),
        ("low", 51_080.0, "not around the value in 1 rows"),
        ("own_low", 0.99, "column own: no share with its range"),
        ("cashable_high", 1.5, "column cashable: no share with its range"),
        ("overlaps", "", "column overlaps: empty in 1 rows that are not wholly their own"),
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
    own = table().head(1).assign(value=36_500.0, low=30_000.0, price_year="2024-25", own=1.0)
    rows = unit_costs(2024, table=own.assign(own_high=1.0))
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
