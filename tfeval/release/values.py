"""Released numbers as effects and as records, for the code that draws and values them.

What is read here is the released table of cells as text, and nothing else; so whatever is drawn,
pooled or valued from it follows from what has left already.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tfeval.display import release_words as words
from tfeval.display.tables import THRESHOLD
from tfeval.errors import TfevalError
from tfeval.impact.balance.tables import BALANCED, NOT_BALANCED, PARTLY, THRESHOLDS
from tfeval.impact.effects.effects import Effects
from tfeval.impact.inference.rules import ESTIMATED, NO_ERROR
from tfeval.impact.plan.analysis_plan import read_plan
from tfeval.impact.study.censoring import CENSORING
from tfeval.programme import outcomes as registry
from tfeval.programme.outcomes import outcome_label, outcome_words
from tfeval.release.keys import MARKED, REACH, moves
from tfeval.report.chapters.areas import (
    AreasByOutcome,
    areas_record,
    together_record,
)
from tfeval.report.chapters.specifications import KEYS
from tfeval.report.notebook_parts import content_of
from tfeval.report.parameters import Parameter, notebook_parameters, read_notebook, resolve
from tfeval.report.record import make_record
from tfeval.settings import project_folder

IMPACT, COMPARISON = "04_impact", "03_comparison_group"
#: How the numbers of chapter 4's effects begin, and that of the effect on the results tests.
EFFECT, RESULTS_EFFECT = "effect:", "results_effect:"

_YES_OR_NO = "0 or 1"
_NUMBERS = ("value", "unit", "error", "low", "high")


class Numbers:
    """The numbers of a released table.

    Parameters
    ----------
    register : DataFrame
        As `read_register` returns it.
    about : mapping of str to str
        The choices that it rests on.
    """

    def __init__(self, register: pd.DataFrame, about: Mapping[str, str]) -> None:
        shown = register[register["shown"] == "yes"]
        self.frame = shown.assign(
            **{name: pd.to_numeric(shown[name], errors="coerce") for name in _NUMBERS}
        )
        self.hidden = register[register["shown"] != "yes"]
        at = zip(self.frame["number"], self.frame["arm"], self.frame["area"], strict=True)
        self._values = dict(zip(at, self.frame["value"], strict=True))
        self.about = dict(about)
        self.simulated = about.get("simulated") == "yes"
        self.horizon = int(about.get("horizon", 12))

    def of(self, kind: str, level: str = "england") -> pd.DataFrame:
        """Return what is shown of a kind."""
        return self.frame[(self.frame["kind"] == kind) & (self.frame["level"] == level)]

    def value(self, number: str, arm: str, area: str = "England") -> float:
        """Return one number; NaN if it is hidden."""
        return float(self._values.get((number, arm, area), np.nan))

    def mean(self, outcome: str, design: str, arm: str, area: str = "England") -> float:
        """Return a group's mean; of what a family has or has not, the share that has it."""
        number = f"share:with:{outcome}" if is_share(outcome) else f"mean:{outcome}:{design}"
        return self.value(number, arm, area)

    def hidden_outcomes(self) -> list[str]:
        """Return the outcomes of which England's effect is hidden."""
        own = self.hidden["number"].str.startswith(EFFECT) & self.hidden["level"].eq("england")
        rows = self.hidden[own]
        return [str(one) for one in rows["outcome"]]


def is_share(outcome: str) -> bool:
    """Tell whether a family has an outcome or not: of a count the share is another number.

    Examples
    --------
    >>> is_share("turned_around"), is_share("offences")
    (True, False)
    """
    return registry.outcome(outcome).unit == _YES_OR_NO


@lru_cache(maxsize=2)
def effects_of(numbers: Numbers) -> Effects:
    """Return England's released effects, corrected for their number as the plan says.

    Parameters
    ----------
    numbers : Numbers

    Notes
    -----
    How outcomes vary together is not released: they are taken as independent. Intervals of
    relative changes take the comparison mean as known.
    """
    plan = read_plan()
    own = numbers.of("effect")
    own, rows = own[own["number"].str.startswith(EFFECT)], []
    for row in own.to_dict("records"):
        _, outcome, design, *_ = str(row["number"]).split(":")
        mean = {arm: numbers.mean(outcome, design, arm) for arm in ("treated", "comparison")}
        rows.append(effect_row(numbers, row, mean) | {"role": plan.role(outcome)})
    frame = pd.DataFrame(rows)
    if frame.empty:
        raise TfevalError("No effect is shown.")
    settings = {**outcome_words(frame["outcome"]), "who": "families", "title": "Released effects"}
    earlier = [words.MOVED_EARLIER] * (numbers.about.get(words.EARLIER) == "yes")
    made = Effects(frame, _apart(frame["std_error"]), settings=settings,
                   notes=(*moved_words(own), *earlier), simulated=numbers.simulated)  # fmt: skip
    return made.with_corrections(plan.correction["method"], family="role")


def moved_words(effects: pd.DataFrame) -> list[str]:
    """Say which effects rounding may have moved by more than a tenth of their error, and how far.

    Parameters
    ----------
    effects : DataFrame
        Rows of released effects, of England; of those without an error nothing is said.
    """
    far = {outcome_name(str(row["outcome"])): moves(row["unit"], row["error"])
           for row in effects.to_dict("records")}  # fmt: skip
    far = {name: one for name, one in far.items() if np.isfinite(one)}
    more = sorted((name for name in far if far[name] > MARKED), key=lambda name: -far[name])
    if not more:
        return [words.MOVED_LITTLE] * bool(far)
    listed = "; ".join(f"{name} {far[name]:.2f}" for name in more)
    return [words.MOVED.format(effects=listed) + words.MOVED_OTHERS * (len(more) < len(far))]


def outcome_name(name: str) -> str:
    """Return an outcome's or a result's name for readers."""
    if name in words.RESULTS:
        return words.RESULTS[name]
    try:
        return outcome_label(name)
    except TfevalError:
        text = name.replace("_", " ")
        return text[:1].upper() + text[1:]


def effect_row(
    numbers: Numbers, row: Mapping[Any, Any], mean: Mapping[str, float]
) -> dict[str, Any]:
    """Return a released effect as a row of effects.

    Parameters
    ----------
    numbers : Numbers
    row : mapping
        Of the released table.
    mean : mapping of str to float
        Of each group, as released; NaN where it is not.
    """
    from scipy.special import ndtr  # noqa: PLC0415

    _, outcome, design, method, estimand = str(row["number"]).split(":")[:5]
    base = mean["comparison"] if mean["comparison"] > 0 else np.nan
    known = np.isfinite(row["error"])
    return {
        "outcome": outcome, "months": numbers.horizon, "estimand": estimand, "design": design,
        "method": method, "estimate": row["value"], "std_error": row["error"],
        "conf_low": row["low"], "conf_high": row["high"],
        "p_value": 2 * ndtr(-abs(row["value"] / row["error"])) if known else np.nan,
        "relative": row["value"] / base, "relative_low": row["low"] / base,
        "relative_high": row["high"] / base, "mean_treated": mean["treated"],
        "mean_comparison": mean["comparison"], "small_sample": "",
        "n_treated": numbers.value(f"known:{outcome}", "treated"),
        "n_comparison": numbers.value(f"known:{outcome}", "comparison"),
        "status": ESTIMATED if known else NO_ERROR,
    }  # fmt: skip


def _apart(errors: pd.Series) -> np.ndarray:
    return np.diag(np.nan_to_num(errors.to_numpy(dtype=float)) ** 2)


@lru_cache(maxsize=2)
def areas_of(numbers: Numbers) -> AreasByOutcome:
    """Return authorities' released effects, partly pooled anew, by outcome."""
    pooled = AreasByOutcome(simulated=numbers.simulated)
    for outcome, own in numbers.of("effect", "authority").groupby("outcome", sort=False):
        name = str(outcome)
        counts = {arm: [numbers.value(f"known:{name}", arm, area) for area in own["area"]]
                  for arm in ("treated", "comparison")}  # fmt: skip
        frame = pd.DataFrame({
            "outcome": name, "population": own["name"], "months": numbers.horizon,
            "estimate": own["value"], "std_error": own["error"],
            **{f"n_{arm}": counted for arm, counted in counts.items()},
        }).dropna(subset=["estimate", "std_error", "n_treated"])  # fmt: skip
        # Those compared may live elsewhere; that it is shown says that they are ten.
        frame["n_comparison"] = frame["n_comparison"].fillna(float(THRESHOLD))
        effects = Effects(frame.reset_index(drop=True), _apart(frame["std_error"]),
                          settings=outcome_words(frame["outcome"]),
                          simulated=numbers.simulated)  # fmt: skip
        try:
            pooled[name] = effects.pool(name, better=registry.outcome(name).better)
        except TfevalError as fault:
            pooled.failed[name] = str(fault)
    return pooled


def balance_of(numbers: Numbers) -> pd.DataFrame:
    """Return the released differences between the groups: one row a covariate, before and after."""
    rows = numbers.of("balance")
    word = rows["number"].str.split(":").str[1]
    wide = rows.assign(when=word).pivot_table(index="outcome", columns="when", values="value",
                                              sort=False)  # fmt: skip
    return wide.reindex(columns=["before", "after"]).reset_index()


def differences_of(numbers: Numbers) -> pd.Series:
    """Return the differences after the design, in size, that rounding leaves fine enough to judge.

    A number that rounding may have moved by more than the limit of balance says nothing of it.
    """
    rows = numbers.of("balance")
    fine = REACH * rows["unit"] <= THRESHOLDS["smd"]
    return rows.loc[fine & rows["number"].str.startswith("balance:after:"), "value"].abs()


def verdict_of(numbers: Numbers) -> str:
    """Return whether the groups are alike, by the released differences after the design alone."""
    after = differences_of(numbers)
    if after.empty or after.max() > THRESHOLDS["smd_limit"]:
        return NOT_BALANCED
    return BALANCED if after.max() <= THRESHOLDS["smd"] else PARTLY


def chosen(
    name: str, about: Mapping[str, str], place: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return the values of a notebook's parameters: those recorded, else its own defaults."""
    recorded = {key: value for key, value in about.items() if value != "None"}
    set_values = {**recorded, **(place or {})}
    return resolve(notebook_of(name)[1], set_values)


@lru_cache
def notebook_of(name: str) -> tuple[dict[str, Any], tuple[Parameter, ...]]:
    """Return a notebook of the package, and its parameters: read once."""
    notebook = read_notebook(project_folder("notebooks") / f"{name}.ipynb")
    return notebook, notebook_parameters(notebook, name)


def write_records(folder: Path, numbers: Numbers, headline: str = "") -> None:
    """Write what chapters 3 and 4 record, made of released numbers, for the pages that read it.

    Parameters
    ----------
    folder : Path
        Of the records; a folder of each chapter's name is made in it.
    numbers : Numbers
    headline : str
        Of chapter 4, if any effect of it is released.
    """
    verdict, differences = verdict_of(numbers), differences_of(numbers)
    if not differences.empty:
        facts: dict[str, Any] = {"verdict": verdict}
        facts |= {"largest_difference": float(differences.max())}
        estimands = [str(one).split(":")[4] for one in numbers.of("effect")["number"]]
        facts |= {"estimand": estimands[0]} if estimands else {}
        _write(folder, COMPARISON, numbers, facts, {})
    if not headline:
        return
    effects = effects_of(numbers)
    frame, areas = effects.to_frame(), areas_of(numbers)
    given = chosen(IMPACT, numbers.about)
    keys = {name: given[name] for name in KEYS if name in given} | {"censoring": CENSORING[0]}
    facts = {"headline": headline, "simulated": numbers.simulated, "horizon": numbers.horizon,
             "balance": verdict, "windows_balance": verdict, "comparison": given["comparison"],
             "design": given["design"], "estimator": given["estimator"]}  # fmt: skip
    counts = {"sessions_possible": numbers.value("mean:sessions_possible", "both"),
              "families_followed": numbers.value("compared", "treated")}  # fmt: skip
    facts |= {name: value for name, value in counts.items() if np.isfinite(value)}
    if hidden := numbers.hidden_outcomes():
        facts["outcomes_not_shown"] = "; ".join(hidden)
    joint = pd.DataFrame(effects.joint, columns=frame["outcome"])
    tables = {
        "effects": frame, "covariance": joint, "windows": frame, "windows_covariance": joint,
        "specifications": frame.assign(**keys, alike=verdict, why=""),
        "areas": areas_record(areas), "areas_together": together_record(areas),
    }  # fmt: skip
    _write(folder, IMPACT, numbers, facts, tables)


def _write(
    folder: Path, name: str, numbers: Numbers, facts: Mapping[str, Any],
    tables: Mapping[str, pd.DataFrame],
) -> None:  # fmt: skip
    given = chosen(name, numbers.about)
    content = {
        "notebook": name,
        "parameters": {key: value for key, value in given.items() if key != "extract"},
        "records": [make_record(key, value, subject={}).content() for key, value in facts.items()],
        "tables": {key: content_of(key, known) for key, known in tables.items()},
    }  # fmt: skip
    place = folder / name
    place.mkdir(mode=0o700)
    (place / "records.json").write_text(json.dumps(content), encoding="utf-8")
