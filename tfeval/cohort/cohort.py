"""One analysis table from linked records: who, when, covariates before, outcomes after."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import ibis
import pandas as pd
from ibis import _

from tfeval.cohort.analysis_table import Cohort
from tfeval.cohort.counting import BEFORE, Window, counted, windows, with_windows
from tfeval.cohort.entry import candidates, criteria_columns, entered, flow
from tfeval.cohort.settings import COMPARISONS, Settings, column_of
from tfeval.cohort.units import described_columns, people_of, units_of
from tfeval.errors import in_own_words
from tfeval.programme.outcomes import Outcome, cohort_outcomes
from tfeval.programme.phases import phase as phase_of
from tfeval.records.store import Records

_WHO = ("unit", "family_id", "treated", "local_authority", "index_on", "identified_on")


@in_own_words("The cohort cannot be built")
def cohort(
    records: Records,
    *,
    phase: str = "one",
    horizon: int | Iterable[int] = 12,
    comparison: str = "waiting",
    seed: int = 1,
    level: str = "family",
) -> Cohort:
    """Build the cohort of one phase: treated families and a comparison group.

    Parameters
    ----------
    records : Records
        As from `open_records`.
    phase : str
        Phase of the programme.
    horizon : int or iterable of int, default 12
        Months after the index date: any of 6, 12, 18, 24.
    comparison : {"waiting", "not_yet_treated", "below_threshold", "other_authorities"}
        Who the treated are compared with; `COMPARISONS` says what each is.
    seed : int
        For the index dates of comparison families.
    level : {"family", "person"}
        One row a family, or one a person; people's rows hold only events known to be theirs.

    Returns
    -------
    Cohort

    Raises
    ------
    ParameterError
        If a setting is unknown.
    DataError
        If a needed table is missing, or nobody was attached.

    Notes
    -----
    A count over a window is missing, not zero, where the authority's records of that table do
    not cover the window, where the records end before it, and, for a comparison family attached
    within it, where the comparison ends (it is censored at attachment).

    References
    ----------
    Hernán and Robins (2016), Using big data to emulate a target trial, American Journal of
    Epidemiology 183(8): index dates and no immortal time.

    Examples
    --------
    >>> from tfeval.records.simulate import simulate
    >>> found = cohort(simulate(families=400, seed=1).records, phase="one", horizon=12)
    >>> found.to_pandas()["treated"].isin([0, 1]).all()
    np.True_
    """
    months = (horizon,) if isinstance(horizon, int) else tuple(sorted(set(horizon)))
    settings = Settings(phase, comparison, months, seed, level)
    rules = phase_of(phase)
    found = candidates(records, settings, rules).cache()
    spans = windows(months)
    units = units_of(records, entered(found))
    units = units if level == "family" else people_of(records, units)
    units = with_windows(units, months).cache()
    held = cohort_outcomes(records.tables)
    own = [*criteria_columns(rules), *(name for name, _text in described_columns(level))]
    table = _joined(records, units, held, spans, own)
    return Cohort(
        table=table,
        columns=_described(held, spans, level, criteria_columns(rules)),
        flow=flow(found),
        settings=settings,
        left_out=dict(records.missing),
        simulated=records.simulated,
        units=units,
    )


def _joined(
    records: Records,
    units: ibis.Table,
    held: list[Outcome],
    spans: tuple[Window, ...],
    more: list[str],
) -> ibis.Table:
    """Put the counts beside the units; missing where they could not have been seen."""
    end = ibis.literal(records.ends_on).epoch_days() + 1
    censored = ibis.ifelse(
        (units["treated"] == 0) & units["attached_on"].notnull(),
        ibis.least(units["attached_on"].epoch_days(), end),
        end,
    )
    wide = units.mutate(followed_to=censored)
    for table in dict.fromkeys(row.table for row in held):
        own = [row for row in held if row.table == table and row.counted]
        counts = counted(records, units, table, own, spans)
        wide = _with_cover(records, wide.left_join(counts, "unit").drop("unit_right"), table)
        seen = {
            column: _seen(wide, column, span)
            for span in spans
            for column in (column_of(row.name, span.name) for row in own)
        }
        # Kept step by step: one expression for all tables takes seconds to put into SQL.
        wide = wide.mutate(**seen).drop("cover_from", "cover_to").cache()
    names = [column_of(row.name, span.name) for row, span in _measured(held, spans)]
    return wide.mutate(**_ratios(wide, held, spans)).select(*_WHO, *more, *names)


def _measured(held: list[Outcome], spans: tuple[Window, ...]) -> Iterator[tuple[Outcome, Window]]:
    """Yield what the cohort has of each outcome: after the index date, and before if a baseline."""
    for row in held:
        for span in spans:
            if row.baseline or span.name != BEFORE:
                yield row, span


def _with_cover(records: Records, wide: ibis.Table, table: str) -> ibis.Table:
    """Add the days over which the unit's authority sent a table."""
    if "coverage" not in records.tables:
        return wide.mutate(cover_from=ibis.null("int64"), cover_to=ibis.null("int64"))
    cover = records.table("coverage").filter(_.source_table == table)
    days = cover.select(
        cover_at=_.local_authority,
        cover_from=_.covered_from.epoch_days().cast("int64"),
        cover_to=(_.covered_to.epoch_days() + 1).cast("int64"),
    )
    joined = wide.left_join(days, wide["local_authority"] == days["cover_at"]).drop("cover_at")
    # An authority without a row sent nothing: a cover that ends before it begins.
    return joined.mutate(cover_from=_.cover_from.fill_null(1), cover_to=_.cover_to.fill_null(0))


def _seen(wide: ibis.Table, name: str, span: Window) -> ibis.Value:
    covered = wide["cover_from"].isnull() | (
        (wide["cover_from"] <= wide[span.start]) & (wide["cover_to"] >= wide[span.end])
    )
    followed = covered if span.name == BEFORE else covered & (wide["followed_to"] >= wide[span.end])
    return ibis.ifelse(followed, wide[name].fill_null(0), ibis.null("int64"))


def _ratios(
    wide: ibis.Table, held: list[Outcome], spans: tuple[Window, ...]
) -> dict[str, ibis.Value]:
    """Return outcomes that are shares of a count; missing where that is 0."""
    found = {}
    for row, span in _measured([row for row in held if not row.counted], spans):
        whole = wide[column_of(row.column, span.name)].nullif(0).cast("float64")
        parts = sum(wide[column_of(part, span.name)] for part in row.parts)
        found[column_of(row.name, span.name)] = parts.cast("float64") / whole
    return found


def _described(
    held: list[Outcome], spans: tuple[Window, ...], level: str, criteria: list[str]
) -> pd.DataFrame:
    """Return what each column is, and whether it lies before or after the index date."""
    who = [(name, "", "who", 0, "families", "", "") for name in _WHO]
    who += [(name, "", "before", 0, "families", "0 or 1", "Criterion met.") for name in criteria]
    who += [
        (name, "", "who" if name == "person_id" else "before", 0, "people", "", text)
        for name, text in described_columns(level)
    ]
    counts = [
        (column_of(row.name, span.name), row.name, span.timing, span.months, row.table, row.unit,
         row.description)
        for row, span in _measured(held, spans)
    ]  # fmt: skip
    columns = ["name", "outcome", "timing", "months", "source_table", "unit", "description"]
    return pd.DataFrame([*who, *counts], columns=columns)


def comparison_groups() -> dict[str, str]:
    """Return the comparison groups by name, with what each is.

    Examples
    --------
    >>> sorted(comparison_groups())[0]
    'below_threshold'
    """
    return dict(COMPARISONS)
