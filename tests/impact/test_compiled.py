"""Nobody waits: what is imported, what is compiled, and how long a small study takes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tfeval.impact.compile_kernels import compile_all, simulated_study
from tfeval.impact.effects.estimate import estimate
from tfeval.impact.matching.match import match
from tfeval.impact.matching.nearest import nearest_pairs
from tfeval.impact.study.covariates import LARGE, for_size, in_parts

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("duckdb", "ibis", "jinja2", "matplotlib", "numba", "sklearn", "statsmodels",
         "scipy.stats")  # fmt: skip
SMALL = """
import time
import pandas as pd
import tfeval as tf
tf.study, tf.match, tf.estimate
frame = pd.read_csv("tests/golden/lalonde_data.csv")
names = ["age", "educ", "race", "married", "nodegree", "re74", "re75"]
taken = []
for _ in range(7):
    start = time.process_time()
    study = tf.study(frame, treated="treat", covariates=names, unit="id")
    tf.estimate(tf.match(study), frame["re78"])
    taken.append(time.process_time() - start)
print(min(taken))
"""
#: Beside what the set-up step runs: none of these may need other machine code.
MORE = (
    {"order": "smallest", "ratio": 2},
    {"order": "random"},
    {"order": "data", "estimand": "ATC"},
    {"replace": True, "ratio": 3, "calipers": {"age": 0.5, "visits": 1.0}},
    {"support": "both", "caliper": None},
    {"method": "optimal", "ratio": 2, "caliper": None},
    {"method": "full", "caliper": None, "estimand": "ATE"},
    {"method": "radius", "bandwidth": 0.1},
    {"method": "mahalanobis", "calipers": {"age": 0.5}},
)


def _said(code: str) -> str:
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                         cwd=ROOT)  # fmt: skip
    return ran.stdout.strip()


def test_designs_and_effects_load_no_heavy_library():
    asked = f"""
import sys
import tfeval as tf
tf.study, tf.match, tf.weight, tf.estimate, tf.fit_propensity
print(sorted(set({HEAVY}) & set(sys.modules)))
"""
    assert _said(asked) == "[]"


def test_a_small_study_is_answered_at_once():
    # 614 units, in a process's own time: 0.02 s, where the machine does nothing else.
    assert float(_said(SMALL)) < 0.05


@pytest.mark.slow(reason="every loop is compiled, or read from where it is kept, and run")
def test_the_set_up_step_compiles_all_that_matching_runs():
    event = pytest.importorskip("numba.core.event")
    compile_all()
    with event.install_recorder("numba:compile") as seen:
        for within in (False, True):
            for settings in MORE:
                match(simulated_study(within=within), **settings)
        large = simulated_study(8 * LARGE, within=False)
        estimate(
            match(large),
            pd.Series(np.arange(large.size) % 7.0, name="outcome"),
            method="difference",
            errors="bootstrap",
            draws=99,
        )
    assert seen.buffer == []


def test_a_loop_that_can_be_kept_nowhere_is_compiled_all_the_same():
    held = {}
    exec("def added(one, other):\n    return one + other", held)  # a function without a file
    assert for_size(held["added"], LARGE) is not held["added"]
    assert for_size(held["added"], LARGE)(1, 2) == 3


def test_loops_give_the_same_as_machine_code_and_as_plain_python(monkeypatch):
    rng = np.random.default_rng(3)
    score, arm = rng.normal(size=LARGE), rng.random(LARGE) < 0.3
    compiled = nearest_pairs(score, arm)
    monkeypatch.setattr("tfeval.impact.study.covariates.LARGE", 10 * LARGE)
    plain = nearest_pairs(score, arm)
    np.testing.assert_array_equal(compiled.rows, plain.rows)
    np.testing.assert_array_equal(compiled.matches, plain.matches)


@pytest.mark.parametrize("threads", [False, True])
def test_parts_come_back_in_order(threads):
    assert in_parts(lambda one: 2 * one, [(1,), (2,), (3,)], threads) == [2, 4, 6]
