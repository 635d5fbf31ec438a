"""The programme's own results tests, taken from the records some months after the index date."""

from __future__ import annotations

from collections.abc import Callable

import ibis
import numpy as np
import pandas as pd
from ibis import _

from tfeval.cohort.analysis_table import Cohort
from tfeval.cohort.entry import FAR, LEAN, as_date, as_long, as_number
from tfeval.errors import DataError, ParameterError, in_own_words, suggest
from tfeval.programme.outcomes import OUT_OF_WORK_BENEFITS, PROVEN_OUTCOMES
from tfeval.programme.phases import Phase, phase
from tfeval.programme.results import results_met, school_test
from tfeval.records.store import Records

_HALF_YEAR, _YEAR = 182, 365
_MINOR_MONTHS = 18 * 12
#: Days within which three terms end one after another, holidays included.
_THREE_TERMS = 490
#: Months of age at entry of children who must be in school until the tests are taken.
_SCHOOL_FROM, _SCHOOL_TO = 5 * 12, 15 * 12
_OF_TERMS = (
    "fixed_exclusions", "sessions_possible", "sessions_unauthorised", "sessions_authorised",
)  # fmt: skip


@in_own_words("The tests of results cannot be put to the records")
def results_tests(
    records: Records, families: Cohort, months: int = 12, *, reading: str = "published"
) -> pd.DataFrame:
    """Return which families of a cohort would have met the programme's results tests.

    Both arms are put to the same tests, whether or not a result was claimed: so the comparison
    families show how many would have met them anyway.

    Parameters
    ----------
    records : Records
        The extract of the cohort.
    families : Cohort
        By family, with `months` among its horizons.
    months : int, default 12
        Months after the index date at which the tests are taken.
    reading : {"published", "after_entry"}
        Which terms the school test looks at: the last three before the tests are taken, as the
        rule says, or only such as began after the index date, where a year often holds but two.

    Returns
    -------
    DataFrame
        `unit`, `treated`, and the phase's results: in phase one `crime_asb_education`,
        `continuous_employment`, `turned_around`; in phase two `continuous_employment`,
        `sustained_progress`; under Supporting Families `successful_family_outcome`. 1
        (met), 0 (not met), or missing (cannot be judged): where what decides was not recorded or
        covered, the family was not followed, or it has a need that records cannot show to be
        resolved (`Phase.untested`).

    Raises
    ------
    ParameterError
        If the cohort is by person, has no such horizon, or is of records opened apart.
    DataError
        If a table that the tests need is missing.

    Notes
    -----
    Six and twelve months are 182 and 365 days. Minors are people under 18 on the day, adults those
    of 18 and over on the index date. Spells of work that touch are one; days on an out-of-work
    benefit are not in it. A pupil's rows of one term, in two schools, are one term, and a term
    without sessions is none. A family of which no school-age child can be judged cannot be judged
    by the school test. Progress to work is not recorded. Children need help no longer where none
    is in need or on a protection plan at the end, and a family is safe where no domestic abuse was
    reported in the last six months: in phase two authorities set these two tests themselves, and
    the framework of Supporting Families was not seen in full, so this is one reading. Where
    somebody was not found in a source, what was seen of the others decides if it suffices: an
    adult in work for long enough, an admission, a child in need, abuse.

    References
    ----------
    `tfeval.programme.results`; `data/published/results_definitions.csv`.
    """
    if reading not in READINGS:
        raise ParameterError(f"There is no reading {reading}. {suggest(reading, READINGS)}")
    families.check_open()
    settings = families.settings
    rules = phase(settings.phase)
    needed = rules.looks_at
    if settings.level != "family" or months not in settings.horizons:
        raise ParameterError(f"Results tests need a cohort by family with horizon {months}.")
    lacking = [name for name in needed if name not in records.tables]
    if families.units.get_backend() is not records.connection:
        raise ParameterError(
            "Results tests need the records that the cohort was built from, as they were opened "
            "then: results_tests(records, cohort(records, ...))."
        )
    if lacking:
        raise DataError(f"Results tests need tables that the extract lacks: {', '.join(lacking)}.")
    units = families.units.select(
        "unit", "family_id", "index_on", "day0", end=families.units[f"day{months}"]
    )
    frame = families.to_pandas().set_index("unit")
    inputs = _inputs(records, units, rules, frame.index, reading)
    for when, counts in (("before", families.baseline()), ("after", families.outcomes(months))):
        known = counts.set_axis(frame.index)
        for name, outcomes in _RESTS_ON[when].items():
            if name in inputs:
                seen = known[list(outcomes)].notna().all(axis=1)
                # What was seen may decide whatever was not: one adult in work is one.
                decides = _DECIDES.get(name, lambda values, _rules: values.isin([]))
                inputs[name] = inputs[name].where(seen | decides(inputs[name], rules))
    inputs = inputs.join(_problems(frame, rules))
    results = results_met(inputs, rules)
    followed = families.followed(months).set_axis(frame.index)
    shown = results.where(followed).drop(columns=rules.result.progress, errors="ignore")
    shown.insert(0, "treated", frame["treated"])
    return shown.reset_index()


#: The outcomes without which an input is not known: their tables do not cover the time.
_RESTS_ON: dict[str, dict[str, tuple[str, ...]]] = {
    "before": {
        "asb_before": ("asb_incidents",),
        "offences_before": ("offences",),
        "school_passed": ("sessions_possible",),
    },
    "after": {
        "asb_after": ("asb_incidents",),
        "offences_after": ("offences",),
        "weeks_in_work": ("employment", "out_of_work"),
        "emergency_admissions_after": ("emergency_admissions",),
        "children_helped": ("in_need",),
        "safe_from_abuse": ("domestic_abuse",),
        "school_passed": ("sessions_possible",),
    },
}
#: Where what was seen decides, though not all was: it can be more, and no less.
_DECIDES: dict[str, Callable[[pd.Series, Phase], pd.Series]] = {
    "weeks_in_work": lambda weeks, rules: weeks >= (rules.results.employment_weeks or np.inf),
    "emergency_admissions_after": lambda counts, _rules: counts > 0,
    "children_helped": lambda helped, _rules: ~helped.astype(bool),
    "safe_from_abuse": lambda safe, _rules: ~safe.astype(bool),
}
READINGS = ("published", "after_entry")


def _problems(frame: pd.DataFrame, rules: Phase) -> pd.DataFrame:
    flags = frame[[f"met_{name}" for name in rules.criteria]].astype(bool)
    return flags.rename(columns=lambda name: name.removeprefix("met_"))


def _inputs(
    records: Records, units: ibis.Table, rules: Phase, index: pd.Index, reading: str
) -> pd.DataFrame:
    """Return what the tests look at, one row a unit; nothing recorded counts as none."""
    counted = {
        "asb_incidents": lambda: _events(records, units, "asb_incidents", "asb", minors=False),
        "offences": lambda: _events(
            records, units, "offences", "offences", minors=rules.result.minors_only
        ),
        "employment_spells": lambda: _weeks_in_work(records, units),
        "domestic_abuse_incidents": lambda: _events(
            records, units, "domestic_abuse_incidents", "abuse", minors=False
        ),
        "hospital_episodes": lambda: _admissions(records, units),
        "social_care_episodes": lambda: _in_need(records, units),
    }
    looked_at = rules.looks_at
    counts = [count() for table, count in counted.items() if table in looked_at]
    frame = pd.concat([one.set_index("unit").reindex(index) for one in counts], axis=1).fillna(0)
    if "school_terms" in looked_at:
        children = _children(records, units, reading)
        passed = school_test(children, rules)
        failed = (~passed).fillna(False).groupby(children["unit"]).any().reindex(index)
        judged = passed.notna().groupby(children["unit"]).all().reindex(index)
        # One child that fails decides; else one that cannot be judged, or the want of any, does.
        met = judged.astype("boolean").where(judged.eq(True) | failed.eq(True))
        frame["school_passed"] = met & ~failed.astype("boolean")
    if "social_care_episodes" in looked_at:
        frame["children_helped"] = frame["still_in_need"] == 0
    if "domestic_abuse_incidents" in looked_at:
        frame["safe_from_abuse"] = frame["abuse_after"] == 0
    frame["volunteered_for_work"] = False
    return frame


def _people(records: Records, units: ibis.Table) -> ibis.Table:
    people = records.rows("people").select("person_id", "family_id", "birth_month")
    return units.inner_join(people, "family_id").drop("family_id")


def _events(
    records: Records, units: ibis.Table, table: str, name: str, *, minors: bool
) -> pd.DataFrame:
    """Count events in the half year before the index date and in the last half year."""
    rows = records.rows(table)
    if table == "offences":
        rows = rows.filter(rows["outcome"].isin(PROVEN_OUTCOMES))
        rows = rows.select("person_id", on="offence_on")
        joined = _people(records, units).inner_join(rows, "person_id")
    else:
        joined = units.inner_join(rows.select("family_id", on="incident_on"), "family_id")
    if minors:
        age = (joined["on"].year() - joined["birth_month"].year()) * 12
        age = age + joined["on"].month() - joined["birth_month"].month()
        joined = joined.filter(age < _MINOR_MONTHS)
    day = joined["on"].epoch_days()
    before = (day >= joined["day0"] - _HALF_YEAR) & (day < joined["day0"])
    after = (day >= joined["end"] - _HALF_YEAR) & (day < joined["end"])
    return _counted(joined, {f"{name}_before": before, f"{name}_after": after})


def _counted(joined: ibis.Table, flags: dict[str, ibis.Value]) -> pd.DataFrame:
    sums = {name: as_number(flag).sum() for name, flag in flags.items()}
    return joined.group_by("unit").aggregate(**sums).to_pandas().astype(dict.fromkeys(flags, float))


def _admissions(records: Records, units: ibis.Table) -> pd.DataFrame:
    rows = records.rows("hospital_episodes").filter(_.kind == "emergency_admission")
    rows = rows.select("person_id", on="arrived_on")
    joined = _people(records, units).inner_join(rows, "person_id")
    day = joined["on"].epoch_days()
    last = (day >= joined["end"] - _YEAR) & (day < joined["end"])
    return _counted(joined, {"emergency_admissions_after": last})


def _in_need(records: Records, units: ibis.Table) -> pd.DataFrame:
    rows = records.rows("social_care_episodes").filter(_.kind.isin(["in_need", "protection_plan"]))
    joined = _people(records, units).inner_join(
        rows.select("person_id", "started_on", "ended_on"), "person_id"
    )
    last = joined["end"] - 1
    open_at_end = (joined["started_on"].epoch_days() <= last) & (
        joined["ended_on"].epoch_days().fill_null(FAR) > last
    )
    return _counted(joined, {"still_in_need": open_at_end})


def _weeks_in_work(records: Records, units: ibis.Table) -> pd.DataFrame:
    """Return the longest time in work and off benefits of an adult on a benefit at entry."""
    people = _people(records, units)
    months = (people["index_on"].year() - people["birth_month"].year()) * 12
    months = months + people["index_on"].month() - people["birth_month"].month()
    people = people.filter(months >= _MINOR_MONTHS)
    benefits = records.rows("benefit_spells")
    benefits = benefits.filter(benefits["benefit"].isin(OUT_OF_WORK_BENEFITS))
    spells = [_spells_of(people, table) for table in (benefits, records.rows("employment_spells"))]
    claims, work = (one.to_pandas() for one in spells)
    keys = ["unit", "person_id"]
    at_entry = claims[(claims["begun"] <= claims["day0"]) & (claims["done"] > claims["day0"])]
    workless = at_entry[keys].drop_duplicates()
    # Points at which work or a benefit begins or ends; at one day ends and beginnings meet.
    points = pd.concat(
        [
            frame[keys].assign(day=frame[edge].clip(frame["day0"], frame["end"]), **{name: step})
            for name, frame in (("working", work), ("claiming", claims))
            for edge, step in (("begun", 1), ("done", -1))
        ]
    ).fillna({"working": 0, "claiming": 0})
    points = points.merge(workless, on=keys).groupby([*keys, "day"], as_index=False).sum()
    people_now = points.groupby(keys)
    state = people_now[["working", "claiming"]].cumsum()
    off = (state["working"] > 0) & (state["claiming"] <= 0)
    lasts = (people_now["day"].shift(-1) - points["day"]).where(off, 0).fillna(0)
    stretch = (~off).cumsum()
    longest = lasts.groupby([points["unit"], points["person_id"], stretch]).sum()
    weeks = longest.groupby(level="unit").max() / 7
    return weeks.rename("weeks_in_work").reset_index()


def _spells_of(people: ibis.Table, spells: ibis.Table) -> ibis.Table:
    """Return people's spells as day numbers, of those that touch the time looked at."""
    joined = people.inner_join(spells.select("person_id", "started_on", "ended_on"), "person_id")
    begun = as_long(joined["started_on"].epoch_days())
    done = as_long(joined["ended_on"].epoch_days().fill_null(FAR))
    numbered = joined.select(
        "unit", "person_id", day0=as_long(joined["day0"]), end=as_long(joined["end"]),
        begun=begun, done=done,
    )  # fmt: skip
    return numbered.filter(
        (numbered["done"] > numbered["day0"]) & (numbered["begun"] < numbered["end"])
    )


def _children(records: Records, units: ibis.Table, reading: str) -> pd.DataFrame:
    """Return each child's last three terms before the end, summed; who has none, with 0 terms."""
    people = _people(records, units)
    rows = people.inner_join(records.rows("school_terms"), "person_id")
    began, ended = rows["term_start"].epoch_days(), rows["term_end"].epoch_days()
    earliest = rows["day0"] if reading == "after_entry" else rows["end"] - _THREE_TERMS
    rows = rows.filter((began >= earliest) & (ended < rows["end"]))
    # Rows of one term, in two schools, lie in the same third of the school year.
    middle = as_date(rows["term_start"] + ((ended - began) // 2 + LEAN) * ibis.interval(days=1))
    month = middle.year() * 12 + middle.month() - 1
    term = (month + 4) // 12 * 3 + ((month + 4) % 12) // 4
    keys = ["unit", "person_id"]
    each = (
        rows.mutate(term=as_long(term))
        .group_by([*keys, "term"])
        .aggregate(**{name: rows[name].sum().cast("int64") for name in _OF_TERMS})
    )
    each = each.filter(each["sessions_possible"] > 0)
    place = ibis.row_number().over(group_by=keys, order_by=ibis.desc(each["term"]))
    last = each.mutate(place=place).filter(_.place < 3)
    sums = last.group_by(keys).aggregate(
        terms=_.count(), **{name: last[name].sum() for name in _OF_TERMS}
    )
    frame = sums.to_pandas()
    months = (people["index_on"].year() - people["birth_month"].year()) * 12
    months = months + people["index_on"].month() - people["birth_month"].month()
    of_age = people.filter((months >= _SCHOOL_FROM) & (months < _SCHOOL_TO))
    due = of_age.select(*keys).to_pandas()
    frame = frame.merge(due, on=keys, how="outer")
    numbers = ["terms", *_OF_TERMS]
    frame[numbers] = frame[numbers].astype(float).fillna(0)
    frame["sessions_absent"] = frame["sessions_authorised"] + frame["sessions_unauthorised"]
    return frame
