"""One replication: simulate once, compare as chapters do, set estimates beside the truth."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tfeval.audit.designs import design_of
from tfeval.audit.worlds import ALL_AUTHORITIES, EFFECTS, GAPS, PHASE, SIMULATORS, WORLDS
from tfeval.cohort.cohort import cohort, comparison_groups, count_ahead
from tfeval.errors import ParameterError, TfevalError, public_line, suggest
from tfeval.impact.effects.effects import Effects
from tfeval.impact.effects.estimate import METHODS, estimate
from tfeval.impact.effects.multiple import adjusted
from tfeval.impact.inference.rules import ESTIMATED
from tfeval.impact.propensity.propensity import fits_shared
from tfeval.impact.specification import DESIGNS, Specification
from tfeval.impact.study.study import study
from tfeval.programme.outcomes import outcome
from tfeval.records.private import duckdb_threads
from tfeval.records.relations import kept_rows

if TYPE_CHECKING:
    from tfeval.cohort.analysis_table import Cohort
    from tfeval.impact.design.design import Design
    from tfeval.impact.study.study import Study
    from tfeval.records.simulate import SimulatedRecords, Truth
    from tfeval.records.store import Records

# What a replication is, and its records.


@dataclass(frozen=True)
class Task:
    """One replication of one world: all that decides its numbers, and nothing else.

    Attributes
    ----------
    simulator, world, effects : str
        Keys of `SIMULATORS` and `WORLDS`, and one of the world's effects.
    families : int
        In the records.
    seed : int
        Of the audit.
    replication : int
        From 0.
    """

    simulator: str
    world: str
    effects: str
    families: int
    seed: int
    replication: int

    @property
    def drawn_from(self) -> int:
        """Seed of this replication: the same with and without an effect, in any order of work."""
        words = [self.seed, zlib.crc32(self.world.encode()), self.replication]
        return int(np.random.SeedSequence(words).generate_state(1)[0])


def tasks(
    *,
    worlds: tuple[str, ...] = (),
    effects: tuple[str, ...] = (),
    simulators: tuple[str, ...] = ("rates",),
    replications: int,
    families: int,
    seed: int,
) -> list[Task]:
    """Return the replications of worlds, the first of all worlds before the second of any.

    Parameters
    ----------
    worlds, effects : tuple of str
        By default all that the simulator can make.
    simulators : tuple of str
        Keys of `SIMULATORS`.
    replications, families, seed : int
        As in `Task`.

    Raises
    ------
    ParameterError
        If a name is unknown, a number not positive, or a named world cannot be made.

    Examples
    --------
    >>> made = tasks(worlds=("crisis",), replications=2, families=400, seed=1)
    >>> [(one.effects, one.replication) for one in made]
    [('none', 0), ('known', 0), ('none', 1), ('known', 1)]
    """
    _check(worlds, effects, simulators)
    if replications < 1 or families < 1 or seed < 0:
        raise ParameterError("An audit needs a replication and a family at least, and no seed < 0.")
    made: list[tuple[str, str, str]] = []
    for simulator in simulators:
        for world in worlds or WORLDS:
            if not isinstance(SIMULATORS[simulator].worlds[world], str):
                made += [(simulator, world, one) for one in WORLDS[world].effects
                         if not effects or one in effects]  # fmt: skip
    if not made:
        raise ParameterError("None of these worlds is run with these effects: name others.")
    return [Task(*names, families, seed, number)
            for number in range(replications) for names in made]  # fmt: skip


def _check(worlds: tuple[str, ...], effects: tuple[str, ...], simulators: tuple[str, ...]) -> None:
    named: list[tuple[Iterable[str], Iterable[str]]] = [
        (simulators, SIMULATORS), (worlds, WORLDS), (effects, EFFECTS),
    ]  # fmt: skip
    for given, known in named:
        for name in given:
            if name not in set(known):
                raise ParameterError(f'The audit knows no "{name}". {suggest(name, known)}')
    for world in worlds:
        why = [SIMULATORS[one].worlds[world] for one in simulators]
        if all(isinstance(reason, str) for reason in why):
            raise ParameterError(f'No simulator can make "{world}": {"; ".join(map(str, why))}.')


def settings_of(task: Task, changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return all that a replication's simulator is asked for, and `authorities`.

    Parameters
    ----------
    task : Task
    changes : mapping, optional
        Settings that imitate an extract, over those of the base; `authorities` is how many it has.

    Raises
    ------
    ParameterError
        If the simulator cannot make the world.

    Examples
    --------
    >>> settings_of(Task("rates", "authorities_56", "none", 560, 1, 0))["families"]
    1520
    """
    simulator, world = SIMULATORS[task.simulator], WORLDS[task.world]
    own = simulator.worlds[task.world]
    if isinstance(own, str):
        raise ParameterError(f'Simulator "{task.simulator}" cannot make "{task.world}": {own}.')
    like = dict(changes or {})
    # Gaps of an extract stand where all is together; elsewhere each world has its own or none.
    gaps = {name: like.pop(name) for name in GAPS if name in like}
    own = {**own, **gaps} if task.world == "everything" else own
    merged = {**simulator.base, **like, **own, **simulator.effects[task.effects]}
    few = min(world.authorities, merged.pop("authorities", ALL_AUTHORITIES))
    number = round(task.families * ALL_AUTHORITIES / few)
    return {**merged, "authorities": few, "families": number, "seed": task.drawn_from}


def simulated(task: Task, changes: Mapping[str, Any] | None = None) -> SimulatedRecords:
    """Simulate the records of one replication: about `task.families` families.

    Parameters
    ----------
    task : Task
    changes : mapping, optional
        As in `settings_of`.
    """
    settings = settings_of(task, changes)
    few = settings.pop("authorities")
    with duckdb_threads(1):  # as many workers as cores
        made = SIMULATORS[task.simulator].simulate(**settings)
        return made if few == ALL_AUTHORITIES else _of_authorities(made, few)


def _of_authorities(made: SimulatedRecords, number: int) -> SimulatedRecords:
    """Return what authorities drawn at random would send: their families, and no others'."""
    from tfeval.records.schema import authority_codes  # noqa: PLC0415
    from tfeval.records.store import from_tables  # noqa: PLC0415

    rng = np.random.default_rng([made.seed, number])
    codes = rng.choice(authority_codes(), number, replace=False).tolist()
    records = made.records
    families = records.sent["families"]
    first = families.group_by("family_id").aggregate(first_on=families["identified_on"].min())
    home = families.inner_join(first, "family_id")
    home = home.filter((home["identified_on"] == home["first_on"])
                       & home["local_authority"].isin(codes))  # fmt: skip
    kept = kept_rows(records.connection, home.select("family_id").distinct())
    people = records.sent["people"].semi_join(kept, "family_id").select("person_id")
    people = kept_rows(records.connection, people)

    def own(table: Any) -> Any:
        if "family_id" in table.columns:
            return table.semi_join(kept, "family_id")
        if "person_id" in table.columns:
            return table.semi_join(people, "person_id")
        return table.filter(table["local_authority"].isin(codes))

    tables = {name: own(table).to_pyarrow() for name, table in records.sent.items()}
    ids = set(kept.to_pandas()["family_id"])
    frames = {name: getattr(made.truth, name)
              for name in ("families", "people_outcomes", "family_outcomes")}  # fmt: skip
    truth = replace(made.truth, **{name: frame[frame["family_id"].isin(ids)]
                                   for name, frame in frames.items()})  # fmt: skip
    return replace(
        made, truth=truth,
        records=from_tables(tables, about=records.about, source=records.source),
    )  # fmt: skip


# From records to estimates beside the truth.

HORIZONS = (6, 12)
#: Estimated in every cell: what the analysis plan has as primary.
PRIMARY = ("absence", "offences", "asb_incidents", "out_of_work")
#: And in the page's own cell, since value rests on them.
FURTHER = ("employment", "looked_after", "emergency_admissions", "domestic_abuse")
#: Of the correction for several outcomes, as in the plan.
CORRECTION = "romano_wolf"
UNWEIGHTED, DIFFERENCE = "unweighted", "difference"


@dataclass(frozen=True, order=True)
class Cell:
    """One way to an estimate, for one comparison group."""

    horizon: int
    design: str
    estimator: str

    @property
    def outcomes(self) -> tuple[str, ...]:
        """What is estimated."""
        return (*PRIMARY, *FURTHER) if self == PAGE else PRIMARY


_DEFAULT = Specification()
#: As a page is made by default.
PAGE = Cell(_DEFAULT.horizon, _DEFAULT.design, _DEFAULT.estimator)


def cells(*, full: bool = False) -> tuple[Cell, ...]:
    """Return the cells of an audit.

    Parameters
    ----------
    full : bool, default False
        Every design with every estimator at every horizon. Otherwise one thing is changed at a
        time: each design, each estimator, the shorter horizon, and the raw difference.

    Examples
    --------
    >>> len(cells()) < len(cells(full=True)) == 64
    True
    """
    if full:
        every = ((months, name, how) for months in HORIZONS for name in DESIGNS for how in METHODS)
        return tuple(sorted(Cell(*keys) for keys in every))
    # Boosted trees take as long as all other designs together.
    designs = [name for name in DESIGNS if name != "boosted"]
    chosen = {Cell(PAGE.horizon, name, PAGE.estimator) for name in designs}
    chosen |= {Cell(PAGE.horizon, PAGE.design, how) for how in METHODS}
    chosen |= {Cell(months, PAGE.design, PAGE.estimator) for months in HORIZONS}
    chosen |= {Cell(months, UNWEIGHTED, DIFFERENCE) for months in HORIZONS}
    return tuple(sorted(chosen))


#: What tells a row of a replication; the rest are its numbers.
KEYS = ("simulator", "world", "effects", "families", "seed", "replication", "comparison",
        "horizon", "design", "estimator", "outcome")  # fmt: skip
NUMBERS = ("estimate", "std_error", "conf_low", "conf_high", "p_value", "p_adjusted",
           "mean_comparison", "truth", "truth_treated", "n_treated", "n_comparison")  # fmt: skip
COLUMNS = (*KEYS, *NUMBERS, "verdict", "why")


def replicate(
    task: Task,
    comparisons: Iterable[str] | None = None,
    wanted: Iterable[Cell] | None = None,
    changes: Mapping[str, Any] | None = None,
) -> pd.DataFrame:
    """Run one replication.

    Parameters
    ----------
    task : Task
        What is simulated.
    comparisons : iterable of str, optional
        Comparison groups; by default all.
    wanted : iterable of Cell, optional
        By default `cells()`.
    changes : mapping, optional
        Settings of the simulator that imitate an extract.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`, one row a group, cell and outcome. `truth` is the mean true effect on
        the treated families compared, weighted as the design weights them, of whom the outcome is
        known; `truth_treated` that on all treated families of the cohort. A cell that cannot be
        estimated has its rows too, with `why`: a status of `estimate`, or what was said; a fault
        that nobody foresaw, and that comes twice, is named by its type: a page would have failed
        there too.

    Examples
    --------
    >>> task = Task("rates", "nothing_wrong", "none", families=600, seed=1, replication=0)
    >>> rows = replicate(task, ["not_yet_treated"], [PAGE])
    >>> set(rows["truth"].dropna())
    {0.0}
    """
    made, chosen = simulated(task, changes), tuple(comparisons or comparison_groups())
    if len(chosen) > 1:
        with suppress(Exception):  # what is wrong each group says for itself
            count_ahead(
                made.records, phase=PHASE, treatment=WORLDS[task.world].treatment, horizons=HORIZONS
            )
    known = {months: true_effects(made.truth, months) for months in HORIZONS}
    wanted = sorted(wanted or cells())
    rows: list[dict[str, Any]] = []
    for comparison in chosen:
        group_rows = _of_comparison(made.records, task, comparison, wanted, known)
        # As of a disk that was full for a moment.
        if any(row.get("unforeseen") for row in group_rows):
            group_rows = _of_comparison(made.records, task, comparison, wanted, known)
        rows += [{**vars(task), "comparison": comparison, **row} for row in group_rows]
    return pd.DataFrame(rows).reindex(columns=list(COLUMNS))


def _of_comparison(
    records: Records, task: Task, comparison: str, wanted: list[Cell],
    known: Mapping[int, pd.DataFrame],
) -> list[dict[str, Any]]:  # fmt: skip
    try:
        families = cohort(
            records, phase=PHASE, horizon=HORIZONS, comparison=comparison,
            treatment=WORLDS[task.world].treatment,
        )  # fmt: skip
        return _of_cohort(families, wanted, known)
    except Exception as fault:
        return [row for cell in wanted for row in _failed(cell, fault)]


def true_effects(truth: Truth, months: int) -> pd.DataFrame:
    """Return each family's true effect on the outcomes audited, indexed by `family_id`.

    Parameters
    ----------
    truth : Truth
    months : int
        Horizon.

    Returns
    -------
    DataFrame
        One column an outcome, by its name in the registry. Absence is a share of the sessions
        possible in each world, missing where there are none.
    """
    counted = truth.by_family(months)
    effects = {name: counted[outcome(name).truth]
             for name in (*PRIMARY, *FURTHER) if outcome(name).truth}  # fmt: skip
    people = truth.people_outcomes
    people = people[people["horizon_months"] == months]
    sums = people.groupby("family_id")[
        [f"y{world}_sessions_{kind}" for world in (0, 1)
         for kind in ("possible", "authorised", "unauthorised")]
    ].sum().astype(float)  # fmt: skip
    shares = [
        (sums[f"y{world}_sessions_authorised"] + sums[f"y{world}_sessions_unauthorised"])
        / sums[f"y{world}_sessions_possible"].where(lambda possible: possible > 0)
        for world in (0, 1)
    ]
    return pd.DataFrame({**effects, "absence": shares[1] - shares[0]})


def _of_cohort(
    families: Cohort, wanted: list[Cell], known: Mapping[int, pd.DataFrame]
) -> list[dict[str, Any]]:
    """Return the rows of a comparison group: each study and each design once."""
    rows: list[dict[str, Any]] = []
    for months in sorted({cell.horizon for cell in wanted}):
        here = [cell for cell in wanted if cell.horizon == months]
        try:
            compared = study(families, months=months)
            outcomes = families.outcomes(months)
        except Exception as fault:
            rows += [row for cell in here for row in _failed(cell, fault)]
            continue
        frame = families.to_pandas()
        everybody = known[months].reindex(frame.loc[frame["treated"] == 1, "family_id"]).mean()
        own = known[months].reindex(frame.loc[compared.index, "family_id"])
        own.index = compared.index
        with fits_shared():
            for name in dict.fromkeys(cell.design for cell in here):
                mine = [cell for cell in here if cell.design == name]
                for row in _of_design(compared, name, mine, outcomes, own):
                    row["truth_treated"] = everybody.get(row["outcome"], np.nan)
                    rows.append(row)
    return rows


def _of_design(
    compared: Study, name: str, here: list[Cell], outcomes: pd.DataFrame, known: pd.DataFrame
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    try:
        design, verdict = design_of(compared, name)
    except Exception as fault:
        return [row for cell in here for row in _failed(cell, fault)]
    for cell in here:
        observed = outcomes[[one for one in cell.outcomes if one in outcomes]].loc[compared.index]
        try:
            effects = estimate(design, observed, months=cell.horizon, method=cell.estimator)
        except Exception as fault:
            rows += _failed(cell, fault)
            continue
        for row in _estimated(cell, effects):
            values = observed.get(row["outcome"])
            true = np.nan if values is None else _truth(design, values, known[row["outcome"]])
            rows.append({**row, "verdict": verdict, "truth": true})
    return rows


def _estimated(cell: Cell, effects: Effects) -> list[dict[str, Any]]:
    read = ["outcome", "status", *(key for key in NUMBERS if key in effects.frame)]
    by_name = {row["outcome"]: row for row in effects.frame[read].to_dict("records")}
    corrected = _corrected(effects)
    rows = []
    for name in cell.outcomes:
        if name not in by_name:
            rows.append({**_keys_of(cell, name), "why": "not_recorded"})
            continue
        row, status = by_name[name], str(by_name[name]["status"])
        rows.append({
            **_keys_of(cell, name), **{key: row[key] for key in NUMBERS if key in row},
            "p_adjusted": corrected.get(name, np.nan), "why": "" if status == ESTIMATED else status,
        })  # fmt: skip
    return rows


def _corrected(effects: Effects) -> dict[str, float]:
    """Return the primary outcomes' p-values as `with_corrections` adjusts them, and no table."""
    names = effects.frame["outcome"]
    rows = np.flatnonzero(names.isin(PRIMARY))
    p = effects.frame["p_value"].to_numpy(dtype=float)[rows]
    inside = effects.correlation()[np.ix_(rows, rows)]
    p_adjusted = adjusted(CORRECTION, p, inside, np.random.default_rng(1))
    return dict(zip(names.iloc[rows], p_adjusted, strict=True))


def _truth(design: Design, values: pd.Series, known: pd.Series) -> float:
    """Return the mean true effect on the treated who are compared, as the design weights them."""
    inside = design.study.treated & (design.weights > 0) & values.notna().to_numpy()
    inside &= known.notna().to_numpy()
    weights = design.target[inside]
    return float(np.average(known.to_numpy()[inside], weights=weights)) if weights.sum() else np.nan


def _failed(cell: Cell, fault: Exception) -> list[dict[str, Any]]:
    reason = {"why": public_line(fault), "unforeseen": not isinstance(fault, TfevalError)}
    return [{**_keys_of(cell, name), **reason} for name in cell.outcomes]


def _keys_of(cell: Cell, name: str) -> dict[str, Any]:
    return {**vars(cell), "outcome": name, "verdict": ""}
