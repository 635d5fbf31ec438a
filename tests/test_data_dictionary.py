"""The data dictionary says what the tables hold."""

from __future__ import annotations

from tfeval.programme.published_tables import FIGURE_COLUMNS, SOURCE_COLUMNS, TABLES
from tfeval.settings import project_folder


def test_the_dictionary_names_every_table_and_column():
    text = (project_folder("data") / "README.md").read_text(encoding="utf-8")
    rows = {line.split("`")[1]: line for line in text.splitlines() if line.startswith("| `")}
    for column in (*FIGURE_COLUMNS, *SOURCE_COLUMNS):
        assert f"`{column}`" in text
    for name, table in TABLES.items():
        assert table.title in rows[name]
        for column in table.extra:
            assert f"`{column}`" in rows[name]


def test_every_file_is_a_table_and_every_table_a_file():
    files = {path.stem for path in (project_folder("data") / "published").glob("*.csv")}
    assert files == set(TABLES)
