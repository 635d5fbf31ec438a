"""How values are written for a reader: numbers, dates, missing values."""

from __future__ import annotations

import datetime as dt
import math
import numbers
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from html import escape
from typing import Any

import pandas as pd

#: What others may know of a family or a person in an extract, by key (`tf.anonymity`).
QUASI_IDENTIFIERS = {
    "all": "all together",
    "authority": "authority",
    "children": "number of children",
    "child_births": "births of the children",
    "child_sexes": "sexes of the children",
    "adults": "number of adults",
    "adult_births": "births of the adults",
    "adult_sexes": "sexes of the adults",
    "birth": "birth",
    "sex": "sex",
    "role": "role",
}

# A recorded fact inside a sentence: its words, and beside them the record that they come from.
# Words travel as plain text through sentences and cells of tables. A mark around them says which
# record they state; HTML keeps it as a `data` element, plain text drops it.

# Of Unicode's private use: nothing that a reader types or a source holds.
_OPEN, _THEN, _CLOSE = "\ue000", "\ue001", "\ue002"
_MARKED = re.compile(f"{_OPEN}([^{_THEN}]*){_THEN}([^{_CLOSE}]*){_CLOSE}")
#: What a reader types stands between marks, as in Markdown.
_TYPED = re.compile(r"`([^`]+)`")


class Sentence(str):
    """A sentence with facts in it, printed without their marks; joined into others with them."""

    __slots__ = ()

    def __str__(self) -> str:
        """Return the words alone."""
        return unmarked(str.__str__(self))

    def __format__(self, spec: str) -> str:
        """Return the words with their marks, for another sentence."""
        return format(str.__str__(self), spec)

    def __repr__(self) -> str:
        """Return the words alone, quoted."""
        return repr(str(self))


def simulated_mark(simulated: bool) -> str:
    """Return what goes before a sentence or a title from simulated records; empty for others."""
    return "Simulated records: " if simulated else ""


def titled(title: str, simulated: bool) -> str:
    """Return a picture's title, which goes where the picture goes: so it says what is simulated.

    Examples
    --------
    >>> titled("The groups overlap by 85%", True), titled("The groups overlap by 85%", False)
    ('Simulated records: the groups overlap by 85%', 'The groups overlap by 85%')
    """
    return f"{simulated_mark(True)}{title[0].lower()}{title[1:]}" if simulated else title


def marked(key: str, words: str) -> str:
    """Return words that state a recorded fact, with the key of its record.

    Parameters
    ----------
    key : str
        The record's name on its own page; "notebook/name" on another's.

    Examples
    --------
    >>> unmarked(f"It cost {marked('budget', '£448m')}."), fact_html(marked("budget", "£448m"))
    ('It cost £448m.', '<data value="budget">£448m</data>')
    """
    return f"{_OPEN}{key}{_THEN}{words}{_CLOSE}"


def unmarked(text: str) -> str:
    """Return text without the marks of facts."""
    return _MARKED.sub(r"\2", text) if _OPEN in text else text


def fact_html(text: str) -> str:
    """Return text as HTML, the facts in it as `data` elements, what is typed as `code`.

    Examples
    --------
    >>> fact_html("`tfeval run` makes <it>.")
    '<code>tfeval run</code> makes &lt;it&gt;.'
    """
    safe = _TYPED.sub(r"<code>\1</code>", escape(text))
    return _MARKED.sub(r'<data value="\1">\2</data>', safe) if _OPEN in text else safe


Format = str | Callable[[Any], str]
#: Stands before a negative amount: a true minus sign from which no line's end parts the pound sign.
MINUS = "\N{MINUS SIGN}\N{WORD JOINER}"
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August",
           "September", "October", "November", "December")  # fmt: skip


#: What sums of numbers of about 1 leave in place of 0.
ROUNDING = 1e-15


def settled(value: float) -> float:
    """Return a number without its last digits, which hang on the processor that added it up.

    Means of few units lie exactly between two numbers that readers see: 37.59375, or a bit less;
    and two means that are the same differ by 0, or by what rounding leaves.

    Examples
    --------
    >>> settled(37.59374999999999), settled(-1 / 3), settled(0.1 + 0.2 - 0.3)
    (37.59375, -0.333333333333, 0.0)
    """
    return 0.0 if abs(value) < ROUNDING else float(f"{value:.12g}")


def significant(value: Any, digits: int = 6) -> Any:
    """Round a number to significant digits, keeping its kind; leave anything else as it is.

    Examples
    --------
    >>> significant(116654.49), significant(0.123456789), significant(2), significant("Sefton")
    (116654.0, 0.123457, 2, 'Sefton')
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    number = float(value)
    if not math.isfinite(number):
        return number
    return float(f"{settled(number):.{digits}g}")


def plain(value: Any, digits: int = 6) -> Any:
    """Return a value as JSON can hold it: numbers rounded, dates in ISO form, missing as None.

    Examples
    --------
    >>> plain(pd.Timestamp("2015-05-01")), plain(float("nan")), plain(1 / 3)
    ('2015-05-01', None, 0.333333)
    """
    if isinstance(value, bool) or type(value).__name__ == "bool":
        return bool(value)
    if is_missing(value):
        return None
    if isinstance(value, numbers.Real):
        rounded = significant(value, digits)
        return rounded if math.isfinite(rounded) else str(rounded)
    if isinstance(value, dt.datetime):
        return value.date().isoformat() if value.time() == dt.time() else value.isoformat()
    if isinstance(value, dt.date):
        return value.isoformat()
    return str(value)


def is_missing(value: Any) -> bool:
    """Tell whether a single value is None, NaN, NaT or NA."""
    return bool(pd.api.types.is_scalar(value) and pd.isna(value))


def day(text: str) -> str:
    """Write an ISO date, or a part of one, as British readers do.

    Examples
    --------
    >>> day("2016-12-20"), day("2015-05"), day("2012-13")
    ('20 December 2016', 'May 2015', '2012-13')
    """
    match = re.fullmatch(r"(\d{4})-(\d\d)(?:-(\d\d))?", text)
    if not match or not 1 <= int(match[2]) <= 12:
        return text
    written = f"{_MONTHS[int(match[2]) - 1]} {match[1]}"
    return f"{int(match[3])} {written}" if match[3] else written


#: A sign before nothing, however it is written.
_SIGNED_NOTHING = re.compile(
    "(?<![\\w.,])[-+\N{MINUS SIGN}]\N{WORD JOINER}?(?=£?0(?:\\.0+)?(?![\\d.,]*\\d))"
)


def unsigned_nothing(text: str) -> str:
    """Return a text in which what is rounded to nothing has no sign.

    Examples
    --------
    >>> unsigned_nothing("-0.0% (-0.04 to +0)"), unsigned_nothing("2012-0, +0.0")
    ('0.0% (-0.04 to 0)', '2012-0, 0.0')
    """
    return _SIGNED_NOTHING.sub("", text)


def in_digits(count: int) -> Callable[[float], str]:
    """Return a format that keeps so many significant digits, and writes them out.

    Examples
    --------
    >>> in_digits(3)(2403.7), in_digits(3)(0.29), f"{2403.7:.3g}"
    ('2,400', '0.29', '2.4e+03')
    """
    return lambda value: written(float(f"{value:.{count}g}"))


def written(value: Any, how: Format | None = None) -> str:
    """Return one value as text.

    Parameters
    ----------
    value : object
        Not missing.
    how : str or callable, optional
        A format such as "{:,.0f}" or a function. By default whole numbers get thousands
        separators, other numbers six significant digits, dates are written out.

    Examples
    --------
    >>> written(116654), written(0.98935), written(8e-05), written(True), written(0.94, "{:.0%}")
    ('116,654', '0.98935', '0.00008', 'yes', '94%')
    """
    if how is not None:
        value = settled(value) if isinstance(value, float) else value
        return unsigned_nothing(how(value) if callable(how) else how.format(value))
    if isinstance(value, bool) or type(value).__name__ == "bool":
        return "yes" if value else "no"
    if isinstance(value, numbers.Real):
        number = significant(value)
        return f"{number:,.0f}" if float(number).is_integer() else f"{Decimal(str(number)):,f}"
    if isinstance(value, dt.date):
        return day(str(plain(value)))
    return str(value)


def financial_year(first: int) -> str:
    """Return a financial year by its first calendar year.

    Examples
    --------
    >>> financial_year(2014), financial_year(1999)
    ('2014-15', '1999-00')
    """
    return f"{first}-{(first + 1) % 100:02d}"


def pounds(value: float) -> str:
    """Write an amount as readers do: £1.2bn, £448m, £585,600, −£1,400.

    Examples
    --------
    >>> pounds(448e6), pounds(382_604_600), pounds(1.2e9), pounds(585_600)
    ('£448m', '£382.6m', '£1.2bn', '£585,600')
    >>> pounds(-1_400) == MINUS + "£1,400", pounds(-0.3)
    (True, '£0')
    """
    size = abs(settled(value))
    sign = MINUS if value < 0 and round(size) else ""  # nothing has none
    if size >= 1e9:
        return f"{sign}£{_trimmed(f'{size / 1e9:,.2f}')}bn"
    if size >= 1e7:
        return f"{sign}£{_trimmed(f'{size / 1e6:,.1f}')}m"
    return f"{sign}£{size:,.0f}"


def about(value: float) -> str:
    """Write an uncertain amount to three digits.

    Examples
    --------
    >>> about(124_078), about(9_465_318), about(699.9e6), about(1.378e9)
    ('£124,000', '£9.47m', '£700m', '£1.38bn')
    """
    rounded = float(f"{settled(value):.3g}")
    if abs(rounded) < 1e6:
        return pounds(rounded)
    scale, letters = (1e9, "bn") if abs(rounded) >= 1e9 else (1e6, "m")
    return f"{MINUS if rounded < 0 else ''}£{abs(rounded) / scale:,.4g}{letters}"


def amount(value: float, unit: str = "£") -> str:
    """Write a measure's value with its unit; pounds to three digits from ten thousand up.

    Examples
    --------
    >>> amount(1234.4), amount(617_033), amount(0.5, "£ for each £1"), amount(float("inf"))
    ('£1,234', '£617,000', '£0.50', 'no end')
    """
    if math.isnan(value):
        return "never" if unit == "year" else "not known"
    if math.isinf(value):
        return "no end"
    if unit == "£":
        return about(value) if abs(value) >= 1e4 else pounds(value)
    if unit == "year":
        return financial_year(round(value))
    if unit.startswith("£"):
        text = f"£{abs(settled(value)):.2f}"
        return f"{MINUS}{text}" if value < 0 and float(text[1:]) else text
    return f"{value:,.0f}"


def chance(share: float) -> str:
    """Write a probability as a reader needs it.

    Examples
    --------
    >>> chance(0.003), chance(0.314), chance(0.996)
    ('under 1%', '31%', 'over 99%')
    """
    if share < 0.01:
        return "under 1%"
    return "over 99%" if share > 0.99 else f"{share:.0%}"


def out_of(count: int, shown: int, noun: str, left: Mapping[str, int]) -> tuple[str, str]:
    """Say how many of those shown, and how many are not: no two wholes differ without a word.

    Examples
    --------
    >>> out_of(0, 14, "effects", {"hidden": 1, "without an interval": 0})
    ('none of 14 effects shown', '; 1 hidden')
    >>> out_of(2, 15, "effects", {"hidden": 0})
    ('2 of 15 effects', '')
    """
    rest = ", ".join(f"{number} {why}" for why, number in left.items() if number)
    return f"{count or 'none'} of {shown} {noun}{' shown' * bool(rest)}", f"; {rest}" * bool(rest)


#: Payers with short names, spelt out.
PAYERS = {
    "DWP": "Department for Work and Pensions",
    "MoJ": "Ministry of Justice",
    "DfE": "Department for Education",
    "DHSC/NHS": "Department of Health and Social Care, and the National Health Service",
    "HMRC": "HM Revenue and Customs",
}
#: Regions that a sentence calls "the": those named by where they lie in a whole.
_THE = {"North East", "North West", "East Midlands", "West Midlands", "East of England",
        "South East", "South West"}  # fmt: skip


def in_sentence(place: str) -> str:
    """Return the name of an area as a sentence has it.

    Examples
    --------
    >>> in_sentence("North West"), in_sentence("London"), in_sentence("North Somerset")
    ('the North West', 'London', 'North Somerset')
    """
    return f"the {place}" if place in _THE else place


#: Units of which there is one.
_ONE = {"families": "family", "outcomes": "outcome", "months": "month"}


def fact(value: Any, unit: str = "", digits: int | None = None, *, short: bool = False) -> str:
    """Write a recorded value: the one way in which a fact is rounded and written.

    Points have one decimal; a count "of 1,000 families" is whole.

    Parameters
    ----------
    unit : str
        "£", "£m", "£ for each £1", "%", "probability", or words that stand behind the number.
    digits : int, optional
        Significant digits; by default what the unit asks for, six for a pure number.
    short : bool, default False
        Leave out the words behind the number.

    Examples
    --------
    >>> fact(448.0, "£m"), fact(-1.3e9, "£"), fact(0.0603, "£ for each £1"), fact(98.935, "%", 3)
    ('£448m', '−\u2060£1.3bn', '£0.06 for each £1', '98.9%')
    >>> fact(1, "outcomes"), fact(2, "outcomes")
    ('1 outcome', '2 outcomes')
    >>> fact(-0.91, "%"), fact(0.0003, "probability"), fact(116654.0, "families", short=True)
    ('−0.91%', 'under 1%', '116,654')
    """
    if isinstance(value, str | bool):
        return written(value)
    if unit == "probability":
        return chance(value)
    if unit == "£":
        return amount(value) if digits is None else pounds(significant(value, digits))
    if unit.startswith("£"):
        text = amount(abs(value), unit) if " for each" in unit else (
            f"£{written(significant(abs(value), digits or 6))}")  # fmt: skip
        tail = unit[1:] if not short or " " not in unit else ""
        return f"{MINUS if value < 0 else ''}{text}{tail}"
    if unit.startswith("of "):  # a count of so many: whole, with the rest left out in a sentence
        return f"{round(value):,}{'' if short else f' {unit}'}".replace("-", "\N{MINUS SIGN}")
    if unit == "points":
        value, digits = round(value, 1), 6
    text = written(significant(value, digits or 6)).replace("-", "\N{MINUS SIGN}")
    unit = _ONE.get(unit, unit) if abs(value) == 1 else unit
    return f"{text}%" if unit == "%" else f"{text} {'' if short else unit}".rstrip()


def _trimmed(number: str) -> str:
    return number.rstrip("0").rstrip(".")


def worded(text: str, labels: Mapping[str, str]) -> str:
    """Return a message with the columns in it named for readers.

    Parameters
    ----------
    labels : mapping of str to str
        Words by column.

    Examples
    --------
    >>> worded("Left out: absence_before (where it is missing).", {"absence_before": "Absence"})
    'Left out: Absence (where it is missing).'
    """
    # The longest first: one column's name may end in another's.
    for column in sorted(labels, key=len, reverse=True):
        text = text.replace(column, labels[column])
    return text


def moment_words(event: Any, group: Any, time: Any) -> str:
    """Say what an effect over time is of: periods since treatment, a group, a period, or all.

    Parameters
    ----------
    event, group, time : int or missing
        Periods since treatment, the first treated period, the period.

    Examples
    --------
    >>> [moment_words(event, None, None) for event in (-1, 0, 2)]
    ['1 period before treatment', 'first period of treatment', '2 periods after the first']
    >>> moment_words(None, 2013, None), moment_words(None, None, 2015)
    ('treated from 2013', 'in 2015')
    >>> moment_words(None, None, None)
    'average'
    """
    if not is_missing(event):
        count = int(event)
        if count == 0:
            return "first period of treatment"
        periods = "1 period" if abs(count) == 1 else f"{abs(count)} periods"
        return f"{periods} after the first" if count > 0 else f"{periods} before treatment"
    if not is_missing(group):
        return f"treated from {group}"
    return "average" if is_missing(time) else f"in {time}"
