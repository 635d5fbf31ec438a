"""Chapter 6, the funnel: from families claimed to families changed, and what each of them cost."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import pandas as pd

from tfeval.display.axes import minus
from tfeval.display.figures import Chart
from tfeval.display.interval_charts import narrowing_chart
from tfeval.display.names import SIMULATED
from tfeval.display.tables import Table, safe_count, table
from tfeval.money.additional import Range, cost_per, surviving
from tfeval.money.claimed import CENTRAL_COST, NATIONAL, WHOLE_COST, break_even_2015
from tfeval.money.costs import cost_sources, programme_costs
from tfeval.programme.ledger import year_two_release
from tfeval.programme.national import reconcile
from tfeval.programme.phases import Phase, phase
from tfeval.programme.phases import phase as phase_of
from tfeval.programme.published import Source, distinct_sources, figure, published
from tfeval.report.chapters.additional import (
    PER,
    Additional,
    facts,
    interval,
    nothing_table,
)
from tfeval.report.chapters.common import (
    MEASURE_NAMES,
    about,
    as_published,
    month,
    not_published,
    percent,
    pounds,
    span,
    with_sources,
)

# Chapter 1, the rules: who was eligible, what counted as a result, what was paid for it.


def eligibility_table(name: str) -> Table:
    """Return who was eligible in a phase."""
    return _rules("eligibility", name, "Who was eligible")


def results_table(name: str) -> Table:
    """Return what counted as a result in a phase."""
    return _rules("results_definitions", name, "What counted as a result")


def tariff_table(name: str) -> Table:
    """Return what was paid for a funded family, by the year it was attached."""
    rules = phase(name)
    tariff = rules.tariff
    frame = pd.DataFrame({"Year of attachment": tariff.years})
    if tariff.attachment_fee:
        frame["Attachment fee"] = [tariff.attachment_fee[year] for year in tariff.years]
    for kind in rules.result.paid:
        frame[f"Result: {MEASURE_NAMES[kind].lower()}"] = [
            tariff.results_payment[(year, kind)] for year in tariff.years
        ]
    frame["At most"] = [tariff.maximum(year) for year in tariff.years]
    rows = published("tariff")
    formats = dict.fromkeys(frame.columns[1:], pounds)
    note = (
        "Progress to work is paid beside the first kind of result; continuous employment instead "
        "of both. No source seen says whether a result is paid at the rate of the year of "
        "attachment or of the claim: the ledger takes the year of attachment, so that fee and "
        "result never exceed the published maximum."
    )
    return table(
        frame,
        caption=f"Payment for each funded family, {rules.title}",
        formats=formats,
        sources=distinct_sources(rows[rows["phase"] == name]),
        notes=note if rules.result.progress else None,
    )


def year_two_table(name: str = "one") -> Table:
    """Return the tiers of year two's fees and where England and authorities stood."""
    rules = phase(name)
    if not rules.costs.ledger:
        return not_published("The tiers of year two", f"Tiers of fees of {rules.words}")
    worked = figure("progress_national", "worked_with", as_of="2013-03")
    agreed = figure("progress_national", "agreed_year_one")
    rows = [
        (
            "England",
            f"{worked.value:,.0f}",
            f"{agreed.value:,.0f}",
            percent(worked.value / agreed.value),
            percent(year_two_release(worked.value, agreed.value)),
        )
    ]
    columns = [
        "Area",
        "Worked with by March 2013",
        "Agreed for year one",
        "Share",
        "Year-two fees released in the first quarter",
    ]
    full, half = (figure("tariff", f"year_two_threshold_{tier}") for tier in ("full", "half"))
    note = (
        f"From {full.value:.0f}% of the families agreed, all of the fees; from {half.value:.0f}%, "
        "half, and the rest on catching up; below, none until it improved. Numbers agreed were "
        "not published by authority."
    )
    sources = (*full.sources, *worked.sources, *agreed.sources)
    return table(
        pd.DataFrame(rows, columns=columns),
        caption="The tiers of year two",
        sources=sources,
        notes=note,
    )


def _rules(name: str, which: str, caption: str) -> Table:
    rows = published(name)
    rows = rows[rows["phase"] == which]
    frame = pd.DataFrame(
        {
            "Rule": rows["definition"],
            "Threshold": [
                "" if pd.isna(row["value"]) else as_published(row) for _, row in rows.iterrows()
            ],
            "In words": rows["text"],
        }
    )
    return table(with_sources(frame, rows), caption=f"{caption}, {phase(which).title}", missing="")


#: The step on which no money was spent apart: it went to all families alike.
_ANYWAY = 3
_STEPS = ("claimed", "met", "anyway")


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


@lru_cache(maxsize=4)
def spent_on(phase: str) -> Spent:
    """Return what was spent on a family: paid under the tariff, and by everybody."""
    due, families = reconcile(phase).parts[0], phase_of(phase).families.value
    costs = programme_costs(phase, "total")
    others = [source for source in cost_sources(phase) if source not in due.sources]
    return Spent(
        due.low / families, due.high / families, float(costs["cash"].sum()) / families,
        due.sources, tuple(others),
    )  # fmt: skip


def steps(additional: Additional) -> list[tuple[str, Range]]:
    """Return the steps from families on the programme to families it changed, as shares."""
    results = additional.results
    if results is None:
        return []

    def exact(share: float) -> Range:
        return Range(share, share, share)

    return [
        ("On the programme", exact(1.0)),
        (f"Claimed as {phase_of(additional.phase).result.words}", exact(results.claimed)),
        (f"Met the tests by the records, {additional.horizon} months on", exact(results.met)),
        ("Would have met them anyway: rate of similar families", exact(results.anyway)),
        ("Additional: met them because of the programme", results.additional),
    ]


def funnel_chart(additional: Additional) -> Chart | Table:
    """Draw the way from families claimed to families changed, with what was paid for each."""
    rows = steps(additional)
    if not rows:
        return nothing_table(additional)
    paid = spent_on(additional.phase)
    shares = [share.times(PER) for _, share in rows]
    words = [_paid_words(cost_per(paid.high, share), share.times(PER)) for _, share in rows]
    words[_ANYWAY] = ""
    listed = "; ".join(
        f"{label} {share.value:,.0f}" for (label, _), share in zip(rows, shares, strict=True)
    )
    low, high = shares[-1].low, shares[-1].high
    ends = " to ".join(minus(f"{round(end):,}") for end in (low, high))
    return narrowing_chart(
        [label for label, _ in rows], [share.value for share in shares], words,
        low=[share.low for share in shares], high=[share.high for share in shares],
        title=_titled(f"Of {PER:,} families {shares[1].value:,.0f} were claimed; {ends} met the "
                      "tests because of the programme", additional.simulated),
        subtitle=f"From families claimed to families changed, of {PER:,} on the programme",
        alt=f"Bars that narrow, per {PER:,} families on the programme: {listed}, with a 95% "
        f"interval from {low:,.0f} to {high:,.0f}.",
        x_label=f"Families, of {PER:,} on the programme",
        sources=paid.sources,
    )  # fmt: skip


def _titled(title: str, simulated: bool) -> str:
    return f"{title} (simulated records)" if simulated else title


def _paid_words(each: Range, share: Range) -> str:
    if share.low == share.high:
        return f"{about(each.value)} each"
    ends = interval(share).partition(" ")[2]
    if each.high == float("inf"):
        return f"{ends}\n{_or_none(each.value)} each; at least {about(each.low)}"
    return f"{ends}\n{about(each.value)} each ({about(each.low)} to {about(each.high)})"


def _or_none(value: float) -> str:
    return "no number" if value == float("inf") else about(value)


def funnel_table(additional: Additional) -> Table:
    """Return each step with its interval, what was paid for it, and what everybody spent."""
    rows = steps(additional)
    if not rows:
        return nothing_table(additional)
    paid, said, lines = spent_on(additional.phase), facts(additional), []
    numbers = [f"{PER:,}", *(f"{said[f'results_{name}']:short}" for name in _STEPS),
               said["results_additional"].interval()]  # fmt: skip
    for place, (label, share) in enumerate(rows):
        fees = "" if place == _ANYWAY else _each_cost(paid.low, paid.high, share)
        whole = "" if place == _ANYWAY else _each_cost(paid.whole, paid.whole, share)
        lines.append((label, numbers[place], fees, whole))
    frame = pd.DataFrame(
        lines,
        columns=["Step", f"Of {PER:,} families", "Fees and results paid, for each",
                 "All public costs, for each"],
    )  # fmt: skip
    return table(
        frame,
        caption=_titled("Claims, results and what the programme added", additional.simulated),
        sources=paid.other_sources,
        notes=_funnel_notes(additional),
    )


#: How each published rule is read here, by the figure that its row gives first.
_READ_AS = {
    "unauthorised_absence_below": "Each child of school age, or with terms on record; its last "
    "three terms that ended before the day of the tests, summed; two schools in a term are one "
    "term, a term without sessions is none. Who has fewer cannot be judged, unless the exclusions "
    "are already too many.",
    "attendance_at_least": "Each child of school age, or with terms on record; its last three "
    "terms that ended before the day of the tests, summed; all absence counts, authorised too. "
    "Who has fewer cannot be judged.",
    "asb_reduction": "Incidents of the family in the half year (182 days) before the day of the "
    "tests, against those in the half year before it joined. Where none came before, none may "
    "come after.",
    "offending_reduction": "Offences that were proven, {whose}, in the half year (182 days) before "
    "the day of the tests, against those in the half year before the family joined. Where none "
    "came before, none may come after.",
    "offending_months": "The half year (182 days) before the day of the tests, as far as records "
    "show the need.",
    "employment_weeks": "An adult (18 or over) on an out-of-work benefit on the day the family "
    "joined, then in work without a day between jobs, and off such benefits all the while.",
    "employment_removed": "Work is no result.",
    "admission_free_months": "No emergency admission of anyone in the family in the year (365 "
    "days) before the day of the tests; a visit to accident and emergency is none.",
}


def rules_table(additional: Additional) -> Table:
    """Return each rule as published, beside how it is read from the records."""
    rows = published("results_definitions")
    rows = rows[(rows["phase"] == additional.phase) & rows["figure"].isin(_READ_AS)]
    rows = rows[rows["status"] == "read"].drop_duplicates("figure")
    rule = [
        row["text"] if row["text"] else f"{row['definition']}: {as_published(row)}"
        for _, row in rows.iterrows()
    ]
    minors = phase(additional.phase).result.minors_only
    whose = "of people under 18 on the day" if minors else "of anyone, and incidents"
    read = [_READ_AS[name].format(whose=whose) for name in rows["figure"]]
    return table(
        pd.DataFrame({"Rule, as published": rule, "As read here": read}),
        caption=f"The tests and how they are read, {phase(additional.phase).title}",
        sources=distinct_sources(rows),
    )


def readings_table(additional: Additional) -> Table:
    """Return how far the answer hangs on how the tests are read, and on who cannot be judged."""
    if additional.results is None:
        return nothing_table(additional)
    read = {
        "As read above: who cannot be judged is left out": additional.results,
        **additional.readings,
    }
    lines = []
    for words, results in read.items():
        if results is None:
            lines.append((words, *["not known"] * 3))
            continue
        met, anyway = (f"{PER * share:,.0f}" for share in (results.met, results.anyway))
        lines.append((words, met, anyway, interval(results.additional.times(PER))))
    treated, compared = (f"{100 * share:.0f}%" for share in additional.judged)
    return table(
        pd.DataFrame(
            lines, columns=["Reading", "Met the tests", "Would have anyway", "Additional"]
        ),
        caption=_titled(f"The tests read otherwise, of {PER:,} families", additional.simulated),
        notes=f"{treated} of the families on the programme and {compared} of those compared can be "
        "judged: their children have three terms of school on record before the day of the tests, "
        "and the records cover what the tests look at. “The last three terms” may be read as any "
        "that ended before that day, as above, or as such as began after the family joined. "
        "Numbers are rounded one by one, so a difference may be one off.",
    )


def _each_cost(low: float, high: float, share: Range) -> str:
    cheap, dear = cost_per(low, share), cost_per(high, share)
    if share.low == share.high:
        return span(cheap.value, dear.value, about)
    top = "no upper end" if dear.high == float("inf") else f"at most {about(dear.high)}"
    return f"{_or_none(dear.value)} (at least {about(cheap.low)}, {top})"


def _funnel_notes(additional: Additional) -> list[str]:
    notes = [SIMULATED + "."] if additional.simulated else []
    notes += [
        f"Both groups are put to the programme's own tests {additional.horizon} months after they "
        f"entered: {safe_count(additional.design.kept(True))} families on the programme, "
        f"{safe_count(additional.design.kept(False))} similar ones ({additional.design.title}). "
        "The interval is of 95%, and lets the families of one authority be alike. Numbers are "
        "rounded one by one, so a difference may be one off.",
        "Families claimed without meeting the tests by the records may have met them later, or in "
        "records that were not linked.",
        "Sources of what was paid: under the chart above. Money is cash, national, spread over "
        "all families on the programme. Where the interval "
        "holds no additional family, what one cost has no upper end.",
    ]
    return notes


_READ = {"anyway": "Would have met them anyway", "additional": "Additional"}


def _hundreds(number: float) -> str:
    return f"{round(number, -2):,.0f}".replace("-", "\N{MINUS SIGN}")


def nation_table(additional: Additional) -> Table:
    """Return the same at the size of the nation, beside the claim that was made."""
    if additional.results is None:
        return nothing_table(additional)
    families, results = phase_of(additional.phase).families.value, additional.results
    rules = phase_of(additional.phase)
    claim = rules.latest_claim()
    said = f"{claim.value:,.0f}"
    if not rules.claims.final:
        said = f"{_latest(rules)} by {month(rules.claims.as_of)}"
    kind = "simulated share" if additional.simulated else "the records' share"
    lines = [
        ("Families of the programme", f"{families:,.0f}", "published"),
        (f"Claimed as {phase_of(additional.phase).result.words}", said, "published"),
        ("Would have met the tests anyway", f"{round(results.anyway * families, -2):,.0f}", kind),
        ("Additional", interval(results.additional.times(families), -2), kind),
        *(
            (f"{_READ[name]}, over all readings of the tests",
             span(low * families, high * families, _hundreds), kind)
            for name, (low, high) in additional.as_read().items()
            if name in _READ
        ),
    ]  # fmt: skip
    return table(
        pd.DataFrame(lines, columns=["Families", "How many", "Basis"]),
        caption=_titled(
            "The same for England, if all families were like these", additional.simulated
        ),
        sources=[*phase_of(additional.phase).families.sources, *claim.sources],
        notes=SIMULATED + ": the shares show the method, and change with real records."
        if additional.simulated
        else "Families compared may differ from those that found no comparison.",
    )


def _latest(rules: Phase) -> str:
    rows = published("progress_national")
    rows = rows[(rows["figure"] == rules.claims.latest) & (rows["as_of"] == rules.claims.as_of)]
    return as_published(rows.iloc[0]).removesuffix(f" {rules.unit}")


def surviving_table(additional: Additional) -> Table:
    """Return what is left of the claimed £1.2bn, step by step."""
    if not phase_of(additional.phase).claims.saving or additional.results is None:
        why = (
            additional.why
            if additional.results is None
            else "No saving was claimed like phase one's."
        )
        return table(pd.DataFrame({"": [why]}), caption="What survives of the claimed saving")
    claim = figure("benefits_claim_2015", "national_claim")
    results, saved = additional.results, claim.pounds()[0]
    costs = break_even_2015().set_index(["claim", "cost_counted"])["cost"].loc[NATIONAL]
    own, central = surviving(saved, results.own, float(costs[CENTRAL_COST]))
    _, whole = surviving(saved, results.own, float(costs[WHOLE_COST]))
    kind = "simulated share" if additional.simulated else "the records' share"
    lines = [
        ("Claimed in 2015: all of every family's change", pounds(saved), "published"),
        (f"The programme's own part: {facts(additional)['own_share']} of those who met the tests",
         _pounds_range(own), kind),
        *(("The same over all readings of the tests", span(low * saved, high * saved, about), kind)
          for name, (low, high) in additional.as_read().items() if name == "own"),
        ("Less central government's budget", _pounds_range(central), kind),
        ("Less what authorities were expected to add, too", _pounds_range(whole), kind),
    ]  # fmt: skip
    return table(
        pd.DataFrame(lines, columns=["Step", "Pounds", "Basis"]),
        caption=_titled("What survives of the claimed £1.2bn", additional.simulated),
        sources=list(claim.sources),
        notes=[
            *([SIMULATED + "."] if additional.simulated else []),
            "The share of results that were the programme's own is taken for the share of the "
            "saving; a saving may be more or less its own than a result. The claimed pounds "
            "themselves come from seven areas and were never checked against a comparison group.",
        ],
    )


def _pounds_range(number: Range) -> str:
    return f"{about(number.value)} ({about(number.low)} to {about(number.high)})"
