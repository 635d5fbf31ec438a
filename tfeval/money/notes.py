"""What an appraisal says of itself: its scenario, what is turned off, what cannot be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from tfeval.display.words import financial_year
from tfeval.impact.effects.words import in_full, label_of
from tfeval.money.account import lopsided
from tfeval.money.appraisal_settings import AppraisalSettings
from tfeval.money.prices import TIMINGS, edition_of
from tfeval.programme.outcomes import OUTCOMES

if TYPE_CHECKING:
    from tfeval.impact.effects.effects import Effects

#: Units of which nobody has more than all, and what rounding may leave.
_SHARES, _ROUNDING = ("0 or 1", "proportion", "share"), 1e-9


def notes_on(
    settings: AppraisalSettings, base: int, effects: Effects, small: list[str], unknown: list[dict],
    *, spent: pd.DataFrame, tied: bool,
) -> tuple[str, ...]:  # fmt: skip
    """Return what a reader must know of an appraisal, the scenario first.

    Parameters
    ----------
    settings : AppraisalSettings
    base : int
        The year to which money is discounted.
    effects : Effects
        Those considered.
    small : list of str
        Left out because they tell of too few.
    unknown : list of dict
        Left out for want of an estimate or an error.
    spent : DataFrame
        As from `programme_lines`.
    tied : bool
        Whether effects were estimated together with what is left of them.
    """
    year, count = settings.price_year, len(small) + len(unknown) + len(effects.frame)
    notes = [
        f"Pounds in {financial_year(year)} prices, discounted to {financial_year(base)}; "
        f"{edition_of(settings.edition).label}, {settings.rate} rate, flows "
        f"{TIMINGS[settings.timing]}; {settings.horizon} years from when a family joins.",
        f"Assumed: of an effect there is left, in each further year after the window measured, "
        f"{_lasting(settings)}.",
        "What would have happened anyway is in the comparison group: no deadweight is assumed.",
    ]
    notes += [*_turned(settings), *_beyond(effects)]
    if lopsided(spent):
        notes.append(
            "The programme's costs are at an end of the range given, so they are no mean of it: "
            "they are taken as certain, and intervals hold no doubt about them."
        )
    if tied:
        notes.append(
            "What is left of effects was estimated from the same families as the effects: the two "
            "err together and are drawn together, and what is expected is less or more for it."
        )
    if small:
        notes.append(
            f"Not valued, since too few families have the outcome to show it: {len(small)} of "
            f"{count} outcomes; the value is of the others alone."
        )
    if unknown:
        notes.append(
            f"Not valued, since there is no effect or no error of it: {len(unknown)} of {count} "
            "outcomes. That is no effect of nothing: the value is of the others alone, and what "
            "is not monetised is listed with its reason."
        )
    return (*notes, *effects.notes)


def _turned(settings: AppraisalSettings) -> list[str]:
    """Say what of the account is turned off or weighed: no value may be told as more than it is."""
    bias = {grade: share for grade, share in settings.optimism_bias.items() if share}
    shares = ", ".join(f"{share:.0%} of grade {grade}" for grade, share in sorted(bias.items()))
    shares += f" ({settings.optimism_bias_source})" * bool(settings.optimism_bias_source)
    said = {
        f"Benefits are taken to be overstated, and harms understated, by {shares}.": bool(bias),
        f"Of gains and losses of work others are taken to bear {settings.displacement:.0%}.":
            settings.displacement > 0,
        f"In the social account a pound of public money counts £{settings.public_funds:.2f}.":
            settings.public_funds != 1,
        "Counted is only what public bodies stop spending: no gain or loss of families, victims or "
        "others, in either account.": settings.cashable_only,
        f"In the social account a pound of the families counts £{settings.weight:.2f}.":
            settings.relative_income is not None and not settings.cashable_only,
    }  # fmt: skip
    return [text for text, holds in said.items() if holds]


def _beyond(effects: Effects) -> list[str]:
    """Say which effects are more than there is to lose, or than a share can gain."""
    frame = effects.to_frame()
    mean, estimate = frame["mean_comparison"], frame["estimate"]
    shares = frame["outcome"].map(lambda name: name in OUTCOMES and OUTCOMES[name].unit in _SHARES)
    beyond = (estimate < -mean - _ROUNDING) | (shares & (mean + estimate > 1 + _ROUNDING))
    if not beyond.any():
        return []
    labels = in_full(effects.settings)["labels"]
    named = ", ".join(label_of(name, labels) for name in frame.loc[beyond, "outcome"])
    return [f"Estimated beyond what can be, less than none of it or more than all: {named}. What "
            "such an effect is worth is too much."]  # fmt: skip


def _lasting(settings: AppraisalSettings) -> str:
    pairs = sorted(settings.persistence.items())
    return ", ".join(
        f"{persistence} of {name}" if name else str(persistence) for name, persistence in pairs
    )
