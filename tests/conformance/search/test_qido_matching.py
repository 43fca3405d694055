"""Attribute matching as PS3.4 C.2.2.2 and PS3.18 8.3.4 have it; every test's name says its clause."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from tests.conformance.search.archive import ask, first, found, instance, store

NAME, ID, ACCESSION = "00100010", "00100020", "00080050"


def names(client: TestClient, **parameters: str) -> list[str]:
    return found(client, "studies", NAME, **parameters)


def ids(client: TestClient, **parameters: str) -> list[str]:
    return found(client, "studies", ID, **parameters)


@pytest.fixture
def people(client: TestClient) -> TestClient:
    """An archive of some people."""
    people = ["Müller^Anna", "MEYER^Jörg^^Dr", "Maier^Anna Maria", "Smith^John", "Yamada^Tarou=山田^太郎=やまだ^たろう"]
    people += ["Παπαδόπουλος^Νίκος", "Hong^Gildong=洪^吉洞=홍^길동", "Иванов^Пётр"]
    store(client, *(instance(PatientName=one, PatientID=str(n)) for n, one in enumerate(people)))
    return client


def test_ps3_4_c_2_2_2_1_single_values_match_with_their_case_and_accents(client: TestClient) -> None:
    store(client, *(instance(PatientID=one, StudyDescription=one) for one in ("Abc", "abc", "ABC", "Äbc")))
    assert ids(client, PatientID="abc") == ["abc"]
    assert ids(client, StudyDescription="Äbc") == ["Äbc"]


def test_ps3_4_c_2_2_2_1_spaces_around_a_value_mean_nothing(client: TestClient) -> None:
    store(client, instance(PatientID=" 7 ", AccessionNumber="A 1"))
    assert len(ask(client, "studies", PatientID="7", AccessionNumber=" A 1 ").json()) == 1


def test_ps3_4_c_2_2_2_1_names_match_whatever_their_case_and_accents(people: TestClient) -> None:
    assert names(people, PatientName="muller^ANNA") == ["Müller^Anna"]
    assert names(people, PatientName="MÜLLER^anna^^^") == ["Müller^Anna"]
    assert names(people, PatientName="παπαδοπουλοσ^νικοσ") == ["Παπαδόπουλος^Νίκος"]
    assert names(people, PatientName="иванов^петр") == ["Иванов^Пётр"]
    assert names(people, PatientName="Smith") == []


def test_ps3_4_c_2_2_2_1_each_group_of_a_name_matches(people: TestClient) -> None:
    for one in ("山田^太郎", "やまだ*", "*太郎", "Yamada^Tarou=山田^太郎", "=山田^太郎", "yamada*==やまだ*"):
        assert names(people, PatientName=one) == ["Yamada^Tarou"], one
    assert names(people, PatientName="홍^길동") == ["Hong^Gildong"]
    assert names(people, PatientName="Yamada^Tarou=洪^吉洞") == []


@pytest.mark.parametrize("charset", ["ISO_IR 100", "ISO_IR 144", "ISO_IR 126", "\\ISO 2022 IR 87", "\\ISO 2022 IR 149"])
def test_ps3_4_c_2_2_2_1_names_match_whatever_their_character_set(client: TestClient, charset: str) -> None:
    name = {
        "ISO_IR 100": "Buc^Jérôme",
        "ISO_IR 144": "Люкceмбypг",
        "ISO_IR 126": "Διονυσιος",
        "\\ISO 2022 IR 87": "Yamada^Tarou=山田^太郎",
        "\\ISO 2022 IR 149": "Hong^Gildong=洪^吉洞",
    }[charset]
    store(client, instance(SpecificCharacterSet=charset.split("\\"), PatientName=name))
    for asked in (name, name.split("=")[-1], name.split("=")[-1][:3] + "*", name.upper()):
        assert len(ask(client, "studies", PatientName=asked).json()) == 1, asked


def test_ps3_4_c_2_2_2_2_uids_match_as_a_list(client: TestClient) -> None:
    store(client, *(instance(StudyInstanceUID=f"1.2.{n}", PatientID=str(n)) for n in range(1, 5)))
    assert ids(client, StudyInstanceUID="1.2.1,1.2.3") == ["1", "3"]
    assert ids(client, StudyInstanceUID="1.2.2\\1.2.3") == ["2", "3"]
    repeated = client.get("studies?StudyInstanceUID=1.2.1&StudyInstanceUID=1.2.4").json()
    assert sorted(first(one, ID) for one in repeated) == ["1", "4"]


@pytest.mark.parametrize("text", ["", "*", "**", " "])
def test_ps3_4_c_2_2_2_3_universal_matching_finds_all_and_returns_the_attribute(client: TestClient, text: str) -> None:
    store(client, instance(PatientID="1", PatientComments="x"), instance(PatientID=""))
    found = ask(client, "studies", PatientID=text, PatientComments=text, AccessionNumber=text).json()
    assert len(found) == 2
    assert [first(one, "00104000") for one in found if first(one, ID)] == ["x"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*", ["abc", "ab%c", "a_c", "bc"]),
        ("a*", ["a_c", "ab%c", "abc"]),
        ("?bc", ["abc"]),
        ("*c", ["a_c", "ab%c", "abc", "bc"]),
        ("a?c", ["a_c", "abc"]),
        ("ab%c", ["ab%c"]),
        ("a_c", ["a_c"]),
        ("*%*", ["ab%c"]),
        ("A*", []),
        ("??", ["bc"]),
    ],
)
def test_ps3_4_c_2_2_2_4_wild_cards(client: TestClient, pattern: str, expected: list[str]) -> None:
    store(client, *(instance(PatientID=one) for one in ("abc", "ab%c", "a_c", "bc")))
    assert ids(client, PatientID=pattern) == sorted(expected)


def test_ps3_4_c_2_2_2_4_wild_cards_in_names(people: TestClient) -> None:
    assert names(people, PatientName="m*") == ["MEYER^Jörg^^Dr", "Maier^Anna Maria", "Müller^Anna"]
    assert names(people, PatientName="*JORG*") == ["MEYER^Jörg^^Dr"]
    assert names(people, PatientName="M??er^*") == ["MEYER^Jörg^^Dr", "Maier^Anna Maria"]
    assert names(people, PatientName="*ll*") == ["Müller^Anna"]
    assert names(people, PatientName="*mit?^j*n") == ["Smith^John"]
    assert names(people, PatientName="smith^john^*") == ["Smith^John"]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [("20200102", ["2"]), ("20200102-20200103", ["2", "3"]), ("-20200102", ["1", "2"]), ("20200103-", ["3", "4"]),
     ("20200103 - 20210101", ["3", "4"]), ("20210102-", []), ("20200103-20200101", [])],
)  # fmt: skip
def test_ps3_4_c_2_2_2_5_ranges_of_dates(client: TestClient, asked: str, expected: list[str]) -> None:
    days = ("20200101", "20200102", "20200103", "20210101", "")
    store(client, *(instance(PatientID=str(n), StudyDate=day) for n, day in enumerate(days, 1)))
    assert ids(client, StudyDate=asked) == expected


@pytest.mark.parametrize(
    ("asked", "expected"),
    [("10", ["1", "2", "3"]), ("1030", ["2", "3"]), ("103015", ["3"]), ("103015.250000", ["3"]), ("103015.3", []),
     ("1030-11", ["2", "3", "4"]), ("-1000", ["0", "1"]), ("1031-", ["4"]), ("103015.2-103015.3", ["3"])],
)  # fmt: skip
def test_ps3_4_c_2_2_2_5_ranges_of_times(client: TestClient, asked: str, expected: list[str]) -> None:
    times = ("000000", "10", "103000", "103015.25", "115959.999999", "")
    store(client, *(instance(PatientID=str(n), StudyTime=one) for n, one in enumerate(times)))
    assert ids(client, StudyTime=asked) == expected


def test_ps3_4_c_2_2_2_5_dates_and_times_of_one_form_are_one_range(client: TestClient) -> None:
    moments = [("20060705", "0900"), ("20060705", "1100"), ("20060706", "0300"), ("20060707", "1700")]
    moments += [("20060707", "1900"), ("20060706", "")]
    store(client, *(instance(PatientID=str(n), StudyDate=d, StudyTime=t) for n, (d, t) in enumerate(moments)))
    assert ids(client, StudyDate="20060705-20060707", StudyTime="1000-1800") == ["1", "2", "3", "5"]
    assert ids(client, StudyDate="20060706-", StudyTime="1000-") == ["3", "4"]
    assert ids(client, StudyDate="-20060706", StudyTime="-0200") == ["0", "1"]
    # Of different forms each is matched by itself.
    assert ids(client, StudyDate="20060705-20060707", StudyTime="1000-") == ["1", "3", "4"]
    assert ids(client, StudyDate="20060707", StudyTime="1000-1800") == ["3"]


def test_ps3_18_8_3_4_1_dates_and_times_are_meant_in_the_requests_time_zone(client: TestClient) -> None:
    zones = ("+0000", "+0900", "-0500", "")
    store(
        client,
        *(
            instance(PatientID=zone, StudyDate="20200101", StudyTime="0130", TimezoneOffsetFromUTC=zone)
            for zone in zones
        ),
    )
    found = {
        first(one, ID) or ""
        for one in ask(client, "studies", StudyDate="20200101", TimezoneOffsetFromUTC="+0000").json()
    }
    assert found == {"+0000", "-0500", ""}
    earlier = ask(client, "studies", StudyDate="20191231", StudyTime="16-17", TimezoneOffsetFromUTC="+0000").json()
    assert [first(one, ID) for one in earlier] == ["+0900"]


def test_ps3_4_c_2_2_2_6_the_keys_of_a_sequence_match_in_one_item(client: TestClient) -> None:
    items = [
        {"ScheduledProcedureStepID": "S1", "RequestedProcedureID": "R1"},
        {"ScheduledProcedureStepID": "S2", "RequestedProcedureID": "R2"},
    ]
    store(client, instance(PatientID="1", RequestAttributesSequence=items), instance(PatientID="2"))
    step, procedure = "RequestAttributesSequence_ScheduledProcedureStepID", "00400275_00401001"
    for level in ("studies", "series"):
        assert len(ask(client, level, **{step: "S1", procedure: "R1"}).json()) == 1
        assert len(ask(client, level, **{step: "S?", procedure: "R2"}).json()) == 1
        assert ask(client, level, **{step: "S1", procedure: "R2"}).json() == []
        assert ask(client, level, **{step: "S1*", procedure: "R2*"}).json() == []
        assert len(ask(client, level, **{step: "*", procedure: ""}).json()) == 2


def test_ps3_4_c_2_2_2_6_sequences_match_by_every_kind_of_value(client: TestClient) -> None:
    code = {"CodeValue": "77477000", "CodingSchemeDesignator": "SCT", "CodeMeaning": "CT"}
    step = {"ReferencedSOPClassUID": "1.2.3", "ReferencedSOPInstanceUID": "1.2.3.4"}
    store(
        client,
        instance(
            PatientID="1",
            ProcedureCodeSequence=[code],
            ReferencedPerformedProcedureStepSequence=[step],
            OtherPatientIDsSequence=[{"PatientID": "X9", "TypeOfPatientID": "TEXT"}],
            OtherPatientNames=["Kim^Ann", "Lée^Ann"],
            PatientSize="1.5",
            PatientBirthTime="0800",
        ),
        instance(PatientID="2"),
    )
    for key, value in {
        "ProcedureCodeSequence_CodeValue": "77477000",
        "ProcedureCodeSequence_CodeMeaning": "C?",
        "ReferencedPerformedProcedureStepSequence_ReferencedSOPInstanceUID": "1.2.3.4,1.2",
        "OtherPatientIDsSequence_PatientID": "X9",
        "OtherPatientNames": "lee*",
        "PatientBirthTime": "07-09",
        "PatientSize": "1.50",
    }.items():
        assert ids(client, **{key: value}) == ["1"], key
        assert ids(client, **{key: "99"}) == [], key


def test_ps3_4_c_2_2_2_7_empty_values_match_where_that_is_asked_for(client: TestClient) -> None:
    store(client, instance(PatientID="1", AccessionNumber="A", StudyDate="20200101", PatientComments="c"))
    store(client, instance(PatientID="2", StudyDate="", PatientName=""))
    for key in ("AccessionNumber", "StudyDate", "PatientComments"):
        assert ids(client, **{key: '""', "emptyvaluematching": "true"}) == ["2"], key
    assert ids(client, PatientName='""', emptyvaluematching="true") == ["2"]
    assert ids(client, AccessionNumber='""') == []


def test_ps3_4_c_2_2_2_8_multiple_values_match_all_where_that_is_asked_for(client: TestClient) -> None:
    for patient, modalities in (("1", ["CT"]), ("2", ["CT", "PT"]), ("3", ["MR"])):
        shared = {"StudyInstanceUID": f"1.2.{patient}", "PatientID": patient, "OtherPatientIDs": modalities}
        store(client, *(instance(Modality=one, **shared) for one in modalities))
    assert ids(client, ModalitiesInStudy="CT\\PT", multiplevaluematching="true") == ["2"]
    assert ids(client, ModalitiesInStudy="CT\\PT") == ["1", "2"]
    assert ids(client, ModalitiesInStudy="CT,MR") == ["1", "2", "3"]
    assert ids(client, OtherPatientIDs="PT\\CT", multiplevaluematching="true") == ["2"]


def test_ps3_4_c_2_2_2_1_1_fuzzy_names_match_words_in_any_order(people: TestClient) -> None:
    def fuzzy(name: str) -> list[str]:
        return names(people, PatientName=name, fuzzymatching="true")

    assert fuzzy("anna") == ["Maier^Anna Maria", "Müller^Anna"]
    assert fuzzy("ann mull") == ["Müller^Anna"]
    assert fuzzy("maria anna maier") == ["Maier^Anna Maria"]
    assert fuzzy("john smith") == ["Smith^John"]
    assert fuzzy("john meier") == []
    assert fuzzy("太郎") == ["Yamada^Tarou"]
    assert fuzzy("길동 홍") == ["Hong^Gildong"]
    assert names(people, PatientName="anna") == []


def test_ps3_4_c_2_2_2_1_1_fuzzy_names_match_by_sound(people: TestClient) -> None:
    def fuzzy(name: str) -> list[str]:
        return names(people, PatientName=name, fuzzymatching="true")

    assert fuzzy("meier") == ["MEYER^Jörg^^Dr", "Maier^Anna Maria"]
    assert fuzzy("mueller") == ["Müller^Anna"]
    assert fuzzy("schmitt jon") == ["Smith^John"]
    assert fuzzy("Papadopulos") == ["Παπαδόπουλος^Νίκος"]
    assert fuzzy("Ivanoff") == ["Иванов^Пётр"]


def test_ps3_4_c_2_2_2_1_1_what_matches_literally_matches_fuzzily_too(people: TestClient) -> None:
    for one in ("*ll*", "?mit*", "*^j*", "山*"):
        assert set(names(people, PatientName=one)) <= set(names(people, PatientName=one, fuzzymatching="true")), one


def test_ps3_4_c_2_2_2_1_1_the_physicians_names_are_not_the_patients(client: TestClient) -> None:
    store(client, instance(PatientName="Kim^Anna", ReferringPhysicianName="Brown^Bob"))
    assert ids(client, ReferringPhysicianName="bob brown", fuzzymatching="true") == [None]
    assert ids(client, ReferringPhysicianName="BR*") == [None]
    assert ids(client, PatientName="bob", fuzzymatching="true") == []
    assert ids(client, ReferringPhysicianName="kim*") == []
