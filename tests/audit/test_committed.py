"""The committed table says how it was made, follows from its replications, and these from seeds."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import tfeval as tf
from tfeval.audit import summary
from tfeval.audit.replication import PAGE, Task, replicate
from tfeval.audit.worlds import SIMULATORS, WORLDS
from tfeval.cohort.analysis_table import COMPARISONS
from tfeval.settings import project_folder

FOLDER = project_folder("data") / "audit"
#: Where the default comparison must be right: little error from chance may hide that it is not.
CLEAN = ["nothing_wrong", "crisis"]
#: Worlds of which replications are run again: where all is right, and where much is wrong.
AGAIN = [
    ("rates", "nothing_wrong", 0), ("rates", "everything", 1), ("histories", "crisis", 2),
]  # fmt: skip


@pytest.fixture(scope="module")
def known():
    return tf.read_known_truth()


@pytest.fixture(scope="module")
def kept():
    return pd.read_parquet(FOLDER / summary.SAMPLE)


def test_it_says_how_it_was_made(known):
    about = known.about
    assert about["families"] == 4_000 and 1 in about["seeds"]
    assert about["commits"] and all(len(one) == 40 for one in about["commits"])
    assert about["add_draws_with"].startswith("tfeval audit")
    assert about["processor_hours"] > 0
    assert {"tfeval", "numpy", "pandas", "statsmodels", "duckdb"} <= set(about["versions"])


def test_every_world_that_can_be_made_is_in_it(known):
    rows = known.select(simulator="rates", comparison="not_yet_treated", **vars(PAGE))
    made = {(world, effects) for world, settings in SIMULATORS["rates"].worlds.items()
            if not isinstance(settings, str) for effects in WORLDS[world].effects}  # fmt: skip
    assert made == set(zip(rows["world"], rows["effects"], strict=True))
    assert set(known.rows["comparison"]) == set(COMPARISONS)
    assert (known.rows["replications"] >= 1).all()
    failed = known.rows["estimated"] < known.rows["replications"]
    own = failed & ~known.rows["outcome"].isin(
        [summary.ANY_PRIMARY, summary.PRIMARY_MEAN, summary.BENEFIT_COST_RATIO]
    )
    assert (known.rows.loc[own, "why"] != "").all()


def test_every_cell_has_the_draws_that_were_asked_for(known):
    clean = known.rows["world"].isin(CLEAN) & (known.rows["comparison"] == "not_yet_treated")
    assert known.rows.loc[clean, "replications"].min() >= 1_000
    assert known.rows["replications"].min() >= 200


def test_it_follows_from_its_replications(known, kept):
    """The page's own cells: the same numbers where all replications are kept, else near them."""
    again = summary.summarise(kept.astype({name: float for name in kept.columns
                                           if kept[name].dtype == "float32"}))  # fmt: skip
    keys = list(summary.BY)
    both = again.merge(known.rows, on=keys, suffixes=("", "_told"))
    assert len(both) == len(again) > 500
    whole = both["replications"] == both["replications_told"]
    exact = both[whole]
    for name in ("bias", "rmse", "coverage", "type_one", "power", "headline_wrong"):
        np.testing.assert_allclose(exact[name], exact[f"{name}_told"], rtol=1e-3, atol=1e-6)
    part = both[~whole & (both["estimated"] > 5)]
    gap = (part["bias"] - part["bias_told"]).abs()
    assert (gap <= 6 * part["bias_error"].fillna(np.inf)).all()


@pytest.mark.parametrize(("simulator", "world", "number"), AGAIN)
def test_its_replications_follow_from_their_seeds(kept, simulator, world, number):
    task = Task(simulator, world, "none", families=4_000, seed=1, replication=number)
    rows = replicate(task, ["not_yet_treated"], [PAGE]).set_index("outcome")
    own = {"simulator": simulator, "world": world, "effects": "none", "replication": number,
           "comparison": "not_yet_treated"}  # fmt: skip
    held = kept[(kept[list(own)] == pd.Series(own)).all(axis=1)]
    held = held.set_index("outcome").loc[rows.index]
    for name in ("estimate", "std_error", "conf_low", "conf_high", "truth", "truth_treated",
                 "mean_comparison", "n_treated"):  # fmt: skip
        scale = np.abs(rows["std_error"].astype(float))
        gap = np.abs(rows[name].astype(float) - held[name].astype(float))
        # Kept to six digits; an estimate near 0 is as good as its error.
        assert (gap <= 1e-6 * np.maximum(np.abs(rows[name].astype(float)), scale)).all(), name
    assert rows["verdict"].tolist() == held["verdict"].tolist()
