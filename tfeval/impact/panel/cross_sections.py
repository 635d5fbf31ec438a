"""The same from repeated cross-sections: who is seen before and after need not be the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tfeval.impact.inference.rules import COLLINEAR, NO_COMPARISON, NO_OVERLAP, NO_TREATED
from tfeval.impact.panel.group_logit import is_singular, logit
from tfeval.impact.panel.two_by_two import (
    DOUBLY_ROBUST,
    FAR,
    REGRESSION,
    WEIGHTING,
    Cell,
    Fit,
    Sample,
    counted,
)


@dataclass(frozen=True, eq=False)
class Seen:
    """Units of one arm that were seen in one period."""

    x: np.ndarray  # (k, n)
    weight: np.ndarray  # (n,)
    y: np.ndarray  # (n,)

    def means(self, by: np.ndarray) -> np.ndarray:
        """Return the covariates' means, weighted."""
        return (self.x @ by) / by.sum()


@dataclass(frozen=True, eq=False)
class Regression:
    """Least squares of the outcome on the covariates: coefficients, products and residuals."""

    beta: np.ndarray
    gram: np.ndarray
    residual: np.ndarray

    def influence(self, seen: Seen, along: np.ndarray) -> np.ndarray:
        """Return the influence of each unit on a combination of the coefficients."""
        return seen.weight * self.residual * (np.linalg.solve(self.gram, along) @ seen.x)


def regressed(seen: Seen) -> Regression | None:
    """Return the regression, or None where the covariates determine one another."""
    weighted = seen.x * seen.weight
    gram = weighted @ seen.x.T
    if is_singular(gram):
        return None
    beta = np.linalg.solve(gram, weighted @ seen.y)
    return Regression(beta, gram, seen.y - beta @ seen.x)


#: Influences of the treated after and before, and of the comparison after and before.
Four = list[np.ndarray]


def cross_fit(four: list[Seen], method: str) -> tuple[Fit, Four]:
    """Return an effect from repeated cross-sections.

    Parameters
    ----------
    four : list of Seen
        The treated after and before, the comparison after and before.
    method : str
        One of `METHODS`; doubly robust is the locally efficient estimator.

    Returns
    -------
    fit : Fit
        Of one pair of periods.
    influences : list of ndarray
        By the same four; empty where there is no estimate.

    Notes
    -----
    Sant'Anna and Zhao (2020), equations 2.8 and 3.4. R's DRDID (to 1.2.3) adds the derivatives by
    the comparison's regression before treatment where it should take them away; here they are
    taken away, which the tests hold to numerical derivatives.
    """
    nothing = np.full(1, np.nan)
    if not all(len(seen.y) for seen in four[:2]):
        return Fit(nothing, NO_TREATED), []
    if not all(len(seen.y) for seen in four[2:]):
        return Fit(nothing, NO_COMPARISON), []
    if len(four[0].x) == 1:
        method = REGRESSION
    fitted: list[Regression] = []
    if method != WEIGHTING:
        wanted = four if method == DOUBLY_ROBUST else four[2:]
        for seen in wanted:
            one = regressed(seen)
            if one is None:
                return Fit(nothing, COLLINEAR), []
            fitted.append(one)
    if method == REGRESSION:
        return _regression(four, fitted)
    logistic = logit([(seen.x, seen.weight, float(place < 2)) for place, seen in enumerate(four)])
    if logistic is None or max((logistic[0] @ seen.x).max() for seen in four) >= FAR:
        return Fit(nothing, NO_OVERLAP), []
    return _robust(four, fitted, logistic) if fitted else _weighting(four, logistic)


def _mean_covariates(four: list[Seen]) -> tuple[np.ndarray, float]:
    total = sum(seen.weight.sum() for seen in four[:2])
    return sum(seen.x @ seen.weight for seen in four[:2]) / total, float(total)


def _regression(four: list[Seen], fitted: list[Regression]) -> tuple[Fit, Four]:
    mean, total = _mean_covariates(four)
    change = fitted[0].beta - fitted[1].beta
    estimate, influences = -mean @ change, []
    for seen, sign in zip(four[:2], (1.0, -1.0), strict=True):
        average = np.average(seen.y, weights=seen.weight)
        estimate += sign * average
        influences.append(
            sign * seen.weight / seen.weight.sum() * (seen.y - average)
            - seen.weight / total * (change @ seen.x - change @ mean)
        )
    for seen, one, sign in zip(four[2:], fitted, (-1.0, 1.0), strict=True):
        influences.append(sign * one.influence(seen, mean))
    return Fit(np.array([estimate])), influences


def _weighted_comparison(
    four: list[Seen], levels: list[np.ndarray], logistic: tuple[np.ndarray, np.ndarray]
) -> tuple[float, Four, list[np.ndarray]]:
    """Return the comparison's change weighted by odds, minus it in influences, and the odds.

    `levels` are what is averaged: outcomes, or their residuals.
    """
    coefficients, information = logistic
    change, slope, influences, ratios = 0.0, np.zeros(len(coefficients)), [], []
    for seen, level, sign in zip(four[2:], levels, (1.0, -1.0), strict=True):
        ratio = seen.weight * np.exp(coefficients @ seen.x)
        average = np.average(level, weights=ratio)
        change += sign * average
        slope += sign * (seen.x @ (ratio * (level - average))) / ratio.sum()
        influences.append(-sign * ratio / ratio.sum() * (level - average))
        ratios.append(ratio)
    slope = np.linalg.solve(information, slope)
    scores = []
    for place, seen in enumerate(four):
        chance = 1.0 / (1.0 + np.exp(-(coefficients @ seen.x)))
        scores.append(-seen.weight * (float(place < 2) - chance) * (slope @ seen.x))
    change -= sum(float(score.sum()) for score in scores)  # what the scores still add; nearly 0
    both = [*scores[:2], *(one + two for one, two in zip(scores[2:], influences, strict=True))]
    return change, both, ratios


def _weighting(four: list[Seen], logistic: tuple[np.ndarray, np.ndarray]) -> tuple[Fit, Four]:
    change, influences, _ = _weighted_comparison(four, [seen.y for seen in four[2:]], logistic)
    estimate = -change
    for place, sign in ((0, 1.0), (1, -1.0)):
        seen = four[place]
        average = np.average(seen.y, weights=seen.weight)
        estimate += sign * average
        influences[place] = influences[place] + sign * seen.weight / seen.weight.sum() * (
            seen.y - average
        )
    return Fit(np.array([estimate])), influences


def _robust(
    four: list[Seen], fitted: list[Regression], logistic: tuple[np.ndarray, np.ndarray]
) -> tuple[Fit, Four]:
    # Residuals of the treated's own regressions sum to 0, which leaves these terms.
    mean, total = _mean_covariates(four)
    change, influences, ratios = _weighted_comparison(
        four, [one.residual for one in fitted[2:]], logistic
    )
    gap = (fitted[0].beta - fitted[2].beta) - (fitted[1].beta - fitted[3].beta)
    estimate = mean @ gap - change
    for place, sign in ((0, 1.0), (1, -1.0)):
        seen = four[place]
        influences[place] = (
            influences[place]
            + sign * fitted[place].influence(seen, mean)
            + seen.weight / total * (gap @ seen.x - gap @ mean)
        )
    for place, sign in ((2, 1.0), (3, -1.0)):
        seen = four[place]
        along = seen.means(ratios[place - 2]) - mean
        influences[place] = influences[place] + sign * fitted[place].influence(seen, along)
    return Fit(np.array([estimate])), influences


def fill_repeated(
    sample: Sample, plan: list[Cell], method: str
) -> tuple[list[dict[str, Any]], np.ndarray]:
    """Return the same from whoever is seen in either period."""
    influence = np.zeros((len(plan), sample.x.shape[1]))
    seen, rows = np.isfinite(sample.y), []
    for place, cell in enumerate(plan):
        if cell.later == cell.base:
            rows.append({**cell.row, **counted(sample.starts, cell.arms)})
            continue
        members, four = [], []
        for groups in (cell.arms.treated, cell.arms.comparison):
            parts = [np.arange(part.start, part.stop) for part in sample.groups(groups)]
            own = np.concatenate([*parts, np.empty(0, dtype=int)])
            for time in (cell.later, cell.base):
                some = own[seen[time, own]]
                members.append(some)
                four.append(Seen(sample.x[:, some], sample.weight[some], sample.y[time, some]))
        fit, parts = cross_fit(four, method)
        for some, part in zip(members, parts, strict=False):
            influence[place, some] += part  # a unit may be seen in both periods
        sizes = [len(some) for some in members]
        rows.append({
            "estimate": fit.estimate[0], "n_treated": sizes[0] + sizes[1],
            "n_comparison": sizes[2] + sizes[3], "n_left_out": 0, "status": fit.status,
        })  # fmt: skip
    return rows, influence
