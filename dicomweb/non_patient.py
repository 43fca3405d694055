"""The Non-Patient Instance service (PS3.18 12): store, retrieve and search of palettes, protocols and templates."""

from __future__ import annotations

from collections.abc import Iterator

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response

from dicomweb import answers, media, payload
from dicomweb.answers import Body
from dicomweb.context import Context
from dicomweb.keys import number, path_keys
from dicomweb.media import DICOM, MediaRange, accepts, choose
from dicomweb.payload import sq, ui
from dicomweb.uids import need_uid, path_uid
from overread.kit import whole_body
from overread.kit.errors import BadInput, NotAcceptable, UnsupportedMedia
from overread.kit.http import principal
from overread.kit.language import gettext
from overread.kit.multipart import Broken, PartParser
from overread.kit.principals import Principal
from pacs.dicom import tags
from pacs.store import non_patient

_MOST_PARTS = 200
_OFFERS = [MediaRange(DICOM), MediaRange(DICOM, multipart=True), *payload.OFFERS]


async def store(context: Context, request: Request) -> Response:
    """Store instances of a category, or the one that is named (12.5): 200, 202 where some were refused, 409 all."""
    kind, category, uid = payload.negotiated(request), _category(request), path_uid(request, "instance")

    def who_may() -> Principal:
        who = principal(request, context.archive.db)
        non_patient.may_store(who)
        return who

    who = await run_sync(who_may)
    body = await whole_body.read(request, non_patient.MOST_BYTES)

    def answer() -> Response:
        instances = list(_instances(request, body))
        if not instances:
            raise BadInput("no instance", safe=gettext("The body holds no DICOM object."))
        with context.archive.db.transaction() as tx:
            outcomes = [non_patient.store(tx, who, category, one, uid) for one in instances]
        failed = [one for one in outcomes if one.reason is not None]
        if not any(one.sop_uid for one in outcomes):
            raise BadInput(
                "nothing readable", safe=gettext("Nothing was stored. %(sentence)s", sentence=failed[0].sentence)
            )
        root = context.root(request)
        stored = [
            {tags.ReferencedSOPClassUID.key: ui(one.sop_class), tags.ReferencedSOPInstanceUID.key: ui(one.sop_uid),
             tags.RetrieveURL.key: {"vr": "UR", "Value": [f"{root}/{category}/{one.sop_uid}"]}}
            for one in outcomes if one.reason is None
        ]  # fmt: skip
        refused = [
            {tags.ReferencedSOPClassUID.key: ui(one.sop_class), tags.ReferencedSOPInstanceUID.key: ui(one.sop_uid),
             tags.FailureReason.key: {"vr": "US", "Value": [int(one.reason or 0)]}}
            for one in failed
        ]  # fmt: skip
        found = {
            tag: sq(items)
            for tag, items in ((tags.FailedSOPSequence.key, refused), (tags.ReferencedSOPSequence.key, stored))
            if items
        }
        sentences = dict.fromkeys(one.sentence for one in failed)
        headers = {"Warning": ", ".join(f'299 overread "{text}"' for text in sentences)} if sentences else {}
        return payload.single_dataset(kind, found, 409 if not stored else 202 if refused else 200, headers)

    return await run_sync(answer)


def retrieve(context: Context, request: Request) -> Response:
    """Retrieve an instance as it was stored, or its attributes as JSON or XML (12.4)."""
    who, category = principal(request, context.archive.db), _category(request)
    non_patient.may_read(who)
    ranges = accepts(request)
    wanted, offer = choose(ranges, _OFFERS, "The instance")
    with context.archive.db.transaction() as tx:
        found = non_patient.get(tx, who, category, need_uid(request, "instance"))
    if offer.type != DICOM:
        return payload.answer(offer.type, [found.attributes])
    if wanted.transfer_syntax not in (None, "*", found.transfer_syntax):
        raise NotAcceptable(
            "another transfer syntax",
            safe=gettext(
                "The instance is given as it was stored: transfer-syntax=%(transfer_syntax)s",
                transfer_syntax=found.transfer_syntax,
            ),
        )
    body = Body({"Content-Type": f"{DICOM}; transfer-syntax={found.transfer_syntax}"}, [found.content])
    validator = answers.etag(category, found.digest, offer.multipart)
    if unchanged := answers.unchanged(request, validator):
        return unchanged
    blobs = context.archive.blobs
    if offer.multipart:
        return answers.multipart(request, blobs, DICOM, [body], validator)
    return answers.single_part(request, blobs, body, validator)


def search(context: Context, request: Request) -> Response:
    """Search a category (12.6)."""
    who, category = principal(request, context.archive.db), _category(request)
    non_patient.may_read(who)
    kind = payload.negotiated(request)
    keys, warnings = path_keys(request.query_params.multi_items())
    with context.archive.db.transaction() as tx:
        found, more = non_patient.find(
            tx, who, category, keys, number(request, "limit", 100), number(request, "offset", 0)
        )
    if more:
        warnings.append("There are more results; ask with a larger offset for the rest.")
    headers = {"Warning": ", ".join(f'299 overread "{text}"' for text in warnings)} if warnings else {}
    return payload.answer(kind, found, headers=headers)


def _category(request: Request) -> str:
    """The category whose resource was asked: the path's segment behind the root."""
    return request.url.path.partition("/dicomweb/")[2].partition("/")[0]


def _instances(request: Request, body: bytes) -> Iterator[bytes]:
    kind = media.parse(request.headers.get("content-type") or "application/octet-stream")
    if kind.type == DICOM and not kind.multipart:
        if body:
            yield body
        return
    if not kind.multipart or kind.type not in (DICOM, "*/*"):
        raise UnsupportedMedia(
            f"{kind.type}",
            safe=gettext('Send multipart/related; type="%(dicom)s", or one %(dicom)s body.', dicom=DICOM),
        )
    try:
        parser = PartParser(kind.parameters.get("boundary", ""), max_parts=_MOST_PARTS)
        part = bytearray()
        for event in parser.feed(body):
            if event is None:
                yield bytes(part)
            elif isinstance(event, dict):
                part = bytearray()
            else:
                part += event
        parser.close()
    except Broken as error:
        raise BadInput(str(error), safe=error.safe) from error
