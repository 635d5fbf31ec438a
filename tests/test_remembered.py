"""What is kept from call to call cannot be changed by who was given it: it would change for all."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import is_dataclass
from pathlib import Path
from types import FunctionType, MappingProxyType, ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tfeval as tf
from tfeval.audit import summary
from tfeval.money import costs, could_know
from tfeval.programme import authority_codes, tiles
from tfeval.report.chapters import evidence, funnel

SCENARIO = tf.Assumptions()
#: Of each function that keeps what it made, a call; beside them public verbs that read from those.
QUICK: dict[str, Callable[[], Any]] = {
    "appraise_claim": lambda: tf.appraise_claim(11_200, 5_214),
    "claims_by_authority": tf.claims_by_authority, "final_claims": tf.final_claims,
    "codes_over_time": authority_codes.codes_over_time,
    "renamed_codes": authority_codes.renamed_codes, "parts_of": authority_codes.parts_of,
    "cost_lines": lambda: costs.cost_lines("one"), "edition_of": lambda: tf.edition_of("2026"),
    "phase": lambda: tf.phase("one"), "programmes": tf.programmes, "tiles": tiles.tiles,
    "spent_on": lambda: funnel.spent_on("one"),
    "_figure": lambda: tf.figure("budget", "phase_one_budget"),
    "published": lambda: tf.published("unit_costs"),
    "programme_costs": lambda: tf.programme_costs("one"),
    "unit_costs": lambda: tf.unit_costs(2024), "reconcile": lambda: tf.reconcile("one"),
    "appraise_2019": tf.appraise_2019, "discount_rates": lambda: tf.discount_rates("2026"),
    "costs_of_a_family": could_know.costs_of_a_family, "doses": tf.doses,
}  # fmt: skip
LONG: dict[str, Callable[[], Any]] = {
    "area_analysis": tf.area_analysis, "facts": lambda: evidence.facts(SCENARIO),
    "ours": lambda: evidence.ours(SCENARIO, "total"),
    "account": lambda: evidence.account(SCENARIO), "rebuilt": lambda: evidence.rebuilt(SCENARIO),
    "intervals": lambda: evidence.intervals(SCENARIO),
    "values_of_effects": summary.values_of_effects,
}  # fmt: skip
#: Kept within its module, which hands out other things; or open, and one for all by intention.
WITHIN = {
    "_read", "_only_read", "_deflators", "_covariates", "_authorities", "_places", "_nodes",
    "_machine_code", "_exporter", "_modules", "_project", "_made", "_template",
    "_records", "_truth", "_cohort", "_simulation", "_published", "known", "notebook_of",
    "_of_font", "_linear_algebra",
    "results_of_cells", "areas_of", "effects_of",  # of released cells, within a release
}  # fmt: skip
#: What nobody can change, as return annotations have it.
FIXED = {
    "FunctionType",
    "str",
    "int",
    "float",
    "bool",
    "tuple[str, ...]",
    "tuple[float, float, float]",
}
KEEPING = {"lru_cache", "cache", "once", "remembered"}


def changeable(thing: Any, at: str = "", seen: dict[int, Any] | None = None) -> Iterator[tuple]:
    """Yield what can be changed within a thing, and where it is."""
    seen = {} if seen is None else seen
    plain = (str, bytes, int, float, type, FunctionType, ModuleType)
    if thing is None or isinstance(thing, plain) or id(thing) in seen:
        return
    seen[id(thing)] = thing
    if isinstance(thing, np.ndarray):
        fixed, inner = not (thing.size and thing.flags.writeable), ()
    elif isinstance(thing, pd.DataFrame | pd.Series):
        columns = [thing[name] for name in thing] if isinstance(thing, pd.DataFrame) else [thing]
        fixed, inner = False, [(f"[{one.name}]", one.to_numpy()) for one in columns if len(one)]
    elif isinstance(thing, Mapping):
        fixed = isinstance(thing, MappingProxyType)
        inner = [(f"[{name!r}]", part) for name, part in thing.items()]
    elif isinstance(thing, list | set | tuple | frozenset):
        fixed = isinstance(thing, tuple | frozenset)
        inner = [(f"[{place}]", part) for place, part in enumerate(thing)]
    else:
        fixed = (is_dataclass(thing) and thing.__dataclass_params__.frozen) or not vars_of(thing)
        inner = [(f".{name}", part) for name, part in vars_of(thing).items()]
    if not fixed:
        yield at, thing
    for name, part in inner:
        yield from changeable(part, at + name, seen)


def vars_of(thing: Any) -> dict[str, Any]:
    return getattr(thing, "__dict__", {})


def shared(call: Callable[[], Any]) -> list[str]:
    """Return where two answers of one call hold the same thing, and could change it."""
    answers = call(), call()
    first, second = (dict(changeable(one)) for one in answers)
    return [at for at, one in first.items() if at in second and _same(one, second[at])]


def _same(one: Any, other: Any) -> bool:
    arrays = isinstance(one, np.ndarray) and isinstance(other, np.ndarray)
    return bool(np.shares_memory(one, other)) if arrays else one is other


@pytest.mark.parametrize("name", QUICK)
def test_two_who_ask_share_nothing_that_either_could_change(name):
    assert not shared(QUICK[name])


@pytest.mark.parametrize("name", LONG)
def test_two_who_ask_for_what_takes_long_share_nothing_that_either_could_change(name):
    assert not shared(LONG[name])


def test_what_is_shared_is_seen():
    kept = {"a": [1.0]}
    frame, fixed = pd.DataFrame({"x": [1.0]}), np.ones(2)
    fixed.setflags(write=False)
    assert shared(lambda: kept) == ["", "['a']"]
    assert shared(lambda: (frame, MappingProxyType({"b": "c"}), fixed)) == ["[0]", "[0][x]"]
    assert shared(lambda: frame.copy(deep=False)) == ["[x]"]
    assert not shared(lambda: (frame.copy(), dict(kept) and None, {"a": [1.0]}))


def keepers() -> Iterator[tuple[str, str]]:
    """Yield each function of the package that keeps what it made, and what it returns."""
    for path in Path(tf.__file__).parent.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if not re.search(r"lru_cache|import .*\b(cache|once|remembered)\b|def remembered", text):
            continue
        body = ast.parse(text).body
        for node in [one for part in body for one in ast.walk(part)]:
            if isinstance(node, ast.FunctionDef) and _keeping(node.decorator_list):
                yield node.name, ast.unparse(node.returns) if node.returns else ""
            elif isinstance(node, ast.Assign) and node in body and _keeping([node.value]):
                targets = [one for target in node.targets for one in ast.walk(target)]
                yield from ((one.id, "") for one in targets if isinstance(one, ast.Name))


def _keeping(parts: list[ast.expr]) -> bool:
    names = (one for part in parts for one in ast.walk(part))
    return any(isinstance(one, ast.Name) and one.id in KEEPING for one in names)


def test_every_function_that_keeps_what_it_made_is_looked_at():
    """A new one returns what nobody can change, stays within its module, or has a call above."""
    made = {name for name, returns in keepers() if returns not in FIXED}
    assert made - WITHIN - set(QUICK) - set(LONG) == set()
    assert made >= WITHIN  # nothing stands there that is gone
