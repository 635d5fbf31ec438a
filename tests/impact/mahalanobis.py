"""Mahalanobis matching of plain arrays, by the package's own search."""

from __future__ import annotations

import numpy as np

from tfeval.impact.matching.boxes import arms_of, nearest_places, rows_of
from tfeval.impact.matching.matched import whitened


def mahalanobis_pairs(
    x, treated, strata=None, *, ratio=1, replace=False, order=None, closest=False,
    caliper_score=None, caliper=None, covariate_calipers=None, sampling=None, unit=None,
    family=None,
):  # fmt: skip
    """Return rows and matches, by treated row and then by round."""
    values, widths = covariate_calipers or (np.empty((len(x), 0)), np.empty(0))
    if caliper is not None:
        values, widths = np.column_stack([caliper_score, values]), np.r_[caliper, widths]
    points = whitened(np.asarray(x, dtype=float), treated, "pooled", sampling)
    arms = arms_of(points, treated, strata, limits=(values, widths), family=family, unit=unit)
    order = arms.own if order is None else order
    found = nearest_places(arms, np.searchsorted(arms.own, order), ratio, closest, replace)
    return rows_of(arms, found)[:2]
