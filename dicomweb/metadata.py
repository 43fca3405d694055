"""The headers of a study's, a series' or one instance, as DICOM JSON or XML (PS3.18 10.4.1.1.2)."""

from __future__ import annotations

import re

import orjson
from starlette.requests import Request
from starlette.responses import Response

from dicomweb import answers
from dicomweb.answers import Body
from dicomweb.context import Context
from dicomweb.media import DICOM_JSON, DICOM_XML, MediaRange, accepts, choose
from dicomweb.wado import path, witness
from overread.kit import standing
from overread.kit.db import Connection
from overread.kit.errors import Conflict
from pacs.dicom.dicomxml import to_xml
from pacs.serve import metadata as kept


def metadata(context: Context, request: Request) -> Response:
    """The metadata, without its bulk data, which its BulkDataURIs lead to.

    JSON is sent as it is kept, gzipped, to clients that take it so.
    """
    ranges = accepts(request)
    names = path(request)
    offers = [MediaRange(DICOM_JSON), MediaRange("application/json"), MediaRange(DICOM_XML, multipart=True)]
    offers += [MediaRange(DICOM_XML)] if names[2] else []
    _, offer = choose(ranges, offers, "The metadata")
    root = context.root(request)
    gzipped = offer.type != DICOM_XML and takes_gzip(request)
    who, scope = context.authorise(request)
    db = context.archive.db

    def look(connection: Connection) -> tuple[kept.Version, kept.Ready | None]:
        seen = kept.version(connection, scope, *names)
        witness(connection, request, who, "metadata", seen.count)
        return seen, kept.find(connection, seen, root)

    seen, ready = db.at_once(look)

    def again() -> None:
        now = context.again(request)
        if db.at_once(lambda connection: kept.version(connection, now, *names)).digest != seen.digest:
            # Also where it grew: what is sent is no longer the whole.
            raise Conflict("the metadata changed while it was sent")

    standing.watch(request, again)
    validator = answers.etag("metadata", seen.digest, root, offer.type, offer.multipart, gzipped)
    if answer := answers.unchanged(request, validator):
        return answer
    if ready is None:
        ready = kept.build(db, seen, root, context.owns(root), scope, *names)
    if offer.type == DICOM_XML:
        return _xml(context, request, ready, validator, offer.multipart)
    headers = {"Content-Type": offer.type, "Vary": "Accept, Accept-Encoding, Authorization"}
    if gzipped:
        headers["Content-Encoding"] = "gzip"
        return answers.single_part(request, context.archive.blobs, Body(headers, [ready.gzipped]), validator)
    headers["Content-Length"] = str(ready.size)
    return answers.single_part(request, context.archive.blobs, Body(headers, ready.json()), validator)


def _xml(context: Context, request: Request, ready: kept.Ready, validator: str, multipart: bool) -> Response:
    """Documents, made one by one of what JSON is made of, as they are sent."""
    documents = map(to_xml, map(orjson.loads, ready.datasets()))
    own, blobs = {"Content-Type": DICOM_XML}, context.archive.blobs
    if not multipart:
        return answers.single_part(request, blobs, Body(own, list(documents)), validator)
    return answers.multipart(request, blobs, DICOM_XML, (Body(own, [one]) for one in documents), validator)


def takes_gzip(request: Request) -> bool:
    """Whether gzip is an acceptable content coding (RFC 9110 12.5.3)."""
    found: dict[str, bool] = {}
    for member in request.headers.get("accept-encoding", "").lower().split(","):
        name, *parameters = (part.strip() for part in member.split(";"))
        found[name] = not any(re.fullmatch(r"q\s*=\s*0(\.0*)?", parameter) for parameter in parameters)
    return found.get("gzip", found.get("*", False))
