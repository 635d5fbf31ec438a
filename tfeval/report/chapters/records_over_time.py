"""Chapter 5, second half: designs over time on linked records, beside chapter 4's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tfeval.display.figures import Chart
from tfeval.display.interval_charts import period_chart
from tfeval.display.names import SIMULATED
from tfeval.display.tables import Table, table
from tfeval.impact.effects.effects import Effects
from tfeval.impact.effects.words import HIDDEN, decimals, p_words, with_interval
from tfeval.impact.inference.rules import ESTIMATED
from tfeval.impact.panel.group_time import GroupTime
from tfeval.impact.panel.group_time_effects import GroupTimeEffects
from tfeval.impact.panel.panel import Panel
from tfeval.programme.outcomes import outcome_label

#: Fewer families than this in an arm, and nothing of them is shown.
_FEWEST = 10


def fits(design: GroupTime, panel: Panel) -> dict[str, GroupTimeEffects]:
    """Return the effects by group and period of each outcome of a panel.

    Parameters
    ----------
    design : GroupTime
    panel : Panel
    """
    return {name: design.fit(panel, name) for name in panel.outcomes}


def _shown(row: Any) -> bool:
    return row["status"] == ESTIMATED and min(row["n_treated"], row["n_comparison"]) >= _FEWEST


def _average(found: GroupTimeEffects) -> str:
    row = found.aggregate("overall").frame.iloc[0]
    if not _shown(row):
        return HIDDEN
    return _words(row, 1.0)


def _words(row: Any, share: float) -> str:
    value, low, high, error = (
        share * float(row[name]) for name in ("estimate", "conf_low", "conf_high", "std_error")
    )
    return with_interval(value, low, high, decimals(error))


def beside_table(found: dict[str, GroupTimeEffects], matched: Effects, months: int) -> Table:
    """Return the average effect by staggered entry beside that of matched families.

    Parameters
    ----------
    found : dict of str to GroupTimeEffects
        As from `fits`.
    matched : Effects
        Of chapter 4's design over a year.
    months : int
        In a period of the panel.
    """
    rows = matched.to_frame()
    share, shown = months / float(rows["months"].iloc[0]), []
    beside = {row["outcome"]: row for row in rows.to_dict("records")}
    for name, one in found.items():
        own = beside.get(name)
        shown.append({
            "Outcome": outcome_label(name),
            "By staggered entry": _average(one),
            "Trend before: p": p_words(float(one.pre_trend["p_value"])),
            "Matched families": None if own is None else _scaled(own, share),
        })  # fmt: skip
    simulated = any(one.simulated for one in found.values())
    return table(
        pd.DataFrame(shown),
        caption=f"Effect in a period of {months} months (95% interval), two designs on the same "
        "records",
        missing="not in it",
        notes=[
            *([SIMULATED] if simulated else []),
            "By staggered entry: families attached in the same period since they were identified, "
            "beside those not attached yet, change against change (Callaway and Sant'Anna 2021); "
            "errors by authority. Matched families: chapter 4's design over a year, its effect "
            "spread evenly over the periods. The first needs parallel trends, the second nothing "
            "unrecorded that matters; where they part, one of these is wrong.",
        ],
    )


def _scaled(row: Any, share: float) -> str:
    few = min(row["n_treated"], row["n_comparison"]) < _FEWEST
    return HIDDEN if few or not np.isfinite(row["std_error"]) else _words(row, share)


def entry_chart(found: dict[str, GroupTimeEffects], outcomes: tuple[str, ...]) -> Chart:
    """Draw effects by period from attachment, with bands that hold all periods at once.

    Parameters
    ----------
    found : dict of str to GroupTimeEffects
        As from `fits`.
    outcomes : tuple of str
        Which of them to draw.
    """
    panels, apart = {}, 0
    for name in outcomes:
        rows = found[name].aggregate("event").frame
        rows = rows[[_shown(row) for _, row in rows.iterrows()]]
        low, high = rows["band_low"].astype(float), rows["band_high"].astype(float)
        before = rows["event"].to_numpy(dtype=float) < 0
        apart += int(((low > 0) | (high < 0))[before].sum())
        panels[outcome_label(name)] = pd.DataFrame({
            "time": rows["event"].astype(int), "window": np.where(before, "pre", "post"),
            "estimate": rows["estimate"].astype(float), "conf_low": low, "conf_high": high,
        })  # fmt: skip
    mark = " (simulated records)" if any(one.simulated for one in found.values()) else ""
    return period_chart(
        panels, title=f"Effects by period from attachment{mark}",
        alt="Points with bands by period since attachment, for some outcomes. Bands before "
        f"attachment leave nought out in {apart} periods.",
    )  # fmt: skip
