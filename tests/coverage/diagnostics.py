"""How often each check of a comparison alarms where nothing is wrong, and where something is.

Simulates families by both simulators, makes the design and the checks of chapter 4, and writes
tests/coverage/diagnostics.csv:

    python tests/coverage/diagnostics.py --keep FOLDER

With --keep each draw is kept in a folder, and a run goes on where it stopped. The seed of a draw
follows from its simulator, world, size and number. A draw of 4,000 families takes about three
seconds of a processor, one of 40,000 fifteen, one of 400,000 some minutes.

One row a world (`clean` says whether nothing is wrong that the design cannot mend), size, shift and
check, and word: in what share of the draws it came, with its Monte Carlo error. Words of a check of
no effect are its four answers: "alike" and "small" (both pass), "differs" (fails), "not_known"
(cannot be judged); of other checks "failed"; of "balance", "confidence" and "bound" as in `WORDS`.
Of checks of no effect also how often p was below 0.05 before Holm, and in standard deviations the
mean shift of all outcomes, from what size on it mattered, and what a check would have seen, of all
and of one (medians). `planted` is a shift of the treated's outcomes of the year before the one that
the design knows, in standard deviations and for the worse, which only placebo outcomes can see.
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
from tfeval.impact.diagnostics import placebos, verdicts
from tfeval.impact.diagnostics.diagnose import confidence
from tfeval.impact.diagnostics.placebos import CANNOT, FAILED, OF_NONE, PASSED, TOGETHER
from tfeval.programme.outcomes import is_more_better, reported_outcomes

SEED, FEW, MANY, NATIONAL = 31, 4_000, 40_000, 400_000
TABLE = Path(__file__).parent / "diagnostics.csv"
#: Worlds without selection that nobody recorded, then others; and how often each is drawn.
CLEAN = ("nothing_wrong", "selection_recorded", "crisis")
BROKEN = ("selection_unrecorded", "data_matching_claimed", "other_help")
#: Worlds of many families, of the first simulator, and that in which shifts are planted.
LARGE = ("nothing_wrong", "selection_unrecorded")
PLANTED_IN, PLANTED = "nothing_wrong", (0.01, 0.02, 0.04, 0.08)
SIMULATORS = ("rates", "histories")


def one_draw(simulator: str, world: str, families: int, number: int) -> list[dict[str, object]]:
    """Return the verdicts of one draw, one row a check."""
    effects = "none" if "none" in WORLDS[world].effects else "known"
    task = Task(simulator, world, effects, families, SEED, number)
    records = simulated(task).records
    cohort = tf.cohort(records, phase=PHASE, treatment=WORLDS[world].treatment)
    design = tf.design(tf.study(cohort, months=12))
    checks = tf.diagnose(design, cohort, records)
    balance = design.balance().verdict().word
    outcomes = cohort.outcomes(12)
    bounds = tf.sensitivity(design, outcomes[[one for one in PRIMARY if one in outcomes]])
    sure = confidence(balance, checks.verdicts, bounds)
    columns = ["check", "verdict", "reason", "p_value", "margin", "detectable",
               "detectable_single"]  # fmt: skip
    rows = checks.to_frame()[columns]
    any_failed = (rows.loc[rows["check"].isin(OF_NONE), "verdict"] == FAILED).any()
    more = {"balance": balance, "confidence": sure.level, "bound": sure.bound,
            "any_of_none": FAILED if any_failed else PASSED}  # fmt: skip
    drawn = [*rows.to_dict("records"), *({"check": k, "verdict": v} for k, v in more.items())]
    at_once = checks.tests[checks.tests["outcome"] == TOGETHER].set_index("check")
    for row in drawn:
        if row["check"] in at_once.index:
            row["shift"] = at_once.loc[row["check"], "estimate"]
    if world == PLANTED_IN:
        drawn += planted(checks, placebos.Asked(
            design, cohort, records, 12, "adjusted", tuple(reported_outcomes())
        ))  # fmt: skip
    about = {"simulator": simulator, "world": world, "families": families, "draw": number}
    return [{"planted": 0.0, **row, **about} for row in drawn]


def planted(checks: tf.Diagnostics, request: placebos.Asked) -> list[dict[str, object]]:
    """Return what placebo outcomes say where the treated's have been shifted by so much."""
    design, check = request.design, "placebo_outcomes"
    after = request.families.outcomes(12).loc[design.study.index]
    names = [name for name in request.outcomes if name in after]
    margin = verdicts.margins(placebos.tests_of("", design, after, "adjusted", names, True))
    made = {one: checks.tests[checks.tests["check"] == one] for one in OF_NONE}
    other = checks.frame.set_index("check")["p_value"]
    spread = made[check].set_index("outcome")["sd_comparison"]
    rows = []
    for shift in PLANTED:
        earlier = request.window("earlier").copy()
        for name in spread.index.intersection(earlier.columns):
            by = -shift if is_more_better(name) else shift
            earlier.loc[design.study.treated, name] += by * spread[name]
        tests = placebos.tests_of(check, design, earlier, "adjusted", names, True)
        all_of = {**made, check: tests}
        p = verdicts.adjusted_p(all_of, {"censoring": other["censoring"]})
        row = next(one for one in verdicts.judged(all_of, margin, p) if one["check"] == check)
        shown = tests.loc[tests["outcome"] == TOGETHER, "estimate"]
        rows.append({**{name: row[name] for name in ("check", "verdict", "reason", "p_value",
                     "margin", "detectable", "detectable_single")}, "planted": shift,
                     "shift": float(shown.iloc[0])})  # fmt: skip
    return rows


#: What a row counts where it is neither a check of no effect nor a check that fails.
WORDS = {"balance": "balanced", "confidence": "high", "bound": "stronger_than_any"}
#: The four answers of a check of no effect.
ANSWERS = ("alike", "small", "differs", "not_known")


def answer_of(row: dict[str, object]) -> str:
    """Return which of the four answers, or the verdict where there are no four."""
    if row["check"] not in (*OF_NONE, "censoring"):
        return str(row["verdict"])
    if row["verdict"] == PASSED:
        return "small" if row["reason"] in ("small", "censored_small") else "alike"
    return {FAILED: "differs", CANNOT: "not_known"}[str(row["verdict"])]


def summed(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the table: how often each check says what."""
    lines = []
    rows = rows.assign(answer=[answer_of(row) for row in rows.to_dict("records")])
    numbers = ["p_value", "shift", "margin", "detectable", "detectable_single"]
    rows[numbers] = rows[numbers].astype(float)
    by = ["simulator", "world", "families", "planted", "check"]
    for key, own in rows.groupby(by):
        check = key[-1]
        four = check in (*OF_NONE, "censoring")
        for word in ANSWERS if four else [WORDS.get(check, FAILED)]:
            share = (own["answer"] == word).mean()
            lines.append({
                **dict(zip(by, key, strict=True)), "clean": key[1] in CLEAN and not key[3],
                "draws": len(own), "word": word, "share": share,
                "share_error": np.sqrt(share * (1 - share) / len(own)),
                "below_5_percent": (own["p_value"].dropna() < 0.05).mean(),
                "shift": own["shift"].mean(), "matters_from": own["margin"].dropna().median(),
                "detectable": own["detectable"].dropna().median(),
                "detectable_single": own["detectable_single"].dropna().median(),
            })  # fmt: skip
    return pd.DataFrame(lines)


def cells(number: int) -> list[tuple[str, str, int]]:
    """Return what is drawn as the `number`-th: clean worlds always, the others every third time.

    As many families as the programme had are drawn once.
    """
    third = number % 3 == 0
    few = (*CLEAN, *(BROKEN if third else ()))
    drawn = [(simulator, world, FEW) for world in few for simulator in SIMULATORS]
    drawn += [(SIMULATORS[0], world, MANY) for world in LARGE if third]
    return drawn + [(SIMULATORS[0], PLANTED_IN, NATIONAL)] * (number == 0)


def main() -> None:
    """Draw, and write the table."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--keep", type=Path, required=True)
    asked.add_argument("--draws", type=int, default=12)
    given = asked.parse_args()
    given.keep.mkdir(parents=True, exist_ok=True)
    for number in range(given.draws):
        for simulator, world, size in cells(number):
            part = given.keep / f"{simulator}-{world}-{size}-{number:04d}.json"
            if not part.is_file():
                begun = time.process_time()
                rows = one_draw(simulator, world, size, number)
                part.write_text(json.dumps([*rows, {"seconds": time.process_time() - begun}]))
    kept = [json.loads(part.read_text()) for part in sorted(given.keep.glob("*.json"))]
    rows = pd.DataFrame([row for part in kept for row in part[:-1]])
    seconds = sum(part[-1]["seconds"] for part in kept)
    about = {"seed": SEED, "draws": len(kept), "seconds": round(seconds)}
    text = summed(rows).to_csv(index=False, float_format="%.4g", lineterminator="\n")
    TABLE.write_text(f"# {json.dumps(about)}\n{text}", encoding="utf-8")


if __name__ == "__main__":
    main()
