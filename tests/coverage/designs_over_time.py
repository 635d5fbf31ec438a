"""How designs over time fare where all that they assume holds, and where one assumption is broken.

Simulates worlds with a known effect, estimates by each design, looks at the design's own
diagnostic, and writes data/audit/designs_over_time.csv and a sample of its draws beside it:

    python tests/coverage/designs_over_time.py
    python tests/coverage/designs_over_time.py --only synthetic --keep FOLDER

It takes ten minutes of one processor at most. With --keep each cell is kept in a folder, and a run
goes on where it stopped. The seed of a draw follows from the seed, the name of its world and its
number.

One row a design and world. `bias` is in standard deviations of the outcome without the programme;
`coverage` is of nominal 95% intervals (of a permutation test, how often it does not refuse the
truth); `flagged` how often the design's own diagnostic says that something is wrong, by its usual
rule (`RULES`), and the columns after `verdict` how often each check does; `misled` how often the
interval leaves the truth out and nothing is flagged. `verdict` is "holds" where intervals hold the
truth in 90% of draws or more; else "seen" where a quarter more draws are flagged than in the
design's clean world, and either more than half of all or whatever would mislead but 5%; else
"silent"; or "refused" where most draws have no interval.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd
import worlds_over_time as worlds
from threadpoolctl import threadpool_limits
from worlds_over_time import DOSE, OUTCOME, Drawn

import tfeval as tf
from tfeval.errors import TfevalError
from tfeval.impact.panel.two_way_weights import KINDS
from tfeval.settings import project_folder

SEED = 20
FOLDER = project_folder("data") / "audit"
TABLE, SAMPLE = "designs_over_time.csv", "designs_over_time_draws.csv"
#: Draws of each cell that the sample has.
SAMPLED = 1
LEVEL = 0.05
#: What a check has to say for its flag, where a reader has to know.
RULES = {
    "pre_trend": "p below 0.05 in the joint test of coefficients before",
    "bounds": "nought within the bounds: with steps as large as the largest before, or any line",
    "checks": "any check failed at p below 0.05, corrected over all rows of all checks",
    "fit": "poor fit before, most of the weight on one unit, or the sign turns without one unit",
    "strength": "nought within the interval, were something unmeasured like the strongest need",
}


@dataclass(frozen=True)
class Outcome:
    """What one draw gave: an estimate, whether its interval holds the truth, and what flagged."""

    estimate: float
    low: float
    high: float
    flags: dict[str, bool] = field(default_factory=dict)


@dataclass(frozen=True)
class Cell:
    """A design in a world."""

    design: str
    world: str
    draw: partial[Drawn]
    fit: Callable[[Drawn], Outcome]
    draws: int

    def run(self, number: int) -> dict[str, Any]:
        """Return one draw."""
        # Designs that share a world's function and name share its draws.
        name = f"{self.draw.func.__name__}/{self.world}"
        drawn = self.draw(np.random.default_rng([SEED, crc32(name.encode()), number]))
        row = {"design": self.design, "world": self.world, "draw": number, "truth": drawn.truth}
        try:
            found = self.fit(drawn)
        except TfevalError:
            found = Outcome(np.nan, np.nan, np.nan)
        return row | {"estimate": found.estimate, "conf_low": found.low, "conf_high": found.high,
                      **found.flags}  # fmt: skip


# ------------------------------------------------------------------ designs


def _event(drawn: Drawn, *, cluster: str | None = None) -> Outcome:
    design = tf.event_study("dose", **DOSE, cluster=cluster)
    found = design.fit(drawn.data, OUTCOME)
    return Outcome(found.estimate, found.conf_low, found.conf_high,
                   {"pre_trend": found.pre_trend.p_value < LEVEL})  # fmt: skip


def _permuted(drawn: Drawn) -> Outcome:
    """Return whether permuted doses refuse the truth, as an interval that is all or nothing."""
    panel = drawn.data
    after = np.isin(panel.times, DOSE["post"])
    rest = panel.outcome(OUTCOME) - np.outer(panel.column("dose") * drawn.truth, after)
    design = tf.event_study("dose", **DOSE)
    moved = tf.Panel(panel.units, panel.times, {OUTCOME: rest}, panel.fixed)
    found = tf.randomise(design, moved, OUTCOME, draws=199)
    estimate = found.observed + drawn.truth
    reach = np.inf if found.p_value > LEVEL else 0.0
    flags = {"pre_trend": design.fit(panel, OUTCOME).pre_trend.p_value < LEVEL}
    return Outcome(estimate, estimate - reach, estimate + reach, flags)


def _bounded(drawn: Drawn, *, restriction: str, multiple: float) -> Outcome:
    found = tf.event_study("dose", **DOSE).fit(drawn.data, OUTCOME)
    coefficients = found.coefficients.set_index("time")["estimate"].drop(DOSE["base"])
    times = [int(one) for one in coefficients.index]
    bounds = tf.trend_bounds(
        coefficients, found.covariance, times=times, base=DOSE["base"],
        pre=[one for one in times if one < DOSE["base"]], post=DOSE["post"],
        restriction=restriction, multiples=[multiple],
    )  # fmt: skip
    row = bounds.frame.iloc[0]
    return Outcome(bounds.estimate, row["conf_low"], row["conf_high"],
                   {"bounds": not row["excludes_zero"]})  # fmt: skip


def _two_way(drawn: Drawn) -> Outcome:
    """Return the one coefficient of being treated, with unit and period effects (balanced)."""
    panel = drawn.data
    first, values = panel.column("first"), panel.outcome(OUTCOME)
    on = (panel.times >= np.where(np.isnan(first), np.inf, first)[:, None]).astype(float)

    def within(held: np.ndarray) -> np.ndarray:
        return held - held.mean(axis=1, keepdims=True) - held.mean(axis=0) + held.mean()

    d, y = within(on), within(values)
    slope = float((d * y).sum() / (d**2).sum())
    scores = (d * (y - slope * d)).sum(axis=1)
    count = len(scores)
    error = np.sqrt((scores**2).sum() * count / (count - 1)) / (d**2).sum()
    return Outcome(slope, slope - 1.98 * error, slope + 1.98 * error)


def _group_time(drawn: Drawn, *, cluster: str | None = None) -> Outcome:
    design = tf.group_time("first", aggregate="overall", cluster=cluster, draws=99)
    row = tf.estimate(design, drawn.data).to_frame().iloc[0]
    before = design.fit(drawn.data, OUTCOME).pre_trend
    return Outcome(row["estimate"], row["conf_low"], row["conf_high"],
                   {"pre_trend": bool(before["p_value"] < LEVEL)})  # fmt: skip


def _synthetic(drawn: Drawn, *, kind: str, missing: str = "refuse") -> Outcome:
    design = tf.synthetic("treated", first=2013, kind=kind, draws=50, missing=missing)
    found = design.fit(drawn.data, OUTCOME)
    told = found.diagnostic().iloc[0]
    checks = ("poor_fit", "one_unit", "changes_sign")
    return Outcome(found.estimate, found.conf_low, found.conf_high,
                   {name: bool(told[name]) for name in checks})  # fmt: skip


#: The checks that a threshold of each kind has.
THRESHOLDS = {
    "continuous": ("density", "covariates", "placebo_cutoffs", "donut", "bandwidths"),
    "adjacent": ("heap", "covariates", "placebo_cutoffs"),
    "honest": ("heap", "covariates", "curvature", "placebo_cutoffs", "bandwidths"),
}


def _threshold(drawn: Drawn, *, kind: str) -> Outcome:
    frame, score = drawn.data, kind == "continuous"
    # The bound is what the world without fault keeps to, exactly.
    design = tf.threshold(
        frame, "running", 0 if score else 3, covariates="z", discrete=kind, draws=99,
        curvature=0.1 if kind == "honest" else None,
    )  # fmt: skip
    row = tf.estimate(design, frame[OUTCOME]).to_frame().iloc[0]
    # Counts of criteria are even but for chance: a tenth is allowed for.
    checks = design.diagnostic(frame[OUTCOME], frequencies=None if score else 0.1)
    flags = {name: name in checks.failed for name in THRESHOLDS[kind]}
    return Outcome(row["estimate"], row["conf_low"], row["conf_high"], flags)


def _support(drawn: Drawn, *, cluster: str | None = None) -> Outcome:
    frame = drawn.data
    design = tf.support_dose(
        frame, "months", covariates=["need_1", "need_2", "need_3"], cluster=cluster
    )
    row = tf.estimate(design, frame[OUTCOME]).to_frame().iloc[0]
    told = design.diagnostic(frame[OUTCOME], times=1).dropna(subset="estimate")
    reaches_nought = (told["conf_low"] <= 0) & (told["conf_high"] >= 0)
    return Outcome(row["estimate"], row["conf_low"], row["conf_high"],
                   {"strength": bool(reaches_nought.any())})  # fmt: skip


# ------------------------------------------------------------------ every design in its worlds

_MISSING = {"suppressed": True}
_DOSES: dict[str, dict[str, Any]] = {
    "clean": {}, "trend": {"trend": 0.1}, "small_trend": {"trend": 0.03},
    "break": {"step": 0.2}, "anticipation": {"early": 0.75}, "gain": {"gain": 0.05},
    "spread": {"spread": 2.0}, "spill": {"spill": 0.5}, "missing": _MISSING,
}  # fmt: skip
_CLUSTERED = {"clusters": {"clusters": 12}}
_ENTRANTS: dict[str, dict[str, Any]] = {
    "clean": {}, "differ": {"alike": False}, "trend": {"trend": 0.24},
    "small_trend": {"trend": 0.08}, "break": {"step": 0.3}, "anticipation": {"early": 0.75},
    "dip": {"dip": -0.5}, "spill": {"spill": 0.5}, "missing": _MISSING,
}  # fmt: skip
_AREAS: dict[str, dict[str, Any]] = {
    "clean": {}, "factor": {"factor": 2.0, "load": 0.4}, "outside": {"factor": 1.0, "load": 2.0},
    "above": {"above": 4.0}, "break": {"step": 0.5}, "anticipation": {"early": 0.75},
    "spill": {"spill": 0.5}, "louder": {"louder": 2.5}, "one_treated": {"treated": 1},
}  # fmt: skip
_SCORED: dict[str, dict[str, Any]] = {
    "clean": {}, "moved": {"moved": 0.6}, "other": {"other": 0.75}, "rule": {"rule": 0.4},
    "wave": {"wave": 0.5}, "spill": {"spill": 0.5}, "missing": _MISSING,
}  # fmt: skip
_COUNTED: dict[str, dict[str, Any]] = {
    "clean": {}, "moved": {"moved": 0.5}, "other": {"other": 0.75}, "rule": {"rule": 0.4},
}  # fmt: skip
_SUPPORTED: dict[str, dict[str, Any]] = {
    "clean": {}, "hidden": {"hidden": 1.0}, "much_hidden": {"hidden": 3.0},
    "curved": {"bent": 0.5}, "leaves": {"leaves": 0.3}, "gain": {"gain": -0.01},
    "missing": _MISSING,
}  # fmt: skip


def cells() -> list[Cell]:
    """Return every design in every one of its worlds."""
    found = list[Cell]()

    def add(
        design: str, draw: Callable[..., Drawn], fit: Callable[[Drawn], Outcome], draws: int,
        settings: dict[str, dict[str, Any]], **more: Any,
    ) -> None:  # fmt: skip
        found.extend(
            Cell(design, world, partial(draw, **(more | broken)), fit, draws)
            for world, broken in settings.items()
        )

    def some(settings: dict[str, dict[str, Any]], *names: str) -> dict[str, dict[str, Any]]:
        return {name: settings[name] for name in names}

    add("event_study", worlds.doses, _event, 600, _DOSES)
    add("event_study", worlds.doses, _event, 400, {"clusters_ignored": _CLUSTERED["clusters"]})
    add("event_study", worlds.doses, partial(_event, cluster="cluster"), 400, _CLUSTERED)
    add("permutation", worlds.doses, _permuted, 600, some(_DOSES, "clean", "trend", "spread"))
    for name, restriction, multiple, draws in (
        ("bounds_steps", "relative_magnitudes", 1.0, 150), ("bounds_line", "smoothness", 0.0, 200),
    ):  # fmt: skip
        bounded = partial(_bounded, restriction=restriction, multiple=multiple)
        own = some(_DOSES, "clean", "trend", "small_trend", "break", "anticipation")
        add(name, worlds.doses, bounded, draws, own)
    staggered = {name: one for name, one in _ENTRANTS.items() if name != "missing"}
    add("two_way", worlds.entrants, _two_way, 1000, staggered)
    add("group_time", worlds.entrants, _group_time, 300, _ENTRANTS)
    clustered = partial(_group_time, cluster="cluster")
    add("group_time", worlds.entrants, clustered, 300, {"clusters": {"clusters": 16}})
    for kind in KINDS:
        draws = 400 if kind == "difference_in_differences" else 300
        add(kind, worlds.areas, partial(_synthetic, kind=kind), draws, _AREAS)
        dropped = partial(_synthetic, kind=kind, missing="drop")
        add(kind, worlds.areas, dropped, draws, {"missing": _MISSING})
    add("threshold", worlds.scored, partial(_threshold, kind="continuous"), 150, _SCORED)
    sloped = _COUNTED | {"sloped": {"slope": 0.2}}
    add("threshold_adjacent", worlds.counted, partial(_threshold, kind="adjacent"), 300, sloped)
    bent = _COUNTED | {"bent": {"bend": 0.6}}
    add("threshold_honest", worlds.counted, partial(_threshold, kind="honest"), 200, bent,
        slope=0.2, bend=0.1)  # fmt: skip
    add("support_dose", worlds.supported, _support, 400, _SUPPORTED)
    few = {"clusters_ignored": {"clusters": 12}}
    add("support_dose", worlds.supported, _support, 400, few)
    by_authority = partial(_support, cluster="cluster")
    add("support_dose", worlds.supported, by_authority, 400, {"clusters": {"clusters": 12}})
    return found


# ------------------------------------------------------------------ the table

IDS = ["design", "world"]
NUMBERS = ["draw", "truth", "estimate", "conf_low", "conf_high"]
HOLDS, SEEN, MORE = 0.90, 0.5, 0.25
_COLUMNS = ["draws", "given", "truth", "bias", "bias_error", "spread", "coverage", "coverage_error",
            "flagged", "flagged_error", "misled", "misled_error", "verdict"]  # fmt: skip


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Return one row a design and world; each design's clean world is its first."""
    checks = [name for name in rows if name not in (*IDS, *NUMBERS)]
    told = []
    for names, part in rows.groupby(IDS, sort=False):
        row = dict(zip(IDS, names, strict=True)) | _summarised(part, checks)
        clean = next((one for one in told if one["design"] == row["design"]), row)
        told.append(row | {"verdict": verdict(row, clean["flagged"])})
    return pd.DataFrame(told)[[*IDS, *_COLUMNS, *checks]]


def verdict(row: dict[str, Any], false_alarms: float) -> str:
    """Return what a reader is to make of a design in a world."""
    if row["given"] < SEEN:
        return "refused"
    if row["coverage"] >= HOLDS:
        return "holds"
    told = row["flagged"] > SEEN or row["misled"] <= LEVEL
    return "seen" if told and row["flagged"] > false_alarms + MORE else "silent"


def _summarised(part: pd.DataFrame, checks: list[str]) -> dict[str, Any]:
    count = len(part)
    flags = part[checks].astype(float)
    flagged = (flags == 1).any(axis=1)
    given = part["conf_low"].notna()
    holds = (part["conf_low"] <= part["truth"]) & (part["truth"] <= part["conf_high"])
    error = (part["estimate"] - part["truth"]).dropna()
    coverage = float(holds[given].mean()) if given.any() else np.nan
    told = flags.notna().any(axis=None)
    shares = {
        "coverage": (coverage, int(given.sum())),
        "flagged": (float(flagged.mean()) if told else np.nan, count),
        "misled": (float((given & ~holds & ~flagged).mean()), count),
    }
    row: dict[str, Any] = {
        "draws": count, "given": given.mean(), "truth": part["truth"].mean(),
        "bias": error.mean(), "bias_error": error.std() / np.sqrt(len(error)),
        "spread": error.std(),
    }  # fmt: skip
    for name, (share, of) in shares.items():
        row |= {name: share, f"{name}_error": np.sqrt(share * (1 - share) / max(of, 1))}
    # Of draws in which nothing could be estimated a check says nothing.
    return row | {name: flags[name].mean() for name in checks}


def run(cell: Cell, keep: Path | None = None, draws: int | None = None) -> pd.DataFrame:
    """Return the draws of a cell, from where they are kept if as many are."""
    wanted = draws or cell.draws
    kept = keep and keep / f"{cell.design}_{cell.world}.parquet"
    if kept and kept.is_file():
        found = pd.read_parquet(kept)
        if len(found) >= wanted:
            found.attrs["seconds"] *= wanted / len(found)
            return found[:wanted]
    started = time.process_time()
    found = pd.DataFrame([cell.run(number) for number in range(wanted)])
    found.attrs["seconds"] = time.process_time() - started
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        found.to_parquet(kept)
    return found


def written(table: pd.DataFrame, about: dict[str, Any], to: Path) -> None:
    """Write the table under a line that says how it was made."""
    with to.open("w", encoding="utf-8", newline="\n") as stream:
        stream.write(f"# {json.dumps(about, sort_keys=True)}\n")
        table.to_csv(stream, index=False, float_format="%.4g", lineterminator="\n")


def main() -> None:
    """Run all cells one after another and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="designs whose name has this; writes nothing")
    parser.add_argument("--draws", type=int, help="of every cell, to try; writes nothing")
    parser.add_argument("--keep", type=Path, help="folder that lets a run be taken up again")
    given = parser.parse_args()
    parts = []
    with threadpool_limits(1):
        for cell in cells():
            if given.only in cell.design:
                parts.append(run(cell, given.keep, given.draws))
                seconds = parts[-1].attrs.get("seconds", np.nan)
                told = summary(parts[-1]).iloc[0]
                print(  # noqa: T201
                    f"{cell.design:36}{cell.world:18}{told['bias']:8.3f} {told['coverage']:6.3f} "
                    f"{told['flagged']:6.3f} {told['misled']:6.3f} {seconds:6.1f} s", flush=True,
                )  # fmt: skip
    rows = pd.concat(parts, ignore_index=True)
    seconds = sum(part.attrs.get("seconds", np.nan) for part in parts)
    print(f"{len(parts)} cells, {seconds:.0f} s of one processor")  # noqa: T201
    if given.only or given.draws:
        return
    used = ("tfeval", "numpy", "scipy", "pandas")
    about = {
        "seed": SEED, "draws": len(rows), "processor_seconds": round(seconds),
        "command": "python tests/coverage/designs_over_time.py", "rules": RULES,
        "versions": {"python": platform.python_version()} | {one: version(one) for one in used},
    }  # fmt: skip
    written(summary(rows), about, FOLDER / TABLE)
    sample = rows[rows["draw"] < SAMPLED]
    sample.to_csv(FOLDER / SAMPLE, index=False, float_format="%.10g", lineterminator="\n")


if __name__ == "__main__":
    main()
