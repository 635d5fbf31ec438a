"""E-values: how strongly an unmeasured cause must go with treatment and outcome."""

from __future__ import annotations

import numpy as np

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
