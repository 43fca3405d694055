#!/usr/bin/env bash
# pydicom 3.0.2 reads files in the newer transfer syntaxes of the standard, and does not save what it has read.
#
# JPEG XL (1.2.840.10008.1.2.4.110 to .112) and Deflated Image Frame Compression (1.2.840.10008.1.2.8.1) are not in its
# dictionary. dcmread gives every attribute; save_as of the same data set, with nothing changed, raises ValueError ("not
# a valid transfer syntax"), and so it does when implicit_vr and little_endian say how to write. A tool that changes a
# name in whatever it gets fails on these files alone. register_transfer_syntax, which is meant for private ones, takes
# such a UID; after that dcmread raises ValueError, too, for the file that it read before.
# Seen on Linux. Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check pydicom==3.0.2
"$folder/venv/bin/python" - <<'PYTHON'
import io
import struct

import pydicom
from pydicom.encaps import encapsulate
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import UID, register_transfer_syntax

KIND, NAME = "1.2.840.10008.5.1.4.1.1.7", "2.25.1"


def text(element: int, value: str, vr: bytes = b"UI") -> bytes:
    data = value.encode() + b"\0" * (len(value) % 2)
    return struct.pack("<HH2sH", 2, element, vr, len(data)) + data


def part10(syntax: str) -> bytes:
    """A secondary capture with one frame; nobody decodes it here."""
    ds = pydicom.Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID, ds.PatientName = KIND, NAME, "Example^One"
    ds.Rows = ds.Columns = 4
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated = ds.BitsStored = 8
    ds.HighBit, ds.PixelRepresentation = 7, 0
    ds.PixelData = encapsulate([b"\xff\x0a" + bytes(14)])
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    body = DicomBytesIO()
    body.is_little_endian, body.is_implicit_VR = True, False
    write_dataset(body, ds)
    version = struct.pack("<HH2s2xIH", 2, 1, b"OB", 2, 256)
    meta = version + text(2, KIND) + text(3, NAME) + text(16, syntax) + text(18, "2.25.2")
    length = struct.pack("<HH2sHI", 2, 0, b"UL", 4, len(meta))
    return bytes(128) + b"DICM" + length + meta + body.getvalue()


def saved(file: bytes, **how: bool) -> bytes:
    ds = pydicom.dcmread(io.BytesIO(file))
    assert ds.PatientName == "Example^One"
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=True, **how)
    return out.getvalue()


assert pydicom.__version__ == "3.0.2"
# The same with a syntax that is in the dictionary.
assert pydicom.dcmread(io.BytesIO(saved(part10("1.2.840.10008.1.2.4.90")))).PatientName == "Example^One"
for syntax in ("1.2.840.10008.1.2.4.110", "1.2.840.10008.1.2.4.111", "1.2.840.10008.1.2.4.112", "1.2.840.10008.1.2.8.1"):
    for how in ({}, {"implicit_vr": False, "little_endian": True}):
        try:
            saved(part10(syntax), **how)
        except ValueError as error:
            print(f"{syntax} {'with' if how else 'without'} flags: {error}")
        else:
            raise SystemExit(f"changed: {syntax} is saved")
    pydicom.dcmread(io.BytesIO(part10(syntax)))
    register_transfer_syntax(UID(syntax), implicit_vr=False, little_endian=True)
    try:
        pydicom.dcmread(io.BytesIO(part10(syntax)))
    except ValueError as error:
        print(f"{syntax} registered, and read again: {error}")
    else:
        raise SystemExit(f"changed: {syntax} is read once registered")
PYTHON
