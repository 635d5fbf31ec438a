"""From a design and outcomes to effects."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

import numpy as np
import pandas as pd

from tfeval.cohort.analysis_table import Cohort
from tfeval.errors import ParameterError, names_settings, suggest
from tfeval.impact.design.design import Design
from tfeval.impact.design.protocol import AnyDesign
from tfeval.impact.design.stacked_pairs import are_stacked, stacked_pairs
from tfeval.impact.effects.columns import check_level
from tfeval.impact.effects.contrasts import contrast_effects
from tfeval.impact.effects.effects import Effects
from tfeval.impact.effects.tabulate import tabulated
from tfeval.impact.inference.abadie_imbens import with_abadie_imbens
from tfeval.impact.inference.bootstrap import Repeat, bootstrap_intervals
from tfeval.impact.inference.inference import caveats, chosen_errors, for_groups
from tfeval.impact.inference.intervals import Intervals, influence_intervals
from tfeval.impact.inference.randomisation import randomisation_intervals
from tfeval.impact.inference.wild_intervals import What, wild_intervals
from tfeval.impact.means.doubly_robust import doubly_robust_means
from tfeval.impact.means.estimates import Estimates, estimates_of
from tfeval.impact.means.logistic_outcomes import check_between, logistic_adjusted_means
from tfeval.impact.means.means import weighted_means
from tfeval.impact.means.outcomes import aligned
from tfeval.impact.means.populations import groups_left_out, labels_of, populations
from tfeval.impact.means.regression import adjusted_means, covariance_adjusted_means
from tfeval.programme.outcomes import outcome_words

METHODS: dict[str, tuple[str, Callable[..., Any]]] = {
    "difference": ("difference of weighted means", weighted_means),
    "adjusted": ("regression-adjusted (g-computation)", adjusted_means),
    "covariance_adjusted": ("analysis of covariance", covariance_adjusted_means),
    "doubly_robust": ("doubly robust (augmented weighting)", doubly_robust_means),
}
OUTCOME_MODELS = ("linear", "logistic")


class Planned(Protocol):
    """What estimate asks of an analysis plan; named here because a plan imports effects."""

    def mark(self, effects: Effects) -> Effects: ...  # noqa: D102


@names_settings
def estimate(
    design: Design | AnyDesign,
    outcomes: pd.DataFrame | pd.Series | Cohort,
    *,
    months: int | None = None,
    method: str = "adjusted",
    errors: str | None = None,
    cluster: str | Iterable[str] | None = None,
    by: pd.Series | np.ndarray | None = None,
    outcome_model: str = "linear",
    stacked: bool = True,
    fixed_covariates: bool = False,
    level: float = 0.95,
    draws: int = 999,
    seed: int = 1,
    plan: Planned | None = None,
) -> Effects:
    """Estimate effects of the programme on outcomes, with one design for all.

    Parameters
    ----------
    design : Design
        As from `match` or `weight`.
    outcomes : DataFrame, Series or Cohort
        One column an outcome, with the study's index, such as ``families.outcomes(12)``. From a
        cohort, those over `months`.
    months : int, optional
        Horizon after the index date.
    method : {"adjusted", "difference", "doubly_robust", "covariance_adjusted"}
        Regression adjustment of both arms within the design; the weighted difference alone;
        augmented weighting, cross-fitted where the design is; or the analysis of covariance.
    errors : str, optional
        "robust", "hc2", "hc3", "cluster", "cr2", "cr3", "two_way", "pair", "abadie_imbens",
        "bootstrap", "wild" or "randomisation"; see `chosen_errors` for the default, and
        `tfeval.impact.inference.rules` for when an effect has an error and of which form.
    cluster : str or two of them, optional
        Columns named as the study's clusters, "family", or "pair" for matched sets. After matching
        with replacement, two-way errors over "pair" and "unit", or another column, are those of
        the stacked pairs, one row a member of each set.
    by : Series or ndarray, optional, shape (n,)
        Groups of the treated to estimate apart.
    outcome_model : {"linear", "logistic"}
        Of regression adjustment and augmented weighting; logistic for outcomes from 0 to 1.
    stacked : bool, default True
        Whether errors count that weights were estimated, or the score that was matched on with
        replacement.
    fixed_covariates : bool, default False
        Whether the treated units' covariates count as fixed.
    level : float, default 0.95
        Of the intervals.
    draws, seed : int
        Of a bootstrap.
    plan : AnalysisPlan, optional
        What was planned; the rest is marked exploratory.

    Returns
    -------
    Effects

    Raises
    ------
    ParameterError
        If a setting is unknown or does not fit the design.
    DataError
        If outcomes do not fit the study or the outcome model.

    Notes
    -----
    A unit whose outcome is missing is left out of that outcome alone; `n_missing` counts them.
    What cannot be estimated, or has no valid error, is missing, and `status` says why; other
    outcomes and groups are as they would be without it.

    Examples
    --------
    >>> from tfeval.impact.matching.match import match
    >>> from tfeval.impact.study.study import study
    >>> rng = np.random.default_rng(1)
    >>> frame = pd.DataFrame({"age": rng.normal(size=600)})
    >>> frame["treated"] = rng.random(600) < 0.3
    >>> frame["offences"] = 2.0 + frame["age"] - 0.5 * frame["treated"] + rng.normal(size=600)
    >>> effects = estimate(match(study(frame, covariates=["age"])), frame["offences"])
    >>> effects.to_frame()["conf_high"].lt(0).tolist()
    [True]
    """
    if not isinstance(design, Design):
        if not isinstance(design, AnyDesign):
            raise ParameterError(
                "estimate takes a design: make one with match(study) or weight(study)."
            )
        check_level(level)
        effects = contrast_effects(
            design, outcomes, months, errors=errors, cluster=_one(cluster), level=level
        )
        return effects if plan is None else plan.mark(effects)
    _check(method, outcome_model, level, draws)
    found = aligned(design.study, outcomes, months)
    asked = chosen_errors(design, errors, cluster, stacked=stacked, method=method)
    by = None if by is None else labels_of(design, by)
    if asked.kind == "two_way" and are_stacked(design, asked.clusters):
        design, rows = stacked_pairs(design)
        found, by = found.of_rows(rows), None if by is None else by[rows]
    groups = populations(design, by)
    if asked.automatic:
        asked = for_groups(asked, design, groups)
    if outcome_model == "logistic":
        check_between(found.values, found.names)
    else:
        found = found.levelled()
    estimator = _estimator(method, outcome_model, fixed_covariates)
    if asked.kind == "abadie_imbens":
        estimator = partial(
            with_abadie_imbens, design=design, method=estimator, adjusted=method != "difference",
            estimated=asked.stacked,
        )  # fmt: skip
    held = estimates_of(design, found, groups, estimator, stacked=asked.stacked)
    intervals = _intervals(
        Repeat(design, asked, found, by, estimator), (found, groups, method), held,
        level=level, draws=draws, seed=seed,
    )  # fmt: skip
    words = METHODS[method][0] + (", logistic model" if outcome_model == "logistic" else "")
    lost = groups_left_out(design, by, len(groups), len(held.rows), len(found.names))
    effects = tabulated(
        design, held, intervals, method=words, errors=asked, level=level,
        notes=(*caveats(asked, design, method, intervals.ruling.kind),
               *held.left_out.notes(len(groups)), *lost),
    )  # fmt: skip
    if found.registered:
        settings = {**effects.settings, **outcome_words(found.names)}
        effects = replace(effects, settings=settings)
    return effects if plan is None else plan.mark(effects)


def _one(cluster: str | Iterable[str] | None) -> str | None:
    names = [cluster] if isinstance(cluster, str) else list(cluster or ())
    if len(names) > 1:
        raise ParameterError("This design's errors are over one clustering: name one.")
    return names[0] if names else None


def _intervals(
    repeat: Repeat, what: What, held: Estimates, *, level: float, draws: int, seed: int
) -> Intervals:
    """Return intervals by sums of influences, or by what is drawn."""
    design, asked = repeat.design, repeat.asked
    if asked.kind == "bootstrap":
        return bootstrap_intervals(repeat, held, level=level, draws=draws, seed=seed)
    drawn = {"wild": wild_intervals, "randomisation": randomisation_intervals}.get(asked.kind)
    if drawn is None:
        return influence_intervals(design, asked, held, level)
    return drawn(design, asked, what, held, level=level, draws=draws, seed=seed)


def _check(method: str, outcome_model: str, level: float, draws: int) -> None:
    if method not in METHODS:
        raise ParameterError(f"method {method!r} is not offered. {suggest(str(method), METHODS)}")
    if outcome_model not in OUTCOME_MODELS:
        raise ParameterError(f'outcome_model is "linear" or "logistic", not {outcome_model!r}.')
    if outcome_model == "logistic" and method not in ("adjusted", "doubly_robust"):
        raise ParameterError("A logistic outcome model goes with adjusted or doubly_robust.")
    check_level(level)
    if not isinstance(draws, int | np.integer) or draws < 99:
        raise ParameterError(f"draws: at least 99 are needed, not {draws!r}.")


def _estimator(method: str, outcome_model: str, fixed: bool) -> Callable[..., Any]:
    if method == "adjusted":
        chosen = logistic_adjusted_means if outcome_model == "logistic" else adjusted_means
        return partial(chosen, fixed=fixed)
    if method == "doubly_robust":
        return partial(doubly_robust_means, outcome_model=outcome_model)
    return METHODS[method][1]
