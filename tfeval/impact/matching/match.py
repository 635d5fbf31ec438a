"""Matching: from a study to a design."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import replace as replaced
from typing import Any

import numpy as np
import pandas as pd

from tfeval.display.names import DESIGNS
from tfeval.display.tables import safe_count
from tfeval.errors import DataError, ParameterError, suggest
from tfeval.impact.design.design import (
    LONE_STRATUM,
    NONE_LEFT,
    OFF_SUPPORT,
    OUTSIDE_CALIPER,
    Design,
    of_whole,
)
from tfeval.impact.matching.matched import Matched, Task, find
from tfeval.impact.matching.nearest import Calipers
from tfeval.impact.matching.settings import Settings, checks_settings, settings_of
from tfeval.impact.propensity.propensity import Classifier, Propensity, fit_propensity, on_support
from tfeval.impact.study.blocks import in_order, of_rows, rows_that_count
from tfeval.impact.study.checks import known_names
from tfeval.impact.study.numbers import floats_of
from tfeval.impact.study.study import Study, check_study

# Calipers in the units of what they limit.


def calipers_of(study: Study, chosen: Settings, along: np.ndarray) -> Calipers:
    """Return the calipers asked for as distances.

    Parameters
    ----------
    study : Study
        For the covariates and their spread.
    chosen : Settings
        With `caliper`, `calipers`, their unit and whose spread it is.
    along : ndarray of float, shape (n,)
        The score that `caliper` limits.

    Raises
    ------
    ParameterError
        If a covariate is unknown.
    """
    values = [_covariate(study, name) for name in chosen.calipers]
    widths = list(chosen.calipers.values())
    width = np.inf if chosen.caliper is None else chosen.caliper
    if chosen.caliper_unit == "sd":
        if np.isfinite(width):
            width *= _spread(along, study, chosen.caliper_spread)
        widths = [
            wide * _spread(column, study, chosen.caliper_spread)
            for wide, column in zip(widths, values, strict=True)
        ]
    stacked = np.column_stack(values) if values else np.empty((study.size, 0))
    return Calipers(float(width), stacked, np.array(widths, dtype=float))


def _covariate(study: Study, name: str) -> np.ndarray:
    if name not in study.covariates.names:
        raise ParameterError(
            f"There is no covariate {name} to put a caliper on. "
            f"{suggest(name, known_names(study.covariates))}"
        )
    return study.covariates.column(name)


def _spread(values: np.ndarray, study: Study, whose: str) -> float:
    """Return the standard deviation that is a caliper's unit.

    Sampling weights do not enter: a caliper is about who is alike, not about how many.
    """
    if whose == "all":
        return float(np.std(values, ddof=1))
    arms = [study.treated] if whose == "treated" else [study.treated, ~study.treated]
    return float(np.sqrt(np.mean([np.var(values[arm], ddof=1) for arm in arms])))


@checks_settings
def match(
    study: Study,
    method: str = "nearest",
    *,
    model: str | Classifier = "logit",
    folds: int | None = None,
    propensity: Propensity | None = None,
    distance: str | pd.Series | np.ndarray = "linear",
    estimand: str = "ATT",
    ratio: int = 1,
    replace: bool = False,
    order: str = "largest",
    ties: str = "average",
    caliper: float | None = 0.2,
    caliper_unit: str = "sd",
    caliper_spread: str = "all",
    calipers: Mapping[str, float] | None = None,
    on: Sequence[str] = (),
    support: str | tuple[float, float] | None = None,
    cutpoints: Mapping[str, Any] | None = None,
    grouping: Mapping[str, Any] | None = None,
    number: int = 6,
    fewest: int = 1,
    bandwidth: float = 0.06,
    kernel: str = "epanechnikov",
    seed: int = 1,
) -> Design:
    """Match treated units with comparison units that are like them.

    Parameters
    ----------
    study : Study
        Who and on what. Its strata are matched exactly; who has a sampling weight of 0 is not
        in the sample, and the design is the one without them.
    method : str
        "nearest" neighbour on the propensity score, "mahalanobis", "optimal" pairs, "full"
        matching, "coarsened_exact", "subclass", "kernel" or "radius".
    model : "logit" or a scikit-learn classifier
        Of the probability of being treated.
    folds : int, optional
        Parts for cross-fitting the model: 1 for logit, 5 for a classifier.
    propensity : Propensity, optional
        One already fitted, instead of `model`.
    distance : {"linear", "probability"}, Series or ndarray of float, shape (n,)
        What is matched on: the linear predictor of the model, its probability, or own numbers,
        by the study's index or in its order.
    estimand : {"ATT", "ATC", "ATE"}
        Whose effect; "ATT" by default. "ATE" where sets hold everybody: full, coarsened exact
        and subclass.
    ratio : int, default 1
        Matches for each treated unit.
    replace : bool, default False
        Whether a comparison unit may serve several treated units.
    order : {"largest", "smallest", "random", "closest", "data"}
        Who chooses first, without replacement.
    ties : {"average", "first"}
        With replacement: whether equally near units share, or the first row is taken.
    caliper : float or None, default 0.2
        Largest distance of a pair.
    caliper_unit : {"sd", "raw"}
        Of `caliper` and `calipers`.
    caliper_spread : {"all", "pooled", "treated"}
        Whose standard deviation is the unit: all units, both arms' variances averaged, or the
        treated.
    calipers : mapping of str to float
        Further limits, by covariate.
    on : sequence of str
        Covariates of the Mahalanobis distance; all by default.
    support : "both" or (low, high), optional
        Leave out units outside the common support; see `on_support`.
    cutpoints, grouping, number, fewest, bandwidth, kernel
        Of coarsened exact matching, subclassification and kernel matching; see
        `coarsened_sets`, `subclass_sets` and `kernel_weights`.
    seed : int
        Of a random order.

    Returns
    -------
    Design

    Raises
    ------
    ParameterError
        If a setting is unknown, out of range, or not one of the method's.
    DataError
        If nobody can be matched, or the model cannot be fitted.

    References
    ----------
    Stuart (2010), Matching methods for causal inference: a review and a look forward,
    Statistical Science 25.

    Examples
    --------
    >>> import pandas as pd
    >>> from tfeval.impact.study.study import study
    >>> rng = np.random.default_rng(1)
    >>> frame = pd.DataFrame({"age": rng.normal(size=400)})
    >>> frame["treated"] = rng.random(400) < 0.3
    >>> design = match(study(frame, covariates=["age"]), ratio=1, caliper=0.2)
    >>> design.kept(treated=True) == design.kept(treated=False)
    True
    """
    chosen = settings_of(locals())
    check_study(study, "match")
    if propensity is not None and len(propensity.score) != study.size:
        raise ParameterError("The propensity scores are of another study: their number differs.")
    own = None if isinstance(distance, str) else _own_distance(study, distance)
    return _matched(study, chosen, _Scoring(model, folds, propensity, own))


@dataclass(frozen=True, eq=False)
class _Scoring:
    """What units are matched on: a model to be fitted, scores already fitted, or own numbers."""

    model: str | Classifier
    folds: int | None
    propensity: Propensity | None
    own: np.ndarray | None

    def of_rows(self, rows: np.ndarray) -> _Scoring:
        """Return what holds for some units."""
        return _Scoring(
            self.model, self.folds,
            None if self.propensity is None else self.propensity.of_rows(rows),
            None if self.own is None else self.own[rows],
        )  # fmt: skip

    def fitted(self, study: Study, chosen: Settings) -> Propensity | None:
        """Return the propensity score of every unit, where it is needed."""
        if self.propensity is not None or self.own is not None:
            return self.propensity
        if chosen.method == "coarsened_exact":
            return None
        return fit_propensity(study, self.model, folds=self.folds)


def _matched(study: Study, chosen: Settings, scoring: _Scoring) -> Design:
    rows = rows_that_count(study)
    if rows is not None:
        part = _matched(of_rows(study, rows), chosen, scoring.of_rows(rows))
        return of_whole(part, study, rows)
    propensity = scoring.fitted(study, chosen)
    score = None if propensity is None else propensity.score
    along = _distance(study, chosen, propensity, scoring.own)
    eligible = np.ones(study.size, dtype=bool)
    if chosen.support is not None:
        if score is None:
            raise ParameterError("support needs a propensity score; give none, or a model.")
        eligible = on_support(score, study.treated, chosen.support)
    task = Task(study, chosen, along, eligible, calipers_of(study, chosen, along))
    design = _design(task, find(task), propensity)
    if scoring.own is not None or scoring.propensity is not None:
        return design
    return replaced(design, again=lambda other: _matched(other, chosen, scoring))


def _own_distance(study: Study, given: pd.Series | np.ndarray) -> np.ndarray:
    if isinstance(given, pd.Series):
        given = in_order(given, study.index, "The distances")
    elif np.ndim(given) == 1:
        given = pd.Series(np.asarray(given))
    else:
        given = pd.Series(dtype=float)
    values = floats_of(given, "distance")
    if values.shape != (study.size,) or not np.isfinite(values).all():
        raise ParameterError(
            f"distance: one finite number for each of the {study.size:,} units is needed."
        )
    return values


def _distance(
    study: Study, chosen: Settings, propensity: Propensity | None, own: np.ndarray | None
) -> np.ndarray:
    if own is not None:
        return own
    if propensity is None:
        return np.zeros(study.size)
    return propensity.linear if chosen.distance == "linear" else propensity.score


def _design(task: Task, found: Matched, propensity: Propensity | None) -> Design:
    study, chosen = task.study, task.chosen
    weights = found.weights if study.weight is None else found.weights * study.weight
    inside = weights > 0
    fate = np.where(inside, np.int8(0), found.fate)
    fate[~task.eligible] = OFF_SUPPORT
    if not inside.any():
        width = "bandwidth" if chosen.method in ("kernel", "radius") else "caliper"
        reasons = {
            OUTSIDE_CALIPER: f"the {width} is too narrow. Widen it, or find a comparison group "
            "that is more alike",
            NONE_LEFT: "nobody is left to be matched. Look at the strata and the families",
            LONE_STRATUM: f"no stratum of {' and '.join(study.strata_names)} holds both arms. "
            "Make strata wider, or leave them out",
            OFF_SUPPORT: "the arms do not overlap there. Widen the support, or find a comparison "
            "group that is more alike",
        }
        codes, counts = np.unique(fate[study.treated], return_counts=True)
        why = reasons.get(int(codes[counts.argmax()]), "no unit fits")
        raise DataError(f"{DESIGNS[chosen.method]}: no pair could be made; {why}.")
    counted = inside if chosen.estimand == "ATE" else inside & task.focal
    target = counted.astype(float) if study.weight is None else counted * study.weight
    return Design(
        study=study,
        method=chosen.method,
        estimand=chosen.estimand,
        weights=weights,
        fate=fate,
        settings={**chosen.as_dict(), **_model(propensity)},
        target=target,
        sets=found.sets,
        pairs=found.pairs,
        pair_shares=found.shares,
        score=None if propensity is None else propensity.score,
        distance=task.along,
        folds=None if propensity is None else propensity.folds,
        notes=(*_notes(study, weights, propensity), *_with_own_family(task, found.sets)),
    )


def _model(propensity: Propensity | None) -> dict[str, Any]:
    if propensity is None:
        return {}
    folds = 1 if propensity.folds is None else int(propensity.folds.max()) + 1
    return {"model": propensity.model, "folds": folds}


def _notes(study: Study, weights: np.ndarray, propensity: Propensity | None) -> tuple[str, ...]:
    notes = list(propensity.notes) if propensity is not None else []
    share = np.count_nonzero((weights > 0) & study.treated) / study.n_treated
    if share < 1:
        notes.append(
            f"{1 - share:.0%} of the treated found no match: the effect is that on the others."
        )
    return tuple(notes)


def _with_own_family(task: Task, sets: np.ndarray | None) -> list[str]:
    """Say where a set holds a family in both arms: only nearest neighbours are kept apart."""
    family, treated = task.family, task.study.treated
    if family is None or sets is None:
        return []
    inside = sets >= 0
    pairs = sets.astype(np.int64) * (int(family.max()) + 1) + family
    own = inside & treated & np.isin(pairs, pairs[inside & ~treated])
    if not own.any():
        return []
    count = int(np.count_nonzero(own))
    return [
        f"{safe_count(count)} treated units stand in a set with their own family, as it was at "
        'another time: only "nearest" and "mahalanobis" keep families apart.'
    ]
