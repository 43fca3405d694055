"""The time that one header takes: read, and turned into DICOM JSON; ours beside pydicom's."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from io import BytesIO

import pydicom

from pacs.dicom import dicomjson, part10


def ours(data: bytes) -> None:
    """What an instance's header costs at ingest."""
    parsed = part10.parse(data)
    dicomjson.to_json(parsed.buf, parsed.elements, bulk_uri=lambda _path: "bulkdata:x")


def theirs(data: bytes) -> None:
    """The same by pydicom."""
    ds = pydicom.dcmread(BytesIO(data), stop_before_pixels=True)
    ds.to_json_dict(bulk_data_threshold=1024, bulk_data_element_handler=lambda _element: "bulkdata:x")


def milliseconds(walk: Callable[[bytes], None], data: bytes, seconds: float = 1.0) -> float:
    """The median over as many turns as fit in so many seconds."""
    walk(data)
    taken: list[float] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end or not taken:
        begun = time.perf_counter()
        walk(data)
        taken.append(time.perf_counter() - begun)
    return 1000 * statistics.median(taken)
