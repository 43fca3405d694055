"""Bulk data: the values that BulkDataURIs lead to, whole or in ranges (PS3.18 10.4.1.1.7, 8.7.3.3)."""

from __future__ import annotations

from functools import cache, partial

from starlette.requests import Request
from starlette.responses import Response

from dicomweb import answers
from dicomweb.answers import Body
from dicomweb.context import Context
from dicomweb.frames import give
from dicomweb.media import OCTETS, MediaRange, accepts, choose, refusal
from dicomweb.syntaxes import pixel_answers, pixel_offers
from dicomweb.wado import address, locate
from overread.kit.errors import NotFound
from pacs import bulk, retrieve, transcoded
from pacs.bulk import Bulk
from pacs.frame_index import frame_index
from pacs.retrieve import Located

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
        raise NotFound("a giant bulk data path", safe="This object has no such bulk data.")
    _, _, [one] = locate(context, request, "pixels")
    with retrieve.opened(context.archive, one) as instance:
        found = bulk.find_bulk(instance, path)
    if found.encapsulated:
        return _frames(context, request, one, ranges)
    return _value(context, request, one, found, ranges)


def _value(context: Context, request: Request, one: Located, found: Bulk, ranges: list[MediaRange]) -> Response:
    kinds = [found.media_type, OCTETS] if found.media_type else [OCTETS]
    offers = [MediaRange(kind, multipart=m) for m in (False, True) for kind in kinds]
    _, offer = choose(ranges, offers, "Bulk data")
    validator = answers.etag("bulk", one.tag, request.path_params["path"], offer.type, offer.multipart)
    if unchanged := answers.unchanged(request, validator):
        return unchanged
    headers = {"Content-Type": offer.type, **(_DOCUMENT if found.media_type else {})}
    if not offer.multipart:
        return answers.single(request, context.archive.blobs, Body(headers, found.parts), validator, ranged=True)
    location = f"{address(context.root(request), one)}/bulkdata/{request.path_params['path']}"
    body = Body({"Content-Type": offer.type, "Content-Location": location}, found.parts)
    return answers.ranged_part(request, context.archive.blobs, offer.type, body, validator)


def _frames(context: Context, request: Request, one: Located, ranges: list[MediaRange]) -> Response:
    """Without the delimiters of fragments, which only the file needs (8.7.3.3.2)."""
    index = frame_index(context.archive, one)
    assert index is not None, "what is encapsulated is in the blob as it is"
    targets = cache(partial(transcoded.frame_targets, context.archive, one))
    count = len(index.places)
    answer = next(pixel_answers(ranges, one.transfer_syntax, targets, count == 1, single_first=True), None)
    if answer is None:
        raise refusal(pixel_offers(one.transfer_syntax, targets, count == 1), "The pixel data")
    validator = answers.etag("pixels", one.tag, answer)
    if unchanged := answers.unchanged(request, validator):
        return unchanged
    return give(context, request, one, answer, [(n, index.parts(n - 1)) for n in range(1, count + 1)], validator)
