"""The arithmetic of an appraisal as arrays: effects in, pounds by year and payer out.

A benefit is a product: reduction of an outcome x families and profile x unit cost. Everything but
the effects, the unit costs, persistence and the programme's costs is fixed, and is collapsed into
small matrices once; so a draw costs a few multiplications.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tfeval.errors import ParameterError

Array = npt.NDArray[np.float64]

# Ranges whose value is their mean: what a page prints is what is expected.


def chance_below(low: Any, middle: Any, high: Any) -> Array:
    """Return the probability of the part below the middle, of which the middle is the mean."""
    width = np.asarray(high - low, dtype=float)
    return np.divide(high - middle, width, out=np.ones(width.shape), where=width > 0)


def uniform_moments(edges: Array, weights: Array, most: int) -> Array:
    """Return expected powers 0 to `most` of what is uniform within parts, shape (most + 1,).

    Parameters
    ----------
    edges : ndarray, shape (parts + 1,)
        Rising.
    weights : ndarray, shape (parts,)
        Probability of each part.

    Examples
    --------
    >>> uniform_moments(np.array([0.0, 1.0]), np.array([1.0]), 2).round(3).tolist()
    [1.0, 0.5, 0.333]
    """
    powers, start, end = np.arange(1, most + 2)[:, None], edges[:-1], edges[1:]
    within = (end**powers - start**powers) / (powers * (end - start))
    return np.asarray(within @ weights, dtype=float)


def split_uniform(share: Array, low: Any, middle: Any, high: Any) -> Array:
    """Return quantiles of a distribution between low and high whose mean is the middle.

    Below the middle it is uniform, with probability (high - middle) / (high - low), and above it
    uniform too. No mode has to be known, and a lopsided range leaves the mean where it is.

    Parameters
    ----------
    share : ndarray
        Between 0 and 1.
    low, middle, high : float or ndarray
        They broadcast against `share`. At an end of the range the middle is certain.

    Examples
    --------
    >>> split_uniform(np.array([0.0, 0.75, 1.0]), 0.0, 1.0, 4.0).tolist()
    [0.0, 1.0, 4.0]
    """
    low, middle, high = (np.asarray(end, dtype=float) for end in (low, middle, high))
    below = chance_below(low, middle, high)
    part = np.divide(share, below, out=np.ones(np.broadcast_shapes(np.shape(share), below.shape)),
                     where=below > 0)  # fmt: skip
    rest = np.divide(share - below, 1 - below, out=np.zeros_like(part), where=below < 1)
    drawn = np.where(part < 1, low + (middle - low) * part, middle + (high - middle) * rest)
    return np.where((low < middle) & (middle < high), drawn, middle)


#: Persistence as a number, as the number with its low and its high, or as what records say.
Given = Any


@dataclass(frozen=True)
class Persistence:
    """The share of an effect that is left in each further year after the window measured.

    Attributes
    ----------
    share, low, high : float
        Between 0 (gone once the window ends) and 1 (never fades); in the second year after the
        window the share squared is left, and so on. The share is the mean of `split_uniform`
        over the range; at an end of it, it is certain.
    """

    share: float
    low: float
    high: float

    @property
    def certain(self) -> bool:
        """Whether there is no range."""
        return not self.low < self.share < self.high

    def moments(self, most: int) -> Array:
        """Return the expected share to the power 0 to `most`, shape (most + 1,).

        Examples
        --------
        >>> Persistence(0.5, 0.0, 1.0).moments(2).round(3).tolist()
        [1.0, 0.5, 0.333]
        """
        if self.certain:
            return np.asarray(self.share ** np.arange(most + 1), dtype=float)
        below = float(chance_below(self.low, self.share, self.high))
        edges = np.array([self.low, self.share, self.high])
        return uniform_moments(edges, np.array([below, 1 - below]), most)

    def quantile(self, share: Array) -> Array:
        """Return shares left, from uniform draws."""
        return split_uniform(share, self.low, self.share, self.high)

    def __str__(self) -> str:
        """Return the share with its range, in words."""
        if self.certain:
            return f"{self.share:.0%}"
        return f"{self.share:.0%} (between {self.low:.0%} and {self.high:.0%})"


def persistence_of(given: Given) -> Any:
    """Return persistence from a number, from (share, low, high), or from what records say.

    Raises
    ------
    ParameterError
        If it is none of these, or not 0 <= low <= share <= high <= 1.

    Examples
    --------
    >>> persistence_of(0.5)
    Persistence(share=0.5, low=0.5, high=0.5)
    """
    if hasattr(given, "moments") and hasattr(given, "quantile"):
        return given
    parts = tuple(given) if isinstance(given, tuple | list) else (given,) * 3
    whole = len(parts) == 3 and all(isinstance(part, int | float) for part in parts)
    if not whole or not 0 <= parts[1] <= parts[0] <= parts[2] <= 1:
        raise ParameterError(
            "Persistence is the share of an effect left in each further year: one number between "
            f"0 and 1, or (share, low, high) in that order of meaning, not {given}."
        )
    share, low, high = map(float, parts)
    return Persistence(share, low, high)


# When an effect comes and how long it lasts: measured window, lag, persistence, horizon.


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


def profile(months: int, horizon: int, lag: int, persistence: Given) -> npt.NDArray[np.float64]:
    """Return the expected share of a measured effect that falls in each year since joining.

    Parameters
    ----------
    months, horizon, lag : int
        As in `window_weights`.
    persistence : float, (share, low, high) or Persistence

    Returns
    -------
    ndarray of float, shape (horizon,)

    Examples
    --------
    >>> profile(12, 3, 0, 0.5).tolist()
    [1.0, 0.5, 0.25]
    """
    return persistence_of(persistence).moments(horizon) @ window_weights(months, horizon, lag)


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


@dataclass(frozen=True, eq=False)
class Parameters:
    """Values of everything uncertain, one row a draw.

    Attributes
    ----------
    effect : ndarray, shape (draws, outcomes)
        In the effects' own units.
    amount : ndarray, shape (draws, units)
        Unit costs, pounds.
    powers : ndarray, shape (draws, groups, horizon + 1)
        Persistence to the power 0, 1, ...; of the expected value, the expected powers.
    cost : ndarray, shape (draws,)
        Where the programme's costs stand: -1 at their lows, 0 at their amounts, 1 at their highs.
    """

    effect: Array
    amount: Array
    powers: Array
    cost: Array

    def __len__(self) -> int:
        return len(self.cost)

    def with_(self, **changed: Array) -> Parameters:
        """Return a copy with other values."""
        return replace(self, **changed)


ACCOUNTS = ("fiscal", "social")


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
    kept : ndarray, shape (k,)
        What a unit of the effect counts: less than 1 of a benefit taken to be overstated, more
        than 1 of a harm.
    kept_either : ndarray, shape (2, k)
        What a unit would count if it were a harm, and if it were a benefit.
    amount, low, high : ndarray, shape (units,)
        Unit costs, pounds in the price year.
    unit : ndarray of int, shape (components,)
        Which unit cost each component of the account uses; a transfer uses one twice.
    factor : ndarray, shape (accounts, components)
        What a pound of it counts in each of `ACCOUNTS`: 0 where it is not in the account, -1
        times the weight for participants' loss of a transfer.
    cost_factor : ndarray, shape (accounts,)
        What a pound of the programme's costs counts.
    account : str
        The one of `ACCOUNTS` that results are of unless another is named.
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
    persistence : tuple of Persistence
        One a group.
    costs : ndarray, shape (3, years, payers)
        Low, amount and high of the programme's costs, pounds in the price year.

    Notes
    -----
    Value is a product of effects, years of effect and unit costs, less costs; the four are drawn
    independently of each other, and each is linear. So the value at their means, `point`, is the
    value that is expected: exactly, and not only over the draws.
    """

    outcomes: tuple[str, ...]
    estimate: Array
    std_error: Array
    covariance: Array
    scale: Array
    kept: Array
    kept_either: Array
    amount: Array
    low: Array
    high: Array
    unit: npt.NDArray[np.intp]
    factor: Array
    cost_factor: Array
    account: str
    of: npt.NDArray[np.intp]
    payer: npt.NDArray[np.intp]
    payers: tuple[str, ...]
    years: tuple[int, ...]
    discount: Array
    group: npt.NDArray[np.intp]
    reach: Array
    persistence: tuple[Any, ...]
    costs: Array

    @property
    def horizon(self) -> int:
        """The most years for which an effect counts."""
        return self.reach.shape[1] - 1

    def point(self) -> Parameters:
        """Return every parameter at its mean, as one draw."""
        return Parameters(
            effect=self.estimate[None, :],
            amount=self.amount[None, :],
            powers=np.stack([one.moments(self.horizon) for one in self.persistence])[None],
            cost=np.zeros(1),
        )

    def powers(self, shares: Any) -> Array:
        """Return powers of persistence, the same for all outcomes, from shares, shape (draws,)."""
        found = np.asarray(shares, dtype=float).reshape(-1, 1, 1) ** np.arange(self.horizon + 1)
        return np.repeat(found, len(self.reach), axis=1)

    def reduction(self, effect: Array) -> Array:
        """Return reductions of costly outcomes, in units of the unit cost, after optimism bias."""
        return -effect * self.scale * self.kept

    def years_of(self, powers: Array) -> Array:
        """Return discounted families x profile, shape (draws, k)."""
        return np.einsum("dgn,gn->dg", powers, self.reach @ self.discount)[:, self.group]

    def worth(self, amount: Array, account: str = "") -> Array:
        """Return pounds counted for one unit of each outcome less, shape (draws, k)."""
        factor = self.factor[self._at(account)]
        return (amount[:, self.unit] * factor) @ _indicator(self.of, len(self.outcomes))

    def cost(self, position: Array, account: str = "") -> Array:
        """Return the present value of the programme's costs, shape (draws,)."""
        low, middle, high = np.einsum("eyp,y->e", self.costs, self.discount)
        moved = middle + _moved(position, low - middle, high - middle)
        return moved * self.cost_factor[self._at(account)]

    def slope(self, held: Parameters, account: str = "") -> Array:
        """Return the present value of one unit more of each effect, shape (draws, k)."""
        years = self.years_of(held.powers)
        return -self.scale * self.kept * years * self.worth(held.amount, account)

    def by_outcome(self, held: Parameters, account: str = "") -> Array:
        """Return the present value of benefits, shape (draws, k)."""
        return held.effect * self.slope(held, account)

    def value(self, held: Parameters, account: str = "") -> Array:
        """Return the net present value, shape (draws,)."""
        return self.by_outcome(held, account).sum(axis=1) - self.cost(held.cost, account)

    def by_payer(self, held: Parameters, account: str = "") -> Array:
        """Return the present value of benefits by who they fall to, shape (draws, payers)."""
        each = (self.reduction(held.effect) * self.years_of(held.powers))[:, self.of]
        pounds = each * held.amount[:, self.unit] * self.factor[self._at(account)]
        return pounds @ _indicator(self.payer, len(self.payers))

    def benefits(self, held: Parameters) -> Array:
        """Return undiscounted benefits by year and payer, shape (draws, years, payers)."""
        factor = self.factor[self._at("")]
        worth = self.reduction(held.effect)[:, self.of] * held.amount[:, self.unit] * factor
        # Outcomes of one profile share their years, so their pounds are added up first.
        groups, payers = len(self.reach), len(self.payers)
        place = self.group[self.of] * payers + self.payer
        pounds = (worth @ _indicator(place, groups * payers)).reshape(-1, groups, payers)
        years = np.einsum("dgn,gny->dgy", held.powers, self.reach)
        return np.einsum("dgy,dgp->dyp", years, pounds)

    def spent(self, position: Array) -> Array:
        """Return undiscounted costs of the programme, shape (draws, years, payers)."""
        low, middle, high = self.costs
        shape = (-1, 1, 1)
        moved = middle + _moved(position.reshape(shape), low - middle, high - middle)
        return moved * self.cost_factor[self._at("")]

    def _at(self, account: str) -> int:
        return ACCOUNTS.index(account or self.account)


def _indicator(places: npt.NDArray[np.intp], size: int) -> Array:
    """Return a matrix that adds columns up by place, shape (columns, size)."""
    return (places[:, None] == np.arange(size)).astype(float)


def _moved(position: Array, below: Array, above: Array) -> Array:
    """Return how far costs are from their amounts."""
    return np.where(position < 0, -position * below, position * above)
