"""From replications to how often a method is right, each number with its Monte Carlo error."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tfeval.audit.replication import FURTHER, KEYS, PAGE, PRIMARY
from tfeval.audit.worlds import NONE, PHASE
from tfeval.display.rich import Rich
from tfeval.errors import DataError
from tfeval.impact.balance.tables import BALANCED, NOT_BALANCED
from tfeval.impact.effects.effects import Effects
from tfeval.money.appraise import appraise
from tfeval.money.costs import programme_costs
from tfeval.programme.phases import phase as phase_of
from tfeval.settings import project_folder

#: The committed table, the page's own estimates behind its first replications, and who made it.
TABLE, SAMPLE = "known_truth.csv", "replications.parquet"
COMMITTED = "committed"
LEVEL = 0.05
#: Outcomes made of others: whether any primary one misleads, their mean error relative to the
#: comparison group's mean, and the value that follows from all.
ANY_PRIMARY, PRIMARY_MEAN = "any_primary", "primary_mean"
BENEFIT_COST_RATIO = "benefit_cost_ratio"

#: One row of the table.
BY = tuple(name for name in KEYS if name not in ("seed", "replication"))
#: Shares of replications.
SHARES = ("coverage", "type_one", "power", "sign_error", "headline_wrong")
COUNTS = ("replications", "estimated", "intervals", "balanced", "not_balanced")
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
        treated; `spread` the standard deviation of errors. `coverage` is of nominal 95%
        intervals. `type_one` is how often an effect is found where there is none, `power` where
        there is one, `sign_error` how often one found has the wrong sign. `headline_wrong` is how
        often a page says of a primary outcome that there is an effect (corrected for their number,
        groups not called unlike) with an interval that leaves the truth out. Columns that end in
        `_error` are Monte Carlo standard errors.

    References
    ----------
    Morris, White and Crowther (2019), Using simulation studies to evaluate statistical methods,
    Statistics in Medicine 38(11), table 6.

    Examples
    --------
    >>> from tfeval.audit.replication import COLUMNS as held
    >>> rows = pd.DataFrame({"estimate": [0.0, 2.0], "truth": [0.0, 0.0], "replication": [0, 1],
    ...                      "outcome": "offences", "effects": "none", "verdict": "balanced"})
    >>> rows = rows.reindex(columns=list(held)).fillna({name: "" for name in BY})
    >>> summarise(rows)[["bias", "bias_error"]].iloc[0].tolist()
    [1.0, 1.0]
    """
    made = pd.concat([rows, _primary_mean(rows), _ratios(rows)], ignore_index=True)
    scored = made[[*KEYS, "mean_comparison", "truth", "truth_treated", "why"]].assign(
        **_scores(made)
    )
    scored = pd.concat([scored, _any_primary(scored)], ignore_index=True)
    grouped = scored.groupby(list(BY), sort=False, dropna=False)
    found = pd.DataFrame({"replications": grouped["replication"].nunique()})
    for name, of in (("estimated", "error"), ("intervals", "coverage")):
        found[name] = grouped[of].count()
    for name in ("balanced", "not_balanced", "mean_comparison", "truth", "truth_treated"):
        found[name] = grouped[name].mean()
    for name, of in (("bias", "error"), ("bias_treated", "error_treated")):
        found[name] = grouped[of].mean()
        found[f"{name}_error"] = grouped[of].std() / np.sqrt(grouped[of].count())
    found["spread"] = grouped["error"].std()
    scale = 100 / found["mean_comparison"].where(found["mean_comparison"] > 0)
    found["bias_percent"] = found["bias"] * scale
    found["bias_percent_error"] = found["bias_error"] * scale
    squared = grouped["squared"]
    found["rmse"] = np.sqrt(squared.mean())
    # Of the mean squared error, and by the delta method of its root.
    mse_error: Any = squared.std() / np.sqrt(squared.count())
    found["rmse_error"] = mse_error / (2 * found["rmse"].where(found["rmse"] > 0))
    for name in SHARES:
        share, count = grouped[name].mean(), grouped[name].count()
        found[name] = share
        found[f"{name}_error"] = np.sqrt(share * (1 - share) / count.where(count > 0))
    found["why"] = _reasons(scored)
    found["why"] = found["why"].fillna("")
    return found.reset_index()[list(COLUMNS)]


def _scores(rows: pd.DataFrame) -> dict[str, Any]:
    """Return what each replication says of a method: 1, 0, or missing where it says nothing."""
    truth, estimate = rows["truth"], rows["estimate"]
    interval = rows["conf_low"].notna() & rows["conf_high"].notna() & truth.notna()
    held = (rows["conf_low"] <= truth) & (truth <= rows["conf_high"])
    tested = rows["p_value"].notna() & truth.notna()
    found = rows["p_value"] < LEVEL
    none = rows["effects"] == NONE
    page = rows["outcome"].isin(PRIMARY) & (rows["verdict"].fillna("") != "")
    said = (rows["p_adjusted"] < LEVEL) & (rows["verdict"] != NOT_BALANCED)
    made = rows["verdict"].fillna("") != ""
    return {
        "error": estimate - truth,
        "squared": (estimate - truth) ** 2,
        "error_treated": estimate - rows["truth_treated"],
        "coverage": held.astype(float).where(interval),
        "type_one": found.astype(float).where(tested & none),
        "power": found.astype(float).where(tested & ~none & (truth != 0)),
        "sign_error": (np.sign(estimate) != np.sign(truth)).astype(float).where(
            tested & found & ~none & (truth != 0)
        ),
        "headline_wrong": (said & interval & ~held).astype(float).where(page),
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
    relative = numbers.div(own["mean_comparison"].where(own["mean_comparison"] > 0), axis=0)
    keys = [name for name in KEYS if name != "outcome"]
    parts = pd.concat([own[keys], relative], axis=1).groupby(keys, sort=False, dropna=False)
    # Of all, or none: a mean of those that could be estimated would be of other outcomes.
    sums = parts.sum(min_count=len(PRIMARY)) / len(PRIMARY)
    made = sums.reset_index().assign(outcome=PRIMARY_MEAN, why="", verdict="")
    return made.assign(mean_comparison=np.where(made["estimate"].notna(), 1.0, np.nan))


def _reasons(scored: pd.DataFrame) -> pd.Series:
    """Return the reason most frequent among what could not be estimated."""
    failed = scored[scored["why"].fillna("") != ""]
    counts = failed.groupby([*BY, "why"], dropna=False).size().rename("times").reset_index()
    counts = counts.sort_values(["times", "why"], ascending=[False, True], kind="stable")
    return counts.drop_duplicates(list(BY)).set_index(list(BY))["why"]


@lru_cache(maxsize=1)
def values_of_effects() -> dict[str, float]:
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

    return {name: ratio(one) for name, one in zip(names, np.eye(len(names)), strict=True)}


def _ratios(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the benefit-cost ratio of each page as estimated, and as the truth has it."""
    value = rows["outcome"].map(values_of_effects())
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
        `seed`, `families`, `commits`, `versions`, `processor_hours` of all draws, and how more
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
    found = rows[kept].sort_values([*KEYS], ignore_index=True)
    numbers = found.select_dtypes("float64").columns
    return found.astype(dict.fromkeys(numbers, "float32"))


def write_known_truth(found: KnownTruth, path: Path) -> None:
    """Write a table, with how it was made in its first line, whole or not at all."""
    told = json.dumps(dict(found.about), sort_keys=True)
    body = found.rows.to_csv(index=False, float_format="%.5g", lineterminator="\n")
    draft = path.with_suffix(".tmp")
    draft.write_text(f"# {told}\n{body}", encoding="utf-8")
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
        If there is none, or it lacks its first line or a column.

    Examples
    --------
    >>> "coverage" in read_known_truth().rows
    True
    """
    # A notebook runs in a folder of its own; a folder is named from where the report was started.
    start = Path(os.environ.get("TFEVAL_STARTED_IN", "."))
    place = (project_folder("data") / "audit" if audit == COMMITTED else start / audit) / TABLE
    if not place.is_file():
        raise DataError(f"There is no table {place.name} of an audit: run tfeval audit.")
    with place.open(encoding="utf-8") as stream:
        first = stream.readline()
        try:
            about = json.loads(first.removeprefix("#"))
            rows = pd.read_csv(stream, keep_default_na=False, na_values=[""])
        except ValueError:  # no JSON, or no table after it
            about, rows = None, pd.DataFrame()
    lacking = [name for name in COLUMNS if name not in rows]
    if not isinstance(about, dict) or lacking:
        raise DataError(
            f"{place.name} is no table of an audit: its first line says how it was made, and "
            f"{', '.join(lacking) or 'the rest'} follows. Make it anew with tfeval audit."
        )
    return KnownTruth(rows.fillna({"why": ""}), about)
