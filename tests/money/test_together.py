"""Effects, and what is left of them by the same records, err together and are drawn together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import tfeval as tf
from tests.money import independent
from tests.money.sheets import read_workbook
from tests.money.test_decay import covariance, effects, expected
from tests.money.value_coverage import DRAWN, TABLE
from tfeval.money.information import expected_given, years_given
from tfeval.money.persistence import Persistence, normal_moments

NAMES = ("offences", "out_of_work", "in_need")
ASKED = {"families": {2012: 300, 2013: 500}, "horizon": 4, "optimism_bias": 0.2, "lag": 5}
COSTS = pd.DataFrame({"year": ["2012-13"], "amount": [4e5], "price_year": ["2012-13"],
                      "low": [3e5], "high": [6e5]})  # fmt: skip


def windows(seed: int = 1) -> tf.Effects:
    """Return effects over three windows whose errors go together."""
    rng = np.random.default_rng(seed)
    joint = covariance(3, together=0.4) * np.outer(*[np.repeat([0.05, 4.0, 2.0], 3)] * 2)
    values = expected([-0.15, -9.0, 3.0], 0.5) + rng.multivariate_normal(np.zeros(9), joint)
    return effects(values, joint, names=NAMES)


def appraised(seed: int = 1, persistence=(0.5, 0.1, 0.9), **asked) -> tuple[tf.Decay, tf.Appraisal]:
    """Return what persists by the windows, and the appraisal of the effects of twelve months."""
    held = windows(seed)
    lasting = tf.decay(held, persistence=persistence)
    return lasting, tf.appraise(held, COSTS, months=12, persistence=lasting, **ASKED | asked)


@pytest.fixture(scope="module")
def found() -> tf.Appraisal:
    return appraised()[1]


@pytest.mark.parametrize(("seed", "given"), [(1, (0.5, 0.1, 0.9)), (2, (0.6, 0.0, 1.0))])
def test_the_second_calculation_has_the_same_value_and_ties(seed, given):
    _, found = appraised(seed, given)
    held = windows(seed)
    own = independent.lasting(held.frame, held.joint, given)
    frame = held.select(months=12).to_frame()
    other = independent.pieces(frame, COSTS, persistence=own, **ASKED)
    ties = [own.together(name, 12, 4) for name in found.model.outcomes]
    assert found.model.together == pytest.approx(np.array(ties), rel=2e-3, abs=1e-6)
    accounts = found.accounts().set_index("account")
    size = float(np.abs(other.who()).to_numpy().sum())
    assert accounts["npv"].to_dict() == pytest.approx(other.accounts()["npv"].to_dict(),
                                                      abs=2e-5 * size)  # fmt: skip
    apart = replace(found.model, tie=np.zeros(3))
    alone = apart.value(apart.point(), "social")[0]
    assert abs(alone - accounts.loc["social", "npv"]) > 1e-3 * size  # there is something to find


def test_ties_are_the_covariance_of_estimates_over_repeated_records():
    # Far from the ends of the prior, and known well: there the fit is linear in what is seen.
    joint = covariance(2) * 0.01
    truth, root = expected([4.0, -3.0], 0.5), np.linalg.cholesky(joint)
    rng, seen, shares, ties = np.random.default_rng(3), [], [], []
    for _ in range(250):
        values = truth + root @ rng.normal(size=6)
        lasting = tf.decay(effects(values, joint), persistence=(0.5, 0.0, 1.0))
        seen.append(values[[0, 3]])
        shares.append(lasting.mean)
        ties.append(lasting.together["covariance"].to_numpy())
    off = np.array(seen) - truth[[0, 3]]
    known = (off * (np.array(shares) - 0.5)[:, None]).mean(axis=0)
    spread = (off * (np.array(shares) - 0.5)[:, None]).std(axis=0) / np.sqrt(250)
    assert (np.abs(np.mean(ties, axis=0) - known) < 4 * spread).all()
    assert np.mean(ties, axis=0)[0] < -4 * spread[0]  # a year seen too large leaves too little
    assert np.mean(ties, axis=0)[1] > 3 * spread[1]


def test_draws_have_what_is_expected_and_each_margin_is_as_it_was(found):
    drawn = found.uncertainty(draws=60_000)
    model, held = found.model, drawn.drawn
    error = drawn.npv.std() / np.sqrt(60_000)
    assert abs(drawn.npv.mean() - found.npv) < 4 * error
    assert found.npv == pytest.approx(float(model.value(model.point())[0]), rel=1e-12)
    whole = np.einsum("dk,dn->kn", held.effect, held.powers[:, 0]) / 60_000
    means = model.estimate[:, None] * model.point().powers[0] + model.together
    spread = (held.effect[:, :, None] * held.powers[:, 0][:, None, :]).std(axis=0)
    assert (np.abs(whole - means) <= 4 * spread / np.sqrt(60_000) + 1e-12).all()
    assert np.cov(held.effect.T) == pytest.approx(model.covariance, rel=0.05, abs=0.02)
    lasting = model.persistence[0]
    share = held.powers[:, 0, 1]
    assert np.quantile(share, [0.1, 0.5, 0.9]) == pytest.approx(
        lasting.quantile(np.array([0.1, 0.5, 0.9])), abs=0.01
    )


def test_every_pound_stays_in_its_place(found):
    for columns in (("payer",), ("year",), ("line",), ("term",)):
        assert found.by(*columns)["net"].sum() == pytest.approx(found.npv, rel=1e-9)
    lines = found.lines.query("kind == 'benefit'")
    made = lines["effect"] * lines["families"] * lines["profile"] * lines["scale"]
    assert lines["quantity"].to_numpy() == pytest.approx(made.to_numpy(), rel=1e-12)
    assert set(lines["term"]) == {"mean", "together"}
    both = found.who()[["fiscal", "social"]].sum().to_numpy()
    assert both == pytest.approx(found.accounts()["benefits"].to_numpy(), rel=1e-9)
    net = found.model.benefits(found.model.point())[0].sum(axis=1) @ found.model.discount
    assert net == pytest.approx(found.benefits, rel=1e-9)
    assert any("drawn together" in note for note in found.notes)


def test_what_is_expected_given_effects_or_persistence_is_as_regressions_have_it(found):
    drawn = found.uncertainty(draws=60_000)
    known = expected_given(found.model, drawn.drawn)
    assert all(np.mean(values) == pytest.approx(drawn.npv.mean(), abs=4 * drawn.npv.std() / 245)
               for values in known.values())  # fmt: skip
    x = np.c_[np.ones(60_000), (drawn.drawn.effect - found.model.estimate)
              / found.model.std_error]  # fmt: skip
    x = np.c_[x, x[:, 1:] ** 2, x[:, 1] * x[:, 2], x[:, 1] * x[:, 3], x[:, 2] * x[:, 3]]
    line = x @ np.linalg.lstsq(x, drawn.npv, rcond=None)[0]
    assert np.corrcoef(line, known["effects"])[0, 1] > 0.995
    share = drawn.drawn.powers[:, 0, 1]
    curve = np.polynomial.Polynomial.fit(share, drawn.npv, deg=5)(share)
    assert np.corrcoef(curve, known["persistence"])[0, 1] > 0.99
    flat = replace(found.model, tie=np.zeros(3))
    same = years_given(flat, drawn.drawn.effect[:5])
    assert same == pytest.approx(np.repeat(flat.years_of(flat.point().powers), 5, axis=0), rel=1e-3)


def test_other_effects_are_not_tied_and_a_part_ties_the_whole_by_its_variance():
    held = windows()
    lasting, part = (tf.decay(held, persistence=(0.5, 0.1, 0.9), part=part)
                     for part in (False, True))  # fmt: skip
    first = held.select(months=12).to_frame()
    row = first.iloc[0]
    whole = lasting.tie("offences", 12, row["estimate"], row["std_error"])
    assert whole != 0
    assert lasting.tie("offences", 12, row["estimate"] + 0.01, row["std_error"]) == 0
    assert lasting.tie("offences", 18, row["estimate"], row["std_error"]) == 0
    assert lasting.tie("arrest", 12, row["estimate"], row["std_error"]) == 0
    some = part.tie("offences", 12, row["estimate"] + 0.01, row["std_error"] * 0.8)
    assert some == pytest.approx(0.64 * whole)
    assert part.tie("offences", 12, 0.0, row["std_error"] * 3) == pytest.approx(whole)
    other = tf.Effects(first.assign(estimate=first["estimate"] + 1), held.select(months=12).joint)
    apart = tf.appraise(other, COSTS, persistence=lasting, **ASKED)
    assert not apart.model.tie.any()
    assert apart.uncertainty(draws=100).drawn.normal is None


def test_a_share_that_is_given_goes_with_no_effect(found):
    turned = found.switching_values().set_index("parameter")
    assert turned.loc["all effects", "switches_at"] == pytest.approx(found.costs / found.benefits)
    point = found.model.point()
    assert point.with_(powers=found.model.powers([0.3])).together is None
    assert point.with_(cost=np.ones(1)).together is not None
    assert normal_moments(Persistence(0.4, 0.4, 0.4), 2) == pytest.approx([0, 0, 0], abs=1e-12)


def test_the_workbook_calculates_what_the_page_says(found, tmp_path):
    sheets = read_workbook(found.to_workbook(tmp_path / "value.xlsx"))
    rows = {row["Measure"].value: row for row in sheets["Summary"].table}
    assert rows["Net present value"]["Social account"].value == pytest.approx(found.npv, abs=0.01)
    lines = sheets["Lines"].table
    worth = sum(row["Present value, social account, pounds"].value for row in lines)
    assert worth == pytest.approx(found.benefits, abs=0.01)
    assert {row["Profile"].value for row in lines} >= {"Profile 1", "Together 1", "Together 3"}
    check = rows["Check: years and payers less net present value"]["Social account"]
    assert check.value == 0
    formulas = pytest.importorskip("formulas", reason="calculates the workbook")
    model = formulas.ExcelModel().loads(str(tmp_path / "value.xlsx")).finish()
    held = rows["Net present value"]["Social account"].address
    lasts = sheets["Assumptions"].cell("Value", Assumption="Persistence, one share for all").address
    name = "'[value.xlsx]{}'!{}"
    wanted = name.format("SUMMARY", held)
    for share in (None, 0.3):
        turned = {} if share is None else {name.format("ASSUMPTIONS", lasts): share}
        value = model.calculate(inputs=turned, outputs=[wanted])[wanted].value[0, 0]
        asked = found if share is None else appraised(persistence=share)[1]
        assert float(value) == pytest.approx(asked.npv, rel=1e-6)


def test_perfectly_tied_effects_say_no_more_than_all():
    held = windows()
    lasting = tf.decay(held, persistence=(0.5, 0.1, 0.9))
    loud = replace(lasting, together=lasting.together.assign(
        covariance=1e3 * lasting.together["covariance"]))  # fmt: skip
    found = tf.appraise(held, COSTS, months=12, persistence=loud, **ASKED)
    leads = found.model.leads()
    assert leads @ found.model.covariance @ leads == pytest.approx(0.999)
    assert leads @ found.model.covariance == pytest.approx(found.model.tie)
    assert np.isfinite(found.uncertainty(draws=500).npv).all()


def test_committed_coverage_holds_what_it_says():
    rows, drawn = pd.read_csv(TABLE), pd.read_csv(DRAWN)
    assert (len(rows), len(drawn)) == (10, 12)
    for table in (rows, drawn):
        assert (table["worlds"] >= 2_000).all()
        assert table["covered"].between(0.93, 0.97).all()
    assert (rows.loc[rows["spread"] > 1, "width"] < 1).all()
