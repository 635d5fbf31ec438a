"""Measure synthetic difference-in-differences at the size of England, beside Python peers.

    python tests/benchmarks/synthetic_scale.py [--sets 1000] [--rounds 3] [--peer-sets 1000]
        [--peers PYTHON]

152 authorities by 18 years, 40 of them treated from the thirteenth: the estimate, 1,000
permutations of treated sets with their p-value and interval, and each comparison authority treated
in turn. PYTHON is that of an environment in which `pip install synthdid-py diff-diff` was run; what
is absent is said and left out. A peer is timed on the estimate and the placebo error of
`--peer-sets` sets, scaled up to as many as ours. Its estimate is shown beside ours.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

import tfeval as tf

UNITS, TREATED, YEARS, BEFORE = 152, 40, 18, 12

PEERS = {
    "synthdid-py": """
import sys, time, json, numpy as np
from synthdid import synthdid_estimate, placebo_se
Y = np.load(sys.argv[1]); sets = int(sys.argv[2])
start = time.perf_counter()
found = synthdid_estimate(Y, 112, 12)
middle = time.perf_counter()
error = placebo_se(found, sets)
end = time.perf_counter()
print(json.dumps([float(found), float(error), middle - start, end - middle]))
""",
    "diff-diff": """
import sys, time, json, warnings, numpy as np, pandas as pd
warnings.simplefilter("ignore")
from diff_diff import SyntheticDiD
Y = np.load(sys.argv[1]); sets = int(sys.argv[2])
n, t = Y.shape
rows = pd.DataFrame({"unit": np.repeat(np.arange(n), t), "time": np.tile(np.arange(t), n),
                     "y": Y.ravel(), "d": (np.repeat(np.arange(n), t) >= 112).astype(int)})
def fit(draws):
    start = time.perf_counter()
    found = SyntheticDiD(variance_method="placebo", n_bootstrap=draws, seed=1).fit(
        rows, outcome="y", treatment="d", unit="unit", time="time", post_periods=list(range(12, t)))
    return found, time.perf_counter() - start
_, few = fit(2)
found, many = fit(sets)
print(json.dumps([float(found.att), float(found.se), few, many - few]))
""",
}


def outcomes() -> np.ndarray:
    """Return outcomes with two factors, the last units treated."""
    rng = np.random.default_rng(1)
    factors = np.cumsum(rng.normal(size=(2, YEARS)), axis=1)
    values = 50 + rng.normal(0, 5, (UNITS, 1)) + rng.normal(size=(UNITS, 2)) @ factors
    values = values + rng.normal(0, 1, (UNITS, YEARS))
    values[-TREATED:, BEFORE:] -= 1
    return values


def peer(python: str, code: str, values: np.ndarray, sets: int) -> list[float] | str:
    """Return a peer's estimate, error and seconds, or why there are none."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "values.npy"
        np.save(path, values)
        words = [python, "-W", "ignore", "-c", code, str(path), str(sets)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["failed"])[-1]
    return json.loads(done.stdout.strip().splitlines()[-1])


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer-sets", type=int, default=1_000)
    parser.add_argument("--peers", default=sys.executable)
    asked = parser.parse_args()
    values = outcomes()
    fixed = pd.DataFrame({"pilot": np.arange(UNITS) >= UNITS - TREATED})
    panel = tf.Panel(pd.RangeIndex(UNITS), 2003 + np.arange(YEARS), {"rate": values}, fixed)
    design = tf.synthetic("pilot", first=2003 + BEFORE, errors="permutation", draws=asked.sets)
    design.fit(panel, "rate").p_value  # noqa: B018 (not counted: what is imported when first used)
    seconds = []
    for _ in range(asked.rounds):
        start = time.perf_counter()
        found = design.fit(panel, "rate")
        first = time.perf_counter()
        error, p, low, high = found.std_error, found.p_value, found.conf_low, found.conf_high
        second = time.perf_counter()
        turns = len(found.placebos) - 1
        seconds.append((first - start, second - first, time.perf_counter() - second))
    parts = [statistics.median(part) for part in zip(*seconds, strict=True)]
    print(f"{UNITS} x {YEARS}, {TREATED} treated; medians of {asked.rounds} rounds")
    print(
        f"tfeval: estimate {found.estimate:.4f} in {parts[0] * 1000:.0f} ms; error {error:.4f}, p "
        f"{p:.3f}, interval {low:.3f} to {high:.3f} by {asked.sets:,} sets in {parts[1]:.2f} s; "
        f"{turns} in turn {parts[2]:.2f} s; all {sum(parts):.2f} s"
    )
    for name, code in PEERS.items():
        theirs = peer(asked.peers, code, values, asked.peer_sets)
        if isinstance(theirs, str):
            print(f"{name}: left out ({theirs})")
            continue
        whole = theirs[3] * asked.sets / asked.peer_sets
        print(
            f"{name}: estimate {theirs[0]:.4f} in {theirs[2] * 1000:.0f} ms; error "
            f"{theirs[1]:.4f} by {asked.sets:,} sets in {whole:.2f} s (measured on "
            f"{asked.peer_sets:,}): {whole / parts[1]:.0f} times ours"
        )


if __name__ == "__main__":
    main()
