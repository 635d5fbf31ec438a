"""Augmented weighting: right if either the weights or the regression is."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from tfeval.impact.logistic_outcomes import fit_logistic
from tfeval.impact.means import Means, Sample, Tally
from tfeval.impact.regression import cross_products, solved

Predict = Callable[[np.ndarray], np.ndarray]


def doubly_robust_means(sample: Sample, *, outcome_model: str = "linear") -> Means:
    """Return augmented weighted means of both arms (AIPW).

    Parameters
    ----------
    sample : Sample
        With `folds`, a unit's prediction comes from the other folds' units (cross-fitting).
    outcome_model : {"linear", "logistic"}

    Notes
    -----
    With target weights v and design weights w, an arm's mean is the average prediction over v
    plus the w-weighted average of the arm's residuals. Each arm's regression weighs its units by
    the sampling alone. An arm that is itself the target population needs no regression: for the
    ATT, the treated.

    References
    ----------
    Robins, Rotnitzky and Zhao (1994), JASA 89; for the ATT Mercatanti and Li (2014), Annals of
    Applied Statistics 8, equation 2.6; cross-fitting: Chernozhukov and others (2018), Econometrics
    Journal 21, section 5.2; normalised weights: Sloczynski and Wooldridge (2018), Econometric
    Theory 34.
    """
    found = [_arm(sample, outcome_model, treated=treated) for treated in (True, False)]
    (first, psi_first), (second, psi_second) = found
    return Means(first, second, psi_first, psi_second, parameters=0)


def _arm(sample: Sample, model: str, *, treated: bool) -> tuple[np.ndarray, np.ndarray]:
    rows = sample.arm(treated)
    weights = sample.weights[rows]
    target = np.flatnonzero(sample.target > 0)
    tally = Tally(sample)
    own = np.array_equal(rows, target) and np.allclose(
        weights / weights.sum(), sample.target[rows] / sample.target[rows].sum(), rtol=1e-12
    )
    if own:
        mean = weights @ sample.values[rows] / weights.sum()
        tally.through_weights(rows, (sample.values[rows] - mean) / weights.sum())
        return mean, tally.psi
    at_rows, at_target = _predicted(sample, model, rows, target)
    residual = sample.values[rows] - at_rows
    level = weights @ residual / weights.sum()
    share = sample.target[target] / sample.target[target].sum()
    predicted = share @ at_target
    tally.through_weights(rows, (residual - level) / weights.sum())
    tally.beside_weights(target, share[:, None] * (at_target - predicted))
    return predicted + level, tally.psi


def _predicted(
    sample: Sample, model: str, rows: np.ndarray, target: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Predict an arm's outcome for its weighted rows and for the target, out of fold."""
    folds = np.zeros(sample.study.size, dtype=np.int64) if sample.folds is None else sample.folds
    x = sample.study.covariates.rows(rows)
    centre = x.mean(axis=0)
    x -= centre
    fitted = _logistic_fits if model == "logistic" else _linear_fits
    predict = fitted(x, sample.sampling[rows], sample.values[rows], folds[rows], sample.names)
    at_rows = _out_of_fold(sample, predict, folds, rows, centre)
    return at_rows, _out_of_fold(sample, predict, folds, target, centre)


def _linear_fits(
    x: np.ndarray, weights: np.ndarray, values: np.ndarray, folds: np.ndarray, _: tuple[str, ...]
) -> list[Predict]:
    """Fit without each fold, by taking its sums off the whole's."""
    count = int(folds.max()) + 1
    parts = [
        cross_products(x[at], weights[at], values[at])
        for at in (np.flatnonzero(folds == fold) for fold in range(count))
    ]
    gram, right = (np.sum([part[place] for part in parts], axis=0) for place in (0, 1))
    if count == 1:
        return [solved(gram, right).predict]
    return [solved(gram - own, right - seen).predict for own, seen in parts]


def _logistic_fits(
    x: np.ndarray,
    weights: np.ndarray,
    values: np.ndarray,
    folds: np.ndarray,
    names: tuple[str, ...],
) -> list[Predict]:
    named = names or ("an outcome",) * values.shape[1]
    count = int(folds.max()) + 1
    found: list[Predict] = []
    for fold in range(count):
        at = np.flatnonzero(folds != fold) if count > 1 else slice(None)
        betas = [
            fit_logistic(x[at], weights[at], column[at], name)[0]
            for column, name in zip(values.T, named, strict=True)
        ]
        found.append(partial(_logistic_values, np.column_stack(betas)))
    return found


def _logistic_values(betas: np.ndarray, x: np.ndarray) -> np.ndarray:
    from scipy.special import expit  # noqa: PLC0415

    return expit(betas[0] + x @ betas[1:])


def _out_of_fold(
    sample: Sample, predict: list[Predict], folds: np.ndarray, rows: np.ndarray, centre: np.ndarray
) -> np.ndarray:
    out = np.empty((len(rows), sample.values.shape[1]))
    for fold, own in enumerate(predict):
        at = np.flatnonzero(folds[rows] == fold)
        out[at] = own(sample.study.covariates.rows(rows[at]) - centre)
    return out
