"""Designs by weighting: everyone stays, and the arms are weighted to be alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from tfeval.display.names import DESIGNS, ESTIMANDS, capital
from tfeval.display.tables import safe_count
from tfeval.errors import DataError, ParameterError, suggest
from tfeval.impact.design.design import KEPT, LONE_STRATUM, OFF_SUPPORT, TRIMMED, Design, of_whole
from tfeval.impact.propensity.propensity import Classifier, Propensity, fit_propensity, on_support
from tfeval.impact.study.blocks import of_rows, rows_that_count
from tfeval.impact.study.numbers import LARGEST
from tfeval.impact.study.study import Study, check_study
from tfeval.impact.weighting.weights import AS_KNOWN, Estimated, by_entropy, by_propensity
from tfeval.impact.weighting.weights import trimmed as trimmed_weights

# Weights stratum by stratum.


def by_stratum(
    study: Study, weighted: Callable[[Study], Estimated]
) -> tuple[Estimated, np.ndarray]:
    """Weigh within each stratum.

    Parameters
    ----------
    study : Study
        With strata.
    weighted : callable
        Weights of one stratum.

    Returns
    -------
    found : Estimated
        Without a weight model; scores are NaN where there is nobody to compare with.
    alone : ndarray of bool, shape (n,)
        Units of strata without one of the arms.
    """
    assert study.strata is not None
    order = np.argsort(study.strata, kind="stable")
    cuts = np.flatnonzero(np.diff(study.strata[order])) + 1
    weights, alone = np.zeros(study.size), np.zeros(study.size, dtype=bool)
    linear, score, residual = (np.full(study.size, np.nan) for _ in range(3))
    notes, name = [AS_KNOWN.format(why="they are estimated within strata")], ""
    for rows in np.split(order, cuts):
        own, arm = study.sampling[rows], study.treated[rows]
        if not own[arm].sum() > 0 or not own[~arm].sum() > 0:
            alone[rows] = True
            continue
        try:
            fit = weighted(replace(of_rows(study, rows), strata=None))
        except DataError as error:
            where = " and ".join(study.strata_names)
            raise DataError(f"Within a stratum of {where}: {error}") from None
        weights[rows] = fit.weights
        notes += [note for note in fit.notes if note not in notes]
        if fit.propensity is not None:
            name = fit.propensity.model
            linear[rows], score[rows] = fit.propensity.linear, fit.propensity.score
            residual[rows] = fit.propensity.residual
    none = np.empty(0)
    scores = Propensity(score, linear, none, np.empty((0, 0)), residual, False, None, name)
    return Estimated(weights, scores if name else None, (), tuple(notes)), alone


#: Each method's estimands, the first the default.
METHODS = {
    "inverse_propensity": ("ATT", "ATE", "ATC"),
    "overlap": ("ATO",),
    "entropy": ("ATT", "ATE", "ATC"),
}
#: Share of an arm's weight on one unit that a reader is told of.
MUCH = 0.05


def weight(
    study: Study,
    method: str = "inverse_propensity",
    *,
    estimand: str | None = None,
    model: str | Classifier = "logit",
    folds: int | None = None,
    propensity: Propensity | None = None,
    support: str | tuple[float, float] | None = None,
    trim: float | None = None,
    trimmed: str = "cap",
    stabilise: bool = False,
    within: str | None = None,
    seed: int = 1,
) -> Design:
    """Make a design by weighting.

    Parameters
    ----------
    study : Study
        Sampling weights count, and who has one of 0 is not in the sample; its strata do not,
        unless `within="strata"`.
    method : {"inverse_propensity", "overlap", "entropy"}
        One over the probability of the unit's arm; the probability of the other arm; or the
        weights nearest to equal that make the means of the covariates the same.
    estimand : {"ATT", "ATE", "ATC", "ATO"}, optional
        By default the ATT; overlap weights are for the ATO and it alone.
    model, folds, seed
        Of the propensity score, see `fit_propensity`. With folds or a classifier, errors take
        the weights as known.
    propensity : Propensity, optional
        Already fitted to the same study.
    support : {"both", "treated", "comparison"} or (low, high), optional
        Leave out units outside the common support, see `on_support`.
    trim : float, optional
        Quantile between 0.5 and 1, of the weights that are estimated (for the ATT those of
        comparison units), beyond which weights are extreme.
    trimmed : {"cap", "exclude"}
        Extreme weights become the quantile, or their units are left out.
    stabilise : bool
        For the ATE, multiply by the share of the unit's arm; the estimates stay the same.
    within : "strata", optional
        Weigh within each of the study's strata, to the stratum's own target; errors then take
        the weights as known. Units of a stratum without one of the arms are left out.

    Returns
    -------
    Design
        For the ATT, weights are the sampling weight for treated units; for comparison units the
        sampling weight times the odds, or, from entropy balancing, a total that is the treated
        units'. For the ATC the other way round. For the ATE, sampling weight over probability,
        or totals of the whole study.

    Raises
    ------
    DataError
        If covariates tell the arms apart, or no weights make them alike.
    ParameterError
        If a setting is unknown or does not go with another.

    References
    ----------
    See `inverse_propensity`, `overlap` and `balance_arm`; for capping Cole and Hernán (2008),
    Constructing inverse probability weights for marginal structural models, American Journal of
    Epidemiology 168.

    Examples
    --------
    >>> import pandas as pd
    >>> from tfeval.impact.study.study import study
    >>> frame = pd.DataFrame({"treated": [1, 1, 0, 1, 0, 0, 0, 0], "age": [8, 7, 6, 5, 7, 3, 2, 1]})
    >>> design = weight(study(frame, covariates=["age"]), "entropy")
    >>> design.weights.round(2).tolist()
    [1.0, 1.0, 0.77, 1.0, 2.18, 0.03, 0.01, 0.0]
    """
    check_study(study, "weight")
    estimand = _checked(study, method, estimand, propensity, support, trim, trimmed, within)
    _check_stabilised(stabilise, method, estimand)

    more: dict[str, Any] = {
        "estimand": estimand, "model": model, "folds": folds, "support": support, "trim": trim,
        "trimmed": trimmed, "stabilise": stabilise, "within": within, "seed": seed,
    }  # fmt: skip
    rows = rows_that_count(study)
    if rows is not None:
        scores = propensity and propensity.of_rows(rows)
        part = weight(of_rows(study, rows), method, propensity=scores, **more)
        return of_whole(part, study, rows)

    def weighted(part: Study) -> Estimated:
        if method == "entropy":
            return by_entropy(part, estimand)
        known = propensity or fit_propensity(part, model, folds=folds, seed=seed)
        return by_propensity(part, known, estimand, stabilise)

    fit, alone = by_stratum(study, weighted) if within else (weighted(study), None)
    settings: dict[str, Any] = {
        "method": method, "model": model if isinstance(model, str) else repr(model),
        "folds": folds, "seed": seed, "within": within, "stabilise": stabilise,
        "support": support, "trim": trim, "trimmed": trimmed if trim else None,
    }  # fmt: skip
    fate = np.full(study.size, KEPT, dtype=np.int8)
    if alone is not None:
        fate[alone] = LONE_STRATUM
        if alone.all():
            raise DataError(
                f"{capital(DESIGNS[method])}: no stratum of {' and '.join(study.strata_names)} "
                "holds both arms. Make strata wider, or leave them out."
            )
    if support is not None and fit.propensity is not None:
        inside = on_support(fit.propensity.score, study.treated, support)
        fate[(fate == KEPT) & ~inside] = OFF_SUPPORT
        fit = fit.only(fate == KEPT)
    if trim is not None:
        exclude = trimmed == "exclude"
        fit, extreme, bound = trimmed_weights(study, fit, estimand, trim, exclude)
        settings["trimmed_at"] = bound
        if exclude:
            fate[extreme] = TRIMMED
    design = _design(study, method, estimand, fit, fate, settings)
    if propensity is not None:
        return design
    return replace(design, again=lambda other: weight(other, method, **more))


def _design(  # noqa: PLR0917
    study: Study,
    method: str,
    estimand: str,
    fit: Estimated,
    fate: np.ndarray,
    settings: dict[str, Any],
) -> Design:
    _refuse_endless(method, fit.weights)
    scored = fit.propensity
    target = study.sampling * (fate == KEPT)
    if estimand in ("ATT", "ATC"):
        target *= study.treated == (estimand == "ATT")
    elif estimand == "ATO" and scored is not None:
        target *= np.nan_to_num(scored.score * (1.0 - scored.score))
    return Design(
        study, method, estimand, fit.weights, fate, settings, target,
        score=None if scored is None else scored.score,
        distance=None if scored is None else scored.linear,
        weight_model=fit.models[0] if len(fit.models) == 1 else fit.models or None,
        folds=None if scored is None else scored.folds,
        notes=(*fit.notes, *_warnings(study, fit.weights, estimand, fate, settings)),
    )  # fmt: skip


def _refuse_endless(method: str, weights: np.ndarray) -> None:
    # Sampling weights and shares have made them smaller, by ten digits at most.
    if endless := int(np.count_nonzero(weights >= 1e-10 * LARGEST)):
        raise DataError(
            f"{capital(DESIGNS[method])}: the odds of the other arm are endless for "
            f"{safe_count(endless)} units: covariates tell them from all others. Leave them out "
            'with support="both", cap weights with trim, or leave out the covariate.'
        )


def _warnings(
    study: Study, weights: np.ndarray, estimand: str, fate: np.ndarray, settings: dict[str, Any]
) -> list[str]:
    notes = []
    left_out = int(np.count_nonzero(study.treated & (fate != KEPT)))
    if estimand == "ATT" and left_out:
        notes.append(
            f"{safe_count(left_out)} treated units were left out: the effect is that on the rest."
        )
    if settings["trim"] and settings["trimmed"] == "cap":
        notes.append("Extreme weights were capped, so the arms are less alike than before.")
    if study.strata is not None and settings["within"] is None:
        notes.append("The strata were not used; weigh within them with within='strata'.")
    for who, arm in (("treated", study.treated), ("comparison", ~study.treated)):
        own = weights[arm]
        if own.max(initial=0.0) > MUCH * own.sum() > 0 and len(own) > 10 / MUCH:
            notes.append(f"One {who} unit carries more than {MUCH:.0%} of its arm's weight.")
    return notes


def _check_stabilised(stabilise: bool, method: str, estimand: str) -> None:
    if stabilise and (estimand != "ATE" or method != "inverse_propensity"):
        raise ParameterError("stabilise is for inverse propensity weights of the ATE.")


def _checked(  # noqa: PLR0917
    study: Study,
    method: str,
    estimand: str | None,
    propensity: Propensity | None,
    support: str | tuple[float, float] | None,
    trim: float | None,
    trimmed: str,
    within: str | None,
) -> str:
    if method not in METHODS:
        raise ParameterError(f"No weighting method {method!r}. {suggest(str(method), METHODS)}")
    possible = METHODS[method]
    estimand = possible[0] if estimand is None else estimand
    if estimand not in possible:
        meant = ", ".join(f"{one} ({ESTIMANDS[one]})" for one in possible)
        raise ParameterError(f"{capital(DESIGNS[method])} are for: {meant}; not {estimand!r}.")
    if propensity is not None and len(propensity.score) != study.size:
        raise ParameterError("The propensity scores are of another study: their number differs.")
    if method == "entropy" and (support is not None or propensity is not None):
        raise ParameterError(
            "Entropy balancing has no propensity score, so no support: leave units out of the "
            "study beforehand, or cap extreme weights with trim."
        )
    if trim is not None and not 0.5 < trim < 1.0:
        raise ParameterError("trim is a quantile between 0.5 and 1, such as 0.99.")
    if trimmed not in ("cap", "exclude"):
        raise ParameterError(f'trimmed is "cap" or "exclude", not {trimmed!r}.')
    if within not in (None, "strata") or (within and study.strata is None):
        raise ParameterError('within is "strata", for a study made with strata, or None.')
    if within and propensity is not None:
        raise ParameterError("Within strata the score is fitted in each: give no propensity.")
    return estimand
