"""Chapter 5: how designs over time fare where one thing that they assume is broken."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from tfeval.display.names import SIMULATED, capital
from tfeval.display.tables import Table, table
from tfeval.display.words import is_missing
from tfeval.errors import DataError, ParameterError, suggest
from tfeval.report.chapters.common import minus
from tfeval.settings import project_folder

TABLE = "designs_over_time.csv"
CLEAN = "clean"
HOLDS, SEEN, SILENT, REFUSED = "holds", "seen", "silent", "refused"
_COLUMNS = ("design", "world", "draws", "given", "bias", "bias_error", "coverage", "flagged",
            "misled", "verdict")  # fmt: skip
#: Half a 95% interval, in Monte Carlo errors.
_REACH = 1.96

DESIGNS = {
    "event_study": "event study by a dose",
    "permutation": "event study, p by permuted doses",
    "bounds_steps": "event study, bounds: steps as large as before",
    "bounds_line": "event study, bounds: any straight trend",
    "two_way": "two-way fixed effects, one coefficient",
    "group_time": "group-time effects",
    "synthetic_difference_in_differences": "synthetic difference-in-differences",
    "synthetic_control": "synthetic control",
    "difference_in_differences": "difference-in-differences, few areas",
    "threshold": "threshold in a score",
    "threshold_adjacent": "threshold in a count, values next to it",
    "threshold_honest": "threshold in a count, bound on curvature",
    "support_dose": "months of support",
}
WORLDS = {
    CLEAN: "nothing",
    "trend": "trends not parallel",
    "small_trend": "trends not parallel, a third as steep",
    "break": "something else changed at the same time",
    "anticipation": "three quarters of the effect came before",
    "differ": "effects differ by group and grow",
    "gain": "the dose went where it does more",
    "spread": "noise grows with the dose",
    "dip": "units joined after a bad year that passed",
    "spill": "half the effect spread to comparison units",
    "missing": "low outcomes are missing",
    "clusters": "few clusters share shocks; errors by cluster",
    "clusters_ignored": "few clusters share shocks; errors by unit",
    "factor": "areas answer unequally to what moves all",
    "outside": "the treated answer more than any other",
    "above": "the treated stand above all others",
    "louder": "the treated vary two and a half times as much",
    "one_treated": "one area is treated",
    "moved": "the worse off were moved above the cutoff",
    "other": "who is above differs in other ways, in part recorded",
    "rule": "something else has the same cutoff",
    "wave": "the outcome's mean is a wave",
    "sloped": "the outcome rises with the count",
    "bent": "the outcome bends more than the bound",
    "hidden": "need that was not recorded",
    "much_hidden": "need that was not recorded, three times as strong",
    "curved": "need acts along a curve",
    "leaves": "who does well leaves early",
}
VERDICTS = {
    HOLDS: "holds",
    SEEN: "seen by its own check",
    SILENT: "silent",
    REFUSED: "no interval is given",
}


@dataclass(frozen=True, eq=False)
class BrokenDesigns:
    """The committed table of designs and broken assumptions. From `read_broken_designs`.

    Attributes
    ----------
    rows : DataFrame
        One row a design and world; `data/README.md` names the columns.
    about : dict
        How it was made: seed, draws, versions, processor time, rules of the checks.
    """

    rows: pd.DataFrame
    about: dict[str, Any]

    def silent(self) -> pd.DataFrame:
        """Return the rows in which intervals fail and nothing says so, most misleading first."""
        rows = self.rows[self.rows["verdict"] == SILENT]
        return rows.sort_values("misled", ascending=False, kind="stable")


def read_broken_designs() -> BrokenDesigns:
    """Read `data/audit/designs_over_time.csv`.

    Returns
    -------
    BrokenDesigns

    Raises
    ------
    DataError
        If there is no such table, or it lacks its first line or a column.

    Examples
    --------
    >>> set(read_broken_designs().rows["verdict"]) <= set(VERDICTS)
    True
    """
    place = project_folder("data") / "audit" / TABLE
    if not place.is_file():
        raise DataError(f"There is no table {TABLE}: run tests/coverage/designs_over_time.py.")
    with place.open(encoding="utf-8") as stream:
        first = stream.readline()
        rows = pd.read_csv(stream)
    lacking = [name for name in _COLUMNS if name not in rows]
    if not first.startswith("# {") or lacking:
        raise DataError(
            f"{TABLE} lacks {', '.join(lacking) or 'the line that says how it was made'}: run "
            "tests/coverage/designs_over_time.py."
        )
    return BrokenDesigns(rows, json.loads(first.removeprefix("#")))


def headline(designs: BrokenDesigns) -> str:
    """Say in how many ways a design may be broken, and how many nothing would tell of.

    Parameters
    ----------
    designs : BrokenDesigns
    """
    broken = designs.rows[designs.rows["world"] != CLEAN]
    counts = broken["verdict"].value_counts()
    silent = designs.silent()
    said = (
        f"Of {len(broken)} ways to break a design over time, intervals hold in "
        f"{counts.get(HOLDS, 0)}, the design's own checks see {counts.get(SEEN, 0)}, and of "
        f"{len(silent)} nothing would tell"
    )
    worst = silent[silent["design"] != "two_way"].head(1).to_dict("records")
    for row in worst:
        said += (
            f"; the worst is {_design(row)} where {WORLDS[row['world']]}: it misleads in "
            f"{row['misled']:.0%} of draws"
        )
    return f"Simulated records: {said}."


def broken_table(broken: BrokenDesigns, designs: Iterable[str] | None = None) -> Table:
    """Return designs and broken assumptions: bias, coverage, flags, and how often one is misled.

    Parameters
    ----------
    broken : BrokenDesigns
    designs : iterable of str, optional
        Keys of `DESIGNS`; by default all.

    Returns
    -------
    Table
        What holds stands first for each design; a row of nothing broken has its false alarms.

    Raises
    ------
    ParameterError
        If a design is not in the table.

    Examples
    --------
    >>> "nothing" in broken_table(read_broken_designs(), ["group_time"]).text()
    True
    """
    wanted = list(DESIGNS) if designs is None else list(designs)
    for name in wanted:
        if name not in set(broken.rows["design"]):
            known = broken.rows["design"].unique()
            raise ParameterError(f"No design {name} in the table. {suggest(name, known)}")
    parts = [broken.rows[broken.rows["design"] == name] for name in wanted]
    return _table(
        pd.concat(parts), "Designs over time, with nothing broken and with one thing broken",
        [*_notes(broken), "Flagged where nothing is broken: false alarms."],
    )  # fmt: skip


def silent_table(broken: BrokenDesigns) -> Table:
    """Return the ways to be wrong that no check of the design's own would tell of.

    Parameters
    ----------
    broken : BrokenDesigns
    """
    return _table(
        broken.silent(), "What no check would tell: intervals fail, and nothing is flagged",
        [*_notes(broken), "Against these only knowledge of the programme helps: what else changed, "
         "who was treated and why, what spread to others."],
    )  # fmt: skip


def _table(rows: pd.DataFrame, caption: str, notes: list[str]) -> Table:
    shown = [
        {
            "Design": capital(_design(row)), "What is broken": WORLDS[row["world"]],
            "Bias": minus(f"{row['bias']:+.2f} (±{_REACH * row['bias_error']:.3f})"),
            "Interval holds the truth": _share(row, "coverage", "no interval"),
            "Flagged": _share(row, "flagged", "has no check"),
            "Misleads": _share(row, "misled", ""), "Verdict": VERDICTS[row["verdict"]],
        }
        for row in rows.to_dict("records")
    ]  # fmt: skip
    return table(pd.DataFrame(shown), caption, notes=[f"{SIMULATED}.", *notes])


def _notes(broken: BrokenDesigns) -> list[str]:
    few, many = broken.rows["draws"].min(), broken.rows["draws"].max()
    return [
        "Bias: in standard deviations of the outcome without the programme; ± the 95% Monte Carlo "
        "interval. In brackets: the Monte Carlo error, in points.",
        "Flagged: the design's own check says that something is wrong. Misleads: the interval "
        "leaves the truth out and nothing is flagged.",
        f"Checks, each with its rule: {'; '.join(broken.about['rules'].values())}.",
        "Holds: in 90% of draws or more. Seen: flagged far oftener than where nothing is broken, "
        "and in more than half of the draws, or so that it misleads in 5% at most. Silent: else.",
        f"{few} to {many} draws of each, seed {broken.about['seed']}. Sizes of what is broken were "
        "chosen to be about as large as the effect: a smaller fault is seen less often.",
    ]


def _design(row: dict[Any, Any]) -> str:
    return DESIGNS[row["design"]]


def _share(row: dict[Any, Any], name: str, missing: str) -> str:
    if is_missing(row[name]):
        return missing
    return f"{row[name]:.0%} ({100 * row[f'{name}_error']:.0f})"
