"""The logistic regression of being treated on the covariates, for few units and for millions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfeval.errors import DataError
from tfeval.impact.propensity.newton import Terms
from tfeval.impact.propensity.solving import Solution, solve
from tfeval.impact.study.compiled import in_parts
from tfeval.impact.study.covariates import Covariates
from tfeval.impact.study.naming import sources_of
from tfeval.impact.study.rows import parts, steps

#: Decimals of the linear predictor that are told apart.
DIGITS = 11
#: Linear predictor whose exponential is near the largest number there is.
FAR = 700.0


@dataclass(frozen=True, eq=False)
class LogitFit(Solution):
    """A logistic regression.

    Attributes
    ----------
    score, residual : ndarray, shape (n,)
        Probability, and sampling weight times (treated less probability).
    """

    score: np.ndarray
    residual: np.ndarray


def logit_terms(treated: np.ndarray, weight: np.ndarray | None) -> Terms:
    """Return minus the log likelihood of a block, its residuals and curvatures."""

    def terms(
        eta: np.ndarray, block: slice, curvature: bool
    ) -> tuple[float, np.ndarray, np.ndarray | None]:
        arm = treated[block].astype(float)
        score = np.negative(eta)
        with np.errstate(over="ignore"):
            np.exp(score, out=score)
        score += 1.0
        value = np.log(score) if curvature else None
        if value is not None and eta.min() < -FAR:
            # One unit far from the others must not make the sum infinite.
            np.copyto(value, -eta, where=eta < -FAR)
        np.reciprocal(score, out=score)
        residual = arm - score
        own = None if weight is None else weight[block]
        if own is not None:
            residual *= own
        if value is None:
            return 0.0, residual, None
        value += eta * (1.0 - arm)
        curved = score * (1.0 - score)
        if own is None:
            return float(value.sum()), residual, curved
        return float(value @ own), residual, curved * own

    return terms


def fit_logit(
    covariates: Covariates, treated: np.ndarray, weight: np.ndarray | None = None
) -> LogitFit:
    """Fit by maximum likelihood.

    Parameters
    ----------
    covariates : Covariates
    treated : ndarray of bool, shape (n,)
    weight : ndarray of float, shape (n,), optional
        Sampling weights.

    Raises
    ------
    DataError
        If covariates tell the arms apart perfectly, or the fit does not converge.
    """
    share = float(np.clip(np.average(treated, weights=weight), 1e-3, 0.999))
    found = solve(
        covariates,
        lambda rows: logit_terms(treated[rows], None if weight is None else weight[rows]),
        np.log(share / (1.0 - share)),
        lambda: _refuse_separation(covariates, treated, weight),
        lambda sizes: _not_converged(covariates, sizes),
    )
    score, residual = scores(found.linear, treated, weight)
    return LogitFit(
        found.coefficients, found.information, found.linear, found.redundant, score, residual
    )


def scores(
    linear: np.ndarray, treated: np.ndarray, weight: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities and weighted residuals from linear predictors; shapes (n,).

    The linear predictors are rounded in place: sums taken in another order differ in the last
    digits, which must not break ties between units that are the same.
    """
    score, residual = np.empty(len(linear)), np.empty(len(linear))

    def part(start: int, stop: int) -> None:
        for block in steps(start, stop):
            own = score[block]
            np.round(linear[block], DIGITS, out=linear[block])
            np.negative(linear[block], out=own)
            with np.errstate(over="ignore"):
                np.exp(own, out=own)
            own += 1.0
            np.reciprocal(own, out=own)
            np.subtract(treated[block], own, out=residual[block])
            if weight is not None:
                residual[block] *= weight[block]

    in_parts(part, parts(len(linear)))
    return score, residual


def _refuse_separation(
    covariates: Covariates, treated: np.ndarray, weight: np.ndarray | None
) -> None:
    counts = covariates.count
    low, high = np.full((2, counts), np.inf), np.full((2, counts), -np.inf)
    for block, x in covariates.blocks():
        counted = np.ones(x.shape[1], bool) if weight is None else weight[block] > 0
        for arm in (0, 1):
            own = x[:, counted & (treated[block] == bool(arm))]
            if own.shape[1]:
                np.minimum(low[arm], own.min(axis=1), out=low[arm])
                np.maximum(high[arm], own.max(axis=1), out=high[arm])
    apart = (low[1] >= high[0]) | (low[0] >= high[1])
    names = [name for name, one in zip(covariates.names, apart, strict=True) if one]
    if names:
        named = sources_of(covariates, names)[:5]
        raise DataError(
            f"{', '.join(named)}: tells treated from comparison units without overlap (above "
            "some value, or in some category, all are of one arm), so no propensity score exists. "
            "Leave it out, group its categories, or leave out the units that have no counterpart."
        )


def _not_converged(covariates: Covariates, sizes: np.ndarray) -> DataError:
    named = sources_of(covariates, [covariates.names[at] for at in np.argsort(-sizes)[:3]])
    return DataError(
        "The logistic regression does not converge: together the covariates tell treated from "
        f"comparison units almost perfectly. Look first at {', '.join(named)}."
    )
