"""The forms that a store request's body may have (PS3.18 10.5.2), each fed as it arrives."""

from __future__ import annotations

from typing import Protocol

from dicomweb.media import DICOM
from overread.kit.multipart import Broken, PartParser
from pacs.views.batch import Batch, Result

#: Instances in one request; a study of more is sent in several.
MAX_INSTANCES = 20_000


class Body(Protocol):
    """A body in the making: `feed` it, then `end` it, or `abandon` it on any error."""

    def feed(self, data: bytes) -> None:
        """The next chunk."""

    def end(self) -> list[Result]:
        """The body is whole: what became of its instances."""

    def abandon(self) -> None:
        """The body will not be whole, or the server can't go on."""


class SingleBody:
    """One instance (`application/dicom`)."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._began = False

    def feed(self, data: bytes) -> None:
        """The next chunk."""
        if not self._began:
            self._batch.begin()
            self._began = True
        self._batch.write(data)

    def end(self) -> list[Result]:
        """What became of the instance; nothing where the body was empty."""
        self._batch.finish()
        return self._batch.end()

    def abandon(self) -> None:
        """Leave nothing of it."""
        self._batch.abandon()


class MultipartBody:
    """Many instances (`multipart/related; type="application/dicom"`)."""

    def __init__(self, batch: Batch, boundary: str) -> None:
        self._batch = batch
        self._parser = PartParser(boundary, max_parts=MAX_INSTANCES)
        self._broken = False

    def feed(self, data: bytes) -> None:
        """The next chunk; what follows a place that can't be understood is ignored."""
        if self._broken:
            return
        try:
            for event in self._parser.feed(data):
                if event is None:
                    self._batch.finish()
                elif isinstance(event, dict):
                    self._begin(event)
                else:
                    self._batch.write(event)
        except Broken as error:
            self._break(error)

    def end(self) -> list[Result]:
        """What became of each part."""
        if not self._broken:
            try:
                self._parser.close()
            except Broken as error:
                self._break(error)
        return self._batch.end()

    def abandon(self) -> None:
        """Leave nothing of the part that is not whole."""
        self._batch.abandon()

    def _begin(self, headers: dict[str, str]) -> None:
        kind = headers.get("content-type", DICOM)
        if kind.split(";", 1)[0].strip().lower() != DICOM:
            self._batch.refuse("A part of the body is not application/dicom.")
        else:
            self._batch.begin()

    def _break(self, error: Broken) -> None:
        self._broken = True
        if self._batch.full is not None:
            # It was not read to its end, and what is in the rest has been refused.
            return
        self._batch.refuse(f"{error.safe} Send again what this answer does not list as stored.")
