"""The arithmetic of an appraisal as arrays: effects in, pounds by year and payer out.

A benefit is a product: reduction of an outcome x families and profile x unit cost. Everything but
the effects, the unit costs, persistence and the programme's costs is fixed, and is collapsed into
small matrices once; so a draw costs a few multiplications.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from tfeval.money.persistence import Array, normal_moments


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
    together : ndarray, shape (outcomes, horizon + 1), optional
        Of the expected value: covariances of each effect and the powers of persistence.
    normal : ndarray, shape (draws,), optional
        The standard normal by which persistence was drawn, where effects go with it.
    """

    effect: Array
    amount: Array
    powers: Array
    cost: Array
    together: Array | None = None
    normal: Array | None = None

    def __len__(self) -> int:
        return len(self.cost)

    def with_(self, **changed: Array | None) -> Parameters:
        """Return a copy with other values.

        Where persistence is given, it does not vary, and no effect goes with it.
        """
        apart: dict[str, Any] = {"together": None, "normal": None} if "powers" in changed else {}
        return replace(self, **{**apart, **changed})


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
    tie : ndarray, shape (k,)
        Covariance of each effect and the standard normal by which persistence is drawn; 0 where
        persistence was not estimated with it.

    Notes
    -----
    Value is a product of effects, years of effect and unit costs, less costs, and each is linear.
    Unit costs and costs are drawn independently of the others. Effects and persistence that were
    estimated together err together: effects are normal, persistence is the quantile of the
    probability of a normal, and the two normals are joint (a normal copula). So the value at the
    means, with the covariances of effects and powers of persistence, `point`, is the value that is
    expected: exactly, and not only over the draws.
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
    tie: Array

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
            together=self.together if self.tie.any() else None,
        )

    @cached_property
    def together(self) -> Array:
        """Return covariances of each effect and the powers of persistence, (k, horizon + 1)."""
        moved = np.stack([normal_moments(one, self.horizon) for one in self.persistence])
        return self.tie[:, None] * moved[self.group]

    def leads(self) -> Array:
        """Return what a unit of each effect moves the normal of persistence by, shape (k,).

        The normal, given the effects, has the mean of this times their distance from the estimates,
        and the variance that is left: 1 less that of the mean.
        """
        scale = np.where(self.std_error > 0, self.std_error, 1.0)
        alike = self.covariance / np.outer(scale, scale)
        moves = np.linalg.pinv(alike, hermitian=True) @ (self.tie / scale) / scale
        return np.asarray(moves, dtype=float)

    def powers(self, shares: Any) -> Array:
        """Return powers of persistence, the same for all outcomes, from shares, shape (draws,)."""
        power = np.asarray(shares, dtype=float).reshape(-1, 1, 1) ** np.arange(self.horizon + 1)
        return np.repeat(power, len(self.reach), axis=1)

    def reduction(self, effect: Array) -> Array:
        """Return reductions of costly outcomes, in units of the unit cost, after optimism bias."""
        return -effect * self.scale * self.kept

    def kept_of(self, at: int, effect: Any) -> Array:
        """Return what a unit of an outcome counts by the sign of an effect on it, as `effect`."""
        brings = self.amount[self.unit[self.of == at]].sum() < 0
        gain = -effect * self.scale[at] * (-1.0 if brings else 1.0)
        harm, benefit = self.kept_either[:, at]
        return np.where(gain < 0, harm, np.where(gain > 0, benefit, self.kept[at]))

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

    def slope(self, inputs: Parameters, account: str = "") -> Array:
        """Return the present value of one unit more of each effect, shape (draws, k)."""
        years = self.years_of(inputs.powers)
        return -self.scale * self.kept * years * self.worth(inputs.amount, account)

    def by_outcome(self, inputs: Parameters, account: str = "") -> Array:
        """Return the present value of benefits, shape (draws, k)."""
        return inputs.effect * self.slope(inputs, account) + self.by_tie(inputs, account)

    def by_tie(self, inputs: Parameters, account: str = "") -> Array | float:
        """Return the part of benefits that comes of effects and persistence erring together.

        Returns
        -------
        ndarray, shape (1, k), or 0.0 where nothing does, as in a draw
        """
        if inputs.together is None:
            return 0.0
        years = np.einsum("kn,kn->k", inputs.together, (self.reach @ self.discount)[self.group])
        return -self.scale * self.kept * years * self.worth(inputs.amount, account)

    def value(self, inputs: Parameters, account: str = "") -> Array:
        """Return the net present value, shape (draws,)."""
        return self.by_outcome(inputs, account).sum(axis=1) - self.cost(inputs.cost, account)

    def by_payer(self, inputs: Parameters, account: str = "") -> Array:
        """Return the present value of benefits by who they fall to, shape (draws, payers)."""
        return self.by_component(inputs, account) @ _indicator(self.payer, len(self.payers))

    def by_component(self, inputs: Parameters, account: str = "") -> Array:
        """Return the present value of each component of the account, shape (draws, components)."""
        each = self.reduction(inputs.effect) * self.years_of(inputs.powers)
        if inputs.together is not None:
            years = (self.reach @ self.discount)[self.group]
            each = each + self.reduction(np.einsum("kn,kn->k", inputs.together, years))
        counted = inputs.amount[:, self.unit] * self.factor[self._at(account)]
        return np.asarray(each[:, self.of] * counted, dtype=float)

    def benefits(self, inputs: Parameters) -> Array:
        """Return undiscounted benefits by year and payer, shape (draws, years, payers)."""
        factor = self.factor[self._at("")]
        worth = self.reduction(inputs.effect)[:, self.of] * inputs.amount[:, self.unit] * factor
        # Outcomes of one profile share their years, so their pounds are added up first.
        groups, payers = len(self.reach), len(self.payers)
        place = self.group[self.of] * payers + self.payer
        pounds = (worth @ _indicator(place, groups * payers)).reshape(-1, groups, payers)
        years = np.einsum("dgn,gny->dgy", inputs.powers, self.reach)
        pounds_by_year = np.einsum("dgy,dgp->dyp", years, pounds)
        if inputs.together is None:
            return pounds_by_year
        each = np.einsum("kn,kny->ky", inputs.together, self.reach[self.group])
        unit = self.reduction(np.ones(len(self.outcomes)))[self.of]
        unit = unit * inputs.amount[:, self.unit] * factor
        return pounds_by_year + np.einsum("dc,cy,cp->dyp", unit, each[self.of],
                                 _indicator(self.payer, payers))  # fmt: skip

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
