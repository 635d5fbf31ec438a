"""What codes that changed do to families, moves and coverage of a prepared extract."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any

from tfeval.programme.authority_codes import across, parts_of, renamed_codes

_DAY = timedelta(days=1)
#: First and last day.
Window = tuple[date, date]


def families_across(connection: Any, places: Mapping[str, str]) -> int:
    """Count the families with a code that is part of an authority of 2012-15 or over several.

    Parameters
    ----------
    connection : ibis backend
        DuckDB.
    places : mapping of str to str
        Where each table lies.
    """
    return _count(connection, _families(connection, places, (*across(), *parts_of())))


def _families(connection: Any, places: Mapping[str, str], codes: Iterable[str]) -> str:
    """Return the question for the families that have one of some codes, at home or moving."""
    listed = ", ".join(f"'{code}'" for code in codes)
    questions = [
        f'SELECT family_id FROM "{places[name]}" WHERE local_authority IN ({listed})'
        for name in ("families", "family_moves")
        if {"family_id", "local_authority"} <= _columns(connection, places.get(name))
    ]
    return " UNION ".join(questions) or "SELECT NULL AS family_id WHERE false"


def _columns(connection: Any, table: str | None) -> set[str]:
    return set(connection.table(table).columns) if table else set()


def _count(connection: Any, question: str) -> int:
    return int(connection.raw_sql(f"SELECT count(*) FROM ({question})").fetchone()[0])


def leave_out_families(connection: Any, places: Mapping[str, str]) -> dict[str, int]:
    """Remove the families whose code lies over several authorities, and all that is theirs.

    Returns
    -------
    dict of str to int
        Rows removed from each table, where there were any.
    """
    lost = _families(connection, places, across())
    connection.raw_sql(f"CREATE TEMP TABLE families_left_out AS {lost}")
    connection.raw_sql("CREATE TEMP TABLE people_left_out (person_id VARCHAR)")
    if {"person_id", "family_id"} <= _columns(connection, places.get("people")):
        connection.raw_sql(
            f'INSERT INTO people_left_out SELECT person_id FROM "{places["people"]}" '
            "WHERE family_id IN (FROM families_left_out)"
        )
    codes = ", ".join(f"'{code}'" for code in across())
    removed = {}
    for name, table in places.items():
        columns = _columns(connection, table)
        kinds = (("family_id", "families"), ("person_id", "people"))
        tests = [
            f"{column} IN (FROM {kind}_left_out)" for column, kind in kinds if column in columns
        ]
        if name == "coverage" and "local_authority" in columns:
            tests.append(f"local_authority IN ({codes})")
        where = " OR ".join(tests) or "false"
        if rows := _count(connection, f'FROM "{table}" WHERE {where}'):
            connection.raw_sql(f'DELETE FROM "{table}" WHERE {where}')
            removed[name] = rows
    return removed


def leave_out_moves(connection: Any, places: Mapping[str, str]) -> int:
    """Remove moves to the authority a family was in, where only the code changed; count them."""
    needed = {"family_id", "local_authority"}
    moves, families = places.get("family_moves"), places.get("families")
    if not needed | {"moved_on"} <= _columns(connection, moves):
        return 0
    homes = ""
    if needed <= _columns(connection, families):
        homes = (
            "UNION ALL SELECT family_id, DATE '0001-01-01', min(local_authority), NULL "
            f'FROM "{families}" GROUP BY family_id HAVING count(DISTINCT local_authority) = 1'
        )
    came = "came_family_moves"
    codes = ", ".join(f"'{code}'" for code in (*renamed_codes(), *parts_of()))
    # The rows as they came lie beside: only a code that was read as another can make such a move.
    question = f'SELECT count(*) FROM "{came}" WHERE upper(trim(local_authority)) IN ({codes})'
    if not connection.raw_sql(question).fetchone()[0]:
        return 0
    same = (
        f"SELECT id FROM (SELECT id, local_authority, lag(local_authority) OVER (PARTITION BY "
        "family_id ORDER BY moved_on) AS before FROM (SELECT family_id, "
        "TRY_CAST(moved_on AS DATE) AS moved_on, local_authority, rowid AS id "
        f'FROM "{moves}" {homes})) WHERE local_authority = before AND id IS NOT NULL'
    )
    rows = _count(connection, same)
    if rows:
        connection.raw_sql(f'DELETE FROM "{moves}" WHERE rowid IN ({same})')
    return rows


def join_windows(connection: Any, places: Mapping[str, str]) -> int:
    """Make one window of an authority's that touch; return how many rows there are fewer."""
    table = places.get("coverage")
    if not {"local_authority", "source_table", "covered_from", "covered_to"} <= _columns(
        connection, table
    ):
        return 0
    rows = connection.raw_sql(
        "SELECT local_authority, source_table, TRY_CAST(covered_from AS DATE), "
        f'TRY_CAST(covered_to AS DATE) FROM "{table}"'
    ).fetchall()
    if any(None in row for row in rows):
        return 0  # what could not be read is for the check to find first
    joined = windows_of_2012(rows)
    fewer = len(rows) - sum(map(len, joined.values()))
    if fewer or any(row[0] in parts_of() for row in rows):
        connection.raw_sql(f'DELETE FROM "{table}"')
        for (code, source), windows in joined.items():
            for begins, ends in windows:
                connection.raw_sql(
                    f'INSERT INTO "{table}" (local_authority, source_table, covered_from, '
                    f"covered_to) VALUES ('{code}', '{source}', '{begins}', '{ends}')"
                )
    return fewer


def windows_of_2012(
    rows: Iterable[tuple[str, str, date, date]],
) -> dict[tuple[str, str], list[Window]]:
    """Return which days each authority of 2012-15 sent of each table.

    Parameters
    ----------
    rows : iterable of (str, str, date, date)
        Code, table, first and last day. The days of an authority in parts are those on which
        every part sent.

    Examples
    --------
    >>> one, other = date(2021, 4, 1), date(2022, 3, 31)
    >>> windows_of_2012([("E06000061", "offences", one, other)])
    {}
    >>> windows_of_2012([(code, "offences", one, other) for code in ("E06000061", "E06000062")])
    {('E10000021', 'offences'): [(datetime.date(2021, 4, 1), datetime.date(2022, 3, 31))]}
    """
    windows_by: dict[tuple[str, str], list[Window]] = defaultdict(list)
    by_part: dict[tuple[str, str], dict[str, list[Window]]] = defaultdict(lambda: defaultdict(list))
    for code, source, begins, ends in rows:
        if whole := parts_of().get(code):
            by_part[whole, source][code].append((begins, ends))
        else:
            windows_by[code, source].append((begins, ends))
    for (whole, source), sent in by_part.items():
        needed = [code for code, one in parts_of().items() if one == whole]
        common = touching(sent[needed[0]])
        for code in needed[1:]:
            common = [(max(a, c), min(b, d)) for a, b in common for c, d in touching(sent[code])
                      if max(a, c) <= min(b, d)]  # fmt: skip
        windows_by[whole, source] += common
    return {key: touching(windows) for key, windows in windows_by.items() if windows}


def touching(windows: Iterable[Window]) -> list[Window]:
    """Return windows with those made one that overlap or follow each other without a day between.

    Examples
    --------
    >>> first = date(2012, 4, 1), date(2013, 3, 31)
    >>> touching([(date(2013, 4, 1), date(2015, 3, 31)), first])
    [(datetime.date(2012, 4, 1), datetime.date(2015, 3, 31))]
    """
    joined: list[Window] = []
    for begins, ends in sorted(windows):
        if joined and begins <= joined[-1][1] + _DAY:
            joined[-1] = joined[-1][0], max(joined[-1][1], ends)
        else:
            joined.append((begins, ends))
    return joined
