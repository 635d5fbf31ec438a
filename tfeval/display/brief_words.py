"""Words of the summary: how sure, and on what evidence."""

from __future__ import annotations

from tfeval.display.check_words import CONFIDENCES

#: What stands where nothing tells how sure one may be.
UNKNOWN = "not_known"
SURE = {**CONFIDENCES, UNKNOWN: "not known"}
#: Grades of evidence, the best first.
GRADES = {
    "A": "measured beside a comparison, with its error",
    "B": "published officially or measured, its error not published",
    "C": "calculated from such figures on assumptions that are stated",
    "D": "declared by those who were paid for it",
}


def graded(text: str, grade: str) -> str:
    """Return what a cell says with the grade of its evidence.

    Examples
    --------
    >>> graded("£448m", "B")
    '£448m (B)'
    """
    return f"{text} ({grade})"


def grades_note() -> str:
    """Return what the grades stand for, in one line."""
    listed = "; ".join(f"{grade}, {words}" for grade, words in GRADES.items())
    return f"Evidence: {listed}."
