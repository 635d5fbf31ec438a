"""How sensitive effects are to what was not measured, and to outcomes that were not seen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from tfeval.cohort.analysis_table import Cohort
from tfeval.display.tables import THRESHOLD
from tfeval.errors import ParameterError, check_choice, suggest
from tfeval.impact.design.design import Design
from tfeval.impact.effects.columns import KEYS
from tfeval.impact.effects.effects import Effects
from tfeval.impact.effects.estimate import estimate
from tfeval.impact.means.outcomes import aligned
from tfeval.impact.sensitivity.evidence import Evidence, Seen
from tfeval.impact.sensitivity.regression import Sensitivity
from tfeval.impact.sensitivity.tables import notes_of
from tfeval.impact.sensitivity.values import (
    NAN,
    benchmark_rows,
    pair_columns,
    ratio_columns,
    regression_columns,
    selection_columns,
    strongest,
    withheld,
)

YARDSTICKS = ("before", "design")
_EFFECT = ("status", "estimate", "std_error", "conf_low", "conf_high")


def sensitivity(
    design: Design,
    outcomes: pd.DataFrame | pd.Series | Cohort,
    effects: Effects | None = None,
    *,
    months: int | None = None,
    by: pd.Series | np.ndarray | None = None,
    benchmarks: str | Iterable[str] | None = None,
    times: float | Iterable[float] = (1.0, 2.0, 3.0),
    gamma: float | Iterable[float] = (1.25, 1.5, 2.0, 3.0),
    r_max: float = 1.3,
    yardstick: str = "before",
) -> Sensitivity:
    """Say how strong something unmeasured would have to be to change each effect.

    Parameters
    ----------
    design : Design
        The one that the effects are of.
    outcomes : DataFrame, Series or Cohort
        As given to `estimate`, with the study's index.
    effects : Effects, optional
        By default `estimate(design, outcomes, months=months, by=by)`.
    months : int, optional
        Horizon after the index date, of a cohort.
    by : Series or ndarray, optional, shape (n,)
        Groups that the effects were estimated for.
    benchmarks : str or iterable of str, optional
        Covariates of the study to measure the unmeasured by; by default all. A category, or a
        number with a column that says it is missing, counts whole.
    times : float or iterable of float, default (1, 2, 3)
        How many times as strong as a benchmark.
    gamma : float or iterable of float, default (1.25, 1.5, 2, 3)
        Odds within a pair at which p-values are bounded.
    r_max : float, default 1.3
        The highest R2 is so many times that with the covariates, and at most 1.
    yardstick : {"before", "design"}
        Where a benchmark's strength with the treatment, and Oster's delta, are measured: among
        all units before the design, or with its weights. A design makes covariates alike, so
        that within it none has much to do with the treatment, and the unmeasured would look
        harmless beside them.

    Returns
    -------
    Sensitivity
        One row an effect, in the order of the effects.

    Raises
    ------
    ParameterError
        If a setting is unknown or out of range, or an effect is of an outcome not given.
    DataError
        If outcomes do not fit the study.

    Notes
    -----
    E-values are of the effect itself and its interval. Rosenbaum's bounds are of the pairs'
    outcomes, each pair counting once, without further adjustment. Robustness values, benchmarks
    and Oster's delta are of the regression of the outcome on treatment and covariates with the
    design's weights, whose errors take units as independent. A benchmark's strength with the
    treatment, and delta, are those of before the design (`yardstick`). Covariates that repeat
    others are left out, never the intercept.

    References
    ----------
    VanderWeele and Ding (2017), Annals of Internal Medicine 167; Rosenbaum (2002), Observational
    Studies, section 4.3; Cinelli and Hazlett (2020), JRSS B 82; Oster (2019), JBES 37.

    Examples
    --------
    >>> from tfeval.impact.matching.match import match
    >>> from tfeval.impact.study.study import study
    >>> rng = np.random.default_rng(1)
    >>> frame = pd.DataFrame({"age": rng.normal(size=600)})
    >>> frame["treated"] = rng.random(600) < 0.3
    >>> frame["offences"] = 2.0 + frame["age"] - 0.5 * frame["treated"] + rng.normal(size=600)
    >>> found = sensitivity(match(study(frame, covariates=["age"])), frame["offences"])
    >>> row = found.to_frame().iloc[0]
    >>> bool(row["e_value"] > row["e_value_interval"] > 1), bool(row["gamma_limit"] > 1)
    (True, True)
    """
    if not isinstance(design, Design):
        raise ParameterError(
            "sensitivity takes a design: make one with match(study) or weight(study)."
        )
    chosen = _benchmarks(design, benchmarks)
    many = _numbers("times", times, above=0.0)
    gammas = _numbers("gamma", gamma, above=1.0)
    if isinstance(r_max, bool) or not isinstance(r_max, float | int) or not 1 < r_max < np.inf:
        raise ParameterError(f"r_max is how many times the R2 the highest is, above 1: {r_max!r}.")
    check_choice("yardstick", yardstick, YARDSTICKS)
    grid = aligned(design.study, outcomes, months)
    if effects is None:
        effects = estimate(design, outcomes, months=months, by=by)
    if not isinstance(effects, Effects) or not len(effects.frame):
        raise ParameterError("effects is a table of at least one effect, as from estimate.")
    _check_estimand(design, effects)
    seen = Seen(design, grid, by, chosen, yardstick)
    alpha = 1 - effects.level
    rows, bounds, yardsticks = [], [], []
    for place, effect in enumerate(effects.to_frame().to_dict("records")):
        keys = {name: effect[name] for name in KEYS if name in effect}
        evidence = seen.of(effect)
        row, own = _row(effect, evidence, many, alpha, r_max)
        kept = {name: effect[name] for name in _EFFECT if name in effect}
        rows.append({**keys, **kept, "binary": evidence.binary, **row})
        yardsticks += [{"row": place, **keys, **one} for one in own]
        bounds += [{"row": place, **keys, **one} for one in _bounds(row, evidence, gammas)]
    frame = pd.DataFrame(rows)
    return Sensitivity(
        frame=frame, bounds=pd.DataFrame(bounds), benchmarks=pd.DataFrame(yardsticks),
        effects=effects, settings={"r_max": float(r_max), "gamma": gammas, "times": many,
        "yardstick": yardstick},
        notes=notes_of(frame, effects, r_max, yardstick),
    )  # fmt: skip


def _row(
    effect: dict[Any, Any], evidence: Evidence, times: tuple[float, ...], alpha: float, r_max: float
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the quantities of one effect, and its benchmarks."""
    fit = evidence.regression
    row = withheld(
        {
            **ratio_columns(effect, evidence),
            **pair_columns(evidence.pairs, alpha),
            **regression_columns(fit, alpha),
            **strongest(evidence, alpha),
            **selection_columns(evidence.before, r_max),
        },
        effect,
    )
    if np.isnan(row["regression_estimate"]):
        return row, []
    shown = benchmark_rows(evidence, times, alpha)
    if np.isnan(row["robustness_value_interval"]):
        shown = [{**one, "conf_low": NAN, "conf_high": NAN} for one in shown]
    return row, shown


def _bounds(
    row: dict[str, Any], evidence: Evidence, gammas: tuple[float, ...]
) -> list[dict[str, Any]]:
    if isinstance(evidence.pairs, str) or np.isnan(row["gamma_limit"]):
        return []
    limits = [(one, *evidence.pairs.bounds(one)) for one in gammas]
    return [{"gamma": one, "p_low": low, "p_high": high} for one, low, high in limits]


def _benchmarks(design: Design, given: str | Iterable[str] | None) -> tuple[str, ...]:
    known = tuple(dict.fromkeys(column.source for column in design.study.covariates.columns))
    if given is None:
        return known
    names = (given,) if isinstance(given, str) else tuple(dict.fromkeys(given))
    for name in names:
        if name not in known:
            raise ParameterError(
                f"{name} is no covariate of the study. {suggest(str(name), map(str, known))}"
            )
    return names


def _numbers(name: str, given: Any, *, above: float) -> tuple[float, ...]:
    single = isinstance(given, float | int | np.number)
    try:
        numbers = tuple(float(value) for value in ((given,) if single else given))
    except (TypeError, ValueError):
        raise ParameterError(f"{name}: give numbers, not {given!r}.") from None
    least = f"at least {above:g}" if above else "above 0"
    if not numbers or not all(np.isfinite(one) and one >= above and one > 0 for one in numbers):
        raise ParameterError(f"{name}: give numbers that are {least}, not {given!r}.")
    return numbers


def _check_estimand(design: Design, effects: Effects) -> None:
    other = set(effects.frame["estimand"]) - {design.estimand, ""}
    if other:
        raise ParameterError(
            f"The effects are of the {', '.join(sorted(map(str, other)))} and the design of the "
            f"{design.estimand}: give the design that they were estimated with."
        )


def unobserved(
    design: Design,
    outcomes: pd.DataFrame | pd.Series | Cohort,
    effects: Effects | None = None,
    *,
    months: int | None = None,
) -> pd.DataFrame:
    """Bound each effect by what the units whose outcome was not seen may have had.

    Parameters
    ----------
    design : Design
        The one that the effects are of.
    outcomes : DataFrame, Series or Cohort
        As given to `estimate`, with the study's index.
    effects : Effects, optional
        Of all units, not of groups; by default `estimate(design, outcomes, months=months)`.
    months : int, optional
        Horizon after the index date, of a cohort.

    Returns
    -------
    DataFrame
        One row an effect: `outcome`, `months`; `observed_treated`, `observed_comparison`: shares
        of the design's weight whose outcome was seen; `estimate`, of those; `bound_low`,
        `bound_high`: the effect on all if the others had, in whichever arm, the least or the most
        that ten units had (no single unit's value is told); `times`: how many times the mean of the
        treated seen the treated not seen would have to have, those of the comparison being as those
        seen, for the effect on all to be 0. NaN if everybody was seen, or there is no such number;
        below 0 none can.

    Raises
    ------
    ParameterError
        If an effect is of an outcome not given.

    Notes
    -----
    With q the share seen of an arm and m its mean, the mean of all lies between
    ``q m + (1 - q) least`` and ``q m + (1 - q) most``. The comparison's mean is that of the treated
    less the effect. Bounds do not count sampling error, and for a count the most that ten units had
    is not the most that there can be. Fewer than twenty seen bound nothing.

    References
    ----------
    Horowitz and Manski (2000), Nonparametric analysis of randomized experiments with missing
    covariate and outcome data, JASA 95(449), section 2; Yan, Lee and Li (2009), Missing data
    handling methods in medical device clinical trials, Journal of Biopharmaceutical Statistics
    19(6): tipping points.

    Examples
    --------
    >>> from tfeval.impact.matching.match import match
    >>> from tfeval.impact.study.study import study
    >>> rng = np.random.default_rng(1)
    >>> frame = pd.DataFrame({"age": rng.normal(size=600)})
    >>> frame["treated"] = rng.random(600) < 0.3
    >>> out = (rng.random(600) < 0.4 - 0.1 * frame["treated"]).astype(float)
    >>> out[rng.random(600) < 0.1] = np.nan
    >>> found = unobserved(match(study(frame, covariates=["age"])), out.rename("out_of_work"))
    >>> row = found.iloc[0]
    >>> bool(row["bound_low"] < row["estimate"] < row["bound_high"])
    True
    """
    grid = aligned(design.study, outcomes, months)
    if effects is None:
        effects = estimate(design, outcomes, months=months)
    rows = []
    for effect in effects.to_frame().to_dict("records"):
        if effect["outcome"] not in grid.names:
            raise ParameterError(
                f"{effect['outcome']} is no outcome given. {suggest(effect['outcome'], grid.names)}"
            )
        place = grid.names.index(effect["outcome"])
        rows.append(
            {
                "outcome": effect["outcome"],
                "months": effect["months"],
                **_bounded(design, grid.values[:, place], effect),  # noqa: PD011 - not pandas
            }
        )
    return pd.DataFrame(rows)


def _bounded(design: Design, values: np.ndarray, effect: dict[Any, Any]) -> dict[str, float]:
    known, arms = np.isfinite(values), (design.study.treated, ~design.study.treated)
    weight = design.weights
    shares = [float(weight[arm & known].sum() / weight[arm].sum()) for arm in arms]
    seen = np.sort(values[known & (weight > 0)])
    least, most = (float(seen[THRESHOLD - 1]), float(seen[-THRESHOLD])) if (
        len(seen) >= 2 * THRESHOLD
    ) else (NAN, NAN)  # fmt: skip
    (of_treated, of_compared), mean = shares, float(effect["mean_treated"])
    without = mean - float(effect["estimate"])
    treated = [of_treated * mean + (1 - of_treated) * end for end in (least, most)]
    compared = [of_compared * without + (1 - of_compared) * end for end in (least, most)]
    unseen = 1 - of_treated
    times = (without - of_treated * mean) / (unseen * mean) if unseen > 0 and mean else NAN
    return {
        "observed_treated": of_treated, "observed_comparison": of_compared,
        "estimate": float(effect["estimate"]),
        "bound_low": treated[0] - compared[1], "bound_high": treated[1] - compared[0],
        "times": times,
    }  # fmt: skip
