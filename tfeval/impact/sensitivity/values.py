"""What of an effect's sensitivity can be worked out, quantity by quantity, with reasons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import stdtrit  # scipy.stats takes a second to import

from tfeval.impact.sensitivity.evidence import Evidence, PairTest
from tfeval.impact.sensitivity.regression import Regression, Stability, beta_at, delta_for

# Omitted variables in terms of partial R2: how much bias a confounder of some strength makes.
# Source of all formulas: Cinelli and Hazlett (2020), Making sense of sensitivity: extending omitted
# variable bias, Journal of the Royal Statistical Society B 82.


@dataclass(frozen=True)
class Adjusted:
    """What the regression would say had it included the confounder."""

    #: r2_treatment, r2_outcome: partial R2 of the confounder with the treatment, given the
    #: covariates, and with the outcome, given treatment and covariates.
    r2_treatment: float
    r2_outcome: float
    estimate: float
    std_error: float


def robustness_value(t: float, dof: float, critical: float = 0.0) -> float:
    """Return the partial R2 with both treatment and outcome that would undo an estimate.

    Parameters
    ----------
    t : float
        Of the treatment's coefficient.
    dof : float
        Residual degrees of freedom.
    critical : float, default 0
        The value of t, at `dof - 1`, to which a confounder must bring it down; 0 to bring the
        estimate itself to 0.

    Returns
    -------
    float
        From 0 (nothing is needed) to 1.

    Notes
    -----
    The confounder is as strong with the treatment as with the outcome; where one that explains
    less of the outcome does more harm, through a larger error, the value is of that one (the
    third case below).

    References
    ----------
    Cinelli and Hazlett (2020), section 4.2; Cinelli and Hazlett (2025), An omitted variable bias
    framework for sensitivity analysis of instrumental variables, Biometrika 112, for the last case.

    Examples
    --------
    >>> round(robustness_value(4.18445, 783), 4)
    0.1388
    """
    f = abs(t) / np.sqrt(dof)
    needed = critical / np.sqrt(dof - 1)
    if f <= needed:
        return 0.0
    if needed > 0 and f >= 1 / needed:
        return float((f**2 - needed**2) / (1 + f**2))
    gap = (f - needed) ** 2
    # (sqrt(gap^2 + 4 gap) - gap) / 2, without taking near equals from each other.
    return float(2 * gap / (np.sqrt(gap**2 + 4 * gap) + gap)) if np.isfinite(gap) else 1.0


def adjusted(
    estimate: float, std_error: float, dof: float, r2_treatment: float, r2_outcome: float
) -> Adjusted:
    """Return the estimate had a confounder of that strength been included, against the estimate.

    Examples
    --------
    >>> found = adjusted(0.09731582, 0.02325654, 783, 0.00916429, 0.12464092)
    >>> round(found.estimate, 5), round(found.std_error, 5)
    (0.07522, 0.02187)
    """
    bias = std_error * np.sqrt(r2_outcome * r2_treatment / (1 - r2_treatment) * dof)
    error = std_error * np.sqrt((1 - r2_outcome) / (1 - r2_treatment) * dof / (dof - 1))
    moved = float(np.sign(estimate) * (abs(estimate) - bias))
    return Adjusted(float(r2_treatment), float(r2_outcome), moved, float(error))


def benchmark_strength(
    r2_treatment: float, r2_outcome: float, times: float
) -> tuple[float, float] | None:
    """Return the strength of a confounder some times as strong as an observed covariate.

    Parameters
    ----------
    r2_treatment : float
        Partial R2 of the covariate (or group) with the treatment, given the other covariates.
    r2_outcome : float
        With the outcome, given the treatment and the other covariates.
    times : float
        How many times as much of the treatment, and of the outcome, it explains.

    Returns
    -------
    (float, float) or None
        Partial R2 with treatment and with outcome, the second at most 1. None where no confounder
        can be so strong: it would explain the whole treatment.

    References
    ----------
    Cinelli and Hazlett (2020), section 4.4, equation 19, and appendix; for the outcome, the bound.

    Examples
    --------
    >>> benchmark_strength(0.5, 0.1, 2) is None
    True
    """
    with_treatment = times * r2_treatment / (1 - r2_treatment) if r2_treatment < 1 else np.inf
    if with_treatment >= 1:
        return None
    shared = times * r2_treatment**2 / ((1 - times * r2_treatment) * (1 - r2_treatment))
    if not 0 <= shared < 1:
        return None
    factor = (np.sqrt(times) + np.sqrt(shared)) / np.sqrt(1 - shared)
    with_outcome = factor**2 * r2_outcome / (1 - r2_outcome) if r2_outcome < 1 else np.inf
    return float(with_treatment), float(min(with_outcome, 1.0))


# E-values: how strongly an unmeasured cause must go with treatment and outcome.

#: From a standardised difference to a risk ratio: its logarithm is about 0.91 of it.
PER_DEVIATION = 0.91


def e_value(ratio: np.ndarray | float) -> np.ndarray:
    """Return the E-value of risk ratios.

    Parameters
    ----------
    ratio : ndarray or float
        Risk ratios, on either side of 1.

    Returns
    -------
    ndarray
        At least 1; NaN where the ratio is not above 0, or missing.

    Notes
    -----
    An unmeasured cause that goes with treatment and with the outcome by risk ratios of this size
    each, given the covariates, could explain the whole association; a weaker one could not.

    References
    ----------
    VanderWeele and Ding (2017), Sensitivity analysis in observational research: introducing the
    E-value, Annals of Internal Medicine 167: E = RR + sqrt(RR (RR - 1)) for RR of at least 1.

    Examples
    --------
    >>> e_value([3.9, 1 / 3.9, 1.0, 0.0]).round(2).tolist()
    [7.26, 7.26, 1.0, nan]
    """
    given = np.asarray(ratio, dtype=float)
    known = given > 0
    with np.errstate(divide="ignore", over="ignore"):
        above = np.maximum(given, 1 / np.where(known, given, 1.0))
        found = above + np.sqrt(above) * np.sqrt(above - 1)
    return np.where(known, found, np.nan)


def interval_e_value(low: np.ndarray | float, high: np.ndarray | float) -> np.ndarray:
    """Return the E-value of the end of an interval that is nearest to no effect.

    Parameters
    ----------
    low, high : ndarray or float
        Ends of the risk ratio's interval.

    Returns
    -------
    ndarray
        1 where the interval holds no effect (a ratio of 1); NaN where an end is missing.

    Examples
    --------
    >>> interval_e_value([1.8, 0.9, 0.2], [8.7, 1.4, 0.5]).round(2).tolist()
    [3.0, 1.0, 3.41]
    """
    low, high = np.asarray(low, dtype=float), np.asarray(high, dtype=float)
    known = ~np.isnan(low) & ~np.isnan(high)
    holds = (low <= 1) & (high >= 1)
    found = np.where(holds, 1.0, e_value(np.where(low > 1, low, high)))
    return np.where(known, found, np.nan)


def ratio_of_difference(difference: np.ndarray | float, deviation: float) -> np.ndarray:
    """Return about the risk ratio of a difference in an outcome that is a number.

    Parameters
    ----------
    difference : ndarray or float
        Of means.
    deviation : float
        The outcome's standard deviation within arms.

    Notes
    -----
    The ratio is of the risks of a high outcome, if it is cut near its middle. Approximate.

    References
    ----------
    Chinn (2000), Statistics in Medicine 19; VanderWeele and Ding (2017), table 2:
    RR = exp(0.91 d), d being the difference in standard deviations.

    Examples
    --------
    >>> ratio_of_difference(-0.5, 1.0).round(3)
    np.float64(0.634)
    """
    with np.errstate(over="ignore"):
        return np.exp(PER_DEVIATION * np.asarray(difference, dtype=float) / deviation)


NAN = float("nan")
NO_INTERVAL = "the effect has no valid interval"
NO_ESTIMATE = "the effect cannot be estimated"
#: The smallest gap between R2 and the highest R2 that is no rounding.
_NO_ROOM = 1e-10


def ratio_columns(effect: Mapping[Any, Any], evidence: Evidence) -> dict[str, Any]:
    """Return the risk ratio, or about it, its interval and the E-values."""
    names = ("risk_ratio", "risk_ratio_low", "risk_ratio_high")
    ratios, reason = _ratios(effect, evidence)
    if not reason and np.isnan(ratios[1:]).any():
        reason = "the ratio's interval is not known"
    if not reason and np.isnan(float(effect["conf_low"])):
        reason, ratios[1:] = NO_INTERVAL, NAN
    return {
        **dict(zip(names, ratios.tolist(), strict=True)),
        "e_value": float(e_value(ratios[0])),
        "e_value_interval": float(interval_e_value(ratios[1], ratios[2])),
        "e_value_reason": reason,
    }


def _ratios(effect: Mapping[Any, Any], evidence: Evidence) -> tuple[np.ndarray, str]:
    unknown = np.full(3, NAN)
    if evidence.binary:
        first, second = float(effect["mean_treated"]), float(effect["mean_comparison"])
        if not (first > 0 and second > 0):
            return unknown, "a mean is not above 0, so there is no ratio"
        ends = [1 + float(effect["relative_low"]), 1 + float(effect["relative_high"])]
        return np.array([first / second, *ends]), ""
    if not evidence.deviation > 0:
        return unknown, "the outcome does not vary within the arms"
    ends = [float(effect[name]) for name in ("estimate", "conf_low", "conf_high")]
    return ratio_of_difference(np.array(ends), evidence.deviation), ""


def pair_columns(pairs: PairTest | str, alpha: float) -> dict[str, Any]:
    """Return the gamma at which the conclusion falls."""
    if isinstance(pairs, str):
        return {"pairs": NAN, "pairs_differing": NAN, "gamma_limit": NAN, "gamma_reason": pairs}
    return {"pairs": pairs.pairs, "pairs_differing": pairs.differing,
            "gamma_limit": pairs.limit(alpha), "gamma_reason": ""}  # fmt: skip


def regression_columns(found: Regression | str, alpha: float) -> dict[str, Any]:
    """Return robustness values and what they rest on."""
    names = ("robustness_value", "robustness_value_interval", "partial_r2", "r2",
             "regression_estimate", "regression_std_error", "regression_dof")  # fmt: skip
    if isinstance(found, str):
        return {**dict.fromkeys(names, NAN), "robustness_reason": found}
    t = found.estimate / found.std_error
    critical = float(stdtrit(found.dof - 1, 1 - alpha / 2))
    values = (robustness_value(t, found.dof), robustness_value(t, found.dof, critical),
              found.partial_r2, found.r2, found.estimate, found.std_error,
              found.dof)  # fmt: skip
    return {**dict(zip(names, values, strict=True)), "robustness_reason": ""}


def benchmark_rows(
    evidence: Evidence, times: tuple[float, ...], alpha: float
) -> list[dict[str, Any]]:
    """Return what the estimate would be with confounders as strong as each covariate.

    Notes
    -----
    A covariate's strength with the treatment is that of before the design: weights and matching
    depend on treatment and covariates, and leave what is unmeasured as it was given these.
    """
    found, before = evidence.regression, evidence.before
    if isinstance(found, str) or isinstance(before, str):
        return []
    critical = float(stdtrit(found.dof - 1, 1 - alpha / 2))
    rows = []
    for name, with_outcome in found.strengths.items():
        strength = before.strengths[name]
        for many in times:
            row: dict[str, Any] = {"covariate": name, "times": many}
            given = None
            if strength is None or with_outcome is None:
                row["reason"] = "says nothing that the other covariates do not"
            else:
                given = benchmark_strength(strength.r2_treatment, with_outcome.r2_outcome, many)
                row["reason"] = "" if given else "it would explain the whole treatment"
            rows.append({**row, **with_confounder(found, given, critical)})
    return rows


def with_confounder(
    found: Regression, given: tuple[float, float] | None, critical: float
) -> dict[str, float]:
    """Return the estimate and its interval had a confounder of a strength been included.

    Parameters
    ----------
    given : (float, float) or None
        Its partial R2 with treatment and outcome, as from `benchmark_strength`.
    critical : float
        Of t.
    """
    names = ("r2_treatment", "r2_outcome", "estimate", "std_error", "conf_low", "conf_high")
    if given is None:
        return dict.fromkeys(names, NAN)
    moved = adjusted(found.estimate, found.std_error, found.dof, *given)
    # A confounder that explains the whole outcome leaves no error, but that is the bound's end.
    error = moved.std_error if moved.r2_outcome < 1 else NAN
    ends = moved.estimate - critical * error, moved.estimate + critical * error
    values = (moved.r2_treatment, moved.r2_outcome, moved.estimate, error, *ends)
    return dict(zip(names, values, strict=True))


def strongest(evidence: Evidence, alpha: float) -> dict[str, Any]:
    """Return the covariate whose like, once over, would take most off the estimate."""
    names = ("benchmark_estimate", "benchmark_low", "benchmark_high")
    none = {"benchmark": "", **dict.fromkeys(names, NAN)}
    found, before = evidence.regression, evidence.before
    if isinstance(found, str) or isinstance(before, str):
        return {**none, "benchmark_reason": found if isinstance(found, str) else str(before)}
    rows = [row for row in benchmark_rows(evidence, (1.0,), alpha) if not np.isnan(row["estimate"])]
    if not rows:
        return {**none, "benchmark_reason": "no covariate is there to measure by"}
    first = min(rows, key=lambda row: row["estimate"] * np.sign(found.estimate))
    values = (first["estimate"], first["conf_low"], first["conf_high"])
    return {"benchmark": first["covariate"], **dict(zip(names, values, strict=True)),
            "benchmark_reason": ""}  # fmt: skip


def selection_columns(found: Regression | str, r_max: float) -> dict[str, Any]:
    """Return Oster's delta for no effect, and the effect at a delta of 1."""
    names = ("oster_delta", "oster_beta", "oster_r_max", "oster_short", "oster_long")
    unknown = dict.fromkeys(names, NAN)
    if isinstance(found, str):
        return {**unknown, "oster_reason": found}
    most = min(1.0, r_max * found.r2)
    if not found.covariates:
        return {**unknown, "oster_reason": "no covariate says anything of its own"}
    if found.r2 - found.r2_short <= _NO_ROOM:
        return {**unknown, "oster_reason": "the covariates explain nothing of the outcome"}
    if found.variance - found.residual <= _NO_ROOM * found.variance:
        return {**unknown, "oster_reason": "the covariates explain nothing of the treatment"}
    stability = Stability(found.short, found.estimate, found.r2_short, found.r2, most,
                          found.variance, found.residual, found.outcome_variance)  # fmt: skip
    delta, beta = delta_for(stability), beta_at(stability)
    reason = "" if np.isfinite([delta, beta]).all() else "the equations have no solution"
    values = (delta, beta, most, found.short, found.estimate)
    return {**dict(zip(names, values, strict=True)), "oster_reason": reason}


def withheld(row: dict[str, Any], effect: Mapping[Any, Any]) -> dict[str, Any]:
    """Return a row without what the effect itself does not allow to be said."""
    if np.isnan(float(effect["estimate"])):
        numbers = {name: NAN for name, value in row.items() if isinstance(value, float | int)}
        reasons = {name: row[name] or NO_ESTIMATE for name in row if name.endswith("_reason")}
        return {**row, **numbers, **reasons, "benchmark": ""}
    if np.isnan(float(effect["conf_low"])) or np.isnan(float(effect["conf_high"])):
        hidden = ("gamma_limit", "robustness_value_interval", "benchmark_low", "benchmark_high",
                  "risk_ratio_low", "risk_ratio_high", "e_value_interval")  # fmt: skip
        reasons = {name: row[name] or NO_INTERVAL for name in
                   ("gamma_reason", "robustness_reason", "e_value_reason")}  # fmt: skip
        return {**row, **dict.fromkeys(hidden, NAN), **reasons}
    return row
