"""Whether effects differ between families: cross-fitted, and shown where correction leaves it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtrit  # scipy.stats takes a second to import

from tfeval.cohort.analysis_table import Cohort
from tfeval.display.names import CORRECTIONS, SIMULATED
from tfeval.display.rich import Rich, Tabled
from tfeval.display.tables import THRESHOLD, Table, table
from tfeval.errors import ParameterError, suggest
from tfeval.impact.design.protocol import Contrasts
from tfeval.impact.effects.columns import check_level
from tfeval.impact.effects.effects import Effects
from tfeval.impact.effects.estimate import contrast_effects
from tfeval.impact.effects.words import (
    decimals,
    hidden_rows,
    label_of,
    number,
    p_words,
    with_interval,
)
from tfeval.impact.inference.rules import ESTIMATED, FEW_UNITS, NO_VARIATION
from tfeval.impact.means.outcomes import aligned, arm_counts
from tfeval.impact.propensity.propensity import Classifier, fit_propensity
from tfeval.impact.sensitivity.support_dose import Regressor
from tfeval.impact.study.study import Study, check_study

KIND = "moderation"
#: The effect on all treated, and the difference between the halves that a model tells apart.
ALL, PREDICTED = "all", "predicted"
#: Odds of a comparison family are no longer than those of this probability, as in DoubleML.
TRIM = 0.01
#: Power at which a difference counts as one that would have been seen.
POWER = 0.8
_ASSUMPTION = (
    "families alike in what was recorded before would have had alike outcomes without the "
    "programme, whatever form the likeness takes"
)


@dataclass(frozen=True, eq=False)
class Moderation(Rich):
    """Effects on the treated, and how they differ by what was recorded before.

    A design that `estimate` takes; made by `heterogeneity`.

    Attributes
    ----------
    study : Study
    score : ndarray of float, shape (n,)
        Probability of being treated, each unit's from a model that never saw its fold.
    folds : ndarray of int, shape (n,)
    model : Regressor
        Of outcomes given covariates, fitted to each arm and fold apart.
    moderators : tuple of str
        Covariates by which effects may differ, by the names of the study's numbers.
    estimand, assumption, notes, simulated
        As for any design.
    """

    study: Study
    score: np.ndarray
    folds: np.ndarray
    model: Regressor
    moderators: tuple[str, ...]
    notes: tuple[str, ...] = ()
    simulated: bool = False
    kind: str = field(default=KIND, init=False)
    estimand: str = field(default="ATT", init=False)
    assumption: str = field(default=_ASSUMPTION, init=False)

    def contrasts(
        self, outcomes: pd.DataFrame | pd.Series | Cohort, months: int | None = None
    ) -> Contrasts:
        """Return the effect on each outcome, and its differences by moderator.

        Parameters
        ----------
        outcomes : DataFrame, Series or Cohort
            As `estimate` takes them. A unit without an outcome is left out of it alone.
        months : int, optional

        Returns
        -------
        Contrasts
            By outcome a row with population "all", one a moderator, and "predicted": families for
            whom models of the other folds expect a larger effect than for half of the treated,
            less the rest. `contrast` is "groups" where a moderator has two values, the higher less
            the lower; "sd" where the difference is for one standard deviation more. One of a group
            of fewer than ten, or of whom fewer than ten have the outcome, is not estimated.
        """
        measures = aligned(self.study, outcomes, months)
        rows, influence = [], []
        for place, values in enumerate(measures.values.T):  # noqa: PD011
            known = ~np.isnan(values)
            one, counts = _Outcome(self, values, known), arm_counts(values, self.study.treated)
            for name, by in one.moderators():
                row, own = one.effect(by)
                full = np.zeros(self.study.size)
                full[known] = own
                influence.append(full)
                rows.append({
                    "outcome": measures.names[place], "population": name,
                    "months": measures.months[place], "design": KIND, **row, **counts,
                })  # fmt: skip
        frame = pd.DataFrame(rows)
        frame["months"] = frame["months"].astype("Int64")
        return Contrasts(frame, np.array(influence).T, dict(self.study.clusters))

    def diagnostic(self) -> pd.DataFrame:
        """Return the scores of either arm: columns `arm`, `lowest`, `median`, `highest`, `trimmed`.

        `trimmed` is the share whose odds were held to those of `TRIM`.
        """
        treated = self.study.treated
        return pd.DataFrame([
            {"arm": arm, "lowest": own.min(), "median": np.median(own), "highest": own.max(),
             "trimmed": float(((own < TRIM) | (own > 1 - TRIM)).mean())}
            for arm, own in (("treated", self.score[treated]), ("comparison", self.score[~treated]))
        ])  # fmt: skip

    def __repr__(self) -> str:
        return f"Moderation: {len(self.moderators)} covariates, {self.folds.max() + 1} folds"


class _Outcome:
    """One outcome of a moderation: its scores, by which any moderator's difference follows."""

    def __init__(self, design: Moderation, values: np.ndarray, known: np.ndarray) -> None:
        study = design.study
        self.design, self.known = design, known
        self.y, self.treated = values[known], study.treated[known]
        self.weight, self.folds = study.sampling[known], design.folds[known]
        score = np.clip(design.score[known], TRIM, 1.0 - TRIM)
        self._x = study.covariates.matrix[known]
        without, with_it = self._expected(self._x)
        # Chernozhukov and others (2018), equation 5.4, before the division by the treated share.
        odds = np.where(self.treated, 1.0, -score / (1.0 - score))
        self.scores = odds * (self.y - without)
        self.gain = with_it - without

    def _expected(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return each unit's expected outcome without and with the programme, by other folds."""
        from sklearn.base import clone  # noqa: PLC0415

        means = np.empty((2, len(self.y)))
        for fold in np.unique(self.folds):
            own = self.folds == fold
            for arm in (0, 1):
                others = ~own & (self.treated == bool(arm)) & (self.weight > 0)
                means[arm, own] = clone(self.design.model).fit(x[others], self.y[others]).predict(
                    x[own]
                )  # fmt: skip
        return means[0], means[1]

    def moderators(self) -> Iterable[tuple[str, np.ndarray | None]]:
        """Yield each moderator's name and values; None for all families together."""
        yield ALL, None
        covariates = self.design.study.covariates
        for name in self.design.moderators:
            yield name, self._x[:, covariates.names.index(name)]
        more = np.zeros(len(self.y))
        for fold in np.unique(self.folds):
            own = self.folds == fold
            more[own] = self.gain[own] > np.median(self.gain[own & self.treated])
        yield PREDICTED, more

    def effect(self, by: np.ndarray | None) -> tuple[dict[str, Any], np.ndarray]:
        """Return an effect or a difference, and each unit's influence on it."""
        none = np.full(len(self.y), math.nan)
        columns = [np.ones(len(self.y))]
        contrast = ""
        if by is not None:
            two = len(np.unique(by)) == 2
            contrast = "groups" if two else "sd"
            if two:
                by = (by == by.max()).astype(float)
                if self._few(by):
                    return {"contrast": contrast, "estimate": math.nan, "status": FEW_UNITS}, none
            spread = 1.0 if two else float(np.std(by[self.treated]))
            if not spread > 0:
                row = {"contrast": contrast, "estimate": math.nan, "status": NO_VARIATION}
                return row, none
            columns.append((by - by[self.treated].mean()) / spread)
        z = np.column_stack(columns)
        own = self.weight * self.treated
        meat = np.linalg.inv((z * own[:, None]).T @ z)
        slopes = meat @ (z.T @ (self.weight * self.scores))
        left = self.weight * (self.scores - self.treated * (z @ slopes))
        return (
            {"contrast": contrast, "estimate": float(slopes[-1]), "status": ESTIMATED},
            (z @ meat[-1]) * left,
        )

    def _few(self, by: np.ndarray) -> bool:
        """Say whether a group, or those of it with the outcome, are too few to tell of."""
        happened = self.y != 0
        cells = [(by == group) & (self.treated == arm) for group in (0, 1) for arm in (0, 1)]
        return min(min(cell.sum(), (cell & happened).sum()) for cell in cells) < THRESHOLD


@dataclass(frozen=True, eq=False, repr=False)
class Heterogeneity(Tabled):
    """Whether effects differ between families. Made by `heterogeneity`.

    Attributes
    ----------
    effects : Effects
        On all treated, by cross-fitting: a check on those of other designs.
    differences : Effects
        One row an outcome and moderator (`population`), p-values corrected over all of them.
    design : Moderation
    """

    effects: Effects
    differences: Effects
    design: Moderation

    @property
    def simulated(self) -> bool:
        """Whether the records are simulated."""
        return self.effects.simulated

    @property
    def surviving(self) -> pd.DataFrame:
        """The differences that correction leaves, none of them of few families."""
        frame = self.differences.frame
        kept = frame["p_adjusted"].lt(1 - self.differences.level) & ~hidden_rows(frame)
        return frame[kept.to_numpy()].reset_index(drop=True)

    def to_frame(self) -> pd.DataFrame:
        """Return every difference that was asked for, exact, with `detectable` of each.

        `detectable` is the smallest difference that would have been seen in four of five studies
        like this, were every p-value multiplied by how many there are (Bonferroni).
        """
        frame = self.differences.to_frame()
        tests = max(int(frame["p_value"].notna().sum()), 1)
        freedom = frame["freedom"].to_numpy(dtype=float)
        size = (1 - self.differences.level) / tests
        reach = stdtrit(freedom, 1 - size / 2) + stdtrit(freedom, POWER)
        return frame.assign(detectable=reach * frame["std_error"])

    def table(self) -> Table:
        """Return for readers the differences that survive, and what could have been seen."""
        every, left = self.to_frame(), self.surviving
        rows = []
        for effect in self.effects.frame[~hidden_rows(self.effects.frame)].to_dict("records"):
            own = every[every["outcome"] == effect["outcome"]]
            seen = float(own["detectable"].median())
            first = {
                "Outcome": label_of(effect["outcome"], self.design.study.labels),
                "Effect on all": _interval(effect),
                "Asked": int(own["p_value"].notna().sum()),
                "Seen from": number(seen, decimals(seen)) if math.isfinite(seen) else "unknown",
            }
            survivors = left[left["outcome"] == effect["outcome"]].to_dict("records")
            said = [{"Differs by": self.words(one), "Difference": _interval(one),
                     "p, corrected": p_words(one["p_adjusted"])} for one in survivors]  # fmt: skip
            none = {"Differs by": "nothing that survives", "Difference": "", "p, corrected": ""}
            rows += [first | one for one in said or [none]]
        tests = int(every["p_value"].notna().sum())
        correction = CORRECTIONS[self.differences.settings["correction"]["method"]]
        notes = [
            f"{tests} differences were asked about and corrected together ({correction}). Those "
            "that do not survive are not shown.",
            "Seen from: a difference that would have been seen four times in five, at the median "
            "of those asked.",
            *self.effects.notes, *([f"{SIMULATED}."] if self.simulated else []),
        ]  # fmt: skip
        columns = ["Outcome", "Effect on all", "Asked", "Seen from", "Differs by", "Difference",
                   "p, corrected"]  # fmt: skip
        frame = pd.DataFrame(rows, columns=columns)
        return table(frame, "Whether effects differ between families", notes=notes)

    def words(self, row: Mapping[Any, Any]) -> str:
        """Return by what a difference is, in words."""
        name = str(row["population"])
        if name == PREDICTED:
            return "those of whom models of other families expect more"
        return f"{name}, one standard deviation more" if row["contrast"] == "sd" else name


def _interval(row: Mapping[Any, Any]) -> str:
    digits = decimals(row["std_error"])
    return with_interval(row["estimate"], row["conf_low"], row["conf_high"], digits)


def heterogeneity(
    study: Study,
    outcomes: pd.DataFrame | pd.Series | Cohort,
    moderators: str | Iterable[str] | None = None,
    *,
    months: int | None = None,
    model: Regressor | None = None,
    classifier: str | Classifier | None = None,
    folds: int = 5,
    correction: str = "romano_wolf",
    level: float = 0.95,
    seed: int = 1,
) -> Heterogeneity:
    """Ask by machine learning whether effects differ between families, and correct for asking.

    Parameters
    ----------
    study : Study
        Who is compared on what.
    outcomes : DataFrame, Series or Cohort
        As `estimate` takes them.
    moderators : str or iterable of str, optional
        Covariates by which effects may differ, by their columns or the study's own names; by
        default all. One more is always asked for: whether those differ of whom models expect more.
    months : int, optional
    model : scikit-learn regressor, optional
        Of outcomes given covariates; gradient boosted trees by default.
    classifier : "logit" or scikit-learn classifier, optional
        Of the probability of being treated; gradient boosted trees by default.
    folds : int, default 5
        A unit's models are of the other folds.
    correction : {"romano_wolf", "holm", "benjamini_hochberg"}
        Over all outcomes and moderators together.
    level : float, default 0.95
        Of intervals; a difference survives if its corrected p is below one less it.
    seed : int
        Of folds and trees.

    Returns
    -------
    Heterogeneity
        It shows only what survives; `to_frame` has all that was asked.

    Raises
    ------
    ParameterError
        If a moderator is none of the study's covariates, or a setting is unknown.
    DataError
        If outcomes do not fit the study, or a fold leaves an arm empty.

    Notes
    -----
    Each treated family's score is its outcome less what is expected without the programme; each
    comparison family's the same, times minus its odds of being treated. Their sum over the treated
    is the doubly robust effect on the treated, and their regression on a moderator among the
    treated its best linear projection: neither moves, to first order, with errors of the models.
    Pair matching and weighting are not used, so agreement with them is a check on both.

    References
    ----------
    Chernozhukov and others (2018), Double/debiased machine learning, Econometrics Journal 21,
    equation 5.4; Semenova and Chernozhukov (2021), Debiased machine learning of conditional average
    treatment effects, Econometrics Journal 24; groups by predicted effect: Chernozhukov, Demirer,
    Duflo and Fernández-Val (2025), Fisher-Schultz lecture, Econometrica 93.

    Examples
    --------
    >>> from tfeval.impact.study.study import study
    >>> rng = np.random.default_rng(1)
    >>> frame = pd.DataFrame({"need": rng.normal(size=1500), "work": rng.integers(0, 2, 1500)})
    >>> frame["treated"] = rng.random(1500) < 0.4
    >>> y = frame["need"] - frame["treated"] * frame["work"] + rng.normal(size=1500)
    >>> found = heterogeneity(study(frame, covariates=["need", "work"]), y.rename("offences"))
    >>> found.surviving["population"].tolist()
    ['work', 'predicted']
    """
    check_study(study, "heterogeneity")
    check_level(level)
    names = _named(study, moderators)
    scores = fit_propensity(study, classifier or _trees(seed), folds=folds, seed=seed)
    if scores.folds is None:
        raise ParameterError("folds is 2 or more: models are of the other folds' families.")
    design = Moderation(
        study, scores.score, scores.folds, model or _trees(seed, outcome=True), names,
        notes=scores.notes, simulated=study.simulated,
    )  # fmt: skip
    effects = contrast_effects(design, outcomes, months, level=level)
    kinds = effects.frame["population"].unique().tolist()
    differences = effects.select(population=[one for one in kinds if one != ALL])
    return Heterogeneity(
        effects.select(population=ALL), differences.with_corrections(correction, seed=seed), design
    )


def _named(study: Study, moderators: str | Iterable[str] | None) -> tuple[str, ...]:
    """Return the study's numbers that moderators name, themselves or by their columns."""
    columns = study.covariates.columns
    if moderators is None:
        return study.covariates.names
    names = dict.fromkeys("")
    for name in [moderators] if isinstance(moderators, str) else moderators:
        own = [one.name for one in columns if name in (one.name, one.source)]
        if not own:
            known = [word for one in columns for word in (one.source, one.name)]
            raise ParameterError(f"The study has no covariate {name}. {suggest(name, known)}")
        names |= dict.fromkeys(own)
    return tuple(names)


def _trees(seed: int, *, outcome: bool = False) -> Any:
    from sklearn.ensemble import (  # noqa: PLC0415
        HistGradientBoostingClassifier,
        HistGradientBoostingRegressor,
    )

    # Few leaves, as the design "boosted" has them; half its steps, since there are many fits.
    kind = HistGradientBoostingRegressor if outcome else HistGradientBoostingClassifier
    return kind(max_iter=50, learning_rate=0.1, max_leaf_nodes=8, max_bins=63, random_state=seed)
