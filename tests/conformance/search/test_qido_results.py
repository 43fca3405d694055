"""What a search answers with, and its other parameters (PS3.18 8.3.4, 10.6); every test's name says its clause."""

from __future__ import annotations

import json
import urllib.parse
from typing import Any

import pytest
from pydicom.dataset import Dataset
from starlette.testclient import TestClient

from overread.kit.principals import Role
from tests.conformance.search.archive import CT, ask, ask_as, first, instance, store
from tests.dicomweb.conftest import Bearer

_STUDY_TABLE = "00080020 00080030 00080050 00080056 00080061 00080090 00080201 00081190 00100010 00100020 00100030"
_STUDY_TABLE += " 00100040 0020000D 00200010 00201206 00201208"
_SERIES_TABLE = "00080060 00080201 0008103E 00081190 0020000E 00200011 00201209 00400244 00400245 00400275"
_INSTANCE_TABLE = "00080016 00080018 00080056 00080201 00081190 00200013 00280010 00280011 00280100 00280008"
STUDY, SERIES, INSTANCE = (set(one.split()) for one in (_STUDY_TABLE, _SERIES_TABLE, _INSTANCE_TABLE))


def full() -> Dataset:
    """An instance with a value for every attribute of the tables, and more."""
    return instance(
        StudyInstanceUID="1.2.3",
        SeriesInstanceUID="1.2.3.4",
        SOPInstanceUID="1.2.3.4.5",
        StudyDate="20200102",
        StudyTime="103000",
        AccessionNumber="A1",
        ReferringPhysicianName="Brown^Bob",
        TimezoneOffsetFromUTC="+0100",
        StudyDescription="CT Head",
        PatientName="Kim^Anna",
        PatientID="P1",
        PatientBirthDate="19800101",
        PatientSex="F",
        PatientAge="040Y",
        StudyID="S1",
        SeriesDescription="axial",
        SeriesNumber="7",
        PerformedProcedureStepStartDate="20200102",
        PerformedProcedureStepStartTime="1029",
        RequestAttributesSequence=[{"ScheduledProcedureStepID": "SP1", "RequestedProcedureID": "RP1"}],
        InstanceNumber="3",
        NumberOfFrames="1",
        Rows=8,
        Columns=9,
        BitsAllocated=16,
        SliceThickness="2",
        ImageType=["ORIGINAL", "PRIMARY"],
    )


@pytest.fixture
def one(client: TestClient) -> TestClient:
    store(client, full())
    return client


def only(response: Any) -> dict[str, Any]:
    [result] = response.json()
    return dict(result)


def test_ps3_18_table_10_6_3_3_a_study_has_these_attributes(one: TestClient) -> None:
    result = only(ask(one, "studies"))
    assert result.keys() >= STUDY
    assert first(result, "00081190") == "http://test/dicomweb/studies/1.2.3"
    assert first(result, "00080056") == "ONLINE"
    assert first(result, "00080030") == "103000"
    assert result["00201208"] == {"vr": "IS", "Value": [1]}


def test_ps3_18_table_10_6_3_4_a_series_has_these_attributes(one: TestClient) -> None:
    result = only(ask(one, "studies/1.2.3/series"))
    assert result.keys() >= SERIES
    assert first(result, "00081190") == "http://test/dicomweb/studies/1.2.3/series/1.2.3.4"
    assert first(first(result, "00400275"), "00400009") == "SP1"
    assert "00100010" not in result


def test_ps3_18_table_10_6_3_5_an_instance_has_these_attributes(one: TestClient) -> None:
    result = only(ask(one, "studies/1.2.3/series/1.2.3.4/instances"))
    assert result.keys() >= INSTANCE
    assert [first(result, tag) for tag in ("00200013", "00280010", "00280011", "00280100", "00280008")] == [
        3,
        8,
        9,
        16,
        1,
    ]
    assert not result.keys() & {"00100010", "00080060", "00180050"}


def test_ps3_18_table_10_6_3_5_what_an_instance_does_not_say_is_not_said_of_it(client: TestClient) -> None:
    store(client, instance())
    assert not only(ask(client, "instances")).keys() & {"00280008", "00280010", "00280011", "00280100"}


def test_ps3_18_10_6_3_3_all_series_and_instances_carry_the_levels_above(one: TestClient) -> None:
    assert only(ask(one, "series")).keys() >= STUDY | SERIES
    assert only(ask(one, "instances")).keys() >= STUDY | SERIES | INSTANCE
    in_study = only(ask(one, "studies/1.2.3/instances"))
    assert in_study.keys() >= SERIES | INSTANCE
    assert "00100010" not in in_study


def test_ps3_4_c_2_2_1_required_attributes_are_there_without_a_value_too(client: TestClient) -> None:
    store(client, instance())
    result = only(ask(client, "studies"))
    assert result["00100020"] == {"vr": "LO"}
    assert result["00080050"] == {"vr": "SH"}


def test_ps3_18_8_3_4_3_includefield_takes_lists_repetitions_tags_and_keywords(one: TestClient) -> None:
    plain = only(ask(one, "studies"))
    assert "00101010" not in plain
    for asked in ("includefield=PatientAge", "includefield=00101010", "includefield=StudyID,PatientAge"):
        assert first(only(one.get(f"studies?{asked}")), "00101010") == "040Y", asked
    result = only(one.get("instances?includefield=SliceThickness&includefield=ImageType"))
    assert first(result, "00180050") == 2
    assert result["00080008"]["Value"] == ["ORIGINAL", "PRIMARY"]


def test_ps3_18_8_3_4_3_includefield_all_gives_what_is_kept_of_the_level(one: TestClient) -> None:
    assert "00101010" in only(ask(one, "studies", includefield="all"))
    assert "00180050" not in only(ask(one, "studies", includefield="all"))
    assert "00180050" in only(ask(one, "instances", includefield="all"))


def test_ps3_18_8_3_4_3_includefield_reaches_into_sequences(client: TestClient) -> None:
    code = {"CodeValue": "1", "CodingSchemeDesignator": "SCT", "CodeMeaning": "x"}
    store(client, instance(ProcedureCodeSequence=[code], AnatomicRegionSequence=[code]))
    study = only(ask(client, "studies", includefield="ProcedureCodeSequence.CodeValue"))
    assert study["00081032"]["Value"] == [{"00080100": {"vr": "SH", "Value": ["1"]}}]
    assert len(only(ask(client, "studies", includefield="ProcedureCodeSequence"))["00081032"]["Value"][0]) == 3
    found = only(ask(client, "instances", includefield="00082218.00080104"))
    assert found["00082218"]["Value"] == [{"00080104": {"vr": "LO", "Value": ["x"]}}]


def test_ps3_18_10_6_3_3_keys_that_were_matched_are_returned(one: TestClient) -> None:
    assert "00101010" in only(ask(one, "studies", PatientAge="040Y"))
    assert "00101010" in only(ask(one, "studies", PatientAge=""))


def test_ps3_18_10_6_3_3_upper_levels_attributes_are_returned_where_they_are_asked_for(one: TestClient) -> None:
    fields = "PatientAge,PatientName,Modality,ModalitiesInStudy,SeriesDescription,RequestAttributesSequence"
    result = only(ask(one, "studies/1.2.3/series/1.2.3.4/instances", includefield=fields, StudyID="S1"))
    tags = ["00101010", "00080060", "00080061", "0008103E", "00200010"]
    assert [first(result, tag) for tag in tags] == ["040Y", "CT", "CT", "axial", "S1"]
    assert first(result, "00100010") == {"Alphabetic": "Kim^Anna"}
    assert first(first(result, "00400275"), "00401001") == "RP1"
    assert "00100020" not in result
    series = only(ask(one, "studies/1.2.3/series", includefield="PatientAge,NumberOfStudyRelatedInstances"))
    assert (first(series, "00101010"), first(series, "00201208")) == ("040Y", 1)


def test_ps3_18_10_6_3_3_lower_levels_attributes_are_not_returned(one: TestClient) -> None:
    assert "00080060" not in only(ask(one, "studies", includefield="Modality", Modality="CT"))


@pytest.mark.parametrize("level", ["studies", "series", "instances"])
def test_ps3_18_10_6_1_2_keys_of_every_level_match_at_every_level(one: TestClient, level: str) -> None:
    for keys in (
        {"PatientID": "P1", "SeriesNumber": "7", "InstanceNumber": "3"},
        {"Modality": "CT", "SOPClassUID": CT},
        {"SeriesInstanceUID": "1.2.3.4", "BitsAllocated": "16"},
        {"PerformedProcedureStepStartDate": "20200102", "PerformedProcedureStepStartTime": "10"},
        {"NumberOfStudyRelatedInstances": "1", "ModalitiesInStudy": "CT", "StudyID": "S1"},
    ):
        assert len(ask(one, level, **keys).json()) == 1, keys
        for key in keys:
            wrong = "99" if key.startswith(("Number", "Bits", "Instance", "SeriesN")) else "19990909"
            assert ask(one, level, **{**keys, key: wrong[: 2 if key.endswith("Time") else 8]}).json() == [], key


def test_ps3_18_10_6_1_2_lower_keys_match_in_one_series_or_instance(client: TestClient) -> None:
    shared = {"StudyInstanceUID": "1.2.3", "PatientID": "P1"}
    store(
        client, instance(Modality="CT", SeriesNumber="1", **shared), instance(Modality="PT", SeriesNumber="2", **shared)
    )
    assert len(ask(client, "studies", Modality="CT", SeriesNumber="1").json()) == 1
    assert ask(client, "studies", Modality="CT", SeriesNumber="2").json() == []
    assert len(ask(client, "series", ModalitiesInStudy="CT").json()) == 2


def test_ps3_18_8_3_4_4_pages_are_in_one_order_and_leave_nothing_out_while_studies_arrive(client: TestClient) -> None:
    days = [f"202001{day:02d}" for day in range(1, 9)]
    store(client, *(instance(StudyDate=day, PatientID=str(n)) for day in days for n in range(2)))
    seen: list[str] = []
    for page in range(6):
        seen += [first(one, "0020000D") for one in ask(client, "studies", limit="3", offset=str(3 * page)).json()]
        store(client, instance(StudyDate=f"202002{page + 1:02d}"))
    old = {first(one, "0020000D") for one in ask(client, "studies", StudyDate="-20200131").json()}
    assert len(old) == 16
    assert [uid for uid in seen if uid not in old] == []
    again = [first(one, "00080020") for one in ask(client, "studies").json()]
    assert again == sorted(again, reverse=True)


def test_ps3_18_8_3_4_4_a_limit_above_the_servers_is_cut_with_a_warning(client: TestClient) -> None:
    store(client, *(instance() for _ in range(3)))
    for limit in ("1000000000", "1001", "999999999999999999"):
        response = ask(client, "studies", limit=limit)
        assert response.status_code == 200
        assert len(response.json()) == 3
    assert ask(client, "studies", limit="2").headers["warning"].startswith("299 ")
    assert ask(client, "studies", limit="0").json() == []
    assert ask(client, "studies", offset="999999999").json() == []


def test_ps3_18_8_3_4_1_keys_that_are_not_supported_are_ignored_with_a_warning(one: TestClient) -> None:
    response = ask(one, "studies", SliceThickness="9", ImageType="DERIVED")
    assert len(response.json()) == 1
    assert response.headers["warning"].count("299 ") == 2


@pytest.mark.parametrize("name", ["fuzzymatching", "emptyvaluematching", "multiplevaluematching"])
def test_ps3_18_8_3_4_2_5_6_the_matching_parameters_are_taken_without_a_warning(one: TestClient, name: str) -> None:
    response = ask(one, "studies", **{name: "true"})
    assert response.status_code == 200
    assert "warning" not in response.headers
    assert ask(one, "studies", **{name: "perhaps"}).status_code == 400


BAD = {
    "a limit that is none": "limit=ten",
    "a negative limit": "limit=-1",
    "a giant limit": "limit=" + "9" * 40,
    "a negative offset": "offset=-5",
    "two limits": "limit=1&limit=2",
    "a date in words": "StudyDate=yesterday",
    "an impossible date": "StudyDate=20200230",
    "a range without ends": "StudyDate=-",
    "a bad time": "StudyTime=25",
    "a UID with letters": "StudyInstanceUID=1.2.x",
    "a UID with wild cards": "StudyInstanceUID=1.2.*",
    "a UID that is too long": "StudyInstanceUID=" + "1" * 65,
    "too many UIDs": "StudyInstanceUID=" + ",".join(["1.2"] * 501),
    "a number that is none": "InstanceNumber=one",
    "a giant number": "InstanceNumber=" + "9" * 30,
    "NUL": "PatientID=a%00b",
    "too long a value": "PatientID=" + "a" * 2000,
    "a bomb of wild cards": "PatientID=" + "*a" * 40,
    "a bomb of wild cards in a name": "PatientName=" + "?*" * 40,
    "a key twice": "PatientID=1&PatientID=2",
    "a sequence itself": "RequestAttributesSequence=x",
    "a bad time zone": "TimezoneOffsetFromUTC=CET",
    "a number in words": "PatientSize=tall",
    "too many parameters": "&".join(f"0008{n:04X}=1" for n in range(5000)),
}


@pytest.mark.parametrize("query", BAD.values(), ids=BAD.keys())
def test_ps3_18_10_6_3_1_a_bad_request_is_400_in_words_and_the_next_is_served(one: TestClient, query: str) -> None:
    response = one.get(f"studies?{query}")
    assert response.status_code == 400
    assert len(json.loads(response.content)["detail"]) > 20
    assert len(one.get("studies").json()) == 1


@pytest.mark.parametrize(
    ("query", "warned"),
    [
        ("NoSuchKeyword=1", "NoSuchKeyword"),
        ("_=1764470000", "_"),
        ("includefield=nonsense", "nonsense"),
        ("includefield=", None),
        ("includefield=00081030,,nonsense", "nonsense"),
        ("0008103=1", "0008103"),
        ("No%22%0D%0ASuch=1", "A parameter"),
        ("%C3%BC=1", "A parameter"),
        (f"{'a' * 65}=1", "A parameter"),
        ("PatientID.NoSuch=1", "PatientID.NoSuch"),
        ("=1", "A parameter"),
    ],
)
def test_ps3_18_8_3_4_1_what_names_nothing_is_ignored_with_a_warning(
    one: TestClient, query: str, warned: str | None
) -> None:
    response = one.get(f"studies?{query}")
    assert (response.status_code, len(response.json())) == (200, 1)
    told = f'299 overread "{warned} is neither a parameter of this search nor an attribute; it was ignored."'
    assert response.headers.get("warning") == (told if warned else None)
    # The keys beside it count.
    assert one.get(f"studies?{query}&PatientID=nobody").json() == []


@pytest.mark.parametrize(
    "value",
    [
        "%",
        "_",
        "\\",
        "'",
        "''",
        '"',
        "a'b",
        "&|!():*",
        "'^q':*A",
        "~QX",
        "^",
        "=",
        "==",
        "^^^",
        "\ud7ff",
        "{}",
        "$1",
        "%s",
    ],
)
@pytest.mark.parametrize("fuzzy", ["true", "false"])
def test_ps3_18_8_3_4_1_a_value_is_only_ever_a_value(one: TestClient, value: str, fuzzy: str) -> None:
    for key in ("PatientID", "PatientName", "ModalitiesInStudy", "PatientComments", "00400275.00400009"):
        query = urllib.parse.urlencode({key: value, "fuzzymatching": fuzzy})
        response = one.get(f"studies?{query}")
        assert response.status_code == 200, (key, response.text)
        # Only what says nothing as a name matches.
        if key != "PatientName" or value not in ("^", "=", "==", "^^^"):
            assert response.json() == [], key


def test_a_hospital_finds_what_it_sent_and_nothing_of_what_others_did(client: TestClient, bearer: Bearer) -> None:
    mine, other = bearer(Role.HOSPITAL), bearer(Role.HOSPITAL)
    ds = instance(StudyInstanceUID="1.2.3", PatientID="P1", PatientBirthDate="19800101")
    store(client, ds, headers=mine)
    # Of another patient under the same study: theirs alone, and the answer tells nothing of the study that is here.
    stranger = instance(StudyInstanceUID="1.2.3", PatientID="P2", PatientBirthDate="19900101")
    store(client, stranger, headers=other)
    assert [first(one, "00100020") for one in ask_as(client, other, "studies").json()] == ["P2"]
    assert ask_as(client, other, "series", PatientID="P1").json() == []
    assert [first(one, "00100020") for one in ask_as(client, mine, "studies").json()] == ["P1"]
    # Within what one sender sent, a study is one patient's.
    with pytest.raises(AssertionError):
        store(client, instance(StudyInstanceUID="1.2.3", PatientID="P3"), headers=other)
    # Who sends the same bytes later has them, too.
    mine, other = bearer(Role.HOSPITAL), bearer(Role.HOSPITAL)
    for who in (mine, other):
        store(client, ds, headers=who)
    for level in ("studies", "series", "instances"):
        assert len(ask_as(client, other, level, Modality="CT").json()) == 1
