"""The probability of being treated, from covariates measured before."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfeval.errors import DataError, ParameterError
from tfeval.impact.logit import Logit, Rows, fit_logit, one_blas_thread, predict
from tfeval.impact.study import Study


@dataclass(frozen=True, eq=False)
class Propensity:
    """Propensity scores and, for a logit, what errors need to count their estimation.

    Attributes
    ----------
    score : ndarray of float, shape (n,)
        Probability of being treated.
    linear : ndarray of float, shape (n,)
        Its log-odds.
    logit : Logit or None
        The fit on all rows.
    folds : ndarray of int or None, shape (n,)
        A unit's score comes from the other folds' units.
    model : str
        In words.
    notes : tuple of str
        What a reader must know.
    """

    score: np.ndarray
    linear: np.ndarray
    logit: Logit | None = None
    folds: np.ndarray | None = None
    model: str = "logistic regression"
    notes: tuple[str, ...] = ()


def fit_propensity(
    study: Study, model: Any = "logit", *, folds: int | None = None, seed: int = 1
) -> Propensity:
    """Estimate propensity scores.

    Parameters
    ----------
    study : Study
        Its covariates, sampling weights and, for folds, its families or units.
    model : "logit" or a scikit-learn classifier
        A classifier has `fit` and `predict_proba`; it is cloned, never changed.
    folds : int, optional
        Parts for cross-fitting: 1 (none) for logit, 5 for a classifier.
    seed : int, default 1
        Of the folds.

    Returns
    -------
    Propensity

    Raises
    ------
    DataError
        If covariates separate the arms.
    ParameterError
        If the model or the folds do not fit.

    References
    ----------
    Rosenbaum and Rubin (1983), The central role of the propensity score in observational studies
    for causal effects, Biometrika 70.

    Examples
    --------
    >>> import pandas as pd
    >>> from tfeval.impact.study import study
    >>> frame = pd.DataFrame({"treated": [1, 0, 1, 0, 0, 1], "old": [1, 1, 0, 0, 0, 1]})
    >>> fit_propensity(study(frame, covariates=["old"])).score.round(3).tolist()
    [0.667, 0.667, 0.333, 0.333, 0.333, 0.667]
    """
    is_logit = isinstance(model, str) and model == "logit"
    if not is_logit and not (hasattr(model, "fit") and hasattr(model, "predict_proba")):
        raise ParameterError('model is "logit" or a classifier with fit and predict_proba.')
    count = (1 if is_logit else 5) if folds is None else folds
    if isinstance(count, bool) or not isinstance(count, int | np.integer) or not 1 <= count <= 50:
        raise ParameterError(f"folds is a whole number from 1 to 50, not {folds!r}.")
    codes = assign_folds(study, int(count), seed) if count > 1 else None
    if codes is not None:
        _check_folds(study, codes, int(count))
    return _by_logit(study, codes) if is_logit else _by_classifier(study, model, codes)


def assign_folds(study: Study, count: int, seed: int = 1) -> np.ndarray:
    """Return each unit's fold, from 0; a family stays together.

    Notes
    -----
    By the family, or a hash of the unit's identifier, so that the order of rows has no say where
    the study has one of them.
    """
    if study.family is not None:
        families = int(study.family.max()) + 1
        return (np.random.default_rng(seed).permutation(families) % count)[study.family]
    if study.unit is not None:
        from pandas.util import hash_array  # noqa: PLC0415

        values = np.asarray(study.unit, dtype=object if study.unit.dtype == object else None)
        mixed = hash_array(values) ^ np.uint64(seed * 0x9E3779B97F4A7C15 % 2**64)
        return ((mixed >> np.uint64(17)) % np.uint64(count)).astype(np.int64)
    return np.random.default_rng(seed).permutation(study.size) % count


def _check_folds(study: Study, codes: np.ndarray, count: int) -> None:
    for arm in (study.treated, ~study.treated):
        if np.bincount(codes[arm], minlength=count).min() == 0:
            raise DataError(f"With {count} folds, one has no unit of an arm. Use fewer folds.")


def _by_logit(study: Study, codes: np.ndarray | None) -> Propensity:
    fit = fit_logit(study.covariates, study.treated, study.weight)
    names = study.covariates.names
    notes = tuple(
        f"{names[place]} is determined by other covariates, so it was left out of the model."
        for place in fit.aliased
    )
    if codes is None:
        linear = predict(fit, study.covariates, study.treated)
    else:
        linear = _out_of_fold(study, fit, codes)
    # Sums taken in another order differ in the last digits; they must not break ties.
    linear = np.round(linear, 11)
    return Propensity(_expit(linear), linear, fit, codes, notes=notes)


def _expit(linear: np.ndarray) -> np.ndarray:
    from scipy.special import expit  # noqa: PLC0415

    return expit(linear)


def _out_of_fold(study: Study, fit: Logit, codes: np.ndarray) -> np.ndarray:
    """Return linear predictors of fits without each unit's own fold.

    Each starts from the fit on all rows. Small studies are refitted until nothing moves; in large
    ones one Newton step leaves an error of the order of one over the units.
    """
    count = int(codes.max()) + 1
    rows = Rows(study.covariates, study.treated, study.weight, fit.centre)
    start = np.repeat(fit.coefficients[None], count, axis=0)
    for _ in range(1 if study.size > 100_000 else 25):
        moved = _step_without(rows, start, codes, fit.aliased)
        start = start + moved
        if np.abs(moved).max() <= 1e-12 * max(1.0, np.abs(start).max()):
            break
    linear = np.empty(study.size)
    for at, z in rows.blocks(0, study.size):
        own = start @ z
        linear[at] = np.take_along_axis(own, codes[None, at], axis=0)[0]
    return linear


def _step_without(
    rows: Rows, coefficients: np.ndarray, codes: np.ndarray, aliased: tuple[int, ...]
) -> np.ndarray:
    """Return the Newton step of each fold's fit on the other folds' rows."""
    count, width = coefficients.shape
    gradients = np.zeros((count, count, width))
    informations = np.zeros((count, count, width, width))
    same = (coefficients == coefficients[0]).all()
    with one_blas_thread(len(codes) > 60_000):
        for at, z in rows.blocks(0, len(codes)):
            for held in range(count):
                own = np.ascontiguousarray(z[:, codes[at] == held])
                inside = slice(at.start, at.stop)
                treated = rows.treated[inside][codes[at] == held]
                weight = None if rows.weight is None else rows.weight[inside][codes[at] == held]
                for fold in range(1 if same else count):
                    if not same and fold == held:
                        continue
                    probability = _expit(coefficients[fold] @ own)
                    spread, residual = probability * (1 - probability), treated - probability
                    if weight is not None:
                        spread, residual = spread * weight, residual * weight
                    scaled = own * np.sqrt(spread)
                    gradients[fold, held] += own @ residual
                    informations[fold, held] += scaled @ scaled.T
    keep = np.setdiff1d(np.arange(width), [place + 1 for place in aliased])
    steps = np.zeros_like(coefficients)
    for fold in range(count):
        source = 0 if same else fold
        others = [held for held in range(count) if held != fold]
        gradient = gradients[source, others].sum(axis=0)[keep]
        information = informations[source, others].sum(axis=0)[np.ix_(keep, keep)]
        steps[fold, keep] = np.linalg.solve(information, gradient)
    return steps


def _by_classifier(study: Study, model: Any, codes: np.ndarray | None) -> Propensity:
    from sklearn.base import clone  # noqa: PLC0415

    x, treated = study.covariates.matrix, study.treated.astype(int)
    weighs = "sample_weight" in inspect.signature(model.fit).parameters
    notes = []
    if study.weight is not None and not weighs:
        notes.append("The classifier takes no weights, so the sampling weights are not in it.")
    folds = np.zeros(study.size, dtype=np.int64) if codes is None else codes
    score = np.empty(study.size)
    for fold in np.unique(folds):
        held = folds == fold
        rest = np.ones_like(held) if codes is None else ~held
        more = (
            {"sample_weight": study.sampling[rest]} if study.weight is not None and weighs else {}
        )
        fitted = clone(model).fit(x[rest], treated[rest], **more)
        score[held] = fitted.predict_proba(x[held])[:, list(fitted.classes_).index(1)]
    if not np.isfinite(score).all():
        raise DataError("The classifier gave a probability that is not a number.")
    inside = np.clip(score, 1e-6, 1 - 1e-6)
    if (changed := int((inside != score).sum())) > 0:
        some = f"{changed:,}" if changed >= 10 else "fewer than 10"
        notes.append(f"Probabilities of 0 or 1 for {some} units were moved inside by 0.000001.")
    linear = np.log(inside / (1 - inside))
    return Propensity(inside, linear, None, codes, type(model).__name__, tuple(notes))
