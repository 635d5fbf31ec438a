"""Chapter 7 says what knowing is worth, with whose doubt, and by which weights: no more."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import tfeval as tf
from tests.report.analyses import valued
from tests.report.test_not_estimated import ASKED, KEYS, with_tables
from tests.report.test_value_chapters import impact
from tfeval.audit.summary import COLUMNS, PRIMARY_MEAN, KnownTruth
from tfeval.audit.worlds import WORLDS
from tfeval.errors import ParameterError
from tfeval.report.chapters import decisions, value_tables

#: What chapter 4 records of its own choices.
CHOICE = {"comparison": "not_yet_treated", "design": "nearest", "estimator": "adjusted",
          "families_followed": 4_000.0}  # fmt: skip


def row(world, outcome, bias, *, simulator="rates", error=0.5, rmse=0.04, **more):
    return {
        "simulator": simulator, "world": world, "effects": "none", "families": 4_000,
        "comparison": "not_yet_treated", "horizon": 12, "design": "nearest",
        "estimator": "adjusted", "outcome": outcome, "replications": 40, "estimated": 40,
        "bias_percent": bias, "bias_percent_error": error, "rmse": rmse, "why": "", **more,
    }  # fmt: skip


def audit_of(*rows):
    return KnownTruth(pd.DataFrame(rows).reindex(columns=list(COLUMNS)), {})


AUDIT = audit_of(
    row("nothing_wrong", PRIMARY_MEAN, 0.0), row("nothing_wrong", "custody", 0.0),
    row("crisis", PRIMARY_MEAN, -10.0), row("crisis", "custody", -20.0),
    row("crisis", PRIMARY_MEAN, -4.0, simulator="histories"),
    # With an effect, run once, or of another design: none of the page's doubt.
    row("everything", PRIMARY_MEAN, 50.0, effects="known"),
    row("everything", PRIMARY_MEAN, 50.0, error=np.nan),
    row("nothing_wrong", PRIMARY_MEAN, 9.0, design="full", rmse=0.08),
)  # fmt: skip


@pytest.fixture(scope="module")
def found():
    held = impact()
    effects = held.table("effects").assign(sd_comparison=[0.14, 0.6], ess_comparison=4_000.0)
    return valued(with_tables(held, CHOICE, effects=effects), **ASKED)


def cheap(found, cost):
    """Return the same page of a programme that cost so much."""
    worth = tf.appraise(found.appraisal.effects, cost, **found.settings)
    return replace(found, appraisal=worth, drawn=worth.uncertainty(draws=10_000))


def test_doubt_has_each_world_alike_and_says_what_the_audit_lacks(found):
    rows = decisions.doubts(found, AUDIT)
    weights = rows.drop_duplicates("world").set_index("world")["weight"]
    assert weights.to_dict() == {
        "nothing_wrong/rates": 1.0, "crisis/rates": 0.5, "crisis/histories": 0.5,
    }  # fmt: skip
    own = rows.set_index(["world", "outcome"])
    assert own.loc[("crisis/rates", "custody"), "relative"] == -0.2
    # Not run in that world: the mean of its primary outcomes stands in its place.
    assert own.loc[("crisis/histories", "custody"), "relative"] == pytest.approx(-0.04)
    assert own["audited"].tolist() == [name != "crisis/histories" for name, _ in own.index]
    doubted = tf.with_doubt(found.appraisal, found.drawn, rows)
    off = 0.02 * (0.25 * -0.2 + 0.25 * -0.04)
    assert doubted.model.estimate[0] == pytest.approx(found.appraisal.model.estimate[0] - off)


def test_worlds_have_other_weights_where_these_are_said_of_all(found):
    rows = decisions.doubts(found, AUDIT, {"nothing_wrong": 0.0, "crisis": 2.0})
    assert set(rows["world"]) == {"crisis/rates", "crisis/histories"}
    assert set(rows["weight"]) == {1.0}
    asked = {"nothing_wrong": 3.0, "crisis": 1.0}
    assert "75.0%" in decisions.doubt_worlds_table(found, AUDIT, asked).text()
    assert "each as likely" not in decisions.doubt_table(found, AUDIT, asked).text()
    for given in ({"crisis": 1.0}, {"nothing_wrong": 1.0, "crisis": -1.0}):
        with pytest.raises(ParameterError, match="for each of nothing_wrong, crisis"):
            decisions.doubts(found, AUDIT, given)


def test_where_more_is_better_a_mean_error_is_turned_round(found):
    model = replace(found.appraisal.model, outcomes=("employment",))
    page = replace(found, appraisal=replace(found.appraisal, model=model))
    rows = decisions.doubts(page, AUDIT).set_index("world")
    assert rows.loc["crisis/rates", "relative"] == pytest.approx(0.1)


def test_value_with_and_without_doubt_stand_side_by_side_named(found):
    text = decisions.doubt_table(found, AUDIT).text()
    assert "Without doubt about the comparison group" in text
    assert "With doubt about the comparison group" in text
    assert WORLDS["crisis"].words in text
    assert "one of 2 worlds" in text
    assert "Simulated records" in text
    worlds = decisions.doubt_worlds_table(found, AUDIT).text()
    assert "50.0%" in worlds
    assert "25.0%" in worlds
    assert "-20.0%, custodial sentences" in worlds
    # No world is left out in silence.
    assert all(world.words.capitalize() in worlds or world.words in worlds
               for world in WORLDS.values())  # fmt: skip


def test_without_a_world_of_this_comparison_the_page_says_so(found):
    other = audit_of(row("nothing_wrong", PRIMARY_MEAN, 1.0, comparison="waiting"))
    for shows in (decisions.doubt_table, decisions.doubt_worlds_table):
        assert "The audit has no world of this comparison group" in shows(found, other).text()
    text = decisions.study_table(found, other).text()
    assert "the audit does not say" in text
    assert "Comparison beyond doubt" not in text
    assert "Comparison beyond doubt" in decisions.study_table(found, AUDIT).text()


def test_where_the_answer_would_not_change_knowing_is_worth_nothing(found):
    text = decisions.study_table(found, AUDIT).text()
    assert "knowing is worth nothing for it" in text
    assert "the answer (no) would stay" in text
    assert (
        "knowing is worth nothing: so here" in decisions.study_outcomes_table(found, AUDIT).text()
    )
    assert "Monte Carlo error" in value_tables.information_table(found).text()


def test_one_sentence_says_what_at_what_size_and_worth_what(found):
    near = float(found.drawn.benefits.mean())
    page = cheap(found, near * 1.3)
    text = decisions.study_table(page, AUDIT).text()
    both = decisions.studies(page, AUDIT)
    best = both["unbiased"].best
    assert f"{best['families']:,.0f} families a group, with a comparison beyond doubt" in text
    assert "the next 400,000 families, of phase two" in text
    assert "Of one outcome alone, custodial sentences is worth most" in text
    assert both["unbiased"].reference == 4_000
    assert (both["unbiased"].frame["next_value"] >= both["alike"].frame["next_value"]).all()
    assert "£1,305,000 in cash" in text
    assert "discounted to 2011-12" in text
    # So dear that a study may change the answer, and seldom enough that none is worth its cost.
    spread = float(np.std(found.drawn.benefits))
    dear = decisions.study_table(cheap(found, near + 7 * spread), AUDIT).text()
    assert "No size is worth its cost" in dear or "worth nothing for it" in dear
    few = {**both, "alike": both["alike"], "unbiased": replace(
        both["unbiased"], frame=both["unbiased"].frame.assign(net_benefit=-1.0))}  # fmt: skip
    few["alike"] = replace(both["alike"], frame=both["alike"].frame.assign(net_benefit=-2.0))
    assert "No size is worth its cost" in decisions._answer(page, few)


def test_effects_without_a_spread_are_sized_by_no_study():
    page = valued(with_tables(impact(), CHOICE), **ASKED)
    assert "give sd=" in decisions.study_table(page, AUDIT).text()
    assert "give sd=" in decisions.study_outcomes_table(page, AUDIT).text()


def test_every_design_has_a_weight_or_is_said_to_have_none():
    held = impact()
    first = held.table("specifications").iloc[:2]
    rows = pd.concat([
        first,
        first.assign(design="full", estimate=[-0.02, 0.0], alike="partly"),
        first.assign(design="boosted", estimate=[-0.03, 0.0]),
    ])  # fmt: skip
    page = valued(with_tables(held, CHOICE, specifications=rows.assign(why="")), **ASKED)
    weights = decisions.design_weights(page, AUDIT)
    key = "/".join(KEYS.values())
    names = [key, key.replace("nearest", "full"), key.replace("nearest", "boosted")]
    assert list(weights["equal"]) == names
    assert weights["equal"] == dict.fromkeys(names, 1.0)
    assert weights["balanced"] == dict(zip(names, [1.0, 0.0, 1.0], strict=True))
    # Over the one world that both were run in: 0.04 and 0.08.
    assert list(weights["audit"].values()) == pytest.approx([25.0, 12.5, 0.0])
    text = decisions.averages_table(page, AUDIT).text()
    assert "3 of 3" in text
    assert text.count("2 of 3") == 2
    shown = decisions.design_weights_table(page, AUDIT).text()
    assert "66.7%" in shown
    assert "none" in shown
    alone = decisions.averages_table(page, audit_of(row("crisis", PRIMARY_MEAN, 1.0, horizon=6)))
    assert "inverse of the error" not in alone.text().partition("Simulated")[0]


def test_the_committed_audit_has_the_page_s_own_choice(found):
    rows = decisions.doubts(found, tf.read_known_truth())
    assert rows["world"].nunique() > 10
    assert rows.groupby("world")["weight"].first().sum() == pytest.approx(
        rows["world"].str.partition("/")[0].nunique()
    )
