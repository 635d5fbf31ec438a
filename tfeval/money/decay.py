"""How long effects last, by the records: the share left a year later, from several windows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from tfeval.display.figures import Chart
from tfeval.display.rich import Tabled
from tfeval.display.tables import Table
from tfeval.errors import DataError, ParameterError, suggest
from tfeval.impact.effects.columns import check_level
from tfeval.impact.effects.effects import Effects
from tfeval.impact.effects.words import hidden_rows
from tfeval.money.appraisal_display import decay_plot, decay_table, decay_words
from tfeval.money.appraisal_settings import DEFAULT_PERSISTENCE
from tfeval.money.decay_fit import (
    YEAR,
    Fit,
    Windows,
    fitted_at,
    log_likelihood,
    middles,
    nearest,
    tail,
    with_share,
)
from tfeval.money.persistence import (
    Array,
    Given,
    chance_below,
    normal_moments,
    persistence_of,
    uniform_moments,
)
from tfeval.programme.outcomes import OUTCOMES, SHARE

#: Parts of each side of the prior's mean over which shares are taken as equally likely.
_PARTS = 250
#: Effects for each degree of freedom of their errors above which their covariance is not known,
#: and the smallest eigenvalue of a correlation that is not 0.
_MOST, _ROUNDING = 0.7, 1e-9
#: How far numbers that are the same may lie apart, once written and read.
_SAME = 1e-4
#: A spread of the share, of the spread assumed, from which records say little.
_LITTLE = 0.9
#: Units of outcomes that say whether something ever happened.
_EITHER = ("0 or 1", "proportion")


@dataclass(frozen=True, eq=False, repr=False)
class Decay(Tabled):
    """The share of an effect that is left in each further year, as far as records tell.

    Attributes
    ----------
    edges : ndarray, shape (parts + 1,)
        Shares between which each part lies; two that are equal where the share is fixed.
    prior, posterior : ndarray, shape (parts,)
        Probability of each part, within which shares are equally likely.
    windows : DataFrame
        One row an effect: `outcome`, `months`, `estimate`, `std_error`, `conf_low`, `conf_high`,
        `fitted`, `fitted_error` (NaN for windows within the first, whose pace is their own).
    outcomes : DataFrame
        One row an outcome: `outcome`, `rate` (its effect in twelve months at the first pace; of a
        mean over the window, its level), `rate_error`, `chi_square`, `freedom` and `p_value` of
        its fit, and `told` (the square of the effect in standard errors).
    chi_square, freedom, p_value : float
        Of the fit of all outcomes with one share; NaN where nothing was fitted.
    months : int
        The first window, through which the pace is even.
    level : float
        Of intervals.
    why : str
        Why the share is as assumed ("fixed", "one_window", "few_clusters", "repeated"), or empty.
    left_out : dict of str to str
        Outcomes that had no say, and why: "ever" or "alone".
    together : DataFrame
        How effects over `months` go with the share that was fitted to them: `outcome`, `estimate`,
        `std_error`, `covariance`; no rows where nothing was fitted.
    part : bool
        Whether those followed over all windows are a part of the families whose effects are
        appraised.
    settings : dict
        `labels`, `long_labels` and `units` of outcomes.
    simulated : bool
        Whether the records are simulated.
    """

    edges: Array
    prior: Array
    posterior: Array
    windows: pd.DataFrame
    outcomes: pd.DataFrame
    chi_square: float
    freedom: float
    p_value: float
    months: int
    level: float
    why: str
    left_out: dict[str, str]
    together: pd.DataFrame = field(default_factory=pd.DataFrame)
    part: bool = False
    settings: dict[str, Any] = field(default_factory=dict)
    simulated: bool = False

    @property
    def grid(self) -> Array:
        """Middle of each part, shape (parts,)."""
        return middles(self.edges)

    @property
    def certain(self) -> bool:
        """Whether the share has no range."""
        return len(self.posterior) == 1

    @cached_property
    def mean(self) -> float:
        """Expected share."""
        return float(self.moments(1)[1])

    @cached_property
    def interval(self) -> tuple[float, float]:
        """Both ends of the central interval."""
        return self._between(self.posterior)

    @cached_property
    def assumed(self) -> tuple[float, float, float]:
        """Mean and both ends before the records were looked at."""
        return (float(_moments(self.edges, self.prior, 1)[1]), *self._between(self.prior))

    @property
    def says_little(self) -> bool:
        """Whether the records leave the share about as uncertain as it was."""
        return bool(self.why) or self._spread(self.posterior) > _LITTLE * self._spread(self.prior)

    def _between(self, weights: Array) -> tuple[float, float]:
        tail = (1 - self.level) / 2
        low, high = _quantiles(self.edges, weights, np.array([tail, 1 - tail]))
        return float(low), float(high)

    def _spread(self, weights: Array) -> float:
        _, first, second = _moments(self.edges, weights, 2)
        return float(np.sqrt(max(second - first**2, 0.0)))

    def moments(self, most: int) -> Array:
        """Return the expected share to the power 0 to `most`, shape (most + 1,)."""
        return _moments(self.edges, self.posterior, most)

    def quantile(self, share: Array) -> Array:
        """Return shares left below which so much of the probability lies."""
        return _quantiles(self.edges, self.posterior, np.asarray(share, dtype=float))

    def tie(self, outcome: str, months: int, estimate: float, std_error: float) -> float:
        """Return the covariance of an effect and the normal that the share is drawn by.

        Parameters
        ----------
        outcome : str
        months : int
            Over which the effect was measured; 0 is returned for other windows than the first.
        estimate, std_error : float
            Where they are those that the share was fitted beside, their covariance is known. Where
            they are others, it is 0; but if those followed are a `part` of the families, a whole
            goes with its part as the whole's variance goes with the part's.
        """
        rows = self.together
        if months != self.months or not len(rows) or outcome not in set(rows["outcome"]):
            return 0.0
        row = rows[rows["outcome"] == outcome].iloc[0]
        known = np.isclose([estimate, std_error], row[["estimate", "std_error"]].to_numpy(float),
                           rtol=_SAME, atol=0.0).all()  # fmt: skip
        share = 1.0 if known else min(1.0, (std_error / row["std_error"]) ** 2) * self.part
        return float(share * row["covariance"] / self._lead)

    @cached_property
    def _lead(self) -> float:
        return float(normal_moments(self, 1)[1])

    def to_frame(self) -> pd.DataFrame:
        """Return the columns of `windows`, then those of `outcomes`: exact, for computing."""
        return self.windows.merge(self.outcomes, on="outcome", how="left")

    def words(self) -> str:
        """Say what is left of an effect, and how much of that the records tell."""
        return decay_words(self)

    def table(self) -> Table:
        """Return measured and fitted effects as a table for readers."""
        return decay_table(self)

    def plot(self) -> Chart:
        """Draw the share before and after, and the fit of the five effects furthest from none."""
        return decay_plot(self)

    def __str__(self) -> str:
        """Return the expected share with its interval, as `Persistence` does."""
        low, high = self.interval
        return f"{self.mean:.0%} ({low:.0%} to {high:.0%}, as the records leave it)"


# The probability of shares: equally likely within parts.


def _prior(persistence: Given) -> tuple[Array, Array]:
    """Return the edges of the parts and their probability; the mean is the share given."""
    given = persistence_of(persistence)
    low, share, high = given.low, given.share, given.high
    if given.certain:
        return np.array([share, share]), np.ones(1)
    edges = np.r_[np.linspace(low, share, _PARTS + 1), np.linspace(share, high, _PARTS + 1)[1:]]
    below = float(chance_below(low, share, high))
    return edges, np.repeat([below / _PARTS, (1 - below) / _PARTS], _PARTS)


def _moments(edges: Array, weights: Array, most: int) -> Array:
    if len(weights) == 1:
        return np.asarray(edges[0] ** np.arange(most + 1), dtype=float)
    return uniform_moments(edges, weights, most)


def _quantiles(edges: Array, weights: Array, share: Array) -> Array:
    return np.interp(share, np.r_[0.0, np.cumsum(weights)], edges)


def decay(
    effects: Effects,
    *,
    outcome: str | Iterable[str] | None = None,
    persistence: Given = DEFAULT_PERSISTENCE,
    months: int = YEAR,
    averages: Iterable[str] | None = None,
    part: bool = False,
    level: float = 0.95,
) -> Decay:
    """Estimate the share of an effect that is left in each further year.

    Parameters
    ----------
    effects : Effects
        Over several windows of each outcome, one row each, with their joint covariance, as
        `estimate` gives them for ``families.outcomes()`` of a cohort with several horizons.
    outcome : str or iterable of str, optional
        Those that have the share in common, by default all. For a share by group, call once each.
    persistence : float or (share, low, high), default (0.5, 0.0, 1.0)
        What is assumed before: uniform from low to share and from share to high, with the share
        as its mean. A single number is not updated.
    months : int, default 12
        The window over which the appraisal takes effects; the pace is even through it.
    averages : iterable of str, optional
        Outcomes that are means over the window, not sums; by default those whose unit is a share.
    part : bool, default False
        Whether the families of these effects are some of those whose effects will be appraised, as
        where not all are followed for long.
    level : float, default 0.95
        Of intervals.

    Returns
    -------
    Decay
        Where the records cannot tell, it is what was assumed, and says why.

    Raises
    ------
    ParameterError
        If a setting is out of its range, or an outcome has two effects over one window.
    DataError
        If the effects do not say over how many months they are.

    Notes
    -----
    An effect over a window is a sum of what it is in each month: a rate of the outcome's own in
    each month of the first window, and the share to the power n in the nth year after it. That is
    how an appraisal lets effects run on (`window_weights`), so that what is fitted is what is used.
    It says nothing of when in the first window the effect came, which may be late: a shorter window
    has a pace of its own and no say. If errors of months are independent nothing is lost by that.

    Rates are not taken as equally likely wherever they lie. Under such a prior each outcome without
    an effect counts as evidence that effects vanish: with errors of independent months, odds of 1.4
    for a share of 0 against 1. The prior used (see `log_likelihood`) learns from the effects how
    far from nothing they are, and without any leaves the share as it was assumed. No effect is
    ever divided by another.

    The share and the effects err together, and an appraisal draws them together (`Decay.tie`).

    Examples
    --------
    >>> rows = pd.DataFrame({"outcome": "offences", "months": [12, 24], "estimate": [-2.0, -3.0],
    ...                      "std_error": [0.1, 0.15]})
    >>> found = decay(Effects(rows, np.array([[0.01, 0.01], [0.01, 0.0225]])))
    >>> round(found.mean, 1), found.moments(2).shape
    (0.5, (3,))
    """
    check_level(level)
    if isinstance(months, bool) or not isinstance(months, int | np.integer) or not months > 0:
        raise ParameterError(f"months is a whole number above 0, such as 12, not {months!r}.")
    edges, prior = _prior(persistence)
    subset = effects if outcome is None else effects.select(outcome=outcome)
    frame, joint, left_out = _used(subset, int(months), level)
    given: dict[str, Any] = {
        "edges": edges, "prior": prior, "months": int(months), "level": level,
        "left_out": left_out, "simulated": effects.simulated, "part": part,
        "settings": {key: subset.settings[key] for key in ("labels", "long_labels", "units")
                     if key in subset.settings},
    }  # fmt: skip
    say = frame["months"].to_numpy() >= months
    model = Windows(
        frame[say].reset_index(drop=True), joint[np.ix_(say, say)], int(months),
        _averages(subset, averages), float(frame.loc[say, "freedom"].fillna(np.inf).min()),
    )  # fmt: skip
    if why := _why_not(model):
        frame[["fitted", "fitted_error"]] = np.nan
        none = pd.DataFrame(columns=_FITS)
        return Decay(posterior=prior, windows=frame[_WINDOWS], outcomes=none, why=why,
                     chi_square=np.nan, freedom=np.nan, p_value=np.nan, **given)  # fmt: skip
    design = model.design(middles(edges))
    fit = fitted_at(design, model.own["estimate"].to_numpy(), model.joint)
    log = log_likelihood(fit.explained, fit.total, len(model.names), model.freedom)
    posterior = prior * np.exp(log - log.max())
    posterior /= posterior.sum()
    left = model.own["estimate"].to_numpy() - np.einsum("gqj,gj->gq", design, fit.rates)
    share, squares = nearest(model, edges, int(fit.explained.argmax()))
    spare = len(model.own) - len(model.names) - (len(prior) > 1)
    frame.loc[say, "fitted"], frame.loc[say, "fitted_error"] = fit.expected(design, posterior)
    return Decay(
        posterior=posterior, windows=frame[_WINDOWS], why="fixed" if len(prior) == 1 else "",
        outcomes=_by_outcome(model, fit, posterior, share), chi_square=squares,
        freedom=float(spare), p_value=tail(squares, spare, model.freedom),
        together=with_share(subset, model, left, posterior, edges) if len(prior) > 1
        else pd.DataFrame(), **given,
    )  # fmt: skip


_WINDOWS = ["outcome", "months", "estimate", "std_error", "conf_low", "conf_high", "fitted",
            "fitted_error"]  # fmt: skip
_FITS = ["outcome", "rate", "rate_error", "chi_square", "freedom", "p_value", "told"]


def _used(
    effects: Effects, months: int, level: float
) -> tuple[pd.DataFrame, Array, dict[str, str]]:
    """Return the effects that have a say or stand beside them, their covariance, and the others."""
    from scipy.special import ndtri  # noqa: PLC0415

    frame = effects.to_frame()
    if frame["months"].isna().all() and len(frame):
        raise DataError("The effects do not say over how many months they are: give months.")
    if frame.duplicated(["outcome", "months"]).any():
        raise ParameterError(
            "An outcome has several effects over one window: select one population, design and "
            "method first."
        )
    units = effects.settings.get("units", {})
    ever = frame["outcome"].map(lambda name: _unit(name, units) in _EITHER)
    known = frame["estimate"].notna() & frame["months"].notna() & ~hidden_rows(frame) & ~ever
    known &= np.diag(effects.joint) > 0
    say = (known & (frame["months"] >= months)).groupby(frame["outcome"]).transform("sum")
    kept = known & (say > 1)
    stays = set(frame.loc[kept, "outcome"])
    left_out = {name: "ever" if apart else "alone"
                for name, apart in zip(frame["outcome"], ever, strict=True)
                if name not in stays}  # fmt: skip
    first = {name: at for at, name in enumerate(dict.fromkeys(frame["outcome"]))}
    order = np.lexsort((frame["months"], frame["outcome"].map(first)))
    rows = order[kept.to_numpy()[order]]
    joint = effects.joint[np.ix_(rows, rows)]
    windows = frame.iloc[rows].reset_index(drop=True)
    windows = windows.assign(
        months=windows["months"].astype(int), std_error=np.sqrt(np.diag(joint))
    )
    reach = ndtri((1 + level) / 2) * windows["std_error"]
    for name, end in (("conf_low", -reach), ("conf_high", reach)):
        windows[name] = windows[name].fillna(windows["estimate"] + end)
    return windows, joint, left_out


def _unit(name: str, units: dict[str, str]) -> str:
    return units.get(name, OUTCOMES[name].unit if name in OUTCOMES else "")


def _averages(effects: Effects, given: Iterable[str] | None) -> set[str]:
    """Return the outcomes that are means over the window."""
    names, units = set(effects.frame["outcome"]), effects.settings.get("units", {})
    if given is None:
        return {name for name in names if _unit(name, units) == SHARE}
    named = {given} if isinstance(given, str) else set(given)
    for name in sorted(named - names):
        raise ParameterError(f"averages names no effect {name}. {suggest(name, names)}")
    return named


def _why_not(model: Windows) -> str:
    if model.own.empty:
        return "one_window"
    if len(model.own) > _MOST * model.freedom:
        return "few_clusters"
    error = model.own["std_error"].to_numpy()
    least = np.linalg.eigvalsh(model.joint / np.outer(error, error))[0]
    return "" if least > _ROUNDING else "repeated"


def _by_outcome(model: Windows, fit: Fit, posterior: Array, share: Array) -> pd.DataFrame:
    """Return each outcome's rate, and how well its windows fit the share that fits all best."""
    own, one = model.own, np.eye(len(model.names))
    rate, error = fit.expected(np.broadcast_to(one, (len(posterior), *one.shape)), posterior)
    design, lines = model.design(share), []
    for place, name in enumerate(model.names):
        rows = np.flatnonzero(own["outcome"] == name)
        alone = fitted_at(design[:, rows, place : place + 1], own["estimate"].to_numpy()[rows],
                        model.joint[np.ix_(rows, rows)])  # fmt: skip
        squares, spare = float(alone.explained[0]), len(rows) - 1
        left = max(alone.total - squares, 0.0)
        scale = 1.0 if name in model.averages else float(YEAR)
        lines.append((name, rate[place] * scale, error[place] * scale, left, float(spare),
                      tail(left, spare, model.freedom), squares))  # fmt: skip
    return pd.DataFrame(lines, columns=_FITS)
