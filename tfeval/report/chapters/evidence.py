"""Chapter 6, the published evidence through the one appraisal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache, partial, wraps
from types import MappingProxyType
from typing import Any, Concatenate, ParamSpec, TypeVar

import numpy as np
import pandas as pd

from tfeval.display.charts import waterfall_chart
from tfeval.display.figures import Chart
from tfeval.display.names import ACCOUNTS, SIMULATED
from tfeval.display.rich import Tabled
from tfeval.display.tables import Table, table
from tfeval.display.words import Sentence, amount, simulated_mark
from tfeval.impact.effects.published import evaluation_sources, published_effects
from tfeval.money.additional import people_in_family, sources_of_prices
from tfeval.money.appraisal_settings import Assumptions
from tfeval.money.claimed import implied_costs_2019
from tfeval.money.costs import cost_sources, programme_costs
from tfeval.money.evaluation_2019 import (
    Published,
    account_2019,
    appraise_2019,
    fiscal,
    needed_2019,
    published_ratios,
    views,
)
from tfeval.money.rebuilt_2019 import (
    BASES,
    VARIES,
    cost_of_a_family_2019,
    intervals_2019,
    rebuilt_2019,
)
from tfeval.programme.programmes import programmes
from tfeval.programme.published import Source, distinct_sources, published
from tfeval.report.chapters import additional, claims, known
from tfeval.report.chapters.additional import Additional
from tfeval.report.chapters.claim_words import claimed_words, paying_words
from tfeval.report.chapters.common import minus, percent, pounds, span
from tfeval.report.chapters.known import COST_WORDS
from tfeval.report.record import Record, Records, keep, make_record
from tfeval.settings import once

# Chapter 7 where nothing can be valued: what stands in the place of pounds, and why.

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, repr=False)
class Unknown(Tabled):
    """What stands where an appraisal would: that there is none, and why.

    Attributes
    ----------
    why : str
    simulated : bool
    """

    why: str
    simulated: bool

    def table(self) -> Table:
        """Return the reason as a table for readers."""
        said = pd.DataFrame({"What is missing": [self.why]})
        return table(
            said, caption="What the effects were worth is not known from these records",
            notes=[f"{SIMULATED}."] * self.simulated
            + ["Not known is not nothing: no pound of benefit is shown, and none is ruled out."],
        )  # fmt: skip

    def uncertainty(self, **_asked: object) -> Unknown:
        """Return the same: there is nothing to draw from."""
        return self

    def plot(self, *_kind: object, **_asked: object) -> Table:
        """Return the same: there is nothing to draw."""
        return self.table()


@dataclass(frozen=True)
class Unvalued:
    """What chapter 7 shows where no effect can be valued.

    Attributes
    ----------
    appraisal, drawn, designs : Unknown
        In the place of those of `Value`.
    impact : Records
        Of chapter 4.
    families : float
        Whom the phase reached.
    """

    appraisal: Unknown
    impact: Records
    families: float

    @property
    def drawn(self) -> Unknown:
        """In the place of joint draws."""
        return self.appraisal

    @property
    def designs(self) -> Unknown:
        """In the place of the same under each design."""
        return self.appraisal

    @property
    def label(self) -> str:
        """What must stand before every sentence on simulated records."""
        return simulated_mark(self.appraisal.simulated)

    def headline(self) -> str:
        """Say that what the programme was worth is not known, and why."""
        return (
            f"{self.label}what the programme was worth cannot be said from these records. "
            f"{self.appraisal.why}"
        )


def or_why(shows: Callable[Concatenate[Any, P], R]) -> Callable[Concatenate[Any, P], R | Table]:
    """Make a table or chart of a value say why there is none, where nothing can be valued."""

    @wraps(shows)
    def shown(value: Any, *rest: P.args, **more: P.kwargs) -> R | Table:
        if isinstance(value, Unvalued):
            return value.appraisal.table()
        return shows(value, *rest, **more)

    return shown


_COHORT_YEAR = "2017-18"


def headline(phase: str, results: Additional, assumptions: Assumptions) -> Sentence:
    """Say what was claimed, and what of it was caused or, where nobody knows, what it would take.

    Parameters
    ----------
    phase : str
    results : Additional
        What the records say; simulated ones are not quoted.
    assumptions : Assumptions
        The scenario.
    """
    if results.simulated:
        return claims.headline(phase, assumptions)
    said = claimed_words(claims.facts(phase, assumptions))
    return Sentence(f"{said} {additional.headline(results)}")


def detail(phase: str, results: Additional, assumptions: Assumptions) -> list[Sentence]:
    """Say what else the page finds: conditions, and what the evaluations leave open."""
    paying = "" if results.simulated else paying_words(claims.facts(phase, assumptions))
    parts = [*([Sentence(paying)] if paying else []), *claims.detail(phase, assumptions)]
    said, names = facts(assumptions), views(assumptions)
    ours = [
        f"{said[f'ratio_2019_{view}']:short} for each £1 of {COST_WORDS[view]} "
        f"({_turned(said[f'ratio_2019_{view}'])})"
        for view in names
    ]
    parts.append(Sentence(
        f"The effects published in 2019, of phase two, are by our unit costs worth "
        f"{' and '.join(ours)} to the public purse, as one assumption at a time is turned; "
        f"{said['ratio_2019_published_fiscal']:short} was published."
    ))  # fmt: skip
    if programmes()[phase].claims.saving:
        left, view = known.facts(assumptions), names[-1]
        inside, across = (f"open_2016_{view}_{how}" for how in ("within", "between"))
        parts.append(Sentence(
            "The 2016 finding of no consistent effect still leaves room for a gain to "
            f"{ACCOUNTS[assumptions.perspective]} of up to "
            f"{left[inside]:short} for each £1 of {COST_WORDS[view]} or a loss of up to "
            f"{left[f'{inside}_loss']:short}, or up to {left[across]:short} and "
            f"{left[f'{across}_loss']:short} if families were compared only between authorities. "
            f"That is as if errors were independent; at worst {left[f'{inside}_worst']:short} and "
            f"{left[f'{inside}_loss_worst']:short}, or {left[f'{across}_worst']:short} and "
            f"{left[f'{across}_loss_worst']:short}."
        ))  # fmt: skip
    return parts


def _turned(ratio: Record) -> str:
    return f"{ratio.end('low'):short} to {ratio.end('high'):short}"


@once
def ours(assumptions: Assumptions, view: str) -> Published:
    """Return the 2019 effects through our unit costs, in the account of the public purse."""
    return appraise_2019(fiscal(assumptions, view))


#: Each is asked for by several tables of one page.
account, rebuilt, intervals = map(once, (account_2019, rebuilt_2019, intervals_2019))


def benefits_table(assumptions: Assumptions) -> Table:
    """Return the 2019 effects through our unit costs, by outcome, beside the published ratios.

    Parameters
    ----------
    assumptions : Assumptions
        The scenario, in the account of the public purse.
    """
    names, said = views(assumptions), facts(assumptions)
    made = {view: ours(assumptions, view) for view in names}
    appraisal = made[names[0]]
    counted, labels = appraisal.counted().set_index("outcome"), appraisal.labels
    largest = appraisal.by_outcome().sort_values("benefits", ascending=False)
    lines: list[tuple] = [
        (labels[row["outcome"]], _quantity(counted.loc[row["outcome"]]), pounds(row["a_family"]),
         *(row["benefits"] / made[view].costs for view in names))
        for row in largest.to_dict("records")
    ]  # fmt: skip
    lines.append(
        ("All together", "", pounds(appraisal.benefits / appraisal.families),
         *(f"{said[f'ratio_2019_{view}']:short}" for view in names))
    )  # fmt: skip
    for row in intervals(assumptions).to_dict("records"):
        ends = (span(row[f"{view}_low"], row[f"{view}_high"], _pound) for view in names)
        lines.append((f"95% interval, {VARIES[row['varies']]}", "", "", *ends))
    fiscal_ratio = f"{said['ratio_2019_published_fiscal']:short}"
    lines.append(("Published, fiscal", "", "", *[fiscal_ratio] * len(names)))
    columns = ["Effect", "Change a family, two years", "Worth a family, all years",
               *(f"For each £1 of {COST_WORDS[view]}" for view in names)]  # fmt: skip
    frame = pd.DataFrame(lines, columns=columns)
    return table(
        frame,
        caption="The effects published in 2019, through our own unit costs",
        formats=dict.fromkeys(columns[3:], _ratio),
        sources=_sources_2019(),
        notes=[
            f"{fiscal(assumptions).words('two')} The published ratio is of the public purse too.",
            "Errors were not published, only that effects were significant. At most, that leaves "
            "each between none and twice what was found. All errors one way: the widest that any "
            "covariance allows (Vohra, 2024). Drawn together, errors of effects are independent.",
            f"People in a family: {_people()}. Rounded one by one, parts need not add up.",
        ],
    )


def _ratio(value: object) -> str:
    return value if isinstance(value, str) else f"£{value:.2f}"


_pound = partial(amount, unit="£ for each £1")


def _quantity(row: pd.Series) -> str:
    unit = {"person-day": "days", "custodial sentence": "sentences", "court event": "convictions"}
    digits = 1 if row["per"] == "person-day" else 3
    return f"−{abs(row['effect']):.{digits}f} {unit[row['per']]}"


def _people() -> str:
    return "; ".join(
        f"{item.value:.1f} {item.population} ({item.low:.1f} to {item.high:.1f}; {item.basis})"
        for item in people_in_family().values()
    )


def _sources_2019() -> list[Source]:
    rows = published_effects("2019").to_frame()
    prices = sources_of_prices(zip(rows["outcome"], rows["population"], strict=True))
    people = [source for item in people_in_family().values() for source in item.sources]
    cited = [*evaluation_sources("2019"), *_ratio_sources(), *prices, *people,
             *cost_sources("two")]  # fmt: skip
    return list(dict.fromkeys(cited))


def _ratio_sources() -> list[Source]:
    rows = published("evaluations")
    names = "economic|fiscal|benefits_from|outcomes_counted|not_linked"
    return distinct_sources(rows[rows["figure"].str.contains(names)])


def account_table(assumptions: Assumptions) -> Table:
    """Return what each assumption does to our ratio of the 2019 effects.

    Parameters
    ----------
    assumptions : Assumptions
        The scenario, in the account of the public purse.
    """
    rows, names = account(assumptions), views(assumptions)
    titles = [f"{COST_WORDS[view][:1].upper()}{COST_WORDS[view][1:]}" for view in names]
    columns = ["turned", "how", *names]
    frame = rows[columns].set_axis(["What is turned", "How", *titles], axis=1)
    return table(
        frame,
        caption="What our ratio hangs on: one assumption turned at a time, benefit for each £1",
        formats=dict.fromkeys(titles, "£{:.2f}".format),
        sources=_ratio_sources(),
        notes=[_needed_words(assumptions), fiscal(assumptions).words("two")],
    )


def _needed_words(assumptions: Assumptions) -> str:
    lasting, people = needed_2019(assumptions)[[*views(assumptions)]].to_dict("records")
    wanted = f"£{published_ratios()['fiscal']:.2f}"
    shares = [
        f"with {COST_WORDS[str(view)]} {percent(share)} of an effect must be left in each further "
        "year"
        if pd.notna(share)
        else f"with {COST_WORDS[str(view)]} no share left gives it: it would take "
        f"{people[view]:.1f} times the people"
        for view, share in lasting.items()
    ]
    return f"What it takes to be {wanted}: {'; '.join(shares)}."


# 2019 rebuilt: a step at a time from our ratio to those that were published.

_ACCOUNTS = {"fiscal": "Fiscal", "economic": "Economic"}


def rebuilt_2019_table(assumptions: Assumptions) -> Table:
    """Return the way from our ratio to the published ones, one assumption a step.

    Parameters
    ----------
    assumptions : Assumptions
        The scenario from which it starts.
    """
    rows = rebuilt(assumptions)
    fiscal_rows, more = (rows[rows["account"] == name] for name in ("fiscal", "economic"))
    more = more[~more["step"].isin(fiscal_rows["step"]) | (more["basis"] == "unexplained")]
    again = fiscal_rows.iloc[[-2]].assign(
        step="From there again, to the economic ratio", basis="computed", change=np.nan,
        times=np.nan, low=np.nan, high=np.nan,
    )  # fmt: skip
    lines = [
        (_step_words(row), BASES[row["basis"]],
         "" if pd.isna(row["change"]) else _signed(row["change"]),
         "" if pd.isna(row["times"]) else f"× {row['times']:.2f}", _pound(row["ratio"]),
         "" if pd.isna(row["low"]) else span(row["low"], row["high"], _pound))
        for row in pd.concat([fiscal_rows, again, more]).to_dict("records")
    ]  # fmt: skip
    columns = ["Step", "Basis", "Adds", "Multiplies", "Ratio then", "Ratio, at either end"]
    return table(
        pd.DataFrame(lines, columns=columns),
        caption="2019 rebuilt: from our ratio to the published ones, a step at a time",
        sources=_sources_2019(),
        notes=[
            f"It starts from: {fiscal(assumptions).words('two')}",
            "What steps add sums to the published ratio, and what they multiply by makes it, "
            "exactly, before rounding. Steps whose value in the evaluation was not read are taken "
            "as ours, so they add nothing; beside them is the ratio if theirs lay at either end of "
            "our range.",
        ],
    )


def _step_words(row: dict) -> str:
    if row["basis"] != "unexplained":
        return str(row["step"])
    ratio = published_ratios()[row["account"]]
    return f"{row['step']}, to the published £{ratio:.2f} ({_ACCOUNTS[row['account']].lower()})"


def _signed(change: float) -> str:
    return minus(f"{change:+.2f}" if round(change, 2) else "0.00")


def _others_words(rows: pd.DataFrame) -> str:
    """Say what the difference of the published ratios is of: value to others, less transfers."""
    ratios = published_ratios()
    others = rows[(rows["account"] == "economic") & (rows["basis"] == "computed")]["change"]
    gap, lost = ratios["economic"] - ratios["fiscal"], -float(others[others < 0].sum())
    return (
        f"The economic ratio is {_pound(gap)} above the fiscal one: what others than public bodies "
        "gained, less what households lost where the purse saved a benefit payment. By our unit "
        f"costs they lost {_pound(lost)} for each £1; if theirs were alike, others gained "
        f"{_pound(gap + lost)}, of which our unit costs hold {_pound(others[others > 0].sum())}."
    )


def rebuilt_2019_chart(assumptions: Assumptions, account: str = "fiscal") -> Chart:
    """Draw the steps from our ratio to a published one.

    Parameters
    ----------
    assumptions : Assumptions
        The scenario from which they start.
    account : {"fiscal", "economic"}
    """
    rows = rebuilt(assumptions)
    rows = rows[(rows["account"] == account) & (rows["basis"] != "not_read")]
    ratio = published_ratios()[account]
    first, *steps = rows[rows["basis"] != "unexplained"].to_dict("records")
    listed = "; ".join(f"{row['step']} {_signed(row['change'])}" for row in steps)
    left = float(rows["change"].iloc[-1])
    return waterfall_chart(
        [first["step"], *(row["step"] for row in steps)],
        [first["ratio"], *(row["change"] for row in steps)],
        total=ratio, total_label=f"Published, {account}", remainder_label="Not explained",
        title=f"{len(steps)} changes of assumption leave {_signed(left)} between our "
        f"{_pound(first['ratio'])} and the published £{ratio:.2f}",
        subtitle="One assumption a step: benefit for each £1",
        alt=f"Waterfall chart. Ours is {_pound(first['ratio'])}; {listed}; not explained "
        f"{_signed(left)}; published £{ratio:.2f}.",
        value_format="{:.2f}", x_label="Benefit for each £1, pounds", sources=_ratio_sources(),
    )  # fmt: skip


def differences_table(assumptions: Assumptions) -> Table:
    """Return, reason by reason, why the published ratios and ours differ, computed or sourced.

    Parameters
    ----------
    assumptions : Assumptions
        The scenario.
    """
    implied = implied_costs_2019()
    ends = implied["low"].max(), implied["high"].min()
    cost = span(*ends, "£{:,.1f}m".format)
    spent = {view: _spent_in_year(view) for view in ("central", "total")}
    care = facts(assumptions)["care_share_2019"]
    each = cost_of_a_family_2019()["a_family"].iloc[0]
    low, high = (round(1e6 * end / each, -2) for end in ends)
    count = span(low, high, "{:,.0f}".format)
    lines = [
        ("Costs", f"The two ratios imply {cost}: {count} families at what central "
         f"government paid for one (see above). That year it paid {_millions(spent['central'])} "
         f"here, and all public bodies {_millions(spent['total'])}."),
        ("Where benefits arise", f"{_text('benefits_from')} Here children looked after are "
         f"{care} of them."),
        ("Outcomes", f"{_text('outcomes_counted')} Which these were was not read; only effects "
         "whose values were printed where we could read them are here. Adverse effects on child "
         "protection plans are among those without a value, and would lower ours."),
        ("Health", f"{_text('not_linked')} So neither account holds any saving of the NHS from "
         "fewer admissions."),
        ("Economic value", _others_words(rebuilt(assumptions))),
        ("Unit costs", "Theirs were not read. Ours take the average cost of a child in care; a "
         "child kept out of care by a family worker may be one of the cheaper cases."),
    ]  # fmt: skip
    return table(
        pd.DataFrame(lines, columns=["Difference", "What is known of it"]),
        caption="Published and ours: the account of the difference",
        sources=_ratio_sources(),
    )


def _millions(value: float) -> str:
    return f"£{value:,.0f}m"


def _text(name: str) -> str:
    rows = published("evaluations")
    return str(rows.loc[rows["figure"] == name, "text"].iloc[0])


def _spent_in_year(view: str) -> float:
    rows = programme_costs("two", view, 2017)
    return float(rows.loc[rows["year"] == _COHORT_YEAR, "cash"].sum()) / 1e6


@lru_cache(maxsize=8)
def facts(assumptions: Assumptions) -> Mapping[str, Record]:
    """Return what is recorded of the 2019 study, which is of phase two.

    Parameters
    ----------
    assumptions : Assumptions

    Returns
    -------
    mapping of str to Record
        Our ratios have as their interval the least and the most over the rows of `account_table`.
    """
    about = {"phase": "two", **asdict(assumptions)}
    unit, turned, made = "£ for each £1", account(assumptions), []
    for view in views(assumptions):
        ratio = ours(assumptions, view).benefit_cost_ratio
        ends = [ratio, *turned[view].dropna()]
        made.append(make_record(f"ratio_2019_{view}", ratio, unit, interval=(min(ends), max(ends)),
                                subject=about))  # fmt: skip
    for kind, ratio in published_ratios().items():
        made.append(make_record(f"ratio_2019_published_{kind}", ratio, unit, subject={
            "phase": "two"}))  # fmt: skip
    rows = ours(assumptions, assumptions.costs).by_outcome().set_index("outcome")["benefits"]
    share = 100 * float(rows["looked_after"] / rows.sum())
    made.append(make_record("care_share_2019", share, "%", digits=3, subject=about))
    return MappingProxyType({record.name: record for record in made})


def record_evidence(assumptions: Assumptions) -> None:
    """Record the ratios of the 2019 effects by our unit costs, for later chapters."""
    for made in facts(assumptions).values():
        keep(made)
