"""Every row of Table E.1-1 in every place and encoding; leaks and retention are counted apart and printed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from struct import pack

import pytest
from pydicom._dicom_dict import DicomDictionary

from pacs.deid.dates import offset_days, shift
from pacs.deid.header import deidentify
from pacs.deid.profile import BASIC, SECOND_OPINION, Profile
from pacs.deid.table import row_of
from pacs.dicom.charset import decode
from pacs.dicom.elements import Buffer, Element
from pacs.dicom.part10 import parse
from tests.pacs.deid.places import PLACES
from tests.pacs.deid.planted import (
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    SOP,
    STUDY,
    El,
    decoys,
    part10,
    plant,
    skeleton,
    text,
)
from tests.pacs.deid.test_rows import SECRET, SYNTAXES, may_stay, read, whole

MARK = "Zqmarigold"


@pytest.mark.parametrize("profile", [SECOND_OPINION, BASIC], ids=lambda profile: profile.name)
@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("place", PLACES)
def test_nothing_planted_survives_anywhere(place: str, syntax: str, profile: Profile) -> None:
    planted = plant(1)
    marks = [element for one in planted for element in one.elements]
    taken = {element.tag for element in marks} if place == "root" else set()
    elements = [e for e in skeleton() if e.tag not in taken] + PLACES[place].put(marks, syntax)
    source = part10(elements, syntax)
    written = whole(deidentify(parse(source), secret=SECRET, profile=profile), source)
    leaks = [
        one.row.name
        for one in planted
        if one.needle in written and not may_stay(one, profile) and one.vr not in ("AS", "US")
    ]
    print(f"{place}, {syntax}, {profile.name}: {len(leaks)} leaks of {len(planted)} planted")
    assert leaks == []


#: A value that a VR may have and that says nothing of anyone.
_HARMLESS: dict[str, bytes] = {
    "AT": pack("<HH", 0x0028, 0x0010),
    "CS": b"ORIGINAL",
    "DS": b"1.5",
    "FD": pack("<d", 2.5),
    "FL": pack("<f", 1.5),
    "IS": b"7",
    "OB": b"\1\2",
    "OD": pack("<d", 1.5),
    "OF": pack("<f", 1.5),
    "OL": pack("<I", 5),
    "OV": pack("<Q", 5),
    "OW": b"\1\2\3\4",
    "SL": pack("<i", -70000),
    "SS": pack("<h", -3),
    "SV": pack("<q", -5),
    "UL": pack("<I", 70000),
    "US": pack("<H", 3),
    "UV": pack("<Q", 5),
}
#: Attributes that are written anew by every de-identification, or hold or describe what was removed.
_OURS = {0x00080005, 0x00120062, 0x00280303, 0x04000520, 0x00102298}
# Bytes that are somebody's own, and profiles, of which no harmless two bytes are one (`test_bytes_of_headers`).
_OURS |= {0x0008041B, 0x0008041C, 0x04000120, 0x00686300, 0x00282000}


def technical() -> list[El]:
    """Every attribute of the dictionary that E.1-1 does not name and whose VR holds numbers, codes or pixels."""
    kept = {element.tag for element in skeleton()} | _OURS
    return [
        El(tag, vr.split(" or ")[0], _HARMLESS[vr.split(" or ")[0]])
        for tag, (vr, _, _, retired, _) in sorted(DicomDictionary.items())
        if vr.split(" or ")[0] in _HARMLESS
        and not retired
        and 0x0008 <= tag >> 16 < 0x7FE0
        and tag & 0xFFFF
        and tag not in kept
        and row_of(tag) is None
    ]


def values(buf: Buffer, elements: Iterable[Element]) -> Iterator[tuple[int, bytes]]:
    """Every element at any depth, with the bytes of its value."""
    for element in elements:
        yield element.tag, bytes(buf[element.start : element.start + element.length])
        for item in element.items or ():
            yield from values(buf, item.elements)


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("place", [name for name in PLACES if name != "private sequence"])
def test_what_must_stay_stays_everywhere(place: str, syntax: str) -> None:
    wanted = list({element.tag: element for element in [*decoys(), *technical()]}.values())
    assert len(wanted) > 2000
    taken = {element.tag for element in wanted} if place == "root" else set()
    source = part10([e for e in skeleton() if e.tag not in taken] + PLACES[place].put(wanted, syntax), syntax)
    result = parse(whole(deidentify(parse(source), secret=SECRET), source))
    kept = dict(values(result.buf, result.elements))
    plain = {one.tag: one.value for one in wanted if isinstance(one.value, bytes)}
    lost = [hex(tag) for tag, value in plain.items() if kept.get(tag, b"").rstrip(b" \0") != value.rstrip(b" \0")]
    print(f"{place}, {syntax}: {len(wanted) - len(lost)} of {len(wanted)} kept")
    assert lost == []


CHARSETS = {
    "ISO_IR 100": ("latin-1", "Zqmärigöld"),
    "ISO_IR 101": ("iso8859_2", "Zqmářígólď"),
    "ISO_IR 144": ("iso8859_5", "Зьмаригольд"),
    "ISO_IR 126": ("iso8859_7", "Ζκμαριγολδ"),
    "ISO_IR 13": ("shift_jis", "ﾔﾏﾀﾞﾀﾛｳ"),
    "GB18030": ("gb18030", "王小东张"),
    "ISO_IR 192": ("utf-8", "山田太郎"),
    "\\ISO 2022 IR 87": ("iso2022_jp", "山田太郎"),
    "\\ISO 2022 IR 149": ("korean", "홍길동"),
}


def encoded(codec: str, name: str) -> bytes:
    return b"\x1b$)C" + name.encode("euc_kr") if codec == "korean" else name.encode(codec)


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, DEFLATED])
@pytest.mark.parametrize("charset", CHARSETS)
def test_names_in_other_scripts_are_gone(charset: str, syntax: str) -> None:
    """In the name itself, in its other component groups, in descriptors and in free text (PS3.5 6.2.1.2)."""
    codec, name = CHARSETS[charset]
    raw = encoded(codec, name)
    elements = [
        text(0x00080005, "CS", charset),
        El(0x00100010, "PN", b"Latin^Zqlatin=" + raw + b"^" + raw + b"=" + raw),
        El(0x00081030, "LO", b"CT Head " + raw),
        El(0x00104000, "LT", raw),
        El(0x00204000, "LT", b"seen by " + raw),
        El(0x00081048, "PN", raw + b"\\" + raw),
        El(0x00181020, "LO", b"VG60A\\" + raw),
    ]
    source = part10([*skeleton(), *elements], syntax)
    result = deidentify(parse(source), secret=SECRET)
    written = whole(result, source)
    assert result.refused == []
    for form in {raw, name.encode(), name.encode("utf-16-le"), name.encode("utf-16-be"), b"Zqlatin"}:
        assert form not in written
    assert decode(raw, ("utf_8",)) not in written.decode("utf-8", "ignore") or not raw.isascii()


@pytest.mark.parametrize("place", PLACES)
def test_every_part_of_a_multiple_value_is_cleaned(place: str) -> None:
    elements = [
        text(0x00081030, "LO", f"{MARK}\\CT Chest\\{MARK} {MARK}"),
        text(0x00101001, "PN", f"{MARK}^A\\{MARK}^B"),
        text(0x00101000, "LO", f"{MARK}1\\{MARK}2"),
        text(0x00081155, "UI", f"{SOP}\\{STUDY}"),
        text(0x00080021, "DA", "19510704\\19510705"),
    ]
    source = part10(skeleton() + PLACES[place].put(elements, EXPLICIT), EXPLICIT)
    written = whole(deidentify(parse(source), secret=SECRET), source)
    for needle in (MARK, SOP, STUDY, "19510704", "19510705"):
        assert needle.encode() not in written


TEXTS = [
    f"seen with {MARK} on 12 March 2024",
    "born 04-JUL-1951, number 4471902",
    "UID 1.2.840.113619.2.55.3.604688119.868.1234567890.1",
    "call +49 30 1234567 or 555 1234",
    "SSN 123 45 6789",
    "dob 19 51 07 04",
    "mail anna@example.org",
    "https://portal.example.org/4471902",
    "Dr. Zqdoctor says so",
    "12 Zqelder Lane, Zqtown",
]
NEEDLES = ["zq", "2024", "1951", "4471", "113619", "12345", "555 1234", "123 45", "51 07", "anna", "example", "lane"]


@pytest.mark.parametrize("tag", [0x0008103E, 0x00204000, 0x00104000, 0x0018991A, 0x0040A160, 0x00700006, 0x00620005])
@pytest.mark.parametrize("written", TEXTS)
def test_free_text_keeps_no_name_date_number_or_address(tag: int, written: str) -> None:
    vr = {0x0008103E: "LO", 0x0040A160: "UT", 0x0018991A: "UT", 0x00700006: "ST", 0x00620005: "LO"}.get(tag, "LT")
    source = part10([*skeleton(), text(tag, vr, written)], EXPLICIT)
    header = deidentify(parse(source), secret=SECRET).header.lower()
    assert not [needle for needle in NEEDLES if needle.encode() in header]


@pytest.mark.parametrize("profile", [SECOND_OPINION], ids=lambda profile: profile.name)
def test_intervals_between_dates_are_exact(profile: Profile) -> None:
    days = [f"19{year}{month:02d}{day:02d}" for year in (52, 88, 96) for month in (1, 2, 12) for day in (1, 28)]
    elements = [
        text(0x00080020, "DA", days[0]),
        text(0x00080022, "DA", "\\".join(days)),
        text(0x0008002A, "DT", f"{days[3]}101112.5+0100"),
    ]
    source = part10([*skeleton(), *elements], EXPLICIT)
    ds = read(deidentify(parse(source), secret=SECRET, profile=profile), source)
    moved = offset_days(SECRET)
    assert list(ds[0x00080022].value) == [shift(day, "DA", moved) for day in days]
    assert ds.AcquisitionDateTime == f"{shift(days[3], 'DA', moved)}101112.5+0100"


def test_a_sequence_that_is_private_and_safe_is_cleaned_inside() -> None:
    inner = [text(0x00100010, "PN", MARK), text(0x00181600, "CS", "RECTANGULAR")]
    elements = [text(0x20010010, "LO", "Philips Imaging DD 001"), El(0x20011069, "SQ", [inner])]
    source = part10([*skeleton(), *elements], EXPLICIT)
    result = deidentify(parse(source), secret=SECRET)
    assert MARK.encode() not in whole(result, source)
    assert b"RECTANGULAR" in result.header
