"""From replications to how often a method is right, each number with its Monte Carlo error."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.special import stdtrit

from tfeval.audit.replication import FURTHER, KEYS, PAGE, PRIMARY
from tfeval.audit.worlds import NONE, PHASE
from tfeval.display.rich import Rich
from tfeval.display.words import is_missing
from tfeval.errors import DataError
from tfeval.impact.balance.tables import BALANCED, NOT_BALANCED
from tfeval.impact.effects.effects import Effects
from tfeval.money.appraise import appraise
from tfeval.money.costs import programme_costs
from tfeval.programme.phases import phase as phase_of
from tfeval.settings import project_folder

#: What a table follows from, to which draws of other seeds can be added; the page's own estimates
#: behind its first replications; the table for other programs.
SUMS, SAMPLE, TABLE = "sums.parquet", "replications.parquet", "known_truth.csv"
COMMITTED = "committed"
LEVEL = 0.05
#: Fewest draws of which a mean has an interval.
FEWEST = 3
_META = b"tfeval"
#: Outcomes made of others: whether any primary one misleads, their mean error relative to the
#: comparison group's mean, and the value that follows from all.
ANY_PRIMARY, PRIMARY_MEAN = "any_primary", "primary_mean"
BENEFIT_COST_RATIO = "benefit_cost_ratio"

#: One row of the table.
BY = tuple(name for name in KEYS if name not in ("seed", "replication"))
#: Shares of replications.
SHARES = ("coverage", "coverage_population", "type_one", "power", "sign_error", "headline_wrong")
COUNTS = ("replications", "estimated", "intervals", "balanced", "not_balanced")
#: What a table follows from: of each its number, sum and sum of squares.
SUMMED = ("balanced", "not_balanced", "mean_comparison", "truth", "truth_treated", "error",
          "error_treated", "squared", *SHARES)  # fmt: skip
_HELD = {"replications", "why", "why_times",
         *(f"{name}_{of}" for name in SUMMED for of in ("count", "sum", "squares"))}  # fmt: skip
COLUMNS = (
    *BY, *COUNTS, "mean_comparison", "truth", "truth_treated",
    "bias", "bias_error", "bias_percent", "bias_percent_error", "bias_treated",
    "bias_treated_error", "spread", "rmse", "rmse_error",
    *(name for one in SHARES for name in (one, f"{one}_error")), "why",
)  # fmt: skip


def summarise(rows: pd.DataFrame) -> pd.DataFrame:
    """Summarise replications, one row a world, group, cell and outcome.

    Parameters
    ----------
    rows : DataFrame
        As from `replicate`, of many replications.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`; beside the outcomes audited, `ANY_PRIMARY`, `PRIMARY_MEAN` and
        `BENEFIT_COST_RATIO`. `replications` were run, `estimated` have an estimate and `intervals`
        an interval; what could not be estimated counts in the first alone, with the most frequent
        reason in `why`. `bias` is the mean error against the effect on those compared,
        `bias_percent` of the mean of the comparison group, `bias_treated` against that on all
        treated; `spread` the standard deviation of errors. `coverage` is how often a nominal 95%
        interval holds the effect on those compared, `coverage_population` the mean of these over
        the draws: that on all families like them, which an interval is for. (The error against the
        first has chance in it of what the treated would have done without, which is more than an
        interval allows for where an effect makes outcomes vary less.) `type_one` is how often an
        effect is found where there is none, `power` where there is one, `sign_error` how often one
        found has the wrong sign. `headline_wrong` is how often a page says of a primary outcome
        that there is an effect (corrected for their number, groups not called unlike) with an
        interval that leaves the truth out. Columns that end in `_error` are Monte Carlo standard
        errors.

    References
    ----------
    Morris, White and Crowther (2019), Using simulation studies to evaluate statistical methods,
    Statistics in Medicine 38(11), table 6. Imbens and Rubin (2015), Causal inference, chapter 6:
    the errors of an effect on those drawn, and of one on the population that they are from.

    Examples
    --------
    >>> from tfeval.audit.replication import COLUMNS as held
    >>> rows = pd.DataFrame({"estimate": [0.0, 2.0], "truth": [0.0, 0.0], "replication": [0, 1],
    ...                      "outcome": "offences", "effects": "none", "verdict": "balanced"})
    >>> rows = rows.reindex(columns=list(held)).fillna({name: "" for name in BY})
    >>> summarise(rows)[["bias", "bias_error"]].iloc[0].tolist()
    [1.0, 1.0]
    """
    return table(sums(rows))


def sums(rows: pd.DataFrame) -> pd.DataFrame:
    """Sum replications up to what their table follows from, and what others can be added to.

    Parameters
    ----------
    rows : DataFrame
        As from `replicate`.

    Returns
    -------
    DataFrame
        Indexed by `BY`: `replications`; of each of `SUMMED` how many there are, their sum and sum
        of squares; and the reason most frequent among what has no estimate, with its count.

    Examples
    --------
    >>> from tfeval.audit.replication import COLUMNS as held
    >>> rows = pd.DataFrame({"estimate": [1.0, 2.0], "truth": 0.0, "replication": [0, 1]})
    >>> rows = rows.reindex(columns=list(held)).fillna({name: "" for name in BY})
    >>> sums(rows)[["replications", "error_sum", "error_squares"]].iloc[0].tolist()
    [2.0, 3.0, 5.0]
    """
    made = pd.concat([rows, _primary_mean(rows), _ratios(rows)], ignore_index=True)
    made["population"] = made.groupby(list(BY), dropna=False)["truth"].transform("mean")
    scored = made[[*KEYS, "mean_comparison", "truth", "truth_treated", "why"]].assign(
        **_scores(made)
    )
    scored = pd.concat([scored, _any_primary(scored)], ignore_index=True)
    scored = scored.astype(dict.fromkeys(SUMMED, float))
    grouped = scored.groupby(list(BY), sort=False, dropna=False)
    columns = {"replications": grouped["replication"].nunique().astype(float)}
    squared = (scored[list(SUMMED)] ** 2).groupby([scored[name] for name in BY],
                                                  sort=False, dropna=False)  # fmt: skip
    for name in SUMMED:
        columns[f"{name}_count"] = grouped[name].count().astype(float)
        columns[f"{name}_sum"] = grouped[name].sum()
        columns[f"{name}_squares"] = squared[name].sum()
    return pd.DataFrame(columns).join(_reasons(scored))


def added(parts: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Add sums of audits up; the most frequent reason is the most frequent of the parts'.

    Examples
    --------
    >>> one = pd.DataFrame({"error_sum": [1.0], "why": ["few_units"], "why_times": [2.0]})
    >>> found = added([one, one.assign(why=None, why_times=float("nan"))])
    >>> found.loc[0, "error_sum"].item(), found.loc[0, "why"]
    (2.0, 'few_units')
    """
    whole = pd.concat(list(parts))
    levels: Any = list(range(whole.index.nlevels))
    numbers = whole.drop(columns=["why", "why_times"]).groupby(level=levels, sort=False).sum()
    reasons = whole[["why", "why_times"]].sort_values("why_times", kind="stable")
    return numbers.join(reasons.groupby(level=levels, sort=False).last())


def table(summed: pd.DataFrame) -> pd.DataFrame:
    """Return the table that sums of replications make, as `summarise` does.

    Parameters
    ----------
    summed : DataFrame
        As from `sums` or `added`.
    """
    count = {name: summed[f"{name}_count"].where(summed[f"{name}_count"] > 0) for name in SUMMED}
    mean = {name: summed[f"{name}_sum"] / count[name] for name in SUMMED}

    def deviation(name: str) -> pd.Series:
        above = (summed[f"{name}_squares"] - count[name] * mean[name] ** 2).clip(lower=0.0)
        return (above / (count[name] - 1).where(count[name] > 1)) ** 0.5

    rows = pd.DataFrame({
        "replications": summed["replications"].astype(int),
        "estimated": summed["error_count"].astype(int),
        "intervals": summed["coverage_count"].astype(int),
    })  # fmt: skip
    for name in ("balanced", "not_balanced", "mean_comparison", "truth", "truth_treated"):
        rows[name] = mean[name]
    for name, of in (("bias", "error"), ("bias_treated", "error_treated")):
        rows[name] = mean[of]
        rows[f"{name}_error"] = deviation(of) / np.sqrt(count[of])
    rows["spread"] = deviation("error")
    scale = 100 / rows["mean_comparison"].where(rows["mean_comparison"] > 0)
    rows["bias_percent"] = rows["bias"] * scale
    rows["bias_percent_error"] = rows["bias_error"] * scale
    rows["rmse"] = np.sqrt(mean["squared"])
    # Of the mean squared error, and by the delta method of its root.
    mse_error = deviation("squared") / np.sqrt(count["squared"])
    rows["rmse_error"] = mse_error / (2 * rows["rmse"].where(rows["rmse"] > 0))
    for name in SHARES:
        rows[name] = mean[name]
        rows[f"{name}_error"] = np.sqrt(mean[name] * (1 - mean[name]) / count[name])
    rows["why"] = summed["why"].fillna("")
    return rows.reset_index()[list(COLUMNS)]


def _scores(rows: pd.DataFrame) -> dict[str, Any]:
    """Return what each replication says of a method: 1, 0, or missing where it says nothing."""
    truth, estimate = rows["truth"], rows["estimate"]
    interval = rows["conf_low"].notna() & rows["conf_high"].notna() & truth.notna()
    covered = (rows["conf_low"] <= truth) & (truth <= rows["conf_high"])
    tested = rows["p_value"].notna() & truth.notna()
    significant = rows["p_value"] < LEVEL
    none = rows["effects"] == NONE
    page = rows["outcome"].isin(PRIMARY) & (rows["verdict"].fillna("") != "")
    said = (rows["p_adjusted"] < LEVEL) & (rows["verdict"] != NOT_BALANCED)
    made = rows["verdict"].fillna("") != ""
    return {
        "error": estimate - truth,
        "squared": (estimate - truth) ** 2,
        "error_treated": estimate - rows["truth_treated"],
        "coverage": covered.astype(float).where(interval),
        "coverage_population": rows["population"].between(rows["conf_low"], rows["conf_high"])
        .astype(float).where(interval),
        "type_one": significant.astype(float).where(tested & none),
        "power": significant.astype(float).where(tested & ~none & (truth != 0)),
        "sign_error": (np.sign(estimate) != np.sign(truth)).astype(float).where(
            tested & significant & ~none & (truth != 0)
        ),
        "headline_wrong": (said & interval & ~covered).astype(float).where(page),
        "balanced": (rows["verdict"] == BALANCED).astype(float).where(made),
        "not_balanced": (rows["verdict"] == NOT_BALANCED).astype(float).where(made),
    }  # fmt: skip


def _any_primary(scored: pd.DataFrame) -> pd.DataFrame:
    """Return a row a page: whether it would have been wrong of any primary outcome."""
    rows = scored[scored["outcome"].isin(PRIMARY)]
    keys = [name for name in KEYS if name != "outcome"]
    grouped = rows.groupby(keys, sort=False, dropna=False)
    whole = grouped[["headline_wrong", "balanced", "not_balanced"]].max().reset_index()
    return whole.assign(outcome=ANY_PRIMARY, why="")


def _primary_mean(rows: pd.DataFrame) -> pd.DataFrame:
    """Return a row a page: the primary outcomes' mean effect, relative to the comparison group."""
    own = rows[rows["outcome"].isin(PRIMARY)]
    numbers = own[["estimate", "truth", "truth_treated"]]
    # By the mean over draws: in a draw of few families hardly any may have the outcome.
    scale = own.groupby(list(BY), dropna=False)["mean_comparison"].transform("mean")
    relative = numbers.div(scale.where(scale > 0), axis=0)
    keys = [name for name in KEYS if name != "outcome"]
    parts = pd.concat([own[keys], relative], axis=1).groupby(keys, sort=False, dropna=False)
    # Of all, or none: a mean of those that could be estimated would be of other outcomes.
    sums = parts.sum(min_count=len(PRIMARY)) / len(PRIMARY)
    made = sums.reset_index().assign(outcome=PRIMARY_MEAN, why="", verdict="")
    return made.assign(mean_comparison=np.where(made["estimate"].notna(), 1.0, np.nan))


def _reasons(scored: pd.DataFrame) -> pd.DataFrame:
    """Return the reason most frequent among what could not be estimated, and how often it is."""
    failed = scored[scored["why"].fillna("") != ""]
    counts = failed.groupby([*BY, "why"], dropna=False).size().rename("why_times").reset_index()
    counts = counts.sort_values(["why_times", "why"], ascending=[False, True], kind="stable")
    return counts.drop_duplicates(list(BY)).set_index(list(BY)).astype({"why_times": float})


@lru_cache(maxsize=1)
def values_of_effects() -> Mapping[str, float]:
    """Return what one unit more of each outcome audited adds to the benefit-cost ratio.

    The ratio is linear in the effects, so its error follows from theirs. Outcomes without a price,
    or whose pounds another holds, add nothing.

    Examples
    --------
    >>> values_of_effects()["out_of_work"] < 0
    True
    """
    names = [*PRIMARY, *FURTHER]
    costs = programme_costs(PHASE, price_year=2024)
    families = phase_of(PHASE).families.value

    def ratio(effects: np.ndarray) -> float:
        rows = {"outcome": names, "months": PAGE.horizon, "estimate": effects, "std_error": 1.0}
        return appraise(
            Effects(pd.DataFrame(rows), np.eye(len(names))), costs, families=families
        ).benefit_cost_ratio

    each = zip(names, np.eye(len(names)), strict=True)
    return MappingProxyType({name: ratio(one) for name, one in each})


def _ratios(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the benefit-cost ratio of each page as estimated, and as the truth has it."""
    value = rows["outcome"].map(dict(values_of_effects()))
    page = pd.Series(True, index=rows.index)
    for name, wanted in vars(PAGE).items():
        page &= rows[name] == wanted
    valued = rows[page & value.fillna(0.0).ne(0.0)]
    if valued.empty:
        return rows.iloc[:0]
    numbers = valued[["estimate", "truth", "truth_treated"]].mul(value[valued.index], axis=0)
    keys = [name for name in KEYS if name != "outcome"]
    parts = pd.concat([valued[keys], numbers], axis=1).groupby(keys, sort=False, dropna=False)
    # All outcomes, or no ratio: one left out would pass for an effect of nothing.
    most = int(valued["outcome"].nunique())
    sums = parts.sum(min_count=most)
    return sums.reset_index().assign(outcome=BENEFIT_COST_RATIO, why="", verdict="")


@dataclass(frozen=True)
class KnownTruth(Rich):
    """A table of an audit and how it was made.

    Attributes
    ----------
    rows : DataFrame
        As from `summarise`.
    about : mapping
        `seeds`, `families`, `commits`, `versions`, `processor_hours` of all draws, and how more
        are added.
    """

    rows: pd.DataFrame
    about: Mapping[str, Any]

    def select(self, **keys: Any) -> pd.DataFrame:
        """Return the rows with these keys, such as ``world="crisis"``."""
        kept = np.ones(len(self.rows), dtype=bool)
        for name, wanted in keys.items():
            kept &= (self.rows[name] == wanted).to_numpy()
        return self.rows[kept]


def page_rows(rows: pd.DataFrame, replications: int = 25) -> pd.DataFrame:
    """Return the page's own estimates in the first replications, small enough to be committed."""
    kept = rows["replication"] < replications
    for name, wanted in vars(PAGE).items():
        kept &= rows[name] == wanted
    sample = rows[kept].sort_values([*KEYS], ignore_index=True)
    numbers = sample.select_dtypes("float64").columns
    return sample.astype(dict.fromkeys(numbers, "float32"))


def write_sums(summed: pd.DataFrame, about: Mapping[str, Any], folder: Path) -> KnownTruth:
    """Write sums of replications, whole or not at all, and return the table that they make."""
    frame = pa.Table.from_pandas(summed)
    meta = {**(frame.schema.metadata or {}), _META: json.dumps(dict(about), sort_keys=True)}
    draft = folder / f"{SUMS}.tmp"
    pq.write_table(frame.replace_schema_metadata(meta), draft, compression="zstd")
    draft.replace(folder / SUMS)
    return KnownTruth(table(summed), about)


def read_sums(folder: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Read sums of replications, and how they were made.

    Raises
    ------
    DataError
        If a folder has none, or they are not of an audit.
    """
    place = folder / SUMS
    if not place.is_file():
        raise DataError(f"There is no table: {folder.name} has no {SUMS} of an audit: run tfeval "
                        "audit.")  # fmt: skip
    try:
        frame = pq.read_table(place)
        summed, about = frame.to_pandas(), json.loads((frame.schema.metadata or {})[_META])
    except (OSError, ValueError, KeyError):
        summed, about = pd.DataFrame(), None
    if not isinstance(about, dict) or [*summed.index.names] != [*BY] or not _HELD.issubset(summed):
        raise DataError(f"{SUMS} of {folder.name} is no table of an audit: make it anew with "
                        "tfeval audit.")  # fmt: skip
    return summed, about


def add_draws(folder: Path, onto: Path) -> KnownTruth:
    """Add the replications of one audit to the table of another, drawn from other seeds.

    Parameters
    ----------
    folder : Path
        Of the audit that is added. It stays as it is.
    onto : Path
        Of the table. Where it has none, it is that of `folder`.

    Raises
    ------
    DataError
        If a folder has no sums, draws of a seed are counted already, or the audits differ in
        families or in the extract that they imitate.
    """
    summed, about = read_sums(folder)
    onto.mkdir(parents=True, exist_ok=True)
    if not (onto / SUMS).is_file():
        draft = onto / f"{SAMPLE}.tmp"
        draft.write_bytes((folder / SAMPLE).read_bytes())
        draft.replace(onto / SAMPLE)
        return write_sums(summed, about, onto)
    before, earlier = read_sums(onto)
    twice = sorted(set(earlier["seeds"]) & set(about["seeds"]))
    if twice:
        raise DataError(
            f"Draws of seed {', '.join(map(str, twice))} are in {onto.name} already: "
            "run tfeval audit with another --seed, or add to another folder."
        )
    for name in ("families", "like"):
        if earlier.get(name) != about.get(name):
            raise DataError(
                f"{onto.name} and {folder.name} differ in {name}: their draws are of other worlds."
            )
    both = {
        **earlier, **about,
        "seeds": sorted([*earlier["seeds"], *about["seeds"]]),
        "commits": sorted({*earlier["commits"], *about["commits"]}),
        "worlds_simulated": earlier["worlds_simulated"] + about["worlds_simulated"],
        "processor_hours": round(earlier["processor_hours"] + about["processor_hours"], 2),
    }  # fmt: skip
    return write_sums(added([before, summed]), both, onto)


def write_known_truth(known_truth: KnownTruth, path: Path) -> None:
    """Write a table for other programs, with how it was made in its first line, whole or not."""
    header = json.dumps(dict(known_truth.about), sort_keys=True)
    body = known_truth.rows.to_csv(index=False, float_format="%.5g", lineterminator="\n")
    draft = path.with_suffix(".tmp")
    draft.write_text(f"# {header}\n{body}", encoding="utf-8")
    draft.replace(path)


def read_known_truth(audit: str | Path = COMMITTED) -> KnownTruth:
    """Read the table of an audit: how often the methods are right where the truth is known.

    Parameters
    ----------
    audit : str or Path, default "committed"
        The project's own table, or the folder of an audit that `tfeval audit` has run.

    Returns
    -------
    KnownTruth

    Raises
    ------
    DataError
        If there is none, or what it follows from is not of an audit.

    Examples
    --------
    >>> "coverage" in read_known_truth().rows
    True
    """
    # A notebook runs in a folder of its own; a folder is named from where the report was started.
    start = Path(os.environ.get("TFEVAL_STARTED_IN", "."))
    summed, about = read_sums(
        project_folder("data") / "audit" if audit == COMMITTED else start / audit
    )
    return KnownTruth(table(summed), about)


def reach(row: Mapping[Any, Any]) -> float:
    """Return half the 95% Monte Carlo interval of a mean error, in % of the comparison mean.

    Not known of fewer than three draws.
    """
    count = row["estimated"]
    if count < FEWEST:
        return float("nan")
    return float(stdtrit(count - 1, 0.975) * row["bias_percent_error"])


def at_least(row: Mapping[Any, Any]) -> float:
    """Return the end of the Monte Carlo interval of a mean error that is nearer to 0.

    0 where the interval holds it, or where the draws are too few for one.
    """
    if is_missing(row["bias_percent"]):
        return float("nan")
    far = abs(row["bias_percent"]) - reach(row)
    return float(np.copysign(far, row["bias_percent"])) if far > 0 else 0.0
