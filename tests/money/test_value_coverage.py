"""Intervals of an appraisal hold the truth as often as they say."""

from __future__ import annotations

import pytest

from tests.money.value_coverage import simulate, simulate_lasting


@pytest.mark.slow(reason="2,000 worlds, each appraised: a coverage is known to half a point")
def test_intervals_of_both_accounts_hold_the_truth_in_95_of_100_worlds():
    found = simulate(worlds=2_000, draws=1_000)
    assert len(found) == 4
    assert found["covered"].between(0.93, 0.97).all(), found.to_string()
    # It is missed on either side alike.
    assert (found["below"] - found["above"]).abs().max() < 0.015, found.to_string()


@pytest.mark.slow(reason="150 worlds, each fitted and appraised")
def test_intervals_are_not_too_narrow_where_what_persists_is_fitted_from_the_same_effects():
    """The two err against each other, for a year seen too large leaves too little for the second.

    Drawn together they have narrower intervals than drawn apart, which hold the truth as often as
    they say; `value_coverage.csv` has more worlds, and effects of other sizes.
    """
    found = simulate_lasting(worlds=150, draws=300).iloc[0]
    assert found["covered"] > 0.91, found
    assert max(found["below"], found["above"]) < 0.07, found
    assert found["correlation"] < 0, found
    assert found["width"] < 0.97, found
