"""The ledger: against a slow count family by family, closed forms and published payments."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfeval.errors import DataError, ParameterError
from tfeval.programme.ledger import (
    Part,
    Reconciliation,
    fundable,
    maximum_payable,
    payments_due,
    year_two_release,
)
from tfeval.programme.national import check_payments, ledger_by_year, national_ledger, reconcile
from tfeval.programme.phases import phase
from tfeval.programme.published import figure, published

TARIFF = phase("one").tariff
YEARS = TARIFF.years
NONE = pd.DataFrame(columns=["area", "attached_year", "paid_year", "kind", "families"])


def attached(*families: int, area: str = "A") -> pd.DataFrame:
    return pd.DataFrame(
        {"area": area, "attached_year": YEARS[: len(families)], "families": families}
    )


def result(year: str, kind: str, families: int, paid: str = "2014-15") -> pd.DataFrame:
    return pd.DataFrame([("A", year, paid, kind, families)], columns=NONE.columns)


def slow_total(entered: pd.DataFrame, results: pd.DataFrame) -> float:
    """Pay family by family in order, five of every six, as a clerk with a list would."""

    def paid(count_before: int, count: int, rate: float) -> float:
        total = 0.0
        for number in range(count_before + 1, count_before + count + 1):
            # The n-th family is funded when it brings five-sixths of n to a new whole number.
            funded = int((number * 10 + 6) // 12) - int(((number - 1) * 10 + 6) // 12)
            total += funded * rate
        return total

    total, before = 0.0, 0
    for _, row in entered.sort_values("attached_year").iterrows():
        total += paid(before, int(row["families"]), TARIFF.attachment_fee[row["attached_year"]])
        before += int(row["families"])
    for kind in phase("one").result.paid:
        before = 0
        rows = results[results["kind"] == kind].sort_values(["attached_year", "paid_year"])
        for _, row in rows.iterrows():
            rate = TARIFF.results_payment[(row["attached_year"], kind)]
            total += paid(before, int(row["families"]), rate)
            before += int(row["families"])
    return total


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 90), min_size=3, max_size=3), st.data())
def test_the_ledger_equals_a_count_family_by_family(families, data):
    entered = attached(*families)
    rows = []
    for year, count in zip(YEARS, families, strict=True):
        behaviour = data.draw(st.integers(0, count))
        work = data.draw(st.integers(0, count - behaviour))
        progress = data.draw(st.integers(0, behaviour))
        for kind, number in zip(phase("one").result.paid, (behaviour, progress, work), strict=True):
            rows.append(("A", year, "2014-15", kind, number))
    results = pd.DataFrame(rows, columns=NONE.columns)
    due = payments_due(entered, results, TARIFF)
    assert due["payment"].sum() == pytest.approx(slow_total(entered, results), abs=1e-6)
    assert (due["payment"] == due["funded"] * due["rate"]).all()
    fees = due[due["kind"] == "attachment"]
    assert fees["funded"].sum() == fundable([sum(families)], 5 / 6)[0]


def test_families_never_earn_more_than_the_maximum():
    entered = attached(60, 60, 60)
    results = pd.concat([result(year, "continuous_employment", 60) for year in YEARS])
    due = payments_due(entered, results, TARIFF)
    assert due["payment"].sum() == maximum_payable(180, TARIFF) == 150 * 4000


def test_areas_are_funded_apart():
    both = pd.concat([attached(3, area="A"), attached(3, area="B")])
    due = payments_due(both, NONE, TARIFF)
    assert due["funded"].tolist() == [3, 3]
    assert list(due["area"]) == ["A", "B"]


@pytest.mark.parametrize(
    ("entered", "results", "message"),
    [
        (attached(5).drop(columns="families"), NONE, "column families is missing"),
        (attached(-5), NONE, "negative in 1 rows"),
        (attached(5).assign(attached_year="2016-17"), NONE, "the tariff has no year 2016-17"),
        (attached(5), result("2012-13", "employment", 1), "Did you mean continuous_employment"),
        (attached(5), result("2012-13", "continuous_employment", 6), "more families have a result"),
        (attached(5), result("2012-13", "progress_to_work", 1), "progress_to_work outnumbers"),
        (attached(5), result("2013-14", "continuous_employment", 1), "more families have a result"),
    ],
)
def test_the_ledger_refuses_what_cannot_be(entered, results, message):
    with pytest.raises(DataError, match=message):
        payments_due(entered, results, TARIFF)


@pytest.mark.parametrize(
    ("worked", "agreed", "share"),
    [(75, 100, 1.0), (74.9, 100, 0.5), (33, 100, 0.5), (32.9, 100, 0.0), (0, 100, 0.0)],
)
def test_year_two_tiers(worked, agreed, share):
    assert year_two_release(worked, agreed) == share


def test_year_two_tiers_refuse_nothing_agreed():
    with pytest.raises(DataError, match="above 0"):
        year_two_release(1, 0)


def test_the_tiers_in_code_are_those_published():
    assert figure("tariff", "year_two_threshold_full").value == 75
    assert figure("tariff", "year_two_threshold_half").value == 33


@given(st.lists(st.tuples(st.floats(0, 1e9), st.floats(0, 1e9)), max_size=6))
def test_a_reconciliation_always_adds_up(pairs):
    parts = tuple(Part(f"p{i}", min(pair), max(pair), "") for i, pair in enumerate(pairs))
    table = Reconciliation(figure("budget", "phase_one_budget"), parts).to_frame()
    body, total = table.iloc[:-1], table.iloc[-1]
    low_parts = body["low"].iloc[:-1].sum() + body["high"].iloc[-1]
    high_parts = body["high"].iloc[:-1].sum() + body["low"].iloc[-1]
    assert low_parts == pytest.approx(total["low"], abs=1e-3)
    assert high_parts == pytest.approx(total["high"], abs=1e-3)


def test_a_pace_that_is_none_is_refused_in_a_line():
    with pytest.raises(ParameterError, match="There is no pace one"):
        national_ledger("one")


def test_the_national_ledger_counts_every_family_once():
    for pace in ("slow", "fast"):
        due = national_ledger(pace)
        entered = due[due["kind"] == "attachment"]["families"].sum()
        turned = due[due["kind"].isin(["crime_asb_education", "continuous_employment"])]
        assert entered == 117_910
        assert turned["families"].sum() == 116_654
        assert due["payment"].sum() < maximum_payable(117_910, TARIFF)
    years = ledger_by_year()
    assert (years["low"] <= years["high"]).all()
    assert set(years["paid_year"]) == set(YEARS)


def test_budgets_are_reconciled():
    low, high = reconcile("one").remainder
    assert low < high
    explained = reconcile("one").explained
    assert explained[0] + high == pytest.approx(448e6)
    assert explained[1] + low == pytest.approx(448e6)
    assert reconcile("two").remainder == (200e6, 200e6)


def test_published_payments_are_reproduced_or_their_miss_explained():
    checked = check_payments()
    assert len(checked) > len(published("payments_local")) - 1
    missed = checked[checked["miss"] != 0]
    assert (missed["why"].str.len() > 20).all()
    assert not checked["verdict"].isna().any()
    exact = checked[checked["verdict"] == "reproduced"].set_index("area")
    assert exact.loc["Sefton", "why"] == "183 × £3,200"
    for area in ("Birmingham", "Lancashire", "Sheffield", "Kensington and Chelsea", "Southampton"):
        assert area in exact.index
    misses = missed.set_index("area")["miss"]
    assert misses["Westminster"].tolist() == [32_000, 1_067, 267]
    assert misses["Lancashire"] == -1_400
    assert misses["Lambeth"] == 400_000
    assert misses["Warwickshire"] == 805 * 4000 - fundable([805], 5 / 6)[0] * 4000


def test_a_wrong_published_payment_is_caught():
    rows = published("payments_local")
    sefton = rows[rows["area"] == "Sefton"].assign(value=585_700.0)
    checked = check_payments(sefton).iloc[0]
    assert checked["verdict"] == "above the tariff"
    assert checked["miss"] == 100
