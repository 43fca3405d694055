"""Where the frames of a blob lie, remembered: a blob never changes, so what was found in it once is true for ever.

Who may see a frame is asked every time; this only saves walking the header again.
"""

from __future__ import annotations

from dataclasses import dataclass

from overread.kit.lru import Lru
from pacs.dicom import frames
from pacs.serve import retrieve
from pacs.serve.retrieve import BlobRange, Located, check_frame
from pacs.store.archive import Archive

#: Byte ranges that are remembered at most, of all blobs together: some 30 MB.
_MOST = 200_000


@dataclass(frozen=True, slots=True)
class FrameIndex:
    """The frames of one blob, each as (start, length) ranges of it."""

    blob: str
    places: frames.Frames

    def parts(self, index: int) -> list[BlobRange]:
        """The bytes of a frame, counted from 0. Raises NotFound."""
        check_frame(index, len(self.places))
        return [BlobRange(self.blob, start, length) for start, length in self.places[index]]


_known: Lru[str, FrameIndex] = Lru(_MOST)


def frame_index(archive: Archive, located: Located) -> FrameIndex | None:
    """The index of an instance's frames; None where its pixels are no ranges of the blob (deflated, big endian).

    Raises PixelMismatch or UnalignedFrames, and what `pacs.dicom.part10.parse` raises.
    """
    if located.header is not None and not located.ranges:
        return FrameIndex(located.blob, [])
    if (found := _known.get(located.blob)) is not None:
        return found
    with retrieve.opened(archive, located) as instance:
        if not instance.parsed.is_original_bytes:
            return None
        made = FrameIndex(located.blob, instance.places)
    _known.put(made.blob, made, 1 + sum(map(len, made.places)))
    return made
