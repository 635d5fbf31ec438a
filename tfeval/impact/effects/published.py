"""Effects that the national evaluations published, in the one table of effects.

No standard error was published where seen. What can be said instead is said: an effect called
significant has at most the error that significance allows; one called not significant lies, very
probably, within what the design could have found. Neither is a point, and neither is zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tfeval.errors import ParameterError, suggest
from tfeval.impact.effects.effects import Effects
from tfeval.impact.effects.power import ClusteredDesign, multiplier
from tfeval.programme.outcomes import OUTCOMES, outcome_label
from tfeval.programme.published import Source, distinct_sources, figure, published

EVALUATIONS = {"2016": "2016 phase one", "2019": "2019 phase two"}
#: Published names to the names of outcomes.
NAMES = {row.published: row.name for row in OUTCOMES.values() if row.published}
#: Keys of this table alone: how effects were estimated, and where their errors are from.
METHOD, BY_SIGNIFICANCE, BY_DESIGN = "published", "significance", "published_design"


@dataclass(frozen=True)
class DesignInput:
    """One number that the 2016 design is judged by."""

    name: str
    what: str
    value: float
    basis: str  # "published", or what it is taken from
    sources: tuple[Source, ...] = ()


def phase_one_inputs() -> tuple[DesignInput, ...]:
    """Return what is known, and what is taken, of the 2016 study's design.

    Examples
    --------
    >>> [(item.name, item.value) for item in phase_one_inputs()][:2]
    [('clusters', 56.0), ('records', 20000.0)]
    """
    authorities = figure("evaluations", "authorities_in_study", phase="one")
    records = figure("evaluations", "records_analysed")
    return (
        DesignInput("clusters", "Authorities", authorities.value, "published", authorities.sources),
        DesignInput(
            "records", "Records, both groups together", records.value,
            "published as tens of thousands, so at least this", records.sources,
        ),
        DesignInput("icc", "Variance between authorities, share", 0.02, "assumed"),
    )  # fmt: skip


def phase_one_design(
    records: float | None = None, icc: float | None = None, allocation: str = "within"
) -> ClusteredDesign:
    """Return the 2016 study as a design: 56 authorities, its records halved between two groups.

    Parameters
    ----------
    records : float, optional
        Both groups together; by default the least that "tens of thousands" can mean.
    icc : float, optional
        By default 0.02: assumed.
    allocation : {"within", "between"}
        At best each family was compared within its own authority; at worst only with others'.

    Examples
    --------
    >>> phase_one_design().n_treated
    10000.0
    """
    known = {item.name: item.value for item in phase_one_inputs()}
    half = (known["records"] if records is None else records) / 2
    share = known["icc"] if icc is None else icc
    return ClusteredDesign(half, half, known["clusters"], share, allocation)


def published_effects(
    evaluation: str, *, significance: float = 0.05, design: ClusteredDesign | None = None
) -> Effects:
    """Return the effects of a national evaluation as intervals.

    Parameters
    ----------
    evaluation : {"2016", "2019"}
        Of phase one, or of phase two.
    significance : float, default 0.05
        Level at which a published effect is taken to be significant; the level was not published
        where seen.
    design : ClusteredDesign, optional
        Of the 2016 study; by default `phase_one_design`.

    Returns
    -------
    Effects
        Shares of people. Of 2019: the published differences, each with the largest standard
        error that significance allows, so an interval that reaches 0 and no further. Of 2016: no
        estimate at all, since none was published; the interval is every effect that a study of
        this design would have missed with a chance of at least `significance`. The joint
        covariance is not known: off its diagonal it is NaN.

    Raises
    ------
    ParameterError
        If there is no such evaluation, or the significance lies outside 0 to 1.

    Notes
    -----
    The interval of 2016 is a confidence set for the one thing that was published, that the effect
    was not significant: it holds the effects for which that finding has a chance of at least
    5%. It is as wide as (t at 97.5% + t at 95%) standard errors on either side, 3.6 for many
    clusters. Effects with no published value (child protection plans in 2019) are left out and
    named in the notes.

    Examples
    --------
    >>> effects = published_effects("2019").to_frame().set_index(["outcome", "population"])
    >>> row = effects.loc[("looked_after", "children")]
    >>> round(float(row["estimate"]), 4), round(float(row["std_error"]), 5)
    (-0.008, 0.00408)
    """
    if evaluation not in EVALUATIONS:
        raise ParameterError(f"There is no evaluation {evaluation}. "
                             f"{suggest(str(evaluation), EVALUATIONS)}")  # fmt: skip
    if not 0 < significance < 0.5:
        raise ParameterError(f"significance lies between 0 and 0.5, not {significance!r}.")
    if evaluation == "2016":
        return _of_2016(significance, design or phase_one_design())
    return _of_2019(significance)


def evaluation_sources(evaluation: str) -> list[Source]:
    """Return the sources of the effects of evaluation "2016" or "2019", each once."""
    return distinct_sources(_rows(evaluation))


def without_values(evaluation: str) -> pd.DataFrame:
    """Return the findings of an evaluation whose values were not published where seen.

    Returns
    -------
    DataFrame
        `outcome`, `population`, `months`, `finding`.
    """
    rows = _rows(evaluation)
    return rows.loc[rows["value"].isna(), ["outcome", "population", "months", "finding"]]


def _rows(evaluation: str) -> pd.DataFrame:
    rows = published("evaluation_outcomes")
    return rows[rows["evaluation"] == EVALUATIONS[evaluation]]


def _of_2019(significance: float) -> Effects:
    rows = _rows("2019")
    rows = rows[rows["value"].notna()].reset_index(drop=True)
    estimate = rows["value"].to_numpy(dtype=float) / 100
    comparison = rows["comparison"].to_numpy(dtype=float) / 100
    error = np.abs(estimate) / multiplier_of(significance)
    low, high = np.minimum(2 * estimate, 0), np.maximum(2 * estimate, 0)
    frame = pd.DataFrame(
        {
            "outcome": rows["outcome"].map(NAMES),
            "population": rows["population"],
            "months": rows["months"].map(last_month),
            "estimand": "ATT",
            "method": METHOD,
            "errors": BY_SIGNIFICANCE,
            "estimate": estimate,
            "std_error": error,
            "conf_low": low,
            "conf_high": high,
            "relative": estimate / comparison,
            "relative_low": low / comparison,
            "relative_high": high / comparison,
            "mean_treated": rows["treated"].to_numpy(dtype=float) / 100,
            "mean_comparison": comparison,
        }
    )
    missing = without_values("2019")
    named = ", ".join(dict.fromkeys(missing["outcome"]))
    notes = (
        "Standard errors and their joint covariance were not published where seen: an effect "
        f"called significant at {significance:.0%} has at most the error shown, and its interval "
        "at most reaches 0.",
        "Shares were published to 0.1 points, so a difference is known to 0.1 points either way.",
        f"Left out, since no value was seen: {named}.",
    )
    return _effects(frame, notes, "The 2019 study", 1 - significance)


def multiplier_of(significance: float) -> float:
    """Return the normal quantile of a two-sided level.

    Examples
    --------
    >>> round(multiplier_of(0.05), 3)
    1.96
    """
    from scipy.special import ndtri  # noqa: PLC0415

    return float(ndtri(1 - significance / 2))


def last_month(months: str) -> int:
    """Return the last month of a window such as "19-24".

    Examples
    --------
    >>> last_month("19-24"), last_month("12")
    (24, 12)
    """
    return int(months.rpartition("-")[2])


def _of_2016(significance: float, design: ClusteredDesign) -> Effects:
    shares = comparison_shares()
    rows = _rows("2016")
    rows = rows[rows["outcome"].isin(NAMES)]
    keys = [
        (NAMES[row["outcome"]], row["population"], last_month(row["months"]))
        for _, row in rows.iterrows()
    ]
    # Published for a domain and not by outcome: one outcome stands for each.
    keys += [("looked_after", "children", 18), ("conviction", "juveniles", 18)]
    frame = pd.DataFrame(keys, columns=["outcome", "population", "months"])
    share = frame["outcome"].map(lambda name: shares[name][0]).to_numpy(dtype=float)
    error = np.asarray(design.std_error(np.sqrt(share * (1 - share))), dtype=float)
    width = multiplier(design.freedom, 1 - significance, 1 - significance) * error
    frame = frame.assign(
        estimand="ATT", method=METHOD, errors=BY_DESIGN,
        # No share falls by more than itself, or rises above one.
        estimate=np.nan, std_error=error, conf_low=np.maximum(-width, -share),
        conf_high=np.minimum(width, 1 - share),
        clusters=design.clusters,
    )  # fmt: skip
    total = np.asarray(design.n_treated) + np.asarray(design.n_comparison)
    notes = (
        "No estimate was published where seen, only that there was no consistent evidence of an "
        f"effect. The interval holds every effect for which a study of {design.clusters:.0f} "
        f"authorities and {float(total):,.0f} records would find nothing significant at least "
        f"{significance:.0%} of the time. It is not an estimate of zero.",
        "The number of records is the least that the published words allow, and is taken for each "
        "outcome's own; shares in the comparison group are those of phase two where published, "
        "else one half, at which an effect is hardest to find.",
        "For offending and child welfare the finding was published for the domain; one outcome "
        "stands for it.",
    )
    return _effects(frame, notes, "The 2016 study: what it could not rule out", 1 - significance)


def comparison_shares() -> dict[str, tuple[float, str]]:
    """Return the share of the comparison group with each outcome, and where it is from.

    Examples
    --------
    >>> comparison_shares()["looked_after"]
    (0.025, 'phase two, published')
    """
    rows = _rows("2019")
    rows = rows[rows["comparison"].notna()]
    shares = {
        NAMES[row["outcome"]]: (row["comparison"] / 100, "phase two, published")
        for _, row in rows.iterrows()
    }
    unknown = (0.5, "not published: one half")
    return {name: shares.get(name, unknown) for name in NAMES.values()}


def _effects(frame: pd.DataFrame, notes: tuple[str, ...], title: str, level: float) -> Effects:
    joint = np.full((len(frame), len(frame)), np.nan)
    np.fill_diagonal(joint, frame["std_error"].to_numpy(dtype=float) ** 2)
    settings = {
        "labels": {name: outcome_label(name) for name in NAMES.values()},
        "units": dict.fromkeys(NAMES.values(), "share"),
        "who": "people",
        "title": title,
    }
    return Effects(frame, joint, level=level, settings=settings, notes=notes)
