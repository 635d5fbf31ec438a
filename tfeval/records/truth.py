"""What was true of simulated families: both potential outcomes, and the effects they add up to."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from tfeval.errors import ParameterError, TfevalError, suggest
from tfeval.records.simulation.settings import SimulationSettings

_TABLES = ("families", "people_outcomes", "family_outcomes")
#: Ages in whole years at the index date, from and below.
POPULATIONS = {"people": (0, 200), "children": (0, 18), "juveniles": (10, 18), "adults": (18, 200)}


@dataclass(frozen=True)
class Truth:
    """What was true of simulated families; never part of their records.

    Attributes
    ----------
    families : DataFrame
        One row a family: `group` (attached, eligible, below_threshold), `kind`, `index_on` (day
        of attachment, or on which it would have been), `identified_on`, `crisis_on`, `need`,
        `unrecorded` (the confounder), `worked_with`, `claimed_by_data_matching`, `other_help`.
    people_outcomes, family_outcomes : DataFrame
        One row a person (or family) and horizon in months, for horizons that the records reach:
        each outcome counted from `index_on` (included) to the horizon (excluded) in both worlds,
        `y0_*` never attached and `y1_*` attached on `index_on`. `_days` are days of a spell in
        that window; `_at` says whether one is open on the horizon's day; terms count if they lie
        wholly inside. What was observed is y1 of the attached and y0 of the others.
    settings : SimulationSettings
        What was assumed.
    """

    families: pd.DataFrame = field(repr=False)
    people_outcomes: pd.DataFrame = field(repr=False)
    family_outcomes: pd.DataFrame = field(repr=False)
    settings: SimulationSettings

    def effects(self, *, group: str = "attached", by: str | None = None) -> pd.DataFrame:
        """Return the true mean effects; of the attached, they are the ATT.

        Parameters
        ----------
        group : {"attached", "eligible", "below_threshold"}
            Families to average over.
        by : str, optional
            A column of `families` to split by, such as "kind".

        Returns
        -------
        DataFrame
            `outcome`, `population` (families, people, children, juveniles or adults by age at the
            index date), `horizon_months`, `by` if given, `n`, `mean_without`, `mean_with`,
            `effect`. People not yet born at the index date are left out.

        Raises
        ------
        ParameterError
            If there is no such group or column.

        Examples
        --------
        >>> from tfeval.records.simulate import simulate
        >>> found = simulate(families=500, seed=1, effects={}).truth.effects()
        >>> bool((found["effect"] == 0).all())
        True
        """
        if group not in set(self.families["group"]):
            raise ParameterError(f"No group {group}. {suggest(group, set(self.families['group']))}")
        if by is not None and by not in self.families:
            raise ParameterError(f"No column {by}. {suggest(by, map(str, self.families))}")
        chosen = self.families[self.families["group"] == group]
        facts = chosen[["family_id", *([by] if by else [])]]
        people = self.people_outcomes.merge(facts, on="family_id")
        parts = [_means(self.family_outcomes.merge(facts, on="family_id"), "families", by)]
        for name, (youngest, too_old) in POPULATIONS.items():
            age = people["age_at_index"]
            parts.append(_means(people[(age >= youngest) & (age < too_old)], name, by))
        return pd.concat(parts, ignore_index=True)

    def by_family(self, months: int) -> pd.DataFrame:
        """Return each family's true effects: of its own outcomes, and summed over its people.

        Parameters
        ----------
        months : int
            Horizon.

        Returns
        -------
        DataFrame
            Indexed by `family_id`, one column an outcome. Families that the horizon does not
            reach are not in it.

        Examples
        --------
        >>> from tfeval.records.simulate import simulate
        >>> found = simulate(families=200, seed=1, effects={}).truth.by_family(12)
        >>> bool((found == 0).all(axis=None))
        True
        """
        parts = []
        for frame in (self.people_outcomes, self.family_outcomes):
            rows = frame[frame["horizon_months"] == months]
            names = [name[3:] for name in rows.columns if name.startswith("y0_")]
            effects = pd.DataFrame(
                {name: rows[f"y1_{name}"].astype(float) - rows[f"y0_{name}"] for name in names}
            )
            parts.append(effects.groupby(rows["family_id"]).sum())
        return pd.concat(parts, axis=1)


def read_truth(folder: str | Path) -> Truth:
    """Read the truth that `simulate_to` wrote.

    Parameters
    ----------
    folder : path
        The truth's own folder, `<folder>-truth`.

    Raises
    ------
    TfevalError
        If there is none.
    """
    place = Path(folder)
    if not (place / "people_outcomes.parquet").is_file():
        raise TfevalError(
            f"{place.name} holds no truth: give the folder whose name ends in -truth."
        )
    told = json.loads((place / "about.json").read_text(encoding="utf-8"))["settings"]
    return Truth(
        **{name: pd.read_parquet(place / f"{name}.parquet") for name in _TABLES},
        settings=SimulationSettings.from_dict(told),
    )


def _means(rows: pd.DataFrame, population: str, by: str | None) -> pd.DataFrame:
    """Return mean outcomes in both worlds, by horizon, one row an outcome."""
    keys = ["horizon_months", *([by] if by else [])]
    outcomes = [name[3:] for name in rows.columns if name.startswith("y0_")]
    grouped = rows.groupby(keys, observed=True)
    means = grouped[[f"y{world}_{name}" for world in (0, 1) for name in outcomes]].mean()
    size = grouped.size()
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "outcome": name,
                    "population": population,
                    "n": size,
                    "mean_without": means[f"y0_{name}"],
                    "mean_with": means[f"y1_{name}"],
                    "effect": means[f"y1_{name}"] - means[f"y0_{name}"],
                }
            ).reset_index()
            for name in outcomes
        ],
        ignore_index=True,
    )
