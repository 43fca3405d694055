"""How a batch member ended, and the codes that say so in DIMSE and in STOW-RS.

Sources: PS3.4 Table B.2-1 (C-STORE), PS3.7 Annex C (general), PS3.18 Table 10.5.3-1 and I.2.2 (reason codes).
"""

from __future__ import annotations

from enum import IntEnum


class FailureReason(IntEnum):
    """A failure reason; the value is the DIMSE status and the STOW-RS FailureReason alike."""

    #: Processing failure (PS3.7 C.5.7 0110H).
    PROCESSING_FAILURE = 0x0110
    #: Duplicate SOP instance (PS3.7 C.5.5 0111H): the UID is taken by other content.
    DUPLICATE = 0x0111
    #: Not authorised (PS3.7 C.5.10 0124H).
    NOT_AUTHORISED = 0x0124
    #: Refused: out of resources (PS3.4 B.2.3 A7xxH).
    OUT_OF_RESOURCES = 0xA700
    #: Error: data set does not match SOP class (PS3.4 B.2.3 A9xxH).
    MISMATCH = 0xA900
    #: Error: cannot understand (PS3.4 B.2.3 CxxxH).
    CANNOT_UNDERSTAND = 0xC000
