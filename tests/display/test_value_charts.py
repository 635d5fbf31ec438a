"""Charts of value: what they draw, what they refuse, the same bytes again."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tfeval.display.value_charts import acceptability_chart, stacked_chart, tornado_chart
from tfeval.errors import ReportError

WORDS = {"title": "What it is worth", "alt": "Chart that shows who gains and who loses, by year."}


def all_charts():
    frame = pd.DataFrame(
        {f"payer {at}": [1.0 + at, -2.0] for at in range(8)}, index=["2012-13", "2013-14"]
    )
    return {
        "stacked": stacked_chart(frame, y_label="£m", **WORDS),
        "acceptability": acceptability_chart(
            [0, 1, 2], {"a": [1, 0.5, 0], "b": [0.2, 0.1, 0.0]}, x_label="£", reference=1, **WORDS
        ),
        "tornado": tornado_chart(["a", "b"], [-1, -5], [2, 4], centre=0.5, **WORDS),
    }


def test_each_chart_draws_the_same_bytes_again():
    again = all_charts()
    for name, chart in all_charts().items():
        assert chart.png()[:8] == b"\x89PNG\r\n\x1a\n"
        assert chart.png() == again[name].png(), name


def test_what_the_charts_hold():
    charts = all_charts()
    stacked = charts["stacked"].data
    assert stacked["Net"].tolist() == [36.0, -16.0]
    assert stacked.columns[0] == "label"
    bars = charts["stacked"].figure.axes[0].patches
    assert len(bars) == 32  # a gain and a loss for each of 8 payers in 2 years
    assert charts["tornado"].data["label"].tolist() == ["b", "a"]  # the widest first
    assert charts["acceptability"].data.columns.tolist() == ["willingness", "a", "b"]


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: stacked_chart(pd.DataFrame(), **WORDS), "at least one bar"),
        (lambda: stacked_chart(pd.DataFrame({"a": [np.nan]}), **WORDS), "no missing values"),
        (lambda: stacked_chart(pd.DataFrame(np.ones((1, 25))), **WORDS), "24 series at most"),
        (lambda: acceptability_chart([0], {}, x_label="£", **WORDS), "1 to 6 curves"),
        (lambda: acceptability_chart([0], {"a": [2]}, x_label="£", **WORDS), "between 0 and 1"),
        (lambda: acceptability_chart([0], {"a": [1, 1]}, x_label="£", **WORDS), "one length"),
        (lambda: tornado_chart(["a"], [1, 2], [3], centre=0, **WORDS), "one length"),
    ],
)
def test_what_cannot_be_drawn_is_refused(draw, message):
    with pytest.raises(ReportError, match=message):
        draw()
