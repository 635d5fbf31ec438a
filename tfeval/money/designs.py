"""Design uncertainty: the same appraisal under each design, averaged, and with doubt in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tfeval.display.figures import Chart
from tfeval.display.interval_charts import range_chart
from tfeval.display.names import SIMULATED, capital
from tfeval.display.rich import Rich, Tabled
from tfeval.display.tables import Table, table
from tfeval.display.words import amount, chance, marked
from tfeval.errors import DataError, ParameterError
from tfeval.money.appraisal import Appraisal
from tfeval.money.appraise import appraise
from tfeval.money.model import Array
from tfeval.money.monetised import NothingValuedError

if TYPE_CHECKING:
    from tfeval.impact.effects.effects import Effects
    from tfeval.money.uncertainty import Uncertainty


@dataclass(frozen=True, eq=False, repr=False)
class DesignAppraisals(Tabled):
    """One appraisal a design. From `appraise_designs`.

    Attributes
    ----------
    frame : DataFrame
        One row a design: `design`, `npv`, `low`, `high` (pounds), `benefit_cost_ratio`,
        `probability` (of a net present value of at least 0), `outcomes` (how many are valued).
    appraisals : dict of str to Appraisal
    level : float
        Of the intervals.
    left_out : dict of str to str
        Designs under which nothing can be valued, and why.
    labels : dict of str to str
        Designs in words, where they have any beside their key.
    npvs : dict of str to ndarray, shape (draws,)
        Net present value in each design's draws.
    """

    frame: pd.DataFrame
    appraisals: dict[str, Appraisal]
    level: float
    left_out: dict[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    npvs: Mapping[str, Array] = field(default_factory=dict)

    @property
    def range(self) -> tuple[float, float]:
        """Lowest and highest net present value over the designs, each at its estimate."""
        return float(self.frame["npv"].min()), float(self.frame["npv"].max())

    @property
    def same_sign(self) -> bool:
        """Whether every design says yes, or every design says no, at its estimate."""
        return bool((self.frame["npv"] >= 0).nunique() == 1)

    @property
    def simulated(self) -> bool:
        """Whether any of the records is simulated."""
        return any(appraisal.simulated for appraisal in self.appraisals.values())

    def in_words(self) -> pd.DataFrame:
        """Return `frame` with the designs in words."""
        return self.frame.replace({"design": dict(self.labels)})

    def table(self) -> Table:
        """Return the designs as a table for readers."""
        rows = [
            (row["design"], amount(row["npv"]),
             f"{amount(row['low'])} to {amount(row['high'])}",
             amount(row["benefit_cost_ratio"], "£ for each £1"), chance(row["probability"]),
             row["outcomes"])
            for row in self.in_words().to_dict("records")
        ]  # fmt: skip
        share = f"{self.level:.0%} interval"
        columns = ["Design", "Net present value", share, "Benefit for each £1",
                   "Probability that benefits reach costs", "Outcomes valued"]  # fmt: skip
        ends = zip(("least", "most"), self.range, strict=True)
        low, high = (marked(f"npv_{end}_design", amount(value)) for end, value in ends)
        notes = [f"Between designs the net present value runs from {low} to {high}. An interval "
                 "holds what one design's sampling, prices and persistence leave open; the rows "
                 "differ by what the design assumes."]  # fmt: skip
        if self.frame["outcomes"].nunique() > 1:
            notes.append(
                "Where fewer outcomes are valued the others had no error under that design, or "
                "too few families to show: such rows are not of the same things."
            )
        notes += [
            f"Not valued: {self.labels.get(key, key)}. {why}" for key, why in self.left_out.items()
        ]
        notes += [f"{SIMULATED}."] * self.simulated
        caption = "Net present value under each design"
        return table(pd.DataFrame(rows, columns=columns), caption, notes=notes)

    def plot(self) -> Chart:
        """Draw each design's interval."""
        alt = (
            f"Interval chart of the net present value under {len(self.frame)} designs, from "
            f"{amount(self.frame['low'].min())} to {amount(self.frame['high'].max())}."
        )
        reached = int((self.frame["high"] >= 0).sum())
        title = f"benefits may reach costs under {reached or 'none'} of {len(self.frame)} designs"
        return range_chart(
            self.in_words()["design"].tolist(), self.frame["low"] / 1e6, self.frame["high"] / 1e6,
            title=f"Simulated records: {title}" if self.simulated else capital(title),
            alt=alt, subtitle="Net present value under each design, "
            f"{self.level:.0%} intervals",
            x_label="£m, present value", reference=0.0, reference_label="benefits reach costs",
            value_format="{:,.0f}",
        )  # fmt: skip


def appraise_designs(
    designs: Mapping[str, Effects], costs: pd.DataFrame | float, *, draws: int = 10_000,
    seed: int = 1, level: float = 0.95, drawn: Mapping[str, Uncertainty] | None = None,
    labels: Mapping[str, str] | None = None, **options: Any,
) -> DesignAppraisals:  # fmt: skip
    """Appraise the effects of several designs alike.

    Parameters
    ----------
    designs : mapping of str to Effects
        Such as one for each comparison group and estimator, by a key.
    costs : DataFrame or float
        As in `appraise`.
    draws, seed, level
        As in `Appraisal.uncertainty`; every design gets the same seed.
    drawn : mapping of str to Uncertainty, optional
        What was drawn of a design already: one interval has one pair of ends.
    labels : mapping of str to str, optional
        The designs in words, by key; a key without any is its own label.
    **options
        As in `appraise`; the same for all.

    Returns
    -------
    DesignAppraisals

    Raises
    ------
    ParameterError
        If there is no design, or as in `appraise`.
    NothingValuedError
        If under no design anything can be valued.

    Notes
    -----
    A design under which no effect has an error, or may be shown, has no row and is no zero: it
    stands in `left_out` with the reason.

    Examples
    --------
    >>> import numpy as np
    >>> from tfeval.impact.effects.effects import Effects
    >>> def one(effect):
    ...     rows = pd.DataFrame({"outcome": ["offences"], "months": [12], "estimate": [effect],
    ...                          "std_error": [0.05]})
    ...     return Effects(rows, np.array([[0.0025]]))
    >>> found = appraise_designs({"waiting": one(-0.1), "others": one(0.0)}, 5e5, families=1_000)
    >>> found.frame["npv"].round(-3).tolist(), found.same_sign
    ([-10000.0, -491000.0], True)
    """
    if not designs:
        raise ParameterError("Give at least one design: a key and its effects.")
    appraisals, rows, left, npvs = {}, [], {}, {}
    for key, effects in designs.items():
        try:
            appraisal = appraise(effects, costs, **options)
        except NothingValuedError as fault:
            left[key] = str(fault)
            continue
        own = (drawn or {}).get(key) or appraisal.uncertainty(draws, seed, level=level)
        low, high = own.interval()
        appraisals[key], npvs[key] = appraisal, own.npv
        of = own.accounts().set_index("account").loc[own.model.account]
        rows.append((key, of["npv"], low, high, of["ratio"], own.probability(),
                     len(appraisal.model.outcomes)))  # fmt: skip
    if not rows:
        reasons = " ".join(dict.fromkeys(left.values()))
        raise NothingValuedError(
            f"Under none of {len(left)} designs can anything be valued. {reasons}"
        )
    columns = ["design", "npv", "low", "high", "benefit_cost_ratio", "probability", "outcomes"]
    return DesignAppraisals(
        pd.DataFrame(rows, columns=columns), appraisals, level, left, dict(labels or {}), npvs
    )


# One answer over the designs, by weights that are said.


@dataclass(frozen=True, eq=False)
class DesignAverages(Rich):
    """The designs' answers averaged by several weightings. From `average_designs`.

    Attributes
    ----------
    frame : DataFrame
        One row a weighting: `weighting`, `npv` (the designs' own, weighted), `low`, `high`,
        `probability` (of a net present value of at least 0), `between` (share of the variance
        that lies between designs), `designs` (how many have weight).
    weights : DataFrame
        One row a design, one column a weighting; each column adds up to 1, and a design without
        weight has 0.
    level : float
        Of the intervals.
    """

    frame: pd.DataFrame
    weights: pd.DataFrame
    level: float


def average_designs(
    designs: DesignAppraisals, weights: Mapping[str, Mapping[str, float]]
) -> DesignAverages:
    """Return the net present value as a mixture of the designs' draws.

    Parameters
    ----------
    designs : DesignAppraisals
    weights : mapping of str to mapping of str to float
        Of each weighting, by its name, a weight of every design by its key: 0 leaves one out, and
        a design that is not named is an error. They need not add up to 1.

    Returns
    -------
    DesignAverages

    Raises
    ------
    ParameterError
        If a weight is missing, of no design, negative or not finite, or none is above 0.

    Notes
    -----
    One design's draws, with a chance of its weight: the mean is the weighted mean, the probability
    the weighted probability, and the variance that within designs and that between their means.

    Examples
    --------
    >>> import numpy as np
    >>> frame = pd.DataFrame({"design": ["one", "two"], "npv": [0.0, 4.0]})
    >>> held = {"one": np.array([-1.0, 1.0]), "two": np.array([3.0, 5.0])}
    >>> found = average_designs(DesignAppraisals(frame, {}, 0.95, npvs=held),
    ...                         {"equal": {"one": 1, "two": 1}})
    >>> found.frame[["npv", "probability", "between"]].values.tolist()
    [[2.0, 0.75, 0.8]]
    """
    keys = list(designs.npvs)
    shares = {name: _shares(name, given, keys) for name, given in weights.items()}
    expected = designs.frame.set_index("design").loc[keys, "npv"].to_numpy(dtype=float)
    rows = [(name, float(share @ expected),
             *_mixture([designs.npvs[key] for key in keys], share, designs.level),
             int((share > 0).sum())) for name, share in shares.items()]  # fmt: skip
    columns = ["weighting", "npv", "low", "high", "probability", "between", "designs"]
    return DesignAverages(
        pd.DataFrame(rows, columns=columns),
        pd.DataFrame(shares, index=pd.Index(keys, name="design")), designs.level,
    )  # fmt: skip


def _shares(name: str, given: Mapping[str, float], keys: list[str]) -> Array:
    if set(given) != set(keys):
        missing, unknown = len(set(keys) - set(given)), len(set(given) - set(keys))
        raise ParameterError(
            f"weights[{name!r}]: {missing} designs have none and {unknown} are no designs: give "
            "each design one, 0 where it is left out."
        )
    weights = np.array([given[key] for key in keys], dtype=float)
    if not (np.isfinite(weights).all() and (weights >= 0).all() and weights.sum() > 0):
        raise ParameterError(f"weights[{name!r}]: weights are finite and not below 0, one above.")
    return weights / weights.sum()


def _mixture(values: list[Array], share: Array, level: float) -> tuple[float, float, float, float]:
    """Return the ends of the interval, the probability, and the share of variance between."""
    drawn = np.concatenate(values)
    weight = np.repeat(share / np.array([len(one) for one in values]), [len(one) for one in values])
    tail = (1 - level) / 2
    kept = weight > 0
    low, high = np.quantile(drawn[kept], [tail, 1 - tail], weights=weight[kept],
                            method="inverted_cdf")  # fmt: skip
    means = np.array([one.mean() for one in values])
    mean = float(share @ means)
    between = float(share @ (means - mean) ** 2)
    whole = float(weight @ (drawn - mean) ** 2)
    return (float(low), float(high), float(weight @ (drawn >= 0)),
            between / whole if whole > 0 else 0.0)  # fmt: skip


# Doubt about the comparison group, which no interval of one design holds.

#: Columns of a table of doubt.
_DOUBT = ("world", "weight", "outcome", "relative")


def with_doubt(
    appraisal: Appraisal, drawn: Uncertainty, doubt: pd.DataFrame, seed: int = 1
) -> Uncertainty:
    """Return an appraisal's draws with doubt about its comparison group in them.

    Parameters
    ----------
    appraisal : Appraisal
        Its effects have a comparison mean.
    drawn : Uncertainty
        Its draws.
    doubt : DataFrame
        How far off such a comparison can be: `world`, `weight` (the same in all rows of a world,
        above 0), `outcome` (every valued effect), `relative` (error over the comparison group's
        mean: estimate less truth).
    seed : int

    Returns
    -------
    Uncertainty
        In each draw one world, by its weight, has its errors taken off all effects together. Its
        model has the mean and the covariance that follow.

    Raises
    ------
    DataError
        If a column is missing or a row there twice, a world lacks an effect, has several weights
        or one that is not above 0, or an effect has no comparison mean.

    Examples
    --------
    >>> import numpy as np
    >>> from tfeval.impact.effects.effects import Effects
    >>> rows = pd.DataFrame({"outcome": ["offences"], "months": [12], "estimate": [-0.1],
    ...                      "std_error": [0.0], "mean_comparison": [0.5]})
    >>> found = appraise(Effects(rows, np.array([[0.0]])), 5e5, families=1_000)
    >>> doubt = pd.DataFrame({"world": ["flattered"], "weight": [1.0], "outcome": ["offences"],
    ...                       "relative": [-0.2]})
    >>> with_doubt(found, found.uncertainty(100), doubt).model.estimate.round(3).tolist()
    [0.0]
    """
    lacking = [name for name in _DOUBT if name not in doubt]
    if lacking or doubt.duplicated(["world", "outcome"]).any():
        raise DataError(
            f"doubt: one row for each world and outcome, with columns {', '.join(_DOUBT)}: "
            f"{', '.join(lacking) or 'some rows'} {'missing' if lacking else 'twice'}."
        )
    names = list(appraisal.model.outcomes)
    mean = appraisal.valued.effects["mean_comparison"].to_numpy(dtype=float)
    relative = doubt.set_index(["world", "outcome"])["relative"].unstack()  # noqa: PD010
    relative = relative.reindex(index=doubt["world"].unique(), columns=names)
    weights = doubt.groupby("world", sort=False)["weight"].agg(["min", "max"])
    weights = weights.reindex(relative.index)
    if not len(doubt) or not (weights["min"] > 0).all() or (weights["min"] < weights["max"]).any():
        raise DataError("doubt: each world has one weight, above 0, in all its rows.")
    if not (np.isfinite(relative.to_numpy(dtype=float)).all() and np.isfinite(mean).all()):
        raise DataError(
            "doubt: every world needs an error (relative) of every valued effect, and every such "
            "effect a comparison mean (mean_comparison): add them, or leave the effect out."
        )
    off = relative.to_numpy(dtype=float) * mean
    share = weights["min"].to_numpy(dtype=float) / weights["min"].sum()
    # A stream of its own: the draws may have been made with the same seed.
    rng = np.random.default_rng([seed, len(share)])
    world = rng.choice(len(share), size=len(drawn.npv), p=share)
    inputs = drawn.drawn.with_(effect=drawn.drawn.effect - off[world])
    middle = share @ off
    joint = drawn.model.covariance + (off - middle).T * share @ (off - middle)
    model = replace(
        drawn.model, estimate=drawn.model.estimate - middle, covariance=joint,
        std_error=np.sqrt(np.diag(joint)),
    )  # fmt: skip
    effects = drawn.effects.copy()
    effects[names] = inputs.effect
    benefits = model.by_outcome(inputs).sum(axis=1)
    return replace(
        drawn, model=model, drawn=inputs, effects=effects, benefits=benefits,
        npv=benefits - drawn.costs,
    )  # fmt: skip
