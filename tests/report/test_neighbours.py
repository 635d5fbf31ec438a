"""Neighbours of an authority: chosen anew by hand, and shown with what was published alone."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest

import tfeval as tf

PUBLISHED = Path(__file__).parents[2] / "data" / "published"


def facts() -> dict[str, dict[str, float]]:
    """Return deprivation and place of every authority, read by hand."""
    with (PUBLISHED / "area_facts.csv").open(encoding="utf-8", newline="") as file:
        return {row["code"]: {name: float(row[name]) for name in
                              ("deprivation_2010", "longitude", "latitude")}
                for row in csv.DictReader(file)}  # fmt: skip


def apart_km(one: dict, other: dict) -> float:
    """Return a distance by the angle between two places (the cosine rule on a globe)."""
    a, b = math.radians(one["latitude"]), math.radians(other["latitude"])
    turn = math.radians(other["longitude"] - one["longitude"])
    inside = math.sin(a) * math.sin(b) + math.cos(a) * math.cos(b) * math.cos(turn)
    return 6371 * math.acos(min(inside, 1.0))


def unlike(one: tuple, other: tuple, spread: list[float]) -> float:
    return sum(((a - b) / size) ** 2 for a, b, size in zip(one, other, spread, strict=True))


def deviation(values: list[float]) -> float:
    mean = sum(values) / len(values)
    return math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))


@pytest.mark.parametrize("name", ["Sefton", "Rutland", "Isles of Scilly", "Wakefield"])
def test_neighbours_are_those_that_are_found_by_hand(name):
    held = facts()
    rows = {row.code: row for row in tf.doses().itertuples()}
    code = next(row.code for row in rows.values() if row.name == name)
    known = {one: (held[one]["deprivation_2010"], math.log(row.children),
                   math.log(row.completed_rate)) for one, row in rows.items()}  # fmt: skip
    spread = [deviation([value[at] for value in known.values()]) for at in range(3)]
    others = [one for one in rows if one != code]
    alike = sorted(others, key=lambda one: unlike(known[code], known[one], spread))[:5]
    near = sorted(others, key=lambda one: apart_km(held[code], held[one]))[:3]
    shown = [[cell.text for cell in row]
             for row in tf.chapters.authority.neighbours_table(name).rows]  # fmt: skip
    assert shown[0][:2] == [name, "this one"]
    names = {row[0]: row[1] for row in shown[1:]}
    assert {one for one, why in names.items() if why.startswith("alike")} == {
        rows[one].name for one in alike
    }
    for one in near:
        assert f"nearby, {apart_km(held[code], held[one]):,.0f} km" in names[rows[one].name]
    assert len(names) == len(set(alike) | set(near))


def test_beside_each_stands_what_it_claimed_as_published_and_nothing_simulated():
    shown = tf.chapters.authority.neighbours_table("Sefton")
    claims = tf.claims_by_authority().set_index("area")
    counts = tf.published("progress_local").query("figure == 'turned_around' & period == '2012-15'")
    last = counts.sort_values("as_of").drop_duplicates("area", keep="last")
    alone = {row.area: f"{row.value:.0f}" for row in last.itertuples()}
    for row in ([cell.text for cell in line] for line in shown.rows):
        if row[0] in claims.index:
            assert f"{claims.loc[row[0], 'turned_around']:,.0f} of" in row[5]
        elif row[0] in alone:
            assert alone[row[0]] in row[5].replace(",", "")
        else:
            assert row[5] == row[6] == "not published where looked"
    text = shown.text()
    assert "609 of 650" in text
    assert "not published where looked" in text
    assert "simulated" not in text.lower()
    silent = tf.chapters.authority.neighbours_table("Rutland").text()
    assert "No target of Rutland was published" in silent
