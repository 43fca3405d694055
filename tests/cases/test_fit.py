"""How well specialists fit a case, and what keeps them from it: tables of examples, and what must hold for any."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cases import practices, subspecialties, tongues
from cases.fit import Ability, Need, blocked, fit
from cases.models import SUBJECTS
from cases.states import Obstacle
from cases.subspecialties import SUBSPECIALTIES
from cases.tongues import LANGUAGES

TODAY, DUE = date(2026, 12, 1), date(2026, 12, 8)
NEED = Need(frozenset({"musculoskeletal"}), frozenset({"MRI"}), "de", TODAY, DUE)
#: Each fits better than the one below it.
ORDER = {
    "all that is asked for": Ability(
        frozenset({"musculoskeletal"}), frozenset({"MRI"}), languages=frozenset({"de"}), most_open=3
    ),
    "and one to finish before": Ability(
        frozenset({"musculoskeletal"}), frozenset({"MRI"}), languages=frozenset({"de"}), open=1, due_before=1
    ),
    "and three open": Ability(
        frozenset({"musculoskeletal"}), frozenset({"MRI"}), languages=frozenset({"de"}), open=3, due_before=1
    ),
    "away for two days": Ability(
        frozenset({"musculoskeletal"}),
        frozenset({"MRI"}),
        languages=frozenset({"de"}),
        leave=((date(2026, 12, 2), date(2026, 12, 3)),),
    ),
    "no more room": Ability(
        frozenset({"musculoskeletal"}), frozenset({"MRI"}), languages=frozenset({"de"}), most_open=1, open=1
    ),
    "languages not said": Ability(frozenset({"musculoskeletal"}), frozenset({"MRI"})),
    "another language": Ability(frozenset({"musculoskeletal"}), frozenset({"MRI"}), languages=frozenset({"en"})),
    "other images": Ability(frozenset({"musculoskeletal"}), frozenset({"CT"}), languages=frozenset({"de"})),
    "nothing said": Ability(),
    "another region": Ability(frozenset({"neuro"}), frozenset({"MRI"}), languages=frozenset({"de"})),
}


def test_the_order_of_fit() -> None:
    names = list(ORDER)
    shuffled = random.Random(7).sample(names, len(names))
    assert sorted(shuffled, key=lambda name: fit(NEED, ORDER[name]).score, reverse=True) == names


@pytest.mark.parametrize(
    ("ability", "pros", "cons"),
    [
        (
            ORDER["all that is asked for"],
            (
                "Reads this region: Bones and joints.",
                "Reads such images: MRI.",
                "Writes German.",
                "Has room for 3 more cases.",
                "Has nothing to read just now.",
            ),
            (),
        ),
        (ORDER["nothing said"], ("Has nothing to read just now.",), ("No subspecialty is confirmed.",)),
        (
            replace(ORDER["another region"], languages=frozenset({"en"}), open=1, due_before=1, unconfirmed=True),
            ("Reads such images: MRI.",),
            (
                "Another subspecialty: Brain and spine.",
                "Has entered a profile that is not confirmed yet.",
                "Does not write German.",
                "Has 1 case to finish before.",
            ),
        ),
        (
            ORDER["away for two days"],
            (
                "Reads this region: Bones and joints.",
                "Reads such images: MRI.",
                "Writes German.",
                "Has nothing to read just now.",
            ),
            ("Away on 2 days until it is due.",),
        ),
    ],
)
def test_the_reasons_are_plain(ability: Ability, pros: tuple[str, ...], cons: tuple[str, ...]) -> None:
    found = fit(NEED, ability)
    assert (found.pros, found.cons) == (pros, cons)


_DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("ability", "due", "kept"),
    [
        (Ability(), DUE, []),
        (Ability(leave=((DUE, DUE),)), DUE, [Obstacle.LEAVE]),
        (Ability(leave=((TODAY, DUE - _DAY),)), DUE, []),
        (Ability(leave=((DUE + _DAY, DUE + 9 * _DAY),)), DUE, []),
        # Nothing is promised yet: whoever is away today is not asked today.
        (Ability(leave=((TODAY, TODAY),)), None, [Obstacle.LEAVE]),
        (Ability(most_open=2, open=1), DUE, []),
        (Ability(most_open=2, open=2), DUE, [Obstacle.LIMIT]),
        (Ability(most_week=1, week=1), DUE, [Obstacle.LIMIT]),
        (Ability(most_open=0), DUE, [Obstacle.LIMIT]),
        (Ability(open=400, week=400), DUE, []),
    ],
)
def test_leave_and_limits(ability: Ability, due: date | None, kept: list[Obstacle]) -> None:
    assert [about for about, _ in blocked(replace(NEED, due=due), ability)] == kept


_DAYS = st.dates(TODAY - 20 * _DAY, TODAY + 40 * _DAY)
_ABILITIES = st.builds(
    Ability,
    subspecialties=st.frozensets(st.sampled_from(sorted(SUBSPECIALTIES)), max_size=3),
    subjects=st.frozensets(st.sampled_from(SUBJECTS[:-1]), max_size=3),
    unconfirmed=st.booleans(),
    languages=st.frozensets(st.sampled_from(sorted(LANGUAGES)), max_size=3),
    most_open=st.none() | st.integers(0, 5),
    most_week=st.none() | st.integers(0, 5),
    leave=st.lists(st.tuples(_DAYS, _DAYS).map(lambda days: (min(days), max(days))), max_size=3).map(tuple),
    open=st.integers(0, 6),
    week=st.integers(0, 6),
)
_NEEDS = st.builds(
    Need,
    subspecialties=st.frozensets(st.sampled_from(sorted(SUBSPECIALTIES)), max_size=2),
    subjects=st.frozensets(st.sampled_from(SUBJECTS[:-1]), max_size=2),
    language=st.sampled_from(["", *LANGUAGES]),
    today=st.just(TODAY),
    due=st.none() | _DAYS,
)


@given(_NEEDS, _ABILITIES)
def test_who_has_more_to_read_never_fits_better_and_is_never_freer(need: Need, one: Ability) -> None:
    busier = replace(one, open=one.open + 1, due_before=one.due_before + 1, week=one.week + 1)
    assert fit(need, busier).score <= fit(need, one).score
    assert len(blocked(need, busier)) >= len(blocked(need, one))


@given(_NEEDS, _ABILITIES)
def test_who_can_more_never_fits_worse(need: Need, one: Ability) -> None:
    abler = replace(
        one,
        subspecialties=one.subspecialties | need.subspecialties,
        subjects=one.subjects | need.subjects,
        languages=one.languages | ({need.language} - {""}),
        leave=(),
        most_open=None,
        most_week=None,
    )
    assert fit(need, abler).score >= fit(need, one).score
    assert blocked(need, abler) == []


@given(_NEEDS, _ABILITIES)
def test_every_point_lost_and_every_obstacle_has_its_sentence(need: Need, one: Ability) -> None:
    found = fit(need, one)
    lost = sum(point == 0 for point in found.score[:3]) + sum(point < 0 for point in found.score[4:6])
    assert len(found.cons) >= lost
    assert all(text.endswith(".") for text in (*found.pros, *found.cons, *(text for _, text in blocked(need, one))))


@pytest.mark.parametrize(
    ("text", "name", "same"),
    [
        ("St. Brendan’s Hospital, Boston", "Saint Brendan Hospital", True),
        ("ST BRENDAN, Dept. of Radiology", "St. Brendan's Hospital", True),
        ("Dr. Amara Okafor at St. Brendan", "Dr. Amara Okafor", True),
        ("Universitätsklinikum Köln", "Klinikum der Universität zu Köln", False),
        ("Universitätsklinikum Köln", "Universitätsklinikum Koln", True),
        ("Mercy Hospital", "St. Mercy Hospital", False),
        ("Boston Imaging Center", "Radiology Group", False),
        ("", "St. Brendan", False),
        ("St. Brendan", "", False),
        ("a hospital", "MD", False),
        ("北京协和医院", "北京协和医院", True),
    ],
)
def test_names_of_practices(text: str, name: str, same: bool) -> None:
    assert practices.names(text, name) is same


@pytest.mark.parametrize(
    ("practice", "name"),
    [
        ("Riverside Joint Practice, Sacramento", "Riverside Joint Practice"),
        ("Radiology, Massachusetts General Hospital", "Radiology, Massachusetts General Hospital"),
        ("St. Brendan", "St. Brendan"),
    ],
)
def test_a_practice_without_its_town(practice: str, name: str) -> None:
    assert practices.without_town(practice) == name


@given(st.text(max_size=60), st.text(max_size=60))
def test_a_name_is_found_in_itself_and_in_whatever_is_written_around_it(name: str, around: str) -> None:
    if practices.names(name, name):
        assert practices.names(f"{name}, {around}", name)
        assert practices.names(name.upper().lower(), name) or not name.isascii()


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("German", "de"),
        (" deutsch ", "de"),
        ("DE", "de"),
        ("Español", "es"),
        ("日本語", "ja"),
        ("Klingon", ""),
        ("", ""),
    ],
)
def test_languages_as_people_name_them(said: str, code: str) -> None:
    assert tongues.code_of(said) == code


def test_what_images_want() -> None:
    assert subspecialties.wanted({"KNEE"}, ()) == {"musculoskeletal"}
    assert subspecialties.wanted({"l spine"}, ()) == {"neuro", "musculoskeletal"}
    assert subspecialties.wanted((), ("mammogram",)) == {"breast"}
    assert subspecialties.wanted({"", "WHOLEBODY"}, ("CT",)) == frozenset()
    assert subspecialties.subjects_of(("MR", "PT", "SR")) == {"MRI", "PET"}
