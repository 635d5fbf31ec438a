"""Errors of entropy balancing against one stack of all estimating equations.

WeightIt before 1.7.0 takes the means to be reached as known. They are those of the treated, a
sample too, so its errors answer another question; ours move with them. That repeated samples
differ by ours stands in test_weighting.py.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.impact.golden import data, study_of
from tfeval.impact.effects.estimate import estimate
from tfeval.impact.weighting.weight import weight


def stacked_by_hand(x, treated, sampling, y, estimand="ATT"):
    """Return the effect and its error from one stack of equations, the slow way.

    The unknowns are the target's means, the weights' coefficients and both mean outcomes; the
    Jacobian is by complex steps, exact to rounding.
    """
    target = (treated if estimand == "ATT" else ~treated) * sampling
    other = (~treated if estimand == "ATT" else treated) * sampling
    k = x.shape[1]

    def equations(theta):
        centred = x - theta[:k]
        raised = other * np.exp(centred @ theta[k : 2 * k])
        return np.column_stack([
            target[:, None] * centred,
            raised[:, None] * centred,
            target * (y - theta[2 * k]),
            raised * (y - theta[2 * k + 1]),
        ])  # fmt: skip

    means = target @ x / target.sum()
    slopes = np.zeros(k)
    for _ in range(50):
        raised = other * np.exp((x - means) @ slopes)
        hessian = ((x - means) * raised[:, None]).T @ (x - means)
        slopes -= np.linalg.solve(hessian, raised @ (x - means))
    raised = other * np.exp((x - means) @ slopes)
    theta = np.r_[means, slopes, target @ y / target.sum(), raised @ y / raised.sum()]
    assert np.abs(equations(theta).sum(axis=0)).max() < 1e-8
    step = 1e-30j * np.eye(len(theta))
    bread = np.column_stack([equations(theta + own).sum(axis=0).imag / 1e-30 for own in step])
    psi = -equations(theta) @ np.linalg.inv(bread).T
    sign = 1.0 if estimand == "ATT" else -1.0
    return sign * (theta[-2] - theta[-1]), np.sqrt(np.sum((psi[:, -2] - psi[:, -1]) ** 2))


@pytest.mark.parametrize("estimand", ["ATT", "ATC"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("column", ["y", "yb"])
def test_errors_are_those_of_all_equations_stacked(column, weighted, estimand):
    made, y = study_of("clustered", weighted=weighted), data("clustered")[column].to_numpy(float)
    design = weight(made, "entropy", estimand=estimand)
    row = estimate(design, data("clustered")[column], method="difference", errors="robust")
    effect, error = stacked_by_hand(
        made.covariates.rows(slice(None)), made.treated, made.sampling, y, estimand
    )
    row = row.to_frame().iloc[0]
    assert row["estimate"] == pytest.approx(effect, rel=1e-9)
    factor = np.sqrt(made.size / (made.size - 2))
    assert row["std_error"] == pytest.approx(error * factor, rel=1e-7)


def stacked_for_everybody(x, treated, sampling, y):
    """Return the ATE and its error: each arm weighted to everybody's means, all equations stacked.

    The unknowns are everybody's means, both arms' coefficients and both mean outcomes.
    """
    k, arms = x.shape[1], (treated * sampling, ~treated * sampling)

    def equations(theta):
        centred = x - theta[:k]
        parts = [sampling[:, None] * centred]
        for place, arm in enumerate(arms):
            raised = arm * np.exp(centred @ theta[k * (1 + place) : k * (2 + place)])
            parts += [raised[:, None] * centred, (raised * (y - theta[3 * k + place]))[:, None]]
        return np.column_stack(parts)

    means = sampling @ x / sampling.sum()
    theta = [means]
    outcomes = []
    for arm in arms:
        slopes = np.zeros(k)
        for _ in range(50):
            raised = arm * np.exp((x - means) @ slopes)
            hessian = ((x - means) * raised[:, None]).T @ (x - means)
            slopes -= np.linalg.solve(hessian, raised @ (x - means))
        raised = arm * np.exp((x - means) @ slopes)
        theta.append(slopes)
        outcomes.append(raised @ y / raised.sum())
    theta = np.r_[(*theta, outcomes)]
    step = 1e-30j * np.eye(len(theta))
    bread = np.column_stack([equations(theta + own).sum(axis=0).imag / 1e-30 for own in step])
    psi = -equations(theta) @ np.linalg.inv(bread).T
    return theta[-2] - theta[-1], np.sqrt(np.sum((psi[:, -2] - psi[:, -1]) ** 2))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("column", ["y", "yb"])
def test_errors_for_the_ate_count_that_both_arms_weights_were_estimated(column, weighted):
    made, y = study_of("clustered", weighted=weighted), data("clustered")[column].to_numpy(float)
    design = weight(made, "entropy", estimand="ATE")
    effect, error = stacked_for_everybody(
        made.covariates.rows(slice(None)), made.treated, made.sampling, y
    )
    asked = {"method": "difference", "errors": "robust"}
    row = estimate(design, data("clustered")[column], **asked).to_frame().iloc[0]
    assert row["estimate"] == pytest.approx(effect, rel=1e-9)
    assert row["std_error"] == pytest.approx(error * np.sqrt(made.size / (made.size - 2)), rel=1e-7)
    known = estimate(design, data("clustered")[column], stacked=False, **asked).to_frame().iloc[0]
    assert known["std_error"] > row["std_error"]
