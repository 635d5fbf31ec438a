"""Chapter 6, the 2015 claim as the share that would have come anyway goes from none to all."""

from __future__ import annotations

import pandas as pd

from tfeval.display.charts import line_chart
from tfeval.display.figures import Chart
from tfeval.display.tables import Table, table
from tfeval.display.words import MINUS
from tfeval.money.claim_appraisal import break_even_deadweight, claim_by_deadweight
from tfeval.report.chapters.common import of_phase, percent
from tfeval.report.chapters.savings import claim_sources

_NATIONAL = "National claim"
_WORDS = {
    "central only": "Net of central government's budget",
    "authority-contributed and central": "Net of all costs expected",
}


@of_phase("one")
def deadweight_chart() -> Chart:
    """Draw the value of the claimed £1.2bn as the share that would have come anyway goes up."""
    rows = claim_by_deadweight()
    rows = rows[rows["claim"] == _NATIONAL]
    wide = rows.pivot_table(index="deadweight", columns="cost_counted", values="npv")
    wide.index = pd.Index([round(100 * float(share), 6) for share in wide.index])
    known = break_even_deadweight().query("claim == @_NATIONAL")
    ends = dict(zip(known["cost_counted"], known["deadweight"], strict=True))
    listed = "; ".join(
        f"{_WORDS[name].lower()} it breaks even at {percent(ends[name])}" for name in _WORDS
    )
    return line_chart(
        wide[list(_WORDS)].rename(columns=_WORDS),
        title="What the claimed £1.2bn is worth, as more of it would have come anyway",
        alt=f"Two falling lines of net value against the share that would have come "
        f"anyway: {listed}.",
        y_label="Net value",
        value_format=_whole_millions,
        x_label="Share of the claimed saving that would have come anyway, %",
        reference=0.0,
        sources=claim_sources(),
    )  # fmt: skip


def _whole_millions(value: float) -> str:
    return f"{MINUS if value < 0 else ''}£{abs(value) / 1e6:,.0f}m"


@of_phase("one")
def deadweight_table() -> Table:
    """Return all published pairs of claim and cost as deadweight goes from none to all."""
    rows = claim_by_deadweight([0.0, 0.25, 0.5, 0.75, 1.0])
    wide = rows.pivot_table(
        index=["claim", "cost_counted"], columns="deadweight", values="ratio", sort=False
    )
    wide.columns = pd.Index([f"{share:.0%} anyway" for share in wide.columns])
    names = list(wide.columns)
    keys = ["claim", "cost_counted"]
    frame = wide.reset_index().merge(break_even_deadweight(), on=keys, validate="one_to_one")
    frame.columns = pd.Index(["Claim", "Cost counted", *names, "Breaks even at"])
    return table(
        frame,
        caption="Benefit for each £1 of cost, as more of the claimed benefit would have come "
        "anyway",
        formats=dict.fromkeys(names, "£{:.2f}".format) | {"Breaks even at": percent},
        sources=claim_sources(),
        notes="Through the same appraisal as every other number of benefits here. Nothing is "
        "assumed of what the true share is: nobody measured it.",
    )
