"""Effects of areas or subgroups, partly pooled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from tfeval.display.axes import Rows, lay_rows, name_rows, number_axis, x_words
from tfeval.display.figures import (
    DARK_BLUE,
    DARK_GREY,
    DARK_PINK,
    INK,
    PALE,
    Captions,
    Chart,
    chart_of,
    drawing,
)
from tfeval.display.names import POOLINGS, PRIORS, SIMULATED, capital
from tfeval.display.rich import Tabled
from tfeval.display.tables import THRESHOLD, Table, table
from tfeval.display.words import out_of
from tfeval.errors import DataError, ParameterError, suggest
from tfeval.impact.effects.pooling import (
    LOG_PRIORS,
    Posterior,
    Rotated,
    knapp_hartung,
    mixture_quantile,
    paule_mandel,
    posterior,
    q_profile,
    rank_draws,
    reml,
    rotated,
    shrunken,
    typical_variance,
)
from tfeval.impact.effects.words import (
    HIDDEN,
    count_words,
    decimals,
    number,
    p_words,
    with_interval,
)

# Partly pooled effects of areas, as a table and as a chart.

#: Areas left out that a note names before it only counts them.
_LEFT_OUT = 5


def areas_table(pooled: AreaEffects) -> Table:
    """Return the areas as a table, in order of their pooled effect, the hidden ones last."""
    frame = pooled.frame.sort_values(["hidden", "pooled"], kind="stable")
    digits = decimals(float(frame["std_error"].median()))
    share = f"{pooled.level:.0%} interval"
    known = bool(frame["n_treated"].notna().any())
    rows = []
    for row in frame.to_dict("records"):
        own = number(row["estimate"], digits)
        drawn = with_interval(row["pooled"], row["pooled_low"], row["pooled_high"], digits)
        rank = f"{row['rank']:.0f} ({row['rank_low']} to {row['rank_high']})"
        arms = ("treated", "comparison") if known else ()
        counts = [count_words(row[f"n_{arm}"]) for arm in arms]
        shown = [HIDDEN] * 3 if row["hidden"] else [own, drawn, rank]
        rows.append([row["name"], *shown, *counts])
    counted = ["Treated families", "Comparison families"] if known else []
    headings = ["Area", "Own estimate", f"Partly pooled ({share})", f"Rank ({share})", *counted]
    label = pooled.settings.get("label", "Difference")
    return table(
        pd.DataFrame(rows, columns=headings),
        f"{label} by area, partly pooled",
        notes=[*_notes(pooled, digits), *pooled.notes],
    )


def _notes(pooled: AreaEffects, digits: int) -> list[str]:
    settings = pooled.settings
    notes = [SIMULATED + "."] if pooled.simulated else []
    mean = with_interval(pooled.mean, pooled.mean_low, pooled.mean_high, digits)
    tau = with_interval(pooled.tau, pooled.tau_low, pooled.tau_high, digits)
    if np.isnan(pooled.tau_high):
        tau += ", the estimates differing by less than their errors alone would have them"
    ends = (number(end, digits) for end in (pooled.prediction_low, pooled.prediction_high))
    notes += [
        f"Mean over areas {mean}, interval of Knapp and Hartung, tau by "
        f"{POOLINGS[settings['estimator']]}.",
        f"True effects differ between areas with a standard deviation (tau) of {tau}; test that "
        f"they are all alike: p {p_words(pooled.q_p)}; {pooled.i_squared:.0%} of the estimates' "
        "variance lies between areas.",
        f"Another area like these would have an effect of {' to '.join(ends)}.",
        f"Pooled effects are averaged over what is not known of tau ({PRIORS[settings['prior']]} "
        "prior); ranks from draws: an interval that is wide says that the order is not known.",
    ]
    if pooled.frame["hidden"].any():
        notes.append(
            f"Hidden: areas where an arm has fewer than {THRESHOLD} families, or fewer than "
            f"{THRESHOLD} with the outcome or without it. They count in the pooling."
        )
    if left_out := settings.get("left_out"):
        more = len(left_out) - _LEFT_OUT
        named = ", ".join(left_out[:_LEFT_OUT]) + (f" and {more:,} more" if more > 0 else "")
        notes.append(f"Without an estimate, or an error that holds, so left out: {named}.")
    if not pooled.frame["n_treated"].notna().any():
        notes.append("The numbers of families were not given, so small areas are not hidden.")
    return notes


def caterpillar_chart(
    pooled: AreaEffects, label: Sequence[str] = (), *, title: str | None = None
) -> Chart:
    """Draw areas from the lowest pooled effect to the highest, each with its interval.

    Parameters
    ----------
    label : sequence of str
        Areas to name in bold.

    Returns
    -------
    Chart
        Its data: label, own, value, low, high.
    """
    frame = pooled.frame[~pooled.frame["hidden"]].sort_values("pooled", kind="stable")
    if frame.empty:
        raise DataError("All areas are too small to show.")
    for name in label:
        if name not in set(frame["name"]):
            known = suggest(name, frame["name"])
            raise ParameterError(f"There is no area {name} to name, or it is hidden. {known}")
    data = frame[["name", "estimate", "pooled", "pooled_low", "pooled_high"]].copy()
    data.columns = pd.Index(["label", "own", "value", "low", "high"])
    words = pooled.settings.get("label", "Difference")
    heading = f"{words} by area, partly pooled"
    captions: Captions = {
        "title": title or _finding(pooled, data), "alt": _alt(pooled, data), "subtitle": heading,
    }  # fmt: skip
    rows = lay_rows(data["label"], 0.22, gap=0.03, bold=bool(label))
    with drawing(rows.space(words, legend=5), **captions) as (figure, axes):
        _draw(axes, pooled, data, rows)
        name_rows(axes, rows, [name in set(label) for name in data["label"]])
        number_axis(axes.xaxis, None)
        axes.set_xlim(*_ends(pooled, data))
        x_words(axes, words, rows)
        figure.legend(loc="outside lower left", ncols=1)
    return chart_of(figure, data.reset_index(drop=True), **captions)


def _finding(pooled: AreaEffects, data: pd.DataFrame) -> str:
    """Return in a sentence how many areas can be told from 0, and how many are too small."""
    count = int(((data["low"] > 0) | (data["high"] < 0)).sum())
    left = {"too small to show": int(pooled.frame["hidden"].sum())}
    who, rest = out_of(count, len(data), "areas", left)
    text = f"{who} can be told from 0{rest}"
    return f"Simulated records: {text}" if pooled.simulated else capital(text)


def _draw(axes: Any, pooled: AreaEffects, data: pd.DataFrame, rows: Rows) -> None:
    places = rows.places
    clear = ((data["low"] > 0) | (data["high"] < 0)).to_numpy()
    axes.axvspan(pooled.mean_low, pooled.mean_high, color=PALE, alpha=0.45, linewidth=0,
                 label=f"Its {pooled.level:.0%} interval")  # fmt: skip
    axes.axvline(pooled.mean, color=DARK_PINK, linestyle="--", linewidth=1.8,
                 label="Mean over areas")  # fmt: skip
    axes.axvline(0, color=INK, linewidth=1.2)
    low, high = _ends(pooled, data)
    beyond = int(((data["own"] < low) | (data["own"] > high)).sum())
    more = f" ({beyond} beyond the edges)" if beyond else ""
    axes.scatter(data["own"], places, s=20, marker="x", color=DARK_GREY, linewidth=1.0,
                 label=f"Own estimate{more}", zorder=2)  # fmt: skip
    for kind, colour, words in (
        (clear, DARK_BLUE, "Partly pooled: differs from 0"),
        (~clear, DARK_GREY, "Partly pooled: cannot be told from 0"),
    ):
        if kind.any():
            axes.hlines(places[kind], data["low"][kind], data["high"][kind], color=colour,
                        linewidth=1.6, alpha=0.8, zorder=3)  # fmt: skip
            axes.scatter(data["value"][kind], places[kind], s=26, edgecolor=colour,
                         color=colour if kind is clear else "white", label=words,
                         linewidth=1.2, zorder=4)  # fmt: skip


def _ends(pooled: AreaEffects, data: pd.DataFrame) -> tuple[float, float]:
    """Return the axis' ends: a wild estimate of a small area shall not press the others flat."""
    values = np.concatenate([data[["low", "high"]].to_numpy().ravel(), [0.0, pooled.mean]])
    reach = np.ptp(values)
    own = data["own"].clip(values.min() - 0.35 * reach, values.max() + 0.35 * reach)
    inside = np.concatenate([values, own])
    return inside.min() - 0.05 * reach, inside.max() + 0.05 * reach


def _alt(pooled: AreaEffects, data: pd.DataFrame) -> str:
    digits = decimals(float(pooled.frame["std_error"].median()))
    below, above = int((data["high"] < 0).sum()), int((data["low"] > 0).sum())
    ends = " to ".join(number(data["value"].iloc[at], digits) for at in (0, -1))
    hidden = int(pooled.frame["hidden"].sum())
    text = (
        f"Caterpillar chart of {len(data)} areas' partly pooled effects with {pooled.level:.0%} "
        f"intervals, from {ends}; mean {number(pooled.mean, digits)}. {below} can be told to be "
        f"below 0, {above} above."
    )
    return text + (f" {hidden} too small to show." if hidden else "")


ESTIMATORS = {"reml": reml, "paule_mandel": paule_mandel}


@dataclass(frozen=True, eq=False, repr=False)
class AreaEffects(Tabled):
    """Effects by area, drawn towards their mean by as much as the data say. From `pool_areas`.

    Attributes
    ----------
    frame : DataFrame
        One row an area: name, estimate, std_error (its own alone); pooled, pooled_low,
        pooled_high (with what the others tell); own_share (what its own estimate counts); rank,
        rank_low, rank_high; n_treated, n_comparison; hidden (too few to show).
    mean, mean_low, mean_high : float
        Mean effect over areas, with the interval of Knapp and Hartung.
    tau, tau_low, tau_high : float
        Standard deviation of the areas' true effects, by REML or Paule-Mandel, with the interval
        that Cochran's Q does not refuse: it holds 0 where the areas cannot be told apart.
        `tau_high` is missing where they differ by less than their errors alone would have them.
    tau_posterior, tau_posterior_low, tau_posterior_high : float
        Its posterior median and interval, over which the areas' pooled effects are averaged.
    tau2 : float
        Its square.
    prediction_low, prediction_high : float
        Where the true effect of another area like these lies.
    q, q_p, i_squared : float
        Cochran's Q with its p-value, and the share of the estimates' variance (0 to 1) that is
        between areas.
    level : float
        Of all intervals.
    settings : mapping
    notes : tuple of str
    simulated : bool
    """

    frame: pd.DataFrame
    mean: float
    mean_low: float
    mean_high: float
    tau: float
    tau_low: float
    tau_high: float
    tau_posterior: float
    tau_posterior_low: float
    tau_posterior_high: float
    tau2: float
    prediction_low: float
    prediction_high: float
    q: float
    q_p: float
    i_squared: float
    level: float = 0.95
    settings: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    simulated: bool = False
    _drawn: tuple[Rotated, Posterior] | None = field(default=None, repr=False)

    def to_frame(self) -> pd.DataFrame:
        """Return the areas, one a row: exact, for computing."""
        return self.frame.copy()

    def draws(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Return joint draws of the areas' true effects, shape (count, areas)."""
        if self._drawn is None:
            raise DataError("These effects of areas were not made by pool_areas: no draws of them.")
        return rank_draws(*self._drawn, count, rng)

    def table(self) -> Table:
        """Return the areas as a table for readers, small ones hidden."""
        return areas_table(self)

    def plot(self, label: Sequence[str] = (), *, title: str | None = None) -> Chart:
        """Draw the areas from lowest to highest; `label` names some of many."""
        return caterpillar_chart(self, label, title=title)


def pool_areas(
    estimates: Sequence[float] | np.ndarray | pd.Series,
    std_errors: Sequence[float] | np.ndarray | pd.Series,
    names: Sequence[str] | pd.Series,
    covariance: np.ndarray | None = None,
    *,
    n_treated: Sequence[float] | pd.Series | None = None,
    n_comparison: Sequence[float] | pd.Series | None = None,
    hidden: Sequence[bool] | np.ndarray | None = None,
    estimator: str = "reml",
    prior: str = "half_cauchy",
    prior_scale: float | None = None,
    better: str = "lower",
    level: float = 0.95,
    seed: int = 1,
    draws: int = 4000,
    label: str = "Difference",
    simulated: bool = False,
) -> AreaEffects:
    """Pool the effects of areas partly: each keeps what its own data tell.

    Parameters
    ----------
    estimates, std_errors : sequence of float, shape (k,)
        One an area, in the outcome's unit. Areas without either are left out, and named.
    names : sequence of str, shape (k,)
    covariance : ndarray, shape (k, k), optional
        Of the estimates, where areas share comparison units; its diagonal in place of
        `std_errors`.
    n_treated, n_comparison : sequence of float, shape (k,), optional
        Areas with fewer than ten in either arm count, and are not shown.
    hidden : sequence of bool, shape (k,), optional
        Other areas not to be shown.
    estimator : {"reml", "paule_mandel"}
        Of tau^2, for the mean and its interval.
    prior : {"half_cauchy", "half_normal", "flat"}
        Of tau, for the areas' own effects.
    prior_scale : float, optional
        By default the estimates' typical standard error.
    better : {"lower", "higher"}
        Which effect ranks first.
    level : float
        Of the intervals.
    seed, draws : int
        For the ranks.
    label : str
        What is estimated, in words.
    simulated : bool
        Whether the records are simulated.

    Returns
    -------
    AreaEffects

    Raises
    ------
    ParameterError
        If a setting is unknown.
    DataError
        If lengths differ, names repeat, or fewer than two areas have an estimate and an error.

    Notes
    -----
    The areas' effects carry what is not known of tau: they are averaged over its posterior, not
    taken at one value, whose intervals are too short where areas are few. The default prior
    is half-Cauchy with the typical standard error as its scale: a priori the areas' true effects
    are as likely to differ by less than the sampling error as by more (a median I^2 of one half),
    whatever the outcome's unit. The estimates are held to be normal with known errors; of areas
    with few events neither is quite true.

    References
    ----------
    Gelman et al. (2013), Bayesian Data Analysis, 3rd edition, section 5.4; Röver (2020), Journal
    of Statistical Software 93(6); Hartung and Knapp (2001), Statistics in Medicine 20; ranks:
    Goldstein and Spiegelhalter (1996), Journal of the Royal Statistical Society A 159(3).

    Examples
    --------
    >>> coached = [28, 8, -3, 7, -1, 1, 18, 12]
    >>> errors = [15, 10, 16, 11, 9, 11, 10, 18]
    >>> found = pool_areas(coached, errors, list("ABCDEFGH"), better="higher")
    >>> found.to_frame()["pooled"].round(1).tolist()
    [10.3, 7.9, 6.6, 7.7, 5.8, 6.6, 9.9, 8.2]
    """
    _check(estimator, prior, better, prior_scale, level)
    columns = {"name": names, "estimate": estimates, "std_error": std_errors,
               "n_treated": n_treated, "n_comparison": n_comparison}  # fmt: skip
    frame, data, kept = _given(columns, covariance)
    if hidden is not None:
        frame["hidden"] |= np.asarray(hidden, dtype=bool)[kept]
    typical = float(np.sqrt(typical_variance(data)))
    scale = typical if prior_scale is None else float(prior_scale)
    tau2 = ESTIMATORS[estimator](data)
    known = posterior(data, prior, scale)
    tails = ((1 - level) / 2, (1 + level) / 2)
    _add_pooled(frame, data, known, tails)
    drawn = rank_draws(data, known, draws, np.random.default_rng(seed))
    _add_ranks(frame, drawn if better == "lower" else -drawn, tails)
    left = [str(name) for name, keep in zip(names, kept, strict=True) if not keep]
    settings = {"estimator": estimator, "prior": prior, "prior_scale": scale, "better": better,
                "seed": seed, "draws": draws, "label": label, "left_out": tuple(left),
                "joint": covariance is not None}  # fmt: skip
    together: dict[str, Any] = _together(data, known, tau2, tails)
    return AreaEffects(
        frame=frame, **together, level=level, settings=settings, simulated=simulated,
        _drawn=(data, known),
    )  # fmt: skip


def _check(
    estimator: str, prior: str, better: str, prior_scale: float | None, level: float
) -> None:
    choices: dict[str, tuple[str, Iterable[str]]] = {
        "estimator": (estimator, ESTIMATORS),
        "prior": (prior, LOG_PRIORS),
        "better": (better, ("lower", "higher")),
    }
    for name, (value, known) in choices.items():
        if value not in known:
            raise ParameterError(f"There is no {name} {value}. {suggest(value, known)}")
    if prior_scale is not None and not prior_scale > 0:
        raise ParameterError("prior_scale is above 0, in the unit of the estimates.")
    if not 0 < level < 1:
        raise ParameterError("level lies between 0 and 1, such as 0.95.")


def _given(
    columns: dict[str, Any], covariance: np.ndarray | None
) -> tuple[pd.DataFrame, Rotated, np.ndarray]:
    """Return the areas that can be used, their estimates, and which of those given they are."""
    size = len(columns["name"])
    for name, values in columns.items():
        if values is not None and len(values) != size:
            raise DataError(f"There are {size} areas and {len(values)} values of {name}.")
    frame = pd.DataFrame(
        {name: np.full(size, np.nan) if values is None else np.asarray(values)
         for name, values in columns.items()}
    )  # fmt: skip
    frame["name"] = frame["name"].astype(str)
    if frame["name"].duplicated().any():
        raise DataError("An area stands twice among the names: give one estimate an area.")
    if covariance is not None:
        if np.shape(covariance) != (size, size):
            raise DataError(f"The covariance of {size} areas is {size} by {size}.")
        frame["std_error"] = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    numbers = frame[["estimate", "std_error"]].to_numpy(dtype=float)
    kept = np.isfinite(numbers).all(axis=1) & (numbers[:, 1] > 0)
    if kept.sum() < 2:
        raise DataError("Pooling needs at least two areas with an estimate and an error above 0.")
    error = numbers[kept, 1] ** 2 if covariance is None else covariance[np.ix_(kept, kept)]
    frame = frame[kept].reset_index(drop=True)
    small = (frame["n_treated"] < THRESHOLD) | (frame["n_comparison"] < THRESHOLD)
    return frame.assign(hidden=small), rotated(numbers[kept, 0], np.asarray(error)), kept


def _add_pooled(
    frame: pd.DataFrame, data: Rotated, known: Posterior, tails: tuple[float, float]
) -> None:
    mean, variance = shrunken(data, known.tau)
    frame["pooled"] = known.probability @ mean
    for name, share in zip(("pooled_low", "pooled_high"), tails, strict=True):
        frame[name] = mixture_quantile(share, mean, variance, known.probability)
    own = known.tau[:, None] ** 2 * data.weights(known.tau**2)
    # How far an area's pooled effect moves with its own estimate, the mean held.
    frame["own_share"] = known.probability @ (own @ (data.axes**2).T)


def _add_ranks(frame: pd.DataFrame, drawn: np.ndarray, tails: tuple[float, float]) -> None:
    """Add ranks, 1 for the lowest, from joint draws of the effects, shape (draws, k)."""
    ranks = np.sort(np.argsort(np.argsort(drawn, axis=1), axis=1) + 1, axis=0)
    frame["rank"] = np.median(ranks, axis=0)
    last = len(ranks) - 1
    frame["rank_low"] = ranks[int(np.floor(tails[0] * last))]
    frame["rank_high"] = ranks[int(np.ceil(tails[1] * last))]


def _together(
    data: Rotated, known: Posterior, tau2: float, tails: tuple[float, float]
) -> dict[str, float]:
    """Return what is known of all areas together."""
    from scipy.stats import chi2, t  # noqa: PLC0415

    freedom = len(data.y) - 1
    mean, error = knapp_hartung(data, tau2)
    reach = float(t.ppf(tails[1], freedom)) * error
    centre, variance = data.mean(known.tau**2)
    other = (centre[:, None], (variance + known.tau**2)[:, None], known.probability)
    low, high = (float(mixture_quantile(share, *other)[0]) for share in tails)
    q, ends = float(data.q(0.0)[0]), q_profile(data, tails[1] - tails[0])
    return {
        "mean": mean, "mean_low": mean - reach, "mean_high": mean + reach,
        "tau": float(np.sqrt(tau2)), "tau_low": float(np.sqrt(ends[0])),
        "tau_high": float(np.sqrt(ends[1])), "tau2": tau2,
        "tau_posterior": known.quantile(0.5), "tau_posterior_low": known.quantile(tails[0]),
        "tau_posterior_high": known.quantile(tails[1]),
        "prediction_low": low, "prediction_high": high,
        "q": q, "q_p": float(chi2.sf(q, freedom)),
        "i_squared": tau2 / (tau2 + typical_variance(data)),
    }  # fmt: skip
