"""C-FIND as SCP: PS3.4 C.2.2.2, C.4.1, C.5.1.1 and C.6, asked by pynetdicom's SCU."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pynetdicom.pdu_primitives import SOPClassExtendedNegotiation

from overread.kit.principals import Principal
from pacs.dimse import find as finding
from pacs.store.archive import Archive
from tests.conformance.search.archive import instance
from tests.pacs.dimse.querying import PATIENT_FIND, STUDY_FIND, ask, associated, find, find_once, keep, principal_of

RELATIONAL, MOMENTS, FUZZY, TIMEZONE = b"\1", b"\0\1", b"\0\0\1", b"\0\0\0\1"


@pytest.fixture
def three(archive: Archive, ward: Principal) -> None:
    """Three patients' studies: two of Ada, one of Grace with two series, one without a patient ID."""
    keep(
        archive,
        ward,
        instance(PatientName="Lovelace^Ada", PatientID="A1", StudyInstanceUID="1.1", SeriesInstanceUID="1.1.1",
                 SOPInstanceUID="1.1.1.1", StudyDate="20200101", StudyTime="230000", PatientSex="F"),
        instance(PatientName="Lovelace^Ada", PatientID="A1", StudyInstanceUID="1.2", SeriesInstanceUID="1.2.1",
                 SOPInstanceUID="1.2.1.1", StudyDate="20200103", StudyTime="010000", PatientSex="F"),
        instance(PatientName="Hopper^Grace", PatientID="G1", StudyInstanceUID="2.1", SeriesInstanceUID="2.1.1",
                 SOPInstanceUID="2.1.1.1", StudyDate="20200102", StudyTime="120000", Modality="CT"),
        instance(PatientName="Hopper^Grace", PatientID="G1", StudyInstanceUID="2.1", SeriesInstanceUID="2.1.2",
                 SOPInstanceUID="2.1.2.1", StudyDate="20200102", StudyTime="120000", Modality="SR",
                 SeriesDescription="Report"),
        instance(PatientName="Nobody", PatientID="", StudyInstanceUID="3.1", StudyDate="20190101"),
    )  # fmt: skip


# pydicom warns of what a bad peer writes.
pytestmark = [pytest.mark.usefixtures("three"), pytest.mark.filterwarnings("ignore::UserWarning")]


def studies(port: int, options: bytes = b"", **keys: Any) -> list[str]:
    answers = find_once(port, STUDY_FIND, ask("STUDY", **{"StudyInstanceUID": "", **keys}), options=options)
    assert answers.status == 0, answers.last
    return sorted(str(uid) for uid in answers.values("StudyInstanceUID"))


# C.6: the information models


def test_c_6_1_patient_level_gives_each_patient_once_with_counts(port: int) -> None:
    keys = {"NumberOfPatientRelatedStudies": "", "NumberOfPatientRelatedSeries": "", "PatientSex": ""}
    answers = find_once(port, PATIENT_FIND, ask("PATIENT", PatientID="", PatientName="", **keys))
    assert [(one.PatientID, str(one.PatientName), one.NumberOfPatientRelatedStudies) for one in answers.found] == [
        ("A1", "Lovelace^Ada", 2),
        ("G1", "Hopper^Grace", 1),
    ]
    assert answers.values("NumberOfPatientRelatedSeries") == [2, 2]
    assert answers.values("PatientSex") == ["F", ""]
    assert set(answers.pending) == {0xFF00}


def test_c_6_1_the_levels_of_the_patient_root_are_reached_by_the_unique_keys_above(port: int) -> None:
    with associated(port) as assoc:
        at_study = find(assoc, PATIENT_FIND, ask("STUDY", PatientID="G1", StudyInstanceUID="", StudyDate=""))
        assert [(one.PatientID, one.StudyInstanceUID, one.StudyDate) for one in at_study.found] == [
            ("G1", "2.1", "20200102")
        ]
        at_series = find(
            assoc,
            PATIENT_FIND,
            ask("SERIES", PatientID="G1", StudyInstanceUID="2.1", SeriesInstanceUID="", Modality=""),
        )
        assert sorted(at_series.values("Modality")) == ["CT", "SR"]
        identifier = ask(
            "IMAGE", PatientID="G1", StudyInstanceUID="2.1", SeriesInstanceUID="2.1.2", SOPInstanceUID="",
            SOPClassUID="", PatientComments="",
        )  # fmt: skip
        at_image = find(assoc, PATIENT_FIND, identifier)
        assert at_image.values("SOPInstanceUID") == ["2.1.2.1"]
        assert at_image.values("QueryRetrieveLevel") == ["IMAGE"]
        assert find(assoc, PATIENT_FIND, ask("STUDY", PatientID="A1", StudyInstanceUID="2.1")).found == []


def test_c_6_2_a_level_that_is_none_is_refused(port: int) -> None:
    for level in ("", "FRAME", "study"):
        answers = find_once(port, STUDY_FIND, ask(level, PatientID=""))
        assert (answers.status, answers.last.OffendingElement) == (0xA900, 0x00080052)
    assert find_once(port, STUDY_FIND, ask("STUDY", PatientName="HOPPER*")).status == 0


def test_c_6_2_patients_in_the_study_root_are_those_of_the_patient_root(port: int) -> None:
    """The Study Root has none; Orthanc asks for them there."""
    counts = ("Studies", "Series", "Instances")
    keys = {"PatientName": "", "PatientSex": "", **{f"NumberOfPatientRelated{one}": "" for one in counts}}
    for more in ({"PatientID": ""}, {"PatientID": "A1"}, {"PatientID": "*", "PatientName": "hopper*"}):
        identifier = ask("PATIENT", **{**keys, **more})
        in_study_root = find_once(port, STUDY_FIND, identifier)
        assert in_study_root.status == 0
        assert in_study_root.found
        assert in_study_root.found == find_once(port, PATIENT_FIND, identifier).found
    theirs = find_once(port, STUDY_FIND, ask("PATIENT", PatientID=""), calling="OTHER")
    assert (theirs.status, theirs.found) == (0, [])


# C.4.1.2.1, C.4.1.3.1: hierarchical search


@pytest.mark.parametrize(
    ("model", "level", "keys", "found"),
    [
        (STUDY_FIND, "SERIES", {"SeriesInstanceUID": "2.1.2"}, ["2.1.2"]),
        (STUDY_FIND, "SERIES", {"SeriesInstanceUID": "2.1.2\\1.1.1"}, ["1.1.1", "2.1.2"]),
        (STUDY_FIND, "SERIES", {"SeriesInstanceUID": "9.9", "StudyInstanceUID": ""}, []),
        (STUDY_FIND, "IMAGE", {"SOPInstanceUID": "2.1.2.1"}, ["2.1.2.1"]),
        (STUDY_FIND, "IMAGE", {"SOPInstanceUID": "2.1.2.1", "StudyInstanceUID": "2.1"}, ["2.1.2.1"]),
        (STUDY_FIND, "IMAGE", {"SOPInstanceUID": "2.1.2.1", "StudyInstanceUID": "1.1"}, []),
        (STUDY_FIND, "IMAGE", {"SeriesInstanceUID": "2.1.1"}, ["2.1.1.1"]),
        (STUDY_FIND, "IMAGE", {"StudyInstanceUID": "2.1"}, ["2.1.1.1", "2.1.2.1"]),
        (
            STUDY_FIND,
            "IMAGE",
            {"StudyInstanceUID": "2.1", "PatientID": "", "AccessionNumber": ""},
            ["2.1.1.1", "2.1.2.1"],
        ),
        (PATIENT_FIND, "STUDY", {"StudyInstanceUID": "1.2"}, ["1.2"]),
        (PATIENT_FIND, "SERIES", {"PatientID": "A1", "SeriesInstanceUID": "1.2.1"}, ["1.2.1"]),
        (PATIENT_FIND, "SERIES", {"PatientID": "G1", "SeriesInstanceUID": "1.2.1"}, []),
    ],
)
def test_c_4_1_2_1_unique_keys_above_may_be_left_out_where_a_uid_leads_to_one_study(
    port: int, model: Any, level: str, keys: dict[str, str], found: list[str]
) -> None:
    """As Orthanc does. What may be seen stays what it was: another hospital finds nothing."""
    own = {"STUDY": "StudyInstanceUID", "SERIES": "SeriesInstanceUID", "IMAGE": "SOPInstanceUID"}[level]
    answers = find_once(port, model, ask(level, **{own: "", **keys}))
    assert answers.status == 0, answers.last
    assert sorted(answers.values(own)) == found
    for one in answers.found:
        assert one.StudyInstanceUID == one[own].value[:3]
    theirs = find_once(port, model, ask(level, **{own: "", **keys}), calling="OTHER")
    assert (theirs.status, theirs.found) == (0, [])


@pytest.mark.parametrize(
    ("model", "level", "keys"),
    [
        (STUDY_FIND, "SERIES", {"SeriesInstanceUID": ""}),
        (STUDY_FIND, "SERIES", {"SeriesInstanceUID": "2.1.*"}),
        (STUDY_FIND, "SERIES", {"SeriesInstanceUID": "", "PatientID": "A1", "Modality": "CT"}),
        (STUDY_FIND, "IMAGE", {"SOPInstanceUID": ""}),
        (STUDY_FIND, "IMAGE", {"SOPInstanceUID": "*"}),
        (PATIENT_FIND, "STUDY", {"StudyInstanceUID": ""}),
        (PATIENT_FIND, "SERIES", {"PatientID": "A1", "SeriesInstanceUID": ""}),
    ],
)
def test_c_4_1_2_1_without_any_uid_everything_would_be_searched(
    port: int, model: Any, level: str, keys: dict[str, str]
) -> None:
    answers = find_once(port, model, ask(level, **keys))
    assert (answers.status, answers.found) == (0xA900, [])
    assert answers.last.ErrorComment == "Name one study, series or instance by its UID."


@pytest.mark.parametrize("value", ["*", "2.*", "2.1\\1.1"])
def test_c_4_1_2_1_the_unique_keys_above_must_be_one_value(port: int, value: str) -> None:
    answers = find_once(port, STUDY_FIND, ask("SERIES", StudyInstanceUID=value, SeriesInstanceUID=""))
    assert (answers.status, answers.found) == (0xA900, [])
    assert answers.last.OffendingElement == 0x0020000D
    assert "unique key" in answers.last.ErrorComment


def test_c_4_1_3_1_keys_of_other_levels_are_not_matched_in_a_hierarchical_search(port: int) -> None:
    answers = find_once(port, STUDY_FIND, ask("STUDY", StudyInstanceUID="", SeriesDescription="Report"))
    assert len(answers.found) == 4
    assert set(answers.pending) == {0xFF01}  # said so, C.4.1.1.4


def test_c_4_1_2_2_a_relational_query_takes_keys_of_every_level(port: int) -> None:
    assert studies(port, RELATIONAL, SeriesDescription="Report") == ["2.1"]
    series = find_once(port, STUDY_FIND, ask("SERIES", SeriesInstanceUID="", PatientName="Lovelace^Ada"), options=b"\1")
    assert sorted(series.values("SeriesInstanceUID")) == ["1.1.1", "1.2.1"]
    assert set(series.pending) == {0xFF00}
    image = find_once(port, PATIENT_FIND, ask("IMAGE", SOPInstanceUID="1.1.1.1"), options=b"\1")
    assert image.values("StudyInstanceUID") == ["1.1"]
    assert image.values("PatientID") == ["A1"]


# C.4.1.1: identifiers and statuses


def test_c_4_1_1_3_2_an_answer_has_what_was_asked_for_and_where_to_get_it(port: int) -> None:
    answers = find_once(port, STUDY_FIND, ask("STUDY", StudyInstanceUID="1.1", PatientName="", AccessionNumber=""))
    [one] = answers.found
    tags = {element.keyword for element in one}
    assert tags == {
        "QueryRetrieveLevel", "RetrieveAETitle", "InstanceAvailability", "PatientName", "AccessionNumber",
        "StudyInstanceUID",
    }  # fmt: skip
    assert (one.RetrieveAETitle, one.InstanceAvailability, one.AccessionNumber) == ("OVERREAD", "ONLINE", "")


def test_c_4_1_1_4_an_unsupported_optional_key_is_told_by_ff01(port: int) -> None:
    answers = find_once(port, STUDY_FIND, ask("STUDY", StudyInstanceUID="1.1", PerformingPhysicianName="x"))
    assert answers.pending == [0xFF01]
    assert "PerformingPhysicianName" not in answers.found[0]
    image = ask("IMAGE", StudyInstanceUID="1.1", SeriesInstanceUID="1.1.1", SOPInstanceUID="", SliceThickness="2")
    assert find_once(port, STUDY_FIND, image).pending == [0xFF01]
    image.SliceThickness = None
    assert find_once(port, STUDY_FIND, image).pending == [0xFF00]


def test_c_4_1_1_4_a_key_that_can_t_be_read_is_the_offending_element(port: int) -> None:
    identifier = ask("STUDY", StudyInstanceUID="", PatientName="Lovelace^Ada")
    identifier.add_new("StudyDate", "LO", "yesterday")
    identifier.add_new("StudyTime", "LO", "noon")
    with associated(port) as assoc:
        answers = find(assoc, STUDY_FIND, identifier)
        assert (answers.status, answers.found) == (0xA900, [])
        assert list(answers.last.OffendingElement) == [0x00080020, 0x00080030]
        assert len(answers.last.ErrorComment) <= 64
        assert "yesterday" not in answers.last.ErrorComment
        assert find(assoc, STUDY_FIND, ask("STUDY", PatientID="A1")).status == 0  # the next request is served


def test_c_4_1_1_4_an_identifier_that_is_none_is_not_processed(port: int) -> None:
    with associated(port) as assoc:
        for data in (b"\x08\x00\x52\x00CS\xff\xff", b"\xff" * 40, b"abc" * 5):
            [(status, _)] = _send_raw(assoc, data)
            assert status.Status in (0xA900, 0xC000)
        assert find(assoc, STUDY_FIND, ask("STUDY", PatientID="A1")).status == 0


def _send_raw(assoc: Any, data: bytes) -> list[tuple[Any, Any]]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("pynetdicom.association.encode", lambda *_a, **_k: data)
        return list(assoc.send_c_find(Dataset(), STUDY_FIND))


def test_c_4_1_1_4_too_many_matches_end_with_a700(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "MOST", 2)
    answers = find_once(port, STUDY_FIND, ask("STUDY", StudyInstanceUID=""))
    assert (len(answers.found), answers.status) == (2, 0xA700)
    assert "narrow" in answers.last.ErrorComment


def test_c_4_1_3_answers_of_many_pages_come_once_each(
    port: int, archive: Archive, ward: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "PAGE", 2)
    assert studies(port)[:4] == ["1.1", "1.2", "2.1", "3.1"]
    patients = find_once(port, PATIENT_FIND, ask("PATIENT", PatientID=""))
    assert patients.values("PatientID") == ["A1", "G1"]
    monkeypatch.setattr(finding, "PAGE", 1)
    patients = find_once(port, PATIENT_FIND, ask("PATIENT", PatientID=""))
    assert patients.values("PatientID") == ["A1", "G1"]


# C.4.1.1.1: C-FIND-CANCEL


def test_c_4_1_1_1_a_cancel_between_answers_ends_the_operation(port: int, archive: Archive, ward: Principal) -> None:
    keep(archive, ward, *(instance(PatientID=f"P{number}") for number in range(300)))
    with associated(port, contexts=[STUDY_FIND]) as assoc:
        answers = assoc.send_c_find(ask("STUDY", StudyInstanceUID=""), STUDY_FIND, msg_id=7)
        first = list(itertools.islice(answers, 3))
        assert [status.Status for status, _ in first] == [0xFF00] * 3
        assoc.send_c_cancel(7, query_model=STUDY_FIND)
        rest = list(answers)
        assert rest[-1][0].Status == 0xFE00
        assert len(rest) < 304
        assert len(find(assoc, STUDY_FIND, ask("STUDY", PatientID="P7")).found) == 1  # nothing is left of the cancel


# C.2.2.2: matching


def test_c_2_2_2_1_to_4_single_values_lists_wild_cards(port: int) -> None:
    assert studies(port, StudyInstanceUID="1.1\\2.1\\9.9") == ["1.1", "2.1"]
    assert studies(port, PatientName="LOVELACE^*") == ["1.1", "1.2"]
    assert studies(port, PatientID="?1") == ["1.1", "1.2", "2.1"]
    assert studies(port, ModalitiesInStudy="SR\\US") == ["2.1"]


def test_c_2_2_2_5_ranges_of_date_and_time_are_combined_only_where_negotiated(port: int) -> None:
    days = "20200101-20200103"
    assert studies(port, MOMENTS, StudyDate=days, StudyTime="220000-020000") == ["1.1", "1.2", "2.1"]
    assert studies(port, StudyDate=days, StudyTime="000000-020000") == ["1.2"]
    assert studies(port, StudyDate="20200102-") == ["1.2", "2.1"]


def test_c_2_2_2_1_1_fuzzy_matching_of_names_only_where_negotiated(port: int) -> None:
    assert studies(port, PatientName="Ada Lovelace") == []
    assert studies(port, FUZZY, PatientName="Ada Lovelace") == ["1.1", "1.2"]


def test_c_2_2_2_6_a_sequence_is_matched_by_one_item(port: int, archive: Archive, ward: Principal) -> None:
    request = [{"ScheduledProcedureStepID": "SPS7", "RequestedProcedureID": "RP7"}]
    keep(archive, ward, instance(StudyInstanceUID="5.1", SeriesInstanceUID="5.1.1", RequestAttributesSequence=request))
    item = Dataset()
    item.ScheduledProcedureStepID = "SPS7"
    identifier = ask("SERIES", StudyInstanceUID="5.1", SeriesInstanceUID="", RequestAttributesSequence=Sequence([item]))
    [one] = find_once(port, STUDY_FIND, identifier).found
    assert one.RequestAttributesSequence[0].ScheduledProcedureStepID == "SPS7"
    item.ScheduledProcedureStepID = "other"
    assert find_once(port, STUDY_FIND, identifier).found == []
    identifier.RequestAttributesSequence = Sequence([item, item])
    answers = find_once(port, STUDY_FIND, identifier)
    assert (answers.status, answers.last.OffendingElement) == (0xA900, 0x00400275)


def test_c_2_2_2_7_empty_values_only_where_negotiated(port: int) -> None:
    assert studies(port, b"\0\0\0\0\0\1", PatientID='""') == ["3.1"]
    assert studies(port, PatientID='""') == []


# C.5.1.1: extended negotiation


def test_c_5_1_1_the_answer_says_what_is_supported_of_what_was_asked(port: int) -> None:
    with associated(port, contexts=[STUDY_FIND], options=b"\1\1\1\1\1\1\1\1") as assoc:
        items = [item for item in assoc.acceptor.user_information if isinstance(item, SOPClassExtendedNegotiation)]
        assert [item.service_class_application_information for item in items] == [b"\1\1\1\1\0\1\1"]
    with associated(port, contexts=[STUDY_FIND], options=b"\0\1") as assoc:
        items = [item for item in assoc.acceptor.user_information if isinstance(item, SOPClassExtendedNegotiation)]
        assert [item.service_class_application_information for item in items] == [b"\0\1"]


# PS3.3 C.12.1.1.2: the answers' character set


@pytest.mark.parametrize(
    ("asked", "name", "answered"),
    [
        ("", "Weiß^Jürgen", "ISO_IR 192"),
        ("ISO_IR 100", "Weiß^Jürgen", "ISO_IR 100"),
        ("ISO_IR 100", "Иванов^Пётр", "ISO_IR 192"),
        ("ISO_IR 144", "Иванов^Пётр", "ISO_IR 144"),
        ("ISO 2022 IR 87", "Yamada^Tarou=山田^太郎", "ISO_IR 192"),
        ("", "Plain^Name", None),
        ("NONSENSE", "Weiß^Jürgen", "ISO_IR 192"),
    ],
)
def test_answers_are_in_the_character_set_that_was_asked_for_where_they_fit(
    port: int, archive: Archive, ward: Principal, asked: str, name: str, answered: str | None
) -> None:
    keep(archive, ward, instance(PatientName=name, StudyInstanceUID="7.1"))
    identifier = ask("STUDY", StudyInstanceUID="7.1", PatientName="")
    if asked:
        identifier.add_new("SpecificCharacterSet", "CS", asked)
    with pytest.MonkeyPatch.context() as patched:
        if asked == "NONSENSE":
            patched.setattr("pydicom.charset.convert_encodings", lambda _encodings: ["latin_1"])
        [one] = find_once(port, STUDY_FIND, identifier).found
    assert one.get("SpecificCharacterSet") == answered
    assert str(one.PatientName) == name


def test_keys_in_another_character_set_match(port: int, archive: Archive, ward: Principal) -> None:
    keep(archive, ward, instance(PatientName="Weiß^Jürgen", StudyInstanceUID="7.1"))
    assert studies(port, SpecificCharacterSet="ISO_IR 100", PatientName="Weiß^J*") == ["7.1"]


# scopes


def test_a_hospital_finds_what_it_sent_and_nothing_else(port: int, archive: Archive) -> None:
    keep(archive, principal_of(archive, "OTHER"), instance(PatientID="THEIRS", StudyInstanceUID="8.1"))
    assert studies(port) == ["1.1", "1.2", "2.1", "3.1"]
    answers = find_once(port, STUDY_FIND, ask("STUDY", StudyInstanceUID=""), calling="OTHER")
    assert answers.values("StudyInstanceUID") == ["8.1"]
    assert find_once(port, PATIENT_FIND, ask("PATIENT", PatientID=""), calling="OTHER").values("PatientID") == [
        "THEIRS"
    ]


def test_a_specialist_without_a_case_finds_nothing(port: int) -> None:
    answers = find_once(port, STUDY_FIND, ask("STUDY", StudyInstanceUID=""), calling="READER")
    assert (answers.status, answers.found) == (0, [])
