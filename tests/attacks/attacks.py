"""What somebody with what was published can work out; written from the outside, without tfeval."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
from scipy.optimize import linprog


def by_area(lines: Iterable, number: str) -> dict:
    return {line.area: line for line in lines if line.number == number}


def one_integer(low: float, high: float) -> int | None:
    """Return the only whole number between two ends, if there is one alone."""
    first, last = np.ceil(low - 1e-9), np.floor(high + 1e-9)
    return int(first) if first == last else None


def two_shares_of_one_total(lines: list) -> list[str]:
    """A hidden part is the difference of two shares times families, which the shares betray."""
    size, found = by_area(lines, "families"), []
    whole, part = by_area(lines, "share:either"), by_area(lines, "share:behaviour")
    for area, hidden in by_area(lines, "employment").items():
        if hidden.shown or area not in whole or area not in part or not size[area].shown:
            continue
        fits = set()
        for n in range(int(np.ceil(size[area].low)), int(size[area].high) + 1):
            counts = [one_integer(line.low * n, line.high * n)
                      for line in (whole[area], part[area])]  # fmt: skip
            if None not in counts:
                fits.add(counts[0] - counts[1])
        if len(fits) == 1 and fits == {hidden.truth}:
            found.append(area)
    return found


def families_from_means(lines: list) -> list[str]:
    """A mean of whole numbers is a fraction, whose denominator only one size fits."""
    size, found = by_area(lines, "families"), []
    for area, mean in by_area(lines, "mean:offences").items():
        if not (mean.shown and size[area].shown):
            continue
        low, high = int(np.ceil(size[area].low)), int(size[area].high)
        fits = [n for n in range(low, high + 1)
                if np.ceil(mean.low * n - 1e-9) <= mean.high * n + 1e-9]  # fmt: skip
        if fits == [size[area].truth]:
            found.append(area)
    return found


def difference_of_two(first: list, second: list, sizes: tuple[int, int]) -> float | None:
    """Return the sum over the families between two populations, where one whole number fits."""
    (a,), (b,) = (by_area(lines, "mean:offences").values() for lines in (first, second))
    if not (a.shown and b.shown):
        return None
    small, large = sizes
    return one_integer(large * b.low - small * a.high, large * b.high - small * a.low)


def region_less_shown(lines: list) -> list[str]:
    """The one hidden mean of a region is what the region's sum leaves."""
    means, found = by_area(lines, "mean:offences"), []
    for region, whole in means.items():
        inside = [line for line in means.values() if line.parent == region]
        hidden = [line for line in inside if not line.shown]
        if len(hidden) != 1 or not whole.shown:
            continue
        own = hidden[0]
        low = whole.n * whole.low - sum(line.n * line.high for line in inside if line.shown)
        high = whole.n * whole.high - sum(line.n * line.low for line in inside if line.shown)
        # Who works a sum out to within one offence has it.
        if one_integer(low, high) == round(own.truth * own.n):
            found.append(own.area)
    return found


def _programme(
    lines: list, numbers: tuple[str, ...], within: dict[str, str]
) -> tuple[list, dict[str, np.ndarray]]:  # fmt: skip
    """Return the counts that a reader reckons with, and what holds between them."""
    held = [line for line in lines if line.kind == "count" and line.number in numbers]
    place = {(line.area, line.number): at for at, line in enumerate(held)}
    equal, less, by = [], [], []

    def row(**signs: list[tuple[str, str]]) -> np.ndarray:
        made = np.zeros(len(held))
        for sign, cells in signs.items():
            made[[place[one] for one in cells]] = 1.0 if sign == "more" else -1.0
        return made

    for number in numbers:
        own = by_area(held, number)
        for area in own:
            inside = [(one.area, number) for one in own.values() if one.parent == area]
            equal += [row(more=[(area, number)], less=inside)] * bool(inside)
    for line in held:
        guarded = line.shown and not line.number.startswith("known")
        for name, at_least in ((line.base, 10.0 * guarded), (within.get(line.number), 0.0)):
            if (line.area, name) in place:
                less.append(row(more=[(line.area, line.number)], less=[(line.area, name)]))
                by.append(-at_least)
    for area in by_area(held, "either"):
        kinds = [(area, kind) for kind in ("behaviour", "employment")]
        equal.append(row(more=[(area, "either")], less=kinds))
    means = {(line.area, f"with{line.number[4:]}") for line in lines
             if line.kind == "mean" and line.shown}  # fmt: skip
    bounds = [(max(np.ceil(line.low), 10.0), np.floor(line.high)) if line.shown
              else (10 * ((line.area, line.number) in means), None) for line in held]  # fmt: skip
    return held, {"A_ub": np.array(less), "b_ub": np.array(by), "A_eq": np.array(equal),
                  "b_eq": np.zeros(len(equal)), "bounds": bounds}  # fmt: skip


def programming(
    lines: list, width: float = 10.0, *, within: dict[str, str] | None = None,
    numbers: tuple[str, ...] = ("families", "either", "behaviour", "employment"),
) -> tuple[int, int]:  # fmt: skip
    """Return how many hidden counts of 1 to 9 are found to less than `width`, and how many are.

    Every area is the sum of those in it, a result that of its kinds, a part no more than its
    whole, also of another chapter (`within`); what is shown lies in its interval and is ten or
    more, and where a mean is shown ten have the outcome.
    """
    held, known = _programme(lines, numbers, within or {})
    hidden = [at for at, line in enumerate(held) if not line.shown and 0 < line.truth < 10]
    narrow = 0
    for at in hidden:
        ends = []
        for sign in (1.0, -1.0):
            cost = np.zeros(len(held))
            cost[at] = sign
            done = linprog(cost, **known)
            if done.status == 2:  # nearly the same families have one number, and do not add up
                break
            ends.append(np.inf if done.status == 3 else sign * done.fun)
        if len(ends) == 2 and ends[0] - 1e-6 <= held[at].truth <= ends[1] + 1e-6:
            narrow += ends[1] - ends[0] < width - 1e-4
    return narrow, len(hidden)


def areas_without(lines: list) -> set[str]:
    """Areas that a table has no row of: nobody is there, exactly, where few are in a hidden row."""
    numbers = [line for line in lines if line.number == "families"]
    # Codes run from nought on.
    codes = {f"E{one:08d}" for one in range(152)}
    return codes - {line.area for line in numbers}


def means_that_are_not_there(lines: list) -> set[str]:
    """Areas whose families are shown, and no mean beside them: nobody had more than one."""
    size, mean = by_area(lines, "families"), by_area(lines, "mean:offences")
    return {area for area, line in size.items() if line.shown} - set(mean)


def drawn(svg: str) -> list[float]:
    """Read the lengths of bars from a drawing's coordinates, by its ticks."""
    ticks = re.findall(r'<text x="([\d.]+)"[^>]*text-anchor="middle"[^>]*>([\d,]+)<', svg)
    (first, zero), (last, top) = [(float(x), float(said.replace(",", "")))
                                  for x, said in (ticks[0], ticks[-1])]  # fmt: skip
    bars = re.findall(r'd="M([\d.]+) [\d.]+L([\d.]+) [^"]*" fill="#12436d"', svg)
    return [(float(end) - float(begin)) * (top - zero) / (last - first) for begin, end in bars]
