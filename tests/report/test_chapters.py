"""The chapters' tables and charts: every authority, both phases, every figure with its source."""

from __future__ import annotations

from dataclasses import replace

import pytest

import tfeval as tf
from tfeval.display.figures import Chart
from tfeval.display.tables import Table
from tfeval.display.words import unmarked
from tfeval.errors import ParameterError
from tfeval.programme.published import published
from tfeval.report.record import Record, Records

NAMES = list(published("local_authorities")["name"])
EVERY = pytest.param(
    NAMES, id="all", marks=pytest.mark.slow(reason="every table and chart of 152 authorities")
)
BY_AUTHORITY = (
    tf.chapters.authority.counts_table,
    tf.chapters.authority.progress_chart,
    tf.chapters.authority.money_table,
    tf.chapters.authority.place_table,
    tf.chapters.authority.neighbours_table,
    tf.chapters.authority.group_or_region_table,
    tf.chapters.budget.payments_table,
    tf.chapters.claims.claims_table,
    tf.chapters.corroboration.unverified_table,
    tf.chapters.corroboration.corroboration_table,
)
BY_PHASE = (
    tf.chapters.budget.ledger_table,
    tf.chapters.budget.reconciliation_table,
    tf.chapters.budget.reconciliation_chart,
    tf.chapters.claims.over_time_chart,
    tf.chapters.claims.over_time_table,
    tf.chapters.funnel.eligibility_table,
    tf.chapters.funnel.results_table,
    tf.chapters.funnel.tariff_table,
    tf.chapters.additional.findings_table,
)
HELD = tf.Assumptions()
ALONE = (
    tf.chapters.budget.programme_table,
    tf.chapters.budget.budget_table,
    tf.chapters.budget.departments_table,
    tf.chapters.claims.funnel_chart,
    tf.chapters.claims.full_marks_table,
    tf.chapters.funnel.year_two_table,
    tf.chapters.additional.rebuilt_table,
    tf.chapters.known.ratios_table,
)


def links(shown: Table | Chart) -> int:
    """Return how many links to sources a reader finds in a table or under a chart."""
    if isinstance(shown, Chart):
        return sum(bool(source.url) for source in shown.sources)
    return shown.html().count('<a href="http')


@pytest.mark.parametrize("function", ALONE, ids=lambda function: function.__name__)
def test_each_table_and_chart_leads_to_its_sources(function):
    assert links(function()) > 0


@pytest.mark.parametrize("phase", ["one", "two"])
@pytest.mark.parametrize("function", BY_PHASE, ids=lambda function: function.__name__)
def test_each_works_for_both_phases_and_leads_to_its_sources(function, phase):
    assert links(function(phase)) > 0


def test_every_row_of_a_table_of_figures_has_its_own_source():
    shown = tf.chapters.budget.budget_table()
    assert links(shown) == len(shown.rows) == len(published("budget"))


@pytest.mark.parametrize("names", [pytest.param(NAMES[::19], id="some"), EVERY])
@pytest.mark.parametrize("function", BY_AUTHORITY, ids=lambda function: function.__name__)
def test_each_works_for_every_authority(function, names):
    for name in names:
        assert isinstance(function(name), Table | Chart)


def test_headlines_for_every_authority_name_it():
    for name in NAMES:
        assert tf.chapters.authority.headline(name).startswith(f"{name}: ")
    assert "no target and no claim" in tf.chapters.authority.headline("Rutland")


def test_a_remembered_claim_is_marked_wherever_it_is_shown():
    assert "2,190" not in tf.chapters.claims.claims_table("Leeds").text()
    assert "not verified" in tf.chapters.authority.counts_table("Leeds").text()
    unverified = tf.chapters.corroboration.unverified_table("Leeds").text()
    assert "2,190" in unverified
    assert "used in no result" in unverified
    assert "none" in tf.chapters.corroboration.unverified_table("Rutland").text()


def test_seftons_claim_is_read_wherever_it_is_shown():
    said = "Sefton: 609 of 650 families (93.7%) claimed as turned around by 2015."
    assert tf.chapters.authority.headline("Sefton") == said
    assert "609" in tf.chapters.claims.claims_table("Sefton").text()
    assert "not verified" not in tf.chapters.authority.counts_table("Sefton").text()
    assert "none" in tf.chapters.corroboration.unverified_table("Sefton").text()
    shown = tf.chapters.corroboration.corroboration_table("Sefton").text()
    said = "93.7%|94%, beside about 90% nationally|89.6%|33.8%|0 and 650|1,136 to 1,254|22 May 2019"
    for words in (*said.split("|"), "phase two", '"from the original 650"'):
        assert words in shown, words


def test_full_marks_say_chance_among_the_same_authorities_and_the_rival_explanation():
    shown = tf.chapters.claims.full_marks_table()
    rows = [[cell.text for cell in row] for row in shown.rows]
    assert rows[0][1:4] == ["19", "17", "0.048"]
    assert rows[1][1:4] == ["13", "11", "0.045"]
    assert rows[2][1:4] == ["94", "at least 17", "2.7"]
    text = shown.text()
    assert "6 of the 17 are among the known ones because they stand at 100%" in text
    assert "1 of them by an exact count (Bradford)" in text
    assert "Another explanation is a ceiling" in text
    assert "Cheshire East worked with 793 families and claimed 585" in text
    assert "A letter of August 2014 is remembered" in text
    assert "No source of it was seen: not verified." in text
    said = unmarked(tf.chapters.claims.detail("one", HELD)[0])
    assert "where chance alone would put 0.048 of them" in said


def test_the_funnel_draws_bristol_at_all_and_what_is_rounded_hollow():
    data = tf.chapters.claims.funnel_chart().data.set_index("name")
    assert data.loc["Bristol", ["share", "exact"]].tolist() == [1.0, "yes"]
    assert data.loc["Manchester", "exact"] == "no"


def test_prices_and_discounting_reach_the_page():
    then = tf.Assumptions(price_year=2013, green_book_edition="2022")
    cash = tf.chapters.budget.prices_table("one", then).text()
    assert "£448m" in cash
    later = tf.chapters.budget.prices_table("one", replace(then, price_year=2024)).text()
    assert cash != later


def test_a_mistyped_authority_is_helped():
    with pytest.raises(ParameterError, match="Did you mean Sefton"):
        tf.chapters.authority.counts_table("Seftom")


def _ratio() -> str:
    """Return our ratio of the effects of 2019, as a page writes it."""
    return unmarked(f"{tf.chapters.evidence.facts(HELD)['ratio_2019_total']:short}")


def summary_records(phase: str) -> tuple[Records, Records]:
    """Return what chapters 1 and 6 record, as a page of a phase reads them."""
    charted = tf.chapters
    claims = {**charted.claims.facts(phase, HELD), **charted.evidence.facts(HELD)}
    claims |= charted.known.facts(HELD) if phase == "one" else {}
    budget = charted.budget.facts(phase)
    asked = {"phase": phase, "price_year": 2024}
    return Records("01", budget, parameters=asked), Records("06", claims, parameters=asked)


def test_the_summary_states_only_what_the_records_say():
    budget, claims = (
        Records(one.notebook, {
            name: item if isinstance(item.value, str) else replace(
                item, value=11.0, unit="%", digits=None, low=11.0 if item.low is not None else None,
                high=11.0 if item.high is not None else None)
            for name, item in one.items()})
        for one in summary_records("one")
    )  # fmt: skip
    payments = [f"payments_{name}" for name in ("checked", "reproduced", "within", "missed")]
    budget = Records("01", {**budget, **{name: Record(name, 11, "%") for name in payments}})
    text = tf.chapters.summary.published_table(budget, claims).text()
    digits = {token for token in text.replace("£", " ").split() if token[:2].isdigit()}
    numbers = {token.strip(".,:;()%m?") for token in digits}
    # Twelve months, full marks, the studies, the month of the claim, and the scenario's years as
    # they are recorded: no number of its own.
    assert numbers <= {"1", "5", "11", "12", "100", "2015", "2016", "2019"}
    assert "5 years" in str(claims["break_even_lasting"])


def test_the_summary_of_phase_two_says_nothing_of_phase_one():
    budget, claims = summary_records("two")
    said = tf.chapters.summary.published_table(budget, claims).text()
    for words in ("90,000 families", "£920m", _ratio(), "2019"):
        assert words in said, words
    for words in ("116,654", "£448m", "£1.2bn", "2016", "turned around", "100%"):
        assert words not in said, words


def test_a_page_of_phase_one_names_the_phase_of_what_is_not_its_own():
    text = tf.chapters.summary.published_table(*summary_records("one")).text()
    line = next(line for line in text.splitlines() if _ratio() in line)
    assert line.strip().startswith("Of phase two: ")


@pytest.mark.parametrize("shows", [
    lambda phase: tf.chapters.claims.funnel_chart("Sefton", phase=phase),
    lambda phase: tf.chapters.authority.progress_chart("Sefton", phase=phase),
    lambda phase: tf.chapters.authority.place_table("Sefton", phase=phase),
    lambda phase: tf.chapters.budget.payments_table("Sefton", phase=phase),
    lambda phase: tf.chapters.additional.findings_table("one", phase),
])  # fmt: skip
def test_figures_of_phase_one_stand_on_no_page_of_phase_two(shows):
    assert "Not published for this phase" not in shows("one").text()
    assert "Published of phase one, 2012-15 alone" in shows("two").text()
