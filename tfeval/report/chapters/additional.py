"""Chapter 6, the causes: who would have met the programme's own tests anyway."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import pandas as pd

from tfeval.cohort.results import results_tests
from tfeval.display.claim_charts import narrowing_chart
from tfeval.display.disclosure import THRESHOLD, safe_count
from tfeval.display.figures import Chart
from tfeval.display.tables import Table, table
from tfeval.errors import TfevalError
from tfeval.impact.effect_words import hidden_rows
from tfeval.impact.effects import Effects
from tfeval.impact.estimate import estimate
from tfeval.money.additional import Range, Results, cost_per, results_of, surviving
from tfeval.money.claimed import break_even_2015
from tfeval.money.costs import cost_sources, programme_costs
from tfeval.programme.national import reconcile
from tfeval.programme.phases import phase as phase_of
from tfeval.programme.published import Source, figure
from tfeval.report.chapters import comparison as groups
from tfeval.report.chapters.common import about, percent, pounds, span
from tfeval.report.chapters.linked import records_of
from tfeval.report.notebook_parts import SIMULATED, Box
from tfeval.report.record import record

#: The result of each phase, and the families it is shown per.
TESTS = {"one": "turned_around", "two": "sustained_progress"}
WORDS = {"one": "turned around", "two": "significant and sustained progress"}
_PER = 1_000
#: The step on which no money was spent apart: it went to all families alike.
_ANYWAY = 3
_PARTLY = (
    f"{SIMULATED}. On this page that holds for the parts marked “simulated records”; all others "
    "are published figures"
)


@dataclass(frozen=True)
class Additional:
    """What the records say of the results claimed.

    Attributes
    ----------
    phase : str
    horizon : int
        Months after the index date at which the tests are taken.
    comparison : groups.Comparison
        Who the families are compared with.
    effects : Effects or None
        On having met the tests.
    results : Results or None
        None where the records cannot say.
    why : str
        Why they cannot.
    """

    phase: str
    horizon: int
    comparison: groups.Comparison
    effects: Effects | None
    results: Results | None
    why: str = ""

    @property
    def simulated(self) -> bool:
        """Whether the records are simulated."""
        return self.comparison.study.simulated


def load(
    extract: str, phase: str, comparison: str, horizon: int, *, design: str, caliper: float
) -> Additional:
    """Put both groups to the programme's own tests.

    Parameters
    ----------
    extract, phase, comparison, horizon, design, caliper
        As in `tfeval.report.chapters.comparison.load`.
    """
    found = groups.load(extract, phase, comparison, horizon, design=design, caliper=caliper)
    try:
        effects = _effect(extract, found, phase, horizon)
        if hidden_rows(effects.to_frame()).any():
            return Additional(phase, horizon, found, None, None,
                              "too few families met the tests for numbers to be shown")  # fmt: skip
        results = results_of(effects, _claimed(extract, found, phase))
    except TfevalError as fault:
        return Additional(phase, horizon, found, None, None, str(fault))
    return Additional(phase, horizon, found, effects, results)


def _effect(extract: str, found: groups.Comparison, phase: str, horizon: int) -> Effects:
    tests = results_tests(records_of(extract), found.cohort, horizon).set_index("unit")
    units = found.cohort.to_pandas().loc[found.study.index, "unit"]
    met = tests[TESTS[phase]].reindex(units).set_axis(found.study.index)
    return estimate(found.design, met.rename(f"{TESTS[phase]}_{horizon}"), months=horizon)


def _claimed(extract: str, found: groups.Comparison, phase: str) -> float:
    """Return the share of the families compared for whom a result was claimed.

    Fewer than ten without a claim, or with one, are not told: they count with the others.
    """
    rows = records_of(extract).table("families")
    rows = rows.filter(rows["phase"] == phase).select("family_id", "claimed_on").to_pandas()
    claimed = rows.set_index("family_id")["claimed_on"].notna()
    frame = found.cohort.to_pandas().loc[found.study.index]
    kept = found.study.treated & (found.design.weights > 0)
    own = claimed.reindex(frame.loc[kept, "family_id"]).fillna(False).astype(bool)
    yes, no = int(own.sum()), int((~own).sum())
    if no < THRESHOLD:
        return 1.0
    return 0.0 if yes < THRESHOLD else yes / (yes + no)


def banner(found: Additional) -> Box | None:
    """Return the banner that simulated records carry, and nothing for real ones."""
    return Box("simulated", (("", _PARTLY),)) if found.simulated else None


def headline(found: Additional) -> str:
    """Say in one sentence how many results the programme added."""
    if found.results is None:
        return f"The records cannot say who would have met the tests anyway: {found.why}."
    held, label = found.results, "In simulated records" if found.simulated else "In the records"
    return (
        f"{label}, of {_PER:,} families {_each(held.claimed)} were claimed, {_each(held.met)} met "
        f"the tests and {_each(held.anyway)} would have met them anyway: "
        f"{_interval(held.additional.times(_PER))} were additional."
    )


def _each(share: float) -> str:
    return f"{share * _PER:,.0f}"


def _interval(number: Range, digits: int = 0) -> str:
    value, low, high = (
        f"{round(end, digits):,.0f}".replace("-", "\N{MINUS SIGN}")
        for end in (number.value, number.low, number.high)
    )
    return f"{value} ({low} to {high})"


@dataclass(frozen=True)
class Spent:
    """What was spent on a family of the programme, pounds in cash.

    Attributes
    ----------
    low, high : float
        Fees and results payments due.
    whole : float
        All public costs, authorities' own expected contribution among them.
    sources, other_sources : tuple of Source
        Of what was paid, and of what else was spent.
    """

    low: float
    high: float
    whole: float
    sources: tuple[Source, ...]
    other_sources: tuple[Source, ...]


@lru_cache(maxsize=2)
def spent_on(phase: str) -> Spent:
    """Return what was spent on a family: paid under the tariff, and by everybody."""
    due, families = reconcile(phase).parts[0], phase_of(phase).families.value
    costs = programme_costs(phase, "total", 2014)
    others = [source for source in cost_sources(phase) if source not in due.sources]
    return Spent(
        due.low / families, due.high / families, float(costs["cash"].sum()) / families,
        due.sources, tuple(others),
    )  # fmt: skip


def steps(found: Additional) -> list[tuple[str, Range]]:
    """Return the steps from families on the programme to families it changed, as shares."""
    held = found.results
    if held is None:
        return []

    def exact(share: float) -> Range:
        return Range(share, share, share)

    return [
        ("On the programme", exact(1.0)),
        (f"Claimed as {WORDS[found.phase]}", exact(held.claimed)),
        (f"Met the tests by the records, {found.horizon} months on", exact(held.met)),
        ("Would have met them anyway: rate of similar families", exact(held.anyway)),
        ("Additional: met them because of the programme", held.additional),
    ]


def funnel_chart(found: Additional) -> Chart | Table:
    """Draw the way from families claimed to families changed, with what was paid for each."""
    rows = steps(found)
    if not rows:
        return nothing_table(found)
    paid = spent_on(found.phase)
    shares = [share.times(_PER) for _, share in rows]
    words = [_paid_words(cost_per(paid.high, share), share.times(_PER)) for _, share in rows]
    words[_ANYWAY] = ""
    listed = "; ".join(
        f"{label} {share.value:,.0f}" for (label, _), share in zip(rows, shares, strict=True)
    )
    low, high = shares[-1].low, shares[-1].high
    return narrowing_chart(
        [label for label, _ in rows], [share.value for share in shares], words,
        low=[share.low for share in shares], high=[share.high for share in shares],
        title=_titled("From families claimed to families changed", found.simulated),
        alt=f"Bars that narrow, per {_PER:,} families on the programme: {listed}, with a 95% "
        f"interval from {low:,.0f} to {high:,.0f}.",
        x_label=f"Families, of {_PER:,} on the programme",
        sources=paid.sources,
    )  # fmt: skip


def _titled(title: str, simulated: bool) -> str:
    return f"{title} (simulated records)" if simulated else title


def _paid_words(each: Range, share: Range) -> str:
    if share.low == share.high:
        return f"{about(each.value)} each"
    interval = f"{_interval(share).partition(' ')[2]}"
    if each.high == float("inf"):
        return f"{interval}\n{_or_none(each.value)} each; at least {about(each.low)}"
    return f"{interval}\n{about(each.value)} each ({about(each.low)} to {about(each.high)})"


def _or_none(value: float) -> str:
    return "no number" if value == float("inf") else about(value)


def funnel_table(found: Additional) -> Table:
    """Return each step with its interval, what was paid for it, and what everybody spent."""
    rows = steps(found)
    if not rows:
        return nothing_table(found)
    paid = spent_on(found.phase)
    lines = []
    for place, (label, share) in enumerate(rows):
        fees = "" if place == _ANYWAY else _each_cost(paid.low, paid.high, share)
        whole = "" if place == _ANYWAY else _each_cost(paid.whole, paid.whole, share)
        number = _each(share.value) if share.low == share.high else _interval(share.times(_PER))
        lines.append((label, number, fees, whole))
    frame = pd.DataFrame(
        lines,
        columns=["Step", f"Of {_PER:,} families", "Fees and results paid, for each",
                 "All public costs, for each"],
    )  # fmt: skip
    return table(
        frame,
        caption=_titled("Claims, results and what the programme added", found.simulated),
        sources=paid.other_sources,
        notes=_funnel_notes(found),
    )


def _each_cost(low: float, high: float, share: Range) -> str:
    cheap, dear = cost_per(low, share), cost_per(high, share)
    if share.low == share.high:
        return span(cheap.value, dear.value, about)
    top = "no upper end" if dear.high == float("inf") else f"at most {about(dear.high)}"
    return f"{_or_none(dear.value)} (at least {about(cheap.low)}, {top})"


def _funnel_notes(found: Additional) -> list[str]:
    held = found.comparison
    notes = [SIMULATED + "."] if found.simulated else []
    notes += [
        f"Both groups are put to the programme's own tests {found.horizon} months after they "
        f"entered: {safe_count(held.design.kept(True))} families on the programme, "
        f"{safe_count(held.design.kept(False))} similar ones ({held.design.method}). The interval "
        "is of 95%, and lets the families of one authority be alike.",
        "Families claimed without meeting the tests by the records may have met them later, or in "
        "records that were not linked.",
        "Sources of what was paid: under the chart above. Money is cash, national, spread over "
        "all families on the programme. Where the interval "
        "holds no additional family, what one cost has no upper end.",
    ]
    return notes


def nothing_table(found: Additional) -> Table:
    """Return why the records cannot say what was additional."""
    return table(
        pd.DataFrame({"What is missing": [found.why]}),
        caption="Who would have met the tests anyway is not known from these records",
    )


def nation_table(found: Additional) -> Table:
    """Return the same at the size of the nation, beside the claim that was made."""
    if found.results is None:
        return nothing_table(found)
    families, held = phase_of(found.phase).families.value, found.results
    claim = _claim(found.phase)
    kind = "simulated share" if found.simulated else "the records' share"
    lines = [
        ("Families of the programme", f"{families:,.0f}", "published"),
        (f"Claimed as {WORDS[found.phase]}", claim[0], "published"),
        ("Would have met the tests anyway", f"{round(held.anyway * families, -2):,.0f}", kind),
        ("Additional", _interval(held.additional.times(families), -2), kind),
    ]
    return table(
        pd.DataFrame(lines, columns=["Families", "How many", "Basis"]),
        caption=_titled("The same for England, if all families were like these", found.simulated),
        sources=[*phase_of(found.phase).families.sources, *claim[1]],
        notes=SIMULATED + ": the shares show the method, and change with real records."
        if found.simulated
        else "Families compared may differ from those that found no comparison.",
    )


def _claim(phase: str) -> tuple[str, tuple[Source, ...]]:
    if phase == "one":
        last = figure("progress_national", "turned_around", as_of="2015-05")
        return f"{last.value:,.0f}", last.sources
    last = figure("progress_national", "sustained_progress", as_of="2018-03")
    return f"over {last.value:,.0f} by March 2018", last.sources


def surviving_table(found: Additional) -> Table:
    """Return what is left of the claimed £1.2bn, step by step."""
    if found.phase != "one" or found.results is None:
        why = found.why if found.results is None else "No saving was claimed like phase one's."
        return table(pd.DataFrame({"": [why]}), caption="What survives of the claimed saving")
    claim = figure("benefits_claim_2015", "national_claim")
    held, saved = found.results, claim.pounds()[0]
    costs = break_even_2015().set_index(["claim", "cost_counted"])["cost"].loc["National claim"]
    own, central = surviving(saved, held.own, float(costs["central only"]))
    _, whole = surviving(saved, held.own, float(costs["authority-contributed and central"]))
    kind = "simulated share" if found.simulated else "the records' share"
    lines = [
        ("Claimed in 2015: all of every family's change", pounds(saved), "published"),
        (f"The programme's own part: {percent(held.own.value)} of those who met the tests",
         _pounds_range(own), kind),
        ("Less central government's budget", _pounds_range(central), kind),
        ("Less what authorities were expected to add, too", _pounds_range(whole), kind),
    ]  # fmt: skip
    return table(
        pd.DataFrame(lines, columns=["Step", "Pounds", "Basis"]),
        caption=_titled("What survives of the claimed £1.2bn", found.simulated),
        sources=list(claim.sources),
        notes=[
            *([SIMULATED + "."] if found.simulated else []),
            "The share of results that were the programme's own is taken for the share of the "
            "saving; a saving may be more or less its own than a result. The claimed pounds "
            "themselves come from seven areas and were never checked against a comparison group.",
        ],
    )


def _pounds_range(number: Range) -> str:
    return f"{about(number.value)} ({about(number.low)} to {about(number.high)})"


def record_results(found: Additional) -> None:
    """Record the steps per 1,000 families, with the interval, for later chapters."""
    if found.results is None:
        record("results_unknown", found.why)
        return
    held, unit = found.results, f"of {_PER:,} families"
    label = "simulated" if found.simulated else "records"
    record("results_basis", label)
    record("results_claimed", round(held.claimed * _PER), unit)
    record("results_met", round(held.met * _PER), unit)
    record("results_anyway", round(held.anyway * _PER), unit)
    record("results_additional", round(held.additional.value * _PER), unit)
    record("results_additional_low", round(held.additional.low * _PER), unit)
    record("results_additional_high", round(held.additional.high * _PER), unit)
    record("own_share", 100 * held.own.value, "%", digits=3)
    record("own_share_low", 100 * held.own.low, "%", digits=3)
    record("own_share_high", 100 * held.own.high, "%", digits=3)
