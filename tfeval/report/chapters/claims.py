"""Chapter 6, the families: what was claimed over time and by authority."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from tfeval.display.charts import line_chart
from tfeval.display.figures import Chart
from tfeval.display.interval_charts import funnel_plot
from tfeval.display.tables import Table, table
from tfeval.money.claimed import break_even_2015
from tfeval.programme.areas import member_bounds, unpublished_bounds
from tfeval.programme.claims import (
    FullMarks,
    authority,
    claims_by_authority,
    claims_over_time,
    control_limits,
    final_claims,
    full_marks,
)
from tfeval.programme.phases import period, phase
from tfeval.programme.published import distinct_sources, figure, published, sources
from tfeval.report.chapters.common import (
    MEASURE_NAMES,
    PHASE_TITLES,
    as_published,
    month,
    percent,
    span,
    with_sources,
)

ALL = "all"
_TIMED = {
    "one": ("worked_with", "turned_around", "crime_asb_education", "continuous_employment"),
    "two": ("sustained_progress",),
}


def headline(name: str) -> str:
    """Say in one sentence what was claimed in a phase, and what it takes to hold.

    Parameters
    ----------
    name : {"one", "two"}
        The phase.
    """
    if name == "two":
        rows = _national("two", ["sustained_progress"])
        last = rows.sort_values("as_of").iloc[-1]
        return (
            f"{as_published(last).capitalize()} were claimed with significant and sustained "
            f"progress by {month(last['as_of'])}; the 2019 study found effects on some outcomes."
        )
    found, shares = marks(), break_even_2015()["share"]
    claimed = figure("progress_national", "turned_around", as_of="2015-05").value
    return (
        f"{claimed:,.0f} families ({percent(national_share())}) were claimed as turned around, "
        f"{found.observed} of {found.known} authorities with a known final claim at exactly 100%; "
        f"the claimed saving breaks even only if {percent(min(shares[0], shares[2]))} to "
        f"{percent(max(shares[0], shares[2]))} of the change was the programme's own."
    )


def national_share() -> float:
    """Return the last share of families claimed as turned around in phase one."""
    claimed = figure("progress_national", "turned_around", as_of="2015-05").value
    return claimed / phase("one").families.value


def over_time_chart(name: str) -> Chart:
    """Return the national claims over time by kind."""
    lines = claims_over_time(name)
    lines = lines[lines["figure"].isin(_TIMED[name])]
    wide = lines.pivot_table(index="as_of", columns="figure", values="high")
    wide = wide[list(_TIMED[name])].rename(columns=MEASURE_NAMES)
    wide.index = pd.PeriodIndex(wide.index, freq="M").to_timestamp()
    last = wide.ffill().iloc[-1]
    listed = "; ".join(f"{label} {value:,.0f}" for label, value in last.items())
    return line_chart(
        wide.rename_axis(None, axis=1),
        title=f"Families claimed over time, {PHASE_TITLES[name]}",
        alt=f"Line chart of families by month of the count. Last counts: {listed}.",
        y_label="Families",
        sources=distinct_sources(_national(name, _TIMED[name])),
    )


def over_time_table(name: str) -> Table:
    """Return every published national count with its source."""
    rows = _national(name, MEASURE_NAMES)
    rows = rows.sort_values(["as_of", "figure"], kind="stable")
    frame = pd.DataFrame(
        {
            "As of": rows["as_of"].map(month),
            "Measure": rows["figure"].map(MEASURE_NAMES),
            "As published": [as_published(row) for _, row in rows.iterrows()],
        }
    )
    return table(with_sources(frame, rows), caption=f"National counts, {PHASE_TITLES[name]}")


def _national(name: str, measures: Iterable[str]) -> pd.DataFrame:
    rows = published("progress_national")
    return rows[(rows["period"] == period(name)) & rows["figure"].isin(list(measures))]


def funnel_chart(local_authority: str = ALL) -> Chart:
    """Return the funnel plot of phase one's final claims by authority.

    Parameters
    ----------
    local_authority : str, default "all"
        Named in the plot, where its claim is known.
    """
    claims = final_claims().dropna(subset=["turned_around"])
    centre = national_share()
    sizes = np.unique(np.geomspace(5, claims["targeted"].max() * 1.05, 160).round())
    limits = {name: control_limits(sizes, centre, level) for name, level in _LEVELS.items()}
    full = int((claims["share"] == 1).sum())
    named = [] if local_authority == ALL else [authority(local_authority)["name"]]
    low, _ = control_limits(claims["targeted"].to_numpy(), centre, 0.998)
    below = int((claims["share"] < low).sum())
    return funnel_plot(
        claims["targeted"],
        claims["share"],
        names=list(claims["area"]),
        label=[name for name in named if name in set(claims["area"])],
        centre=centre,
        limit_sizes=sizes,
        limits=limits,
        title="Families claimed as turned around at the end of phase one, by authority",
        alt=f"Funnel plot of {len(claims)} authorities with a final claim published: share "
        f"turned around against families targeted. {full} stand at exactly 100%; {below} lie "
        f"below the 99.8% limits about the national share of {centre:.1%}.",
        sources=distinct_sources(claims),
    )


_LEVELS = {"95%": 0.95, "99.8%": 0.998}


def marks() -> FullMarks:
    """Return how many authorities claimed all their families, beside chance."""
    return full_marks(final_claims(), national_share())


def full_marks_table() -> Table:
    """Return whether more authorities claimed 100% than chance allows."""
    found = marks()
    frame = pd.DataFrame(
        [
            ("Authorities with a published target", f"{found.authorities}"),
            ("of them with an exact final claim", f"{found.known}"),
            ("of them at exactly 100%", f"{found.observed}"),
            ("Expected at 100%, if chance alone scattered them", f"{found.expected:.1f}"),
            ("Chance of as many or more", _chance(found.probability)),
        ],
        columns=["Full marks", "Value"],
    )
    note = (
        f"Chance: every family turned around independently at the national share of "
        f"{found.share:.1%}. All authorities with a target can score by chance, but only those "
        "with a known claim can be observed, so the comparison favours chance. What is published "
        "was published by councils and newspapers: an authority at 100% may be likelier to say so, "
        "which cannot raise the count above what was observed."
    )
    return table(
        frame,
        caption="Are there more 100% authorities than chance allows?",
        sources=distinct_sources(final_claims().dropna(subset=["url"])),
        notes=note,
    )


def _chance(probability: float) -> str:
    return "less than 1 in 1,000,000" if probability < 1e-6 else f"{probability:.2g}"


def claims_table(local_authority: str = ALL, name: str = "one") -> Table:
    """Return the latest claim of each authority with target, share and source.

    Parameters
    ----------
    local_authority : str, default "all"
        Only this authority.
    name : {"one", "two"}
        The phase.
    """
    rows = claims_by_authority(phase=name)
    if local_authority != ALL:
        rows = rows[rows["code"] == authority(local_authority)["code"]]
    frame = pd.DataFrame(
        {
            "Authority": rows["area"],
            "Region": rows["region"],
            "Targeted": rows["targeted"],
            "Turned around": rows["turned_around"],
            "Share": rows["share"],
            "As of": rows["as_of"].map(month),
            "Exact": rows["exact"],
        }
    )
    whole = "{:,.0f}".format
    return table(
        with_sources(frame, rows),
        caption=f"Latest published claim by authority, {PHASE_TITLES[name]}",
        formats={"Targeted": whole, "Turned around": whole, "Share": percent},
        notes=None if len(rows) else "No claim with a target was found in a published source.",
    )


def group_table(area_code: str, as_of: str) -> Table:
    """Return what a group's total says of each of its authorities.

    Parameters
    ----------
    area_code, as_of : str
        As in `tfeval.programme.areas.member_bounds`.
    """
    bounds = member_bounds(area_code, as_of)
    silent = unpublished_bounds(area_code, as_of)
    rows = published("progress_areas")
    rows = rows[(rows["area_code"] == area_code) & (rows["as_of"] == as_of)]
    total = rows[rows["figure"] == "turned_around"].iloc[0]
    whole = "{:,.0f}".format
    lines = [
        (row["area"], "" if pd.isna(row["published"]) else whole(row["published"]),
         span(row["low"], row["high"], whole))
        for _, row in bounds.iterrows()
    ]  # fmt: skip
    if len(silent["areas"]) > 1:
        both = " and ".join(silent["areas"])
        lines.append((f"{both} together", "", span(silent["low"], silent["high"], whole)))
    lines.append((f"{total['area']} in all", whole(total["value"]), whole(total["value"])))
    members = published("progress_local")
    used = members[members["area_code"].isin(bounds["code"])]
    return table(
        pd.DataFrame(
            lines, columns=["Authority", f"Published for {month(as_of)}", "Must lie within"]
        ),
        caption=f"Families turned around in {total['area']}, {month(as_of)}",
        sources=[*sources(rows), *distinct_sources(used)],
        notes="Counts only grow, and the members add up to the total: so each authority lies "
        "between its last count before and its first after, and within what the others leave.",
    )
