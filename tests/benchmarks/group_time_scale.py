"""Measure group-time effects beside peers, in one run, from a long frame to effects by event.

    python tests/benchmarks/group_time_scale.py [--units 100000] [--rounds 3] [--peers PYTHON]
        [--r-library FOLDER] [--only WORD ...] [--write tests/benchmarks/group_time.csv]

100,000 units, 10 periods, 6 groups and those never treated, 4 covariates: doubly robust, analytic
errors, against those never treated and those not treated yet. PYTHON of --peers is that of an
environment with `pip install moderndid csdid diff-diff numba pyarrow`; FOLDER of --r-library holds
R's did and data.table: did is timed with its fast mode (its default) and without. In
group_time.csv they were R 4.2.2, did 2.5.1, DRDID 1.2.3, fastglm 0.0.3 and data.table 1.17.0;
its Python peers are of an earlier run, in which ours took a third longer, with that run's ratios.
What is absent is said and left out. Each line
runs in a process of its own, with one thread for linear algebra: one round of a tenth of the units
that is not counted, then the median of the rounds. On a machine that others use too, the ratio of
processor seconds says more. `worst` is the largest difference from our effects by event, `error`
that of standard errors, relative to the smallest.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[2]
COMPARISONS = ("never", "not_yet")
NAMES = ["x0", "x1", "x2", "x3"]
TIMED = """
import json, statistics, sys, time, warnings
import pandas as pd
warnings.simplefilter("ignore")
rows, comparison, rounds = pd.read_parquet("rows.parquet"), sys.argv[1], int(sys.argv[2])
work(rows[rows["unit"] < rows["unit"].max() / 10], comparison)
wall, used = [], []
for _ in range(rounds):
    start, cpu = time.perf_counter(), time.process_time()
    made = work(rows, comparison)
    wall.append(time.perf_counter() - start)
    used.append(time.process_time() - cpu)
print(json.dumps([statistics.median(wall), statistics.median(used), made]))
"""
LINES = {
    "tfeval": """
import tfeval as tf
def work(rows, comparison):
    names = ["x0", "x1", "x2", "x3"]
    made = tf.panel(rows, unit="unit", time="time", outcomes=["y"], fixed=["first", *names])
    design = tf.group_time("first", covariates=names, comparison=comparison + "_treated")
    frame = design.averages(made, "y").frame
    return [frame[name].tolist() for name in ("event", "estimate", "std_error")]
""",
    "diff-diff": """
from diff_diff import CallawaySantAnna
def work(rows, comparison):
    made = CallawaySantAnna(control_group=comparison + "_treated", estimation_method="dr").fit(
        rows.fillna({"first": 0}), "y", "unit", "time", "first", ["x0", "x1", "x2", "x3"],
        aggregate="event_study")
    found = made.event_study_effects
    return [list(map(int, found)), [one["effect"] for one in found.values()],
            [one["se"] for one in found.values()]]
""",
    "moderndid": """
import moderndid
def work(rows, comparison):
    made = moderndid.att_gt(
        rows.fillna({"first": 0}), "y", "time", "unit", "first", "~ x0 + x1 + x2 + x3",
        control_group=comparison.replace("_", "") + "treated", cband=False)
    found = moderndid.aggte(made, type="dynamic", cband=False)
    return [list(map(int, found.event_times)), list(map(float, found.att_by_event)),
            list(map(float, found.se_by_event))]
""",
    "csdid": """
import contextlib, io
from csdid.att_gt import ATTgt
def work(rows, comparison):
    with contextlib.redirect_stdout(io.StringIO()):
        made = ATTgt("y", "time", "unit", "first", rows.fillna({"first": 0}),
                     control_group=[comparison.replace("_", "") + "treated"],
                     xformla="y ~ x0 + x1 + x2 + x3").fit(est_method="dr", bstrap=False)
        found = made.aggte("dynamic", bstrap=False, cband=False).atte
    return [list(map(int, found["egt"])), list(map(float, found["att_egt"])),
            [float(one) for one in found["se_egt"][0]] if len(found["se_egt"]) == 1
            else list(map(float, found["se_egt"]))]
""",
}
R_LINE = """
suppressMessages(library(did))
asked <- commandArgs(TRUE)
rows <- data.table::fread("rows.csv", data.table = FALSE)
rows$first[is.na(rows$first)] <- 0
work <- function(rows) suppressWarnings(suppressMessages(aggte(att_gt(
  "y", "time", "unit", "first", ~ x0 + x1 + x2 + x3, rows, bstrap = FALSE, cband = FALSE,
  faster_mode = asked[3] == "fast",
  control_group = paste0(sub("_", "", asked[1]), "treated")), "dynamic")))
invisible(work(rows[rows$unit < max(rows$unit) / 10, ]))
took <- sapply(seq_len(as.integer(asked[2])), function(round) {
  time <- system.time(made <<- work(rows))
  c(time[["elapsed"]], time[["user.self"]] + time[["sys.self"]])
})
text <- function(x) paste0("[", paste(format(x, digits = 12), collapse = ","), "]")
cat(paste0("[", median(took[1, ]), ",", median(took[2, ]), ",[", text(made$egt), ",",
           text(made$att.egt), ",", text(made$se.egt), "]]"))
"""


def long(units: int) -> pd.DataFrame:
    """Return the rows: unit, time, first, y and covariates."""
    rng, times = np.random.default_rng(1), np.arange(1, 11)
    first = rng.choice([np.nan, 3, 4, 5, 6, 8, 9], units, p=[0.4, *[0.1] * 6])
    x = rng.normal(size=(units, 4)) + 0.1 * np.isfinite(first)[:, None]
    since = times - np.where(np.isnan(first), np.inf, first)[:, None]
    y = rng.normal(size=(units, 1)) + 0.2 * times + 0.1 * times * x[:, :1]
    y = y + rng.normal(size=since.shape) + (since >= 0) * (0.5 + 0.1 * np.maximum(since, 0))
    return pd.DataFrame(
        {"unit": np.repeat(np.arange(units), 10), "time": np.tile(times, units),
         "first": np.repeat(first, 10), "y": y.ravel(),
         **{name: np.repeat(x[:, at], 10) for at, name in enumerate(NAMES)}}
    )  # fmt: skip


def measured(words: list[str], folder: Path, r_library: str) -> list | str:
    """Run one line; return what it prints, or why there is nothing."""
    own = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1",
           "PYTHONPATH": str(ROOT), "R_LIBS": r_library}  # fmt: skip
    done = subprocess.run(
        words, capture_output=True, text=True, check=False, cwd=folder, env={**os.environ, **own}
    )
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["failed"])[-1]
    return json.loads(done.stdout.strip().splitlines()[-1])


def compared(asked: argparse.Namespace, comparison: str, folder: Path) -> list[dict]:
    """Measure every line against one comparison group; return what is written of each."""
    ours, told = None, []
    for who, code in {**LINES, "R did": "", "R did, fast mode": ""}.items():
        program = sys.executable if who == "tfeval" else asked.peers
        words = ["Rscript", "--vanilla", "line.R"] if not code else [program, "line.py"]
        if not words[0] or (asked.only and who not in ("tfeval", *asked.only)):
            continue
        (folder / "line.py").write_text(code + TIMED, encoding="utf-8")
        mode = "fast" if who.endswith("fast mode") else "plain"
        words += [comparison, str(asked.rounds), mode]
        found = measured(words, folder, asked.r_library)
        if isinstance(found, str):
            print(f"{comparison:8} {who:16} not measured: {found[:80]}")
            continue
        seconds, used, (events, *numbers) = found
        table = pd.DataFrame(dict(zip(("estimate", "error"), numbers, strict=True)), events)
        ours = (seconds, used, table) if ours is None else ours
        away = (table - ours[2]).abs().max() / [1, ours[2]["error"].min()]
        told.append({
            "comparison": comparison, "who": who, "units": asked.units,
            "seconds": round(seconds, 3), "processor": round(used, 3),
            "times_ours": round(seconds / ours[0], 1),
            "processor_times_ours": round(used / ours[1], 1),
            "worst": float(f"{away['estimate']:.1e}"), "error": float(f"{away['error']:.1e}"),
        })  # fmt: skip
        print(" ".join(f"{key} {value}" for key, value in told[-1].items()), flush=True)
    return told


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", default="")
    parser.add_argument("--r-library", default="")
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--write", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, rows = Path(name), long(asked.units)
        rows.to_parquet(folder / "rows.parquet")
        rows.to_csv(folder / "rows.csv", index=False)
        (folder / "line.R").write_text(R_LINE, encoding="utf-8")
        told = [one for comparison in COMPARISONS for one in compared(asked, comparison, folder)]
    if asked.write and told:
        with asked.write.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, told[0], lineterminator="\n")
            writer.writeheader()
            writer.writerows(told)


if __name__ == "__main__":
    main()
