"""Who enters the cohort, when, and who does not and why."""

from __future__ import annotations

from datetime import date
from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _

from tfeval.cohort.analysis_table import COMPARISONS, TREATMENTS, Settings
from tfeval.cohort.columns import BASELINE_MONTHS
from tfeval.errors import DataError
from tfeval.programme.phases import Phase
from tfeval.records.relations import unread
from tfeval.records.schema import TABLES
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
_LONG_AGO = date(1900, 1, 1)
#: Waits are drawn from those of the treated who were identified about the same time: blocks of so
#: many of them at least, and so many blocks at most.
_FEWEST_WAITS, _MOST_BLOCKS = 50, 12
#: A day number after every date, 9999-12-31 too: the end of a spell that goes on.
FAR = 3_000_000
#: Days by which a term's middle is moved on, so that neither Easter nor Christmas puts it into
#: another third of the school year.
LEAN = 12

#: Steps of the flow, in order: column, what it says, for both arms.
STEPS = (
    ("assessed", "assessed in the phase"),
    ("in_group", "attached in any way / in the comparison group"),
    ("as_asked", "{treatment} / the same"),
    ("not_before", "not treated before the index date"),
    ("in_phase", "index date within the phase"),
    ("has_baseline", f"{BASELINE_MONTHS} months of records before the index date"),
)


def considered(records: Records, settings: Settings, rules: Phase) -> tuple[ibis.Table, ibis.Table]:
    """Return the phase's families and the waits to draw from: the same whoever is compared."""
    families = records.keep(assessed, records, settings.treatment, rules)
    return families, records.keep_frame(_waits(records, families, settings, rules))


def candidates(
    records: Records, settings: Settings, rules: Phase, pool: tuple[ibis.Table, ibis.Table],
    groups: tuple[str, ...],
) -> ibis.Table:  # fmt: skip
    """Return every family that could be treated or compared, with its index date and steps.

    Parameters
    ----------
    records : Records
        The extract.
    settings : Settings
        Its seed is taken, and its phase.
    rules : Phase
        The phase's dates and criteria.
    pool : tuple of ibis.Table
        As from `considered`.
    groups : tuple of str
        Keys of `COMPARISONS`: whoever is in any of them is compared.

    Returns
    -------
    ibis.Table
        One row a family and arm: `family_id`, `treated` (0 or 1), `identified_on`, `index_on`,
        `attached_on` (first treated, in any phase; may be empty), the criteria met, one flag
        for each step, and whether it is in each of the groups (`of_group` reads it).

    Notes
    -----
    Each comparison family enters a trial that begins some days after its identification, as many
    as one of the treated waited who was identified about the same time, drawn without a look at
    what became of it. It is compared if it was not treated by that day, and left out if it was: so
    on every day since identification the comparison families stand for all who were at risk then
    (a risk set), and none is chosen by its future. A draw among the waits that fit a family's own
    would put those treated soon, and with them the crisis, nearer to their index dates.

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
    families, waits = pool
    low = records.keep_frame(_low_authorities(records, families, groups))
    rule = (groups, settings.seed, rules, first_day(records))
    return records.keep(_candidates, families, waits, low, rule)


def _candidates(
    families: ibis.Table,
    waits: ibis.Table,
    low: ibis.Table,
    rule: tuple[tuple[str, ...], int, Phase, date],
) -> ibis.Table:
    groups, _seed, rules, begun = rule
    pool = _pool(families, low, groups, rules)
    compared = _with_index(pool, waits, rule)
    both = _treated(families, rules, groups).union(compared)
    before = _.index_on - ibis.interval(months=BASELINE_MONTHS)
    return both.mutate(
        in_phase=_.index_on.notnull()
        & (_.index_on >= ibis.literal(rules.start))
        & (_.index_on <= ibis.literal(rules.end)),
        has_baseline=_.index_on.notnull() & (before >= ibis.literal(begun)),
    )


def of_group(screened: ibis.Table, group: str) -> ibis.Table:
    """Return candidates of several groups as those of one: the treated, and whom it compares."""
    own = ibis.ifelse(screened["treated"] == 1, screened["in_group"], screened[f"in_{group}"])
    return screened.mutate(in_group=own)


def criteria_columns(rules: Phase) -> list[str]:
    """Return the columns that say which criteria a family met at identification, 0 or 1."""
    return [f"met_{name}" for name in rules.criteria]


def entered(screened: ibis.Table) -> ibis.Table:
    """Return the candidates that pass every step."""
    passed = screened.filter([screened[name].fill_null(False) for name, _text in STEPS])
    return passed.drop(*(f"in_{one}" for one in COMPARISONS if f"in_{one}" in screened.columns))


def flow(records: Records, screened: ibis.Table, settings: Settings) -> pd.DataFrame:
    """Count how many are left after each step.

    Parameters
    ----------
    records : Records
    screened : ibis.Table
        As from `candidates`.
    settings : Settings
        What was asked for.

    Returns
    -------
    DataFrame
        `step`, `treated`, `comparison`: families left, exact; hide small numbers when shown.
    """
    row, treatment = records.keep(_left, screened).to_pandas(), TREATMENTS[settings.treatment]
    row = row.iloc[0].fillna(0).astype(int)
    return pd.DataFrame(
        [
            (text.format(treatment=treatment), row[f"{name}_treated"], row[f"{name}_comparison"])
            for name, text in STEPS
        ],
        columns=["step", "treated", "comparison"],
    )


def _left(screened: ibis.Table) -> ibis.Table:
    """Return one row: how many of each arm pass each step and those before it."""
    counts: dict[str, Any] = {}
    passed = ibis.literal(True)
    for name, _text in STEPS:
        passed = passed & screened[name].fill_null(False)
        for arm, value in (("treated", 1), ("comparison", 0)):
            counts[f"{name}_{arm}"] = as_number(passed & (screened["treated"] == value)).sum()
    return screened.aggregate(**counts)


def assessed(records: Records, treatment: str, rules: Phase) -> ibis.Table:
    """Return the phase's families with criteria counted and when first treated in any phase."""
    families = records.rows("families")
    supported, treated_on = families["lead_practitioner_on"].notnull(), families["attached_on"]
    if treatment == "supported":
        treated_on = ibis.ifelse(supported, treated_on, ibis.null("date"))
    apart = treatment == "data_matched_apart"
    families = families.mutate(treated_on=treated_on, as_asked=~supported if apart else True)
    first = families.group_by("family_id").aggregate(first_on=_.treated_on.min())
    own = families.filter(_.phase == rules.name)
    lacking = [name for name in rules.nominated if name not in own.columns]
    if lacking:
        raise DataError(
            f"Table families: column {', '.join(lacking)} is missing: add it, since {rules.words} "
            "is entered by it."
        )
    flags = {f"met_{name}": as_number(own[name].fill_null(False)) for name in rules.criteria}
    met = sum(flags.values())
    local = ibis.literal(False)
    if rules.has_local_discretion:
        local = own[rules.discretion].fill_null(False)
    enough = (met >= rules.criteria_needed) | ((met == rules.criteria_needed - 1) & local)
    # What is empty is not known: not a criterion that was not met.
    said = ibis.and_(*(own[name].notnull() for name in rules.criteria))
    if rules.has_local_discretion:
        said &= own[rules.discretion].notnull() | (met != rules.criteria_needed - 1)
    own = own.mutate(met=met, eligible=enough, said=said, **flags)
    lost = _unreadable(records, rules)
    joined = own.inner_join(first, "family_id").left_join(lost, [("family_id", "lost")])
    can_be = joined["identified_on"].between(_LONG_AGO, ibis.literal(records.ends_on))
    rows = joined.select(
        "family_id", "local_authority", "identified_on", "attached_on", "treated_on", "as_asked",
        "first_on", "met", "eligible", *flags,
        read=joined["lost"].isnull() & can_be & joined["said"],
    ).distinct()  # fmt: skip
    # Of a family whose rows of one phase say two things it cannot be read which holds.
    own = ibis.window(group_by=rows["family_id"])
    place = ibis.row_number().over(group_by=rows["family_id"], order_by=rows["identified_on"])
    alone = rows["family_id"].count().over(own) == 1
    each = rows.mutate(place=place, read=rows["read"].fill_null(False) & alone)
    return each.filter(each["place"] == 0).drop("place")


def _unreadable(records: Records, rules: Phase) -> ibis.Table:
    """Return the families of which something that decides cannot be read.

    Days count in whatever phase: one of attachment that cannot be read would else be none, of a
    family never attached. Criteria count in rows of this phase alone.
    """
    raw, columns = records.sent["families"], TABLES["families"].columns
    days = ("phase", "identified_on", "attached_on", "lead_practitioner_on")

    def wrong(*names: str) -> Any:
        """Tell whether a row has any of these that cannot be read."""
        return ibis.or_(
            *(unread(raw[name], columns[name]) for name in names if name in raw.columns)
        )

    criteria = (raw["phase"].cast("string") == rules.name) & wrong(*rules.nominated)
    families = raw.filter(wrong(*days) | criteria).select(lost=raw["family_id"].cast("string"))
    return families.filter(families["lost"].notnull()).distinct()


def _treated(families: ibis.Table, rules: Phase, groups: tuple[str, ...] = ()) -> ibis.Table:
    return families.select(
        family_id=_.family_id,
        treated=ibis.literal(1, "int64"),
        identified_on=_.identified_on,
        index_on=_.treated_on,
        attached_on=_.first_on,
        **{name: families[name] for name in criteria_columns(rules)},
        assessed=_.read,
        in_group=_.attached_on.notnull(),
        as_asked=_.as_asked & _.treated_on.notnull(),
        not_before=(_.treated_on == _.first_on).fill_null(False),
        **{f"in_{group}": ibis.literal(False) for group in groups},
    )


def _pool(
    families: ibis.Table, low: ibis.Table, groups: tuple[str, ...], rules: Phase
) -> ibis.Table:
    later = families["treated_on"].notnull()
    members = {
        "waiting": families["eligible"] & later,
        "not_yet_treated": families["eligible"],
        "below_threshold": ~families["eligible"]
        & (families["met"] == rules.criteria_needed - 1)
        & families["first_on"].isnull(),
        "other_authorities": families["eligible"]
        & families["first_on"].isnull()
        & families["local_authority"].isin(low["local_authority"]),
    }
    own = {f"in_{group}": members[group] for group in groups}
    return families.mutate(in_group=ibis.or_(*own.values()), **own)


def _low_authorities(
    records: Records, families: ibis.Table, groups: tuple[str, ...]
) -> pd.DataFrame:
    """Return the quarter of authorities that attached the smallest share of their eligible."""
    if "other_authorities" not in groups:
        return pd.DataFrame({"local_authority": [""]})
    frame = records.keep(_shares, families).to_pandas()
    frame["share"] = frame["attached"].astype(float) / frame["families"].astype(float)
    frame = frame.sort_values(["share", "local_authority"], kind="stable")
    keep = max(1, round(len(frame) * _LOW_SHARE))
    return frame[["local_authority"]].head(keep).reset_index(drop=True)


def _shares(families: ibis.Table) -> ibis.Table:
    eligible = families.filter(_.eligible & _.read)  # else which of its rows counts is chance
    return eligible.group_by("local_authority").aggregate(
        attached=as_number(eligible["treated_on"].notnull()).sum(), families=_.count()
    )


def _waits(
    records: Records, families: ibis.Table, settings: Settings, rules: Phase
) -> pd.DataFrame:
    """Return the waits that occurred (days from identification to treatment), each at its place."""
    frame = records.keep(_counted_waits, families, rules).to_pandas()
    frame = frame[frame["wait"] >= 0].reset_index(drop=True)
    if frame.empty:
        only = settings.treatment == "supported"
        not_read = families.filter(~_.read & _.as_asked & _.treated_on.notnull())
        if not_read.count().to_pyarrow().as_py():
            raise DataError("No treated family can be read: tfeval check says what cannot.")
        raise DataError(
            f"No family of this phase was {TREATMENTS[settings.treatment]} on the day on which it "
            "was identified, or later: there is nothing to compare."
            + (' Where no lead practitioners are recorded, ask for treatment="claimed".' * only)
        )
    return _placed(frame)


def _counted_waits(families: ibis.Table, rules: Phase) -> ibis.Table:
    rows = _treated(families, rules).filter(_.assessed & _.in_group & _.as_asked & _.not_before)
    day = rows["identified_on"].epoch_days()
    rows = rows.mutate(day=as_long(day), wait=as_long(rows["index_on"].epoch_days() - day))
    return rows.group_by("day", "wait").aggregate(families=_.count())


def _blocks(frame: pd.DataFrame) -> pd.Series:
    """Return the block of identification days of each row: each of enough of the treated."""
    each = frame.groupby("day")["families"].sum().sort_index()
    least = max(_FEWEST_WAITS, int(each.sum()) // _MOST_BLOCKS)
    block, counted, block_of = 0, 0, {}
    for day, families in each.items():
        if counted >= least:
            block, counted = block + 1, 0
        block_of[day] = block
        counted += int(families)
    if counted < least and block:
        block_of = {day: min(one, block - 1) for day, one in block_of.items()}
    return frame["day"].map(block_of)


def _placed(frame: pd.DataFrame) -> pd.DataFrame:
    """Return each block's waits in their order, each at its place, and the block's first day."""
    block, day, wait, families = (
        values.to_numpy(np.int64)
        for values in (_blocks(frame), frame["day"], frame["wait"], frame["families"])
    )
    order = np.lexsort((wait, block))
    each = np.repeat(block[order], families[order])
    begins, places = np.unique(each, return_index=True, return_counts=True)[1:]
    first = np.array([day[block == one].min() for one in np.unique(block)])
    return pd.DataFrame(
        {
            "place": np.arange(len(each)) - np.repeat(begins, places),
            "wait": np.repeat(wait[order], families[order]),
            "places": np.repeat(places, places),
            "first": np.repeat(first, places),
        }
    )


def _with_index(
    pool: ibis.Table, waits: ibis.Table, rule: tuple[tuple[str, ...], int, Phase, date]
) -> ibis.Table:
    """Give each comparison family a wait that the treated had, whatever became of the family."""
    groups, seed, rules, _begun = rule
    rank = as_long(ibis.row_number().over(order_by=pool["family_id"])) + 1
    scattered = (rank * _MULTIPLIER + (seed % 1_000_003) * 40_692) % _MODULUS
    scattered = (scattered * _MULTIPLIER) % _MODULUS
    blocks = waits.select("first", "places").distinct()
    # Whoever was identified before the first of the treated draws from the first block.
    ends = ibis.window(order_by=blocks["first"])
    order = ibis.row_number().over(ends)
    blocks = blocks.mutate(
        start=ibis.ifelse(order == 0, -FAR, blocks["first"]),
        stop=blocks["first"].lead().over(ends).fill_null(FAR),
    )
    pool = pool.mutate(scattered=scattered, day=as_long(pool["identified_on"].epoch_days()))
    pool = pool.inner_join(blocks, [pool["day"] >= blocks["start"], pool["day"] < blocks["stop"]])
    pool = pool.mutate(place=as_long((pool["scattered"] * pool["places"]) // _MODULUS))
    pool = pool.inner_join(waits.select("first", "place", "wait"), ["first", "place"])
    pool = pool.mutate(
        index_on=as_date(pool["identified_on"] + pool["wait"] * ibis.interval(days=1))
    )
    return pool.select(
        "family_id",
        treated=ibis.literal(0, "int64"),
        identified_on=pool["identified_on"],
        index_on=pool["index_on"],
        attached_on=pool["first_on"],
        **{name: pool[name] for name in criteria_columns(rules)},
        assessed=pool["read"],
        in_group=pool["in_group"],
        as_asked=ibis.literal(True),
        not_before=pool["first_on"].isnull() | (pool["first_on"] > pool["index_on"]),
        **{f"in_{group}": pool[f"in_{group}"] for group in groups},
    )


def first_day(records: Records) -> date:
    """Return the first day that any authority sent, or one long ago where coverage is not said."""
    if "coverage" in records.tables:
        first = records.keep(_covered_from, records).to_pandas()["day"].iloc[0]
        if not pd.isna(first):
            return pd.Timestamp(first).date()
    return _LONG_AGO


def _covered_from(records: Records) -> ibis.Table:
    return records.rows("coverage").aggregate(day=_.covered_from.min())
