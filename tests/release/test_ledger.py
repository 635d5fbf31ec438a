"""The ledger: earlier numbers are found for the same families and for nearly the same."""

from __future__ import annotations

import stat

import numpy as np
import pytest

from tfeval.errors import TfevalError
from tfeval.release.ledger import Ledger


def test_answers_are_those_of_a_slow_search():
    rng = np.random.default_rng(1)
    everybody = rng.integers(0, 2**63, 400).astype(np.uint64)
    ledger, sets = Ledger(), []
    for place in range(40):
        own = np.sort(rng.choice(everybody, int(rng.integers(10, 60)), replace=False))
        ledger.add("count", own, {"released": float(place)})
        sets.append(own)
    hits = 0
    for _ in range(300):
        base = set(sets[rng.integers(40)].tolist())
        base -= set(rng.choice(sorted(base), int(rng.integers(0, 8)), replace=False).tolist())
        base |= set(rng.choice(everybody, int(rng.integers(0, 8))).tolist())
        apart = [len(base ^ set(one.tolist())) for one in sets]
        found = ledger.answer("count", np.array(sorted(base), dtype=np.uint64))
        if min(apart) > 9:
            assert found is None
        else:
            hits += 1
            assert found["apart"] == min(apart) == apart[int(found["released"])]
    assert 50 < hits < 280
    assert ledger.answer("mean", sets[0]) is None


def test_a_ledger_is_kept_for_its_owner_alone_and_read_again(tmp_path):
    folder = tmp_path / "ledger"
    ledger = Ledger(folder)
    own = np.arange(20, dtype=np.uint64)
    ledger.add("count", own, {"released": 20.0, "unit": 10.0, "error": None})
    assert ledger.save() == "0001"
    for path in (folder, *folder.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)
    again = Ledger(folder)
    assert again.key == ledger.key
    assert again.answer("count", own[:15])["released"] == 20.0
    assert again.answer("count", own[:10]) is None
    folder.chmod(0o755)
    with pytest.raises(TfevalError, match="open to others"):
        Ledger(folder)


def test_of_two_releases_at_once_one_is_held_to_the_other(tmp_path):
    """Else two sets that are a family apart would both have left, neither knowing of the other."""
    own = np.arange(20, dtype=np.uint64)
    both = Ledger(tmp_path / "ledger"), Ledger(tmp_path / "ledger")
    for ledger, families in zip(both, (own, own[:19]), strict=True):
        assert ledger.answer("count", families) is None
        ledger.add("count", families, {"released": 20.0, "unit": 10.0, "error": None})
    both[0].save()
    with pytest.raises(TfevalError, match="Another release came"):
        both[1].save()
    again = Ledger(tmp_path / "ledger")
    assert again.answer("count", own[:19])["released"] == 20.0 and again.next_release() == "0002"


def test_what_is_no_ledger_is_refused(tmp_path):
    with pytest.raises(TfevalError, match="no ledger of releases"):
        Ledger(tmp_path)
