"""What readers see of an appraisal: tables and charts; nothing of small numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import tfeval as tf
from tests.money.appraised import CRIME, PLAIN, correlated, effects_of, whole
from tfeval.display.words import amount
from tfeval.errors import DataError, ParameterError


def test_effects_of_too_few_are_not_valued_and_their_size_is_not_told():
    small = {"events_treated": [50.0, 4.0], "events_comparison": [90.0, 40.0],
             "n_treated": 500.0, "n_comparison": 900.0}  # fmt: skip
    effects = effects_of({"offences": -0.1234, "custody": -0.0567}, **small)
    found = tf.appraise(effects, 1.0, families=1_000)
    assert found.model.outcomes == ("offences",)
    assert "1 of 2 outcomes" in found.table().text()
    left = found.not_monetised().set_index("what")
    assert left.loc["custody", "kind"] == "too_few"
    assert np.isnan(left.loc["custody", "estimate"])
    assert list(found.additional()["outcome"]) == ["offences"]
    with pytest.raises(DataError, match="nothing can be appraised that may be shown"):
        tf.appraise(effects.select("custody"), 1.0, families=1_000)
    with pytest.raises(ParameterError, match="no effect on custody"):
        tf.appraise(effects, 1.0, families=1_000, result="custody")


def test_tables_say_what_an_appraisal_says():
    effects = effects_of({"offences": -0.2, "turned_around": 0.05}, 0.3)
    found = tf.appraise(
        effects, 20_000, families=1_000, horizon=3, claims=800, result="turned_around",
        unit_cost_table=CRIME, **PLAIN,
    )  # fmt: skip
    text = found.table().text()
    assert "£31,500" in text
    assert "£2.57" in text
    assert "2012-13" in text  # payback
    drawn = found.uncertainty(draws=500)
    assert "500 joint draws" in drawn.table().text()
    five = found.five_es(drawn).text()
    for part in ("£20 for each of 1,000 families", "£25 for each of 800 results claimed",
                 "Additional results: 50, at £400 each"):  # fmt: skip
        assert part in five
    assert "score" not in five.lower()
    assert "never" in tf.appraise(effects, 1e9, families=1_000).table().text()


def test_simulated_records_are_said_to_be_so_everywhere():
    found = whole(horizon=2)
    simulated = replace(found, simulated=True)
    drawn = simulated.uncertainty(draws=200)
    for shown in (simulated.table(), simulated.five_es(), drawn.table()):
        assert "Simulated records" in shown.caption
        assert "Simulated records: not findings" in shown.notes[0]
    for kind in ("waterfall", "payers", "tornado"):
        assert simulated.plot(kind).title.startswith("Simulated records")
        assert not found.plot(kind).title.startswith("Simulated")
    assert drawn.plot().title.startswith("Simulated records")


def test_charts_draw_what_an_appraisal_says():
    found = whole(horizon=3)
    fall = found.plot().data.set_index("label")["value"]
    assert fall["Net present value"] == pytest.approx(found.npv / 1e6)
    years = found.plot("payers").data
    assert years["Net"].sum() == pytest.approx(found.benefits / 1e6)
    widest = found.one_way()["swing"].max()
    tornado = found.plot("tornado").data.iloc[0]
    assert abs(tornado["at_high"] - tornado["at_low"]) == pytest.approx(widest / 1e6)
    drawn = found.uncertainty(draws=300)
    curve = drawn.plot().data
    assert curve["Worth it"].is_monotonic_decreasing
    assert drawn.plot("offences", most=100.0).data["willingness"].max() == 100.0
    with pytest.raises(ParameterError, match="no plot pie"):
        found.plot("pie")


def test_amounts():
    written = [amount(float("nan"), "year"), amount(2012.0, "year"), amount(-0.5, "£ for each £1")]
    assert written == ["never", "2012-13", "\N{MINUS SIGN}\N{WORD JOINER}£0.50"]


def test_designs_are_appraised_alike():
    effects = correlated(effects_of({"offences": -0.2, "custody": -0.001}, 0.5))
    asked = {"families": 1_000, "horizon": 2, "persistence": 0.5}
    weaker = replace(effects, frame=effects.frame.assign(estimate=effects.frame["estimate"] / 10))
    found = tf.appraise_designs({"one": effects, "two": weaker}, 100_000, draws=500, **asked)
    alone = tf.appraise(effects, 100_000, **asked)
    row = found.frame.set_index("design").loc["one"]
    assert row["npv"] == pytest.approx(alone.npv)
    assert (row["low"], row["high"]) == alone.uncertainty(draws=500).interval()
    assert found.range == (found.frame["npv"].min(), found.frame["npv"].max())
    assert found.same_sign == (len(set(found.frame["npv"] >= 0)) == 1)
    assert "under each design" in found.table().text()
    assert len(found.plot().data) == 2
    with pytest.raises(ParameterError, match="at least one design"):
        tf.appraise_designs({}, 1.0, families=10)
