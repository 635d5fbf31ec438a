"""What each published table must hold: columns, units, keys and the rules across rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from tfeval.programme.authority_codes import code_faults
from tfeval.programme.cumulative import falling

SOURCE_COLUMNS = ("source_title", "publisher", "date", "url", "status")
FIGURE_COLUMNS = ("figure", "value", "qualifier", "unit", "period", "definition")
STATUSES = ("read", "recalled")
QUALIFIERS = ("exact", "rounded", "at least", "at most")
MEASURES = (
    "targeted",
    "identified",
    "worked_with",
    "turned_around",
    "crime_asb_education",
    "continuous_employment",
    "progress_to_work",
    "share_turned_around",
)
COUNT_UNITS = ("families", "authorities", "departments", "areas")
UNITS = (
    *COUNT_UNITS,
    "people",
    "records",
    "£",
    "£m",
    "£bn",
    "£bn/year",
    "£m/year",
    "£/family",
    "£/family/year",
    "£/authority",
    "£/authority/year",
    "£/year",
    "£ per £1",
    "US$/participant",
    "US$ per US$1",
    "%",
    "percentage points",
    "fraction",
    "years",
    "months",
    "weeks",
    "terms",
    "sessions",
    "exclusions",
    "problems",
    "index",
    "% per year",
    "text",
)


@dataclass(frozen=True)
class PublishedTable:
    """The definition of one file in `data/published`.

    Attributes
    ----------
    name : str
        The file's name without `.csv`.
    title : str
        What it holds, in a phrase.
    extra : tuple of str
        Columns beside the common ones.
    key : tuple of str
        Columns that together may occur once only.
    common : bool
        Whether rows are figures with value and unit (False: the list of authorities, and statistics
        of areas).
    described_by : str
        The table that says of each of this one's series, or of its further columns, what it is and
        where it was published; empty where every row has its own source.
    """

    name: str
    title: str
    extra: tuple[str, ...] = ()
    key: tuple[str, ...] = ("figure", "period", "source_title", "url")
    common: bool = True
    described_by: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns, in the order of the file."""
        figures = FIGURE_COLUMNS if self.common else ()
        return (*self.extra, *figures, *(() if self.described_by else SOURCE_COLUMNS))


_AREA_KEY = ("area_code", "figure", "as_of", "period", "source_title", "url")

TABLES = {
    table.name: table
    for table in (
        PublishedTable("budget", "Budget of the programme and what it was made of"),
        PublishedTable(
            "departments",
            "Departments that paid for the programme",
            ("department",),
            ("department", "figure", "period", "source_title", "url"),
        ),
        PublishedTable(
            "tariff",
            "Payment-by-results tariff",
            ("phase", "attached_year", "kind"),
            ("phase", "attached_year", "kind", "figure", "source_title", "url"),
        ),
        PublishedTable("eligibility", "Who was eligible", ("phase", "text")),
        PublishedTable("results_definitions", "What counted as a result", ("phase", "text")),
        PublishedTable(
            "progress_national",
            "National progress as published",
            ("as_of",),
            ("figure", "as_of", "source_title", "url"),
        ),
        PublishedTable(
            "progress_local",
            "Progress by local authority as published",
            ("area_code", "area", "as_of", "note"),
            _AREA_KEY,
        ),
        PublishedTable(
            "progress_areas",
            "Progress of regions and groups of authorities as published",
            ("area_code", "area", "members", "as_of", "note"),
            _AREA_KEY,
        ),
        PublishedTable(
            "payments_local",
            "Payments to local authorities as published",
            ("area_code", "area", "payment", "families", "rounded_to"),
            ("area_code", "figure", "period", "source_title", "url"),
        ),
        PublishedTable(
            "local_authorities",
            "Upper-tier local authorities of England, 2012-15",
            ("code", "name", "region", "kind"),
            ("code",),
            common=False,
        ),
        PublishedTable(
            "authority_codes",
            "Codes of upper-tier authorities from 2009 to 2023",
            ("code", "name", "valid_from", "valid_to", "authority", "area"),
            ("code", "authority"),
            common=False,
        ),
        PublishedTable("benefits_claim_2015", "The 2015 claim of benefits to the taxpayer"),
        PublishedTable("evaluations", "National evaluations of 2016 and 2019", ("phase", "text")),
        PublishedTable(
            "evaluation_outcomes",
            "Effects by outcome in the national evaluations",
            ("evaluation", "outcome", "population", "months", "treated", "comparison", "finding"),
            ("evaluation", "outcome", "population", "months", "source_title", "url"),
        ),
        PublishedTable(
            "benchmarks",
            "What other programmes were worth, to set a card beside",
            ("benchmark",),
            ("benchmark", "figure", "period", "source_title", "url"),
        ),
        PublishedTable("deflators", "GDP deflators"),
        PublishedTable(
            "discount_rates",
            "Discount rates by Green Book edition",
            ("edition", "rate_kind", "from_year", "to_year", "in_force"),
            ("edition", "rate_kind", "from_year"),
        ),
        PublishedTable(
            "unit_costs",
            "Unit costs of outcomes",
            (
                *("outcome", "component", "code", "price_year", "price_index", "payer", "per"),
                *("times", "divided_by", "conversion", "low", "high", "range_basis", "transfer"),
                *("cashable", "cashable_low", "cashable_high", "own", "own_low", "own_high"),
                *("overlaps", "priced", "made", "reached", "note"),
            ),
            ("outcome", "component", "figure", "source_title", "url"),
        ),
        PublishedTable(
            "area_measures",
            "What each statistic of the authorities is",
            (
                *("measure", "label", "table", "role", "rank", "unit", "year_means"),
                *("first_treated", "first_year", "last_year", "authorities", "cells"),
                *("low", "high", "rounding", "suppression", "use"),
            ),
            ("measure",),
            common=False,
        ),
        PublishedTable(
            "area_years",
            "Statistics of the authorities by year",
            ("code", "year"),
            ("code", "year"),
            common=False,
            described_by="area_measures",
        ),
        PublishedTable(
            "area_facts",
            "Statistics of the authorities of one year",
            ("code",),
            ("code",),
            common=False,
            described_by="area_measures",
        ),
        PublishedTable(
            "nation_series",
            "What each series of a nation is",
            (
                *("series", "measure", "label", "nation", "unit", "year_means", "use"),
                *("first_year", "last_year"),
            ),
            ("series",),
            common=False,
        ),
        PublishedTable(
            "nation_years",
            "Series of the nations by year",
            ("series", "year", "value"),
            ("series", "year"),
            common=False,
            described_by="nation_series",
        ),
    )
}


def faults(
    table: PublishedTable,
    frame: pd.DataFrame,
    authorities: pd.DataFrame,
    described: pd.DataFrame | None = None,
) -> Iterator[str]:
    """Yield one sentence for each kind of fault in a published table.

    Parameters
    ----------
    table : PublishedTable
        The definition to hold the rows to.
    frame : DataFrame
        The file's rows, every column as text.
    authorities : DataFrame
        The 152 authorities, with `code` and `name`.
    described : DataFrame, optional
        The table that says what this one's columns or series are, as text.
    """
    columns = (*table.columns, *_measures_of(table, described))
    missing = [name for name in columns if name not in frame.columns]
    unknown = [name for name in frame.columns if name not in columns]
    if missing or unknown:
        lacks = f"column {', '.join(missing)} is missing" if missing else ""
        strange = f"column {', '.join(unknown)} is not known" if unknown else ""
        yield f"{' and '.join(filter(None, (lacks, strange)))}: name the columns as defined."
        return
    if not table.described_by:
        yield from _source_faults(frame)
    if table.name in ("area_measures", "nation_series"):
        yield from _description_faults(frame)
    repeated = int(frame.duplicated(list(table.key)).sum())
    if repeated:
        yield f"repeated {', '.join(table.key)} in {_rows(repeated)}: keep one of each."
    if table.name == "authority_codes":
        yield from code_faults(frame, authorities)
    if table.common:
        yield from _value_faults(frame)
    if "area_code" in table.extra and table.name != "progress_areas":
        yield from _area_faults(frame, authorities)
    if table.name in ("progress_local", "progress_areas"):
        yield from _progress_faults(frame)
    if described is not None:
        yield from _statistics_faults(table, frame, authorities, described)


def _rows(count: int) -> str:
    return f"{count} row" if count == 1 else f"{count} rows"


def _source_faults(frame: pd.DataFrame) -> Iterator[str]:
    read = frame["status"] == "read"
    bad = int((~frame["status"].isin(STATUSES)).sum())
    if bad:
        yield f"column status: neither of {', '.join(STATUSES)} in {_rows(bad)}: say which it is."
    for name in ("source_title", "publisher", "date", "url"):
        empty = int((read & (frame[name].str.strip() == "")).sum())
        if empty:
            yield (
                f"column {name}: no source in {_rows(empty)}: "
                "give it, or set status to recalled (and keep it out of results)."
            )
    odd = int((read & (frame["url"] != "") & ~frame["url"].str.match(r"https?://\S+$")).sum())
    if odd:
        yield f"column url: no web address in {_rows(odd)}: start it with http:// or https://."
    odd = int((read & (frame["date"] != "") & ~frame["date"].str.match(_DATE)).sum())
    if odd:
        yield f"column date: not YYYY, YYYY-MM or YYYY-MM-DD in {_rows(odd)}: correct it."


_DATE = r"(19|20)\d\d(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?$"


def _value_faults(frame: pd.DataFrame) -> Iterator[str]:
    odd = int((~frame["unit"].isin(UNITS)).sum())
    if odd:
        yield f"column unit: unknown unit in {_rows(odd)}: use one of {', '.join(UNITS)}."
    odd = int((~frame["qualifier"].isin((*QUALIFIERS, ""))).sum())
    if odd:
        yield f"column qualifier: none of {', '.join(QUALIFIERS)} in {_rows(odd)}: use one."
    text = frame["unit"] == "text"
    value = pd.to_numeric(frame["value"], errors="coerce")
    unread = int(((frame["value"] != "") & value.isna()).sum())
    if unread:
        yield f"column value: not a number in {_rows(unread)}: write digits only."
    empty = int((~text & (frame["value"] == "")).sum())
    if empty and "finding" not in frame:
        yield f"column value: empty in {_rows(empty)}: give the figure, or set unit to text."
    negative = int(((value < 0) & (frame["unit"] != "percentage points")).sum())
    if negative:
        yield f"column value: negative in {_rows(negative)}: a count or an amount cannot be."
    counts = frame["unit"].isin(COUNT_UNITS) & value.notna()
    broken = int((counts & (value % 1 != 0)).sum())
    if broken:
        yield f"column value: a count in fractions in {_rows(broken)}: use whole numbers."


def _area_faults(frame: pd.DataFrame, authorities: pd.DataFrame) -> Iterator[str]:
    names = dict(zip(authorities["code"], authorities["name"], strict=True))
    strange = int((~frame["area_code"].isin(names)).sum())
    if strange:
        yield (
            f"column area_code: unknown authority in {_rows(strange)}: "
            "use the codes of local_authorities.csv."
        )
    known = frame[frame["area_code"].isin(names)]
    differ = int((known["area_code"].map(names) != known["area"]).sum())
    if differ:
        yield f"column area: another name than area_code has in {_rows(differ)}: correct either."


def _progress_faults(frame: pd.DataFrame) -> Iterator[str]:
    odd = int((~frame["figure"].isin(MEASURES)).sum())
    if odd:
        yield f"column figure: none of {', '.join(MEASURES)} in {_rows(odd)}: use one."
    odd = int((~frame["as_of"].str.match(r"20\d\d(-(0[1-9]|1[0-2]))?$")).sum())
    if odd:
        yield f"column as_of: not YYYY or YYYY-MM in {_rows(odd)}: correct it."
    value = pd.to_numeric(frame["value"], errors="coerce")
    where = frame["area_code"] + " " + frame["period"]
    largest = value[frame["figure"] == "targeted"].groupby(where).max()
    target = where.map(largest)
    above = int(((frame["figure"] == "turned_around") & (target >= 0) & (value > target)).sum())
    if above:
        yield (
            f"column value: more families turned around than targeted in {_rows(above)}: "
            "check both figures and the area."
        )
    fallen = sum(
        falling(frame[frame["figure"] == name].assign(value=value))
        for name in ("turned_around", "crime_asb_education", "continuous_employment")
    )
    if fallen and not odd:
        yield (
            f"column value: fewer families turned around than before in {_rows(fallen)}, though "
            "the count only grows: check the dates and qualifiers of both."
        )


# Statistics of the authorities and of the nations: wide tables, described in a table beside them.

ROLES = ("outcome", "count", "population", "covariate", "dose", "place")
RANKS = ("first", "second")
_PANELS = ("area_years", "area_facts")
_WHOLE = ("people", "pupils", "children", "exclusions", "episodes", "referrals", "£000")
#: Rates and what they are of: numerator, denominator, per, half a unit of the rate's last digit.
RATES = {
    "fixed_exclusion_rate": ("fixed_exclusions", "pupils", 100, 0.005),
    "permanent_exclusion_rate": ("permanent_exclusions", "pupils", 100, 0.005),
}


def _measures_of(table: PublishedTable, described: pd.DataFrame | None) -> tuple[str, ...]:
    if described is None or table.described_by != "area_measures":
        return ()
    return tuple(described.loc[described["table"] == table.name, "measure"])


def _statistics_faults(
    table: PublishedTable,
    frame: pd.DataFrame,
    authorities: pd.DataFrame,
    described: pd.DataFrame,
) -> Iterator[str]:
    if table.described_by == "area_measures":
        own = described[described["table"] == table.name].set_index("measure")
        yield from _panel_faults(frame, own, authorities)
    else:
        yield from _series_faults(frame, described.set_index("series"))


def _description_faults(frame: pd.DataFrame) -> Iterator[str]:
    areas = "measure" in frame and "role" in frame
    words = ("label", "unit", "year_means", "use") + (("rounding", "suppression") if areas else ())
    for name in words:
        empty = int((frame[name].str.strip() == "").sum())
        if empty:
            yield f"column {name}: empty in {_rows(empty)}: say it."
    allowed = {"role": ROLES, "rank": RANKS, "table": _PANELS} if areas else {}
    for name, values in allowed.items():
        odd = int((~frame[name].isin(values)).sum())
        if odd:
            yield f"column {name}: none of {', '.join(values)} in {_rows(odd)}: use one."
    numbers = ("first_year", "last_year", *(("authorities", "cells", "low", "high") * areas))
    for name in numbers:
        unread = int(pd.to_numeric(frame[name], errors="coerce").isna().sum())
        if unread:
            yield f"column {name}: not a number in {_rows(unread)}: write digits only."


def _panel_faults(
    frame: pd.DataFrame, measures: pd.DataFrame, authorities: pd.DataFrame
) -> Iterator[str]:
    """Yield the faults of a table with a row an authority (and year) and a column a measure."""
    strange = int((~frame["code"].isin(authorities["code"])).sum())
    if strange:
        yield (
            f"column code: unknown authority in {_rows(strange)}: "
            "use the codes of local_authorities.csv."
        )
    if "year" in frame:
        odd = int((~frame["year"].str.fullmatch(r"20\d\d")).sum())
        if odd:
            yield f"column year: not a year in {_rows(odd)}: write YYYY."
            return
    values = frame[list(measures.index)].apply(pd.to_numeric, errors="coerce")
    for name, measure in measures.iterrows():
        yield from _measure_faults(frame, values[name], measure)
    for rate, (count, whole, per, half) in RATES.items():
        if {rate, count, whole} <= set(values):
            off = per * values[count] / values[whole] - values[rate]
            wrong = int((off.abs() > half + 1e-9).sum())
            if wrong:
                yield f"column {rate}: not {count} over {whole} in {_rows(wrong)}: check all three."


def _measure_faults(frame: pd.DataFrame, value: pd.Series, measure: pd.Series) -> Iterator[str]:
    name = measure.name
    unread = int(((frame[name] != "") & value.isna()).sum())
    if unread:
        yield f"column {name}: not a number in {_rows(unread)}: leave what is suppressed empty."
    outside = int(((value < float(measure["low"])) | (value > float(measure["high"]))).sum())
    if outside:
        yield f"column {name}: beyond {measure['low']} to {measure['high']} in {_rows(outside)}."
    if measure["unit"] in _WHOLE:
        broken = int((value.notna() & (value % 1 != 0)).sum())
        if broken:
            yield f"column {name}: a count in fractions in {_rows(broken)}: use whole numbers."
    seen = frame[value.notna()]
    said = int(measure["authorities"]), int(measure["cells"])
    if (seen["code"].nunique(), len(seen)) != said:
        yield (
            f"column {name}: {len(seen)} values of {seen['code'].nunique()} authorities where "
            f"area_measures.csv says {said[1]} of {said[0]}: a value was lost, added or made 0."
        )
    if "year" in frame and len(seen):
        years = (seen["year"].min(), seen["year"].max())
        if years != (measure["first_year"], measure["last_year"]):
            yield (
                f"column {name}: years {years[0]} to {years[1]} where area_measures.csv says "
                f"{measure['first_year']} to {measure['last_year']}: correct either."
            )


def _series_faults(frame: pd.DataFrame, series: pd.DataFrame) -> Iterator[str]:
    strange = int((~frame["series"].isin(series.index)).sum())
    if strange:
        yield f"column series: not in nation_series.csv in {_rows(strange)}: describe it there."
    silent = sorted(set(series.index) - set(frame["series"]))
    if silent:
        yield f"column series: no value of {', '.join(silent)}: give them, or drop the series."
    value = pd.to_numeric(frame["value"], errors="coerce")
    unread = int((value.isna() | (value < 0)).sum())
    if unread:
        yield f"column value: no number of 0 or more in {_rows(unread)}: leave out what is missing."
    known = frame[frame["series"].isin(series.index)]
    first, last = (known["series"].map(series[name]) for name in ("first_year", "last_year"))
    outside = int(((known["year"] < first) | (known["year"] > last)).sum())
    if outside:
        yield f"column year: beyond the series' years in {_rows(outside)}: correct either."
