"""Bulk data: the value of one attribute, or the pixels, as parts (PS3.18 10.4.1.1.5)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from overread.kit.errors import NotFound
from overread.kit.language import gettext
from pacs.dicom import dicomjson, tags
from pacs.dicom.elements import Element, find, text
from pacs.serve.retrieve import Opened, Part

ENCAPSULATED_DOCUMENT = tags.EncapsulatedDocument
_MIME_TYPE = tags.MIMETypeOfEncapsulatedDocument
_uri = re.compile(rb'"BulkDataURI":"bulkdata:([0-9A-F/]+)"').findall
_mime_shape = re.compile(r"[a-z]+/[a-z0-9][a-z0-9.+-]*").fullmatch


@dataclass(frozen=True, slots=True)
class Bulk:
    """A value: `parts` make its bytes, `media_type` says what a document is (empty for anything else).

    `pixels`: the pixel data of the object. `encapsulated`: in fragments; its frames are then what can be given, and
    `parts` is the value as the file has it, items and all (PS3.5 A.4).
    """

    tag: int
    parts: list[Part]
    media_type: str = ""
    pixels: bool = False
    encapsulated: bool = False


def find_bulk(opened: Opened, path: Sequence[str]) -> Bulk:
    """The value that a BulkDataURI names: tags and item numbers, alternating. Raises NotFound where there is none."""
    parsed, located = opened.parsed, opened.located
    parts: list[Part]
    pixels = opened.pixels
    if pixels is not None and path == [dicomjson.tag_key(pixels.tag)]:
        parts = [opened.part(pixels.start, pixels.length)]
        return Bulk(pixels.tag, parts, pixels=True, encapsulated=pixels.fragments is not None)
    if located.header is not None:
        # From the header of the view, never from the blob: that is the original's.
        level, source = opened.walked, opened.header
        found = dicomjson.element_at(level, path)
        parts = [source[found.start : found.start + found.length]] if found else []
    else:
        level = parsed.elements
        found = dicomjson.element_at(level, path)
        parts = [opened.part(found.start, found.length)] if found else []
    if found is None or found.items is not None:
        raise NotFound("no such bulk data", safe=gettext("This object has no such bulk data."))
    buffer = parsed.buf if located.header is None else opened.header
    kind = _document_type(text(buffer, find(level, _MIME_TYPE))) if _is_document(found, path) else ""
    return Bulk(found.tag, parts, kind)


def paths(metadata: bytes) -> list[list[str]]:
    """The paths of all BulkDataURIs in an instance's metadata as kept (`pacs.index.columns`), in the order of tags."""
    # Within a text the quotes would be escaped: nothing else reads like this.
    return [found.decode().split("/") for found in _uri(metadata)]


def pixel_paths(opened: Opened) -> list[list[str]]:
    """The path of the pixel data, where the scope shows any (10.4.3.3.6)."""
    return [[dicomjson.tag_key(opened.pixels.tag)]] if opened.pixels is not None else []


def _is_document(found: Element, path: Sequence[str]) -> bool:
    return found.tag == ENCAPSULATED_DOCUMENT and len(path) == 1


def _document_type(told: str) -> str:
    """MIME Type of Encapsulated Document, where it is a media type at all."""
    told = told.lower()
    return told if _mime_shape(told) and len(told) < 100 else ""
