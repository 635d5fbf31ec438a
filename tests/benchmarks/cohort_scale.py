"""Measure the cohort at scale: time, memory, growth, and ratios to a plain scan and to pandas.

    python tests/benchmarks/cohort_scale.py --families 480000 --folder FOLDER [--limit 1GB]

Prints seconds, peak memory of a fresh process, and as ratios in the same run: the cohort against
DuckDB reading the same columns once, and (at a smaller size) against the slow reference.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def timed(code: str) -> dict[str, float]:
    """Run code that sets `seconds` in a process of its own; return seconds, rows and peak GiB."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return json.loads(done.stdout.strip().splitlines()[-1])


TAIL = """
import json, resource
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
print(json.dumps({"seconds": seconds, "rows": rows, "peak_gib": peak}))
"""

COHORT = """
import time
from tfeval.records.store import open_records
from tfeval.cohort.cohort import cohort
records = open_records({folder!r}, memory_limit={limit!r})
start = time.perf_counter()
frame = cohort(records, phase={phase!r}, horizon=(6, 12, 18, 24),
               comparison="not_yet_treated").to_pandas()
seconds, rows = time.perf_counter() - start, len(frame)
"""

SCAN = """
import time, duckdb
from tfeval.programme.outcomes import cohort_outcomes
folder = {folder!r}
tables = {{m.table for m in cohort_outcomes()}} | {{"people", "families"}}
con = duckdb.connect()
start = time.perf_counter()
rows = 0
for table in sorted(tables):
    path = f"'{{folder}}/{{table}}.parquet'"
    names = [d[0] for d in con.execute(f"select * from {{path}} limit 0").description]
    most = ", ".join(f'max("{{name}}")' for name in names)
    con.execute(f"select {{most}}, count(*) from {{path}}").fetchall()
seconds = time.perf_counter() - start
"""

SLOW = """
import time
from datetime import date
from tfeval.records.store import open_records
from tests.cohort.reference import Slow, slow_cohort
records = open_records({folder!r})
start = time.perf_counter()
frames = {{n: records.table(n).to_pyarrow().to_pandas(date_as_object=True) for n in records.tables}}
slow = Slow(frames, records.ends_on)
rows = len(slow_cohort(slow, {phase!r}, (6, 12, 18, 24), "not_yet_treated", 1))
seconds = time.perf_counter() - start
"""


def extract(folder: Path, families: int) -> str:
    """Simulate an extract unless it is there already."""
    target = folder / f"extract-{families}"
    if not target.is_dir():
        from tfeval.records.simulate import simulate_to

        start = time.perf_counter()
        simulate_to(target, families=families, seed=1)
        print(f"simulated {families:,} families in {time.perf_counter() - start:.1f} s")
    return str(target)


def main() -> None:
    """Measure and print."""
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--families", type=int, default=480_000)
    words.add_argument("--folder", type=Path, required=True)
    words.add_argument("--limit", default=None)
    words.add_argument("--slow-families", type=int, default=1_000)
    asked = words.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    for families in (10_000, 100_000, asked.families):
        folder = extract(asked.folder, families)
        scan = timed(SCAN.format(folder=folder) + TAIL)
        found = timed(COHORT.format(folder=folder, limit=asked.limit, phase="one") + TAIL)
        print(
            f"{families:>9,} families: cohort {found['rows']:,} units in {found['seconds']:.1f} s, "
            f"{found['peak_gib']:.2f} GiB; scan {scan['seconds']:.2f} s; "
            f"ratio {found['seconds'] / scan['seconds']:.1f}"
        )
    folder = extract(asked.folder, asked.slow_families)
    slow = timed(SLOW.format(folder=folder, phase="one") + TAIL)
    fast = timed(COHORT.format(folder=folder, limit=None, phase="one") + TAIL)
    print(
        f"{asked.slow_families:>9,} families: slow reference {slow['seconds']:.1f} s, "
        f"cohort {fast['seconds']:.1f} s, ratio {slow['seconds'] / fast['seconds']:.1f}"
    )
    print(
        f"peak of this driver {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB"
    )


if __name__ == "__main__":
    main()
