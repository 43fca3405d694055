#!/usr/bin/env bash
# dciodvfy (dicom3tools 1.00~20220618093127) counts the bytes of a UTF-8 value where the standard counts its characters.
#
# PS3.5 6.2 gives the greatest length of LO, SH, PN (each component group) and others in characters, whatever number of
# bytes each takes in the Specific Character Set. A hospital's name of 30 Devanagari characters has 82 bytes in
# ISO_IR 192: dciodvfy calls it an error, "Length invalid for this VR". Nothing longer than 21 such letters passes. The
# same number of Latin letters passes. Seen on Debian 12. Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download -q dicom3tools=1.00~20220618093127-2 2>/dev/null
dpkg -x dicom3tools_*.deb tools
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check pydicom==3.0.2
venv/bin/python - <<'PYTHON'
import subprocess

import pydicom
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage


def errors(institution: str) -> list[str]:
    """What dciodvfy says of Institution Name (LO, 64 characters at most)."""
    ds = pydicom.Dataset()
    ds.file_meta = pydicom.dataset.FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = "2.25.1"
    ds.InstitutionName = institution
    ds.save_as("one.dcm", enforce_file_format=True)
    done = subprocess.run(["tools/usr/bin/dciodvfy", "-new", "one.dcm"], capture_output=True, check=False)
    return [line for line in done.stderr.decode().splitlines() if "InstitutionName" in line and "Length" in line]


name = "स्वास्थ्य इमेजिंग केंद्र, लखनऊ"
assert len(name) <= 64 < len(name.encode())
assert errors("x" * 64) == []
assert len(errors("x" * 65)) == 1
found = errors(name)
if not found:
    raise SystemExit("changed: characters are counted")
print(f"{len(name)} characters, {len(name.encode())} bytes: {found[0]}")
PYTHON
