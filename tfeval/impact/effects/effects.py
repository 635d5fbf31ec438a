"""The one table of effects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tfeval.display.rich import Tabled
from tfeval.display.tables import Table
from tfeval.errors import DataError, ParameterError, check_seed
from tfeval.impact.effects.chart import forest_chart
from tfeval.impact.effects.columns import (
    COLUMNS,
    MADE_BY,
    FromModels,
    among,
    check_columns,
    complete,
    families,
    stacked,
)
from tfeval.impact.effects.multiple import adjusted, from_replicates
from tfeval.impact.effects.words import effects_table, hidden_rows, in_full, label_of
from tfeval.impact.inference.rules import FEWEST_EVENTS_POOLED, FEWEST_POOLED

if TYPE_CHECKING:
    from tfeval.display.figures import Chart
    from tfeval.impact.effects.areas import AreaEffects
    from tfeval.impact.inference.pooled import ForPooling

#: Of areas whose errors are made for pooling.
POOLED_VARIANCE = (
    "Errors take outcomes to vary as much within an arm of one area as of another; areas of fewer "
    f"than {FEWEST_POOLED} in an arm, or where fewer than {FEWEST_EVENTS_POOLED} of an arm would "
    "have the rarer values of the outcome, are left out."
)

__all__ = ["COLUMNS", "Effects", "combine_effects"]


@dataclass(frozen=True, eq=False, repr=False)
class Effects(FromModels, Tabled):
    """Effects of one design on many outcomes, with how they vary together.

    Attributes
    ----------
    frame : DataFrame
        One row an effect, columns `COLUMNS`. Of those, outcome, estimate and std_error are
        needed; others that lack are added, unknown.
    joint : ndarray, shape (rows, rows)
        Covariance of the estimates.
    level : float
        Of the confidence intervals.
    settings : mapping
        Of the design and the estimate. For readers: `labels` (outcome to words), `units` (outcome
        to unit, "share" or "0 or 1" being shown as percentages), `groups` (outcome to its group),
        `who` ("families" or "people"), `title`.
    notes : tuple of str
        What a reader must know.
    simulated : bool
        Whether the records are simulated.
    pooling : ForPooling or None
        Effects by group as they enter `pool`, with errors that hold for small groups.

    Raises
    ------
    DataError
        If a needed column lacks, or the covariance has another shape.

    Examples
    --------
    >>> rows = pd.DataFrame({"outcome": ["offences"], "estimate": [-0.2], "std_error": [0.1]})
    >>> Effects(rows, np.array([[0.01]])).to_frame()["population"].tolist()
    ['all']
    """

    frame: pd.DataFrame
    joint: np.ndarray
    level: float = 0.95
    settings: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    simulated: bool = False
    pooling: ForPooling | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        rows = len(self.frame)
        if np.shape(self.joint) != (rows, rows):
            raise DataError(
                f"{rows} effects need a covariance of {rows} by {rows}, not {np.shape(self.joint)}."
            )
        object.__setattr__(self, "frame", complete(self.frame))

    def to_frame(self) -> pd.DataFrame:
        """Return the effects, one a row, with the columns `COLUMNS`: exact, for computing."""
        return self.frame.copy()

    @property
    def names(self) -> list[str]:
        """Name each row: its outcome, with what else is needed to tell it from the others."""
        names = self.frame["outcome"].astype(str)
        for column in ("population", "months", "estimand", *MADE_BY):
            if not names.duplicated().any():
                break
            if self.frame[column].nunique(dropna=False) > 1:
                names = names + ", " + self.frame[column].astype(str)
        return names.tolist()

    def covariance(self) -> pd.DataFrame:
        """Return the joint covariance of the estimates, named as `names`."""
        return pd.DataFrame(self.joint, index=self.names, columns=self.names)

    def correlation(self) -> np.ndarray:
        """Return the joint correlation, shape (rows, rows); 0 beside an estimate without error."""
        spread = np.sqrt(np.maximum(np.diag(self.joint), 0.0))
        scale = np.divide(1.0, spread, out=np.zeros(len(spread)), where=spread > 0)
        matrix = np.nan_to_num(self.joint * np.outer(scale, scale))
        np.fill_diagonal(matrix, 1.0)
        return matrix

    def select(
        self,
        outcome: str | Iterable[str] | None = None,
        population: str | Iterable[str] | None = None,
        months: int | Iterable[int] | None = None,
        **columns: Any,
    ) -> Effects:
        """Return some of the effects, and their covariance.

        Parameters
        ----------
        outcome, population : str or iterable of str, optional
        months : int or iterable of int, optional
        **columns
            Any other of `COLUMNS`, such as ``planned=True``.

        Raises
        ------
        ParameterError
            If a column or value is not there, or nothing is left.

        Examples
        --------
        >>> rows = pd.DataFrame({"outcome": ["a", "b"], "estimate": [1.0, 2], "std_error": [1, 1]})
        >>> Effects(rows, np.eye(2)).select("b").to_frame()["estimate"].tolist()
        [2.0]
        """
        kept = np.ones(len(self.frame), dtype=bool)
        criteria = {"outcome": outcome, "population": population, "months": months, **columns}
        for name, wanted in criteria.items():
            if wanted is not None:
                kept &= among(self.frame, name, wanted)
        if not kept.any():
            raise ParameterError("No effect has all of what was asked for.")
        return self._some(kept)

    def _some(self, kept: np.ndarray) -> Effects:
        rows = np.flatnonzero(kept)
        pooling = None if self.pooling is None else self.pooling.some(rows)
        joint = self.joint[np.ix_(rows, rows)]
        return replace(self, frame=self.frame.iloc[rows], joint=joint, pooling=pooling)

    def with_corrections(
        self,
        method: str = "holm",
        family: str | Iterable[str] | None = None,
        seed: int = 1,
        replicates: np.ndarray | None = None,
    ) -> Effects:
        """Return the effects with adjusted p-values; see `correct`.

        Parameters
        ----------
        method, family, seed
            As in `correct`.
        replicates : ndarray, shape (draws, rows), optional
            Bootstrap replicates of the estimates, for Romano-Wolf in place of normal draws.
        """
        columns = (family,) if isinstance(family, str) else tuple(family or ())
        check_columns(self.frame, columns)
        check_seed(seed)
        if replicates is not None and method != "romano_wolf":
            raise ParameterError("Only romano_wolf uses replicates: leave them out.")
        rng = np.random.default_rng(seed)
        p, correlation = self.frame["p_value"].to_numpy(dtype=float), self.correlation()
        p_adjusted = np.full(len(p), np.nan)
        for rows in families(self.frame, columns):
            if replicates is None:
                inside = correlation[np.ix_(rows, rows)]
                p_adjusted[rows] = adjusted(method, p[rows], inside, rng)
            else:
                p_adjusted[rows] = self._from_replicates(rows, replicates)
        drawn = replicates is None
        done = {"method": method, "family": columns, "seed": seed, "drawn": drawn}
        settings = {**self.settings, "correction": done}
        made = replace(self, frame=self.frame.assign(p_adjusted=p_adjusted), settings=settings)
        # A plan says what is corrected together, so it looks again.
        plan = settings.get("held_to")
        return made if plan is None else plan.mark(made)

    def _from_replicates(self, rows: np.ndarray, replicates: np.ndarray) -> np.ndarray:
        if np.ndim(replicates) != 2 or replicates.shape[1] != len(self.frame):
            raise ParameterError(f"Give replicates of all {len(self.frame)} estimates, one a row.")
        own = self.frame.iloc[rows]
        estimate = own["estimate"].to_numpy(dtype=float)
        error = own["std_error"].to_numpy(dtype=float)
        t = np.divide(estimate, error, out=np.full(len(rows), np.nan), where=error > 0)
        spread = (replicates[:, rows] - estimate) / np.where(error > 0, error, np.nan)
        return from_replicates(t, spread, own["p_value"].to_numpy(dtype=float))

    def combine(self, *others: Effects) -> Effects:
        """Return these effects with those of other designs; see `combine_effects`."""
        return combine_effects([self, *others])

    def pool(
        self,
        outcome: str | None = None,
        *,
        estimator: str = "reml",
        prior: str = "half_cauchy",
        prior_scale: float | None = None,
        better: str = "lower",
        level: float | None = None,
        label: str | None = None,
        seed: int = 1,
        draws: int = 4000,
    ) -> AreaEffects:
        """Return effects by area (the populations) of one outcome, partly pooled.

        Parameters
        ----------
        outcome : str, optional
            Needed where there are several.
        estimator, prior, prior_scale, better, level, label, seed, draws
            As in `pool_areas`; level and label are these effects' own by default.

        Notes
        -----
        Errors are made with one variance an arm for all areas, since an area's own is hardly known
        where few of it were treated; areas of fewer than five in an arm are left out.
        """
        from tfeval.impact.effects.areas import pool_areas  # noqa: PLC0415

        some = self if outcome is None else self.select(outcome)
        frame = some.frame
        if frame["population"].duplicated().any():
            raise ParameterError(
                "An area stands in several rows: select one outcome, months and method first."
            )
        words = in_full(self.settings)["labels"]
        own = label_of(frame["outcome"].iloc[0], words)
        pooling = some.pooling
        estimates, joint = (frame["estimate"], some.joint) if pooling is None else (
            pooling.estimates, pooling.covariance
        )  # fmt: skip
        areas = pool_areas(
            estimates, np.sqrt(np.diag(joint)), frame["population"], covariance=joint,
            n_treated=frame["n_treated"], n_comparison=frame["n_comparison"],
            hidden=hidden_rows(frame), simulated=self.simulated,
            level=self.level if level is None else level, label=own if label is None else label,
            estimator=estimator, prior=prior, prior_scale=prior_scale, better=better, seed=seed,
            draws=draws,
        )  # fmt: skip
        return areas if pooling is None else replace(areas, notes=(*areas.notes, POOLED_VARIANCE))

    def table(self) -> Table:
        """Return the effects as a table for readers, small numbers hidden."""
        return effects_table(
            self.frame, self.settings, self.notes, level=self.level, simulated=self.simulated
        )

    def plot(
        self, scale: str | None = None, *, group: str | None = None, title: str | None = None
    ) -> Chart:
        """Draw the effects with their intervals; see `forest_chart`."""
        return forest_chart(
            self.frame, self.settings, scale=scale, group=group, title=title,
            level=self.level, simulated=self.simulated,
        )  # fmt: skip


def combine_effects(several: Iterable[Effects]) -> Effects:
    """Stack the effects of several designs into one table.

    Parameters
    ----------
    several : iterable of Effects
        With intervals of one level.

    Returns
    -------
    Effects
        The covariance between designs is 0; that is right for designs of different families. The
        p-values are to be corrected again.

    Raises
    ------
    ParameterError
        If there is none, or the levels differ.

    Examples
    --------
    >>> rows = pd.DataFrame({"outcome": ["a"], "estimate": [1.0], "std_error": [1.0]})
    >>> one = Effects(rows.assign(population="girls"), np.eye(1))
    >>> combine_effects([one, Effects(rows.assign(population="boys"), np.eye(1))]).names
    ['a, girls', 'a, boys']
    """
    parts = list(several)
    if not parts:
        raise ParameterError("Give at least one table of effects to combine.")
    if len({part.level for part in parts}) > 1:
        raise ParameterError("The effects have intervals of different levels: estimate them alike.")
    frame, joint, settings = stacked(parts)
    notes = dict.fromkeys(note for part in parts for note in part.notes)
    if len(parts) > 1:
        notes["The designs are taken as independent of each other."] = None
    return Effects(
        frame=frame.assign(p_adjusted=np.nan), joint=joint, level=parts[0].level,
        settings=settings, notes=tuple(notes),
        simulated=any(part.simulated for part in parts),
    )  # fmt: skip
