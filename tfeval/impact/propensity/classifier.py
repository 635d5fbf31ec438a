"""Propensity scores from any scikit-learn classifier."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfeval.errors import ParameterError
from tfeval.impact.study.study import Study


def fit_classifier(
    study: Study, model: Any, folds: np.ndarray | None, seed: int
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return probabilities of being treated, shape (n,), and notes.

    Parameters
    ----------
    study : Study
    model : scikit-learn classifier
        Cloned; it is not changed.
    folds : ndarray of int or None, shape (n,)
        Fold of each unit; a unit's probability comes from the fit to the other folds.
    seed : int
        For a `random_state` that is None.

    Raises
    ------
    ParameterError
        If the model is not a classifier with probabilities.
    """
    from sklearn.base import clone  # noqa: PLC0415
    from sklearn.utils.validation import has_fit_parameter  # noqa: PLC0415

    if isinstance(model, type) or not hasattr(model, "fit") or not hasattr(model, "predict_proba"):
        raise ParameterError(
            'model is "logit" or a scikit-learn classifier with predict_proba, such as '
            "HistGradientBoostingClassifier()."
        )
    x = study.covariates.block(0, study.size).T
    weighted = study.weight is not None and has_fit_parameter(model, "sample_weight")
    score = np.empty(study.size)
    groups = [np.ones(study.size, bool)] if folds is None else [
        folds == fold for fold in range(int(folds.max()) + 1)
    ]  # fmt: skip
    counted = study.sampling > 0
    for held in groups:
        rest: Any = counted if folds is None else counted & ~held
        rest = slice(None) if rest.all() else rest
        own = clone(model)
        if "random_state" in own.get_params() and own.get_params()["random_state"] is None:
            own.set_params(random_state=seed)
        more = {"sample_weight": study.sampling[rest]} if weighted else {}
        own.fit(x[rest], study.treated[rest], **more)
        score[held] = own.predict_proba(x[held])[:, list(own.classes_).index(True)]
    name = type(model).__name__
    notes: tuple[str, ...] = ()
    if study.weight is not None and not weighted:
        notes = (f"{name} does not use the sampling weights.",)
    return score, notes
