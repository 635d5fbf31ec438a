"""Claims of families turned around: by authority, over time, and against chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from tfeval.errors import DataError, ParameterError, suggest
from tfeval.programme.phases import period
from tfeval.programme.published import published

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


def claims_by_authority(as_of: str | None = None, phase: str = "one") -> pd.DataFrame:
    """Return the latest published claim of each authority for which a target was published too.

    Parameters
    ----------
    as_of : str, optional
        Only claims as of this month (YYYY-MM) or earlier; by default all.
    phase : {"one", "two"}
        Which phase's claims.

    Returns
    -------
    DataFrame
        One row an authority: `code`, `area`, `region`, `targeted`, `turned_around` (families),
        `share` (turned around of targeted), `as_of`, `exact` (False where the source rounds, or
        says "over") and the source columns of the claim. Where sources give several targets the
        largest counts; where they give several claims of the same month, the largest; where one
        gives only the kinds of claim, their sum.

    Examples
    --------
    >>> claims = claims_by_authority("2014-05").set_index("area")
    >>> int(claims.loc["Wakefield", "turned_around"]), int(claims.loc["Wakefield", "targeted"])
    (925, 930)
    """
    rows = _local(phase)
    largest = rows[rows["figure"] == "targeted"].groupby("area_code")["value"].max()
    if as_of is not None:
        rows = rows[rows["as_of"] <= as_of]
    claims = _turned_around(rows).sort_values(["as_of", "value"], kind="stable")
    claims = claims.drop_duplicates("area_code", keep="last")
    claims = claims[claims["area_code"].isin(largest.index)]
    regions = published("local_authorities").set_index("code")["region"]
    frame = pd.DataFrame(
        {
            "code": claims["area_code"],
            "area": claims["area"],
            "region": claims["area_code"].map(regions),
            "targeted": claims["area_code"].map(largest),
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


def final_claims(since: str = "2015-05") -> pd.DataFrame:
    """Return phase one's targets by authority, and the claim at its end where it is known.

    Parameters
    ----------
    since : str, default "2015-05"
        The month (YYYY-MM) from which a claim counts as the final one. An earlier claim of all
        the families targeted counts too, since counts only grow.

    Returns
    -------
    DataFrame
        As `claims_by_authority`; `turned_around` and `share` are missing where no final claim was
        published.
    """
    rows = _local("one")
    rows = rows[rows["figure"] == "targeted"]
    targets = rows.groupby(["area_code", "area"])["value"].max().rename("targeted").reset_index()
    targets = targets.rename(columns={"area_code": "code"})
    claims = claims_by_authority()
    complete = claims["turned_around"] == claims["targeted"]
    late = claims[(claims["as_of"] >= since) | complete].drop(columns=["area", "targeted"])
    frame = targets.merge(late, on="code", how="left")
    frame["exact"] = frame["exact"].eq(True)
    return frame.sort_values("area").reset_index(drop=True)


def claims_over_time(phase: str = "one") -> pd.DataFrame:
    """Return the national claims by month and kind.

    Parameters
    ----------
    phase : {"one", "two"}
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
    quantile = stats.binom.ppf(probability, size, share)
    reached = stats.binom.cdf(quantile, size, share)
    step = stats.binom.pmf(quantile, size, share)
    return np.clip((quantile - (reached - probability) / step) / size, 0, 1)


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
        How many would, if each family were turned around independently at one common share.
    probability : float
        Chance of as many as observed or more.
    share : float
        The common share.
    """

    authorities: int
    known: int
    observed: int
    expected: float
    probability: float
    share: float


def full_marks(claims: pd.DataFrame, share: float) -> FullMarks:
    """Compare the number of authorities that claimed all their families with chance.

    Under a common share p the chance that authority i claims all its n_i families is p to the
    power n_i; the number that do is a Poisson-binomial variable, summed exactly. An authority
    without an exact claim counts as not having claimed all, though chance could still have given
    it: so the comparison favours chance.

    Parameters
    ----------
    claims : DataFrame
        `targeted`, `turned_around` (may be missing) and `exact`, as from `final_claims`.
    share : float
        The common share, such as the national one.

    Raises
    ------
    DataError
        If the share is not between 0 and 1.

    Examples
    --------
    >>> two = pd.DataFrame({"targeted": [1, 2], "turned_around": [1, 2], "exact": [True, True]})
    >>> full_marks(two, 0.5)
    FullMarks(authorities=2, known=2, observed=2, expected=0.75, probability=0.125, share=0.5)
    """
    if not 0 <= share <= 1:
        raise DataError(f"A share lies between 0 and 1, not at {share:g}.")
    exact = claims[claims["exact"]]
    chance = share ** claims["targeted"].to_numpy(dtype=float)
    observed = int((exact["turned_around"] == exact["targeted"]).sum())
    spread = np.array([1.0])
    for probability in chance:
        spread = np.convolve(spread, [1 - probability, probability])
    return FullMarks(
        authorities=len(claims),
        known=len(exact),
        observed=observed,
        expected=float(chance.sum()),
        probability=float(min(1.0, spread[observed:].sum())),
        share=share,
    )
