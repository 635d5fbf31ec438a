"""An appraisal's model and its lines, every pound of them, from effects, unit costs and costs."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tfeval.errors import ParameterError
from tfeval.money.account import PROGRAMME
from tfeval.money.appraisal_settings import AppraisalSettings
from tfeval.money.discounting import discount_factors
from tfeval.money.model import Array, Model
from tfeval.money.monetised import Valued
from tfeval.money.profiles import Persistence, profile, reached, window_weights

#: Columns of `Appraisal.lines`, in order.
LINE_COLUMNS = (
    *("kind", "year", "joined", "outcome", "line", "component", "code", "payer", "layer"),
    *(
        "transfer",
        "cashability",
        "grade",
        "effect",
        "families",
        "profile",
        "scale",
        "quantity",
        "per",
    ),
    *("unit_cost", "factor", "undiscounted", "discount_factor", "present_value"),
)


def timeline(asked: AppraisalSettings, spent: pd.DataFrame) -> tuple[int, ...]:
    """Return the financial years of an appraisal, the base year first.

    Raises
    ------
    ParameterError
        If something happens before the base year.
    """
    first = min(int(spent["year"].min()), *asked.families)
    last = max(int(spent["year"].max()), max(asked.families) + asked.horizon - 1)
    base = first if asked.base_year is None else int(asked.base_year)
    if base > first:
        raise ParameterError(
            f"base_year is {base}, but money is spent or families join in {first}: use {first} or "
            "earlier."
        )
    return tuple(range(base, last + 1))


def model_of(
    found: Valued, rows: pd.DataFrame, spent: pd.DataFrame, covariance: Array,
    asked: AppraisalSettings,
) -> Model:  # fmt: skip
    """Return the model of an appraisal.

    Parameters
    ----------
    found : Valued
    rows : DataFrame
        As from `account`.
    spent : DataFrame
        As from `programme_lines`.
    covariance : ndarray, shape (k, k)
        Of the valued effects.
    asked : AppraisalSettings
    """
    years = timeline(asked, spent)
    effects, counted = found.effects, rows[rows["counted"]]
    spans = [_span(row, asked) for row in effects.to_dict("records")]
    groups = list(dict.fromkeys(spans))
    reach = [
        reached(asked.families, window_weights(months, asked.horizon, asked.lag), years)
        for months, _ in groups
    ]
    payers = tuple(dict.fromkeys([*counted["payer"], *spent["payer"]]))
    amount = found.costs.groupby("outcome", sort=False)["amount"].sum()
    return Model(
        outcomes=tuple(effects["name"]),
        estimate=effects["estimate"].to_numpy(dtype=float),
        std_error=effects["std_error"].to_numpy(dtype=float),
        covariance=covariance,
        scale=effects["scale"].to_numpy(dtype=float),
        sign=np.where(effects["outcome"].map(amount) < 0, -1.0, 1.0),
        bias=float(asked.optimism_bias),
        amount=found.costs["amount"].to_numpy(dtype=float),
        low=found.costs["low"].to_numpy(dtype=float),
        high=found.costs["high"].to_numpy(dtype=float),
        unit=counted["unit"].to_numpy(dtype=np.intp),
        factor=(counted["turned"] * counted["weight"]).to_numpy(dtype=float),
        of=counted["of"].to_numpy(dtype=np.intp),
        payer=np.array([payers.index(name) for name in counted["payer"]], dtype=np.intp),
        payers=payers,
        years=years,
        discount=discount_factors(len(years) - 1, asked.edition, asked.rate, asked.timing),
        group=np.array([groups.index(span) for span in spans], dtype=np.intp),
        reach=np.stack(reach),
        persistence=np.array([[held.low, held.share, held.high] for _, held in groups]),
        costs=_costs(spent, years, payers),
    )


def _span(row: dict, asked: AppraisalSettings) -> tuple[int, Persistence]:
    lasting = asked.persistence
    held = lasting.get(row["name"]) or lasting[""]
    return int(row["months"]), held


def _costs(spent: pd.DataFrame, years: tuple[int, ...], payers: tuple[str, ...]) -> Array:
    found = np.zeros((3, len(years), len(payers)))
    at = (spent["year"].to_numpy(dtype=int) - years[0],
          np.array([payers.index(name) for name in spent["payer"]]))  # fmt: skip
    for place, name in enumerate(("low", "amount", "high")):
        np.add.at(found[place], at, spent[name].to_numpy(dtype=float))
    return found


def lines_of(
    model: Model, found: Valued, rows: pd.DataFrame, spent: pd.DataFrame, asked: AppraisalSettings
) -> pd.DataFrame:
    """Return one row a year, year of joining, effect, component and payer; and the costs.

    Returns
    -------
    DataFrame
        `LINE_COLUMNS` and `counted`, whether the perspective counts the row.
    """
    cut = -model.estimate * model.scale
    kept = np.divide(model.reduction(model.estimate[None, :])[0], cut,
                     out=np.ones(len(cut)), where=cut != 0)  # fmt: skip
    spans = [_span(row, asked) for row in found.effects.to_dict("records")]
    shares = np.stack(
        [profile(months, asked.horizon, asked.lag, held.share) for months, held in spans]
    )
    joined = list(asked.families.items())
    parts = []
    for since in range(asked.horizon):
        for year, count in joined:
            of = rows["of"].to_numpy()
            share = shares[of, since]
            part = rows.assign(
                kind="benefit", joined=year, year=year + since, families=count, profile=share,
                effect=model.estimate[of], factor=kept[of] * rows["weight"],
                scale=model.scale[of], quantity=-cut[of] * count * share,
            )  # fmt: skip
            parts.append(part[share > 0])
    frame = pd.concat([*parts, _spent_lines(spent)], ignore_index=True)
    value = -frame["quantity"] * frame["unit_cost"] * frame["factor"]
    factors = model.discount[frame["year"].to_numpy(dtype=int) - model.years[0]]
    frame = frame.assign(undiscounted=value, discount_factor=factors, present_value=value * factors)
    order = ["kind", "year", "joined"]
    return frame.sort_values(order, kind="stable", ignore_index=True)[[*LINE_COLUMNS, "counted"]]


def _spent_lines(spent: pd.DataFrame) -> pd.DataFrame:
    """Return costs as lines: one unit of spending for each pound."""
    return pd.DataFrame(
        {
            "kind": "cost", "year": spent["year"], "joined": np.nan, "outcome": PROGRAMME,
            "line": spent["line"], "component": "", "code": "", "payer": spent["payer"],
            "layer": "fiscal", "transfer": "no", "cashability": "", "grade": "",
            "effect": np.nan, "families": np.nan, "profile": np.nan,
            "scale": np.nan, "quantity": 1.0, "per": "cost line", "unit_cost": spent["amount"],
            "factor": 1.0, "counted": True,
        }
    )  # fmt: skip
