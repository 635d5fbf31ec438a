"""Appraisals are what a second calculation makes of the same effects, tables and settings."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import tfeval as tf
from tests.money import independent
from tests.money.appraised import effects_of
from tfeval.money.prices import editions, proposals
from tfeval.money.unit_costs import unit_costs
from tfeval.programme.outcomes import OUTCOMES

PRICED = sorted(unit_costs(2024)["outcome"].unique())
TIED = sorted({*tf.same_pounds()["wider"], *tf.same_pounds()["narrower"]})
ROUNDS = 40


def random_effects(rng: np.random.Generator):
    """Return effects of some outcomes, one of them without a price, over windows of one length."""
    names = {str(name) for name in rng.choice(PRICED, rng.integers(1, len(PRICED)), replace=False)}
    if rng.random() < 0.5:
        names |= {str(name) for name in rng.choice(TIED, 4, replace=False)}
    sizes = {name: float(rng.normal() * rng.choice([0.0, 0.1, 1.0])) for name in sorted(names)}
    return effects_of(sizes | {"fixed_exclusions": 0.1}, 0.3, months=int(rng.integers(1, 37)))


def random_costs(rng: np.random.Generator) -> pd.DataFrame:
    """Return costs of some years and payers, in the prices of several years."""
    rows = int(rng.integers(1, 6))
    amount = rng.uniform(0, 5e5, rows)
    return pd.DataFrame(
        {
            "year": rng.choice(["2011-12", "2012-13", "2013-14", "2015-16"], rows),
            "payer": rng.choice(["central government", "local authority", "DWP"], rows),
            "amount": amount, "low": amount * 0.7, "high": amount * 2.0,
            "price_year": rng.choice(["2010-11", "2014-15", "2024-25"], rows),
        }
    )  # fmt: skip


def random_settings(rng: np.random.Generator, outcomes: list[str]) -> dict:
    """Return settings of every kind."""
    edition = str(rng.choice([*editions(), *proposals()]))
    share = float(rng.choice([0.0, 1.0, rng.random()]))
    low, high = share * rng.random(), share + (1 - share) * rng.random()
    lasting = [share, (share, low, high), {"": (share, low, high), outcomes[0]: 0.3}]
    biases = [0.0, float(rng.random()), {"A": 0.1, "B": 0.2, "C": float(rng.random())}]
    families = {
        int(year): float(rng.uniform(1, 5e4))
        for year in rng.choice(range(2011, 2017), rng.integers(1, 4), replace=False)
    }
    return {
        "families": families, "price_year": int(rng.integers(2005, 2025)), "edition": edition,
        "rate": "sensitivity" if edition == "2026" and rng.random() < 0.5 else "standard",
        "timing": str(rng.choice(["mid", "end"])), "horizon": int(rng.integers(1, 13)),
        "lag": int(rng.integers(0, 30)), "persistence": lasting[rng.integers(3)],
        "optimism_bias": biases[rng.integers(3)], "displacement": float(rng.random()),
        "public_funds": float(rng.uniform(1, 1.5)), "valued_share": float(rng.random()),
        "cashable_only": bool(rng.random() < 0.3), "claims": 70.0,
        "perspective": str(rng.choice(["social", "fiscal"])),
        "relative_income": 0.6 if "employment" in outcomes else None,
        "base_year": [None, 2010][rng.integers(2)],
    }  # fmt: skip


def test_the_second_calculation_imports_nothing_of_the_first():
    tree = ast.parse(Path(independent.__file__).read_text(encoding="utf-8"))
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import)
             for alias in node.names]  # fmt: skip
    names += [str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert "numpy" in names
    assert not [name for name in names if name.startswith(("tfeval", "tests"))]


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_an_appraisal_of_anything_is_what_the_second_calculation_says(seed):
    rng = np.random.default_rng(seed)
    effects, costs = random_effects(rng), random_costs(rng)
    asked = random_settings(rng, list(effects.frame["outcome"]))
    found = tf.appraise(effects, costs, **asked)
    other = independent.pieces(effects.to_frame(), costs, **asked)
    # A sum of gains and harms is known to within the size of what it adds up.
    size = 1e-9 * max(1.0, float(np.abs(other.who()).to_numpy().sum()), found.costs)
    accounts = found.accounts().set_index("account")
    for column in ("benefits", "costs", "npv"):
        expected = other.accounts()[column].to_dict()
        assert accounts[column].to_dict() == pytest.approx(expected, rel=1e-9, abs=size)
    who = found.who().set_index("payer")
    expected = other.who().reindex(who.index, fill_value=0.0)
    assert who[["fiscal", "social"]].to_numpy() == pytest.approx(
        expected.to_numpy(), rel=1e-9, abs=size
    )
    assert set(other.who().index) <= set(who.index)
    measures = found.summary().set_index("measure")["value"]
    for name, value in other.summary().items():
        free = size if "£" in name or "present" in name or name.endswith("benefits") else 0.0
        expected = pytest.approx(value, rel=1e-7, abs=max(free, 1e-9), nan_ok=True)
        assert measures[name] == expected, name


def test_converted_effects_are_what_the_second_calculation_says():
    effects = effects_of({"absence": -0.02, "custody": -0.01, "adults": 0.003}, 0.3)
    convert = {"absence": ("sessions_unauthorised", 380.0), "adults": ("custody", 2.0)}
    costs = pd.DataFrame({"year": ["2012-13"], "amount": [1e5], "price_year": ["2012-13"]})
    asked = {"families": 1_000, "convert": convert}
    other = independent.pieces(effects.to_frame(), costs, **asked).accounts()
    found = tf.appraise(effects, costs, **asked).accounts().set_index("account")
    assert found["npv"].to_dict() == pytest.approx(other["npv"].to_dict(), rel=1e-9)


def test_unit_costs_are_what_the_second_calculation_says():
    for year in (2005, 2013, 2024):
        found = unit_costs(year).set_index(["outcome", "component"])
        other = independent.prices(year).set_index(["outcome", "component"])
        assert set(found.index) == set(other.index)
        for name, column in (("amount", "price"), ("low", "low"), ("high", "high")):
            expected = other[column].reindex(found.index).to_numpy()
            assert found[name].to_numpy(dtype=float) == pytest.approx(expected, rel=1e-12)
        assert found["grade"].equals(other["grade"].reindex(found.index))
    assert set(PRICED) <= set(OUTCOMES)
