"""The cells of the chapters that read linked records: what a release may be made from."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tfeval.cohort.results import results_tests
from tfeval.errors import TfevalError
from tfeval.impact.design.design import Design
from tfeval.impact.effects.estimate import estimate
from tfeval.impact.means.estimates import Estimates, estimates_of
from tfeval.impact.means.methods import METHODS
from tfeval.impact.means.outcomes import aligned, populations
from tfeval.programme.programmes import programmes
from tfeval.programme.published import published
from tfeval.report.cells import (
    CAPPED,
    ENGLAND,
    FEW,
    Cells,
    Maker,
    keep_cells,
    least_of,
    more_than_one,
    most,
    moved_by,
    tenth,
)
from tfeval.report.chapters.families import Families
from tfeval.report.chapters.group_cells import (
    ARMS,
    add_attached,
    add_balance,
    add_base_rates,
    add_counts,
    add_mean,
    unit_of,
)
from tfeval.report.chapters.impact import (
    Analysis,
    known_enough,
    outcomes_recorded,
    primary_outcomes,
)
from tfeval.report.subject import Subject


def regions() -> dict[str, str]:
    """Return the region of each authority, by ONS code."""
    frame = published("local_authorities")
    return dict(zip(frame["code"], frame["region"], strict=True))


def keep_families(families: Families) -> None:
    """Keep the cells of chapter 2 beside its page: families by arm and area, and their results."""
    keep_cells(lambda: families_cells(families))


def families_cells(families: Families) -> Cells:
    """Return the cells of chapter 2: of all authorities, whichever the page shows.

    Parameters
    ----------
    families : Families
    """
    settings = families.cohort.settings
    months = settings.horizons[-1]
    frame = families.cohort.to_pandas()
    followed = families.cohort.followed(months).to_numpy(dtype=bool)
    frame = frame[followed].reset_index(drop=True)
    maker = Maker(frame["family_id"], frame["local_authority"], regions())
    treated = frame["treated"].to_numpy() == 1
    rules = programmes()[settings.phase]
    met = _results(families, months, frame)
    for level, area, parent, inside in maker.areas:
        place: dict[str, Any] = {"level": level, "area": area, "parent": parent, "months": months}
        for arm, which in ARMS.items():
            own = inside & (treated == which)
            maker.count(own, number="families", arm=arm, **place)
            for name in met:
                known = own & met[name].notna().to_numpy()
                maker.count(known, number=f"judged:{name}", arm=arm, base="families", **place)
                total = rules.result.name
                maker.count(known & (met[name].to_numpy() == 1), known, number=f"result:{name}",
                            arm=arm, base=f"judged:{name}", outcome=name,
                            within="" if name == total else f"result:{total}", **place)  # fmt: skip
    own = families.cohort.to_pandas()[followed].index
    when = {"before": families.cohort.baseline().loc[own],
            "after": families.cohort.outcomes(months).loc[own]}  # fmt: skip
    add_base_rates(maker, when, treated, months)
    add_attached(maker, frame["index_on"], treated, rules, months)
    about = {"phase": settings.phase, "comparison": settings.comparison, "horizon": months}
    return maker.made(notebook="02_families_and_data", parameters=about,
                      simulated=families.records.simulated)  # fmt: skip


def _results(families: Families, months: int, frame: pd.DataFrame) -> pd.DataFrame:
    rules = programmes()[families.cohort.settings.phase].result
    try:
        tests = results_tests(families.records, families.cohort, months).set_index("unit")
    except TfevalError:  # without the tables that they look at there are none
        return pd.DataFrame(index=frame.index)
    names = [name for name in (rules.name, rules.behaviour, rules.employment) if name in tests]
    return tests.loc[frame["unit"], names].reset_index(drop=True)


def keep_impact(analysis: Analysis) -> None:
    """Keep the cells of chapter 4 beside its page."""
    keep_cells(lambda: analysis.kept(impact_cells))


def impact_cells(analysis: Analysis) -> Cells:
    """Return the cells of chapter 4: families, means and effects in England; by area the primary.

    Parameters
    ----------
    analysis : Analysis

    Notes
    -----
    How far families move an effect is the sum of their influences: exact for weighted means, to
    first order where a regression stands behind it, and with the design held, not made again.

    By area, values over the one that one in a hundred of those with the outcome exceed are taken
    for that one: there a few extreme families would set the unit. England's are as they are.
    """
    study, design = analysis.study, analysis.design
    frame = analysis.families.to_pandas().loc[study.index].reset_index(drop=True)
    maker = Maker(frame["family_id"], frame["local_authority"], regions())
    # Those too, of which few have a value: whether one has rows would say that there were nine.
    outcomes = outcomes_recorded(analysis.families, design, analysis.horizon, analysis.plan)
    primary = [str(name) for name in primary_outcomes(outcomes, analysis.plan)]
    kept = design.weights > 0
    caps = {name: cap_of(outcomes[name].to_numpy(dtype=float)[kept]) for name in primary}
    for level, area, parent, inside in maker.areas:
        place: dict[str, Any] = {"level": level, "area": area, "parent": parent,
                                 "months": analysis.horizon}  # fmt: skip
        for arm, which in ARMS.items():
            own = kept & (study.treated == which) & inside
            maker.count(own, number="compared", arm=arm, **place)
            for name in outcomes.columns if area == ENGLAND else primary:
                values = outcomes[name].to_numpy(dtype=float)
                cap = None if area == ENGLAND else caps[name]
                _add_outcome(maker, str(name), values, own, design, cap, arm=arm, **place)
    columns = analysis.families.columns
    every = frame[columns.loc[columns["timing"] == "before", "name"]]
    add_balance(maker, design, analysis.balance.to_frame(), analysis.horizon, every)
    possible = (
        analysis.families.outcomes(analysis.horizon).loc[study.index].get("sessions_possible")
    )
    if possible is not None:
        values = possible.to_numpy(dtype=float)
        add_mean(maker, values, ~np.isnan(values), "mean:sessions_possible", np.ones(len(values)),
                 name="sessions_possible", arm="both", level="england", area=ENGLAND,
                 months=analysis.horizon)  # fmt: skip
    _add_effects(maker, analysis, outcomes, "", analysis.specification.estimator)
    codes = frame["local_authority"].astype(str)
    for level, by in (("region", codes.map(regions()).fillna("")), ("authority", codes)):
        if primary:
            _add_effects(maker, analysis, outcomes[primary], level, "difference",
                         by.set_axis(study.index), caps)  # fmt: skip
    parameters = Subject.of(analysis.specification).parameters()
    return maker.made(notebook="04_impact", parameters=parameters, simulated=study.simulated)


def results_cells(
    analysis: Analysis, met: pd.Series, claimed: np.ndarray
) -> Cells:  # fmt: skip
    """Return the cells of chapter 6: who was put to the results tests and met them, of England.

    Parameters
    ----------
    analysis : Analysis
        Of the effect on having met the tests.
    met : Series
        Of the study's families: 1, 0, or missing where that cannot be judged.
    claimed : ndarray of bool
        For which of them a result was claimed.
    """
    study, design, name = analysis.study, analysis.design, str(met.name)
    frame = analysis.families.to_pandas().loc[study.index].reset_index(drop=True)
    maker = Maker(frame["family_id"], frame["local_authority"], regions())
    values, kept = met.to_numpy(dtype=float), design.weights > 0
    place: dict[str, Any] = {"level": "england", "area": ENGLAND, "parent": "",
                             "months": analysis.horizon}  # fmt: skip
    for arm, which in ARMS.items():
        own = kept & (study.treated == which)
        judged = own & ~np.isnan(values)
        maker.count(own, number="results_compared", arm=arm, **place)
        maker.count(judged, number=f"results_judged:{name}", arm=arm, base="results_compared",
                    **place)  # fmt: skip
        having = judged & (values == 1)
        maker.count(having, judged, number=f"results_met:{name}", arm=arm, outcome=name,
                    base=f"results_judged:{name}", **place)  # fmt: skip
        if which:
            maker.count(own & claimed, own, number="results_claimed", arm=arm, outcome="claimed",
                        base="results_compared", **place)  # fmt: skip
        _add_share(maker, values[judged], design.weights[judged], judged, outcome=name, arm=arm,
                   number=f"mean:results_met:{name}:{design.method}", **place)  # fmt: skip
    _add_effects(maker, analysis, met.to_frame(), "", analysis.specification.estimator,
                 word="results_effect")  # fmt: skip
    parameters = Subject.of(analysis.specification).parameters()
    return maker.made(notebook="06_claims_against_impact", parameters=parameters,
                      simulated=study.simulated)  # fmt: skip


def _add_share(
    maker: Maker, values: np.ndarray, weights: np.ndarray, judged: np.ndarray, **cell: Any
) -> None:  # fmt: skip
    """Add a weighted share: hidden where all but fewer than ten weigh alike, as counts say it."""
    cell |= {"kind": "mean", "unit": "share"}
    if not len(values):
        maker.none(**cell)
        return
    mean, moved = moved_by(values, weights)
    n, events = len(values), int(np.count_nonzero(values))
    unlike = n - int(np.unique(weights.round(9), return_counts=True)[1].max())
    maker.add(judged, value=mean, n=n, events=events, least=min(least_of(values), unlike),
              **moved, **cell)  # fmt: skip


@dataclass(frozen=True)
class Cap:
    """What values are cut down to, and what that would be with nine families more or less."""

    at: float
    low: float
    high: float

    def bites(self, values: np.ndarray) -> bool:
        """Tell whether any value is cut down."""
        return bool((values > self.at).any())

    def moved(self, values: np.ndarray, weights: np.ndarray) -> float:
        """Return how far a mean moves as the cap does."""
        return float(np.average(values.clip(max=self.high) - values.clip(max=self.low),
                                weights=weights))  # fmt: skip


def cap_of(values: np.ndarray) -> Cap | None:
    """Return the value that one in a hundred of those with an outcome exceed, and ten reach.

    Examples
    --------
    >>> cap_of(np.append(np.zeros(50), np.arange(1, 2001)))
    Cap(at=1981.0, low=1971.0, high=1991.0)
    """
    having = -np.sort(-values[values > 0])
    place = max(FEW, -(-len(having) // 100) - 1)
    if place >= len(having):
        return None
    near = (max(place - FEW - 1, 0), min(place + FEW + 1, len(having) - 1))
    return Cap(*(float(having[one]) for one in (place, near[1], near[0])))


def _add_outcome(  # noqa: PLR0917
    maker: Maker, name: str, values: np.ndarray, own: np.ndarray, design: Design,
    cap: Cap | None, **cell: Any,
) -> None:  # fmt: skip
    known, number, shifted = own & ~np.isnan(values), f"mean:{name}:{design.method}", 0.0
    add_counts(maker, values, own, name, "compared", name=name, **cell)
    number += _capped(cell["level"])
    if cap is not None and known.any():
        shifted = cap.moved(values[known], design.weights[known])
        values = values.clip(max=cap.at)
    add_mean(maker, values, known, number, design.weights, name=name, shifted=shifted, **cell)


def _capped(level: str) -> str:
    """Return what the name of a number ends in: by area all have a cap, whether it bites or not."""
    return CAPPED * (level != "england")


def _add_effects(  # noqa: PLR0917
    maker: Maker, analysis: Analysis, outcomes: pd.DataFrame, level: str, method: str,
    by: pd.Series | None = None, caps: Mapping[str, Cap | None] | None = None,
    word: str = "effect",
) -> None:  # fmt: skip
    design, raw = analysis.design, outcomes
    biting = {name: cap for name, cap in (caps or {}).items()
              if cap and cap.bites(outcomes[name].to_numpy(dtype=float))}  # fmt: skip
    outcomes = outcomes.assign(**{name: outcomes[name].clip(upper=cap.at)
                                  for name, cap in biting.items()})  # fmt: skip
    made: dict[tuple[str, str], dict[str, Any]] = {}
    every, outcomes = outcomes.columns, outcomes[known_enough(outcomes, design)]
    with suppress(TfevalError):  # no area has both arms, or no outcome enough families
        estimates = estimates_of(
            design, aligned(analysis.study, outcomes, analysis.horizon), populations(design, by),
            METHODS[method].means("linear", False), stacked=False,
        )  # fmt: skip
        effects = analysis.effects if by is None else estimate(
            design, outcomes, months=analysis.horizon, method=method, errors="robust", by=by
        )  # fmt: skip
        frame = effects.to_frame().set_index(["population", "outcome"])
        for place, row in enumerate(estimates.rows):
            key = (row["population"], row["outcome"])
            if key in frame.index and np.isfinite(frame.loc[key, "estimate"]):
                name = str(row["outcome"])
                cut = (biting.get(name), raw[name].to_numpy(dtype=float), outcomes[name].to_numpy())
                one = _effect(estimates, place, frame.loc[key], analysis, by is None, *cut)
                made[ENGLAND if by is None else str(row["population"]), name] = one
    for at, area, parent, _ in maker.areas:
        for name in map(str, every if at == (level or "england") else ()):
            number = f"{word}:{name}:{design.method}:{method}:{design.estimand}{_capped(at)}"
            cell: dict[str, Any] = {
                "kind": "effect", "number": number, "outcome": name, "months": analysis.horizon,
                "arm": "both", "level": at, "area": area, "parent": parent, "signed": True,
                "unit": unit_of(name) or "share",
            }  # fmt: skip
            if own := made.get((area, name)):
                maker.add(**own, **cell)
            else:
                known = raw[name].notna().to_numpy() & (design.weights > 0)
                maker.none(known if at == "england" else None, **cell)


def _effect(  # noqa: PLR0917
    estimates: Estimates, place: int, line: pd.Series, analysis: Analysis, england: bool,
    cap: Cap | None, raw: np.ndarray, values: np.ndarray,
) -> dict[str, Any]:  # fmt: skip
    """Return what a cell says of one effect, with whose it is and what moves it."""
    members, own_pulls, pulls = _pulls(estimates, place, analysis)
    error = float(line["std_error"])
    squares = _squares(pulls, analysis, members if england else None)
    left = max(error**2 - most(squares), 0.0) if np.isfinite(error) else np.nan
    least = []
    for which in ARMS.values():
        own = values[members[analysis.study.treated[members] == which]]
        own = own[~np.isnan(own)]
        least.append(least_of(own))
        # Two shares, whose counts are released: their difference would sharpen them.
        least += [] if england else [more_than_one(own)]
    shifted = sum(_shifted(cap, raw, members, which, analysis)
                  for which in ARMS.values()) if cap else 0.0  # fmt: skip
    return {
        "rows": members, "value": float(line["estimate"]), "error": error,
        "n": float(line["n_treated"]), "events": float(line["events_treated"]),
        "least": min(least), "largest": float(np.abs(own_pulls).max()),
        "drop": most(pulls) + shifted,
        "tenth": tenth(own_pulls) * (1 - FEW / max(len(own_pulls), FEW)),
        "error_drop": error - left**0.5,
    }  # fmt: skip


def _shifted(
    cap: Cap, values: np.ndarray, members: np.ndarray, which: bool, analysis: Analysis
) -> float:
    """Return how far one group's mean moves as the cap does."""
    rows = members[analysis.study.treated[members] == which]
    rows = rows[~np.isnan(values[rows])]
    weights = analysis.design.weights[rows]
    return cap.moved(values[rows], weights) if weights.sum() > 0 else 0.0


def _squares(pulls: np.ndarray, analysis: Analysis, members: np.ndarray | None) -> np.ndarray:
    """Return what leaving each out takes off the squared error; clustered if members are given."""
    if members is None:
        return pulls**2
    codes = analysis.families.to_pandas().loc[analysis.study.index[members], "local_authority"]
    _, place = np.unique(codes.astype(str), return_inverse=True)
    sums = np.bincount(place, weights=pulls)
    return 2 * np.abs(sums[place] * pulls) + pulls**2


def _pulls(
    estimates: Estimates, place: int, analysis: Analysis
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the units of an effect, what each contributes, and how far leaving it out moves it."""
    part = estimates.part[:, place]
    psi = estimates.psi_treated[:, place] - estimates.psi_comparison[:, place]
    moved = part & (psi != 0)
    members = np.flatnonzero(part)
    grown = np.ones(analysis.study.size)
    for which in ARMS.values():
        arm = moved & (analysis.study.treated == which)
        weights = analysis.design.weights[arm]
        share = most(weights) / weights.sum() if len(weights) else 0.0
        # What is left out takes its weight with it.
        grown[arm] = 1.0 / (1.0 - min(share, 0.5))
    return members, psi[members], (psi * grown)[members]
