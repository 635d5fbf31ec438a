"""Intervals of an appraisal hold the truth as often as they say."""

from __future__ import annotations

import pytest

from tests.money.value_coverage import simulate


@pytest.mark.slow(reason="2,000 worlds, each appraised: a coverage is known to half a point")
def test_intervals_of_both_accounts_hold_the_truth_in_95_of_100_worlds():
    found = simulate(worlds=2_000, draws=1_000)
    assert len(found) == 4
    assert found["covered"].between(0.93, 0.97).all(), found.to_string()
    # It is missed on either side alike.
    assert (found["below"] - found["above"]).abs().max() < 0.015, found.to_string()
