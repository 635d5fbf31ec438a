"""Chapter 6: claims, what would have come anyway, what was published, on the page."""

from __future__ import annotations

from dataclasses import replace

import pytest

import tfeval as tf
from tests.report.analyses import results
from tfeval.display.figures import Chart
from tfeval.display.tables import Table
from tfeval.display.words import unmarked
from tfeval.report.chapters import additional, evidence, funnel, known, linked, unmeasured

PRICED = (
    evidence.benefits_table,
    evidence.account_table,
    evidence.differences_table,
    evidence.rebuilt_2019_table,
    evidence.rebuilt_2019_chart,
    additional.break_even_table,
    additional.deadweight_table,
    known.reach,
    known.reach_table,
    known.silence_table,
)
HELD = tf.Assumptions()
ALONE = (
    additional.deadweight_chart,
    known.intervals_table,
    known.ratios_table,
    unmeasured.inputs_table,
    unmeasured.curve_table,
    unmeasured.small_trials_table,
)


def load(phase: str = "one") -> additional.Additional:
    return results(phase=phase)


@pytest.fixture(scope="module")
def small():
    """Fewer simulated families, so that a design takes seconds."""
    with linked.simulated_families(3_000):
        yield


@pytest.fixture(scope="module")
def found(small):
    return load()


def links(shown: Table | Chart) -> int:
    if isinstance(shown, Chart):
        return sum(bool(source.url) for source in shown.sources)
    return shown.html().count('<a href="http')


@pytest.mark.parametrize("function", ALONE, ids=lambda function: function.__name__)
def test_each_leads_to_its_sources(function):
    assert links(function()) > 0


@pytest.mark.parametrize("function", PRICED, ids=lambda function: function.__name__)
def test_each_priced_one_leads_to_its_sources(function):
    assert links(function(HELD)) > 0


def test_prices_reach_the_page_and_leave_ratios_alone():
    before = replace(HELD, price_year=2014)
    then, now = evidence.benefits_table(before), evidence.benefits_table(HELD)
    assert then.rows[0][2].text != now.rows[0][2].text  # pounds a family
    assert then.rows[5][0].text == "All together"
    assert then.rows[5][3].text == now.rows[5][3].text  # for each pound
    assert known.silence_table(before).text() != known.silence_table(HELD).text()


def test_the_break_even_of_each_claim_stands_beside_its_own_row():
    rows = [[cell.text for cell in row] for row in additional.deadweight_table(HELD).rows]
    shares = tf.break_even_2015(HELD).set_index(["claim", "cost_counted"])
    for claim, cost, *_, at, lasting in rows:
        for name, shown in (("share", at), ("lasting", lasting)):
            share = shares.loc[(claim, cost), name]
            assert float(shown.rstrip("%")) == pytest.approx(100 * (1 - share), abs=0.051)


def test_the_published_ratios_stand_beside_ours():
    text = evidence.benefits_table(HELD).text()
    assert "£1.51" in text
    for view in ("total", "central"):
        ratio = tf.appraise_2019(replace(HELD, perspective="fiscal", costs=view)).benefit_cost_ratio
        assert f"£{ratio:.2f}" in text
    account = evidence.differences_table(HELD).text()
    assert "The economic ratio is £0.77 above the fiscal one" in account


def test_no_consistent_effect_is_told_as_an_interval():
    text = known.silence_table(HELD).text()
    assert "not an estimate of zero" in text
    assert "−0.8 to 0.8" in text


def test_results_add_up_from_claimed_to_additional(found):
    held = found.results
    assert held.met == pytest.approx(held.anyway + held.additional.value)
    assert held.own.value == pytest.approx(held.additional.value / held.met)
    assert held.additional.low < held.additional.value < held.additional.high
    assert held.claimed > held.met  # claims outran the tests in simulated records
    shares = [share.value for _, share in funnel.steps(found)]
    assert shares[0] == 1.0
    assert shares == [1.0, held.claimed, held.met, held.anyway, held.additional.value]


def test_what_one_cost_grows_as_results_shrink(found):
    paid = funnel.spent_on("one")
    assert paid.high * 117_910 == pytest.approx(tf.reconcile("one").parts[0].high)
    rows = [[cell.text for cell in row] for row in funnel.funnel_table(found).rows]
    assert rows[0][2] == f"£{float(f'{paid.high:.3g}'):,.0f}"
    assert rows[3][2] == ""  # nothing was bought with these
    assert "at least" in rows[4][2]


def test_simulated_results_say_so_wherever_they_stand(found):
    shown = (
        funnel.funnel_chart(found), funnel.funnel_table(found),
        funnel.nation_table(found), funnel.surviving_table(found),
        known.records_table(found),
    )  # fmt: skip
    for item in shown:
        assert "simulated records" in item.text()
    assert "not findings" in additional.banner(found).text()
    said = [evidence.headline("one", found, HELD), *evidence.detail("one", found, HELD)]
    assert "simulated" not in " ".join(said).lower()
    # An answer is short: two sentences and their numbers. What else there is stands beneath.
    assert unmarked(said[0]).count(". ") == 1 and len(unmarked(said[0])) < 360
    real = replace(
        found, design=replace(found.design, study=replace(found.design.study, simulated=False))
    )
    own = unmarked(evidence.headline("one", real, HELD))
    assert "In the records" in own and own.count(". ") == 1
    assert "pays for the £448m" in unmarked(" ".join(evidence.detail("one", real, HELD)))
    assert "simulated" not in funnel.funnel_table(real).text()


def test_records_that_cannot_say_give_the_reason(found):
    silent = replace(found, effects=None, results=None, why="no school terms")
    for item in (funnel.funnel_chart, funnel.funnel_table, funnel.nation_table,
                 funnel.surviving_table, known.records_table):  # fmt: skip
        assert "no school terms" in item(silent).text()
    assert "no school terms" in additional.headline(silent)


def test_each_phase_s_rules_are_read_as_its_own(found):
    one, two = (funnel.rules_table(replace(found, phase=name)).text() for name in ("one", "two"))
    assert "of people under 18 on the day" in one
    assert "under 18" not in two
    assert "proven, of anyone, and incidents" in two
    assert "{whose}" not in one + two


def test_few_families_hide_the_results(small, monkeypatch):
    monkeypatch.setattr(additional, "hidden_rows", lambda frame: frame["estimate"].notna())
    assert "too few" in load().why


def test_phase_two_has_its_own_tests_and_claims(small):
    found = load("two")
    assert "sustained" in funnel.funnel_table(found).text() or found.why
    assert "No saving was claimed" in funnel.surviving_table(found).text() or found.why
    assert "over 90,000" in funnel.nation_table(found).text() or found.why
    assert "sustained progress" in evidence.headline("two", found, HELD)
