"""Regression discontinuity: units on either side of a cutoff in a running variable."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from tfeval.cohort.analysis_table import CAVEATS, Cohort
from tfeval.display.names import plain
from tfeval.display.rich import Rich
from tfeval.errors import ParameterError
from tfeval.impact.design.protocol import Contrasts
from tfeval.impact.effects.columns import check_level
from tfeval.impact.inference.rules import ESTIMATED, FEWEST_SUPPORT
from tfeval.impact.means.outcomes import Outcomes, aligned
from tfeval.impact.panel.discrete_threshold import METHODS, Estimator
from tfeval.impact.panel.local_polynomial import Jump, Points
from tfeval.impact.panel.threshold_checks import Asked, ThresholdChecks, checked
from tfeval.impact.panel.threshold_units import check_bounds, check_covariates, units_of
from tfeval.impact.study.study import Study

KIND = "threshold"
#: Errors from the nearest values of the running variable.
NEIGHBOURS = "neighbours"
#: Whose effect it is: of a sharp cutoff, and of one that not all obey.
ESTIMANDS = ("SRD", "FRD")
AUTO = "auto"
_ASSUMPTIONS = {
    "continuous": "without the programme, outcomes would change smoothly across the cutoff, and "
    "nobody chose on which side of it to come",
    "honest": "without the programme, outcomes would curve no more than the bound says on either "
    "side of the cutoff, and nobody chose on which side of it to come",
    "adjacent": "who came just above the cutoff and who just below was as good as drawn by lot",
}


@dataclass(frozen=True, eq=False)
class Threshold(Rich):
    """A comparison across a cutoff. Made by `threshold`; `estimate` takes it.

    Attributes
    ----------
    study : Study
        The units, with treatment and covariates; outcomes are aligned to it.
    running : str
        The running variable.
    cutoff : float
        Who has it or more is above.
    x : ndarray of float, shape (n,)
        The running variable less the cutoff.
    fuzzy : bool
        Whether some are treated below, or not treated above.
    covariates : tuple of str
        Names of the numbers adjusted for.
    cluster : str or None
    curvature : float or mapping of str to float, or None
    estimator : Estimator
        Which way to an estimate, with its settings.
    estimand : {"SRD", "FRD"}
    assumption : str
    notes : tuple of str
    simulated : bool
    """

    study: Study
    running: str
    cutoff: float
    x: np.ndarray
    fuzzy: bool
    covariates: tuple[str, ...]
    cluster: str | None
    curvature: float | Mapping[str, float] | None
    estimator: Estimator
    estimand: str
    assumption: str
    notes: tuple[str, ...] = ()
    simulated: bool = False
    kind: str = field(default=KIND, init=False)

    @property
    def level(self) -> float:
        """Of the intervals."""
        return self.estimator.level

    @cached_property
    def points(self) -> Points:
        """The units, with an outcome of 0."""
        covariates = self.study.covariates
        numbers = [covariates.column(name) for name in self.covariates]
        return Points(
            self.x, np.zeros(len(self.x)),
            self.study.treated.astype(float) if self.fuzzy else None,
            np.column_stack(numbers) if numbers else np.empty((len(self.x), 0)),
            None if self.cluster is None else self.study.cluster(self.cluster),
        )  # fmt: skip

    def contrasts(
        self, outcomes: pd.DataFrame | pd.Series | Cohort, months: int | None = None
    ) -> Contrasts:
        """Return the jump of each outcome at the cutoff.

        Parameters
        ----------
        outcomes : DataFrame, Series or Cohort
            As `estimate` takes them.
        months : int, optional

        Returns
        -------
        Contrasts
            `rows` has also `bandwidth`, `bias_bandwidth`, `conventional` (the estimate before its
            bias is taken off), `curvature`, `bias_bound`, `first_stage`, `support_below` and
            `support_above` (values used of the running variable), `p_randomisation`. Units without
            an outcome are left out of it alone, and counted in `n_missing`.
        """
        measures = aligned(self.study, outcomes, months)
        bounds = self._bounds(measures.names)
        rows, influence = [], np.zeros((len(self.x), len(measures.names)))
        for place, (name, values) in enumerate(_by_name(measures)):
            known = ~np.isnan(values)
            points = replace(self.points.some(known), outcome=values[known])
            bound = bounds.get(name, 0.0)
            jump, status = self.estimator.jump(points, bound, bounds.get("treated", 0.0))
            row = {
                "outcome": name,
                "months": measures.months[place],
                "status": status,
                "n_missing": int((~known).sum()),
                "curvature": bounds.get(name, math.nan),
            }
            rows.append(row | self._described(points, jump, status))
            if jump is None or status != ESTIMATED:
                influence[:, place] = np.nan
            else:
                influence[known, place] = jump.influence
        clusters = {} if self.cluster is None else {self.cluster: self.study.cluster(self.cluster)}
        frame = pd.DataFrame(rows)
        frame["months"] = frame["months"].astype("Int64")
        count = min([len(self.x), *(len(np.unique(codes)) for codes in clusters.values())])
        # What is made of influences is n/(n - 1) times their squares: errors here are without.
        return Contrasts(frame, influence * math.sqrt((count - 1) / count), clusters)

    def _described(self, points: Points, jump: Jump | None, status: str) -> dict[str, Any]:
        """Return an effect's columns, whether it was found or not."""
        below = points.x < 0
        row: dict[str, Any] = {
            "estimand": self.estimand, "design": KIND, "method": METHODS[self.estimator.mode],
            "errors": "cluster" if self.cluster else "hc2" if self.estimator.mode == "adjacent"
            else NEIGHBOURS, "cluster": self.cluster or "",
            **dict.fromkeys(("estimate", "std_error", "conf_low", "conf_high", "p_value",
                             "relative", "freedom", "mean_treated", "mean_comparison",
                             "bandwidth", "bias_bandwidth", "conventional", "bias_bound",
                             "first_stage", "p_randomisation"), math.nan),
            "n_treated": int((~below).sum()), "n_comparison": int(below.sum()),
            "support_below": len(np.unique(points.x[below])),
            "support_above": len(np.unique(points.x[~below])),
        }  # fmt: skip
        if jump is None:
            return row
        positive = jump.below > 0 and not self.fuzzy
        row |= {
            "estimate": jump.estimate, "mean_treated": jump.above, "mean_comparison": jump.below,
            "n_treated": jump.n_above, "n_comparison": jump.n_below,
            "events_treated": jump.events[1], "events_comparison": jump.events[0],
            "relative": jump.estimate / jump.below if positive else math.nan,
            "bandwidth": jump.bandwidth, "bias_bandwidth": jump.bias_bandwidth,
            "conventional": jump.conventional, "bias_bound": jump.bias_bound,
            "first_stage": jump.first_stage, "support_below": jump.support[0],
            "support_above": jump.support[1],
        }  # fmt: skip
        if status == ESTIMATED:
            row |= {
                "std_error": jump.std_error, "conf_low": jump.low, "conf_high": jump.high,
                "p_value": jump.p_value, "freedom": jump.freedom,
                "p_randomisation": jump.p_randomisation,
            }  # fmt: skip
            if points.clusters is not None:
                row["clusters"] = len(np.unique(points.clusters[jump.used]))
        return row

    def _bounds(self, names: Iterable[str]) -> dict[str, float]:
        """Return the curvature of each outcome, and of the treatment where it is fuzzy."""
        if self.curvature is None:
            return {}
        wanted = [*names, *(["treated"] if self.fuzzy else [])]
        if not isinstance(self.curvature, Mapping):
            return dict.fromkeys(wanted, float(self.curvature))
        lacking = [name for name in wanted if name not in self.curvature]
        if lacking:
            raise ParameterError(
                f"curvature has no bound for {', '.join(lacking)}: each outcome needs one, and "
                '"treated" where the threshold is fuzzy.'
            )
        return {name: float(self.curvature[name]) for name in wanted}

    def diagnostic(
        self,
        outcomes: pd.DataFrame | pd.Series | Cohort | None = None,
        *,
        months: int | None = None,
        frequencies: float | None = None,
    ) -> ThresholdChecks:
        """Return the checks that the design could fail.

        Parameters
        ----------
        outcomes : DataFrame, Series or Cohort, optional
            Without them: whether units heap at the cutoff, whether covariates jump there, and
            whether it moves units to the programme. With them also: jumps at other cutoffs, the
            effect without the units nearest to the cutoff and with other bandwidths, and, with a
            bound on curvature, whether the means bend more.
        months : int, optional
        frequencies : float, optional
            Where the running variable has few values: how far, as a share, the frequency of a
            value may lie from the mean of its neighbours' without anybody's doing. Without it
            nothing can be said of heaps.

        Returns
        -------
        ThresholdChecks

        Raises
        ------
        ParameterError
            If frequencies is not from 0 to below 1.
        """
        if frequencies is not None and not 0 <= frequencies < 1:
            raise ParameterError(f"frequencies lies from 0 to below 1, not {frequencies!r}.")
        values: list[tuple[str, np.ndarray]] = []
        bounds: dict[str, float] = {}
        if outcomes is not None:
            measures = aligned(self.study, outcomes, months)
            values = _by_name(measures)
            bounds = self._bounds(measures.names)
        parts = (self.points, self.estimator, self.cutoff, self.covariates, bounds, frequencies)
        return checked(Asked(*parts), values, simulated=self.simulated)

    def __repr__(self) -> str:
        how = "fuzzy" if self.fuzzy else "sharp", plain(METHODS[self.estimator.mode])
        return f"Threshold: {self.running} at {self.cutoff:g}, {', '.join(how)}"


def threshold(
    records: pd.DataFrame | Study | Cohort,
    running: str,
    cutoff: float,
    *,
    treated: str | None = None,
    bandwidth: float | None = None,
    kernel: str = "triangular",
    order: int = 1,
    covariates: str | Iterable[str] = (),
    cluster: str | None = None,
    level: float = 0.95,
    discrete: str = AUTO,
    curvature: float | Mapping[str, float] | None = None,
    draws: int = 999,
    seed: int = 1,
) -> Threshold:
    """Compare units on either side of a cutoff, such as the number of criteria that is needed.

    Parameters
    ----------
    records : DataFrame, Study or Cohort
        One row a unit. A study has the running variable among its covariates. A cohort has the
        number of criteria a family met at identification, as "criteria_met", too.
    running : str
        The running variable: numbers, none missing.
    cutoff : float
        Who has it or more is above.
    treated : str, optional
        Who was treated, 0 or 1, where not all above were, or some below: the design is then fuzzy,
        and the effect is the jump of the outcome over that of the treatment. Without it, whoever
        is above counts as treated.
    bandwidth : float, optional
        In units of the running variable. By default the one with the least (greatest) mean
        squared error, one for each outcome; between adjacent values, these alone.
    kernel : {"triangular", "epanechnikov", "uniform"}
    order : int, default 1
        Of the local polynomial, up to 3; honest intervals are of order 1.
    covariates : str or iterable of str
        Measured before, adjusted for: they make errors smaller, and cannot mend a jump of theirs.
    cluster : str, optional
        For a cohort by default the local authority. Intervals are then by t with as many degrees
        of freedom as clusters are used, less one: wider than R's, which are by the normal.
    level : float, default 0.95
        Of the intervals, which are the design's own: a level given to `estimate` does not move
        them.
    discrete : {"auto", "continuous", "honest", "adjacent"}
        What to do about a running variable of few values. "continuous" is a local polynomial with
        a robust interval, and has none where there are fewer than 8 values within the bandwidth on
        a side. "honest" is a line on either side, with an interval that holds for any curve up to
        `curvature`. "adjacent" takes the values next to the cutoff alone, as if drawn by lot.
        "auto" is "continuous" from 8 values on each side; with fewer "honest" where a curvature is
        given, else "adjacent".
    curvature : float or mapping of str to float, optional
        Bound K on the second derivative of the outcome's mean, in the outcome's unit over squared
        units of the running variable; by outcome, and "treated" where fuzzy. It is chosen from
        what is known, never from these data; the table of effects shows it.
    draws, seed : int
        Of permutations, between adjacent values.

    Returns
    -------
    Threshold

    Raises
    ------
    ParameterError
        If a setting or column is unknown, or settings do not fit together.
    DataError
        If the running variable is missing somewhere, or all units are on one side.

    Notes
    -----
    The effect is of units at the cutoff, and says nothing of those far above it. An honest
    interval counts the worst bias, and its error does not: an appraisal, made of estimates and
    errors, takes that bias for nought.

    The bandwidth of a fuzzy design is R's, which moves a little with the level of the outcome.

    A cohort that compares with families below the threshold has above it only those who joined;
    a frame of all who were assessed has everybody.

    References
    ----------
    Calonico, Cattaneo and Titiunik (2014), Econometrica 82; Kolesár and Rothe (2018), American
    Economic Review 108; Cattaneo, Frandsen and Titiunik (2015), Journal of Causal Inference 3.

    Examples
    --------
    >>> from tfeval.impact.effects.estimate import estimate
    >>> rng = np.random.default_rng(1)
    >>> frame = pd.DataFrame({"score": rng.uniform(-1, 1, 2000)})
    >>> frame["offences"] = 2 + frame["score"] - (frame["score"] >= 0) + rng.normal(size=2000)
    >>> design = threshold(frame, "score", 0)
    >>> design
    Threshold: score at 0, sharp, local polynomial
    >>> estimate(design, frame["offences"]).to_frame()["conf_high"].lt(0).tolist()
    [True]
    >>> design.diagnostic().failed
    ()

    Few values: those next to the cutoff, or a bound on how the outcome may curve.

    >>> frame["criteria"] = (2 * frame["score"]).round() + 2
    >>> threshold(frame, "criteria", 2)
    Threshold: criteria at 2, sharp, local randomisation
    >>> threshold(frame, "criteria", 2, curvature=0.1)
    Threshold: criteria at 2, sharp, honest local linear
    """
    check_level(level)
    if not isinstance(cutoff, Real) or not math.isfinite(cutoff):
        raise ParameterError(f"cutoff is a number, not {cutoff!r}.")
    names = [covariates] if isinstance(covariates, str) else list(covariates)
    if not isinstance(draws, int | np.integer) or draws < 99:
        raise ParameterError(f"draws: at least 99 are needed, not {draws!r}.")
    check_bounds(discrete, curvature, treated is not None)
    made, x = units_of(records, (running, float(cutoff)), treated, names, cluster)
    sides = tuple(len(np.unique(x[side])) for side in (x < 0, x >= 0))
    mode = discrete
    if discrete == AUTO:
        mode = "adjacent" if curvature is None else "honest"
        mode = "continuous" if min(sides) >= FEWEST_SUPPORT else mode
    own = {one.name for one in made.covariates.columns if one.source in names}
    columns = tuple(name for name in made.covariates.names if name in own)
    check_covariates(made, columns, x)
    clusters = cluster if cluster is not None else next(iter(made.clusters), None)
    if clusters is not None:
        made.cluster(clusters)  # refused if the study has none of the name
    return Threshold(
        study=made, running=running, cutoff=float(cutoff), x=x, fuzzy=treated is not None,
        covariates=columns, cluster=clusters, curvature=curvature if mode == "honest" else None,
        estimator=Estimator(mode, kernel, order, bandwidth, level, draws, seed),
        estimand=ESTIMANDS[treated is not None], assumption=_ASSUMPTIONS[mode],
        notes=_notes(mode, sides, running, curvature, made), simulated=made.simulated,
    )  # fmt: skip


def _by_name(measures: Outcomes) -> list[tuple[str, np.ndarray]]:
    return list(zip(measures.names, measures.values.T, strict=True))  # noqa: PD011


def _notes(
    mode: str, sides: tuple[int, ...], running: str,
    curvature: float | Mapping[str, float] | None, made: Study,
) -> tuple[str, ...]:  # fmt: skip
    notes = []
    if min(sides) < FEWEST_SUPPORT:
        notes.append(
            f"Values of {running}: {sides[0]} below the cutoff, {sides[1]} above. That is too few "
            "for a bandwidth to have a meaning, so a local polynomial has no error of its own."
        )
    if mode == "honest":
        bounds = curvature if isinstance(curvature, Mapping) else {"all outcomes": curvature}
        listed = ", ".join(f"{name} {bound:g}" for name, bound in bounds.items())
        notes.append(f"Bound on curvature (K), chosen and not estimated: {listed}. The interval "
                     "counts the worst bias within it; the error does not.")  # fmt: skip
    notes.append("Treated and comparison are here the units above and below, within the bandwidth; "
                 "means are those at the cutoff.")  # fmt: skip
    if mode == "continuous":
        notes.append("Estimates have their bias taken off; intervals count that it is estimated.")
    if (group := made.cohort.get("comparison")) in CAVEATS:
        notes.append(CAVEATS[group])
    if made.cohort:
        notes.append("Whoever met enough criteria and never joined may be in no arm of the cohort, "
                     "so those above the cutoff are not all who came above it.")  # fmt: skip
    return tuple(notes)
