"""Nothing that is not there says none: an area without a family looks as one with one to nine."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

from tests.attacks.attacks import areas_without, by_area, drawn, means_that_are_not_there
from tests.attacks.world import REGIONS, as_shown, cells_of, families, released
from tfeval.display.charts import bar_chart
from tfeval.programme.programmes import programmes
from tfeval.release.ledger import Ledger
from tfeval.release.pages import _tables_html, register_of
from tfeval.release.released import release_cells
from tfeval.release.released_parts import PARTS
from tfeval.release.values import Numbers
from tfeval.report.cells import Maker, together
from tfeval.report.chapters.group_cells import add_attached

EMPTY, ALIKE = "E00000020", "E00000040"
OWN = [code for code, region in REGIONS.items() if region == "Region 8"]


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    frame = families(9_000)
    frame.loc[frame["area"] == EMPTY, "area"] = "E00000021"
    frame.loc[frame["area"] == ALIKE, "offences"] = frame["offences"].clip(upper=1.0)
    return frame


def with_few(people: pd.DataFrame, area: str = EMPTY, few: int = 4) -> pd.DataFrame:
    more = people.iloc[:few].assign(area=area, family=[f"more{one}" for one in range(few)])
    return pd.concat([people, more], ignore_index=True)


def one_with_three(people: pd.DataFrame) -> pd.DataFrame:
    place = people.index[(people["area"] == ALIKE) & (people["offences"] == 1)][0]
    return people.assign(offences=people["offences"].where(people.index != place, 3.0))


def results_of_no_kind(people: pd.DataFrame) -> pd.DataFrame:
    few = people.index[people["behaviour"] == 1][:3]
    return people.assign(behaviour=people["behaviour"].where(~people.index.isin(few), 0.0))


def same(people: pd.DataFrame) -> pd.DataFrame:
    return people


def no_region(people: pd.DataFrame) -> pd.DataFrame:
    return people[~people["area"].isin(OWN)].reset_index(drop=True)


Change = Callable[[pd.DataFrame], pd.DataFrame]
#: Two extracts, of which none, or nobody, is true in the first alone.
PAIRS: dict[str, tuple[Change, Change]] = {
    "an area": (same, with_few),
    "a region": (no_region, lambda people: with_few(no_region(people), OWN[3], 9)),
    "more than one offence": (same, one_with_three),
    "a result of neither kind": (same, results_of_no_kind),
    "a family of no region": (same, lambda people: with_few(people, "E09999999")),
}


def register(people: pd.DataFrame) -> pd.DataFrame:
    ledger = Ledger()
    ledger.key = bytes(32)
    return register_of(release_cells(cells_of(people), ledger)).set_index("id")


@pytest.fixture(scope="module")
def whole(people) -> pd.DataFrame:
    return register(people)


@pytest.mark.parametrize("kind", PAIRS)
def test_none_looks_as_few(people, whole, kind):
    none, few = (whole if change is same else register(change(people)) for change in PAIRS[kind])
    numbers = ["value", "unit", "error", "low", "high"]
    # The same rows, columns, names and flags, in one order, and hidden numbers in the same places.
    pd.testing.assert_frame_equal(none.drop(columns=numbers), few.drop(columns=numbers))
    for name in ("value", "unit"):
        assert (none[name].str.len() == few[name].str.len()).mean() > 0.99
    # Shown numbers are nearly all the same, and none moves by more than a unit.
    shown = (none["shown"] == "yes") & (none["kind"] != "share")  # these follow from counts
    first, second, unit = (pd.to_numeric(one[shown])
                           for one in (none["value"], few["value"], few["unit"]))  # fmt: skip
    assert ((first - second).abs() <= unit + 1e-9).all() and (first == second).mean() > 0.95
    # So is the area's page, to the letter.
    for area in (EMPTY, OWN[3]):
        pages = [_tables_html(one[one["area"] == area].reset_index()) for one in (none, few)]
        assert pages[0] == pages[1]


def test_pages_as_they_are_shown_say_where_nobody_is(people):
    """Absence is read from rows, and that nobody has more than one from a mean's absence."""
    for kind, find, area in (
        ("an area", areas_without, EMPTY),
        ("a region", areas_without, OWN[3]),
        ("more than one offence", means_that_are_not_there, ALIKE),
    ):
        none, few = (find(as_shown(cells_of(change(people)))) for change in PAIRS[kind])
        assert area in none - few, kind


def test_every_area_has_a_row_of_every_number(whole):
    own = whole[whole["kind"].isin(["count", "mean"])]
    assert set(own.groupby("number")["area"].nunique()) == {len(REGIONS) + 9 + 1}
    assert not whole.index.duplicated().any()


@pytest.mark.parametrize("sizes", [(8, 9, 10, 11), (12, 11, 10, 9), (9, 10, 9, 10)])
def test_editions_one_family_apart_cross_no_line(people, tmp_path, sizes):
    """Who knows that a family came between two editions sees a number appear at ten, or go."""
    off, on = [], []
    for count in sizes:
        cells = cells_of(people.iloc[:count].reset_index(drop=True), areas=False)
        off.append(by_area(as_shown(cells), "families")["England"].shown)
        ledger = Ledger(tmp_path / "ledger")
        on.append(by_area(released(cells, ledger), "families")["England"])
        ledger.save()
    assert off == [count >= 10 for count in sizes]
    said = [(line.low, line.high) for line in on]
    assert {line.shown for line in on} == {sizes[0] >= 10}
    assert sizes[0] < 10 or set(said) == {said[0]}


def test_two_reports_of_one_release_cross_no_line(people):
    reports = [cells_of(people.iloc[:count].reset_index(drop=True), areas=False)
               for count in (9, 10)]  # fmt: skip
    frame = release_cells(together(reports, ["narrow", "wide"]), Ledger()).frame
    assert not frame.loc[frame["number"] == "families", "shown"].any()


def test_coordinates_of_a_drawing_are_released_numbers():
    """A label is rounded, and the bar beside it is as long as it was drawn."""
    counts = {2012: 137, 2013: 213, 2014: 58, 2015: 7}
    off = bar_chart([str(year) for year in counts], list(counts.values()), title="2013 had most",
                    alt="Bar chart of families by year, rounded.", x_label="Families")  # fmt: skip
    assert [round(one) for one in drawn(off.svg())] == list(counts.values())
    years = pd.Series([f"{year}-05-01" for year, count in counts.items() for _ in range(count)])
    maker, treated = Maker(range(len(years)), ["E1"] * len(years), {}), years.notna().to_numpy()
    england = {"arm": "treated", "level": "england", "area": "England", "months": 12}
    maker.count(treated, number="families", **england)
    add_attached(maker, years, treated, programmes()["one"], 12)
    table = register_of(release_cells(maker.made(), Ledger()))
    chart = PARTS["02_families_and_data"]["families.attached_chart("](Numbers(table, {}), "")
    assert (table["shown"] == "no").sum() >= 1
    read = drawn(chart.svg())
    assert len(read) >= 2 and all(abs(one - 10 * round(one / 10)) < 0.5 for one in read)
