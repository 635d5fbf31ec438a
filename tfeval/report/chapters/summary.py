"""The annex of chapter 8, from the records of the others; no number that is not made from these."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from tfeval.display.names import ACCOUNTS, PAY_FOR, SIMULATED
from tfeval.display.tables import Table, table
from tfeval.display.words import Sentence
from tfeval.impact.effects.areas import AreaEffects
from tfeval.programme.outcomes import outcome_label
from tfeval.report.chapters.additional import PER, read_words
from tfeval.report.chapters.areas import authority_sentence, left_out, read_areas, why_not
from tfeval.report.chapters.budget import remainder_sentence
from tfeval.report.chapters.claim_words import break_even_words
from tfeval.report.chapters.claims import additional_cost, cost_words, each_cost
from tfeval.report.chapters.over_time import areas_row
from tfeval.report.chapters.unmeasured import sure_words
from tfeval.report.chapters.value import designs_sentence
from tfeval.report.chapters.value_tables import area_value_sentence
from tfeval.report.notebook_parts import Box
from tfeval.report.record import Record, Records

# Chapter 8, the rows that chapter 6 adds: what 2016 left open, 2019 valued, results by test.

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
    account = _account(claims["care_share"])
    return (
        "What did the 2016 study leave open?",
        f"To {ACCOUNTS[account]}, up to {central[0]} for each £1 of central government if families "
        f"were compared within "
        f"authorities; up to {central[1]} if only between them. For each £1 of all public costs: "
        f"up to {whole[0]}; up to {whole[1]}. That is as if the outcomes' errors were independent; "
        f"at worst, for each £1 of central government within authorities, "
        f"{claims['open_2016_central_within_worst']:short} gained or "
        f"{claims['open_2016_central_within_loss_worst']:short} lost.",
        f"Of children looked after, the smallest change it would have seen lies between "
        f"{claims['care_detectable_low']} and {claims['care_detectable_high']}, of "
        f"{claims['care_share']} who were. Alone, to {PAY_FOR[account]} central costs takes a fall "
        f"of {paying[0]}; to {PAY_FOR[account]} all public costs, {paying[1]}.",
    )


def _account(said: Record) -> str:
    """Return whose account a recorded value is of; empty where its page had no such choice."""
    return str(said.subject.parameters().get("perspective", ""))


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
        f"By our unit costs, to the public purse, {ours:short} for each £1 of all public costs "
        f"({ours.end('low'):short} to {ours.end('high'):short} as one assumption at a time is "
        f"turned) and {central:short} for each £1 of central government. Published: "
        f"{theirs['ratio_2019_published_fiscal']:short} to public bodies, "
        f"{theirs['ratio_2019_published_economic']:short} with value to others, less transfers.",
        f"{theirs['care_share_2019']} of our benefits rest on children looked after. Errors were "
        "not published. How long effects last is assumed.",
    )


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
        f"{claims['results_additional'].interval()} were additional{read_words(claims)}. "
        f"{each_cost(additional_cost(value, claims))}",
        f"Intervals of 95%. The programme's own share of the results met is "
        f"{claims['own_share'].interval()}. "
        "The rate of similar families stands for “anyway”. The cost is what chapter 7 counts for a "
        "family, in its prices; chapter 6 gives it in cash.",
    )


_VALUE = "07_value_for_money"


_NOT_PUBLISHED = "Not published for this phase."


def headline(impact: Records, value: Records) -> Sentence:
    """Say what linked records say was caused and worth; both say it where they are simulated.

    Parameters
    ----------
    impact, value : Records
        Of chapters 4 and 7.
    """
    return Sentence(f"{impact['headline']} {value['headline']}")


def _claimed(claims: Records) -> str:
    if "claimed_families" not in claims:
        return _NOT_PUBLISHED
    share = f", {claims['claimed_share']} of those targeted" if "claimed_share" in claims else ""
    return (
        f"{claims['claimed_mark']!s}{claims['claimed_families']}{share}, by the authorities' own "
        f"count, as {claims['claimed_as']} by {claims['claimed_by']}."
    )


def _caused(claims: Records) -> str:
    if "evaluation_2016" in claims:
        return f"{claims['evaluation_2016']} (2016 study)"
    if "effects_with_values" in claims:
        return (
            f"the 2019 study gives {claims['effects_with_values']} effects with their values, "
            "without standard errors where seen."
        )
    return _NOT_PUBLISHED


def _chosen(claims: Records) -> str:
    if "full_marks_early" not in claims:
        return ""
    return f"{claims['full_marks_early']} are known only because they stand there. "


def published_table(budget: Records, claims: Records, areas: Records | None = None) -> Table:
    """Return what was claimed, caused and worth by published figures, with how sure we can be.

    Parameters
    ----------
    budget, claims, areas : Records
        Of chapters 1, 6 and 5. Rows are of their own phase alone; where a figure of it was not
        published, they say so.
    """
    rows = [
        ("What was claimed?", *_claimed_row(claims)),
        ("What did it cost?", *_cost_row(budget)),
        ("What was caused?", *_caused_row(claims)),
        areas_row(areas),
        open_row(claims),
        ("Was it worth the money?", *_break_even_row(claims)),
        ratio_row(claims),
    ]
    frame = pd.DataFrame([row for row in rows if row], columns=["Question", "Answer", "How sure"])
    return table(frame, caption="From published figures: claims, causes and value")


def _claimed_row(claims: Records) -> tuple[str, str]:
    said = _claimed(claims)
    if "claimed_saving" not in claims:
        return f"{said} No saving was published.", "Self-declared by authorities."
    return (
        f"{said[:-1]}; {claims['claimed_saving']} said to be saved.",
        f"Self-declared by authorities. {claims['full_marks_observed']} of "
        f"{claims['full_marks_known']} with an exact final claim stand at exactly 100%; chance "
        f"alone would put {claims['full_marks_expected']} of them there. {_chosen(claims)}"
        "Claims may have been capped at the families targeted.",
    )


def _cost_row(budget: Records) -> tuple[str, str]:
    spent = (
        f"{budget['budget']} of central budget, of which the payment rules explain "
        f"{budget['tariff_due'].ends()}."
    )
    if "payments_checked" not in budget:
        return spent, f"No payment of this phase was published. {remainder_sentence(budget)}"
    return (
        spent,
        f"{budget['payments_reproduced']} of {budget['payments_checked']} published payments "
        f"are reproduced, {budget['payments_within']} lie within the rules, "
        f"{budget['payments_missed']} do not. {remainder_sentence(budget)}",
    )


def _caused_row(claims: Records) -> tuple[str, str]:
    said = _caused(claims)
    return said[:1].upper() + said[1:], "Published without standard errors where seen."


def _break_even_row(claims: Records) -> tuple[str, str]:
    if "break_even_low" not in claims:
        return _NOT_PUBLISHED, "No saving was claimed that could be held against the costs."
    return (
        f"Against {claims['claimed_against']}, only if {break_even_words(claims)}; "
        f"{claims['break_even_national']} over 12 months with all that authorities were expected "
        "to add.",
        "The claimed benefit is gross, from seven areas, over 12 months, without a comparison "
        "group. The share that was the programme's own was not measured.",
    )


def records_answers(comparison: Records, impact: Records, value: Records, claims: Records) -> Table:
    """Return what linked records say was caused and worth; marked where they are simulated.

    Parameters
    ----------
    comparison, impact, value, claims : Records
        Of chapters 3, 4, 7 and 6.
    """
    rows = [
        results_row(value, claims),
        (
            "What was caused?",
            f"{impact['headline']}",
            f"{sure_words(impact)} Estimand: {comparison['estimand']}.",
        ),
        _worth(value),
        ("What would change the answer?", *_changes(value)),
    ]
    frame = pd.DataFrame(rows, columns=["Question", "Answer", "How sure"])
    simulated = bool(value["simulated"].value)
    source = "simulated records: NOT findings about the programme" if simulated else (
        "linked records")  # fmt: skip
    notes = [f"{SIMULATED}. They show what this page would say of a real extract."] * simulated
    return table(frame, caption=f"From {source}", notes=notes)


def _worth(value: Records) -> tuple[str, str, str]:
    question, said = "Was it worth the money?", f"{value['headline']}"
    if "value_unknown" in value:
        return question, said, "Not known; that is neither nothing nor a loss."
    return (
        question,
        said,
        f"Benefits {value['benefits']}{_whose(value)} beside costs of {value['costs']} for "
        f"{value['families']}; {value['fiscal_ratio']:short} came back to the public purse for "
        "each £1.",
    )


def _whose(value: Records) -> str:
    account = _account(value["npv"])
    return f" to {ACCOUNTS[account]}" if account else ""


def _changes(value: Records) -> tuple[str, str]:
    if "value_unknown" in value:
        return "Records of more families, or with errors that hold.", f"{value['value_unknown']}"
    return (
        f"Value would turn with {value['turning']}.",
        f"{designs_sentence(value, _account(value['npv']))} To know everything that is uncertain "
        f"would be worth {value['information_value']} to the decision.",
    )


def area_table(area: str, impact: Records, value: Records) -> Table:
    """Return what the records say of one authority; for the country, how far apart they are.

    Parameters
    ----------
    area : str
        Official name, or "all".
    impact, value : Records
        Of chapters 4 and 7.
    """
    simulated = bool(value["simulated"].value)
    account = _account(value["npv"]) if "npv" in value else ""
    areas, values = read_areas(impact), value.table("area_values")
    if area == "all":
        rows = [(f"Effects: {name}", text) for name, text in _spread(areas)]
        rows.append(("Value a family", _value_spread(values)))
        caption = "Did it differ between authorities?"
    else:
        rows = [
            ("Effects", authority_sentence(areas, area)),
            ("Value", area_value_sentence(values, area, simulated, account)),
        ]
        caption = f"In {area}"
    notes = [f"{SIMULATED}."] * simulated + [
        "Partly pooled: an authority's own effect is drawn towards the mean of all by as much as "
        "chance could have moved it. What rests on fewer than ten families is not shown."
    ]
    return table(pd.DataFrame(rows, columns=["What", "Answer"]), caption=caption, notes=notes)


def _spread(areas: Mapping[str, AreaEffects]) -> list[tuple[str, str]]:
    rows = []
    for name, effects in areas.items():
        frame = effects.to_frame()
        shown = frame[~frame["hidden"].astype(bool)]
        apart = int(
            ((shown["pooled_low"] > effects.mean) | (shown["pooled_high"] < effects.mean)).sum()
        )
        out = len(left_out(effects))
        text = f"{len(shown)} of {len(frame) + out} authorities can be shown"
        text += (
            f", {out} {'was' if out == 1 else 'were'} left out for want of an error that holds"
            if out
            else ""
        )
        if len(shown):
            text += f"; {apart} can be told from the mean of all"
        rows.append((outcome_label(name), f"{text}."))
    rows += [(outcome_label(name), f"Not known by authority. {why}")
             for name, why in why_not(areas).items()]  # fmt: skip
    return rows


def _value_spread(values: pd.DataFrame) -> str:
    if values.empty:
        return "Not known: too few authorities have enough families to show, or an error."
    ordered = values.sort_values("rank", kind="stable")
    best, worst = ordered.iloc[0], ordered.iloc[-1]
    return (
        f"{len(values)} authorities can be shown. The first in rank may lie anywhere from "
        f"{best['rank_low']:.0f} to {best['rank_high']:.0f}, the last from "
        f"{worst['rank_low']:.0f} to {worst['rank_high']:.0f}: a league table would mislead."
    )


def workbook_link(records: str) -> Box:
    """Return the link to the spreadsheet behind every pound from linked records.

    Parameters
    ----------
    records : str
        The folders whose records are read, or "stored".
    """
    for part in records.split(os.pathsep):
        folder = Path(part) / _VALUE
        books = sorted(folder.glob("*.xlsx"))
        if books:
            link = f"{part}/{_VALUE}/{books[0].name}"
            words = "Spreadsheet: every pound as effect × families × profile × unit cost"
            return Box("file", ((link, f"{words} ({books[0].name})"),))
    words = "The spreadsheet, where there is one, stands beside chapter 7."
    return Box("file", ((f"../{_VALUE}/report.html", words),))


def pounds_table(value: Records, claims: Records) -> Table:
    """Return where each pound on this page stands in the spreadsheet.

    Parameters
    ----------
    value, claims : Records
        Of chapters 7 and 6.
    """
    sheets = {
        "benefits": "Summary; each line in Lines, kind benefit",
        "costs": "Summary; each line in Lines, kind cost, and its sources in Costs",
        "npv": "Summary: benefits less costs",
        "npv.low": "Uncertainty",
        "npv.high": "Uncertainty",
        "social_npv": "Accounts",
        "fiscal_npv": "Accounts",
        "npv_least_design": "Designs",
        "npv_most_design": "Designs",
        "benefit_cost_ratio": "Summary: benefits over costs",
        "social_ratio": "Accounts",
        "fiscal_ratio": "Accounts",
        "information_value": "Information",
        "cost_per_family": "Summary: costs over families",
    }
    if "value_unknown" in value:
        why = pd.DataFrame({"What is missing": [str(value["value_unknown"])]})
        return table(why, caption="There are no pounds from linked records on this page")
    rows = [
        (name.replace("_", " ").replace(".", ", "), f"{_ended(value, name)}", sheet)
        for name, sheet in sheets.items()
    ]
    each = cost_words(additional_cost(value, claims))
    rows.append(("cost per additional result", each,
                 "Summary: cost per family; over the additional share of chapter 6"))  # fmt: skip
    return table(
        pd.DataFrame(rows, columns=["Amount", "Value", "Sheet of the spreadsheet"]),
        caption="Each pound from linked records, and where it is made",
        notes=[f"{SIMULATED}."] if value["simulated"].value else None,
    )


def _ended(value: Records, name: str) -> Record:
    name, _, side = name.partition(".")
    return value[name].end(side) if side else value[name]


def records_table(*chapters: Records) -> Table:
    """Return every record this page is made from, with its chapter.

    Parameters
    ----------
    *chapters : Records
        Of the chapters read.
    """
    rows = [
        (chapter.notebook, name, f"{record}" if record.low is None else record.interval())
        for chapter in chapters
        for name, record in chapter.items()
    ]
    frame = pd.DataFrame(rows, columns=["Chapter", "Record", "Value"])
    return table(
        frame,
        caption="Where each number comes from",
        notes="Each chapter gives the sources of its records under its tables and figures.",
    )
