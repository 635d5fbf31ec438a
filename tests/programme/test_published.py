"""Published figures: refused without a source, never computed from memory, checked whole."""

from __future__ import annotations

import pandas as pd
import pytest

from tfeval.errors import DataError, SourceError
from tfeval.programme.published import (
    check_published,
    distinct_sources,
    figure,
    published,
    sources,
)
from tfeval.programme.published_tables import TABLES


def set_cell(column: str, value: str, row: int = 0):
    """Return a change of one cell."""

    def how(frame: pd.DataFrame) -> pd.DataFrame:
        frame.loc[frame.index[row], column] = value
        return frame

    return how


def test_every_table_of_the_project_is_sound():
    check_published()


def test_every_row_that_may_be_computed_with_has_a_whole_source():
    for name, table in TABLES.items():
        if table.described_by:  # statistics: a table beside them has their sources
            assert not TABLES[table.described_by].described_by
            continue
        for source in sources(published(name)):
            assert source.status == "read"
            assert source.title
            assert source.publisher
            assert source.date[:2] in ("19", "20")
            assert source.url.startswith("http")


BROKEN = {
    "missing column": (
        "budget",
        lambda frame: frame.drop(columns="url"),
        "column url is missing",
    ),
    "unknown column": (
        "budget",
        lambda frame: frame.rename(columns={"unit": "units"}),
        "column units is not known",
    ),
    "negative count": ("progress_local", set_cell("value", "-3"), "negative in 1 row"),
    "unknown authority": (
        "progress_local",
        set_cell("area_code", "E99999999"),
        "unknown authority in 1 row",
    ),
    "name and code differ": (
        "payments_local",
        set_cell("area", "Atlantis"),
        "another name than area_code has in 1 row",
    ),
    "duplicate row": (
        "tariff",
        lambda frame: pd.concat([frame, frame.head(2)]),
        "source_title, url in 2 rows",
    ),
    "duplicate authority": (
        "local_authorities",
        lambda frame: pd.concat([frame, frame.head(1)]),
        "repeated code in 1 row",
    ),
    "not an upper-tier code": (
        "authority_codes",
        set_cell("code", "E07000240"),
        "an upper-tier authority in 1 row",
    ),
    "a later code of nobody": (
        "authority_codes",
        set_cell("authority", "E99999999"),
        "authority in 1 row",
    ),
    "an odd area": ("authority_codes", set_cell("area", "near"), "none of same, part, across in 1"),
    "a code on a day of no calendar": (
        "authority_codes",
        set_cell("valid_to", "2019-02-30"),
        "valid_to: not YYYY-MM-DD in 1 row",
    ),
    "a code that ends before it begins": (
        "authority_codes",
        set_cell("valid_from", "2019-04-02", 27),
        "before valid_from in 1 row",
    ),
    "a code that follows on nothing": (
        "authority_codes",
        set_cell("valid_to", "2018-12-31", 27),
        "own code ended in 1 row",
    ),
    "an authority without its own code": (
        "authority_codes",
        lambda frame: frame.iloc[1:],
        "without 1 of the authorities of 2012-15",
    ),
    "over one authority": (
        "authority_codes",
        set_cell("area", "across"),
        "not so and of several in 1 row",
    ),
    "no source title": (
        "budget",
        set_cell("source_title", " "),
        "column source_title: no source in 1 row",
    ),
    "no url": ("evaluations", set_cell("url", ""), "column url: no source in 1 row"),
    "not a url": ("evaluations", set_cell("url", "see file"), "no web address in 1 row"),
    "odd date": ("deflators", set_cell("date", "last year"), "YYYY-MM-DD in 1 row"),
    "odd status": ("unit_costs", set_cell("status", "sure"), "recalled in 1 row"),
    "odd unit": ("budget", set_cell("unit", "guineas"), "unknown unit in 1 row"),
    "odd qualifier": ("budget", set_cell("qualifier", "maybe"), "at most in 1 row"),
    "text for a number": ("budget", set_cell("value", "lots"), "not a number in 1 row"),
    "no value": ("budget", set_cell("value", ""), "empty in 1 row"),
    "half a family": ("progress_national", set_cell("value", "7.5"), "in fractions"),
    "odd measure": ("progress_local", set_cell("figure", "helped"), "share_turned_around in 1 row"),
    "odd month": ("progress_local", set_cell("as_of", "2014-13"), "YYYY-MM in 1 row"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_malformed_table_gives_one_clear_message(edit, fault):
    table, how, message = BROKEN[fault]
    folder = edit(table, how)
    with pytest.raises(DataError) as caught:
        published(table, folder=folder)
    text = str(caught.value)
    assert message in text
    assert text.startswith(f"{table}.csv: ")
    assert text.count("\n") == 0
    assert text.rstrip().endswith(".")


def test_more_turned_around_than_targeted_is_refused(edit):
    def how(frame: pd.DataFrame) -> pd.DataFrame:
        rows = (frame["area"] == "Kent") & (frame["figure"] == "turned_around")
        frame.loc[frame.index[rows][0], "value"] = "2561"
        return frame

    with pytest.raises(DataError, match="more families turned around than targeted in 1 row"):
        published("progress_local", folder=edit("progress_local", how))


def test_faults_of_all_tables_come_together(edit):
    edit("budget", set_cell("value", "-1"))
    folder = edit("tariff", set_cell("status", "sure"))
    with pytest.raises(DataError) as caught:
        check_published(folder)
    assert "budget.csv" in str(caught.value)
    assert "tariff.csv" in str(caught.value)


def test_a_missing_file_and_a_ragged_one_are_said(figures):
    (figures / "budget.csv").unlink()
    with pytest.raises(DataError, match=r"budget\.csv is missing"):
        published("budget", folder=figures)
    path = figures / "tariff.csv"
    path.write_text(path.read_text() + "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r,s\n")
    with pytest.raises(DataError, match="is not a table"):
        published("tariff", folder=figures)


def test_a_recalled_figure_is_shown_but_never_used(edit):
    shown = published("progress_local", unverified=True)
    used = published("progress_local")
    assert (shown["status"] == "recalled").sum() == len(shown) - len(used) > 0
    folder = edit("budget", set_cell("status", "recalled"))
    with pytest.raises(SourceError, match="only recalled, not seen in a source"):
        figure("budget", "phase_one_budget", folder=folder)


def test_conflicting_sources_are_kept_as_a_range():
    cost = figure("benefits_claim_2015", "average_cost_per_family")
    assert (cost.low, cost.high) == (5214, 5493)
    assert len(cost.sources) == 2
    with pytest.raises(SourceError, match=r"Sources disagree .*5,214 and 5,493"):
        _ = cost.value
    assert figure("departments", "departments_contributing").high == 7


def test_unknown_names_get_the_nearest():
    with pytest.raises(SourceError, match="Did you mean budget"):
        published("budgets")
    with pytest.raises(SourceError, match="Did you mean phase_one_budget"):
        figure("budget", "phase_one_budgets")
    with pytest.raises(SourceError, match="not an amount"):
        figure("progress_national", "targeted", period="2012-15").pounds()


def test_a_table_cannot_be_changed_through_its_copy():
    first = published("budget")
    first.loc[:, "value"] = 0
    assert published("budget")["value"].max() > 0


def test_distinct_sources_name_each_once():
    rows = published("deflators")
    found = distinct_sources(rows, rows)
    assert len(found) == len(rows.drop_duplicates(["source_title", "publisher", "date", "url"]))


def test_the_152_authorities():
    rows = published("local_authorities")
    assert len(rows) == 152
    assert rows["region"].nunique() == 9
    assert (rows["region"] == "London").sum() == 33
