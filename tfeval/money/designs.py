"""Design uncertainty: the same appraisal under each comparison group and estimator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from tfeval.display.figures import Chart
from tfeval.display.interval_charts import range_chart
from tfeval.display.names import SIMULATED
from tfeval.display.tables import Table, table
from tfeval.display.words import amount, chance, marked
from tfeval.errors import ParameterError
from tfeval.money.appraisal import Appraisal
from tfeval.money.appraise import appraise
from tfeval.money.monetised import NothingValuedError

if TYPE_CHECKING:
    from tfeval.impact.effects.effects import Effects
    from tfeval.money.uncertainty import Uncertainty


@dataclass(frozen=True, eq=False)
class DesignAppraisals:
    """One appraisal a design. From `appraise_designs`.

    Attributes
    ----------
    frame : DataFrame
        One row a design: `design`, `npv`, `low`, `high` (pounds), `benefit_cost_ratio`,
        `probability` (of a net present value of at least 0), `outcomes` (how many are valued).
    appraisals : dict of str to Appraisal
    level : float
        Of the intervals.
    left_out : dict of str to str
        Designs under which nothing can be valued, and why.
    labels : dict of str to str
        Designs in words, where they have any beside their key.
    """

    frame: pd.DataFrame
    appraisals: dict[str, Appraisal]
    level: float
    left_out: dict[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def range(self) -> tuple[float, float]:
        """Lowest and highest net present value over the designs, each at its estimate."""
        return float(self.frame["npv"].min()), float(self.frame["npv"].max())

    @property
    def same_sign(self) -> bool:
        """Whether every design says yes, or every design says no, at its estimate."""
        return bool((self.frame["npv"] >= 0).nunique() == 1)

    @property
    def simulated(self) -> bool:
        """Whether any of the records is simulated."""
        return any(found.simulated for found in self.appraisals.values())

    def in_words(self) -> pd.DataFrame:
        """Return `frame` with the designs in words."""
        return self.frame.replace({"design": dict(self.labels)})

    def table(self) -> Table:
        """Return the designs as a table for readers."""
        rows = [
            (row["design"], amount(row["npv"]),
             f"{amount(row['low'])} to {amount(row['high'])}",
             f"{row['benefit_cost_ratio']:.2f}", f"{chance(row['probability'])}", row["outcomes"])
            for row in self.in_words().to_dict("records")
        ]  # fmt: skip
        share = f"{self.level:.0%} interval"
        columns = ["Design", "Net present value", share, "Benefit for each £1",
                   "Probability that benefits reach costs", "Outcomes valued"]  # fmt: skip
        ends = zip(("least", "most"), self.range, strict=True)
        low, high = (marked(f"npv_{end}_design", amount(value)) for end, value in ends)
        notes = [f"Between designs the net present value runs from {low} to {high}. An interval "
                 "holds what one design's sampling, prices and persistence leave open; the rows "
                 "differ by what the design assumes."]  # fmt: skip
        if self.frame["outcomes"].nunique() > 1:
            notes.append(
                "Where fewer outcomes are valued the others had no error under that design, or "
                "too few families to show: such rows are not of the same things."
            )
        notes += [
            f"Not valued: {self.labels.get(key, key)}. {why}" for key, why in self.left_out.items()
        ]
        notes += [f"{SIMULATED}."] * self.simulated
        caption = "Net present value under each design"
        return table(pd.DataFrame(rows, columns=columns), caption, notes=notes)

    def plot(self) -> Chart:
        """Draw each design's interval."""
        alt = (
            f"Interval chart of the net present value under {len(self.frame)} designs, from "
            f"{amount(self.frame['low'].min())} to {amount(self.frame['high'].max())}."
        )
        title = "Net present value under each design"
        return range_chart(
            self.in_words()["design"].tolist(), self.frame["low"] / 1e6, self.frame["high"] / 1e6,
            title=f"Simulated records: {title}" if self.simulated else title, alt=alt,
            x_label="£m, present value", reference=0.0, reference_label="benefits reach costs",
            value_format="{:,.0f}",
        )  # fmt: skip

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return self.table()._repr_mimebundle_()

    def __repr__(self) -> str:
        return self.table().text()


def appraise_designs(
    designs: Mapping[str, Effects], costs: pd.DataFrame | float, *, draws: int = 10_000,
    seed: int = 1, level: float = 0.95, drawn: Mapping[str, Uncertainty] | None = None,
    labels: Mapping[str, str] | None = None, **asked: Any,
) -> DesignAppraisals:  # fmt: skip
    """Appraise the effects of several designs alike.

    Parameters
    ----------
    designs : mapping of str to Effects
        Such as one for each comparison group and estimator, by a key.
    costs : DataFrame or float
        As in `appraise`.
    draws, seed, level
        As in `Appraisal.uncertainty`; every design gets the same seed.
    drawn : mapping of str to Uncertainty, optional
        What was drawn of a design already: one interval has one pair of ends.
    labels : mapping of str to str, optional
        The designs in words, by key; a key without any is its own label.
    **asked
        As in `appraise`; the same for all.

    Returns
    -------
    DesignAppraisals

    Raises
    ------
    ParameterError
        If there is no design, or as in `appraise`.
    NothingValuedError
        If under no design anything can be valued.

    Notes
    -----
    A design under which no effect has an error, or may be shown, has no row and is no zero: it
    stands in `left_out` with the reason.

    Examples
    --------
    >>> import numpy as np
    >>> from tfeval.impact.effects.effects import Effects
    >>> def one(effect):
    ...     rows = pd.DataFrame({"outcome": ["offences"], "months": [12], "estimate": [effect],
    ...                          "std_error": [0.05]})
    ...     return Effects(rows, np.array([[0.0025]]))
    >>> found = appraise_designs({"waiting": one(-0.1), "others": one(0.0)}, 5e5, families=1_000)
    >>> found.frame["npv"].round(-3).tolist(), found.same_sign
    ([-332000.0, -500000.0], True)
    """
    if not designs:
        raise ParameterError("Give at least one design: a key and its effects.")
    held, rows, left = {}, [], {}
    for key, effects in designs.items():
        try:
            found = appraise(effects, costs, **asked)
        except NothingValuedError as fault:
            left[key] = str(fault)
            continue
        own = (drawn or {}).get(key) or found.uncertainty(draws, seed, level=level)
        low, high = own.interval()
        held[key] = found
        rows.append((key, found.npv, low, high, found.benefit_cost_ratio,
                     own.probability(), len(found.model.outcomes)))  # fmt: skip
    if not rows:
        reasons = " ".join(dict.fromkeys(left.values()))
        raise NothingValuedError(
            f"Under none of {len(left)} designs can anything be valued. {reasons}"
        )
    columns = ["design", "npv", "low", "high", "benefit_cost_ratio", "probability", "outcomes"]
    return DesignAppraisals(
        pd.DataFrame(rows, columns=columns), held, level, left, dict(labels or {})
    )
