"""A recorded fact inside a sentence: its words, and beside them the record that they come from.

Words travel as plain text through sentences and cells of tables. A mark around them says which
record they state; HTML keeps it as a `data` element, plain text drops it.
"""

from __future__ import annotations

import re
from html import escape

# Of Unicode's private use: nothing that a reader types or a source holds.
_OPEN, _THEN, _CLOSE = "\ue000", "\ue001", "\ue002"
_MARKED = re.compile(f"{_OPEN}([^{_THEN}]*){_THEN}([^{_CLOSE}]*){_CLOSE}")


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


def marked(key: str, words: str) -> str:
    """Return words that state a recorded fact, with the key of its record.

    Parameters
    ----------
    key : str
        The record's name on its own page; "notebook/name" on another's.
    words : str

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
    """Return text as HTML, the facts in it as `data` elements."""
    safe = escape(text)
    return _MARKED.sub(r'<data value="\1">\2</data>', safe) if _OPEN in text else safe
