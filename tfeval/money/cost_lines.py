"""What the programme cost, line by line, in the money of each year, from published figures."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from tfeval.programme.national import ledger_sources, national_ledger
from tfeval.programme.phases import phase
from tfeval.programme.published import Figure, Source, figure, published

CENTRAL, LOCAL, DWP = "central government", "local authority", "DWP"
#: Lines whose national parts stand in `reconcile("one")`, by the part's name.
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
    name : {"one", "two"}
        The phase.
    """
    return _phase_one() if phase(name).name == "one" else _phase_two()


def _years(first: int, count: int) -> list[str]:
    return [f"{year}-{(year + 1) % 100:02d}" for year in range(first, first + count)]


def _even(
    years: list[str], amount: float, low: float | None = None, high: float | None = None
) -> dict[str, tuple[float, float, float]]:
    """Spread a sum evenly over years."""
    ends = (amount, amount if low is None else low, amount if high is None else high)
    share = (ends[0] / len(years), ends[1] / len(years), ends[2] / len(years))
    return dict.fromkeys(years, share)


def _phase_one() -> tuple[CostLine, ...]:
    years = list(phase("one").tariff.years)
    dwp = figure("budget", "dwp_share")
    return (
        *_tariff_lines(),
        CostLine(
            "Support by the Department for Work and Pensions",
            DWP,
            _even(years, dwp.pounds()[0]),
            "published for the whole; spread evenly over the years",
            dwp.sources,
            varies=False,
        ),
        *_grant_lines(years),
        _local_line(years),
        *_evaluation_lines(),
    )


def _tariff_lines() -> list[CostLine]:
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
        lines.append(CostLine(name, CENTRAL, cash, basis, ledger_sources("one"), varies=True))
    return lines


def _grant_lines(years: list[str]) -> list[CostLine]:
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


def _local_line(years: list[str]) -> CostLine:
    """Return authorities' own contribution: expected before, and bounded by other figures."""
    expected = figure("budget", "local_contribution_expected")
    families = phase("one").families
    spent = figure("benefits_claim_2015", "average_cost_per_family")
    assumed = figure("budget", "assumed_cost_of_intervention")
    share = figure("budget", "central_share")
    budget = phase("one").budget
    low = spent.low * families.value - budget.pounds()[0]
    high = assumed.value * (1 - share.value / 100) * families.value
    return CostLine(
        "Authorities' and partners' own contribution",
        LOCAL,
        _even(years, expected.pounds()[0], low, high),
        "expected beforehand, staff and services in kind included; never counted afterwards. Low: "
        f"£{spent.low:,.0f} a family as found in 2015, less the central budget; high: the "
        f"{100 - share.value:.0f}% of £{assumed.value:,.0f} a family that was assumed",
        _once(expected, spent, assumed, share, budget, families),
        varies=True,
    )


def _evaluation_lines() -> list[CostLine]:
    years = _years(2013, 3)
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


def _phase_two() -> tuple[CostLine, ...]:
    """Return phase two: its yearly budgets, and the share that authorities were to add."""
    first = figure("budget", "extension_2015_16")
    later = figure("budget", "phase_two_last_four_years")
    invested = figure("budget", "extension_average_investment")
    families = phase("two").families
    share = figure("budget", "central_share")
    central = _even(["2015-16"], first.pounds()[0]) | _even(_years(2016, 4), later.pounds()[0])
    own = invested.value * (1 - share.value / 100) * families.value
    return (
        CostLine(
            "Payments to authorities: fees, results and grants",
            CENTRAL,
            central,
            "allocated for the first year, and for the last four together, spread evenly",
            _once(first, later),
            varies=True,
        ),
        CostLine(
            "Authorities' and partners' own contribution",
            LOCAL,
            _even(_years(2015, 5), own),
            f"{100 - share.value:.0f}% of £{invested.value:,.0f} a family, as designed, for "
            f"{families.value:,.0f} families; spread evenly; never counted afterwards",
            _once(invested, share, families),
            varies=True,
        ),
    )


def _once(*figures: Figure) -> tuple[Source, ...]:
    """Return the sources of some figures, each once."""
    return tuple(dict.fromkeys(source for item in figures for source in item.sources))
