"""The summary: three sentences whose confidence follows diagnostics, and no simulated number."""

from __future__ import annotations

from dataclasses import replace

import pytest

import tfeval as tf
from tests.report.test_chapters import summary_records
from tfeval.display.brief_words import GRADES, SURE
from tfeval.display.words import unmarked
from tfeval.programme.published import figure
from tfeval.report.chapters import brief
from tfeval.report.record import Record, Records, make_record

HELD = tf.Assumptions()


def linked(simulated: bool, **said: object) -> tuple[Records, Records]:
    """Return records of chapters 4 and 7 whose every number is one that stands nowhere else."""
    held = {"simulated": simulated, "headline": "Marker 987654.", "confidence": "low", **said}
    impact = {name: Record(name, value) for name, value in held.items()}
    value = {**impact, "probability": Record("probability", 0.98, "probability")}
    return Records("04_impact", impact), Records("07_value_for_money", value)


def made(phase: str = "one", simulated: bool = True, **changes: object) -> brief.Brief:
    """Return what the page is made from; `changes` give records of chapter 6 other values."""
    budget, claims = summary_records(phase)
    one = {
        **claims,
        "evaluation_2016": make_record("evaluation_2016", "No sign; none.",
                                       subject={"phase": "one"}),
        "effects_with_values": make_record("effects_with_values", 5, subject={"phase": "two"}),
        "results_basis": Record("results_basis", "simulated" if simulated else "records"),
        **{f"results_{kind}": Record(f"results_{kind}", 876.0 + at, "of 1,000 families")
           for at, kind in enumerate(("met", "anyway", "additional"))},
    }  # fmt: skip
    one |= {name: replace(one[name], value=value) for name, value in changes.items()}
    areas = Records("05", {"areas_moved": Record("areas_moved", 0, "outcomes"),
                           "areas_outcomes": Record("areas_outcomes", 5, "outcomes")}
                    if phase == "one" else {})  # fmt: skip
    read = Records("06_claims_against_impact", one, parameters={"phase": phase})
    return brief.Brief(phase, HELD, budget, read, areas, *linked(simulated))


def words(found: brief.Brief) -> str:
    shown = (brief.status(found), brief.tiles(found), brief.phases_table(found))
    return unmarked("\n".join([str(brief.headline(found)), *(one.text() for one in shown)]))


@pytest.mark.parametrize("phase", ["one", "two"])
def test_no_simulated_number_is_on_the_page_and_a_real_one_is(phase):
    told = words(made(phase))
    assert "987654" not in told and not any(f"{number} of 1,000" in told for number in (876, 877))
    assert told.count("not published") >= 6
    real = words(made(phase, simulated=False))
    assert "Marker 987654" in real and "876 of 1,000 families (A)" in real


def test_the_words_of_confidence_follow_the_diagnostics():
    def sure(**changes: object) -> list[str]:
        return [one.sure for one in brief.sentences(made("one", **changes))]

    assert sure() == ["low", "moderate", "low"]
    # As many full marks as chance gives are no sign of anything.
    assert sure(full_marks_expected=16.0)[0] == "moderate"
    # A study that would have seen what pays is to be believed; one that would not have, is not.
    assert sure(care_break_even_total=9.0)[1] == "high"
    assert sure(care_break_even_total=0.1)[1] == "low"
    assert sure(care_break_even_total="impossible")[1] == "not_known"
    # A verdict on £1 that all readings share is not shaken by their spread.
    assert sure(open_2016_total_between=0.9)[2] == "moderate"
    assert [one.sure for one in brief.sentences(made("two"))] == ["not_known", "not_known", "low"]
    assert set(SURE) >= set(sure())


def test_each_sentence_has_one_word_of_confidence_and_tiles_lead_to_chapters():
    found = made()
    said = str(brief.headline(found)).splitlines()
    assert [line.split(":")[0] for line in said] == ["Claimed", "Caused", "Worth"]
    assert all(line.count("Confidence: ") == 1 for line in said)
    tiles = brief.tiles(found)
    assert len(tiles.lines) == 5 and all(name.endswith(".ipynb") for name, _ in tiles.lines)
    assert "over 90,000" in brief.tiles(made("two")).text()
    expected = figure("budget", "local_contribution_expected").value
    assert f"£{expected:.0f}m" in tiles.text() and "£600m" not in brief.tiles(made("two")).text()


def test_every_cell_that_says_something_has_a_grade_and_the_table_its_sources():
    table = brief.phases_table(made())
    cells = [cell.text for row in table.rows for cell in row[1:]]
    assert len(cells) == 14
    for cell in cells:
        assert cell == "not published" or any(f"({grade})" in cell for grade in GRADES), cell
    assert len(table.sources) >= 6 and all(one.url for one in table.sources)


def test_of_a_phase_without_an_evaluation_it_says_so():
    budget, claims = summary_records("supporting_families")
    found = brief.Brief("supporting_families", HELD, budget, claims, Records("05", {}),
                        *linked(True))  # fmt: skip
    told = [one.text for one in brief.sentences(found)]
    assert told[1:] == ["not published", "not published"]
    assert "£448m" in brief.phases_table(found).text()
