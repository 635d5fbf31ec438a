"""The arithmetic of an appraisal as arrays: effects in, pounds by year and payer out.

A benefit is a product: reduction of an outcome x families and profile x unit cost. Everything but
the effects, the unit costs, persistence and the programme's costs is fixed, and is collapsed into
small matrices once; so a draw costs a few multiplications.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tfeval.errors import ParameterError

# When an effect comes and how long it lasts: measured window, lag, persistence, horizon.

#: Persistence as a number, or as the number with its low and its high.
Given = float | tuple[float, float, float]


@dataclass(frozen=True)
class Persistence:
    """The share of an effect that is left in each further year after the window measured.

    Attributes
    ----------
    share, low, high : float
        Between 0 (gone once the window ends) and 1 (never fades); in the second year after the
        window the share squared is left, and so on.
    """

    share: float
    low: float
    high: float


def persistence_of(given: Given) -> Persistence:
    """Return persistence from a number, or from (share, low, high).

    Raises
    ------
    ParameterError
        If it is neither, or not 0 <= low <= share <= high <= 1.

    Examples
    --------
    >>> persistence_of(0.5)
    Persistence(share=0.5, low=0.5, high=0.5)
    """
    parts = tuple(given) if isinstance(given, tuple | list) else (given,) * 3
    whole = len(parts) == 3 and all(isinstance(part, int | float) for part in parts)
    if not whole or not 0 <= parts[1] <= parts[0] <= parts[2] <= 1:
        raise ParameterError(
            "Persistence is the share of an effect left in each further year: one number between "
            f"0 and 1, or (share, low, high) in that order of meaning, not {given}."
        )
    share, low, high = map(float, parts)
    return Persistence(share, low, high)


def window_weights(months: int, horizon: int, lag: int = 0) -> npt.NDArray[np.float64]:
    """Return how much of a measured effect falls in each year, by power of persistence.

    An effect measured over `months` months runs at an even pace through them; each twelve
    months after run at that pace times one more power of persistence; nothing counts beyond the
    horizon.

    Parameters
    ----------
    months : int
        Length of the window over which the effect was measured.
    horizon : int
        Years counted, from when a family joins.
    lag : int, default 0
        Months from joining until the effect begins.

    Returns
    -------
    ndarray of float, shape (horizon + 1, horizon)
        Row n is multiplied by persistence to the power n; columns are years since joining. A
        window that lies within the horizon has a first row that adds up to 1.

    Examples
    --------
    >>> window_weights(12, 3)[:3].tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    >>> window_weights(18, 2).round(3)[:2].tolist()
    [[0.667, 0.333], [0.0, 0.333]]
    """
    month = np.arange(12 * horizon)
    since = month - lag
    power = np.where(since < months, 0, 1 + (since - months) // 12)
    weights = np.zeros((horizon + 1, 12 * horizon))
    going = since >= 0
    weights[power[going], month[going]] = 1.0
    return weights.reshape(horizon + 1, horizon, 12).sum(axis=2) / months


def profile(months: int, horizon: int, lag: int, persistence: float) -> npt.NDArray[np.float64]:
    """Return the share of a measured effect that falls in each year since joining.

    Parameters
    ----------
    months, horizon, lag : int
        As in `window_weights`.
    persistence : float
        Between 0 and 1.

    Returns
    -------
    ndarray of float, shape (horizon,)

    Examples
    --------
    >>> profile(12, 3, 0, 0.5).tolist()
    [1.0, 0.5, 0.25]
    """
    powers = float(persistence) ** np.arange(horizon + 1)
    return powers @ window_weights(months, horizon, lag)


def reached(
    families: dict[int, float], weights: npt.NDArray[np.float64], years: tuple[int, ...]
) -> npt.NDArray[np.float64]:
    """Return families times weights in each financial year.

    Parameters
    ----------
    families : dict of int to float
        Families by the financial year in which they join.
    weights : ndarray, shape (powers, horizon)
        As from `window_weights`.
    years : tuple of int
        Financial years to fill; they hold all that the weights need.

    Returns
    -------
    ndarray of float, shape (powers, years)

    Examples
    --------
    >>> reached({2012: 10, 2013: 20}, window_weights(12, 1), (2012, 2013)).tolist()
    [[10.0, 20.0], [0.0, 0.0]]
    """
    filled = np.zeros((len(weights), len(years)))
    for joined, count in families.items():
        start = years.index(joined)
        filled[:, start : start + weights.shape[1]] += count * weights
    return filled


Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Parameters:
    """Values of everything uncertain, one row a draw.

    Attributes
    ----------
    effect : ndarray, shape (draws, outcomes)
        In the effects' own units.
    amount : ndarray, shape (draws, units)
        Unit costs, pounds.
    persistence : ndarray, shape (draws, groups)
    cost : ndarray, shape (draws,)
        Where the programme's costs stand: -1 at their lows, 0 at their amounts, 1 at their highs.
    """

    effect: Array
    amount: Array
    persistence: Array
    cost: Array

    def __len__(self) -> int:
        return len(self.cost)

    def with_(self, **changed: Array) -> Parameters:
        """Return a copy with other values."""
        return replace(self, **changed)


@dataclass(frozen=True, eq=False)
class Model:
    """An appraisal's fixed numbers.

    Attributes
    ----------
    outcomes : tuple of str
        Effects that are valued, by their names; k of them.
    estimate, std_error : ndarray, shape (k,)
        In the effects' units.
    covariance : ndarray, shape (k, k)
    scale : ndarray, shape (k,)
        Units of the unit cost for each unit of the effect.
    sign : ndarray, shape (k,)
        1 where the outcome costs money, -1 where it brings some (a day in work).
    bias : float
        Share by which benefits are taken to be overstated; harms are taken to be understated.
    amount, low, high : ndarray, shape (units,)
        Unit costs, pounds in the price year.
    unit : ndarray of int, shape (components,)
        Which unit cost each component of the account uses; a transfer uses one twice.
    factor : ndarray, shape (components,)
        What a pound of it counts: -1 times the weight for a household's loss of a transfer.
    of : ndarray of int, shape (components,)
        Which outcome each component belongs to.
    payer : ndarray of int, shape (components,)
        Which of `payers` it falls to.
    payers : tuple of str
    years : tuple of int
        Financial years.
    discount : ndarray, shape (years,)
    group : ndarray of int, shape (k,)
        Which profile an outcome has.
    reach : ndarray, shape (groups, powers, years)
        Families x share of the measured effect, by power of persistence.
    persistence : ndarray, shape (groups, 3)
        Low, share and high.
    costs : ndarray, shape (3, years, payers)
        Low, amount and high of the programme's costs, pounds in the price year.
    """

    outcomes: tuple[str, ...]
    estimate: Array
    std_error: Array
    covariance: Array
    scale: Array
    sign: Array
    bias: float
    amount: Array
    low: Array
    high: Array
    unit: npt.NDArray[np.intp]
    factor: Array
    of: npt.NDArray[np.intp]
    payer: npt.NDArray[np.intp]
    payers: tuple[str, ...]
    years: tuple[int, ...]
    discount: Array
    group: npt.NDArray[np.intp]
    reach: Array
    persistence: Array
    costs: Array

    def point(self) -> Parameters:
        """Return every parameter at its estimate, as one draw."""
        return Parameters(
            effect=self.estimate[None, :],
            amount=self.amount[None, :],
            persistence=self.persistence[None, :, 1],
            cost=np.zeros(1),
        )

    def reduction(self, effect: Array) -> Array:
        """Return reductions of costly outcomes, in units of the unit cost, after optimism bias.

        A reduction that is a benefit shrinks by the bias; a harm grows by it.
        """
        cut = -effect * self.scale
        return cut - self.bias * self.sign * np.abs(cut)

    def years_of(self, persistence: Array) -> Array:
        """Return discounted families x profile, shape (draws, k)."""
        powers = np.arange(self.reach.shape[1])
        discounted = self.reach @ self.discount
        held = persistence[:, :, None] ** powers
        return np.einsum("dgn,gn->dg", held, discounted)[:, self.group]

    def worth(self, amount: Array) -> Array:
        """Return pounds counted for one unit of each outcome less, shape (draws, k)."""
        return (amount[:, self.unit] * self.factor) @ _indicator(self.of, len(self.outcomes))

    def cost(self, position: Array) -> Array:
        """Return the present value of the programme's costs, shape (draws,)."""
        low, middle, high = np.einsum("eyp,y->e", self.costs, self.discount)
        return middle + _moved(position, low - middle, high - middle)

    def by_outcome(self, held: Parameters) -> Array:
        """Return the present value of benefits, shape (draws, k)."""
        return (
            self.reduction(held.effect) * self.years_of(held.persistence) * self.worth(held.amount)
        )

    def value(self, held: Parameters) -> Array:
        """Return the net present value, shape (draws,)."""
        return self.by_outcome(held).sum(axis=1) - self.cost(held.cost)

    def benefits(self, held: Parameters) -> Array:
        """Return undiscounted benefits by year and payer, shape (draws, years, payers)."""
        worth = self.reduction(held.effect)[:, self.of] * held.amount[:, self.unit] * self.factor
        # Outcomes of one profile share their years, so their pounds are added up first.
        groups, payers = len(self.reach), len(self.payers)
        place = self.group[self.of] * payers + self.payer
        pounds = (worth @ _indicator(place, groups * payers)).reshape(-1, groups, payers)
        powers = held.persistence[:, :, None] ** np.arange(self.reach.shape[1])
        years = np.einsum("dgn,gny->dgy", powers, self.reach)
        return np.einsum("dgy,dgp->dyp", years, pounds)

    def spent(self, position: Array) -> Array:
        """Return undiscounted costs of the programme, shape (draws, years, payers)."""
        low, middle, high = self.costs
        shape = (-1, 1, 1)
        return middle + _moved(position.reshape(shape), low - middle, high - middle)


def _indicator(places: npt.NDArray[np.intp], size: int) -> Array:
    """Return a matrix that adds columns up by place, shape (columns, size)."""
    return (places[:, None] == np.arange(size)).astype(float)


def _moved(position: Array, below: Array, above: Array) -> Array:
    """Return how far costs are from their amounts."""
    return np.where(position < 0, -position * below, position * above)
