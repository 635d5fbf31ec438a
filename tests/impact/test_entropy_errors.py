"""Errors of entropy balancing: every estimating equation stacked, and what repeated samples say.

WeightIt before 1.7.0 takes the means to be reached as known. They are those of the treated, a
sample too, so its errors answer another question; ours move with them.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.impact.golden import data, study_of
from tests.impact.test_effects_against_r import to_a_fixed_target
from tfeval.impact.estimate import estimate
from tfeval.impact.study import study
from tfeval.impact.weight import weight


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


def test_repeated_samples_differ_by_the_error_that_counts_the_targets_means():
    rng = np.random.default_rng(12)
    found = []
    for _ in range(400):
        x = rng.normal(size=(500, 2))
        treated = rng.random(500) < 1 / (1 + np.exp(1 - x @ [0.7, -0.4]))
        y = x @ [2.0, 1.0] + treated * 0.5 + rng.normal(size=500)
        frame = pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "treated": treated, "y": y})
        design = weight(study(frame, covariates=["a", "b"]), "entropy")
        asked = {"method": "difference", "errors": "robust"}
        rows = [
            estimate(one, frame["y"], **asked).to_frame().iloc[0]
            for one in (design, to_a_fixed_target(design))
        ]
        found.append([rows[0]["estimate"], rows[0]["std_error"], rows[1]["std_error"]])
    spread = np.std([row[0] for row in found], ddof=1)
    ours, fixed = np.mean(found, axis=0)[1:]
    assert ours == pytest.approx(spread, rel=0.1)
    assert fixed > 1.5 * spread
