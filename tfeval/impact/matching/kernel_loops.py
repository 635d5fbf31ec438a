"""Sums of kernels along a line, over sorted scores; compiled for large studies.

A polynomial kernel summed over a window is a sum of powers, and sums of powers come from running
totals. Units are held in cells one bandwidth wide, with running totals of powers about the cell's
middle that begin anew in each: the numbers stay small, so that their differences are good to
nearly all digits. Where a sum is so small beside the totals that the difference could be rounding,
it is added up unit by unit.
"""
# ruff: noqa: PLR0912, PLR0915, PLR0917, C901

from __future__ import annotations

import numpy as np

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
    bandwidth : float
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
    bandwidth : float
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
