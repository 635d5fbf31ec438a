"""Optimal pair and full matching on a score, and their loops over a line."""
# ruff: noqa: C901, PLR0912, PLR0915, PLR0917

from __future__ import annotations

import numpy as np

from tfeval.errors import ParameterError
from tfeval.impact.matching.ordering import Arm, sorted_arm
from tfeval.impact.study.covariates import for_size

# The loop of optimal pair matching on a line, over sorted scores; compiled for large studies.


def pairs_on_a_line(
    scores: np.ndarray,
    treated: np.ndarray,
    starts: np.ndarray,
    width: float,
    own: np.ndarray,
    matches: np.ndarray,
) -> int:
    """Fill `own` and `matches` with places of the pairs; return how many there are.

    In a best matching no unmatched unit lies between the two of a pair (it could take the place
    of the farther one of its arm), and no two pairs cross a gap in opposite directions. So the
    line falls into spans in which everybody is matched, and units that are not. A span that
    starts at a unit ends where the arms first balance again, like brackets: it is known, and so
    is its cost. What is left is to choose spans that do not overlap, from right to left.

    Within a span the pairs in order of score have the smallest largest distance. With `before`
    the treated too far below a comparison unit, less the comparison units below it, a span that
    starts with a treated unit keeps the caliper if no comparison unit in it has `before` above
    the excess of treated units ahead of the span; and the other way round.

    Parameters
    ----------
    scores : ndarray of float, shape (m,)
        Rising within strata.
    treated : ndarray of bool, shape (m,)
    starts : ndarray of int, shape (strata + 1,)
        Where each stratum begins.
    width : float
        Caliper.
    own, matches : ndarray of int, shape (at least as long as the smaller arm,)
        Filled.
    """
    size = scores.shape[0]
    until = np.full(size, -1, np.int64)
    before = np.zeros(size, np.int64)
    ahead = np.zeros(size, np.int64)
    cost = np.zeros(size + 1)
    chain_cost = np.zeros(size + 1)
    chain_before = np.zeros(size + 1, np.int64)
    best_cost = np.zeros(size + 1)
    best_count = np.zeros(size + 1, np.int64)
    take = np.zeros(size, np.bool_)
    stack = np.empty((2, size), np.int64)
    found = 0
    for stratum in range(starts.shape[0] - 1):
        first, last = starts[stratum], starts[stratum + 1]
        # Brackets, one kind for each arm, and who is out of reach below.
        open_treated, open_other = 0, 0
        count_treated, count_other = 0, 0
        far_treated, far_other = first, first
        gone_treated, gone_other = 0, 0
        for at in range(first, last):
            ahead[at] = count_treated - count_other
            if treated[at]:
                while scores[at] - scores[far_other] > width:
                    if not treated[far_other]:
                        gone_other += 1
                    far_other += 1
                before[at] = gone_other - count_treated
                count_treated += 1
                if open_other > 0:
                    open_other -= 1
                    until[stack[1, open_other]] = at
                stack[0, open_treated] = at
                open_treated += 1
            else:
                while scores[at] - scores[far_treated] > width:
                    if treated[far_treated]:
                        gone_treated += 1
                    far_treated += 1
                before[at] = gone_treated - count_other
                count_other += 1
                if open_treated > 0:
                    open_treated -= 1
                    until[stack[0, open_treated]] = at
                stack[1, open_other] = at
                open_other += 1
        best_cost[last], best_count[last] = 0.0, 0
        for at in range(last - 1, first - 1, -1):
            best_cost[at], best_count[at] = best_cost[at + 1], best_count[at + 1]
            end = until[at]
            if end < 0:
                continue
            cost[at] = scores[end] - scores[at]
            worst = before[end]
            if at + 1 < end:
                cost[at] += chain_cost[at + 1]
                worst = max(worst, chain_before[at + 1])
            # Spans side by side inside a wider one are added up as a chain.
            chain_cost[at], chain_before[at] = cost[at], worst
            if end + 1 < last and treated[end + 1] == treated[at] and until[end + 1] >= 0:
                chain_cost[at] += chain_cost[end + 1]
                chain_before[at] = max(worst, chain_before[end + 1])
            excess = ahead[at] if treated[at] else -ahead[at]
            if worst > excess:
                continue
            count = (end + 1 - at) // 2 + best_count[end + 1]
            total = cost[at] + best_cost[end + 1]
            if count > best_count[at] or (count == best_count[at] and total < best_cost[at]):
                best_count[at], best_cost[at], take[at] = count, total, True
        at = first
        while at < last:
            if not take[at]:
                at += 1
                continue
            mine, theirs = found, found
            for place in range(at, until[at] + 1):
                if treated[place]:
                    own[mine] = place
                    mine += 1
                else:
                    matches[theirs] = place
                    theirs += 1
            found, at = mine, until[at] + 1
    return found


def nearest_other(
    scores: np.ndarray, treated: np.ndarray, starts: np.ndarray, apart: np.ndarray
) -> None:
    """Fill `apart` with each unit's distance to the nearest of the other arm in its stratum."""
    for stratum in range(starts.shape[0] - 1):
        first, last = starts[stratum], starts[stratum + 1]
        seen_treated, seen_other = -1, -1
        for at in range(first, last):
            other = seen_other if treated[at] else seen_treated
            apart[at] = scores[at] - scores[other] if other >= 0 else np.inf
            if treated[at]:
                seen_treated = at
            else:
                seen_other = at
        seen_treated, seen_other = -1, -1
        for at in range(last - 1, first - 1, -1):
            other = seen_other if treated[at] else seen_treated
            if other >= 0:
                apart[at] = min(apart[at], scores[other] - scores[at])
            if treated[at]:
                seen_treated = at
            else:
                seen_other = at


def stars_on_a_line(
    scores: np.ndarray,
    treated: np.ndarray,
    starts: np.ndarray,
    width: float,
    sets: np.ndarray,
) -> None:
    """Fill `sets` with the place of each unit's centre: the one that all others of its set touch.

    Units of one arm that stand side by side are a run. Best links join neighbouring runs only:
    one that passes over a run could be cut in two shorter ones. In each run a first part is
    linked to the run before and the rest to the run after. Between two runs, of `s` units that
    look right and `b` that look left as many as possible make pairs, in the order of the score,
    and the others go to the nearest unit across. So the cost is that of reaching the gap, plus
    the gap times the links, and the links are max(s, b), or more where the caliper forbids pairs.
    How many look left is found run by run (dynamic programming), in time proportional to the
    units.

    Every unit must have somebody of the other arm within the caliper.

    Parameters
    ----------
    scores : ndarray of float, shape (m,)
        Rising within strata.
    treated : ndarray of bool, shape (m,)
    starts : ndarray of int, shape (strata + 1,)
        Where each stratum begins.
    width : float
        Caliper.
    sets : ndarray of int, shape (m,)
        Filled.
    """
    size = scores.shape[0]
    # Runs: where each begins, and whether it is the first of its stratum.
    begins = np.empty(size + 1, np.int64)
    opening = np.zeros(size + 1, np.bool_)
    runs = 0
    for stratum in range(starts.shape[0] - 1):
        for at in range(starts[stratum], starts[stratum + 1]):
            head = at == starts[stratum]
            if head or treated[at] != treated[at - 1]:
                begins[runs], opening[runs] = at, head
                runs += 1
    begins[runs], opening[runs] = size, True
    # By run and number of its units that look left (a run of m has m + 1 entries): least cost so
    # far, how many of the run before look right, and the most pairs the caliper leaves.
    least = np.empty(size + runs)
    looks = np.zeros(size + runs, np.int64)
    at_most = np.zeros(size + runs, np.int64)
    right = np.empty(size + 1)
    low = np.empty(size + 1, np.int64)
    high = np.empty(size + 1, np.int64)
    for run in range(runs):
        first, last = begins[run], begins[run + 1]
        count, base = last - first, begins[run] + run
        # What it costs to reach the gap on either side: first those that look right.
        total = 0.0
        least[base + count] = 0.0
        for at in range(last - 1, first - 1, -1):
            total += scores[last - 1] - scores[at]
            least[base + at - first] = total
        total = 0.0
        for at in range(first, last):
            total += scores[at] - scores[first]
            least[base + at - first + 1] += total
        if opening[run]:
            for left in range(1, count + 1):
                least[base + left] = np.inf
            continue
        start, below = begins[run - 1], begins[run - 1] + run - 1
        before = first - start
        gap = scores[first] - scores[first - 1]
        most = 0
        while most < before and scores[first] - scores[first - 1 - most] <= width:
            most += 1
        # Costs of the run before by how many look right, and the best up to and from each number.
        for looking in range(most + 1):
            right[looking] = least[below + before - looking]
            low[looking] = looking
            if looking > 0 and right[low[looking - 1]] < right[looking]:
                low[looking] = low[looking - 1]
        for looking in range(most, -1, -1):
            high[looking] = looking
            if looking < most:
                later = high[looking + 1]
                if right[later] + gap * (later - looking) < right[looking]:
                    high[looking] = later
        smallest = np.inf
        pairs, reach = before, before
        for left in range(count + 1):
            entry = base + left
            if left > 0:
                mine = scores[first + left - 1]
                if mine - scores[first - 1] > width:
                    for further in range(left, count + 1):
                        least[base + further] = np.inf
                    break
                while mine - scores[first - reach] > width:
                    reach -= 1
                pairs = min(pairs, left - 1 + reach)
            paired = min(left, pairs, most)
            at_most[entry] = paired
            some, more = low[paired], high[paired]
            looks[entry] = some
            cheapest = right[some]
            if right[more] + gap * (more - paired) < cheapest:
                looks[entry] = more
                cheapest = right[more] + gap * (more - paired)
            least[entry] += gap * left + cheapest
            smallest = min(smallest, least[entry])
        # Only differences matter; small numbers keep their last digits.
        for left in range(count + 1):
            least[base + left] -= smallest
    # Back from the last run of each stratum, whose units all look left, writing the links down.
    ones = np.empty(size, np.int64)
    others = np.empty(size, np.int64)
    links = 0
    left = 0
    for run in range(runs - 1, -1, -1):
        if opening[run + 1]:
            left = begins[run + 1] - begins[run]
        if opening[run]:
            continue
        first, entry = begins[run], begins[run] + run + left
        looking = looks[entry]
        paired = min(left, looking, at_most[entry])
        for rank in range(looking):
            ones[links] = first - looking + rank
            others[links] = first + max(0, rank - (looking - paired))
            links += 1
        for rank in range(paired, left):
            ones[links], others[links] = first - 1, first + rank
            links += 1
        left = first - begins[run - 1] - looking
    # Links of no length may be one too many: drop those whose two ends have others.
    degree = np.zeros(size, np.int64)
    for link in range(links):
        degree[ones[link]] += 1
        degree[others[link]] += 1
    for link in range(links):
        one, other = ones[link], others[link]
        if degree[one] > 1 and degree[other] > 1:
            degree[one] -= 1
            degree[other] -= 1
            ones[link] = -1
    for link in range(links):
        one, other = ones[link], others[link]
        if one >= 0:
            centre = other if degree[other] > 1 else one
            sets[one], sets[other] = centre, centre


# Optimal pair matching on a score: as many pairs as can be, at the least total distance.


def optimal_pairs(
    distance: np.ndarray,
    treated: np.ndarray,
    strata: np.ndarray | None = None,
    ratio: int = 1,
    caliper: float | None = None,
    unit: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Pair treated and comparison units at the least total distance, without replacement.

    The answer is exact: of all matchings that match the most treated units, one with the least sum
    of absolute differences. Sorting aside, the work grows in proportion to the units.

    Parameters
    ----------
    distance : ndarray of float, shape (n,)
        The score that pairs should agree on.
    treated : ndarray of bool, shape (n,)
        Who was treated.
    strata : ndarray of int, optional, shape (n,)
        Codes from 0; pairs are made within.
    ratio : int, default 1
        Comparison units wanted for each treated unit. Where there are enough, each gets as many
        at the least total. Where there are too few within reach, as many treated as possible get
        one, then of those as many as possible another (see the notes).
    caliper : float, optional
        Largest distance of a pair, in the units of the score; the bound is allowed.
    unit : ndarray, optional, shape (n,)
        Identifiers; they decide between equal scores, so that the order of rows does not.

    Returns
    -------
    treated_rows, control_rows : ndarray of int, shape (pairs,)
        Rows of each pair, in order of the treated row.

    Notes
    -----
    The least total belongs to many matchings: two pairs that lie inside one another can be
    swapped for two that overlap. Here pairs follow the order of the scores, which of all of them
    has the smallest largest distance.

    With a ratio above 1 and too few comparison units, a matching with the most pairs would leave
    treated units out so that others get several. If it does, matches are shared out in rounds
    instead, as in nearest-neighbour matching; the total is the least for the numbers shared out,
    which are not themselves chosen to make it small.

    References
    ----------
    Rosenbaum (1989), Optimal matching for observational studies, JASA 84. On a line: Karp and Li
    (1975), Two special cases of the assignment problem, Discrete Mathematics 13.

    Examples
    --------
    >>> score = np.array([0.4, 0.5, 0.45, 0.1])
    >>> arm = np.array([True, True, False, False])
    >>> rows, matches = optimal_pairs(score, arm)
    >>> rows.tolist(), matches.tolist()
    ([0, 1], [3, 2])
    """
    if ratio < 1 or ratio != int(ratio):
        raise ParameterError(f"ratio is a whole number of at least 1, not {ratio!r}.")
    size = len(distance)
    if not size:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    line = sorted_arm(np.arange(size), np.asarray(distance, dtype=float), strata, unit)
    arms = treated[line.rows]
    width = np.inf if caliper is None else float(caliper)
    own, matches = _least(line, arms, np.where(arms, int(ratio), 1), width)
    if ratio > 1 and len(own) < ratio * np.count_nonzero(arms):
        shares = _shared_out(line, arms, int(ratio), width)
        if np.count_nonzero(shares[arms]) > len(np.unique(own)):
            own, matches = _least(line, arms, shares, width)
    rows, others = line.rows[own], line.rows[matches]
    order = np.lexsort((np.abs(line.scores[own] - line.scores[matches]), rows))
    return rows[order], others[order]


def _least(
    line: Arm, arms: np.ndarray, copies: np.ndarray, width: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return places of the pairs, where units stand as often as they may be matched."""
    ends = np.concatenate([[0], np.cumsum(copies)])
    places = np.repeat(np.arange(len(arms)), copies)
    most = int(min(copies[arms].sum(), copies[~arms].sum()))
    own, matches = np.empty(most, dtype=np.int64), np.empty(most, dtype=np.int64)
    found = for_size(pairs_on_a_line, len(arms))(
        line.scores[places], arms[places], ends[line.starts], width, own, matches
    )
    return places[own[:found]], places[matches[:found]]


def _shared_out(line: Arm, arms: np.ndarray, ratio: int, width: float) -> np.ndarray:
    """Return how many matches each unit may have: as many as it got in rounds of one each."""
    shares = np.where(arms, 0, 1)
    still = np.ones(len(arms), dtype=np.int64)
    for _ in range(ratio):
        own, matches = _least(line, arms, still, width)
        shares[own] += 1
        still[arms] = 0
        still[own], still[matches] = 1, 0
    return shares


# Optimal full matching on a score: everybody in a set, at the least total distance.


def full_sets(
    distance: np.ndarray,
    treated: np.ndarray,
    strata: np.ndarray | None = None,
    caliper: float | None = None,
    unit: np.ndarray | None = None,
) -> np.ndarray:
    """Put everybody in a matched set of one treated unit or one comparison unit.

    The answer is exact: the sum of absolute differences between the one and the others, over all
    sets, is the least there is. Sorting aside, the work grows in proportion to the units.

    Parameters
    ----------
    distance, treated, strata, unit
        As in `optimal_pairs`.
    caliper : float, optional
        Largest distance between the one and the others of a set, in the units of the score; the
        bound is allowed. Those with nobody of the other arm within it are in no set.

    Returns
    -------
    ndarray of int, shape (n,)
        Each unit's set, from 0 in order of strata and scores; -1 for those in none.

    References
    ----------
    Rosenbaum (1991), A characterization of optimal designs for observational studies, JRSS B 53:
    full matching is best. Hansen and Klopfer (2006), Optimal full matching and related designs via
    network flows, JCGS 15. On a line: Colannino et al. (2007), Efficient many-to-many point
    matching in one dimension, Graphs and Combinatorics 23.

    Examples
    --------
    >>> score = np.array([0.10, 0.12, 0.11, 0.80, 0.90])
    >>> full_sets(score, np.array([True, False, False, True, False])).tolist()
    [0, 0, 0, 1, 1]
    """
    size = len(distance)
    sets = np.full(size, -1, dtype=np.int64)
    if not size:
        return sets
    line = sorted_arm(np.arange(size), np.asarray(distance, dtype=float), strata, unit)
    arms = treated[line.rows]
    width = np.inf if caliper is None else float(caliper)
    apart = np.empty(size)
    for_size(nearest_other, size)(line.scores, arms, line.starts, apart)
    inside = np.isfinite(apart) & (apart <= width)
    before = np.concatenate([[0], np.cumsum(inside)])
    found = np.full(int(before[-1]), -1, dtype=np.int64)
    for_size(stars_on_a_line, size)(
        line.scores[inside], arms[inside], before[line.starts], width, found
    )
    # Centres are numbered in order of place, which the order of rows does not change.
    centres = np.zeros(len(found), dtype=bool)
    centres[found] = True
    sets[line.rows[inside]] = (np.cumsum(centres) - 1)[found]
    return sets
