"""Selection on the unobserved relative to the observed: how the estimate moves with covariates.

Source: Oster (2019), Unobservable selection and coefficient stability: theory and evidence, Journal
of Business and Economic Statistics 37, proposition 2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: Smaller than this share of the sum of its terms, a denominator is rounding.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Stability:
    """A regression without covariates beside one with them.

    Attributes
    ----------
    short, long : float
        The treatment's coefficient without and with covariates.
    r2_short, r2_long, r2_most : float
        Of the two, and of one that has the unobserved too.
    variance : float
        Of the treatment.
    residual : float
        Of what covariates leave of the treatment.
    outcome_variance : float
    """

    short: float
    long: float
    r2_short: float
    r2_long: float
    r2_most: float
    variance: float
    residual: float
    outcome_variance: float

    @property
    def _terms(self) -> tuple[float, float, float, float, float]:
        moved = self.short - self.long
        gained = (self.r2_long - self.r2_short) * self.outcome_variance
        left = (self.r2_most - self.r2_long) * self.outcome_variance
        return moved, gained, left, self.variance, self.residual


def polynomial(stability: Stability) -> tuple[np.ndarray, np.ndarray]:
    """Return coefficients a and b, highest first: the bias v solves a(v) = delta b(v).

    Notes
    -----
    The cubic of proposition 2, sorted by delta. v is the long coefficient less the true one.
    """
    moved, gained, left, variance, residual = stability._terms
    third = residual * (variance - residual)
    second = residual * variance * moved
    own = np.array([third, 2 * second, gained * residual + variance * residual * moved**2, 0.0])
    times = np.array([third, second, left * (variance - residual), left * moved * variance])
    return own, times


def delta_for(stability: Stability, beta: float = 0.0) -> float:
    """Return how strong selection on the unobserved must be for the true effect to be `beta`.

    Parameters
    ----------
    stability : Stability
    beta : float, default 0

    Returns
    -------
    float
        Relative to selection on the observed; negative where it must go the other way. NaN where
        no strength would do it.

    Examples
    --------
    Weight and fuel use of R's 32 cars, given power and acceleration, with a highest R2 of 0.9:

    >>> cars = Stability(-5.34447, -4.35880, 0.752833, 0.834768, 0.9, 0.957379, 0.378344, 36.3241)
    >>> round(delta_for(cars), 2)
    1.15
    """
    bias = stability.long - beta
    powers = bias ** np.arange(3, -1, -1)
    own, times = polynomial(stability)
    over, under = own * powers, times * powers
    if not abs(under.sum()) > _ROUNDING * np.abs(under).sum():
        return float("nan")
    return float(over.sum() / under.sum())


def beta_at(stability: Stability, delta: float = 1.0) -> float:
    """Return the effect adjusted for the unobserved, at a strength of selection on it.

    Parameters
    ----------
    stability : Stability
    delta : float, default 1
        As strong as selection on the observed. Above 0.

    Returns
    -------
    float
        NaN where no real solution has the right sign.

    Notes
    -----
    Of the real roots those are kept whose bias lies on the side to which dropping the covariates
    moved the estimate (assumption 3 says so for a delta above 0: the bias is the unobserved's
    covariance with the treatment over what is left of the treatment's variance). With delta 1
    there is exactly one; otherwise the nearest to the estimate is taken.
    """
    own, times = polynomial(stability)
    moved = stability.short - stability.long
    coefficients = own - delta * times
    # In units of the movement, so that no coefficient is small for its unit alone.
    if moved == 0:
        return stability.long
    coefficients = coefficients * moved ** np.arange(3, -1, -1)
    largest = np.abs(coefficients).max()
    if not largest > 0:
        return float("nan")
    coefficients[np.abs(coefficients) < _ROUNDING**2 * largest] = 0.0
    roots = np.roots(coefficients / largest)
    real = roots.real[np.abs(roots.imag) <= 1e-8 * np.maximum(np.abs(roots), 1e-300)]
    fits = real[real >= 0]
    return float(stability.long - moved * fits.min()) if len(fits) else float("nan")


def approximate_beta(stability: Stability, delta: float = 1.0) -> float:
    """Return the adjusted effect by the simple formula, which takes coefficients as proportional.

    Notes
    -----
    Oster (2019), section 3.2; near the exact one where the covariates explain little of the
    treatment.
    """
    moved, gained, left, *_ = stability._terms
    return float(stability.long - delta * moved * left / gained)
