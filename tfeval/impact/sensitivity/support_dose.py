"""How outcomes of supported families go with months of support, and how little that may mean."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import pandas as pd

from tfeval.cohort.analysis_table import Cohort
from tfeval.display.rich import Rich
from tfeval.display.tables import exact_count, safe_count
from tfeval.errors import DataError, ParameterError, check_seed, in_own_words, suggest
from tfeval.impact.design.protocol import Contrasts
from tfeval.impact.effects.columns import check_level
from tfeval.impact.inference.rules import (
    FEW_CLUSTERS,
    FEW_UNITS,
    FEWEST_CLUSTERS,
    FEWEST_UNITS,
    NO_VARIATION,
)
from tfeval.impact.means.outcomes import aligned, arm_counts
from tfeval.impact.propensity.propensity import assign_folds
from tfeval.impact.sensitivity.regression import Regression, regressions
from tfeval.impact.sensitivity.values import benchmark_strength, regression_columns, with_confounder
from tfeval.impact.study.numbers import floats_of
from tfeval.impact.study.study import Study, study
from tfeval.records.store import Records

KIND = "support_dose"
ESTIMAND = "APE"
#: Months of support, made from an extract where a cohort is given.
SUPPORT_MONTHS = "support_months"
#: What one more of a dose is, in words.
_UNITS = {SUPPORT_MONTHS: "month of support"}
#: Days of a month.
_MONTH = 365.25 / 12
#: What is left of a dose, or of an outcome, is rounding below this share of its variance.
_NOTHING_LEFT = 1e-10
_ASSUMPTION = (
    "families alike in what was recorded before had more or less support for no reason that bears "
    "on their outcomes; in fact dose follows need, since families in more trouble are supported "
    "for longer and cases close when things go well"
)


class Regressor(Protocol):
    """What is asked of a model: scikit-learn's `fit` and `predict`."""

    def fit(self, x: Any, y: Any, /) -> Any: ...  # noqa: D102
    def predict(self, x: Any, /) -> Any: ...  # noqa: D102


@dataclass(frozen=True, eq=False)
class SupportDose(Rich):
    """Outcomes of supported families by their dose of support. Made by `support_dose`.

    Attributes
    ----------
    study : Study
        The supported families; its arms are those with more than the median dose, and the others.
    name : str
        Of the dose.
    dose : ndarray of float, shape (n,)
    folds : ndarray of int, shape (n,)
        All 0 where nothing is cross-fitted.
    model : Regressor or None
        Of dose and outcome given covariates; None for least squares.
    level : float
        Of the interval that bounds are of.
    estimand, assumption, notes, simulated
        As for any design.
    """

    study: Study
    name: str
    dose: np.ndarray
    folds: np.ndarray
    model: Regressor | None
    level: float
    notes: tuple[str, ...]
    simulated: bool = False
    kind: str = field(default=KIND, init=False)
    estimand: str = field(default=ESTIMAND, init=False)
    assumption: str = field(default=_ASSUMPTION, init=False)

    def contrasts(
        self, outcomes: pd.DataFrame | pd.Series | Cohort, months: int | None = None
    ) -> Contrasts:
        """Return, for each outcome, how much it differs for a dose of one more.

        Parameters
        ----------
        outcomes : DataFrame, Series or Cohort
            As `estimate` takes them. A family without an outcome is left out of it alone.
        months : int, optional

        Returns
        -------
        Contrasts
            `dose_left`, beside the usual columns, is the share of the dose's variance that the
            covariates do not explain. t counts the families, or clusters, whose dose says
            anything; with fewer than 12 on a side of the median, or 4 clusters, there is no error.
        """
        grid = aligned(self.study, outcomes, months)
        rows, influence = [], np.zeros((self.study.size, len(grid.names)))
        more = self.study.treated
        for place, values in enumerate(grid.values.T):  # noqa: PD011
            known = ~np.isnan(values)
            y, d = (self.left_over(one, known) for one in (values, self.dose))
            left = float(d @ d)
            share = left / float(((self.dose[known] - self.dose[known].mean()) ** 2).sum())
            spread = float(values[known].var()) * len(y)
            signal = share > _NOTHING_LEFT and float(y @ y) > _NOTHING_LEFT * spread > 0
            estimate = float(d @ y) / left if signal else math.nan
            influence[known, place] = d * (y - estimate * d) / left if signal else math.nan
            rows.append({
                "outcome": grid.names[place], "months": grid.months[place], "estimate": estimate,
                "design": KIND, "dose_left": share, "freedom": self._freedom(d, known),
                "status": self._status(known) if signal else NO_VARIATION,
                **arm_counts(values, more),
            })  # fmt: skip
        frame = pd.DataFrame(rows)
        frame["months"] = frame["months"].astype("Int64")
        return Contrasts(frame, influence, dict(self.study.clusters))

    def _status(self, known: np.ndarray) -> str | None:
        """Say what is too few for an error; None where nothing is."""
        codes = next(iter(self.study.clusters.values()), None)
        if codes is not None and len(np.unique(codes[known])) < FEWEST_CLUSTERS:
            return FEW_CLUSTERS
        more = self.study.treated[known]
        return FEW_UNITS if min(more.sum(), (~more).sum()) < FEWEST_UNITS else None

    def _freedom(self, left: np.ndarray, known: np.ndarray) -> float:
        """Return degrees of freedom: those whose dose says anything, less 1 (Kish 1965).

        Where few families, or clusters, have a dose unlike the others', the error hangs on them.
        """
        squares = left**2
        if self.study.clusters:
            squares = np.bincount(next(iter(self.study.clusters.values()))[known], squares)
        most = float((squares**2).sum())
        return max(float(squares.sum()) ** 2 / most - 1, 1.0) if most > 0 else math.nan

    def left_over(self, values: np.ndarray, known: np.ndarray) -> np.ndarray:
        """Return what covariates leave of values, shape (known,): of each fold by the others.

        Parameters
        ----------
        values : ndarray of float, shape (n,)
        known : ndarray of bool, shape (n,)
        """
        x, y, folds = self.study.covariates.matrix[known], values[known], self.folds[known]
        left = np.empty(len(y))
        for fold in np.unique(folds):
            own = folds == fold
            others = ~own if not own.all() else own
            left[own] = y[own] - self._predicted(x[others], y[others], x[own])
        return left

    def _predicted(self, x: np.ndarray, y: np.ndarray, new: np.ndarray) -> np.ndarray:
        if self.model is None:
            lines, wanted = (np.column_stack([np.ones(len(one)), one]) for one in (x, new))
            return wanted @ np.linalg.lstsq(lines, y)[0]
        from sklearn.base import clone  # noqa: PLC0415

        return clone(self.model).fit(x, y).predict(new)

    def diagnostic(
        self,
        outcomes: pd.DataFrame | pd.Series | Cohort | None = None,
        *,
        months: int | None = None,
        times: float | Iterable[float] = (1.0, 2.0, 3.0),
    ) -> pd.DataFrame:
        """Return how strong something unmeasured would have to be, by least squares.

        Parameters
        ----------
        outcomes : DataFrame, Series or Cohort, optional
            Without them: how much of the dose each covariate explains, given the others.
        months : int, optional
        times : float or iterable of float, default (1, 2, 3)
            How many times as strong as a covariate.

        Returns
        -------
        DataFrame
            Without outcomes one row a covariate: `covariate`, `r2_dose`. With them one row an
            outcome, covariate and number of times: `robustness_value` and
            `robustness_value_interval` (the partial R2, with dose and outcome, that would bring
            the estimate, or its interval, to nought), and `estimate`, `conf_low`, `conf_high` had
            the unmeasured been like the covariate; `reason` where it could not be.

        References
        ----------
        Cinelli and Hazlett (2020), Making sense of sensitivity, JRSS B 82.
        """
        covariates = self.study.covariates
        names = tuple(dict.fromkeys(one.source for one in covariates.columns))
        if outcomes is None:
            # What a covariate says of the dose hangs on no outcome: any stands in.
            fit = self._regressions(np.arange(self.study.size) % 7.0, names)
            strengths = {} if isinstance(fit, str) else fit.strengths
            rows = [{"covariate": name, "r2_dose": one.r2_treatment if one else 0.0}
                    for name, one in strengths.items()]  # fmt: skip
            return pd.DataFrame(rows, columns=["covariate", "r2_dose"])
        grid = aligned(self.study, outcomes, months)
        several: list[Any] = [times] if isinstance(times, int | float) else list(times)
        if not all(isinstance(many, int | float) and 0 < many < math.inf for many in several):
            raise ParameterError(f"times is a number above 0, or several, not {times!r}.")
        rows = list[dict[str, Any]]()
        for name, values in zip(grid.names, grid.values.T, strict=True):  # noqa: PD011
            fit = self._regressions(values, names)
            rows += [{"outcome": name} | row for row in _bounds(fit, several, 1 - self.level)]
        return pd.DataFrame(rows)

    def _regressions(self, values: np.ndarray, names: tuple[str, ...]) -> Regression | str:
        known = ~np.isnan(values)
        return regressions(
            self.study.covariates, self.dose, known.astype(float),
            np.where(known, values, 0.0)[:, None], names,
        )[0]  # fmt: skip

    def __repr__(self) -> str:
        return f"Support dose: {self.name} of {safe_count(self.study.size)} families"


def _bounds(fit: Regression | str, several: list[float], alpha: float) -> list[dict[str, Any]]:
    """Return the estimates with confounders as strong as each covariate, some times over."""
    from scipy.special import stdtrit  # noqa: PLC0415

    whole = regression_columns(fit, alpha)
    kept = {name: whole[name] for name in ("robustness_value", "robustness_value_interval")}
    if isinstance(fit, str):
        return [kept | {"covariate": "", "times": math.nan, "reason": fit}]
    critical = float(stdtrit(fit.dof - 1, 1 - alpha / 2))
    rows = []
    for name, strength in fit.strengths.items():
        for many in several:
            given = None
            if strength is not None:
                given = benchmark_strength(strength.r2_treatment, strength.r2_outcome, many)
            reason = "" if given else "says nothing of its own, or would explain the whole dose"
            rows.append(kept | {"covariate": name, "times": many, "reason": reason}
                        | with_confounder(fit, given, critical))  # fmt: skip
    return rows


def support_dose(
    records: pd.DataFrame | Cohort,
    dose: str = SUPPORT_MONTHS,
    *,
    extract: Records | None = None,
    within: int = 6,
    covariates: str | Iterable[str] | None = None,
    cluster: str | None = None,
    unit: str | None = None,
    folds: int = 5,
    model: Regressor | None = None,
    level: float = 0.95,
    seed: int = 1,
) -> SupportDose:
    """Regress outcomes of supported families on how much support they had, covariates taken out.

    Parameters
    ----------
    records : DataFrame or Cohort
        Supported families, one row each. Of a cohort the treated are taken.
    dose : str, default "support_months"
        Column of numbers. From a cohort with an extract: months with a lead practitioner, from
        the index date or the practitioner's first day on until the case was closed, within so
        many months.
    extract : Records, optional
        The records that the cohort was made from.
    within : int, default 6
        Months after the index date over which support is counted. Outcomes over the same months
        may come before the support; those over more months do so less.
    covariates : str or iterable of str, optional
        Measured before; needed for a frame, by default a cohort's own.
    cluster : str, optional
        For a cohort by default the local authority.
    unit : str, optional
        Identifiers, on which folds then hang.
    folds : int, default 5
        In each the model is of the others; 1 for none.
    model : scikit-learn regressor, optional
        Of dose and of outcome given covariates; least squares by default.
    level : float, default 0.95
        Of intervals of bounds in `diagnostic`.
    seed : int
        Of the folds.

    Returns
    -------
    SupportDose

    Raises
    ------
    ParameterError
        If a column or setting is unknown.
    DataError
        If the dose is missing somewhere or does not vary.

    Notes
    -----
    What covariates leave of the outcome is regressed on what they leave of the dose. It is an
    association among those supported: dose follows need, and who does well leaves early. Its
    `diagnostic` says how strong need that was not recorded would have to be, and no estimate
    should be read without it. An effect is of one more unit of dose, so it is not for an appraisal
    as it stands.

    References
    ----------
    Robinson (1988), Root-N-consistent semiparametric regression, Econometrica 56; Chernozhukov and
    others (2018), Double/debiased machine learning, Econometrics Journal 21.

    Examples
    --------
    >>> from tfeval.impact.effects.estimate import estimate
    >>> rng = np.random.default_rng(1)
    >>> frame = pd.DataFrame({"need": rng.normal(size=800)})
    >>> frame["support_months"] = 6 + frame["need"] + rng.normal(size=800)
    >>> frame["offences"] = 4 + frame["need"] - 0.2 * frame["support_months"] + rng.normal(size=800)
    >>> design = support_dose(frame, covariates="need")
    >>> found = estimate(design, frame["offences"]).to_frame()
    >>> found["conf_low"].lt(-0.2).item(), found["conf_high"].gt(-0.2).item()
    (True, True)
    >>> design.diagnostic(frame["offences"], times=1)["covariate"].tolist()
    ['need']
    """
    _check(level, folds, seed, model)
    simulated = False
    if isinstance(records, Cohort):
        frame, simulated = _supported(records, extract, within), records.simulated
        covariates = records.covariates if covariates is None else covariates
        cluster = "local_authority" if cluster is None else cluster
        unit = "unit" if unit is None else unit
    elif isinstance(records, pd.DataFrame):
        frame = records
    else:
        raise ParameterError("A dose is taken from a DataFrame or a cohort.")
    values = _dose_of(frame, dose)
    more = f"{dose} above its median"
    above = values > np.median(values)
    if not above.any():
        above = values >= np.median(values)
    if above.all():
        raise DataError(f"{dose} does not vary: every family had as much support.")
    made = study(
        frame.assign(**{more: above}), treated=more, covariates=covariates, cluster=cluster,
        unit=unit, fewest=10 if isinstance(records, Cohort) else None,
    )  # fmt: skip
    return SupportDose(
        study=replace(made, simulated=simulated or made.simulated), name=dose, dose=values,
        folds=np.zeros(len(values), dtype=np.int8) if folds == 1 else
        assign_folds(made, int(folds), seed),
        model=model, level=level, notes=_notes(dose), simulated=simulated or made.simulated,
    )  # fmt: skip


def _check(level: float, folds: Any, seed: Any, model: Any) -> None:
    """Refuse settings that are none."""
    check_level(level)
    if not isinstance(folds, int | np.integer) or not 1 <= folds <= 50:
        raise ParameterError(f"folds is a whole number from 1 to 50, not {folds!r}.")
    check_seed(seed)
    if not (model is None or (hasattr(model, "fit") and hasattr(model, "predict"))):
        raise ParameterError("model is a regressor of scikit-learn, with fit and predict, or None.")


def _dose_of(frame: pd.DataFrame, dose: str) -> np.ndarray:
    """Return the dose, of a table that has one number of it in each row."""
    if dose not in frame:
        known = suggest(dose, map(str, frame.columns))
        raise ParameterError(f"The table has no column {dose}. {known}")
    if isinstance(frame[dose], pd.DataFrame):
        raise DataError(f"The table has more than one column {dose}: give each its own name.")
    if frame.empty:
        raise DataError("The table has no rows: there is nobody whose support could be told.")
    values = floats_of(frame[dose], f"Dose {dose}")
    if lacking := int((~np.isfinite(values)).sum()):
        raise DataError(
            f"{dose} is missing or infinite in {exact_count(lacking)} rows: leave these out."
        )
    return values


def _notes(dose: str) -> tuple[str, ...]:
    return (
        f"Differences are for one more {_UNITS.get(dose, f'unit of {dose}')}, among supported "
        "families; treated are those with more than the median, comparison the others.",
        "Read it with its diagnostic: how strong need that was not recorded would have to be.",
    )


@in_own_words("Support cannot be counted")
def _supported(cohort: Cohort, extract: Records | None, within: int) -> pd.DataFrame:
    """Return the cohort's treated families, with months of support where there is an extract."""
    frame = cohort.to_pandas()
    frame = frame[frame["treated"] == 1]
    if extract is None:
        return frame
    if not isinstance(within, int | np.integer) or not 1 <= within <= 24:
        raise ParameterError(f"within is a whole number of months from 1 to 24, not {within!r}.")
    families = extract.table("families")
    columns = ["family_id", "lead_practitioner_on", "closed_on"]
    own = families.filter(families["phase"] == cohort.settings.phase)[columns].to_pandas()
    own = own.sort_values(columns).drop_duplicates("family_id").set_index("family_id")
    own = own.reindex(frame["family_id"])
    starts = pd.to_datetime(frame["index_on"])
    ends = starts + pd.DateOffset(months=int(within))
    lead, closed = (
        pd.Series(pd.to_datetime(own[name]).to_numpy(), index=frame.index) for name in columns[1:]
    )
    first = lead.where(lead > starts, starts).where(lead.notna())
    days = (closed.where(closed < ends, ends) - first).dt.days
    # Nobody allocated is no support; a practitioner after the last of the months neither.
    made = frame.assign(**{SUPPORT_MONTHS: days.clip(lower=0).fillna(0) / _MONTH})
    made.attrs = frame.attrs
    return made
