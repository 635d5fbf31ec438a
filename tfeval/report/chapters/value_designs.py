"""Chapter 7: the effects of chapter 4's other choices, as they enter an appraisal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from tfeval.impact.effects.effects import Effects
from tfeval.report.chapters.specifications import KEYS, UNWEIGHTED, repeats

#: The specification that the page is about, among the others.
CHOSEN = "as chosen"


def design_effects(rows: pd.DataFrame, main: Effects) -> dict[str, Effects]:
    """Return the effects under each specification, by its name for readers.

    Parameters
    ----------
    rows : DataFrame
        As chapter 4 records its specifications; the first is the one chosen.
    main : Effects
        Of the chosen one: how outcomes vary together is taken from it.

    Notes
    -----
    The naive difference is what designs are for, and none of them: it is not appraised.
    """
    correlation = pd.DataFrame(
        main.correlation(), index=main.frame["outcome"], columns=main.frame["outcome"]
    )
    found, left = {}, not_appraised(rows)
    for name, part in _named_designs(rows):
        if name in left:
            continue
        kept = ["outcome", "months", "estimand", "estimate", "std_error", "conf_low", "conf_high",
                "status"]  # fmt: skip
        frame = part[[column for column in kept if column in part]].reset_index(drop=True)
        held = correlation.reindex(index=frame["outcome"], columns=frame["outcome"]).fillna(0.0)
        together = held.to_numpy(copy=True)
        np.fill_diagonal(together, 1.0)
        error = frame["std_error"].to_numpy(dtype=float)
        found[name] = Effects(frame, together * np.outer(error, error), simulated=main.simulated)
    return found


def not_appraised(rows: pd.DataFrame) -> dict[str, str]:
    """Return the specifications that are no opinion of their own, by name, and why.

    Parameters
    ----------
    rows : DataFrame
        As chapter 4 records its specifications.

    Returns
    -------
    dict of str to str
        Those without effects, and those whose estimates are an earlier one's again.
    """
    same, left = repeats(rows), {}
    for name, part in _named_designs(rows):
        twin = same.get(tuple(part.iloc[0][list(KEYS)]))
        if twin is not None:
            other = _name(twin, rows).removeprefix("as ")
            left[name] = f"The same estimates as {other}: no second opinion."
        if (part["outcome"] == "").any():
            left[name] = str(part["why"].iloc[0])
    return left


def _named_designs(rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the rows of each specification that is one, with its name for readers."""
    keys: Any
    for keys, part in rows.groupby(list(KEYS), sort=False):
        if not (keys[1] == UNWEIGHTED and keys[2] == "difference"):
            alike = part["alike"].iloc[0] != "not balanced"
            yield _name(keys, rows) + ("" if alike else " (groups NOT ALIKE)"), part


def _name(keys: tuple[str, ...], rows: pd.DataFrame) -> str:
    if keys[1] == UNWEIGHTED:
        return "regression adjustment alone"
    own = rows.iloc[0][list(KEYS)].tolist()
    changed = [str(value) for value, mine in zip(keys, own, strict=True) if value != mine]
    return ", ".join(changed).replace("_", " ") or CHOSEN
