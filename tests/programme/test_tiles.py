from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.sparse import coo_array

from tfeval.programme.published import published
from tfeval.programme.tiles import ACROSS, DOWN, tiles


@pytest.fixture(scope="module")
def made():
    return tiles()


def test_each_authority_has_a_tile_and_letters_of_its_own(made):
    assert len(made) == 152 == len(published("local_authorities"))
    for columns in (["row", "column"], ["short"], ["code"]):
        assert not made.duplicated(columns).any()
    assert made["short"].str.len().eq(3).all()
    assert made["row"].between(0, DOWN - 1).all() and made["column"].between(0, ACROSS - 1).all()


def test_no_other_map_has_authorities_nearer_to_where_they_lie(made):
    """The same problem as a linear programme, solved by another algorithm."""
    place = published("area_facts").set_index("code").loc[made["code"]]
    east = place["longitude"].to_numpy(dtype=float)
    north = place["latitude"].to_numpy(dtype=float)
    across = (ACROSS - 1) * (east - east.min()) / (east.max() - east.min())
    down = (DOWN - 1) * (north.max() - north) / (north.max() - north.min())
    n, m = len(made), ACROSS * DOWN
    far = np.array([[(across[i] - tile % ACROSS) ** 2 + (down[i] - tile // ACROSS) ** 2
                     for tile in range(m)] for i in range(n)])  # fmt: skip
    unit = np.arange(n * m)
    one_each = coo_array((np.ones(n * m), (unit // m, unit)), shape=(n, n * m))
    at_most = coo_array((np.ones(n * m), (unit % m, unit)), shape=(m, n * m))
    best = linprog(far.ravel(), A_ub=at_most, b_ub=np.ones(m), A_eq=one_each, b_eq=np.ones(n))
    own = far[np.arange(n), made["row"] * ACROSS + made["column"]].sum()
    assert own == pytest.approx(best.fun, rel=1e-9)


def test_the_map_is_england(made):
    at = made.set_index("name")
    assert at.loc["Northumberland", "row"] == 0 and at.loc["Cornwall", "row"] >= DOWN - 2
    assert at.loc["Liverpool", "column"] < at.loc["Manchester", "column"]
    assert (
        abs(at.loc["Sefton", ["row", "column"]] - at.loc["Liverpool", ["row", "column"]]).sum() <= 2
    )
