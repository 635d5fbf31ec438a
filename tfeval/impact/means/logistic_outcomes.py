"""Outcomes between 0 and 1 by logistic regression, where a straight line would leave that range."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfeval.errors import DataError
from tfeval.impact.means.means import Means, Sample, Tally
from tfeval.impact.means.regression import centre_of, solved


def check_between(values: np.ndarray, known: np.ndarray, names: Sequence[str]) -> None:
    """Refuse outcomes outside 0 to 1.

    Raises
    ------
    DataError
        Naming them.
    """
    outside = ((values < 0) | (values > 1))[known].any(axis=0)
    if outside.any():
        named = ", ".join(str(names[at]) for at in np.flatnonzero(outside)[:5])
        raise DataError(
            f"{named}: values outside 0 to 1, so no logistic outcome model. "
            'Say outcome_model="linear".'
        )


def fit_logistic(
    x: np.ndarray, weights: np.ndarray, values: np.ndarray, what: str = "an outcome"
) -> tuple[np.ndarray, np.ndarray]:
    """Fit one outcome; return coefficients (1 + k,) and the inverse information.

    Parameters
    ----------
    x : ndarray, shape (rows, k)
    weights, values : ndarray, shape (rows,)
        Values between 0 and 1.
    what : str
        Named in an error.

    Raises
    ------
    DataError
        If the fit runs away: covariates determine the outcome in this arm.
    """
    from scipy.special import expit  # noqa: PLC0415

    z = np.column_stack([np.ones(len(x)), x])
    scale = np.maximum(np.sqrt((z**2).mean(axis=0)), 1e-12)
    mean = np.clip(weights @ values / weights.sum(), 1e-6, 1 - 1e-6)
    beta = np.zeros(z.shape[1])
    beta[0] = np.log(mean / (1 - mean))
    for _ in range(50):
        fitted = expit(z @ beta)
        spread = weights * fitted * (1 - fitted)
        step = solved((z * spread[:, None]).T @ z, (z.T @ (weights * (values - fitted)))[:, None])
        move = step.coefficients[:, 0]
        # A step that would leap across the scale is cut: the likelihood is flat out there.
        move *= min(1.0, 5.0 / max(np.abs(move * scale).max(), 1e-300))
        beta = beta + move
        if np.abs(move * scale).max() < 1e-11 * max(1.0, np.abs(beta * scale).max()):
            return beta, step.inverse
    raise DataError(
        f"The logistic model of {what} does not settle: covariates determine it in one arm. "
        'Say outcome_model="linear", or adjust for fewer covariates.'
    )


def logistic_adjusted_means(sample: Sample, *, fixed: bool = False) -> Means:
    """Return both arms' mean outcomes at the target's covariates, each outcome's model logistic.

    Parameters
    ----------
    sample : Sample
        Values between 0 and 1.
    fixed : bool, default False
        As in `adjusted_means`.

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
    found, parameters = [], 0
    for treated in (True, False):
        rows = sample.arm(treated)
        x = sample.study.covariates.rows(rows) - centre
        means = np.empty(sample.values.shape[1])
        slopes, beside = np.empty((len(rows), len(means))), np.empty((len(target), len(means)))
        for place in range(len(means)):
            values = sample.values[rows, place]
            what = sample.names[place] if sample.names else "an outcome"
            beta, inverse = fit_logistic(x, sample.weights[rows], values, what)
            predicted = expit(beta[0] + at_target @ beta[1:])
            means[place] = share @ predicted
            bend = share * predicted * (1 - predicted)
            moved = inverse @ np.concatenate([[bend.sum()], bend @ at_target])
            residual = values - expit(beta[0] + x @ beta[1:])
            slopes[:, place] = residual * (moved[0] + x @ moved[1:])
            beside[:, place] = share * (predicted - means[place])
        tally = Tally(sample)
        tally.through_weights(rows, slopes)
        if not fixed:
            tally.beside_weights(target, beside)
        parameters += x.shape[1] + 1
        found.append((means, tally.psi))
    (first, psi_first), (second, psi_second) = found
    return Means(first, second, psi_first, psi_second, parameters)
