"""Statistics of authorities and nations as published, and how much programme each authority had."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from tfeval.errors import DataError, ParameterError, SourceError, suggest
from tfeval.programme.claims import final_claims
from tfeval.programme.published import figure, published

_ID = ["code", "name", "region"]


def area_measures(*, role: str | None = None, rank: str | None = None) -> pd.DataFrame:
    """Return what each statistic of the authorities is, where it is from, and how far it goes.

    Parameters
    ----------
    role : {"outcome", "count", "population", "covariate", "dose", "place"}, optional
        Only these.
    rank : {"first", "second"}, optional
        Of the first rank are those that may carry an effect; the second is for description.

    Returns
    -------
    DataFrame
        One row a measure, in the order of the table: `measure`, `label`, `role`, `rank`, `unit`,
        `year_means`, `first_treated` (the first year the programme can have changed; missing for
        what is no outcome), `first_year`, `last_year`, `authorities` and `cells` with a value,
        `missing` (cells of the 152 authorities without one, in the years of publication),
        `rounding`, `suppression`, `use` and the source columns.

    Examples
    --------
    >>> area_measures(role="outcome", rank="first")["measure"].tolist()[:2]
    ['claimant_rate', 'persistent_absence']
    """
    frame = published("area_measures")
    for column, wanted in (("role", role), ("rank", rank)):
        if wanted is not None:
            if wanted not in set(frame[column]):
                known = ", ".join(sorted(set(frame[column])))
                raise ParameterError(f"{column} is one of {known}, not {wanted}.")
            frame = frame[frame[column] == wanted]
    years = published("area_years")
    count = len(published("local_authorities"))
    published_years = [
        years.loc[years[name].notna(), "year"].nunique() if name in years else 1
        for name in frame["measure"]
    ]
    place = list(frame.columns).index("cells") + 1
    frame.insert(place, "missing", count * np.array(published_years) - frame["cells"])
    return frame.drop(columns=["table", "low", "high"]).reset_index(drop=True)


def area_statistics(
    measures: Iterable[str] | None = None,
    years: Iterable[int] | None = None,
    *,
    wide: bool = False,
) -> pd.DataFrame:
    """Return published statistics of the 152 upper-tier authorities of 2012-15.

    Parameters
    ----------
    measures : iterable of str, optional
        Names from `area_measures()`; by default all.
    years : iterable of int, optional
        By default all. What a year means differs: `area_measures()` says it (`year_means`).
    wide : bool, default False
        One row an authority and year with a column a measure. What is known of one year alone
        (deprivation, grants) then stands in every row of its authority, whatever the year.

    Returns
    -------
    DataFrame
        `code`, `name`, `region`, `year`, `measure`, `value`; or wide, `code`, `name`, `region`,
        `year` and the measures. Every authority has a row for each year in which any has a value:
        what was suppressed, not published or is not comparable is missing, never 0.

    Raises
    ------
    SourceError
        If there is no such measure, or it is only recalled.

    Examples
    --------
    >>> absence = area_statistics(["persistent_absence"], range(2010, 2014))
    >>> absence.shape, int(absence["value"].isna().sum())
    ((608, 6), 0)
    >>> area_statistics(["fixed_exclusion_rate", "deprivation_2010"], [2012], wide=True).columns[4:]
    Index(['fixed_exclusion_rate', 'deprivation_2010'], dtype='object')
    """
    described = published("area_measures").set_index("measure")[["table", "first_year"]]
    wanted = list(described.index) if measures is None else list(measures)
    for name in wanted:
        if name not in described.index:
            raise SourceError(f"There is no area measure {name}. {suggest(name, described.index)}")
    chosen = None if years is None else {int(year) for year in years}
    yearly = [name for name in wanted if described.loc[name, "table"] == "area_years"]
    fixed = [name for name in wanted if described.loc[name, "table"] == "area_facts"]
    names = published("local_authorities")[_ID]
    panel = _panel(names, yearly, chosen)
    facts = names.merge(published("area_facts")[["code", *fixed]], on="code", how="left")
    if wide:
        if not yearly:
            return facts[[*_ID, *wanted]]
        return panel.merge(facts[["code", *fixed]], on="code")[[*_ID, "year", *wanted]]
    long = [_long(panel[[*_ID, "year", name]].assign(measure=name), name) for name in yearly]
    for name, year in described.loc[fixed, "first_year"].items():
        if chosen is None or year in chosen:
            long.append(_long(facts[[*_ID, name]].assign(year=year, measure=name), name))
    columns = [*_ID, "year", "measure", "value"]
    return pd.concat(long, ignore_index=True) if long else pd.DataFrame(columns=columns)


def _panel(names: pd.DataFrame, measures: list[str], chosen: set[int] | None) -> pd.DataFrame:
    """Return every authority in every year in which any of the measures has a value."""
    rows = published("area_years")[["code", "year", *measures]]
    seen = rows.loc[rows[measures].notna().any(axis=1), "year"].unique()
    kept = sorted(year for year in seen if chosen is None or year in chosen)
    grid = names.merge(pd.DataFrame({"year": pd.Series(kept, dtype="int64")}), how="cross")
    return grid.merge(rows, on=["code", "year"], how="left")


def _long(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    frame = frame.rename(columns={name: "value"})[[*_ID, "year", "measure", "value"]]
    some = frame.groupby("year")["value"].transform("count") > 0
    return frame[some]


def nation_statistics(
    measures: Iterable[str] | None = None,
    years: Iterable[int] | None = None,
    *,
    base: int | None = None,
) -> pd.DataFrame:
    """Return published series of England beside nations without the programme.

    Parameters
    ----------
    measures : iterable of str, optional
        Such as "claimant_rate"; by default all.
    years : iterable of int, optional
        By default all.
    base : int, optional
        Give each series as an index with this year at 100; a series without it is missing. Nations
        count differently, so levels are not comparable.

    Returns
    -------
    DataFrame
        `measure`, `label`, `nation`, `year`, `value`, `unit`, `series` (what was counted alike
        throughout) and the source columns.

    Raises
    ------
    SourceError
        If there is no such measure.

    Examples
    --------
    >>> rows = nation_statistics(["claimant_rate"], [2016], base=2012).set_index("nation")
    >>> bool(rows.loc["Wales", "value"] < 100)
    True
    """
    described = published("nation_series").drop(columns=["first_year", "last_year", "use"])
    frame = published("nation_years").merge(described, on="series")
    known = set(described["measure"])
    for name in [] if measures is None else list(measures):
        if name not in known:
            raise SourceError(f"There is no nation's measure {name}. {suggest(name, known)}")
    if measures is not None:
        frame = frame[frame["measure"].isin(list(measures))]
    if base is not None:
        at = frame[frame["year"] == base].set_index("series")["value"]
        frame["value"] = 100 * frame["value"] / frame["series"].map(at)
    if years is not None:
        frame = frame[frame["year"].isin([int(year) for year in years])]
    first = ["measure", "label", "nation", "year", "value", "unit", "series"]
    rest = [name for name in frame.columns if name not in (*first, "year_means")]
    return frame[[*first, *rest]].sort_values(first[:4]).reset_index(drop=True)


# How much programme each authority had.

PER = 10_000
#: Children of 2009, before the programme and its census; the model's other terms are of 2010.
_DOMAINS = ("income_deprivation_2010", "employment_deprivation_2010", "education_deprivation_2010")
_MODEL_YEAR, _CHILD_YEAR, _GRANT_YEAR = 2009, 2012, 2013
#: The City of London and the Isles of Scilly, whose targets of 25 and 5 are rounded to 5.
_SMALLEST = 5_000
#: Groups whose published targets modelled ones are raked to. Not the South East: its "11,000" would
#: leave 1,360 families to nine authorities, Medway and East Sussex among them, so is another count.
_RAKED = ("E12000002", "E12000005", "E12000007", "E11000001", "lancashire-county", "tri-borough")
#: Less than this a targeted family was not the whole grant: the fee of that year alone was £2,400.
_IMPLAUSIBLE = 100.0


def doses() -> pd.DataFrame:
    """Return how much programme each authority had: target, grant, and modelled target.

    The model is a least squares regression of the logarithm of known targets on the logarithms of
    children (2009) and of deprivation of income, employment and education (2010): what was known
    before the programme, and no outcome. The City of London and the Isles of Scilly are not fitted.
    Its predictions are raked: scaled until the authorities of each region and group with a
    published target, and of England, add up to it. The South East's is left out, since the targets
    known in it contradict it.

    Returns
    -------
    DataFrame
        One row an authority: `code`, `name`, `region`; `children` (aged 0-17, mid-2012); `target`
        (families, phase one; missing where none was published); `target_rate` (per 10,000
        children); `grant` (pounds, 2013-14) and `grant_per_child` (mid-2013; missing where it was
        booked elsewhere) with `grant_status` ("reported", "booked_elsewhere", or "implausible":
        under £100 a targeted family); `modelled_target` and `modelled_rate` for every authority,
        raked; `completed_target` and `completed_rate`: the known target, else the model's, raked
        to what the known ones leave; `model_error`: what the regression without this authority
        predicts, less its known target, as a share of it (0.1 is 10% too many).

    Raises
    ------
    DataError
        If the published totals contradict one another.

    References
    ----------
    Deming and Stephan (1940), On a least squares adjustment of a sampled frequency table when the
    expected marginal totals are known, Annals of Mathematical Statistics 11(4): raking.

    Examples
    --------
    >>> rows = doses().set_index("name")
    >>> int(rows.loc["Wakefield", "target"]), round(rows["completed_target"].sum())
    (930, 117910)
    """
    frame = published("local_authorities")[_ID]
    children = _by_code("children", _CHILD_YEAR)
    frame["children"] = frame["code"].map(children)
    frame["target"] = frame["code"].map(final_claims().set_index("code")["targeted"])
    predicted, error = _modelled(frame.set_index("code")["target"])
    groups = target_totals()
    known = frame.set_index("code")["target"]
    free = pd.Series(np.nan, index=known.index)
    modelled = rake(predicted, free, groups)
    completed = rake(predicted, known, groups)
    frame["target_rate"] = PER * frame["target"] / frame["children"]
    grant = 1000 * published("area_facts").set_index("code")["programme_grant_2013_14"]
    frame["grant"] = frame["code"].map(grant)
    frame["grant_per_child"] = frame["grant"] / frame["code"].map(_by_code("children", _GRANT_YEAR))
    a_family = frame["grant"] / frame["code"].map(completed)
    frame["grant_status"] = np.select(
        [frame["grant"].isna(), a_family < _IMPLAUSIBLE],
        ["booked_elsewhere", "implausible"],
        default="reported",
    )
    for name, target in (("modelled", modelled), ("completed", completed)):
        frame[f"{name}_target"] = frame["code"].map(target)
        frame[f"{name}_rate"] = PER * frame[f"{name}_target"] / frame["children"]
    frame["model_error"] = frame["code"].map(error)
    return frame


def _by_code(measure: str, year: int) -> pd.Series:
    return area_statistics([measure], [year]).set_index("code")["value"]


def _modelled(known: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Return predicted targets, and each known authority's error where it is left out."""
    facts = published("area_facts").set_index("code").loc[known.index, list(_DOMAINS)]
    children = _by_code("children", _MODEL_YEAR)[known.index]
    terms = np.log(facts.assign(children=children).to_numpy(dtype=float))
    rows = np.column_stack([np.ones(len(terms)), terms])
    fitted = (known.notna() & (children >= _SMALLEST)).to_numpy()
    target = np.log(known.to_numpy(dtype=float))
    slopes = np.linalg.lstsq(rows[fitted], target[fitted], rcond=None)[0]
    predicted = rows @ slopes
    # Leaving out unit i moves its residual e_i to e_i / (1 - h_i); those not fitted have h = 0.
    basis, _ = np.linalg.qr(rows[fitted])
    leverage = np.zeros(len(rows))
    leverage[fitted] = (basis**2).sum(axis=1)
    error = np.exp((predicted - target) / (1 - leverage)) - 1
    return pd.Series(np.exp(predicted), known.index), pd.Series(error, known.index)


def target_totals() -> dict[tuple[str, ...], float]:
    """Return the published targets of groups of authorities, and of England, by their members.

    Returns
    -------
    dict of tuple of str to float
        Codes of the members, and families. Groups whose total contradicts their members' own
        targets are not among them, nor those of which only a lower bound was published.

    Examples
    --------
    >>> sorted(int(total) for total in target_totals().values())
    [1720, 3610, 8090, 13960, 19385, 21635, 117910]
    """
    rows = published("progress_areas")
    rows = rows[(rows["figure"] == "targeted") & (rows["period"] == "2012-15")]
    rows = rows[rows["area_code"].isin(_RAKED) & (rows["qualifier"] != "at least")]
    # An exact one counts before a rounded.
    rows = rows.sort_values("qualifier").drop_duplicates("area_code")
    totals = {
        tuple(members.split(";")): float(value)
        for members, value in zip(rows["members"], rows["value"], strict=True)
    }
    everybody = tuple(published("local_authorities")["code"])
    return {**totals, everybody: figure("progress_national", "targeted", period="2012-15").value}


def rake(
    start: pd.Series,
    known: pd.Series,
    totals: dict[tuple[str, ...], float],
    *,
    rounds: int = 1000,
) -> pd.Series:
    """Scale what is not known until the members of each group add up to its total.

    Parameters
    ----------
    start : Series
        Positive first values, by code.
    known : Series
        Values that stand, by the same codes; missing where `start` is to be scaled.
    totals : dict of tuple of str to float
        As from `target_totals`. A group of which every member is known is left as it is.
    rounds : int, default 1000
        The most passes over the groups.

    Returns
    -------
    Series

    Raises
    ------
    DataError
        If a group's known members leave nothing to the others, or no scaling meets all totals.

    Examples
    --------
    >>> first = pd.Series({"a": 1.0, "b": 1.0, "c": 2.0})
    >>> known = pd.Series({"a": 3.0, "b": np.nan, "c": np.nan})
    >>> rake(first, known, {("a", "b", "c"): 9.0}).tolist()
    [3.0, 2.0, 4.0]
    """
    values = known.fillna(start).astype(float)
    free = known.isna()
    parts = []
    for members, total in totals.items():
        codes = list(members)
        open_codes = [code for code in codes if free[code]]
        left = total - known[codes].sum()
        if open_codes and left <= 0:
            raise DataError(
                f"A target of {total:,.0f} families leaves nothing to {len(open_codes)} of its "
                f"{len(codes)} authorities: check it against their own targets."
            )
        if open_codes:
            parts.append((open_codes, left))
    row = {code: place for place, code in enumerate(values.index)}
    places = [(np.array([row[code] for code in codes]), left) for codes, left in parts]
    scaled = values.to_numpy(copy=True)
    for _ in range(rounds):
        worst = 0.0
        for own, left in places:
            factor = left / scaled[own].sum()
            scaled[own] *= factor
            worst = max(worst, abs(factor - 1))
        if worst < 1e-12:
            return pd.Series(scaled, values.index)
    raise DataError("The published targets of groups contradict one another: no scaling meets all.")
