"""SOP classes of the standard that are younger than pydicom's dictionary (PS3.4 Table B.5-1, PS3.6 Annex A)."""

from __future__ import annotations

from typing import Final

LABEL_MAP_SEGMENTATION: Final = "1.2.840.10008.5.1.4.1.1.66.7"
HEIGHT_MAP_SEGMENTATION: Final = "1.2.840.10008.5.1.4.1.1.66.8"
WAVEFORM_PRESENTATION_STATE: Final = "1.2.840.10008.5.1.4.1.1.9.100.1"
WAVEFORM_ACQUISITION_PRESENTATION_STATE: Final = "1.2.840.10008.5.1.4.1.1.9.100.2"

YOUNGER: Final = frozenset(
    (
        LABEL_MAP_SEGMENTATION,
        HEIGHT_MAP_SEGMENTATION,
        WAVEFORM_PRESENTATION_STATE,
        WAVEFORM_ACQUISITION_PRESENTATION_STATE,
    )
)
