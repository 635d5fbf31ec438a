"""What a trend before can and cannot vouch for: bounds on effects, and the power of its test."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tfeval.display.names import RESTRICTIONS as WORDS
from tfeval.display.rich import Tabled
from tfeval.display.tables import Table, table
from tfeval.errors import DataError, ParameterError, check_choice
from tfeval.impact.effects.words import decimals, number, p_words
from tfeval.impact.panel.robust_sets import (
    RelativeMagnitudes,
    Smoothness,
    Wald,
    Windows,
    breakdown,
)

RESTRICTIONS = ("relative_magnitudes", "smoothness")
#: Powers at which `pre_trend` says what it would detect.
_POWERS = (0.5, 0.8)
#: Multiples beyond which relative magnitudes are not searched.
_MOST = 100.0


@dataclass(frozen=True, eq=False, repr=False)
class TrendBounds(Tabled):
    """Intervals for a mean effect when trends may differ by so much.

    Attributes
    ----------
    frame : DataFrame
        One row a multiple: `multiple`, `conf_low`, `conf_high`, `excludes_zero`.
    breakdown : float
        The multiple up to which every interval leaves out nought; 0 if that without any
        difference in trend does not, and `searched` if all that were searched do.
    searched : float
        The largest multiple looked at for `breakdown`.
    estimate, std_error : float
        The weighted mean of the coefficients after: the effect if trends are parallel.
    restriction : {"relative_magnitudes", "smoothness"}
    level : float
    weights : Series
        Of each period after the base through which a difference in trend goes on, by period: 0
        for one that is not in the mean, such as a year treated in part.
    dropped : tuple of int
        Periods with a coefficient that have no part: before the base and not among `pre`, or
        after the last of `post`.
    """

    frame: pd.DataFrame
    breakdown: float
    searched: float
    estimate: float
    std_error: float
    restriction: str
    level: float
    weights: pd.Series
    dropped: tuple[int, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """Return one row a multiple: exact, for computing."""
        return self.frame.copy()

    def table(self) -> Table:
        """Return one row a multiple as a table for readers."""
        digits = decimals(self.std_error)
        bent = self.restriction == "smoothness"
        shown = {
            WORDS[self.restriction]: [
                number(one, digits + 1) if bent else f"{one:g}" for one in self.frame["multiple"]
            ],
            f"{self.level:.0%} interval": [
                f"{number(low, digits)} to {number(high, digits)}"
                for low, high in zip(self.frame["conf_low"], self.frame["conf_high"], strict=True)
            ],
            "Leaves out nought": [
                "yes" if one else "no" for one in self.frame["excludes_zero"]
            ],
        }  # fmt: skip
        return table(
            pd.DataFrame(shown), "The mean effect when trends may differ", notes=self._notes(digits)
        )

    def _notes(self, digits: int) -> list[str]:
        bent = self.restriction == "smoothness"
        far = digits + 1 if bent else 2
        if self.breakdown == 0:
            kept = "differ by a straight line alone" if bent else "are parallel"
            said = f"The interval has nought even if trends {kept}."
        elif self.breakdown < self.searched:
            said = f"Nought comes in at {number(self.breakdown, far)}."
        else:
            said = f"Nought is left out up to {number(self.searched, far)}, as far as was looked."
        notes = [f"If trends are parallel: {number(self.estimate, digits)}.", said]
        for words, periods in (
            ("Not in the mean, but trends go on through", self.weights.index[self.weights == 0]),
            ("Left out", self.dropped),
        ):
            if len(periods):
                notes.append(f"{words}: {', '.join(map(str, periods))}.")
        return notes


@dataclass(frozen=True, eq=False, repr=False)
class PreTrend(Tabled):
    """The joint test of the coefficients before, and the trends that it lets pass.

    Attributes
    ----------
    statistic : float
        Wald's, of all coefficients before.
    periods : int
        Their number.
    p_chi_square : float
    p_f : float
        With `freedom` degrees of freedom below; NaN where none was given.
    freedom : float
        NaN where none was given.
    level : float
        One less the size of the test.
    frame : DataFrame
        One row a power: `power`, `slope` (the straight trend, a period, that the test detects
        with that power), `bias` (what it makes of the mean after) and `bias_if_passed` (what is
        expected of it in the samples that pass); the last two NaN without periods after. A
        falling trend is the same with the other sign.
    """

    statistic: float
    periods: int
    p_chi_square: float
    p_f: float
    freedom: float
    level: float
    frame: pd.DataFrame

    @property
    def p_value(self) -> float:
        """That by F where degrees of freedom were given, else by chi-squared."""
        return self.p_chi_square if np.isnan(self.p_f) else self.p_f

    def to_frame(self) -> pd.DataFrame:
        """Return one row a power: exact, for computing."""
        return self.frame.copy()

    def table(self) -> Table:
        """Return one row a power as a table for readers."""
        digits = decimals(float(self.frame["slope"].min())) + 1
        headings = {
            "slope": "Straight trend, a period",
            "bias": "Its bias in the mean after",
            "bias_if_passed": "Bias expected where the test passes",
        }
        shown = {"Chance that the test sees it": [f"{one:.0%}" for one in self.frame["power"]]}
        for name, heading in headings.items():
            if self.frame[name].notna().all():
                shown[heading] = [number(one, digits) for one in self.frame[name]]
        joint = f"All {self.periods} coefficients before are nought: p {p_words(self.p_value)}."
        return table(pd.DataFrame(shown), "Trends that the test before would miss", notes=[joint])


def trend_bounds(
    coefficients: pd.Series | Sequence[float] | np.ndarray,
    covariance: pd.DataFrame | np.ndarray,
    *,
    times: Iterable[int],
    base: int,
    pre: Iterable[int],
    post: Iterable[int],
    post_weights: Iterable[float] | None = None,
    restriction: str = "relative_magnitudes",
    multiples: Iterable[float] = (0.5, 1.0, 1.5, 2.0),
    level: float = 0.95,
    grid: int = 1000,
) -> TrendBounds:
    """Bound the mean effect after a base period when trends may differ by so much.

    Parameters
    ----------
    coefficients : Series or sequence of float, shape (periods,)
        Of an event study, each period against the base; from anywhere. That of the base may be
        among them (it is not read) or not.
    covariance : DataFrame or ndarray, shape (periods, periods)
        Of the coefficients, in their order.
    times : iterable of int
        The period of each coefficient.
    base : int
        The period that the others are measured against: after all of `pre`, before all of
        `post`.
    pre, post : iterable of int
        Periods before, and those whose mean effect is asked about.
    post_weights : iterable of float, optional
        Of each of `post`, in their order; by default alike, adding to one.
    restriction : {"relative_magnitudes", "smoothness"}
        From one period to the next, the difference in trend changes by at most a multiple of the
        largest such change before; or the difference in trend is straight but for bends of at
        most so much a period.
    multiples : iterable of float, default (0.5, 1, 1.5, 2)
        Of the largest change before; for smoothness the bend itself, in units of the
        coefficients.
    level : float, default 0.95
    grid : int, default 1000
        Effects tried for each multiple of relative magnitudes. Ends are then halved to a
        rounding error, but a part of the set narrower than the grid's step may be missed.

    Returns
    -------
    TrendBounds

    Raises
    ------
    ParameterError
        If a setting is unknown or out of range, or a period has no coefficient.
    DataError
        If coefficients and covariance do not fit, are missing, or are no covariance.

    Notes
    -----
    Differences in trend go on through every period. One between the base and the last of `post`
    that is not in `post`, such as a year treated in part, stays as a period of weight 0. Where a
    period has no coefficient, the step over it counts by its length, before and after: what may
    have gone up and down again within a step before is not seen. Periods after the last of `post`
    say nothing of the mean before them and are left out, and so are those before the base that
    are not in `pre`. Smoothness needs every period.

    Intervals take coefficients as normal with the covariance given. Relative magnitudes have
    the conditional test with a first stage of a tenth of its size at least favourable critical
    values (Andrews, Roth and Pakes 2023), for each step that may be the largest; the set is the
    union, from its lowest to its highest effect. Critical values are integrated, not drawn.
    Smoothness has the shortest interval of fixed length. For neither are draws made.

    `breakdown` is found by trying sixteen multiples up to `searched` and halving before the
    first at which nought is within; `searched` is one at which it is for certain (where the
    largest change before is next to nothing, 100).

    References
    ----------
    Rambachan and Roth (2023), Review of Economic Studies 90; their R package HonestDiD has the
    same methods ("C-LF" for relative magnitudes, "FLCI" for smoothness).

    Examples
    --------
    Three years before and three after, of which the first is treated in part:

    >>> found = trend_bounds(
    ...     [0.2, -0.1, 0.1, -0.6, -1.2, -1.3], np.diag([0.02] * 6) + 0.01,
    ...     times=[2008, 2009, 2010, 2012, 2013, 2014], base=2011,
    ...     pre=[2008, 2009, 2010], post=[2013, 2014])
    >>> found.frame.round(2)
       multiple  conf_low  conf_high  excludes_zero
    0       0.5     -2.10      -0.40           True
    1       1.0     -2.86       0.36          False
    2       1.5     -3.64       1.14          False
    3       2.0     -4.42       1.92          False
    >>> found.weights.to_dict(), round(found.breakdown, 2)
    ({2012: 0.0, 2013: 0.5, 2014: 0.5}, 0.76)
    """
    check_choice("restriction", restriction, RESTRICTIONS)
    _check_level(level)
    many = [float(one) for one in multiples]
    if not many or not all(0 <= one < np.inf for one in many):
        raise ParameterError("multiples must be numbers of 0 or more, at least one.")
    if isinstance(grid, bool) or not isinstance(grid, int) or grid < 20:
        raise ParameterError(f"grid is how many effects are tried, a whole number from 20: {grid}.")
    windows, dropped = _windows(
        coefficients, covariance,
        times=times, base=base, pre=pre, post=post, post_weights=post_weights,
    )  # fmt: skip
    if not len(windows.weights):
        raise ParameterError("post must name at least one period after the base.")
    if np.linalg.matrix_rank(windows.sigma, hermitian=True) < len(windows.sigma):
        raise DataError(
            f"The covariance of the {len(windows.sigma)} coefficients is singular, as with fewer "
            "clusters than periods: ask of fewer periods."
        )
    sets: RelativeMagnitudes | Smoothness
    if restriction == "smoothness":
        if len(set(windows.gaps)) > 1:
            raise ParameterError(
                "Smoothness needs a coefficient for every period from the first of pre to the "
                "last of post, evenly apart: give the others, or use relative_magnitudes."
            )
        sets = Smoothness(windows, level)
    else:
        sets = RelativeMagnitudes(windows, level, grid)
    rows = []
    for one in many:
        low, high = sets.interval(one)
        rows.append((one, low, high, bool(low > 0 or high < 0)))
    columns = ["multiple", "conf_low", "conf_high", "excludes_zero"]
    searched = sets.furthest
    if restriction == "relative_magnitudes":
        searched = min(searched, _MOST)
    after = pd.Index(windows.times[windows.before + 1 :], name="period")
    return TrendBounds(
        frame=pd.DataFrame(rows, columns=columns),
        breakdown=breakdown(sets.excludes_zero, searched),
        searched=float(searched),
        estimate=windows.estimate,
        std_error=windows.std_error,
        restriction=restriction,
        level=float(level),
        weights=pd.Series(windows.weights, after, name="weight"),
        dropped=dropped,
    )


def pre_trend(
    coefficients: pd.Series | Sequence[float] | np.ndarray,
    covariance: pd.DataFrame | np.ndarray,
    *,
    times: Iterable[int],
    base: int,
    pre: Iterable[int],
    post: Iterable[int] = (),
    post_weights: Iterable[float] | None = None,
    freedom: float | None = None,
    level: float = 0.95,
) -> PreTrend:
    """Test that all coefficients before are nought, and say which trends the test lets pass.

    Parameters
    ----------
    coefficients, covariance, times, base, pre, post, post_weights
        As for `trend_bounds`; without `post`, no bias is carried on.
    freedom : float, optional
        Degrees of freedom of the covariance, such as clusters less one: the test is then by F.
    level : float, default 0.95
        One less the size of the test.

    Returns
    -------
    PreTrend

    Raises
    ------
    ParameterError
        If a setting is out of range, or a period has no coefficient.
    DataError
        If coefficients and covariance do not fit, are missing, or are no covariance; or that of
        the coefficients before is singular.

    Notes
    -----
    Under a straight trend the statistic is non-central chi-squared (or F), so power has a closed
    form. So has the bias in the samples that pass: with m the trend in standardised coefficients
    before, their mean among those whose squares add to less than the critical value is m times
    P(chi-squared with k + 2 < critical) / P(chi-squared with k < critical), both non-central;
    what that says of the coefficients after follows by regression on those before. Roth (2022)
    has tests of single coefficients, which let other trends pass.

    References
    ----------
    Roth (2022), Pretest with caution, American Economic Review: Insights 4.

    Examples
    --------
    >>> found = pre_trend([0.2, -0.1, 0.1, -1.2], np.diag([0.02] * 4) + 0.01,
    ...                   times=[2008, 2009, 2010, 2012], base=2011,
    ...                   pre=[2008, 2009, 2010], post=[2012])
    >>> round(found.p_value, 3), found.frame["power"].tolist()
    (0.457, [0.5, 0.8])
    """
    _check_level(level)
    if freedom is not None and not 0 < freedom < np.inf:
        raise ParameterError(f"freedom must be above 0: {freedom}.")
    windows, _ = _windows(
        coefficients, covariance,
        times=times, base=base, pre=pre, post=post, post_weights=post_weights,
    )  # fmt: skip
    before = windows.before
    inner = windows.sigma[:before, :before]
    if np.linalg.matrix_rank(inner, hermitian=True) < before:
        raise DataError(
            f"The covariance of the {before} coefficients before is singular: test fewer periods."
        )
    inverse = np.linalg.inv(inner)
    beta = windows.beta[:before]
    statistic = float(beta @ inverse @ beta)
    test = Wald(before, np.inf if freedom is None else float(freedom), 1 - level)
    trend = np.delete(windows.times - windows.times[before], before).astype(float)
    carried = float(windows.contrast @ trend)
    onward = windows.contrast @ windows.sigma[:, :before] @ inverse @ trend[:before]
    unit = float(trend[:before] @ inverse @ trend[:before])
    rows = []
    for power in _POWERS:
        noncentral = test.noncentral(power)
        slope = np.sqrt(noncentral / unit)
        bias, moved = slope * carried, slope * onward * (test.shrunk(noncentral) - 1)
        rows.append((power, slope, *((bias, bias + moved) if carried else (np.nan, np.nan))))
    tail = Wald(before, np.inf, 1 - level).tail(statistic)
    return PreTrend(
        statistic=statistic,
        periods=before,
        p_chi_square=tail,
        p_f=np.nan if freedom is None else test.tail(statistic),
        freedom=np.nan if freedom is None else float(freedom),
        level=float(level),
        frame=pd.DataFrame(rows, columns=["power", "slope", "bias", "bias_if_passed"]),
    )


def _check_level(level: float) -> None:
    if isinstance(level, bool) or not isinstance(level, float | int) or not 0 < level < 1:
        raise ParameterError(f"level must be between 0 and 1: {level!r}.")


def _windows(
    coefficients: pd.Series | Sequence[float] | np.ndarray,
    covariance: pd.DataFrame | np.ndarray,
    *,
    times: Iterable[int],
    base: int,
    pre: Iterable[int],
    post: Iterable[int],
    post_weights: Iterable[float] | None,
) -> tuple[Windows, tuple[int, ...]]:
    """Return what stands before and after the base, and the periods that have no part."""
    beta, sigma = np.asarray(coefficients, dtype=float), np.asarray(covariance, dtype=float)
    times = [int(time) for time in times]
    place = {time: at for at, time in enumerate(times)}
    if beta.ndim != 1 or sigma.shape != (len(beta), len(beta)) or len(times) != len(beta):
        raise DataError(
            f"{beta.shape} coefficients, a covariance of {sigma.shape} and {len(times)} times do "
            "not fit: give one of each for every period."
        )
    if len(place) < len(times):
        raise ParameterError("times must name each period once.")
    before, after = sorted({int(time) for time in pre}), [int(time) for time in post]
    weights = _weights(after, post_weights)
    if not before or before[-1] >= base or (after and min(after) <= base):
        raise ParameterError(
            f"pre must name periods before the base, {base}, and post those after it: measure "
            "coefficients against the last period before."
        )
    lacking = [str(time) for time in (*before, *after) if time not in place]
    if lacking:
        raise ParameterError(f"No coefficient for {', '.join(lacking)}, of pre or post.")
    last = max(after, default=base)
    through = sorted(time for time in times if base < time <= last)
    used = [place[time] for time in (*before, *through)]
    beta, sigma = beta[used], sigma[np.ix_(used, used)]
    _check_covariance(beta, sigma)
    dropped = sorted(set(times) - {base, *before, *through})
    placed = np.array([weights.get(time, 0.0) for time in through])
    windows = Windows(beta, sigma, np.array([*before, base, *through]), len(before), placed)
    return windows, tuple(dropped)


def _weights(after: list[int], given: Iterable[float] | None) -> dict[int, float]:
    if len(set(after)) < len(after):
        raise ParameterError("post must name each period once.")
    weights = [1 / len(after) for _ in after] if given is None else [float(one) for one in given]
    if len(weights) != len(after):
        raise ParameterError(f"{len(weights)} post_weights for {len(after)} periods of post.")
    if after and (not np.isfinite(weights).all() or not any(weights)):
        raise ParameterError("post_weights must be numbers, not all of them 0.")
    return dict(zip(after, weights, strict=True))


def _check_covariance(beta: np.ndarray, sigma: np.ndarray) -> None:
    missing = int((~np.isfinite(beta) | ~np.isfinite(sigma).all(axis=1)).sum())
    if missing:
        raise DataError(
            f"{missing} of {len(beta)} periods from pre to post have no coefficient or no "
            "covariance: leave them out of all that is given."
        )
    scale = np.abs(sigma).max()
    if not np.allclose(sigma, sigma.T, rtol=0, atol=1e-8 * scale):
        raise DataError("The covariance is not symmetric: give that of the coefficients.")
    if scale == 0 or np.linalg.eigvalsh(sigma)[0] < -1e-8 * scale or (np.diag(sigma) <= 0).any():
        raise DataError(
            "The covariance has a variance that is not above 0: leave out periods without one."
        )
