"""One planned analysis, and in what another departs from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from itertools import permutations
from typing import Any, Protocol

import pandas as pd

from tfeval.display.names import (
    NOT_KNOWN,
    OPENINGS,
    cluster_key,
    errors_words,
    method_words,
    plain,
)
from tfeval.display.plan_words import listed, plan_notes, shown
from tfeval.errors import ParameterError, suggest
from tfeval.impact.effects.effects import Effects
from tfeval.impact.means.methods import METHODS
from tfeval.impact.plan.register import Registration
from tfeval.impact.plan.rules import ALL_BEFORE, FAMILIES, match_settings
from tfeval.impact.plan.trace import NOT_TRACED, Trace, row_hashes

#: The plan's own analysis, beside those that it names.
MAIN = "main"
#: What a plan fixes outside the design, and its name in words. A method and its model, errors and
#: their clusters, are told together.
_SAID = {
    ("phase",): ("phase",),
    ("comparison",): ("comparison group",),
    ("treatment",): ("treatment",),
    ("rows",): ("rows of the cohort",),
    ("cohort_seed",): ("seed of the cohort",),
    ("population",): ("population",),
    ("method", "outcome_model"): ("estimator", "outcome model"),
    ("errors", "cluster"): ("errors", "clusters"),
    ("level",): ("level of the intervals",),
    ("correction",): ("correction",),
    ("correction_drawn",): ("draws of the correction",),
    ("errors_drawn",): ("draws of the errors",),
    ("fixed_covariates",): ("covariates counted as fixed",),
}


@dataclass(frozen=True, eq=False)
class Analysis:
    """A planned analysis: the main one of a plan, or a sensitivity analysis."""

    cohort: Mapping[str, Any]  # of the plan: `phase`, `comparison`, `treatment`, `level` and `seed`
    covariates: str | tuple[str, ...]  # `ALL_BEFORE`, or columns
    design: Mapping[str, Any]  # every setting of `match`, with `within`, `model` and `folds`
    estimate: Mapping[str, Any]  # `method`, `outcome_model`, `errors`, `cluster`, `level`
    #: correction, family: for many outcomes: the method, and which of `FAMILIES` are corrected
    #: together.
    correction: str
    family: str

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Analysis:
        """Return the analysis of a plan's checked content; settings left out are `match`'s own."""
        from tfeval.impact.matching.settings import settings  # noqa: PLC0415

        design = content["design"]
        options = match_settings(design)
        values = settings(options.pop("method"), options).as_dict()
        used = content["covariates"]["use"]
        return cls(
            cohort=content["cohort"],
            covariates=used if isinstance(used, str) else tuple(used),
            design={**values, "within": tuple(design["within"]), "model": design["model"],
                    "folds": design["folds"]},
            estimate=content["estimate"],
            correction=content["correction"]["method"],
            family=content["correction"]["family"],
        )  # fmt: skip

    def departures(self, done: Mapping[str, Any], *, whole: bool = False) -> list[str]:
        """Return what differs, in words.

        Parameters
        ----------
        done : mapping
            What was done, by the names of `AnalysisPlan.covers`; what is absent is not looked at.
        whole : bool
            Whether `done` holds the whole design: a setting it lacks is then a departure.

        Raises
        ------
        ParameterError
            If a plan says nothing about a name.
        """
        planned = self._planned()
        for name in done:
            _refuse_unknown(name, (*planned, "design", "covariates", "family"))
        given = dict(done)
        if "cluster" in given:
            columns = given["cluster"]
            given["cluster"] = columns if isinstance(columns, str) else cluster_key(columns)
        usual = {name: values[0] for name, values in planned.items()}
        reasons = []
        for names, said in _SAID.items():
            differing = [name for name in names
                         if name in given and not _same(given[name], planned[name])]  # fmt: skip
            if differing:
                what = names[0] if names[0] in given else differing[0]
                reasons.append(
                    f"{said[names.index(what)]}: {_choice(what, given)}, where "
                    f"{_choice(what, usual)} was planned"
                )
        if "covariates" in done:
            reasons += self._of_covariates(done["covariates"])
        if "family" in done:
            reasons += self._of_family(done["family"])
        return reasons + self._of_design(done.get("design", {}), whole)

    def _planned(self) -> dict[str, tuple[Any, ...]]:
        """Return what fits the plan, by name; the first is how a table of effects has it."""
        estimate, cohort = self.estimate, self.cohort
        model, clusters = estimate["outcome_model"], tuple(estimate["cluster"])
        return {
            "phase": (cohort["phase"],),
            "comparison": (cohort["comparison"],),
            "treatment": (cohort["treatment"],),
            "rows": (cohort["level"],),
            "cohort_seed": (cohort["seed"],),
            "population": ("all",),
            "method": (estimate["method"],),
            # The plain difference has no model of the outcome, whatever the plan says of it.
            "outcome_model": (model,) if METHODS[estimate["method"]].adjusts else ("", model),
            "errors": (estimate["errors"],),
            "cluster": tuple(map(cluster_key, permutations(clusters))),
            "level": (estimate["level"],),
            "correction": (self.correction,),
            "correction_drawn": (_drawn(None, 1),),
            "errors_drawn": (_drawn(999, 1),),
            "fixed_covariates": (False,),
        }

    def _of_family(self, done: str | Mapping[str, list[str]]) -> list[str]:
        if isinstance(done, str):
            return [] if done == self.family else [
                f"family of the correction: {plain(done)}, where {plain(self.family)} was planned"
            ]  # fmt: skip
        lacking = done[self.family]
        return [f"correction: without {listed(lacking)}, planned in one family"] if lacking else []

    def _of_covariates(self, used: Any) -> list[str]:
        planned = self.covariates
        if isinstance(used, Covered):
            return used.departures(planned)
        names = used if isinstance(used, str) else tuple(used)
        same = names == planned or (
            not isinstance(planned, str) and not isinstance(names, str)
            and set(names) == set(planned)
        )  # fmt: skip
        return [] if same else [f"covariates: {shown(names)}, where {shown(planned)} was planned"]

    def _of_design(self, done: Mapping[str, Any], whole: bool) -> list[str]:
        planned = self.design
        if done.get("method", planned["method"]) != planned["method"]:
            return [f"design: {done['method']}, where {planned['method']} was planned"]
        reasons = []
        for name in planned if whole else done:
            _refuse_unknown(name, design_names())
            if name not in planned:
                reasons.append(f"{name}: {shown(done[name])}, which {planned['method']} has not")
            elif self._counts(name) and not _fits(name, done.get(name, NOT_KNOWN), planned[name]):
                given, wanted = shown(done.get(name, NOT_KNOWN)), shown(planned[name])
                reasons.append(f"{name.replace('_', ' ')}: {given}, where {wanted} was planned")
        return reasons

    def _counts(self, name: str) -> bool:
        """Return whether a setting changes anything in the planned design."""
        if name == "seed":
            return self.design.get("order") == "random"
        if name == "ties":
            return bool(self.design.get("replace"))
        return name not in ("model", "folds") or self.design["method"] != "coarsened_exact"


@dataclass(frozen=True)
class Covered:
    """Covariates of a study as a table of effects tells them."""

    used: tuple[str, ...]
    #: Measured before the index date and not used; None where timing is not known.
    not_used: tuple[str, ...] | None
    added: tuple[str, ...]  # not among the cohort's

    def departures(self, planned: str | tuple[str, ...]) -> list[str]:
        """Return what differs from the covariates planned."""
        if planned != ALL_BEFORE:
            not_used = tuple(sorted(set(planned) - set(self.used)))
            added = tuple(sorted(set(self.used) - set(planned)))
        elif self.not_used is None:
            return [f"covariates: {plain(NOT_KNOWN)} whether these are {ALL_BEFORE}"]
        else:
            not_used, added = self.not_used, self.added
        reasons = [f"covariates: planned and not used, {shown(not_used)}"] if not_used else []
        return [*reasons, f"covariates: not planned, {shown(added)}"] if added else reasons


def design_names() -> tuple[str, ...]:
    """Return everything a plan can fix about a design."""
    from tfeval.impact.matching.settings import Settings  # noqa: PLC0415

    return (*(item.name for item in fields(Settings)), "within", "model", "folds")


def _fits(name: str, value: Any, planned: Any) -> bool:
    if name in ("within", "on") and value != NOT_KNOWN:
        names = (value,) if isinstance(value, str) else value
        return set(names) == set(planned)
    return _same(value, (planned,))


def _refuse_unknown(name: str, known: Iterable[str]) -> None:
    if name not in known:
        raise ParameterError(f"The plan says nothing about {name}. {suggest(name, known)}")


def _same(value: Any, planned: tuple[Any, ...]) -> bool:
    if isinstance(value, list):
        value = tuple(value)
    # True is 1 to Python, and not to a reader.
    return any(value == one and isinstance(value, bool) == isinstance(one, bool) for one in planned)


def _choice(name: str, values: Mapping[str, Any]) -> str:
    """Return a choice in words: a method with its outcome model, errors with their clusters."""
    if name == "method":
        return method_words(values["method"], values.get("outcome_model", ""))
    if name == "errors":
        return errors_words(values["errors"], values.get("cluster", ""))
    return shown(values[name])


# Which effects of a table were planned, and how the others depart from the plan.

#: What a plan fixes of a single effect.
_ROW = ("population", "method", "outcome_model", "errors", "cluster")


class Plan(Protocol):
    """What is needed of an `AnalysisPlan`, whose file imports this one."""

    @property
    def primary(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def secondary(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def horizons(self) -> tuple[int, ...]: ...  # noqa: D102
    @property
    def main(self) -> Analysis: ...  # noqa: D102
    @property
    def hash(self) -> str: ...  # noqa: D102
    @property
    def registration(self) -> Registration: ...  # noqa: D102
    def role(self, outcome: str) -> str: ...  # noqa: D102
    def as_dict(self) -> dict[str, str]: ...  # noqa: D102
    def compare(  # noqa: D102
        self, outcome: str | None, months: Any, done: Mapping[str, Any], *, whole: bool = False
    ) -> tuple[str, list[str]]: ...


def marked(
    plan: Plan, effects: Effects, held_to: object, changed: Iterable[str] = ()
) -> tuple[Effects, dict[str, Any]]:
    """Return effects with `planned` and `role` filled in and notes, and what is to be said of them.

    Parameters
    ----------
    plan : Plan
        As its content says.
    effects : Effects
        With a `Trace` in the settings of it or of its parts; without, it is traced to no cohort.
    held_to : object
        Marks the effects again, such as after a correction.
    changed : iterable of str
        Departures of the plan itself.

    Returns
    -------
    marked : Effects
    said : dict
        `planned`: labels of effects as in the main analysis; `sensitivity`: by name, labels;
        `exploratory`: labels; `reasons`: list of {`why`, `what`}, an effect once for each reason;
        `absent`: planned primary outcomes that are not here, at the horizons that are;
        `standing`: what the register says of the plan; `table`: names the table.
    """
    registration, parts, hashes = plan.registration, _parts(effects), row_hashes(effects.frame)
    rows, together = _rows(effects), _Together(plan, effects)
    planned: dict[str, list[str]] = {}
    reasons: dict[str, list[str]] = {}
    exploratory: list[str] = []
    flags: list[bool] = []
    for row, own_hash in zip(rows, hashes, strict=True):
        name, months = _which(row)
        settings = next((part for part in parts if own_hash in _trace(part).rows), parts[0])
        trace = _trace(settings)
        own = {**done_by(effects, settings), **{name: row[name] for name in _ROW}}
        which, why = plan.compare(name, months, {**own, **together.of(row, trace)}, whole=True)
        why = [*why, *trace.departures, *trace.outcomes.get((name, months), ()), *changed,
               *_of_trace(plan, registration, trace, own_hash)]  # fmt: skip
        for reason in why:
            reasons.setdefault(reason, []).append(_label(row))
        (exploratory if why else planned.setdefault(which, [])).append(_label(row))
        flags.append(not why)
    said = {
        "planned": planned.pop(MAIN, []),
        "sensitivity": planned,
        "exploratory": exploratory,
        "reasons": [{"why": why, "what": what} for why, what in reasons.items()],
        "absent": _absent(plan, effects),
        "standing": [f"The plan is {registration}.", *_opened(plan, registration, parts)],
        "table": hashes[0] if hashes else "",
    }
    notes = (f"{plan}.", *plan_notes(said))
    names = effects.frame["outcome"]
    roles = [plan.role(str(name)) for name in names]
    groups = {
        name: f"{role.capitalize()} outcomes" for name, role in zip(names, roles, strict=True)
    }
    # A table that is marked again, such as after a correction, says it once.
    earlier = {note for part in (effects.settings, *parts)
               for note in part.get("plan", {}).get("notes", ())}  # fmt: skip
    made = replace(
        effects,
        frame=effects.frame.assign(planned=pd.array(flags, dtype="boolean"), role=roles),
        notes=(*(note for note in effects.notes if note not in earlier), *notes),
        settings={**effects.settings, "groups": groups, "held_to": held_to,
                  "plan": {**plan.as_dict(), "notes": notes}},
    )  # fmt: skip
    return made, said


def _parts(effects: Effects) -> list[Mapping[str, Any]]:
    """Return the settings of the tables that a table was put together from."""
    tables, left = [], [effects.settings]
    while left:
        one = left.pop(0)
        left = [*one["parts"], *left] if one.get("parts") else left
        tables += [] if one.get("parts") else [one]
    return tables


def _trace(settings: Mapping[str, Any]) -> Trace:
    return settings.get("trace") or Trace("", departures=(NOT_TRACED,))


def _of_trace(plan: Plan, registration: Registration, trace: Trace, own: str) -> Iterator[str]:
    """Yield what is wrong between a row, the plan, and what was compared at estimation."""
    if not trace.plan:
        return
    if trace.plan != plan.hash:
        yield "plan: another than the one that the effects were estimated under"
    if own not in trace.rows:
        yield "effects: changed after they were estimated"
    main = all(trace.cohort.get(name) == plan.main.cohort[name] for name in trace.cohort)
    if registration.cohort and main and trace.hash != registration.cohort:
        yield "cohort: not the one that was registered with the plan"


def _opened(
    plan: Plan, registration: Registration, parts: list[Mapping[str, Any]]
) -> Iterator[str]:
    if any(_trace(part).opened != plan.hash for part in parts):
        yield OPENINGS["open_without" if registration.good else "open_before"]


class _Together:
    """Which outcomes' p-values were adjusted together, and which of those planned lack."""

    def __init__(self, plan: Plan, effects: Effects) -> None:
        self.plan, self.done = plan, effects.settings.get("correction")
        self.families: dict[tuple[str, ...], set[tuple[str, Any]]] = {}
        for row in _rows(effects):
            self.families.setdefault(self._family(row), set()).add(_which(row))

    def _family(self, row: Mapping[str, Any]) -> tuple[str, ...]:
        columns = self.done.get("family", ()) if isinstance(self.done, Mapping) else ()
        return tuple(str(row.get(name)) for name in ("population", *columns))

    def of(self, row: Mapping[str, Any], trace: Trace) -> dict[str, Any]:
        """Return for each family that a plan can name which of its outcomes lack beside a row."""
        if not isinstance(self.done, Mapping):
            return {}
        inside = self.families[self._family(row)]
        return {"family": {kind: [_name(key) for key in self._named(kind, row)
                                  if key not in inside and self._possible(key, trace)]
                           for kind in FAMILIES}}  # fmt: skip

    def _named(self, kind: str, row: Mapping[str, Any]) -> list[tuple[str, Any]]:
        plan, (name, own) = self.plan, _which(row)
        names = (*plan.primary, *plan.secondary) if kind == "planned" else plan.primary
        spans = (own,) if kind == "primary_by_horizon" else plan.horizons
        return [(one, months) for months in spans for one in names] if name in names else []

    @staticmethod
    def _possible(key: tuple[str, Any], trace: Trace) -> bool:
        # What no record tells of enough families has no p-value to adjust.
        return key[1] not in trace.months or key in trace.possible


def done_by(effects: Effects, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a table of effects tells of how it was made; what it does not, is not known.

    Parameters
    ----------
    settings : mapping
        Settings of the table, or of the part of it that is meant.
    """
    trace = _trace(settings)
    cohort: Mapping[str, Any] = trace.cohort or settings.get("cohort") or {}
    used = trace.covariates if trace.cohort else (
        settings.get("covariates", ()), settings.get("covariates_not_used"),
        settings.get("covariates_added", ()),
    )  # fmt: skip
    done = {
        "phase": cohort.get("phase", NOT_KNOWN),
        "comparison": cohort.get("comparison", NOT_KNOWN),
        "treatment": cohort.get("treatment", NOT_KNOWN),
        "rows": cohort.get("level", NOT_KNOWN),
        "cohort_seed": cohort.get("seed", NOT_KNOWN),
        "level": effects.level,
        "design": {name: settings[name] for name in design_names() if name in settings},
        "covariates": Covered(*used),
        "fixed_covariates": settings.get("fixed_covariates", False),
    }
    corrected = effects.settings.get("correction")
    if corrected is not None:  # most tables are corrected after they are marked
        method = corrected.get("method") if isinstance(corrected, Mapping) else corrected
        done["correction"] = method
        if method == "romano_wolf" and isinstance(corrected, Mapping):
            own = corrected.get("drawn", True)
            done["correction_drawn"] = _drawn(None, corrected.get("seed", 1)) if own else "given"
    # A seed can be tried until it pleases.
    if drawn := settings.get("errors_drawn"):
        done["errors_drawn"] = _drawn(*drawn)
    return done


def _drawn(draws: int | None, seed: int) -> str:
    return f"from seed {seed}" if draws is None else f"{draws} from seed {seed}"


def _rows(effects: Effects) -> list[dict[str, Any]]:
    return [{str(k): v for k, v in row.items()} for row in effects.frame.to_dict("records")]


def _which(row: Mapping[str, Any]) -> tuple[str, Any]:
    months = row["months"]
    return str(row["outcome"]), NOT_KNOWN if pd.isna(months) else int(months)


def _label(row: Mapping[str, Any]) -> str:
    text = _name(_which(row))
    return text if row["population"] == "all" else f"{text}, {row['population']}"


def _name(key: tuple[str, Any]) -> str:
    name, months = key
    return name.replace("_", " ") + ("" if months == NOT_KNOWN else f" at {months} months")


def _absent(plan: Plan, effects: Effects) -> list[str]:
    here = {_which(row) for row in _rows(effects)}
    spans = sorted({months for _, months in here if months in plan.horizons})
    return [_name((name, months))
            for months in spans for name in plan.primary if (name, months) not in here]  # fmt: skip
