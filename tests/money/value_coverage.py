"""How often do an appraisal's intervals hold the truth, in worlds drawn as an appraisal says?

    python -m tests.money.value_coverage [--worlds 2000] [--draws 1000] [--drawn | --lasting]

In each world the truth is drawn by what is stated and nothing of tfeval.money: unit costs, what
persists and what the programme cost from their ranges, with what moves together; effects from a
wide normal, as good as flat. Estimates are normal around the true effects, with errors that go
together. An appraisal of the estimates then says an interval, and the truth lies in it or not.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import norm

import tfeval as tf
from tests.money import independent
from tests.money.appraised import correlated, effects_of, price_list

EFFECTS = {
    "offences": -0.10, "custody": -0.01, "out_of_work": -20.0, "employment": 12.0,
    "looked_after": -3.0, "domestic_abuse": -0.10, "permanent_exclusions": -0.01,
}  # fmt: skip
COSTS = pd.DataFrame(
    {
        "year": ["2012-13", "2013-14", "2013-14"],
        "payer": ["central government", "central government", "local authority"],
        "amount": [1.2e6, 8e5, 6e5], "low": [1.0e6, 8e5, 0.0], "high": [1.3e6, 9e5, 3.5e6],
        "price_year": "2012-13",
    }
)  # fmt: skip
ASKED = {"families": {2012: 600, 2013: 900}, "persistence": (0.4, 0.0, 1.0), "horizon": 5}
MEASURES = ("npv", "ratio")


def between(share: np.ndarray, low, middle, high) -> np.ndarray:
    """Return what a range says: below its middle so often that the middle is its mean."""
    width = np.where(high > low, high - low, 1.0)
    below = np.where(high > low, (high - middle) / width, 1.0)
    part = np.where(below > 0, share / np.where(below > 0, below, 1.0), 1.0)
    rest = (share - below) / np.where(below < 1, 1 - below, 1.0)
    return np.where(share < below, low + (middle - low) * part, middle + (high - middle) * rest)


def true_prices(rows: pd.DataFrame, worlds: int, rng: np.random.Generator) -> np.ndarray:
    """Return unit costs in each world: an outcome's move together, a grade's half as much."""
    outcome = rows["outcome"].to_numpy()
    grade = rows.groupby("outcome")["grade"].transform("max").to_numpy()
    covariance = 0.5 * (grade[:, None] == grade) + 0.5 * (outcome[:, None] == outcome)
    size, turn = np.linalg.eigh(covariance)
    root = turn * np.sqrt(np.maximum(size, 0.0))
    share = norm.cdf(rng.standard_normal((worlds, len(rows))) @ root.T)
    share = np.where(rows["price"].to_numpy() < 0, 1 - share, share)
    return between(share, *(rows[name].to_numpy() for name in ("low", "price", "high")))


def simulate(worlds: int, draws: int, seed: int = 1, spread: float = 10.0) -> pd.DataFrame:
    """Return how often intervals hold the truth.

    Parameters
    ----------
    worlds, draws : int
        Truths, and draws of each appraisal.
    seed : int
    spread : float
        Of true effects, in standard errors.

    Returns
    -------
    DataFrame
        `account`, `measure`, `covered`, `below`, `above` (shares of worlds: the truth is in the
        interval, under it, over it), `error` (Monte Carlo, of the share).
    """
    rng = np.random.default_rng(seed)
    effects = correlated(effects_of(EFFECTS, 0.5))
    found = tf.appraise(effects, COSTS, **ASKED)
    held = independent.pieces(effects.to_frame(), COSTS, **ASKED)
    rows = held.rows.drop_duplicates("unit").reset_index(drop=True)
    prices = true_prices(rows, worlds, rng)
    low, share, high = independent.ends(ASKED["persistence"])
    lasting = between(rng.random(worlds), low, share, high)
    error = effects.frame["std_error"].to_numpy()
    truth = rng.normal(size=(worlds, len(error))) * error * spread
    noise = rng.multivariate_normal(np.zeros(len(error)), effects.joint, worlds, method="eigh")
    spent = between(rng.random(worlds), *(float(held.costs("fiscal", end) @ held.discount)
                                          for end in ("low", "amount", "high")))  # fmt: skip
    powers = lasting[:, None] ** np.arange(ASKED["horizon"] + 1)
    years = np.stack([powers @ (flow @ held.discount) for flow in held.flows], axis=1)
    place = {unit: at for at, unit in enumerate(rows["unit"])}
    gained = {}
    for account in ("fiscal", "social"):
        parts = [
            -truth[:, row["of"]] * years[:, row["of"]] * prices[:, place[row["unit"]]]
            * row[account] for row in held.rows.to_dict("records")
        ]  # fmt: skip
        gained[account] = np.sum(parts, axis=0)
    sides = np.zeros((2, 2, 3, worlds), dtype=bool)
    order = [list(effects.frame["outcome"]).index(name) for name in found.model.outcomes]
    for world in range(worlds):
        estimate = truth[world] + noise[world]
        frame = effects.frame.assign(estimate=estimate)
        model = replace(found.model, estimate=estimate[order])
        here = replace(found, model=model, effects=replace(effects, frame=frame))
        said = here.uncertainty(draws=draws, seed=world).accounts().set_index("account")
        for row, account in enumerate(gained):
            value, cost = gained[account][world], spent[world]
            for column, (name, true) in enumerate(
                zip(MEASURES, (value - cost, value / cost), strict=True)
            ):
                ends = said.loc[account, [f"{name}_low", f"{name}_high"]].to_numpy(dtype=float)
                sides[row, column, :, world] = (
                    ends[0] <= true <= ends[1], true < ends[0], true > ends[1]
                )  # fmt: skip
    return pd.DataFrame(
        [
            {
                "account": account, "measure": name, "covered": share[0], "below": share[1],
                "above": share[2], "error": float(np.sqrt(share[0] * (1 - share[0]) / worlds)),
            }
            for row, account in enumerate(gained)
            for column, name in enumerate(MEASURES)
            for share in (sides[row, column].mean(axis=1),)
        ]
    )  # fmt: skip


#: Windows of effects, in months; errors of twelve months are 1 and of months independent.
WINDOWS = (12, 18, 24)
#: Of the families whose effects are appraised, the share that is followed over all windows.
FOLLOWED = 0.6
PRICES = {"offences": 100.0, "in_need": 40.0}
SPENT = pd.DataFrame({"year": [2012], "amount": [1.5e5], "low": [1e5], "high": [3e5],
                      "price_year": [2012]})  # fmt: skip


def seen_over_windows(
    rng: np.random.Generator, spread: float, part: bool, joint: np.ndarray
) -> tuple[float, np.ndarray, tf.Decay, tf.Effects]:
    """Return a share left and rates as they are, what is fitted of the share, effects as seen."""
    rows = pd.DataFrame({"outcome": np.repeat(list(PRICES), 3), "months": [*WINDOWS] * 2,
                         "std_error": np.sqrt(np.diag(joint))})  # fmt: skip
    share, rates = rng.random(), rng.normal(size=2) * spread
    sums = [sum(share ** (month // 12) for month in range(window)) / 12 for window in WINDOWS]
    seen = np.kron(rates, sums) + rng.multivariate_normal(np.zeros(6), joint)
    lasting = tf.decay(tf.Effects(rows.assign(estimate=seen), joint), part=part)
    estimate, own, whole = seen[[0, 3]], joint[np.ix_([0, 3], [0, 3])], 1.0
    if part:
        noise = rng.multivariate_normal(np.zeros(2), own * FOLLOWED / (1 - FOLLOWED))
        estimate, whole = FOLLOWED * estimate + (1 - FOLLOWED) * (rates + noise), FOLLOWED
    frame = rows.iloc[[0, 3]].reset_index(drop=True)
    frame = frame.assign(estimate=estimate, std_error=np.sqrt(np.diag(own) * whole))
    return share, rates, lasting, tf.Effects(frame, own * whole)


def simulate_lasting(
    worlds: int, draws: int, seed: int = 1, spread: float = 3.0, *, part: bool = False
) -> pd.DataFrame:
    """Return how often intervals hold the truth where what persists is fitted from the records.

    In each world a share left each year is drawn from what is assumed of it, unit costs and what
    the programme cost from their ranges, and effects over all windows are seen with errors that go
    together; `tf.decay` fits the share, and an appraisal of the effects of twelve months takes it.

    Parameters
    ----------
    worlds, draws, seed, spread
        As in `simulate`.
    part : bool
        Whether the share is fitted to some of the families whose effects are appraised.

    Returns
    -------
    DataFrame
        One row a measure: `covered`, `below`, `above`, `error`, `width` (of the intervals, over
        those where what persists is drawn apart from the effects), and `correlation` (between the
        error of the effects and of what persists, over worlds).
    """
    rng = np.random.default_rng(seed)
    joint = np.kron(0.3 + 0.7 * np.eye(2), np.minimum.outer(WINDOWS, WINDOWS) / 12)
    table = price_list(*((name, "all", price, "MoJ", "no") for name, price in PRICES.items()),
                       year="2012-13", spread=0.3)  # fmt: skip
    priced = true_prices(independent.prices(2012, table), worlds, rng)
    factors = 1.035 ** -(np.arange(4) + 0.5)
    spent = between(rng.random(worlds), *(SPENT[name].iloc[0] * factors[0]
                                          for name in ("low", "amount", "high")))  # fmt: skip
    kept, errors = np.zeros((2, 3, worlds), dtype=bool), np.zeros((2, worlds))
    widths = np.zeros((2, 2))
    for world in range(worlds):
        share, rates, lasting, effects = seen_over_windows(rng, spread, part, joint)
        found = tf.appraise(
            effects, SPENT, persistence=lasting, families=1_000, horizon=4, price_year=2012,
            perspective="fiscal", unit_cost_table=table,
        )  # fmt: skip
        said = found.uncertainty(draws, world).accounts().iloc[0]
        if not world % 8:
            apart = replace(found, model=replace(found.model, tie=np.zeros(2)))
            loose = apart.uncertainty(draws, world).accounts().iloc[0]
            widths += [[one[f"{name}_high"] - one[f"{name}_low"] for one in (said, loose)]
                       for name in MEASURES]  # fmt: skip
        value = -1_000 * float(rates @ priced[world]) * float(share ** np.arange(4) @ factors)
        for at, true in enumerate((value - spent[world], value / spent[world])):
            low, high = said[f"{MEASURES[at]}_low"], said[f"{MEASURES[at]}_high"]
            kept[at, :, world] = low <= true <= high, true < low, true > high
        off = effects.frame["estimate"].to_numpy() - rates
        errors[:, world] = (
            off @ priced[world] * np.sign(rates @ priced[world]), lasting.mean - share
        )  # fmt: skip
    found = pd.DataFrame(kept.mean(axis=2), columns=["covered", "below", "above"])
    found.insert(0, "measure", MEASURES)
    return found.assign(
        error=np.sqrt(found["covered"] * (1 - found["covered"]) / worlds),
        width=widths[:, 0] / widths[:, 1], correlation=float(np.corrcoef(errors)[0, 1]),
    )  # fmt: skip


#: The committed tables: of what persists as estimated, and as drawn from what is assumed.
TABLE = Path(__file__).with_name("value_coverage.csv")
DRAWN = Path(__file__).with_name("value_coverage_drawn.csv")


def drawn_table(worlds: int, draws: int) -> pd.DataFrame:
    """Return coverage where persistence is drawn, by the size of true effects."""
    return pd.concat(
        [simulate(worlds, draws, seed, spread).assign(spread=spread, worlds=worlds)
         for seed, spread in enumerate([1.0, 3.0, 10.0], 1)],
        ignore_index=True,
    )  # fmt: skip


def lasting_table(worlds: int, draws: int) -> pd.DataFrame:
    """Return coverage where persistence is estimated, by the size of true effects."""
    return pd.concat(
        [simulate_lasting(worlds, draws, seed, spread, part=part)
         .assign(spread=spread, part=part, worlds=worlds)
         for seed, (spread, part) in enumerate(
             [(1.0, False), (3.0, False), (10.0, False), (3.0, True), (10.0, True)], 1)],
        ignore_index=True,
    )  # fmt: skip


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=2_000)
    parser.add_argument("--draws", type=int, default=1_000)
    parser.add_argument("--spread", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    for name in ("--drawn", "--lasting"):
        parser.add_argument(name, action="store_true", help="write the table beside")
    asked = parser.parse_args()
    if asked.drawn or asked.lasting:
        make, path = (lasting_table, TABLE) if asked.lasting else (drawn_table, DRAWN)
        found = make(asked.worlds, asked.draws).round(4)
        found.to_csv(path, index=False, lineterminator="\n")
        sys.stdout.write(f"{found.to_string(index=False)}\n")
        return
    found = simulate(asked.worlds, asked.draws, asked.seed, asked.spread)
    sys.stdout.write(f"{found.round(4).to_string(index=False)}\n")


if __name__ == "__main__":
    main()
