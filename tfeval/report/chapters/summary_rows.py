"""Chapter 8, the rows that chapter 6 adds: what 2016 left open, 2019 valued, results by test."""

from __future__ import annotations

from tfeval.money.additional import Range, cost_per
from tfeval.report.chapters.additional import PER
from tfeval.report.chapters.common import about
from tfeval.report.record import Records

Row = tuple[str, str, str]


def open_row(claims: Records) -> Row | None:
    """Return what the study of 2016 left open, for each £1, and what it could have seen.

    Parameters
    ----------
    claims : Records
        Of chapter 6; None where they are of a phase which that study is not of.
    """
    if "care_share" not in claims:
        return None
    central, whole = (
        [_open(claims, f"open_2016_{view}_{how}") for how in ("within", "between")]
        for view in ("central", "total")
    )
    paying = [f"{claims[f'care_break_even_{view}']}" for view in ("central", "total")]
    return (
        "What did the 2016 study leave open?",
        f"Up to {central[0]} for each £1 of central government if families were compared within "
        f"authorities; up to {central[1]} if only between them. For each £1 of all public costs: "
        f"up to {whole[0]}; up to {whole[1]}.",
        f"Of children looked after, the smallest change it would have seen lies between "
        f"{claims['care_detectable_low']} and {claims['care_detectable_high']}, of "
        f"{claims['care_share']} who were. To pay for central costs alone takes a fall of "
        f"{paying[0]}; for all public costs, {paying[1]}.",
    )


def _open(claims: Records, name: str) -> str:
    """Write what could be gained, and what lost: more, since falls stop at nothing."""
    return f"{claims[name]:short} gained or {claims[f'{name}_loss']:short} lost"


def ratio_row(claims: Records) -> Row | None:
    """Return the effects of 2019 by our unit costs beside the published ratios.

    Parameters
    ----------
    claims : Records
        Of chapter 6. The study is of phase two, and a page of another phase says so.
    """
    question, theirs = "What are the effects of 2019 worth?", claims
    if "ratio_2019_total" not in claims:
        theirs = claims.of(phase="two")
        question = "Of phase two: what are the effects of 2019 worth?"
    if "ratio_2019_total" not in theirs:
        return None
    ours, central = theirs["ratio_2019_total"], theirs["ratio_2019_central"]
    return (
        question,
        f"By our unit costs, {ours:short} for each £1 of all public costs ({ours.end('low'):short} "
        f"to {ours.end('high'):short} as one assumption at a time is turned) and {central:short} "
        f"for each £1 of central government. Published: "
        f"{theirs['ratio_2019_published_fiscal']:short} to public bodies, "
        f"{theirs['ratio_2019_published_economic']:short} with value to others.",
        f"{theirs['care_share_2019']} of our benefits rest on children looked after. Errors were "
        "not published. How long effects last is assumed.",
    )


def additional_cost(value: Records, claims: Records) -> Range | None:
    """Return what one additional result cost, pounds; None where the records cannot say.

    Parameters
    ----------
    value, claims : Records
        Of chapters 7 (what a family cost) and 6 (families with an additional result).
    """
    if "results_unknown" in claims or "cost_per_family" not in value:
        return None
    more = claims["results_additional"]
    share = Range(*(one.number / PER for one in (more, more.end("low"), more.end("high"))))
    return cost_per(value["cost_per_family"].number, share)


def cost_words(cost: Range | None) -> str:
    """Write a cost for each result with its ends, one of which there may not be.

    Examples
    --------
    >>> cost_words(Range(448_900.0, 205_500.0, float("inf")))
    '£449,000 (at least £206,000; no upper end, for there may be none)'
    >>> cost_words(Range(448_900.0, 205_500.0, 900_000.0))
    '£449,000 (£206,000 to £900,000)'
    """
    if cost is None:
        return "not known"
    none = float("inf")
    middle = "no number" if cost.value == none else about(cost.value)
    if cost.low == none:
        return f"{middle}: none can be shown"
    if cost.high == none:
        return f"{middle} (at least {about(cost.low)}; no upper end, for there may be none)"
    return f"{middle} ({about(cost.low)} to {about(cost.high)})"


def results_row(value: Records, claims: Records) -> Row:
    """Return how many results were claimed, met and the programme's own, and what each cost.

    Parameters
    ----------
    value, claims : Records
        Of chapters 7 and 6.
    """
    question = "How many results were the programme's own?"
    if "results_unknown" in claims:
        return question, f"The records cannot say: {claims['results_unknown']}.", "Not known."
    label = "Simulated records: of" if claims["results_basis"].value == "simulated" else "Of"
    return (
        question,
        f"{label} {PER:,} families on the programme, {claims['results_claimed']:short} were "
        f"claimed. {claims['results_met']:short} met the tests; "
        f"{claims['results_anyway']:short} would have anyway. "
        f"{claims['results_additional'].interval()} were additional. Each cost "
        f"{cost_words(additional_cost(value, claims))}.",
        f"Intervals of 95%. The programme's own share of the results met is "
        f"{claims['own_share'].interval()}. "
        "The rate of similar families stands for “anyway”. The cost is all that the public "
        "spent on a family, in the prices of chapter 7; chapter 6 gives it in cash.",
    )
