"""Chapter 6: what the total of a group of authorities says of each of its members."""

from __future__ import annotations

import pandas as pd

from tfeval.display.tables import Table, table
from tfeval.programme.areas import member_bounds, unpublished_bounds
from tfeval.programme.published import distinct_sources, published, sources
from tfeval.report.chapters.common import month, of_phase, span


@of_phase("one")
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
