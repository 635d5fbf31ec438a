"""The command that turns a department's extract into the dictionary's form."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tfeval.errors import ParameterError


def prepare_command(
    source: Annotated[
        Path, typer.Argument(help="What was sent: a folder, a file, a workbook, a DuckDB file.")
    ],
    target: Annotated[
        Path | None, typer.Argument(help="A new folder for the extract in the dictionary's form.")
    ] = None,
    mapping: Annotated[Path | None, typer.Option("--mapping", help="The mapping, as TOML.")] = None,
    draft: Annotated[
        bool,
        typer.Option("--draft", help="Begin the mapping from what is seen, and write no more."),
    ] = False,
) -> None:
    """Write an extract in the form of the data dictionary, by a mapping that you wrote.

    Nothing is guessed, nothing half written, and no value told: what cannot be read is refused, by
    place and count. With --draft the mapping is begun, for you to check.
    """
    from tfeval.records.preparation.prepare import draft_mapping, prepare  # noqa: PLC0415
    from tfeval.records.private import write_private  # noqa: PLC0415

    if mapping is None:
        raise ParameterError("Name the mapping with --mapping FILE; --draft begins one there.")
    if draft:
        if target is not None:
            raise ParameterError("--draft writes the mapping alone: leave the new folder out.")
        write_private(mapping, draft_mapping(source))
        typer.echo(f"Draft: {mapping}, for you alone. Check every line, then leave --draft out.")
        return
    if target is None:
        raise ParameterError("Name a new folder for the prepared extract.")
    typer.echo(prepare(source, target, mapping).text())
