"""Unit costs: what one unit of each outcome costs whom, with its source and its range."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd

from tfeval.errors import DataError, ParameterError, SourceError, suggest
from tfeval.money.prices import in_prices, price_years, year_number
from tfeval.programme.outcomes import OUTCOMES, Outcome, is_more_better
from tfeval.programme.published import published
from tfeval.programme.published_tables import SOURCE_COLUMNS
from tfeval.settings import once

#: Public bodies, whose account is the fiscal one.
PUBLIC = (
    *("DWP", "MoJ", "DfE", "DHSC/NHS", "Home Office/police", "HMRC", "local authority"),
    "central government",
)
#: The others whom a social account holds beside taxpayers.
PARTIES = {
    "participants": "families on the programme",
    "victims": "those whom crime and abuse harm",
    "others": "everybody else: employers, neighbours, schools",
}
TAXPAYERS = "taxpayers"
PAYERS = (*PUBLIC, *PARTIES)
#: How a figure was made. A: a service's accounts, in its own unit. B: a study, or an average,
#: converted by the calendar alone. C: older than 2005-06, or resting on an assumption of ours.
GRADES = ("A", "B", "C")
#: How a figure reached us: read where it was published, quoted by one other, or by several.
REACHED = {"first": "A", "second": "B", "third": "C"}

_CHOICES = {
    "payer": PAYERS,
    "made": GRADES,
    "reached": tuple(REACHED),
    "priced": ("average", "marginal"),
    "price_index": ("gdp_deflator",),  # the one that all prices are put into one year by
    "transfer": ("yes", "no"),
}
_MONEY = ["amount", "low", "high"]
_SHARES = ("cashable", "own")
_DESCRIBED = [
    *("outcome", "component", "code", "amount", "low", "high", "per", "price_year"),
    *("original_price_year", "price_index", "payer", "party", "transfer", "cashable"),
    *("cashable_low", "cashable_high", "own", "own_low", "own_high", "overlaps", "priced"),
    *("grade", "made", "reached", "value", "times", "divided_by", "conversion", "range_basis"),
    *("definition", "note"),
]


def party_of(payer: str) -> str:
    """Return whose account a payer's is: taxpayers' for a public body.

    Examples
    --------
    >>> party_of("DWP"), party_of("victims")
    ('taxpayers', 'victims')
    """
    return payer if payer in PARTIES else TAXPAYERS


def unit_costs(
    price_year: int,
    outcomes: Iterable[str] | None = None,
    table: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return what one unit of each outcome costs, by component and payer.

    The amount is the published value times `times`, divided by `divided_by`, in the prices asked
    for, times the share of it that is the outcome's `own`: the pounds that no other outcome's
    price holds. That share is the same whatever else is valued, so that nothing is counted twice
    and no harm is left out. A day in work costs less than nothing: its amount is negative. Rows
    that are only recalled are left out.

    Parameters
    ----------
    price_year : int
        Financial year of the prices, by its first calendar year.
    outcomes : iterable of str, optional
        Measures of the cohort, or of the published evaluations; by default all.
    table : DataFrame, optional
        Unit costs in the columns of `data/published/unit_costs.csv`, to use instead of it.

    Returns
    -------
    DataFrame
        One row a component. `outcome`, `component`, `code`, `amount` (the expected mean cost),
        `low`, `high` (ends of what the mean may be, the share that is its own too; pounds, for one
        `per`), `per` (the unit in which the cohort counts), `price_year`, `original_price_year`
        (first calendar years), `price_index`, `payer`, `party` (taxpayers, or the payer itself),
        `transfer` (yes: public money that participants lose), `cashable` (share that stops being
        spent) and `own`, each with its low and high, `overlaps` (with what, and why), `priced`
        (average or marginal), `grade` (the worse of `made` and how it `reached` us), `value`
        (pounds, as published), `times`, `divided_by`, `conversion`, `range_basis`, `definition`,
        `note` and the source columns.

    Raises
    ------
    SourceError
        If a row has no source.
    DataError
        If a row breaks the table's definition.
    ParameterError
        If an outcome has no unit cost, or the price year no deflator.

    References
    ----------
    GMCA/New Economy Unit Cost Database 1.4 (2015), by code; `data/published/unit_costs.csv`.

    Examples
    --------
    >>> costs = unit_costs(2013, ["looked_after"])
    >>> costs[["amount", "per", "payer"]].round(2).values.tolist()
    [[135.75, 'person-day', 'local authority']]
    """
    if table is None:
        rows = _published(price_year, tuple(OUTCOMES.values()))
    else:
        rows = _priced(_costs(table), price_year)
    if outcomes is not None:
        wanted = list(dict.fromkeys(outcomes))
        _refuse_unknown(wanted, rows)
        rows = rows[rows["outcome"].isin(wanted)].reset_index(drop=True)
    return rows


@once
def _published(price_year: int, _outcomes: tuple[Outcome, ...]) -> pd.DataFrame:
    """Check and price them once for a year and a register of outcomes."""
    return _priced(_costs(None), price_year)


def _priced(rows: pd.DataFrame, price_year: int) -> pd.DataFrame:
    times = rows["times"] / rows["divided_by"]
    ends = pd.DataFrame({end: rows[end] * rows[f"own_{end}"] * times for end in ("low", "high")})
    rows = rows.assign(
        amount=rows["value"] * rows["own"] * times, low=ends.min(axis=1), high=ends.max(axis=1),
        party=rows["payer"].map(party_of),
        grade=np.maximum(rows["made"], rows["reached"].map(REACHED)),
    ).reset_index(drop=True)  # fmt: skip
    return in_prices(rows, _MONEY, price_year)[[*_DESCRIBED, *SOURCE_COLUMNS]]


def overlap_of(text: str) -> tuple[list[str], str]:
    """Return the outcomes that a unit cost overlaps with, and why, from the column `overlaps`.

    Examples
    --------
    >>> overlap_of("custody: measured by itself, and counted there")
    (['custody'], 'measured by itself, and counted there')
    """
    names, _, why = text.partition(": ")
    return names.split(", "), why


def second_opinions(outcome: str | None = None) -> pd.DataFrame:
    """Return what other sources say of the same costs: read, shown, and not computed with.

    Parameters
    ----------
    outcome : str, optional
        By default all.

    Returns
    -------
    DataFrame
        `outcome`, `component`, `value`, `low`, `high` (pounds, as published), `price_year`,
        `period`, `definition`, `note` and the source columns.
    """
    rows = published("unit_costs")
    rows = rows[(rows["figure"] == "unit_cost_other") & (rows["status"] != "recalled")]
    kept = ["outcome", "component", "value", "low", "high", "price_year", "period", "definition",
            "note", *SOURCE_COLUMNS]  # fmt: skip
    return rows.loc[rows["outcome"] == outcome if outcome else rows.index, kept]


def not_monetised() -> pd.DataFrame:
    """Return the counts of the cohort that have no unit cost, with the reason.

    Returns
    -------
    DataFrame
        `outcome`, `reason`.

    Examples
    --------
    >>> not_monetised()["outcome"].tolist()
    ['fixed_exclusions', 'sessions_authorised', 'sessions_possible']
    """
    rows = [(row.name, row.no_price) for row in OUTCOMES.values() if row.counted and row.no_price]
    return pd.DataFrame(sorted(rows), columns=["outcome", "reason"])


def no_price(name: str) -> str:
    """Say why an effect has no unit cost; of what the registry does not know, that none is held."""
    return (name in OUTCOMES and OUTCOMES[name].no_price) or "No unit cost of it is held."


def check_registry(costed: Iterable[str]) -> None:
    """Refuse outcomes that have neither a unit cost nor a reason, or both; and unknown ones.

    Parameters
    ----------
    costed : iterable of str
        Outcomes with a published unit cost.

    Raises
    ------
    DataError
        Naming every outcome at fault.
    """
    known = set(costed)
    faults = {
        "no unit cost and no reason: give a row of unit_costs.csv, or no_price": [
            name for name, row in OUTCOMES.items() if name not in known and not row.no_price
        ],
        "both a unit cost and a reason for none: leave no_price out": [
            name for name, row in OUTCOMES.items() if name in known and row.no_price
        ],
        "a unit cost and no row in tfeval/programme/outcomes.py: add one": known - set(OUTCOMES),
    }
    problems = [f"{', '.join(sorted(names))}: {what}" for what, names in faults.items() if names]
    if problems:
        raise DataError(f"Outcomes and unit costs do not fit. {'; '.join(problems)}.")


def check_unit_costs(table: pd.DataFrame) -> None:
    """Check unit costs: each with a source, a payer, a conversion and a range around it.

    Parameters
    ----------
    table : DataFrame
        In the columns of `data/published/unit_costs.csv`.

    Raises
    ------
    SourceError
        If a row has no source.
    DataError
        With every other kind of fault, once.
    """
    needed = {*_CHOICES, *SOURCE_COLUMNS, "outcome", "component", "value", "price_year", "per"}
    needed |= {"times", "divided_by", "low", "high", "range_basis", "conversion", "price_index"}
    needed |= {name + end for name in _SHARES for end in ("", "_low", "_high")} | {"overlaps"}
    missing = sorted(needed - set(table.columns))
    if missing:
        raise DataError(f"Unit costs: column {', '.join(missing)} is missing: add it.")
    columns = ["source_title", "publisher", "date", "url"]
    empty = (table[columns].fillna("").astype(str).apply(lambda c: c.str.strip()) == "").any(axis=1)
    if empty.any():
        named = ", ".join(sorted(set(table.loc[empty, "outcome"])))
        raise SourceError(
            f"Unit costs: no source in {int(empty.sum())} rows ({named}): give title, publisher, "
            "date and url, or leave the row out."
        )
    problems = list(_number_faults(table)) or list(_faults(table))
    if problems:
        raise DataError("\n".join(f"Unit costs: {fault}" for fault in problems))


def _number_faults(table: pd.DataFrame) -> Iterator[str]:
    shares = (name + end for name in _SHARES for end in ("", "_low", "_high"))
    for column in ("value", "low", "high", "times", "divided_by", *shares):
        numbers = pd.to_numeric(table[column], errors="coerce").to_numpy(dtype=float)
        odd = int((~np.isfinite(numbers)).sum())
        if odd or table[column].dtype == object:
            yield f"column {column}: not a number in {odd or len(table)} rows: give digits only."


def _faults(table: pd.DataFrame) -> Iterator[str]:
    for column, known in _CHOICES.items():
        odd = int((~table[column].isin(known)).sum())
        if odd:
            yield f"column {column}: none of {', '.join(known)} in {odd} rows: use one."
    for column in ("outcome", "component", "per", "conversion", "range_basis"):
        odd = int((table[column].fillna("") == "").sum())
        if odd:
            yield f"column {column}: empty in {odd} rows: say what it is."
    odd = int((~_inside(*(table[name] for name in ("low", "value", "high")))).sum())
    if odd:
        yield f"columns low and high: not around the value in {odd} rows: give a range of the mean."
    odd = int((table["low"] < 0).sum())
    if odd:
        yield (
            f"column low: below 0 in {odd} rows: give pounds, and a gain by times below 0, such as "
            "-1."
        )
    odd = int((~table["price_year"].map(_known_year)).sum())
    if odd:
        years = price_years()
        yield (
            f"column price_year: no financial year with a deflator, {years[0]} to {years[-1]}, in "
            f"{odd} rows: write it as 2014-15."
        )
    yield from _direction_faults(table)
    yield from _share_faults(table)
    odd = int((~(table["divided_by"] > 0) | ~(table["times"].abs() > 0)).sum())
    if odd:
        yield f"columns times and divided_by: no conversion in {odd} rows: give both, not 0."
    repeated = int(table.duplicated(["outcome", "component"]).sum())
    if repeated:
        yield f"repeated outcome and component in {repeated} rows: keep one of each."


def _inside(low: pd.Series, middle: pd.Series, high: pd.Series) -> pd.Series:
    """Return where a mean is one: at an end of a range it is not the mean of what is drawn."""
    return ((low < middle) & (middle < high)) | ((low == middle) & (middle == high))


def _known_year(year: object) -> bool:
    try:
        return (year if isinstance(year, int) else year_number(str(year))) in price_years()
    except DataError:
        return False


def _direction_faults(table: pd.DataFrame) -> Iterator[str]:
    """Yield what turns a gain into a harm, or makes one outcome's units two."""
    known = table[table["outcome"].isin(OUTCOMES)]
    odd = int((known["outcome"].map(is_more_better) != (known["times"] < 0)).sum())
    if odd:
        yield (
            f"column times: of the wrong sign in {odd} rows: below 0 where more of the outcome is "
            "better, above 0 where it is worse."
        )
    odd = int((table.groupby("outcome")["per"].nunique() > 1).sum())
    if odd:
        yield f"column per: of several units in {odd} outcomes: give one for each outcome."
    odd = int(((table["transfer"] == "yes") & table["payer"].isin(PARTIES)).sum())
    if odd:
        yield f"column transfer: of no public body in {odd} rows: say no, or name the body."


def _share_faults(table: pd.DataFrame) -> Iterator[str]:
    for name in _SHARES:
        low, middle, high = (table[name + end] for end in ("_low", "", "_high"))
        odd = int((~((low >= 0) & (low <= middle) & (middle <= high) & (high <= 1))).sum())
        if odd:
            yield f"column {name}: no share with its range, 0 to 1, in {odd} rows: give all three."
    ends = (table[one] * table[f"own{end}"] for one, end in (("low", "_low"), ("value", ""),
                                                             ("high", "_high")))  # fmt: skip
    sound = _inside(*(table[name] for name in ("low", "value", "high")))
    odd = int((sound & ~_inside(*ends)).sum())
    if odd:
        yield (
            f"columns own_low and own_high: with a value that is certain, not around own in {odd} "
            "rows: give a range of the mean."
        )
    odd = int(((table["own"] < 1) & (table["overlaps"].fillna("") == "")).sum())
    if odd:
        yield f"column overlaps: empty in {odd} rows that are not wholly their own: say with what."


def _costs(table: pd.DataFrame | None) -> pd.DataFrame:
    rows = published("unit_costs") if table is None else table
    if not isinstance(rows, pd.DataFrame):
        raise ParameterError("unit_cost_table is a table in the columns of unit_costs.csv.")
    if "figure" in rows:
        rows = rows[rows["figure"] == "unit_cost"]
    if "status" in rows:
        rows = rows[rows["status"] != "recalled"]
    check_unit_costs(rows)
    if table is None:
        check_registry(rows["outcome"])
    return rows


def _refuse_unknown(wanted: list[str], rows: pd.DataFrame) -> None:
    known = set(rows["outcome"])
    for name in wanted:
        if name in known:
            continue
        reason = no_price(name) if name in OUTCOMES else suggest(name, known)
        raise ParameterError(f"There is no unit cost of {name}. {reason}")
