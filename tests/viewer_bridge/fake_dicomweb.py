"""A small DICOMweb server over data sets in memory: just what a viewer asks for, and a note of every request."""

from __future__ import annotations

import io
import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pydicom
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import generate_frames
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from overread.kit import http
from overread.kit.db import Database
from overread.kit.errors import NotFound

STUDY_KEYS = (
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "StudyDescription",
    "AccessionNumber",
    "PatientName",
    "PatientID",
)
SERIES_KEYS = ("StudyInstanceUID", "SeriesInstanceUID", "SeriesNumber", "SeriesDescription", "Modality")


def ct_series(slices: int = 20, size: int = 256) -> list[Dataset]:
    """An axial CT of a cylinder of water with a dense core that grows from slice to slice."""
    study, series, frame = generate_uid(), generate_uid(), generate_uid()
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    radius = np.hypot(x, y)
    made = []
    for number in range(slices):
        hounsfield = np.full((size, size), -1000)
        hounsfield[radius < 0.8] = 20
        hounsfield[np.hypot(x - 0.3, y) < 0.05 + 0.01 * number] = 300
        hounsfield[np.hypot(x + 0.3, y) < 0.15] = -100
        ds = Dataset()
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.SOPClassUID, ds.SOPInstanceUID = CTImageStorage, generate_uid()
        ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID = study, series, frame
        ds.PatientName, ds.PatientID, ds.StudyID, ds.AccessionNumber = "Case^One", "CASE-1", "1", ""
        ds.StudyDate, ds.StudyTime, ds.StudyDescription, ds.ReferringPhysicianName = "20200101", "120000", "CT", ""
        ds.Modality, ds.SeriesNumber, ds.SeriesDescription, ds.InstanceNumber = "CT", 1, "Axial", number + 1
        ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        ds.ImagePositionPatient, ds.ImageOrientationPatient = [-128, -128, number * 2], [1, 0, 0, 0, 1, 0]
        ds.PixelSpacing, ds.SliceThickness = [1, 1], 2
        ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.Rows, ds.Columns = 1, "MONOCHROME2", size, size
        ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 1
        ds.RescaleIntercept, ds.RescaleSlope, ds.WindowCenter, ds.WindowWidth = 0, 1, 40, 400
        ds.PixelData = hounsfield.astype("<i2").tobytes()
        made.append(ds)
    return made


def bundled(*names: str) -> list[Dataset]:
    """pydicom's own test files, each made a study of its own."""
    made: list[Dataset] = []
    for name in names:
        path = get_testdata_file(name)
        assert path is not None
        ds = pydicom.dcmread(str(path))
        ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID = (generate_uid() for _ in range(3))
        made.append(ds)
    return made


@dataclass
class FakeDicomweb:
    """Answers for `instances` to whoever has a bearer token of the case in the path."""

    db: Database
    instances: list[Dataset]
    asked: list[tuple[str, int]] = field(default_factory=list)
    authorizations: list[str] = field(default_factory=list)

    def routes(self) -> list[Route]:
        """Routes below `/cases/{case}/dicomweb`."""
        series = "/studies/{study}/series/{series}"
        return [
            Route(path, self._noted(answer))
            for path, answer in (
                ("/studies", self._studies),
                ("/studies/{study}/series", self._series),
                (f"{series}/metadata", self._metadata),
                (f"{series}/thumbnail", self._thumbnail),
                (f"{series}/instances", self._instances),
                (f"{series}/instances/{{sop}}/thumbnail", self._thumbnail),
                (f"{series}/instances/{{sop}}/frames/1", self._frame),
            )
        ]

    def _noted(self, answer: Callable[[Request], Response]) -> Callable[[Request], Response]:
        def endpoint(request: Request) -> Response:
            self.authorizations.append(request.headers.get("authorization", ""))
            try:
                who = http.principal(request, self.db)
                if who.case_id != http.path_uuid(request, "case"):
                    raise NotFound("another case")
                response = answer(request)
            except Exception as error:
                self.asked.append((request.url.path, http.as_overread_error(error).status))
                raise
            self.asked.append((request.url.path, response.status_code))
            return response

        return endpoint

    def _found(self, request: Request) -> list[Dataset]:
        wanted = {
            "StudyInstanceUID": request.path_params.get("study") or request.query_params.get("StudyInstanceUID"),
            "SeriesInstanceUID": request.path_params.get("series"),
            "SOPInstanceUID": request.path_params.get("sop"),
        }
        return [
            ds
            for ds in self.instances
            if all(value is None or ds[keyword].value in value.split(",") for keyword, value in wanted.items())
        ]

    def _studies(self, request: Request) -> Response:
        return self._grouped(self._found(request), "StudyInstanceUID", STUDY_KEYS, "NumberOfStudyRelatedInstances")

    def _series(self, request: Request) -> Response:
        return self._grouped(self._found(request), "SeriesInstanceUID", SERIES_KEYS, "NumberOfSeriesRelatedInstances")

    def _grouped(self, found: list[Dataset], key: str, keywords: tuple[str, ...], count: str) -> Response:
        groups: dict[str, list[Dataset]] = defaultdict(list)
        for ds in found:
            groups[ds[key].value].append(ds)
        rows = []
        for members in groups.values():
            row = Dataset()
            for keyword in keywords:
                setattr(row, keyword, members[0].get(keyword, ""))
            row.ModalitiesInStudy = [members[0].Modality]
            setattr(row, count, len(members))
            rows.append(row.to_json_dict())
        return _json(rows)

    def _instances(self, request: Request) -> Response:
        return _json([_header(ds).to_json_dict() for ds in self._found(request)])

    def _metadata(self, request: Request) -> Response:
        return self._instances(request)

    def _thumbnail(self, request: Request) -> Response:
        ds = self._found(request)[0]
        pixels = ds.pixel_array
        spread = max(1, int(np.ptp(pixels)))
        body = io.BytesIO()
        Image.fromarray(((pixels.astype(int) - pixels.min()) * 255 // spread).astype("u1")).save(body, "JPEG")
        return Response(body.getvalue(), media_type="image/jpeg")

    def _frame(self, request: Request) -> Response:
        (ds,) = self._found(request)
        # PS3.18 8.7.3.3.2: the part says which transfer syntax its frame is in.
        syntax = ds.file_meta.TransferSyntaxUID
        frame = next(generate_frames(ds.PixelData, number_of_frames=1)) if syntax.is_encapsulated else ds.PixelData
        head = f"--frames\r\nContent-Type: application/octet-stream; transfer-syntax={syntax}\r\n\r\n".encode()
        return Response(
            head + frame + b"\r\n--frames--\r\n",
            headers={"Content-Type": 'multipart/related; type="application/octet-stream"; boundary=frames'},
        )


def _header(ds: Dataset) -> Dataset:
    header = Dataset()
    for element in ds:
        if element.tag.group != 0x7FE0 and not element.tag.is_private and element.VR not in ("OB", "OW", "UN"):
            header.add(element)
    header.AvailableTransferSyntaxUID = ds.file_meta.TransferSyntaxUID
    return header


def _json(rows: list[dict[str, object]]) -> Response:
    return Response(json.dumps(rows), media_type="application/dicom+json")
