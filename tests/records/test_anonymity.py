"""Who stands alone is counted as a slow count of tuples says, and shown without small counts."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from pathlib import Path

import pandas as pd
import pytest

from tfeval.display.words import QUASI_IDENTIFIERS
from tfeval.errors import DataError, ParameterError
from tfeval.records.anonymity import FAMILY, PERIODS, PERSON, anonymity
from tfeval.records.store import connect, from_tables, open_records


@cache
def _written(folder: Path) -> tuple[dict[str, list[str]], dict[str, list[tuple]]]:
    """Return for each family its authorities, and its people as (is a child, birth, sex)."""
    families = pd.read_parquet(folder / "families.parquet")
    people = pd.read_parquet(folder / "people.parquet")
    areas: dict[str, list[str]] = {}
    for row in families.itertuples():
        areas.setdefault(row.family_id, []).append(row.local_authority)
    homes: dict[str, list[tuple]] = {}
    for row in people.itertuples():
        one = (row.role == "child", str(row.birth_month), row.sex)
        homes.setdefault(row.family_id, []).append(one)
    return areas, homes


def slow_keys(folder: Path, known: tuple[str, ...], period: str) -> dict[str, tuple]:
    """Return for each family all that is known of it, written out person by person."""
    areas, homes = _written(folder)
    keys = {}
    for family, codes in areas.items():
        key: list[object] = []
        if "authority" in known:
            key.append(sorted(set(codes)))
        for children, names in ((True, ("children", "child_births", "child_sexes")),
                                (False, ("adults", "adult_births", "adult_sexes"))):  # fmt: skip
            if not set(names) & set(known):
                continue
            told = []
            for child, born, sex in homes.get(family, []):
                if child == children:
                    when = {"month": born[:7], "year": born[:4]}.get(
                        period, f"{born[:4]} {(int(born[5:7]) + 2) // 3}"
                    )
                    told.append(
                        (when if names[1] in known else "", sex if names[2] in known else "")
                    )
            key.append(sorted(told))
        keys[family] = tuple(map(str, key))
    return keys


def alone(keys: list[tuple], k: int) -> tuple[int, int]:
    sizes = Counter(keys)
    return sum(n == 1 for n in sizes.values()), sum(n for n in sizes.values() if n < k)


@pytest.mark.parametrize("period", PERIODS)
@pytest.mark.parametrize(
    "by", [("authority", "children", "child_births", "child_sexes"), FAMILY, ("children", "adults")]
)
def test_families_are_counted_as_a_slow_count_does(folder, by, period):
    found = anonymity(open_records(folder), by=by, birth=period, k=5)
    rows = found.contributions.set_index(["unit", "what"])
    whole = alone(list(slow_keys(folder, by, period).values()), 5)
    assert tuple(rows.loc[("families", "all"), ["alone", "below_k"]]) == whole
    drops = {"children": ("children", "child_births", "child_sexes"),
             "adults": ("adults", "adult_births", "adult_sexes")}  # fmt: skip
    for one in by:
        row = rows.loc[("families", one)]
        assert (row.alone, row.below_k) == alone([*slow_keys(folder, (one,), period).values()], 5)
        rest = tuple(other for other in by if other not in drops.get(one, (one,)))
        without = alone([*slow_keys(folder, rest, period).values()], 5)
        assert (row.alone_without, row.below_k_without) == without
    coarser = found.coarser[found.coarser["unit"] == "families"].set_index("birth")
    assert tuple(coarser.loc[period, ["alone", "below_k"]]) == whole


def test_people_are_counted_so_too(folder):
    found = anonymity(folder, birth="year")
    families = pd.read_parquet(folder / "families.parquet")
    people = pd.read_parquet(folder / "people.parquet")
    at = families.groupby("family_id")["local_authority"].agg(
        lambda one: "+".join(sorted(set(one)))
    )
    keys = [(at[p.family_id], str(p.birth_month)[:4], p.sex, p.role) for p in people.itertuples()]
    row = found.contributions.set_index(["unit", "what"]).loc[("people", "all")]
    assert (row.alone, row.below_k) == alone(keys, 10)
    assert found.people == len(people)


def test_what_a_group_gives_away_is_counted(folder):
    by = ("children",)
    found = anonymity(folder, by=by).sensitive.set_index("table")
    keys = slow_keys(folder, by, "month")
    people = pd.read_parquet(folder / "people.parquet").set_index("person_id")["family_id"]
    offenders = set(people[pd.read_parquet(folder / "offences.parquet")["person_id"]])
    groups: dict[tuple, list[str]] = {}
    for family, key in keys.items():
        groups.setdefault(key, []).append(family)
    told = [group for group in groups.values() if set(group) <= offenders]
    row = found.loc["offences"]
    assert row.families == len(offenders)
    assert row.told == sum(map(len, told))
    assert row.told_together == sum(len(group) for group in told if len(group) > 1)


def test_coarser_births_leave_fewer_alone_and_never_more(small):
    found = anonymity(small.records)
    for _, rows in found.coarser.groupby("unit"):
        counts = rows.set_index("birth").loc[list(PERIODS), ["alone", "below_k"]]
        assert (counts.diff().dropna() <= 0).all(axis=None)
        assert counts.loc["year", "alone"] < counts.loc["month", "alone"]


def test_nothing_hangs_on_order_or_on_what_identifiers_are_called(small):
    def tables(shuffle: int):
        held = {name: small.records.raw[name].to_pandas() for name in ("families", "people")}
        for name, frame in held.items():
            held[name] = frame.sample(frac=1, random_state=shuffle).assign(
                family_id=frame["family_id"].map(lambda one: one[::-1] if shuffle else one)
            )
        return from_tables(held, about={}, source="shuffled")

    one, two = (anonymity(tables(shuffle)) for shuffle in (0, 7))
    pd.testing.assert_frame_equal(one.contributions, two.contributions)
    pd.testing.assert_frame_equal(one.coarser, two.coarser)


def test_what_is_shown_holds_no_small_count():
    """Six families, of which one is unlike: neither 6, nor 5, nor 1 may be read."""
    families = pd.DataFrame({
        "family_id": [f"f{n}" for n in range(6)],
        "local_authority": ["E06000001"] * 5 + ["E06000002"],
    })  # fmt: skip
    people = pd.DataFrame({
        "person_id": [f"p{n}" for n in range(6)], "family_id": families["family_id"],
        "birth_month": pd.Timestamp("2005-03-01"), "sex": "female", "role": "child",
    })  # fmt: skip
    records = from_tables({"families": families, "people": people}, about={}, source="six")
    found = anonymity(records, k=3)
    assert found.contributions["alone"].iloc[0] == 1
    frame = found.to_frame().to_string(index=False)
    for text in (found.text(), str(found), repr(found), frame):
        plain = text.replace("fewer than 10", "few").replace("below 3", "few")
        assert not re.search("[0-9]", plain), text
    many = anonymity(from_tables(
        {"families": pd.concat([families.assign(family_id=families["family_id"] + str(n))
                                for n in range(50)]),
         "people": people}, about={}, source="many"), by=["authority"], k=51)  # fmt: skip
    # 50 of 300 are in the smaller group, in counts to five; the other 250 are not all but a few.
    assert "below 51: 50 (17%)" in many.text()


def test_every_key_has_words():
    assert set(QUASI_IDENTIFIERS) == {"all", *FAMILY, *PERSON}


@pytest.mark.parametrize(
    ("settings", "says"),
    [({"k": 1}, "k is"), ({"k": 2.5}, "k is"), ({"birth": "moth"}, "Did you mean month"),
     ({"by": ["child_birth"]}, "Did you mean child_births"), ({"by": []}, "names nothing")],
)  # fmt: skip
def test_settings_are_refused_in_one_line(small, settings, says):
    with pytest.raises(ParameterError, match=says):
        anonymity(small.records, **settings)


def test_a_missing_column_is_named(folder, tmp_path):
    for path in folder.iterdir():
        if path.stem != "people":
            (tmp_path / path.name).symlink_to(path)
    people = pd.read_parquet(folder / "people.parquet").drop(columns=["sex"])
    people.to_parquet(tmp_path / "people.parquet")
    with pytest.raises(DataError, match="people lacks sex"):
        anonymity(connect(tmp_path))
