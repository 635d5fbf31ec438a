"""The estimators on offer: what each does, and which outcome models and errors go with it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from tfeval.errors import DataError
from tfeval.impact.means.influence import (
    Means,
    Part,
    Sample,
    Side,
    Tally,
    arm_mean,
    both_means,
    weighted_means,
)
from tfeval.impact.means.least_squares import (
    Fit,
    centred,
    cross_products,
    cross_products_by_group,
    half_of,
    predictions,
    solved,
    weighted_centre,
)
from tfeval.impact.study.blocks import Reader
from tfeval.impact.study.study import Study

# Regression adjustment: outcomes as both arms' regressions predict them.


def centre_of(sample: Sample) -> np.ndarray:
    """Return the target population's mean covariates, shape (k,)."""
    return weighted_centre(sample.study.covariates, sample.target)


def adjusted_means(sample: Sample, *, fixed: bool = False) -> Means:
    """Return both arms' mean outcomes at the target population's covariates (g-computation).

    Parameters
    ----------
    fixed : bool, default False
        Whether the population's covariates count as fixed, as packages that average over the
        rows at hand have it. By default they are a sample too, and the errors say so.

    Notes
    -----
    Each arm has its own weighted regression on the covariates; the difference of their values at
    the population's means is the coefficient of the treatment in one regression with
    interactions, the covariates centred there. An arm that is itself the population, its
    covariates a sample, needs no regression: for the ATT, the treated. Covariates that do not vary
    in an arm, or repeat others there, are left out of its regression; so are those too many for
    its units.

    References
    ----------
    Robins (1986), Mathematical Modelling 7; Lin (2013), Agnostic notes on regression adjustments
    to experimental data, Annals of Applied Statistics 7, section 4; Ho, Imai, King and Stuart
    (2007), Political Analysis 15, on adjusting after matching.
    """
    rows = centred(sample.study.covariates, centre_of(sample))
    plain = [not fixed and sample.is_target(sample.arm(treated)) for treated in (True, False)]
    fits = _fits(rows, sample.study.treated, sample.weights, sample.values, plain=plain)
    first, second = (
        _side(sample, rows, fit, treated, fixed)
        for treated, fit in zip((True, False), fits, strict=True)
    )
    # An arm that needs no regression counts as if it had one, as in other packages.
    ranks = [fit.rank for fit in fits if fit is not None]
    return both_means(first, second, 2 * sum(ranks) // len(ranks))


def _side(sample: Sample, rows: Reader, fit: Fit | None, treated: bool, fixed: bool) -> Side:
    if fit is None:
        return arm_mean(sample, treated)
    own, tally = sample.arm(treated), Tally(sample)
    every = predictions(rows, np.column_stack([fit.inverse[0], fit.coefficients]))
    residual, weights = sample.values[own] - every[own, 1:], sample.weights[own]
    tally.through_weights(own, every[own, :1] * residual)
    kept = fit.kept
    parts = [
        Part(
            own, weights, weights * every[own, 0], residual,
            fit.inverse[np.ix_(kept, kept)], regressors(rows, own, kept),
        )
    ]  # fmt: skip
    if not fixed:
        target = np.flatnonzero(sample.target > 0)
        share = sample.target[target] / sample.target[target].sum()
        off = every[target, 1:] - fit.coefficients[0]
        tally.beside_weights(target, share[:, None] * off)
        parts.append(Part(target, sample.target[target], share, off, of_target=True))
    return Side(fit.coefficients[0], tally.psi, tuple(parts), (fit,))


def regressors(rows: Reader, own: np.ndarray, kept: np.ndarray) -> Callable[[], np.ndarray]:
    """Return what reads some units' regressors, shape (units, kept), when they are needed."""

    def read() -> np.ndarray:
        x = rows.covariates.rows(own) - rows.shift
        return np.column_stack([np.ones(len(own)), x])[:, kept]

    return read


def adjusted_pair(
    study: Study, weights: np.ndarray, target: np.ndarray, values: np.ndarray
) -> np.ndarray:
    """Return the means of `adjusted_means` alone, without influences; shape (2, outcomes)."""
    rows = centred(study.covariates, weighted_centre(study.covariates, target, threads=False))
    fits = _fits(rows, study.treated, weights, values, threads=False)
    return np.array([fit.coefficients[0] for fit in fits if fit is not None])


def _fits(  # noqa: PLR0917
    rows: Reader,
    treated: np.ndarray,
    weights: np.ndarray,
    values: np.ndarray,
    threads: bool = True,
    plain: list[bool] | None = None,
) -> list[Fit | None]:
    """Fit each arm's regression, the treated's first; None for an arm that needs none."""
    plain = plain or [False, False]
    own, other = (np.int8(-1 if none else at) for at, none in enumerate(plain))
    arms = np.where(weights > 0, np.where(treated, own, other), np.int8(-1))
    units = np.bincount(arms + 1, minlength=3)[1:]
    sums = cross_products_by_group(rows, weights, values, arms, 2, threads)
    return [
        None if none else solved(gram, right, shift=rows.shift, units=int(count))
        for none, gram, right, count in zip(plain, *sums, units, strict=True)
    ]


def covariance_adjusted_means(sample: Sample) -> Means:
    """Return means whose difference is the treatment's coefficient beside common slopes.

    Notes
    -----
    The analysis of covariance. Where effects differ between units it weighs them by the
    treatment's residual variance, so it is not the ATT; offered for comparison with studies that
    used it.
    """
    rows = np.flatnonzero(sample.weights > 0)
    weights = sample.weights[rows]
    covariates = sample.study.covariates
    centre = weighted_centre(covariates, sample.weights)

    def beside_treatment() -> np.ndarray:
        treated = sample.study.treated[rows].astype(float)
        return np.column_stack([treated, covariates.rows(rows) - centre])

    x, shift = beside_treatment(), np.r_[0.0, centre]
    sums = cross_products(x, weights, sample.values[rows])
    fit = solved(*sums, shift=shift, units=len(rows), first=1)
    effect, kept = fit.coefficients[1], fit.kept
    residual = sample.values[rows] - fit.predict(x)
    lever = weights * (fit.inverse[1, 0] + x @ fit.inverse[1, 1:])
    own = arm_mean(sample, True)
    difference = Tally(sample)
    difference.through_weights(rows, (lever / weights)[:, None] * residual)

    def read() -> np.ndarray:
        # Again when a small sample needs them: so many numbers are not kept.
        return np.column_stack([np.ones(len(rows)), beside_treatment()])[:, kept]

    part = Part(rows, weights, -lever, residual, fit.inverse[np.ix_(kept, kept)], read)
    return Means(
        own.mean, own.mean - effect, own.psi, own.psi - difference.psi, fit.rank,
        parts=(own.parts, (*own.parts, part)), aliased=np.stack([fit.aliased[1:]] * 2),
        crowded=np.stack([fit.crowded[1:]] * 2),
    )  # fmt: skip


# Outcomes from 0 to 1 by logistic regression, where a straight line would leave that range.


def check_between(values: np.ndarray, names: Sequence[str]) -> None:
    """Refuse outcomes outside 0 to 1, wherever they are known.

    Parameters
    ----------
    values : ndarray of float, shape (n, outcomes)
        NaN where missing, each outcome by itself.
    """
    outside = ((values < 0) | (values > 1)).any(axis=0)
    if outside.any():
        named = ", ".join(str(names[at]) for at in np.flatnonzero(outside)[:5])
        raise DataError(
            f"{named}: values outside 0 to 1, so no logistic outcome model. "
            'Say outcome_model="linear".'
        )


def fit_logistic(
    x: np.ndarray, weights: np.ndarray, values: np.ndarray, shift: np.ndarray | None = None
) -> Fit:
    """Fit one outcome by maximum likelihood, with statsmodels.

    Parameters
    ----------
    x : ndarray, shape (rows, k)
        Columns that repeat others, or are too many for the rows, are left out as in `solved`.
    weights, values : ndarray, shape (rows,)
        Values between 0 and 1.
    shift : ndarray, optional, shape (k,)
        What was taken off the columns beforehand.

    Returns
    -------
    Fit
        With the inverse information; all NaN where the fit runs away, since nobody has the outcome,
        everybody has, or covariates determine it.
    """
    from scipy.special import expit  # noqa: PLC0415
    from statsmodels.genmod.families import Binomial  # noqa: PLC0415
    from statsmodels.genmod.generalized_linear_model import GLM  # noqa: PLC0415

    first = solved(
        *cross_products(x, weights, values[:, None]), shift=shift,
        units=int(np.count_nonzero(weights)),
    )  # fmt: skip
    kept = first.kept
    z = np.column_stack([np.ones(len(x)), x])[:, kept]
    scale = np.sqrt((z**2).mean(axis=0))
    beta, inverse = np.full(1 + x.shape[1], np.nan), np.full(first.inverse.shape, np.nan)
    mean = weights @ values / weights.sum() if weights.any() else 0.0
    if 0.0 < mean < 1.0 and scale.all():
        with warnings.catch_warnings():
            # What they say, that the fit runs away, is read from where it ends.
            warnings.simplefilter("ignore")
            found = GLM(values, z / scale, family=Binomial(), var_weights=weights).fit(
                maxiter=50, tol=1e-10, tol_criterion="params"
            )
        if found.converged and np.isfinite(found.params).all():
            own = found.params / scale
            fitted = expit(z @ own)
            half = half_of(z.T @ (z * (weights * fitted * (1 - fitted))[:, None]))
            beta[:], inverse[:] = 0.0, 0.0
            beta[kept], inverse[np.ix_(kept, kept)] = own, half @ half.T
    return Fit(beta[:, None], inverse, first.aliased, first.crowded)


def logistic_adjusted_means(sample: Sample, *, fixed: bool = False) -> Means:
    """Return both arms' mean outcomes at the target's covariates, each outcome's model logistic.

    Parameters
    ----------
    sample : Sample
        Values between 0 and 1, of level 0.
    fixed : bool, default False
        As in `adjusted_means`.

    Notes
    -----
    An outcome whose model does not settle in an arm has no mean there, and no effect; the others
    are as they would be without it.

    References
    ----------
    Snowden, Rose and Mortimer (2011), Implementation of g-computation on a simulated data set,
    American Journal of Epidemiology 173; errors by the delta method.
    """
    from scipy.special import expit  # noqa: PLC0415

    centre = centre_of(sample)
    target = np.flatnonzero(sample.target > 0)
    at_target = sample.study.covariates.rows(target) - centre
    share = sample.target[target] / sample.target[target].sum()
    sides, parameters = [], 0
    for treated in (True, False):
        rows = sample.arm(treated)
        x, weights = sample.study.covariates.rows(rows) - centre, sample.weights[rows]
        shape = sample.values.shape[1]
        means, off = np.empty(shape), np.empty((len(target), shape))
        levers, residuals = np.empty((2, len(rows), shape))
        for place in range(shape):
            fit = fit_logistic(x, weights, sample.values[rows, place], centre)
            predicted = expit(fit.predict(at_target)[:, 0])
            means[place] = share @ predicted
            bend = share * predicted * (1 - predicted)
            moved = fit.inverse @ np.concatenate([[bend.sum()], bend @ at_target])
            residuals[:, place] = sample.values[rows, place] - expit(fit.predict(x)[:, 0])
            levers[:, place] = weights * (moved[0] + x @ moved[1:])
            off[:, place] = predicted - means[place]
        tally, parts = Tally(sample), [Part(rows, weights, levers, residuals)]
        tally.through_weights(rows, residuals * levers / weights[:, None])
        if not fixed:
            tally.beside_weights(target, share[:, None] * off)
            parts.append(Part(target, sample.target[target], share, off, of_target=True))
        parameters += fit.rank
        sides.append(Side(means, tally.psi, tuple(parts), (fit,)))
    return both_means(sides[0], sides[1], parameters)


# Augmented weighting: right if either the weights or the regression is.


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
    first, second = (
        _arm(sample, rows, outcome_model, treated=treated) for treated in (True, False)
    )
    return both_means(first, second, parameters=0)


def _arm(sample: Sample, rows: Reader, model: str, *, treated: bool) -> Side:
    arm = sample.arm(treated)
    if sample.is_target(arm):
        return arm_mean(sample, treated)
    weights, target = sample.weights[arm], np.flatnonzero(sample.target > 0)
    tally = Tally(sample)
    every, fits = _predicted(sample, rows, model, arm)
    residual = sample.values[arm] - every[arm]
    at_target = every[target]
    level = weights @ residual / weights.sum()
    share = sample.target[target] / sample.target[target].sum()
    predicted = share @ at_target
    off = at_target - predicted
    tally.through_weights(arm, (residual - level) / weights.sum())
    tally.beside_weights(target, share[:, None] * off)
    own = Part(arm, weights, weights / weights.sum(), residual - level)
    if len(fits) == 1:  # not out of fold: the residuals are too small by their leverage
        kept = fits[0].kept
        own = replace(
            own, weights=sample.sampling[arm], inverse=fits[0].inverse[np.ix_(kept, kept)],
            regressors=regressors(rows, arm, kept),
        )  # fmt: skip
    parts = (own, Part(target, sample.target[target], share, off, of_target=True))
    return Side(predicted + level, tally.psi, parts, fits)


def _predicted(
    sample: Sample, rows: Reader, model: str, own: np.ndarray
) -> tuple[np.ndarray, tuple[Fit, ...]]:
    """Predict every unit's outcomes in an arm, out of fold, shape (n, outcomes); and the fits."""
    if model == "logistic":
        from scipy.special import expit  # noqa: PLC0415

        betas = _logistic_fits(sample, own, rows.shift)
        return expit(predictions(rows, betas, sample.folds)), ()
    fits = _linear_fits(rows, sample, own)
    betas = fits[0].coefficients if sample.folds is None else np.stack(
        [fit.coefficients for fit in fits]
    )  # fmt: skip
    return predictions(rows, betas, sample.folds), fits


def _linear_fits(rows: Reader, sample: Sample, own: np.ndarray) -> tuple[Fit, ...]:
    """Fit without each fold, by taking its sums off the whole's; without folds, once."""
    count = 1 if sample.folds is None else int(sample.folds.max()) + 1
    groups = np.full(sample.study.size, -1, dtype=np.int8)
    groups[own] = 0 if sample.folds is None else sample.folds[own]
    gram, right = cross_products_by_group(rows, sample.sampling, sample.values, groups, count)
    if sample.folds is None:
        return (solved(gram[0], right[0], shift=rows.shift, units=len(own)),)
    whole, units = (gram.sum(axis=0), right.sum(axis=0)), np.bincount(groups[own], minlength=count)
    return tuple(
        solved(whole[0] - part, whole[1] - seen, shift=rows.shift, units=len(own) - int(size))
        for part, seen, size in zip(gram, right, units, strict=True)
    )


def _logistic_fits(sample: Sample, own: np.ndarray, centre: np.ndarray) -> np.ndarray:
    x, values = sample.study.covariates.rows(own) - centre, sample.values[own]
    weights = sample.sampling[own]

    def fit(at: np.ndarray | slice) -> np.ndarray:
        return np.column_stack([
            fit_logistic(x[at], weights[at], column[at], centre).coefficients
            for column in values.T
        ])  # fmt: skip

    if sample.folds is None:
        return fit(slice(None))
    folds = sample.folds[own]
    every = range(int(sample.folds.max()) + 1)
    return np.stack([fit(np.flatnonzero(folds != fold)) for fold in every])


OUTCOME_MODELS = ("linear", "logistic")


@dataclass(frozen=True)
class Method:
    """An estimator of both arms' mean outcomes."""

    #: From an outcome model and whether covariates count as fixed to the function that estimates
    #: the means.
    means: Callable[[str, bool], Callable[..., Any]]
    outcome_models: tuple[str, ...] = OUTCOME_MODELS[:1]  # of `OUTCOME_MODELS`
    adjusts: bool = True  # whether for covariates; the plain difference does not
    #: From the treatment, shape (n, 1), and what returns the centred covariates, to the columns of
    #: the one regression that it is; None where it is none.
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
