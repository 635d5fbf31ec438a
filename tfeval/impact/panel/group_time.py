"""Staggered entry: effects by group and period, each against those who are not treated yet."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import pandas as pd

from tfeval.display.rich import Rich
from tfeval.display.tables import safe_count
from tfeval.display.words import moment_words
from tfeval.errors import DataError, ParameterError, suggest
from tfeval.impact.design.protocol import Contrasts
from tfeval.impact.effects.columns import check_level
from tfeval.impact.panel.compared_units import Units
from tfeval.impact.panel.cross_sections import fill_repeated
from tfeval.impact.panel.group_time_effects import (
    AVERAGES,
    GroupTimeEffects,
    Held,
    Limits,
    aggregated,
    chosen,
    complete,
)
from tfeval.impact.panel.panel import Panel, each_fitted, not_fitted
from tfeval.impact.panel.two_by_two import METHODS, Arms, Cell, Sample, fill_panel
from tfeval.impact.study.checks import names_of

KIND = "group_time"
NEVER, NOT_YET = "never_treated", "not_yet_treated"
VARYING, UNIVERSAL = "varying", "universal"
_ASSUMPTIONS = {
    NEVER: "without the programme, each group would have changed as those never treated did",
    NOT_YET: "without the programme, each group would have changed as those not treated yet did",
}
_CHOICES = {"comparison": (NEVER, NOT_YET), "method": METHODS, "base": (VARYING, UNIVERSAL),
            "aggregate": AVERAGES}  # fmt: skip


@dataclass(frozen=True)
class GroupTime(Rich):
    """The design of `group_time`; its settings are described there.

    Attributes
    ----------
    kind, estimand, assumption, notes, simulated
        What every design says of itself; see `AnyDesign`.
    """

    first_treated: str
    comparison: str = NOT_YET
    covariates: tuple[str, ...] = ()
    method: str = METHODS[0]
    anticipation: int = 0
    base: str = VARYING
    aggregate: str = "event"
    balance_event: int | None = None
    min_event: int | None = None
    max_event: int | None = None
    cluster: str | None = None
    weights: str | None = None
    level: float = 0.95
    draws: int = 999
    seed: int = 1
    repeated: bool = False
    notes: tuple[str, ...] = ()
    simulated: bool = False
    kind: str = KIND
    estimand: str = "ATT"

    def __post_init__(self) -> None:
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                given = getattr(self, name)
                raise ParameterError(f"{name} {given!r} is unknown. {suggest(str(given), known)}")
        if not isinstance(self.anticipation, int | np.integer) or self.anticipation < 0:
            raise ParameterError("anticipation is a number of periods: 0, 1, 2, ...")
        if not isinstance(self.draws, int | np.integer) or self.draws < 99:
            raise ParameterError(f"draws: at least 99 are needed, not {self.draws!r}.")
        check_level(self.level)

    @property
    def assumption(self) -> str:
        """What must be true, in one sentence."""
        alike = ", given the covariates" if self.covariates else ""
        early = (
            f", and nobody changed more than {self.anticipation} periods before"
            if self.anticipation
            else ", and nobody changed before treatment"
        )
        return f"{_ASSUMPTIONS[self.comparison]}{alike}{early}"

    def fit(self, panel: Panel, outcome: str) -> GroupTimeEffects:
        """Return the effects by group and period on one outcome.

        Parameters
        ----------
        panel : Panel
        outcome : str

        Returns
        -------
        GroupTimeEffects

        Raises
        ------
        ParameterError
            If the panel lacks a column or the outcome.
        DataError
            If no group has a period before treatment and somebody to be compared with, or columns
            hold no numbers.
        """
        cells, notes = self._estimates(panel, outcome)
        return complete(
            cells, KIND, self, outcome=outcome, notes=notes, simulated=panel.simulated
        )  # fmt: skip

    def averages(self, panel: Panel, outcome: str) -> GroupTimeEffects:
        """Return the averages that the design names, on one outcome."""
        limits = self.balance_event, self.min_event, self.max_event
        cells, notes = self._estimates(panel, outcome, limits)
        return aggregated(
            cells, self.aggregate, self, limits, outcome=outcome, notes=notes,
            simulated=panel.simulated,
        )  # fmt: skip

    def _estimates(
        self, panel: Panel, outcome: str, limits: Limits | None = None
    ) -> tuple[Held, tuple[str, ...]]:
        """Return the estimates by group and period, and what must be known of them.

        With limits, influences are summed for the design's own averages as they are made: those
        of all groups and periods would be asked of memory, which takes longer.
        """
        values = panel.outcome(outcome)
        frame = self._entrants(panel, values)
        y = np.ascontiguousarray(values.take(frame.places, axis=0).T[frame.columns])
        sample = Sample(frame.x, frame.units.weight, y, frame.units.starts)
        plan = self._plan(frame)
        if not plan:
            raise DataError("No group has a period before its treatment and anybody to compare.")
        table = pd.DataFrame(
            {"group": [cell.group for cell in plan], "time": [cell.time for cell in plan]}
        )
        table["event"] = table["time"] - table["group"]
        periods, mix = panel.times[frame.columns], None
        if limits is not None and not self.repeated:
            sizes = frame.units.totals[[cell.arms.treated[0] for cell in plan]]
            mix = chosen(table, periods, self.aggregate, limits).among(len(table)) * sizes
        if self.repeated:
            rows, influence = fill_repeated(sample, plan, self.method)
        else:
            rows, influence = fill_panel(sample, plan, self.method, mix)
        cells = Held(
            table.join([pd.DataFrame(rows), _with_outcome(sample, plan)]),
            tuple(cell.arms for cell in plan), influence, frame.units, periods,
            _spread(sample.y), summed=mix is not None,
        )  # fmt: skip
        return cells, frame.notes

    def contrasts(self, outcomes: Panel, months: int | None = None) -> Contrasts:
        """Return the chosen averages for each outcome of a panel, and what they come to in all.

        Parameters
        ----------
        outcomes : Panel
        months : None

        Returns
        -------
        Contrasts
            Rows have `event`, `group` and `time` as far as they tell rows apart, the same in words
            as `population`, and the simultaneous `band_low` and `band_high` of the design's level.
        """
        if months is not None:
            raise ParameterError("A panel has its own periods: leave months out.")
        rows, influence, clusters, count = [], [], {}, len(outcomes.units)
        if self.cluster is not None:
            codes, labels = pd.factorize(outcomes.column(self.cluster))
            clusters[self.cluster], count = codes, len(labels)
        rescale = np.sqrt(max(count - 1, 1) / count)
        fits = each_fitted(partial(self.averages, outcomes), outcomes.outcomes)
        for name, effects in fits:
            if effects is None:
                rows.append(pd.DataFrame([not_fitted(name)]))
                influence.append(np.full((len(outcomes.units), 1), np.nan))
                continue
            frame, own, units = effects.frame, effects.cells.influence, effects.cells.units
            if self.aggregate != "overall":
                last = effects.average.to_frame().T
                frame = pd.concat([frame, last.astype(frame.dtypes)], ignore_index=True)
                own = np.concatenate([own, effects.averaged.influence])
            # An effect's variance is n/(n - 1) times the sum of squares, of n units or clusters.
            freedom, unbiased = units.student(own)
            few = np.isfinite(freedom)
            frame["freedom"] = np.where(few, frame["freedom"], np.nan)
            influence.append(units.by_row(own) * np.where(few, unbiased * rescale, 1.0))
            moments = frame[["event", "group", "time"]].to_numpy()
            rows.append(
                frame.assign(
                    outcome=name,
                    population=[moment_words(*row) for row in moments],
                    n_missing=effects.cells.units.missing,
                )
            )
        kept = ["outcome", "population", "group", "time", "event", "estimate", "band_low",
                "band_high", "n_treated", "n_comparison", "events_treated", "events_comparison",
                "n_missing", "freedom", "status"]  # fmt: skip
        return Contrasts(
            pd.concat(rows, ignore_index=True)[kept], np.column_stack(influence), clusters
        )

    def diagnostic(self, outcomes: Panel | None = None) -> pd.DataFrame:
        """Return the joint test of effects before treatment, one row an outcome.

        Parameters
        ----------
        outcomes : Panel

        Raises
        ------
        ParameterError
            If no panel is given: the design holds none.
        """
        if outcomes is None:
            raise ParameterError("The design holds no records: give the panel to test trends in.")
        return pd.DataFrame(
            {name: self.fit(outcomes, name).pre_trend for name in outcomes.outcomes}
        ).T.rename_axis("outcome")

    def _entrants(self, panel: Panel, values: np.ndarray) -> Entrants:
        """Return who is compared, by group, and in which periods."""
        first, times, early = self._first(panel), panel.times.astype(float), self.anticipation
        first[first > times[-1] + early] = np.inf
        covariates = np.array([panel.numbers(name) for name in self.covariates])
        covariates = covariates.reshape(len(self.covariates), len(first))
        incomplete = ~np.isfinite(covariates).all(axis=0)
        already = first <= times[0] + early
        kept = ~(incomplete | already)
        if not kept.any():
            raise DataError("No unit is untreated in the first period, with all its covariates.")
        columns = np.arange(len(times))
        last = first[kept].max()
        if np.isfinite(last):  # nobody is never treated: the last group is, until it is treated
            columns = columns[times < last - early]
            if self.comparison == NEVER:
                first[first == last] = np.inf
        if len(columns) < 2:
            raise DataError(
                "Fewer than two periods in which anybody is untreated: none to compare."
            )
        unseen = _unseen(values, columns)
        kept &= ~unseen
        notes = [
            f"{safe_count(count)} units left out: {why}."
            for count, why in (
                (int(already.sum()), "treated before any period to compare with"),
                (int((incomplete & ~already).sum()), "a covariate is missing"),
                (int((unseen & ~incomplete & ~already).sum()), "the outcome is never seen"),
            )
            if count
        ]
        places = np.flatnonzero(kept)
        if not len(places):
            raise DataError("The outcome is seen of no unit that could be compared.")
        codes, groups = pd.factorize(first[places], sort=True)
        places = places[np.argsort(codes.astype(np.uint16), kind="stable")]
        x = np.take(covariates, places, axis=1)
        spread = x.std(axis=1, keepdims=True)
        x = (x - x.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, 1.0)
        units = Units(
            places, len(first), np.append(0, np.cumsum(np.bincount(codes))),
            self._weights(panel)[places], self._clusters(panel, places),
            int((~kept & ~already).sum()),
        )  # fmt: skip
        return Entrants(
            units, np.concatenate([np.ones((1, len(places))), x]), groups, columns,
            times[columns], np.isfinite(last) and self.comparison == NOT_YET, tuple(notes),
        )  # fmt: skip

    def _first(self, panel: Panel) -> np.ndarray:
        """Return the first period of treatment, infinite for those never treated."""
        first = panel.numbers(self.first_treated, infinite=True)
        if panel.times[0] > 0 and (first == 0).any():
            raise DataError(
                f"Column {self.first_treated} is 0 for {safe_count(int((first == 0).sum()))} "
                "units, before any period: make it missing where a unit is never treated."
            )
        if (np.floor(first) != first)[np.isfinite(first)].any():
            raise DataError(f"Column {self.first_treated} must hold whole numbers of periods.")
        return np.where(np.isnan(first), np.inf, first)

    def _weights(self, panel: Panel) -> np.ndarray:
        if self.weights is None:
            return np.ones(len(panel.units))
        weights = panel.numbers(self.weights)
        wrong = int((~(np.isfinite(weights) & (weights > 0))).sum())
        if wrong:
            raise DataError(
                f"Column {self.weights}: {wrong} weights are missing or not above 0; give each one."
            )
        return weights

    def _clusters(self, panel: Panel, places: np.ndarray) -> np.ndarray | None:
        if self.cluster is None:
            return None
        given = panel.column(self.cluster)[places]
        missing = int(pd.isna(given).sum())
        if missing:
            raise DataError(f"Column {self.cluster}: {missing} units are in no cluster.")
        return pd.factorize(given)[0]

    def _plan(self, entrants: Entrants) -> list[Cell]:
        """Return the groups and periods to estimate, by group and time."""
        groups, times, early = entrants.groups, entrants.times, self.anticipation
        treated = [code for code, group in enumerate(groups) if np.isfinite(group)]
        if entrants.last_compares_only:
            treated = treated[:-1]
        cells = []
        for code in treated:
            group = groups[code]
            usual = int(np.flatnonzero(times + early < group)[-1])
            for later in range(self.base == VARYING, len(times)):
                base = later - 1 if self.base == VARYING and times[later] < group else usual
                until = times[max(later, base)] + early
                others = [
                    other for other, first in enumerate(groups)
                    if other != code and (first == np.inf or (self.comparison == NOT_YET
                                                              and first > until))
                ]  # fmt: skip
                cells.append(Cell(
                    int(group), int(times[later]), later, base, Arms((code,), tuple(others))
                ))  # fmt: skip
        return cells


@dataclass(frozen=True, eq=False)
class Entrants:
    """Who is compared, in the order of their groups, and in which periods."""

    units: Units
    x: np.ndarray
    groups: np.ndarray
    columns: np.ndarray
    times: np.ndarray
    last_compares_only: bool
    notes: tuple[str, ...]

    @property
    def places(self) -> np.ndarray:
        """Rows of the panel."""
        return self.units.places


def _unseen(values: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Tell which units have no value in some periods."""
    seen = np.isfinite(values)
    if seen.all():
        return np.zeros(len(values), dtype=bool)
    return ~seen[:, columns].any(axis=1)


def _spread(values: np.ndarray) -> float:
    spread = float(values.std())
    spread = spread if np.isfinite(spread) else float(np.nanstd(values))
    # Where all values are one, any error is rounding.
    return spread if spread > 1e-13 * abs(float(np.nanmax(values))) else np.inf


def _with_outcome(sample: Sample, plan: list[Cell]) -> pd.DataFrame:
    """Return how many units of either arm have the outcome in either period of each cell."""
    seen, sizes = np.isfinite(sample.y), np.diff(sample.starts)
    had = seen & (sample.y != 0)
    everybody = bool(had.all())
    by_group: dict[tuple[int, int], np.ndarray] = {}
    for later, base in {(cell.later, cell.base) for cell in plan}:
        if everybody:
            by_group[later, base] = sizes
            continue
        units = seen[later] & seen[base] & (had[later] | had[base])
        by_group[later, base] = np.add.reduceat(units, sample.starts[:-1], dtype=np.int64)
    return pd.DataFrame([
        {f"events_{name}": int(by_group[cell.later, cell.base][list(codes)].sum())
         for name, codes in vars(cell.arms).items()} for cell in plan
    ])  # fmt: skip


def group_time(
    first_treated: str,
    *,
    comparison: Literal["never_treated", "not_yet_treated"] = "not_yet_treated",
    covariates: str | Iterable[str] = (),
    method: Literal["doubly_robust", "regression", "inverse_weighting"] = "doubly_robust",
    anticipation: int = 0,
    base: Literal["varying", "universal"] = "varying",
    aggregate: Literal["overall", "event", "group", "calendar"] = "event",
    balance_event: int | None = None,
    min_event: int | None = None,
    max_event: int | None = None,
    cluster: str | None = None,
    weights: str | None = None,
    level: float = 0.95,
    draws: int = 999,
    seed: int = 1,
    repeated: bool = False,
) -> GroupTime:
    """Design a comparison of groups that are treated from different periods on.

    Each group, of those first treated in one period, is compared in each period with units that
    are not treated by then: how much more it changed since its last period before treatment. The
    programme's effect may differ by group and by time; two-way fixed effects would weigh some of
    it negatively.

    Parameters
    ----------
    first_treated : str
        Column of `Panel.fixed`: the first period of treatment, missing for those never treated
        (R's did has 0, which is refused here).
        Who is treated from the panel's first period on is left out and counted.
    comparison : {"never_treated", "not_yet_treated"}
        With whom. If nobody is never treated, the last group stands in until it is treated.
    covariates : str or iterable of str, optional
        Columns of `Panel.fixed`, numbers measured before treatment, given which groups would have
        changed alike. Units that lack one are left out and counted.
    method : {"doubly_robust", "regression", "inverse_weighting"}
        How covariates are made alike.
    anticipation : int, default 0
        Periods before treatment in which units may already change.
    base : {"varying", "universal"}
        Before treatment, periods are set against the one before, or all against the last one.
    aggregate : {"overall", "event", "group", "calendar"}
        What `estimate` averages; see `GroupTimeEffects.aggregate`, also for `balance_event`,
        `min_event` and `max_event`.
    cluster, weights : str, optional
        Columns of `Panel.fixed`: what errors are clustered by, and sampling weights.
    level : float, default 0.95
        Of intervals and of the band that holds all effects at once.
    draws, seed : int
        Of the multiplier bootstrap, for the band.
    repeated : bool, default False
        Repeated cross-sections, or a panel with gaps in which every observation is to be used:
        the means of whoever is seen before and after, in place of units' own changes.

    Returns
    -------
    GroupTime
        `.fit(panel, outcome)` gives the effects by group and period; `tf.estimate(design, panel)`
        their averages in the one table of effects, with errors and degrees of freedom of few units
        or clusters (see `GroupTimeEffects`), or n/(n - 1) and n - 1 of many.

    Raises
    ------
    ParameterError
        If a setting is unknown or out of its range.

    Notes
    -----
    As R's did. A unit that is not seen in both periods of a comparison is left out of it, and
    counted (`n_left_out`); nothing is filled in. Where R's did drops such units everywhere, give
    it a panel without them. What cannot be estimated has no number, and `status` says why.

    References
    ----------
    Callaway and Sant'Anna (2021), Difference-in-differences with multiple time periods, Journal of
    Econometrics 225. Sant'Anna and Zhao (2020), Doubly robust difference-in-differences
    estimators, Journal of Econometrics 219.

    Examples
    --------
    >>> from tfeval.impact.panel.panel import panel
    >>> rng = np.random.default_rng(1)
    >>> rows = pd.MultiIndex.from_product([range(300), range(2011, 2016)], names=["unit", "year"])
    >>> rows = rows.to_frame(index=False)
    >>> rows["first"] = np.array([2013, 2014, np.nan])[rows["unit"] % 3]
    >>> since = (rows["year"] - rows["first"]).fillna(-1)
    >>> rows["y"] = 0.2 * rows["year"] + (since >= 0) * (1 + since) + rng.normal(size=len(rows))
    >>> made = panel(rows, unit="unit", time="year", outcomes=["y"], fixed=["first"])
    >>> effects = group_time("first").fit(made, "y")
    >>> effects.aggregate("event").frame[["event", "estimate"]].round(1).to_numpy().tolist()
    [[-2, 0.1], [-1, -0.0], [0, 0.8], [1, 2.0], [2, 2.9]]
    >>> bool(effects.pre_trend["p_value"] > 0.05)
    True
    """
    return GroupTime(
        first_treated, comparison, tuple(names_of(covariates)), method, anticipation, base,
        aggregate, balance_event, min_event, max_event, cluster, weights, level, draws, seed,
        repeated,
    )  # fmt: skip
