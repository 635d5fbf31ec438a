"""How many families and people of an extract stand alone by what others may know of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import ibis
import numpy as np
import numpy.typing as npt
import pandas as pd

from tfeval.display.rich import Rich
from tfeval.display.tables import BASE, THRESHOLD, safe_count
from tfeval.display.words import QUASI_IDENTIFIERS
from tfeval.errors import DataError, ParameterError, in_own_words, suggest
from tfeval.records.schema import TABLES
from tfeval.records.store import Records, connect

#: Periods of birth, finest first, and what Ibis calls them.
PERIODS = {"month": "M", "quarter": "Q", "year": "Y"}
#: What a neighbour may know of a family; a number of people comes with whatever is said of them.
FAMILY = ("authority", "children", "child_births", "child_sexes", "adults", "adult_births",
          "adult_sexes")  # fmt: skip
_USUAL = FAMILY[:5]
PERSON = ("authority", "birth", "sex", "role")
#: Tables of which a row is itself something to be kept from others.
SENSITIVE = ("offences", "social_care_episodes", "domestic_abuse_incidents")
#: All that is known of a group of people goes with their number.
_OF = {"children": ("children", "child_births", "child_sexes"),
       "adults": ("adults", "adult_births", "adult_sexes")}  # fmt: skip
_NEEDED = {"families": ("family_id", "local_authority"),
           "people": ("person_id", "family_id", "birth_month", "sex", "role")}  # fmt: skip

Array = npt.NDArray[Any]


@dataclass(frozen=True, repr=False)
class Anonymity(Rich):
    """How many stand alone in an extract. Its counts are exact; what it shows hides small ones.

    Attributes
    ----------
    k : int
        Groups below this size are counted beside those of one.
    birth : str
        The period of birth that is taken to be known.
    families, people : int
        How many there are.
    contributions : DataFrame
        One row a quasi-identifier and unit, and one for all of them: `unit` ("families",
        "people"), `what`, `groups`, `alone` and `below_k` by it alone; `alone_without` and
        `below_k_without` by all but it.
    coarser : DataFrame
        One row a unit and period of birth: `alone` and `below_k` by all quasi-identifiers.
    sensitive : DataFrame
        One row a table: `families` with a row in it; `told`, those of them in a group in which
        every family has one; `told_together`, those in such a group of two or more.

    Notes
    -----
    Groups of at least k are k-anonymity (Sweeney 2002); a group in which all have the same is
    what l-diversity is about (Machanavajjhala and others 2007): who knows the group then knows
    that of each family in it, whatever the group's size.
    """

    k: int
    birth: str
    families: int
    people: int
    contributions: pd.DataFrame
    coarser: pd.DataFrame
    sensitive: pd.DataFrame

    def to_frame(self) -> pd.DataFrame:
        """Return the contributions in words, counts as they may be shown."""
        rows = []
        for row in _rows(self.contributions):
            total = self.families if row.unit == "families" else self.people
            counts = (row.alone, row.below_k, row.alone_without, row.below_k_without)
            rows.append(
                (row.unit, QUASI_IDENTIFIERS[row.what], *(_of(one, total) for one in counts))
            )
        names = ("of", "known", "unique", f"below {self.k}", "unique without it",
                 f"below {self.k} without it")  # fmt: skip
        return pd.DataFrame(rows, columns=list(names))

    def text(self) -> str:
        """Return the report as lines of text, small counts hidden."""
        return "\n".join(self._lines())

    __str__ = __repr__ = text

    def _lines(self) -> Iterator[str]:
        for unit, total in (("families", self.families), ("people", self.people)):
            frame = self.contributions[self.contributions["unit"] == unit]
            known = ", ".join(QUASI_IDENTIFIERS[what] for what in frame["what"].iloc[1:])
            whole = frame.iloc[0]
            yield (
                f"Of {safe_count(total)} {unit}, by {known} (births by {self.birth}), unique: "
                f"{_of(whole.alone, total)}; in groups below {self.k}: "
                f"{_of(whole.below_k, total)}."
            )
            for row in _rows(frame.iloc[1:]):
                yield (
                    f"  {QUASI_IDENTIFIERS[row.what]}: unique by it alone "
                    f"{_of(row.alone, total)}, by all but it {_of(row.alone_without, total)}"
                )
            for row in _rows(self.coarser[self.coarser["unit"] == unit]):
                yield (
                    f"  births by {row.birth}: unique {_of(row.alone, total)}; in groups below "
                    f"{self.k}: {_of(row.below_k, total)}"
                )
        for row in _rows(self.sensitive):
            yield (
                f"With {TABLES[row.table].answers}: {safe_count(row.families)} families; in a "
                f"group of which every family has it: {_of(row.told, row.families)}, of these in "
                f"groups of two or more {_of(row.told_together, row.families)}."
            )
        yield (
            "Who knows these facts of a family that is unique can find its records, pseudonyms or "
            "not; in a group of which every family has something, also that. Days of events are "
            "not counted here and single out more. An extract of pseudonyms is still personal data."
        )


@in_own_words("How many stand alone cannot be counted")
def anonymity(
    records: Records | str | Path,
    *,
    k: int = 10,
    birth: str = "month",
    by: Collection[str] | None = None,
) -> Anonymity:
    """Count the families and people of an extract who stand alone, or among few.

    Parameters
    ----------
    records : Records or path
        Open records, or what `open_records` takes.
    k : int, default 10
        Groups below this size are counted.
    birth : {"month", "quarter", "year"}
        The period of birth that is taken to be known. The effect of the others is shown beside.
    by : collection of str, optional
        What others may know of a family: `authority`, `children` and `adults` (how many),
        `child_births`, `child_sexes`, `adult_births`, `adult_sexes`. By default the first two,
        births and sexes of the children, and how many adults.

    Returns
    -------
    Anonymity

    Raises
    ------
    ParameterError
        If a setting is unknown or out of its range.
    DataError
        If families or people lack a column.

    Notes
    -----
    Two families are in one group if they agree in everything, births and sexes child by child. A
    missing value agrees with a missing value. Counted is who is alone in the extract: in England
    there may be others, and who knows that a family is in the extract need not care.

    Examples
    --------
    >>> from tfeval.records.simulate import simulate
    >>> found = anonymity(simulate(families=300, seed=1).records, by=["children"])
    >>> found.families, int(found.contributions.groups[0])
    (300, 4)
    """
    named = _USUAL if by is None else tuple(one for one in FAMILY if one in by)
    _refuse_settings(k, birth, by)
    opened = records if isinstance(records, Records) else connect(records)
    families, people = _frames(opened)
    codes = {period: _periods(people["birth"], period) for period in PERIODS}

    def family_groups(known: Collection[str], period: str) -> Array:
        return _family_groups(families, people, codes[period], known)

    def person_groups(known: Collection[str], period: str) -> Array:
        profiles = people.assign(birth=codes[period])
        return _together([pd.factorize(profiles[one])[0] for one in known], len(people))

    units = {"families": (named, family_groups), "people": (PERSON, person_groups)}
    rows: list[tuple[Any, ...]] = []
    coarser: list[tuple[Any, ...]] = []
    for unit, (every, groups) in units.items():
        rows.append((unit, "all", *_alone(groups(every, birth), k), None, None))
        for one in every:
            without = [other for other in every if other not in _OF.get(one, (one,))]
            left = _alone(groups(without, birth), k)[1:]
            rows.append((unit, one, *_alone(groups([one], birth), k), *left))
        for period in PERIODS:
            coarser.append((unit, period, *_alone(groups(every, period), k)[1:]))
    names = ["unit", "what", "groups", "alone", "below_k", "alone_without", "below_k_without"]
    return Anonymity(
        k, birth, len(families), len(people), pd.DataFrame(rows, columns=names),
        pd.DataFrame(coarser, columns=["unit", "birth", "alone", "below_k"]),
        _traits(opened, families, family_groups(named, birth)),
    )  # fmt: skip


def _refuse_settings(k: int, birth: str, by: Collection[str] | None) -> None:
    if isinstance(k, bool) or not isinstance(k, int) or k < 2:
        raise ParameterError("k is a whole number from 2 up: the smallest group that is enough.")
    if birth not in PERIODS:
        raise ParameterError(f"birth is a period of birth. {suggest(birth, PERIODS)}")
    for one in by or ():
        if one not in FAMILY:
            raise ParameterError(f"by: there is no {one}. {suggest(one, FAMILY)}")
    if by is not None and not by:
        raise ParameterError("by names nothing: name what others may know of a family.")


def _frames(records: Records) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return one row a family (its authorities), and one a person of these families."""
    for name, columns in _NEEDED.items():
        lacks = [one for one in columns if one not in records.rows(name).columns]
        if lacks:
            raise DataError(f"{name} lacks {', '.join(lacks)}: who is alike cannot be said.")
    rows = records.rows("families").select(*_NEEDED["families"]).distinct().to_pandas()
    rows = rows.dropna(subset="family_id").sort_values(["family_id", "local_authority"])
    once = rows["local_authority"].fillna("").groupby(rows["family_id"]).agg("+".join)
    families = pd.DataFrame({"family_id": once.index, "authority": once.to_numpy()})
    table = records.rows("people")
    people = table.select(
        "family_id", "sex", "role", birth=table.birth_month.year() * 12 + table.birth_month.month()
    ).to_pandas()
    place = pd.Index(families["family_id"]).get_indexer(people["family_id"])
    people = people.assign(family=place)[place >= 0].reset_index(drop=True)
    return families, people.assign(authority=families["authority"].to_numpy()[people["family"]])


def _periods(months: pd.Series, period: str) -> Array:
    """Return periods of birth as whole numbers, -1 for none."""
    length = {"month": 1, "quarter": 3, "year": 12}[period]
    known = months.notna().to_numpy()
    return np.where(known, (months.fillna(1).to_numpy() - 1) // length, -1)


def _family_groups(
    families: pd.DataFrame, people: pd.DataFrame, births: Array, known: Collection[str]
) -> Array:
    """Return for each family the number of its group: those alike in all that is known."""
    parts = []
    if "authority" in known:
        parts.append(pd.factorize(families["authority"])[0])
    child = (people["role"] == "child").to_numpy()
    for who, mine in (("children", child), ("adults", ~child)):
        number, born, sexes = _OF[who]
        if {number, born, sexes} & set(known):
            traits = [births[mine]] if born in known else []
            traits += [pd.factorize(people["sex"][mine])[0]] if sexes in known else []
            alike = _together(traits, int(mine.sum()))
            parts.append(_sums(alike, people["family"].to_numpy()[mine], len(families)))
    return _together(parts, len(families))


def _sums(alike: Array, family: Array, families: int) -> Array:
    """Return one number for the people of each family, the same where they are alike in any order.

    Each kind of person has a number of 64 bits drawn once, and a family the sum of its people's:
    two families that differ have the same sum with a chance of 2 to the power of -64.
    """
    drawn = np.random.default_rng(20120401).integers(
        0, 2**64, size=int(alike.max(initial=0)) + 1, dtype=np.uint64
    )
    sums = np.zeros(families, np.uint64)
    np.add.at(sums, family, drawn[alike])
    return sums


def _together(parts: list[Array], length: int) -> Array:
    """Return the number of the group of each: those alike in all parts."""
    codes = [np.unique(part, return_inverse=True)[1].astype(np.int64) for part in parts]
    if not codes:
        return np.zeros(length, np.int64)
    return reduce(
        lambda left, right: np.unique(left * (int(right.max(initial=0)) + 1) + right,
                                      return_inverse=True)[1], codes
    )  # fmt: skip


def _alone(groups: Array, k: int) -> tuple[int, int, int]:
    """Return how many groups there are, and how many units are in groups of one, and below k."""
    sizes = np.bincount(groups) if len(groups) else np.zeros(0, np.int64)
    return len(sizes), int((sizes == 1).sum()), int(sizes[sizes < k].sum())


def _traits(records: Records, families: pd.DataFrame, groups: Array) -> pd.DataFrame:
    sizes = np.bincount(groups) if len(groups) else np.zeros(0, np.int64)
    rows = []
    for name in SENSITIVE:
        if name not in records.tables or "person_id" not in records.rows(name).columns:
            continue
        ids = _family_ids(records, name)
        has = families["family_id"].isin(ids).to_numpy()
        every = np.bincount(groups, weights=has, minlength=len(sizes)) == sizes
        exposed = has & every[groups]
        rows.append(
            (name, int(has.sum()), int(exposed.sum()), int((exposed & (sizes[groups] > 1)).sum()))
        )
    return pd.DataFrame(rows, columns=["table", "families", "told", "told_together"])


def _family_ids(records: Records, name: str) -> pd.Series:
    table: ibis.Table = records.rows(name)
    if "family_id" not in table.columns:
        homes = records.rows("people").select("person_id", "family_id")
        table = table.select("person_id").distinct().inner_join(homes, "person_id")
    return table.select("family_id").distinct().to_pandas()["family_id"]


def _rows(frame: pd.DataFrame) -> Iterator[Any]:
    yield from frame.itertuples()


def _of(count: float, total: int) -> str:
    """Write how many of a total, as it may be shown: neither few nor all but few."""
    if pd.isna(count):
        return ""
    if count == total or min(count, total) < THRESHOLD:
        return safe_count(count)
    if total - count < THRESHOLD:
        return f"all but fewer than {THRESHOLD}"
    share = BASE * round(count / BASE) / (BASE * round(total / BASE))
    return f"{safe_count(count)} ({share:.0%})"
