"""The programme's own results tests, taken from the records some months after the index date."""

from __future__ import annotations

import ibis
import pandas as pd
from ibis import _

from tfeval.cohort.analysis_table import Cohort
from tfeval.cohort.entry import as_long, as_number
from tfeval.errors import DataError, ParameterError, in_own_words
from tfeval.programme.outcomes import OUT_OF_WORK_BENEFITS, PROVEN_OUTCOMES
from tfeval.programme.phases import Phase, phase
from tfeval.programme.results import results_met, school_test
from tfeval.records.store import Records

_HALF_YEAR, _YEAR = 182, 365
_MINOR_MONTHS = 18 * 12
_FAR = 2_000_000


@in_own_words("The tests of results cannot be put to the records")
def results_tests(records: Records, found: Cohort, months: int = 12) -> pd.DataFrame:
    """Return which families of a cohort would have met the programme's results tests.

    Both arms are put to the same tests, whether or not a result was claimed: so the comparison
    families show how many would have met them anyway.

    Parameters
    ----------
    records : Records
        The extract of the cohort.
    found : Cohort
        By family, with `months` among its horizons.
    months : int, default 12
        Months after the index date at which the tests are taken.

    Returns
    -------
    DataFrame
        `unit`, `treated`, and the phase's results: in phase one `crime_asb_education`,
        `continuous_employment`, `turned_around`; in phase two `continuous_employment`,
        `sustained_progress`; under Supporting Families `successful_family_outcome`. 1, 0, or
        missing: where the records do not cover the time, the family was not followed, or it has a
        need that records cannot show to be resolved (`Phase.untested`).

    Raises
    ------
    ParameterError
        If the cohort is by person, has no such horizon, or is of records opened apart.
    DataError
        If a table that the tests need is missing.

    Notes
    -----
    Six and twelve months are 182 and 365 days. Minors are people under 18 on the day. Progress to
    work is not recorded. Children need help no longer where none is in need or on a protection
    plan at the end, and a family is safe where no domestic abuse was reported in the last six
    months: in phase two authorities set these two tests themselves, and the framework of
    Supporting Families was not seen in full, so this is one reading.

    References
    ----------
    `tfeval.programme.results`; `data/published/results_definitions.csv`.
    """
    settings = found.settings
    rules = phase(settings.phase)
    needed = rules.looks_at
    if settings.level != "family" or months not in settings.horizons:
        raise ParameterError(f"Results tests need a cohort by family with horizon {months}.")
    lacking = [name for name in needed if name not in records.tables]
    if found.units.get_backend() is not records.connection:
        raise ParameterError(
            "Results tests need the records that the cohort was built from, as they were opened "
            "then: results_tests(records, cohort(records, ...))."
        )
    if lacking:
        raise DataError(f"Results tests need tables that the extract lacks: {', '.join(lacking)}.")
    units = found.units.select("unit", "family_id", "day0", end=found.units[f"day{months}"])
    frame = found.to_pandas().set_index("unit")
    inputs = _inputs(records, units, rules, frame.index)
    inputs = inputs.join(_problems(frame, rules))
    results = results_met(inputs, rules)
    measured = found.outcomes(months)[list(needed.values())]
    seen = measured.notna().all(axis=1).set_axis(frame.index)
    shown = results.where(seen).drop(columns=rules.result.progress, errors="ignore")
    shown.insert(0, "treated", frame["treated"])
    return shown.reset_index()


def _problems(frame: pd.DataFrame, rules: Phase) -> pd.DataFrame:
    flags = frame[[f"met_{name}" for name in rules.criteria]].astype(bool)
    return flags.rename(columns=lambda name: name.removeprefix("met_"))


def _inputs(records: Records, units: ibis.Table, rules: Phase, index: pd.Index) -> pd.DataFrame:
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
        children = _children(records, units)
        passed = school_test(children, rules).groupby(children["unit"]).all()
        frame["school_passed"] = passed.reindex(index, fill_value=False)
    if "social_care_episodes" in looked_at:
        frame["children_helped"] = frame["still_in_need"] == 0
    if "domestic_abuse_incidents" in looked_at:
        frame["safe_from_abuse"] = frame["abuse_after"] == 0
    frame["volunteered_for_work"] = False
    return frame


def _people(records: Records, units: ibis.Table) -> ibis.Table:
    people = records.table("people").select("person_id", "family_id", "birth_month")
    return units.inner_join(people, "family_id").drop("family_id")


def _events(
    records: Records, units: ibis.Table, table: str, name: str, *, minors: bool
) -> pd.DataFrame:
    """Count events in the half year before the index date and in the last half year."""
    rows = records.table(table)
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
    rows = records.table("hospital_episodes").filter(_.kind == "emergency_admission")
    rows = rows.select("person_id", on="arrived_on")
    joined = _people(records, units).inner_join(rows, "person_id")
    day = joined["on"].epoch_days()
    last = (day >= joined["end"] - _YEAR) & (day < joined["end"])
    return _counted(joined, {"emergency_admissions_after": last})


def _in_need(records: Records, units: ibis.Table) -> pd.DataFrame:
    rows = records.table("social_care_episodes").filter(_.kind.isin(["in_need", "protection_plan"]))
    joined = _people(records, units).inner_join(
        rows.select("person_id", "started_on", "ended_on"), "person_id"
    )
    last = joined["end"] - 1
    held = (joined["started_on"].epoch_days() <= last) & (
        joined["ended_on"].epoch_days().fill_null(_FAR) > last
    )
    return _counted(joined, {"still_in_need": held})


def _weeks_in_work(records: Records, units: ibis.Table) -> pd.DataFrame:
    """Return the longest spell in work of an adult who was on an out-of-work benefit at entry."""
    people = _people(records, units)
    benefits = records.table("benefit_spells")
    benefits = benefits.filter(benefits["benefit"].isin(OUT_OF_WORK_BENEFITS))
    claims = people.inner_join(benefits.select("person_id", "started_on", "ended_on"), "person_id")
    at_entry = claims.filter(
        (claims["started_on"].epoch_days() <= claims["day0"])
        & (claims["ended_on"].epoch_days().fill_null(_FAR) > claims["day0"])
    )
    workless = at_entry.select("unit", "person_id", "day0", "end").distinct()
    work = records.table("employment_spells").select("person_id", "started_on", "ended_on")
    spells = workless.inner_join(work, "person_id")
    begun = ibis.greatest(spells["started_on"].epoch_days(), spells["day0"])
    done = ibis.least(spells["ended_on"].epoch_days().fill_null(_FAR), spells["end"])
    longest = spells.mutate(days=as_long(done - begun)).group_by("unit").aggregate(d=_.days.max())
    frame = longest.to_pandas()
    frame["weeks_in_work"] = frame["d"].astype(float).clip(lower=0) / 7
    return frame[["unit", "weeks_in_work"]]


def _children(records: Records, units: ibis.Table) -> pd.DataFrame:
    """Return each child's last three whole terms between the index date and the end, summed."""
    rows = records.table("school_terms")
    joined = _people(records, units).inner_join(rows, "person_id")
    joined = joined.filter(
        (joined["term_start"].epoch_days() >= joined["day0"])
        & (joined["term_end"].epoch_days() < joined["end"])
    )
    place = ibis.row_number().over(
        group_by=[joined["unit"], joined["person_id"]], order_by=ibis.desc(joined["term_start"])
    )
    last = joined.mutate(place=place).filter(_.place < 3)
    sums = last.group_by(["unit", "person_id"]).aggregate(
        terms=_.count(),
        fixed_exclusions=_.fixed_exclusions.sum(),
        sessions_possible=_.sessions_possible.sum(),
        sessions_unauthorised=_.sessions_unauthorised.sum(),
        sessions_authorised=_.sessions_authorised.sum(),
    )
    frame = sums.to_pandas()
    numbers = [name for name in frame if name not in ("unit", "person_id")]
    frame[numbers] = frame[numbers].astype(float)
    frame["sessions_absent"] = frame["sessions_authorised"] + frame["sessions_unauthorised"]
    return frame
