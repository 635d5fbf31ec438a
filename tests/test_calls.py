"""A call that fails for what it was given says so in one line, and quotes no table."""

from __future__ import annotations

import inspect
import pickle
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import pytest

import tfeval as tf
from tfeval.calls import Checked, public
from tfeval.errors import DataError, ParameterError, TfevalError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tfeval.impact.study.study import Study

#: Stands in a row of what is given, and in no message.
SECRET = 7041.776
TABLES = {
    "frame": pd.DataFrame({"a": [SECRET, 1.0], "b": ["x", "y"]}),
    "one row": pd.DataFrame({"a": [SECRET]}),
    "column": pd.Series([SECRET, 2.0], name="a"),
    "array": np.array([SECRET, 2.0]),
}
FUNCTIONS = {
    name: getattr(tf, name) for name in tf.__all__ if inspect.isfunction(getattr(tf, name))
}
#: They write files, or open a page.
NOT_CALLED = {"new_key", "explore", "record", "register_plan"}


@public
def told(
    study: Study | None = None, level: float = 0.5, names: Sequence[str] = (),
    how: Literal["one", "two"] = "one", more: Mapping[str, float] | None = None,
) -> str:  # fmt: skip
    if level == 0.25:
        raise DataError("The study has no outcome.")
    if level == 0.75:
        raise DataError(f"It is none: {more}.")
    return f"{study.index}{level / 2}{len(names)}{how}{dict(more or {})}"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"study": 3}, "told: study takes Study | None, and was given an int."),
        ({"level": "low"}, "told: level takes float, and was given a str."),
        ({"level": 1, "names": 3}, "told: names takes Sequence[str], and was given an int."),
        ({"names": ["a", 1]}, "told: names takes Sequence[str], and was given a list."),
        ({"how": "three"}, "told: how takes Literal['one', 'two'], and was given a str."),
        ({"more": {"a": "b"}},
         "told: more takes Mapping[str, float] | None, and was given a dict."),
        ({"naems": "a"}, "told has no setting naems. Did you mean names?"),
        ({"level": 0.25, "names": 3}, "The study has no outcome."),
        ({"level": 0.75, "more": TABLES["frame"]},
         "told: more takes Mapping[str, float] | None, and was given a DataFrame."),
    ],
)  # fmt: skip
def test_what_was_given_wrongly_is_named(given, says):
    with pytest.raises(TfevalError) as caught:
        told(**given)
    assert str(caught.value) == says and caught.value.__context__ is None


def test_a_fault_of_its_own_is_left_alone_and_so_is_what_works():
    with pytest.raises(AttributeError, match="index"):
        told()  # nothing was given wrongly
    fine = public(lambda study: study * 2)
    assert fine(2) == 4
    with pytest.raises(ParameterError, match="missing a required argument: 'study'"):
        fine()


@pytest.mark.parametrize("kind", TABLES)
def test_no_public_function_quotes_a_table_or_fails_in_another_s_words(kind):
    """A table in the place of each setting, and of all that must be given."""
    for name, function in FUNCTIONS.items():
        if name in NOT_CALLED:
            continue
        settings = inspect.signature(function).parameters.values()
        named = [one for one in settings if one.kind is one.POSITIONAL_OR_KEYWORD
                 or one.kind is one.KEYWORD_ONLY]  # fmt: skip
        needed = {one.name: TABLES[kind] for one in named if one.default is one.empty}
        for one in named:
            given: dict[str, Any] = {**needed, one.name: TABLES[kind]}
            try:
                function(**given)
            except TfevalError as fault:
                text = str(fault)
                assert str(SECRET) not in text and "\n" not in text, (name, one.name, text)


@pytest.mark.parametrize("setting", ["phase", "price_year", "perspective", "optimism_bias_source"])
def test_settings_of_a_scenario_quote_none_either(setting):
    for made in (tf.Assumptions, tf.Specification):
        if setting in inspect.signature(made).parameters:
            with pytest.raises(ParameterError, match="not a") as caught:
                made(**{setting: TABLES["frame"]})
            assert "\n" not in str(caught.value)


def test_a_public_function_is_the_function_for_readers_and_for_other_processes():
    assert inspect.signature(tf.estimate) == inspect.signature(inspect.unwrap(tf.estimate))
    assert tf.estimate is tf.estimate and tf.estimate.__doc__
    assert pickle.loads(pickle.dumps(tf.estimate)) is tf.estimate


def test_methods_of_results_say_it_too():
    classes = [one for name in tf.__all__ if inspect.isclass(one := getattr(tf, name))]
    results = [one for one in classes if issubclass(one, Checked)]
    assert len(results) > 40
    for kind in results:
        for name, method in vars(kind).items():
            if inspect.isfunction(method) and not name.startswith("_"):
                assert inspect.unwrap(method) is not method, (kind, name)
    with pytest.raises(ParameterError, match="money_words has no setting phrase"):
        tf.Assumptions().money_words(phrase="one")
    with pytest.raises(ParameterError, match="discounted_to: phase takes str, and was given a Da"):
        tf.Assumptions().discounted_to(TABLES["frame"])
