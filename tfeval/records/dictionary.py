"""The data dictionary of linked records and outcomes, written from schema and registry."""

from __future__ import annotations

from pathlib import Path

from tfeval.programme.outcomes import Outcome, cohort_outcomes
from tfeval.records.schema import TABLES, Column, Table
from tfeval.settings import project_folder

START = "<!-- linked records: written by tfeval.records.dictionary from the schema -->"
END = "<!-- end of linked records -->"
_INTRODUCTION = """## Linked records

An extract holds these tables, one Parquet or CSV file each (`families.parquet`), or a folder each
of such parts (`families/`, also by `families/year=2013/`), or as tables of a DuckDB file or another
database. Only `families` and `people` are needed: a missing table narrows
what can be answered. Dates are days, written YYYY-MM-DD in CSV, with an empty field for none; a
timestamp with a zone counts as its day in London. Flags are true or false. A file `about.json`
beside the tables may say `"simulated": true`, and in `"records_to"` the last day of the
records (else it is today).

- A spell is half-open: `started_on` is its first day, `ended_on` the first day on which it no
  longer held, empty if it still did when the records end.
- A term and a window of coverage are closed: their last day belongs to them.
- A person's day counts once towards an outcome of days, in however many spells of that kind it
  lies (two placements, two jobs at once). Events all count, and sessions of a pupil's rows of one
  term, in two schools, add up.
- No row means that nothing happened only where `coverage` says that the authority's records were
  sent for that day. Periods that touch are one. An outcome over months is known where one period
  holds all of them, before a gap or after it; over months with a gap in them it is missing, and
  never none.
- Authorities are those of 2012-15. A code that the same area had in other years is read as that of
  then (`authority_codes`); of one that is a part of an authority, or lies over several, families
  are not placed."""


_OUTCOMES = """## Outcomes

What a cohort counts from these tables over the months after the index date
(`families.outcomes(12)`), and as covariates over the twelve months before. They are written down
in `tfeval/programme/outcomes.py`, and everything else that knows outcomes is made from there."""
_OUTCOMES_HEAD = (
    "| outcome | for readers | table | unit | better | meaning | no unit cost, since |",
    "|---|---|---|---|---|---|---|",
)


def data_dictionary() -> str:
    """Return the data dictionary as Markdown.

    Examples
    --------
    >>> "### `school_terms`" in data_dictionary()
    True
    """
    tables = map(_section, TABLES.values())
    rows = [*_OUTCOMES_HEAD, *map(_outcome, cohort_outcomes())]
    return "\n\n".join([START, _INTRODUCTION, *tables, _OUTCOMES, "\n".join(rows), END])


def write_dictionary(path: Path | None = None) -> None:
    """Put the data dictionary into `data/README.md`, in place of the one there.

    Parameters
    ----------
    path : Path, optional
        Another file.
    """
    file = path or project_folder("data") / "README.md"
    text = file.read_text(encoding="utf-8") if file.is_file() else "# Data dictionary\n"
    before, _, rest = text.partition(START)
    after = rest.partition(END)[2]
    file.write_text(
        f"{before.rstrip()}\n\n{data_dictionary()}\n{after.lstrip() and chr(10) + after.lstrip()}",
        encoding="utf-8",
    )


def _section(table: Table) -> str:
    facts = [
        table.description,
        f"Key: {', '.join(f'`{name}`' for name in table.key)}.",
        "Needed." if table.needed else f"If missing: {table.answers}.",
    ]
    if table.no_overlap:
        same = " and ".join(f"`{name}`" for name in table.no_overlap)
        facts.append(f"No two rows of the same {same} may cover the same day.")
    if table.ages:
        youngest, too_old = table.ages
        facts.append(f"Age at `{table.event_on}`: {youngest} to {too_old - 1}.")
    for first, second in table.order:
        facts.append(f"`{second}` is not before `{first}`.")
    rows = [
        "| column | holds | unit | may be empty | meaning |",
        "|---|---|---|---|---|",
        *(_row(name, column) for name, column in table.columns.items()),
    ]
    return f"### `{table.name}`\n\n{' '.join(facts)}\n\n" + "\n".join(rows)


def _outcome(row: Outcome) -> str:
    facts = (f"`{row.name}`", row.label, f"`{row.table}`", row.unit,
             row.better * row.reported, row.description,
             row.no_price)  # fmt: skip
    return f"| {' | '.join(facts)} |"


def _row(name: str, column: Column) -> str:
    holds = column.kind
    if column.allowed:
        holds = ", ".join(f"`{value}`" for value in column.allowed)
    if column.most is not None:
        holds = f"{holds}, 0 to {column.most:,}"
    if column.link:
        holds = f"{holds}, found in `{column.link}`"
    empty = "yes" if column.nullable else "no"
    if not column.required:
        empty += "; column may be missing"
    return f"| `{name}` | {holds} | {column.unit} | {empty} | {column.description} |"


if __name__ == "__main__":
    write_dictionary()
