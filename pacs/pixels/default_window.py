"""The range in which an image without a window is usually looked at: soft tissue, uptake, segments.

Only where the header says clearly enough what the values are; else the image's own values have to tell.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from pacs.pixels import attributes

Floats = NDArray[np.float64]

#: The window of soft tissue, centre 40 and width 400 HU, and the share of an image that has to lie within it.
_SOFT_TISSUE, _ENOUGH = (-160.0, 240.0), 0.1
#: A CT image without anything below this is not in Hounsfield units.
_AIR = -500.0
#: Standardised uptake values between which the lightest level of a PET image lies: noise stays dark, and a full
#: bladder does not hide the rest.
_LEAST_SUV, _MOST_SUV = 2.0, 6.0


def span(ds: Dataset, values: Floats, weights: NDArray[np.integer] | None, high: float) -> tuple[float, float] | None:
    """Give the values shown as black and as white; None where nothing is usual.

    `values` are the frame's without padding, in the modality's units, each counted by `weights` (None: once); nearly
    all of them are below `high`.
    """
    if kind := attributes.text(ds, "SegmentationType"):
        # PS3.3 C.8.20.2: a frame that a segment fills is as white as any other of it.
        whole = (
            1 if kind == "BINARY" else attributes.number(ds, "MaximumFractionalValue") if kind != "LABELMAP" else None
        )
        return (0.0, float(whole)) if whole else None
    if attributes.integer(ds, "BitsStored") == 1:
        return 0.0, 1.0
    modality = attributes.text(ds, "Modality")
    if modality == "CT" and _hounsfield(ds) and values.size and float(values.min()) < _AIR:
        within = (values > _SOFT_TISSUE[0]) & (values < _SOFT_TISSUE[1])
        share = np.average(within, weights=weights) if weights is None or weights.any() else 0.0
        return _SOFT_TISSUE if share >= _ENOUGH else None
    if modality == "PT" and high > 0:
        unit = _uptake(ds)
        return 0.0, high if unit is None else min(max(high, _LEAST_SUV * unit), _MOST_SUV * unit)
    return None


def _hounsfield(ds: Dataset) -> bool:
    """PS3.3 C.8.2.1.1.1: CT images are in Hounsfield units, localizers apart, where they do not say otherwise."""
    return (
        attributes.number(ds, "RescaleIntercept") is not None
        and attributes.text(ds, "RescaleType") in ("", "HU")
        and "LOCALIZER" not in attributes.phrase(ds, "ImageType").upper()
    )


def _uptake(ds: Dataset) -> float | None:
    """Give what a standardised uptake value of 1 g/ml, by body weight, is in the image's units; None if not known."""
    units = attributes.text(ds, "Units")
    if units == "GML":
        return 1.0
    if units != "BQML":
        return None
    weight = attributes.number(ds, "PatientWeight") or 0.0
    for item in attributes.items(ds, "RadiopharmaceuticalInformationSequence")[:1]:
        dose = attributes.number(item, "RadionuclideTotalDose") or 0.0
        decay = _decay(ds, item)
        if decay is not None and 1 <= weight <= 500 and dose > 0:
            return dose * decay / (1000 * weight)
    return None


def _decay(ds: Dataset, item: Dataset) -> float | None:
    """Give the share of the dose that is left when the series begins, to which time its values are corrected."""
    corrected = attributes.text(ds, "DecayCorrection")
    if corrected == "ADMIN":
        return 1.0
    half_life = attributes.number(item, "RadionuclideHalfLife") or 0.0
    given, begun = (
        _seconds(attributes.phrase(holder, keyword))
        for holder, keyword in ((item, "RadiopharmaceuticalStartTime"), (ds, "SeriesTime"))
    )
    if corrected != "START" or half_life <= 0 or given is None or begun is None:
        return None
    # The examination may have gone past midnight.
    return math.exp2(-((begun - given) % 86400) / half_life)


def _seconds(time: str) -> float | None:
    """A time of day (TM) in seconds."""
    if len(time) < 6 or not time[:6].isdigit():
        return None
    return int(time[:2]) * 3600.0 + int(time[2:4]) * 60 + int(time[4:6])
