"""From effects and costs to value for money: the one call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tfeval.errors import ParameterError, suggest
from tfeval.money.account import PROGRAMME, account, programme_lines, public_values
from tfeval.money.appraisal import Appraisal
from tfeval.money.appraisal_settings import (
    DEFAULT_PERSISTENCE,
    WORK,
    AppraisalSettings,
    settings_of,
)
from tfeval.money.model import ACCOUNTS, Array, Model
from tfeval.money.monetised import Valued, chosen, valued, without_error, without_small
from tfeval.money.notes import notes_on
from tfeval.money.persistence import Given, profile, reached, window_weights
from tfeval.money.prices import discount_factors
from tfeval.money.unit_costs import TAXPAYERS
from tfeval.programme.outcomes import OUTCOMES

if TYPE_CHECKING:
    from tfeval.impact.effects.effects import Effects


# An appraisal's model and its lines, every pound of them, from effects, unit costs and costs.

#: The most of the variance of what persists that effects may tell.
_ALL = 0.999
#: Columns of `Appraisal.lines`, in order.
LINE_COLUMNS = (
    *("kind", "term", "year", "joined", "outcome", "line", "component", "code", "payer", "party"),
    *("transfer", "grade", "effect", "families", "profile", "scale", "quantity", "per"),
    *("unit_cost", "factor", "undiscounted", "discount_factor", "present_value"),
)


def timeline(settings: AppraisalSettings, spent: pd.DataFrame) -> tuple[int, ...]:
    """Return the financial years of an appraisal, the base year first.

    Raises
    ------
    ParameterError
        If something happens before the base year.
    """
    first = min(int(spent["year"].min()), *settings.families)
    last = max(int(spent["year"].max()), max(settings.families) + settings.horizon - 1)
    base = first if settings.base_year is None else int(settings.base_year)
    if base > first:
        raise ParameterError(
            f"base_year is {base}, but money is spent or families join in {first}: use {first} or "
            "earlier."
        )
    return tuple(range(base, last + 1))


def model_of(
    valuation: Valued, rows: pd.DataFrame, spent: pd.DataFrame, covariance: Array,
    settings: AppraisalSettings,
) -> Model:  # fmt: skip
    """Return the model of an appraisal.

    Parameters
    ----------
    valuation : Valued
    rows : DataFrame
        As from `account`.
    spent : DataFrame
        As from `programme_lines`.
    covariance : ndarray, shape (k, k)
        Of the valued effects.
    settings : AppraisalSettings
    """
    years = timeline(settings, spent)
    effects = valuation.effects
    spans = [_span(row, settings) for row in effects.to_dict("records")]
    groups = list(dict.fromkeys(spans))
    reach = [
        reached(settings.families, window_weights(months, settings.horizon, settings.lag), years)
        for months, _ in groups
    ]
    payers = tuple(dict.fromkeys([*rows["payer"], *spent["payer"]]))
    kept, kept_either = _biased(valuation, settings)
    return Model(
        outcomes=tuple(effects["name"]),
        estimate=effects["estimate"].to_numpy(dtype=float),
        std_error=effects["std_error"].to_numpy(dtype=float),
        covariance=covariance,
        scale=effects["scale"].to_numpy(dtype=float),
        kept=kept,
        kept_either=kept_either,
        amount=valuation.costs["amount"].to_numpy(dtype=float),
        low=valuation.costs["low"].to_numpy(dtype=float),
        high=valuation.costs["high"].to_numpy(dtype=float),
        unit=rows["unit"].to_numpy(dtype=np.intp),
        factor=np.stack([(rows["turned"] * rows[name]).to_numpy(float) for name in ACCOUNTS]),
        cost_factor=np.array([1.0, settings.public_funds]),
        account=settings.perspective,
        of=rows["of"].to_numpy(dtype=np.intp),
        payer=np.array([payers.index(name) for name in rows["payer"]], dtype=np.intp),
        payers=payers,
        years=years,
        discount=discount_factors(len(years) - 1, settings.edition, settings.rate, settings.timing),
        group=np.array([groups.index(span) for span in spans], dtype=np.intp),
        reach=np.stack(reach),
        persistence=tuple(persistence for _, persistence in groups),
        costs=_costs(spent, years, payers),
        tie=_tied(effects, covariance, [persistence for _, persistence in spans]),
    )


def _tied(effects: pd.DataFrame, covariance: Array, lasting: list[Any]) -> Array:
    """Return the covariance of each effect and the normal that persistence is drawn by.

    No combination of effects may say more of that normal than all there is to say.
    """
    tie = np.array([
        course.tie(row["name"], int(row["months"]), row["estimate"], row["std_error"])
        if hasattr(course, "tie") else 0.0
        for row, course in zip(effects.to_dict("records"), lasting, strict=True)
    ])  # fmt: skip
    if not tie.any():
        return tie
    error = np.sqrt(np.diag(covariance))
    scale = np.where(error > 0, error, 1.0)
    alike = covariance / np.outer(scale, scale)
    leads = np.linalg.pinv(alike, hermitian=True) @ (tie / scale)
    explained = float(leads @ alike @ leads)
    return np.asarray(alike @ leads * scale / np.sqrt(max(explained / _ALL, 1.0)), dtype=float)


def _biased(valuation: Valued, settings: AppraisalSettings) -> tuple[Array, Array]:
    """Return what a unit of each effect counts after optimism bias, and would either way.

    Its grade is the worst of its unit costs. A benefit shrinks by the bias and a harm grows,
    by the sign of the estimate; work that displaces others' counts less.
    """
    effects, costs = valuation.effects, valuation.costs
    brings = costs.groupby("outcome")["amount"].sum() < 0
    bias = effects["grade"].map(settings.optimism_bias).to_numpy(dtype=float)
    gain = (
        -effects["estimate"]
        * effects["scale"]
        * effects["outcome"].map(brings).map({True: -1.0, False: 1.0})
    )
    moved = np.where(effects["outcome"].isin(WORK), 1 - settings.displacement, 1.0)
    signs = np.sign(gain.to_numpy(dtype=float))
    kept: Array = np.asarray((1 - bias * signs) * moved, dtype=float)
    either: Array = np.asarray([(1 + bias) * moved, (1 - bias) * moved], dtype=float)
    return kept, either


def _span(row: dict, settings: AppraisalSettings) -> tuple[int, Any]:
    lasting = settings.persistence
    return int(row["months"]), lasting.get(row["name"]) or lasting[""]


def _costs(spent: pd.DataFrame, years: tuple[int, ...], payers: tuple[str, ...]) -> Array:
    costs = np.zeros((3, len(years), len(payers)))
    at = (spent["year"].to_numpy(dtype=int) - years[0],
          np.array([payers.index(name) for name in spent["payer"]]))  # fmt: skip
    for place, name in enumerate(("low", "amount", "high")):
        np.add.at(costs[place], at, spent[name].to_numpy(dtype=float))
    return costs


def lines_of(
    model: Model,
    valuation: Valued,
    rows: pd.DataFrame,
    spent: pd.DataFrame,
    settings: AppraisalSettings,
) -> pd.DataFrame:
    """Return one row a year, year of joining, effect, component and payer; and the costs.

    Returns
    -------
    DataFrame
        `LINE_COLUMNS`, `counted` (whether the perspective counts the row), and `kept` (what is
        left of the effect after optimism bias and displacement, whoever gains).
    """
    spans = [_span(row, settings) for row in valuation.effects.to_dict("records")]
    shares = np.stack([profile(months, settings.horizon, settings.lag, persistence)
                       for months, persistence in spans])  # fmt: skip
    counts = rows[settings.perspective].to_numpy(dtype=float)
    # Every component, once for each year since joining and each year of joining.
    cells = [
        (since, *one) for since in range(settings.horizon) for one in settings.families.items()
    ]
    since, year, count = (np.repeat(part, len(rows)) for part in zip(*cells, strict=True))
    at = np.tile(np.arange(len(rows)), len(cells))
    of, counts = rows["of"].to_numpy()[at], counts[at]
    parts = []
    for term, effect, profiles in _terms(model, shares, spans, settings):
        share = profiles[of, since]
        parts.append(rows.iloc[at].assign(
            kind="benefit", term=term, joined=year, year=year + since, families=count,
            profile=share, effect=effect[of], kept=model.kept[of], factor=model.kept[of] * counts,
            scale=model.scale[of], quantity=effect[of] * model.scale[of] * count * share,
            counted=counts != 0,
        )[share != 0])  # fmt: skip
    spent = _spent_lines(spent).assign(
        factor=model.cost_factor[ACCOUNTS.index(settings.perspective)]
    )
    frame = pd.concat([*parts, spent], ignore_index=True)
    value = -frame["quantity"] * frame["unit_cost"] * frame["factor"]
    factors = model.discount[frame["year"].to_numpy(dtype=int) - model.years[0]]
    frame = frame.assign(undiscounted=value, discount_factor=factors, present_value=value * factors)
    frame = frame.sort_values(["kind", "year", "joined"], kind="stable", ignore_index=True)
    return frame[[*LINE_COLUMNS, "counted", "kept"]]


def _terms(
    model: Model, shares: Array, spans: list[tuple[int, Any]], settings: AppraisalSettings
) -> list[tuple[str, Array, Array]]:
    """Return what the expected effect in each year is a sum of: effects times profiles.

    The effect by what is expected to be left of it, and, where the two were estimated together,
    one by their covariance in each year.
    """
    parts = [("mean", model.estimate, shares)]
    if model.tie.any():
        moved = [
            together @ window_weights(months, settings.horizon, settings.lag)
            for together, (months, _) in zip(model.together, spans, strict=True)
        ]
        parts.append(("together", np.ones(len(spans)), np.stack(moved)))
    return parts


def _spent_lines(spent: pd.DataFrame) -> pd.DataFrame:
    """Return costs as lines: one unit of spending for each pound."""
    return pd.DataFrame(
        {
            "kind": "cost", "term": "", "year": spent["year"], "joined": np.nan,
            "outcome": PROGRAMME, "line": spent["line"], "component": "", "code": "",
            "payer": spent["payer"], "party": TAXPAYERS, "transfer": "no", "grade": "",
            "effect": np.nan, "families": np.nan, "profile": np.nan,
            "scale": np.nan, "quantity": 1.0, "per": "cost line", "unit_cost": spent["amount"],
            "counted": True,
        }
    )  # fmt: skip


def appraise(
    effects: Effects,
    costs: pd.DataFrame | float,
    *,
    families: float | Mapping[int | str, float],
    months: int | None = None,
    price_year: int = 2024,
    edition: str = "2026",
    rate: str = "standard",
    timing: str = "mid",
    horizon: int = 5,
    lag: int = 0,
    persistence: Given | Mapping[str, Given] = DEFAULT_PERSISTENCE,
    perspective: str = "social",
    on_overlap: str = "net",
    optimism_bias: float | Mapping[str, float] = 0.0,
    optimism_bias_source: str = "",
    displacement: float = 0.0,
    public_funds: float = 1.0,
    first_year: int = 2012,
    base_year: int | None = None,
    cashable_only: bool = False,
    relative_income: float | None = None,
    elasticity: float = 1.3,
    valued_share: float = 0.0,
    claims: float | None = None,
    result: str | None = None,
    convert: Mapping[str, tuple[str, float]] | None = None,
    unit_cost_table: pd.DataFrame | None = None,
) -> Appraisal:
    """Appraise a programme: from its effects and its costs to value for money.

    A benefit is effect x families x profile over the years x unit cost. What would have happened
    anyway is in the comparison group from which the effect comes, so no deadweight is assumed.

    Parameters
    ----------
    effects : Effects
        One row an outcome (of one population, method and window), for one family; of effects
        on people, `families` counts people. An effect without an estimate or an error is not
        valued, and listed with its reason.
    costs : DataFrame or float
        As from `programme_costs`; or one sum in the appraisal's prices, in the first year.
    families : float or mapping of year to float
        Families reached; by the financial year in which they join, or all in `first_year`.
    months : int, optional
        Which window of the effects, 1 to 60; needed where they have several or none.
    price_year : int, default 2024
        Financial year of all prices, by its first calendar year.
    edition : str, default "2026"
        Of the Green Book, for discounting; one of `editions` or `proposals`.
    rate : {"standard", "sensitivity"}
        Of the edition. The health rate is for health measured as such, and so never used.
    timing : {"mid", "end"}
        When in the year money flows.
    horizon : int, default 5
        Years counted from when a family joins, 1 to 60.
    lag : int, default 0
        Months from joining until the effect begins, 0 to 60.
    persistence : float, (share, low, high), or mapping of outcome to either
        Share of the effect left in each further year after the window, 0 to 1; or as `decay` has
        it, which goes with the effects that it was fitted beside. The default, half and between
        nothing and all, is an assumption.
    perspective : {"social", "fiscal"}
        Which account the measures are of; the other stands beside it in `Appraisal.accounts`. In
        the social account everybody's gains and losses count, and transfers net out; in the fiscal
        one public money alone.
    on_overlap : {"net", "refuse"}
        What to do where two effects are measures of the same pounds; see `same_pounds`.
    optimism_bias : float or mapping of grade to float, default 0
        Share, 0 to 1, by which benefits are taken to be overstated; harms grow by it. By grade
        of evidence: the worst of the outcome's unit costs. No published shares by grade were read;
        the Green Book says that there are none for benefits that hold in general.
    optimism_bias_source : str, optional
        Whose shares these are, to be printed with them; `Assumptions` asks for it.
    displacement : float, default 0
        Share of gains in work, 0 to 1, that others lose.
    public_funds : float, default 1
        What raising a pound of public money costs everybody, 1 to 3; of the social account. The
        Green Book of 2003 took 1.3, those of 2018 and 2022 took 1.2, and that of 2026 takes 1
        (metb.csv of the R package greenbook, 2026).
    first_year, base_year : int
        When families join, if `families` is a number; the year to which money is discounted, by
        default the first in which something happens.
    cashable_only : bool, default False
        Count only the share of public costs that stops being spent, and nobody else's account.
    relative_income : float, optional
        Families' equivalised income over the median, 0.1 to 2, which turns on distributional
        weights: a pound of theirs counts relative_income ** -elasticity.
    elasticity : float, default 1.3
        Of the marginal utility of income (Green Book 2022, Annex A3), 0 to 4.
    valued_share : float, default 0
        Share of its cost that families value the support at, 0 to 1, for the marginal value of
        public funds. At 0 that is a lower bound.
    claims : float, optional
        Results claimed, for the cost of each.
    result : str, optional
        The effect that is a result's (as "turned_around"), for the cost per additional one.
    convert : mapping of str to (str, float), optional
        Values an effect by another outcome's unit cost: ``{"unauthorised_absence":
        ("sessions_unauthorised", 380.0)}`` says that a share of 1 is 380 half days a family.
    unit_cost_table : DataFrame, optional
        Instead of the published unit costs, in their columns.

    Returns
    -------
    Appraisal

    Raises
    ------
    ParameterError
        If something is unknown or out of its range (the message gives it), or an outcome stands
        in several rows.
    NothingValuedError
        If no effect may be shown, has an error, or has a unit cost.
    DataError
        If outcomes overlap and that is refused, or the costs are no costs.

    References
    ----------
    HM Treasury, The Green Book (2022), chapters 5 and 6 and Annexes A3, A6; Hendren and
    Sprung-Keyser (2020), Quarterly Journal of Economics 135(3).

    Examples
    --------
    >>> from tfeval.impact.effects.effects import Effects
    >>> rows = pd.DataFrame({"outcome": ["ae_attendances"], "months": [12], "estimate": [-0.1],
    ...                      "std_error": [0.05]})
    >>> found = appraise(Effects(rows, np.array([[0.0025]])), 500_000, families=1_000, horizon=1)
    >>> round(found.benefits), round(found.npv)
    (17471, -474002)
    """
    if not hasattr(effects, "joint"):
        raise ParameterError("effects is one table with its covariance: Effects(rows, covariance).")
    settings = settings_of(
        families, first_year, persistence, convert, optimism_bias,
        optimism_bias_source=optimism_bias_source, months=months,
        price_year=price_year, edition=edition, rate=rate, timing=timing, horizon=horizon, lag=lag,
        perspective=perspective, on_overlap=on_overlap, displacement=displacement,
        public_funds=public_funds, base_year=base_year, cashable_only=cashable_only,
        relative_income=relative_income, elasticity=elasticity, valued_share=valued_share,
        claims=claims, result=result,
    )  # fmt: skip
    shown, small = without_small(chosen(effects, months))
    taken, unknown = without_error(shown)
    _check_result(taken, result, unknown)
    _check_lasting(effects, settings)
    spent = programme_lines(costs, settings)
    together = np.asarray(taken.joint, dtype=float)

    def made(valuation: Valued) -> tuple[pd.DataFrame, Model]:
        rows = account(valuation.effects, valuation.costs, settings)
        own = together[np.ix_(valuation.rows, valuation.rows)]
        return rows, model_of(valuation, rows, spent, own, settings)

    valuation = valued(taken, settings, unit_cost_table, lambda whole: public_values(*made(whole)),
                       small=small, unknown=unknown)  # fmt: skip
    rows, model = made(valuation)
    notes = notes_on(settings, model.years[0], taken, small, unknown, spent=spent,
                     tied=bool(model.tie.any()))  # fmt: skip
    return Appraisal(
        frame=lines_of(model, valuation, rows, spent, settings), model=model, settings=settings,
        effects=taken, valued=valuation, spent=spent, notes=notes, simulated=taken.simulated,
    )  # fmt: skip


def _check_result(effects: Effects, result: str | None, unknown: list[dict]) -> None:
    for row in unknown:
        if row["what"] == result:
            raise ParameterError(f"The effect on {result} cannot be costed. {row['reason']}")
    outcomes = effects.to_frame().set_index("outcome")["estimate"]
    if result is not None and result not in list(outcomes.index):
        raise ParameterError(f"There is no effect on {result}. {suggest(result, outcomes.index)}")
    if result is not None and abs(outcomes[result]) > 1:
        raise ParameterError(
            f"The effect on {result} is more than one result a family: give it as a share."
        )


def _check_lasting(effects: Effects, settings: AppraisalSettings) -> None:
    known = set(effects.to_frame()["outcome"])
    for name in settings.persistence:
        # What is no effect here may be one elsewhere; what is no outcome is a slip of the pen.
        if name and name not in known and name not in OUTCOMES:
            raise ParameterError(
                f"persistence: there is no effect on {name}. {suggest(name, known)}"
            )
