"""The estimators on offer: what each does, and which outcome models and errors go with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from tfeval.impact.means.doubly_robust import doubly_robust_means
from tfeval.impact.means.logistic_outcomes import logistic_adjusted_means
from tfeval.impact.means.means import weighted_means
from tfeval.impact.means.regression import adjusted_means, covariance_adjusted_means

OUTCOME_MODELS = ("linear", "logistic")


@dataclass(frozen=True)
class Method:
    """An estimator of both arms' mean outcomes.

    Attributes
    ----------
    means : callable
        From an outcome model and whether covariates count as fixed to the function that
        estimates the means.
    outcome_models : tuple of str
        Of `OUTCOME_MODELS`.
    adjusts : bool
        Whether for covariates; the plain difference does not.
    regressors : callable or None
        From the treatment, shape (n, 1), and what returns the centred covariates, to the columns
        of the one regression that it is; None where it is none.
    """

    means: Callable[[str, bool], Callable[..., Any]]
    outcome_models: tuple[str, ...] = OUTCOME_MODELS[:1]
    adjusts: bool = True
    regressors: Callable[[np.ndarray, Callable[[], np.ndarray]], np.ndarray] | None = None


def _adjusted(outcome_model: str, fixed: bool) -> Callable[..., Any]:
    chosen = {"linear": adjusted_means, "logistic": logistic_adjusted_means}[outcome_model]
    return partial(chosen, fixed=fixed)


def _with_slopes(treated: np.ndarray, covariates: Callable[[], np.ndarray]) -> np.ndarray:
    # Each arm its own slopes, so that what does not vary in one arm leaves the other as it is.
    x = covariates()
    return np.hstack([treated, treated * x, (1.0 - treated) * x])


#: By the name that `estimate` takes.
METHODS = {
    "difference": Method(
        lambda _model, _fixed: weighted_means, adjusts=False, regressors=lambda treated, _x: treated
    ),
    "adjusted": Method(_adjusted, OUTCOME_MODELS, regressors=_with_slopes),
    "covariance_adjusted": Method(
        lambda _model, _fixed: covariance_adjusted_means,
        regressors=lambda treated, x: np.hstack([treated, x()]),
    ),
    "doubly_robust": Method(
        lambda model, _fixed: partial(doubly_robust_means, outcome_model=model), OUTCOME_MODELS
    ),
}
#: Those that are one regression, so that its errors can be drawn anew.
REGRESSIONS = tuple(name for name, method in METHODS.items() if method.regressors is not None)


def logistic_methods() -> str:
    """Return the names of those that a logistic outcome model goes with, as in a sentence."""
    return " or ".join(name for name, one in METHODS.items() if "logistic" in one.outcome_models)
