"""Chapters on an extract in a folder: records and their cohort stand on one connection."""

import pytest

import tfeval as tf
from tests.report.analyses import page, results
from tfeval.report.chapters import families, linked


@pytest.fixture(scope="module")
def extract(tmp_path_factory):
    folder = tmp_path_factory.mktemp("extract") / "records"
    tf.simulate_to(folder, families=3_000, seed=5)
    return str(folder)


def test_chapter_2_shows_the_results_tests(extract):
    found = page(extract)
    assert linked.records_of(extract) is found.records
    shown = families.results_table(found).text()
    assert "turned around" in shown.lower()


def test_chapter_6_counts_additional_results(extract):
    found = results(extract)
    assert found.effects is not None
    assert found.simulated
