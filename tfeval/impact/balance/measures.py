"""How alike two arms are in one covariate: means, spreads and distributions, before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

# The largest gap between two weighted distributions (Kolmogorov-Smirnov), mostly unsorted.

#: Most bins of the first look at a distribution; only those that may hold the largest gap are
#: sorted.
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
    largest, starts, contested = [], [], np.zeros(len(tied), dtype=bool)
    for pair in pairs:
        above, below = (
            np.bincount(code, weights=mass, minlength=len(tied))
            for code, mass in zip(codes, pair, strict=True)
        )
        apart = above - below
        edges = np.cumsum(apart)
        largest.append(float(max(edges.max(), -edges.min())))
        if not tied.all():
            starts.append(edges - apart)
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
    low = min(part.min() for part in parts)
    high = max(part.max() for part in parts)
    if high - low < BINS and _whole(treated) and _whole(comparison):
        codes = [(part - low).astype(np.int32) for part in parts]
        return codes, np.ones(int(high - low) + 1, dtype=bool)
    # Of few units, few bins: there is less to sort than to sum up.
    bins = min(BINS, max(64, sum(len(part) for part in parts)))
    tied = np.zeros(bins, dtype=bool)
    sample = np.concatenate([part[:: max(1, len(part) // 2000)] for part in parts])
    start, end = np.quantile(sample, [0.01, 0.99])  # so that long tails do not fill one bin
    if not end > start:
        start, end = low, high
    # The lowest bin holds the start alone: zeros, in many a count or sum of money.
    tied[0] = start == low
    unit = (end - start) / (bins - 1)
    return [
        np.ceil(np.clip((part - start) / unit, 0, bins - 1)).astype(np.int32) for part in parts
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


@dataclass(frozen=True, eq=False)
class Arms:
    """Two arms with their weights before and after a design."""

    treated: np.ndarray  # (n,) bool
    #: before, after: (n,): at least 0; after the design, a unit left out has 0.
    before: np.ndarray
    after: np.ndarray

    @cached_property
    def weights(self) -> tuple[Pair, Pair]:
        """Weights before and after, each arm's scaled to sum to 1 (all 0 where none is left)."""
        return _scaled(self.divide(self.before)), _scaled(self.divide(self.after))

    @cached_property
    def squares(self) -> tuple[tuple[float, ...], ...]:
        """Sums of squared `weights`."""
        return tuple(tuple(_product(mass, mass) for mass in pair) for pair in self.weights)

    @cached_property
    def part(self) -> float:
        """The treated's share of all weight before."""
        return float(self.before[self.treated].sum() / self.before.sum())

    @cached_property
    def present(self) -> tuple[np.ndarray, ...]:
        """Who has weight: treated and comparison before, then treated and comparison after."""
        return tuple(mass > 0 for pair in self.weights for mass in pair)

    @cached_property
    def totals(self) -> tuple[int, ...]:
        """How many `present` are, of each."""
        return tuple(int(np.count_nonzero(here)) for here in self.present)

    def divide(self, values: np.ndarray) -> Pair:
        """Return the values of the treated and of the comparison units."""
        return values[self.treated], values[~self.treated]

    @cached_property
    def _last(self) -> dict[bytes, Arms]:
        return {}

    def only(self, known: np.ndarray) -> Arms:
        """Return the units whose value is known: mostly those of the column before."""
        key = known.tobytes()
        if key not in self._last:
            self._last.clear()
            self._last[key] = Arms(self.treated[known], self.before[known], self.after[known])
        return self._last[key]


class Comparison(NamedTuple):
    """Two arms compared in one covariate; each pair is before, after.

    `sd` holds the unadjusted spread of the treated, of the comparison and of all units; `have` and
    `lack` count the units with weight whose value is not 0, or is: treated and comparison before,
    then after.
    """

    mean_treated: tuple[float, float]
    mean_comparison: tuple[float, float]
    variance_ratio: tuple[float, float]
    ks: tuple[float, float]
    sd: tuple[float, float, float]
    span: float
    binary: bool
    have: tuple[int, ...]
    lack: tuple[int, ...]


def moments(
    values: np.ndarray, weights: np.ndarray, squares: float | None = None
) -> tuple[float, float]:
    """Return the weighted mean and variance.

    Parameters
    ----------
    values, weights : ndarray of float, shape (n,)
        Weights of sum 1, at least 0.
    squares : float, optional
        Sum of the squared weights, where it is known.

    Returns
    -------
    tuple of float
        The variance is unbiased under equal weights: the weighted mean square over 1 less the sum
        of squared weights; NaN for a single unit.

    References
    ----------
    Greifer, cobalt 4.5 (R), functions `col_w_mean` and `col_w_sd`.

    Examples
    --------
    >>> moments(np.array([1.0, 3.0]), np.array([0.5, 0.5]))
    (2.0, 2.0)
    """
    if not weights.any():
        return np.nan, np.nan
    # Around a value of the data, so that a large level costs no digits.
    origin = float(values[0])
    apart = values - origin
    mean = _product(apart, weights)
    apart -= mean
    apart *= apart
    free = 1.0 - (_product(weights, weights) if squares is None else squares)
    variance = _product(apart, weights) / free if free > ROUNDING else np.nan
    return origin + mean, variance


def compare(values: np.ndarray, arms: Arms) -> Comparison:
    """Return how alike two arms are in one covariate.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Without missing values.
    arms : Arms
        Of the same n units.

    Notes
    -----
    A covariate of two values has the spread of a share, sqrt(p (1 - p)) times their distance, no
    variance ratio, and the difference of shares as its Kolmogorov-Smirnov distance.
    """
    treated, comparison = arms.divide(np.asarray(values, dtype=float))
    low = min(treated.min(initial=np.inf), comparison.min(initial=np.inf))
    high = max(treated.max(initial=-np.inf), comparison.max(initial=-np.inf))
    span = float(high - low) if high >= low else 0.0
    binary = _two_valued(treated, low, high) and _two_valued(comparison, low, high)
    stats = [
        tuple(moments(*each) for each in zip((treated, comparison), pair, squares, strict=True))
        for pair, squares in zip(arms.weights, arms.squares, strict=True)
    ]
    means = tuple(tuple(mean for mean, _ in pair) for pair in stats)
    spreads = tuple(tuple(variance for _, variance in pair) for pair in stats)
    if binary:
        gaps = [abs(one - other) / span if span else 0.0 for one, other in means]
        ratios = [np.nan, np.nan]
        both = means[0][0] * arms.part + means[0][1] * (1 - arms.part)
        sd = [span * _share_sd((mean - low) / span) if span else 0.0 for mean in (*means[0], both)]
    else:
        gaps = ks_distances(treated, comparison, arms.weights)
        ratios = [_ratio(one, other, span) for one, other in spreads]
        every = _together(means[0], spreads[0], arms)
        sd = [_sd(variance, span) for variance in (*spreads[0], every)]
    counts = (treated != 0, comparison != 0)
    have = [
        int(np.count_nonzero(some & here))
        for some, here in zip(counts * 2, arms.present, strict=True)
    ]
    return Comparison(
        mean_treated=(means[0][0], means[1][0]),
        mean_comparison=(means[0][1], means[1][1]),
        variance_ratio=(ratios[0], ratios[1]),
        ks=(gaps[0], gaps[1]),
        sd=(sd[0], sd[1], sd[2]),
        span=span,
        binary=binary,
        have=tuple(have),
        lack=tuple(total - some for total, some in zip(arms.totals, have, strict=True)),
    )


def compare_levels(codes: np.ndarray, levels: Sequence[int], arms: Arms) -> list[Comparison]:
    """Return how alike two arms are in each level of a category, counted in one pass.

    Parameters
    ----------
    codes : ndarray of int, shape (n,)
        -1 for missing.
    levels : sequence of int
        Codes to compare.
    """
    parts = [part.astype(np.int64) + 1 for part in arms.divide(codes)]
    size = max(int(part.max(initial=0)) for part in parts) + 1
    shares = [
        np.bincount(part, weights=mass, minlength=size)
        for pair in arms.weights
        for part, mass in zip(parts, pair, strict=True)
    ]
    counts = [
        np.bincount(part[here], minlength=size)
        for part, here in zip(parts * 2, arms.present, strict=True)
    ]
    comparisons = []
    for level in levels:
        before_t, before_c, after_t, after_c = (float(share[level + 1]) for share in shares)
        have = tuple(int(count[level + 1]) for count in counts)
        both = before_t * arms.part + before_c * (1 - arms.part)
        comparisons.append(
            Comparison(
                mean_treated=(before_t, after_t),
                mean_comparison=(before_c, after_c),
                variance_ratio=(np.nan, np.nan),
                ks=(abs(before_t - before_c), abs(after_t - after_c)),
                sd=(_share_sd(before_t), _share_sd(before_c), _share_sd(both)),
                span=1.0,
                binary=True,
                have=have,
                lack=tuple(total - some for total, some in zip(arms.totals, have, strict=True)),
            )
        )
    return comparisons


def standardised(difference: float, sd: float, span: float) -> float:
    """Return a difference over a standard deviation; 0 where the arms do not differ.

    Examples
    --------
    >>> standardised(1.0, 2.0, 10.0), standardised(0.0, 0.0, 10.0), standardised(-1.0, 0.0, 10.0)
    (0.5, 0.0, -inf)
    """
    if abs(difference) <= ROUNDING * span:
        return 0.0
    return difference / sd if sd else float(np.copysign(np.inf, difference))


def _product(one: np.ndarray, other: np.ndarray) -> float:
    # Not with @: its threads wait for one another on a busy machine, up to three times as long.
    return float(np.einsum("i,i->", one, other))


def _scaled(pair: Pair) -> Pair:
    first, second = (part / total if (total := part.sum()) > 0 else part * 0.0 for part in pair)
    return first, second


def _together(means: Sequence[float], variances: Sequence[float], arms: Arms) -> float:
    # The variance of both arms in one, from that within and between them.
    shares = (arms.part, 1.0 - arms.part)
    squares = arms.squares[0]
    within = sum(
        share * np.nan_to_num(variance) * (1.0 - square)
        for share, variance, square in zip(shares, variances, squares, strict=True)
    )
    between = shares[0] * shares[1] * (means[0] - means[1]) ** 2
    free = 1.0 - sum(share**2 * square for share, square in zip(shares, squares, strict=True))
    return (within + between) / free if free > ROUNDING else np.nan


def _share_sd(share: float) -> float:
    # A sum of weights may miss 0 or 1 by its rounding.
    rounding = share < ROUNDING or share > 1 - ROUNDING
    return 0.0 if rounding else float(np.sqrt(share * (1 - share)))


def _sd(variance: float, span: float) -> float:
    if np.isnan(variance):
        return np.nan
    sd = float(np.sqrt(max(variance, 0.0)))
    return sd if sd > ROUNDING * span else 0.0


def _ratio(one: float, other: float, span: float) -> float:
    first, second = _sd(one, span), _sd(other, span)
    if second == 0:
        return np.nan if first == 0 else np.inf
    return (first / second) ** 2


def _two_valued(values: np.ndarray, low: float, high: float) -> bool:
    head = values[:200]
    if not ((head == low) | (head == high)).all():
        return False
    return bool(((values == low) | (values == high)).all())
