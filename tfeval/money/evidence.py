"""The five Es as evidence, each with what it rests on; no scores."""

from __future__ import annotations

from typing import Any

import pandas as pd

from tfeval.display.tables import Table, table
from tfeval.display.words import amount
from tfeval.money.account import HOUSEHOLDS
from tfeval.money.appraisal_display import heading, labels_of, notes_of

#: An `Appraisal` and an `Uncertainty`.
Appraised = Any


def five_es(appraised: Appraised, drawn: Appraised | None = None) -> pd.DataFrame:
    """Return economy, efficiency, effectiveness, equity and cost-effectiveness as evidence.

    Parameters
    ----------
    appraised : Appraisal
    drawn : Uncertainty, optional
        For intervals.

    Returns
    -------
    DataFrame
        `aspect`, `question`, `evidence`.

    References
    ----------
    Economy, efficiency and effectiveness as the National Audit Office uses them; equity and
    cost-effectiveness as the Department for International Development added (2011).
    """
    rows = [
        ("Economy", "What did it cost?", _economy(appraised)),
        ("Efficiency", "What was got for it, as counted by the programme?", _efficiency(appraised)),
        ("Effectiveness", "What would not have happened otherwise?", _effects(appraised)),
        ("Equity", "Who gains and who bears it?", _equity(appraised)),
        ("Cost-effectiveness", "Was it worth it?", _worth(appraised, drawn)),
    ]
    return pd.DataFrame(rows, columns=["aspect", "question", "evidence"])


def five_es_table(appraised: Appraised, drawn: Appraised | None = None) -> Table:
    """Return the five Es as a table for readers; see `five_es`."""
    rows = five_es(appraised, drawn)
    rows.columns = pd.Index(["Aspect", "Question", "Evidence"])
    return table(rows, heading(appraised, "Five aspects of value for money, as evidence"),
                 notes=notes_of(appraised))  # fmt: skip


def _economy(appraised: Appraised) -> str:
    low, middle, high = (float(part) for part in _costs(appraised))
    families = appraised.settings.total_families
    return (
        f"{amount(middle)} in present value (between {amount(low)} and {amount(high)}), "
        f"{amount(middle / families)} for each of {families:,.0f} families."
    )


def _costs(appraised: Appraised) -> Any:
    model = appraised.model
    return (model.costs.sum(axis=2) * model.discount).sum(axis=1)


def _efficiency(appraised: Appraised) -> str:
    claims = appraised.settings.claims
    if claims is None:
        return "No claimed results were given, so none is costed."
    return f"{amount(appraised.cost_per_claimed)} for each of {claims:,.0f} results claimed."


def _effects(appraised: Appraised) -> str:
    frame = appraised.effects.to_frame()
    told = (frame["conf_low"] > 0) | (frame["conf_high"] < 0)
    words = labels_of(appraised)
    names = ", ".join(words[name] for name in frame.loc[told, "outcome"]) or "none"
    text = f"Of {len(frame)} outcomes, {int(told.sum())} differ from the comparison: {names}."
    if appraised.settings.result is not None:
        extra, cost = appraised.additional_results, appraised.cost_per_additional
        text += f" Additional results: {extra:,.0f}, at {amount(cost, '£')} each."
    return text


def _equity(appraised: Appraised) -> str:
    by_payer = appraised.by("payer").set_index("payer")
    gains = by_payer["benefits"].drop(HOUSEHOLDS, errors="ignore")
    lost = float(by_payer["benefits"].get(HOUSEHOLDS, 0.0))
    weight = appraised.settings.weight
    most = gains.idxmax() if len(gains) else "nobody"
    text = f"Most savings fall to {most}; households' account is {amount(lost)}"
    weighed = f", a pound of theirs counting {weight:.2f}" if weight != 1 else ", unweighted"
    return f"{text}{weighed}. Effects by kind of family are not in this appraisal."


def _worth(appraised: Appraised, drawn: Appraised | None) -> str:
    text = (
        f"Net present value {amount(appraised.npv)}, "
        f"£{appraised.benefit_cost_ratio:.2f} of benefit for each £1"
    )
    if drawn is None:
        return f"{text}; fiscal return £{appraised.fiscal_return:.2f} for each £1."
    low, high = map(amount, drawn.interval())
    return (
        f"{text} ({drawn.level:.0%} interval of the net value {low} to {high}; the probability "
        f"that it pays for itself is {drawn.probability():.0%})."
    )
