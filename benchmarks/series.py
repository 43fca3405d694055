"""A made-up CT series: about 260 elements a header (nested and private ones too), pixels that compress like a scan's.

usage: python -m benchmarks.series FOLDER [--count 1000] [--size 512] [--seed 1]
"""

from __future__ import annotations

import argparse
import hashlib
import struct
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    CTImageStorage,
    EnhancedCTImageStorage,
    ExplicitVRLittleEndian,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
)

Plane = npt.NDArray[np.float64]

_TEXTS: dict[str, Any] = {
    "SpecificCharacterSet": "ISO_IR 192",
    "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
    "InstanceCreationDate": "20260312",
    "InstanceCreationTime": "101500.123000",
    "StudyDate": "20260312",
    "SeriesDate": "20260312",
    "AcquisitionDate": "20260312",
    "ContentDate": "20260312",
    "StudyTime": "100501.000000",
    "SeriesTime": "101203.550000",
    "AccessionNumber": "A0000001",
    "Modality": "CT",
    "Manufacturer": "MADE UP MEDICAL",
    "InstitutionName": "Bench Hospital",
    "InstitutionAddress": "1 Bench Street",
    "ReferringPhysicianName": "Referrer^Ruth^^Dr",
    "StationName": "CTSTN01",
    "StudyDescription": "CT thorax and abdomen",
    "SeriesDescription": "axial 1 mm",
    "InstitutionalDepartmentName": "Radiology",
    "PerformingPhysicianName": "Performer^Paul",
    "NameOfPhysiciansReadingStudy": "Reader^Rita",
    "OperatorsName": "Operator^Olga",
    "ManufacturerModelName": "Bench 64",
    "DerivationDescription": "",
    "PatientBirthDate": "19600229",
    "PatientSex": "O",
    "PatientAge": "066Y",
    "PatientSize": "1.76",
    "PatientWeight": "78.5",
    "EthnicGroup": "",
    "AdditionalPatientHistory": "Made-up data; no patient.",
    "PatientComments": "made up",
    "ContrastBolusAgent": "Bench 300",
    "BodyPartExamined": "CHEST",
    "ScanOptions": "HELICAL MODE",
    "SliceThickness": "1.0",
    "KVP": "120",
    "DataCollectionDiameter": "500",
    "DeviceSerialNumber": "SN0001",
    "SoftwareVersions": ["bench 1.2", "VX30A"],
    "ProtocolName": "ThoraxRoutine",
    "ReconstructionDiameter": "360",
    "DistanceSourceToDetector": "949.075",
    "DistanceSourceToPatient": "541",
    "GantryDetectorTilt": "0",
    "TableHeight": "153.5",
    "RotationDirection": "CW",
    "ExposureTime": "500",
    "XRayTubeCurrent": "310",
    "Exposure": "155",
    "FilterType": "BODY",
    "GeneratorPower": "37200",
    "FocalSpots": "0.7",
    "DateOfLastCalibration": "20260311",
    "TimeOfLastCalibration": "060000",
    "ConvolutionKernel": ["B30f", "3"],
    "PatientPosition": "HFS",
    "RevolutionTime": 0.5,
    "SingleCollimationWidth": 0.6,
    "TotalCollimationWidth": 38.4,
    "TableSpeed": 76.8,
    "TableFeedPerRotation": 38.4,
    "SpiralPitchFactor": 1.0,
    "ExposureModulationType": "XYZ_EC",
    "EstimatedDoseSaving": 20.5,
    "CTDIvol": 8.2,
    "StudyID": "1",
    "SeriesNumber": 2,
    "AcquisitionNumber": 1,
    "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
    "PositionReferenceIndicator": "SN",
    "ImageComments": "made up",
    "SamplesPerPixel": 1,
    "PhotometricInterpretation": "MONOCHROME2",
    "BitsAllocated": 16,
    "BitsStored": 16,
    "HighBit": 15,
    "PixelRepresentation": 1,
    "BurnedInAnnotation": "NO",
    "WindowCenter": ["40", "-600"],
    "WindowWidth": ["400", "1500"],
    "RescaleIntercept": "0",
    "RescaleSlope": "1",
    "RescaleType": "HU",
    "WindowCenterWidthExplanation": ["MEDIASTINUM", "LUNG"],
    "LossyImageCompression": "00",
    "RequestingPhysician": "Requester^Rolf",
    "RequestedProcedureDescription": "CT chest with contrast",
    "PerformedProcedureStepStartDate": "20260312",
    "PerformedProcedureStepStartTime": "100501",
    "PerformedProcedureStepID": "PPS1",
    "PerformedProcedureStepDescription": "Chest",
}


def uid(*names: object) -> str:
    """A UID that is always the same for the same names (PS3.5 B.2), always of 41 characters."""
    digest = hashlib.sha256("/".join(map(str, names)).encode()).digest()
    return f"2.25.1{int.from_bytes(digest[:16], 'big') % 10**35:035d}"


def slices(count: int, size: int = 512, seed: object = 1) -> Iterator[tuple[str, bytes]]:
    """`count` CT slices of `size` x `size` pixels of 16 bits in one series: SOP Instance UID and Part 10 file."""
    ds = _header(seed, size)
    noise = np.random.default_rng(1).normal(0, 1, (size, size))
    for number in range(count):
        sop_uid = uid("instance", seed, number)
        ds.SOPInstanceUID, ds.InstanceNumber = sop_uid, number + 1
        ds.AcquisitionTime = ds.ContentTime = f"{101210 + number // 60:06d}.{number % 60:02d}0000"
        ds.ImagePositionPatient = ["-180", "-180", str(number - 400)]
        ds.SliceLocation = str(number - 400)
        ds.PixelData = _plane(size, number / max(1, count - 1), np.roll(noise, 7919 * (number + 1))).tobytes()
        yield sop_uid, _file(ds)


def renamed(data: bytes, seed: object, number: int, new: object, new_number: int | None = None) -> bytes:
    """Slice `number` of the series of one seed as a slice of another's: only the UIDs differ."""
    new_number = number if new_number is None else new_number
    for old_uid, new_uid in (
        (uid("study", seed), uid("study", new)),
        (uid("series", seed), uid("series", new)),
        (uid("instance", seed, number), uid("instance", new, new_number)),
    ):
        data = data.replace(old_uid.encode(), new_uid.encode())
    return data


def enhanced(frames: int) -> bytes:
    """An enhanced CT of `frames` tiny frames: a header with a functional group an image, for the walker."""
    ds = _header("enhanced", 4)
    ds.SOPClassUID, ds.SOPInstanceUID = EnhancedCTImageStorage, uid("enhanced", frames)
    ds.NumberOfFrames = str(frames)
    groups = []
    for number in range(frames):
        group, content, position, kind = Dataset(), Dataset(), Dataset(), Dataset()
        content.FrameAcquisitionDateTime = "20260312101210.500000"
        content.FrameAcquisitionNumber, content.StackID, content.InStackPositionNumber = 1, "1", number + 1
        content.DimensionIndexValues, content.TemporalPositionIndex = [1, number + 1], 1
        position.ImagePositionPatient = ["-180", "-180", str(number)]
        kind.FrameType, kind.PixelPresentation = ["ORIGINAL", "PRIMARY", "AXIAL", "NONE"], "MONOCHROME"
        group.FrameContentSequence = Sequence([content])
        group.PlanePositionSequence = Sequence([position])
        group.CTImageFrameTypeSequence = Sequence([kind])
        groups.append(group)
    ds.PerFrameFunctionalGroupsSequence = Sequence(groups)
    ds.PixelData = bytes(frames * 4 * 4 * 2)
    return _file(ds)


def huge(path: Path, size: int) -> None:
    """One multi-frame image of about `size` bytes as a sparse file: only its header takes room on the disk."""
    frames = max(1, size // (2 * 1024 * 1024))
    ds = _header("huge", 1024)
    ds.SOPClassUID, ds.SOPInstanceUID = MultiFrameGrayscaleWordSecondaryCaptureImageStorage, uid("huge", size)
    ds.NumberOfFrames, ds.PixelData = str(frames), bytes(2)
    length = frames * 2 * 1024 * 1024
    # The pixel data is the last element: its length, and then its value.
    header = _file(ds)[:-6] + struct.pack("<I", length)
    with path.open("wb") as file:
        file.write(header)
        file.truncate(len(header) + length)


def write(folder: Path, count: int, size: int, seed: object) -> None:
    """The slices as files of a folder; one that is complete already is kept."""
    done = folder / "complete"
    stamp = f"{count} {size} {seed}"
    if done.is_file() and done.read_text() == stamp:
        return
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.dcm"):
        path.unlink()
    for number, (_, data) in enumerate(slices(count, size, seed)):
        (folder / f"{number:05d}.dcm").write_bytes(data)
    done.write_text(stamp)


def _file(ds: Dataset) -> bytes:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    meta.TransferSyntaxUID, meta.ImplementationClassUID = ExplicitVRLittleEndian, UID(uid("implementation"))
    ds.file_meta = meta
    out = BytesIO()
    pydicom.dcmwrite(out, ds, enforce_file_format=True)
    return out.getvalue()


def _header(seed: object, size: int) -> Dataset:
    ds = Dataset()
    for keyword, value in _TEXTS.items():
        setattr(ds, keyword, value)
    ds.SOPClassUID, ds.StudyInstanceUID = CTImageStorage, uid("study", seed)
    ds.SeriesInstanceUID, ds.FrameOfReferenceUID = uid("series", seed), uid("frame", seed)
    ds.PatientName, ds.PatientID, ds.IssuerOfPatientID = f"Bench^Ben{seed}", f"B{seed}", "BENCH"
    ds.Rows = ds.Columns = size
    ds.PixelSpacing = [f"{360 / size:.6g}"] * 2
    ds.add_new(0x00280120, "SS", -2000)
    ds.add_new(0x7FE00010, "OW", b"")
    _sequences(ds)
    _private(ds)
    return ds


def _sequences(ds: Dataset) -> None:
    images = []
    for number in range(3):
        image = _reference("1.2.840.10008.5.1.4.1.1.2", uid("localizer", number))
        image.PurposeOfReferenceCodeSequence = Sequence([_code("121311", "DCM", "Localizer")])
        images.append(image)
    ds.ReferencedImageSequence = Sequence(images)
    ds.ReferencedPerformedProcedureStepSequence = Sequence([_reference("1.2.840.10008.3.1.2.3.1", uid("step"))])
    ds.ProcedureCodeSequence = Sequence([_code("RPID16", "RADLEX", "CT Chest")])
    ds.CTDIPhantomTypeCodeSequence = Sequence([_code("113691", "DCM", "IEC Body Dosimetry Phantom")])
    other = Dataset()
    other.PatientID, other.TypeOfPatientID, other.IssuerOfPatientID = "OLD1", "TEXT", "ELSEWHERE"
    ds.OtherPatientIDsSequence = Sequence([other])
    request = Dataset()
    request.ScheduledProcedureStepDescription, request.ScheduledProcedureStepID = "Chest", "SPS1"
    request.RequestedProcedureID, request.AccessionNumber = "RP1", ds.AccessionNumber
    request.ScheduledProtocolCodeSequence = Sequence([_code("P1", "99BENCH", "Routine chest")])
    ds.RequestAttributesSequence = Sequence([request])


def _private(ds: Dataset) -> None:
    rng = np.random.default_rng(2)
    block = ds.private_block(0x0009, "BENCH HDR 01", create=True)
    block.add_new(0x10, "LO", "private text")
    block.add_new(0x11, "DS", ["1.25", "3"])
    block = ds.private_block(0x0029, "BENCH CSA HEADER", create=True)
    block.add_new(0x10, "OB", rng.bytes(9000))
    block.add_new(0x20, "OB", rng.bytes(3000))
    block = ds.private_block(0x0043, "BENCH PARM 01", create=True)
    for number in range(47):
        block.add_new(number, "SL", number)
        block.add_new(0x80 + number, "FD", [0.5 * number, 1.5])
    nested = Dataset()
    nested.private_block(0x0021, "BENCH NEST", create=True).add_new(0x01, "LT", "nested private text")
    block = ds.private_block(0x0021, "BENCH NEST", create=True)
    block.add_new(0x40, "SQ", Sequence([nested]))
    block.add_new(0x51, "UN", b"\1\2\3\4")


def _reference(sop_class: str, sop_uid: str) -> Dataset:
    ds = Dataset()
    ds.ReferencedSOPClassUID, ds.ReferencedSOPInstanceUID = sop_class, sop_uid
    return ds


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    ds = Dataset()
    ds.CodeValue, ds.CodingSchemeDesignator, ds.CodeMeaning = value, scheme, meaning
    return ds


def _plane(size: int, z: float, noise: Plane) -> npt.NDArray[np.int16]:
    """A chest at height `z` (0 to 1) in Hounsfield units, with the noise of a scanner inside the body."""
    y, x = np.ogrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    body = (x / (0.78 - 0.1 * abs(z - 0.5))) ** 2 + (y / 0.55) ** 2 < 1
    lung = ((np.abs(x) - 0.36) / 0.24) ** 2 + ((y + 0.02) / 0.38) ** 2 < 1.0 - 1.2 * abs(z - 0.4)
    spine = (x / 0.1) ** 2 + ((y - 0.38) / 0.1) ** 2 < 1
    plane = np.where(body, 45.0, -1000.0)
    plane[lung & body] = -840
    plane[spine] = 420
    plane += noise * np.where(body, 30.0, 9.0)
    plane[x * x + y * y > 0.998] = -2000
    return np.clip(np.rint(plane), -2000, 3071).astype("<i2")


def main() -> None:
    """Make a series in a folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--seed", default="1")
    options = parser.parse_args()
    write(options.folder, options.count, options.size, options.seed)


if __name__ == "__main__":
    main()
