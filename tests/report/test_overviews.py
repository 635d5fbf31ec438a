"""Pictures that give an overview, against counts and sums made another way."""

from __future__ import annotations

from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

import tfeval as tf
from tests.display.text_boxes import SVG, faults_of, words_of
from tfeval.programme.published import published
from tfeval.report.chapters import corroboration, overviews
from tfeval.report.chapters.specifications import COLUMNS, UNWEIGHTED


def test_the_map_shows_what_was_published_and_hatches_what_was_not():
    chart = overviews.claims_map("one")
    rows = published("progress_local")
    rows = rows[(rows["period"] == "2012-15") & (rows["area_code"] != "")]
    known = set(chart.data.loc[chart.data["kind"] != overviews._NOTHING, "name"])
    said = {kind: set(rows.loc[rows["figure"] == kind, "area"])
            for kind in ("targeted", "turned_around", "crime_asb_education")}  # fmt: skip
    assert known <= said["targeted"] & (said["turned_around"] | said["crime_asb_education"])
    assert said["targeted"] & said["turned_around"] <= known
    by_name = chart.data.set_index("name")
    assert by_name.loc["Sefton", "text"] == "94" and by_name.loc["Bradford", "text"] == "93"
    hatched = [one for one in ElementTree.fromstring(chart.svg()).iter(f"{SVG}path")
               if (one.get("fill") or "").startswith("url")]  # fmt: skip
    assert len(hatched) == 152 - len(known) + 1  # and one in the legend
    assert f"{152 - len(known)} of 152" in chart.title
    assert faults_of(chart.svg()) == []


def test_the_bridge_adds_up_to_published_figures_in_other_prices():
    chart = overviews.money_bridge("one", tf.Assumptions(price_year=2024))
    rows = published("deflators")
    index = rows[rows["figure"] == "gdp_deflator_financial_year"].set_index("period")["value"]
    years = ["2012-13", "2013-14", "2014-15"]
    budget = published("budget").set_index("figure")["value"]
    spent = budget["phase_one_budget"] + budget["local_contribution_expected"]
    prices = sum(spent / 3 * index["2024-25"] / index[year] for year in years)
    # Base year 2011-12; money in the middle of each year.
    now = sum(spent / 3 * index["2024-25"] / index[year] / 1.035 ** (at + 1.5)
              for at, year in enumerate(years))  # fmt: skip
    sums = chart.data.loc[chart.data["kind"] == "total", "value"].tolist()
    assert sums == pytest.approx([1048.0, prices, now], rel=1e-6)
    assert chart.title.startswith("£448m with what was expected beside it is £1.05bn")
    for name in ("two", "supporting_families"):
        assert faults_of(overviews.money_bridge(name, tf.Assumptions()).svg()) == []


def test_the_line_of_time_is_in_order_and_every_event_has_its_source():
    chart = overviews.timeline()
    dates = pd.to_datetime(chart.data["date"], format="%B %Y")
    assert dates.is_monotonic_increasing and len(chart.sources) >= len(dates) - 1
    assert "116,654 families claimed as turned around" in set(chart.data["what"])
    assert faults_of(chart.svg()) == []


@pytest.fixture(scope="module")
def cohort():
    families = tf.cohort(tf.simulate(families=1_200, seed=3).records, horizon=12)
    return families, tf.unweighted(tf.study(families, months=12))


def test_the_flow_counts_as_the_cohort_does_and_hides_few(cohort):
    families, design = cohort
    chart = overviews.flow(families, design)
    for name, label in (("treated", "On the programme"), ("comparison", "Comparison")):
        exact = families.flow[name].to_numpy()
        shown = chart.data[label].iloc[: len(exact)].str.replace(",", "").astype(int)
        assert (np.abs(shown - exact) <= 2).all()
        out = chart.data[f"{label}: left out"].iloc[1 : len(exact)]
        few = -np.diff(exact) < 10
        assert few.any() and (out[few] == "fewer than 10 left out").all()
        assert not out[~few].str.startswith("fewer").any()
    assert faults_of(chart.svg()) == []


def test_choices_are_counted_by_what_their_intervals_leave_out():
    effects = {"chosen": (-2, -3, -1), "harm": (2, 1, 3), "unclear": (0, -1, 1)}
    how = {UNWEIGHTED: "difference"}
    rows = [("waiting", key, how.get(key, "adjusted"), "supported", "left_out", "balanced", "ATT",
             name, 12, value, 1.0, low, high, "estimated", "")
            for key, (value, low, high) in {**effects, UNWEIGHTED: (5, 4, 6)}.items()
            for name in ("offences", "absence")]  # fmt: skip
    found = SimpleNamespace(plan=SimpleNamespace(role=lambda _: "primary"), horizon=12,
                            study=SimpleNamespace(simulated=True))  # fmt: skip
    chart = overviews.choices(found, pd.DataFrame(rows, columns=list(COLUMNS)))
    # The choice itself, and the naive difference, are not among the other choices.
    assert "in 1 of 2 other choices, and as chosen, an interval leaves 0 out" in chart.title
    assert chart.title.endswith("0 for better, 1 for worse; 1 not counted")
    said = corroboration.agreement(pd.DataFrame(rows, columns=list(COLUMNS)), found.plan)
    assert "1 of 2 other choices" in said
    assert len(chart.data) == 8 and faults_of(chart.svg()) == []
    assert {"Without a design", "As chosen"} & {one.text for one in words_of(chart.svg())}


def test_choices_without_an_interval_say_so():
    rows = pd.DataFrame([["waiting", "nearest", "adjusted", "supported", "left_out", "", "ATT",
                          "offences", 12, 1.0, *[np.nan] * 3, "one_cluster", ""]],
                        columns=list(COLUMNS))  # fmt: skip
    for role in ("primary", "secondary"):
        plan = SimpleNamespace(role=lambda _, role=role: role)
        found = SimpleNamespace(plan=plan, horizon=12, study=SimpleNamespace(simulated=True))
        assert "nothing to draw" in overviews.choices(found, rows).text()


def test_effects_of_2019_stand_with_those_of_which_no_value_was_read():
    chart = overviews.effects_2019()
    rows = published("evaluation_outcomes")
    rows = rows[rows["evaluation"] == "2019 phase two"]
    assert len(chart.data) == len(rows) and chart.data["Comparison"].notna().sum() == 5
    assert chart.title.endswith("read with their values, all of them falls; 3 were not")
    unread = chart.data[chart.data["On the programme"].isna()]["what"]
    assert unread.tolist() == rows[rows["treated"].isna()]["finding"].tolist()
    assert faults_of(chart.svg()) == []
