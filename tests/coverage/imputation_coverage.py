"""How often nominal 95% intervals hold the truth where a covariate is missing for some.

Simulates families with a known effect on the treated and a confounder that is missing for a third
of them, weights by the inverse propensity in each of several completed frames, pools, and writes
imputation_coverage.csv beside this file:

    python tests/coverage/imputation_coverage.py --replications 500

Settings: `mcar`, missing for anybody alike; `mar`, missing where the other covariate and the
outcome are high, oftener among the treated. The effect grows with the other covariate. Ways:
nothing missing, for comparison; the families that are complete; an indicator for what is missing,
as `study` has it by default; and multiple imputation with and without the outcome.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

import tfeval as tf
from tfeval.impact.effects.effects import Effects

SIZE, IMPUTATIONS, TRUTH = 800, 8, 0.5
COVARIATES = ["x", "z"]


def drawn(rng: np.random.Generator, setting: str) -> pd.DataFrame:
    """Draw families; the mean effect on the treated is put at `TRUTH` in the population."""
    z = rng.normal(size=SIZE)
    x = 0.4 * z + rng.normal(size=SIZE)
    treated = rng.random(SIZE) < 1 / (1 + np.exp(0.6 - 0.7 * x - 0.4 * z))
    effect = TRUTH + 0.4 * (z - MEAN)
    y = x + 0.5 * z + effect * treated + rng.normal(size=SIZE)
    odds = -0.7 if setting == "mcar" else -2.1 + 0.6 * z + 0.6 * y + 0.5 * treated
    missing = rng.random(SIZE) < 1 / (1 + np.exp(-odds))
    held = {"x": np.where(missing, np.nan, x), "z": z, "treated": treated, "y": y, "whole": x}
    return pd.DataFrame(held)


def mean_of_treated() -> float:
    """Return the treated's mean of z in the population."""
    rng = np.random.default_rng(99)
    z = rng.normal(size=4_000_000)
    x = 0.4 * z + rng.normal(size=len(z))
    share = 1 / (1 + np.exp(0.6 - 0.7 * x - 0.4 * z))
    return float(share @ z / share.sum())


MEAN = mean_of_treated()


def effect(frame: pd.DataFrame) -> Effects:
    """Return the effect on the treated by inverse propensity weights."""
    design = tf.weight(tf.study(frame, covariates=COVARIATES))
    return tf.estimate(design, frame["y"], method="difference")


def imputed(frame: pd.DataFrame, seed: int, predictors: tuple[str, ...]) -> Effects:
    """Return the effect pooled over imputations."""
    several = tf.impute(
        frame, COVARIATES, imputations=IMPUTATIONS, seed=seed, predictors=predictors
    )
    return tf.pool_imputations(effect(one) for one in several)


WAYS: dict[str, Callable[[pd.DataFrame, int], Effects]] = {
    "nothing missing": lambda frame, _: effect(frame.assign(x=frame["whole"])),
    "complete cases": lambda frame, _: effect(frame.dropna().reset_index(drop=True)),
    "missing indicator": lambda frame, _: effect(frame),
    "imputed without the outcome": lambda frame, seed: imputed(frame, seed, ()),
    "imputed with the outcome": lambda frame, seed: imputed(frame, seed, ("y",)),
}


def coverage(setting: str, replications: int) -> list[dict[str, object]]:
    """Return how each way fares in a setting."""
    held: dict[str, list[tuple[float, float, float, float]]] = {name: [] for name in WAYS}
    for place in range(replications):
        frame = drawn(np.random.default_rng([7, place, len(setting)]), setting)
        for name, way in WAYS.items():
            row = way(frame, place).to_frame().iloc[0]
            held[name].append(tuple(row[["estimate", "std_error", "conf_low", "conf_high"]]))
    found = []
    for name, rows in held.items():
        estimate, error, low, high = np.array(rows, dtype=float).T
        inside = (low <= TRUTH) & (high >= TRUTH)
        found.append({
            "setting": setting, "way": name, "replications": replications, "true_effect": TRUTH,
            "bias": round(estimate.mean() - TRUTH, 4), "sd_of_estimates": round(estimate.std(), 4),
            "mean_std_error": round(error.mean(), 4), "coverage": round(inside.mean(), 4),
        })  # fmt: skip
    return found


def main() -> None:
    """Write the table."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--replications", type=int, default=500)
    count = asked.parse_args().replications
    with threadpool_limits(1):
        rows = [row for setting in ("mcar", "mar") for row in coverage(setting, count)]
    table = pd.DataFrame(rows)
    table.to_csv(Path(__file__).with_suffix(".csv"), index=False)


if __name__ == "__main__":
    main()
