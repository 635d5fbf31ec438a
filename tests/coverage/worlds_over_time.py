"""Worlds for designs over time: all assumptions hold, or one is broken.

Each function draws once and returns what a design takes, with the truth. Where nothing is broken,
outcomes without the programme have a standard deviation of 1 over units in any one period.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tfeval.impact.panel.panel import Panel

OUTCOME = "y"
#: Standard deviations of lasting differences between units, and of what comes and goes.
LASTING, PASSING = 0.8, 0.6
#: Cells with an outcome below this are suppressed, where they are: one in five.
SUPPRESSED_BELOW = -0.84


@dataclass(frozen=True)
class Drawn:
    """What a design takes, and the effect that it should find."""

    data: Any
    truth: float


def passing(rng: np.random.Generator, units: int, times: int, stay: float = 0.5) -> np.ndarray:
    """Return shocks that fade, of variance 1, shape (units, times)."""
    held = rng.normal(size=(units, times))
    for time in range(1, times):
        held[:, time] = stay * held[:, time - 1] + np.sqrt(1 - stay**2) * held[:, time]
    return held


def panel(values: np.ndarray, first_year: int, **fixed: Any) -> Panel:
    """Return a panel of one outcome."""
    units, times = values.shape
    return Panel(
        pd.RangeIndex(units), first_year + np.arange(times), {OUTCOME: values},
        pd.DataFrame(fixed, index=pd.RangeIndex(units)), simulated=True,
    )  # fmt: skip


# ------------------------------------------------------------------ areas by a dose

DOSE = {"base": 2012, "post": (2013, 2014, 2015, 2016)}
SLOPE = 0.2


def doses(
    rng: np.random.Generator, *, trend: float = 0.0, step: float = 0.0, early: float = 0.0,
    gain: float = 0.0, spread: float = 0.0, spill: float = 0.0, suppressed: bool = False,
    clusters: int = 0,
) -> Drawn:  # fmt: skip
    """Draw 120 areas over 2009 to 2016, all with some of the programme from 2013 on.

    The dose has mean 2 and standard deviation 1. The truth is the mean over areas of what one more
    of it does. Broken: `trend` a year by the dose, from the first year on; a `step` by the dose in
    2013; part of the effect in 2012 already (`early`); effects of a unit that are larger by `gain`
    with each of its doses; noise that grows with the dose to the power `spread`; areas of a low
    dose that have part (`spill`) of what a mean dose does; low outcomes `suppressed`; doses and
    shocks shared in `clusters`.
    """
    units = 120
    years = 2009 + np.arange(8)
    codes = np.arange(units) % (clusters or units)
    dose = rng.gamma(4.0, 0.5, size=clusters or units)[codes]
    level = 0.5 * (dose - 2) + np.sqrt(0.75) * rng.normal(size=units)
    shocks = passing(rng, units, 8)
    if clusters:
        shocks = np.sqrt(0.5) * (shocks + passing(rng, clusters, 8)[codes])
    if spread:
        scale = dose**spread
        shocks *= (scale / np.sqrt((scale**2).mean()))[:, None]
    values = LASTING * level[:, None] + PASSING * shocks + 0.1 * passing(rng, 1, 8)
    after = years > DOSE["base"]
    effect = SLOPE + gain * (dose - 2)
    values += np.outer(effect * dose, after + early * (years == DOSE["base"]))
    values += np.outer(dose, trend * (years - years[0]) + step * after)
    values += np.outer((dose < np.median(dose)) * spill * SLOPE * 2, after)
    if suppressed:
        values[values < SUPPRESSED_BELOW] = np.nan
    return Drawn(panel(values, 2009, dose=dose, cluster=codes), float(effect.mean()))


# ------------------------------------------------------------------ staggered entry

GROUPS = {2011: 45, 2014: 45, 0: 30}


def entrants(
    rng: np.random.Generator, *, alike: bool = True, trend: float = 0.0, step: float = 0.0,
    early: float = 0.0, dip: float = 0.0, spill: float = 0.0, suppressed: bool = False,
    clusters: int = 0,
) -> Drawn:  # fmt: skip
    """Draw 120 units over 2008 to 2017: 45 treated from 2011 on, 45 from 2014 on, 30 never.

    The truth is the mean effect over the treated units and years. Effects are 0.5, or, if not
    `alike`, 0.25 a year longer for the first group and a fifth of that for the second. Broken: the
    first group has a `trend` a year and the second half of it; a `step` when treatment begins;
    part of the effect a year `early`; a passing shock (`dip`) in the year before; who is not
    treated has part (`spill`) of 0.5 from 2011 on; low outcomes `suppressed`; shocks shared in
    `clusters` that join together.
    """
    first = np.repeat(list(GROUPS), list(GROUPS.values())).astype(float)
    first[first == 0] = np.nan
    units, years = len(first), 2008 + np.arange(10)
    level, shocks = rng.normal(size=units), passing(rng, units, 10)
    codes = np.arange(units)
    if clusters:  # as many units of every group in each of its clusters
        codes = np.arange(units) * clusters // units
        shocks = np.sqrt(0.5) * (shocks + passing(rng, clusters, 10)[codes])
    values = LASTING * level[:, None] + PASSING * shocks + 0.1 * passing(rng, 1, 10)
    since = years - first[:, None]
    on = since >= 0
    size = np.full(on.shape, 0.5)
    if not alike:
        size = np.where(first == 2011, 0.25, 0.05)[:, None] * (since + 1)
    values += np.where(on, size, 0.0)
    values += np.where(since == -1, early * 0.5 + dip, 0.0) + np.where(on, step, 0.0)
    pace = np.where(first == 2011, 1.0, np.where(first == 2014, 0.5, 0.0))
    values += trend * np.outer(pace, years - years[0])
    values += np.where(~on & (years >= 2011), spill * 0.5, 0.0)
    if suppressed:
        values[values < SUPPRESSED_BELOW] = np.nan
    return Drawn(panel(values, 2008, first=first, cluster=codes), float(size[on].mean()))


# ------------------------------------------------------------------ a few treated areas

AREA_EFFECT = 0.6
#: Areas differ more lastingly than units elsewhere; their noise beside a strong factor is less.
AREA_LASTING, AREA_PASSING, BESIDE_FACTOR = 0.9, 0.436, 0.2


def areas(
    rng: np.random.Generator, *, treated: int = 4, factor: float = 0.0, load: float = 0.0,
    above: float = 0.0, step: float = 0.0, early: float = 0.0, spill: float = 0.0,
    louder: float = 1.0, suppressed: bool = False,
) -> Drawn:  # fmt: skip
    """Draw 30 areas over 2001 to 2016, four of them treated from 2013 on.

    Broken: a common `factor` that rises unevenly and to which areas respond differently, the
    treated by `load` more on average; treated areas that stand `above` all others; a `step` in
    the treated in 2013; part of the effect in 2011 and 2012 (`early`); a third of the comparison
    areas with part (`spill`) of it; treated areas whose shocks are so many times `louder`; low
    outcomes `suppressed`.
    """
    units, years = 30, 2001 + np.arange(16)
    is_treated = np.arange(units) < treated
    level, shocks = rng.normal(size=units), passing(rng, units, 16, 0.3)
    scale = np.where(is_treated, louder, 1.0) * (BESIDE_FACTOR if factor else AREA_PASSING)
    values = AREA_LASTING * level[:, None] + scale[:, None] * shocks + 0.1 * passing(rng, 1, 16)
    after = years >= 2013
    if factor:
        loading = np.where(is_treated, load, 0.0) + rng.uniform(-1, 1, size=units)
        path = (years - 2008) / 8 + 0.4 * np.sin((years - 2001) / 2)
        values += factor * np.outer(loading, path)
    values[is_treated] += above
    values += np.outer(is_treated, after * (AREA_EFFECT + step))
    values += np.outer(is_treated, np.isin(years, (2011, 2012)) * early * AREA_EFFECT)
    near = ~is_treated & (np.arange(units) % 3 == 0)
    values += np.outer(near, after * spill * AREA_EFFECT)
    if suppressed:
        values[values < 2 * SUPPRESSED_BELOW] = np.nan  # whole areas go
    return Drawn(panel(values, 2001, treated=is_treated), AREA_EFFECT)


# ------------------------------------------------------------------ a threshold

JUMP = 0.5


def scored(
    rng: np.random.Generator, *, units: int = 1600, moved: float = 0.0, other: float = 0.0,
    rule: float = 0.0, wave: float = 0.0, spill: float = 0.0, suppressed: bool = False,
) -> Drawn:  # fmt: skip
    """Draw 1,600 units with a score from -1 to 1, treated from 0 on.

    Broken: of those worse off just below, a share is `moved` above; a covariate that jumps by
    `other`, and with it something unrecorded; another `rule` at the same cutoff; a `wave` in the
    outcome's mean; part of the effect just below (`spill`); low outcomes `suppressed`.
    """
    score, rest, z = rng.uniform(-1, 1, size=units), rng.normal(size=units), rng.normal(size=units)
    if moved:
        near = (score > -0.2) & (score < 0) & (rest < 0) & (rng.random(units) < moved)
        score[near] = rng.uniform(0, 0.1, size=near.sum())
    on = score >= 0
    z += other * on
    values = 0.6 * score + 0.4 * (z + other * on) + 0.85 * rest + wave * np.sin(5 * score)
    values += (JUMP + rule) * on + spill * JUMP * ((score > -0.3) & ~on)
    if suppressed:
        values[values < SUPPRESSED_BELOW] = np.nan
    return Drawn(pd.DataFrame({"running": score, "z": z, OUTCOME: values}), JUMP)


def counted(
    rng: np.random.Generator, *, slope: float = 0.0, bend: float = 0.0, moved: float = 0.0,
    other: float = 0.0, rule: float = 0.0,
) -> Drawn:  # fmt: skip
    """Draw 1,200 families that meet 0 to 6 criteria, treated from 3 on.

    Broken, or not, as the design has it: the outcome rises by `slope` for each criterion and bends
    by `bend` (its second derivative, of one sign below and the other above); of those worse off
    with 2 criteria a share is `moved` to 3; a covariate that jumps by `other`, and with it
    something unrecorded; another `rule`.
    """
    units = 1200
    held, rest, z = rng.integers(0, 7, size=units), rng.normal(size=units), rng.normal(size=units)
    if moved:
        held[(held == 2) & (rest < 0) & (rng.random(units) < moved)] = 3
    on = held >= 3
    z = z + other * on
    apart = held - 3.0
    values = 0.4 * (z + other * on) + np.sqrt(0.84) * rest + slope * apart
    values += np.where(on, 0.5, -0.5) * bend * apart**2 + (JUMP + rule) * on
    return Drawn(pd.DataFrame({"running": held, "z": z, OUTCOME: values}), JUMP)


# ------------------------------------------------------------------ months of support

MONTH = -0.15


def supported(
    rng: np.random.Generator, *, hidden: float = 0.0, bent: float = 0.0, leaves: float = 0.0,
    gain: float = 0.0, suppressed: bool = False, clusters: int = 0,
) -> Drawn:  # fmt: skip
    """Draw 600 supported families with three needs recorded before, and months of support.

    The truth is the mean over families of what one more month does. Broken: a need that is not
    recorded (`hidden`, as strong as a recorded one at 1); needs that act along a curve (`bent`);
    families that `leave` early because they do well; months that go where each does more (`gain`);
    low outcomes `suppressed`; practice and shocks shared in `clusters`.
    """
    units = 600
    needs, unseen = rng.normal(size=(units, 3)), rng.normal(size=units)
    rest, codes = rng.normal(size=units), np.arange(units) % (clusters or units)
    dose = 6 + 0.4 * needs.sum(axis=1) + 0.4 * hidden * unseen + 1.5 * rng.normal(size=units)
    values = 0.2 * needs.sum(axis=1) + 0.2 * hidden * unseen + 0.94 * rest
    if bent:
        curve = (needs[:, 0] ** 2 - 1) / np.sqrt(2)
        dose, values = dose + bent * curve, values + bent * curve
    if clusters:
        dose = dose + rng.normal(size=clusters)[codes]
        values = values + 0.3 * rng.normal(size=clusters)[codes]
    dose = dose + leaves * rest  # fewer months where the outcome, a harm, is low
    effect = MONTH + gain * (dose - dose.mean())
    values = values + effect * dose - 6 * MONTH
    if suppressed:
        values[values < SUPPRESSED_BELOW] = np.nan
    frame = pd.DataFrame(needs, columns=["need_1", "need_2", "need_3"])
    return Drawn(
        frame.assign(months=dose, cluster=codes, **{OUTCOME: values}), float(effect.mean())
    )
