"""Estimated weights, and how they hang on their own parameters."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tfeval.errors import DataError, check_choice
from tfeval.impact.design.design import KEPT, NOT_ASKED, Design, WeightModel
from tfeval.impact.propensity.newton import (
    NEAR,
    NotConvergedError,
    Terms,
    solve,
    solved,
    step_size,
    sweep,
)
from tfeval.impact.propensity.propensity import Propensity
from tfeval.impact.study.blocks import Reader
from tfeval.impact.study.checks import sources_of
from tfeval.impact.study.covariates import Covariates
from tfeval.impact.study.numbers import LARGEST, ROUNDING
from tfeval.impact.study.study import Study, check_study

# The design in which nobody is matched or weighted: what all others are measured against.

ESTIMANDS = ("ATT", "ATE", "ATC")


def unweighted(study: Study, estimand: str = "ATT") -> Design:
    """Compare everybody treated with everybody who was not, as they are.

    With `estimate(design, y, method="difference")` the naive difference of means; with
    `method="adjusted"` regression adjustment alone.

    Parameters
    ----------
    study : Study
        Sampling weights count, strata do not.
    estimand : {"ATT", "ATE", "ATC"}
        At whose covariates regression adjustment takes both arms' means. The naive difference is
        the same for all.

    Returns
    -------
    Design
        Weights are the sampling weights.

    Raises
    ------
    ParameterError
        If the estimand is unknown.

    References
    ----------
    Imbens and Rubin (2015), Causal inference for statistics, social, and biomedical sciences,
    chapter 7, on regression alone, and how it extrapolates where arms do not overlap.

    Examples
    --------
    >>> import pandas as pd
    >>> from tfeval.impact.study.study import study
    >>> frame = pd.DataFrame({"treated": [1, 0, 1, 0], "age": [30.0, 31.0, 45.0, 40.0]})
    >>> unweighted(study(frame, covariates=["age"])).weights.tolist()
    [1.0, 1.0, 1.0, 1.0]
    """
    check_study(study, "unweighted")
    check_choice("estimand", estimand, ESTIMANDS)
    counted = study.sampling > 0
    whose = {"ATT": study.treated, "ATC": ~study.treated}.get(estimand, counted)
    notes = [
        "Nobody was matched or weighted: what the arms differ in stays in the naive difference, "
        "and regression alone fills in where they do not overlap."
    ]
    if study.strata is not None:
        notes.append("The strata were not used.")
    design = Design(
        study, "unweighted", estimand, study.sampling.astype(float),
        np.where(counted, KEPT, NOT_ASKED).astype(np.int8),
        {"method": "unweighted", "within": None},
        study.sampling * whose, notes=tuple(notes),
    )  # fmt: skip
    return replace(design, again=lambda other: unweighted(other, estimand))


# Inverse propensity weights.


def inverse_propensity(
    linear: np.ndarray, treated: np.ndarray, estimand: str
) -> tuple[np.ndarray, np.ndarray]:
    """Weigh each unit by one over the probability of its arm, relative to the estimand's.

    Parameters
    ----------
    linear : ndarray of float, shape (n,)
        Log odds of being treated.
    treated : ndarray of bool, shape (n,)
    estimand : {"ATT", "ATC", "ATE"}
        For the ATT, 1 for a treated unit and the odds of being treated for a comparison unit; for
        the ATC the other way round; for the ATE, one over the probability of the unit's arm.

    Returns
    -------
    weights : ndarray, shape (n,)
        Odds beyond `LARGEST` are taken for it.
    slope : ndarray, shape (n,)
        Their derivative with respect to the log odds.

    References
    ----------
    Hirano, Imbens and Ridder (2003), Efficient estimation of average treatment effects using the
    estimated propensity score, Econometrica 71; Morgan and Todd (2008), A diagnostic routine for
    the detection of consequential heterogeneity of causal effects, Sociological Methodology 38.

    Examples
    --------
    >>> weights, slope = inverse_propensity(np.log([3.0, 0.5]), np.array([True, False]), "ATT")
    >>> weights.tolist(), slope.tolist()
    ([1.0, 0.5], [0.0, 0.5])
    """
    # The odds of the unit's other arm; from log odds they keep their digits near 0 and 1.
    other = np.where(treated, -linear, linear)
    np.exp(np.minimum(other, np.log(LARGEST), out=other), out=other)
    sign = np.where(treated, -1.0, 1.0)
    if estimand == "ATE":
        return 1.0 + other, sign * other
    own = treated if estimand == "ATT" else ~treated
    return np.where(own, 1.0, other), np.where(own, 0.0, sign * other)


# Entropy balancing: the weights nearest to equal that make the means of covariates the same.

#: Logarithm of a weight that no solution has.
FAR = 300.0
#: Difference of means that is no rounding, in standard deviations.
UNSOLVED = 1e-7


@dataclass(frozen=True, eq=False)
class EntropyFit:
    """Entropy balancing of one arm."""

    weights: np.ndarray  # (n,): 0 outside the arm; they sum to the target's
    residual: np.ndarray  # (n,): target less weights; orthogonal to the covariates and to 1
    coefficients: np.ndarray  # (1 + count,): of the weights' logarithm
    information: np.ndarray  # (1 + count, 1 + count): the weights times x x'


def entropy_terms(base: np.ndarray, target: np.ndarray) -> Terms:
    """Return the dual of a block: base times exp(eta) less target times eta, and derivatives."""

    def terms(
        eta: np.ndarray, block: slice, curvature: bool
    ) -> tuple[float, np.ndarray, np.ndarray | None]:
        # A step too far must give a large value and no overflow.
        weights = np.exp(np.minimum(eta, FAR))
        weights *= base[block]
        residual = target[block] - weights
        if not curvature:
            return 0.0, residual, None
        return float(weights.sum() - eta @ target[block]), residual, weights

    return terms


def balance_arm(covariates: Covariates, base: np.ndarray, target: np.ndarray) -> EntropyFit:
    """Reweigh one arm to the means of a target.

    The weights are `base` times the exponential of a linear predictor, whose coefficients solve
    the dual of the entropy problem.

    Parameters
    ----------
    base : ndarray of float, shape (n,)
        Weights to stay near, 0 outside the arm.
    target : ndarray of float, shape (n,)
        Weights of the population whose means the arm shall have.

    Raises
    ------
    DataError
        If no weights above 0 give the target's means: some lie outside what the arm spans.

    References
    ----------
    Hainmueller (2012), Entropy balancing for causal effects, Political Analysis 20, equations 5
    to 8; Zhao and Percival (2017), Entropy balancing is doubly robust, Journal of Causal Inference
    5, section 3, for the dual as a regression.

    Examples
    --------
    >>> import pandas as pd
    >>> from tfeval.impact.study.covariates import encoded
    >>> x = encoded(pd.DataFrame({"age": [1.0, 2.0, 3.0, 2.5]}), ["age"])
    >>> fit = balance_arm(x, np.array([1.0, 1.0, 1.0, 0.0]), np.array([0.0, 0.0, 0.0, 1.0]))
    >>> fit.weights.round(3).tolist()
    [0.116, 0.268, 0.616, 0.0]
    """
    solution = solve(
        covariates,
        lambda rows: entropy_terms(base[rows], target[rows]),
        float(np.log(target.sum() / base.sum())),
        lambda: _refuse_outside(covariates, base, target),
        lambda sizes: _not_converged(covariates, sizes),
        rescue=lambda rows: _damped(rows, base, target),
    )
    if not solution.left <= UNSOLVED * target.sum():
        _refuse_outside(covariates, base, target)
        raise _not_converged(covariates, np.abs(solution.coefficients[1:]))
    # Units outside the arm may lie anywhere.
    weights = base * np.exp(np.where(base > 0, solution.linear, 0.0))
    residual = target - weights
    if solution.redundant:
        _refuse_unbalanced(covariates, solution.redundant, residual, target)
    return EntropyFit(weights, residual, solution.coefficients, solution.information)


#: Steps of the damped method, and halvings of each, after which there is no solution.
DAMPED, HALVINGS = 100, 40
#: Added to the scaled information of the damped method.
_HELD = 1e-14


def _damped(rows: Reader, base: np.ndarray, target: np.ndarray) -> np.ndarray:
    # The same dual with its intercept always at its best, so the logarithm of a sum of
    # exponentials: it overflows nowhere, and every step must lower it. Its value is minus the
    # weights' divergence from the base; below `deepest` there are none.
    total, inside = target.sum(), base > 0
    log_base = np.log(base[inside] / base.sum())
    deepest = log_base.min() - 1.0

    def at(place: np.ndarray) -> tuple[float, float, np.ndarray]:
        linear, weights = np.empty(rows.size), np.zeros(rows.size)
        sweep(rows, place, lambda eta, *_: (0.0, np.zeros(len(eta)), None), False, linear)
        own = linear[inside] + log_base
        level = own.max() + np.log(np.exp(own - own.max()).sum())
        weights[inside] = total * np.exp(own - level)
        return float(level - linear @ target / total), float(level), weights

    place = np.zeros(1 + rows.covariates.count)
    value, level, weights = at(place)
    for _ in range(DAMPED):
        residual = target - weights
        sums = sweep(rows, place, lambda _eta, rows, _: (0.0, residual[rows], weights[rows]))  # noqa: B023
        # So little is added that only a direction along which rounding decides is held back.
        ridge = _HELD * np.diag(np.diagonal(sums.matrix))
        step = solved(sums.matrix + ridge, sums.gradient)
        if not np.isfinite(step).all() or not value > deepest:
            break
        if step_size(step, place, rows.scale) < NEAR:
            place[0] += np.log(total / base.sum()) - level
            return place
        least = 1e-4 * float(step @ sums.gradient) / total
        for share in 0.5 ** np.arange(HALVINGS):
            lower, level, weights = at(place + share * step)
            if lower <= value - share * least + 1e-14 * abs(value):
                break
        place, value = place + share * step, lower
    raise NotConvergedError(place)


def _refuse_outside(covariates: Covariates, base: np.ndarray, target: np.ndarray) -> None:
    low, high = np.full(covariates.count, np.inf), np.full(covariates.count, -np.inf)
    total = np.zeros(covariates.count)
    for block, x in covariates.blocks():
        own = x[:, base[block] > 0]
        if own.shape[1]:
            np.minimum(low, own.min(axis=1), out=low)
            np.maximum(high, own.max(axis=1), out=high)
        total += x @ target[block]
    mean = total / target.sum()
    _refuse(covariates, [
        name
        for name, least, most, wanted in zip(covariates.names, low, high, mean, strict=True)
        if not least < wanted < most
    ])  # fmt: skip


def _refuse_unbalanced(
    covariates: Covariates, names: tuple[str, ...], residual: np.ndarray, target: np.ndarray
) -> None:
    # What is redundant within the arm need not be so in the target: then nothing balances it.
    # About its mean, so that neither its unit nor its zero decides.
    off = []
    for name in names:
        own = covariates.column(name)
        rounding = np.abs(own).max() * target.sum() * ROUNDING**0.5
        own -= own @ target / target.sum()
        most = 1e-7 * (np.abs(own) @ target + np.abs(own).max()) + rounding
        if abs(residual @ own) > most:
            off.append(name)
    _refuse(covariates, off)


def _refuse(covariates: Covariates, names: list[str]) -> None:
    if names:
        named = sources_of(covariates, names)[:5]
        raise DataError(
            f"{', '.join(named)}: no weights make the means the same, because the mean to be "
            "reached lies outside the range of the arm to be weighted. Leave out the units that "
            "have no counterpart, or the covariate."
        )


def _not_converged(covariates: Covariates, sizes: np.ndarray) -> DataError:
    named = sources_of(covariates, [covariates.names[at] for at in np.argsort(-sizes)[:3]])
    return DataError(
        "No weights make the means of all covariates the same at once: no mixture of the units "
        f"to be weighted looks like the others. Look first at {', '.join(named)}; leave out the "
        "units that have no counterpart, or balance on fewer covariates."
    )


# Overlap weights.


def overlap(score: np.ndarray, treated: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weigh each unit by the probability of the other arm.

    The effect is that on units that could have been in either arm. After a logistic regression
    the means of its covariates are the same in both arms exactly.

    Parameters
    ----------
    score : ndarray of float, shape (n,)
        Probability of being treated.
    treated : ndarray of bool, shape (n,)

    Returns
    -------
    weights : ndarray, shape (n,)
    slope : ndarray, shape (n,)
        Their derivative with respect to the log odds.

    References
    ----------
    Li, Morgan and Zaslavsky (2018), Balancing covariates via propensity score weighting, JASA
    113, section 3.1 and theorem 3.

    Examples
    --------
    >>> weights, slope = overlap(np.array([0.75, 0.25]), np.array([True, False]))
    >>> weights.tolist(), slope.tolist()
    ([0.25, 0.25], [-0.1875, 0.1875])
    """
    both = score * (1.0 - score)
    return np.where(treated, 1.0 - score, score), np.where(treated, -both, both)


AS_KNOWN = "Standard errors take the weights as known: {why}."


@dataclass(frozen=True, eq=False)
class Estimated:
    """Weights of a study."""

    weights: np.ndarray  # (n,): of the design and the sampling together
    propensity: Propensity | None = None
    #: None where the weights count as known; one for each arm that was balanced by itself.
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
    study: Study, fit: Estimated, estimand: str, quantile: float, exclude: bool
) -> tuple[Estimated, np.ndarray, float]:
    """Cap or leave out extreme weights.

    Parameters
    ----------
    estimand : str
        For the ATT and ATC only the other arm's weights are looked at.
    exclude : bool
        Whether units with more are left out rather than capped.

    Returns
    -------
    fit : Estimated
    extreme : ndarray of bool, shape (n,)
    bound : float
        The quantile's weight.
    """
    looked_at = fit.weights > 0
    if estimand in ("ATT", "ATC"):
        looked_at &= study.treated == (estimand == "ATC")
    if not looked_at.any():
        raise DataError("trim: no unit has an estimated weight, so none is extreme. Leave it out.")
    # An observed weight, as R's type 3: capping then changes no weight but the extreme ones.
    bound = float(np.quantile(fit.weights[looked_at], quantile, method="closest_observation"))
    extreme = looked_at & (fit.weights > bound)
    if exclude:
        return fit.only(~extreme), extreme, bound
    capped = fit.only(~extreme)
    return replace(capped, weights=np.where(extreme, bound, fit.weights)), extreme, bound
