"""What must hold within a row: of every column by its kind, and of the columns of each table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from functools import partial

import ibis

from tfeval.programme.authority_codes import across, parts_of
from tfeval.programme.outcomes import PROVEN_OUTCOMES
from tfeval.programme.programmes import programmes
from tfeval.records.schema import ALL_CRITERIA, EARLIEST, Column, Table, authority_codes

#: A fault of a row: its column, its kind, and the expression that is true of a row at fault.
Rule = tuple[str, str, ibis.Value]
_LONGEST_TERM = 150
#: Codes of later years whose area is not one of an authority of 2012-15.
PART_OF_ONE = "part of an authority of 2012-15"
OVER_SEVERAL = "over several authorities of 2012-15"


def row_rules(
    definition: Table, raw: ibis.Table, typed: Callable[[str], ibis.Value], ends_on: date
) -> Iterator[Rule]:
    """Return the rules of a table's rows.

    Parameters
    ----------
    definition : Table
        The table.
    raw : ibis.Table
        It as it came.
    typed : function
        Gives a column with its type; null where it could not be read as that.
    ends_on : date
        The last day of the records.
    """
    for name, column in definition.columns.items():
        if name in raw.columns:
            yield from _column_rules(name, column, raw=raw, typed=typed, ends_on=ends_on)
    present = set(raw.columns)
    for first, second in definition.order:
        if {first, second} <= present:
            spell = definition.ends_on == second and not definition.closed
            early = typed(second) <= typed(first) if spell else typed(second) < typed(first)
            yield second, f"before {first}" if not spell else f"not after {first}", early
    for needs, rule in _TABLE_RULES.get(definition.name, ()):
        if needs <= present:
            yield from rule(typed)


def _column_rules(
    name: str,
    column: Column,
    *,
    raw: ibis.Table,
    typed: Callable[[str], ibis.Value],
    ends_on: date,
) -> Iterator[Rule]:
    kind, value, came = column.kind, typed(name), raw[name]
    blank = came.isnull()
    if came.type().is_string():
        blank = blank | (came.strip() == "")
        if kind in ("identifier", "category", "authority"):
            yield name, "space around it", (came != came.strip()) & ~blank
    if not column.nullable:
        yield name, "empty", blank
    if not came.type().is_string() or kind not in ("identifier", "category", "authority"):
        yield name, "cannot be read as its type", value.isnull() & ~blank
    if kind == "category":
        yield name, "unknown value", ~blank & value.notin(list(column.allowed))
    elif kind == "authority":
        later = (*parts_of(), *across())
        yield name, "unknown authority", ~blank & value.notin([*authority_codes(), *later])
        yield name, PART_OF_ONE, value.isin(list(parts_of()))
        yield name, OVER_SEVERAL, value.isin(list(across()))
    elif column.most is not None:
        yield name, "negative", value < 0
        yield name, f"more than {column.most:,}", value > column.most
    elif kind in ("date", "month"):
        earliest = ibis.date(EARLIEST.date().isoformat())
        yield name, "before 1900", value < earliest
        yield name, "1 January 1900, which programs write for no date", value == earliest
        yield name, "after the records end", value > ibis.date(ends_on.isoformat())
    if kind == "month":
        yield name, "not the first day of a month", value.day() != 1


def _sessions(typed: Callable[[str], ibis.Value]) -> Iterator[Rule]:
    possible = typed("sessions_possible")
    missed = typed("sessions_authorised") + typed("sessions_unauthorised")
    # The same as attendance below 0%; attendance above 100% is a negative absence.
    yield "sessions_unauthorised", "more sessions missed than possible", missed > possible
    attended = possible - missed
    yield "sessions_possible", "attendance above 100%", (attended > possible) & (possible >= 0)


def _long_terms(typed: Callable[[str], ibis.Value]) -> Iterator[Rule]:
    last = typed("term_start") + ibis.interval(days=_LONGEST_TERM)
    yield "term_end", "longer than a term", typed("term_end") > last


def _offences(typed: Callable[[str], ibis.Value]) -> Iterator[Rule]:
    outcome, ended = typed("outcome"), typed("outcome_on")
    proven = outcome.isin(list(PROVEN_OUTCOMES))
    yield (
        "custody_days",
        "custody without a conviction",
        (typed("custody_days") > 0) & (outcome != "convicted"),
    )
    yield "outcome_on", "a pending offence with a date", (outcome == "pending") & ended.notnull()
    yield "outcome_on", "a proven offence without a date", proven & ended.isnull()


def _phases(typed: Callable[[str], ibis.Value]) -> Iterator[Rule]:
    for name, rules in programmes().items():
        mine = typed("phase") == name
        for column in ("identified_on", "attached_on"):
            day = typed(column)
            # A family may be identified before its phase begins, but not attached.
            early = day < ibis.date(rules.start.isoformat())
            late = day > ibis.date(rules.end.isoformat())
            outside = late if column == "identified_on" else early | late
            yield column, f"outside {rules.words}", mine & outside


def _criterion(column: str, typed: Callable[[str], ibis.Value]) -> Iterator[Rule]:
    for name, rules in programmes().items():
        mine = typed("phase") == name
        if column in rules.nominated:
            yield column, f"not said in {rules.words}", mine & typed(column).isnull()
        else:
            yield column, f"not a criterion of {rules.words}", mine & typed(column).notnull()


def _attachment(typed: Callable[[str], ibis.Value]) -> Iterator[Rule]:
    never = typed("attached_on").isnull()
    for column in ("lead_practitioner_on", "plan_agreed_on", "closed_on", "claimed_on"):
        yield column, "of a family never attached", never & typed(column).notnull()


def _claims(typed: Callable[[str], ibis.Value]) -> Iterator[Rule]:
    kind, on = typed("claim_kind"), typed("claimed_on")
    yield "claim_kind", "a claim without a kind", on.notnull() & kind.isnull()
    yield "claim_kind", "a kind without a claim", on.isnull() & kind.notnull()
    wrong = ibis.literal(False)
    for name, rules in programmes().items():
        wrong = wrong | ((typed("phase") == name) & kind.notin(list(rules.result.claims)))
    yield "claim_kind", "not a result of its phase", wrong


def _ages(typed: Callable[[str], ibis.Value]) -> Iterator[Rule]:
    oldest = typed("birth_month") + ibis.interval(years=120)
    born_late = oldest < ibis.date("2012-04-01")
    yield "birth_month", "over 120 when the programme began", born_late


def _beds(typed: Callable[[str], ibis.Value]) -> Iterator[Rule]:
    only = (typed("kind") != "emergency_admission") & (typed("bed_days") > 0)
    yield "bed_days", "nights without an admission", only


_TableRule = tuple[set[str], Callable[[Callable[[str], ibis.Value]], Iterator[Rule]]]
_TABLE_RULES: dict[str, tuple[_TableRule, ...]] = {
    "school_terms": (
        ({"sessions_possible", "sessions_authorised", "sessions_unauthorised"}, _sessions),
        ({"term_start", "term_end"}, _long_terms),
    ),
    "offences": (({"outcome", "outcome_on", "custody_days"}, _offences),),
    "families": (
        ({"phase", "identified_on", "attached_on"}, _phases),
        *(({"phase", column}, partial(_criterion, column)) for column in ALL_CRITERIA),
        ({"attached_on", "lead_practitioner_on", "plan_agreed_on", "closed_on", "claimed_on"},
         _attachment),
        ({"phase", "claimed_on", "claim_kind"}, _claims),
    ),
    "people": (({"birth_month"}, _ages),),
    "hospital_episodes": (({"kind", "bed_days"}, _beds),),
}  # fmt: skip
