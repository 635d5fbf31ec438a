"""Real identifiers are seen however they are written; keys and words of the schema are not."""

from __future__ import annotations

import random
import uuid

import ibis
import pytest

from tfeval.records.identifiers import KINDS, folded, kinds_in, suspect
from tfeval.records.identities import pseudonym
from tfeval.records.schema import TABLES, authority_codes

#: 9434765919 and 4010232137 check; JG 12 34 56 C has a prefix that is given out.
FORMS = {
    "NHS number": [
        "9434765919", "943 476 5919", "943-476-5919", "943.476.5919", "943  476  5919",
        "943\u00a0476\u00a05919", "943\u2009476\u20115919", "９４３４７６５９１９",
        "943\u200b476\u200b5919",
        "NHS 943 476 5919", "NHS no. 9434765919", "NHS9434765919", "seen; 943 476 5919, again",
        "(943) 476/5919", "9 4 3 4 7 6 5 9 1 9", "٩٤٣٤٧٦٥٩١٩",
    ],
    "National Insurance number": [
        "JG123456C", "jg123456c", "JG 12 34 56 C", "JG-12-34-56-C", "JG  123456  C",
        "JG\u00a012\u00a034\u00a056\u00a0C", "ni: jg 12 34 56 c.",
        "ＪＧ１２３４５６Ｃ", "J.G.123456.C", "\u0408G123456\u0421",
    ],
    "UPN": [
        "H801200001001", "h801200001001", "H 8012 0000 1001", "H-801200001001",
        "upn H801200001001;",
        "H801\u00ad200001001", "H80120000100A",
    ],
    "full postcode": [
        "L1 8JQ", "l1 8jq", "L18JQ", "L1  8JQ", "L1\u00a08JQ", "L1-8JQ", "L1.8JQ", "PR8 1DA",
        "SW1A 1AA", "lives at l1 8jq now", "Ｌ１ ８ＪＱ", "S W 1 A 1 A A", "gir 0aa",
        "\u0405W1\u0410 1\u0410\u0410",
    ],
    "street address": ["12 High Street", "12a station rd", "Flat 3, 12 Upper Mill Lane"],
    "driving licence": ["OTHER801199AN9XX", "other 801199 an 9xx", "OT999-801199-A99XX"],
    "email address": [
        "someone@example.org", "SOMEONE@EXAMPLE.ORG", "some.one @ example . org",
        "mail to someone@example.org please", "someone＠example．org", "someone at example dot org",
        "someone(at)example.org", "someone [at] example.org", "someone{AT}example.org",
    ],
    "phone number": [
        "07700 900123", "07700900123", "07700-900-123", "+44 7700 900123", "+447700900123",
        "0044 7700 900123", "(0151) 496 0123", "0151 496 0123", "020 7946 0958", "020-7946-0958",
        "+44 (0)20 7946 0958", "call 07700\u00a0900123", "０７７００ ９００１２３",
    ],
    "name": [
        "Mrs Other", "MRS OTHER", "mrs other", "Mr. A. N. Other", "Dr  Other", "Ms\u00a0Other",
        "Miss-Other", "seen with mr other today", "Ann Other", "Other, Ann", "Ann O'Other",
        "Ann B. Other", "Ann  Other", "Ann\u00a0Other", "Ｍｒｓ Ｏｔｈｅｒ",
    ],
    "full date of birth": [
        "1980-05-17", "17/05/1980", "17.05.1980", "17-5-1980", "1980/05/17", "17 05 1980",
        "17\u00a005\u00a01980", "17 May 1980", "17th May 1980", "17th of May 1980", "May 17, 1980",
        "17-MAY-80", "17May1980", "17thofSeptember1980", "17/05/80", "17.5.80",
        "born 17/05/1980 in Bootle", "１７/０５/１９８０",
        "1980 May 17", "May 17 '80", "1980-W20-6", "1980 17 05",
    ],
}  # fmt: skip
CASES = [(kind, text) for kind, texts in FORMS.items() for text in texts]
#: Dense forms, which keys are too: seen where no long number has a place.
DENSE = [("full date of birth", "19800517"), ("full date of birth", "17051980"),
         ("phone number", "01514960123"), ("phone number", "447700900123"),
         ("NHS number", "x9434765919y"), ("phone number", "7700900123")]  # fmt: skip


@pytest.mark.parametrize(("kind", "text"), CASES, ids=ascii)
def test_every_form_is_seen_among_keys_and_among_words(kind: str, text: str) -> None:
    assert kind in kinds_in(text)
    assert kind in kinds_in(text, keys=True)


@pytest.mark.parametrize(("kind", "text"), DENSE)
def test_dense_numbers_are_seen_where_no_key_stands(kind: str, text: str) -> None:
    assert kind in kinds_in(text)
    assert kind not in kinds_in(text, keys=True)


def test_names_without_a_title_are_seen_among_keys() -> None:
    for text in ("ann other", "ANN OTHER", "other, ann", "ann  other", "ann b other"):
        assert kinds_in(text, keys=True) == ("name",)


def test_keys_and_the_schemas_own_words_are_not_seen() -> None:
    rng = random.Random(3)
    keys = [pseudonym(str(n), b"8c1d0fe2b7a94c53a1f06d2e97b84f3c", "person") for n in range(2000)]
    keys += [str(uuid.UUID(int=rng.getrandbits(128))) for _ in range(2000)]
    keys += [f"F{n:08d}" for n in range(500)] + [str(n) for n in range(1, 99_999, 97)]
    keys += [f"E06000001-{n:05d}" for n in range(500)] + [f"person_{n}" for n in range(500)]
    assert [key for key in keys if kinds_in(key, keys=True)] == []
    words = {word for table in TABLES.values() for one in table.columns.values()
             for word in one.allowed} | {*authority_codes()}  # fmt: skip
    assert [word for word in words if kinds_in(word)] == []
    # Of ten-digit keys one in eleven checks, and no more are taken for an NHS number.
    ten = [f"{rng.randrange(10**9, 7 * 10**9)}" for _ in range(11_000)]
    assert 800 < sum(bool(kinds_in(key, keys=True)) for key in ten) < 1200


def test_what_the_database_passes_over_holds_nothing() -> None:
    """`suspect` runs in the engine on every value: it may be wrong in one direction only."""
    texts = [*(text for _, text in CASES), *(text for _, text in DENSE), "ann other", "other, ann"]
    rng = random.Random(4)
    for _ in range(2000):
        first, second = rng.choice(texts), rng.choice(texts)
        texts.append(rng.choice([f"{first} {second}", f"x{first}", f"{first};", f"({second})"]))
    texts += [f"{rng.randrange(10**10):010d}" for _ in range(500)]
    for start in range(0, len(texts), 1000):
        part = texts[start : start + 1000]
        table = ibis.memtable({"text": part})
        for row in table.mutate(doubtful=suspect(table.text)).to_pandas().itertuples():
            assert row.doubtful or not kinds_in(row.text, keys=True), ascii(row.text)


def test_folding_makes_one_of_every_way_to_write() -> None:
    assert {folded(text) for text in FORMS["NHS number"][1:6]} == {"943 476 5919"}
    assert (
        folded("\u0645\u0631") != ""
    )  # letters of other scripts stay, so that text is not nothing
    assert folded(" -\u2014\u00a0_ ") == ""
    assert set(KINDS) == set(FORMS)
