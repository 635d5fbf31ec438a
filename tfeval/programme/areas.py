"""What an area's published total says of the authorities in it that published nothing."""

from __future__ import annotations

import pandas as pd

from tfeval.errors import DataError
from tfeval.programme.cumulative import first_month, last_month
from tfeval.programme.published import published


def member_bounds(area_code: str, as_of: str, measure: str = "turned_around") -> pd.DataFrame:
    """Bound each member authority's count by what its group and the other members published.

    A count only ever grows, so an authority's count at a date lies between the latest published
    before (or at) it and the earliest published after it, or its target. What the group's total
    leaves after the bounds of the others narrows it further.

    Parameters
    ----------
    area_code : str
        Code of a group in the published table `progress_areas`, such as Merseyside's E11000002.
    as_of : str
        Month (YYYY-MM) for which the group's total was published.
    measure : str, default "turned_around"
        What is counted.

    Returns
    -------
    DataFrame
        One row a member: `code`, `area`, `low`, `high` (families) and `published` (the count at
        that very month, missing where there is none).

    Raises
    ------
    DataError
        If the group has no such total, or the published counts contradict each other.

    Examples
    --------
    >>> bounds = member_bounds("E11000002", "2015-02").set_index("area")
    >>> int(bounds.loc["Liverpool", "low"]), int(bounds.loc["Liverpool", "high"])
    (1987, 2105)
    """
    frame, total = _own(area_code, as_of, measure)
    low, high = frame["low"].copy(), frame["high"].copy()
    frame["low"] = low.clip(lower=total - (high.sum() - high))
    frame["high"] = high.clip(upper=total - (low.sum() - low))
    if (frame["low"] > frame["high"]).any():
        raise DataError(
            f"progress_areas.csv: the total of {area_code} at {as_of} contradicts its members'"
            " counts: check both."
        )
    return frame


def _own(area_code: str, as_of: str, measure: str) -> tuple[pd.DataFrame, float]:
    """Return what each member's own published counts allow, and the group's total."""
    total, members = _group(area_code, as_of, measure)
    names = published("local_authorities").set_index("code")["name"]
    counts = published("progress_local")
    counts = counts[counts["period"] == "2012-15"]
    rows = []
    for code in members:
        own = counts[counts["area_code"] == code]
        rows.append({"code": code, "area": names[code], **_own_bounds(own, as_of, measure, total)})
    return pd.DataFrame(rows), total


def unpublished_bounds(area_code: str, as_of: str, measure: str = "turned_around") -> dict:
    """Bound together the members of a group of which nothing was published by that month.

    Parameters
    ----------
    area_code, as_of, measure : str
        As in `member_bounds`.

    Returns
    -------
    dict
        `areas` (tuple of names), `low` and `high` (families, for all of them together).

    Examples
    --------
    >>> unpublished_bounds("E11000002", "2015-02")
    {'areas': ('Knowsley', 'Sefton'), 'low': 1136.0, 'high': 1254.0}
    """
    own, total = _own(area_code, as_of, measure)
    silent = own["published"].isna() & (own["low"] == 0)
    others = member_bounds(area_code, as_of, measure)[~silent]
    least = max(0.0, total - float(others["high"].sum()))
    most = min(total - float(others["low"].sum()), float(own.loc[silent, "high"].sum()))
    return {"areas": tuple(own.loc[silent, "area"]), "low": least, "high": most}


def _group(area_code: str, as_of: str, measure: str) -> tuple[float, list[str]]:
    areas = published("progress_areas")
    rows = areas[
        (areas["area_code"] == area_code) & (areas["as_of"] == as_of) & (areas["figure"] == measure)
    ]
    if rows.empty or not rows["members"].iloc[0]:
        raise DataError(
            f"progress_areas.csv: no {measure} of {area_code} at {as_of} with its members."
        )
    return float(rows["value"].iloc[0]), rows["members"].iloc[0].split(";")


def _own_bounds(own: pd.DataFrame, as_of: str, measure: str, total: float) -> dict:
    counts = own[own["figure"] == measure]
    now = counts[counts["as_of"] == as_of]
    # Of a count whose year alone is known, only what that year leaves is known.
    before = counts[last_month(counts["as_of"]) <= as_of]
    after = counts[(first_month(counts["as_of"]) > as_of) & (counts["qualifier"] == "exact")]
    firm = now[now["qualifier"] == "exact"]["value"]
    target = own[own["figure"] == "targeted"]["value"].max()
    ceiling = min([total, *after["value"], *([target] if pd.notna(target) else [])])
    floor = before[before["qualifier"].isin(["exact", "at least"])]["value"].max()
    return {
        "low": float(firm.iloc[0]) if len(firm) else (float(floor) if pd.notna(floor) else 0.0),
        "high": float(firm.iloc[0]) if len(firm) else float(ceiling),
        "published": float(now["value"].iloc[0]) if len(now) else float("nan"),
    }
