"""Who would have met the programme's own tests anyway, from released cells: for chapter 6."""

from __future__ import annotations

from functools import lru_cache
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd

from tfeval.display import release_words as words
from tfeval.errors import DataError
from tfeval.impact.effects.effects import Effects
from tfeval.money.additional import results_of
from tfeval.programme.programmes import programmes
from tfeval.release.values import RESULTS_EFFECT, Numbers, chosen, effect_row
from tfeval.report.chapters.additional import Additional

CLAIMS = "06_claims_against_impact"
_GROUPS = ("treated", "comparison")


@lru_cache(maxsize=2)
def results_of_cells(numbers: Numbers) -> Additional:
    """Return what released cells say of the results claimed; of other readings, nothing.

    Parameters
    ----------
    numbers : Numbers

    Notes
    -----
    The interval of what is the programme's own takes the rate of similar families as known.
    """
    given = chosen(CLAIMS, numbers.about)
    name = programmes()[given["phase"]].result.name
    kept = {arm: numbers.value("results_compared", arm) for arm in _GROUPS}
    design = SimpleNamespace(
        study=SimpleNamespace(simulated=numbers.simulated), title=words.FROM_CELLS_SHORT,
        kept=lambda treated: kept[_GROUPS[0] if treated else _GROUPS[1]],
    )  # fmt: skip
    subject = (given["phase"], numbers.horizon, cast(Any, None), cast(Any, design))
    judged = tuple(numbers.value(f"results_judged:{name}", arm) / kept[arm] for arm in _GROUPS)
    claimed = numbers.value("share:results_claimed", "treated")
    effects = _effects(numbers, name)
    if effects is None or not np.isfinite([claimed, *judged]).all():
        return Additional(*subject, None, None, words.RESULTS_HIDDEN)
    try:
        results = results_of(effects, claimed)
    except DataError as fault:
        return Additional(*subject, None, None, str(fault))
    shares = (min(judged[0], 1.0), min(judged[1], 1.0))
    return Additional(*subject, effects, results, judged=shares)


def _effects(numbers: Numbers, name: str) -> Effects | None:
    own = numbers.of("effect")
    own = own[own["number"].str.startswith(f"{RESULTS_EFFECT}{name}:")]
    if own.empty:
        return None
    row = own.to_dict("records")[0]
    design = str(row["number"]).split(":")[2]
    mean = {arm: _mean(numbers, f"results_met:{name}", design, arm) for arm in _GROUPS}
    if not np.isfinite([*mean.values()]).all():
        return None
    made = effect_row(numbers, row, mean) | {"clusters": np.nan, "errors": words.RELEASED}
    frame = pd.DataFrame([made])
    return Effects(frame, frame[["std_error"]].to_numpy(dtype=float) ** 2,
                   settings={"who": "families"}, simulated=numbers.simulated)  # fmt: skip


def _mean(numbers: Numbers, number: str, design: str, arm: str) -> float:
    """Return a group's share: weighted where its families weigh differently."""
    own = numbers.value(f"mean:{number}:{design}", arm)
    return own if np.isfinite(own) else numbers.value(f"share:{number}", arm)
