"""Estimated weights, and how they hang on their own parameters."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tfeval.impact.design.design import WeightModel
from tfeval.impact.propensity.propensity import Propensity
from tfeval.impact.study.study import Study
from tfeval.impact.weighting.entropy import balance_arm
from tfeval.impact.weighting.ipw import inverse_propensity
from tfeval.impact.weighting.overlap import overlap

AS_KNOWN = "Standard errors take the weights as known: {why}."


@dataclass(frozen=True, eq=False)
class Estimated:
    """Weights of a study.

    Attributes
    ----------
    weights : ndarray, shape (n,)
        Of the design and the sampling together.
    propensity : Propensity or None
    models : tuple of WeightModel
        None where the weights count as known; one for each arm that was balanced by itself.
    notes : tuple of str
    """

    weights: np.ndarray
    propensity: Propensity | None = None
    models: tuple[WeightModel, ...] = ()
    notes: tuple[str, ...] = ()

    def only(self, kept: np.ndarray) -> Estimated:
        """Return the same with weight 0 for all but some units."""
        models = tuple(replace(model, slope=model.slope * kept) for model in self.models)
        return replace(self, weights=np.where(kept, self.weights, 0.0), models=models)


def by_propensity(
    study: Study, propensity: Propensity, estimand: str, stabilise: bool = False
) -> Estimated:
    """Return inverse propensity weights, or overlap weights for the ATO."""
    if estimand == "ATO":
        weights, slope = overlap(propensity.score, study.treated)
    else:
        weights, slope = inverse_propensity(propensity.linear, study.treated, estimand)
    if stabilise:
        share = np.average(study.treated, weights=study.weight)
        by_arm = np.where(study.treated, share, 1.0 - share)
        weights, slope = weights * by_arm, slope * by_arm
    if study.weight is not None:
        weights, slope = weights * study.weight, slope * study.weight
    if propensity.folds is not None or not len(propensity.coefficients):
        fitted = "cross-fitted" if propensity.folds is not None else f"from {propensity.model}"
        why = AS_KNOWN.format(why=f"their scores are {fitted}")
        return Estimated(weights, propensity, (), (*propensity.notes, why))
    model = WeightModel(propensity.residual, slope, propensity.information)
    return Estimated(weights, propensity, (model,), propensity.notes)


def by_entropy(study: Study, estimand: str) -> Estimated:
    """Return entropy balancing weights."""
    arms = {
        "treated": study.sampling * study.treated,
        "comparison": study.sampling * ~study.treated,
    }
    if estimand == "ATE":
        fits = [balance_arm(study.covariates, own, study.sampling) for own in arms.values()]
        models = tuple(WeightModel(fit.residual, fit.weights, fit.information) for fit in fits)
        return Estimated(fits[0].weights + fits[1].weights, None, models)
    whose, other = ("treated", "comparison") if estimand == "ATT" else ("comparison", "treated")
    fit = balance_arm(study.covariates, arms[other], arms[whose])
    model = WeightModel(fit.residual, fit.weights, fit.information)
    return Estimated(arms[whose] + fit.weights, None, (model,))


def trimmed(
    study: Study, found: Estimated, estimand: str, quantile: float, exclude: bool
) -> tuple[Estimated, np.ndarray, float]:
    """Cap or leave out extreme weights.

    Parameters
    ----------
    study : Study
    found : Estimated
    estimand : str
        For the ATT and ATC only the other arm's weights are looked at.
    quantile : float
    exclude : bool
        Whether units with more are left out rather than capped.

    Returns
    -------
    found : Estimated
    extreme : ndarray of bool, shape (n,)
    bound : float
        The quantile's weight.
    """
    looked_at = found.weights > 0
    if estimand in ("ATT", "ATC"):
        looked_at &= study.treated == (estimand == "ATC")
    # An observed weight, as R's type 3: capping then changes no weight but the extreme ones.
    bound = float(np.quantile(found.weights[looked_at], quantile, method="closest_observation"))
    extreme = looked_at & (found.weights > bound)
    if exclude:
        return found.only(~extreme), extreme, bound
    capped = found.only(~extreme)
    return replace(capped, weights=np.where(extreme, bound, found.weights)), extreme, bound
