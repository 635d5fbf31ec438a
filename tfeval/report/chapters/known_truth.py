"""Chapter 9: how often the methods of the other chapters are right, where the truth is known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from tfeval.audit.replication import PRIMARY
from tfeval.audit.summary import (
    ANY_PRIMARY,
    BENEFIT_COST_RATIO,
    PRIMARY_MEAN,
    KnownTruth,
    at_least,
    reach,
    read_known_truth,
)
from tfeval.audit.worlds import EFFECTS, NONE, SIMULATORS, WORLDS
from tfeval.cohort.cohort import comparison_groups
from tfeval.display.charts import heat_chart
from tfeval.display.figures import Chart
from tfeval.display.names import DESIGNS, METHODS, capital, words
from tfeval.display.tables import Table, table
from tfeval.display.words import in_digits, is_missing, unsigned_nothing
from tfeval.impact.specification import Specification
from tfeval.programme.outcomes import outcome_label
from tfeval.report.record import record

#: How the committed table is made, from a checkout: more replications are added to those held.
COMMAND = "tfeval audit --seed N --replications 200 --workers 8 --add-to data/audit"
CLEAN = "nothing_wrong"
#: Fewest replications of which a share is shown.
_FEWEST = 10
_NOT_THERE = "no row"
_MADE = {
    ANY_PRIMARY: "Any primary outcome", PRIMARY_MEAN: "Primary outcomes, mean",
    BENEFIT_COST_RATIO: "Benefit-cost ratio of these outcomes",
}  # fmt: skip
Row = dict[Any, Any]
_CELL = ("horizon", "design", "estimator")


def cell(known: KnownTruth, spec: Specification, **keys: Any) -> pd.DataFrame:
    """Return the rows of an audit made as a specification says, of all groups and worlds.

    Parameters
    ----------
    known : KnownTruth
    spec : Specification
        Horizon, design and estimator.
    **keys
        Further columns and their values.
    """
    return known.select(**{name: getattr(spec, name) for name in _CELL}, **keys)


def headline(known: KnownTruth, spec: Specification) -> str:
    """Say in two sentences which comparison is right where nothing is wrong, and what upsets it.

    Parameters
    ----------
    known : KnownTruth
    spec : Specification
        Comparison group, horizon, design and estimator.
    """
    frame = cell(known, spec, comparison=spec.comparison, effects=NONE)
    means = frame[(frame["outcome"] == PRIMARY_MEAN) & frame["bias_percent"].notna()]
    own = _words(spec.comparison)
    if means.empty:
        return f"The audit has no row for {own}, {_method(spec)}: run it for these choices."
    rows = means.to_dict("records")
    clean = [row for row in rows if row["world"] == CLEAN]
    others = [row for row in rows if row["world"] != CLEAN]
    clear = [row for row in others if at_least(row) != 0]
    parts = [
        f"where {_world(row)} and there is no effect, a comparison with {own} is off by "
        f"{_percent(row)} of its mean over {_draws(row['replications'])}" for row in clean
    ]  # fmt: skip
    if clear:
        worst = max(clear, key=lambda row: abs(row["bias_percent"]))
        parts.append(f"furthest where {_world(worst)}, by {_percent(worst)}")
    elif others:
        parts.append(f"in none of {len(others)} other worlds can its error be told from chance yet")
    pages = frame[(frame["outcome"] == ANY_PRIMARY) & (frame["headline_wrong"] > 0)
                  & (frame["replications"] >= _FEWEST)]  # fmt: skip
    if len(pages):
        most = max(pages.to_dict("records"), key=lambda row: row["headline_wrong"])
        parts.append(
            f"a page would have told of an effect that is none in {most['headline_wrong']:.0%} of "
            f"draws where {_world(most)}"
        )
    return f"Simulated records: {'; '.join(parts)}."


#: Percent of the comparison's mean from which a title counts an error.
_FAR = 5


def bias_chart(known: KnownTruth, spec: Specification) -> Chart:
    """Draw the error of an estimate by world and comparison group, as a map of colours.

    Colours and the title tell no more than the draws do: an error counts as `at_least` says.

    Parameters
    ----------
    known : KnownTruth
    spec : Specification
        Horizon, design and estimator.
    """
    rows = _by_world(cell(known, spec, outcome=PRIMARY_MEAN))
    groups = list(comparison_groups())
    labels = list(dict.fromkeys(rows["label"]))
    by_group = {(row["label"], row["comparison"]): row for row in rows.to_dict("records")}
    values = np.array([[at_least(by_group.get((label, name), {"bias_percent": np.nan}))
                        for name in groups] for label in labels])  # fmt: skip
    shown = [[_percent(by_group[label, name], "") if (label, name) in by_group else _NOT_THERE
              for name in groups] for label in labels]  # fmt: skip
    summary = "; ".join(
        f"{label}: " + ", ".join(f"{_words(name)} {text}" for name, text in
                                 zip(groups, texts, strict=True))
        for label, texts in zip(labels, shown, strict=True)
    )  # fmt: skip
    made = [row for row in by_group.values() if not is_missing(row["bias_percent"])]
    far = sum(abs(at_least(row)) > _FAR for row in made)
    near = sum(abs(row["bias_percent"]) + reach(row) <= _FAR for row in made)
    return heat_chart(
        labels, [_words(name) for name in groups], values, shown,
        title=f"Simulated worlds: {far} of {len(made)} comparisons are off by more than {_FAR}%, "
        f"{near} by less; {len(made) - far - near} need more draws to tell",
        subtitle=f"How far off is the effect over {spec.horizon} months? % of the comparison mean",
        alt="A map of colours, one row a world and one column a comparison group: the mean error "
        "of the primary outcomes' effects as a share of the comparison group's mean, with two "
        "Monte Carlo errors; below 0 flatters the programme. Colour: by how much it is off at "
        f"least. {summary}.",
        limit=20.0,
    )  # fmt: skip


def _by_world(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows without an effect, where the world has them, in the order of the worlds."""
    order = list(WORLDS)
    rows = rows[rows["world"].isin(order)]
    keys = rows["simulator"] + rows["world"]
    kept = rows[(rows["effects"] == NONE) | ~keys.isin(keys[rows["effects"] == NONE])]
    names = [capital(_world(row)) for row in kept.to_dict("records")]
    kept = kept.assign(label=names, place=[order.index(name) for name in kept["world"]])
    return kept.sort_values("place", kind="stable")


def bias_table(known: KnownTruth, spec: Specification) -> Table:
    """Return the same by outcome for one comparison group, with how many draws it rests on.

    Parameters
    ----------
    known : KnownTruth
    spec : Specification
        Comparison group, horizon, design and estimator.
    """
    outcomes = [*PRIMARY, PRIMARY_MEAN]
    lines = []
    rows = cell(known, spec, comparison=spec.comparison)
    for (world, effects), part in _worlds_in(rows):
        by_name = _rows(part, "outcome")
        texts = [_percent(by_name[name]) if name in by_name else _NOT_THERE
                 for name in outcomes]  # fmt: skip
        lines.append([world, EFFECTS[effects], *texts, f"{part['replications'].max():,}"])
    columns = ["World", "With", *map(_label, outcomes), "Draws"]
    return table(
        pd.DataFrame(lines, columns=columns),
        caption=f"Error of the effect, % of the comparison group's mean: {_words(spec.comparison)}",
        notes=[
            f"{capital(_method(spec))}. ±: the 95% Monte Carlo interval. Below 0 flatters the "
            "programme: less of each primary outcome is better.",
            "Against the true effect on the families compared, as the design weights them.",
            _small_draws(known),
        ],
    )


def intervals_table(known: KnownTruth, spec: Specification) -> Table:
    """Return how often intervals hold the truth, an effect is found, and a page would mislead.

    Parameters
    ----------
    known : KnownTruth
    spec : Specification
        Comparison group, horizon, design and estimator.
    """
    lines = []
    rows = cell(known, spec, comparison=spec.comparison)
    for (world, effects), part in _worlds_in(rows):
        by_name = _rows(part, "outcome")
        shares = [_share(by_name, name, "coverage_population") for name in PRIMARY]
        own = part[part["outcome"].isin(PRIMARY)]
        found_one = _range(own, "type_one" if effects == NONE else "power")
        lines.append([world, EFFECTS[effects], *shares, found_one,
                      _range(own, "sign_error") if effects != NONE else "no effect",
                      _share(by_name, ANY_PRIMARY, "headline_wrong")])  # fmt: skip
    columns = ["World", "With", *(f"Holds: {_label(name)}" for name in PRIMARY),
               "Effect found", "Of these, wrong sign", "Page misleads"]  # fmt: skip
    return table(
        pd.DataFrame(lines, columns=columns),
        caption=f"How often 95% intervals hold the truth: {_words(spec.comparison)}",
        notes=[
            f"{capital(_method(spec))}. In brackets: the Monte Carlo error, in points. At 0% "
            "and 100% its formula gives 0; of 10 draws, up to 3 in 10 could be otherwise.",
            "Holds: the effect on all families like those compared, the mean over draws. What "
            "those of one draw would have done without the programme is chance too, and more than "
            "an interval allows for where an effect makes outcomes vary less: how often the effect "
            "on exactly them is held stands below (held, of those drawn).",
            "Effect found: the lowest and highest share over the primary outcomes of draws in "
            "which p is below 0.05. Without an effect it should be 5%; with one it is the power.",
            "Page misleads: it does not call the groups unlike, and of a primary outcome says that "
            "there is an effect, corrected for their number, with an interval that leaves the "
            "truth out.",
            _small_draws(known),
        ],
    )


def designs_table(known: KnownTruth, spec: Specification) -> Table:
    """Return the error of every design and estimator in the audit, by world.

    Parameters
    ----------
    known : KnownTruth
    spec : Specification
        Comparison group and horizon.
    """
    rows = _by_world(known.select(comparison=spec.comparison, horizon=spec.horizon,
                                  outcome=PRIMARY_MEAN, effects=NONE))  # fmt: skip
    choices = sorted(dict.fromkeys(zip(rows["design"], rows["estimator"], strict=True)),
                     key=lambda choice: choice != (spec.design, spec.estimator))  # fmt: skip
    errors = {(row["label"], row["design"], row["estimator"]): _percent(row, "")
              for row in rows.to_dict("records")}  # fmt: skip
    lines = [[label, *(errors.get((label, *choice), _NOT_THERE) for choice in choices)]
             for label in dict.fromkeys(rows["label"])]  # fmt: skip
    columns = ["World", *(capital(_changed(spec, *choice)) for choice in choices)]
    return table(
        pd.DataFrame(lines, columns=columns),
        caption=f"Without an effect, by design: error in % of the comparison group's mean, "
        f"{_words(spec.comparison)}, {spec.horizon} months",
        notes=[
            f"As chosen: {_method(spec)}. Mean over the primary outcomes; ± the 95% Monte Carlo "
            "interval.",
            _small_draws(known),
        ],
    )


def full_table(known: KnownTruth, spec: Specification) -> Table:
    """Return every number of one comparison group, design, estimator and horizon.

    Parameters
    ----------
    known : KnownTruth
    spec : Specification
    """
    rows = cell(known, spec, comparison=spec.comparison)
    order = {name: place for place, name in enumerate(WORLDS)}
    rows = rows.sort_values("world", key=lambda names: names.map(order), kind="stable")
    frame = pd.DataFrame({
        "World": [capital(_world(row)) for row in rows.to_dict("records")],
        "With": [EFFECTS[name] for name in rows["effects"]],
        "Outcome": [_label(name) for name in rows["outcome"]],
        "Draws": rows["replications"], "Estimated": rows["estimated"],
        "True effect": rows["truth"], "Error": rows["bias"], "± one": rows["bias_error"],
        "Against all treated": rows["bias_treated"],
        "Root mean square": rows["rmse"], "Held": rows["coverage_population"],
        "Held, of those drawn": rows["coverage"],
        "Found without": rows["type_one"], "Found with": rows["power"],
        "Wrong sign": rows["sign_error"],
        "Why not": rows["why"].astype(str).map(_short),
    })  # fmt: skip
    shares = ("Held", "Held, of those drawn", "Found without", "Found with", "Wrong sign")
    numbers = ("True effect", "Error", "± one", "Against all treated", "Root mean square")
    return table(
        frame,
        caption=f"All of the audit: {_words(spec.comparison)}, {_method(spec)}",
        formats=dict.fromkeys(shares, "{:.0%}") | dict.fromkeys(numbers, _significant),
        missing="none",
        notes="In each outcome's own unit. Held: intervals that hold the truth. The file has "
        "more columns, and all designs, estimators and groups.",
    )


def lacking_table(known: KnownTruth, spec: Specification) -> Table:
    """Return what the audit cannot say: worlds no simulator makes, cells not run, why none is made.

    Parameters
    ----------
    known : KnownTruth
    spec : Specification
    """
    lines = [
        (capital(WORLDS[world].words), f"simulator “{key}”", f"{reason}")
        for key, row in SIMULATORS.items()
        for world, reason in row.worlds.items()
        if isinstance(reason, str)
    ]
    cells = cell(known, spec, outcome=PRIMARY_MEAN)
    for key, simulator in SIMULATORS.items():
        for name, settings in simulator.worlds.items():
            if isinstance(settings, str):
                continue
            own = cells[(cells["world"] == name) & (cells["simulator"] == key)]
            without = [_words(group) for group in comparison_groups()
                       if group not in set(own["comparison"])]  # fmt: skip
            if without:
                own_name = capital(_world({"world": name, "simulator": key}))
                lines.append((own_name, ", ".join(without), "not run yet"))
    failed = cells[cells["estimated"] < cells["replications"]]
    for row in failed.to_dict("records"):
        count = row["replications"] - row["estimated"]
        same = cell(known, spec, comparison=row["comparison"], world=row["world"],
                    effects=row["effects"], simulator=row["simulator"])  # fmt: skip
        reasons = [one for one in same["why"].astype(str) if one]
        lines.append((
            f"{capital(_world(row))}, {EFFECTS[row['effects']]}",
            _words(row["comparison"]),
            f"not estimated in {count} of {row['replications']} draws: "
            f"{_short(reasons[0]) if reasons else 'the reason was not kept'}",
        ))  # fmt: skip
    columns = ["World", "Of", "What is missing"]
    return table(pd.DataFrame(lines or [("None", "", "")], columns=columns),
                 caption=f"What the audit cannot say: {_method(spec)}")  # fmt: skip


def made_table(known: KnownTruth) -> Table:
    """Return how the table of the audit was made.

    Parameters
    ----------
    known : KnownTruth
    """
    about = known.about
    counts = known.rows.groupby(["comparison"])["replications"].agg(["min", "max"])
    lines = [
        ("Seeds", ", ".join(map(str, about.get("seeds", [])))),
        ("Families in each draw", _families(about)),
        ("Processor time, hours", about.get("processor_hours", "")),
        ("Commits", ", ".join(str(one)[:12] for one in about.get("commits", []))),
        ("Versions", ", ".join(f"{k} {v}" for k, v in dict(about.get("versions", {})).items())),
        ("Imitates", about.get("like", "no extract")),
        ("More draws are added by", about.get("add_draws_with", "")),
        *((f"Draws of each world, {_words(name)}", f"{row['min']:,} to {row['max']:,}")
          for name, row in counts.iterrows()),
        *((f"Simulator “{key}”", row.words) for key, row in SIMULATORS.items()),
    ]  # fmt: skip
    frame = pd.DataFrame([(name, str(value)) for name, value in lines], columns=["What", "Value"])
    return table(frame, caption="How the table was made")


def worlds_table() -> Table:
    """Return the worlds, what is wrong in each and with which effects it is run."""
    lines = [
        (capital(row.words), name, "; ".join(EFFECTS[one] for one in row.effects))
        for name, row in WORLDS.items()
    ]
    return table(pd.DataFrame(lines, columns=["World", "Key", "Run with"]),
                 caption="The worlds of the audit")  # fmt: skip


def this_choice(spec: Specification, audit: str = "committed") -> Table:
    """Return what the audit says of the choices of a page; for chapter 4.

    Parameters
    ----------
    spec : Specification
    audit : str, default "committed"
        As in `read_known_truth`.
    """
    return bias_table(read_known_truth(audit), spec)


def record_audit(known: KnownTruth, spec: Specification) -> None:
    """Record what other pages may say of the audit.

    Parameters
    ----------
    known : KnownTruth
    spec : Specification
    """
    record("headline", headline(known, spec))
    rows = cell(known, spec, comparison=spec.comparison, outcome=PRIMARY_MEAN, effects=NONE)
    for row in rows.to_dict("records"):
        name = f"{row['simulator']}_{row['world']}"
        if not is_missing(row["bias_percent"]):
            record(f"bias_{name}", float(row["bias_percent"]), "%", digits=2)
            record(f"draws_{name}", int(row["replications"]))
    record("simulated", True)


def in_short(known: KnownTruth) -> str:
    """Say in a few lines how far off the page's own choices are, for the command line."""
    spec = Specification()
    data = "In data like yours" if "like" in known.about else "In these worlds"
    rows = _by_world(cell(known, spec, outcome=PRIMARY_MEAN))
    groups = list(dict.fromkeys(rows["comparison"]))
    own = spec.comparison if spec.comparison in groups or not groups else groups[0]
    lines = [f"{data}, against {_words(own)}, {_method(spec)}, this design is off by:"]
    for row in rows[rows["comparison"] == own].to_dict("records"):
        share = f"{_percent(row)} of the comparison mean" if row["estimated"] else "not estimated"
        lines.append(f"  {row['label']}: {share}, {_draws(row['replications'])}")
    return "\n".join(lines)


def _worlds_in(rows: pd.DataFrame) -> Iterable[tuple[tuple[str, str], pd.DataFrame]]:
    """Yield the rows of each world and effect, by the world's name for readers and the effect."""
    for world in WORLDS:
        for effects in EFFECTS:
            part = rows[(rows["world"] == world) & (rows["effects"] == effects)]
            for simulator, own in part.groupby("simulator", sort=False):
                yield (capital(_world({"world": world, "simulator": simulator})), effects), own


def _world(row: Row) -> str:
    """Return a world in words, with its simulator where there are several."""
    beside = f" ({row['simulator']})" if len(SIMULATORS) > 1 else ""
    return f"{WORLDS[row['world']].words}{beside}"


def _words(comparison: Any) -> str:
    return str(comparison).replace("_", " ")


def _method(spec: Specification) -> str:
    return f"{words(DESIGNS, spec.design)}, {words(METHODS, spec.estimator)}, {spec.horizon} months"


def _changed(spec: Specification, design: str, estimator: str) -> str:
    """Return what a choice changes of a specification."""
    changed = [words(names, one) for names, one, own in
               ((DESIGNS, design, spec.design), (METHODS, estimator, spec.estimator))
               if one != own]  # fmt: skip
    return ", ".join(changed) or "as chosen"


def _label(name: str) -> str:
    return _MADE[name] if name in _MADE else outcome_label(name)


def _rows(part: pd.DataFrame, column: str) -> dict[str, Row]:
    return {str(row[column]): row for row in part.to_dict("records")}


def _percent(row: Row, unit: str = "%") -> str:
    value, half = row["bias_percent"], reach(row)
    if is_missing(value):
        return "not estimated"
    # Of so few draws chance is not known: never a bare number.
    about = _draws(int(row["estimated"])) if is_missing(half) else f"±{half:.1f}"
    return f"{unsigned_nothing(f'{value:+.1f}')}{unit} ({about})"


def _share(rows: Mapping[str, Row], name: str, column: str) -> str:
    if name not in rows or is_missing(rows[name][column]):
        return "none"
    row = rows[name]
    if row["replications"] < _FEWEST:
        return "too few draws"
    return f"{row[column]:.0%} ({100 * row[f'{column}_error']:.0f})"


def _range(part: pd.DataFrame, column: str) -> str:
    known = part.loc[part["replications"] >= _FEWEST, column].dropna()
    if known.empty:
        return "none"
    low, high = f"{known.min():.0%}", f"{known.max():.0%}"
    return low if low == high else f"{low} to {high}"


def _draws(count: int) -> str:
    return f"{count} draw" if count == 1 else f"{count:,} draws"


def _short(text: str, most: int = 120) -> str:
    """Return a reason with its list of covariates and what to do left out."""
    shown = text.replace("_", " ")
    return shown if len(shown) <= most else f"{shown[:most].rstrip()}…"


def _significant(value: float) -> str:
    return unsigned_nothing(in_digits(3)(value)).replace("-", "−")


def _families(about: Mapping[str, Any]) -> str:
    return f"{about['families']:,}" if "families" in about else "not known"


def _small_draws(known: KnownTruth) -> str:
    few, many = known.rows["replications"].min(), known.rows["replications"].max()
    return (
        f"{_families(known.about)} families in each draw; {few:,} to {many:,} draws of a "
        f"world. More are added by: {COMMAND}."
    )
