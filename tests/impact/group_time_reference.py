"""Two groups and two periods from the formulas of Sant'Anna and Zhao (2020), unit by unit."""

from __future__ import annotations

import numpy as np


def odds(x, treated, weight):
    """Return each unit's odds of treatment by Newton's steps on the likelihood."""
    gamma = np.zeros(x.shape[1])
    for _ in range(60):
        chance = 1 / (1 + np.exp(-x @ gamma))
        hessian = (x * (weight * chance * (1 - chance))[:, None]).T @ x
        gamma = gamma + np.linalg.solve(hessian, x.T @ (weight * (treated - chance)))
    return np.exp(x @ gamma)


def line(x, y, weight):
    """Return what least squares with weights foretells for all rows of x."""
    root = np.sqrt(weight)[:, None]
    return x @ np.linalg.lstsq(root * x, root[:, 0] * y, rcond=None)[0]


def panel_effect(x, change, treated, weight, method):
    """Return equations 2.2, 2.3 or 2.5, weights normalised."""
    ratio = odds(x, treated, weight)
    foretold = line(x, change, weight * (1 - treated))
    if method == "inverse_weighting":
        foretold = np.zeros_like(change)
    own = np.average(change - foretold, weights=weight * treated)
    if method == "regression":
        return own
    return own - np.average(change - foretold, weights=weight * (1 - treated) * ratio)


def cross_effect(x, y, arm, weight, method):
    """Return the same from repeated cross-sections; doubly robust is equation 3.4."""
    treated, after = arm
    ratio, arms = odds(x, treated, weight), {}
    for d in (0, 1):
        for t in (0, 1):
            arms[d, t] = line(x, y, weight * (treated == d) * (after == t))
    own = np.zeros_like(y)
    if method != "inverse_weighting":
        own = np.where(after == 1, arms[0, 1], arms[0, 0])

    def mean(values, weights):
        return np.average(values, weights=weight * weights)

    change = 0.0
    for t, sign in ((1, 1), (0, -1)):
        when = after == t
        if method == "regression":
            # The comparison's foretold level is of all treated, whenever they were seen.
            change += sign * (mean(y, treated * when) - mean(arms[0, t], treated))
            continue
        change += sign * (
            mean(y - own, treated * when) - mean(y - own, (1 - treated) * when * ratio)
        )
        if method == "doubly_robust":
            gap = arms[1, t] - arms[0, t]
            change += sign * (mean(gap, treated) - mean(gap, treated * when))
    return change


def influence(effect, weight, step=1e-5):
    """Return what each unit bears on an effect: its weight times the derivative by its weight."""
    found = np.empty(len(weight))
    for unit in range(len(weight)):
        sides = []
        for sign in (1, -1):
            moved = weight.copy()
            moved[unit] *= 1 + sign * step
            sides.append(effect(moved))
        found[unit] = (sides[0] - sides[1]) / (2 * step)
    return found
