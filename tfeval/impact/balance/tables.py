"""Balance as people read it: a warning nobody can miss, and a table that gives nobody away."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from tfeval.display.names import SIMULATED, VERDICTS, capital
from tfeval.display.tables import Table, table
from tfeval.errors import ParameterError, suggest

# Whether a design made its arms alike: thresholds, and what fails them.

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
    """Whether the arms are alike after a design."""

    #: "balanced", "partly", "not_balanced": "not_balanced" if a standardised difference passes the
    #: limit or is not known; "partly" if anything else fails its threshold.
    word: str
    #: One row a failure: covariate (empty for the design as a whole), measure ("smd",
    #: "variance_ratio", "ks", "ess_treated", "ess_comparison", "left_out"), value, threshold,
    #: severe.
    failing: pd.DataFrame
    thresholds: Mapping[str, float]  # as in `THRESHOLDS`
    population: str  # whom `dropped` is about

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


WIDTH = 88
_SHORT = {SMD: "difference", RATIO: "variance ratio", KS: "KS"}
_DENOMINATORS = {
    "treated": "the standard deviation of the treated before adjustment",
    "comparison": "the standard deviation of the comparison units before adjustment",
    "pooled": "the pooled standard deviation of both arms before adjustment",
}
_HEADS = {
    BALANCED: "Balanced",
    PARTLY: "CAUTION: ONLY PARTLY BALANCED",
    NOT_BALANCED: "WARNING: NOT BALANCED",
}
_ADVICE = {
    BALANCED: "No measured covariate differs by more than the thresholds allow. Of what was not "
    "measured that says nothing: how strong it would have to be to undo an effect is told beside "
    "the effects.",
    PARTLY: "Adjust for these covariates when estimating, or choose another design.",
    NOT_BALANCED: (
        "Do not read a difference in outcomes as an effect of the programme: the arms were "
        "different before it. Choose another design, or narrow whom it is about."
    ),
}


def denominator_words(denominator: str) -> str:
    """Return what differences are divided by, in words.

    Examples
    --------
    >>> denominator_words("treated")
    'the standard deviation of the treated before adjustment'
    """
    return _DENOMINATORS[denominator]


def alert_text(verdict: Verdict, method: str) -> str:
    """Return the verdict as plain text, boxed where balance fails."""
    head = f"{_HEADS[verdict.word]} ({method})"
    lines = [head, *verdict.reasons(), _ADVICE[verdict.word]]
    if verdict.word == BALANCED:
        return " ".join([f"{head}.", *lines[1:]])
    mark = "!" if verdict.word == NOT_BALANCED else "-"
    inner = [part for line in lines for part in textwrap.wrap(line, WIDTH - 6)]
    sides = [f"{mark * 2} {part.ljust(WIDTH - 6)} {mark * 2}" for part in inner]
    return "\n".join([mark * WIDTH, *sides, mark * WIDTH])


def alert_html(verdict: Verdict, method: str) -> str:
    """Return the verdict as HTML; announced at once by screen readers where balance fails."""
    head = f"{_HEADS[verdict.word]} ({method})"
    if verdict.word == BALANCED:
        return (
            f'<p class="tfeval-verdict"><strong>{escape(head)}.</strong> '
            f"{escape(_ADVICE[verdict.word])}</p>"
        )
    failed = verdict.word == NOT_BALANCED
    colour, role, kind = (
        ("#b10e1e", "alert", "failure") if failed else ("#a8430a", "note", "banner")
    )
    style = f"border: 4px solid {colour}; padding: 0.6em 1em; margin: 0 0 1em"
    reasons = "".join(f"<li>{escape(reason)}</li>" for reason in verdict.reasons())
    return (
        f'<div class="tfeval-verdict {kind}" role="{role}" style="{style}">\n'
        f"<p><strong>{escape(head)}</strong></p>\n<ul>{reasons}</ul>\n"
        f"<p>{escape(_ADVICE[verdict.word])}</p>\n</div>"
    )


def balance_table(
    frame: pd.DataFrame, verdict: Verdict, method: str, denominator: str, simulated: bool = False
) -> Table:
    """Return the balance of every covariate as a table for readers.

    Parameters
    ----------
    frame : DataFrame
        As in `COLUMNS`.
    verdict : Verdict
        Whose failures are marked.
    method, denominator : str
        Of the design and of the differences.
    simulated : bool
        Whether a note says that records are simulated.
    """
    rows = [_shown(row, verdict.thresholds) for row in frame.to_dict("records")]
    shown = pd.DataFrame(rows)
    if _same_means(frame):
        # Nobody treated was left out or weighed: one column says it.
        shown = shown.drop(columns="Treated after")
        shown = shown.rename(columns={"Treated before": "Treated"})
    marks = verdict.failing.groupby("covariate")["measure"].agg(list)
    shown["Fails"] = [
        ", ".join(_SHORT[measure] for measure in marks.get(name, [])) or "nothing"
        for name in frame["covariate"]
    ]
    notes = [
        f"Differences are treated less comparison over {denominator_words(denominator)}, for "
        "shares too; of all units where that is zero.",
        verdict.rules(),
    ]
    if frame["hidden"].any():
        notes.append(
            "Hidden: fewer than 10 units have or lack it, or it would give away another that "
            "fewer than 10 have."
        )
    if simulated:
        notes.append(f"{SIMULATED}.")
    return table(shown, f"Balance before and after: {method}", notes=notes, missing="n/a")


def _same_means(frame: pd.DataFrame) -> bool:
    """Say whether the treated's means stayed, each in its covariate's own unit."""
    before, after = frame["mean_treated_before"], frame["mean_treated_after"]
    size = np.fmax(np.fmax(before.abs(), after.abs()), frame["sd"])
    same = ((before - after).abs() <= 1e-8 * size) | (before.isna() & after.isna())
    return bool(same.all())


def _shown(row: Mapping[Any, Any], thresholds: Mapping[str, float]) -> dict[str, object]:
    hidden = bool(row["hidden"])
    shown: dict[str, object] = {"Covariate": row["covariate"]}
    for arm in ("treated", "comparison"):
        for when in ("before", "after"):
            value = "hidden" if hidden else _number(row[f"mean_{arm}_{when}"])
            shown[f"{arm.capitalize()} {when}"] = value
    for when in ("before", "after"):
        words = difference_words(row[f"smd_{when}"], hidden, thresholds)
        shown[f"Difference {when}"] = words
    ratio, distance = row["variance_ratio_after"], row["ks_after"]
    two_valued = row["kind"] in ("binary", "level", "missing")
    shown["Variance ratio after"] = None if two_valued else "hidden" if hidden else _number(ratio)
    shown["KS after"] = "hidden" if hidden else _number(distance)
    return shown


def difference_words(value: float, hidden: bool, thresholds: Mapping[str, float]) -> str:
    """Write a standardised difference; of a rare covariate only between which thresholds it lies.

    Examples
    --------
    >>> limits = {"smd": 0.1, "smd_limit": 0.25}
    >>> difference_words(-0.217, False, limits), difference_words(-0.217, True, limits)
    ('-0.22', '0.1 to 0.25')
    """
    number = float(value)
    if np.isnan(number):
        return "not known"
    if not hidden:
        return f"{number + 0.0:.2f}".replace("-0.00", "0.00")
    low, high = thresholds["smd"], thresholds["smd_limit"]
    if abs(number) <= low:
        return f"within {low:g}"
    return f"{low:g} to {high:g}" if abs(number) <= high else f"over {high:g}"


def _number(value: float) -> str:
    number = float(value)
    if np.isnan(number):
        return "not known"
    if np.isinf(number):
        return "no spread"
    return f"{number:,.2f}" if abs(number) < 1000 else f"{number:,.0f}"
