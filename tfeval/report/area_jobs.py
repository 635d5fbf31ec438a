"""Which jobs areas are: authorities, regions, and with every one of them the nation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tfeval.errors import ParameterError, TfevalError
from tfeval.programme.claims import authorities, regions
from tfeval.report.plan import (
    AREA,
    REGION,
    Chapter,
    Job,
    national_chapters,
    plan,
    read_chapter,
)

#: The notebook of one area, by the parameter that names the area.
NOTEBOOKS = {AREA: "local_authority", REGION: "region"}
ALL = "all"


def chapters_of_the_nation(folder: Path) -> list[str]:
    """Return the national chapters.

    Raises
    ------
    TfevalError
        If there are none.
    """
    names = national_chapters(folder)
    if not names:
        raise TfevalError("There are no national chapters: notebooks named like 01_programme.")
    return names


def area_jobs(
    names: Sequence[str] | None, wanted: Sequence[str], given: Mapping[str, str], folder: Path
) -> list[Job]:
    """Return the jobs of areas, each after what it reads.

    Parameters
    ----------
    names : sequence of str or None
        Notebooks; None for the one that is made for such an area.
    wanted : sequence of str
        Authorities, by name or ONS code, and regions; "all" for every one of both, and, unless
        notebooks are named, the nation's chapters.
    given : mapping of str to str
        Other parameters.
    folder : Path
        Where the notebooks are.

    Raises
    ------
    ParameterError
        If there is no such area, or one is given as a parameter too.
    """
    for name in NOTEBOOKS:
        if name in given:
            raise ParameterError(f"Give --area or -p {name}=, not both.")
    every = any(name.strip().casefold() == ALL for name in wanted)
    areas = _areas(wanted, every=every)
    planned = plan(chapters_of_the_nation(folder), given, folder) if every and not names else []
    if every and names:  # those that the notebooks can be of
        own = {one.name for name in names for one in read_chapter(name, folder).parameters}
        areas = [one for one in areas if one[0] in own] or areas
    chapters: dict[str, Chapter] = {}
    for kind, area in areas:
        own_names = names or [NOTEBOOKS[kind]]
        planned += plan(own_names, {**given, kind: area}, folder, chapters)
    return each_once(planned)


def each_once(planned: Iterable[Job]) -> list[Job]:
    """Return the jobs without those planned before: the first is that with most pages beside it."""
    once: dict[tuple[str, str], Job] = {}
    for job in planned:
        once.setdefault(job.key, job)
    return list(once.values())


def _areas(wanted: Sequence[str], *, every: bool) -> list[tuple[str, str]]:
    """Return each area with the parameter that names it."""
    named = {name.casefold() for name in regions()}
    if every:
        return [*((REGION, name) for name in regions()),
                *((AREA, name) for name in sorted(authorities().values()))]  # fmt: skip
    kinds = ((REGION if name.strip().casefold() in named else AREA, name) for name in wanted)
    return list(dict.fromkeys(kinds))
