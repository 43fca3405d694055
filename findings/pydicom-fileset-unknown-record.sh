#!/usr/bin/env bash
# pydicom 3.0.2: one directory record of a type that it does not know, and no file of the whole medium can be reached.
#
# Record types are added to PS3.3 F.5 with new classes (ANNOTATION, for bulk annotations, is one), and a directory may
# hold some that its reader does not know. FileSet(path) raises KeyError for the whole DICOMDIR, so the CT beside the
# annotations is not found either; nothing is told of which record it was but the name in the exception. dcmread reads
# the same DICOMDIR. The same directory without that record loads.
# Seen on Linux. Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check pydicom==3.0.2
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys
from pathlib import Path

import pydicom
from pydicom.fileset import FileSet
from pydicom.uid import ExplicitVRLittleEndian

CT, SR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.88.11"


def instance(kind: str, number: int) -> pydicom.Dataset:
    """What its record asks for (PS3.3 F.5), and no more."""
    ds = pydicom.Dataset()
    ds.file_meta = pydicom.dataset.FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = kind
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"2.25.{number}"
    ds.PatientID, ds.PatientName = "1", "Example^One"
    ds.StudyInstanceUID, ds.StudyID, ds.StudyDate, ds.StudyTime = "2.25.10", "1", "20200101", "120000"
    ds.StudyDescription, ds.AccessionNumber = "", ""
    ds.SeriesInstanceUID, ds.SeriesNumber, ds.Modality = f"2.25.2{number}", str(number), "CT" if kind == CT else "SR"
    ds.InstanceNumber = 1
    if kind == SR:
        ds.CompletionFlag, ds.VerificationFlag = "COMPLETE", "UNVERIFIED"
        ds.ContentDate, ds.ContentTime = "20200101", "120000"
        code = pydicom.Dataset()
        code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "126000", "DCM", "Imaging Measurement Report"
        ds.ConceptNameCodeSequence = [code]
    return ds


assert pydicom.__version__ == "3.0.2"
medium = Path(sys.argv[1]) / "medium"
files = FileSet()
for number, kind in enumerate((CT, SR), start=1):
    files.add(instance(kind, number))
files.write(medium)
assert len(FileSet(medium / "DICOMDIR")) == 2

# Two blanks at the end mean nothing (PS3.5 6.2), and let every offset stay as it is.
directory = (medium / "DICOMDIR").read_bytes()
assert directory.count(b"SR DOCUMENT ") == 1
(medium / "DICOMDIR").write_bytes(directory.replace(b"SR DOCUMENT ", b"ANNOTATION  "))
kinds = [record.DirectoryRecordType for record in pydicom.dcmread(medium / "DICOMDIR").DirectoryRecordSequence]
assert kinds == ["PATIENT", "STUDY", "SERIES", "IMAGE", "SERIES", "ANNOTATION"], kinds
try:
    FileSet(medium / "DICOMDIR")
except KeyError as error:
    print(f"FileSet raised KeyError: {error}")
else:
    raise SystemExit("changed: the directory is loaded")
PYTHON
