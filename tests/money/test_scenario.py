"""One scenario: defined once, checked, said whole, and obeyed by every claim that is valued."""

from __future__ import annotations

import inspect
from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest

import tfeval as tf
from tfeval.display.words import unmarked
from tfeval.errors import ParameterError
from tfeval.impact.effects.effects import Effects
from tfeval.money.claimed import break_even_deadweight, times_lasting
from tfeval.money.costs import VIEWS
from tfeval.report.chapters import additional, budget, claims, evidence, known

HELD = tf.Assumptions()
OTHER = tf.Assumptions(
    price_year=2015, green_book_edition="2022", appraisal_years=3, persistence=0.8,
    perspective="fiscal", costs="central", timing="end", base_year=2010,
)  # fmt: skip
#: With shares of somebody's, by grade.
BIAS = {"optimism_bias": {"B": 0.1, "C": 0.25}, "optimism_bias_source": "A report, page 3."}
CAREFUL = replace(OTHER, **BIAS)


def test_costs_are_those_that_programme_costs_has():
    for view in VIEWS:
        assert tf.Assumptions(costs=view).costs == view
    with pytest.raises(ParameterError, match=r'no view of costs "cental"\. Did you mean central'):
        tf.Assumptions(costs="cental")


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"timing": "middle"}, "There is no timing"),
        ({"base_year": 1789}, "base_year is a year between 1990 and 2100, or none, not 1789"),
        ({"base_year": 2011.5}, "or none, not 2011.5"),
        ({"base_year": True}, "or none, not True"),
    ],
)
def test_what_is_no_scenario_is_refused_in_one_line(asked, says):
    with pytest.raises(ParameterError, match=says) as caught:
        tf.Assumptions(**asked)
    assert "\n" not in str(caught.value)


def test_an_appraisal_takes_every_setting_of_the_scenario():
    """Nothing of the scenario is lost on the way to `appraise`, but for costs, which it is given.

    `costs` is handed over as a table of them.
    """
    taken = set(inspect.signature(tf.appraise).parameters)
    assert set(HELD.appraisal) <= taken
    names = {"green_book_edition": "edition", "appraisal_years": "horizon"}
    own = {names.get(field.name, field.name) for field in fields(tf.Assumptions)} - {"costs"}
    assert set(HELD.appraisal) == own
    assert OTHER.of_phase("one") == {
        "price_year": 2015, "edition": "2022", "horizon": 3, "persistence": (0.8, 0.3, 1.0),
        "perspective": "fiscal", "timing": "end", "base_year": 2010,
        "optimism_bias": {"A": 0.0, "B": 0.0, "C": 0.0}, "optimism_bias_source": "",
    }  # fmt: skip


def test_optimism_bias_is_taken_off_everything_and_its_source_is_said():
    assert replace(OTHER, **{**BIAS, "optimism_bias": "C=0.25, B = 0.1"}) == CAREFUL
    assert len({OTHER, CAREFUL, replace(CAREFUL)}) == 2
    assert "overstated by 10% of grade B, 25% of grade C (A report, page 3)." in CAREFUL.words(
        "one"
    )
    for held in (OTHER, tf.Assumptions(optimism_bias=0.0)):
        assert "overstated" not in held.words("one")
    frame = pd.DataFrame({"outcome": ["custody", "arrest", "ae_attendances"], "months": 12,
                          "estimate": [-0.01, 0.2, -0.1], "std_error": 0.0})  # fmt: skip
    effects = Effects(frame, np.zeros((3, 3)))
    found, plain = (
        tf.appraise(effects, 1e5, families=1_000, **held.of_phase("one"))
        for held in (CAREFUL, OTHER)
    )
    # Gains of grades C and B shrink, each by its own share, and a harm of grade B grows.
    benefits = [one.by("line").set_index("line")["benefits"] for one in (found, plain)]
    ratio = (benefits[0] / benefits[1]).drop("Programme")
    assert ratio.to_dict() == pytest.approx({"custody": 0.75, "arrest": 1.1, "ae_attendances": 0.9})
    assert any("(A report, page 3)" in note for note in found.notes)
    # The claim of 2015 rests on no record: grade C.
    times = np.divide(times_lasting(CAREFUL), times_lasting(OTHER))
    assert times == pytest.approx([0.75] * 3)


@pytest.mark.parametrize("phase", ["one", "two", "supporting_families"])
def test_money_is_discounted_to_the_first_year_in_which_a_phase_spends(phase):
    years = {view: min(tf.programme_costs(phase, view)["year"]) for view in VIEWS}
    first = int(min(years.values())[:4])
    for view in VIEWS:
        assert tf.Assumptions(costs=view).discounted_to(phase) == first
    assert replace(HELD, base_year=first - 3).discounted_to(phase) == first - 3
    frame = pd.DataFrame({"outcome": ["custody"], "months": [12], "estimate": [-0.01],
                          "std_error": [0.0]})  # fmt: skip
    found = tf.appraise(
        Effects(frame, np.zeros((1, 1))), tf.programme_costs(phase, "marginal", 2024),
        families=100, first_year=tf.phase(phase).years[0], **HELD.of_phase(phase),
    )  # fmt: skip
    assert found.model.years[0] == first


def test_the_whole_scenario_is_said():
    said = HELD.words("one")
    for words in ("2024-25", "2011-12", "Green Book 2026", "mid-year", "5 years", "half of",
                  "between nothing and all", "all public", "everybody's account"):  # fmt: skip
        assert words in said
    said = OTHER.words("one")
    for words in ("2015-16", "2010-11", "Green Book 2022", "the end of the year", "3 years", "80%",
                  "between 30% and all", "central government's", "the public purse"):  # fmt: skip
        assert words in said
    assert said.count(". ") == 1  # two sentences


@pytest.mark.parametrize("field", [field.name for field in fields(tf.Assumptions)])
def test_what_is_said_differs_with_each_part_of_the_scenario(field):
    changed = BIAS if field in BIAS else {field: getattr(OTHER, field)}
    assert replace(HELD, **changed).words("one") != HELD.words("one")


def test_no_page_of_money_leaves_out_the_year_to_which_it_is_discounted():
    held = replace(HELD, base_year=2009)
    shown = [
        budget.prices_table("one", held), budget.family_costs_table("one", held),
        additional.break_even_table(held), known.reach_table(held), known.silence_table(held),
        evidence.benefits_table(held), evidence.account_table(held),
        evidence.rebuilt_2019_table(held),
    ]  # fmt: skip
    for item in shown:
        assert "discounted to 2009-10" in item.text(), item.caption


def test_the_budget_s_present_value_by_hand():
    held = tf.Assumptions(price_year=2013, timing="end", base_year=2010)
    cash = [tf.deflate(448e6 / 3, year, 2013) for year in (2012, 2013, 2014)]
    by_hand = sum(one / 1.035 ** (year - 2010)
                  for one, year in zip(cash, (2012, 2013, 2014), strict=True))  # fmt: skip
    rows = budget.prices_table("one", held).rows
    assert rows[2][1].text == f"£{by_hand / 1e6:.1f}m"
    assert "present value in 2010-11" in rows[2][0].text


# The claims of 2015 on the scenario's years and persistence.


@pytest.mark.parametrize(
    "held", [HELD, OTHER, CAREFUL, replace(HELD, persistence=1.0, appraisal_years=20)]
)
def test_a_benefit_that_lasts_breaks_even_at_the_share_that_is_said(held):
    """The share, put through the appraisal as all but the deadweight, gives a value of nothing."""
    for row in tf.break_even_2015(held).itertuples():
        at = tf.appraise_claim(row.benefit, row.cost, max(0.0, 1 - row.lasting), assumptions=held)
        assert at.npv == pytest.approx(0.0, abs=1e-6 * row.cost)
        assert row.lasting_low <= row.lasting <= row.lasting_high
        assert row.lasting_high <= row.share / (1 - held.bias["C"]) + 1e-12
    shares = tf.break_even_2015(held)["lasting"]
    assert break_even_deadweight(held)["deadweight"].to_list() == pytest.approx(
        (1 - shares).to_list()
    )


def test_twelve_months_are_twelve_months_whatever_the_scenario():
    shares = [tf.break_even_2015(held)["share"].tolist() for held in (None, HELD, OTHER)]
    assert shares[0] == shares[1] == shares[2]
    gone = tf.break_even_2015(replace(HELD, persistence=0.0))
    assert gone["lasting"].tolist() == pytest.approx(gone["share"].tolist())
    assert gone["lasting_high"].tolist() == pytest.approx(gone["share"].tolist())


@pytest.mark.parametrize(("share", "years"), [(0.0, 5), (0.5, 5), (0.8, 3), (1.0, 10)])
def test_how_many_times_its_year_a_benefit_is_worth_lies_within_a_closed_form(share, years):
    held = replace(HELD, persistence=share, appraisal_years=years)
    times = times_lasting(held)
    for left, found in zip(held.lasting[1:], times[1:], strict=True):
        undiscounted = sum(left**year for year in range(years))
        discounted = sum(left**year / 1.035 ** (year + 1) for year in range(years))
        assert discounted <= found <= undiscounted + 1e-9
    assert times[1] <= times[0] <= times[2]


def test_the_headline_s_pair_of_figures_is_the_ratio_beside_them():
    said = claims.facts("one", HELD)
    ratio = said["claimed_against"].number / said["claimed_saving"].number
    assert said["break_even_pair"].number == pytest.approx(100 * ratio)
    rows = tf.break_even_2015(HELD)
    assert said["break_even_low"].number == pytest.approx(100 * rows["share"].min())
    assert said["break_even_high"].number == pytest.approx(100 * rows["share"].max())
    assert said["break_even_most"].number == pytest.approx(100 * rows["lasting_high"].max())
    text = unmarked("\n".join([claims.headline("one", HELD), *claims.detail("one", HELD)]))
    assert "if it lasted the 12 months claimed" in text
    assert "half of an effect left" in text
    assert "37.3%" in text
    assert "31.7% to 87.3%" in text
    other = unmarked("\n".join(claims.detail("one", OTHER)))
    assert "80% of an effect left" in other


def test_the_page_shows_both_conditions_for_each_published_pair():
    rows = [[cell.text for cell in row] for row in additional.break_even_table(HELD).rows]
    known_rows = tf.break_even_2015(HELD)
    assert len(rows) == len(known_rows) == 6
    for shown, row in zip(rows, known_rows.itertuples(), strict=True):
        assert shown[4] == f"{row.share:.1%}"
        assert shown[5] == f"{row.lasting:.1%} ({row.lasting_low:.1%} to {row.lasting_high:.1%})"


def test_records_are_about_the_scenario_that_they_were_made_with():
    made = {**claims.facts("one", OTHER), **known.facts(OTHER), **evidence.facts(OTHER)}
    for name in ("break_even_lasting_low", "care_detectable_low", "ratio_2019_central"):
        about = dict(made[name].subject.choices)
        assert made[name].subject.price_year == 2015
        assert (about["persistence"], about["costs"], about["base_year"]) == (0.8, "central", 2010)
