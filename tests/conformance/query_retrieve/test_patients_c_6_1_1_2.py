"""People who share a Patient ID: PS3.4 C.2.2.2, C.4.1, C.6.1.1.2; PS3.3 C.7.1.1 (Issuer of Patient ID)."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from pydicom.dataset import Dataset
from starlette.testclient import TestClient

from overread.kit.principals import Principal
from pacs.dimse import find as finding
from pacs.store.archive import Archive
from tests.conformance.search.archive import ask as ask_qido
from tests.conformance.search.archive import instance
from tests.dicomweb.conftest import bearer, client
from tests.pacs.dimse.querying import PATIENT_FIND, PATIENT_GET, STUDY_GET, Receiver, ask, find_once, get, keep

__all__ = ["bearer", "client"]
# pydicom warns of what a bad peer writes.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

_COUNTS = {f"NumberOfPatientRelated{level}": "" for level in ("Studies", "Series", "Instances")}
_ASKED = ("PatientID", "IssuerOfPatientID", "PatientName", "PatientBirthDate", "PatientSex")
_GIVEN = (*_ASKED, "NumberOfPatientRelatedStudies")
ANNA = {"IssuerOfPatientID": "HOSP_A", "PatientName": "One^Anna", "PatientBirthDate": "19500101", "PatientSex": "F"}
BERT = {"IssuerOfPatientID": "HOSP_B", "PatientName": "Two^Bert", "PatientBirthDate": "19900101", "PatientSex": "M"}


def _people(port: int, **keys: str) -> list[tuple[Any, ...]]:
    identifier = ask("PATIENT", **{**dict.fromkeys(_ASKED, ""), **_COUNTS, **keys})
    answers = find_once(port, PATIENT_FIND, identifier)
    assert (answers.status, set(answers.pending) - {0xFF00}) == (0, set())
    return sorted(tuple(str(one.get(keyword, "")) for keyword in _GIVEN) for one in answers.found)


def _answer(patient_id: str, person: dict[str, str], studies: int) -> tuple[str, ...]:
    return (patient_id, *(person.get(keyword, "") for keyword in _ASKED[1:]), str(studies))


@pytest.fixture
def two(archive: Archive, ward: Principal) -> None:
    """Two people whom two hospitals gave one number: one study of Anna, two of Bert."""
    keep(
        archive,
        ward,
        instance(PatientID="P1", StudyInstanceUID="1.1", SOPInstanceUID="1.1.1", **ANNA),
        instance(PatientID="P1", StudyInstanceUID="2.1", SOPInstanceUID="2.1.1", **BERT),
        instance(PatientID="P1", StudyInstanceUID="2.2", SOPInstanceUID="2.2.1", **BERT),
    )


def test_people_of_two_issuers_are_two_answers_with_counts_of_their_own(port: int, two: None) -> None:
    assert _people(port, PatientID="P1") == [_answer("P1", ANNA, 1), _answer("P1", BERT, 2)]
    for keyword, value in BERT.items():
        assert _people(port, PatientID="P1", **{keyword: value}) == [_answer("P1", BERT, 2)], keyword
    assert _people(port, PatientID="P*", PatientName="one*") == [_answer("P1", ANNA, 1)]
    assert _people(port, IssuerOfPatientID="HOSP_?") == [_answer("P1", ANNA, 1), _answer("P1", BERT, 2)]
    assert _people(port, PatientID="P1", IssuerOfPatientID="HOSP_C") == []


def test_an_issuer_may_be_named_by_its_universal_entity_id(port: int, archive: Archive, ward: Principal) -> None:
    """PS3.3 Table 10-18"""
    for number, name in ((1, "One^Anna"), (2, "Two^Bert")):
        issuer = [{"UniversalEntityID": f"1.2.3.{number}", "UniversalEntityIDType": "ISO"}]
        keep(archive, ward, instance(PatientID="P1", PatientName=name, IssuerOfPatientIDQualifiersSequence=issuer))
    assert [one[2] for one in _people(port, PatientID="P1")] == ["One^Anna", "Two^Bert"]
    item = Dataset()
    item.UniversalEntityID = "1.2.3.2"
    identifier = ask("PATIENT", PatientID="P1", PatientName="", IssuerOfPatientIDQualifiersSequence=[item])
    [one] = find_once(port, PATIENT_FIND, identifier).found
    assert str(one.PatientName) == "Two^Bert"
    assert one.IssuerOfPatientIDQualifiersSequence[0].UniversalEntityID == "1.2.3.2"


def test_an_id_with_an_issuer_is_nobody_s_without_one(port: int, archive: Archive, ward: Principal) -> None:
    stranger = {**ANNA, "IssuerOfPatientID": ""}
    keep(archive, ward, instance(PatientID="P1", **ANNA), instance(PatientID="P1", **stranger))
    assert _people(port, PatientID="P1") == [_answer("P1", stranger, 1), _answer("P1", ANNA, 1)]


@pytest.mark.parametrize(
    "other", [{"PatientName": "Two^Bert"}, {"PatientBirthDate": "19900101"}, {"PatientSex": "M"}, {"PatientSex": ""}]
)
def test_where_no_issuer_tells_name_birth_date_and_sex_do(
    port: int, archive: Archive, ward: Principal, other: dict[str, str]
) -> None:
    anna = {keyword: value for keyword, value in ANNA.items() if keyword != "IssuerOfPatientID"}
    keep(archive, ward, instance(PatientID="P1", **anna), instance(PatientID="P1", **{**anna, **other}))
    assert _people(port, PatientID="P1") == sorted([_answer("P1", anna, 1), _answer("P1", {**anna, **other}, 1)])


def test_one_person_of_one_issuer_is_one_answer_however_they_are_spelt(
    port: int, archive: Archive, ward: Principal
) -> None:
    older, newer = {**ANNA, "PatientName": "Old^Name"}, {**ANNA, "PatientName": "New^Name"}
    # The newest comes first: what counts is the study's date, not when it came.
    keep(
        archive,
        ward,
        instance(PatientID="P1", StudyDate="20250101", **newer),
        instance(PatientID="P1", StudyDate="20200101", **older),
    )
    assert _people(port, PatientID="P1") == [_answer("P1", newer, 2)]
    # What was found by an older spelling shows that spelling.
    assert _people(port, PatientID="P1", PatientName="old*") == [_answer("P1", older, 2)]


def test_names_that_differ_in_case_and_accents_are_one(port: int, archive: Archive, ward: Principal) -> None:
    for name in ("Müller^Eva", "MÜLLER^EVA", "Muller^Eva^^"):
        keep(archive, ward, instance(PatientID="P1", PatientName=name, PatientSex="F"))
    [one] = _people(port, PatientID="P1")
    assert one[-1] == "3"


@pytest.mark.parametrize("page", [1, 2, 3, 200])
def test_any_people_are_told_apart_page_by_page_and_no_answer_contradicts_its_keys(
    port: int, archive: Archive, ward: Principal, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    """Random people who share little but their numbers, against a plain oracle."""
    monkeypatch.setattr(finding, "PAGE", page)
    chance = random.Random(page)
    values = {
        "PatientID": ["P1", "P2", "", "p1", "P-1"],
        "IssuerOfPatientID": ["", "", "A", "B"],
        "PatientName": ["One^Anna", "Two^Bert"],
        "PatientBirthDate": ["", "19500101"],
        "PatientSex": ["", "F"],
    }
    stored = [{keyword: chance.choice(some) for keyword, some in values.items()} for _ in range(40)]
    keep(
        archive, ward, *(instance(StudyDate=f"202501{number % 28 + 1:02d}", **one) for number, one in enumerate(stored))
    )

    def who(one: dict[str, str]) -> tuple[str, ...]:
        told = one["IssuerOfPatientID"]
        return (one["PatientID"], told) if told else tuple(one[keyword] for keyword in _ASKED)

    for asked in [{}, *({keyword: value} for keyword, some in values.items() for value in some if value)]:
        matching = [one for one in stored if one["PatientID"] and asked.items() <= one.items()]
        wanted = Counter(who(one) for one in matching)
        answers = [dict(zip(_GIVEN, one, strict=True)) for one in _people(port, **asked)]
        assert Counter(map(who, answers)) == Counter(set(wanted)), asked
        for one in answers:
            assert asked.items() <= one.items()
            studies = sum(who(other) == who(one) for other in stored)
            assert one["NumberOfPatientRelatedStudies"] == str(studies)


# the same people one level down, and fetched


def test_the_levels_below_are_reached_by_id_and_issuer(port: int, two: None) -> None:
    def studies(**keys: str) -> list[str]:
        answers = find_once(port, PATIENT_FIND, ask("STUDY", PatientID="P1", StudyInstanceUID="", **keys))
        assert set(answers.pending) <= {0xFF00}
        return sorted(answers.values("StudyInstanceUID"))

    assert studies() == ["1.1", "2.1", "2.2"]
    assert studies(IssuerOfPatientID="HOSP_A") == ["1.1"]
    assert studies(IssuerOfPatientID="HOSP_B") == ["2.1", "2.2"]
    identifier = ask("SERIES", PatientID="P1", IssuerOfPatientID="HOSP_A", StudyInstanceUID="2.1", SeriesInstanceUID="")
    assert find_once(port, PATIENT_FIND, identifier).found == []


def test_a_retrieval_gives_nothing_of_the_other(port: int, two: None) -> None:
    def fetched(level: str, **keys: str) -> list[str]:
        mine = Receiver()
        get(port, PATIENT_GET, ask(level, PatientID="P1", **keys), mine)
        return sorted(mine.received)

    assert fetched("PATIENT", IssuerOfPatientID="HOSP_A") == ["1.1.1"]
    assert fetched("PATIENT", IssuerOfPatientID="HOSP_B") == ["2.1.1", "2.2.1"]
    assert fetched("PATIENT", PatientName="Two^Bert") == ["2.1.1", "2.2.1"]
    assert fetched("PATIENT", PatientBirthDate="19500101") == ["1.1.1"]
    assert fetched("PATIENT", IssuerOfPatientID="HOSP_A", PatientSex="M") == []
    # Without more than the number it says all that has it.
    assert fetched("PATIENT") == ["1.1.1", "2.1.1", "2.2.1"]
    assert fetched("STUDY", StudyInstanceUID="2.1", IssuerOfPatientID="HOSP_A") == []
    assert fetched("STUDY", StudyInstanceUID="2.1", IssuerOfPatientID="HOSP_B") == ["2.1.1"]


def test_in_the_study_root_a_number_of_two_people_is_refused(port: int, two: None) -> None:
    """Which has no patients (C.6.2): what is ambiguous is not given against the model; the issuer says whose it is."""

    def fetched(**keys: str) -> tuple[int, list[str]]:
        mine = Receiver()
        done = get(port, STUDY_GET, ask("PATIENT", PatientID="P1", **keys), mine)
        return done.status, sorted(mine.received)

    assert fetched() == (0xA900, [])
    assert fetched(IssuerOfPatientID="HOSP_A") == (0, ["1.1.1"])
    assert fetched(PatientName="Two^Bert") == (0, ["2.1.1", "2.2.1"])
    assert fetched(IssuerOfPatientID="HOSP_C") == (0, [])


def test_the_same_over_qido_rs(client: TestClient, two: None) -> None:
    """PS3.18 10.6"""
    for keys, wanted in (
        ({"PatientID": "P1"}, ["1.1", "2.1", "2.2"]),
        ({"PatientID": "P1", "IssuerOfPatientID": "HOSP_A"}, ["1.1"]),
        ({"PatientID": "P1", "00100021": "HOSP_B"}, ["2.1", "2.2"]),
        ({"IssuerOfPatientID": "HOSP_B", "PatientName": "one*"}, []),
    ):
        answer = ask_qido(client, "studies", **keys)
        found = answer.json() if answer.status_code == 200 else []
        assert sorted(one["0020000D"]["Value"][0] for one in found) == wanted, keys
    [one] = ask_qido(client, "studies", IssuerOfPatientID="HOSP_A").json()
    assert one["00100021"]["Value"] == ["HOSP_A"]
