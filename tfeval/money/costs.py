"""What the programme cost: by year, payer and line, in the prices of one year."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

import pandas as pd

from tfeval.display.words import financial_year
from tfeval.errors import DataError, ParameterError, suggest
from tfeval.money.prices import in_prices
from tfeval.programme.claims import authority as find_authority
from tfeval.programme.national import ledger_sources, national_ledger, reconcile
from tfeval.programme.phases import Phase, period, phase
from tfeval.programme.phases import phase as programme
from tfeval.programme.published import Figure, Source, distinct_sources, figure, published

# What the programme cost, line by line, in the money of each year, from published figures.

CENTRAL, LOCAL, DWP = "central government", "local authority", "DWP"
#: Lines whose national parts stand in `reconcile` of a phase with a ledger, by the part's name.
LEDGER_PARTS = {
    "Attachment fees": "Attachment fees and results payments due under the tariff",
    "Results payments": "Attachment fees and results payments due under the tariff",
    "Support by the Department for Work and Pensions": "Department for Work and Pensions",
    "Grants to prepare": "Grants to prepare",
    "Co-ordinators": "Co-ordinators",
}


@dataclass(frozen=True)
class CostLine:
    """One thing that was paid for.

    Attributes
    ----------
    name, payer : str
        What, and by whom.
    cash : mapping of str to (float, float, float)
        Financial year to amount, low and high, in pounds of that year. The lows of all years and
        lines belong together, and so do the highs.
    basis : str
        How it was arrived at.
    sources : tuple of Source
        Where its figures come from.
    varies : bool
        Whether it grows with the number of families.
    each : bool
        Whether every authority has the same amount, whatever its number of families.
    """

    name: str
    payer: str
    cash: Mapping[str, tuple[float, float, float]]
    basis: str
    sources: tuple[Source, ...]
    varies: bool
    each: bool = False

    def __post_init__(self) -> None:
        # Lines are kept from call to call, so nobody may change them.
        object.__setattr__(self, "cash", MappingProxyType(dict(self.cash)))

    @property
    def central(self) -> bool:
        """Whether central government paid."""
        return self.payer != LOCAL


@lru_cache(maxsize=8)
def cost_lines(name: str) -> tuple[CostLine, ...]:
    """Return the national cost of a phase, line by line.

    Parameters
    ----------
    name : str
        The phase; its file names the lines that can be made.
    """
    rules = phase(name)
    return tuple(line for made in rules.costs.lines for line in _maker(made, rules)(rules))


def _maker(name: str, rules: Phase) -> Callable[[Phase], list[CostLine]]:
    if name not in _MAKERS:
        raise DataError(
            f"data/programmes/{rules.file}: key costs, lines names {name}. {suggest(name, _MAKERS)}"
        )
    return _MAKERS[name]


def _years(first: int, count: int) -> list[str]:
    return [financial_year(year) for year in range(first, first + count)]


def _even(
    years: list[str], amount: float, low: float | None = None, high: float | None = None
) -> dict[str, tuple[float, float, float]]:
    """Spread a sum evenly over years."""
    ends = (amount, amount if low is None else low, amount if high is None else high)
    share = (ends[0] / len(years), ends[1] / len(years), ends[2] / len(years))
    return dict.fromkeys(years, share)


def _department_lines(rules: Phase) -> list[CostLine]:
    dwp = figure("budget", "dwp_share")
    return [
        CostLine(
            "Support by the Department for Work and Pensions",
            DWP,
            _even(list(rules.tariff.years), dwp.pounds()[0]),
            "published for the whole; spread evenly over the years",
            dwp.sources,
            varies=False,
        )
    ]


def _tariff_lines(rules: Phase) -> list[CostLine]:
    """Return attachment fees and results payments, by the year in which they fell due."""
    ledgers = sorted(map(national_ledger, ("slow", "fast")), key=lambda rows: rows["payment"].sum())
    lines = []
    for name, attachment in (("Attachment fees", True), ("Results payments", False)):
        sums = []
        for ledger in ledgers:
            rows = ledger[(ledger["kind"] == "attachment") == attachment]
            sums.append(rows.groupby("paid_year")["payment"].sum())
        both = pd.concat(sums, axis=1, keys=["low", "high"]).fillna(0.0)
        cash = {
            str(year): ((low + high) / 2, float(low), float(high))
            for year, low, high in both.itertuples()
        }
        basis = (
            "due under the tariff for the families attached and the results claimed in the year; "
            "the middle of a slow and a fast pace of attachment"
        )
        lines.append(CostLine(name, CENTRAL, cash, basis, ledger_sources(rules.name), varies=True))
    return lines


def _grant_lines(rules: Phase) -> list[CostLine]:
    years = list(rules.tariff.years)
    authorities = len(published("local_authorities"))
    preparation = figure("budget", "preparation_grant")
    grants = figure("budget", "co_ordinator_grant")
    given = _even(["2011-12"], preparation.value * authorities)
    # Published in whole millions.
    left = rules.budget.pounds()[0] - _committed(rules)
    low, high = left - 0.5e6, left + 0.5e6
    each = left / authorities / len(years)
    return [
        CostLine(
            "Grants to prepare", CENTRAL, given,
            f"£{preparation.value:,.0f} offered to each of {authorities} authorities",
            preparation.sources, varies=False, each=True,
        ),
        CostLine(
            "Co-ordinators", CENTRAL, _even(years, left, low, high),
            f"what the budget leaves once the other lines are paid: £{each:,.0f} a year for each "
            f"of {authorities} authorities, where {len(grants.values)} published grants were "
            f"£{grants.low:,.0f} to £{grants.high:,.0f}; its range is the budget's rounding",
            _once(grants, rules.budget), varies=False, each=True,
        ),
    ]  # fmt: skip


def _committed(rules: Phase) -> float:
    """Return what the budget's other lines come to, pounds of the years: in the middle."""
    due = [_total(line, 0) for line in (*_tariff_lines(rules), *_department_lines(rules))]
    prepared = figure("budget", "preparation_grant").value * len(published("local_authorities"))
    return sum(due) + prepared


def _expected_lines(rules: Phase) -> list[CostLine]:
    """Return authorities' own contribution: as found in 2015, at most what was expected before."""
    years = list(rules.tariff.years)
    expected = figure("budget", "local_contribution_expected")
    spent = figure("benefits_claim_2015", "average_cost_per_family")
    amount = spent.low * rules.families.value - rules.budget.pounds()[0]
    basis = (
        f"£{spent.low:,.0f} a family as found in 2015, less the central budget: the "
        "only figure that was measured. Low: nothing beyond what they were paid; high: the "
        f"£{expected.value:g}m expected beforehand, staff and services in kind included, which "
        "nobody counted afterwards"
    )
    cited = _once(expected, spent, rules.budget, rules.families)
    most = expected.pounds()[0]
    return [CostLine(_OWN, LOCAL, _even(years, amount, 0.0, most), basis, cited, varies=True)]


def contribution_found() -> float:
    """Return what share of the contribution expected of authorities was found in 2015.

    Examples
    --------
    >>> round(contribution_found(), 2)
    0.28
    """
    first = phase("one")
    (line,) = _expected_lines(first)
    return _total(line, 0) / _total(line, 2)


def evaluation_lines(rules: Phase) -> list[CostLine]:
    """Return who paid for the national evaluation, and what at most in each year."""
    years = _years(rules.start.year + 1, 3)
    contract = figure("budget", "evaluation_contract")
    lines = []
    for name, payer in (("evaluation_department", CENTRAL), ("evaluation_local_government", LOCAL)):
        part = figure("budget", name)
        lines.append(
            CostLine(
                "National evaluation",
                payer,
                _even(years, part.value * len(years)),
                f"at most £{part.value:,.0f} a year of a contract of at most "
                f"£{contract.value:g}m over three years",
                _once(part, contract),
                varies=False,
            )
        )
    return lines


def _allocation_lines(rules: Phase) -> list[CostLine]:
    """Return what was allocated: sums of the budget, each spread evenly over its years."""
    sums = [(figure("budget", one.figure), list(one.years)) for one in rules.costs.allocations]
    cash = {year: pounds for allocation, years in sums
            for year, pounds in _even(years, allocation.pounds()[0]).items()}  # fmt: skip
    name = (
        "Payments to authorities: fees, results and grants"
        if rules.tariff.attachment_fee
        else "Payments to authorities: upfront funding and results"
    )
    cited = _once(*(allocation for allocation, _ in sums))
    return [CostLine(name, CENTRAL, cash, rules.costs.basis, cited, varies=True)]


def _designed_lines(rules: Phase) -> list[CostLine]:
    """Return the share that authorities were to add by design."""
    invested = figure("budget", "extension_average_investment")
    share = figure("budget", "central_share")
    own = invested.value * (1 - share.value / 100) * rules.families.value
    part = contribution_found()
    basis = (
        f"assumed: {part:.0%} of what was designed, the share found in the first phase; high: the "
        f"design, {100 - share.value:.0f}% of £{invested.value:,.0f} a family for "
        f"{rules.families.value:,.0f} families, which nobody counted afterwards; low: nothing"
    )
    years = _years(rules.start.year, len(rules.years))
    cited = _once(invested, share, rules.families)
    return [CostLine(_OWN, LOCAL, _even(years, own * part, 0.0, own), basis, cited, varies=True)]


_OWN = "Authorities' and partners' own contribution"
#: What a phase's file may name under costs, lines.
_MAKERS: dict[str, Callable[[Phase], list[CostLine]]] = {
    "tariff": _tariff_lines,
    "department_for_work": _department_lines,
    "grants": _grant_lines,
    "contribution_expected": _expected_lines,
    "evaluation": evaluation_lines,
    "allocations": _allocation_lines,
    "contribution_designed": _designed_lines,
}


def _once(*figures: Figure) -> tuple[Source, ...]:
    """Return the sources of some figures, each once."""
    return tuple(dict.fromkeys(source for item in figures for source in item.sources))


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
    449
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
        (as in `reconcile`), in pounds. Co-ordinators cost what the other lines leave of the
        budget. A phase without a ledger has one row: its budget as a whole.

    Examples
    --------
    >>> rows = costs_against_budget("one")
    >>> bool(rows.loc[0, "cost_low"] == rows.loc[0, "budget_low"])
    True
    """
    budget = reconcile(phase)
    lines = cost_lines(phase)
    if not programme(phase).costs.ledger:
        low, high = (sum(_total(line, end) for line in lines if line.central) for end in (1, 2))
        rows = [(budget.total.definition, low, high, budget.budget, budget.budget)]
    else:
        rows = []
        for part in budget.parts:
            own = [line for line in lines if LEDGER_PARTS.get(line.name) == part.name]
            low, high = (sum(_total(line, end) for line in own) for end in (1, 2))
            rows.append((part.name, low, high, part.low, part.high))
    return pd.DataFrame(
        rows, columns=["part", "cost_low", "cost_high", "budget_low", "budget_high"]
    )


def _total(line: CostLine, end: int) -> float:
    """Return the sum over years of the amounts (0), the lows (1) or the highs (2)."""
    return sum(ends[end] for ends in line.cash.values())


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
    area = find_authority(authority)
    count = len(published("local_authorities"))
    target, sources = _target(name, area, families)
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


def _target(name: str, area: pd.Series, families: float | None) -> tuple[float, tuple[Source, ...]]:
    """Return an authority's families to be turned around: the largest of several, as elsewhere."""
    if families is not None:
        return families, ()
    rows = published("progress_local")
    rows = rows[(rows["area_code"] == area["code"]) & (rows["period"] == period(name))]
    rows = rows[rows["figure"] == "targeted"]
    if rows.empty:
        raise ParameterError(
            f"No source gives the families that {area['name']} was to turn around in phase "
            f"{name}: give families=, from its own records."
        )
    return float(rows["value"].max()), tuple(distinct_sources(rows))
