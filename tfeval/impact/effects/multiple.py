"""Many outcomes: p-values that keep in mind how many questions were asked.

All take p-values or statistics of one family of hypotheses and give adjusted p-values; a missing
one is left out of the family and stays missing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, Self, TypeVar

import numpy as np

from tfeval.errors import ParameterError, suggest
from tfeval.impact.means.influence import joint_normal


class Corrected(Protocol):
    """What correction asks of a table of effects; named here because that imports this."""

    def with_corrections(  # noqa: D102
        self, method: str = ..., family: str | Iterable[str] | None = ..., seed: int = ...
    ) -> Self: ...


Table = TypeVar("Table", bound=Corrected)
_STATSMODELS = {"holm": "holm", "benjamini_hochberg": "fdr_bh"}

#: By the name that `correct` takes.
METHODS = ("holm", "benjamini_hochberg", "romano_wolf")


def stepped(p: np.ndarray, method: str) -> np.ndarray:
    """Adjust p-values by a rule that looks at nothing else.

    Parameters
    ----------
    p : ndarray of float, shape (k,)
        Of one family; NaN is left out.
    method : {"holm", "benjamini_hochberg"}

    Returns
    -------
    ndarray of float, shape (k,)

    References
    ----------
    Holm (1979), A simple sequentially rejective multiple test procedure, Scandinavian Journal of
    Statistics 6(2); Benjamini and Hochberg (1995), Controlling the false discovery rate, Journal
    of the Royal Statistical Society B 57(1), for independent or positively dependent statistics.
    Both as in
    statsmodels.

    Examples
    --------
    >>> stepped(np.array([0.01, 0.04, 0.03, np.nan]), "holm").round(3).tolist()
    [0.03, 0.06, 0.06, nan]
    >>> stepped(np.array([0.01, 0.04, 0.03]), "benjamini_hochberg").round(3).tolist()
    [0.03, 0.04, 0.04]
    """
    known, out = ~np.isnan(p), np.full(len(p), np.nan)
    if known.any():
        out[known] = _holm(p[known]) if method == "holm" else _by_statsmodels(p[known], method)
    return out


def _holm(p: np.ndarray) -> np.ndarray:
    # Not by statsmodels, which collects all garbage at each call: a tenth of a second.
    order, out = np.argsort(p, kind="stable"), np.empty(len(p))
    out[order] = np.minimum(np.maximum.accumulate(np.arange(len(p), 0, -1) * p[order]), 1.0)
    return out


def _by_statsmodels(p: np.ndarray, method: str) -> np.ndarray:
    from statsmodels.stats.multitest import multipletests  # noqa: PLC0415

    return multipletests(p, method=_STATSMODELS[method])[1]


def romano_wolf(t: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Adjust for many two-sided tests by stepping down over joint draws.

    Parameters
    ----------
    t : ndarray of float, shape (k,)
        Estimates over their standard errors; NaN is left out of the family.
    draws : ndarray of float, shape (draws, k)
        The same statistics were there no effect: from a multivariate normal with the estimates'
        correlation (`joint_normal`), or from bootstrap replicates, each less the estimate, over the
        standard error.

    Returns
    -------
    ndarray of float, shape (k,)
        Adjusted p-values, at least 1 / (draws + 1).

    References
    ----------
    Romano and Wolf (2005), Exact and approximate stepdown methods for multiple hypothesis
    testing, JASA 100(469); as adjusted p-values: Romano and Wolf (2016), Efficient computation of
    adjusted p-values for resampling-based stepdown multiple testing, Statistics and Probability
    Letters 113.

    Examples
    --------
    >>> draws = np.random.default_rng(1).normal(size=(9999, 2))
    >>> romano_wolf(np.array([2.5, 1.0]), draws).round(2).tolist()
    [0.02, 0.31]
    """
    if draws.ndim != 2 or draws.shape[1] != len(t) or len(draws) < 99:
        raise ParameterError(
            f"The draws have shape {draws.shape}; give at least 99 rows and one column for each "
            f"of the {len(t)} estimates."
        )
    size = -np.abs(t)
    order = np.argsort(size, kind="stable")[: np.count_nonzero(~np.isnan(size))]
    # The largest of the statistics that are still in play at each step.
    left, above = np.zeros(len(draws)), np.zeros(len(order))
    for place in range(len(order))[::-1]:
        np.maximum(left, np.abs(draws[:, order[place]]), out=left)
        above[place] = np.count_nonzero(left >= -size[order[place]])
    out = np.full(len(t), np.nan)
    out[order] = np.maximum.accumulate((above + 1) / (len(draws) + 1))
    return out


def adjusted(
    method: str,
    p: np.ndarray,
    correlation: np.ndarray,
    rng: np.random.Generator,
    draws: int = 20_000,
) -> np.ndarray:
    """Adjust the p-values of one family by a method's name.

    Parameters
    ----------
    method : {"holm", "benjamini_hochberg", "romano_wolf"}
    p : ndarray of float, shape (k,)
    correlation : ndarray, shape (k, k)
        Of the estimates; only Romano-Wolf looks at it.

    Notes
    -----
    Romano-Wolf here steps down over the p-values, each turned into the normal statistic that has
    it. So p-values from t distributions with few clusters keep their degrees of freedom, and an
    adjusted p-value is never below its own. Under the normal this is `romano_wolf` of t.
    """
    if method not in METHODS:
        raise ParameterError(f"There is no correction {method}. {suggest(method, METHODS)}")
    if method in _STATSMODELS:
        return stepped(p, method)
    from scipy.special import ndtri  # noqa: PLC0415

    out = np.full(len(p), np.nan)
    known = np.flatnonzero(~np.isnan(p))
    if len(known):
        size = -ndtri(p[known] / 2)
        null = joint_normal(correlation[np.ix_(known, known)], draws, rng)
        out[known] = _not_below(romano_wolf(size, null), p[known])
    return out


def from_replicates(t: np.ndarray, replicates: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Return Romano-Wolf p-values from bootstrap statistics, never below the p-values given."""
    known = ~np.isnan(p) & ~np.isnan(t)
    out = np.full(len(t), np.nan)
    if known.any():
        out[known] = _not_below(romano_wolf(t[known], replicates[:, known]), p[known])
    return out


def correct(
    effects: Table, method: str = "holm", family: str | Iterable[str] | None = None, seed: int = 1
) -> Table:
    """Adjust the p-values of a table of effects for how many there are.

    Parameters
    ----------
    effects : Effects
        As from `estimate`.
    method : {"holm", "benjamini_hochberg", "romano_wolf"}
        What is held at the level: `display.names.CORRECTIONS` says it in words.
    family : str or tuple of str, optional
        Columns whose values tell families apart, such as "planned" or ("population", "months").
        By default all rows are one family.
    seed : int
        For the draws of Romano-Wolf.

    Returns
    -------
    Effects
        With `p_adjusted`; the method and the families are in `settings["correction"]` and in the
        notes.

    Raises
    ------
    ParameterError
        If the method or a column is unknown.

    Examples
    --------
    >>> import pandas as pd
    >>> from tfeval.impact.effects.effects import Effects
    >>> rows = pd.DataFrame({"outcome": ["offences", "absence"], "estimate": [-0.2, -0.1],
    ...                      "std_error": [0.08, 0.08], "p_value": [0.012, 0.21]})
    >>> made = Effects(rows, np.diag([0.0064, 0.0064]))
    >>> correct(made, "holm").to_frame()["p_adjusted"].tolist()
    [0.024, 0.21]
    """
    return effects.with_corrections(method, family, seed)


def _not_below(stepped: np.ndarray, p: np.ndarray) -> np.ndarray:
    # Draws are finite: what chance put below the p-value itself, and out of order, is put right.
    order = np.argsort(p, kind="stable")
    out = np.empty(len(p))
    out[order] = np.maximum.accumulate(np.maximum(stepped, p)[order])
    return out
