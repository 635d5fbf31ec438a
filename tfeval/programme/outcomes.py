"""The registry of outcomes: what each is called, where it is counted, which way is better.

All else that knows outcomes is made from it: what a cohort counts before and after the index date,
names for readers, which way is better, what is not monetised and why, the data dictionary. Only
what is about money stands elsewhere: unit costs, and which of them hold the same pounds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tfeval.errors import DataError, ParameterError, suggest

#: How an outcome is counted. "events": rows by date; "days": days of spells; "sums": a column over
#: whole school terms; "ratio": of counts; "result": by the programme's own tests, not by counting;
#: "published": not in the records, named by a published evaluation or a unit cost.
KINDS = ("events", "days", "sums", "ratio", "result", "published")
THEMES = ("school", "crime", "work", "children", "health", "abuse", "results")
#: A proven offence ended in a conviction, or in a caution, reprimand or warning.
PROVEN_OUTCOMES = ("convicted", "cautioned")
OUT_OF_WORK_BENEFITS = (
    "jobseekers_allowance",
    "employment_support_allowance",
    "incapacity_benefit",
    "income_support",
    "universal_credit_out_of_work",
)
SHARE = "share"
NOT_SIMULATED = "not in the simulator"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What is known of an outcome, whatever is asked about it.

    Attributes
    ----------
    name, label, description : str
        In code; for readers; what it is, for the data dictionary.
    theme : str
        One of `THEMES`.
    kind : str
        One of `KINDS`.
    unit, per : str
        Of the data dictionary ("person-days"), and for readers ("person-days a family").
    table, column : str
        Where it is counted; its date (events), what is summed (sums), nothing (days), the outcome
        that it is a share of (ratio).
    where : tuple of (str, tuple of str)
        Columns and their values that count; all rows by default.
    above_zero : str
        A column that must be above 0 for a row to count.
    parts : tuple of str
        Outcomes that a ratio adds up.
    better : {"lower", "higher"}
    baseline : bool
        Whether it is a covariate too, over the months before the index date.
    reported : bool
        Whether chapters show it; what is only part of a ratio is counted and not shown.
    truth : str
        Its name in a simulation's truth; empty if the simulator has none.
    published : str
        Its name in the table of published effects; empty if it is not there.
    no_price : str
        Why it has no unit cost; empty if it has one.

    Raises
    ------
    DataError
        If something needed is left out.
    """

    name: str
    label: str
    theme: str
    kind: str
    unit: str
    per: str
    description: str = ""
    table: str = ""
    column: str = ""
    where: tuple[tuple[str, tuple[str, ...]], ...] = ()
    above_zero: str = ""
    parts: tuple[str, ...] = ()
    better: str = "lower"
    baseline: bool = True
    reported: bool = True
    truth: str = ""
    published: str = ""
    no_price: str = ""

    def __post_init__(self) -> None:
        needed = ["name", "label", "unit", "per"]
        needed += ["table", "description"] * self.in_cohort
        needed += ["column"] * (self.kind in ("events", "sums", "ratio"))
        needed += ["parts"] * (self.kind == "ratio")
        lacking = [field for field in needed if not getattr(self, field)]
        if lacking:
            raise DataError(f"Outcome {self.name}: {', '.join(lacking)} is missing: give it.")
        for field, known in (("kind", KINDS), ("theme", THEMES), ("better", ("lower", "higher"))):
            if getattr(self, field) not in known:
                raise DataError(f"Outcome {self.name}: {field} is one of {', '.join(known)}.")

    @property
    def in_cohort(self) -> bool:
        """Whether a cohort has it."""
        return self.kind not in ("result", "published")

    @property
    def counted(self) -> bool:
        """Whether it is counted from rows of its table, not made of other counts."""
        return self.in_cohort and self.kind != "ratio"

    @property
    def no_truth(self) -> str:
        """Why a simulation's truth has nothing beside it; empty where it has."""
        if self.truth:
            return ""
        return "a ratio of two counts" if self.kind == "ratio" else NOT_SIMULATED


_RATE = (
    "A share of the sessions possible: its unit cost is of half days of unauthorised absence. "
    "Appraise sessions_unauthorised, or give convert= with the sessions a family has"
)
_A_RESULT = "A result of the programme's own tests; it has no price of its own."


def _school(name: str, label: str, unit: str, what: str, **more: Any) -> Outcome:
    settings = {"kind": "sums", "column": name, "per": f"{unit} a family", **more}
    return Outcome(name=name, label=label, theme="school", unit=unit, table="school_terms",
                   description=what, **settings)  # fmt: skip


def _events(name: str, label: str, theme: str, table: str, column: str, **more: Any) -> Outcome:
    return Outcome(name=name, label=label, theme=theme, kind="events", unit="events",
                   per="a family", table=table, column=column, **more)  # fmt: skip


def _days(
    name: str, label: str, theme: str, table: str, of: str = "person", **more: Any
) -> Outcome:
    return Outcome(name=name, label=label, theme=theme, kind="days", unit="person-days",
                   per=f"{of}-days a family", table=table, **more)  # fmt: skip


def _care(name: str, label: str, what: str, **more: Any) -> Outcome:
    return _days(name, label, "children", "social_care_episodes", "child",
                 description=f"Days {what}, over all people.", where=(("kind", (name,)),),
                 truth=f"{name}_days", **more)  # fmt: skip


def _other(name: str, label: str, theme: str, kind: str = "published", **more: Any) -> Outcome:
    return Outcome(name=name, label=label, theme=theme, kind=kind, unit="0 or 1",
                   per="share of families", baseline=False, reported=False, **more)  # fmt: skip


_ROWS = (
    _school("absence", "Absence from school", SHARE, "Absence, share of possible sessions.",
            kind="ratio", per="share of sessions", column="sessions_possible",
            parts=("sessions_authorised", "sessions_unauthorised"),
            no_price=_RATE + ", of the unauthorised part"),
    _school("unauthorised_absence", "Unauthorised absence", SHARE,
            "Unauthorised absence, share of possible sessions.",
            kind="ratio", per="share of sessions", column="sessions_possible",
            parts=("sessions_unauthorised",), no_price=_RATE),
    _school("sessions_possible", "School sessions possible", "half days",
            "Sessions possible, over all children.", reported=False,
            no_price="What absence is counted against; no outcome."),
    _school("sessions_authorised", "Sessions missed, authorised", "half days",
            "Absence authorised, over all children.", reported=False,
            no_price="Authorised absence is no harm that the programme was to reduce."),
    _school("sessions_unauthorised", "Sessions missed, unauthorised", "half days",
            "Absence unauthorised, over all children.", reported=False),
    _school("fixed_exclusions", "Fixed exclusions", "exclusions",
            "Fixed exclusions, over all children.", per="a family", truth="fixed_exclusions",
            no_price="No sourced cost of a fixed exclusion was found."),
    _school("permanent_exclusions", "Permanent exclusions", "exclusions",
            "Permanent exclusions, over all children.", per="a family",
            truth="permanent_exclusions"),
    _events("offences", "Proven offences", "crime", "offences", "offence_on",
            description="Proven offences.", where=(("outcome", PROVEN_OUTCOMES),),
            truth="proven_offences"),
    _events("custody", "Custodial sentences", "crime", "offences", "outcome_on",
            description="Custodial sentences.", above_zero="custody_days", truth="custody",
            published="custodial sentence"),
    _events("asb_incidents", "Anti-social behaviour incidents", "crime", "asb_incidents",
            "incident_on", description="Anti-social behaviour.", truth="asb_incidents"),
    _days("out_of_work", "Out-of-work benefits", "work", "benefit_spells",
          description="Days on an out-of-work benefit, over all people.",
          where=(("benefit", OUT_OF_WORK_BENEFITS),), truth="out_of_work_days",
          published="claiming out-of-work benefits"),
    _days("employment", "In work", "work", "employment_spells",
          description="Days in work, over all people.", better="higher", truth="employed_days",
          published="employed"),
    _care("in_need", "Children in need", "in need"),
    _care("protection_plan", "Child protection plans", "on a protection plan",
          published="on child protection plan"),
    _care("looked_after", "Children looked after", "looked after", published="looked after child"),
    _events("emergency_admissions", "Emergency admissions", "health", "hospital_episodes",
            "arrived_on", description="Emergency admissions.",
            where=(("kind", ("emergency_admission",)),), truth="emergency_admissions"),
    _events("ae_attendances", "Attendances at accident and emergency", "health",
            "hospital_episodes", "arrived_on", description="Visits to A&E.",
            where=(("kind", ("ae_attendance",)),), truth="ae_attendances"),
    _events("domestic_abuse", "Domestic abuse incidents", "abuse", "domestic_abuse_incidents",
            "incident_on", description="Domestic abuse.", truth="domestic_abuse_incidents"),
    _other("turned_around", "Turned around", "results", "result", better="higher",
           no_price=_A_RESULT),
    _other("sustained_progress", "Significant and sustained progress", "results", "result",
           better="higher", no_price=_A_RESULT),
    _other("jobseekers_allowance", "Jobseeker's Allowance", "work",
           published="claiming Jobseeker's Allowance"),
    _other("conviction", "Convictions", "crime", published="conviction",
           no_price="No unit cost of a conviction is held; a court event stands for it."),
    _other("custody_juvenile", "Custodial sentences of children", "crime"),
    _other("first_time_entry", "First-time entrants to youth justice", "crime"),
    _other("arrest", "Arrests", "crime"),
    _other("court_event", "Court events", "crime"),
)  # fmt: skip

#: Every outcome by name, in the order in which tables show them.
OUTCOMES: dict[str, Outcome] = {row.name: row for row in _ROWS}


def cohort_outcomes(tables: Iterable[str] | None = None) -> list[Outcome]:
    """Return what a cohort counts, counts first and then ratios of them.

    Parameters
    ----------
    tables : iterable of str, optional
        Only outcomes of these tables.

    Examples
    --------
    >>> [row.name for row in cohort_outcomes(["employment_spells"])]
    ['employment']
    """
    available = None if tables is None else set(tables)
    rows = [row for row in OUTCOMES.values() if row.in_cohort]
    rows = [row for row in rows if available is None or row.table in available]
    return sorted(rows, key=lambda row: not row.counted)


def reported_outcomes() -> list[str]:
    """Return the names of the outcomes that chapters show, in order.

    Examples
    --------
    >>> reported_outcomes()[0]
    'absence'
    """
    return [row.name for row in OUTCOMES.values() if row.reported]


def outcome(name: str) -> Outcome:
    """Return an outcome by its name.

    Raises
    ------
    ParameterError
        If there is none of the name.
    """
    if name not in OUTCOMES:
        raise ParameterError(f"There is no outcome {name}. {suggest(name, OUTCOMES)}")
    return OUTCOMES[name]


def outcome_label(name: str, unit: bool = False) -> str:
    """Return an outcome's name for readers; with its unit if asked.

    Raises
    ------
    ParameterError
        If there is none of the name.

    Examples
    --------
    >>> outcome_label("out_of_work"), outcome_label("absence", unit=True)
    ('Out-of-work benefits', 'Absence from school, share of sessions')
    """
    row = outcome(name)
    return f"{row.label}, {row.per}" if unit else row.label


def outcome_words(names: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return what a table of effects says of outcomes: labels, labels with the unit, units.

    Parameters
    ----------
    names : iterable of str

    Examples
    --------
    >>> outcome_words(["absence"])["long_labels"]
    {'absence': 'Absence from school, share of sessions'}
    """
    rows = [outcome(name) for name in dict.fromkeys(names)]
    return {"labels": {row.name: row.label for row in rows},
            "long_labels": {row.name: outcome_label(row.name, unit=True) for row in rows},
            "units": {row.name: row.unit for row in rows}}  # fmt: skip


def is_more_better(name: str) -> bool:
    """Say whether more of an outcome is better; of what is not in the registry less is.

    Examples
    --------
    >>> is_more_better("employment"), is_more_better("offences"), is_more_better("re78")
    (True, False, False)
    """
    return name in OUTCOMES and OUTCOMES[name].better == "higher"
