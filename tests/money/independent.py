"""An appraisal recomputed from effects, published tables and settings; nothing of tfeval.money.

Written from the rules and not from the code: tables are read with pandas alone, effects run month
by month, persistence is integrated numerically, and what counts once is tried in every way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.linalg import null_space
from scipy.stats import norm

PUBLISHED = Path(__file__).parents[2] / "data" / "published"
PARTIES = ("participants", "victims", "others")
REACHED = {"first": "A", "second": "B", "third": "C"}
WORK = ("employment", "out_of_work", "jobseekers_allowance")
#: Outcomes that measure the same public pounds.
SAME = (
    {"out_of_work", "jobseekers_allowance"},
    {"offences", "arrest"},
    {"offences", "court_event"},
    {"first_time_entry", "offences"},
    {"first_time_entry", "arrest"},
    {"first_time_entry", "court_event"},
    {"first_time_entry", "custody"},
    {"first_time_entry", "custody_juvenile"},
)
DEFAULTS: dict[str, Any] = {
    "price_year": 2024, "edition": "2026", "rate": "standard", "timing": "mid", "horizon": 5,
    "lag": 0, "persistence": (0.5, 0.0, 1.0), "optimism_bias": 0.0, "displacement": 0.0,
    "public_funds": 1.0, "first_year": 2012, "base_year": None, "cashable_only": False,
    "relative_income": None, "elasticity": 1.3, "valued_share": 0.0, "claims": None,
    "perspective": "social", "convert": {},
}  # fmt: skip


def deflator() -> dict[int, float]:
    """Return the GDP deflator by the financial year's first calendar year."""
    rows = pd.read_csv(PUBLISHED / "deflators.csv")
    rows = rows[(rows["figure"] == "gdp_deflator_financial_year") & (rows["status"] == "read")]
    return {
        int(period[:4]): value for period, value in zip(rows["period"], rows["value"], strict=True)
    }


def first_year(label: Any) -> int:
    """Return 2014 of 2014 and of "2014-15"."""
    return int(str(label)[:4])


def discount(count: int, edition: str, rate: str, timing: str) -> np.ndarray:
    """Return factors of years 0 to count - 1: a year at a time, each at its own band's rate."""
    rows = pd.read_csv(PUBLISHED / "discount_rates.csv", dtype={"edition": str})
    rows = rows[(rows["edition"] == edition) & (rows["rate_kind"] == rate)]
    rows = rows[rows["status"] == "read"]

    def of(year: int) -> float:
        held = rows[(rows["from_year"] <= year) & (year <= rows["to_year"])]
        return float(held["value"].iloc[0]) / 100

    found, factor = [], 1.0
    for year in range(count):
        factor /= 1 + of(year) if year else 1.0
        half = (1 + of(year + 1)) ** -0.5 if timing == "mid" else 1.0
        found.append(factor * half)
    return np.array(found)


def prices(price_year: int, table: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return unit costs in one year's prices: the share that is the outcome's own of each."""
    rows = pd.read_csv(PUBLISHED / "unit_costs.csv") if table is None else table
    if "figure" in rows:
        rows = rows[rows["figure"] == "unit_cost"]
    rows = rows[rows["status"] == "read"].reset_index(drop=True)
    index = deflator()
    found = []
    for row in rows.to_dict("records"):
        up = index[price_year] / index[first_year(row["price_year"])]
        pounds = float(row["times"]) / float(row["divided_by"]) * up
        at_low, at_high = (row[end] * row[f"own_{end}"] * pounds for end in ("low", "high"))
        found.append(
            {
                "outcome": row["outcome"], "component": row["component"], "payer": row["payer"],
                "price": row["value"] * row["own"] * pounds, "low": min(at_low, at_high),
                "high": max(at_low, at_high),
                "transfer": row["transfer"] == "yes", "cashable": row["cashable"],
                "grade": max(row["made"], REACHED[row["reached"]]),
            }
        )  # fmt: skip
    return pd.DataFrame(found)


def moments(persistence: Any, most: int) -> np.ndarray:
    """Return the expected powers of persistence, integrated with 64 points a side."""
    if isinstance(persistence, Lasting):
        return persistence.moments(most)
    low, share, high = ends(persistence)
    power = np.arange(most + 1)
    if not low < share < high:
        return np.array([share**n if n else 1.0 for n in power])
    point, weight = np.polynomial.legendre.leggauss(64)
    total = np.zeros(most + 1)
    for start, end, mass in ((low, share, high - share), (share, high, share - low)):
        at = start + (end - start) * (point + 1) / 2
        total += mass / (high - low) * (weight / 2) @ at[:, None] ** power
    return total


@dataclass(frozen=True, eq=False)
class Lasting:
    """What records say of the share left each year: cells of shares, how likely each is, ties."""

    shares: np.ndarray
    likely: np.ndarray
    goes: dict[str, float]
    months: int

    def moments(self, most: int) -> np.ndarray:
        """Return the expected powers of the share."""
        return self.likely @ self.shares[:, None] ** np.arange(most + 1)

    def together(self, name: str, months: int, most: int) -> np.ndarray:
        """Return covariances of an effect and powers of the share: joint normals behind both."""
        if name not in self.goes or months != self.months:
            return np.zeros(most + 1)
        even = (np.arange(200_000) + 0.5) / 200_000
        share = np.interp(even, np.cumsum(self.likely) - self.likely / 2, self.shares)
        moved = norm.ppf(even) @ share[:, None] ** np.arange(most + 1) / len(even)
        return self.goes[name] / moved[1] * np.r_[0.0, moved[1:]]


def lasting(
    windows: pd.DataFrame, joint: np.ndarray, persistence: Any, months: int = 12
) -> Lasting:
    """Return the share left each year as effects over windows say, and how effects go with it.

    Rates are normal with g times the covariance of their estimates, g / (1 + g) as likely to be
    anything; so a share is as likely as the integral over t of (1 - t) ** (rates / 2) times the
    exponential of t halves of the sum of squares that rates explain. What effects err by, given the
    share, is what they say of combinations that no rate moves.

    Parameters
    ----------
    windows : DataFrame
        `outcome`, `months`, `estimate`, of sums over `months` or more.
    joint : ndarray
    persistence : (share, low, high)
    months : int
    """
    low, share, high = ends(persistence)
    cells = 600
    sides = [(low, share, high - share), (share, high, share - low)]
    shares = np.concatenate(
        [start + (end - start) * (np.arange(cells) + 0.5) / cells for start, end, _ in sides]
    )
    prior = np.repeat([mass / (high - low) / cells for *_, mass in sides], cells)
    names = list(dict.fromkeys(windows["outcome"]))
    seen, inverse = windows["estimate"].to_numpy(), np.linalg.inv(joint)
    node, mass = np.polynomial.legendre.leggauss(120)
    node = (node + 1) / 2
    log, error = np.zeros(len(shares)), np.zeros((len(shares), len(seen)))
    for at, one in enumerate(shares):
        rate = np.zeros((len(seen), len(names)))
        for row, (name, window) in enumerate(
            zip(windows["outcome"], windows["months"], strict=True)
        ):
            rate[row, names.index(name)] = sum(
                1.0 if month < months else one ** (1 + (month - months) // 12)
                for month in range(window)
            )
        best = np.linalg.solve(rate.T @ inverse @ rate, rate.T @ inverse @ seen)
        told = float(best @ rate.T @ inverse @ seen)
        inside = len(names) / 2 * np.log1p(-node) + node * told / 2
        log[at] = inside.max() + np.log(mass @ np.exp(inside - inside.max()))
        bare = null_space(rate.T)
        error[at] = joint @ bare @ np.linalg.solve(bare.T @ joint @ bare, bare.T @ seen)
    likely = prior * np.exp(log - log.max())
    likely /= likely.sum()
    goes = -(likely * (shares - likely @ shares)) @ error
    first = (windows["months"] == months).to_numpy()
    return Lasting(shares, likely, dict(zip(windows["outcome"][first], goes[first], strict=True)),
                   months)  # fmt: skip


def ends(persistence: Any) -> tuple[float, float, float]:
    """Return low, share and high of persistence."""
    if isinstance(persistence, tuple | list):
        share, low, high = persistence
        return low, share, high
    return persistence, persistence, persistence


@dataclass(frozen=True, eq=False)
class Pieces:
    """What an appraisal multiplies: effects, what a unit is worth to whom, years, spending."""

    asked: dict
    effects: pd.DataFrame
    rows: pd.DataFrame
    spent: pd.DataFrame
    years: list[int]
    discount: np.ndarray
    flows: list[np.ndarray]
    powers: list[np.ndarray]
    ties: list[np.ndarray]

    def less(self, at: int) -> np.ndarray:
        """Return units less of an outcome in each financial year, as expected."""
        effect = self.effects.iloc[at]
        runs = (effect["estimate"] * self.powers[at] + self.ties[at]) @ self.flows[at]
        return -effect["scale"] * effect["kept"] * runs

    def benefits(self, account: str) -> pd.DataFrame:
        """Return expected benefits: one row a component, one column a year, undiscounted."""
        found = np.zeros((len(self.rows), len(self.years)))
        for place, row in enumerate(self.rows.to_dict("records")):
            found[place] = self.less(row["of"]) * row["price"] * row[account]
        return pd.DataFrame(found, index=self.rows.index, columns=self.years)

    def costs(self, account: str, end: str = "amount") -> np.ndarray:
        """Return undiscounted costs by year."""
        sums = self.spent.groupby("year")[end].sum().reindex(self.years, fill_value=0.0)
        funds = self.asked["public_funds"] if account == "social" else 1.0
        return sums.to_numpy(dtype=float) * funds

    def accounts(self) -> pd.DataFrame:
        """Return benefits, costs, net present value and ratio of both accounts."""
        found = {}
        for account in ("fiscal", "social"):
            benefits = float((self.benefits(account) @ self.discount).sum())
            costs = float(self.costs(account) @ self.discount)
            ratio = benefits / costs if costs else np.nan
            found[account] = {"benefits": benefits, "costs": costs, "npv": benefits - costs,
                              "ratio": ratio}  # fmt: skip
        return pd.DataFrame(found).T

    def who(self) -> pd.DataFrame:
        """Return benefits by payer or party in both accounts, present value."""
        found = pd.DataFrame(
            {
                account: (self.benefits(account) @ self.discount).groupby(self.rows["payer"]).sum()
                for account in ("fiscal", "social")
            }
        )
        return found[(found != 0).any(axis=1)]

    def own_gains(self) -> tuple[float, float]:
        """Return what all but taxpayers gain apart from transfers: without earnings, and with."""
        rest = earned = 0.0
        for row in self.rows[~self.rows["public"] & ~self.rows["transfer"]].to_dict("records"):
            gain = row["price"] * float(self.less(row["of"]) @ self.discount)
            if row["payer"] == "participants":
                earned += gain
            else:
                rest += gain
        return rest + min(earned, 0.0), rest + max(earned, 0.0)

    def summary(self) -> dict[str, float]:
        """Return every measure of value for money."""
        accounts, asked = self.accounts(), self.asked
        own, fiscal = accounts.loc[asked["perspective"]], accounts.loc["fiscal"]
        families = sum(asked["families"].values())
        yearly = self.benefits(asked["perspective"]).sum().to_numpy()
        yearly = (yearly - self.costs(asked["perspective"])) * self.discount
        measures = {
            "families reached": families, "benefits": own["benefits"], "costs": own["costs"],
            "net present value": own["npv"], "benefit-cost ratio": own["ratio"],
            "fiscal benefits": fiscal["benefits"], "fiscal return": fiscal["ratio"],
            "payback year": self._payback(yearly), "cost per family": own["costs"] / families,
        }  # fmt: skip
        if asked["claims"]:
            measures["cost per claimed result"] = own["costs"] / asked["claims"]
        net = fiscal["costs"] - fiscal["benefits"]
        willing = [gain + asked["valued_share"] * fiscal["costs"] for gain in self.own_gains()]
        for end, worth in zip(("at least", "at most"), willing, strict=True):
            measures[f"willingness to pay, {end}"] = worth
            if any(willing):
                value = worth / net if net > 0 else (np.inf if worth >= 0 else np.nan)
                measures[f"marginal value of public funds, {end}"] = value
        return measures

    def _payback(self, yearly: np.ndarray) -> float:
        total = np.cumsum(yearly)
        # Years before any money flows do not pay anything back.
        first = int(np.flatnonzero(yearly)[0]) if yearly.any() else 0
        good = [year for at, year in enumerate(self.years)
                if at >= first and (total[at:] >= -0.005).all()]  # fmt: skip
        return float(good[0]) if good else np.nan


def pieces(
    effects: pd.DataFrame, costs: pd.DataFrame, table: pd.DataFrame | None = None, **asked: Any
) -> Pieces:
    """Return an appraisal's pieces.

    Parameters
    ----------
    effects : DataFrame
        `outcome`, `months`, `estimate`.
    costs : DataFrame
        `year`, `amount`, `price_year`, and `payer`, `low`, `high` if they are known.
    table : DataFrame, optional
        Unit costs in the published columns.
    **asked
        As of `tf.appraise`.
    """
    asked = {**DEFAULTS, **asked}
    families = asked["families"]
    if not isinstance(families, Mapping):
        families = {asked["first_year"]: families}
    asked["families"] = {first_year(year): float(count) for year, count in families.items()}
    lasting = asked["persistence"]
    lasting = lasting if isinstance(lasting, Mapping) else {"": lasting}
    lasting = {"": (0.5, 0.0, 1.0), **lasting}
    spent = _spent(costs, asked["price_year"])
    begin = min(*asked["families"], spent["year"].min())
    end = max(spent["year"].max(), max(asked["families"]) + asked["horizon"] - 1)
    base = begin if asked["base_year"] is None else asked["base_year"]
    years = list(range(base, end + 1))
    factors = discount(len(years), asked["edition"], asked["rate"], asked["timing"])
    held = prices(asked["price_year"], table)
    found = _effects(effects, held, asked)
    found["lasting"] = [lasting.get(name, lasting[""]) for name in found["name"]]
    flows = [_flows(row, asked, years) for row in found.to_dict("records")]
    powers = [moments(given, asked["horizon"]) for given in found["lasting"]]
    ties = [
        given.together(name, months, asked["horizon"]) if isinstance(given, Lasting)
        else np.zeros(asked["horizon"] + 1)
        for name, months, given in zip(found["name"], found["months"], found["lasting"],
                                       strict=True)
    ]  # fmt: skip
    found["kept"] = [_kept(row, held, asked) for row in found.to_dict("records")]
    lasts = [(row["estimate"] * power + tie) @ flow @ factors for row, power, tie, flow
             in zip(found.to_dict("records"), powers, ties, flows, strict=True)]  # fmt: skip
    held = _once(found, held, lasts, asked)
    known = found["outcome"].isin(held["outcome"]).to_numpy()
    found = found[known].reset_index(drop=True)
    flows = [flow for flow, keep in zip(flows, known, strict=True) if keep]
    powers = [power for power, keep in zip(powers, known, strict=True) if keep]
    ties = [tie for tie, keep in zip(ties, known, strict=True) if keep]
    return Pieces(asked, found, _rows(found, held, asked), spent, years, factors, flows, powers,
                  ties)  # fmt: skip


def _spent(costs: pd.DataFrame, price_year: int) -> pd.DataFrame:
    index = deflator()
    rows = costs.copy()
    for name in ("low", "high"):
        rows[name] = costs[name] if name in costs else costs["amount"]
    rows["payer"] = costs.get("payer", "central government")
    up = [index[price_year] / index[first_year(year)] for year in costs["price_year"]]
    for name in ("low", "amount", "high"):
        rows[name] = rows[name] * np.array(up)
    rows["year"] = [first_year(year) for year in costs["year"]]
    return rows[["year", "payer", "low", "amount", "high"]]


def _effects(effects: pd.DataFrame, held: pd.DataFrame, asked: dict) -> pd.DataFrame:
    rows = []
    for row in effects.to_dict("records"):
        outcome, scale = asked["convert"].get(row["outcome"], (row["outcome"], 1.0))
        if outcome in set(held["outcome"]):
            rows.append({"name": row["outcome"], "outcome": outcome, "scale": scale,
                         "months": int(row["months"]), "estimate": row["estimate"]})  # fmt: skip
    return pd.DataFrame(rows)


def _flows(effect: dict, asked: dict, years: list[int]) -> np.ndarray:
    """Return families x share of the effect: by power of persistence and year, month by month."""
    found = np.zeros((asked["horizon"] + 1, len(years)))
    for joined, families in asked["families"].items():
        for month in range(asked["lag"], 12 * asked["horizon"]):
            since = month - asked["lag"]
            after = 0 if since < effect["months"] else 1 + (since - effect["months"]) // 12
            found[after, joined + month // 12 - years[0]] += families / effect["months"]
    return found


def _once(found: pd.DataFrame, held: pd.DataFrame, lasts: list, asked: dict) -> pd.DataFrame:
    """Return the unit costs that count: no two of the same pounds that move alike.

    Of all sets of prices that hold no two measures of the same pounds, the one worth most, as the
    public purse counts them. Pounds are one payer's; those of a first entry are of all of them
    together.
    """
    held = held[held["outcome"].isin(found["outcome"])]
    counted = held["price"] * (held["cashable"] if asked["cashable_only"] else 1.0)
    worth: dict[tuple[str, str], float] = {}
    for row, last in zip(found.to_dict("records"), lasts, strict=True):
        rows = held["outcome"] == row["outcome"]
        for payer, price in counted[rows].groupby(held.loc[rows, "payer"]):
            key = row["outcome"], str(payer)
            less = -row["scale"] * row["kept"] * last * price.sum()
            worth[key] = worth.get(key, 0.0) + less
    gone = set()
    for sign in (1, -1):
        own = {key: sign * value for key, value in worth.items()
               if key[1] not in PARTIES and sign * value > 0}  # fmt: skip
        clash = [two for two in combinations(own, 2) if _same(*two)]
        tied = sorted({key for two in clash for key in two})
        sets = (
            keys
            for size in range(len(tied) + 1)
            for keys in map(set, combinations(tied, size))
            if not any(set(two) <= keys for two in clash)
        )
        best = max(sets, key=lambda keys: sum(own[key] for key in keys))
        gone |= set(tied) - best
    keys = pd.Series(list(zip(held["outcome"], held["payer"], strict=True)), index=held.index)
    return held[~keys.isin(gone)]


def _same(one: tuple[str, str], other: tuple[str, str]) -> bool:
    pair = {one[0], other[0]}
    return pair in SAME and ("first_time_entry" in pair or one[1] == other[1])


def _kept(effect: dict, held: pd.DataFrame, asked: dict) -> float:
    """Return what a unit of the effect counts: bias on gains, the other way on harms; work less."""
    rows = held[held["outcome"] == effect["outcome"]]
    gain = np.sign(-effect["estimate"] * effect["scale"] * rows["price"].sum())
    bias = asked["optimism_bias"]
    bias = bias.get(rows["grade"].max(), 0.0) if isinstance(bias, Mapping) else bias
    moved = 1 - asked["displacement"] if effect["outcome"] in WORK else 1.0
    return float((1 - bias * gain) * moved)


def _rows(found: pd.DataFrame, held: pd.DataFrame, asked: dict) -> pd.DataFrame:
    """Return what each unit is worth to whom; of a transfer, to participants with minus before."""
    relative = asked["relative_income"]
    weight = 1.0 if relative is None else relative ** -asked["elasticity"]
    theirs = 0.0 if asked["cashable_only"] else 1.0
    rows = []
    for of, effect in enumerate(found.to_dict("records")):
        for at, cost in held[held["outcome"] == effect["outcome"]].iterrows():
            public = cost["payer"] not in PARTIES
            cash = cost["cashable"] if asked["cashable_only"] else 1.0
            row = {"of": of, "unit": at, **cost, "public": public}
            counts = weight if cost["payer"] == "participants" else 1.0
            social = cash * asked["public_funds"] if public else theirs * counts
            rows.append(row | {"fiscal": cash if public else 0.0, "social": social})
            if cost["transfer"]:
                lost = {"payer": "participants", "public": False, "fiscal": 0.0}
                rows.append(row | lost | {"social": -theirs * weight})
    return pd.DataFrame(rows)
