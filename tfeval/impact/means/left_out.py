"""Which covariates the regressions of outcomes had to leave out, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tfeval.impact.means.means import Means

#: Why, by the name of the attribute of `Means`.
REASONS = {
    "aliased": "they do not vary or repeat others there",
    "crowded": "there are too few units for so many",
}
_ARMS = ("treated", "comparison units")
#: Names that a note gives before it counts the others.
_SHOWN = 5


@dataclass(frozen=True, eq=False)
class LeftOut:
    """Covariates left out of regressions, gathered over populations.

    Attributes
    ----------
    names : tuple of str, length k
        Source of each number that a unit has.
    places : mapping of (reason, arm) to dict of str to set of str
        For each source the populations in whose regression it, or a level of it, was left out.
    """

    names: tuple[str, ...] = ()
    places: Mapping[tuple[str, int], dict[str, set[str]]] = field(default_factory=dict)

    def beside(self, population: str, means: Means) -> LeftOut:
        """Return these with what one population's regressions left out."""
        places = dict(self.places)
        for reason in REASONS:
            found = getattr(means, reason)
            if found is None or not found.any():
                continue
            for arm, columns in enumerate(found):
                own = {name: set(held) for name, held in places.get((reason, arm), {}).items()}
                for place in np.flatnonzero(columns):
                    own.setdefault(self.names[place], set()).add(population)
                if own:
                    places[reason, arm] = own
        return replace(self, places=places)

    def notes(self, populations: int) -> tuple[str, ...]:
        """Say it in words.

        Parameters
        ----------
        populations : int
            How many there are.
        """
        notes = []
        for (reason, arm), found in self.places.items():
            names = [*found][:_SHOWN]
            more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
            several = len(set().union(*found.values()))
            where = f" in {several:,} of {populations:,} groups" if populations > 1 else ""
            notes.append(
                f"Left out of the outcomes' regression among {_ARMS[arm]}{where}, since "
                f"{REASONS[reason]}: {', '.join(names)}{more}."
            )
        return tuple(notes)
