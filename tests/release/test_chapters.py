"""Chapters outside: made from released cells and published figures, where there are no records."""

from __future__ import annotations

import pandas as pd
import pytest
from bs4 import BeautifulSoup

import tfeval
from tfeval.display import release_words as words
from tfeval.release import chapters
from tfeval.release.pages import COLUMNS, pages_of

#: England's effects, errors and units, each a multiple of its unit.
EFFECTS = {"offences": (-0.25, 0.0625, 2**-4), "out_of_work": (-8.0, 2.0, 2.0),
           "looked_after": (-2.0, 0.5, 1.0)}  # fmt: skip
ABOUT = {"phase": "one", "horizon": "12", "simulated": "no"}


def row(kind: str, number: str, value: str, arm: str = "both", **more: str) -> dict[str, str]:
    told = {"kind": kind, "number": number, "arm": arm, "level": "england", "area": "England",
            "name": "England", "months": "12", "shown": "yes", "value": value,
            "unit": "10.0"}  # fmt: skip
    own = dict.fromkeys(COLUMNS, "") | told | more
    return own | {"id": "|".join((own["number"], "12", own["arm"], own["area"]))}


@pytest.fixture(scope="module")
def register() -> pd.DataFrame:
    rows = []
    for name, (value, error, unit) in EFFECTS.items():
        ends = {"low": f"{value - 1.96 * error:.3f}", "high": f"{value + 1.96 * error:.3f}"}
        rows.append(row("effect", f"effect:{name}:nearest:adjusted:ATT", f"{value}", outcome=name,
                        error=f"{error}", unit=f"{unit}", **ends))  # fmt: skip
    rows.append(row("effect", "effect:custody:nearest:adjusted:ATT", "", outcome="custody",
                    shown="no", unit=""))  # fmt: skip
    for arm, count, mean in (("treated", "4130", "0.5"), ("comparison", "4120", "0.75")):
        for number in ("families", "compared", "known:offences", "known:before:offences"):
            rows.append(row("count", number, count, arm))
        for number in ("mean:offences:nearest", "mean:before:offences", "mean:after:offences"):
            rows.append(row("mean", number, mean, arm, outcome="offences", unit="0.25"))
    for word, value in (("before", "0.31"), ("after", "0.06")):
        rows.append(row("balance", f"balance:{word}:offences_before", value, unit="0.03125",
                        outcome="offences_before"))  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


@pytest.fixture(scope="module")
def pages(register) -> dict[str, str]:
    with pytest.MonkeyPatch.context() as patch:
        for verb in ("records_of", "open_records", "cohort", "simulate"):
            patch.setattr(tfeval, verb, lambda *_, **__: pytest.fail("records were asked for"))
        return pages_of(register, ABOUT)


def texts(page: str) -> str:
    return BeautifulSoup(page, "html.parser").main.get_text(" ", strip=True)


def test_chapters_are_made_where_no_records_can_be_opened(pages):
    assert {f"{name}.html" for name in chapters.CHAPTERS} <= set(pages)
    assert all(f"{name}.html" in pages["index.html"] for name in chapters.CHAPTERS)
    stays = {name: texts(pages[f"{name}.html"]).count(words.STAYS) for name in chapters.CHAPTERS}
    assert stays["07_value_for_money"] == 0 and stays["04_impact"] > 5


def test_what_chapters_say_is_what_was_released(pages):
    flow, balance, impact = (texts(pages[f"{name}.html"]) for name in list(chapters.CHAPTERS)[:3])
    assert "4,130 families on the programme beside 4,120 comparison families" in flow
    assert "0.31" in balance and "0.06" in balance and "balanced" in balance
    # -0.25 of 0.75 is a third; nothing of what is hidden but that it is not among those shown.
    assert "offences, a family −33% (−49% to −17%)" in impact or "−33" in impact
    assert "ustodial sentences" not in impact
    assert "Simulated records:" not in impact


def test_value_follows_from_released_effects(register, pages):
    value = "07_value_for_money.html"
    larger = register.assign(value=register["value"].replace("-2.0", "-20.0"))
    again = chapters.chapter_pages(larger, ABOUT)["07_value_for_money"][1]
    brought = [float(texts(page).partition("expected to have brought £")[2][:4])
               for page in (pages[value], again)]  # fmt: skip
    assert 0 < brought[0] < brought[1]


def test_a_cell_that_reads_records_fails_for_want_of_them(register):
    numbers = chapters.Numbers(register, ABOUT)
    for text in ("tf.records_of(extract, phase)", "found", "extract"):
        assert chapters._shown("04_impact", text, numbers, {"tf": tfeval}) == chapters._STAYS
    assert chapters._shown("04_impact", "1 + 1", numbers, {}) == 2
