"""Chapters outside: made from released cells and published figures, where there are no records."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup

import tfeval
from tfeval.display import release_words as words
from tfeval.programme.claims import authorities
from tfeval.release import chapters
from tfeval.release.pages import COLUMNS, pages_of
from tfeval.release.values import Numbers, areas_of, moved_words, verdict_of, write_records

#: England's effects, errors and units, each a multiple of its unit.
EFFECTS = {"offences": (-0.25, 0.0625, 2**-4), "out_of_work": (-8.0, 2.0, 2.0),
           "looked_after": (-2.0, 0.5, 1.0)}  # fmt: skip
#: Chapter 9 is of simulations alone, and takes its time.
EVERY = {name: need for name, need in chapters.CHAPTERS.items() if name[:2] != "09"}
ABOUT = {"phase": "one", "horizon": "12", "simulated": "no"}


def row(kind: str, number: str, value: str, arm: str = "both", **more: str) -> dict[str, str]:
    told = {"kind": kind, "number": number, "arm": arm, "level": "england", "area": "England",
            "name": "England", "months": "12", "shown": "yes", "value": value,
            "unit": "10.0"}  # fmt: skip
    own = dict.fromkeys(COLUMNS, "") | told | more
    return own | {"id": "|".join((own["number"], "12", own["arm"], own["area"]))}


def test_a_hidden_mean_is_not_taken_for_its_share(register):
    # Of offences 30% have any, and a family has 0.5: the one does not stand for the other.
    share = row("share", "share:with:offences", "0.300", "treated", outcome="offences")
    both = pd.concat([register, pd.DataFrame([share])], ignore_index=True)
    hidden = both["number"].eq("mean:offences:nearest")
    both.loc[hidden, ["shown", "value"]] = ["no", ""]
    numbers = [Numbers(one, ABOUT) for one in (register, both)]
    own = [one.mean("offences", "nearest", "treated") for one in numbers]
    assert own[0] == 0.5 and np.isnan(own[1])


@pytest.fixture(scope="module")
def register() -> pd.DataFrame:
    rows = []
    for name, (value, error, unit) in EFFECTS.items():
        ends = {"low": f"{value - 1.96 * error:.3f}", "high": f"{value + 1.96 * error:.3f}"}
        rows.append(row("effect", f"effect:{name}:nearest:adjusted:ATT", f"{value}", outcome=name,
                        error=f"{error}", unit=f"{unit}", **ends))  # fmt: skip
    rows.append(row("effect", "effect:custody:nearest:adjusted:ATT", "", outcome="custody",
                    shown="no", unit=""))  # fmt: skip
    rows.append(row("effect", "results_effect:turned_around:nearest:adjusted:ATT", "0.125",
                    outcome="turned_around", error="0.0625", unit="0.015625", low="0.003",
                    high="0.247"))  # fmt: skip
    for arm, met in (("treated", "2000"), ("comparison", "1500")):
        tested = {"results_compared": "4130", "results_judged:turned_around": "4000",
                  "results_met:turned_around": met, "results_claimed": "3920"}  # fmt: skip
        rows += [row("count", number, count, arm) for number, count in tested.items()]
        rows.append(row("share", "share:results_met:turned_around", f"{int(met) / 4000}", arm))
        rows.append(row("share", "share:results_claimed", "0.949", arm))
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
def pages(register, few_pages) -> dict[str, str]:
    with pytest.MonkeyPatch.context() as patch:
        for verb in ("records_of", "open_records", "cohort", "simulate"):
            patch.setattr(tfeval, verb, lambda *_, **__: pytest.fail("records were asked for"))
        patch.setattr(chapters, "CHAPTERS", EVERY)
        return pages_of(register, ABOUT)


def texts(page: str) -> str:
    return BeautifulSoup(page, "html.parser").main.get_text(" ", strip=True)


def test_pages_are_made_where_no_records_can_be_opened(pages):
    assert {f"{name}.html" for name in EVERY} <= set(pages)
    assert all(f"{name}.html" in pages["index.html"] for name in EVERY)
    stays = {name: texts(pages[f"{name}.html"]).count(words.STAYS) for name in EVERY}
    whole = {"01_programme_and_budget", "06_claims_against_impact", "07_value_for_money",
             "08_summary", "08_annex"}  # fmt: skip
    assert {name for name, count in stays.items() if count == 0} == whole
    assert stays["04_impact"] > 5
    assert not any("/tmp" in page for page in pages.values())


def test_every_area_has_a_page_whatever_is_released_of_it(few_pages, pages):
    assert len(few_pages) == 152 + 9
    own = texts(pages["E06000001.html"])
    assert "No primary outcome is recorded for enough families" in own
    assert own.count(words.STAYS) == 0 and words.AREA_NUMBERS in own


def test_chapter_6_says_what_released_counts_say(pages):
    own = texts(pages["06_claims_against_impact.html"])
    # 2,000 and 1,500 of 4,000, and an effect of an eighth.
    assert "949 were claimed, 500 met the tests and 375 would have met them anyway" in own
    assert re.search(r"125 ?\( ?3 to 247 ?\) were additional", own)
    assert re.search(r"125 ?\( ?3 to 247 ?\)", texts(pages["08_annex.html"]))


def test_the_summary_of_groups_that_are_not_alike_claims_no_cause(register, tmp_path):
    apart = register.assign(value=register["value"].replace("0.06", "0.6"))
    said = chapters.effects_headline(Numbers(apart, ABOUT))
    assert "NOT ALIKE" in said and "can be told" not in said
    # Rounded so coarsely it says nothing of balance, whatever it says.
    coarse = pd.DataFrame([row("balance", "balance:after:odd", "0.5", unit="0.5", outcome="odd")])
    assert verdict_of(Numbers(pd.concat([register, coarse]), ABOUT)) == "balanced"
    write_records(tmp_path, Numbers(apart, ABOUT), said)
    assert "NOT ALIKE" in (tmp_path / "04_impact" / "records.json").read_text()


def test_what_chapters_say_is_what_was_released(pages):
    flow, balance, impact = (texts(pages[f"{name}.html"]) for name in list(EVERY)[1:4])
    assert "4,130 families on the programme beside 4,120 comparison families" in flow
    assert "0.31" in balance and "0.06" in balance and "balanced" in balance
    # -0.25 of 0.75 is a third; nothing of what is hidden but that it is not among those shown.
    assert "offences, a family −33% (−49% to −17%)" in impact or "−33" in impact
    assert "ustodial sentences" not in impact
    assert "Simulated records:" not in impact


def test_value_follows_from_released_effects(register, pages):
    value = "07_value_for_money.html"
    larger = register.assign(value=register["value"].replace("-2.0", "-20.0"))
    again = pages_of(larger, ABOUT)[value]
    brought = [float(texts(page).partition("expected to have brought £")[2][:4])
               for page in (pages[value], again)]  # fmt: skip
    assert 0 < brought[0] < brought[1]


def test_a_cell_that_reads_records_fails_for_want_of_them(register):
    numbers = Numbers(register, ABOUT)
    for text in ("tf.records_of(extract, phase)", "found", "extract"):
        assert chapters._shown("04_impact", text, numbers, {"tf": tfeval}) == chapters._STAYS
    assert chapters._shown("04_impact", "1 + 1", numbers, {}) == 2


def test_an_effect_that_rounding_may_have_moved_is_marked(pages, register):
    # Units of a sixteenth, two and one beside errors of a sixteenth, two and a half.
    said = "Children looked after 1.04; Proven offences 0.52; Out-of-work benefits 0.52"
    for name in ("index.html", "04_impact.html"):
        assert f"by so much at most: {said}" in texts(pages[name]), name
    narrow = register.assign(unit=register["unit"].replace({"1.0": "0.03125", "2.0": "0.125"}))
    own = narrow[narrow["kind"].eq("effect") & narrow["error"].ne("")]
    (line,) = moved_words(own[own["outcome"].isin(list(EFFECTS))])
    assert line.endswith("Proven offences 0.52. The others by a tenth at most.")
    assert moved_words(own[own["outcome"].eq("looked_after")]) == [words.MOVED_LITTLE]


def test_an_area_s_effect_is_pooled_where_few_compared_families_live_there(register):
    rows, number = [], "effect:offences:nearest:difference:ATT:capped"
    for place, code in enumerate(list(authorities())[:4]):
        place_of = {"level": "authority", "area": code, "name": code, "outcome": "offences"}
        rows.append(row("effect", number, f"{place / 8 - 0.25}", error="0.125", unit="0.125",
                        low="-0.5", high="0.5", **place_of))  # fmt: skip
        rows.append(row("count", "known:offences", "40", "treated", **place_of))
        few = {"shown": "no", "unit": ""} if place == 0 else {}
        beside = "" if place == 0 else "30"
        rows.append(row("count", "known:offences", beside, "comparison", **(place_of | few)))
    both = pd.concat([register, pd.DataFrame(rows)], ignore_index=True)
    pooled = areas_of(Numbers(both, ABOUT))["offences"].to_frame()
    assert len(pooled) == 4 and not pooled["hidden"].any()
