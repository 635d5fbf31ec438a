"""Joint draws of everything that an appraisal does not know."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from tfeval.errors import DataError
from tfeval.impact.means.influence import joint_normal
from tfeval.money.model import Array, Model, Parameters
from tfeval.money.persistence import split_uniform


def normal_draws(
    mean: Array, covariance: Array, draws: int, rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Draw from a joint normal; a covariance may be singular, or 0.

    Parameters
    ----------
    mean : ndarray, shape (k,)
    covariance : ndarray, shape (k, k)
    draws : int
    rng : Generator

    Returns
    -------
    ndarray of float, shape (draws, k)

    Raises
    ------
    DataError
        If it is no covariance: part of it is not known, or a combination of the estimates would
        have a negative variance.

    Examples
    --------
    >>> normal_draws(np.array([2.0]), np.zeros((1, 1)), 2, np.random.default_rng(1)).tolist()
    [[2.0], [2.0]]
    """
    if not (np.isfinite(covariance).all() and np.isfinite(mean).all()):
        raise DataError(
            "Some effects, or their covariance, are not known: leave out those without an error."
        )
    spread = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    scale = np.where(spread > 0, spread, 1.0)
    # In units of the errors, so that outcomes counted in days do not swamp those in sentences.
    alike = covariance / np.outer(scale, scale)
    size = np.linalg.eigvalsh((alike + alike.T) / 2)
    if len(size) and size[0] < -1e-6 * max(1.0, size[-1]):
        raise DataError(
            "The effects' covariance is none: some combination of them would have a negative "
            "variance. Estimate them together, or use worst_case."
        )
    return mean + joint_normal(alike, draws, rng) * scale


def drawn(
    model: Model, frame: pd.DataFrame, joint: Array, grades: tuple[str, ...], *, draws: int,
    seed: int, correlation: float,
) -> tuple[pd.DataFrame, Parameters]:  # fmt: skip
    """Draw the effects, those without a price too, and everything else.

    Parameters
    ----------
    model : Model
    frame : DataFrame
        Effects considered: `outcome`, `estimate`.
    joint : ndarray
        Their covariance. Effects without a price whose errors are not known are left out.
    grades : tuple of str
        Evidence grade of each unit cost.
    draws, seed, correlation
        As in `Appraisal.uncertainty`.

    Returns
    -------
    effects : DataFrame
        One column an outcome.
    parameters : Parameters

    Raises
    ------
    DataError
        If the error or a covariance of a priced effect is not known.
    """
    if not np.isfinite(model.covariance).all():
        raise DataError(
            "Some effects have no standard error, or their covariance is not known: leave them "
            "out, or use worst_case, which needs standard errors alone."
        )
    priced = frame["outcome"].isin(model.outcomes).to_numpy()
    finite = np.isfinite(joint)
    known = priced | (finite[:, priced].all(axis=1) & np.isfinite(frame["estimate"]).to_numpy())
    known &= priced | finite[:, known].all(axis=1)
    rows, rng = np.flatnonzero(known), np.random.default_rng(seed)
    mean = frame["estimate"].to_numpy(dtype=float)[rows]
    sample = normal_draws(mean, joint[np.ix_(rows, rows)], draws, rng)
    effects = pd.DataFrame(sample, columns=list(frame["outcome"].iloc[rows]))
    own = effects[list(model.outcomes)].to_numpy()
    return effects, parameters(model, own, grades, correlation, rng)


def parameters(
    model: Model, effects: Array, grades: tuple[str, ...], correlation: float,
    rng: np.random.Generator,
) -> Parameters:  # fmt: skip
    """Draw everything beside the effects: unit costs, persistence, the programme's costs.

    Parameters
    ----------
    model : Model
    effects : ndarray, shape (draws, k)
        Draws of the effects.
    grades : tuple of str
        Evidence grade of each unit cost.
    correlation : float
        Between unit costs of different outcomes with one grade.
    rng : Generator

    Notes
    -----
    Every range has its amount as mean (`split_uniform`). Unit costs of one outcome move together,
    for they come from one study; those of outcomes of one grade, the worst of an outcome's unit
    costs, are correlated (a normal copula), for they share a method. Persistence is common to all
    outcomes. What `decay` fitted of it is drawn with the effects that it was fitted to: the two err
    against each other, for a first year seen too large leaves too little for the second. The normal
    that persistence is drawn by goes with the effects (`Model.tie`); each alone is as it was. The
    programme's costs lie between the sums of their lows and highs, which the sources give together.
    """
    from scipy.special import ndtr, ndtri  # noqa: PLC0415

    draws = len(effects)
    unit_outcome = np.zeros(len(model.amount), dtype=np.intp)
    unit_outcome[model.unit] = model.of
    worst = [""] * len(model.outcomes)
    for outcome, grade in zip(unit_outcome, grades, strict=True):
        worst[outcome] = max(worst[outcome], grade)
    kinds = sorted(set(worst))
    common = rng.standard_normal((draws, len(kinds)))
    own = rng.standard_normal((draws, len(model.outcomes)))
    mixed = np.sqrt(correlation) * common[:, [kinds.index(grade) for grade in worst]]
    mixed += np.sqrt(1 - correlation) * own
    share = ndtr(mixed)[:, unit_outcome]
    # A day in work has a negative cost: dear is then the low end.
    share = np.where(model.amount < 0, 1 - share, share)
    lasting, normal = rng.random(draws), None
    if model.tie.any():
        leads = model.leads()
        left = max(1.0 - float(leads @ model.covariance @ leads), 0.0)
        normal = (effects - model.estimate) @ leads + np.sqrt(left) * ndtri(lasting)
        lasting = ndtr(normal)
    shares = np.stack([one.quantile(lasting) for one in model.persistence], axis=1)
    return Parameters(
        effect=effects,
        amount=split_uniform(share, model.low, model.amount, model.high),
        powers=shares[:, :, None] ** np.arange(model.horizon + 1.0),
        cost=cost_position(model, rng.random(draws)),
        normal=normal,
    )


def cost_position(model: Model, share: Array) -> Array:
    """Return where the programme's costs stand so that the mean of their sum is its amount.

    Returns
    -------
    ndarray of float, between -1 (lows) and 1 (highs)
    """
    low, middle, high = np.einsum("eyp,y->e", model.costs, model.discount)
    drawn = split_uniform(share, low, middle, high) - middle
    side = np.where(drawn < 0, middle - low, high - middle)
    return np.divide(drawn, side, out=np.zeros_like(drawn), where=side > 0)
