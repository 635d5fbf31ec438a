"""The propensity score: each unit's probability of being treated, given its covariates."""

from __future__ import annotations

from contextlib import AbstractContextManager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import pandas as pd

from tfeval.display.rich import Rich
from tfeval.display.tables import exact_count, safe_count
from tfeval.errors import DataError, ParameterError
from tfeval.impact.propensity.logit import fit_logit, linear_out_of_fold, scores
from tfeval.impact.study.checks import sources_of
from tfeval.impact.study.study import Study, check_study
from tfeval.settings import while_shared

# Common support: who has anybody like them in the other arm.


def on_support(
    score: np.ndarray, treated: np.ndarray, support: str | tuple[float, float] | None
) -> np.ndarray:
    """Return who lies where both arms do.

    Parameters
    ----------
    score : ndarray of float, shape (n,)
        Probability of being treated.
    treated : ndarray of bool, shape (n,)
        Who was treated.
    support : {"both", "treated", "comparison"}, (low, high) or None
        Who is held to the other arm's range of scores: both arms, or one. Or the lowest and
        highest probability kept.

    Returns
    -------
    ndarray of bool, shape (n,)

    Raises
    ------
    ParameterError
        If the support is not one of these.

    References
    ----------
    Dehejia and Wahba (1999), Causal effects in nonexperimental studies, JASA 94 (range of the
    other arm); Crump, Hotz, Imbens and Mitnik (2009), Dealing with limited overlap in estimation
    of average treatment effects, Biometrika 96 (fixed limits such as 0.1 and 0.9).

    Examples
    --------
    >>> score = np.array([0.9, 0.4, 0.5, 0.1])
    >>> on_support(score, np.array([True, True, False, False]), "both").tolist()
    [False, True, True, False]
    """
    if support is None:
        return np.ones(len(score), dtype=bool)
    if not isinstance(support, str):
        low, high = _limits(support)
        return (score >= low) & (score <= high)
    if support not in ("both", "treated", "comparison"):
        raise _unknown()
    kept = np.ones(len(score), dtype=bool)
    for side, arm in (("treated", treated), ("comparison", ~treated)):
        if support in ("both", side):
            other = score[~arm]
            kept[arm] = (score[arm] >= other.min()) & (score[arm] <= other.max())
    return kept


def _limits(support: tuple[float, float]) -> tuple[float, float]:
    try:
        low, high = (float(limit) for limit in support)
    except (TypeError, ValueError):
        raise _unknown() from None
    if not 0.0 <= low < high <= 1.0:
        raise _unknown()
    return low, high


def _unknown() -> ParameterError:
    return ParameterError(
        'support is "both", "treated" or "comparison", or the lowest and the highest probability, '
        "such as (0.1, 0.9)."
    )


# Folds for cross-fitting: a unit's score then comes from a model that never saw it.


def assign_folds(study: Study, folds: int, seed: int = 1) -> np.ndarray:
    """Put each unit into a fold.

    Parameters
    ----------
    study : Study
        Families stay together, if it has them. Otherwise the fold hangs on the unit's identifier
        and not on the order of rows, if it has one; and else on the row.
    folds : int
        At least 2.
    seed : int
        Another seed, other folds.

    Returns
    -------
    ndarray of int8, shape (n,)
        From 0.

    Examples
    --------
    >>> from tfeval.impact.study.study import study
    >>> frame = pd.DataFrame({"treated": [0, 1] * 50, "age": range(100), "id": range(100)})
    >>> first = assign_folds(study(frame, covariates="age", unit="id"), 2)
    >>> again = assign_folds(study(frame[::-1], covariates="age", unit="id"), 2)
    >>> (first == again[::-1]).all()
    np.True_
    """
    counted = study.sampling > 0
    if study.family is not None:
        # Numbered among those who count, so that the others have no say.
        keys = np.searchsorted(np.unique(study.family[counted]), study.family).astype(np.uint64)
    elif study.unit is not None:
        keys = pd.util.hash_array(np.asarray(study.unit), categorize=False)
    else:
        keys = np.cumsum(counted, dtype=np.uint64) - counted
    codes = (mixed(keys, seed) % np.uint64(folds)).astype(np.int8)
    for fold in range(folds):
        rest = study.treated[counted & (codes != fold)]
        if rest.all() or not rest.any():
            raise DataError(
                f"Without one of the {folds} folds, one arm is empty: too few units for "
                "cross-fitting. Ask for folds=1, or fewer folds."
            )
    return codes


def mixed(keys: np.ndarray, seed: int) -> np.ndarray:
    """Return keys scrambled by a seed, as even as random numbers.

    References
    ----------
    Steele, Lea and Flood (2014), Fast splittable pseudorandom number generators, OOPSLA: the
    finalising function of SplitMix64.
    """
    with np.errstate(over="ignore"):
        z = keys + np.uint64(seed % 2**32 + 1) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


# Propensity scores from any scikit-learn classifier.


def fit_classifier(
    study: Study, model: Any, folds: np.ndarray | None, seed: int
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return probabilities of being treated, shape (n,), and notes.

    Parameters
    ----------
    model : scikit-learn classifier
        Cloned; it is not changed.
    folds : ndarray of int or None, shape (n,)
        Fold of each unit; a unit's probability comes from the fit to the other folds.
    seed : int
        For a `random_state` that is None.
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
    for members in groups:
        rest: Any = counted if folds is None else counted & ~members
        rest = slice(None) if rest.all() else rest
        own = clone(model)
        if "random_state" in own.get_params() and own.get_params()["random_state"] is None:
            own.set_params(random_state=seed)
        more = {"sample_weight": study.sampling[rest]} if weighted else {}
        own.fit(x[rest], study.treated[rest], **more)
        score[members] = own.predict_proba(x[members])[:, list(own.classes_).index(True)]
    name = type(model).__name__
    notes: tuple[str, ...] = ()
    if study.weight is not None and not weighted:
        notes = (f"{name} does not use the sampling weights.",)
    return score, notes


#: A classifier's probability is kept this far from 0 and 1, where odds are endless.
EDGE = 1e-6
MOST_FOLDS = 100


class Classifier(Protocol):
    """What a model of the probability of being treated must offer, as scikit-learn's do."""

    def fit(self, x: Any, y: Any, /) -> Any: ...  # noqa: D102
    def predict_proba(self, x: Any, /) -> Any: ...  # noqa: D102


@dataclass(frozen=True, eq=False)
class Propensity(Rich):
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
        return f"Propensity: {self.model}{cross}, {safe_count(len(self.score))} units"


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
    score, notes = fit_classifier(study, model, assigned, seed)
    far = (score < EDGE) | (score > 1.0 - EDGE)
    if at_edge := int((far & (study.sampling > 0)).sum()):
        some = exact_count(at_edge)
        notes = (*notes, f"Scores of {some} units were kept {EDGE:g} away from 0 and 1.")
    score = np.clip(score, EDGE, 1.0 - EDGE)
    residual = (study.treated - score) * study.sampling
    none = np.empty(0)
    return Propensity(
        score, np.log(score / (1.0 - score)), none, np.empty((0, 0)), residual,
        intercept=False, folds=assigned, model=type(model).__name__, notes=notes,
    )  # fmt: skip


#: While fits are shared, that of all units by what it was made of, which is kept with it so that
#: nothing else comes to lie there.
_shared: ContextVar[dict[tuple[int, ...], tuple[Study, Propensity]] | None] = ContextVar(
    "fits", default=None
)


def fits_shared() -> AbstractContextManager[None]:
    """Let designs of one study share its logistic regression; nothing of it may be changed."""
    return while_shared(_shared)


def _logit(study: Study, folds: np.ndarray | None) -> Propensity:
    shared = _shared.get()
    if folds is not None or shared is None:
        return _fitted_logit(study, folds)
    key = (id(study.covariates), id(study.treated), id(study.weight))
    if key not in shared:
        shared[key] = study, _fitted_logit(study, None)
    return shared[key][1]


def _fitted_logit(study: Study, folds: np.ndarray | None) -> Propensity:
    fit = fit_logit(study.covariates, study.treated, study.weight)
    notes: tuple[str, ...] = ()
    if fit.redundant:
        notes = (
            f"Left out of the logistic regression, a combination of the covariates before: "
            f"{', '.join(sources_of(study.covariates, fit.redundant))}.",
        )
    propensity = Propensity(
        fit.score, fit.linear, fit.coefficients, fit.information, fit.residual, notes=notes
    )
    if folds is None:
        return propensity
    linear = linear_out_of_fold(study.covariates, study.treated, study.weight, folds, fit)
    score, residual = scores(linear, study.treated, study.weight)
    return replace(propensity, score=score, linear=linear, residual=residual, folds=folds)
