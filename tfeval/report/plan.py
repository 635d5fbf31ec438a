"""Which notebooks to run, on which parameters, in which order, into which report."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any

from tfeval.display.figures import PLAN_MIME, SHORT
from tfeval.display.plan_words import plan_notes, plan_summary
from tfeval.errors import ReportError, suggest
from tfeval.report.fingerprint import source
from tfeval.report.parameters import (
    RUNNER_SETS,
    Parameter,
    notebook_parameters,
    read_notebook,
    refuse_unknown,
    resolve,
)
from tfeval.report.subject import EXTRACT, told

# The analysis plans that a notebook was held to, and what in it is exploratory.

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
        `sensitivity`, `exploratory`, `reasons`, `absent`, `standing`; in the order read. Empty
        where the notebook has no plan.
    """
    plans: dict[str, dict[str, Any]] = {}
    said: dict[str, list[Mapping[str, Any]]] = {}
    for content in _contents(notebook):
        key = content["sha256"]
        plans.setdefault(key, {name: content[name] for name in _NAMES} | {"short": key[:SHORT]})
        if "exploratory" in content and content not in said.setdefault(key, []):
            # A table that was held to the plan again, such as after a correction, stands once.
            again = content.get("table")
            said[key] = [one for one in said[key] if not again or one.get("table") != again]
            said[key].append(content)
    return [plan | _together(said.get(key, [])) for key, plan in plans.items()]


def notices(notebook: Mapping[str, Any]) -> list[Notice]:
    """Return what the page says of each plan."""
    made = []
    for plan in plans_of(notebook):
        name = f"{plan['title']}, version {plan['version']}"
        shown = plan["planned"] or plan["sensitivity"] or plan["exploratory"]
        made.append(
            Notice(
                plan=f"{name}, SHA-256 {plan['short']}",
                summary=plan_summary(plan) if shown else "",
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
    here = {
        *planned,
        *exploratory,
        *(what for outcomes in sensitivity.values() for what in outcomes),
    }
    absent = dict.fromkeys(what for one in said for what in one["absent"])
    return {
        "planned": planned,
        "sensitivity": sensitivity,
        "exploratory": exploratory,
        "reasons": [{"why": why, "what": what} for why, what in reasons.items()],
        "absent": [what for what in absent if what not in here],
        "standing": list(dict.fromkeys(what for one in said for what in one.get("standing", ()))),
    }


_MARK = "~"
#: Kernels that say no language, by their name.
_LANGUAGES = {"ir": "R", "bash": "Bash", "sas": "SAS", "stata": "Stata"}
_CHAPTER = re.compile(r"\d\d_.+")
AREA, REGION = "local_authority", "region"
#: The notebook that is read first.
SUMMARY = "08_summary"


@dataclass(frozen=True, eq=False)
class Chapter:
    """A notebook of the project, read but not run.

    Attributes
    ----------
    name : str
        File name without .ipynb.
    title : str
        Its first heading.
    content : dict
        Its JSON.
    parameters : tuple of Parameter
        What it declares.
    reads : tuple of str
        Chapters whose records it reads (metadata ``{"tfeval": {"reads": [...]}}``).
    """

    name: str
    title: str
    content: dict[str, Any]
    parameters: tuple[Parameter, ...]
    reads: tuple[str, ...]

    def defaults(self) -> dict[str, Any]:
        """Return the parameters' defaults, without what the runner sets."""
        return {item.name: item.default for item in self.parameters if item.name != RUNNER_SETS}


@dataclass(frozen=True, eq=False)
class Job:
    """One notebook to run into one report.

    Attributes
    ----------
    chapter : Chapter
        The notebook.
    scope : str
        Folder of the report.
    values : dict
        All its parameters, without what the runner sets.
    reads : dict of str to str
        Chapters whose records it reads, to the report that each is in.
    beside : tuple of (name, title)
        Chapters of the same report that are made with it, in the order in which they are read.
    """

    chapter: Chapter
    scope: str
    values: dict[str, Any]
    reads: dict[str, str]
    beside: tuple[tuple[str, str], ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        """Scope and notebook."""
        return self.scope, self.chapter.name

    @property
    def needs(self) -> tuple[tuple[str, str], ...]:
        """Keys of the jobs whose records this one reads."""
        return tuple((scope, name) for name, scope in self.reads.items())

    @property
    def reads_from(self) -> str:
        """Folders of the reports whose records it reads, as seen from a folder of its own."""
        others = sorted(set(self.reads.values()) - {self.scope})
        return os.pathsep.join(["..", *(f"../../{scope}" for scope in others)])

    def changed(self) -> dict[str, Any]:
        """Return the parameters that differ from their defaults."""
        defaults = self.chapter.defaults()
        return {name: value for name, value in self.values.items() if value != defaults[name]}


def notebook_names(folder: Path) -> list[str]:
    """Return the names of the notebooks in a folder, sorted."""
    return sorted(path.stem for path in folder.glob("*.ipynb"))


def national_chapters(folder: Path) -> list[str]:
    """Return the chapters of the national report: notebooks named like 01_programme_and_budget."""
    return [name for name in notebook_names(folder) if _CHAPTER.fullmatch(name)]


def read_chapter(name: str, folder: Path) -> Chapter:
    """Read a notebook of the project.

    Raises
    ------
    ReportError
        If there is none of that name, or it breaks the rules for parameters.
    """
    name = name.removesuffix(".ipynb")
    known = notebook_names(folder)
    if name not in known:
        hint = suggest(name, known) if known else "The folder of notebooks is empty."
        raise ReportError(f"There is no notebook {name}. {hint}")
    content = read_notebook(folder / f"{name}.ipynb")
    _refuse_other_language(content, name)
    parameters = notebook_parameters(content, name)
    reads = tuple(content["metadata"].get("tfeval", {}).get("reads", ()))
    if reads and RUNNER_SETS not in {item.name for item in parameters}:
        raise ReportError(
            f"{name} reads other chapters but declares no parameter {RUNNER_SETS}: "
            f'add {RUNNER_SETS}: str = "stored"  # where the chapters it reads are.'
        )
    return Chapter(name, notebook_title(content, name), content, parameters, reads)


def _refuse_other_language(content: Mapping[str, Any], name: str) -> None:
    """Refuse a notebook that its own metadata say is not Python: its cells would run as that."""
    told_by = (content["metadata"].get("language_info"), content["metadata"].get("kernelspec"))
    info, kernel = (one if isinstance(one, Mapping) else {} for one in told_by)
    language = info.get("name") or kernel.get("language") or _LANGUAGES.get(str(kernel.get("name")))
    if language and not str(language).casefold().startswith(("python", "ipython")):
        raise ReportError(
            f"{name} is a notebook in {language}, and a report runs Python: write it in Python, "
            "or take it out of the folder."
        )


def notebook_title(content: Mapping[str, Any], name: str) -> str:
    """Return a notebook's first heading, or its name in words."""
    for cell in content["cells"]:
        heading = re.search(r"^#\s+(.+)$", source(cell), re.MULTILINE)
        if cell["cell_type"] == "markdown" and heading:
            return re.sub(r"[*_`]", "", heading[1]).strip()
    return name.replace("_", " ")


def plan(
    names: Iterable[str], given: Mapping[str, str], folder: Path,
    chapters: dict[str, Chapter] | None = None,
) -> list[Job]:  # fmt: skip
    """Return the jobs for these notebooks and what they read, each after what it reads.

    Parameters
    ----------
    names : iterable of str
        Notebooks, with or without .ipynb.
    given : mapping of name to text
        Parameters asked for; each goes to the notebooks that declare it.
    folder : Path
        Where the notebooks are.
    chapters : dict of str to Chapter, optional
        Those that were read already; what is read is put there, for another plan.

    Raises
    ------
    ParameterError
        If no notebook declares a parameter, or a value has the wrong type or range.
    ReportError
        If a notebook is missing, or chapters read each other in a circle.
    """
    read = {} if chapters is None else chapters
    wanted = []
    for name in names:
        order = _reading_order(name.removesuffix(".ipynb"), folder, read, ())
        wanted.append((order[-1], order))
    chapters = {name: read[name] for _, order in wanted for name in order}
    refuse_unknown(
        given, {last: [item for name in order for item in chapters[name].parameters]
                for last, order in wanted}
    )  # fmt: skip
    scopes = {name: _scope(chapter, chapters.values(), given) for name, chapter in chapters.items()}
    jobs: dict[tuple[str, str], Job] = {}
    for name in dict.fromkeys(name for _, order in wanted for name in order):
        values = resolve(chapters[name].parameters, given)
        values.pop(RUNNER_SETS, None)
        reads = {read: scopes[read] for read in chapters[name].reads}
        job = Job(chapters[name], scopes[name], values, reads)
        jobs.setdefault(job.key, job)
    return [replace(job, beside=_beside(job.scope, jobs.values())) for job in jobs.values()]


def _beside(scope: str, jobs: Iterable[Job]) -> tuple[tuple[str, str], ...]:
    """Return the chapters of a report in the order in which they are read: the summary first."""
    titles = [(job.chapter.name, job.chapter.title) for job in jobs if job.scope == scope]
    return tuple(sorted(titles, key=lambda one: reading_place(one[0])))


def reading_place(name: str) -> tuple[bool, str]:
    """Return what sorts notebooks into the order in which they are read: the summary first.

    Examples
    --------
    >>> sorted(["01_budget", "08_annex", "08_summary"], key=reading_place)
    ['08_summary', '01_budget', '08_annex']
    """
    return name != SUMMARY, name


def _reading_order(
    name: str, folder: Path, chapters: dict[str, Chapter], readers: tuple[str, ...]
) -> list[str]:
    """Return what a notebook reads, at any depth, and itself last; fills `chapters`."""
    if name in readers:
        raise ReportError(f"Chapters read each other in a circle: {' > '.join([*readers, name])}.")
    if name not in chapters:
        chapters[name] = read_chapter(name, folder)
    order: list[str] = []
    for read in chapters[name].reads:
        order += _reading_order(read, folder, chapters, (*readers, name))
    return list(dict.fromkeys([*order, name]))


def _scope(chapter: Chapter, chapters: Iterable[Chapter], given: Mapping[str, str]) -> str:
    """Return the report a chapter belongs to: one that knows no areas is in the national one.

    Two sets of parameters never share a name, so no report takes another's place.
    """
    area = place_of(resolve(chapter.parameters, given))
    parts = ["national" if area == "all" else area_folder(area)]
    for name in sorted(set(given) - {AREA, REGION}):
        declared = [item for other in chapters for item in other.parameters if item.name == name]
        parsed = [(item.parse(given[name]), item.default) for item in declared]
        if any(value != default for value, default in parsed):
            # Chapters that declare it with several types may each read another value.
            read = list(dict.fromkeys((type(value).__name__, value) for value, _ in parsed))
            parts.append(f"{name}-{_part(name, read[0][1]) if len(read) == 1 else slug(read)}")
    return "--".join(parts)


def place_of(values: Mapping[str, Any]) -> str:
    """Return the authority or region that a page with these parameters is about, else "all".

    Examples
    --------
    >>> place_of({"local_authority": "Sefton"}), place_of({"region": "London"}), place_of({})
    ('Sefton', 'London', 'all')
    """
    return str(values.get(REGION) or values.get(AREA, "all"))


def area_folder(area: str) -> str:
    """Return an authority's or a region's official name as a folder's: no two of them give one.

    Examples
    --------
    >>> area_folder("Kingston upon Hull, City of"), area_folder("Sefton")
    ('kingston-upon-hull-city-of', 'sefton')
    """
    return re.sub(r"[^a-z0-9.]+", "-", area.casefold().replace("'", "")).strip("-.")


def slug(value: object) -> str:
    """Return a value as part of a folder's name: another value is always another name.

    A value that can be read back from such a name stands as it is; what a name would lose of any
    other (case, spaces, signs, length) is made up by a hash after a mark that no plain one has.

    Examples
    --------
    >>> slug(2015), slug(3.5), slug("not_yet_treated"), slug(True)
    ('2015', '3.5', 'not_yet_treated', 'true')
    >>> slug("my data") == slug("my-data"), slug("my data").partition("~")[0]
    (False, 'my-data')
    """
    plain = isinstance(value, bool) or value is None
    text = str(value).lower() if plain else str(value)
    short = _short(text)
    if short and text == short and len(short) <= 60 and not re.search(r"--|[^ -~]", text):
        return short
    packed = text.encode(errors="surrogatepass")  # what was typed need be no text
    return f"{short[:40]}{_MARK}{hashlib.sha256(packed).hexdigest()[:12]}"


def _short(text: str) -> str:
    return re.sub(r"[^a-z0-9._]+", "-", text.casefold().replace("'", "")).strip("-._")


def _part(name: str, value: object) -> str:
    """Return a value as part of a folder's name: of an extract not where it lies."""
    shown = told(name, value)
    if shown == value:
        return slug(value)
    short, _, place = shown.rpartition("#")
    return f"{_short(short)[:40]}{_MARK}{place}"


def scope_words(scope: str, values: Mapping[str, Any], changed: Mapping[str, Any]) -> str:
    """Return what a report is about, in words.

    Examples
    --------
    >>> scope_words("sefton", {"local_authority": "Sefton"}, {})
    'Sefton'
    >>> scope_words("national--price_year-2015", {"price_year": 2015}, {"price_year": 2015})
    'England; price year 2015'
    >>> scope_words("sefton--horizon-18", {"local_authority": "Sefton"}, {})
    'Sefton; horizon 18'
    >>> scope_words("national--extract-x", {}, {"extract": "x#0123456789ab"})  # its name alone
    'England; extract x'
    """
    area = place_of(values)
    if area == "all":
        area = "England" if scope.startswith("national") else scope.partition("--")[0].title()
    # What only the chapters it reads declare stands in the folder's name.
    parts = [part.partition("-") for part in scope.split("--")[1:]]
    others = {name: value.partition(_MARK)[0] for name, _, value in parts} | dict(changed)
    others = {name: value for name, value in others.items() if name not in (AREA, REGION)}
    return "; ".join(
        [area, *(f"{one.replace('_', ' ')} {named(one, value)}" for one, value in others.items())]
    )


def named(name: str, value: object) -> object:
    """Return a parameter's value in words: of what lies somewhere, such as an extract, its name."""
    if not isinstance(value, str):
        return value
    short = PurePath(value).name or value
    return short.partition("#")[0] if name == EXTRACT else short
