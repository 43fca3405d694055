"""Identity comparison: tolerant of how names are written, never of another person."""

from __future__ import annotations

import unicodedata
from datetime import date

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cases import reference
from cases.identity import Verdict, compare, tokens
from cases.redact import REMOVED, redact
from overread.kit.dates import parse_da

BORN = date(1971, 3, 9)
LETTERS = st.text(st.sampled_from("abcdefghijklmnoprstuvwyzåäöüéèñçßøł"), min_size=2, max_size=10)
NAMES = st.lists(LETTERS, min_size=2, max_size=4, unique=True)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("María Ångström-Oyelaran", "ANGSTROM OYELARAN^MARIA"),
        ("Jürgen Müller", "MUELLER^JUERGEN"),
        ("Juergen Mueller", "MÜLLER^JÜRGEN^^DR"),
        ("Sinéad O'Brien", "OBRIEN^SINEAD"),
        ("Anna Maria Schmidt", "SCHMIDT^ANNA"),
        ("Anna M. Schmidt", "Schmidt^Anna^Maria"),
        ("Dr. Ada Lovelace, PhD", "Lovelace^Ada^^Dr^PhD"),
        ("Weiß Łukasz", "weiss^lukasz"),
        ("Yamada Tarou", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("山田 太郎", "Yamada^Tarou=山田^太郎"),
        ("van der Berg Jan", "VAN DER BERG^JAN"),
        ("Mary-Jane Watson", "WATSON^MARYJANE"),
    ],
)  # fmt: skip
def test_the_same_person_written_otherwise(ours: str, theirs: str) -> None:
    assert compare(ours, BORN, theirs, "19710309").verdict is Verdict.SAME


@pytest.mark.parametrize(
    ("ours", "theirs", "born", "verdict"),
    [
        ("Anna Schmidt", "SCHMIDT^ANNE", "19710309", Verdict.DIFFERENT),
        ("Anna Schmidt", "SCHMIDT^ANNA", "19710310", Verdict.DIFFERENT),
        ("Anna Schmidt", "SCHMIDT", "19710309", Verdict.DIFFERENT),
        ("Anna Schmidt", "SCHMIDT^A", "19710309", Verdict.DIFFERENT),
        ("Anna Schmidt", "SCHMIDT^ANNA", "", Verdict.UNKNOWN),
        ("Anna Schmidt", "", "19710309", Verdict.UNKNOWN),
        ("Anna Schmidt", "^^", "19710310", Verdict.DIFFERENT),
        ("", "SCHMIDT^ANNA", "19710309", Verdict.UNKNOWN),
        ("Anna Schmidt", "WEBER^ANNA", "", Verdict.DIFFERENT),
    ],
)
def test_what_is_not_sure_is_not_the_same(ours: str, theirs: str, born: str, verdict: Verdict) -> None:
    found = compare(ours, BORN, theirs, born)
    assert found.verdict is verdict
    assert found.reasons


@given(NAMES, st.data())
def test_order_case_accents_and_punctuation_do_not_matter(words: list[str], data: st.DataObject) -> None:
    assume(len(tokens(" ".join(words))) == len(words))
    shuffled = data.draw(st.permutations(words))
    plain = ["".join(c for c in unicodedata.normalize("NFKD", w) if not unicodedata.combining(c)) for w in shuffled]
    separator = data.draw(st.sampled_from(["^", " ", "^^", ", "]))
    assert compare(" ".join(words), BORN, separator.join(plain).upper(), "19710309").verdict is Verdict.SAME


@given(NAMES, NAMES)
def test_people_without_a_common_word_are_different(ours: list[str], theirs: list[str]) -> None:
    folded = {t for u in (False, True) for w in ours for t in tokens(w, umlauts=u)}
    assume(not folded & {t for u in (False, True) for w in theirs for t in tokens(w, umlauts=u)})
    assume("".join(ours) != "".join(theirs))
    assume(tokens(" ".join(ours)) and tokens(" ".join(theirs)))
    assert compare(" ".join(ours), BORN, "^".join(theirs), "19710309").verdict is not Verdict.SAME


@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=12))
def test_any_text_gives_a_verdict(name: str, dicom_name: str, born: str) -> None:
    found = compare(name, BORN, dicom_name, born)
    assert (found.verdict is Verdict.SAME) == (not found.reasons)


def test_birth_dates() -> None:
    assert parse_da("19710309 ") == parse_da("1971.03.09") == BORN
    assert parse_da("19711309") is None
    assert parse_da("1971") is None


@given(st.integers(0, 6), st.sampled_from(reference.ALPHABET))
def test_a_reference_finds_every_wrong_character(place: int, other: str) -> None:
    made = reference.new()
    body = made[3:7] + made[8:]
    assume(body[place] != other)
    wrong = body[:place] + other + body[place + 1 :]
    assert reference.find(f"OV-{wrong[:4]}-{wrong[4:]}") is None


@given(st.integers(0, 6))
def test_a_reference_finds_exchanged_neighbours(place: int) -> None:
    made = reference.new()
    body = made[3:7] + made[8:]
    assume(body[place] != body[place + 1])
    wrong = body[:place] + body[place + 1] + body[place] + body[place + 2 :]
    assert reference.find(f"OV-{wrong[:4]}-{wrong[4:]}") is None


def test_a_reference_is_found_as_hospitals_write_it() -> None:
    made = reference.new()
    for text in (made, made.lower(), made.replace("-", ""), made.replace("-", "_"), f"CT {made}: knee", f"[{made}]"):
        assert reference.find(text) == made
    assert reference.find(f"X{made}") is None
    assert reference.find(made[:-1]) is None
    assert reference.find("") is None
    assert reference.find(f"OV-2222-2223 {made}") == made


@pytest.mark.parametrize(
    "text",
    [
        "I am María Oyelaran and my knee hurts.",
        "Maria's knee; Ms ANGSTROM called from +1 (415) 555-0123.",
        "Born 9 March 1971, or 03/09/1971, or 9.3.1971, 1971-03-09, March 9th, 1971, 09/03/71.",
        "Write to maria.oyelaran@example.org, 0176 12345678",
        "Ångström‑Oyelaran, ÅNGSTRÖM, aangstroem",
    ],
)  # fmt: skip
def test_free_text_names_nobody(text: str) -> None:
    clean = redact(text, names=("María Ångström-Oyelaran",), birth_date=BORN)
    assert REMOVED in clean
    lower = clean.lower()
    for secret in ("mar\u00eda", "maria", "oyelaran", "angstrom", "ångström", "1971", "555", "12345678", "example.org"):
        assert secret not in lower, clean


def test_free_text_keeps_its_medicine() -> None:
    text = "Grade 2 tear at 12 mm, seen 2 May 2024; T2 signal 1.5 T. I may need surgery. L4/L5, PSA 4.1, 120/80."
    assert redact(text, names=("María Ångström-Oyelaran",), birth_date=BORN) == text


@given(st.text(max_size=200), NAMES)
def test_no_word_of_a_name_survives(text: str, words: list[str]) -> None:
    clean = redact(f"{text} {words[0]} {text}", names=(" ".join(words),), birth_date=None)
    kept = [t for piece in clean.split(REMOVED) for t in tokens(piece)]
    assert all(tokens(words[0])[0] != t for t in kept if len(t) > 1 and tokens(words[0]))
