"""Measure event studies of many units beside fixest, in one run, at the public call from a frame.

    python tests/benchmarks/panel_scale.py [--units 400000] [--periods 12] [--rounds 3]
        [--peer-python /tmp/peer/bin/python] [--r-library FOLDER]
        [--write tests/benchmarks/panel.csv]

pyfixest is no dependency of ours: `python -m venv /tmp/peer && /tmp/peer/bin/pip install pyfixest`
makes the interpreter of --peer-python; the folder of --r-library holds R's fixest and data.table,
which reads the rows (not timed). What is absent is said and left out. Each line runs in a
process of its own: one round that is not counted, then the median of the rounds. A ratio is the
peer's seconds over ours in the same run; on a machine that others use too, the ratio of processor
seconds says more. Errors are by unit, CR1 in both, and CR2 with Satterthwaite's degrees of freedom
in ours. The one regressor of pyfixest's first line is what ours gives as a combination of the
coefficients. Numbers that should agree are under `check`. Ours counts making the panel.
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MADE = """
rng = np.random.default_rng(1)
treated, times = rng.random(units) < 0.4, np.arange(2006, 2006 + periods)
middle = 2006 + periods // 2
y = rng.normal(size=(units, periods)) + rng.normal(size=(units, 1))
y += 0.3 * treated[:, None] * (times >= middle)
frame = pd.DataFrame({"unit": np.repeat(np.arange(units), periods), "time": np.tile(times, units),
                      "y": y.ravel(), "treated": np.repeat(treated * 1.0, periods)})
frame["on"] = frame["treated"] * (frame["time"] >= middle)
"""
ROWS = """
import sys
import numpy as np, pandas as pd
units, periods = map(int, sys.argv[1:3])
"""
ROWS += MADE + "frame.to_csv(sys.argv[3], index=False)\n"
LINE = """
import json, resource, sys, time
from importlib.metadata import version
import numpy as np, pandas as pd
units, periods, rounds = map(int, sys.argv[1:])
{made}{code}
spent, used = [], []
for _ in range(rounds + 1):
    start, processor = time.perf_counter(), time.process_time()
    found = run()
    spent.append(time.perf_counter() - start)
    used.append(time.process_time() - processor)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({{"times": spent[1:], "used": used[1:], "peak": peak,
                  "check": [float(one) for one in check(found)], "version": version("{package}")}}))
"""
OURS = """
import tfeval as tf
def run():
    panel = tf.panel(frame, unit="unit", time="time", outcomes=["y"], fixed=["treated"])
    design = tf.event_study("treated", base=middle - 1, post=times[times >= middle],
                            small_sample="{small_sample}")
    return design.fit(panel, "y")
def check(found):
    {check}
"""
PEER = """
import pyfixest as pf
def run():
    return pf.feols("{formula}", frame, vcov={{"CRV1": "unit"}})
def check(found):
    return found.coef().iloc[0], found.se().iloc[0]
"""
R_LINE = """
suppressMessages(library(fixest))
asked <- commandArgs(TRUE)
frame <- data.table::fread(asked[1], data.table = FALSE)
run <- function() feols(FORMULA, frame, cluster = ~unit)
took <- sapply(0:as.integer(asked[2]), function(round) {
  time <- system.time(found <<- run())
  c(time[["elapsed"]], time[["user.self"]] + time[["sys.self"]])
})
peak <- as.numeric(sub("[^0-9]*([0-9]+).*", "\\\\1",
                       grep("VmHWM", readLines("/proc/self/status"), value = TRUE))) / 1024
text <- function(x) paste0("[", paste(format(x, digits = 12), collapse = ","), "]")
cat(paste0('{"times":', text(took[1, -1]), ',"used":', text(took[2, -1]), ',"peak":', peak,
           ',"check":', text(c(coef(found)[[1]], se(found)[[1]])), ',"version":"',
           packageVersion("fixest"), '"}'))
"""
COMBINED = (
    "one = found.combine({int(t): 1 / (times >= middle).sum() if t >= middle else "
    "-1 / (times < middle).sum() for t in times}); return one.estimate, one.std_error"
)
FIRST = "row = found.coefficients.iloc[0]; return row['estimate'], row['std_error']"
#: For each work its lines: who, and the code.
WORK = {
    "one binary regressor": {
        "tfeval, CR1": OURS.format(small_sample="cr1", check=COMBINED),
        "tfeval, CR2": OURS.format(small_sample="cr2", check=COMBINED),
        "pyfixest": PEER.format(formula="y ~ on | unit + time"),
        "R fixest": R_LINE.replace("FORMULA", "y ~ on | unit + time"),
    },
    "event study": {
        "tfeval, CR1": OURS.format(small_sample="cr1", check=FIRST),
        "tfeval, CR2": OURS.format(small_sample="cr2", check=FIRST),
        "pyfixest": PEER.format(formula="y ~ i(time, treated, ref=REF) | unit + time"),
        "R fixest": R_LINE.replace("FORMULA", "y ~ i(time, treated, ref = REF) | unit + time"),
    },
}


def measured(asked: argparse.Namespace, who: str, code: str) -> dict | str:
    """Run one line; return its seconds, peak and check, or why there are none."""
    ours = who.startswith("tfeval")
    python = sys.executable if ours else asked.peer_python
    code = code.replace("REF", str(2006 + asked.periods // 2 - 1))
    text = LINE.format(made=MADE, code=code, package="tfeval" if ours else "pyfixest")
    words = [python, "-W", "ignore", "-c", text, *map(str, (asked.units, asked.periods))]
    if who.startswith("R "):
        if not asked.r_library:
            return "no --r-library"
        words = ["Rscript", "--vanilla", "-e", code, str(asked.rows)]
    if shutil.which(words[0]) is None:
        return f"no {words[0]}"
    done = subprocess.run(
        [*words, str(asked.rounds)], capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT) if ours else "", "R_LIBS": asked.r_library},
    )  # fmt: skip
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["failed"])[-1]
    return json.loads(done.stdout.strip().splitlines()[-1])


def main() -> None:
    """Print seconds, ratios and peaks; write them if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=400_000)
    parser.add_argument("--periods", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer-python", default=sys.executable)
    parser.add_argument("--r-library", default="")
    parser.add_argument("--write", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asked.rows = Path(folder) / "rows.csv"
        if asked.r_library:
            given = map(str, (asked.units, asked.periods, asked.rows))
            subprocess.run([sys.executable, "-c", ROWS, *given], check=True)
        rows = compared(asked)
    if asked.write and rows:
        with asked.write.open("w", newline="", encoding="utf-8") as out:
            writer = csv.DictWriter(out, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


def compared(asked: argparse.Namespace) -> list[dict]:
    """Measure every line; return what is written of each."""
    rows = []
    for work, lines in WORK.items():
        own = None
        for who, code in lines.items():
            found = measured(asked, who, code)
            if isinstance(found, str):
                print(f"{work} | {who}: absent, {found}", flush=True)
                continue
            middle, used = (statistics.median(found[name]) for name in ("times", "used"))
            own = (middle, used) if own is None else own
            rows.append({
                "units": asked.units, "periods": asked.periods, "work": work, "who": who,
                "seconds": round(middle, 2), "ratio": round(middle / own[0], 1),
                "cpu_seconds": round(used, 2), "cpu_ratio": round(used / own[1], 1),
                "peak_mib": round(found["peak"]), "load": round(os.getloadavg()[0], 1),
                "check": " ".join(f"{one:.8g}" for one in found["check"]),
                "version": found["version"], "date": dt.date.today().isoformat(),
                "cores": os.cpu_count(), "machine": platform.machine(),
                "python": platform.python_version(),
            })  # fmt: skip
            print(" | ".join(map(str, rows[-1].values())), flush=True)
    return rows


if __name__ == "__main__":
    main()
