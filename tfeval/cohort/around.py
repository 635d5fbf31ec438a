"""A cohort's outcomes over any months before and after its index dates."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from itertools import chain

import ibis
import numpy as np
import pandas as pd

from tfeval.cohort.analysis_table import Cohort, column_of
from tfeval.cohort.cohort import Window, as_seen, counted, edges_of, follow_up
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
    units = units.cache()
    made = tuple(
        Window(name, edges[start], edges[end], end - start) for name, (start, end) in spans.items()
    )
    held = cohort_outcomes(records.tables)
    tables = list(dict.fromkeys(row.table for row in held))
    reach = follow_up(records, units, made, tables).cache()
    days = reach.select("unit", *edges_of(made)).order_by("unit").to_pandas()
    found = pd.DataFrame(index=days.index)
    for table in tables:
        own = [row for row in held if row.table == table and row.counted]
        counts = counted(records, units, table, own, made)
        seen = as_seen(reach, counts, table, own, made).order_by("unit").to_pandas()
        found = found.join(seen.drop(columns="unit").astype("float64"))
    begun = (first_day(records) - date(1970, 1, 1)).days
    columns = {}
    for span in made:
        known = days[span.start] >= begun
        for row in held:
            parts = row.parts if row.parts else (row.name,)
            values = sum(found[column_of(part, span.name)] for part in parts)
            if row.parts:
                values = values / found[column_of(row.column, span.name)].replace(0.0, np.nan)
            columns[span.name, row.name] = values.where(known)
    return pd.DataFrame(columns).rename_axis(columns=["window", "outcome"])
