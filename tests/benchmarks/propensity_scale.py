"""Measure propensity scores and weights at scale, beside peers, from a DataFrame.

    python tests/benchmarks/propensity_scale.py [--sizes L XL] [--rounds 3] [--peers FOLDER]

Each line runs in a process of its own: the median of the rounds at the public call (study and fit,
or the peer's own way from the same DataFrame), the rise in peak memory over the frame, the whole
process's peak, and the ratio to ours in the same run. One round before is not counted. FOLDER is
where `pip install --target FOLDER --no-deps empirical_calibration absl-py` put the peer that is no
dependency of ours.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SIZES = {"S": 2_000, "M": 20_000, "L": 100_000, "XL": 400_000}

FRAME = """
import json, resource, time
import numpy as np, pandas as pd
rng = np.random.default_rng(1)
treated, count = {treated}, 20
size = 4 * treated
held = {{}}
linear = np.zeros(size)
for place in range(count):
    one = rng.normal(size=size) if place % 3 else (rng.random(size) < 0.3).astype(float)
    linear += rng.normal() * 0.25 * one
    held[f"x{{place}}"] = one
names = list(held)
linear += rng.logistic(size=size)
held["treated"] = (linear >= np.partition(linear, size - treated)[size - treated]).astype(np.int64)
held["outcome"] = linear + rng.normal(size=size)
frame = pd.DataFrame(held, copy=False)
del held, linear
"""
TAIL = """
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before = peak()
run()
times = []
for _ in range({rounds}):
    start = time.perf_counter()
    found = run()
    times.append(time.perf_counter() - start)
told = {{"times": times, "rise": peak() - before, "peak": peak(), "check": check(found)}}
print(json.dumps(told))
"""
WORK = {
    "propensity": {
        "tfeval": """
import tfeval as tf
def run():
    return tf.fit_propensity(tf.study(frame, covariates=names))
def check(found):
    return float(found.score @ found.score)
""",
        "scikit-learn newton-cholesky": """
from sklearn.linear_model import LogisticRegression
def run():
    model = LogisticRegression(C=float("inf"), solver="newton-cholesky", tol=1e-8)
    return model.fit(frame[names], frame["treated"]).predict_proba(frame[names])[:, 1]
def check(found):
    return float(found @ found)
""",
        "statsmodels Logit": """
import statsmodels.api as sm
def run():
    return sm.Logit(frame["treated"], sm.add_constant(frame[names])).fit(disp=0)
def check(found):
    score = found.predict()
    return float(score @ score)
""",
    },
    "propensity, 5 folds": {
        "tfeval": """
import tfeval as tf
def run():
    return tf.fit_propensity(tf.study(frame, covariates=names), folds=5)
def check(found):
    return float(found.score @ found.score)
""",
        "scikit-learn newton-cholesky": """
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
def run():
    model = LogisticRegression(C=float("inf"), solver="newton-cholesky", tol=1e-8)
    return cross_val_predict(model, frame[names], frame["treated"], cv=5,
                             method="predict_proba")[:, 1]
def check(found):
    return float(found @ found)
""",
    },
    "entropy balancing": {
        "tfeval": """
import tfeval as tf
def run():
    return tf.weight(tf.study(frame, covariates=names), "entropy")
def check(found):
    own = found.weights[~found.study.treated]
    return float(own.sum() ** 2 / (own @ own))
""",
        "empirical_calibration": """
import empirical_calibration as ec
def run():
    arm = frame["treated"].to_numpy() == 1
    x = frame[names].to_numpy()
    return ec.calibrate(x[~arm], x[arm], objective=ec.Objective.ENTROPY)[0]
def check(found):
    return float(found.sum() ** 2 / (found @ found))
""",
    },
    "inverse propensity weights": {
        "tfeval": """
import tfeval as tf
def run():
    return tf.weight(tf.study(frame, covariates=names))
def check(found):
    return float(found.weights.sum())
""",
    },
    "inverse propensity weights and effect, stacked errors": {
        "tfeval": """
import tfeval as tf
def run():
    return tf.estimate(tf.weight(tf.study(frame, covariates=names)), frame[["outcome"]])
def check(found):
    return float(found.to_frame()["std_error"].iloc[0])
""",
    },
}


def measured(code: str, treated: int, rounds: int, peers: str | None) -> dict | str:
    """Run one line in a process of its own; return its numbers, or why there are none."""
    text = FRAME.format(treated=treated) + code + TAIL.format(rounds=rounds)
    path = os.pathsep.join([str(ROOT), *([peers] if peers else [])])
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", text],
        capture_output=True, text=True, check=False, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    if done.returncode:
        return done.stderr.strip().splitlines()[-1]
    return json.loads(done.stdout.strip().splitlines()[-1])


def main() -> None:
    """Print seconds, memory and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="+", default=["L", "XL"], choices=list(SIZES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers")
    asked = parser.parse_args()
    for size in asked.sizes:
        for work, lines in WORK.items():
            print(f"{size}: {work}")
            own = None
            for name, code in lines.items():
                found = measured(code, SIZES[size], asked.rounds, asked.peers)
                if isinstance(found, str):
                    print(f"  {name:30} absent: {found}")
                    continue
                middle = statistics.median(found["times"])
                own = middle if own is None else own
                print(
                    f"  {name:30} {middle:7.3f} s ({min(found['times']):.3f} at best)  "
                    f"ratio {middle / own:5.1f}  +{found['rise']:5.0f} MiB, "
                    f"process {found['peak']:5.0f} MiB  check {found['check']:.8g}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
