"""England's authorities as tiles of one size, each as near as can be to where it lies."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tfeval.programme.claims import authorities
from tfeval.programme.published import published
from tfeval.settings import once

#: Tiles across and down: England is about five degrees of latitude high and four as wide.
ACROSS, DOWN = 14, 17
_MIDDLE = 53.0  # latitude, in degrees, at which a degree of longitude is measured


@once
def tiles() -> pd.DataFrame:
    """Return where each of the 152 authorities stands in a map of tiles.

    Returns
    -------
    DataFrame
        `code`, `name`, `short` (three letters, each once), `row` (0 in the north), `column` (0 in
        the west).

    Notes
    -----
    A tile for each, so that the squared distances between the authorities' centres and their
    tiles are least in all: an assignment, solved exactly (Crouse 2016, "On implementing 2D
    rectangular assignment algorithms", IEEE Trans. Aerosp. Electron. Syst. 52(4)). Centres are
    those of `data/published/area_facts.csv`.

    Examples
    --------
    >>> made = tiles().set_index("name")
    >>> bool(made.loc["Northumberland", "row"] < made.loc["Kent", "row"])
    True
    """
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415

    facts = published("area_facts").set_index("code")
    named = authorities()
    frame = pd.DataFrame({"code": list(named), "name": list(named.values())})
    place = facts.loc[frame["code"], ["longitude", "latitude"]].to_numpy(dtype=float)
    east = place[:, 0] * np.cos(np.radians(_MIDDLE))
    across = (east - east.min()) / np.ptp(east) * (ACROSS - 1)
    down = (place[:, 1].max() - place[:, 1]) / np.ptp(place[:, 1]) * (DOWN - 1)
    row, column = (one.ravel() for one in np.mgrid[:DOWN, :ACROSS])
    far = (across[:, None] - column) ** 2 + (down[:, None] - row) ** 2
    _, tile = linear_sum_assignment(far)
    return frame.assign(short=_short(frame["name"].tolist()), row=row[tile], column=column[tile])


def _short(names: list[str]) -> list[str]:
    """Return three letters for each name, the first that no name before has.

    Examples
    --------
    >>> _short(["Bradford", "Bracknell Forest", "Brent"])
    ['Bra', 'Brc', 'Bre']
    """
    taken: list[str] = []
    for name in names:
        letters = [one for one in name if one.isalpha()]
        tries = [letters[0] + (letters[i] + letters[j]).lower()
                 for i in range(1, len(letters)) for j in range(i + 1, len(letters))]  # fmt: skip
        taken.append(next(one for one in tries if one not in taken))
    return taken
