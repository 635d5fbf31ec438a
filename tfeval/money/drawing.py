"""Joint draws of everything that an appraisal does not know."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from tfeval.errors import DataError
from tfeval.impact.means.variance import joint_normal
from tfeval.money.model import Array, Model, Parameters


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


def triangular(share: Array, low: Array, middle: Array, high: Array) -> Array:
    """Return quantiles of triangular distributions; the middle where there is no range.

    Parameters
    ----------
    share : ndarray
        Between 0 and 1.
    low, middle, high : ndarray
        Ends and mode; they broadcast against `share`.

    Examples
    --------
    >>> triangular(np.array([0.0, 0.5, 1.0]), 0.0, 1.0, 2.0).tolist()
    [0.0, 1.0, 2.0]
    """
    low, middle, high = (np.asarray(end, dtype=float) for end in (low, middle, high))
    width = high - low
    below, above = middle - low, high - middle
    first = np.divide(below, width, out=np.zeros(np.shape(width)), where=width > 0)
    left = low + np.sqrt(share * width * below)
    right = high - np.sqrt((1 - share) * width * above)
    return np.where(width > 0, np.where(share < first, left, right), middle)


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
    found = normal_draws(mean, joint[np.ix_(rows, rows)], draws, rng)
    effects = pd.DataFrame(found, columns=list(frame["outcome"].iloc[rows]))
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
    Unit costs are triangular between low and high with the amount as mode. Those of one outcome
    move together, for they come from one study; those of one grade are correlated (a normal
    copula), for they share a method. Persistence is triangular, common to all outcomes. The
    programme's costs are triangular between the sums of their lows and highs, which the sources
    give together.
    """
    from scipy.special import ndtr  # noqa: PLC0415

    draws = len(effects)
    unit_outcome = np.zeros(len(model.amount), dtype=np.intp)
    unit_outcome[model.unit] = model.of
    kinds = sorted(set(grades))
    place = np.array([kinds.index(grade) for grade in grades], dtype=np.intp)
    common = rng.standard_normal((draws, len(kinds)))
    own = rng.standard_normal((draws, len(model.outcomes)))
    # Unit costs of one outcome and grade move together, so each such pair is drawn once.
    pairs, pair = np.unique(np.stack([place, unit_outcome], axis=1), axis=0, return_inverse=True)
    mixed = np.sqrt(correlation) * common[:, pairs[:, 0]]
    mixed += np.sqrt(1 - correlation) * own[:, pairs[:, 1]]
    share = ndtr(mixed)[:, pair.ravel()]
    # A day in work has a negative cost: dear is then the low end.
    share = np.where(model.amount < 0, 1 - share, share)
    low, middle, high = model.persistence.T
    return Parameters(
        effect=effects,
        amount=triangular(share, model.low, model.amount, model.high),
        persistence=triangular(rng.random((draws, 1)), low, middle, high),
        cost=cost_position(model, rng.random(draws)),
    )


def cost_position(model: Model, share: Array) -> Array:
    """Return where the programme's costs stand so that their sum is triangular.

    Returns
    -------
    ndarray of float, between -1 (lows) and 1 (highs)
    """
    low, middle, high = np.einsum("eyp,y->e", model.costs, model.discount)
    width = high - low
    if not width > 0:
        return np.zeros(len(share))
    first = float(np.clip((middle - low) / width, 0.0, 1.0))
    left = -1 + np.sqrt(share / first) if first > 0 else np.full(len(share), -1.0)
    right = 1 - np.sqrt((1 - share) / (1 - first)) if first < 1 else np.ones(len(share))
    return np.where(share < first, left, right)
