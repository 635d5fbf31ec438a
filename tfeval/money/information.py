"""What it is worth to know: the better choice in each draw, given what is known of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tfeval.money.model import Model, Parameters
from tfeval.money.persistence import Array, normal_moments

# What it would be worth to know everything, or one group of what is not known, for certain.

#: Groups of what is not known, in the order shown.
UNKNOWNS = ("effects", "unit costs", "persistence", "programme costs")


def perfect_information(values: Array) -> float:
    """Return the expected value of perfect information about a yes or no.

    Parameters
    ----------
    values : ndarray, shape (draws,)
        Net present value of yes; no is worth 0.

    Returns
    -------
    float
        Mean of the better choice in each draw, less the better of the two means; pounds.

    References
    ----------
    Raiffa and Schlaifer (1961), Applied Statistical Decision Theory.

    Examples
    --------
    >>> perfect_information(np.array([-10.0, 30.0]))
    5.0
    """
    return float(np.maximum(values, 0.0).mean() - max(values.mean(), 0.0))


def normal_loss(mean: float, sd: float) -> float:
    """Return the same for a normal value: the unit normal loss times its standard deviation.

    Parameters
    ----------
    mean, sd : float
        Of the net present value of yes; no is worth 0.

    References
    ----------
    Raiffa and Schlaifer (1961), Applied Statistical Decision Theory, section 5.4.

    Examples
    --------
    >>> round(normal_loss(0.0, 100.0), 2), normal_loss(-5.0, 0.0)
    (39.89, 0.0)
    """
    from scipy.special import ndtr  # noqa: PLC0415

    if not sd > 0:
        return 0.0
    z = abs(mean) / sd
    density = float(np.exp(-z * z / 2) / np.sqrt(2 * np.pi))
    return max(0.0, sd * density - abs(mean) * float(ndtr(-z)))


@dataclass(frozen=True, eq=False)
class Parts:
    """What value is a product of, in each draw; and each of two that go together, by the other.

    Reductions, years of effect and pounds a unit, shape (draws, k), costs, shape (draws,); years
    expected given the effects and reductions expected given persistence, None where these were
    drawn apart.
    """

    cut: Array
    years: Array
    worth: Array
    cost: Array
    years_given: Array | None = None
    cut_given: Array | None = None

    def some(self, kept: np.ndarray) -> Parts:
        """Return some of the draws."""
        own = {name: None if draws is None else draws[kept] for name, draws in vars(self).items()}
        return Parts(**own)  # type: ignore[arg-type]


def parts_of(model: Model, drawn: Parameters) -> Parts:
    """Return what value is a product of in each draw."""
    cut, years = model.reduction(drawn.effect), model.years_of(drawn.powers)
    parts = Parts(cut, years, model.worth(drawn.amount), model.cost(drawn.cost))
    if drawn.normal is None:
        return parts
    moved = model.estimate + drawn.normal[:, None] * model.tie
    return replace(parts, years_given=years_given(model, drawn.effect),
                   cut_given=model.reduction(moved))  # fmt: skip


#: Where the normal of persistence is looked at, and how finely what is left of it is cut.
_PLACES, _CUTS = np.linspace(-7.0, 7.0, 561), 400


def years_given(model: Model, effect: Array) -> Array:
    """Return discounted families and years of effect expected given effects, shape (draws, k).

    Effects move the mean of the normal that persistence is drawn by, and leave a variance; powers
    of persistence are averaged over equal parts of it.
    """
    from scipy.special import ndtr, ndtri  # noqa: PLC0415

    leads = model.leads()
    mean = (effect - model.estimate) @ leads
    left = np.sqrt(max(1.0 - float(leads @ model.covariance @ leads), 0.0))
    rest = ndtri((np.arange(_CUTS) + 0.5) / _CUTS)
    share = ndtr(_PLACES[:, None] + left * rest)
    power = np.arange(model.horizon + 1)
    powers = np.stack(
        [(one.quantile(share)[:, :, None] ** power).mean(axis=1) for one in model.persistence],
        axis=1,
    )
    years = model.years_of(powers)
    return np.stack([np.interp(mean, _PLACES, column) for column in years.T], axis=1)


def expected_given(model: Model, drawn: Parameters) -> dict[str, Array]:
    """Return the net present value expected, given each group of parameters in turn.

    The value is a product of effects, unit costs and years of effect, less costs, and the groups
    are drawn independently of each other. So the expectation over the others is that product
    with their means in it: exact, where a regression of the draws (Strong, Oakley and Brennan
    2014) would approximate it. Effects and persistence that were estimated together tell of each
    other: then what is expected of the one given the other takes the place of its mean.

    Returns
    -------
    dict of str to ndarray, shape (draws,)
        One for each of `UNKNOWNS`.
    """
    return expected_of(parts_of(model, drawn))


def expected_of(parts: Parts) -> dict[str, Array]:
    """Return what `expected_given` says, from the parts of value."""
    cut, years, worth, cost = parts.cut, parts.years, parts.worth, parts.cost
    mean_cut, mean_years, mean_worth = (part.mean(axis=0) for part in (cut, years, worth))
    mean_cost, both = cost.mean(), mean_cut * mean_years
    by_effects, by_years = cut * mean_years, years * mean_cut
    if parts.years_given is not None and parts.cut_given is not None:
        by_effects, by_years = cut * parts.years_given, years * parts.cut_given
        both = (cut * years).mean(axis=0)
    return {
        "effects": by_effects @ mean_worth - mean_cost,
        "unit costs": worth @ both - mean_cost,
        "persistence": by_years @ mean_worth - mean_cost,
        "programme costs": float(both @ mean_worth) - cost,
    }


def knowing(parts: Parts, effects: float | None = None) -> Array:
    """Return the value of knowing each of `UNKNOWNS`, and of knowing everything.

    Who knows everything knows each of them: that is worth no less, whatever the draws say.

    Parameters
    ----------
    parts : Parts
    effects : float, optional
        Value of knowing the effects, where it is known without the draws.
    """
    values = (parts.cut * parts.years * parts.worth).sum(axis=1) - parts.cost
    each = [perfect_information(one) for one in expected_of(parts).values()]
    everything = perfect_information(values)
    if effects is not None:
        # What the draws are off by for effects alone, they are off by for everything too.
        everything, each[0] = everything + effects - each[0], effects
    return np.array([*each, max(everything, *each)])


def linear(model: Model, *, tied: bool) -> tuple[float, Array]:
    """Return the value expected, and its slope in each effect with all else at its mean.

    Parameters
    ----------
    model : Model
    tied : bool
        Whether effects say what is left of all of them: then as a straight line does.
    """
    point = model.point()
    mean, slope = float(model.value(point)[0]), model.slope(point)[0]
    if not tied:
        return mean, slope
    # The covariance of years and the normal, by its lead.
    moved = [normal_moments(one, model.horizon) for one in model.persistence]
    years = model.years_of(np.stack(moved)[None])[0]
    unit = -model.scale * model.kept * model.worth(point.amount)[0]
    return mean, slope + model.leads() * float(unit * model.estimate @ years)
