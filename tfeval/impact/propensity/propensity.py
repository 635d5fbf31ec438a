"""The propensity score: each unit's probability of being treated, given its covariates."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from tfeval.errors import ParameterError, names_settings
from tfeval.impact.propensity.folds import assign_folds
from tfeval.impact.propensity.logit import fit_logit, scores
from tfeval.impact.propensity.logit_folds import linear_out_of_fold
from tfeval.impact.study.naming import sources_of
from tfeval.impact.study.study import Study, check_study

#: A classifier's probability is kept this far from 0 and 1, where odds are endless.
EDGE = 1e-6
MOST_FOLDS = 100


class Classifier(Protocol):
    """What a model of the probability of being treated must offer, as scikit-learn's do."""

    def fit(self, x: Any, y: Any, /) -> Any: ...  # noqa: D102
    def predict_proba(self, x: Any, /) -> Any: ...  # noqa: D102


@dataclass(frozen=True, eq=False)
class Propensity:
    """Who was likely to be treated. Made by `fit_propensity`.

    Attributes
    ----------
    score : ndarray of float, shape (n,)
        Probability of being treated.
    linear : ndarray of float, shape (n,)
        Its log odds.
    coefficients : ndarray, shape (k,)
        Of the logistic regression of all units, the intercept first, then the study's covariates
        in order; 0 for a redundant one. Empty for other models.
    information : ndarray, shape (k, k)
        Its inverse is the coefficients' covariance, and times `residual` times a unit's
        covariates (with a leading 1) the unit's influence on them. That of a redundant covariate
        is so large that nothing moves it. Empty for other models.
    residual : ndarray of float, shape (n,)
        Sampling weight times (treated less score).
    intercept : bool
        Whether `coefficients` begin with one.
    folds : ndarray of int or None, shape (n,)
        Fold of each unit, if scores come from models that did not see the unit's fold.
    model : str
        "logit", or the classifier's name.
    notes : tuple of str
        What a reader must know.
    """

    score: np.ndarray
    linear: np.ndarray
    coefficients: np.ndarray
    information: np.ndarray
    residual: np.ndarray
    intercept: bool = True
    folds: np.ndarray | None = None
    model: str = "logit"
    notes: tuple[str, ...] = ()

    def of_rows(self, rows: np.ndarray) -> Propensity:
        """Return the scores of some units."""
        return replace(
            self, score=self.score[rows], linear=self.linear[rows], residual=self.residual[rows],
            folds=None if self.folds is None else self.folds[rows],
        )  # fmt: skip

    def __repr__(self) -> str:
        cross = "" if self.folds is None else f", {int(self.folds.max()) + 1} folds"
        return f"Propensity: {self.model}{cross}, {len(self.score):,} units"


@names_settings
def fit_propensity(
    study: Study, model: str | Classifier = "logit", *, folds: int | None = None, seed: int = 1
) -> Propensity:
    """Estimate each unit's probability of being treated.

    Sampling weights count. Strata do not enter; name them as covariates if they should.

    Parameters
    ----------
    study : Study
    model : "logit" or a scikit-learn classifier with `predict_proba`
        A logistic regression by maximum likelihood, without interactions; or a classifier, of
        which a copy is fitted, with the sampling weights if it can use them.
    folds : int, optional
        1: every unit's score comes from all units (for "logit" by default). More: from the other
        folds' units (for a classifier 5 by default). Families stay in one fold.
    seed : int
        For the folds, and for a classifier with a `random_state` that is None.

    Returns
    -------
    Propensity

    Raises
    ------
    DataError
        If a covariate, or all together, tell the arms apart perfectly.
    ParameterError
        If the model or the folds are not as above.

    References
    ----------
    Rosenbaum and Rubin (1983), The central role of the propensity score in observational studies
    for causal effects, Biometrika 70. Cross-fitting: Chernozhukov et al. (2018), Double/debiased
    machine learning, Econometrics Journal 21, definition 3.1.

    Examples
    --------
    >>> import pandas as pd
    >>> from tfeval.impact.study.study import study
    >>> frame = pd.DataFrame({"treated": [1, 1, 0, 1, 0, 0, 0, 0], "age": [8, 7, 6, 5, 7, 3, 2, 1]})
    >>> found = fit_propensity(study(frame, covariates=["age"]))
    >>> found.score.round(2).tolist()
    [0.79, 0.64, 0.47, 0.3, 0.64, 0.09, 0.05, 0.02]
    """
    check_study(study, "fit_propensity")
    logit = isinstance(model, str)
    folds = (1 if logit else 5) if folds is None else folds
    if logit and model != "logit":
        raise ParameterError(f'model is "logit" or a scikit-learn classifier, not {model!r}.')
    if (
        isinstance(folds, bool)
        or not isinstance(folds, int | np.integer)
        or not 1 <= folds <= MOST_FOLDS
    ):
        raise ParameterError(f"folds is a whole number from 1 to {MOST_FOLDS}.")
    assigned = assign_folds(study, int(folds), seed) if folds > 1 else None
    if logit:
        return _logit(study, assigned)
    from tfeval.impact.propensity.classifier import fit_classifier  # noqa: PLC0415

    score, notes = fit_classifier(study, model, assigned, seed)
    far = (score < EDGE) | (score > 1.0 - EDGE)
    at_edge = np.count_nonzero(far & (study.sampling > 0))
    if at_edge:
        some = f"{at_edge:,}" if at_edge >= 10 else "fewer than 10"
        notes = (*notes, f"Scores of {some} units were kept {EDGE:g} away from 0 and 1.")
    score = np.clip(score, EDGE, 1.0 - EDGE)
    residual = (study.treated - score) * study.sampling
    none = np.empty(0)
    return Propensity(
        score, np.log(score / (1.0 - score)), none, np.empty((0, 0)), residual,
        intercept=False, folds=assigned, model=type(model).__name__, notes=notes,
    )  # fmt: skip


def _logit(study: Study, folds: np.ndarray | None) -> Propensity:
    fit = fit_logit(study.covariates, study.treated, study.weight)
    notes: tuple[str, ...] = ()
    if fit.redundant:
        notes = (
            f"Left out of the logistic regression, a combination of the covariates before: "
            f"{', '.join(sources_of(study.covariates, fit.redundant))}.",
        )
    found = Propensity(
        fit.score, fit.linear, fit.coefficients, fit.information, fit.residual, notes=notes
    )
    if folds is None:
        return found
    linear = linear_out_of_fold(study.covariates, study.treated, study.weight, folds, fit)
    score, residual = scores(linear, study.treated, study.weight)
    return replace(found, score=score, linear=linear, residual=residual, folds=folds)
