"""One region of England: what its authorities were asked and claimed, their effects and value."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from tfeval.display.figures import Chart
from tfeval.display.names import SIMULATED
from tfeval.display.tables import Table, table
from tfeval.display.words import in_sentence, simulated_mark
from tfeval.errors import DataError
from tfeval.impact.effects.areas import AreaEffects, pool_areas
from tfeval.impact.effects.words import decimals, number, with_interval
from tfeval.programme import outcomes as registry
from tfeval.programme.areas import doses
from tfeval.programme.claims import claims_by_authority, region_of
from tfeval.programme.outcomes import outcome_label
from tfeval.programme.phases import period
from tfeval.programme.phases import phase as phase_of
from tfeval.programme.published import published
from tfeval.report.chapters.areas import AreasByOutcome, areas_chart, is_simulated
from tfeval.report.chapters.common import (
    MEASURE_NAMES,
    as_published,
    month,
    of_phase,
    percent,
    with_sources,
)


def members(name: str) -> pd.DataFrame:
    """Return a region's authorities: `code`, `name`, `region` and more.

    Parameters
    ----------
    name : str
        The region, in any case.

    Examples
    --------
    >>> len(members("North West")), members("london")["name"].iloc[0]
    (23, 'City of London')
    """
    frame = published("local_authorities")
    return frame[frame["region"] == region_of(name)].reset_index(drop=True)


def _claims(name: str, phase: str) -> pd.DataFrame:
    rows = claims_by_authority(phase=phase)
    return rows[rows["region"] == region_of(name)]


def called(name: str) -> str:
    """Return a region's name as a sentence has it.

    Examples
    --------
    >>> called("north west"), called("London")
    ('the North West', 'London')
    """
    return in_sentence(region_of(name))


def headline(name: str, phase: str = "one") -> str:
    """Say in one sentence what was claimed in a region.

    Parameters
    ----------
    name : str
        The region.
    phase : str, default "one"

    Examples
    --------
    >>> headline("London")[:72]
    'London: 33 authorities, of which 9 have a published claim with its targe'
    """
    rows, count = _claims(name, phase), len(members(name))
    if rows.empty:
        return (
            f"{region_of(name)}: {count} authorities; no claim of {phase_of(phase).words} with its "
            "target was found in a published source."
        )
    claimed, target = rows["turned_around"].sum(), rows["targeted"].sum()
    first, last = (month(end) for end in (rows["as_of"].min(), rows["as_of"].max()))
    return (
        f"{region_of(name)}: {count} authorities, of which {len(rows)} have a published claim with "
        f"its target: together {claimed:,.0f} of {target:,.0f} families "
        f"({percent(claimed / target)}), each at its own date ({first} to {last})."
    )


def totals_table(name: str, phase: str = "one") -> Table:
    """Return the totals that were published for a region as one.

    Parameters
    ----------
    name : str
        The region.
    phase : str, default "one"
    """
    rows = published("progress_areas")
    rows = rows[(rows["area"] == region_of(name)) & (rows["period"] == period(phase))]
    rows = rows.sort_values("as_of", kind="stable")
    frame = pd.DataFrame(
        {
            "As of": rows["as_of"].map(month),
            "Measure": rows["figure"].map(MEASURE_NAMES),
            "As published": [as_published(row) for _, row in rows.iterrows()],
        }
    )
    return table(
        with_sources(frame, rows), caption=f"Published totals of {called(name)}",
        notes=None if len(rows) else "No total of this region was found in a published source.",
    )  # fmt: skip


def claims_table(name: str, phase: str = "one") -> Table:
    """Return each authority's latest claim with its target, and those without one.

    Parameters
    ----------
    name : str
        The region.
    phase : str, default "one"
    """
    rows, result = _claims(name, phase), MEASURE_NAMES[phase_of(phase).result.name]
    own = members(name)
    frame = pd.DataFrame(
        {
            "Authority": rows["area"],
            "Targeted": rows["targeted"],
            result: rows["turned_around"],
            "Share": rows["share"],
            "As of": rows["as_of"].map(month),
            "Exact": rows["exact"],
        }
    )
    absent = own.loc[~own["code"].isin(rows["code"]), "name"]
    none = f"No claim with a target was found of {'; '.join(absent)}." if len(absent) else None
    whole = "{:,.0f}".format
    return table(
        with_sources(frame, rows), caption=f"Latest published claims in {called(name)}",
        formats={"Targeted": whole, result: whole, "Share": percent}, notes=none,
    )  # fmt: skip


@of_phase("one")
def dose_table(name: str) -> Table:
    """Return how much programme a region had beside England: families targeted of its children.

    Parameters
    ----------
    name : str
        The region.
    """
    dose = doses()
    lines = []
    for label, rows in ((region_of(name), dose[dose["region"] == region_of(name)]),
                        ("England", dose)):  # fmt: skip
        known, target = int(rows["target"].notna().sum()), rows["completed_target"].sum()
        lines.append((label, len(rows), known, target, 10_000 * target / rows["children"].sum()))
    columns = ["Area", "Authorities", "Targets known", "Families targeted", "For 10,000 children"]
    whole = "{:,.0f}".format
    return table(
        pd.DataFrame(lines, columns=columns), caption="How much programme the region had",
        formats={columns[3]: whole, columns[4]: whole},
        notes="Where an authority's target was not published, a model's, so that regions and "
        "England add up to what was published (tf.doses). Children: aged 0 to 17, mid-2012.",
    )  # fmt: skip


def pooled(effects: Mapping[str, AreaEffects], name: str) -> dict[str, AreaEffects]:
    """Pool the effects of a region's authorities that can be shown, by outcome.

    Parameters
    ----------
    effects : mapping of str to AreaEffects
        Of all authorities, as from `areas.read_areas`.
    name : str
        The region.

    Returns
    -------
    dict of str to AreaEffects
        Outcomes with at least two such authorities.
    """
    if not isinstance(effects, AreasByOutcome):
        return _pooled(effects, name)
    if name not in effects.by_region:
        effects.by_region[name] = _pooled(effects, name)
    return effects.by_region[name]


def _pooled(effects: Mapping[str, AreaEffects], name: str) -> dict[str, AreaEffects]:
    own, by_outcome = set(members(name)["name"]), {}
    for outcome, every in effects.items():
        frame = every.to_frame()
        inside = frame["name"].isin(own) & ~frame["hidden"].astype(bool)
        rows = frame[inside & np.isfinite(frame["estimate"]) & np.isfinite(frame["std_error"])]
        try:
            by_outcome[outcome] = pool_areas(
                rows["estimate"], rows["std_error"], rows["name"],
                better=registry.outcome(outcome).better, simulated=every.simulated,
                label=str(every.settings["label"]),
            )  # fmt: skip
        except DataError:  # fewer than two
            continue
    return by_outcome


def effects_table(effects: Mapping[str, AreaEffects], name: str) -> Table:
    """Return the mean effect over a region's authorities beside that over all.

    Parameters
    ----------
    effects : mapping of str to AreaEffects
        Of all authorities, as from `areas.read_areas`.
    name : str
        The region.
    """
    here, rows = pooled(effects, name), []
    for outcome, every in effects.items():
        digits = decimals((every.mean_high - every.mean_low) / 4)
        england = with_interval(every.mean, every.mean_low, every.mean_high, digits)
        label = outcome_label(outcome, unit=True)
        if outcome not in here:
            rows.append((label, "fewer than two", "not known", "not known", england))
            continue
        own = here[outcome]
        frame = own.to_frame()
        ends = (f"{number(frame['pooled'].min(), digits)} to "
                f"{number(frame['pooled'].max(), digits)}")  # fmt: skip
        mean = with_interval(own.mean, own.mean_low, own.mean_high, digits)
        rows.append((label, f"{len(frame)}", mean, ends, england))
    columns = ["Outcome", "Authorities shown", "Mean over them (95% interval)"]
    columns += ["Lowest to highest, partly pooled", "Mean over England's (95% interval)"]
    notes = [f"{SIMULATED}."] if is_simulated(effects) else []
    notes.append(
        "Exploratory: the plan has no effects by region. Each authority counts as one, whatever "
        "its size; those with too few families to show are left out here, and a region of few "
        "authorities has a wide interval."
    )
    return table(
        pd.DataFrame(rows, columns=columns), notes=notes,
        caption=f"Effects in {called(name)} beside England",
    )  # fmt: skip


def effects_chart(effects: Mapping[str, AreaEffects], outcome: str, name: str) -> Chart | Table:
    """Draw an outcome's effect in each of a region's authorities that can be shown.

    Parameters
    ----------
    effects : mapping of str to AreaEffects
        Of all authorities, as from `areas.read_areas`.
    outcome : str
        A measure, such as "out_of_work".
    name : str
        The region.
    """
    here = pooled(effects, name)
    if outcome not in here:
        said = "Fewer than two of its authorities have enough families to show."
        caption = f"{outcome_label(outcome)} in {called(name)}"
        return table(pd.DataFrame({"": [said]}), caption=caption)
    return areas_chart(here, outcome)


def sentence(effects: Mapping[str, AreaEffects], name: str) -> str:
    """Say in one sentence in how many outcomes a region can be told from no effect.

    Parameters
    ----------
    effects : mapping of str to AreaEffects
        Of all authorities, as from `areas.read_areas`.
    name : str
        The region.
    """
    label = simulated_mark(is_simulated(effects))
    here = pooled(effects, name)
    if not here:
        return f"{label}too few authorities of {called(name)} can be shown to say its effects."
    clear = [outcome_label(outcome).lower() for outcome, own in here.items()
             if own.mean_high < 0 or own.mean_low > 0]  # fmt: skip
    ending = f"{', '.join(clear)} can be told from no effect" if clear else (
        "none can be told from no effect")  # fmt: skip
    return f"{label}of {len(here)} primary outcomes, on average over {called(name)}'s " + (
        f"authorities, {ending}.")  # fmt: skip
