"""Chapter 2 on simulated records: small numbers stay in, an extract is read from where it is."""

from __future__ import annotations

import re

import pytest

import tfeval as tf
from tests.report.analyses import page
from tfeval.display.tables import THRESHOLD
from tfeval.errors import ParameterError
from tfeval.records.simulate import simulate_to
from tfeval.report.chapters.linked import simulated_families
from tfeval.report.parameters import check_domain


@pytest.fixture(scope="module")
def families():
    with simulated_families(6_000):
        yield page(phase="two", comparison="waiting")


def test_every_table_of_the_chapter_is_safe(families):
    chapter = tf.chapters.families
    for shown in (
        chapter.tables_table(families),
        chapter.quality_table(families),
        chapter.flow_table(families),
        chapter.base_rates_table(families),
        chapter.results_table(families),
    ):
        for row in shown.rows:
            for cell in row[1:]:
                whole = re.fullmatch(r"[\d,]+", cell.text)
                if whole:
                    assert int(cell.text.replace(",", "")) >= THRESHOLD
    assert families.frame["unit"].iloc[0] not in chapter.flow_table(families).text()
    assert chapter.headline(families).startswith("Simulated records: ")


def test_a_small_authority_hides_nearly_everything(families):
    own = page(area="Birmingham", phase="two", comparison="waiting")
    assert len(own.frame) < len(families.frame)
    text = tf.chapters.families.headline(own)
    assert "10 families on the programme" in text
    few = tf.chapters.families.attached_chart(own)
    assert "Too few" in few.text()


def test_an_extract_is_read_from_where_the_report_was_begun(tmp_path, monkeypatch):
    simulate_to(tmp_path / "extract", families=120, seed=2)
    monkeypatch.setenv("TFEVAL_STARTED_IN", str(tmp_path))
    found = page("extract", horizon=6)
    assert found.records.source != "simulated"
    assert len(found.frame)


def test_the_chapter_s_parameters_have_their_domains(tmp_path):
    assert check_domain("horizon", 18) == 18
    with pytest.raises(ParameterError, match="6, 12, 18, 24 months, not 9"):
        check_domain("horizon", 9)
    with pytest.raises(ParameterError, match="Did you mean waiting"):
        check_domain("comparison", "waitin")
    with pytest.raises(ParameterError, match="There is no extract"):
        check_domain("extract", str(tmp_path / "nowhere"))
    with pytest.raises(ParameterError, match="2003, 2018, 2022, 2026"):
        check_domain("green_book_edition", "2026 review")
