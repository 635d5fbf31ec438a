"""The latest of cumulative counts: exact beats rounded, and a count never falls."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tfeval.errors import DataError

# How many authorities claimed every family, beside how many chance would give.


@dataclass(frozen=True)
class FullMarks:
    """How many authorities claimed every family, beside how many chance would give.

    Attributes
    ----------
    authorities : int
        Authorities with a target.
    known : int
        Those of them with an exact claim.
    observed : int
        Those that claimed exactly every family targeted.
    expected : float
        How many of the known ones would, if each family were turned around independently at one
        common share.
    probability : float
        Chance of as many as observed or more among the known ones.
    share : float
        The common share.
    early : int
        Those observed that are known only because they had reached all their families early: they
        were chosen by the answer.
    expected_all : float
        How many of all authorities with a target would, by the same chance.
    probability_all : float
        Chance of as many as observed or more among all authorities with a target.
    unchosen_known, unchosen_observed : int
        `known` and `observed` without the early ones.
    unchosen_expected, unchosen_probability : float
        By the same chance, among the known ones without the early ones.
    """

    authorities: int
    known: int
    observed: int
    expected: float
    probability: float
    share: float
    early: int = 0
    expected_all: float = 0.0
    probability_all: float = 1.0
    unchosen_known: int = 0
    unchosen_observed: int = 0
    unchosen_expected: float = 0.0
    unchosen_probability: float = 1.0


def full_marks(claims: pd.DataFrame, share: float) -> FullMarks:
    """Compare the number of authorities that claimed all their families with chance.

    Under a common share p the chance that authority i claims all its n_i families is p to the
    power n_i; the number that do is a Poisson-binomial variable, summed exactly. It is compared
    with chance three times: among the authorities with an exact claim; among these without the
    ones that are known because they stand at 100%; and among all with a target, of which one
    without an exact claim counts as not having claimed all, so that the comparison favours chance.

    Parameters
    ----------
    claims : DataFrame
        `targeted`, `turned_around` (may be missing) and `exact`, as from `final_claims`; also
        `early`, if any are known only because they had reached all their families early.
    share : float
        The common share, such as the national one.

    Raises
    ------
    DataError
        If the share is not between 0 and 1.

    Examples
    --------
    >>> two = pd.DataFrame({"targeted": [1, 2], "turned_around": [1, None], "exact": [True, False]})
    >>> found = full_marks(two, 0.5)
    >>> found.known, found.observed, found.expected, found.expected_all
    (1, 1, 0.5, 0.75)
    """
    if not 0 <= share <= 1:
        raise DataError(f"A share lies between 0 and 1, not at {share:g}.")
    exact = claims[claims["exact"].astype(bool)]
    full = exact["turned_around"] == exact["targeted"]
    early = exact["early"].astype(bool) if "early" in exact else full & False
    rest = exact[~early]
    observed, others = int(full.sum()), int((full & ~early).sum())
    known_mean, known_tail = _by_chance(exact["targeted"], share, observed)
    all_mean, all_tail = _by_chance(claims["targeted"], share, observed)
    rest_mean, rest_tail = _by_chance(rest["targeted"], share, others)
    return FullMarks(
        authorities=len(claims), known=len(exact), observed=observed, expected=known_mean,
        probability=known_tail, share=share, early=int((full & early).sum()),
        expected_all=all_mean, probability_all=all_tail, unchosen_known=len(rest),
        unchosen_observed=others, unchosen_expected=rest_mean, unchosen_probability=rest_tail,
    )  # fmt: skip


def _by_chance(targeted: pd.Series, share: float, least: int) -> tuple[float, float]:
    """Return how many would claim all their families, and the chance of at least so many."""
    chance = share ** targeted.to_numpy(dtype=float)
    spread = np.array([1.0])
    for probability in chance:
        spread = np.convolve(spread, [1 - probability, probability])
    return float(chance.sum()), min(1.0, float(spread[least:].sum()))


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
    bounded = rows.assign(
        _low=low, _says=rows["qualifier"] != "at most",
        _first=first_month(rows["as_of"]), _last=last_month(rows["as_of"]),
    )  # fmt: skip
    exact = _largest(bounded[bounded["qualifier"] == EXACT], ["value", "as_of"])
    loose = bounded[bounded["qualifier"] != EXACT]
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
    bounded = rows[["area_code", "period"]].assign(
        low=low, high=high, first=first_month(rows["as_of"]), last=last_month(rows["as_of"])
    )
    count = 0
    for _, own in bounded.groupby(["area_code", "period"]):
        before = own["last"].to_numpy()[:, None] < own["first"].to_numpy()[None, :]
        below = own["low"].to_numpy()[:, None] > own["high"].to_numpy()[None, :]
        count += int((before & below).any(axis=0).sum())
    return count
