from __future__ import annotations

import os
import re

import pytest

from tfeval.errors import ParameterError, ReportError
from tfeval.programme.published import published
from tfeval.report.area_jobs import each_once
from tfeval.report.plan import area_folder, national_chapters, plan, slug

READS = ("parameters", 'records: str = "stored"  # where\nprice_year: int = 2014  # prices\n')
NATIONAL = ("parameters", 'local_authority: str = "all"  # which\n')


@pytest.fixture
def folder(tmp_path, write, facts):
    write(tmp_path, "01_a", ["# A?", NATIONAL])
    write(tmp_path, "02_b", ["# *B*?", READS], reads=["01_a"])
    write(tmp_path, "03_c", ["# C?", READS], reads=["02_b"])
    write(tmp_path, "explore", ["no heading"])
    return tmp_path


def keys(jobs):
    return [job.key for job in jobs]


def test_a_page_planned_twice_is_made_once_with_all_that_is_beside_it(folder):
    # An area's page reads a chapter, which alone has no page before or after it.
    alone, report = plan(["02_b"], {}, folder), plan(national_chapters(folder), {}, folder)
    once = each_once([*report, *alone])
    assert keys(once) == [("national", name) for name in ("01_a", "02_b", "03_c")]
    assert [len(job.beside) for job in once] == [3, 3, 3]
    assert {len(job.beside) for job in alone} == {len(alone)}
    elsewhere = plan(["02_b"], {"price_year": "2015"}, folder)
    assert len(each_once([*report, *elsewhere])) == 3 + len(elsewhere)  # other pages, elsewhere


def test_what_a_notebook_reads_comes_first_once(folder):
    jobs = plan(["03_c.ipynb", "02_b"], {}, folder)
    assert keys(jobs) == [("national", name) for name in ("01_a", "02_b", "03_c")]
    assert jobs[2].needs == (("national", "02_b"),)
    assert [job.chapter.title for job in jobs] == ["A?", "B?", "C?"]


def test_chapters_are_those_with_a_number(folder):
    assert national_chapters(folder) == ["01_a", "02_b", "03_c"]
    assert plan(["explore"], {}, folder)[0].chapter.title == "explore"


def test_a_changed_parameter_makes_another_report(folder):
    assert keys(plan(["02_b"], {"price_year": "2014"}, folder))[-1][0] == "national"
    jobs = plan(["03_c"], {"price_year": "2015"}, folder)
    assert {job.scope for job in jobs} == {"national--price_year-2015"}
    assert [job.values.get("price_year") for job in jobs] == [None, 2015, 2015]
    assert jobs[1].changed() == {"price_year": 2015}


def test_an_area_names_its_report(folder):
    job = plan(["01_a"], {"local_authority": "e06000010"}, folder)[0]
    assert job.scope == "kingston-upon-hull-city-of"
    assert job.values == {"local_authority": "Kingston upon Hull, City of"}


def test_what_knows_no_areas_is_run_once_in_the_national_report(tmp_path, write, facts):
    write(tmp_path, "04_effects", ["# E?", ("parameters", "months: int = 12  # how long\n")])
    area = 'local_authority: str = "Sefton"  # one\nrecords: str = "stored"  # where\n'
    write(tmp_path, "local_authority", ["# L?", ("parameters", area)], reads=["04_effects"])
    found = [plan(["local_authority"], {"local_authority": name}, tmp_path)
             for name in ("Sefton", "Rutland")]  # fmt: skip
    assert [keys(jobs) for jobs in found] == [
        [("national", "04_effects"), ("sefton", "local_authority")],
        [("national", "04_effects"), ("rutland", "local_authority")],
    ]
    reader = found[1][1]
    assert reader.needs == (("national", "04_effects"),)
    assert reader.reads_from == os.pathsep.join(["..", "../../national"])
    # A parameter of what is read can be given, and makes both other reports.
    longer = plan(["local_authority"], {"months": "18"}, tmp_path)
    assert keys(longer)[0] == ("national--months-18", "04_effects")
    assert keys(longer)[1] == ("sefton--months-18", "local_authority")


def test_a_parameter_goes_only_where_it_is_declared(folder):
    jobs = plan(["01_a", "02_b"], {"price_year": "2015"}, folder)
    assert {job.scope for job in jobs} == {"national--price_year-2015"}
    assert [job.values for job in jobs] == [{"local_authority": "all"}, {"price_year": 2015}]
    with pytest.raises(ParameterError, match=r"01_a has no parameter price_year"):
        plan(["01_a"], {"price_year": "2015"}, folder)


def test_a_missing_notebook_is_named_and_the_nearest_offered(folder):
    with pytest.raises(ReportError, match=r"no notebook 01_b. Did you mean"):
        plan(["01_b"], {}, folder)


def test_a_circle_is_refused(tmp_path, write):
    write(tmp_path, "01_a", [READS], reads=["02_b"])
    write(tmp_path, "02_b", [READS], reads=["01_a"])
    with pytest.raises(ReportError, match="in a circle: 01_a > 02_b > 01_a"):
        plan(["01_a"], {}, tmp_path)


def test_a_reader_must_say_where_it_reads_from(tmp_path, write):
    write(tmp_path, "01_a", ["# A?"])
    write(tmp_path, "02_b", ["# B?"], reads=["01_a"])
    with pytest.raises(ReportError, match="declares no parameter records"):
        plan(["02_b"], {}, tmp_path)


def test_folders_are_safe_and_differ():
    values = ["a/b", "../..", "a b", "", "x" * 300, "ä", "a\\b"]
    made = [slug(value) for value in values]
    assert len(set(made)) == len(made)
    assert all("/" not in name and "\\" not in name and name and len(name) < 80 for name in made)
    assert not any(name.startswith(".") for name in made)


def test_every_authority_has_a_folder_of_its_own():
    names = published("local_authorities")["name"]
    assert len({area_folder(name) for name in names} | {"national"}) == len(names) + 1


#: Values that one name would serve if anything were lost in it, by the parameter's type.
ALIKE = {
    "str": ["my_data", "my-data", "my data", "My data", "my  data", "/my/data", "my.data",
            "-my-data", "my-data-", "'my data'", "my--data", "my-data--price_year-2015",
            "my~data", "ä", "a", "none", "None", "true", "x" * 61, "x" * 62, "5", "-5",
            ".5", "5.", "", " "],
    "int": ["5", "-5", "15", "105"],
    "float": ["5", "-5", "0.5", "-0.5", "1e20", "1e-20", "50"],
    "bool": ["true", "false"],
}  # fmt: skip
ALIKE["str"] += [slug(value) for value in ALIKE["str"] if slug(value)]  # names made of others


@pytest.mark.parametrize("kind", ALIKE)
def test_two_values_never_share_a_folder(tmp_path, write, facts, kind):
    default = {"str": '"default"', "int": "0", "float": "0.0", "bool": "True"}[kind]
    write(tmp_path, "01_a", ["# A?", ("parameters", f"held: {kind} = {default}  # what\n")])
    found: dict[str, object] = {}
    for text in ALIKE[kind]:
        (job,) = plan(["01_a"], {"held": text}, tmp_path)
        assert found.setdefault(job.scope, job.values["held"]) == job.values["held"]
        assert re.fullmatch(r"national(--held-[a-z0-9._~-]+)?", job.scope), job.scope
    assert len(found) == len({repr(value) for value in found.values()})


def test_two_parameters_never_pass_for_one(tmp_path, write, facts):
    cell = 'held: str = "a"  # what\nmore: str = "a"  # what\n'
    write(tmp_path, "01_a", ["# A?", ("parameters", cell)])
    values = ["a", "x", "x--more-y", "y", "more-y", "x~", "--"]
    scopes = {plan(["01_a"], {"held": one, "more": two}, tmp_path)[0].scope
              for one in values for two in values}  # fmt: skip
    assert len(scopes) == len(values) ** 2


def test_chapters_that_read_a_value_in_two_ways_share_no_folder(tmp_path, write, facts):
    write(tmp_path, "01_a", ["# A?", ("parameters", "held: float = 0.0  # what\n")])
    cell = 'held: str = "0"  # what\nrecords: str = "stored"  # where\n'
    write(tmp_path, "02_b", ["# B?", ("parameters", cell)], reads=["01_a"])
    scopes = [plan(["02_b"], {"held": text}, tmp_path)[0].scope for text in ("5", "5.0", "05")]
    assert len(set(scopes)) == 3
