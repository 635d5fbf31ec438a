"""How effects run on in an appraisal's workbook: each profile, and what goes with an effect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tfeval.money.appraisal_display import labels_of

#: An `Appraisal`, whose file imports what imports this one.
Appraised = Any


def lastings(appraised: Appraised) -> list[Any]:
    """Return the persistences of an appraisal, each once."""
    distinct: list[Any] = []
    for persistence in appraised.model.persistence:
        if persistence not in distinct:
            distinct.append(persistence)
    return distinct


@dataclass(frozen=True, eq=False)
class Course:
    """How an effect runs on: what is expected to be left of it, or how it goes with what is left.

    Attributes
    ----------
    name, words : str
    months : int
        Measured.
    left : ndarray, shape (horizon + 1,)
        Expected powers of persistence; of an effect estimated with it, its covariances with them.
    reach : ndarray, shape (horizon + 1, years)
        As in `Model`.
    block : int
        Which block of the sheet Persistence has them.
    """

    name: str
    words: str
    months: int
    left: Any
    reach: Any
    block: int


def courses(appraised: Appraised) -> list[Course]:
    """Return one course a profile, and after them one an effect estimated with persistence."""
    model, lasts, months = appraised.model, lastings(appraised), _months(appraised)
    profiles = [
        Course(f"Profile {at + 1}", f"{span} months measured, {model.persistence[at]} left", span,
               model.persistence[at].moments(model.horizon), model.reach[at],
               lasts.index(model.persistence[at]))
        for at, span in enumerate(months)
    ]  # fmt: skip
    for place, of in enumerate(tied(appraised)):
        group, name = model.group[of], labels_of(appraised)[model.outcomes[of]]
        profiles.append(
            Course(f"Together {place + 1}", f"Covariance of the effect on {name} and what is left",
                   months[group], model.together[of], model.reach[group], len(lasts) + place)
        )  # fmt: skip
    return profiles


def tied(appraised: Appraised) -> list[int]:
    """Return the places of effects that were estimated together with persistence."""
    return [int(at) for at in np.flatnonzero(appraised.model.tie)]


def _months(appraised: Appraised) -> list[int]:
    """Return the months measured of each profile."""
    months, group = appraised.valued.effects["months"], appraised.model.group
    return [int(months.iloc[int(np.flatnonzero(group == at)[0])])
            for at in range(len(appraised.model.reach))]  # fmt: skip
