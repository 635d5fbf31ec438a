"""Measure designs and effects beside peers, in one run, at the public call from a frame.

    python tests/benchmarks/peers_scale.py [--sizes L XL] [--selection gentle middle strong]
        [--rounds 3] [--only WORD ...] [--peers FOLDER] [--r-library FOLDER]
        [--write tests/benchmarks/peers.csv]

FOLDER of --peers is where `pip install --target FOLDER --no-deps empirical_calibration absl-py
statspai` put the peers that are no dependency of ours; that of --r-library holds MatchIt,
WeightIt and fastglm, built from their public repositories. R should use a fast BLAS (Debian's
libopenblas0): with the reference one its regressions take three times as long. What is absent is
said and left out. Each line runs in a process of its own: one round that is not counted, then the
median of the rounds. The whole process counts everything, from its start over reading the records
to the pairs. A ratio is the peer's seconds over ours in the same run; under 1.5 it is noise. On a
machine that others use too, the ratio of processor seconds (two threads count twice) says more.
Numbers that should agree are under `check`. Under strong selection MatchIt searches long for free
units, so gentle selection is the harder test of ours.
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

from peers_lines import MAKE, PYTHON, WHOLE, WORK, R

ROOT = Path(__file__).resolve().parents[2]
SIZES = {"S": 2_000, "M": 20_000, "L": 100_000, "XL": 400_000}
SELECTION = {"gentle": 0.08, "middle": 0.17, "strong": 0.25}


def command(language: str, code: str, folder: Path) -> list[str]:
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


def line(asked: argparse.Namespace, data: str, who: str, code: str, folder: Path) -> dict | str:
    """Measure one line of a work."""
    language, _, package = who.partition(" ")
    text = (PYTHON if language == "python" else R).format(code=code, package=package)
    found = run(asked, [*command(language, text, folder), data, str(asked.rounds)], folder)
    return found if isinstance(found, str) else json.loads(found["out"])


def whole(asked: argparse.Namespace, data: str, who: str, code: str, folder: Path) -> dict | str:
    """Measure a whole process, with one that is not counted before."""
    words = [*command(who.partition(" ")[0], code, folder), data]
    every = [run(asked, words, folder) for _ in range(1 + asked.rounds)]
    for one in every:
        if isinstance(one, str):
            return one
    return {
        "times": [one["seconds"] for one in every[1:]],
        "used": [one["used"] for one in every[1:]],
        "peak": max(one["peak"] for one in every),
        "check": float(every[0]["out"]),
        "version": "",
    }


def measure(
    asked: argparse.Namespace, size: str, selection: str, folder: Path, rows: list[dict]
) -> None:
    """Print all lines of one size, and add them to the rows."""
    data = str(folder / f"{size}-{selection}")
    make = [sys.executable, "-c", MAKE, str(SIZES[size]), data, str(SELECTION[selection])]
    subprocess.run(make, check=True)
    works = {name: (lines, line) for name, lines in WORK.items()}
    works["whole process"] = (WHOLE, whole)
    for work, (lines, way) in works.items():
        if asked.only and not any(word in work for word in asked.only):
            continue
        own = None
        for peer, (who, code) in lines.items():
            found = way(asked, data, who, code, folder)
            if isinstance(found, str):
                print(f"{size} {work} | {peer}: absent, {found}", flush=True)
                continue
            middle, used = (statistics.median(found[name]) for name in ("times", "used"))
            own = (middle, used) if own is None else own
            row = {"size": size, "selection": selection, "work": work, "who": peer,
                   "seconds": round(middle, 3), "ratio": round(middle / own[0], 1),
                   "cpu_seconds": round(used, 3), "cpu_ratio": round(used / own[1], 1),
                   "peak_mib": round(found["peak"]), "load": round(os.getloadavg()[0], 1),
                   "check": f"{found['check']:.8g}", "version": found["version"]}  # fmt: skip
            rows.append(row)
            print(" | ".join(map(str, row.values())), flush=True)
            if asked.write:
                write(asked.write, rows)


def main() -> None:
    """Print seconds, ratios and peaks; write them if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="+", default=["L", "XL"], choices=list(SIZES))
    parser.add_argument("--selection", nargs="+", default=["middle"], choices=list(SELECTION))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", help="words in the works wanted")
    parser.add_argument("--peers")
    parser.add_argument("--r-library")
    parser.add_argument("--write", type=Path)
    asked = parser.parse_args()
    rows: list[dict] = []
    for size in asked.sizes:
        for selection in asked.selection:
            with tempfile.TemporaryDirectory() as name:
                measure(asked, size, selection, Path(name), rows)


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
