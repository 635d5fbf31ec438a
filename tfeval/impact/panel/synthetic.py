"""Areas against weighted areas: synthetic control and synthetic difference-in-differences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from tfeval.display.rich import Rich
from tfeval.errors import DataError, ParameterError, check_choice
from tfeval.impact.design.protocol import Contrasts
from tfeval.impact.effects.columns import check_level
from tfeval.impact.panel.panel import Panel, each_fitted, not_fitted
from tfeval.impact.panel.synthetic_effect import SyntheticEffect
from tfeval.impact.panel.two_way_weights import (
    DID,
    KINDS,
    SYNTHETIC_CONTROL,
    SYNTHETIC_DID,
    Block,
    fitted,
    noise_of,
)
from tfeval.impact.study.checks import names_of

ERRORS = ("placebo", "permutation", "jackknife", "bootstrap")
MISSING = ("refuse", "drop")
_ASSUMPTIONS = {
    DID: "without the programme treated and comparison units would have changed alike on average",
    SYNTHETIC_CONTROL: (
        "what weights on comparison units reproduce before, they would have reproduced after"
    ),
    SYNTHETIC_DID: (
        "without the programme treated units would have changed as the weighted comparison units "
        "did, from the weighted periods before"
    ),
}


@dataclass(frozen=True, eq=False)
class Synthetic(Rich):
    """A comparison of areas with weighted areas, made for any outcome of a panel.

    Attributes
    ----------
    treated, first, kind, covariates, errors, draws, seed, level, noise, missing
        As in `synthetic`.
    estimand : str
    simulated : bool
    """

    treated: str
    first: int | str
    kind: str = SYNTHETIC_DID
    covariates: tuple[str, ...] = ()
    errors: str = "placebo"
    draws: int = 200
    seed: int = 1
    level: float = 0.95
    noise: float | None = None
    missing: str = "refuse"
    estimand: str = "ATT"
    simulated: bool = False

    @property
    def assumption(self) -> str:
        """What must be true for the contrast to be an effect."""
        return _ASSUMPTIONS[self.kind]

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know."""
        notes = ["Units are areas, each counted once however large."]
        if self.errors in ("placebo", "permutation"):
            notes.append(
                "Errors are the spread of effects on units without the programme: they hold if the "
                "treated vary as much."
            )
        if self.covariates:
            notes.append("The covariates' slopes are taken as known.")
        return tuple(notes)

    def fit(self, panel: Panel, outcome: str) -> SyntheticEffect:
        """Return the effect on one outcome.

        Parameters
        ----------
        panel : Panel
        outcome : str
            One of its outcomes.

        Raises
        ------
        ParameterError
            If the panel has not what the design names.
        DataError
            If a cell is missing and `missing` is "refuse", or if nothing can be compared.
        """
        treated, starts = self._starts(panel)
        layers = np.stack([panel.outcome(name) for name in (outcome, *self.covariates)])
        lacking = np.isnan(layers).any(axis=(0, 2))
        if lacking.any() and self.missing == "refuse":
            raise DataError(
                f"{int(lacking.sum())} of {len(lacking)} units have missing cells of {outcome}"
                f"{' or a covariate' if self.covariates else ''}: choose other periods, or "
                'missing="drop" to leave those units out.'
            )
        comparison = np.flatnonzero(~treated & ~lacking)
        groups = [
            (int(start), np.flatnonzero(treated & ~lacking & (starts == start)))
            for start in np.unique(starts[treated & ~lacking])
        ]
        if not len(comparison) or not groups:
            raise DataError(
                f"{len(comparison)} comparison and {sum(len(at) for _, at in groups)} treated "
                f"units have every period of {outcome}: one of each is needed."
            )
        values, slopes = _residual(layers, comparison, self.covariates)
        blocks = tuple(self._block(panel, values, comparison, start, at) for start, at in groups)
        order = np.concatenate([comparison, *(at for _, at in groups)])
        return SyntheticEffect(
            outcome=outcome, units=panel.units[order], times=panel.times,
            first=tuple(start for start, _ in groups), blocks=blocks,
            solved=tuple(fitted(blocks)), dropped=int(lacking.sum()), slopes=slopes,
            errors=self.errors, draws=self.draws, seed=self.seed, level=self.level,
            simulated=panel.simulated,
        )  # fmt: skip

    def _starts(self, panel: Panel) -> tuple[np.ndarray, np.ndarray]:
        """Return which units are treated, and from when; NaN for those that are not."""
        given = pd.Series(panel.column(self.treated))
        if not given.isin([True, False]).all():
            raise DataError(f"Column {self.treated} must be true or false for every unit.")
        treated = given.astype(bool).to_numpy()
        if not isinstance(self.first, str):
            return treated, np.where(treated, float(self.first), np.nan)
        starts = panel.numbers(self.first, infinite=True)
        wrong = int((treated != np.isfinite(starts)).sum())
        if wrong:
            raise DataError(
                f"{wrong} units have a first treated period in {self.first} and are not "
                f"{self.treated}, or the reverse: give one to each treated unit and no other."
            )
        if (np.floor(starts) != starts)[treated].any():
            raise DataError(f"Column {self.first} must hold whole numbers of periods.")
        return treated, starts

    def _block(
        self, panel: Panel, values: np.ndarray, comparison: np.ndarray, start: int, at: np.ndarray
    ) -> Block:
        before, fewest = int((panel.times < start).sum()), 1 if self.kind == DID else 2
        if before < fewest or before == len(panel.times):
            raise DataError(
                f"First treated in {start}, units have {before} periods before and "
                f"{len(panel.times) - before} after: {fewest} before and 1 after are needed."
            )
        donors = values[comparison]
        noise = self.noise
        if noise is None:
            noise = noise_of(donors[:, :before]) if before * len(donors) > 2 and before > 1 else 0.0
        return Block(self.kind, donors, values[at], before, noise)

    def contrasts(self, outcomes: Panel, months: int | None = None) -> Contrasts:
        """Return effects on all outcomes of a panel but the covariates, with influences.

        Units are those of the panel; one that is left out of an outcome has no influence on it.

        Raises
        ------
        ParameterError, DataError
            As from `fit`.
        """
        names = [name for name in outcomes.outcomes if name not in self.covariates]
        influence, rows = np.zeros((len(outcomes.units), len(names))), []
        fits = each_fitted(partial(self.fit, outcomes), names)
        for column, (name, one) in enumerate(fits):
            if one is None:
                rows.append(not_fitted(name))
                influence[:, column] = np.nan
                continue
            influence[outcomes.units.get_indexer(one.units), column] = one.influence
            rows.append(one.row())
        return Contrasts(pd.DataFrame(rows), influence)

    def diagnostic(self, panel: Panel | None = None) -> pd.DataFrame:
        """Return what bears on the comparison, a row an outcome, as from `SyntheticEffect`.

        Parameters
        ----------
        panel : Panel
            What the design is to be tried on; without one nothing is known.

        Raises
        ------
        ParameterError
            Without a panel.
        """
        if panel is None:
            raise ParameterError("How well areas fit depends on outcomes: give diagnostic a panel.")
        names = [name for name in panel.outcomes if name not in self.covariates]
        rows = [self.fit(panel, name).diagnostic() for name in names]
        return pd.concat(rows, ignore_index=True)


def _residual(
    layers: np.ndarray, comparison: np.ndarray, names: Sequence[str]
) -> tuple[np.ndarray, pd.Series]:
    """Return the outcome less its covariates, by slopes within units and periods of comparison."""
    if not names:
        return layers[0], pd.Series(dtype=float)
    donors = layers[:, comparison]
    within = donors - donors.mean(axis=1, keepdims=True) - donors.mean(axis=2, keepdims=True)
    within = (within + donors.mean(axis=(1, 2), keepdims=True)).reshape(len(layers), -1)
    slopes = np.linalg.lstsq(within[1:].T, within[0], rcond=None)[0]
    return layers[0] - np.tensordot(slopes, layers[1:], axes=1), pd.Series(slopes, list(names))


def synthetic(
    treated: str,
    *,
    first: int | str,
    kind: str = SYNTHETIC_DID,
    covariates: str | Iterable[str] = (),
    errors: str = "placebo",
    draws: int = 200,
    seed: int = 1,
    level: float = 0.95,
    noise: float | None = None,
    missing: str = "refuse",
) -> Synthetic:
    """Return a design that sets treated areas against weighted areas.

    Parameters
    ----------
    treated : str
        A fixed column of the panel: whether a unit is ever treated.
    first : int or str
        The first treated period; or a fixed column of them, missing for who is never treated.
        Units first treated in one period are then compared with those never treated, and the
        effects averaged by their treated cells.
    kind : {"synthetic_difference_in_differences", "synthetic_control", \
"difference_in_differences"}
        One weighted two-way comparison with three choices of weights: of units and of periods
        before, each with a difference in level allowed for; of units alone, in levels; or none.
    covariates : str or iterable of str, optional
        Outcomes of the panel. Their slopes, by two-way fixed effects among the comparison units,
        are taken off first (Kranz 2022), and errors take them as known.
    errors : {"placebo", "permutation", "jackknife", "bootstrap"}
        "placebo" (Algorithm 4): the spread of effects on sets of comparison units, as many as are
        treated, with t on one fewer degrees of freedom than comparison units. "permutation": the
        rank among them, and the effects that it does not refuse. "jackknife" (Algorithm 3): units
        left out, weights held; not for a synthetic control. "bootstrap" (Algorithm 2): units drawn
        again, weights made again. The last two need two treated units or more.
    draws : int, default 200
        Of sets or samples; where there are fewer sets than this, all are taken once.
    seed : int, default 1
    level : float, default 0.95
        Of the interval.
    noise : float, optional
        Standard deviation that penalties are multiples of: by default that of the comparison's
        first differences before, which period effects that do not follow a line add to.
    missing : {"refuse", "drop"}
        Units with a missing cell are refused, or left out and counted. Nothing is filled.

    Returns
    -------
    Synthetic
        `fit(panel, outcome)` for one outcome, `estimate(design, panel)` for all.

    Raises
    ------
    ParameterError
        If a setting is unknown or does not fit another.

    References
    ----------
    Arkhangelsky, Athey, Hirshberg, Imbens and Wager (2021), Synthetic difference-in-differences,
    AER 111. Abadie, Diamond and Hainmueller (2010), Synthetic control methods for comparative case
    studies, JASA 105. Clarke, Pailanir, Athey and Imbens (2023), Synthetic
    difference-in-differences estimation, on staggered treatment. Kranz (2022), Synthetic
    difference-in-differences with time-varying covariates. Penalties are those of the R package
    synthdid; weights are at the optimum that its iterations approach.

    Examples
    --------
    >>> from tfeval.impact.panel.panel import panel
    >>> rng = np.random.default_rng(1)
    >>> rows = pd.DataFrame([(unit, year) for unit in range(20) for year in range(2005, 2017)],
    ...                     columns=["area", "year"])
    >>> rows["pilot"] = rows["area"] < 2
    >>> rows["rate"] = rows["area"] + 0.5 * (rows["year"] - 2005) + rng.normal(0, 0.2, len(rows))
    >>> rows.loc[rows["pilot"] & (rows["year"] >= 2012), "rate"] -= 3
    >>> areas = panel(rows, unit="area", time="year", outcomes=["rate"], fixed=["pilot"])
    >>> effect = synthetic("pilot", first=2012).fit(areas, "rate")
    >>> bool(effect.conf_low < -3 < effect.conf_high), round(effect.estimate)
    (True, -3)
    """
    for name, given, known in (
        ("kind", kind, KINDS), ("errors", errors, ERRORS), ("missing", missing, MISSING),
    ):  # fmt: skip
        check_choice(name, given, known)
    check_level(level)
    if not isinstance(draws, int | np.integer) or draws < 20:
        raise ParameterError(f"draws: at least 20 are needed, not {draws!r}.")
    if isinstance(first, bool) or not isinstance(first, int | np.integer | str):
        raise ParameterError("first is a whole number, or the name of a fixed column.")
    if noise is not None and not noise > 0:
        raise ParameterError(f"noise is a standard deviation above 0, not {noise!r}.")
    if kind == SYNTHETIC_CONTROL and errors == "jackknife":
        raise ParameterError(
            'The jackknife is not valid for a synthetic control: take errors="placebo".'
        )
    return Synthetic(
        treated=treated, first=first, kind=kind, covariates=tuple(names_of(covariates)),
        errors=errors, draws=int(draws), seed=seed, level=level, noise=noise, missing=missing,
    )  # fmt: skip
