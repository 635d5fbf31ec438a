"""Small numbers stay in: counts and means."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from tfeval.display.tables import BASE, THRESHOLD, safe_count, safe_mean


@given(st.integers(0, 10_000))
def test_a_count_shows_nothing_finer_than_five_and_nothing_below_ten(count):
    text = safe_count(count)
    if count < THRESHOLD:
        assert text == "fewer than 10"
    else:
        shown = int(text.replace(",", ""))
        assert shown % BASE == 0
        assert abs(shown - count) <= BASE / 2


@given(st.integers(0, 60), st.integers(0, 60))
def test_a_mean_of_a_rare_event_is_hidden(having, lacking):
    values = pd.Series([1.0] * having + [0.0] * lacking + [np.nan] * 5)
    hidden = safe_mean(values) == "hidden"
    assert hidden == (having + lacking < 10 or having < 10 or 0 < lacking < 10)
