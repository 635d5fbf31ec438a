"""Counting twice: known overlaps are refused, and what is kept never overlaps."""

from __future__ import annotations

from itertools import chain, combinations

import pytest

import tfeval as tf
from tfeval.errors import DataError, ParameterError
from tfeval.money.monetised import OVERLAPS, check_double_counting, overlap_rules, overlaps
from tfeval.money.unit_costs import unit_costs


def test_rules_name_outcomes_and_components_that_exist():
    rows = set(unit_costs(2014)[["outcome", "component"]].itertuples(index=False, name=None))
    outcomes = {outcome for outcome, _ in rows}
    for rule in OVERLAPS:
        assert {rule.larger, rule.smaller} <= outcomes
        assert rule.whole or (rule.smaller, rule.component) in rows
        assert rule.reason
    assert len(overlap_rules()) == len(set(OVERLAPS)) == len(OVERLAPS)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("looked_after", "protection_plan"),
        ("protection_plan", "in_need"),
        ("jobseekers_allowance", "employment"),
        ("out_of_work", "employment"),
        ("arrest", "offences"),
        ("court_event", "offences"),
        ("custody", "offences"),
    ],
)
def test_overlaps_are_refused_by_default_in_either_order(one, other):
    for pair in ([one, other], [other, one]):
        with pytest.raises(DataError, match="hold the same pounds twice") as caught:
            check_double_counting(pair)
        assert one in str(caught.value)
        assert "on_overlap" in str(caught.value)


def test_without_overlap_everything_is_kept():
    kept = tf.check_double_counting(["looked_after", "asb_incidents", "custody"])
    assert kept["kept"].all()
    assert (kept["because"] == "").all()
    assert len(check_double_counting([])) == 0


def test_the_larger_value_is_kept():
    pair = ["looked_after", "protection_plan"]
    values = {"looked_after": 10.0, "protection_plan": -20.0}
    kept = check_double_counting(pair, "keep_larger", values).set_index("outcome")
    assert kept["kept"].to_dict() == {"looked_after": False, "protection_plan": True}
    assert kept.loc["looked_after", "instead"] == "protection_plan"
    ruled = check_double_counting(pair[::-1], "keep_larger").set_index("outcome")
    assert ruled["kept"].to_dict() == {"looked_after": True, "protection_plan": False}


def test_a_chain_drops_no_more_than_it_must():
    tiers = ["in_need", "protection_plan", "looked_after"]
    kept = check_double_counting(tiers, "keep_larger")
    assert kept.loc[kept["kept"], "outcome"].tolist() == ["looked_after"]
    work = ["employment", "jobseekers_allowance", "out_of_work"]
    kept = check_double_counting(work, "keep_larger")
    assert set(kept.loc[kept["kept"], "outcome"]) == {"out_of_work"}


def test_a_component_goes_and_the_measured_outcome_stays():
    kept = check_double_counting(["custody", "offences"], "keep_larger")
    kept = kept.set_index(["outcome", "component"])["kept"]
    assert kept["custody"].all()
    assert not kept[("offences", "prison")]
    assert kept.drop(("offences", "prison")).all()


def test_a_component_stays_where_its_outcome_was_dropped():
    names = ["first_time_entry", "custody", "offences"]
    kept = check_double_counting(names, "keep_larger", dict.fromkeys(names, 1.0))
    assert set(kept.loc[kept["kept"], "outcome"]) == {"first_time_entry"}
    names = ["looked_after", "in_need", "domestic_abuse"]
    rows = check_double_counting(names, "keep_larger").set_index(["outcome", "component"])
    assert rows.loc[("domestic_abuse", "children's social services"), "instead"] == "looked_after"


def test_what_is_kept_never_overlaps():
    """Every set of up to four outcomes: no two kept rows hold the same pounds."""
    names = sorted(unit_costs(2014)["outcome"].unique())
    pairs = {(r.larger, r.smaller, r.component) for r in OVERLAPS}
    involved = [n for n in names if any(n in (a, b) for a, b, _ in pairs)]
    sets = chain(combinations(involved, 2), list(combinations(involved, 4))[::40])
    for chosen in sets:
        rows = check_double_counting(chosen, "keep_larger")
        kept = set(rows.loc[rows["kept"], ["outcome", "component"]].itertuples(index=False))
        left = {outcome for outcome, _ in kept}
        assert left
        for rule in overlaps(left):
            assert not rule.whole
            assert (rule.smaller, rule.component) not in {tuple(row) for row in kept}


def test_choices_and_values_are_checked():
    with pytest.raises(ParameterError, match="no choice ignore"):
        check_double_counting(["custody"], "ignore")
    with pytest.raises(ParameterError, match="No value of in_need"):
        check_double_counting(["in_need", "looked_after"], "keep_larger", {"looked_after": 1.0})
