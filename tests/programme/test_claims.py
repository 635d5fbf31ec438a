"""Claims: against simulation, closed forms and arithmetic on the published counts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tfeval.errors import DataError, ParameterError
from tfeval.programme.areas import member_bounds, unpublished_bounds
from tfeval.programme.claims import (
    authority,
    claims_by_authority,
    claims_over_time,
    control_limits,
    final_claims,
    full_marks,
)
from tfeval.programme.published import published


def test_an_authority_is_found_by_name_or_code_and_a_typo_is_helped():
    assert authority("E08000014")["name"] == "Sefton"
    with pytest.raises(ParameterError, match="Did you mean Sefton"):
        authority("Seftn")


def test_claims_by_authority_take_the_latest_and_keep_to_the_date():
    wakefield = claims_by_authority().set_index("area").loc["Wakefield"]
    assert (wakefield["turned_around"], wakefield["as_of"]) == (925, "2014-05")
    early = claims_by_authority("2014-03").set_index("area").loc["Wakefield"]
    assert early["turned_around"] == 795
    assert (claims_by_authority()["share"] <= 1).all()
    assert "Sefton" not in set(claims_by_authority()["area"])  # its claim is only recalled


def test_final_claims_keep_authorities_without_one():
    final = final_claims()
    assert final["code"].is_unique
    assert final["turned_around"].isna().any()
    assert not final.loc[final["turned_around"].isna(), "exact"].any()


def test_kinds_are_added_up_where_a_source_gave_only_these():
    wirral = final_claims().set_index("area").loc["Wirral"]
    assert wirral["turned_around"] == 834 + 65
    assert wirral["targeted"] == 910


def test_a_claim_of_all_families_is_final_whenever_it_was_made():
    final = final_claims().set_index("area")
    assert final.loc["Nottingham", "as_of"] < "2015-05"
    assert final.loc["Nottingham", "share"] == 1
    assert np.isnan(final.loc["Norfolk", "share"])  # 83% in February 2015: not final


def test_claims_over_time_show_sources_that_disagree():
    january = claims_over_time().query("figure == 'turned_around' and as_of == '2013-01'").iloc[0]
    assert (january["low"], january["high"]) == (1621, 1675)


@pytest.mark.parametrize(("size", "share"), [(20, 0.5), (650, 0.9), (5000, 0.99)])
def test_control_limits_hold_their_share_of_chance(size, share):
    low, high = control_limits(np.array([float(size)]), share, 0.95)
    inside = stats.binom.cdf(np.floor(high * size), size, share) - stats.binom.cdf(
        np.ceil(low * size) - 1, size, share
    )
    one_step = stats.binom.pmf(np.round(size * share), size, share)
    assert abs(inside[0] - 0.95) < 2 * one_step + 0.01
    assert low < share < high


def test_full_marks_against_simulation():
    rng = np.random.default_rng(3)
    sizes = rng.integers(1, 40, 30)
    draws = (rng.binomial(sizes, 0.93, (40_000, 30)) == sizes).sum(axis=1)
    turned = sizes.copy()
    turned[::2] -= 1
    claims = pd.DataFrame({"targeted": sizes, "turned_around": turned, "exact": True})
    marks = full_marks(claims, 0.93)
    assert marks.observed == 15
    assert marks.expected == pytest.approx(draws.mean(), abs=0.05)
    assert marks.probability == pytest.approx((draws >= 15).mean(), abs=0.01)


def test_full_marks_count_only_exact_claims_and_refuse_an_odd_share():
    claims = pd.DataFrame(
        {"targeted": [3, 3, 3], "turned_around": [3.0, 3.0, np.nan], "exact": [True, False, False]}
    )
    marks = full_marks(claims, 0.9)
    assert (marks.authorities, marks.known, marks.observed) == (3, 1, 1)
    with pytest.raises(DataError, match="between 0 and 1"):
        full_marks(claims, 1.2)


def test_more_full_marks_were_claimed_than_chance_allows():
    marks = full_marks(final_claims(), 116_654 / 117_910)
    assert marks.observed > 5 * marks.expected
    assert marks.probability < 1e-6


def test_merseyside_in_full():
    together = unpublished_bounds("E11000002", "2015-02")
    assert together["areas"] == ("Knowsley", "Sefton")
    # 4,467 less Wirral 727, St Helens 499 and Liverpool's 1,987 to 2,105.
    assert (together["low"], together["high"]) == (4467 - 727 - 499 - 2105, 4467 - 727 - 499 - 1987)
    bounds = member_bounds("E11000002", "2014-05").set_index("area")
    assert bounds.loc["Wirral", "low"] == 300
    assert bounds["low"].sum() <= 2767 <= bounds["high"].sum()


def test_the_remembered_sefton_claim_fits_the_bounds_it_is_shown_beside():
    rows = published("progress_local", unverified=True)
    sefton = rows[(rows["area"] == "Sefton") & (rows["figure"] == "turned_around")]
    assert sefton["status"].tolist() == ["recalled"]
    knowsley = published("progress_local").query("area == 'Knowsley' and figure == 'turned_around'")
    together = unpublished_bounds("E11000002", "2015-02")
    assert (
        together["low"] <= sefton["value"].iloc[0] + knowsley["value"].iloc[0] <= together["high"]
    )


def test_bounds_need_a_total():
    with pytest.raises(DataError, match="no turned_around of E11000002 at 2012-01"):
        member_bounds("E11000002", "2012-01")
