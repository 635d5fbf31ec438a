"""What a study could have seen: the smallest effect that it would probably have found.

An effect that is not significant is no evidence of none: it may be smaller than the design could
find. The minimum detectable effect is a multiple of the standard error that the design has, or is
to have; for many clusters, a power of 80% and intervals of 95% it is 2.8 standard errors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tfeval.errors import DataError, ParameterError
from tfeval.impact.effects.effects import Effects

ALLOCATIONS = {
    "within": "every authority has families in both groups",
    "between": "an authority's families are all in one group",
}
#: Values that may be arrays, so that a curve is one call.
Numbers = Any


@dataclass(frozen=True)
class ClusteredDesign:
    """Sizes of a study of families in authorities, and how alike the families of one are.

    Any number may be an array; arrays are broadcast against each other.

    Raises
    ------
    ParameterError
        If a value lies outside its range.
    """

    #: n_treated, n_comparison: units that the estimate rests on; for a weighted comparison its
    #: effective sample size.
    n_treated: Numbers
    n_comparison: Numbers
    clusters: Numbers | None = None  # authorities, in all; without them units are independent
    icc: Numbers = 0.0  # share of the outcome's variance that lies between authorities, 0 to 1
    #: "within", "between": whether authorities have families in both groups, or in one alone.
    allocation: str = "within"
    #: Standard deviation of the true effect between authorities, in the outcome's unit; counts only
    #: within, since between it is part of `icc`.
    effect_sd: Numbers = 0.0
    cluster_cv: Numbers = 0.0  # coefficient of variation of the authorities' sizes
    #: r2, r2_between: share of the variance within and between authorities that covariates explain;
    #: `r2_between` is `r2` if not given.
    r2: Numbers = 0.0
    r2_between: Numbers | None = None

    def __post_init__(self) -> None:
        if self.allocation not in ALLOCATIONS:
            raise ParameterError(f'allocation is "within" or "between", not {self.allocation!r}.')
        least = 2 if self.allocation == "within" else 3
        if self.clusters is not None and np.min(self.clusters) < least:
            raise ParameterError(f"clusters: at least {least} are needed for an error.")
        if np.min(self.n_treated) < 1 or np.min(self.n_comparison) < 1:
            raise ParameterError("n_treated and n_comparison are at least 1.")
        for name in ("icc", "r2", "r2_between"):
            value = getattr(self, name)
            if value is not None and not (np.min(value) >= 0 and np.max(value) <= 1):
                raise ParameterError(f"{name} lies between 0 and 1.")
        if np.min(self.effect_sd) < 0 or np.min(self.cluster_cv) < 0:
            raise ParameterError("effect_sd and cluster_cv are not below 0.")
        if self.clusters is None and (np.max(self.icc) > 0 or np.max(self.effect_sd) > 0):
            raise ParameterError("icc and effect_sd need the number of clusters.")

    @property
    def freedom(self) -> Numbers:
        """Degrees of freedom: clusters less 1 within and less 2 between, else units less 2."""
        if self.clusters is None:
            return np.asarray(self.n_treated) + np.asarray(self.n_comparison) - 2.0
        return np.asarray(self.clusters) - (1.0 if self.allocation == "within" else 2.0)

    def std_error(self, sd: Numbers) -> Numbers:
        """Return the standard error of a difference in means.

        Parameters
        ----------
        sd : float
            Standard deviation of the outcome, in its own unit; of a 0/1 outcome with share p,
            the root of p (1 - p).

        Notes
        -----
        Between authorities each group's variance is sd^2/n times the design effect
        1 + (m (1 + cv^2) - 1) icc, with m families an authority (Donner and Klar, 2000, section
        5.2; Eldridge et al., 2006, for sizes that vary). Within them what families share cancels,
        and the design effect is 1 - icc (Hemming et al., 2011); what remains of the authorities
        is that the effect differs between them. Covariates lessen each part by their R^2 (Bloom,
        2005, chapter 4).
        """
        variance = np.asarray(sd, dtype=float) ** 2
        within = variance * (1 - np.asarray(self.icc)) * (1 - np.asarray(self.r2))
        uneven = 1 + np.asarray(self.cluster_cv) ** 2
        arms = 1 / np.asarray(self.n_treated) + 1 / np.asarray(self.n_comparison)
        if self.clusters is None:
            return np.sqrt(within * arms)
        clusters = np.asarray(self.clusters, dtype=float)
        if self.allocation == "within":
            return np.sqrt(within * arms + np.asarray(self.effect_sd) ** 2 * uneven / clusters)
        explained = self.r2 if self.r2_between is None else self.r2_between
        between = variance * np.asarray(self.icc) * (1 - np.asarray(explained))
        # Authorities are divided as the families are, so each has the same size on average.
        total = np.asarray(self.n_treated) + np.asarray(self.n_comparison)
        return np.sqrt((within + between * uneven * total / clusters) * arms)


def multiplier(freedom: Numbers, power: float = 0.8, level: float = 0.95) -> Numbers:
    """Return how many standard errors an effect must have to be found.

    Parameters
    ----------
    freedom : float or ndarray
        Degrees of freedom of the t distribution; infinity for the normal.
    power : float, default 0.8
        Chance of finding it.
    level : float, default 0.95
        Of the two-sided interval that must not hold 0.

    References
    ----------
    Bloom (1995), Minimum Detectable Effects: A Simple Way to Report the Statistical Power of
    Experimental Designs, Evaluation Review 19(5).

    Examples
    --------
    >>> round(float(multiplier(np.inf)), 3), round(float(multiplier(55)), 3)
    (2.802, 2.852)
    """
    from scipy.special import stdtrit  # noqa: PLC0415 (scipy.stats takes a second to import)

    if not 0.5 <= power < 1:
        raise ParameterError(f"power lies from 0.5 to below 1, not {power!r}.")
    if not 0.5 <= level < 1:
        raise ParameterError(f"level lies from 0.5 to below 1, not {level!r}.")
    return stdtrit(freedom, 0.5 + level / 2) + stdtrit(freedom, power)


def minimum_detectable_effect(
    n_treated: Numbers,
    n_comparison: Numbers,
    *,
    sd: Numbers | None = None,
    share: Numbers | None = None,
    power: float = 0.8,
    level: float = 0.95,
    clusters: Numbers | None = None,
    icc: Numbers = 0.0,
    allocation: str = "within",
    effect_sd: Numbers = 0.0,
    cluster_cv: Numbers = 0.0,
    r2: Numbers = 0.0,
    r2_between: Numbers | None = None,
) -> Numbers:
    """Return the smallest effect that a design would find with a given power.

    Parameters
    ----------
    n_treated, n_comparison : float or ndarray
        Units in each group; for a weighted comparison its effective sample size.
    sd : float or ndarray, optional
        Standard deviation of the outcome, in its own unit.
    share : float or ndarray, optional
        Of a 0/1 outcome in place of `sd`: its share in the comparison group. The variance is
        taken at that share in both groups; for a fall from below one half that errs to the safe
        side.
    power : float, default 0.8
        Chance of finding it.
    level : float, default 0.95
        Of the two-sided interval that must not hold 0.
    clusters, icc, allocation, effect_sd, cluster_cv, r2, r2_between
        Of the authorities; see `ClusteredDesign`.

    Returns
    -------
    float or ndarray
        In the outcome's unit; of a share, in shares. Of either sign.

    Raises
    ------
    ParameterError
        If a value lies outside its range, or not exactly one of `sd` and `share` is given.

    References
    ----------
    Bloom (1995), Evaluation Review 19(5); Donner and Klar (2000), Design and Analysis of Cluster
    Randomization Trials; Hemming et al. (2011), BMC Medical Research Methodology 11:102; Eldridge,
    Ashby and Kerry (2006), International Journal of Epidemiology 35(5).

    Examples
    --------
    >>> round(minimum_detectable_effect(5000, 5000, share=0.10), 4)
    0.0168
    >>> across = dict(share=0.10, clusters=56, icc=0.02, allocation="between")
    >>> round(minimum_detectable_effect(5000, 5000, **across), 4)
    0.0365
    """
    sizes = {"n_treated": n_treated, "n_comparison": n_comparison, "sd": sd, "share": share}
    for name, value in sizes.items():
        if value is not None and np.asarray(value).dtype.kind not in "biuf":
            raise ParameterError(f"{name} is a number, or an array of numbers.")
    if (sd is None) == (share is None):
        raise ParameterError("Give sd, or share for a 0/1 outcome, and not both.")
    if share is not None:
        if not (np.min(share) > 0 and np.max(share) < 1):
            raise ParameterError("share lies between 0 and 1, such as 0.105 for 10.5%.")
        sd = np.sqrt(np.asarray(share) * (1 - np.asarray(share)))
    elif sd is not None and np.min(sd) <= 0:
        raise ParameterError("sd is above 0, in the outcome's unit.")
    made = ClusteredDesign(
        n_treated, n_comparison, clusters, icc, allocation, effect_sd, cluster_cv, r2, r2_between
    )
    effect = multiplier(made.freedom, power, level) * made.std_error(sd)
    return float(effect) if np.ndim(effect) == 0 else effect


def detectable_effects(
    effects: Effects, *, power: float = 0.8, level: float | None = None
) -> pd.DataFrame:
    """Return what a study that was done could have found, outcome by outcome.

    Parameters
    ----------
    effects : Effects
        With standard errors.
    power : float, default 0.8
        Chance of finding it.
    level : float, optional
        By default that of the effects' intervals.

    Returns
    -------
    DataFrame
        `outcome`, `population`, `months`, `std_error`, `freedom` (clusters less 1, infinity
        where errors are not clustered), `multiplier`, `detectable` (in the outcome's unit, of
        either sign) and `relative` (over the comparison mean).

    Raises
    ------
    DataError
        If no effect has a standard error.

    Notes
    -----
    It rests on the error alone, not on the estimate: the power "at the estimate" says no more
    than its p-value does (Hoenig and Heisey, 2001, The American Statistician 55(1)).

    Examples
    --------
    >>> rows = pd.DataFrame({"outcome": ["offences"], "estimate": [-0.2], "std_error": [0.1]})
    >>> detectable_effects(Effects(rows, np.array([[0.01]])))["detectable"].round(3).tolist()
    [0.28]
    """
    rows = effects.to_frame()
    error = rows["std_error"].to_numpy(dtype=float)
    if not np.isfinite(error).any():
        raise DataError("No effect has a standard error: there is nothing to find a power from.")
    clusters = rows["clusters"].to_numpy(dtype=float)
    freedom = np.where(np.isfinite(clusters), np.maximum(clusters - 1, 1), np.inf)
    times = multiplier(freedom, power, effects.level if level is None else level)
    mean = rows["mean_comparison"].to_numpy(dtype=float)
    table = rows[["outcome", "population", "months", "std_error"]].assign(
        freedom=freedom, multiplier=times, detectable=times * error
    )
    return table.assign(relative=table["detectable"] / np.where(mean > 0, mean, np.nan))
