"""A region's page: sums as in the published files, and means of what may be shown."""

from __future__ import annotations

import csv

import numpy as np
import pytest

import tfeval as tf
from tfeval.errors import ParameterError
from tfeval.programme.claims import regions
from tfeval.report.chapters import region
from tfeval.report.chapters.areas import AreasByOutcome
from tfeval.report.plan import place_of, plan
from tfeval.report.subject import Subject
from tfeval.settings import project_folder


def rows(table: str) -> list[dict[str, str]]:
    path = project_folder("data") / "published" / f"{table}.csv"
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_regions_are_nine_and_hold_every_authority_once():
    held = [name for one in regions() for name in region.members(one)["name"]]
    assert len(regions()) == 9 and sorted(held) == sorted(
        row["name"] for row in rows("local_authorities"))  # fmt: skip
    with pytest.raises(ParameterError, match="no region"):
        region.members("Sefton")


def shown(made) -> list[list[str]]:
    """Return a table's cells as they are written."""
    return [[cell.text for cell in row] for row in made.rows]


def test_doses_of_regions_add_up_to_england():
    parts = [shown(region.dose_table(one)) for one in regions()]
    england = [float(text.replace(",", "")) for text in parts[0][1][1:4]]
    sums = np.array([[float(text.replace(",", "")) for text in part[0][1:4]] for part in parts])
    assert england[0] == 152 and england[2] == pytest.approx(117_910, abs=1)
    assert sums.sum(axis=0) == pytest.approx(england, abs=5)  # each is rounded to a family


def effects(seed: int = 1) -> AreasByOutcome:
    """Effects of 24 authorities in two regions; every third is hidden."""
    rng = np.random.default_rng(seed)
    names = [*region.members("North East")["name"], *region.members("South West")["name"][:12]]
    found = AreasByOutcome(simulated=True)
    found["out_of_work"] = tf.pool_areas(
        rng.normal(-5, 4, 24), rng.uniform(2, 5, 24), names,
        hidden=[place % 3 == 0 for place in range(24)], simulated=True,
    )  # fmt: skip
    return found


def test_a_region_pools_its_own_authorities_that_can_be_shown():
    found = effects()
    frame = found["out_of_work"].to_frame()
    own = frame[frame["name"].isin(region.members("North East")["name"]) & ~frame["hidden"]]
    assert len(own) == 8
    pooled = region.pooled(found, "North East")["out_of_work"]
    assert sorted(pooled.frame["name"]) == sorted(own["name"])
    # The mean is that of inverse variances, with tau^2 added, as every textbook has it.
    weights = 1 / (own["std_error"] ** 2 + pooled.tau2)
    assert pooled.mean == pytest.approx(np.average(own["estimate"], weights=weights))
    table = region.effects_table(found, "North East")
    assert shown(table)[0][1] == "8" and "Simulated" in table.text()
    # What may not be shown moves nothing that is.
    frame.loc[frame["hidden"], ["estimate", "pooled"]] = 1e6
    object.__setattr__(found["out_of_work"], "frame", frame)
    assert shown(region.effects_table(found, "North East"))[0][1:4] == shown(table)[0][1:4]


def test_a_region_without_two_authorities_says_so():
    found = effects()
    assert region.pooled(found, "London") == {}
    assert "fewer than two" in region.effects_table(found, "London").text()
    assert "too few authorities of London" in region.sentence(found, "London")
    assert "Fewer than two" in region.effects_chart(found, "out_of_work", "London").text()


def test_a_region_is_a_subject_and_a_folder_of_its_own():
    made = Subject.of({"phase": "one", "region": "North West", "price_year": 2024})
    assert made.region == "North West" and made.area == "" and made.choices == ()
    assert Subject.read(made.written()) == made
    assert place_of({"region": "North West"}) == "North West"
    jobs = plan(["region"], {"region": "north west", "phase": "two"}, project_folder("notebooks"))
    job = next(job for job in jobs if job.chapter.name == "region")
    assert job.scope == "north-west--phase-two" and place_of(job.values) == "North West"
    assert job.reads == dict.fromkeys(job.chapter.reads, "national--phase-two")
