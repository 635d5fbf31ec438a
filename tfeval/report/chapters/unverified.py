"""Claims that are remembered but were seen in no source: shown beside what sources allow."""

from __future__ import annotations

import pandas as pd

from tfeval.display.tables import Table, table
from tfeval.errors import SourceError
from tfeval.programme.claims import authority
from tfeval.programme.phases import phase
from tfeval.programme.published import Source, distinct_sources, figure, published
from tfeval.report.chapters.authority import bounds
from tfeval.report.chapters.common import month, of_phase, percent
from tfeval.report.chapters.corroboration import fees


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
        lines += _claim(area, remembered, cited)
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


def _claim(area: str, remembered: pd.DataFrame, cited: list[Source]) -> list[tuple[str, str]]:
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
