"""What is shown of a choice: who is compared, balance and effects, each under its call."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from functools import lru_cache
from html import escape
from typing import Any

from tfeval.display.figures import Chart
from tfeval.display.names import SIMULATED
from tfeval.errors import TfevalError, public_line
from tfeval.explorer.choices import KEPT, WORKING
from tfeval.impact.balance.balance import Balance
from tfeval.impact.balance.tables import alert_html

#: The parts, in order: heading, the calls that make it.
PARTS = {
    "who": ("Who is compared", ("records", "families", "study", "design")),
    "balance": ("Are they alike?", ("balance",)),
    "effects": ("What was caused?", ("outcomes", "effects")),
}
#: The order in which they are made: a picture takes longest.
QUICKEST = ("who", "effects", "balance")
_PRE = (
    "overflow-x: auto; padding: .4em .6em; background: var(--jp-layout-color2, #f2f6f8); "
    "color: var(--jp-content-font-color1, #0b0c0c); font-size: .85em"
)
_WARNED = "border: 2px solid #a8430a; border-left-width: 10px; padding: .4em .8em"


def part(explorer: Any, name: str) -> str:
    """Return one part as HTML, with the calls that repeat it.

    Raises
    ------
    TfevalError
        If these choices have no such result.
    """
    heading, calls = PARTS[name]
    with WORKING:
        made = _MADE[name](explorer)
    return f'<h3>{heading}</h3>\n{made}\n<pre style="{_PRE}">{escape(explorer.lines(*calls))}</pre>'


def page(explorer: Any) -> str:
    """Return all parts as HTML; a line in their place where these choices have no result."""
    try:
        made = "\n".join(part(explorer, name) for name in PARTS)
    except Exception as fault:
        made = fault_line(fault)
    return f'<div class="tfeval-explore">\n{made}\n</div>'


def working_line(left: Iterable[str], *, stale: bool) -> str:
    """Say which parts are being worked out.

    Parameters
    ----------
    left : iterable of str
        Parts by key, in the order in which they are made.
    stale : bool
        Whether results of the choice before stand in their places meanwhile.

    Examples
    --------
    >>> working_line(["effects", "balance"], stale=False)[17:]
    'Working out: What was caused? Are they alike?</p>'
    """
    questions = " ".join(PARTS[name][0] for name in left)
    said = " Until then these show the choice before." if stale else ""
    return f'<p role="status">Working out: {questions}{said}</p>'


def fault_line(fault: BaseException) -> str:
    """Return one line that stands where results would.

    Examples
    --------
    >>> fault_line(TfevalError("There is no file a."))[-40:]
    '<strong>There is no file a.</strong></p>'
    """
    said = public_line(fault)
    if not isinstance(fault, TfevalError):
        said = f"These choices cannot be worked out ({said}): the calls in a cell say where."
    return f'<p role="alert" style="{_WARNED}"><strong>{escape(said)}</strong></p>'


def _who(explorer: Any) -> str:
    banner = ""
    if explorer.records.simulated:
        banner = f'<p class="banner" role="note" style="{_WARNED}"><strong>{SIMULATED}</strong></p>'
    return f"{banner}\n{explorer.design.summary().html()}"


def _balance(explorer: Any) -> str:
    balance = explorer.balance
    return f"{alert_html(balance.verdict(), balance.design)}\n{_love_plot(balance)}"


# Drawing takes longer than all else: the picture stays while estimator and outcome are changed.
@lru_cache(maxsize=KEPT)
def _love_plot(balance: Balance) -> str:
    return picture(balance.plot())


def _effects(explorer: Any) -> str:
    return explorer.effects.table().html()


_MADE = {"who": _who, "balance": _balance, "effects": _effects}


def picture(chart: Chart) -> str:
    """Return a chart as HTML that needs nothing beside it."""
    source = base64.b64encode(chart.svg().encode()).decode()
    words = escape(chart.alt, quote=True)
    # A drawing as a file: JupyterLab takes one that stands in HTML itself out of what it shows.
    image = f'<img alt="{words}" src="data:image/svg+xml;base64,{source}" style="max-width: 100%">'
    return f'<figure style="margin: 0">{image}</figure>'
