"""Descriptors keep what a reader needs and lose what a person typed about a person."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pacs.deid.text import GAP, clean, fitted, is_ordinary, looks_personal, vocabulary


@pytest.mark.parametrize(
    "text",
    [
        "CT Chest w/o contrast",
        "AX T2 FLAIR 5mm",
        "BRAIN SEQ  4.8  H31s",
        "CT-Thorax/Abdomen 3.0 I40f 2",
        "Thorax^1HEAD_NECK_PETCT",
        "T1 (pre) T2* STIR C+",
        "PET/CT, TUMOR SKULL TO THIGH",
        "Schädel nativ",
        "r/o fracture",
    ],
)
def test_protocols_stay_as_they_are(text: str) -> None:
    assert clean(text) == text


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("CT head MARIGOLD Q DOE follow-up", "CT head [...] follow-up"),
        ("Brain MRN4471902", "Brain [...]"),
        ("for Dr Stone", ""),
        ("MRI 12.05.1951", "MRI [...]"),
        ("MRI 19510704", "MRI [...]"),
        ("call 555-0142", ""),
        ("CT (Smith)", "CT ([...])"),
        ("m.doe@example.invalid CT", "[...] CT"),
        ("Doe^Marigold", ""),
        ("12 Elder Lane, Faketown ZZ 00000", ""),
        ("王小东", ""),
    ],
)
def test_people_go(text: str, kept: str) -> None:
    assert clean(text) == kept


def test_a_cut_is_seen() -> None:
    """A text that lost a word must not read as a whole one: the lost word may have been its "not"."""
    assert clean("Hardly lesions. Liver normal.") == "[...] lesions. Liver normal."
    assert clean("Lungs and Foo and Bar Baz") == "Lungs and [...] and [...]"
    assert clean("CT [...] contrast") == "CT [...] contrast"


@given(st.lists(st.sampled_from(["CT", "chest", "Zqfoo", "Zqbar", "no", "Dr Zqbaz", "19700101"]), max_size=12))
def test_every_gap_is_marked_once(words: list[str]) -> None:
    expected: list[str] = []
    for word in words:
        left = GAP if "Zq" in word or word.isdigit() else word
        if not (left == GAP and expected[-1:] == [GAP]):
            expected.append(left)
    told = " ".join(expected)
    assert clean(" ".join(words)) in (told, "" if GAP in told else told)


@pytest.mark.parametrize(
    ("text", "longest", "left"),
    [
        ("CT chest", 4, "CT chest"),
        ("CT chest [...]", 16, "CT chest [...]"),
        ("CT [...] chest [...]", 16, "CT [...]"),
        ("[...] abdominopelvic", 16, ""),
    ],
)
def test_marks_do_not_make_a_value_too_long(text: str, longest: int, left: str) -> None:
    assert fitted(text, longest) == left


def test_negations_are_ordinary_words() -> None:
    for word in ("no", "not", "none", "without", "negative", "absent", "unlikely", "ohne", "sans", "sin", "senza"):
        assert is_ordinary(word), word


def test_names_go_although_the_vocabulary_has_them() -> None:
    assert clean("CT Head contrast", frozenset(["head"])) == "CT [...] contrast"


UNSPACED_OR_NOT = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]+|[^\u3040-\u30ff\u3400-\u9fff]+")


def made_of_words(part: str) -> bool:
    """Whether letters are a word, words with a capital each, or (of scripts without spaces) words in a row."""
    if is_ordinary(part):
        return True
    pieces = re.split(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", part)
    if len(pieces) > 1:
        return all(len(piece) > 2 and is_ordinary(piece) for piece in pieces)
    part = unicodedata.normalize("NFKC", part)
    return any(part[:cut] in vocabulary() and made_of_words(part[cut:]) for cut in range(1, len(part)))


@given(st.text(max_size=60))
@example("InjPoint")
@example("胸部造影CT")
def test_only_the_vocabulary_and_short_numbers_are_left(text: str) -> None:
    for word in clean(text).split():
        letters = "".join(char if char.isalpha() else " " for char in word).split()
        parts = [
            part
            for run in letters
            for part in re.findall(r"[\u3040-\u30ff\u3400-\u9fff]+|[^\u3040-\u30ff\u3400-\u9fff]+", run)
        ]
        assert all(
            len(part) == 1 or made_of_words(part) or part.lower() in ("mm", "cm") or len(part) <= 4 for part in parts
        )


def test_the_vocabulary_has_no_common_family_names() -> None:
    assert not vocabulary() & {"smith", "jones", "miller", "young", "stone", "baker", "king", "green", "doe", "müller"}


@pytest.mark.parametrize("text", ["syngo CT VA48A", "5.3.1.2", "IDT 16", "Biograph 64", "10.0.12345", "113100"])
def test_products_do_not_look_like_people(text: str) -> None:
    assert not looks_personal(text)
