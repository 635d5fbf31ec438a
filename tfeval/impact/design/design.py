"""A design: who is compared with whom, with what weight. It holds no outcome."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tfeval.calls import Checked
from tfeval.display.names import FATES as NAMES_OF_FATES
from tfeval.display.names import SIMULATED, design_words, estimand_words
from tfeval.display.tables import Table, safe_count, table
from tfeval.errors import DataError, ParameterError
from tfeval.impact.balance.rows import effective_sample_size, members_of_pairs
from tfeval.impact.study.covariates import free_name
from tfeval.impact.study.study import Study

if TYPE_CHECKING:
    from tfeval.display.figures import Chart
    from tfeval.impact.balance.balance import Balance


# A design as a data frame, for models and charts that are not this package's own.


def members(
    sets: np.ndarray | None, pairs: np.ndarray | None, shares: np.ndarray | None, method: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Return the members of a design's matched sets.

    Parameters
    ----------
    sets, pairs, shares : ndarray or None
        As `sets`, `pairs` and `pair_shares` of a design.
    method : str
        What an error calls the design.

    Returns
    -------
    rows, sets : ndarray of int, shape (members,)
    weights : ndarray of float, shape (members,), or None
        Within the set; None where each unit stands in one, and the design's weights hold.
    """
    if sets is not None:
        rows = np.flatnonzero(sets >= 0)
        return rows, sets[rows], None
    if pairs is None:
        raise ParameterError(
            f"{method}: this design has no matched sets. Leave pairs out, for one row a unit."
        )
    return members_of_pairs(pairs, shares)


def set_codes(sets: np.ndarray | None, size: int) -> pd.Series:
    """Return the codes of matched sets, missing for units in none (-1), or for all."""
    codes = pd.Series(np.full(size, -1) if sets is None else sets, dtype="Int64")
    return codes.mask(codes < 0)


def frame_of(
    study: Study, rows: np.ndarray, own: Mapping[str, Any], *, covariates: bool
) -> pd.DataFrame:
    """Return rows of a study with a design's own columns before the study's.

    Parameters
    ----------
    rows : ndarray of int
        Positions, which may repeat.
    own : mapping of str to array
        The design's columns, of these rows.
    covariates : bool
        Whether to add the covariates, as numbers.

    Returns
    -------
    DataFrame
        With the study's index. No two columns have the same name: the design's own keep theirs.
    """
    columns: dict[str, Any] = {name: pd.Series(values).array for name, values in own.items()}
    clusters = dict(study.clusters)
    if study.family is not None:
        clusters.setdefault("family", study.family)
    if study.strata is not None:
        columns["stratum"] = study.strata[rows]
    both = set()
    for name, codes in clusters.items():
        if name not in columns:
            both.add(name)
        columns[_free(name, "cluster", columns)] = codes[rows]
    if covariates:
        values = study.covariates.rows(rows)
        for place, column in enumerate(study.covariates.columns):
            # A number that is a cluster too tells clusters apart as well as their codes do.
            same = column.name == column.source and column.source in both
            name = column.name if same else _free(column.name, "covariate", columns)
            columns[name] = values[:, place]
    return pd.DataFrame(columns, index=study.index[rows])


def _free(name: str, role: str, columns: Mapping[str, Any]) -> str:
    return name if name not in columns else free_name(f"{name} ({role})", set(columns))


#: Why a unit has no weight, by code.
FATES = ("kept", "not_needed", "outside_caliper", "none_left", "off_support", "lone_stratum",
         "trimmed", "not_asked")  # fmt: skip
KEPT, NOT_NEEDED, OUTSIDE_CALIPER, NONE_LEFT, OFF_SUPPORT, LONE_STRATUM, TRIMMED, NOT_ASKED = range(
    len(FATES)
)


@dataclass(frozen=True, eq=False)
class WeightModel:
    """How estimated weights hang on their own parameters, for errors that count it.

    The parameters solve sum of `residual * (x - centre) = 0`, and the weight's derivative with
    respect to them is `slope * (x - centre)`. Here x are the study's covariates, with a leading
    1 if `intercept`.
    """

    #: residual, slope: (n,).
    residual: np.ndarray
    slope: np.ndarray
    #: (k, k): minus the derivative of the summed equations; its inverse times a unit's equation is
    #: the unit's influence on the parameters.
    information: np.ndarray
    centre: np.ndarray | None = None  # (k,)
    intercept: bool = True


@dataclass(frozen=True, eq=False)
class Design(Checked):
    """The common currency of every method of comparison.

    Attributes
    ----------
    study : Study
        Who and on what.
    method : str
        How the comparison was made, as a key such as "nearest" or "entropy"; `title` says it in
        words.
    estimand : {"ATT", "ATE", "ATC", "ATO"}
        Whose effect the weights stand for.
    weights : ndarray of float, shape (n,)
        Of the design and the sampling together; 0 for units left out.
    fate : ndarray of int8, shape (n,)
        Why a unit was left out, as a place in `FATES`.
    settings : mapping
        What was asked for, and what was chosen on the way.
    target : ndarray of float, shape (n,)
        Weights of the population that the estimand is about.
    sets : ndarray of int or None, shape (n,)
        Matched set of each unit, from 0; -1 for none. None where units may stand in several.
    pairs : ndarray of int or None, shape (pairs, 2)
        Rows of the treated unit and of its match.
    pair_shares : ndarray of float or None, shape (pairs,)
        What each match counts for its treated unit.
    score : ndarray of float or None, shape (n,)
        Probability of being treated.
    distance : ndarray of float or None, shape (n,)
        What was matched on, such as the linear predictor.
    weight_model : WeightModel, tuple of them or None
        For weights that were estimated: one model, or one for each arm.
    folds : ndarray of int or None, shape (n,)
        Fold whose rows were not used for a unit's score.
    units : ndarray of int or None, shape (n,)
        Which unit each row is, where units stand in several rows.
    notes : tuple of str
        What a reader must know.
    again : callable or None
        Makes the same design for another study, as a bootstrap needs it.
    """

    study: Study
    method: str
    estimand: str
    weights: np.ndarray
    fate: np.ndarray
    settings: Mapping[str, Any]
    target: np.ndarray
    sets: np.ndarray | None = None
    pairs: np.ndarray | None = None
    pair_shares: np.ndarray | None = None
    score: np.ndarray | None = None
    distance: np.ndarray | None = None
    weight_model: WeightModel | tuple[WeightModel, ...] | None = None
    folds: np.ndarray | None = None
    units: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    again: Callable[[Study], Design] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        weighted = self.weights > 0
        for who, arm in (("treated", self.study.treated), ("comparison", ~self.study.treated)):
            if not np.any(weighted & arm):
                raise DataError(
                    f"{self.title}: no {who} unit is left. Widen the caliper, the strata or the "
                    "common support, or choose another comparison group."
                )

    @property
    def title(self) -> str:
        """The design in words, with its main settings."""
        return design_words(self.method, self.settings, self.study.strata_names)

    @property
    def weight_models(self) -> tuple[WeightModel, ...]:
        """The models of its weights; none where weights are known."""
        models = self.weight_model
        return () if models is None else models if isinstance(models, tuple) else (models,)

    @cached_property
    def ess(self) -> dict[str, float]:
        """Effective sample size of each arm (Kish)."""
        arms = {"treated": self.study.treated, "comparison": ~self.study.treated}
        return {who: float(effective_sample_size(self.weights[arm])) for who, arm in arms.items()}

    @cached_property
    def counts(self) -> pd.DataFrame:
        """Units by arm and fate: exact, for computing; `left_out` is for showing."""
        rows = [
            {"arm": who, "fate": name, "units": int(np.count_nonzero(self.fate[arm] == code))}
            for who, arm in (("treated", self.study.treated), ("comparison", ~self.study.treated))
            for code, name in enumerate(FATES)
        ]
        frame = pd.DataFrame(rows)
        return frame[frame["units"] > 0].reset_index(drop=True)

    def rows_counted(self, rows: np.ndarray) -> int:
        """Return how many units some rows are, shape (n,) of bool: fewer where units repeat."""
        if self.units is None:
            return int(np.count_nonzero(rows))
        return len(np.unique(self.units[rows]))

    def kept(self, treated: bool) -> int:
        """Return the units with weight in one arm."""
        arm = self.study.treated if treated else ~self.study.treated
        return int(np.count_nonzero((self.weights > 0) & arm))

    def to_frame(
        self,
        *,
        all: bool = False,  # noqa: A002
        covariates: bool = False,
        pairs: bool = False,
    ) -> pd.DataFrame:
        """Return the design as a data frame, for a model or a chart of one's own.

        Parameters
        ----------
        all : bool
            Also the units without weight. By default those with weight alone, one row each.
        covariates : bool
            Also the covariates, as numbers: categories by level, missing values filled in.
        pairs : bool
            One row a member of a matched set, by set: a unit that was matched several times has
            several rows, as `get_matches` of the R package MatchIt gives them.

        Returns
        -------
        DataFrame
            With the study's index. `treated` (0 or 1); `weight` of the design and the sampling
            together, with `pairs` within the set; `set` (missing for none, or where units stand in
            several); `score`, the probability of being treated; `distance`, what was matched on;
            `fate`, "kept" or why not, as in `FATES`; `sampling_weight`. Then `stratum` if there
            are strata, and codes from 0 of each cluster and of families; the covariates last. A
            cluster or covariate of the same name as one before has its role added: "weight
            (covariate)".

        Raises
        ------
        ParameterError
            If pairs are asked for and the design has no sets, or with `all`.

        Notes
        -----
        There is no outcome in it: join outcomes by the index. Errors of a model behind it take
        the weights as known, unless they are clustered by `set`.

        Examples
        --------
        >>> import statsmodels.api as sm
        >>> from tfeval.impact.effects.estimate import estimate
        >>> from tfeval.impact.matching.match import match
        >>> from tfeval.impact.study.study import study
        >>> rng = np.random.default_rng(1)
        >>> families = pd.DataFrame({"age": rng.normal(size=400)})
        >>> families["treated"] = (families["age"] + rng.normal(size=400) > 1).astype(int)
        >>> offences = 2 + families["age"] - 0.5 * families["treated"] + rng.normal(size=400)
        >>> design = match(study(families, covariates=["age"]), ratio=2, caliper=None)
        >>> held = design.to_frame()
        >>> model = sm.WLS(offences[held.index], sm.add_constant(held["treated"]), held["weight"])
        >>> own = estimate(design, offences.rename("offences"), method="difference").to_frame()
        >>> bool(np.isclose(model.fit().params["treated"], own["estimate"].iloc[0]))
        True
        """
        if pairs and all:
            raise ParameterError("pairs are the members of sets, so they go without all=True.")
        rows, sets, weights = np.arange(self.study.size), self.sets, self.weights
        if pairs:
            rows, sets, within = members(self.sets, self.pairs, self.pair_shares, self.title)
            weights = self.weights[rows]
            weights = weights if within is None else within * self.study.sampling[rows]
            order = np.lexsort([~self.study.treated[rows], sets])
            rows, sets, weights = rows[order], sets[order], weights[order]
        none = np.full(self.study.size, np.nan)
        score = none if self.score is None else self.score
        distance = none if self.distance is None else self.distance
        own = {
            "treated": self.study.treated[rows].astype(np.int64),
            "weight": weights,
            "set": set_codes(sets, len(rows)),
            "score": score[rows],
            "distance": distance[rows],
            "fate": pd.Categorical.from_codes(self.fate[rows], pd.Index(FATES)),
            "sampling_weight": self.study.sampling[rows],
        }
        frame = frame_of(self.study, rows, own, covariates=covariates)
        return frame if all else frame[weights > 0]

    def left_out(self) -> Table:
        """Return who was kept and who was left out, and why, as a table for readers."""
        wide = self.counts.pivot_table(index="fate", columns="arm", values="units", sort=False)
        wide = wide.reindex(columns=["treated", "comparison"]).fillna(0)
        shown = wide.map(safe_count).rename(index=NAMES_OF_FATES).reset_index()
        shown.columns = ["What became of them", "Treated", "Comparison"]
        return table(shown, f"Units kept and left out: {self.title}")

    def balance(
        self,
        *,
        prognosis: pd.DataFrame | pd.Series | None = None,
        thresholds: Mapping[str, float] | None = None,
        squares: bool = False,
        denominator: str | None = None,
    ) -> Balance:
        """Return how alike the arms are, before and after; see `balance`."""
        from tfeval.impact.balance.balance import balance  # noqa: PLC0415

        return balance(
            self, prognosis=prognosis, thresholds=thresholds, squares=squares,
            denominator=denominator,
        )  # fmt: skip

    def overlap(self) -> Chart:
        """Return the propensity score by arm, before and after; see `overlap_plot`."""
        from tfeval.impact.balance.charts import overlap_plot  # noqa: PLC0415

        return overlap_plot(self)

    def distribution(self, covariate: str) -> Chart:
        """Return a covariate's distribution by arm, before and after; see `distribution_plot`."""
        from tfeval.impact.balance.charts import distribution_plot  # noqa: PLC0415

        return distribution_plot(self, covariate)

    def summary(self) -> Table:
        """Return the design in a few lines."""
        before = {"treated": self.study.n_treated, "comparison": self.study.n_comparison}
        rows = [
            (who.capitalize(), safe_count(before[who]), safe_count(self.kept(who == "treated")),
             safe_count(self.ess[who]))
            for who in before
        ]  # fmt: skip
        frame = pd.DataFrame(rows, columns=["Arm", "Before", "Kept", "Effective sample size"])
        notes = [f"Estimand: {estimand_words(self.estimand)}.", *self.notes]
        notes += [f"{SIMULATED}."] if self.study.simulated else []
        return table(frame, self.title, notes=notes)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return self.summary()._repr_mimebundle_()

    def __repr__(self) -> str:
        return self.summary().text()


# A design of the units that count, as one of the whole study.


def of_whole(design: Design, study: Study, rows: np.ndarray) -> Design:
    """Return a design of some rows of a study as a design of all of them.

    Parameters
    ----------
    design : Design
        Of the study of `rows` alone.
    rows : ndarray of int
        Positions in `study`, rising.

    Returns
    -------
    Design
        The other units have weight 0, stand in no set or pair, have no score (NaN), and were not
        in the sample asked for.
    """

    def spread(values: np.ndarray, rest: float = 0.0) -> np.ndarray:
        whole = np.full(study.size, rest, dtype=values.dtype)
        whole[rows] = values
        return whole

    models = tuple(
        replace(model, residual=spread(model.residual), slope=spread(model.slope))
        for model in design.weight_models
    )
    return replace(
        design,
        study=study,
        weights=spread(design.weights),
        fate=spread(design.fate, NOT_ASKED),
        target=spread(design.target),
        sets=None if design.sets is None else spread(design.sets, -1),
        pairs=None if design.pairs is None else rows[design.pairs],
        score=None if design.score is None else spread(design.score, np.nan),
        distance=None if design.distance is None else spread(design.distance, np.nan),
        weight_model=models if isinstance(design.weight_model, tuple) else next(iter(models), None),
        # Predictions need a fold; that of units without weight has no say.
        folds=None if design.folds is None else spread(design.folds),
    )
