"""How often intervals hold the truth where few units, few clusters or few events decide.

Simulates analysis tables with a known effect, estimates as `estimate` does by default (and with
other errors where these are offered), and writes small_samples.csv and pooling.csv beside this
file:

    python tests/coverage/small_samples.py --replications 2000

`given` is the share of draws in which there is an interval; `coverage` and `type_one_error` are of
those. A draw of `groups` holds groups of 1 to 12 treated beside 40 comparison units each, one of
each size, and twelve of 30; of `clusters`, 20 authorities of 30 families, some of them treated as
a whole; of `rare`, an outcome that 1% have. `pooling` draws 48 areas of 1 to 30 treated.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import chdtrc
from threadpoolctl import threadpool_limits

import tfeval as tf
from tfeval.errors import TfevalError
from tfeval.impact.effects.pooling import reml, rotated

FOLDER = Path(__file__).parent
#: Replications that are run together.
STRETCH = 20
FEW = (1, 2, 3, 5, 8, 12)
SIZES = (*FEW, *(30,) * 12)
BESIDE = 40
OF_20 = (1, 2, 4, 6, 10)
RARE = (30, 100, 1000)
EFFECT = 0.5
Designs = dict[str, tuple[Callable[[Any], Any], dict[str, Any]]]

GROUPED: Designs = {
    "unweighted, adjusted": (tf.unweighted, {"method": "adjusted"}),
    "entropy, difference": (lambda s: tf.weight(s, "entropy"), {"method": "difference"}),
    "inverse propensity, adjusted": (tf.weight, {"method": "adjusted"}),
    "inverse propensity, doubly robust": (tf.weight, {"method": "doubly_robust"}),
}
CLUSTERED: Designs = {
    "unweighted, difference": (tf.unweighted, {"method": "difference"}),
    "unweighted, adjusted": (tf.unweighted, {"method": "adjusted"}),
    "unweighted, cr3": (tf.unweighted, {"method": "difference", "errors": "cr3"}),
    "unweighted, wild": (
        tf.unweighted, {"method": "difference", "errors": "wild", "draws": 399},
    ),
    "unweighted, randomisation": (
        tf.unweighted, {"method": "difference", "errors": "randomisation", "draws": 399},
    ),
    "entropy, adjusted": (lambda s: tf.weight(s, "entropy"), {"method": "adjusted"}),
}  # fmt: skip
RARELY: Designs = {
    "unweighted, difference": (tf.unweighted, {"method": "difference"}),
    "unweighted, adjusted": (tf.unweighted, {"method": "adjusted"}),
    "inverse propensity, adjusted": (tf.weight, {"method": "adjusted"}),
    "nearest 1 to 1, adjusted": (tf.match, {"method": "adjusted"}),
}


def grouped(rng: np.random.Generator) -> pd.DataFrame:
    """Draw groups: a number with an effect and without, and a yes or no."""
    group = np.concatenate([np.repeat(np.arange(len(SIZES)), SIZES),
                            np.repeat(np.arange(len(SIZES)), BESIDE)])  # fmt: skip
    treated = np.arange(len(group)) < sum(SIZES)
    x = rng.normal(size=len(group)) + 0.3 * treated
    level = rng.normal(size=len(SIZES))[group]
    noise = rng.normal(size=len(group))
    frame = pd.DataFrame({"treated": treated, "x": x, "group": group})
    frame["number"] = level + x + noise + EFFECT * treated
    frame["number_none"] = level + x + noise
    frame["yes_none"] = (rng.random(len(group)) < 0.3).astype(float)
    return frame


def clustered(few: int, rng: np.random.Generator) -> pd.DataFrame:
    """Draw 20 authorities of 30 families, of which some were treated as a whole."""
    area = np.repeat(np.arange(20), 30)
    treated = area < few
    x = rng.normal(size=len(area)) + rng.normal(size=20)[area] * 0.3
    base = x + rng.normal(size=20)[area] * 0.4 + rng.normal(size=len(area))
    frame = pd.DataFrame({"treated": treated, "x": x, "area": area})
    return frame.assign(number=base + EFFECT * treated, number_none=base)


def rarely(few: int, rng: np.random.Generator) -> pd.DataFrame:
    """Draw `few` treated and three times as many others, of whom 1% have the outcome."""
    treated = np.arange(4 * few) < few
    x = rng.normal(size=4 * few) + 0.3 * treated
    share = np.full(4 * few, 0.01)
    frame = pd.DataFrame({"treated": treated, "x": x})
    return frame.assign(yes_none=(rng.random(4 * few) < share).astype(float))


def estimated(
    frame: pd.DataFrame, designs: Designs, outcomes: list[str], **more: Any
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield each design's name and table of effects."""
    roles = {name: more.pop(name) for name in ("cluster",) if name in more}
    study = tf.study(frame, covariates=["x"], **roles)
    for name, (make, asked) in designs.items():
        try:
            yield name, tf.estimate(make(study), frame[outcomes], **asked, **more).to_frame()
        except TfevalError:
            yield name, pd.DataFrame({"outcome": outcomes, "estimate": np.nan})


def replicate(seed: int) -> list[dict[str, Any]]:
    """Draw once in each setting, and estimate in every way."""
    rows: list[dict[str, Any]] = []

    def note(setting: str, few: int, design: str, frame: pd.DataFrame) -> None:
        for row in frame.to_dict("records"):
            true = EFFECT if row["outcome"] == "number" else 0.0
            low, high = row.get("conf_low", np.nan), row.get("conf_high", np.nan)
            rows.append({
                "setting": setting, "few": few, "design": design,
                "outcome": row["outcome"].removesuffix("_none"),
                "none": row["outcome"].endswith("_none"),
                "given": bool(np.isfinite(low)), "holds": bool(low <= true <= high),
                "refused": bool(row.get("p_value", np.nan) < 0.05),
                "error": row["estimate"] - true, "std_error": row.get("std_error", np.nan),
            })  # fmt: skip

    frame = grouped(np.random.default_rng([seed, 1]))
    wanted = ["number", "number_none", "yes_none"]
    for name, found in estimated(frame, GROUPED, wanted, by=frame["group"]):
        places = found["population"].astype(int)
        for at, few in enumerate(FEW):
            note("groups", few, name, found[places == at])
    for few in OF_20:
        frame = clustered(few, np.random.default_rng([seed, 2, few]))
        for name, found in estimated(frame, CLUSTERED, wanted[:2], cluster="area"):
            note("clusters", few, name, found)
    for few in RARE:
        frame = rarely(few, np.random.default_rng([seed, 3, few]))
        for name, found in estimated(frame, RARELY, wanted[2:]):
            note("rare", few, name, found)
    return rows


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Return one row a setting, number, design and outcome."""
    found = []
    keys = ["setting", "few", "design", "outcome"]
    for names, part in rows.groupby(keys, sort=False):
        given = part[part["given"]]
        null = given[given["none"]]
        enough = len(given) > 0
        found.append({
            **dict(zip(keys, names, strict=True)),
            "replications": int(part["none"].sum()),
            "given": round(float(part["given"].mean()), 4),
            "coverage": round(float(given["holds"].mean()), 4) if enough else np.nan,
            "type_one_error": round(float(null["refused"].mean()), 4) if enough else np.nan,
            "sd_of_estimates": round(float(part["error"].std()), 4),
            "mean_std_error": round(float(given["std_error"].mean()), 4) if enough else np.nan,
        })  # fmt: skip
    return pd.DataFrame(found)


AREAS = 48


def pooled(seed: int) -> list[dict[str, Any]]:
    """Draw areas that do not differ and areas that do; pool them as `pool` does, and by truth."""
    rng = np.random.default_rng([seed, 4])
    treated_of = rng.integers(1, 31, AREAS)
    area = np.concatenate([np.repeat(np.arange(AREAS), treated_of),
                           np.repeat(np.arange(AREAS), 2 * treated_of + 10)])  # fmt: skip
    treated = np.arange(len(area)) < treated_of.sum()
    frame = pd.DataFrame({"treated": treated, "x": rng.normal(size=len(area)), "area": area})
    noise, gain = rng.normal(size=len(area)), rng.normal(size=AREAS)[area]
    outcomes = pd.DataFrame({
        "number, tau 0": noise,
        "number, tau 0.2": noise + 0.2 * gain * treated,
        "yes, tau 0": (rng.random(len(area)) < 0.3).astype(float),
    })  # fmt: skip
    effects = tf.estimate(
        tf.unweighted(tf.study(frame, covariates=["x"])), outcomes, method="difference", by=area
    )
    variances = {"number": 1.0, "yes": 0.21}
    rows = []
    for outcome in outcomes:
        found = effects.pool(outcome, draws=100)
        own = effects.select(outcome).to_frame()
        variance = variances[outcome.split(",")[0]] * (
            1 / own["n_treated"] + 1 / own["n_comparison"]
        )
        true = rotated(effects.select(outcome).pooling.estimates, variance.to_numpy())
        rows.append({
            "outcome": outcome, "areas": len(found.frame), "refused": found.q_p < 0.05,
            "tau": found.tau, "holds_0": found.tau_low == 0,
            "refused_by_truth": chdtrc(AREAS - 1, true.q(0.0)[0]) < 0.05,
            "tau_by_truth": np.sqrt(reml(true)),
        })  # fmt: skip
    return rows


def summary_of_pooling(rows: pd.DataFrame) -> pd.DataFrame:
    """Return one row an outcome."""
    parts = rows.groupby("outcome", sort=False)
    return pd.DataFrame({
        "replications": parts.size(),
        "areas_pooled": parts["areas"].mean().round(1),
        "q_refuses": parts["refused"].mean().round(4),
        "q_refuses_with_true_variances": parts["refused_by_truth"].mean().round(4),
        "median_tau": parts["tau"].median().round(4),
        "median_tau_with_true_variances": parts["tau_by_truth"].median().round(4),
        "tau_interval_holds_0": parts["holds_0"].mean().round(4),
    }).reset_index()  # fmt: skip


def _stretch(asked: tuple[int, int]) -> tuple[pd.DataFrame, pd.DataFrame]:
    seeds = range(*asked)
    rows = [row for seed in seeds for row in replicate(seed)]
    return pd.DataFrame(rows), pd.DataFrame([row for seed in seeds for row in pooled(seed)])


def main() -> None:
    """Run all replications on the processors there are and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replications", type=int, default=2000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--to", type=Path, default=FOLDER)
    given = parser.parse_args()
    asked = [(at, min(at + STRETCH, given.replications))
             for at in range(0, given.replications, STRETCH)]  # fmt: skip
    with ProcessPoolExecutor(given.processes, initializer=threadpool_limits, initargs=(1,)) as pool:
        one, other = zip(*pool.map(_stretch, asked), strict=True)
    tables = {"small_samples.csv": summary(pd.concat(one)),
              "pooling.csv": summary_of_pooling(pd.concat(other))}  # fmt: skip
    for name, table in tables.items():
        table.to_csv(given.to / name, index=False)
        print(table.to_string())  # noqa: T201


if __name__ == "__main__":
    main()
