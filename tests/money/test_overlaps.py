"""Counting twice: no public pound counts twice, and no harm is lost for it."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

import tfeval as tf
from tests.money.appraised import effects_of
from tfeval.errors import DataError
from tfeval.money.monetised import counted_once
from tfeval.money.unit_costs import PUBLIC, overlap_of, unit_costs

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


def test_a_first_entry_holds_the_pounds_of_every_payer():
    """Its one row is of police, courts and custody together, whoever is said to bear it."""
    entry = {("first_time_entry", MOJ): 6.0}
    assert counted(entry | {("arrest", POLICE): 4.0}) == 6.0
    assert counted(entry | {("arrest", POLICE): 4.0, ("offences", MOJ): 1.0}) == 6.0
    assert counted(entry | {("arrest", POLICE): 4.0, ("custody_juvenile", MOJ): 3.0}) == 7.0
    assert counted(entry | {("arrest", POLICE): -4.0}) == 2.0  # they move apart
    with pytest.raises(DataError, match="first_time_entry with custody_juvenile"):
        counted_once(entry | {("custody_juvenile", MOJ): 3.0}, "refuse")


@pytest.mark.parametrize("seed", range(40))
def test_what_is_kept_is_worth_most_of_all_sets_without_a_pair(seed):
    """By trying every set."""
    rng = np.random.default_rng(seed)
    keys = [(name, payer) for name in TIED for payer in (POLICE, MOJ)]
    drawn = [keys[at] for at in rng.choice(len(keys), 8, replace=False)]
    values = {key: float(rng.exponential(3.0)) for key in drawn}

    def same(one: tuple, other: tuple) -> bool:
        pair = {one[0], other[0]}
        whole = "first_time_entry" in pair
        return frozenset(pair) in PAIRS and (whole or one[1] == other[1])

    best = max(
        sum(values[key] for key in kept)
        for size in range(len(values) + 1)
        for kept in combinations(values, size)
        if not any(same(*two) for two in combinations(kept, 2))
    )
    assert counted(values) == pytest.approx(best)


def test_prices_that_say_they_are_not_to_be_added_are_pairs_and_no_others():
    """The table of unit costs, row by row, against the registry; each pair from either side."""
    rows = unit_costs(2014)
    shared = rows[rows["overlaps"].str.contains("not to be added")]
    said = {frozenset((row["outcome"], name)) for row in shared.to_dict("records")
            for name in overlap_of(row["overlaps"])[0]}  # fmt: skip
    allowance = frozenset(("out_of_work", "jobseekers_allowance"))
    assert said | {allowance} == PAIRS
    # What is of one code of the database is told apart somewhere.
    coded = rows[rows["code"] != ""].groupby("code")["outcome"].agg(set)
    for names in coded[coded.map(len) > 1]:
        one, other = sorted(names)
        own = rows[rows["outcome"].isin(names) & (rows["own"] < 1)]
        assert frozenset((one, other)) in PAIRS or any(
            set(overlap_of(text)[0]) & names for text in own["overlaps"]
        )
    # Nobody else's hospital care is counted in a price of health without a share of its own.
    health = rows[(rows["component"] == "health") & (rows["outcome"] != "offences")]
    assert (health["own"] < 1).all()


def test_an_appraisal_counts_a_juvenile_s_custody_once():
    effects = effects_of({"first_time_entry": -0.1, "custody_juvenile": -0.01}, 0.5)
    both = tf.appraise(effects, 0.0, families=1_000, perspective="fiscal")
    each = [
        tf.appraise(effects.select([name]), 0.0, families=1_000, perspective="fiscal").benefits
        for name in ("first_time_entry", "custody_juvenile")
    ]
    assert both.benefits == pytest.approx(max(each))
    left = both.not_monetised()
    told = left[left["kind"] == "counted_elsewhere"]
    assert told["what"].tolist() == ["first_time_entry" if each[1] > each[0] else
                                     "custody_juvenile"]  # fmt: skip


def test_convictions_without_offences_lack_their_victims():
    """Their price is of a court; offences have victims of their own."""

    def lacks(*names: str) -> pd.Series:
        effects = effects_of(dict.fromkeys(names, -0.1), 0.5)
        left = tf.appraise(effects, 0.0, families=1_000).not_monetised()
        return left.loc[left["account"] == "social", "what"].str.contains("behind convictions")

    assert lacks("court_event").sum() == lacks("custody_juvenile", "looked_after").sum() == 1
    assert not lacks("court_event", "offences").any()
    assert not lacks("looked_after").any()


def test_what_is_left_never_overlaps_and_what_goes_names_what_is_kept():
    rng = np.random.default_rng(1)
    for _ in range(300):
        values = at_random(rng)
        gone = counted_once(values)
        for (outcome, payer), (instead, reason) in gone.items():
            assert frozenset((outcome, instead)) in PAIRS
            held = [to for to in (POLICE, MOJ) if (instead, to) in values]
            assert any((instead, to) not in gone for to in held)
            assert payer in held or "first_time_entry" in (outcome, instead)
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
