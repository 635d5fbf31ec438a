"""Augmented weighting: right if either the weights or the regression is."""

from __future__ import annotations

import numpy as np

from tfeval.impact.means.linear_outcomes import centred, cross_products_by_group, predictions
from tfeval.impact.means.logistic_outcomes import fit_logistic
from tfeval.impact.means.means import Means, Sample, Tally
from tfeval.impact.means.regression import centre_of, solved
from tfeval.impact.study.rows import Reader


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
    rows = centred(sample.study.covariates, centre_of(sample))
    found = [_arm(sample, rows, outcome_model, treated=treated) for treated in (True, False)]
    (first, psi_first), (second, psi_second) = found
    return Means(first, second, psi_first, psi_second, parameters=0)


def _arm(
    sample: Sample, rows: Reader, model: str, *, treated: bool
) -> tuple[np.ndarray, np.ndarray]:
    arm = sample.arm(treated)
    weights = sample.weights[arm]
    target = np.flatnonzero(sample.target > 0)
    tally = Tally(sample)
    own = np.array_equal(arm, target) and np.allclose(
        weights / weights.sum(), sample.target[arm] / sample.target[arm].sum(), rtol=1e-12
    )
    if own:
        mean = weights @ sample.values[arm] / weights.sum()
        tally.through_weights(arm, (sample.values[arm] - mean) / weights.sum())
        return mean, tally.psi
    every = _predicted(sample, rows, model, arm)
    residual = sample.values[arm] - every[arm]
    at_target = every[target]
    level = weights @ residual / weights.sum()
    share = sample.target[target] / sample.target[target].sum()
    predicted = share @ at_target
    tally.through_weights(arm, (residual - level) / weights.sum())
    tally.beside_weights(target, share[:, None] * (at_target - predicted))
    return predicted + level, tally.psi


def _predicted(sample: Sample, rows: Reader, model: str, own: np.ndarray) -> np.ndarray:
    """Predict every unit's outcomes in an arm, out of fold; shape (n, outcomes)."""
    if model == "logistic":
        from scipy.special import expit  # noqa: PLC0415

        betas = _logistic_fits(sample, own, rows.shift)
        return expit(predictions(rows, betas, sample.folds))
    return predictions(rows, _linear_fits(rows, sample, own), sample.folds)


def _linear_fits(rows: Reader, sample: Sample, own: np.ndarray) -> np.ndarray:
    """Fit without each fold, by taking its sums off the whole's; without folds, once."""
    count = 1 if sample.folds is None else int(sample.folds.max()) + 1
    groups = np.full(sample.study.size, -1, dtype=np.int8)
    groups[own] = 0 if sample.folds is None else sample.folds[own]
    gram, right = cross_products_by_group(rows, sample.sampling, sample.values, groups, count)
    if sample.folds is None:
        return solved(gram[0], right[0]).coefficients
    whole = gram.sum(axis=0), right.sum(axis=0)
    return np.stack([
        solved(whole[0] - part, whole[1] - seen).coefficients
        for part, seen in zip(gram, right, strict=True)
    ])  # fmt: skip


def _logistic_fits(sample: Sample, own: np.ndarray, centre: np.ndarray) -> np.ndarray:
    x, values = sample.study.covariates.rows(own) - centre, sample.values[own]
    weights, named = sample.sampling[own], sample.names or ("an outcome",) * values.shape[1]

    def fit(at: np.ndarray | slice) -> np.ndarray:
        return np.column_stack([
            fit_logistic(x[at], weights[at], column[at], name)[0]
            for column, name in zip(values.T, named, strict=True)
        ])  # fmt: skip

    if sample.folds is None:
        return fit(slice(None))
    folds = sample.folds[own]
    every = range(int(sample.folds.max()) + 1)
    return np.stack([fit(np.flatnonzero(folds != fold)) for fold in every])
