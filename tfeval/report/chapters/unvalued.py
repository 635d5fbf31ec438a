"""Chapter 7 where nothing can be valued: what stands in the place of pounds, and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import pandas as pd

from tfeval.display.names import SIMULATED
from tfeval.display.tables import Table, table
from tfeval.report.record import Records

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Unknown:
    """What stands where an appraisal would: that there is none, and why.

    Attributes
    ----------
    why : str
    simulated : bool
    """

    why: str
    simulated: bool

    def table(self) -> Table:
        """Return the reason as a table for readers."""
        said = pd.DataFrame({"What is missing": [self.why]})
        return table(
            said, caption="What the effects were worth is not known from these records",
            notes=[f"{SIMULATED}."] * self.simulated
            + ["Not known is not nothing: no pound of benefit is shown, and none is ruled out."],
        )  # fmt: skip

    def uncertainty(self, **_asked: object) -> Unknown:
        """Return the same: there is nothing to draw from."""
        return self

    def plot(self, *_kind: object, **_asked: object) -> Table:
        """Return the same: there is nothing to draw."""
        return self.table()

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return self.table()._repr_mimebundle_()

    def __repr__(self) -> str:
        return self.table().text()


@dataclass(frozen=True)
class Unvalued:
    """What chapter 7 shows where no effect can be valued.

    Attributes
    ----------
    appraisal, drawn, designs : Unknown
        In the place of those of `Value`.
    impact : Records
        Of chapter 4.
    families : float
        Whom the phase reached.
    """

    appraisal: Unknown
    impact: Records
    families: float

    @property
    def drawn(self) -> Unknown:
        """In the place of joint draws."""
        return self.appraisal

    @property
    def designs(self) -> Unknown:
        """In the place of the same under each design."""
        return self.appraisal

    @property
    def label(self) -> str:
        """What must stand before every sentence on simulated records."""
        return "Simulated records: " if self.appraisal.simulated else ""

    def headline(self) -> str:
        """Say that what the programme was worth is not known, and why."""
        return (
            f"{self.label}what the programme was worth cannot be said from these records. "
            f"{self.appraisal.why}"
        )


def or_why(shows: Callable[Concatenate[Any, P], R]) -> Callable[Concatenate[Any, P], R | Table]:
    """Make a table or chart of a value say why there is none, where nothing can be valued."""

    @wraps(shows)
    def shown(found: Any, *rest: P.args, **more: P.kwargs) -> R | Table:
        if isinstance(found, Unvalued):
            return found.appraisal.table()
        return shows(found, *rest, **more)

    return shown
