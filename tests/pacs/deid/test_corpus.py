"""Real files: nothing of the pseudo-PHI set is left, pydicom reads every result, and no pixel changes."""

from __future__ import annotations

import csv
import os
import warnings
from io import BytesIO
from itertools import islice
from pathlib import Path

import pydicom
import pytest

from pacs.deid.header import deidentify
from pacs.deid.overlays import MARKS
from pacs.deid.result import Deidentified
from pacs.dicom.elements import Unreadable
from pacs.dicom.part10 import parse
from pacs.pixels.decode import decode_frame
from pacs.pixels.errors import CannotDecode
from tests.pacs.corpus import files, sources
from tests.pacs.deid.compressed import given
from tests.pacs.deid.test_rows import SECRET, whole
from tests.pacs.pixels.samples import frames


def answer_keys() -> list[Path]:
    root = os.environ.get("OVERREAD_CORPUS")
    return sorted(Path(root).rglob("ANSWER_KEY.csv")) if root else []


def test_no_string_of_the_answer_key_is_left() -> None:
    keys = answer_keys()
    if not keys:
        pytest.skip("OVERREAD_CORPUS names no folder with an ANSWER_KEY.csv: no planted identities to look for")
    leaks: list[str] = []
    checked = 0
    for key in keys:
        results: dict[str, Deidentified] = {}
        with key.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                path = key.parent.parent / row["file"]
                if row["file"] not in results:
                    results[row["file"]] = deidentify(parse(path.read_bytes()), secret=SECRET)
                result = results[row["file"]]
                checked += 1
                if row["kind"] == "burned-in":
                    if not result.review_reasons + result.refused:
                        leaks.append(f"{row['file']} {row['where']} is not withheld")
                    continue
                written = result.header + result.trailer
                forms = {row["value"].encode(form, "ignore") for form in ("utf-8", "latin-1", "utf-16-le")}
                if any(form and form in written for form in forms):
                    leaks.append(f"{row['file']} {row['where']}")
    assert checked
    assert leaks == []


#: What pydicom itself can't read, before and after.
UNREADABLE_TO_PYDICOM = ("bad_vr_QQ.dcm",)


@pytest.mark.parametrize("source", sources())
def test_every_result_is_read_by_pydicom(source: str) -> None:
    for name, data in files(source):
        try:
            parsed = parse(data)
        except Unreadable:
            continue
        result = deidentify(parsed, secret=SECRET)
        assert not any("left in the header" in reason for reason in result.refused), name
        if name.endswith(UNREADABLE_TO_PYDICOM):
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ds = pydicom.dcmread(BytesIO(whole(result, data)))
            for element in ds.iterall():
                # Marks of overlays stay, and only where somebody has to look.
                assert element.tag.group != 0x6000 or MARKS in result.review_reasons, name
            assert ds.PatientIdentityRemoved == "YES", name
            original = next((e for e in parsed.elements if e.tag == 0x7FE00010), None)
            if original is not None and original.fragments is None and not result.findings:
                kept = bytes(parsed.buf[original.start : original.start + original.length])
                assert (ds.PixelData or b"") == kept + b"\0" * (len(kept) % 2), name


@pytest.mark.parametrize("source", sources())
def test_what_is_cleaned_inside_of_frames_changes_no_pixel(source: str) -> None:
    for name, data in files(source):
        try:
            parsed = parse(data)
        except Unreadable:
            continue
        result = deidentify(parsed, secret=SECRET)
        if not (result.patches or result.table) or not parsed.is_original_bytes:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            before, after = (pydicom.dcmread(BytesIO(one)) for one in (data, given(result, data)))
            for (first, _), (second, _) in islice(
                zip(*(frames(ds, result.transfer_syntax) for ds in (before, after)), strict=True), 3
            ):
                try:
                    wanted = decode_frame(before, first, result.transfer_syntax)
                except CannotDecode:
                    continue
                assert (decode_frame(after, second, result.transfer_syntax) == wanted).all(), name
