"""A department's extract in the dictionary's form: what was changed is counted, nothing guessed."""

from __future__ import annotations

import json
import shutil
import stat
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from tests.records.canaries import seen
from tfeval.errors import DataError, ParameterError, TfevalError
from tfeval.records.check import check_records
from tfeval.records.preparation.authorities import windows_of_2012
from tfeval.records.preparation.dates import DateForm, read_day
from tfeval.records.preparation.mapping import plan_of
from tfeval.records.preparation.prepare import draft_mapping, prepare
from tfeval.records.simulate import simulate_to

TABLES = ("families", "people", "benefit_spells", "school_terms", "coverage", "family_moves")
Frames = dict[str, pd.DataFrame]


@pytest.fixture(scope="module")
def few(tmp_path_factory) -> Path:
    return simulate_to(tmp_path_factory.mktemp("few") / "records", families=60, seed=7)[0]


@pytest.fixture(scope="module")
def frames(few) -> Frames:
    return {name: pd.read_parquet(few / f"{name}.parquet") for name in TABLES}


@pytest.fixture
def sent(tmp_path) -> Path:
    (tmp_path / "sent").mkdir()
    return tmp_path / "sent"


def made(sent: Path, mapping: str) -> Path:
    target = sent.parent / "mine"
    file = sent.parent / "mapping.toml"
    file.write_text(mapping, encoding="utf-8")
    prepare(sent, target, file)
    return target


def refused(sent: Path, mapping: str, kind: type[TfevalError] = DataError) -> str:
    with pytest.raises(kind) as fault:
        made(sent, mapping)
    text = str(fault.value)
    assert "\n" not in text and not (sent.parent / "mine").exists()
    assert not [one for one in sent.parent.iterdir() if one.name.startswith(".mine")]
    return text


def named(columns, **special: str) -> str:
    """Return the lines of a mapping for columns that keep their names, but for some."""
    return "\n".join(f"{one} = {special.get(one, json.dumps(one))}" for one in columns)


def rows(found: pd.DataFrame) -> pd.DataFrame:
    texts = found.astype(object).where(found.notna(), "").astype(str)
    texts = texts.apply(lambda column: column.str.removesuffix(" 00:00:00"))
    return texts.sort_values(list(texts.columns)).reset_index(drop=True)


# --- a whole extract, spoilt by hand and brought back -------------------------------------------


def slashed(days: pd.Series) -> pd.Series:
    return pd.to_datetime(days).dt.strftime("%d/%m/%Y")


def departments(sent: Path, frames: Frames) -> str:
    """Write an extract as departments do, and return the mapping that says how."""
    families = frames["families"].copy()
    days = [one for one in families if one.endswith("_on")]
    for one in days:
        families[one] = slashed(families[one]).fillna("NULL")
    flags = [one for one in families if families[one].dtype == object and one not in days
             and set(families[one].dropna().unique()) <= {True, False}]  # fmt: skip
    flags += [one for one in families if str(families[one].dtype) in ("bool", "boolean")]
    for one in dict.fromkeys(flags):
        families[one] = families[one].map({True: "Y", False: "N"})
    families["claim_kind"] = families["claim_kind"].fillna("n/a")
    families.columns = families.columns.str.upper()
    families.to_csv(sent / "FAM.CSV", index=False, sep=";", encoding="cp1252")
    people = frames["people"].copy()
    people["birth_month"] = pd.to_datetime(people["birth_month"]).dt.strftime("%d-%b-%y")
    people["sex"] = people["sex"].map({"male": "1", "female": "2", "unknown": "9"})
    people["surname"] = "Zoé Quillfeather"
    people.to_csv(sent / "people.txt", index=False, sep="\t", encoding="utf-16")
    spells = frames["benefit_spells"].copy()
    last = pd.to_datetime(spells["ended_on"]) - pd.Timedelta(days=1)
    spells = spells.assign(started_on=slashed(spells["started_on"]),
                           ended_on=slashed(last).fillna("31/12/9999"))  # fmt: skip
    text = spells.to_csv(index=False)
    (sent / "ben.csv").write_text(f"Benefits,,,\n{text}Rows,{len(spells)},,\n", encoding="utf-8")
    terms = frames["school_terms"].copy()
    for one in ("sessions_possible", "sessions_authorised", "sessions_unauthorised"):
        terms[one] /= 2
    for one in ("term_start", "term_end"):
        terms[one] = (pd.to_datetime(terms[one]) - pd.Timestamp("1899-12-30")).dt.days
    terms.to_excel(sent / "school.xlsx", sheet_name="Terms", index=False)
    frames["coverage"].to_parquet(sent / "Coverage.parquet", index=False)
    upper = {one: json.dumps(one.upper()) for one in frames["families"]}
    in_days = {one: f'{{from = "{one}", unit = "days"}}' for one in terms if "sessions" in one}
    serial = {one: f'{{from = "{one}", dates = ["excel"]}}' for one in ("term_start", "term_end")}
    end = '{from = "ended_on", null_words = ["31/12/9999"], last_day = true}'
    sex = '{from = "sex", words = {1 = "male", 2 = "female", 9 = "unknown"}}'
    born = '{from = "birth_month", dates = ["DD-MON-YY"], pivot = 20}'
    return f"""
[about]
records_to = "2019-12-31"
[defaults]
dates = ["DD/MM/YYYY"]
[tables.families]
from = "FAM.CSV"
encoding = "cp1252"
null_words = ["null", "n/a"]
columns = {{ {named(frames["families"], **upper).replace(chr(10), ", ")} }}
[tables.people]
from = "people.txt"
encoding = "utf-16"
[tables.people.columns]
{named(frames["people"], sex=sex, birth_month=born)}
[tables.benefit_spells]
from = "ben.csv"
skip_lines = 1
drop_last_lines = 1
[tables.benefit_spells.columns]
{named(frames["benefit_spells"], ended_on=end)}
[tables.school_terms]
from = "school.xlsx"
[tables.school_terms.columns]
{named(frames["school_terms"], **in_days, **serial)}
[tables.coverage.columns]
{named(frames["coverage"])}
"""


def test_a_departments_extract_comes_back_as_it_was(sent, frames, few):
    pytest.importorskip("openpyxl")
    target = made(sent, departments(sent, frames))
    for name in TABLES[:-1]:
        found = pd.read_parquet(target / f"{name}.parquet")
        pd.testing.assert_frame_equal(rows(found[list(frames[name])]), rows(frames[name]))
    assert stat.S_IMODE(target.stat().st_mode) == 0o700
    assert {stat.S_IMODE(one.stat().st_mode) for one in target.iterdir()} == {0o600}
    report = check_records(target)
    assert report.clean and not report.ignored
    told = (target / "prepared.json").read_text(encoding="utf-8")
    assert not seen(told) and "Quillfeather" not in told
    log = {(one["table"], one["column"], one["rule"]): one["values"] for one in json.loads(told)}
    spells = frames["benefit_spells"]
    for rule, count in (("day as DD/MM/YYYY", spells["ended_on"].notna().sum()),
                        ("word for no value", spells["ended_on"].isna().sum())):  # fmt: skip
        shown = f"{round(int(count), -1):,}" if count >= 10 else "fewer than 10"
        assert log["benefit_spells", "ended_on", rule] == shown
    with pytest.raises(TfevalError, match="exists already"):
        prepare(sent, target, sent.parent / "mapping.toml")


def test_a_database_is_prepared_too_and_simulated_stays_simulated(frames, tmp_path):
    path = tmp_path / "sent.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE SCHEMA dwp")
        people = frames["people"].rename(columns={"sex": "Gender"})  # noqa: F841
        connection.execute('CREATE TABLE dwp."Persons" AS FROM people')
    path.with_suffix(".json").write_text('{"simulated": true}')
    columns = named(frames["people"], sex='"Gender"')
    mapping = f'[tables.people]\nfrom = "dwp.Persons"\n[tables.people.columns]\n{columns}\n'
    target = made(path, mapping)
    found = pd.read_parquet(target / "people.parquet")
    pd.testing.assert_frame_equal(rows(found), rows(frames["people"]))
    assert json.loads((target / "about.json").read_text())["simulated"] is True
    shutil.rmtree(target)
    told = refused(path, "[about]\nsimulated = false\n" + mapping, ParameterError)
    assert "says of itself that it is simulated" in told


def test_a_draft_of_an_extract_that_is_only_spelt_otherwise_prepares_it(sent, frames):
    families = frames["families"].assign(
        identified_on=slashed(frames["families"]["identified_on"]),
        attached_on=slashed(frames["families"]["attached_on"]).fillna("NULL"))  # fmt: skip
    families.columns = families.columns.str.replace("_", " ").str.title()
    families.to_csv(sent / "Families.csv", index=False)
    draft = draft_mapping(sent)
    assert 'dates = ["DD/MM/YYYY"]' in draft and 'null_words = ["NULL"]' in draft
    found = pd.read_parquet(made(sent, draft) / "families.parquet")
    pd.testing.assert_frame_equal(rows(found[list(frames["families"])]), rows(frames["families"]))
    # Where every day could be of two forms, none is proposed, and nothing is written by it.
    shutil.rmtree(sent.parent / "mine")
    families["Identified On"] = "01/02/2013"
    families.to_csv(sent / "Families.csv", index=False)
    assert "by DD/MM/YYYY and by MM/DD/YYYY: ask which" in draft_mapping(sent)
    assert "identified_on (not in its form" in refused(sent, draft_mapping(sent))


# --- what would be a guess -----------------------------------------------------------------------


def people_with(sent: Path, frames: Frames, **columns) -> None:
    frames["people"].assign(**columns).to_csv(sent / "people.csv", index=False)


def people_by(frames: Frames, **special: str) -> str:
    return f"[tables.people.columns]\n{named(frames['people'], **special)}\n"


def test_what_cannot_be_read_is_refused_by_count_or_marked_and_never_empty(sent, frames):
    days = frames["people"]["birth_month"].astype(str).str[:10].to_numpy(copy=True)
    days[:4] = "Jane Doe"
    people_with(sent, frames, birth_month=days)
    told = refused(sent, people_by(frames))
    assert "people.birth_month (not in its form, fewer than 10 values)" in told
    assert "Jane" not in told
    target = made(sent, people_by(
        frames, birth_month='{from = "birth_month", unread = "mark"}'))  # fmt: skip
    found = pd.read_parquet(target / "people.parquet")["birth_month"]
    assert (found == "unread").sum() == 4 and found.notna().all()
    fault = next(one for one in check_records(target).faults if one.column == "birth_month")
    assert (fault.kind, fault.rows) == ("cannot be read as its type", 4)


def test_a_day_that_two_forms_read_differently_is_refused(sent, frames):
    people_with(sent, frames, birth_month="01/02/1980")
    both = '{from = "birth_month", dates = ["DD/MM/YYYY", "MM/DD/YYYY"]}'
    assert "by two forms two days" in refused(sent, people_by(frames, birth_month=both))
    one = '{from = "birth_month", dates = ["DD/MM/YYYY"]}'
    found = pd.read_parquet(made(sent, people_by(frames, birth_month=one)) / "people.parquet")
    assert set(pd.to_datetime(found["birth_month"])) == {pd.Timestamp("1980-02-01")}


SEX = "[tables.people.columns]\nsex = 's'\n"
WRONG = {
    "an unknown key": ("[table.people]\n", 'unknown key, "table". Did you mean tables?'),
    "an unknown table": ("[tables.peopel.columns]\na = 'a'\n", "Did you mean people?"),
    "an unknown column": ("[tables.people.columns]\nsexx = 's'\n", "Did you mean sex?"),
    "an unknown setting": (
        "[tables.people.columns]\nsex = {from = 's', word = {}}\n", "Did you mean words?"),
    "a word of nobody's": (
        "[tables.people.columns]\nsex = {from = 's', words = {1 = 'man'}}\n", "own words"),
    "a form without a century": (
        "[tables.people.columns]\nbirth_month = {from = 'b', dates = ['DD/MM/YY']}\n", "pivot"),
    "a form of no day": (
        "[tables.people.columns]\nbirth_month = {from = 'b', dates = ['DD/MM']}\n", "no form of"),
    "a month for a day": (
        "[tables.family_moves.columns]\nmoved_on = {from = 'b', dates = ['YYYY-MM']}\n",
        "a month tells no day"),
    "a unit of no one length": (
        "[tables.offences.columns]\ncustody_days = {from = 'm', unit = 'months'}\n",
        "would be guessed"),
    "empty for what cannot be read": (
        "[tables.families.columns]\nattached_on = {from = 'a', unread = 'missing'}\n",
        "says that it never happened"),
    "the last day of no spell": (
        "[tables.families.columns]\nattached_on = {from = 'a', last_day = true}\n", "of a spell"),
    "one person for all": (
        "[tables.people.columns]\nperson_id = {value = 'a'}\nsex = 'sex'\n", "give its column"),
    "a value of nobody's": (
        "[tables.people.columns]\nsex = {value = 'man'}\nrole = 'role'\n", "none that the dict"),
    "two ways at once": (
        "[tables.people.columns]\nsex = {value = 'male', from = 's'}\n", "says one of from"),
    "no codec": ("[defaults]\nencoding = 'rot13'\n" + SEX, "none that is known"),
    "a wrong type": ("[defaults]\nskip_lines = true\n" + SEX, "is a whole number"),
    "nothing": ("", "has no [tables.NAME]"),
    "no TOML": ("[tables\n", "is no TOML from line 1 on"),
    "a day of no calendar": ("[about]\nrecords_to = '31/12/2019'\n" + SEX, "is a day written"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_a_mapping_that_says_something_unknown_is_refused(what, sent, frames):
    people_with(sent, frames)
    mapping, told = WRONG[what]
    assert told in refused(sent, mapping, TfevalError)


SOURCES = {
    "nothing there": ('from = "persons.csv"', "names nothing in sent. Did you mean people.csv?"),
    "another folder": ('from = "../mapping.toml"', "names nothing in sent"),
    "another column": ("", "names no column of its table"),
    "another encoding": ('encoding = "ascii"', "is not ascii throughout"),
    "another delimiter": ('delimiter = "|"', "does not begin with the names"),
}


@pytest.mark.parametrize("what", SOURCES)
def test_what_the_extract_has_not_is_said(what, sent, frames):
    people_with(sent, frames, role="Zoé")
    line, told = SOURCES[what]
    sex = '"gender"' if what == "another column" else '"sex"'
    mapping = f"[tables.people]\n{line}\n[tables.people.columns]\nrole = 'role'\nsex = {sex}\n"
    assert told in refused(sent, mapping)


def test_forms_of_days_against_the_standard_library():
    days = [date(1931, 1, 1) + timedelta(days=at) for at in range(0, 40_000, 397)]
    for form, code in (("DD/MM/YYYY", "%d/%m/%Y"), ("MM-DD-YYYY", "%m-%d-%Y"),
                       ("YYYYMMDD", "%Y%m%d"), ("DDMONYYYY", "%d%b%Y"),
                       ("DD MONTH YYYY", "%d %B %Y"), ("DD.MM.YY", "%d.%m.%y")):  # fmt: skip
        read = DateForm(form, 30)
        for day in (one for one in days if "YYYY" in form or one.year <= 2030):
            assert read.read(day.strftime(code)) == day, form
            assert read.read(day.strftime(code) + " 00:00:00") == day
            assert read.read(day.strftime(code) + " 13:30") is None
            assert DateForm(form + " TIME", 30).read(day.strftime(code) + " 13:30") == day
    serial = [(day - date(1899, 12, 30)).days for day in days]
    assert [DateForm("excel").read(f"{n}.0") for n in serial] == days
    no = ["31/02/2013", "1/2/2013", "2013-02-01", "01/02/13", "01/02/2013x", "", "٠١/٠٢/٢٠١٣"]
    assert [DateForm("DD/MM/YYYY").read(one) for one in no] == [None] * 7
    assert DateForm("excel").read("60") is None  # a day that one of the systems never had
    assert read_day("2013-02-30", (DateForm("YYYY-MM-DD"),)) == (None, "")


# --- codes of authorities -------------------------------------------------------------------------


def placed(sent: Path, frames: Frames, codes: dict[int, str], moves: pd.DataFrame) -> str:
    """Write families of which some have other codes, by their number; return a mapping."""
    families = frames["families"].reset_index(drop=True)
    families["local_authority"] = [codes.get(at, "E10000021") for at in families.index]
    people = frames["people"]
    for name, frame in (("families", families), ("people", people), ("family_moves", moves),
                        ("benefit_spells", frames["benefit_spells"])):  # fmt: skip
        frame.to_csv(sent / f"{name}.csv", index=False)
    names = ("families", "people", "family_moves", "benefit_spells")
    return "".join(f"[tables.{name}.columns]\n{named(frames[name])}\n" for name in names)


def test_families_that_cannot_be_placed_are_said_or_left_out_with_all_that_is_theirs(sent, frames):
    ids = frames["families"]["family_id"].reset_index(drop=True)
    lost = set(ids[:3])
    none = frames["family_moves"].iloc[:0]
    mapping = placed(sent, frames, dict.fromkeys(range(3), "E06000058"), none)
    told = refused(sent, mapping)
    assert "a code over several authorities of 2012-15, fewer than 10 values" in told
    assert "of fewer than 10 families by their authority" in told and 'across = "leave_out"' in told
    target = made(sent, '[authorities]\nacross = "leave_out"\n' + mapping)
    people = frames["people"]
    gone = set(people.loc[people["family_id"].isin(lost), "person_id"])
    kept = {name: pd.read_parquet(target / f"{name}.parquet") for name in TABLES[:3]}
    assert set(kept["families"]["family_id"]) == set(ids) - lost
    assert set(kept["people"]["person_id"]) == set(people["person_id"]) - gone
    theirs = frames["benefit_spells"]["person_id"]
    assert sorted(kept["benefit_spells"]["person_id"]) == sorted(theirs[~theirs.isin(gone)])
    assert "Jane" not in (target / "prepared.json").read_text()


def test_a_part_is_the_whole_only_if_the_mapping_says_so_and_a_change_of_code_is_no_move(
    sent, frames
):
    ids = frames["families"]["family_id"].reset_index(drop=True)
    moves = pd.DataFrame({
        "family_id": [ids[0], ids[1], ids[2]],
        "moved_on": ["2021-04-01", "2021-05-01", "2014-01-01"],
        "local_authority": ["E06000061", "E06000062", "E08000014"],
    })  # fmt: skip
    mapping = placed(sent, frames, {1: "E06000061", 3: "E06000060"}, moves)
    told = refused(sent, mapping)
    assert "a code of a part of an authority of 2012-15" in told and 'parts = "whole"' in told
    target = made(sent, '[authorities]\nparts = "whole"\n' + mapping)
    found = pd.read_parquet(target / "families.parquet").set_index("family_id")["local_authority"]
    assert found[ids[1]] == found[ids[0]] == "E10000021" and found[ids[3]] == "E10000002"
    # The first two only changed their code, or moved within what was one authority.
    left = pd.read_parquet(target / "family_moves.parquet")
    assert left["family_id"].tolist() == [ids[2]]


def test_windows_of_coverage_against_days_counted_one_by_one():
    start = date(2020, 1, 1)
    rows_ = [("E10000021", "offences", 0, 20), ("E06000061", "offences", 21, 60),
             ("E06000062", "offences", 30, 40), ("E06000062", "offences", 41, 50),
             ("E08000020", "offences", 0, 9), ("E08000020", "offences", 12, 30)]  # fmt: skip
    day = lambda at: start + timedelta(days=at)  # noqa: E731
    got = windows_of_2012([(code, table, day(a), day(b)) for code, table, a, b in rows_])
    sent = {code: {at for one, _, a, b in rows_ for at in range(a, b + 1) if one == code}
            for code, *_ in rows_}  # fmt: skip
    wanted = {"E10000021": sent["E10000021"] | (sent["E06000061"] & sent["E06000062"]),
              "E08000020": sent["E08000020"]}  # fmt: skip
    for code, days in wanted.items():
        windows = got[code, "offences"]
        held = {(at - start).days for a, b in windows for at in pd.date_range(a, b).date}
        assert held == days
        # As few as can be: between two there is a day that was not sent.
        assert all(b + timedelta(days=1) < c for (_, b), (c, _) in pairwise(windows))


def test_a_name_that_a_part_took_over_does_not_tell_which(sent, frames):
    mapping = placed(sent, frames, {0: "Dorset"}, frames["family_moves"].iloc[:0])
    until = '[about]\nrecords_to = "{}"\n'
    assert "a name that two authorities had" in refused(sent, until.format("2020-03-31") + mapping)
    found = pd.read_parquet(made(sent, until.format("2019-03-31") + mapping) / "families.parquet")
    assert "E10000009" in set(found["local_authority"])


def test_a_mapping_says_what_it_is_held_to():
    plan = plan_of(
        {"tables": {"people": {"columns": {"sex": {"from": " s ", "words": {"M": "male"}}}}}}
    )
    assert plan.tables["people"].columns["sex"].source == "s"
    assert plan.tables["people"].columns["sex"].words == {"m": "male"}
