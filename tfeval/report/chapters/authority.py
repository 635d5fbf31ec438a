"""One authority: its targets, claims, payments and place among the others."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd

from tfeval.display.charts import line_chart
from tfeval.display.figures import Chart
from tfeval.display.tables import Table, table
from tfeval.programme.areas import doses
from tfeval.programme.claims import authority, claims_by_authority, final_claims, member_bounds
from tfeval.programme.ledger import fundable, maximum_payable
from tfeval.programme.phases import period
from tfeval.programme.phases import phase as phase_of
from tfeval.programme.published import distinct_sources, published, sources
from tfeval.report.chapters.claims import group_table, national_share
from tfeval.report.chapters.common import (
    MEASURE_NAMES,
    as_published,
    month,
    of_phase,
    percent,
    pounds,
    with_sources,
)

_TIMED = ("identified", "worked_with", "turned_around")
_SMALL_GROUP = 10


def headline(name: str, phase: str = "one") -> str:
    """Say in one sentence what was targeted and claimed for an authority in a phase.

    Parameters
    ----------
    name : str
        Official name or code.
    phase : str, default "one"
        The phase.

    Examples
    --------
    >>> headline("Wakefield")
    'Wakefield: 925 of 930 families (99.5%) claimed as turned around by May 2014.'
    >>> headline("Rutland")
    'Rutland: no target and no claim of phase one was found in a published source.'
    >>> headline("Medway", "two")
    'Medway: 2,060 families claimed by March 2020; no target of phase two was found in a source.'
    """
    area = authority(name)["name"]
    rules = phase_of(phase)
    claims = claims_by_authority(phase=phase)
    own = claims[claims["area"] == area]
    if len(own):
        row = own.iloc[0]
        return (
            f"{area}: {'' if row['exact'] else 'about '}{row['turned_around']:,.0f} of "
            f"{row['targeted']:,.0f} families ({percent(row['share'])}) claimed as turned around "
            f"by {month(row['as_of'])}."
        )
    counts = _own(area, phase)
    for measure, words in (("targeted", "targeted"), ("turned_around", "claimed")):
        counted = counts[counts["figure"] == measure]
        if len(counted):
            last, other = counted.iloc[-1], "claim" if measure == "targeted" else "target"
            return (
                f"{area}: {as_published(last)} {words} by {month(last['as_of'])}; no {other} of "
                f"{rules.words} was found in a source."
            )
    remembered = _remembered(area, rules.period)
    return (
        f"{area}: no target and no claim of {rules.words} was found in a published source."
        f"{remembered}"
    )


def _remembered(area: str, period: str) -> str:
    rows = published("progress_local", unverified=True)
    rows = rows[(rows["area"] == area) & (rows["status"] == "recalled")]
    rows = rows[rows["period"] == period]
    value = rows.drop_duplicates("figure").set_index("figure")["value"]
    if not {"targeted", "turned_around"} <= set(value.index):
        return ""
    share = percent(value["turned_around"] / value["targeted"])
    return (
        f" A claim of {value['turned_around']:,.0f} of {value['targeted']:,.0f} families ({share}) "
        "is given without a source: it is not verified and used in no result."
    )


def counts_table(name: str, phase: str = "one") -> Table:
    """Return every published count of an authority, unverified ones marked as such.

    Parameters
    ----------
    name : str
        Official name or code.
    phase : str, default "one"
    """
    area = authority(name)["name"]
    rows = published("progress_local", unverified=True)
    rows = rows[(rows["area"] == area) & (rows["period"] == period(phase))].sort_values(
        ["period", "as_of", "figure"], kind="stable"
    )
    frame = pd.DataFrame(
        {
            "As of": rows["as_of"].map(month),
            "Period": rows["period"],
            "Measure": rows["figure"].map(MEASURE_NAMES),
            "As published": [as_published(row) for _, row in rows.iterrows()],
            "Standing": rows["status"].map(
                {"read": "seen in the source", "recalled": "not verified: used in no result"}
            ),
        }
    )
    note = (
        None if len(rows) else
        f"Nothing about {area} in {phase_of(phase).words} was found in a published source."
    )  # fmt: skip
    return table(with_sources(frame, rows), caption=f"What was published about {area}", notes=note)


@of_phase("one")
def progress_chart(name: str) -> Chart | Table:
    """Return an authority's counts over time, or a table where there are too few to draw.

    Parameters
    ----------
    name : str
        Official name or code.
    phase : str, default "one"
        The phase.
    """
    area = authority(name)["name"]
    rows = _own(area, "one")
    rows = rows[rows["figure"].isin(_TIMED) & (rows["as_of"].str.len() == len("2015-05"))]
    wide = rows.pivot_table(index="as_of", columns="figure", values="value", aggfunc="max")
    # The claim of the headline: where its kinds were published apart, their sum is the last point.
    claims = claims_by_authority(phase="one")
    for claim in claims[claims["area"] == area].itertuples() if len(wide) else ():
        wide.loc[claim.as_of, "turned_around"] = claim.turned_around
    # A count only grows: a lower one behind it is the same, rounded.
    wide = wide.sort_index().cummax()
    if len(wide) < 2:
        few = "one month" if len(wide) else "no month"
        return table(
            pd.DataFrame({"Counts over time": [f"Published for {few}: nothing to draw."]}),
            caption=f"Progress of {area} over time",
        )
    wide = wide[[measure for measure in _TIMED if measure in wide]].rename(columns=MEASURE_NAMES)
    wide.index = pd.PeriodIndex(wide.index, freq="M").to_timestamp()
    last = "; ".join(f"{label} {value:,.0f}" for label, value in wide.ffill().iloc[-1].items())
    return line_chart(
        wide.rename_axis(None, axis=1),
        title=f"Progress of {area} in phase one, as published",
        alt=f"Line chart of families in {area} by month of the count. Last counts: {last}.",
        y_label="Families",
        sources=distinct_sources(rows),
    )


def money_table(name: str, phase: str = "one") -> Table:
    """Return what the tariff could pay an authority for the families it was asked to turn around.

    Parameters
    ----------
    name : str
        Official name or code.
    phase : str, default "one"
        The phase.
    """
    area = authority(name)["name"]
    rows = _own(area, phase)
    rows = rows[rows["figure"] == "targeted"].drop_duplicates("value")
    rules = phase_of(phase)
    tariff = rules.tariff
    funded = "Funded (five of six)" if tariff.funded_share < 1 else "Funded"
    frame = pd.DataFrame(
        {
            "Families targeted": rows["value"],
            funded: fundable(rows["value"], tariff.funded_share),
            "Most that the tariff could pay": [
                maximum_payable(value, tariff) for value in rows["value"]
            ],
        }
    )
    whole = "{:,.0f}"
    note = None if len(rows) else "Without a published target there is nothing to work out."
    return table(
        with_sources(frame, rows),
        caption=f"What {rules.words} could pay {area}",
        formats={
            "Families targeted": whole,
            funded: whole,
            "Most that the tariff could pay": pounds,
        },
        notes=note,
    )


@of_phase("one")
def place_table(name: str) -> Table:
    """Return an authority's place among the others, by size and by final claim.

    Parameters
    ----------
    name : str
        Official name or code.
    phase : str, default "one"
        The phase.
    """
    row = authority(name)
    final = final_claims()
    own = final[final["code"] == row["code"]]
    claimed = final.dropna(subset=["share"])
    lines = [
        ("Region", row["region"]),
        ("National share claimed, May 2015", percent(national_share())),
    ]
    if len(own):
        larger = int((final["targeted"] > own["targeted"].iloc[0]).sum())
        lines.append(("Place by families targeted", f"{larger + 1} of {len(final)} with a target"))
    if len(own) and own["share"].notna().all():
        share = own["share"].iloc[0]
        better = int((claimed["share"] > share).sum())
        tied = int((claimed["share"] == share).sum())
        lines.append(("Final share claimed", percent(share)))
        lines.append(
            ("Place by final share", f"{better + 1} of {len(claimed)}, shared by {tied}")
            if tied > 1
            else ("Place by final share", f"{better + 1} of {len(claimed)}")
        )
    else:
        lines.append(("Final share claimed", "none that is dated as final"))
    return table(
        pd.DataFrame(lines, columns=["Place", "Value"]),
        caption=f"{row['name']} among the other authorities",
        sources=distinct_sources(own.dropna(subset=["url"])) or [sources(row.to_frame().T)[0]],
        notes="Only authorities whose target and claim were found in a published source count.",
    )


#: How many authorities most alike, and how many nearest, stand beside one.
_ALIKE, _NEAR = 5, 3
_EARTH_KM = 6371.0


@of_phase("one")
def neighbours_table(name: str) -> Table:
    """Return what the authorities most alike, and the nearest, claimed beside this one.

    Alike in deprivation (2010), children (2012) and families to be turned around for each child,
    the last two as logarithms, all in standard deviations over authorities. Claims do not choose
    them: a neighbour's claim is what a reader wants to compare. Published figures alone.

    Parameters
    ----------
    name : str
        Official name or code.
    phase : str, default "one"
        The phase.
    """
    row, places = authority(name), _places()
    own = places.loc[row["code"]]
    claims = claims_by_authority(phase="one").set_index("code")
    lines, cited, shown = [], [], [(row["code"], "this one"), *_neighbours(places, row["code"])]
    for code, why in shown:
        area = places.loc[code]
        claim = claims.loc[code] if code in claims.index else _claim_alone(area["name"])
        cited += [] if claim is None else [claim]
        lines.append({
            "Authority": area["name"], "Why here": why,
            "Deprivation, 2010": area["deprivation"], "Children, 2012": area["children"],
            "Families per 10,000 children": area["target_rate"],
            "Claimed as turned around": None if claim is None else _claim_words(claim),
            "By": None if claim is None else month(claim["as_of"]),
        })  # fmt: skip
    measures = published("area_measures")
    used = measures["measure"].isin(["deprivation_2010", "children", "longitude"])
    claimed = sum(code in claims.index for code, _ in shown[1:])
    modelled = "" if pd.notna(own["target_rate"]) else (
        f" No target of {row['name']} was published: the one that a model of deprivation and "
        "children gives stands in for it here."
    )  # fmt: skip
    return table(
        pd.DataFrame(lines), caption=f"{row['name']} and its neighbours, phase one",
        formats={"Deprivation, 2010": "{:.1f}", "Children, 2012": "{:,.0f}",
                 "Families per 10,000 children": "{:,.0f}"},
        missing="not published where looked",
        sources=[*(distinct_sources(pd.DataFrame(cited)) if cited else ()),
                 *distinct_sources(measures[used])],
        notes=[
            f"Alike: the {_ALIKE} nearest in deprivation (index of 2010), children aged 0-17 and "
            f"families to be turned around for each, published or modelled.{modelled} Nearby: the "
            f"{_NEAR} whose centres are nearest.",
            f"Of these neighbours {claimed} of {len(shown) - 1} have a claim and a target that "
            "were published. Claims are what authorities declared, at different dates; that two "
            "are alike does not say that they should have claimed alike.",
        ],
    )  # fmt: skip


@lru_cache(maxsize=1)
def _places() -> pd.DataFrame:
    """Return what neighbours are chosen by, and the names, by code."""
    frame, facts = doses().set_index("code"), published("area_facts").set_index("code")
    return frame.assign(
        deprivation=facts["deprivation_2010"], longitude=facts["longitude"],
        latitude=facts["latitude"],
    )  # fmt: skip


def _neighbours(places: pd.DataFrame, code: str) -> list[tuple[str, str]]:
    """Return codes of neighbours and why each is one, those alike first."""
    scale = pd.DataFrame({
        "deprivation": places["deprivation"], "children": np.log(places["children"]),
        "dose": np.log(places["completed_rate"]),
    })  # fmt: skip
    apart = (scale - scale.loc[code]) / scale.std()
    alike = (apart**2).sum(axis=1, skipna=False).drop(code).dropna()
    nearest = alike.sort_values(kind="stable").index[:_ALIKE]
    far = _kilometres(places, code).drop(code).dropna().sort_values(kind="stable")[:_NEAR]
    reasons = dict.fromkeys(map(str, nearest), "alike")
    for other, distance in zip(map(str, far.index), far, strict=True):
        near = f"nearby, {distance:,.0f} km"
        reasons[other] = f"alike and {near}" if other in reasons else near
    return list(reasons.items())


def _kilometres(places: pd.DataFrame, code: str) -> pd.Series:
    """Return the distance of every authority's centre from one's, over the globe."""
    east, north = (np.radians(places[name]) for name in ("longitude", "latitude"))
    across, up = east - east[code], north - north[code]
    part = np.sin(up / 2) ** 2 + np.cos(north) * np.cos(north[code]) * np.sin(across / 2) ** 2
    return 2 * _EARTH_KM * np.arcsin(np.sqrt(part))


def _claim_alone(area: str) -> pd.Series | None:
    """Return the latest claim of an authority whose target was not published, if there is one."""
    rows = _own(area, "one").query("figure == 'turned_around'")
    return None if rows.empty else rows.iloc[-1]


def _claim_words(claim: pd.Series) -> str:
    if "targeted" not in claim:
        return as_published(claim)
    mark = "" if claim["exact"] else "about "
    return (
        f"{mark}{claim['turned_around']:,.0f} of {claim['targeted']:,.0f} "
        f"({percent(claim['share'])})"
    )


@of_phase("one")
def group_or_region_table(name: str) -> Table:
    """Return what an authority's group says of it; else the published totals of its region.

    Parameters
    ----------
    name : str
        Official name or code.
    """
    row = authority(name)
    areas = published("progress_areas")
    areas = areas[[row["code"] in members.split(";") for members in areas["members"]]]
    totals = areas[areas["figure"] == "turned_around"].copy()
    totals["size"] = totals["members"].str.count(";") + 1
    small = totals[totals["size"] <= _SMALL_GROUP].sort_values("as_of")
    if len(small):
        last = small.iloc[-1]
        return group_table(last["area_code"], last["as_of"])
    frame = pd.DataFrame(
        {
            "Area": areas["area"],
            "As of": areas["as_of"].map(month),
            "Measure": areas["figure"].map(MEASURE_NAMES),
            "As published": [as_published(line) for _, line in areas.iterrows()],
        }
    )
    return table(
        with_sources(frame, areas),
        caption=f"Published totals of the areas that hold {row['name']}",
        notes=None if len(areas) else "No total of its region was found in a published source.",
    )


def bounds(name: str) -> str:
    """Say within which bounds an authority's last claim must lie, from its group's total.

    Parameters
    ----------
    name : str
        Official name or code.

    Examples
    --------
    >>> bounds("Wirral")[:50]
    'By the total of Merseyside, Wirral had between 727'
    """
    row = authority(name)
    areas = published("progress_areas").query("figure == 'turned_around'")
    areas = areas[[row["code"] in members.split(";") for members in areas["members"]]]
    small = areas[areas["members"].str.count(";") < _SMALL_GROUP].sort_values("as_of")
    if small.empty:
        return f"No group of authorities with a published total holds {row['name']}."
    last = small.iloc[-1]
    own = member_bounds(last["area_code"], last["as_of"]).set_index("code").loc[row["code"]]
    return (
        f"By the total of {last['area']}, {row['name']} had between {own['low']:,.0f} and "
        f"{own['high']:,.0f} families turned around in {month(last['as_of'])}."
    )


def _own(area: str, name: str) -> pd.DataFrame:
    rows = published("progress_local")
    return rows[(rows["area"] == area) & (rows["period"] == period(name))].sort_values("as_of")
