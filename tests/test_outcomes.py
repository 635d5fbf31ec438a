"""One registry of outcomes: all that knows them is made from it, and names hold no months."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

import tfeval as tf
from tests.report.analyses import analysis
from tests.test_architecture import FILES
from tfeval.errors import DataError, ParameterError
from tfeval.impact.plan.analysis_plan import load_plan, read_plan
from tfeval.impact.plan.rules import plan_faults
from tfeval.money.monetised import same_pounds
from tfeval.money.unit_costs import not_monetised, unit_costs
from tfeval.programme.outcomes import (
    NOT_SIMULATED,
    OUTCOMES,
    Outcome,
    cohort_outcomes,
    is_more_better,
    outcome_label,
)
from tfeval.records.dictionary import data_dictionary
from tfeval.records.schema import TABLES
from tfeval.report.chapters import areas, comparison, linked, specifications

NEW = {
    "name": "convictions", "label": "Convictions in court", "theme": "crime", "kind": "events",
    "unit": "events", "per": "a family", "description": "Offences that ended in a conviction.",
    "table": "offences", "column": "outcome_on", "where": (("outcome", ("convicted",)),),
    "no_price": "No unit cost of a conviction by a court was read.",
}  # fmt: skip


# --- no name holds months, and none is taken apart -----------------------------------------------

TAKES_APART = {"rpartition", "partition", "rsplit", "split", "removesuffix", "endswith"}
SPANS = re.compile(r"month|horizon|span|window")


def offences_of(text: str) -> list[str]:
    """Return what in a file puts months into a name, or takes a name apart."""
    found = []
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == "column_of":
            node.body = []  # the one place
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            pairs = pairwise(node.values)
            found += [
                ast.unparse(node) for first, then in pairs
                if isinstance(first, ast.Constant) and str(first.value).endswith("_")
                and isinstance(then, ast.FormattedValue) and SPANS.search(ast.unparse(then))
            ]  # fmt: skip
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        said = ast.unparse(node)
        given = [text for argument in node.args for text in constants(argument)]
        if node.func.attr in TAKES_APART and any(
            text == "_" or re.fullmatch(r"_(before|after|\d*)", text) for text in given
        ):
            found.append(said)
        is_pattern = isinstance(node.func.value, ast.Name) and node.func.value.id == "re"
        if is_pattern and any(re.search(r"_\(|_before|_\\d\+\$?$", text) for text in given):
            found.append(said)
    names = "|".join(OUTCOMES)
    return found + [match[0] for match in re.finditer(rf"\b({names})_(6|12|18|24)\b", text)]


def constants(node: ast.AST) -> list[str]:
    return [
        part.value for part in ast.walk(node)
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    ]  # fmt: skip


def test_no_file_puts_months_into_a_name_or_takes_a_name_apart():
    found = {path.name: offences_of(path.read_text(encoding="utf-8")) for path in FILES}
    assert {name: said for name, said in found.items() if said} == {}


@pytest.mark.parametrize(
    "line",
    [
        'name.rpartition("_")[0]',
        'name.removesuffix(f"_{months:.0f}")',
        'name.removesuffix("_12")',
        'name.removesuffix("_before")',
        're.fullmatch(r"(.+)_(\\d+)", name)',
        'f"{name}_{horizon}"',
        'f"offences_{span.name}"',
        'frame["offences_12"]',
    ],
)
def test_the_guard_sees_what_it_is_there_for(line):
    assert offences_of(line)


# --- the registry fits what lies beside it -------------------------------------------------------


def test_every_outcome_is_counted_from_columns_that_exist():
    for row in cohort_outcomes():
        columns = TABLES[row.table].columns
        wanted = {name for name, _ in row.where} | ({row.above_zero} - {""})
        wanted |= {row.column} if row.counted and row.kind != "days" else set()
        assert wanted <= set(columns), row.name
        for name, values in row.where:
            assert set(values) <= set(columns[name].allowed)
        parts = {*row.parts, row.column} if row.kind == "ratio" else set()
        assert all(OUTCOMES[name].counted and OUTCOMES[name].table == row.table for name in parts)
    for table in {row.table for row in cohort_outcomes()}:
        assert len({row.kind for row in cohort_outcomes([table]) if row.counted}) == 1


def test_the_truth_has_every_outcome_that_says_so():
    known = tf.simulate(families=60, seed=1).truth.by_family(12)
    assert {row.truth for row in OUTCOMES.values() if row.truth} <= set(known)


def test_overlaps_and_unit_costs_name_outcomes_of_the_registry():
    costed = set(unit_costs(2014)["outcome"])
    assert costed <= set(OUTCOMES)
    assert set(same_pounds()[["wider", "narrower"]].to_numpy().ravel()) <= costed
    assert {name for name, row in OUTCOMES.items() if not row.no_price} == costed


def test_published_effects_are_named_as_in_the_registry():
    from tfeval.programme.published import published

    known = set(published("evaluation_outcomes")["outcome"])
    assert {row.published for row in OUTCOMES.values() if row.published} <= known


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": ""}, "label is missing"),
        ({"table": ""}, "table is missing"),
        ({"column": ""}, "column is missing"),
        ({"kind": "ratio", "parts": ()}, "parts is missing"),
        ({"kind": "counts"}, "kind is one of"),
        ({"better": "more"}, "better is one of lower, higher"),
    ],
)
def test_what_is_left_out_is_an_error(change, message):
    with pytest.raises(DataError, match=message):
        Outcome(**{**NEW, **change})


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({**NEW, "no_price": ""}, "convictions: no unit cost and no reason"),
        ({**NEW, "name": "custody"}, "custody: both a unit cost and a reason"),
    ],
)
def test_an_outcome_without_a_unit_cost_says_why(monkeypatch, row, message):
    monkeypatch.setitem(OUTCOMES, row["name"], Outcome(**row))
    with pytest.raises(DataError, match=message):
        unit_costs(2014)


def test_a_unit_cost_of_an_unknown_outcome_is_an_error(monkeypatch):
    monkeypatch.delitem(OUTCOMES, "arrest")
    with pytest.raises(DataError, match="arrest: a unit cost and no row"):
        unit_costs(2014)


def test_names_for_readers():
    assert outcome_label("absence", unit=True) == "Absence from school, share of sessions"
    with pytest.raises(ParameterError, match="Did you mean offences"):
        outcome_label("offences_12")
    assert is_more_better("employment") and not is_more_better("unknown")


# --- outcomes of a cohort by a verb ---------------------------------------------------------------


@pytest.fixture(scope="module")
def families():
    records = tf.simulate(families=1500, seed=1).records
    return tf.cohort(records, phase="one", horizon=(6, 12), comparison="not_yet_treated")


@pytest.fixture(scope="module")
def design(families):
    return tf.match(tf.study(families, months=12), caliper=0.2, order="random")


def test_outcomes_have_plain_names_and_the_study_s_index(families, design):
    year, both = families.outcomes(12), families.outcomes()
    assert list(year) == [row.name for row in cohort_outcomes()]
    assert both.columns.names == ["outcome", "months"] and both.shape[1] == 2 * year.shape[1]
    pd.testing.assert_series_equal(
        both["offences", 6], families.outcomes(6)["offences"], check_names=False
    )
    assert year.index.equals(families.to_pandas().index)
    assert design.study.index.isin(year.index).all()
    assert list(families.baseline()) == list(year)
    with pytest.raises(ParameterError, match=r"no outcomes at 18 months, only at \[6, 12\]"):
        families.outcomes(18)


def test_a_cohort_and_its_outcomes_give_the_same_effects(families, design):
    whole = tf.estimate(design, families, months=12)
    assert whole.frame["outcome"].tolist() == list(families.outcomes(12))
    assert (whole.frame["months"] == 12).all()
    for given, months in ((families.outcomes(12), 12), (families.outcomes(12), None)):
        made = tf.estimate(design, given, months=months)
        pd.testing.assert_frame_equal(made.frame, whole.frame)
        assert made.settings["labels"] == whole.settings["labels"]
    one = tf.estimate(design, families.outcomes(12)["offences"], months=12)
    assert one.frame["outcome"].tolist() == ["offences"] and one.frame["months"].tolist() == [12]
    both = tf.estimate(design, families.outcomes()[["offences", "custody"]])
    assert list(zip(both.frame["outcome"], both.frame["months"], strict=True)) == [
        ("offences", 6), ("offences", 12), ("custody", 6), ("custody", 12)]  # fmt: skip
    assert np.isclose(
        both.select("offences", months=12).frame["estimate"], one.frame["estimate"]
    ).all()


def test_outcomes_are_never_taken_for_others(families, design):
    with pytest.raises(ParameterError, match="these are over 6 months, not 12"):
        tf.estimate(design, families.outcomes(6), months=12)
    with pytest.raises(ParameterError, match="not all over 12 months"):
        tf.estimate(design, families.outcomes(), months=12)
    records = tf.simulate(families=1500, seed=1).records
    other = tf.cohort(records, phase="two", horizon=12)
    with pytest.raises(DataError, match="of another cohort than the study"):
        tf.estimate(design, other.outcomes(12), months=12)


# --- one row more ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def page():
    """Chapter 4 with one outcome more, put into the registry and nowhere else."""
    # So many that no other test's cohort is taken from the cache.
    with pytest.MonkeyPatch.context() as patch, linked.simulated_families(4_001):
        patch.setitem(OUTCOMES, "convictions", Outcome(**NEW))
        yield analysis()


def test_a_new_row_is_counted(page):
    frame = page.families.to_pandas()
    rows = linked.records_of("simulated")
    people = rows.table("people").select("person_id", "family_id").to_pandas()
    held = rows.table("offences").to_pandas().merge(people, on="person_id")
    held = held[held["outcome"] == "convicted"].merge(frame[["unit", "family_id", "index_on"]])
    start, day = pd.to_datetime(held["index_on"]), pd.to_datetime(held["outcome_on"])
    inside = (day >= start) & (day < start + pd.DateOffset(months=12))
    expected = held[inside].groupby("unit").size().reindex(frame["unit"], fill_value=0)
    counted = page.families.outcomes(12)["convictions"]
    known = counted.notna().to_numpy()
    assert counted.sum() > 50
    assert (counted[known].to_numpy() == expected[known].to_numpy()).all()


def test_a_new_row_is_described_and_can_be_planned(page):
    columns = page.families.columns
    own = columns[columns["outcome"] == "convictions"]
    assert own["timing"].tolist() == ["before", "before", "after"]
    assert (own["description"] == NEW["description"]).all()
    assert "| `convictions` | Convictions in court | `offences` |" in data_dictionary()
    content = load_plan(None)
    content["outcomes"]["secondary"].append("convictions")
    assert plan_faults(content) == []


def test_a_new_row_is_balanced_on(page):
    assert "Convictions in court" in page.study.covariates.names
    shown = page.balance.to_frame()
    assert "Convictions in court" in shown["covariate"].tolist()
    assert "Convictions in court" in comparison.covariates_table(page.families, page.study).text()


def test_a_new_row_has_an_effect_and_stands_in_chapter_4(page):
    effects = tf.estimate(page.design, page.families, months=12)
    assert effects.settings["labels"]["convictions"] == "Convictions in court"
    assert "Convictions in court, a family" in page.effects.table().text()
    rows = specifications.specifications(page)
    assert "convictions" in set(rows["outcome"])
    assert f"Convictions in court ({NOT_SIMULATED})" in specifications.truth_table(page).text()


def test_a_new_row_is_not_monetised_with_its_reason(page):
    effects = tf.estimate(page.design, page.families.outcomes(12)[
        ["convictions", "out_of_work"]])  # fmt: skip
    left = tf.appraise(effects, 1_000, families=100).valued.left_out.set_index("what")
    assert left.loc["convictions", "reason"] == NEW["no_price"]
    assert dict(not_monetised().itertuples(index=False))["convictions"] == NEW["no_price"]


def test_which_way_is_better_is_the_registry_s(page):
    """A primary outcome of which more is better ranks the authority with most first."""
    asked = replace(read_plan(), primary=("employment", "out_of_work"))
    pooled = areas.areas(replace(page, plan=asked))
    better = {name: found.settings["better"] for name, found in pooled.items()}
    assert better == {"employment": "higher", "out_of_work": "lower"}
