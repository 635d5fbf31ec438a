"""Recognise real-world identifiers, which have no place in an extract: whole or within text."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import ibis

from tfeval.errors import DataError
from tfeval.records.schema import TABLES

# Text is folded first: forms of characters, case, punctuation and space are made one, so that a
# pattern need not know how a number was written down.

_BETWEEN = re.compile(r"(?:[^\w@]|_)+")


def folded(text: str) -> str:
    """Return text as words of capital letters and plain digits, one space between them.

    Compatible forms of characters (NFKD), accents, marks that are not seen, digits of other
    scripts, letters of others that look alike, case, punctuation and every kind of space are
    taken for the same.

    Parameters
    ----------
    text : str
        Any text.

    Examples
    --------
    >>> folded("Ms.  Zoë\u00a0O'Brien"), folded("９４３-476_5919")
    ('MS ZOE O BRIEN', '943 476 5919')
    """
    if not text.isascii():
        text = "".join(map(_plain, unicodedata.normalize("NFKD", text)))
        text = text.upper().translate(_ALIKE)
    return _BETWEEN.sub(" ", text.upper()).strip()


#: Letters of other scripts that look like Latin ones.
_ALIKE = str.maketrans("АВЕЅІЈКМНОРСТУХΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABESIJKMHOPCTYXABEZHIKMNOPTYX")


def _plain(character: str) -> str:
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    return "" if unicodedata.category(character) in ("Mn", "Cf") else character


_MONTH = "(JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC)[A-Z]*"
_Y, _M, _D = "(19|20)[0-9]{2}", "(0?[1-9]|1[0-2])", "(0?[1-9]|[12][0-9]|3[01])"
_TITLES = "MR|MRS|MS|MISS|MX|MASTER|DR|PROF|PROFESSOR|REV|REVD|SIR|DAME|LADY|LORD"
_TEN_DIGITS = "([0-9] ?){9}[0-9]"
#: Patterns of words of folded text, for the regular expressions of Python, DuckDB, PostgreSQL and
#: Spark alike. Ten digits are an NHS number only if the last checks the others.
PATTERNS = {
    "NHS number": f"(NHS ?|NO ?|NUMBER ?)?{_TEN_DIGITS}",
    "UPN": "[A-Z] ?([0-9] ?){11}[0-9A-Z]",
    "National Insurance number": (
        "[A-CEGHJ-PR-TW-Z] ?[A-CEGHJ-NPR-TW-Z] ?([0-9] ?){6}[A-D]"
    ),
    "full postcode": (
        "[A-Z]{1,2}[0-9][0-9A-Z]? ?[0-9][A-Z]{2}|GIR ?0AA"
        "|[A-Z]( [A-Z])? [0-9]( [0-9A-Z])? [0-9] [A-Z] [A-Z]"
    ),
    "street address": (
        "[0-9]{1,4}[A-Z]? ([A-Z]+ ){1,3}"
        "(STREET|ST|ROAD|RD|AVENUE|AVE|LANE|CLOSE|DRIVE|CRESCENT|TERRACE|GARDENS|GROVE|PLACE)"
    ),
    "driving licence": "[A-Z]{2}[A-Z9]{3} ?[0-9]{6} ?[A-Z][A-Z9] ?[0-9][A-Z]{2}",
    "email address": "[^ ]* ?@ ?[^ ]*|[^ ]+ AT ([^ ]+ )+DOT [^ ]+",
    "phone number": "07( ?[0-9]){9}|0[1238][0-9]{1,4} ([0-9] ?){4,8}[0-9]"
    "|(00 ?)?44 (0 ?)?[1-9]( ?[0-9]){8,9}|0044( ?[0-9]){9,11}",
    "name": f"({_TITLES}) [A-Z]+( [A-Z]+)*",
    "full date of birth": (
        f"{_Y} {_M} {_D}|{_D} {_M} {_Y}|{_D} ?(ST|ND|RD|TH)? ?(OF ?)?{_MONTH} ?({_Y}|[0-9]{{2}})"
        f"|{_MONTH} {_D} ?(ST|ND|RD|TH)? ({_Y}|[0-9]{{2}})|{_Y} {_MONTH} {_D}|{_Y} {_D} {_M}"
        "|(19|20)[0-9]{2} ?W[0-5][0-9] ?[1-7]"
    ),
}  # fmt: skip
KINDS = tuple(PATTERNS)
#: What folding would hide: a code of the country, a short year, a name without a title.
_AS_WRITTEN = {
    "email address": r"[^ ] ?[(\[{] ?[aA][tT] ?[)\]}] ?[^ ]",
    "phone number": r"[+] ?\(?44",
    "full date of birth": r"(^|[^0-9])[0-3]?[0-9] ?[/.] ?[01]?[0-9] ?[/.] ?[0-9]{2}($|[^0-9])",
    "name": r"^[A-Z][A-Za-z'-]+,? +([A-Z][.]? +)?[A-Z][A-Za-z'-]+$",
}
_SPACED = r"[ ,.]"
#: One word of a pattern is no longer than this ("17thofSeptember1980"): a pseudonym is.
_LONGEST = 20
#: Where no long number has a place: dates, mobile and landline numbers without anything between.
_LOOSE_TEN = re.compile(f"(?<![0-9]){_TEN_DIGITS}(?![0-9])")
_LOOSE = {
    "phone number": "(?<![0-9])((0|44)?7[0-9]{9}|0[1-9][0-9]{8,9})(?![0-9])",
    "full date of birth": "(?<![0-9])((19|20)[0-9]{2}(0[1-9]|1[0-2])([0-2][0-9]|3[01])"
    "|([0-2][0-9]|3[01])(0[1-9]|1[0-2])(19|20)[0-9]{2})(?![0-9])",
}


def _as_words(pattern: str) -> str:
    return f"(^| )({pattern})( |$)"


_IN_WORDS = {
    kind: re.compile(_as_words(pattern))
    for kind, pattern in PATTERNS.items()
    if kind != "NHS number"
}
_NHS = re.compile(f"(?<![^ ])(?:NHS ?|NO ?|NUMBER ?)?(?=({_TEN_DIGITS})(?: |$))")


def kinds_in(text: str, *, keys: bool = False) -> tuple[str, ...]:
    """Return the kinds of real identifier that a text looks like or holds.

    Parameters
    ----------
    text : str
        As it was written.
    keys : bool, default False
        Whether it stands in a column of keys: there long numbers are usual, and two words are
        not.

    Returns
    -------
    tuple of str
        Of `KINDS`, in their order.

    Examples
    --------
    >>> kinds_in("rang Mrs Other on 07700 900123"), kinds_in("guilty")
    (('phone number', 'name'), ())
    >>> kinds_in("1943/4765919"), kinds_in("ann  other", keys=True)
    ((), ('name',))
    """
    if keys and len(text) > _LONGEST and text.isascii() and text.isalnum():
        return ()
    words = folded(text)
    shape = unicodedata.normalize("NFKC", text).strip()
    kinds = {kind for kind, pattern in _IN_WORDS.items() if pattern.search(words)}
    kinds |= {kind for kind, pattern in _AS_WRITTEN.items() if re.search(pattern, shape)}
    numbers = [one[1] for one in _NHS.finditer(words)]
    if not keys:
        kinds |= {kind for kind, pattern in _LOOSE.items() if re.search(pattern, words)}
        numbers += [one[0] for one in _LOOSE_TEN.finditer(words)]
    elif re.search(_SPACED, shape) and _may_be_a_name(words.split()):
        kinds.add("name")
    if any(map(_checks, numbers)):
        kinds.add("NHS number")
    return tuple(kind for kind in KINDS if kind in kinds)


def _may_be_a_name(parts: list[str]) -> bool:
    # In a column of keys a few words are one, however they are written.
    outer = [*parts[:1], *parts[-1:]]
    return 2 <= len(parts) <= 4 and "".join(parts).isalpha() and min(map(len, outer)) > 1


def _checks(number: str) -> bool:
    # Ten digits whose weighted sum, the check digit with weight one, is a multiple of 11.
    digits = [int(one) for one in number if one != " "]
    return sum(weight * one for weight, one in zip(range(10, 0, -1), digits, strict=True)) % 11 == 0


def suspect(value: ibis.Value) -> ibis.Value:
    """Return whether text may look like a real identifier: quick, and never wrongly false.

    Parameters
    ----------
    value : ibis string expression
        A text column.
    """
    words = value.re_replace(r"[^0-9A-Za-z@]+", " ").strip().upper()
    patterns = [one.pattern for one in _IN_WORDS.values()]
    spaced = value.re_search(_SPACED) & words.re_search("^[A-Z]+( [A-Z]+){1,3}$")
    written = value.re_search("|".join([*_AS_WRITTEN.values(), "[^ -~]"]))
    # Ten-digit keys are usual: those that do not check are passed over here.
    tight = words.replace(" ", "")
    total = sum((tight.substr(i, 1).ascii_str() - 48) * (10 - i) for i in range(10))
    whole = tight.re_search("^[0-9]{10}$")
    number = words.re_search(_as_words(PATTERNS["NHS number"])) & (~whole | (total % 11 == 0))
    return words.re_search("|".join(patterns)) | number | spaced | written


#: Columns that by their name hold identifying facts, whatever is in them.
IDENTIFYING_COLUMNS = (
    r"(?i)(^|_)(forename|surname|first_?name|last_?name|full_?name|name|post_?code"
)
IDENTIFYING_COLUMNS += r"|address|nhs(_?(no|number|id))?|upn|nino|ni_?(no|number)"
IDENTIFYING_COLUMNS += r"|date_?of_?birth|birth_?date|dob|e_?mail|phone|telephone|mobile|uprn)($|_)"
_FIRST_ROWS = 1000


def scanned_columns(name: str, table: ibis.Table) -> list[str]:
    """Return the columns of a table in which a real identifier could stand.

    Dates that the schema asks for, and codes of authorities, are not among them.
    """
    known = TABLES[name].columns
    dated = {column for column, one in known.items() if one.kind in ("date", "month")}
    return [
        column
        for column, kind in table.schema().items()
        if (kind.is_string() or kind.is_integer())
        and column not in dated
        and (column not in known or known[column].kind in ("identifier", "category"))
    ]


def as_text(value: ibis.Value) -> ibis.Value:
    """Return a column as text without space around it."""
    return (value if value.type().is_string() else value.cast("string")).strip()


def refuse_identifiers(tables: Mapping[str, ibis.Table]) -> None:
    """Refuse tables whose first rows, or names of columns, look identifying.

    Parameters
    ----------
    tables : mapping of str to ibis.Table
        The tables as they came.

    Raises
    ------
    DataError
        Naming table, column and kind of identifier; never a value.
    """
    places = [
        f"{name}.{shown_name(column)} (its name)"
        for name, table in tables.items()
        for column in identifying_names(name, table)
    ]
    for name, table in tables.items():
        places += [f"{name}.{shown_name(column)} ({kinds})"
                   for column, kinds in _in_first_rows(name, table)]  # fmt: skip
    if places:
        raise DataError(
            f"Real identifiers are refused: {', '.join(places)}. Replace them with "
            "`tfeval pseudonymise`, or drop the column, and open the result."
        )


def _in_first_rows(name: str, table: ibis.Table) -> Iterator[tuple[str, str]]:
    columns = scanned_columns(name, table)
    if not columns:
        return
    # So few are looked at one by one: to put the question to the database would take longer.
    first = table.select(**{column: as_text(table[column]) for column in columns})
    texts = first.limit(_FIRST_ROWS).to_pyarrow()
    for column in columns:
        kinds = _tallied(Counter(texts[column].to_pylist()).items(), name, column)
        if kinds:
            yield column, " or ".join(kinds)


def count_kinds(
    table: ibis.Table, name: str, columns: Sequence[str]
) -> dict[str, dict[str, int]]:  # fmt: skip
    """Return how many rows of each column look like each kind of real identifier, in one question.

    Parameters
    ----------
    table : ibis.Table
        As it came.
    name : str
        Of the table: values that the schema knows are no identifiers.
    columns : sequence of str
        Several need a database that has arrays of records, as DuckDB does.
    """
    texts = table.select(**{str(at): as_text(table[one]) for at, one in enumerate(columns)})
    if len(columns) > 1:
        texts = texts.pivot_longer(list(texts.columns), names_to="at", values_to="value")
    else:
        texts = texts.select(at=ibis.literal("0"), value=texts["0"])
    # Each value once: patterns cost more than grouping, and a person has many rows.
    values = texts.group_by("at", "value").aggregate(times=texts.count())
    places = dict[str, list[tuple[str | None, int]]]()
    for row in values.filter(suspect(values.value)).to_pyarrow().to_pylist():
        places.setdefault(columns[int(row["at"])], []).append((row["value"], row["times"]))
    return {column: _tallied(pairs, name, column) for column, pairs in places.items()}


def _tallied(pairs: Iterable[tuple[str | None, int]], name: str, column: str) -> dict[str, int]:
    known = TABLES[name].columns.get(column)
    allowed = known.allowed if known else ()
    keys = known is None or known.kind == "identifier"
    return tally((pair for pair in pairs if pair[0] not in allowed), keys=keys)


def tally(pairs: Iterable[tuple[str | None, int]], *, keys: bool = False) -> dict[str, int]:
    """Return how many rows look like each kind of real identifier.

    Parameters
    ----------
    pairs : iterable of (str, int)
        Texts, and how many rows have each.
    keys : bool, default False
        As for `kinds_in`.
    """
    counts = dict.fromkeys(KINDS, 0)
    for text, times in pairs:
        for kind in kinds_in(text or "", keys=keys):
            counts[kind] += int(times)
    return {kind: number for kind, number in counts.items() if number}


def identifying_names(name: str, table: ibis.Table) -> list[str]:
    """Return columns that are not in the schema and have an identifying name."""
    known = TABLES[name].columns
    return [
        column
        for column in table.columns
        if column not in known and re.search(IDENTIFYING_COLUMNS, column)
    ]


def _is_plain(column: str) -> bool:
    return re.fullmatch(r"[A-Za-z]+(_[A-Za-z]+)*_?[0-9]{0,2}", column) is not None


def shown_name(name: str, what: str = "column") -> str:
    """Return a name if it is plainly one: a first line that was none may be a row."""
    return name if _is_plain(name) else f"a {what} whose name is not shown"


def plain_names(places: Iterable[str]) -> Iterator[str]:
    """Show names that are plainly names of columns; of a first line that was none, only counts.

    Parameters
    ----------
    places : iterable of str
        "table.column", or tables.

    Examples
    --------
    >>> list(plain_names(["people.surname", "people.Jane Doe 943 476 5919"]))
    ['people.surname', 'columns of people whose names are not shown (1)']
    """
    hidden: Counter[str] = Counter()
    for place in places:
        table, _, column = place.rpartition(".")
        if _is_plain(column):
            yield place
        else:
            hidden[table] += 1
    for table, times in sorted(hidden.items()):
        what = f"columns of {table}" if table else "tables"
        yield f"{what} whose names are not shown ({times})"
