"""Area statistics and doses: sourced, whole, missing where suppressed, against slow readings."""

from __future__ import annotations

import csv
from collections import defaultdict

import numpy as np
import pandas as pd
import pytest

from tfeval.errors import DataError, ParameterError, SourceError
from tfeval.programme import areas as module
from tfeval.programme import published as published_module
from tfeval.programme.areas import (
    area_measures,
    area_statistics,
    doses,
    nation_statistics,
    rake,
    target_totals,
)
from tfeval.programme.published import check_published, published, published_folder


def read(table: str) -> list[dict[str, str]]:
    """Return a file's rows as text, by the csv module alone."""
    with (published_folder() / f"{table}.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def set_cell(column: str, value: str, row: int = 0):
    """Return a change of one cell."""

    def how(frame: pd.DataFrame) -> pd.DataFrame:
        frame.loc[frame.index[row], column] = value
        return frame

    return how


def set_where(column: str, value: str, **where: str):
    """Return a change of a column in the rows where others hold values."""

    def how(frame: pd.DataFrame) -> pd.DataFrame:
        rows = np.logical_and.reduce([frame[name] == wanted for name, wanted in where.items()])
        assert rows.any()
        frame.loc[rows, column] = value
        return frame

    return how


def test_every_measure_and_series_has_a_whole_source_and_says_what_it_is():
    for row in (*read("area_measures"), *read("nation_series")):
        assert row["status"] in ("read", "recalled")
        for name in ("source_title", "publisher", "date", "label", "unit", "year_means", "use"):
            assert row[name].strip(), (row, name)
        assert row["url"].startswith("http")
    columns = {name for table in ("area_years", "area_facts") for name in read(table)[0]}
    assert columns - {"code", "year"} == {row["measure"] for row in read("area_measures")}


def test_the_panel_has_the_152_and_nobody_else():
    names = {row["code"]: (row["name"], row["region"]) for row in read("local_authorities")}
    frame = area_statistics()
    assert set(frame["code"]) == set(names)
    assert all(names[row.code] == (row.name, row.region) for row in frame.drop_duplicates("code")
               .itertuples(index=False))  # fmt: skip
    per = frame.groupby(["measure", "year"])["code"]
    assert (per.nunique() == 152).all()
    assert (per.size() == 152).all()


SCILLY, HARTLEPOOL = "E06000053", "E06000001"
BROKEN = {
    "no such authority": ("area_years", set_cell("code", "E99999999"), "unknown authority in 1"),
    "twice": ("area_facts", lambda f: pd.concat([f, f.head(1)]), "repeated code in 1 row"),
    "a year of one digit": ("area_years", set_cell("year", "7"), "column year: not a year in 1"),
    "a column without a source": (
        "area_years",
        lambda f: f.assign(crime="1"),
        "column crime is not known",
    ),
    "a measure without its column": (
        "area_facts",
        lambda f: f.drop(columns="deprivation_2010"),
        "deprivation_2010 is missing",
    ),
    "a share above 100": (
        "area_years",
        set_where("persistent_absence", "115", code=HARTLEPOOL, year="2012"),
        "persistent_absence: beyond 0 to 60 in 1 row",
    ),
    "a star for what is suppressed": (
        "area_years",
        set_where("persistent_absence", "*", code=HARTLEPOOL, year="2012"),
        "persistent_absence: not a number in 1 row",
    ),
    "half a child": (
        "area_years",
        set_where("looked_after", "7.5", code=HARTLEPOOL, year="2012"),
        "looked_after: a count in fractions in 1 row",
    ),
    "nought for what is suppressed": (
        "area_years",
        set_where("permanent_exclusions", "0", code="E06000014", permanent_exclusions="",
                  year="2013"),
        "permanent_exclusions: 1616 values",
    ),
    "a grant of nought": (
        "area_facts",
        set_where("programme_grant_2013_14", "0", code="E08000003"),
        "programme_grant_2013_14: 127 values of 127 authorities",
    ),
    "a rate that is not of its count": (
        "area_years",
        set_where("fixed_exclusion_rate", "9.99", code=HARTLEPOOL, year="2012"),
        "fixed_exclusion_rate: not fixed_exclusions over pupils in 1 row",
    ),
    "an odd rank": ("area_measures", set_cell("rank", "best"), "none of first, second in 1 row"),
    "an odd role": ("area_measures", set_cell("role", "star"), "column role: none of outcome"),
    "no word on use": ("area_measures", set_cell("use", ""), "column use: empty in 1 row"),
    "no word on suppression": ("area_measures", set_cell("suppression", " "), "suppression: empty"),
    "no bounds": ("area_measures", set_cell("high", ""), "column high: not a number in 1 row"),
    "no source": ("area_measures", set_cell("url", ""), "column url: no source in 1 row"),
    "a series nobody described": ("nation_years", set_cell("series", "x"), "series.csv in 1 row"),
    "a series without values": (
        "nation_years",
        lambda f: f[f["series"] != "claimant_rate_wales"],
        "no value of claimant_rate_wales",
    ),
    "a nation's year outside": ("nation_years", set_cell("year", "1990"), "beyond the series'"),
    "a nation's star": ("nation_years", set_cell("value", "*"), "no number of 0 or more in 1 row"),
}  # fmt: skip


@pytest.mark.parametrize("fault", BROKEN)
def test_a_malformed_table_gives_one_clear_message(edit, fault):
    table, how, message = BROKEN[fault]
    folder = edit(table, how)
    with pytest.raises(DataError) as caught:
        published(table, folder=folder)
    assert message in str(caught.value)
    assert all(line.startswith(f"{table}.csv: ") for line in str(caught.value).splitlines())


def test_authorities_add_up_to_england_within_rounding():
    """Looked after: counts rounded to 5 each; absence: pupils stand in for enrolments."""
    england = {(row["series"], row["year"]): float(row["value"]) for row in read("nation_years")}
    cells, absent, pupils, seen = (defaultdict(float), defaultdict(float), defaultdict(float),
                                   defaultdict(int))  # fmt: skip
    for row in read("area_years"):
        if row["looked_after"]:
            cells[row["year"]] += float(row["looked_after"])
            seen[row["year"]] += 1
        if row["persistent_absence"] and row["pupils"]:
            absent[row["year"]] += float(row["persistent_absence"]) * float(row["pupils"])
            pupils[row["year"]] += float(row["pupils"])
    whole = [year for year, count in seen.items() if count == 152]
    assert len(whole) == 9
    for year in whole:
        # 152 roundings to 5 have a standard deviation of 18; England's own is rounded to 10.
        assert abs(cells[year] - england["looked_after_england", year]) <= 4 * 18 + 5
    for year, total in pupils.items():
        assert abs(absent[year] / total - england["persistent_absence_england", year]) < 0.06
    assert len(pupils) == 11


def test_a_count_that_england_does_not_bear_out_is_refused(edit):
    def how(frame: pd.DataFrame) -> pd.DataFrame:
        row = (frame["code"] == HARTLEPOOL) & (frame["year"] == "2014")
        frame.loc[row, "looked_after"] = str(int(frame.loc[row, "looked_after"].iloc[0]) + 400)
        return frame

    with pytest.raises(DataError, match=r"looked_after: the authorities miss England .* 1 of 9"):
        check_published(edit("area_years", how))


def test_what_is_suppressed_is_missing_and_never_nought():
    wide = area_statistics(["permanent_exclusions", "pupils", "claimant_rate"], wide=True)
    wide = wide.set_index(["code", "year"])
    raw = read("area_years")
    for row in raw:
        for name in ("permanent_exclusions", "pupils", "claimant_rate"):
            value = wide[name].get((row["code"], int(row["year"])), np.nan)
            assert np.isnan(value) if row[name] == "" else value == float(row[name])
    # Numbers of one and two are suppressed: no cell holds them, and some cells are missing.
    counts = wide["permanent_exclusions"]
    assert not counts.isin([1, 2]).any()
    assert wide["permanent_exclusions"].xs("E08000013", level="code").isna().sum() > 3  # St Helens
    grants = area_statistics(["programme_grant_2013_14"])["value"]
    assert (grants.isna().sum(), (grants == 0).sum()) == (26, 0)
    # Authorities that a source lacks altogether have their rows, without values.
    dorset = area_statistics(["claimant_rate"]).query("name == 'Dorset'")
    assert len(dorset) == 25
    assert dorset["value"].isna().all()


def test_missing_cells_are_counted():
    told = area_measures().set_index("measure")
    long = area_statistics()
    for name in told.index:
        own = long[long["measure"] == name]["value"]
        assert (own.notna().sum(), own.isna().sum()) == tuple(told.loc[name, ["cells", "missing"]])


def test_wide_and_tidy_say_the_same():
    names = ["looked_after_rate", "deprivation_2010"]
    tidy, wide = area_statistics(names, [2011, 2012]), area_statistics(names, [2011, 2012],
                                                                       wide=True)  # fmt: skip
    rates = tidy[tidy["measure"] == "looked_after_rate"].set_index(["code", "year"])["value"]
    pd.testing.assert_series_equal(
        wide.set_index(["code", "year"])["looked_after_rate"].sort_index(), rates.sort_index(),
        check_names=False,
    )  # fmt: skip
    fixed = area_statistics(["deprivation_2010"]).set_index("code")["value"]
    assert (wide["deprivation_2010"] == wide["code"].map(fixed)).all()
    assert not (tidy["measure"] == "deprivation_2010").any()  # of 2010, which was not asked for


def test_first_rank_outcomes_have_years_before_the_programme():
    for row in area_measures(role="outcome", rank="first").itertuples():
        assert row.first_treated - row.first_year >= 3, row.measure
    with pytest.raises(ParameterError, match="rank is one of first, second"):
        area_measures(rank="third")
    with pytest.raises(SourceError, match="Did you mean claimant_rate"):
        area_statistics(["claimant_rates"])
    with pytest.raises(SourceError, match="Did you mean looked_after"):
        nation_statistics(["looked_afte"])


@pytest.fixture
def elsewhere(edit, monkeypatch):
    """Return a function that lets the package read a changed table."""

    def change(table: str, how) -> None:
        folder = edit(table, how)
        monkeypatch.setattr(published_module, "published_folder", lambda: folder)

    return change


def test_what_is_recalled_enters_nothing(elsewhere):
    elsewhere("area_measures", set_where("status", "recalled", measure="claimant_rate"))
    assert "claimant_rate" not in published("area_years")
    assert "claimant_rate" in published("area_years", unverified=True)
    assert "claimant_rate" not in set(area_statistics()["measure"])
    with pytest.raises(SourceError, match="no area measure claimant_rate"):
        area_statistics(["claimant_rate"])
    elsewhere("nation_series", set_where("status", "recalled", nation="Wales"))
    assert "Wales" not in set(nation_statistics()["nation"])


def test_nations_as_an_index():
    raw = nation_statistics(["claimant_rate"])
    index = nation_statistics(["claimant_rate"], base=2012)
    assert (index.loc[index["year"] == 2012, "value"] == 100).all()
    for nation, rows in raw.groupby("nation"):
        at = rows.loc[rows["year"] == 2012, "value"].iloc[0]
        own = index.loc[index["nation"] == nation, "value"].to_numpy()
        np.testing.assert_allclose(own, 100 * rows["value"].to_numpy() / at)
    # A series that was not counted in the base year is no index of it.
    ireland = nation_statistics(["looked_after"], base=2012).query("nation == 'Northern Ireland'")
    assert ireland["value"].isna().all()


def test_known_targets_are_those_published():
    said = defaultdict(set)
    for row in read("progress_local"):
        if (row["figure"], row["period"], row["status"]) == ("targeted", "2012-15", "read"):
            said[row["area_code"]].add(float(row["value"]))
    target = doses().set_index("code")["target"]
    assert set(target.dropna().index) == set(said)
    for code, values in said.items():
        assert target[code] in values
    assert np.isnan(doses().set_index("name").loc["Leeds", "target"])  # recalled alone
    assert len(said) == 94


def test_no_target_contradicts_its_groups():
    known = doses().set_index("code")["target"]
    for members, total in target_totals().items():
        own = known[list(members)]
        if own.isna().any():
            assert own.sum() < total
        else:
            assert own.sum() == total
    # The South East's rounded total is left out, since its own authorities contradict it.
    (south_east,) = [row for row in read("progress_areas")
                     if (row["area_code"], row["figure"]) == ("E12000008", "targeted")]  # fmt: skip
    own = known[south_east["members"].split(";")]
    mean = own.sum() / own.notna().sum()
    assert (float(south_east["value"]) - own.sum()) / own.isna().sum() < mean / 6


def test_modelled_targets_add_up_to_every_published_total():
    rows = doses().set_index("code")
    for name in ("modelled_target", "completed_target"):
        for members, total in target_totals().items():
            assert rows.loc[list(members), name].sum() == pytest.approx(total, rel=1e-9)
        assert (rows[name] > 0).all()
    known = rows["target"].notna()
    assert (rows.loc[known, "completed_target"] == rows.loc[known, "target"]).all()
    # "More than 13,000" was published of Yorkshire, and was not used.
    yorkshire = rows[rows["region"] == "Yorkshire and The Humber"]
    assert 13_000 < yorkshire["completed_target"].sum() < 13_500


@pytest.mark.parametrize("seed", range(20))
def test_raking_of_nested_groups_is_scaling_of_each_ring(seed):
    """Where groups lie within one another, what is outside the inner shares the rest."""
    rng = np.random.default_rng(seed)
    codes = list("abcdefghij")
    start = pd.Series(rng.uniform(1, 9, 10), codes)
    known = pd.Series(np.where(rng.random(10) < 0.3, rng.uniform(1, 5, 10), np.nan), codes)
    known[["a", "e", "j"]] = np.nan
    inner, middle = codes[:3], codes[:7]
    totals = {tuple(inner): 40.0, tuple(middle): 95.0, tuple(codes): 150.0}
    found = rake(start, known, totals)
    for ring, total in ((inner, 40.0), (middle[3:], 55.0), (codes[7:], 55.0)):
        left = total - sum(known[code] for code in ring if not np.isnan(known[code]))
        free = [code for code in ring if np.isnan(known[code])]
        for code in free:
            assert found[code] == pytest.approx(left * start[code] / start[free].sum())
        for code in set(ring) - set(free):
            assert found[code] == known[code]


def test_totals_that_contradict_are_refused():
    start = pd.Series({"a": 1.0, "b": 1.0})
    none = pd.Series({"a": np.nan, "b": np.nan})
    with pytest.raises(DataError, match="no scaling meets all"):
        rake(start, none, {("a", "b"): 10.0, ("a",): 3.0, ("b",): 4.0}, rounds=50)
    with pytest.raises(DataError, match="leaves nothing to 1 of its 2 authorities"):
        rake(start, pd.Series({"a": 5.0, "b": np.nan}), {("a", "b"): 5.0})


def test_the_error_of_each_authority_is_that_of_a_model_without_it():
    """Refitted as often as there are authorities, from the files alone."""
    facts = {row["code"]: row for row in read("area_facts")}
    children = {row["code"]: float(row["children"]) for row in read("area_years")
                if row["year"] == "2009"}  # fmt: skip
    rows = doses().set_index("code")
    terms = {
        code: [1.0, np.log(children[code])]
        + [np.log(float(facts[code][f"{one}_deprivation_2010"]))
           for one in ("income", "employment", "education")]
        for code in facts
    }  # fmt: skip
    known = [code for code in rows.index if not np.isnan(rows.loc[code, "target"])]
    fitted = [code for code in known if children[code] >= 5000]
    assert len(known) - len(fitted) == 2
    for code in known:
        others = [one for one in fitted if one != code]
        slopes = np.linalg.pinv(np.array([terms[one] for one in others])) @ np.log(
            [rows.loc[one, "target"] for one in others]
        )
        told = np.exp(np.dot(terms[code], slopes)) / rows.loc[code, "target"] - 1
        assert rows.loc[code, "model_error"] == pytest.approx(told, rel=1e-8)
    assert rows.loc[rows["target"].isna(), "model_error"].isna().all()


def test_doses_read_no_outcome(monkeypatch):
    asked = set()

    def watched(measures, *rest, **more):
        asked.update(measures)
        return area_statistics(measures, *rest, **more)

    monkeypatch.setattr(module, "area_statistics", watched)
    doses()
    told = area_measures().set_index("measure")
    assert asked == {"children"}
    assert told.loc["children", "role"] == "population"
    assert set(told.loc[list(module._DOMAINS), "last_year"]) == {2010}


def test_grants_say_where_they_cannot_be_believed():
    rows = doses().set_index("name")
    assert (rows["grant_status"] == "booked_elsewhere").sum() == 26
    assert rows.index[rows["grant_status"] == "implausible"].tolist() == ["Birmingham"]
    booked = rows["grant_status"] == "booked_elsewhere"
    assert rows.loc[booked, ["grant", "grant_per_child"]].isna().all(axis=None)
    assert (rows.loc[~booked, "grant"] > 0).all()
    coventry = rows.loc["Coventry"]
    assert coventry["grant_per_child"] == pytest.approx(1_137_000 / 73_083)
