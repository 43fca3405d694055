"""Objects to be rendered, made here, and a way to store them and look at the answers."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, generate_uid
from starlette.testclient import TestClient

LITTLE = "1.2.840.10008.1.2.1"
CT = "1.2.840.10008.5.1.4.1.1.2"
GSPS = "1.2.840.10008.5.1.4.1.1.11.1"
STUDY, SERIES = generate_uid(), generate_uid()


def instance(sop_class: str, modality: str, syntax: str = LITTLE, **values: Any) -> Dataset:
    """An object with all that the archive asks for; keywords add to it or replace, None takes away."""
    ds = FileDataset("", {}, preamble=bytes(128))
    attributes = {
        "SOPClassUID": sop_class,
        "SOPInstanceUID": generate_uid(),
        "StudyInstanceUID": STUDY,
        "SeriesInstanceUID": SERIES,
        "Modality": modality,
        "PatientName": "Muster^Erika",
        "PatientID": "P-4711",
        "PatientBirthDate": "19640812",
        "PatientSex": "F",
        "StudyDate": "20240102",
    } | values
    for keyword, value in attributes.items():
        if value is not None:
            setattr(ds, keyword, value)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = UID(syntax)
    ds.file_meta.MediaStorageSOPClassUID = UID(sop_class)
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    return ds


def image(pixels: NDArray[Any], sop_class: str = CT, modality: str = "CT", **values: Any) -> Dataset:
    """An image of 8 or 16 bits; three axes are frames, unless the last one holds three colours."""
    colour = pixels.ndim == 3 and pixels.shape[-1] == 3
    grey = {"SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2"}
    rgb = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0}
    bits = pixels.dtype.itemsize * 8
    rows, columns = pixels.shape[:2] if colour or pixels.ndim == 2 else pixels.shape[1:]
    attributes = {
        "Rows": rows,
        "Columns": columns,
        "BitsAllocated": bits,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "PixelRepresentation": int(pixels.dtype.kind == "i"),
        "NumberOfFrames": pixels.shape[0] if pixels.ndim == 3 and not colour else None,
        **(rgb if colour else grey),
        "PixelData": pixels.tobytes() + bytes(pixels.nbytes % 2),
    }
    ds = instance(sop_class, modality, **(attributes | values))
    ds["PixelData"].VR = "OW" if bits > 8 else "OB"
    return ds


def encoded(ds: Dataset) -> bytes:
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=True)
    return out.getvalue()


def store(client: TestClient, *objects: Dataset) -> str:
    """Store objects; gives the path of the first."""
    for ds in objects:
        headers = {"Content-Type": "application/dicom", "Accept": "application/dicom+json"}
        response = client.post("studies", content=encoded(ds), headers=headers)
        assert response.status_code == 200, response.text
    return path(objects[0])


def path(ds: Dataset) -> str:
    return f"studies/{ds.StudyInstanceUID}/series/{ds.SeriesInstanceUID}/instances/{ds.SOPInstanceUID}"


def shown(response: Any) -> Image.Image:
    """The picture of an answer, after a look at its status."""
    assert response.status_code == 200, response.text
    picture = Image.open(io.BytesIO(response.content))
    picture.load()
    return picture


def levels(response: Any) -> NDArray[Any]:
    return np.asarray(shown(response).convert("L")).astype(int)


def ramp(rows: int = 64, columns: int = 64) -> NDArray[np.uint16]:
    """Values 0 to 4095 (and some again), each column one value."""
    return np.tile(np.linspace(0, 4095, columns), (rows, 1)).astype("<u2")


def parts(response: Any) -> list[tuple[str, bytes]]:
    """The content types and bodies of a multipart answer."""
    assert response.status_code == 200, response.text
    boundary = response.headers["content-type"].split("boundary=")[1].strip('"').encode()
    pieces = response.content.split(b"--" + boundary)[1:-1]
    split = [piece.split(b"\r\n\r\n", 1) for piece in pieces]
    return [(head.decode().split("Content-Type:")[1].split("\r\n")[0].strip(), body[:-2]) for head, body in split]


def item(**values: Any) -> Dataset:
    ds = Dataset()
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds


def state(of: Dataset, frame: int | None = None, sop_class: str = GSPS, **values: Any) -> Dataset:
    """A presentation state of an image, with PS3.3 A.33.1's least: identity, and nothing else."""
    reference = item(ReferencedSOPClassUID=of.SOPClassUID, ReferencedSOPInstanceUID=of.SOPInstanceUID)
    if frame:
        reference.ReferencedFrameNumber = frame
    series = item(SeriesInstanceUID=of.SeriesInstanceUID, ReferencedImageSequence=[reference])
    made = {
        "PresentationLUTShape": "IDENTITY",
        "ReferencedSeriesSequence": [series],
        "SeriesInstanceUID": generate_uid(),
    }
    return instance(sop_class, "PR", StudyInstanceUID=of.StudyInstanceUID, **(made | values))


def window(center: float, width: float, function: str = "LINEAR_EXACT") -> list[Dataset]:
    return [item(WindowCenter=center, WindowWidth=width, VOILUTFunction=function)]
