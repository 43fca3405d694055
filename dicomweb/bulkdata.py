"""Bulk data: the values that BulkDataURIs lead to, whole or in ranges (PS3.18 10.4.1.1.5, 8.7.3.3)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from starlette.requests import Request
from starlette.responses import Response

from dicomweb import answers
from dicomweb.answers import Body
from dicomweb.context import Context
from dicomweb.frames import frame_content, stored_frames
from dicomweb.media import OCTETS, MediaRange, accepts, ranked, refusal
from dicomweb.syntaxes import Answer, pixel_answers, pixel_offers
from dicomweb.wado import address, locate
from overread.kit.errors import NotFound
from overread.kit.language import gettext
from pacs.dicom.transfer_syntaxes import EXPLICIT_LITTLE_ENDIAN, NATIVE
from pacs.pixels.turns import asker
from pacs.serve import bulk, retrieve, transcoded
from pacs.serve.frame_index import frame_index
from pacs.serve.retrieve import Located
from pacs.store.archive import Archive

_MAX_PATH = 256
#: A document may hold script: it is saved, never shown in our name.
_DOCUMENT = {
    "Content-Disposition": "attachment",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
}


def bulk_data(context: Context, request: Request) -> Response:
    """The value of one attribute; of compressed pixel data the frames, each in a part of its own."""
    ranges = accepts(request)
    path = request.path_params["path"].split("/")
    if len(path) > _MAX_PATH:
        raise NotFound("a giant bulk data path", safe=gettext("This object has no such bulk data."))
    _, _, [one] = locate(context, request, "pixels")
    value = Value(context.archive, one, path)
    answer = value.best(ranges, single=True)
    if answer is None:
        raise refusal(value.offers(), "Bulk data")
    validator = answers.etag("bulk", one.tag, path, answer)
    if unchanged := answers.unchanged(request, validator):
        return unchanged
    blobs = context.archive.blobs
    bodies = value.bodies(answer, f"{address(context.root(request), one)}/bulkdata/{'/'.join(path)}")
    if not answer.multipart:
        [body] = bodies
        return answers.single_part(request, blobs, body, validator, ranged=True)
    if len(bodies) == 1 and isinstance(bodies[0].content, Sequence):
        return answers.ranged_part(request, blobs, answer.type, bodies[0], validator)
    return answers.multipart(request, blobs, answer.type, bodies, validator)


class Value:
    """The value of an attribute of an instance, named by the path of its BulkDataURI. Raises NotFound."""

    def __init__(self, archive: Archive, one: Located, path: Sequence[str]) -> None:
        self._archive = archive
        self._one = one
        with retrieve.opened(archive, one) as instance:
            self._found = bulk.find_bulk(instance, path)

    def best(self, ranges: list[MediaRange], *, single: bool) -> Answer | None:
        """The form that the client likes best, None where there is none that it takes; `single`: one part may do."""
        if self._found.pixels:
            # Explicit VR Little Endian is one value, and not frames (8.7.3.3.1).
            return next(
                pixel_answers(
                    ranges,
                    self._one.transfer_syntax,
                    self._targets,
                    lambda syntax: self._count == 1 or syntax == EXPLICIT_LITTLE_ENDIAN,
                    single_first=single,
                ),
                None,
            )
        pair = next(ranked(ranges, [offer for offer in self.offers() if single or offer.multipart]), None)
        return Answer(pair[1].type, pair[1].multipart, "") if pair else None

    def offers(self) -> list[MediaRange]:
        """What there is."""
        if self._found.pixels:
            return pixel_offers(self._one.transfer_syntax, self._targets, self._count == 1)
        kinds = [self._found.media_type, OCTETS] if self._found.media_type else [OCTETS]
        return [MediaRange(kind, multipart=m) for m in (False, True) for kind in kinds]

    def bodies(self, answer: Answer, location: str) -> list[Body]:
        """The value in a form that was chosen: one body, or one for each compressed frame, all of one address."""
        own = {"Content-Type": answer.content_type}
        if answer.multipart:
            own["Content-Location"] = location
        elif self._found.media_type:
            own |= _DOCUMENT
        if not self._found.pixels or (answer.syntax == EXPLICIT_LITTLE_ENDIAN and not self._found.encapsulated):
            return [Body(own, self._found.parts)]
        if answer.syntax == EXPLICIT_LITTLE_ENDIAN and self._one.transfer_syntax not in NATIVE:
            return [Body(own, transcoded.decoded(self._archive, self._one, self._count, asker()))]
        numbers = range(1, self._count + 1)
        stored = stored_frames(self._archive, self._one, numbers)
        return [
            Body(own, frame_content(self._archive, self._one, answer, number, parts))
            for number, parts in zip(numbers, stored, strict=True)
        ]

    @cached_property
    def _count(self) -> int:
        index = frame_index(self._archive, self._one) if self._found.encapsulated else None
        return len(index.places) if index is not None else self._one.frames

    @cached_property
    def _made(self) -> frozenset[str]:
        return transcoded.targets(self._archive, self._one)

    def _targets(self) -> frozenset[str]:
        return self._made
