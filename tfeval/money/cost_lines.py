"""What the programme cost, line by line, in the money of each year, from published figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from tfeval.display.words import financial_year
from tfeval.errors import DataError, suggest
from tfeval.programme.national import ledger_sources, national_ledger
from tfeval.programme.phases import Phase, phase
from tfeval.programme.published import Figure, Source, figure, published

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
    cash : dict of str to (float, float, float)
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
    cash: dict[str, tuple[float, float, float]]
    basis: str
    sources: tuple[Source, ...]
    varies: bool
    each: bool = False

    @property
    def central(self) -> bool:
        """Whether central government paid."""
        return self.payer != LOCAL


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
    middle = sorted(grants.values)[len(grants.values) // 2]
    count = authorities * len(years)
    return [
        CostLine(
            "Grants to prepare",
            CENTRAL,
            _even(["2011-12"], preparation.value * authorities),
            f"£{preparation.value:,.0f} offered to each of {authorities} authorities",
            preparation.sources,
            varies=False,
            each=True,
        ),
        CostLine(
            "Co-ordinators",
            CENTRAL,
            _even(years, middle * count, grants.low * count, grants.high * count),
            f"£{middle:,.0f} a year for each of {authorities} authorities, the middle of the "
            f"{len(grants.values)} that were published (£{grants.low:,.0f} to £{grants.high:,.0f})",
            grants.sources,
            varies=False,
            each=True,
        ),
    ]


def _expected_lines(rules: Phase) -> list[CostLine]:
    """Return authorities' own contribution: expected before, and bounded by other figures."""
    years = list(rules.tariff.years)
    expected = figure("budget", "local_contribution_expected")
    families = rules.families
    spent = figure("benefits_claim_2015", "average_cost_per_family")
    assumed = figure("budget", "assumed_cost_of_intervention")
    share = figure("budget", "central_share")
    budget = rules.budget
    low = spent.low * families.value - budget.pounds()[0]
    high = assumed.value * (1 - share.value / 100) * families.value
    basis = (
        "expected beforehand, staff and services in kind included; never counted afterwards. Low: "
        f"£{spent.low:,.0f} a family as found in 2015, less the central budget; high: the "
        f"{100 - share.value:.0f}% of £{assumed.value:,.0f} a family that was assumed"
    )
    cited = _once(expected, spent, assumed, share, budget, families)
    return [
        CostLine(_OWN, LOCAL, _even(years, expected.pounds()[0], low, high), basis, cited,
                 varies=True)
    ]  # fmt: skip


def _evaluation_lines(rules: Phase) -> list[CostLine]:
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
    cash = {year: pounds for found, years in sums
            for year, pounds in _even(years, found.pounds()[0]).items()}  # fmt: skip
    name = (
        "Payments to authorities: fees, results and grants"
        if rules.tariff.attachment_fee
        else "Payments to authorities: upfront funding and results"
    )
    cited = _once(*(found for found, _ in sums))
    return [CostLine(name, CENTRAL, cash, rules.costs.basis, cited, varies=True)]


def _designed_lines(rules: Phase) -> list[CostLine]:
    """Return the share that authorities were to add by design."""
    invested = figure("budget", "extension_average_investment")
    share = figure("budget", "central_share")
    own = invested.value * (1 - share.value / 100) * rules.families.value
    basis = (
        f"{100 - share.value:.0f}% of £{invested.value:,.0f} a family, as designed, for "
        f"{rules.families.value:,.0f} families; spread evenly; never counted afterwards"
    )
    years = _years(rules.start.year, len(rules.years))
    cited = _once(invested, share, rules.families)
    return [CostLine(_OWN, LOCAL, _even(years, own), basis, cited, varies=True)]


_OWN = "Authorities' and partners' own contribution"
#: What a phase's file may name under costs, lines.
_MAKERS: dict[str, Callable[[Phase], list[CostLine]]] = {
    "tariff": _tariff_lines,
    "department_for_work": _department_lines,
    "grants": _grant_lines,
    "contribution_expected": _expected_lines,
    "evaluation": _evaluation_lines,
    "allocations": _allocation_lines,
    "contribution_designed": _designed_lines,
}


def _once(*figures: Figure) -> tuple[Source, ...]:
    """Return the sources of some figures, each once."""
    return tuple(dict.fromkeys(source for item in figures for source in item.sources))
