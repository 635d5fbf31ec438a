"""Make one table of the dictionary in the engine, and count what was done to each value."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import date

import ibis
import pyarrow as pa

from tfeval.errors import DataError
from tfeval.records.allow_list import key_text
from tfeval.records.preparation.dates import ISO, DateForm
from tfeval.records.preparation.mapping import (
    KEEP,
    LEAVE_OUT,
    MARK,
    REFUSE,
    ColumnRule,
    Plan,
    TableRule,
)
from tfeval.records.preparation.sources import Source, as_text, column_of
from tfeval.records.preparation.values import LIES_ACROSS, MARKED, Read, constant, reader
from tfeval.records.schema import TABLES, Column

_SPACE = "' \t\n\r\v\f' || chr(160)"
_SQL = {"string": "VARCHAR", "int64": "BIGINT", "date": "DATE", "boolean": "BOOLEAN"}
#: Of a column and of what was done to its values, how many.
Tally = Counter[tuple[str, str]]


@dataclass
class Making:
    """One table in the making.

    Attributes
    ----------
    came : Source
        The extract.
    rule : TableRule
        What the mapping says of the table.
    plan : Plan
        The whole mapping.
    ends_on : date
        The last day of the records.
    done, unread, refused : Counter
        How many values of a column were changed by a rule; could not be read and are marked or
        missing; could not be read and are refused.
    left_out : list of str
        Columns that the mapping does not name.
    marked : set of str
        Columns in which a value is marked, and which are therefore text.
    """

    came: Source
    rule: TableRule
    plan: Plan
    ends_on: date
    done: Tally = field(default_factory=Counter)
    unread: Tally = field(default_factory=Counter)
    refused: Tally = field(default_factory=Counter)
    left_out: list[str] = field(default_factory=list)
    marked: set[str] = field(default_factory=set)

    @property
    def name(self) -> str:
        """The table's name in the dictionary."""
        return self.rule.name

    @property
    def out(self) -> str:
        """Where it lies in the engine."""
        return f"prepared_{self.name}"

    def make(self) -> None:
        """Read the table, each value once, and lay it down in the engine.

        Raises
        ------
        DataError
            If the extract has not what the mapping names.
        """
        raw = self.came.read(self.rule)
        used = {column.source for column in self.rule.columns.values()}
        self.left_out = [f"{self.name}.{one}" for one in raw.columns if one.strip() not in used]
        rules, texts = dict(self.rule.columns), {}
        for name, rule in rules.items():
            if rule.source:
                texts[name], rules[name] = self._text(raw, name, rule)
        if not texts:
            raise DataError(f"tables.{self.name} takes no column from the extract: name one.")
        table = self.came.connection.create_table(
            f"came_{self.name}", raw.select(**texts), temp=True
        )
        rows = int(table.count().to_pyarrow().as_py())
        parts, joins = [], []
        for name, rule in rules.items():
            if rule.source and self._definition(name).kind != "identifier":
                joins.append(self._joined(table, name, rule))
            parts.append(f'{self._value(name, rule, rows)} AS "{name}"')
        self.came.connection.raw_sql(
            f'CREATE TEMP TABLE "{self.out}" AS SELECT {", ".join(parts)} '
            f'FROM "came_{self.name}" t {" ".join(joins)}'
        )

    def _definition(self, name: str) -> Column:
        return TABLES[self.name].columns[name]

    def _place(self, name: str) -> str:
        return f"tables.{self.name}.columns.{name}"

    def _text(self, raw: ibis.Table, name: str, rule: ColumnRule) -> tuple[ibis.Value, ColumnRule]:
        value = column_of(raw, self._place(name), rule)
        if self._definition(name).kind == "identifier":
            return key_text(value, self._place(name)), rule
        text, as_day = as_text(value, self._place(name))
        return text, replace(rule, dates=(DateForm(ISO),)) if as_day else rule

    def _value(self, name: str, rule: ColumnRule, rows: int) -> str:
        """Return what a column is in SQL."""
        definition = self._definition(name)
        wanted = "VARCHAR" if name in self.marked else _SQL[definition.type]
        if rule.number_rows:
            return "row_number() OVER ()"
        if not rule.source:
            said = constant(self._place(name), definition, rule, ends_on=self.ends_on)
            self.done[name, "value of the mapping"] += rows
            return f"CAST('{said}' AS {wanted})"
        if definition.kind == "identifier":
            return self._identifier(name, rule.null_words)
        return f'CAST("m_{name}".value AS {wanted})'

    def _identifier(self, name: str, null_words: frozenset[str]) -> str:
        """Take an identifier over as it is, without space, and as none if it is a word for none."""
        bare = f'trim(t."{name}", {_SPACE})'
        words = ", ".join("'" + word.replace("'", "''") + "'" for word in sorted(null_words))
        none = f"lower({bare}) IN ({words or 'NULL'})"
        counted = self.came.connection.raw_sql(
            f"SELECT count(*) FILTER (WHERE {none}), count(*) FILTER (WHERE {bare} <> '' AND "
            f'{bare} <> t."{name}") FROM "came_{self.name}" t'
        ).fetchone()
        self.done[name, "word for no value"] += counted[0]
        self.done[name, "space around it"] += counted[1]
        return f"CASE WHEN {none} OR {bare} = '' THEN NULL ELSE {bare} END"

    def _joined(self, table: ibis.Table, name: str, rule: ColumnRule) -> str:
        """Lay down what each text of a column means, and return how it is joined."""
        # Of a window a part says which it is: the whole's is where all its parts were sent.
        parts = KEEP if self.name == "coverage" and self.plan.parts != REFUSE else self.plan.parts
        read = reader(self._definition(name), rule, ends_on=self.ends_on, parts=parts)
        texts = table.select(text=table[name]).filter(table[name].notnull())
        counted = texts.group_by("text").aggregate(times=texts.count()).to_pyarrow()
        values = [
            self._counted(name, rule, read(text), times)
            for text, times in zip(*(counted[one].to_pylist() for one in counted.column_names),
                                   strict=True)
        ]  # fmt: skip
        means = pa.table({"text": counted["text"], "value": pa.array(values, pa.string())})
        place = f"means_{self.name}_{name}"
        self.came.connection.create_table(place, means, temp=True)
        return f'LEFT JOIN "{place}" "m_{name}" ON t."{name}" = "m_{name}".text'

    def _counted(self, name: str, rule: ColumnRule, what: Read, times: int) -> str | None:
        """Count what was done to a value, and return what it becomes."""
        for done in what.rules:
            self.done[name, done] += times
        if not what.unread:
            return what.value
        if what.unread == LIES_ACROSS and self.plan.across == LEAVE_OUT:
            return what.value  # until its families are left out
        if rule.unread == REFUSE:
            self.refused[name, what.unread] += times
            return what.value
        self.unread[name, what.unread] += times
        if rule.unread == MARK:
            self.marked.add(name)
            return MARKED
        return None
