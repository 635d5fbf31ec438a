"""Effects of a design where there should be none: placebos, trends before, negative controls."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtr, stdtrit  # scipy.stats takes a second to import

from tfeval.cohort.analysis_table import Cohort
from tfeval.cohort.columns import BASELINE_MONTHS, BEFORE, column_of
from tfeval.cohort.counting import outcomes_around
from tfeval.display.tables import THRESHOLD
from tfeval.errors import TfevalError
from tfeval.impact.design.design import Design
from tfeval.impact.effects.effects import Effects
from tfeval.impact.effects.estimate import estimate
from tfeval.impact.effects.words import hidden_rows
from tfeval.impact.study.study import study
from tfeval.programme.outcomes import OUTCOMES, is_more_better
from tfeval.records.store import Records

#: Columns of a test: an effect where there should be none. `why` says why there is no test.
COLUMNS = ("check", "outcome", "estimate", "std_error", "conf_low", "conf_high", "p_value",
           "freedom", "sd_comparison", "n_treated", "n_comparison", "events_treated",
           "events_comparison", "mean_treated", "mean_comparison", "status", "why")  # fmt: skip
#: Months of a point of the event study.
QUARTER = 3
_QUARTERS_BEFORE = BASELINE_MONTHS // QUARTER
#: Checks of an effect where there should be none: their p-values are one family.
OF_NONE = ("placebo_outcomes", "placebo_index_date", "trend_before", "negative_controls")
CHECKS = (*OF_NONE, "authorities", "contamination", "overlap", "censoring")
#: Why a check has its verdict.
REASONS = ("differs", "differs_earlier", "alike", "small", "no_power", "no_outcome",
           "no_records", "not_repeatable", "not_possible", "not_estimable", "too_few",
           "no_authorities", "few_authorities", "turns", "holds", "diluted",
           "not_diluted", "told_apart", "outside", "few_carry", "overlaps", "hardly_censored",
           "stays_not_mended", "stays_mended", "censored_differ", "censored_alike",
           "censored_small")  # fmt: skip
PASSED, FAILED, CANNOT = VERDICTS = ("passed", "failed", "cannot_be_judged")
#: A check's test of all its outcomes at once.
TOGETHER = "together"


@dataclass(frozen=True, eq=False)
class Asked:
    """A design and all that its checks read."""

    design: Design
    families: Cohort  # of whom the design is
    records: Records  # of which the cohort is
    months: int  # after the index date
    method: str  # of `estimate`
    outcomes: tuple[str, ...]  # whose effects are checked
    shift: int = 12  # months by which the placebo index date lies earlier
    cannot_move: tuple[str, ...] = ()  # outcomes that the programme cannot move

    @property
    def quarters(self) -> dict[str, tuple[int, int]]:
        """Months at which each quarter around the index date begins and ends, by name."""
        return {
            f"quarter {at}": (QUARTER * at, QUARTER * (at + 1))
            for at in range(-_QUARTERS_BEFORE, self.months // QUARTER)
        }

    @cached_property
    def around(self) -> pd.DataFrame:
        """Outcomes over windows around the index date, of the cohort, whatever became of it."""
        spans = {
            "earlier": (-2 * BASELINE_MONTHS, -BASELINE_MONTHS),
            "after": (0, self.months),
            **self.quarters,
        }
        if self.shift != BASELINE_MONTHS:
            spans["prior"] = (-self.shift - BASELINE_MONTHS, -self.shift)
            spans["between"] = (-self.shift, 0)
        return outcomes_around(self.families, self.records, spans, censored=False)

    def window(self, name: str) -> pd.DataFrame:
        """Return the outcomes over one window, of the study's units."""
        if self.shift == BASELINE_MONTHS:  # these two are then counted already
            if name == "between":
                return self.families.baseline().loc[self.design.study.index]
            name = "earlier" if name == "prior" else name
        return pd.DataFrame(self.around[name]).loc[self.design.study.index]

    @property
    def by_date(self) -> list[str]:
        """Outcomes that are known by the day: what is counted by school term is not."""
        return [name for name in self.outcomes if OUTCOMES[name].kind in ("events", "days")]


def tests_of(  # noqa: PLR0917
    check: str, design: Design, outcomes: pd.DataFrame, method: str, names: Iterable[str],
    together: bool = False,
) -> pd.DataFrame:  # fmt: skip
    """Return the effects of a design on outcomes that it should not move, one row each.

    Parameters
    ----------
    check : str
        Key of the check.
    outcomes : DataFrame
        With the study's index.
    method : str
        Of `estimate`.
    names : iterable of str
        Columns asked for. Where an arm lacks one, or nothing can be estimated, the row says why.
    together : bool, default False
        Whether to add a row of all of them at once.
    """
    wanted = list(names)
    inside = design.weights > 0
    arms = (inside & design.study.treated, inside & ~design.study.treated)
    kept = [
        name for name in wanted
        if name in outcomes
        and all(outcomes.loc[arm, name].notna().sum() >= THRESHOLD for arm in arms)
    ]  # fmt: skip
    effects = pd.DataFrame({"outcome": pd.Series([], dtype=object)})
    if kept:
        made = estimate(design, outcomes[kept], method=method)
        effects = pd.concat([made.frame, _together(made)]) if together else made.to_frame()
    rows = effects.reindex(columns=[*COLUMNS[1:-1]]).assign(why="")
    lost = pd.DataFrame({"outcome": [one for one in wanted if one not in kept], "why": "too_few"})
    rows = pd.concat([rows, lost], ignore_index=True) if len(rows) else lost
    return rows.assign(check=check).reindex(columns=list(COLUMNS))


def _together(effects: Effects) -> pd.DataFrame:
    """Return the mean of the effects, each for the worse and in standard deviations, as a row.

    What was not recorded moves most outcomes one way. One by one they cannot tell that from
    chance in a few thousand families; their mean can.

    References
    ----------
    O'Brien (1984), Procedures for comparing samples with multiple endpoints, Biometrics 40(4);
    Kling, Liebman and Katz (2007), Econometrica 75(1): an index of outcomes.
    """
    frame = effects.frame
    error, sd = (frame[name].to_numpy(dtype=float) for name in ("std_error", "sd_comparison"))
    known = np.isfinite(error) & (error > 0) & (sd > 0)
    if known.sum() < 2:
        return frame.iloc[:0]
    own = frame[known]
    worse = np.array([-1.0 if is_more_better(name) else 1.0 for name in own["outcome"]])
    lever = worse / (sd[known] * known.sum())
    value = float(lever @ own["estimate"].to_numpy(dtype=float))
    spread = float(np.sqrt(lever @ effects.joint[np.ix_(known, known)] @ lever))
    freedom = float(np.minimum(own["freedom"].min(), 1e9))
    reach = float(stdtrit(freedom, 0.975)) * spread
    return pd.DataFrame({
        "outcome": [TOGETHER], "estimate": value, "std_error": spread, "conf_low": value - reach,
        "conf_high": value + reach, "p_value": 2 * stdtr(freedom, -abs(value) / spread),
        "freedom": freedom, "sd_comparison": 1.0, "n_treated": own["n_treated"].min(),
        "n_comparison": own["n_comparison"].min(), "status": own["status"].iloc[0],
    })  # fmt: skip


def none_of(check: str, why: str, names: Iterable[str] = ("",)) -> pd.DataFrame:
    """Return rows that say why there is no test."""
    frame = pd.DataFrame({"check": check, "outcome": list(names), "why": why})
    return frame.reindex(columns=list(COLUMNS))


# 1. Placebo outcomes: those of the year before the one that the arms were made alike in.


def placebo_outcomes(request: Asked) -> pd.DataFrame:
    """Estimate the design's "effect" on outcomes of the year before its covariates.

    Notes
    -----
    Outcomes of the year before the index date are covariates, and what a design was made alike in
    is alike: a test of them would say nothing. To leave each out in turn, or to match on half the
    year and test the other, would alarm wherever families are chosen on what was recorded, which
    the design mends, as it did in simulated worlds without any other selection. So these are the
    outcomes of 24 to 12 months before. The design is as it stands, and was told nothing of them.
    Were families chosen by chance, or on its covariates alone, they would be alike given these;
    what was not recorded and lasts makes them differ, as it makes the outcomes after.

    References
    ----------
    Imbens and Rubin (2015), Causal Inference for Statistics, Social, and Biomedical Sciences,
    chapter 21: assessing unconfoundedness by pseudo-outcomes.
    """
    check, earlier = "placebo_outcomes", request.window("earlier")
    if not earlier.notna().any(axis=None):
        return none_of(check, "no_records", request.outcomes)
    return tests_of(check, request.design, earlier, request.method, request.outcomes, True)


# 2. Placebo index date: the whole design, moved back.

#: Who has records that reach back so far.
_COUNTS = "records reach back"


def placebo_index_date(request: Asked) -> pd.DataFrame:
    """Estimate the "effect" of an index date that lies months earlier than the real one.

    Notes
    -----
    Covariates are counted over the year before the placebo date, outcomes between it and the real
    one. Dates and household are those of the real index date, which no outcome is; the criteria
    are left out, since they are read off what lies between. Families whose records do not reach
    back so far are left out.

    This asks more of a design than it needs. Where families are chosen on what was recorded in
    between, which the design itself was told and this one was not, an "effect" is found too. So a
    failure is a warning: it takes confidence to moderate and, by itself, not to low.
    """
    check, sample = "placebo_index_date", request.design.study
    if request.design.again is None:
        return none_of(check, "not_repeatable")
    prior = request.window("prior")
    enough = prior.notna().any(axis=1).to_numpy() & (sample.sampling > 0)
    if min((enough & sample.treated).sum(), (enough & ~sample.treated).sum()) < THRESHOLD:
        return none_of(check, "no_records", request.outcomes)
    frame = request.families.to_pandas().loc[sample.index]
    outcomes = request.families.baseline().columns
    own = {*(one.source for one in sample.covariates.columns), *sample.left_out}
    swapped = {column_of(name, BEFORE): prior[name] for name in outcomes}
    swapped = {name: values for name, values in swapped.items() if name in own}
    columns = request.families.columns
    about = set(columns.loc[(columns["timing"] == "before") & (columns["outcome"] == ""), "name"])
    sources = [
        name for name in dict.fromkeys(one.source for one in sample.covariates.columns)
        if name in about and not name.startswith("met_")
    ]  # fmt: skip
    earlier = frame.assign(**swapped)[["treated", *dict.fromkeys([*sources, *swapped])]]
    earlier.attrs = {}
    try:
        made = study(
            earlier.assign(**{_COUNTS: enough * 1.0}), covariates=list(earlier.columns[1:]),
            weight=_COUNTS, fewest=THRESHOLD,
        )  # fmt: skip
        moved = replace(
            sample, covariates=made.covariates, weight=np.where(enough, sample.sampling, 0.0)
        )
        design = request.design.again(moved)
        between = request.window("between").where(pd.Series(enough, index=sample.index))
        return tests_of(check, design, between, request.method, request.outcomes, True)
    except TfevalError:
        return none_of(check, "not_possible", request.outcomes)


# 3. Event study: both arms by quarter, under the design's weights.


def event_study(request: Asked) -> pd.DataFrame:
    """Return both arms' mean outcomes by quarter around the index date, under the design's weights.

    Parameters
    ----------
    request : Asked

    Returns
    -------
    DataFrame
        `outcome`, `month` (at which the quarter begins), and columns of a table of effects, of
        the plain difference of weighted means. Outcomes known by school term are not in it.
    """
    parts = []
    for name, (start, _end) in request.quarters.items():
        rows = tests_of(
            "event_study", request.design, request.window(name), "difference", request.by_date
        )
        parts.append(rows.assign(month=start))
    frame = pd.concat(parts, ignore_index=True)
    order = {name: at for at, name in enumerate(request.by_date)}
    frame = frame.assign(place=frame["outcome"].map(order)).sort_values(["place", "month"])
    return frame[frame["why"] == ""].drop(columns=["place", "check", "why"]).reset_index(drop=True)


def trend_before(request: Asked) -> pd.DataFrame:
    """Estimate the "effect" on how outcomes changed within the year before the index date.

    Notes
    -----
    Of each outcome, the second half of the year before less the first. The arms were made alike in
    the year's sum, and not in its course: arms on different paths were alike only by chance of
    when the year was cut, and would part again.
    """
    halves = _QUARTERS_BEFORE // 2
    signs = dict.fromkeys(range(-_QUARTERS_BEFORE, -halves), -1.0) | dict.fromkeys(
        range(-halves, 0), 1.0
    )
    names = request.by_date
    if not names:
        return none_of("trend_before", "no_outcome")
    change = pd.DataFrame(0.0, index=request.design.study.index, columns=names)
    for at, sign in signs.items():
        change += sign * request.window(f"quarter {at}")[names]
    return tests_of("trend_before", request.design, change, request.method, names, True)


# 4. Negative controls: outcomes that the programme cannot move.


def negative_controls(request: Asked) -> pd.DataFrame:
    """Estimate the "effect" on outcomes that the programme cannot move, where some are named.

    Notes
    -----
    No outcome of these records is out of the programme's reach by itself: sessions possible follow
    from who is on a school's roll, which is among the programme's aims, and all others are what
    it was to change. So none is taken unless it is named.

    References
    ----------
    Lipsitch, Tchetgen Tchetgen and Cohen (2010), Negative controls, Epidemiology 21(3).
    """
    check = "negative_controls"
    if not request.cannot_move:
        return none_of(check, "no_outcome")
    after = request.families.outcomes(request.months).loc[request.design.study.index]
    after.attrs = {}
    return tests_of(check, request.design, after, request.method, request.cannot_move, True)


def numbers_of(one: pd.DataFrame) -> dict[str, Any]:
    """Return the numbers of one effect, and whether few families hide them."""
    row = one.to_dict("records")[0]
    kept = ("outcome", "estimate", "std_error", "conf_low", "conf_high", "n_treated",
            "n_comparison")  # fmt: skip
    return {name: row[name] for name in kept} | {"hidden": bool(hidden_rows(one)[0])}
