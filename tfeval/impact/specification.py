"""The specification of an analysis: which families, compared with whom, how, over what time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tfeval.cohort.analysis_table import COMPARISONS, HORIZONS, TREATMENTS
from tfeval.errors import ParameterError
from tfeval.impact.designs import DESIGNS
from tfeval.impact.effects.estimate import METHODS
from tfeval.programme.phases import CRITERIA
from tfeval.settings import Settings, setting


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
        One of `tfeval.impact.designs.DESIGNS`.
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
