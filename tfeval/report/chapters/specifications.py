"""Chapter 4: the same effects by other estimators, designs and comparison groups, and the truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pandas as pd

from tfeval.cohort.cohort import comparison_groups
from tfeval.display.tables import Table, table
from tfeval.errors import TfevalError
from tfeval.impact.effects.estimate import METHODS, estimate
from tfeval.impact.effects.words import decimals, hidden_rows, number, with_interval
from tfeval.report.chapters.common import outcome_label
from tfeval.report.chapters.comparison import DESIGNS, Comparison, estimand_words
from tfeval.report.chapters.comparison import load as load_comparison
from tfeval.report.chapters.impact import Impact, in_order, outcomes_of
from tfeval.report.chapters.linked import truth_of

#: What simulated truths call the outcomes of a cohort, and how often they count.
_TRUE_NAMES = {
    "fixed_exclusions": "fixed_exclusions",
    "permanent_exclusions": "permanent_exclusions",
    "offences": "proven_offences",
    "custody": "custody",
    "asb_incidents": "asb_incidents",
    "out_of_work": "out_of_work_days",
    "employment": "employed_days",
    "in_need": "in_need_days",
    "protection_plan": "protection_plan_days",
    "looked_after": "looked_after_days",
    "emergency_admissions": "emergency_admissions",
    "ae_attendances": "ae_attendances",
    "domestic_abuse": "domestic_abuse_incidents",
}
#: Columns of the recorded table of specifications.
COLUMNS = ("comparison", "design", "estimator", "alike", "estimand", "outcome", "months",
           "estimate", "std_error", "conf_low", "conf_high")  # fmt: skip


def specifications(found: Impact) -> pd.DataFrame:
    """Estimate every outcome under each comparison group, design and estimator, one changed.

    Parameters
    ----------
    found : Impact
        As from `load`; its own specification is among them.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`: effects that may be shown, one a row. A specification that is not
        possible has no rows.
    """
    parts = []
    for comparison, design, estimator, held in _asked(found):
        try:
            effects = estimate(
                held.design, outcomes_of(held, found.horizon), months=found.horizon,
                method=estimator,
            )  # fmt: skip
        except TfevalError:
            continue
        frame = effects.to_frame()
        told = {"comparison": comparison, "design": design, "estimator": estimator,
                "alike": held.balance.verdict().word}  # fmt: skip
        parts.append(frame[~hidden_rows(frame)].assign(**told))
    return pd.concat(parts, ignore_index=True)[list(COLUMNS)]


def _asked(found: Impact) -> Iterator[tuple[str, str, str, Comparison]]:
    """Yield the chosen specification, then those that differ from it in one thing."""
    held, own = found.comparison, _own(found)
    yield (*own, held)
    for estimator in METHODS:
        if estimator != own[2]:
            yield own[0], own[1], estimator, held
    for design, (_, made) in DESIGNS.items():
        try:
            other = made(held.study, held.caliper) if design != own[1] else None
        except TfevalError:
            continue
        if other is not None:
            yield own[0], design, own[2], replace(held, design=other, balance=other.balance())
    for comparison in comparison_groups():
        if comparison == own[0]:
            continue
        try:
            other_group = load_comparison(
                found.extract, held.cohort.settings.phase, comparison, found.horizon,
                design=own[1], caliper=held.caliper,
            )  # fmt: skip
        except TfevalError:
            continue
        yield comparison, own[1], own[2], other_group


def _own(found: Impact) -> tuple[str, str, str]:
    return found.comparison.cohort.settings.comparison, found.comparison.name, found.estimator


def specifications_table(found: Impact, rows: pd.DataFrame) -> Table:
    """Return the primary effects under each specification.

    Parameters
    ----------
    found : Impact
        As from `load`.
    rows : DataFrame
        As from `specifications`.
    """
    primary = [name for name in dict.fromkeys(rows["outcome"])
               if found.plan.role(name) == "primary"]  # fmt: skip
    own = _own(found)
    lines = []
    for keys, part in rows.groupby(["comparison", "design", "estimator"], sort=False):
        by_name = part.set_index("outcome")
        changed = [(what, key) for what, key, mine in zip(("comparison", "design", "estimator"),
                   keys, own, strict=True) if key != mine]  # fmt: skip
        what, key = changed[0] if changed else ("as chosen", ", ".join(own))
        alike = {"balanced": "yes", "partly": "partly"}.get(part["alike"].iloc[0], "NO")
        lines.append([what.capitalize(), str(key).replace("_", " "), alike,
                      *(_cell(by_name, name) for name in primary)])  # fmt: skip
    headings = ["Changed", "To", "Groups alike", *(outcome_label(name, True) for name in primary)]
    return table(
        pd.DataFrame(lines, columns=headings),
        caption=f"Primary effects over {found.horizon} months, one choice changed at a time",
        notes=[
            f"Differences with their 95% intervals; {estimand_words(found.comparison)}; the "
            "overlap design is about those who could have been in either group.",
            "Exploratory, but for those that the plan has among its sensitivity analyses.",
        ],
    )


def _cell(rows: pd.DataFrame, name: str) -> str:
    if name not in rows.index:
        return "hidden"
    row = rows.loc[[name]].to_dict("records")[0]
    digits = decimals(row["std_error"])
    return with_interval(row["estimate"], row["conf_low"], row["conf_high"], digits)


def truth_table(found: Impact) -> Table:
    """Return the known effects of simulated records beside the estimates.

    Parameters
    ----------
    found : Impact
        As from `load`.
    """
    truth = truth_of(found.extract)
    if truth is None:
        note = pd.DataFrame({"": ["These are real records: the true effect is not known."]})
        return table(note, caption="The truth beside the estimates")
    design = found.comparison.design
    frame = found.comparison.cohort.to_pandas().loc[found.comparison.study.index]
    families = frame.loc[design.target > 0, "family_id"]
    known = truth.by_family(found.horizon).reindex(families.unique())
    rows = []
    shown = in_order(found).to_frame()
    for row in shown[~hidden_rows(shown)].to_dict("records"):
        measure = row["outcome"].rpartition("_")[0]
        if measure not in _TRUE_NAMES:
            continue
        true, digits = float(known[_TRUE_NAMES[measure]].mean()), decimals(row["std_error"])
        inside = "yes" if row["conf_low"] <= true <= row["conf_high"] else "NO"
        interval = with_interval(row["estimate"], row["conf_low"], row["conf_high"], digits)
        rows.append((outcome_label(measure, unit=True), number(true, digits), interval, inside))
    columns = ["Outcome", "True effect", "Estimate (95% interval)", "Interval holds the truth"]
    return table(
        pd.DataFrame(rows, columns=columns),
        caption="The truth beside the estimates, for the families compared",
        notes="Only simulated records know both what happened and what would have happened; an "
        "interval of 95% misses the truth once in twenty by chance alone. Absence has no truth "
        "beside it: it is a ratio of two counts.",
    )
