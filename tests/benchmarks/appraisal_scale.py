"""Measure an appraisal's uncertainty at scale, beside plain loops over the same draws.

    python tests/benchmarks/appraisal_scale.py [--draws 10000] [--rounds 5] [--loop 1000]

15 outcomes, each with unit costs at 8 payers, over 10 years, from drawing to net value by draw,
year and payer. The loop is what a script would do with numpy, draw by draw; it is timed on
`--loop` draws, checked against the same numbers, and scaled up. Then 152 areas with 10 outcomes.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
import pandas as pd

import tfeval as tf
from tfeval.impact.effects.effects import Effects
from tfeval.money.model import ACCOUNTS
from tfeval.money.unit_costs import PARTIES, PUBLIC

OUTCOMES, YEARS, AREAS = 15, 10, 152
EIGHT = (*PUBLIC[:5], *PARTIES)


def unit_costs() -> pd.DataFrame:
    """Return a unit cost of every outcome at each of eight payers."""
    rng = np.random.default_rng(1)
    rows = []
    for outcome in range(OUTCOMES):
        for payer in EIGHT:
            value = float(rng.uniform(10, 500))
            rows.append(
                {
                    "outcome": f"outcome{outcome}", "component": payer, "code": "", "per": "unit",
                    "price_year": "2024-25", "times": 1.0, "divided_by": 1.0, "conversion": "none",
                    "value": value, "low": value * 0.6, "high": value * 1.8, "range_basis": "test",
                    "payer": payer, "transfer": "no", "cashable": 0.5, "cashable_low": 0.0,
                    "cashable_high": 1.0, "own": 0.9, "own_low": 0.8, "own_high": 1.0,
                    "overlaps": "test", "price_index": "gdp_deflator", "priced": "average",
                    "made": "ABC"[outcome % 3], "reached": "first",
                    "note": "", "definition": "", "source_title": "test", "publisher": "test",
                    "date": "2026", "url": "https://example.org", "status": "read",
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def effects() -> Effects:
    """Return effects that go together."""
    rng = np.random.default_rng(2)
    root = rng.normal(size=(OUTCOMES, OUTCOMES))
    joint = root @ root.T / OUTCOMES
    names = [f"outcome{at}" for at in range(OUTCOMES)]
    rows = pd.DataFrame({"outcome": names, "months": 12, "estimate": rng.normal(size=OUTCOMES),
                         "std_error": np.sqrt(np.diag(joint))})  # fmt: skip
    return Effects(rows, joint)


def loop(model, drawn, count: int) -> np.ndarray:
    """Return net value by draw, year and payer, one draw after the other, each with numpy."""
    net = np.zeros((count, len(model.years), len(model.payers)))
    for draw in range(count):
        both = zip(drawn.powers[draw], model.reach, strict=True)
        families = np.array([powers @ reach for powers, reach in both])
        cut = -drawn.effect[draw] * model.scale
        price = drawn.amount[draw, model.unit] * model.factor[ACCOUNTS.index("social")]
        pounds = (cut[model.of] * price)[:, None] * families[model.group[model.of]]
        for payer in range(len(model.payers)):
            net[draw, :, payer] = pounds[model.payer == payer].sum(axis=0)
        low, middle, high = model.costs
        side = drawn.cost[draw]
        net[draw] -= middle + (-side * (low - middle) if side < 0 else side * (high - middle))
    return net


def timed(work, rounds: int) -> float:
    """Return the median seconds of some rounds, one before not counted."""
    work()
    times = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return statistics.median(times)


def areas() -> tuple[dict, dict]:
    """Return pooled effects of 152 areas on 10 outcomes with a published price, and families."""
    rng = np.random.default_rng(3)
    names = [f"area {at}" for at in range(AREAS)]
    sizes = {
        "offences": 0.1, "custody": 0.01, "asb_incidents": 0.2, "out_of_work": 20.0,
        "looked_after": 3.0, "emergency_admissions": 0.05, "ae_attendances": 0.1,
        "domestic_abuse": 0.1, "sessions_unauthorised": 5.0, "permanent_exclusions": 0.01,
    }  # fmt: skip
    pooled = {
        name: tf.pool_areas(rng.normal(-size, size, AREAS), np.full(AREAS, size), names)
        for name, size in sizes.items()
    }
    return pooled, {name: float(rng.integers(50, 3_000)) for name in names}


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--loop", type=int, default=1_000)
    asked = parser.parse_args()
    costs = pd.DataFrame({"year": ["2012-13"], "amount": [1e6], "low": [8e5], "high": [1.5e6],
                          "price_year": ["2024-25"], "payer": ["central government"]})  # fmt: skip
    found = tf.appraise(effects(), costs, families=1_000, horizon=YEARS,
                        unit_cost_table=unit_costs())  # fmt: skip

    def ours():
        drawn = found.uncertainty(draws=asked.draws)
        return drawn, drawn.by_year_payer()

    drawn, net = ours()
    start = time.process_time()
    plain = loop(found.model, drawn.drawn, asked.loop)
    slow = (time.process_time() - start) / asked.loop * asked.draws
    assert np.allclose(plain, net[: asked.loop]), "the loop and the model disagree"
    fast = timed(ours, asked.rounds)
    cells = timed(drawn.by_year_payer, asked.rounds)
    print(
        f"draws x outcomes x years x payers: {asked.draws:,} x {OUTCOMES} x {YEARS} x {len(EIGHT)}"
    )
    print(f"ours {fast:.3f} s of a processor, drawing included; years and payers {cells:.3f} s")
    print(
        f"loop, without drawing, {slow:.2f} s (from {asked.loop:,}): {slow / cells:.0f} times that"
    )
    pooled, families = areas()
    took = timed(lambda: tf.appraise_areas(pooled, 1e9, families=families), asked.rounds)
    print(f"{AREAS} areas x {len(pooled)} outcomes x 4,000 draws: {took:.2f} s")


if __name__ == "__main__":
    main()
