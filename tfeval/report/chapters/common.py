"""What the chapters share: names for readers, money as it is written, and sources by row."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import pandas as pd

from tfeval.display.tables import Table, table
from tfeval.display.words import about as about  # noqa: PLC0414 (chapters take them from here)
from tfeval.display.words import pounds as pounds  # noqa: PLC0414
from tfeval.display.words import unsigned_nothing
from tfeval.programme.programmes import programmes
from tfeval.programme.published import sources

Shown = TypeVar("Shown")
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
    "successful_family_outcome": "Successful family outcome",
    "agreed_year_one": "Agreed for year one",
    "attachment": "Attachment fees",
}
QUALIFIERS = {"exact": "", "rounded": "about ", "at least": "over ", "at most": "up to "}


def of_phase(own: str) -> Callable[[Callable[..., Shown]], Callable[..., Shown | Table]]:
    """Make a table or chart of one phase's figures say on another's page that there are none.

    Parameters
    ----------
    own : str
        Whose figures it shows; it then takes `phase`, of the page.
    """

    def wrap(shows: Callable[..., Shown]) -> Callable[..., Shown | Table]:
        @wraps(shows)
        def shown(*rest: Any, phase: str = own, **more: Any) -> Shown | Table:
            return shows(*rest, **more) if phase == own else of_another(own)

        return shown

    return wrap


def of_another(own: str) -> Table:
    """Return what stands in the place of figures that only the phase `own` has."""
    title = programmes()[own].title
    said = (
        f"Published of {title[:1].lower()}{title[1:]} alone, which is not what this page is about."
    )
    return table(pd.DataFrame({"What is missing": [said]}), caption="Not published for this phase")


def not_published(caption: str, what: str) -> Table:
    """Return the table that stands where a phase has nothing published to show.

    Examples
    --------
    >>> "not published where looked" in not_published("Claims", "Claims of phase two").text()
    True
    """
    return table(pd.DataFrame({"": [f"{what}: not published where looked."]}), caption=caption)


def span(low: float, high: float, how: Callable[[float], str]) -> str:
    """Write a range, or one value where both ends read the same.

    Examples
    --------
    >>> span(34.2e6, 79.8e6, pounds), span(7, 7, str)
    ('£34.2m to £79.8m', '7')
    """
    first, last = how(low), how(high)
    return first if first == last else f"{first} to {last}"


def minus(text: str) -> str:
    """Return a text of numbers with minus signs in place of hyphens."""
    return unsigned_nothing(text).replace("-", "\N{MINUS SIGN}")


def percent(share: float) -> str:
    """Write a share with one decimal.

    Examples
    --------
    >>> percent(0.9893), percent(24.63)
    ('98.9%', '2,463.0%')
    """
    return f"{share:,.1%}"


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
    mark = QUALIFIERS[row["qualifier"] or "exact"]
    number = f"{row['value']:,.10g}"
    unit = row["unit"]
    if unit == "£ per £1":
        return f"{mark}£{number} for each £1"
    if unit.startswith("£"):
        scale, *per = unit.removeprefix("£").split("/")
        return f"{mark}£{number}{scale}" + "".join(f" {_each(word)}" for word in per)
    if unit in _PERCENT:
        return f"{mark}{number}{_PERCENT[unit]}"
    return f"{mark}{number} {unit}"


def _each(word: str) -> str:
    return f"{'an' if word[0] in 'aeio' else 'a'} {word}"


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
