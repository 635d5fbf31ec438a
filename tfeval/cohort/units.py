"""The units of a cohort: where they live, who is in them and when their trial begins."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import ibis
from ibis import _

from tfeval.cohort.columns import BASELINE_MONTHS
from tfeval.cohort.entry import as_date, as_long, as_number
from tfeval.programme.phases import Phase
from tfeval.records.store import Records

_ADULT_AGE, _SCHOOL_AGE = 18, 5
_MAY, _SEPTEMBER = 5, 9
#: Stands for an authority that is not known: what it sent is not known either.
_NOWHERE = "not known"
_HOUSEHOLD = (
    ("people", "People in the family."),
    ("children", "Children under 18 on the index date."),
    ("young_children", "Children under 5 on the index date."),
)


def units_of(records: Records, families: ibis.Table) -> ibis.Table:
    """Name the units, and find the authority in which each lived on its index date."""
    arm = ibis.ifelse(families["treated"] == 1, "treated", "comparison")
    units = families.mutate(unit=families["family_id"].concat(":", arm))
    places = records.rows("families").select("family_id", "local_authority", "identified_on")
    first = places.group_by("family_id").aggregate(identified_on=_.identified_on.min())
    home = places.inner_join(first, ["family_id", "identified_on"])
    home = _one_place(home.group_by("family_id"), "first_home")
    units = units.left_join(home, "family_id").drop("family_id_right")
    if "family_moves" not in records.tables:
        return _with_household(records, units.rename(local_authority="first_home"))
    moves = records.rows("family_moves")
    past = units.select("unit", "family_id", "index_on").inner_join(moves, "family_id")
    past = past.filter(past["moved_on"] <= past["index_on"])
    last = past.group_by("unit").aggregate(moved_on=_.moved_on.max())
    day = past.inner_join(last, ["unit", "moved_on"]).group_by("unit")
    now = _one_place(day, "moved_to")
    units = units.left_join(now, "unit").drop("unit_right")
    units = units.mutate(local_authority=ibis.coalesce(_.moved_to, _.first_home))
    return _with_household(records, units)


def _one_place(day: Any, name: str) -> ibis.Table:
    """Return where each was by the rows of one day; of two places it cannot be said which."""
    both = day.aggregate(first=_.local_authority.min(), last=_.local_authority.max())
    place = ibis.ifelse(both["first"] == both["last"], both["first"], _NOWHERE)
    return both.mutate(**{name: place}).drop("first", "last")


def described_columns(level: str) -> tuple[tuple[str, str], ...]:
    """Return the columns about who is in the unit, with what each is."""
    person = (
        ("person_id", "The person."),
        ("role", "Role in the family."),
        ("sex", "Sex."),
        ("age", "Age in whole years on the index date."),
    )
    return (*_HOUSEHOLD, *(person if level == "person" else ()))


def _with_household(records: Records, units: ibis.Table) -> ibis.Table:
    """Add how many people, children and young children the family had on the index date."""
    people = records.rows("people").select("family_id", "birth_month")
    both = units.select("unit", "family_id", "index_on").inner_join(people, "family_id")
    both = both.filter(both["birth_month"] <= both["index_on"])

    def under(years: int) -> ibis.Value:
        return as_number(both["birth_month"] + ibis.interval(years=years) > both["index_on"])

    counts = both.group_by("unit").aggregate(
        people=_.count().cast("int64"),
        children=under(_ADULT_AGE).sum().cast("int64"),
        young_children=under(_SCHOOL_AGE).sum().cast("int64"),
    )
    joined = units.left_join(counts, "unit").drop("unit_right")
    return joined.mutate(**{name: joined[name].fill_null(0) for name, _text in _HOUSEHOLD})


def people_of(records: Records, units: ibis.Table) -> ibis.Table:
    """Return one row for each person born by the index date."""
    people = records.rows("people").select("person_id", "family_id", "birth_month", "sex", "role")
    each = units.inner_join(people, "family_id")
    each = each.filter(each["birth_month"] <= each["index_on"])
    months = (each["index_on"].year() - each["birth_month"].year()) * 12
    months = months + each["index_on"].month() - each["birth_month"].month()
    return each.mutate(
        unit=each["unit"].concat(":", each["person_id"]), age=(months // 12).cast("int64")
    ).drop("birth_month")


#: When a unit's trial begins: on these its arms are compared as on all that lies before.
WHEN = (
    ("days_identified", "Days from identification to the index date.", "days"),
    ("days_into_phase", "Days from the start of the phase to the index date.", "days"),
    ("in_autumn", "Index date in September to December.", "0 or 1"),
    ("in_summer", "Index date in May to August.", "0 or 1"),
)


def with_time(units: ibis.Table, rules: Phase) -> ibis.Table:
    """Add when the index date lies: since identification, in the phase, in the school year."""
    day, month = units["index_on"].epoch_days(), units["index_on"].month()
    return units.mutate(
        days_identified=as_long(day - units["identified_on"].epoch_days()),
        days_into_phase=as_long(day - ibis.literal(rules.start).epoch_days()),
        in_autumn=as_number(month >= _SEPTEMBER),
        in_summer=as_number((month >= _MAY) & (month < _SEPTEMBER)),
    )


def with_windows(units: ibis.Table, horizons: Iterable[int]) -> ibis.Table:
    """Add the edges of the windows as day numbers.

    Parameters
    ----------
    units : ibis.Table
        With `index_on`.
    horizons : iterable of int
        Months after.

    Notes
    -----
    A window before is [index - 12 months, index), or the same before identification; one after is
    [index, index + months): what happens on the index date itself is after it.
    """
    edges = {
        f"day{months}": as_date(units["index_on"] + ibis.interval(months=months)).epoch_days()
        for months in horizons
    }
    year = ibis.interval(months=BASELINE_MONTHS)
    return units.mutate(
        day_before=as_date(units["index_on"] - year).epoch_days(),
        day0=_.index_on.epoch_days(),
        day_before_identified=as_date(units["identified_on"] - year).epoch_days(),
        day_identified=_.identified_on.epoch_days(),
        **edges,
    )
