"""Drawings whose shapes are held apart while a page is put in order."""

from __future__ import annotations

import pytest

from tfeval.display.canvas import Remembers, canvas_of
from tfeval.display.charts import bar_chart, waterfall_chart
from tfeval.report.drawings import Drawings
from tfeval.report.finish import finish


def finished(drawn: str) -> str:
    return finish(f"<html><body><main><h1>T</h1>{drawn}</main></body></html>", "T")


@pytest.fixture(scope="module")
def own() -> list[str]:
    """Two drawings of our own, with hatches, signs, days and what is escaped."""
    alt = "Bars of three, one of them below nought."
    bars = bar_chart(["A & B", "2014-03-01", "C < D"], [-3.0, 2.0, 1.5], title="Bars", alt=alt)
    steps = waterfall_chart(["Costs", "Offences"], [-5.0, 9.0], title="Steps", alt=alt)
    return [bars.svg(), steps.svg()]


def test_shapes_held_apart_are_written_as_if_they_had_been_read(own, monkeypatch):
    drawings = Drawings(str)
    assert len(drawings.hold("".join(own))) < len("".join(own)) / 2
    held = finished("".join(own))
    monkeypatch.setattr(Drawings, "hold", lambda _, html: html)
    assert finished("".join(own)) == held
    assert "url(#figure2-" in held and "1 March 2014" in held and "A &amp; B" in held


@pytest.mark.parametrize("foreign", [
    '<path d="M0 0" onclick="x()"/>', '<path d="M0 0" style="x"/>', "<script>x</script>",
    '<text x="1" href="http://a.b/">a</text>', '<path fill="url(http://a.b/c)" d="M0 0"/>',
    '<text x="1"><a href="http://a.b">a</a></text>', '<image href="http://a.b/c.png"/>',
    '<text x="1">&nbsp;</text>', '<path d="M0 0" id="main"/>',
])  # fmt: skip
def test_what_is_not_as_we_write_it_is_read_and_cleaned(own, foreign, monkeypatch):
    drawn = own[0].replace("</svg>", f"{foreign}\n</svg>")
    assert Drawings(str).hold(drawn) == drawn
    made = finished(drawn)
    assert "http" not in made.replace("http://www.w3.org/2000/svg", "") and "onclick" not in made
    assert "script" not in made and "style=" not in made


def test_the_height_of_a_font_is_what_matplotlib_works_out(own, monkeypatch):
    alt = "Bars of three, one of them below nought."

    def places() -> list[tuple[float, ...]]:
        figure = bar_chart(["A\nB", "C"], [1.0, 2.0], title="Bars", alt=alt).figure
        renderer = canvas_of(figure).get_renderer()
        return [one.get_window_extent(renderer).bounds for one in figure.axes[0].texts]

    told = places()
    monkeypatch.delattr(Remembers, "_get_font_height_metrics")
    assert places() == told
