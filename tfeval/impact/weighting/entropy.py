"""Entropy balancing: the weights nearest to equal that make the means of covariates the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfeval.errors import DataError
from tfeval.impact.propensity.newton import Terms
from tfeval.impact.propensity.solving import solve
from tfeval.impact.study.aliased import ROUNDING
from tfeval.impact.study.covariates import Covariates
from tfeval.impact.study.naming import sources_of

#: Logarithm of a weight that no solution has.
FAR = 300.0


@dataclass(frozen=True, eq=False)
class EntropyFit:
    """Entropy balancing of one arm.

    Attributes
    ----------
    weights : ndarray, shape (n,)
        0 outside the arm; they sum to the target's.
    residual : ndarray, shape (n,)
        Target less weights; orthogonal to the covariates and to 1.
    coefficients : ndarray, shape (1 + count,)
        Of the weights' logarithm.
    information : ndarray, shape (1 + count, 1 + count)
        The weights times x x'.
    """

    weights: np.ndarray
    residual: np.ndarray
    coefficients: np.ndarray
    information: np.ndarray


def entropy_terms(base: np.ndarray, target: np.ndarray) -> Terms:
    """Return the dual of a block: base times exp(eta) less target times eta, and derivatives."""

    def terms(
        eta: np.ndarray, block: slice, curvature: bool
    ) -> tuple[float, np.ndarray, np.ndarray | None]:
        # A step too far must give a large value and no overflow.
        weights = np.exp(np.minimum(eta, FAR))
        weights *= base[block]
        residual = target[block] - weights
        if not curvature:
            return 0.0, residual, None
        return float(weights.sum() - eta @ target[block]), residual, weights

    return terms


def balance_arm(covariates: Covariates, base: np.ndarray, target: np.ndarray) -> EntropyFit:
    """Reweigh one arm to the means of a target.

    The weights are `base` times the exponential of a linear predictor, whose coefficients solve
    the dual of the entropy problem.

    Parameters
    ----------
    covariates : Covariates
    base : ndarray of float, shape (n,)
        Weights to stay near, 0 outside the arm.
    target : ndarray of float, shape (n,)
        Weights of the population whose means the arm shall have.

    Raises
    ------
    DataError
        If no weights above 0 give the target's means: some lie outside what the arm spans.

    References
    ----------
    Hainmueller (2012), Entropy balancing for causal effects, Political Analysis 20, equations 5
    to 8; Zhao and Percival (2017), Entropy balancing is doubly robust, Journal of Causal Inference
    5, section 3, for the dual as a regression.

    Examples
    --------
    >>> import pandas as pd
    >>> from tfeval.impact.study.covariates import encoded
    >>> x = encoded(pd.DataFrame({"age": [1.0, 2.0, 3.0, 2.5]}), ["age"])
    >>> fit = balance_arm(x, np.array([1.0, 1.0, 1.0, 0.0]), np.array([0.0, 0.0, 0.0, 1.0]))
    >>> fit.weights.round(3).tolist()
    [0.116, 0.268, 0.616, 0.0]
    """
    found = solve(
        covariates,
        lambda rows: entropy_terms(base[rows], target[rows]),
        float(np.log(target.sum() / base.sum())),
        lambda: _refuse_outside(covariates, base, target),
        lambda sizes: _not_converged(covariates, sizes),
    )
    weights = base * np.exp(found.linear)
    residual = target - weights
    if found.redundant:
        _refuse_unbalanced(covariates, found.redundant, residual, target)
    return EntropyFit(weights, residual, found.coefficients, found.information)


def _refuse_outside(covariates: Covariates, base: np.ndarray, target: np.ndarray) -> None:
    low, high = np.full(covariates.count, np.inf), np.full(covariates.count, -np.inf)
    total = np.zeros(covariates.count)
    for block, x in covariates.blocks():
        own = x[:, base[block] > 0]
        if own.shape[1]:
            np.minimum(low, own.min(axis=1), out=low)
            np.maximum(high, own.max(axis=1), out=high)
        total += x @ target[block]
    mean = total / target.sum()
    _refuse(covariates, [
        name
        for name, least, most, wanted in zip(covariates.names, low, high, mean, strict=True)
        if not least < wanted < most
    ])  # fmt: skip


def _refuse_unbalanced(
    covariates: Covariates, names: tuple[str, ...], residual: np.ndarray, target: np.ndarray
) -> None:
    # What is redundant within the arm need not be so in the target: then nothing balances it.
    # About its mean, so that neither its unit nor its zero decides.
    off = []
    for name in names:
        own = covariates.column(name)
        rounding = np.abs(own).max() * target.sum() * ROUNDING**0.5
        own -= own @ target / target.sum()
        most = 1e-7 * (np.abs(own) @ target + np.abs(own).max()) + rounding
        if abs(residual @ own) > most:
            off.append(name)
    _refuse(covariates, off)


def _refuse(covariates: Covariates, names: list[str]) -> None:
    if names:
        named = sources_of(covariates, names)[:5]
        raise DataError(
            f"{', '.join(named)}: no weights make the means the same, because the mean to be "
            "reached lies outside the range of the arm to be weighted. Leave out the units that "
            "have no counterpart, or the covariate."
        )


def _not_converged(covariates: Covariates, sizes: np.ndarray) -> DataError:
    named = sources_of(covariates, [covariates.names[at] for at in np.argsort(-sizes)[:3]])
    return DataError(
        "No weights make the means of all covariates the same at once: no mixture of the units "
        f"to be weighted looks like the others. Look first at {', '.join(named)}; leave out the "
        "units that have no counterpart, or balance on fewer covariates."
    )
