"""A card: what one family cost and brought, to whom, and how likely it was worth its cost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from tfeval.display.figures import Chart
from tfeval.display.names import PAYS
from tfeval.display.tables import Table, table
from tfeval.display.value_charts import stacked_chart
from tfeval.display.words import amount, chance, fact
from tfeval.money.account import PARTICIPANTS, payback_year
from tfeval.money.appraisal_display import heading, labels_of, notes_of
from tfeval.money.model import ACCOUNTS, Model
from tfeval.money.unit_costs import PARTIES, TAXPAYERS
from tfeval.programme.published import published

#: An `Appraisal` and an `Uncertainty`, whose files import this one.
Appraised = Any
_NONE = float("nan")
_WORDS = {
    "cost": "Cost", "benefits": "Benefits", "net": "Benefits less cost",
    "ratio": "Benefit for each £1 of cost", "chance": "Chance that it is at least its cost",
    "years": "Years until benefits so far reach the cost, for good",
    "mvpf_low": "Marginal value of public funds, at least",
    "mvpf_high": "Marginal value of public funds, at most",
}  # fmt: skip
#: What a card says of the chance, by account.
_CHANCES = {"fiscal": "that it pays for itself", "social": "that it is worth more than it cost"}


def card_frame(appraised: Appraised, drawn: Appraised | None = None) -> pd.DataFrame:
    """Return what the programme cost and brought for one family, in both accounts.

    Parameters
    ----------
    appraised : Appraisal
    drawn : Uncertainty, optional
        For the chance that benefits are at least the cost.

    Returns
    -------
    DataFrame
        `measure` ("cost"; "benefits" in all, of a `party`, and of each of its `payer`s; "net";
        "ratio"; "chance", a share of draws; "years" from the first in which anything happens to
        the end of the one from which benefits so far reach the cost for good; "mvpf_low",
        "mvpf_high"), `party`, `payer`, `fiscal`, `social` (expected present values, pounds a
        family; NaN where nothing is valued, and where benefits never reach the cost).
    """
    families, who = appraised.settings.total_families, appraised.who()
    accounts = appraised.accounts().set_index("account")
    rows = [_row("cost", accounts["costs"] / families),
            _row("benefits", accounts["benefits"] / families)]  # fmt: skip
    for party in (TAXPAYERS, *PARTIES):
        each = who[who["party"] == party].set_index("payer")[list(ACCOUNTS)] / families
        rows.append(_row("benefits", each.sum(min_count=1), party))
        if party == TAXPAYERS:
            rows += [_row("benefits", each.loc[payer], party, payer) for payer in each.index]
    rows += [_row("net", accounts["npv"] / families), _row("ratio", accounts["ratio"])]
    if drawn is not None:
        rows.append(_row("chance", drawn.accounts().set_index("account")["probability"]))
    rows.append(_row("years", pd.Series({name: years_to_break_even(appraised.model, name)
                                         for name in ACCOUNTS})))  # fmt: skip
    ends = zip(("low", "high"), appraised.marginal_value_of_public_funds, strict=True)
    rows += [
        _row(f"mvpf_{end}", pd.Series({"fiscal": _NONE, "social": value})) for end, value in ends
    ]
    return pd.DataFrame(rows, columns=["measure", "party", "payer", *ACCOUNTS])


def _row(measure: str, value: Any, party: str = "", payer: str = "") -> tuple:
    return (measure, party, payer, *(float(value[name]) for name in ACCOUNTS))


def years_to_break_even(model: Model, account: str) -> float:
    """Return years from the first to the end of the one in which benefits reach the cost, or NaN.

    Parameters
    ----------
    model : Model
    account : {"fiscal", "social"}

    Notes
    -----
    Money is discounted. For good: the value so far is never again below 0.
    """
    variant, point = replace(model, account=account), model.point()
    net = (variant.benefits(point) - variant.spent(point.cost))[0].sum(axis=1) * model.discount
    moved = np.flatnonzero(net)
    if not len(moved):
        return _NONE
    first = int(moved[0])
    year = payback_year(pd.DataFrame({"year": model.years, "present_value": net})[first:])
    return _NONE if year is None else float(year - model.years[first] + 1)


def card_table(appraised: Appraised, drawn: Appraised | None = None) -> Table:
    """Return the card as a table for readers, beside what was found elsewhere."""
    elsewhere = published("benchmarks")
    beside = _beside(elsewhere)
    rows = []
    for row in card_frame(appraised, drawn).to_dict("records"):
        key = row["measure"], row["party"]
        cells = [_written(row["measure"], row[name]) for name in ACCOUNTS]
        rows.append((_label(row), *cells, "" if row["payer"] else beside.get(key, "")))
    shown = pd.DataFrame(rows, columns=["For one family", "Fiscal account", "Social account",
                                        "Elsewhere, US dollars"])  # fmt: skip
    notes = [
        *notes_of(appraised),
        "Fiscal: the public purse alone. Social: everybody; what is the public purse's gain and "
        "the families' loss nets out.",
        "Elsewhere: Washington State's card of a child welfare programme, a participant, with its "
        "net cost as given there, and victims among others; and marginal values of public funds "
        "over 133 policies of the United States. Other families, prices and years: for the shape "
        "of a card, not for its size.",
    ]
    if drawn is not None:
        notes.append(
            f"Chances: the fiscal one {_CHANCES['fiscal']}, the social one {_CHANCES['social']}; "
            f"{drawn.settings['draws']:,} joint draws."
        )
    caption = heading(appraised, "What the programme cost and brought for one family")
    return table(shown.replace("", None), caption, notes=notes, sources=elsewhere,
                 missing="not given")  # fmt: skip


def _label(row: dict) -> str:
    if row["payer"]:
        return f"Of these, {row['payer']}"
    if row["party"]:
        kind = "public bodies" if row["party"] == TAXPAYERS else PARTIES[row["party"]]
        return f"Benefits to {row['party']} ({kind})"
    return _WORDS[row["measure"]]


def _written(measure: str, value: float) -> str:
    if measure == "years":
        return "never" if np.isnan(value) else f"{value:.0f}"
    if np.isnan(value):
        return "nothing valued" if measure == "benefits" else ""
    if measure == "chance":
        return chance(value)
    return amount(value, "£ for each £1" if measure in ("ratio", "mvpf_low", "mvpf_high") else "£")


def _beside(rows: pd.DataFrame) -> dict[tuple[str, str], str]:
    """Return what was found elsewhere, by measure and party of a card."""
    wsipp = rows[rows["benchmark"] == "wsipp_181"].set_index("figure")["value"]
    funds = rows[rows["benchmark"] == "mvpf_us"].set_index("figure")["value"]
    low, high = funds["adults_low"], funds["adults_high"]
    return {
        ("cost", ""): f"${wsipp['cost']:,.0f}",
        ("benefits", ""): f"${wsipp['benefits']:,.0f}, ${wsipp['indirect']:,.0f} of it indirect",
        **{("benefits", party): f"${wsipp[party]:,.0f}"
           for party in (TAXPAYERS, "participants", "others")},
        ("net", ""): f"${wsipp['benefits'] - wsipp['cost']:,.0f}",
        ("chance", ""): chance(wsipp["chance"] / 100),
        ("mvpf_low", ""): f"for adults {low:g} to {high:g}",
        ("mvpf_high", ""): f"for low-income children at least {funds['children']:g}",
    }  # fmt: skip


def card_chart(appraised: Appraised) -> Chart:
    """Draw benefits for one family by party and payer, in both accounts, beside the cost."""
    frame = card_frame(appraised)
    parts = frame[(frame["measure"] == "benefits") & (frame["party"] != "")]
    parts = parts[
        parts["social"].notna() & ((parts["payer"] != "") | (parts["party"] != TAXPAYERS))
    ]
    names = parts["payer"].where(parts["payer"] != "", parts["party"])
    bars = parts.set_index(names)[list(ACCOUNTS)].T
    cost = float(frame.loc[frame["measure"] == "cost", appraised.settings.perspective].sum())
    cost_bar = pd.DataFrame({"Cost": [cost]}, ["Cost"])
    labels = {name: f"Benefits, {name} account" for name in ACCOUNTS}
    shown = pd.concat([bars.rename(index=labels), cost_bar]).fillna(0.0)
    shown.index.name = "for one family"
    totals = bars.sum(axis=1)
    benefits = "; ".join(
        f"{amount(totals[name])} of benefits in the {name} account" for name in ACCOUNTS
    )
    alt = f"Stacked bars for one family: {benefits}; beside them its cost, {amount(cost)}."
    title = heading(appraised, "Benefits for one family, by whom they fall to, beside the cost")
    return stacked_chart(shown, title=title, alt=alt, y_label="£ a family, present value",
                         total_label="In all")  # fmt: skip


# The five Es as evidence, each with what it rests on; no scores.


def five_es(appraised: Appraised, drawn: Appraised | None = None) -> pd.DataFrame:
    """Return economy, efficiency, effectiveness, equity and cost-effectiveness as evidence.

    Parameters
    ----------
    appraised : Appraisal
    drawn : Uncertainty, optional
        For intervals.

    Returns
    -------
    DataFrame
        `aspect`, `question`, `evidence`.

    References
    ----------
    Economy, efficiency and effectiveness as the National Audit Office uses them; equity and
    cost-effectiveness as the Department for International Development added (2011).
    """
    rows = [
        ("Economy", "What did it cost?", _economy(appraised)),
        ("Efficiency", "What was got for it, as counted by the programme?", _efficiency(appraised)),
        ("Effectiveness", "What would not have happened otherwise?", _effects(appraised)),
        ("Equity", "Who gains and who bears it?", _equity(appraised)),
        ("Cost-effectiveness", "Was it worth it?", _worth(appraised, drawn)),
    ]
    return pd.DataFrame(rows, columns=["aspect", "question", "evidence"])


def five_es_table(appraised: Appraised, drawn: Appraised | None = None) -> Table:
    """Return the five Es as a table for readers; see `five_es`."""
    rows = five_es(appraised, drawn)
    rows.columns = pd.Index(["Aspect", "Question", "Evidence"])
    return table(rows, heading(appraised, "Five aspects of value for money, as evidence"),
                 notes=notes_of(appraised))  # fmt: skip


def _economy(appraised: Appraised) -> str:
    low, middle, high = (float(part) for part in _costs(appraised))
    families = appraised.settings.total_families
    return (
        f"{amount(middle)} in present value ({amount(low)} with every cost at its low end, "
        f"{amount(high)} at its high end), "
        f"{amount(middle / families)} for each of {families:,.0f} families."
    )


def _costs(appraised: Appraised) -> Any:
    model = appraised.model
    return (model.costs.sum(axis=2) * model.discount).sum(axis=1)


def _efficiency(appraised: Appraised) -> str:
    claims = appraised.settings.claims
    if claims is None:
        return "No claimed results were given, so none is costed."
    return f"{amount(appraised.cost_per_claimed)} for each of {claims:,.0f} results claimed."


def _effects(appraised: Appraised) -> str:
    frame = appraised.effects.to_frame()
    clear = (frame["conf_low"] > 0) | (frame["conf_high"] < 0)
    words = labels_of(appraised)
    names = ", ".join(
        f"{words[row['outcome']]} ({'more' if row['estimate'] > 0 else 'less'})"
        for row in frame[clear].to_dict("records")
    )
    text = (
        f"Of {len(frame)} outcomes, {int(clear.sum()) or 'none'} with an interval that does not "
        f"hold 0, by intervals not corrected for their number{': ' * bool(names)}{names}."
    )
    if appraised.settings.result is not None:
        extra, cost = appraised.additional_results, appraised.cost_per_additional
        text += f" Additional results: {extra:,.0f}, at {amount(cost, '£')} each."
    return text


def _equity(appraised: Appraised) -> str:
    who = appraised.who()
    public = who[who["party"] == TAXPAYERS].set_index("payer")["fiscal"]
    others = who[who["party"] != TAXPAYERS].set_index("payer")["social"]
    most = public.idxmax() if len(public) else "nobody"
    gains = "; ".join(f"{name} {amount(value)}" for name, value in others.items())
    weight = appraised.settings.weight
    weighed = f"a pound of {PARTICIPANTS}' counting {weight:.2f}" if weight != 1 else "unweighted"
    return (
        f"Most savings of public money fall to {most}. Beside it: {gains or 'nobody'} ({weighed}). "
        "Effects by kind of family are not in this appraisal."
    )


def _each(ratio: float) -> str:
    return fact(ratio, "£ for each £1", short=True)


def _worth(appraised: Appraised, drawn: Appraised | None) -> str:
    ratio = appraised.benefit_cost_ratio
    text = f"Net present value {amount(appraised.npv)}"
    # Where nothing was spent there is no pound that could have brought anything.
    text += "" if np.isnan(ratio) else f", {_each(ratio)} of benefit for each £1"
    if drawn is None and not np.isnan(ratio):
        return f"{text}; fiscal return {_each(appraised.fiscal_return)} for each £1."
    if drawn is None:
        return f"{text}; nothing was spent, so no benefit for each £1 of it."
    low, high = map(amount, drawn.interval())
    return (
        f"{text} ({drawn.level:.0%} interval of the net value {low} to {high}; the probability "
        f"that it {PAYS[drawn.model.account]} is {chance(drawn.probability())})."
    )
