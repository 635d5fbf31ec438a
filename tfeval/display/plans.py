"""What a notebook's outputs say about an analysis plan, for the page and the manifest."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

PLAN_MIME = "application/vnd.tfeval.plan+json"
#: Digits of a hash that readers are shown.
SHORT = 12


def show_plan(content: Mapping[str, Any], text: str) -> None:
    """Leave word of a plan in the running cell's outputs; outside a notebook do nothing.

    Parameters
    ----------
    content : mapping
        `title`, `version`, `date`, `sha256`; after a table of effects was marked, also
        `planned`, `sensitivity` and `exploratory`.
    text : str
        The same in one line.

    Examples
    --------
    >>> show_plan({"title": "Effects"}, "Analysis plan: Effects")
    """
    # A process without IPython should not pay for importing it.
    ipython = sys.modules.get("IPython")
    if ipython is None or ipython.get_ipython() is None:
        return
    from IPython.display import display  # noqa: PLC0415

    display({PLAN_MIME: dict(content), "text/plain": text}, raw=True)
