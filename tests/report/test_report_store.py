from __future__ import annotations

import json

import pytest
from conftest import BROKEN

from tfeval.errors import ReportError
from tfeval.report import record
from tfeval.report.execute import store
from tfeval.report.record import read_records

FIRST = ["# A?", ("code", 'from tfeval.report.record import record\nrecord("n", 1)\nprint("x")')]


def test_a_stored_notebook_holds_outputs_and_is_stored_the_same_again(
    write, facts, tmp_path, monkeypatch
):
    monkeypatch.setattr(record, "project_folder", lambda name: tmp_path)
    path = write(tmp_path, "01_a", FIRST)
    assert store([], tmp_path) == [path]
    first = path.read_bytes()
    content = json.loads(first)
    assert read_records("01_a")["n"].value == 1
    assert content["cells"][1]["execution_count"] == 1
    assert not [cell for cell in content["cells"] if "papermill" in cell["metadata"]]
    store(["01_a.ipynb"], tmp_path)
    assert path.read_bytes() == first
    assert [item.name for item in tmp_path.iterdir()] == ["01_a.ipynb"]


def test_a_failing_notebook_is_not_stored(write, facts, tmp_path):
    path = write(tmp_path, "01_a", BROKEN)
    before = path.read_bytes()
    with pytest.raises(ReportError, match=r"01_a is not stored: .*3 rows without a date"):
        store([], tmp_path)
    assert path.read_bytes() == before
