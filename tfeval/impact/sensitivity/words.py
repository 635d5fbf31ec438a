"""Sensitivity in words: what each number means, and what could not be worked out."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tfeval.impact.effects.effects import Effects

#: The table's errors may be so many times the regression's before it is said.
_LARGER = 1.1
_REASONS = {
    "e_value_reason": "E-value",
    "gamma_reason": "Gamma",
    "robustness_reason": "Robustness value",
    "benchmark_reason": "Strongest covariate",
    "oster_reason": "Delta",
}


def notes_of(
    frame: pd.DataFrame, effects: Effects, r_max: float, yardstick: str
) -> tuple[str, ...]:
    """Return what a reader must know of the numbers in the table."""
    alpha = f"{round(100 * (1 - effects.level), 6):g}%"
    notes = [
        "These numbers do not say whether something that was not measured is at work. They say "
        "how strong it would have to be.",
        "E-value: to explain the effect away, something unmeasured would have to go with both "
        "treatment and outcome by a risk ratio of at least this, beyond the covariates. For the "
        "interval: the same for its end nearest to no effect; 1 where it holds no effect.",
    ]
    if not frame["binary"].all():
        notes.append("The E-value of an outcome that is a number is approximate: the risk ratio "
                     "is taken as exp(0.91 d), d being the difference in standard deviations "
                     "within arms.")  # fmt: skip
    if frame["gamma_limit"].notna().any():
        notes.append(
            f"Gamma: how far from even the odds could be, within a matched pair, of which of the "
            f"two was treated, before a conclusion at {alpha} falls; 1 where there is none. "
            "McNemar's test of 0/1 outcomes, Wilcoxon's signed ranks of numbers; pairs are taken "
            "as independent."
        )
    if frame["robustness_value"].notna().any():
        notes += _of_regression(alpha, r_max, yardstick)
    return (*notes, *_larger_errors(frame), *_reasons(frame))


def _of_regression(alpha: str, r_max: float, yardstick: str) -> list[str]:
    return [
        "Robustness value: the share of what the covariates leave unexplained, of treatment and "
        "outcome alike, that something unmeasured would have to explain to bring the estimate to "
        f"0; for the interval: to bring it to where it is no longer told from 0 at {alpha}.",
        "Partial R2: something that explained all that is left of the outcome would have to "
        "explain this share of what is left of the treatment.",
        "Strongest covariate: the estimate there would be, at most, if something unmeasured were "
        "as strong as the covariate that would take most off it.",
        "Delta: how strong selection on the unmeasured would have to be, relative to selection on "
        f"the covariates, for the effect to be 0; below 0, the other way. The highest R2 is "
        f"{r_max:g} times that with the covariates, at most 1. With a delta of 1 the effect would "
        "be as shown.",
        "These are of the outcome's regression on treatment and covariates, with the design's "
        "weights and errors for independent units"
        + (
            "."
            if yardstick == "design"
            else "; a covariate's strength with the treatment, and delta, are those of before the "
            "design, which makes covariates alike but not what was not measured."
        ),
    ]


def _larger_errors(frame: pd.DataFrame) -> list[str]:
    with np.errstate(invalid="ignore"):
        larger = frame["std_error"] > _LARGER * frame["regression_std_error"]
    if not larger.any():
        return []
    return [
        f"The errors of {int(larger.sum())} of {len(frame)} effects are larger than those of that "
        "regression, such as by cluster: robustness for the interval is then less than it looks."
    ]


def _reasons(frame: pd.DataFrame) -> list[str]:
    found = []
    for column, name in _REASONS.items():
        reasons = [str(reason) for reason in frame[column]]
        for reason in dict.fromkeys(filter(None, reasons)):
            count = reasons.count(reason)
            some = "" if count == len(frame) else f" for {count} of {len(frame)} effects"
            what = "not known for the interval" if "interval" in reason else "not estimable"
            found.append(f"{name}: {what}{some}: {reason}.")
    return found
