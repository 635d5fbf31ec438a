"""Checks of a threshold: heaps of units, jumps of covariates, other cutoffs and bandwidths."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import bdtr, ndtr, ndtri

from tfeval.display.check_words import CHECK_VERDICTS, THRESHOLD_CHECKS, THRESHOLD_REASONS
from tfeval.display.names import SIMULATED
from tfeval.display.rich import Tabled
from tfeval.display.tables import Table, safe_count, table
from tfeval.impact.effects.multiple import stepped
from tfeval.impact.effects.words import (
    HIDDEN,
    decimals,
    hidden_rows,
    number,
    p_words,
    with_interval,
)
from tfeval.impact.inference.rules import ESTIMATED, FEWEST_F
from tfeval.impact.panel.discrete_threshold import Estimator
from tfeval.impact.panel.local_polynomial import Jump, Points, summed_squares

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
    slopes = (inverse @ (weighted.T @ shares[rows])) / units
    ahead = np.cumsum(weighted[::-1], axis=0)[::-1] / (n - 1)
    # A unit moves the distribution of all others at its own value and above.
    ahead = (ahead - weighted / (n - 1))[np.searchsorted(near, near, side="left")]
    spread = inverse @ (ahead.T @ ahead) @ inverse / np.outer(units, units)
    places = np.array([1, order + 2])
    return slopes[places], spread[np.ix_(places, places)], slopes[places + derivative - 1]


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
    optima = []
    for part in ones:
        variance = n * near * float(part @ covariance @ part)
        optima.append((variance / (2 * p) / float(part @ bias) ** 2 / n) ** (1 / (2 * p + 1)))
    ends = (-float(values[0]), float(values[-1]), widest, widest)
    bw = [min(one, end) for one, end in zip(optima, ends, strict=True)]
    own = [max(float(pair[side][min(_FEWEST, len(pair[side])) - 1]) for pair in sides)
           for side in (0, 1)]  # fmt: skip
    bw = [max(one, fewest) for one, fewest in zip(bw, (*own, max(own), max(own)), strict=True)]
    return float(np.median(bw[:1] + bw[2:])), float(np.median(bw[1:]))


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


# What a threshold can be asked before and after its outcomes are read.

CHECKS = ("density", "heap", "covariates", "first_stage", "curvature", "placebo_cutoffs", "donut",
          "bandwidths")  # fmt: skip
PASSED, FAILED, CANNOT = "passed", "failed", "cannot_be_judged"
REASONS = ("differs", "alike", "strong", "weak", "no_bound", "too_few")
#: Columns of `ThresholdChecks.frame`.
COLUMNS = ("check", "what", "at", "estimate", "std_error", "conf_low", "conf_high", "p_value",
           "p_adjusted", "n_below", "n_above", "hidden", "verdict", "reason")  # fmt: skip
#: A check fails where its p-value, corrected over all rows of all checks by Holm, is below.
_LEVEL = 0.05
#: Bandwidths tried, over the one used; part of it that the donut leaves out.
_WIDER, _DONUT = (0.5, 0.75, 1.5, 2.0), 0.1


@dataclass(frozen=True, eq=False, repr=False)
class ThresholdChecks(Tabled):
    """Checks of a threshold and what came of each. From `Threshold.diagnostic`.

    Attributes
    ----------
    frame : DataFrame
        One row a test: `check`, a key; `what` it is of, a covariate or an outcome; `at`, the
        cutoff, bandwidth or width it takes; `estimate`, `std_error`, `conf_low`, `conf_high`,
        `p_value`, and `p_adjusted` by Holm over all rows; `n_below` and `n_above`, exact, and
        `hidden`, whether few of them, or few with or without what it is of, hide the numbers; its
        `verdict` ("passed", "failed", "cannot_be_judged") and `reason`, keys. Of "donut" and
        "bandwidths" the numbers are of the change from the effect itself.
    level : float
        Of the intervals.
    simulated : bool
        Whether the records are simulated.
    """

    frame: pd.DataFrame
    level: float = 0.95
    simulated: bool = False

    @property
    def failed(self) -> tuple[str, ...]:
        """The checks that failed, by key: each speaks against the design."""
        return tuple(dict.fromkeys(self.frame.loc[self.frame["verdict"] == FAILED, "check"]))

    def table(self) -> Table:
        """Return the checks as a table for readers, small numbers hidden."""
        shown = [
            {
                "Check": THRESHOLD_CHECKS[row["check"]], "Of": row["what"] or "all units",
                "At": "" if math.isnan(row["at"]) else f"{row['at']:.4g}",
                f"Difference ({self.level:.0%} interval)": _difference(row),
                "Units below": safe_count(row["n_below"]),
                "Units above": safe_count(row["n_above"]),
                "p, adjusted": p_words(row["p_adjusted"]),
                "Verdict": f"{CHECK_VERDICTS[row['verdict']]}: "
                f"{THRESHOLD_REASONS[row['reason']]}",
            }
            for row in self.frame.to_dict("records")
        ]  # fmt: skip
        notes = [SIMULATED + "."] if self.simulated else []
        notes.append("No difference beyond chance is no proof that there is none.")
        return table(pd.DataFrame(shown), "Checks of the threshold", notes=notes)


def _difference(row: Mapping[Any, Any]) -> str:
    if math.isnan(row["estimate"]):
        return "not estimable"
    if row["hidden"]:
        return HIDDEN
    if math.isnan(row["conf_low"]):
        return number(row["estimate"], 3)
    return with_interval(
        row["estimate"], row["conf_low"], row["conf_high"], decimals(row["std_error"])
    )


@dataclass(frozen=True, eq=False)
class Asked:
    """A threshold as its checks see it."""

    points: Points  # with an outcome that is not looked at
    estimator: Estimator
    cutoff: float
    names: tuple[str, ...]  # of the covariates
    curvature: Mapping[str, float]  # by outcome, and by the treatment where fuzzy
    frequencies: float | None  # how far a frequency may lie from its neighbours'; see `heap_test`


def checked(
    setup: Asked, outcomes: Iterable[tuple[str, np.ndarray]], *, simulated: bool = False
) -> ThresholdChecks:
    """Return the checks of a threshold.

    Parameters
    ----------
    outcomes : iterable of name and ndarray of float, shape (n,)
        Missing values are left out. Without any: only what can be asked before they are read.
    """
    rows = [_frequencies(setup), *_covariates(setup), *_first_stage(setup)]
    for name, values in outcomes:
        known = ~np.isnan(values)
        points = replace(setup.points.some(known), outcome=values[known])
        plain = replace(points, treated=None)
        rows += [*_curvature(setup, name, plain), *_placebos(setup, name, plain),
                 *_changes(setup, name, points)]  # fmt: skip
    frame = pd.DataFrame(rows).reset_index(drop=True)
    known = frame["p_value"].notna()
    frame["p_adjusted"] = np.nan
    frame.loc[known, "p_adjusted"] = stepped(frame.loc[known, "p_value"].to_numpy(), "holm")
    open_rows = frame["verdict"] == ""
    beyond = frame["p_adjusted"] < _LEVEL
    frame.loc[open_rows, "verdict"] = np.where(beyond, FAILED, PASSED)[open_rows]
    frame.loc[open_rows, "reason"] = np.where(beyond, "differs", "alike")[open_rows]
    arms = {f"{what}_{side}": f"{what}_{arm}" for what in ("n", "events", "mean")
            for side, arm in (("below", "comparison"), ("above", "treated"))}  # fmt: skip
    frame.insert(0, "hidden", hidden_rows(frame.rename(columns=arms)))
    return ThresholdChecks(frame[list(COLUMNS)], setup.estimator.level, simulated)


def _row(
    check: str,
    what: str,
    at: float,
    jump: Jump | None = None,
    status: str = ESTIMATED,
    **more: Any,
) -> dict[str, Any]:
    """Return a row; its verdict is by its p-value, unless nothing could be estimated."""
    row: dict[str, Any] = {
        "check": check, "what": what, "at": at, "estimate": math.nan, "std_error": math.nan,
        "conf_low": math.nan, "conf_high": math.nan, "p_value": math.nan, "n_below": 0,
        "n_above": 0, "events_below": math.nan, "events_above": math.nan, "mean_below": math.nan,
        "mean_above": math.nan, "verdict": "", "reason": "",
    }  # fmt: skip
    if jump is not None:
        row |= {
            "n_below": jump.n_below, "n_above": jump.n_above, "mean_below": jump.below,
            "mean_above": jump.above, "events_below": jump.events[0], "events_above":
            jump.events[1],
        }  # fmt: skip
    if jump is None or status != ESTIMATED:
        row |= {"verdict": CANNOT, "reason": "too_few"}
    else:
        row |= {"estimate": jump.estimate, "std_error": jump.std_error, "conf_low": jump.low,
                "conf_high": jump.high, "p_value": jump.p_value}  # fmt: skip
    return row | more


def _frequencies(setup: Asked) -> dict[str, Any]:
    x = setup.points.x
    sides: dict[str, Any] = {"n_below": int((x < 0).sum()), "n_above": int((x >= 0).sum())}
    if setup.estimator.mode == "continuous":
        test = density_test(x)
        sides = {"n_below": test.units[0], "n_above": test.units[1]}
        return _row("density", "", setup.cutoff, verdict="", reason="", **sides,
                    estimate=test.above - test.below, p_value=test.p_value)  # fmt: skip
    if setup.frequencies is None:
        return _row("heap", "", setup.cutoff, reason="no_bound", **sides)
    share, p = heap_test(x, setup.frequencies)
    if math.isnan(p):
        return _row("heap", "", setup.cutoff, **sides)
    return _row("heap", "", setup.cutoff, verdict="", reason="", estimate=share, p_value=p, **sides)


def _covariates(setup: Asked) -> Iterator[dict[str, Any]]:
    way = setup.estimator
    if way.mode == "honest":  # no bound is said for a covariate
        way = replace(way, mode="adjacent", bandwidth=None)
    none = np.empty((len(setup.points.x), 0))
    for place, name in enumerate(setup.names):
        values = setup.points.covariates[:, place]
        alone = replace(setup.points, outcome=values, treated=None, covariates=none)
        yield _row("covariates", name, setup.cutoff, *replace(way, draws=0).jump(alone))


def _first_stage(setup: Asked) -> Iterator[dict[str, Any]]:
    taken = setup.points.treated
    if taken is None:
        return
    points = replace(setup.points, outcome=taken, treated=None)
    way = replace(setup.estimator, draws=0)
    jump, status = way.jump(points, curvature=setup.curvature.get("treated", 0.0))
    row = _row("first_stage", "", setup.cutoff, jump, status)
    if jump is not None and status == ESTIMATED:
        strong = jump.estimate**2 > FEWEST_F * jump.std_error**2
        row |= {"verdict": PASSED, "reason": "strong"} if strong else {
            "verdict": FAILED, "reason": "weak"}  # fmt: skip
    yield row


def _curvature(setup: Asked, name: str, points: Points) -> Iterator[dict[str, Any]]:
    """Yield, for each three values of a side, how much more than the bound the means bend."""
    if setup.estimator.mode != "honest":
        return
    bound = setup.curvature[name]
    for side in (points.some(points.x < 0), points.some(points.x >= 0)):
        values, codes, counts = np.unique(side.x, return_inverse=True, return_counts=True)
        means = np.bincount(codes, side.outcome) / counts
        spread = np.bincount(codes, (side.outcome - means[codes]) ** 2)
        with np.errstate(divide="ignore", invalid="ignore"):
            variance = spread / (counts - 1) / counts
        for place in range(1, len(values) - 1):
            some = slice(place - 1, place + 2)
            a, b, c = values[some]
            # Twice the divided difference is the second derivative somewhere between them.
            part = 2 / np.array([(a - b) * (a - c), (b - a) * (b - c), (c - a) * (c - b)])
            bend = float(part @ means[some])
            error = math.sqrt(float(part**2 @ variance[some]))
            at, n = setup.cutoff + float(b), int(counts[some].sum())
            row = _row("curvature", name, at, n_below=n, n_above=n, estimate=bend)
            if counts[some].min() >= 12 and error > 0:
                reach = float(ndtri((1 + setup.estimator.level) / 2)) * error
                size, worst = abs(bend) / error, bound / error
                row |= {"verdict": "", "reason": "", "std_error": error, "conf_low": bend - reach,
                        "conf_high": bend + reach,
                        "p_value": float(ndtr(worst - size) + ndtr(-worst - size))}  # fmt: skip
            yield row


def _placebos(setup: Asked, name: str, points: Points) -> Iterator[dict[str, Any]]:
    """Yield jumps where nothing changes, each of units on one side of the cutoff alone."""
    way = replace(setup.estimator, draws=0, bandwidth=None)
    bound = setup.curvature.get(name, 0.0)
    for side in (points.some(points.x < 0), points.some(points.x >= 0)):
        if way.mode == "continuous":
            cutoffs = [float(np.median(side.x))]
        else:
            cutoffs = [float(one) for one in np.unique(side.x)[1:]]
        for one in cutoffs:
            moved = replace(side, x=side.x - one)
            yield _row("placebo_cutoffs", name, setup.cutoff + one, *way.jump(moved, bound))


def _changes(setup: Asked, name: str, points: Points) -> Iterator[dict[str, Any]]:
    """Yield how an effect changes without the nearest units, and with other bandwidths."""
    way, treated = replace(setup.estimator, draws=0), setup.curvature.get("treated", 0.0)
    bounds = (setup.curvature.get(name, 0.0), treated)
    main, status = way.jump(points, *bounds)
    if main is None or status != ESTIMATED or way.mode == "adjacent":
        return
    if way.mode == "honest":
        yield from _other_bandwidths(setup, name, points, main, bounds)
        return
    same = replace(way, bandwidth=main.bandwidth)
    width = _DONUT * main.bandwidth
    kept = np.abs(points.x) > width
    yield _change(("donut", name, width), points, main, same.jump(points.some(kept)), kept)
    everybody = np.ones(len(kept), dtype=bool)
    for factor in _WIDER:
        at = factor * main.bandwidth
        other = replace(way, bandwidth=at).jump(points)
        yield _change(("bandwidths", name, at), points, main, other, everybody)


def _change(
    labels: tuple[str, str, float], points: Points, main: Jump, other: tuple[Jump | None, str],
    kept: np.ndarray,
) -> dict[str, Any]:  # fmt: skip
    jump, status = other
    if jump is None or status != ESTIMATED:
        return _row(*labels, jump, status)
    influence = -main.influence
    influence[kept] += jump.influence
    change = jump.estimate - main.estimate
    error = math.sqrt(summed_squares(influence, points.clusters))
    reach = error * (main.high - main.estimate) / main.std_error
    p = 2 * float(ndtr(-abs(change) / error)) if error > 0 else 1.0
    moved = replace(jump, estimate=change, std_error=error, low=change - reach,
                    high=change + reach, p_value=p)  # fmt: skip
    return _row(*labels, moved)


def _other_bandwidths(
    setup: Asked, name: str, points: Points, main: Jump, bounds: tuple[float, float]
) -> Iterator[dict[str, Any]]:
    """Yield honest effects with more and fewer values: their intervals hold the same effect."""
    way = replace(setup.estimator, kernel="uniform")
    reaches = np.unique(np.abs(points.x))
    for at in reaches[reaches > 0]:
        jump, status = replace(way, bandwidth=float(at)).jump(points, *bounds)
        row = _row("bandwidths", name, float(at), jump, status, p_value=math.nan)
        if jump is not None and status == ESTIMATED:
            meet = jump.low <= main.high and main.low <= jump.high
            row |= {"verdict": PASSED, "reason": "alike"} if meet else {
                "verdict": FAILED, "reason": "differs"}  # fmt: skip
            row |= {"estimate": jump.estimate - main.estimate, "conf_low": math.nan,
                    "conf_high": math.nan}  # fmt: skip
        yield row
