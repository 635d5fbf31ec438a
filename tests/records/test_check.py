"""Every kind of fault, planted one at a time in clean records, is found where it was planted."""

from __future__ import annotations

import json
import re
from pathlib import Path

import ibis
import pytest

from tfeval.errors import ParameterError
from tfeval.records.check import CheckReport, Fault, check_records
from tfeval.records.schema import TABLES

EVENTS = ("school_terms", "offences", "benefit_spells", "employment_spells",
          "social_care_episodes", "hospital_episodes")  # fmt: skip


def some(table: str, change: str, where: str = "true", rows: int = 3) -> str:
    """Return SQL that changes a few rows."""
    return (
        f"UPDATE {table} SET {change} WHERE rowid IN "
        f"(SELECT rowid FROM {table} WHERE {where} LIMIT {rows})"
    )


def again(table: str, changes: str = "", where: str = "true") -> str:
    """Return SQL that repeats one row, with changes as in `REPLACE`."""
    replaced = f"REPLACE ({changes})" if changes else ""
    return f"INSERT INTO {table} SELECT * {replaced} FROM {table} WHERE {where} LIMIT 1"


ADULT = "(SELECT person_id FROM people WHERE birth_month < DATE '1980-01-01' LIMIT 1)"

#: Table, column, kind of fault, and the SQL that plants it.
PLANTED = [
    # Shape
    ("school_terms", "term_end", "missing column", "ALTER TABLE school_terms DROP term_end"),
    ("people", "birth_month", "wrong type",
     "ALTER TABLE people ALTER birth_month TYPE INTEGER USING 1"),
    ("school_terms", "sessions_possible", "wrong type",
     "ALTER TABLE school_terms ALTER sessions_possible TYPE DOUBLE"),
    ("families", "crime_asb", "wrong type",
     "ALTER TABLE families ALTER crime_asb TYPE INTEGER USING 1"),
    # Values of one column
    ("families", "attached_on", "cannot be read as its type",
     "ALTER TABLE families ALTER attached_on TYPE VARCHAR; "
     + some("families", "attached_on = 'soon'")),
    ("offences", "custody_days", "cannot be read as its type",
     "ALTER TABLE offences ALTER custody_days TYPE VARCHAR; "
     + some("offences", "custody_days = 'many'")),
    ("people", "person_id", "empty", some("people", "person_id = NULL", rows=1)),
    ("people", "family_id", "empty", some("people", "family_id = NULL")),
    ("families", "identified_on", "empty", some("families", "identified_on = NULL")),
    ("people", "family_id", "space around it", some("people", "family_id = family_id || ' '")),
    ("people", "sex", "unknown value", some("people", "sex = 'f'")),
    ("people", "role", "unknown value", some("people", "role = 'uncle'")),
    ("families", "phase", "unknown value", some("families", "phase = 'three'")),
    ("benefit_spells", "benefit", "unknown value", some("benefit_spells", "benefit = 'dole'")),
    ("offences", "outcome", "unknown value", some("offences", "outcome = 'guilty'")),
    ("social_care_episodes", "kind", "unknown value", some("social_care_episodes", "kind = 'x'")),
    ("coverage", "source_table", "unknown value", some("coverage", "source_table = 'taxes'")),
    ("families", "local_authority", "unknown authority",
     some("families", "local_authority = 'W06000015'")),
    ("family_moves", "local_authority", "unknown authority",
     some("family_moves", "local_authority = 'nowhere'")),
    ("school_terms", "sessions_unauthorised", "negative",
     some("school_terms", "sessions_unauthorised = -1")),
    ("school_terms", "fixed_exclusions", "negative", some("school_terms", "fixed_exclusions = -2")),
    ("offences", "custody_days", "negative", some("offences", "custody_days = -30")),
    ("people", "birth_month", "before 1900", some("people", "birth_month = DATE '1899-12-01'")),
    ("people", "birth_month", "over 120 when the programme began",
     some("people", "birth_month = DATE '1891-01-01'")),
    ("people", "birth_month", "not the first day of a month",
     some("people", "birth_month = birth_month + 4")),
    ("offences", "offence_on", "after the records end",
     some("offences", "offence_on = DATE '2031-01-01'")),
    ("hospital_episodes", "arrived_on", "before 1900",
     some("hospital_episodes", "arrived_on = DATE '0213-05-01'")),
    # Columns of one row
    ("families", "attached_on", "before identified_on",
     some("families", "attached_on = identified_on - 1", "attached_on IS NOT NULL")),
    ("families", "closed_on", "before attached_on",
     some("families", "closed_on = attached_on - 1", "attached_on IS NOT NULL")),
    ("families", "lead_practitioner_on", "before attached_on",
     some("families", "lead_practitioner_on = attached_on - 1", "attached_on IS NOT NULL")),
    ("families", "plan_agreed_on", "before attached_on",
     some("families", "plan_agreed_on = attached_on - 1", "attached_on IS NOT NULL")),
    ("families", "claimed_on", "before attached_on",
     some("families", "claimed_on = attached_on - 1", "claimed_on IS NOT NULL")),
    ("families", "attached_on", "outside phase one",
     some("families", "attached_on = DATE '2016-01-01'",
          "phase = 'one' AND attached_on IS NOT NULL")),
    ("families", "identified_on", "outside phase one",
     some("families", "identified_on = DATE '2016-01-01'", "phase = 'one'")),
    ("families", "attached_on", "outside phase two",
     some("families", "attached_on = DATE '2014-01-01'",
          "phase = 'two' AND attached_on IS NOT NULL")),
    ("families", "education", "not said in phase one",
     some("families", "education = NULL", "phase = 'one'")),
    ("families", "health", "not a criterion of phase one",
     some("families", "health = true", "phase = 'one'")),
    ("families", "closed_on", "of a family never attached",
     some("families", "closed_on = DATE '2016-01-01'", "attached_on IS NULL")),
    ("families", "claimed_on", "of a family never attached",
     some("families", "claimed_on = DATE '2015-01-01'", "attached_on IS NULL")),
    ("families", "claim_kind", "a claim without a kind",
     some("families", "claim_kind = NULL", "claimed_on IS NOT NULL")),
    ("families", "claim_kind", "a kind without a claim",
     some("families", "claimed_on = NULL", "claimed_on IS NOT NULL")),
    ("families", "claim_kind", "not a result of its phase",
     some("families", "claim_kind = 'sustained_progress'",
          "phase = 'one' AND claimed_on IS NOT NULL")),
    ("coverage", "covered_to", "before covered_from",
     some("coverage", "covered_to = covered_from - 1")),
    ("school_terms", "term_end", "before term_start",
     some("school_terms", "term_end = term_start - 1")),
    ("school_terms", "term_end", "longer than a term",
     some("school_terms", "term_end = term_start + 365", "term_start < DATE '2012-01-01'")),
    ("school_terms", "sessions_unauthorised", "more sessions missed than possible",
     some("school_terms", "sessions_unauthorised = sessions_possible + 1")),
    ("school_terms", "sessions_possible", "attendance above 100%",
     some("school_terms", "sessions_authorised = -5, sessions_unauthorised = 0")),
    ("school_terms", "sessions_possible", "more than 200",
     some("school_terms", "sessions_possible = 380")),
    ("benefit_spells", "ended_on", "not after started_on",
     some("benefit_spells", "ended_on = started_on")),
    ("employment_spells", "ended_on", "not after started_on",
     some("employment_spells", "ended_on = started_on - 9")),
    ("offences", "outcome_on", "before offence_on",
     some("offences", "outcome_on = offence_on - 1")),
    ("offences", "outcome_on", "a pending offence with a date",
     some("offences", "outcome = 'pending', custody_days = 0", "outcome_on IS NOT NULL")),
    ("offences", "outcome_on", "a proven offence without a date",
     some("offences", "outcome_on = NULL", "outcome = 'convicted'")),
    ("offences", "custody_days", "custody without a conviction",
     some("offences", "custody_days = 60", "outcome = 'cautioned'")),
    ("hospital_episodes", "bed_days", "nights without an admission",
     some("hospital_episodes", "bed_days = 4", "kind = 'ae_attendance'")),
    # Keys
    ("people", "person_id", "duplicate key", again("people")),
    ("families", "family_id, phase", "duplicate key", again("families")),
    ("school_terms", "person_id, term_start", "duplicate key", again("school_terms")),
    ("offences", "offence_id", "duplicate key", again("offences")),
    ("coverage", "local_authority, source_table", "duplicate key", again("coverage")),
    # Links, both ways
    ("people", "family_id", "not in families", some("people", "family_id = 'lost'")),
    ("families", "family_id", "a family without people",
     "DELETE FROM people WHERE family_id = (SELECT min(family_id) FROM people)"),
    ("families", "education", "empty in a row of its phase",
     some("families", "education = NULL", "phase = 'one'")),
    *[(table, "person_id", "not in people", some(table, "person_id = 'lost'")) for table in EVENTS],
    ("asb_incidents", "family_id", "not in families", some("asb_incidents", "family_id = 'lost'")),
    ("family_moves", "family_id", "not in families", some("family_moves", "family_id = 'lost'")),
    ("domestic_abuse_incidents", "person_id", "not in people",
     some("domestic_abuse_incidents", "person_id = 'lost'")),
    ("asb_incidents", "person_id", "a person of another family",
     some("asb_incidents", "family_id = (SELECT max(family_id) FROM families)",
          "person_id IS NOT NULL AND family_id <> (SELECT max(family_id) FROM families)")),
    ("school_terms", "person_id", "records of a person said not to be found (linked_school)",
     "UPDATE people SET linked_school = false WHERE person_id = "
     "(SELECT min(person_id) FROM school_terms)"),
    ("employment_spells", "person_id",
     "records of a person said not to be found (linked_benefits)",
     "UPDATE people SET linked_benefits = false WHERE person_id = "
     "(SELECT min(person_id) FROM employment_spells)"),
    # Overlaps
    ("benefit_spells", "started_on", "overlaps an earlier one",
     again("benefit_spells", "started_on + 1 AS started_on", "ended_on > started_on + 5")),
    ("employment_spells", "started_on", "overlaps an earlier one",
     again("employment_spells", "started_on + 1 AS started_on", "ended_on IS NULL")),
    ("social_care_episodes", "started_on", "overlaps an earlier one",
     again("social_care_episodes", "started_on + 1 AS started_on", "ended_on > started_on + 5")),
    ("school_terms", "term_start", "overlaps an earlier one",
     again("school_terms", "term_end AS term_start, term_end + 20 AS term_end")),
    # Ages
    ("hospital_episodes", "arrived_on", "before the person was born",
     some("hospital_episodes", "arrived_on = DATE '1905-01-01'")),
    ("social_care_episodes", "started_on", "before the person was born",
     some("social_care_episodes", "started_on = DATE '1950-01-01'")),
    ("school_terms", "term_start", "younger than 4",
     "UPDATE people SET birth_month = DATE '2011-02-01' WHERE person_id = "
     "(SELECT person_id FROM school_terms WHERE term_start BETWEEN DATE '2011-03-01' "
     "AND DATE '2014-12-31' LIMIT 1)"),
    ("school_terms", "term_start", "an adult in the school table",
     some("school_terms",
          f"person_id = {ADULT}")),
    ("social_care_episodes", "started_on", "18 or older",
     some("social_care_episodes",
          f"person_id = {ADULT}")),
    ("offences", "offence_on", "younger than 10",
     some("offences",
          "person_id = (SELECT person_id FROM people WHERE birth_month BETWEEN DATE '2008-01-01' "
          "AND DATE '2009-12-31' LIMIT 1), offence_on = DATE '2013-01-01'")),
    ("benefit_spells", "started_on", "younger than 16",
     some("benefit_spells",
          "person_id = (SELECT person_id FROM people WHERE birth_month BETWEEN DATE '2005-01-01' "
          "AND DATE '2009-12-31' LIMIT 1), started_on = DATE '2013-01-01'")),
    # Coverage and moves
    ("asb_incidents", "incident_on", "after all coverage of the table",
     "DELETE FROM coverage WHERE source_table = 'asb_incidents'"),
    ("family_moves", "local_authority", "a move to the authority the family was in",
     again("family_moves", "moved_on + 1 AS moved_on")),
    # Real identifiers
    ("people", "person_id", "looks like a NHS number", some("people", "person_id = '9434765919'")),
    ("people", "person_id", "looks like a UPN", some("people", "person_id = 'H801200001001'")),
    ("people", "person_id", "looks like a National Insurance number",
     some("people", "person_id = 'QQ 12 34 56 C'".replace("QQ", "JG"))),
    ("people", "person_id", "looks like a name", some("people", "person_id = 'Ann Other'")),
    ("families", "family_id", "looks like a full postcode",
     some("families", "family_id = 'L1 8JQ'")),
    ("families", "family_id", "looks like a email address",
     some("families", "family_id = 'someone@example.org'")),
    ("people", "note", "looks like a full postcode",
     "ALTER TABLE people ADD note VARCHAR; " + some("people", "note = 'PR8 1DA'")),
    ("people", "household", "looks like a NHS number",
     "ALTER TABLE people ADD household BIGINT; " + some("people", "household = 9434765919")),
    ("people", "surname", "an identifying column", "ALTER TABLE people ADD surname VARCHAR"),
    ("people", "nhs_number", "an identifying column", "ALTER TABLE people ADD nhs_number VARCHAR"),
    ("people", "date_of_birth", "an identifying column",
     "ALTER TABLE people ADD date_of_birth DATE"),
]  # fmt: skip


def _names(report: CheckReport) -> set[tuple[str, str, str]]:
    return {(one.table, one.column, one.kind) for one in report.faults}


def test_a_clean_extract_has_no_fault(folder: Path) -> None:
    report = check_records(folder)
    assert report.clean, report.text(exact=True)
    assert report.simulated
    assert set(report.rows) == set(TABLES)
    assert "No fault found" in str(report)


def test_there_are_at_least_forty_kinds_planted() -> None:
    assert len({(kind, table, column) for table, column, kind, _ in PLANTED}) == len(PLANTED)
    assert len({kind for *_, kind, _ in PLANTED}) >= 40


@pytest.mark.parametrize(
    "planted", PLANTED, ids=[f"{table}.{column}: {kind}" for table, column, kind, _ in PLANTED]
)
def test_a_planted_fault_is_found(database, planted: tuple[str, str, str, str]) -> None:
    table, column, kind, sql = planted
    report = check_records(database(sql), only=[table])
    assert (table, column, kind) in _names(report)


def test_missing_and_unknown_tables_are_told(tmp_path: Path, folder: Path) -> None:
    extract = tmp_path / "extract"
    extract.mkdir()
    for path in folder.glob("*.parquet"):
        if path.stem not in ("families", "offences"):
            (extract / path.name).symlink_to(path)
    (extract / "offense.parquet").symlink_to(folder / "offences.parquet")
    report = check_records(extract)
    assert ("families", "", "missing table") in _names(report)
    assert ("offense", "", "unknown table") in _names(report)
    assert "Did you mean offences?" in report.text()
    assert report.narrowed["offences"] == "offending and custody"


def test_all_faults_are_reported_at_once_and_no_value_of_a_row(database) -> None:
    plant = [
        some("people", "sex = 'secret-sex'"),
        some("families", "local_authority = 'secret-place'"),
        some("offences", "person_id = 'secret-person'", rows=12),
        some("school_terms", "sessions_unauthorised = 987654"),
    ]
    report = check_records(database(*plant))
    found = {(one.table, one.column, one.kind): one.rows for one in report.faults}
    assert found["people", "sex", "unknown value"] == 3
    assert found["families", "local_authority", "unknown authority"] == 3
    assert found["offences", "person_id", "not in people"] == 12
    assert found["school_terms", "sessions_unauthorised", "more sessions missed than possible"] == 3
    for text in (report.text(), report.text(exact=True), report.to_frame().to_string()):
        assert "secret" not in text
        assert "987654" not in text


def test_small_counts_are_exact_only_where_asked_for() -> None:
    report = CheckReport(
        "x", False, (Fault("people", "sex", "unknown value", 3),), {"people": 14}, {}
    )
    assert "fewer than 10" in str(report)
    assert "14" not in str(report)
    assert ", 3 rows" in report.text(exact=True)
    assert report.to_frame()["rows"].tolist() == ["fewer than 10"]
    assert report.to_frame(exact=True)["rows"].tolist() == ["3"]


def test_an_optional_column_narrows_and_is_no_fault(database) -> None:
    report = check_records(database("ALTER TABLE school_terms DROP special_needs"))
    assert report.clean
    assert "school_terms.special_needs" in report.narrowed


def test_csv_faults_are_counted_not_crashes(tmp_path: Path, folder: Path) -> None:
    extract = tmp_path / "csv"
    extract.mkdir()
    connection = ibis.duckdb.connect()
    for path in folder.glob("*.parquet"):
        connection.read_parquet(path).to_csv(extract / f"{path.stem}.csv")
    (extract / "about.json").write_text(json.dumps({"records_to": "2019-12-31"}))
    assert check_records(extract).clean
    offences = extract / "offences.csv"
    lines = offences.read_text().splitlines()
    lines[1] = re.sub(r"\d{4}-\d\d-\d\d", "yesterday", lines[1], count=1)
    offences.write_text("\n".join(lines) + "\n")
    assert _names(check_records(extract, only=["offences"])) == {
        ("offences", "offence_on", "cannot be read as its type"),
    }


def test_an_unknown_table_to_check_is_refused(small) -> None:
    with pytest.raises(ParameterError, match="Did you mean people"):
        check_records(small.records, only=["peeple"])
