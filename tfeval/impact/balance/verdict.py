"""Whether a design made its arms alike: thresholds, and what fails them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tfeval.display.names import VERDICTS, capital
from tfeval.errors import ParameterError, suggest

#: A standardised difference of 0.1 or less is good and of more than 0.25 too large to adjust for
#: (Rubin 2001; Stuart 2010); a variance ratio lies between 1/2 and 2 (Rubin 2001). The last three
#: are this package's: a Kolmogorov-Smirnov distance, the least effective share of the units kept
#: in an arm, the largest share left out of those whom the estimand is about.
THRESHOLDS = {
    "smd": 0.1,
    "smd_limit": 0.25,
    "variance_ratio": 2.0,
    "ks": 0.1,
    "ess_share": 0.1,
    "dropped": 0.1,
}
SMD, RATIO, KS, LEFT_OUT = "smd", "variance_ratio", "ks", "left_out"
#: Of the design as a whole, by arm.
FEW = {"treated": "ess_treated", "comparison": "ess_comparison"}
BALANCED, PARTLY, NOT_BALANCED = VERDICTS


@dataclass(frozen=True, eq=False)
class Verdict:
    """Whether the arms are alike after a design.

    Attributes
    ----------
    word : {"balanced", "partly", "not_balanced"}
        "not_balanced" if a standardised difference passes the limit or is not known;
        "partly" if anything else fails its threshold.
    failing : DataFrame
        One row a failure: covariate (empty for the design as a whole), measure ("smd",
        "variance_ratio", "ks", "ess_treated", "ess_comparison", "left_out"), value, threshold,
        severe.
    thresholds : mapping of str to float
        As in `THRESHOLDS`.
    population : str
        Whom `dropped` is about.
    """

    word: str
    failing: pd.DataFrame
    thresholds: Mapping[str, float]
    population: str

    @property
    def covariates(self) -> tuple[str, ...]:
        """Names of the covariates that fail, the worst kind of failure first."""
        named = self.failing[self.failing["covariate"] != ""]
        return tuple(dict.fromkeys(named.sort_values("severe", ascending=False)["covariate"]))

    def reasons(self) -> list[str]:
        """Return what fails, one line a threshold, with the covariates' names and no numbers."""
        limits = self.thresholds
        ratio = f"{1 / limits['variance_ratio']:.3g} to {limits['variance_ratio']:.3g}"
        groups = (
            (SMD, True, f"Standardised difference over {limits['smd_limit']:g}"),
            (SMD, False, f"Standardised difference over {limits['smd']:g}"),
            (RATIO, False, f"Variance ratio outside {ratio}"),
            (KS, False, f"Kolmogorov-Smirnov distance over {limits['ks']:g}"),
        )
        lines = []
        for measure, severe, words in groups:
            here = self.failing["measure"].eq(measure) & self.failing["severe"].eq(severe)
            if here.any():
                lines.append(f"{words}: {'; '.join(self.failing.loc[here, 'covariate'])}.")
        whole = set(self.failing.loc[self.failing["covariate"] == "", "measure"])
        for arm, measure in FEW.items():
            if measure in whole:
                lines.append(
                    f"Weights rest on few {arm} units: the effective sample size is less than "
                    f"{limits['ess_share']:.0%} of those kept."
                )
        if LEFT_OUT in whole:
            lines.append(
                f"More than {limits['dropped']:.0%} of {self.population} are left out: the effect "
                "is about the others."
            )
        return lines

    def rules(self) -> str:
        """Return the thresholds in words."""
        limits = self.thresholds
        return (
            f"Thresholds: standardised difference at most {limits['smd']:g}, and never over "
            f"{limits['smd_limit']:g} (Rubin 2001; Stuart 2010); variance ratio "
            f"{1 / limits['variance_ratio']:.3g} to {limits['variance_ratio']:.3g}; "
            f"Kolmogorov-Smirnov distance at most {limits['ks']:g}; effective sample size at least "
            f"{limits['ess_share']:.0%} of the units kept; at most {limits['dropped']:.0%} of "
            f"{self.population} left out."
        )

    def __str__(self) -> str:
        return " ".join([f"{capital(VERDICTS[self.word])}.", *self.reasons(), self.rules()])


def checked(thresholds: Mapping[str, float] | None) -> dict[str, float]:
    """Return the thresholds, those not given by default.

    Raises
    ------
    ParameterError
        If a name is unknown or a value is out of its range.

    Examples
    --------
    >>> checked({"smd": 0.05})["smd"], checked(None)["smd_limit"]
    (0.05, 0.25)
    """
    limits = dict(THRESHOLDS)
    for name, value in dict(thresholds or {}).items():
        if name not in THRESHOLDS:
            raise ParameterError(f"There is no threshold {name}. {suggest(name, THRESHOLDS)}")
        if not np.isfinite(value) or value < 0:
            raise ParameterError(f"The threshold {name} is a number of at least 0, not {value!r}.")
        limits[name] = float(value)
    if limits["variance_ratio"] < 1:
        raise ParameterError("The threshold variance_ratio is its upper end: at least 1.")
    if limits["smd"] > limits["smd_limit"]:
        raise ParameterError(
            f"smd ({limits['smd']:g}) is above smd_limit ({limits['smd_limit']:g}): raise both."
        )
    return limits


def judge(
    frame: pd.DataFrame,
    thresholds: Mapping[str, float],
    ess_share: Mapping[str, float],
    dropped: float,
    population: str,
) -> Verdict:
    """Hold a table of balance against its thresholds.

    Parameters
    ----------
    frame : DataFrame
        As in `COLUMNS`.
    thresholds : mapping
        All of `THRESHOLDS`.
    ess_share : mapping of arm to float
        Effective sample size over units kept.
    dropped : float
        Share left out of the population.
    population : str
        In words, such as "the treated".
    """
    rows = []
    top = thresholds["variance_ratio"]
    columns = ("covariate", "smd_after", "variance_ratio_after", "ks_after")
    for name, smd, ratio, ks in frame[list(columns)].itertuples(index=False):
        if not abs(smd) <= thresholds["smd"]:
            severe = not abs(smd) <= thresholds["smd_limit"]
            limit = thresholds["smd_limit" if severe else "smd"]
            rows.append((name, SMD, smd, limit, severe))
        if not np.isnan(ratio) and not 1 / top <= ratio <= top:
            rows.append((name, RATIO, ratio, top, False))
        if ks > thresholds["ks"]:
            rows.append((name, KS, ks, thresholds["ks"], False))
    for arm, share in ess_share.items():
        if share < thresholds["ess_share"]:
            rows.append(("", FEW[arm], share, thresholds["ess_share"], False))
    if dropped > thresholds["dropped"]:
        rows.append(("", LEFT_OUT, dropped, thresholds["dropped"], False))
    failing = pd.DataFrame(rows, columns=["covariate", "measure", "value", "threshold", "severe"])
    failing["severe"] = failing["severe"].astype(bool)
    word = BALANCED if failing.empty else NOT_BALANCED if failing["severe"].any() else PARTLY
    return Verdict(word, failing, thresholds, population)
