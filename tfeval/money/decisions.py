"""What knowing more would be worth before deciding: perfect knowledge, and studies by size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tfeval.display.rich import Rich
from tfeval.errors import DataError, ParameterError
from tfeval.impact.effects.power import ClusteredDesign
from tfeval.money.appraisal import Appraisal
from tfeval.money.costs import evaluation_lines
from tfeval.money.information import UNKNOWNS, knowing, linear, normal_loss, parts_of
from tfeval.money.model import Array, Model
from tfeval.money.prices import deflate, discount_factors, year_number
from tfeval.money.uncertainty import Uncertainty
from tfeval.programme.phases import NextCohort, next_cohort
from tfeval.programme.phases import phase as phase_of
from tfeval.programme.programmes import programmes
from tfeval.programme.published import Source

#: Parts of the draws that are left out in turn, for the Monte Carlo error.
_GROUPS = 20


def value_of_information(appraisal: Appraisal, drawn: Uncertainty, *, phase: str) -> pd.DataFrame:
    """Return what it would be worth to know each group for certain, and to know everything.

    Parameters
    ----------
    appraisal : Appraisal
    drawn : Uncertainty
        Its draws.
    phase : str
        Whose national evaluation, or the one whose contract was seen, stands beside.

    Returns
    -------
    DataFrame
        `known` (one of `UNKNOWNS` or "everything"), `value` (pounds: present value, in the
        appraisal's prices), `error` (Monte Carlo standard error; 0 where no draw turns the
        answer), `evaluations` (how many national evaluations that would pay for, each in the same
        prices and discounted to the same year). What is known together is worth more, or less,
        than the sum of its parts.

    Notes
    -----
    The error is a jackknife over twenty parts of the draws, so it holds that of the means over
    which the other groups are averaged. Effects that are normal, and not estimated together with
    persistence, need no draws: value is linear in them, and knowing them is worth its unit normal
    loss, without an error.

    References
    ----------
    Strong, Oakley and Brennan (2014), Estimating multiparameter partial expected value of
    perfect information from a probabilistic sensitivity analysis sample, Medical Decision
    Making 34(3), equation 2.
    """
    parts, effects = parts_of(drawn.model, drawn.drawn), None
    if drawn.drawn.normal is None and drawn.model is appraisal.model:
        # Effects are normal and value is linear in them: exact.
        mean, slope = linear(drawn.model, tied=False)
        effects = normal_loss(mean, _spread(slope, drawn.model.covariance))
    part = np.arange(len(drawn.npv)) % _GROUPS
    without = np.stack([knowing(parts.some(part != one), effects) for one in range(_GROUPS)])
    spread = ((without - without.mean(axis=0)) ** 2).sum(axis=0)
    value = knowing(parts, effects)
    return pd.DataFrame({
        "known": [*UNKNOWNS, "everything"], "value": value,
        "error": np.sqrt(spread * (_GROUPS - 1) / _GROUPS),
        "evaluations": value / evaluation_cost(appraisal, phase).value,
    })  # fmt: skip


# What a national evaluation cost, in the appraisal's own prices and year.


@dataclass(frozen=True)
class EvaluationCost(Rich):
    """What a national evaluation cost at most. From `evaluation_cost`.

    Attributes
    ----------
    value : float
        Present value in the appraisal's prices and at its base year, pounds.
    cash : float
        Pounds of the years of the contract.
    phase : str
        Whose contract it is: the phase asked for, or the first of which one was seen.
    years : tuple of int
        Financial years in which it was paid, by their first calendar year.
    sources : tuple of Source
    """

    value: float
    cash: float
    phase: str
    years: tuple[int, ...]
    sources: tuple[Source, ...]


def evaluation_cost(appraisal: Appraisal, phase: str) -> EvaluationCost:
    """Return the published ceiling of a national evaluation, in an appraisal's prices and year.

    Cash of each year is put into the appraisal's prices, then discounted to its base year. Where
    no contract of the phase was seen, it is another's, in the same prices, let as long after the
    phase's start.

    Parameters
    ----------
    appraisal : Appraisal
    phase : str

    Examples
    --------
    >>> from tfeval.impact.effects.effects import Effects
    >>> from tfeval.money.appraise import appraise
    >>> rows = pd.DataFrame({"outcome": ["offences"], "months": [12], "estimate": [-0.1],
    ...                      "std_error": [0.05]})
    >>> found = appraise(Effects(rows, np.array([[0.0025]])), 5e5, families=1_000, price_year=2013)
    >>> cost = evaluation_cost(found, "one")
    >>> cost.cash, cost.value < cost.cash  # of 2013 to 2015, seen from 2012
    (1305000.0, True)
    """
    own, settings = phase_of(phase), appraisal.settings
    seen = [name for name in (phase, *programmes()) if programmes()[name].evaluation.cost_figure]
    if not seen:
        raise DataError("data/programmes: no phase names what its evaluation cost (cost_figure).")
    other = phase_of(seen[0])
    later, base = own.start.year - other.start.year, appraisal.model.years[0]
    paid = [(year_number(year), amount) for line in evaluation_lines(other)
            for year, (amount, _, _) in line.cash.items()]  # fmt: skip
    since = [year + later - base for year, _ in paid]
    if min(since) < 0:
        raise ParameterError(
            f"The appraisal's base year, {base}, is after the evaluation of phase {phase}: "
            "give the phase whose families are appraised."
        )
    factors = discount_factors(max(since), settings.edition, settings.rate, settings.timing)
    value = sum(
        deflate(amount, year, settings.price_year) * float(factors[at])
        for (year, amount), at in zip(paid, since, strict=True)
    )
    sources = dict.fromkeys(one for line in evaluation_lines(other) for one in line.sources)
    years = tuple(sorted({year for year, _ in paid}))
    cash = sum(amount for _, amount in paid)
    return EvaluationCost(value, cash, other.name, years, tuple(sources))


# What a study of so many families would be worth: preposterior analysis.

#: Families a group that are tried.
SIZES = (250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000)


@dataclass(frozen=True, eq=False)
class StudyValue(Rich):
    """What studies of several sizes would be worth before deciding. From `value_of_study`.

    Attributes
    ----------
    frame : DataFrame
        One row a size: `families` (a group), `resolved` (share of the variance of value, as far
        as effects make it, that the study is expected to take away), `value` (to the appraisal's
        own families), `next_value` (to the next cohort), `cost`, `net_benefit` (`next_value` less
        `cost`); pounds, present value, in the appraisal's prices.
    by_outcome : DataFrame
        One row an outcome, the most worth first: `outcome`, `families`, `value`, `next_value`,
        `cost`, `net_benefit` of a study of that outcome alone, at the best size of all, or the
        largest where none pays.
    limit, next_limit : float
        What `value` and `next_value` tend to as families, and authorities, grow without end.
    following : NextCohort
    cost : EvaluationCost
        Ceiling that the costs are scaled from.
    reference : float
        Families a group that it is taken to have bought.
    not_measured : tuple of str
        Outcomes whose standard deviation is not known, so that no study of them can be sized.
    """

    frame: pd.DataFrame
    by_outcome: pd.DataFrame
    limit: float
    next_limit: float
    following: NextCohort
    cost: EvaluationCost
    reference: float
    not_measured: tuple[str, ...] = ()

    @property
    def best(self) -> pd.Series | None:
        """The size of highest net benefit; None where no size is worth its cost."""
        row = self.frame.iloc[int(self.frame["net_benefit"].to_numpy().argmax())]
        return row if row["net_benefit"] > 0 else None


def value_of_study(
    appraisal: Appraisal,
    drawn: Uncertainty,
    *,
    phase: str,
    families: Sequence[float] = SIZES,
    clusters: float | None = None,
    icc: float = 0.0,
    allocation: str = "within",
    sd: Mapping[str, float] | None = None,
    unbiased: bool = False,
    next_families: float | None = None,
    reference: float | None = None,
) -> StudyValue:
    """Return what one more study of the same outcomes would be worth before deciding.

    Parameters
    ----------
    appraisal : Appraisal
        Its effects and their covariance are what is known before the study.
    drawn : Uncertainty
        Its draws; with doubt about the comparison group, as from `with_doubt`.
    phase : str
        Of the families; the next cohort is that of the phase that follows.
    families : sequence of float
        Sizes tried, families in each of two groups of one size; 0 is no study.
    clusters, icc, allocation
        Of the authorities of the study; see `ClusteredDesign`. Without, families are independent.
    sd : mapping of str to float, optional
        Standard deviation of outcomes, in the effects' units; by default `sd_comparison`.
    unbiased : bool, default False
        Whether the study's comparison is beyond doubt, as where families are randomised: then it
        takes away doubt about the comparison group too. A larger study of the same kind does not.
    next_families : float, optional
        By default those of the phase that follows.
    reference : float, optional
        Families a group that the published ceiling is taken to have bought, so that a study of
        twice as many costs twice as much; by default the largest `ess_comparison`.

    Returns
    -------
    StudyValue

    Raises
    ------
    DataError
        If no outcome's standard deviation is known, or no size of reference.
    ParameterError
        If a size is below 0, or as in `ClusteredDesign`.

    Notes
    -----
    Effects are joint normal, with the appraisal's covariance K before the study; its estimates
    have the covariance S. What is then expected of the effects varies, before the study is seen,
    by P = K (K + S)^-1 K. Value is linear in the effects, so what is expected of it is normal with
    the variance w'Pw, and the study's worth is its unit normal loss. Unit costs, persistence and
    the programme's costs stay at what is expected of them: no such study resolves them; but
    persistence estimated with the effects follows them, as a straight line does. A
    doubt that is no normal is taken as one of its mean and covariance: the worth is then
    approximate.

    Costs and benefits of the next cohort are those of a family here, so many years later. Errors
    of outcomes go together in the study as in the appraisal.

    References
    ----------
    Raiffa and Schlaifer (1961), Applied Statistical Decision Theory, chapter 5; Ades, Lu and
    Claxton (2004), Expected value of sample information calculations in medical decision
    modeling, Medical Decision Making 24(2).

    Examples
    --------
    >>> from tfeval.impact.effects.effects import Effects
    >>> from tfeval.money.appraise import appraise
    >>> rows = pd.DataFrame({"outcome": ["offences"], "months": [12], "estimate": [-0.1],
    ...                      "std_error": [0.05], "sd_comparison": [1.0]})
    >>> found = appraise(Effects(rows, np.array([[0.0025]])), 9e4, families=1_000, horizon=1)
    >>> worth = value_of_study(found, found.uncertainty(), phase="one", families=[0, 500, 5_000],
    ...                        reference=500)
    >>> worth.frame["resolved"].round(2).tolist()
    [0.0, 0.38, 0.86]
    """
    sizes = np.asarray(families, dtype=float)
    if sizes.ndim != 1 or not len(sizes) or not (sizes >= 0).all():
        raise ParameterError("families is a row of sizes, families a group, none below 0.")
    spread = _standard_deviations(appraisal, sd)
    measured = np.flatnonzero(np.isfinite(spread))
    cost, following = evaluation_cost(appraisal, phase), next_cohort(phase)
    bought = _reference(appraisal) if reference is None else float(reference)
    if next_families is not None:
        following = NextCohort(following.phase, float(next_families), following.years_later, ())
    prior = (drawn if unbiased else appraisal).model.covariance
    mean, slope = linear(drawn.model, tied=drawn.drawn.normal is not None)
    unknown = float(slope @ drawn.model.covariance @ slope)
    here = appraisal.settings
    again = following.families / here.total_families * float(
        discount_factors(following.years_later, here.edition, here.rate)[-1]
    )  # fmt: skip

    def worth(size: float, rows: np.ndarray) -> dict[str, float]:
        expected = 0.0
        if size > 0:
            made = ClusteredDesign(size, size, clusters, icc, allocation)
            sampling = _sampling(appraisal.model, made.std_error(spread))
            expected = float(slope @ _preposterior(prior, sampling, rows) @ slope)
        value = normal_loss(mean, float(np.sqrt(max(expected, 0.0))))
        price = cost.value * size / bought
        return {"families": size, "resolved": expected / unknown if unknown > 0 else 0.0,
                "value": value, "next_value": value * again, "cost": price,
                "net_benefit": value * again - price}  # fmt: skip

    frame = pd.DataFrame([worth(size, measured) for size in sizes])
    net = frame["net_benefit"].to_numpy()
    size = float(sizes[net.argmax()] if net.max() > 0 else sizes.max())
    single = pd.DataFrame([
        {"outcome": appraisal.model.outcomes[row], **worth(size, np.array([row]))}
        for row in measured
    ])  # fmt: skip
    known = _preposterior(prior, np.zeros_like(prior), measured)
    limit = normal_loss(mean, _spread(slope, known))
    return StudyValue(
        frame, single.sort_values("value", ascending=False, kind="stable", ignore_index=True),
        limit, limit * again, following, cost, bought,
        tuple(name for name, known in zip(appraisal.model.outcomes, np.isfinite(spread),
                                          strict=True) if not known),
    )  # fmt: skip


def _standard_deviations(appraisal: Appraisal, given: Mapping[str, float] | None) -> Array:
    """Return the standard deviation of each valued outcome; NaN where it is not known."""
    own = appraisal.valued.effects
    if given is not None:
        spread = own["name"].map(dict(given)).to_numpy(dtype=float)
    elif "sd_comparison" in own:
        spread = own["sd_comparison"].to_numpy(dtype=float)
    else:
        spread = np.full(len(own), np.nan)
    deviations = np.where(spread > 0, spread, np.nan)
    if not np.isfinite(deviations).any():
        raise DataError(
            "Effects: sd_comparison is missing for all valued outcomes, so no study can be sized: "
            "give sd=, each outcome's standard deviation."
        )
    return deviations


def _reference(appraisal: Appraisal) -> float:
    own = appraisal.valued.effects
    sizes = own["ess_comparison"].to_numpy(dtype=float) if "ess_comparison" in own else np.array([])
    if not np.isfinite(sizes).any():
        raise DataError(
            "Effects: ess_comparison is missing for all valued outcomes: give reference=, the "
            "families a group that the published cost of an evaluation bought."
        )
    return float(np.nanmax(sizes))


def _spread(slope: Array, covariance: Array) -> float:
    """Return the standard deviation of a sum of effects by their slopes."""
    return float(np.sqrt(max(float(slope @ covariance @ slope), 0.0)))


def _sampling(model: Model, error: Array) -> Array:
    """Return the covariance of a study's estimates, which go together as the appraisal's do."""
    own = np.sqrt(np.diag(model.covariance))
    scale = np.where(own > 0, own, 1.0)
    together = model.covariance / np.outer(scale, scale)
    np.fill_diagonal(together, 1.0)
    return together * np.outer(error, error)


def _preposterior(prior: Array, sampling: Array, rows: np.ndarray) -> Array:
    """Return the covariance of what will be expected of the effects once `rows` are studied."""
    here = np.ix_(rows, rows)
    seen = prior[here] + sampling[here]
    # In units of the estimates' errors: outcomes in days stand beside shares.
    scale = np.where(np.diag(seen) > 0, np.sqrt(np.diag(seen)), 1.0)
    inverse = np.linalg.pinv(seen / np.outer(scale, scale), hermitian=True)
    cross = prior[:, rows] / scale
    return cross @ inverse @ cross.T
