"""Where what was estimated came from: study, design and outcomes beside the cohort's own rows."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from tfeval.cohort.analysis_table import Origin, cohort_hash, column_hash
from tfeval.display.names import plain
from tfeval.display.plan_words import listed
from tfeval.display.tables import THRESHOLD
from tfeval.errors import TfevalError
from tfeval.impact.design.design import Design
from tfeval.impact.effects.effects import Effects
from tfeval.impact.matching.match import match
from tfeval.impact.matching.settings import METHODS
from tfeval.impact.means.outcomes import Outcomes
from tfeval.impact.study.checks import own_covariates
from tfeval.impact.study.covariates import Column
from tfeval.impact.study.study import Study, study

NOT_TRACED = (
    "cohort: not traced to one; make the study from a cohort, keep that, and give estimate the plan"
)
#: Of a row of effects, what no later step changes.
_SEALED = ("outcome", "months", "population", "estimate", "std_error", "conf_low", "conf_high",
           "p_value")  # fmt: skip
#: The arrays of a design that its settings decide.
_DECIDED = ("weights", "target", "fate", "sets", "pairs", "pair_shares", "score", "distance",
            "folds")  # fmt: skip


@dataclass(frozen=True, eq=False)
class Trace:
    """What the cohort says of a table of effects, when it was estimated."""

    plan: str  # hash of the plan it was held to
    #: The cohort's own settings; empty where none was found.
    cohort: Mapping[str, Any] = field(default_factory=dict)
    hash: str = ""  # of the cohort
    departures: tuple[str, ...] = ()  # of all effects
    #: Departures of single effects, by outcome and months.
    outcomes: Mapping[tuple[str, int], tuple[str, ...]] = field(default_factory=dict)
    #: Used, measured before and not used, and added.
    covariates: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]] = ((), (), ())
    #: Outcomes known of enough units of both arms to be shown.
    possible: frozenset[tuple[str, int]] = frozenset()
    months: frozenset[int] = frozenset()  # horizons of the cohort
    rows: frozenset[str] = frozenset()  # hashes of the effects' rows
    #: Hash of the plan under which the cohort's outcomes were first opened; empty for none.
    opened: str = ""


def traced(
    plan: str, effects: Effects, design: Design, outcomes: Outcomes, *, fewest: int
) -> Trace:
    """Compare what effects were estimated from with the cohort that its study names.

    Parameters
    ----------
    plan : str
        Hash of the plan.
    design : Design
        As `estimate` was given it.
    outcomes : Outcomes
        In the order of its study.
    fewest : int
        As `study` takes it: when the plan leaves a covariate out.
    """
    origin, rows = design.study.origin, frozenset(row_hashes(effects.frame))
    if origin is None:
        return Trace(plan, departures=(NOT_TRACED,), rows=rows)
    whole = origin._read()
    beside = _Beside(design.study, origin, whole, fewest)
    # What is wrong already makes all that follows from it wrong too, and is said alone.
    departures = [*beside.rows(), *beside.roles()] or [*beside.values()] or [*beside.design(design)]
    settings = origin.settings
    return Trace(
        plan=plan,
        cohort={"phase": settings.phase, "comparison": settings.comparison, "level": settings.level,
                "seed": settings.seed, "treatment": settings.treatment},
        hash=cohort_hash(settings, {str(name): column_hash(whole[name]) for name in whole}),
        departures=tuple(departures),
        outcomes={key: tuple(why) for key, why in beside.outcomes(outcomes)},
        covariates=beside.covariates(),
        possible=frozenset(beside.possible(design)),
        months=frozenset(settings.horizons),
        rows=rows,
        opened=next(iter(origin.opened), ""),
    )  # fmt: skip


def row_hashes(frame: pd.DataFrame) -> list[str]:
    """Return a hash of each row of a table of effects, without what a correction changes."""
    rows = frame.reindex(columns=list(_SEALED)).astype(object)
    rows = rows.where(rows.notna(), None)
    return [hashlib.sha256(repr(tuple(row)).encode()).hexdigest()
            for row in rows.itertuples(index=False)]  # fmt: skip


class _Beside:
    """A study beside the cohort it names: places of its units there, and what differs."""

    def __init__(self, given: Study, origin: Origin, whole: pd.DataFrame, fewest: int) -> None:
        self.fewest = fewest
        self.study, self.origin, self.whole = given, origin, whole
        self.places = _places(given, whole["unit"])
        self.known = self.places >= 0
        self.treated = whole["treated"].to_numpy() == 1
        self.before = _before(origin.columns)
        self.sources = list(dict.fromkeys(one.source for one in given.covariates.columns))

    def rows(self) -> Iterator[str]:
        """Yield what is wrong about who is in the study."""
        twice = pd.Series(self.places).duplicated().to_numpy() & self.known
        strange = ~self.known | twice
        if strange.any():
            arms = _by_arm(strange, self.study.treated)
            yield f"units: in the study twice, or not in the cohort ({arms})"
        own = self.study.treated[self.known] != self.treated[self.places[self.known]]
        if own.any():
            arms = _by_arm(own, self.study.treated[self.known])
            yield f"units: in the other arm than the cohort has them in ({arms})"

    def roles(self) -> Iterator[str]:
        """Yield what is wrong about weights, clusters, strata and families."""
        if self.study.weight is not None and np.ptp(self.study.weight) > 0:
            none = self.study.weight == 0
            less = f"; 0 for {_by_arm(none, self.study.treated)}" if none.any() else ""
            yield f"sampling weights: given, where none was planned{less}"
        if self.study.family is None:
            yield "families: not named in the study"
        if self.study.unit is None:
            yield "units: not named in the study"
        lacking = [name for name in (*self.study.clusters, *self.study.strata_names)
                   if name not in self.whole]  # fmt: skip
        if lacking:
            yield f"columns: not the cohort's, {', '.join(lacking)}"

    def values(self) -> Iterator[str]:
        """Yield what differs from the same study made from the cohort's rows."""
        out = set(self.study.left_out) & set(self.before)
        names = [name for name in self.sources if name in self.before]
        rows = self.whole.iloc[self.places[self.known]]
        by_rule = set(own_covariates(self.origin.columns, self.origin.settings.comparison, rows)[1])
        again = self._again([*names, *(out - by_rule)])
        if again is None:
            yield "covariates: the study cannot be made again from the cohort"
            return
        rare = set(again.left_out)
        if wrongly := sorted(out - rare - by_rule):
            yield f"covariates: left out where the plan keeps them, {_names(wrongly)}"
        if kept := sorted(rare & set(names)):
            yield f"covariates: kept where the plan leaves them out, {_names(kept)}"
        ours, theirs = (Counter(_which(one) for one in study.covariates.columns)
                        for study in (self.study, again))  # fmt: skip
        columns = {_which(one): one for one in again.covariates.columns}
        changed = {source for source, _, _ in (ours - theirs) + (theirs - ours)}
        changed |= {one.source for one in self.study.covariates.columns
                    if not _same_column(one, columns.get(_which(one)))}  # fmt: skip
        changed &= set(names) - set(kept)
        if changed:
            yield f"covariates: values that are not the cohort's, {_names(sorted(changed))}"
        for what, one, other in (
            ("families", self.study.family, again.family),
            ("strata", self.study.strata, again.strata),
            *((name, codes, again.clusters[name]) for name, codes in self.study.clusters.items()),
        ):
            if not _same(one, other):
                yield f"{plain(what)}: not as the cohort has them"

    def design(self, made: Design) -> Iterator[str]:
        """Yield what differs from the same design made again, where `match` makes it by itself."""
        options = {name: value for name, value in made.settings.items() if name != "model"}
        method, model = options.get("method"), made.settings.get("model", "logit")
        if method not in METHODS or model != "logit" or options.get("distance") == "given":
            return
        again = None if self._last is None else self._last.named(self.study.labels)
        try:
            own = None if again is None else match(again, **options)
        except TfevalError:
            own = None
        if own is None:
            yield "design: cannot be made again from the cohort"
            return
        modelled = made.weight_models or made.units is not None
        if made.method != own.method or made.estimand != own.estimand or modelled:
            yield "design: another than its settings say"
        if differ := [name for name in _DECIDED
                      if not _same(getattr(made, name), getattr(own, name))]:  # fmt: skip
            moved = np.ones(self.study.size, dtype=bool)
            if made.weights.shape == own.weights.shape:
                moved = ~np.isclose(made.weights, own.weights, rtol=1e-9, atol=0)
            arms = _by_arm(moved, self.study.treated)
            yield (
                f"design: not what its settings make of the cohort, {_names(differ)} (weights "
                f"of {arms})"
            )

    def outcomes(self, given: Outcomes) -> Iterator[tuple[tuple[str, int], list[str]]]:
        """Yield the departures of each outcome, by its name and months."""
        for place, (name, months) in enumerate(zip(given.names, given.months, strict=True)):
            if months is None:
                continue  # which is said already: the horizon is not known
            key = (name, int(months))
            values = given.values[:, place]  # noqa: PD011
            yield key, [*self._followed(key[1]), *self._outcome(key, values)]

    def _outcome(self, key: tuple[str, int], values: np.ndarray) -> Iterator[str]:
        column = self._columns().get(key)
        if column is None:
            yield f"outcome: the cohort has none of this name at {key[1]} months"
            return
        rows = self.places[self.known]
        treated = self.treated[rows]
        own, given = self._floats(column)[rows], values[self.known]
        lost, new = np.isnan(given) & ~np.isnan(own), ~np.isnan(given) & np.isnan(own)
        edited = ~(lost | new | np.isnan(own)) & (given != own)
        for what, differ in (
            ("missing where the cohort has them", lost),
            ("known where the cohort lacks them", new),
            ("other values than the cohort's", edited),
        ):
            if differ.any():
                yield f"outcome: {what}, {_by_arm(differ, treated)}"
        if edited.any() and (other := self._named_otherwise(rows, given)):
            name, months = other
            yield f"outcome: these are the cohort's {plain(name)} at {months} months"

    def _named_otherwise(self, rows: np.ndarray, given: np.ndarray) -> tuple[str, int] | None:
        columns = self._columns().items()
        return next((key for key, name in columns if _same(self._floats(name)[rows], given)), None)

    def _followed(self, months: int) -> Iterator[str]:
        """Yield who is in the study and was not followed, or the other way round."""
        names = [name for (_, own), name in self._columns().items() if own == months]
        present = np.zeros(len(self.whole), dtype=bool)
        present[self.places[self.known]] = True
        if not names or present.all():
            return
        followed = self.whole[names].notna().any(axis=1).to_numpy()
        if (less := followed & ~present).any():
            yield (
                "units of the cohort were left out before the design: "
                f"{_by_arm(less, self.treated)} of those followed over {months} months"
            )
        if (more := present & ~followed).any():
            yield (
                f"units: some, not all, of those not followed over {months} months are in the "
                f"study ({_by_arm(more, self.treated)})"
            )

    def covariates(self) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
        """Return the covariates used or left out by a rule, those not used, and those added."""
        before = set(self.before)
        # Marks and levels of a covariate that are left out are not covariates.
        out = {name for name in self.study.left_out
               if name in before or name.partition(": ")[0] not in before}  # fmt: skip
        used = {*self.sources, *out}
        return tuple(sorted(used)), tuple(sorted(before - used)), tuple(sorted(used - before))

    def possible(self, made: Design) -> Iterator[tuple[str, int]]:
        """Yield the outcomes that are known of enough units with weight in both arms."""
        inside = self.known & (made.weights > 0)
        rows = self.places[inside]
        for key, name in self._columns().items():
            known = ~np.isnan(self._floats(name)[rows])
            arms = (known & self.treated[rows], known & ~self.treated[rows])
            if min(np.count_nonzero(arm) for arm in arms) >= THRESHOLD:
                yield key

    _last: Study | None = None

    def _again(self, names: list[str]) -> Study | None:
        """Return the study of the same units, made from the cohort; None where it cannot be."""
        frame = self.whole.iloc[self.places].set_axis(self.study.index)
        frame.attrs["timing"] = dict(
            zip(self.origin.columns["name"], self.origin.columns["timing"], strict=True)
        )
        try:
            self._last = study(
                frame, covariates=names, cluster=list(self.study.clusters) or None,
                strata=self.study.strata_names or None, unit="unit", family="family_id",
                fewest=self.fewest,
            )  # fmt: skip
        except TfevalError:
            return None
        return self._last

    def _columns(self) -> dict[tuple[str, int], str]:
        rows = self.origin.columns
        rows = rows[rows["timing"] == "after"]
        keys = zip(rows["outcome"], rows["months"].astype(int), strict=True)
        return dict(zip(keys, rows["name"], strict=True))

    def _floats(self, name: str) -> np.ndarray:
        return self.whole[name].to_numpy(dtype=float, na_value=np.nan)


def _before(columns: pd.DataFrame) -> list[str]:
    return list(columns.loc[columns["timing"] == "before", "name"])


def _places(given: Study, units: pd.Series) -> np.ndarray:
    """Return where each unit of a study stands in the cohort, -1 for nowhere."""
    if given.unit is not None:
        return pd.Index(units).get_indexer(pd.Index(given.unit))
    # Without identifiers, its labels are the rows' numbers, as a cohort's frame has them.
    return pd.RangeIndex(len(units)).get_indexer(given.index)


def _which(column: Column) -> tuple[str, int | None, bool]:
    return column.source, column.level, column.absent


def _same_column(one: Column, other: Column | None) -> bool:
    return other is not None and _same(one.raw, other.raw) and _same(one.fill, other.fill)


def _same(one: Any, other: Any) -> bool:
    """Return whether two arrays hold the same, to what the order of a sum may change."""
    if one is None or other is None:
        return one is None and other is None
    one, other = np.asarray(one), np.asarray(other)
    if one.shape != other.shape:
        return False
    if "f" not in (one.dtype.kind, other.dtype.kind):
        return bool(np.array_equal(one, other))
    return bool(np.allclose(one, other, rtol=1e-9, atol=1e-12, equal_nan=True))


def _by_arm(rows: np.ndarray, treated: np.ndarray) -> str:
    arms = (("treated", rows & treated), ("comparison", rows & ~treated))
    return ", ".join(f"{_some(int(np.count_nonzero(own)))} {who}" for who, own in arms)


def _some(count: int) -> str:
    # No finer than tens: what is left of an arm may be few as well.
    if not count:
        return "no"
    return f"at least {count // 10 * 10:,}" if count >= THRESHOLD else "fewer than ten"


def _names(names: Iterable[str]) -> str:
    return listed([plain(name) for name in names])
