"""The card of one family is the appraisal over its families, in both accounts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import tfeval as tf
from tests.money.appraised import effects_of, whole
from tfeval.money.card import years_to_break_even
from tfeval.programme.published import published


@pytest.fixture(scope="module")
def found():
    return whole(families={2012: 30_000, 2013: 20_000}, optimism_bias=0.2, public_funds=1.1)


def measure(frame: pd.DataFrame, name: str, party: str = "", payer: str = "") -> pd.Series:
    at = (frame["measure"] == name) & (frame["party"] == party) & (frame["payer"] == payer)
    assert at.sum() == 1
    return frame.loc[at, ["fiscal", "social"]].iloc[0]


def test_the_card_times_its_families_is_the_appraisal(found):
    frame, accounts = found.card_frame(), found.accounts().set_index("account")
    for name, column in (("cost", "costs"), ("benefits", "benefits"), ("net", "npv")):
        assert (measure(frame, name) * 50_000).to_numpy() == pytest.approx(accounts[column])
    assert measure(frame, "ratio").to_numpy() == pytest.approx(accounts["ratio"])
    assert measure(frame, "cost")["social"] == pytest.approx(found.cost_per_family)


def test_parties_add_up_to_all_and_payers_to_taxpayers(found):
    frame = found.card_frame()
    rows = frame[frame["measure"] == "benefits"]
    parties = rows[(rows["party"] != "") & (rows["payer"] == "")]
    assert list(parties["party"]) == ["taxpayers", "participants", "victims", "others"]
    for account in ("fiscal", "social"):
        assert parties[account].sum() == pytest.approx(measure(frame, "benefits")[account])
        payers = rows.loc[rows["payer"] != "", account].sum()
        assert payers == pytest.approx(measure(frame, "benefits", "taxpayers")[account])
    theirs = measure(frame, "benefits", "participants")
    own = found.who().set_index("payer")["social"]["participants"] / 50_000
    assert theirs["social"] == pytest.approx(own)
    assert theirs["fiscal"] == 0


def test_chances_are_of_the_same_draws_in_both_accounts(found):
    drawn = found.uncertainty(draws=400)
    chance = measure(found.card_frame(drawn), "chance")
    for account in ("fiscal", "social"):
        gained = drawn.model.by_outcome(drawn.drawn, account).sum(axis=1)
        spent = drawn.model.cost(drawn.drawn.cost, account)
        assert chance[account] == np.mean(gained >= spent)
    assert "chance" not in set(found.card_frame()["measure"])


@pytest.mark.parametrize(
    ("cost", "years"),
    [(100.0, 1), (2.0e5, 2), (5e8, np.nan)],
)
def test_years_until_it_is_paid_back(cost, years):
    # 0.2 offences fewer in each of 1,000 families, the same again in each year: the first year
    # brings more than 100 pounds and less than 200,000, and four years less than 500 million.
    asked = {"families": 1_000, "persistence": 1.0, "horizon": 4, "perspective": "fiscal"}
    found = tf.appraise(effects_of({"offences": -0.2}), cost, **asked)
    each = found.lines.query("kind == 'benefit'").groupby("year")["present_value"].sum().cumsum()
    reached = np.flatnonzero(each.to_numpy() >= found.costs)
    by_hand = reached[0] + 1 if len(reached) else np.nan
    found_years = years_to_break_even(found.model, "fiscal")
    assert found_years == pytest.approx(by_hand, nan_ok=True)
    assert found_years == pytest.approx(years, nan_ok=True)
    earlier = tf.appraise(effects_of({"offences": -0.2}), cost, base_year=2005, **asked)
    assert years_to_break_even(earlier.model, "fiscal") == pytest.approx(years, nan_ok=True)


def test_what_a_reader_sees(found):
    drawn = found.uncertainty(draws=400)
    text = found.card(drawn).text()
    for words in ("Benefits to victims", "nothing valued", "never", "that it pays for itself",
                  "that it is worth more than it cost", "Chance that it is at least its cost",
                  "$1,821", "$574", "$1,058", "$86", "90%", "at least 5",
                  "Washington State Institute for Public Policy", "2024-25 prices"):  # fmt: skip
        assert words in text, words
    simulated = replace(found, simulated=True).card()
    assert simulated.caption.startswith("Simulated records")
    assert "Chance" not in simulated.text()


def test_benchmarks_are_read_and_add_up():
    rows = published("benchmarks")
    assert set(rows["status"]) == {"read"}
    wsipp = rows[rows["benchmark"] == "wsipp_181"].set_index("figure")["value"]
    parties = wsipp[["taxpayers", "participants", "others", "indirect"]]
    assert parties.sum() == wsipp["benefits"] == 1821


def test_the_chart_draws_the_card(found):
    chart, frame = found.card_plot(), found.card_frame()
    bars = chart.data.set_index("for one family")
    for account in ("fiscal", "social"):
        total = bars.loc[f"Benefits, {account} account", "In all"]
        assert total == pytest.approx(measure(frame, "benefits")[account])
    assert bars.loc["Cost", "In all"] == pytest.approx(found.cost_per_family)
    own = found.who().set_index("payer")["social"]["participants"] / 50_000
    assert bars.loc["Benefits, social account", "participants"] == pytest.approx(own)
    assert replace(found, simulated=True).card_plot().title.startswith("Simulated records")
