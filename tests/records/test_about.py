"""`about.json` is held to its types: nothing but a JSON true makes records simulated."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import ibis
import pytest

from tfeval.errors import DataError
from tfeval.records.check import check_records
from tfeval.records.store import checked_about, from_tables, open_records, read_about

NOT_FLAGS = ["false", "true", "False", "no", "", 0, 1, 1.0, None, [], [True], {}, {"value": True}]


@pytest.fixture
def extract(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "extract"))


def tell(extract: Path, text: str) -> None:
    (extract / "about.json").write_text(text, encoding="utf-8")


@pytest.mark.parametrize("value", NOT_FLAGS, ids=repr)
@pytest.mark.parametrize("field", ["simulated", "pseudonymised"])
def test_only_a_json_boolean_is_a_flag(extract, field, value):
    tell(extract, json.dumps({field: value}))
    for reader in (open_records, check_records):
        with pytest.raises(DataError) as caught:
            reader(extract)
        text = str(caught.value)
        assert text == f'about.json: "{field}" is true or false, without quotes: correct it.'


@pytest.mark.parametrize("value", [True, False])
def test_a_boolean_says_what_it_says(extract, value):
    tell(extract, json.dumps({"simulated": value}))
    assert open_records(extract).simulated is value
    tell(extract, "\ufeff{}")  # a mark of order, and nothing said: records are real
    assert open_records(extract).simulated is False


@pytest.mark.parametrize("field", ["records_to", "records_from"])
@pytest.mark.parametrize(
    "value", ["31/12/2019", "2019-12-31T00:00", "20191231", "2019-W52-2", "2019-02-30", "", " ",
              20191231, None, True, ["2019-12-31"], "٢٠١٩-١٢-٣١"], ids=repr,
)  # fmt: skip
def test_a_day_is_a_day(extract, field, value):
    tell(extract, json.dumps({field: value}))
    with pytest.raises(DataError) as caught:
        open_records(extract)
    assert str(caught.value) == f'about.json: "{field}" is a day written "YYYY-MM-DD": correct it.'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"Simulated": true}', 'almost like "simulated"'),
        ('{"simulatd": true}', 'almost like "simulated"'),
        ('{" simulated": true}', 'almost like "simulated"'),
        ('{"records-to": "2019-12-31"}', 'almost like "records_to"'),
        ('{"simulated": true, "simulated": false}', "names a field twice"),
        ('{"title": 5}', '"title" is text'),
        ('{"records_from": "2020-01-01", "records_to": "2019-12-31"}', "is after"),
        ("[true]", "one JSON object"),
        ("true", "one JSON object"),
        ("simulated: true", "is not JSON"),
        ("", "is not JSON"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line(extract, text, message):
    tell(extract, text)
    with pytest.raises(DataError, match=message) as caught:
        open_records(extract)
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_what_nothing_rests_on_may_say_anything():
    assert checked_about({"families": 5, "source": ["a", "b"], "seed": None})["families"] == 5


def test_the_file_beside_a_database_and_what_is_given_in_memory_are_held_too(extract, tmp_path):
    path = tmp_path / "records.duckdb"
    connection = ibis.duckdb.connect(path)
    for file in extract.glob("*.parquet"):
        connection.con.execute(f"CREATE TABLE {file.stem} AS FROM '{file}'")
    connection.disconnect()
    path.with_suffix(".json").write_text('{"simulated": "false"}')
    with pytest.raises(DataError, match="without quotes"):
        open_records(path)
    with pytest.raises(DataError, match="without quotes"):
        from_tables({}, about={"simulated": "false"}, source="memory")
    assert read_about(tmp_path / "none.json") == {}


def test_what_is_no_object_of_json_at_all_is_said_to_be_none(extract):
    tell(extract, "[" * 200_000)
    with pytest.raises(DataError, match="is not JSON: mend or remove it"):
        read_about(extract / "about.json")
    (extract / "about.json").unlink()
    (extract / "about.json").mkdir()
    with pytest.raises(DataError, match="is not a file"):
        open_records(extract)
