"""Counting twice: no public pound counts twice, and no harm is lost for it."""

from __future__ import annotations

import numpy as np
import pytest

import tfeval as tf
from tfeval.errors import DataError
from tfeval.money.monetised import counted_once
from tfeval.money.unit_costs import PUBLIC, unit_costs

PAIRS = {frozenset(pair) for pair in tf.same_pounds()[["wider", "narrower"]].to_numpy().tolist()}
TIED = sorted(set().union(*PAIRS))
POLICE, MOJ = "Home Office/police", "MoJ"


def counted(values: dict) -> float:
    """Return what is left of the values."""
    gone = counted_once(values)
    return sum(value for key, value in values.items() if key not in gone)


def at_random(rng: np.random.Generator) -> dict:
    """Return values of the outcomes that are tied, to some payers, gains and harms."""
    return {
        (outcome, payer): float(rng.normal()) * float(rng.choice([0.0, 0.1, 1.0, 10.0]))
        for outcome in TIED
        for payer in (POLICE, MOJ)
        if rng.random() < 0.8
    }


def test_pairs_name_outcomes_that_have_a_price_at_one_payer():
    rows = tf.same_pounds()
    costs = unit_costs(2014)
    costs = costs[costs["payer"].isin(PUBLIC)]
    payers = costs.groupby("outcome")["payer"].agg(set)
    for row in rows.to_dict("records"):
        assert row["reason"]
        assert {row["wider"], row["narrower"]} <= set(payers.index)
    # Police make arrests, and courts hold court events: these two share no payer.
    assert not payers["arrest"] & payers["court_event"]
    assert not rows.duplicated(["wider", "narrower"]).any()


@pytest.mark.parametrize("pair", sorted(map(tuple, map(sorted, PAIRS))))
def test_pairs_are_refused_if_asked_in_either_order(pair):
    for one, other in (pair, pair[::-1]):
        with pytest.raises(DataError, match="measures of the same pounds") as caught:
            counted_once({(one, MOJ): 1.0, (other, POLICE): 0.0}, "refuse")
        assert one in str(caught.value)
        assert "on_overlap" in str(caught.value)


def test_without_a_pair_everything_is_kept():
    values = {("looked_after", "local authority"): 3.0, ("custody", MOJ): 2.0}
    assert counted_once(values) == counted_once(values, "refuse") == counted_once({}) == {}


def test_by_hand():
    # One payer, one way: the larger.
    assert counted({("offences", POLICE): 3.0, ("arrest", POLICE): 5.0}) == 5.0
    assert counted({("offences", POLICE): -3.0, ("arrest", POLICE): -5.0}) == -5.0
    # Apart: both. Another payer's pounds: both.
    assert counted({("offences", POLICE): 3.0, ("arrest", POLICE): -5.0}) == -2.0
    assert counted({("offences", MOJ): 3.0, ("arrest", POLICE): 5.0}) == 8.0
    # A whole of 6 holds parts of 4 and 1: the whole. Of 4 and 3: the parts.
    whole = {("first_time_entry", MOJ): 6.0, ("custody", MOJ): 4.0}
    assert counted(whole | {("offences", MOJ): 1.0}) == 6.0
    assert counted(whole | {("offences", MOJ): 3.0}) == 7.0
    told = counted_once(whole | {("offences", MOJ): 3.0})
    assert list(told) == [("first_time_entry", MOJ)]
    assert told["first_time_entry", MOJ][0] in ("custody", "offences")


def test_what_is_left_never_overlaps_and_what_goes_names_what_is_kept():
    rng = np.random.default_rng(1)
    for _ in range(300):
        values = at_random(rng)
        gone = counted_once(values)
        for (outcome, payer), (instead, reason) in gone.items():
            assert frozenset((outcome, instead)) in PAIRS
            assert (instead, payer) in values
            assert (instead, payer) not in gone
            assert reason
        for payer in (POLICE, MOJ):
            for pair in PAIRS:
                kept = [values.get((name, payer), 0.0) for name in pair
                        if (name, payer) not in gone]  # fmt: skip
                assert len(kept) < 2 or np.prod(kept) <= 0


def test_an_effect_of_nothing_changes_nothing():
    rng = np.random.default_rng(2)
    for _ in range(300):
        values = at_random(rng)
        key = (str(rng.choice(TIED)), str(rng.choice([POLICE, MOJ])))
        without = {name: value for name, value in values.items() if name != key}
        assert counted_once(without | {key: 0.0}) == counted_once(without)


def test_more_is_never_worth_less_and_a_little_more_is_worth_little():
    # A rule of thumb that keeps the larger of each pair in turn fails here: a gain could take
    # away two others that are worth more together.
    rng = np.random.default_rng(3)
    for _ in range(500):
        values = at_random(rng)
        key = (str(rng.choice(TIED)), str(rng.choice([POLICE, MOJ])))
        more = float(rng.exponential(3.0))
        gained = counted(values | {key: values.get(key, 0.0) + more}) - counted(values)
        assert -1e-12 <= gained <= more + 1e-12
