"""Logistic regression of a group on covariates, beside others: coefficients and information."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

#: Condition of the covariates' products, scaled, from which they count as collinear.
SINGULAR = 1e10
#: A coefficient, of a covariate in standard deviations, that a fit does not come back from.
ENDLESS = 50.0
#: Units read at a time: what is made of them stays in the processor's cache.
BLOCK = 8192
#: A step from which the fit of a propensity score of many units takes no other.
NEAR = 0.01
#: Units of a propensity score from which its fit starts from that of some, and how many.
MANY, FIRST_FIT = 20_000, 6000

#: Coefficients of a logistic regression, and the weight of those outside the group.
Near = tuple[np.ndarray, float]
#: Covariates, weights (none where each is 1), and 1.0 for units of the group, 0.0 for others.
Arm = tuple[np.ndarray, np.ndarray | None, float]
#: Weighted products of the covariates: (k, k) of the group, and (k, k) of those outside it.
Products = tuple[np.ndarray, np.ndarray]


def blocks(parts: list[slice]) -> Iterator[slice]:
    """Return slices in blocks that fit the cache."""
    for part in parts:
        for start in range(part.start, part.stop, BLOCK):
            yield slice(start, min(start + BLOCK, part.stop))


def are_many(count: int) -> bool:
    """Tell whether a fit of so many units may be in single precision; see `logit`."""
    return count > MANY


def logit(
    arms: list[Arm], near: Near | None = None, products: Products | None = None
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return a logistic regression's coefficients and information, or None where it has none.

    Parameters
    ----------
    arms : list of (covariates, weights, 1.0 or 0.0)
        Blocks of units, each all in the group or all outside it. The first covariate is 1.
    near : Near, optional
        Where to start: the fit of the same group with others outside it.
    products : Products, optional
        Of these arms, where they are known.

    Notes
    -----
    Of few units to machine precision. Of many, by Newton's steps from the fit of some of them and
    in single precision, until the next step would be about the square of 0.01: what the scores
    still add to an estimate is added there to first order.
    """
    count = sum(arm[0].shape[1] for arm in arms)
    products = _products(arms) if products is None else products
    outside = products[1][0, 0]
    start = np.zeros(len(arms[0][0]))
    start[0] = np.log(products[0][0, 0] / outside)
    if not are_many(count):
        return _newton(arms, products, start, 1e-9)
    if near is not None:
        start = near[0].copy()
        start[0] += np.log(near[1] / outside)
        return _newton(arms, products, start, NEAR)
    every = slice(None, None, count // FIRST_FIT)
    few: list[Arm] = [
        (np.ascontiguousarray(x[:, every]), None if weight is None else weight[every], arm)
        for x, weight, arm in arms
    ]
    some = _newton(few, _products(few), start, NEAR)
    return _newton(arms, products, start if some is None else some[0], NEAR)


def _products(arms: list[Arm]) -> Products:
    k = len(arms[0][0])
    inside, outside = np.zeros((k, k)), np.zeros((k, k))
    for x, weight, arm in arms:
        weighted = x.copy() if weight is None else x * weight
        (inside if arm else outside)[:] += weighted @ x.T
    return inside, outside


def _newton(
    arms: list[Arm], products: Products, start: np.ndarray, near: float
) -> tuple[np.ndarray, np.ndarray] | None:
    # With t the hyperbolic tangent of half the linear predictor, a probability is (1 + t) / 2 and
    # its variance (1 - t^2) / 4: sums of x t and x x' t^2 are all that each step must read.
    coefficients, k = start, len(start)
    gram = products[0] + products[1]
    room = np.empty((k + 1, BLOCK), dtype=arms[0][0].dtype)
    for _ in range(40):
        half, sums = (coefficients / 2.0).astype(room.dtype), np.zeros((k + 1, k))
        for x_all, weight, _arm in arms:
            for block in blocks([slice(0, x_all.shape[1])]):
                x = x_all[:, block]
                part = room[:, : x.shape[1]]
                bent = np.tanh(np.matmul(half, x, out=part[k]), out=part[k])
                square = np.multiply(bent, bent, out=part[0])
                if weight is not None:
                    square *= weight[block]
                    bent *= weight[block]
                np.multiply(x[1:], square, out=part[1:k])
                sums += part @ x.T
        information = (gram - sums[:k]) / 4.0
        try:
            step = np.linalg.solve(information, products[0][0] - (gram[0] + sums[k]) / 2.0)
        except np.linalg.LinAlgError:
            return None
        coefficients = coefficients + step
        if not np.abs(coefficients).max() < ENDLESS:
            return None
        if np.abs(step).max() < near:
            return None if is_singular(information) else (coefficients, information)
    return None


def is_singular(gram: np.ndarray) -> bool:
    """Tell whether covariates, by their products, determine one another."""
    size = np.sqrt(np.diag(gram))
    if not (size > 0).all():
        return True
    values = np.linalg.eigvalsh(gram / np.outer(size, size))
    return not values[0] > values[-1] / SINGULAR
