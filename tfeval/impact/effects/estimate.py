"""From a design and outcomes to effects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, Protocol

import numpy as np
import pandas as pd
from scipy.special import stdtr, stdtrit  # scipy.stats takes a second to import

from tfeval.cohort.analysis_table import CAVEATS, Cohort
from tfeval.display.words import worded
from tfeval.errors import ParameterError, check_choice, suggest
from tfeval.impact.design.design import Design
from tfeval.impact.design.protocol import AnyDesign, Contrasts, are_stacked, stacked_pairs
from tfeval.impact.effects.columns import COLUMNS, check_level
from tfeval.impact.effects.effects import Effects
from tfeval.impact.inference.abadie_imbens import with_abadie_imbens
from tfeval.impact.inference.bootstrap import Repeat, bootstrap_intervals, randomisation_intervals
from tfeval.impact.inference.intervals import Intervals, influence_intervals
from tfeval.impact.inference.pooled import for_pooling
from tfeval.impact.inference.rules import (
    ESTIMATED,
    FEW_CLUSTERS,
    FEW_UNITS,
    FEWEST_CLUSTERS,
    FEWEST_UNITS,
    NO_VARIATION,
    Asked,
    Ruling,
    caveats,
    chosen_errors,
    for_groups,
)
from tfeval.impact.inference.wild import What, wild_intervals
from tfeval.impact.means.estimates import NOTHING, Estimates, estimates_of
from tfeval.impact.means.methods import METHODS, OUTCOME_MODELS, check_between, logistic_methods
from tfeval.impact.means.outcomes import (
    Outcomes,
    aligned,
    groups_left_out,
    labels_of,
    populations,
)
from tfeval.impact.study.study import Study
from tfeval.programme.outcomes import outcome_words

# Effects of designs that make their own contrasts, by sums of their units' influences.

#: The level that is meant where none is given.
_LEVEL = 0.95


def contrast_effects(
    design: AnyDesign,
    outcomes: Any,
    months: int | None,
    *,
    errors: str | None = None,
    cluster: str | None = None,
    level: float = 0.95,
) -> Effects:
    """Return the one table of effects for a design that makes its own contrasts.

    Parameters
    ----------
    outcomes : object
        As the design takes them.
    errors : {"robust", "cluster"}, optional
        By the design's first clusters if it has any, else by unit.
    cluster : str, optional
        One of the design's clusters.
    level : float, default 0.95
        A design that has a level of its own keeps it, and is asked for no other.

    Returns
    -------
    Effects
        Errors are sums of influences, times n/(n - 1) for n units or clusters, with Student's t on
        n - 1 degrees of freedom where a design gives none. Too few units or clusters have no error.
    """
    own = getattr(design, "level", level)
    if level not in (own, _LEVEL):
        raise ParameterError(
            f"This design's own intervals are at {own}: give estimate level={own}."
        )
    level = own
    contrasts = design.contrasts(outcomes, months)
    codes, name = _codes(contrasts, errors, cluster)
    sums = contrasts.influence if codes is None else _summed(contrasts.influence, codes)
    count, fewest = len(sums), FEWEST_UNITS if codes is None else FEWEST_CLUSTERS
    covariance = sums.T @ sums * (count / max(count - 1, 1))
    error = np.sqrt(np.diag(covariance))
    frame = contrasts.rows.reset_index(drop=True)
    estimate = frame["estimate"].to_numpy(dtype=float)
    few = FEW_UNITS if codes is None else FEW_CLUSTERS
    status = np.where(count < fewest, few, ESTIMATED)
    spread = _spreads(outcomes, frame["outcome"], estimate)
    still = (error <= NOTHING * spread) | (spread == 0)
    status = np.where(still, NO_VARIATION, status)
    if "status" in frame:  # a design says what it knows of, and leaves the rest
        status = np.where(frame["status"].isna(), status, frame["status"])
        frame["status"] = status
    known = (status == ESTIMATED) & np.isfinite(estimate)
    error = np.where(known, error, np.nan)
    freedom = np.where(known, _freedom(frame, count), np.nan)
    reach = stdtrit(freedom, (1 + level) / 2) * error
    with np.errstate(divide="ignore", invalid="ignore"):
        p = 2 * stdtr(freedom, -np.abs(estimate) / error)
    computed = {
        "months": pd.array([months] * len(frame), dtype="Int64"), "estimand": design.estimand,
        "method": design.kind, "errors": "robust" if codes is None else "cluster",
        "std_error": error, "conf_low": estimate - reach, "conf_high": estimate + reach,
        "p_value": p, "status": status, "freedom": freedom,
        "clusters": np.nan if codes is None else float(count),
    }  # fmt: skip
    kept = {
        key: value
        for key, value in computed.items()
        if key == "freedom" or key not in contrasts.rows
    }
    own = [key for key in ("std_error", "conf_low", "conf_high", "p_value") if key in frame]
    # Rounding is no error, and a status that says why there is none has none.
    frame.loc[still | (status == FEW_CLUSTERS), own] = np.nan
    return Effects(
        frame=frame.assign(**kept), joint=np.where(np.outer(known, known), covariance, np.nan),
        level=level, settings={"design": design.kind, "clusters": name},
        notes=(f"Assumed: {design.assumption}", *design.notes),
        simulated=design.simulated or bool(getattr(outcomes, "simulated", False)),
    )  # fmt: skip


def _freedom(frame: pd.DataFrame, count: int) -> np.ndarray:
    """Return the degrees of freedom that a design gives, or n - 1."""
    if "freedom" not in frame:
        return np.full(len(frame), count - 1.0)
    return frame["freedom"].astype(float).fillna(count - 1.0).to_numpy()


def _codes(
    contrasts: Contrasts, errors: str | None, cluster: str | None
) -> tuple[np.ndarray | None, str]:
    if errors not in (None, "robust", "cluster"):
        raise ParameterError(
            f'This design has errors "robust" and "cluster", and {errors!r} is neither.'
        )
    if errors == "robust" or (errors is None and cluster is None and not contrasts.clusters):
        return None, ""
    if not contrasts.clusters:
        raise ParameterError("This design's units are in no clusters: leave cluster out.")
    name = next(iter(contrasts.clusters)) if cluster is None else cluster
    if name not in contrasts.clusters:
        raise ParameterError(f"There are no clusters {name}. {suggest(name, contrasts.clusters)}")
    return np.asarray(contrasts.clusters[name]), name


def _spreads(outcomes: Any, names: Iterable[str], estimate: np.ndarray) -> np.ndarray:
    """Return the outcomes' standard deviations; where they are not to be had, the estimates.

    What varies by no more than rounding has none.
    """
    columns = getattr(outcomes, "outcomes", outcomes)  # of a panel, or a frame
    if not isinstance(columns, Mapping | pd.DataFrame):
        return np.abs(estimate)
    spreads = []
    for name, own in zip(names, np.abs(estimate), strict=True):
        if name not in columns:
            spreads.append(own)
            continue
        values = pd.array(np.ravel(columns[name])).to_numpy(dtype=float, na_value=np.nan)
        if np.isnan(values).all():
            spreads.append(own)
            continue
        spread, size = np.nanstd(values), np.nanmax(np.abs(values), initial=0.0)
        spreads.append(spread if spread > NOTHING * size else 0.0)
    return np.array(spreads)


def _summed(influence: np.ndarray, codes: np.ndarray) -> np.ndarray:
    _, place = np.unique(codes, return_inverse=True)
    return np.stack([np.bincount(place, weights=column) for column in influence.T], axis=1)


class Planned(Protocol):
    """What estimate asks of an analysis plan; named here because a plan imports effects."""

    def mark(  # noqa: D102
        self, effects: Effects, *, design: Design | None = ..., outcomes: Outcomes | None = ...
    ) -> Effects: ...


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
        What was planned; the rest is marked exploratory. Study, design and outcomes are compared
        with the cohort that the study was made from, value by value.

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
    numbers = given = aligned(design.study, outcomes, months)
    own = design
    scheme = chosen_errors(design, errors, cluster, stacked=stacked, method=method)
    by = None if by is None else labels_of(design, by)
    if scheme.kind == "two_way" and are_stacked(design, scheme.clusters):
        design, rows = stacked_pairs(design)
        numbers, by = numbers.of_rows(rows), None if by is None else by[rows]
    groups = populations(design, by)
    if scheme.automatic:
        scheme = for_groups(scheme, design, groups)
    if outcome_model == "logistic":
        check_between(numbers.values, numbers.names)
    else:
        numbers = numbers.levelled()
    estimator = METHODS[method].means(outcome_model, fixed_covariates)
    if scheme.kind == "abadie_imbens":
        estimator = partial(
            with_abadie_imbens, design=design, method=estimator, adjusted=METHODS[method].adjusts,
            estimated=scheme.stacked,
        )  # fmt: skip
    estimates = estimates_of(design, numbers, groups, estimator, stacked=scheme.stacked)
    intervals = _intervals(
        Repeat(design, scheme, numbers, by, estimator), (numbers, groups, method), estimates,
        level=level, draws=draws, seed=seed,
    )  # fmt: skip
    lost = groups_left_out(design, by, len(groups), len(estimates.rows), len(numbers.names))
    settings: dict[str, Any] = {"fixed_covariates": bool(fixed_covariates)}
    if scheme.kind in ("bootstrap", *_DRAWN):
        settings["errors_drawn"] = (int(draws), int(seed))
    effects = _tabulated(
        design, estimates, intervals, method=method, outcome_model=outcome_model, errors=scheme,
        level=level,
        settings=settings | (outcome_words(numbers.names) if numbers.registered else {}),
        notes=(*caveats(scheme, design, method, intervals.ruling.kind),
               *estimates.left_out.notes(len(groups)), *lost),
    )  # fmt: skip
    return effects if plan is None else plan.mark(effects, design=own, outcomes=given)


def _one(cluster: str | Iterable[str] | None) -> str | None:
    names = [cluster] if isinstance(cluster, str) else list(cluster or ())
    if len(names) > 1:
        raise ParameterError("This design's errors are over one clustering: name one.")
    return names[0] if names else None


_DRAWN = {"wild": wild_intervals, "randomisation": randomisation_intervals}


def _intervals(
    repeat: Repeat, what: What, estimates: Estimates, *, level: float, draws: int, seed: int
) -> Intervals:
    """Return intervals by sums of influences, or by what is drawn."""
    design, scheme = repeat.design, repeat.scheme
    if scheme.kind == "bootstrap":
        return bootstrap_intervals(repeat, estimates, level=level, draws=draws, seed=seed)
    drawn = _DRAWN.get(scheme.kind)
    if drawn is None:
        return influence_intervals(design, scheme, estimates, level)
    return drawn(design, scheme, what, estimates, level=level, draws=draws, seed=seed)


def _check(method: str, outcome_model: str, level: float, draws: int) -> None:
    check_choice("method", method, METHODS)
    if outcome_model not in OUTCOME_MODELS:
        raise ParameterError(f'outcome_model is "linear" or "logistic", not {outcome_model!r}.')
    if outcome_model not in METHODS[method].outcome_models:
        raise ParameterError(f"A logistic outcome model goes with {logistic_methods()}.")
    check_level(level)
    if not isinstance(draws, int | np.integer) or draws < 99:
        raise ParameterError(f"draws: at least 99 are needed, not {draws!r}.")


def _tabulated(
    design: Design,
    estimates: Estimates,
    intervals: Intervals,
    *,
    method: str,
    outcome_model: str,
    errors: Asked,
    level: float,
    settings: Mapping[str, Any],
    notes: tuple[str, ...] = (),
) -> Effects:
    """Return effects with the columns `COLUMNS`, in order of population and outcome."""
    ruling = intervals.ruling
    effect = np.where(ruling.estimable, estimates.effect, np.nan)
    comparison = estimates.comparison
    with np.errstate(divide="ignore", invalid="ignore"):
        # Where nobody compared has the outcome, a fitted mean of theirs is the model's alone.
        known = (comparison > 0) & (estimates.fact("events_comparison") > 0)
        relative = np.where(known, effect / comparison, np.nan)
    count, kinds = len(estimates.rows), errors.keys_of(ruling.kind)
    columns = {name: [row[name] for row in estimates.rows] for name in estimates.rows[0]}
    computed = {
        "months": pd.array(columns["months"], dtype="Int64"),
        "estimand": [design.estimand] * count,
        "design": [design.method] * count,
        "method": [method] * count,
        # The plain difference has no model of the outcome.
        "outcome_model": [outcome_model if METHODS[method].adjusts else ""] * count,
        "errors": [kind for kind, _ in kinds],
        "cluster": [cluster for _, cluster in kinds],
        "stacked": [errors.stacked] * count,
        "estimate": effect,
        "std_error": np.sqrt(np.maximum(np.diag(intervals.covariance), 0.0)),
        "conf_low": intervals.low,
        "conf_high": intervals.high,
        "p_value": intervals.p_value,
        "p_adjusted": np.full(count, np.nan),
        "relative": relative,
        "relative_low": intervals.relative_low,
        "relative_high": intervals.relative_high,
        "mean_treated": estimates.treated,
        "mean_comparison": comparison,
        "clusters": intervals.clusters,
        "freedom": intervals.freedom,
        "small_sample": [
            "" if plain or not known else "score" if rare else str(kind)
            for kind, rare, known, plain in zip(
                ruling.kind, ruling.rare, ruling.estimated, _plain(ruling), strict=True
            )
        ],
        "status": [str(one) for one in ruling.status],
        "planned": [None] * count,
    }
    frame = pd.DataFrame({name: {**columns, **computed}[name] for name in COLUMNS})
    return Effects(
        frame=frame,
        joint=intervals.covariance,
        level=level,
        settings={**design.settings, **_of_study(design.study), **settings},
        notes=tuple(
            worded(note, design.study.labels)
            for note in (*design.notes, *notes, *_of_group(design.study))
        ),
        pooling=for_pooling(estimates),
        simulated=design.study.simulated,
    )


def _plain(ruling: Ruling) -> np.ndarray:
    """Return which errors are of the form that their name says by itself."""
    return np.isin(ruling.kind, ("hc1", "cr1", "two_way", "given")) & ~ruling.rare


def _of_group(study: Study) -> tuple[str, ...]:
    return (CAVEATS[group],) if (group := study.cohort.get("comparison")) in CAVEATS else ()


def _of_study(study: Study) -> dict[str, Any]:
    """Return what a plan may have fixed about the study."""
    used = {column.source for column in study.covariates.columns} | set(study.left_out)
    before = {name for name, timing in study.timing.items() if timing == "before"}
    return {
        "cohort": study.cohort,
        "study_units": study.size,
        "within": study.strata_names,
        "covariates": tuple(sorted(used)),
        "covariates_not_used": tuple(sorted(before - used)) if study.timing else None,
        "covariates_added": tuple(sorted(used - before)),
    }
