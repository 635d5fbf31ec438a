"""The columns of a table of effects: completed, chosen among, told apart, stacked."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd

from tfeval.calls import Checked
from tfeval.display.names import scale_words
from tfeval.errors import DataError, ParameterError, suggest
from tfeval.impact.design.design import Design
from tfeval.impact.effects.coefficients import (
    AT_ZERO,
    COEFFICIENT,
    Coefficient,
    freedom_of,
    of_pyfixest,
    of_statsmodels,
)
from tfeval.impact.inference.rules import ESTIMATED, NO_ERROR

#: Columns of every table of effects, in order. `estimand` to `errors`, `small_sample` and `status`
#: are keys, said in words by `display.names`; `cluster` names the clustering columns, "+" between
#: two; `stacked` says whether errors count that weights or a score were estimated.
#: Differences and means are in the outcome's own unit; `relative` is the difference over
#: `mean_comparison`; `p_adjusted` is NaN until corrected. `events_*` are the units whose outcome
#: is not 0, and `sd_comparison` the outcome's (weighted) standard deviation among the comparison;
#: NaN where not known. `planned` is True, False, or None without a plan. `freedom` are the degrees
#: of freedom of t, infinite for the normal; `small_sample` the form of the error ("hc2", "cr2",
#: "score", ...; "" for the plain one); `status` "estimated", or why there is no effect or no error.
COLUMNS = (
    "outcome",
    "population",
    "months",
    "estimand",
    "design",
    "method",
    "outcome_model",
    "errors",
    "cluster",
    "stacked",
    "estimate",
    "std_error",
    "conf_low",
    "conf_high",
    "p_value",
    "p_adjusted",
    "relative",
    "relative_low",
    "relative_high",
    "mean_treated",
    "mean_comparison",
    "sd_comparison",
    "n_treated",
    "n_comparison",
    "events_treated",
    "events_comparison",
    "n_missing",
    "ess_comparison",
    "clusters",
    "freedom",
    "small_sample",
    "status",
    "planned",
)
_NEEDED = ("outcome", "estimate", "std_error")
#: Columns of text, and what stands where nothing is known.
_TEXT = {"outcome": "", "population": "all", "estimand": "", "design": "", "method": "",
         "outcome_model": "", "errors": "", "cluster": "", "small_sample": "",
         "status": ""}  # fmt: skip
#: True, False or not known.
_FLAGS = ("stacked", "planned")
#: How an effect was made.
MADE_BY = ("design", "method", "outcome_model", "errors", "cluster", "stacked")
#: What a row is of.
KEYS = ("outcome", "population", "months", "estimand", *MADE_BY)


def complete(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame with all of `COLUMNS`, in order, then any others; the index from 0."""
    missing = [name for name in _NEEDED if name not in frame]
    if missing:
        raise DataError(f"A table of effects needs the columns {', '.join(missing)}.")
    arrays = {str(name): frame[name].to_numpy() for name in frame}
    columns: dict[str, Any] = {}
    for name in [*COLUMNS, *(name for name in arrays if name not in COLUMNS)]:
        values = arrays.get(name)
        if name in _TEXT:
            given = (
                _TEXT[name]
                if values is None
                else [
                    value if type(value) is str else _TEXT[name] if pd.isna(value) else str(value)
                    for value in values
                ]
            )
            columns[name] = given
        elif name in COLUMNS and name not in _FLAGS:
            columns[name] = np.nan if values is None else _numbers(values, name)
        else:
            # As it is: whether planned may be unknown.
            columns[name] = frame[name].array if values is not None else None
    return pd.DataFrame(columns, index=range(len(frame)))


def _numbers(values: np.ndarray, name: str) -> np.ndarray:
    # Whole numbers stay whole; what may be missing becomes float, so that tables stack alike.
    if values.dtype.kind in "iuf":
        return values
    try:
        return np.array([np.nan if pd.isna(value) else float(value) for value in values])
    except (TypeError, ValueError):
        raise DataError(f"Column {name} of a table of effects holds numbers.") from None


def among(frame: pd.DataFrame, column: str, wanted: Any) -> np.ndarray:
    """Return which rows have one of the values wanted."""
    check_columns(frame, (column,))
    single = isinstance(wanted, str) or not isinstance(wanted, Iterable)
    values = [wanted] if single else list(wanted)
    entries = set(frame[column].dropna())
    for value in values:
        if value not in entries:
            known = suggest(str(value), map(str, entries))
            raise ParameterError(f"No effect has {column} {value}. {known}")
    return frame[column].isin(values).to_numpy()


def check_columns(frame: pd.DataFrame, columns: Sequence[str]) -> None:
    """Refuse a column that is not there."""
    for name in columns:
        if name not in frame:
            known = suggest(name, map(str, frame.columns))
            raise ParameterError(f"A table of effects has no column {name}. {known}")


def check_level(level: Any) -> None:
    """Refuse a level of intervals that is none."""
    if not isinstance(level, float | int) or not 0.5 <= level < 1:
        raise ParameterError(f"level lies from 0.5 to below 1, not {level!r}.")


def families(frame: pd.DataFrame, columns: Sequence[str]) -> list[np.ndarray]:
    """Return the rows of each family: those with the same values in some columns.

    Examples
    --------
    >>> rows = pd.DataFrame({"planned": [True, False, True]})
    >>> [part.tolist() for part in families(rows, ["planned"])]
    [[0, 2], [1]]
    """
    if not columns:
        return [np.arange(len(frame))]
    codes = frame.groupby(list(columns), sort=False, dropna=False).ngroup().to_numpy()
    return [np.flatnonzero(codes == code) for code in range(codes.max(initial=-1) + 1)]


def stacked(parts: Sequence[Any]) -> tuple[pd.DataFrame, np.ndarray, dict[str, Any]]:
    """Return several tables as one: the frame, the block diagonal covariance, the settings.

    The parts are `Effects`, whose file imports this one. Words for readers (labels, units,
    groups) are put together; what else the designs were asked for is kept in `parts`.
    """
    columns = dict.fromkeys(name for part in parts for name in part.frame)
    # Column by column: pandas guesses a kind for columns that are missing throughout.
    frame = pd.DataFrame({name: _column(parts, name) for name in columns})
    ends = np.cumsum([len(part.frame) for part in parts])
    joint = np.zeros((ends[-1], ends[-1]))
    for part, end in zip(parts, ends, strict=True):
        rows = slice(end - len(part.frame), end)
        joint[rows, rows] = part.joint
    settings: dict[str, Any] = {"parts": tuple(part.settings for part in parts)}
    # A plan holds what is made of several tables too, such as a correction.
    for part in parts:
        if "held_to" in part.settings:
            settings.setdefault("held_to", part.settings["held_to"])
    for name in ("labels", "units", "groups"):
        words = {key: text for part in parts for key, text in part.settings.get(name, {}).items()}
        if words:
            settings[name] = words
    for name in ("who", "title"):
        said = {part.settings.get(name) for part in parts}
        if len(said) == 1 and None not in said:
            settings[name] = said.pop()
    return frame, joint, settings


def _column(parts: Sequence[Any], name: str) -> list[Any]:
    return [
        value
        for part in parts
        for value in (part.frame[name] if name in part.frame else [None] * len(part.frame))
    ]


# Other people's models as effects: a coefficient of statsmodels or pyfixest becomes a row.


class FromModels(Checked):
    """The ways from other people's fitted models to a table of effects."""

    @classmethod
    def from_statsmodels(
        cls,
        result: Any,
        term: str = "treated",
        *,
        outcome: str | None = None,
        design: Design | None = None,
        months: int | None = None,
        population: str = "all",
        estimand: str | None = None,
        level: float = 0.95,
    ) -> Self:
        """Return a coefficient of a fitted statsmodels model as a table of effects of one row.

        Parameters
        ----------
        result : statsmodels results
            Of OLS, WLS, GLM, Logit or any model with one equation: what `fit` returned, with the
            errors that were asked of it.
        term : str
            The coefficient, as the model names it.
        outcome : str, optional
            By default the model's own name for it.
        design : Design, optional
            The design whose `to_frame` the model was fitted to: gives the estimand (where the term
            is the treatment, in a model without interactions of it), notes, and whether records
            are simulated.
        months : int, optional
            Horizon of the outcome.
        population : str
        estimand : str, optional
            In place of the design's.
        level : float
            Of the interval.

        Returns
        -------
        Effects
            Estimate, error, interval, p and degrees of freedom are the model's. Where the term is
            0 or 1 in each row, counts and (weighted) means are those of the rows with 1 and with
            0, so that small numbers are hidden as in any other table.

        Raises
        ------
        ParameterError
            If there is no such coefficient, or what is given is no fitted model of one equation.

        Notes
        -----
        A coefficient on another scale (a log odds ratio) stays what it is: its `estimand` is
        "coefficient", and columns `term` and `scale` say of what. It is no difference in the
        outcome's unit, so not for an appraisal.

        Examples
        --------
        >>> import statsmodels.api as sm
        >>> from tfeval.impact.effects.effects import Effects
        >>> x = pd.DataFrame({"const": 1.0, "treated": [0, 1] * 20})
        >>> y = pd.Series(np.arange(40.0) % 7, name="offences")
        >>> found = Effects.from_statsmodels(sm.OLS(y, x).fit(cov_type="HC1"), "treated")
        >>> found.to_frame()[["outcome", "estimate", "n_treated", "errors"]].round(3)
            outcome  estimate  n_treated  errors
        0  offences     -0.05         20  robust
        """
        check_level(level)
        read = of_statsmodels(result, str(term), level)
        made: Callable[..., Self] = cls
        return made(**as_fields(
            read, term, outcome=outcome, design=design, months=months, population=population,
            estimand=estimand, level=level,
        ))  # fmt: skip

    @classmethod
    def from_pyfixest(
        cls,
        result: Any,
        term: str = "treated",
        *,
        outcome: str | None = None,
        design: Design | None = None,
        months: int | None = None,
        population: str = "all",
        estimand: str | None = None,
        level: float = 0.95,
    ) -> Self:
        """Return a coefficient of a fitted pyfixest model as a table of effects of one row.

        Parameters
        ----------
        result : pyfixest model
            As from `feols`, `fepois` or `feglm`, of one formula. Read by its methods `coef`, `se`,
            `pvalue` and `confint`; tfeval does not need pyfixest itself.
        term, outcome, design, months, population, estimand, level
            As in `from_statsmodels`.

        Returns
        -------
        Effects

        Raises
        ------
        ParameterError
            If there is no such coefficient, or what is given is no fitted model of one formula.
        """
        check_level(level)
        read = of_pyfixest(result, str(term), level)
        made: Callable[..., Self] = cls
        return made(**as_fields(
            read, term, outcome=outcome, design=design, months=months, population=population,
            estimand=estimand, level=level,
        ))  # fmt: skip


def as_fields(
    read: Coefficient,
    term: str,
    *,
    outcome: str | None,
    design: Design | None,
    months: int | None,
    population: str,
    estimand: str | None,
    level: float,
) -> dict[str, Any]:
    """Return what a table of effects is made of, for one coefficient."""
    name = outcome or read.outcome
    if not name:
        raise ParameterError('The model does not name its outcome: say outcome="...".')
    if design is not None and not isinstance(design, Design):
        raise ParameterError("design is one from match, weight or unweighted.")
    ours = design is not None and term in ("treated", design.study.treated_name)
    whose = COEFFICIENT
    if read.interacted and not read.scale:
        whose = AT_ZERO
    elif design is not None and ours and not read.scale:
        whose = design.estimand
    sure = math.isfinite(read.error) and read.error > 0
    error = read.error if sure else math.nan
    row = {
        "outcome": name, "population": population, "months": months, "estimand": estimand or whose,
        "term": term, "scale": read.scale, "design": "" if design is None else design.method,
        "method": read.method, "outcome_model": read.outcome_model, "errors": read.errors,
        "cluster": read.cluster, "estimate": read.estimate,
        "std_error": error, "clusters": read.clusters, "freedom": freedom_of(read) if sure else
        math.nan, "conf_low": read.low if sure else math.nan,
        "conf_high": read.high if sure else math.nan, "p_value": read.p if sure else math.nan,
        "status": ESTIMATED if sure else NO_ERROR, **_counts(read, design),
    }  # fmt: skip
    notes = [f"By another package's model, as it was fitted: {read.model}."]
    scale = scale_words(read.scale) if read.scale else ""
    if scale:
        notes.append(f"A {scale}, not a difference in the outcome's own unit: not for money.")
    settings = {} if design is None else design.settings
    return {
        "frame": pd.DataFrame([row]), "joint": np.array([[error**2]]), "level": level,
        "settings": {**settings, "term": term, "rows": read.rows,
                     **({"units": {name: scale}} if scale else {})},
        "notes": (*(() if design is None else design.notes), *notes),
        "simulated": design is not None and design.study.simulated,
    }  # fmt: skip


def _counts(read: Coefficient, design: Design | None) -> dict[str, float]:
    counts = dict(read.arms)
    if design is not None:
        # A unit with several rows counts once, and one whose outcome is missing not at all.
        for arm, treated in (("n_treated", True), ("n_comparison", False)):
            counts[arm] = min(counts.get(arm, math.inf), design.kept(treated))
    return counts
