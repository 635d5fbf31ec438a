"""An appraisal for readers: tables and charts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tfeval.display.charts import waterfall_chart
from tfeval.display.figures import Chart
from tfeval.display.names import ACCOUNTS, PAYS, SIMULATED, capital
from tfeval.display.tables import Table, table
from tfeval.display.value_charts import (
    acceptability_chart,
    lasting_chart,
    stacked_chart,
    tornado_chart,
)
from tfeval.display.words import PAYERS, amount, chance, financial_year, marked, simulated_mark
from tfeval.errors import ParameterError, suggest
from tfeval.impact.effects.words import (
    decimals,
    in_full,
    label_of,
    number,
    p_words,
    percentages,
    with_interval,
)

# What an appraisal says in them.

#: An `Appraisal` or an `Uncertainty`, whose files import this one.
Appraised = Any
PLOTS = ("waterfall", "payers", "tornado")
_NAMES = {
    "npv": "Net present value",
    "benefits": "Benefits",
    "costs": "Costs",
    "benefit_cost_ratio": "Benefit for each £1 of cost",
}
#: The measures that a page records, by the record's name.
_FACTS = {
    "families reached": "families", "benefits": "benefits", "costs": "costs",
    "net present value": "npv", "benefit-cost ratio": "benefit_cost_ratio",
    "fiscal return": "fiscal_ratio", "cost per family": "cost_per_family",
    "cost per claimed result": "cost_per_claimed",
}  # fmt: skip
#: Measures in words, where the name is of one account alone.
_MEASURES = {"payback year": "First year from which benefits so far reach the costs"}


def _fact(key: str, words: str) -> str:
    return marked(key, words) if key else words


def listed(names: Sequence[str], most: int = 5) -> str:
    """Return names as they stand in a sentence, the first of many.

    Examples
    --------
    >>> listed(["Bury", "Leeds", "Hull"], most=2)
    'Bury, Leeds and 1 more'
    """
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def heading(appraised: Appraised, text: str) -> str:
    """Return a heading that says where records are simulated."""
    return f"Simulated records: {text}" if appraised.simulated else capital(text)


def notes_of(appraised: Appraised) -> list[str]:
    """Return an appraisal's notes, first whether records are simulated."""
    return [f"{SIMULATED}."] * appraised.simulated + list(appraised.notes)


def labels_of(appraised: Appraised) -> dict[str, str]:
    """Return the words for each effect."""
    words = appraised.effects.settings.get("labels", {})
    return {name: label_of(name, words) for name in appraised.effects.frame["outcome"]}


def summary_table(appraised: Appraised) -> Table:
    """Return every measure of value for money as a table for readers."""
    rows = appraised.summary()
    rows = rows[rows["value"].notna() | (rows["unit"] == "year")]
    shown = pd.DataFrame(
        {
            "Measure": [capital(_MEASURES.get(name, name)) for name in rows["measure"]],
            "Value": [
                _fact(_FACTS.get(row["measure"], ""), amount(row["value"], row["unit"]))
                for row in rows.to_dict("records")
            ],
            "Unit": rows["unit"],
        }
    )
    kind = appraised.settings.perspective
    caption = heading(appraised, f"Value for money, {kind} account")
    return table(shown, caption, notes=notes_of(appraised))


def uncertainty_table(drawn: Appraised) -> Table:
    """Return draws' intervals as a table for readers."""
    rows = []
    for row in drawn.to_frame().to_dict("records"):
        unit = "£ for each £1" if row["measure"] == "benefit_cost_ratio" else "£"
        name = row["measure"]
        low, high = (_fact(f"{name}.{end}", amount(row[end], unit)) for end in ("low", "high"))
        rows.append((_NAMES[name], _fact(name, amount(row["estimate"], unit)), f"{low} to {high}"))
    columns = ["Measure", "Expected", f"{drawn.level:.0%} interval"]
    notes = [
        f"{drawn.settings['draws']:,} joint draws; effects normal with their covariance; unit "
        "costs, persistence and costs within their ranges, of which the value is the mean; unit "
        f"costs of one grade correlated by {drawn.settings['correlation']:.1f} (assumed).",
        f"Probability that the programme {PAYS[drawn.model.account]}: "
        f"{_fact('probability', chance(drawn.probability()))}.",
    ]
    if drawn.simulated:
        notes.insert(0, f"{SIMULATED}.")
    caption = heading(drawn, f"Value for money with its uncertainty, {drawn.model.account} account")
    return table(pd.DataFrame(rows, columns=columns), caption, notes=notes)


def accounts_table(drawn: Appraised, lacks: pd.DataFrame) -> Table:
    """Return the fiscal and the social account side by side, each with what it lacks.

    Parameters
    ----------
    drawn : Uncertainty
    lacks : DataFrame
        `account` (fiscal, social or both), `what`.
    """
    rows: list[tuple] = []
    for row in drawn.accounts().to_dict("records"):
        key = row["account"]
        ends = {name: f"{amount(row[f'{name}_low'], unit)} to {amount(row[f'{name}_high'], unit)}"
                for name, unit in (("npv", "£"), ("ratio", "£ for each £1"))}  # fmt: skip
        rows.append((
            f"{key.capitalize()}: {ACCOUNTS[key]}", amount(row["benefits"]), amount(row["costs"]),
            f"{_fact(f'{key}_npv', amount(row['npv']))} ({ends['npv']})",
            f"{_fact(f'{key}_ratio', amount(row['ratio'], '£ for each £1'))} ({ends['ratio']})",
            f"{PAYS[key]}: {_fact(f'{key}_probability', chance(row['probability']))}",
        ))  # fmt: skip
    share = f"{drawn.level:.0%} interval"
    columns = ["Account", "Benefits", "Costs", f"Net present value ({share})",
               f"Benefit for each £1 ({share})", "Probability that it"]  # fmt: skip
    notes = [f"{SIMULATED}."] * drawn.simulated
    for key in ACCOUNTS:
        named = lacks.loc[lacks["account"].isin([key, "both"]), "what"].str.lower()
        notes.append(f"The {key} account lacks: {'; '.join(named)}.")
    return table(
        pd.DataFrame(rows, columns=columns), heading(drawn, "Two accounts side by side"),
        notes=notes,
    )  # fmt: skip


def payers_spelt_out(payers: Iterable[str]) -> list[str]:
    """Return a note on the payers whose names are short, none where there is no such payer."""
    there = set(payers)
    said = [f"{payer}: {words}" for payer, words in PAYERS.items() if payer in there]
    return [f"{'; '.join(said)}."] if said else []


def who_table(appraised: Appraised) -> Table:
    """Return benefits by who they fall to, in both accounts."""
    rows = appraised.who()
    rows = rows.sort_values(["party", "fiscal", "social"], ascending=[True, False, False])
    shown: list[tuple] = [(row["party"], row["payer"] if row["payer"] != row["party"] else "",
              amount(row["fiscal"]) if row["fiscal"] else "", amount(row["social"]))
             for row in rows.to_dict("records")]  # fmt: skip
    shown.append(("all", "", *(amount(rows[name].sum()) for name in ACCOUNTS)))
    columns = ["Who", "Of the public purse", "Fiscal account", "Social account"]
    notes = [f"{SIMULATED}."] * appraised.simulated
    notes.append("A transfer is one's gain and another's loss: in the social account it nets out. "
                 "Rounded one by one, parts need not add up.")  # fmt: skip
    notes += payers_spelt_out(rows["payer"])
    return table(
        pd.DataFrame(shown, columns=columns), heading(appraised, "Benefits by who they fall to"),
        notes=notes, missing="",
    )  # fmt: skip


def plot(appraised: Appraised, kind: str) -> Chart:
    """Draw an appraisal; see `Appraisal.plot`."""
    if kind not in PLOTS:
        raise ParameterError(f"There is no plot {kind}. {suggest(kind, PLOTS)}")
    return {"waterfall": _waterfall, "payers": _payers, "tornado": _tornado}[kind](appraised)


def _waterfall(appraised: Appraised) -> Chart:
    benefit = appraised.by("payer").set_index("payer")["benefits"]
    benefit = benefit[benefit != 0].sort_values(ascending=False)
    spent = appraised.by("kind", "line")
    spent = spent[spent["kind"] == "cost"].set_index("line")["costs"].sort_values(ascending=False)
    labels = [*(f"Benefits: {name}" for name in benefit.index), *spent.index]
    alt = (
        f"Waterfall of benefits of {amount(appraised.benefits)}, by payer, less costs of "
        f"{amount(appraised.costs)}, by line: a net present value of {amount(appraised.npv)}."
    )
    title = heading(appraised, f"benefits less costs come to {amount(appraised.npv)}")
    return waterfall_chart(
        labels, [*(benefit / 1e6), *(-spent / 1e6)], title=title, alt=alt,
        subtitle="From benefits to net present value",
        total_label="Net present value", x_label="£m, present value",
    )  # fmt: skip


def _payers(appraised: Appraised) -> Chart:
    rows = appraised.by("year", "payer")
    rows = rows.pivot_table("benefits", "year", "payer", aggfunc="sum", fill_value=0.0) / 1e6
    # Where nobody gains or loses anything, every year and payer stays, at nothing.
    if (rows != 0).any(axis=None):
        rows = rows.loc[(rows != 0).any(axis=1), (rows != 0).any(axis=0)]
    rows.index = pd.Index([financial_year(year) for year in rows.index], name="year")
    most = rows.sum().idxmax()
    alt = (
        f"Stacked bars of benefits by payer in {len(rows)} financial years, "
        f"{amount(appraised.benefits)} in all, losses taken off; the largest falls to {most}, "
        f"{amount(float(rows[most].sum()) * 1e6)}."
    )
    gained = float(rows[most].sum()) > 0
    title = heading(appraised, f"the largest benefit falls to: {most}" if gained else
                    "nobody's spending falls")  # fmt: skip
    return stacked_chart(
        rows,
        title=title,
        alt=alt,
        subtitle="Benefits by payer and year",
        y_label="£m, present value",
    )


def _tornado(appraised: Appraised, most: int = 12) -> Chart:
    rows = appraised.one_way().head(most)
    words = labels_of(appraised)
    names = [_worded(name, words) for name in rows["parameter"]]
    alt = (
        f"Tornado chart of the {len(rows)} parameters that move the net present value of "
        f"{amount(appraised.npv)} most: {names[0]} moves it by {amount(rows['swing'].iloc[0])}."
    )
    return tornado_chart(
        names, rows["at_low"] / 1e6, rows["at_high"] / 1e6, centre=appraised.npv / 1e6,
        title=heading(appraised, f"what moves the value most: {names[0]}"), alt=alt,
        subtitle="Net present value with one parameter at its ends",
        x_label="Net present value, £m", value_format="{:,.1f}",
    )  # fmt: skip


def _worded(parameter: str, words: dict[str, str]) -> str:
    kind, colon, rest = parameter.partition(": ")
    name, bracket, grade = rest.partition(" (")
    return f"{kind}{colon}{words.get(name, name)}{bracket and ' ('}{grade}"


def acceptability_plot(drawn: Appraised, outcome: str | None, most: float | None) -> Chart:
    """Draw the acceptability curve; see `Uncertainty.plot`."""
    if outcome is None:
        at = np.linspace(0, most or 3.0, 121)
        account = drawn.model.account
        what = f"Benefit to {ACCOUNTS[account]} asked for each £1 of cost"
        mark, words = 1.0, PAYS[account]
    else:
        at = np.linspace(0, most or 50_000.0, 121)
        what, mark, words = f"Worth of one unit of {outcome}", None, ""
    curve = drawn.acceptability(at, outcome)["probability"]
    half = np.flatnonzero(np.diff(np.sign(curve - 0.5)) != 0)
    turn = f"it crosses one half at £{at[half[0]]:,.2f}" if len(half) else "it never crosses a half"
    alt = (
        "Curve of the probability that the programme is worth it, from "
        f"{chance(curve.iloc[0])} at £0 to {chance(curve.iloc[-1])} at £{at[-1]:,.2f}; {turn}."
    )
    title = subtitle = "How likely is it to be worth it?"
    if mark is None:
        subtitle = ""
    else:
        title = f"the chance that it {words} is {chance(float(np.interp(mark, at, curve)))}"
    return acceptability_chart(
        at, {"Worth it": curve}, title=heading(drawn, title), alt=alt, subtitle=subtitle,
        x_label=what, reference=mark, reference_label=words,
        value_format="£{:,.1f}" if outcome is None else "£{:,.0f}",
    )  # fmt: skip


# How long effects last, for readers.

#: Why a share is as it was assumed, by key.
REASONS = {
    "fixed": "The share was given without a range, so that records have no say in it.",
    "one_window": "No outcome has effects over {months} months and longer too, so the records do "
    "not say how long effects last.",
    "few_clusters": "There are too many effects for the clusters that their errors rest on, so "
    "how they vary together is not known: give fewer outcomes.",
    "repeated": "Some effects follow from the others, so how they vary together is not known: "
    "leave out outcomes that repeat others.",
}  # fmt: skip
#: Why an outcome had no say, by key.
LEFT_OUT = {
    "ever": "They say whether something ever happened: neither a sum over months nor a mean.",
    "alone": "They have no error, or may not be shown, over two windows of {months} months or "
    "longer.",
}  # fmt: skip
#: Outcomes drawn by themselves, and a fit so poor that it is said.
_DRAWN, _UNLIKELY = 5, 0.05
_MEASURED = ("estimate", "std_error", "conf_low", "conf_high", "fitted", "fitted_error")


def _percent(share: float) -> str:
    return f"{share:.0%}"


def decay_words(decay: Appraised) -> str:
    """Say in a sentence or two what is left of an effect, and how much the records tell."""
    mean, low, high = map(_percent, (decay.mean, *decay.interval))
    label = simulated_mark(decay.simulated)
    if decay.certain:
        return f"{label}{mean} of an effect is left in each further year. {REASONS['fixed']}"
    before, start, end = map(_percent, decay.assumed)
    interval = f"{decay.level:.0%} interval"
    if decay.why:
        why = REASONS[decay.why].format(months=decay.months)
        return (f"{label}{mean} of an effect is left in each further year ({interval} {low} to "
                f"{high}), as was assumed. {why}")  # fmt: skip
    said = [
        f"{label}{mean} of an effect is left in each further year ({interval} {low} to {high}), "
        f"where {before} ({start} to {end}) was assumed."
    ]
    if decay.says_little:
        said.append("The records say little: the interval is about the one assumed.")
    else:
        best = int(np.argmax(decay.posterior / decay.prior))
        if best in (0, len(decay.prior) - 1):
            at = _percent(float(decay.edges[0 if best == 0 else -1]))
            said.append(f"They fit best at the end of the range given, {at}.")
    if decay.p_value < _UNLIKELY:
        said.append(
            "One share for all does not fit the effects measured (p "
            f"{p_words(decay.p_value)}): the interval is surer than it should be."
        )
    return " ".join(said)


def _windows(decay: Appraised) -> pd.DataFrame:
    """Return the windows in the units that readers see, with words for each effect."""
    rows = decay.windows.copy()
    scale = np.where(percentages(rows, decay.settings), 100.0, 1.0)
    for name in _MEASURED:
        rows[name] *= scale
    rows["suffix"] = np.where(scale > 1, " points", "")
    rows["digits"] = [decimals(error) for error in rows["std_error"]]
    labels = in_full(decay.settings)["labels"]
    return rows.assign(label=[label_of(name, labels) for name in rows["outcome"]])


def decay_table(decay: Appraised) -> Table:
    """Return measured and fitted effects as a table for readers, one row an outcome."""
    rows = _windows(decay)
    windows = rows.to_dict("records")
    rows["measured"] = [
        with_interval(row["estimate"], row["conf_low"], row["conf_high"], row["digits"],
                      row["suffix"])
        for row in windows
    ]  # fmt: skip
    rows["shown"] = [
        "" if np.isnan(row["fitted"]) else number(row["fitted"], row["digits"], row["suffix"])
        for row in windows
    ]
    fits = decay.outcomes.set_index("outcome")
    lines = []
    spans = sorted(rows["months"].unique())
    for name, own in rows.groupby("outcome", sort=False):
        cells = own.set_index("months")
        line = [cells["label"].iloc[0], *(cells["measured"].get(span, "") for span in spans)]
        if len(fits):
            fit = fits.loc[name]
            line += [cells["shown"].get(span, "") for span in spans if span >= decay.months]
            line += [
                f"{fit['chi_square']:.1f} on {fit['freedom']:.0f}",
                p_words(float(fit["p_value"])),
            ]
        lines.append(line)
    columns = ["Outcome", *(f"{span} months" for span in spans)]
    if len(fits):
        columns += [f"Fitted, {span} months" for span in spans if span >= decay.months]
        columns += ["Chi-square", "p"]
    notes = [f"{SIMULATED}."] * decay.simulated + [decay_words(decay)]
    notes += _decay_notes(decay, bool(len(fits)), any(span < decay.months for span in spans))
    caption = "Effects over windows of several lengths, and what is left of them"
    return table(pd.DataFrame(lines, columns=columns), caption, notes=notes)


def _decay_notes(decay: Appraised, fitted: bool, shorter: bool) -> list[str]:
    notes = []
    if fitted:
        notes.append(
            f"Fitted: an even pace through {decay.months} months, then one share of it left in "
            "each further year, the same for all outcomes; as the appraisal lets effects run on. "
            "Windows of one outcome err together, so what is fitted may lie to one side of all."
        )
        notes.append(
            "Chi-square: how far an outcome's windows, by themselves, are from such a course, on "
            "how many degrees of freedom; all together "
            f"{decay.chi_square:.1f} on {decay.freedom:.0f}, "
            f"p {p_words(decay.p_value)}."
        )
    if shorter:
        notes.append(
            f"Windows shorter than {decay.months} months say when effects came, and not how long "
            "they lasted: they have no say."
        )
    labels = decay.settings.get("labels", {})
    by_reason: dict[str, list[str]] = {}
    for name, why in decay.left_out.items():
        by_reason.setdefault(why, []).append(label_of(name, labels))
    return notes + [
        f"No say: {listed(names, 20)}. {LEFT_OUT[why].format(months=decay.months)}"
        for why, names in by_reason.items()
    ]


def decay_plot(decay: Appraised) -> Chart:
    """Draw the effects by window beside the fit, and the share before and after."""
    from scipy.special import ndtri  # noqa: PLC0415

    reach = float(ndtri((1 + decay.level) / 2))
    rows = _windows(decay)
    outcomes = decay.outcomes.sort_values("told", ascending=False, kind="stable")["outcome"]
    shown = list(outcomes[:_DRAWN]) or list(dict.fromkeys(rows["outcome"]))[:_DRAWN]
    panels = []
    for name in shown:
        points = rows[rows["outcome"] == name]
        fit = pd.concat([pd.DataFrame({"months": [0.0], "fitted": [0.0], "fitted_error": [0.0]}),
                         points.dropna(subset="fitted")])  # fmt: skip
        wide = reach * fit["fitted_error"]
        measured = points[["months", "estimate", "conf_low", "conf_high"]]
        heading = points["label"].iloc[0] + points["suffix"].iloc[0].replace(" points", ", points")
        panels.append((
            heading, measured.set_axis(["x", "value", "low", "high"], axis=1),
            pd.DataFrame({"x": fit["months"], "value": fit["fitted"], "low": fit["fitted"] - wide,
                          "high": fit["fitted"] + wide}),
        ))  # fmt: skip
    label = simulated_mark(decay.simulated)
    mean, low, high = map(_percent, (decay.mean, *decay.interval))
    alt = (
        f"Small charts. The share of an effect left each year, as assumed and after the records "
        f"were looked at: {mean}, {low} to {high}. Then the effects of {len(panels)} outcomes over "
        "each window with their intervals, beside the fit."
    )
    return lasting_chart(
        decay.edges, decay.prior, decay.posterior, panels, alt=alt,
        title=f"{label}{mean} of an effect is left each further year, {low} to {high}",
        subtitle="How long effects lasted",
    )  # fmt: skip
