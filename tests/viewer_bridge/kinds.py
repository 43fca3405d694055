"""One object of each kind that a specialist is sent, made small: what the browser tests open in the viewer."""

from __future__ import annotations

import io
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import imagecodecs
import numpy as np
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    MPEG4HP41,
    UID,
    CTImageStorage,
    EncapsulatedPDFStorage,
    ExplicitVRLittleEndian,
    JPEGBaseline8Bit,
    RTDoseStorage,
    RTStructureSetStorage,
    SegmentationStorage,
    VideoEndoscopicImageStorage,
    VLWholeSlideMicroscopyImageStorage,
    generate_uid,
)

from pacs.dicom import transfer_syntaxes as ts
from pacs.pixels import encode
from tests.viewer_bridge.fake_dicomweb import bundled, ct_series

SLICES, SIZE = 6, 128


def ct() -> list[Dataset]:
    """A short axial CT."""
    return ct_series(SLICES, SIZE)


def overlays() -> list[Dataset]:
    """A CT with two overlay planes in each slice: a frame around its middle, and a bar below (PS3.3 C.9.2)."""
    images = ct()
    frame, bar = np.zeros((SIZE, SIZE), bool), np.zeros((16, SIZE // 2), bool)
    frame[32:96, 32:96] = True
    frame[36:92, 36:92] = False
    bar[4:12] = True
    for ds in images:
        for group, plane, origin in ((0x6000, frame, [1, 1]), (0x6002, bar, [104, 33])):
            ds.add_new((group, 0x0010), "US", plane.shape[0])
            ds.add_new((group, 0x0011), "US", plane.shape[1])
            ds.add_new((group, 0x0040), "CS", "G")
            ds.add_new((group, 0x0050), "SS", origin)
            ds.add_new((group, 0x0100), "US", 1)
            ds.add_new((group, 0x0102), "US", 0)
            ds.add_new((group, 0x3000), "OW", np.packbits(plane, bitorder="little").tobytes())
    return images


def _beside(images: list[Dataset], sop_class: str, modality: str, description: str) -> Dataset:
    """An object of another kind in the study of these images."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    for keyword in ("StudyInstanceUID", "PatientName", "PatientID", "StudyID", "AccessionNumber", "StudyDate"):
        ds[keyword] = deepcopy(images[0][keyword])
    ds.StudyTime, ds.ReferringPhysicianName = images[0].StudyTime, ""
    ds.SOPClassUID, ds.SOPInstanceUID, ds.SeriesInstanceUID = sop_class, generate_uid(), generate_uid()
    ds.Modality, ds.SeriesNumber, ds.SeriesDescription, ds.InstanceNumber = modality, 2, description, 1
    return ds


def _item(**values: object) -> Dataset:
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    return _item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


def segmentation() -> list[Dataset]:
    """A CT with a binary segmentation of its fat and of its dense core (PS3.3 A.51)."""
    images = ct()
    ds = _beside(images, SegmentationStorage, "SEG", "Segments")
    ds.FrameOfReferenceUID = images[0].FrameOfReferenceUID
    ds.Manufacturer, ds.ManufacturerModelName = "Overread", "test"
    ds.DeviceSerialNumber, ds.SoftwareVersions = "1", "1"
    ds.ImageType, ds.ContentLabel, ds.ContentDescription = ["DERIVED", "PRIMARY"], "SEGMENTS", "two"
    ds.ContentCreatorName, ds.ContentDate, ds.ContentTime = "Test", "20200101", "120000"
    ds.SegmentationType, ds.LossyImageCompression = "BINARY", "00"
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 0
    ds.Rows = ds.Columns = SIZE
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 1, 1, 0
    tissue = _code("85756007", "SCT", "Tissue")
    ds.SegmentSequence = [
        _item(
            SegmentNumber=number,
            SegmentLabel=label,
            SegmentAlgorithmType="MANUAL",
            SegmentedPropertyCategoryCodeSequence=[tissue],
            SegmentedPropertyTypeCodeSequence=[tissue],
        )
        for number, label in ((1, "fat"), (2, "core"))
    ]
    ds.ReferencedSeriesSequence = [
        _item(
            SeriesInstanceUID=images[0].SeriesInstanceUID,
            ReferencedInstanceSequence=[
                _item(ReferencedSOPClassUID=CTImageStorage, ReferencedSOPInstanceUID=one.SOPInstanceUID)
                for one in images
            ],
        )
    ]
    organisation = generate_uid()
    ds.DimensionOrganizationSequence = [_item(DimensionOrganizationUID=organisation)]
    ds.DimensionIndexSequence = [
        _item(
            DimensionOrganizationUID=organisation, DimensionIndexPointer=0x0062000B, FunctionalGroupPointer=0x0062000A
        ),
        _item(
            DimensionOrganizationUID=organisation, DimensionIndexPointer=0x00200032, FunctionalGroupPointer=0x00209113
        ),
    ]
    ds.SharedFunctionalGroupsSequence = [
        _item(
            PlaneOrientationSequence=[_item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
            PixelMeasuresSequence=[_item(PixelSpacing=[1, 1], SliceThickness=2, SpacingBetweenSlices=2)],
        )
    ]
    frames, groups = [], []
    for segment, wanted in ((1, -100), (2, 300)):
        for place, one in enumerate(images):
            frames.append(np.frombuffer(one.PixelData, "<i2") == wanted)
            derived = _item(
                SourceImageSequence=[
                    _item(
                        ReferencedSOPClassUID=CTImageStorage,
                        ReferencedSOPInstanceUID=one.SOPInstanceUID,
                        PurposeOfReferenceCodeSequence=[
                            _code("121322", "DCM", "Source image for image processing operation")
                        ],
                    )
                ],
                DerivationCodeSequence=[_code("113076", "DCM", "Segmentation")],
            )
            groups.append(
                _item(
                    DerivationImageSequence=[derived],
                    FrameContentSequence=[_item(DimensionIndexValues=[segment, place + 1])],
                    PlanePositionSequence=[_item(ImagePositionPatient=list(one.ImagePositionPatient))],
                    SegmentIdentificationSequence=[_item(ReferencedSegmentNumber=segment)],
                )
            )
    ds.NumberOfFrames, ds.PerFrameFunctionalGroupsSequence = len(frames), groups
    ds.PixelData = np.packbits(np.concatenate(frames), bitorder="little").tobytes()
    return [*images, ds]


def document() -> list[Dataset]:
    """A document of one page: a black square on white."""
    ds = _beside(ct(), EncapsulatedPDFStorage, "DOC", "Letter")
    ds.MIMETypeOfEncapsulatedDocument, ds.BurnedInAnnotation, ds.DocumentTitle = "application/pdf", "NO", "Letter"
    ds.ConceptNameCodeSequence = []
    drawn = b"0 0 0 rg 100 500 200 200 re f"
    parts = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(drawn), drawn),
    ]
    out = io.BytesIO(b"%PDF-1.4\n")
    out.seek(0, io.SEEK_END)
    places = []
    for number, part in enumerate(parts, 1):
        places.append(out.tell())
        out.write(b"%d 0 obj%s endobj\n" % (number, part))
    table = out.tell()
    rows = b"".join(b"%010d 00000 n \n" % place for place in places)
    out.write(
        b"xref\n0 5\n0000000000 65535 f \n%strailer<</Size 5/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (rows, table)
    )
    data = out.getvalue()
    ds.EncapsulatedDocument, ds.EncapsulatedDocumentLength = data + bytes(len(data) % 2), len(data)
    return [ds]


def slide() -> list[Dataset]:
    """A slide of four tiles of one level, in JPEG (PS3.3 A.32.8)."""
    ds = _beside(ct(), VLWholeSlideMicroscopyImageStorage, "SM", "Slide")
    ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = generate_uid(), "SLIDE_CORNER"
    ds.ImageType, ds.VolumetricProperties = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"], "VOLUME"
    ds.SpecimenLabelInImage, ds.FocusMethod, ds.ExtendedDepthOfField, ds.BurnedInAnnotation = "NO", "AUTO", "NO", "NO"
    ds.Manufacturer, ds.ManufacturerModelName = "Overread", "test"
    ds.DeviceSerialNumber, ds.SoftwareVersions = "1", "1"
    ds.AcquisitionDateTime, ds.ContentDate, ds.ContentTime = "20200101120000", "20200101", "120000"
    ds.ContainerIdentifier = "S1"
    ds.ContainerTypeCodeSequence = [_code("433466003", "SCT", "Microscope slide")]
    ds.SpecimenDescriptionSequence = [_item(SpecimenIdentifier="S1", SpecimenUID=generate_uid())]
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PlanarConfiguration = 3, "YBR_FULL_422", 0
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
    ds.Rows = ds.Columns = 256
    ds.TotalPixelMatrixColumns = ds.TotalPixelMatrixRows = 512
    ds.ImagedVolumeWidth, ds.ImagedVolumeHeight, ds.ImagedVolumeDepth = 1.0, 1.0, 0.001
    ds.TotalPixelMatrixFocalPlanes, ds.NumberOfOpticalPaths, ds.NumberOfFrames = 1, 1, 4
    ds.DimensionOrganizationType = "TILED_FULL"
    ds.DimensionOrganizationSequence = [_item(DimensionOrganizationUID=generate_uid())]
    ds.TotalPixelMatrixOriginSequence = [_item(XOffsetInSlideCoordinateSystem=20, YOffsetInSlideCoordinateSystem=10)]
    ds.ImageOrientationSlide = [0, -1, 0, -1, 0, 0]
    ds.LossyImageCompression, ds.LossyImageCompressionMethod, ds.LossyImageCompressionRatio = "01", "ISO_10918_1", 10
    ds.OpticalPathSequence = [
        _item(
            OpticalPathIdentifier="1",
            IlluminationTypeCodeSequence=[_code("111744", "DCM", "Brightfield illumination")],
            IlluminationColorCodeSequence=[_code("371251000", "SCT", "White")],
        )
    ]
    ds.SharedFunctionalGroupsSequence = [
        _item(
            PixelMeasuresSequence=[_item(PixelSpacing=[0.002, 0.002], SliceThickness=0.001)],
            WholeSlideMicroscopyImageFrameTypeSequence=[_item(FrameType=list(ds.ImageType))],
            OpticalPathIdentificationSequence=[_item(OpticalPathIdentifier="1")],
        )
    ]
    y, x = np.mgrid[0:512, 0:512]
    whole = np.full((512, 512, 3), (240, 225, 235), "u1")
    whole[np.hypot(x - 200, y - 220) < 150] = (200, 120, 170)
    whole[np.hypot(x - 360, y - 360) < 90] = (90, 50, 130)
    tiles = []
    for row in (0, 256):
        for column in (0, 256):
            body = io.BytesIO()
            Image.fromarray(whole[row : row + 256, column : column + 256]).save(body, "JPEG", quality=90)
            tiles.append(body.getvalue())
    ds.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    ds.PixelData = encapsulate(tiles)
    ds["PixelData"].is_undefined_length = True
    return [ds]


def dose() -> list[Dataset]:
    """A dose grid of up to 60 Gy, alone in its study (PS3.3 A.18)."""
    images = ct()
    ds = _beside(images, RTDoseStorage, "RTDOSE", "Dose")
    ds.FrameOfReferenceUID, ds.Manufacturer = images[0].FrameOfReferenceUID, "Overread"
    ds.ImagePositionPatient, ds.ImageOrientationPatient = [-128, -128, 0], [1, 0, 0, 0, 1, 0]
    ds.PixelSpacing, ds.SliceThickness = [4, 4], 2
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.Rows, ds.Columns = 1, "MONOCHROME2", 64, 64
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 32, 32, 31, 0
    ds.NumberOfFrames, ds.FrameIncrementPointer = SLICES, 0x3004000C
    ds.GridFrameOffsetVector = [2 * n for n in range(SLICES)]
    ds.DoseUnits, ds.DoseType, ds.DoseSummationType, ds.DoseGridScaling = "GY", "PHYSICAL", "PLAN", "0.001"
    y, x = np.mgrid[-1:1:64j, -1:1:64j]
    falls = np.clip(1.2 - np.hypot(x, y), 0, 1) * 60_000
    ds.PixelData = np.stack([falls * (1 - n / 20) for n in range(SLICES)]).astype("<u4").tobytes()
    return [ds]


def _compressed(syntax: str, compress: Callable[[np.ndarray], bytes]) -> list[Dataset]:
    images = ct()
    for ds in images:
        pixels = np.frombuffer(ds.PixelData, "<i2").reshape(SIZE, SIZE) + 1000
        ds.PixelRepresentation, ds.RescaleIntercept = 0, -1000
        ds.file_meta.TransferSyntaxUID = UID(syntax)
        ds.PixelData = encapsulate([compress(pixels.astype("<u2"))])
        ds["PixelData"].is_undefined_length = True
    return images


def jpeg_xl() -> list[Dataset]:
    """The CT in JPEG XL."""
    return _compressed(ts.JPEG_XL, lambda pixels: bytes(imagecodecs.jpegxl_encode(pixels, lossless=True)))


def deflated_frames() -> list[Dataset]:
    """The CT with each of its frames deflated (PS3.5 A.4.13)."""
    return _compressed(ts.DEFLATED_FRAMES, lambda pixels: encode.deflate(pixels.tobytes()))


def jpeg_extended() -> list[Dataset]:
    """Twelve bits in a lossy JPEG (PS3.5 A.4.1)."""
    return bundled("JPEG-lossy.dcm")


def video() -> list[Dataset]:
    """A second of a test picture, 128 x 96, in H.264 (PS3.5 A.4.6)."""
    ds = _beside(ct(), VideoEndoscopicImageStorage, "ES", "Video")
    ds.ImageType = ["ORIGINAL", "PRIMARY"]
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PlanarConfiguration = 3, "YBR_PARTIAL_420", 0
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
    ds.Rows, ds.Columns, ds.NumberOfFrames = 96, 128, 10
    ds.CineRate, ds.FrameTime, ds.FrameIncrementPointer = 10, 100, 0x00181063
    ds.LossyImageCompression, ds.LossyImageCompressionMethod = "01", "ISO_14496_10"
    ds.file_meta.TransferSyntaxUID = MPEG4HP41
    ds.PixelData = encapsulate([(Path(__file__).parent / "pictures" / "video.mp4").read_bytes()])
    ds["PixelData"].is_undefined_length = True
    return [ds]


def report() -> list[Dataset]:
    """A structured report."""
    return bundled("reportsi.dcm")


def ultrasound() -> list[Dataset]:
    """Thirty frames of an ultrasound in colour."""
    return bundled("examples_ybr_color.dcm")


def structures() -> list[Dataset]:
    """A CT with a set of structures: three circles on each slice (PS3.3 A.19)."""
    images = ct()
    ds = _beside(images, RTStructureSetStorage, "RTSTRUCT", "Structures")
    ds.Manufacturer, ds.StructureSetLabel = "Overread", "STRUCTURES"
    ds.StructureSetDate, ds.StructureSetTime = "20200101", "120000"
    frame = images[0].FrameOfReferenceUID
    contours = [
        _item(ReferencedSOPClassUID=CTImageStorage, ReferencedSOPInstanceUID=one.SOPInstanceUID) for one in images
    ]
    series = _item(SeriesInstanceUID=images[0].SeriesInstanceUID, ContourImageSequence=contours)
    study = _item(
        ReferencedSOPClassUID="1.2.840.10008.3.1.2.3.1",
        ReferencedSOPInstanceUID=images[0].StudyInstanceUID,
        RTReferencedSeriesSequence=[series],
    )
    ds.ReferencedFrameOfReferenceSequence = [_item(FrameOfReferenceUID=frame, RTReferencedStudySequence=[study])]
    rois = ((1, "Core", -45, 14), (2, "Fat", -84, 15), (3, "Body", -64, 56))
    ds.StructureSetROISequence = [
        _item(ROINumber=n, ReferencedFrameOfReferenceUID=frame, ROIName=name, ROIGenerationAlgorithm="MANUAL")
        for n, name, _, _ in rois
    ]
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)

    def contour(reference: Dataset, z: float, x: int, radius: int) -> Dataset:
        points = [(x + radius * np.cos(a), -64 + radius * np.sin(a), z) for a in angles]
        return _item(
            ContourImageSequence=[reference],
            ContourGeometricType="CLOSED_PLANAR",
            NumberOfContourPoints=len(points),
            ContourData=[f"{value:.2f}" for point in points for value in point],
        )

    ds.ROIContourSequence = [
        _item(
            ReferencedROINumber=n,
            ROIDisplayColor=[255, 255, 0],
            ContourSequence=[
                contour(reference, float(one.ImagePositionPatient[2]), x, radius)
                for reference, one in zip(contours, images, strict=True)
            ],
        )
        for n, _, x, radius in rois
    ]
    ds.RTROIObservationsSequence = [
        _item(ObservationNumber=n, ReferencedROINumber=n, RTROIInterpretedType="ORGAN", ROIInterpreter="")
        for n, _, _, _ in rois
    ]
    return [*images, ds]
