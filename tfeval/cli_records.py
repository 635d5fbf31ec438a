"""The commands of `tfeval` that work on linked records."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tfeval.errors import ParameterError, TfevalError

Seed = Annotated[int, typer.Option("--seed", help="The same seed gives the same rows.")]
Families = Annotated[int, typer.Option("--families", min=1, help="Families, attached or not.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command("check")(check_command)
    app.command("simulate")(simulate_command)
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
        save.write_text(report.text() + "\n", encoding="utf-8")
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
    from tfeval.records.simulate import simulate_to  # noqa: PLC0415

    settings = dict(_setting(text) for text in setting or [])
    records, truth = simulate_to(out, families=families, seed=seed, **settings)
    typer.echo(f"Records: {records}")
    typer.echo(f"Truth: {truth} (keep it away from what estimates)")


def pseudonymise_command(
    source: Annotated[Path, typer.Argument(help="The extract with real identifiers.")],
    target: Annotated[Path, typer.Argument(help="A new folder for the pseudonymised extract.")],
    key_file: Annotated[
        Path | None, typer.Option("--key-file", help="File with the key; else the environment.")
    ] = None,
) -> None:
    """Replace identifiers by keyed pseudonyms, and dates of birth by months; keep no key."""
    from tfeval.records.pseudonyms import pseudonymise, read_key  # noqa: PLC0415

    done = pseudonymise(source, target, read_key(key_file))
    typer.echo(f"Written: {done.folder}, {len(done.rows)} tables")
    if done.left_out:
        typer.echo(f"Not copied, unknown to the schema: {', '.join(done.left_out)}")


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
