"""The summary's numbers are those of the formulas, and its errors those of repeated audits."""

from __future__ import annotations

import io
import json
import math
from itertools import product
from statistics import NormalDist

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tfeval as tf
from tfeval.audit import summary
from tfeval.audit.replication import COLUMNS as HELD
from tfeval.audit.replication import FURTHER, PAGE, PRIMARY
from tfeval.audit.worlds import KNOWN, NONE
from tfeval.errors import DataError
from tfeval.impact.effects.effects import Effects

ALL = (*PRIMARY, *FURTHER)


def drawn(rng, *, replications=40, effects=NONE, names=ALL, truth=0.0, bias=0.1):
    """Draw replications of one page's cell: normal estimates about truth and bias."""
    rows = []
    for number, name in product(range(replications), names):
        error = rng.uniform(0.8, 1.2)
        estimate = truth + bias + rng.normal()
        p = math.erfc(abs(estimate / error) / math.sqrt(2))
        rows.append({
            "simulator": "rates", "world": "crisis", "effects": effects, "families": 100,
            "seed": 1, "replication": number, "comparison": "waiting", **vars(PAGE),
            "outcome": name, "estimate": estimate, "std_error": error,
            "conf_low": estimate - 1.96 * error, "conf_high": estimate + 1.96 * error,
            "p_value": p, "p_adjusted": min(4 * p, 1.0), "mean_comparison": 5.0, "truth": truth,
            "truth_treated": truth - 0.5, "verdict": rng.choice(["balanced", "not_balanced"]),
            "why": "",
        })  # fmt: skip
    return pd.DataFrame(rows).reindex(columns=list(HELD))


def only(found, name="offences"):
    return found[found["outcome"] == name].to_dict("records")[0]


@pytest.mark.parametrize(("effects", "truth"), [(NONE, 0.0), (KNOWN, -1.5)])
def test_against_the_closed_forms_written_out(effects, truth):  # noqa: PLR0915 (one by one)
    """Morris, White and Crowther (2019), table 6, one replication after the other."""
    rows = drawn(np.random.default_rng(1), effects=effects, truth=truth)
    rows.loc[rows["replication"].isin([3, 4]), ["estimate", "conf_low", "conf_high", "p_value",
                                                "p_adjusted"]] = np.nan  # fmt: skip
    rows.loc[rows["replication"].isin([3, 4]), "why"] = "few_units"
    got = only(summary.summarise(rows))
    own = [row for row in rows.to_dict("records") if row["outcome"] == "offences"]
    known = [row for row in own if not math.isnan(row["estimate"])]
    n = len(known)
    assert (got["replications"], got["estimated"], got["intervals"], n) == (40, 38, 38, 38)
    errors = [row["estimate"] - row["truth"] for row in known]
    bias = sum(errors) / n
    assert got["bias"] == pytest.approx(bias)
    spread = sum((one - bias) ** 2 for one in errors)
    assert got["bias_error"] == pytest.approx(math.sqrt(spread / (n * (n - 1))))
    assert got["bias_percent"] == pytest.approx(100 * bias / 5.0)
    assert got["bias_treated"] == pytest.approx(bias + 0.5)
    mse = sum(one**2 for one in errors) / n
    mse_error = math.sqrt(sum((one**2 - mse) ** 2 for one in errors) / (n * (n - 1)))
    assert got["rmse"] == pytest.approx(math.sqrt(mse))
    assert got["rmse_error"] == pytest.approx(mse_error / (2 * math.sqrt(mse)))
    cover = sum(row["conf_low"] <= row["truth"] <= row["conf_high"] for row in known) / n
    assert got["coverage"] == pytest.approx(cover)
    assert got["coverage_error"] == pytest.approx(math.sqrt(cover * (1 - cover) / n))
    mean = sum(row["truth"] for row in own) / len(own)
    cover = sum(row["conf_low"] <= mean <= row["conf_high"] for row in known) / n
    assert got["coverage_population"] == pytest.approx(cover)
    found = [row for row in known if row["p_value"] < 0.05]
    share = len(found) / n
    name, other = ("type_one", "power") if effects == NONE else ("power", "type_one")
    assert got[name] == pytest.approx(share)
    assert got[f"{name}_error"] == pytest.approx(math.sqrt(share * (1 - share) / n))
    assert math.isnan(got[other])
    if effects == KNOWN:
        wrong = sum(row["estimate"] > 0 for row in found) / len(found)
        assert got["sign_error"] == pytest.approx(wrong)
        error = math.sqrt(wrong * (1 - wrong) / len(found))
        assert got["sign_error_error"] == pytest.approx(error)
    misled = [
        row["p_adjusted"] < 0.05 and row["verdict"] != "not_balanced"
        and not row["conf_low"] <= row["truth"] <= row["conf_high"] for row in own
    ]  # fmt: skip
    assert got["headline_wrong"] == pytest.approx(sum(misled) / len(own))
    assert got["why"] == "few_units"


def test_an_interval_for_a_population_holds_its_effect_and_less_often_that_on_those_drawn():
    """Known truth: outcomes that an effect makes vary less, in Neyman's two groups."""
    rng, n, draws = np.random.default_rng(8), 200, 4_000
    untreated = rng.normal(0, 1, (draws, n))
    treated = 0.5 * rng.normal(0, 1, (draws, n)) - 1.0
    others = rng.normal(0, 1, (draws, n))
    truth = (treated - untreated).mean(1)
    estimate = treated.mean(1) - others.mean(1)
    half = 1.96 * np.sqrt((treated.var(1, ddof=1) + others.var(1, ddof=1)) / n)
    rows = drawn(rng, replications=draws, names=("offences",), effects=KNOWN, truth=-1.0)
    rows = rows.assign(estimate=estimate, truth=truth, conf_low=estimate - half,
                       conf_high=estimate + half)  # fmt: skip
    got = only(summary.summarise(rows))
    assert got["coverage_population"] == pytest.approx(0.95, abs=0.012)
    assert got["coverage"] == pytest.approx(2 * NormalDist().cdf(1.96 * 0.625**0.5) - 1, abs=0.02)


def test_a_page_is_wrong_if_it_is_of_any_primary_outcome():
    rows = drawn(np.random.default_rng(2), bias=2.0)
    got = only(summary.summarise(rows), summary.ANY_PRIMARY)
    wrong = set()
    for row in rows.to_dict("records"):
        outside = not row["conf_low"] <= row["truth"] <= row["conf_high"]
        said = row["p_adjusted"] < 0.05 and row["verdict"] != "not_balanced"
        if row["outcome"] in PRIMARY and outside and said:
            wrong.add(row["replication"])
    assert 0 < len(wrong) < 40
    assert got["headline_wrong"] == pytest.approx(len(wrong) / 40)


def test_the_mean_of_the_primary_outcomes_is_of_all_or_none():
    rows = drawn(np.random.default_rng(3))
    lost = (rows["replication"] == 7) & (rows["outcome"] == "absence")
    rows.loc[lost, "estimate"] = np.nan
    got = only(summary.summarise(rows), summary.PRIMARY_MEAN)
    own = rows[rows["outcome"].isin(PRIMARY) & (rows["replication"] != 7)]
    means = (own["estimate"] / 5.0).groupby(own["replication"]).mean()
    assert (got["estimated"], got["replications"]) == (39, 40)
    assert got["bias_percent"] == pytest.approx(100 * means.mean())
    assert got["bias_percent_error"] == pytest.approx(100 * means.std() / math.sqrt(39))


def test_a_draw_in_which_hardly_anybody_has_an_outcome_does_not_make_the_mean():
    rows = drawn(np.random.default_rng(7))
    rows.loc[(rows["replication"] == 3) & (rows["outcome"] == "offences"), "mean_comparison"] = (
        1e-17
    )
    got = only(summary.summarise(rows), summary.PRIMARY_MEAN)
    assert abs(got["bias_percent"]) < 100


def test_the_ratio_s_error_is_that_of_two_appraisals():
    rows = drawn(np.random.default_rng(4), replications=3, effects=KNOWN, truth=-0.3)
    got = only(summary.summarise(rows), summary.BENEFIT_COST_RATIO)
    gaps = []
    for _, own in rows.groupby("replication"):
        ratios = []
        for column in ("estimate", "truth"):
            held = {"outcome": list(own["outcome"]), "months": 12, "estimate": list(own[column])}
            frame = pd.DataFrame({**held, "std_error": 1.0})
            worth = tf.appraise(
                Effects(frame, np.eye(len(own))),
                tf.programme_costs("one", price_year=2024), families=117_910,
            )  # fmt: skip
            ratios.append(worth.benefit_cost_ratio)
        gaps.append(ratios[0] - ratios[1])
    assert got["bias"] == pytest.approx(np.mean(gaps), rel=1e-6)


def test_monte_carlo_errors_are_how_far_audits_differ():
    """Many audits of the same method: their own errors are the spread of their results."""
    rng = np.random.default_rng(5)
    audits = drawn(rng, replications=40 * 400, names=("offences",), bias=0.4)
    audits = audits.assign(families=audits["replication"] // 40)
    audits["replication"] %= 40
    rows = summary.summarise(audits)
    found = rows[rows["outcome"] == "offences"]
    assert (found["replications"] == 40).all() and len(found) == 400
    for name in ("bias", "rmse", "coverage", "type_one"):
        told, is_so = found[f"{name}_error"].mean(), found[name].std()
        assert told == pytest.approx(is_so, rel=0.12), name


def test_a_table_is_read_as_it_was_written(tmp_path):
    drawn_rows = drawn(np.random.default_rng(6))
    rows = summary.summarise(drawn_rows)
    about = {"seed": 1, "families": 100}
    made = summary.write_sums(summary.sums(drawn_rows), about, tmp_path)
    read = tf.read_known_truth(tmp_path)
    assert read.about == made.about == about
    pd.testing.assert_frame_equal(read.rows, rows)
    pd.testing.assert_frame_equal(made.rows, rows)
    summary.write_known_truth(made, tmp_path / summary.TABLE)
    first, rest = (tmp_path / summary.TABLE).read_text().split("\n", 1)
    assert json.loads(first.removeprefix("#")) == about
    other = pd.read_csv(io.StringIO(rest)).fillna({"why": ""})
    pd.testing.assert_frame_equal(other, rows, check_dtype=False, rtol=1e-4)
    assert len(read.select(outcome="offences", world="crisis")) == 1


def kept(folder, rows, seed, **more):
    """Keep an audit's sums, as a run does."""
    folder.mkdir()
    (folder / summary.SAMPLE).write_bytes(b"its page's own")
    about = {"seeds": [seed], "families": 100, "commits": [f"{seed}"], "worlds_simulated": 9,
             "processor_hours": 0.5, **more}  # fmt: skip
    summary.write_sums(summary.sums(rows.assign(seed=seed)), about, folder)
    return folder


def test_draws_of_several_audits_added_up_are_one_audit(tmp_path):
    """In any order, with reasons for what failed, and groups that only one of them has."""
    rng = np.random.default_rng(7)
    parts = [drawn(rng, replications=number) for number in (30, 12, 5)]
    parts[1].loc[:20, ["estimate", "conf_low", "conf_high", "p_value"]] = np.nan
    parts[1].loc[:20, "why"] = "few_units"
    parts[2]["world"] = "everything"
    folders = [kept(tmp_path / f"{seed}", part, seed) for seed, part in enumerate(parts)]
    every = pd.concat([part.assign(replication=part["replication"] + 100 * seed)
                       for seed, part in enumerate(parts)], ignore_index=True)  # fmt: skip
    wanted = summary.summarise(every).sort_values(list(summary.BY), ignore_index=True)
    for order in ((0, 1, 2), (2, 0, 1)):
        onto = tmp_path / "".join(map(str, order))
        for number in order:
            found = summary.add_draws(folders[number], onto)
        got = found.rows.sort_values(list(summary.BY), ignore_index=True)
        pd.testing.assert_frame_equal(got, wanted, rtol=1e-9, atol=1e-12)
        assert found.about["seeds"] == [0, 1, 2] and found.about["worlds_simulated"] == 27
        assert tf.read_known_truth(onto).about == found.about


def test_draws_are_counted_once_and_of_the_same_worlds(tmp_path):
    rows = drawn(np.random.default_rng(8), replications=3)
    onto = kept(tmp_path / "table", rows, 1)
    before = (onto / summary.SUMS).read_bytes()
    for seed, more, why in ((1, {}, "seed 1 are in table already"),
                            (2, {"families": 50}, "differ in families"),
                            (2, {"like": "extract"}, "differ in like")):  # fmt: skip
        other = kept(tmp_path / why, rows, seed, **more)
        with pytest.raises(DataError, match=why):
            summary.add_draws(other, onto)
    with pytest.raises(DataError, match=r"has no sums\.parquet of an audit"):
        summary.add_draws(tmp_path, onto)
    assert (onto / summary.SUMS).read_bytes() == before


def spoilt(kind, summed, folder):
    """Write what is no sums of an audit."""
    place = folder / summary.SUMS
    if kind == "no parquet":
        place.write_bytes(b"world\ncrisis\n")
    elif kind == "empty":
        place.write_bytes(b"")
    elif kind == "not told how":
        summed.to_parquet(place)
    elif kind == "told in a list":
        summary.write_sums(summed, {}, folder)
        frame = pq.read_table(place)
        pq.write_table(frame.replace_schema_metadata(
            {**frame.schema.metadata, b"tfeval": b"[1]"}), place)  # fmt: skip
    elif kind == "a column less":
        summary.write_sums(summed, {}, folder)
        frame = pq.read_table(place)
        pq.write_table(frame.drop_columns(["error_sum"]), place)
    else:
        summary.write_sums(summed, {}, folder)
        frame = pq.read_table(place).to_pandas().reset_index(drop=True)
        pq.write_table(pa.Table.from_pandas(frame).replace_schema_metadata({b"tfeval": b"{}"}),
                       place)  # fmt: skip


@pytest.mark.parametrize(
    "kind",
    ["no parquet", "empty", "not told how", "told in a list", "a column less", "no keys"],
)
def test_what_is_no_table_of_an_audit_is_refused(tmp_path, kind):
    spoilt(kind, summary.sums(drawn(np.random.default_rng(6), replications=3)), tmp_path)
    with pytest.raises(DataError, match="is no table of an audit"):
        tf.read_known_truth(tmp_path)
    with pytest.raises(DataError, match="There is no table"):
        tf.read_known_truth(tmp_path / "elsewhere")
