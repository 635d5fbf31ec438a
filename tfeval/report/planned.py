"""The analysis plans that a notebook was held to, and what in it is exploratory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tfeval.display.plans import PLAN_MIME, SHORT
from tfeval.impact.plan.marks import plan_notes, plan_summary

_NAMES = ("title", "version", "date", "sha256")


@dataclass(frozen=True)
class Notice:
    """What a page says of one plan.

    Attributes
    ----------
    plan : str
        Title, version and the first digits of its hash.
    summary : str
        How many effects were planned; empty where none was held to it.
    notes : tuple of str
        What was not, and why.
    made : tuple of (term, text)
        For the footer, with the whole hash.
    """

    plan: str
    summary: str
    notes: tuple[str, ...]
    made: tuple[str, str]


def plans_of(notebook: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the plans that a notebook read, each with all that it says of its effects.

    Parameters
    ----------
    notebook : mapping
        The JSON of an executed notebook.

    Returns
    -------
    list of dict
        `title`, `version`, `date`, `sha256`, `short` (the first digits of it), `planned`,
        `sensitivity`, `exploratory`, `reasons`, `absent`; in the order read. Empty where the
        notebook has no plan.
    """
    found: dict[str, dict[str, Any]] = {}
    said: dict[str, list[Mapping[str, Any]]] = {}
    for content in _contents(notebook):
        key = content["sha256"]
        found.setdefault(key, {name: content[name] for name in _NAMES} | {"short": key[:SHORT]})
        if "exploratory" in content and content not in said.setdefault(key, []):
            said[key].append(content)
    return [plan | _together(said.get(key, [])) for key, plan in found.items()]


def notices(notebook: Mapping[str, Any]) -> list[Notice]:
    """Return what the page says of each plan."""
    made = []
    for plan in plans_of(notebook):
        name = f"{plan['title']}, version {plan['version']}"
        held = plan["planned"] or plan["sensitivity"] or plan["exploratory"]
        made.append(
            Notice(
                plan=f"{name}, SHA-256 {plan['short']}",
                summary=plan_summary(plan) if held else "",
                notes=tuple(plan_notes(plan)),
                made=("Analysis plan", f"{name} of {plan['date']}, SHA-256 {plan['sha256']}"),
            )
        )
    return made


def without_plans(outputs: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return outputs without those about a plan, which the page gathers in one place."""
    return [output for output in outputs if PLAN_MIME not in output.get("data", {})]


def _contents(notebook: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for cell in notebook.get("cells", []):
        for output in cell.get("outputs", []):
            if PLAN_MIME in output.get("data", {}):
                yield output["data"][PLAN_MIME]


def _together(said: list[Mapping[str, Any]]) -> dict[str, Any]:
    """Join what was said of several tables of effects."""
    sensitivity: dict[str, list[str]] = {}
    reasons: dict[str, list[str]] = {}
    for one in said:
        for name, what in one["sensitivity"].items():
            sensitivity.setdefault(name, []).extend(what)
        for item in one["reasons"]:
            reasons.setdefault(item["why"], []).extend(item["what"])
    planned = [what for one in said for what in one["planned"]]
    exploratory = [what for one in said for what in one["exploratory"]]
    here = {*planned, *exploratory, *(what for held in sensitivity.values() for what in held)}
    absent = dict.fromkeys(what for one in said for what in one["absent"])
    return {
        "planned": planned,
        "sensitivity": sensitivity,
        "exploratory": exploratory,
        "reasons": [{"why": why, "what": what} for why, what in reasons.items()],
        "absent": [what for what in absent if what not in here],
    }
