"""The result is valid wherever the original was: dciodvfy finds no error in it that the original has not.

dciodvfy is part of the Debian package dicom3tools; without it these tests are skipped and say so.
"""

from __future__ import annotations

import io
import re
import shutil
import subprocess
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import ExplicitVRLittleEndian

from pacs.deid.header import deidentify
from pacs.deid.profile import BASIC, SECOND_OPINION, Profile
from pacs.dicom.elements import Unreadable
from pacs.dicom.part10 import parse, write_meta
from pacs.dicom.transfer_syntaxes import CODECS, DEFLATED, EXPLICIT_BIG_ENDIAN
from tests.cases.world import study
from tests.pacs.corpus import files, sources
from tests.pacs.deid.test_rows import SECRET, whole

_values = re.compile(r"<[\d.]+>|\d+(?:\.\d+)*")
#: What dciodvfy itself can't read, before and after; and a kind of object that the profiles are not made for.
_BROKEN = ("fuzz-pwnlabmx", "/broken/")
_HANGING_PROTOCOL = "1.2.840.10008.5.1.4.38.1"
#: JPIP, whose pixels are at an address that goes: nothing of such an image is left to be valid.
_REFERENCED = ("1.2.840.10008.1.2.4.94", "1.2.840.10008.1.2.4.95")


def errors(path: Path) -> set[str]:
    """The kinds of error that dciodvfy tells of a file: which attribute, which rule; counts and positions left out."""
    tool = shutil.which("dciodvfy")
    if tool is None:
        pytest.skip("dciodvfy is not here (Debian: dicom3tools): validity is not compared")
    done = subprocess.run([tool, path], capture_output=True, check=False, timeout=120)
    told = (done.stderr + done.stdout).decode("latin-1").splitlines()
    return {_values.sub("#", line) for line in told if line.startswith("Error")}


def rewritten(data: bytes) -> bytes:
    """A file that dciodvfy does not read (deflated, without a preamble) as pydicom writes it, in little endian."""
    ds = pydicom.dcmread(io.BytesIO(data), force=True)
    out = io.BytesIO()
    meta = pydicom.dataset.FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    compressed = "TransferSyntaxUID" in ds.file_meta and ds.file_meta.TransferSyntaxUID.is_encapsulated
    if compressed:
        meta.TransferSyntaxUID = ds.file_meta.TransferSyntaxUID
    ds.file_meta = meta
    ds.save_as(out, enforce_file_format=True, implicit_vr=False, little_endian=True)
    return out.getvalue()


def test_an_error_is_told(tmp_path: Path) -> None:
    """Or nothing would be compared below: a CT without the Rows and the Modality that it must have."""
    ds = pydicom.dcmread(io.BytesIO(study()))
    whole, less = tmp_path / "whole.dcm", tmp_path / "less.dcm"
    ds.save_as(whole)
    del ds.Rows, ds.Modality
    ds.save_as(less)
    found = errors(less) - errors(whole)
    assert any("<Rows>" in error for error in found)
    assert any("<Modality>" in error for error in found)


@pytest.mark.parametrize("profile", [SECOND_OPINION, BASIC], ids=lambda profile: profile.name)
@pytest.mark.parametrize("source", sources())
def test_no_error_is_new(source: str, profile: Profile, tmp_path: Path) -> None:
    before, after = tmp_path / "before.dcm", tmp_path / "after.dcm"
    new: dict[str, set[str]] = {}
    for name, data in files(source):
        try:
            parsed = parse(data)
            result = deidentify(parsed, secret=SECRET, profile=profile)
        except Unreadable:
            continue
        told = not any(word in name for word in _BROKEN) and parsed.meta.transfer_syntax not in _REFERENCED
        missing = any("UID is missing" in reason for reason in result.review_reasons)
        if result.refused or missing or not told or result.sop_class_uid == _HANGING_PROTOCOL:
            continue
        syntax = parsed.meta.transfer_syntax
        plain = syntax == EXPLICIT_BIG_ENDIAN or (syntax not in DEFLATED and parsed.meta.has_preamble)
        if syntax in CODECS and result.transfer_syntax not in CODECS:
            # Bare samples under a codec's label, upon which dciodvfy ends itself: compared under their own.
            meta = write_meta(result.sop_class_uid, result.sop_uid, result.transfer_syntax)
            before.write_bytes(meta + data[parsed.meta.dataset_start :])
        else:
            before.write_bytes(data if plain else rewritten(data))
        after.write_bytes(whole(result, data))
        found = errors(after) - errors(before)
        if found:
            new[name] = found
    assert new == {}
