"""The schema agrees with itself, with the data dictionary, and with what is simulated."""

from __future__ import annotations

import ibis
import pandas as pd
import pytest

from tfeval.programme.phases import CRITERIA, eligible, phase
from tfeval.records.check import check_records
from tfeval.records.dictionary import END, START, data_dictionary, write_dictionary
from tfeval.records.schema import ALL_CRITERIA, OUT_OF_WORK_BENEFITS, TABLES
from tfeval.records.simulate import SimulatedRecords
from tfeval.settings import project_folder


def test_the_data_dictionary_is_true() -> None:
    text = (project_folder("data") / "README.md").read_text(encoding="utf-8")
    assert data_dictionary() in text, "run: python -m tfeval.records.dictionary"


def test_the_data_dictionary_names_everything() -> None:
    text = data_dictionary()
    for name, table in TABLES.items():
        assert f"### `{name}`" in text
        for column, definition in table.columns.items():
            assert f"| `{column}` |" in text
            assert definition.description in text
    assert "sessions" in text
    assert "half days" in text


def test_writing_the_dictionary_keeps_what_others_wrote(tmp_path) -> None:
    file = tmp_path / "README.md"
    file.write_text(f"# Data dictionary\n\nBefore.\n\n{START}\nold\n{END}\n\nAfter.\n")
    write_dictionary(file)
    text = file.read_text()
    assert "Before." in text
    assert "After." in text
    assert "old" not in text.split()
    write_dictionary(file)
    assert file.read_text() == text


def test_keys_links_and_dates_are_columns() -> None:
    for table in TABLES.values():
        columns = set(table.columns)
        assert set(table.key) <= columns
        assert set(table.no_overlap) <= columns
        assert {name for pair in table.order for name in pair} <= columns
        assert {table.event_on, table.ends_on} - {None} <= columns
        for target in table.links.values():
            other, column = target.split(".")
            assert column in TABLES[other].key
        for column in table.key:
            assert not table.columns[column].nullable


def test_every_column_has_a_description_a_kind_and_a_unit() -> None:
    for table in TABLES.values():
        assert table.description
        assert table.answers
        for column in table.columns.values():
            assert column.description
            assert column.kind
            assert column.unit


def test_coverage_speaks_of_every_event_table() -> None:
    events = {name for name, table in TABLES.items() if table.event_on}
    covered = set(TABLES["coverage"].columns["source_table"].allowed)
    assert covered == events | {"families"}


@pytest.mark.parametrize("name", TABLES)
def test_what_is_simulated_keeps_to_the_schema(small: SimulatedRecords, name: str) -> None:
    found, columns = small.records.table(name), TABLES[name].columns
    sent = [key for key, one in columns.items() if one.required or key in found.columns]
    assert list(found.columns) == sent
    for column in sent:
        definition = columns[column]
        assert found[column].type() == ibis.dtype(definition.type)
    report = check_records(small.records, only=[name])
    assert report.clean and report.rows[name] == found.count().to_pyarrow().as_py()


def test_nominated_criteria_fit_the_programmes_own_rule(small: SimulatedRecords) -> None:
    families = small.records.table("families").to_pandas()
    group = small.truth.families.set_index("family_id")["group"]
    for name in families["phase"].unique():
        rows = families[families["phase"] == name]
        kind = eligible(rows, phase(name))
        expected = rows["family_id"].map(group) != "below_threshold"
        assert ((kind != "no") == expected).all()
    below = families["family_id"].map(group) == "below_threshold"
    for name in families["phase"].unique():
        rows = families[below & (families["phase"] == name)]
        met = rows[list(CRITERIA[name])].astype(bool).sum(axis=1)
        assert (met == phase(name).criteria_needed - 1).all()


def test_criteria_are_those_of_the_programme() -> None:
    assert set(ALL_CRITERIA) == {*(name for own in CRITERIA.values() for name in own),
                                 "local_discretion"}  # fmt: skip
    assert set(ALL_CRITERIA) <= set(TABLES["families"].columns)
    values = TABLES["benefit_spells"].columns["benefit"].allowed
    assert set(OUT_OF_WORK_BENEFITS) < set(values)
    assert pd.Series(ALL_CRITERIA).is_unique
