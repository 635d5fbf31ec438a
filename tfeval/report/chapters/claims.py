"""Chapter 6, the families: what was claimed over time and by authority."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

import numpy as np
import pandas as pd

from tfeval.display.charts import line_chart
from tfeval.display.figures import Chart
from tfeval.display.interval_charts import funnel_plot
from tfeval.display.tables import Table, table
from tfeval.display.words import Sentence, in_digits
from tfeval.money.additional import Range, cost_per
from tfeval.money.appraisal_settings import Assumptions
from tfeval.money.claimed import CENTRAL_COST, NATIONAL, WHOLE_COST, break_even_2015
from tfeval.programme.claims import (
    FullMarks,
    authority,
    claims_by_authority,
    claims_over_time,
    control_limits,
    final_claims,
    full_marks,
)
from tfeval.programme.phases import period, phase
from tfeval.programme.published import Figure, distinct_sources, figure, published
from tfeval.report.chapters.additional import PER, effects_with_values, finding_2016
from tfeval.report.chapters.claim_words import claimed_words, paying_words
from tfeval.report.chapters.common import (
    MEASURE_NAMES,
    QUALIFIERS,
    about,
    as_published,
    month,
    of_phase,
    percent,
    with_sources,
)
from tfeval.report.chapters.comparison import group_table as group_table  # noqa: PLC0414
from tfeval.report.record import Record, Records, keep, make_record, record

ALL = "all"


def headline(name: str, assumptions: Assumptions) -> Sentence:
    """Say what was claimed in a phase, and what it takes to hold.

    Parameters
    ----------
    name : str
        The phase.
    assumptions : Assumptions
        The scenario: how long a benefit lasts.
    """
    said = facts(name, assumptions)
    return Sentence(f"{claimed_words(said)} {paying_words(said)}".strip())


def detail(name: str, assumptions: Assumptions) -> list[Sentence]:
    """Say what else is known of a phase's claims: full marks, and what a longer benefit takes.

    Parameters
    ----------
    name, assumptions
        As in `headline`.
    """
    said = facts(name, assumptions)
    if "claimed_share" not in said:
        return []
    return [
        Sentence(
            f"{said['full_marks_observed']} of {said['full_marks_known']} authorities with an "
            "exact final claim stand at exactly 100%, where chance alone would put "
            f"{said['full_marks_expected']} of them; {said['full_marks_early']} are known because "
            "they stand there."
        ),
        Sentence(
            f"Over {said['break_even_lasting']}, the share that must be its own is "
            f"{said['break_even_lasting_low']} to {said['break_even_lasting_high']} "
            f"({said['break_even_least']} to {said['break_even_most']})."
        ),
    ]


def facts(name: str, assumptions: Assumptions) -> dict[str, Record]:
    """Return what is recorded of a phase's claims; where a figure was not published, nothing.

    Parameters
    ----------
    name : str
        The phase.
    assumptions : Assumptions
        The scenario: how long a benefit lasts.
    """
    claims = phase(name).claims
    rows = _national(name, [claims.latest]).sort_values("as_of")
    last, about = rows.iloc[-1], {"phase": name}
    made = [
        make_record("claimed_families", last["value"], "families", source=last["url"],
                    subject=about),
        make_record("claimed_mark", QUALIFIERS[last["qualifier"] or "exact"], subject=about),
        make_record("claimed_as", MEASURE_NAMES[claims.latest].lower(), subject=about),
        make_record("claimed_by", month(last["as_of"]), subject=about),
    ]  # fmt: skip
    made += [*_final(), *_breaking_even(assumptions)] if claims.final else []
    return {record.name: record for record in made}


def _final() -> list[Record]:
    full = marks()
    saving = figure("benefits_claim_2015", "national_claim").pounds()[0]
    number: list[tuple[str, float, str, int | None]] = [
        ("claimed_share", 100 * national_share(), "%", 3),
        ("claimed_saving", saving, "£", None),
        ("claimed_against", phase("one").budget.pounds()[0], "£", None),
        ("full_marks_observed", full.observed, "", None),
        ("full_marks_known", full.known, "", None),
        ("full_marks_expected", full.expected, "", 2),
        ("full_marks_early", full.early, "", None),
    ]
    return [
        make_record(name, value, unit, digits=digits, subject={"phase": "one"})
        for name, value, unit, digits in number
    ]


def _breaking_even(assumptions: Assumptions) -> list[Record]:
    """Record which share of the claims must be the programme's own, and on what condition."""
    rows = break_even_2015(assumptions)
    named = rows.set_index(["claim", "cost_counted"])["share"]
    number = {
        "break_even_pair": named[(NATIONAL, CENTRAL_COST)],
        "break_even_national": named[(NATIONAL, WHOLE_COST)],
        "break_even_low": rows["share"].min(), "break_even_high": rows["share"].max(),
        "break_even_lasting_low": rows["lasting"].min(),
        "break_even_lasting_high": rows["lasting"].max(),
        "break_even_least": rows["lasting_low"].min(),
        "break_even_most": rows["lasting_high"].max(),
    }  # fmt: skip
    about = {"phase": "one", **asdict(assumptions)}
    made = [make_record(name, 100 * float(share), "%", digits=3, subject=about)
            for name, share in number.items()]  # fmt: skip
    return [*made, make_record("break_even_lasting", assumptions.lasting_words(), subject=about)]


def record_claims(name: str, assumptions: Assumptions) -> None:
    """Record what was claimed in a phase and what its evaluation found, for later chapters.

    Parameters
    ----------
    name : str
        The phase.
    assumptions : Assumptions
        The scenario.
    """
    record("scenario", assumptions.words(name))
    for made in facts(name, assumptions).values():
        keep(made)
    if phase(name).claims.saving:
        record("evaluation_2016", finding_2016(), subject={"phase": "one"})
    record("effects_with_values", effects_with_values(), subject={"phase": "two"})


def national_share() -> float:
    """Return the last share of families claimed as turned around in phase one."""
    claimed = figure("progress_national", "turned_around", as_of="2015-05").value
    return claimed / phase("one").families.value


def over_time_chart(name: str) -> Chart:
    """Return the national claims over time by kind."""
    lines = claims_over_time(name)
    measures = list(phase(name).claims.measures)
    lines = lines[lines["figure"].isin(measures)]
    wide = lines.pivot_table(index="as_of", columns="figure", values="high")
    wide = wide[measures].rename(columns=MEASURE_NAMES)
    wide.index = pd.PeriodIndex(wide.index, freq="M").to_timestamp()
    last = wide.ffill().iloc[-1]
    listed = "; ".join(f"{label} {value:,.0f}" for label, value in last.items())
    return line_chart(
        wide.rename_axis(None, axis=1),
        title=_rise(wide),
        subtitle=f"Families claimed over time, {phase(name).title}. Few counts stay unjoined",
        alt=f"Line chart of families by month of the count. Last counts: {listed}.",
        y_label="Families",
        sources=distinct_sources(_national(name, measures)),
    )


def _rise(wide: pd.DataFrame) -> str:
    """Say how far the measure with the most counts rose."""
    counts = wide[wide.count().idxmax()].dropna()
    ends = [f"{counts.iloc[at]:,.0f} in {counts.index[at]:%B %Y}" for at in (0, -1)]
    return (
        f"{counts.name}: from {ends[0]} to {ends[1]}"
        if len(counts) > 1
        else f"{counts.name}: {ends[0]}"
    )


def over_time_table(name: str) -> Table:
    """Return every published national count with its source."""
    rows = _national(name, MEASURE_NAMES)
    rows = rows.sort_values(["as_of", "figure"], kind="stable")
    frame = pd.DataFrame(
        {
            "As of": rows["as_of"].map(month),
            "Measure": rows["figure"].map(MEASURE_NAMES),
            "As published": [as_published(row) for _, row in rows.iterrows()],
        }
    )
    return table(with_sources(frame, rows), caption=f"National counts, {phase(name).title}")


def _national(name: str, measures: Iterable[str]) -> pd.DataFrame:
    rows = published("progress_national")
    return rows[(rows["period"] == period(name)) & rows["figure"].isin(list(measures))]


@of_phase("one")
def funnel_chart(local_authority: str = ALL) -> Chart:
    """Return the funnel plot of phase one's final claims by authority.

    Parameters
    ----------
    local_authority : str, default "all"
        Named in the plot, where its claim is known.
    name : str, default "one"
        The phase.
    """
    claims = final_claims().dropna(subset=["turned_around"])
    centre = national_share()
    sizes = np.unique(np.geomspace(5, claims["targeted"].max() * 1.05, 160).round())
    limits = {words: control_limits(sizes, centre, level) for words, level in _LEVELS.items()}
    full = int((claims["share"] == 1).sum())
    named = [] if local_authority == ALL else [authority(local_authority)["name"]]
    return funnel_plot(
        claims["targeted"],
        claims["share"],
        names=list(claims["area"]),
        label=[name for name in named if name in set(claims["area"])],
        exact=list(claims["exact"]),
        centre=centre,
        limit_sizes=sizes,
        limits=limits,
        title=f"{full} of {claims['exact'].sum()} authorities with an exact final claim claimed "
        "100%",
        subtitle="Families claimed as turned around at the end of phase one, by authority",
        alt=f"Funnel plot of {len(claims)} authorities with a final claim published: share "
        f"turned around against families targeted. {full} stand at exactly 100%. "
        f"{below_limits()}",
        sources=distinct_sources(claims),
    )


def below_limits() -> str:
    """Say how many final claims lie below the limits of chance, and how many of them for sure.

    Examples
    --------
    >>> below_limits()[:60]
    '4 lie below the 99.8% limits about the national share of 98.'
    """
    claims = final_claims().dropna(subset=["turned_around"])
    low, _ = control_limits(claims["targeted"].to_numpy(), national_share(), 0.998)
    below = claims[claims["share"] < low]
    firm, loose = below[below["exact"]], below[~below["exact"]]
    sure = " and ".join(firm["area"]) or "none"
    text = (
        f"{len(below)} lie below the 99.8% limits about the national share of "
        f"{national_share():.1%}; {len(firm)} of them by an exact count ({sure})."
    )
    if loose.empty:
        return text
    return (
        f'{text} Of {", ".join(loose["area"])} the source rounds or says "over": '
        "they may lie within."
    )


_LEVELS = {"95%": 0.95, "99.8%": 0.998}


def marks() -> FullMarks:
    """Return how many authorities claimed all their families, beside chance."""
    return full_marks(final_claims(), national_share())


@of_phase("one")
def full_marks_table() -> Table:
    """Return whether more authorities claimed 100% than chance allows, and a rival explanation."""
    full = marks()
    lines = [
        ("With an exact final claim", full.known, full.observed, full.expected,
         full.probability),
        ("of them with a claim of May 2015", full.unchosen_known, full.unchosen_observed,
         full.unchosen_expected, full.unchosen_probability),
        ("With a published target", full.authorities, f"at least {full.observed}",
         full.expected_all, full.probability_all),
    ]  # fmt: skip
    frame = pd.DataFrame(
        [
            (what, f"{size}", f"{at}", _few(mean), _chance(tail))
            for what, size, at, mean, tail in lines
        ],
        columns=["Authorities", "How many", "At exactly 100%", "At 100% by chance alone",
                 "Chance of as many or more"],
    )  # fmt: skip
    chance = (
        f"Chance: every family turned around independently at the national share of "
        f"{full.share:.1%}, so an authority with n families claims all with a chance of "
        f"{full.share:.3f} to the power n."
    )
    chosen = (
        f"{full.early} of the {full.observed} are among the known ones because they stand at "
        "100%: a count only grows, so an earlier claim of all is final, and an earlier claim of "
        "fewer is not. The second row leaves them out. What is published was published by "
        "councils and newspapers, and an authority at 100% may be likelier to say so; the third "
        "row counts every authority that said nothing as below 100%, which favours chance."
    )
    return table(
        frame,
        caption="Are there more 100% authorities than chance allows?",
        sources=[*distinct_sources(final_claims().dropna(subset=["url"])), *_early_start().sources],
        notes=[chance, chosen, _below_note(), rival_explanation()],
    )


def _below_note() -> str:
    return f"Final claims in the chart above: {below_limits()}"


def _early_start() -> Figure:
    return figure("eligibility", "early_start_areas")


def rival_explanation() -> str:
    """Say what else than invented results would put authorities at exactly 100%.

    Examples
    --------
    >>> rival_explanation()[:64]
    'That chance does not explain it does not make the claims false. '
    """
    rows = published("progress_local")
    rows = rows[rows["period"] == period("one")]
    worked = rows[rows["figure"] == "worked_with"].groupby("area")["value"].max()
    final = final_claims().set_index("area")
    full = final.loc[final["share"] == 1, "turned_around"].to_dict()
    more = worked[worked > final["targeted"].reindex(worked.index)]
    shown = [
        f"{area} worked with {count:,.0f} families and claimed {full[area]:,.0f}"
        for area, count in more.items()
        if area in full
    ]
    return (
        "That chance does not explain it does not make the claims false. Another explanation is a "
        "ceiling: if no more could be claimed than the families targeted, an authority that helped "
        f"more would stand at 100% exactly. No published claim is above its "
        f"target{'; ' + ', '.join(shown) if shown else ''}. And there was a reason to reach it: "
        f"{_early_start().value:.0f} areas began phase two early, in August 2014, as the best "
        f"performing. {_remembered_letter()}"
    )


def _remembered_letter() -> str:
    rows = published("eligibility", unverified=True)
    rows = rows[(rows["figure"] == "phase_two_entry") & (rows["status"] == "recalled")]
    return " ".join(f"{text} No source of it was seen: not verified." for text in rows["text"])


def _few(mean: float) -> str:
    """Write a mean number of authorities, small ones with two digits."""
    return in_digits(2)(mean) if mean < 1 else f"{mean:.1f}"


def _chance(probability: float) -> str:
    return "less than 1 in 1,000,000" if probability < 1e-6 else in_digits(2)(probability)


def claims_table(local_authority: str = ALL, name: str = "one") -> Table:
    """Return the latest claim of each authority with target, share and source.

    Parameters
    ----------
    local_authority : str, default "all"
        Only this authority.
    name : str
        The phase.
    """
    rows = claims_by_authority(phase=name)
    result = MEASURE_NAMES[phase(name).result.name]
    if local_authority != ALL:
        rows = rows[rows["code"] == authority(local_authority)["code"]]
    frame = pd.DataFrame(
        {
            "Authority": rows["area"],
            "Region": rows["region"],
            "Targeted": rows["targeted"],
            result: rows["turned_around"],
            "Share": rows["share"],
            "As of": rows["as_of"].map(month),
            "Exact": rows["exact"],
        }
    )
    whole = "{:,.0f}".format
    return table(
        with_sources(frame, rows),
        caption=f"Latest published claim by authority, {phase(name).title}",
        formats={"Targeted": whole, result: whole, "Share": percent},
        notes=None if len(rows) else "No claim with a target was found in a published source.",
    )


# What each result that was the programme's own cost, for the summary.


def additional_cost(value: Records, claims: Records) -> Range | None:
    """Return what one additional result cost, pounds; None where the records cannot say.

    Parameters
    ----------
    value, claims : Records
        Of chapters 7 (what a family cost) and 6 (families with an additional result).
    """
    if "results_unknown" in claims or "cost_per_family" not in value:
        return None
    more = claims["results_additional"]
    share = Range(*(one.number / PER for one in (more, more.end("low"), more.end("high"))))
    return cost_per(value["cost_per_family"].number, share)


def cost_words(cost: Range | None) -> str:
    """Write a cost for each result with its ends, one of which there may not be.

    Examples
    --------
    >>> cost_words(Range(448_900.0, 205_500.0, float("inf")))
    '£449,000 (at least £206,000; no upper end, for there may be none)'
    >>> cost_words(Range(448_900.0, 205_500.0, 900_000.0))
    '£449,000 (£206,000 to £900,000)'
    """
    if cost is None:
        return "not known"
    none = float("inf")
    middle = "no number" if cost.value == none else about(cost.value)
    if cost.low == none:
        return f"{middle}: none can be shown"
    if cost.high == none:
        return f"{middle} (at least {about(cost.low)}; no upper end, for there may be none)"
    return f"{middle} ({about(cost.low)} to {about(cost.high)})"


def each_cost(cost: Range | None) -> str:
    """Say what each additional result cost, or that at the estimate there is none to cost.

    Parameters
    ----------
    cost : Range or None
        As from `additional_cost`.
    """
    none = float("inf")
    if cost is not None and cost.value == none and cost.low != none:
        return (
            "At the estimate none was additional, so none can be costed; at the most that the "
            f"interval allows, each cost {about(cost.low)}."
        )
    return f"Each cost {cost_words(cost)}."
