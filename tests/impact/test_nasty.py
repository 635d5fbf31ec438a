"""Whatever the data, a verb answers or says in one line why it cannot, and warns of nothing."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tfeval as tf
from tfeval.impact.effects.estimate import METHODS
from tfeval.impact.inference.rules import ERRORS

DESIGNS: dict[str, Callable[[tf.Study], tf.Design]] = {
    "unweighted": tf.unweighted,
    "nearest": lambda made: tf.match(made, caliper=None),
    "within a caliper": tf.match,
    "with replacement": lambda made: tf.match(made, replace=True),
    "mahalanobis": lambda made: tf.match(made, "mahalanobis", caliper=None),
    "optimal": lambda made: tf.match(made, "optimal", ratio=2, caliper=None),
    "full": lambda made: tf.match(made, "full", caliper=None),
    "coarsened": lambda made: tf.match(made, "coarsened_exact"),
    "subclass": lambda made: tf.match(made, "subclass", number=3),
    "kernel": lambda made: tf.match(made, "kernel", kernel="gaussian"),
    "radius": lambda made: tf.match(made, "radius"),
    "weighted": tf.weight,
    "all, stabilised": lambda made: tf.weight(made, estimand="ATE", stabilise=True),
    "on the support": lambda made: tf.weight(made, estimand="ATC", support="both", trim=0.9),
    "cross-fitted": lambda made: tf.weight(made, folds=2),
    "within strata": lambda made: tf.weight(made, within="strata"),
    "overlap": lambda made: tf.weight(made, "overlap"),
    "entropy": lambda made: tf.weight(made, "entropy"),
    "entropy of all": lambda made: tf.weight(made, "entropy", estimand="ATE"),
}

Array = np.ndarray
Column = Callable[[np.random.Generator, Array, list[Array]], Any]


def scaled(low: int, high: int) -> Column:
    return lambda rng, arm, _: rng.normal(size=len(arm)) * 10.0 ** float(rng.integers(low, high))


COLUMNS: dict[str, Column] = {
    "plain": lambda rng, arm, _: rng.normal(size=len(arm)) + rng.uniform(0, 3) * arm,
    "constant": lambda rng, arm, _: np.full(len(arm), rng.choice([0.0, 7.3, 1e12])),
    "all but one": lambda rng, arm, _: (
        (np.arange(len(arm)) == rng.integers(len(arm))) * 10.0 ** float(rng.integers(-9, 10))
    ),
    "a sum": lambda rng, arm, held: sum(held, np.full(len(arm), 0.1)),
    "nearly a sum": lambda rng, arm, held: (
        sum(held, rng.normal(size=len(arm)) * 10.0 ** -float(rng.integers(3, 14)))
    ),
    "separated": lambda rng, arm, _: arm + rng.random(len(arm)) * rng.choice([0.5, 1e-3, 50.0]),
    "the arm": lambda rng, arm, _: arm.astype(float),
    "in one arm": lambda rng, arm, _: (rng.random(len(arm)) < 0.2) & arm,
    "in the other": lambda rng, arm, _: (rng.random(len(arm)) < 0.2) & ~arm,
    "far": lambda rng, arm, _: rng.normal(size=len(arm)) + rng.choice([5.0, 50.0]) * arm,
    "huge": scaled(6, 48),
    "too huge": scaled(49, 300),
    "tiny": scaled(-200, -6),
    "from afar": lambda rng, arm, _: rng.normal(size=len(arm)) + 10.0 ** float(rng.integers(3, 17)),
    "long tails": lambda rng, arm, _: rng.standard_cauchy(len(arm)) ** 3,
    "gaps": lambda rng, arm, _: np.where(
        rng.random(len(arm)) < rng.choice([0.05, 0.5, 0.95]), np.nan, rng.normal(size=len(arm))
    ),
    "gaps in one arm": lambda rng, arm, _: np.where(arm, np.nan, rng.normal(size=len(arm))),
    "words": lambda rng, arm, _: rng.choice(list("abcdefgh"), len(arm)),
}  # fmt: skip
OUTCOMES = ["plain", "constant", "huge", "tiny", "gaps", "all but one",
            "in one arm", "in the other", "long tails"]  # fmt: skip


def nasty(seed: int) -> tuple[pd.DataFrame, dict[str, Any], pd.DataFrame]:
    """Return units, the roles of their columns, and outcomes."""
    rng = np.random.default_rng(seed)
    size = int(rng.choice([4, 8, 12, 20, 40, 100, 300]))
    arm = rng.random(size) < rng.choice([0.1, 0.3, 0.5, 0.9])
    arm[:2] = True, False
    usual = np.array([name == "plain" for name in COLUMNS]) * 2.0 * len(COLUMNS) + 1.0
    held: list[Array] = []
    frame: dict[str, Any] = {}
    for place, name in enumerate(
        rng.choice(list(COLUMNS), rng.integers(1, 6), p=usual / usual.sum())
    ):
        frame[f"x{place}"] = COLUMNS[name](rng, arm, held)
        held += [frame[f"x{place}"]] * (name == "plain")
    roles: dict[str, Any] = {"covariates": list(frame), "cluster": "area"}
    frame |= {"treated": arm, "area": rng.integers(0, rng.choice([1, 2, 4, 30]), size),
              "stratum": rng.integers(0, 3, size)}  # fmt: skip
    weights = {"zeros": rng.integers(0, 2, size), "wide": 10.0 ** rng.uniform(-8, 8, size)}
    if kind := rng.choice(["", "", *weights]):
        frame["weight"] = weights[kind]
        roles["weight"] = "weight"
    if rng.random() < 0.3:
        roles["strata"] = "stratum"
    outcomes = {
        name: COLUMNS[name](rng, arm, []) for name in rng.choice(OUTCOMES, 4, replace=False)
    }
    return pd.DataFrame(frame), roles, pd.DataFrame(outcomes).astype(float)


class Asked:
    """Counts what verbs gave: a result, or the one line that says why there is none."""

    def __init__(self) -> None:
        self.answered: Counter[str] = Counter()

    def __call__(self, verb: str, call: Callable[..., Any], *args: Any, **settings: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", DeprecationWarning)
            try:
                found = call(*args, **settings)
            except tf.TfevalError as error:
                assert len(str(error).splitlines()) == 1
                return None
        self.answered[verb] += 1
        return found


def shown(found: Any) -> Any:
    return found._repr_mimebundle_()


def ask(asked: Asked, seed: int) -> None:
    """Put nasty data to three designs, and these to all that can be asked of a design."""
    rng = np.random.default_rng([1, seed])
    frame, roles, outcomes = nasty(seed)
    asked("impute", lambda: list(tf.impute(frame, roles["covariates"], imputations=2)))
    made = asked("study", tf.study, frame, **roles)
    if made is None:
        return
    for name in [list(DESIGNS)[seed % len(DESIGNS)], *rng.choice(list(DESIGNS), 2)]:
        design = asked("design", DESIGNS[name], made)
        if design is None:
            continue
        found = asked("balance", design.balance)
        asked("verdict", lambda found=found: found and (shown(found), found.verdict()))
        method, errors = str(rng.choice(list(METHODS))), str(rng.choice(ERRORS))
        effects = asked("estimate", tf.estimate, design, outcomes, method=method)
        if effects is not None:
            asked("effects", shown, effects)
            asked("detectable", tf.detectable_effects, effects)
            asked("corrections", effects.with_corrections, "romano_wolf")
        asked("errors", tf.estimate, design, outcomes, method=method, errors=errors, draws=99)
        asked("logistic", tf.estimate, design, (outcomes > 0) * 1.0, method="doubly_robust",
              outcome_model="logistic")  # fmt: skip
        asked("by area", tf.estimate, design, outcomes, by=frame["area"])
        asked("sensitivity", lambda one=design: shown(tf.sensitivity(one, outcomes)))
        asked("unobserved", tf.unobserved, design, outcomes)
        asked("statsmodels", tf.by_statsmodels, design, outcomes)


def test_every_verb_answers_or_says_in_one_line_why_it_cannot():
    asked = Asked()
    for seed in range(50):
        ask(asked, seed)
    for verb in ("study", "design", "verdict", "estimate", "errors", "logistic", "sensitivity"):
        assert asked.answered[verb] > 5, asked.answered


@pytest.mark.parametrize("verb", ["covariate", "outcome"])
def test_numbers_too_large_to_square_are_refused_by_name(verb):
    frame = pd.DataFrame({"x": [1.0, 2, 3, 4], "treated": [1, 0, 1, 0], "y": [0.0, 1, 2, 3]})
    if verb == "covariate":
        frame.loc[0, "x"] = -1e200
    with pytest.raises(tf.DataError, match=f"(?i){verb} . is beyond 1e\\+50 in fewer than 10 rows"):
        design = tf.unweighted(tf.study(frame, covariates="x"))
        tf.estimate(design, frame["y"].where(frame["y"] < 3, 1e51))
