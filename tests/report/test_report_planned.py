"""A plan on the page and in the manifest: its hash, and what is exploratory."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from bs4 import BeautifulSoup
from conftest import manifest, notebook

import tfeval as tf
from tfeval.display.figures import PLAN_MIME
from tfeval.display.words import day
from tfeval.errors import ParameterError
from tfeval.impact.plan.analysis_plan import FILE
from tfeval.report.notebook_parts import provenance
from tfeval.report.parameters import notebook_parameters
from tfeval.report.plan import plan as jobs_of
from tfeval.report.plan import plans_of
from tfeval.report.publish import Page, publish
from tfeval.report.run import run_jobs
from tfeval.settings import project_folder

TEXT = (project_folder("data") / FILE).read_text(encoding="utf-8")
STUDY = """\
import numpy as np
import pandas as pd
import tfeval as tf
from tfeval.impact.effects.effects import COLUMNS, Effects
from tfeval.impact.plan.trace import Trace, row_hashes
plan = tf.read_plan(plan)"""
#: Two effects by the plan and two at a horizon that it does not have.
EFFECTS = """\
rows = [dict.fromkeys(COLUMNS, np.nan) | {"outcome": name, "months": months, "population": "all",
        "method": "adjusted", "outcome_model": "linear", "errors": "cluster",
        "cluster": "local_authority"}
        for months in (12, 24) for name in ("absence", "offences")]
cohort = {"phase": "one", "comparison": "not_yet_treated", "treatment": "supported",
          "level": "family", "seed": 1}
made = Effects(pd.DataFrame(rows), np.eye(4))
trace = Trace(plan.hash, cohort, covariates=(("age",), (), ()),
              rows=frozenset(row_hashes(made.frame)), opened=plan.hash)
made.settings.update(**plan.main.design, trace=trace)
effects = plan.mark(made)"""
CELLS = [
    "# What did it change?",
    ("parameters", 'plan: str = "project"  # file of the analysis plan, or project\n'),
    ("code", STUDY),
    "Some words.",
    ("code", EFFECTS),
    ("code", 'print("the end")'),
]
CHOICES = ("absence at 24 months", "offences at 24 months")


@pytest.fixture(scope="module")
def ran(tmp_path_factory, write):
    """A notebook with a plan, and one that fails after it has read its plan."""
    folder, out = tmp_path_factory.mktemp("notebooks"), tmp_path_factory.mktemp("reports")
    write(folder, "01_planned", CELLS)
    write(folder, "02_fails", [*CELLS[:4], ("code", "1 / 0")])
    outcomes = run_jobs(jobs_of(["01_planned", "02_fails"], {}, folder), out)
    pages = {o.notebook: o.page.read_text(encoding="utf-8") for o in outcomes}
    return SimpleNamespace(
        folder=folder,
        out=out,
        status={outcome.notebook: outcome.status for outcome in outcomes},
        pages={name: BeautifulSoup(text, "html.parser") for name, text in pages.items()},
    )


def test_the_manifest_has_the_hash_short_and_full_and_what_is_exploratory(ran):
    assert ran.status == {"01_planned": "ok", "02_fails": "failed"}
    (found,) = manifest(ran.out / "national" / "01_planned")["plans"]
    held = tf.read_plan()
    assert found["sha256"] == held.hash and found["short"] == held.hash[:12]
    assert found["version"] == held.version and found["date"] == held.date.isoformat()
    assert found["planned"] == ["absence at 12 months", "offences at 12 months"]
    assert found["exploratory"] == list(CHOICES)
    assert found["reasons"] == [
        {"why": "months: 24, where 12 or 18 were planned", "what": list(CHOICES)}
    ]
    assert found["absent"] == ["asb incidents at 12 months", "out of work at 12 months"]


def test_the_page_says_what_is_exploratory_first_and_the_whole_hash_last(ran):
    page = ran.pages["01_planned"]
    (notice,) = page.main.find_all(class_="plan")
    text = " ".join(notice.get_text(" ").split())
    held = tf.read_plan()
    assert notice["role"] == "note"
    assert f"Analysis plan : {held.title}, version 1.2, SHA-256 {held.short_hash}. 2 of 4" in text
    assert "2 exploratory" in text and held.hash not in text
    registered, *items = [item.get_text() for item in notice.find_all("li")]
    on = str(held.registration.date)
    assert registered == f"The plan is {held.registration}.".replace(on, day(on))
    assert items[0] == (
        "Exploratory, not planned: absence at 24 months, offences at 24 months (months: 24, where "
        "12 or 18 were planned)."
    )
    assert items[1].startswith("Planned primary outcomes that are not here: asb incidents")
    terms = {dt.get_text(): dt.find_next("dd").get_text() for dt in page.footer.find_all("dt")}
    assert terms["Analysis plan"].endswith(f"SHA-256 {held.hash}")


def test_word_of_a_plan_stands_in_one_place_and_code_stays_folded(ran):
    page = ran.pages["01_planned"]
    assert page.get_text().count(tf.read_plan().short_hash) == 2  # the notice, the footer
    blocks = [tag.get_text() for tag in page.main.find_all("details", class_="code")]
    assert len(blocks) == 1  # cells that show nothing are folded into the next that does
    assert "read_plan" in blocks[0] and 'print("the end")' in blocks[0]


def test_a_failed_page_names_the_plan_that_it_had_read(ran):
    page = ran.pages["02_fails"]
    text = " ".join(page.main.find(class_="plan").get_text(" ").split())
    assert text.endswith(f"SHA-256 {tf.read_plan().short_hash}.")
    (found,) = manifest(ran.out / "national" / "02_fails")["plans"]
    assert found["sha256"] == tf.read_plan().hash and found["exploratory"] == []


def test_without_a_plan_nothing_is_said(built):
    for outcome in built.outcomes.values():
        assert "plans" not in manifest(outcome.page.parent)
        assert "nalysis plan" not in outcome.page.read_text(encoding="utf-8")


def test_a_plan_of_one_s_own_is_named_and_its_change_is_a_change(ran, write, tmp_path):
    own = tmp_path / "own.toml"
    own.write_text(TEXT.replace("horizons = [12, 18]", "horizons = [12, 24]"), encoding="utf-8")
    jobs = jobs_of(["01_planned"], {"plan": str(own)}, ran.folder)
    (outcome,) = run_jobs(jobs, tmp_path / "out")
    (found,) = manifest(outcome.page.parent)["plans"]
    assert found["exploratory"] == [] and len(found["planned"]) == 4
    assert found["sha256"] == tf.read_plan(own).hash != tf.read_plan().hash
    assert run_jobs(jobs, tmp_path / "out")[0].status == "kept"
    own.write_text(TEXT, encoding="utf-8")
    assert run_jobs(jobs, tmp_path / "out")[0].status == "ok"
    (found,) = manifest(outcome.page.parent)["plans"]
    assert found["sha256"] == tf.read_plan().hash


def test_a_plan_that_is_not_there_is_refused_before_anything_runs(ran):
    with pytest.raises(ParameterError, match=r'There is no plan "absent\.toml": name a TOML'):
        jobs_of(["01_planned"], {"plan": "absent.toml"}, ran.folder)
    declared = notebook_parameters(json.loads((ran.folder / "01_planned.ipynb").read_text()), "n")
    assert declared[0].name == "plan"


def said(key, **more):
    return {
        "title": f"Plan <{key}>",
        "version": "1",
        "date": "2026-01-01",
        "sha256": key * 64,
        **more,
    }


def marks(planned=(), exploratory=(), absent=(), sensitivity=None):
    reasons = [{"why": "level: 0.9", "what": list(exploratory)}] if exploratory else []
    return {"planned": list(planned), "exploratory": list(exploratory), "absent": list(absent),
            "sensitivity": sensitivity or {}, "reasons": reasons}  # fmt: skip


def with_plans(*contents):
    made = notebook(["# Title?", *[("code", "1") for _ in contents]])
    for cell, content in zip(made["cells"][1:], contents, strict=True):
        cell["outputs"] = [{"output_type": "display_data", "metadata": {},
                            "data": {PLAN_MIME: content, "text/plain": "x"}}]  # fmt: skip
    return made


def test_tables_of_one_plan_are_joined_and_plans_are_told_apart():
    found = plans_of(with_plans(
        said("a"),
        said("a", **marks(["x"], ["y"], ["z", "w"])),
        said("b", **marks(["x"])),
        said("a", **marks(["z"], ["v"], ["w"], {"s": ["u"]})),
        said("a", **marks(["z"], ["v"], ["w"], {"s": ["u"]})),  # the same said again
    ))  # fmt: skip
    assert [plan["short"] for plan in found] == ["a" * 12, "b" * 12]
    first = found[0]
    assert (first["planned"], first["exploratory"]) == (["x", "z"], ["y", "v"])
    assert first["sensitivity"] == {"s": ["u"]}
    assert first["reasons"] == [{"why": "level: 0.9", "what": ["y", "v"]}]
    assert first["absent"] == ["w"]  # the other table has z
    assert found[1]["exploratory"] == []


def test_a_notice_is_escaped_and_a_plan_only_read_is_only_named():
    page = BeautifulSoup(publish(with_plans(said("a")), Page("Title?")), "html.parser")
    text = page.main.find(class_="plan").get_text()
    assert "Plan <a>, version 1, SHA-256 aaaaaaaaaaaa." in text
    assert "effects" not in text and page.main.find(class_="plan").ul is None


def test_provenance_names_a_plan_by_its_hash():
    held = tf.read_plan()
    rows = provenance(phase="one", plan=held).text()
    assert held.hash in rows and f"{held.title}, version 1.2" in rows
    assert "Analysis plan" not in provenance(phase="one").text()
