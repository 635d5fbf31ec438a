"""Supporting Families through the verbs and through chapters 2, 3, 4 and 7, in its own words."""

from __future__ import annotations

from datetime import date

import pytest

import tfeval as tf
from tests.report.analyses import run
from tfeval.display.words import unmarked
from tfeval.errors import DataError, ParameterError
from tfeval.report.chapters import linked

PHASE = "supporting_families"
HELD = tf.Assumptions()
#: Numbers and words of the phases before it, none of which may stand on its pages.
OTHERS = ("117,910", "116,654", "400,000", "£448", "£920", "1.3m", "turned around",
          "significant and sustained", "phase one", "phase two", "Phase one", "Phase two",
          "£1,800", "£4,000", "2012-13", "2015-16")  # fmt: skip


def published_pages(name: str) -> list[str]:
    """Return what chapters 1, 6 and an authority's page show of a phase from published figures."""
    made = tf.chapters
    shown = [
        made.funnel.eligibility_table(name), made.funnel.results_table(name),
        made.funnel.tariff_table(name), made.funnel.year_two_table(name),
        made.budget.ledger_table(name), made.budget.reconciliation_table(name),
        made.budget.reconciliation_chart(name), made.budget.prices_table(name, HELD),
        made.budget.family_costs_table(name, HELD),
        made.claims.over_time_chart(name), made.claims.over_time_table(name),
        made.claims.funnel_chart(phase=name), made.claims.full_marks_table(phase=name),
        made.claims.claims_table(name=name), made.additional.findings_table(name),
        *(of("Wakefield", phase=name) for of in (
            made.authority.progress_chart, made.authority.money_table,
            made.authority.place_table, made.corroboration.corroboration_table)),
    ]  # fmt: skip
    said = [made.budget.headline(name), made.claims.headline(name, HELD),
            made.authority.headline("Wakefield", name)]  # fmt: skip
    return [*said, *(one.text() if hasattr(one, "text") else one.alt for one in shown)]


@pytest.mark.parametrize("name", ["two", PHASE])
def test_pages_show_a_phase_s_own_published_facts_or_say_that_there_are_none(name):
    pages = published_pages(name)
    others = {"two": ("695", "300,000", "50,860"), PHASE: ("£920", "400,000", "90,000", "1,800")}
    for words in ("117,910", "116,654", "£448", "£4,000", "£3,200", "turned around", "925",
                  *others[name]):  # fmt: skip
        assert not [text for text in pages if words in text], words
    text = unmarked("\n".join(pages))
    alone = text.count("alone, which is not what this page is about")
    assert text.count("not published where looked") + alone >= 5
    own = {"two": "90,000 families were claimed", PHASE: "50,860 families were claimed"}
    assert own[name] in text


@pytest.fixture(scope="module")
def extract(tmp_path_factory):
    folder = tmp_path_factory.mktemp("later") / "records"
    tf.simulate_to(
        folder, families=1_200, seed=3, phase_shares={PHASE: 1.0}, records_to=date(2026, 3, 31)
    )
    return str(folder)


@pytest.fixture(scope="module")
def records(extract):
    return tf.open_records(extract)


def test_its_records_are_sound_and_say_which_needs_a_family_has(records):
    assert tf.check_records(records).to_frame().empty
    families = records.table("families").to_pandas()
    assert set(families["phase"]) == {PHASE}
    assert families[list(tf.phase(PHASE).criteria)].notna().all(axis=None)
    assert families["local_discretion"].isna().all()
    assert set(families["claim_kind"].dropna()) == {"successful_family_outcome"}


def test_the_verbs_run_from_records_to_value(records):
    families = tf.cohort(records, phase=PHASE, horizon=12, comparison="not_yet_treated")
    design = tf.match(tf.study(families, months=12), caliper=0.2, order="random")
    effects = tf.estimate(design, families, months=12)
    costs = tf.programme_costs(PHASE)
    assert costs["cash"].sum() == pytest.approx(695e6)
    assert set(costs["price_year"]) == {2024}
    worth = tf.appraise(effects, costs, families={2022: 1e5, 2023: 1e5, 2024: 1e5}, months=12)
    assert worth.costs > 0
    (part,) = tf.reconcile(PHASE).parts
    assert (part.low, part.high) == (240e6, 240e6)


def test_needs_without_a_test_leave_the_result_unknown(records):
    families = tf.cohort(records, phase=PHASE, horizon=12, comparison="not_yet_treated")
    tests = tf.results_tests(records, families, 12).set_index("unit")
    own = families.to_pandas().set_index("unit")
    untested = [f"met_{need.name}" for need in tf.phase(PHASE).needs if need.untested]
    assert len(untested) == 7
    assert tests.loc[own[untested].any(axis=1), "successful_family_outcome"].isna().all()
    assert tests["successful_family_outcome"].notna().any()


@pytest.mark.slow(reason="simulates records and runs four chapters")
def test_its_pages_use_its_own_words_and_no_other_phase_s_figures(extract, kept):
    asked = {"extract": extract, "phase": PHASE}
    names = ("02_families_and_data", "03_comparison_group", "04_impact", "07_value_for_money")
    pages = {name[:2]: run(name, kept, **asked) for name in names}
    for name, text in pages.items():
        # The analysis plan is one for phase one, which is why all effects here are exploratory.
        own = text.replace(tf.read_plan().title, "").replace("−\u2060£", "loss of ")
        # What other sources say of a unit cost is in the prices and pounds of each.
        before, caption, rest = own.partition("What other sources say of the same costs")
        own = before + (rest[rest.index("Costs of the programme that are not known"):]
                        if caption else "")  # fmt: skip
        shown = [words for words in OTHERS if words in own]
        assert not shown, f"chapter {name} says {shown}"
    assert "results tests 12 months after, Supporting Families, 2022-25" in pages["02"]
    assert "Successful family outcome" in pages["02"]
    assert "Secure housing: no linked record holds housing" in pages["02"]
    assert "7 cannot be tested" in pages["02"]
    assert "300,000" in pages["07"]
    assert "not published where looked" in pages["07"]


def test_simulated_on_the_spot_it_has_its_own_records():
    with linked.simulated_families(300):
        families = linked.records_of("simulated", PHASE).table("families").to_pandas()
        assert set(families["phase"]) == {PHASE}
        assert linked.truth_of("simulated", PHASE) is not None
        families = linked.records_of("simulated", "two").table("families").to_pandas()
        assert set(families["phase"]) == {"one", "two"}


def test_what_cannot_be_simulated_or_entered_is_said():
    with pytest.raises(ParameterError, match="Families of Supporting Families need records to"):
        tf.simulate(families=10, seed=1, phase_shares={PHASE: 1.0})
    with pytest.raises(ParameterError, match="must add up to 1"):
        tf.simulate(families=10, seed=1, phase_shares={"two": 0.5})
    with pytest.raises(ParameterError, match="No phase three"):
        tf.simulate(families=10, seed=1, phase_shares={"three": 1.0})
    older = tf.simulate(families=60, seed=1).records
    with pytest.raises(DataError, match=r"Table families: column early_years, .* Supporting"):
        tf.cohort(older, phase=PHASE, horizon=12)
