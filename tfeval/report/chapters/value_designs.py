"""Chapter 7: the effects of chapter 4's other choices, as they enter an appraisal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from tfeval.display.names import plain
from tfeval.impact.balance.verdict import NOT_BALANCED
from tfeval.impact.effects.effects import Effects
from tfeval.report.chapters.specifications import KEYS, UNWEIGHTED, repeats


def design_effects(rows: pd.DataFrame, main: Effects) -> dict[str, Effects]:
    """Return the effects under each specification, by its key.

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
    for key, part in _appraised(rows):
        if key in left:
            continue
        kept = ["outcome", "months", "estimand", "estimate", "std_error", "conf_low", "conf_high",
                "status"]  # fmt: skip
        frame = part[[column for column in kept if column in part]].reset_index(drop=True)
        held = correlation.reindex(index=frame["outcome"], columns=frame["outcome"]).fillna(0.0)
        together = held.to_numpy(copy=True)
        np.fill_diagonal(together, 1.0)
        error = frame["std_error"].to_numpy(dtype=float)
        found[key] = Effects(frame, together * np.outer(error, error), simulated=main.simulated)
    return found


def not_appraised(rows: pd.DataFrame) -> dict[str, str]:
    """Return the specifications that are no opinion of their own, by key, and why.

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
    labels = design_labels(rows)
    for key, part in _appraised(rows):
        twin = same.get(tuple(part.iloc[0][list(KEYS)]))
        if twin is not None:
            other = "chosen" if twin == _own(rows) else labels[_key(twin)]
            left[key] = f"The same estimates as {other}: no second opinion."
        if (part["outcome"] == "").any():
            left[key] = str(part["why"].iloc[0])
    return left


def design_labels(rows: pd.DataFrame) -> dict[str, str]:
    """Return the specifications in words, by key: what each changes, and where groups differ.

    Parameters
    ----------
    rows : DataFrame
        As chapter 4 records its specifications.
    """
    own, found = rows.iloc[0][list(KEYS)].tolist(), {}
    for key, part in _appraised(rows):
        keys = part.iloc[0][list(KEYS)].tolist()
        changed = [plain(value) for value, mine in zip(keys, own, strict=True) if value != mine]
        words = ", ".join(changed) or "as chosen"
        if keys[1] == UNWEIGHTED:
            words = "regression adjustment alone"
        alike = part["alike"].iloc[0] != NOT_BALANCED
        found[key] = words if alike else f"{words} (groups NOT ALIKE)"
    return found


def _appraised(rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the key and the rows of each specification that is one."""
    keys: Any
    for keys, part in rows.groupby(list(KEYS), sort=False):
        if keys[1:] != (UNWEIGHTED, "difference"):
            yield _key(keys), part


def chosen_key(rows: pd.DataFrame) -> str:
    """Return the key of the specification that the page is about."""
    return _key(_own(rows))


def _own(rows: pd.DataFrame) -> tuple[str, ...]:
    return tuple(rows.iloc[0][list(KEYS)])


def _key(keys: tuple[str, ...]) -> str:
    return "/".join(keys)
