"""What errors and notes call covariates: a level is a value, and is not shown."""

from __future__ import annotations

from collections.abc import Iterable

from tfeval.impact.study.covariates import Covariates


def sources_of(covariates: Covariates, names: Iterable[str]) -> list[str]:
    """Name the columns of the frame behind some covariates, each once, in the order given.

    Parameters
    ----------
    covariates : Covariates
    names : iterable of str
        Of its columns.

    Examples
    --------
    >>> import pandas as pd
    >>> from tfeval.impact.study.covariates import encoded
    >>> x = encoded(pd.DataFrame({"age": [1.0, 2, 3], "area": ["a", "b", "c"]}), ["age", "area"])
    >>> sources_of(x, ["area: c", "age"])
    ['area (1 of its 3 levels)', 'age']
    """
    columns = {column.name: column for column in covariates.columns}
    asked = [columns[name] for name in names]
    shown = []
    for source in dict.fromkeys(column.source for column in asked):
        hit = [column for column in asked if column.source == source]
        if hit[0].level is not None:
            levels = 1 + sum(column.source == source for column in covariates.columns)
            shown.append(f"{source} ({len(hit)} of its {levels} levels)")
        else:
            lacking = all(column.absent for column in hit)
            shown.append(f"{source} (where it is missing)" if lacking else source)
    return shown


def known_names(covariates: Covariates) -> list[str]:
    """Return what a covariate may be called in a suggestion: its column, levels left out."""
    return list(dict.fromkeys(str(column.source) for column in covariates.columns))
