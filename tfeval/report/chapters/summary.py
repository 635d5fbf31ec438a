"""Chapter 8: one page from the records of the others; no number of its own."""

from __future__ import annotations

import pandas as pd

from tfeval.display.tables import Table, table
from tfeval.report.record import Records


def headline(budget: Records, claims: Records) -> str:
    """Return the summary in one sentence.

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


def answers_table(budget: Records, claims: Records) -> Table:
    """Return what was claimed, what was caused and what it was worth, with how sure we can be.

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
            f"would give about {claims['full_marks_expected']}.",
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
            "Published without standard errors where seen. No estimate of ours is in this report.",
        ),
        (
            "Was it worth the money?",
            f"Only if {claims['break_even_low']} to {claims['break_even_high']} of the claimed "
            f"benefit a family was the programme's own; {claims['break_even_national']} with all "
            "that authorities were expected to add.",
            "The claimed benefit is gross, from seven areas, over 12 months, without a comparison "
            "group. The share that was the programme's own was not measured.",
        ),
    ]
    frame = pd.DataFrame(rows, columns=["Question", "Answer", "How sure"])
    return table(frame, caption="Claims, causes and value")


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
