"""Kernel and radius matching: every comparison unit counts for the treated near it."""
# ruff: noqa: PLR0912, PLR0915, PLR0917, C901

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from math import comb, factorial

import numpy as np

from tfeval.errors import ParameterError, check_choice
from tfeval.impact.design.design import KEPT, LONE_STRATUM, NOT_NEEDED, OUTSIDE_CALIPER
from tfeval.impact.matching.ordering import Arm, sorted_arm
from tfeval.impact.study.covariates import LARGE, THREADS, for_size, in_parts

#: Kernels (1 - |u| ** p) ** q of the distance u in bandwidths, as p and q; nothing beyond 1.
EXPONENTS = {"epanechnikov": (2, 1), "uniform": (1, 0), "biweight": (2, 2), "tricube": (3, 3)}
KERNELS = (*EXPONENTS, "gaussian")
#: The normal kernel is cut off this many half bandwidths away: beyond, it is under 1e-15.
REACH = 17
#: Terms of its power series in a cell: for 9 bandwidths times a quarter, to 1e-16.
TERMS = 26


def kernel_weights(
    score: np.ndarray,
    treated: np.ndarray,
    sampling: np.ndarray,
    strata: np.ndarray | None = None,
    *,
    bandwidth: float = 0.06,
    kernel: str = "epanechnikov",
) -> tuple[np.ndarray, np.ndarray]:
    """Weigh comparison units by how near they are to the treated.

    Each treated unit is compared with the mean of the comparison units around it, weighted by
    the kernel and the sampling weights; a comparison unit's weight adds up what it counts in all
    those means.

    Parameters
    ----------
    score : ndarray of float, shape (n,)
        What nearness is measured on.
    treated : ndarray of bool, shape (n,)
        Who was treated.
    sampling : ndarray of float, shape (n,)
        Sampling weights.
    strata : ndarray of int, optional, shape (n,)
        Codes from 0; comparisons are made within.
    bandwidth : float, default 0.06
        In the units of the score. Comparison units farther away do not count; with "gaussian" it
        is the standard deviation, and they stop counting between 8 and 9 of it away.
    kernel : {"epanechnikov", "uniform", "biweight", "tricube", "gaussian"}
        Form of the kernel; "uniform" is radius matching, and includes the bound.

    Returns
    -------
    weights : ndarray of float, shape (n,)
        1 for treated units with somebody near, the sum of shares for comparison units; times the
        sampling weight they sum to the same in both arms.
    fate : ndarray of int8, shape (n,)
        Codes of `design.FATES`.

    References
    ----------
    Heckman, Ichimura and Todd (1997), Matching as an econometric evaluation estimator, Review of
    Economic Studies 64; (1998), ibid. 65. Radius: Dehejia and Wahba (2002), Propensity
    score-matching methods for nonexperimental causal studies, Review of Economics and
    Statistics 84.

    Examples
    --------
    >>> score = np.array([0.50, 0.52, 0.47, 0.90])
    >>> arm = np.array([True, False, False, False])
    >>> weights, fate = kernel_weights(score, arm, np.ones(4), bandwidth=0.05)
    >>> weights.round(3).tolist(), fate.tolist()
    ([1.0, 0.568, 0.432, 0.0], [0, 0, 0, 1])
    """
    check_choice("kernel", kernel, KERNELS)
    if not bandwidth > 0 or not np.isfinite(bandwidth):
        raise ParameterError(f"bandwidth is a number above 0, not {bandwidth!r}.")
    score = np.asarray(score, dtype=float)
    own, other = (
        sorted_arm(np.flatnonzero(arm), score, strata, None) for arm in (treated, ~treated)
    )
    around = _around(kernel, len(score))
    beside = around(own, other, sampling[other.rows], bandwidth, kernel)
    found = beside > 0
    given = np.divide(sampling[own.rows], beside, out=np.zeros(len(beside)), where=found)
    weights = np.zeros(len(score))
    weights[own.rows] = found
    weights[other.rows] = around(other, own, given, bandwidth, kernel)
    return weights, _fate(weights, treated, strata)


def _around(kernel: str, size: int) -> Callable[[Arm, Arm, np.ndarray, float, str], np.ndarray]:
    """Return what sums up, for the units of one arm, the kernels of the other's with weights."""
    if size < LARGE:
        return _dense
    return _bell if kernel == "gaussian" else _window


def _dense(to: Arm, of: Arm, weights: np.ndarray, bandwidth: float, kernel: str) -> np.ndarray:
    """Sum up by a table of all pairs, for small studies."""
    sums = np.zeros(len(to.rows))
    for mine, theirs in _by_stratum(to, of):
        targets, scores = to.scores[mine], of.scores[theirs]
        far = np.abs(targets[:, None] - scores)
        if kernel == "gaussian":
            codes, cells, _ = _grid(targets, scores, bandwidth)
            values = np.exp(-0.5 * (far / bandwidth) ** 2)
            values[np.abs(codes[:, None] - cells) > REACH] = 0.0
        else:
            outer, inner = EXPONENTS[kernel]
            values = (1.0 - np.minimum(far / bandwidth, 1.0) ** outer) ** inner
            values[far > bandwidth] = 0.0
        sums[mine] = values @ weights[theirs]
    return sums


def _window(to: Arm, of: Arm, weights: np.ndarray, bandwidth: float, kernel: str) -> np.ndarray:
    """Sum up a polynomial kernel by running totals of powers."""
    outer, inner = EXPONENTS[kernel]
    form = np.zeros(outer * inner + 1)
    for power in range(inner + 1):
        form[outer * power] = comb(inner, power) * (-1) ** power
    units, powers = len(of.rows), len(form)
    cell, middle = np.empty(units, dtype=np.int64), np.empty(units)
    totals = np.empty((units, powers))
    size = units + len(to.rows)
    for_size(running_totals, size)(of.scores, weights, of.starts, bandwidth, cell, middle, totals)
    choose = np.array([[comb(n, k) for k in range(powers)] for n in range(powers)], dtype=float)
    sizes = np.diff(to.starts)
    low, high = np.repeat(of.starts[:-1], sizes), np.repeat(of.starts[1:], sizes)
    sums, work = np.empty(len(to.rows)), for_size(window_sums, size)
    in_parts(
        lambda first, last: work(to.scores, low, high, first, last, of.scores, weights, bandwidth,
                                 form, EXPONENTS[kernel], choose, cell, middle, totals, sums),
        _parts(len(to.rows)),
    )  # fmt: skip
    return sums


def _bell(to: Arm, of: Arm, weights: np.ndarray, bandwidth: float, kernel: str) -> np.ndarray:
    """Sum up the normal kernel by power series about the middles of cells."""
    del kernel
    sums = np.zeros(len(to.rows))
    work = for_size(bell_sums, len(to.rows) + len(of.rows))
    for mine, theirs in _by_stratum(to, of):
        targets, scores = to.scores[mine], of.scores[theirs]
        codes, cells, base = _grid(targets, scores, bandwidth)
        heads = np.flatnonzero(np.diff(cells, prepend=cells[0] - 1))
        occupied = cells[heads]
        middles = base + (occupied + 0.5) * (bandwidth / 2)
        away = (scores - np.repeat(middles, np.diff(heads, append=len(cells)))) / bandwidth
        term = weights[theirs] * np.exp(-0.5 * away**2)
        moments = np.empty((len(occupied), TERMS))
        for power in range(TERMS):
            moments[:, power] = np.add.reduceat(term, heads) / factorial(power)
            term *= away
        stands = (codes, occupied, middles, moments, bandwidth, REACH)
        for part, found in zip(
            parts := _parts(len(targets)),
            in_parts(partial(_bell_part, work, targets, stands), parts),
            strict=True,
        ):
            sums[mine][slice(*part)] = found
    return sums


def _bell_part(
    work: Callable[..., None], targets: np.ndarray, stands: tuple, first: int, last: int
) -> np.ndarray:
    codes, *others = stands
    sums = np.empty(last - first)
    work(targets[first:last], codes[first:last], *others, sums)
    return sums


def _grid(
    targets: np.ndarray, scores: np.ndarray, bandwidth: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return both arms' cells on one grid, so that who counts for whom is the same both ways."""
    base = min(targets[0], scores[0])
    codes, cells = (
        np.floor((values - base) / (bandwidth / 2)).astype(np.int64) for values in (targets, scores)
    )
    return codes, cells, base


def _by_stratum(to: Arm, of: Arm) -> Iterator[tuple[slice, slice]]:
    """Yield where each stratum stands in both arms, if it has both."""
    for stratum in range(min(len(to.starts), len(of.starts)) - 1):
        mine = slice(to.starts[stratum], to.starts[stratum + 1])
        theirs = slice(of.starts[stratum], of.starts[stratum + 1])
        if mine.start < mine.stop and theirs.start < theirs.stop:
            yield mine, theirs


def _parts(units: int) -> list[tuple[int, int]]:
    cuts = [0, units] if units < 50_000 else np.linspace(0, units, THREADS + 1).astype(int).tolist()
    return list(pairwise(cuts))


def _fate(weights: np.ndarray, treated: np.ndarray, strata: np.ndarray | None) -> np.ndarray:
    fate = np.where(treated, OUTSIDE_CALIPER, NOT_NEEDED).astype(np.int8)
    if strata is not None:
        count = int(strata.max()) + 1
        own, other = (np.bincount(strata[arm], minlength=count) for arm in (treated, ~treated))
        fate[((own == 0) | (other == 0))[strata]] = LONE_STRATUM
    fate[weights > 0] = KEPT
    return fate


# Sums of kernels along a line, over sorted scores; compiled for large studies.
# A polynomial kernel summed over a window is a sum of powers, and sums of powers come from running
# totals. Units are held in cells one bandwidth wide, with running totals of powers about the cell's
# middle that begin anew in each: the numbers stay small, so that their differences are good to
# nearly all digits. Where a sum is so small beside the totals that the difference could be
# rounding, it is added up unit by unit.

#: A sum below this share of the totals it is a difference of is added up unit by unit.
DOUBTFUL = 1e-4


def running_totals(
    scores: np.ndarray,
    weights: np.ndarray,
    starts: np.ndarray,
    bandwidth: float,
    cell: np.ndarray,
    middle: np.ndarray,
    totals: np.ndarray,
) -> None:
    """Fill each unit's cell (the place where it begins), its middle, and the running totals.

    Parameters
    ----------
    scores, weights : ndarray of float, shape (m,)
        Scores rise within strata.
    starts : ndarray of int, shape (strata + 1,)
    cell, middle : ndarray, shape (m,)
        Filled.
    totals : ndarray of float, shape (m, powers + 1)
        Filled with sums of weight * ((score - middle) / bandwidth) ** q, from the cell's first
        unit up to each.
    """
    powers = totals.shape[1]
    for stratum in range(starts.shape[0] - 1):
        begin = starts[stratum]
        for at in range(starts[stratum], starts[stratum + 1]):
            if scores[at] - scores[begin] > bandwidth:
                begin = at
            # A cell begins at a unit, so no cell is empty however narrow the bandwidth.
            cell[at], middle[at] = begin, scores[begin] + bandwidth / 2
            offset = (scores[at] - middle[at]) / bandwidth
            term = weights[at]
            for power in range(powers):
                totals[at, power] = term
                if at > begin:
                    totals[at, power] += totals[at - 1, power]
                term *= offset


def window_sums(
    targets: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    first: int,
    last: int,
    scores: np.ndarray,
    weights: np.ndarray,
    bandwidth: float,
    form: np.ndarray,
    exponents: tuple[int, int],
    choose: np.ndarray,
    cell: np.ndarray,
    middle: np.ndarray,
    totals: np.ndarray,
    sums: np.ndarray,
) -> None:
    """Fill `sums` with the weighted kernels of the units around each target, `first` to `last`.

    Parameters
    ----------
    targets : ndarray of float, shape (t,)
        Rising within strata.
    low, high : ndarray of int, shape (t,)
        Limits of the target's stratum among the units.
    first, last : int
        Targets to do.
    scores, weights : ndarray of float, shape (m,)
        Of the units.
    bandwidth : float
        Nobody farther than this counts; the bound is inside.
    form : ndarray of float, shape (powers + 1,)
        The kernel is the sum of form[q] * |u| ** q,
    exponents : tuple of int
        which is (1 - |u| ** exponents[0]) ** exponents[1].
    choose : ndarray of float, shape (powers + 1, powers + 1)
        Binomial coefficients.
    cell, middle, totals
        From `running_totals`.
    sums : ndarray of float, shape (t,)
        Filled.
    """
    degree = form.shape[0] - 1
    here = np.empty(degree + 1)
    left = right = centre = 0
    stratum_low = -1
    for target in range(first, last):
        score = targets[target]
        if low[target] != stratum_low or target == first:
            stratum_low = low[target]
            left = right = centre = stratum_low
        stop = high[target]
        while left < stop and score - scores[left] > bandwidth:
            left += 1
        centre = max(centre, left)
        while centre < stop and scores[centre] < score:
            centre += 1
        right = max(right, centre)
        while right < stop and scores[right] - score <= bandwidth:
            right += 1
        total, mass = 0.0, 0.0
        begin = left
        while begin < right and right - left > 32:
            # A cell at a time, cut where the sign of the distance changes.
            end = right if begin >= centre else centre
            mean, from_cell = middle[begin], cell[begin]
            bottom, top = begin, end
            if cell[end - 1] != from_cell:
                while top - bottom > 1:
                    half = (bottom + top) // 2
                    if cell[half] == from_cell:
                        bottom = half
                    else:
                        top = half
                end = top
            for power in range(degree + 1):
                here[power] = totals[end - 1, power]
                if begin > from_cell:
                    here[power] -= totals[begin - 1, power]
            mass += totals[end - 1, 0]
            shift = (mean - score) / bandwidth
            sign = 1.0 if begin >= centre else -1.0
            turned = 1.0
            for power in range(degree + 1):
                if form[power] != 0.0:
                    moved, factor = 0.0, 1.0
                    for lower in range(power, -1, -1):
                        moved += choose[power, lower] * factor * here[lower]
                        factor *= shift
                    total += form[power] * turned * moved
                turned *= sign
            begin = end
        if begin < right or total < DOUBTFUL * mass:
            total = 0.0
            for at in range(left, right):
                # As factors: expanded, the last digits would go near the bound.
                far = abs(scores[at] - score) / bandwidth
                inner = 0.0
                for _ in range(exponents[0]):
                    inner = inner * far + 1.0
                value = weights[at]
                for _ in range(exponents[1]):
                    value *= (1.0 - far) * inner
                total += value
        sums[target] = total


def bell_sums(
    targets: np.ndarray,
    codes: np.ndarray,
    cells: np.ndarray,
    middles: np.ndarray,
    moments: np.ndarray,
    bandwidth: float,
    reach: int,
    sums: np.ndarray,
) -> None:
    """Fill `sums` with the weighted normal kernels of the units around each target.

    Within a cell half a bandwidth wide exp(-(x - y)^2 / 2) = exp(-x^2 / 2) exp(-y^2 / 2)
    exp(x y), x and y from the middle; the last factor as a power series in y, whose coefficients
    are the cell's moments (Greengard and Strain 1991, The fast Gauss transform, SIAM J. Sci.
    Stat. Comput. 12).

    Parameters
    ----------
    targets : ndarray of float, shape (t,)
    codes : ndarray of int, shape (t,)
        The targets' cells, rising.
    cells : ndarray of int, shape (c,)
        Occupied cells of the units, rising.
    middles : ndarray of float, shape (c,)
    moments : ndarray of float, shape (c, terms)
        Sums of weight * exp(-x^2 / 2) * x^q / q!.
    reach : int
        Cells on either side that count.
    sums : ndarray of float, shape (t,)
        Filled.
    """
    terms = moments.shape[1]
    begin = 0
    for target in range(targets.shape[0]):
        while begin < cells.shape[0] and cells[begin] < codes[target] - reach:
            begin += 1
        total = 0.0
        at = begin
        while at < cells.shape[0] and cells[at] <= codes[target] + reach:
            away = (targets[target] - middles[at]) / bandwidth
            series = 0.0
            # Enough for 1e-15 at this distance.
            enough = min(terms, 10 + int(1.8 * abs(away)))
            for term in range(enough - 1, -1, -1):
                series = series * away + moments[at, term]
            total += np.exp(-0.5 * away * away) * series
            at += 1
        sums[target] = total
