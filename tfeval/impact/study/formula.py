"""Covariates named by a formula, such as "treated ~ age + C(region) + age:income"."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tfeval.display.tables import exact_count
from tfeval.errors import DataError, ParameterError
from tfeval.impact.study.covariates import Column, Covariates
from tfeval.impact.study.numbers import CATEGORY, NUMBERS, TEXT, kind_of, numbers_of, plain, refusal

_EXAMPLE = '"treated ~ age + C(region) + age:income"'
_OPERATORS = frozenset("~+:*()^/|-")
_MOST_LEVELS = 200


@dataclass(frozen=True)
class Named:
    """Covariates as a formula names them."""

    text: str  # what stands right of "~"
    treated: str | None  # what stands left of it: the column of who was treated
    variables: tuple[str, ...]  # columns of the frame that it reads, in order


def formula_of(
    formula: str | None,
    covariates: str | Iterable[str] | None,
    treated: str | None,
    records: object = None,
) -> Named | None:
    """Return what a study's covariates are named by, if it is a formula.

    Parameters
    ----------
    covariates : str, iterable of str or None
        A single text with an operator is a formula too.
    treated : str or None
        The column of who was treated, where it was given.
    records : optional
        A text that is a column of a frame names it, whatever is in it.

    Examples
    --------
    >>> formula_of("treated ~ age + C(region)", None, None)
    Named(text='age + C(region)', treated='treated', variables=('age', 'region'))
    >>> formula_of(None, "age", None)
    """
    if formula is None:
        if not isinstance(covariates, str) or not _OPERATORS & set(covariates):
            return None
        if isinstance(records, pd.DataFrame) and covariates in records.columns:
            return None
        formula = covariates
    elif covariates is not None:
        raise ParameterError("Name the covariates by a formula or by a list, not by both.")
    if not isinstance(formula, str):
        raise ParameterError(f"formula is a text such as {_EXAMPLE}.")
    formula = formula.strip().removeprefix("~")
    whose, right = _parsed(formula)
    if treated is not None and whose not in (None, treated):
        raise ParameterError(f"The formula says {whose} is who was treated, treated= says other.")
    if "1" not in map(str, right):
        raise ParameterError("formula: leave out 0 and -1; an intercept always belongs to it.")
    names = dict.fromkeys(name for term in right for factor in term.factors
                          for name in _variables(factor))  # fmt: skip
    if not names:
        raise ParameterError("Name at least one covariate: there is nothing to compare on.")
    return Named(formula.rpartition("~")[2].strip(), whose, tuple(names))


def _parsed(formula: str) -> tuple[str | None, Any]:
    from formulaic import Formula  # noqa: PLC0415
    from formulaic.errors import FormulaicError  # noqa: PLC0415

    try:
        read: Any = Formula(formula)
        left: Any = list(getattr(read, "lhs", ())) if "~" in formula else []
        right: Any = read.rhs if "~" in formula else read
        # Parts by "|" have no terms of their own, and a term may be no Python.
        for term in [*left, *right]:
            [_variables(factor) for factor in term.factors]
    except (FormulaicError, AttributeError, SyntaxError, TypeError, ValueError):
        left = right = None
    if right is None:
        raise ParameterError(f"formula: it cannot be read. Write it like {_EXAMPLE}.")
    factors = [factor for term in left for factor in term.factors]
    if not factors:
        return None, right
    if len(factors) != 1 or _variables(factors[0]) != [str(factors[0].expr)]:
        raise ParameterError("formula: left of ~ stands one column, of who was treated.")
    return str(factors[0].expr), right


def _variables(factor: Any) -> list[str]:
    """Return the columns that a factor reads, also within a transformation such as poly(age, 2)."""
    how = factor.eval_method.value
    if how != "python":
        return [str(factor.expr)] if how == "lookup" else []
    quoted = re.findall(r"`([^`]+)`", factor.expr)
    tree = ast.parse(re.sub(r"`[^`]+`", "None", factor.expr), mode="eval")
    # What is called, and what has a dot after it, is no column: C, np.log, contr.sum.
    above = [node.func if isinstance(node, ast.Call) else node for node in ast.walk(tree)
             if isinstance(node, ast.Call | ast.Attribute)]  # fmt: skip
    other = {id(part) for node in above for part in ast.walk(node)
             if isinstance(node, ast.Name | ast.Attribute)}  # fmt: skip
    names = [node.id for node in ast.walk(tree)
             if isinstance(node, ast.Name) and id(node) not in other]  # fmt: skip
    return [*names, *quoted]


def encoded_by(frame: pd.DataFrame, named: Named, rare: Mapping[str, str]) -> Covariates:
    """Return the covariates that a formula makes of a frame, named as formulaic names them.

    Parameters
    ----------
    frame : DataFrame
        With the formula's variables, none missing.
    rare : mapping of str to str
        Variables that vary too little to compare on, and why.

    Returns
    -------
    Covariates
        A category by itself keeps its levels, the reference too; any other term is numbers.
    """
    from formulaic import Formula  # noqa: PLC0415

    for name, why in rare.items():
        raise DataError(f"formula: {name} {why}. Leave it out, or say fewest=1.")
    data = pd.DataFrame({name: _variable(frame[name], name) for name in named.variables})
    formula: Any = Formula(named.text)
    try:
        with np.errstate(all="ignore"):
            made = formula.get_model_matrix(data, context={}, na_action="ignore")
    except Exception:
        made = None
    if made is None:
        raise ParameterError(
            f"formula: {_culprit(formula, data)} cannot be worked out from these columns. Correct "
            "it, or add it to the frame as a column of its own."
        )
    values = np.asarray(made, dtype=float)
    others = {str(term) for term in made.model_spec.term_indices}
    columns: list[Column] = []
    reference: dict[str, str] = {}
    for term, places in made.model_spec.term_indices.items():
        if str(term) == "1":
            continue
        part, labels = values[:, places], [str(made.columns[place]) for place in places]
        if rows := int(np.count_nonzero(~np.isfinite(part).all(axis=1))):
            some = exact_count(rows)
            raise DataError(f"formula: {term} is no finite number in {some} rows. Correct it.")
        found, left_out = _columns(term, part, labels, data, others - {str(term)})
        columns += found
        reference |= left_out
    if not columns:
        raise ParameterError("Name at least one covariate: there is nothing to compare on.")
    return Covariates(tuple(columns), len(frame), reference)


def _columns(
    term: Any, part: np.ndarray, labels: list[str], data: pd.DataFrame, others: set[str]
) -> tuple[list[Column], dict[str, str]]:
    """Return a term's columns; of a category its levels, so that small ones can be hidden."""
    factors = [str(factor) for factor in term.factors]
    own = [str(name) for name in data if factors in ([name], [f"C({name})"])]
    source = own[0] if own and own[0] not in others else str(term)
    if not own or not _by_level(labels, part):
        several = len(labels) > 1
        # Errors name a source; a level, which a label holds, is a value, and is not shown.
        return [
            Column(name, f"{source} ({place} of {len(labels)})" if several else source,
                   np.ascontiguousarray(part[:, place - 1]))
            for place, name in enumerate(labels, start=1)
        ], {}  # fmt: skip
    codes = (part @ np.arange(1, len(labels) + 1)).astype(np.int16)
    columns = [Column(name, source, codes, level=code) for code, name in enumerate(labels, start=1)]
    return columns, {source: str(data[own[0]].iloc[int(np.argmax(codes == 0))])}


def _by_level(labels: list[str], part: np.ndarray) -> bool:
    """Say whether columns are the levels of a category but one: 0 and 1, at most one a row."""
    if not all("[T." in label for label in labels):
        return False
    return bool(np.isin(part, (0.0, 1.0)).all() and (part.sum(axis=1) <= 1).all())


def _variable(series: pd.Series, name: str) -> pd.Series:
    held = plain(series)
    kind = kind_of(held)
    if absent := int(held.isna().sum()):
        raise DataError(
            f"Covariate {name} is missing in {exact_count(absent)} rows, which a formula has no "
            "way to keep. Complete it (tf.impute), leave these units out, or name covariates by a "
            "list."
        )
    if kind == NUMBERS:
        values = numbers_of(held, f"Covariate {name}")
        return pd.Series(values.astype(np.int8) if values.dtype == bool else values, held.index)
    if kind not in (TEXT, CATEGORY):
        raise DataError(refusal(series, f"Covariate {name}", kind))
    levels = held.astype("category").cat.remove_unused_categories()
    if (count := len(levels.cat.categories)) > _MOST_LEVELS:
        raise DataError(
            f"Covariate {name} has {count:,} levels. Group them, or give the column as "
            "strata to compare within."
        )
    return levels


def _culprit(formula: Any, data: pd.DataFrame) -> str:
    """Return the first term that cannot be worked out."""
    for term in formula:
        try:
            with np.errstate(all="ignore"):
                type(formula)([term]).get_model_matrix(data, context={}, na_action="ignore")
        except Exception:
            return str(term)
    return "it"
