"""Faults of a kind once found, in other cases: labels, double measures, what cannot be."""

from __future__ import annotations

import numpy as np
import pytest

import tfeval as tf
from tests.money.appraised import effects_of
from tfeval.errors import DataError, ParameterError

ASKED = {"families": 1_000, "horizon": 3}
CONVERT = {"unauthorised_absence": ("sessions_unauthorised", 380.0)}


def appraised(effects: dict, cost: float = 1e5, mean: list | None = None, **asked):
    """Return an appraisal of a few effects."""
    means = {} if mean is None else {"mean_comparison": mean}
    return tf.appraise(effects_of(effects, 0.3, **means), cost, **ASKED | asked)


def notes_of(**asked) -> str:
    return " ".join(appraised({"employment": 12.0, "offences": -0.1}, **asked).notes)


def test_what_is_turned_off_or_weighed_is_said_on_every_appraisal():
    assert "Counted is only what public bodies stop spending" in notes_of(cashable_only=True)
    assert "overstated, and harms understated, by 20% of grade B" in notes_of(
        optimism_bias={"B": 0.2}
    )
    assert "others are taken to bear 30%" in notes_of(displacement=0.3)
    assert "a pound of public money counts £1.20" in notes_of(public_funds=1.2)
    assert "a pound of the families counts £2.46" in notes_of(relative_income=0.5)
    plain = notes_of()
    assert not any(words in plain for words in ("overstated", "counts £", "Counted is", "bear"))
    # The weight is of nothing where nothing of the families counts.
    assert "of the families counts" not in notes_of(relative_income=0.5, cashable_only=True)


def test_one_absence_measured_twice_is_counted_once():
    own = appraised({"sessions_unauthorised": -5.0})
    both = {"sessions_unauthorised": -5.0, "unauthorised_absence": -5 / 380}
    found = appraised(both, convert=CONVERT)
    assert found.benefits == pytest.approx(own.benefits)
    left = found.not_monetised().set_index("what").loc["unauthorised_absence"]
    assert (left["kind"], left["instead"]) == ("counted_elsewhere", "sessions_unauthorised")
    alone = appraised({"unauthorised_absence": -5 / 380}, convert=CONVERT)
    assert alone.benefits == pytest.approx(own.benefits)
    with pytest.raises(DataError, match="measure the same"):
        appraised(both, convert=CONVERT, on_overlap="refuse")
    # The errors are those of the effects that are left.
    sizes = {"unauthorised_absence": 0.004, "sessions_unauthorised": 2.0, "offences": 0.05}
    errors = effects_of({name: -size for name, size in sizes.items()}, sizes)
    model = tf.appraise(errors, 1e5, convert=CONVERT, **ASKED).model
    assert np.sqrt(np.diag(model.covariance)).tolist() == pytest.approx([2.0, 0.05])
    # Two that are said to be each other's measure both stay: neither is left.
    swapped = {"offences": ("court_event", 1.0), "court_event": ("offences", 1.0)}
    each = [appraised({name: -0.1}, convert={name: to}).benefits for name, to in swapped.items()]
    found = appraised({"offences": -0.1, "court_event": -0.1}, convert=swapped)
    assert max(each) <= found.benefits <= sum(each) + 1e-6
    # What is named as of other people stays: boys' and girls' days are not the same days.
    people = {"girls": ("custody", 1.0), "boys": ("custody", 1.0)}
    two = appraised({"girls": -0.01, "boys": -0.02}, convert=people)
    assert two.benefits == pytest.approx(appraised({"custody": -0.03}).benefits)


@pytest.mark.parametrize("income", [None, 0.5])
def test_a_break_even_effect_put_in_has_a_value_of_nothing_whichever_way_it_lies(income):
    """With weights a family's allowance counts for more than its cost: more of it is worth more."""
    effects = {"employment": 12.0, "jobseekers_allowance": -9.0, "looked_after": 2.0}
    asked = {"optimism_bias": {"A": 0.1, "B": 0.3, "C": 0.5}, "displacement": 0.4,
             "relative_income": income}  # fmt: skip
    rows = appraised(effects, **asked).break_even().set_index("outcome")
    assert (rows.loc["jobseekers_allowance", "given_others"] > 0) == (income is not None)
    for name, needed in rows["given_others"].items():
        found = appraised(effects | {name: needed}, **asked)
        assert found.npv == pytest.approx(0.0, abs=1e-9 * found.lines["present_value"].abs().sum())


def test_where_nothing_was_spent_no_ratio_is_written():
    found = appraised({"offences": -0.1}, cost=0.0)
    drawn = found.uncertainty(200)
    designs = tf.appraise_designs({"one": found.effects}, 0.0, draws=200, **ASKED)
    shown = [found.table(), found.five_es(), found.five_es(drawn), found.card(drawn),
             drawn.table(), designs.table()]  # fmt: skip
    assert not [text for text in (one.text() for one in shown) if "nan" in text.lower()]
    assert "nothing was spent" in found.five_es().text()
    assert found.costs == 0
    assert str(found.costs) == "0.0"  # and not less than nothing
    with_cost = appraised({"offences": -0.1}, cost=1e4).five_es().text()
    assert "of benefit for each £1; fiscal return" in with_cost


@pytest.mark.parametrize("effects", [{"offences": 0.0}, {"offences": 0.5}])
def test_an_appraisal_in_which_nobody_gains_is_shown(effects):
    found = appraised(effects)
    for kind in ("waterfall", "payers", "tornado"):
        assert "£nan" not in found.plot(kind).alt
    assert "nobody's spending falls" in found.plot("payers").title.lower()
    assert found.card_plot().alt
    assert found.payback_year is None


def test_a_horizon_beyond_another_edition_s_schedule_is_turned_by_those_that_reach():
    last = tf.discount_rates("2018")["to_year"].max()
    for horizon in (int(last) + 1, 60):
        rows = appraised({"offences": -0.1}, horizon=horizon).one_way()
        assert "Discounting" in set(rows["parameter"])


def test_effects_of_two_populations_are_not_multiplied_by_one_number_of_families():
    girls = effects_of({"offences": -0.1}, 0.3, population="girls")
    boys = effects_of({"custody": -0.01}, 0.3, population="boys")
    with pytest.raises(ParameterError, match="several populations"):
        tf.appraise(girls.combine(boys), 1e5, **ASKED)
    assert tf.appraise(girls, 1e5, **ASKED).benefits > 0


def test_an_effect_beyond_what_can_be_is_named():
    assert "Estimated beyond what can be" in " ".join(
        appraised({"offences": -0.6, "custody": -0.01}, mean=[0.5, 0.3]).notes
    )
    assert "Estimated beyond" in " ".join(appraised({"arrest": 0.4}, mean=[0.7]).notes)
    for effects, mean in (({"offences": -0.5}, [0.5]), ({"offences": 9.0}, [0.5]),
                          ({"arrest": 0.3}, [0.7])):  # fmt: skip
        assert "Estimated beyond" not in " ".join(appraised(effects, mean=mean).notes)
    with pytest.raises(ParameterError, match="more than one result a family"):
        appraised({"offences": -0.1, "turned_around": 1.2}, result="turned_around")


def test_a_break_even_beyond_all_families_is_not_possible():
    needed = appraised({"arrest": -0.1}, cost=1e4, mean=[0.5]).break_even().iloc[0]
    assert needed["possible"]
    assert not appraised({"arrest": -0.1}, cost=1e9, mean=[0.5]).break_even()["possible"].iloc[0]


def test_a_harm_never_raises_value_whatever_stands_beside_it():
    beside = {"offences": -0.1, "out_of_work": -9.0, "in_need": -4.0, "first_time_entry": -0.05}
    before = appraised(beside | {"court_event": 0.0, "jobseekers_allowance": 0.0}).benefits
    for harm in ({"court_event": 0.2}, {"jobseekers_allowance": 0.1}, {"protection_plan": 6.0},
                 {"ae_attendances": 0.4}):  # fmt: skip
        whole = beside | {"court_event": 0.0, "jobseekers_allowance": 0.0} | harm
        assert appraised(whole).benefits < before, harm
        name = next(iter(harm))
        assert appraised(beside | {name: 0.0}).benefits == pytest.approx(before), name
