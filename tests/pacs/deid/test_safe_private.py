"""Private attributes that are listed as safe (PS3.15 Table E.3.10-1, and our own): every row with its due."""

from __future__ import annotations

import csv
import shutil
import subprocess
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from struct import pack

import numpy as np
import pydicom
import pytest

from pacs.deid import header
from pacs.deid.header import deidentify, deidentify_next
from pacs.deid.identifiers import Identifiers
from pacs.deid.profile import SECOND_OPINION
from pacs.deid.result import Deidentified
from pacs.deid.rules import decide_private, fits
from pacs.deid.table import most_values, safe_private
from pacs.deid.uids import new_uid
from pacs.deid.values import Memory
from pacs.dicom.part10 import parse
from tests.pacs.deid.planted import EXPLICIT, El, part10, skeleton, text
from tests.pacs.deid.test_rows import SECRET, SYNTAXES, read, whole

Row = dict[str, str]
MARK = b"Zqhidden^Anna, 17 Lanes, near the old mill"
_BINARY = {"US": "<H", "SS": "<h", "UL": "<L", "SL": "<l", "FL": "<f", "FD": "<d", "AT": "<HH"}
#: A value that has to stay as it is, of each VR of text.
_GOOD = {
    "CS": b"AXIAL",
    "DS": b"1.500000",
    "IS": b"12",
    "LO": b"EPI2D_V1",
    "SH": b"1H",
    "LT": b"head first",
    "ST": b"mm",
}
SC2000 = "SIEMENS Ultrasound SC2000"


def table(name: str) -> list[Row]:
    source = files("pacs.deid").joinpath("data", name).read_text(encoding="utf-8")
    return list(csv.DictReader(source.splitlines()))


ROWS = table("table-e.3.10-1.csv") + table("private.csv")


def number(row: Row, block: int = 0x10) -> int:
    return int(row["group"], 16) << 16 | block << 8 | int(row["element"][2:], 16)


def blocks() -> dict[tuple[str, str], list[Row]]:
    """The rows by creator and group, which is what a file can hold at once."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in ROWS:
        found.setdefault((row["private_creator"], row["group"]), []).append(row)
    return found


BLOCKS = blocks()


def block(creator: str, group: str, elements: list[El]) -> list[El]:
    return [text(int(group, 16) << 16 | 0x0010, "LO", creator), *elements]


def cleaned(elements: list[El], syntax: str = EXPLICIT) -> tuple[Deidentified, pydicom.Dataset]:
    source = part10([*skeleton(), *elements], syntax)
    result = deidentify(parse(source), secret=SECRET)
    return result, read(result, source)


def good(row: Row) -> El:
    """An element of a row with a value that may stay."""
    vr = row["vr"].split("/")[0] or "FD"
    tag = number(row)
    if vr == "SQ":
        return El(tag, vr, [[text(0x00100010, "PN", "Zq^Inside"), El(0x00280010, "US", pack("<H", 7))]])
    if vr == "UI":
        return text(tag, vr, "1.2.826.0.1.77.5")
    if vr in ("OB", "OW"):
        return El(tag, vr, bytes((7, 7, 7, 7)))
    count = max(1, most_values(row["vm"]))
    if vr in _BINARY:
        one = pack(_BINARY[vr], *(3,) * (2 if vr == "AT" else 1))
        return El(tag, vr, one * count)
    return El(tag, vr, b"\\".join([_GOOD[vr].strip()] * count if vr in ("DS", "IS") else [_GOOD[vr]]))


def test_every_row_has_what_decides_for_it() -> None:
    assert len(ROWS) == 479 + 4
    for row in ROWS:
        opaque = row["vr"] in ("", "OB", "OW", "OW/OB")
        assert row["decision"] in (("drop", "review") if opaque else ("", "clean")), row
        assert row["reason"] or not row["decision"], row
        safe = safe_private().get((row["private_creator"], int(row["group"], 16), int(row["element"][2:], 16)))
        assert (safe is None) == (row["decision"] == "drop"), row
        if safe is not None:
            assert decide_private(safe)
            assert fits(row["vr"].split("/")[0] or "UN", safe)
    assert len(safe_private()) == len(ROWS) - sum(row["decision"] == "drop" for row in ROWS)
    assert all(row["reason"] for row in table("private.csv"))


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize(("creator", "group"), BLOCKS)
def test_every_row_keeps_what_is_due_to_it(creator: str, group: str, syntax: str) -> None:
    elements = [good(row) for row in BLOCKS[creator, group]]
    source = part10([*skeleton(), *block(creator, group, elements)], syntax)
    result = deidentify(parse(source), secret=SECRET)
    ds, before = read(result, source), pydicom.dcmread(BytesIO(source))
    new = new_uid(SECRET, "1.2.826.0.1.77.5")
    assert not result.refused
    for row in BLOCKS[creator, group]:
        tag, where = number(row), (row, syntax)
        if row["decision"] == "drop":
            assert tag not in ds, where
            continue
        assert tag in ds, where
        if row["vr"] == "SQ" and ds[tag].VR == "UN":
            assert pack("<HHLH", 0x28, 0x10, 2, 7) in ds[tag].value, where
            assert b"Inside" not in ds[tag].value, where
        elif row["vr"] == "SQ":
            assert [(item.Rows, "Inside" in str(item.PatientName)) for item in ds[tag].value] == [(7, False)], where
        elif row["vr"] == "UI":
            assert ds[tag].value in (new, new.encode()), where
        else:
            assert ds[tag].value == before[tag].value, where
    rows = [row for row in BLOCKS[creator, group] if row["decision"] == "review"]
    assert len(result.review_reasons) == len(rows)
    assert all(any(row["meaning"] in reason for reason in result.review_reasons) for row in rows)


@pytest.mark.parametrize("vr", ["", "UN"])
@pytest.mark.parametrize(("creator", "group"), BLOCKS)
def test_no_row_keeps_a_text_that_hides_in_it(creator: str, group: str, vr: str) -> None:
    for row in BLOCKS[creator, group]:
        if row["decision"] == "review":
            continue
        listed = vr or row["vr"]
        if listed == "SQ":
            continue
        source = part10([*skeleton(), *block(creator, group, [El(number(row), listed, MARK)])], EXPLICIT)
        result = deidentify(parse(source), secret=SECRET)
        assert b"Zqhidden" not in result.header, row
        assert b"Lanes" not in result.header, row


@pytest.mark.parametrize("row", [row for row in ROWS if row["vr"] in _BINARY and most_values(row["vm"])])
def test_binary_numbers_are_no_longer_than_their_vm_allows(row: Row) -> None:
    element = good(row)
    assert isinstance(element.value, bytes)
    longer = element._replace(value=element.value + element.value[: len(element.value) // most_values(row["vm"])])
    _, ds = cleaned(block(row["private_creator"], row["group"], [longer]))
    assert element.tag not in ds


def test_numbers_in_text_are_no_longer_than_their_vm_allows() -> None:
    name = "Philips PET Private Group"
    for value, stays in ((b"0.000551", True), (b"0.00055100000000000012", True), (b"1\\" * 20 + b"1", False)):
        _, ds = cleaned(block(name, "7053", [El(0x70531000, "DS", value)]))
        assert (0x70531000 in ds) == stays, value


def test_a_vector_of_any_length_stays_unless_it_is_a_text() -> None:
    map_ = ("Philips Imaging DD 097", "2001")
    samples = np.random.default_rng(5).random(4096).tobytes()
    _, ds = cleaned(block(*map_, [El(0x2001101E, "FD", samples)]))
    assert 0x2001101E in ds
    _, ds = cleaned(block(*map_, [El(0x2001101E, "FD", samples[:800] + MARK + samples[800 + len(MARK) :])]))
    assert 0x2001101E not in ds


def payload(value: bytes, group: int = 0x7FD1) -> list[El]:
    return [text(group << 16 | 0x10, "LO", SC2000), El(group << 16 | 0x1010, "OB", value)]


def test_opaque_bytes_stay_and_the_instance_is_held() -> None:
    result, ds = cleaned(payload(b"\1\2\3\4"))
    assert ds[0x7FD11010].value == b"\1\2\3\4"
    assert result.review_reasons == [f"It has private bytes that nobody can read: Volume Payload, {SC2000}."]


def test_many_opaque_bytes_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(header, "_MOST_HELD", 6)
    result, ds = cleaned([*payload(b"\1\2\3\4"), El(0x7FD11001, "OB", b"\5\6\7\10")])
    assert 0x7FD11001 in ds
    assert 0x7FD11010 not in ds
    assert len(result.review_reasons) == 1
    assert result.findings == ["Private bytes that nobody can read were left out."]


def test_opaque_bytes_with_a_known_name_go_and_the_instance_stays() -> None:
    source = part10([*skeleton(), text(0x00100010, "PN", "Zweifel^Anna"), *payload(b"\0\1ZWEIFEL\0\0")], EXPLICIT)
    result = deidentify(parse(source), secret=SECRET, known=Identifiers.of(names=["Zweifel^Anna"]))
    assert 0x7FD11010 not in read(result, source)
    assert not result.review_reasons + result.refused


def test_what_is_held_in_a_sequence_is_held_in_every_instance() -> None:
    inner = [text(0x01190010, "LO", SC2000), El(0x01191004, "OB", b"\1\2")]
    source = part10(
        [*skeleton(), text(0x01190010, "LO", SC2000), El(0x01191003, "SQ", [inner])],
        EXPLICIT,
    )
    memory = Memory(SECRET, SECOND_OPINION)
    for _ in range(3):
        result = deidentify_next(parse(source), memory)
        assert len(result.review_reasons) == 1
        assert read(result, source)[0x01191003].value[0][0x01191004].value == b"\1\2"


def test_opaque_rows_hold_no_text_and_no_data_sets() -> None:
    """A row without a VR is one of numbers or bytes: a writer's text or sequence under its tag is none of it."""
    for element in (
        text(0x01191011, "LO", "Zqhidden"),
        El(0x01191011, "SQ", [[text(0x00104000, "LT", "Zqhidden")]]),
        El(0x01191001, "SQ", [[text(0x00104000, "LT", "Zqhidden")]]),
    ):
        result, ds = cleaned([text(0x01190010, "LO", SC2000), element])
        assert element.tag not in ds
        assert not result.review_reasons


@pytest.mark.parametrize("at", [0x10, 0x23, 0xFF])
def test_a_block_keeps_its_number(at: int) -> None:
    elements = [text(0x20010000 | at, "LO", "Philips Imaging DD 001")]
    elements += [
        good(row)._replace(tag=number(row, at))
        for row in BLOCKS["Philips Imaging DD 001", "2001"]
        if row["vr"] in _BINARY
    ]
    _, ds = cleaned([*elements, text(0x20010011, "LO", "ACME") if at != 0x11 else text(0x20010012, "LO", "ACME")])
    assert {element.tag for element in ds if element.tag.is_private} == {element.tag for element in elements}


def test_a_creator_goes_with_all_that_it_has() -> None:
    _, ds = cleaned([text(0x00250010, "LO", "Philips ST80i"), El(0x00251001, "OW", b"\1\2")])
    assert not [element for element in ds if element.tag.is_private]


def mosaic(slices: int = 9, side: int = 3, size: int = 8) -> bytes:
    """A Siemens mosaic: `slices` of `size` squared in `side` x `side` tiles, with what it needs to be taken apart."""
    value = np.zeros((side * size, side * size), np.uint16)
    for index in range(slices):
        row, column = divmod(index, side)
        value[row * size : (row + 1) * size, column * size : (column + 1) * size] = index + 1
    plain = {
        0x00080008: ("CS", "ORIGINAL\\PRIMARY\\M\\ND\\MOSAIC"),
        0x00080016: ("UI", "1.2.840.10008.5.1.4.1.1.4"),
        0x00080020: ("DA", "20200102"),
        0x00080030: ("TM", "101112"),
        0x00080060: ("CS", "MR"),
        0x00080070: ("LO", "SIEMENS"),
        0x00081090: ("LO", "Prisma"),
        0x00100010: ("PN", "Zweifel^Anna"),
        0x00180050: ("DS", "3"),
        0x00180080: ("DS", "2000"),
        0x00180081: ("DS", "30"),
        0x00180088: ("DS", "3.6"),
        0x00181312: ("CS", "COL"),
        0x00185100: ("CS", "HFS"),
        0x00200011: ("IS", "4"),
        0x00200012: ("IS", "1"),
        0x00200013: ("IS", "1"),
        0x00200032: ("DS", "-100\\-100\\-20"),
        0x00200037: ("DS", "1\\0\\0\\0\\1\\0"),
        0x00280030: ("DS", "3\\3"),
    }
    numbers = {0x00280010: side * size, 0x00280011: side * size}
    elements = [element for element in skeleton() if element.tag not in plain | numbers and element.tag != 0x7FE00010]
    elements += [text(tag, vr, said) for tag, (vr, said) in plain.items()]
    elements += [El(tag, "US", pack("<H", count)) for tag, count in numbers.items()]
    elements += [
        text(0x00190010, "LO", "SIEMENS MR HEADER"),
        text(0x00191008, "CS", "IMAGE NUM 4"),
        El(0x0019100A, "US", pack("<H", slices)),
        text(0x0019100B, "DS", "66.25"),
        El(0x00191028, "FD", pack("<d", 31.25)),
        El(0x00191029, "FD", pack(f"<{slices}d", *(66.25 * index for index in range(slices)))),
        El(0x7FE00010, "OW", value.tobytes()),
    ]
    return part10(elements, EXPLICIT)


def test_a_mosaic_keeps_what_it_needs_to_be_taken_apart() -> None:
    source = mosaic()
    result = deidentify(parse(source), secret=SECRET)
    ds = read(result, source)
    assert not result.review_reasons + result.refused
    kept = ds.private_block(0x0019, "SIEMENS MR HEADER")
    assert kept[0x0A].value == 9
    assert kept[0x0B].value == 66.25
    assert kept[0x28].value == 31.25
    assert list(kept[0x29].value) == [66.25 * index for index in range(9)]
    assert 0x08 not in kept
    assert "MOSAIC" in ds.ImageType


@pytest.mark.parametrize(("tag", "vr", "value"), [(0x0019100A, "US", MARK), (0x00191029, "FD", MARK * 200)])
def test_a_text_in_a_mosaics_counts_goes(tag: int, vr: str, value: bytes) -> None:
    _, ds = cleaned(block("SIEMENS MR HEADER", "0019", [El(tag, vr, value)]))
    assert tag not in ds


def test_dcm2niix_takes_a_de_identified_mosaic_apart(tmp_path: Path) -> None:
    program = shutil.which("dcm2niix")
    if program is None:
        pytest.skip("dcm2niix is not installed")
    source = mosaic()
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "1.dcm").write_bytes(whole(deidentify(parse(source), secret=SECRET), source))
    command = [program, "-z", "n", "-f", "out", "-o", str(tmp_path), str(tmp_path / "in")]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    header_of = (tmp_path / "out.nii").read_bytes()[:352]
    assert tuple(np.frombuffer(header_of[40:56], "<i2")[1:4]) == (8, 8, 9)
