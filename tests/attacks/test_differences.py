"""Differences of numbers of nearly the same families: before and after, two chapters, the nation.

Each attack has the numbers of both ways, knows all families but a few, and works theirs out.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.attacks.world import cells_of, families
from tfeval.release.keys import MOVED, REACH
from tfeval.release.ledger import Ledger
from tfeval.release.pages import register_of
from tfeval.release.released import release_cells
from tfeval.report.cells import Cells, Maker, moved_by
from tfeval.report.chapters.cells import cap_of
from tfeval.report.chapters.group_cells import add_balance, add_mean


def ledger() -> Ledger:
    book = Ledger()
    book.key = bytes(32)
    return book


@dataclass(frozen=True)
class Said:
    """A number as it was published: what it lies between."""

    low: float
    high: float

    def __mul__(self, times: float) -> Said:
        return Said(self.low * times, self.high * times)

    def __sub__(self, other: Said) -> Said:
        return Said(self.low - other.high, self.high - other.low)

    def tells(self, truth: float, spread: float) -> bool:
        """Whether it holds the truth, and nothing a family's spread away from it."""
        assert self.low - 1e-9 <= truth <= self.high + 1e-9
        return self.high - self.low < spread


def both_ways(cells: Cells) -> dict[str, dict[str, Said]]:
    """Publish numbers of England with six digits, as records have them, and as a release does."""
    rows = release_cells(cells, ledger()).frame
    rows = rows[(rows["level"] == "england") & (rows["kind"] != "share")]
    said: dict[str, dict[str, Said]] = {"off": {}, "on": {}}
    for row in rows.to_dict("records"):
        exact, released, reach = row["exact"], row["released"], REACH * row["unit"]
        said["off"][row["number"]] = Said(exact - 5e-7, exact + 5e-7)
        if row["shown"]:
            said["on"][row["number"]] = Said(released - reach, released + reach)
    return said


def design_of(values: np.ndarray, treated: np.ndarray, kept: np.ndarray) -> tuple[Any, Any]:
    """Return what chapter 3 has of a design that leaves some families out, and its differences."""
    ones, sd = np.ones(len(values)), float(values[treated].std(ddof=1))
    columns = [SimpleNamespace(level=None, absent=False, source="days", raw=values)]
    study = SimpleNamespace(treated=treated, sampling=ones,
                            covariates=SimpleNamespace(columns=columns))  # fmt: skip

    def difference(own: np.ndarray) -> float:
        return float(values[own & treated].mean() - values[own & ~treated].mean()) / sd

    row = {"kind": "number", "source": "days", "sd": sd, "smd_before": difference(ones > 0),
           "smd_after": difference(kept)}  # fmt: skip
    return SimpleNamespace(study=study, weights=kept.astype(float), estimand="ATT"), pd.DataFrame(
        [row]
    )


@pytest.mark.parametrize("gone", [1, 4, 9])
def test_balance_before_and_after_a_design_that_leaves_a_few_out(gone):
    """Who knows the sizes and the standard deviation has the sum over those left out."""
    rng = np.random.default_rng(gone)
    treated = np.arange(2_000) < 1_000
    values, kept = rng.gamma(2.0, 60.0, 2_000).round(), np.arange(2_000) >= gone
    design, frame = design_of(values, treated, kept)
    maker = Maker(range(2_000), ["E1"] * 2_000, {})
    add_balance(maker, design, frame, 12, pd.DataFrame({"days": values}))
    sd, mean = frame["sd"].iloc[0], values[treated].mean()
    # The mean of those kept is that of all plus what the difference moved by, times their number.
    truth = float((values[:gone] - mean).sum())
    spread = float(np.abs(values[treated] - mean).max())
    for way, said in both_ways(maker.made()).items():
        moved = said["balance:before:days"] - said["balance:after:days"]
        assert (moved * (sd * (1_000 - gone))).tells(truth, spread) == (way == "off"), way


@pytest.mark.parametrize("gone", [1, 5, 9])
def test_a_mean_of_chapter_2_less_that_of_chapter_4(gone):
    """Families followed and not compared are what one mean times its families leaves of another."""
    values = families(1_500)["offences"].to_numpy()
    kept = np.arange(1_500) >= gone
    maker = Maker(range(1_500), ["E1"] * 1_500, {})
    place = {"level": "england", "area": "England", "arm": "treated", "months": 12}
    for number, own in (("mean:after:offences", np.ones(1_500, bool)),
                        ("mean:offences:nearest", kept)):  # fmt: skip
        add_mean(maker, values, own, number, np.ones(1_500), name="offences", **place)
    truth, spread = float(values[:gone].sum()), float(values.max() - values.mean())
    for way, said in both_ways(maker.made()).items():
        left = (said["mean:after:offences"] * 1_500
                - said["mean:offences:nearest"] * (1_500 - gone))  # fmt: skip
        assert left.tells(truth, spread) == (way == "off"), way


def test_the_nation_uncapped_less_the_regions_capped():
    """What it leaves is how far the few with the most lie above the cap."""
    values = families(6_000)["offences"].to_numpy()
    values[:3] = 90.0
    cap = cap_of(values)
    assert cap is not None and 0 < (values > cap.at).sum() <= 60
    region = np.arange(6_000) % 2
    maker = Maker(range(6_000), ["E1"] * 6_000, {})
    place = {"level": "england", "area": "England", "arm": "treated", "months": 12}
    ones, every = np.ones(6_000), np.ones(6_000, dtype=bool)
    add_mean(maker, values, every, "mean:offences", ones, name="offences", **place)
    for one in (0, 1):
        add_mean(maker, values.clip(max=cap.at), region == one, f"mean:{one}:capped", ones,
                 name="offences", shifted=cap.moved(values, ones), **place)  # fmt: skip
    truth = float((values - values.clip(max=cap.at)).sum())
    for way, said in both_ways(maker.made()).items():
        left = said["mean:offences"] * 6_000
        for one in (0, 1):
            left -= said[f"mean:{one}:capped"] * 3_000
        assert left.tells(truth, 90.0) == (way == "off"), way


@pytest.mark.parametrize("gone", [1, 9])
def test_how_far_rounding_moves_an_effect_does_not_give_its_error(gone):
    """An error without a few families, beside one with them, gives how far they lie from all."""
    values = np.random.default_rng(2).gamma(0.5, 4.0, 800)
    squares: dict[str, list[Said]] = {"off": [], "on": []}
    truth = 0.0
    for own, sign in ((values, 1), (values[gone:], -1)):
        mean, moved = moved_by(own)
        pulls, size = np.sort((own - mean) ** 2)[::-1], len(own)
        error, drop = np.sqrt(pulls.sum()) / size, np.sqrt(pulls.sum()) - np.sqrt(pulls[9:].sum())
        maker = Maker(range(800 - size, 800), ["E1"] * size, {})
        maker.add(np.arange(size), kind="effect", number="effect:offences:nearest", arm="both",
                  outcome="offences", months=12, level="england", area="England", value=mean,
                  error=error, n=size, events=size, least=100.0, error_drop=drop / size,
                  unit="offences", **moved)  # fmt: skip
        row = register_of(release_cells(maker.made(), ledger())).iloc[0]
        step, rounding = 2.0 ** np.ceil(np.log2(drop / size / MOVED)), float(row["unit"]) ** 2 / 12
        # What stands beside it, by how much of its error rounding moves it, follows from the two.
        ends = {"off": (error, 5e-7, 0.0), "on": (float(row["error"]), REACH * step, rounding)}
        for way, (said, reach, more) in ends.items():
            low, high = (max((said + one) ** 2 - more, 0.0) for one in (-reach, reach))
            squares[way].append(Said(low, high) * size**2)
        truth += sign * float(pulls.sum())
    spread = float(((values - values.mean()) ** 2).max())
    for way, (first, other) in squares.items():
        assert (first - other).tells(truth, spread) == (way == "off"), way


CODES = {f"E{one:08d}": f"Region {one % 2}" for one in range(6)}


def register(people: pd.DataFrame) -> pd.DataFrame:
    area = people["area"].where(people["area"] == "", [f"E{one % 6:08d}" for one in people.index])
    cells = cells_of(people.assign(area=area), regions=CODES)
    return register_of(release_cells(cells, ledger()))


def test_whether_regions_make_up_the_nation_does_not_say_that_nine_live_in_none():
    """A mark that stands at nine and goes at ten says, of editions a family apart, which it is."""
    people = families(600)
    nine, ten, many = (register(people.assign(area=people["area"].where(people.index >= count, "")))
                       for count in (9, 10, 60))  # fmt: skip
    names = ["id", "parent", "base", "within", "guarded", "signed"]
    tables = [one.loc[one["kind"] != "share", names] for one in (nine, ten, many)]
    for other in tables[1:]:
        pd.testing.assert_frame_equal(tables[0], other)


def test_the_order_of_rows_says_nothing_of_how_families_came():
    people = families(600)
    order = people.sample(frac=1.0, random_state=1)
    pd.testing.assert_frame_equal(register(people), register(order))
