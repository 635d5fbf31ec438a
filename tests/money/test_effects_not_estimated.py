"""Effects without an estimate or an error: never a zero, never certain, always named."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import tfeval as tf
from tests.money.appraised import OUTCOMES, correlated, effects_of
from tfeval.errors import DataError, ParameterError
from tfeval.impact.effects.effects import Effects
from tfeval.impact.effects.words import status_words
from tfeval.impact.inference.rules import NOT_ESTIMATED
from tfeval.money.additional import results_of
from tfeval.money.monetised import NothingValuedError

COSTS = 2e5
ASKED = {"families": {2012: 600, 2013: 400}, "horizon": 3}
NO_ESTIMATE = ("no_variation", "not_fitted")
#: As `estimate` says it, and as tables from elsewhere do: nothing in `status`.
WAYS = [*NOT_ESTIMATED, ""]


def spoiled(effects: Effects, names: list[str], status: str) -> Effects:
    """Return effects of which some have no error, as `estimate` gives them."""
    frame = effects.to_frame()
    rows = frame["outcome"].isin(list(names)).to_numpy()
    for name in ("std_error", "conf_low", "conf_high", "p_value"):
        frame.loc[rows, name] = np.nan
    if status in NO_ESTIMATE:
        frame.loc[rows, "estimate"] = np.nan
    frame["status"] = np.where(rows, status, "estimated" if status else "")
    joint = effects.joint.copy()
    joint[rows], joint[:, rows] = np.nan, np.nan
    return replace(effects, frame=frame, joint=joint)


def whole() -> Effects:
    return correlated(effects_of(OUTCOMES, 0.5))


def without(effects: Effects, names: list[str]) -> Effects:
    gone = set(names)
    return effects.select([name for name in effects.frame["outcome"] if name not in gone])


@pytest.mark.parametrize("status", WAYS)
def test_an_appraisal_is_as_if_they_were_not_there_and_names_them(status):
    rng = np.random.default_rng(len(status))
    for count in (1, 3, len(OUTCOMES) - 1):
        gone = [str(name) for name in rng.choice(list(OUTCOMES), count, replace=False)]
        effects = spoiled(whole(), gone, status)
        found = tf.appraise(effects, COSTS, **ASKED)
        other = tf.appraise(without(whole(), gone), COSTS, **ASKED)
        pd.testing.assert_frame_equal(found.lines, other.lines)
        pd.testing.assert_frame_equal(found.summary(), other.summary())
        drawn, known = found.uncertainty(500), other.uncertainty(500)
        assert (drawn.npv == known.npv).all()
        assert np.isfinite(drawn.npv).all()
        pd.testing.assert_frame_equal(
            tf.value_of_information(found, drawn, phase="one"),
            tf.value_of_information(other, known, phase="one"),
        )
        pd.testing.assert_frame_equal(found.one_way(), other.one_way())
        pd.testing.assert_frame_equal(found.break_even(), other.break_even())
        pd.testing.assert_frame_equal(found.additional(), other.additional())
        assert found.worst_case() == other.worst_case()
        left = found.not_monetised().set_index("what")
        told = left[left["kind"] == "not_estimated"]
        assert set(told.index) == set(gone)
        assert told["reason"].str.len().gt(20).all()
        if status:
            assert set(told["reason"]) == {status_words(status, "families")}
        rest = left[left["kind"] != "not_estimated"].reset_index()
        pd.testing.assert_frame_equal(rest, other.not_monetised(), check_dtype=False)
        assert f"{count} of {len(OUTCOMES)} outcomes" in found.table().text()


def test_what_may_not_be_shown_is_not_shown_for_want_of_an_error():
    columns = {"events_treated": [50.0, 4.0], "events_comparison": [90.0, 40.0],
               "n_treated": 500.0, "n_comparison": 900.0}  # fmt: skip
    effects = effects_of({"offences": -0.1, "custody": -0.05}, 0.5, **columns)
    found = tf.appraise(spoiled(effects, ["custody"], "few_events"), 1.0, families=1_000)
    left = found.not_monetised().set_index("what")
    assert left.loc["custody", "kind"] == "too_few"
    assert np.isnan(left.loc["custody", "estimate"])
    with pytest.raises(NothingValuedError, match="has an error"):
        tf.appraise(spoiled(effects, ["offences", "custody"], "few_units"), 1.0, families=1_000)


def test_a_result_without_an_error_has_no_cost_each():
    effects = effects_of({"offences": -0.1, "turned_around": 0.1}, 0.5)
    with pytest.raises(ParameterError, match=r"turned_around cannot be costed\. No interval"):
        tf.appraise(
            spoiled(effects, ["turned_around"], "few_clusters"), 1.0, families=1_000,
            result="turned_around",
        )  # fmt: skip


def test_the_workbook_and_the_five_es_tell_them(tmp_path):
    found = tf.appraise(spoiled(whole(), ["custody"], "few_events"), COSTS, **ASKED)
    drawn = found.uncertainty(200)
    assert "No interval" in "".join(found.not_monetised()["reason"])
    found.to_workbook(tmp_path / "value.xlsx", drawn)
    assert "nan" not in found.five_es(drawn).text().lower()
    assert found.plot("tornado").data["at_low"].notna().all()


def test_a_design_under_which_nothing_can_be_valued_is_named_and_no_zero():
    bad = spoiled(whole(), list(OUTCOMES), "few_units")
    part = spoiled(whole(), ["custody", "offences"], "few_events")
    found = tf.appraise_designs(
        {"as chosen": whole(), "waiting": bad, "overlap": part}, COSTS, draws=200, **ASKED
    )
    alone = tf.appraise_designs({"as chosen": whole()}, COSTS, draws=200, **ASKED)
    assert found.frame["design"].tolist() == ["as chosen", "overlap"]
    assert found.frame["npv"].iloc[0] == alone.frame["npv"].iloc[0]
    assert set(found.left_out) == {"waiting"}
    text = found.table().text()
    assert "Not valued: waiting. None of" in text
    assert "not of the same things" in text
    assert "not of the same things" not in alone.table().text()
    assert len(found.plot().data) == 2
    with pytest.raises(NothingValuedError, match="Under none of 1 designs"):
        tf.appraise_designs({"waiting": bad}, COSTS, draws=200, **ASKED)
    # A mistake of the user's is no property of a design.
    with pytest.raises(ParameterError, match="horizon"):
        tf.appraise_designs({"as chosen": whole()}, COSTS, families=100, horizon=0)


def areas(out: tuple[int, ...] = ()) -> tuple[dict, list[str]]:
    names = [f"Area {at}" for at in range(9)]
    made = {}
    for seed, (name, mean) in enumerate({"offences": -0.3, "looked_after": -4.0}.items()):
        rng = np.random.default_rng(seed)
        estimate, error = rng.normal(mean, abs(mean) / 3, 9), np.full(9, abs(mean) / 10)
        error[list(out)] = np.nan
        made[name] = tf.pool_areas(estimate, error, names, n_treated=[200] * 9,
                                   n_comparison=[600] * 9)  # fmt: skip
    return made, names


def test_areas_left_out_are_neither_valued_nor_ranked_and_are_counted():
    made, names = areas((2, 5))
    families = {name: 100.0 + at for at, name in enumerate(names)}
    asked = {"draws": 300, "persistence": 0.5, "horizon": 3}
    found = tf.appraise_areas(made, 9e5, families=families, **asked)
    assert found.left_out == ("Area 2", "Area 5")
    assert set(found.frame["name"]) == set(names) - set(found.left_out)
    assert found.frame["rank_high"].max() <= 7
    assert np.isfinite(found.frame["npv"]).all()
    text = found.table().text()
    assert "2 of 9 areas (Area 2, Area 5)" in text
    # They bear their share of what all areas cost together: the others are charged no more.
    each = found.frame["cost"] / found.frame["families"]
    every = tf.appraise_areas(areas()[0], 9e5, families=families, **asked)
    assert every.left_out == ()
    assert each.to_numpy() == pytest.approx(
        (every.frame["cost"] / every.frame["families"]).iloc[0], rel=0.02
    )
    # As where nobody had ever heard of them, but for the cost.
    kept = {name: count for name, count in families.items() if name not in found.left_out}
    alone = tf.appraise_areas(
        made, 9e5 * sum(kept.values()) / sum(families.values()), families=kept, **asked
    )
    assert alone.frame["npv"].to_numpy() == pytest.approx(found.frame["npv"].to_numpy(), rel=1e-9)


def test_areas_left_out_of_one_outcome_alone_are_left_out():
    made, names = areas()
    made["offences"] = areas((0,))[0]["offences"]
    families = dict.fromkeys(names, 150.0)
    found = tf.appraise_areas(made, 1e5, families=families, draws=200, persistence=0.5)
    assert found.left_out == ("Area 0",)


@pytest.mark.parametrize("status", NOT_ESTIMATED)
def test_results_without_an_interval_are_not_called_additional(status):
    row = pd.DataFrame({"outcome": ["turned_around"], "estimate": [0.1], "std_error": [np.nan],
                        "conf_low": [np.nan], "conf_high": [np.nan], "mean_treated": [0.5],
                        "mean_comparison": [0.4], "relative": [0.25], "relative_low": [np.nan],
                        "relative_high": [np.nan], "status": [status]})  # fmt: skip
    with pytest.raises(DataError) as told:
        results_of(Effects(row, np.array([[np.nan]])), 0.9)
    assert str(told.value) == status_words(status, "families")
    silent = Effects(row.assign(status=""), np.array([[np.nan]]))
    with pytest.raises(DataError, match="error of the effect is not known"):
        results_of(silent, 0.9)
