from __future__ import annotations

import pandas as pd
import pytest

import tfeval as tf


@pytest.fixture(scope="session")
def extract(tmp_path_factory):
    """Return the folder of a small simulated extract, in which one authority is large."""
    folder = tmp_path_factory.mktemp("explorer") / "extract"
    tf.simulate_to(folder, families=4_000, seed=1)
    path = folder / "families.parquet"
    families = pd.read_parquet(path)
    some = sorted(families["local_authority"].unique())[:50]
    families.loc[families["local_authority"].isin(some), "local_authority"] = "E08000025"
    families.to_parquet(path)
    return str(folder)
