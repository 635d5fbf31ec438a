"""Chapters 4, 7 and 8 where effects have no estimate or no error: each is told, none is counted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import tfeval as tf
from tests.report.analyses import analysis, valued
from tests.report.test_value_chapters import ASKED, NAMES, claims, impact
from tfeval.errors import DataError
from tfeval.impact.effects.areas import pool_areas
from tfeval.impact.effects.words import status_words
from tfeval.impact.inference.rules import NOT_ESTIMATED
from tfeval.impact.plan.analysis_plan import read_plan
from tfeval.impact.specification import DesignRow
from tfeval.report import record
from tfeval.report.chapters import (
    areas,
    corroboration,
    decisions,
    linked,
    specifications,
    summary,
    unmeasured,
    value,
    value_tables,
)
from tfeval.report.chapters import impact as impact_chapter
from tfeval.report.chapters.evidence import Unvalued
from tfeval.report.notebook_parts import content_of
from tfeval.report.record import Record, Records

KEYS = {"comparison": "not_yet_treated", "design": "nearest", "estimator": "adjusted",
        "treatment": "supported", "censoring": "left_out"}  # fmt: skip
MISSING = ("std_error", "conf_low", "conf_high")


def with_tables(held: Records, told: dict | None = None, **frames: pd.DataFrame) -> Records:
    """Return records with some tables, and some values, in the place of others."""
    names = ("effects", "covariance", "specifications", "areas", "areas_together")
    tables = {name: held.table(name) for name in names} | frames
    values = {**held, **{name: Record(name, item) for name, item in (told or {}).items()}}
    return Records(held.notebook, values,
                   {name: content_of(name, frame) for name, frame in tables.items()})  # fmt: skip


def unknown_custody(status: str) -> Records:
    """Return records in which the effect on custody has no error, in every specification."""
    held = impact()
    effects, joint = held.table("effects"), held.table("covariance")
    choices = held.table("specifications").assign(why="")
    for frame in (effects, choices):
        own = frame["outcome"] == "custody"
        frame.loc[own, list(MISSING)] = np.nan
        frame["status"] = np.where(own, status, "estimated")
        if status in ("no_variation", "not_fitted"):
            frame.loc[own, "estimate"] = np.nan
    joint.iloc[0, :], joint.iloc[:, 0] = np.nan, np.nan
    more = pd.DataFrame({"outcome": ["offences"], "months": [12], "estimate": [-0.1],
                         "std_error": [0.04], "conf_low": [-0.18], "conf_high": [-0.02],
                         "mean_comparison": [0.4], "status": ["estimated"]})  # fmt: skip
    joint["offences"] = 0.0
    joint.loc[2] = [0.0, 0.0, 0.0016]
    joint.iloc[0, 2], joint.iloc[2, 0] = np.nan, np.nan
    own = more.assign(**KEYS, alike="balanced", estimand="ATT", why="")
    other = own.assign(comparison="waiting", alike="not_balanced", estimate=0.0)
    return with_tables(
        held, effects=pd.concat([effects, more]), covariance=joint,
        specifications=pd.concat([choices.iloc[:2], own, choices.iloc[2:], other]),
    )  # fmt: skip


@pytest.mark.parametrize("status", NOT_ESTIMATED)
def test_chapter_7_values_the_others_and_says_so(status):
    held = unknown_custody(status)
    found = valued(held, **ASKED)
    effects = held.table("effects").query("outcome != 'custody'")
    choices = held.table("specifications").query("outcome != 'custody'")
    joint = held.table("covariance")
    alone = valued(
        with_tables(held, effects=effects, covariance=joint.iloc[1:, 1:], specifications=choices),
        **ASKED,
    )
    assert found.appraisal.npv == alone.appraisal.npv
    assert (found.drawn.npv == alone.drawn.npv).all()
    pd.testing.assert_frame_equal(found.designs.frame, alone.designs.frame)
    assert "Not in it: 1 outcome without an error; what" in value.headline(found)
    assert "not known, and not nothing" in value.headline(found)
    assert "Not in it" not in value.headline(alone)
    text = value_tables.not_monetised_table(found).text()
    line = next(line for line in text.splitlines() if "not estimated" in line)
    assert "Custodial sentences" in line
    assert status_words(status, "families")[:30] in line
    assert "nan" not in value_tables.break_even_table(found).text().lower()


def test_what_chapter_4_hides_is_counted_in_chapter_7():
    held = with_tables(impact(), {"outcomes_not_shown": "looked_after; offences"})
    found = valued(held, **ASKED)
    assert "Not in it: 2 outcomes with too few families to show; what" in value.headline(found)
    text = value_tables.not_monetised_table(found).text()
    assert "Children looked after" in text
    assert "too few to show" in text


@pytest.mark.parametrize("way", ["nothing shown", "no error", "no price"])
def test_where_nothing_can_be_valued_every_page_says_why(way, tmp_path):
    held = unknown_custody("few_clusters")
    effects = held.table("effects")
    rows = {"nothing shown": effects.iloc[:0], "no error": effects.iloc[:1],
            "no price": effects.iloc[1:2]}[way]  # fmt: skip
    joint = pd.DataFrame(np.full((len(rows),) * 2, 4e-4), columns=rows["outcome"])
    held = with_tables(held, effects=rows, covariance=joint)
    found = valued(held, **ASKED)
    assert isinstance(found, Unvalued)
    assert value.headline(found).startswith("Simulated records: what the programme was worth")
    assert "not findings" in value.banner(found).text()
    shown = [
        found.appraisal, found.drawn, found.designs, found.appraisal.plot("waterfall"),
        found.designs.plot(), value.acceptability(found), value.five_es(found),
        value.workbook(found, pd.DataFrame(), tmp_path), value_tables.break_even_table(found),
        value_tables.switching_table(found), value_tables.information_table(found),
        value_tables.not_monetised_table(found),
        *(shows(found, tf.read_known_truth()) for shows in (
            decisions.study_table, decisions.study_outcomes_table, decisions.doubt_table,
            decisions.doubt_worlds_table, decisions.averages_table,
            decisions.design_weights_table)),
    ]  # fmt: skip
    assert all("What is missing" in repr(one) or "missing" in one.text() for one in shown)
    assert not list(tmp_path.iterdir())
    worth = value_tables.area_values(held, found)
    assert isinstance(worth, str)
    assert worth in areas.values_table(held, worth).text()
    rows = value_tables.area_values_record(worth)
    assert "not known" in value_tables.area_value_sentence(rows, "Sefton", True)
    assert "No value by authority" in value_tables.area_values_chart(rows, True).text()


def test_the_summary_says_what_is_not_known(monkeypatch):
    held = impact()
    found = valued(with_tables(held, effects=held.table("effects").iloc[:0],
                                   covariance=pd.DataFrame()), **ASKED)  # fmt: skip
    told: dict[str, Record] = {}
    for module in (record, value):
        monkeypatch.setattr(module, "keep", lambda made: told.__setitem__(made.name, made))
    value.record_value(found)
    empty = value_tables.area_values_record("none")
    records = Records("07", told, {"area_values": content_of("area_values", empty)})
    comparison = Records("03", {"estimand": Record("estimand", "estimand ATT")})
    text = summary.records_answers(comparison, held, records, claims()).text()
    assert "cannot be said from these records" in text
    assert "neither nothing nor a loss" in text
    assert "Each cost not known" in text
    assert "no pounds" in summary.pounds_table(records, claims()).caption
    assert "Not known" in summary.area_table("all", held, records).text()
    assert "not known" in summary.area_table("Sefton", held, records).text()


def left_out_areas() -> Records:
    """Return records of seven authorities, one too small to show and one without an error."""
    names = [*NAMES, "Bury", "Hull"]
    estimates = np.array([-0.02, -0.01, 0.0, 0.01, 0.02, 0.0, 0.01]) - 0.01
    errors = np.where(np.array(names) == "Hull", np.nan, 0.01)
    counts = [200, 100, 150, 120, 4, 90, 80]
    pooled = areas.AreasByOutcome(simulated=True)
    for name in ("custody", "looked_after"):
        pooled[name] = pool_areas(estimates, errors, names, n_treated=counts, n_comparison=counts,
                                  label=name, simulated=True)  # fmt: skip
    pooled.failed["offences"] = "Pooling needs at least two areas."
    return with_tables(impact(), areas=areas.areas_record(pooled),
                       areas_together=areas.together_record(pooled))  # fmt: skip


def test_areas_left_out_are_counted_on_every_page_and_have_no_rank():
    held = left_out_areas()
    again = areas.read_areas(held)
    assert set(again) == {"custody", "looked_after"}
    assert areas.left_out(again["custody"]) == ("Hull",)
    assert again.failed == {"offences": "Pooling needs at least two areas."}
    assert again.simulated
    counted = areas.effects_table(again)
    numbers = {row[0].text: [cell.text for cell in row[1:4]] for row in counted.rows}
    assert numbers["Custodial sentences"] == ["5", "1", "1"]
    assert numbers["Proven offences"] == ["none"] * 3
    text = counted.text()
    assert "Pooling needs at least two areas." in text
    table = areas.authority_table(again, "Hull").text()
    assert "too few for an error: left out" in table
    assert "not ranked" in table
    assert "6 of 7 authorities" in table
    assert "Not known by authority: Proven offences. Pooling needs" in table
    assert "too few families of Hull" in areas.authority_sentence(again, "Hull")
    found = valued(held, **ASKED)
    worth = value_tables.area_values(held, found)
    assert sorted(worth.frame["name"]) == ["Bolton", "Bury", "Leeds", "Sefton", "Wirral"]
    assert worth.frame["rank_high"].max() <= 5
    rows = {row[0].text: row[1].text for row in areas.values_table(held, worth).rows}
    assert list(rows.values()) == ["5", "1", "1"]
    spread = summary.area_table("all", held, value_records(held, worth)).text()
    assert "5 of 7 authorities can be shown, 1 was left out" in spread
    assert "Not known by authority. Pooling needs" in spread


def value_records(held: Records, worth) -> Records:
    rows = value_tables.area_values_record(worth)
    return Records("07", {"simulated": Record("simulated", True)},
                   {"area_values": content_of("area_values", rows)})  # fmt: skip


def test_no_end_of_tau_is_recorded_and_read_as_missing():
    alike = pool_areas(np.full(4, -0.01), np.full(4, 0.02), NAMES[:4], n_treated=[90] * 4,
                       n_comparison=[90] * 4)  # fmt: skip
    assert np.isnan(alike.tau_high)
    held = with_tables(impact(), areas=areas.areas_record({"custody": alike}),
                       areas_together=areas.together_record({"custody": alike}))  # fmt: skip
    again = areas.read_areas(held)["custody"]
    assert np.isnan(again.tau_high)
    assert "differing by less than their errors" in again.table().text()
    assert again.plot().data["value"].notna().all()


def test_one_authority_alone_is_no_comparison_of_authorities():
    pooled = areas.AreasByOutcome(simulated=True)
    pooled.failed = {"custody": "Pooling needs at least two areas."}
    rows, together = areas.areas_record(pooled), areas.together_record(pooled)
    held = with_tables(impact(), areas=rows, areas_together=together)
    again = areas.read_areas(held)
    assert not again
    assert "Pooling needs" in areas.areas_chart(again, "custody", "Sefton").text()
    assert "Simulated records: effects by authority are not known" in areas.authority_sentence(
        again, "Sefton"
    )
    assert "Simulated" in areas.authority_table(again, "Sefton").text()
    found = valued(held, **ASKED)
    assert "Fewer than 3 authorities" in value_tables.area_values(held, found)


def test_simulated_records_from_a_folder_are_not_called_real(small, monkeypatch):
    monkeypatch.setattr(specifications, "truth_of", lambda extract, phase: None)
    assert "real records" not in specifications.truth_table(small).text()
    real = replace(
        small, design=replace(small.design, study=replace(small.design.study, simulated=False))
    )
    assert "real records" in specifications.truth_table(real).text()


def choice_rows(*specs: tuple) -> pd.DataFrame:
    """Return a recorded table: of each specification its design, balance and (low, high)s."""
    rows = []
    for design, alike, ends in specs:
        keys = {**KEYS, "design": design} if design != "naive" else {
            **KEYS, "design": specifications.UNWEIGHTED, "estimator": "difference"}  # fmt: skip
        if isinstance(ends, str):
            rows.append({**keys, "outcome": "", "why": ends})
            continue
        for name, (low, high) in ends.items():
            rows.append({**keys, "alike": alike, "outcome": name, "months": 12, "why": "",
                         "estimate": (low + high) / 2, "std_error": (high - low) / 3.92,
                         "conf_low": low, "conf_high": high, "status": "estimated"})  # fmt: skip
    return pd.DataFrame(rows, columns=list(specifications.COLUMNS))


def test_the_headline_counts_its_own_rows():
    none, less, more = (-1.0, 1.0), (-3.0, -1.0), (1.0, 3.0)
    nan = (np.nan, np.nan)
    rows = choice_rows(
        ("nearest", "balanced", {"offences": none, "out_of_work": none}),
        ("full", "balanced", {"offences": less, "out_of_work": more}),
        ("overlap", "partly", {"offences": less, "out_of_work": (-1.1, 1.0)}),
        ("entropy", "balanced", {"offences": (-1.2, 1.0), "employment": less}),
        ("inverse_propensity", "not_balanced", {"offences": more}),
        ("nearest_within_authority", "", "No pair is near enough."),
        ("made_up", "balanced", {"offences": nan, "out_of_work": nan}),
        ("the_same", "balanced", {"offences": none, "out_of_work": none}),
        ("full_again", "balanced", {"offences": less, "out_of_work": more}),
        ("naive", "balanced", {"offences": more, "out_of_work": more}),
    )
    said = corroboration.agreement(rows, read_plan())
    # Not alike, not possible, without an interval, the same as an earlier one and naive do
    # not count.
    assert "2 of 3 other choices" in said
    assert "proven offences better in 2" in said
    assert "out-of-work benefits worse in 1" in said
    assert "in work" not in said.lower().replace("in work,", "")
    quiet = choice_rows(("nearest", "balanced", {"offences": none}),
                        ("full", "balanced", {"offences": (-1.1, 1.0)}))  # fmt: skip
    assert "Nor does any of 1 other choice" in corroboration.agreement(quiet, read_plan())
    other = choice_rows(("full_again", "balanced", {"offences": less}))
    both = pd.concat([quiet, other.assign(treatment="data_matched_apart")])
    # Of another treatment: no opinion on this one.
    assert corroboration.agreement(both, read_plan()) == corroboration.agreement(quiet, read_plan())
    alone = corroboration.agreement(quiet.iloc[:1], read_plan())
    assert "No other choice" in alone


def test_impossible_designs_are_listed_in_chapter_7_and_the_naive_difference_is_none():
    rows = choice_rows(
        ("nearest", "balanced", {"custody": (-0.02, 0.0)}),
        ("entropy", "", "No weights make the means agree."),
        ("full", "balanced", {"custody": (-0.02, 0.0)}),
        ("naive", "not_balanced", {"custody": (0.1, 0.2)}),
    )
    held = with_tables(impact(), specifications=rows)
    found = valued(held, **ASKED)
    assert found.designs.in_words()["design"].tolist() == ["as chosen"]
    labels = found.designs.labels
    assert {labels[key]: why for key, why in found.designs.left_out.items()} == {
        "entropy": "No weights make the means agree.",
        "full": "The same estimates as chosen: no second opinion.",
    }
    assert "Not valued: entropy. No weights" in found.designs.table().text()


@pytest.fixture(scope="module")
def small():
    with linked.simulated_families(1_500):
        yield analysis()


def spoiled(found, outcomes: list[str], **columns):
    """Return what chapter 4 shows, with some effects changed."""
    frame = found.effects.to_frame()
    for name, item in columns.items():
        frame.loc[frame["outcome"].isin(outcomes), name] = item
    return replace(found, effects=replace(found.effects, frame=frame))


def test_every_specification_has_a_row_or_a_reason(small, monkeypatch):
    def refuses(made, width):
        raise DataError("No weights can be found.\nA second line.")

    monkeypatch.setitem(specifications.DESIGNS, "entropy", DesignRow("refuses", refuses))
    rows = specifications.specifications(small)
    asked = rows[list(specifications.KEYS)].drop_duplicates()
    # Its own; three estimators, six designs, three groups, two treatments, two ways of censoring;
    # two without a design.
    assert len(asked) == 1 + 3 + 6 + 3 + 2 + 2 + 2
    failed = rows[rows["why"] != ""]
    assert (failed["outcome"] == "").all()
    assert failed.set_index("design").loc["entropy", "why"] == "No weights can be found."
    text = specifications.specifications_table(small, rows).text()
    assert "No effect. Design, entropy: No weights can be found." in text
    assert "naive difference: nobody matched, weighted or adjusted" in text
    assert "regression adjustment alone" in text
    content_of("specifications", rows)  # may be recorded


def test_the_naive_difference_is_that_of_the_raw_means(small):
    rows = specifications.specifications(small)
    own = rows[(rows["design"] == specifications.UNWEIGHTED) & (rows["estimator"] == "difference")]
    study = small.study
    frame = small.families.outcomes(12).loc[study.index]
    for row in own.to_dict("records"):
        means = frame.groupby(study.treated)[row["outcome"]].mean()
        assert row["estimate"] == pytest.approx(means[True] - means[False])


def test_an_effect_without_an_interval_is_not_called_chance(small):
    primary = list(small.plan.primary)
    none = {"std_error": np.nan, "conf_low": np.nan, "conf_high": np.nan, "p_value": np.nan,
            "p_adjusted": np.nan, "status": "few_clusters"}  # fmt: skip
    shown = {"events_treated": 60.0, "events_comparison": 70.0, "n_treated": 100.0,
             "n_comparison": 120.0, "mean_treated": 0.7, "mean_comparison": 0.8}  # fmt: skip
    known = spoiled(small, primary, **shown, p_adjusted=0.5)
    loose = dict.fromkeys(known.balance.thresholds, 100.0)
    known = replace(known, balance=replace(known.balance, thresholds=loose))
    assert "of 4 primary outcomes at 12 months, none differs" in impact_chapter.headline(known)
    one = impact_chapter.headline(spoiled(known, primary[:1], **none))
    assert "of 3 of 4 primary outcomes that have an interval" in one
    assert "absence from school (estimated without an interval)" in one
    every = impact_chapter.headline(spoiled(known, primary, **none))
    assert "no effect on any of 4 primary outcomes can be given" in every
    assert "none differs" not in every
    gone = impact_chapter.headline(
        spoiled(known, primary, **{**none, "estimate": np.nan, "status": "no_variation"})
    )
    assert "(not estimable)" in gone
    hidden = spoiled(known, primary, events_treated=3.0, p_adjusted=0.001)
    assert "too few families to show" in impact_chapter.headline(hidden)
    assert "%" not in impact_chapter.headline(hidden)


def test_a_truth_is_not_missed_by_an_interval_that_is_not_there(small):
    names = ["out_of_work"]
    bare = spoiled(small, names, conf_low=np.nan, conf_high=np.nan, std_error=np.nan,
                   events_treated=60.0, events_comparison=70.0)  # fmt: skip
    text = specifications.truth_table(bare).text()
    line = next(line for line in text.splitlines() if "Out-of-work" in line)
    assert line.rstrip().endswith("no interval")
    assert "; no interval" in line


def test_nothing_to_draw_is_said(small):
    frame = small.effects.to_frame().assign(events_treated=1.0)
    bare = replace(small, effects=replace(small.effects, frame=frame))
    assert "No effect can be drawn" in impact_chapter.forest(bare).text()


def test_effects_without_errors_are_recorded_and_read_back(small, monkeypatch):
    told, tables = {}, {}
    monkeypatch.setattr(
        impact_chapter,
        "record",
        lambda name, item, *rest, **more: told.__setitem__(name, Record(name, item)),
    )
    monkeypatch.setattr(
        impact_chapter,
        "record_table",
        lambda name, frame: tables.__setitem__(name, content_of(name, frame)),
    )
    bare = spoiled(small, ["out_of_work"], std_error=np.nan, conf_low=np.nan, conf_high=np.nan,
                   status="few_clusters", events_treated=60.0, events_comparison=70.0)  # fmt: skip
    impact_chapter.record_effects(bare)
    records = Records("04", told, tables)
    again = impact_chapter.read_effects(records).frame.set_index("outcome")
    assert again.loc["out_of_work", "status"] == "few_clusters"
    assert np.isnan(again.loc["out_of_work", "std_error"])
    hidden = set(bare.effects.frame["outcome"]) - set(again.index)
    assert set(impact_chapter.not_shown(records)) == hidden


def test_the_unmeasured_is_measured_for_the_primary_outcomes_alone(small):
    shown = unmeasured.unmeasured_table(small)
    assert len(shown.rows) == sum(
        small.plan.role(name) == "primary" for name in small.effects.frame["outcome"]
    )
    assert shown.notes[0].startswith("Simulated records")
    assert "E-value" in shown.columns
    held = unmeasured.unmeasured(small)
    assert len(unmeasured.reading(held)) == 2
    assert "_before" not in shown.text()
    hidden = replace(held, effects=replace(
        held.effects, frame=held.effects.frame.assign(events_treated=2.0)))  # fmt: skip
    assert unmeasured.reading(hidden) == (
        "Of no primary outcome can it be said how easily its effect is explained away.",
        "No covariate is there to measure the unmeasured by.",
    )
