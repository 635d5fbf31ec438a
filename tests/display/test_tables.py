from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup

from tfeval.display.tables import citation, citations, table
from tfeval.errors import ReportError, SourceError

FRAME = pd.DataFrame(
    {
        "Authority": ["Sefton", "<b>Wirral</b>", None],
        "Families": [609, 1234, None],
        "Share": [0.9369, np.nan, 1.0],
        "Year": [2012, 2013, 2014],
        "When": pd.to_datetime(["2015-05-01", None, "2016-12-20"]),
    }
)
SOURCES = pd.DataFrame(
    {
        "source_title": ["HC 711", "HC 711", "From <memory>"],
        "publisher": ["PAC", "PAC", "Someone"],
        "date": ["2016-12-20", "2016-12-20", "2015-05"],
        "url": [
            "https://www.parliament.uk/?a=1&b=2",
            "https://www.parliament.uk/?a=1&b=2",
            "javascript:x",
        ],
        "status": ["read", "read", "recalled"],
    }
)


def soup(made):
    return BeautifulSoup(made.html(), "html.parser")


def cells(made, row):
    return [cell.get_text() for cell in soup(made).tbody.find_all("tr")[row].find_all(["th", "td"])]


def test_structure_is_semantic():
    page = soup(table(FRAME, "Families & shares"))
    assert page.caption.get_text() == "Families & shares"
    assert [th["scope"] for th in page.thead.find_all("th")] == ["col"] * 5
    assert [row.find_all(["th", "td"])[0].name for row in page.tbody.find_all("tr")] == ["th"] * 3
    assert {th["scope"] for th in page.tbody.find_all("th")} == {"row"}
    assert "<b>" not in table(FRAME, "x").html()


def test_values_are_written_for_readers():
    made = table(FRAME, "x", formats={"Share": "{:.0%}"}, missing={"Share": "suppressed"})
    assert cells(made, 0) == ["Sefton", "609", "94%", "2012", "1 May 2015"]
    assert cells(made, 1) == ["<b>Wirral</b>", "1,234", "suppressed", "2013", "not published"]
    assert cells(made, 2)[0] == "not published"
    assert made.kinds == ("text", "number", "number", "number", "text")


def test_numbers_are_aligned_to_the_right():
    page = soup(table(FRAME, "x"))
    assert [th["class"] for th in page.thead.find_all("th")][:2] == [["text"], ["number"]]
    assert "text-align: right" in page.tbody.find("td")["style"]


def test_sources_are_links_once_each_and_only_to_the_web():
    page = soup(table(FRAME, "x", sources=SOURCES, notes="A note."))
    under = page.find(class_="tfeval-under")
    assert [a["href"] for a in under.find_all("a")] == ["https://www.parliament.uk/?a=1&b=2"]
    assert under.get_text().startswith("Sources: HC 711, PAC, 20 December 2016")
    assert "From <memory>, Someone, May 2015, recalled, not checked" in under.get_text()
    assert under.get_text().endswith("A note.")


def test_a_cell_may_hold_a_source_or_several():
    one = SimpleNamespace(title="A", publisher="", date="", url="https://a.uk/", status="read")
    frame = pd.DataFrame(
        {"What": ["x", "y"], "Source": [one, [one, {"title": "B", "url": "https://b.uk/"}]]}
    )
    assert [a["href"] for a in soup(table(frame, "x")).find_all("a")] == [
        "https://a.uk/", "https://a.uk/", "https://b.uk/"]  # fmt: skip


def test_an_index_becomes_row_headers():
    frame = FRAME.set_index(["Authority", "Year"])[["Families"]]
    made = table(frame, "x", index=True)
    assert made.columns == ("Authority", "Year", "Families") and made.headers == 2
    assert len(soup(made).tbody.find("tr").find_all("th")) == 2


def test_the_frame_is_left_as_it_was_and_the_html_is_the_same_again():
    before = FRAME.copy(deep=True)
    assert table(FRAME, "x").html() == table(FRAME, "x").html()
    pd.testing.assert_frame_equal(FRAME, before)
    assert set(table(FRAME, "x")._repr_mimebundle_()) == {"text/html", "text/plain"}


def test_what_cannot_be_shown_is_refused():
    with pytest.raises(ReportError, match=r"no column Shares to format. Did you mean Share\?"):
        table(FRAME, "x", formats={"Shares": "{}"})
    with pytest.raises(ReportError, match="caption"):
        table(FRAME, " ")
    with pytest.raises(ReportError, match="format of column Authority"):
        table(FRAME, "x", formats={"Authority": "{:,.0f}"})
    with pytest.raises(SourceError, match="no title"):
        citation({"url": "https://a.uk/"})


def test_an_empty_table_still_shows_its_headings():
    assert "(no rows)" in table(FRAME.iloc[:0], "x").text()
    assert len(soup(table(FRAME.iloc[:0], "x")).thead.find_all("th")) == 5


def test_one_source_alone_is_enough():
    assert [item.title for item in citations("HC 711")] == ["HC 711"]
    assert citations(None) == ()
    assert len(citations(SOURCES.iloc[0])) == 1
