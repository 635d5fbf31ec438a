"""The commands on linked records, as a user types them."""

from __future__ import annotations

import subprocess
import sys

import pandas as pd
import pytest


def tfeval(*words, **environment):
    import os

    return subprocess.run(
        [sys.executable, "-c", "from tfeval.cli import main; main()", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
    )


@pytest.fixture(scope="module")
def extract(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records") / "extract"
    done = tfeval("simulate", folder, "--families", 60, "--seed", 3, "-s", "attached_share=0.3")
    assert done.returncode == 0, done.stderr
    assert folder.with_name("extract-truth").is_dir()
    return folder


def test_a_clean_extract_passes_the_check(extract, tmp_path):
    saved = tmp_path / "report.txt"
    done = tfeval("check", extract, "--save", saved)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No fault found." in done.stdout
    assert "(simulated)" in done.stdout
    assert saved.read_text() == done.stdout


def test_a_faulty_extract_fails_the_check_without_showing_a_value(extract, tmp_path):
    broken = tmp_path / "broken"
    broken.mkdir()
    for path in extract.iterdir():
        (broken / path.name).write_bytes(path.read_bytes())
    terms = pd.read_parquet(broken / "school_terms.parquet")
    person = terms["person_id"].iloc[0]
    terms.loc[terms.index[0], "sessions_unauthorised"] = terms["sessions_possible"].max() + 999
    terms.to_parquet(broken / "school_terms.parquet")
    done = tfeval("check", broken)
    assert done.returncode == 1
    assert "school_terms" in done.stdout
    assert "fewer than 10" in done.stdout
    assert person not in done.stdout
    assert "Traceback" not in done.stderr


def test_mistakes_are_one_line(extract, tmp_path):
    for words, message in (
        (("check", tmp_path / "nowhere"), "There is no"),
        (("simulate", extract, "--families", 5), "exists"),
        (("simulate", tmp_path / "x", "-s", "sead=1"), "sead"),
        (("simulate", tmp_path / "x", "-s", "effects"), "name=value"),
        (("pseudonymise", extract, tmp_path / "y"), "There is no key"),
    ):
        done = tfeval(*words, TFEVAL_PSEUDONYM_KEY="")
        assert done.returncode != 0, words
        assert message in done.stderr, done.stderr
        assert done.stderr.count("\n") == 1, done.stderr
        assert "Traceback" not in done.stderr
    assert not (tmp_path / "x").exists()
    assert not (tmp_path / "y").exists()


def test_a_key_is_drawn_and_an_extract_written_that_passes(extract, tmp_path):
    key, target = tmp_path / "key", tmp_path / "safe"
    drawn = tfeval("new-key", key)
    assert drawn.returncode == 0, drawn.stderr
    assert key.read_text().strip() not in drawn.stdout
    assert tfeval("new-key", key).stderr.count("overwritten") == 1
    done = tfeval("pseudonymise", extract, target, "--key-file", key)
    assert done.returncode == 0, done.stderr
    assert "families, by authority" in done.stdout
    assert "fewer than 10" in done.stdout
    assert tfeval("check", target).returncode == 0
    before = set(pd.read_parquet(extract / "people.parquet")["person_id"])
    people = pd.read_parquet(target / "people.parquet")
    assert len(before) == people["person_id"].nunique()
    assert not before & set(people["person_id"])


def test_audit_runs_resumes_and_says_how_far_off(tmp_path):
    words = "audit --worlds crisis --effects none --comparisons not_yet_treated --families 300"
    asked = (*words.split(), "--replications", 1, "--out", tmp_path)
    done = tfeval(*asked)
    assert done.returncode == 0, done.stderr
    assert "this design is off by" in done.stdout and ", 1 draw\n" in done.stdout
    assert (tmp_path / "known_truth.csv").is_file()
    assert "Replications: 2 of 2" in done.stderr
    again = tfeval(*asked)
    assert again.stdout == done.stdout
    refused = tfeval("audit", "--worlds", "crises", "--out", tmp_path)
    assert refused.returncode == 1 and "Did you mean crisis" in refused.stderr
