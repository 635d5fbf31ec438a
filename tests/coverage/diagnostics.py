"""How often each check of a comparison alarms where nothing is wrong, and where something is.

Simulates families by both simulators, makes the design and the checks of chapter 4, and writes
tests/coverage/diagnostics.csv:

    python tests/coverage/diagnostics.py --keep FOLDER

With --keep each draw is kept in a folder, and a run goes on where it stopped. The seed of a draw
follows from its simulator, world and number. A draw takes about three seconds of a processor.

One row a world (`clean` says whether nothing is wrong that the design cannot mend) and check: in
what share of the draws it failed, with its Monte Carlo error; of checks of no effect also how often
p was below 0.05 before Holm, and in standard deviations the mean shift of all outcomes and what a
check would have seen, of all and of one. Of "balance", "confidence" and "bound" the share is that
of the word in `word`.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import pandas as pd

import tfeval as tf
from tfeval.audit.replication import PRIMARY, Task, simulated
from tfeval.audit.worlds import PHASE, WORLDS
from tfeval.impact.diagnostics.diagnose import confidence
from tfeval.impact.diagnostics.placebos import FAILED, OF_NONE

SEED, FAMILIES = 31, 4_000
TABLE = Path(__file__).parent / "diagnostics.csv"
#: Worlds without selection that nobody recorded, then others; and how often each is drawn.
CLEAN = ("nothing_wrong", "selection_recorded", "crisis")
BROKEN = ("selection_unrecorded", "data_matching_claimed", "other_help")
SIMULATORS = ("rates", "histories")


def one_draw(simulator: str, world: str, number: int) -> list[dict[str, object]]:
    """Return the verdicts of one draw, one row a check."""
    effects = "none" if "none" in WORLDS[world].effects else "known"
    task = Task(simulator, world, effects, FAMILIES, SEED, number)
    records = simulated(task).records
    families = tf.cohort(records, phase=PHASE, treatment=WORLDS[world].treatment)
    design = tf.design(tf.study(families, months=12))
    checks = tf.diagnose(design, families, records)
    balance = design.balance().verdict().word
    outcomes = families.outcomes(12)
    bounds = tf.sensitivity(design, outcomes[[one for one in PRIMARY if one in outcomes]])
    sure = confidence(balance, checks.verdicts, bounds)
    rows = checks.to_frame()[["check", "verdict", "p_value", "detectable", "detectable_single"]]
    of_none = rows[rows["check"].isin(OF_NONE)]
    any_failed = FAILED if (of_none["verdict"] == FAILED).any() else "passed"
    more = {"balance": balance, "confidence": sure.level, "bound": sure.bound,
            "any_of_none": any_failed}  # fmt: skip
    found = [*rows.to_dict("records"), *({"check": k, "verdict": v} for k, v in more.items())]
    at_once = checks.tests[checks.tests["outcome"] == "together"].set_index("check")
    for row in found:
        if row["check"] in at_once.index:
            row["shift"] = at_once.loc[row["check"], "estimate"]
        row |= {"simulator": simulator, "world": world, "draw": number}
    return found


#: What a row counts: of checks those that failed.
WORDS = {"balance": "balanced", "confidence": "high", "bound": "stronger_than_any"}


def summed(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the table: how often each check fails."""
    lines = []
    for (simulator, world, check), own in rows.groupby(["simulator", "world", "check"]):
        word = WORDS.get(check, FAILED)
        share = (own["verdict"] == word).mean()
        lines.append({
            "simulator": simulator, "world": world, "clean": world in CLEAN, "check": check,
            "draws": len(own), "word": word, "share": share,
            "share_error": np.sqrt(share * (1 - share) / len(own)),
            "below_5_percent": (own["p_value"].dropna() < 0.05).mean(),
            "shift": own["shift"].mean(), "detectable": own["detectable"].median(),
            "detectable_single": own["detectable_single"].median(),
        })  # fmt: skip
    return pd.DataFrame(lines)


def main() -> None:
    """Draw, and write the table."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--keep", type=Path, required=True)
    asked.add_argument("--draws", type=int, default=30)
    given = asked.parse_args()
    given.keep.mkdir(parents=True, exist_ok=True)
    for number in range(given.draws):
        for simulator in SIMULATORS:
            for world in (*CLEAN, *(BROKEN if number % 2 == 0 else ())):
                part = given.keep / f"{simulator}-{world}-{number:04d}.json"
                if not part.is_file():
                    begun = time.process_time()
                    rows = one_draw(simulator, world, number)
                    part.write_text(json.dumps([*rows, {"seconds": time.process_time() - begun}]))
    kept = [json.loads(part.read_text()) for part in sorted(given.keep.glob("*.json"))]
    rows = pd.DataFrame([row for part in kept for row in part[:-1]])
    seconds = sum(part[-1]["seconds"] for part in kept)
    about = {"seed": SEED, "families": FAMILIES, "draws": len(kept), "seconds": round(seconds)}
    text = summed(rows).to_csv(index=False, float_format="%.4g", lineterminator="\n")
    TABLE.write_text(f"# {json.dumps(about)}\n{text}", encoding="utf-8")


if __name__ == "__main__":
    main()
