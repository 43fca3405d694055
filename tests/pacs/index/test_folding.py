"""pacs.index.folding: what names have in common (PS3.4 C.2.2.2.1.1), and what they don't."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs.index.folding import MAX_LEXEME, MAX_NAME, fold, fold_name, sound, study_names, words


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Müller", "muller"),
        ("Łukasz Ærø", "lukasz aero"),
        ("STRASSE", "strasse"),
        ("Straße", "strasse"),
        ("İbrahim ŞIRIN", "ibrahim sirin"),
        ("Νίκος", "νικοσ"),
        ("ＡＢＣ ﾔﾏﾀﾞ", "abc ヤマダ"),
        ("が", "が"),
        ("홍길동", "홍길동"),
        ("Nguyễn", "nguyen"),
    ],
)
def test_case_accents_and_widths_don_t_count(text: str, folded: str) -> None:
    assert fold(text) == folded


@pytest.mark.parametrize(
    "alike",
    [
        ("meyer", "maier", "mayr", "meier"),
        ("schmidt", "schmitt", "smith", "smyth"),
        ("catherine", "katherine", "kathryn"),
        ("stephen", "steven", "stefan"),
        ("philip", "filip", "phillipp"),
        ("johnson", "jonson", "jonsson"),
        ("кузнецов", "kuznetsov", "kusnezow"),
        ("παπαδοπουλοσ", "papadopoulos"),
        ("wright", "rite"),
    ],
)
def test_names_that_sound_alike_have_one_code(alike: tuple[str, ...]) -> None:
    assert len({sound(one) for one in alike}) == 1


@pytest.mark.parametrize(
    "different", [("anna", "john"), ("kim", "kimura"), ("udo", "ida"), ("smith", "smits"), ("li", "lin")]
)
def test_names_that_sound_otherwise_have_others(different: tuple[str, str]) -> None:
    assert sound(different[0]) != sound(different[1])


def test_other_scripts_have_no_sound() -> None:
    assert sound("山田") == sound("홍") == ""


def test_what_says_nothing_is_left_out_of_a_name() -> None:
    assert fold_name("Kim ^ Anna^^^=金^^=") == "kim^anna=金"
    assert fold_name("^^") == ""


@given(st.text(max_size=400))
def test_any_name_folds_to_something_that_folds_to_itself(text: str) -> None:
    folded = fold_name(text)
    assert len(folded) <= MAX_NAME
    assert fold_name(folded) == folded


@given(patient=st.text(max_size=400), referrer=st.text(max_size=80))
def test_lexemes_are_words_between_quotes(patient: str, referrer: str) -> None:
    names = study_names(patient, referrer)
    assert names.lexemes.count("'") == 2 * len(names.lexemes.split(" ")) * bool(names.lexemes)
    for word in words(names.patient):
        assert f"'^{word[:MAX_LEXEME]}':1A" in names.lexemes
