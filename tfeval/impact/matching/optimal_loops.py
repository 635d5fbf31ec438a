"""The loop of optimal pair matching on a line, over sorted scores; compiled for large studies."""
# ruff: noqa: PLR0912, PLR0915, PLR0917, C901

from __future__ import annotations

import numpy as np


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
