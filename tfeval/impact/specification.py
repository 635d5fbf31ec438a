"""The specification of an analysis: which families, compared with whom, how, over what time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from tfeval.cohort.analysis_table import COMPARISONS, HORIZONS, TREATMENTS
from tfeval.errors import ParameterError, suggest
from tfeval.impact.design.design import Design
from tfeval.impact.effects.estimate import METHODS
from tfeval.impact.matching.match import match
from tfeval.impact.study.study import Study, check_study
from tfeval.impact.weighting.weight import weight
from tfeval.impact.weighting.weights import unweighted
from tfeval.programme.phases import CRITERIA
from tfeval.settings import Settings, setting

# The designs that a report can be run with: one row each, by the name its parameter gives.

#: Folds in which a classifier's scores are not its own.
FOLDS = 5
_STRATUM = "local_authority"


@dataclass(frozen=True)
class DesignRow:
    """One design on offer."""

    words: str  # what it does to a study, for readers
    #: From a study and a caliper to a design; designs without a caliper pass it over.
    make: Callable[[Study, float], Any]
    #: Whether it makes a comparison group at all: the naive comparison does not.
    adjusts: bool = True


def _boosted(study: Study, _caliper: float) -> Design:
    from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: PLC0415

    # Few leaves and slow steps: scores that separate the groups leave nobody to compare.
    model = HistGradientBoostingClassifier(
        max_iter=100, learning_rate=0.05, max_leaf_nodes=8, random_state=1
    )
    return weight(study, "inverse_propensity", model=model, folds=FOLDS)


def _within_authority(study: Study, caliper: float) -> Design:
    inside = replace(study, strata=study.cluster(_STRATUM), strata_names=(_STRATUM,))
    return match(inside, "nearest", caliper=caliper, order="random")


#: Designs by name. A new one is one row here, and its own file where it is no row's setting.
DESIGNS: dict[str, DesignRow] = {
    "nearest": DesignRow(
        "each family with its nearest comparison family",
        lambda study, caliper: match(study, "nearest", caliper=caliper, order="random"),
    ),
    "nearest_within_authority": DesignRow(
        "each family with the nearest of its own authority", _within_authority
    ),
    "full": DesignRow(
        "sets of families alike, everybody used",
        lambda study, caliper: match(study, "full", caliper=caliper),
    ),
    "inverse_propensity": DesignRow(
        "comparison families weighted by the odds of being on the programme",
        lambda study, _caliper: weight(study, "inverse_propensity"),
    ),
    "boosted": DesignRow(
        "the same odds from gradient boosted trees, each family's from the other folds", _boosted
    ),
    "entropy": DesignRow(
        "comparison families weighted until the means agree",
        lambda study, _caliper: weight(study, "entropy"),
    ),
    "overlap": DesignRow(
        "both groups weighted to those who could have been in either",
        lambda study, _caliper: weight(study, "overlap"),
    ),
    "unweighted": DesignRow(
        "nobody matched or weighted", lambda study, _caliper: unweighted(study), adjusts=False
    ),
}


def design(study: Study, name: str = "nearest", *, caliper: float = 0.2) -> Any:
    """Make one of the designs that a report offers.

    The verbs behind it, `match`, `weight` and `unweighted`, have more settings.

    Parameters
    ----------
    study : Study
        Who is compared and on what.
    name : str, default "nearest"
        One of `DESIGNS`.
    caliper : float, default 0.2
        Widest pair, in standard deviations of the linear predictor; designs that make no pairs
        pass it over.

    Returns
    -------
    Design

    Raises
    ------
    ParameterError
        If there is no such design.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from tfeval.impact.study.study import study
    >>> rng = np.random.default_rng(1)
    >>> frame = pd.DataFrame({"age": rng.normal(size=400), "treated": rng.random(400) < 0.3})
    >>> design(study(frame, covariates=["age"]), "entropy").estimand
    'ATT'
    """
    check_study(study, "design")
    if name not in DESIGNS:
        raise ParameterError(f'There is no design "{name}". {suggest(str(name), DESIGNS)}')
    return DESIGNS[name].make(study, caliper)


# The specification: which families, compared with whom, how, over what time.


def _phase(value: str) -> str:
    if str(value).casefold() not in CRITERIA:
        *first, last = (f'"{name}"' for name in CRITERIA)
        raise ParameterError(f'The parameter phase is {", ".join(first)} or {last}, not "{value}".')
    return str(value).casefold()


def _offered() -> list[str]:
    return [name for name, row in DESIGNS.items() if row.adjusts]


@dataclass(frozen=True)
class Specification(Settings):
    """Everything that decides an effect but the records: frozen, checked, comparable, hashable.

    Attributes
    ----------
    phase : str
        Of the programme.
    comparison : str
        Comparison group, one of `comparison_groups()`.
    treatment : str
        Which attachments are the treatment, one of `TREATMENTS`.
    horizon : int
        Months after the index date.
    design : str
        One of `tfeval.impact.specification.DESIGNS`.
    caliper : float
        Widest pair, in standard deviations of the linear predictor.
    estimator : str
        As `method` in `estimate`.

    Raises
    ------
    ParameterError
        If a value is not one of those known; the message names the nearest.

    Examples
    --------
    >>> Specification(horizon=18).design
    'nearest'
    >>> Specification(design="entropie")
    Traceback (most recent call last):
    tfeval.errors.ParameterError: There is no design "entropie". Did you mean entropy?
    """

    @property
    def cohort(self) -> dict[str, Any]:
        """What `cohort` is asked for: phase, comparison, treatment and horizon.

        Examples
        --------
        >>> Specification(horizon=18).cohort["horizon"]
        18
        """
        names = ("phase", "comparison", "treatment", "horizon")
        return {name: getattr(self, name) for name in names}

    phase: str = setting(
        "one",
        "phase of the programme: one (2012-15), two (2015-20), supporting_families (2022-25)",
        official=_phase,
    )
    comparison: str = setting(
        "not_yet_treated",
        ", ".join(COMPARISONS),
        noun="comparison group",
        known=lambda: COMPARISONS,
    )
    treatment: str = setting(
        "supported",
        ", ".join(TREATMENTS),
        noun="treatment",
        known=lambda: TREATMENTS,
    )
    horizon: int = setting(
        12,
        "months after the index date: 6, 12, 18 or 24",
        known=lambda: HORIZONS,
        unit="months",
    )
    design: str = setting("nearest", ", ".join(_offered()), known=_offered)
    caliper: float = setting(
        0.2,
        "widest pair, in standard deviations of the linear predictor",
        between=lambda: (0.01, 2),
        unit="standard deviations of the linear predictor",
    )
    estimator: str = setting("adjusted", ", ".join(METHODS), known=lambda: METHODS)
