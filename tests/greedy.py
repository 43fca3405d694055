"""Small files of large frames."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, RLELossless, generate_uid

#: Multi-frame Grayscale Word Secondary Capture Image Storage.
MULTIFRAME = UID("1.2.840.10008.5.1.4.1.1.7.3")


def greedy(side: int, frames: int) -> tuple[Dataset, bytes]:
    """A data set and its file: frames whose samples of 16 bits are all their number from 0, as RLE (PS3.5 G)."""
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = MULTIFRAME, generate_uid()
    ds.StudyInstanceUID, ds.SeriesInstanceUID = generate_uid(), generate_uid()
    ds.PatientName, ds.PatientID, ds.Modality = "GREED^A", "GREED", "OT"
    ds.Rows = ds.Columns = side
    ds.NumberOfFrames, ds.SamplesPerPixel, ds.PhotometricInterpretation = frames, 1, "MONOCHROME2"
    ds.BitsAllocated = ds.BitsStored = 16
    ds.HighBit, ds.PixelRepresentation = 15, 0
    ds.PixelData = encapsulate([coded(side, number) for number in range(frames)])
    ds["PixelData"].VR = "OB"
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = RLELossless
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    out = BytesIO()
    ds.save_as(out, enforce_file_format=True)
    return ds, out.getvalue()


def coded(side: int, number: int) -> bytes:
    """Two segments, of the high and of the low bytes: runs of 128 (PS3.5 G.3.1)."""
    run = bytes((129, 0)) * (side * side // 128)
    low = bytes((129, number)) * (side * side // 128)
    head = np.zeros(16, "<u4")
    head[:3] = 2, 64, 64 + len(run)
    return head.tobytes() + run + low
