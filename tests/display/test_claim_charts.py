"""Charts of claims: what they draw is what they are given, and they refuse what they cannot."""

from __future__ import annotations

import pandas as pd
import pytest

from tfeval.display.charts import line_chart
from tfeval.display.interval_charts import narrowing_chart, reach_chart
from tfeval.errors import ReportError

ALT = "Bars that narrow from what was claimed to what is left of it."


def test_steps_narrow_with_their_texts_and_intervals():
    chart = narrowing_chart(
        ["Claimed", "Met", "Additional"], [990, 340, 26], ["£3,300 each", "£9,600 each", ""],
        low=[990, 340, -4], high=[990, 340, 57], title="From claims to causes", alt=ALT,
    )  # fmt: skip
    axes = chart.figure.axes[0]
    assert [bar.get_width() for bar in axes.patches] == [990, 340, 26]
    words = [text.get_text() for text in axes.texts]
    assert words == ["990\n£3,300 each", "340\n£9,600 each", "26", "Claimed", "Met", "Additional"]
    assert axes.get_xlim()[0] < -4
    assert chart.data["low"].tolist() == [990, 340, -4]
    assert chart.png().startswith(b"\x89PNG")
    with pytest.raises(ReportError, match="2 texts"):
        narrowing_chart(["a", "b", "c"], [3, 2, 1], ["", ""], title="Steps", alt=ALT)


def test_what_is_seen_stands_beside_what_is_needed():
    chart = reach_chart(
        ["In care", "Work"], [0.6, 2], [1.8, 6], [1.2, 11], [2.7, 25], title="Reach", alt=ALT,
        seen_label="Could be seen", needed_label="Needed to pay",
    )  # fmt: skip
    axes = chart.figure.axes[0]
    assert axes.get_xscale() == "log"
    assert [text.get_text() for text in chart.figure.legends[0].get_texts()] == [
        "Could be seen", "Needed to pay",
    ]  # fmt: skip
    assert chart.data["needed_high"].tolist() == [2.7, 25]
    with pytest.raises(ReportError, match="above 0"):
        reach_chart(["a"], [0], [1], [1], [2], title="Reach", alt=ALT, seen_label="s",
                    needed_label="n")  # fmt: skip


def test_no_effect_is_drawn_beyond_the_most_that_there_can_be():
    words = {"title": "Reach", "alt": ALT, "seen_label": "s", "needed_label": "n"}
    chart = reach_chart(["a", "b"], [0.4, 0.6], [None, 1.8], [None, 1.2], [None, None],
                        most=[0.8, 2.5], most_label="All", **words)  # fmt: skip
    axes = chart.figure.axes[0]
    drawn = [x for line in axes.collections for path in line.get_paths()
             for x in path.vertices[:, 0] if hasattr(line, "get_segments")]  # fmt: skip
    assert max(drawn) <= 2.5
    assert chart.data["most"].tolist() == [0.8, 2.5]
    with pytest.raises(ReportError, match="larger than the most"):
        reach_chart(["a"], [0.4], [1.0], [0.5], [0.6], most=[0.8], **words)
    with pytest.raises(ReportError, match="above 0"):
        reach_chart(["a"], [0.4], [None], [0.5], [0.6], **words)


def test_a_line_chart_marks_a_level():
    frame = pd.DataFrame({"Value": [100.0, -50.0]}, index=[0, 100])
    chart = line_chart(frame, title="Value", alt=ALT, x_label="% anyway", reference=0.0)
    axes = chart.figure.axes[0]
    assert axes.get_xlabel() == "% anyway"
    assert any(set(line.get_ydata()) == {0.0} for line in axes.lines)
