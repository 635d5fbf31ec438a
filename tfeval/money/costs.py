"""What the programme cost: by year, payer and line, in the prices of one year."""

from __future__ import annotations

import pandas as pd

from tfeval.errors import ParameterError, suggest
from tfeval.money.cost_lines import LEDGER_PARTS, CostLine, cost_lines
from tfeval.money.prices import in_prices
from tfeval.programme.claims import authority as find_authority
from tfeval.programme.national import reconcile
from tfeval.programme.phases import period
from tfeval.programme.phases import phase as programme
from tfeval.programme.published import Source, distinct_sources, published

#: What a view counts.
VIEWS = {
    "total": "all public bodies: central government, and authorities and partners in kind too",
    "central": "what central government paid",
    "marginal": "what grows with the number of families: fees, results and authorities' own work",
}
BIAS_LIMIT = 2.0
_MONEY = ["amount", "low", "high"]
_COLUMNS = [
    *("year", "line", "payer", "amount", "low", "high", "cash", "central", "varies"),
    *("price_year", "basis", "sources", "urls"),
]


def programme_costs(
    phase: str,
    view: str = "total",
    price_year: int | None = None,
    authority: str | None = None,
    optimism_bias: float = 0.0,
    *,
    families: float | None = None,
) -> pd.DataFrame:
    """Return what a phase cost, by year, payer and line.

    One authority's costs are the nation's times its share of the families to be turned around;
    grants that every authority had alike are divided by the number of authorities.

    Parameters
    ----------
    phase : str
        Phase of the programme.
    view : {"total", "central", "marginal"}
        Every public body's costs; central government's; or those that grow with the families.
    price_year : int, optional
        Financial year of the prices, by its first calendar year; by default the phase's own.
    authority : str, optional
        Name or ONS code of a local authority; by default England.
    optimism_bias : float, default 0
        Share by which costs are taken to be understated, from 0 to 2; it makes lines of its own
        by year and payer. What was paid is known, so 0 is right for looking back; the
        authorities' contribution is an expectation, for which it may be tried.
    families : float, optional
        Families the authority was to turn around, where no source gives them.

    Returns
    -------
    DataFrame
        `year` (financial), `line`, `payer`, `amount`, `low`, `high` (pounds, in `price_year`
        prices), `cash` (the amount in pounds of the year), `central`, `varies` (flags),
        `price_year`, `basis`, `sources` and `urls` (one text each, joined by "; " and " "). The
        lows of all rows belong together and so do the highs: each column adds up, and a single
        year's low may be above its high.

    Raises
    ------
    ParameterError
        If the phase, view, authority or price year is unknown, the bias out of its range, or no
        source gives the authority's families.

    Examples
    --------
    >>> costs = programme_costs("one", "central", 2014)
    >>> round(costs["cash"].sum() / 1e6)
    460
    """
    _check(view, optimism_bias, authority, families)
    lines = cost_lines(phase)
    if authority is not None:
        lines = _of_authority(lines, phase, authority, families)
    chosen = [line for line in lines if _in_view(line, view)]
    frame = _with_bias(pd.DataFrame([row for line in chosen for row in _rows(line)]), optimism_bias)
    frame = frame.sort_values(["year", "central", "line"], ascending=[True, False, True])
    frame = frame.assign(price_year=frame["year"]).reset_index(drop=True)
    year = programme(phase).price_year if price_year is None else price_year
    return in_prices(frame, _MONEY, year)[_COLUMNS]


def cost_sources(phase: str) -> tuple[Source, ...]:
    """Return every source behind the costs of a phase, each once."""
    return tuple(dict.fromkeys(source for line in cost_lines(phase) for source in line.sources))


def costs_missing(phase: str) -> pd.DataFrame:
    """Return what is known to be missing from the costs of a phase.

    Returns
    -------
    DataFrame
        `cost`, `why`.
    """
    unknown = programme(phase).costs.unknown
    return pd.DataFrame([(one.cost, one.why) for one in unknown], columns=["cost", "why"])


def costs_against_budget(phase: str) -> pd.DataFrame:
    """Set the cost lines beside the parts of the phase's budget, in cash.

    Parameters
    ----------
    phase : str
        Phase of the programme.

    Returns
    -------
    DataFrame
        `part`, `cost_low`, `cost_high` (what the lines add up to), `budget_low`, `budget_high`
        (as in `reconcile`), in pounds. A phase without a ledger has one row: its budget as a whole.

    Examples
    --------
    >>> rows = costs_against_budget("one")
    >>> bool((rows["cost_low"] == rows["budget_low"]).all())
    True
    """
    budget = reconcile(phase)
    lines = cost_lines(phase)
    if not programme(phase).costs.ledger:
        low, high = map(sum, zip(*(_total(line) for line in lines if line.central), strict=True))
        rows = [(budget.total.definition, low, high, budget.budget, budget.budget)]
    else:
        rows = []
        for part in budget.parts:
            ends = [_total(line) for line in lines if LEDGER_PARTS.get(line.name) == part.name]
            low, high = (sum(end) for end in zip(*ends, strict=True))
            rows.append((part.name, low, high, part.low, part.high))
    return pd.DataFrame(
        rows, columns=["part", "cost_low", "cost_high", "budget_low", "budget_high"]
    )


def _total(line: CostLine) -> tuple[float, float]:
    lows, highs = zip(*((low, high) for _, low, high in line.cash.values()), strict=True)
    return sum(lows), sum(highs)


def _check(view: str, bias: float, authority: str | None, families: float | None) -> None:
    if view not in VIEWS:
        raise ParameterError(f"There is no view {view}. {suggest(view, VIEWS)}")
    if not 0 <= bias <= BIAS_LIMIT:
        raise ParameterError(f"Optimism bias lies between 0 and {BIAS_LIMIT:g}, not {bias:g}.")
    if families is not None and (authority is None or families <= 0):
        raise ParameterError("Families are given with an authority, and are above 0.")


def _in_view(line: CostLine, view: str) -> bool:
    return view == "total" or (line.central if view == "central" else line.varies)


def _rows(line: CostLine) -> list[dict]:
    """Return a line's years as rows."""
    described = {
        "line": line.name,
        "payer": line.payer,
        "central": line.central,
        "varies": line.varies,
        "basis": line.basis,
        "sources": "; ".join(map(str, line.sources)),
        "urls": " ".join(dict.fromkeys(source.url for source in line.sources)),
    }
    return [
        {"year": year, "amount": amount, "low": low, "high": high, "cash": amount} | described
        for year, (amount, low, high) in line.cash.items()
    ]


def _with_bias(frame: pd.DataFrame, bias: float) -> pd.DataFrame:
    """Add a row for each year and payer with the share that costs are understated by."""
    if bias == 0:
        return frame
    keys = ["year", "payer", "central", "varies"]
    extra = frame.groupby(keys, as_index=False)[[*_MONEY, "cash"]].sum()
    extra[[*_MONEY, "cash"]] *= bias
    basis = f"{bias:.0%} of the other lines of the year and payer: assumed"
    return pd.concat(
        [frame, extra.assign(line="Optimism bias", basis=basis, sources="", urls="")],
        ignore_index=True,
    )


def _of_authority(
    lines: tuple[CostLine, ...], name: str, authority: str, families: float | None
) -> tuple[CostLine, ...]:
    found = find_authority(authority)
    count = len(published("local_authorities"))
    target, sources = _target(name, found, families)
    national = programme(name).families
    share = target / national.value
    text = f"{target:,.0f} of {national.value:,.0f} families"
    return tuple(
        CostLine(
            line.name,
            line.payer,
            {
                year: (ends[0] * part, ends[1] * part, ends[2] * part)
                for year, ends in line.cash.items()
            },
            f"{line.basis}; {'the same for each authority' if line.each else text}",
            (*line.sources, *(() if line.each else sources)),
            line.varies,
            line.each,
        )
        for line in lines
        for part in (1 / count if line.each else share,)
    )


def _target(
    name: str, found: pd.Series, families: float | None
) -> tuple[float, tuple[Source, ...]]:
    """Return an authority's families to be turned around: the largest of several, as elsewhere."""
    if families is not None:
        return families, ()
    rows = published("progress_local")
    rows = rows[(rows["area_code"] == found["code"]) & (rows["period"] == period(name))]
    rows = rows[rows["figure"] == "targeted"]
    if rows.empty:
        raise ParameterError(
            f"No source gives the families that {found['name']} was to turn around in phase "
            f"{name}: give families=, from its own records."
        )
    return float(rows["value"].max()), tuple(distinct_sources(rows))
