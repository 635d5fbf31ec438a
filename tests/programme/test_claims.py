"""Claims: against simulation, closed forms and arithmetic on the published counts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tfeval.errors import DataError, ParameterError
from tfeval.programme.claims import (
    authority,
    claims_by_authority,
    claims_over_time,
    control_limits,
    final_claims,
    full_marks,
    member_bounds,
    unpublished_bounds,
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
    sefton = claims_by_authority().set_index("area").loc["Sefton"]
    assert (sefton["turned_around"], sefton["targeted"], sefton["as_of"]) == (609, 650, "2015")
    # Of which month it is was not said, so it is neither an earlier claim nor the final one.
    assert "Sefton" not in set(claims_by_authority("2015-05")["area"])
    assert np.isnan(final_claims().set_index("area").loc["Sefton", "share"])


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
    share = 116_654 / 117_910
    final = final_claims()
    marks = full_marks(final, share)
    assert marks.observed > 5 * marks.expected
    assert marks.probability < 1e-6
    # Recomputed from the rows: chance among the very authorities that are observed.
    known = final[final["exact"]]
    assert (marks.known, marks.observed) == (19, 17)
    assert marks.expected == pytest.approx(sum(share**n for n in known["targeted"]))
    assert marks.expected == pytest.approx(0.05, abs=0.005)
    # The City of London's 25 families alone add 0.77 to those of which no final claim is known.
    assert marks.expected_all == pytest.approx(2.75, abs=0.05)
    # Six are among the known ones because they stand at 100%.
    assert marks.early == len(known[known["as_of"] < "2015-05"]) == 6
    assert (marks.unchosen_known, marks.unchosen_observed) == (13, 11)


@pytest.mark.parametrize(("size", "share", "others"), [(5, 0.9, 3), (30, 0.97, 8), (1, 0.5, 0)])
def test_full_marks_of_equal_authorities_are_binomial(size, share, others):
    claims = pd.DataFrame({
        "targeted": float(size), "turned_around": [float(size)] * 4 + [size - 1.0] * 6,
        "exact": True, "early": [True] * 2 + [False] * 8,
    })  # fmt: skip
    silent = pd.DataFrame({"targeted": [float(size)] * others, "turned_around": np.nan,
                           "exact": False, "early": False})  # fmt: skip
    marks = full_marks(pd.concat([claims, silent]) if others else claims, share)
    chance = share**size
    assert marks.expected == pytest.approx(10 * chance)
    assert marks.probability == pytest.approx(stats.binom.sf(3, 10, chance))
    assert marks.expected_all == pytest.approx((10 + others) * chance)
    assert marks.probability_all == pytest.approx(stats.binom.sf(3, 10 + others, chance))
    assert (marks.early, marks.unchosen_known, marks.unchosen_observed) == (2, 8, 2)
    assert marks.unchosen_expected == pytest.approx(8 * chance)
    assert marks.unchosen_probability == pytest.approx(stats.binom.sf(1, 8, chance))


def test_merseyside_in_full():
    together = unpublished_bounds("E11000002", "2015-02")
    assert together["areas"] == ("Knowsley", "Sefton")
    # Sefton's count is of some month of 2015: it bounds 2014, and not February.
    assert member_bounds("E11000002", "2014-05").set_index("area").loc["Sefton", "high"] == 609
    own = member_bounds("E11000002", "2015-02").set_index("area")
    assert own.loc["Sefton", ["low", "high"]].tolist() == [0, 650]
    assert own.loc["Knowsley", "low"] == 4467 - 727 - 499 - 2105 - 650
    # 4,467 less Wirral 727, St Helens 499 and Liverpool's 1,987 to 2,105.
    assert (together["low"], together["high"]) == (4467 - 727 - 499 - 2105, 4467 - 727 - 499 - 1987)
    bounds = member_bounds("E11000002", "2014-05").set_index("area")
    assert bounds.loc["Wirral", "low"] == 300
    assert bounds["low"].sum() <= 2767 <= bounds["high"].sum()


def test_seftons_claim_is_read_and_fits_the_bounds_it_is_shown_beside():
    rows = published("progress_local")
    sefton = rows[(rows["area"] == "Sefton") & (rows["figure"] == "turned_around")]
    assert sefton["status"].tolist() == ["read"]
    assert sefton["date"].tolist() == ["2019-05-22"]
    assert "phase two" in sefton["note"].iloc[0]
    assert "the original 650" in sefton["note"].iloc[0]
    # As its source prints it: 94%, beside 90% nationally.
    shares = rows[(rows["area"] == "Sefton") & (rows["figure"] == "share_turned_around")]
    nation = published("progress_national").query("figure == 'share_turned_around'")
    assert shares["value"].tolist() == [94] == [round(100 * 609 / 650)]
    assert nation["value"].tolist() == [90] == [round(100 * 105_671 / 117_910)]
    knowsley = published("progress_local").query("area == 'Knowsley' and figure == 'turned_around'")
    together = unpublished_bounds("E11000002", "2015-02")
    assert (
        together["low"] <= sefton["value"].iloc[0] + knowsley["value"].iloc[0] <= together["high"]
    )


def test_bounds_need_a_total():
    with pytest.raises(DataError, match="no turned_around of E11000002 at 2012-01"):
        member_bounds("E11000002", "2012-01")
