"""Pseudonyms are keyed, stable, checked against a known answer, and leave nothing real behind."""

from __future__ import annotations

import base64
import os
import random
import shutil
import stat
from pathlib import Path

import pandas as pd
import pytest

from tfeval.cohort.cohort import cohort
from tfeval.errors import DataError, ParameterError, TfevalError
from tfeval.records import allow_list
from tfeval.records.check import check_records
from tfeval.records.identities import pseudonym
from tfeval.records.pseudonyms import _judge, new_key, pseudonymise, read_key
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
    says = r"people\.date_of_birth \(fewer than 10 rows; like a full date of birth\)"
    people.write_text(people.read_text().replace("17th of May", "17th of May 1980"))
    with pytest.raises(DataError, match=says):
        pseudonymise(real, tmp_path / "new", KEY)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "real"]


@pytest.fixture
def changed(folder: Path, tmp_path: Path):
    """Return a function that copies the small extract with one table changed."""

    def change(name: str, **columns: object) -> Path:
        source = tmp_path / "source"
        source.mkdir()
        for path in folder.iterdir():
            if path.stem != name:
                (source / path.name).symlink_to(path)
        table = pd.read_parquet(folder / f"{name}.parquet")
        table.assign(**columns).to_parquet(source / f"{name}.parquet")
        return source

    return change


@pytest.mark.parametrize("file", ["people.zip", "people.xlsx", "people.csv/part.xlsx"])
def test_a_table_in_a_file_that_is_not_read_does_not_vanish(real, tmp_path, file) -> None:
    place = tmp_path / "unread"
    shutil.copytree(real, place)
    for known in place.glob("people.*"):
        known.unlink()
    (place / file).parent.mkdir(exist_ok=True)
    (place / file).write_bytes(b"PK")
    with pytest.raises(DataError, match=r"people\.\w+.* is not read"):
        pseudonymise(place, tmp_path / "out", KEY)
    assert not (tmp_path / "out").exists()


def test_faults_between_rows_are_kept_for_the_checks(changed, tmp_path: Path) -> None:
    done = pseudonymise(changed("offences", person_id="nobody1"), tmp_path / "out", KEY)
    report = check_records(done.folder, only=["offences"])
    assert "not in people" in {fault.kind for fault in report.faults}


def test_what_the_schema_does_not_allow_is_refused_or_set_missing(changed, tmp_path: Path) -> None:
    source = changed("offences", custody_days=-1, outcome="guilty, says Mrs Other")
    says = (
        r"offences\.outcome \([0-9,]+ rows; like a name\), offences\.custody_days \([0-9,]+ rows\)"
    )
    with pytest.raises(DataError, match=says) as refused:
        pseudonymise(source, tmp_path / "out", KEY)
    assert "guilty" not in str(refused.value)
    assert not (tmp_path / "out").exists()
    done = pseudonymise(source, tmp_path / "out", KEY, set_missing=True)
    rows = done.rows["offences"]
    assert done.set_missing == {"offences.outcome": rows, "offences.custody_days": rows}
    assert _frame(done.folder, "offences")[["outcome", "custody_days"]].isna().all(axis=None)
    assert "empty" in {fault.kind for fault in check_records(done.folder).faults}


def test_an_empty_value_that_says_never_is_no_way_out(changed, tmp_path: Path) -> None:
    """Were a day of attachment that cannot be read set missing, the family would be untreated."""
    for value in ("05/01/2013", "not known", "*", "2013-13-01", "2013-01-05 Mrs Other"):
        source = changed("families", attached_on=value)
        with pytest.raises(DataError, match="never happened") as refused:
            pseudonymise(source, tmp_path / "out", KEY, set_missing=True)
        assert value not in str(refused.value)
        for path in source.iterdir():
            path.unlink()
        source.rmdir()
    none = changed("families", attached_on="N/A", closed_on="-", claimed_on=None, claim_kind="NULL",
                   lead_practitioner_on="", plan_agreed_on=" ")  # fmt: skip
    done = pseudonymise(none, tmp_path / "out", KEY)
    every = done.rows["families"]
    assert done.words == {
        f"families.{c}": every for c in ("attached_on", "claim_kind", "closed_on")
    }
    assert _frame(done.folder, "families")["attached_on"].isna().all()


def test_words_for_none_are_not_one_person(folder: Path, changed, tmp_path: Path) -> None:
    asb = pd.read_parquet(folder / "asb_incidents.parquet")
    words = ["NULL", "N/A", "none", "-", "", "n/a ", "#N/A", "<NA>", "unknown", "\u00a0", "\\N"]
    ids = [words[place % len(words)] for place in range(len(asb))]
    done = pseudonymise(changed("asb_incidents", person_id=ids), tmp_path / "out", KEY)
    assert _frame(done.folder, "asb_incidents")["person_id"].isna().all()
    empty = sum(not one.strip() for one in ids)
    assert done.words == {"asb_incidents.person_id": len(asb) - empty}


def test_numbers_are_the_same_identifiers_whatever_their_type(tmp_path: Path, real: Path) -> None:
    """A column of numbers with a gap is read as floating point by many programs."""
    for name, kind in (("people", "string"), ("offences", "float64")):
        table = pd.read_csv(real / f"{name}.csv", dtype={"person_id": "string"})
        digits = table["person_id"].str.replace(" ", "")
        table.assign(person_id=digits.astype(kind)).to_parquet(real / f"{name}.parquet")
        (real / f"{name}.csv").unlink()
    out = pseudonymise(real, tmp_path / "out", KEY).folder
    assert set(_frame(out, "offences")["person_id"]) == {
        pseudonym(one, KEY, "person") for one in ("9434765919", "4010232137")
    }


def test_nothing_of_the_sources_order_is_left(folder: Path, tmp_path: Path) -> None:
    shuffled = tmp_path / "shuffled"
    shuffled.mkdir()
    for path in folder.glob("*.parquet"):
        rows = pd.read_parquet(path).sample(frac=1, random_state=random.Random(5).randint(0, 999))
        rows.to_parquet(shuffled / path.name)
    one = pseudonymise(folder, tmp_path / "one", KEY)
    pseudonymise(shuffled, tmp_path / "two", KEY)
    for name in one.rows:
        held, again = _frame(tmp_path / "one", name), _frame(tmp_path / "two", name)
        pd.testing.assert_frame_equal(held, again)
        first = [c for c in held.columns if c.endswith(("family_id", "person_id"))][:1]
        if first:
            assert held[first[0]].is_monotonic_increasing
    assert (_frame(tmp_path / "one", "offences")["offence_id"].diff().dropna() == 1).all()


def test_the_cohort_is_that_of_the_source(folder: Path, tmp_path: Path) -> None:
    """Dates of comparison families are drawn by pseudonym: beside the source, renamed by hand."""
    done = pseudonymise(folder, tmp_path / "out", KEY)
    renamed = tmp_path / "renamed"
    renamed.mkdir()
    (renamed / "about.json").write_bytes((folder / "about.json").read_bytes())
    for path in folder.glob("*.parquet"):
        rows = pd.read_parquet(path)
        for kind in {"person_id", "family_id"} & set(rows.columns):
            names = {one: pseudonym(one, KEY, kind[:6]) for one in rows[kind].dropna().unique()}
            rows[kind] = rows[kind].map(names)
        rows.to_parquet(renamed / path.name)
    found = [cohort(open_records(one), phase="one", horizon=12)
             for one in (done.folder, renamed, folder)]  # fmt: skip
    by = ["family_id", "treated"]
    frames = [one.to_pandas().sort_values(by, ignore_index=True) for one in found]
    pd.testing.assert_frame_equal(found[0].flow, found[1].flow)
    pd.testing.assert_frame_equal(frames[0], frames[1])
    # Of those on the programme nothing is drawn, so that they are the source's own.
    before, after = (frame[frame["treated"].astype(bool)] for frame in frames[1:])
    assert len(before) == len(after) > 0
    numbers = before.select_dtypes(["number", "bool"]).columns
    pd.testing.assert_series_equal(before[numbers].sum(), after[numbers].sum())


def test_authorities_pass_by_code_or_official_name(changed, tmp_path: Path, folder: Path) -> None:
    rows = len(pd.read_parquet(folder / "families.parquet"))
    names = ("Kingston upon Hull", "E06000010", " kingston-UPON  hull", "ｅ０６００００１０")
    source = changed("families", local_authority=[names[n % 4] for n in range(rows)])
    done = pseudonymise(source, tmp_path / "out", KEY)
    assert set(_frame(done.folder, "families")["local_authority"]) == {"E06000010"}
    assert not done.set_missing


def test_what_is_written_is_for_its_owner_alone(real: Path, tmp_path: Path) -> None:
    (real / "about.json").write_text('{"title": "Mrs Other of L1 8JQ", "records_to": "2019-12-31"}')
    out = pseudonymise(real, tmp_path / "new" / "out", KEY).folder
    assert stat.S_IMODE(out.stat().st_mode) == stat.S_IMODE(out.parent.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in out.iterdir()} == {0o600}
    assert "Other" not in (out / "about.json").read_text()


def test_what_is_shown_hides_small_counts(real: Path, tmp_path: Path) -> None:
    done = pseudonymise(real, tmp_path / "out", KEY)
    for text in (str(done), repr(done), done.text()):
        assert "fewer than 10 families" in text
        assert "'families': 1" not in text


@pytest.mark.parametrize("birth", ["quarter", "year"])
def test_births_can_be_coarser(folder: Path, tmp_path: Path, birth: str) -> None:
    done = pseudonymise(folder, tmp_path / "out", KEY, birth=birth)
    born = pd.to_datetime(_frame(done.folder, "people")["birth_month"])
    first = {"quarter": {1, 4, 7, 10}, "year": {1}}[birth]
    assert set(born.dt.month) == first
    source = pd.to_datetime(_frame(folder, "people")["birth_month"])
    assert sorted(born.dt.year) == sorted(source.dt.year)
    # All that it breaks: who is taken for older than a table's people can be.
    older = {"an adult in the school table", "18 or older"}
    assert {fault.kind for fault in check_records(done.folder).faults} <= older
    with pytest.raises(ParameterError, match="Did you mean month"):
        pseudonymise(folder, tmp_path / "other", KEY, birth="months")


def test_only_the_schemas_own_text_can_be_written(
    folder: Path, tmp_path: Path, monkeypatch
) -> None:
    """Were a column read wrongly, what was written would still be refused."""
    monkeypatch.setitem(allow_list._EXACT, "category", lambda value, *_: value.upper())
    with pytest.raises(DataError, match="a fault of tfeval"):
        pseudonymise(folder, tmp_path / "out", KEY)
    assert list(tmp_path.iterdir()) == []


def test_a_key_is_read_from_a_file_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key"
    file.touch(mode=0o600)
    for before, after in ((b"", b"\n"), (b"\xef\xbb\xbf", b"\r\n"), (b"  ", b"\n\n")):
        file.write_bytes(before + KEY + after)
        assert read_key(file) == KEY
    for before, after in ((b"", b"\n"), (b"\xef\xbb\xbf", b""), (b"", b"\xff")):
        monkeypatch.setitem(os.environb, b"TFEVAL_PSEUDONYM_KEY", before + KEY + after)
        assert read_key() == KEY + after.strip()
    monkeypatch.delenv("TFEVAL_PSEUDONYM_KEY")
    for call, says in (
        (read_key, "no key"),
        (lambda: read_key(tmp_path / "none"), "does not exist"),
    ):
        with pytest.raises(ParameterError, match=says):
            call()


@pytest.mark.parametrize(
    ("key", "says"),
    [
        (b"short", "5 bytes"),
        (b"a" * 64, "repeats"),
        (b"12345678" * 4, "repeats"),
        (b"0123456789abcdef" * 3 + b"the rest of a long key", "repeats"),
        (bytes(range(40, 80)), "counts on"),
        (b"9876543210zyxwvutsrqponmlkjihgfed", "counts on"),
    ],
)
def test_weak_keys_are_refused(real: Path, tmp_path: Path, key: bytes, says: str) -> None:
    with pytest.raises(ParameterError, match=says):
        pseudonymise(real, tmp_path / "out", key)
    file = tmp_path / "key"
    file.touch(mode=0o600)
    file.write_bytes(key)
    with pytest.raises(ParameterError, match=f"{says}.*new-key FILE"):
        read_key(file)


def test_keys_drawn_at_random_are_not_taken_for_weak(tmp_path: Path) -> None:
    rng = random.Random(1)
    for alphabet in ("0123456789", "0123456789abcdef", "".join(map(chr, range(33, 127)))):
        for _ in range(500):
            _judge("".join(rng.choices(alphabet, k=32)).encode())
    files = [tmp_path / f"key{place}" for place in range(20)]
    for file in files:
        new_key(file)
    keys = set(map(read_key, files))
    assert len(keys) == 20
    assert {len(key) for key in keys} == {64}


def test_a_key_file_is_for_its_owner_alone_and_never_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "key"
    new_key(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    held = file.read_bytes()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for taken in (file, tmp_path / "link"):
        with pytest.raises(ParameterError, match="is not overwritten"):
            new_key(taken)
    with pytest.raises(ParameterError, match="make it first"):
        new_key(tmp_path / "none" / "key")
    assert file.read_bytes() == held
    for mode in (0o640, 0o604, 0o620):
        file.chmod(mode)
        with pytest.raises(ParameterError, match="chmod 600"):
            read_key(file)


@pytest.mark.parametrize(
    ("content", "says"),
    [(KEY.decode().encode("utf-16"), "UTF-16"), (KEY + b"\n" + KEY[::-1], "more than one line")],
)
def test_a_file_that_is_not_one_line_of_text_is_no_key(
    tmp_path: Path, content: bytes, says: str
) -> None:
    file = tmp_path / "key"
    file.touch(mode=0o600)
    file.write_bytes(content)
    with pytest.raises(ParameterError, match=says) as refused:
        read_key(file)
    assert "\n" not in str(refused.value)
