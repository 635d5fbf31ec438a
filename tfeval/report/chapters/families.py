"""Chapter 2: who was helped, how good the records are, who entered the cohort, base rates."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from tfeval.cohort.analysis_table import SEEN, Cohort
from tfeval.cohort.cohort import comparison_groups
from tfeval.cohort.results import results_tests
from tfeval.display.charts import bar_chart
from tfeval.display.figures import Chart
from tfeval.display.names import SOURCES, plain
from tfeval.display.release_words import RESULTS
from tfeval.display.tables import Table, safe_count, safe_mean, table
from tfeval.display.words import simulated_mark, titled
from tfeval.programme.claims import authority
from tfeval.programme.outcomes import SHARE, outcome, outcome_label, reported_outcomes
from tfeval.programme.programmes import Programme, programmes
from tfeval.records.check import CheckReport
from tfeval.records.schema import TABLES
from tfeval.records.store import Records
from tfeval.report.chapters.linked import banner_of
from tfeval.report.notebook_parts import Box

_ARMS = {"On the programme": 1, "Comparison": 0}


@dataclass(frozen=True, eq=False)
class Families:
    """What chapter 2 shows.

    Attributes
    ----------
    records : Records
        The extract.
    report : CheckReport
        Its faults.
    cohort : Cohort
        Treated and comparison families.
    area : str, default "all"
        Only families of this authority.
    """

    records: Records
    report: CheckReport
    cohort: Cohort
    area: str = "all"

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The cohort's rows, of one authority if one was asked for."""
        frame = self.cohort.to_pandas()
        if self.area == "all":
            return frame
        return frame[frame["local_authority"] == authority(self.area)["code"]]


def banner(families: Families) -> Box | None:
    """Return the banner that simulated records carry, and nothing for real ones."""
    return banner_of(families.records)


def headline(families: Families) -> str:
    """Say in one sentence how many families are compared, and whether the records hold up.

    Parameters
    ----------
    families : Families
    """
    treated = int((families.frame["treated"] == 1).sum())
    compared = int((families.frame["treated"] == 0).sum())
    faults = len(families.report.faults)
    quality = "no fault was found in the records" if not faults else f"{faults} kinds of fault"
    label = simulated_mark(families.records.simulated)
    return (
        f"{label}{safe_count(treated)} families on the programme beside {safe_count(compared)} "
        f"comparison families; {quality}."
    )


def quality_table(families: Families) -> Table:
    """Return every kind of fault, by table and column, small counts hidden."""
    frame = families.report.to_frame()
    frame.columns = pd.Index(["Table", "Column", "Fault", "Rows", "What to do"])
    return table(
        frame,
        caption="Faults of the records",
        notes=None if len(frame) else "Every check passed: no fault of any kind.",
    )


def tables_table(families: Families) -> Table:
    """Return the tables of the extract with their size, and what those missing leave open."""
    rows = [(name, safe_count(count)) for name, count in families.report.rows.items()]
    rows += [(name, f"not sent: {what}") for name, what in families.records.missing.items()]
    caption = titled("What the extract holds", families.records.simulated)
    return table(pd.DataFrame(rows, columns=["Table", "Rows"]), caption=caption)


def flow_table(families: Families) -> Table:
    """Return how many families were left after each step, small numbers hidden."""
    months = families.cohort.settings.horizons[-1]
    seen, arm = families.cohort.followed(months), families.cohort.to_pandas()["treated"]
    words = f"followed for {months} months: in the records, and not treated meanwhile"
    left = {name: [int((seen & (arm == one)).sum())] for name, one in
            (("treated", 1), ("comparison", 0))}  # fmt: skip
    frame = pd.concat([families.cohort.flow, pd.DataFrame({"step": [words], **left})])
    shown = pd.DataFrame(
        {
            "Step": frame["step"].str.capitalize(),
            "On the programme": frame["treated"].map(safe_count),
            "Comparison": frame["comparison"].map(safe_count),
        }
    )
    group = families.cohort.settings.comparison
    return table(
        shown,
        caption=titled(
            "Families left after each step, all authorities", families.records.simulated
        ),
        notes=f"Comparison group {plain(group)}: {comparison_groups()[group]}. "
        "A comparison family's index date is its identification plus a wait drawn from those of "
        "the families on the programme; whoever was treated by then is left out. Those treated "
        f"within the {months} months are left out too, by what came after: chapter 3 compares the "
        "last row. Counts are rounded to five.",
    )


def sources_table(families: Families) -> Table:
    """Return of how many of the families followed each source was seen, and why not of others."""
    seen, rows = next(iter(SEEN)), []
    for line in families.cohort.sources.to_dict("records"):
        if line["state"] == seen or line["treated"] or line["comparison"]:
            name = SOURCES[line["source_table"]] if line["state"] == seen else ""
            counts = (safe_count(int(line[arm])) for arm in ("treated", "comparison"))
            rows.append((name, SEEN[line["state"]], *counts))
    months = families.cohort.settings.horizons[-1]
    return table(
        pd.DataFrame(rows, columns=["Source", "Records", "On the programme", "Comparison"]),
        caption=titled(
            f"What was seen over {months} months of the families followed, by source",
            families.records.simulated,
        ),
        notes="An outcome is missing, never none, where its source was not seen: who would be in "
        f"it is at school ({_ages('school_terms')}) or of working age "
        f"({_ages('benefit_spells')}) at some time in the months. The police hold offenders alone: "
        "whether somebody not found there has no offence or was missed, nothing tells, and it "
        "counts as none. Counts are rounded to five.",
    )


def _ages(source: str) -> str:
    youngest, too_old = TABLES[source].expected or (0, 0)
    return f"{youngest} to {too_old - 1}"


def base_rates_table(families: Families) -> Table:
    """Return means by arm, before and after the index date, small numbers hidden.

    Parameters
    ----------
    families : Families
    """
    months = families.cohort.settings.horizons[-1]
    cohort, treated = families.cohort, families.frame["treated"]
    before, after = cohort.baseline(), cohort.outcomes(months)
    rows = []
    for name in reported_outcomes():
        if name not in before:
            continue
        digits = 3 if outcome(name).unit == SHARE else 2
        line: list[str] = [outcome_label(name, unit=True)]
        for counts in (before, after):
            own = counts.loc[families.frame.index, name].astype(float)
            line += [safe_mean(own[treated == arm], digits) for arm in (1, 0)]
        rows.append(line)
    columns = [
        "Outcome",
        "On the programme, 12 months before",
        "Comparison, 12 months before",
        f"On the programme, {months} months after",
        f"Comparison, {months} months after",
    ]
    return table(
        pd.DataFrame(rows, columns=columns),
        caption=titled("Base rates by group, means of families", families.records.simulated),
        notes="Not an effect: families on the programme and comparison families differ before the "
        "index date. Means that rest on fewer than ten families, or give away so few, are hidden.",
    )


def results_table(families: Families) -> Table:
    """Return the share of each group that would have met the programme's results tests.

    Parameters
    ----------
    families : Families
    """
    settings = families.cohort.settings
    months = settings.horizons[-1]
    rules = programmes()[settings.phase]
    lacking = [name for name in rules.looks_at if name in families.records.missing]
    if lacking:
        return table(
            pd.DataFrame({"Results tests": [f"Not possible without {', '.join(lacking)}."]}),
            caption="The programme's results tests",
        )
    tests = results_tests(families.records, families.cohort, months)
    followed = families.cohort.followed(months).to_numpy()
    tests = tests[followed & tests["unit"].isin(families.frame["unit"]).to_numpy()]
    arms = {who: tests[tests["treated"] == arm] for who, arm in _ARMS.items()}
    rows = [
        (RESULTS[name], *(share for own in arms.values() for share in _states(own[name])))
        for name in tests.columns
        if name in RESULTS
    ]
    columns = [f"{who}, {state}" for who in arms for state in ("met", "cannot be judged")]
    return table(
        pd.DataFrame(rows, columns=["Share of families with", *columns]),
        caption=titled(
            f"Who would have met the programme's results tests {months} months after, "
            f"{rules.title}",
            families.records.simulated,
        ),
        notes=_results_notes(rules),
    )


def _states(met: pd.Series) -> list[str]:
    """Return the share that met a test, and that of whom it cannot be said; the rest did not."""
    known = met.notna()
    shares = safe_mean(100 * met.fillna(0.0), 1), safe_mean(100 * (~known).astype(float), 1)
    return [f"{one}%" if one[-1].isdigit() else one for one in shares]


def _results_notes(rules: Programme) -> list[str]:
    notes = [
        "Of the families followed until then; the others failed the test. Who cannot be judged has "
        "no three terms of school on record, or records that do not cover what the test looks at, "
        "so that the share that met it lies between the first number and both together; chapter 6 "
        "gives it among those who can be judged. "
        "The same tests for both groups, whether or not a result was claimed. What the "
        "comparison families reach, families reach without the programme; the difference is not "
        "yet an effect, since the groups differ before."
        + " Progress to work is not recorded."
        * bool(rules.result.progress)
    ]
    if rules.untested:
        why = "; ".join(f"{label}: {reason}" for label, reason in rules.untested.items())
        notes.append(
            f"Of {len(rules.needs)} needs, {len(rules.untested)} cannot be tested in these "
            f"records, and families with one of them are left out here. {why}."
        )
    return notes


def attached_chart(families: Families) -> Chart | Table:
    """Return the families on the programme by year of their index date.

    Parameters
    ----------
    families : Families
    """
    treated = families.frame[families.frame["treated"] == 1]
    years = pd.to_datetime(treated["index_on"]).dt.year.value_counts().sort_index()
    shown = years[years >= 10]
    if shown.empty:
        return table(
            pd.DataFrame({"Year of attachment": ["Too few families to show."]}),
            caption="Families on the programme by year",
        )
    rounded = (shown / 5).round() * 5
    listed = "; ".join(f"{year} {count:,.0f}" for year, count in rounded.items())
    label = simulated_mark(families.records.simulated)
    return bar_chart(
        [str(year) for year in rounded.index],
        list(rounded),
        title=f"{label}{rounded.idxmax()} saw the most families attached",
        subtitle="Families on the programme, by year of attachment",
        alt=f"Bar chart of families in the cohort by year of attachment: {listed}.",
        x_label="Families, rounded to five",
    )
