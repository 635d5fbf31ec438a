"""Group-time effects and their averages: errors, simultaneous bands, the joint test of trends."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import chdtri, fdtrc, ndtri, stdtrit  # scipy.stats takes a second to import

from tfeval.display.rich import Rich
from tfeval.errors import ParameterError
from tfeval.impact.inference.rules import (
    ESTIMATED,
    FEW_CLUSTERS,
    FEW_UNITS,
    FEWEST_CLUSTERS,
    FEWEST_UNITS,
    NO_TREATED,
    NO_VARIATION,
    REFERENCE,
)
from tfeval.impact.means.estimates import NOTHING
from tfeval.impact.panel.compared_units import Units
from tfeval.impact.panel.two_by_two import Arms

#: How group-time effects are averaged: the keys of `aggregate`.
AVERAGES = ("overall", "event", "group", "calendar")
#: The column that tells the rows of an average apart.
_AT = {"event": "event", "group": "group", "calendar": "time"}
#: Why there is no joint test of trends before treatment.
NONE_BEFORE, SINGULAR = "none_before", "singular"


@dataclass(frozen=True, eq=False)
class Held:
    """Estimates before they have errors: what is known of them, their arms, their influences."""

    frame: pd.DataFrame  # with the columns `_COLUMNS`
    arms: tuple[Arms, ...]  # (rows,)
    #: (rows, n): in the order of `units`; or (averages, n): summed for each average, weighted by
    #: the sizes of groups.
    influence: np.ndarray
    units: Units
    periods: np.ndarray  # int: those of the panel that were used
    spread: float  # the outcome's standard deviation
    summed: bool = False  # whether influences are those of averages


_COLUMNS = ["group", "time", "event", "estimate", "n_treated", "n_comparison",
            "events_treated", "events_comparison", "n_left_out", "status"]  # fmt: skip


@dataclass(frozen=True, eq=False)
class GroupTimeEffects(Rich):
    """Effects of a programme by group and period, or averages of them.

    Attributes
    ----------
    outcome : str
    kind : {"group_time", "overall", "event", "group", "calendar"}
        What a row is.
    frame : DataFrame
        One row an effect: `group` (first treated), `time` and `event` (periods since) as far as
        they tell rows apart; `estimate`, `std_error` (as R's did), `freedom`, `conf_low`,
        `conf_high` (pointwise; see Notes), `band_low`, `band_high` (all rows at once);
        `n_treated`, `n_comparison`: units, and of repeated cross-sections by group-time
        observations; `events_treated`,
        `events_comparison`: how many of them, at least, have the outcome; `n_left_out`: units
        seen in only one of the two periods, and of averages the group-times without an estimate;
        `status`, "estimated" or why there is no estimate or no error.
    covariance : ndarray, shape (rows, rows)
        NaN where there is no error.
    critical : float
        Half the width of the band, in standard errors.
    settings : GroupTime
        The design.
    notes : tuple of str
    simulated : bool

    Notes
    -----
    Intervals are by Student's t, since the error of few treated units or clusters itself varies:
    each group's part of the variance counts as a sample of its own, with as many degrees of
    freedom as it has units or clusters but one (those of unequal size count as fewer), and is made
    unbiased by n/(n - 1). Without covariates and with one group that is Welch's test of two means.
    Where every group has 1,000, the normal and R's errors are as good. In 20,000 clean draws with
    4, 5, 8 and 12 treated clusters of 20 or 40 intervals held the truth in 93.7% to 95.4%, in
    93.5% to 95.1% where sizes varied from 1 to 5; by the normal in 82% to 93%. Bands of five
    periods: 94.2% to 95.3%, by the normal 68% to 91%.

    References
    ----------
    Welch (1947), The generalization of Student's problem when several different population
    variances are involved, Biometrika 34. Satterthwaite (1946), An approximate distribution of
    estimates of variance components, Biometrics Bulletin 2. Kish (1965), Survey sampling, 8.2.
    """

    outcome: str
    kind: str
    frame: pd.DataFrame
    covariance: np.ndarray
    critical: float
    settings: Any
    cells: Held
    notes: tuple[str, ...] = ()
    simulated: bool = False

    @property
    def influence(self) -> np.ndarray:
        """Influence of each row of the panel on each effect, shape (units, effects).

        Those who were left out have none. Influences sum to 0, and their squares, of sums by
        cluster where there are clusters, to the variance.
        """
        return self.cells.units.by_row(self.cells.influence)

    @cached_property
    def average(self) -> pd.Series:
        """All rows in one: events from 0 alike, groups by size, periods alike.

        Of group-times it is the overall average after treatment. The same columns.
        """
        effects = complete(self.averaged, "overall", self.settings, outcome=self.outcome)
        return effects.frame.iloc[0]

    @cached_property
    def averaged(self) -> Held:
        """All rows in one, before it has an error; see `average`."""
        cells, frame = self.cells, self.frame
        rows = np.isfinite(frame["estimate"].to_numpy(dtype=float))
        if self.kind in ("event", "group_time"):
            rows &= (frame["event"] >= 0).to_numpy(dtype=bool)
        return averaged(
            cells, {None: np.flatnonzero(rows)}, by_size=self.kind in ("group", "group_time")
        )

    @property
    def pre_trend(self) -> pd.Series:
        """The joint test that all effects before treatment, and its anticipation, are 0.

        `statistic` is Wald's; `freedom` is the number of effects. Its `p_value` is Hotelling's,
        since the covariance of few units or clusters is small and itself varies: that of each
        group counts as a Wishart of its own, as in Pustejovsky and Tipton's HTZ. `status` is
        "estimated", "none_before" where no period can be tested, or "singular" where the effects
        determine one another, or units or clusters are too few for so many effects.

        Raises
        ------
        ParameterError
            If the rows are averages that hold no period before treatment.
        """
        frame = self.frame
        if self.kind not in ("group_time", "event"):
            raise ParameterError(
                f"Averages by {self.kind} hold no period before treatment: test those by event."
            )
        before = (frame["event"] < -self.settings.anticipation).to_numpy(dtype=bool)
        rows = np.flatnonzero(before & (frame["status"] == ESTIMATED).to_numpy())
        test = {"statistic": np.nan, "freedom": float(len(rows)), "p_value": np.nan}
        if not len(rows):
            return pd.Series({**test, "status": NONE_BEFORE})
        variance = self.covariance[np.ix_(rows, rows)]
        if not np.linalg.cond(variance) < 1 / np.finfo(float).eps:
            return pd.Series({**test, "status": SINGULAR})
        left, factor = self.cells.units.hotelling(self.cells.influence[rows], variance)
        estimate = frame["estimate"].to_numpy(dtype=float)[rows]
        wald = float(estimate @ np.linalg.solve(variance, estimate))
        if left > 0:
            p = float(fdtrc(len(rows), left, wald * factor))
            test.update(statistic=wald, p_value=p)
        return pd.Series({**test, "status": ESTIMATED if left > 0 else SINGULAR})

    def aggregate(
        self,
        kind: str,
        *,
        balance_event: int | None = None,
        min_event: int | None = None,
        max_event: int | None = None,
    ) -> GroupTimeEffects:
        """Return averages of the group-time effects.

        Parameters
        ----------
        kind : {"overall", "event", "group", "calendar"}
            All effects after treatment, weighted by the size of their groups; by periods since
            treatment, weighted so; by group, its periods alike; by period, weighted so.
        balance_event : int, optional
            By event: only groups that are seen this long after treatment, and only up to then, so
            that all rows after treatment are of the same groups.
        min_event, max_event : int, optional
            Periods since treatment, first and last; those after the last enter no average.

        Returns
        -------
        GroupTimeEffects
            Errors count that the sizes of groups are estimated. Group-times that cannot be
            estimated are left out, and counted.

        Raises
        ------
        ParameterError
            If these are averages already, or the kind is unknown.
        """
        if self.kind != "group_time":
            raise ParameterError("These are averages already: aggregate the group-time effects.")
        return aggregated(
            self.cells, kind, self.settings, (balance_event, min_event, max_event),
            outcome=self.outcome, notes=self.notes, simulated=self.simulated,
        )  # fmt: skip

    def __repr__(self) -> str:
        return (
            f"GroupTimeEffects of {self.outcome} by {self.kind}: {len(self.frame)} rows; "
            ".frame, .average, .aggregate(kind), .pre_trend"
        )


#: `balance_event`, `min_event` and `max_event`.
Limits = tuple[int | None, int | None, int | None]


def aggregated(
    cells: Held, kind: str, settings: Any, limits: Limits, **facts: Any
) -> GroupTimeEffects:
    """Return averages of group-time estimates; see `GroupTimeEffects.aggregate`."""
    if kind not in AVERAGES:
        raise ParameterError(f"aggregate is one of {', '.join(AVERAGES)}, not {kind!r}.")
    rows = chosen(cells.frame, cells.periods, kind, limits)
    made = averaged(cells, rows, by_size=True, column=_AT.get(kind))
    return complete(made, kind, settings, **facts)


class Chosen(dict[int | None, np.ndarray]):
    """The group-times of each row of an average, by its key."""

    def among(self, count: int) -> np.ndarray:
        """Return which of so many group-times each row has, shape (rows, count)."""
        return np.array([np.isin(np.arange(count), places) for places in self.values()])


def chosen(frame: pd.DataFrame, periods: np.ndarray, kind: str, limits: Limits) -> Chosen:
    """Return the group-times of each row of an average.

    Parameters
    ----------
    frame : DataFrame
        group, time and event of each.
    periods : ndarray of int
        Those of the panel that were used.
    """
    balance_event, min_event, max_event = limits
    group, time, event = (frame[name].to_numpy(dtype=int) for name in ("group", "time", "event"))
    kept = event <= (np.inf if max_event is None else max_event)
    if kind == "event":
        kept &= event >= (-np.inf if min_event is None else min_event)
        if balance_event is not None:
            first, last = periods[[0, -1]]
            kept &= (last - group >= balance_event) & (event <= balance_event)
            kept &= event >= balance_event - last + first
    else:
        kept &= event >= 0
    at = {"event": event, "group": group, "calendar": time}.get(kind)
    if at is None:
        return Chosen({None: np.flatnonzero(kept)})
    return Chosen({int(one): np.flatnonzero(kept & (at == one)) for one in np.unique(at[kept])})


def averaged(
    cells: Held,
    rows: dict[int | None, np.ndarray],
    *,
    by_size: bool,
    column: str | None = None,
) -> Held:
    """Return averages of some estimates, weighted by the sizes of their groups or alike.

    Parameters
    ----------
    rows : dict of int to ndarray of int
        The estimates of each average.
    column : str, optional
        Where the key of `rows` stands.

    Notes
    -----
    A weight is the group's share of all whose effects are averaged, and is estimated (Callaway
    and Sant'Anna 2021, section 4.2). What that adds to the influence of a unit is its own weight
    times what its group's estimates lie above the mean, over all weight; the rest of the paper's
    terms cancel.
    """
    estimate = cells.frame["estimate"].to_numpy(dtype=float)
    status, lines, arms = cells.frame["status"].to_numpy(), [], []
    shares, above = np.zeros((len(rows), len(estimate))), np.zeros((len(rows), len(cells.frame)))
    for number, (at, places) in enumerate(rows.items()):
        known = places[np.isfinite(estimate[places])]
        used = known if len(known) else places
        own = [cells.arms[place] for place in used]
        both = Arms(
            tuple(sorted({code for arm in own for code in arm.treated})),
            tuple(sorted({code for arm in own for code in arm.comparison})),
        )
        mean = np.nan
        if len(known):
            size = np.ones(len(known))
            if by_size:
                size = cells.units.totals[[cells.arms[place].treated[0] for place in known]]
            shares[number, known] = size / size.sum()
            mean = float(shares[number, known] @ estimate[known])
            if by_size:
                above[number, known] = (estimate[known] - mean) / size.sum()
        row: dict[str, Any] = dict.fromkeys(_COLUMNS[:3], pd.NA)
        if column is not None:
            row[column] = at
        real = len(known) and (status[known] != REFERENCE).any()
        lines.append({
            **row, "estimate": mean, "n_treated": cells.units.count(both.treated),
            "n_comparison": cells.units.count(both.comparison), **_at_least(cells, used),
            "n_left_out": len(places) - len(known),
            "status": ESTIMATED if real else (status[used[0]] if len(used) else NO_TREATED),
        })  # fmt: skip
        arms.append(both)
    influence = _shared(cells, shares)
    for code in range(len(cells.units.starts) - 1):
        of_code = [place for place in range(len(estimate)) if cells.arms[place].treated == (code,)]
        own = above[:, of_code].sum(axis=1)
        if own.any():
            part = slice(int(cells.units.starts[code]), int(cells.units.starts[code + 1]))
            influence[:, part] += np.outer(own, cells.units.weight[part])
    frame = pd.DataFrame(lines, columns=_COLUMNS)
    return replace(cells, frame=frame, arms=tuple(arms), influence=influence, summed=False)


def _shared(cells: Held, shares: np.ndarray) -> np.ndarray:
    """Return sums of influences, group by group: most estimates are of few groups."""
    if cells.summed:
        sizes = cells.units.totals[[arms.treated[0] for arms in cells.arms]]
        totals = (shares != 0) @ sizes
        return cells.influence / np.where(totals > 0, totals, 1.0)[:, None]
    starts = cells.units.starts
    influence = np.zeros((len(shares), int(starts[-1])))
    bears = np.zeros((len(starts) - 1, shares.shape[1]), dtype=bool)
    for place in np.flatnonzero(shares.any(axis=0)):
        bears[[*cells.arms[place].treated, *cells.arms[place].comparison], place] = True
    for code, used in enumerate(bears):
        part = slice(int(starts[code]), int(starts[code + 1]))
        influence[:, part] = shares[:, used] @ cells.influence[used, part]
    return influence


def _at_least(cells: Held, used: np.ndarray) -> dict[str, int]:
    """Return how many units of either arm, at least, have the outcome in some group-times.

    Groups are different units, a group's periods and the comparisons may be the same ones.
    """
    by_group: dict[int, int] = {}
    treated, comparison = (
        cells.frame[name].to_numpy()[used] for name in ("events_treated", "events_comparison")
    )
    for place, count in zip(used, treated, strict=True):
        code = cells.arms[place].treated[0]
        by_group[code] = max(by_group.get(code, 0), int(count))
    return {"events_treated": sum(by_group.values()),
            "events_comparison": int(comparison.max(initial=0))}  # fmt: skip


def complete(
    cells: Held, kind: str, settings: Any, *,
    outcome: str, notes: tuple[str, ...] = (), simulated: bool = False,
) -> GroupTimeEffects:  # fmt: skip
    """Return effects with errors, intervals and a band, from estimates and influences."""
    covariance = cells.units.covariance(cells.influence)
    status = _status(cells, np.sqrt(np.diag(covariance)))
    known = status == ESTIMATED
    covariance = np.where(np.outer(known, known), covariance, np.nan)
    error = np.sqrt(np.diag(covariance))
    freedom, unbiased = cells.units.student(cells.influence)
    freedom = np.where(known, freedom, np.nan)
    usual = stdtrit(freedom, (1 + settings.level) / 2)
    critical = float(ndtri((1 + settings.level) / 2))
    if known.sum() > 1:
        some = covariance[np.ix_(known, known)]
        critical = max(critical, critical_value(
            some, settings.level, draws=settings.draws, seed=settings.seed, freedom=freedom[known]
        ))  # fmt: skip
    estimate = cells.frame["estimate"].to_numpy(dtype=float)
    reach = np.fmax(usual, critical) * unbiased * error
    frame = cells.frame.assign(
        std_error=error, freedom=freedom, conf_low=estimate - usual * unbiased * error,
        conf_high=estimate + usual * unbiased * error,
        band_low=estimate - reach, band_high=estimate + reach, status=status,
    )  # fmt: skip
    for name in _COLUMNS[:3]:
        frame[name] = frame[name].astype("Int64")
    return GroupTimeEffects(
        outcome, kind, frame[[*_COLUMNS[:4], *_WITH, *_COLUMNS[4:]]], covariance, critical,
        settings, cells, notes, simulated,
    )  # fmt: skip


_WITH = ["std_error", "freedom", "conf_low", "conf_high", "band_low", "band_high"]


def _status(cells: Held, error: np.ndarray) -> np.ndarray:
    """Return the statuses with what is too few, or does not vary, for an error."""
    status = cells.frame["status"].to_numpy(dtype=object).copy()
    few = cells.frame[["n_treated", "n_comparison"]].min(axis=1).to_numpy() < FEWEST_UNITS
    status[(status == ESTIMATED) & few] = FEW_UNITS
    if cells.units.clusters is not None:
        clusters = np.array(
            [[cells.units.count_clusters(arm.treated), cells.units.count_clusters(arm.comparison)]
             for arm in cells.arms]
        ).min(axis=1)  # fmt: skip
        status[(status == ESTIMATED) & (clusters < FEWEST_CLUSTERS)] = FEW_CLUSTERS
    status[(status == ESTIMATED) & ~(error > NOTHING * cells.spread)] = NO_VARIATION
    return status


def critical_value(
    covariance: np.ndarray,
    level: float,
    *,
    draws: int,
    seed: int,
    freedom: np.ndarray | None = None,
) -> float:
    """Return how many standard errors wide a band is that holds all effects at once.

    Parameters
    ----------
    covariance : ndarray, shape (effects, effects)
    draws, seed : int
        Of the multiplier bootstrap.
    freedom : ndarray, shape (effects,), optional
        Degrees of freedom of the errors; infinite, or absent, where they are as good as known.

    Notes
    -----
    Callaway and Sant'Anna (2021), algorithm 1: influences of units, or of clusters, times
    multipliers of mean 0 and variance 1. Multipliers that are standard normal make every draw a
    normal one with the influences' own covariance, so it is drawn from that: the same
    distribution, at no cost by unit. Where errors are of few units or clusters, a draw is divided
    by errors that vary as theirs do, all together: Student's t of many effects at once.

    Examples
    --------
    >>> round(critical_value(np.eye(4), 0.95, draws=20_000, seed=1), 1)
    2.5
    >>> round(critical_value(np.eye(4), 0.95, draws=20_000, seed=1, freedom=np.full(4, 5.0)), 1)
    3.6
    """
    error = np.sqrt(np.diag(covariance))
    values, vectors = np.linalg.eigh(covariance / np.outer(error, error))
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    rng = np.random.default_rng(seed)
    drawn = np.abs(rng.standard_normal((draws, len(error))) @ root.T)
    if freedom is not None and np.isfinite(freedom).any():
        finite = np.isfinite(freedom)
        own = freedom[finite]
        drawn[:, finite] /= np.sqrt(chdtri(own, rng.random((draws, 1))) / own)
    return float(np.quantile(drawn.max(axis=1), level, method="inverted_cdf"))
