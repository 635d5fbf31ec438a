"""Whom a comparison says little about: families like nobody else, and families not followed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtr, stdtrit  # scipy.stats takes a second to import

from tfeval.display.tables import THRESHOLD
from tfeval.errors import DataError
from tfeval.impact.balance.rows import effective_sample_size
from tfeval.impact.balance.tables import THRESHOLDS
from tfeval.impact.design.design import Design
from tfeval.impact.diagnostics.placebos import CANNOT, FAILED, PASSED, QUARTER, TOGETHER, Asked
from tfeval.impact.diagnostics.verdicts import LEVEL, POWER, verdict_of
from tfeval.impact.propensity.propensity import fit_propensity
from tfeval.impact.study.censoring import AtRisk, at_risk, known_of
from tfeval.impact.weighting.weight import METHODS, MUCH
from tfeval.programme.outcomes import is_more_better

#: Whose nearest in the other arm is farther off has nobody alike: in standard deviations of the
#: linear predictor (Austin 2011, Pharmaceutical Statistics 10). And who is like units of whom more
#: than this share were of its own arm (Crump, Hotz, Imbens and Mitnik 2009, Biometrika 96).
ALIKE, NEARLY_ALL_ALIKE = 0.2, 0.9
#: The largest share of those the effect is about that may lie outside; the least share of the
#: units kept as which an arm's weights may count; the most that one may carry of an arm that has
#: enough units for that to be much. As balance and `weight` have them.
MOST_OUTSIDE, LEAST_EFFECTIVE, MOST_ON_ONE = THRESHOLDS["dropped"], THRESHOLDS["ess_share"], MUCH
#: Covariates of all at risk and of those who stand for them may differ by this at most.
MOST_APART = THRESHOLDS["smd"]
#: Fewer authorities than this do not say how they vary: then families do.
_FEWEST_CLUSTERS = 12

# 7. Overlap.


@dataclass(frozen=True, eq=False)
class Overlap:
    """How far both arms lie where the other does."""

    #: Of the weight of those whom the effect is about, the share that lies outside.
    outside: float
    few: bool  # whether these, or the others, are fewer than ten
    effective: float  # of the arm whose weights rest on fewest, effective sample size over kept
    largest: float  # share of an arm's weight on one unit, where the arm has enough units
    apart: bool = False  # whether covariates tell the arms apart, so that there is no score


def overlap(design: Design) -> Overlap:
    """Return how far a design's arms overlap.

    Notes
    -----
    Outside lies who has nobody of the other arm within `ALIKE` standard deviations of the linear
    predictor (in the same stratum, where the design compares within strata), and, of the treated,
    who has a score above `NEARLY_ALL_ALIKE`, of the others below one less it. The score is the
    design's own, else a logistic regression. Whether a design then left them out is another
    question, which its balance answers.
    """
    sample = design.study
    counted = sample.sampling > 0
    kept = [design.weights[arm & (design.weights > 0)] for arm in (sample.treated, ~sample.treated)]
    effective = min(float(effective_sample_size(one)) / len(one) for one in kept)
    heavy = [float(one.max() / one.sum()) for one in kept if len(one) > 10 / MOST_ON_ONE]
    largest = max(heavy, default=0.0)
    score = design.score
    if score is None:
        try:
            score = fit_propensity(sample).score
        except DataError:  # its only reason: covariates tell the arms apart
            return Overlap(1.0, False, effective, largest, apart=True)
    about = {"ATT": sample.treated, "ATC": ~sample.treated}.get(
        design.estimand, np.ones_like(counted)
    )
    weight = sample.sampling * (about & counted)
    if design.estimand == "ATO":
        weight = weight * np.where(counted, score * (1 - score), 0.0)
    within = sample.strata is not None and (
        design.method not in METHODS or design.settings.get("within") is not None
    )
    strata = sample.strata if within and sample.strata is not None else np.zeros(sample.size, int)
    outside = np.zeros(sample.size, dtype=bool)
    outside[counted] = lies_outside(score[counted], sample.treated[counted], strata[counted])
    parts = [np.count_nonzero(outside & about), np.count_nonzero(counted & ~outside & about)]
    few = any(0 < part < THRESHOLD for part in parts)
    return Overlap(float(weight @ outside / weight.sum()), few, effective, largest)


def lies_outside(score: np.ndarray, treated: np.ndarray, strata: np.ndarray) -> np.ndarray:
    """Return who has nobody alike in the other arm, or hardly anybody.

    Parameters
    ----------
    score : ndarray of float, shape (n,)
        Probability of being treated.
    treated : ndarray of bool, shape (n,)
    strata : ndarray of int, shape (n,)
        Within which units are compared.

    Examples
    --------
    >>> score = np.array([0.5, 0.6, 0.95, 0.5, 0.6, 0.95])
    >>> treated = np.array([True, True, True, False, False, False])
    >>> lies_outside(score, treated, np.zeros(6, int)).tolist()
    [False, False, True, False, False, False]
    >>> lies_outside(score, treated, np.array([0, 0, 0, 0, 1, 0])).tolist()
    [False, True, True, False, True, False]
    """
    inside = np.clip(score, 1e-12, 1 - 1e-12)
    linear = np.log(inside / (1 - inside))
    spread = np.sqrt(np.mean([linear[arm].var() for arm in (treated, ~treated)]))
    outside = np.where(treated, score, 1 - score) > NEARLY_ALL_ALIKE
    order = np.lexsort([linear, strata])
    for arm in (treated, ~treated):
        others = order[~arm[order]]
        # The nearest of the other arm below and above, in the order of stratum and predictor.
        at = np.searchsorted(np.flatnonzero(~arm[order]), np.flatnonzero(arm[order]))
        own = order[arm[order]]
        gap = np.full(len(own), np.inf)
        for step in (at - 1, at):
            there = (step >= 0) & (step < len(others))
            near = others[np.clip(step, 0, max(len(others) - 1, 0))]
            same = there & (strata[near] == strata[own])
            gap = np.where(same, np.minimum(gap, np.abs(linear[near] - linear[own])), gap)
        outside[own] |= gap > ALIKE * spread
    return outside


def judged_overlap(check: Overlap) -> dict[str, Any]:
    """Return the row of the check of overlap."""
    row: dict[str, Any] = {
        "check": "overlap", "outcome": "", "share": check.outside, "hidden": check.few,
        "effective": check.effective, "largest": check.largest,
    }  # fmt: skip
    if check.apart:
        return {**row, "share": np.nan, "verdict": FAILED, "reason": "told_apart"}
    if check.outside > MOST_OUTSIDE:
        return {**row, "verdict": FAILED, "reason": "outside"}
    if check.effective < LEAST_EFFECTIVE or check.largest > MOST_ON_ONE:
        return {**row, "verdict": FAILED, "reason": "few_carry"}
    return {**row, "verdict": PASSED, "reason": "overlaps"}


# 8. Censoring: comparison families treated meanwhile.


@dataclass(frozen=True, eq=False)
class Censored:
    """How those at risk who were treated within the horizon differ from those who stayed."""

    at_risk: int
    left: int  # treated within the horizon
    #: By how much those who stay and all at risk differ in outcomes until some were treated, of
    #: all outcomes together, for the worse, in standard deviations; its error, and its freedom.
    estimate: float = np.nan
    std_error: float = np.nan
    freedom: float = np.nan
    #: Of weights for censoring: how far they leave the covariates of all at risk and of those who
    #: stand for them apart, and the share of these as which they count. None without weights.
    apart: float | None = None
    effective: float = 1.0
    over_time: bool = False  # whether weights stand for what happened meanwhile too


def censoring(request: Asked) -> Censored:
    """Return whether comparison families treated within the horizon differ from those who stayed.

    Notes
    -----
    Who leaves for what was recorded before the index date is stood for by families alike, as in
    any comparison given covariates. So the question is whether, given these, what happened since
    told who was treated next: at the start of each quarter after the first, outcomes until then of
    those treated in what is left of the horizon, against those of who was not. Weights for
    censoring over time mend that, and are judged themselves.

    References
    ----------
    Robins and Finkelstein (2000), Biometrics 56: censoring that hangs on what was recorded since;
    Cole and Hernan (2008), American Journal of Epidemiology 168: what weights for it must be.
    """
    sample = request.design.study
    risk = at_risk(request.families, request.months)
    size, left = int(risk.rows.sum()), int(risk.treated_meanwhile.sum())
    check = Censored(size, left)
    if differs := sample.cohort.get("censoring"):
        own = sample.sampling[~sample.treated & (sample.sampling > 0)]
        check = replace(
            check, apart=float(differs["after"]), over_time=bool(differs["over_time"]),
            effective=float(effective_sample_size(own)) / len(own),
        )  # fmt: skip
    if left < THRESHOLD or check.over_time or not request.by_date or request.months <= QUARTER:
        return check
    estimate, error, freedom = _told_by_what_happened(request, risk)
    return replace(check, estimate=estimate, std_error=error, freedom=freedom)


def _told_by_what_happened(request: Asked, risk: AtRisk) -> tuple[float, float, float]:
    rows = risk.rows.to_numpy()
    known = np.column_stack([np.ones(rows.sum()), known_of(request.families, risk)])
    leaves = risk.treated_meanwhile[risk.rows].to_numpy()
    places = risk.frame.loc[risk.rows, ["local_authority", "family_id"]]
    few = places["local_authority"].nunique() < _FEWEST_CLUSTERS
    clusters = pd.factorize(places["family_id" if few else "local_authority"])[0]
    worse = np.array([-1.0 if is_more_better(name) else 1.0 for name in request.by_date])
    total, periods = np.zeros((rows.sum(), len(worse))), []
    for quarter in range(1, request.months // QUARTER):
        total = total + request.around[f"quarter {quarter - 1}"][request.by_date].to_numpy()[rows]
        there = risk.lasted(QUARTER * quarter)[risk.rows].to_numpy()
        periods.append((there, index_of(total[there], worse)))
    estimate, error, freedom = told_by(leaves, known, periods, clusters)
    share = leaves.mean()
    # Those who stay are less like those who left than all at risk are, by the share that left.
    return -share * estimate, share * error, freedom


def index_of(values: np.ndarray, worse: np.ndarray) -> np.ndarray:
    """Return the mean of outcomes, for the worse and in standard deviations, over those known.

    Parameters
    ----------
    values : ndarray of float, shape (n, k)
    worse : ndarray of float, shape (k,)
        1 where more is worse, -1 where it is better.

    Returns
    -------
    ndarray of float, shape (n,)
        Missing where nothing is known that varies.

    Examples
    --------
    >>> index_of(np.array([[0.0, 4.0], [2.0, np.nan]]), np.array([1.0, -1.0])).tolist()
    [-1.0, 1.0]
    """
    seen = ~np.isnan(values)
    counts = np.maximum(seen.sum(axis=0), 1)
    middle = np.where(seen, values, 0.0).sum(axis=0) / counts
    apart = np.where(seen, values - middle, 0.0)
    spread = np.sqrt((apart**2).sum(axis=0) / counts)
    varies = seen & (spread > 0)
    own = np.where(varies, worse * apart / np.where(spread > 0, spread, 1.0), 0.0).sum(axis=1)
    return own / np.where(varies.any(axis=1), varies.sum(axis=1), np.nan)


def told_by(
    leaves: np.ndarray,
    known: np.ndarray,
    periods: list[tuple[np.ndarray, np.ndarray]],
    clusters: np.ndarray,
) -> tuple[float, float, float]:
    """Return by how much those who leave differ before they do, given what was known at first.

    Parameters
    ----------
    leaves : ndarray of bool, shape (n,)
        Who leaves at some time.
    known : ndarray of float, shape (n, k)
        With a column of ones.
    periods : list of (ndarray of bool, shape (n,), and of float, shape (those,))
        At the start of each, who is still there, and what happened to those until then.
    clusters : ndarray of int, shape (n,)

    Returns
    -------
    estimate, std_error, freedom : float
        Of a least-squares regression over all periods, each with its own covariates, the error
        by cluster. Missing where it cannot be told.
    """
    top = bottom = 0.0
    sums, parts = np.zeros(clusters.max() + 1), []
    for there, values in periods:
        seen = ~np.isnan(values)
        rows = np.flatnonzero(there)[seen]
        if not 0 < leaves[rows].sum() < len(rows):
            continue
        both = np.column_stack([leaves[rows], values[seen]])
        own = both - known[rows] @ np.linalg.lstsq(known[rows], both, rcond=None)[0]
        top, bottom = top + float(own[:, 0] @ own[:, 1]), bottom + float(own[:, 0] @ own[:, 0])
        parts.append((rows, own))
    if not bottom > 0:
        return np.nan, np.nan, np.nan
    estimate = top / bottom
    for rows, own in parts:
        sums += np.bincount(
            clusters[rows], own[:, 0] * (own[:, 1] - estimate * own[:, 0]), len(sums)
        )
    groups = len(np.unique(np.concatenate([clusters[rows] for rows, _own in parts])))
    if groups < 2:
        return estimate, np.nan, np.nan
    return estimate, float(np.sqrt(groups / (groups - 1) * sums @ sums)) / bottom, groups - 1.0


def p_of_censoring(check: Censored) -> float:
    """Return the p-value of no difference; NaN where none was estimated."""
    if not check.std_error > 0:
        return float("nan")
    return 2 * float(stdtr(check.freedom, -abs(check.estimate) / check.std_error))


def judged_censoring(
    check: Censored, margin: float, p_adjusted: float | None = None, checks: int = 1
) -> dict[str, Any]:
    """Return the row of the check of censoring.

    Parameters
    ----------
    margin : float
        From what size on a difference matters, in standard deviations.
    p_adjusted : float, optional
        What is left of `p_of_censoring` among other checks of no effect; by default all.
    checks : int
        How many these are, with this one.
    """
    row: dict[str, Any] = {"check": "censoring", "outcome": "", "hidden": False}
    stayed = check.at_risk - check.left
    few = 0 < check.left < THRESHOLD > MOST_OUTSIDE * check.at_risk or stayed < THRESHOLD
    if few or check.left < THRESHOLD:
        return {**row, "verdict": CANNOT if few else PASSED,
                "reason": "too_few" if few else "hardly_censored"}  # fmt: skip
    row["left_out"] = check.left / check.at_risk
    if check.apart is not None:
        row["effective"] = check.effective
        if check.apart > MOST_APART or check.effective < LEAST_EFFECTIVE:
            return {**row, "verdict": FAILED, "reason": "stays_not_mended"}
        if check.over_time:
            return {**row, "verdict": PASSED, "reason": "stays_mended"}
    p = p_of_censoring(check)
    return row | _told(check, margin, p, p if p_adjusted is None else p_adjusted, checks)


#: Reasons of `verdict_of` for this check.
_CENSORED = {"alike": "censored_alike", "small": "censored_small", "differs": "censored_differ"}


def _told(
    check: Censored, margin: float, p: float, p_adjusted: float, checks: int
) -> dict[str, Any]:
    if not check.std_error > 0:
        return {"verdict": CANNOT, "reason": "not_estimable"}
    half, widest = (
        stdtrit(check.freedom, 1 - LEVEL / 2 / np.array([1, checks])) * check.std_error
    ).tolist()
    reach = abs(check.estimate) + half
    verdict, reason = verdict_of(p_adjusted < LEVEL, reach < margin)
    return {
        "outcome": TOGETHER, "estimate": check.estimate, "std_error": check.std_error,
        "conf_low": check.estimate - half, "conf_high": check.estimate + half, "p_value": p,
        "p_adjusted": p_adjusted, "margin": margin, "reach": reach,
        "detectable": widest + float(stdtrit(check.freedom, POWER)) * check.std_error,
        "n_comparison": check.at_risk, "verdict": verdict, "reason": _CENSORED.get(reason, reason),
    }  # fmt: skip
