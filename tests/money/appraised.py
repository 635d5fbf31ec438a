"""What the tests of appraisals share: small effects, small unit costs, and a slow appraisal."""

from __future__ import annotations

import numpy as np
import pandas as pd

import tfeval as tf
from tfeval.impact.effects.effects import Effects
from tfeval.money.unit_costs import unit_costs

OUTCOMES = {
    "offences": -0.10,
    "custody": -0.01,
    "asb_incidents": 0.20,
    "out_of_work": -20.0,
    "looked_after": -3.0,
    "emergency_admissions": -0.05,
    "ae_attendances": 0.10,
    "domestic_abuse": -0.10,
    "sessions_unauthorised": -5.0,
    "permanent_exclusions": -0.01,
}


def effects_of(estimates: dict, errors: dict | float = 0.0, months: int = 12, **columns) -> Effects:
    """Return effects with independent errors; a number is a share of the estimate."""
    value = np.array(list(estimates.values()), dtype=float)
    if isinstance(errors, dict):
        error = np.array([errors[name] for name in estimates], dtype=float)
    else:
        error = np.abs(value) * errors
    frame = pd.DataFrame(
        {
            "outcome": list(estimates),
            "months": months,
            "estimate": value,
            "std_error": error,
            "conf_low": value - 1.96 * error,
            "conf_high": value + 1.96 * error,
            **columns,
        }
    )
    return Effects(frame, np.diag(error**2))


def correlated(effects: Effects, seed: int = 1) -> Effects:
    """Return the effects with errors that go together at random."""
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(len(effects.frame),) * 2)
    held = root @ root.T
    scale = effects.frame["std_error"].to_numpy() / np.sqrt(np.diag(held))
    return Effects(effects.frame, held * np.outer(scale, scale))


def price_list(*rows: tuple, year: str = "2012-13", spread: float = 0.0) -> pd.DataFrame:
    """Return unit costs: rows of outcome, component, pounds, payer, transfer."""
    filled = [
        {
            "outcome": outcome, "component": component, "code": "T1", "price_year": year,
            "payer": payer, "per": "unit", "times": 1.0, "divided_by": 1.0, "conversion": "none",
            "low": float(value) * (1 - spread), "high": float(value) * (1 + spread),
            "range_basis": "for a test", "layer": "fiscal", "transfer": transfer,
            "cashability": "cashable" if transfer == "yes" else "capacity", "grade": "B",
            "note": "", "value": float(value), "definition": "", "source_title": "A test",
            "publisher": "A test", "date": "2026", "url": "https://example.org", "status": "read",
        }
        for outcome, component, value, payer, transfer in rows
    ]  # fmt: skip
    return pd.DataFrame(filled)


CRIME = price_list(
    ("offences", "police", 100.0, "Home Office/police", "no"),
    ("offences", "courts", 50.0, "MoJ", "no"),
)
BENEFIT = price_list(("out_of_work", "benefit payments", 30.0, "DWP", "yes"))
PLAIN = {"price_year": 2012, "edition": "2022", "timing": "end", "persistence": 0.5}


def slowly(appraisal) -> float:
    """Return an appraisal's net present value by loops, from its settings and unit costs alone."""
    asked = appraisal.settings
    base = min([*asked.families, *appraisal.spent["year"]])
    kept = set(appraisal.found.costs[["outcome", "component"]].itertuples(index=False, name=None))
    prices = unit_costs(asked.price_year).to_dict("records")
    total = 0.0
    for effect in appraisal.found.effects.to_dict("records"):
        for cost in prices:
            if (
                cost["outcome"] == effect["outcome"]
                and (cost["outcome"], cost["component"]) in kept
            ):
                total += _worth(effect, cost, asked, base)
    for cost in appraisal.spent.to_dict("records"):
        total -= cost["amount"] * _factor(cost["year"] - base, asked.timing)
    return total


def _factor(years: int, timing: str) -> float:
    """Return the discount factor at 3.5%, the rate of every edition for thirty years."""
    if years == 0:
        return 1.0
    return 1.035 ** -(years - 0.5 if timing == "mid" else years)


def _worth(effect: dict, cost: dict, asked, base: int) -> float:
    """Return what one component of one effect is worth, month by month."""
    if asked.cashable_only and cost["cashability"] != "cashable":
        return 0.0
    worth = cost["amount"]
    if cost["transfer"] == "yes" and asked.perspective == "social":
        worth -= cost["amount"] * asked.weight
    total = 0.0
    for joined, families in asked.families.items():
        for month in range(asked.lag, 12 * asked.horizon):
            since = month - asked.lag
            after = 0 if since < effect["months"] else 1 + (since - effect["months"]) // 12
            less = -effect["estimate"] / effect["months"] * families
            less *= asked.persistence[""].share ** after
            less *= 1 - asked.optimism_bias * np.sign(less * cost["amount"])
            total += less * worth * _factor(joined + month // 12 - base, asked.timing)
    return total


def whole(**asked):
    """Return an appraisal of all outcomes at published unit costs and phase one's costs."""
    effects = correlated(effects_of(OUTCOMES, 0.5))
    families = {2012: 35_000, 2013: 40_000, 2014: 42_910}
    return tf.appraise(
        effects,
        tf.programme_costs("one", price_year=2024),
        **{"families": families, **asked},
    )
