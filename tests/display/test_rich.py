"""Every public result shows itself in a notebook: readable in both themes, nobody's row in it."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup

import tfeval as tf
from tfeval.display.rich import _OWN, Rich, facts_table

#: What a design has to answer is no result.
NO_RESULTS = {"AnyDesign"}
CLASSES = {
    name: kind
    for name in tf._PUBLIC
    if inspect.isclass(kind := getattr(tf, name))
    and not issubclass(kind, Exception)
    and name not in NO_RESULTS
}
SECRET = "Jane Doe"


@pytest.fixture(scope="module")
def results():
    """Return results of as many kinds as are quickly made."""
    simulated = tf.simulate(families=400, seed=1)
    families = tf.cohort(simulated.records)
    study = tf.study(families, months=12)
    design = tf.unweighted(study)
    effects = tf.estimate(design, families.outcomes(12)[["offences"]], months=12)
    plan = tf.read_plan()
    return [
        simulated, simulated.records, simulated.truth, tf.check_records(simulated.records),
        tf.anonymity(simulated.records), families, study, tf.fit_propensity(study), design,
        tf.balance(design), effects, plan, plan.registration, tf.Specification(), tf.Assumptions(),
        tf.phase("one"), tf.next_cohort("one"), tf.figure("budget", "phase_one_budget"),
        tf.read_known_truth(), tf.programme_costs("one", price_year=2024), tf.explore(),
        tf.answer("a", "b", "c", "d"), tf.section_banner(True),
        tf.group_time("first_treated"),
    ]  # fmt: skip


def bundle(thing) -> dict[str, str]:
    made = thing._repr_mimebundle_()
    return made[0] if isinstance(made, tuple) else made


@pytest.mark.parametrize("name", CLASSES)
def test_every_public_class_shows_itself(name):
    assert callable(getattr(CLASSES[name], "_repr_mimebundle_", None)), f"{name}: derive from Rich"


def test_what_is_shown_is_a_table_or_words_for_both_themes(results):
    for thing in results:
        if isinstance(thing, tf.Explorer):
            continue  # shown from records: its own tests
        if isinstance(thing, pd.DataFrame):
            continue
        shown, kind = bundle(thing), type(thing).__name__
        page = BeautifulSoup(shown["text/html"], "html.parser")
        assert page.get_text(strip=True), kind
        assert shown["text/plain"].strip(), kind
        assert not re.search(r"<tfeval|object at 0x|DataFrame|ibis", shown["text/plain"]), kind
        for tag in page.find_all(style=True):
            style = tag["style"]
            if "background" in style:  # a colour of one theme alone is unreadable in the other
                assert "--jp-" in style, kind
            assert not re.search(r"(?<![\w-])color:(?!\s*var\(--jp)", style), kind


def filled(kind):
    """Return an object of a class with something of each kind in it, made without its checks."""
    made = object.__new__(kind)
    frame = pd.DataFrame({"who": [SECRET] * 3, "count": [7, 8, 9]})
    kinds = {"int": 7, "float": 0.25, "bool": True, "str": "word", "DataFrame": frame,
             "Series": frame["who"], "ndarray": np.array([SECRET])}  # fmt: skip
    for one in fields(kind):
        text = str(one.type)
        value = next((given for word, given in kinds.items() if re.search(rf"\b{word}\b", text)
                      and "tuple" not in text and "dict" not in text.lower()
                      and "Mapping" not in text), ())  # fmt: skip
        object.__setattr__(made, one.name, value)
    return made


GENERIC = [
    name for name, kind in CLASSES.items()
    if kind._repr_mimebundle_ is Rich._repr_mimebundle_ and not hasattr(kind, "text")
    and name not in _OWN
]  # fmt: skip


@pytest.mark.parametrize("name", GENERIC)
def test_frames_and_arrays_are_named_and_never_printed(name):
    thing = filled(CLASSES[name])
    shown = bundle(thing)
    for text in shown.values():
        assert SECRET not in text
    for one in fields(CLASSES[name]):
        assert one.name in shown["text/html"]
        if one.name.startswith("n_"):
            assert f"{one.name}: fewer than 10" in shown["text/plain"]


def test_a_study_of_few_does_not_say_how_few():
    frame = pd.DataFrame({"treated": [1] * 7 + [0] * 33, "age": np.arange(40.0)})
    study = tf.study(frame, covariates=["age"])
    for text in (facts_table(study).text(), repr(study)):
        assert "fewer than 10" in text
        assert not re.search(r"\b(7|33)\b", text)


def test_a_cohort_of_few_does_not_say_how_few_in_a_terminal_either():
    families = tf.cohort(tf.simulate(families=60, seed=1).records)
    counts = families.flow[["treated", "comparison"]].to_numpy().ravel()
    few = {f"{count}" for count in counts if 0 < count < 10}
    assert few and not few & set(re.findall(r"\d+", repr(families).split("covariates:")[0]))
