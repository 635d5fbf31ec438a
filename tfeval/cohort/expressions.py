"""Columns and rows named by an expression: a covariate of one's own, a subgroup."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from tfeval.cohort.analysis_table import BEFORE, Cohort
from tfeval.errors import ParameterError, suggest

_ALLOWED = (
    ast.Expression, ast.Name, ast.Load, ast.Constant, ast.List, ast.Tuple, ast.BinOp, ast.UnaryOp,
    ast.BoolOp, ast.Compare, ast.operator, ast.unaryop, ast.boolop, ast.cmpop,
)  # fmt: skip


def evaluated(frame: pd.DataFrame, expression: str, timing: Mapping[str, str]) -> pd.Series:
    """Return what an expression of columns comes to in each row.

    Parameters
    ----------
    frame : DataFrame
    expression : str
        Of names of columns, numbers and texts in quotes, with arithmetic, comparisons, `in`, `and`,
        `or` and `not`.
    timing : mapping of str to str
        "before" or "after" the index date, where known.

    Returns
    -------
    Series
        Numbers, 1 for true and 0 for false; missing where a column named is missing.

    Raises
    ------
    ParameterError
        If it is no such expression, names a column that is not there, or one measured after the
        index date.

    Examples
    --------
    >>> rows = pd.DataFrame({"age": [15.0, 30.0, None], "area": ["a", "b", "a"]})
    >>> evaluated(rows, 'age < 20 or area == "b"', {}).tolist()
    [1.0, 1.0, nan]
    """
    try:
        nodes = list(ast.walk(ast.parse(expression.strip(), mode="eval")))
    except (SyntaxError, ValueError):
        nodes = []
    if not nodes or not all(isinstance(node, _ALLOWED) for node in nodes):
        raise ParameterError(
            f"{expression!r} is no expression of columns: write such as 'offences_before > 0', "
            "with names, numbers, texts in quotes, arithmetic and comparisons."
        )
    names = sorted({node.id for node in nodes if isinstance(node, ast.Name)})
    for name in names:
        if name not in frame.columns:
            known = suggest(name, [str(one) for one in frame.columns])
            raise ParameterError(f"There is no column {name}. {known}")
        if timing.get(name) == "after":
            raise ParameterError(
                f"{name}: measured after the index date. What the programme may have changed can "
                "neither be held equal nor choose who is compared."
            )
    try:
        values = frame[names].eval(expression.strip())
    except Exception:
        raise ParameterError(
            f"{expression!r} cannot be worked out: its columns are not of kinds that go together."
        ) from None
    if not names or not isinstance(values, pd.Series):
        raise ParameterError(f"{expression!r} names no column.")
    if not pd.api.types.is_numeric_dtype(values):
        raise ParameterError(f"{expression!r} comes to no number and to no yes or no.")
    # Missing is not "no": a comparison with what is missing would be.
    return values.astype("float64").where(frame[names].notna().all(axis=1))


def add_covariates(families: Cohort, expressions: Mapping[str, str]) -> Cohort:
    """Add covariates to a cohort, each an expression of what was known before the index date.

    Parameters
    ----------
    families : Cohort
    expressions : mapping of str to str
        By the new covariate's name: names of the cohort's columns, numbers and texts in quotes,
        with arithmetic, comparisons, `in`, `and`, `or` and `not`.

    Returns
    -------
    Cohort
        With these covariates among `covariates`; missing where a column named is missing.

    Raises
    ------
    ParameterError
        If a name is taken or is none, or an expression names a column that is not there or was
        measured after the index date.

    Examples
    --------
    >>> from tfeval.cohort.cohort import cohort
    >>> from tfeval.records.simulate import simulate
    >>> families = cohort(simulate(families=400, seed=1).records)
    >>> more = add_covariates(families, {"any_offence": "offences_before > 0"})
    >>> more.covariates[-1], more.labels["any_offence"]
    ('any_offence', 'Any offence')
    >>> sorted(more.to_pandas()["any_offence"].dropna().unique().tolist())
    [0.0, 1.0]
    """
    from tfeval.records.relations import kept_frame  # noqa: PLC0415 - Ibis is no matter of studies

    if not isinstance(families, Cohort):
        raise ParameterError("add_covariates takes a cohort: make one with cohort(records).")
    if not expressions:
        return families
    frame = families.to_pandas()
    made = frame[["unit"]].copy()
    timing = frame.attrs["timing"]
    for name, expression in expressions.items():
        if not str(name).isidentifier():
            raise ParameterError(f"{name!r} is no name for a covariate: letters, digits and _.")
        if name in frame.columns or name in families.columns["name"].to_numpy():
            raise ParameterError(f"The cohort has a column {name} already: take another name.")
        made[name] = evaluated(frame, expression, timing)
    made.attrs = {}
    rows = [(name, "", "", BEFORE, 0, "", "", text) for name, text in expressions.items()]
    columns = pd.concat(
        [families.columns, pd.DataFrame(rows, columns=families.columns.columns)], ignore_index=True
    )
    beside = kept_frame(families.table.get_backend(), made)
    table = families.table.left_join(beside, "unit").drop("unit_right")
    return replace(families, table=table, columns=columns, _frame=[])
