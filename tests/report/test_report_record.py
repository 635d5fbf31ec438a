from __future__ import annotations

import json
import os
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from tfeval.errors import ReportError, TfevalError
from tfeval.report import record as module
from tfeval.report import subject
from tfeval.report.notebook_parts import TABLE_MIME, content_of, tables_of
from tfeval.report.record import (
    RECORD_MIME,
    Record,
    Records,
    make_record,
    read_records,
    record,
    records_of,
)
from tfeval.report.subject import Subject, page_parameters


@pytest.fixture(autouse=True)
def nothing_recorded(monkeypatch):
    monkeypatch.setattr(module, "_seen", {})


def stored(*contents):
    outputs = [
        {"output_type": "display_data", "data": {RECORD_MIME: content}} for content in contents
    ]
    return {"cells": [{"cell_type": "code", "outputs": outputs}], "metadata": {}}


def test_values_are_kept_whole_and_rounded_in_words_alone():
    assert make_record("x", 116_654.499).value == 116_654.499
    assert make_record("x", 0.1234567890123456).value == 0.123456789012  # the processor's own
    assert make_record("x", 116_654).value == 116_654
    two = make_record("x", 1.2345, digits=2)
    assert (two.value, str(two)) == (1.2345, "1.2")
    assert make_record("x", np.bool_(True)).value is True


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (116_654, "families", "116,654 families"),
        (448, "£m", "£448m"),
        (-22.5, "£m", "\N{MINUS SIGN}\N{WORD JOINER}£22.5m"),
        (-1_400, "£", "\N{MINUS SIGN}\N{WORD JOINER}£1,400"),
        (0.74, "£ for each £1", "£0.74 for each £1"),
        (99, "%", "99%"),
        (0.5, "", "0.5"),
        ("Sefton", "", "Sefton"),
        (True, "", "yes"),
    ],
)
def test_a_record_reads_like_a_sentence(value, unit, text):
    assert str(make_record("x", value, unit)) == text


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None, [1], {}])
def test_only_finite_numbers_text_and_truth_are_recorded(value):
    with pytest.raises(ReportError, match="x"):
        make_record("x", value)


def test_a_second_value_under_the_same_name_is_refused(capsys):
    record("share", 0.94)
    record("share", 0.94)
    with pytest.raises(ReportError, match=r"share has the value \"0.94\" already"):
        record("share", 0.95)
    assert capsys.readouterr().out == "share: 0.94\nshare: 0.94\n"


def test_a_cell_that_is_run_again_may_record_another_value(monkeypatch):
    places = iter([("cell", 1), ("cell", 2), ("other", 3)])
    monkeypatch.setattr(module, "_place", lambda: next(places))
    record("share", 0.94)
    record("share", 0.95)
    with pytest.raises(ReportError, match=r"0\.94"):
        record("share", 0.94)


def test_records_are_read_from_a_report_and_from_a_stored_notebook(tmp_path, monkeypatch):
    row = {"name": "budget", "value": 448, "unit": "£m"}
    (tmp_path / "01_a").mkdir()
    (tmp_path / "01_a" / "records.json").write_text(json.dumps({"records": [row]}))
    (tmp_path / "01_a.ipynb").write_text(json.dumps(stored(row)))
    monkeypatch.setattr(module, "project_folder", lambda name: tmp_path)
    for found in (read_records("01_a", tmp_path), read_records("01_a.ipynb")):
        assert found["budget"] == Record("budget", 448, "£m")
        assert list(found) == ["budget"] and len(found) == 1 and "budget" in found
        assert found.get("x") is None
        with pytest.raises(TfevalError, match=r"01_a has no record bugdet. Did you mean budget\?"):
            found["bugdet"]


def test_a_notebook_that_is_not_there_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "project_folder", lambda name: tmp_path)
    (tmp_path / "01_programme.ipynb").write_text("{}")
    with pytest.raises(TfevalError, match=r"Did you mean 01_programme\?"):
        read_records("01_program")
    with pytest.raises(TfevalError, match="run that notebook first"):
        read_records("01_programme", tmp_path)


def test_two_values_in_one_notebook_are_found():
    with pytest.raises(ReportError, match="records budget twice"):
        records_of(stored({"name": "budget", "value": 1}, {"name": "budget", "value": 2}))


def test_a_table_is_read_from_a_report_and_from_a_stored_notebook(tmp_path, monkeypatch):
    frame = pd.DataFrame({"name": ["Sefton", "Wirral"], "effect": [-1 / 3, None], "ok": [True, 0]})
    content = content_of("areas", frame)
    assert content["rows"] == [["Sefton", -0.333333333333, True], ["Wirral", None, 0]]
    output = {"output_type": "display_data", "data": {TABLE_MIME: content}}
    (tmp_path / "b" / "01_a").mkdir(parents=True)
    told = {"records": [], "tables": {"areas": content}}
    (tmp_path / "b" / "01_a" / "records.json").write_text(json.dumps(told))
    (tmp_path / "01_a.ipynb").write_text(json.dumps({"cells": [{"outputs": [output]}]}))
    monkeypatch.setattr(module, "project_folder", lambda name: tmp_path)
    # The first of several folders that has the notebook counts.
    folders = os.pathsep.join([str(tmp_path / "a"), str(tmp_path / "b")])
    for found in (read_records("01_a", folders), read_records("01_a")):
        assert found.table("areas").loc[0].tolist() == ["Sefton", -0.333333333333, True]
        assert found.table("areas")["effect"].isna().tolist() == [False, True]
        with pytest.raises(TfevalError, match=r"no table aeras. Did you mean areas\?"):
            found.table("aeras")


@pytest.mark.parametrize("value", [float("inf"), [1], object()])
def test_a_table_holds_only_finite_numbers_text_and_truth(value):
    with pytest.raises(ReportError, match="areas, column x"):
        content_of("areas", pd.DataFrame({"x": [value]}))


def test_two_tables_of_one_name_are_found():
    outputs = [
        {"data": {TABLE_MIME: content_of("areas", pd.DataFrame({"x": [value]}))}}
        for value in (1, 2)
    ]
    with pytest.raises(ReportError, match="table areas twice"):
        tables_of({"cells": [{"outputs": outputs}]})


# What a page is about, and what it refuses


def page(monkeypatch, *cells, **names):
    """A notebook in which these cells ran, and these names hold something now."""
    space = {"In": list(cells), **names}
    running = SimpleNamespace(user_ns=space)
    for each in (subject, module):
        monkeypatch.setattr(each, "shell", lambda: running)
    monkeypatch.setattr(subject, "READ", {})
    monkeypatch.setattr(module, "READ", subject.READ)


PARAMETERS = 'phase: str = "one"  # phase\nprice_year: int = 2024  # in\ndesign: str = "full"  #'


def test_the_parameters_are_those_that_ran_last(monkeypatch):
    page(monkeypatch, PARAMETERS, "import tfeval as tf", design=object())
    # A later cell may give a parameter's name to a design itself.
    assert page_parameters() == {"phase": "one", "price_year": 2024, "design": "full"}
    page(monkeypatch, PARAMETERS, '# Parameters\nphase = "two"\nrecords = ".."', "x = 1")
    assert page_parameters()["phase"] == "two" and "records" not in page_parameters()
    page(monkeypatch, PARAMETERS, "x: int = y", phase="two")
    assert page_parameters()["phase"] == "two"  # set by hand in a later cell
    monkeypatch.setattr(subject, "shell", lambda: None)
    assert page_parameters() == {}


def test_a_record_takes_its_subject_from_the_page(monkeypatch):
    page(monkeypatch, PARAMETERS)
    made = make_record("npv", 1.0, "£")
    assert (made.subject.phase, made.subject.price_year) == ("one", 2024)
    assert make_record("b", 1, subject={"phase": "two"}).subject == Subject(phase="two")
    assert make_record("b", 1, subject=Asked("two")).subject == Subject(phase="two")
    with pytest.raises(TfevalError, match="mapping of parameters or a specification, not a list"):
        make_record("b", 1, subject=["phase"])
    path = Subject.of({"extract": "/secret/place/data"})
    assert path.basis == "extract" and "secret" not in json.dumps(path.written())
    assert Subject.read(json.loads(json.dumps(path.written()))) == path


@dataclass(frozen=True)
class Asked:
    phase: str


def report(folder, name, **parameters):
    """Records of a notebook that was run on these parameters, in a report."""
    made = make_record("npv", 1.5, "£", interval=(1, 2), subject=parameters)
    content = {"records": [made.content()], "parameters": Subject.of(parameters).parameters()}
    (folder / name).mkdir(exist_ok=True)
    (folder / name / "records.json").write_text(json.dumps(content))


def test_a_page_refuses_records_of_other_parameters_and_says_which(monkeypatch, tmp_path):
    report(tmp_path, "07_value", phase="one", price_year=2024, persistence=0.5)
    page(monkeypatch, PARAMETERS)
    assert read_records("07_value", tmp_path)["npv"].end("high").value == 2
    page(monkeypatch, PARAMETERS, '# Parameters\nphase = "two"\nprice_year = 2015')
    wanted = (
        r"^07_value has records of phase one and price_year 2024 and this page asks for phase two "
        r'and price_year 2015: run .*`tfeval run NOTEBOOK -p phase="two" -p price_year="2015"`, or '
    )
    with pytest.raises(TfevalError, match=wanted) as fault:
        read_records("07_value", tmp_path)
    assert "\n" not in str(fault.value)


def test_a_stored_notebook_is_refused_by_its_own_parameters(monkeypatch, tmp_path):
    cells = [{"cell_type": "code", "source": PARAMETERS, "outputs": []}]
    (tmp_path / "01_a.ipynb").write_text(json.dumps({"cells": cells}))
    monkeypatch.setattr(module, "project_folder", lambda name: tmp_path)
    page(monkeypatch, 'phase: str = "two"  # phase')
    with pytest.raises(TfevalError, match="01_a has records of phase one and this page asks"):
        read_records("01_a")
    assert len(read_records("01_a", subject={"phase": "one"})) == 0


def test_a_page_that_makes_a_choice_refuses_records_that_were_run_without(monkeypatch, tmp_path):
    cells = [{"cell_type": "code", "source": f"{PARAMETERS}\nbias: str = \"\"  # bias",
              "outputs": []}]  # fmt: skip
    (tmp_path / "01_a.ipynb").write_text(json.dumps({"cells": cells}))
    monkeypatch.setattr(module, "project_folder", lambda name: tmp_path)
    page(monkeypatch, f'{PARAMETERS}\nbias: str = ""  # bias')
    assert len(read_records("01_a")) == 0
    page(monkeypatch, f'{PARAMETERS}\nbias: str = "B=0.1"  # bias')
    with pytest.raises(TfevalError, match="has records of bias none and this page asks for bias B"):
        read_records("01_a")


def test_a_page_refuses_records_that_rest_on_different_choices(monkeypatch, tmp_path):
    report(tmp_path, "03_groups", phase="one", horizon=12)
    report(tmp_path, "04_impact", phase="one", horizon=18)
    page(monkeypatch, PARAMETERS)
    read_records("03_groups", tmp_path)
    with pytest.raises(TfevalError, match="04_impact rests on horizon 18 and not 12 as 03_groups"):
        read_records("04_impact", tmp_path)
    report(tmp_path, "03_groups", phase="one", horizon=18)  # run again since
    held = read_records("04_impact", tmp_path)
    # What the page records now rests on what it has read.
    assert make_record("x", 1).subject.horizon == held["npv"].subject.horizon == 18


def test_a_record_of_another_subject_is_named_on_purpose_or_not_at_all():
    mine, theirs = (make_record(name, 1, subject={"phase": phase})
                    for name, phase in (("a", "one"), ("b", "two")))  # fmt: skip
    held = Records("06", {"a": mine, "b": theirs}, parameters={"phase": "one"})
    assert list(held) == ["a"] and "b" not in held and held.get("b") is None
    with pytest.raises(TfevalError, match="06, b, has records of phase two and this page asks"):
        held["b"]
    assert held.of(phase="two")["b"].value == 1
