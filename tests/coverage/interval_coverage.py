"""How often nominal 95% intervals hold the truth, and how often a true zero is refused.

Simulates analysis tables with a known effect, makes each design, estimates with each kind of
error, and writes coverage.csv beside this file:

    python tests/coverage/interval_coverage.py --replications 2000

Settings: `independent` families; `clustered` in 60 authorities that differ in who is treated, in
outcomes and in effects; `few` authorities, 12 of them; `crossed`, 80 and 60 clusters that cross,
and `crossed_few`, 40 and 30.
Coverage is of the effect on the treated in the population that the families are drawn from, with
effects that differ between families; the type I error is with no effect at all.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from tfeval.errors import TfevalError
from tfeval.impact.design.design import Design
from tfeval.impact.effects.estimate import estimate
from tfeval.impact.matching.match import match
from tfeval.impact.study import covariates
from tfeval.impact.study.study import Study, study
from tfeval.impact.weighting.weight import weight

COVARIATES = ["x1", "x2", "old"]
#: Replications that are run, and kept, together.
STRETCH = 20


@dataclass(frozen=True)
class Setting:
    """How families are drawn: areas, families in each, and how much areas differ."""

    areas: int
    families: int
    spread: float
    crossed: int = 0


SETTINGS = {
    "independent": Setting(60, 17, 0.0),
    "clustered": Setting(60, 25, 0.4),
    "few": Setting(12, 80, 0.4),
    "crossed": Setting(80, 20, 0.3, crossed=60),
    "crossed_few": Setting(40, 30, 0.3, crossed=30),
}


#: Outcomes of the same families: the effect of all alike, one that differs, and none.
OUTCOMES = {"alike": (0.5, 0.0), "differs": (0.5, 0.3), "none": (0.0, 0.0)}


def drawn(setting: Setting, rng: np.random.Generator) -> pd.DataFrame:
    """Draw families: covariates, area, who is treated, and the outcomes."""
    size = setting.areas * setting.families
    area = np.repeat(np.arange(setting.areas), setting.families)
    other = rng.integers(0, max(setting.crossed, 1), size)
    by_area = rng.normal(size=(4, setting.areas)) * setting.spread
    by_other = rng.normal(size=max(setting.crossed, 1)) * setting.spread * (setting.crossed > 0)
    x1 = rng.normal(size=size) + by_area[0, area]
    x2 = rng.normal(size=size)
    old = (rng.random(size) < 0.4).astype(float)
    odds = -0.9 + 0.5 * x1 - 0.4 * x2 + 0.3 * old + by_area[1, area]
    treated = rng.random(size) < 1 / (1 + np.exp(-odds))
    without = 1 + x1 + 0.5 * x2 + 0.5 * old + by_area[3, area] + by_other[other]
    without += rng.normal(size=size)
    held = {"treated": treated, "x1": x1, "x2": x2, "old": old, "area": area, "other": other,
            "unit": np.arange(size)}  # fmt: skip
    for name, (effect, slope) in OUTCOMES.items():
        gain = effect + slope * x1 + (slope > 0) * by_area[2, area] / 2
        held[name] = without + gain * treated
    return pd.DataFrame(held)


@cache
def truth(name: str, outcome: str) -> float:
    """Return the effect on the treated in the population, from two million families."""
    setting = SETTINGS[name]
    frame = drawn(Setting(20_000, 100, setting.spread), np.random.default_rng(12345))
    effect, slope = OUTCOMES[outcome]
    return float((effect + slope * frame["x1"].to_numpy()[frame["treated"].to_numpy()]).mean())


def _nearest(**asked: Any) -> Callable[[Study], Design]:
    return lambda made: match(made, "nearest", **asked)


def _weighted(method: str, **asked: Any) -> Callable[[Study], Design]:
    return lambda made: weight(made, method, **asked)


@dataclass(frozen=True)
class Case:
    """One way to an interval. `constant`: effects do not differ, where units may be dropped."""

    setting: str
    name: str
    design: Callable[[Study], Design]
    asked: dict[str, Any]
    constant: bool = False

    @property
    def outcome(self) -> str:
        """The outcome whose effect the interval should hold."""
        return "alike" if self.constant else "differs"

    def label(self) -> dict[str, str]:
        """Return the names of the row."""
        known = ", score as known"
        return {
            "setting": self.setting,
            "design": self.name,
            "method": self.asked.get("method", "adjusted"),
            "errors": self.asked["errors"] + ("" if self.asked.get("stacked", True) else known),
        }


def cases(*, bootstrap: bool) -> list[Case]:
    """Return every case, or those of the bootstrap, which take much longer."""
    pair = _nearest(caliper=0.2)
    twice = _nearest(caliper=0.2, replace=True)
    found = []
    if bootstrap:
        asked = {"errors": "bootstrap", "cluster": "area", "draws": 99}
        return [
            Case("clustered", "inverse propensity", _weighted("inverse_propensity"),
                 {**asked, "method": "difference"}),
            Case("clustered", "nearest 1 to 1", pair, {**asked, "method": "adjusted"}, True),
        ]  # fmt: skip
    by_area: dict[str, Any] = {"errors": "cluster", "cluster": "area"}
    by_both: dict[str, Any] = {"errors": "two_way", "cluster": ("area", "other")}
    by_setting = {"independent": {"errors": "robust"}, "clustered": by_area, "few": by_area,
                  "crossed": by_both, "crossed_few": by_both}  # fmt: skip
    for setting, asked in by_setting.items():
        for method in ("difference", "adjusted", "doubly_robust"):
            for kind in ("inverse_propensity", "entropy"):
                name = kind.replace("_", " ")
                found.append(Case(setting, name, _weighted(kind), {**asked, "method": method}))
        found.append(
            Case(setting, "inverse propensity, 5 folds",
                 _weighted("inverse_propensity", folds=5),
                 {**asked, "method": "doubly_robust"})
        )  # fmt: skip
        found += [
            Case(setting, "nearest 1 to 1", pair, {**asked, "method": "adjusted"}, True),
            Case(setting, "nearest 1 to 1", pair, {**asked, "method": "difference"}, True),
            Case(setting, "nearest, with replacement", twice,
                 {**asked, "method": "adjusted"}, True),
            Case(setting, "full", lambda made: match(made, "full", caliper=None),
                 {**asked, "method": "adjusted"}),
        ]  # fmt: skip
    found += [
        Case("independent", "nearest 1 to 1", pair, {"errors": "pair", "method": method}, True)
        for method in ("difference", "adjusted")
    ]
    found += [
        Case("independent", "nearest, with replacement", twice,
             {"errors": "abadie_imbens", "method": method}, True)
        for method in ("difference", "adjusted", "doubly_robust")
    ]  # fmt: skip
    found += [
        Case("independent", "nearest, with replacement", twice,
             {"errors": "abadie_imbens", "method": "difference", "stacked": False}, True),
        Case("independent", "3 nearest, with replacement",
             _nearest(caliper=0.2, replace=True, ratio=3),
             {"errors": "abadie_imbens", "method": "difference"}, True),
    ]  # fmt: skip
    found += [
        Case("few", name, design, {"errors": "wild", "cluster": "area", "method": method,
                                   "draws": 999}, constant)
        for name, design, constant in (
            ("nearest 1 to 1", pair, True),
            ("inverse propensity", _weighted("inverse_propensity"), False),
        )
        for method in ("difference", "adjusted")
    ]  # fmt: skip
    return found


def replicate(seed: int, *, bootstrap: bool) -> list[dict[str, Any]]:
    """Draw once in each setting, and estimate in every way."""
    rows = []
    every = list(enumerate(cases(bootstrap=bootstrap)))
    for at, setting in enumerate(SETTINGS):
        mine = [(number, case) for number, case in every if case.setting == setting]
        if not mine:
            continue
        frame = drawn(SETTINGS[setting], np.random.default_rng([seed, at]))
        made = study(frame, covariates=COVARIATES, cluster=["area", "other"], unit="unit")
        designs: dict[str, Design] = {}
        for number, case in mine:
            # A bootstrap takes long: with no effect, its coverage is what it does not refuse.
            wanted = ["none"] if bootstrap else [case.outcome, "none"]
            rows += [{"case": number, **row} for row in _one(case, made, frame[wanted], designs)]
    return rows


def _one(
    case: Case, made: Study, outcomes: pd.DataFrame, designs: dict[str, Design]
) -> list[dict[str, Any]]:
    try:
        if case.name not in designs:
            designs[case.name] = case.design(made)
        found = estimate(designs[case.name], outcomes, **case.asked).to_frame()
    except TfevalError:
        return [{"outcome": name, "estimate": np.nan} for name in outcomes]
    kept = ["outcome", "estimate", "std_error", "conf_low", "conf_high", "p_value"]
    return found[kept].to_dict("records")


def summary(results: pd.DataFrame, *, bootstrap: bool) -> pd.DataFrame:
    """Return one row a case."""
    rows = []
    for number, case in enumerate(cases(bootstrap=bootstrap)):
        own = results[results["case"] == number]
        null = own[own["outcome"] == "none"]
        seen = own if bootstrap else own[own["outcome"] == case.outcome]
        true = 0.0 if bootstrap else truth(case.setting, case.outcome)
        inside = (seen["conf_low"] <= true) & (true <= seen["conf_high"])
        rows.append({
            **case.label(),
            "replications": int(seen["estimate"].notna().sum()),
            "true_effect": round(true, 4),
            "bias": round(float(seen["estimate"].mean() - true), 4),
            "sd_of_estimates": round(float(seen["estimate"].std()), 4),
            "mean_std_error": round(float(seen["std_error"].mean()), 4),
            "coverage": round(float(inside[seen["estimate"].notna()].mean()), 4),
            "type_one_error": round(float((null["p_value"].dropna() < 0.05).mean()), 4),
        })  # fmt: skip
    return pd.DataFrame(rows)


def main() -> None:
    """Run all replications on the processors there are and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replications", type=int, default=2000)
    parser.add_argument("--bootstrap", action="store_true")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="folder that lets a run be taken up again")
    given = parser.parse_args()
    starts = range(0, given.replications, STRETCH)
    asked = [(at, min(at + STRETCH, given.replications), given.bootstrap, given.keep)
             for at in starts]  # fmt: skip
    with ProcessPoolExecutor(given.processes, initializer=_prepare) as pool:
        results = pd.concat(pool.map(_stretch, asked), ignore_index=True)
    table = summary(results, bootstrap=given.bootstrap)
    name = "coverage_bootstrap.csv" if given.bootstrap else "coverage.csv"
    table.to_csv(Path(__file__).parent / name, index=False)
    print(table.to_string())  # noqa: T201


def _prepare() -> None:
    # Processes share the processors out: no threads within, and machine code for small studies.
    threadpool_limits(1)
    covariates.LARGE = 0


def _stretch(asked: tuple[int, int, bool, Path | None]) -> pd.DataFrame:
    first, last, bootstrap, folder = asked
    kept = folder and folder / f"{'bootstrap_' * bootstrap}{first}_{last}.parquet"
    if kept and kept.is_file():
        return pd.read_parquet(kept)
    rows = [row for seed in range(first, last) for row in replicate(seed, bootstrap=bootstrap)]
    found = pd.DataFrame(rows)
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        found.to_parquet(kept)
    return found


if __name__ == "__main__":
    main()
