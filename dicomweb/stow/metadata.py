"""Bodies of metadata and bulk data (`application/dicom+json`, `application/dicom+xml`; PS3.18 10.5.2, 8.6.1.2).

The bulk data is written aside as it arrives, and matched with the metadata by its Content-Location. A BulkDataURI is
never fetched: what it names must be a part of the body.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import orjson

from dicomweb import media
from dicomweb.media import DICOM_JSON, DICOM_XML, OCTETS, MediaRange
from dicomweb.stow.answer import COERCED
from dicomweb.stow.dataset import CHARACTER_SET, BadDataset, encode, value_text
from dicomweb.stow.syntax import syntax_of
from dicomweb.stow.xml import BadXml, from_xml
from overread.kit.blobs import BlobWriter
from overread.kit.errors import BadInput, TooLarge
from overread.kit.language import gettext
from overread.kit.multipart import Broken, PartParser
from pacs.dicom import tags
from pacs.dicom.part10 import valid_uid, write_meta
from pacs.dicom.status import FailureReason
from pacs.dicom.transfer_syntaxes import EXPLICIT_LITTLE_ENDIAN
from pacs.views.batch import Batch, Result

#: Bytes of all metadata of a request, and how many arrays and objects (or tags) it may have: it is read into memory.
MAX_METADATA = 16 << 20
MAX_NODES = 1_000_000
#: Parts of a request: a frame each where they are compressed.
MAX_PARTS = 100_000

JSON_TYPES = frozenset((DICOM_JSON, "application/json"))
XML_TYPES = frozenset((DICOM_XML, "application/xml", "text/xml"))
_PIXEL_DATA = tags.PixelData.key
_FRAMES = tags.NumberOfFrames.key
_SOP_CLASS = tags.SOPClassUID.key
_SOP_INSTANCE = tags.SOPInstanceUID.key


class MetadataBody:
    """Metadata first (JSON: an array of instances; XML: an instance a part), then the bulk data, if any.

    Without a boundary the body is one document of metadata, whose binary values are inline.
    """

    def __init__(self, batch: Batch, kind: str, boundary: str | None) -> None:
        self._batch = batch
        self._kind = kind
        self._parser = None if boundary is None else PartParser(boundary, max_parts=MAX_PARTS)
        self._documents: list[tuple[str, bytearray]] = []
        self._metadata_left = MAX_METADATA
        self._bulk_left = batch.archive.max_instance_bytes
        self._resources = ExitStack()
        self._spool: BlobWriter | None = None
        self._ranges: dict[str, list[tuple[MediaRange, int, int]]] = {}
        self._place: tuple[str, MediaRange, int] | None = None
        self._in_metadata = boundary is None
        if boundary is None:
            self._documents.append((kind, bytearray()))

    def feed(self, data: bytes) -> None:
        """The next chunk. Raises Broken, TooLarge, StorageFull, Unavailable."""
        if self._parser is None:
            self._metadata(data)
            return
        for event in self._parser.feed(data):
            if event is None:
                self._finish_part()
            elif isinstance(event, dict):
                self._begin_part(event)
            elif self._in_metadata:
                self._metadata(event)
            elif self._place is not None:
                self._bulk(event)

    def end(self) -> list[Result]:
        """The body is whole: its instances are put together and stored. Raises BadInput."""
        if self._parser is not None:
            self._parser.close()
        self._batch.let_go()
        with self._resources:
            content = memoryview(self._spool.buffer()) if self._spool else memoryview(b"")
            for kind, document in self._documents:
                try:
                    datasets = _datasets(kind, bytes(document))
                except BadInput as error:
                    too_large = isinstance(error, TooLarge)
                    reason = FailureReason.OUT_OF_RESOURCES if too_large else FailureReason.CANNOT_UNDERSTAND
                    self._batch.refuse(error.safe, reason)
                else:
                    for dataset in datasets:
                        self._store(dataset, content)
            return self._batch.end()

    def abandon(self) -> None:
        """Leave nothing."""
        self._resources.close()
        self._batch.abandon()

    def _begin_part(self, headers: dict[str, str]) -> None:
        first = not self._documents
        kind = media.parse(headers.get("content-type") or (self._kind if first else OCTETS))
        self._in_metadata = kind.type in JSON_TYPES | XML_TYPES
        if self._in_metadata:
            self._documents.append((kind.type, bytearray()))
        elif first:
            raise Broken(f"The first part of the body is not the metadata, of type {self._kind}.")
        else:
            location = headers.get("content-location", "").strip("<> ")
            if not location:
                raise Broken("A bulk data part has no Content-Location that the metadata could name.")
            self._place = location, kind, self._spool.size if self._spool else 0

    def _finish_part(self) -> None:
        if self._place is not None:
            location, kind, start = self._place
            end = self._spool.size if self._spool else 0
            self._ranges.setdefault(location, []).append((kind, start, end))
            self._place = None

    def _metadata(self, data: bytes | memoryview) -> None:
        self._metadata_left -= len(data)
        if self._metadata_left < 0:
            raise TooLarge(
                "metadata too large",
                safe=gettext(
                    "The metadata has more than %(max_metadata)s bytes. Send fewer instances a request.",
                    max_metadata=MAX_METADATA,
                ),
            )
        self._documents[-1][1].extend(data)

    def _bulk(self, data: memoryview) -> None:
        self._bulk_left -= len(data)
        if self._bulk_left < 0:
            raise TooLarge(
                "bulk data too large",
                safe=gettext(
                    "The bulk data has more than %(max_instance_bytes)s bytes. Send fewer instances a request.",
                    max_instance_bytes=self._batch.archive.max_instance_bytes,
                ),
            )
        self._batch.hold(len(data))
        if self._spool is None:
            self._spool = self._resources.enter_context(self._batch.archive.blobs.writer())
        self._spool.write(data)

    def _store(self, dataset: Any, content: memoryview) -> None:
        if not isinstance(dataset, dict):
            self._batch.refuse("The metadata of an instance is not an object.")
            return
        sop_class, sop_uid = value_text(dataset, _SOP_CLASS), value_text(dataset, _SOP_INSTANCE)
        if not valid_uid(sop_class) or not valid_uid(sop_uid):
            self._batch.refuse("The metadata of an instance names no valid SOP Class UID and SOP Instance UID.")
            return
        try:
            syntax = self._syntax(dataset, content)
            pieces = encode(dataset, lambda uri: self._parts(uri, content), compressed=syntax is not None)
            self._batch.begin(_warning(dataset))
            self._batch.write(write_meta(sop_class, sop_uid, syntax or EXPLICIT_LITTLE_ENDIAN))
            for piece in pieces:
                self._batch.write(piece)
        except BadDataset as error:
            self._batch.refuse(str(error), sop_class=sop_class, sop_uid=sop_uid)
        else:
            self._batch.finish()

    def _syntax(self, dataset: dict[str, Any], content: memoryview) -> str | None:
        pixels = dataset.get(_PIXEL_DATA)
        uri = pixels.get("BulkDataURI") if isinstance(pixels, dict) else None
        if not isinstance(uri, str):
            return None
        parts = self._parts(uri, content)
        frames = value_text(dataset, _FRAMES).strip()
        count = int(frames) if frames.isdecimal() and len(frames) <= 10 else 1
        return syntax_of([kind for kind, _, _ in self._ranges[uri]], parts[0], max(1, count))

    def _parts(self, uri: str, content: memoryview) -> list[memoryview]:
        ranges = self._ranges.get(uri)
        if ranges is None:
            raise BadDataset("A BulkDataURI of the metadata is the Content-Location of no part of the body.")
        return [content[start:end] for _, start, end in ranges]


def _datasets(kind: str, document: bytes) -> list[Any]:
    """The instances that a document of metadata describes. Raises BadInput where it can't be read."""
    nodes = document.count(b"<") if kind in XML_TYPES else document.count(b"{") + document.count(b"[")
    if nodes > MAX_NODES:
        raise TooLarge(
            "metadata with too many nodes", safe=gettext("The metadata has too many values for one request.")
        )
    try:
        if kind in XML_TYPES:
            return [from_xml(document)]
        read = orjson.loads(document)
    except BadXml as error:
        raise BadInput(str(error), safe=str(error)) from error
    except orjson.JSONDecodeError as error:
        sentence = "The metadata is not JSON, or is too deep."
        raise BadInput(f"{sentence} {error}"[:300], safe=sentence) from error
    return read if isinstance(read, list) else [read]


def _warning(dataset: dict[str, Any]) -> int | None:
    """The text is stored in UTF-8, as it came; a character set that says otherwise is coerced."""
    named = value_text(dataset, CHARACTER_SET)
    return None if named in ("", "ISO_IR 6", "ISO_IR 192") else COERCED
