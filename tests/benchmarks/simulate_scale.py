"""Time, memory and rows of a simulation at national scale, against a plain write of its rows.

Run: python tests/benchmarks/simulate_scale.py [--families 480000] [--folder DIR]
The peer, measured in the same run: DuckDB reads every event table that was simulated and writes it
to Parquet again (`COPY ... TO`), with the same compression; each part runs in its own process.
Beside it: all checks with DuckDB held to 1 GiB, and giving all people and families pseudonyms.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SEED = 2012


def simulate_all(folder: Path, families: int) -> None:
    from tfeval.records.simulate import simulate_to

    simulate_to(folder / "records", families=families, seed=SEED)


def write_plainly(folder: Path, families: int) -> None:
    import duckdb

    connection = duckdb.connect()
    connection.execute("SET memory_limit = '6GB'")
    for part in ("records", "records-truth"):
        (folder / "copy" / part).mkdir(parents=True)
        for path in sorted((folder / part).glob("*.parquet")):
            target = folder / "copy" / part / path.name
            connection.execute(f"COPY (FROM '{path}') TO '{target}' (COMPRESSION zstd)")


def check_all(folder: Path, families: int) -> None:
    from tfeval.records.check import check_records
    from tfeval.records.store import connect

    spill = folder / "spill"
    records = connect(folder / "records", memory_limit="1GiB", spill_to=spill)
    assert check_records(records).clean


def rename_all(folder: Path, families: int) -> None:
    from tfeval.records.pseudonyms import pseudonymise

    pseudonymise(folder / "records", folder / "renamed", b"a key of thirty-two bytes or more")


PARTS = {
    "simulate": simulate_all,
    "write": write_plainly,
    "check": check_all,
    "pseudonymise": rename_all,
}


def measured(part: str, folder: Path, families: int) -> dict[str, float]:
    """Run one part in its own process; seconds and peak memory in GiB."""
    command = [sys.executable, __file__, "--part", part, "--folder", str(folder)]
    done = subprocess.run(
        [*command, "--families", str(families)], check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def rows_of(folder: Path) -> dict[str, int]:
    import pyarrow.parquet as pq

    return {path.stem: pq.read_metadata(path).num_rows for path in sorted(folder.glob("*.parquet"))}


def size_of(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.iterdir()) / 2**30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--families", type=int, default=480_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--part", choices=PARTS)
    given = parser.parse_args()
    if given.part:
        begin = time.perf_counter()
        PARTS[given.part](given.folder, given.families)
        seconds = time.perf_counter() - begin
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(json.dumps({"seconds": seconds, "gib": peak}))
        return
    with tempfile.TemporaryDirectory(dir=given.folder) as place:
        report(Path(place), given.families)


def report(folder: Path, families: int) -> None:
    made = measured("simulate", folder, families)
    written = measured("write", folder, families)
    checked = measured("check", folder, families)
    renamed = measured("pseudonymise", folder, families)
    rows = rows_of(folder / "records")
    for name, number in rows.items():
        print(f"{name:28}{number:>14,}")
    events = sum(rows.values()) - sum(
        rows[name] for name in ("families", "people", "family_moves", "coverage")
    )
    truth = sum(rows_of(folder / "records-truth").values())
    print(f"{'event rows':28}{events:>14,}\n{'rows of the truth':28}{truth:>14,}")
    print(f"size on disk, GiB            records {size_of(folder / 'records'):.2f}, "
          f"truth {size_of(folder / 'records-truth'):.2f}")  # fmt: skip
    parts = {
        "simulate to Parquet": made,
        "plain write by DuckDB": written,
        "all checks, 1 GiB limit": checked,
        "pseudonymise": renamed,
    }
    for name, part in parts.items():
        ratio = part["seconds"] / written["seconds"]
        print(
            f"{name:28}{part['seconds']:>8.1f} s{part['gib']:>7.2f} GiB peak{ratio:>7.1f} x write"
        )


if __name__ == "__main__":
    main()
