"""One instance of a view made from its original: header, parts, metadata and proof, ready to be written as a row.

Where nothing of the pixels changes, the parts are a header and ranges of the original's blob. Where something does
(a comment in a codestream, a deflated or big endian source, stray bits, masks, a released document) the instance is a
blob of its own, so that whatever reads it needs to know of none of this (docs/decisions/0020).
"""

from __future__ import annotations

import zlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from typing import Any

from overread.kit import log
from overread.kit.errors import Unprocessable
from overread.kit.language import gettext
from pacs.deid import masks, overlays, pixels
from pacs.deid.amend import amended
from pacs.deid.codestream import TABLES
from pacs.deid.header import deidentify_next
from pacs.deid.identifiers import Identifiers
from pacs.deid.masks import Box, NotMaskable
from pacs.deid.profile import Profile
from pacs.deid.proof import Part, Proof, prove
from pacs.deid.result import Deidentified
from pacs.deid.uids import new_uid
from pacs.deid.values import Memory
from pacs.dicom import dicomjson, elements, frames, json_values, part10, tags
from pacs.dicom import transfer_syntaxes as ts
from pacs.dicom.encode import pixel_header
from pacs.index import columns
from pacs.index.models import Instance, Review
from pacs.serve import retrieve
from pacs.store import damage, rows
from pacs.store.archive import Archive

_logger = log.get(__name__)


_ODD_SIGNS = "Unused bits of the pixels hold more than the sign: an overlay may be kept in them."
_BITS_ALLOCATED = tags.BitsAllocated
_DOCUMENT = tags.EncapsulatedDocument
_DOCUMENT_LENGTH = tags.EncapsulatedDocumentLength
#: Bytes of pixels that are held in memory at a time.
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person decided for an instance: rectangles to blank, or what becomes of its document.

    `document`: "" leaves it out, "released" takes the original's, "redacted" takes `redacted`.
    """

    boxes: tuple[Box, ...] = ()
    document: str = ""
    redacted: bytes = b""


class Maker:
    """Makes the rows of one view; it holds the case's secret and lives no longer than one derivation."""

    def __init__(self, archive: Archive, secret: bytes, profile: Profile, known: Identifiers | None) -> None:
        self._archive = archive
        self._secret = secret
        self._memory = Memory(secret, profile)
        self._known = known

    def row(self, source: Instance) -> rows.Row:
        """De-identify one instance; one of which nothing can be made is kept as a reason, never shown as it is."""
        try:
            return self.chosen(source, Choice())
        except (Unprocessable, damage.Lost) as error:
            _logger.warning("instance_not_deidentified", instance=source.pk, reason=type(error).__name__)
            return self._unusable(source, [error.safe])

    def chosen(self, source: Instance, choice: Choice) -> rows.Row:
        """De-identify one instance as a person wants it. Raises Unprocessable where that can't be done."""
        damage.here(self._archive, [source])
        with self._archive.blobs.mapped(source.blob) as buffer:
            parsed = part10.parse(buffer)
            result = deidentify_next(parsed, self._memory, self._known)
            if result.refused:
                return self._unusable(source, result.refused)
            made = _Made(parsed, result, choice)
            parts, places = self._parts(made, source)
            metadata = made.metadata()
            proof = prove(
                result,
                source.blob,
                self._memory.profile,
                parts,
                masks=choice.boxes,
                cleared_bits=made.stray,
                document=choice.document,
            )
            pending = list(result.review_reasons)
            if made.odd_signs:
                pending.append(_ODD_SIGNS)
            if choice.document:
                pending.append("A document was taken over from the original.")
            row = rows.Row(
                columns.of(metadata),
                **places,
                transfer_syntax=made.syntax,
                metadata=json_values.deflate(metadata),
                source_pk=source.source_pk or source.pk,
                review=Review.PENDING_REVIEW if pending else Review.CLEAN,
                reasons=list(dict.fromkeys(pending)),
                proof=proof.stored(),
            )
            del parsed, made  # the buffer can't be closed while anything refers to it
        return row

    def _parts(self, made: _Made, source: Instance) -> tuple[list[Part], dict[str, Any]]:
        """Where the bytes are: behind a header of its own in the original's blob, or in a blob of its own."""
        result = made.result
        if made.pieces is None:
            ranges = [(source.blob, start, length) for start, length in result.pixels]
            return [made.header, *ranges, result.trailer], {
                "blob": source.blob,
                "blob_size": source.blob_size,
                "header": zlib.compress(made.header, 6),
                "ranges": [number for place in result.pixels for number in place],
                "trailer": result.trailer,
            }
        with self._archive.blobs.writer() as writer:
            writer.write(made.header)
            for piece in made.pieces:
                writer.write(piece)
            blob = writer.keep()
        whole = {"blob": blob.digest, "blob_size": blob.size, "ranges": [0, blob.size]}
        return [(blob.digest, 0, blob.size)], whole

    def _unusable(self, source: Instance, reasons: list[str]) -> rows.Row:
        """A row that says why there is nothing to see; its proof says the same."""
        metadata: json_values.Json = {
            tags.SOPClassUID.key: {"vr": "UI", "Value": [source.sop_class]},
            tags.SOPInstanceUID.key: {"vr": "UI", "Value": [new_uid(self._secret, source.sop_uid)]},
            tags.SeriesInstanceUID.key: {"vr": "UI", "Value": [new_uid(self._secret, f"series {source.series_pk}")]},
        }
        return rows.Row(
            columns.of(metadata),
            blob=source.blob,
            blob_size=0,
            transfer_syntax=source.transfer_syntax,
            metadata=json_values.deflate(metadata),
            ranges=(),
            header=zlib.compress(b""),
            source_pk=source.source_pk or source.pk,
            review=Review.UNUSABLE,
            reasons=reasons,
            proof=Proof.of_nothing(source.blob, self._memory.profile, reasons).stored(),
        )


class _Made:
    """A result with a person's choice applied: `header`, then `pieces`, or the source's ranges where those are None."""

    def __init__(self, parsed: part10.Parsed, result: Deidentified, choice: Choice) -> None:
        self.parsed, self.result = parsed, result
        self.syntax = result.transfer_syntax
        self.header = result.header
        self.pieces: Iterable[bytes] | None = None
        self.stray = 0
        self.odd_signs = False
        self._has_pixels = bool(result.pixels) or result.pixel_bytes is not None
        if self._has_pixels:
            self._choose_pixels(choice)
        elif choice.boxes:
            raise NotMaskable("it has no picture.")
        if choice.document:
            self._take_document(choice)

    def _choose_pixels(self, choice: Choice) -> None:
        parsed, result = self.parsed, self.result
        self.odd_signs = pixels.odd_signs(parsed)
        self.stray = pixels.high_bits(parsed)
        if choice.boxes:
            front = self.header[: len(self.header) - retrieve.pixel_header_size(parsed)]
            ds = masks.described(front)
            made = masks.masked(parsed, ds, self.syntax, choice.boxes, self._patched_range, self.stray)
            changes: dict[int, tuple[str, bytes] | None] = {**made.changes, **overlays.blanked(ds, choice.boxes)}
            if made.length is None or self.syntax != made.transfer_syntax:
                changes |= dict.fromkeys(TABLES)  # they speak of frames as the source had them
            self.syntax = made.transfer_syntax
            if self.syntax == ts.EXPLICIT_LITTLE_ENDIAN and not parsed.explicit:
                self.syntax = ts.IMPLICIT_LITTLE_ENDIAN
            front = amended(front, changes, self.syntax, parsed.explicit)
            pixel = frames.pixel_element(parsed)
            assert pixel is not None
            self.header = front + pixel_header(pixel.tag, pixel.vr, made.length, parsed.explicit)
            self.pieces = made.pieces
            return
        unpacked = result.pixel_bytes
        places = list(result.pixels) if unpacked is None else [(0, len(unpacked))]
        if self.stray:
            source = parsed.buf if unpacked is None else unpacked
            allocated = elements.ints(parsed.buf, elements.find(parsed.elements, _BITS_ALLOCATED))[0]
            plain = (piece for place in places for piece in masks.cleared(source, *place, self.stray, allocated))
            self.pieces = chain(plain, [result.trailer])
        elif unpacked is not None or result.patches or result.table:
            self.pieces = chain([result.table], *(self._laid(*place) for place in places), [result.trailer])

    def _patched_range(self, start: int, length: int) -> bytes:
        """A range of the parsed buffer with the patches over it; those of unpacked pixels count from their begin."""
        if self.result.pixel_bytes is None:
            return b"".join(self._laid(start, length))
        return bytes(self.parsed.buf[start : start + length])

    def _laid(self, start: int, length: int) -> Iterator[bytes]:
        """A range of the pixels in pieces, with the patches laid over them as they pass."""
        source = self.parsed.buf if self.result.pixel_bytes is None else self.result.pixel_bytes
        patches = self.result.patches
        number = max(0, bisect_right(patches, start, key=itemgetter(0)) - 1)
        for at in range(start, start + length, _CHUNK):
            end = min(at + _CHUNK, start + length)
            piece = bytearray(source[at:end])
            while number < len(patches) and patches[number][0] < end:
                offset, value = patches[number]
                first, last = max(offset, at), min(offset + len(value), end)
                if first < last:
                    piece[first - at : last - at] = value[first - offset : last - offset]
                if offset + len(value) > end:
                    break
                number += 1
            yield bytes(piece)

    def _take_document(self, choice: Choice) -> None:
        """PS3.3 C.24.2: the document, which de-identification leaves out, as a person released or redacted it."""
        element = elements.find(self.parsed.elements, _DOCUMENT)
        if element is None or self._has_pixels:
            raise Unprocessable("no document", safe=gettext("This object holds no document that could be released."))
        document = elements.raw(self.parsed.buf, element) if choice.document == "released" else choice.redacted
        changes: dict[int, tuple[str, bytes] | None] = {_DOCUMENT: ("OB", document)}
        if choice.document == "redacted":
            changes[_DOCUMENT_LENGTH] = ("UL", len(document).to_bytes(4, "little"))
        self.header = amended(self.header, changes, self.syntax, self.parsed.explicit)
        self.pieces = []

    def metadata(self) -> json_values.Json:
        """DICOM JSON of the rewritten header; of the pixels only where they are."""
        header = self.header
        pixel = frames.pixel_element(self.parsed) if self._has_pixels else None
        # In the source's encoding, whatever its transfer syntax says: there are files in which they differ.
        end = len(header) - (retrieve.pixel_header_size(self.parsed) if pixel else 0)
        start = part10.read_meta(header).dataset_start
        found = elements.walk(header, start, end, explicit=self.parsed.explicit)
        metadata = dicomjson.to_json(header, found, bulk_uri=lambda path: "bulkdata:" + "/".join(path))
        if pixel:
            key = dicomjson.tag_key(pixel.tag)
            metadata[key] = {"vr": pixel.vr, "BulkDataURI": f"bulkdata:{key}"}
        return metadata
