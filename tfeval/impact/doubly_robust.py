"""Augmented weighting: right if either the weights or the regression is."""

from __future__ import annotations

import numpy as np

from tfeval.impact.means import Means, Sample, Tally
from tfeval.impact.regression import Fit, cross_products, solved


def doubly_robust_means(sample: Sample) -> Means:
    """Return augmented weighted means of both arms (AIPW).

    Parameters
    ----------
    sample : Sample
        With `folds`, a unit's prediction comes from the other folds' units (cross-fitting).

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
    found = [_arm(sample, treated=treated) for treated in (True, False)]
    (first, psi_first), (second, psi_second) = found
    return Means(first, second, psi_first, psi_second, parameters=0)


def _arm(sample: Sample, *, treated: bool) -> tuple[np.ndarray, np.ndarray]:
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
    at_rows, at_target = _predicted(sample, rows, target)
    residual = sample.values[rows] - at_rows
    level = weights @ residual / weights.sum()
    share = sample.target[target] / sample.target[target].sum()
    predicted = share @ at_target
    tally.through_weights(rows, (residual - level) / weights.sum())
    tally.beside_weights(target, share[:, None] * (at_target - predicted))
    return predicted + level, tally.psi


def _predicted(
    sample: Sample, rows: np.ndarray, target: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Predict an arm's outcome for its weighted rows and for the target, out of fold."""
    folds = np.zeros(sample.study.size, dtype=np.int64) if sample.folds is None else sample.folds
    count = int(folds.max()) + 1
    x = sample.study.covariates.rows(rows)
    centre = x.mean(axis=0)
    x -= centre
    parts = [
        cross_products(x[at], sample.sampling[rows[at]], sample.values[rows[at]])
        for at in (np.flatnonzero(folds[rows] == fold) for fold in range(count))
    ]
    gram, right = sum(part[0] for part in parts), sum(part[1] for part in parts)
    fits = [solved(gram, right)] if count == 1 else [
        solved(gram - own, right - seen) for own, seen in parts]  # fmt: skip
    at_rows = _out_of_fold(sample, fits, folds, rows, centre)
    return at_rows, _out_of_fold(sample, fits, folds, target, centre)


def _out_of_fold(
    sample: Sample, fits: list[Fit], folds: np.ndarray, rows: np.ndarray, centre: np.ndarray
) -> np.ndarray:
    out = np.empty((len(rows), sample.values.shape[1]))
    for fold, fit in enumerate(fits):
        at = np.flatnonzero(folds[rows] == fold)
        out[at] = fit.predict(sample.study.covariates.rows(rows[at]) - centre)
    return out
