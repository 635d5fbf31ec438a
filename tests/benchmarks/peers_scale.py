"""Measure designs and effects beside peers, in one run, at the public call from a frame.

    python tests/benchmarks/peers_scale.py [--sizes L XL] [--rounds 3] [--only WORD ...]
        [--peers FOLDER] [--r-library FOLDER] [--write tests/benchmarks/peers.csv]

FOLDER of --peers is where `pip install --target FOLDER --no-deps empirical_calibration absl-py
statspai` put the peers that are no dependency of ours; that of --r-library holds MatchIt and
WeightIt, built from their public repositories. What is absent is said and left out. Each line runs
in a process of its own: one round that is not counted, then the median of the rounds. The whole
process counts everything, from its start over reading the records to the pairs. A ratio is the
peer's seconds over ours in the same run; under 1.5 it is noise. On a machine that others use too,
the ratio of processor seconds (two threads count twice) says more. Numbers that should agree are
under `check`.
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SIZES = {"S": 2_000, "M": 20_000, "L": 100_000, "XL": 400_000}

MAKE = """
import sys
import numpy as np, pandas as pd
rng = np.random.default_rng(1)
treated, path = int(sys.argv[1]), sys.argv[2]
size = 4 * treated
area = rng.integers(0, 152, size)
linear = 0.2 * rng.normal(size=152)[area]
held = {}
for place in range(20):
    one = rng.normal(size=size) if place % 3 else (rng.random(size) < 0.3).astype(float)
    linear += rng.normal() * 0.25 * one
    held[f"x{place}"] = one
linear += rng.logistic(size=size)
arm = linear >= np.partition(linear, size - treated)[size - treated]
held |= {"treated": arm.astype(np.int64), "y": linear + rng.normal(size=size), "area": area}
frame = pd.DataFrame(held, copy=False)
frame.to_parquet(path + ".parquet")
frame.to_csv(path + ".csv", index=False, float_format="%.10g")
"""
PYTHON = """
import json, resource, sys, time
import pandas as pd
frame = pd.read_parquet(sys.argv[1] + ".parquet")
names = [f"x{{place}}" for place in range(20)]
{code}
rounds = int(sys.argv[2])
run()
times, used = [], []
for _ in range(rounds):
    start, begun = time.perf_counter(), time.process_time()
    found = run()
    times.append(time.perf_counter() - start)
    used.append(time.process_time() - begun)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({{"times": times, "used": used, "peak": peak, "check": float(check(found))}}))
"""
R = """
suppressMessages({{library(data.table); {libraries}}})
asked <- commandArgs(TRUE)
d <- as.data.frame(fread(paste0(asked[1], ".csv"), nThread = 2))
f <- reformulate(paste0("x", 0:19), "treated")
{code}
invisible(run())
times <- used <- numeric(0)
for (i in seq_len(as.integer(asked[2]))) {{
  start <- proc.time(); found <- run(); taken <- proc.time() - start
  times <- c(times, taken[["elapsed"]]); used <- c(used, taken[[1]] + taken[[2]])
}}
peak <- as.numeric(sub("\\\\D*(\\\\d+).*", "\\\\1", grep("VmHWM", readLines("/proc/self/status"),
                                                     value = TRUE))) / 1024
cat(sprintf('{{"times": [%s], "used": [%s], "peak": %.1f, "check": %.10g}}\\n',
            paste(times, collapse = ", "), paste(used, collapse = ", "), peak, check(found)))
"""
PAIRS = """
import tfeval as tf
def run():
    return tf.match(tf.study(frame, covariates=names{roles}){more})
def check(found):
    return found.kept(treated=True)
"""
MATCHIT = """
run <- function() matchit(f, d, method = "nearest", distance = "glm", link = "linear.logit"{more})
check <- function(found) sum(found$weights[d$treated == 1] > 0)
"""
BY_AREA = """
f <- reformulate(c(paste0("x", 0:19)), "treated")
run <- function() {
  d$score <- predict(glm(f, binomial, d))
  width <- 0.2 * sd(d$score)
  lapply(split(d[c("treated", "score")], d$area), function(own) matchit(
    treated ~ 1, own, method = "nearest", distance = own$score, caliper = width,
    std.caliper = FALSE))
}
check <- function(found) sum(sapply(found, function(one) sum(one$weights[one$treat == 1] > 0)))
"""
BOOTSTRAP = """
import tfeval as tf
study = tf.study(frame, covariates=names, cluster="area")
design = {design}
def run():
    return tf.estimate(design, frame[["y"]], method="difference", errors="bootstrap", draws=200)
def check(found):
    return found.to_frame()["std_error"].iloc[0]
"""
#: For each work: the lines, ours first; a line is a language and its code.
WORK: dict[str, dict[str, tuple[str, str]]] = {
    "logistic propensity": {
        "tfeval": (
            "python",
            """
import tfeval as tf
def run():
    return tf.fit_propensity(tf.study(frame, covariates=names))
def check(found):
    return found.score @ found.score
""",
        ),
        "scikit-learn newton-cholesky": (
            "python",
            """
from sklearn.linear_model import LogisticRegression
def run():
    model = LogisticRegression(C=float("inf"), solver="newton-cholesky", tol=1e-8)
    return model.fit(frame[names], frame["treated"]).predict_proba(frame[names])[:, 1]
def check(found):
    return found @ found
""",
        ),
    },
    "nearest, caliper, no replacement": {
        "tfeval": ("python", PAIRS.format(roles="", more="")),
        "R MatchIt": ("R MatchIt", MATCHIT.format(more=", caliper = 0.2")),
    },
    "nearest, with replacement": {
        "tfeval": ("python", PAIRS.format(roles="", more=", replace=True, caliper=None")),
        "R MatchIt": ("R MatchIt", MATCHIT.format(more=", replace = TRUE")),
    },
    "nearest within authority": {
        "tfeval": ("python", PAIRS.format(roles=', strata="area"', more="")),
        "R MatchIt, a loop by authority": ("R MatchIt", BY_AREA),
    },
    "inverse propensity weights with errors": {
        "tfeval": (
            "python",
            """
import tfeval as tf
def run():
    design = tf.weight(tf.study(frame, covariates=names))
    return tf.estimate(design, frame[["y"]], method="difference")
def check(found):
    return found.to_frame()["std_error"].iloc[0]
""",
        ),
        "R WeightIt + glm_weightit": (
            "R WeightIt",
            """
run <- function() {
  w <- weightit(f, d, method = "glm", estimand = "ATT")
  summary(glm_weightit(y ~ treated, d, weightit = w))
}
check <- function(found) coef(found)["treated", "Std. Error"]
""",
        ),
    },
    "entropy balancing": {
        "tfeval": (
            "python",
            """
import tfeval as tf
def run():
    return tf.weight(tf.study(frame, covariates=names), "entropy")
def check(found):
    own = found.weights[~found.study.treated]
    return own.sum() ** 2 / (own @ own)
""",
        ),
        "empirical_calibration": (
            "python",
            """
import empirical_calibration as ec
def run():
    arm = frame["treated"].to_numpy() == 1
    x = frame[names].to_numpy()
    return ec.calibrate(x[~arm], x[arm], objective=ec.Objective.ENTROPY)[0]
def check(found):
    return found.sum() ** 2 / (found @ found)
""",
        ),
    },
    "augmented weighting, ATT, 5 folds": {
        "tfeval": (
            "python",
            """
import tfeval as tf
def run():
    design = tf.weight(tf.study(frame, covariates=names), folds=5)
    return tf.estimate(design, frame[["y"]], method="doubly_robust", errors="robust")
def check(found):
    return found.to_frame()["estimate"].iloc[0]
""",
        ),
        "statspai": (
            "python",
            """
import statspai as sp
def run():
    return sp.aipw(frame, y="y", treat="treated", covariates=names, estimand="ATT", n_folds=5)
def check(found):
    return found.estimate
""",
        ),
    },
    "cluster bootstrap of weights, 200 refits": {
        "tfeval": ("python", BOOTSTRAP.format(design="tf.weight(study)")),
    },
    "cluster bootstrap of matching, 200 refits": {
        "tfeval": ("python", BOOTSTRAP.format(design="tf.match(study)")),
    },
}
#: From the start of a process to its pairs: a script of its own, timed from outside.
WHOLE = {
    "tfeval": (
        "python",
        """
import sys
import pandas as pd
import tfeval as tf
frame = pd.read_parquet(sys.argv[1] + ".parquet")
design = tf.match(tf.study(frame, covariates=[f"x{place}" for place in range(20)]))
print(design.kept(treated=True))
""",
    ),
    "R MatchIt": (
        "R MatchIt",
        """
suppressMessages({library(data.table); library(MatchIt)})
d <- as.data.frame(fread(paste0(commandArgs(TRUE)[1], ".csv"), nThread = 2))
found <- matchit(reformulate(paste0("x", 0:19), "treated"), d, method = "nearest",
                 distance = "glm", link = "linear.logit", caliper = 0.2)
cat(sum(found$weights[d$treated == 1] > 0), "\\n")
""",
    ),
}


def command(asked: argparse.Namespace, language: str, code: str, folder: Path) -> list[str]:
    """Write a script and return how it is run."""
    if language == "python":
        path = folder / "line.py"
        path.write_text(code, encoding="utf-8")
        return [sys.executable, "-W", "ignore", str(path)]
    path = folder / "line.R"
    path.write_text(code, encoding="utf-8")
    return ["Rscript", "--vanilla", str(path)]


def environment(asked: argparse.Namespace) -> dict[str, str]:
    """Return where both languages find what they need."""
    places = [str(ROOT), *([asked.peers] if asked.peers else [])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(places), "R_LIBS": asked.r_library or ""}


def run(asked: argparse.Namespace, words: list[str], folder: Path) -> dict | str:
    """Run one script; return its seconds, peak and output, or why there are none."""
    timer = (
        "import json, resource, subprocess, sys, time; start = time.perf_counter();"
        "done = subprocess.run(sys.argv[1:], capture_output=True, text=True);"
        "print(json.dumps([time.perf_counter() - start, done.returncode, done.stdout, done.stderr,"
        "(used := resource.getrusage(resource.RUSAGE_CHILDREN)).ru_maxrss / 1024,"
        "used.ru_utime + used.ru_stime]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", timer, *words], capture_output=True, text=True, check=False,
        cwd=folder, env=environment(asked),
    )  # fmt: skip
    if done.returncode:
        return done.stderr.strip().splitlines()[-1]
    seconds, code, out, err, peak, used = json.loads(done.stdout)
    if code:
        return (err.strip().splitlines() or ["failed"])[-1]
    return {"seconds": seconds, "used": used, "peak": peak, "out": out.strip().splitlines()[-1]}


def line(asked: argparse.Namespace, size: str, kind: str, code: str, folder: Path) -> dict | str:
    """Measure one line of a work."""
    data = str(folder / size)
    language, _, libraries = kind.partition(" ")
    if language == "python":
        text = PYTHON.format(code=code)
    else:
        text = R.format(code=code, libraries=f"library({libraries})")
    found = run(asked, [*command(asked, language, text, folder), data, str(asked.rounds)], folder)
    return found if isinstance(found, str) else json.loads(found["out"])


def whole(asked: argparse.Namespace, size: str, kind: str, code: str, folder: Path) -> dict | str:
    """Measure a whole process, with one that is not counted before."""
    language = kind.partition(" ")[0]
    words = [*command(asked, language, code, folder), str(folder / size)]
    every = [run(asked, words, folder) for _ in range(1 + asked.rounds)]
    for one in every:
        if isinstance(one, str):
            return one
    return {
        "times": [one["seconds"] for one in every[1:]],
        "used": [one["used"] for one in every[1:]],
        "peak": max(one["peak"] for one in every),
        "check": float(every[0]["out"]),
    }


def measure(asked: argparse.Namespace, size: str, folder: Path, rows: list[dict]) -> None:
    """Print all lines of one size, and add them to the rows."""
    works = {name: (lines, line) for name, lines in WORK.items()}
    works["whole process"] = (WHOLE, whole)
    for work, (lines, way) in works.items():
        if asked.only and not any(word in work for word in asked.only):
            continue
        own = None
        for peer, (kind, code) in lines.items():
            found = way(asked, size, kind, code, folder)
            if isinstance(found, str):
                print(f"{size} {work} | {peer}: absent, {found}", flush=True)
                continue
            middle, used = (statistics.median(found[name]) for name in ("times", "used"))
            own = (middle, used) if own is None else own
            row = {"size": size, "work": work, "who": peer, "seconds": round(middle, 3),
                   "ratio": round(middle / own[0], 1), "cpu_seconds": round(used, 3),
                   "cpu_ratio": round(used / own[1], 1), "peak_mib": round(found["peak"]),
                   "load": round(os.getloadavg()[0], 1),
                   "check": f"{found['check']:.8g}"}  # fmt: skip
            rows.append(row)
            print(" | ".join(map(str, row.values())), flush=True)
            if asked.write:
                write(asked.write, rows)


def main() -> None:
    """Print seconds, ratios and peaks; write them if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="+", default=["L", "XL"], choices=list(SIZES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", help="words in the works wanted")
    parser.add_argument("--peers")
    parser.add_argument("--r-library")
    parser.add_argument("--write", type=Path)
    asked = parser.parse_args()
    rows: list[dict] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for size in asked.sizes:
            make = [sys.executable, "-c", MAKE, str(SIZES[size]), str(folder / size)]
            subprocess.run(make, check=True)
            measure(asked, size, folder, rows)


def write(path: Path, rows: list[dict]) -> None:
    """Write all rows so far, so that a run that is ended leaves what it found."""
    when = {"date": dt.date.today().isoformat(), "cores": os.cpu_count(),
            "machine": platform.machine(), "python": platform.python_version()}  # fmt: skip
    with path.open("w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, [*rows[0], *when])
        writer.writeheader()
        writer.writerows({**row, **when} for row in rows)


if __name__ == "__main__":
    main()
