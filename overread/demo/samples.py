"""Sample studies: pictures from pydicom's bundled files and series that are drawn here, of people who do not exist."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, MRImageStorage, generate_uid

from overread.kit import clock

_ROOT = "2.25."


@dataclass(frozen=True)
class Person:
    """A sample patient as their images name them."""

    name: str
    patient_id: str
    birth_date: str
    sex: str


MARIA = Person("Keller^Maria", "MRN-448120", "19670514", "F")
JONAS = Person("Brandt^Jonas", "MRN-771034", "19810223", "M")


def write_all(folder: Path) -> None:
    """Write the sample folders: what Maria may upload, what her hospital may send, and a stray study."""
    # Asked once: a study that is written around midnight has one date all the same.
    day = clock.now().date() - datetime.timedelta(days=9)
    uploads = folder / "maria-upload"
    _series(uploads / "CT-HEAD", MARIA, day, "CT", "CT HEAD WITH CONTRAST", "demo/ct", slices=36)
    _bundled(uploads / "ULTRASOUND", MARIA, day, "examples_ybr_color.dcm", "US ABDOMEN", "demo/us", count=1)
    (uploads / "README.TXT").write_text("Radiology on CD. Insert the disc to start the viewer.\n")
    _series(folder / "hospital-mr", MARIA, day, "MR", "MR BRAIN", "demo/mr", slices=20)
    _bundled(folder / "stray-ct", JONAS, day, "J2K_pixelrep_mismatch.dcm", "CT ABDOMEN", "demo/stray", count=1)


def _series(
    folder: Path, person: Person, day: datetime.date, modality: str, description: str, seed: str, *, slices: int
) -> None:
    """A drawn head in `slices` axial images of 256 x 256."""
    folder.mkdir(parents=True, exist_ok=True)
    ct = modality == "CT"
    for number in range(slices):
        ds = _header(person, day, description, seed)
        ds.SOPClassUID = CTImageStorage if ct else MRImageStorage
        ds.SOPInstanceUID = generate_uid(_ROOT, entropy_srcs=[seed, str(number)])
        ds.Modality, ds.BodyPartExamined = modality, "HEAD"
        ds.SeriesDescription = "Axial 5 mm" if ct else "T2 axial"
        ds.InstanceNumber = number + 1
        ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"] if ct else ["ORIGINAL", "PRIMARY", "M"]
        ds.PixelSpacing, ds.SliceThickness = [0.9, 0.9], 5
        ds.ImagePositionPatient = [-115.2, -115.2, number * 5.0 - slices * 2.5]
        ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        ds.Rows = ds.Columns = 256
        ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
        ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 16, 15
        ds.PixelRepresentation = 1
        ds.BurnedInAnnotation = "NO"
        if ct:
            ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = 0, 1, "HU"
            ds.WindowCenter, ds.WindowWidth = 40, 110
            ds.KVP = 120
        else:
            ds.ScanningSequence, ds.SequenceVariant, ds.ScanOptions, ds.MRAcquisitionType = "SE", "SK", "", "2D"
            ds.EchoTime, ds.RepetitionTime, ds.EchoTrainLength, ds.MagneticFieldStrength = 98, 4200, 12, 3
            ds.WindowCenter, ds.WindowWidth = 420, 840
        ds.PixelData = _head(number / (slices - 1), ct=ct).astype("<i2").tobytes()
        _save(ds, ExplicitVRLittleEndian, folder / f"IM{number + 1:04d}")


def _head(height: float, *, ct: bool) -> NDArray[Any]:
    """One slice, 0 at the skull's base to 1 at its top: scalp, bone, brain, ventricles and one lesion."""
    y, x = np.mgrid[-1:1:256j, -1:1:256j]
    size = 0.86 * np.sqrt(max(0.02, 1 - ((height - 0.42) / 0.62) ** 2))
    r = np.hypot(x / (0.80 * size), y / size)
    # CT values are Hounsfield units, MR values arbitrary.
    air, skin, bone, grey, white, water, lesion = (
        (-1000, 60, 900, 39, 29, 6, 72) if ct else (4, 420, 40, 470, 330, 900, 760)
    )
    image = np.full((256, 256), float(air))
    image[r < 1.0] = skin
    image[r < 0.95] = bone
    image[r < 0.87] = grey
    folds = np.sin(13 * np.arctan2(y, x) + 6 * height) * 0.035 + np.cos(31 * np.arctan2(y, x)) * 0.02
    image[r < 0.74 + folds] = white
    image[(np.abs(x) < 0.012) & (r < 0.86)] = (white + water) / 2
    if 0.3 < height < 0.75:
        for side in (-1, 1):
            bent = np.hypot((x - side * (0.13 + 0.1 * y * y)) / 0.085, (y + 0.02) / (0.34 * np.sin(np.pi * height)))
            image[bent < 1] = water
    place = np.hypot(x - 0.33, y - 0.24)
    radius = 0.13 * max(0.0, 1 - abs(height - 0.55) / 0.16) ** 0.5
    image[(place < radius * 1.7) & (r < 0.83)] = water + 8 if ct else 640
    image[(place < radius) & (r < 0.83)] = lesion
    noise = np.random.default_rng(int(height * 1000)).normal(0, 4 if ct else 16, image.shape)
    smooth = image.copy()
    around = image[:-2, 1:-1] + image[2:, 1:-1] + image[1:-1, :-2] + image[1:-1, 2:]
    smooth[1:-1, 1:-1] = (image[1:-1, 1:-1] * 4 + around) / 8
    return np.clip(smooth + noise, -1024 if ct else 0, 3071)


def _bundled(
    folder: Path, person: Person, day: datetime.date, name: str, description: str, seed: str, *, count: int
) -> None:
    """A real picture that pydicom ships, under a sample patient's identity."""
    folder.mkdir(parents=True, exist_ok=True)
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str)
    for number in range(count):
        ds = pydicom.dcmread(path)
        syntax = ds.file_meta.TransferSyntaxUID
        for element in _header(person, day, description, seed):
            ds[element.tag] = element
        ds.SOPInstanceUID = generate_uid(_ROOT, entropy_srcs=[seed, str(number)])
        ds.InstanceNumber = number + 1
        _save(ds, syntax, folder / f"IM{number + 1:04d}")


def _header(person: Person, day: datetime.date, description: str, seed: str) -> Dataset:
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.PatientName, ds.PatientID = person.name, person.patient_id
    ds.PatientBirthDate, ds.PatientSex = person.birth_date, person.sex
    ds.StudyInstanceUID = generate_uid(_ROOT, entropy_srcs=[seed, "study"])
    ds.SeriesInstanceUID = generate_uid(_ROOT, entropy_srcs=[seed, "series"])
    ds.FrameOfReferenceUID = generate_uid(_ROOT, entropy_srcs=[seed, "frame"])
    ds.StudyDate = ds.SeriesDate = ds.AcquisitionDate = ds.ContentDate = f"{day:%Y%m%d}"
    ds.StudyTime = ds.SeriesTime = ds.AcquisitionTime = ds.ContentTime = "091500"
    ds.StudyDescription = description
    ds.StudyID, ds.SeriesNumber = "1", 1
    ds.AccessionNumber = f"A-{sum(seed.encode()) * 97 % 10**6:06d}"
    ds.ReferringPhysicianName = "Lindqvist^Ada"
    ds.InstitutionName, ds.Manufacturer = "St. Brendan Hospital", "Overread sample"
    return ds


def _save(ds: Dataset, syntax: str, path: Path) -> None:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = ds.SOPClassUID
    meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    meta.TransferSyntaxUID = pydicom.uid.UID(syntax)
    ds.file_meta = meta
    ds.save_as(path, enforce_file_format=True)
