"""A cohort's outcomes over any months before and after its index dates."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from itertools import chain

import ibis
import numpy as np
import pandas as pd

from tfeval.cohort.analysis_table import Cohort, column_of
from tfeval.cohort.cohort import Window, counted, follow_up
from tfeval.cohort.entry import as_date, first_day
from tfeval.errors import in_own_words
from tfeval.programme.outcomes import cohort_outcomes
from tfeval.records.store import Records


@in_own_words("Outcomes around the index date cannot be counted")
def outcomes_around(
    families: Cohort,
    records: Records,
    spans: Mapping[str, tuple[int, int]],
    *,
    censored: bool = True,
) -> pd.DataFrame:
    """Count a cohort's outcomes over any months around its index dates.

    Parameters
    ----------
    families : Cohort
    records : Records
        Those that the cohort was made from.
    spans : mapping of str to (int, int)
        Of each window its name, the month it begins and the month it ends, 0 being the index date:
        ``(-24, -12)`` is the year that ended a year before it.
    censored : bool, default True
        Whether a comparison family has no outcome over a window in which it was treated.

    Returns
    -------
    DataFrame
        One row a unit, in the order of `to_pandas`; columns of two levels, window and outcome.
        Missing where the records do not cover the window, or begin after its first day.

    Raises
    ------
    DataError
        If the records are others than the cohort's.

    Examples
    --------
    >>> from tfeval.cohort.cohort import cohort
    >>> from tfeval.records.simulate import simulate
    >>> records = simulate(families=400, seed=1).records
    >>> found = cohort(records, horizon=12)
    >>> again = outcomes_around(found, records, {"after": (0, 12)})["after"]
    >>> again["offences"].equals(found.outcomes(12)["offences"])
    True
    """
    edges = {month: f"edge_{at}" for at, month in enumerate(sorted({*chain(*spans.values())}))}
    units = families.units.mutate(
        **{
            name: as_date(families.units["index_on"] + ibis.interval(months=month)).epoch_days()
            for month, name in edges.items()
        }
    )
    if not censored:
        units = units.mutate(attached_on=ibis.null("date"))
    made = tuple(
        Window(name, edges[start], edges[end], end - start) for name, (start, end) in spans.items()
    )
    held = cohort_outcomes(records.tables)
    tables = list(dict.fromkeys(row.table for row in held))
    reach = follow_up(records, units, made, tables).order_by("unit").to_pandas()
    begun = (first_day(records) - date(1970, 1, 1)).days
    found = {}
    for table in tables:
        own = [row for row in held if row.table == table and row.counted]
        counts = counted(records, units, table, own, made).to_pandas().set_index("unit")
        counts = counts.reindex(reach["unit"], fill_value=0).reset_index(drop=True)
        for span in made:
            seen = _seen(reach, table, span, begun)
            for row in own:
                counted_there = counts[column_of(row.name, span.name)].astype("float64")
                found[span.name, row.name] = counted_there.where(seen)
    for row in held:
        for span in made if row.parts else ():
            parts = sum(found[span.name, part] for part in row.parts)
            found[span.name, row.name] = parts / found[span.name, row.column].replace(0.0, np.nan)
    return pd.DataFrame(found).rename_axis(columns=["window", "outcome"])


def _seen(reach: pd.DataFrame, table: str, span: Window, begun: int) -> pd.Series:
    """Return which units' authorities sent all of a window, while the unit was followed."""
    seen = (reach[span.start] >= begun) & (reach["followed_to"] >= reach[span.end])
    if f"{table}_to" in reach:
        seen &= reach[f"{table}_from"] <= reach[span.start]
        seen &= reach[f"{table}_to"] >= reach[span.end]
    return seen
