"""Which identifiers are one person: attacked by every way in which somebody may write them."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tfeval.errors import DataError
from tfeval.records.identities import pseudonym, pseudonyms
from tfeval.records.pseudonyms import Pseudonymised, pseudonymise
from tfeval.records.simulate import simulate_to

KEY = b"a secret that nobody would guess, 2012"

KEYS = {"person_id", "family_id"}
LINKED = ("families", "people", "offences", "asb_incidents", "school_terms")
#: Identifiers as offices give them, with the odd letter of a name.
IDS = st.from_regex(r"[A-Z]{0,3}[0-9]{1,10}([-/][0-9]{1,3})?[A-Zé]?", fullmatch=True)
SPACE = st.sampled_from(["", " ", "  ", "\t", "\u00a0", "\u3000", "\n", "\u200b", "\ufeff"])
#: Changes that nobody sees.
UNSEEN = {
    "wide": lambda text: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text),
    "an accent of its own": lambda text: unicodedata.normalize("NFD", text),
    "marks": "\u200d".join,
    "a float": lambda text: f"{text}.0" if text.isdecimal() else text,
    "none": lambda text: text,
}
#: Changes after which it may be another person, and probably is not.
SEEN = {
    "capitals": str.swapcase,
    "a zero": lambda text: f"0{text}",
    "space": lambda text: f"{text[0]} {text[1:]}",
    "a point": lambda text: f"{text[:1]}.{text[1:]}",
    "a look-alike": lambda text: text.replace("A", "\u0410").replace("E", "\u0395"),
}  # fmt: skip


@settings(deadline=None)
@given(IDS, SPACE, SPACE, st.sampled_from(list(UNSEEN)))
def test_what_nobody_sees_makes_no_other_person(text, before, after, how):
    written = f"{before}{UNSEEN[how](text)}{after}"
    assert pseudonym(written, KEY, "person") == pseudonym(text, KEY, "person")
    _, spellings = pseudonyms({text, written}, KEY, "person")
    assert (spellings.joined, spellings.apart) == (int(written != text), 0)


@settings(deadline=None)
@given(IDS, st.sampled_from(list(SEEN)))
def test_what_is_seen_stays_apart_and_is_counted(text, how):
    other = SEEN[how](text)
    divided = how in ("space", "a point") and not text.isalnum()
    assume(len(text) > 1 and other != text and not other.endswith(".0") and not divided)
    named, spellings = pseudonyms([text, other], KEY, "person")
    assert len(set(named.values())) == 2
    assert (spellings.joined, spellings.apart) == (0, 2)


@given(st.lists(st.text(alphabet="0123456789 -ab", min_size=1), max_size=8, unique=True))
def test_parts_divided_in_two_ways_are_two(texts):
    """Of ASCII: two are one only if their words are, but for the groups of a printed number."""
    texts = [one for one in texts if one.strip() and "." not in one]
    named, _ = pseudonyms(texts, KEY, "person")
    tens = [one for one in texts if len("".join(one.split())) == 10]  # as of the NHS
    plain = [one for one in texts if one not in tens]
    assert len({named[one] for one in plain}) == len({tuple(one.split()) for one in plain})


def test_twelve_three_is_not_one_twenty_three():
    named, spellings = pseudonyms(["1 23", "12 3", "1-23", "7"], KEY, "person")
    assert len(set(named.values())) == 4
    assert spellings.apart == 2  # "1 23" and "1-23"
    assert pseudonyms(["1 23", "12 3", "123"], KEY, "person")[1].apart == 3
    assert pseudonym("QQ 12 34 56 C", KEY, "person") == pseudonym("QQ123456C", KEY, "person")


@pytest.fixture(scope="module")
def tables(tmp_path_factory) -> dict[str, pd.DataFrame]:
    """Return a few tables of which people and families are numbered from one, as numbers."""
    place = simulate_to(tmp_path_factory.mktemp("few") / "records", families=40, seed=7)[0]
    tables = {name: pd.read_parquet(place / f"{name}.parquet") for name in LINKED}
    number: dict[str, dict[str, float]] = {}
    for name, rows in tables.items():  # families first, then people
        for key in KEYS & set(rows):
            known = number.setdefault(key, {one: n + 1.0 for n, one in enumerate(set(rows[key]))})
            tables[name] = tables[name].assign(**{key: rows[key].map(known).astype("float64")})
    return tables


@pytest.fixture
def sent(tables, tmp_path: Path):
    """Return a function that pseudonymises them, identifiers written as it is told."""

    def write(how: dict[str, Callable[[pd.Series], pd.Series]]) -> Pseudonymised:
        (tmp_path / "source").mkdir()
        for name, rows in tables.items():
            keys = {key: how.get(f"{name}.{key}", whole)(rows[key])
                    for key in KEYS & set(rows)}  # fmt: skip
            rows.assign(**keys).to_parquet(tmp_path / "source" / f"{name}.parquet")
        return pseudonymise(tmp_path / "source", tmp_path / "out", KEY)

    return write


def whole(numbers: pd.Series) -> pd.Series:
    return numbers.astype("Int64")


def text(numbers: pd.Series) -> pd.Series:
    return whole(numbers).astype("string")


def test_what_joins_joins_after_and_families_are_no_people(tables, sent):
    """Whole numbers, floats with gaps and text, each in another table: every link holds."""
    done = sent({
        "people.family_id": text,
        "offences.person_id": lambda one: one,
        "asb_incidents.person_id": lambda one: one.map("{:.1f}".format).where(one.notna()),
        "school_terms.person_id": lambda one: " " + text(one) + "\u00a0",
    })  # fmt: skip
    after = {name: pd.read_parquet(done.folder / f"{name}.parquet") for name in LINKED}
    for name, rows in after.items():
        for key, of in (("person_id", "people"), ("family_id", "families")):
            if key in rows:
                times = [sorted(one[key].value_counts()) for one in (tables[name], rows)]
                assert times[0] == times[1]
                assert set(rows[key].dropna()) <= set(after[of][key])
    assert not set(after["people"]["person_id"]) & set(after["people"]["family_id"])
    assert done.spellings["person"].joined > 9 and done.spellings["person"].apart == 0
    assert "identifiers of a person (space around it" in done.text()
    assert done.spellings["family"].joined == 0


def test_what_is_probably_one_is_said_and_not_joined(sent):
    done = sent({"offences.person_id": lambda one: "0" + text(one)})
    offences = set(pd.read_parquet(done.folder / "offences.parquet")["person_id"])
    assert not offences & set(pd.read_parquet(done.folder / "people.parquet")["person_id"])
    assert done.spellings["person"].apart == 2 * len(offences)
    assert "and kept apart: " in done.text()


@pytest.mark.parametrize(
    "cut",
    [lambda one: one.map("{:.2E}".format), lambda one: one + 2.0**53,
     lambda one: (one + 2**24).astype(np.float32), lambda one: one.where(one < 0, np.inf)],
    ids=["a spreadsheet's", "floating point", "short floating point", "infinite"],
)  # fmt: skip
def test_numbers_that_were_cut_are_refused(tmp_path, sent, cut):
    with pytest.raises(DataError, match=r"offences\.person_id holds numbers whose last digits"):
        sent({"offences.person_id": cut})
    assert not (tmp_path / "out").exists()
