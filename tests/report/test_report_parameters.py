from __future__ import annotations

import pytest

from tfeval.errors import ParameterError, ReportError
from tfeval.money.appraisal_settings import Assumptions
from tfeval.programme import claims
from tfeval.programme.claims import authorities, green_book_editions, price_years
from tfeval.report.parameters import (
    Parameter,
    check_domain,
    notebook_parameters,
    parse_options,
    read_notebook,
    refuse_unknown,
    resolve,
)
from tfeval.settings import meanings, project_folder


def declared(text, cells=1):
    cell = {"cell_type": "code", "source": text, "metadata": {"tags": ["parameters"]}}
    return notebook_parameters({"cells": [cell] * cells}, "01_x")


def test_a_cell_is_read_in_order_with_types_defaults_and_help():
    found = declared(
        '# A note of its own.\nphase: str = "a=b"  # which phase\n'
        "rate: float = 3  # whole numbers are numbers\nlow: int | None = None  # or none\n"
        "fast: bool = False  # quick\nstart: int = -5  # below zero\n"
    )
    assert found == (
        Parameter("phase", "str", "a=b", "which phase"),
        Parameter("rate", "float", 3, "whole numbers are numbers"),
        Parameter("low", "int", None, "or none", True),
        Parameter("fast", "bool", False, "quick"),
        Parameter("start", "int", -5, "below zero"),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1  # untyped", "line 1, is no typed parameter"),
        ("a: int = 1  # help\nb: float = 1 / a  # computed", "line 2: b is computed"),
        ("x: list = []  # kind", "x has the type list"),
        ("x: int | str = 1  # kind", r"x has the type int \| str"),
        ("x: int = 1.5  # wrong", "x is declared int but"),
        ("x: int = True  # wrong", "x is declared int but"),
        ("x: int = None  # wrong", "x is declared int but"),
        ("x: int = 1", "x has no comment"),
        ("x: int  # no value", "x is computed or has no value"),
        ("x: int = 1  # one\nx: int = 2  # two", "sets x twice"),
        ("import os  # no", "is no typed parameter"),
        ("x: int = (  # open", "is not Python"),
    ],
)
def test_a_fault_of_the_notebook_is_named(text, message):
    with pytest.raises(ReportError, match=message):
        declared(text)


def test_two_parameters_cells_are_one_too_many():
    with pytest.raises(ReportError, match="2 cells tagged parameters"):
        declared("x: int = 1  # x", cells=2)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("int", " 12 ", 12), ("int", "-3", -3), ("float", "3", 3.0), ("float", ".5e1", 5.0),
        ("bool", "TRUE", True), ("bool", "false", False), ("str", "a=b", "a=b"),
    ],
)  # fmt: skip
def test_values_are_read_by_their_declared_type(kind, text, value):
    read = Parameter("x", kind, None, "help").parse(text)
    assert read == value and type(read) is type(value)


@pytest.mark.parametrize(
    ("kind", "text"),
    [("int", "1.0"), ("int", "abc"), ("int", ""), ("int", "1_0"), ("float", "nan"),
     ("float", "inf"), ("float", "1e999"), ("float", "1,5"), ("bool", "1"),
     ("bool", "yes"), ("int", "none")],
)  # fmt: skip
def test_a_value_of_another_type_is_refused_with_what_is_wanted(kind, text):
    with pytest.raises(ParameterError, match=r"The parameter x needs .* It means: help."):
        Parameter("x", kind, None, "help").parse(text)


def test_none_is_for_those_who_allow_it():
    assert Parameter("x", "int", 1, "help", optional=True).parse("None") is None


def test_options_are_names_and_values():
    assert parse_options(["a=1", "b=x=y", "c="]) == {"a": "1", "b": "x=y", "c": ""}
    for wrong in (["a"], ["=1"], ["a=1", "a=2"]):
        with pytest.raises(ParameterError):
            parse_options(wrong)


def test_an_unknown_parameter_is_named_and_the_nearest_offered():
    known = {"01_x": (Parameter("price_year", "int", 2014, "help"),), "02_y": ()}
    with pytest.raises(ParameterError, match=r"prise_year. Did you mean price_year\?"):
        refuse_unknown({"prise_year": "1"}, known)
    with pytest.raises(ParameterError, match="set by the runner"):
        refuse_unknown({"records": "x"}, known)
    with pytest.raises(ParameterError, match=r"02_y has no parameter a\. It has no parameters"):
        refuse_unknown({"a": "1"}, {"02_y": ()})
    refuse_unknown({"price_year": "2014"}, known)


def test_resolving_keeps_defaults_and_passes_over_other_notebooks(facts):
    parameters = (Parameter("phase", "str", "one", "h"), Parameter("n", "int", 5, "h"))
    assert resolve(parameters, {"phase": "TWO", "other": "x"}) == {"phase": "two", "n": 5}


def test_optimism_bias_needs_its_source_before_a_kernel_starts():
    names = ("optimism_bias", "optimism_bias_source")
    known = tuple(Parameter(name, "str", "", "h") for name in names)
    given = {"optimism_bias": "0.2", "optimism_bias_source": "Report, p. 3"}
    assert resolve(known, given)["optimism_bias"] == "A=0.2, B=0.2, C=0.2"
    assert resolve(known, {"optimism_bias": "0"})["optimism_bias"] == ""
    with pytest.raises(ParameterError, match=r"give optimism_bias_source= too") as fault:
        resolve(known, {"optimism_bias": "B=0.1, C=0.4"})
    assert "\n" not in str(fault.value)
    for text in ("much", "B", "B=0.1; C=0.4"):
        with pytest.raises(ParameterError, match=r'such as "B=0.1, C=0.4", not'):
            resolve(known, given | {"optimism_bias": text})


def test_every_notebook_that_values_effects_takes_the_whole_scenario():
    taken = {path.stem: {one.name for one in notebook_parameters(read_notebook(path), path.stem)}
             for path in project_folder("notebooks").glob("*.ipynb")}  # fmt: skip
    scenario = set(meanings(Assumptions))
    valuing = {name for name, own in taken.items() if "persistence" in own}
    assert {"06_claims_against_impact", "07_value_for_money", "08_summary", "08_annex",
            "local_authority", "region"} <= valuing  # fmt: skip
    for name in valuing:
        assert scenario <= taken[name], name


def test_facts_come_from_the_published_tables(facts):
    assert price_years() == (2012, 2016)
    assert green_book_editions() == ("2003", "2022")
    assert authorities()["E08000014"] == "Sefton"


@pytest.mark.parametrize("text", ["sefton", "E08000014", "e08000014", " SEFTON "])
def test_an_authority_gets_its_official_name(facts, text):
    assert check_domain("local_authority", text) == "Sefton"


def test_all_authorities_are_all(facts):
    assert check_domain("local_authority", "ALL") == "all"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("local_authority", "Seffton", r"Did you mean Sefton\?"),
        ("local_authority", "zzz", "one of the 4 names"),
        ("phase", "three", 'is "one", "two" or "supporting_families", not "three"'),
        ("price_year", 2011, "between 2012 and 2016"),
        ("price_year", 2017, "between 2012 and 2016"),
        ("green_book_edition", "2011", "Known: 2003, 2022"),
    ],
)
def test_what_lies_outside_its_domain_is_refused(facts, name, value, message):
    with pytest.raises(ParameterError, match=message):
        check_domain(name, value)


def test_the_ends_of_the_range_are_in_it(facts):
    assert [check_domain("price_year", year) for year in (2012, 2016)] == [2012, 2016]
    assert check_domain("green_book_edition", 2022) == 2022


def test_a_missing_table_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "project_folder", lambda name: tmp_path)
    with pytest.raises(Exception, match=r"published/deflators.csv is missing"):
        price_years()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"nbformat": 3, "cells": []}', "not json"])
def test_what_is_no_notebook_is_refused(tmp_path, text):
    path = tmp_path / "01_x.ipynb"
    path.write_text(text)
    with pytest.raises(ReportError, match=r"01_x.ipynb"):
        read_notebook(path)
