"""What of an effect's sensitivity can be worked out, quantity by quantity, with reasons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.special import stdtrit  # scipy.stats takes a second to import

from tfeval.impact.sensitivity.e_values import e_value, interval_e_value, ratio_of_difference
from tfeval.impact.sensitivity.evidence import Evidence
from tfeval.impact.sensitivity.omitted import adjusted, benchmark_strength, robustness_value
from tfeval.impact.sensitivity.regression import Regression
from tfeval.impact.sensitivity.rosenbaum import PairTest
from tfeval.impact.sensitivity.selection import Stability, beta_at, delta_for

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
            rows.append({**row, **_moved(found, given, critical)})
    return rows


def _moved(
    found: Regression, given: tuple[float, float] | None, critical: float
) -> dict[str, float]:
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
