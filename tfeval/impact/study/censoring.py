"""Comparison families treated meanwhile: left out, or stood for by those followed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tfeval.cohort.analysis_table import Cohort
from tfeval.errors import DataError, ParameterError, suggest
from tfeval.impact.study.checks import FEWEST, own_covariates, telling, varying
from tfeval.impact.study.covariates import encoded

LEFT_OUT, WEIGHTED, OVER_TIME = "left_out", "weighted", "weighted_over_time"
CENSORING = (LEFT_OUT, WEIGHTED, OVER_TIME)
#: Column of the weights that stand for the families censored.
CENSORED = "censoring_weight"
#: Months of a period in which families stay or are treated, given what happened before it.
PERIOD = 1
#: Chances below those of all but this share of families, over all periods, are taken for theirs:
#: none stands for too many.
_FEW = 0.01


def followed(cohort: Cohort, months: int | None, censoring: str = LEFT_OUT) -> pd.DataFrame:
    """Return the units of a cohort with any outcome over a horizon: the others were censored."""
    if censoring not in CENSORING:
        known = suggest(censoring, CENSORING)
        raise ParameterError(f"There is no way {censoring} to treat censoring. {known}")
    frame = cohort.to_pandas()
    # Pandas copies what a frame bears at each step; the timing is the cohort's own.
    frame.attrs = {"cohort": frame.attrs["cohort"]}
    if months is None:
        if censoring != LEFT_OUT:
            raise ParameterError("Weights for censoring need months: over which time?")
        return frame
    seen = cohort.followed(months)
    kept = frame[seen]
    if not (kept["treated"] == 0).any():
        raise DataError(
            f"No family of the comparison group {cohort.settings.comparison} could be followed for "
            f"{months} months: choose a shorter horizon or another comparison group."
        )
    said = {**frame.attrs["cohort"], "units": len(kept), "followed": months}
    if censoring != LEFT_OUT:
        stays = censoring_weights(cohort, months, over_time=censoring == OVER_TIME)
        kept = kept.assign(**{CENSORED: stays.weights[seen]})
        said |= {"censoring": {**stays.differs, "over_time": float(censoring == OVER_TIME)}}
    kept.attrs["cohort"] = said
    return kept


@dataclass(frozen=True, eq=False)
class Stays:
    """What each unit followed weighs, and how far its weights make those followed like all.

    Attributes
    ----------
    weights : Series
        In the order of `to_pandas`: 1 for the treated; for the comparison followed, the inverse of
        the chance to be, with a mean of 1.
    differs : dict of str to float
        Largest standardised difference, over covariates and periods, between those who stayed and
        all that were at risk: `before` and `after` weighting; and the largest `weight`.
    """

    weights: pd.Series
    differs: dict[str, float]


@dataclass(frozen=True, eq=False)
class AtRisk:
    """Who of a cohort's comparison was at risk on the index date, and when each was treated.

    Attributes
    ----------
    frame : DataFrame
        As from `to_pandas`; all else is in its order.
    begun, treated_on : Series of datetime
        Index date; first day treated, missing if never.
    seen : Series of bool
        Followed to the end of the horizon.
    rows : Series of bool
        Comparison units that were followed, or treated within the horizon.
    """

    frame: pd.DataFrame
    begun: pd.Series
    treated_on: pd.Series
    seen: pd.Series
    rows: pd.Series

    @property
    def treated_meanwhile(self) -> pd.Series:
        """Those at risk who were not followed, in the order of `frame`."""
        return self.rows & ~self.seen

    def lasted(self, months: int) -> pd.Series:
        """Return who was not treated before a month after the index date."""
        return ~(self.treated_on < self.begun + pd.DateOffset(months=months))


def at_risk(cohort: Cohort, months: int) -> AtRisk:
    """Return who of the comparison was at risk of being treated within a horizon."""
    frame, seen = cohort.to_pandas(), cohort.followed(months)
    begun = pd.to_datetime(frame["index_on"])
    treated_on = cohort.treated_on()
    ends = begun + pd.DateOffset(months=months)
    return AtRisk(frame, begun, treated_on, seen,
                  (frame["treated"] == 0) & (seen | (treated_on < ends)))  # fmt: skip


def censoring_weights(cohort: Cohort, months: int, *, over_time: bool = False) -> Stays:
    """Return what each unit followed weighs, so that it stands for those treated meanwhile too.

    Parameters
    ----------
    cohort : Cohort
    months : int
        The horizon.
    over_time : bool, default False
        Whether what happened after the index date tells who is treated: month by month, the chance
        to stay given the covariates and all that was counted until then. Otherwise one chance for
        the whole horizon, given the covariates of the index date.

    Raises
    ------
    DataError
        If nobody was treated meanwhile.
    ParameterError
        If `over_time` is asked of a cohort whose outcomes are closed, or that has no records.

    Notes
    -----
    Chances are by logistic regression with a ridge. Who is treated in a month for what happened in
    that same month is not foreseen by the months before.

    References
    ----------
    Robins and Finkelstein (2000), Correcting for noncompliance and dependent censoring, Biometrics
    56; Danaei, Garcia Rodriguez, Fernandez Cantero, Logan and Hernan (2013), Statistical Methods in
    Medical Research 22(1).
    """
    risk = at_risk(cohort, months)
    if not risk.treated_meanwhile.any():
        raise DataError(
            "No comparison family was treated within the horizon: there is no censoring to weigh "
            f'for. Say censoring="{LEFT_OUT}".'
        )
    baseline = known_of(cohort, risk)
    if over_time:
        edges = list(range(PERIOD, months, PERIOD))
        lasted = np.sum([risk.lasted(edge) for edge in edges], axis=0)
        left = np.where(risk.seen, len(edges) + 1, lasted)[risk.rows]
        counts = _counts_until(cohort, edges, risk.rows)
        numbers = [baseline, *(np.column_stack([baseline, one]) for one in counts)]
    else:
        left, numbers = np.where(risk.seen[risk.rows], 1, 0), [baseline]
    weigh, differs = stay_weights(left, numbers)
    weights = pd.Series(1.0, index=risk.frame.index)
    weights[risk.rows] = weigh
    return Stays(weights, differs)


def stay_weights(
    left: np.ndarray, numbers: Sequence[np.ndarray]
) -> tuple[np.ndarray, dict[str, float]]:
    """Return weights by which those who stay to the end stand for all, and what they balance.

    Parameters
    ----------
    left : ndarray of int, shape (n,)
        The period, from 0, in which a unit left; the number of periods if it stayed.
    numbers : sequence of ndarray, each of shape (n, k)
        For each period what was known at its beginning; it may have other columns in each.

    Returns
    -------
    weights : ndarray of float, shape (n,)
        0 for those who left; of the others the mean is 1.
    differs : dict of str to float
        As in `Stays`.

    Examples
    --------
    >>> trouble = np.repeat([0.0, 1.0], 50)[:, None]
    >>> left = np.r_[np.ones(50), np.zeros(25), np.ones(25)].astype(int)
    >>> weights, differs = stay_weights(left, [trouble])
    >>> bool(weights[-1] > 1.3), differs["after"] < 0.5 * differs["before"]
    (True, True)
    """
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415

    weights = np.ones(len(left))
    before = after = 0.0
    for period, known in enumerate(numbers):
        present = left >= period
        stays = left[present] > period
        if stays.all() or not stays.any():
            continue
        x = known[present]
        x = x[:, x.std(axis=0) > 0]
        x = (x - x.mean(axis=0)) / x.std(axis=0)
        # A ridge on standardised covariates: many are nearly the same over the two years before.
        chance = LogisticRegression(max_iter=1_000).fit(x, stays).predict_proba(x)[:, 1]
        chance = np.maximum(chance, np.quantile(chance, _FEW / len(numbers)))
        earlier = weights[present]
        later = np.where(stays, earlier * stays.mean() / chance, 0.0)
        everyone = np.average(x, axis=0, weights=earlier)
        alone = np.average(x[stays], axis=0, weights=earlier[stays])
        before = max(before, float(np.abs(alone - everyone).max()))
        after = max(after, float(np.abs(np.average(x, axis=0, weights=later) - everyone).max()))
        weights[present] = later
    weights[left < len(numbers)] = 0.0
    weights *= np.count_nonzero(weights) / weights.sum()
    return weights, {"before": before, "after": after, "weight": float(weights.max())}


def known_of(cohort: Cohort, risk: AtRisk) -> np.ndarray:
    """Return the covariates on the index date of those at risk, shape (at risk, k)."""
    frame = risk.frame[risk.rows].assign(treated=risk.seen)
    names, _why = own_covariates(cohort.columns, cohort.settings.comparison, frame)
    arms = frame["treated"].to_numpy(dtype=bool)
    kept, _rare = varying(frame, names, arms, FEWEST)
    return telling(encoded(frame, kept), arms, FEWEST)[0].matrix


def _counts_until(cohort: Cohort, edges: Sequence[int], rows: pd.Series) -> list[np.ndarray]:
    """Return for each edge what was counted in the period before it, and since the index date."""
    from tfeval.cohort.counting import outcomes_around  # noqa: PLC0415

    if cohort.records is None:
        raise ParameterError(f'censoring="{OVER_TIME}" needs a cohort made by tf.cohort(records).')
    spans = {str(edge): (edge - PERIOD, edge) for edge in edges}
    counts = outcomes_around(cohort, cohort.records, spans, censored=False)[rows.to_numpy()]
    # Not covered is not none: the mean stands for it, since the covariates say who was covered.
    counts = counts.fillna(counts.mean()).fillna(0.0)
    monthly = np.stack([counts[span].to_numpy() for span in spans])
    return [np.column_stack(both) for both in zip(monthly, monthly.cumsum(axis=0), strict=True)]
