"""How many authorities effects and values by authority are of, and why others are not."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from tfeval.display.names import SIMULATED
from tfeval.display.tables import Table, table
from tfeval.impact.effects.areas import AreaEffects
from tfeval.money.area_values import AreaAppraisals
from tfeval.programme.outcomes import outcome_label
from tfeval.report.chapters.areas import is_simulated, left_out, read_areas, why_not
from tfeval.report.record import Records


def effects_table(pooled: Mapping[str, AreaEffects]) -> Table:
    """Return how many authorities the effects by authority are of, an outcome a row.

    Parameters
    ----------
    pooled : mapping of str to AreaEffects
        As from `areas.areas` or `areas.read_areas`.
    """
    rows: list[tuple[str, str, str, str, str]] = []
    for name, found in pooled.items():
        hidden = int(found.frame["hidden"].astype(bool).sum())
        shown, out = len(found.frame) - hidden, len(left_out(found))
        rows.append((outcome_label(name), f"{shown}", f"{hidden}", f"{out}", ""))
    rows += [(outcome_label(name), "none", "none", "none", why)
             for name, why in why_not(pooled).items()]  # fmt: skip
    columns = ["Outcome", "Shown", "Too small to show", "Left out", "Why none"]
    frame = pd.DataFrame(rows, columns=columns)
    if not why_not(pooled):
        frame = frame.drop(columns="Why none")
    return table(
        frame, caption="Which authorities count, of those with families of both groups", missing="",
        notes=[f"{SIMULATED}."] * is_simulated(pooled) + [
            "Shown and too small to show: they count in the mean, the ranks and what draws the "
            "others. Left out: no estimate, or no error that holds, since too few families, or too "
            "few with the outcome, are in one group; they are in no mean and have no rank.",
        ],
    )  # fmt: skip


def values_table(impact: Records, worth: AreaAppraisals | str) -> Table:
    """Return how many authorities are valued and ranked, and how many are not, with the reason.

    Parameters
    ----------
    impact : Records
        Of chapter 4.
    worth : AreaAppraisals or str
        As from `value_tables.area_values`.
    """
    hidden, left = _not_counted(impact)
    names = set() if isinstance(worth, str) else set(worth.frame["name"])
    small = {name for held in hidden.values() for name in held} - names
    out = {name for held in left.values() for name in held} - names - small
    rows = [
        ("Valued, and ranked among each other", len(names), "" if names else str(worth)),
        ("Too small to show", len(small), "On at least one outcome fewer than ten families, or "
         "fewer than ten with it or without: they count in chapter 4, and are not here"),
        ("Left out", len(out), "On at least one outcome no estimate, or no error that holds: "
         "too few families, or too few with the outcome"),
    ]  # fmt: skip
    return table(
        pd.DataFrame(rows, columns=["Authorities", "Number", "Why"]),
        caption="Which authorities count, of those with families of both groups",
        notes=[f"{SIMULATED}."] * bool(impact["simulated"].value), missing="",
    )  # fmt: skip


def _not_counted(impact: Records) -> tuple[dict[str, list[str]], dict[str, tuple[str, ...]]]:
    """Return, by outcome, the authorities that are too small to show and those left out."""
    pooled = read_areas(impact)
    hidden = {
        name: [str(one) for one in held.frame.loc[held.frame["hidden"], "name"]]
        for name, held in pooled.items()
    }
    return hidden, {name: left_out(held) for name, held in pooled.items()}
