"""The latest of cumulative counts: exact beats rounded, and a count never falls."""

from __future__ import annotations

import numpy as np
import pandas as pd

#: How a published figure may be marked where it is the number itself.
EXACT = "exact"


def first_month(as_of: pd.Series) -> pd.Series:
    """Return the earliest month (YYYY-MM) that a date of a count can mean.

    Examples
    --------
    >>> first_month(pd.Series(["2015", "2014-05"])).tolist()
    ['2015-01', '2014-05']
    """
    return as_of.where(as_of.str.len() != len("2015"), as_of + "-01")


def last_month(as_of: pd.Series) -> pd.Series:
    """Return the latest month (YYYY-MM) that a date of a count can mean.

    Examples
    --------
    >>> last_month(pd.Series(["2015", "2014-05"])).tolist()
    ['2015-12', '2014-05']
    """
    return as_of.where(as_of.str.len() != len("2015"), as_of + "-12")


def bounds_of(value: pd.Series, qualifier: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Return the least and the most that published counts can stand for.

    Parameters
    ----------
    value : Series of float
        Counts as published.
    qualifier : Series of {"exact", "rounded", "at least", "at most"}

    Returns
    -------
    low, high : Series of float
        An exact count is both. A rounded one may be off by one unit of its last digit that is
        not zero, either way, since notices cut as well as round: 1,300 was written for 1,355.
        "At least" has no upper end, "at most" no lower but nothing.

    Examples
    --------
    >>> low, high = bounds_of(pd.Series([1300.0, 510.0]), pd.Series(["rounded", "rounded"]))
    >>> low.tolist(), high.tolist()
    ([1200.0, 500.0], [1400.0, 520.0])
    """
    step = np.where(qualifier == "rounded", _unit(value), 0.0)
    low = (value - step).clip(lower=0.0).where(qualifier != "at most", 0.0)
    high = (value + step).where(qualifier != "at least", np.inf)
    return low, high


def _unit(value: pd.Series) -> np.ndarray:
    """Return ten to the number of zeros at each count's end."""
    whole = value.fillna(0).astype("int64").astype(str)
    return 10.0 ** (whole.str.len() - whole.str.rstrip("0").str.len().clip(lower=1)).to_numpy()


def latest_counts(rows: pd.DataFrame) -> pd.DataFrame:
    """Return what each authority's published counts say last of something that only grows.

    Parameters
    ----------
    rows : DataFrame
        Counts of one measure: `area_code`, `as_of` (YYYY or YYYY-MM), `value`, `qualifier` and
        any others.

    Returns
    -------
    DataFrame
        One of the rows for each authority, whole. The largest exact count stands; a count that
        is not exact takes its place only if it is of a later month and must be larger, however
        it was rounded. So an exact count is never lost to a rounding of it, and none falls.

    Examples
    --------
    >>> rows = pd.DataFrame({"area_code": "E06000023", "as_of": ["2014-10", "2015-05"],
    ...                      "value": [1355.0, 1300.0], "qualifier": ["exact", "rounded"]})
    >>> latest_counts(rows)["value"].tolist()
    [1355.0]
    """
    low, _ = bounds_of(rows["value"], rows["qualifier"])
    # "At most" says least of what was reached: it stands only where nothing else does.
    held = rows.assign(
        _low=low, _says=rows["qualifier"] != "at most",
        _first=first_month(rows["as_of"]), _last=last_month(rows["as_of"]),
    )  # fmt: skip
    exact = _largest(held[held["qualifier"] == EXACT], ["value", "as_of"])
    loose = held[held["qualifier"] != EXACT]
    known = exact.set_index("area_code")
    floor = loose["area_code"].map(known["value"])
    since = loose["area_code"].map(known["_last"]).astype(object).fillna("")
    more = floor.isna() | ((loose["_first"] > since) & (loose["_low"] > floor))
    loose = _largest(loose[more], ["_says", "value", "_low", "as_of"])
    kept = pd.concat([exact[~exact["area_code"].isin(loose["area_code"])], loose])
    return kept.drop(columns=["_low", "_says", "_first", "_last"]).sort_index()


def _largest(rows: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    ordered = rows.sort_values(["area_code", *by], kind="stable")
    return ordered.drop_duplicates("area_code", keep="last")


def falling(rows: pd.DataFrame) -> int:
    """Count the rows whose count must be below an earlier one of the same authority and period.

    Parameters
    ----------
    rows : DataFrame
        Counts of one measure: `area_code`, `period`, `as_of`, `value`, `qualifier`.

    Examples
    --------
    >>> rows = pd.DataFrame({"area_code": "E06000023", "period": "2012-15",
    ...                      "as_of": ["2014-10", "2015-05"], "value": [1355.0, 1250.0],
    ...                      "qualifier": ["exact", "rounded"]})
    >>> falling(rows)  # however it was rounded
    1
    """
    low, high = bounds_of(rows["value"], rows["qualifier"])
    held = rows[["area_code", "period"]].assign(
        low=low, high=high, first=first_month(rows["as_of"]), last=last_month(rows["as_of"])
    )
    found = 0
    for _, own in held.groupby(["area_code", "period"]):
        before = own["last"].to_numpy()[:, None] < own["first"].to_numpy()[None, :]
        below = own["low"].to_numpy()[:, None] > own["high"].to_numpy()[None, :]
        found += int((before & below).any(axis=0).sum())
    return found
