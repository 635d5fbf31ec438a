"""Families of 152 authorities, and two ways to publish what is known of them.

`as_shown` is what pages do: counts under ten are hidden, others go to the nearest five, shares and
means stand with the digits that tables and records have. `released` is what a release lets out.
Both are lists of lines as a reader has them; attacks see nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tfeval.release.ledger import Ledger
from tfeval.release.released import release_cells
from tfeval.report.cells import Cells, Maker
from tfeval.report.chapters.group_cells import add_mean

REGIONS = {f"E{one:08d}": f"Region {one % 9}" for one in range(152)}


@dataclass(frozen=True)
class Line:
    """A published number, or that it is hidden."""

    number: str
    kind: str
    area: str
    parent: str
    base: str
    low: float
    high: float
    truth: float
    n: float

    @property
    def shown(self) -> bool:
        return np.isfinite(self.low)


def families(count: int = 14_000, seed: int = 1) -> pd.DataFrame:
    """Return families: one small authority in each region, rare and common outcomes, results."""
    rng = np.random.default_rng(seed)
    size = np.where(np.arange(len(REGIONS)) < 9, 0.25, rng.uniform(0.5, 2.0, len(REGIONS)))
    frame = pd.DataFrame({"family": [f"f{one}" for one in range(count)]})
    frame["area"] = rng.choice(list(REGIONS), count, p=size / size.sum())
    frame["custody"] = (rng.random(count) < 0.1).astype(float)
    frame["offences"] = rng.poisson(rng.gamma(0.5, 1.6, count)).astype(float)
    kind = rng.random(count)
    frame["behaviour"] = (kind < 0.35).astype(float)
    frame["employment"] = ((kind >= 0.35) & (kind < 0.46)).astype(float)
    frame["either"] = frame["behaviour"] + frame["employment"]
    return frame


def cells_of(
    frame: pd.DataFrame, *, areas: bool = True, regions: dict[str, str] = REGIONS
) -> Cells:
    """Return the cells of some families, one arm."""
    maker = Maker(frame["family"], frame["area"], regions)
    for level, area, parent, inside in maker.areas if areas else maker.areas[:1]:
        place = {"level": level, "area": area, "parent": parent, "arm": "treated", "months": 12}
        maker.count(inside, number="families", **place)
        for name in ("custody", "behaviour", "employment", "either"):
            maker.count(inside & (frame[name].to_numpy() == 1), inside, number=name, outcome=name,
                        base="families", **place,
                        within="either" if name in ("behaviour", "employment") else "")  # fmt: skip
        add_mean(maker, frame["offences"].to_numpy(), inside, "mean:offences",
                 np.ones(len(frame)), name="offences", **place)  # fmt: skip
    return maker.made()


def as_shown(cells: Cells) -> list[Line]:
    """Return what pages show, cell by cell: shares of three digits, means of six, of nobody none.

    A mean of noughts and ones stands in no row: the share says it.
    """
    lines, sizes = [], {}
    for row in cells.frame[cells.frame["n"] > 0].to_dict("records"):
        key = (row["area"], row["number"])
        sizes[key] = row["value"]
        if row["kind"] == "mean" and row["value"] * row["n"] == row["events"]:
            continue
        hidden = row["least"] < 10
        low = high = np.nan
        if not hidden and row["kind"] == "count":
            shown = 5 * round(row["value"] / 5)
            low, high = shown - 2.5, shown + 2.5
        elif not hidden:
            shown = round(row["value"], 6)
            low, high = shown - 5e-7, shown + 5e-7
        lines.append(Line(row["number"], row["kind"], row["area"], row["parent"], row["base"], low,
                          high, row["value"], row["n"]))  # fmt: skip
        if row["kind"] == "count" and row["base"] and not hidden:
            share = row["value"] / sizes[row["area"], row["base"]]
            lines.append(Line("share:" + row["number"], "share", row["area"], row["parent"],
                              row["base"], round(share, 3) - 5e-4, round(share, 3) + 5e-4, share,
                              row["n"]))  # fmt: skip
    return lines


def released(cells: Cells, ledger: Ledger) -> list[Line]:
    """Return what a release lets out."""
    lines = []
    for row in release_cells(cells, ledger).frame.to_dict("records"):
        half = 0.52 * row["unit"] if row["kind"] != "share" else 5e-4
        low, high = row["released"] - half, row["released"] + half
        lines.append(Line(row["number"], row["kind"], row["area"], row["parent"], row["base"], low,
                          high, row["exact"], row["n"]))  # fmt: skip
    return lines
