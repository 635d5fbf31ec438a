"""Choices: the calls that are shown give what is shown, whatever is chosen and in what order."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import tfeval as tf
from tfeval.report.plan import national_chapters
from tfeval.settings import project_folder


@pytest.fixture(scope="module")
def looked(extract):
    return tf.explore(extract)


CHOICES = [
    {},
    {"outcome": "offences", "design": "entropy", "estimator": "difference"},
    {"outcome": "all", "caliper": 0.05, "comparison": "below_threshold"},
    {"local_authority": "Birmingham", "comparison": "other_authorities", "design": "overlap"},
]


@pytest.mark.parametrize("changes", CHOICES, ids=["default", "one", "all", "authority"])
def test_the_calls_pasted_into_a_cell_give_the_same_tables(extract, looked, changes):
    start = {"outcome": "primary", "design": "nearest", "estimator": "adjusted", "caliper": 0.2,
             "comparison": "not_yet_treated", "local_authority": "all"}  # fmt: skip
    looked.choose(**(start | changes))
    cell: dict = {}
    exec(looked.code, cell)
    pd.testing.assert_frame_equal(cell["effects"].to_frame(), looked.effects.to_frame())
    pd.testing.assert_frame_equal(cell["balance"].to_frame(), looked.balance.to_frame())


def test_what_is_shown_is_what_the_verbs_give(extract, looked):
    """By calls written here, without the explorer's own."""
    looked.choose(**CHOICES[0], local_authority="Birmingham", comparison="other_authorities",
                  design="entropy", outcome="out_of_work", estimator="difference")  # fmt: skip
    families = tf.cohort(tf.open_records(extract), comparison="other_authorities")
    rows = families.to_pandas()
    inside = (rows["treated"] == 0) | (rows["local_authority"] == "E08000025")
    study = tf.study(families, months=12)
    assert looked.study.index.isin(rows.index[inside]).all()
    assert looked.study.n_treated == (inside & (rows["treated"] == 1)
                                      & families.followed(12)).sum()  # fmt: skip
    assert looked.study.n_comparison == study.n_comparison
    found = looked.effects.to_frame().iloc[0]
    weights, treated = looked.design.weights, looked.study.treated
    seen = families.outcomes(12)["out_of_work"].loc[looked.study.index].to_numpy()
    raw = [np.average(seen[arm & ~np.isnan(seen)], weights=weights[arm & ~np.isnan(seen)])
           for arm in (treated, ~treated)]  # fmt: skip
    assert found["estimate"] == pytest.approx(raw[0] - raw[1], rel=1e-9)


def test_a_covariate_that_is_added_flows_on_into_every_design(looked):
    looked.choose(comparison="not_yet_treated", local_authority="all", design="entropy")
    before = looked.balance.to_frame()["covariate"].tolist()
    looked.add("any_trouble", "offences_before > 0 or asb_incidents_before > 0")
    assert set(looked.balance.to_frame()["covariate"]) - set(before) == {"Any trouble"}
    looked.choose(design="nearest", comparison="below_threshold")
    assert "Any trouble" in set(looked.balance.to_frame()["covariate"])
    cell: dict = {}
    exec(looked.code, cell)
    pd.testing.assert_frame_equal(cell["balance"].to_frame(), looked.balance.to_frame())
    looked.remove("any_trouble")
    assert "Any trouble" not in set(looked.balance.to_frame()["covariate"])


def test_a_choice_gone_back_to_is_kept_and_another_is_made(looked):
    looked.choose(design="entropy", comparison="not_yet_treated", caliper=0.2)
    study, balance = looked.study, looked.balance
    looked.choose(design="overlap")
    assert looked.study is study
    assert looked.balance is not balance
    assert looked.choose(design="entropy").balance is balance


def test_a_slip_in_a_covariate_is_told_in_its_cell_and_changes_nothing(looked):
    assert len(looked.families.covariates)
    before = looked.choice
    with pytest.raises(tf.ParameterError, match=r"Did you mean offences_before\?"):
        looked.add("mine", "offence_before > 0")
    assert looked.choice == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"desing": "full"}, "There is no choice desing. Did you mean design?"),
        ({"design": "entropie"}, "Did you mean entropy?"),
        ({"outcome": "offence"}, "Did you mean offences?"),
        ({"local_authority": "Seffton"}, "Did you mean Sefton?"),
        ({"caliper": 9}, "between 0.01 and 2"),
    ],
)
def test_what_cannot_be_chosen_changes_nothing(looked, changes, message):
    before = looked.choice
    with pytest.raises(tf.ParameterError, match=message.replace("?", r"\?")):
        looked.choose(**changes)
    assert looked.choice == before


def test_it_is_no_chapter_of_the_report():
    folder = project_folder("notebooks")
    assert (folder / "explore.ipynb").is_file()
    assert "explore" not in national_chapters(folder)


def test_what_is_stored_is_readable_without_a_kernel():
    text = (project_folder("notebooks") / "explore.ipynb").read_text(encoding="utf-8")
    assert "tfeval-explore" in text
    assert "vnd.jupyter.widget-view" not in text
