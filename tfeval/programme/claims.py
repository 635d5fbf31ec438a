"""Claims of families turned around: by authority, over time, and against chance."""

from __future__ import annotations

import csv
import re

import numpy as np
import pandas as pd

from tfeval.errors import DataError, ParameterError, nearest, suggest
from tfeval.programme.cumulative import FullMarks as FullMarks  # noqa: PLC0414 (from here, too)
from tfeval.programme.cumulative import first_month, last_month, latest_counts
from tfeval.programme.cumulative import full_marks as full_marks  # noqa: PLC0414
from tfeval.programme.phases import period
from tfeval.programme.published import published, remembered
from tfeval.settings import project_folder

# What the published tables allow a parameter to be: authorities, price years, editions.


def _rows(table: str) -> list[dict[str, str]]:
    # The csv module and not pandas: a mistyped parameter is refused within the blink of an eye.
    path = project_folder("data") / "published" / f"{table}.csv"
    if not path.is_file():
        raise DataError(f"data/published/{table}.csv is missing: it says which values are allowed.")
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def authorities() -> dict[str, str]:
    """Return the upper-tier local authorities, ONS code to name."""
    return {row["code"]: row["name"] for row in _rows("local_authorities")}


def price_years() -> tuple[int, int]:
    """Return the first and last price year with a deflator; 2014 means 2014-15."""
    years = [
        int(row["period"][:4])
        for row in _rows("deflators")
        if row["figure"] == "gdp_deflator_financial_year"
        and re.fullmatch(r"\d{4}-\d\d", row["period"])
    ]
    if not years:
        raise DataError("data/published/deflators.csv has no gdp_deflator_financial_year.")
    return min(years), max(years)


def green_book_editions() -> tuple[str, ...]:
    """Return the editions of the Green Book with a discount schedule, in order."""
    rows = _rows("discount_rates")
    return tuple(sorted({row["edition"] for row in rows if row.get("status", "read") == "read"}))


def local_authority(value: str) -> str:
    """Return "all" or an authority's official name, from its name or ONS code in any case.

    Raises
    ------
    ParameterError
        If there is no such authority; the message offers the nearest.
    """
    wanted = " ".join(value.split()).casefold()
    if wanted == "all":
        return "all"
    names = authorities()
    for code, name in names.items():
        if wanted in (code.casefold(), name.casefold()):
            return name
    near = nearest(" ".join(value.split()), names.values())
    hint = f'Give "all", an ONS code, or one of the {len(names)} names.'
    if near:
        hint = f"Did you mean {near}?"
    raise ParameterError(f'There is no upper-tier local authority "{value}". {hint}')


def regions() -> tuple[str, ...]:
    """Return the nine regions of England, by name."""
    return tuple(sorted({row["region"] for row in _rows("local_authorities") if "region" in row}))


def region_of(value: str) -> str:
    """Return a region's official name, from its name in any case.

    Raises
    ------
    ParameterError
        If there is no such region.

    Examples
    --------
    >>> region_of("north west"), len(regions())
    ('North West', 9)
    """
    wanted = " ".join(value.split()).casefold()
    region = next((name for name in regions() if name.casefold() == wanted), None)
    if region is None:
        raise ParameterError(f'There is no region "{value}". {suggest(value, regions())}')
    return region


def edition(value: str | int) -> str | int:
    """Return an edition of the Green Book whose rates are held, as it was given.

    Raises
    ------
    ParameterError
        If there is no such edition; the message lists those known.
    """
    known = green_book_editions()
    if str(value) not in known:
        raise ParameterError(
            f'There is no Green Book edition "{value}" here. Known: {", ".join(known)}.'
        )
    return value


#: Kinds of claim that together make "turned around"; progress to work stands beside the first.
KINDS = ("crime_asb_education", "continuous_employment")


def authority(name: str) -> pd.Series:
    """Return the local authority of that name or ONS code.

    Parameters
    ----------
    name : str
        Official name, in any case, or code.

    Returns
    -------
    Series
        `code`, `name`, `region`, `kind` and source.

    Raises
    ------
    ParameterError
        If there is none, with the nearest name.

    Examples
    --------
    >>> authority("sefton")["code"]
    'E08000014'
    """
    frame = published("local_authorities")
    wanted = name.strip().casefold()
    rows = frame[
        (frame["name"].str.casefold() == wanted) | (frame["code"].str.casefold() == wanted)
    ]
    if rows.empty:
        raise ParameterError(f"There is no local authority {name}. {suggest(name, frame['name'])}")
    return rows.iloc[0]


@remembered
def claims_by_authority(as_of: str | None = None, phase: str = "one") -> pd.DataFrame:
    """Return the latest published claim of each authority for which a target was published too.

    Parameters
    ----------
    as_of : str, optional
        Only claims as of this month (YYYY-MM) or earlier; by default all. A claim of which the
        year alone is known counts from December of it.
    phase : str
        Which phase's claims.

    Returns
    -------
    DataFrame
        One row an authority: `code`, `area`, `region`, `targeted`, `turned_around` (families),
        `share` (turned around of targeted), `as_of`, `exact` (False where the source rounds, or
        says "over") and the source columns of the claim. Where sources give several targets an
        exact one counts before a rounded, and the largest of either. Claims only grow, so the
        largest exact one counts, and one that is not exact only if it is later and must be more
        (`latest_counts`); where a source gives only the kinds of claim, their sum.

    Examples
    --------
    >>> claims = claims_by_authority("2014-05").set_index("area")
    >>> int(claims.loc["Wakefield", "turned_around"]), int(claims.loc["Wakefield", "targeted"])
    (925, 930)
    """
    rows = _local(phase)
    claims = _turned_around(rows)
    if as_of is not None:
        claims = claims[last_month(claims["as_of"]) <= as_of]
    return _with_targets(latest_counts(claims), _targets(rows))


def _targets(rows: pd.DataFrame) -> pd.Series:
    """Return each authority's target: the largest exact one, else the largest."""
    rows = rows[rows["figure"] == "targeted"]
    rows = rows.assign(exact=rows["qualifier"] == "exact").sort_values(["exact", "value"])
    return rows.drop_duplicates("area_code", keep="last").set_index("area_code")["value"]


def _with_targets(claims: pd.DataFrame, targets: pd.Series) -> pd.DataFrame:
    claims = claims[claims["area_code"].isin(targets.index)]
    regions = published("local_authorities").set_index("code")["region"]
    frame = pd.DataFrame(
        {
            "code": claims["area_code"],
            "area": claims["area"],
            "region": claims["area_code"].map(regions),
            "targeted": claims["area_code"].map(targets),
            "turned_around": claims["value"],
            "as_of": claims["as_of"],
            "exact": claims["qualifier"] == "exact",
        }
    )
    frame.insert(5, "share", frame["turned_around"] / frame["targeted"])
    source_columns = ["source_title", "publisher", "date", "url", "status"]
    return frame.join(claims[source_columns]).sort_values("area").reset_index(drop=True)


def _turned_around(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the claims in all, adding up the kinds where a source gave only these."""
    claims = rows[rows["figure"] == "turned_around"]
    keys = ["area_code", "as_of", "url"]
    kinds = rows[rows["figure"].isin(KINDS) & (rows["qualifier"] == "exact")]
    whole = kinds.groupby(keys)["figure"].transform("nunique") == len(KINDS)
    kinds = kinds[whole]
    sums = kinds.drop_duplicates(keys).assign(figure="turned_around")
    sums["value"] = kinds.groupby(keys)["value"].transform("sum")[sums.index]
    return pd.concat([claims, sums]).drop_duplicates(keys, keep="first")


def _local(phase: str) -> pd.DataFrame:
    rows = published("progress_local")
    return rows[rows["period"] == period(phase)]


@remembered
def final_claims(since: str = "2015-05") -> pd.DataFrame:
    """Return phase one's targets by authority, and the claim at its end where it is known.

    Parameters
    ----------
    since : str, default "2015-05"
        The month (YYYY-MM) from which a claim counts as the final one. An earlier exact claim of
        all the families targeted counts too, since counts only grow: such an authority is among
        the known ones because it stands at 100%, and `early` says so.

    Returns
    -------
    DataFrame
        As `claims_by_authority`, and `early`; `turned_around` and `share` are missing where no
        final claim was published. A claim that is not exact is never below an exact one before.

    Examples
    --------
    >>> bristol = final_claims().set_index("area").loc["Bristol"]
    >>> int(bristol["turned_around"]), bool(bristol["exact"]), bool(bristol["early"])
    (1355, True, True)
    """
    rows = _local("one")
    targets, claims = _targets(rows), _turned_around(rows)
    exact = claims["qualifier"] == "exact"
    whole = exact & (claims["value"] == claims["area_code"].map(targets))
    late = first_month(claims["as_of"]) >= since
    last = _with_targets(latest_counts(claims[late | whole]), targets)
    before = claims[exact].groupby("area_code")["value"].max()
    least = last["code"].map(before).fillna(0.0)
    last["turned_around"] = last["turned_around"].where(last["exact"], np.maximum(
        last["turned_around"], least))  # fmt: skip
    last["share"] = last["turned_around"] / last["targeted"]
    last["early"] = first_month(last["as_of"]) < since
    names = rows.drop_duplicates("area_code").set_index("area_code")["area"]
    frame = targets.rename("targeted").rename_axis("code").reset_index()
    frame.insert(1, "area", frame["code"].map(names))
    frame = frame.merge(last.drop(columns=["area", "targeted"]), on="code", how="left")
    for name in ("exact", "early"):
        frame[name] = frame[name].eq(True)
    return frame.sort_values("area").reset_index(drop=True)


def claims_over_time(phase: str = "one") -> pd.DataFrame:
    """Return the national claims by month and kind.

    Parameters
    ----------
    phase : str
        Which phase's claims.

    Returns
    -------
    DataFrame
        `as_of`, `figure` (a measure), `low`, `high` (families; they differ where sources
        disagree), and whether every source is `exact`.
    """
    rows = published("progress_national")
    rows = rows[(rows["period"] == period(phase)) & (rows["unit"] == "families")]
    grouped = rows.groupby(["figure", "as_of"], sort=True)
    frame = grouped["value"].agg(low="min", high="max")
    frame["exact"] = grouped["qualifier"].agg(lambda marks: bool((marks == "exact").all()))
    return frame.reset_index()


def control_limits(
    targeted: np.ndarray, share: float, level: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return binomial control limits of a funnel plot.

    Parameters
    ----------
    targeted : ndarray of float
        Families targeted.
    share : float
        The share about which authorities would scatter by chance alone.
    level : float
        Two-sided coverage, such as 0.95 or 0.998.

    Returns
    -------
    low, high : ndarray of float
        Shares between 0 and 1.

    References
    ----------
    Spiegelhalter (2005), Funnel plots for comparing institutional performance, Statistics in
    Medicine 24, appendix A.1.1: exact limits, interpolated between whole counts.

    Examples
    --------
    >>> low, high = control_limits(np.array([650.0]), 0.9, 0.95)
    >>> round(float(low[0]), 3), round(float(high[0]), 3)
    (0.876, 0.922)
    """
    tail = (1 - level) / 2
    return _limit(targeted, share, tail), _limit(targeted, share, 1 - tail)


def _limit(size: np.ndarray, share: float, probability: float) -> np.ndarray:
    # scipy.stats takes a second to import
    from scipy.special import bdtrik, betainc  # noqa: PLC0415

    def below(count: np.ndarray) -> np.ndarray:
        fewer = betainc(np.maximum(size - count + 1, 1), np.maximum(count, 1), 1 - share)
        return np.where(count > size, 1.0, np.where(count <= 0, 0.0, fewer))

    quantile = np.ceil(bdtrik(probability, size, share))
    quantile = quantile - (below(quantile) >= probability)  # where rounding took it too high
    reached = below(quantile + 1)
    step = reached - below(quantile)
    return np.clip((quantile - (reached - probability) / step) / size, 0, 1)


# What an area's published total says of the authorities in it that published nothing.


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
