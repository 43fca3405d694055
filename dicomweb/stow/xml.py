"""From the Native DICOM Model in XML (PS3.19 annex A.1) to the DICOM JSON model: the two say the same."""

from __future__ import annotations

from typing import Any
from xml.parsers import expat

from pacs.dicom.dicomxml import NAMESPACE
from pacs.dicom.elements import MAX_DEPTH

#: Elements that may be open at once: an attribute and an item for every level of sequences, and what is in a name.
_MAX_OPEN = 2 * MAX_DEPTH + 8
_NAME_PARTS = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")
_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")


class BadXml(Exception):
    """The document is not of the Native DICOM Model; the text is for the sender."""


def from_xml(document: bytes) -> dict[str, Any]:
    """Read one NativeDicomModel. Document types, and with them entities, are refused. Raises BadXml."""
    reader = _Reader()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = reader.doctype
    try:
        parser.Parse(document, True)
    except expat.ExpatError as error:
        raise BadXml(f"The metadata is not well-formed XML: {expat.ErrorString(error.code)}.") from error
    except (LookupError, ValueError) as error:
        raise BadXml("The metadata is in an encoding that can't be read.") from error
    return reader.dataset


class _Reader:
    """The handlers; `_path` holds what is open: a data set, an attribute, a list of values, a name's group."""

    def __init__(self) -> None:
        self.dataset: dict[str, Any] = {}
        self._path: list[tuple[str, Any]] = []
        self._text: list[str] = []

    def doctype(self, *_: Any) -> None:
        raise BadXml("The metadata has a document type declaration, which is not taken.")

    def text(self, data: str) -> None:
        self._text.append(data)

    def start(self, name: str, attributes: dict[str, str]) -> None:
        space, _, word = name.rpartition(" ")
        if space not in ("", NAMESPACE) or len(self._path) > _MAX_OPEN:
            raise BadXml("The metadata has an element that is not of the Native DICOM Model, or is too deep in it.")
        self._text = []
        parent, inside = self._path[-1] if self._path else ("", None)
        self._path.append((word, self._opened(word, attributes, parent, inside)))

    def end(self, _name: str) -> None:
        word, opened = self._path.pop()
        text = "".join(self._text)
        self._text = []
        if word == "Value":
            values, place = opened
            values[place] = text
        elif word == "InlineBinary":
            opened["InlineBinary"] = "".join(text.split())
        elif word in _NAME_PARTS:
            opened[_NAME_PARTS.index(word)] = text
        elif word in _GROUPS:
            parts, group = opened
            group[word] = "^".join(parts).rstrip("^")

    def _opened(self, word: str, attributes: dict[str, str], parent: str, inside: Any) -> Any:
        if word == "NativeDicomModel" and parent == "":
            return self.dataset
        if word == "DicomAttribute" and parent in ("NativeDicomModel", "Item"):
            attribute: dict[str, Any] = {"vr": attributes.get("vr", "")}
            inside[attributes.get("tag", "").upper()] = attribute
            return attribute
        if parent == "DicomAttribute":
            if word == "BulkData" and "uri" in attributes:
                inside["BulkDataURI"] = attributes["uri"]
                return inside
            if word == "InlineBinary":
                return inside
            if word in ("Value", "Item", "PersonName"):
                return _numbered(inside.setdefault("Value", []), word, attributes)
        if word in _GROUPS and parent == "PersonName":
            return [""] * len(_NAME_PARTS), inside
        if word in _NAME_PARTS and parent in _GROUPS:
            return inside[0]
        raise BadXml(f"The metadata has an element {word[:40]!r} where the Native DICOM Model has none.")


def _numbered(values: list[Any], word: str, attributes: dict[str, str]) -> Any:
    """The place that a value's number gives it; those that are left out are empty."""
    number = attributes.get("number", "")
    place = int(number) - 1 if number.isdecimal() and number.isascii() and len(number) < 8 else -1
    if not len(values) <= place <= len(values) + 1024:
        raise BadXml("A value's number is missing, or out of order.")
    values.extend([None] * (place - len(values)))
    values.append({} if word != "Value" else None)
    return (values, place) if word == "Value" else values[place]
