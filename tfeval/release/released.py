"""From exact cells to numbers that may leave: rounded by key, hidden, or said as before."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from tfeval.display.tables import THRESHOLD
from tfeval.release.hiding import Bound, Reach, hide_more
from tfeval.release.keys import (
    COUNT_UNIT,
    MOVED,
    PROTECTED,
    cell_key,
    digits_of,
    noise,
    record_keys,
    rounded,
    unit_of,
)
from tfeval.release.ledger import Ledger
from tfeval.report.cells import Cells

#: Why a cell is hidden.
SMALL, NO_UNIT, SECONDARY, APART = "small", "no_unit", "secondary", "apart"
#: Standard errors to either side of a 95% interval.
_WIDE = 1.96


@dataclass(frozen=True, eq=False)
class Released:
    """Numbers that may leave, beside what they were made from: for those inside.

    Attributes
    ----------
    frame : DataFrame
        The cells, with `released`, `unit`, `released_error`, `shown`, `reason` ("" where shown),
        `apart` (by how many families an earlier release differs whose number stands here; 0 for
        the same families, -1 where the number is new), and `exact`. Shares are made here, from
        released counts.
    reached : tuple of Reach
        How near a reader of all that is shown comes to each number of fewer than ten.
    simulated : bool
    """

    frame: pd.DataFrame
    reached: tuple[Reach, ...] = field(default=())
    simulated: bool = False

    def of(self, scope: str) -> Released:
        """Return what is of one report."""
        return replace(self, frame=self.frame[self.frame["scope"] == scope])


def release_cells(cells: Cells, ledger: Ledger) -> Released:
    """Return what may leave of some cells.

    Parameters
    ----------
    cells : Cells
        Of all pages together.
    ledger : Ledger
        What left before; what leaves now is added, and kept when the ledger is saved.

    Notes
    -----
    First what rests on fewer than ten is hidden; then numbers are rounded by their key, or said as
    they were said of the same families or of all but nine, before or in another of these cells;
    then more is hidden until linear programming finds no hidden number to within its unit.
    """
    keys = record_keys(cells.families, ledger.key)
    sets = [np.sort(keys[cells.rows_of(place)]) for place in range(len(cells.starts) - 1)]
    frame = cells.frame.copy()
    frame["set"] = np.array(_first_alike(sets))[frame["set"]]
    scope = frame["scope"] if "scope" in frame else pd.Series("", index=frame.index)
    frame["when"] = scope + "|" + frame["months"].astype(str)
    frame["exact"] = frame["value"]
    frame["unit_of"] = frame["unit"]
    frame["sensitive"] = frame["least"] < THRESHOLD
    moved = (frame[name] for name in ("largest", "drop", "tenth"))
    units = [unit_of(*pulls) for pulls in zip(*moved, strict=True)]
    counts = frame["kind"].eq("count")
    frame["unit"] = np.where(counts, float(COUNT_UNIT), units)
    frame["need"] = _needs(frame)
    frame["guarded"] = frame["kind"].eq("count") & frame["outcome"].ne("")
    frame["lacking"] = _lacking(frame)
    no_unit = frame["unit"].isna()
    frame["shown"] = ~frame["sensitive"] & ~no_unit
    frame["reason"] = np.where(frame["sensitive"], SMALL, np.where(no_unit, NO_UNIT, ""))
    fresh = _say(frame, sets, ledger)
    frame["same"] = copies(frame)
    behind = counts_behind(frame, sets)
    frame["at_least"] = _at_least(frame, behind)
    more, reached = hide_more(frame, *across(frame, sets), behind)
    frame.loc[more, "reason"] = SECONDARY
    frame["shown"] &= ~more
    for place, said in fresh.items():
        if not frame["shown"].iloc[place]:
            ledger.untell(said)
    hidden = ~frame["shown"]
    frame.loc[hidden, ["released", "released_error"]] = np.nan
    simulated = bool(cells.about.get("simulated", False))
    return Released(_with_shares(frame), tuple(reached), simulated)


def across(
    frame: pd.DataFrame, sets: list[np.ndarray]
) -> tuple[list[Bound], list[tuple[int, int]]]:
    """Return what holds between counts of one number and area in several reports and horizons.

    Whose families lie within whose, and which two make up a third, is seen from the sets: those
    with an offence in 6 months are among those with one in 12, two phases make up the whole, and
    chapter 4 compares some of those that chapter 2 follows.
    """
    bounds: list[Bound] = []
    apart: list[tuple[int, int]] = []
    counts = frame[frame["kind"] == "count"]
    if "same" in frame:
        counts = counts[counts["same"] == counts.index]
    alike = counts["number"].map({one: _alike(one) for one in counts["number"].unique()})
    for rows in counts.groupby([alike, "arm", "area"], sort=False).indices.values():
        places = sorted((int(counts.index[row]) for row in rows),
                      key=lambda place: float(frame["exact"].iloc[place]))  # fmt: skip
        own = {place: sets[frame["set"].iloc[place]] for place in places} if len(places) > 1 else {}
        within = [(a, b) for a, b in combinations(own, 2)
                  if np.isin(own[a], own[b], assume_unique=True).all()]  # fmt: skip
        bounds += [({a: 1.0, b: -1.0}, 0.0) for a, b in within]
        apart += [(a, b) for a, b in within if 0 < len(own[b]) - len(own[a]) < THRESHOLD]
        for (a, whole), (b, same) in combinations(within, 2):
            if whole == same and len(own[a]) + len(own[b]) == len(own[whole]) == len(
                np.union1d(own[a], own[b])
            ):
                bounds += [({whole: sign, a: -sign, b: -sign}, 0.0) for sign in (1.0, -1.0)]
    return bounds, apart


def _first_alike(sets: list[np.ndarray]) -> list[int]:
    """Return of each set the place of the first that has the same families."""
    first: dict[bytes, int] = {}
    return [first.setdefault(one.tobytes(), place) for place, one in enumerate(sets)]


def _alike(number: str) -> str:
    """Return what a count has in common with those of other chapters that it may lie within.

    Examples
    --------
    >>> _alike("compared"), _alike("known:after:offences"), _alike("results_judged:turned_around")
    ('families', 'known:offences', 'judged:turned_around')
    """
    name = number.replace(":after:", ":").replace("results_met:", "result:")
    name = name.removeprefix("results_")
    return "families" if name == "compared" else name


def copies(frame: pd.DataFrame) -> np.ndarray:
    """Return of each row the first that is the same number of the same families, or its own place.

    Where a parameter changes nothing of a chapter, two reports have all its counts alike; and what
    is true of one is true of the other. A number counts only with those that it rests on.
    """
    same = np.arange(len(frame))
    counts = frame[frame["kind"] == "count"]
    own = counts[["area", "set", "shown", "sensitive", "released"]].fillna(-1.0)
    looks = own.astype(str).agg("|".join, axis=1)
    at = ["number", "months", "arm"]
    trees = {key: (tuple(looks.loc[rows.index]), rows) for key, rows in
             counts.groupby([*at, "when"], sort=False)}  # fmt: skip
    first: dict[Any, Any] = {}
    twins = {key: first.setdefault((key[:3], look), key) for key, (look, _) in trees.items()}
    while True:
        lone = [key for key, twin in twins.items() if twin != key and any(
            twins.get((name, *key[1:])) != twins.get((name, *twin[1:]))
            for name in {*trees[key][1]["base"], *trees[key][1]["within"]} - {""})]  # fmt: skip
        if not lone:
            break
        twins |= {key: key for key in lone}
    for key, twin in twins.items():
        same[trees[key][1].index] = trees[twin][1].index
    return same


def counts_behind(frame: pd.DataFrame, sets: list[np.ndarray]) -> dict[int, list[int]]:
    """Return the rows of the counts that each mean and effect says something of.

    Of a mean those whose outcome is known and those with it; of an effect those of both groups,
    but where ten or more of those compared live elsewhere: then it says nothing of the area's.
    """
    at = ["when", "area", "arm"]
    counts = frame[frame["kind"] == "count"]
    rows = dict(zip(zip(counts["number"], *(counts[one] for one in at), strict=True), counts.index,
                    strict=True))  # fmt: skip
    guarded = counts.loc[counts["guarded"], ["number", "base"]].astype(str).drop_duplicates()
    names = {number: (number, base) for number, base in guarded.itertuples(index=False)}
    whose = frame["set"].to_numpy()
    behind = {}
    made = frame[frame["kind"].isin(["mean", "effect"])]
    for row, number, when, area, arm in made[["number", *at]].itertuples():
        kind, *parts = number.split(":")
        start = "results_met" if kind.startswith("results") else "with"
        tries = (":".join(parts[:2]), f"{start}:{':'.join(parts[:2])}", f"{start}:{parts[0]}")
        own = next((names[one] for one in tries if one in names), ())
        arms = ("treated", "comparison") if arm == "both" else (arm,)
        keys = [(one, when, area, which) for one in own for which in arms]
        behind[int(row)] = [int(rows[key]) for key in keys if key in rows]
        inside = [sets[whose[one]] for one in behind[int(row)]]
        if arm == "both" and inside:
            elsewhere = np.isin(sets[whose[row]], np.concatenate(inside), invert=True).sum()
            if elsewhere >= THRESHOLD:
                behind[int(row)] = [int(rows[key]) for key in keys
                                    if key in rows and key[-1] == "treated"]  # fmt: skip
    return behind


def _at_least(frame: pd.DataFrame, behind: Mapping[int, list[int]]) -> np.ndarray:
    """Return what each count is at least, as a mean or an effect says that is shown."""
    shown = frame["shown"].to_numpy(dtype=bool)
    counts = [count for row, rows in behind.items() if shown[row] for count in rows]
    return np.isin(np.arange(len(frame)), counts) * float(THRESHOLD)


def _lacking(frame: pd.DataFrame) -> np.ndarray:
    """Return how many of a whole have none of its parts, in any area at most; NaN from ten on.

    That parts all but make up their whole is what a reader may guess, and is not told.
    """
    at = ["when", "arm", "area"]
    parts = frame[frame["kind"].eq("count") & frame["within"].ne("")]
    wholes = frame[frame["number"].isin(set(parts["within"]))].set_index(["number", *at])["exact"]
    sums = parts.groupby(["within", *at])["exact"].sum()
    gaps = (wholes.reindex(sums.index.set_names(["number", *at])).to_numpy() - sums).abs()
    most = gaps.groupby(level=0).max()
    few = {str(name): gap for name, gap in most.items() if gap < THRESHOLD}
    return frame["within"].map(few).to_numpy(dtype=float)


def _needs(frame: pd.DataFrame) -> np.ndarray:
    """Return how far apart the least and the most of each number must lie, were it hidden.

    Of a count by its unit; of a mean or an effect by a few times its largest contribution. Where
    all families are alike there is none: then by that of the area around.
    """
    own = frame["largest"].to_numpy(dtype=float).copy()
    at = frame["number"] + "|" + frame["when"] + "|" + frame["arm"] + "|"
    largest = pd.Series(own, index=at + frame["area"])
    around = largest[~largest.index.duplicated()].reindex(at + frame["parent"]).to_numpy()
    plain = np.maximum(np.abs(np.nan_to_num(frame["exact"].to_numpy(dtype=float))), 1.0)
    own = np.where(own > 0, own, np.where(np.nan_to_num(around) > 0, around, plain))
    return np.where(frame["kind"] == "count", float(COUNT_UNIT), PROTECTED * own)


def _number(row: Mapping[Any, Any]) -> str:
    """Return a number's name in the ledger: all counts of families have one."""
    return "count" if row["kind"] == "count" else f"{row['number']}:{row['months']}:{row['arm']}"


def _say(frame: pd.DataFrame, sets: list[np.ndarray], ledger: Ledger) -> dict[int, dict[str, Any]]:
    """Add the numbers that are said; return those that the ledger does not have.

    A number that was hidden as of few families stays hidden, and one that was told stays told,
    until ten families are others: what appears, or goes, between two editions one family apart
    would tell that it was nine.
    """
    released = np.full(len(frame), np.nan)
    errors, apart = released.copy(), np.full(len(frame), -1)
    units = frame["unit"].to_numpy(dtype=float).copy()
    fresh: dict[int, dict[str, Any]] = {}
    reasons = frame["reason"].tolist()
    rows = frame[_SAID_OF].to_dict("records")
    # Those of few first: another report of this release may have one family more.
    for place in map(int, np.argsort(frame["reason"] != SMALL, kind="stable")):
        if reasons[place] == NO_UNIT:
            continue
        row = rows[place]
        said, reasons[place] = _answer(row, sets[row["set"]], reasons[place] == SMALL, ledger)
        if said is not None and said.get("new"):
            fresh[place] = said
        elif said is not None:
            apart[place] = said["apart"]
        if said is not None and not reasons[place]:
            released[place], units[place] = said["released"], said["unit"]
            errors[place] = np.nan if said["error"] is None else said["error"]
    frame["released"], frame["released_error"], frame["unit"] = released, errors, units
    frame["apart"], frame["reason"] = apart, reasons
    frame["shown"] = frame["reason"].eq("")
    return fresh


def _answer(
    row: Mapping[Any, Any], families: np.ndarray, small: bool, ledger: Ledger
) -> tuple[dict[str, Any] | None, str]:
    """Return what is said of a cell, and why it is hidden, if it is."""
    number = _number(row)
    cell = "|".join(str(row[name]) for name in ("number", "months", "arm", "area"))
    before = ledger.stays(cell, families)
    if small:
        if before is None or before["few"] or before["released"] is None:
            ledger.add(number, families, {**dict.fromkeys(_TOLD), "cell": cell, "few": True})
            return None, SMALL
        return before, ""
    if before is not None and before["few"]:
        return None, SECONDARY
    said = ledger.answer(number, families)
    if said is None or said.get("new"):  # as another cell of these families, or all but a few
        made = _fresh(row, families, ledger.key) | {"cell": cell}
        near = {name: said[name] for name in _TOLD} if said else {}
        said = ledger.add(number, families, made | near)
        if ledger.isolates(made["group"], families):
            ledger.untell(said)
            return said, APART
    # What was hidden for the sake of others stays so: they may have been told since.
    return said, SECONDARY if said["released"] is None else ""


#: What of a cell its number is made from.
_SAID_OF = ["kind", "number", "outcome", "months", "arm", "area", "within", "set", "exact",
            "error", "error_drop", "unit"]  # fmt: skip
_TOLD = ("released", "unit", "error")


def _fresh(row: Mapping[Any, Any], families: np.ndarray, key: bytes) -> dict[str, Any]:
    cell, unit = cell_key(families), float(row["unit"])
    # The same of the same families under another design is the same number.
    named = "count" if row["kind"] == "count" else f"{row['kind']}:{row['outcome']}"
    released = rounded(float(row["exact"]), unit, noise(named, cell, key))
    error: float | None = None
    if np.isfinite(row["error"]) and row["error_drop"] > 0:
        step = 2.0 ** math.ceil(math.log2(row["error_drop"] / MOVED))
        # Rounding is an error too: evenly spread over a unit.
        whole = math.hypot(row["error"], unit / math.sqrt(12))
        error = rounded(whole, step, noise(f"error:{named}", cell, key)) or step
    group = row["within"] or row["number"]
    return {"released": released, "unit": unit, "error": error, "group": f"{group}:{row['arm']}"}


def _with_shares(frame: pd.DataFrame) -> pd.DataFrame:
    """Add the shares that released counts make: whoever has the two counts has the share."""
    at = ["number", "when", "arm", "area"]
    shown = frame[frame["shown"] & frame["kind"].eq("count")].drop_duplicates(at)
    bases = shown.set_index(at)["released"]
    parts = shown[shown["guarded"]]
    base = [bases.get(key, np.nan) for key in zip(parts["base"], parts["when"], parts["arm"],
                                                  parts["area"], strict=True)]  # fmt: skip
    shares = parts.assign(
        kind="share", number="share:" + parts["number"], unit_of="share", guarded=False,
        released=np.round(np.minimum(parts["released"] / base, 1.0), 3), released_error=np.nan,
        unit=COUNT_UNIT / np.maximum(np.array(base) - COUNT_UNIT, COUNT_UNIT), sensitive=False,
        within="", exact=np.nan,
    )  # fmt: skip
    shares = shares[shares["released"].notna()]
    return pd.concat([frame, shares], ignore_index=True)


def printed(value: float, unit: float, kind: str) -> str:
    """Write a released number with the digits that it has, and no more.

    Examples
    --------
    >>> printed(1230.0, 10.0, "count"), printed(0.4, 0.1, "share"), printed(-0.28125, 2**-5, "mean")
    ('1230', '0.400', '-0.28')
    """
    if math.isnan(value):
        return ""
    digits = 3 if kind == "share" else digits_of(unit)
    return f"{round(value, digits) + 0.0:.{digits}f}"


def ends(value: float, error: float) -> tuple[float, float]:
    """Return the ends of a 95% interval, from released numbers alone."""
    return value - _WIDE * error, value + _WIDE * error
