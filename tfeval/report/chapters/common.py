"""What the chapters share: names for readers, money as it is written, and sources by row."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from tfeval.display.words import about as about  # noqa: PLC0414 (chapters take them from here)
from tfeval.display.words import pounds as pounds  # noqa: PLC0414
from tfeval.programme.published import sources

PHASE_TITLES = {"one": "Phase one, 2012-15", "two": "Phase two, 2015-20"}
MEASURE_NAMES = {
    "targeted": "Targeted",
    "identified": "Identified",
    "worked_with": "Worked with",
    "turned_around": "Turned around",
    "crime_asb_education": "Crime, anti-social behaviour and education",
    "continuous_employment": "Continuous employment",
    "progress_to_work": "Progress to work",
    "share_turned_around": "Turned around, share of those targeted",
    "sustained_progress": "Significant and sustained progress",
    "agreed_year_one": "Agreed for year one",
    "attachment": "Attachment fees",
}
_MARKS = {"exact": "", "rounded": "about ", "at least": "over ", "at most": "up to "}


def span(low: float, high: float, how: Callable[[float], str]) -> str:
    """Write a range, or one value where both ends read the same.

    Examples
    --------
    >>> span(34.2e6, 79.8e6, pounds), span(7, 7, str)
    ('£34.2m to £79.8m', '7')
    """
    first, last = how(low), how(high)
    return first if first == last else f"{first} to {last}"


def percent(share: float) -> str:
    """Write a share with one decimal.

    Examples
    --------
    >>> percent(0.9893)
    '98.9%'
    """
    return f"{share:.1%}"


def month(text: str) -> str:
    """Write YYYY-MM as readers do.

    Examples
    --------
    >>> month("2015-05"), month("2012")
    ('May 2015', '2012')
    """
    return pd.Period(text, "M").strftime("%B %Y") if len(text) == len("2015-05") else text


#: Units that stand beside the number, and their words.
_PERCENT = {"%": "%", "% per year": "% a year"}


def as_published(row: pd.Series) -> str:
    """Write a published figure with its unit and how exact it is.

    Parameters
    ----------
    row : Series
        `value`, `unit`, `qualifier`; for a textual figure, `text` or `definition`.

    Examples
    --------
    >>> as_published(pd.Series({"value": 300.0, "unit": "families", "qualifier": "at least"}))
    'over 300 families'
    """
    if pd.isna(row["value"]):
        return str(row.get("text", "")) or "not published"
    mark = _MARKS[row["qualifier"] or "exact"]
    number = f"{row['value']:,.10g}"
    unit = row["unit"]
    if unit == "£ per £1":
        return f"{mark}£{number} for each £1"
    if unit.startswith("£"):
        scale, *per = unit.removeprefix("£").split("/")
        return f"{mark}£{number}{scale}" + "".join(f" a {word}" for word in per)
    if unit in _PERCENT:
        return f"{mark}{number}{_PERCENT[unit]}"
    return f"{mark}{number} {unit}"


def with_sources(frame: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Return a table for readers with each row's source beside it.

    Parameters
    ----------
    frame : DataFrame
        What readers see, as long as `rows`.
    rows : DataFrame
        The published rows it came from.
    """
    return frame.reset_index(drop=True).assign(Source=pd.Series(sources(rows), dtype=object))


#: Outcomes of families for readers, with the unit; the order in which tables show them.
OUTCOMES = {
    "absence": ("Absence from school", "share"),
    "unauthorised_absence": ("Unauthorised absence", "share"),
    "fixed_exclusions": ("Fixed exclusions", "a family"),
    "permanent_exclusions": ("Permanent exclusions", "a family"),
    "offences": ("Proven offences", "a family"),
    "custody": ("Custodial sentences", "a family"),
    "asb_incidents": ("Anti-social behaviour incidents", "a family"),
    "out_of_work": ("Out-of-work benefits", "person-days a family"),
    "employment": ("In work", "person-days a family"),
    "in_need": ("Children in need", "child-days a family"),
    "protection_plan": ("Child protection plans", "child-days a family"),
    "looked_after": ("Children looked after", "child-days a family"),
    "emergency_admissions": ("Emergency admissions", "a family"),
    "ae_attendances": ("Attendances at accident and emergency", "a family"),
    "domestic_abuse": ("Domestic abuse incidents", "a family"),
}


def outcome_label(name: str, unit: bool = False) -> str:
    """Return an outcome's name for readers, from its column; with its unit if asked.

    Examples
    --------
    >>> outcome_label("out_of_work_12"), outcome_label("absence", unit=True)
    ('Out-of-work benefits', 'Absence from school, share of sessions')
    """
    stem, _, months = name.rpartition("_")
    label, held = OUTCOMES[stem if months.isdigit() else name]
    words = "share of sessions" if held == "share" else held
    return f"{label}, {words}" if unit else label
