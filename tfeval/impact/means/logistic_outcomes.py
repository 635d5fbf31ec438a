"""Outcomes between 0 and 1 by logistic regression, where a straight line would leave that range."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from tfeval.errors import DataError
from tfeval.impact.means.least_squares import Fit, cross_products, half_of, solved
from tfeval.impact.means.means import Means, Part, Sample, Side, Tally, both_means
from tfeval.impact.means.regression import centre_of


def check_between(values: np.ndarray, names: Sequence[str]) -> None:
    """Refuse outcomes outside 0 to 1, wherever they are known.

    Parameters
    ----------
    values : ndarray of float, shape (n, outcomes)
        NaN where missing, each outcome by itself.
    names : sequence of str

    Raises
    ------
    DataError
        Naming them.
    """
    outside = ((values < 0) | (values > 1)).any(axis=0)
    if outside.any():
        named = ", ".join(str(names[at]) for at in np.flatnonzero(outside)[:5])
        raise DataError(
            f"{named}: values outside 0 to 1, so no logistic outcome model. "
            'Say outcome_model="linear".'
        )


def fit_logistic(
    x: np.ndarray, weights: np.ndarray, values: np.ndarray, shift: np.ndarray | None = None
) -> Fit:
    """Fit one outcome by maximum likelihood, with statsmodels.

    Parameters
    ----------
    x : ndarray, shape (rows, k)
        Columns that repeat others, or are too many for the rows, are left out as in `solved`.
    weights, values : ndarray, shape (rows,)
        Values between 0 and 1.
    shift : ndarray, optional, shape (k,)
        What was taken off the columns beforehand.

    Returns
    -------
    Fit
        With the inverse information; all NaN where the fit runs away, since nobody has the outcome,
        everybody has, or covariates determine it.
    """
    from scipy.special import expit  # noqa: PLC0415
    from statsmodels.genmod.families import Binomial  # noqa: PLC0415
    from statsmodels.genmod.generalized_linear_model import GLM  # noqa: PLC0415

    first = solved(
        *cross_products(x, weights, values[:, None]), shift=shift,
        units=int(np.count_nonzero(weights)),
    )  # fmt: skip
    kept = first.kept
    z = np.column_stack([np.ones(len(x)), x])[:, kept]
    scale = np.sqrt((z**2).mean(axis=0))
    beta, inverse = np.full(1 + x.shape[1], np.nan), np.full(first.inverse.shape, np.nan)
    mean = weights @ values / weights.sum() if weights.any() else 0.0
    if 0.0 < mean < 1.0 and scale.all():
        with warnings.catch_warnings():
            # What they say, that the fit runs away, is read from where it ends.
            warnings.simplefilter("ignore")
            found = GLM(values, z / scale, family=Binomial(), var_weights=weights).fit(
                maxiter=50, tol=1e-10, tol_criterion="params"
            )
        if found.converged and np.isfinite(found.params).all():
            own = found.params / scale
            fitted = expit(z @ own)
            half = half_of(z.T @ (z * (weights * fitted * (1 - fitted))[:, None]))
            beta[:], inverse[:] = 0.0, 0.0
            beta[kept], inverse[np.ix_(kept, kept)] = own, half @ half.T
    return Fit(beta[:, None], inverse, first.aliased, first.crowded)


def logistic_adjusted_means(sample: Sample, *, fixed: bool = False) -> Means:
    """Return both arms' mean outcomes at the target's covariates, each outcome's model logistic.

    Parameters
    ----------
    sample : Sample
        Values between 0 and 1, of level 0.
    fixed : bool, default False
        As in `adjusted_means`.

    Notes
    -----
    An outcome whose model does not settle in an arm has no mean there, and no effect; the others
    are as they would be without it.

    References
    ----------
    Snowden, Rose and Mortimer (2011), Implementation of g-computation on a simulated data set,
    American Journal of Epidemiology 173; errors by the delta method.
    """
    from scipy.special import expit  # noqa: PLC0415

    centre = centre_of(sample)
    target = np.flatnonzero(sample.target > 0)
    at_target = sample.study.covariates.rows(target) - centre
    share = sample.target[target] / sample.target[target].sum()
    sides, parameters = [], 0
    for treated in (True, False):
        rows = sample.arm(treated)
        x, weights = sample.study.covariates.rows(rows) - centre, sample.weights[rows]
        shape = sample.values.shape[1]
        means, off = np.empty(shape), np.empty((len(target), shape))
        levers, residuals = np.empty((2, len(rows), shape))
        for place in range(shape):
            fit = fit_logistic(x, weights, sample.values[rows, place], centre)
            predicted = expit(fit.predict(at_target)[:, 0])
            means[place] = share @ predicted
            bend = share * predicted * (1 - predicted)
            moved = fit.inverse @ np.concatenate([[bend.sum()], bend @ at_target])
            residuals[:, place] = sample.values[rows, place] - expit(fit.predict(x)[:, 0])
            levers[:, place] = weights * (moved[0] + x @ moved[1:])
            off[:, place] = predicted - means[place]
        tally, parts = Tally(sample), [Part(rows, weights, levers, residuals)]
        tally.through_weights(rows, residuals * levers / weights[:, None])
        if not fixed:
            tally.beside_weights(target, share[:, None] * off)
            parts.append(Part(target, sample.target[target], share, off, of_target=True))
        parameters += fit.rank
        sides.append(Side(means, tally.psi, tuple(parts), (fit,)))
    return both_means(sides[0], sides[1], parameters)
