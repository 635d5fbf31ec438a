"""The same effects by statsmodels: one weighted regression beside our own code."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tfeval.cohort.analysis_table import Cohort
from tfeval.display.rich import Tabled
from tfeval.display.tables import THRESHOLD, Table, table
from tfeval.display.words import in_digits
from tfeval.errors import ParameterError, suggest
from tfeval.impact.design.design import Design
from tfeval.impact.effects.estimate import estimate
from tfeval.impact.effects.words import decimals, in_full, label_of, number
from tfeval.impact.means.outcomes import aligned

#: Methods that are the treatment's coefficient in one regression, and which.
REGRESSIONS = {
    "difference": "outcome ~ treated",
    "adjusted": "outcome ~ treated * (covariates less the estimand's means)",
    "covariance_adjusted": "outcome ~ treated + covariates",
}
#: A column whose part beside those before it is this small repeats them.
_REPEATS = 1e-9
#: A gap below this is rounding, which differs from machine to machine.
_ROUNDING = 1e-9
_SAME_TERMS = (
    "On the same terms: covariates of the population fixed, weights known, no other form for few "
    "units or clusters. What is left is the factor for small samples: statsmodels counts as "
    "coefficients all columns of its one regression, tfeval those of each arm's."
)


@dataclass(frozen=True, eq=False, repr=False)
class ByStatsmodels(Tabled):
    """Effects by two packages, side by side.

    Attributes
    ----------
    frame : DataFrame
        `outcome`, `estimate` and `estimate_statsmodels`, `std_error` as estimated by default,
        `std_error_same_terms`, `std_error_statsmodels`; missing where nothing is estimated.
    formula : str
        The regression in words.
    settings : dict
        For readers: `labels` of outcomes.
    """

    frame: pd.DataFrame
    formula: str
    settings: dict[str, Any]

    def to_frame(self) -> pd.DataFrame:
        """Return the numbers, one row an outcome."""
        return self.frame.copy()

    def table(self) -> Table:
        """Return both side by side for readers."""
        rows = []
        for row in self.frame.to_dict("records"):
            ours, theirs = row["std_error_same_terms"], row["std_error_statsmodels"]
            label = label_of(row["outcome"], self.settings.get("labels", {}))
            if pd.isna(ours) or pd.isna(theirs):
                rows.append((label, *["not estimated"] * 5))
                continue
            digits = decimals(theirs) + 2
            both = (row["estimate"], row["estimate_statsmodels"], row["std_error"], ours, theirs)
            rows.append((label, *(number(value, digits) for value in both)))
        columns = ["Outcome", "Effect", "By statsmodels", "Error", "Error, same terms",
                   "Error by statsmodels"]  # fmt: skip
        gap = max(self.largest_gap, _ROUNDING)
        said = "No effect is estimated" if np.isnan(self.largest_gap) else (
            f"The effects differ by at most {in_digits(1)(gap)} standard errors"
        )  # fmt: skip
        return table(
            pd.DataFrame(rows, columns=columns),
            caption=f"The same by statsmodels: weighted least squares, {self.formula}",
            notes=[f"{said}.", _SAME_TERMS],
        )

    @property
    def largest_gap(self) -> float:
        """Largest difference of the two estimates, in standard errors; NaN where none is known."""
        gap = (self.frame["estimate"] - self.frame["estimate_statsmodels"]).abs()
        return float((gap / self.frame["std_error_statsmodels"]).max())


def by_statsmodels(
    design: Design,
    outcomes: pd.DataFrame | pd.Series | Cohort,
    *,
    months: int | None = None,
    method: str = "adjusted",
    cluster: str | None = None,
    only: Iterable[str] | None = None,
) -> ByStatsmodels:
    """Estimate effects here and by statsmodels' weighted least squares.

    Parameters
    ----------
    design : Design
        As from `match`, `weight` or `unweighted`.
    outcomes, months, method
        As in `estimate`. A doubly robust effect is no coefficient of one regression.
    cluster : str, optional
        One of the study's clusters, for errors; by default its first, else robust errors.
    only : iterable of str, optional
        Outcomes to compare; by default all.

    Returns
    -------
    ByStatsmodels

    Raises
    ------
    ParameterError
        If the method is no one regression.

    Notes
    -----
    The treatment's coefficient in a regression with interactions is g-computation at the means
    where covariates are centred: Lin (2013), Annals of Applied Statistics 7, section 4.

    Examples
    --------
    >>> from tfeval.impact.study.study import study
    >>> from tfeval.impact.weighting.weight import weight
    >>> rng = np.random.default_rng(1)
    >>> frame = pd.DataFrame({"age": rng.normal(size=600), "treated": rng.random(600) < 0.3})
    >>> frame["offences"] = 2.0 + frame["age"] - frame["treated"] + rng.normal(size=600)
    >>> both = by_statsmodels(weight(study(frame, covariates=["age"])), frame["offences"])
    >>> both.largest_gap < 1e-8
    True
    """
    if method not in REGRESSIONS:
        raise ParameterError(
            f"method {method!r} is no coefficient of one regression: choose one of "
            f"{', '.join(REGRESSIONS)}."
        )
    if cluster is None:
        cluster = next(iter(design.study.clusters), None)
    options: dict[str, Any] = {"months": months, "method": method}
    terms: dict[str, Any] = {"errors": "robust"}
    if cluster:
        terms = {"errors": "cluster", "cluster": cluster}
    effects = estimate(design, outcomes, **options)
    frame = effects.to_frame().set_index("outcome")
    alike = estimate(
        design, outcomes, **options, **terms, stacked=False, fixed_covariates=True
    ).to_frame()
    alike = alike.set_index("outcome")
    numbers = aligned(design.study, outcomes, months)
    known = list(numbers.names)
    wanted = known if only is None else [str(name) for name in only]
    for name in wanted:
        if name not in known:
            raise ParameterError(f"There is no outcome {name}. {suggest(name, known)}")
    codes = design.study.clusters.get(cluster) if cluster else None
    rows = []
    for name in (one for one in wanted if one in frame.index):
        row: dict[str, Any] = {"outcome": name, "estimate": frame.loc[name, "estimate"],
               "std_error": frame.loc[name, "std_error"],
               "std_error_same_terms": alike.loc[name, "std_error"],
               "estimate_statsmodels": np.nan, "std_error_statsmodels": np.nan}  # fmt: skip
        y = numbers.values[:, known.index(name)]  # noqa: PD011 (no frame)
        few = min(frame.loc[name, ["n_treated", "n_comparison"]]) < THRESHOLD
        if np.isfinite(row["std_error_same_terms"]) and not few:
            coefficient, error = _fitted(design, y, method, codes)
            row |= {"estimate_statsmodels": coefficient, "std_error_statsmodels": error}
        rows.append(row)
    words = {"labels": in_full(effects.settings)["labels"]}
    return ByStatsmodels(pd.DataFrame(rows), REGRESSIONS[method], words)


def _fitted(
    design: Design, y: np.ndarray, method: str, codes: np.ndarray | None
) -> tuple[float, float]:
    """Return the treatment's coefficient and its error from one fit; missing if none has one."""
    from statsmodels.regression.linear_model import WLS  # noqa: PLC0415

    known = np.isfinite(y)
    rows = np.flatnonzero((design.weights > 0) & known)
    treated = design.study.treated[rows].astype(float)
    columns = [np.ones(len(rows)), treated]
    if method != "difference":
        target = design.target * known
        covariates = design.study.covariates.rows(np.arange(design.study.size))
        x = covariates[rows] - np.average(covariates, axis=0, weights=target)
        columns += list(x.T)
        if method == "adjusted":
            columns += list((x * treated[:, None]).T)
    independent = _independent(columns)
    if independent.shape[1] >= len(rows):  # nothing is left over to take an error from
        return np.nan, np.nan
    by_cluster = {} if codes is None else {"groups": codes[rows]}
    # Nearly redundant columns move no effect; an error that is none is missing.
    with warnings.catch_warnings(), np.errstate(invalid="ignore"):
        warnings.filterwarnings("ignore", message="The design matrix is rank-deficient")
        fit = WLS(y[rows], independent, weights=design.weights[rows]).fit()
        robust = fit.get_robustcov_results("cluster" if by_cluster else "HC1", **by_cluster)
        return float(robust.params[1]), float(robust.bse[1])


def _independent(columns: list[np.ndarray]) -> np.ndarray:
    """Return the columns that do not repeat those before them."""
    kept: list[np.ndarray] = []
    basis = np.empty((len(columns), len(columns[0])))
    for column in columns:
        rest, before = column.astype(float), basis[: len(kept)]
        for _ in range(2):  # twice: what one pass leaves is rounding
            rest = rest - (before @ rest) @ before
        size = np.sqrt(rest @ rest)
        if size > _REPEATS * max(np.sqrt(column @ column), 1e-300):
            basis[len(kept)] = rest / size
            kept.append(column)
    return np.stack(kept, axis=1)
