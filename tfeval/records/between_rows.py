"""What must hold between the rows of an extract, as counts of the rows of one table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import ibis

from tfeval.programme.programmes import programmes
from tfeval.records.schema import TABLES, Table

#: A fault between rows: its column, its kind, and the expression that counts the rows.
Count = tuple[str, str, ibis.Value]
_FOREVER = "9999-12-31"


def relations(name: str, tables: Mapping[str, ibis.Table]) -> Iterator[Count]:
    """Return the counts of faults between a table's rows and the rest of the extract.

    Parameters
    ----------
    name : str
        The table.
    tables : mapping of str to ibis.Table
        Every table of the extract, typed.
    """
    definition, table = TABLES[name], tables[name]
    present = set(table.columns)
    if set(definition.key) <= present:
        yield ", ".join(definition.key), "duplicate key", _duplicates(table, definition.key)
    for column, target in definition.links.items():
        other, key = target.split(".")
        if column in present and other in tables and key in tables[other].columns:
            yield column, f"not in {other}", _orphans(table, column, tables[other], key)
    spell = {definition.event_on, definition.ends_on, *definition.no_overlap}
    if definition.no_overlap and spell <= present:
        yield _begins(definition), "overlaps an earlier one", _overlaps(definition, table)
    if name == "families":
        yield from _families(tables)
    if definition.event_on in present:
        yield from _ages(definition, tables)
        yield from _covered(definition, tables)
        yield from _same_family(table, tables)
        yield from _unlinked(name, table, tables)
    if name == "family_moves":
        yield from _moves(tables)


def _begins(definition: Table) -> str:
    return str(definition.event_on)


def _duplicates(table: ibis.Table, key: tuple[str, ...]) -> ibis.Value:
    """Count the rows beyond the first of each key."""
    whole = table.filter([table[column].notnull() for column in key])
    counted = whole.group_by(list(key)).aggregate(times=whole.count())
    return (counted.times - 1).sum()


def _orphans(table: ibis.Table, column: str, other: ibis.Table, key: str) -> ibis.Value:
    known = other.select(found=other[key]).distinct()
    ours = table.filter(table[column].notnull()).select(sought=table[column])
    return ours.anti_join(known, ours.sought == known.found).count()


def _overlaps(definition: Table, table: ibis.Table) -> ibis.Value:
    begins, ends = str(definition.event_on), str(definition.ends_on)
    until = ibis.coalesce(table[ends], ibis.date(_FOREVER))
    spells = table.filter(table[begins].notnull()).select(
        *definition.no_overlap, begins=table[begins], until=until
    )
    before = ibis.window(
        group_by=list(definition.no_overlap),
        order_by=[spells.begins, spells.until],
        rows=(None, -1),
    )
    marked = spells.mutate(reach=spells.until.max().over(before))
    touch = marked.begins <= marked.reach if definition.closed else marked.begins < marked.reach
    return touch.sum()


def _families(tables: Mapping[str, ibis.Table]) -> Iterator[Count]:
    families, people = tables["families"], tables.get("people")
    if people is not None and {"family_id"} <= set(people.columns) & set(families.columns):
        yield (
            "family_id",
            "a family without people",
            _orphans(families, "family_id", people, "family_id"),
        )
    for name in sorted({name for one in programmes().values() for name in one.nominated}):
        # Where a column is of all phases, that it may not be empty is a fault of its own.
        if {name, "phase"} <= set(families.columns) and TABLES["families"].columns[name].nullable:
            own = [key for key, one in programmes().items() if name in one.nominated]
            empty = families["phase"].isin(own) & families[name].isnull()
            yield name, "empty in a row of its phase", families.filter(empty).count()


def _ages(definition: Table, tables: Mapping[str, ibis.Table]) -> Iterator[Count]:
    people, table = tables.get("people"), tables[definition.name]
    if people is None or not {"person_id", "birth_month"} <= set(people.columns):
        return
    if "person_id" not in table.columns:
        return
    births = people.select(person=people.person_id, born=people.birth_month)
    events = table.select(person_id=table.person_id, on=table[definition.event_on])
    on, born = events.on, births.born

    def where(*also: ibis.BooleanValue) -> ibis.Value:
        # A row counts once, however often its person is listed.
        return events.semi_join(births, [events.person_id == births.person, *also]).count()

    column = _begins(definition)
    yield column, "before the person was born", where(on < born)
    if definition.ages is None:
        return
    youngest, too_old = definition.ages
    if youngest:
        young = where(on >= born, on < born + ibis.interval(years=youngest))
        yield column, f"younger than {youngest}", young
    old = where(on >= born + ibis.interval(years=too_old))
    kind = "an adult in the school table" if definition.name == "school_terms" else (
        f"{too_old} or older"
    )  # fmt: skip
    yield column, kind, old


def _covered(definition: Table, tables: Mapping[str, ibis.Table]) -> Iterator[Count]:
    """Count events after the last day that any authority is said to have sent of the table.

    Only a table that nobody is said to have sent, or one wholly past its coverage, is surely at
    fault: a family's authority on a day is for the cohort to work out.
    """
    window, table = tables.get("coverage"), tables[definition.name]
    needed = {"source_table", "covered_from", "covered_to"}
    if window is None or not needed <= set(window.columns):
        return
    mine = window.filter(window.source_table == definition.name)
    last = mine.aggregate(last=mine.covered_to.max())
    events = table.select(on=table[definition.event_on])
    late = events.cross_join(last)
    yield (
        _begins(definition),
        "after all coverage of the table",
        (late.last.isnull() | (late.on > late.last)).sum(),
    )


def _same_family(table: ibis.Table, tables: Mapping[str, ibis.Table]) -> Iterator[Count]:
    people = tables.get("people")
    if people is None or not {"person_id", "family_id"} <= set(table.columns) & set(people.columns):
        return
    homes = people.select(person=people.person_id, home=people.family_id)
    homes = homes.filter(homes.home.notnull())
    events = table.select(person_id=table.person_id, family_id=table.family_id)
    events = events.filter(events.family_id.notnull())
    known = events.semi_join(homes, events.person_id == homes.person)
    own = homes.view()  # the same rows asked again need a name of their own
    at_home = [known.person_id == own.person, known.family_id == own.home]
    yield "person_id", "a person of another family", known.anti_join(own, at_home).count()


def _unlinked(name: str, table: ibis.Table, tables: Mapping[str, ibis.Table]) -> Iterator[Count]:
    flag, people = TABLES[name].linked, tables.get("people")
    if not flag or people is None or flag not in people.columns:
        return
    if "person_id" not in set(table.columns) & set(people.columns):
        return
    absent = people.filter(~people[flag]).select(person=people.person_id)
    rows = table.select(person_id=table.person_id)
    matches = rows.semi_join(absent, rows.person_id == absent.person).count()
    yield "person_id", f"records of a person said not to be found ({flag})", matches


def _moves(tables: Mapping[str, ibis.Table]) -> Iterator[Count]:
    moves, families = tables["family_moves"], tables.get("families")
    needed = {"family_id", "local_authority"}
    if families is None or not needed <= set(families.columns) & set(moves.columns):
        return
    if "moved_on" not in moves.columns:
        return
    home = ibis.window(group_by="family_id", order_by=moves.moved_on)
    again = moves.mutate(before=moves.local_authority.lag().over(home))
    yield (
        "local_authority",
        "a move to the authority the family was in",
        (again.local_authority == again.before).sum(),
    )
