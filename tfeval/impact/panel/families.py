"""Families by period since they were identified, as a panel: outcomes, and first treatment."""

from __future__ import annotations

from collections.abc import Iterable

import ibis
import numpy as np
import pandas as pd

from tfeval.cohort.analysis_table import Settings
from tfeval.cohort.counting import counts_around
from tfeval.cohort.entry import assessed, criteria_columns
from tfeval.cohort.units import WHEN, units_of, with_time
from tfeval.errors import DataError, ParameterError, in_own_words, suggest
from tfeval.impact.panel.panel import Panel
from tfeval.programme.outcomes import cohort_outcomes
from tfeval.programme.phases import Phase
from tfeval.programme.phases import phase as phase_of
from tfeval.records.store import Records

#: Fixed columns of a panel of families, beside the criteria that each met.
FIRST_TREATED = "first_treated"
_WHO = ("local_authority", "people", "children", "young_children")
#: Of the index date, which here is the day of identification, so none of them is after it.
_TIME = tuple(name for name, _text, _unit in WHEN if name != "days_identified")


@in_own_words("A panel of families cannot be made")
def family_panel(
    records: Records,
    phase: str = "one",
    *,
    months: int = 3,
    before: int = 4,
    after: int = 8,
    outcomes: Iterable[str] | None = None,
    treatment: str = "supported",
) -> Panel:
    """Return the eligible families of a phase by period since the day they were identified.

    Parameters
    ----------
    records : Records
        As from `open_records`.
    phase : str, default "one"
    months : int, default 3
        In a period.
    before, after : int
        Periods before identification and from it on. Period 0 begins on that day.
    outcomes : iterable of str, optional
        Names in the registry; by default all that are counted from dates. What is counted by
        school term is not: terms do not fill periods.
    treatment : {"supported", "claimed", "data_matched_apart"}
        Which attachments are the treatment.

    Returns
    -------
    Panel
        One unit a family. Outcomes are counts in a period, missing where the source does not cover
        it or the records end before it. Fixed are `first_treated` (the period of the first
        attachment in any phase; missing where it lies after the last period or never came), the
        criteria met, who is in the family, the authority, and when it was identified. Families
        attached before they were identified are not in it.

    Raises
    ------
    ParameterError
        If a number is out of range, or an outcome is unknown.
    DataError
        If no family is left.

    Notes
    -----
    By time since identification every family passes its crisis at the same place, so those not yet
    attached stand for those who were, in the same periods after it. Who was attached sooner may
    still differ: the periods before attachment show it, and `group_time` tests them.

    Examples
    --------
    >>> from tfeval.records.simulate import simulate
    >>> families = family_panel(simulate(families=400, seed=1).records, outcomes=["offences"])
    >>> families.times.tolist()[:3], families.outcome("offences").shape[1]
    ([-4, -3, -2], 12)
    """
    if months < 1 or before < 1 or after < 2:
        raise ParameterError("A panel needs periods of a month or more, 1 before and 2 after.")
    rules = phase_of(phase)
    known = [row for row in cohort_outcomes(records.tables) if row.counted and row.kind != "sums"]
    names = [row.name for row in known]
    wanted = names if outcomes is None else list(outcomes)
    for name in wanted:
        if name not in names:
            raise ParameterError(f"No outcome {name} is counted by period. {suggest(name, names)}")
    settings = Settings(phase, "not_yet_treated", (12,), 1, "family", treatment)
    units = records.keep(_identified, records, settings, rules)
    periods = range(-before, after)
    spans = {str(period): (period * months, (period + 1) * months) for period in periods}
    counts = counts_around(units, records, spans, censored=False)
    records.opened.append("")
    columns = ["unit", "index_on", "attached_on", *_WHO, *criteria_columns(rules), *_TIME]
    fixed = units.order_by("unit").select(*columns).to_pandas()
    first = _period_of(fixed["index_on"], fixed["attached_on"], months)
    kept = (first.isna() | (first >= 0)).to_numpy()
    if not kept.any():
        raise DataError("No eligible family of this phase was untreated when it was identified.")
    fixed[FIRST_TREATED] = first.where(first < after)
    measures = {
        name: np.column_stack([counts[str(period), name].to_numpy() for period in periods])[kept]
        for name in wanted
    }
    return Panel(
        units=pd.Index(fixed.loc[kept, "unit"], name=None),
        times=np.array(periods, dtype=np.int64),
        outcomes=measures,
        fixed=fixed[kept].drop(columns=["unit", "index_on", "attached_on"]).reset_index(drop=True),
        simulated=records.simulated,
    )


def _identified(records: Records, settings: Settings, rules: Phase) -> ibis.Table:
    """Return eligible families with their day of identification as index date."""
    families = assessed(records, settings.treatment, rules)
    families = families.filter(families["eligible"] & families["identified_on"].notnull())
    dated = families.select(
        "family_id", "identified_on", *criteria_columns(rules),
        treated=ibis.literal(1, "int64"), index_on=families["identified_on"],
        attached_on=families["first_on"],
    )  # fmt: skip
    inside = (dated["index_on"] >= rules.start) & (dated["index_on"] <= rules.end)
    return with_time(units_of(records, dated.filter(inside)), rules)


def _period_of(since: pd.Series, day: pd.Series, months: int) -> pd.Series:
    """Return the period in which a day lies, counted from another; missing without a day."""
    start, end = pd.to_datetime(since), pd.to_datetime(day)
    whole = (end.dt.year - start.dt.year) * 12 + end.dt.month - start.dt.month
    # A month is over on its own day, or on the last day of a shorter month.
    own = np.minimum(start.dt.day, end.dt.days_in_month)
    return ((whole - (end.dt.day < own)) // months).where(end.notna())
