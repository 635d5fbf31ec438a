"""What must hold of every appraisal: nothing lost, nothing twice, harms are harms."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import tfeval as tf
from tests.money.appraised import effects_of, price_list
from tests.money.test_independent import PRICED, TIED, random_costs, random_settings
from tfeval.money.unit_costs import unit_costs
from tfeval.programme.outcomes import OUTCOMES, is_more_better

COSTS = unit_costs(2024)
#: Money is added up in another order: to a billionth of what is added.
CLOSE = 1e-9


def plain_settings(rng: np.random.Generator) -> dict:
    """Return settings of every kind, a pound of everybody counting one."""
    asked = random_settings(rng, ["offences"])
    same: dict = {"public_funds": 1.0, "cashable_only": False, "relative_income": None}
    return asked | same | {"horizon": min(asked["horizon"], 4)}


def random_table(rng: np.random.Generator, without: str = "") -> dict[str, float]:
    """Return effects on some outcomes, those of the same pounds among them, gains and harms."""
    some = rng.choice(PRICED, rng.integers(1, 6), replace=False)
    names = sorted({*map(str, some), *map(str, rng.choice(TIED, 3, replace=False))} - {without})
    return {name: float(rng.normal()) for name in names}


def accounts(effects: dict[str, float], costs, asked: dict, **more):
    """Return both accounts of an appraisal."""
    return tf.appraise(effects_of(effects), costs, **asked, **more).accounts().set_index("account")


def size_of(frame) -> float:
    """Return how much is added up, gains and harms alike."""
    return CLOSE * float(frame["benefits"].abs().sum() + frame["costs"].sum() + 1.0)


@pytest.mark.parametrize("seed", range(10))
def test_nothing_is_lost_between_payers_parties_years_lines_and_accounts(seed):
    rng = np.random.default_rng(seed)
    effects, costs, asked = random_table(rng), random_costs(rng), plain_settings(rng)
    found = tf.appraise(effects_of(effects), costs, **asked)
    lines = found.lines
    tolerance = CLOSE * float(lines["present_value"].abs().sum())
    for columns in (["payer"], ["party"], ["year"], ["line"], ["joined"], ["party", "year"]):
        assert found.by(*columns)["net"].sum() == pytest.approx(found.npv, abs=tolerance)
    rows = found.accounts().set_index("account")
    who = found.who().set_index("payer")
    for account in ("fiscal", "social"):
        total = rows.loc[account, "benefits"]
        assert who[account].sum() == pytest.approx(total, abs=tolerance)
        other = tf.appraise(effects_of(effects), costs, **asked | {"perspective": account})
        assert other.npv == pytest.approx(rows.loc[account, "npv"], abs=tolerance)
    # The purse counts the same in both. What the social account has beside it is what parties
    # gain, less what public bodies gain from them.
    public = who["party"] == "taxpayers"
    assert (who.loc[public, "fiscal"] == who.loc[public, "social"]).all()
    frame = tf.appraise(effects_of(effects), costs, **asked | {"perspective": "social"}).lines
    theirs = (frame["party"] != "taxpayers") & (frame["transfer"] != "yes")
    moved = frame[(frame["transfer"] == "yes") & (frame["party"] == "taxpayers")]
    beside = frame.loc[theirs, "present_value"].sum() - moved["present_value"].sum()
    apart = rows.loc["social", "benefits"] - rows.loc["fiscal", "benefits"]
    assert apart == pytest.approx(beside, abs=tolerance)
    # Transfers net to nothing: each, in each year.
    keys = ["year", "joined", "line", "component"]
    both = frame[frame["transfer"] == "yes"].groupby(keys)["undiscounted"].sum()
    assert (both.abs() <= 1e-9 * moved["undiscounted"].abs().max()).all() if len(both) else True


@pytest.mark.parametrize("seed", range(8))
def test_more_days_in_work_never_lower_the_social_value(seed):
    rng = np.random.default_rng(seed)
    effects, costs = random_table(rng), random_costs(rng)
    asked = random_settings(rng, ["employment"])
    asked |= {"relative_income": [None, 0.1, 0.5, 2.0][seed % 4]}
    asked["horizon"], asked["lag"] = min(asked["horizon"], 4), min(asked["lag"], 6)
    worth = [
        accounts(effects | {"employment": days}, costs, asked)
        for days in sorted([0.0, *rng.normal(0, 30, 3)])
    ]
    for fewer, more in itertools.pairwise(worth):
        assert (more["npv"] >= fewer["npv"] - size_of(more)).all()
    if not asked["cashable_only"] and asked["displacement"] < 1:
        assert worth[-1].loc["social", "npv"] > worth[0].loc["social", "npv"]


@pytest.mark.parametrize("outcome", sorted(OUTCOMES))
def test_an_effect_of_nothing_changes_nothing(outcome):
    rng = np.random.default_rng(sum(map(ord, outcome)))
    effects, costs = random_table(rng, outcome), random_costs(rng)
    asked = random_settings(rng, ["offences"])
    without = tf.appraise(effects_of(effects), costs, **asked)
    found = tf.appraise(effects_of(effects | {outcome: 0.0}), costs, **asked)
    for one, other in ((without.accounts(), found.accounts()), (without.who(), found.who())):
        numbers = one.select_dtypes("number").to_numpy()
        same = other.set_index(other.columns[0]).reindex(one[one.columns[0]])
        assert same.select_dtypes("number").to_numpy() == pytest.approx(numbers, rel=1e-12)
        assert len(one) == len(other)


def priced_in(outcome: str, account: str) -> bool:
    """Return whether a unit of it costs anybody of the account anything, transfers netted."""
    rows = COSTS[(COSTS["outcome"] == outcome) & (COSTS["amount"] != 0)]
    if account == "fiscal":
        return bool((rows["party"] == "taxpayers").any())
    return bool((rows["transfer"] == "no").any())


@pytest.mark.parametrize("outcome", PRICED)
def test_a_harm_lowers_value_in_both_accounts_whatever_else_is_valued(outcome):
    rng = np.random.default_rng(sum(map(ord, outcome)))
    way = -1.0 if is_more_better(outcome) else 1.0
    for size in (0.02, 20.0):
        costs, asked = random_costs(rng), plain_settings(rng) | {"displacement": 0.5}
        # Short enough a lag for something to happen within the years counted.
        asked["lag"] = min(asked["lag"], 6)
        alone = accounts({outcome: way * size}, costs, asked)
        others = random_table(rng, outcome)
        before = accounts(others, costs, asked)
        after = accounts(others | {outcome: way * size}, costs, asked)
        for account in ("fiscal", "social"):
            there = priced_in(outcome, account)
            assert (alone.loc[account, "benefits"] < 0) == there
            change = after.loc[account, "benefits"] - before.loc[account, "benefits"]
            # Never more than on its own; and a part of a larger harm is in that harm already.
            assert change <= size_of(after)
            if there and outcome not in TIED:
                assert change == pytest.approx(alone.loc[account, "benefits"], abs=size_of(after))


def test_a_harm_in_arrests_hides_no_harm_to_victims():
    # Once the offences went whole where arrests cost police more: their victims went with them.
    asked = {"families": 1_000, "horizon": 1}
    offences = accounts({"offences": 0.2}, 0.0, asked)
    both = accounts({"offences": 0.2, "arrest": 0.5}, 0.0, asked)
    assert both.loc["social", "npv"] < offences.loc["social", "npv"] < 0


@pytest.mark.parametrize(
    "asked", [{"optimism_bias": {"C": 0.5}}, {"cashable_only": True, "perspective": "fiscal"}]
)
def test_of_the_same_pounds_the_measure_is_kept_that_counts_for_more(asked):
    """Not the one that would if nothing were weighed: then arrests took away worse offences."""
    prices = price_list(
        ("offences", "police", 100.0, "Home Office/police", "no"),
        ("arrest", "police", 100.0, "Home Office/police", "no"),
    ).assign(
        made=["C", "B"], cashable=[1.0, 0.1], cashable_low=[1.0, 0.1], cashable_high=[1.0, 0.1]
    )
    asked = asked | {"families": 1_000, "horizon": 1, "unit_cost_table": prices}
    offences = accounts({"offences": 1.0}, 0.0, asked)["npv"]
    both = accounts({"offences": 1.0, "arrest": 1.2}, 0.0, asked)["npv"]
    assert (both <= offences).all()
    assert (offences < 0).all()


@pytest.mark.parametrize("seed", range(5))
def test_twice_the_families_are_twice_the_benefits_and_order_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    effects, costs = random_table(rng), random_costs(rng)
    asked = random_settings(rng, ["offences"])
    one = accounts(effects, costs, asked)
    twice = {year: 2 * count for year, count in asked["families"].items()}
    two = accounts(effects, costs, asked | {"families": twice})
    assert two["benefits"].to_numpy() == pytest.approx(2 * one["benefits"].to_numpy(), rel=1e-12)
    assert two["costs"].to_numpy() == pytest.approx(one["costs"].to_numpy(), rel=1e-12)
    turned = accounts(dict(reversed(effects.items())), costs[::-1], asked)
    assert turned["npv"].to_numpy() == pytest.approx(one["npv"].to_numpy(), abs=size_of(one))
