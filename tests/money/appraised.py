"""What the tests of appraisals share: small effects, and small unit costs."""

from __future__ import annotations

import numpy as np
import pandas as pd

import tfeval as tf
from tfeval.impact.effects.effects import Effects

OUTCOMES = {
    "offences": -0.10,
    "custody": -0.01,
    "asb_incidents": 0.20,
    "out_of_work": -20.0,
    "employment": 12.0,
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


def price_list(*rows: tuple, year: str = "2012-13", spread: float = 0.0, **columns) -> pd.DataFrame:
    """Return unit costs: rows of outcome, component, pounds, payer, transfer; wholly their own."""
    filled = [
        {
            "outcome": outcome, "component": component, "code": "T1", "price_year": year,
            "price_index": "gdp_deflator", "payer": payer, "per": "unit", "times": 1.0,
            "divided_by": 1.0, "conversion": "none", "low": float(value) * (1 - spread),
            "high": float(value) * (1 + spread), "range_basis": "for a test",
            "transfer": transfer, "own": 1.0, "own_low": 1.0, "own_high": 1.0, "overlaps": "",
            "cashable": cash, "cashable_low": cash, "cashable_high": cash,
            "priced": "average", "made": "B", "reached": "second", "note": "",
            "value": float(value), "definition": "", "source_title": "A test",
            "publisher": "A test", "date": "2026", "url": "https://example.org", "status": "read",
            **columns,
        }
        for outcome, component, value, payer, transfer in rows
        for cash in (float(transfer == "yes"),)
    ]  # fmt: skip
    return pd.DataFrame(filled)


CRIME = price_list(
    ("offences", "police", 100.0, "Home Office/police", "no"),
    ("offences", "courts", 50.0, "MoJ", "no"),
)
BENEFIT = price_list(("out_of_work", "benefit payments", 30.0, "DWP", "yes"))
PLAIN = {"price_year": 2012, "edition": "2022", "timing": "end", "persistence": 0.5}


def whole(**asked):
    """Return an appraisal of all outcomes at published unit costs and phase one's costs."""
    effects = correlated(effects_of(OUTCOMES, 0.5))
    families = {2012: 35_000, 2013: 40_000, 2014: 42_910}
    return tf.appraise(
        effects,
        tf.programme_costs("one", price_year=2024),
        **{"families": families, **asked},
    )
