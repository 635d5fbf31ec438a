"""Who enters the cohort, when, and who does not and why."""

from __future__ import annotations

from datetime import date
from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _

from tfeval.cohort.analysis_table import BASELINE_MONTHS, TREATMENTS, Settings
from tfeval.errors import DataError
from tfeval.programme.phases import Phase
from tfeval.records.store import Records


def as_number(flag: Any) -> Any:
    """Return 1 where an Ibis flag holds and 0 elsewhere; not every engine casts flags."""
    return ibis.ifelse(flag, 1, 0)


def as_date(day: Any) -> Any:
    """Return an Ibis date shifted by an interval as a date again.

    Ibis holds it to be one already; some engines make it a time.
    """
    return day.cast("timestamp").cast("date")


def as_long(number: Any) -> Any:
    """Return a whole Ibis number as one of 64 bits, which some engines only say that it is."""
    return number.cast("float64").cast("int64")


#: Multiplier and modulus of the generator (Lewis, Goodman and Miller 1969) that scatters ranks.
_MULTIPLIER, _MODULUS = 48_271, 2_147_483_647
_LOW_SHARE = 0.25

#: Steps of the flow, in order: column, what it says, for both arms.
STEPS = (
    ("assessed", "assessed in the phase"),
    ("in_group", "attached in any way / in the comparison group"),
    ("as_asked", "{treatment} / the same"),
    ("not_before", "not treated before the index date"),
    ("in_phase", "index date within the phase"),
    ("has_baseline", f"{BASELINE_MONTHS} months of records before the index date"),
)


def candidates(records: Records, settings: Settings, rules: Phase) -> ibis.Table:
    """Return every family that could be treated or compared, with its index date and steps.

    Parameters
    ----------
    records : Records
        The extract.
    settings : Settings
        Phase, comparison group and seed.
    rules : Phase
        The phase's dates and criteria.

    Returns
    -------
    ibis.Table
        One row a family and arm: `family_id`, `treated` (0 or 1), `identified_on`, `index_on`,
        `attached_on` (first treated, in any phase; may be empty), the criteria met, and one flag
        for each step.

    Notes
    -----
    Each comparison family enters a trial that begins some days after its identification, as many
    as one of the treated waited, drawn without a look at what became of it. It is compared if it
    was not treated by that day, and left out if it was: so on every day since identification the
    comparison families stand for all who were at risk then (a risk set), and none is chosen by
    its future. A draw among the waits that fit a family's own would put those treated soon, and
    with them the crisis, nearer to their index dates.

    Who was attached but not as the treatment asks, such as by matching of records alone, is
    untreated: it may be compared, and is followed on.

    The draw takes the family's rank among pseudonyms through a linear congruential generator, in
    whole numbers, so that every engine gives the same date.

    References
    ----------
    Hernán, Sauer, Hernández-Díaz, Platt and Shrier (2016), Specifying a target trial prevents
    immortal time bias, Journal of Clinical Epidemiology 79; Danaei, Rodríguez, Cantero, Logan and
    Hernán (2013), Observational data for comparative effectiveness research, Statistical Methods
    in Medical Research 22(1): sequential trials.
    """
    families = _assessed(records, settings, rules)
    treated = _treated(families, rules)
    pool = _pool(families, settings, rules)
    waits = _waits(treated, settings)
    compared = _with_index(pool, waits, settings.seed, records, rules)
    both = treated.union(compared)
    begun = ibis.literal(first_day(records))
    before = _.index_on - ibis.interval(months=BASELINE_MONTHS)
    return both.mutate(
        in_phase=_.index_on.notnull()
        & (_.index_on >= ibis.literal(rules.start))
        & (_.index_on <= ibis.literal(rules.end)),
        has_baseline=_.index_on.notnull() & (before >= begun),
    )


def criteria_columns(rules: Phase) -> list[str]:
    """Return the columns that say which criteria a family met at identification, 0 or 1."""
    return [f"met_{name}" for name in rules.criteria]


def entered(found: ibis.Table) -> ibis.Table:
    """Return the candidates that pass every step."""
    return found.filter([found[name].fill_null(False) for name, _text in STEPS])


def flow(found: ibis.Table, settings: Settings) -> pd.DataFrame:
    """Count how many are left after each step.

    Parameters
    ----------
    found : ibis.Table
        As from `candidates`.
    settings : Settings
        What was asked for.

    Returns
    -------
    DataFrame
        `step`, `treated`, `comparison`: families left, exact; hide small numbers when shown.
    """
    counts: dict[str, Any] = {}
    passed = ibis.literal(True)
    for name, _text in STEPS:
        passed = passed & found[name].fill_null(False)
        for arm, value in (("treated", 1), ("comparison", 0)):
            counts[f"{name}_{arm}"] = as_number(passed & (found["treated"] == value)).sum()
    row = found.aggregate(**counts).to_pandas().iloc[0].fillna(0).astype(int)
    asked = TREATMENTS[settings.treatment]
    return pd.DataFrame(
        [
            (text.format(treatment=asked), row[f"{name}_treated"], row[f"{name}_comparison"])
            for name, text in STEPS
        ],
        columns=["step", "treated", "comparison"],
    )


def _assessed(records: Records, settings: Settings, rules: Phase) -> ibis.Table:
    """Return the phase's families with criteria counted and when first treated in any phase."""
    families = records.table("families")
    supported = families["lead_practitioner_on"].notnull()
    treated_on = families["attached_on"]
    if settings.treatment == "supported":
        treated_on = ibis.ifelse(supported, treated_on, ibis.null("date"))
    families = families.mutate(
        treated_on=treated_on,
        as_asked=~supported if settings.treatment == "data_matched_apart" else True,
    )
    first = families.group_by("family_id").aggregate(first_on=_.treated_on.min())
    own = families.filter(_.phase == rules.name)
    lacking = [name for name in rules.nominated if name not in own.columns]
    if lacking:
        raise DataError(
            f"Table families: column {', '.join(lacking)} is missing: add it, since {rules.words} "
            "is entered by it."
        )
    met = sum(as_number(own[name].fill_null(False)) for name in rules.criteria)
    local = ibis.literal(False)
    if rules.has_local_discretion:
        local = own[rules.discretion].fill_null(False)
    enough = (met >= rules.criteria_needed) | ((met == rules.criteria_needed - 1) & local)
    flags = {f"met_{name}": as_number(own[name].fill_null(False)) for name in rules.criteria}
    own = own.mutate(met=met, eligible=enough, **flags)
    return own.inner_join(first, "family_id").select(
        "family_id",
        "local_authority",
        "identified_on",
        "attached_on",
        "treated_on",
        "as_asked",
        "first_on",
        "met",
        "eligible",
        *flags,
    )


def _treated(families: ibis.Table, rules: Phase) -> ibis.Table:
    return families.select(
        family_id=_.family_id,
        treated=ibis.literal(1, "int64"),
        identified_on=_.identified_on,
        index_on=_.treated_on,
        attached_on=_.first_on,
        **{name: families[name] for name in criteria_columns(rules)},
        assessed=ibis.literal(True),
        in_group=_.attached_on.notnull(),
        as_asked=_.as_asked & _.treated_on.notnull(),
        not_before=(_.treated_on == _.first_on).fill_null(False),
    )


def _pool(families: ibis.Table, settings: Settings, rules: Phase) -> ibis.Table:
    later = families["treated_on"].notnull()
    group = {
        "waiting": families["eligible"] & later,
        "not_yet_treated": families["eligible"],
        "below_threshold": ~families["eligible"]
        & (families["met"] == rules.criteria_needed - 1)
        & families["first_on"].isnull(),
        "other_authorities": families["eligible"]
        & families["first_on"].isnull()
        & families["local_authority"].isin(
            _low_authorities(families) if settings.comparison == "other_authorities" else [""]
        ),
    }[settings.comparison]
    return families.mutate(in_group=group)


def _low_authorities(families: ibis.Table) -> list[str]:
    """Return the quarter of authorities that attached the smallest share of their eligible."""
    eligible = families.filter(_.eligible)
    shares = eligible.group_by("local_authority").aggregate(
        attached=as_number(eligible["treated_on"].notnull()).sum(), families=_.count()
    )
    frame = shares.to_pandas()
    frame["share"] = frame["attached"].astype(float) / frame["families"].astype(float)
    frame = frame.sort_values(["share", "local_authority"], kind="stable")
    keep = max(1, round(len(frame) * _LOW_SHARE))
    return list(frame["local_authority"].head(keep))


def _waits(treated: ibis.Table, settings: Settings) -> pd.DataFrame:
    """Return how often each wait (days from identification to treatment) occurred."""
    rows = treated.filter(_.in_group & _.as_asked & _.not_before)
    days = rows["index_on"].epoch_days() - rows["identified_on"].epoch_days()
    counted = rows.mutate(wait=days).group_by("wait").aggregate(families=_.count())
    frame = counted.to_pandas().sort_values("wait").reset_index(drop=True)
    frame = frame[frame["wait"] >= 0]
    if frame.empty:
        only = settings.treatment == "supported"
        raise DataError(
            f"No family of this phase was {TREATMENTS[settings.treatment]}: there is nothing to "
            "compare."
            + (' Where no lead practitioners are recorded, ask for treatment="claimed".' * only)
        )
    return frame


def _with_index(
    pool: ibis.Table, waits: pd.DataFrame, seed: int, records: Records, rules: Phase
) -> ibis.Table:
    """Give each comparison family a wait that the treated had, whatever became of the family."""
    rank = as_long(ibis.row_number().over(order_by=pool["family_id"])) + 1
    scattered = (rank * _MULTIPLIER + (seed % 1_000_003) * 40_692) % _MODULUS
    scattered = (scattered * _MULTIPLIER) % _MODULUS
    pool = pool.mutate(place=(scattered * int(waits["families"].sum())) // _MODULUS)
    pool = pool.inner_join(_small_table(records, _lookup(waits)), "place")
    pool = pool.mutate(
        index_on=as_date(pool["identified_on"] + pool["wait"] * ibis.interval(days=1))
    )
    return pool.select(
        family_id=pool["family_id"],
        treated=ibis.literal(0, "int64"),
        identified_on=pool["identified_on"],
        index_on=pool["index_on"],
        attached_on=pool["first_on"],
        **{name: pool[name] for name in criteria_columns(rules)},
        assessed=ibis.literal(True),
        in_group=pool["in_group"],
        as_asked=ibis.literal(True),
        not_before=pool["first_on"].isnull() | (pool["first_on"] > pool["index_on"]),
    )


def _small_table(records: Records, frame: pd.DataFrame) -> ibis.Table:
    """Return a table held in memory, known to the engine."""
    held = ibis.memtable(frame)
    # Spark keeps no in-memory table with a cached one unless a query has used it before.
    records.connection.execute(held.limit(1))
    return held


def _lookup(waits: pd.DataFrame) -> pd.DataFrame:
    """Return the wait at each place in their order."""
    places = np.repeat(waits["wait"].to_numpy(np.int64), waits["families"].to_numpy(np.int64))
    return pd.DataFrame({"place": np.arange(len(places), dtype=np.int64), "wait": places})


def first_day(records: Records) -> date:
    """Return the first day that any authority's records cover; long ago where nothing says."""
    if "coverage" not in records.tables:
        return date(1900, 1, 1)
    first = records.table("coverage").aggregate(day=_.covered_from.min()).to_pandas()
    return pd.Timestamp(first["day"].iloc[0]).date()


# The units of a cohort: where they live and who is in them on the index date.

_ADULT_AGE, _SCHOOL_AGE = 18, 5
_MAY, _SEPTEMBER = 5, 9
_HOUSEHOLD = (
    ("people", "People in the family."),
    ("children", "Children under 18 on the index date."),
    ("young_children", "Children under 5 on the index date."),
)


def units_of(records: Records, families: ibis.Table) -> ibis.Table:
    """Name the units, and find the authority in which each lived on its index date."""
    arm = ibis.ifelse(families["treated"] == 1, "treated", "comparison")
    units = families.mutate(unit=families["family_id"].concat(":", arm))
    assessed = records.table("families").select("family_id", "local_authority", "identified_on")
    first = assessed.group_by("family_id").aggregate(identified_on=_.identified_on.min())
    home = assessed.inner_join(first, ["family_id", "identified_on"])
    home = home.group_by("family_id").aggregate(first_home=_.local_authority.min())
    units = units.left_join(home, "family_id").drop("family_id_right")
    if "family_moves" not in records.tables:
        return _with_household(records, units.rename(local_authority="first_home"))
    moves = records.table("family_moves")
    past = units.select("unit", "family_id", "index_on").inner_join(moves, "family_id")
    past = past.filter(past["moved_on"] <= past["index_on"])
    last = past.group_by("unit").aggregate(moved_on=_.moved_on.max())
    now = past.inner_join(last, ["unit", "moved_on"]).select("unit", moved_to="local_authority")
    units = units.left_join(now, "unit").drop("unit_right")
    units = units.mutate(local_authority=ibis.coalesce(_.moved_to, _.first_home))
    return _with_household(records, units)


def described_columns(level: str) -> tuple[tuple[str, str], ...]:
    """Return the columns about who is in the unit, with what each is."""
    person = (
        ("person_id", "The person."),
        ("role", "Role in the family."),
        ("sex", "Sex."),
        ("age", "Age in whole years on the index date."),
    )
    return (*_HOUSEHOLD, *(person if level == "person" else ()))


def _with_household(records: Records, units: ibis.Table) -> ibis.Table:
    """Add how many people, children and young children the family had on the index date."""
    people = records.table("people").select("family_id", "birth_month")
    both = units.select("unit", "family_id", "index_on").inner_join(people, "family_id")
    both = both.filter(both["birth_month"] <= both["index_on"])

    def under(years: int) -> ibis.Value:
        return as_number(both["birth_month"] + ibis.interval(years=years) > both["index_on"])

    counts = both.group_by("unit").aggregate(
        people=_.count().cast("int64"),
        children=under(_ADULT_AGE).sum().cast("int64"),
        young_children=under(_SCHOOL_AGE).sum().cast("int64"),
    )
    joined = units.left_join(counts, "unit").drop("unit_right")
    return joined.mutate(**{name: joined[name].fill_null(0) for name, _text in _HOUSEHOLD})


def people_of(records: Records, units: ibis.Table) -> ibis.Table:
    """Return one row for each person born by the index date."""
    people = records.table("people").select("person_id", "family_id", "birth_month", "sex", "role")
    each = units.inner_join(people, "family_id")
    each = each.filter(each["birth_month"] <= each["index_on"])
    months = (each["index_on"].year() - each["birth_month"].year()) * 12
    months = months + each["index_on"].month() - each["birth_month"].month()
    return each.mutate(
        unit=each["unit"].concat(":", each["person_id"]), age=(months // 12).cast("int64")
    ).drop("birth_month")


#: When a unit's trial begins: on these its arms are compared as on all that lies before.
WHEN = (
    ("days_identified", "Days from identification to the index date.", "days"),
    ("days_into_phase", "Days from the start of the phase to the index date.", "days"),
    ("in_autumn", "Index date in September to December.", "0 or 1"),
    ("in_summer", "Index date in May to August.", "0 or 1"),
)


def with_time(units: ibis.Table, rules: Phase) -> ibis.Table:
    """Add when the index date lies: since identification, in the phase, in the school year."""
    day, month = units["index_on"].epoch_days(), units["index_on"].month()
    return units.mutate(
        days_identified=as_long(day - units["identified_on"].epoch_days()),
        days_into_phase=as_long(day - ibis.literal(rules.start).epoch_days()),
        in_autumn=as_number(month >= _SEPTEMBER),
        in_summer=as_number((month >= _MAY) & (month < _SEPTEMBER)),
    )
