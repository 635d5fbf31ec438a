from __future__ import annotations

import json
from dataclasses import FrozenInstanceError

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from tests.display.text_boxes import faults_of
from tfeval.display.charts import bar_chart, line_chart, waterfall_chart
from tfeval.display.figures import CHART_MIME, Chart
from tfeval.display.interval_charts import funnel_plot, range_chart
from tfeval.errors import ReportError

ALT = "Bar chart that shows how far apart two numbers are."
WORDS = {"title": "How far apart", "alt": ALT}
DATES = pd.to_datetime(["2013-05-01", "2014-05-01", "2015-05-01"])


def all_charts():
    at = np.linspace(50, 3000, 20)
    band = (0.9 - 1 / np.sqrt(at), 0.9 + 1 / np.sqrt(at))
    series = pd.DataFrame({"x": [1, 2, 3], "y": [np.nan, 3, 3]}, index=DATES)
    funnel = {"centre": 0.9, "limit_sizes": at, "limits": {"95%": band}}
    source = {"title": "HC 711", "url": "https://www.parliament.uk/"}
    return {
        "bar": bar_chart(["a", "b"], [1, np.nan], highlight="a", sources=source, **WORDS),
        "error": bar_chart(["a", "b"], [1, -2], low=[0, -3], high=[2, -1], **WORDS),
        "line": line_chart(series, **WORDS),
        "waterfall": waterfall_chart(["a", "b"], [300, 200.0], total=448, **WORDS),
        "funnel": funnel_plot([100, 2000], [1.0, 0.9], names=["Sefton", "B"], label=["Sefton"],
                              **funnel, **WORDS),
        "hollow": funnel_plot([100, 2000], [1.0, 0.9], exact=[True, False], **funnel, **WORDS),
        "range": range_chart(["a", "b"], [1, 2], [3, 2], reference=2, **WORDS),
    }  # fmt: skip


@pytest.fixture(scope="module")
def charts():
    return all_charts()


def test_each_chart_draws_the_same_bytes_again(charts):
    again = all_charts()
    for name, chart in charts.items():
        assert chart.png()[:8] == b"\x89PNG\r\n\x1a\n"
        assert chart.png() == again[name].png(), name
        assert chart.svg() == again[name].svg(), name


def test_nothing_is_left_changed_and_a_user_s_settings_change_nothing(charts):
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red"}):
        before = dict(mpl.rcParams)
        assert (
            bar_chart(["a", "b"], [1, np.nan], highlight="a", **WORDS).png() == charts["bar"].png()
        )
        assert dict(mpl.rcParams) == before


def test_a_bundle_holds_picture_words_and_data(charts):
    data, metadata = charts["bar"]._repr_mimebundle_()
    assert metadata["image/png"]["alt"] == ALT
    assert data[CHART_MIME]["data"] == {
        "columns": ["label", "value"],
        "rows": [["a", 1.0], ["b", None]],
    }
    assert data[CHART_MIME]["sources"][0]["url"] == "https://www.parliament.uk/"
    assert "Source: HC 711" in data["text/plain"]
    json.dumps(data[CHART_MIME], allow_nan=False)


def test_data_are_rounded_and_dates_are_iso(charts):
    drawn = bar_chart(["a"], [1 / 3], **WORDS).content()["data"]["rows"]
    assert drawn == [["a", 0.333333]]
    assert charts["line"].content()["data"]["rows"][0] == ["2013-05-01", 1, None]


def test_words_can_be_read_and_do_not_touch(charts):
    for name, chart in charts.items():
        assert faults_of(chart.svg()) == [], name


def test_drawn_bars_are_the_data(charts):
    widths = [patch.get_width() for patch in charts["error"].figure.axes[0].patches]
    assert widths == [1, -2]


def test_a_waterfall_always_adds_up(charts):
    data = charts["waterfall"].data.set_index("label")
    assert data.loc["Not explained", "value"] == pytest.approx(448 - 500)
    assert data.loc["Total", "value"] == pytest.approx(448)
    assert np.allclose(data["end"] - data["start"], data["value"])
    assert np.allclose(data["start"].iloc[1:-1], data["end"].iloc[:-2])
    alone = waterfall_chart(["a", "b"], [1, 2], **WORDS).data
    assert list(alone["label"]) == ["a", "b", "Total"] and alone["value"].iloc[-1] == 3


def test_no_series_is_told_by_colour_alone(charts):
    lines = charts["line"].figure.axes[0].get_lines()
    looks = [line.get_marker() for line in lines if line.get_marker() not in ("", "None")]
    assert len(set(looks)) == len(looks) == 2


@pytest.mark.parametrize("alt", ["", "short", "How far apart    ", "A chart with a long title."])
def test_alt_text_is_demanded_before_anything_is_drawn(alt):
    title = "A chart with a long title" if alt.startswith("A chart") else "How far apart"
    with pytest.raises(ReportError, match="alt text"):
        bar_chart(["a"], [1], title=title, alt=alt)
    with pytest.raises(ReportError, match="alt text"):
        Chart(None, title, alt, pd.DataFrame())


def test_a_chart_cannot_be_changed(charts):
    with pytest.raises(FrozenInstanceError):
        charts["bar"].title = "x"


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: bar_chart(["a", "b"], [1], **WORDS), "label 2, value 1"),
        (lambda: bar_chart([], [], **WORDS), "at least 1"),
        (lambda: bar_chart(["a"], [1], low=[0], **WORDS), "both low and high"),
        (lambda: bar_chart(["a"], [5], low=[0], high=[1], **WORDS), "outside its range"),
        (lambda: bar_chart(["a"], [1], highlight="b", **WORDS), "no bar b"),
        (lambda: range_chart(["a"], [2], [1], **WORDS), "low end above"),
        (lambda: line_chart(pd.DataFrame(), **WORDS), "1 to 6 series"),
        (lambda: funnel_plot([1], [2], centre=1, limit_sizes=[], limits={}, **WORDS), "between 0"),
        (lambda: funnel_plot([1], [1], centre=1, limit_sizes=[], limits={}, label=["x"], **WORDS),
         "no unit x"),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_is_refused(draw, message):
    with pytest.raises(ReportError, match=message):
        draw()
