"""Regressions read block by block are those of the whole matrix."""

import numpy as np
import pandas as pd
import pytest

from tfeval.impact.means.least_squares import (
    centred,
    cross_products_by_group,
    predictions,
    weighted_centre,
)
from tfeval.impact.means.methods import solved
from tfeval.impact.study.covariates import encoded


def material(size):
    rng = np.random.default_rng(size)
    frame = pd.DataFrame(rng.normal(size=(size, 4)), columns=list("abcd"))
    frame["kind"] = rng.choice(["one", "two", "three"], size)
    weights = rng.random(size) * (rng.random(size) < 0.7)
    values = rng.normal(size=(size, 2)) + frame[["a", "b"]].to_numpy()
    return encoded(frame, frame.columns), weights, values, rng.integers(-1, 3, size)


@pytest.mark.parametrize("size", [60, 5_000, 30_011])
@pytest.mark.parametrize("threads", [True, False])
def test_each_group_has_its_least_squares(size, threads):
    held, weights, values, groups = material(size)
    centre = weighted_centre(held, weights, threads)
    x = held.rows(slice(None))
    np.testing.assert_allclose(centre, np.average(x, axis=0, weights=weights), atol=1e-12)
    z = np.column_stack([np.ones(size), x - centre])
    rows = centred(held, centre)
    sums = cross_products_by_group(rows, weights, values, groups, 3, threads)
    fits = [solved(gram, right).coefficients for gram, right in zip(*sums, strict=True)]
    for group, fit in enumerate(fits):
        at = (groups == group) & (weights > 0)
        root = np.sqrt(weights[at])[:, None]
        expected = np.linalg.lstsq(z[at] * root, values[at] * root, rcond=None)[0]
        np.testing.assert_allclose(fit, expected, atol=1e-9)
    every = predictions(rows, np.stack(fits), np.maximum(groups, 0))
    own = np.stack(fits)[np.maximum(groups, 0)]
    np.testing.assert_allclose(every, np.einsum("ij,ijk->ik", z, own), atol=1e-10)
    np.testing.assert_allclose(predictions(rows, fits[1]), z @ fits[1], atol=1e-10)


def test_a_group_without_units_has_sums_of_nothing():
    held, weights, values, groups = material(200)
    rows = centred(held, np.zeros(held.count))
    gram, right = cross_products_by_group(rows, weights, values, np.minimum(groups, 1), 3)
    assert not gram[2].any()
    assert not right[2].any()
