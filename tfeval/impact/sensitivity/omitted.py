"""Omitted variables in terms of partial R2: how much bias a confounder of some strength makes.

Source of all formulas: Cinelli and Hazlett (2020), Making sense of sensitivity: extending omitted
variable bias, Journal of the Royal Statistical Society B 82.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Adjusted:
    """What the regression would say had it included the confounder.

    Attributes
    ----------
    r2_treatment, r2_outcome : float
        Partial R2 of the confounder with the treatment, given the covariates, and with the
        outcome, given treatment and covariates.
    estimate, std_error : float
    """

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
