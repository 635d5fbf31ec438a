"""Chapter 8: the summary on two sheets, with no simulated number on it."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from tfeval.display.brief_words import SURE, UNKNOWN, graded, grades_note
from tfeval.display.tables import Table, table
from tfeval.display.words import Sentence, unmarked
from tfeval.money.appraisal_settings import Assumptions
from tfeval.programme.phases import period, phase
from tfeval.programme.published import Source, distinct_sources, figure, published
from tfeval.report.chapters import budget as chapter_1
from tfeval.report.chapters import claims as chapter_6
from tfeval.report.chapters.additional import effects_with_values, finding_2016
from tfeval.report.chapters.common import as_published
from tfeval.report.chapters.evidence import facts as facts_2019
from tfeval.report.notebook_parts import Box
from tfeval.report.record import Record, Records, make_record, record

#: The phases that stand side by side.
PHASES = ("one", "two")
#: Times what chance gives, from which a count of full marks is no chance.
FAR = 10
NOT_PUBLISHED = "not published"
_BUDGET, _AREAS, _CLAIMS = (
    "01_programme_and_budget", "05_areas_and_time", "06_claims_against_impact")  # fmt: skip


@dataclass(frozen=True)
class Brief:
    """What the summary is made from.

    Attributes
    ----------
    phase : str
    assumptions : Assumptions
        The scenario.
    budget, claims, areas, impact, value : Records
        Of chapters 1, 6, 5, 4 and 7. Of the last two nothing is said where they are simulated.
    """

    phase: str
    assumptions: Assumptions
    budget: Records
    claims: Records
    areas: Records
    impact: Records
    value: Records

    @property
    def real(self) -> bool:
        """Whether the linked records are those of families."""
        return not self.impact["simulated"].value


@dataclass(frozen=True)
class Said:
    """One of the three sentences.

    Attributes
    ----------
    term, text : str
        "Claimed", "Caused" or "Worth", and the sentence without its end.
    sure : str
        A key of `SURE`.
    why : str
        The diagnostic that gives it.
    """

    term: str
    text: str
    sure: str
    why: str

    def sentence(self) -> str:
        """Return the sentence with its word of confidence."""
        return f"{self.term}: {self.text}. Confidence: {SURE[self.sure]}."


def sentences(brief: Brief) -> tuple[Said, Said, Said]:
    """Return what was claimed, caused and worth: one number and one word of confidence each.

    Parameters
    ----------
    brief : Brief
    """
    return _claimed(brief.claims), _caused(brief), _worth(brief)


def headline(brief: Brief) -> Sentence:
    """Return the three sentences, each on a line of its own.

    Parameters
    ----------
    brief : Brief
    """
    return Sentence("\n".join(said.sentence() for said in sentences(brief)))


def record_headline(brief: Brief) -> None:
    """Record the three sentences as one text.

    Parameters
    ----------
    brief : Brief
    """
    # Of simulated records it says nothing, so they are no part of its subject.
    subject = None if brief.real else {"phase": brief.phase}
    record("headline", str(headline(brief)).replace("\n", " "), subject=subject)


def _claimed(claims: Records) -> Said:
    if "claimed_families" not in claims:
        return Said("Claimed", NOT_PUBLISHED, UNKNOWN, "no count was published")
    text = (
        f"{claims['claimed_mark']!s}{claims['claimed_families']}, by the authorities' own count, "
        f"as {claims['claimed_as']} by {claims['claimed_by']}"
    )
    if "full_marks_observed" not in claims:
        return Said("Claimed", text, UNKNOWN, "no final claims by authority were published")
    seen, chance = claims["full_marks_observed"], claims["full_marks_expected"]
    sure = "low" if seen.number > FAR * chance.number else "moderate"
    why = (
        f"{seen} of {claims['full_marks_known']} exact final claims stand at 100%, "
        f"where chance alone would put {chance}"
    )
    return Said("Claimed", text, sure, why)


def _caused(brief: Brief) -> Said:
    claims, areas, impact = brief.claims, brief.areas, brief.impact
    if brief.real:
        sure = str(impact["confidence"].value) if "confidence" in impact else UNKNOWN
        return Said("Caused", f"{impact['headline']}".rstrip("."), sure, "chapter 4's checks")
    if "evaluation_2016" in claims:
        moved = ""
        if "areas_outcomes" in areas:
            moved = (
                f"; public statistics are shown to have moved with the programme in "
                f"{areas['areas_moved']:short} of {areas['areas_outcomes']}"
            )
        return Said("Caused", f"{_finding(claims)} (2016 study){moved}", *_seen(brief))
    if "effects_with_values" in claims:
        text = f"the study of 2019 printed {claims['effects_with_values']:short} effects"
        return Said("Caused", f"{text}, none with its error", UNKNOWN,
                    "without an error nobody can tell an effect from chance")  # fmt: skip
    return Said("Caused", NOT_PUBLISHED, UNKNOWN, "no evaluation of this phase was seen")


def _finding(claims: Records) -> str:
    finding = str(claims["evaluation_2016"].value).split(";")[0]
    return finding[:1].lower() + finding[1:]


def _seen(brief: Brief) -> tuple[str, str]:
    """Return how sure one may be that the 2016 study would have seen what pays, and why."""
    claims = brief.claims
    needed = claims.get(f"care_break_even_{brief.assumptions.costs}")
    if needed is None or isinstance(needed.value, str):
        return UNKNOWN, "no fall in children looked after would pay for the costs alone"
    low, high = claims["care_detectable_low"], claims["care_detectable_high"]
    known = [needed.number > one.number for one in (low, high)]
    sure = "high" if all(known) else "moderate" if any(known) else "low"
    return sure, (
        "the smallest change in children looked after that this study would have seen lies between "
        f"{low:short} and {high}, and a fall of {needed} would have paid for the programme alone"
    )


def _worth(brief: Brief) -> Said:
    claims, value = brief.claims, brief.value
    if brief.real:
        sure = UNKNOWN
        if "probability" in value and "confidence" in brief.impact:
            clear = min(value["probability"].number, 1 - value["probability"].number) < 0.05
            sure = str(brief.impact["confidence"].value) if clear else "low"
        return Said("Worth", f"{value['headline']}".rstrip("."), sure, "chapter 7's chances")
    if "break_even_low" in claims:
        ends = [claims[f"open_2016_total_{how}"] for how in ("within", "between")
                if f"open_2016_total_{how}" in claims]  # fmt: skip
        text = (
            f"the saving claimed pays for its cost only if {claims['break_even_low']:short} to "
            f"{claims['break_even_high']} of it was the programme's own, a share that nobody "
            "measured"
        )
        if not ends:
            return Said("Worth", text, UNKNOWN, "the share was not measured")
        why = (
            f"the 2016 study leaves open a benefit of up to {ends[0]:short} for each £1 of all "
            f"public costs, or of up to {ends[-1]:short} if it compared only between authorities"
        )
        return Said("Worth", text, _either_side(ends[0].number, ends[-1].number), why)
    if "ratio_2019_total" in claims:
        ours = claims["ratio_2019_total"]
        text = (
            f"the effects printed bring the public purse {ours:short} for each £1 of all public "
            "costs, by our unit costs"
        )
        low, high = ours.end("low"), ours.end("high")
        why = f"one assumption at a time moves it from {low:short} to {high:short}"
        return Said("Worth", text, _either_side(low.number, high.number), why)
    return Said("Worth", NOT_PUBLISHED, UNKNOWN, "no saving and no effect was published")


def _either_side(low: float, high: float) -> str:
    """Return how sure a verdict on £1 for each £1 is: low where the ends disagree on it."""
    return "low" if (low < 1) != (high < 1) else "moderate"


def status(brief: Brief) -> Box:
    """Return which phase the page is of, who made it and what it rests on.

    Parameters
    ----------
    brief : Brief
    """
    rests = (
        "published figures and linked records of families"
        if brief.real
        else "published figures alone; linked records were simulated, so nothing of them is here"
    )
    text = f"{phase(brief.phase).title}. By the tfeval contributors. Status: from {rests}."
    return Box("note", (("", f"{text[:1].upper()}{text[1:]}"),))


def tiles(brief: Brief) -> Box:
    """Return five numbers, each leading to the chapter that it is from.

    Parameters
    ----------
    brief : Brief
    """
    budget, claims, areas = brief.budget, brief.claims, brief.areas
    share = _count(claims.get("claimed_share", claims.get("claimed_families")))
    if "claimed_share" not in claims and "claimed_mark" in claims:
        share = f"{claims['claimed_mark']!s}{share}"
    if "areas_moved" in areas:
        caused = f"{areas['areas_moved']:short} of {areas['areas_outcomes']:short}"
        effect = (_AREAS, caused, "public outcomes shown to have moved with the programme")
    else:
        effect = (
            _CLAIMS,
            _count(claims.get("effects_with_values")),
            "effects printed with a value",
        )
    if "break_even_low" in claims:
        ends = f"{claims['break_even_low']:short} to {claims['break_even_high']:short}"
        worth = (_CLAIMS, ends, "of the claim must be its own to break even")
    else:
        worth = (_CLAIMS, _count(claims.get("ratio_2019_total")), "to the public purse")
    rows = (
        (_BUDGET, _count(budget.get("budget")), "of central budget"),
        (_BUDGET, _expected(brief.phase), "expected of authorities beside it"),
        (_CLAIMS, share, "claimed of the families targeted"
         if "claimed_share" in claims else "claimed"),
        effect,
        worth,
    )  # fmt: skip
    return Box("tiles", tuple((f"{name}.ipynb", f"{number}\n{words}")
                              for name, number, words in rows))  # fmt: skip


def _count(said: Record | None) -> str:
    return NOT_PUBLISHED if said is None else f"{said:short}"


def _expected(name: str) -> str:
    rows = published("budget")
    rows = rows[
        (rows["figure"] == "local_contribution_expected") & (rows["period"] == period(name))
    ]
    return as_published(rows.iloc[0]) if len(rows) else NOT_PUBLISHED


def phases_table(brief: Brief) -> Table:
    """Return what was claimed, met, would have come anyway and was its own, by phase, graded.

    Parameters
    ----------
    brief : Brief
        Numbers of simulated records are never shown: they stand as not published.
    """
    columns = {phase(name).title: _column(brief, name) for name in PHASES}
    rows = ["Central budget", "Claimed", "Met the programme's tests", "Would have met them anyway",
            "The programme's own", "Caused", "Worth"]  # fmt: skip
    frame = pd.DataFrame({"": rows, **{f"{title[:1].upper()}{title[1:]}": column
                                       for title, column in columns.items()}})  # fmt: skip
    whys = [f"{one.term}: confidence is {SURE[one.sure]}, since {one.why}."
            for one in sentences(brief)]  # fmt: skip
    return table(
        frame, caption="Claimed, met, anyway, its own: what is known of each phase",
        sources=_sources(), notes=[grades_note(), " ".join(whys)],
    )  # fmt: skip


def _column(brief: Brief, name: str) -> list[str]:
    own = name == brief.phase
    budget, claims = (brief.budget, brief.claims) if own else _published(brief, name)
    known = own and brief.real and "results_met" in claims
    counts = [graded(f"{claims[f'results_{kind}']}", "A") if known else NOT_PUBLISHED
              for kind in ("met", "anyway", "additional")]  # fmt: skip
    cells = [
        graded(f"{budget['budget']}", "B"), _claims_cell(claims), *counts,
        _caused_cell(claims, brief.areas if own else None), _worth_cell(claims),
    ]  # fmt: skip
    # What another phase's page would record is no record of this report: words without marks.
    return cells if own else [unmarked(cell) for cell in cells]


def _published(brief: Brief, name: str) -> tuple[Records, Records]:
    """Return what chapters 1 and 6 record of a phase from published figures."""
    made = {
        **chapter_6.facts(name, brief.assumptions), **facts_2019(brief.assumptions),
        "evaluation_2016": make_record("evaluation_2016", finding_2016(), subject={"phase": "one"}),
        "effects_with_values": make_record("effects_with_values", effects_with_values(),
                                           subject={"phase": "two"}),
    }  # fmt: skip
    subject = {"phase": name}
    return (Records(_BUDGET, chapter_1.facts(name), parameters=subject),
            Records(_CLAIMS, made, parameters=subject))  # fmt: skip


def _claims_cell(claims: Records) -> str:
    text = f"{claims['claimed_mark']!s}{claims['claimed_families']} by {claims['claimed_by']}"
    if "claimed_share" in claims:
        text += f", {claims['claimed_share']} of those targeted"
    return graded(text, "D")


def _caused_cell(claims: Records, areas: Records | None) -> str:
    if "evaluation_2016" in claims:
        text = graded(f"2016: {_finding(claims)}", "B")
        if areas is not None and "areas_moved" in areas:
            moved = f"{areas['areas_moved']:short} of {areas['areas_outcomes']}"
            text += f"; by authority {graded(f'{moved} shown to have moved', 'A')}"
        return text
    if "effects_with_values" in claims:
        return graded(
            f"2019: {claims['effects_with_values']:short} effects printed, none with its error", "B"
        )
    return NOT_PUBLISHED


def _worth_cell(claims: Records) -> str:
    if "break_even_low" in claims:
        ends = f"{claims['break_even_low']:short} to {claims['break_even_high']}"
        return graded(f"Pays only if {ends} of the claim was its own", "C")
    if "ratio_2019_total" in claims:
        ours = claims["ratio_2019_total"]
        return graded(f"{ours.interval()} to the public purse for each £1", "C")
    return NOT_PUBLISHED


def _sources() -> list[Source]:
    """Return where the published figures of the page come from, each once."""
    sources: list[Source] = []
    for name in PHASES:
        one = phase(name)
        sources += [*one.budget.sources, *one.latest_claim().sources]
    sources += figure("budget", "local_contribution_expected").sources
    sources += figure("benefits_claim_2015", "national_claim").sources
    studies = published("evaluations")
    sources += distinct_sources(
        studies[studies["figure"].isin(("headline", "fiscal_benefit_per_pound"))]
    )
    return list(dict.fromkeys(sources))
