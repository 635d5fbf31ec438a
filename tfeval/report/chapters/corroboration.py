"""An authority's own claim beside what every other source allows."""

from __future__ import annotations

from typing import Any

import pandas as pd

from tfeval.display.tables import Table, table
from tfeval.errors import SourceError
from tfeval.impact.balance.tables import NOT_BALANCED
from tfeval.impact.plan.analysis_plan import AnalysisPlan
from tfeval.programme.claims import authority, claims_by_authority, unpublished_bounds
from tfeval.programme.outcomes import is_more_better, outcome_label
from tfeval.programme.phases import phase
from tfeval.programme.published import Source, distinct_sources, figure, published, sources
from tfeval.report.chapters import impact
from tfeval.report.chapters.authority import bounds
from tfeval.report.chapters.budget import funded_families
from tfeval.report.chapters.common import as_published, month, of_phase, percent, pounds
from tfeval.report.chapters.impact import Analysis
from tfeval.report.chapters.specifications import others

# Chapter 4: do other choices say the same? The headline that follows from the page's own rows.

#: What an interval that leaves no effect out says of an outcome.
BETTER, WORSE = "better", "worse"


def headline(analysis: Analysis, rows: pd.DataFrame) -> str:
    """Say what was caused in one sentence, and in another whether other choices say the same.

    Parameters
    ----------
    analysis : Analysis
    rows : DataFrame
        As from `specifications`.
    """
    said = impact.headline(analysis)
    if analysis.balance.verdict().word == NOT_BALANCED:
        return said
    return f"{said} {agreement(rows, analysis.plan)}".rstrip()


def agreement(rows: pd.DataFrame, plan: AnalysisPlan) -> str:
    """Say how many other choices put a primary outcome apart from no effect, and which way.

    Parameters
    ----------
    rows : DataFrame
        As from `specifications`; the first is the choice made.
    plan : AnalysisPlan
        Which outcomes are primary.

    Returns
    -------
    str
        Counts of `others`, and of no other rows of the page's table.
    """
    choices = others(rows, plan)
    if not choices:
        return "No other choice has groups alike and an interval to compare it with."
    ways: dict[str, dict[str, int]] = {}
    apart = 0
    for part in choices.values():
        own = {str(row["outcome"]): way for row in part.to_dict("records")
               if (way := direction(row))}  # fmt: skip
        apart += bool(own)
        for name, way in own.items():
            counts = ways.setdefault(name, {BETTER: 0, WORSE: 0})
            counts[way] += 1
    count = len(choices)
    nouns = "choice" if count == 1 else "choices"
    if not apart:
        return (
            f"Nor does any of {count} other {nouns} with groups alike or partly alike put a "
            "primary outcome apart from no effect."
        )
    return (
        f"The answer hangs on the choice: {apart} of {count} other {nouns} with groups alike or "
        "partly alike put a primary outcome apart from no effect, by intervals not corrected for "
        f"their number: {'; '.join(_counted(name, counts) for name, counts in ways.items())}."
    )


def direction(row: dict[Any, Any]) -> str:
    """Return whether an interval says better or worse; empty where it holds no effect or is none.

    Examples
    --------
    >>> direction({"outcome": "offences", "conf_low": -0.3, "conf_high": -0.1})
    'better'
    >>> direction({"outcome": "offences", "conf_low": -0.3, "conf_high": float("nan")})
    ''
    """
    more = is_more_better(str(row["outcome"]))
    if row["conf_low"] > 0:
        return BETTER if more else WORSE
    if row["conf_high"] < 0 and not pd.isna(row["conf_low"]):
        return WORSE if more else BETTER
    return ""


def _counted(name: str, counts: dict[str, int]) -> str:
    label = outcome_label(name)
    ways = [f"{way} in {count}" for way, count in counts.items() if count]
    return f"{label[0].lower()}{label[1:]} {' and '.join(ways)}"


_SMALL_GROUP = 10
_NATIONAL = ("2015-02", "2015-05")

Line = tuple[str, str]


@of_phase("one")
def corroboration_table(name: str) -> Table:
    """Return an authority's last claim of phase one beside what other sources say and allow.

    Parameters
    ----------
    name : str
        Official name or code.
    of : str, default "one"
        The phase.
    """
    row = authority(name)
    claims = claims_by_authority()
    own = claims[claims["code"] == row["code"]]
    cited: list[Source] = []
    lines: list[Line] = []
    if len(own):
        lines = _claim(own.iloc[0], cited) + fees(
            row["name"], float(own["targeted"].iloc[0]), cited
        )
        lines += _national(own.iloc[0], cited) + _group(row["code"], row["name"], cited)
    return table(
        pd.DataFrame(lines or [("Claims with a target", "none")], columns=["What", "As published"]),
        caption=f"The claim of {row['name']} beside other sources",
        sources=list(dict.fromkeys(cited)) or [sources(row.to_frame().T)[0]],
        notes=_note(row["name"]),
    )


def _note(area: str) -> str | None:
    rows = published("progress_local")
    rows = rows[(rows["area"] == area) & (rows["figure"] == "turned_around")]
    said = [f"{text[0].upper()}{text[1:]}." for text in rows["note"] if text.startswith("page on")]
    return f"Of the source: {' '.join(dict.fromkeys(said))}" if said else None


def _claim(own: pd.Series, cited: list[Source]) -> list[Line]:
    cited += sources(own.to_frame().T)
    rows = published("progress_local")
    rows = rows[(rows["url"] == own["url"]) & (rows["figure"] == "share_turned_around")]
    nation = published("progress_national")
    nation = nation[(nation["url"] == own["url"]) & (nation["figure"] == "share_turned_around")]
    lines = [
        ("Families targeted", f"{own['targeted']:,.0f}"),
        (f"Turned around, {month(own['as_of'])}",
         f"{'' if own['exact'] else 'about '}{own['turned_around']:,.0f}"),
        ("Share of those targeted", percent(own["share"])),
    ]  # fmt: skip
    for _, row in rows.iterrows():
        beside = "".join(f", beside {as_published(one)} nationally" for _, one in nation.iterrows())
        lines.append(("The share as its source prints it", f"{as_published(row)}{beside}"))
    return lines


def fees(area: str, target: float, cited: list[Source]) -> list[Line]:
    """Return what an authority's published fees say of its families; adds to what is cited.

    Parameters
    ----------
    area : str
        Official name.
    target : float
        Families targeted.
    cited : list of Source
        Sources of the table, to which those of the fees are added.
    """
    funded = funded_families(target)
    lines = [("Funded families (five of six)", f"{funded:,}")]
    paid = published("payments_local")
    paid = paid[(paid["area"] == area) & (paid["payment"] == "attachment")]
    for _, fee in paid.iterrows():
        rate = phase("one").tariff.attachment_fee.get(fee["period"])
        if rate:
            families = fee["value"] / rate
            cited += distinct_sources(paid)
            lines.append(
                (
                    f"Attachment fees published for {fee['period']}",
                    f"{pounds(fee['value'])} = {families:,.0f} × {pounds(rate)}, "
                    f"{percent(families / funded)} of the funded families in the first of three "
                    "years",
                )
            )
    return lines


def _national(own: pd.Series, cited: list[Source]) -> list[Line]:
    whole = phase("one").families.value
    lines = []
    for when in _NATIONAL:
        claim = figure("progress_national", "turned_around", as_of=when)
        cited += claim.sources
        lines.append((f"National share, {month(when)}", percent(claim.value / whole)))
    return lines


def _group(code: str, area: str, cited: list[Source]) -> list[Line]:
    """Return what the last total of the authority's group leaves for it, alone and with others."""
    totals = published("progress_areas").query("figure == 'turned_around'")
    totals = totals[[code in members.split(";") for members in totals["members"]]]
    totals = totals[totals["members"].str.count(";") < _SMALL_GROUP].sort_values("as_of")
    if totals.empty:
        return []
    last = totals.iloc[-1]
    cited += sources(last.to_frame().T)
    lines = [(f"What {last['area']}'s total allows", bounds(area))]
    silent = unpublished_bounds(last["area_code"], last["as_of"])
    if area in silent["areas"] and len(silent["areas"]) > 1:
        rows = published("progress_local")
        rows = rows[(rows["period"] == "2012-15") & (rows["figure"] == "turned_around")]
        later = [
            f"{name} {as_published(own.sort_values('as_of').iloc[-1])}"
            for name in silent["areas"]
            if len(own := rows[rows["area"] == name])
        ]
        lines.append(
            (
                f"{' and '.join(silent['areas'])} together, {month(last['as_of'])}",
                f"{silent['low']:,.0f} to {silent['high']:,.0f} families; published since: "
                f"{', '.join(later) or 'nothing'}",
            )
        )
    return lines


# Claims that are remembered but were seen in no source: shown beside what sources allow.


@of_phase("one")
def unverified_table(name: str) -> Table:
    """Return an authority's remembered claim and whether sourced figures leave room for it.

    Nothing in it enters a result.

    Parameters
    ----------
    name : str
        Official name or code.
    """
    area = authority(name)["name"]
    rows = published("progress_local", unverified=True)
    rows = rows[(rows["area"] == area) & (rows["period"] == "2012-15")]
    remembered = rows[rows["status"] == "recalled"].set_index("figure")
    lines, cited = [], list(distinct_sources(rows[rows["status"] == "recalled"]))
    if "targeted" in remembered.index:
        lines += _target(area, float(remembered.loc["targeted", "value"]), cited)
    if "turned_around" in remembered.index:
        lines += _remembered(area, remembered, cited)
    if not lines:
        lines = [("Remembered claims", "none")]
    return table(
        pd.DataFrame(lines, columns=["Not verified", "What it would mean"]),
        caption=f"Remembered but not verified about {area}",
        sources=cited,
        notes="These figures were given to us without a source that could be seen. They are shown "
        "so that a reader can check them, and are used in no result."
        if cited
        else None,
    )


def _target(area: str, target: float, cited: list[Source]) -> list[tuple[str, str]]:
    lines = [("Families targeted", f"{target:,.0f}")]
    return lines + fees(area, target, cited)


def _remembered(area: str, remembered: pd.DataFrame, cited: list[Source]) -> list[tuple[str, str]]:
    value = remembered["value"].astype(float).to_dict()
    when = str(remembered.loc["turned_around", "as_of"])
    lines = [(f"Families turned around, {month(when)}", f"{value['turned_around']:,.0f}")]
    if "targeted" in value:
        share = value["turned_around"] / value["targeted"]
        lines.append(("Share of those targeted", percent(share)))
    try:
        national = figure("progress_national", "turned_around", as_of=when)
    except SourceError:
        return lines
    cited.extend(national.sources)
    whole = national.value / phase("one").families.value
    lines.append((f"National share, {month(when)} (sourced)", percent(whole)))
    lines.append(("What sourced figures allow", bounds(area)))
    return lines
