"""Words of value follow the account: only public money pays, repays or comes back."""

from __future__ import annotations

import ast
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

import tfeval as tf
from tests.money.appraised import OUTCOMES, correlated, effects_of
from tfeval.display import names
from tfeval.display.words import unmarked
from tfeval.money.model import ACCOUNTS
from tfeval.report.chapters import evidence, known, summary
from tfeval.report.record import Records
from tfeval.settings import project_folder

PACKAGE = Path(tf.__file__).parent
SAYS = re.compile(r"\b(pay|pays|paying|repay|repays|payback|paid back|paid for itself)\b", re.I)
#: Where it is said all the same, and why: of money that somebody pays, or of the public purse.
ALLOWED = {
    "pays for itself": "by the account's key",
    "pays for": "by the account's key",
    "pay for": "by the account's key",
    "that it pays for itself": "by the account's key",
    " back to the public purse (probability that it paid for itself ": "of the public purse",
    "payback year": "the name of a measure, which has other words for readers",
    "willingness to pay, ": "what those who are served would pay",
    "Willingness to pay, ": "what those who are served would pay",
    "all public bodies, as designed; central government pays a part": "who bears a cost",
    "cannot pay": "a key, with words of its own in each account",
    "Most that the tariff could pay": "what an authority is paid",
    "The most that the tariff could pay, ": "what an authority is paid",
    " could pay ": "what an authority is paid",
    " pays for the ": "the claim of 2015, which is of public money",
    "the saving claimed pays for its cost only if ": "the claim of 2015",
    "Pays only if ": "the claim of 2015",
    "no fall in children looked after would pay for the costs alone": "of public money",
    "What would repay the cost in a year": "of public money",
    "To repay: what a family cost central government (": "of public money",
}
#: The same, of texts that go on.
BEGIN = {
    "One less the share is the deadweight at which the programme just pays": "the claim of 2015",
    "For each outcome a bar of changes too small to be seen": "of public money",
    "Only the first can pay for itself": "says of which account it is true",
    "What the tariff could pay for the families": "what an authority is paid",
}
#: What is said of an account in which nobody is paid.
WORTH = re.compile(r"\b(is|be) worth\b")
OF_EVERYBODY = tf.Assumptions()
OF_THE_PURSE = tf.Assumptions(perspective="fiscal")


def allowed(text: str) -> bool:
    return text in ALLOWED or any(start in text for start in BEGIN)


def texts(path: Path) -> list[str]:
    """Return a file's texts, but for its docstrings."""
    tree = ast.parse(path.read_text())
    kinds = (ast.Module, ast.FunctionDef, ast.ClassDef)
    docs = {id(node.body[0].value) for node in ast.walk(tree)
            if isinstance(node, kinds) and isinstance(node.body[0], ast.Expr)}  # fmt: skip
    return [node.value for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
            and id(node) not in docs]  # fmt: skip


def test_nothing_says_pays_but_by_key_or_of_money_that_is_paid():
    """A new sentence that says so takes its words from `PAYS`, or has its reason here."""
    rooms = ("money", "report/chapters", "display")
    said = [text for room in rooms for path in sorted((PACKAGE / room).rglob("*.py"))
            for text in texts(path) if SAYS.search(text)]  # fmt: skip
    books = project_folder("notebooks").glob("*.ipynb")
    said += [sentence for path in books for cell in json.loads(path.read_text())["cells"]
             if cell["cell_type"] == "markdown"
             for sentence in re.split(r"(?<=[.?]) ", "".join(cell["source"]))
             if SAYS.search(sentence)]  # fmt: skip
    assert [text for text in said if not allowed(text)] == []
    # None is allowed that nobody says.
    assert set(ALLOWED) <= set(said)
    assert all(any(start in text for text in said) for start in BEGIN)


def known_texts(held: tf.Assumptions) -> list[str]:
    """Return what chapter 6 and the summary say of the study of 2016."""
    claims = Records("06", known.facts(held))
    chart = known.reach(held)
    row = summary.open_row(claims)
    return [known.reach_table(held).text(), unmarked(" ".join(row)),
            f"{chart.title} {chart.alt} {' '.join(map(str, legend(chart)))}"]  # fmt: skip


def legend(chart) -> list[str]:
    return [text.get_text() for axes in chart.figure.axes
            for text in (axes.get_legend().get_texts() if axes.get_legend() else [])]  # fmt: skip


@pytest.mark.parametrize("costs", ["total", "marginal"])
def test_the_study_of_2016_is_held_against_each_account_in_its_own_words(costs):
    for said in known_texts(replace(OF_EVERYBODY, costs=costs)):
        assert not SAYS.search(said)
        assert WORTH.search(said)
    for said in known_texts(replace(OF_THE_PURSE, costs=costs)):
        assert re.search(r"\bpays? for\b", said)
        assert not WORTH.search(said)


def test_what_is_left_open_is_said_to_be_of_an_account():
    for held, whose in ((OF_EVERYBODY, "to everybody"), (OF_THE_PURSE, "to the public purse")):
        assert whose in known.silence_table(held).caption
        assert whose.capitalize() in summary.open_row(Records("06", known.facts(held)))[1]
        said = known.facts(held)
        assert {record.subject.parameters()["perspective"] for record in said.values()} == {
            held.perspective
        }
        head = unmarked("\n".join(evidence.detail("one", Known, held)))
        assert f"leaves room for a gain {whose}" in head


class Known:
    """In the place of what records say of results: nothing is quoted of simulated ones."""

    simulated = True


@pytest.fixture(scope="module", params=ACCOUNTS)
def found(request):
    effects = correlated(effects_of(OUTCOMES, 0.5))
    return tf.appraise(effects, 5e5, families=1_000, perspective=request.param)


def test_an_appraisal_s_own_words_follow_its_account(found):
    drawn = found.uncertainty(draws=200)
    account = found.settings.perspective
    own, other = names.PAYS[account], names.PAYS[{"fiscal": "social", "social": "fiscal"}[account]]
    for said in (drawn.table().text(), str(drawn.plot().figure.axes[0].get_xlabel()) + own,
                 found.five_es(drawn).text()):  # fmt: skip
        assert own in said
        assert other not in said
    assert names.ACCOUNTS[account] in drawn.plot().figure.axes[0].get_xlabel()
    assert f"{account} account" in drawn.table().caption
    assert "payback" not in found.table().text().lower()
    # A card has both accounts side by side, so that no heading may be of one alone.
    card = found.card(drawn)
    assert not any(SAYS.search(row[0].text) for row in card.rows)


def test_a_workbook_has_no_heading_of_one_account_alone(found, tmp_path):
    from openpyxl import load_workbook

    path = found.to_workbook(tmp_path / "value.xlsx")
    for sheet in load_workbook(path, read_only=True):
        for row in sheet.iter_rows(values_only=True):
            for cell in row:
                text = str(cell or "")
                # Of unit costs sources speak, in words of theirs.
                if SAYS.search(text) and sheet.title not in ("Unit costs", "Not valued"):
                    assert text.startswith("Willingness to pay"), (sheet.title, text)
