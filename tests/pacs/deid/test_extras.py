"""What hides outside of the table's rows: private and unknown tags, UN, overlays, preamble, padding, odd files."""

from __future__ import annotations

from struct import pack

import pytest
from pydicom.dataset import Dataset

from pacs.deid.header import deidentify
from pacs.deid.identifiers import Identifiers
from pacs.dicom.elements import find
from pacs.dicom.part10 import parse
from tests.pacs.deid.planted import BIG, EXPLICIT, IMPLICIT, SOP, STUDY, El, dataset, part10, skeleton, text
from tests.pacs.deid.test_rows import SECRET, SYNTAXES, read, whole

MARK = "ZQHIDDEN"


def cleaned(elements: list[El], syntax: str = EXPLICIT, **more: bytes) -> tuple[bytes, Dataset]:
    source = part10([*skeleton(), *elements], syntax, **more)
    result = deidentify(parse(source), secret=SECRET)
    return whole(result, source), read(result, source)


EXTRAS: dict[str, list[El]] = {
    "issuer of a number": [El(0x00080051, "SQ", [[text(0x00400031, "UT", MARK), text(0x00400033, "CS", "DNS")]])],
    "birth date in another calendar": [text(0x00100033, "LO", MARK)],
    "short text of the patient's module": [text(0x00102292, "LO", MARK)],
    "device without a row": [text(0x30020020, "SH", MARK)],
    "private": [text(0x00090010, "LO", "ACME"), text(0x00091001, "LO", MARK)],
    "private without a creator": [text(0x00091001, "LO", MARK)],
    "private creator itself": [text(0x00090010, "LO", MARK)],
    "private sequence": [text(0x00090010, "LO", "ACME"), El(0x00091002, "SQ", [[text(0x00100010, "PN", MARK)]])],
    "safe private creator, other element": [text(0x00190010, "LO", "SIEMENS MR HEADER"), text(0x00191055, "LO", MARK)],
    "safe private element, other creator": [text(0x00190010, "LO", "ACME"), text(0x0019100D, "CS", MARK)],
    "safe private element, other VR": [text(0x00190010, "LO", "SIEMENS MR HEADER"), text(0x0019100C, "LT", MARK)],
    "unknown public": [text(0x00089999, "LO", MARK)],
    "known tag, other VR": [text(0x00280012, "LO", MARK)],
    "number that is none": [text(0x00180050, "DS", MARK)],
    "code that is none": [text(0x00180015, "CS", f"{MARK}^ANNA")],
    "date that is none": [text(0x00080020, "DA", MARK)],
    "time that is none": [text(0x00080030, "TM", MARK)],
    "age that is none": [text(0x00101010, "AS", MARK)],
    "curve": [El(0x50023000, "OW", MARK.encode()), text(0x50022500, "LO", MARK)],
    "overlay": [El(0x60003000, "OW", MARK.encode()), text(0x60001500, "LO", MARK), text(0x60000022, "LO", MARK)],
    "icon": [El(0x00880200, "SQ", [[El(0x7FE00010, "OB", MARK.encode())]])],
    "pixel data in a sequence": [El(0x00082218, "SQ", [[El(0x7FE00010, "OB", MARK.encode())]])],
    "encrypted originals": [El(0x04000500, "SQ", [[El(0x04000520, "OB", MARK.encode())]])],
    "signatures behind the pixels": [El(0xFFFAFFFA, "SQ", [[El(0x04000120, "OB", MARK.encode())]])],
    "padding behind the pixels": [El(0xFFFCFFFC, "OB", MARK.encode())],
    "private behind the pixels": [text(0x7FE10010, "LO", "ACME"), text(0x7FE11001, "LO", MARK)],
    "group length": [El(0x00100000, "UL", MARK.encode()[:4])],
    "descriptor": [text(0x0008103E, "LO", f"CT {MARK} Chest")],
    "comment": [text(0x00204000, "LT", f"seen with {MARK}")],
    "text without a row": [text(0x0018991A, "UT", f"head first {MARK}")],
    "name in a product's text": [text(0x00181020, "LO", f"{MARK}^Anna")],
    "mail in a product's text": [text(0x00181020, "LO", f"{MARK}@example.org")],
    "name VR without a row": [text(0x00140104, "PN", MARK)],
    "address VR without a row": [text(0x00081190, "UR", f"https://{MARK}.example.org")],
    "a local code's meaning": [
        El(
            0x00082218,
            "SQ",
            [[text(0x00080100, "SH", "1"), text(0x00080102, "SH", "99X"), text(0x00080104, "LO", MARK)]],
        )
    ],
    "other name groups": [text(0x00080005, "CS", "ISO_IR 192"), text(0x00080090, "PN", f"A=山田^{MARK}=やまだ")],
}


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("name", EXTRAS)
def test_it_is_gone(name: str, syntax: str) -> None:
    written, _ = cleaned(EXTRAS[name], syntax)
    assert MARK.encode() not in written
    assert MARK[:4].encode() not in written


def test_preamble_and_file_meta_are_new() -> None:
    written, ds = cleaned([], preamble=MARK.encode())
    assert written[:128] == bytes(128)
    assert b"ZQAETITLE" not in written
    assert MARK.encode() not in written
    assert SOP.encode() not in written
    assert ds.file_meta.MediaStorageSOPInstanceUID == ds.SOPInstanceUID


def test_a_transfer_syntax_and_a_class_that_are_none_do_not_come_through() -> None:
    elements = [element for element in skeleton() if element.tag != 0x00080016]
    good = part10([*elements, text(0x00080016, "UI", MARK)], EXPLICIT)
    source = good.replace(b"1.2.840.10008.1.2.1\0", b"ZQHIDDEN.10008.1.2\xe9\0", 1)
    result = deidentify(parse(source), secret=SECRET)
    assert MARK.encode() not in result.header
    assert result.sop_class_uid == ""
    assert result.transfer_syntax == EXPLICIT


def test_bytes_behind_the_data_set_go() -> None:
    written, _ = cleaned([], tail=b"\xfc\xff\xfc\xffOB\0\0\x08\0\0\0" + MARK.encode())
    assert MARK.encode() not in written


def test_a_sequence_inside_of_un_is_cleaned() -> None:
    """PS3.5 6.2.2: a UN of a known sequence holds implicit items, whatever surrounds them."""
    inner = [text(0x00100010, "PN", MARK), text(0x00181210, "SH", "B31f"), text(0x00081155, "UI", STUDY)]
    body = dataset(inner, IMPLICIT)
    item = pack("<HHI", 0xFFFE, 0xE000, len(body)) + body
    written, ds = cleaned([El(0x00082218, "UN", item)])
    assert MARK.encode() not in written
    (one,) = ds[0x00082218].value
    assert one.ConvolutionKernel == "B31f"
    assert one.ReferencedSOPInstanceUID == ds.StudyInstanceUID


def test_a_uns_text_is_judged_by_the_dictionary() -> None:
    written, ds = cleaned([El(0x00100010, "UN", MARK.encode()), El(0x00181210, "UN", b"B31f")])
    assert MARK.encode() not in written
    assert ds.ConvolutionKernel == "B31f"


def test_safe_private_blocks_keep_their_numbers() -> None:
    elements = [
        text(0x00190010, "LO", "ACME"),
        text(0x0019100C, "IS", "4711"),
        text(0x00190023, "LO", "SIEMENS MR HEADER"),
        text(0x0019230C, "IS", "1000"),
    ]
    _, ds = cleaned(elements)
    assert ds.private_block(0x0019, "SIEMENS MR HEADER")[0x0C].value == 1000
    assert [element.tag for element in ds if element.tag.is_private] == [0x00190023, 0x0019230C]


def test_text_comes_out_in_utf_8() -> None:
    elements = [
        text(0x00080005, "CS", "ISO_IR 100"),
        El(0x00081030, "LO", "Schädel nativ".encode("latin-1")),
        El(0x00181020, "LO", "é1".encode("latin-1")),
    ]
    _, ds = cleaned(elements)
    assert ds.SpecificCharacterSet == "ISO_IR 192"
    assert ds.StudyDescription == "Schädel nativ"
    assert ds.SoftwareVersions == "é1"


def test_references_stay_closed() -> None:
    reference = [[text(0x00081150, "UI", "1.2.840.10008.5.1.4.1.1.2"), text(0x00081155, "UI", SOP)]]
    _, ds = cleaned([El(0x00081140, "SQ", reference), text(0x00200052, "UI", STUDY)])
    assert ds.ReferencedImageSequence[0].ReferencedSOPInstanceUID == ds.SOPInstanceUID
    assert ds.ReferencedImageSequence[0].ReferencedSOPClassUID == "1.2.840.10008.5.1.4.1.1.2"
    assert ds.FrameOfReferenceUID == ds.StudyInstanceUID


@pytest.mark.parametrize("said", [[text(0x00200010, "SH", MARK)], [text(0x00200010, "SH", "")], []])
@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_study_has_an_id_that_says_nothing(said: list[El], syntax: str) -> None:
    """Z is an empty value or a dummy (PS3.15 E.1); a directory wants a Study ID (PS3.3 F.5.2), and one a study."""
    data, ds = cleaned(said, syntax)
    assert MARK.encode() not in data
    assert len(ds.StudyID) == 12
    assert [element.tag for element in ds] == sorted(element.tag for element in ds)
    other = part10([*(one for one in skeleton() if one.tag != 0x00080018), text(0x00080018, "UI", "1.2.3.9")], syntax)
    assert read(deidentify(parse(other), secret=SECRET), other).StudyID == ds.StudyID
    assert read(deidentify(parse(other), secret=SECRET[::-1]), other).StudyID != ds.StudyID


def test_a_uid_that_may_not_vanish_is_mapped() -> None:
    group = [text(0x006A0003, "UI", STUDY)]
    _, ds = cleaned([El(0x006A0002, "SQ", [group])])
    assert ds.AnnotationGroupSequence[0].AnnotationGroupUID == ds.StudyInstanceUID


def test_a_sequence_that_may_vanish_is_not_left_empty() -> None:
    """PS3.15 asks X/Z of Referenced Study Sequence, which is optional and needs an item where it stands."""
    _, ds = cleaned([El(0x00081110, "SQ", [[text(0x00081155, "UI", STUDY)]])])
    assert "ReferencedStudySequence" not in ds


def test_a_guessable_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="secret"):
        deidentify(parse(part10(skeleton(), EXPLICIT)), secret=b"short")


def test_what_suv_needs_stays_consistent() -> None:
    """SUV is computed from weight, injected dose, half-life and the time from injection to acquisition."""
    dose = [
        [
            text(0x00181072, "TM", "080910"),
            text(0x00181074, "DS", "370000000"),
            text(0x00181075, "DS", "6586.2"),
            text(0x00181078, "DT", "20190523080910.00"),
        ]
    ]
    elements = [
        text(0x00080021, "DA", "20190523"),
        text(0x00080031, "TM", "091011"),
        text(0x00101030, "DS", "72"),
        El(0x00540016, "SQ", dose),
    ]
    _, ds = cleaned(elements)
    injected = ds.RadiopharmaceuticalInformationSequence[0]
    assert injected.RadiopharmaceuticalStartDateTime[:8] == ds.SeriesDate != "20190523"
    assert (ds.SeriesTime, injected.RadiopharmaceuticalStartTime) == ("091011", "080910")
    assert injected.RadiopharmaceuticalStartDateTime[8:] == "080910.00"
    assert (ds.PatientWeight, injected.RadionuclideTotalDose, injected.RadionuclideHalfLife) == (72, 370000000, 6586.2)


@pytest.mark.parametrize(("age", "capped"), [("089Y", "089Y"), ("090Y", "090Y"), ("103Y", "090Y"), ("018M", "018M")])
def test_great_ages_are_capped(age: str, capped: str) -> None:
    assert cleaned([text(0x00101010, "AS", age)])[1].PatientAge == capped


def test_the_patients_own_strings_leave_the_descriptors() -> None:
    elements = [
        text(0x00100010, "PN", "Head^Marigold"),
        text(0x00100020, "LO", "77-AX"),
        text(0x00081030, "LO", "CT Head contrast 77-AX"),
        text(0x00181020, "LO", "VG60A Marigold"),
        text(0x00180015, "CS", "HEAD"),
    ]
    written, ds = cleaned(elements)
    assert ds.StudyDescription == "CT [...] contrast [...]"
    assert b"Marigold" not in written
    assert ds.BodyPartExamined == "HEAD"  # a coded value of the standard, whatever the patient is called


def test_strings_that_only_the_case_knows_go_too() -> None:
    source = part10([*skeleton(), text(0x00181020, "LO", "VG60A Quokka")], EXPLICIT)
    known = Identifiers.of(names=["Quokka, Jane"])
    result = deidentify(parse(source), secret=SECRET, known=known)
    assert b"Quokka" not in result.header
    assert b"Quokka" in deidentify(parse(source), secret=SECRET).header


def test_structured_content_goes_by_concept() -> None:
    def item(code: str, scheme: str, kind: str, value: El) -> list[El]:
        name = [[text(0x00080100, "SH", code), text(0x00080102, "SH", scheme), text(0x00080104, "LO", "Finding")]]
        return [text(0x0040A040, "CS", kind), El(0x0040A043, "SQ", name), value]

    content = [
        item("121022", "DCM", "TEXT", text(0x0040A160, "UT", MARK)),  # Accession Number: X
        item("121071", "DCM", "TEXT", text(0x0040A160, "UT", f"Liver without lesion, says {MARK}")),
        item("121008", "DCM", "PNAME", text(0x0040A123, "PN", MARK)),  # Person Observer Name: D
        item("121033", "DCM", "NUM", El(0x0040A300, "SQ", [[text(0x0040A30A, "DS", "97")]])),  # Subject Age
    ]
    written, ds = cleaned([El(0x0040A730, "SQ", content)])
    assert MARK.encode() not in written
    left = list(ds.ContentSequence)
    codes = [one.ConceptNameCodeSequence[0].CodeValue for one in left]
    assert "121022" not in codes
    assert "121033" not in codes
    assert left[codes.index("121071")].TextValue == "Liver without lesion, [...]"


def test_codes_of_published_schemes_stay() -> None:
    code = [text(0x00080100, "SH", "39607008"), text(0x00080102, "SH", "SCT"), text(0x00080104, "LO", "Lung of Baker")]
    _, ds = cleaned([El(0x00082218, "SQ", [code])])
    one = ds.AnatomicRegionSequence[0]
    assert (one.CodeValue, one.CodingSchemeDesignator, one.CodeMeaning) == ("39607008", "SCT", "Lung of Baker")


def test_a_file_out_of_order_comes_out_in_order() -> None:
    plain = part10([*skeleton(), text(0x00080070, "LO", "SIEMENS")], EXPLICIT)
    late = dataset([text(0x00080070, "LO", "Second"), text(0x00100010, "PN", MARK)], EXPLICIT)
    parsed = parse(plain)
    pixel = find(parsed.elements, 0x7FE00010)
    assert pixel is not None
    source = plain[: pixel.offset] + late + plain[pixel.offset :]
    result = deidentify(parse(source), secret=SECRET)
    ds = read(result, source)
    assert ds.Manufacturer == "Second"
    assert ds.PixelData == bytes(range(32))
    assert MARK.encode() not in result.header
    assert result.findings


def test_bytes_behind_the_last_frame_are_cut_off() -> None:
    elements = [element for element in skeleton() if element.tag != 0x7FE00010]
    source = part10([*elements, El(0x7FE00010, "OW", bytes(range(32)) + MARK.encode())], EXPLICIT)
    result = deidentify(parse(source), secret=SECRET)
    assert read(result, source).PixelData == bytes(range(32))
    assert result.findings


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG])
def test_an_odd_number_of_pixel_bytes_is_padded(syntax: str) -> None:
    elements = [element for element in skeleton() if element.tag not in (0x7FE00010, 0x00280010)]
    body = part10(elements, syntax)
    order = ">" if syntax == BIG else "<"
    head = pack(order + "HH", 0x7FE0, 0x0010) + (b"" if syntax == IMPLICIT else b"OB\0\0") + pack(order + "I", 3)
    source = body + head + b"abc"
    result = deidentify(parse(source), secret=SECRET)
    assert whole(result, source).endswith(b"abc\0")
    assert read(result, source).PixelData == b"abc\0"


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_all_of_a_case_is_of_one_patient(syntax: str) -> None:
    """Two hospitals' numbers, or none: viewers and directories would tell of several people (PS3.3 C.7.1.1)."""
    said = [
        (ds.PatientID, str(ds.PatientName))
        for number, name in (("4711", "Doe^Jo"), ("MRN 99", "DOE^JO"), ("", ""))
        for _, ds in [cleaned([text(0x00100010, "PN", name), text(0x00100020, "LO", number)], syntax)]
    ]
    assert len(set(said)) == 1
    assert all(said[0])
