"""The table of effects: what it shows, what it hides, how it is cut and put together."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

import tfeval as tf
from tests.impact.simulated import simulated
from tfeval.display.figures import SMALL
from tfeval.display.names import SIMULATED
from tfeval.errors import DataError, ParameterError
from tfeval.impact.effects.effects import COLUMNS, Effects, combine_effects
from tfeval.impact.effects.estimate import estimate
from tfeval.impact.effects.multiple import correct
from tfeval.impact.effects.words import decimals, hidden_rows, label_of, with_interval
from tfeval.impact.matching.match import match
from tfeval.impact.study.study import study

OUTCOMES = ["offences", "custody", "absence", "employment"]
WORDS = {
    "labels": {"offences": "Proven offences", "absence": "Absence"},
    "units": {"offences": "events", "custody": "0 or 1", "absence": "share"},
    "groups": {"offences": "Crime", "custody": "Crime", "absence": "School"},
    "title": "Effects of the programme",
}


def rows(**changes) -> pd.DataFrame:
    effect = np.array([-0.11, -0.0437, -0.002, 8.1])
    error = np.array([0.03, 0.0111, 0.002, 2.9])
    mean = np.array([0.62, 0.0737, 0.093, 95.0])
    frame = pd.DataFrame({
        "outcome": OUTCOMES, "population": "all", "months": 12, "estimand": "ATT",
        "method": "nearest neighbour, caliper 0.2", "errors": "clustered by authority",
        "estimate": effect, "std_error": error,
        "conf_low": effect - 1.96 * error, "conf_high": effect + 1.96 * error,
        "p_value": 2 * norm.sf(abs(effect / error)),
        "relative": effect / mean, "relative_low": (effect - 1.96 * error) / mean,
        "relative_high": (effect + 1.96 * error) / mean,
        "mean_treated": mean + effect, "mean_comparison": mean,
        "sd_comparison": [1.5, 0.2, 0.1, 120],
        "n_treated": 1243, "n_comparison": 1198, "events_treated": [300, 7, 900, 470],
        "events_comparison": [340, 88, 900, 450], "n_missing": 13, "clusters": 150,
        "ess_comparison": 1100.0, "planned": [True, True, True, False],
    })  # fmt: skip
    return frame.assign(**changes)


def effects(frame: pd.DataFrame | None = None, **more) -> Effects:
    frame = rows() if frame is None else frame
    error = frame["std_error"].to_numpy(dtype=float)
    joint = np.outer(error, error) * (0.3 + 0.7 * np.eye(len(error)))
    return Effects(frame, joint, **{"settings": WORDS, "notes": ("From the design.",), **more})


def read(made: Effects) -> list[dict[str, str]]:
    shown = made.table()
    return [
        dict(zip(shown.columns, (cell.text for cell in row), strict=True)) for row in shown.rows
    ]


def cells(made: Effects, outcome: str) -> dict[str, str]:
    return next(row for row in read(made) if row["Outcome"].startswith(outcome))


def test_a_table_has_all_columns_in_order_and_the_input_is_not_changed():
    short = pd.DataFrame({"std_error": [1], "outcome": ["a"], "estimate": [2], "extra": ["x"]},
                         index=[7])  # fmt: skip
    before = short.copy()
    made = Effects(short, np.eye(1))
    assert tuple(made.frame.columns) == (*COLUMNS, "extra") and list(made.frame.index) == [0]
    assert made.frame["planned"].isna().all() and made.frame["method"].tolist() == [""]
    pd.testing.assert_frame_equal(short, before)
    made.to_frame()["estimate"] = 0.0
    assert made.frame["estimate"].tolist() == [2]
    assert "not said" in repr(made) and "Not held to an analysis plan." in repr(made)


@pytest.mark.parametrize(
    ("frame", "joint", "message"),
    [
        (pd.DataFrame({"outcome": ["a"], "estimate": [1.0]}), np.eye(1), "columns std_error"),
        (rows(), np.eye(3), "4 effects need a covariance of 4 by 4"),
        (rows(n_treated="many"), np.eye(4), "n_treated of a table of effects holds numbers"),
    ],
)
def test_a_table_without_what_it_needs_is_refused(frame, joint, message):
    with pytest.raises(DataError, match=message):
        Effects(frame, joint)


def test_a_reader_sees_difference_change_means_families_and_how_they_were_got():
    made = effects()
    shown = cells(made, "Proven offences")
    assert shown == {
        "Group": "Crime", "Outcome": "Proven offences",
        "Difference (95% interval)": "−0.110 (−0.169 to −0.051)",
        "Relative change (95% interval)": "−17.7% (−27.2 to −8.3)", "Mean, treated": "0.510",
        "Mean, comparison": "0.620", "Treated families": "1,245", "Comparison families": "1,200",
        "p": "under 0.001",
    }  # fmt: skip
    shares = cells(made, "Absence")
    assert shares["Difference (95% interval)"] == "−0.20 points (−0.59 to 0.19)"
    assert shares["Mean, comparison"] == "9.30%"
    notes = made.table().notes
    assert "Estimand: ATT, the average effect on the treated." in notes
    assert "Method: nearest neighbour, caliper 0.2." in notes
    assert "Errors: clustered by authority (150 clusters)." in notes
    assert "Left out for want of an outcome: at most 15 families." in notes
    assert notes[-1] == "From the design."
    assert made.table().caption == "Effects of the programme over 12 months"
    assert set(made._repr_mimebundle_()) == {"text/html", "text/plain"}


def test_what_was_not_planned_is_marked():
    made = effects()
    outcomes = [row["Outcome"] for row in read(made)]
    assert (
        outcomes[-1] == "Employment (exploratory)" and sum("expl" in name for name in outcomes) == 1
    )
    assert any(note.startswith("Exploratory:") for note in made.table().notes)
    assert made.plot("own").data["label"].str.contains("exploratory").sum() == 1
    planned = effects(rows(planned=True))
    assert "xploratory" not in repr(planned) and "Not held" not in repr(planned)
    assert "Not held to an analysis plan." in effects(rows(planned=None)).table().notes


def test_simulated_records_are_said_to_be_simulated_on_both():
    made = effects(simulated=True)
    assert made.table().notes[0] == SIMULATED + "."
    assert made.plot("own").title.startswith("Simulated records: ")
    assert SIMULATED not in repr(effects())


def test_adjusted_p_is_shown_once_there_is_one():
    assert "p, adjusted" not in effects().table().columns
    done = correct(effects(), "holm", family="planned")
    assert cells(done, "Absence")["p, adjusted"] == "0.317"
    assert any("Holm" in note and "within each planned" in note for note in done.table().notes)


def arms(**changes) -> pd.DataFrame:
    base = {"n_treated": 200, "n_comparison": 900, "events_treated": 50, "events_comparison": 300,
            "mean_treated": 0.25, "mean_comparison": 0.33}  # fmt: skip
    return pd.DataFrame([{**base, **changes}])


@pytest.mark.parametrize(
    ("changes", "hidden"),
    [
        ({}, False),
        ({"n_treated": 9}, True),
        ({"n_comparison": 9}, True),
        ({"n_treated": 20, "events_treated": 10}, False),
        ({"events_treated": 9}, True),
        ({"events_comparison": 0, "mean_comparison": 0.0}, True),
        ({"events_comparison": 890}, False),
        ({"events_comparison": 891}, True),
        ({"events_treated": 200, "mean_treated": 1.0}, True),  # all of them have it
        ({"events_treated": 200, "mean_treated": 31.5}, False),  # days, never 0
        ({"events_treated": np.nan, "events_comparison": np.nan}, False),
    ],
)
def test_an_effect_that_tells_of_fewer_than_ten_is_hidden(changes, hidden):
    assert hidden_rows(arms(**changes)).tolist() == [hidden]


def test_nothing_of_a_hidden_effect_is_shown_anywhere():
    made = correct(effects(), "holm")
    row = cells(made, "Custody")
    named = ("Group", "Outcome", "Treated families", "Comparison families")
    assert {text for name, text in row.items() if name not in named} == {"hidden"}
    assert any(note.startswith("Hidden:") for note in made.table().notes)
    exact = made.frame.set_index("outcome").loc["custody"]
    assert exact["estimate"] == -0.0437  # kept for computing
    bundle = "".join(made._repr_mimebundle_().values())
    for scale in ("own", "relative", "sd"):
        chart = made.plot(scale)
        bundle += chart.alt + str(chart.content())
        assert not chart.data["label"].str.startswith("Custody").any()
        assert "1 not drawn" in chart.alt
    for number in ("0.0437", "4.37", "0.0737", "7.37", "0.03)", "0.03,", "59.3", "−59"):
        assert number not in bundle.replace("0.0300", "")
    few = effects(rows(n_treated=8))
    assert {row["Treated families"] for row in read(few)} == {"fewer than 10"}
    assert {row["Difference (95% interval)"] for row in read(few)} == {"hidden"}
    with pytest.raises(DataError, match="No effect can be drawn"):
        few.plot()


def test_a_part_keeps_its_covariance():
    made = effects()
    part = made.select(["offences", "employment"])
    assert np.array_equal(part.joint, made.joint[np.ix_([0, 3], [0, 3])])
    assert part.covariance().loc["offences", "employment"] == made.joint[0, 3]
    assert made.select(planned=True, months=12).frame["outcome"].tolist() == OUTCOMES[:3]
    assert made.select(population="all").names == OUTCOMES
    with pytest.raises(ParameterError, match="Did you mean offences"):
        made.select("ofences_12")
    with pytest.raises(ParameterError, match="no column horizon"):
        made.select(horizon=12)
    with pytest.raises(ParameterError, match="months 24"):
        made.select(months=24)
    with pytest.raises(ParameterError, match="No effect has all"):
        effects(rows(months=[6, 12, 12, 12])).select("offences", months=12)


def test_designs_are_stacked_as_independent():
    one = correct(effects(notes=("Same.", "One.")), "holm")
    two = effects(rows(method="weighting"), notes=("Same.", "Two."), simulated=True,
                  settings={"labels": {"custody": "Custody"}})  # fmt: skip
    both = one.combine(two)
    assert np.array_equal(both.joint[:4, :4], one.joint)
    assert np.array_equal(both.joint[4:, 4:], two.joint) and not both.joint[:4, 4:].any()
    assert both.notes[:3] == ("Same.", "One.", "Two.") and both.simulated
    assert both.settings["labels"] == {**WORDS["labels"], "custody": "Custody"}
    assert both.frame["p_adjusted"].isna().all() and "correction" not in both.settings
    assert len(set(both.names)) == 8 and both.names[0].endswith("caliper 0.2")
    assert "Method" in both.table().columns
    assert both.frame.dtypes["n_treated"] == one.frame.dtypes["n_treated"]
    by_design = correct(both, "holm", family="method")
    assert np.allclose(by_design.frame["p_adjusted"][:4], one.frame["p_adjusted"])
    bare = Effects(pd.DataFrame({"outcome": ["a"], "estimate": [1], "std_error": [1]}), np.eye(1))
    assert len(combine_effects([bare, one, bare]).frame) == 6
    with pytest.raises(ParameterError, match="different levels"):
        combine_effects([one, effects(level=0.9)])
    with pytest.raises(ParameterError, match="at least one"):
        combine_effects([])


def test_months_and_missing_plans_of_any_kind_are_taken():
    months = pd.array([12, None, 6, 12], dtype="Int64")
    planned = pd.array([True, None, False, True], dtype="boolean")
    made = effects(rows(months=months, planned=planned))
    assert made.frame["months"].isna().tolist() == [False, True, False, False]
    names = [row["Outcome"] for row in read(made)]
    assert names[0] == "Proven offences, 12 months" and "6 months (exploratory)" in names[2]
    assert made.select(months=6).frame["outcome"].tolist() == ["absence"]
    assert len(made.combine(made.select(months=6)).frame) == 5


def test_a_covariance_without_spread_has_a_correlation():
    frame = rows(std_error=[0.0, 1.0, 2.0, np.nan])
    joint = np.diag([0.0, 1.0, 4.0, np.nan])
    joint[1, 2] = joint[2, 1] = 1.0
    found = Effects(frame, joint).correlation()
    assert np.array_equal(np.diag(found), np.ones(4)) and found[1, 2] == 0.5
    assert np.isfinite(found).all() and found[0, 1] == 0


@pytest.mark.parametrize(
    ("scale", "factor"),
    [("own", [1, 100, 100, 1]), ("sd", 1 / np.array([1.5, 0.2, 0.1, 120]))],
)
def test_a_chart_draws_the_numbers_on_its_scale(scale, factor):
    made = effects(rows(events_treated=100))
    data = made.plot(scale).data.set_index("label")
    exact = made.frame.assign(**{
        name: made.frame[name] * factor for name in ("estimate", "conf_low", "conf_high")
    })  # fmt: skip
    for label, row in (("Proven offences", 0), ("Absence", 2), ("Employment (exploratory)", 3)):
        drawn = data.loc[label, ["value", "low", "high"]].tolist()
        assert drawn == pytest.approx(
            exact.loc[row, ["estimate", "conf_low", "conf_high"]].tolist()
        )


def test_a_chart_s_lines_are_its_data():
    chart = effects().plot("relative")
    drawn = [item for item in chart.figure.axes[0].collections if hasattr(item, "get_segments")]
    lines = [line.get_segments()[0][:, 0].tolist() for line in drawn]
    assert lines == chart.data[["low", "high"]].to_numpy().tolist()
    assert chart.data["value"].tolist() == pytest.approx(
        [100 * -0.11 / 0.62, 100 * -0.002 / 0.093, 100 * 8.1 / 95]
    )
    assert chart.data["group"].tolist() == ["Crime", "School", "Other"]


def test_groups_stay_together_lowest_first():
    both = combine_effects([effects(rows(population=name)) for name in ("girls", "boys")])
    data = both.plot("sd").data
    assert data["group"].tolist() == ["girls"] * 3 + ["boys"] * 3
    assert all(part["value"].is_monotonic_increasing for _, part in data.groupby("group"))
    by_outcome = both.plot("sd", group="outcome").data
    assert by_outcome["label"][0].startswith("Proven offences, ")
    with pytest.raises(ParameterError, match="Did you mean outcome"):
        both.plot(group="outcom")


def test_marks_tell_what_is_left_after_adjusting():
    made = effects(rows(p_value=[0.001, 0.5, 0.04, 0.2], events_treated=100))
    state = made.plot("own").data.set_index("label")["state"]
    assert state["Proven offences"] == state["Absence"] == "after"
    state = correct(made, "holm").plot("own").data.set_index("label")["state"]
    assert state["Proven offences"] == "after" and state["Absence"] == "before"
    assert state["Employment (exploratory)"] == "none"


def test_charts_are_the_same_again_large_enough_to_read_and_in_words():
    chart = correct(effects(), "holm").plot("own", title="What it did")
    assert chart.png() == correct(effects(), "holm").plot("own", title="What it did").png()
    sizes = [text.get_fontsize() for text in chart.figure.findobj(mpl.text.Text) if text.get_text()]
    assert min(sizes) >= SMALL and chart.title == "What it did"
    assert len(chart.figure.axes) == 3  # events, percentage points, and a unit of its own
    assert "below 0: Proven offences −0.110 (−0.169 to −0.051)" in chart.alt


def test_a_scale_that_cannot_be_had_is_refused():
    with pytest.raises(ParameterError, match="no scale log"):
        effects().plot("log")
    with pytest.raises(DataError, match="Try scale='own'"):
        effects(rows(sd_comparison=np.nan)).plot("sd")


def test_areas_are_pooled_from_their_effects():
    frame = pd.concat([rows().iloc[[0]]] * 3).assign(
        population=["Ashby", "Bexhill", "Corby"], estimate=[-0.2, 0.1, 0.0],
        events_treated=[300, 5, 200],
    )  # fmt: skip
    found = effects(frame, simulated=True).pool("offences")
    assert found.frame["hidden"].tolist() == [False, True, False] and found.simulated
    assert found.settings["label"] == "Proven offences" and found.settings["joint"]
    with pytest.raises(ParameterError, match="stands in several rows"):
        effects().pool()


def test_words_and_numbers_as_they_are_read():
    assert label_of("ae_attendances", {}) == "Ae attendances"
    assert label_of("score_12", {}) == "Score 12"
    assert [decimals(error) for error in (0.0, np.nan, 0.099, 0.1, 9.9, 1e-9)] == [3, 3, 3, 2, 1, 6]
    assert with_interval(np.nan, np.nan, 1, 2) == "unknown"
    assert with_interval(1.0, np.nan, 1, 2, "%") == "1.00%"
    lost = effects(rows(relative=np.nan, relative_low=np.nan, relative_high=np.nan))
    assert cells(lost, "Absence")["Relative change (95% interval)"] == "not defined"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"method": "adjusted"}, ""),
        ({"method": "difference"}, "errors are too large"),
        ({"method": "difference", "errors": "pair"}, "errors are too large"),
        ({"errors": "two_way", "cluster": ("few", "many")}, "Two-way errors over 20 clusters"),
        ({"errors": "two_way", "cluster": ("many", "more")}, ""),
    ],
)
def test_errors_that_do_not_cover_say_so(asked, said):
    frame, names = simulated(600)
    frame["outcome"] = frame["x0"] + np.random.default_rng(1).normal(size=600)
    frame = frame.assign(few=frame.index % 20, many=frame.index % 60, more=frame.index // 8)
    design = match(study(frame, covariates=names, cluster=["few", "many", "more"]))
    words = " ".join(estimate(design, frame["outcome"], **asked).notes)
    assert (said in words) if said else "simulations" not in words


def test_a_mean_near_nothing_has_no_relative_interval():
    frame, names = simulated(2_000)
    rng = np.random.default_rng(1)
    frame["near"], frame["far"] = rng.normal(size=2_000) + 0.01, rng.normal(size=2_000) + 5
    design = match(study(frame, covariates=names))
    rows = estimate(design, frame[["near", "far"]]).to_frame().set_index("outcome")
    assert rows.loc["near", ["relative_low", "relative_high"]].isna().all()
    assert -1 < rows.loc["far", "relative_low"] < rows.loc["far", "relative_high"] < 1


@pytest.mark.parametrize(
    "method", ["adjusted", "doubly_robust", "difference", "covariance_adjusted"]
)
def test_where_nobody_compared_has_an_outcome_there_is_no_relative_change(method):
    """What rounding leaves of a mean of nothing made changes of 10 to the 16th in percent."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"on": np.arange(300) < 100, "x": rng.normal(size=300)})
    frame["y"] = np.where(frame["on"], rng.random(300) < 0.3, 0).astype(float)
    study = tf.study(frame, treated="on", covariates="x")
    for design in (tf.match(study), tf.weight(study)):
        row = tf.estimate(design, frame[["y"]], method=method).to_frame().iloc[0]
        assert row["estimate"] == pytest.approx(0.3, abs=0.05)
        assert row[["relative", "relative_low", "relative_high"]].isna().all()
        assert method == "covariance_adjusted" or row["mean_comparison"] == 0
