"""2019 rebuilt: every step a number, no step lost, and intervals that say what varies in them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import tfeval as tf
from tfeval.money.evaluation_2019 import fiscal, published_ratios, views
from tfeval.money.rebuilt_2019 import (
    BASES,
    COHORT,
    VARIES,
    cost_of_a_family_2019,
    intervals_2019,
)
from tfeval.report.chapters import evidence, known

HELD = tf.Assumptions()
SCENARIOS = (
    HELD,
    tf.Assumptions(costs="marginal", persistence=0.9, appraisal_years=12, perspective="fiscal"),
    tf.Assumptions(costs="central", persistence=0.0, timing="end", base_year=2011,
                   price_year=2015, green_book_edition="2003"),
)  # fmt: skip


@pytest.fixture(scope="module")
def ladders():
    return {held: tf.rebuilt_2019(held) for held in SCENARIOS}


@pytest.mark.parametrize("held", SCENARIOS)
@pytest.mark.parametrize("account", ["fiscal", "economic"])
def test_steps_add_up_and_multiply_to_the_published_ratio_exactly(ladders, held, account):
    rows = ladders[held]
    rows = rows[rows["account"] == account]
    wanted = published_ratios()[account]
    start = rows["ratio"].iloc[0]
    assert start == pytest.approx(tf.appraise_2019(fiscal(held)).benefit_cost_ratio)
    assert start + rows["change"].iloc[1:].sum() == pytest.approx(wanted, abs=1e-12)
    assert start * rows["times"].iloc[1:].prod() == pytest.approx(wanted, abs=1e-12)
    assert rows["ratio"].iloc[-1] == wanted
    assert rows["basis"].iloc[0] == "ours"
    assert rows["basis"].iloc[-1] == "unexplained"
    assert rows["change"].iloc[1:].notna().all()
    assert set(rows["basis"]) <= set(BASES)


@pytest.mark.parametrize("held", SCENARIOS)
def test_what_was_not_read_adds_nothing_and_lies_within_its_ends(ladders, held):
    rows = ladders[held]
    unread = rows[rows["basis"] == "not_read"]
    assert len(unread) == 2 * 5
    assert (unread["change"] == 0).all()
    assert (unread["low"] <= unread["ratio"] + 1e-12).all()
    assert (unread["ratio"] <= unread["high"] + 1e-12).all()
    assert rows.loc[rows["basis"] != "not_read", ["low", "high"]].isna().all(axis=None)


def test_the_last_known_step_does_not_hang_on_how_the_scenario_counts_costs_or_years(ladders):
    """Costs, years counted, prices and base year are all taken as the evaluation's by then."""
    same = replace(HELD, costs="marginal", appraisal_years=9, price_year=2016, base_year=2013)
    ends = []
    for held in (HELD, same):
        rows = tf.rebuilt_2019(held) if held not in ladders else ladders[held]
        ends.append(rows[rows["account"] == "fiscal"]["ratio"].iloc[-2])
    assert ends[0] == pytest.approx(ends[1])


def test_the_last_known_step_by_hand(ladders):
    """The benefits a family of one cohort, in its own pounds, over £2,300 as spent in its year."""
    held = replace(fiscal(HELD), timing="end", price_year=COHORT, base_year=COHORT)
    one = tf.appraise_2019(replace(held, costs="central"), cohort=COHORT)
    rows = tf.rebuilt_2019(replace(HELD, timing="end"))
    by_hand = one.benefits / one.families / 2_300
    assert rows[rows["account"] == "fiscal"]["ratio"].iloc[-2] == pytest.approx(by_hand)


def test_transfers_are_taken_off_before_value_to_others_is_looked_for(ladders):
    """From the purse's account to everybody's, each other account adds what it gains or loses."""
    rows = ladders[HELD]
    economic = rows[rows["account"] == "economic"]
    others = economic[economic["basis"] == "computed"]["change"].sum()
    made = replace(fiscal(HELD, "central"), price_year=COHORT, base_year=COHORT)
    purse = tf.appraise_2019(made, cohort=COHORT).benefits
    everybody = tf.appraise_2019(replace(made, perspective="social"), cohort=COHORT).benefits
    before = rows[rows["account"] == "fiscal"]["ratio"].iloc[-2]
    assert others == pytest.approx(before * (everybody / purse - 1))
    text = evidence.differences_table(HELD).text()
    assert "less what households lost" in text
    assert "was value to others than public bodies" not in text


def test_the_cost_a_family_is_a_hypothesis_that_the_arithmetic_supports():
    rows = cost_of_a_family_2019().set_index("account")
    assert (rows["a_family"] == 920e6 / 400_000).all()
    assert rows.loc["economic", "families"] == pytest.approx(366e6 / 1.28 / 2_300)
    # The ratio's benefit of a family less its cost, over all of them, is the published net.
    nets = (rows["benefit"] - rows["a_family"]) * rows["families"] / 1e6
    assert nets.to_dict() == pytest.approx({"economic": 366, "fiscal": 147})
    assert "was not read" in known.ratios_table().text()
    assert "Hypothesis" in known.ratios_table().text()


def test_intervals_are_named_and_nest_as_what_varies_grows():
    rows = intervals_2019(HELD, draws=4_000).set_index("varies")
    assert list(rows.index) == list(VARIES)
    for view in views(HELD):
        width = rows[f"{view}_high"] - rows[f"{view}_low"]
        assert width["independent"] < width["worst"]
        assert width["independent"] < width["everything"]
        ratio = tf.appraise_2019(fiscal(HELD, view)).benefit_cost_ratio
        assert rows.loc["independent", f"{view}_low"] < ratio
        assert ratio < rows.loc["independent", f"{view}_high"]
    shown = evidence.benefits_table(HELD).text()
    for words in VARIES.values():
        assert words in shown


def test_with_nothing_else_uncertain_everything_is_the_effects_alone(monkeypatch):
    """Joint draws in which unit costs, persistence, people and costs are held at their values."""
    from tfeval.money import rebuilt_2019 as module

    held = replace(fiscal(HELD), persistence=0.0, appraisal_years=2)  # lasts no further year

    def kept(*given):
        """Return the value of a range, the middle of its three numbers, in each draw."""
        _, value, _ = sorted(float(one) for one in given if np.ndim(one) == 0)
        draws = next(np.shape(one)[-1] for one in given if np.ndim(one) > 0)
        return np.full(draws, value)

    monkeypatch.setattr(module, "split_uniform", kept)
    real = module.appraise

    class Fixed:
        """An appraisal whose draws are those of the effects alone."""

        def __init__(self, found):
            self.model = found.model
            self._found = found

        def uncertainty(self, **asked):
            made = self._found.uncertainty(**asked)
            point = self.model.point()
            drawn = made.drawn.with_(
                amount=np.repeat(point.amount, len(made.drawn), axis=0),
                cost=np.zeros(len(made.drawn)),
            )  # fmt: skip
            return replace(made, drawn=drawn, costs=self.model.cost(drawn.cost))

    monkeypatch.setattr(module, "appraise", lambda *a, **b: Fixed(real(*a, **b)))
    rows = intervals_2019(held, draws=40_000).set_index("varies")
    for name in ("total_low", "total_high"):
        width = rows.loc["independent", "total_high"] - rows.loc["independent", "total_low"]
        assert rows.loc["everything", name] == pytest.approx(
            rows.loc["independent", name], abs=0.02 * width
        )


@pytest.mark.parametrize("account", ["fiscal", "economic"])
def test_the_chart_s_bars_end_where_the_table_does(ladders, account):
    chart = evidence.rebuilt_2019_chart(HELD, account)
    rows = ladders[HELD]
    rows = rows[(rows["account"] == account) & (rows["basis"] != "not_read")]
    bars = chart.data[chart.data["kind"] != "total"]
    assert bars["end"].to_list() == pytest.approx(rows["ratio"].to_list())
    assert chart.data["end"].iloc[-1] == pytest.approx(published_ratios()[account])
    left = rows["change"].iloc[-1]
    assert f"{abs(left):.2f}" in chart.alt


def test_the_table_says_what_is_not_explained_as_a_number(ladders):
    rows = ladders[HELD]
    text = evidence.rebuilt_2019_table(HELD).text()
    for account, ratio in published_ratios().items():
        left = rows[rows["account"] == account]["change"].iloc[-1]
        line = next(line for line in text.splitlines()
                    if "Not explained" in line and f"£{ratio:.2f}" in line)  # fmt: skip
        assert f"{abs(left):.2f}" in line
    assert "theirs was not read" in text
    assert "our hypothesis" in text
