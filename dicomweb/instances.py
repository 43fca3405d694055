"""Whole studies, series and instances: as they are stored, in another transfer syntax, or as a ZIP (10.4.1.1.1)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from dicomweb import answers
from dicomweb.answers import Body
from dicomweb.bulk_resources import all_bulk_data
from dicomweb.context import Context
from dicomweb.media import DICOM, OCTETS, ZIP, MediaRange, accepts, ranked, refusal
from dicomweb.syntaxes import instance_syntax
from dicomweb.wado import address, locate
from overread.kit.errors import OverreadError
from pacs import transcoded, zipped
from pacs.archive import Archive
from pacs.pixels.turns import asker
from pacs.retrieve import Located


def instances(context: Context, request: Request) -> Response:
    """A study, a series or one instance, in the transfer syntaxes that the client takes."""
    ranges = accepts(request)
    _, _, found = locate(context, request, "instances")
    archive = context.archive
    offers = [MediaRange(DICOM, multipart=True), *([MediaRange(DICOM)] if len(found) == 1 else []), MediaRange(ZIP)]
    # 10.4.4 note: asked as bytes, this is the Bulk Data resource.
    for wanted, offer in ranked(ranges, [*offers, MediaRange(OCTETS, multipart=True)]):
        if offer.type == OCTETS:
            return all_bulk_data(context, request)
        syntaxes = [instance_syntax(wanted, one.transfer_syntax, _targets(archive, one)) for one in found]
        if None not in syntaxes:
            chosen = [(one, syntax or "") for one, syntax in zip(found, syntaxes, strict=True)]
            return _answer(context, request, offer, chosen)
    raise _refusal(archive, offers, found)


def _targets(archive: Archive, one: Located) -> partial[frozenset[str]]:
    return partial(transcoded.targets, archive, one)


def _answer(context: Context, request: Request, offer: MediaRange, chosen: Sequence[tuple[Located, str]]) -> Response:
    blobs, who = context.archive.blobs, asker()
    validator = answers.etag(offer.type, offer.multipart, [(one.tag, syntax) for one, syntax in chosen])
    if answer := answers.unchanged(request, validator):
        return answer
    if offer.type == ZIP:
        named = ((one, syntax, _content(context.archive, one, syntax, who)) for one, syntax in chosen)
        # The name is ours: nothing of the objects, and nothing of the request, is part of it.
        headers = {"Content-Type": ZIP, "Content-Disposition": 'attachment; filename="images.zip"'}
        return answers.single(request, blobs, Body(headers, zipped.stream(context.archive, named)), validator)
    if not offer.multipart:
        [(one, syntax)] = chosen
        body = Body({"Content-Type": f"{DICOM}; transfer-syntax={syntax}"}, _content(context.archive, one, syntax, who))
        return answers.single(request, blobs, body, validator)
    root = context.root(request)
    bodies = (
        Body(
            {"Content-Type": f"{DICOM}; transfer-syntax={syntax}", "Content-Location": address(root, one)},
            _content(context.archive, one, syntax, who),
        )
        for one, syntax in chosen
    )
    # The length is told where it costs nothing: of originals that are given as they are.
    plain = all(one.header is None and one.transfer_syntax == syntax for one, syntax in chosen)
    return answers.multipart(request, blobs, DICOM, list(bodies) if plain else bodies, validator)


def _content(archive: Archive, one: Located, syntax: str, who: str) -> answers.Content:
    return one.parts if syntax == one.transfer_syntax else transcoded.stream(archive, one, syntax, who)


def _refusal(archive: Archive, offers: list[MediaRange], found: Sequence[Located]) -> OverreadError:
    syntaxes = {one.transfer_syntax for one in found}
    if len(found) == 1:
        syntaxes |= transcoded.targets(archive, found[0])
    named = [
        MediaRange(offer.type, offer.multipart, parameters={"transfer-syntax": syntax})
        for offer in offers
        if offer.type == DICOM
        for syntax in ("*", *sorted(syntaxes))
    ]
    return refusal([*named, MediaRange(ZIP)], "The instances")
