"""Whether units heap on one side of a cutoff: tests of densities, and of frequencies."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import bdtr, ndtr

#: Order of the polynomial whose bandwidth is chosen; the test uses one of an order more.
_ORDER = 2
#: Units, and values, that a bandwidth holds at least on either side.
_FEWEST = 20 + _ORDER + 1
#: Constants of the pilot bandwidths at that order: of the fourth derivative, and the density.
_FOURTH, _DENSITY = 3430865.4551236177795, 548.57142857155463389


@dataclass(frozen=True)
class DensityTest:
    """Densities of the running variable at a cutoff, from either side."""

    below: float
    above: float
    #: statistic, p_value: of their difference over its jackknife error.
    statistic: float
    p_value: float
    bandwidths: tuple[float, float]  # below and above
    units: tuple[int, int]  # within them


def density_test(x: np.ndarray, bandwidth: float | None = None) -> DensityTest:
    """Test whether the density of a running variable jumps at 0.

    Parameters
    ----------
    x : ndarray, shape (n,)
        The running variable less the cutoff.
    bandwidth : float, optional
        By default one on each side, of the least mean squared error.

    Returns
    -------
    DensityTest
        The slopes at the cutoff of cubic polynomials through the distribution function, weighted
        triangularly.

    References
    ----------
    Cattaneo, Jansson and Ma (2020), Simple local polynomial density estimators, JASA 115.

    Examples
    --------
    >>> even = np.linspace(-1, 1, 2000)
    >>> heaped = np.append(even, np.linspace(0, 0.1, 150))
    >>> bool(density_test(even).p_value > 0.9), bool(density_test(heaped).p_value < 0.01)
    (True, True)
    """
    x = np.sort(x)
    shares = _distribution(x)
    h = (bandwidth, bandwidth) if bandwidth is not None else _bandwidths(x, shares)
    slopes, variance = _slopes(x, shares, h, _ORDER + 1)[:2]
    error = math.sqrt(max(variance[0, 0] + variance[1, 1] - 2 * variance[0, 1], 0.0))
    statistic = (slopes[1] - slopes[0]) / error if error > 0 else math.nan
    within = int(((x < 0) & (x >= -h[0])).sum()), int(((x >= 0) & (x <= h[1])).sum())
    return DensityTest(
        float(slopes[0]), float(slopes[1]), statistic, 2 * float(ndtr(-abs(statistic))), h, within
    )


def _distribution(x: np.ndarray) -> np.ndarray:
    """Return each unit's place in the distribution; units of a value share the last one's."""
    last = np.searchsorted(x, x, side="right") - 1
    return last / (len(x) - 1)


def _slopes(
    x: np.ndarray, shares: np.ndarray, h: tuple[float, float], order: int, derivative: int = 1
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return densities below and above, their jackknife covariance, and a further coefficient."""
    rows = (x >= -h[0]) & (x <= h[1])
    near, n = x[rows], len(x)
    below = near < 0
    scale = np.where(below, h[0], h[1])
    weights = (1 - np.abs(near) / scale) / scale
    powers = (near / scale)[:, None] ** np.arange(order + 1)
    lines = np.hstack([powers * below[:, None], powers * ~below[:, None]])
    weighted = lines * weights[:, None]
    inverse = np.linalg.pinv(weighted.T @ lines, hermitian=True)
    units = np.concatenate([one ** np.arange(order + 1.0) for one in h])
    found = (inverse @ (weighted.T @ shares[rows])) / units
    ahead = np.cumsum(weighted[::-1], axis=0)[::-1] / (n - 1)
    # A unit moves the distribution of all others at its own value and above.
    ahead = (ahead - weighted / (n - 1))[np.searchsorted(near, near, side="left")]
    spread = inverse @ (ahead.T @ ahead) @ inverse / np.outer(units, units)
    places = np.array([1, order + 2])
    return found[places], spread[np.ix_(places, places)], found[places + derivative - 1]


def _bandwidths(x: np.ndarray, shares: np.ndarray) -> tuple[float, float]:
    """Return the bandwidths below and above: the middle one of three choices each."""
    p, n, values = _ORDER, len(x), np.unique(x)
    sides = [(np.sort(-part[part < 0]), part[part >= 0]) for part in (x, values)]

    def least(fewest: int) -> float:
        """Return the bandwidth with so many units and values on either side."""
        return max(float(one[min(fewest, len(one)) - 1]) for pair in sides for one in pair)

    centre, spread = float(x.mean()), float(x.std(ddof=1))
    z, widest = centre / spread, float(np.abs(x).max())
    normal = math.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    fourth = 1 / ((z**4 - 6 * z**2 + 3) ** 2 * normal)
    second = 1 / ((z**2 - 1) ** 2 * normal)
    wide = ((2 * p + 1) / 4 * fourth * _FOURTH / n) ** (1 / (2 * p + 5)) * spread
    near = (second * _DENSITY / n / (2 * p)) ** (1 / (2 * p + 1)) * spread
    wide = max(min(wide, widest), least(_FEWEST + 2))
    near = max(min(near, widest), least(_FEWEST))
    bend = _slopes(x, shares, (wide, wide), p + 2, p + 1)[2]
    covariance = _slopes(x, shares, (near, near), p)[1]
    place = np.arange(p + 1)
    moments = 1 / ((place[:, None] + place + 1) * (place[:, None] + place + 2))
    constant = np.linalg.solve(moments, 1 / ((place + p + 2) * (place + p + 3)))[1]
    bias = bend * constant * np.array([(-1) ** p, 1])
    ones = (np.array([1, 0]), np.array([0, 1]), np.array([-1, 1]), np.array([1, 1]))
    found = []
    for part in ones:
        variance = n * near * float(part @ covariance @ part)
        found.append((variance / (2 * p) / float(part @ bias) ** 2 / n) ** (1 / (2 * p + 1)))
    ends = (-float(values[0]), float(values[-1]), widest, widest)
    held = [min(one, end) for one, end in zip(found, ends, strict=True)]
    own = [max(float(pair[side][min(_FEWEST, len(pair[side])) - 1]) for pair in sides)
           for side in (0, 1)]  # fmt: skip
    held = [max(one, fewest) for one, fewest in zip(held, (*own, max(own), max(own)), strict=True)]
    return float(np.median(held[:1] + held[2:])), float(np.median(held[1:]))


def heap_test(x: np.ndarray, curvature: float) -> tuple[float, float]:
    """Return the share of units at the first value above, among it and its neighbours, and p.

    Parameters
    ----------
    x : ndarray, shape (n,)
        The running variable less the cutoff.
    curvature : float
        How far, as a share, the frequency of a value may lie from the mean of its two neighbours'
        without anybody's doing; below 1.

    Returns
    -------
    tuple of float
        NaN where a neighbour is lacking. The p-value is of a frequency as far from its neighbours'
        as this one, or further, on either side.

    References
    ----------
    Frandsen (2017), Party bias in union representation elections: testing for manipulation in the
    regression discontinuity design when the running variable is discrete, Advances in
    Econometrics 38.

    Examples
    --------
    >>> x = np.repeat([-1.0, 0.0, 1.0], [300, 320, 310])
    >>> heap_test(x, 0.0)[1] > 0.4, heap_test(np.append(x, np.zeros(200)), 0.1)[1] < 0.001
    (True, True)
    """
    support, counts = np.unique(x, return_counts=True)
    place = int(np.searchsorted(support, 0.0))
    if place == 0 or place + 1 >= len(support):
        return math.nan, math.nan
    n, middle = int(counts[place - 1 : place + 2].sum()), int(counts[place])
    least, most = (1 - curvature) / (3 - curvature), (1 + curvature) / (3 + curvature)
    more, fewer = 1 - float(bdtr(middle - 1, n, most)), float(bdtr(middle, n, least))
    return middle / n, min(1.0, 2 * min(more, fewer))
