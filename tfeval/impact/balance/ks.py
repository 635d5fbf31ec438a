"""The largest gap between two weighted distributions (Kolmogorov-Smirnov), mostly unsorted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

#: Bins of the first look at a distribution; only bins that may hold the largest gap are sorted.
BINS = 1 << 15
#: Below this share of the whole, a difference is rounding.
ROUNDING = 1e-12

#: Weights of the treated and of the comparison units, each of sum 1.
Pair = tuple[np.ndarray, np.ndarray]


def ks_distances(treated: np.ndarray, comparison: np.ndarray, pairs: Sequence[Pair]) -> list[float]:
    """Return the largest gaps between two weighted cumulative distributions (Kolmogorov-Smirnov).

    Parameters
    ----------
    treated, comparison : ndarray of float
        Values by arm.
    pairs : sequence of pairs of ndarray
        Weights of the arms, each of sum 1 (or of 0: NaN); one gap a pair.

    Notes
    -----
    Exact without sorting all values: the gap is known at the edges of bins, and within a bin it
    cannot pass the gap at its lower edge by more than the bin's own weight. Only bins that could
    hold a larger gap than the edges do are sorted.

    Examples
    --------
    >>> half = np.array([0.5, 0.5])
    >>> ks_distances(np.array([1.0, 2.0]), np.array([1.5, 3.0]), [(half, half)])
    [0.5]
    """
    if not len(treated) or not len(comparison):
        return [np.nan] * len(pairs)
    codes, tied = _bins(treated, comparison)
    largest, starts, contested = [], [], np.zeros(BINS, dtype=bool)
    for pair in pairs:
        above, below = (
            np.bincount(code, weights=held, minlength=BINS)
            for code, held in zip(codes, pair, strict=True)
        )
        edges = np.cumsum(above - below)
        starts.append(edges - (above - below))
        largest.append(float(np.abs(edges).max()))
        reach = np.maximum(starts[-1] + above, below - starts[-1])
        contested |= ~tied & (reach > largest[-1] + ROUNDING)
    if contested.any():
        picks = [contested[code] for code in codes]
        parts = (treated, comparison)
        values = np.concatenate([part[pick] for part, pick in zip(parts, picks, strict=True)])
        own = np.concatenate([code[pick] for code, pick in zip(codes, picks, strict=True)])
        order = np.argsort(values)
        for place, (first, second) in enumerate(pairs):
            signed = np.concatenate([first[picks[0]], -second[picks[1]]])[order]
            within = _sorted_gap(values[order], signed, own[order], starts[place])
            largest[place] = max(largest[place], within)
    return [
        gap if pair[0].any() and pair[1].any() else np.nan
        for gap, pair in zip(largest, pairs, strict=True)
    ]


def _bins(treated: np.ndarray, comparison: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    # Codes that rise with the value, and which bins hold one value only.
    parts = (treated, comparison)
    tied = np.zeros(BINS, dtype=bool)
    low = min(part.min() for part in parts)
    high = max(part.max() for part in parts)
    if high - low < BINS and _whole(treated) and _whole(comparison):
        return [(part - low).astype(np.int32) for part in parts], ~tied
    sample = np.concatenate([part[:: max(1, len(part) // 2000)] for part in parts])
    start, end = np.quantile(sample, [0.01, 0.99])  # so that long tails do not fill one bin
    if not end > start:
        start, end = low, high
    # The lowest bin holds the start alone: zeros, in many a count or sum of money.
    tied[0] = start == low
    unit = (end - start) / (BINS - 1)
    return [
        np.ceil(np.clip((part - start) / unit, 0, BINS - 1)).astype(np.int32) for part in parts
    ], tied


def _sorted_gap(
    values: np.ndarray, signed: np.ndarray, codes: np.ndarray, start: np.ndarray
) -> float:
    # Each bin's running gap begins at the gap of its lower edge.
    total = np.cumsum(signed)
    first = np.flatnonzero(np.r_[True, codes[1:] != codes[:-1]])
    offset = start[codes[first]] - total[first] + signed[first]
    lengths = np.diff(np.r_[first, len(codes)])
    ends = np.r_[values[1:] != values[:-1], True]
    return float(np.abs(total + np.repeat(offset, lengths))[ends].max())


def _whole(values: np.ndarray) -> bool:
    return bool((values[:200] % 1 == 0).all() and (np.floor(values) == values).all())
