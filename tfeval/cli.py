"""The command `tfeval`."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from tfeval.cli_records import prepare_command
from tfeval.errors import ParameterError, TfevalError, public_line
from tfeval.report.area_jobs import area_jobs, chapters_of_the_nation, each_once
from tfeval.report.fingerprint import keep_private, tfeval_version, trace
from tfeval.report.parameters import parse_options
from tfeval.report.plan import Job, plan
from tfeval.report.progress import counting, follow, line
from tfeval.report.reports_index import write_index
from tfeval.report.run import ending_with_index, run_jobs
from tfeval.settings import CELL_MINUTES, project_folder

# The commands of `tfeval` that work on linked records.

Seed = Annotated[int, typer.Option("--seed", help="The same seed gives the same rows.")]
Families = Annotated[int, typer.Option("--families", min=1, help="Families, attached or not.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command("check")(check_command)
    app.command("simulate")(simulate_command)
    app.command("prepare")(prepare_command)
    app.command("new-key")(new_key_command)
    app.command("pseudonymise")(pseudonymise_command)


def check_command(
    path: Annotated[Path, typer.Argument(help="Folder of Parquet or CSV, or a DuckDB file.")],
    exact: Annotated[
        bool, typer.Option("--exact", help="Exact counts: only inside the secure environment.")
    ] = False,
    save: Annotated[
        Path | None, typer.Option("--save", help="Also write the report here, small counts hidden.")
    ] = None,
) -> None:
    """Check an extract of linked records and report every fault at once, never a row's values."""
    from tfeval.records.check import check_records  # noqa: PLC0415

    if not path.exists():
        raise TfevalError(f"There is no {path}: name a folder of tables or a DuckDB file.")
    report = check_records(path)
    typer.echo(report.text(exact=exact))
    if save is not None:
        text = report.text() + "\n"
        save.write_text(text, encoding="utf-8", errors="backslashreplace")
    if not report.clean:
        raise typer.Exit(1)


def simulate_command(
    out: Annotated[Path, typer.Argument(help="Folder for the records; the truth goes beside it.")],
    families: Families = 10_000,
    seed: Seed = 1,
    setting: Annotated[
        list[str] | None,
        typer.Option("-s", metavar="NAME=VALUE", help="A setting of the simulation; repeatable."),
    ] = None,
) -> None:
    """Simulate linked records with a known effect, and the truth into a folder of its own."""
    from tfeval.calls import public  # noqa: PLC0415
    from tfeval.records.simulate import simulate_to  # noqa: PLC0415

    settings = dict(_setting(text) for text in setting or [])
    records, truth = public(simulate_to)(out, families=families, seed=seed, **settings)
    typer.echo(f"Records: {records}")
    typer.echo(f"Truth: {truth} (keep it away from what estimates)")


def new_key_command(
    file: Annotated[Path, typer.Argument(help="A new file; what is there is never overwritten.")],
) -> None:
    """Draw a key for pseudonyms and write it into a new file that only you may read."""
    from tfeval.records.pseudonyms import new_key  # noqa: PLC0415

    new_key(file)
    typer.echo(f"Key: {file}, for you alone. Keep it apart from the extracts made with it.")


def pseudonymise_command(
    source: Annotated[Path, typer.Argument(help="The extract with real identifiers.")],
    target: Annotated[Path, typer.Argument(help="A new folder for the pseudonymised extract.")],
    key_file: Annotated[
        Path | None, typer.Option("--key-file", help="File with the key; else the environment.")
    ] = None,
    set_missing: Annotated[
        bool,
        typer.Option(
            "--set-missing", help="Set missing, and count, what the schema does not allow."
        ),
    ] = False,
    birth: Annotated[
        str, typer.Option("--birth", help="Period of birth that is kept: month, quarter or year.")
    ] = "month",
) -> None:
    """Write what the schema allows, with keyed pseudonyms for identifiers, for you alone.

    Identifiers become pseudonyms, dates of birth months; days, numbers and codes pass if they are
    the schema's, and nothing else does. Keeps no key. Says how many stand alone all the same.
    """
    from tfeval.records.pseudonyms import pseudonymise, read_key  # noqa: PLC0415

    key = read_key(key_file)
    typer.echo(pseudonymise(source, target, key, set_missing=set_missing, birth=birth).text())


def _setting(text: str) -> tuple[str, Any]:
    """Read `name=value`: a number where it is one, else JSON (for effects), else text."""
    import json  # noqa: PLC0415

    name, mark, value = text.partition("=")
    if not mark or not name:
        raise ParameterError(f"A setting is name=value, not {text}.")
    try:
        return name.strip(), json.loads(value)
    except json.JSONDecodeError:
        return name.strip(), value


_REGISTER = "register"
REPORT_AREAS = ("Sefton", "Liverpool", "Wirral", "Rutland")

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

add_to(app)

Names = Annotated[list[str] | None, typer.Argument(help="Notebooks, with or without .ipynb.")]
Notebooks = Annotated[
    Path | None, typer.Option("--notebooks", help="Folder of notebooks; by default the project's.")
]
Out = Annotated[Path, typer.Option("--out", help="Folder for the reports.")]
Force = Annotated[bool, typer.Option("--force", help="Run again even what is up to date.")]
Workers = Annotated[int, typer.Option("--jobs", min=1, help="Notebooks at a time.")]
Accept = Annotated[
    str | None,
    typer.Option("--accept-faults", metavar="REASON", help="Why to run on an extract with faults."),
]
CellMinutes = Annotated[
    float, typer.Option("--cell-minutes", help="How long a cell may take before its page fails.")
]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tfeval {tfeval_version()}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Report what the Troubled Families Programme claimed, caused and was worth."""


@app.command("run")
def run_command(  # noqa: PLR0917 - the command line names its options
    notebook: Names = None,
    parameter: Annotated[
        list[str] | None, typer.Option("-p", metavar="NAME=VALUE", help="A parameter; repeatable.")
    ] = None,
    area: Annotated[
        list[str] | None,
        typer.Option(
            "--area",
            help='A local authority, by name or ONS code, or a region; "all" for every one, the '
            "nine regions and the nation.",
        ),
    ] = None,
    out: Out = Path("reports"),
    force: Force = False,
    jobs: Workers = 2,
    notebooks: Notebooks = None,
    accept_faults: Accept = None,
    cell_minutes: CellMinutes = CELL_MINUTES,
    cluster: Annotated[
        str, typer.Option("--cluster", help="Address of a Dask scheduler whose workers run them.")
    ] = "",
) -> None:
    """Run notebooks into reports: by default the national chapters."""
    folder = _folder(notebooks)
    given = parse_options(parameter or [])
    if not area:
        planned = plan(notebook or chapters_of_the_nation(folder), given, folder)
    else:
        planned = area_jobs(notebook, area, given, folder)
    _run(planned, out, force, jobs, accept_faults, cell_minutes, cluster)


@app.command("report")
def report_command(  # noqa: PLR0917 - the command line names its options
    out: Out = Path("reports"),
    force: Force = False,
    jobs: Workers = 2,
    notebooks: Notebooks = None,
    accept_faults: Accept = None,
    cell_minutes: CellMinutes = CELL_MINUTES,
) -> None:
    """Make the national report and the pages of four local authorities."""
    folder = _folder(notebooks)
    planned = plan(chapters_of_the_nation(folder), {}, folder)
    planned += area_jobs(None, REPORT_AREAS, {}, folder)
    _run(each_once(planned), out, force, jobs, accept_faults, cell_minutes)


@app.command("brief")
def brief_command(
    reports: Annotated[Path, typer.Argument(help="Folder of reports.")] = Path("reports"),
    out: Annotated[
        Path | None, typer.Option("--out", help="The PDF; by default brief.pdf among the reports.")
    ] = None,
) -> None:
    """Print the summary as a tagged PDF of two sheets, by the system's Chromium."""
    from tfeval.report.print_pdf import brief  # noqa: PLC0415

    typer.echo(f"Brief: {brief(reports, out)}")


@app.command("store")
def store_command(notebook: Names = None, notebooks: Notebooks = None) -> None:
    """Run the project's notebooks on their defaults and keep them with their outputs."""
    from tfeval.report.execute import store  # noqa: PLC0415

    store(notebook or [], _folder(notebooks), lambda path: typer.echo(f"stored {path.name}"))


@app.command("audit")
def audit_command(  # noqa: PLR0917 - the command line names its options
    worlds: Annotated[
        str, typer.Option("--worlds", help="Keys of worlds, with commas; by default all.")
    ] = "",
    comparisons: Annotated[
        str, typer.Option("--comparisons", help="Comparison groups, with commas; by default all.")
    ] = "",
    effects: Annotated[
        str, typer.Option("--effects", help="none, known, some, with commas; by default all.")
    ] = "",
    replications: Annotated[
        int, typer.Option("--replications", min=1, help="Of each world, those done before counted.")
    ] = 100,
    families: Annotated[
        int, typer.Option("--families", min=1, help="In each; with --like, at most.")
    ] = 4_000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed, the same table.")] = 1,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Processes.")] = 1,
    scheduler: Annotated[
        str, typer.Option("--scheduler", help="Address of a Dask scheduler, in their place.")
    ] = "",
    like: Annotated[
        Path | None, typer.Option("--like", help="An extract whose counts and means to imitate.")
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Every design with every estimator and horizon.")
    ] = False,
    out: Annotated[
        Path, typer.Option("--out", help="Folder; what it holds already is not done again.")
    ] = Path("reports/audit"),
    add_to: Annotated[
        Path | None,
        typer.Option("--add-to", help="A table that the draws are added to, of other seeds."),
    ] = None,
) -> None:
    """Run the methods where the truth is known, and tabulate how often they are right."""
    from tfeval.audit.replication import tasks  # noqa: PLC0415
    from tfeval.audit.running import Plan, run, tabulate  # noqa: PLC0415
    from tfeval.audit.summary import TABLE, add_draws, write_known_truth  # noqa: PLC0415
    from tfeval.audit.worlds import SIMULATORS  # noqa: PLC0415
    from tfeval.report.chapters import known_truth  # noqa: PLC0415

    plan = Plan.of(_listed(comparisons), full=full)
    about: dict[str, Any] = {"add_draws_with": known_truth.COMMAND, **_made_with()}
    if like is not None:
        families, changes = _like(like, families)
        plan, about = Plan(plan.comparisons, plan.wanted, changes), {**about, "like": like.name}
    able = tuple(key for key, row in SIMULATORS.items() if row.imitates or like is None)
    todo = tasks(worlds=_listed(worlds), effects=_listed(effects), families=families, seed=seed,
                 simulators=able, replications=replications)  # fmt: skip
    with counting("Replications", len(todo)) as tell:
        run(todo, out, plan, workers=workers, scheduler=scheduler,
            made_with={"commit": about["commit"]}, tell=tell)  # fmt: skip
    known = tabulate(out, families, seed, plan.changes, about)
    if add_to is not None:
        known = add_draws(out, add_to)
    write_known_truth(known, out / TABLE)
    typer.echo(known_truth.in_short(known))
    typer.echo(f"Table: {out / TABLE}")


def _like(extract: Path, families: int) -> tuple[int, dict[str, Any]]:
    """Return how many families an extract has, at most so many, and settings that imitate it."""
    from tfeval.audit.worlds import aggregates, imitation  # noqa: PLC0415
    from tfeval.records.store import open_records  # noqa: PLC0415

    if not extract.exists():
        raise TfevalError(f"There is no {extract}: name a folder of tables or a DuckDB file.")
    extract_facts = aggregates(open_records(extract))
    # To the nearest hundred: a count of families is no setting that must be exact.
    return min(round(extract_facts.families, -2), families), imitation(extract_facts)


def _made_with() -> dict[str, Any]:
    """Return the commit and the versions that an audit is made with."""
    from tfeval.report.fingerprint import installed_versions, tfeval_version  # noqa: PLC0415

    names = ("numpy", "pandas", "statsmodels", "duckdb", "ibis-framework", "scikit-learn")
    versions = {"tfeval": tfeval_version(), **installed_versions(names)}
    return {"commit": _commit(), "versions": versions}


def _commit() -> str:
    import subprocess  # noqa: PLC0415

    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=project_folder("data"), capture_output=True,
            text=True, check=False,
        )  # fmt: skip
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _listed(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


@app.command("release")
def release_command(
    reports: Annotated[Path, typer.Argument(help="A folder of finished reports: it stays inside.")],
    outside: Annotated[Path, typer.Argument(help="A new folder: the only thing that may leave.")],
    ledger: Annotated[
        Path, typer.Option("--ledger", help="The one ledger of these records; made if need be.")
    ],
) -> None:
    """Release the numbers of reports as cells: rounded, hidden, and held to earlier releases."""
    from tfeval.release.release import release  # noqa: PLC0415

    typer.echo(release(reports, outside, ledger).text())


@app.command("check-release")
def check_release_command(
    folder: Annotated[Path, typer.Argument(help="What is about to leave.")],
    ledger: Annotated[
        Path | None, typer.Option("--ledger", help="Every number must stand in this ledger too.")
    ] = None,
) -> None:
    """Look through what is about to leave: one line a fault."""
    from tfeval.release.ledger import Ledger  # noqa: PLC0415
    from tfeval.release.scan import faults  # noqa: PLC0415

    if ledger is not None and not ledger.exists():
        raise ParameterError(f"There is no ledger {ledger}.")
    problems = faults(folder, None if ledger is None else Ledger(ledger))
    for fault in problems:
        typer.echo(fault)
    if problems:
        raise typer.Exit(1)
    typer.echo("No fault found.")


@app.command("plan")
def plan_command(
    file: Annotated[
        str,
        typer.Argument(help='A plan, as TOML; by default the project\'s. Or "register", then it.'),
    ] = "project",
    plan_to_register: Annotated[
        str | None, typer.Argument(metavar="[PLAN]", help='After "register": the plan.')
    ] = None,
    register: Annotated[
        Path | None, typer.Option("--register", help="The register; by default beside the plan.")
    ] = None,
    cohort: Annotated[
        str, typer.Option("--cohort", help="With register: the cohort's hash, if it is known.")
    ] = "",
) -> None:
    """Check an analysis plan: show what it says, its hash and its registration, or every fault.

    tfeval plan register PLAN writes it into its register, before outcomes are read.
    """
    from tfeval.impact.plan.analysis_plan import (  # noqa: PLC0415
        load_plan,
        plan_text,
        read_plan,
        register_plan,
    )
    from tfeval.impact.plan.rules import plan_faults  # noqa: PLC0415

    wanted = file == _REGISTER
    place = plan_to_register or "project" if wanted else file
    if not wanted and (plan_to_register or cohort):
        raise ParameterError("One plan at a time; a second word and --cohort go with register.")
    faults = plan_faults(load_plan(place))
    for fault in faults:
        typer.echo(fault)
    if faults:
        raise typer.Exit(1)
    if wanted:
        register_plan(place, register=register, cohort=cohort)
    typer.echo(plan_text(read_plan(place, register=register)))


def _folder(notebooks: Path | None) -> Path:
    folder = notebooks or project_folder("notebooks")
    if not folder.is_dir():
        raise TfevalError(f"There is no folder {folder} of notebooks.")
    return folder


def _run(  # noqa: PLR0917 - as the command line gives them
    planned: list[Job],
    out: Path,
    force: bool,
    workers: int,
    accept: str | None,
    minutes: float,
    cluster: str = "",
) -> None:
    """Run, show where the pages are, write the index; fail at the end if a notebook failed."""
    if accept is not None and not accept.strip():
        raise ParameterError("--accept-faults needs the reason why, which every page then says.")
    try:
        with ending_with_index(out), follow(len(planned)) as tell:
            outcomes = run_jobs(planned, out, force=force, workers=workers, report=tell,
                                accept_faults=accept or "", cell_minutes=minutes,
                                cluster=cluster)  # fmt: skip
    except KeyboardInterrupt as asked:
        typer.echo("tfeval: stopped. What is whole is kept; run the same again to go on.", err=True)
        raise typer.Exit(128 + (asked.args[0] if asked.args else signal.SIGINT)) from None
    index = write_index(out)
    bad = [outcome for outcome in outcomes if not outcome.good]
    if bad:
        typer.echo(f"{len(bad)} of {len(outcomes)} pages are not complete:", err=True)
        for outcome in bad:
            typer.echo(line(outcome), err=True)
    typer.echo(f"Index: {index}")
    if bad:
        raise typer.Exit(1)


def main() -> None:
    """Run the command line; an error is one line, and what a library says of it stays private."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:  # a file's name need be no text
        reconfigure(errors="backslashreplace")
    try:
        app()
    except TfevalError as fault:
        _fail(str(fault), 1)
    except Exception as fault:
        if isinstance(fault, OSError) and fault.strerror:
            _fail(f"{fault.strerror}: {fault.filename or ''}".rstrip(": "), 1)
        _fail(f"{public_line(fault)}; its traceback is in {_kept(fault)}, for you alone.", 1)


def _kept(fault: Exception) -> str:
    """Keep a traceback in a file of the user's own, and return where."""
    import tempfile  # noqa: PLC0415

    handle, name = tempfile.mkstemp(prefix="tfeval-", suffix=".txt")
    os.close(handle)
    keep_private(trace(fault), Path(name))
    return name


def _fail(message: str, status: int) -> None:
    sys.stderr.write(f"tfeval: {message}\n")
    sys.exit(status)
