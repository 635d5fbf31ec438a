"""A page that is made without a kernel: its parameters, and what it records, gathered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Gathering:
    """What a page records while it is made.

    Attributes
    ----------
    parameters : mapping
        Of the page, by name.
    records, tables : dict of str to dict
        By name, as JSON can hold them.
    """

    parameters: Mapping[str, Any]
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)

    def content(self, notebook: str) -> dict[str, Any]:
        """Return it as a report keeps it, for the pages that read it."""
        return {"notebook": notebook, "parameters": dict(self.parameters),
                "records": list(self.records.values()), "tables": self.tables}  # fmt: skip


_now: ContextVar[Gathering | None] = ContextVar("gathering", default=None)


@contextmanager
def gathering(parameters: Mapping[str, Any]) -> Iterator[Gathering]:
    """Let what runs be a page of these parameters, and gather what it records.

    Parameters
    ----------
    parameters : mapping

    Examples
    --------
    >>> from tfeval.report.record import record
    >>> with gathering({"phase": "one"}) as made:
    ...     record("families", 20, "families")
    >>> made.records["families"]["subject"]
    {'phase': 'one', 'basis': 'published'}
    """
    made = Gathering(parameters)
    token = _now.set(made)
    try:
        yield made
    finally:
        _now.reset(token)


def gathered() -> Gathering | None:
    """Return what is being gathered; None on a page with a kernel."""
    return _now.get()
