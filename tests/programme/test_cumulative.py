"""Counts that only grow: against a slow reading of the rule, and over every authority."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tfeval.errors import DataError
from tfeval.programme.claims import claims_by_authority, final_claims
from tfeval.programme.cumulative import bounds_of, falling, latest_counts
from tfeval.programme.published import published

MONTHS = ("2013-07", "2014-03", "2014-10", "2015", "2015-02", "2015-05")
KINDS = ("exact", "rounded", "at least", "at most")


def history(rng: np.random.Generator) -> pd.DataFrame:
    """One authority's counts as sources might give them, of a true count that grows."""
    months = sorted(rng.choice(len(MONTHS), rng.integers(1, 6), replace=False))
    true = np.sort(rng.integers(1, 3000, len(months)))
    rows = []
    for place, count in zip(months, true, strict=True):
        kind = str(rng.choice(KINDS))
        unit = 10 ** rng.integers(1, 3)
        less = max(count - rng.integers(0, 50), 0)
        cut = max(count // unit * unit, 1)
        said = {"exact": count, "rounded": cut, "at least": less, "at most": count + 5}[kind]
        rows.append(("E1", MONTHS[place], float(said), kind))
    return pd.DataFrame(rows, columns=["area_code", "as_of", "value", "qualifier"])


def by_hand(rows: pd.DataFrame) -> tuple[float, str]:
    """The rule, row by row: the largest exact count, unless a later one must be more."""
    span = {m: (m, m) if len(m) > 4 else (f"{m}-01", f"{m}-12") for m in MONTHS}
    exact = [row for row in rows.itertuples() if row.qualifier == "exact"]
    best = max(exact, key=lambda row: (row.value, row.as_of), default=None)
    others = []
    for row in rows.itertuples():
        zeros = len(str(int(row.value))) - len(str(int(row.value)).rstrip("0") or "0")
        least = {"exact": row.value, "at least": row.value, "at most": 0.0,
                 "rounded": max(row.value - 10**zeros, 0)}[row.qualifier]  # fmt: skip
        later = best is None or span[row.as_of][0] > span[best.as_of][1]
        if row.qualifier != "exact" and later and (best is None or least > best.value):
            others.append((row.qualifier != "at most", row.value, least, row.as_of, row.qualifier))
    if others:
        _, value, _, _, qualifier = max(others)
        return value, qualifier
    return best.value, best.qualifier


@pytest.mark.parametrize("seed", range(300))
def test_the_latest_count_is_that_of_the_rule(seed):
    rows = history(np.random.default_rng(seed))
    (found,) = latest_counts(rows).itertuples()
    assert (found.value, found.qualifier) == by_hand(rows)
    shuffled = rows.sample(frac=1, random_state=seed)
    assert latest_counts(shuffled)["value"].tolist() == [found.value]
    exact = rows[rows["qualifier"] == "exact"]["value"]
    assert exact.empty or found.value >= exact.max()  # never below what is known exactly


@pytest.mark.parametrize("seed", range(100))
def test_an_exact_count_is_never_lost_to_a_rounding_of_it(seed):
    """Cut or rounded, to tens or hundreds, of the same month or later."""
    rng = np.random.default_rng(seed)
    count, unit = int(rng.integers(200, 5000)), 10 ** int(rng.integers(1, 3))
    said = max([count // unit, round(count / unit)][seed % 2] * unit, 0)
    rows = pd.DataFrame({
        "area_code": "E1", "as_of": ["2014-10", ["2014-10", "2015-05"][seed % 2]],
        "value": [float(count), float(said)], "qualifier": ["exact", "rounded"],
    })  # fmt: skip
    assert latest_counts(rows)["value"].tolist() == [count]
    assert falling(rows.assign(period="2012-15")) == 0  # and a rounding is no contradiction


def test_every_authoritys_claim_never_falls_and_exact_beats_rounded():
    counts = published("progress_local").query("figure == 'turned_around' and period == '2012-15'")
    months = sorted(set(counts["as_of"][counts["as_of"].str.len() == 7]))
    before = pd.Series(dtype=float)
    for month in months:
        claims = claims_by_authority(month).set_index("code")["turned_around"]
        both = before.index.intersection(claims.index)
        assert (claims[both] >= before[both]).all(), month
        assert set(before.index) <= set(claims.index)
        before = claims
    for claims in (claims_by_authority(), final_claims().dropna(subset=["turned_around"])):
        for row in claims.itertuples():
            own = counts[counts["area_code"] == row.code]
            exact = own[own["qualifier"] == "exact"]["value"].max()
            assert not row.turned_around < exact, row.area
            if not row.exact and pd.notna(exact):
                low, _ = bounds_of(pd.Series([row.turned_around]), pd.Series(["rounded"]))
                assert low.iloc[0] > exact or row.turned_around == exact, row.area


def test_bristol_stands_at_all_its_families():
    for claims in (claims_by_authority(), final_claims()):
        bristol = claims.set_index("area").loc["Bristol"]
        assert (bristol["turned_around"], bristol["targeted"]) == (1355, 1355)
        assert bool(bristol["exact"])


def test_counts_of_a_notice_in_round_numbers_are_not_exact():
    rows = published("progress_local")
    notice = rows[rows["url"].str.contains("pm-praises") & (rows["figure"] == "turned_around")]
    assert len(notice) >= 4
    assert not (notice["qualifier"] == "exact").any()


def test_a_count_that_falls_is_refused(edit):
    def how(frame: pd.DataFrame) -> pd.DataFrame:
        rows = (frame["area"] == "Wakefield") & (frame["figure"] == "turned_around")
        frame.loc[frame.index[rows][-1], "value"] = "700"  # 795 were claimed before
        return frame

    with pytest.raises(DataError, match="fewer families turned around than before in 1 row"):
        published("progress_local", folder=edit("progress_local", how))
