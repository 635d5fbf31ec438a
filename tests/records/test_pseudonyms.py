"""Pseudonyms are keyed, stable, checked against a known answer, and leave nothing real behind."""

from __future__ import annotations

import base64
from pathlib import Path

import ibis
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfeval.errors import DataError, ParameterError, TfevalError
from tfeval.records.check import check_records
from tfeval.records.pseudonyms import pseudonym, pseudonymise, read_key
from tfeval.records.store import open_records

KEY = b"a secret that nobody would guess, 2012"


@pytest.fixture
def real(tmp_path: Path) -> Path:
    """Return a tiny extract with real-looking identifiers, as CSV."""
    folder = tmp_path / "real"
    folder.mkdir()
    (folder / "families.csv").write_text(
        "family_id,phase,local_authority,identified_on,attached_on,crime_asb,education,work,"
        "local_discretion,school_attendance,children_need_help,work_finance,domestic_abuse,health,"
        "lead_practitioner_on,plan_agreed_on,closed_on,claimed_on,claim_kind,postcode\n"
        "1001,one,E08000012,2013-01-05,2013-02-01,true,true,true,false,,,,,,,,,,,L1 8JQ\n"
    )
    (folder / "people.csv").write_text(
        "person_id,family_id,date_of_birth,sex,role,surname\n"
        "943 476 5919,1001,1980-05-17,female,parent_or_carer,Other\n"
        "4010232137,1001,2001-11-30,male,child,Other\n"
    )
    (folder / "offences.csv").write_text(
        "offence_id,person_id,offence_on,outcome,outcome_on,custody_days\n"
        "77123,9434765919,2012-03-04,convicted,2012-06-01,0\n"
        "77124,4010232137,2014-03-04,pending,,0\n"
    )
    return folder


def _frame(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_parquet(folder / f"{name}.parquet")


def test_a_real_extract_is_refused_until_it_is_pseudonymised(real: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="refused"):
        open_records(real)
    done = pseudonymise(real, tmp_path / "out", KEY)
    assert check_records(done.folder).clean, check_records(done.folder).text(exact=True)
    assert open_records(done.folder).table("offences").count().execute() == 2
    assert done.rows == {"families": 1, "people": 2, "offences": 2}
    assert done.left_out == ("families.postcode", "people.date_of_birth", "people.surname")


def test_links_hold_and_nothing_real_is_left(real: Path, tmp_path: Path) -> None:
    out = pseudonymise(real, tmp_path / "out", KEY).folder
    people, offences = _frame(out, "people"), _frame(out, "offences")
    assert set(offences["person_id"]) == set(people["person_id"])
    expected = pseudonym("943 476 5919", KEY, "person")
    born = people.set_index("person_id")["birth_month"].astype(str)
    assert born[expected] == "1980-05-01"
    assert born[pseudonym("4010232137", KEY, "person")] == "2001-11-01"
    assert sorted(offences["offence_id"]) == [1, 2]
    everything = b"".join(path.read_bytes() for path in out.iterdir())
    for secret in (b"943 476 5919", b"9434765919", b"4010232137", b"L1 8JQ", b"Other", KEY):
        assert secret not in everything
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_known_answer() -> None:
    # printf 'person:9434765919' | openssl dgst -sha256 -hmac 'a secret that nobody would
    # guess, 2012'
    hexadecimal = "3ce64529afaba44c67e8d4a34314b26ef9e0f527c45fb042ffeb28192732e401"
    found = pseudonym("943 476 5919", KEY, "person")
    assert base64.b32decode(found.upper() + "======").hex() == hexadecimal[:32]


@given(st.text(min_size=1), st.text(min_size=1))
def test_different_identifiers_get_different_pseudonyms(one: str, other: str) -> None:
    same = "".join(one.split()) == "".join(other.split())
    assert (pseudonym(one, KEY, "person") == pseudonym(other, KEY, "person")) == same


def test_key_and_kind_matter() -> None:
    one = pseudonym("1001", KEY, "person")
    assert one == pseudonym("1001", KEY, "person")
    assert one != pseudonym("1001", KEY[::-1], "person")
    assert one != pseudonym("1001", KEY, "family")
    assert len(one) == 26


def test_nothing_is_overwritten_or_half_written(real: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(TfevalError, match="exists already"):
        pseudonymise(real, tmp_path / "out", KEY)
    people = real / "people.csv"
    people.write_text(people.read_text().replace("1980-05-17", "17th of May"))
    with pytest.raises(DataError, match=r"people\.date_of_birth cannot be read"):
        pseudonymise(real, tmp_path / "new", KEY)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "real"]


def test_faults_of_the_source_are_kept_for_the_checks(folder: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for path in folder.glob("*.parquet"):
        (source / path.name).symlink_to(path)
    (source / "offences.parquet").unlink()
    offences = ibis.duckdb.connect().read_parquet(folder / "offences.parquet")
    offences.mutate(custody_days=-1).to_parquet(source / "offences.parquet")
    done = pseudonymise(source, tmp_path / "out", KEY)
    report = check_records(done.folder, only=["offences"])
    assert "negative" in {fault.kind for fault in report.faults}
    assert "not in people" not in {fault.kind for fault in report.faults}


def test_a_key_is_read_from_a_file_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key"
    file.write_bytes(KEY + b"\n")
    assert read_key(file) == KEY
    monkeypatch.setenv("TFEVAL_PSEUDONYM_KEY", KEY.decode())
    assert read_key() == KEY
    monkeypatch.delenv("TFEVAL_PSEUDONYM_KEY")
    for call, says in (
        (read_key, "no key"),
        (lambda: read_key(tmp_path / "none"), "does not exist"),
    ):
        with pytest.raises(ParameterError, match=says):
            call()


@pytest.mark.parametrize(("key", "says"), [(b"short", "5 bytes"), (b"a" * 64, "repeats")])
def test_weak_keys_are_refused(real: Path, tmp_path: Path, key: bytes, says: str) -> None:
    with pytest.raises(ParameterError, match=says):
        pseudonymise(real, tmp_path / "out", key)
    file = tmp_path / "key"
    file.write_bytes(key)
    with pytest.raises(ParameterError, match=says):
        read_key(file)
