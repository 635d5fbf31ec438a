"""Days by the form in which they are written; nothing about a form is guessed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

from tfeval.errors import ParameterError

ISO = "YYYY-MM-DD"
MONTH_ONLY = "YYYY-MM"
#: Days since a spreadsheet's first; the first 60 are told wrong by one of the two systems.
EXCEL, EXCEL_1904 = "excel", "excel 1904"
_STARTS = {EXCEL: date(1899, 12, 30), EXCEL_1904: date(1904, 1, 1)}
_FIRST_SERIAL = 61
#: After a form: a time of day, which is passed over. Midnight is without it too.
WITH_TIME = " TIME"
_TIME = r"(?:[T ]\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?)?"
_MIDNIGHT = r"(?:[T ]0?0:00(?::00(?:[.,]0+)?)?)?"
_MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september",
           "october", "november", "december")  # fmt: skip
_SHORT = {"sept": 9, **{name[:3]: at for at, name in enumerate(_MONTHS, 1)}}
_LONG = {name: at for at, name in enumerate(_MONTHS, 1)}
_TOKENS = {
    "YYYY": r"(?P<year>\d{4})",
    "YY": r"(?P<short>\d{2})",
    "MONTH": "(?P<word>" + "|".join(_MONTHS) + ")",
    "MON": "(?P<word>" + "|".join(_SHORT) + ")",
    "MM": r"(?P<month>\d{2})",
    "M": r"(?P<month>\d{1,2})",
    "DD": r"(?P<day>\d{2})",
    "D": r"(?P<day>\d{1,2})",
}
_TOKEN = re.compile("|".join(_TOKENS))


@dataclass(frozen=True)
class DateForm:
    """How a day is written.

    Attributes
    ----------
    form : str
        Of YYYY, YY, MM or M, MON (Jan) or MONTH (January), DD or D and what stands between them,
        with " TIME" at its end if a time of day follows that does not count; or "excel" or
        "excel 1904", for a spreadsheet's numbers of days.
    pivot : int or None
        The last two digits of the last year of this century, for YY.

    Examples
    --------
    >>> DateForm("DD-MON-YY", pivot=49).read("01-May-13")
    datetime.date(2013, 5, 1)
    >>> DateForm("DD/MM/YYYY").read("05/31/2013") is None
    True
    >>> DateForm("excel").read("41395")
    datetime.date(2013, 5, 1)
    """

    form: str
    pivot: int | None = None

    def __post_init__(self) -> None:
        """Refuse a form that does not tell a day.

        Raises
        ------
        ParameterError
            Saying what it lacks.
        """
        if self.form in _STARTS:
            return
        tokens = _TOKEN.findall(self.form.removesuffix(WITH_TIME))
        kinds = sorted(token[0] for token in tokens)
        if kinds != ["D", "M", "Y"] and self.form != MONTH_ONLY:
            raise ParameterError(
                f'"{self.form}" is no form of a day: write it with YYYY, MM (or MON) and DD, '
                f'such as "DD/MM/YYYY", or "{EXCEL}".'
            )
        if "YY" in tokens and self.pivot is None:
            raise ParameterError(
                f'Two digits of "{self.form}" do not tell the century: say with pivot which year '
                "is the last of this one, such as pivot = 49 for 2049 and 1950."
            )

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        bare = self.form.removesuffix(WITH_TIME)
        parts, at = [], 0
        for token in _TOKEN.finditer(bare):
            parts += [re.escape(bare[at : token.start()]), _TOKENS[token[0]]]
            at = token.end()
        time = _TIME if bare != self.form else _MIDNIGHT
        return re.compile("".join(parts) + re.escape(bare[at:]) + time, re.IGNORECASE | re.ASCII)

    def read(self, text: str) -> date | None:
        """Return the day that a text says in this form, None if it says none.

        Parameters
        ----------
        text : str
            Without space around it.
        """
        if self.form in _STARTS:
            return self._serial(text)
        match = self._pattern.fullmatch(text)
        if not match:
            return None
        said = match.groupdict()
        month = said.get("month") or (_LONG | _SHORT)[str(said.get("word")).lower()]
        try:
            return date(self._year(said), int(month), int(said.get("day") or 1))
        except ValueError:
            return None

    def _year(self, said: dict[str, str | None]) -> int:
        if said.get("year"):
            return int(str(said["year"]))
        short = int(str(said["short"]))
        return 2000 + short if short <= (self.pivot or 0) else 1900 + short

    def _serial(self, text: str) -> date | None:
        match = re.fullmatch(r"([0-9]{1,5})(?:[.]0*)?", text)
        if not match or int(match[1]) < _FIRST_SERIAL:
            return None
        return _STARTS[self.form] + timedelta(days=int(match[1]))


def read_day(text: str, forms: tuple[DateForm, ...]) -> tuple[date | None, str]:
    """Return the day that a text says, and the form in which; none where two forms disagree.

    Parameters
    ----------
    text : str
        Without space around it.
    forms : tuple of DateForm

    Returns
    -------
    (date or None, str)
        The form is empty if no day is said, and names no form if two say different ones.

    Examples
    --------
    >>> either = DateForm("DD/MM/YYYY"), DateForm("MM/DD/YYYY")
    >>> read_day("31/05/2013", either), read_day("01/05/2013", either)
    ((datetime.date(2013, 5, 31), 'DD/MM/YYYY'), (None, 'two_forms'))
    """
    days = [(day, one.form) for one in forms if (day := one.read(text))]
    if len({day for day, _ in days}) > 1:
        return None, "two_forms"
    return days[0] if days else (None, "")
