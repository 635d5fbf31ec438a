"""Which identifiers are one: those that differ in nothing that anybody would see, and no others."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from tfeval.records.identifiers import folded

#: How a pseudonym is written.
PSEUDONYM = "^[a-z2-7]{26}$"
_BYTES = 16
#: Numbers that are one number with or without the spaces in which they are printed: of the NHS,
#: of National Insurance. In any other, space may tell two apart: "1 23" is not "12 3".
_IN_GROUPS = re.compile("[0-9]{3} [0-9]{3} [0-9]{4}|[A-Za-z]{2} ([0-9]{2} ){3}[A-Za-z]")
#: A column of numbers with gaps is written so by many programs.
_WITH_POINT = re.compile(r"([0-9]+)[.]0+")
#: A number whose last digits a spreadsheet, or floating point, has cut.
_CUT = re.compile(r"[+-]?([0-9]([.][0-9]+)?e[+][0-9]{2,3}|inf(inity)?)", re.IGNORECASE)


def pseudonym(identifier: str, key: bytes, kind: str) -> str:
    """Return the pseudonym of an identifier: HMAC-SHA256, its first 128 bits in base 32.

    Parameters
    ----------
    identifier : str
        A real identifier; spellings that `spelt_once` makes one have one pseudonym.
    key : bytes
        At least 32 bytes, kept secret.
    kind : str
        What it identifies ("person", "family"): the same number of both gets two pseudonyms.

    References
    ----------
    RFC 2104 (HMAC), FIPS 198-1; truncation to 128 bits as in RFC 2104, section 5.

    Examples
    --------
    >>> pseudonym("943 476 5919", b"k" * 31 + b"!", "person")
    'dvi4jqh6plofkjvmxedlzcxbw4'
    """
    digest = hmac.digest(key, f"{kind}:{spelt_once(identifier)}".encode(), hashlib.sha256)
    return base64.b32encode(digest[:_BYTES]).decode().rstrip("=").lower()


def spelt_once(identifier: str) -> str:
    """Return an identifier as it is written once, whoever wrote it.

    Space around it, the kind and length of space within, marks that are not seen, wide and narrow
    forms of characters, and an accent written as a mark of its own are passed over; so are the
    spaces of an NHS or a National Insurance number, and ".0" behind a whole number. What else
    differs is another identifier: capitals, punctuation, space within, zeros at its beginning.

    Examples
    --------
    >>> spelt_once(" 943 476\u00a05919 "), spelt_once("１００１"), spelt_once("1001.0")
    ('9434765919', '1001', '1001')
    >>> spelt_once("1 23"), spelt_once("12 3"), spelt_once("007"), spelt_once("ab1")
    ('1 23', '12 3', '007', 'ab1')
    """
    text = identifier
    if not text.isascii():
        seen = (c for c in text if unicodedata.category(c) != "Cf")
        text = unicodedata.normalize("NFC", "".join(map(_one_width, seen)))
    text = " ".join(text.split())
    if _IN_GROUPS.fullmatch(text):
        return text.replace(" ", "")
    whole = _WITH_POINT.fullmatch(text)
    return whole[1] if whole else text


def _one_width(character: str) -> str:
    wide = unicodedata.decomposition(character).startswith(("<wide>", "<narrow>"))
    return unicodedata.normalize("NFKC", character) if wide else character


def is_cut(text: str) -> bool:
    """Return whether a number has lost its last digits, so that many identifiers became one.

    Examples
    --------
    >>> is_cut("9.43477E+09"), is_cut("9434765919"), is_cut("12E4567")
    (True, False, False)
    """
    return _CUT.fullmatch(text.strip()) is not None


@dataclass(frozen=True)
class Spellings:
    """Identifiers of one kind that are written in more than one way.

    Attributes
    ----------
    joined : int
        That came in several spellings, and have one pseudonym.
    apart : int
        That differ from another in no more than capitals, punctuation, space, zeros at their
        beginning or forms of letters, and have each their own.
    """

    joined: int
    apart: int


def pseudonyms(texts: Iterable[str], key: bytes, kind: str) -> tuple[dict[str, str], Spellings]:
    """Return the pseudonym of each text, and how many identifiers are written in several ways.

    Parameters
    ----------
    texts : iterable of str
        As they came, each once.
    key, kind
        As for `pseudonym`.
    """
    made = {text: pseudonym(text, key, kind) for text in texts}
    alike: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for text, name in made.items():
        words = folded(spelt_once(text))
        alike[words.replace(" ", "").lstrip("0")].setdefault(name, words)
    apart = sum(map(_apart, alike.values()))
    times: defaultdict[str, int] = defaultdict(int)
    for name in made.values():
        times[name] += 1
    return made, Spellings(sum(number > 1 for number in times.values()), apart)


def _apart(names: dict[str, str]) -> int:
    """Return how many of those that differ in space and the like are probably one with another."""
    words = [" ".join(one.lstrip("0") or "0" for one in text.split()) for text in names.values()]
    if any(" " not in one for one in words):
        return len(words) if len(words) > 1 else 0
    # Parts divided in two ways, as in 1-23 and 12-3, are two.
    return sum(words.count(one) > 1 for one in words)
