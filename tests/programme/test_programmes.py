"""The phases are data: files are read whole or refused by key, and no code knows their names."""

from __future__ import annotations

import ast
import shutil
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

import tfeval
from tfeval.errors import DataError
from tfeval.programme.phases import phase
from tfeval.programme.programmes import programmes
from tfeval.programme.published import published
from tfeval.programme.results import results_met
from tfeval.settings import project_folder

FOLDER = project_folder("data") / "programmes"
FILES = sorted(Path(tfeval.__file__).parent.rglob("*.py"))
LATER = phase("supporting_families")


def _names_in(node: ast.expr | None) -> bool:
    """Whether an expression is a phase's name, or a tuple, list or set with one in it."""
    parts = getattr(node, "elts", [node])
    return any(isinstance(one, ast.Constant) and one.value in programmes() for one in parts)


def _knows_names(tree: ast.AST) -> list[int]:
    found = []
    for node in ast.walk(tree):
        compared = isinstance(node, ast.Compare) and any(
            map(_names_in, [node.left, *node.comparators])
        )
        keyed = isinstance(node, ast.Dict) and any(map(_names_in, node.keys))
        taken = isinstance(node, ast.Subscript) and _names_in(node.slice)
        matched = isinstance(node, ast.MatchValue) and _names_in(node.value)
        looped = isinstance(node, ast.For | ast.comprehension) and _names_in(node.iter)
        if compared or keyed or taken or matched or looped:
            found.append(getattr(node, "lineno", 0))
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_code_knows_a_phase_by_name(path):
    lines = _knows_names(ast.parse(path.read_text(encoding="utf-8")))
    assert not lines, f"{path.name}: lines {lines} know a phase by its name: make it a property"


@pytest.mark.parametrize(
    "code",
    ['x == "one"', 'x in ("one", "two")', '{"two": 1}', 'table["one"]',
     'for x in ("one", "two"): pass', '"supporting_families" != x',
     'match x:\n    case "one": pass'],
)  # fmt: skip
def test_the_search_sees_what_it_must(code):
    assert _knows_names(ast.parse(code))


def test_every_file_is_read_and_ordered_by_its_start():
    assert list(programmes()) == ["one", "two", "supporting_families"]
    assert len(programmes()) == len(list(FOLDER.rglob("*.toml")))
    starts = [one.start for one in programmes().values()]
    assert starts == sorted(starts)


FAULTS = [
    ('unit = "families"', "", "key unit is missing: add it"),
    ('unit = "families"', "unit = 3", "key unit must be a text that is not empty"),
    ('unit = "families"', 'unit = ""', "key unit must be a text that is not empty"),
    ('unit = "families"', 'unit = "families"\nunits = 1', r"key units is not known\. Did you mean"),
    ("end = 2015-05-31", "end = 2010-05-31", "key end is not after start"),
    ("start = 2012-04-01", 'start = "2012"', "key start must be a day, as 2012-04-01"),
    ('test = "school"', 'test = "scool"', r"key needs 2, test is scool\. Did you mean school"),
    ('test = "school"', "", "key needs 2 needs either a test, or why it is untested"),
    ('label = "Education"', "", "key needs 2, label is missing"),
    ("final = true", 'final = "yes"', "key claims, final must be true or false"),
    ("claimed = 0.989", "", "key simulation, claimed is missing"),
    ('paid = ["crime', 'paid = [1, "crime', "key result, paid 1 must be a text"),
    ('name = "one"', "name = one", "is not TOML"),
]


@pytest.mark.parametrize(("before", "after", "message"), FAULTS)
def test_a_mistake_is_one_line_with_its_file_and_key(tmp_path, before, after, message):
    shutil.copytree(FOLDER, tmp_path / "programmes")
    path = tmp_path / "programmes" / "troubled_families" / "phase_one.toml"
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after, 1), encoding="utf-8")
    with pytest.raises(DataError, match=message) as raised:
        programmes(tmp_path / "programmes")
    assert "\n" not in str(raised.value)
    assert "data/programmes/troubled_families/phase_one.toml" in str(raised.value)


def test_two_files_of_one_name_and_no_file_are_refused(tmp_path):
    with pytest.raises(DataError, match="holds no file"):
        programmes(tmp_path)
    file = FOLDER / "troubled_families" / "phase_one.toml"
    for name in ("a", "b"):
        shutil.copy(file, tmp_path / f"{name}.toml")
    with pytest.raises(DataError, match="two files of one name"):
        programmes(tmp_path)


@pytest.mark.parametrize("name", programmes())
def test_every_figure_that_a_file_names_was_read_in_a_source(name):
    rules = phase(name)
    assert rules.budget.sources and rules.families.sources and rules.criteria_needed
    assert rules.latest_claim().sources
    budget = set(published("budget")["figure"])
    named = {one.figure for one in rules.costs.allocations} | {rules.evaluation.cost_figure or
                                                               rules.budget_figure}  # fmt: skip
    assert named <= budget
    tariff = published("tariff")
    paid = set(tariff.loc[tariff["phase"] == name, "kind"])
    assert set(rules.result.paid) <= paid


def test_supporting_families_is_what_its_sources_say():
    assert (LATER.start, LATER.end) == (date(2022, 4, 1), date(2025, 3, 31))
    assert LATER.budget.pounds()[0] == 695e6
    assert LATER.families.value == 300_000
    assert len(LATER.criteria) == 10
    assert LATER.criteria_needed == 3
    assert LATER.tariff.maximum("2022-25") == 800
    assert not LATER.tariff.attachment_fee
    assert not LATER.has_local_discretion
    # Remembered, and seen in no source: shown, and used in nothing.
    assert LATER.results.attendance_at_least is None
    assert "Getting a good education" in LATER.untested


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, 1.0),
        ({"offences_after": 1}, 0.0),
        ({"asb_after": 1}, 0.0),
        ({"safe_from_abuse": False}, 0.0),
        ({"children_helped": False}, 0.0),
        ({"children_helped": False, "children_safe": False}, 1.0),
        ({"housing": True}, None),
        ({"housing": True, "offences_after": 1}, None),
        (dict.fromkeys(LATER.criteria, False), 0.0),
    ],
)
def test_a_successful_outcome_is_every_need_resolved_and_unknown_with_one_that_has_no_test(
    change, expected
):
    family = dict.fromkeys(LATER.criteria, False) | {
        "crime_asb": True, "domestic_abuse": True, "children_safe": True,
        "asb_before": 2, "asb_after": 0, "offences_before": 1, "offences_after": 0,
        "children_helped": True, "safe_from_abuse": True,
    }  # fmt: skip
    got = results_met(pd.DataFrame([family | change]), LATER)
    assert list(got) == ["successful_family_outcome"]
    value = got.iloc[0, 0]
    assert pd.isna(value) if expected is None else value == expected
