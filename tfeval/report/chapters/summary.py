"""Chapter 8: one page from the records of the others; no number of its own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from tfeval.display.names import SIMULATED
from tfeval.display.tables import Table, table
from tfeval.impact.effects.areas import AreaEffects
from tfeval.report.chapters.areas import authority_sentence, left_out, read_areas, why_not
from tfeval.report.chapters.common import outcome_label
from tfeval.report.chapters.summary_rows import (
    additional_cost,
    cost_words,
    open_row,
    ratio_row,
    results_row,
)
from tfeval.report.chapters.value_tables import area_value_sentence
from tfeval.report.notebook_parts import Box
from tfeval.report.record import Records

_VALUE = "07_value_for_money"


def headline(budget: Records, claims: Records) -> str:
    """Return the summary in one sentence, from published figures alone.

    Parameters
    ----------
    budget, claims : Records
        Of chapters 1 and 6.
    """
    return (
        f"{claims['claimed_families']} were claimed as turned around, {claims['claimed_share']} of "
        f"those targeted, and a saving of {claims['claimed_saving']} against a budget of "
        f"{budget['budget']}; the claim breaks even only if {claims['break_even_low']} to "
        f"{claims['break_even_high']} of the change was the programme's own: nobody measured that."
    )


def _chosen(claims: Records) -> str:
    if "full_marks_early" not in claims:
        return ""
    return f"{claims['full_marks_early']} are known only because they stand there. "


def published_table(budget: Records, claims: Records) -> Table:
    """Return what was claimed, caused and worth by published figures, with how sure we can be.

    Parameters
    ----------
    budget, claims : Records
        Of chapters 1 and 6.
    """
    rows = [
        (
            "What was claimed?",
            f"{claims['claimed_families']} turned around ({claims['claimed_share']} of those "
            f"targeted); {claims['claimed_saving']} saved.",
            f"Self-declared by authorities. {claims['full_marks_observed']} of "
            f"{claims['full_marks_known']} with a known final claim stand at exactly 100%; chance "
            f"alone would give about {claims['full_marks_expected']} of these. {_chosen(claims)}"
            "Claims may have been capped at the families targeted.",
        ),
        (
            "What did it cost?",
            f"{budget['budget']} of central budget, of which the payment rules explain "
            f"{budget['tariff_due']}.",
            f"{budget['payments_reproduced']} of {budget['payments_checked']} published payments "
            f"are reproduced, {budget['payments_within']} lie within the rules, "
            f"{budget['payments_missed']} do not. {budget['unexplained']}",
        ),
        (
            "What was caused?",
            f"{claims['evaluation_2016']} Of the effects of the 2019 study, "
            f"{claims['effects_with_values']} were seen with their values.",
            "Published without standard errors where seen.",
        ),
        open_row(claims),
        (
            "Was it worth the money?",
            f"Only if {claims['break_even_low']} to {claims['break_even_high']} of the claimed "
            f"benefit a family was the programme's own; {claims['break_even_national']} with all "
            "that authorities were expected to add.",
            "The claimed benefit is gross, from seven areas, over 12 months, without a comparison "
            "group. The share that was the programme's own was not measured.",
        ),
        ratio_row(claims),
    ]
    frame = pd.DataFrame(rows, columns=["Question", "Answer", "How sure"])
    return table(frame, caption="From published figures: claims, causes and value")


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
            str(impact["headline"]),
            f"The groups compared are {impact['balance']}; {comparison['estimand']}. What was not "
            "recorded may still differ between them.",
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
    question, said = "Was it worth the money?", str(value["headline"])
    if "value_unknown" in value:
        return question, said, "Not known; that is neither nothing nor a loss."
    return (
        question,
        said,
        f"Benefits {value['benefits']} beside costs of {value['costs']} for {value['families']}; "
        f"{value['fiscal_return']} came back to the public purse for each £1.",
    )


def _changes(value: Records) -> tuple[str, str]:
    if "value_unknown" in value:
        return "Records of more families, or with errors that hold.", f"{value['value_unknown']}"
    agree = "agree" if value["designs_agree"].value else "DO NOT agree"
    return (
        f"Value would turn with {value['turning']}.",
        f"{value['designs']} comparison groups, designs and estimators {agree} on whether it paid "
        f"({value['npv_least_design']} to {value['npv_most_design']}). To know everything that is "
        f"uncertain would be worth {value['information_value']} to the decision.",
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
    areas, values = read_areas(impact), value.table("area_values")
    if area == "all":
        rows = [(f"Effects: {name}", text) for name, text in _spread(areas)]
        rows.append(("Value a family", _value_spread(values)))
        caption = "Did it differ between authorities?"
    else:
        rows = [
            ("Effects", authority_sentence(areas, area)),
            ("Value", area_value_sentence(values, area, simulated)),
        ]
        caption = f"In {area}"
    notes = [f"{SIMULATED}."] * simulated + [
        "Partly pooled: an authority's own effect is drawn towards the mean of all by as much as "
        "chance could have moved it. What rests on fewer than ten families is not shown."
    ]
    return table(pd.DataFrame(rows, columns=["What", "Answer"]), caption=caption, notes=notes)


def _spread(areas: Mapping[str, AreaEffects]) -> list[tuple[str, str]]:
    rows = []
    for name, found in areas.items():
        frame = found.to_frame()
        shown = frame[~frame["hidden"].astype(bool)]
        apart = int(
            ((shown["pooled_low"] > found.mean) | (shown["pooled_high"] < found.mean)).sum()
        )
        out = len(left_out(found))
        text = f"{len(shown)} of {len(frame) + out} authorities can be shown"
        text += f", {out} were left out for want of an error that holds" if out else ""
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
        "npv_low": "Uncertainty",
        "npv_high": "Uncertainty",
        "npv_least_design": "Designs",
        "npv_most_design": "Designs",
        "benefit_cost_ratio": "Summary: benefits over costs",
        "fiscal_return": "Summary; Lines whose layer is fiscal",
        "information_value": "Information",
        "cost_per_family": "Summary: costs over families",
    }
    if "value_unknown" in value:
        why = pd.DataFrame({"What is missing": [str(value["value_unknown"])]})
        return table(why, caption="There are no pounds from linked records on this page")
    rows = [(name.replace("_", " "), str(value[name]), sheet) for name, sheet in sheets.items()]
    each = cost_words(additional_cost(value, claims))
    rows.append(("cost per additional result", each,
                 "Summary: cost per family; over the additional share of chapter 6"))  # fmt: skip
    return table(
        pd.DataFrame(rows, columns=["Amount", "Value", "Sheet of the spreadsheet"]),
        caption="Each pound from linked records, and where it is made",
        notes=[f"{SIMULATED}."] if value["simulated"].value else None,
    )


def records_table(*chapters: Records) -> Table:
    """Return every record this page is made from, with its chapter.

    Parameters
    ----------
    *chapters : Records
        Of the chapters read.
    """
    rows = [
        (chapter.notebook, name, str(record))
        for chapter in chapters
        for name, record in chapter.items()
    ]
    frame = pd.DataFrame(rows, columns=["Chapter", "Record", "Value"])
    return table(
        frame,
        caption="Where each number comes from",
        notes="Each chapter gives the sources of its records under its tables and figures.",
    )
